//! `verify`: every difference between source and target is named, none is made up, and nothing is written.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use crate::support::body::Body;
use crate::support::site::Site;
use crate::support::source::{Fault, Planted, Source, Value};

/// A difference as a report names it: kind, key, columns.
type Difference = (String, String, Vec<String>);

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_planted_differences_of_all_kinds_are_found_among_two_hundred_thousand_rows() {
    let mut site = Site::over(Source::sample_of(10, &[("customer", 200_000)]).await).await;
    site.keep(&["customer"]).sync().await;
    agrees(&site, 200_000).await;

    let mut planted = Plant { site: &site, planted: BTreeSet::new() };
    planted.update("1", "name = 'someone else'", "name <> 'someone else'", &["Name"]).await;
    planted.update("2", "note = ''", "note IS NULL", &["Note"]).await;
    planted.update("3", "nameyomi = NULL", "nameyomi = ''", &["NameYomi"]).await;
    planted.update("4", "name = name || ' '", "true", &["Name"]).await;
    planted.update("5", "nameyomi = left(nameyomi, -1) || 'ー'", "nameyomi NOT LIKE '%ー' AND nameyomi <> ''", &["NameYomi"]).await;
    planted.update("6", "name = nameyomi, nameyomi = name", "nameyomi <> name", &["Name", "NameYomi"]).await;
    planted.update("7", "dairiten_id = dairiten_id - sign(dairiten_id)::integer", "dairiten_id <> 0", &["Dairiten_ID"]).await;
    planted.update("8", "modifiedtime = modifiedtime + interval '1 millisecond'", "true", &["ModifiedTime"]).await;
    planted.delete("9").await;
    planted.insert("0").await;
    let planted = planted.planted;
    assert_eq!(planted.len(), 200);

    let before = site.db.checksum("mctm_customer").await;
    let body = site.json(&["verify"]).await;
    assert_eq!((body.code, &body["success"]), (Some(1), &json!(false)), "{}", body["error"]);
    assert_eq!(counts(&body, "customer"), [200_000, 200_000, 200_000, 160, 20, 20]);
    assert_eq!(differences(&body, "customer"), planted);
    assert!(body["error"].as_str().unwrap().contains("160 differ, 20 missing in the target, 20 in the target only; the first: row CD="));
    assert_eq!(site.db.checksum("mctm_customer").await, before, "nothing is written");

    site.sync().await;
    agrees(&site, 200_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_every_type_in_use_agree_after_a_sync_and_one_changed_value_of_each_column_is_named() {
    let mut site = Site::over(Source::sample(2_000).await).await;
    site.keep(&["voipdb_useragent", "voipdb_customer", "mctm_module"]).sync().await;
    let body = site.json(&["verify"]).await;
    assert_eq!((body.code, &body["success"], &body["successful_tables"]), (Some(0), &json!(true), &json!(3)), "{body}");
    let columns = site.config["tables"]["voipdb_customer"]["columns"].as_array().unwrap().clone();
    let mut planted = BTreeSet::new();
    for (column, cd) in columns.iter().skip(1).zip(100..) {
        let column = column.as_str().unwrap();
        let (name, pg_type) = (column.to_lowercase(), type_of(&site, column).await);
        // NULL becomes some value, and any value NULL.
        let some = format!("(SELECT min({name}::text) FROM voipdb_customer)::{pg_type}");
        let other = format!("CASE WHEN {name} IS NULL THEN {some} END");
        site.db.execute(&format!("UPDATE voipdb_customer SET {name} = {other} WHERE cd = {cd}")).await;
        planted.insert(("differs".to_owned(), format!("Cd={cd}"), vec![column.to_owned()]));
    }
    let body = site.json(&["verify", "--tables=voipdb_customer"]).await;
    assert_eq!(differences(&body, "voipdb_customer"), planted);
}

/// The type of a column of `voipdb_customer`.
async fn type_of(site: &Site, column: &str) -> String {
    let of = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'voipdb_customer'::regclass AND attname = ";
    site.db.value(&format!("{of}'{}'", column.to_lowercase())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn composite_keys_are_named_by_all_their_columns() {
    let row = |a: i64, b: &str, n: i64| vec![Value::Int(a), Value::text(b), Value::Int(n)];
    let stock = Planted::new("Stock", &[("Shop", "int"), ("Article", "nvarchar(20)"), ("Pieces", "int")], 2);
    let site = Site::planted(vec![stock.rows(vec![row(1, "x", 10), row(1, "y", 20), row(2, "x", 30)])], json!({})).await;
    site.sync().await;
    agrees(&site, 3).await;
    site.db.execute("UPDATE stock SET pieces = 21 WHERE shop = 1 AND article = 'y'; DELETE FROM stock WHERE shop = 2").await;
    site.db.execute("INSERT INTO stock VALUES (12, '', 1)").await;
    let body = site.json(&["verify"]).await;
    let hidden = {
        let mut site = site;
        let shown = differences(&body, "stock");
        site.default("log_keys", json!(false));
        let hashed = differences(&site.json(&["verify"]).await, "stock");
        assert!(hashed.iter().all(|(_, key, _)| key.len() == 13 && key.starts_with('#')), "{hashed:?}");
        assert_eq!(hashed.len(), shown.len());
        shown
    };
    let named = [
        difference("differs", "Shop=1, Article=y", &["Pieces"]),
        difference("missing", "Shop=2, Article=x", &[]),
        difference("extra", "Shop=12, Article=", &[]),
    ];
    assert_eq!(hidden, named.into());
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_without_a_key_are_compared_as_multisets_and_empty_ones_agree() {
    let log = Planted::new("Log", &[("Line", "nvarchar(50)")], 0);
    let line = |text: &str| vec![Value::text(text)];
    let lines = log.clone().rows(vec![line("same"), line("same"), line("other"), vec![Value::Null]]);
    let site = Site::planted(vec![lines, log.named("Empty")], json!({})).await;
    site.sync().await;
    let body = site.json(&["verify"]).await;
    assert_eq!((body.code, counts(&body, "log"), counts(&body, "empty")), (Some(0), [4, 4, 4, 0, 0, 0], [0; 6]), "{body}");
    site.db.execute("DELETE FROM log WHERE ctid = (SELECT min(ctid) FROM log WHERE line = 'same')").await;
    site.db.execute("INSERT INTO log VALUES ('other'), ('new'); INSERT INTO empty VALUES ('x')").await;
    let body = site.json(&["verify"]).await;
    assert_eq!((counts(&body, "log"), counts(&body, "empty")), ([4, 5, 4, 0, 1, 2], [0, 1, 0, 0, 0, 1]), "{body}");
    assert!(differences(&body, "log").is_empty() && body["warnings"].to_string().contains("no key"), "{body}");
    let shown = site.run(&["verify"]).await.stderr;
    assert!(
        shown.contains("differences in table log: rows of source and target: 1 missing in the target, 2 in the target only\n"),
        "{shown}"
    );
    assert!(!shown.contains("--json"), "nothing more could be listed: {shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_stand_twice_are_missing_or_extra() {
    let people = Planted::new("People", &[("Id", "int"), ("Name", "nvarchar(50)")], 1);
    let site = Site::planted(vec![people.rows(vec![person(1, "Ann"), person(2, "Bob"), person(3, "Cem")])], json!({})).await;
    site.sync().await;
    site.db.execute("ALTER TABLE people DROP CONSTRAINT people_pkey; INSERT INTO people VALUES (2, 'Bob'), (3, 'Eve')").await;
    let body = site.json(&["verify"]).await;
    assert_eq!(counts(&body, "people"), [3, 5, 3, 0, 0, 2], "{body}");
    assert_eq!(differences(&body, "people"), [difference("extra", "Id=2", &[]), difference("extra", "Id=3", &[])].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_only_read_can_verify_and_a_missing_target_is_an_error() {
    let people = Planted::new("People", &[("Id", "int"), ("Name", "nvarchar(50)")], 1);
    let site = Site::planted(vec![people.rows(vec![person(1, "Ann")])], json!({})).await;
    let body = site.json(&["verify"]).await;
    assert!(body.error_of("people").contains("there is no table"), "{body}");
    site.sync().await;
    site.db.execute("ALTER TABLE people OWNER TO postgres; GRANT SELECT ON people TO sync").await;
    agrees(&site, 1).await;
    let finished = site.run(&["verify"]).await;
    assert!(finished.stdout.contains("1 of 1 tables agree"), "{finished:?}");
    site.db.execute("UPDATE people SET name = 'A secret'").await;
    let finished = site.run(&["verify"]).await;
    assert!(finished.stderr.contains("difference in table people: row Id=1 differs in Name"), "{finished:?}");
    assert!(!format!("{finished:?}").contains("secret") && !format!("{finished:?}").contains("Ann"), "no value is shown: {finished:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_which_everything_differs_is_counted_and_named_up_to_a_limit() {
    let site = Site::planted(
        vec![Planted::new("People", &[("Id", "int"), ("Name", "nvarchar(50)")], 1).rows((0..3_000).map(|id| person(id, "x")).collect())],
        json!({}),
    )
    .await;
    site.sync().await;
    site.db.execute("UPDATE people SET name = 'y'").await;
    let body = site.json(&["verify"]).await;
    assert_eq!(counts(&body, "people"), [3_000, 3_000, 3_000, 3_000, 0, 0]);
    assert_eq!(differences(&body, "people").len(), 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_key_ranges_that_differ_are_read_again_whatever_the_type_of_the_key() {
    for (sql_type, keys, shown) in [
        ("int", (0..5_000).map(|key| Value::Int(key * 3 - 7_000)).collect::<Vec<_>>(), "Key=-5800"),
        ("bigint", (0..5_000).map(|key| Value::Int(i64::MIN + key)).collect(), "Key=-9223372036854775408"),
        ("decimal(20,2)", (0..5_000).map(|key| Value::Decimal(i128::from(key) * 7 - 2_800, 2)).collect(), "Key=0.00"),
        ("date", (0..5_000).map(|key| Value::Date(730_119 + key)).collect(), "Key=2001-02-04"),
        ("datetime", (0..5_000).map(|key| Value::DateTime(36_524 + key, 1)).collect(), "Key=2001-02-04T00:00:00.003"),
        ("datetime2(7)", (0..5_000).map(|key| Value::DateTime2(3_652_058 - key, 10)).collect(), "Key=9998-11-26T00:00:00.000001"),
    ] {
        let rows = keys.into_iter().zip(0..).map(|(key, id)| vec![key, Value::Int(id)]).collect();
        let table = Planted::new("Keyed", &[("Key", sql_type), ("Id", "int")], 1).rows(rows);
        let site = Site::planted(vec![table], json!({})).await;
        site.sync().await;
        agrees(&site, 5_000).await;
        site.db.execute("UPDATE keyed SET id = -1 WHERE id = 400; DELETE FROM keyed WHERE id IN (0, 4999)").await;
        let before = site.source.rows_sent();
        let body = site.json(&["verify"]).await;
        assert_eq!(counts(&body, "keyed"), [5_000, 4_998, 5_000, 1, 2, 0], "{sql_type}: {body}");
        assert!(differences(&body, "keyed").contains(&difference("differs", shown, &["Id"])), "{sql_type}: {body}");
        let sent = site.source.rows_sent() - before;
        assert!(sent < 5_200, "{sql_type}: {sent} rows were sent");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_the_key_ranges_is_compared_where_asked_and_said_so() {
    let mut site = Site::over(Source::sample(5_000).await).await;
    site.keep(&["voipdb_customer"]).sync().await;
    site.db.execute("UPDATE voipdb_customer SET customername = concat(customername, '!')").await;
    let body = site.json(&["verify", "--sample=10%"]).await;
    let [source, target, compared, differing, missing, extra] = counts(&body, "voipdb_customer");
    assert_eq!((source, target, differing, missing, extra), (5_000, 5_000, compared, 0, 0), "{body}");
    assert!((300..700).contains(&compared), "{compared}");
    assert_eq!(body.table("voipdb_customer")["sampled"], true);
    let full = site.json(&["verify", "--full"]).await;
    assert_eq!((counts(&full, "voipdb_customer")[2], &full.table("voipdb_customer")["sampled"]), (5_000, &json!(false)));
    let refused = site.json(&["verify", "--sample=2"]).await;
    assert_eq!(refused.code, Some(2), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_the_source_changes_meanwhile_is_no_difference() {
    let people = Planted::new("People", &[("Id", "int"), ("Name", "nvarchar(50)")], 1);
    let rows = (1..=10).map(|id| person(id, "x")).collect();
    let site = Site::planted(vec![people.rows(rows)], json!({})).await;
    site.sync().await;
    site.db.execute("UPDATE people SET name = 'y' WHERE id IN (3, 7)").await;
    site.source.fault("People", changing_with_each_read(1));
    let body = site.json(&["verify"]).await;
    assert_eq!((counts(&body, "people"), &body.table("people")["changed_meanwhile"]), ([10, 10, 10, 1, 0, 0], &json!(1)), "{body}");
    assert_eq!(differences(&body, "people"), [difference("differs", "Id=7", &["Name"])].into());
}

/// Each read finds row 3 in another state than the one before.
fn changing_with_each_read(read: u64) -> Fault {
    Fault::change_after_rows(1, move |table| {
        table.update("Name", Value::text(&format!("x{read}")), |row| row[0] == Value::Int(3)).unwrap();
        table.fault(Some(changing_with_each_read(read + 1)));
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_while_rows_are_read_is_a_failure_and_no_difference() {
    let site = Site::over(Source::sample(1_000).await).await;
    site.sync().await;
    site.source.fault("customer", Fault::CutAfterRows(500));
    let body = site.json(&["verify", "--tables=customer,voipdb_customer"]).await;
    assert_eq!((body.code, &body["successful_tables"]), (Some(1), &json!(1)), "{body}");
    assert!(body.error_of("customer").contains("could not read"), "{body}");
    assert!(body.table("customer").get("differing_rows").is_none(), "{body}");
}

/// What is planted in the target, each kind among the rows whose key ends in another digit.
struct Plant<'a> {
    site: &'a Site,
    planted: BTreeSet<Difference>,
}

impl Plant<'_> {
    async fn update(&mut self, digit: &str, set: &str, condition: &str, columns: &[&str]) {
        let rows = self.rows(digit, condition);
        self.change("differs", &format!("UPDATE mctm_customer SET {set} WHERE cd IN ({rows})"), columns).await;
    }

    async fn delete(&mut self, digit: &str) {
        let rows = self.rows(digit, "true");
        self.change("missing", &format!("DELETE FROM mctm_customer WHERE cd IN ({rows})"), &[]).await;
    }

    async fn insert(&mut self, digit: &str) {
        let rows = self.rows(digit, "true");
        let copies = format!("SELECT cd || ' ', name FROM mctm_customer WHERE cd IN ({rows})");
        self.change("extra", &format!("INSERT INTO mctm_customer (cd, name) {copies}"), &[]).await;
    }

    /// Twenty rows, spread over the table.
    fn rows(&self, digit: &str, condition: &str) -> String {
        format!("SELECT cd FROM mctm_customer WHERE right(cd, 1) = '{digit}' AND {condition} ORDER BY md5(cd) LIMIT 20")
    }

    async fn change(&mut self, kind: &str, statement: &str, columns: &[&str]) {
        let keys = self.site.db.rows(&format!("{statement} RETURNING cd")).await;
        assert_eq!(keys.len(), 20, "{statement}");
        for mut key in keys {
            self.planted.insert(difference(kind, &format!("CD={}", key.remove(0).unwrap()), columns));
        }
    }
}

/// The one table of the site agrees, and has so many rows.
async fn agrees(site: &Site, rows: u64) {
    let body = site.json(&["verify"]).await;
    assert_eq!((body.code, &body["success"]), (Some(0), &json!(true)), "{body}");
    let tables = body["table_results"].as_object().unwrap();
    let name = tables.keys().next().unwrap();
    assert_eq!((tables.len(), counts(&body, name)), (1, [rows, rows, rows, 0, 0, 0]), "{body}");
}

fn counts(body: &Body, table: &str) -> [u64; 6] {
    let table = body.table(table);
    ["source_rows", "target_rows", "compared_rows", "differing_rows", "missing_rows", "extra_rows"]
        .map(|field| table[field].as_u64().unwrap_or_else(|| panic!("{field}: {body}")))
}

fn differences(body: &Body, table: &str) -> BTreeSet<Difference> {
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    let named = body.table(table)["differences"].as_array().unwrap_or_else(|| panic!("{body}"));
    let found: BTreeSet<_> = named
        .iter()
        .map(|named| (text(&named["kind"]), text(&named["key"]), named["columns"].as_array().unwrap().iter().map(text).collect()))
        .collect();
    assert_eq!(found.len(), named.len(), "each is named once");
    found
}

fn difference(kind: &str, key: &str, columns: &[&str]) -> Difference {
    (kind.to_owned(), key.to_owned(), columns.iter().map(|&column| column.to_owned()).collect())
}

fn person(id: i64, name: &str) -> Vec<Value> {
    vec![Value::Int(id), Value::text(name)]
}
