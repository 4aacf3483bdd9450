//! A PostgreSQL DSN, taken apart as libpq does it: `postgres://user:password@host:port/database?parameter=value`, or `parameter=value` pairs.
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING>.
//!
//! What is wrong with one is said without a word of it that may be a secret.

use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;

use super::SslMode;

const EXPECTED: &str = "postgres://user:password@host:port/database?sslmode=...";
/// The parameters that are honoured.
const KNOWN: &str = "host, port, dbname, user, password, sslmode, sslrootcert, connect_timeout, application_name, options";

/// What a DSN says; what it leaves out is none.
#[derive(Debug, Clone, Default)]
pub(super) struct Dsn {
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) database: Option<String>,
    pub(super) user: Option<String>,
    pub(super) password: Option<SecretString>,
    pub(super) sslmode: Option<SslMode>,
    /// Whether `sslmode` was written as one that encrypts and does not verify, which a warning is worth.
    pub(super) unverified: Option<&'static str>,
    pub(super) sslrootcert: Option<RootCert>,
    /// Zero is no limit.
    pub(super) connect_timeout: Option<Duration>,
    pub(super) application_name: Option<String>,
    pub(super) options: Option<String>,
}

/// Which authorities are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RootCert {
    /// The system's.
    System,
    /// Those of a file.
    File(PathBuf),
}

impl Dsn {
    /// Takes `text` apart.
    ///
    /// # Errors
    /// Everything that is wrong with it, as ends of a sentence that begins with the variable's name.
    pub(super) fn parse(text: &str) -> Result<Self, Vec<String>> {
        let text = text.trim();
        let pairs = match ["postgres://", "postgresql://"].iter().find_map(|scheme| text.strip_prefix(scheme)) {
            Some(rest) => of_url(rest),
            None => of_pairs(text),
        };
        let mut dsn = Self::default();
        let mut problems = Vec::new();
        for (name, value) in pairs.map_err(|problem| vec![problem])? {
            if let Err(problem) = dsn.set(&name, value) {
                problems.push(problem);
            }
        }
        if dsn.sslrootcert.is_some() && dsn.unverified == Some("require") {
            // As libpq has it: whoever requires TLS and names an authority wants it asked.
            dsn.sslmode = Some(SslMode::VerifyCa);
            dsn.unverified = None;
        }
        if problems.is_empty() { Ok(dsn) } else { Err(problems) }
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        if value.is_empty() {
            return Ok(());
        }
        match name {
            "host" | "hostaddr" if value.contains(',') => return Err("names several hosts, expected one".to_owned()),
            // It would be shown wherever the server is named.
            "host" if value.contains(|c: char| c.is_whitespace() || "@=;".contains(c)) => return Err("has a host that is none".to_owned()),
            "host" => self.host = Some(value),
            "port" => {
                let port = value.parse().ok().filter(|port| *port != 0);
                self.port = Some(port.ok_or("has a port that is no number from 1 to 65535")?);
            }
            "dbname" => self.database = Some(value),
            "user" => self.user = Some(value),
            "password" => self.password = Some(value.into()),
            "sslmode" => (self.sslmode, self.unverified) = sslmode(&value)?,
            "sslrootcert" if value == "system" => self.sslrootcert = Some(RootCert::System),
            "sslrootcert" => {
                std::fs::File::open(&value).map_err(|_| format!("has the sslrootcert {value:?}, expected the path of a readable file"))?;
                self.sslrootcert = Some(RootCert::File(value.into()));
            }
            "connect_timeout" => {
                let seconds = value.parse::<i64>().map_err(|_| "has a connect_timeout that is no number of seconds".to_owned())?;
                self.connect_timeout = Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
            }
            "application_name" => self.application_name = Some(value),
            "options" => self.options = Some(value),
            // Of something that is no name, nothing is shown: it may be a part of a password.
            name if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
                return Err(format!("has a parameter {name:?} that is not known, expected {KNOWN}"));
            }
            _ => return Err(format!("has a parameter that is not known, expected {KNOWN}")),
        }
        Ok(())
    }
}

type Mode = (Option<SslMode>, Option<&'static str>);

/// What libpq's word means, and the word where it does not verify whom it talks to.
fn sslmode(word: &str) -> Result<Mode, String> {
    Ok(match word {
        "disable" => (Some(SslMode::Disable), Some("disable")),
        // Of the two, one begins without TLS and the other with it; both end with it where the server offers it.
        "allow" => (Some(SslMode::Prefer), Some("allow")),
        "prefer" => (Some(SslMode::Prefer), Some("prefer")),
        "require" => (Some(SslMode::Require), Some("require")),
        "verify-ca" => (Some(SslMode::VerifyCa), None),
        "verify-full" => (Some(SslMode::VerifyFull), None),
        _ => return Err("has another sslmode than disable, allow, prefer, require, verify-ca or verify-full".to_owned()),
    })
}

type Pairs = Vec<(String, String)>;

fn of_url(rest: &str) -> Result<Pairs, String> {
    let malformed = || format!("is not understood, expected {EXPECTED}");
    let mut pairs = Pairs::new();
    // As libpq looks for it: an @ before any slash ends who logs in, whatever else stands there.
    let credentials = rest.split_once('@').filter(|(credentials, _)| !credentials.contains('/'));
    let rest = match credentials {
        Some((credentials, rest)) => {
            let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
            pairs.push(("user".to_owned(), decoded(user)?));
            pairs.push(("password".to_owned(), decoded(password)?));
            rest
        }
        None => rest,
    };
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    // libpq takes it for a part of host or database, which are shown; it is the rest of a password, as a rule.
    if place.contains('@') {
        return Err(
            "has an @ behind the one before the host: write %40 for it in user, password and database, and %2F for a slash".to_owned()
        );
    }
    let (address, database) = place.split_once('/').unwrap_or((place, ""));
    pairs.push(("dbname".to_owned(), decoded(database)?));
    let (host, port) = match address.strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed.split_once(']').ok_or_else(malformed)?;
            (host, if rest.is_empty() { "" } else { rest.strip_prefix(':').ok_or_else(malformed)? })
        }
        None => address.split_once(':').unwrap_or((address, "")),
    };
    pairs.push(("host".to_owned(), decoded(host)?));
    pairs.push(("port".to_owned(), decoded(port)?));
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').ok_or_else(|| "has a parameter without a value".to_owned())?;
        pairs.push((decoded(name)?, decoded(value)?));
    }
    Ok(pairs)
}

fn decoded(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| "has bytes behind % that are no text".to_owned())?;
    if decoded.contains('\0') { Err("has a NUL in it".to_owned()) } else { Ok(decoded.into_owned()) }
}

/// `name=value` pairs, separated by blanks; a value with blanks stands between single quotes, and a backslash takes the next character as it is.
fn of_pairs(text: &str) -> Result<Pairs, String> {
    let malformed = || format!("is not understood, expected {EXPECTED} or parameter=value pairs");
    let mut pairs = Pairs::new();
    let mut rest = text.chars().peekable();
    loop {
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        if rest.peek().is_none() {
            return if pairs.is_empty() { Err(malformed()) } else { Ok(pairs) };
        }
        let mut name = String::new();
        while let Some(c) = rest.next_if(|c| *c != '=' && !c.is_whitespace()) {
            name.push(c);
        }
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        rest.next_if_eq(&'=').ok_or_else(malformed)?;
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        let quoted = rest.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        loop {
            match rest.next() {
                Some('\\') => value.push(rest.next().ok_or_else(malformed)?),
                Some('\'') if quoted => break,
                Some(c) if !quoted && c.is_whitespace() => break,
                Some(c) => value.push(c),
                None if quoted => return Err(malformed()),
                None => break,
            }
        }
        pairs.push((name, value));
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    type Parts<'a> = (Option<&'a str>, Option<u16>, Option<&'a str>, Option<&'a str>, Option<&'a str>);

    fn parts(dsn: &Dsn) -> Parts<'_> {
        let password = dsn.password.as_ref().map(|password| password.expose_secret());
        (dsn.host.as_deref(), dsn.port, dsn.database.as_deref(), dsn.user.as_deref(), password)
    }

    #[test]
    fn urls_and_pairs_are_taken_apart_as_libpq_does() {
        let cases: [(&str, Parts<'_>); 10] = [
            ("postgres://u:p@h:5433/d", (Some("h"), Some(5433), Some("d"), Some("u"), Some("p"))),
            ("postgresql://h", (Some("h"), None, None, None, None)),
            ("postgres://u@h/d?sslmode=disable", (Some("h"), None, Some("d"), Some("u"), None)),
            ("postgres://u%40x:p%2F%3A%25@h/d%20b", (Some("h"), None, Some("d b"), Some("u@x"), Some("p/:%"))),
            ("postgres://u:p?a#b@h/d", (Some("h"), None, Some("d"), Some("u"), Some("p?a#b"))),
            ("postgres://u:p@[::1]:5433/d", (Some("::1"), Some(5433), Some("d"), Some("u"), Some("p"))),
            ("postgres://u@%2Frun%2Fpg/d", (Some("/run/pg"), None, Some("d"), Some("u"), None)),
            ("postgres:///d?host=/run/pg&port=6432&user=u", (Some("/run/pg"), Some(6432), Some("d"), Some("u"), None)),
            (
                "host=h port = 5433 dbname=d user=u password='it\\'s a \\\\'",
                (Some("h"), Some(5433), Some("d"), Some("u"), Some("it's a \\")),
            ),
            ("host=h password='' user=u", (Some("h"), None, None, Some("u"), None)),
        ];
        for (text, expected) in cases {
            assert_eq!(parts(&Dsn::parse(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn sslmode_has_libpqs_meaning() {
        let mode = |parameters: &str| {
            let dsn = Dsn::parse(&format!("postgres://h/d?{parameters}")).unwrap();
            (dsn.sslmode, dsn.unverified)
        };
        assert_eq!(mode(""), (None, None));
        assert_eq!(mode("sslmode=disable"), (Some(SslMode::Disable), Some("disable")));
        assert_eq!(mode("sslmode=allow"), (Some(SslMode::Prefer), Some("allow")));
        assert_eq!(mode("sslmode=prefer"), (Some(SslMode::Prefer), Some("prefer")));
        assert_eq!(mode("sslmode=require"), (Some(SslMode::Require), Some("require")));
        assert_eq!(mode("sslmode=require&sslrootcert=Cargo.toml"), (Some(SslMode::VerifyCa), None));
        assert_eq!(mode("sslrootcert=Cargo.toml&sslmode=verify-ca"), (Some(SslMode::VerifyCa), None));
        assert_eq!(mode("sslmode=verify-full"), (Some(SslMode::VerifyFull), None));
    }

    #[test]
    fn the_other_parameters_are_honoured() {
        let text = "postgres://h/d?sslrootcert=Cargo.toml&connect_timeout=7&application_name=scout%20sync&options=-c%20search_path%3Dx";
        let dsn = Dsn::parse(text).unwrap();
        assert_eq!(dsn.sslrootcert, Some(RootCert::File("Cargo.toml".into())));
        assert_eq!(dsn.connect_timeout, Some(Duration::from_secs(7)));
        assert_eq!((dsn.application_name.as_deref(), dsn.options.as_deref()), (Some("scout sync"), Some("-c search_path=x")));
    }

    #[test]
    fn what_is_wrong_is_named_and_no_password_shown() {
        let cases = [
            ("postgres://u:canary@h/d?pool_max_conns=5", "a parameter \"pool_max_conns\" that is not known, expected host"),
            ("postgres://u:canary@h/d?sslmode=canary", "another sslmode than disable, allow"),
            ("postgres://u:canary@h/d?sslrootcert=/nonexistent", "the sslrootcert \"/nonexistent\", expected the path"),
            ("postgres://u:canary@h/d?connect_timeout=canary", "a connect_timeout that is no number of seconds"),
            ("postgres://u:canary@h/d?sslmode", "a parameter without a value"),
            ("postgres://u:canary@h:x/d", "a port that is no number from 1 to 65535"),
            ("postgres://u:canary@h1,h2/d", "several hosts, expected one"),
            ("postgres://u:canary@[::1/d", "is not understood, expected postgres://"),
            ("mysql://u:canary@h/d", "is not understood, expected postgres://"),
            ("host=h password=canary canary!", "is not understood"),
            ("host=h password='canary", "is not understood"),
            ("postgres://u:p@canary@h/d", "write %40"),
            ("postgres://u:1/canary@h/d", "write %40"),
            ("host=u:canary@h user=u", "a host that is none"),
        ];
        for (text, expected) in cases {
            let problems = Dsn::parse(text).unwrap_err().join("; ");
            assert!(problems.contains(expected) && !problems.contains("canary"), "{text}: {problems}");
        }
        assert!(!format!("{:?}", Dsn::parse("postgres://u:canary@h/d").unwrap()).contains("canary"));
    }
}
