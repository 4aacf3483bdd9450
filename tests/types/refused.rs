//! What PostgreSQL cannot hold, and what cannot be brought over: named, and the target as it was.

use tds_stand_in::{TableDef, Value};

use super::Planted;

#[tokio::test(flavor = "multi_thread")]
async fn nul_in_text_is_refused_with_column_and_row() {
    let cases = [
        ("nvarchar(10)", Value::text("a\0b")),
        ("nvarchar(max)", Value::text("\0")),
        ("varchar(10)", Value::Narrow(b"ab\0".to_vec())),
        ("nchar(2)", Value::text("\0x")),
        ("sql_variant", Value::variant("nvarchar(4)", Value::text("a\0"))),
    ];
    for (sql_type, value) in cases {
        fails_its_table(sql_type, value, &["column V", "Id=3", "U+0000"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_surrogate_fails_its_table() {
    for sql_type in ["nvarchar(10)", "nvarchar(max)", "nchar(3)"] {
        fails_its_table(sql_type, Value::Wide(vec![0x41, 0xD800, 0x42]), &["column V", "Id=3", "surrogate"]).await;
        fails_its_table(sql_type, Value::Wide(vec![0x41, 0xDC00]), &["column V", "Id=3", "surrogate"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_their_code_page_does_not_know_fail_their_table() {
    // 0x81 begins a character of two bytes in code page 932, and 0x20 does not end one.
    let table =
        |name: &str| TableDef::new("McTM", "dbo", name).required("Id", "int").collation("Japanese_CI_AS").column("V", "varchar(10)");
    let planted =
        Planted::over(vec![("T".to_owned(), table("T").key(&["Id"]).row([Value::Int(1), Value::Narrow(b"\x93\xfa".to_vec())]))]).await;
    refuses(&planted, Value::Narrow(b"\x81\x20".to_vec()), &["column V", "Id=3", "Shift_JIS"], "varchar in 932").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn always_encrypted_columns_are_refused_by_name_before_a_row_moves() {
    let table = TableDef::new("McTM", "dbo", "T").required("Id", "int").column("V", "nvarchar(20)").encrypted().key(&["Id"]);
    let planted = Planted::over(vec![("T".to_owned(), table.row([Value::Int(1), Value::text("x")]))]).await;
    planted.target("t", "text").await;
    let body = planted.site.json(&["multi_sync"]).await;
    for named in ["T", "V", "Always Encrypted"] {
        assert!(body.error_of("t").contains(named), "{named}: {body}");
    }
    assert!(!planted.was_read("T"), "no row moves");
    assert_eq!(planted.values("t").await, [] as [Option<String>; 0]);
}

/// A table with a good value and a NULL is brought over; with `value` beside them it fails, `named` in its error, and the target stays.
async fn fails_its_table(sql_type: &'static str, value: Value, named: &[&str]) {
    let good = if sql_type == "sql_variant" { Value::variant("nvarchar(4)", Value::text("ab")) } else { Value::text("ab") };
    let planted = Planted::of("T", sql_type, vec![good]).await;
    refuses(&planted, value, named, sql_type).await;
}

async fn refuses(planted: &Planted, value: Value, named: &[&str], what: &str) {
    planted.site.sync().await;
    assert!(planted.was_read("T"));
    let before = planted.written().await;
    planted.insert("T", 3, value);
    let body = planted.site.json(&["multi_sync"]).await;
    assert_eq!(body.code, Some(1), "{what}: {body}");
    for text in named {
        assert!(body.error_of("t").contains(text), "{what} should name {text}: {body}");
    }
    assert_eq!(planted.written().await, before, "{what}: the target is unchanged");
}
