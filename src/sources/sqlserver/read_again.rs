//! Values in which the driver may have put U+FFFD for what it could not decode, read again as their bytes: by key, on a connection of their own.

use tiberius::{ColumnData, Row, ToSql};

use super::cell::is_null;
use super::client::{Connection, Origin};
use super::decode::ReadAgain;
use super::text::TextForm;
use super::types::SqlServerTable;
use crate::sources::Selection;
use crate::table::{BadText, TsqlIdent};

/// So many values are read again one by one; where there are more, reading the whole table as bytes is quicker.
const VALUES_MAX: usize = 1_000;
/// A row that somebody holds for longer is not waited for: its writer may be waiting for the read that is under way.
const SET_PATIENCE: &str = "SET LOCK_TIMEOUT 5000";

/// Reads values of one table again.
#[derive(Debug)]
pub(super) struct ReadingAgain<'a> {
    origin: &'a Origin,
    selection: &'a Selection,
    described: &'a SqlServerTable,
    connection: Option<Connection>,
    values: usize,
}

/// Why a value could not be made sure of: all text must be read as bytes.
#[derive(Debug)]
pub(super) struct Unsure(pub(super) String);

impl<'a> ReadingAgain<'a> {
    pub(super) fn new(origin: &'a Origin, selection: &'a Selection, described: &'a SqlServerTable) -> Self {
        Self { origin, selection, described, connection: None, values: 0 }
    }

    /// The bytes of these columns of the row, if they are still those that were delivered.
    pub(super) async fn bytes_of(&mut self, row: &Row, columns: Vec<usize>) -> Result<Vec<ReadAgain>, Unsure> {
        self.values += columns.len();
        if self.values > VALUES_MAX {
            return Err(Unsure(format!("more than {VALUES_MAX} values hold U+FFFD")));
        }
        let (conditions, parameters) = self.key_of(row)?;
        let sql = self.selection.sql_of_row(self.described, &columns, &conditions);
        let parameters: Vec<&dyn ToSql> = parameters.iter().map(|parameter| parameter as &dyn ToSql).collect();
        let rows = self.ask(&sql, &parameters).await?;
        let [again] = rows.as_slice() else {
            return Err(Unsure(format!("{} rows were found again under one key", rows.len())));
        };
        let form = |column: usize| Some(self.described.text(self.selection.columns.get(column)?)?.form);
        let cells = columns.into_iter().zip(again.cells());
        let bytes = cells.map(|(column, (_, data))| match (data, row.cells().nth(column), form(column)) {
            (ColumnData::Binary(Some(bytes)), Some((_, ColumnData::String(Some(delivered)))), Some(form))
                if decodes_to(form, bytes, delivered) =>
            {
                Ok((column, bytes.to_vec()))
            }
            _ => Err(Unsure("a row was changed while it was read".to_owned())),
        });
        bytes.collect()
    }

    /// The conditions that find the row again, and their parameters.
    fn key_of<'r>(&self, row: &'r Row) -> Result<(Vec<String>, Vec<Parameter<'r>>), Unsure> {
        let unusable = || Unsure("the table has no key by which a row is found again".to_owned());
        let mut conditions = Vec::new();
        let mut parameters = Vec::new();
        for &position in &self.selection.key {
            let column = self.selection.columns.get(position).ok_or_else(unusable)?;
            let (_, data) = row.cells().nth(position).ok_or_else(unusable)?;
            if is_null(data) {
                return Err(unusable());
            }
            if matches!(data, ColumnData::String(Some(text)) if text.contains(char::REPLACEMENT_CHARACTER)) {
                // Another row may hold U+FFFD where this one is broken.
                return Err(Unsure("a key holds U+FFFD".to_owned()));
            }
            parameters.push(Parameter(data));
            let declared = self.described.description.columns.iter().find(|other| other.name == column.name).map(|other| &*other.declared);
            let parameter = parameter(parameters.len(), declared.unwrap_or_default(), data);
            conditions.push(format!("{} = {parameter}", TsqlIdent(&column.name)));
        }
        if conditions.is_empty() { Err(unusable()) } else { Ok((conditions, parameters)) }
    }

    async fn ask(&mut self, sql: &str, parameters: &[&dyn ToSql]) -> Result<Vec<Row>, Unsure> {
        // Whatever goes wrong here does not fail the table: reading all text as bytes needs no second connection.
        let unsure = |error: crate::error::SyncError| Unsure(error.to_string());
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let mut opened = Box::pin(self.origin.open_another()).await.map_err(unsure)?;
                opened.run(SET_PATIENCE, "set the lock timeout").await.map_err(unsure)?;
                none.insert(opened)
            }
        };
        connection.rows(sql, parameters, "read a row again").await.map_err(unsure)
    }
}

/// The parameter of this number, of the column's own type where the driver would send another: text goes as nvarchar, and a varchar's index is of no use to
/// that; money comes as decimal.
fn parameter(number: usize, declared: &str, data: &ColumnData<'_>) -> String {
    let is_ascii = matches!(data, ColumnData::String(Some(text)) if text.is_ascii());
    let narrow = declared.starts_with("varchar(") || declared.starts_with("char(");
    if (narrow && is_ascii) || matches!(declared, "money" | "smallmoney") {
        format!("CAST(@P{number} AS {declared})")
    } else {
        format!("@P{number}")
    }
}

/// Whether these are the bytes that were delivered so, with U+FFFD for what is broken in them.
fn decodes_to(form: TextForm, bytes: &[u8], delivered: &str) -> bool {
    let mut decoded = String::new();
    form.decode(bytes, BadText::Replace, &mut decoded).is_ok() && decoded == delivered
}

/// A value of the row itself, sent as what it came as.
struct Parameter<'r>(&'r ColumnData<'static>);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> ColumnData<'_> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_of_the_columns_type_where_an_index_would_be_lost() {
        let text = |text: &'static str| ColumnData::String(Some(text.into()));
        assert_eq!(parameter(1, "varchar(20)", &text("abc")), "CAST(@P1 AS varchar(20))");
        // The cast would be to the database's code page, not the column's.
        assert_eq!(parameter(1, "varchar(20)", &text("日本")), "@P1");
        assert_eq!(parameter(2, "nvarchar(20)", &text("abc")), "@P2");
        assert_eq!(parameter(1, "int", &ColumnData::I32(Some(1))), "@P1");
        assert_eq!(
            parameter(1, "money", &ColumnData::Numeric(Some(tiberius::numeric::Numeric::new_with_scale(1, 4)))),
            "CAST(@P1 AS money)"
        );
    }

    #[test]
    fn bytes_agree_when_only_what_is_broken_differs() {
        let utf16 = |units: &[u16]| units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<_>>();
        let wide = TextForm::Utf16;
        assert!(decodes_to(wide, &utf16(&[0x61, 0xD83D]), "a\u{FFFD}"));
        assert!(decodes_to(wide, &utf16(&[0xFFFD]), "\u{FFFD}"));
        assert!(!decodes_to(wide, &utf16(&[0x62, 0xD83D]), "a\u{FFFD}"));
        assert!(!decodes_to(wide, b"a", "a"));
        let utf8 = TextForm::of_code_page(65001).unwrap();
        assert!(decodes_to(utf8, b"a\xEF\xBF\xBD", "a\u{FFFD}"));
        assert!(decodes_to(utf8, b"a\xFF", "a\u{FFFD}"));
        assert!(!decodes_to(utf8, b"b\xFF", "a\u{FFFD}"));
    }
}
