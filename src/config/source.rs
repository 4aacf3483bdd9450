//! Reads a source's section: `SQL_SERVER_<DB_TYPE>_*`.

use std::net::IpAddr;
use std::sync::Arc;

use super::secret::LiveSecret;
use super::section::Section;
use super::{Encrypt, Env, Login, SqlServerSettings};
use crate::error::Result;

const PORT: u16 = 1433;

/// The name of one of a source's variables: `variable("mctm", "HOST")` is `SQL_SERVER_MCTM_HOST`.
pub(super) fn variable(db_type: &str, what: &str) -> String {
    format!("SQL_SERVER_{}_{what}", db_type.to_ascii_uppercase())
}

/// Whether a host is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// `host`, `host,port` or `host\instance`, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    host: String,
    port: Option<u16>,
    instance: Option<String>,
}

pub(super) fn read(env: &Env, db_type: &str, secret: Option<&Arc<LiveSecret>>) -> Result<SqlServerSettings> {
    let name = |what| variable(db_type, what);
    let mut section = Section::new(env);
    if let Some(secret) = secret {
        section.fill(secret, &name("HOST"), &name("PORT"), &name("DB"));
    }
    let host_text = section.required(&name("HOST"));
    let expected = "host, host,port or host\\instance";
    let address = section.parsed(&name("HOST"), expected, parse_address);
    let Address { host, port: host_port, instance } = address.unwrap_or(Address { host: host_text, port: None, instance: None });
    // What HOST itself says of the port goes before what a secret says.
    let decided = section.is_filled(&name("PORT")) && (host_port.is_some() || instance.is_some());
    let port = section.port(&name("PORT")).filter(|_| !decided);
    check_port(&mut section, db_type, host_port, instance.as_deref(), port);
    let login = Login::new(section.plain(&name("USER")), section.optional(&name("PASSWORD")).map(Into::into), secret.cloned());
    let credentials = login.credentials();
    if credentials.user.is_empty() && section.optional(&name("USER")).is_none() {
        section.missing(&name("USER"));
    }
    if !credentials.has_password() {
        section.missing(&name("PASSWORD"));
    }
    let encrypt = section.parsed(&name("ENCRYPT"), "mandatory, strict, login or off", parse_encrypt);
    let ca_file = section.file(&name("CA_FILE"));
    let trust_cert = section.flag(&name("TRUST_CERT"));
    if trust_cert == Some(true) && ca_file.is_some() {
        section.problem(format!("{} asks for verification and {} turns it off; unset one", name("CA_FILE"), name("TRUST_CERT")));
    }
    let loopback = is_loopback(&host);
    let settings = SqlServerSettings {
        db_type: db_type.to_owned(),
        host,
        instance,
        port: host_port.or(port).unwrap_or(PORT),
        database: section.plain(&name("DB")),
        login,
        encrypt: encrypt.unwrap_or(if loopback { Encrypt::AsOffered } else { Encrypt::Mandatory }),
        // Whoever names an authority wants it asked, on loopback too.
        trust_cert: trust_cert.unwrap_or(loopback && ca_file.is_none()),
        ca_file,
    };
    section.finish(&format!("source {db_type:?}")).map(|()| settings)
}

/// Two places that name different ports, or an instance and a port, would let one of them be ignored silently.
fn check_port(section: &mut Section<'_>, db_type: &str, host_port: Option<u16>, instance: Option<&str>, port: Option<u16>) {
    let (host, port_name) = (variable(db_type, "HOST"), variable(db_type, "PORT"));
    match (host_port, instance, port) {
        (Some(a), _, Some(b)) if a != b => section.problem(format!("{host} names port {a} and {port_name} is {b}; unset one")),
        (_, Some(instance), Some(_)) => {
            section.problem(format!("{host} names instance {instance:?}, whose port SQL Browser knows, and {port_name} is set; unset one"));
        }
        _ => {}
    }
}

fn parse_address(text: &str) -> Option<Address> {
    let (host, port, instance) = match (text.split_once(','), text.split_once('\\')) {
        (Some((host, port)), None) => (host, Some(port.trim().parse().ok().filter(|port| *port != 0)?), None),
        (None, Some((host, instance))) => (host, None, Some(instance.trim().to_owned())),
        (None, None) => (text, None, None),
        (Some(_), Some(_)) => return None,
    };
    let host = host.trim();
    let host = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
    let plausible = host.parse::<IpAddr>().is_ok() || !host.contains(|c: char| c.is_whitespace() || "/:[]\\,@=;".contains(c));
    let named = instance.as_deref() != Some("");
    (plausible && named && !host.is_empty()).then(|| Address { host: host.to_owned(), port, instance })
}

fn parse_encrypt(text: &str) -> Option<Encrypt> {
    match text.to_ascii_lowercase().as_str() {
        "mandatory" => Some(Encrypt::Mandatory),
        "strict" => Some(Encrypt::Strict),
        "login" => Some(Encrypt::Login),
        "off" => Some(Encrypt::Off),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DatabaseSecret, SecretName};

    fn with(pairs: &[(&str, &str)]) -> Result<SqlServerSettings> {
        let base = [("HOST", "db.example.com"), ("USER", "reader"), ("PASSWORD", "canary")];
        let pairs = base.iter().chain(pairs).map(|(what, value)| (variable("mctm", what), *value));
        read(&Env::from_iter(pairs), "mctm", None)
    }

    #[test]
    fn every_missing_variable_is_named_in_one_error() {
        let error = read(&Env::from_iter([("SQL_SERVER_MCTM_USER", "reader")]), "mctm", None).unwrap_err().to_string();
        assert!(error.starts_with("source \"mctm\": SQL_SERVER_MCTM_HOST, SQL_SERVER_MCTM_PASSWORD are not set"), "{error}");
    }

    #[test]
    fn hosts_carry_a_port_or_an_instance_or_neither() {
        let cases = [
            ("h", "h", None, None),
            ("h,1533", "h", Some(1533), None),
            ("h, 1533", "h", Some(1533), None),
            ("h\\SQLEXPRESS", "h", None, Some("SQLEXPRESS")),
            ("::1", "::1", None, None),
            ("[::1],1533", "::1", Some(1533), None),
        ];
        for (text, host, port, instance) in cases {
            let expected = Address { host: host.to_owned(), port, instance: instance.map(str::to_owned) };
            assert_eq!(parse_address(text), Some(expected), "{text}");
        }
        for wrong in ["h:1433", "h,", "h,0", "h,x", "h\\", "h\\i,1", ",1433", "tcp:h", "a b"] {
            assert_eq!(parse_address(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_remote_server_is_encrypted_and_verified_unless_told_otherwise() {
        let remote = with(&[]).unwrap();
        assert_eq!((remote.encrypt, remote.trust_cert, remote.port), (Encrypt::Mandatory, false, 1433));
        let told = with(&[("ENCRYPT", "login"), ("TRUST_CERT", "true"), ("PORT", "1533"), ("DB", "McTM")]).unwrap();
        assert_eq!((told.encrypt, told.trust_cert, told.port, told.database.as_deref()), (Encrypt::Login, true, 1533, Some("McTM")));
    }

    #[test]
    fn loopback_takes_what_the_server_offers_unverified() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.1", "::1", "127.0.0.1,1533"] {
            let local = with(&[("HOST", host)]).unwrap();
            assert_eq!((local.encrypt, local.trust_cert), (Encrypt::AsOffered, true), "{host}");
        }
        assert!(!with(&[("HOST", "localhost"), ("TRUST_CERT", "false")]).unwrap().trust_cert);
        assert!(!with(&[("HOST", "localhost"), ("CA_FILE", "Cargo.toml")]).unwrap().trust_cert, "a named authority is asked");
        assert!(!is_loopback("localhost.example.com") && !is_loopback("128.0.0.1"));
    }

    #[test]
    fn malformed_values_are_named_with_what_was_expected() {
        let cases: [(&[(&str, &str)], &str); 8] = [
            (&[("PORT", "x")], "SQL_SERVER_MCTM_PORT is \"x\", expected a port from 1 to 65535"),
            (&[("ENCRYPT", "yes")], "SQL_SERVER_MCTM_ENCRYPT is \"yes\", expected mandatory, strict, login or off"),
            (&[("TRUST_CERT", "maybe")], "SQL_SERVER_MCTM_TRUST_CERT is \"maybe\", expected true or false"),
            (&[("CA_FILE", "/nonexistent")], "SQL_SERVER_MCTM_CA_FILE is \"/nonexistent\", expected the path of a readable file"),
            (&[("HOST", "h,1"), ("PORT", "2")], "names port 1 and SQL_SERVER_MCTM_PORT is 2"),
            (&[("HOST", "h\\i"), ("PORT", "2")], "names instance \"i\""),
            (&[("HOST", "sqlserver://u:canary@h")], "SQL_SERVER_MCTM_HOST is something else than host, host,port or host\\instance"),
            (&[("HOST", "Server=h;Password=canary")], "SQL_SERVER_MCTM_HOST is something else than"),
        ];
        for (pairs, expected) in cases {
            let error = with(pairs).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_secret_fills_what_the_variables_leave_out_and_never_overrides() {
        let filled = |pairs: &[(&str, &str)], secret: &str| {
            let pairs = pairs.iter().map(|(what, value)| (variable("mctm", what), *value));
            read(&Env::from_iter(pairs), "mctm", Some(&a_secret(secret)))
        };
        let full = r#"{"host":"db","port":"1533","username":"reader","password":"canary","dbname":"McTM"}"#;
        let all = filled(&[], full).unwrap();
        assert_eq!((all.host.as_str(), all.port, all.database.as_deref()), ("db", 1533, Some("McTM")));
        assert_eq!(all.login.credentials().user, "reader");
        let own = filled(&[("HOST", "h,1"), ("USER", "me"), ("DB", "own")], full).unwrap();
        assert_eq!((own.host.as_str(), own.port, own.database.as_deref()), ("h", 1, Some("own")), "HOST has its own port");
        assert_eq!(own.login.credentials().user, "me");
        assert_eq!(filled(&[], &full.replace("db\"", "db\\\\i\"")).unwrap().instance.as_deref(), Some("i"));
        let error = filled(&[], r#"{"username":"u","password":"canary"}"#).unwrap_err().to_string();
        let expected = "SQL_SERVER_MCTM_HOST is not set. The secret prod/db (SQL_SERVER_MCTM_SECRET_ID) has no host: add that to it";
        assert!(error.contains(expected), "{error}");
        let error = filled(&[], r#"{"host":"tcp:canary","username":"u","password":"p"}"#).unwrap_err().to_string();
        assert!(error.contains("the secret prod/db") && !error.contains("canary"), "{error}");
    }

    fn a_secret(text: &str) -> Arc<LiveSecret> {
        let name = SecretName { variable: "SQL_SERVER_MCTM_SECRET_ID".to_owned(), id: "prod/db".to_owned() };
        Arc::new(LiveSecret::new(name, DatabaseSecret::parse(text).unwrap(), Arc::new(|_| Box::pin(async { Ok(None) }))))
    }

    #[test]
    fn debug_of_the_section_shows_no_password() {
        assert!(!format!("{:?}", with(&[]).unwrap()).contains("canary"));
    }
}
