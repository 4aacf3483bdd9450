//! The quick way for generated tables: each column of the result planned once,
//! so that a row is a few copies of bytes made ready before the first one.

use super::expr::{Expr, Node};
use super::select::Scan;
use crate::data::Rows;
use crate::data::generated::{Generated, Source, code, pick};
use crate::types::SqlType;
use crate::types::value::Value;
use crate::wire::encode::{ResultColumn, put_value};

/// A plan that writes whole rows.
#[derive(Debug)]
pub(crate) struct FastRows {
    generated: Generated,
    columns: Vec<FastColumn>,
}

#[derive(Debug)]
enum FastColumn {
    /// The row's number in this many bytes, with its length before it where the column may be NULL.
    Number(usize, bool),
    Code,
    /// Values as they go over the wire, `None` for NULL.
    Pool(u64, Vec<Option<Vec<u8>>>),
}

impl FastRows {
    /// The plan of a scan, if it reads a generated table, filters nothing, and
    /// every column depends on one source column at most.
    pub(crate) fn of(scan: &Scan, columns: &[ResultColumn]) -> Option<FastRows> {
        let Rows::Generated(generated) = &scan.table.rows else {
            return None;
        };
        if scan.filter.is_some() {
            return None;
        }
        let width = scan.table.columns.len();
        let planned = scan.projection.iter().zip(columns).map(|(expr, column)| fast_column(expr, column, generated, width));
        Some(FastRows { generated: generated.clone(), columns: planned.collect::<Option<_>>()? })
    }

    /// Appends a row.
    pub(crate) fn put(&self, out: &mut Vec<u8>, at: u64) {
        let changed = self.generated.is_changed(at);
        let start = out.len();
        let bitmap = self.columns.len().div_ceil(8);
        out.push(0xD2);
        out.resize(start + 1 + bitmap, 0);
        for (index, column) in self.columns.iter().enumerate() {
            match column {
                FastColumn::Number(bytes, sized) => {
                    if *sized {
                        out.push(*bytes as u8);
                    }
                    out.extend_from_slice(&(at + 1).to_le_bytes()[..*bytes]);
                }
                FastColumn::Code => {
                    let mut text = [0u8; 22];
                    text[0] = 20;
                    for (unit, byte) in code(at).iter().enumerate() {
                        text[2 + unit * 2] = *byte;
                    }
                    out.extend_from_slice(&text);
                }
                FastColumn::Pool(salt, values) => match &values[pick(at, *salt, changed, values.len())] {
                    Some(bytes) => out.extend_from_slice(bytes),
                    None => out[start + 1 + index / 8] |= 1 << (index % 8),
                },
            }
        }
    }
}

fn fast_column(expr: &Expr, column: &ResultColumn, generated: &Generated, width: usize) -> Option<FastColumn> {
    let mut read = Vec::new();
    expr.columns(&mut read);
    read.dedup();
    let &[source] = read.as_slice() else {
        return None;
    };
    match (&generated.columns[source], &expr.node) {
        (Source::Number, Node::Column(_)) => Some(FastColumn::Number(column.ty.sizes().0 as usize, column.nullable)),
        (Source::Code, Node::Column(_)) if matches!(column.ty, SqlType::NVarChar(_)) => Some(FastColumn::Code),
        (Source::Pool(salt, values), _) => {
            let mut row = vec![Value::Null; width];
            let encoded = values.iter().map(|value| {
                row[source] = value.clone();
                let value = expr.eval(&row).ok()?;
                let mut bytes = Vec::new();
                if !value.is_null() {
                    put_value(&mut bytes, column.ty, column.nullable, &value);
                }
                Some((!value.is_null()).then_some(bytes))
            });
            Some(FastColumn::Pool(*salt, encoded.collect::<Option<_>>()?))
        }
        _ => None,
    }
}
