//! A table as a test describes it.

use std::sync::Arc;

use super::generated::{Formula, Generated, Source};
use super::{Column, Row, Rows, Table};
use crate::types::SqlType;
use crate::types::collation::{self, Collation};
use crate::types::value::Value;

/// The definition of a table: columns by their T-SQL types, the key, the rows.
/// Mistakes in it are reported by [`crate::Builder::start`].
#[derive(Clone, Debug)]
pub struct TableDef {
    pub(crate) database: String,
    pub(crate) collation: &'static Collation,
    pub(crate) mistake: Option<String>,
    pub(super) table: Table,
    key: Vec<String>,
    given: Vec<Row>,
}

impl TableDef {
    /// A table without columns.
    pub fn new(database: &str, schema: &str, name: &str) -> Self {
        TableDef {
            database: database.to_owned(),
            collation: collation::DEFAULT,
            mistake: None,
            table: Table::computed(schema, name, Vec::new(), Vec::new()),
            key: Vec::new(),
            given: Vec::new(),
        }
    }

    /// The collation of the columns that follow.
    pub fn collation(mut self, name: &str) -> Self {
        match collation::find(name) {
            Some(found) => self.collation = found,
            None => self.mistake = Some(format!("unknown collation {name}")),
        }
        self
    }

    /// Adds a column that may be NULL, of a type as T-SQL writes it.
    pub fn column(self, name: &str, ty: &str) -> Self {
        self.push(name, ty, true)
    }

    /// Adds a NOT NULL column.
    pub fn required(self, name: &str, ty: &str) -> Self {
        self.push(name, ty, false)
    }

    fn push(mut self, name: &str, ty: &str, nullable: bool) -> Self {
        match SqlType::parse(ty) {
            Some(ty) => self.table.add_column(Column::new(name, ty, self.collation, nullable)),
            None => self.mistake = Some(format!("unknown type {ty} of column {name}")),
        }
        self
    }

    /// Makes the last column an identity.
    pub fn identity(self) -> Self {
        self.last(|column| column.identity = true)
    }

    /// Makes the last column a computed one; its values are still given with the rows.
    pub fn computed(self, definition: &str) -> Self {
        self.last(|column| column.computed = Some(definition.to_owned()))
    }

    /// Gives the last column an alias type.
    pub fn alias_type(self, name: &str) -> Self {
        self.last(|column| column.alias_type = Some(name.to_owned()))
    }

    /// Marks the last column as Always Encrypted.
    pub fn encrypted(self) -> Self {
        self.last(|column| column.encrypted = true)
    }

    /// Masks the last column (`MASKED WITH (FUNCTION = 'default()')`); its values stay as they are given.
    pub fn masked(self) -> Self {
        self.last(|column| column.masked = true)
    }

    pub(super) fn last(mut self, change: impl FnOnce(&mut Column)) -> Self {
        if let Some(column) = self.table.columns.last_mut() {
            change(column);
        }
        self
    }

    /// Sets the clustered primary key.
    pub fn key(mut self, columns: &[&str]) -> Self {
        self.key = columns.iter().map(|&column| column.to_owned()).collect();
        self
    }

    /// Declares a view: no key, type `V`.
    pub fn view(mut self) -> Self {
        self.table.is_view = true;
        self
    }

    /// Adds a row; its values are converted to the columns' types. A NULL in a NOT NULL rowversion column is given the next rowversion.
    pub fn row(mut self, values: impl IntoIterator<Item = Value>) -> Self {
        self.given.push(values.into_iter().collect());
        self
    }

    /// So many rows, of which `value` computes each value when it is asked for, from the row's position and the column's, both from 0. It must fit its
    /// column as it is, and the rows must come in the order of the key.
    pub fn generated(self, rows: u64, value: impl Fn(u64, usize) -> Value + Send + Sync + 'static) -> Self {
        let formula = Formula(Arc::new(value));
        let columns = self.table.columns.iter().map(|_| Source::Formula(formula.clone())).collect();
        self.with_rows(Rows::Generated(Generated { rows, columns: Arc::new(columns), changed: 0 }))
    }

    pub(crate) fn with_rows(mut self, rows: Rows) -> Self {
        self.table.rows = rows;
        self
    }

    /// The table, or what is wrong with its definition.
    pub(crate) fn build(self) -> Result<Table, String> {
        let misnamed = self.misnamed();
        let mut table = self.table;
        if let Some(mistake) = self.mistake.or(misnamed) {
            return Err(format!("table {}: {mistake}", table.name));
        }
        for name in &self.key {
            table.key.push(table.position(name).ok_or_else(|| format!("table {}: no key column {name}", table.name))?);
        }
        for row in self.given {
            let row = table.fit_first(row).map_err(|error| format!("table {}: {}", table.name, error.message))?;
            table.stored().push(row);
        }
        if matches!(table.rows, Rows::Stored(_)) && !table.key.is_empty() {
            table.sort();
        }
        Ok(table)
    }
}
