//! The settings of a process: file and environment together.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::postgres::{SOURCE_DSN, SOURCE_SECRET, TARGET_DSN, TARGET_SECRET};
use super::run::{RunSettings, count};
use super::section::{Section, looks_like_an_address};
use super::{Env, LiveSecret, S3Url, SecretName, SourceSettings, TableConfig, TableConfigs, TargetSettings, postgres, source, target, tls};
use crate::error::{ErrorKind, Result, SyncError};
use crate::table::{Isolation, SourceTable, WatermarkKind};

const PG_SECRET: &str = "PG_SECRET_ID";
/// Where the table configuration is.
const TABLE_CONFIGS: &str = "TABLE_CONFIGS";
/// Where the list of tables from `SOURCE_DSN` to `TARGET_DSN` is.
const CONFIG_PATH: &str = "CONFIG_PATH";
/// Rows between two progress reports of a table of `CONFIG_PATH`.
const LIST_BATCH_SIZE: usize = 1_000;

/// Where the table configuration is, or the list of `CONFIG_PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigPlace {
    /// A file.
    File(PathBuf),
    /// An object in S3.
    S3(S3Url),
}

impl ConfigPlace {
    /// `config` (`--config`), else `TABLE_CONFIGS`, else `$LAMBDA_TASK_ROOT/table_configs.json` when it is there, else `./table_configs.json`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for an address in S3 that is none.
    pub fn find(env: &Env, config: Option<&Path>) -> Result<Self> {
        const NAME: &str = "table_configs.json";
        let named = config.map(Path::to_path_buf).or_else(|| env.get(TABLE_CONFIGS).map(PathBuf::from));
        match named {
            Some(path) => Self::named(path, "the table configuration", "--config or TABLE_CONFIGS"),
            None => Ok(Self::File(packed(env, NAME))),
        }
    }

    /// Where the list is: `CONFIG_PATH`, else `$LAMBDA_TASK_ROOT/config.json` when it is there, else `./config.json`.
    ///
    /// # Errors
    /// As [`ConfigPlace::find`].
    pub fn find_list(env: &Env) -> Result<Self> {
        match env.get(CONFIG_PATH) {
            Some(path) => Self::named(PathBuf::from(path), "the list of tables", CONFIG_PATH),
            None => Ok(Self::File(packed(env, "config.json"))),
        }
    }

    /// Whether the table configuration is one that was named, or is there.
    pub fn is_meant(&self, env: &Env, config: Option<&Path>) -> bool {
        match self {
            Self::File(path) => config.is_some() || env.get(TABLE_CONFIGS).is_some() || path.exists(),
            Self::S3(_) => true,
        }
    }

    fn named(path: PathBuf, what: &str, by: &str) -> Result<Self> {
        let address = path.to_str().filter(|text| text.starts_with(S3Url::SCHEME));
        match address.map(str::parse::<S3Url>) {
            Some(Ok(url)) if !url.key.is_empty() => Ok(Self::S3(url)),
            Some(_) => Err(SyncError::new(ErrorKind::Config, format!("{what}'s address in S3 is none"))
                .with_remedy(format!("Expected s3://bucket/key, and ?versionId= for a version of it, in {by}"))),
            // It would be shown wherever the file is named, its password included.
            None if path.to_str().is_some_and(looks_like_an_address) => {
                Err(SyncError::new(ErrorKind::Config, format!("{what} is named by a connection string"))
                    .with_remedy(format!("Expected the path of a file or s3://bucket/key in {by}")))
            }
            None => Ok(Self::File(path)),
        }
    }
}

/// The file `name` where it is packed with the function, else in the working directory.
fn packed(env: &Env, name: &str) -> PathBuf {
    let packed = env.get("LAMBDA_TASK_ROOT").map(|root| Path::new(root).join(name)).filter(|path| path.is_file());
    packed.unwrap_or_else(|| PathBuf::from(name))
}

impl fmt::Display for ConfigPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::S3(url) => url.fmt(f),
        }
    }
}

/// Which object the table configuration was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigVersion {
    /// Its address.
    pub location: String,
    /// Its version, where the bucket keeps versions.
    pub version_id: Option<String>,
    /// What its contents are known by.
    pub etag: Option<String>,
}

/// File and environment, parsed; a connection's variables are checked when it is asked for.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the table configuration was found.
    pub path: PathBuf,
    /// Which version of it, where it is in S3.
    pub version: Option<ConfigVersion>,
    /// The table configuration.
    pub tables: TableConfigs,
    /// What belongs to no connection.
    pub run: RunSettings,
    /// Whether the tables are those of `CONFIG_PATH`, from `SOURCE_DSN` to `TARGET_DSN`.
    by_dsn: bool,
    env: Env,
    /// The secrets at hand, by the variable that names them.
    secrets: HashMap<String, Arc<LiveSecret>>,
}

impl Settings {
    /// Reads a table configuration, or a list, from a file.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::error::ErrorKind::Config) naming file, line and field, or the variable.
    pub fn load(env: Env, path: PathBuf) -> Result<Self> {
        let text = std::fs::read_to_string(&path).map_err(|error| {
            SyncError::new(ErrorKind::Config, format!("{} cannot be read: {error}", path.display())).with_remedy(
                "Name the table configuration with --config or TABLE_CONFIGS, or put table_configs.json into the working directory",
            )
        })?;
        Self::parse_any(env, path, &text)
    }

    /// Reads a list of tables from a file; none where there is no such file.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn load_list(env: Env, path: PathBuf) -> Result<Option<Self>> {
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse_list(env, path, &text).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                let sentence = format!("{} cannot be read: {error}", path.display());
                Err(SyncError::new(ErrorKind::Config, sentence).with_remedy("CONFIG_PATH names the tables of incremental_sync"))
            }
        }
    }

    /// Understands `text` as what its form shows it to be: a table configuration or a list of tables.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn parse_any(env: Env, path: PathBuf, text: &str) -> Result<Self> {
        if TableConfigs::is_list(text) { Self::parse_list(env, path, text) } else { Self::parse(env, path, text) }
    }

    /// Understands the table configuration `text` that was read from `path`.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn parse(env: Env, path: PathBuf, text: &str) -> Result<Self> {
        let run = RunSettings::read(&env)?;
        let mut tables = TableConfigs::parse(text, &path)?;
        for table in tables.tables.values_mut().filter(|table| postgres::is_source(&env, &table.db_type)) {
            check_kind(table, &path)?;
            // Whatever is asked for: PostgreSQL is read in one snapshot.
            table.options.isolation = Isolation::Snapshot;
            table.sql_table = SourceTable::of_postgres(&table.sql_table_text).map_err(|problem| {
                let field = format!("{}: tables.{}.sql_table", path.display(), table.name);
                SyncError::new(ErrorKind::Config, format!("{field}: {problem}"))
                    .with_remedy(format!("A table of the PostgreSQL source {:?} is named schema.table", table.db_type))
            })?;
        }
        Ok(Self { path, version: None, tables, run, by_dsn: false, env, secrets: HashMap::new() })
    }

    /// Understands the list of tables `text`, which was read from `path`.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn parse_list(env: Env, path: PathBuf, text: &str) -> Result<Self> {
        let run = RunSettings::read(&env)?;
        let mut section = Section::new(&env);
        let batch_size = count(&mut section, "BATCH_SIZE").unwrap_or(LIST_BATCH_SIZE);
        section.finish("environment")?;
        let tables = TableConfigs::parse_list(text, u64::try_from(batch_size).unwrap_or(u64::MAX), &path)?;
        Ok(Self { path, version: None, tables, run, by_dsn: true, env, secrets: HashMap::new() })
    }

    /// The secret that the target's section names.
    pub fn target_secret(&self) -> Option<SecretName> {
        self.secret_name(self.target_secret_variable().to_owned())
    }

    fn target_secret_variable(&self) -> &'static str {
        if self.target_is_dsn() { TARGET_SECRET } else { PG_SECRET }
    }

    /// Whether `TARGET_DSN` names the target, or the secret that stands for it: first for the list, for other tables where no `PG_*` does.
    fn target_is_dsn(&self) -> bool {
        let set = |names: [&str; 2]| names.iter().any(|name| self.env.get(name).is_some());
        set([TARGET_DSN, TARGET_SECRET]) && (self.by_dsn || !set(["PG_HOST", PG_SECRET]))
    }

    /// The secret that the section of `db_type` names.
    pub fn source_secret(&self, db_type: &str) -> Option<SecretName> {
        self.secret_name(self.source_secret_variable(db_type))
    }

    fn source_secret_variable(&self, db_type: &str) -> String {
        match postgres::is_source(&self.env, db_type) {
            _ if self.by_dsn => SOURCE_SECRET.to_owned(),
            true => postgres::pg_name(db_type, "SECRET_ID"),
            false => source::variable(db_type, "SECRET_ID"),
        }
    }

    fn secret_name(&self, variable: String) -> Option<SecretName> {
        let id = self.env.get(&variable)?.trim().to_owned();
        Some(SecretName { variable, id })
    }

    /// Lets a secret fill the section that names it.
    pub fn add_secret(&mut self, secret: LiveSecret) {
        self.secrets.insert(secret.name().variable.clone(), Arc::new(secret));
    }

    /// The target's section: `PG_*`, and where no PG_HOST is set, `TARGET_DSN`; of the list `TARGET_DSN`, and where it is not set, `PG_*`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::error::ErrorKind::Config) naming every variable that is missing or wrong.
    pub fn target(&self) -> Result<TargetSettings> {
        let secret = self.secrets.get(self.target_secret_variable());
        if self.target_is_dsn() {
            return target::read_dsn(&self.env, secret);
        }
        let read = target::read(&self.env, secret);
        let or_dsn = |error: SyncError| error.with_remedy("TARGET_DSN may name the target in place of PG_*, and is not set");
        if self.by_dsn { read.map_err(or_dsn) } else { read }
    }

    /// The section of the source that `db_type` names; all tables of the list have that of `SOURCE_DSN`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::error::ErrorKind::Config) naming every variable that is missing or wrong.
    pub fn source(&self, db_type: &str) -> Result<SourceSettings> {
        let secret = self.secrets.get(&self.source_secret_variable(db_type));
        if self.by_dsn {
            if [SOURCE_DSN, SOURCE_SECRET].iter().all(|variable| self.env.get(variable).is_none()) {
                let sentence = format!("the tables of {} come from SOURCE_DSN, and it is not set", self.path.display());
                return Err(SyncError::new(ErrorKind::Config, sentence).with_remedy(
                    "Set it to postgres://user:password@host:port/database, or SOURCE_SECRET_ID to a secret with what it leaves out",
                ));
            }
            let server = postgres::read(&self.env, SOURCE_DSN, "source", secret)?;
            return Ok(SourceSettings::Postgres { db_type: db_type.to_owned(), server });
        }
        if !postgres::is_source(&self.env, db_type) {
            return source::read(&self.env, db_type, secret).map(SourceSettings::SqlServer);
        }
        let (dsn, host) = (postgres::pg_name(db_type, "DSN"), source::variable(db_type, "HOST"));
        if self.env.get(&host).is_some() {
            let sentence = format!("source {db_type:?}: {dsn} makes it PostgreSQL, and {host} SQL Server");
            return Err(SyncError::new(ErrorKind::Config, sentence).with_remedy("Unset one of them"));
        }
        let server = postgres::read(&self.env, &dsn, &format!("source {db_type:?}"), secret)?;
        Ok(SourceSettings::Postgres { db_type: db_type.to_owned(), server })
    }

    /// A warning for every variable of the target and of the sources `db_types` that turns encryption or verification off.
    pub fn tls_warnings<'a>(&self, db_types: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let of_sources = if self.by_dsn { tls::of_dsn(&self.env, SOURCE_DSN, "the source") } else { tls::of_sources(&self.env, db_types) };
        let of_target = if self.target_is_dsn() { tls::of_dsn(&self.env, TARGET_DSN, "the target") } else { tls::of_target(&self.env) };
        [of_sources, of_target].concat()
    }
}

/// What tells PostgreSQL's new rows from old ones is a timestamp.
fn check_kind(table: &TableConfig, path: &Path) -> Result<()> {
    match table.options.incremental.as_ref().map(|sync| sync.kind) {
        Some(kind @ (WatermarkKind::Rowversion | WatermarkKind::ChangeTracking)) => {
            let field = format!("{}: tables.{}.sync.kind", path.display(), table.name);
            let sentence = format!("{field}: {:?} is SQL Server's, and {:?} is a PostgreSQL source", kind.name(), table.db_type);
            Err(SyncError::new(ErrorKind::Config, sentence)
                .with_remedy("Leave \"kind\" out, and name the \"column\" with the moment of a row's last change"))
        }
        Some(WatermarkKind::Timestamp) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_looked_for_in_order() {
        let root = tempfile::tempdir().unwrap();
        let root_text = root.path().to_str().unwrap();
        let env = Env::from_iter([("TABLE_CONFIGS", "b.json"), ("LAMBDA_TASK_ROOT", root_text)]);
        let find = |env: &Env, config: Option<&Path>| match ConfigPlace::find(env, config).unwrap() {
            ConfigPlace::File(path) => path,
            ConfigPlace::S3(url) => panic!("{url}"),
        };
        assert_eq!(find(&env, Some(Path::new("a.json"))), Path::new("a.json"));
        assert_eq!(find(&env, None), Path::new("b.json"));
        let env = Env::from_iter([("LAMBDA_TASK_ROOT", root_text)]);
        assert_eq!(find(&env, None), Path::new("table_configs.json"));
        std::fs::write(root.path().join("table_configs.json"), "{}").unwrap();
        assert_eq!(find(&env, None), root.path().join("table_configs.json"));
    }

    #[test]
    fn a_configuration_may_be_in_s3() {
        let url = "s3://bucket/t.json".parse().unwrap();
        let env = Env::from_iter([("TABLE_CONFIGS", "s3://bucket/t.json")]);
        assert_eq!(ConfigPlace::find(&env, None).unwrap(), ConfigPlace::S3(url));
        let list = Env::from_iter([("CONFIG_PATH", "s3://bucket/c.json?versionId=v1")]);
        assert_eq!(ConfigPlace::find_list(&list).unwrap().to_string(), "s3://bucket/c.json");
        let error = ConfigPlace::find_list(&Env::from_iter([("CONFIG_PATH", "s3://key:canary@bucket/c")])).unwrap_err().to_string();
        assert!(error.contains("in CONFIG_PATH") && !error.contains("canary"), "{error}");
        for wrong in ["s3://bucket", "s3://key:canary@bucket/t.json", "postgres://u:canary@h/d", "host=h password=canary"] {
            let error = ConfigPlace::find(&Env::default(), Some(Path::new(wrong))).unwrap_err();
            assert!(error.kind() == ErrorKind::Config && !error.to_string().contains("canary"), "{error}");
        }
    }

    fn listed(pairs: &[(&str, &str)]) -> Settings {
        let env = Env::from_iter(pairs.iter().copied());
        Settings::parse_any(env, PathBuf::from("config.json"), r#"[{"name": "a", "key_columns": ["id"]}]"#).unwrap()
    }

    fn variables(settings: &Settings) -> [Option<String>; 2] {
        [settings.source_secret("source"), settings.target_secret()].map(|name| name.map(|name| name.variable))
    }

    #[test]
    fn the_dsns_of_a_list_have_secrets_of_their_own() {
        let named = |names: [Option<&str>; 2]| names.map(|name| name.map(str::to_owned));
        let both = [("SOURCE_SECRET_ID", "a"), ("TARGET_SECRET_ID", "b"), ("PG_SECRET_ID", "c"), ("SQL_SERVER_SOURCE_SECRET_ID", "d")];
        assert_eq!(variables(&listed(&both)), named([Some("SOURCE_SECRET_ID"), Some("TARGET_SECRET_ID")]));
        assert_eq!(variables(&listed(&both[2..])), named([None, Some("PG_SECRET_ID")]), "without a DSN, PG_* name the target");
        let dsn = [("TARGET_DSN", "postgres://h/d"), ("PG_SECRET_ID", "c")];
        assert_eq!(variables(&listed(&dsn)), named([None, None]));
        let tables = r#"{"tables": {"a": {"db_type": "x", "sql_table": "a", "pg_table": "a"}}}"#;
        let others = Settings::parse_any(Env::from_iter(both), PathBuf::from("t.json"), tables).unwrap();
        assert_eq!(others.target_secret().unwrap().variable, "PG_SECRET_ID");
    }

    #[test]
    fn tables_of_the_list_go_to_the_target_of_pg_variables_where_no_dsn_names_one() {
        let directory = tempfile::tempdir().unwrap();
        let list = directory.path().join("config.json");
        std::fs::write(&list, r#"[{"name": "a", "key_columns": ["id"]}]"#).unwrap();
        let target =
            |pairs: &[(&str, &str)]| Settings::load_list(Env::from_iter(pairs.iter().copied()), list.clone()).unwrap().unwrap().target();
        assert_eq!(target(&[("PG_HOST", "h"), ("PG_DB", "d"), ("PG_USER", "u")]).unwrap().server.host, "h");
        let both = [("PG_HOST", "h"), ("PG_DB", "d"), ("PG_USER", "u"), ("TARGET_DSN", "postgres://u@dsn/d")];
        assert_eq!(target(&both).unwrap().server.host, "dsn");
        let error = target(&[]).unwrap_err().to_string();
        assert!(error.contains("PG_HOST") && error.contains("TARGET_DSN"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named_with_what_to_do() {
        let error = Settings::load(Env::default(), PathBuf::from("/nonexistent/t.json")).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/t.json") && error.contains("--config"), "{error}");
    }
}
