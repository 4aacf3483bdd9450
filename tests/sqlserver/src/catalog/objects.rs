//! The views about databases, tables, columns, keys and sizes.

use super::constraints::default_id;
use super::types::alias_id;
use super::{Contents, int, narrow};
use crate::data::{Database, Row, Table, World};
use crate::types::value::Value;
use crate::types::{SqlType, date};

const OBJECTS: &str = "name sysname, object_id int, principal_id int?, schema_id int, parent_object_id int, type char(2)?, \
type_desc nvarchar(60)?, create_date datetime, modify_date datetime, is_ms_shipped bit, is_published bit, is_schema_published bit";
const COLUMNS: &str = "object_id int, name sysname?, column_id int, system_type_id tinyint, user_type_id int, max_length smallint, \
precision tinyint, scale tinyint, collation_name sysname?, is_nullable bit?, is_ansi_padded bit, is_rowguidcol bit, is_identity bit, \
is_computed bit, is_filestream bit, is_xml_document bit, xml_collection_id int, default_object_id int, rule_object_id int, \
is_sparse bit?, is_column_set bit?, generated_always_type tinyint?, generated_always_type_desc nvarchar(60)?, encryption_type int?, \
encryption_type_desc nvarchar(64)?, is_hidden bit, is_masked bit";
const DATABASES: &str = "name sysname, database_id int, create_date datetime, compatibility_level tinyint, collation_name sysname?, user_access tinyint?, \
is_read_only bit?, state tinyint?, state_desc nvarchar(60)?, snapshot_isolation_state tinyint?, snapshot_isolation_state_desc nvarchar(60)?, \
is_read_committed_snapshot_on bit?, recovery_model tinyint?, is_cdc_enabled bit, is_encrypted bit?";

pub(super) fn databases(world: &World) -> Contents {
    let rows = world.databases.iter().map(|database| {
        vec![
            Value::text(&database.name),
            int(database.id),
            created(),
            int(130),
            Value::text(database.collation.name),
            int(0),
            Value::Bit(false),
            int(0),
            Value::text("ONLINE"),
            int(1),
            Value::text("ON"),
            Value::Bit(false),
            int(1),
            Value::Bit(false),
            Value::Bit(false),
        ]
    });
    (DATABASES, rows.collect())
}

/// A view of schema `sys`.
pub(super) fn sys(database: &Database, name: &str) -> Option<Contents> {
    let tables = || database.tables.iter().map(AsRef::as_ref);
    Some(match name {
        "schemas" => (
            "name sysname, schema_id int, principal_id int?",
            database.schemas().into_iter().map(|(id, name)| vec![Value::text(&name), int(id), int(1)]).collect(),
        ),
        "objects" | "all_objects" => (OBJECTS, tables().map(|table| object(database, table)).collect()),
        "tables" => (OBJECTS, tables().filter(|table| !table.is_view).map(|table| object(database, table)).collect()),
        "views" => (OBJECTS, tables().filter(|table| table.is_view).map(|table| object(database, table)).collect()),
        "columns" | "all_columns" => (COLUMNS, tables().flat_map(|table| columns(database, table)).collect()),
        _ => return super::constraints::sys(database, name),
    })
}

pub(super) fn created() -> Value {
    Value::DateTime(date::DAYS_TO_1900 / 16, 0)
}

pub(super) fn schema_id(database: &Database, table: &Table) -> Value {
    let schemas = database.schemas();
    schemas.iter().find(|(_, name)| name.eq_ignore_ascii_case(&table.schema)).map_or(Value::Null, |(id, _)| int(*id))
}

fn object(database: &Database, table: &Table) -> Row {
    let (ty, description) = if table.is_view { ("V ", "VIEW") } else { ("U ", "USER_TABLE") };
    vec![
        Value::text(&table.name),
        int(table.object_id),
        Value::Null,
        schema_id(database, table),
        int(0),
        narrow(ty),
        Value::text(description),
        created(),
        created(),
        Value::Bit(false),
        Value::Bit(false),
        Value::Bit(false),
    ]
}

fn columns(database: &Database, table: &Table) -> Vec<Row> {
    let rows = table.columns.iter().map(|column| {
        let (size, precision, scale) = column.ty.sizes();
        let user_type = column.alias_type.as_ref().map_or(column.ty.user_type_id(), |alias| alias_id(database, alias));
        let collation = if column.ty.has_collation() { Value::text(column.collation.name) } else { Value::Null };
        vec![
            int(table.object_id),
            Value::text(&column.name),
            int(column.id),
            int(column.ty.system_type_id()),
            int(user_type),
            int(size),
            int(precision),
            int(scale),
            collation,
            Value::Bit(column.nullable),
            Value::Bit(true),
            Value::Bit(column.row_guid),
            Value::Bit(column.identity),
            Value::Bit(column.computed.is_some()),
            Value::Bit(false),
            Value::Bit(false),
            int(0),
            int(if column.default.is_some() { default_id(table, column) } else { 0 }),
            int(0),
            Value::Bit(false),
            Value::Bit(false),
            int(column.generated_always),
            Value::text(["NOT_APPLICABLE", "AS_ROW_START", "AS_ROW_END"][usize::from(column.generated_always.min(2))]),
            if column.encrypted { int(1) } else { Value::Null },
            if column.encrypted { Value::text("DETERMINISTIC") } else { Value::Null },
            Value::Bit(column.hidden),
            Value::Bit(column.masked),
        ]
    });
    rows.collect()
}

/// A view of schema `INFORMATION_SCHEMA`.
pub(super) fn information_schema(database: &Database, name: &str) -> Option<Contents> {
    let home = || Value::text(&database.name);
    Some(match name {
        "tables" => (
            "TABLE_CATALOG nvarchar(128)?, TABLE_SCHEMA sysname?, TABLE_NAME sysname, TABLE_TYPE varchar(10)?",
            database
                .tables
                .iter()
                .map(|table| {
                    vec![
                        home(),
                        Value::text(&table.schema),
                        Value::text(&table.name),
                        narrow(if table.is_view { "VIEW" } else { "BASE TABLE" }),
                    ]
                })
                .collect(),
        ),
        "columns" => (
            "TABLE_CATALOG nvarchar(128)?, TABLE_SCHEMA nvarchar(128)?, TABLE_NAME sysname, COLUMN_NAME sysname?, ORDINAL_POSITION int?, \
COLUMN_DEFAULT nvarchar(4000)?, IS_NULLABLE varchar(3)?, DATA_TYPE nvarchar(128)?, CHARACTER_MAXIMUM_LENGTH int?, NUMERIC_PRECISION tinyint?, \
NUMERIC_SCALE int?, DATETIME_PRECISION smallint?, COLLATION_NAME sysname?",
            database
                .tables
                .iter()
                .flat_map(|table| {
                    table
                        .columns
                        .iter()
                        .map(|column| {
                            let (size, precision, scale) = column.ty.sizes();
                            let text = column.ty.has_collation() || column.ty.is_binary();
                            let number = column.ty.number_rank().is_some() && column.ty != SqlType::Bit;
                            let or_null = |given: bool, value: i64| {
                                if given { int(value) } else { Value::Null }
                            };
                            let characters = if column.ty.is_wide() && size > 0 { size / 2 } else { size };
                            vec![
                                home(),
                                Value::text(&table.schema),
                                Value::text(&table.name),
                                Value::text(&column.name),
                                int(column.id),
                                column.default.as_deref().map_or(Value::Null, Value::text),
                                narrow(if column.nullable { "YES" } else { "NO" }),
                                Value::text(column.ty.name()),
                                or_null(text, characters.into()),
                                or_null(number, precision.into()),
                                or_null(number, scale.into()),
                                or_null(!text && !number, scale.into()),
                                if column.ty.has_collation() { Value::text(column.collation.name) } else { Value::Null },
                            ]
                        })
                        .collect::<Vec<_>>()
                })
                .collect(),
        ),
        _ => return None,
    })
}
