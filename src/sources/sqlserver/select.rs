//! The SELECT list, column by column from the catalogue: what the driver cannot decode exactly is converted on the server.

use super::types::{SqlServerTable, TextColumn};
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
    /// What is selected of the quoted `column`, without a name.
    pub(super) fn value(self, column: &str) -> String {
        match self {
            SelectForm::Plain => column.to_owned(),
            SelectForm::Cast(as_type) => format!("CAST({column} AS {as_type})"),
            SelectForm::CastText(Some(chars)) => format!("CAST({column} AS nvarchar({}))", chars.max(1)),
            SelectForm::CastText(None) => format!("CAST({column} AS nvarchar(max))"),
        }
    }

    pub(super) fn expression(self, name: &str) -> String {
        let column = TsqlIdent(name).to_string();
        let value = self.value(&column);
        if value == column { column } else { format!("{value} AS {column}") }
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

impl SelectColumn {
    /// The bytes of the column's text, as they are stored or as the server converts them.
    pub(super) fn bytes_expression(&self, form: SelectForm, text: TextColumn) -> String {
        let column = TsqlIdent(&self.name).to_string();
        format!("CAST({} AS {}) AS {column}", form.value(&column), text.bytes_type)
    }
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
    ///
    /// With `text_as_bytes` the driver decodes no text.
    pub(super) fn sql(&self, described: &SqlServerTable, text_as_bytes: bool) -> String {
        let expression = |column: &SelectColumn| match described.text(&column.name).filter(|_| text_as_bytes) {
            Some(text) => column.bytes_expression(described.form(&column.name), text),
            None => described.form(&column.name).expression(&column.name),
        };
        let columns: Vec<_> = self.columns.iter().map(expression).collect();
        format!("SELECT {} FROM {}{}; SELECT ROWCOUNT_BIG()", columns.join(", "), self.table, self.hint())
    }

    /// The statement that reads the bytes of some columns of one row again; `conditions` are those of its key.
    pub(super) fn sql_of_row(&self, described: &SqlServerTable, columns: &[usize], conditions: &[String]) -> String {
        let expression = |&position: &usize| {
            let column = &self.columns[position];
            Some(column.bytes_expression(described.form(&column.name), described.text(&column.name)?))
        };
        let columns: Vec<_> = columns.iter().filter_map(expression).collect();
        format!("SELECT {} FROM {}{} WHERE {}", columns.join(", "), self.table, self.hint(), conditions.join(" AND "))
    }

    fn hint(&self) -> &'static str {
        match self.isolation {
            Isolation::NoLock => " WITH (NOLOCK)",
            Isolation::ReadCommitted | Isolation::Snapshot => "",
        }
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
        assert_eq!(selection.sql(&described, false), "SELECT [a]]b] FROM [db].[s].[t]; SELECT ROWCOUNT_BIG()");
        selection.isolation = Isolation::NoLock;
        assert_eq!(selection.sql(&described, false), "SELECT [a]]b] FROM [db].[s].[t] WITH (NOLOCK); SELECT ROWCOUNT_BIG()");
    }
}
