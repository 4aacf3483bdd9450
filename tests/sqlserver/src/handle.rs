//! A table of a running server, as a test changes it under the readers' hands.

use std::sync::Arc;

use crate::data::{Row, Rows, Table};
use crate::faults::{Fault, Faults};
use crate::server::Shared;
use crate::sql::error::SqlError;
use crate::types::value::Value;

/// A table of a running server.
#[derive(Clone)]
pub struct TableHandle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) database: String,
    pub(crate) object_id: i32,
}

impl TableHandle {
    /// The table that these faults belong to, as it is now.
    pub(crate) fn of_faults(shared: &Arc<Shared>, faults: &Arc<Faults>) -> Option<TableHandle> {
        let world = shared.world();
        world.databases.iter().find_map(|database| {
            let table = database.tables.iter().find(|table| Arc::ptr_eq(&table.faults, faults))?;
            Some(TableHandle { shared: Arc::clone(shared), database: database.name.clone(), object_id: table.object_id })
        })
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Table) -> Result<T, SqlError>) -> Result<T, SqlError> {
        let mut world = self.shared.world_mut();
        let database = world.database_mut(&self.database).ok_or_else(|| SqlError::unknown_database(&self.database))?;
        change(database.table_mut(self.object_id).ok_or_else(|| SqlError::unknown_object("the table is gone"))?)
    }

    /// Sets the table's fault, or clears it.
    pub fn fault(&self, fault: Option<Fault>) {
        self.set_fault(fault, None);
    }

    /// Sets a fault that strikes so many reads, the first at once; after them the table is sound.
    pub fn fault_times(&self, fault: Fault, times: u32) {
        self.set_fault(Some(fault).filter(|_| times > 0), Some(times));
    }

    fn set_fault(&self, fault: Option<Fault>, times: Option<u32>) {
        let _ = self.change(|table| {
            table.faults.set(fault, times);
            Ok(())
        });
    }

    /// Inserts a row.
    pub fn insert(&self, values: Vec<Value>) -> Result<(), SqlError> {
        self.change(|table| {
            let row = table.fit(values)?;
            table.stored().push(row);
            if !table.key.is_empty() {
                table.sort();
            }
            Ok(())
        })
    }

    /// Sets a column in the rows that `matches` picks; says how many.
    pub fn update(&self, column: &str, value: Value, matches: impl Fn(&[Value]) -> bool) -> Result<usize, SqlError> {
        self.change(|table| {
            let at = table.position(column).ok_or_else(|| SqlError::unknown_column(column))?;
            let fitted = table.columns[at].fit(value)?;
            let mut count = 0;
            for row in table.stored().iter_mut().filter(|row| matches(row)) {
                row[at] = fitted.clone();
                count += 1;
            }
            Ok(count)
        })
    }

    /// Deletes the rows that `matches` picks; says how many.
    pub fn delete(&self, matches: impl Fn(&[Value]) -> bool) -> Result<usize, SqlError> {
        self.change(|table| {
            let rows = table.stored();
            let before = rows.len();
            rows.retain(|row| !matches(row));
            Ok(before - rows.len())
        })
    }

    /// All rows, as they are now.
    pub fn rows(&self) -> Result<Vec<Row>, SqlError> {
        self.change(|table| Ok((0..table.rows.len()).map(|at| table.rows.row(at)).collect()))
    }

    /// Sets how many rows a generated table has.
    pub fn set_rows(&self, rows: u64) -> Result<(), SqlError> {
        self.change(|table| {
            if let Rows::Generated(generated) = &mut table.rows {
                generated.rows = rows;
            }
            Ok(())
        })
    }

    /// Changes the values, not the keys, of this share of a generated table's rows; 0 is the first state again.
    pub fn changed_percent(&self, percent: f64) -> Result<(), SqlError> {
        self.change(|table| {
            if let Rows::Generated(generated) = &mut table.rows {
                generated.changed = (percent * 100.0).round().clamp(0.0, 10_000.0) as u64;
            }
            Ok(())
        })
    }

    /// Renames the table.
    pub fn rename(&self, name: &str) -> Result<(), SqlError> {
        self.change(|table| {
            table.name = name.to_owned();
            Ok(())
        })
    }

    /// Drops the table.
    pub fn drop_table(self) {
        let mut world = self.shared.world_mut();
        if let Some(database) = world.database_mut(&self.database) {
            database.tables.retain(|table| table.object_id != self.object_id);
        }
    }
}
