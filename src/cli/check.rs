//! `config check`: validates the file and every variable of what it uses, without connecting.

use serde_json::{Map, Value, json};

use crate::config::{Encrypt, LiveSecret, PostgresSettings, Settings, SourceSettings, SqlServerSettings, SslMode, TargetSettings};
use crate::error::{Result, SyncError};

/// What was found, good and bad.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) warnings: Vec<String>,
    pub(super) errors: Vec<SyncError>,
    /// The fields of the body, after those of every body.
    pub(super) fields: Map<String, Value>,
    /// The same for a person.
    pub(super) text: String,
}

/// Looks at everything that runs over all tables would use; of two configurations the second, the list of tables, has its fields in `list`.
pub(super) fn check(settings: Vec<Result<Settings>>) -> Found {
    let mut checked = settings.into_iter().map(check_one);
    let mut found = checked.next().unwrap_or_default();
    for list in checked {
        found.text.push_str(&list.text);
        found.errors.extend(list.errors);
        found.warnings.extend(list.warnings.into_iter().filter(|warning| !found.warnings.contains(warning)).collect::<Vec<_>>());
        found.field("list", Value::Object(list.fields));
    }
    found
}

/// Secrets are not fetched: what one is there for is taken to be in it.
fn check_one(settings: Result<Settings>) -> Found {
    let mut found = Found::default();
    let mut settings = match settings {
        Ok(settings) => settings,
        Err(error) => {
            found.errors.push(error);
            return found;
        }
    };
    let tables: Vec<_> = settings.tables.tables.keys().cloned().collect();
    found.text.push_str(&format!("configuration  {}: {} tables ({})\n", settings.path.display(), tables.len(), tables.join(", ")));
    found.field("config", json!(settings.path.display().to_string()));
    found.field("tables", json!(tables));
    let mut db_types: Vec<String> = settings.tables.tables.values().map(|table| table.db_type.clone()).collect();
    db_types.sort_unstable();
    db_types.dedup();
    let mut secrets: Vec<_> = db_types.iter().filter_map(|db_type| settings.source_secret(db_type)).collect();
    secrets.extend(settings.target_secret());
    for name in secrets {
        match name.check() {
            Ok(()) => {
                let filled = name.variable.replace("SECRET_ID", "*");
                found.text.push_str(&format!("secret         {} fills {filled} (not fetched)\n", name.id));
                settings.add_secret(LiveSecret::unseen(name));
            }
            Err(error) => found.errors.push(error),
        }
    }
    let mut sources = Vec::new();
    for db_type in &db_types {
        match settings.source(db_type) {
            Ok(source) => {
                found.text.push_str(&source_line(&source));
                sources.push(source_fields(&source));
            }
            Err(error) => found.errors.push(error),
        }
    }
    found.field("sources", Value::Array(sources));
    let target = settings.target().map_err(|error| found.errors.push(error)).ok();
    found.text.extend(target.as_ref().map(target_line));
    found.field("target", target.as_ref().map_or(Value::Null, target_fields));
    found.warnings = settings.tls_warnings(db_types.iter().map(String::as_str));
    found
}

impl Found {
    fn field(&mut self, name: &str, value: Value) {
        self.fields.insert(name.to_owned(), value);
    }
}

fn source_line(source: &SourceSettings) -> String {
    match source {
        SourceSettings::SqlServer(source) => sql_server_line(source),
        SourceSettings::Postgres { db_type, server } => format!("source         {db_type}: {}\n", postgres_line(server)),
    }
}

fn source_fields(source: &SourceSettings) -> Value {
    match source {
        SourceSettings::SqlServer(source) => sql_server_fields(source),
        SourceSettings::Postgres { db_type, server } => {
            let mut fields = json!({"db_type": db_type});
            fields.as_object_mut().into_iter().for_each(|fields| fields.extend(postgres_fields(server)));
            fields
        }
    }
}

fn sql_server_line(source: &SqlServerSettings) -> String {
    let place =
        source.instance.as_ref().map_or_else(|| format!("{},{}", source.host, source.port), |name| format!("{}\\{name}", source.host));
    let database = source.database.as_ref().map(|database| format!(", database {database}")).unwrap_or_default();
    let certificate = if source.trust_cert { "certificate not verified" } else { "certificate verified" };
    let tls = encrypt_name(source.encrypt);
    let user = source.login.credentials().user;
    format!("source         {}: {place} as {user}{database}, TLS {tls}, {certificate}\n", source.db_type)
}

fn sql_server_fields(source: &SqlServerSettings) -> Value {
    json!({
        "db_type": source.db_type,
        "host": seen(&source.host),
        "instance": source.instance,
        "port": source.instance.is_none().then_some(source.port),
        "database": source.database.as_deref().and_then(seen),
        "user": seen(&source.login.credentials().user),
        "encrypt": encrypt_name(source.encrypt),
        "verified": !source.trust_cert,
        "ca_file": source.ca_file,
    })
}

fn target_line(target: &TargetSettings) -> String {
    format!("target         {}, state schema {}\n", postgres_line(&target.server), target.state_schema)
}

fn postgres_line(server: &PostgresSettings) -> String {
    let PostgresSettings { host, port, database, login, .. } = server;
    let credentials = login.credentials();
    let (user, password) = (&credentials.user, if credentials.has_password() { "" } else { ", no password" });
    format!("{host}:{port} as {user}{password}, database {database}, sslmode {}", sslmode_name(server.sslmode))
}

fn target_fields(target: &TargetSettings) -> Value {
    let mut fields = postgres_fields(&target.server);
    fields.insert("state_schema".to_owned(), json!(target.state_schema));
    Value::Object(fields)
}

fn postgres_fields(server: &PostgresSettings) -> Map<String, Value> {
    let fields = json!({
        "host": seen(&server.host),
        "port": server.port,
        "database": seen(&server.database),
        "user": seen(&server.login.credentials().user),
        "password_set": server.login.credentials().has_password(),
        "sslmode": sslmode_name(server.sslmode),
        "sslrootcert": server.sslrootcert,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// A field's value, none where a secret has it.
fn seen(value: &str) -> Option<&str> {
    Some(value).filter(|value| *value != LiveSecret::UNSEEN)
}

fn encrypt_name(encrypt: Encrypt) -> &'static str {
    match encrypt {
        Encrypt::Mandatory => "mandatory",
        Encrypt::Strict => "strict",
        Encrypt::Login => "login",
        Encrypt::Off => "off",
        Encrypt::AsOffered => "as offered",
    }
}

fn sslmode_name(sslmode: SslMode) -> &'static str {
    match sslmode {
        SslMode::Disable => "disable",
        SslMode::Prefer => "prefer",
        SslMode::Require => "require",
        SslMode::VerifyCa => "verify-ca",
        SslMode::VerifyFull => "verify-full",
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::Env;

    fn env(pairs: &[(&str, &str)]) -> Env {
        let base = [
            ("SQL_SERVER_MCTM_HOST", "mctm.example.com"),
            ("SQL_SERVER_MCTM_USER", "reader"),
            ("SQL_SERVER_MCTM_PASSWORD", "canary"),
            ("SQL_SERVER_VOIPDB_HOST", "127.0.0.1\\SQLEXPRESS"),
            ("SQL_SERVER_VOIPDB_USER", "reader"),
            ("SQL_SERVER_VOIPDB_PASSWORD", "canary"),
            ("PG_HOST", "pg.example.com"),
            ("PG_DB", "db"),
            ("PG_USER", "writer"),
            ("PG_PASSWORD", "canary"),
        ];
        base.iter().chain(pairs).copied().collect()
    }

    fn shipped(env: &Env) -> Found {
        check(vec![Settings::load(env.clone(), PathBuf::from("table_configs.json"))])
    }

    #[test]
    fn the_shipped_configuration_is_sound_and_no_secret_is_shown() {
        let found = shipped(&env(&[]));
        assert!(found.errors.is_empty() && found.warnings.is_empty(), "{found:?}");
        for part in [
            "4 tables (customer, mctm_module, voipdb_customer, voipdb_useragent)",
            "mctm.example.com,1433",
            "127.0.0.1\\SQLEXPRESS",
            "verify-full",
        ] {
            assert!(found.text.contains(part), "{part}: {}", found.text);
        }
        assert!(!format!("{found:?}").contains("canary"));
        assert_eq!(found.fields["sources"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn every_section_that_is_wrong_is_told_and_so_is_unverified_tls() {
        let found = shipped(&env(&[("PG_PORT", "x"), ("SQL_SERVER_MCTM_HOST", ""), ("SQL_SERVER_VOIPDB_TRUST_CERT", "true")]));
        let errors: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors[0].contains("SQL_SERVER_MCTM_HOST") && errors[1].contains("PG_PORT"), "{errors:?}");
        assert_eq!(found.warnings.len(), 1, "{:?}", found.warnings);
    }

    #[test]
    fn a_secret_is_taken_to_have_what_the_variables_leave_out() {
        let found = shipped(&env(&[("PG_SECRET_ID", "prod/pg"), ("PG_USER", ""), ("PG_HOST", ""), ("PG_PASSWORD", "")]));
        assert!(found.errors.is_empty(), "{found:?}");
        assert!(found.text.contains("secret         prod/pg fills PG_* (not fetched)"), "{}", found.text);
        let target = &found.fields["target"];
        assert_eq!((&target["host"], &target["database"], &target["password_set"]), (&Value::Null, &json!("db"), &json!(true)));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_the_only_error() {
        assert_eq!(check(vec![Settings::load(env(&[]), PathBuf::from("/nonexistent.json"))]).errors.len(), 1);
    }
}
