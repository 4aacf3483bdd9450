//! A table of a running server, as a test changes it under the readers' hands.

use std::sync::Arc;

use crate::data::live::Live;
use crate::data::tracking::{Done, Operation};
use crate::data::{Row, Rows, Table};
use crate::faults::{Fault, Faults};
use crate::server::Shared;
use crate::sql::error::SqlError;
use crate::transaction::Transaction;
use crate::types::value::Value;

/// A table of a running server.
#[derive(Clone)]
pub struct TableHandle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) database: String,
    pub(crate) object_id: i32,
}

/// A change of rows under way.
struct Writing<'a> {
    live: &'a Live,
    transaction: u64,
    done: Vec<Done>,
}

impl Writing<'_> {
    /// Locks a row against open transactions, and notes what is done to it. Where there is no key there is neither.
    fn note(&mut self, table: &Table, operation: Operation, row: &[Value]) -> Result<(), SqlError> {
        if table.key.is_empty() {
            return Ok(());
        }
        let done = table.done(operation, row);
        self.live.lock(self.transaction, table.object_id, &done.place)?;
        if table.tracking.is_some() {
            self.done.push(done);
        }
        Ok(())
    }
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

    /// A change of the columns, which waits on the server until no transaction has written the table, and is error 1222 here.
    pub(crate) fn redefine<T>(&self, change: impl FnOnce(&mut Table) -> Result<T, SqlError>) -> Result<T, SqlError> {
        let mut world = self.shared.world_mut();
        let database = world.database_mut(&self.database).ok_or_else(|| SqlError::unknown_database(&self.database))?;
        database.live.unlocked(self.object_id)?;
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

    /// Begins a transaction of this table's database.
    pub fn begin(&self) -> Result<Transaction, SqlError> {
        Transaction::begin(&self.shared, &self.database).ok_or_else(|| SqlError::unknown_database(&self.database))
    }

    /// Inserts a row, and commits. A rowversion column is given NULL; a value that is given all the same is planted as it is.
    pub fn insert(&self, values: Vec<Value>) -> Result<(), SqlError> {
        self.write(|table, by| {
            let planted = table.version_column().is_some_and(|at| values.get(at).is_some_and(|value| !value.is_null()));
            let row = if planted { table.fit(values)? } else { table.fit_new(values, by.live, by.transaction)? };
            by.note(table, Operation::Insert, &row)?;
            table.stored().push(row);
            if !table.key.is_empty() {
                table.sort();
            }
            Ok(())
        })
    }

    /// Sets a column in the rows that `matches` picks, and commits; says how many.
    pub fn update(&self, column: &str, value: Value, matches: impl Fn(&[Value]) -> bool) -> Result<usize, SqlError> {
        self.write(|table, by| {
            let set = table.fit_set(&[(column, value)])?;
            let is_key = set.iter().any(|(at, _)| table.key.contains(at));
            let mut changed = Vec::new();
            for (at, row) in table.stored().iter().enumerate().filter(|(_, row)| matches(row)) {
                changed.push((at, row.clone()));
            }
            for (_, row) in &mut changed {
                by.note(table, if is_key { Operation::Delete } else { Operation::Update }, row)?;
                table.set(row, &set, by.live, by.transaction);
                if is_key {
                    by.note(table, Operation::Insert, row)?;
                }
            }
            let (count, rows) = (changed.len(), table.stored());
            changed.into_iter().for_each(|(at, row)| rows[at] = row);
            Ok(count)
        })
    }

    /// Deletes the rows that `matches` picks, and commits; says how many.
    pub fn delete(&self, matches: impl Fn(&[Value]) -> bool) -> Result<usize, SqlError> {
        self.write(|table, by| {
            let (gone, kept): (Vec<Row>, Vec<Row>) = table.stored().iter().cloned().partition(|row| matches(row));
            gone.iter().try_for_each(|row| by.note(table, Operation::Delete, row))?;
            *table.stored() = kept;
            Ok(gone.len())
        })
    }

    /// A change of rows that commits at once.
    fn write<T>(&self, change: impl FnOnce(&mut Table, &mut Writing<'_>) -> Result<T, SqlError>) -> Result<T, SqlError> {
        let mut world = self.shared.world_mut();
        let database = world.database_mut(&self.database).ok_or_else(|| SqlError::unknown_database(&self.database))?;
        let live = Arc::clone(&database.live);
        let mut by = Writing { live: &live, transaction: live.begin(), done: Vec::new() };
        let table = database.table_mut(self.object_id).ok_or_else(|| SqlError::unknown_object("the table is gone"));
        let outcome = table.and_then(|table| change(table, &mut by));
        let (transaction, done) = (by.transaction, by.done);
        if outcome.is_ok() {
            database.track(done.into_iter().map(|done| (self.object_id, done)).collect());
        }
        live.end(transaction);
        outcome
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
