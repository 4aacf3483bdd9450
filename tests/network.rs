//! The network between the product and both servers, going wrong at many bytes of a run: it ends in time, with a named error and the target as it
//! was, or with all rows. A short stream is never taken for the end.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::json;

use crate::support::body::Body;
use crate::support::proxy::{Direction, Place, Proxy, Trouble};
use crate::support::site::Site;
use crate::support::source::{Planted, Value};

/// About 240 KB on either link, several packets of each.
const ROWS: i64 = 300;
/// A dead peer ends within this.
const DEAD: Duration = Duration::from_secs(30);
/// Nothing else takes longer: a silence of one second, the clean-up after it, and a machine that has other things to do.
const TIME_MAX: Duration = Duration::from_secs(25);
/// How many places of a matrix may lie behind the last byte: the renewals of a lock pass only in runs of more than 3 s, and add to what is measured.
const MISSED_MAX: usize = 2;
/// Where trouble strikes, as ten-thousandths of what passes each way in a sound run: of the answers (login, catalogue, rows, the end), and of what is asked
/// (login, catalogue, rows, publish).
const SHARES: [(Direction, [u64; 10]); 2] = [
    (Direction::ToClient, [5, 50, 200, 1_000, 2_000, 5_000, 7_000, 8_500, 9_300, 9_900]),
    (Direction::ToServer, [5, 50, 100, 1_000, 3_000, 5_000, 8_000, 9_700, 9_850, 9_950]),
];

/// What a publish says last but COMMIT.
const LAST: &str = ".source_columns (";
/// The publish's COMMIT, and the answer to it.
const COMMIT: [Place; 2] = [Place::After(LAST, Direction::ToServer, "COMMIT"), Place::After(LAST, Direction::ToClient, "COMMIT")];

/// Which connection goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Source,
    Target,
}

impl Link {
    /// Ten bytes of what passes in a sound run, and the publish's COMMIT. Two troubles share the places between them.
    fn places(self, trouble: Trouble, passed: [u64; 2]) -> Vec<Place> {
        let (first, step) = match trouble {
            Trouble::Cut | Trouble::Stall => (0, 2),
            Trouble::Reset | Trouble::Drop => (1, 2),
            // Nothing is to come of these.
            Trouble::Slice | Trouble::Trickle | Trouble::Delay => (1, 4),
        };
        let at_bytes = SHARES.into_iter().zip(passed);
        let mut places: Vec<_> = at_bytes
            .flat_map(|((direction, shares), passed)| {
                shares.into_iter().skip(first).step_by(step).map(move |share| Place::Byte(direction, passed * share / 10_000))
            })
            .collect();
        if self == Link::Target {
            places.extend(COMMIT);
        }
        places
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_hangs_up_is_never_taken_for_the_end() {
    matrix(Link::Source, Trouble::Cut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_whose_connection_breaks_is_never_taken_for_the_end() {
    matrix(Link::Source, Trouble::Reset).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_falls_silent_is_given_up() {
    matrix(Link::Source, Trouble::Stall).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_comes_in_pieces_or_late_is_read_to_the_end() {
    matrix(Link::Source, Trouble::Slice).await;
    matrix(Link::Source, Trouble::Delay).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_hangs_up_has_the_old_rows_or_the_new() {
    matrix(Link::Target, Trouble::Cut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_whose_connection_breaks_has_the_old_rows_or_the_new() {
    matrix(Link::Target, Trouble::Reset).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_falls_silent_is_given_up_and_has_the_old_rows_or_the_new() {
    matrix(Link::Target, Trouble::Stall).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_answers_in_pieces_or_late_is_written_to_the_end() {
    matrix(Link::Target, Trouble::Slice).await;
    matrix(Link::Target, Trouble::Delay).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_packets_are_lost_is_given_up_within_thirty_seconds() {
    tokio::join!(matrix(Link::Source, Trouble::Drop), matrix(Link::Target, Trouble::Drop));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_ends_after_a_whole_packet_is_not_taken_for_the_end() {
    const PACKETS_MAX: usize = 40;
    let grid = Grid::of(Link::Source, PACKETS_MAX).await;
    let proxy = grid.proxy().await;
    grid.change(0);
    grid.run(0, &proxy, &[]).await;
    let answers = proxy.answers();
    // A packet's length stands at its third byte.
    let next = |at: &usize| Some(at + usize::from(u16::from_be_bytes([*answers.get(at + 2)?, *answers.get(at + 3)?])));
    let packets: Vec<_> = std::iter::successors(Some(0), next).take_while(|at| *at < answers.len()).collect();
    assert!((15..=PACKETS_MAX).contains(&packets.len()), "{packets:?}");
    let striking = packets.into_iter().zip(1..).map(|(at, table)| {
        let place = Place::Byte(Direction::ToClient, at.try_into().unwrap());
        grid.strike(table, (Trouble::Cut, place))
    });
    assert!(stream::iter(striking).buffer_unordered(4).all(std::future::ready).await);
}

/// One link, one trouble, at every share of a run's bytes: each in a table of its own, side by side.
async fn matrix(link: Link, trouble: Trouble) {
    let cells = link.places(trouble, [0; 2]).len();
    let grid = Grid::of(link, cells).await;
    let places = link.places(trouble, grid.measure().await);
    // Who waits for the kernel's own limits needs no processor meanwhile.
    let at_once = if trouble == Trouble::Drop { cells } else { 8 };
    let striking = places.into_iter().zip(1..).map(|(place, table)| grid.strike(table, (trouble, place)));
    let missed = stream::iter(striking).buffer_unordered(at_once).filter(|struck| std::future::ready(!struck)).count().await;
    assert!(missed <= MISSED_MAX, "{missed} of {cells} places were never reached");
    grid.site.db.settled().await;
    grid.site.sync().await;
    for table in 0..=cells {
        grid.assert_all_rows(table, "the run after").await;
    }
}

/// An installation with many tables of the same rows, all of them in the target.
struct Grid {
    site: Site,
    link: Link,
}

impl Grid {
    async fn of(link: Link, cells: usize) -> Self {
        let columns = [("Id", "int"), ("Number", "int"), ("Note", "nvarchar(400)")];
        let note = |id: i64| Value::text(&format!("{id:08}").repeat(50));
        let rows: Vec<_> = (0..ROWS).map(|id| vec![Value::Int(id), Value::Int(0), note(id)]).collect();
        let planted = (0..=cells).map(|table| Planted::new(&name(table), &columns, 1).rows(rows.clone())).collect();
        let mut site = Site::planted(planted, json!({})).await;
        // Plain text: what passes is the same number of bytes in every run.
        site.set("PG_SSLMODE", "disable").set("MAX_PARALLEL_TABLES", "4");
        site.sync().await;
        Self { site, link }
    }

    /// How many bytes pass each way in a sound run.
    async fn measure(&self) -> [u64; 2] {
        let proxy = self.proxy().await;
        self.change(0);
        let body = self.run(0, &proxy, &[]).await;
        assert_eq!(body.code, Some(0), "{body}");
        SHARES.map(|(direction, _)| proxy.passed(direction))
    }

    /// One run over a network that goes wrong; whether it did.
    async fn strike(&self, table: usize, trouble: (Trouble, Place)) -> bool {
        let cell = &format!("{:?}: {trouble:?}", self.link);
        self.change(table);
        let before = self.checksum(table).await;
        let proxy = self.proxy().await;
        proxy.plan(Some(trouble));
        // Only silence may be ended by the product's own limits.
        let limit = if trouble.0 == Trouble::Stall { "3s" } else { "1h" };
        let limits = [("SOURCE_IDLE_TIMEOUT", limit), ("TARGET_IDLE_TIMEOUT", limit), ("MAX_RETRIES", "0")];
        let body = self.run(table, &proxy, &limits).await;
        let Some(struck) = proxy.struck() else {
            assert_eq!(body.code, Some(0), "{cell}: {body}");
            self.assert_all_rows(table, cell).await;
            return false;
        };
        let took = struck.elapsed();
        assert!(took < if trouble.0 == Trouble::Drop { DEAD } else { TIME_MAX }, "{cell}: {took:?}: {body}");
        let answered = matches!(trouble.1, Place::After(_, Direction::ToClient, _));
        if body.code == Some(0) {
            self.assert_all_rows(table, cell).await;
            return true;
        }
        assert_named(&body, &name(table), cell);
        if body["warnings"].to_string().contains("whether its publish was committed is not known") {
            assert_eq!(trouble.0, Trouble::Drop, "{cell}: what was committed is looked up where somebody can be asked: {body}");
            // Asked to commit, and nobody can be asked whether it has.
            if answered || self.checksum(table).await != before {
                self.assert_all_rows(table, cell).await;
            }
        } else {
            assert!(!answered, "{cell}: a COMMIT may have come through: {body}");
            assert_eq!(self.checksum(table).await, before, "{cell}: {body}");
        }
        true
    }

    async fn run(&self, table: usize, proxy: &Proxy, more: &[(&str, &str)]) -> Body {
        let variable = match self.link {
            Link::Source => "SQL_SERVER_MCTM_PORT",
            Link::Target => "PG_PORT",
        };
        let port = proxy.port.to_string();
        let tables = format!("--tables={}", name(table));
        let variables = [&[(variable, port.as_str())], more].concat();
        Body::of(self.site.start_beside(&["multi_sync", &tables, "--json"], &variables).finish().await)
    }

    async fn proxy(&self) -> Proxy {
        Proxy::before(match self.link {
            Link::Source => self.site.source.port(),
            Link::Target => self.site.db.cluster.port,
        })
        .await
    }

    /// Other values in every fifth row.
    fn change(&self, table: usize) {
        let fifth = |row: &[Value]| matches!(row[0], Value::Int(id) if id % 5 == 0);
        assert_ne!(self.site.source.table(&name(table)).update("Number", Value::Int(1), fifth).unwrap(), 0);
    }

    async fn checksum(&self, table: usize) -> String {
        self.site.db.checksum(&name(table)).await
    }

    async fn assert_all_rows(&self, table: usize, cell: &str) {
        let mut arrived = self.site.db.rows(&format!("SELECT id, number, note FROM {}", name(table))).await;
        let mut expected = self.site.source.rows_of(&name(table));
        arrived.sort();
        expected.sort();
        assert!(arrived == expected, "{cell}: the target has other rows than the source");
    }
}

/// A table's name, in the configuration and in both databases.
fn name(table: usize) -> String {
    format!("t{table:02}")
}

/// An error that says which server, and what to do.
fn assert_named(body: &Body, table: &str, cell: &str) {
    let error = body.error_of(table);
    assert!(error.contains("SQL Server 127.0.0.1:") || error.contains("PostgreSQL"), "{cell}: {body}");
    let remedies = ["Look into ", "See that ", "Check ", "SOURCE_IDLE_TIMEOUT", "TARGET_IDLE_TIMEOUT"];
    assert!(remedies.iter().any(|remedy| error.contains(remedy)), "{cell}: no remedy: {body}");
}
