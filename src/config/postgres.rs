//! Reads a PostgreSQL's section from a DSN: `SOURCE_<DB_TYPE>_DSN`, `SOURCE_DSN`, `TARGET_DSN`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::dsn::{Dsn, RootCert};
use super::secret::LiveSecret;
use super::target::{is_local, packed_authorities};
use super::{Env, Login, SslMode};
use crate::error::{ErrorKind, Result, SyncError};

const PORT: u16 = 5432;
/// The DSN of the tables that `CONFIG_PATH` names.
pub(super) const SOURCE_DSN: &str = "SOURCE_DSN";
/// The secret with what it leaves out.
pub(super) const SOURCE_SECRET: &str = "SOURCE_SECRET_ID";
/// The target's DSN.
pub(super) const TARGET_DSN: &str = "TARGET_DSN";
/// The secret with what that leaves out.
pub(super) const TARGET_SECRET: &str = "TARGET_SECRET_ID";

/// Where a PostgreSQL is, and how to log in.
#[derive(Debug, Clone)]
pub struct PostgresSettings {
    /// Which variables say so, for messages.
    pub named_by: NamedBy,
    /// Host name, address, or the directory of a Unix socket (begins with `/`).
    pub host: String,
    /// The port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The role and its password, where one is needed.
    pub login: Login,
    /// How TLS is used and verified.
    pub sslmode: SslMode,
    /// A PEM file of certificate authorities, in place of the system's.
    pub sslrootcert: Option<PathBuf>,
    /// A PEM file of authorities besides the system's, where none are named: Amazon's for RDS, packed with the function.
    pub packed_authorities: Option<PathBuf>,
    /// How long connecting may take, where the DSN says.
    pub connect_timeout: Option<Duration>,
    /// What `pg_stat_activity` shows of its sessions, where the DSN says.
    pub application_name: Option<String>,
    /// Options for the server's command line, where the DSN has them.
    pub options: Option<String>,
}

impl PostgresSettings {
    /// `host:port`, for messages.
    pub fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// What `pg_stat_activity` shows of a session that would be called `application`.
    pub fn shown_as<'a>(&'a self, application: &'a str) -> &'a str {
        self.application_name.as_deref().unwrap_or(application)
    }
}

/// The variables that say where a PostgreSQL is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedBy {
    /// `PG_HOST` and its fellows.
    PgVariables,
    /// One with a DSN.
    Dsn(String),
}

impl NamedBy {
    /// The variables that name host and port.
    pub fn address(&self) -> &str {
        match self {
            Self::PgVariables => "PG_HOST, PG_PORT",
            Self::Dsn(variable) => variable,
        }
    }

    /// The variables that name user and password.
    pub fn login(&self) -> &str {
        match self {
            Self::PgVariables => "PG_USER and PG_PASSWORD",
            Self::Dsn(variable) => variable,
        }
    }

    /// The variable that has the password.
    pub fn password(&self) -> &str {
        match self {
            Self::PgVariables => "PG_PASSWORD",
            Self::Dsn(variable) => variable,
        }
    }

    /// The variable that names the database.
    pub fn database(&self) -> &str {
        match self {
            Self::PgVariables => "PG_DB",
            Self::Dsn(variable) => variable,
        }
    }

    /// The variable that names a secret with what the others leave out.
    pub fn secret(&self) -> String {
        match self {
            Self::PgVariables => "PG_SECRET_ID".to_owned(),
            Self::Dsn(variable) => format!("{}SECRET_ID", variable.trim_end_matches("DSN")),
        }
    }

    /// What names the authorities.
    pub fn rootcert(&self) -> String {
        match self {
            Self::PgVariables => "PG_SSLROOTCERT".to_owned(),
            Self::Dsn(variable) => format!("sslrootcert in {variable}"),
        }
    }

    /// What says how much is verified.
    pub fn sslmode(&self) -> String {
        match self {
            Self::PgVariables => "PG_SSLMODE".to_owned(),
            Self::Dsn(variable) => format!("sslmode in {variable}"),
        }
    }
}

/// The name of one of a PostgreSQL source's variables: `pg_name("mctm", "DSN")` is `SOURCE_MCTM_DSN`.
pub(super) fn pg_name(db_type: &str, what: &str) -> String {
    format!("SOURCE_{}_{what}", db_type.to_ascii_uppercase())
}

/// Whether the environment makes `db_type` a PostgreSQL source.
pub(super) fn is_source(env: &Env, db_type: &str) -> bool {
    env.get(&pg_name(db_type, "DSN")).is_some() || env.get(&pg_name(db_type, "SECRET_ID")).is_some()
}

/// The section of the DSN in `name`, of `what`; a secret fills what it leaves out.
pub(super) fn read(env: &Env, name: &str, what: &str, secret: Option<&Arc<LiveSecret>>) -> Result<PostgresSettings> {
    let wrong = |problems: Vec<String>| SyncError::new(ErrorKind::Config, format!("{what}: {}", problems.join("; ")));
    let named = |problem: String| format!("{name} {problem}");
    let mut dsn = match env.get(name).map(Dsn::parse) {
        Some(Ok(dsn)) => dsn,
        Some(Err(problems)) => return Err(wrong(problems.into_iter().map(named).collect())),
        None => Dsn::default(),
    };
    if let Some(says) = secret.map(|secret| secret.now()) {
        dsn.port = dsn.port.or(says.port.filter(|_| dsn.host.is_none()));
        dsn.host = dsn.host.or(says.host);
        dsn.database = dsn.database.or(says.dbname);
    }
    let login = Login::new(dsn.user, dsn.password, secret.cloned());
    let user = login.credentials().user;
    let lacks = [("host", dsn.host.is_none()), ("user", user.is_empty())];
    let lacks: Vec<_> = lacks.into_iter().filter(|(_, missing)| *missing).map(|(part, _)| part).collect();
    if !lacks.is_empty() {
        let also = secret.map(|secret| format!(", nor does the {}", secret.name())).unwrap_or_default();
        return Err(wrong(vec![format!("{name} names no {}{also}", lacks.join(" and no "))]));
    }
    let host = dsn.host.unwrap_or_default();
    let sslmode = dsn.sslmode.unwrap_or(match dsn.sslrootcert {
        None if is_local(&host) => SslMode::Prefer,
        None | Some(_) => SslMode::VerifyFull,
    });
    Ok(PostgresSettings {
        named_by: NamedBy::Dsn(name.to_owned()),
        port: dsn.port.unwrap_or(PORT),
        // As libpq has it.
        database: dsn.database.unwrap_or(user),
        login,
        sslmode,
        packed_authorities: packed_authorities(env).filter(|_| dsn.sslrootcert.is_none()),
        sslrootcert: match dsn.sslrootcert {
            Some(RootCert::File(path)) => Some(path),
            Some(RootCert::System) | None => None,
        },
        connect_timeout: dsn.connect_timeout,
        application_name: dsn.application_name,
        options: dsn.options,
        host,
    })
}

/// A warning where the DSN in `name` turns encryption or verification off; `whose` it is, as `the certificate of` goes on.
pub(super) fn warning(env: &Env, name: &str, whose: &str) -> Option<String> {
    let dsn = Dsn::parse(env.get(name)?).ok()?;
    if dsn.host.is_some_and(|host| host.starts_with('/')) {
        return None;
    }
    Some(match dsn.unverified? {
        "disable" => format!("sslmode=disable in {name}: the connection to {whose} is not encrypted"),
        mode => format!("sslmode={mode} in {name}: the certificate of {whose} is not verified"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DatabaseSecret, SecretName};

    fn of(dsn: &str) -> Result<PostgresSettings> {
        read(&Env::from_iter([("SOURCE_SCOUT_DSN", dsn)]), "SOURCE_SCOUT_DSN", "source \"scout\"", None)
    }

    #[test]
    fn without_an_sslmode_tls_is_verified_in_full_except_on_this_machine() {
        for (dsn, expected) in [
            ("postgres://u:p@db.example.com/d", SslMode::VerifyFull),
            ("postgres://u:p@localhost/d", SslMode::Prefer),
            ("postgres:///d?host=/run/pg&user=u", SslMode::Prefer),
            ("postgres://u:p@localhost/d?sslrootcert=Cargo.toml", SslMode::VerifyFull),
            ("postgres://u:p@db.example.com/d?sslmode=disable", SslMode::Disable),
        ] {
            assert_eq!(of(dsn).unwrap().sslmode, expected, "{dsn}");
        }
        let plain = of("postgres://u:p@h").unwrap();
        assert_eq!((plain.port, plain.database.as_str(), plain.server().as_str()), (5432, "u", "h:5432"));
        assert_eq!(plain.named_by.secret(), "SOURCE_SCOUT_SECRET_ID");
    }

    #[test]
    fn what_is_missing_or_wrong_is_said_with_the_variable_and_without_the_password() {
        for (dsn, expected) in [
            ("postgres:///d", "source \"scout\": SOURCE_SCOUT_DSN names no host and no user"),
            ("postgres://:canary@h/d", "SOURCE_SCOUT_DSN names no user"),
            ("postgres://u:canary@h/d?a=canary&b=1", "SOURCE_SCOUT_DSN has a parameter \"a\" that is not known"),
        ] {
            let error = of(dsn).unwrap_err();
            assert!(error.to_string().contains(expected) && error.kind() == ErrorKind::Config, "{error}");
            assert!(!error.to_string().contains("canary"), "{error}");
        }
        assert!(!format!("{:?}", of("postgres://u:canary@h/d").unwrap()).contains("canary"));
    }

    #[test]
    fn a_secret_fills_what_the_dsn_leaves_out() {
        let name = SecretName { variable: "SOURCE_SCOUT_SECRET_ID".to_owned(), id: "prod/scout".to_owned() };
        let says = DatabaseSecret::parse(r#"{"host":"db","port":5433,"username":"reader","password":"canary","dbname":"scout"}"#).unwrap();
        let secret = Arc::new(LiveSecret::new(name, says, Arc::new(|_| Box::pin(async { Ok(None) }))));
        let alone = read(&Env::default(), "SOURCE_SCOUT_DSN", "source", Some(&secret)).unwrap();
        assert_eq!((alone.server().as_str(), alone.database.as_str()), ("db:5433", "scout"));
        assert_eq!(alone.login.credentials().user, "reader");
        let env = Env::from_iter([("SOURCE_SCOUT_DSN", "postgres://own@h/d?sslmode=require")]);
        let both = read(&env, "SOURCE_SCOUT_DSN", "source", Some(&secret)).unwrap();
        assert_eq!((both.server().as_str(), both.database.as_str(), both.sslmode), ("h:5432", "d", SslMode::Require));
        assert!(both.login.credentials().has_password());
    }

    #[test]
    fn a_dsn_that_does_not_verify_is_warned_about() {
        let said = |dsn: &str| warning(&Env::from_iter([("SOURCE_DSN", dsn)]), "SOURCE_DSN", "the source");
        for mode in ["allow", "prefer", "require"] {
            let expected = format!("sslmode={mode} in SOURCE_DSN: the certificate of the source is not verified");
            assert_eq!(said(&format!("postgres://u:canary@h/d?sslmode={mode}")), Some(expected));
        }
        assert!(said("postgres://u@h/d?sslmode=disable").unwrap().contains("not encrypted"));
        for quiet in ["postgres://u@h/d", "postgres://u@h/d?sslmode=verify-ca", "postgres://u@%2Frun/d?sslmode=disable"] {
            assert_eq!(said(quiet), None, "{quiet}");
        }
    }
}
