//! The settings of a run that belong to no connection.

use std::time::Duration;

use super::section::Section;
use super::{Env, S3Url};
use crate::error::Result;

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

/// Where metrics are written (`METRICS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Metrics {
    /// Nowhere.
    #[default]
    Off,
    /// In CloudWatch's embedded metric format: by the Lambda on standard output, by the command on standard error.
    Emf,
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
    /// Where metrics are written: the Lambda writes them unless told otherwise.
    pub metrics: Metrics,
    /// Below which address reports are written (`REPORT_URL`).
    pub report_url: Option<S3Url>,
    /// How long a secret is not fetched again (`SECRET_MAX_AGE`).
    pub secret_max_age: Duration,
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
            metrics: Metrics::Off,
            report_url: None,
            secret_max_age: Duration::from_secs(900),
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
            metrics: section.parsed("METRICS", "emf or off", parse_metrics).unwrap_or(if env.is_lambda() {
                Metrics::Emf
            } else {
                Metrics::Off
            }),
            report_url: section.parsed("REPORT_URL", "s3://bucket/prefix/", |text| text.parse().ok()),
            secret_max_age: section.duration("SECRET_MAX_AGE").unwrap_or(standard.secret_max_age),
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

/// A variable that counts something.
pub(super) fn count(section: &mut Section<'_>, variable: &'static str) -> Option<usize> {
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

fn parse_metrics(text: &str) -> Option<Metrics> {
    match text.to_ascii_lowercase().as_str() {
        "emf" => Some(Metrics::Emf),
        "off" => Some(Metrics::Off),
        _ => None,
    }
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
            ("METRICS", "EMF"),
            ("REPORT_URL", "s3://reports/daily"),
            ("SECRET_MAX_AGE", "0"),
        ]);
        let expected = RunSettings {
            parallel: Parallel { tables: 4, per_source: 2 },
            max_retries: 0,
            deadline_margin: Duration::from_secs(30),
            source_idle_timeout: Duration::from_secs(120),
            fail_on: FailOn::Always,
            dry_run: true,
            metrics: Metrics::Emf,
            report_url: Some("s3://reports/daily".parse().unwrap()),
            secret_max_age: Duration::ZERO,
        };
        assert_eq!(RunSettings::read(&env).unwrap(), expected);
        let wrong = [
            ("MAX_PARALLEL_TABLES", "0"),
            ("MAX_PARALLEL_PER_SOURCE", "-1"),
            ("MAX_RETRIES", "11"),
            ("DEADLINE_MARGIN", "soon"),
            ("FAIL_ON", "error"),
            ("DRY_RUN", "perhaps"),
            ("METRICS", "statsd"),
            ("REPORT_URL", "/var/reports"),
            ("SECRET_MAX_AGE", "old"),
        ];
        let error = RunSettings::read(&Env::from_iter(wrong)).unwrap_err().to_string();
        for (name, _) in wrong {
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn the_lambda_writes_metrics_unless_told_otherwise() {
        let function = ("AWS_LAMBDA_FUNCTION_NAME", "tablesync");
        assert_eq!(RunSettings::read(&Env::from_iter([function])).unwrap().metrics, Metrics::Emf);
        assert_eq!(RunSettings::read(&Env::from_iter([function, ("METRICS", "off")])).unwrap().metrics, Metrics::Off);
    }

    #[test]
    fn the_margin_is_at_most_a_fifth_of_the_time_left() {
        let run = RunSettings::default();
        assert_eq!(run.time_to_run(Duration::from_secs(900)), Duration::from_secs(890));
        assert_eq!(run.time_to_run(Duration::from_secs(10)), Duration::from_secs(8));
    }
}
