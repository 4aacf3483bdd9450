//! PostgreSQL's errors, of a source.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::error::{ErrorKind, SyncError};
use crate::postgres::{Cause, is_of_a_value, passing};

/// What went wrong while `doing` something at `server`.
pub(super) fn source_error(doing: &str, server: &str, error: Error) -> SyncError {
    let (kind, reason, remedy) = match error.as_db_error() {
        Some(answer) => of_the_server(answer),
        None if error.is_closed() => (ErrorKind::SourceRead, "the connection was closed".to_owned(), None),
        None => {
            let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
            (ErrorKind::SourceRead, format!("{error}{cause}"), None)
        }
    };
    let sentence = format!("could not {doing} at PostgreSQL {server}: {reason}");
    let failed = SyncError::new(kind, sentence).with_passing(passing(&error)).with_cause(Cause(error));
    match remedy {
        Some(remedy) => failed.with_remedy(remedy),
        None => failed,
    }
}

/// Codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn of_the_server(answer: &DbError) -> (ErrorKind, String, Option<&'static str>) {
    let code = answer.code();
    let told = format!("{} ({})", answer.message(), code.code());
    if is_of_a_value(code) {
        let remedy = "Correct the values at the source, or give the target's column the source's type";
        return (ErrorKind::BadValue, format!("a value cannot be cast ({})", code.code()), Some(remedy));
    }
    let (kind, remedy) = match *code {
        SqlState::INSUFFICIENT_PRIVILEGE => {
            (ErrorKind::SourceSchema, Some("Grant the role SELECT on the table, USAGE on its schema, and with row security BYPASSRLS"))
        }
        SqlState::UNDEFINED_TABLE | SqlState::INVALID_SCHEMA_NAME => (ErrorKind::SourceSchema, Some("Check sql_table")),
        SqlState::UNDEFINED_OBJECT | SqlState::CANNOT_COERCE => {
            (ErrorKind::SourceSchema, Some("The source does not know the type of the target's column: give it the source's type"))
        }
        _ => (ErrorKind::SourceRead, None),
    };
    (kind, told, remedy)
}
