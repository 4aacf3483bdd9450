//! What the target's columns take of what PostgreSQL sends: asked only of columns that are narrower than their source.

use crate::copy::{CellError, CopyRow, check_limits, has_limits, shown};
use crate::error::{ErrorKind, SyncError};
use crate::sources::row_key::{key_text, row_name};
use crate::sources::{SelectColumn, Selection};
use crate::table::SourceDescription;

/// The columns of a selection that are looked at, by position.
pub(super) struct Limits<'a> {
    selection: &'a Selection,
    hash_keys: bool,
    limited: Vec<usize>,
    required: Vec<usize>,
}

impl<'a> Limits<'a> {
    pub(super) fn new(selection: &'a Selection, described: &SourceDescription, hash_keys: bool) -> Self {
        let positions = |wanted: &dyn Fn(&SelectColumn) -> bool| {
            selection.columns.iter().enumerate().filter(|(_, column)| wanted(column)).map(|(position, _)| position).collect()
        };
        let nullable = |name: &str| described.columns.iter().any(|column| column.name == name && column.nullable);
        let limited = positions(&|column| has_limits(column.encoding));
        let required = positions(&|column| column.required && nullable(&column.name));
        Self { selection, hash_keys, limited, required }
    }

    /// The failure of the table that has this row, where the target cannot hold it.
    pub(super) fn check(&self, row: &CopyRow<'_>) -> Result<(), SyncError> {
        for &position in &self.limited {
            if let Some(field) = row.field(position) {
                check_limits(self.selection.columns[position].encoding, field).map_err(|error| self.bad_value(position, row, &error))?;
            }
        }
        match self.required.iter().find(|position| row.field(**position).is_none()) {
            Some(&position) => Err(self.bad_value(position, row, &CellError::Null)),
            None => Ok(()),
        }
    }

    #[cold]
    fn bad_value(&self, position: usize, row: &CopyRow<'_>, error: &CellError) -> SyncError {
        let columns = &self.selection.columns;
        let part = |position: &usize| {
            let column = columns.get(*position)?;
            Some((column.name.as_str(), shown(column.encoding, row.field(*position))))
        };
        let key: Vec<_> = self.selection.key.iter().filter_map(part).collect();
        let row = row_name(key_text(&key, self.hash_keys).as_deref());
        let remedy = match error {
            CellError::Null => "Correct the value at the source, or drop the target column's NOT NULL",
            _ => "Correct the value at the source, or widen the target column",
        };
        SyncError::new(ErrorKind::BadValue, format!("column {}, {row}: {error}", columns[position].name)).with_remedy(remedy)
    }
}
