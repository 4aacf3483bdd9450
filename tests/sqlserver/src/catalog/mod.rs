//! The catalogue views, built as ordinary tables when a query names them.

mod constraints;
mod objects;
mod tracking;
pub(crate) mod types;

use crate::data::{Column, Database, Row, Table, World};
use crate::types::value::Value;
use crate::types::{SqlType, collation};

/// A view of this name; `None` when there is no such view.
pub(crate) fn view(world: &World, database: &Database, schema: &str, name: &str) -> Option<Table> {
    let name = name.to_ascii_lowercase();
    let (columns, rows) = match schema.to_ascii_lowercase().as_str() {
        "sys" if name == "databases" => objects::databases(world),
        "sys" if name == "types" => types::types(database),
        "sys" if name == "change_tracking_databases" => tracking::databases(world),
        "sys" if name == "change_tracking_tables" => tracking::tables(database),
        "sys" => objects::sys(database, &name)?,
        "information_schema" => objects::information_schema(database, &name)?,
        _ => return None,
    };
    let columns = columns.split(", ").filter_map(column).collect();
    Some(Table { is_view: true, ..Table::computed(schema, &name, columns, rows) })
}

/// `name type`, with `?` after the type where it may be NULL.
fn column(declaration: &str) -> Option<Column> {
    let (name, ty) = declaration.split_once(' ')?;
    let nullable = ty.ends_with('?');
    let ty = SqlType::parse(ty.trim_end_matches('?'))?;
    Some(Column::new(name, ty, collation::DEFAULT, nullable))
}

/// A view's columns and rows.
type Contents = (&'static str, Vec<Row>);

fn int(number: impl Into<i64>) -> Value {
    Value::Int(number.into())
}

/// The catalogue's `char(2)` types are narrow.
fn narrow(text: &str) -> Value {
    Value::Narrow(text.as_bytes().to_vec())
}
