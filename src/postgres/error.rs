//! What PostgreSQL's errors say, whichever end it is.

use std::error::Error as _;
use std::io::{self, ErrorKind as IoErrorKind};

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::config::PostgresSettings;
use crate::error::{ErrorKind, Passing, SyncError};

/// Which end a PostgreSQL is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Where rows come from.
    Source,
    /// Where rows go.
    Target,
}

impl Side {
    /// As sentences name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }

    /// The kind of error of a server that cannot be reached.
    pub fn connect(self) -> ErrorKind {
        match self {
            Self::Source => ErrorKind::SourceConnect,
            Self::Target => ErrorKind::TargetConnect,
        }
    }

    /// The kind of error of a login that is refused.
    pub fn login(self) -> ErrorKind {
        match self {
            Self::Source => ErrorKind::SourceLogin,
            Self::Target => ErrorKind::TargetLogin,
        }
    }

    /// The kind of error of what is not there or not allowed.
    pub fn schema(self) -> ErrorKind {
        match self {
            Self::Source => ErrorKind::SourceSchema,
            Self::Target => ErrorKind::TargetSchema,
        }
    }

    /// The kind of error of rows that do not get through.
    pub fn transfer(self) -> ErrorKind {
        match self {
            Self::Source => ErrorKind::SourceRead,
            Self::Target => ErrorKind::TargetWrite,
        }
    }

    /// The variable that says how long it may be silent.
    pub fn idle_timeout(self) -> &'static str {
        match self {
            Self::Source => "SOURCE_IDLE_TIMEOUT",
            Self::Target => "TARGET_IDLE_TIMEOUT",
        }
    }
}

/// The driver's error as a cause for the log. PostgreSQL's DETAIL may quote a whole row, so neither `Display` nor a source shows it.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.shown())]
pub struct Cause(pub Error);

impl Cause {
    fn shown(&self) -> String {
        match self.0.as_db_error() {
            // What is wrong with a value may be told with the value.
            Some(answer) if is_of_a_value(answer.code()) => format!("{} {}", answer.severity(), answer.code().code()),
            Some(answer) => format!("{} {}: {}", answer.severity(), answer.code().code(), answer.message()),
            None => self.0.source().map_or_else(|| self.0.to_string(), |source| format!("{}: {source}", self.0)),
        }
    }
}

/// Whether an error is about a value (class 22), which its message may quote.
pub fn is_of_a_value(code: &SqlState) -> bool {
    code.code().starts_with("22")
}

/// PostgreSQL's code for what went wrong, where it answered.
pub fn code_of(error: &SyncError) -> Option<&SqlState> {
    error.source()?.downcast_ref::<Cause>()?.0.code()
}

/// Whether a login failed for its user or password.
pub(super) fn refuses_credentials(error: &SyncError) -> bool {
    code_of(error).is_some_and(|code| [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION].contains(code))
}

/// What the driver's error says of trouble that may pass: by PostgreSQL's code where it answered, else by what became of the connection.
pub fn passing(error: &Error) -> Option<Passing> {
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

/// What went wrong while connecting.
pub(super) fn connect_error(side: Side, settings: &PostgresSettings, error: Error) -> SyncError {
    let (server, named_by) = (settings.server(), &settings.named_by);
    if let Some(answer) = error.as_db_error() {
        let (kind, remedy) = refusal(side, settings, answer);
        let sentence = format!("PostgreSQL {server} refused the login: {} ({})", answer.message(), answer.code().code());
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
    // The driver's own words, before it sends a login.
    if reason == "password missing" {
        return SyncError::new(side.login(), format!("PostgreSQL {server} asks for a password, and none is set"))
            .with_remedy(format!("Set it in {}, or name a secret that has it with {}", named_by.password(), named_by.secret()))
            .with_cause(Cause(error));
    }
    let unreachable = passing(&error).map(|_| Passing::Unreachable);
    let (address, sslmode, rootcert) = (named_by.address(), named_by.sslmode(), named_by.rootcert());
    SyncError::new(side.connect(), format!("PostgreSQL {server} cannot be reached: {reason}"))
        .with_passing(unreachable)
        .with_remedy(format!("Check {address}, firewall and security groups; for TLS see {sslmode} and {rootcert}"))
        .with_cause(Cause(error))
}

fn refusal(side: Side, settings: &PostgresSettings, answer: &DbError) -> (ErrorKind, Option<String>) {
    let named_by = &settings.named_by;
    match *answer.code() {
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            (side.login(), Some(format!("Check {}", named_by.login())))
        }
        SqlState::INVALID_CATALOG_NAME => (side.login(), Some(format!("Check {}", named_by.database()))),
        SqlState::CONFIGURATION_LIMIT_EXCEEDED => (side.transfer(), Some("The server is at one of its own limits".to_owned())),
        SqlState::INSUFFICIENT_PRIVILEGE => (side.schema(), Some("Grant the role what is missing".to_owned())),
        _ => (side.transfer(), None),
    }
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
