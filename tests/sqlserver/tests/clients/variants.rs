//! What changes its type from row to row, and what is bytes to a client without the CLR.

use tds_stand_in::TlsMode;
use tiberius::EncryptionLevel;

use crate::planted;
use crate::tiberius::{connect, rows};
use crate::{freetds, pymssql};

#[tokio::test(flavor = "multi_thread")]
async fn every_base_type_of_a_variant_arrives_at_every_client() {
    let server = planted::server(TlsMode::Off).await;
    let mut client = connect(&server, EncryptionLevel::NotSupported, 4096).await.unwrap();
    let read = rows(&mut client, "SELECT v FROM Types.dbo.Variants ORDER BY id", &[]).await.unwrap();
    let expected: Vec<_> = planted::variants().iter().flat_map(|column| column.tiberius).collect();
    let read: Vec<_> = read.iter().map(|row| row[0].as_deref().unwrap_or("NULL")).collect();
    assert_eq!(read, expected);

    // A result each: FreeTDS carries the code page of one row's text over to the bytes of the next.
    let script = format!(
        "for id in range(1, {}):\n  cur.execute('SELECT v FROM dbo.Variants WHERE id = %d' % id)\n  print(repr(cur.fetchone()[0]))\n",
        expected.len() + 1
    );
    let expected: Vec<_> = planted::variants().iter().flat_map(|column| column.python).collect();
    assert_eq!(pymssql::run(server.port(), "off", &script).await, expected);

    let batch: Vec<String> = (1..=expected.len()).map(|id| format!("SELECT v FROM Types.dbo.Variants WHERE id = {id}")).collect();
    let said = freetds::tsql(&server, &batch.join("\n")).await;
    let expected: Vec<_> = planted::variants().iter().flat_map(|column| column.freetds).collect();
    assert_eq!(said.lines().filter(|line| *line != "v").collect::<Vec<_>>(), expected, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clr_types_arrive_as_the_bytes_that_are_stored() {
    let server = planted::server(TlsMode::Off).await;
    let columns = planted::shapes();
    let mut client = connect(&server, EncryptionLevel::NotSupported, 4096).await.unwrap();
    let read = rows(&mut client, "SELECT * FROM Types.dbo.Shapes ORDER BY id", &[]).await.unwrap();
    let script = "cur.execute('SELECT * FROM dbo.Shapes ORDER BY id')\nfor row in cur:\n  for value in row[1:]:\n    print(repr(value))\n";
    let python = pymssql::run(server.port(), "off", script).await;
    for (at, column) in columns.iter().enumerate() {
        let found = [&read[0][at + 1], &read[1][at + 1], &read[2][at + 1]].map(Option::as_deref);
        assert_eq!(found, [Some(column.tiberius[0]), Some(column.tiberius[1]), None], "{}", column.ty);
        let found = [&python[at], &python[columns.len() + at], &python[columns.len() * 2 + at]];
        assert_eq!(found, [column.python[0], column.python[1], "None"], "{}", column.ty);
        let cast = format!("SELECT CAST(c{at} AS varbinary(max)) FROM Types.dbo.Shapes WHERE id < 3");
        let said = freetds::tsql(&server, &cast).await;
        assert_eq!(said.lines().skip(1).map(|line| line.trim_start_matches("0x")).collect::<Vec<_>>(), column.freetds, "{}", column.ty);
    }
}
