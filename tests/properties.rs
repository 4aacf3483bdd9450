//! Exactness as a property: values drawn at random from the whole range of every type, planted at the source, brought over by the command, and
//! compared by PostgreSQL itself with the text that each must have.
//!
//! The text is worked out beside the value, by code that knows nothing of the product's. It is loaded as text, and PostgreSQL says whether what
//! arrived is the value of that text and is written like it. `PROPERTY_VALUES` is the number of values per type (100,000 unless set), `PROPERTY_SEED`
//! repeats a run: every message names the seed.
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "values are drawn inside the range of their type")]
#![expect(clippy::print_stdout, reason = "what was drawn, and the seed to draw it again")]

mod binaries;
mod code_pages;
mod moments;
mod numbers;
mod texts;
mod variants;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use fastrand::Rng;
use futures_util::SinkExt;
use serde_json::json;
use tds_stand_in::{StandIn, TableDef, Value};

use crate::support::site::Site;
use crate::support::source::{PASSWORD, Source};

/// Rows that one run of the command brings over in a table: more values are more runs.
const ROWS_A_RUN: u64 = 100_000;

/// One value in so many is NULL.
const NULL_EACH: u64 = 50;

/// A value as it is planted, and the text that PostgreSQL must have for it.
type Drawn = (Value, String);

/// A column: its declarations at both ends, and where its values come from.
struct Column {
    sql_type: String,
    collation: &'static str,
    pg_type: String,
    /// The ending of the name of the column that is derived from this one, where there is one: the expected text ends in `;` and its value.
    part: Option<&'static str>,
    draw: Box<dyn Fn(&mut Rng) -> Drawn + Send + Sync>,
}

impl Column {
    fn new(sql_type: impl Into<String>, pg_type: impl Into<String>, draw: impl Fn(&mut Rng) -> Drawn + Send + Sync + 'static) -> Self {
        let collation = "SQL_Latin1_General_CP1_CI_AS";
        Self { sql_type: sql_type.into(), collation, pg_type: pg_type.into(), part: None, draw: Box::new(draw) }
    }

    fn collated(mut self, collation: &'static str) -> Self {
        self.collation = collation;
        self
    }

    fn with_part(mut self, part: &'static str) -> Self {
        self.part = Some(part);
        self
    }

    /// Whether the column's value in `a` (what arrived) and its text in `e` differ.
    fn differs(&self, at: usize) -> String {
        let (e, a, pg_type) = (format!("e.c{at}"), format!("a.c{at}"), &self.pg_type);
        match (self.part, pg_type.as_str()) {
            (Some(part), _) => {
                format!("{a}::text || ';' || {a}_{part} IS DISTINCT FROM {e} OR split_part({e}, ';', 1)::{pg_type} IS DISTINCT FROM {a}")
            }
            // PostgreSQL has no equality of documents.
            (None, "xml") => format!("{a}::text IS DISTINCT FROM {e}"),
            // Of a value with several texts PostgreSQL's own is taken; it tells the zeros apart.
            (None, "real" | "double precision" | "jsonb") => {
                format!("{e}::{pg_type}::text IS DISTINCT FROM {a}::text OR {e}::{pg_type} IS DISTINCT FROM {a}")
            }
            (None, _) => format!("{a}::text IS DISTINCT FROM {e} OR {e}::{pg_type} IS DISTINCT FROM {a}"),
        }
    }
}

/// A type of SQL Server, in one or more declarations.
struct Family {
    name: &'static str,
    columns: Vec<Column>,
}

fn family(name: &'static str, columns: impl IntoIterator<Item = Column>) -> Family {
    Family { name, columns: columns.into_iter().collect() }
}

/// Columns side by side, and how many rows they have.
struct Planted {
    name: String,
    columns: Vec<Column>,
    rows: u64,
    salt: u64,
}

impl Planted {
    /// The value at a place; the same whenever it is asked for.
    fn drawn(&self, row: u64, column: usize) -> Option<Drawn> {
        let place = mix(mix(mix(seed(), self.salt), column as u64), row);
        let mut rng = Rng::with_seed(place);
        if rng.u64(..NULL_EACH) == 0 { None } else { Some((self.columns[column].draw)(&mut rng)) }
    }

    fn definition(self: Arc<Self>) -> TableDef {
        let mut table = TableDef::new("McTM", "dbo", &self.name).required("Id", "int");
        for (at, column) in self.columns.iter().enumerate() {
            table = table.collation(column.collation).column(&format!("C{at}"), &column.sql_type);
        }
        table.key(&["Id"]).generated(self.rows, move |row, column| match column.checked_sub(1) {
            None => Value::Int(row as i64 + 1),
            Some(column) => self.drawn(row, column).map_or(Value::Null, |(value, _)| value),
        })
    }

    /// The expected texts as COPY takes them.
    fn expectations(&self, rows: std::ops::Range<u64>) -> String {
        let mut copy = String::new();
        for row in rows {
            let _ = write!(copy, "{}", row + 1);
            for column in 0..self.columns.len() {
                copy.push('\t');
                match self.drawn(row, column) {
                    None => copy.push_str("\\N"),
                    Some((_, text)) => escape(&text, &mut copy),
                }
            }
            copy.push('\n');
        }
        copy
    }
}

fn escape(text: &str, copy: &mut String) {
    for character in text.chars() {
        match character {
            '\\' => copy.push_str("\\\\"),
            '\n' => copy.push_str("\\n"),
            '\r' => copy.push_str("\\r"),
            '\t' => copy.push_str("\\t"),
            other => copy.push(other),
        }
    }
}

/// Brings so many values of each family over and lets PostgreSQL compare.
async fn prove(families: Vec<Family>) {
    let asked: u64 = std::env::var("PROPERTY_VALUES").map_or(100_000, |text| text.parse().expect("PROPERTY_VALUES is a number"));
    let families: Vec<_> = families.into_iter().map(|family| (family.name, family.columns)).collect();
    for (name, columns) in &families {
        println!("{name}: {asked} values in {} columns, seed {}", columns.len(), seed());
    }
    // Families with as many columns need as many rows: they share a table.
    let mut shared: BTreeMap<usize, Vec<Column>> = BTreeMap::new();
    for (_, columns) in families {
        shared.entry(columns.len()).or_default().extend(columns);
    }
    let mut tables: Vec<_> = (0..).zip(shared).map(|(salt, (share, columns))| (salt, asked.div_ceil(share as u64), columns)).collect();
    let mut round = 0;
    while !tables.is_empty() {
        let mut left = Vec::new();
        let mut planted = Vec::new();
        for (salt, rows, columns) in tables {
            let now = rows.min(ROWS_A_RUN);
            let table = Arc::new(Planted { name: format!("T{salt}"), columns, rows: now, salt: mix(round, salt) });
            planted.push(Arc::clone(&table));
            left.push((salt, rows - now));
        }
        one_round(&planted).await;
        tables = left
            .into_iter()
            .zip(planted)
            .filter(|((_, rows), _)| *rows > 0)
            .map(|((salt, rows), table)| (salt, rows, Arc::into_inner(table).expect("the source is gone").columns))
            .collect();
        round += 1;
    }
}

async fn one_round(tables: &[Arc<Planted>]) {
    let mut builder = StandIn::builder().login("sync", PASSWORD).database("VoipDB");
    let mut site = Site::over(Source::nowhere().await).await;
    site.keep(&[]).default("keep_offset", json!(true));
    for table in tables {
        site.configure(&table.name.to_lowercase(), &format!("dbo.{}", table.name), &json!({}));
        builder = builder.table(Arc::clone(table).definition());
    }
    let server = builder.start().await.expect("the planted tables are right");
    for (name, value) in server.env() {
        site.set(&name, &value);
    }
    site.sync().await;
    drop(server);
    site.db.execute("SET TimeZone = 'UTC'; SET bytea_output = 'hex'; SET DateStyle = 'ISO'").await;
    let mut wrong = String::new();
    for table in tables {
        expect(&site, table).await;
        compare(&site, table, &mut wrong).await;
    }
    assert!(wrong.is_empty(), "PROPERTY_SEED={}:\n{wrong}", seed());
}

/// Loads a table's expected texts.
async fn expect(site: &Site, table: &Planted) {
    let columns: String = (0..table.columns.len()).map(|at| format!(", c{at} text")).collect();
    site.db.execute(&format!("CREATE UNLOGGED TABLE expected_{} (id integer{columns})", table.name)).await;
    let client = site.db.connect().await;
    let sink = client.copy_in::<_, Bytes>(&format!("COPY expected_{} FROM STDIN", table.name)).await.unwrap();
    let mut sink = std::pin::pin!(sink);
    for start in (0..table.rows).step_by(1_000) {
        let rows = table.expectations(start..(start + 1_000).min(table.rows));
        sink.send(Bytes::from(rows)).await.unwrap();
    }
    assert_eq!(sink.finish().await.unwrap(), table.rows);
}

/// Lets PostgreSQL compare column by column; the first differences are described.
async fn compare(site: &Site, table: &Planted, wrong: &mut String) {
    let name = &table.name;
    let differs: Vec<_> = table.columns.iter().enumerate().map(|(at, column)| column.differs(at)).collect();
    let counts: String = differs.iter().map(|differs| format!(", count(*) FILTER (WHERE {differs})")).collect();
    let both = format!("FROM {name} AS a FULL JOIN expected_{name} AS e USING (id)");
    let counted = site.db.rows(&format!("SELECT count(*) FILTER (WHERE a IS NOT NULL OR e IS NOT NULL){counts} {both}")).await.remove(0);
    let counted: Vec<u64> = counted.into_iter().map(|count| count.unwrap().parse().unwrap()).collect();
    for (at, column) in table.columns.iter().enumerate() {
        let created =
            format!("SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = '{name}'::regclass AND attname = 'c{at}'");
        let created = site.db.value(&created).await;
        if created != column.pg_type {
            let _ = writeln!(wrong, "{}: the column created is {created}, not {}", column.sql_type, column.pg_type);
        }
        if counted[at + 1] > 0 {
            let first = format!("SELECT id, e.c{at}, a.c{at}::text {both} WHERE {} ORDER BY id LIMIT 3", differs[at]);
            let _ = writeln!(wrong, "{} {}: {} differences", column.sql_type, column.collation, counted[at + 1]);
            for row in site.db.rows(&first).await {
                let _ = writeln!(wrong, "  id, expected, arrived: {row:?}");
            }
        }
    }
    let total = site.db.value(&format!("SELECT count(*) FROM {name}")).await;
    assert_eq!(total, table.rows.to_string(), "{name}");
}

/// The run's seed, printed with everything that is said about it.
fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| {
        std::env::var("PROPERTY_SEED").map_or_else(|_| fastrand::u64(..), |text| text.parse().expect("PROPERTY_SEED is a number"))
    })
}

/// Two numbers into one that is spread over all 64 bits (the finalizer of SplitMix64).
fn mix(one: u64, other: u64) -> u64 {
    let mut z = one.rotate_left(23) ^ other.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// One of these.
fn one_of<T: Clone>(rng: &mut Rng, all: &[T]) -> T {
    all[rng.usize(..all.len())].clone()
}
