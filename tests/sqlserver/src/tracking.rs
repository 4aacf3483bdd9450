//! Change Tracking as a test switches it on, cleans it up and resets it.

use crate::data::tracking::{TableTracking, Tracking};
use crate::handle::TableHandle;
use crate::server::StandIn;
use crate::sql::error::SqlError;

impl StandIn {
    /// ALTER DATABASE ... SET CHANGE_TRACKING = ON, with two days' retention; nothing is cleaned up but by [`TableHandle::clean_up_changes`].
    pub fn enable_change_tracking(&self, database: &str) -> Result<(), SqlError> {
        let mut world = self.shared.world_mut();
        let found = world.database_mut(database).ok_or_else(|| SqlError::unknown_database(database))?;
        if found.tracking.is_some() {
            return Err(SqlError::new(5088, 16, format!("Change tracking is already enabled for database '{database}'.")));
        }
        found.tracking = Some(Tracking { version: 0, retention: 2 });
        Ok(())
    }

    /// ALTER DATABASE ... SET CHANGE_TRACKING = OFF, and off for all its tables first. Switched on again, versions begin anew.
    pub fn disable_change_tracking(&self, database: &str) -> Result<(), SqlError> {
        let mut world = self.shared.world_mut();
        let found = world.database_mut(database).ok_or_else(|| SqlError::unknown_database(database))?;
        found.tracking = None;
        found.tables.iter_mut().map(std::sync::Arc::make_mut).for_each(|table| table.tracking = None);
        Ok(())
    }
}

impl TableHandle {
    /// ALTER TABLE ... ENABLE CHANGE_TRACKING, without the columns that an update touched.
    pub fn track_changes(&self) -> Result<(), SqlError> {
        let version = self.tracking_version();
        self.change(|table| {
            let version = version.ok_or_else(|| {
                let message = format!(
                    "Change tracking must be enabled on database '{}' before it can be enabled on table '{}'.",
                    self.database, table.name
                );
                SqlError::new(1718, 16, message)
            })?;
            if table.key.is_empty() {
                let message = format!(
                    "Cannot enable change tracking on table '{}'. Change tracking requires a primary key on the table. Create a primary key \
                     on the table before enabling change tracking.",
                    table.name
                );
                return Err(SqlError::new(4997, 16, message));
            }
            if table.tracking.is_some() {
                return Err(SqlError::new(4996, 16, format!("Change tracking is already enabled for table '{}'.", table.name)));
            }
            table.tracking = Some(TableTracking::new(version));
            Ok(())
        })
    }

    /// What the clean-up task does when changes are past their retention: those up to this version are forgotten, and no older one is valid.
    pub fn clean_up_changes(&self, version: i64) -> Result<(), SqlError> {
        self.change(|table| {
            table.tracking.iter_mut().for_each(|tracking| tracking.clean_up(version));
            Ok(())
        })
    }

    /// TRUNCATE TABLE: no delete is tracked; tracking begins anew, and no version from before is valid.
    pub fn truncate(&self) -> Result<(), SqlError> {
        let mut world = self.shared.world_mut();
        let database = world.database_mut(&self.database).ok_or_else(|| SqlError::unknown_database(&self.database))?;
        database.live.unlocked(self.object_id)?;
        let version = database.tracking.as_mut().map(|tracking| {
            tracking.version += 1;
            tracking.version
        });
        let table = database.table_mut(self.object_id).ok_or_else(|| SqlError::unknown_object("the table is gone"))?;
        table.stored().clear();
        if let (Some(tracking), Some(version)) = (&mut table.tracking, version) {
            *tracking = TableTracking::new(version);
        }
        Ok(())
    }

    fn tracking_version(&self) -> Option<i64> {
        self.shared.world().database(&self.database)?.tracking.as_ref().map(|tracking| tracking.version)
    }
}
