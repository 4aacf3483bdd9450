//! A source table as a run saw it, kept to notice what changes between runs.

/// The columns of a source table, and what the table was told apart by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenTable {
    /// Which table at which source: another one is not compared.
    pub source: String,
    /// The number of the table, under which columns keep theirs; none for a view, whose columns are numbered anew with each change.
    pub object_id: Option<i32>,
    /// All columns, in catalogue order.
    pub columns: Vec<SeenColumn>,
}

/// One column as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenColumn {
    /// The number that it keeps when it is renamed.
    pub column_id: i32,
    /// Its name.
    pub name: String,
    /// Its type as declared.
    pub declared: String,
    /// Whether it could hold NULL.
    pub nullable: bool,
    /// The target column that held its values; none where it was not synced.
    pub target: Option<SeenTarget>,
}

/// A target column as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenTarget {
    /// Its name.
    pub name: String,
    /// Its type, and NOT NULL where it took none.
    pub declared: String,
}
