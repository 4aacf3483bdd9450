//! Windows as T-SQL: the rows between two places in the order of sync column and key, and what Change Tracking tells.
//!
//! The sync column is compared with constants of its own type, so that an index on it can be sought: a constant of a wider type would have the server
//! convert every value of the column
//! (<https://learn.microsoft.com/sql/t-sql/data-types/data-type-precedence-transact-sql>).

use super::types::SqlServerTable;
use crate::table::{Edge, Position, SourceColumn, SourceTable, Step, SyncRange, TsqlIdent, Watermark};

/// ` WHERE ...`: one range of the first column that rows are ordered by, and within its ends the rows behind one position and up to another.
pub(super) fn filter(range: &SyncRange, described: &SqlServerTable) -> String {
    let conditions = [(range.from.as_ref(), '>'), (Some(&range.to), '<')].into_iter().flat_map(|(edge, way)| match edge {
        None => Vec::new(),
        // Before the first moment that the type has there is nothing, neither to leave out nor to read.
        Some(Edge::After(watermark)) if precedes_type(watermark, range, described) => {
            if way == '<' {
                vec!["1 = 0".to_owned()]
            } else {
                Vec::new()
            }
        }
        Some(Edge::After(watermark)) => {
            let end = if way == '<' { "<=" } else { ">" };
            let moments = range.sync_column().map(|name| (TsqlIdent(name), watermark_constant(watermark, name, described)));
            moments.map(|(sync, constant)| format!("{sync} {end} {constant}")).into_iter().collect()
        }
        Some(Edge::Behind(position)) => {
            let columns = place(position, range, described);
            // What can be sought is the first column alone, so it has a condition of its own.
            let sought = columns.first().filter(|_| columns.len() > 1).map(|first| format!("{} {way}= {}", first.name, first.at));
            sought.into_iter().chain([beyond(&columns, way)]).collect()
        }
    });
    let conditions: Vec<_> = conditions.collect();
    if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
}

/// That a row's sync column has a later value, or none.
pub(super) fn later(column: &str, than: &Watermark, described: &SqlServerTable) -> String {
    let sync = TsqlIdent(column);
    let later = format!("{sync} > {}", watermark_constant(than, column, described));
    let nullable = described.column(column).is_some_and(|(column, _)| column.nullable);
    if nullable { format!("({later} OR {sync} IS NULL)") } else { later }
}

/// A column that rows are ordered by.
struct Ordering {
    name: String,
    /// Its value at a position.
    at: String,
    nullable: bool,
}

/// The columns that rows are ordered by, at a position.
fn place(position: &Position, range: &SyncRange, described: &SqlServerTable) -> Vec<Ordering> {
    let sync = range.sync_column().map(|name| Ordering {
        name: TsqlIdent(name).to_string(),
        at: watermark_constant(&position.watermark, name, described),
        nullable: false,
    });
    let key = range.key.iter().zip(&position.key).map(|(name, text)| Ordering {
        name: TsqlIdent(name).to_string(),
        at: key_constant(name, text, described),
        nullable: described.column(name).is_some_and(|(column, _)| column.nullable),
    });
    sync.into_iter().chain(key).collect()
}

/// Rows behind a position (`>`), or up to and at it (`<`), by one column after another. A key without a value is before every other: it is to be read, and
/// refused.
fn beyond(columns: &[Ordering], way: char) -> String {
    let last = if way == '<' { "<=" } else { ">" };
    let mut rest: Option<String> = None;
    for Ordering { name, at, nullable } in columns.iter().rev() {
        let or_null = if *nullable && way == '<' { format!(" OR {name} IS NULL") } else { String::new() };
        rest = Some(match rest {
            None if or_null.is_empty() => format!("{name} {last} {at}"),
            None => format!("({name} {last} {at}{or_null})"),
            Some(rest) => format!("({name} {way} {at}{or_null} OR ({name} = {at} AND {rest}))"),
        });
    }
    rest.unwrap_or_default()
}

fn watermark_constant(watermark: &Watermark, column: &str, described: &SqlServerTable) -> String {
    match watermark {
        Watermark::Timestamp(moment) => {
            let of_type = described.column(column).map_or_else(|| "datetime2(7)".to_owned(), |(column, base)| type_name(column, base));
            let digits = match described.step(column) {
                // As text it has milliseconds, and no more are understood.
                Step::ThreeHundredths => Step::Digits(3),
                step @ (Step::Digits(_) | Step::Minutes) => step,
            };
            // Else it would be rounded, and up: rows before it would not be read again.
            let moment = moment.floor(digits);
            // A zone is only for the type that has one.
            let text = if of_type.starts_with("datetimeoffset") { moment.to_string() } else { moment.civil().to_string() };
            format!("CAST('{text}' AS {of_type})")
        }
        Watermark::Rowversion(version) => format!("CAST(0x{version:016X} AS binary(8))"),
        Watermark::Change(version) => version.to_string(),
    }
}

/// Whether no value of the sync column's type can be at or before a moment: <https://learn.microsoft.com/sql/t-sql/data-types/date-and-time-types>.
fn precedes_type(watermark: &Watermark, range: &SyncRange, described: &SqlServerTable) -> bool {
    let Watermark::Timestamp(moment) = watermark else { return false };
    let first_year = match described.column(&range.column.name) {
        Some((_, "datetime")) => 1753,
        Some((_, "smalldatetime")) => 1900,
        Some(_) | None => 1,
    };
    moment.civil().year() < first_year
}

/// A key's value from its text, in the column's own type.
fn key_constant(name: &str, text: &str, described: &SqlServerTable) -> String {
    let quoted = format!("N'{}'", text.replace('\'', "''"));
    let Some((column, base)) = described.column(name) else { return quoted };
    let of_type = type_name(column, base);
    match base {
        "binary" | "varbinary" | "timestamp" => format!("CONVERT({of_type}, {quoted}, 1)"),
        // This form means the same whatever the session's language.
        "datetime" | "smalldatetime" => format!("CAST({} AS {of_type})", quoted.replacen(' ', "T", 1)),
        "varchar" | "char" => match &column.collation {
            // The characters are those of the column's code page, and compared as the column is.
            Some(collation) if is_name(collation) => format!("CAST({quoted} COLLATE {collation} AS {of_type})"),
            Some(_) | None => format!("CAST({quoted} AS {of_type})"),
        },
        _ => format!("CAST({quoted} AS {of_type})"),
    }
}

fn is_name(collation: &str) -> bool {
    collation.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The system type behind a column's, as T-SQL declares it.
fn type_name(column: &SourceColumn, base: &str) -> String {
    let digits = column.second_digits.unwrap_or(7);
    match base {
        "datetime2" | "datetimeoffset" | "time" => format!("{base}({digits})"),
        // Alias types have names of their own, and their lengths only their columns: the longest there are take any value.
        "nvarchar" | "nchar" => "nvarchar(4000)".to_owned(),
        "varchar" | "char" => "varchar(8000)".to_owned(),
        "binary" | "varbinary" => "varbinary(8000)".to_owned(),
        "timestamp" => "binary(8)".to_owned(),
        "decimal" | "numeric" => match column.kind {
            Ok(crate::table::ValueKind::Decimal { precision, scale }) => format!("decimal({precision},{scale})"),
            _ => "decimal(38,0)".to_owned(),
        },
        other => other.to_owned(),
    }
}

/// The expression that gives a column's value as text from which [`filter`] makes the same value again; none where there is no such text.
pub(super) fn text_of(name: &str, described: &SqlServerTable) -> Option<String> {
    let (_, base) = described.column(name)?;
    let column = TsqlIdent(name);
    match base {
        "bit" | "tinyint" | "smallint" | "int" | "bigint" | "decimal" | "numeric" | "uniqueidentifier" => {
            Some(format!("CONVERT(nvarchar(60), {column})"))
        }
        "date" | "time" | "datetime" | "smalldatetime" | "datetime2" | "datetimeoffset" => {
            Some(format!("CONVERT(nvarchar(60), {column}, 121)"))
        }
        "nvarchar" | "nchar" | "varchar" | "char" => Some(format!("CONVERT(nvarchar(4000), {column})")),
        "binary" | "varbinary" => Some(format!("CONVERT(nvarchar(4000), {column}, 1)")),
        "timestamp" => Some(format!("CONVERT(nvarchar(60), CONVERT(binary(8), {column}), 1)")),
        _ => None,
    }
}

impl SqlServerTable {
    /// How fine the moments of a column are.
    pub(in crate::sources) fn step(&self, name: &str) -> Step {
        match self.column(name) {
            Some((_, "datetime")) => Step::ThreeHundredths,
            Some((_, "smalldatetime")) => Step::Minutes,
            Some((column, _)) => Step::Digits(column.second_digits.unwrap_or(7)),
            None => Step::Digits(0),
        }
    }

    /// Whether what rows are ordered by has a text form.
    pub fn has_places(&self, range: &SyncRange) -> bool {
        range.order().all(|name| text_of(name, self).is_some())
    }
}

/// The last of so many rows of a range, by its place; none where there are fewer. None where a column has no text form.
pub(super) fn nth_row(table: &SourceTable, range: &SyncRange, described: &SqlServerTable, rows: u64) -> Option<String> {
    let texts: Vec<String> = range.order().map(|name| text_of(name, described)).collect::<Option<_>>()?;
    // A list that names a column twice is refused (169).
    let order: Vec<String> = range.columns().map(|name| TsqlIdent(name).to_string()).collect();
    Some(format!(
        "SELECT {} FROM {table}{} ORDER BY {} OFFSET {} ROWS FETCH NEXT 1 ROWS ONLY",
        texts.join(", "),
        filter(range, described),
        order.join(", "),
        rows.saturating_sub(1)
    ))
}

/// The rows that have changed since a version and still stand: <https://learn.microsoft.com/sql/relational-databases/system-functions/changetable-transact-sql>.
pub(super) fn changed(table: &SourceTable, since: i64, key: &[String]) -> String {
    format!("CHANGETABLE(CHANGES {table}, {since}) AS ct JOIN {table} AS t ON {}", same_key(key))
}

/// The keys of the rows that are gone since a version.
pub(super) fn gone(table: &SourceTable, since: i64, key: &[String]) -> String {
    let first = key.first().map(|name| format!(" WHERE t.{} IS NULL", TsqlIdent(name))).unwrap_or_default();
    format!("CHANGETABLE(CHANGES {table}, {since}) AS ct LEFT JOIN {table} AS t ON {}{first}", same_key(key))
}

fn same_key(key: &[String]) -> String {
    key.iter().map(|name| format!("t.{0} = ct.{0}", TsqlIdent(name))).collect::<Vec<_>>().join(" AND ")
}
