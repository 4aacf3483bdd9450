//! How rows are written: the rowversion that the server gives, the place by the key, the note for Change Tracking.

use std::cmp::Ordering;

use super::live::Live;
use super::tracking::{Done, Operation};
use super::{Database, Row, Rows, Table};
use crate::sql::error::SqlError;
use crate::types::SqlType;
use crate::types::collation::Collation;
use crate::types::compare::{compare, sort_key};
use crate::types::value::Value;

/// Stands in a row until it has its rowversion.
const UNSTAMPED: [u8; 8] = [0; 8];

/// A value of its column's type as text in which values are equal where their collation says so.
pub(crate) fn place_of(value: &Value, collation: &Collation) -> String {
    match value {
        Value::Wide(units) => format!("{:?}", sort_key(units, collation).collect::<Vec<_>>()),
        Value::Narrow(bytes) => format!("{:?}", sort_key(&collation.decode(bytes), collation).collect::<Vec<_>>()),
        Value::DateTimeOffset(days, ticks, _) => format!("{days} {ticks}"),
        other => format!("{other:?}"),
    }
}

impl Table {
    /// Where the rowversion is.
    pub(crate) fn version_column(&self) -> Option<usize> {
        self.columns.iter().position(|column| column.ty == SqlType::RowVersion)
    }

    /// A row of the table's definition: a rowversion may be given.
    pub(super) fn fit_first(&self, mut given: Row) -> Result<Row, SqlError> {
        let required = self.version_column().filter(|at| !self.columns[*at].nullable);
        let Some(at) = required.filter(|at| given.get(*at).is_some_and(Value::is_null)) else {
            return self.fit(given);
        };
        given[at] = Value::Binary(UNSTAMPED.to_vec());
        let mut row = self.fit(given)?;
        row[at] = Value::Null;
        Ok(row)
    }

    /// Gives the definition's rows the rowversions that they lack, above those that were given.
    pub(super) fn stamp_first(&mut self, live: &Live) {
        let Some(at) = self.version_column() else { return };
        if !matches!(self.rows, Rows::Stored(_)) {
            return;
        }
        let required = !self.columns[at].nullable;
        let rows = self.stored();
        let number = |value: &Value| match value {
            Value::Binary(bytes) => <[u8; 8]>::try_from(bytes.as_slice()).map_or(0, u64::from_be_bytes),
            _ => 0,
        };
        live.reach(rows.iter().map(|row| number(&row[at])).max().unwrap_or(0));
        let transaction = live.begin();
        for row in rows.iter_mut().filter(|row| required && row[at].is_null()) {
            row[at] = live.stamp(transaction);
        }
        live.end(transaction);
    }

    /// A new row, as INSERT makes it; the rowversion is the server's own.
    pub(crate) fn fit_new(&self, mut given: Row, live: &Live, transaction: u64) -> Result<Row, SqlError> {
        let at = self.version_column();
        if let Some(value) = at.and_then(|at| given.get_mut(at)) {
            if !value.is_null() {
                let message = "Cannot insert an explicit value into a timestamp column. Use INSERT with a column list to exclude the \
                    timestamp column, or insert a DEFAULT into the timestamp column.";
                return Err(SqlError::new(273, 16, message));
            }
            *value = Value::Binary(UNSTAMPED.to_vec());
        }
        let mut row = self.fit(given)?;
        if let Some(at) = at {
            row[at] = live.stamp(transaction);
        }
        Ok(row)
    }

    /// The columns that an UPDATE sets, with their new values.
    pub(crate) fn fit_set(&self, set: &[(&str, Value)]) -> Result<Vec<(usize, Value)>, SqlError> {
        let fitted = set.iter().map(|(column, value)| {
            let at = self.position(column).ok_or_else(|| SqlError::unknown_column(column))?;
            if self.columns[at].ty == SqlType::RowVersion {
                return Err(SqlError::new(272, 16, "Cannot update a timestamp column."));
            }
            Ok((at, self.columns[at].fit(value.clone())?))
        });
        fitted.collect()
    }

    /// Sets the columns of a row; the rowversion grows even where no value differs.
    pub(crate) fn set(&self, row: &mut Row, set: &[(usize, Value)], live: &Live, transaction: u64) {
        for (at, value) in set {
            row[*at] = value.clone();
        }
        if let Some(at) = self.version_column() {
            row[at] = live.stamp(transaction);
        }
    }

    pub(crate) fn key_of(&self, row: &[Value]) -> Row {
        self.key.iter().map(|&at| row[at].clone()).collect()
    }

    /// The key as text, in which keys are equal where their collation says so.
    pub(crate) fn place(&self, row: &[Value]) -> String {
        let parts = self.key.iter().map(|&at| place_of(&row[at], self.columns[at].collation));
        parts.collect::<Vec<_>>().join(",")
    }

    /// What a transaction did to a row, for the log.
    pub(crate) fn done(&self, operation: Operation, row: &[Value]) -> Done {
        Done { operation, key: self.key_of(row), place: self.place(row) }
    }

    /// Where the row of this key is, or belongs.
    pub(crate) fn find(&self, key: &[Value]) -> Result<usize, usize> {
        let order = |at: u64| {
            let parts = self.key.iter().zip(key);
            let parts = parts.map(|(&column, value)| compare(&self.rows.value(at, column), value, self.columns[column].collation));
            parts.fold(Ordering::Equal, Ordering::then)
        };
        let (mut low, mut high) = (0, self.rows.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match order(middle) {
                Ordering::Equal => return Ok(middle as usize),
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
            }
        }
        Err(low as usize)
    }

    /// Makes the row of this key what it is now; nothing where it is gone.
    pub(crate) fn put(&mut self, key: &[Value], row: Option<Row>) {
        match (self.find(key), row) {
            (Ok(at), Some(row)) => self.stored()[at] = row,
            (Ok(at), None) => drop(self.stored().remove(at)),
            (Err(at), Some(row)) => self.stored().insert(at, row),
            (Err(_), None) => {}
        }
    }

    /// Error 2627: the key is there already.
    pub(crate) fn duplicate(&self) -> SqlError {
        let name = self.key_name.clone().unwrap_or_else(|| format!("PK_{}", self.name));
        let message =
            format!("Violation of PRIMARY KEY constraint '{name}'. Cannot insert duplicate key in object '{}.{}'.", self.schema, self.name);
        SqlError::new(2627, 14, message)
    }
}

impl Database {
    /// Notes what a committed transaction did, all of it under one new version, where a table of it is tracked.
    pub(crate) fn track(&mut self, done: Vec<(i32, Done)>) {
        let tracked = |object_id: &i32| self.tables.iter().any(|table| table.object_id == *object_id && table.tracking.is_some());
        let done: Vec<(i32, Done)> = done.into_iter().filter(|(object_id, _)| tracked(object_id)).collect();
        let Some(tracking) = self.tracking.as_mut().filter(|_| !done.is_empty()) else { return };
        tracking.version += 1;
        let version = tracking.version;
        for (object_id, done) in done {
            if let Some(tracking) = self.table_mut(object_id).and_then(|table| table.tracking.as_mut()) {
                tracking.note(version, done);
            }
        }
    }
}
