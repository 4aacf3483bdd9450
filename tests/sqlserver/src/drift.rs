//! A table's columns changed under the readers' hands, as ALTER TABLE does. A read that has begun keeps what it began with.

use std::sync::Arc;

use crate::data::generated::{Formula, Source};
use crate::data::{Column, Row, Rows, Table};
use crate::handle::TableHandle;
use crate::sql::error::SqlError;
use crate::types::SqlType;
use crate::types::cast::{Conversion, cast};
use crate::types::value::Value;

impl TableHandle {
    /// Adds a column that may be NULL, with this value in every row, behind the others and under an id of its own.
    pub fn add_column(&self, name: &str, ty: &str, value: Value) -> Result<(), SqlError> {
        self.redefine(|table| {
            if table.position(name).is_some() {
                let message = format!("Column names in each table must be unique. Column name '{name}' is specified more than once.");
                return Err(SqlError::new(2705, 16, message));
            }
            let collation = table.columns.last().map_or(crate::types::collation::DEFAULT, |column| column.collation);
            let column = Column::new(name, parse(ty)?, collation, true);
            let value = column.fit(value)?;
            table.add_column(column);
            match &mut table.rows {
                Rows::Generated(generated) => Arc::make_mut(&mut generated.columns).push(Source::Pool(0, vec![value])),
                Rows::Stored(rows) => Arc::make_mut(rows).iter_mut().for_each(|row| row.push(value.clone())),
            }
            Ok(())
        })
    }

    /// Renames a column, which keeps its id.
    pub fn rename_column(&self, column: &str, name: &str) -> Result<(), SqlError> {
        self.redefine(|table| {
            let at = position(table, column)?;
            let old = std::mem::replace(&mut table.columns[at].name, name.to_owned());
            let of_indexes =
                table.indexes.iter_mut().flat_map(|index| index.columns.iter_mut().map(|(name, _)| name).chain(&mut index.included));
            for named in of_indexes.chain(table.foreign_keys.iter_mut().flat_map(|key| &mut key.columns)) {
                if named.eq_ignore_ascii_case(&old) {
                    name.clone_into(named);
                }
            }
            Ok(())
        })
    }

    /// Drops a column that nothing depends on: neither the key nor an index nor a foreign key.
    pub fn drop_column(&self, column: &str) -> Result<(), SqlError> {
        self.redefine(|table| {
            let at = position(table, column)?;
            let mut of_indexes = table.indexes.iter().flat_map(|index| index.columns.iter().map(|(name, _)| name).chain(&index.included));
            let used = table.key.contains(&at)
                || of_indexes.any(|name| name.eq_ignore_ascii_case(column))
                || table.foreign_keys.iter().flat_map(|key| &key.columns).any(|name| name.eq_ignore_ascii_case(column));
            if used {
                let message = format!("ALTER TABLE DROP COLUMN {column} failed because one or more objects access this column.");
                return Err(SqlError::new(4922, 16, message));
            }
            table.columns.remove(at);
            table.key.iter_mut().filter(|key| **key > at).for_each(|key| *key -= 1);
            match &mut table.rows {
                Rows::Generated(generated) => {
                    let sources = Arc::make_mut(&mut generated.columns);
                    sources.remove(at);
                    sources[at..].iter_mut().for_each(shift);
                }
                Rows::Stored(rows) => Arc::make_mut(rows).iter_mut().for_each(|row| {
                    row.remove(at);
                }),
            }
            Ok(())
        })
    }

    /// Gives a column another type, and its values with it; a value that does not convert refuses the change.
    pub fn retype_column(&self, column: &str, ty: &str) -> Result<(), SqlError> {
        self.redefine(|table| {
            let at = position(table, column)?;
            let old = table.columns[at].clone();
            let retyped = Column { ty: parse(ty)?, ..old.clone() };
            let how = Conversion { from: old.ty, from_collation: old.collation, to: retyped.ty, to_collation: old.collation, style: None };
            if !stays(table, at, &retyped, &how)? {
                let rows: Vec<Row> = (0..table.rows.len())
                    .map(|row| {
                        let mut row = table.rows.row(row);
                        row[at] = cast(&row[at], &how)?;
                        Ok(row)
                    })
                    .collect::<Result<_, SqlError>>()?;
                table.rows = Rows::Stored(Arc::new(rows));
            }
            table.columns[at] = retyped;
            if table.key.contains(&at) && matches!(table.rows, Rows::Stored(_)) {
                table.sort();
            }
            Ok(())
        })
    }

    /// Lets a column be NULL, or no longer.
    pub fn set_nullable(&self, column: &str, nullable: bool) -> Result<(), SqlError> {
        self.redefine(|table| {
            let at = position(table, column)?;
            table.columns[at].nullable = nullable;
            Ok(())
        })
    }
}

/// A formula goes on being asked for the column that it was written for.
fn shift(source: &mut Source) {
    if let Source::Formula(Formula(value)) = source {
        let value = Arc::clone(value);
        *source = Source::Formula(Formula(Arc::new(move |row, column| value(row, column + 1))));
    }
}

/// Whether a generated table can go on being generated: a pool of values is converted, a number stays one among integers.
fn stays(table: &mut Table, at: usize, retyped: &Column, how: &Conversion) -> Result<bool, SqlError> {
    let Rows::Generated(generated) = &mut table.rows else {
        return Ok(false);
    };
    match &mut Arc::make_mut(&mut generated.columns)[at] {
        Source::Number if matches!(retyped.ty, SqlType::SmallInt | SqlType::Int | SqlType::BigInt) => Ok(true),
        Source::Code if matches!(retyped.ty, SqlType::NVarChar(_)) => Ok(true),
        Source::Pool(_, values) => {
            *values = values.iter().map(|value| cast(value, how)).collect::<Result<_, _>>()?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn position(table: &Table, column: &str) -> Result<usize, SqlError> {
    table.position(column).ok_or_else(|| SqlError::unknown_column(column))
}

fn parse(ty: &str) -> Result<SqlType, SqlError> {
    SqlType::parse(ty).ok_or_else(|| SqlError::new(2715, 16, format!("Cannot find data type {ty}.")))
}
