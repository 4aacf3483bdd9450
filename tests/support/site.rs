//! An installation of the product, as a test sets it up: a source, a target database, `table_configs.json`, the environment.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::body::Body;
use super::lambda::Function;
use super::postgres::Database;
use super::process::{Finished, Running};
use super::source::{Planted, Source, TableDef};

/// The command.
pub(crate) const TABLESYNC: &str = env!("CARGO_BIN_EXE_tablesync");

/// The four tables, in run order, with their targets.
pub(crate) const FOUR_TABLES: [(&str, &str); 4] = [
    ("customer", "mctm_customer"),
    ("mctm_module", "mctm_module"),
    ("voipdb_customer", "voipdb_customer"),
    ("voipdb_useragent", "voipdb_useragent"),
];

/// One installation.
pub(crate) struct Site {
    /// Where rows come from.
    pub(crate) source: Source,
    /// Where they go.
    pub(crate) db: Database,
    /// What `table_configs.json` will hold.
    pub(crate) config: Value,
    env: Vec<(String, String)>,
    dir: TempDir,
}

impl Site {
    /// The shipped configuration over a source, target tables to be created.
    pub(crate) async fn over(source: Source) -> Self {
        Self::between(source, Database::create().await)
    }

    /// The shipped configuration over a source and a target.
    pub(crate) fn between(source: Source, db: Database) -> Self {
        let mut env = source.env();
        env.extend(db.env());
        let mut config = shipped_configuration();
        config["defaults"]["create_tables"] = json!(true);
        Self { source, db, config, env, dir: tempfile::tempdir().unwrap() }
    }

    /// Small tables of the test's own, in database McTM: `options` on every one, each named and targeted in lower case.
    pub(crate) async fn planted(tables: Vec<Planted>, options: Value) -> Self {
        let names: Vec<String> = tables.iter().map(|table| table.name.clone()).collect();
        let mut site = Self::over(Source::planted(tables).await).await;
        site.keep(&[]);
        for name in names {
            site.configure(&name.to_lowercase(), &format!("dbo.{name}"), &options);
        }
        site
    }

    /// Tables in database McTM, schema `dbo`, with more than columns and rows; named and targeted in lower case.
    pub(crate) async fn defined(tables: Vec<(&str, TableDef)>, options: Value) -> Self {
        let (names, tables): (Vec<_>, Vec<_>) = tables.into_iter().unzip();
        let mut site = Self::over(Source::defined(tables).await).await;
        site.keep(&[]);
        for name in names {
            site.configure(&name.to_lowercase(), &format!("dbo.{name}"), &options);
        }
        site
    }

    /// Sets a variable of the product's environment.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.unset(name);
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Takes a variable away.
    pub(crate) fn unset(&mut self, name: &str) -> &mut Self {
        self.env.retain(|(other, _)| other != name);
        self
    }

    /// The product's environment.
    pub(crate) fn env(&self) -> &[(String, String)] {
        &self.env
    }

    /// The product's working directory, which is its `LAMBDA_TASK_ROOT` too.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Keeps only these tables in the configuration.
    pub(crate) fn keep(&mut self, tables: &[&str]) -> &mut Self {
        self.config["tables"].as_object_mut().unwrap().retain(|name, _| tables.contains(&name.as_str()));
        self.config["default_sync_order"] = json!(tables);
        self
    }

    /// Configures the table `name` over a source table of database McTM, last in the order where it is new.
    pub(crate) fn configure(&mut self, name: &str, sql_table: &str, options: &Value) -> &mut Self {
        let mut table = json!({"db_type": "mctm", "sql_server_db": "McTM", "sql_table": sql_table, "pg_table": name});
        table.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
        let is_new = self.config["tables"].as_object_mut().unwrap().insert(name.to_owned(), table).is_none();
        if is_new {
            self.config["default_sync_order"].as_array_mut().unwrap().push(json!(name));
        }
        self
    }

    /// Sets an option of all tables.
    pub(crate) fn default(&mut self, option: &str, value: Value) -> &mut Self {
        self.config["defaults"][option] = value;
        self
    }

    /// Starts the command.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        self.write_config();
        Running::start(TABLESYNC, args, &self.env, self.dir())
    }

    /// Starts the command with `variables` of its own, which may be many times at once: [`Site::write_config`] comes before.
    pub(crate) fn start_beside(&self, args: &[&str], variables: &[(&str, &str)]) -> Running {
        let mut env = self.env.clone();
        env.retain(|(name, _)| variables.iter().all(|(other, _)| name != other));
        env.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Running::start(TABLESYNC, args, &env, self.dir())
    }

    /// Runs the command.
    pub(crate) async fn run(&self, args: &[&str]) -> Finished {
        self.start(args).finish().await
    }

    /// Runs the command with `--json`; standard output must be exactly one line, the body.
    pub(crate) async fn json(&self, args: &[&str]) -> Body {
        Body::of(self.run(&[args, &["--json"]].concat()).await)
    }

    /// `multi_sync`, which must succeed.
    pub(crate) async fn sync(&self) -> Body {
        let body = self.json(&["multi_sync"]).await;
        assert_eq!((body.code, body["success"].as_bool()), (Some(0), Some(true)), "{body}");
        body
    }

    /// `multi_sync` by itself, stopped with a signal once `condition` holds.
    pub(crate) async fn interrupt(&self, signal: Signal, condition: impl AsyncFn() -> bool) -> Body {
        let mut running = self.start(&["multi_sync", "--json"]);
        eventually(async || {
            assert!(!running.has_ended(), "ended before it could be interrupted:\n{}", running.stderr_so_far());
            condition().await
        })
        .await;
        running.signal(signal);
        Body::of(running.finish().await)
    }

    /// The Lambda, deployed.
    pub(crate) async fn deploy(&self) -> Function {
        self.write_config();
        Function::start(&self.env, self.dir()).await
    }

    /// Waits until a run is reading a table.
    pub(crate) async fn until_reading(&self, table: &str) {
        eventually(async || self.source.is_reading(table)).await;
    }

    /// Writes `table_configs.json`.
    pub(crate) fn write_config(&self) {
        let text = match &self.config {
            Value::String(raw) => raw.clone(), // a test of what cannot be parsed
            config => serde_json::to_string_pretty(config).unwrap(),
        };
        // In one step: another process of the same site may be reading it.
        let beside = self.dir().join("table_configs.json.new");
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(beside, self.dir().join("table_configs.json")).unwrap();
    }
}

/// Waits for something that another process does.
async fn eventually(mut condition: impl AsyncFnMut() -> bool) {
    let asked = Instant::now();
    while !condition().await {
        assert!(asked.elapsed() < Duration::from_secs(60), "it never came to that");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// `table_configs.json` of the repository.
fn shipped_configuration() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/table_configs.json");
    let text = std::fs::read_to_string(path).expect("table_configs.json is in the root");
    serde_json::from_str(&text).expect("table_configs.json is JSON")
}
