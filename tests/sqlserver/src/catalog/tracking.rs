//! The views about Change Tracking.

use super::{Contents, int};
use crate::data::{Database, World};
use crate::types::value::Value;

const DATABASES: &str = "database_id int, is_auto_cleanup_on bit?, retention_period int?, retention_period_units tinyint?, \
retention_period_units_desc nvarchar(60)?";
const TABLES: &str =
    "object_id int, is_track_columns_updated_on bit, begin_version bigint?, cleanup_version bigint?, min_valid_version bigint?";

pub(super) fn databases(world: &World) -> Contents {
    let rows = world.databases.iter().filter_map(|database| {
        let tracking = database.tracking.as_ref()?;
        Some(vec![int(database.id), Value::Bit(true), int(tracking.retention), int(3), Value::text("DAYS")])
    });
    (DATABASES, rows.collect())
}

pub(super) fn tables(database: &Database) -> Contents {
    let rows = database.tables.iter().filter_map(|table| {
        let tracking = table.tracking.as_ref()?;
        let versions = [tracking.begin_version, tracking.cleanup_version, tracking.min_valid_version()];
        let head = [int(table.object_id), Value::Bit(false)];
        Some(head.into_iter().chain(versions.map(int)).collect())
    });
    (TABLES, rows.collect())
}
