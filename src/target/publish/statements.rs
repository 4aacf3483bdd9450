//! The statements of a publish, for one target and its staging table.
//!
//! Rows are compared by their stored bytes (`*<>`, which takes records): exact for every type, those without an equality operator included. Rows of the staging table
//! and of the target are then found again by their physical place, which stands still because nobody else may write.

use crate::table::{TargetTable, quoted_list};

/// What the statements speak of.
#[derive(Debug, Clone)]
pub(super) struct Statements<'a> {
    pub(super) target: &'a TargetTable,
    pub(super) staging: &'a TargetTable,
    pub(super) difference: TargetTable,
    pub(super) columns: &'a [String],
    pub(super) key: &'a [String],
    /// Columns that PostgreSQL lets nobody update.
    pub(super) identity_always: &'a [String],
}

impl Statements<'_> {
    fn list(&self, prefix: &str) -> String {
        quoted_list(prefix, self.columns.iter().map(String::as_str))
    }

    fn overriding(&self) -> &'static str {
        if self.identity_always.is_empty() { "" } else { " OVERRIDING SYSTEM VALUE" }
    }

    /// The rows that differ, of all: a row's place in staging (none: it vanished) and in the target (none: it is new).
    fn differences(&self, join: &str, or_vanished: &str) -> String {
        format!(
            "SELECT s.ctid AS staged, t.ctid AS present, t.tableoid AS partition FROM {staging} AS s {join} {target} AS t ON {same_key} \
             WHERE {or_vanished}t.ctid IS NULL OR ROW({staged})::record *<> ROW({present})::record",
            staging = self.staging,
            target = self.target,
            same_key = same_key(self.key, "s.", "t."),
            staged = self.list("s."),
            present = self.list("t."),
        )
    }

    /// Makes the table of differences: a row's place in staging (none: it vanished) and in the target (none: it is new).
    pub(super) fn find_differences(&self) -> String {
        let rows = self.differences("FULL JOIN", "s.ctid IS NULL OR ");
        format!("CREATE UNLOGGED TABLE {0} AS {rows}; ANALYZE {0}", self.difference)
    }

    /// The same where the staged rows are not all there are: of those that are not staged nothing is said.
    pub(super) fn find_new_and_changed(&self) -> String {
        let rows = self.differences("LEFT JOIN", "");
        format!("CREATE UNLOGGED TABLE {0} AS {rows}; ANALYZE {0}", self.difference)
    }

    /// Counts new and changed rows without writing anything down.
    pub(super) fn count_new_and_changed(&self) -> String {
        format!(
            "SELECT count(*) FILTER (WHERE present IS NULL) AS new, count(*) FILTER (WHERE present IS NOT NULL) AS changed FROM ({}) AS d",
            self.differences("LEFT JOIN", "")
        )
    }

    /// Of rows that were delivered twice under a key, keeps the last.
    pub(super) fn keep_last_delivered(&self) -> String {
        format!("DELETE FROM {0} AS s USING {0} AS l WHERE {1} AND l.ctid > s.ctid", self.staging, same_key(self.key, "s.", "l."))
    }

    /// Inserts the staged rows whose keys are not there.
    pub(super) fn insert_new(&self) -> String {
        let key = quoted_list("", self.key.iter().map(String::as_str));
        format!("{} ON CONFLICT ({key}) DO NOTHING", self.insert_all())
    }

    /// Counts the staged rows whose keys are not in the target.
    pub(super) fn count_not_there(&self) -> String {
        format!(
            "SELECT count(*) FROM {} AS s WHERE NOT EXISTS (SELECT FROM {} AS t WHERE {})",
            self.staging,
            self.target,
            same_key(self.key, "s.", "t.")
        )
    }

    /// Counts new, changed and vanished rows.
    pub(super) fn count_differences(&self) -> String {
        format!(
            "SELECT count(*) FILTER (WHERE present IS NULL) AS new, count(*) FILTER (WHERE staged IS NOT NULL AND present IS NOT NULL) AS changed, \
             count(*) FILTER (WHERE staged IS NULL) AS vanished FROM {}",
            self.difference
        )
    }

    /// Deletes vanished rows; with `changed_too`, also those that will be inserted anew.
    pub(super) fn delete_differences(&self, changed_too: bool) -> String {
        let which = if changed_too { "d.present IS NOT NULL" } else { "d.staged IS NULL" };
        format!(
            "DELETE FROM {} AS t USING {} AS d WHERE t.ctid = d.present AND t.tableoid = d.partition AND {which}",
            self.target, self.difference
        )
    }

    /// Updates changed rows.
    pub(super) fn update_differences(&self) -> String {
        let assignments: Vec<_> = self
            .columns
            .iter()
            .filter(|column| !self.identity_always.contains(column))
            .map(|column| format!("{} = {}", quoted_list("", [column.as_str()]), quoted_list("s.", [column.as_str()])))
            .collect();
        format!(
            "UPDATE {} AS t SET {} FROM {} AS d JOIN {} AS s ON s.ctid = d.staged WHERE t.ctid = d.present AND t.tableoid = d.partition",
            self.target,
            assignments.join(", "),
            self.difference,
            self.staging
        )
    }

    /// Inserts new rows; with `changed_too`, also those that were deleted to be inserted anew.
    pub(super) fn insert_differences(&self, changed_too: bool) -> String {
        let which = if changed_too { "" } else { " WHERE d.present IS NULL" };
        format!(
            "INSERT INTO {} ({}){} SELECT {} FROM {} AS d JOIN {} AS s ON s.ctid = d.staged{which}",
            self.target,
            self.list(""),
            self.overriding(),
            self.list("s."),
            self.difference,
            self.staging
        )
    }

    /// Inserts every staged row.
    pub(super) fn insert_all(&self) -> String {
        format!(
            "INSERT INTO {} ({}){} SELECT {} FROM {} AS s",
            self.target,
            self.list(""),
            self.overriding(),
            self.list("s."),
            self.staging
        )
    }
}

/// That two rows have the same key.
pub(in crate::target) fn same_key(key: &[String], one: &str, other: &str) -> String {
    let same = |column: &String| format!("{} = {}", quoted_list(one, [column.as_str()]), quoted_list(other, [column.as_str()]));
    key.iter().map(same).collect::<Vec<_>>().join(" AND ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_quote_every_name() {
        let (target, staging, difference) = ("t\"1".parse().unwrap(), "s.x".parse().unwrap(), "s.d".parse().unwrap());
        let columns = ["a".to_owned(), "b\"c".to_owned()];
        let statements =
            Statements { target: &target, staging: &staging, difference, columns: &columns, key: &columns[..1], identity_always: &[] };
        assert!(statements.find_differences().contains(r#"ON s."a" = t."a" WHERE"#));
        assert!(statements.find_differences().contains(r#"ROW(s."a", s."b""c")::record *<> ROW(t."a", t."b""c")::record"#));
        assert!(statements.update_differences().starts_with(r#"UPDATE "public"."t""1" AS t SET "a" = s."a", "b""c" = s."b""c" FROM"#));
    }

    #[test]
    fn an_identity_that_is_always_generated_is_inserted_by_override_and_never_updated() {
        let (target, staging, difference) = ("t".parse().unwrap(), "s.x".parse().unwrap(), "s.d".parse().unwrap());
        let columns = ["id".to_owned(), "v".to_owned()];
        let statements = Statements {
            target: &target,
            staging: &staging,
            difference,
            columns: &columns,
            key: &columns[..1],
            identity_always: &columns[..1],
        };
        assert!(statements.insert_all().contains("OVERRIDING SYSTEM VALUE"));
        assert!(statements.update_differences().contains(r#"SET "v" = s."v" FROM"#));
    }
}
