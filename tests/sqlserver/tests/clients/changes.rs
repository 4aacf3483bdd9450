//! What writers do while others read: rowversions, Change Tracking, transactions that commit late, and the clock.

use tds_stand_in::{StandIn, TableDef, TableHandle, TlsMode, Value};
use tiberius::EncryptionLevel;

use crate::tiberius::{Connection, connect, rows};

fn orders() -> TableDef {
    TableDef::new("McTM", "dbo", "Orders")
        .required("id", "int")
        .column("name", "nvarchar(20)")
        .required("rv", "rowversion")
        .key(&["id"])
        .row([Value::Int(1), "one".into(), Value::Null])
        .row([Value::Int(2), "two".into(), Value::Null])
}

async fn serve(table: TableDef) -> (StandIn, TableHandle, Connection) {
    let server = StandIn::builder().tls(TlsMode::Off).login("sync", "secret").database("Types").table(table).start().await.unwrap();
    let client = connect(&server, EncryptionLevel::NotSupported, 4096).await.unwrap();
    let table = server.table("McTM", "dbo", "Orders").unwrap();
    (server, table, client)
}

/// All values of all rows, in one line.
async fn read(client: &mut Connection, sql: &str) -> String {
    let read = rows(client, sql, &[]).await.map_err(|error| format!("{sql}: {error}")).unwrap();
    let rows = read.into_iter().map(|row| row.into_iter().map(|value| value.unwrap_or("NULL".into())).collect::<Vec<_>>().join(" "));
    rows.collect::<Vec<_>>().join(", ")
}

fn new(id: i64, name: &str) -> Vec<Value> {
    vec![Value::Int(id), name.into(), Value::Null]
}

fn is(id: i64) -> impl Fn(&[Value]) -> bool {
    move |row| row[0] == Value::Int(id)
}

const VERSIONS: &str = "SELECT CAST(@@DBTS AS bigint), CAST(MIN_ACTIVE_ROWVERSION() AS bigint)";

#[tokio::test(flavor = "multi_thread")]
async fn a_rowversion_is_given_when_a_row_is_written_and_is_active_until_the_commit() {
    let (server, table, mut client) = serve(orders()).await;
    assert_eq!(read(&mut client, "SELECT id, CAST(rv AS bigint) FROM dbo.Orders").await, "1 2001, 2 2002");
    assert_eq!(read(&mut client, VERSIONS).await, "2002 2003");
    let mut early = server.begin("McTM").unwrap();
    early.insert(&table, new(3, "three")).unwrap();
    assert_eq!(read(&mut client, VERSIONS).await, "2003 2003");
    table.update("name", "two".into(), is(2)).unwrap();
    assert_eq!(read(&mut client, "SELECT id, CAST(rv AS bigint) FROM dbo.Orders ORDER BY rv DESC").await, "2 2004, 1 2001");
    assert_eq!(read(&mut client, VERSIONS).await, "2004 2003");
    let mut late = table.begin().unwrap();
    assert_eq!(late.update(&table, &[("name", "uno".into())], is(1)), Ok(1));
    early.commit().unwrap();
    assert_eq!(read(&mut client, VERSIONS).await, "2005 2005");
    assert_eq!(read(&mut client, "SELECT id, CAST(rv AS bigint) FROM dbo.Orders ORDER BY rv").await, "1 2001, 3 2003, 2 2004");
    late.rollback();
    assert_eq!(read(&mut client, VERSIONS).await, "2005 2006");
    assert_eq!(read(&mut client, "SELECT name FROM dbo.Orders WHERE id = 1").await, "one");
    // Each database counts for itself.
    assert_eq!(read(&mut client, "USE Types SELECT CAST(@@DBTS AS bigint)").await, "2000");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_net_and_their_versions_those_of_the_commits() {
    let (server, table, mut client) = serve(orders()).await;
    assert_eq!(read(&mut client, "SELECT CHANGE_TRACKING_CURRENT_VERSION()").await, "NULL");
    assert_eq!(table.track_changes().map_err(|error| error.number), Err(4996));
    server.enable_change_tracking("McTM").unwrap();
    table.track_changes().unwrap();
    let versions = "SELECT CHANGE_TRACKING_CURRENT_VERSION(), CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(N'dbo.Orders'))";
    assert_eq!(read(&mut client, versions).await, "0 0");
    let mut early = server.begin("McTM").unwrap();
    early.insert(&table, new(3, "three")).unwrap();
    early.update(&table, &[("name", "drei".into())], is(3)).unwrap();
    table.delete(is(2)).unwrap();
    assert_eq!(read(&mut client, versions).await, "1 0");
    early.commit().unwrap();
    let changes = "SELECT ct.SYS_CHANGE_VERSION, ct.SYS_CHANGE_CREATION_VERSION, ct.SYS_CHANGE_OPERATION, ct.id, o.id, o.name \
        FROM CHANGETABLE(CHANGES dbo.Orders, 0) AS ct LEFT OUTER JOIN dbo.Orders AS o ON o.id = ct.id ORDER BY ct.id";
    assert_eq!(read(&mut client, changes).await, "1 NULL D 2 NULL NULL, 2 2 I 3 3 drei");
    table.clean_up_changes(1).unwrap();
    assert_eq!(read(&mut client, versions).await, "2 1");
    assert_eq!(read(&mut client, changes).await, "2 2 I 3 3 drei");
    table.truncate().unwrap();
    assert_eq!(read(&mut client, versions).await, "3 3");
}
