//! The COPY of a selection.

use jiff::ToSpan;
use jiff::civil::date;
use jiff::tz::TimeZone;

use super::window;
use crate::sources::{SelectColumn, Selection};
use crate::table::{KeyRanges, PgIdent, RangeKind, SourceCast, SourceDescription, Window};

/// The one statement that reads the selection.
pub(super) fn copy(selection: &Selection, described: &SourceDescription) -> String {
    let zone = selection.time_zone.as_ref();
    let columns: Vec<_> = selection.columns.iter().map(|column| expression(column, zone)).collect();
    format!("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT binary)", columns.join(", "), rows_of(selection, described))
}

/// The table, and which of its rows.
pub(super) fn rows_of(selection: &Selection, described: &SourceDescription) -> String {
    let rows = match &selection.window {
        None => selection.ranges.as_deref().map(|ranges| format!(" WHERE {}", condition(ranges))).unwrap_or_default(),
        Some(Window::Later { column, than }) => {
            let ranges = selection.ranges.as_deref().map(|ranges| format!(" AND ({})", condition(ranges))).unwrap_or_default();
            format!(" WHERE {}{ranges}", window::later(&column.name, than, described))
        }
        Some(Window::Range(range)) => window::filter(range, described),
        // PostgreSQL tells of neither.
        Some(Window::Changed { .. } | Window::Gone { .. }) => " WHERE false".to_owned(),
    };
    format!("{}{rows}", selection.table)
}

/// A column's value in the form that the target takes.
fn expression(column: &SelectColumn, zone: Option<&TimeZone>) -> String {
    let name = PgIdent(&column.name);
    match &column.cast {
        None => name.to_string(),
        Some(SourceCast::To(pg_type)) => format!("CAST({name} AS {pg_type})"),
        Some(SourceCast::InZone) => {
            let zone = zone.and_then(TimeZone::iana_name).unwrap_or("UTC");
            format!("{name} AT TIME ZONE '{}'", zone.replace('\'', "''"))
        }
    }
}

/// That a row lies in one of the ranges: a constant without a type takes the column's.
fn condition(ranges: &KeyRanges) -> String {
    let bound = |bound: i64| match ranges.kind {
        RangeKind::Number(_) => bound.to_string(),
        RangeKind::Day(_) => format!("'{}'", date(2000, 1, 1).saturating_add(bound.days())),
    };
    ranges.condition(&PgIdent(&ranges.source).to_string(), bound)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::copy::Encoding;
    use crate::table::{ColumnPart, Isolation, PgType, SourceTable};

    #[test]
    fn columns_are_selected_as_they_are_or_cast_and_names_quoted() {
        let column = |name: &str, cast| SelectColumn {
            name: name.to_owned(),
            part: ColumnPart::Value,
            cast,
            encoding: Encoding::Native,
            required: false,
        };
        let ranges = KeyRanges {
            source: "Id".to_owned(),
            target: "id".to_owned(),
            kind: RangeKind::Number("bigint".to_owned()),
            ranges: vec![(Some(-3), Some(7))],
        };
        let mut selection = Selection {
            table: SourceTable::of_postgres("Scout.assets").unwrap(),
            columns: vec![column("Id", None), column("a\"b", Some(SourceCast::To(PgType::Int8))), column("at", Some(SourceCast::InZone))],
            key: vec![0],
            isolation: Isolation::ReadCommitted,
            time_zone: Some(TimeZone::get("Asia/Tokyo").unwrap()),
            ranges: None,
            window: None,
        };
        let select = "SELECT \"Id\", CAST(\"a\"\"b\" AS bigint), \"at\" AT TIME ZONE 'Asia/Tokyo' FROM \"Scout\".\"assets\"";
        assert_eq!(copy(&selection, &SourceDescription::default()), format!("COPY ({select}) TO STDOUT (FORMAT binary)"));
        selection.ranges = Some(Arc::new(ranges));
        assert_eq!(
            copy(&selection, &SourceDescription::default()),
            format!("COPY ({select} WHERE (\"Id\" >= -3 AND \"Id\" < 7)) TO STDOUT (FORMAT binary)")
        );
    }
}
