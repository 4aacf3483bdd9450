//! PostgreSQL's errors in the product's terms.

use std::error::Error as _;
use std::io::{self, ErrorKind as IoErrorKind};

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::error::{ErrorKind, Passing, SyncError};
use crate::table::{TargetTable, quoted_list};

/// The driver's error as a cause for the log. PostgreSQL's DETAIL may quote a whole row, so neither `Display` nor a source shows it.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.shown())]
struct Cause(Error);

impl Cause {
    fn shown(&self) -> String {
        match self.0.as_db_error() {
            Some(answer) => format!("{} {}: {}", answer.severity(), answer.code().code(), answer.message()),
            None => self.0.source().map_or_else(|| self.0.to_string(), |source| format!("{}: {source}", self.0)),
        }
    }
}

/// PostgreSQL's code for what went wrong, where it answered.
fn code_of(error: &SyncError) -> Option<&SqlState> {
    error.source()?.downcast_ref::<Cause>()?.0.code()
}

/// Whether a login failed for its user or password.
pub(super) fn refuses_credentials(error: &SyncError) -> bool {
    code_of(error).is_some_and(|code| [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION].contains(code))
}

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

/// What the driver's error says of trouble that may pass: by PostgreSQL's code where it answered, else by what became of the connection.
fn passing(error: &Error) -> Option<Passing> {
    match error.as_db_error() {
        Some(answer) => passing_code(answer.code(), answer.severity()),
        None if error.is_closed() => Some(Passing::ConnectionLost),
        // A certificate that is refused comes as invalid data, a message that is too large as invalid input.
        None => error
            .source()
            .and_then(|source| source.downcast_ref::<io::Error>())
            .filter(|io| !matches!(io.kind(), IoErrorKind::InvalidData | IoErrorKind::InvalidInput))
            .map(|_| Passing::ConnectionLost),
    }
}

/// Codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn passing_code(code: &SqlState, severity: &str) -> Option<Passing> {
    const TABLE: [(&[SqlState], Passing); 7] = [
        (&[SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW], Passing::Restarting),
        (&[SqlState::TOO_MANY_CONNECTIONS], Passing::Busy),
        (&[SqlState::T_R_DEADLOCK_DETECTED], Passing::Deadlock),
        (&[SqlState::LOCK_NOT_AVAILABLE], Passing::LockTimeout),
        (&[SqlState::T_R_SERIALIZATION_FAILURE], Passing::Serialization),
        (&[SqlState::READ_ONLY_SQL_TRANSACTION], Passing::ReadOnly),
        (&[SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT, SqlState::IDLE_SESSION_TIMEOUT], Passing::ConnectionLost),
    ];
    // Class 08 is the connection's; a pool between reports servers it has lost as a protocol violation that ends the session.
    let connection = || code.code().starts_with("08") && (*code != SqlState::PROTOCOL_VIOLATION || severity == "FATAL");
    let listed = TABLE.iter().find(|(codes, _)| codes.contains(code)).map(|(_, passing)| *passing);
    listed.or_else(|| connection().then_some(Passing::ConnectionLost))
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
    format!("{} ({}){column}{detail}", answer.message(), answer.code().code())
}

fn server_error(answer: &DbError) -> (ErrorKind, Option<&'static str>) {
    let code = answer.code();
    let remedies: [(&[SqlState], ErrorKind, &'static str); 7] = [
        (
            &[SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION],
            ErrorKind::TargetLogin,
            "Check PG_USER and PG_PASSWORD",
        ),
        (&[SqlState::INVALID_CATALOG_NAME], ErrorKind::TargetLogin, "Check PG_DB"),
        (&[SqlState::CONFIGURATION_LIMIT_EXCEEDED], ErrorKind::TargetWrite, "The server is at one of its own limits"),
        (&[SqlState::INSUFFICIENT_PRIVILEGE], ErrorKind::TargetSchema, "Grant the role what is missing"),
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
    remedies
        .iter()
        .find(|(codes, ..)| codes.contains(code))
        .map_or((ErrorKind::TargetWrite, None), |(_, kind, remedy)| (*kind, Some(remedy)))
}

/// What went wrong while connecting.
pub(super) fn connect_error(server: &str, error: Error) -> SyncError {
    if let Some(answer) = error.as_db_error() {
        let (kind, remedy) = server_error(answer);
        let sentence = format!("PostgreSQL {server} refused the login: {}", reason(answer, &[]));
        let failed = SyncError::new(kind, sentence).with_passing(passing(&error)).with_cause(Cause(error));
        return match remedy {
            Some(remedy) => failed.with_remedy(remedy),
            // What may pass has its remedy where it is decided what is tried again.
            None if failed.passing().is_some() => failed,
            None => failed.with_remedy("See the server's log"),
        };
    }
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    let reason = causes.pop().unwrap_or_else(|| error.to_string());
    let unreachable = passing(&error).map(|_| Passing::Unreachable);
    SyncError::new(ErrorKind::TargetConnect, format!("PostgreSQL {server} cannot be reached: {reason}"))
        .with_passing(unreachable)
        .with_remedy("Check PG_HOST, PG_PORT, firewall and security groups; for TLS see PG_SSLMODE and PG_SSLROOTCERT")
        .with_cause(Cause(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_may_pass_are_told_from_those_that_do_not() {
        let cases = [
            ("57P01", "FATAL", Some(Passing::Restarting)),
            ("57P02", "FATAL", Some(Passing::Restarting)),
            ("57P03", "FATAL", Some(Passing::Restarting)),
            ("57P04", "FATAL", None),
            ("57P05", "FATAL", Some(Passing::ConnectionLost)),
            ("57014", "ERROR", None),
            ("53300", "FATAL", Some(Passing::Busy)),
            ("53100", "ERROR", None),
            ("40P01", "ERROR", Some(Passing::Deadlock)),
            ("40001", "ERROR", Some(Passing::Serialization)),
            ("55P03", "ERROR", Some(Passing::LockTimeout)),
            ("25006", "ERROR", Some(Passing::ReadOnly)),
            ("25P03", "FATAL", Some(Passing::ConnectionLost)),
            ("08006", "FATAL", Some(Passing::ConnectionLost)),
            ("08P01", "FATAL", Some(Passing::ConnectionLost)),
            ("08P01", "ERROR", None),
            ("28P01", "FATAL", None),
            ("23505", "ERROR", None),
        ];
        for (code, severity, expected) in cases {
            assert_eq!(passing_code(&SqlState::from_code(code), severity), expected, "{severity} {code}");
        }
    }
}
