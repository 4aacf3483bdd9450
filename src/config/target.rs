//! Reads the target's section: `PG_*`, `TARGET_IDLE_TIMEOUT` and `STATE_SCHEMA`.

use std::time::Duration;

use secrecy::SecretString;

use super::section::Section;
use super::source::is_loopback;
use super::{Env, SslMode, TargetSettings};
use crate::error::Result;
use crate::table::IDENTIFIER_BYTES_MAX;

const PORT: u16 = 5432;
const STATE_SCHEMA: &str = "tablesync";
/// A statement on a large table is silent for long, and a server that is gone is noticed by keepalives.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3600);

pub(super) fn read(env: &Env) -> Result<TargetSettings> {
    let mut section = Section::new(env);
    section.refuse("PG_SECRET_ID", "set PG_HOST, PG_USER and PG_PASSWORD instead");
    let host = section.required("PG_HOST");
    let database = section.required("PG_DB");
    let user = section.required("PG_USER");
    let port = section.port("PG_PORT");
    let sslmode = section.parsed("PG_SSLMODE", "disable, prefer, require, verify-ca or verify-full", parse_sslmode);
    let sslrootcert = section.file("PG_SSLROOTCERT");
    let state_schema = section.parsed("STATE_SCHEMA", "a schema name of at most 63 bytes that does not begin with pg_", parse_schema);
    let idle_timeout = section.duration("TARGET_IDLE_TIMEOUT").unwrap_or(IDLE_TIMEOUT);
    if idle_timeout.is_zero() {
        section.problem("TARGET_IDLE_TIMEOUT is zero, expected a duration above it".to_owned());
    }
    // Whoever names an authority wants it asked, on loopback too.
    let unverified = is_local(&host) && sslrootcert.is_none();
    let settings = TargetSettings {
        port: port.unwrap_or(PORT),
        password: section.optional("PG_PASSWORD").map(SecretString::from),
        sslmode: sslmode.unwrap_or(if unverified { SslMode::Prefer } else { SslMode::VerifyFull }),
        sslrootcert,
        idle_timeout,
        state_schema: state_schema.unwrap_or_else(|| STATE_SCHEMA.to_owned()),
        host,
        database,
        user,
    };
    section.finish("target").map(|()| settings)
}

/// Whether the target is on this machine: loopback, or a Unix socket's directory.
pub(super) fn is_local(host: &str) -> bool {
    host.starts_with('/') || is_loopback(host)
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
    let fits = !text.is_empty() && text.len() <= IDENTIFIER_BYTES_MAX && !text.starts_with("pg_") && !text.contains('\0');
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Result<TargetSettings> {
        let base = [("PG_HOST", "db.example.com"), ("PG_DB", "target"), ("PG_USER", "writer"), ("PG_PASSWORD", "canary")];
        read(&Env::from_iter(base.iter().chain(pairs).copied()))
    }

    #[test]
    fn every_missing_variable_is_named_in_one_error_and_the_password_may_be_unset() {
        let error = read(&Env::default()).unwrap_err().to_string();
        assert!(error.starts_with("target: PG_HOST, PG_DB, PG_USER are not set"), "{error}");
        assert!(with(&[("PG_PASSWORD", "")]).unwrap().password.is_none());
    }

    #[test]
    fn tls_is_verified_in_full_except_on_this_machine() {
        let remote = with(&[]).unwrap();
        assert_eq!((remote.sslmode, remote.port, remote.state_schema.as_str()), (SslMode::VerifyFull, 5432, "tablesync"));
        for host in ["localhost", "127.0.0.1", "::1", "/var/run/postgresql"] {
            assert_eq!(with(&[("PG_HOST", host)]).unwrap().sslmode, SslMode::Prefer, "{host}");
        }
        let named = with(&[("PG_HOST", "localhost"), ("PG_SSLROOTCERT", "Cargo.toml")]).unwrap();
        assert_eq!(named.sslmode, SslMode::VerifyFull, "a named authority is asked");
        assert_eq!(with(&[("PG_SSLMODE", "require")]).unwrap().sslmode, SslMode::Require);
    }

    #[test]
    fn malformed_values_are_named_with_what_was_expected() {
        let cases = [
            ("PG_PORT", "0", "PG_PORT is \"0\", expected a port"),
            ("PG_SSLMODE", "allow", "PG_SSLMODE is \"allow\", expected disable, prefer, require, verify-ca or verify-full"),
            ("PG_SSLROOTCERT", "/nonexistent", "PG_SSLROOTCERT is \"/nonexistent\", expected the path"),
            ("STATE_SCHEMA", "pg_state", "STATE_SCHEMA is \"pg_state\", expected a schema name"),
            ("TARGET_IDLE_TIMEOUT", "0", "TARGET_IDLE_TIMEOUT is zero"),
            ("PG_SECRET_ID", "prod/pg", "PG_SECRET_ID is not supported yet in this version"),
        ];
        for (name, value, expected) in cases {
            let error = with(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn debug_of_the_section_shows_no_password() {
        assert!(!format!("{:?}", with(&[]).unwrap()).contains("canary"));
    }
}
