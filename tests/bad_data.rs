//! Values and rows that PostgreSQL cannot hold: refused by column and key with the target as it was, or changed, counted and put aside as configured.

use serde_json::{Value as Json, json};
use tds_stand_in::TableHandle;

use crate::support::body::Body;
use crate::support::site::Site;
use crate::support::source::{Fault, Planted, Value};

const COLUMNS: &[(&str, &str)] = &[("Id", "int"), ("Name", "nvarchar(50)"), ("Note", "nvarchar(max)")];
/// `a`, half a pair, `b`.
const BROKEN: [u16; 3] = [0x61, 0xD83D, 0x62];

fn row(id: i64, name: Value, note: &str) -> Vec<Value> {
    vec![Value::Int(id), name, Value::text(note)]
}

fn broken() -> Value {
    Value::Wide(BROKEN.to_vec())
}

/// One table `odd` of these rows over `options`, its target made beforehand with `target`'s rows where there are any.
async fn site(columns: &[(&'static str, &'static str)], rows: Vec<Vec<Value>>, options: Json) -> Site {
    Site::planted(vec![Planted::new("Odd", columns, 1).rows(rows)], options).await
}

async fn target(site: &Site, sql: &str) {
    site.db.execute(&format!("SET ROLE sync; {sql}; RESET ROLE")).await;
}

async fn rows(site: &Site) -> Vec<Vec<Option<String>>> {
    site.db.rows("SELECT id, name FROM odd ORDER BY id").await
}

fn pairs(expected: &[(&str, &str)]) -> Vec<Vec<Option<String>>> {
    expected.iter().map(|(id, name)| vec![Some((*id).to_owned()), Some((*name).to_owned())]).collect()
}

/// A run that fails on `odd` with all of `named` in its error and nothing of it in the target.
async fn refused(site: &Site, named: &[&str]) -> Body {
    let before = checksum(site).await;
    let body = site.json(&["multi_sync"]).await;
    assert_eq!(body.code, Some(1), "{body}");
    let error = body.error_of("odd");
    for text in named {
        assert!(error.contains(text), "{error:?} should say {text:?}");
    }
    assert_eq!(checksum(site).await, before, "the target is as it was");
    assert!(!body.stderr.contains("panicked"), "{body}");
    body
}

async fn checksum(site: &Site) -> String {
    match site.db.value("SELECT to_regclass('odd')::text").await.as_str() {
        "" => "missing".to_owned(),
        _ => site.db.checksum("odd").await,
    }
}

fn warns(body: &Body, text: &str) {
    assert!(body["warnings"].to_string().contains(text), "no warning says {text:?}: {body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_key_is_not_taken_for_the_row_that_holds_the_replacement_itself() {
    let table = Planted::new("Odd", &[("Name", "nvarchar(50)"), ("Id", "int")], 1);
    let rows_of = vec![vec![Value::text("a\u{FFFD}"), Value::Int(1)], vec![Value::Wide(vec![0x61, 0xD83D]), Value::Int(2)]];
    let site = Site::planted(vec![table.rows(rows_of)], json!({"create_tables": true, "on_bad_unicode": "strip"})).await;
    site.sync().await;
    assert_eq!(rows(&site).await, pairs(&[("1", "a\u{FFFD}"), ("2", "a")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nul_is_stripped_or_replaced_as_configured_and_counted() {
    let planted = || vec![row(1, Value::text("n\0u\0l"), ""), row(2, Value::text("fine"), ""), row(3, Value::text("\0"), "x\0")];
    for (policy, names, verb) in
        [("strip", ["nul", "fine", ""], "removed from"), ("replace", ["n\u{FFFD}u\u{FFFD}l", "fine", "\u{FFFD}"], "replaced by")]
    {
        let site = site(COLUMNS, planted(), json!({"on_nul": policy})).await;
        let body = site.sync().await;
        assert_eq!(rows(&site).await, pairs(&[("1", names[0]), ("2", names[1]), ("3", names[2])]));
        warns(&body, &format!("column Name: NUL characters {verb}"));
        warns(&body, "2 values (on_nul)");
        warns(&body, "column Note: NUL characters");
        let again = site.sync().await;
        assert_eq!(again.counts("odd"), [3, 0, 0, 0, 3], "{again}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_surrogate_is_refused_by_column_and_key() {
    let planted = vec![row(1, Value::text("fine"), "x"), row(7, broken(), "x"), row(8, broken(), "x")];
    let site = site(COLUMNS, planted, json!({})).await;
    refused(&site, &["column Name", "row Id=7", "lone surrogate", "on_bad_unicode"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_surrogate_is_stripped_or_replaced_as_configured_and_counted() {
    let planted = || vec![row(1, Value::text("\u{FFFD}"), "x"), row(2, broken(), "x"), row(3, broken(), "x")];
    for (policy, name) in [("strip", "ab"), ("replace", "a\u{FFFD}b")] {
        let site = site(COLUMNS, planted(), json!({"on_bad_unicode": policy})).await;
        let body = site.sync().await;
        assert_eq!(rows(&site).await, pairs(&[("1", "\u{FFFD}"), ("2", name), ("3", name)]), "U+FFFD of the source's own arrives");
        warns(&body, "2 values (on_bad_unicode)");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_character_of_the_sources_own_arrives() {
    let site = site(COLUMNS, vec![row(1, Value::text("a\u{FFFD}b"), "\u{FFFD}"), row(2, Value::text("ﾃｽﾄ"), "x")], json!({})).await;
    let body = site.sync().await;
    assert_eq!(rows(&site).await, pairs(&[("1", "a\u{FFFD}b"), ("2", "ﾃｽﾄ")]));
    assert!(!body["warnings"].to_string().contains("column"), "{body}");
    assert!(
        site.source.has_seen("AS [Name], CAST([Note] AS varbinary(max)) AS [Note] FROM [dbo].[Odd] WHERE [Id] = @P1"),
        "it was read again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_and_beyond_a_thousand_doubtful_values_all_text_is_read_as_its_bytes() {
    let many = (1..=1_500).map(|id| row(id, Value::text("\u{FFFD}"), "x")).collect();
    let site_of_many = site(COLUMNS, many, json!({})).await;
    let body = site_of_many.sync().await;
    assert_eq!(body.counts("odd"), [1_500, 1_500, 0, 0, 0]);
    assert_eq!(site_of_many.db.value("SELECT count(*) FROM odd WHERE name = U&'\\FFFD'").await, "1500");

    let keyless = Planted::new("Odd", COLUMNS, 0).rows(vec![row(1, Value::text("\u{FFFD}"), "日本"), row(2, Value::text("x"), "y")]);
    let site = Site::planted(vec![keyless.clone()], json!({})).await;
    site.sync().await;
    assert_eq!(rows(&site).await, pairs(&[("1", "\u{FFFD}"), ("2", "x")]));
    let site = Site::planted(vec![keyless.rows(vec![row(1, broken(), "x")])], json!({})).await;
    refused(&site, &["column Name", "without a key", "lone surrogate"]).await;
}

const NARROW: &[(&str, &str)] = &[("Id", "int"), ("Name", "varchar(50)"), ("Note", "nvarchar(50)")];

fn narrow_rows() -> Vec<Vec<Value>> {
    let narrow = |bytes: &[u8]| Value::Narrow(bytes.to_vec());
    vec![row(1, narrow(b"\x93\xfa\x96\x7b"), "日"), row(2, narrow(b"a\xfd\xfeb"), "本"), row(3, narrow(b"x"), "語")]
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_character_of_the_code_page_are_refused_by_column_and_key() {
    let site = Site::planted(vec![Planted::new("Odd", NARROW, 1).collated("Japanese_CI_AS").rows(narrow_rows())], json!({})).await;
    refused(&site, &["column Name", "row Id=2", "Shift_JIS", "byte 1", "on_bad_unicode"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_character_of_the_code_page_are_stripped_or_replaced() {
    for (policy, name) in [("strip", "ab"), ("replace", "a\u{FFFD}\u{FFFD}b")] {
        let planted = Planted::new("Odd", NARROW, 1).collated("Japanese_CI_AS").rows(narrow_rows());
        let site = Site::planted(vec![planted], json!({"on_bad_unicode": policy})).await;
        let body = site.sync().await;
        assert_eq!(rows(&site).await, pairs(&[("1", "日本"), ("2", name), ("3", "x")]));
        warns(&body, "column Name: broken characters");
        warns(&body, "1 value (on_bad_unicode)");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_put_aside_are_their_owners_alone_whatever_default_privileges_give() {
    let site = site(COLUMNS, one_too_long(), json!({"on_bad_row": "quarantine"})).await;
    let role = format!("Reader {}", std::process::id());
    site.db
        .execute(&format!("CREATE ROLE \"{role}\"; ALTER DEFAULT PRIVILEGES FOR ROLE sync GRANT SELECT ON TABLES TO PUBLIC, \"{role}\""))
        .await;
    target(&site, SHORT).await;
    site.sync().await;
    let others = "SELECT count(*) FROM pg_class AS c, aclexplode(c.relacl) AS a WHERE a.grantee <> c.relowner AND c.oid =";
    let granted = async |table: &str| site.db.value(&format!("{others} '{table}'::regclass")).await;
    assert_eq!((granted("tablesync.runs").await, granted("tablesync.quarantine").await), ("2".to_owned(), "0".to_owned()));
    site.db.execute(&format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\"")).await;
}

const SHORT: &str = "CREATE TABLE odd (id integer PRIMARY KEY, name varchar(5), note text)";

fn one_too_long() -> Vec<Vec<Value>> {
    vec![row(1, Value::text("ok"), "a"), row(2, Value::text("much too long"), "b\0"), row(3, Value::text("fine"), "c")]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_row_is_put_aside_on_every_way_of_publishing() {
    let options = |refresh: &str| json!({"on_bad_row": "quarantine", "refresh": refresh});
    for (refresh, standing, left) in [
        ("auto", "", &[("1", "ok"), ("3", "fine")][..]),
        // The older version of the row stays where rows are compared; row 4 has vanished.
        ("merge", "INSERT INTO odd VALUES (1, 'was'), (2, 'two'), (4, 'gone')", &[("1", "ok"), ("2", "two"), ("3", "fine")][..]),
        ("replace", "INSERT INTO odd VALUES (1, 'was'), (2, 'two')", &[("1", "ok"), ("3", "fine")][..]),
        ("truncate", "INSERT INTO odd VALUES (1, 'was'), (2, 'two')", &[("1", "ok"), ("3", "fine")][..]),
    ] {
        let site = site(COLUMNS, one_too_long(), options(refresh)).await;
        target(&site, &format!("{SHORT}; {standing}")).await;
        let body = site.sync().await;
        assert_eq!(rows(&site).await, pairs(left), "{refresh}");
        assert_eq!((&body.table("odd")["quarantined_count"], &body.table("odd")["validation_passed"]), (&json!(1), &json!(true)), "{body}");
        assert_eq!(body.counts("odd")[0], 3, "{refresh}: all rows were read");
        warns(&body, "row Id=2, column Name");
        if refresh == "merge" {
            assert_eq!(body.counts("odd"), [3, 1, 1, 1, 0], "{body}");
            warns(
                &body,
                "1 row, which was put aside in tablesync.quarantine (on_bad_row); it stands in the target as it was before: row Id=2",
            );
        }
        let aside = site.db.rows("SELECT table_name, row_key, column_name, \"row\"::text FROM tablesync.quarantine").await;
        let kept = r#"{"Id":2,"Name":"much too long","Note":"b\u0000"}"#;
        assert_eq!(aside, [["odd", "Id=2", "Name", kept].map(|text| Some(text.to_owned()))]);
        let runs = "SELECT outcome, rows_read, quarantined FROM tablesync.runs";
        assert_eq!(site.db.rows(runs).await, [["succeeded", "3", "1"].map(|text| Some(text.to_owned()))]);

        site.source.replace_rows("Odd", vec![row(1, Value::text("ok"), "a"), row(3, Value::text("fine"), "c")]);
        site.sync().await;
        assert_eq!(site.db.value("SELECT count(*) FROM tablesync.quarantine").await, "0", "the next run's rows replace them");
        assert_eq!(rows(&site).await, pairs(&[("1", "ok"), ("3", "fine")]), "{refresh}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_row_beyond_the_limit_fails_the_table_with_the_first_rows_named() {
    let many = (1..=4).map(|id| row(id, Value::text("much too long"), "x")).collect();
    let site = site(COLUMNS, many, json!({"on_bad_row": "quarantine", "quarantine_limit": 3})).await;
    target(&site, &format!("{SHORT}; INSERT INTO odd VALUES (9, 'nine')")).await;
    refused(&site, &["more than 3 rows", "quarantine_limit", "Id=1", "Id=2", "Id=3", "13 characters"]).await;
    assert_eq!(site.db.value("SELECT count(*) FROM tablesync.quarantine").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_with_broken_text_is_put_aside_where_text_must_not_be_changed() {
    let planted = vec![row(1, Value::text("fine"), "x"), row(2, broken(), "x"), row(3, Value::text("n\0"), "x")];
    let wide = site(COLUMNS, planted, json!({"on_bad_row": "quarantine"})).await;
    let body = wide.sync().await;
    assert_eq!(rows(&wide).await, pairs(&[("1", "fine")]));
    assert_eq!(body.table("odd")["quarantined_count"], 2);
    let reasons = wide.db.rows("SELECT row_key, reason FROM tablesync.quarantine ORDER BY row_key").await;
    assert!(reasons[0][1].as_deref().unwrap().contains("lone surrogate") && reasons[1][1].as_deref().unwrap().contains("NUL"));

    let narrow = Planted::new("Odd", NARROW, 1).collated("Japanese_CI_AS").rows(narrow_rows());
    let narrow = Site::planted(vec![narrow], json!({"on_bad_row": "quarantine"})).await;
    narrow.sync().await;
    assert_eq!(rows(&narrow).await, pairs(&[("1", "日本"), ("3", "x")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_shown_as_hashes_where_they_must_not_be_logged() {
    let columns: &[(&str, &str)] = &[("Id", "nvarchar(20)"), ("Name", "nvarchar(50)")];
    let row = |id: &str, name: &str| vec![Value::text(id), Value::text(name)];
    // printf secret-key | sha256sum
    let hash = "#85dbe15d75ef";
    let options = json!({"log_keys": false});
    let bad = site(columns, vec![row("secret-key", "n\0ul")], options.clone()).await;
    let body = refused(&bad, &["column Name", hash]).await;
    assert!(!body.to_string().contains("secret-key"), "{body}");

    let twice = Planted::new("Odd", columns, 0).rows(vec![row("secret-key", "a"), row("secret-key", "b")]);
    for target_sql in [
        "",
        "CREATE TABLE odd (id text PRIMARY KEY, name text)",
        "CREATE TABLE odd (id text, name text); INSERT INTO odd VALUES ('x', 'y')",
    ] {
        let mut options = options.clone();
        options["primary_key"] = json!("Id");
        let site = Site::planted(vec![twice.clone()], options).await;
        if !target_sql.is_empty() {
            target(&site, target_sql).await;
        }
        let body = refused(&site, &["not unique", hash]).await;
        assert!(!body.to_string().contains("secret-key"), "{body}");
    }
}

/// What is read again must be what was delivered: a row that was changed or deleted in between does not count, and the table is read once more.
#[tokio::test(flavor = "multi_thread")]
async fn a_doubtful_row_that_changes_while_it_is_read_is_read_again_with_the_whole_table() {
    type Case = (fn(&TableHandle), &'static [(&'static str, &'static str)]);
    let planted = || vec![row(1, Value::text("\u{FFFD}"), "x"), row(2, Value::text("fine"), "x")];
    let changes: [Case; 2] = [
        (
            |table| assert_eq!(table.update("Name", Value::text("other"), |row| row[0] == Value::Int(1)).unwrap(), 1),
            &[("1", "other"), ("2", "fine")],
        ),
        (|table| assert_eq!(table.delete(|row| row[0] == Value::Int(1)).unwrap(), 1), &[("2", "fine")]),
    ];
    for (change, left) in changes {
        let site = site(COLUMNS, planted(), json!({})).await;
        site.source.fault("Odd", Fault::change_after_rows(0, change));
        site.sync().await;
        assert_eq!(rows(&site).await, pairs(left));
        assert!(
            site.source.has_seen("CAST([Name] AS varbinary(8000)) AS [Name], CAST([Note] AS varbinary(max)) AS [Note] FROM [dbo].[Odd]; ")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stripped_or_is_the_sources_own_is_no_difference_to_verify() {
    let planted = vec![row(1, Value::text("\u{FFFD}"), "a\0b"), row(2, broken(), "x")];
    let site = site(COLUMNS, planted, json!({"on_nul": "strip", "on_bad_unicode": "replace"})).await;
    site.sync().await;
    let body = site.json(&["verify"]).await;
    assert_eq!((body.code, &body["success"]), (Some(0), &json!(true)), "{body}");
}
