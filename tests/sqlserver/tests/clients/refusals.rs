//! What the stand-in does not do is an error with SQL Server's number, whoever asks.

use tds_stand_in::{StandIn, TableDef, TlsMode, Value};
use tiberius::EncryptionLevel;

use crate::planted;
use crate::tiberius::{Connection, connect};

async fn error_of(client: &mut Connection, sql: &str) -> Option<u32> {
    match client.simple_query(sql).await {
        Ok(stream) => stream.into_results().await.err(),
        Err(error) => Some(error),
    }
    .and_then(|error| error.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_done_is_never_ignored() {
    let server = planted::server(TlsMode::Off).await;
    let mut client = connect(&server, EncryptionLevel::NotSupported, 4096).await.unwrap();
    for (number, sql) in [
        (102, "SELECT CD FROM dbo.Customer OFFSET 5 ROWS"),
        (10741, "SELECT TOP 5 CD FROM dbo.Customer ORDER BY CD OFFSET 5 ROWS"),
        (10742, "SELECT CD FROM dbo.Customer ORDER BY CD OFFSET -1 ROWS"),
        (10744, "SELECT CD FROM dbo.Customer ORDER BY CD OFFSET 5 ROWS FETCH NEXT 0 ROWS ONLY"),
        (102, "SELECT TOP 10 PERCENT CD FROM dbo.Customer"),
        (102, "SELECT TOP 10 WITH TIES CD FROM dbo.Customer ORDER BY CD"),
        (102, "SELECT Name, COUNT(*) FROM dbo.Customer GROUP BY Name HAVING COUNT(*) > 1"),
        (102, "SELECT Name, COUNT(*) FROM dbo.Customer GROUP BY Name WITH ROLLUP"),
        (102, "SELECT COUNT(DISTINCT Name) FROM dbo.Customer"),
        (102, "SELECT COUNT(*) OVER (PARTITION BY Name) FROM dbo.Customer"),
        (102, "SELECT 1 UNION ALL SELECT 2"),
        (102, "SELECT 1 EXCEPT SELECT 2"),
        (102, "WITH x AS (SELECT 1 AS n) SELECT n FROM x"),
        (102, "SELECT CD FROM dbo.Customer FOR XML PATH"),
        (102, "SELECT CD INTO dbo.Other FROM dbo.Customer"),
        (102, "SELECT CD FROM dbo.Customer WHERE CD IN (SELECT CD FROM dbo.Customer)"),
        (102, "SELECT n FROM (SELECT 1 AS n) AS x"),
        (102, "SELECT CD FROM dbo.Customer TABLESAMPLE (10 PERCENT)"),
        (102, "SELECT CD FROM dbo.Customer OPTION (BOGUS)"),
        (321, "SELECT CD FROM dbo.Customer WITH (BOGUS)"),
        (195, "SET ROWCOUNT 10"),
        (195, "SET BOGUS ON"),
        (102, "SET NOCOUNT MAYBE"),
        (102, "INSERT INTO dbo.Customer (CD) VALUES (N'x')"),
        (102, "UPDATE dbo.Customer SET Name = N'x'"),
        (102, "DELETE FROM dbo.Customer"),
        (102, "CREATE TABLE dbo.Other (n int)"),
        (102, "DECLARE @n int"),
        (8120, "SELECT Name, COUNT(*) FROM dbo.Customer"),
        (8120, "SELECT CD FROM dbo.Customer GROUP BY Name"),
        (8120, "SELECT MAX(CD) FROM dbo.Customer ORDER BY Name"),
        (281, "SELECT CONVERT(nvarchar(max), CreationTime, 55) FROM dbo.Customer WHERE CreationTime IS NOT NULL"),
        (155, "SELECT DATEPART(fortnight, CreationTime) FROM dbo.Customer"),
        (529, "SELECT CAST(CAST(0x58 AS hierarchyid) AS int)"),
    ] {
        assert_eq!(error_of(&mut client, sql).await, Some(number), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_nothing_is_accepted() {
    let server = planted::server(TlsMode::Off).await;
    let mut client = connect(&server, EncryptionLevel::NotSupported, 4096).await.unwrap();
    for sql in [
        "SELECT DISTINCT Name FROM dbo.Customer",
        "SELECT TOP (3) CD FROM dbo.Customer WITH (NOLOCK) ORDER BY CD OPTION (MAXDOP 1, RECOMPILE)",
        "SET ANSI_NULLS, QUOTED_IDENTIFIER ON",
        "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED SET NOCOUNT ON SELECT 1",
        "SET TEXTSIZE 2147483647; SET LOCK_TIMEOUT -1",
    ] {
        assert_eq!(error_of(&mut client, sql).await, None, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_enters_its_own_databases_and_no_other() {
    let table = |database: &str| TableDef::new(database, "dbo", "T").required("n", "int").row([Value::Int(1)]);
    let builder = StandIn::builder().login_for("sync", "secret", &["McTM"]).table(table("McTM")).table(table("VoipDB"));
    let server = builder.start().await.unwrap();
    let mut client = connect(&server, EncryptionLevel::NotSupported, 4096).await.unwrap();
    for (number, sql) in [
        (None, "SELECT n FROM McTM.dbo.T"),
        (None, "SELECT name FROM sys.tables"),
        (None, "USE master; USE McTM"),
        (Some(916), "USE VoipDB"),
        (Some(916), "SELECT n FROM VoipDB.dbo.T"),
        (Some(916), "SELECT name FROM VoipDB.sys.tables"),
        (Some(911), "USE Nowhere"),
        (Some(208), "SELECT n FROM Nowhere.dbo.T"),
    ] {
        assert_eq!(error_of(&mut client, sql).await, number, "{sql}");
    }
}
