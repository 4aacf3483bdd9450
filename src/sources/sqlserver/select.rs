//! The SELECT list, column by column from the catalogue: what the driver cannot decode exactly is converted on the server.

use super::types::SqlServerTable;
use crate::copy::Encoding;
use crate::table::{Isolation, SourceTable, TsqlIdent};

/// How one column is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SelectForm {
    /// As it is.
    Plain,
    /// Converted to this type.
    Cast(&'static str),
    /// Converted to `nvarchar` of this many characters, or `max`.
    CastText(Option<u32>),
}

impl SelectForm {
    pub(super) fn expression(self, name: &str) -> String {
        let column = TsqlIdent(name);
        match self {
            SelectForm::Plain => column.to_string(),
            SelectForm::Cast(as_type) => format!("CAST({column} AS {as_type}) AS {column}"),
            SelectForm::CastText(Some(chars)) => format!("CAST({column} AS nvarchar({})) AS {column}", chars.max(1)),
            SelectForm::CastText(None) => format!("CAST({column} AS nvarchar(max)) AS {column}"),
        }
    }
}

/// One column to read: its name in the catalogue, and the form it is written in.
#[derive(Debug, Clone)]
pub struct SelectColumn {
    /// The name.
    pub name: String,
    /// The form.
    pub encoding: Encoding,
    /// Whether the target column takes no NULL.
    pub required: bool,
}

/// What to read of a table.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The table.
    pub table: SourceTable,
    /// Its columns, in COPY order.
    pub columns: Vec<SelectColumn>,
    /// Positions in `columns` of the key, for messages.
    pub key: Vec<usize>,
    /// How the read is isolated.
    pub isolation: Isolation,
}

impl Selection {
    /// The one streaming statement, and after it the server's own count of the rows it sent: rows end early only in an error.
    pub(super) fn sql(&self, described: &SqlServerTable) -> String {
        let columns: Vec<_> = self.columns.iter().map(|column| described.form(&column.name).expression(&column.name)).collect();
        let hint = match self.isolation {
            Isolation::NoLock => " WITH (NOLOCK)",
            Isolation::ReadCommitted | Isolation::Snapshot => "",
        };
        format!("SELECT {} FROM {}{hint}; SELECT ROWCOUNT_BIG()", columns.join(", "), self.table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_a_dirty_read_is_only_a_choice() {
        let described = SqlServerTable::new(Vec::new(), Vec::new(), None);
        let mut selection = Selection {
            table: "db.s.t".parse().unwrap(),
            columns: vec![SelectColumn { name: "a]b".to_owned(), encoding: Encoding::Int4, required: false }],
            key: vec![0],
            isolation: Isolation::ReadCommitted,
        };
        assert_eq!(selection.sql(&described), "SELECT [a]]b] FROM [db].[s].[t]; SELECT ROWCOUNT_BIG()");
        selection.isolation = Isolation::NoLock;
        assert_eq!(selection.sql(&described), "SELECT [a]]b] FROM [db].[s].[t] WITH (NOLOCK); SELECT ROWCOUNT_BIG()");
    }
}
