//! Writers and runs by a seed: nothing is missed within the declared window, and the end is the source, less the declared blind spots.
//!
//! Each history is a table of its own: eight writers with clocks of their own write rows in transactions that commit late, some later than the lag; runs are
//! made meanwhile, and some of them are killed. `MODEL_SEEDS` says how many histories there are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fastrand::Rng;
use serde_json::json;
use tds_stand_in::Transaction;

use super::{DAY, NOON, SECOND};
use crate::support::site::Site;
use crate::support::source::{Planted, Value};

const WRITERS: usize = 8;
/// As configured.
const LAG: u64 = 60;
const ROUNDS: usize = 12;
/// Histories that share a source and a target, and each run.
const TABLES: usize = 20;

/// Where a run may die.
const POINTS: [&str; 8] =
    ["planned", "copy_done", "source_unchanged", "publish_begun", "rows_inserted", "success_recorded", "committed", "staging_removed"];

#[tokio::test(flavor = "multi_thread")]
async fn no_row_is_missed_within_the_window_whatever_writers_and_runs_do() {
    let seeds: usize = std::env::var("MODEL_SEEDS").map_or(200, |seeds| seeds.parse().expect("MODEL_SEEDS is a number"));
    for first in (0..seeds).step_by(TABLES) {
        let mut histories: Vec<History> = (first..seeds.min(first + TABLES)).map(History::new).collect();
        let mut site = site_of(&histories).await;
        let mut rng = Rng::with_seed(first as u64);
        for round in 0..ROUNDS {
            histories.iter_mut().for_each(|history| history.write(&site));
            site.source.clock().advance(Duration::from_millis(rng.u64(1_000..25_000)));
            if round % 4 == 3 {
                if rng.bool() {
                    site.set("FAILPOINTS", &format!("{}={}*off->return", rng.choice(POINTS).unwrap(), rng.usize(0..12)));
                }
                let running = site.start(&["incremental_sync", "--json"]);
                // Writers do not wait for a run.
                for history in &mut histories {
                    history.write(&site);
                }
                site.source.clock().advance(Duration::from_millis(rng.u64(0..3_000)));
                let finished = running.finish().await;
                assert!(finished.code == Some(0) || finished.signal == Some(9), "{finished:?}");
                site.unset("FAILPOINTS");
            }
        }
        histories.iter_mut().for_each(|history| history.end(&site));
        site.source.clock().advance(Duration::from_secs(LAG + 30));
        super::incremental(&site, &[]).await;
        for history in &histories {
            history.check(&site).await;
        }
    }
}

/// What a history's table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Insert,
    Update,
    Keys,
    Rowversion,
    ChangeTracking,
}

/// A writer's transaction under way.
struct Open {
    transaction: Transaction,
    /// The rounds that it still takes.
    rounds: usize,
    /// The keys it has written, each with the moment of the row in ticks; none for a delete.
    rows: BTreeMap<i64, Option<u64>>,
}

struct History {
    seed: usize,
    kind: Kind,
    rng: Rng,
    /// How far each writer's clock is from the source's, in ticks.
    skews: Vec<i64>,
    open: Vec<Option<Open>>,
    next: usize,
    /// Keys whose last version was committed too late for its moment.
    blind: BTreeSet<i64>,
    /// Keys that were ever deleted.
    deleted: BTreeSet<i64>,
}

impl History {
    fn new(seed: usize) -> Self {
        let mut rng = Rng::with_seed(seed as u64);
        let kind = [Kind::Update, Kind::Insert, Kind::Rowversion, Kind::ChangeTracking, Kind::Keys][seed % 5];
        let skews = (0..WRITERS).map(|_| rng.i64(-40_000_000..40_000_000)).collect();
        let open = (0..WRITERS).map(|_| None).collect();
        Self { seed, kind, rng, skews, open, next: 0, blind: BTreeSet::new(), deleted: BTreeSet::new() }
    }

    fn name(&self) -> String {
        format!("History{}", self.seed)
    }

    fn planted(&self) -> Planted {
        let moment = ["datetime2(7)", "datetime2(3)", "datetime", "datetime2(0)"][self.seed / 5 % 4];
        let mut columns = vec![("Id", "int"), ("Changed", moment), ("Val", "int")];
        if self.kind == Kind::Rowversion {
            columns.push(("Ver", "rowversion"));
        }
        Planted::new(&self.name(), &columns, 1)
    }

    fn sync(&self) -> serde_json::Value {
        let lag = LAG.to_string();
        match self.kind {
            Kind::Insert => json!({"mode": "incremental", "column": "Changed", "lag": lag}),
            Kind::Update => json!({"mode": "incremental", "column": "Changed", "lag": lag, "on_conflict": "update"}),
            Kind::Keys => {
                json!({"mode": "incremental", "column": "Changed", "lag": lag, "on_conflict": "update", "deletes": "keys"})
            }
            Kind::Rowversion => json!({"mode": "incremental", "kind": "rowversion"}),
            Kind::ChangeTracking => json!({"mode": "incremental", "kind": "change_tracking"}),
        }
    }

    /// A round of all writers: transactions begin, write, go on, commit or are undone.
    fn write(&mut self, site: &Site) {
        for writer in 0..WRITERS {
            match self.open[writer].take() {
                None if self.rng.u8(0..3) > 0 => self.open[writer] = Some(self.begin(site, writer)),
                None => {}
                Some(mut open) if open.rounds > 0 => {
                    open.rounds -= 1;
                    self.open[writer] = Some(open);
                }
                Some(open) => self.commit(site, open),
            }
        }
    }

    fn begin(&mut self, site: &Site, writer: usize) -> Open {
        let table = site.source.table(&self.name());
        let mut open = Open { transaction: table.begin().unwrap(), rounds: self.rng.usize(0..5), rows: BTreeMap::new() };
        for _ in 0..self.rng.usize(1..6) {
            let moment = self.moment(site, writer);
            let (changed, val) = (Value::DateTime2(DAY, moment), Value::Int(self.rng.i64(0..1_000_000)));
            // Each writer has keys of its own, so that none waits for another.
            let own = (self.next > 0).then(|| key_of(self.rng.usize(0..self.next), writer));
            let is = |row: &[Value]| row[0] == Value::Int(own.unwrap_or(-1));
            let (touched, written) = match self.rng.u8(0..10) {
                0 => (open.transaction.delete(&table, is).unwrap(), None),
                1..=4 => (open.transaction.update(&table, &[("Changed", changed), ("Val", val)], is).unwrap(), Some(moment)),
                _ => {
                    let key = key_of(self.next, writer);
                    self.next += 1;
                    let mut row = vec![Value::Int(key), changed, val];
                    row.extend((self.kind == Kind::Rowversion).then_some(Value::Null));
                    open.transaction.insert(&table, row).unwrap();
                    open.rows.insert(key, Some(moment));
                    continue;
                }
            };
            if let (1, Some(own)) = (touched, own) {
                open.rows.insert(own, written);
            }
        }
        open
    }

    /// The moment that a writer's own clock shows; many writers round theirs, so that rows have the same.
    fn moment(&mut self, site: &Site, writer: usize) -> u64 {
        let Value::DateTime2(DAY, ticks) = site.source.clock().utc_shifted(self.skews[writer]) else { panic!("the day is over") };
        let unit = *self.rng.choice(&[1, SECOND, 10 * SECOND]).unwrap();
        ticks / unit * unit
    }

    fn commit(&mut self, site: &Site, open: Open) {
        if self.rng.u8(0..8) == 0 {
            return open.transaction.rollback();
        }
        let Value::DateTime2(DAY, now) = site.source.clock().utc() else { panic!("the day is over") };
        open.transaction.commit().unwrap();
        for (key, moment) in open.rows {
            // A second more, for types that round.
            let late = moment.is_some_and(|moment| now + SECOND > moment + LAG * SECOND);
            if late {
                self.blind.insert(key)
            } else {
                self.blind.remove(&key)
            };
            if moment.is_none() {
                self.deleted.insert(key);
            }
        }
    }

    fn end(&mut self, site: &Site) {
        for writer in 0..WRITERS {
            if let Some(open) = self.open[writer].take() {
                self.commit(site, open);
            }
        }
    }

    /// The target is the source, less the declared blind spots.
    async fn check(&self, site: &Site) {
        let of = format!("history {} ({:?})", self.seed, self.kind);
        let number = |value: &Value| if let Value::Int(number) = value { *number } else { panic!("{value:?}") };
        let source: BTreeMap<i64, i64> =
            site.source.table(&self.name()).rows().unwrap().iter().map(|row| (number(&row[0]), number(&row[2]))).collect();
        let rows = site.db.rows(&format!("SELECT id, val FROM {}", self.name())).await;
        let parsed = |text: &Option<String>| text.as_ref().unwrap().parse::<i64>().unwrap();
        let target: BTreeMap<i64, i64> = rows.iter().map(|row| (parsed(&row[0]), parsed(&row[1]))).collect();
        assert_eq!(rows.len(), target.len(), "{of}: no key stands twice");
        let by_server = matches!(self.kind, Kind::Rowversion | Kind::ChangeTracking);
        for (key, val) in source.iter().filter(|(key, _)| by_server || !self.blind.contains(key)) {
            let stands = target.get(key);
            let same = if self.kind == Kind::Insert { stands.is_some() } else { stands == Some(val) };
            assert!(same, "{of}: row {key} is {val} at the source, and {stands:?} in the target");
        }
        let sees_deletes = matches!(self.kind, Kind::Keys | Kind::ChangeTracking);
        for key in target.keys().filter(|key| !source.contains_key(key)) {
            assert!(!sees_deletes && self.deleted.contains(key), "{of}: row {key} is not at the source");
        }
        assert!(source.len() > 10, "{of}: {} rows are no history", source.len());
    }
}

/// A writer's own row of this number.
fn key_of(number: usize, writer: usize) -> i64 {
    i64::try_from(number * WRITERS + writer).unwrap()
}

async fn site_of(histories: &[History]) -> Site {
    let tables = histories.iter().map(History::planted).collect();
    let mut site = Site::planted(tables, json!({})).await;
    for history in histories {
        site.configure(&history.name().to_lowercase(), &format!("dbo.{}", history.name()), &json!({"sync": history.sync()}));
        if history.kind == Kind::ChangeTracking {
            site.source.track_changes(&history.name());
        }
    }
    site.set("MAX_PARALLEL_TABLES", "8").set("MAX_PARALLEL_PER_SOURCE", "8");
    site.source.clock().set(DAY, NOON);
    site
}
