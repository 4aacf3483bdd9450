//! PostgreSQL's errors in the product's terms.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::error::{ErrorKind, SyncError};
use crate::postgres::{Cause, code_of, is_of_a_value, passing};
use crate::table::{TargetTable, quoted_list};

/// Whether a lock was not had in time.
pub fn lacks_lock(error: &SyncError) -> bool {
    code_of(error) == Some(&SqlState::LOCK_NOT_AVAILABLE)
}

/// Whether a key was not unique, or NULL.
pub fn breaks_key(error: &SyncError) -> bool {
    code_of(error).is_some_and(|code| [SqlState::UNIQUE_VIOLATION, SqlState::NOT_NULL_VIOLATION].contains(code))
}

/// Whether rows broke a constraint that [`super::Session::name_offenders`] may find them by.
pub fn breaks_constraint(error: &SyncError) -> bool {
    broken_constraint(error).is_some()
}

/// The CHECK, foreign key or unique constraint that was broken.
pub(super) fn broken_constraint(error: &SyncError) -> Option<&str> {
    let answer = error.source()?.downcast_ref::<Cause>()?.0.as_db_error()?;
    let codes = [SqlState::CHECK_VIOLATION, SqlState::FOREIGN_KEY_VIOLATION, SqlState::UNIQUE_VIOLATION];
    answer.constraint().filter(|_| codes.contains(answer.code()))
}

/// The foreign key that was broken, and the table that it belongs to.
pub(super) fn broken_foreign_key(error: &SyncError) -> Option<(TargetTable, String)> {
    let answer = error.source()?.downcast_ref::<Cause>()?.0.as_db_error()?;
    if *answer.code() != SqlState::FOREIGN_KEY_VIOLATION {
        return None;
    }
    let table = TargetTable { schema: answer.schema()?.to_owned(), table: answer.table()?.to_owned() };
    Some((table, answer.constraint()?.to_owned()))
}

/// What went wrong while `doing` something in PostgreSQL. Codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
pub(super) fn target_error(doing: &str, error: Error) -> SyncError {
    keyed_target_error(doing, &[], error)
}

/// The same where the table's key is known: a violation that names values of just the key is shown with them.
pub(super) fn keyed_target_error(doing: &str, key: &[String], error: Error) -> SyncError {
    let (kind, reason, remedy) = match error.as_db_error() {
        Some(answer) => {
            let (kind, remedy) = server_error(answer);
            (kind, reason(answer, key), remedy)
        }
        None if error.is_closed() => (ErrorKind::TargetWrite, "the connection was closed".to_owned(), None),
        None => {
            let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
            (ErrorKind::TargetWrite, format!("{error}{cause}"), None)
        }
    };
    let failed =
        SyncError::new(kind, format!("could not {doing} in PostgreSQL: {reason}")).with_passing(passing(&error)).with_cause(Cause(error));
    match remedy {
        Some(remedy) => failed.with_remedy(remedy),
        None => failed,
    }
}

fn reason(answer: &DbError, key: &[String]) -> String {
    let column = answer.column().map(|column| format!(", column {column}")).unwrap_or_default();
    let quoted = quoted_list("", key.iter().map(String::as_str));
    let of_the_key = |detail: &&str| {
        !key.is_empty() && [key.join(", "), quoted.clone()].iter().any(|columns| detail.starts_with(&format!("Key ({columns})=")))
    };
    let detail = answer.detail().filter(of_the_key).map(|detail| format!(". {}", detail.trim_end_matches('.'))).unwrap_or_default();
    // What is wrong with a value may be told with the value, and where it stood by its line.
    let place = answer.where_().and_then(place_in_copy).unwrap_or_default();
    match is_of_a_value(answer.code()) && answer.message().contains('"') {
        true => format!("a value does not fit ({}){column}{place}", answer.code().code()),
        false => format!("{} ({}){column}{detail}{place}", answer.message(), answer.code().code()),
    }
}

/// `, column "name"`: what COPY says of where it was, but for the number of a row that nobody else can count.
fn place_in_copy(context: &str) -> Option<String> {
    let (_, column) = context.strip_prefix("COPY ")?.lines().next()?.split_once(", column ")?;
    // In text form the value would follow.
    Some(format!(", column {}", column.split(": ").next()?))
}

fn server_error(answer: &DbError) -> (ErrorKind, Option<&'static str>) {
    let code = answer.code();
    let remedies: [(&[SqlState], ErrorKind, &'static str); 5] = [
        (&[SqlState::CONFIGURATION_LIMIT_EXCEEDED], ErrorKind::TargetWrite, "The server is at one of its own limits"),
        (&[SqlState::INSUFFICIENT_PRIVILEGE], ErrorKind::TargetSchema, "Grant the role what is missing; with row security, BYPASSRLS"),
        (
            &[SqlState::DISK_FULL],
            ErrorKind::TargetWrite,
            "Free space on the target's disk: a refresh needs room for a second copy of the table",
        ),
        (
            &[SqlState::UNIQUE_VIOLATION],
            ErrorKind::BadValue,
            "The source delivers rows that the target's unique constraint holds equal: correct them, or the constraint",
        ),
        (
            &[
                SqlState::NOT_NULL_VIOLATION,
                SqlState::CHECK_VIOLATION,
                SqlState::FOREIGN_KEY_VIOLATION,
                SqlState::EXCLUSION_VIOLATION,
                SqlState::RESTRICT_VIOLATION,
            ],
            ErrorKind::BadValue,
            "The rows break a constraint of the target: correct them at the source, or the constraint",
        ),
    ];
    let otherwise = if is_of_a_value(code) { ErrorKind::BadValue } else { ErrorKind::TargetWrite };
    remedies.iter().find(|(codes, ..)| codes.contains(code)).map_or((otherwise, None), |(_, kind, remedy)| (*kind, Some(remedy)))
}
