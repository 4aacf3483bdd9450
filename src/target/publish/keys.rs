//! Keys: what is published has none that is NULL or stands twice.

use tokio_postgres::Row;

use super::Publication;
use crate::error::{ErrorKind, Result, SyncError};
use crate::table::{TargetTable, quoted_list};
use crate::target::create::add_primary_key;
use crate::target::error::{breaks_key, target_error};
use crate::target::session::Transaction;

/// Whose keys are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whose {
    Source,
    Target,
}

impl Publication {
    /// The key whose values PostgreSQL's own messages may show.
    pub(in crate::target) fn shown_key(&self) -> &[String] {
        if self.hash_keys { &[] } else { &self.key }
    }

    /// Names the first five keys in `table` that are NULL or not unique.
    pub(super) async fn refuse_bad_keys(&self, transaction: &Transaction<'_>, table: &TargetTable, whose: Whose) -> Result<()> {
        if self.key.is_empty() {
            return Ok(());
        }
        let rows = transaction
            .query(&bad_keys(table, &self.key, self.hash_keys), &[])
            .await
            .map_err(|error| target_error("check the key", error))?;
        if rows.is_empty() {
            return Ok(());
        }
        let name = |row: &Row| match row.get::<_, i64>(1) {
            1 => format!("{} (1 row)", row.get::<_, &str>(0)),
            count => format!("{} ({count} rows)", row.get::<_, &str>(0)),
        };
        let named: Vec<_> = rows.iter().map(name).collect();
        let (who, remedy) = match whose {
            // A key that came twice may be one row met twice; a NULL is no doing of the read's.
            Whose::Source if self.dirty_read && rows.iter().all(|row| !row.get::<_, bool>(2)) => (
                "the source delivers",
                "The read was a dirty one (isolation \"nolock\") and may have met rows twice: run again, or choose \"read_committed\"",
            ),
            Whose::Source => ("the source delivers", "Correct the rows, choose another primary_key, or refresh \"replace\" without one"),
            Whose::Target => ("the target holds", "Correct the rows there, or refresh it once with \"replace\""),
        };
        let sentence = format!("{who} keys ({}) that are NULL or not unique: {}", self.key.join(", "), named.join("; "));
        Err(SyncError::new(ErrorKind::Refused, sentence).with_remedy(remedy))
    }

    /// Adds the primary key of a table that was just made; where it cannot be, the keys that stand in its way are named.
    pub(super) async fn add_primary_key(&self, transaction: &mut Transaction<'_>) -> Result<()> {
        if self.key.is_empty() {
            return Ok(());
        }
        let failed = |error| target_error(&format!("add the primary key of {}", self.target), error);
        let sql = add_primary_key(&self.target, &self.key);
        let attempt = transaction.savepoint().await.map_err(failed)?;
        match attempt.batch_execute(&sql).await.map_err(failed) {
            Ok(()) => attempt.commit().await.map_err(failed),
            Err(error) if breaks_key(&error) => {
                attempt.rollback().await.map_err(failed)?;
                self.refuse_bad_keys(transaction, &self.target, Whose::Source).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }
}

/// Names the first five keys that are NULL or stand more than once in `table`: as text or as the beginning of its SHA-256, how many rows, whether NULL.
fn bad_keys(table: &TargetTable, key: &[String], hashed: bool) -> String {
    let shown = shown(key, hashed);
    let nulls: Vec<_> = key.iter().map(|column| format!("{} IS NULL", quoted_list("", [column.as_str()]))).collect();
    let nulls = nulls.join(" OR ");
    let list = quoted_list("", key.iter().map(String::as_str));
    format!("SELECT {shown}, count(*), {nulls} FROM {table} GROUP BY {list} HAVING count(*) > 1 OR {nulls} ORDER BY {list} LIMIT 5")
}

/// Names the first five keys of the rows `s` of `table` of which the condition is true.
pub(in crate::target) fn offending_keys(table: &TargetTable, key: &[String], hashed: bool, condition: &str) -> String {
    let list = quoted_list("", key.iter().map(String::as_str));
    format!("SELECT {} FROM {table} AS s WHERE {condition} ORDER BY {list} LIMIT 5", shown(key, hashed))
}

/// A key as messages show it: its text, or the beginning of its SHA-256.
fn shown(key: &[String], hashed: bool) -> String {
    let texts: Vec<_> = key.iter().map(|column| format!("coalesce({}::text, 'NULL')", quoted_list("", [column.as_str()]))).collect();
    let text = format!("concat_ws(', ', {})", texts.join(", "));
    if hashed { format!("'#' || left(encode(sha256(convert_to({text}, 'UTF8')), 'hex'), 12)") } else { format!("left({text}, 200)") }
}
