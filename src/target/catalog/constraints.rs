//! A constraint of a table by its name, and how rows that break it are found.

use tokio_postgres::Row;

use crate::error::Result;
use crate::table::{TargetTable, quoted_list};
use crate::target::error::target_error;
use crate::target::publish::same_key;
use crate::target::session::Session;

/// CHECK, FOREIGN KEY and UNIQUE.
const CONSTRAINT: &str = "SELECT c.contype::text AS kind, pg_get_expr(c.conbin, c.conrelid) AS expression, c.confrelid::regclass::text AS referenced, \
     c.confrelid = c.conrelid AS own, \
     ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k(attnum, n) \
       JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum ORDER BY k.n) AS columns, \
     ARRAY(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY AS k(attnum, n) \
       JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum ORDER BY k.n) AS others \
     FROM pg_catalog.pg_constraint c WHERE c.conrelid = to_regclass($1) AND c.conname = $2 AND c.contype IN ('c', 'f', 'u')";

/// A constraint of a table.
pub(in crate::target) struct Constraint {
    /// The columns that it speaks of.
    pub(in crate::target) columns: Vec<String>,
    rule: Rule,
}

enum Rule {
    /// An expression that is not to be false.
    Check(String),
    /// These columns of that table, or of the same one, must hold the values.
    ForeignKey {
        referenced: Option<String>,
        others: Vec<String>,
    },
    Unique,
}

impl Session {
    /// The constraint `name` of `table`; none where it is another's, or of another kind.
    pub(in crate::target) async fn constraint(&self, table: &TargetTable, name: &str) -> Result<Option<Constraint>> {
        let failed = |error| target_error(&format!("read the constraint {name} of {table}"), error);
        let row = self.query_opt(CONSTRAINT, &[&table.to_string(), &name]).await.map_err(failed)?;
        Ok(row.map(|row| Constraint { columns: row.get("columns"), rule: rule(&row) }))
    }
}

fn rule(row: &Row) -> Rule {
    let referenced = || (!row.get::<_, bool>("own")).then(|| row.get("referenced"));
    match row.get::<_, Option<String>>("expression") {
        Some(expression) => Rule::Check(expression),
        None if row.get::<_, &str>("kind") == "f" => Rule::ForeignKey { referenced: referenced(), others: row.get("others") },
        None => Rule::Unique,
    }
}

impl Constraint {
    /// What is true of the rows `s` of `staging` that break it; beside them there are those of `standing`, but for rows of their keys.
    pub(in crate::target) fn broken(&self, staging: &TargetTable, standing: Option<(&TargetTable, &[String])>) -> String {
        let same = |others: &[String]| {
            let pairs = self.columns.iter().zip(others);
            let pairs =
                pairs.map(|(own, other)| format!("{} = {}", quoted_list("o.", [other.as_str()]), quoted_list("s.", [own.as_str()])));
            pairs.collect::<Vec<_>>().join(" AND ")
        };
        match &self.rule {
            Rule::Check(expression) => format!("({expression}) IS FALSE"),
            Rule::ForeignKey { referenced, others } => {
                let whole: String =
                    self.columns.iter().map(|own| format!("{} IS NOT NULL AND ", quoted_list("s.", [own.as_str()]))).collect();
                let own = referenced.is_none().then_some(standing).flatten();
                let referenced = referenced.clone().unwrap_or_else(|| staging.to_string());
                let or_there = own.map(|(table, _)| format!(" AND NOT EXISTS (SELECT 1 FROM {table} AS o WHERE {})", same(others)));
                let or_there = or_there.unwrap_or_default();
                format!("{whole}NOT EXISTS (SELECT 1 FROM {referenced} AS o WHERE {}){or_there}", same(others))
            }
            Rule::Unique => {
                let or_there = standing.map(|(table, key)| {
                    let same_row = same_key(key, "o.", "s.");
                    format!(" OR EXISTS (SELECT 1 FROM {table} AS o WHERE {} AND NOT ({same_row}))", same(&self.columns))
                });
                let or_there = or_there.unwrap_or_default();
                format!("(EXISTS (SELECT 1 FROM {staging} AS o WHERE {} AND o.ctid <> s.ctid){or_there})", same(&self.columns))
            }
        }
    }
}
