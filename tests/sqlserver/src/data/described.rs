//! What a table's definition says besides columns and rows: identity, defaults, indexes, foreign keys, comments.

use super::builder::TableDef;
use super::definition::{ForeignKeyDef, IndexDef};

impl TableDef {
    /// Makes the last column an identity of this seed and increment.
    pub fn identity_of(self, seed: i64, increment: i64) -> Self {
        self.identity().last(|column| column.identity_of = (seed, increment))
    }

    /// Sets the last value that the last column's identity gave out; without it, the furthest value that stands in the table.
    pub fn identity_last(self, value: i64) -> Self {
        self.last(|column| column.identity_last = Some(value))
    }

    /// Gives the last column a default, as the catalogue shows it: `((0))`, `(getdate())`, `(N'x')`.
    pub fn default_of(self, definition: &str) -> Self {
        self.last(|column| column.default = Some(definition.to_owned()))
    }

    /// Makes the last column a computed one whose values are stored; they are given with the rows.
    pub fn persisted(self, definition: &str) -> Self {
        self.computed(definition).last(|column| column.persisted = true)
    }

    /// Makes the last column the start (1) or the end (2) of a row's period.
    pub fn generated_always(self, kind: u8) -> Self {
        self.last(|column| column.generated_always = kind)
    }

    /// Hides the last column from `SELECT *`.
    pub fn hidden(self) -> Self {
        self.last(|column| column.hidden = true)
    }

    /// Marks the last column ROWGUIDCOL.
    pub fn row_guid(self) -> Self {
        self.last(|column| column.row_guid = true)
    }

    /// Gives the last column a comment (extended property `MS_Description`).
    pub fn comment(self, text: &str) -> Self {
        self.last(|column| column.comment = Some(text.to_owned()))
    }

    /// Gives the table a comment.
    pub fn table_comment(mut self, text: &str) -> Self {
        self.table.comment = Some(text.to_owned());
        self
    }

    /// Names the primary key, else `PK_` and the table's name.
    pub fn key_name(mut self, name: &str) -> Self {
        self.table.key_name = Some(name.to_owned());
        self
    }

    /// Adds an index.
    pub fn index(mut self, index: IndexDef) -> Self {
        self.table.indexes.push(index);
        self
    }

    /// Adds a foreign key.
    pub fn foreign_key(mut self, key: ForeignKeyDef) -> Self {
        self.table.foreign_keys.push(key);
        self
    }

    /// What the indexes and foreign keys name wrongly.
    pub(super) fn misnamed(&self) -> Option<String> {
        let of_indexes = self.table.indexes.iter().flat_map(|index| index.columns.iter().map(|(name, _)| name).chain(&index.included));
        let mut named = of_indexes.chain(self.table.foreign_keys.iter().flat_map(|key| &key.columns));
        named.find(|name| self.table.position(name).is_none()).map(|name| format!("no column {name} for an index or foreign key"))
    }
}
