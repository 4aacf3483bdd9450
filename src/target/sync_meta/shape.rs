//! The shapes that a `sync_meta` may have: ours, or one that tells a table's name and a moment; and what is said of others.

use tokio_postgres::error::SqlState;

use crate::error::{ErrorKind, Result, SyncError};
use crate::postgres::code_of;
use crate::table::{PgIdent, TargetTable, quoted_list};

/// What one of another shape is called from the first run on.
pub(super) const REPLACED: &str = "sync_meta_before_tablesync";

/// Columns and their types.
const COLUMNS: [(&str, &str); 7] = [
    ("table_name", "text"),
    ("watermark", "text"),
    ("watermark_kind", "text"),
    ("key", "jsonb"),
    ("rows", "bigint"),
    ("run_id", "uuid"),
    ("updated_at", "timestamp with time zone"),
];

/// Under which names another service may keep the table's name and the moment, the likeliest first.
const NAMES: [&str; 5] = ["table_name", "name", "table", "tablename", "relation"];
const MOMENTS: [&str; 11] = [
    "watermark",
    "last_watermark",
    "last_sync",
    "last_synced_at",
    "last_synced",
    "last_sync_at",
    "last_sync_time",
    "last_synced_time",
    "synced_at",
    "last_value",
    "sync_time",
];

/// Moments of the row itself, as most tables have them.
const OF_THE_ROW: [&str; 4] = ["created_at", "inserted_at", "modified_at", "updated_at"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    Missing,
    Ours,
    /// The table's name and a moment, as an SQL expression that gives its text.
    Others {
        name: String,
        moment: String,
    },
}

pub(super) fn may_not_write(table: &TargetTable) -> SyncError {
    SyncError::new(ErrorKind::TargetSchema, format!("the role may not write into {table}"))
        .with_remedy(format!("Have its owner run: GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO <the role of the target>"))
}

pub(super) fn not_made(table: &TargetTable, taken_over: bool, error: SyncError) -> SyncError {
    let remedy = match code_of(&error) {
        Some(code) if *code == SqlState::DUPLICATE_TABLE => {
            format!("{REPLACED} is left from another time: rename or drop it")
        }
        Some(code) if taken_over && *code == SqlState::INSUFFICIENT_PRIVILEGE => format!(
            "{table} is of another shape and is renamed by its owner alone: ALTER TABLE {table} OWNER TO <the role of the target>; \
             CREATE on schema {} is needed, too",
            PgIdent(&table.schema)
        ),
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
            format!("Grant CREATE on schema {}, or make the table yourself: {}", PgIdent(&table.schema), definition(table))
        }
        _ => return error,
    };
    error.with_remedy(remedy)
}

pub(super) fn definition(table: &TargetTable) -> String {
    let columns: Vec<_> = COLUMNS.iter().map(|(name, of_type)| format!("{} {of_type}", PgIdent(name))).collect();
    let key = quoted_list("", ["table_name"]);
    format!("CREATE TABLE IF NOT EXISTS {table} ({}, PRIMARY KEY ({key}))", columns.join(", "))
}

pub(super) fn shape(table: &TargetTable, columns: &[(String, String)]) -> Result<Shape> {
    if columns.is_empty() {
        return Ok(Shape::Missing);
    }
    let has = |(name, of_type): &(&str, &str)| columns.iter().any(|(other, other_type)| other == name && other_type == of_type);
    if COLUMNS.iter().all(has) {
        return Ok(Shape::Ours);
    }
    let is_text = |of_type: &str| matches!(of_type, "text" | "character varying" | "character" | "name");
    let named = NAMES.iter().find_map(|name| columns.iter().find(|(other, of_type)| other == name && is_text(of_type)));
    let is_moment = |of_type: &str| of_type.starts_with("timestamp");
    let moments: Vec<_> = columns.iter().filter(|(_, of_type)| is_moment(of_type)).collect();
    let known = MOMENTS.iter().find_map(|name| moments.iter().find(|(other, _)| other == name).copied());
    let others: Vec<_> = moments.iter().filter(|(name, _)| !OF_THE_ROW.contains(&name.as_str())).copied().collect();
    let moment = match (known, others.as_slice(), moments.as_slice()) {
        (Some(moment), ..) => Some(moment),
        (None, [only], _) | (None, [], [only]) => Some(*only),
        (None, ..) => None,
    };
    match (named, moment) {
        (Some((name, _)), Some((moment, of_type))) => {
            let column = PgIdent(moment);
            let (value, zone) = if of_type.ends_with("with time zone") {
                (format!("({column} AT TIME ZONE 'UTC')"), "Z")
            } else {
                (column.to_string(), "")
            };
            Ok(Shape::Others { name: name.clone(), moment: format!("to_char({value}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US')||'{zone}'") })
        }
        _ => {
            let there: Vec<_> = columns.iter().map(|(name, of_type)| format!("{name} {of_type}")).collect();
            Err(SyncError::new(ErrorKind::TargetSchema, format!("{table} has columns ({}) of which none is known to be a table's name with its watermark", there.join(", ")))
                .with_remedy(format!("Rename it, and the first run brings all rows; or call its columns table_name and watermark (a timestamp). Its shape would be: {}", definition(table))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape_of(columns: &[(&str, &str)]) -> Result<Shape> {
        let columns: Vec<_> = columns.iter().map(|(name, of_type)| ((*name).to_owned(), (*of_type).to_owned())).collect();
        shape(&"sync_meta".parse().unwrap(), &columns)
    }

    #[test]
    fn a_table_of_another_shape_is_read_where_it_has_a_name_and_a_moment() {
        assert_eq!(shape_of(&[]).unwrap(), Shape::Missing);
        assert_eq!(shape_of(&COLUMNS).unwrap(), Shape::Ours);
        let zoned =
            shape_of(&[("id", "integer"), ("table_name", "character varying"), ("last_synced_at", "timestamp with time zone")]).unwrap();
        let moment = r#"to_char(("last_synced_at" AT TIME ZONE 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS.US')||'Z'"#.to_owned();
        assert_eq!(zoned, Shape::Others { name: "table_name".to_owned(), moment });
        let two = [("table_name", "text"), ("watermark", "timestamp without time zone"), ("updated_at", "timestamp with time zone")];
        assert!(
            matches!(shape_of(&two).unwrap(), Shape::Others { moment, .. } if moment.contains("\"watermark\"") && moment.ends_with("||''"))
        );
        for (other, taken) in [("last_synced", "updated_at"), ("seen_until", "created_at"), ("updated_at", "")] {
            let columns = [("table_name", "text"), (taken, "timestamp with time zone"), (other, "timestamp without time zone")];
            let columns = if taken.is_empty() { vec![columns[0], columns[2]] } else { columns.to_vec() };
            assert!(matches!(shape_of(&columns).unwrap(), Shape::Others { moment, .. } if moment.contains(other)), "{other}");
        }
        for wrong in [
            &[("table_name", "text")][..],
            &[("a", "timestamp with time zone")],
            &[("table_name", "text"), ("a", "timestamp without time zone"), ("b", "timestamp without time zone")],
        ] {
            let error = shape_of(wrong).unwrap_err();
            assert!(error.kind() == ErrorKind::TargetSchema && error.to_string().contains("CREATE TABLE"), "{error}");
        }
    }
}
