//! The driver's errors in the product's terms.

use tiberius::error::{Error, IoErrorKind};

use crate::error::{ErrorKind, Passing, SyncError};

/// What went wrong while `doing` something at `server`. The numbers are SQL Server's
/// (<https://learn.microsoft.com/sql/relational-databases/errors-events/database-engine-events-and-errors>).
pub(super) fn source_error(doing: &str, server: &str, error: Error) -> SyncError {
    let (kind, reason, remedy) = match &error {
        Error::Server(answer) => {
            let (kind, remedy) = server_error(answer.code());
            (kind, format!("{} (error {})", answer.message().trim_end_matches('.'), answer.code()), remedy)
        }
        error if fell_silent(error) => {
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
    let passing = match &error {
        Error::Server(answer) => passing(answer.code(), answer.message()),
        // A server that is there and silent is busy with something: keepalives find one that is gone.
        error if fell_silent(error) => None,
        Error::Io { .. } => Some(Passing::ConnectionLost),
        _ => None,
    };
    let failed = SyncError::new(kind, format!("could not {doing} at SQL Server {server}: {reason}")).with_passing(passing);
    // What TLS has to say is in the sentence; the driver's own text goes on to advise its users' programmers.
    let failed = if matches!(error, Error::Tls(_)) { failed } else { failed.with_cause(error) };
    match remedy {
        Some(remedy) => failed.with_remedy(remedy),
        None => failed,
    }
}

/// Whether a login failed for its user or password: 18456, and a password that ran out (18487, 18488).
pub(super) fn refuses_credentials(error: &SyncError) -> bool {
    let answer = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<Error>());
    matches!(answer, Some(Error::Server(answer)) if matches!(answer.code(), 18456 | 18487 | 18488))
}

/// Whether the transport's own limit of silence was reached; what the system says of a connection has its number. Inside a packet the driver wraps the
/// transport's error in one of its own.
pub(super) fn fell_silent(error: &Error) -> bool {
    match error {
        Error::Io { kind, message } => {
            (*kind == IoErrorKind::TimedOut || message.ends_with(": timed out")) && !message.contains("(os error")
        }
        _ => false,
    }
}

/// What an error of this number and text says of trouble that may pass.
///
/// Of them, those that Microsoft's own clients retry:
/// <https://learn.microsoft.com/dotnet/api/microsoft.data.sqlclient.sqlconfigurableretryfactory>,
/// <https://learn.microsoft.com/azure/azure-sql/database/troubleshoot-common-errors-issues>.
fn passing(number: u32, message: &str) -> Option<Passing> {
    match number {
        // What a gateway reports of the network, a session that was killed or ended, an input stream that broke.
        64 | 121 | 233 | 596 | 4014 | 10053 | 10054 | 10060 => Some(Passing::ConnectionLost),
        // A database being recovered, a shutdown, a paused service, an upgrade, a replica between two roles, a reconfiguration.
        921 | 922 | 983 | 988 | 4221 | 6005 | 17142 | 18401 | 40143 | 40197 | 40540 | 40613 | 42109 => Some(Passing::Restarting),
        4060 if message.contains("not currently available") => Some(Passing::Restarting),
        // No lock resources, no memory, no connections, no workers; requests that are turned away.
        701 | 1204 | 8645 | 8651 | 10928 | 10929 | 10936 | 17809 | 40501 | 49918..=49920 => Some(Passing::Busy),
        1205 => Some(Passing::Deadlock),
        1222 => Some(Passing::LockTimeout),
        3958 | 3960 | 3961 | 3966 => Some(Passing::SnapshotLost),
        601 => Some(Passing::MovingData),
        _ => None,
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
        4060 | 4064 | 18452 | 18456 | 18470 | 18486..=18488 => (ErrorKind::SourceLogin, None),
        207 => (ErrorKind::SourceSchema, Some("A column that the configuration or the catalogue named is gone")),
        208 => (ErrorKind::SourceSchema, Some("Check sql_table, and that the login may SELECT from it")),
        911 => (ErrorKind::SourceSchema, Some("Check the database in sql_table, and that the login may enter it")),
        229 | 230 | 262 | 300 | 297 => (ErrorKind::SourceSchema, Some("Grant the login SELECT on the table")),
        916 => (ErrorKind::SourceSchema, Some("Make the login a user of that database")),
        3952 => (ErrorKind::SourceSchema, Some("Allow snapshots in that database, or choose isolation \"read_committed\"")),
        // What may pass has its remedy where it is decided what is tried again.
        _ => (ErrorKind::SourceRead, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_may_pass_are_told_from_those_that_do_not() {
        let cases = [
            (1205, "Transaction (Process ID 52) was deadlocked", Some(Passing::Deadlock)),
            (1222, "Lock request time out period exceeded.", Some(Passing::LockTimeout)),
            (601, "Could not continue scan with NOLOCK due to data movement.", Some(Passing::MovingData)),
            (3960, "Snapshot isolation transaction aborted due to update conflict.", Some(Passing::SnapshotLost)),
            (40613, "Database 'a' on server 'b' is not currently available.", Some(Passing::Restarting)),
            (18401, "Login failed: Server is in script upgrade mode.", Some(Passing::Restarting)),
            (4060, "Cannot open database \"a\" requested by the login. The login failed.", None),
            (4060, "Database 'a' on server 'b' is not currently available.", Some(Passing::Restarting)),
            (40501, "The service is currently busy.", Some(Passing::Busy)),
            (18456, "Login failed for user 'a'.", None),
            (208, "Invalid object name 'a'.", None),
            (824, "SQL Server detected a logical consistency-based I/O error", None),
        ];
        for (number, message, expected) in cases {
            assert_eq!(passing(number, message), expected, "{number} {message}");
        }
    }

    #[test]
    fn a_lost_connection_may_pass_and_a_silent_server_is_not_asked_again() {
        let io = |kind, message: &str| Error::Io { kind, message: message.to_owned() };
        let cases = [
            (io(IoErrorKind::ConnectionReset, "Connection reset by peer (os error 104)"), Some(Passing::ConnectionLost)),
            (io(IoErrorKind::UnexpectedEof, "unexpected end of file"), Some(Passing::ConnectionLost)),
            // Keepalives were not answered: the server is gone.
            (io(IoErrorKind::TimedOut, "Connection timed out (os error 110)"), Some(Passing::ConnectionLost)),
            (io(IoErrorKind::TimedOut, "timed out"), None),
            (io(IoErrorKind::Other, "reading a packet: timed out"), None),
            (Error::Protocol("unexpected token".into()), None),
            (Error::Tls("invalid peer certificate: Expired".to_owned()), None),
        ];
        for (error, expected) in cases {
            let shown = error.to_string();
            let failed = source_error("read dbo.T", "db:1433", error);
            assert_eq!(failed.passing(), expected, "{shown}");
            assert_eq!(failed.to_string().contains("SOURCE_IDLE_TIMEOUT"), shown.ends_with("timed out"), "{failed}");
        }
    }
}
