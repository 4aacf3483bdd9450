//! One cell of the matrix: a table, a change of it, a run that dies, what it left, the run after it.

use std::fmt;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::json;

use crate::support::body::Body;
use crate::support::process::Finished;
use crate::support::site::Site;
use crate::support::source::{Planted, Value};

/// The table, as the source and the target call it.
pub(super) const SOURCE: &str = "Ledger";
pub(super) const TABLE: &str = "ledger";

/// No dead run keeps a table longer.
const LOCKED_MAX: Duration = Duration::from_secs(2);

/// What one COPY buffer holds.
const BATCH_BYTES: usize = 256 * 1024;

/// All that the state schema holds between runs.
const STATE: &str = "locks,quarantine,runs,schema_version,source_columns";

/// How the rows come into the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Straight,
    Create,
    Merge,
    Replace,
    Truncate,
    Swap,
    /// The one partition that has all rows.
    SwapPartition,
}

impl Way {
    /// What stands in the configuration.
    fn refresh(self) -> &'static str {
        match self {
            Way::Straight | Way::Create => "auto",
            Way::Merge => "merge",
            Way::Replace => "replace",
            Way::Truncate => "truncate",
            Way::Swap | Way::SwapPartition => "swap",
        }
    }
}

/// Where and when a run dies.
#[derive(Clone, Copy)]
pub(super) struct Death {
    pub(super) point: &'static str,
    /// At which hit of the point.
    pub(super) hit: usize,
    /// So long after it.
    pub(super) after: Option<Duration>,
}

impl Death {
    /// At the first hit, at once.
    pub(super) fn at(point: &'static str) -> Self {
        Self { point, hit: 1, after: None }
    }

    fn failpoints(self) -> String {
        let skipped = match self.hit {
            1 => String::new(),
            hit => format!("{}*off->", hit - 1),
        };
        let after = self.after.map_or(String::new(), |after| format!("({})", after.as_micros()));
        format!("{}={skipped}return{after}", self.point)
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.failpoints())
    }
}

/// A site with the one table, and the rows that come next.
pub(super) struct Ledger {
    pub(super) site: Site,
    way: Way,
    rng: Rng,
    /// Each row's key and what its other values are made of.
    rows: Vec<(i64, u64)>,
    /// All that stands in the target's schema between runs.
    relations: String,
}

/// What stands in the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing(Option<Vec<Vec<Option<String>>>>);

impl Ledger {
    /// A site that has been synced once.
    pub(super) async fn open(way: Way, seed: u64) -> Self {
        let columns = [("Id", "int"), ("Name", "nvarchar(40)"), ("Amount", "decimal(19,4)"), ("Note", "nvarchar(max)")];
        let table = Planted::new(SOURCE, &columns, 1);
        let options = json!({"create_tables": true, "refresh": way.refresh(), "on_drift": "add_columns"});
        let site = Site::planted(vec![table], options).await;
        if way == Way::SwapPartition {
            let parted = "CREATE TABLE ledger (id int PRIMARY KEY, name varchar(40), amount numeric(19,4), note text) PARTITION BY RANGE (id); \
                CREATE TABLE ledger_all PARTITION OF ledger DEFAULT; ALTER TABLE ledger OWNER TO sync; ALTER TABLE ledger_all OWNER TO sync";
            site.db.execute(parted).await;
        }
        let mut ledger = Self { site, way, rng: Rng::with_seed(seed), rows: Vec::new(), relations: String::new() };
        ledger.change();
        ledger.site.sync().await;
        ledger.relations = ledger.relations().await;
        ledger
    }

    /// Other rows at the source: some are new, some changed, some gone, some as they were.
    pub(super) fn change(&mut self) {
        let old = std::mem::take(&mut self.rows);
        for (at, (key, of)) in old.into_iter().enumerate() {
            // The first three make sure of one of each.
            let (gone, changed) = match at {
                0..3 => (at == 0, at == 1),
                _ => (self.rng.f32() < 0.1, self.rng.f32() < 0.2),
            };
            if !gone {
                self.rows.push((key, if changed { of + 1 } else { of }));
            }
        }
        let last = self.rows.last().map_or(0, |(key, _)| *key);
        let room = self.rng.usize(100..150);
        let new = room.saturating_sub(self.rows.len()).max(1);
        self.rows.extend((last + 1..).zip(std::iter::repeat_with(|| self.rng.u64(0..1 << 40))).take(new));
        self.site.source.replace_rows(SOURCE, self.rows.iter().map(|row| values(*row)).collect());
    }

    /// Puts the target into the state that this way of publishing begins with.
    pub(super) async fn prepare(&self) {
        match self.way {
            Way::Straight => self.site.db.execute("TRUNCATE ledger").await,
            Way::Create => self.site.db.execute("DROP TABLE ledger").await,
            Way::Merge | Way::Replace | Way::Truncate | Way::Swap | Way::SwapPartition => {}
        }
    }

    /// A death at `point`: at any of its hits, and with `late` up to some milliseconds after it.
    pub(super) fn death(&mut self, point: &'static str, late: bool) -> Death {
        let bytes: usize = self.rows.iter().map(|row| note_chars(row.1)).sum();
        let hit = if point == "batch_sent" { self.rng.usize(1..=bytes / BATCH_BYTES) } else { 1 };
        Death { point, hit, after: late.then(|| Duration::from_micros(self.rng.u64(0..30_000))) }
    }

    pub(super) async fn standing(&self) -> Standing {
        if self.site.db.value("SELECT to_regclass('ledger') IS NULL").await == "t" {
            return Standing(None);
        }
        let mut rows = self.site.db.rows("SELECT id, name, amount, note FROM ledger").await;
        rows.sort();
        Standing(Some(rows))
    }

    pub(super) fn wanted(&self) -> Standing {
        let mut rows = self.site.source.rows_of(SOURCE);
        rows.sort();
        Standing(Some(rows))
    }

    /// A run that dies; whoever meant it to die at once is told when it does not. The table is to be had right after it.
    pub(super) async fn run_to_death(&mut self, death: Death) -> Finished {
        self.site.set("FAILPOINTS", &death.failpoints());
        let finished = self.site.run(&["multi_sync", "--json"]).await;
        let died = Instant::now();
        self.site.unset("FAILPOINTS");
        let as_meant = finished.signal == Some(9) || (death.after.is_some() && finished.code == Some(0));
        assert!(as_meant, "{death}: {finished:?}");
        let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted \
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        while self.site.db.value(held).await != "0" {
            assert!(died.elapsed() < LOCKED_MAX, "{death}: the table is still locked");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        finished
    }

    /// The run after it needs no hand, has the right rows, and leaves nothing behind.
    pub(super) async fn run_after(&self, cell: &str) -> Body {
        let body = self.site.json(&["multi_sync"]).await;
        assert_eq!(body.table(TABLE)["status"], "ok", "{cell}: {body}");
        assert!(self.standing().await == self.wanted(), "{cell}: the target has other rows than the source: {body}");
        let state = "SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class \
            WHERE relnamespace = 'tablesync'::regnamespace AND relkind IN ('r', 'p')";
        assert_eq!(self.site.db.value(state).await, STATE, "{cell}: {body}");
        assert_eq!(self.relations().await, self.relations, "{cell}: {body}");
        let open = "SELECT (SELECT count(*) FROM tablesync.runs WHERE outcome = 'started' OR finished_at IS NULL) \
            + (SELECT count(*) FROM tablesync.locks WHERE expires_at IS NOT NULL)";
        assert_eq!(self.site.db.value(open).await, "0", "{cell}: {body}");
        body
    }

    async fn relations(&self) -> String {
        self.site
            .db
            .value("SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
            .await
    }

    /// Runs that say of themselves that they have published.
    pub(super) async fn successes(&self) -> u64 {
        self.site.db.value("SELECT count(*) FROM tablesync.runs WHERE outcome = 'succeeded'").await.parse().unwrap()
    }
}

/// A row's values; its text is what makes a table of several COPY buffers.
fn values((key, of): (i64, u64)) -> Vec<Value> {
    let note: String = format!("{of:x}.").chars().cycle().take(note_chars(of)).collect();
    vec![Value::Int(key), Value::text(&format!("row {of}")), Value::Decimal(i128::from(of) * 7 - 40_000, 4), Value::text(&note)]
}

fn note_chars(of: u64) -> usize {
    usize::try_from(of % 6_000 + 2_000).unwrap()
}
