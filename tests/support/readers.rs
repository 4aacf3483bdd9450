//! Readers of a target, as applications are, while the product publishes one generation of its rows after the other.
//!
//! Every row of a generation bears its number. A read that finds no row, or not all, or two numbers, has seen a table that never was.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_postgres::{Client, Row};

use super::postgres::Database;
use super::source::{Planted, Value};

/// Between two reads.
const PAUSE: Duration = Duration::from_millis(5);
/// How long a long-running reader holds its transaction.
const LONG: Duration = Duration::from_secs(3);

/// A source table of `rows` rows of generation 0.
pub(crate) fn generations(name: &str, rows: i64) -> Planted {
    let row = |id| vec![Value::Int(id), Value::Int(0), Value::text("メモ")];
    Planted::new(name, &[("Id", "int"), ("Generation", "int"), ("Note", "nvarchar(200)")], 1).rows((0..rows).map(row).collect())
}

/// What a reader does, again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// One statement at a time in READ COMMITTED.
    Autocommit,
    /// One row by its key in READ COMMITTED.
    ByKey,
    /// Transactions of several statements in REPEATABLE READ, all of which must see the same.
    Repeatable,
    /// Transactions in REPEATABLE READ that stand open for seconds, with a cursor half-way through.
    Long,
}

/// What a reader has seen.
#[derive(Debug)]
pub(crate) struct Seen {
    /// What it did.
    pub(crate) habit: Habit,
    relation: &'static str,
    /// Reads.
    pub(crate) looks: u32,
    /// How often the generation was another one than before.
    pub(crate) generations: u32,
    /// The longest that one statement took.
    pub(crate) longest: Duration,
}

/// Readers at work.
pub(crate) struct Readers {
    readers: Vec<JoinHandle<Seen>>,
    done: Arc<AtomicBool>,
}

impl Readers {
    /// One reader for each habit and relation; every read must find so many rows.
    pub(crate) async fn start(db: &Database, rows: i64, habits: &[(Habit, &'static str)]) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let mut readers = Vec::new();
        for (habit, relation) in habits.iter().copied() {
            let seen = Seen { habit, relation, looks: 0, generations: 0, longest: Duration::ZERO };
            let mut reader = Reader { client: db.connect().await, rows, last: 0, seen };
            let done = Arc::clone(&done);
            readers.push(tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    reader.act(&done).await;
                    tokio::time::sleep(PAUSE).await;
                }
                reader.seen
            }));
        }
        Self { readers, done }
    }

    /// Ends them; prints and gives what each has seen.
    #[expect(clippy::print_stdout, reason = "what was measured is shown with --nocapture")]
    pub(crate) async fn finish(self, of: &str) -> Vec<Seen> {
        self.done.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for reader in self.readers {
            let seen = reader.await.unwrap();
            println!(
                "{of}: {:?} on {}: {} reads, {} generations, longest wait {:?}",
                seen.habit, seen.relation, seen.looks, seen.generations, seen.longest
            );
            all.push(seen);
        }
        all
    }
}

struct Reader {
    client: Client,
    rows: i64,
    last: i32,
    seen: Seen,
}

impl Reader {
    async fn act(&mut self, done: &AtomicBool) {
        match self.seen.habit {
            Habit::Autocommit => {
                let read = self.whole_table().await;
                self.note(read);
            }
            Habit::ByKey => {
                let id = i64::from(self.seen.looks) % self.rows;
                let sql = format!("SELECT 1::bigint, generation, generation FROM {} WHERE id = {id}", self.seen.relation);
                let [row] = self.ask(&sql).await.try_into().expect("the row is never away, and there is one");
                self.note(row.get(1));
            }
            Habit::Repeatable => {
                self.command("BEGIN ISOLATION LEVEL REPEATABLE READ").await;
                // The snapshot is taken here; what is published before the table is looked at is younger.
                self.command("SELECT 1").await;
                tokio::time::sleep(Duration::from_millis(10)).await;
                let read = self.whole_table().await;
                for _ in 0..3 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    assert_eq!(self.whole_table().await, read, "one snapshot");
                }
                self.command("COMMIT").await;
                self.note(read);
            }
            Habit::Long => self.long(done).await,
        }
    }

    async fn long(&mut self, done: &AtomicBool) {
        let cursor = format!("DECLARE half CURSOR FOR SELECT generation FROM {}", self.seen.relation);
        self.command("BEGIN ISOLATION LEVEL REPEATABLE READ").await;
        self.command(&cursor).await;
        let mut rows = self.ask("FETCH 100 FROM half").await;
        let begun = Instant::now();
        while begun.elapsed() < LONG && !done.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        rows.extend(self.ask("FETCH ALL FROM half").await);
        let read = self.whole_table().await;
        self.command("COMMIT").await;
        assert_eq!(i64::try_from(rows.len()).unwrap(), self.rows, "a cursor goes on where it was");
        assert!(rows.iter().all(|row| row.get::<_, i32>(0) == read), "never a mixture of two generations");
        self.note(read);
    }

    /// The table's one generation.
    async fn whole_table(&mut self) -> i32 {
        let sql = format!("SELECT count(*), min(generation), max(generation) FROM {}", self.seen.relation);
        let rows = self.ask(&sql).await;
        let (count, low, high): (i64, Option<i32>, Option<i32>) = (rows[0].get(0), rows[0].get(1), rows[0].get(2));
        assert_eq!(count, self.rows, "{:?} on {}: never empty, never partial", self.seen.habit, self.seen.relation);
        assert_eq!(low, high, "{:?} on {}: never a mixture of two generations", self.seen.habit, self.seen.relation);
        low.unwrap()
    }

    fn note(&mut self, generation: i32) {
        assert!(generation >= self.last, "what was published once stays published");
        self.seen.looks += 1;
        self.seen.generations += u32::from(generation != self.last);
        self.last = generation;
    }

    async fn ask(&mut self, sql: &str) -> Vec<Row> {
        let asked = Instant::now();
        let rows = self.client.query(sql, &[]).await;
        self.seen.longest = self.seen.longest.max(asked.elapsed());
        rows.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    }

    async fn command(&mut self, sql: &str) {
        let asked = Instant::now();
        let done = self.client.batch_execute(sql).await;
        self.seen.longest = self.seen.longest.max(asked.elapsed());
        done.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
}
