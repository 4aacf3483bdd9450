//! A writer's transaction as a test holds it open. Its rows are seen by itself alone until it commits: readers get the last committed rows, as
//! under READ_COMMITTED_SNAPSHOT, whatever `sys.databases` says of it. Nobody waits for a lock: whoever meets another's row gets error 1222, as with
//! LOCK_TIMEOUT 0.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::data::live::Live;
use crate::data::tracking::{Done, Operation};
use crate::data::{Row, Table, World};
use crate::handle::TableHandle;
use crate::server::Shared;
use crate::sql::error::SqlError;
use crate::types::value::Value;

/// A row as a transaction leaves it; gone where there is none.
struct Written {
    key: Row,
    row: Option<Row>,
}

/// An open transaction of one database; dropped, it is rolled back. It writes tables with a primary key. A rowversion is given when a row is
/// written, a Change Tracking version when the transaction commits.
pub struct Transaction {
    shared: Arc<Shared>,
    database: String,
    live: Arc<Live>,
    id: u64,
    written: BTreeMap<(i32, String), Written>,
    done: Vec<(i32, Done)>,
}

impl Transaction {
    pub(crate) fn begin(shared: &Arc<Shared>, database: &str) -> Option<Transaction> {
        let live = Arc::clone(&shared.world().database(database)?.live);
        let id = live.begin();
        let shared = Arc::clone(shared);
        Some(Transaction { shared, database: database.to_owned(), live, id, written: BTreeMap::new(), done: Vec::new() })
    }

    /// Inserts a row; a rowversion column is given NULL.
    pub fn insert(&mut self, table: &TableHandle, values: Vec<Value>) -> Result<(), SqlError> {
        let shared = Arc::clone(&self.shared);
        let world = shared.world_mut();
        let table = self.table(&world, table)?;
        let row = table.fit_new(values, &self.live, self.id)?;
        self.add(&table, row)
    }

    /// Sets columns in the rows that `matches` picks among those that this transaction sees; says how many. `matches` must not ask the server.
    pub fn update(&mut self, table: &TableHandle, set: &[(&str, Value)], matches: impl Fn(&[Value]) -> bool) -> Result<usize, SqlError> {
        let shared = Arc::clone(&self.shared);
        let world = shared.world_mut();
        let table = self.table(&world, table)?;
        let set = table.fit_set(set)?;
        let rows = self.lock_rows(&table, matches)?;
        let count = rows.len();
        for before in rows {
            let mut row = before.clone();
            table.set(&mut row, &set, &self.live, self.id);
            if table.place(&row) == table.place(&before) {
                self.write(&table, &before, Some(row), Operation::Update);
            } else {
                self.write(&table, &before, None, Operation::Delete);
                self.add(&table, row)?;
            }
        }
        Ok(count)
    }

    /// Deletes the rows that `matches` picks among those that this transaction sees; says how many. `matches` must not ask the server.
    pub fn delete(&mut self, table: &TableHandle, matches: impl Fn(&[Value]) -> bool) -> Result<usize, SqlError> {
        let shared = Arc::clone(&self.shared);
        let world = shared.world_mut();
        let table = self.table(&world, table)?;
        let rows = self.lock_rows(&table, matches)?;
        for row in &rows {
            self.write(&table, row, None, Operation::Delete);
        }
        Ok(rows.len())
    }

    /// Makes everything visible at once.
    pub fn commit(mut self) -> Result<(), SqlError> {
        let shared = Arc::clone(&self.shared);
        let mut world = shared.world_mut();
        let database = world.database_mut(&self.database).ok_or_else(|| SqlError::unknown_database(&self.database))?;
        for ((object_id, _), written) in std::mem::take(&mut self.written) {
            let table = database.table_mut(object_id).ok_or_else(|| SqlError::unknown_object("the table is gone"))?;
            table.put(&written.key, written.row);
        }
        database.track(std::mem::take(&mut self.done));
        // The rows are there before their rowversions cease to be active.
        self.live.end(self.id);
        Ok(())
    }

    /// Undoes everything, as dropping it does.
    pub fn rollback(self) {}

    fn table(&self, world: &World, handle: &TableHandle) -> Result<Arc<Table>, SqlError> {
        let database = world.database(&self.database).filter(|database| database.name.eq_ignore_ascii_case(&handle.database));
        let database = database.ok_or_else(|| SqlError::unknown_database(&handle.database))?;
        let table = database.tables.iter().find(|table| table.object_id == handle.object_id);
        let table = table.ok_or_else(|| SqlError::unknown_object("the table is gone"))?;
        if table.key.is_empty() {
            return Err(SqlError::unknown_object(&format!("{} has no primary key: a transaction writes none such", table.name)));
        }
        Ok(Arc::clone(table))
    }

    fn add(&mut self, table: &Table, row: Row) -> Result<(), SqlError> {
        let place = table.place(&row);
        self.live.lock(self.id, table.object_id, &place)?;
        let is_there = match self.written.get(&(table.object_id, place)) {
            Some(written) => written.row.is_some(),
            None => table.find(&table.key_of(&row)).is_ok(),
        };
        if is_there {
            return Err(table.duplicate());
        }
        self.write(table, &row.clone(), Some(row), Operation::Insert);
        Ok(())
    }

    /// The rows that match, all of them locked, or none changed.
    fn lock_rows(&self, table: &Table, matches: impl Fn(&[Value]) -> bool) -> Result<Vec<Row>, SqlError> {
        let committed = (0..table.rows.len()).map(|at| table.rows.row(at));
        let untouched = committed.filter(|row| !self.written.contains_key(&(table.object_id, table.place(row))));
        let own = self.written.iter().filter(|((object_id, _), _)| *object_id == table.object_id);
        let rows: Vec<Row> = untouched.chain(own.filter_map(|(_, written)| written.row.clone())).filter(|row| matches(row)).collect();
        rows.iter().try_for_each(|row| self.live.lock(self.id, table.object_id, &table.place(row)))?;
        Ok(rows)
    }

    /// Notes what becomes of the row of this one's key.
    fn write(&mut self, table: &Table, of: &[Value], row: Option<Row>, operation: Operation) {
        self.done.push((table.object_id, table.done(operation, of)));
        self.written.insert((table.object_id, table.place(of)), Written { key: table.key_of(of), row });
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.live.end(self.id);
    }
}
