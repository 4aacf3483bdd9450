//! Bytes, row versions, identifiers and XML.

use serde_json::json;
use tds_stand_in::Value::{self, Binary, Guid};

use super::{Planted, Type, arrive};

#[tokio::test(flavor = "multi_thread")]
async fn bytes_arrive_as_they_are() {
    let every_byte: Vec<u8> = (0..=255).collect();
    let hex = |bytes: &[u8]| format!("\\x{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    arrive(vec![
        Type::new(
            "binary(3)",
            "bytea",
            [(Binary(vec![0; 3]), "\\x000000"), (Binary(vec![255; 3]), "\\xffffff"), (Binary(vec![1]), "\\x010000")],
        ),
        Type::new(
            "varbinary(10)",
            "bytea",
            [(Binary(vec![]), "\\x"), (Binary(vec![0]), "\\x00"), (Binary(vec![255; 10]), "\\xffffffffffffffffffff")],
        ),
        Type::new("varbinary(8000)", "bytea", [(Binary(vec![7; 8_000]), hex(&[7; 8_000]))]),
        Type::new(
            "varbinary(max)",
            "bytea",
            [(Binary(vec![]), "\\x".to_owned()), (Binary(every_byte.repeat(400)), hex(&every_byte.repeat(400)))],
        ),
        Type::new("image", "bytea", [(Binary(vec![]), "\\x".to_owned()), (Binary(every_byte.clone()), hex(&every_byte))]),
        Type::new(
            "rowversion",
            "bytea",
            [(Binary(vec![0; 8]), "\\x0000000000000000"), (Binary(vec![0, 0, 0, 0, 0, 0, 7, 209]), "\\x00000000000007d1")],
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_version_is_a_number_where_asked() {
    let versions = [[0; 8], [0, 0, 0, 0, 0, 0, 7, 209], [127, 255, 255, 255, 255, 255, 255, 255]];
    let versions = versions.map(|bytes| Binary(bytes.to_vec())).to_vec();
    let tables =
        ["T", "Bytes"].map(|name| (name.to_owned(), Type::new("rowversion", "", versions.iter().map(|of| (of.clone(), ""))).table(name)));
    let mut planted = Planted::over(tables.into()).await;
    planted.target("bytes", "bytea").await;
    planted.target("t", "bigint").await;
    let body = planted.site.json(&["multi_sync"]).await;
    assert!(body.error_of("t").contains("V (timestamp)") && body.error_of("t").contains("as_bigint"), "refused, and told why: {body}");
    planted.site.db.execute("DROP TABLE t").await;
    planted.site.default("as_bigint", json!(true));
    planted.site.sync().await;
    let numbers = ["0", "2001", "9223372036854775807"].map(|text| Some(text.to_owned()));
    assert_eq!(planted.values("t").await, [&numbers[..], &[None]].concat());
    assert_eq!(planted.site.db.value("SELECT pg_typeof(v)::text FROM t LIMIT 1").await, "bigint");
    assert_eq!(planted.values("bytes").await[1].as_deref(), Some("\\x00000000000007d1"), "a bytea that stands stays one");
}

#[tokio::test(flavor = "multi_thread")]
async fn identifiers_keep_the_order_of_their_bytes() {
    let guid = [0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF];
    arrive(vec![Type::new(
        "uniqueidentifier",
        "uuid",
        [
            (Guid([0; 16]), "00000000-0000-0000-0000-000000000000"),
            (Guid([255; 16]), "ffffffff-ffff-ffff-ffff-ffffffffffff"),
            (Guid(guid), "00112233-4455-6677-8899-aabbccddeeff"),
        ],
    )])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn xml_arrives_as_its_text() {
    let long = format!("<r>{}</r>", "<日>本 &amp; 😀</日>".repeat(5_000));
    let documents = ["", "<a/>", "<a>1</a><b>2</b>", "just text", &long];
    arrive(vec![Type::new("xml", "xml", documents.map(|text| (Value::text(text), text)))]).await;
}
