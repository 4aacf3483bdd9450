//! Reads the target's section: `PG_*` or `TARGET_DSN`, `TARGET_IDLE_TIMEOUT` and `STATE_SCHEMA`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::postgres::{self, TARGET_DSN};
use super::secret::LiveSecret;
use super::section::{Section, looks_like_an_address};
use super::source::is_loopback;
use super::{Env, Login, NamedBy, PostgresSettings, SslMode, TargetSettings};
use crate::error::Result;
use crate::table::IDENTIFIER_BYTES_MAX;

const PORT: u16 = 5432;
const STATE_SCHEMA: &str = "tablesync";
/// What `make lambda` packs beside the bootstrap: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html>.
const PACKED_AUTHORITIES: &str = "rds-global-bundle.pem";
/// A statement on a large table is silent for long, and a server that is gone is noticed by keepalives.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3600);

/// The target that `PG_*` name.
pub(super) fn read(env: &Env, secret: Option<&Arc<LiveSecret>>) -> Result<TargetSettings> {
    let mut section = Section::new(env);
    if let Some(secret) = secret {
        section.fill(secret, "PG_HOST", "PG_PORT", "PG_DB");
    }
    let host = section.required("PG_HOST");
    let host = section.parsed("PG_HOST", "a host, an address or the folder of a socket", parse_host).unwrap_or(host);
    let database = section.required("PG_DB");
    section.plain("PG_DB");
    let login = Login::new(section.plain("PG_USER"), section.optional("PG_PASSWORD").map(Into::into), secret.cloned());
    if login.credentials().user.is_empty() && section.optional("PG_USER").is_none() {
        section.missing("PG_USER");
    }
    let port = section.port("PG_PORT");
    let sslmode = section.parsed("PG_SSLMODE", "disable, prefer, require, verify-ca or verify-full", parse_sslmode);
    let sslrootcert = section.file("PG_SSLROOTCERT");
    let (state_schema, idle_timeout) = own(&mut section);
    // Whoever names an authority wants it asked, on loopback too.
    let unverified = is_local(&host) && sslrootcert.is_none();
    let server = PostgresSettings {
        named_by: NamedBy::PgVariables,
        port: port.unwrap_or(PORT),
        sslmode: sslmode.unwrap_or(if unverified { SslMode::Prefer } else { SslMode::VerifyFull }),
        packed_authorities: packed_authorities(env).filter(|_| sslrootcert.is_none()),
        sslrootcert,
        connect_timeout: None,
        application_name: None,
        options: None,
        host,
        database,
        login,
    };
    section.finish("target").map(|()| TargetSettings { server, idle_timeout, state_schema })
}

/// The target that `TARGET_DSN` names; a secret fills what it leaves out.
pub(super) fn read_dsn(env: &Env, secret: Option<&Arc<LiveSecret>>) -> Result<TargetSettings> {
    let mut section = Section::new(env);
    let (state_schema, idle_timeout) = own(&mut section);
    section.finish("target")?;
    postgres::read(env, TARGET_DSN, "target", secret).map(|server| TargetSettings { server, idle_timeout, state_schema })
}

/// What belongs to no other PostgreSQL: the schema of the state, and how long the target may be silent.
fn own(section: &mut Section<'_>) -> (String, Duration) {
    let state_schema = section.parsed("STATE_SCHEMA", "a schema name of at most 63 bytes that does not begin with pg_", parse_schema);
    let idle_timeout = section.duration("TARGET_IDLE_TIMEOUT").unwrap_or(IDLE_TIMEOUT);
    if idle_timeout.is_zero() {
        section.problem("TARGET_IDLE_TIMEOUT is zero, expected a duration above it".to_owned());
    }
    (state_schema.unwrap_or_else(|| STATE_SCHEMA.to_owned()), idle_timeout)
}

/// Amazon's authorities, where they are packed with the function.
pub(super) fn packed_authorities(env: &Env) -> Option<PathBuf> {
    env.get("LAMBDA_TASK_ROOT").map(|root| Path::new(root).join(PACKED_AUTHORITIES)).filter(|path| path.is_file())
}

/// Whether the target is on this machine: loopback, or a Unix socket's directory.
pub(super) fn is_local(host: &str) -> bool {
    host.starts_with('/') || is_loopback(host)
}

/// A whole connection string is refused here: it would be shown wherever the server is named, its password included.
fn parse_host(text: &str) -> Option<String> {
    let one_name = text.starts_with('/') || !text.contains(|c: char| c.is_whitespace() || "/@=;".contains(c));
    one_name.then(|| text.to_owned())
}

fn parse_sslmode(text: &str) -> Option<SslMode> {
    match text.to_ascii_lowercase().as_str() {
        "disable" => Some(SslMode::Disable),
        "prefer" => Some(SslMode::Prefer),
        "require" => Some(SslMode::Require),
        "verify-ca" => Some(SslMode::VerifyCa),
        "verify-full" => Some(SslMode::VerifyFull),
        _ => None,
    }
}

fn parse_schema(text: &str) -> Option<String> {
    let fits = !text.is_empty()
        && !looks_like_an_address(text)
        && text.len() <= IDENTIFIER_BYTES_MAX
        && !text.starts_with("pg_")
        && !text.contains('\0');
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DatabaseSecret, SecretName};

    fn with(pairs: &[(&str, &str)]) -> Result<TargetSettings> {
        let base = [("PG_HOST", "db.example.com"), ("PG_DB", "target"), ("PG_USER", "writer"), ("PG_PASSWORD", "canary")];
        read(&Env::from_iter(base.iter().chain(pairs).copied()), None)
    }

    #[test]
    fn every_missing_variable_is_named_in_one_error_and_the_password_may_be_unset() {
        let error = read(&Env::default(), None).unwrap_err().to_string();
        assert!(error.starts_with("target: PG_HOST, PG_DB, PG_USER are not set"), "{error}");
        assert!(!with(&[("PG_PASSWORD", "")]).unwrap().server.login.credentials().has_password());
    }

    #[test]
    fn tls_is_verified_in_full_except_on_this_machine() {
        let remote = with(&[]).unwrap();
        assert_eq!((remote.server.sslmode, remote.server.port, remote.state_schema.as_str()), (SslMode::VerifyFull, 5432, "tablesync"));
        for host in ["localhost", "127.0.0.1", "::1", "/var/run/postgresql"] {
            assert_eq!(with(&[("PG_HOST", host)]).unwrap().server.sslmode, SslMode::Prefer, "{host}");
        }
        let named = with(&[("PG_HOST", "localhost"), ("PG_SSLROOTCERT", "Cargo.toml")]).unwrap();
        assert_eq!(named.server.sslmode, SslMode::VerifyFull, "a named authority is asked");
        assert_eq!(with(&[("PG_SSLMODE", "require")]).unwrap().server.sslmode, SslMode::Require);
    }

    #[test]
    fn malformed_values_are_named_with_what_was_expected() {
        let cases = [
            ("PG_PORT", "0", "PG_PORT is \"0\", expected a port"),
            ("PG_SSLMODE", "allow", "PG_SSLMODE is \"allow\", expected disable, prefer, require, verify-ca or verify-full"),
            ("PG_SSLROOTCERT", "/nonexistent", "PG_SSLROOTCERT is \"/nonexistent\", expected the path"),
            ("STATE_SCHEMA", "pg_state", "STATE_SCHEMA is \"pg_state\", expected a schema name"),
            ("TARGET_IDLE_TIMEOUT", "0", "TARGET_IDLE_TIMEOUT is zero"),
            ("PG_HOST", "postgres://u:canary@h/db", "PG_HOST is something else than a host"),
        ];
        for (name, value, expected) in cases {
            let error = with(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_secret_fills_what_the_variables_leave_out() {
        let name = SecretName { variable: "PG_SECRET_ID".to_owned(), id: "prod/pg".to_owned() };
        let says = DatabaseSecret::parse(r#"{"username":"sync","password":"canary","port":5433}"#).unwrap();
        let secret = Arc::new(LiveSecret::new(name, says, Arc::new(|_| Box::pin(async { Ok(None) }))));
        let managed = read(&Env::from_iter([("PG_HOST", "h"), ("PG_DB", "d")]), Some(&secret)).unwrap();
        assert_eq!((managed.server.port, managed.server.login.credentials().user.as_str()), (5433, "sync"));
        let error = read(&Env::from_iter([("PG_PORT", "1")]), Some(&secret)).unwrap_err().to_string();
        let expected = "target: PG_HOST, PG_DB are not set. The secret prod/pg (PG_SECRET_ID) has no host, dbname: add that to it, or set the variable";
        assert_eq!(error, expected);
    }

    #[test]
    fn debug_of_the_section_shows_no_password() {
        assert!(!format!("{:?}", with(&[]).unwrap()).contains("canary"));
    }
}
