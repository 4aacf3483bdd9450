//! XML, JSON and vectors: documents that travel as text.

use serde_json::json;
use tds_stand_in::{TableDef, Value};

use super::{Planted, Type, arrive};

#[tokio::test(flavor = "multi_thread")]
async fn json_and_vectors_arrive_as_their_text() {
    let long = format!("[{}0]", "\"日本😀\",".repeat(20_000));
    arrive(vec![
        Type::new(
            "json",
            "jsonb",
            [
                (Value::text("{}"), "{}".to_owned()),
                (Value::text(r#"{"b":[1,2.50,-1e3],"a":null}"#), r#"{"a": null, "b": [1, 2.50, -1000]}"#.to_owned()),
                (Value::text(r#""\u00e9 \" \\""#), r#""é \" \\""#.to_owned()),
                (Value::text(&long), long.replace(',', ", ")),
            ],
        ),
        Type::new("vector(3)", "text", ["[1.0000000e+000,-2.5000000e-001,0.0000000e+000]"].map(|text| (Value::text(text), text))),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoding_that_xml_declares_is_left_out() {
    let declared = "<?xml version=\"1.0\" encoding=\"Shift_JIS\"?><a>日本</a>";
    let tables = ["T", "Texts", "Short"].map(|name| (name.to_owned(), Type::new("xml", "", [(Value::text(declared), "")]).table(name)));
    let planted = Planted::over(tables.into()).await;
    planted.target("texts", "text").await;
    planted.target("short", "varchar(50)").await;
    planted.site.sync().await;
    // PostgreSQL itself drops a declaration that says nothing else.
    assert_eq!(planted.values("t").await[0].as_deref(), Some("<a>日本</a>"));
    for kept in ["texts", "short"] {
        assert_eq!(planted.values(kept).await[0].as_deref(), Some("<?xml version=\"1.0\"?><a>日本</a>"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offset_follows_its_instant_where_asked() {
    let offsets = [(840, "840"), (-840, "-840"), (0, "0"), (345, "345")];
    let table =
        TableDef::new("McTM", "dbo", "T").required("Id", "int").column("At", "datetimeoffset(7)").column("Note", "int").key(&["Id"]);
    let table = offsets.iter().zip(1..).fold(table, |table, ((minutes, _), id)| {
        table.row([Value::Int(id), Value::DateTimeOffset(730_119, 452_961_234_567, *minutes), Value::Null])
    });
    let mut planted = Planted::over(vec![("T".to_owned(), table.row([Value::Int(9), Value::Null, Value::Null]))]).await;
    planted.site.default("keep_offset", json!(true));
    planted.site.sync().await;
    let columns = "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) \
                   FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0";
    assert_eq!(planted.site.db.value(columns).await, "id integer, at timestamp with time zone, at_offset smallint, note integer");
    let rows = planted.site.db.rows("SELECT at, at_offset FROM t ORDER BY id").await;
    let instant = Some("2000-01-01 12:34:56.123456+00".to_owned());
    let mut expected: Vec<_> = offsets.iter().map(|(_, text)| vec![instant.clone(), Some((*text).to_owned())]).collect();
    expected.push(vec![None, None]);
    assert_eq!(rows, expected);
    let before = planted.written().await;
    planted.site.sync().await;
    assert_eq!(planted.written().await, before, "the second run writes no row");

    planted.site.db.execute("ALTER TABLE t DROP COLUMN at_offset").await;
    let body = planted.site.json(&["multi_sync"]).await;
    for named in ["At", "at_offset", "keep_offset"] {
        assert!(body.error_of("t").contains(named), "{named}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offset_follows_its_instant_under_a_name_of_the_configuration_too() {
    let table =
        TableDef::new("McTM", "dbo", "T").required("Id", "int").column("At", "datetimeoffset(0)").column("Note", "int").key(&["Id"]);
    let table = table.row([Value::Int(1), Value::DateTimeOffset(730_119, 0, 540), Value::Int(7)]);
    let mut planted = Planted::over(vec![("T".to_owned(), table)]).await;
    let named = json!({"columns": ["At", "Id"], "pg_columns": ["seen", "id"], "keep_offset": true});
    planted.site.configure("t", "dbo.T", &named);
    planted
        .site
        .db
        .execute("CREATE TABLE t (id bigint PRIMARY KEY, seen_offset integer, seen timestamptz); ALTER TABLE t OWNER TO sync")
        .await;
    planted.site.sync().await;
    let rows = planted.site.db.rows("SELECT id, seen_offset, seen FROM t").await;
    assert_eq!(rows, [["1", "540", "2000-01-01 00:00:00+00"].map(|text| Some(text.to_owned()))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn computed_and_hidden_columns_arrive_as_any_other() {
    let table = TableDef::new("McTM", "dbo", "T")
        .required("Id", "int")
        .column("Twice", "bigint")
        .computed("([Id]*(2))")
        .required("ValidFrom", "datetime2(7)")
        .generated_always(1)
        .hidden()
        .key(&["Id"])
        .row([Value::Int(21), Value::Int(42), Value::DateTime2(730_119, 0)]);
    let planted = Planted::over(vec![("T".to_owned(), table)]).await;
    planted.site.sync().await;
    let rows = planted.site.db.rows("SELECT id, twice, validfrom, pg_typeof(twice) FROM t").await;
    assert_eq!(rows, [["21", "42", "2000-01-01 00:00:00", "bigint"].map(|text| Some(text.to_owned()))]);
}
