//! The same databases and tables as a T-SQL script for a real SQL Server.

use std::io::{self, Write};

use crate::data::Table;
use crate::data::definition::IndexDef;
use crate::types::SqlType;
use crate::types::collation::Collation;
use crate::types::format::text_units;
use crate::types::value::{Value, variant_base};

/// Rows of one INSERT: SQL Server takes a thousand at most.
const ROWS_PER_INSERT: u64 = 500;

/// Writes what creates a table and fills it.
pub(crate) fn table(out: &mut impl Write, database: &str, table: &Table) -> io::Result<()> {
    let name = format!("{}.{}", quoted(&table.schema), quoted(&table.name));
    writeln!(out, "IF DB_ID(N'{database}') IS NULL CREATE DATABASE {};\nGO\nUSE {};\nGO", quoted(database), quoted(database))?;
    if !table.schema.eq_ignore_ascii_case("dbo") {
        writeln!(out, "IF SCHEMA_ID(N'{0}') IS NULL EXEC(N'CREATE SCHEMA {1}');\nGO", table.schema, quoted(&table.schema))?;
    }
    writeln!(out, "DROP TABLE IF EXISTS {name};\nCREATE TABLE {name} (")?;
    let mut lines: Vec<String> = table.columns.iter().map(column).collect();
    if !table.key.is_empty() {
        let key: Vec<String> = table.key.iter().map(|&at| quoted(&table.columns[at].name)).collect();
        let name = table.key_name.clone().unwrap_or_else(|| format!("PK_{}", table.name));
        lines.push(format!("    CONSTRAINT {} PRIMARY KEY CLUSTERED ({})", quoted(&name), key.join(", ")));
    }
    writeln!(out, "{}\n);\nGO", lines.join(",\n"))?;
    rows(out, table, &name)?;
    for index in &table.indexes {
        if let Some(statement) = create_index(index, &name) {
            writeln!(out, "{statement};\nGO")?;
        }
    }
    comments(out, table)
}

fn rows(out: &mut impl Write, table: &Table, name: &str) -> io::Result<()> {
    let written: Vec<usize> = (0..table.columns.len()).filter(|&at| is_written(&table.columns[at])).collect();
    let names: Vec<String> = written.iter().map(|&at| quoted(&table.columns[at].name)).collect();
    let identity = table.columns.iter().any(|column| column.identity);
    for at in 0..table.rows.len() {
        if at % ROWS_PER_INSERT == 0 {
            let on = if identity { format!("SET IDENTITY_INSERT {name} ON;\n") } else { String::new() };
            write!(out, "GO\n{on}INSERT INTO {name} ({}) VALUES", names.join(", "))?;
        }
        let row = table.rows.row(at);
        let values: Vec<String> = written.iter().map(|&at| literal(table, at, &row[at])).collect();
        write!(out, "{}\n({})", if at % ROWS_PER_INSERT == 0 { "" } else { "," }, values.join(", "))?;
        if (at + 1) % ROWS_PER_INSERT == 0 || at + 1 == table.rows.len() {
            writeln!(out, ";")?;
        }
    }
    writeln!(out, "GO")
}

/// Writes the foreign keys of a table; those that they point at must be there.
pub(crate) fn foreign_keys(out: &mut impl Write, table: &Table) -> io::Result<()> {
    const ACTIONS: [&str; 4] = ["NO ACTION", "CASCADE", "SET NULL", "SET DEFAULT"];
    let list = |names: &[String]| names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    for key in &table.foreign_keys {
        let [on_delete, on_update] = [key.on_delete, key.on_update].map(|action| ACTIONS[usize::from(action.min(3))]);
        let check = if key.untrusted || key.disabled { "WITH NOCHECK " } else { "" };
        let own = format!("{}.{}", quoted(&table.schema), quoted(&table.name));
        let other = format!("{}.{}", quoted(&key.schema), quoted(&key.table));
        writeln!(
            out,
            "ALTER TABLE {own} {check}ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {other} ({}) ON DELETE {on_delete} ON UPDATE {on_update};\nGO",
            quoted(&key.name),
            list(&key.columns),
            list(&key.referenced)
        )?;
        if key.disabled {
            writeln!(out, "ALTER TABLE {own} NOCHECK CONSTRAINT {};\nGO", quoted(&key.name))?;
        }
    }
    Ok(())
}

/// Rowstore indexes; the others need more than columns.
fn create_index(index: &IndexDef, table: &str) -> Option<String> {
    if index.kind != 2 || index.hypothetical {
        return None;
    }
    let columns = index.columns.iter().map(|(name, descending)| quoted(name) + if *descending { " DESC" } else { "" });
    let columns = columns.collect::<Vec<_>>().join(", ");
    let name = quoted(&index.name);
    if index.constraint {
        return Some(format!("ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE NONCLUSTERED ({columns})"));
    }
    let included = index.included.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    let include = if included.is_empty() { String::new() } else { format!(" INCLUDE ({included})") };
    let filter = index.filter.as_ref().map(|filter| format!(" WHERE {filter}")).unwrap_or_default();
    let unique = if index.unique { "UNIQUE " } else { "" };
    let disable = if index.disabled { format!(";\nALTER INDEX {name} ON {table} DISABLE") } else { String::new() };
    Some(format!("CREATE {unique}NONCLUSTERED INDEX {name} ON {table} ({columns}){include}{filter}{disable}"))
}

fn comments(out: &mut impl Write, table: &Table) -> io::Result<()> {
    let text = |text: &str| format!("N'{}'", text.replace('\'', "''"));
    let own = table.comment.iter().map(|comment| (comment, None));
    let columns = table.columns.iter().filter_map(|column| Some((column.comment.as_ref()?, Some(&column.name))));
    for (comment, column) in own.chain(columns) {
        let level = column.map(|name| format!(", N'COLUMN', {}", text(name))).unwrap_or_default();
        let (schema, name) = (text(&table.schema), text(&table.name));
        writeln!(
            out,
            "EXEC sp_addextendedproperty N'MS_Description', {}, N'SCHEMA', {schema}, N'TABLE', {name}{level};\nGO",
            text(comment)
        )?;
    }
    Ok(())
}

fn is_written(column: &crate::data::Column) -> bool {
    column.computed.is_none() && column.ty != SqlType::RowVersion
}

fn column(column: &crate::data::Column) -> String {
    if let Some(definition) = &column.computed {
        return format!("    {} AS {definition}{}", quoted(&column.name), if column.persisted { " PERSISTED" } else { "" });
    }
    let collation = if column.ty.has_collation() && column.ty != SqlType::SysName {
        format!(" COLLATE {}", column.collation.name)
    } else {
        String::new()
    };
    let (seed, increment) = column.identity_of;
    let identity = if column.identity { format!(" IDENTITY({seed},{increment})") } else { String::new() };
    let null = if column.nullable { "NULL" } else { "NOT NULL" };
    let default = column.default.as_ref().map(|default| format!(" DEFAULT {default}")).unwrap_or_default();
    format!("    {} {}{collation}{identity} {null}{default}", quoted(&column.name), column.ty)
}

fn quoted(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

fn text(value: &Value, ty: SqlType, collation: &Collation, style: i32) -> String {
    text_units(value, ty, collation, Some(style)).map(|units| String::from_utf16_lossy(&units)).unwrap_or_default()
}

/// A value as a literal that keeps all of it: text beyond plain UTF-16, and narrow text, by its bytes.
fn literal(table: &Table, at: usize, value: &Value) -> String {
    let column = &table.columns[at];
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    let shown = |style| text(value, column.ty, column.collation, style);
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Wide(units) => match String::from_utf16(units) {
            Ok(text) => format!("N'{}'", text.replace('\'', "''")),
            Err(_) => {
                let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
                format!("CAST(0x{} AS {})", hex(&bytes), column.ty)
            }
        },
        Value::Narrow(bytes) if bytes.is_ascii() => {
            format!("'{}'", String::from_utf8_lossy(bytes).replace('\'', "''"))
        }
        // Bytes that are no text go in as they are.
        Value::Narrow(bytes) if column.collation.encode(&column.collation.decode(bytes)) != *bytes => format!("0x{}", hex(bytes)),
        Value::Narrow(bytes) => format!("N'{}'", String::from_utf16_lossy(&column.collation.decode(bytes)).replace('\'', "''")),
        Value::Binary(bytes) => format!("0x{}", hex(bytes)),
        Value::Spatial(shape) => format!("0x{}", hex(&shape.raw)),
        Value::Variant(base, inner) => {
            let (ty, collation) = variant_base(base).unwrap_or((SqlType::Int, column.collation));
            let style = match **inner {
                Value::Money(_) => 2,
                Value::Real(_) | Value::Float(_) => 3,
                Value::Binary(_) => return format!("CONVERT({ty}, '{}', 1)", text(inner, ty, collation, 1)),
                _ => 126,
            };
            let collate = if ty.has_collation() { format!(" COLLATE {}", collation.name) } else { String::new() };
            format!("CAST(N'{}' AS {ty}){collate}", text(inner, ty, collation, style).replace('\'', "''"))
        }
        Value::Bit(_) | Value::Int(_) | Value::Decimal(..) => shown(0),
        Value::Real(_) | Value::Float(_) => shown(3),
        Value::Money(_) => shown(2),
        Value::Guid(_) | Value::Date(_) | Value::Time(_) => format!("'{}'", shown(121)),
        Value::DateTime(..) | Value::SmallDateTime(..) | Value::DateTime2(..) | Value::DateTimeOffset(..) => {
            format!("'{}'", shown(126))
        }
    }
}
