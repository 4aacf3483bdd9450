//! Rows that the target cannot hold: the end of the table, or put aside up to a limit.

use crate::error::{ErrorKind, Result, SyncError};
use crate::table::{BadRow, OnBadRow};

/// So many bytes of rows are kept in memory until they are written down.
const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// So many are named in a message.
const NAMED_MAX: usize = 5;

/// The rows put aside so far.
#[derive(Debug)]
pub(super) struct Aside {
    on_bad_row: OnBadRow,
    limit: u64,
    bytes: usize,
    rows: Vec<BadRow>,
}

impl Aside {
    pub(super) fn new(on_bad_row: OnBadRow, limit: u64) -> Self {
        Self { on_bad_row, limit, bytes: 0, rows: Vec::new() }
    }

    /// Whether bad rows are taken at all.
    pub(super) fn takes_rows(&self) -> bool {
        match self.on_bad_row {
            OnBadRow::Fail => false,
            OnBadRow::Quarantine => true,
        }
    }

    /// Puts a row aside.
    ///
    /// # Errors
    /// [`ErrorKind::BadValue`] naming the limit that it goes beyond, and the first rows.
    pub(super) fn put(&mut self, row: BadRow) -> Result<()> {
        self.bytes += row.row.len() + row.key_fields.as_ref().map_or(0, Vec::len);
        self.rows.push(row);
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let over = if self.rows.len() > limit {
            format!("more than {limit} rows that the target cannot hold (quarantine_limit)")
        } else if self.bytes > KEPT_BYTES_MAX {
            format!(
                "{} rows that the target cannot hold, and they have more than {} MiB together",
                self.rows.len(),
                KEPT_BYTES_MAX / (1024 * 1024)
            )
        } else {
            return Ok(());
        };
        let sentence = format!("there are {over}; the first of them: {}", named(&self.rows));
        Err(SyncError::new(ErrorKind::BadValue, sentence).with_remedy("Correct the rows at the source, or raise quarantine_limit"))
    }

    pub(super) fn into_rows(self) -> Vec<BadRow> {
        self.rows
    }
}

/// The first rows by their keys, with the reasons.
fn named(rows: &[BadRow]) -> String {
    rows.iter().take(NAMED_MAX).map(BadRow::named).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_beyond_the_limit_names_the_limit_and_the_first_rows() {
        let mut aside = Aside::new(OnBadRow::Quarantine, 2);
        let row = |id: i32| BadRow {
            key: Some(format!("Id={id}")),
            column: "Name".to_owned(),
            reason: "too long".to_owned(),
            row: "{}".to_owned(),
            key_fields: None,
        };
        aside.put(row(1)).unwrap();
        aside.put(row(2)).unwrap();
        let error = aside.put(row(3)).unwrap_err().to_string();
        assert!(
            error.contains("there are more than 2 rows that the target cannot hold (quarantine_limit); the first of them: ")
                && error.contains("row Id=1, column Name: too long; row Id=2"),
            "{error}"
        );
    }
}
