//! The views about databases, tables, columns, keys and sizes.

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
const INDEXES: &str = "object_id int, name sysname?, index_id int, type tinyint, type_desc nvarchar(60)?, is_unique bit?, data_space_id int, \
ignore_dup_key bit?, is_primary_key bit?, is_unique_constraint bit?, fill_factor tinyint, is_padded bit?, is_disabled bit?, \
is_hypothetical bit?, has_filter bit?, filter_definition nvarchar(max)?";
const INDEX_COLUMNS: &str = "object_id int, index_id int, index_column_id int, column_id int, key_ordinal tinyint, partition_ordinal tinyint, \
is_descending_key bit?, is_included_column bit?";
const PARTITIONS: &str = "partition_id bigint, object_id int, index_id int, partition_number int, hobt_id bigint, rows bigint?, \
data_compression tinyint, data_compression_desc nvarchar(60)?";
const KEYS: &str = "name sysname, object_id int, schema_id int, parent_object_id int, type char(2)?, type_desc nvarchar(60)?, unique_index_id int?, is_system_named bit";
const IDENTITIES: &str = "object_id int, name sysname?, column_id int, seed_value sql_variant?, increment_value sql_variant?, last_value sql_variant?, is_not_for_replication bit?";
const COMPUTED: &str =
    "object_id int, name sysname?, column_id int, definition nvarchar(max)?, uses_database_collation bit, is_persisted bit";
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
        "indexes" => (INDEXES, tables().filter(|table| !table.is_view).map(index).collect()),
        "index_columns" => (INDEX_COLUMNS, tables().flat_map(index_columns).collect()),
        "partitions" => (PARTITIONS, tables().filter(|table| !table.is_view).map(partition).collect()),
        "key_constraints" => (KEYS, tables().filter(|table| !table.key.is_empty()).map(|table| key(database, table)).collect()),
        "identity_columns" => (IDENTITIES, tables().flat_map(identities).collect()),
        "computed_columns" => (COMPUTED, tables().flat_map(computed).collect()),
        "default_constraints" | "check_constraints" => (
            "name sysname, object_id int, schema_id int, parent_object_id int, parent_column_id int, definition nvarchar(max)?",
            Vec::new(),
        ),
        "extended_properties" => {
            ("class tinyint, class_desc nvarchar(60)?, major_id int, minor_id int, name sysname, value sql_variant?", Vec::new())
        }
        "foreign_keys" => ("name sysname, object_id int, schema_id int, parent_object_id int, referenced_object_id int?", Vec::new()),
        "foreign_key_columns" => (
            "constraint_object_id int, constraint_column_id int, parent_object_id int, parent_column_id int, referenced_object_id int, referenced_column_id int",
            Vec::new(),
        ),
        _ => return None,
    })
}

fn created() -> Value {
    Value::DateTime(date::DAYS_TO_1900 / 16, 0)
}

fn schema_id(database: &Database, table: &Table) -> Value {
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
    let rows = (1i64..).zip(&table.columns).map(|(id, column)| {
        let (size, precision, scale) = column.ty.sizes();
        let user_type = column.alias_type.as_ref().map_or(column.ty.user_type_id(), |alias| alias_id(database, alias));
        let collation = if column.ty.has_collation() { Value::text(column.collation.name) } else { Value::Null };
        vec![
            int(table.object_id),
            Value::text(&column.name),
            int(id),
            int(column.ty.system_type_id()),
            int(user_type),
            int(size),
            int(precision),
            int(scale),
            collation,
            Value::Bit(column.nullable),
            Value::Bit(true),
            Value::Bit(false),
            Value::Bit(column.identity),
            Value::Bit(column.computed.is_some()),
            Value::Bit(false),
            Value::Bit(false),
            int(0),
            int(0),
            int(0),
            Value::Bit(false),
            Value::Bit(false),
            int(0),
            Value::text("NOT_APPLICABLE"),
            if column.encrypted { int(1) } else { Value::Null },
            if column.encrypted { Value::text("DETERMINISTIC") } else { Value::Null },
            Value::Bit(false),
            Value::Bit(false),
        ]
    });
    rows.collect()
}

fn key_name(table: &Table) -> String {
    format!("PK_{}", table.name)
}

fn index(table: &Table) -> Row {
    let keyed = !table.key.is_empty();
    let (name, description) = if keyed { (Value::text(&key_name(table)), "CLUSTERED") } else { (Value::Null, "HEAP") };
    let no = Value::Bit(false);
    vec![
        int(table.object_id),
        name,
        int(i64::from(keyed)),
        int(i64::from(keyed)),
        Value::text(description),
        Value::Bit(keyed),
        int(1),
        no.clone(),
        Value::Bit(keyed),
        no.clone(),
        int(0),
        no.clone(),
        no.clone(),
        no.clone(),
        no,
        Value::Null,
    ]
}

fn index_columns(table: &Table) -> Vec<Row> {
    let rows = (1i64..).zip(&table.key).map(|(ordinal, &at)| {
        vec![int(table.object_id), int(1), int(ordinal), int(at as i64 + 1), int(ordinal), int(0), Value::Bit(false), Value::Bit(false)]
    });
    rows.collect()
}

fn partition(table: &Table) -> Row {
    let id = 72_057_594_000_000_000 + i64::from(table.object_id);
    let index = i64::from(!table.key.is_empty());
    vec![int(id), int(table.object_id), int(index), int(1), int(id), int(table.rows.len() as i64), int(0), Value::text("NONE")]
}

fn key(database: &Database, table: &Table) -> Row {
    vec![
        Value::text(&key_name(table)),
        int(table.object_id + 1),
        schema_id(database, table),
        int(table.object_id),
        narrow("PK"),
        Value::text("PRIMARY_KEY_CONSTRAINT"),
        int(1),
        Value::Bit(false),
    ]
}

fn identities(table: &Table) -> Vec<Row> {
    let one = || Value::Variant("int".into(), Box::new(int(1)));
    let rows = (1i64..).zip(&table.columns).filter(|(_, column)| column.identity).map(|(id, column)| {
        let last = Value::Variant("bigint".into(), Box::new(int(table.rows.len() as i64)));
        vec![int(table.object_id), Value::text(&column.name), int(id), one(), one(), last, Value::Bit(false)]
    });
    rows.collect()
}

fn computed(table: &Table) -> Vec<Row> {
    let rows = (1i64..).zip(&table.columns).filter_map(|(id, column)| {
        let definition = Value::text(column.computed.as_ref()?);
        Some(vec![int(table.object_id), Value::text(&column.name), int(id), definition, Value::Bit(false), Value::Bit(false)])
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
                    (1i64..)
                        .zip(&table.columns)
                        .map(|(at, column)| {
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
                                int(at),
                                Value::Null,
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
