//! The arguments as typed: clap and nothing else.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::config::parse_duration;
use crate::request::{Mode, Request, Sampling, split_names};

const ABOUT: &str = "Brings SQL Server tables into PostgreSQL, each checked before its change becomes visible.";

pub(super) const HELP: &str = "\
Examples:
  tablesync config check                          is everything set? (connects to nothing)
  tablesync multi_test                            can every table be reached on both sides?
  tablesync multi_sync --dry-run                  what would run, how many rows; writes nothing
  tablesync plan                                  what a run would do, and at which price
  tablesync multi_sync                            every table of default_sync_order
  tablesync multi_sync --tables=customer,orders   these, in this order
  tablesync incremental_sync                      what is new in the tables that get only that
  tablesync verify                                do source and target agree, row by row?
  tablesync single_sync --table=customer --json   one table; the result as one line of JSON

Exit codes:
  0    success
  1    something failed while running; the target of every failed table is as it was
  2    wrong request or configuration, or a variable is missing; nothing was begun
  130  stopped by SIGINT (Ctrl-C), after rollback and summary; a second one exits at once
  143  stopped by SIGTERM, after rollback and summary

Output:
  Standard output has the summary; with --json exactly one line, the result object, for
  failures too. Progress, warnings, errors and the log go to standard error.

Table configuration:
  --config, else TABLE_CONFIGS, else $LAMBDA_TASK_ROOT/table_configs.json when it is
  there, else ./table_configs.json; a file, or s3://bucket/key (?versionId=... for a version).
  incremental_sync takes the list of CONFIG_PATH (./config.json) first, where there is one;
  the other commands take it where there is no table configuration, or by its tables' names

Variables (also read from ./.env, which never overrides a set variable):
  One set for each db_type of the table configuration, its name in upper case:
  SQL_SERVER_<DB_TYPE>_HOST        host, host,port or host\\instance
  SQL_SERVER_<DB_TYPE>_USER, _PASSWORD
  SQL_SERVER_<DB_TYPE>_DB          the database to log in to (sql_server_db)
  SQL_SERVER_<DB_TYPE>_PORT        1433
  SQL_SERVER_<DB_TYPE>_ENCRYPT     mandatory, strict, login, off (mandatory;
                                   on loopback as the server offers)
  SQL_SERVER_<DB_TYPE>_TRUST_CERT  true leaves the certificate unverified (false;
                                   on loopback without _CA_FILE true)
  SQL_SERVER_<DB_TYPE>_CA_FILE     certificate authorities to trust as well, PEM
  SQL_SERVER_<DB_TYPE>_SECRET_ID   a secret in Secrets Manager with what is left out above:
                                   JSON with host, port, username, password, dbname
  SOURCE_<DB_TYPE>_DSN             in place of these, a PostgreSQL: postgres://user:password@
                                   host:port/database?sslmode=..., and sslrootcert,
                                   connect_timeout, application_name, options
  SOURCE_<DB_TYPE>_SECRET_ID       a secret with what the DSN leaves out
  SOURCE_DSN                       the source of the tables in the list of CONFIG_PATH
  SOURCE_SECRET_ID                 a secret with what it leaves out
  The target:
  PG_HOST, PG_DB, PG_USER
  PG_PASSWORD                      may be left out where none is needed
  PG_PORT                          5432
  PG_SSLMODE                       disable, prefer, require, verify-ca, verify-full
                                   (verify-full; on loopback and sockets prefer)
  PG_SECRET_ID                     a secret with what is left out above
  PG_SSLROOTCERT                   certificate authorities in place of the system's, PEM
  TARGET_DSN                       in place of PG_*, where PG_HOST is not set
  TARGET_SECRET_ID                 a secret with what it leaves out
  STATE_SCHEMA                     schema of run history and staging tables (tablesync)
  Runs:
  MAX_PARALLEL_TABLES              tables at a time (1)
  MAX_PARALLEL_PER_SOURCE          of them at most so many of one source server (4)
  MAX_RETRIES                      how often a table is begun again after trouble
                                   that may pass (2)
  DEADLINE_MARGIN                  time kept before the deadline for a clean end
                                   (10s, at most a fifth of the time left)
  SOURCE_IDLE_TIMEOUT              how long a source may be silent in mid-stream (5m)
  TARGET_IDLE_TIMEOUT              how long the target may take for a statement (1h)
  DRY_RUN                          true: as --dry-run
  REPORT_URL                       s3://bucket/prefix/: a report of each run is written there
  SECRET_MAX_AGE                   how long a secret is not fetched again (15m)
  METRICS                          emf: metrics on standard error, in CloudWatch's embedded
                                   format (off; in Lambda emf, on standard output)
  incremental_sync, of its own list of tables (SOURCE_DSN to TARGET_DSN):
  CONFIG_PATH                      the list, JSON (./config.json), or s3://bucket/key; without
                                   it the tables with \"sync\" of the table configuration
  BATCH_SIZE                       rows between two progress reports (1000)
  AWS, where a secret or an address in S3 is named:
  AWS_REGION, AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
  AWS_ENDPOINT_URL                 as its SDK reads them
  Log:
  LOG_LEVEL, RUST_LOG              off, error, warn, info, debug, trace (warn)";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "tablesync", version, about = ABOUT, after_help = HELP, arg_required_else_help = true, max_term_width = 140)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Debug, Args)]
pub(super) struct Common {
    /// The table configuration
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Print one line of JSON on standard output, and nothing else there
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Log more: -v info, -vv debug, -vvv trace
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub(super) verbose: u8,
    /// Log errors only and show no progress
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Sync tables, one after the other; one that fails does not stop the next
    #[command(name = "multi_sync")]
    MultiSync {
        #[command(flatten)]
        tables: Tables,
        #[command(flatten)]
        sync: Sync,
    },
    /// Sync one table
    #[command(name = "single_sync")]
    SingleSync {
        /// The table's name in the configuration
        #[arg(long, value_name = "NAME", visible_alias = "table_name")]
        table: Option<String>,
        #[command(flatten)]
        sync: Sync,
    },
    /// Bring what is new to the tables that get only that; runs once and exits
    #[command(name = "incremental_sync")]
    IncrementalSync {
        #[command(flatten)]
        tables: Tables,
        #[command(flatten)]
        sync: Sync,
    },
    /// Connect to both sides of every table and count; writes nothing
    #[command(name = "multi_test")]
    MultiTest {
        #[command(flatten)]
        tables: Tables,
        #[command(flatten)]
        deadline: Deadline,
    },
    /// Compare source and target row by row and name what differs; writes nothing
    #[command(name = "verify")]
    Verify {
        #[command(flatten)]
        tables: Tables,
        #[command(flatten)]
        sampling: HowMuch,
        #[command(flatten)]
        deadline: Deadline,
    },
    /// Say what a run would do with every table: refresh, columns, DDL, locks, dependents; writes nothing
    #[command(name = "plan")]
    Plan {
        #[command(flatten)]
        tables: Tables,
        #[command(flatten)]
        deadline: Deadline,
    },
    /// Show what is configured, and when each table last ran
    #[command(name = "info")]
    Info,
    /// Look at the configuration
    #[command(name = "config", subcommand_required = true)]
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Validate the table configuration and every variable, without connecting
    Check,
}

#[derive(Debug, Args)]
pub(super) struct Tables {
    /// Tables by their names in the configuration, in this order [default: default_sync_order]
    #[arg(long, value_name = "A,B", visible_alias = "table")]
    tables: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Sync {
    /// Count on both sides and say what would run; write nothing
    #[arg(long)]
    dry_run: bool,
    /// Publish although min_rows or max_shrink would refuse
    #[arg(long)]
    allow_shrink: bool,
    /// Go on although columns of the source have changed since the last successful run
    #[arg(long)]
    accept_drift: bool,
    /// Forget how far these incremental tables are copied, and bring all their rows
    #[arg(long, value_name = "A,B")]
    reset: Vec<String>,
    #[command(flatten)]
    deadline: Deadline,
}

#[derive(Debug, Args)]
pub(super) struct HowMuch {
    /// Compare a share of the rows, as in 0.05 or 5%, where key ranges can be chosen
    #[arg(long, value_name = "SHARE", value_parser = share, conflicts_with = "full")]
    sample: Option<Sampling>,
    /// Compare every row of large tables too
    #[arg(long)]
    full: bool,
}

fn share(text: &str) -> Result<Sampling, String> {
    Sampling::parse(text).ok_or_else(|| "expected a share above 0 and up to 1, such as 0.05 or 5%".to_owned())
}

impl HowMuch {
    fn sampling(&self) -> Sampling {
        if self.full { Sampling::Full } else { self.sample.unwrap_or_default() }
    }
}

#[derive(Debug, Args)]
pub(super) struct Deadline {
    /// Stop cleanly when this long has (nearly) passed, as in 90s, 15m, 1h
    #[arg(long, value_name = "TIME", value_parser = deadline)]
    deadline: Option<Duration>,
}

fn deadline(text: &str) -> Result<Duration, String> {
    parse_duration(text).filter(|time| !time.is_zero()).ok_or_else(|| "expected a time such as 90s, 15m or 1h".to_owned())
}

impl Command {
    /// The mode by the name that bodies show.
    pub(super) fn name(&self) -> &'static str {
        self.mode().map_or("config check", Mode::name)
    }

    fn mode(&self) -> Option<Mode> {
        match self {
            Self::MultiSync { .. } => Some(Mode::MultiSync),
            Self::SingleSync { .. } => Some(Mode::SingleSync),
            Self::IncrementalSync { .. } => Some(Mode::IncrementalSync),
            Self::MultiTest { .. } => Some(Mode::MultiTest),
            Self::Verify { .. } => Some(Mode::Verify),
            Self::Plan { .. } => Some(Mode::Plan),
            Self::Info => Some(Mode::Info),
            Self::Config { .. } => None,
        }
    }

    /// The request and its deadline; none for what is no mode.
    pub(super) fn request(&self) -> Option<(Request, Option<Duration>)> {
        let base = Request { mode: self.mode()?, ..Request::default() };
        let with = |tables: Vec<String>, sync: &Sync| Request {
            tables,
            dry_run: sync.dry_run,
            allow_shrink: sync.allow_shrink,
            accept_drift: sync.accept_drift,
            reset: split_names(&sync.reset.join(",")),
            ..base.clone()
        };
        Some(match self {
            Self::MultiSync { tables, sync } | Self::IncrementalSync { tables, sync } => {
                (with(tables.names(), sync), sync.deadline.deadline)
            }
            Self::SingleSync { table, sync } => (with(table.iter().cloned().collect(), sync), sync.deadline.deadline),
            Self::MultiTest { tables, deadline } | Self::Plan { tables, deadline } => {
                (Request { tables: tables.names(), ..base }, deadline.deadline)
            }
            Self::Verify { tables, sampling, deadline } => {
                (Request { tables: tables.names(), sampling: sampling.sampling(), ..base }, deadline.deadline)
            }
            Self::Info | Self::Config { .. } => (base, None),
        })
    }
}

impl Tables {
    fn names(&self) -> Vec<String> {
        split_names(&self.tables.join(","))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn request(line: &str) -> (Request, Option<Duration>) {
        Arguments::try_parse_from(line.split(' ')).unwrap().command.request().unwrap()
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_mode_is_a_subcommand_of_its_name() {
        for mode in Mode::ALL {
            assert_eq!(request(&format!("tablesync {mode}")).0, Request { mode, ..Request::default() });
        }
    }

    #[test]
    fn options_become_the_request() {
        let (asked, deadline) =
            request("tablesync multi_sync --tables=a,b --tables c --dry-run --allow-shrink --accept-drift --deadline 15m");
        assert!(asked.accept_drift);
        assert_eq!((asked.tables, asked.dry_run, asked.allow_shrink), (["a", "b", "c"].map(str::to_owned).to_vec(), true, true));
        assert_eq!(deadline, Some(Duration::from_secs(900)));
        assert_eq!(request("tablesync --json single_sync --table=a").0.tables, ["a"]);
        assert_eq!(request("tablesync multi_test --tables=a --json").0.tables, ["a"]);
    }

    #[test]
    fn the_help_names_every_variable_of_the_example_that_a_command_reads() {
        let example = std::fs::read_to_string(".env.example").unwrap();
        let name = |line: &str| line.trim_start_matches("# ").split_once('=').map(|(name, _)| name.to_owned());
        let names = example.lines().filter_map(name).filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
        let names: Vec<_> = names.filter(|name| name != "FAIL_ON").collect();
        assert!(names.len() > 25, "{names:?}");
        for name in names {
            let of_a_source = name.strip_prefix("SQL_SERVER_").or(name.strip_prefix("SOURCE_MCTM_").map(|_| &name["SOURCE_".len()..]));
            let shown = of_a_source.and_then(|rest| rest.split_once('_')).map_or(name.clone(), |(_, what)| format!("_{what}"));
            assert!(HELP.contains(&shown), "{name}");
        }
    }

    #[test]
    fn the_help_fits_into_a_hundred_columns() {
        for line in HELP.lines() {
            assert!(line.len() <= 98, "{line}");
        }
    }

    #[test]
    fn the_help_names_every_mode_exit_code_and_variable() {
        let help = Arguments::command().render_long_help().to_string();
        let names = Mode::ALL.map(Mode::name).into_iter();
        for name in names.chain([
            "config",
            "130",
            "143",
            "PG_SSLMODE",
            "_TRUST_CERT",
            "DEADLINE_MARGIN",
            "STATE_SCHEMA",
            "--json",
            "--config",
            "$LAMBDA_TASK_ROOT/table_configs.json",
        ]) {
            assert!(help.contains(name), "{name}");
        }
    }
}
