//! Indexes and foreign keys as a test describes them.

/// An index besides the primary key's.
#[derive(Clone, Debug)]
pub struct IndexDef {
    pub(crate) name: String,
    pub(crate) columns: Vec<(String, bool)>,
    pub(crate) included: Vec<String>,
    pub(crate) unique: bool,
    pub(crate) constraint: bool,
    pub(crate) filter: Option<String>,
    pub(crate) disabled: bool,
    pub(crate) hypothetical: bool,
    /// `type` in `sys.indexes`.
    pub(crate) kind: u8,
}

impl IndexDef {
    /// A nonclustered index of these columns, ascending.
    pub fn new(name: &str, columns: &[&str]) -> Self {
        IndexDef {
            name: name.to_owned(),
            columns: columns.iter().map(|&column| (column.to_owned(), false)).collect(),
            included: Vec::new(),
            unique: false,
            constraint: false,
            filter: None,
            disabled: false,
            hypothetical: false,
            kind: 2,
        }
    }

    /// Adds a key column in descending order.
    pub fn descending(mut self, column: &str) -> Self {
        self.columns.push((column.to_owned(), true));
        self
    }

    /// Adds a column that is stored and not sorted by.
    pub fn include(mut self, column: &str) -> Self {
        self.included.push(column.to_owned());
        self
    }

    /// Makes it unique.
    pub fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// Makes it the index of a UNIQUE constraint.
    pub fn constraint(mut self) -> Self {
        self.constraint = true;
        self.unique()
    }

    /// Sets the filter as the catalogue shows it, `([a] IS NOT NULL)`.
    pub fn filter(mut self, definition: &str) -> Self {
        self.filter = Some(definition.to_owned());
        self
    }

    /// Disables it.
    pub fn disabled(mut self) -> Self {
        self.disabled = true;
        self
    }

    /// Makes it one of the tuning adviser's that do not exist.
    pub fn hypothetical(mut self) -> Self {
        self.hypothetical = true;
        self
    }

    /// Sets the `type` of `sys.indexes`: 2 nonclustered, 3 XML, 4 spatial, 5 clustered columnstore, 6 nonclustered columnstore, 7 hash.
    pub fn kind(mut self, kind: u8) -> Self {
        self.kind = kind;
        self
    }
}

/// A foreign key.
#[derive(Clone, Debug)]
pub struct ForeignKeyDef {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    pub(crate) schema: String,
    pub(crate) table: String,
    pub(crate) referenced: Vec<String>,
    pub(crate) on_delete: u8,
    pub(crate) on_update: u8,
    pub(crate) disabled: bool,
    pub(crate) untrusted: bool,
}

impl ForeignKeyDef {
    /// A foreign key of these columns to those of a table of the same database, which may come later.
    pub fn new(name: &str, columns: &[&str], (schema, table): (&str, &str), referenced: &[&str]) -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        ForeignKeyDef {
            name: name.to_owned(),
            columns: owned(columns),
            schema: schema.to_owned(),
            table: table.to_owned(),
            referenced: owned(referenced),
            on_delete: 0,
            on_update: 0,
            disabled: false,
            untrusted: false,
        }
    }

    /// Sets the actions as the catalogue numbers them: 0 none, 1 cascade, 2 set NULL, 3 set default.
    pub fn actions(mut self, on_delete: u8, on_update: u8) -> Self {
        (self.on_delete, self.on_update) = (on_delete, on_update);
        self
    }

    /// Disables it.
    pub fn disabled(mut self) -> Self {
        self.disabled = true;
        self
    }

    /// Says that rows were not checked against it.
    pub fn untrusted(mut self) -> Self {
        self.untrusted = true;
        self
    }
}
