//! What a client sees when the server is made to fail.

use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use tds_stand_in::{Fault, SqlError, TlsMode, Value};
use tiberius::{EncryptionLevel, QueryItem};
use tokio::time::timeout;

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
async fn a_stall_sends_its_rows_and_then_nothing_until_the_client_gives_up() {
    let server = planted::server(TlsMode::Off).await;
    let table = server.table("McTM", "dbo", "Customer").unwrap();
    let mut client = connect(&server, EncryptionLevel::NotSupported, 4096).await.unwrap();
    table.fault(Some(Fault::StallAfterRows(700)));
    let mut stream = client.simple_query("SELECT CD FROM McTM.dbo.Customer").await.unwrap();
    let mut rows = 0;
    while let Ok(item) = timeout(Duration::from_secs(2), stream.try_next()).await {
        rows += u64::from(matches!(item.unwrap(), Some(QueryItem::Row(_))));
    }
    // What fills no packet stays behind with the server.
    assert!((400..=700).contains(&rows), "{rows}");
    let stats = server.stats();
    assert_eq!((stats.logins, stats.rows), (1, 0), "the result is not complete");
    assert!(stats.statements.last().is_some_and(|statement| statement == "SELECT CD FROM McTM.dbo.Customer"), "{stats:?}");
    drop(stream);
    drop(client);
    table.fault(None);
    let mut client = connect(&server, EncryptionLevel::NotSupported, 4096).await.unwrap();
    assert_eq!(read(&mut client).await.0, 2500);
    let stats = server.stats();
    assert_eq!((stats.logins, stats.rows), (2, 2500));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_after_bytes_ends_in_the_middle_of_a_row() {
    let server = planted::server(TlsMode::Off).await;
    let table = server.table("McTM", "dbo", "Customer").unwrap();
    let mut read_before = 0;
    for bytes in [20_000, 40_001, 80_002] {
        table.fault(Some(Fault::CutAfterBytes(bytes)));
        let mut client = connect(&server, EncryptionLevel::NotSupported, 4096).await.unwrap();
        let (rows, error) = read(&mut client).await;
        assert!(error.is_some_and(|error| error.code().is_none()), "the connection is lost, no error is sent");
        assert!(rows > read_before && rows < 2500, "{rows} rows in {bytes} bytes, {read_before} before");
        read_before = rows;
    }
    assert_eq!(server.stats().rows, 0, "no result was complete");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_spreads_the_rows_over_time() {
    let server = planted::server(TlsMode::Off).await;
    let table = server.table("McTM", "dbo", "Customer").unwrap();
    table.set_rows(40).unwrap();
    table.fault(Some(Fault::DelayPerRow(Duration::from_millis(5))));
    let mut client = connect(&server, EncryptionLevel::NotSupported, 4096).await.unwrap();
    let asked = Instant::now();
    assert_eq!(read(&mut client).await.0, 40);
    assert!(asked.elapsed() >= Duration::from_millis(200), "40 rows, 5 ms each: {:?}", asked.elapsed());
    assert_eq!(server.stats().rows, 40);
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
