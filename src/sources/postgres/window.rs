//! Windows in PostgreSQL's SQL: the rows between two places in the order of sync column and key.
//!
//! Constants have no type of their own, so they take the columns': an index on the sync column, and better still one on it and the key, can be sought.

use jiff::civil::{Date, date};

use crate::table::{Edge, Moment, PgIdent, PgType, Position, SourceDescription, SourceTable, SyncRange, ValueKind, Watermark, quoted_list};

/// PostgreSQL's first day: <https://www.postgresql.org/docs/current/datatype-datetime.html>.
const FIRST_DAY: Date = date(-4713, 11, 24);

/// Whether the sync column's values are instants.
pub(super) fn is_instant(column: &str, described: &SourceDescription) -> bool {
    let found = described.columns.iter().find(|known| known.name == column);
    found.is_some_and(|column| matches!(column.kind, Ok(ValueKind::Postgres(PgType::TimestampTz(_)))))
}

/// ` WHERE ...`; row comparisons follow the order of sync column and key.
pub(super) fn filter(range: &SyncRange, described: &SourceDescription) -> String {
    let sync = PgIdent(&range.column.name);
    let instant = is_instant(&range.column.name, described);
    let mut conditions = Vec::new();
    match &range.from {
        None => {}
        Some(Edge::After(low)) => conditions.push(format!("{sync} > {}", constant(low, instant))),
        Some(Edge::Behind(position)) => conditions.push(behind(position, range, described)),
    }
    match &range.to {
        Edge::After(high) => conditions.push(format!("{sync} <= {}", constant(high, instant))),
        Edge::Behind(position) => conditions.push(beside(position, range, instant, "<=")),
    }
    format!(" WHERE {}", conditions.join(" AND "))
}

/// A key without a value is behind every other, and a comparison of rows is silent on it: it is to be read, and refused.
fn behind(position: &Position, range: &SyncRange, described: &SourceDescription) -> String {
    let instant = is_instant(&range.column.name, described);
    let rows = beside(position, range, instant, ">");
    let nullable = |name: &&String| described.columns.iter().any(|column| column.name == **name && column.nullable);
    let nulls: Vec<_> = range.key.iter().filter(nullable).map(|name| format!("{} IS NULL", PgIdent(name))).collect();
    if nulls.is_empty() {
        return rows;
    }
    let (sync, at) = (PgIdent(&range.column.name), constant(&position.watermark, instant));
    format!("{sync} >= {at} AND ({rows} OR {sync} = {at} AND ({}))", nulls.join(" OR "))
}

/// That a row's sync column has a later value, or none.
pub(super) fn later(column: &str, than: &Watermark, described: &SourceDescription) -> String {
    let sync = PgIdent(column);
    let later = format!("{sync} > {}", constant(than, is_instant(column, described)));
    let nullable = described.columns.iter().any(|known| known.name == column && known.nullable);
    if nullable { format!("({later} OR {sync} IS NULL)") } else { later }
}

fn beside(position: &Position, range: &SyncRange, instant: bool, way: &str) -> String {
    let constants: Vec<_> =
        std::iter::once(constant(&position.watermark, instant)).chain(position.key.iter().map(|text| quoted(text))).collect();
    format!("({}) {way} ({})", order(range), constants.join(", "))
}

fn order(range: &SyncRange) -> String {
    let names: Vec<_> = std::iter::once(&range.column.name).chain(&range.key).map(|name| PgIdent(name).to_string()).collect();
    names.join(", ")
}

fn constant(watermark: &Watermark, instant: bool) -> String {
    match watermark {
        Watermark::Timestamp(moment) => format!("'{}'", moment_text(*moment, if instant { "Z" } else { "" })),
        Watermark::Rowversion(_) | Watermark::Change(_) => quoted(&watermark.to_string()),
    }
}

/// A moment as PostgreSQL writes it, which knows no year 0 and none below.
fn moment_text(moment: Moment, zone: &str) -> String {
    let at = moment.civil();
    match at.year() {
        1.. => format!("{at}{zone}"),
        _ if at.date() < FIRST_DAY => "-infinity".to_owned(),
        year => format!("{:04}-{:02}-{:02}T{}{zone} BC", 1 - year, at.month(), at.day(), at.time()),
    }
}

/// A text, whatever the session makes of backslashes.
fn quoted(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// The last of so many rows of a range, by its place; none where there are fewer.
///
/// Texts are made of that row alone, and outside of the query that orders: there, a name would stand for the text that is called by it.
pub(super) fn nth_row(table: &SourceTable, range: &SyncRange, described: &SourceDescription, rows: u64) -> String {
    let sync = PgIdent(&range.column.name);
    let moment = if is_instant(&range.column.name, described) {
        format!("({sync} AT TIME ZONE 'UTC')::text || 'Z'")
    } else {
        format!("{sync}::text")
    };
    let texts: Vec<_> = std::iter::once(moment).chain(range.key.iter().map(|name| format!("{}::text", PgIdent(name)))).collect();
    let columns = quoted_list("", range.columns().map(String::as_str));
    let (filter, order) = (filter(range, described), order(range));
    let row = format!("SELECT {columns} FROM {table}{filter} ORDER BY {order} OFFSET {} LIMIT 1", rows.saturating_sub(1));
    format!("SELECT {} FROM ({row}) AS place", texts.join(", "))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::table::{SourceColumn, SyncColumn, WatermarkKind};

    fn described(pg_type: PgType) -> SourceDescription {
        let column = SourceColumn {
            column_id: 1,
            name: "at".to_owned(),
            declared: pg_type.to_string(),
            kind: Ok(ValueKind::Postgres(pg_type)),
            nullable: false,
            collation: None,
            converted: None,
            second_digits: Some(6),
        };
        SourceDescription { columns: vec![column], ..SourceDescription::default() }
    }

    #[test]
    fn a_place_is_found_in_the_order_of_the_columns_and_not_of_their_texts() {
        let column = SyncColumn { name: "at".to_owned(), kind: WatermarkKind::Timestamp };
        let to = Edge::After(Watermark::parse(WatermarkKind::Timestamp, "2026-02-05T10:35:00").unwrap());
        let range = SyncRange { column, key: vec!["id".to_owned(), "at".to_owned()], from: None, to };
        let table = SourceTable::of_postgres("orders").unwrap();
        assert_eq!(
            nth_row(&table, &range, &described(PgType::Timestamp(None)), 100),
            "SELECT \"at\"::text, \"id\"::text, \"at\"::text FROM (SELECT \"at\", \"id\" FROM \"public\".\"orders\" \
             WHERE \"at\" <= '2026-02-05T10:35:00' ORDER BY \"at\", \"id\", \"at\" OFFSET 99 LIMIT 1) AS place"
        );
    }

    #[test]
    fn moments_before_the_first_year_are_written_as_postgres_does() {
        let text = |text: &str| moment_text(Moment::parse(text).unwrap(), "Z");
        assert_eq!(text("0001-01-01T00:00:00Z"), "0001-01-01T00:00:00Z");
        assert_eq!(
            moment_text(Moment::parse("0001-01-01T00:00:00Z").unwrap().before(SignedDuration::from_secs(300)), "Z"),
            "0001-12-31T23:55:00Z BC"
        );
        assert_eq!(text("0044-03-15 00:01:00.5 BCZ"), "0044-03-15T00:01:00.5Z BC");
        assert_eq!(text("-infinity"), "-infinity");
        assert_eq!(moment_text(Moment::parse("2026-02-05T00:00:00Z").unwrap().before(SignedDuration::MAX), "Z"), "-infinity");
    }

    #[test]
    fn a_range_is_one_that_can_be_sought_and_pages_follow_rows() {
        let at = |text: &str| Watermark::parse(WatermarkKind::Timestamp, text).unwrap();
        let column = SyncColumn { name: "at".to_owned(), kind: WatermarkKind::Timestamp };
        let position = Position { watermark: at("2026-02-05T10:30:00.123456"), key: vec!["7".to_owned(), "O'Neil\\".to_owned()] };
        let key = vec!["a\"b".to_owned(), "c".to_owned()];
        let mut range = SyncRange { column, key, from: Some(Edge::After(at("2026-02-05T10:25:00Z"))), to: Edge::Behind(position.clone()) };
        assert_eq!(
            filter(&range, &described(PgType::TimestampTz(None))),
            " WHERE \"at\" > '2026-02-05T10:25:00Z' AND (\"at\", \"a\"\"b\", \"c\") <= ('2026-02-05T10:30:00.123456Z', E'7', E'O''Neil\\\\')"
        );
        range.from = Some(Edge::Behind(position));
        range.to = Edge::After(at("2026-02-05T10:35:00"));
        assert_eq!(
            filter(&range, &described(PgType::Timestamp(None))),
            " WHERE (\"at\", \"a\"\"b\", \"c\") > ('2026-02-05T10:30:00.123456', E'7', E'O''Neil\\\\') AND \"at\" <= '2026-02-05T10:35:00'"
        );
    }
}
