//! Tables that do not fit each other: the error names table and column, and both types where it is about types; no row is asked for.

use serde_json::{Value as Json, json};
use tds_stand_in::TableDef;

use super::{Findings, error_of, installed};

pub(super) const COUNT: fn() -> usize = || TYPES.len() + shapes().len();

/// Types that no value survives, source and target.
const TYPES: &[(&str, &str)] = &[
    ("int", "smallint"),
    ("bigint", "integer"),
    ("tinyint", "boolean"),
    ("int", "text"),
    ("int", "date"),
    ("int", "integer[]"),
    ("bigint", "double precision"),
    ("int", "real"),
    ("bit", "bytea"),
    ("real", "numeric"),
    ("float", "real"),
    ("float", "numeric(10,2)"),
    ("float", "bigint"),
    ("decimal(9,3)", "integer"),
    ("decimal(38,0)", "bigint"),
    ("decimal(9,3)", "double precision"),
    ("money", "money"),
    ("money", "real"),
    ("date", "time without time zone"),
    ("date", "integer"),
    ("datetime", "date"),
    ("datetime", "timestamp with time zone"),
    ("datetime2(3)", "time without time zone"),
    ("datetimeoffset(3)", "timestamp without time zone"),
    ("time(3)", "interval"),
    ("time(3)", "timestamp without time zone"),
    ("nvarchar(5)", "integer"),
    ("nvarchar(5)", "boolean"),
    ("nvarchar(5)", "bytea"),
    ("varchar(5)", "inet"),
    ("varchar(5)", "mood"),
    ("binary(8)", "bigint"),
    ("varbinary(5)", "text"),
    ("image", "oid"),
    ("uniqueidentifier", "bytea"),
    ("uniqueidentifier", "bigint"),
    ("uniqueidentifier", "varchar(35)"),
    ("xml", "bytea"),
];

/// What the source has, what the target has (nothing: it is to be made), the table's options, and what the error says.
struct Shape {
    source: fn(TableDef) -> TableDef,
    target: &'static str,
    options: Json,
    says: &'static [&'static str],
}

/// `Id int` with a key, `Name nvarchar(50)`.
fn plain(table: TableDef) -> TableDef {
    table.required("Id", "int").column("Name", "nvarchar(50)").key(&["Id"])
}

fn keyless(table: TableDef) -> TableDef {
    table.column("Id", "int").column("Name", "nvarchar(50)")
}

fn shapes() -> Vec<Shape> {
    let target = |target, says| Shape { source: plain, target, options: json!({}), says };
    let with = |options, target, says| Shape { source: plain, target, options, says };
    let standing = "CREATE TABLE t (id integer PRIMARY KEY, name text)";
    vec![
        target("CREATE TABLE t (id integer PRIMARY KEY)", &["Name", "no column name"]),
        target("CREATE TABLE t (id integer PRIMARY KEY, \"Name\" text)", &["Name", "no column name"]),
        target("CREATE TABLE t (id integer PRIMARY KEY, name text, extra integer NOT NULL)", &["extra"]),
        target("CREATE TABLE t (id integer PRIMARY KEY, name text GENERATED ALWAYS AS ('x') STORED)", &["name", "computes"]),
        target(
            "CREATE TABLE t (id smallint PRIMARY KEY, name boolean)",
            &["Id (int)", "id (smallint)", "Name (nvarchar(50))", "name (boolean)"],
        ),
        target("CREATE VIEW t AS SELECT 1 AS id, 'x' AS name", &["not a table"]),
        target("CREATE MATERIALIZED VIEW t AS SELECT 1 AS id, 'x' AS name", &["not a table"]),
        target("CREATE SEQUENCE t", &["not a table"]),
        target(
            "CREATE TABLE t (id integer PRIMARY KEY, name text); ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
            &["row-level security"],
        ),
        target("CREATE TABLE t (id integer PRIMARY KEY, name text); ALTER TABLE t OWNER TO postgres", &["lacks", "GRANT"]),
        target(
            "CREATE TABLE t (id integer PRIMARY KEY, name text); ALTER TABLE t OWNER TO postgres; GRANT SELECT ON t TO sync",
            &["INSERT", "GRANT"],
        ),
        with(json!({"create_tables": false}), "", &["no table", "create_tables"]),
        with(json!({"pg_table": "elsewhere.t"}), "", &["elsewhere"]),
        with(json!({"columns": ["Id", "Nmae"]}), "", &["Nmae", "Name"]),
        with(json!({"columns": ["Id", "Name", "Gone", "Lost"]}), standing, &["Gone, Lost"]),
        with(json!({"pg_columns": ["id"]}), standing, &["pg_columns", "1 columns", "has 2"]),
        with(json!({"primary_key": "Code"}), standing, &["Code", "primary_key"]),
        with(json!({"sql_table": "dbo.Missing"}), standing, &["dbo", "Missing"]),
        with(json!({"sql_table": "nosuch.T"}), standing, &["nosuch"]),
        with(json!({"sql_table": "NoSuchDb.dbo.T", "sql_server_db": "McTM"}), standing, &["NoSuchDb"]),
        with(
            json!({"refresh": "truncate"}),
            "CREATE TABLE t (id integer PRIMARY KEY, name text); CREATE TABLE child (t integer REFERENCES t (id))",
            &["child", "merge"],
        ),
        with(
            json!({"refresh": "replace"}),
            "CREATE TABLE t (id integer PRIMARY KEY, name text); CREATE TABLE child2 (t integer REFERENCES t (id) ON DELETE CASCADE); INSERT INTO t VALUES (1)",
            &["child2"],
        ),
        Shape {
            source: keyless,
            target: "CREATE TABLE t (id integer, name text); INSERT INTO t VALUES (1)",
            options: json!({"refresh": "merge"}),
            says: &["no key"],
        },
        Shape { source: |table| plain(table).column("name", "int"), target: "", options: json!({}), says: &["Name", "name", "pg_columns"] },
        Shape {
            source: |table| plain(table).column("Secret", "nvarchar(20)").encrypted(),
            target: "",
            options: json!({}),
            says: &["Secret", "Always Encrypted"],
        },
        Shape {
            source: |table| plain(table).column(&"長".repeat(22), "int"),
            target: "",
            options: json!({}),
            says: &["長長長", "63 bytes"],
        },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn types_that_lose_values_are_named_with_table_column_and_both_types() {
    let tables = TYPES.iter().enumerate().map(|(at, (sql_type, _))| {
        let name = format!("T{at}");
        (TableDef::new("McTM", "dbo", &name).required("Id", "int").column("Amount", sql_type).key(&["Id"]), name, json!({}))
    });
    let (site, server) = installed(tables.collect()).await;
    site.db.execute("CREATE TYPE mood AS ENUM ('good')").await;
    for (at, (_, pg_type)) in TYPES.iter().enumerate() {
        let table = format!(
            "CREATE TABLE t{at} (id integer PRIMARY KEY, amount {pg_type}); INSERT INTO t{at} VALUES (1); ALTER TABLE t{at} OWNER TO sync"
        );
        site.db.execute(&table).await;
    }
    let body = site.json(&["multi_sync"]).await;
    let mut findings = Findings::default();
    findings.ended_well("types", &body, 1);
    for (at, (sql_type, pg_type)) in TYPES.iter().enumerate() {
        let input = format!("t{at}, {sql_type} into {pg_type}");
        let error = error_of(&body, &format!("t{at}"), &mut findings);
        let pg_type = pg_type.replace(" without time zone", "").replace("timestamp with time zone", "timestamptz");
        findings.says(&input, &error, &[&format!("[T{at}]"), &format!("Amount ({sql_type})"), &format!("amount ({pg_type})")]);
        if site.db.rows(&format!("SELECT id, amount FROM t{at}")).await != [[Some("1".to_owned()), None]] {
            findings.add(&input, "the target has changed");
        }
    }
    let asked = server.stats().statements.into_iter().find(|statement| statement.contains("[Amount]"));
    assert_eq!(asked, None, "no row is asked for");
    findings.none();
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_do_not_fit_are_named_with_what_does_not() {
    let mut findings = Findings::default();
    for (at, shape) in shapes().into_iter().enumerate() {
        let table = (shape.source)(TableDef::new("McTM", "dbo", "T"));
        let (site, server) = installed(vec![(table, "T".to_owned(), shape.options.clone())]).await;
        if !shape.target.is_empty() {
            let made = shape.target.split_once("; ALTER TABLE t OWNER").unwrap_or((shape.target, ""));
            site.db.execute(&format!("SET ROLE sync; {}; RESET ROLE", made.0)).await;
            if !made.1.is_empty() {
                site.db.execute(&format!("ALTER TABLE t OWNER{}", made.1)).await;
            }
        }
        let schema =
            "SELECT string_agg(relname || relkind::text, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
        let before = site.db.value(schema).await;
        let body = site.json(&["multi_sync"]).await;
        let input = format!("shape {at}, {:?} {}", shape.target, shape.options);
        findings.ended_well(&input, &body, 1);
        let error = error_of(&body, "t", &mut findings);
        findings.says(&input, &error, shape.says);
        if site.db.value(schema).await != before {
            findings.add(&input, "the target's tables have changed");
        }
        if server.stats().statements.iter().any(|statement| statement.contains("SELECT [Id]")) {
            findings.add(&input, "rows were asked for");
        }
    }
    findings.none();
}
