//! What a source is asked for is one range that its index on the sync column finds: PostgreSQL says so of the very statements, SQL Server's are read.

use std::fs;

use serde_json::{Value as Json, json};

use super::postgres::Pair;
use crate::support::postgres::Database;

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
            assert_sought(&plan[0]["Plan"], sql);
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

/// Rows come from an index alone, and both ends of the range are conditions of it.
fn assert_sought(plan: &Json, sql: &str) {
    let node = plan["Node Type"].as_str().unwrap();
    if let Some(condition) = plan["Index Cond"].as_str() {
        assert!(condition.contains("created_at") && condition.contains('>') && condition.contains("<="), "{condition} for {sql}");
        return;
    }
    let below = plan["Plans"].as_array().unwrap_or_else(|| panic!("{node} for {sql}"));
    assert!(node != "Seq Scan", "{sql}");
    below.iter().for_each(|plan| assert_sought(plan, sql));
}
