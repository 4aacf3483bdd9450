//! Says aloud when a variable turns encryption or the check of a certificate off.

use super::Env;
use super::postgres::{self, is_source};
use super::source::variable;

/// Of the DSN in `name`; `whose` it is, as `the certificate of` goes on.
pub(super) fn of_dsn(env: &Env, name: &str, whose: &str) -> Vec<String> {
    postgres::warning(env, name, whose).into_iter().collect()
}

/// One warning per variable of the sources `db_types` that turns something off; the defaults on loopback are not worth one.
pub(super) fn of_sources<'a>(env: &Env, db_types: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut seen = Vec::new();
    for db_type in db_types {
        if is_source(env, db_type) {
            let dsn = postgres::pg_name(db_type, "DSN");
            if !seen.contains(&dsn) {
                warnings.extend(postgres::warning(env, &dsn, &format!("source {db_type:?}")));
                seen.push(dsn);
            }
            continue;
        }
        let [encrypt, trust] = ["ENCRYPT", "TRUST_CERT"].map(|what| variable(db_type, what));
        if seen.contains(&encrypt) {
            continue;
        }
        match env.get(&encrypt).map(str::to_ascii_lowercase).as_deref() {
            Some("off") => {
                warnings.push(format!("{encrypt}=off: nothing on the way from source {db_type:?} is encrypted, the password included"));
            }
            Some("login") => warnings.push(format!("{encrypt}=login: the rows from source {db_type:?} are not encrypted on their way")),
            _ => {}
        }
        if matches!(env.get(&trust).map(str::to_ascii_lowercase).as_deref(), Some("true" | "1" | "yes" | "on")) {
            warnings.push(format!("{trust}: the certificate of source {db_type:?} is not verified"));
        }
        seen.push(encrypt);
    }
    warnings
}

/// The same of the target that `PG_*` name.
pub(super) fn of_target(env: &Env) -> Vec<String> {
    let mut warnings = Vec::new();
    let on_socket = env.get("PG_HOST").is_some_and(|host| host.starts_with('/'));
    match env.get("PG_SSLMODE").map(str::to_ascii_lowercase).as_deref() {
        Some("disable") if !on_socket => warnings.push("PG_SSLMODE=disable: the connection to the target is not encrypted".to_owned()),
        Some(mode @ ("prefer" | "require")) if !on_socket => {
            warnings.push(format!("PG_SSLMODE={mode}: the target's certificate is not verified"));
        }
        _ => {}
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_turned_off_is_warned_about_once() {
        let env = Env::from_iter([
            ("SQL_SERVER_MCTM_TRUST_CERT", "true"),
            ("SQL_SERVER_VOIPDB_ENCRYPT", "off"),
            ("SQL_SERVER_UNUSED_ENCRYPT", "off"),
            ("PG_SSLMODE", "require"),
        ]);
        let warnings = [of_sources(&env, ["mctm", "voipdb", "mctm"]), of_target(&env)].concat();
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        for (warning, name) in warnings.iter().zip(["SQL_SERVER_MCTM_TRUST_CERT", "SQL_SERVER_VOIPDB_ENCRYPT", "PG_SSLMODE"]) {
            assert!(warning.contains(name), "{warning}");
        }
    }

    #[test]
    fn defaults_and_unix_sockets_are_not_warned_about() {
        let env = Env::from_iter([("PG_HOST", "/run"), ("PG_SSLMODE", "disable"), ("SQL_SERVER_MCTM_ENCRYPT", "mandatory")]);
        assert_eq!([of_sources(&env, ["mctm"]), of_target(&env)].concat(), Vec::<String>::new());
    }
}
