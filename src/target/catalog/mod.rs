//! Every catalogue query of the target.

mod constraints;
mod dependents;
mod swap;

pub use dependents::{Dependent, DependentKind, OnDelete};
pub use swap::Swappable;
pub(super) use swap::{Pair, differences, likeness};
use tokio_postgres::Row;

use super::error::target_error;
use super::foreign_key::{MARK, StandingForeignKey};
use super::sequence::ColumnSequence;
use super::session::{Session, Transaction};
use crate::error::{ErrorKind, Result, SyncError};
use crate::postgres::MONEY_DIGITS;
use crate::table::{PgType, TargetColumn, TargetTable};

/// Relation kind and the role's privileges.
const RELATION: &str = "SELECT c.oid, c.relkind::text, has_table_privilege(c.oid, 'SELECT') AS may_select, \
     has_table_privilege(c.oid, 'INSERT') AS may_insert, has_table_privilege(c.oid, 'UPDATE') AS may_update, \
     has_table_privilege(c.oid, 'DELETE') AS may_delete, has_table_privilege(c.oid, 'TRUNCATE') AS may_truncate \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2";

/// Columns, domains by the type that they are of in the end.
const COLUMNS: &str = "SELECT a.attname, bt.typname, base.typmod, format_type(base.oid, base.typmod) AS formatted, a.attnotnull OR base.not_null AS not_null, \
     a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL AS has_default, a.attgenerated <> '' AS generated, \
     a.attidentity = 'a' AS identity_always \
     FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
     CROSS JOIN LATERAL (WITH RECURSIVE held(oid, typmod, not_null) AS (SELECT a.atttypid, a.atttypmod, false \
       UNION ALL SELECT d.typbasetype, d.typtypmod, held.not_null OR d.typnotnull FROM held JOIN pg_catalog.pg_type d ON d.oid = held.oid WHERE d.typtype = 'd') \
       SELECT h.oid, h.typmod, h.not_null FROM held h JOIN pg_catalog.pg_type ht ON ht.oid = h.oid WHERE ht.typtype <> 'd') AS base \
     JOIN pg_catalog.pg_type bt ON bt.oid = base.oid \
     WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

/// Columns by name, with their types.
const COLUMN_TYPES: &str = "SELECT a.attname::text AS name, format_type(a.atttypid, NULL) AS type FROM pg_catalog.pg_attribute a \
     JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

/// The column names of each unique or exclusion constraint and index, and whether it is a plain key: of all rows, of columns alone, checked at once.
const UNIQUE_KEYS: &str = "SELECT ARRAY(SELECT a.attname::text FROM unnest(i.indkey[0:i.indnkeyatts - 1]) AS k(attnum) \
     JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum) AS columns, \
     i.indisunique AND NOT i.indisexclusion AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL AS plain \
     FROM pg_catalog.pg_index i WHERE i.indrelid = $1 AND (i.indisunique OR i.indisexclusion) AND i.indisvalid";

/// Foreign keys of other tables that point here, and whether deleting a row here reaches into them.
const REFERENCES: &str = "SELECT c.conrelid::regclass::text AS from_table, bool_or(c.confdeltype IN ('c', 'n', 'd')) AS deletes_reach \
     FROM pg_catalog.pg_constraint c WHERE c.confrelid = $1 AND c.contype = 'f' AND c.conrelid <> $1 GROUP BY c.conrelid";

/// The sequences of identity columns, and those that a column owns, where the role may set them.
const COLUMN_SEQUENCES: &str = "SELECT a.attname, s.seqrelid::regclass::text AS name, s.seqincrement, s.seqmin, s.seqmax FROM pg_catalog.pg_attribute a \
     JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass \
     AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum AND d.deptype IN ('a', 'i') \
     JOIN pg_catalog.pg_sequence s ON s.seqrelid = d.objid \
     WHERE a.attrelid = $1::text::regclass AND a.attname = ANY($2::text[]) \
     AND has_sequence_privilege(s.seqrelid, 'UPDATE') AND has_sequence_privilege(s.seqrelid, 'SELECT') ORDER BY a.attnum";

/// Whether triggers or rules of a table, or of a partition of it, may make something else of a row that is written.
const ALTERS_ROWS: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c \
     WHERE (c.oid = to_regclass($1) OR c.oid IN (SELECT p.relid FROM pg_partition_tree(to_regclass($1)) AS p)) \
     AND (c.relhasrules OR EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)))";

/// The foreign keys from one table to another.
const FOREIGN_KEYS: &str = "SELECT c.conname, c.convalidated, coalesce(obj_description(c.oid, 'pg_constraint') = $3, false) AS ours, \
     ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k(attnum, n) \
       JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum ORDER BY k.n) AS columns, \
     ARRAY(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY AS k(attnum, n) \
       JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum ORDER BY k.n) AS referenced \
     FROM pg_catalog.pg_constraint c WHERE c.contype = 'f' AND c.conrelid = to_regclass($1) AND c.confrelid = to_regclass($2) ORDER BY c.conname";

/// The foreign keys of a table that carry our mark.
const OWN_FOREIGN_KEYS: &str = "SELECT c.conname::text FROM pg_catalog.pg_constraint c WHERE c.contype = 'f' AND c.conrelid = to_regclass($1) \
     AND obj_description(c.oid, 'pg_constraint') = $2 ORDER BY c.conname";

/// What stands in the target under a table's name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TargetDescription {
    /// Its columns, in table order.
    pub columns: Vec<TargetColumn>,
    /// Column names of each unique constraint or index that is a plain key, sorted.
    pub unique_keys: Vec<Vec<String>>,
    /// Whether there are unique or exclusion constraints besides: partial ones, of expressions, deferrable.
    pub other_constraints: bool,
    /// Other tables whose foreign keys point here.
    pub referenced_by: Vec<String>,
    /// The tables among them in which deleting a row here would delete or change rows.
    pub deletes_reach: Vec<String>,
    /// The privileges that the role lacks, of those a refresh may need.
    pub missing_privileges: Vec<&'static str>,
    /// Whether there is no row in it.
    pub empty: bool,
    /// What a swap would take the place of, where that is asked for.
    pub swap: Swappable,
    /// What is told of every row that is written: triggers, rules, publications; read where the refresh may choose how many rows it writes.
    pub told_of_rows: Vec<String>,
}

impl TargetDescription {
    /// The type of the column of this name.
    pub fn pg_type_of(&self, name: &str) -> Option<&PgType> {
        self.columns.iter().find(|column| column.name == name).map(|column| &column.pg_type)
    }

    /// A column as DDL writes it; none where there is none of this name.
    pub fn declared(&self, name: &str) -> Option<String> {
        self.columns.iter().find(|column| column.name == name).map(|column| column.pg_type.declared(column.nullable))
    }

    /// Whether a unique constraint holds exactly these columns.
    pub fn has_unique_key(&self, columns: &[String]) -> bool {
        let mut sorted = columns.to_vec();
        sorted.sort();
        self.unique_keys.contains(&sorted)
    }

    /// Whether the target itself keeps these columns unique and not NULL.
    pub fn enforces_key(&self, columns: &[String]) -> bool {
        let not_null = |name: &String| self.columns.iter().any(|column| column.name == *name && !column.nullable);
        self.has_unique_key(columns) && columns.iter().all(not_null)
    }
}

impl Session {
    /// Describes `table`; none when there is no such table.
    ///
    /// # Errors
    /// [`ErrorKind::TargetSchema`] when the name stands for something that rows cannot be loaded into.
    pub async fn describe(&self, table: &TargetTable) -> Result<Option<TargetDescription>> {
        let failed = |error| target_error(&format!("read the catalogue for {table}"), error);
        let relation = self.query_opt(RELATION, &[&table.schema, &table.table]).await.map_err(failed)?;
        let Some(relation) = relation else { return Ok(None) };
        let kind: &str = relation.get("relkind");
        if !matches!(kind, "r" | "p") {
            return Err(SyncError::new(ErrorKind::TargetSchema, format!("{table} is not a table"))
                .with_remedy("pg_table must name a table: rows cannot be loaded into views, foreign tables or sequences"));
        }
        let oid: u32 = relation.get("oid");
        let columns = self.query(COLUMNS, &[&oid]).await.map_err(failed)?;
        let unique = self.query(UNIQUE_KEYS, &[&oid]).await.map_err(failed)?;
        let references = self.query(REFERENCES, &[&oid]).await.map_err(failed)?;
        let missing_privileges = missing_privileges(&relation);
        let empty = !missing_privileges.contains(&"SELECT") && self.is_empty(table).await?;
        Ok(Some(TargetDescription {
            columns: columns.iter().map(column).collect(),
            unique_keys: unique.iter().filter(|row| row.get("plain")).map(unique_key).collect(),
            other_constraints: unique.iter().any(|row| !row.get::<_, bool>("plain")),
            referenced_by: references.iter().map(|row| row.get("from_table")).collect(),
            deletes_reach: references.iter().filter(|row| row.get("deletes_reach")).map(|row| row.get("from_table")).collect(),
            missing_privileges,
            empty,
            swap: Swappable::default(),
            told_of_rows: Vec::new(),
        }))
    }

    /// How many decimal digits `money` has.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn money_digits(&self) -> Result<i32> {
        let row = self.query_one(MONEY_DIGITS, &[]).await.map_err(|error| target_error("ask for the digits of money", error))?;
        Ok(row.get(0))
    }

    /// The columns of a table of ours, each with its type without modifiers; none where there is no such table.
    pub(super) async fn column_types(&self, table: &TargetTable) -> Result<Vec<(String, String)>> {
        let failed = |error| target_error(&format!("read the catalogue for {table}"), error);
        let rows = self.query(COLUMN_TYPES, &[&table.schema, &table.table]).await.map_err(failed)?;
        Ok(rows.iter().map(|row| (row.get("name"), row.get("type"))).collect())
    }

    async fn is_empty(&self, table: &TargetTable) -> Result<bool> {
        let sql = format!("SELECT NOT EXISTS (SELECT 1 FROM {table})");
        let row = self.query_one(&sql, &[]).await.map_err(|error| target_error(&format!("look into {table}"), error))?;
        Ok(row.get(0))
    }

    /// The names of the foreign keys of our own making that `table` has.
    pub(super) async fn own_foreign_keys(&self, table: &TargetTable) -> Result<Vec<String>> {
        let failed = |error| target_error(&format!("read the foreign keys of {table}"), error);
        let rows = self.query(OWN_FOREIGN_KEYS, &[&table.to_string(), &MARK]).await.map_err(failed)?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Whether there is such a table.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn has_table(&self, table: &TargetTable) -> Result<bool> {
        let found = self.query_opt(RELATION, &[&table.schema, &table.table]).await;
        found.map(|row| row.is_some()).map_err(|error| target_error(&format!("look for {table}"), error))
    }

    /// Counts the rows of `table`; none when there is no such table.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn count(&self, table: &TargetTable) -> Result<Option<u64>> {
        let failed = |error| target_error(&format!("count {table}"), error);
        let found = self.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table.to_string()]).await.map_err(failed)?;
        if !found.get::<_, bool>(0) {
            return Ok(None);
        }
        let row = self.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await.map_err(failed)?;
        Ok(Some(row.get::<_, i64>(0).cast_unsigned()))
    }
}

/// The foreign keys from `table` to `references`; none where one of the tables is missing.
pub(super) async fn foreign_keys_between(
    session: &Session,
    table: &TargetTable,
    references: &TargetTable,
) -> Result<Vec<StandingForeignKey>> {
    let rows = session
        .query(FOREIGN_KEYS, &[&table.to_string(), &references.to_string(), &MARK])
        .await
        .map_err(|error| target_error(&format!("read the foreign keys of {table}"), error))?;
    let key = |row: &Row| StandingForeignKey {
        name: row.get("conname"),
        columns: row.get("columns"),
        referenced: row.get("referenced"),
        checked: row.get("convalidated"),
        ours: row.get("ours"),
    };
    Ok(rows.iter().map(key).collect())
}

/// The sequences of the columns among `columns`, where the role may set them.
pub(super) async fn column_sequences(transaction: &Transaction<'_>, target: &TargetTable, columns: &[&str]) -> Result<Vec<ColumnSequence>> {
    let rows = transaction
        .query(COLUMN_SEQUENCES, &[&target.to_string(), &columns])
        .await
        .map_err(|error| target_error(&format!("read the sequences of {target}"), error))?;
    let sequence = |row: &Row| ColumnSequence {
        column: row.get("attname"),
        name: row.get("name"),
        increment: row.get("seqincrement"),
        min: row.get("seqmin"),
        max: row.get("seqmax"),
    };
    Ok(rows.iter().map(sequence).collect())
}

/// Whether triggers or rules may make something else of a row that is written to `table`.
pub(super) async fn alters_rows(transaction: &Transaction<'_>, table: &TargetTable) -> Result<bool> {
    let row = transaction.query_one(ALTERS_ROWS, &[&table.to_string()]).await;
    row.map(|row| row.get(0)).map_err(|error| target_error(&format!("read the triggers of {table}"), error))
}

/// Whether a table, index or the like has this name.
pub(super) async fn relation_exists(transaction: &Transaction<'_>, schema: &str, name: &str) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1 AND c.relname = $2)";
    let row = transaction.query_one(sql, &[&schema, &name]).await.map_err(|error| target_error("look for a name", error))?;
    Ok(row.get(0))
}

fn column(row: &Row) -> TargetColumn {
    TargetColumn {
        name: row.get("attname"),
        pg_type: PgType::from_catalog(row.get("typname"), row.get("typmod"), row.get("formatted")),
        nullable: !row.get::<_, bool>("not_null"),
        has_default: row.get("has_default"),
        generated: row.get("generated"),
        identity_always: row.get("identity_always"),
    }
}

fn unique_key(row: &Row) -> Vec<String> {
    let mut columns: Vec<String> = row.get("columns");
    columns.sort();
    columns
}

fn missing_privileges(relation: &Row) -> Vec<&'static str> {
    [("may_select", "SELECT"), ("may_insert", "INSERT"), ("may_update", "UPDATE"), ("may_delete", "DELETE"), ("may_truncate", "TRUNCATE")]
        .into_iter()
        .filter(|(column, _)| !relation.get::<_, bool>(column))
        .map(|(_, privilege)| privilege)
        .collect()
}
