//! Histories of writers that overlap, and readers that follow them by rowversion and by Change Tracking: what the documentation promises them holds.

use std::collections::BTreeMap;

use tds_stand_in::{StandIn, TableDef, TableHandle, TlsMode, Transaction, Value};
use tiberius::EncryptionLevel;

use crate::tiberius::{Connection, connect, rows};

const WRITERS: usize = 8;
const KEYS: u64 = 40;

/// Numbers that look random and are the same for the same seed (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

type Copy = BTreeMap<String, String>;

/// A reader's copy, and how far it has come: both rowversion and Change Tracking version.
struct Reader {
    client: Connection,
    copy: Copy,
    from: i64,
}

impl Reader {
    async fn read(&mut self, sql: &str) -> Vec<Vec<Option<String>>> {
        rows(&mut self.client, sql, &[]).await.map_err(|error| format!("{sql}: {error}")).unwrap()
    }

    async fn number(&mut self, sql: &str) -> i64 {
        self.read(sql).await[0][0].as_deref().unwrap().parse().unwrap()
    }

    /// Takes what has a rowversion below the bound that was asked for before; deletes are not seen so.
    async fn follow_rowversions(&mut self, bound: &str) {
        let to = self.number(&format!("SELECT CAST({bound} AS bigint)")).await;
        let window = format!(
            "SELECT id, name FROM dbo.T WHERE rv >= CAST(CAST({} AS bigint) AS binary(8)) AND rv < CAST(CAST({to} AS bigint) AS binary(8))",
            self.from
        );
        for row in self.read(&window).await {
            self.copy.insert(row[0].clone().unwrap(), row[1].clone().unwrap_or_default());
        }
        self.from = to;
    }

    /// Takes the net changes up to a version that was asked for before; what comes after it is met again by the next run.
    async fn follow_changes(&mut self) {
        let to = self.number("SELECT CHANGE_TRACKING_CURRENT_VERSION()").await;
        let changes = format!(
            "SELECT c.id, c.SYS_CHANGE_OPERATION, t.id, t.name FROM CHANGETABLE(CHANGES dbo.T, {}) AS c LEFT JOIN dbo.T AS t ON t.id = c.id",
            self.from
        );
        for row in self.read(&changes).await {
            let key = row[0].clone().unwrap();
            assert_eq!(row[1].as_deref() == Some("D"), row[2].is_none(), "what is deleted is gone, and nothing else is: {row:?}");
            match &row[2] {
                Some(_) => self.copy.insert(key, row[3].clone().unwrap_or_default()),
                None => self.copy.remove(&key),
            };
        }
        self.from = to;
    }
}

async fn serve(from: i64) -> (StandIn, TableHandle, Reader) {
    let table = TableDef::new("McTM", "dbo", "T").required("id", "int").column("name", "nvarchar(20)").required("rv", "rowversion");
    let builder = StandIn::builder().tls(TlsMode::Off).login("sync", "secret").table(table.key(&["id"]));
    let server = builder.start().await.unwrap();
    server.enable_change_tracking("McTM").unwrap();
    let table = server.table("McTM", "dbo", "T").unwrap();
    table.track_changes().unwrap();
    let client = connect(&server, EncryptionLevel::NotSupported, 4096).await.unwrap();
    (server, table, Reader { client, copy: Copy::new(), from })
}

/// One step of one writer: it begins, writes or ends. What meets another's row, or a key that is there, is left undone.
fn step(dice: &mut Dice, server: &StandIn, table: &TableHandle, writer: &mut Option<Transaction>, deletes: bool) {
    let Some(open) = writer else {
        *writer = server.begin("McTM");
        return;
    };
    let key = Value::Int(dice.roll(KEYS) as i64);
    let name = Value::text(&format!("n{}", dice.roll(1000)));
    let is = |row: &[Value]| row[0] == key;
    match dice.roll(8) {
        0..=2 => drop(open.insert(table, vec![key.clone(), name, Value::Null])),
        3..=4 => drop(open.update(table, &[("name", name)], is)),
        5 if deletes => drop(open.delete(table, is)),
        6 => drop(writer.take().map(Transaction::rollback)),
        _ => writer.take().into_iter().for_each(|open| open.commit().unwrap()),
    }
}

fn state(table: &TableHandle) -> Copy {
    let text = |value: &Value| match value {
        Value::Wide(units) => String::from_utf16_lossy(units),
        Value::Int(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    table.rows().unwrap().iter().map(|row| (text(&row[0]), text(&row[1]))).collect()
}

/// Whether a reader by rowversion, bounded in this way, ends with what is there.
async fn rowversions_suffice(seed: u64, bound: &str) -> bool {
    let (server, table, mut reader) = serve(0).await;
    let mut dice = Dice(seed);
    let mut writers: Vec<Option<Transaction>> = (0..WRITERS).map(|_| None).collect();
    for _ in 0..300 {
        let at = dice.roll(WRITERS as u64) as usize;
        step(&mut dice, &server, &table, &mut writers[at], false);
        if dice.roll(10) == 0 {
            reader.follow_rowversions(bound).await;
        }
    }
    writers.into_iter().flatten().for_each(|open| open.commit().unwrap());
    reader.follow_rowversions(bound).await;
    assert!(!state(&table).is_empty(), "no writer wrote anything");
    reader.copy == state(&table)
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_below_the_lowest_active_rowversion_miss_nothing() {
    for seed in 1..=10 {
        assert!(rowversions_suffice(seed, "MIN_ACTIVE_ROWVERSION()").await, "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_up_to_the_last_rowversion_miss_what_commits_late() {
    let mut missed = 0;
    for seed in 1..=10 {
        missed += usize::from(!rowversions_suffice(seed, "CAST(@@DBTS AS bigint) + 1").await);
    }
    assert!(missed > 5, "{missed} of 10");
}

#[tokio::test(flavor = "multi_thread")]
async fn net_changes_lead_from_any_state_to_the_present_one() {
    for seed in 1..=10 {
        let (server, table, mut reader) = serve(0).await;
        let mut dice = Dice(seed);
        let mut writers: Vec<Option<Transaction>> = (0..WRITERS).map(|_| None).collect();
        for _ in 0..300 {
            let at = dice.roll(WRITERS as u64) as usize;
            step(&mut dice, &server, &table, &mut writers[at], true);
            if dice.roll(10) == 0 {
                reader.follow_changes().await;
                assert_eq!(reader.copy, state(&table), "seed {seed}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_on_threads_of_their_own_lose_nothing_to_a_reader_beside_them() {
    let (server, table, mut by_rowversion) = serve(0).await;
    let client = connect(&server, EncryptionLevel::NotSupported, 4096).await.unwrap();
    let mut by_changes = Reader { client, copy: Copy::new(), from: 0 };
    let server = std::sync::Arc::new(server);
    let threads: Vec<_> = (1..=WRITERS as u64)
        .map(|seed| {
            let (server, table) = (std::sync::Arc::clone(&server), table.clone());
            std::thread::spawn(move || {
                let (mut dice, mut writer) = (Dice(seed), None);
                for _ in 0..400 {
                    step(&mut dice, &server, &table, &mut writer, false);
                }
            })
        })
        .collect();
    while threads.iter().any(|thread| !thread.is_finished()) {
        by_rowversion.follow_rowversions("MIN_ACTIVE_ROWVERSION()").await;
        by_changes.follow_changes().await;
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    by_rowversion.follow_rowversions("MIN_ACTIVE_ROWVERSION()").await;
    by_changes.follow_changes().await;
    assert_eq!(by_rowversion.copy, state(&table));
    assert_eq!(by_changes.copy, state(&table));
}
