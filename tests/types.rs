//! Every type of SQL Server: planted value by value, brought over by the command, compared with what PostgreSQL itself writes.
//!
//! A case is `(planted value, PostgreSQL's text)`, both written by hand; each type is a table of its own with a key, one row a case, and a NULL.

mod binaries;
mod documents;
mod existing;
mod moments;
mod numbers;
mod oracle;
mod refused;
mod shapes;
mod texts;
mod variants;

use serde_json::json;
use tds_stand_in::{StandIn, TableDef, Value};

use crate::support::site::Site;
use crate::support::source::{PASSWORD, Source};

/// A type, what PostgreSQL calls the column created for it, and its cases.
struct Type {
    sql_type: &'static str,
    created: &'static str,
    collation: &'static str,
    alias: Option<&'static str>,
    cases: Vec<(Value, String)>,
}

impl Type {
    fn new<T: Into<String>>(sql_type: &'static str, created: &'static str, cases: impl IntoIterator<Item = (Value, T)>) -> Self {
        let cases = cases.into_iter().map(|(value, text)| (value, text.into())).collect();
        Self { sql_type, created, collation: "SQL_Latin1_General_CP1_CI_AS", alias: None, cases }
    }

    fn collated(mut self, collation: &'static str) -> Self {
        self.collation = collation;
        self
    }

    fn named(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    /// Table `name (Id, V)` with the cases under 1, 2, 3 and so on, and NULL under the last number.
    fn table(&self, name: &str) -> TableDef {
        let mut table = TableDef::new("McTM", "dbo", name).required("Id", "int").collation(self.collation).column("V", self.sql_type);
        if let Some(alias) = self.alias {
            table = table.alias_type(alias);
        }
        let values = self.cases.iter().map(|(value, _)| value.clone()).chain([Value::Null]);
        values.zip(1..).fold(table.key(&["Id"]), |table, (value, id)| table.row([Value::Int(id), value]))
    }

    /// The texts in the order of the key; NULL is none.
    fn expected(&self) -> Vec<Option<String>> {
        self.cases.iter().map(|(_, text)| Some(text.clone())).chain([None]).collect()
    }
}

/// An installation over a source of the test's own tables.
struct Planted {
    site: Site,
    server: StandIn,
}

impl Planted {
    /// The tables by their names, targets in lower case, to be created.
    async fn over(tables: Vec<(String, TableDef)>) -> Self {
        let mut builder = StandIn::builder().login("sync", PASSWORD).database("VoipDB");
        let mut site = Site::over(Source::nowhere().await).await;
        site.keep(&[]);
        for (name, table) in tables {
            site.configure(&name.to_lowercase(), &format!("dbo.{name}"), &json!({}));
            builder = builder.table(table);
        }
        let server = builder.start().await.expect("the planted tables fit their types");
        for (name, value) in server.env() {
            site.set(&name, &value);
        }
        // What the texts below are written in.
        site.db.execute("SET TimeZone = 'UTC'; SET bytea_output = 'hex'; SET DateStyle = 'ISO'").await;
        Self { site, server }
    }

    /// One table, `name (Id, V)`, with these values under 1, 2, 3 and so on.
    async fn of(name: &str, sql_type: &'static str, values: Vec<Value>) -> Self {
        let cases = values.into_iter().map(|value| (value, ""));
        Self::over(vec![(name.to_owned(), Type::new(sql_type, "", cases).table(name))]).await
    }

    /// Makes a target table that the product's role owns.
    async fn target(&self, name: &str, pg_type: &str) {
        self.site.db.execute(&format!("CREATE TABLE {name} (id integer PRIMARY KEY, v {pg_type}); ALTER TABLE {name} OWNER TO sync")).await;
    }

    /// Column `v` of a target, in the order of the key.
    async fn values(&self, name: &str) -> Vec<Option<String>> {
        let rows = self.site.db.rows(&format!("SELECT v FROM {name} ORDER BY id")).await;
        rows.into_iter().map(|mut row| row.remove(0)).collect()
    }

    /// Adds a row to a table of the source.
    fn insert(&self, name: &str, id: i64, value: Value) {
        self.server.table("McTM", "dbo", name).unwrap().insert(vec![Value::Int(id), value]).unwrap();
    }

    /// Whether the rows of a source table have been asked for.
    fn was_read(&self, name: &str) -> bool {
        let rows_of = format!("FROM [dbo].[{name}]");
        self.server.stats().statements.iter().any(|statement| statement.contains(&rows_of))
    }

    /// The rows written to the targets so far.
    async fn written(&self) -> Vec<Vec<Option<String>>> {
        self.site.db.settled().await;
        let counters = "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE schemaname = 'public' ORDER BY 1";
        self.site.db.rows(counters).await
    }
}

/// Brings all types over into tables to be created, and again: every value arrives, every column is of its type, the second run writes nothing, and
/// `verify` finds no difference.
async fn arrive(types: Vec<Type>) {
    let tables = types.iter().zip(0..).map(|(of, at)| (format!("T{at}"), of.table(&format!("T{at}"))));
    let planted = Planted::over(tables.collect()).await;
    planted.site.sync().await;
    let mut wrong = Vec::new();
    for (of, at) in types.iter().zip(0..) {
        let what = format!("{} {}", of.sql_type, of.collation);
        let (arrived, expected) = (planted.values(&format!("t{at}")).await, of.expected());
        assert_eq!(arrived.len(), expected.len(), "{what}");
        for (arrived, expected) in arrived.iter().zip(&expected).filter(|(arrived, expected)| arrived != expected) {
            wrong.push(format!("{what}: {arrived:?} arrived, {expected:?} was planted"));
        }
        let created =
            format!("SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 't{at}'::regclass AND attname = 'v'");
        let created = planted.site.db.value(&created).await;
        if created != of.created {
            wrong.push(format!("{what}: the column created is {created}, not {}", of.created));
        }
    }
    let before = planted.written().await;
    let body = planted.site.sync().await;
    for (of, at) in types.iter().zip(0..) {
        let rows = of.cases.len() as u64 + 1;
        let counts = body.counts(&format!("t{at}"));
        if counts != [rows, 0, 0, 0, rows] {
            wrong.push(format!("{}: the second run counts {counts:?}, not {rows} rows unchanged", of.sql_type));
        }
    }
    assert_eq!(planted.written().await, before, "the second run writes no row");
    let verified = planted.site.json(&["verify"]).await;
    assert_eq!(verified["success"], true, "what arrived agrees with its source: {verified}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
