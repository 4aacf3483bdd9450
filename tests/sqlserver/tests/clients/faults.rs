//! What a client sees when the server is made to fail.

use futures_util::TryStreamExt;
use tds_stand_in::{Fault, SqlError, TlsMode, Value};
use tiberius::{EncryptionLevel, QueryItem};

use crate::planted;
use crate::tiberius::{Connection, connect};

async fn read(client: &mut Connection) -> (u64, Option<tiberius::error::Error>) {
    let mut rows = 0;
    let stream = client.simple_query("SELECT * FROM McTM.dbo.Customer").await;
    let mut stream = match stream {
        Ok(stream) => stream,
        Err(error) => return (0, Some(error)),
    };
    loop {
        match stream.try_next().await {
            Ok(Some(QueryItem::Row(_))) => rows += 1,
            Ok(Some(_)) => {}
            Ok(None) => return (rows, None),
            Err(error) => return (rows, Some(error)),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_reach_the_client_and_go_away_again() {
    let server = planted::server(TlsMode::Off).await;
    let table = server.table("McTM", "dbo", "Customer").unwrap();
    let mut client = connect(&server, EncryptionLevel::NotSupported, 4096).await.unwrap();
    table.fault(Some(Fault::ErrorAfterRows(1000, SqlError::new(1205, 13, "Transaction was deadlocked."))));
    let (rows, error) = read(&mut client).await;
    assert_eq!((rows, error.and_then(|error| error.code())), (1000, Some(1205)));
    table.fault(Some(Fault::CutAfterRows(1200)));
    let (rows, error) = read(&mut client).await;
    assert!(rows <= 1200 && error.is_some(), "{rows} {error:?}");
    table.fault(None);
    let mut client = connect(&server, EncryptionLevel::NotSupported, 4096).await.unwrap();
    let (rows, error) = read(&mut client).await;
    assert!(rows == 2500 && error.is_none(), "{rows} {error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_data_and_schema_are_seen_by_the_next_statement() {
    let server = planted::server(TlsMode::Off).await;
    let table = server.table("McTM", "dbo", "Customer").unwrap();
    let mut client = connect(&server, EncryptionLevel::NotSupported, 4096).await.unwrap();
    let before = table.rows().unwrap();
    table.changed_percent(1.0).unwrap();
    let after = table.rows().unwrap();
    let changed = before.iter().zip(&after).filter(|(a, b)| a != b).count();
    assert!((5..60).contains(&changed), "about one in a hundred of 2500: {changed}");
    assert!(before.iter().zip(&after).all(|(a, b)| a[0] == b[0]), "keys stay");
    assert_eq!(table.delete(|row| row[0] == Value::text("C000000001")).unwrap(), 1);
    assert_eq!(read(&mut client).await.0, 2499);
    table.rename_column("Note", "Remark").unwrap();
    let error = client.simple_query("SELECT Note FROM McTM.dbo.Customer").await.err();
    assert_eq!(error.and_then(|error| error.code()), Some(207));
    table.drop_table();
    assert_eq!(read(&mut client).await.1.and_then(|error| error.code()), Some(208));
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_logins_say_18456() {
    let server = planted::server(TlsMode::LoginOnly).await;
    server.refuse_logins(true);
    let error = connect(&server, EncryptionLevel::Off, 4096).await.err();
    assert_eq!(error.and_then(|error| error.code()), Some(18456));
}
