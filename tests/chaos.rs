//! Runs that are killed: at every step, for every way of publishing. The target is the old table or the new one whole, the table is to be had at once, and
//! the next run needs no hand.
//!
//! `CHAOS_SEEDS` says how often each cell is run (`make chaos`): the seed chooses the rows, what changes, at which hit, and how long after it.

mod cell;
mod nested;
mod points;

use self::cell::{Death, Ledger, Way};

/// Until the rows go somewhere.
const BEFORE: [&str; 6] = ["configuration_read", "state_prepared", "lock_taken", "run_recorded", "source_described", "planned"];
/// A straight load.
const STRAIGHT: [&str; 4] = ["straight_begun", "batch_sent", "copy_done", "source_unchanged"];
/// Staging, up to the transaction of the publish.
const STAGED: [&str; 6] = ["staging_made", "batch_sent", "copy_done", "source_unchanged", "staged_checked", "publish_begun"];
/// A swap.
const SWAP: [&str; 8] =
    ["swap_begun", "batch_sent", "copy_done", "source_unchanged", "swap_built", "writers_kept_out", "readers_kept_out", "table_swapped"];
/// The end of every publish.
const COMMITTING: [&str; 2] = ["success_recorded", "committed"];

/// From here on the new rows are visible.
const COMMITTED: &str = "committed";

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_leaves_the_old_table_or_the_new_one_straight_into_an_empty_table() {
    matrix(Way::Straight, &[&STRAIGHT, &COMMITTING, &["lock_given_back"]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_leaves_the_old_table_or_the_new_one_straight_into_a_new_table() {
    matrix(Way::Create, &[&STRAIGHT, &["key_added"], &COMMITTING, &["lock_given_back"]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_leaves_the_old_table_or_the_new_one_by_merge() {
    let publish = ["differences_found", "rows_deleted", "rows_updated", "rows_inserted"];
    matrix(Way::Merge, &[&STAGED, &publish, &COMMITTING, &["staging_removed", "lock_given_back"]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_leaves_the_old_table_or_the_new_one_by_replace() {
    matrix(Way::Replace, &[&STAGED, &["rows_deleted", "rows_inserted"], &COMMITTING, &["staging_removed", "lock_given_back"]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_leaves_the_old_table_or_the_new_one_by_truncate() {
    matrix(Way::Truncate, &[&STAGED, &["truncated", "rows_inserted"], &COMMITTING, &["staging_removed", "lock_given_back"]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_leaves_the_old_table_or_the_new_one_by_swap() {
    matrix(Way::Swap, &[&SWAP, &COMMITTING, &["lock_given_back"]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_leaves_the_old_table_or_the_new_one_by_swap_of_a_partition() {
    matrix(Way::SwapPartition, &[&SWAP, &COMMITTING, &["lock_given_back"]]).await;
}

/// Every point of one way, as often as there are seeds.
async fn matrix(way: Way, points: &[&[&'static str]]) {
    for seed in 0..seeds() {
        let mut ledger = Ledger::open(way, seed).await;
        let points = BEFORE.iter().chain(points.iter().copied().flatten());
        let mut committed = false;
        for point in points {
            committed |= *point == COMMITTED;
            // Every other time somewhere between this point and the ones after it.
            let death = ledger.death(point, seed % 2 == 1);
            kill(&mut ledger, death, committed).await;
        }
    }
}

/// One cell.
async fn kill(ledger: &mut Ledger, death: Death, committed: bool) {
    let cell = format!("{death}");
    ledger.change();
    ledger.prepare().await;
    let (old, successes) = (ledger.standing().await, ledger.successes().await);
    let finished = ledger.run_to_death(death).await;
    let standing = ledger.standing().await;
    let is_new = standing == ledger.wanted();
    assert!(is_new || standing == old, "{cell}: the target is neither the old table nor the new one");
    assert_eq!(ledger.successes().await - successes, u64::from(is_new), "{cell}: the record says something else than the table");
    if death.after.is_none() {
        assert_eq!(is_new, committed, "{cell}");
    }
    let body = ledger.run_after(&cell).await;
    let told = body["warnings"].to_string().contains("ended without a word");
    match death.point {
        _ if finished.code == Some(0) => assert!(!told, "{cell}: nobody died: {body}"),
        _ if death.after.is_some() => {}
        "configuration_read" | "state_prepared" | "lock_given_back" => assert!(!told, "{cell}: nothing was held: {body}"),
        _ => assert!(told, "{cell}: {body}"),
    }
}

pub(crate) fn seeds() -> u64 {
    std::env::var("CHAOS_SEEDS").map_or(1, |seeds| seeds.parse().expect("CHAOS_SEEDS is a number"))
}
