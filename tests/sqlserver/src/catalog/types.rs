//! `sys.types`: the system's types and a database's alias types.

use super::{Contents, int};
use crate::data::Database;
use crate::types::SqlType;
use crate::types::value::Value;

const COLUMNS: &str = "name sysname, system_type_id tinyint, user_type_id int, schema_id int, principal_id int?, \
max_length smallint, precision tinyint, scale tinyint, collation_name sysname?, is_nullable bit?, is_user_defined bit, \
is_assembly_type bit, default_object_id int, rule_object_id int, is_table_type bit";

const ALL: [&str; 36] = [
    "image",
    "text",
    "uniqueidentifier",
    "date",
    "time",
    "datetime2",
    "datetimeoffset",
    "tinyint",
    "smallint",
    "int",
    "smalldatetime",
    "real",
    "money",
    "datetime",
    "float",
    "sql_variant",
    "ntext",
    "bit",
    "decimal(38,38)",
    "numeric(38,38)",
    "smallmoney",
    "bigint",
    "varbinary(8000)",
    "varchar(8000)",
    "binary(8000)",
    "char(8000)",
    "timestamp",
    "nvarchar(4000)",
    "nchar(4000)",
    "xml",
    "sysname",
    "hierarchyid",
    "geometry",
    "geography",
    "json",
    "vector(1998)",
];

/// The first `user_type_id` of alias types.
const FIRST_ALIAS: i32 = 257;

/// The name of a system type.
pub(crate) fn name_of(user_type_id: i64) -> Option<&'static str> {
    ALL.iter().filter_map(|name| SqlType::parse(name)).find(|ty| i64::from(ty.user_type_id()) == user_type_id).map(SqlType::name)
}

/// Alias types of a database, by name, with the type each stands for.
fn aliases(database: &Database) -> Vec<(String, SqlType)> {
    let mut found: Vec<(String, SqlType)> = Vec::new();
    for column in database.tables.iter().flat_map(|table| &table.columns) {
        if let Some(alias) = &column.alias_type
            && !found.iter().any(|(name, _)| name == alias)
        {
            found.push((alias.clone(), column.ty));
        }
    }
    found
}

/// The `user_type_id` of an alias type.
pub(super) fn alias_id(database: &Database, alias: &str) -> i32 {
    let at = aliases(database).iter().position(|(name, _)| name == alias).unwrap_or(0);
    FIRST_ALIAS + at as i32
}

pub(super) fn types(database: &Database) -> Contents {
    let system = ALL.iter().filter_map(|text| SqlType::parse(text)).map(|ty| (ty.name().to_owned(), ty, ty.user_type_id(), false));
    let aliased = aliases(database).into_iter().enumerate().map(|(at, (name, ty))| (name, ty, FIRST_ALIAS + at as i32, true));
    let rows = system.chain(aliased).map(|(name, ty, id, is_alias)| {
        let (size, precision, scale) = ty.sizes();
        let collation = if ty.has_collation() { Value::text(database.collation.name) } else { Value::Null };
        let is_clr = (128..=130).contains(&id);
        vec![
            Value::text(&name),
            int(ty.system_type_id()),
            int(id),
            int(if is_alias { 1 } else { 4 }),
            Value::Null,
            int(size),
            int(precision),
            int(scale),
            collation,
            Value::Bit(ty != SqlType::SysName),
            Value::Bit(is_alias),
            Value::Bit(is_clr),
            int(0),
            int(0),
            Value::Bit(false),
        ]
    });
    (COLUMNS, rows.collect())
}
