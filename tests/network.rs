//! The network between the product and both servers, going wrong at many bytes of a run: it ends in time, with a named error and the target as it
//! was, or with all rows. A short stream is never taken for the end.

use std::time::{Duration, Instant};

use crate::support::proxy::{Direction, Place, Proxy, Trouble};
use crate::support::site::Site;
use crate::support::source::Source;

const ROWS: u64 = 2_000;
/// Nothing takes longer: a silence of one second, the clean-up after it, and a machine that has other things to do.
const TIME_MAX: Duration = Duration::from_secs(20);
/// Where trouble strikes, as ten-thousandths of what passes each way in a sound run: of the answers first (login, catalogue, rows, the end), then of what is asked
/// (login, catalogue, rows, publish).
const SHARES: [(Direction, [u64; 5]); 2] =
    [(Direction::ToClient, [200, 2_000, 5_000, 8_000, 9_300]), (Direction::ToServer, [5, 100, 5_000, 9_800, 9_950])];

/// What a publish says last but COMMIT.
const LAST: &str = ".source_columns (";
/// The publish's COMMIT, and the answer to it.
const COMMIT: [Place; 2] = [Place::After(LAST, Direction::ToServer, "COMMIT"), Place::After(LAST, Direction::ToClient, "COMMIT")];

/// Which connection goes wrong.
#[derive(Debug, Clone, Copy)]
enum Link {
    Source,
    Target,
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

/// One link, one trouble, at every share of a run's bytes.
async fn matrix(link: Link, trouble: Trouble) {
    let mut site = Site::over(Source::sample(ROWS).await).await;
    let (server, variable) = match link {
        Link::Source => (site.source.port(), "SQL_SERVER_MCTM_PORT"),
        Link::Target => (site.db.cluster.port, "PG_PORT"),
    };
    let proxy = Proxy::before(server).await;
    // Plain text: what passes is the same number of bytes in every run.
    site.keep(&["customer"]).set(variable, &proxy.port.to_string()).set("PG_SSLMODE", "disable").set("SOURCE_IDLE_TIMEOUT", "1s");
    site.set("TARGET_IDLE_TIMEOUT", "1500ms");
    site.sync().await;
    site.source.change("customer", 20.0);
    proxy.plan(None);
    site.sync().await;
    let passed = SHARES.map(|(direction, _)| proxy.passed(direction));
    let mut places = Vec::new();
    for ((direction, shares), passed) in SHARES.into_iter().zip(passed) {
        places.extend(shares.map(|share| Place::Byte(direction, passed * share / 10_000)));
    }
    if matches!(link, Link::Target) {
        places.extend(COMMIT);
    }
    for place in places {
        site.source.change("customer", 20.0);
        strike(&site, &proxy, (trouble, place)).await;
    }
    proxy.plan(None);
    site.db.settled().await;
    site.sync().await;
    assert_all_rows(&site, "the run after").await;
}

/// One run over a network that goes wrong.
async fn strike(site: &Site, proxy: &Proxy, trouble: (Trouble, Place)) {
    let cell = &format!("{trouble:?}");
    site.db.settled().await;
    proxy.plan(Some(trouble));
    let before = site.db.checksum("mctm_customer").await;
    let begun = Instant::now();
    let body = site.json(&["multi_sync"]).await;
    let took = begun.elapsed();
    assert!(took < TIME_MAX, "{cell}: {took:?}: {body}");
    assert!(proxy.has_struck(), "{cell}: nothing went wrong: {body}");
    let committed = matches!(trouble.1, Place::After(_, Direction::ToClient, _));
    assert!(!committed || body.code == Some(0), "{cell}: what was committed is looked up: {body}");
    proxy.plan(None);
    if body.code == Some(0) {
        assert_all_rows(site, cell).await;
    } else {
        let error = body.error_of("customer");
        assert!(error.contains("SQL Server 127.0.0.1") || error.contains("PostgreSQL"), "{cell}: {body}");
        assert_eq!(site.db.checksum("mctm_customer").await, before, "{cell}: {body}");
    }
}

async fn assert_all_rows(site: &Site, cell: &str) {
    let columns: Vec<_> = site.config["tables"]["customer"]["pg_columns"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
    let mut arrived = site.db.rows(&format!("SELECT {} FROM mctm_customer", columns.join(", "))).await;
    let mut expected = site.source.rows_of("customer");
    arrived.sort();
    expected.sort();
    assert!(arrived == expected, "{cell}: the target has other rows than the source");
}
