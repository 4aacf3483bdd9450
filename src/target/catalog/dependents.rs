//! What in the target depends on a table, or acts on it. Read for a plan only.

use tokio_postgres::Row;

use crate::error::{ErrorKind, Result, SyncError};
use crate::table::TargetTable;
use crate::target::Session;
use crate::target::error::target_error;

/// One row for each, with what tells it from its fellows. Views are found through views.
const DEPENDENTS: &str = "\
WITH RECURSIVE target AS (SELECT to_regclass($1)::oid AS oid), \
views AS ( \
    SELECT w.ev_class AS oid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid \
    WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass \
        AND d.refobjid = (SELECT oid FROM target) AND w.ev_class <> d.refobjid \
    UNION \
    SELECT w.ev_class FROM views v JOIN pg_catalog.pg_depend d ON d.refobjid = v.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass \
    JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid AND d.classid = 'pg_catalog.pg_rewrite'::regclass AND w.ev_class <> d.refobjid) \
SELECT CASE c.relkind WHEN 'm' THEN 'materialized_view' ELSE 'view' END AS kind, c.oid::regclass::text AS name, '' AS detail \
    FROM views v JOIN pg_catalog.pg_class c ON c.oid = v.oid WHERE c.relkind IN ('v', 'm') \
UNION ALL \
SELECT 'rule', w.rulename::text, CASE w.ev_type WHEN '1' THEN 'SELECT' WHEN '2' THEN 'UPDATE' WHEN '3' THEN 'INSERT' ELSE 'DELETE' END \
    FROM pg_catalog.pg_rewrite w WHERE w.ev_class = (SELECT oid FROM target) AND w.rulename <> '_RETURN' AND w.ev_enabled <> 'D' \
UNION ALL \
SELECT 'foreign_key_in', k.conname::text || ' of ' || k.conrelid::regclass::text, k.confdeltype::text \
    FROM pg_catalog.pg_constraint k WHERE k.confrelid = (SELECT oid FROM target) AND k.contype = 'f' AND k.conparentid = 0 \
UNION ALL \
SELECT 'foreign_key_out', k.conname::text || ' to ' || k.confrelid::regclass::text, CASE WHEN k.condeferrable THEN 'deferrable' ELSE '' END \
    FROM pg_catalog.pg_constraint k WHERE k.conrelid = (SELECT oid FROM target) AND k.contype = 'f' \
UNION ALL \
SELECT 'trigger', t.tgname::text, \
    concat_ws(' or ', CASE WHEN t.tgtype & 4 > 0 THEN 'INSERT' END, CASE WHEN t.tgtype & 16 > 0 THEN 'UPDATE' END, \
        CASE WHEN t.tgtype & 8 > 0 THEN 'DELETE' END, CASE WHEN t.tgtype & 32 > 0 THEN 'TRUNCATE' END) \
    FROM pg_catalog.pg_trigger t WHERE t.tgrelid = (SELECT oid FROM target) AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') \
UNION ALL \
SELECT 'publication', p.pubname::text, '' FROM pg_catalog.pg_publication_tables p \
    JOIN pg_catalog.pg_class c ON c.relname = p.tablename JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = p.schemaname \
    WHERE c.oid = (SELECT oid FROM target) \
UNION ALL \
SELECT 'row_security', c.oid::regclass::text, CASE WHEN pg_catalog.row_security_active(c.oid) THEN 'active' ELSE '' END \
    FROM pg_catalog.pg_class c WHERE c.oid = (SELECT oid FROM target) AND c.relrowsecurity \
UNION ALL \
SELECT CASE WHEN c.relispartition THEN 'partition' ELSE 'child' END, c.oid::regclass::text, '' \
    FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = (SELECT oid FROM target) \
ORDER BY 1, 2";

/// What something is that depends on a table or acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DependentKind {
    /// A view, over other views too.
    View,
    /// A materialized view.
    MaterializedView,
    /// A rule on the table, for these commands.
    Rule,
    /// A foreign key that points here; what a delete here does there.
    ForeignKeyIn(OnDelete),
    /// A foreign key of the table.
    ForeignKeyOut {
        /// Whether it can wait for the commit.
        deferrable: bool,
    },
    /// A trigger that is on.
    Trigger,
    /// A publication.
    Publication,
    /// Row security.
    RowSecurity {
        /// Whether it applies to this role.
        active: bool,
    },
    /// A partition of the table.
    Partition,
    /// A table that inherits from it.
    Child,
}

/// What deleting a row does to those that refer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// It is refused.
    Refused,
    /// They are deleted.
    Deleted,
    /// Their reference is set to NULL or to its default.
    Cleared,
}

/// Something in the target that depends on a table or acts on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependent {
    /// What it is.
    pub kind: DependentKind,
    /// Its name.
    pub name: String,
    /// The commands of a rule or trigger.
    pub on: String,
}

impl Session {
    /// What depends on `table` or acts on it; nothing where there is no such table.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn dependents(&self, table: &TargetTable) -> Result<Vec<Dependent>> {
        let doing = format!("read what depends on {table}");
        let rows = self.query(DEPENDENTS, &[&table.to_string()]).await.map_err(|error| target_error(&doing, error))?;
        rows.iter().map(dependent).collect()
    }
}

fn dependent(row: &Row) -> Result<Dependent> {
    let (kind, detail): (&str, &str) = (row.get("kind"), row.get("detail"));
    let kind = match kind {
        "view" => DependentKind::View,
        "materialized_view" => DependentKind::MaterializedView,
        "rule" => DependentKind::Rule,
        "foreign_key_in" => DependentKind::ForeignKeyIn(match detail {
            "c" => OnDelete::Deleted,
            "n" | "d" => OnDelete::Cleared,
            _ => OnDelete::Refused,
        }),
        "foreign_key_out" => DependentKind::ForeignKeyOut { deferrable: !detail.is_empty() },
        "trigger" => DependentKind::Trigger,
        "publication" => DependentKind::Publication,
        "row_security" => DependentKind::RowSecurity { active: !detail.is_empty() },
        "partition" => DependentKind::Partition,
        "child" => DependentKind::Child,
        other => return Err(SyncError::new(ErrorKind::Internal, format!("PostgreSQL's catalogue was not understood: {other}"))),
    };
    let on = if matches!(kind, DependentKind::Rule | DependentKind::Trigger) { detail.to_owned() } else { String::new() };
    Ok(Dependent { kind, name: row.get("name"), on })
}
