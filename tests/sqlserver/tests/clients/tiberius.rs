//! The driver of the product, at a raw level.

use futures_util::TryStreamExt;
use tds_stand_in::{StandIn, TlsMode};
use tiberius::{AuthMethod, Client, ColumnData, Config, EncryptionLevel, QueryItem};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use crate::planted;

pub(crate) type Connection = Client<Compat<TcpStream>>;

pub(crate) async fn connect(server: &StandIn, encryption: EncryptionLevel, packet: u32) -> tiberius::Result<Connection> {
    let mut config = Config::new();
    config.host("localhost");
    config.port(server.port());
    config.database("McTM");
    config.authentication(AuthMethod::sql_server("sync", "secret"));
    config.encryption(encryption);
    config.packet_size(packet);
    let ca = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ca-{}.pem", server.port()));
    std::fs::write(&ca, server.ca_pem()).unwrap();
    config.trust_cert_ca(ca.display().to_string());
    let tcp = TcpStream::connect(("127.0.0.1", server.port())).await?;
    tcp.set_nodelay(true)?;
    Client::connect(config, tcp.compat_write()).await
}

/// A raw value as text; `None` for NULL.
fn show(data: &ColumnData<'_>) -> Option<String> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match data {
        ColumnData::Bit(value) => value.map(|v| v.to_string()),
        ColumnData::U8(value) => value.map(|v| v.to_string()),
        ColumnData::I16(value) => value.map(|v| v.to_string()),
        ColumnData::I32(value) => value.map(|v| v.to_string()),
        ColumnData::I64(value) => value.map(|v| v.to_string()),
        ColumnData::F32(value) => value.map(|v| format!("{v:e}")),
        ColumnData::F64(value) => value.map(|v| format!("{v:e}")),
        ColumnData::Numeric(value) => value.map(|v| format!("{}/{}", v.value(), v.scale())),
        ColumnData::Guid(value) => value.map(|v| v.to_string()),
        ColumnData::String(value) => value.as_ref().map(ToString::to_string),
        ColumnData::Xml(value) => value.as_ref().map(|v| v.to_string()),
        ColumnData::Binary(value) => value.as_ref().map(|v| hex(v)),
        ColumnData::Date(value) => value.map(|v| format!("day {}", v.days())),
        ColumnData::Time(value) => value.map(|v| format!("{}/{}", v.increments(), v.scale())),
        ColumnData::DateTime(value) => value.map(|v| format!("day {} {}", v.days(), v.seconds_fragments())),
        ColumnData::SmallDateTime(value) => value.map(|v| format!("day {} {}", v.days(), v.seconds_fragments())),
        ColumnData::DateTime2(value) => value.map(|v| format!("day {} {}/{}", v.date().days(), v.time().increments(), v.time().scale())),
        ColumnData::DateTimeOffset(value) => value.map(|v| {
            let utc = v.datetime2();
            format!("day {} {}/{} {}", utc.date().days(), utc.time().increments(), utc.time().scale(), v.offset())
        }),
    }
}

pub(crate) async fn rows(
    client: &mut Connection,
    sql: &str,
    parameters: &[&dyn tiberius::ToSql],
) -> tiberius::Result<Vec<Vec<Option<String>>>> {
    let mut stream = client.query(sql, parameters).await?;
    let mut rows = Vec::new();
    while let Some(item) = stream.try_next().await? {
        if let QueryItem::Row(row) = item {
            rows.push(row.into_iter().map(|data| show(&data)).collect());
        }
    }
    Ok(rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn tiberius_reads_every_type_over_every_encryption_and_packet_size() {
    use EncryptionLevel::{NotSupported, Off, On, Required};
    let cases = [
        (TlsMode::Off, NotSupported, 512),
        (TlsMode::LoginOnly, Off, 4096),
        (TlsMode::LoginOnly, On, 16_383),
        (TlsMode::Full, Required, 32_767),
        (TlsMode::Full, EncryptionLevel::Strict, 4096),
        (TlsMode::Strict, EncryptionLevel::Strict, 8000),
    ];
    for (tls, encryption, packet) in cases {
        let server = planted::server(tls).await;
        let mut client = connect(&server, encryption, packet).await.unwrap_or_else(|error| panic!("{tls:?} {encryption:?}: {error}"));
        let read = rows(&mut client, "SELECT * FROM Types.dbo.Everything ORDER BY id", &[]).await.unwrap();
        let mut wrong = Vec::new();
        for (at, column) in planted::all().iter().enumerate() {
            let found = [&read[0][at + 1], &read[1][at + 1], &read[2][at + 1]].map(Option::as_deref);
            let expected = [Some(column.tiberius[0]), Some(column.tiberius[1]), None];
            if found != expected {
                wrong.push(format!("{} at {tls:?}: {found:?}, not {expected:?}", column.ty));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn catalogue_and_ranges_answer_with_parameters() {
    let server = planted::server(TlsMode::Off).await;
    let mut client = connect(&server, EncryptionLevel::NotSupported, 4096).await.unwrap();
    let found = rows(&mut client, "SELECT o.object_id, o.type FROM [McTM].sys.objects AS o JOIN [McTM].sys.schemas AS s ON s.schema_id = o.schema_id WHERE s.name = @P1 AND o.name = @P2 AND o.type IN ('U','V')", &[&"dbo", &"Customer"]).await.unwrap();
    let id: i32 = found[0][0].as_ref().unwrap().parse().unwrap();
    assert_eq!(found[0][1].as_deref(), Some("U "));
    let key = rows(&mut client, "SELECT i.index_id, i.is_primary_key, ic.key_ordinal, c.name FROM [McTM].sys.indexes i JOIN [McTM].sys.index_columns ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id JOIN [McTM].sys.columns c ON c.object_id = ic.object_id AND c.column_id = ic.column_id WHERE i.object_id = @P1 AND i.is_primary_key = 1 ORDER BY i.index_id, ic.key_ordinal", &[&id]).await.unwrap();
    assert_eq!(key[0][3].as_deref(), Some("CD"));
    let range = rows(&mut client, "SELECT [CD] FROM [McTM].[dbo].[Customer] WITH (NOLOCK) WHERE [CD] > CAST(@P1 AS nvarchar(20)) AND [CD] <= @P2 ORDER BY [CD] OPTION (MAXDOP 1)", &[&"C000000010", &"c000000020"]).await.unwrap();
    let expected: Vec<_> = (11..=20).map(|n| vec![Some(format!("C{n:09}"))]).collect();
    assert_eq!(range, expected);
    let count = rows(&mut client, "SELECT COUNT_BIG(*) FROM [McTM].[dbo].[Customer] WHERE [Note] IS NULL", &[]).await.unwrap();
    let nulls: i64 = count[0][0].as_ref().unwrap().parse().unwrap();
    assert!((700..970).contains(&nulls), "about a third of 2500: {nulls}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nulls_take_the_type_beside_them() {
    let server = planted::server(TlsMode::Off).await;
    let mut client = connect(&server, EncryptionLevel::NotSupported, 4096).await.unwrap();
    let sql = "SELECT ISNULL(NULL, N'x'), COALESCE(NULL, 5), TRY_CAST('x' AS int), CASE WHEN N'a' = NULL THEN 1 ELSE 2 END, NULL";
    let read = rows(&mut client, sql, &[]).await.unwrap();
    let read: Vec<_> = read[0].iter().map(Option::as_deref).collect();
    assert_eq!(read, [Some("x"), Some("5"), None, Some("2"), None]);
}
