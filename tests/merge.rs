//! What each shape of table and each kind of change becomes in the target.

use serde_json::json;

use crate::support::site::Site;
use crate::support::source::{Planted, Value};

#[tokio::test(flavor = "multi_thread")]
async fn merge_counts_inserts_updates_and_deletes_and_leaves_the_rest_alone() {
    let site = people(vec![person(1, "Ann"), person(2, "佐藤"), person(3, ""), person(4, "Dan")]).await;
    assert_eq!(site.sync().await.counts("people"), [4, 4, 0, 0, 0]);
    let untouched = "SELECT xmin, ctid FROM people WHERE id IN (2, 3) ORDER BY id";
    let before = site.db.rows(untouched).await;
    site.source.replace_rows("People", vec![person(1, "Anna"), person(2, "佐藤"), person(3, ""), person(5, "Eve"), person(6, "🐙")]);
    assert_eq!(site.sync().await.counts("people"), [5, 2, 1, 1, 2]);
    assert_eq!(contents(&site, "people").await, ["1 Anna", "2 佐藤", "3 ", "5 Eve", "6 🐙"]);
    assert_eq!(site.db.rows(untouched).await, before, "rows that do not differ are not written");
}

#[tokio::test(flavor = "multi_thread")]
async fn null_and_empty_text_are_told_apart() {
    let site = people(vec![vec![Value::Int(1), Value::Null], person(2, "")]).await;
    site.sync().await;
    assert_eq!(site.db.value("SELECT string_agg(id || ':' || (name IS NULL)::text, ' ' ORDER BY id) FROM people").await, "1:true 2:false");
    site.source.replace_rows("People", vec![person(1, ""), vec![Value::Int(2), Value::Null]]);
    assert_eq!(site.sync().await.counts("people"), [2, 0, 2, 0, 0]);
    assert_eq!(site.db.value("SELECT string_agg(id || ':' || (name IS NULL)::text, ' ' ORDER BY id) FROM people").await, "1:false 2:true");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_emptied_at_the_source_is_emptied_in_the_target() {
    let site = people(vec![person(1, "Ann"), person(2, "Bob")]).await;
    site.sync().await;
    site.source.replace_rows("People", Vec::new());
    assert_eq!(site.sync().await.counts("people"), [0, 0, 0, 2, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn composite_keys_merge_by_all_their_columns() {
    let row = |a: i64, b: &str, n: i64| vec![Value::Int(a), Value::text(b), Value::Int(n)];
    let table = Planted::new("Stock", &[("Shop", "int"), ("Article", "nvarchar(20)"), ("Pieces", "int")], 2);
    let site =
        planted(table.rows(vec![row(1, "x", 10), row(1, "y", 20), row(2, "x", 30)]), json!({"primary_key": ["Shop", "Article"]})).await;
    site.sync().await;
    site.source.replace_rows("Stock", vec![row(1, "x", 10), row(1, "y", 21), row(2, "y", 40)]);
    assert_eq!(site.sync().await.counts("stock"), [3, 1, 1, 1, 1]);
    let key = "SELECT string_agg(a.attname, ',' ORDER BY k.n) FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k(num, n) \
        JOIN pg_attribute a ON a.attnum = k.num AND a.attrelid = 'stock'::regclass WHERE i.indrelid = 'stock'::regclass AND i.indisprimary";
    assert_eq!(site.db.value(key).await, "shop,article", "the created table has the key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_a_key_is_replaced() {
    let table = Planted::new("Log", &[("Line", "nvarchar(50)")], 0);
    let twice = vec![vec![Value::text("same")], vec![Value::text("same")], vec![Value::Null]];
    let site = planted(table.rows(twice.clone()), json!({})).await;
    site.sync().await;
    let body = site.sync().await;
    assert_eq!(body.table("log")["refresh"], "replace");
    assert_eq!(site.db.value("SELECT count(*) || ' ' || count(line) FROM log").await, "3 2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subset_of_columns_goes_to_columns_of_other_names_and_the_rest_stays() {
    let table = Planted::new("People", &[("Id", "int"), ("Name", "nvarchar(50)"), ("Secret", "nvarchar(50)")], 1);
    let row = |id: i64, name: &str| vec![Value::Int(id), Value::text(name), Value::text("not asked for")];
    let site =
        planted(table.rows(vec![row(1, "Ann"), row(2, "Bob")]), json!({"columns": ["Name", "Id"], "pg_columns": ["Full Name", "nr"]}))
            .await;
    site.db.execute("CREATE TABLE people (nr integer PRIMARY KEY, \"Full Name\" text, note text DEFAULT 'ours')").await;
    site.db.execute("ALTER TABLE people OWNER TO sync").await;
    site.sync().await;
    site.db.execute("UPDATE people SET note = 'mine' WHERE nr = 1").await;
    site.source.replace_rows("People", vec![row(1, "Anna"), row(2, "Bob")]);
    assert_eq!(site.sync().await.counts("people"), [2, 0, 1, 0, 1]);
    let rows = site.db.value("SELECT string_agg(concat_ws(' ', nr, \"Full Name\", note), ';' ORDER BY nr) FROM people").await;
    assert_eq!(rows, "1 Anna mine;2 Bob ours", "a column that is not synced keeps what it holds");
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_views_indexes_and_foreign_keys_of_the_target_survive() {
    for refresh in ["merge", "replace"] {
        let mut site = people(vec![person(1, "Ann"), person(2, "Bob")]).await;
        site.default("refresh", json!(refresh));
        site.sync().await;
        site.db
            .execute(
                "CREATE VIEW named AS SELECT name FROM people; CREATE INDEX by_name ON people (name); GRANT SELECT ON people TO tls_only; \
                 CREATE TABLE visits (person integer REFERENCES people (id) DEFERRABLE); INSERT INTO visits VALUES (1)",
            )
            .await;
        site.source.replace_rows("People", vec![person(1, "Anna"), person(2, "Bob")]);
        site.sync().await;
        assert_eq!(site.db.value("SELECT string_agg(name, ',' ORDER BY name) FROM named").await, "Anna,Bob");
        assert_eq!(site.db.value("SELECT has_table_privilege('tls_only', 'people', 'SELECT')").await, "t");
        assert_eq!(site.db.value("SELECT count(*) FROM pg_indexes WHERE tablename = 'people'").await, "2");
        assert_eq!(site.db.value("SELECT count(*) FROM visits").await, "1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guards_refuse_to_publish_and_allow_shrink_lifts_them() {
    let all: Vec<_> = (1..=10).map(|id| person(id, "x")).collect();
    for (guard, value) in [("min_rows", json!(5)), ("max_shrink", json!(0.3))] {
        let mut site = people(all.clone()).await;
        site.default(guard, value);
        site.sync().await;
        site.source.replace_rows("People", all[..4].to_vec());
        let refused = site.json(&["multi_sync"]).await;
        assert_eq!(refused.code, Some(1), "{refused}");
        assert!(refused.error_of("people").contains(guard), "{refused}");
        assert_eq!(site.db.value("SELECT count(*) FROM people").await, "10", "{guard}");
        let allowed = site.json(&["multi_sync", "--allow-shrink"]).await;
        assert_eq!(allowed.counts("people"), [4, 0, 0, 6, 4]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_replaces_all_rows_where_most_have_changed_and_nobody_is_told_of_them() {
    let rows = |name: &str| (1..=10_000).map(|id| person(id, name)).collect::<Vec<_>>();
    let some = |changed: usize, name: &str, before: &str| [rows(name)[..changed].to_vec(), rows(before)[changed..].to_vec()].concat();
    let mut site = people(rows("a")).await;
    site.sync().await;
    site.source.replace_rows("People", some(6_000, "b", "a"));
    assert_eq!(site.sync().await.table("people")["refresh"], "merge");
    site.source.replace_rows("People", some(6_001, "c", "a"));
    let body = site.sync().await;
    assert_eq!((&body.table("people")["refresh"], body.counts("people")), (&json!("replace"), [10_000, 10_000, 0, 10_000, 0]), "{body}");
    assert!(body.table("people")["refresh_reason"].as_str().unwrap().starts_with("6001 of the 10000 rows"), "{body}");
    assert_eq!(
        site.db
            .value("SELECT string_agg(name || n, ',' ORDER BY name) FROM (SELECT name, count(*) AS n FROM people GROUP BY 1) AS g")
            .await,
        "a3999,c6001"
    );
    let recorded = "SELECT refresh FROM tablesync.runs ORDER BY started_at DESC LIMIT 1";
    assert_eq!(site.db.value(recorded).await, "replace");
    site.db.execute("CREATE TRIGGER t BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()").await;
    site.source.replace_rows("People", rows("d"));
    let body = site.sync().await;
    assert_eq!((&body.table("people")["refresh"], body.counts("people")), (&json!("merge"), [10_000, 0, 10_000, 0, 0]), "{body}");
    assert!(body.table("people")["refresh_reason"].as_str().unwrap().contains("trigger t"), "{body}");
    site.db.execute("DROP TRIGGER t ON people").await;
    site.default("refresh", json!("merge"));
    site.source.replace_rows("People", rows("e"));
    assert_eq!(site.sync().await.table("people")["refresh"], "merge", "as it is told to");
}

/// A site with one small table, `people (id, name)`.
async fn people(rows: Vec<Vec<Value>>) -> Site {
    planted(Planted::new("People", &[("Id", "int"), ("Name", "nvarchar(50)")], 1).rows(rows), json!({})).await
}

fn person(id: i64, name: &str) -> Vec<Value> {
    vec![Value::Int(id), Value::text(name)]
}

async fn planted(table: Planted, options: serde_json::Value) -> Site {
    Site::planted(vec![table], options).await
}

async fn contents(site: &Site, table: &str) -> Vec<String> {
    let rows = site.db.rows(&format!("SELECT id || ' ' || name FROM {table} AS t ORDER BY id")).await;
    rows.into_iter().map(|mut row| row.remove(0).unwrap()).collect()
}
