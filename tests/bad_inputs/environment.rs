//! Variables and arguments: the error names the one that is wrong, nothing is connected, the exit code is 2.

use super::Findings;
use crate::support::site::Site;
use crate::support::source::Source;

pub(super) const COUNT: fn() -> usize = || VARIABLES.len() + MISSING.len() + ARGUMENTS.len();

/// Variables with values that nobody can mean.
const VARIABLES: &[(&str, &str)] = &[
    ("PG_PORT", "five"),
    ("PG_PORT", "0"),
    ("PG_PORT", "65536"),
    ("PG_SSLMODE", "verify"),
    ("PG_SSLROOTCERT", "/nonexistent/ca.pem"),
    ("PG_HOST", "postgres://user:password@host/db"),
    ("SQL_SERVER_MCTM_PORT", "99999"),
    ("SQL_SERVER_MCTM_PORT", "-1"),
    ("SQL_SERVER_MCTM_HOST", "tcp://host"),
    ("SQL_SERVER_MCTM_HOST", "host,none"),
    ("SQL_SERVER_MCTM_ENCRYPT", "yes please"),
    ("SQL_SERVER_MCTM_TRUST_CERT", "perhaps"),
    ("SQL_SERVER_MCTM_CA_FILE", "/nonexistent/ca.pem"),
    ("METRICS", "statsd"),
    ("REPORT_URL", "/var/reports"),
    ("SECRET_MAX_AGE", "old"),
    ("MAX_PARALLEL_TABLES", "0"),
    ("MAX_PARALLEL_TABLES", "many"),
    ("MAX_RETRIES", "-1"),
    ("MAX_PARALLEL_PER_SOURCE", "0"),
    ("MAX_PARALLEL_TABLES", "99999999999999999999999"),
    ("DEADLINE_MARGIN", "soon"),
    ("DEADLINE_MARGIN", "-1"),
    ("SOURCE_IDLE_TIMEOUT", "0"),
    ("TARGET_IDLE_TIMEOUT", "0"),
    ("FAIL_ON", "sometimes"),
    ("DRY_RUN", "maybe"),
    ("TABLE_CONFIGS", "/nonexistent/table_configs.json"),
    ("TABLE_CONFIGS", "s3://bucket"),
    ("STATE_SCHEMA", "pg_catalog"),
];

const MISSING: &[&str] = &["PG_HOST", "PG_DB", "PG_USER", "SQL_SERVER_MCTM_HOST", "SQL_SERVER_MCTM_USER", "SQL_SERVER_MCTM_PASSWORD"];

/// Arguments, and what the error names.
const ARGUMENTS: &[(&[&str], &str)] = &[
    (&["sync_everything"], "sync_everything"),
    (&["multi_sync", "--tables=custmer"], "custmer"),
    (&["multi_sync", "--tabel=customer"], "--tabel"),
    (&["multi_sync", "--deadline=tomorrow"], "deadline"),
    (&["multi_sync", "--config=/nonexistent.json"], "/nonexistent.json"),
    (&["multi_sync", "customer"], "customer"),
    (&["single_sync"], "table"),
    (&["single_sync", "--table="], "table"),
    (&["single_sync", "--table=nobody"], "nobody"),
    (&["single_sync", "--table=customer,mctm_module"], "customer,mctm_module"),
    (&["multi_test", "--tables=nobody"], "nobody"),
    (&["config", "chek"], "chek"),
    (&["info", "--dry-rum"], "--dry-rum"),
];

#[tokio::test(flavor = "multi_thread")]
async fn wrong_variables_and_arguments_are_named() {
    let site = async || {
        let mut site = Site::over(Source::nowhere().await).await;
        let port = site.source.port().to_string();
        site.set("PG_HOST", "127.0.0.1").set("PG_PORT", &port);
        site
    };
    let mut findings = Findings::default();
    for (name, value) in VARIABLES {
        let mut site = site().await;
        let body = site.set(name, value).json(&["multi_sync"]).await;
        let input = format!("{name}={value}");
        findings.ended_well(&input, &body, 2);
        findings.says(&input, body["error"].as_str().unwrap_or_default(), &[if *name == "TABLE_CONFIGS" { value } else { name }]);
        assert_eq!(site.source.logins(), 0, "{input}: nothing is connected");
    }
    for name in MISSING {
        let mut site = site().await;
        let body = site.unset(name).json(&["multi_sync"]).await;
        findings.ended_well(name, &body, 2);
        findings.says(name, body["error"].as_str().unwrap_or_default(), &[name, "not set"]);
        assert_eq!(site.source.logins(), 0, "{name}: nothing is connected");
    }
    let site = site().await;
    for (arguments, named) in ARGUMENTS {
        let body = site.json(arguments).await;
        let input = format!("{arguments:?}");
        findings.ended_well(&input, &body, 2);
        findings.says(&input, body["error"].as_str().unwrap_or_default(), &[named]);
    }
    assert_eq!(site.source.logins(), 0, "nothing is connected");
    findings.none();
}
