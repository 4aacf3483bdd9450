//! The settings of a process: file and environment together.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::section::Section;
use super::{Env, SqlServerSettings, TableConfigs, TargetSettings, source, target, tls};
use crate::error::{ErrorKind, Result, SyncError};

/// More often than this is no patience but a loop.
const RETRIES_MAX: usize = 10;

/// When a Lambda invocation that failed ends as a function error (`FAIL_ON`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailOn {
    /// Never: the envelope says it.
    Never,
    /// When it was scheduled.
    #[default]
    Scheduled,
    /// Always.
    Always,
}

/// How much is done side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parallel {
    /// Tables at a time (`MAX_PARALLEL_TABLES`).
    pub tables: usize,
    /// Tables at a time of one source server (`MAX_PARALLEL_PER_SOURCE`).
    pub per_source: usize,
}

/// The settings of a run that belong to no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSettings {
    /// How many tables are refreshed side by side.
    pub parallel: Parallel,
    /// How often a table is begun again when trouble came that may pass (`MAX_RETRIES`).
    pub max_retries: usize,
    /// How long before the deadline a run stops (`DEADLINE_MARGIN`).
    pub deadline_margin: Duration,
    /// How long a source may be silent in mid-stream (`SOURCE_IDLE_TIMEOUT`).
    pub source_idle_timeout: Duration,
    /// When a failure is a function error.
    pub fail_on: FailOn,
    /// `DRY_RUN`.
    pub dry_run: bool,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            parallel: Parallel { tables: 1, per_source: 4 },
            max_retries: 2,
            deadline_margin: Duration::from_secs(10),
            source_idle_timeout: Duration::from_secs(300),
            fail_on: FailOn::Scheduled,
            dry_run: false,
        }
    }
}

impl RunSettings {
    /// Reads the run's variables; what is not set has its default.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming every variable that is malformed.
    pub fn read(env: &Env) -> Result<Self> {
        let standard = Self::default();
        let mut section = Section::new(env);
        section.refuse("METRICS", "unset it");
        let settings = Self {
            parallel: Parallel {
                tables: count(&mut section, "MAX_PARALLEL_TABLES").unwrap_or(standard.parallel.tables),
                per_source: count(&mut section, "MAX_PARALLEL_PER_SOURCE").unwrap_or(standard.parallel.per_source),
            },
            max_retries: section
                .parsed("MAX_RETRIES", "a whole number from 0 to 10", |text| text.parse().ok().filter(|n| *n <= RETRIES_MAX))
                .unwrap_or(standard.max_retries),
            deadline_margin: section.duration("DEADLINE_MARGIN").unwrap_or(standard.deadline_margin),
            source_idle_timeout: section.duration("SOURCE_IDLE_TIMEOUT").unwrap_or(standard.source_idle_timeout),
            fail_on: section.parsed("FAIL_ON", "never, scheduled or always", parse_fail_on).unwrap_or_default(),
            dry_run: section.flag("DRY_RUN").unwrap_or_default(),
        };
        if settings.source_idle_timeout.is_zero() {
            section.problem("SOURCE_IDLE_TIMEOUT is zero, expected a duration above it".to_owned());
        }
        section.finish("environment").map(|()| settings)
    }

    /// How long a run may go on when its deadline is `time_left` away: the margin, at most a fifth, is kept for a clean end.
    pub fn time_to_run(&self, time_left: Duration) -> Duration {
        time_left - self.deadline_margin.min(time_left / 5)
    }
}

fn count(section: &mut Section<'_>, variable: &'static str) -> Option<usize> {
    section.parsed(variable, "a whole number from 1", |text| text.parse().ok().filter(|count| *count > 0))
}

fn parse_fail_on(text: &str) -> Option<FailOn> {
    match text.to_ascii_lowercase().as_str() {
        "never" => Some(FailOn::Never),
        "scheduled" => Some(FailOn::Scheduled),
        "always" => Some(FailOn::Always),
        _ => None,
    }
}

/// File and environment, parsed; a connection's variables are checked when it is asked for.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the table configuration was found.
    pub path: PathBuf,
    /// The table configuration.
    pub tables: TableConfigs,
    /// What belongs to no connection.
    pub run: RunSettings,
    env: Env,
}

impl Settings {
    /// Finds and reads the table configuration: `config`, else `TABLE_CONFIGS`, else `$LAMBDA_TASK_ROOT/table_configs.json` when it is there,
    /// else `./table_configs.json`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::error::ErrorKind::Config) naming file, line and field, or the variable.
    pub fn load(env: Env, config: Option<&Path>) -> Result<Self> {
        let run = RunSettings::read(&env)?;
        let path = find(&env, config)?;
        let text = std::fs::read_to_string(&path).map_err(|error| {
            SyncError::new(ErrorKind::Config, format!("{} cannot be read: {error}", path.display())).with_remedy(
                "Name the table configuration with --config or TABLE_CONFIGS, or put table_configs.json into the working directory",
            )
        })?;
        let tables = TableConfigs::parse(&text, &path)?;
        Ok(Self { path, tables, run, env })
    }

    /// The target's section.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::error::ErrorKind::Config) naming every variable that is missing or wrong.
    pub fn target(&self) -> Result<TargetSettings> {
        target::read(&self.env)
    }

    /// The section of the source that `db_type` names.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::error::ErrorKind::Config) naming every variable that is missing or wrong.
    pub fn source(&self, db_type: &str) -> Result<SqlServerSettings> {
        source::read(&self.env, db_type)
    }

    /// A warning for every variable of the target and of the sources `db_types` that turns encryption or verification off.
    pub fn tls_warnings<'a>(&self, db_types: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        tls::warnings(&self.env, db_types)
    }
}

fn find(env: &Env, config: Option<&Path>) -> Result<PathBuf> {
    const NAME: &str = "table_configs.json";
    let named = config.map(Path::to_path_buf).or_else(|| env.get("TABLE_CONFIGS").map(PathBuf::from));
    if let Some(path) = named {
        if path.to_str().is_some_and(|text| text.starts_with("s3://")) {
            let sentence = format!("the table configuration {} cannot be read: s3:// is not supported yet in this version", path.display());
            return Err(SyncError::new(ErrorKind::Config, sentence).with_remedy("Name a local file"));
        }
        return Ok(path);
    }
    let packed = env.get("LAMBDA_TASK_ROOT").map(|root| Path::new(root).join(NAME)).filter(|path| path.is_file());
    Ok(packed.unwrap_or_else(|| PathBuf::from(NAME)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_settings_have_defaults_and_name_what_is_malformed() {
        assert_eq!(RunSettings::read(&Env::default()).unwrap(), RunSettings::default());
        let env = Env::from_iter([
            ("MAX_PARALLEL_TABLES", "4"),
            ("MAX_PARALLEL_PER_SOURCE", "2"),
            ("MAX_RETRIES", "0"),
            ("DEADLINE_MARGIN", "30"),
            ("SOURCE_IDLE_TIMEOUT", "2m"),
            ("FAIL_ON", "Always"),
            ("DRY_RUN", "TRUE"),
        ]);
        let expected = RunSettings {
            parallel: Parallel { tables: 4, per_source: 2 },
            max_retries: 0,
            deadline_margin: Duration::from_secs(30),
            source_idle_timeout: Duration::from_secs(120),
            fail_on: FailOn::Always,
            dry_run: true,
        };
        assert_eq!(RunSettings::read(&env).unwrap(), expected);
        let wrong = [
            ("MAX_PARALLEL_TABLES", "0"),
            ("MAX_PARALLEL_PER_SOURCE", "-1"),
            ("MAX_RETRIES", "11"),
            ("DEADLINE_MARGIN", "soon"),
            ("FAIL_ON", "error"),
            ("DRY_RUN", "perhaps"),
        ];
        let error = RunSettings::read(&Env::from_iter(wrong)).unwrap_err().to_string();
        for (name, _) in wrong {
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn metrics_are_refused_by_name() {
        for value in ["emf", "anything"] {
            let error = RunSettings::read(&Env::from_iter([("METRICS", value)])).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains("METRICS is not supported yet in this version"), "{error}");
        }
    }

    #[test]
    fn the_margin_is_at_most_a_fifth_of_the_time_left() {
        let run = RunSettings::default();
        assert_eq!(run.time_to_run(Duration::from_secs(900)), Duration::from_secs(890));
        assert_eq!(run.time_to_run(Duration::from_secs(10)), Duration::from_secs(8));
    }

    #[test]
    fn the_file_is_looked_for_in_order() {
        let root = tempfile::tempdir().unwrap();
        let root_text = root.path().to_str().unwrap();
        let env = Env::from_iter([("TABLE_CONFIGS", "b.json"), ("LAMBDA_TASK_ROOT", root_text)]);
        assert_eq!(find(&env, Some(Path::new("a.json"))).unwrap(), Path::new("a.json"));
        assert_eq!(find(&env, None).unwrap(), Path::new("b.json"));
        let env = Env::from_iter([("LAMBDA_TASK_ROOT", root_text)]);
        assert_eq!(find(&env, None).unwrap(), Path::new("table_configs.json"));
        std::fs::write(root.path().join("table_configs.json"), "{}").unwrap();
        assert_eq!(find(&env, None).unwrap(), root.path().join("table_configs.json"));
    }

    #[test]
    fn a_configuration_in_s3_is_refused_by_name() {
        let error = Settings::load(Env::from_iter([("TABLE_CONFIGS", "s3://b/t.json")]), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("s3://b/t.json"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named_with_what_to_do() {
        let error = Settings::load(Env::default(), Some(Path::new("/nonexistent/t.json"))).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/t.json") && error.contains("--config"), "{error}");
    }
}
