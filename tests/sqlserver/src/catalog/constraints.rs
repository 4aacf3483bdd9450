//! The views about indexes, keys, defaults, identities, computed columns and comments.

use super::objects::{created, schema_id};
use super::{Contents, int, narrow};
use crate::data::definition::{ForeignKeyDef, IndexDef};
use crate::data::{Column, Database, Row, Table};
use crate::types::value::Value;

const INDEXES: &str = "object_id int, name sysname?, index_id int, type tinyint, type_desc nvarchar(60)?, is_unique bit?, data_space_id int, \
ignore_dup_key bit?, is_primary_key bit?, is_unique_constraint bit?, fill_factor tinyint, is_padded bit?, is_disabled bit?, \
is_hypothetical bit?, allow_row_locks bit?, allow_page_locks bit?, has_filter bit?, filter_definition nvarchar(max)?";
const INDEX_COLUMNS: &str = "object_id int, index_id int, index_column_id int, column_id int, key_ordinal tinyint, partition_ordinal tinyint, \
is_descending_key bit?, is_included_column bit?";
const PARTITIONS: &str = "partition_id bigint, object_id int, index_id int, partition_number int, hobt_id bigint, rows bigint?, \
data_compression tinyint, data_compression_desc nvarchar(60)?";
const KEYS: &str = "name sysname, object_id int, schema_id int, parent_object_id int, type char(2)?, type_desc nvarchar(60)?, unique_index_id int?, is_system_named bit";
const IDENTITIES: &str = "object_id int, name sysname?, column_id int, seed_value sql_variant?, increment_value sql_variant?, last_value sql_variant?, is_not_for_replication bit?";
const COMPUTED: &str =
    "object_id int, name sysname?, column_id int, definition nvarchar(max)?, uses_database_collation bit, is_persisted bit";
const DEFAULTS: &str = "name sysname, object_id int, schema_id int, parent_object_id int, type char(2)?, type_desc nvarchar(60)?, \
create_date datetime, modify_date datetime, is_ms_shipped bit, parent_column_id int, definition nvarchar(max)?, is_system_named bit";
const PROPERTIES: &str = "class tinyint, class_desc nvarchar(60)?, major_id int, minor_id int, name sysname, value sql_variant?";
const FOREIGN_KEYS: &str = "name sysname, object_id int, schema_id int, parent_object_id int, type char(2)?, type_desc nvarchar(60)?, \
create_date datetime, modify_date datetime, is_ms_shipped bit, referenced_object_id int?, key_index_id int?, is_disabled bit, \
is_not_for_replication bit, is_not_trusted bit, delete_referential_action tinyint?, delete_referential_action_desc nvarchar(60)?, \
update_referential_action tinyint?, update_referential_action_desc nvarchar(60)?, is_system_named bit";
const FOREIGN_KEY_COLUMNS: &str = "constraint_object_id int, constraint_column_id int, parent_object_id int, parent_column_id int, \
referenced_object_id int, referenced_column_id int";
const ACTIONS: [&str; 4] = ["NO_ACTION", "CASCADE", "SET_NULL", "SET_DEFAULT"];

/// A view of schema `sys`.
pub(super) fn sys(database: &Database, name: &str) -> Option<Contents> {
    let tables = || database.tables.iter().map(AsRef::as_ref).filter(|table: &&Table| !table.is_view);
    Some(match name {
        "indexes" => (INDEXES, tables().flat_map(indexes).collect()),
        "index_columns" => (INDEX_COLUMNS, tables().flat_map(index_columns).collect()),
        "partitions" => (PARTITIONS, tables().flat_map(partitions).collect()),
        "key_constraints" => (KEYS, tables().flat_map(|table| keys(database, table)).collect()),
        "identity_columns" => (IDENTITIES, tables().flat_map(identities).collect()),
        "computed_columns" => (COMPUTED, tables().flat_map(computed).collect()),
        "default_constraints" => (DEFAULTS, tables().flat_map(|table| defaults(database, table)).collect()),
        "check_constraints" => (DEFAULTS, Vec::new()),
        "extended_properties" => (PROPERTIES, database.tables.iter().flat_map(|table| comments(table)).collect()),
        "foreign_keys" => (FOREIGN_KEYS, tables().flat_map(|table| foreign_keys(database, table)).collect()),
        "foreign_key_columns" => (FOREIGN_KEY_COLUMNS, tables().flat_map(|table| foreign_key_columns(database, table)).collect()),
        _ => return None,
    })
}

/// The object id of a column's default.
pub(super) fn default_id(table: &Table, column: &Column) -> i32 {
    table.object_id + 1024 + column.id
}

fn bit(bit: bool) -> Value {
    Value::Bit(bit)
}

fn key_name(table: &Table) -> String {
    table.key_name.clone().unwrap_or_else(|| format!("PK_{}", table.name))
}

/// The indexes besides the key's, with their ids.
fn others(table: &Table) -> impl Iterator<Item = (i32, &IndexDef)> {
    (2..).zip(&table.indexes)
}

fn column_id(table: &Table, name: &str) -> Value {
    table.position(name).map_or(Value::Null, |at| int(table.columns[at].id))
}

fn indexes(table: &Table) -> Vec<Row> {
    let keyed = !table.key.is_empty();
    let row = |name: Value, id: i32, kind: u8, index: Option<&IndexDef>| {
        let is = |of: fn(&IndexDef) -> bool| index.is_some_and(of);
        let kinds = ["HEAP", "CLUSTERED", "NONCLUSTERED", "XML", "SPATIAL", "CLUSTERED COLUMNSTORE", "NONCLUSTERED COLUMNSTORE"];
        let filter = index.and_then(|index| index.filter.as_deref());
        vec![
            int(table.object_id),
            name,
            int(id),
            int(kind),
            Value::text(kinds.get(usize::from(kind)).unwrap_or(&"NONCLUSTERED HASH")),
            bit(id == 1 || is(|index| index.unique)),
            int(1),
            bit(false),
            bit(id == 1),
            bit(is(|index| index.constraint)),
            int(0),
            bit(false),
            bit(is(|index| index.disabled)),
            bit(is(|index| index.hypothetical)),
            bit(true),
            bit(true),
            bit(filter.is_some()),
            filter.map_or(Value::Null, Value::text),
        ]
    };
    let first = if keyed { row(Value::text(&key_name(table)), 1, 1, None) } else { row(Value::Null, 0, 0, None) };
    std::iter::once(first).chain(others(table).map(|(id, index)| row(Value::text(&index.name), id, index.kind, Some(index)))).collect()
}

fn index_columns(table: &Table) -> Vec<Row> {
    let row = |index: i32, place: i64, column: Value, ordinal: i64, descending: bool| {
        let included = ordinal == 0;
        vec![int(table.object_id), int(index), int(place), column, int(ordinal), int(0), bit(descending), bit(included)]
    };
    let mut rows: Vec<Row> = (1..).zip(&table.key).map(|(place, &at)| row(1, place, int(table.columns[at].id), place, false)).collect();
    for (id, index) in others(table) {
        rows.extend(
            (1..).zip(&index.columns).map(|(place, (name, descending))| row(id, place, column_id(table, name), place, *descending)),
        );
        let after = index.columns.len() as i64 + 1;
        rows.extend((after..).zip(&index.included).map(|(place, name)| row(id, place, column_id(table, name), 0, false)));
    }
    rows
}

fn partitions(table: &Table) -> Vec<Row> {
    let first = i32::from(!table.key.is_empty());
    let ids = std::iter::once(first).chain(others(table).filter(|(_, index)| !index.hypothetical && !index.disabled).map(|(id, _)| id));
    ids.map(|index| {
        let id = 72_057_594_000_000_000 + i64::from(table.object_id) + i64::from(index);
        vec![int(id), int(table.object_id), int(index), int(1), int(id), int(table.rows.len() as i64), int(0), Value::text("NONE")]
    })
    .collect()
}

fn keys(database: &Database, table: &Table) -> Vec<Row> {
    let row = |name: &str, id: i32, ty: &str, description: &str| {
        vec![
            Value::text(name),
            int(table.object_id + id),
            schema_id(database, table),
            int(table.object_id),
            narrow(ty),
            Value::text(description),
            int(id),
            bit(false),
        ]
    };
    let key = (!table.key.is_empty()).then(|| row(&key_name(table), 1, "PK", "PRIMARY_KEY_CONSTRAINT"));
    let unique = others(table).filter(|(_, index)| index.constraint).map(|(id, index)| row(&index.name, id, "UQ", "UNIQUE_CONSTRAINT"));
    key.into_iter().chain(unique).collect()
}

fn identities(table: &Table) -> Vec<Row> {
    let rows = table.columns.iter().enumerate().filter(|(_, column)| column.identity).map(|(at, column)| {
        let (seed, increment) = column.identity_of;
        let typed = |number: i64| match column.ty.sizes() {
            (_, _, 0) if column.ty.number_rank() == Some(8) => Value::variant(&column.ty.to_string(), Value::Decimal(number.into(), 0)),
            _ => Value::variant(&column.ty.to_string(), int(number)),
        };
        let values = (0..table.rows.len()).filter_map(|row| match table.rows.value(row, at) {
            Value::Int(number) => Some(number),
            Value::Decimal(number, 0) => i64::try_from(number).ok(),
            _ => None,
        });
        let last = column.identity_last.or_else(|| if increment < 0 { values.min() } else { values.max() });
        let last = last.map_or(Value::Null, typed);
        vec![int(table.object_id), Value::text(&column.name), int(column.id), typed(seed), typed(increment), last, bit(false)]
    });
    rows.collect()
}

fn computed(table: &Table) -> Vec<Row> {
    let rows = table.columns.iter().filter_map(|column| {
        let definition = Value::text(column.computed.as_ref()?);
        let name = Value::text(&column.name);
        Some(vec![int(table.object_id), name, int(column.id), definition, bit(false), bit(column.persisted)])
    });
    rows.collect()
}

fn defaults(database: &Database, table: &Table) -> Vec<Row> {
    let rows = table.columns.iter().filter_map(|column| {
        let definition = Value::text(column.default.as_ref()?);
        Some(vec![
            Value::text(&format!("DF_{}_{}", table.name, column.name)),
            int(default_id(table, column)),
            schema_id(database, table),
            int(table.object_id),
            narrow("D "),
            Value::text("DEFAULT_CONSTRAINT"),
            created(),
            created(),
            bit(false),
            int(column.id),
            definition,
            bit(false),
        ])
    });
    rows.collect()
}

fn comments(table: &Table) -> Vec<Row> {
    let row = |id: i32, text: &str| {
        let value = Value::text(text);
        let base = value.natural_type().map(|ty| ty.to_string()).unwrap_or_default();
        let name = Value::text("MS_Description");
        vec![int(1), Value::text("OBJECT_OR_COLUMN"), int(table.object_id), int(id), name, Value::variant(&base, value)]
    };
    let own = table.comment.iter().map(|text| row(0, text));
    own.chain(table.columns.iter().filter_map(|column| Some(row(column.id, column.comment.as_ref()?)))).collect()
}

/// The foreign keys whose tables are there, with their object ids.
fn bound<'a>(database: &'a Database, table: &'a Table) -> impl Iterator<Item = (i32, &'a ForeignKeyDef, &'a Table)> {
    (table.object_id + 512..).zip(&table.foreign_keys).filter_map(|(id, key)| {
        let referenced = database.table(&key.schema, &key.table)?;
        Some((id, key, referenced.as_ref()))
    })
}

fn foreign_keys(database: &Database, table: &Table) -> Vec<Row> {
    let action = |number: u8| [int(number), Value::text(ACTIONS[usize::from(number.min(3))])];
    let rows = bound(database, table).map(|(id, key, referenced)| {
        let head = [
            Value::text(&key.name),
            int(id),
            schema_id(database, table),
            int(table.object_id),
            narrow("F "),
            Value::text("FOREIGN_KEY_CONSTRAINT"),
            created(),
            created(),
            bit(false),
            int(referenced.object_id),
            int(1),
            bit(key.disabled),
            bit(false),
            bit(key.untrusted || key.disabled),
        ];
        head.into_iter().chain(action(key.on_delete)).chain(action(key.on_update)).chain([bit(false)]).collect()
    });
    rows.collect()
}

fn foreign_key_columns(database: &Database, table: &Table) -> Vec<Row> {
    let rows = bound(database, table).flat_map(|(id, key, referenced)| {
        let pairs = (1i64..).zip(key.columns.iter().zip(&key.referenced));
        pairs.map(move |(place, (own, other))| {
            vec![int(id), int(place), int(table.object_id), column_id(table, own), int(referenced.object_id), column_id(referenced, other)]
        })
    });
    rows.collect()
}
