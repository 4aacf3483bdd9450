//! Deaths off the straight path: while columns or foreign keys are added, while a failure or another death is being tidied up, in the middle of a long statement, and of
//! one run among others.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::cell::{Death, Ledger, SOURCE, TABLE, Way};
use super::seeds;
use crate::support::body::Body;
use crate::support::site::Site;
use crate::support::source::{ForeignKeyDef, Planted, TableDef, Value, error_after};

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_after_new_columns_were_added_leaves_them_empty_until_the_next_run() {
    for seed in 0..seeds() {
        for way in [Way::Merge, Way::Straight] {
            let mut ledger = Ledger::open(way, seed).await;
            ledger.site.source.table(SOURCE).add_column("Town", "nvarchar(20)", Value::text("Ulm")).unwrap();
            ledger.prepare().await;
            let old = ledger.standing().await;
            ledger.run_to_death(Death::at("columns_added")).await;
            assert!(ledger.standing().await == old, "{way:?}: nothing but the column is new");
            assert_eq!(ledger.site.db.value("SELECT count(town) FROM ledger").await, "0");
            let body = ledger.site.sync().await;
            assert!(died(&body), "{body}");
            assert_eq!(ledger.site.db.value("SELECT count(*) = count(town) FROM ledger").await, "t", "{body}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_a_foreign_key_is_made_is_mended_by_the_next_run() {
    for _ in 0..seeds() {
        for point in ["foreign_key_added", "foreign_key_checked"] {
            let key = ForeignKeyDef::new("FK_Orders_Customers", &["Customer"], ("dbo", "Customers"), &["Id"]);
            let customers = TableDef::new("McTM", "dbo", "Customers").required("Id", "int").key(&["Id"]).row([Value::Int(1)]);
            let orders =
                TableDef::new("McTM", "dbo", "Orders").required("Id", "int").column("Customer", "int").key(&["Id"]).foreign_key(key);
            let orders = orders.row([Value::Int(7), Value::Int(1)]);
            let options = json!({"create_tables": true, "create_foreign_keys": true});
            let mut site = Site::defined(vec![("Customers", customers), ("Orders", orders)], options).await;
            site.set("FAILPOINTS", &Death::at(point).to_string());
            assert_eq!(site.run(&["multi_sync"]).await.signal, Some(9));
            site.unset("FAILPOINTS");
            let whole = "SELECT (SELECT count(*) FROM customers) || ' ' || (SELECT count(*) FROM orders)";
            assert_eq!(site.db.value(whole).await, "1 1", "{point}");
            let body = site.sync().await;
            assert!(!died(&body), "no table was held: {body}");
            assert_eq!(
                site.db.value("SELECT string_agg(convalidated::text, ',') FROM pg_constraint WHERE contype = 'f'").await,
                "true",
                "{point}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_while_it_tidies_up_after_another_is_tidied_up_after_too() {
    for seed in 0..seeds() {
        let mut ledger = Ledger::open(Way::Merge, seed).await;
        for second in ["dead_run_ended", "remains_removed", "lock_taken", "run_recorded", "staging_made"] {
            ledger.change();
            let old = ledger.standing().await;
            let first = ledger.death("batch_sent", false);
            ledger.run_to_death(first).await;
            ledger.run_to_death(Death::at(second)).await;
            assert!(ledger.standing().await == old, "{second}: nothing was published");
            let body = ledger.run_after(second).await;
            assert!(died(&body), "{second}: {body}");
        }
        // At "lock_taken" there was no row yet, nor at the first two, which the second death came before.
        let outcomes = "SELECT string_agg(outcome || ' ' || n, ',' ORDER BY outcome) FROM \
            (SELECT outcome, count(*) AS n FROM tablesync.runs GROUP BY outcome) AS o";
        assert_eq!(ledger.site.db.value(outcomes).await, "died 7,succeeded 6");
        let told = "SELECT count(*) FROM tablesync.runs WHERE outcome = 'died' AND error LIKE 'process % on % ended without a word%' \
            AND seconds > 0 AND finished_at > started_at";
        assert_eq!(ledger.site.db.value(told).await, "7");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_while_it_tidies_up_after_its_own_failure_is_tidied_up_after() {
    for seed in 0..seeds() {
        let mut ledger = Ledger::open(Way::Replace, seed).await;
        for point in ["failure_met", "failure_tidied"] {
            ledger.change();
            let old = ledger.standing().await;
            ledger.site.source.fault(SOURCE, error_after(100, 8134, 16, "Divide by zero error encountered."));
            ledger.run_to_death(Death::at(point)).await;
            ledger.site.source.clear_faults(SOURCE);
            assert!(ledger.standing().await == old, "{point}: nothing was published");
            let body = ledger.run_after(point).await;
            assert!(died(&body), "{point}: {body}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_a_long_statement_frees_the_table_at_once() {
    let mut ledger = Ledger::open(Way::Merge, 1).await;
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$; \
        CREATE TRIGGER slow BEFORE DELETE ON ledger EXECUTE FUNCTION slow()";
    ledger.site.db.execute(slow).await;
    ledger.change();
    let old = ledger.standing().await;
    let in_the_delete = Death { after: Some(Duration::from_millis(200)), ..Death::at("differences_found") };
    let killed = ledger.run_to_death(in_the_delete).await;
    assert_eq!(killed.signal, Some(9));
    assert!(ledger.standing().await == old);
    ledger.site.db.execute("DROP TRIGGER slow ON ledger").await;
    assert!(died(&ledger.run_after("in the delete").await));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_run_left_under_a_name_that_is_no_longer_configured_is_ended_too() {
    let mut ledger = Ledger::open(Way::Merge, 2).await;
    ledger.change();
    ledger.run_to_death(Death::at("copy_done")).await;
    ledger.site.keep(&[]);
    ledger.site.configure("renamed", "dbo.Ledger", &json!({"pg_table": TABLE}));
    let body = ledger.site.sync().await;
    assert!(died(&body), "{body}");
    assert_eq!(ledger.site.db.value("SELECT table_name FROM tablesync.runs WHERE outcome = 'died'").await, TABLE);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_staging_table_of_a_dead_run_goes_where_the_next_one_needs_none() {
    let mut ledger = Ledger::open(Way::Merge, 4).await;
    ledger.change();
    ledger.run_to_death(Death::at("copy_done")).await;
    let staging = ledger.site.db.value("SELECT relname FROM pg_class WHERE relname LIKE 'staging%' AND relkind = 'r'").await;
    ledger.site.db.execute("TRUNCATE ledger").await;
    ledger.site.configure(TABLE, "dbo.Ledger", &json!({"refresh": "auto"}));
    let body = ledger.run_after("straight").await;
    assert_eq!(body.table(TABLE)["refresh"], "straight", "{body}");
    let warnings = body["warnings"].to_string();
    assert!(died(&body) && warnings.contains("outcome is") && warnings.contains(&format!("{staging}\\\" was removed")), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_tables_side_by_side_leaves_each_of_them_old_or_new() {
    for seed in 0..seeds() {
        let names = ["One", "Two", "Three"];
        let table = |name: &&str| Planted::new(name, &[("Id", "int"), ("Version", "int")], 1);
        let mut site = Site::planted(names.iter().map(table).collect(), json!({"create_tables": true})).await;
        site.set("MAX_PARALLEL_TABLES", "3").set("MAX_PARALLEL_PER_SOURCE", "3");
        let mut version = 0;
        for (point, hit) in
            [("run_recorded", 3), ("copy_done", 2), ("success_recorded", 1), ("committed", 1), ("committed", 3), ("lock_given_back", 2)]
        {
            version += 1;
            let rows = || (1..=50 + version).map(|id| vec![Value::Int(id), Value::Int(version)]).collect();
            for name in names {
                site.source.replace_rows(name, rows());
            }
            let late = (seed % 2 == 1).then(|| Duration::from_micros(seed * 700));
            site.set("FAILPOINTS", &Death { point, hit, after: late }.to_string());
            let killed = site.run(&["multi_sync", "--json"]).await;
            assert!(killed.signal == Some(9) || late.is_some(), "{point}: {killed:?}");
            site.unset("FAILPOINTS");
            site.db.settled().await;
            for name in names.map(str::to_lowercase) {
                if version > 1 || site.db.value(&format!("SELECT to_regclass('{name}') IS NOT NULL")).await == "t" {
                    let stands = site
                        .db
                        .value(&format!(
                            "SELECT string_agg(DISTINCT version || ' ' || n, ',') FROM \
                        (SELECT version, count(*) OVER () AS n FROM {name}) AS t"
                        ))
                        .await;
                    let whole = [version, version - 1].map(|version| format!("{version} {}", 50 + version));
                    assert!(whole.contains(&stands), "{point}: {name} has {stands}");
                }
            }
            site.sync().await;
            for name in names.map(str::to_lowercase) {
                let stands = format!("SELECT count(*) || ' ' || min(version) || ' ' || max(version) FROM {name}");
                assert_eq!(site.db.value(&stands).await, format!("{} {version} {version}", 50 + version), "{point}");
            }
            assert_eq!(site.db.value("SELECT count(*) FROM tablesync.runs WHERE outcome = 'started'").await, "0", "{point}");
            assert_eq!(site.db.value("SELECT count(*) FROM pg_class WHERE relname LIKE 'staging%'").await, "0", "{point}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_run_that_lives_on_with_another_table_only_the_table_that_it_lost_is_ended() {
    let mut ledger = Ledger::open(Way::Merge, 3).await;
    ledger.change();
    ledger.site.set("FAILPOINTS", "batch_sent=pause");
    let living = ledger.site.start(&["multi_sync", "--json"]);
    let running = "SELECT count(*) FROM tablesync.runs WHERE outcome = 'started'";
    while ledger.site.db.value(running).await != "1" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // As if the same run had lost its session for another table, and nothing else.
    let lost = "INSERT INTO tablesync.locks SELECT '\"public\".\"other\"', 1, run_id, application, host, process_id, 1, acquired_at, renewed_at, acquired_at \
        FROM tablesync.locks; \
        INSERT INTO tablesync.runs (run_id, table_name, mode, started_at, outcome, version) \
        SELECT run_id, 'other', mode, started_at, outcome, version FROM tablesync.runs WHERE outcome = 'started'";
    ledger.site.db.execute(lost).await;
    ledger.site.unset("FAILPOINTS");
    ledger.site.keep(&[]);
    ledger.site.configure("other", "dbo.Ledger", &json!({"create_tables": true}));
    let body = ledger.site.sync().await;
    assert!(died(&body), "{body}");
    let outcomes = "SELECT table_name || ' ' || outcome FROM tablesync.runs WHERE outcome <> 'succeeded' ORDER BY 1";
    let outcomes: Vec<_> = ledger.site.db.rows(outcomes).await.into_iter().flatten().flatten().collect();
    assert_eq!(outcomes, ["ledger started", "other died"]);
    living.signal(Signal::KILL);
    assert_eq!(living.finish().await.signal, Some(9));
}

/// Whether the reader is told of a run that died.
fn died(body: &Body) -> bool {
    body["warnings"].to_string().contains("ended without a word")
}
