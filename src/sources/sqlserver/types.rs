//! SQL Server's types: from a catalogue row to what the values are and how they are selected.

use super::select::SelectForm;
use super::text::TextForm;
use crate::sources::SelectColumn;
use crate::table::{ColumnPart, SourceColumn, SourceDescription, ValueKind};

/// One row of `sys.columns`, as read.
#[derive(Debug, Clone)]
pub(super) struct RawColumn {
    pub(super) column_id: i32,
    pub(super) name: String,
    pub(super) user_type: String,
    pub(super) base_type: String,
    /// Bytes; -1 for `max`.
    pub(super) max_length: i16,
    pub(super) precision: u8,
    pub(super) scale: u8,
    pub(super) nullable: bool,
    pub(super) collation: Option<String>,
    pub(super) code_page: Option<i32>,
    pub(super) encrypted: bool,
}

/// A table as understood: the neutral description, and how each column is selected, side by side.
#[derive(Debug, Clone)]
pub struct SqlServerTable {
    /// What the engine plans with.
    pub description: SourceDescription,
    pub(super) forms: Vec<SelectForm>,
    /// Of columns whose values are text, in the order of the columns.
    texts: Vec<Option<TextColumn>>,
    /// The system type behind each column's type, in the order of the columns.
    base_types: Vec<String>,
}

/// What the bytes of a column's text are, and the type that takes them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TextColumn {
    pub(super) form: TextForm,
    pub(super) bytes_type: &'static str,
}

impl SqlServerTable {
    pub(super) fn new(raw: Vec<RawColumn>, primary_key: Vec<String>, rows_estimate: Option<u64>) -> Self {
        let texts = raw.iter().map(text_column).collect();
        let base_types = raw.iter().map(|column| column.base_type.clone()).collect();
        let (columns, forms) = raw.into_iter().map(describe).unzip();
        let description = SourceDescription { columns, primary_key, rows_estimate, ..SourceDescription::default() };
        Self { description, forms, texts, base_types }
    }

    /// How the column of this name (as the catalogue spells it) is selected.
    pub(super) fn form(&self, name: &str) -> SelectForm {
        let position = self.description.columns.iter().position(|column| column.name == name);
        position.map_or(SelectForm::Plain, |position| self.forms[position])
    }

    /// The column of this name (as the catalogue spells it), and the system type behind its type.
    pub(super) fn column(&self, name: &str) -> Option<(&SourceColumn, &str)> {
        let position = self.description.columns.iter().position(|column| column.name == name)?;
        Some((&self.description.columns[position], &self.base_types[position]))
    }

    /// What the text of a column is, where it is text.
    pub(super) fn text(&self, column: &SelectColumn) -> Option<TextColumn> {
        let position = self.description.columns.iter().position(|other| other.name == column.name)?;
        match column.part {
            ColumnPart::Value => self.texts[position],
            ColumnPart::Offset | ColumnPart::Srid => None,
        }
    }
}

fn text_column(raw: &RawColumn) -> Option<TextColumn> {
    // Neither characters nor UTF-16 units of a limited column take more.
    let bytes_type = if raw.max_length > 0 { "varbinary(8000)" } else { "varbinary(max)" };
    let utf16 = |bytes_type| Some(TextColumn { form: TextForm::Utf16, bytes_type });
    match raw.base_type.as_str() {
        "varchar" | "char" => match raw.code_page.and_then(TextForm::of_code_page) {
            Some(form) => Some(TextColumn { form, bytes_type }),
            // Cast to nvarchar, which takes twice the bytes.
            None => utf16("varbinary(max)"),
        },
        "nvarchar" | "nchar" => utf16(bytes_type),
        "text" | "ntext" | "xml" | "json" | "vector" | "sql_variant" | "hierarchyid" => utf16("varbinary(max)"),
        _ => None,
    }
}

fn describe(raw: RawColumn) -> (SourceColumn, SelectForm) {
    let declared = declared(&raw);
    let (kind, form) = match understand(&raw) {
        Ok((kind, form)) => (Ok(kind), form),
        Err(reason) => (Err(reason), SelectForm::Plain),
    };
    let second_digits = second_digits(&raw);
    let RawColumn { column_id, name, nullable, collation, .. } = raw;
    (SourceColumn { column_id, name, declared, kind, nullable, collation, converted: form.sentence(), second_digits }, form)
}

/// The type as T-SQL declares it; an alias type by its own name.
fn declared(raw: &RawColumn) -> String {
    let name = &raw.user_type;
    if raw.user_type != raw.base_type {
        return name.clone();
    }
    let length = |bytes_each: i16| if raw.max_length < 0 { "max".to_owned() } else { (raw.max_length / bytes_each).to_string() };
    match name.as_str() {
        "nvarchar" | "nchar" => format!("{name}({})", length(2)),
        "varchar" | "char" | "varbinary" | "binary" => format!("{name}({})", length(1)),
        "decimal" | "numeric" => format!("{name}({},{})", raw.precision, raw.scale),
        "datetime2" | "datetimeoffset" | "time" => format!("{name}({})", raw.scale),
        _ => name.clone(),
    }
}

fn second_digits(raw: &RawColumn) -> Option<u8> {
    match raw.base_type.as_str() {
        "datetime2" | "datetimeoffset" | "time" => Some(raw.scale),
        "datetime" => Some(3),
        "smalldatetime" => Some(0),
        _ => None,
    }
}

fn understand(raw: &RawColumn) -> Result<(ValueKind, SelectForm), String> {
    use SelectForm::{Cast, CastText, Geography, Geometry, Path, Plain, Variant};
    if raw.encrypted {
        return Err("it is encrypted by Always Encrypted, and its keys are not here".to_owned());
    }
    let understood = match raw.base_type.as_str() {
        "bit" => (ValueKind::Bool, Plain),
        "tinyint" => (ValueKind::UInt8, Plain),
        "smallint" => (ValueKind::Int16, Plain),
        "int" => (ValueKind::Int32, Plain),
        "bigint" => (ValueKind::Int64, Plain),
        "real" => (ValueKind::Float32, Plain),
        "float" => (ValueKind::Float64, Plain),
        "decimal" | "numeric" => (ValueKind::Decimal { precision: raw.precision, scale: raw.scale }, Plain),
        // The driver decodes money through a float.
        "money" => (ValueKind::Decimal { precision: 19, scale: 4 }, Cast("decimal(19,4)")),
        "smallmoney" => (ValueKind::Decimal { precision: 10, scale: 4 }, Cast("decimal(10,4)")),
        "date" => (ValueKind::Date, Plain),
        "datetime" => (ValueKind::Timestamp { digits: Some(3) }, Plain),
        "smalldatetime" => (ValueKind::Timestamp { digits: Some(0) }, Plain),
        "datetime2" => (ValueKind::Timestamp { digits: None }, Plain),
        "datetimeoffset" => (ValueKind::TimestampTz, Plain),
        "time" => (ValueKind::Time, Plain),
        "nvarchar" | "nchar" => (ValueKind::Text { chars_max: chars(raw, 2) }, Plain),
        "varchar" | "char" => (ValueKind::Text { chars_max: chars(raw, 1) }, code_page_form(raw)),
        "text" | "ntext" => (ValueKind::Text { chars_max: None }, CastText(None)),
        "binary" | "varbinary" => (ValueKind::Bytes, Plain),
        "timestamp" => (ValueKind::RowVersion { as_bigint: false }, Plain),
        "image" => (ValueKind::Bytes, Cast("varbinary(max)")),
        "uniqueidentifier" => (ValueKind::Uuid, Plain),
        "xml" => (ValueKind::Xml, CastText(None)),
        "json" => (ValueKind::Json, CastText(None)),
        "vector" => (ValueKind::Text { chars_max: None }, CastText(None)),
        "sql_variant" => (ValueKind::Text { chars_max: None }, Variant),
        "hierarchyid" => (ValueKind::Text { chars_max: None }, Path),
        "geometry" => (ValueKind::Spatial, Geometry),
        "geography" => (ValueKind::Spatial, Geography),
        "" => return Err("it is of a CLR type of the database's own".to_owned()),
        other => return Err(format!("values of type {other} cannot be brought over exactly")),
    };
    Ok(understood)
}

/// The most characters of a column: SQL Server's length is bytes or UTF-16 units, always at least as many.
fn chars(raw: &RawColumn, bytes_each: i16) -> Option<u32> {
    u32::try_from(raw.max_length / bytes_each).ok().filter(|_| raw.max_length >= 0)
}

/// The driver decodes the Windows code pages; any other (`_UTF8` collations, the DOS ones, Big5) comes right only as nvarchar, and so do the users'
/// own characters of Korean's (0xC9 and 0xFE lead to U+E000 to U+E0BB), which it does not know.
fn code_page_form(raw: &RawColumn) -> SelectForm {
    match raw.code_page {
        Some(code_page) if TextForm::is_the_drivers(code_page) => SelectForm::Plain,
        _ => SelectForm::CastText(chars(raw, 1).filter(|chars| *chars <= 4_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy::Encoding;

    fn raw(base_type: &str, max_length: i16, precision: u8, scale: u8) -> RawColumn {
        RawColumn {
            column_id: 1,
            name: "c".to_owned(),
            user_type: base_type.to_owned(),
            base_type: base_type.to_owned(),
            max_length,
            precision,
            scale,
            nullable: true,
            collation: None,
            code_page: None,
            encrypted: false,
        }
    }

    #[test]
    fn types_are_declared_selected_and_created_like_this() {
        let cases = [
            (raw("bit", 1, 1, 0), "bit", "[c]", "boolean"),
            (raw("tinyint", 1, 3, 0), "tinyint", "[c]", "smallint"),
            (raw("bigint", 8, 19, 0), "bigint", "[c]", "bigint"),
            (raw("decimal", 17, 38, 10), "decimal(38,10)", "[c]", "numeric(38,10)"),
            (raw("money", 8, 19, 4), "money", "CAST([c] AS decimal(19,4)) AS [c]", "numeric(19,4)"),
            (raw("smallmoney", 4, 10, 4), "smallmoney", "CAST([c] AS decimal(10,4)) AS [c]", "numeric(10,4)"),
            (raw("datetime", 8, 23, 3), "datetime", "[c]", "timestamp(3)"),
            (raw("smalldatetime", 4, 16, 0), "smalldatetime", "[c]", "timestamp(0)"),
            (raw("datetime2", 8, 27, 7), "datetime2(7)", "[c]", "timestamp"),
            (raw("datetimeoffset", 10, 34, 7), "datetimeoffset(7)", "[c]", "timestamptz"),
            (raw("time", 5, 16, 7), "time(7)", "[c]", "time"),
            (raw("nvarchar", 40, 0, 0), "nvarchar(20)", "[c]", "varchar(20)"),
            (raw("nvarchar", -1, 0, 0), "nvarchar(max)", "[c]", "text"),
            (RawColumn { code_page: Some(932), ..raw("varchar", 30, 0, 0) }, "varchar(30)", "[c]", "varchar(30)"),
            (
                RawColumn { code_page: Some(65001), ..raw("varchar", 30, 0, 0) },
                "varchar(30)",
                "CAST([c] AS nvarchar(30)) AS [c]",
                "varchar(30)",
            ),
            (RawColumn { code_page: Some(949), ..raw("char", 10, 0, 0) }, "char(10)", "CAST([c] AS nvarchar(10)) AS [c]", "varchar(10)"),
            (
                RawColumn { code_page: Some(850), ..raw("varchar", 8000, 0, 0) },
                "varchar(8000)",
                "CAST([c] AS nvarchar(max)) AS [c]",
                "varchar(8000)",
            ),
            (raw("ntext", 16, 0, 0), "ntext", "CAST([c] AS nvarchar(max)) AS [c]", "text"),
            (raw("image", 16, 0, 0), "image", "CAST([c] AS varbinary(max)) AS [c]", "bytea"),
            (raw("timestamp", 8, 0, 0), "timestamp", "[c]", "bytea"),
            (raw("xml", -1, 0, 0), "xml", "CAST([c] AS nvarchar(max)) AS [c]", "xml"),
            (raw("json", -1, 0, 0), "json", "CAST([c] AS nvarchar(max)) AS [c]", "jsonb"),
            (raw("vector", 20, 0, 0), "vector", "CAST([c] AS nvarchar(max)) AS [c]", "text"),
            (raw("hierarchyid", 892, 0, 0), "hierarchyid", "[c].ToString() AS [c]", "text"),
            (raw("geometry", -1, 0, 0), "geometry", "[c].AsBinaryZM() AS [c]", "bytea"),
        ];
        for (raw, declared, selected, created) in cases {
            let (column, form) = describe(raw);
            assert_eq!(column.declared, declared);
            let selects =
                SelectColumn { name: "c".to_owned(), part: ColumnPart::Value, encoding: Encoding::Wkb, required: false, cast: None };
            assert_eq!(selects.expression("", form), selected);
            assert_eq!(column.kind.unwrap().natural_type().to_string(), created);
        }
    }

    #[test]
    fn what_cannot_be_brought_over_is_refused_with_its_type() {
        let (column, _) = describe(raw("tomorrow", 8016, 0, 0));
        assert!(column.kind.unwrap_err().contains("tomorrow"));
        let (column, _) = describe(RawColumn { user_type: "Amount".to_owned(), ..raw("", 8016, 0, 0) });
        assert_eq!(column.declared, "Amount");
        assert!(column.kind.unwrap_err().contains("CLR"));
        let (column, _) = describe(RawColumn { encrypted: true, ..raw("int", 4, 10, 0) });
        assert!(column.kind.unwrap_err().contains("Always Encrypted"));
    }

    #[test]
    fn an_alias_type_is_its_base_type_under_its_own_name() {
        let (column, _) = describe(RawColumn { user_type: "PhoneNumber".to_owned(), ..raw("nvarchar", 40, 0, 0) });
        assert_eq!(column.declared, "PhoneNumber");
        assert_eq!(column.kind, Ok(ValueKind::Text { chars_max: Some(20) }));
    }
}
