//! The catalogue queries of a PostgreSQL source that every run asks.

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::client::Connection;
use super::types::RawColumn;
use crate::error::{ErrorKind, Result, SyncError};
use crate::postgres::MONEY_DIGITS;
use crate::table::{SourceColumn, SourceDescription, SourceTable, ValueKind};

/// Relation kind, whether the role may read it, and how many rows there are about: of a partitioned table, in all its parts.
const RELATION: &str = "SELECT c.oid, c.relkind::text, pg_catalog.has_table_privilege(c.oid, 'SELECT') \
       OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT') AS may_select, \
     (WITH RECURSIVE part(oid) AS (SELECT c.oid UNION ALL SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN part ON i.inhparent = part.oid) \
      SELECT CASE WHEN min(p.reltuples) >= 0 THEN sum(p.reltuples)::bigint END FROM part JOIN pg_catalog.pg_class p ON p.oid = part.oid \
      WHERE p.relkind IN ('r', 'm', 'f')) AS estimate \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";

/// Columns, domains by the type that they are of in the end. What a database makes itself has numbers from 16384: in binary form a row holds those of its columns' types.
const COLUMNS: &str = "SELECT a.attnum, a.attname::text, bt.typname::text, base.typmod, pg_catalog.format_type(base.oid, base.typmod) AS formatted, \
     pg_catalog.format_type(a.atttypid, a.atttypmod) AS declared, NOT (a.attnotnull OR base.not_null) AS nullable, a.attgenerated <> '' AS computed, \
     pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT') AS may_select, bt.typsend <> 0 AS has_binary, \
     EXISTS (SELECT FROM pg_catalog.pg_attribute f WHERE f.attrelid = coalesce(e.typrelid, bt.typrelid) \
       AND coalesce(e.typtype, bt.typtype) = 'c' AND f.attnum > 0 AND NOT f.attisdropped AND f.atttypid >= 16384) AS holds_types, \
     coalesce(e.typname, bt.typname) LIKE 'reg%' AND coalesce(e.oid, bt.oid) < 16384 AS is_reference \
     FROM pg_catalog.pg_attribute a CROSS JOIN LATERAL (WITH RECURSIVE held(oid, typmod, not_null) AS (SELECT a.atttypid, a.atttypmod, false \
       UNION ALL SELECT d.typbasetype, d.typtypmod, held.not_null OR d.typnotnull FROM held JOIN pg_catalog.pg_type d ON d.oid = held.oid WHERE d.typtype = 'd') \
       SELECT h.oid, h.typmod, h.not_null FROM held h JOIN pg_catalog.pg_type ht ON ht.oid = h.oid WHERE ht.typtype <> 'd') AS base \
     JOIN pg_catalog.pg_type bt ON bt.oid = base.oid \
     LEFT JOIN pg_catalog.pg_type e ON e.typarray = bt.oid \
     WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

const PRIMARY_KEY: &str = "SELECT a.attname::text FROM pg_catalog.pg_index i CROSS JOIN LATERAL unnest(i.indkey[0:i.indnkeyatts - 1]) \
     WITH ORDINALITY AS k(attnum, n) JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
     WHERE i.indrelid = $1 AND i.indisprimary ORDER BY k.n";

/// A table or view as it was found.
pub(super) struct Relation {
    pub(super) oid: u32,
    kind: String,
    estimate: Option<i64>,
}

impl Connection {
    /// Reads what the catalogue says of `table`.
    ///
    /// # Errors
    /// [`ErrorKind::SourceSchema`] when there is no such table or view, or the role may not read it.
    pub async fn describe(&mut self, table: &SourceTable) -> Result<SourceDescription> {
        let doing = format!("read the catalogue for {table}");
        let relation = self.relation(table).await?;
        let columns = self.rows(COLUMNS, &[(&relation.oid, Type::OID)], &doing).await?;
        let key = self.rows(PRIMARY_KEY, &[(&relation.oid, Type::OID)], &doing).await?;
        let computed = columns.iter().filter(|row| row.get("computed")).map(|row| row.get("attname")).collect();
        let columns: Vec<SourceColumn> = columns.iter().map(|row| raw_column(row).describe()).collect();
        let has_money = columns.iter().any(|column| matches!(&column.kind, Ok(ValueKind::Postgres(pg_type)) if pg_type.is_money()));
        let digits = if has_money { self.rows(MONEY_DIGITS, &[], &doing).await? } else { Vec::new() };
        Ok(SourceDescription {
            money_digits: digits.first().map(|row| row.get(0)),
            // A view's columns are numbered anew with each change.
            object_id: Some(relation.oid.cast_signed()).filter(|_| relation.kind != "v"),
            computed,
            columns,
            primary_key: key.iter().map(|row| row.get(0)).collect(),
            rows_estimate: relation.estimate.and_then(|rows| u64::try_from(rows).ok()),
            ..SourceDescription::default()
        })
    }

    pub(super) async fn relation(&mut self, table: &SourceTable) -> Result<Relation> {
        let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] = [(&table.schema, Type::TEXT), (&table.table, Type::TEXT)];
        let found = self.rows(RELATION, &parameters, &format!("read the catalogue for {table}")).await?;
        let refused = |sentence: String| SyncError::new(ErrorKind::SourceSchema, sentence);
        let Some(row) = found.first() else {
            let database = self.rows("SELECT current_database()::text", &[], "ask for the database").await?;
            let database = database.first().map(|row| row.get::<_, String>(0)).unwrap_or_default();
            return Err(refused(format!("there is no table or view {table} in database {database} at PostgreSQL {}", self.server))
                .with_remedy("Check its name: schema.table, case as written, schema public where none is named; and the DSN's database"));
        };
        if !row.get::<_, bool>("may_select") {
            return Err(refused(format!("the role lacks SELECT on {table} at PostgreSQL {}", self.server))
                .with_remedy(format!("Have its owner run: GRANT SELECT ON {table} TO <the role of the DSN>")));
        }
        Ok(Relation { oid: row.get("oid"), kind: row.get("relkind"), estimate: row.get("estimate") })
    }

    /// Counts the rows of `table`, by scanning it.
    ///
    /// # Errors
    /// As the server answers: a missing table or permission, a lost connection.
    pub async fn count(&mut self, table: &SourceTable) -> Result<u64> {
        let rows = self.rows(&format!("SELECT count(*) FROM {table}"), &[], &format!("count {table}")).await?;
        Ok(rows.first().map_or(0, |row| row.get::<_, i64>(0).cast_unsigned()))
    }
}

fn raw_column(row: &Row) -> RawColumn {
    RawColumn {
        number: row.get("attnum"),
        name: row.get("attname"),
        typname: row.get("typname"),
        typmod: row.get("typmod"),
        formatted: row.get("formatted"),
        declared: row.get("declared"),
        nullable: row.get("nullable"),
        has_binary: row.get("has_binary"),
        holds_types: row.get("holds_types"),
        is_reference: row.get("is_reference"),
        may_select: row.get("may_select"),
    }
}
