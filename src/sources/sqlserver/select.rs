//! The SELECT list, column by column from the catalogue: what the driver cannot decode exactly is converted on the server.

use super::range;
use super::text::TextForm;
use super::types::{SqlServerTable, TextColumn};
use super::window;
use crate::copy::Encoding;
use crate::sources::{SelectColumn, Selection};
use crate::table::{ColumnPart, Isolation, TsqlIdent, Window};

/// How the value of one column is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SelectForm {
    /// As it is.
    Plain,
    /// Converted to this type.
    Cast(&'static str),
    /// Converted to `nvarchar` of this many characters, or `max`.
    CastText(Option<u32>),
    /// A `sql_variant` as text, by the type of each value.
    Variant,
    /// A `hierarchyid` as text.
    Path,
    /// A `geometry` as well-known binary.
    Geometry,
    /// A `geography` as well-known binary, which for the whole globe holds its number alone.
    Geography,
}

impl SelectForm {
    /// The expression of a value that is written as `encoding`.
    fn value(self, column: &str, encoding: Encoding) -> String {
        match self {
            SelectForm::Plain => column.to_owned(),
            SelectForm::Cast(as_type) => format!("CAST({column} AS {as_type})"),
            SelectForm::CastText(Some(chars)) => format!("CAST({column} AS nvarchar({}))", chars.max(1)),
            SelectForm::CastText(None) => format!("CAST({column} AS nvarchar(max))"),
            SelectForm::Variant => variant(column),
            SelectForm::Path => format!("{column}.ToString()"),
            SelectForm::Geometry => with_srid(column, format!("{column}.AsBinaryZM()"), encoding),
            SelectForm::Geography => {
                let wkb = format!("CASE WHEN {column}.STGeometryType() = N'FullGlobe' THEN 0x017E000000 ELSE {column}.AsBinaryZM() END");
                with_srid(column, wkb, encoding)
            }
        }
    }

    /// What the server does to a value before it sends it, for the plan.
    pub(super) fn sentence(self) -> Option<String> {
        match self {
            SelectForm::Plain => None,
            SelectForm::Cast(as_type) => Some(format!("cast to {as_type} at the source")),
            SelectForm::CastText(Some(chars)) => Some(format!("cast to nvarchar({}) at the source", chars.max(1))),
            SelectForm::CastText(None) => Some("cast to nvarchar(max) at the source".to_owned()),
            SelectForm::Variant => Some("made text at the source, by each value's own type".to_owned()),
            SelectForm::Path => Some("made text at the source".to_owned()),
            SelectForm::Geometry | SelectForm::Geography => Some("made well-known binary at the source".to_owned()),
        }
    }
}

/// The types that a `sql_variant`'s value may have and whose text would lose something, or follow the server's language, without a style: each with the
/// type to cast to and the style, which are those of
/// <https://learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql>. Style 3 has all digits of a float since SQL Server 2016.
const STYLED: [(&str, &str, u8); 10] = [
    ("N'real'", "real", 3),
    ("N'float'", "float", 3),
    ("N'money', N'smallmoney'", "money", 2),
    ("N'binary', N'varbinary'", "varbinary(8000)", 1),
    ("N'date'", "date", 121),
    ("N'time'", "time", 121),
    ("N'datetime'", "datetime", 121),
    ("N'smalldatetime'", "smalldatetime", 121),
    ("N'datetime2'", "datetime2", 121),
    ("N'datetimeoffset'", "datetimeoffset", 121),
];

fn variant(column: &str) -> String {
    let base_type = format!("CAST(SQL_VARIANT_PROPERTY({column}, 'BaseType') AS nvarchar(128))");
    let styled = STYLED.map(|(names, as_type, style)| {
        format!("WHEN {base_type} IN ({names}) THEN CONVERT(nvarchar(max), CAST({column} AS {as_type}), {style})")
    });
    format!("CASE {} ELSE CONVERT(nvarchar(max), {column}) END", styled.join(" "))
}

/// PostGIS's form needs the SRID with the shape: four bytes before it.
fn with_srid(column: &str, wkb: String, encoding: Encoding) -> String {
    if encoding == Encoding::Ewkb { format!("CAST({column}.STSrid AS varbinary(4)) + {wkb}") } else { wkb }
}

impl SelectColumn {
    /// The bytes of the column's text, as they are stored or as the server converts them.
    fn bytes_expression(&self, of: &str, form: SelectForm, text: TextColumn) -> String {
        let name = TsqlIdent(&self.name);
        let column = format!("{of}{name}");
        let value = match text.form {
            TextForm::Utf16 => form.value(&column, self.encoding),
            TextForm::CodePage(_) => column,
        };
        format!("CAST({value} AS {}) AS {name}", text.bytes_type)
    }

    /// The expression; `of` is the alias of its table and a dot, or nothing.
    pub(super) fn expression(&self, of: &str, form: SelectForm) -> String {
        let column = format!("{of}{}", TsqlIdent(&self.name));
        let expression = match self.part {
            ColumnPart::Value => form.value(&column, self.encoding),
            ColumnPart::Offset => format!("DATEPART(TZOFFSET, {column})"),
            ColumnPart::Srid => format!("{column}.STSrid"),
        };
        if expression == column { column } else { format!("{expression} AS {}", TsqlIdent(&self.label())) }
    }
}

/// Where rows come from.
struct From {
    /// The alias of the selected columns' table and a dot, or nothing.
    of: &'static str,
    rows: String,
}

impl Selection {
    /// The one streaming statement, and after it the server's own count of the rows it sent: rows end early only in an error.
    ///
    /// With `text_as_bytes` the driver decodes no text.
    pub(super) fn sql(&self, described: &SqlServerTable, text_as_bytes: bool) -> String {
        let from = self.from(described);
        let expression = |column: &SelectColumn| match described.text(column).filter(|_| text_as_bytes) {
            Some(text) => column.bytes_expression(from.of, described.form(&column.name), text),
            None => column.expression(from.of, described.form(&column.name)),
        };
        let columns: Vec<_> = self.columns.iter().map(expression).collect();
        format!("SELECT {} FROM {}; SELECT ROWCOUNT_BIG()", columns.join(", "), from.rows)
    }

    fn from(&self, described: &SqlServerTable) -> From {
        let hint = self.hint();
        match &self.window {
            Some(Window::Changed { since, key }) => From { of: "t.", rows: window::changed(&self.table, *since, key) },
            Some(Window::Gone { since, key }) => From { of: "ct.", rows: window::gone(&self.table, *since, key) },
            Some(Window::Range(range)) => From { of: "", rows: format!("{}{hint}{}", self.table, window::filter(range, described)) },
            Some(Window::Later { column, than }) => {
                let ranges = self.ranges.as_deref().map(|ranges| format!(" AND ({})", range::condition(ranges))).unwrap_or_default();
                let later = window::later(&column.name, than, described);
                From { of: "", rows: format!("{}{hint} WHERE {later}{ranges}", self.table) }
            }
            None => {
                let rows = self.ranges.as_deref().map(|ranges| format!(" WHERE {}", range::condition(ranges))).unwrap_or_default();
                From { of: "", rows: format!("{}{hint}{rows}", self.table) }
            }
        }
    }

    /// The statement that reads the bytes of some columns of one row again; `conditions` are those of its key.
    pub(super) fn sql_of_row(&self, described: &SqlServerTable, columns: &[usize], conditions: &[String]) -> String {
        let expression = |&position: &usize| {
            let column = &self.columns[position];
            Some(column.bytes_expression("", described.form(&column.name), described.text(column)?))
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

    fn column(name: &str, part: ColumnPart, encoding: Encoding) -> SelectColumn {
        SelectColumn { name: name.to_owned(), part, encoding, required: false, cast: None }
    }

    #[test]
    fn a_columns_parts_have_expressions_and_names_of_their_own() {
        let selected = |part, encoding, form| column("c", part, encoding).expression("", form);
        let (text, bytes) = (Encoding::Text { chars_max: None }, Encoding::Wkb);
        assert_eq!(selected(ColumnPart::Offset, Encoding::Int2, SelectForm::Plain), "DATEPART(TZOFFSET, [c]) AS [c_offset]");
        assert_eq!(selected(ColumnPart::Srid, Encoding::Int4, SelectForm::Geometry), "[c].STSrid AS [c_srid]");
        assert_eq!(selected(ColumnPart::Value, bytes, SelectForm::Geometry), "[c].AsBinaryZM() AS [c]");
        assert_eq!(
            selected(ColumnPart::Value, Encoding::Ewkb, SelectForm::Geography),
            "CAST([c].STSrid AS varbinary(4)) + CASE WHEN [c].STGeometryType() = N'FullGlobe' THEN 0x017E000000 ELSE [c].AsBinaryZM() END AS [c]"
        );
        assert_eq!(selected(ColumnPart::Value, text, SelectForm::Path), "[c].ToString() AS [c]");
        let variant = selected(ColumnPart::Value, text, SelectForm::Variant);
        let float = "WHEN CAST(SQL_VARIANT_PROPERTY([c], 'BaseType') AS nvarchar(128)) IN (N'float') THEN CONVERT(nvarchar(max), CAST([c] AS float), 3)";
        assert!(
            variant.starts_with("CASE WHEN") && variant.contains(float) && variant.ends_with("ELSE CONVERT(nvarchar(max), [c]) END AS [c]")
        );
    }

    #[test]
    fn names_are_quoted_and_a_dirty_read_is_only_a_choice() {
        let described = SqlServerTable::new(Vec::new(), Vec::new(), None);
        let mut selection = Selection {
            table: "db.s.t".parse().unwrap(),
            columns: vec![column("a]b", ColumnPart::Value, Encoding::Int4)],
            key: vec![0],
            isolation: Isolation::ReadCommitted,
            time_zone: None,
            ranges: None,
            window: None,
        };
        assert_eq!(selection.sql(&described, false), "SELECT [a]]b] FROM [db].[s].[t]; SELECT ROWCOUNT_BIG()");
        selection.isolation = Isolation::NoLock;
        assert_eq!(selection.sql(&described, false), "SELECT [a]]b] FROM [db].[s].[t] WITH (NOLOCK); SELECT ROWCOUNT_BIG()");
    }
}
