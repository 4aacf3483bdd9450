//! An installation whose source is a PostgreSQL: two databases, a configuration, the environment.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::body::Body;
use crate::support::postgres::{Database, PASSWORD};
use crate::support::process::{Finished, Running};
use crate::support::site::TABLESYNC;

/// The installation.
pub(super) struct PgSite {
    /// Where rows come from.
    pub(super) from: Database,
    /// Where they go.
    pub(super) to: Database,
    /// What `table_configs.json` will hold.
    pub(super) config: Value,
    env: Vec<(String, String)>,
    dir: TempDir,
}

impl PgSite {
    /// `tables` of the source, made by `sql`, each into a table of its name.
    pub(super) async fn new(sql: &str, tables: &[&str]) -> Self {
        let (from, to) = (Database::create().await, Database::create().await);
        from.execute(&format!("SET ROLE sync; {sql}; RESET ROLE")).await;
        let mut env = to.env();
        env.push(("SOURCE_SCOUT_DSN".to_owned(), dsn(&from.name, from.cluster.port, "")));
        let table =
            |name: &&str| ((*name).to_owned(), json!({"db_type": "scout", "sql_table": format!("public.{name}"), "pg_table": name}));
        let config = json!({"defaults": {"create_tables": true}, "tables": tables.iter().map(table).collect::<serde_json::Map<_, _>>()});
        Self { from, to, config, env, dir: tempfile::tempdir().unwrap() }
    }

    /// Sets a variable of the product's environment.
    pub(super) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.env.retain(|(other, _)| other != name);
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a field of a table's configuration.
    pub(super) fn option(&mut self, table: &str, field: &str, value: Value) -> &mut Self {
        self.config["tables"][table][field] = value;
        self
    }

    /// Starts the command.
    pub(super) fn start(&self, args: &[&str]) -> Running {
        std::fs::write(self.dir.path().join("table_configs.json"), self.config.to_string()).unwrap();
        Running::start(TABLESYNC, args, &self.env, self.dir.path())
    }

    /// Runs the command.
    pub(super) async fn run(&self, args: &[&str]) -> Finished {
        self.start(args).finish().await
    }

    /// Runs the command with `--json`.
    pub(super) async fn json(&self, args: &[&str]) -> Body {
        Body::of(self.run(&[args, &["--json"]].concat()).await)
    }

    /// `multi_sync`, which must succeed.
    pub(super) async fn sync(&self) -> Body {
        let body = self.json(&["multi_sync"]).await;
        assert_eq!((body.code, body["success"].as_bool()), (Some(0), Some(true)), "{body}");
        body
    }

    /// Checks that both sides hold the same rows of a table, as text.
    pub(super) async fn assert_same(&self, table: &str) {
        let sql = format!("SELECT t::text FROM {table} AS t ORDER BY 1");
        assert_eq!(self.from.rows(&sql).await, self.to.rows(&sql).await, "{table}");
    }
}

/// The DSN of a database of the suite's server, for the role that may do little.
pub(super) fn dsn(database: &str, port: u16, parameters: &str) -> String {
    format!("postgres://sync:{PASSWORD}@127.0.0.1:{port}/{database}?{parameters}")
}
