//! A row that the target cannot hold, as it is put aside.

/// What is kept of the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Its key as messages show it; none where the table has no key.
    pub key: Option<String>,
    /// The column whose value could not be written.
    pub column: String,
    /// Why.
    pub reason: String,
    /// The row as a JSON object: the source's column names, and text, numbers, true, false and null.
    pub row: String,
    /// The key's values as one row of binary COPY; none where the table has no key, or the target cannot hold its values.
    pub key_fields: Option<Vec<u8>>,
}

impl BadRow {
    /// What messages call it: its key, its column, and why.
    pub fn named(&self) -> String {
        match &self.key {
            Some(key) => format!("row {key}, column {}: {}", self.column, self.reason),
            None => format!("a row of a table without a key, column {}: {}", self.column, self.reason),
        }
    }
}
