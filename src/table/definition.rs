//! What a source table has beside columns and rows: identity, defaults, comments, indexes, foreign keys. As read; nothing here is understood yet.

use super::SourceTable;

/// What a target that is to be made takes over. Empty where it was not asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceDefinition {
    /// The table's comment.
    pub comment: Option<String>,
    /// The columns that have more than a type.
    pub columns: Vec<ColumnDefinition>,
    /// All indexes, the primary key's included.
    pub indexes: Vec<SourceIndex>,
    /// What the source would not say, and what is therefore missing: sentences for the report.
    pub withheld: Vec<String>,
}

impl SourceDefinition {
    /// What is known of the column of this name, beside its type.
    pub fn column(&self, name: &str) -> Option<&ColumnDefinition> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// What a column has beside its type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnDefinition {
    /// Its name, as the catalogue spells it.
    pub name: String,
    /// How it numbers rows, where it does.
    pub identity: Option<SourceIdentity>,
    /// The source's expression for rows that do not name it.
    pub default: Option<String>,
    /// The expression that it is computed by; empty where the source does not show it.
    pub computed: Option<String>,
    /// Its comment.
    pub comment: Option<String>,
}

/// How a column numbers rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceIdentity {
    /// The first number.
    pub seed: i128,
    /// The step, which may be negative.
    pub increment: i128,
    /// The number given last, where one was.
    pub last: Option<i128>,
}

/// How an index is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexForm {
    /// Rows in the order of its columns, or found by their hash.
    Rows,
    /// Columns apart.
    Columnstore,
    /// Over XML.
    Xml,
    /// Over geometry.
    Spatial,
    /// One that this version does not know.
    Other,
}

/// One index of a source table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceIndex {
    /// Its name.
    pub name: String,
    /// How it is built.
    pub form: IndexForm,
    /// Whether no two rows have the same key.
    pub unique: bool,
    /// Whether NULL counts as a value there.
    pub nulls_equal: bool,
    /// Whether it stands behind a UNIQUE constraint.
    pub constraint: bool,
    /// Whether it is the primary key's.
    pub primary: bool,
    /// Whether it is switched off, or was never really there.
    pub inactive: bool,
    /// The rows that it holds, where not all; empty where the source does not show it.
    pub filter: Option<String>,
    /// The key's columns, in order, and whether each descends.
    pub key: Vec<(String, bool)>,
    /// Columns carried along.
    pub included: Vec<String>,
}

/// One foreign key of a source table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceForeignKey {
    /// Its name.
    pub name: String,
    /// The table that it points at, in the same database.
    pub references: SourceTable,
    /// Its columns, each with the column that it points at.
    pub columns: Vec<(String, String)>,
    /// What the source does beyond refusing when a row that is pointed at goes or changes (`ON DELETE CASCADE`).
    pub actions: Vec<String>,
    /// Whether it is switched off.
    pub disabled: bool,
}
