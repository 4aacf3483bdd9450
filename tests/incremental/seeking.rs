//! What a source is asked for is one range that its index on the sync column finds: PostgreSQL says so of the very statements, SQL Server's are read.

use std::fs;

use serde_json::{Value as Json, json};

use super::postgres::Pair;
use super::{DAY, NOON, SECOND, event, incremental};
use crate::support::postgres::Database;
use crate::support::site::Site;
use crate::support::source::Planted;

/// Some steps of a hundred rows, behind many rows that are old.
const OLD: &str = "SELECT n, repeat('x', 100), '2020-01-01'::timestamptz + n * interval '1 ms' FROM generate_series(1, 30000) n";
const NEW: &str = "SELECT n, repeat('x', 100), now() - interval '1 min' + n / 7 * interval '1 ms' FROM generate_series(30001, 30250) n";

#[tokio::test(flavor = "multi_thread")]
async fn what_postgresql_is_asked_for_is_a_range_of_its_index() {
    for (name, index) in [("sought_by_moment", "(created_at)"), ("sought_by_place", "(created_at, id)")] {
        let table = format!(
            "CREATE TABLE {name} (id bigint PRIMARY KEY, note text, created_at timestamptz NOT NULL); CREATE INDEX ON {name} {index}; ALTER TABLE {name} OWNER TO sync"
        );
        let mut pair = Pair::new(&table).await;
        pair.config = json!([{"name": name, "key_columns": ["id"], "lag": "2m"}]);
        pair.from.execute(&format!("INSERT INTO {name} {OLD}")).await;
        pair.sync().await;
        pair.from.execute(&format!("INSERT INTO {name} {NEW}; ANALYZE {name}")).await;
        pair.from.execute(&format!("ALTER ROLE sync IN DATABASE {} SET log_statement = 'all'", pair.from.name)).await;
        let body = pair.set("BATCH_SIZE", "1").sync().await;
        assert_eq!(body.counts(name)[1], 250, "{body}");
        let asked = asked(&pair.from, name);
        let copies = asked.iter().filter(|(copy, _)| *copy).count();
        assert!(copies == 3 && asked.len() > copies, "three steps: {asked:?}");
        for (_, sql) in &asked {
            let plan: Json = serde_json::from_str(&pair.from.value(&format!("EXPLAIN (FORMAT JSON) {sql}")).await).unwrap();
            assert_sought(&plan[0]["Plan"], sql, index);
        }
    }
}

/// What the server logged of a table's rows: whether it is a COPY, and the query.
fn asked(from: &Database, table: &str) -> Vec<(bool, String)> {
    let log = fs::read_to_string(from.cluster.dir.join("server.log")).unwrap();
    let from_table = format!("FROM \"public\".\"{table}\" WHERE ");
    let mut asked = Vec::new();
    for line in log.lines().filter(|line| line.contains(&from_table)) {
        let Some((_, sql)) = line.split_once("LOG:  ").and_then(|(_, said)| said.split_once(": ")) else { continue };
        match sql.strip_prefix("COPY (") {
            Some(copy) => asked.push((true, copy.split_once(") TO STDOUT").unwrap().0.to_owned())),
            None => asked.push((false, sql.to_owned())),
        }
    }
    asked
}

/// Rows come from the index alone, in its order as far as that goes, and both ends of the range are conditions of it.
fn assert_sought(plan: &Json, sql: &str, index: &str) {
    let node = plan["Node Type"].as_str().unwrap();
    assert!(node != "Seq Scan" && !plan["Sort Key"].to_string().contains("::text"), "{plan} for {sql}");
    assert!(!node.contains("Sort") || !index.contains("id"), "the index has the order: {plan} for {sql}");
    if let Some(condition) = plan["Index Cond"].as_str() {
        // Rows whose moment never comes are counted, and are one value.
        let is_range = (condition.contains('>') && condition.contains("<=")) || sql.ends_with("\"created_at\" = 'infinity'");
        assert!(condition.contains("created_at") && is_range, "{condition} for {sql}");
        return;
    }
    let below = plan["Plans"].as_array().unwrap_or_else(|| panic!("{plan} for {sql}"));
    below.iter().for_each(|plan| assert_sought(plan, sql, index));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sql_server_is_asked_for_is_one_range_of_the_sync_column() {
    let table = Planted::new("Events", &[("Id", "int"), ("Changed", "datetime2(7)"), ("Note", "nvarchar(50)")], 1);
    let rows = |ids: std::ops::Range<i64>, from: u64| ids.map(move |id| event(id, from + u64::try_from(id / 7).unwrap(), "new"));
    let options = json!({"batch_size": 1, "sync": {"mode": "incremental", "column": "Changed"}});
    let site = Site::planted(vec![table.rows(rows(1..250, NOON).collect()).indexed("Changed")], options).await;
    for hour in 1..=2 {
        site.source.clock().set(DAY, NOON + (3_600 * hour + 60) * SECOND);
        incremental(&site, &[]).await;
        for row in rows(250..500, NOON + 2 * 3_600 * SECOND).filter(|_| hour == 1) {
            site.source.table("Events").insert(row).unwrap();
        }
    }
    let mut asked = site.source.seen("[dbo].[Events] WHERE [Changed]");
    asked.retain(|sql| !sql.ends_with("[Changed] IS NULL"));
    assert!(asked.len() >= 10, "places and rows of three steps, twice: {asked:?}");
    for sql in asked {
        let (_, rows) = sql.split_once("[dbo].[Events] WHERE ").unwrap();
        let rows = [" ORDER BY ", "; "].iter().fold(rows, |rows, end| rows.split_once(end).map_or(rows, |(rows, _)| rows));
        let range: Vec<_> = conditions(rows).into_iter().filter(|condition| !condition.starts_with('(')).collect();
        let ends_at = |ends: &[&str]| {
            let bound = |condition: &&String| {
                let constant = ends.iter().find_map(|end| condition.strip_prefix(&format!("[Changed] {end} CAST('")));
                constant.is_some_and(|constant| constant.ends_with("' AS datetime2(7))"))
            };
            range.iter().filter(bound).count()
        };
        let (above, below) = (ends_at(&[">", ">="]), ends_at(&["<="]));
        assert!(above + below == range.len() && above <= 1 && below == 1, "{sql}");
        assert!(above == 1 || !rows.contains('>'), "nothing is said of a beginning but within the range: {sql}");
    }
}

/// What stands between the ANDs of a condition, outside of parentheses.
fn conditions(text: &str) -> Vec<String> {
    let mut depth = 0;
    let mut found = vec![String::new()];
    for word in text.split(' ') {
        if depth == 0 && word == "AND" {
            found.push(String::new());
            continue;
        }
        depth += word.matches('(').count();
        depth -= word.matches(')').count();
        if let Some(last) = found.last_mut() {
            let space = if last.is_empty() { "" } else { " " };
            last.push_str(space);
            last.push_str(word);
        }
    }
    found
}
