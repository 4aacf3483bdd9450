//! The driver's errors in the product's terms.

use tiberius::error::{Error, IoErrorKind};

use crate::error::{ErrorKind, SyncError};

/// What went wrong while `doing` something at `server`. The numbers are SQL Server's
/// (<https://learn.microsoft.com/sql/relational-databases/errors-events/database-engine-events-and-errors>).
pub(super) fn source_error(doing: &str, server: &str, error: Error) -> SyncError {
    let (kind, reason, remedy) = match &error {
        Error::Server(answer) => {
            let (kind, remedy) = server_error(answer.code());
            (kind, format!("{} (error {})", answer.message().trim_end_matches('.'), answer.code()), remedy)
        }
        // Inside a packet the driver wraps the transport's error in one of its own.
        Error::Io { kind, message } if *kind == IoErrorKind::TimedOut || message.ends_with(": timed out") => {
            (ErrorKind::SourceRead, "the server fell silent".to_owned(), Some("SOURCE_IDLE_TIMEOUT says how long silence is borne"))
        }
        Error::Io { message, .. } => (ErrorKind::SourceRead, format!("the connection was lost: {message}"), None),
        Error::Tls(message) => (ErrorKind::SourceConnect, format!("TLS failed: {}", without_advice(message)), None),
        error if undecodable(error) => (
            ErrorKind::BadValue,
            format!("a text value cannot be decoded: {error}"),
            Some("Look for lone surrogates and broken characters in the text columns: PostgreSQL's text types cannot hold them"),
        ),
        Error::Utf8
        | Error::Utf16
        | Error::Encoding(_)
        | Error::Protocol(_)
        | Error::Conversion(_)
        | Error::ParseInt(_)
        | Error::Routing { .. }
        | Error::BulkInput(_) => (ErrorKind::SourceRead, error.to_string(), None),
    };
    let failed = SyncError::new(kind, format!("could not {doing} at SQL Server {server}: {reason}"));
    // What TLS has to say is in the sentence; the driver's own text goes on to advise its users' programmers.
    let failed = if matches!(error, Error::Tls(_)) { failed } else { failed.with_cause(error) };
    match remedy {
        Some(remedy) => failed.with_remedy(remedy),
        None => failed,
    }
}

/// The driver's sentence about a certificate, without what it suggests to change in a program.
fn without_advice(message: &str) -> &str {
    let sentence = message.split_once(" To connect anyway").map_or(message, |(sentence, _)| sentence);
    sentence.trim_end_matches('.')
}

/// Whether text was not what its type or code page says; the driver reports broken UTF-16 as a protocol error.
pub(super) fn undecodable(error: &Error) -> bool {
    match error {
        Error::Utf8 | Error::Utf16 | Error::Encoding(_) => true,
        Error::Protocol(message) => message.contains("invalid UTF-16"),
        _ => false,
    }
}

fn server_error(number: u32) -> (ErrorKind, Option<&'static str>) {
    match number {
        // Login failed; cannot open database; database unavailable to this login.
        18452 | 18456 | 18470 | 18486..=18488 | 4060 | 4064 => (ErrorKind::SourceLogin, None),
        207 => (ErrorKind::SourceSchema, Some("A column that the configuration or the catalogue named is gone")),
        208 => (ErrorKind::SourceSchema, Some("Check sql_table, and that the login may SELECT from it")),
        911 => (ErrorKind::SourceSchema, Some("Check the database in sql_table, and that the login may enter it")),
        229 | 230 | 262 | 300 | 297 => (ErrorKind::SourceSchema, Some("Grant the login SELECT on the table")),
        916 => (ErrorKind::SourceSchema, Some("Make the login a user of that database")),
        1205 => (ErrorKind::SourceRead, Some("The read was chosen as a deadlock victim: run again")),
        1222 => (ErrorKind::SourceRead, Some("Somebody holds a lock on the table: run again, or look for the blocking session")),
        601 => (ErrorKind::SourceRead, Some("A dirty read met moving data: run again, or choose isolation \"read_committed\"")),
        3952 | 3960 => (ErrorKind::SourceRead, Some("The snapshot could not be kept: run again")),
        _ => (ErrorKind::SourceRead, None),
    }
}
