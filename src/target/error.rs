//! PostgreSQL's errors in the product's terms.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::error::{ErrorKind, SyncError};

/// What went wrong while `doing` something in PostgreSQL. Codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
///
/// PostgreSQL's DETAIL may quote a whole row, so it is shown only where it names nothing but a key.
pub(super) fn target_error(doing: &str, error: Error) -> SyncError {
    let (kind, reason, remedy) = match error.as_db_error() {
        Some(answer) => {
            let (kind, remedy) = server_error(answer);
            (kind, reason(answer), remedy)
        }
        None if error.is_closed() => (ErrorKind::TargetWrite, "the connection was closed".to_owned(), None),
        None => {
            let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
            (ErrorKind::TargetWrite, format!("{error}{cause}"), None)
        }
    };
    let failed = SyncError::new(kind, format!("could not {doing} in PostgreSQL: {reason}")).with_cause(error);
    match remedy {
        Some(remedy) => failed.with_remedy(remedy),
        None => failed,
    }
}

fn reason(answer: &DbError) -> String {
    let mut reason = format!("{} ({})", answer.message(), answer.code().code());
    if let Some(column) = answer.column() {
        reason.push_str(&format!(", column {column}"));
    }
    let names_a_key = [SqlState::UNIQUE_VIOLATION, SqlState::FOREIGN_KEY_VIOLATION, SqlState::EXCLUSION_VIOLATION];
    match answer.detail() {
        Some(detail) if names_a_key.contains(answer.code()) => reason.push_str(&format!(". {}", detail.trim_end_matches('.'))),
        _ => {}
    }
    reason
}

fn server_error(answer: &DbError) -> (ErrorKind, Option<&'static str>) {
    let code = answer.code();
    let remedies: [(&[SqlState], ErrorKind, &'static str); 8] = [
        (
            &[SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION],
            ErrorKind::TargetLogin,
            "Check PG_USER and PG_PASSWORD",
        ),
        (&[SqlState::INVALID_CATALOG_NAME], ErrorKind::TargetLogin, "Check PG_DB"),
        (&[SqlState::INSUFFICIENT_PRIVILEGE], ErrorKind::TargetSchema, "Grant the role what is missing"),
        (
            &[SqlState::DISK_FULL],
            ErrorKind::TargetWrite,
            "Free space on the target's disk: a refresh needs room for a second copy of the table",
        ),
        (
            &[SqlState::CONFIGURATION_LIMIT_EXCEEDED, SqlState::TOO_MANY_CONNECTIONS],
            ErrorKind::TargetWrite,
            "The server is at one of its own limits",
        ),
        (
            &[SqlState::LOCK_NOT_AVAILABLE],
            ErrorKind::TargetWrite,
            "Another session holds a lock on the table: see pg_locks and pg_stat_activity",
        ),
        (
            &[SqlState::UNIQUE_VIOLATION],
            ErrorKind::Refused,
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
            ErrorKind::Refused,
            "The rows break a constraint of the target: correct them at the source, or the constraint",
        ),
    ];
    remedies
        .iter()
        .find(|(codes, ..)| codes.contains(code))
        .map_or((ErrorKind::TargetWrite, None), |(_, kind, remedy)| (*kind, Some(remedy)))
}

/// What went wrong while connecting.
pub(super) fn connect_error(server: &str, error: Error) -> SyncError {
    if let Some(answer) = error.as_db_error() {
        let (kind, remedy) = server_error(answer);
        let sentence = format!("PostgreSQL {server} refused the login: {}", reason(answer));
        return SyncError::new(kind, sentence).with_remedy(remedy.unwrap_or("See the server's log")).with_cause(error);
    }
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    let reason = causes.pop().unwrap_or_else(|| error.to_string());
    SyncError::new(ErrorKind::TargetConnect, format!("PostgreSQL {server} cannot be reached: {reason}"))
        .with_remedy("Check PG_HOST, PG_PORT, firewall and security groups; for TLS see PG_SSLMODE and PG_SSLROOTCERT")
        .with_cause(error)
}
