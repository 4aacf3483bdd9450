//! Servers that do not answer, or hardly, or only read: whatever is asked of them, nothing waits for ever, and the error says who was silent.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use serde_json::json;

use crate::support::body::Body;
use crate::support::proxy::{Direction, Place, Proxy, Trouble};
use crate::support::site::Site;
use crate::support::source::{Planted, Source, Tls, Value};

/// How long a server may be silent in these tests.
const LIMIT: &str = "3s";
/// A silence of that length, the clean-up after it, and a machine that has other things to do.
const TIME_MAX: Duration = Duration::from_secs(25);
/// The first bytes of an answer, before a login is done.
const EARLY: Place = Place::Byte(Direction::ToClient, 20);

/// A source and a target with TLS, reached over loopback, and one small table in both.
async fn site() -> Site {
    let mut site = Site::over(Source::sample_with(200, Tls::Full).await).await;
    site.keep(&["customer"]).set("SQL_SERVER_MCTM_TRUST_CERT", "true");
    site.sync().await;
    site.source.change("customer", 20.0);
    site
}

/// One run with variables of its own, of which nothing may come: its error of the table.
async fn refused(site: &Site, case: &str, variables: &[(&str, &str)]) -> String {
    let variables = [&[("SOURCE_IDLE_TIMEOUT", LIMIT), ("TARGET_IDLE_TIMEOUT", LIMIT), ("MAX_RETRIES", "0")], variables].concat();
    let begun = Instant::now();
    let body = Body::of(site.start_beside(&["multi_sync", "--json"], &variables).finish().await);
    assert!(begun.elapsed() < TIME_MAX, "{case}: {:?}: {body}", begun.elapsed());
    assert_eq!(body.code, Some(1), "{case}: {body}");
    body.error_of("customer").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_never_made_is_given_up_and_says_to_whom() {
    let site = site().await;
    let before = site.db.checksum("mctm_customer").await;
    let (source, target) = (site.source.port(), site.db.cluster.port);
    let none = format!("{}.invalid", "a".repeat(64)); // no resolver need be asked
    let cases = [
        ("hanging connect", None, "cannot be reached", "did not answer within 3s"),
        ("stalled handshake", Some((Trouble::Stall, EARLY)), "silent", "did not answer within 3s"),
        ("stalled TLS", Some((Trouble::Stall, Place::Byte(Direction::ToClient, 200))), "silent", "did not answer within 3s"),
        ("a byte a second", Some((Trouble::Trickle, EARLY)), "silent", "did not answer within 3s"),
    ];
    let refuse = async |case: &str, trouble, (server, variable, who), words| {
        let proxy = match trouble {
            Some(_) => Proxy::before(server).await,
            None => Proxy::unreachable().await,
        };
        proxy.plan(trouble);
        let error = refused(&site, case, &[(variable, &proxy.port.to_string()), ("PG_SSLMODE", "require")]).await;
        assert!(error.contains(who) && error.contains(words) && error.contains("Check "), "{case}: {error}");
    };
    // Side by side: who waits for the source has the table, who waits for the target has nothing.
    for (case, trouble, at_source, at_target) in cases {
        tokio::join!(
            refuse(case, trouble, (source, "SQL_SERVER_MCTM_PORT", "SQL Server 127.0.0.1:"), at_source),
            refuse(case, trouble, (target, "PG_PORT", "PostgreSQL 127.0.0.1:"), at_target)
        );
    }
    for (variable, who) in [("SQL_SERVER_MCTM_HOST", "SQL Server"), ("PG_HOST", "PostgreSQL")] {
        let error = refused(&site, "no such name", &[(variable, &none), ("PG_SSLMODE", "require")]).await;
        assert!(error.contains(&format!("{who} {none}:")) && error.contains("cannot be reached: failed to lookup address"), "{error}");
    }
    assert_eq!(site.db.checksum("mctm_customer").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_come_a_byte_a_second_are_read_until_the_deadline() {
    let site = site().await;
    let before = site.db.checksum("mctm_customer").await;
    let proxy = Proxy::before(site.source.port()).await;
    // Within the rows: the login and the catalogue have passed.
    proxy.plan(Some((Trouble::Trickle, Place::Byte(Direction::ToClient, 30_000))));
    let variables = [("SQL_SERVER_MCTM_PORT", &*proxy.port.to_string()), ("SOURCE_IDLE_TIMEOUT", LIMIT)];
    let begun = Instant::now();
    let body = Body::of(site.start_beside(&["multi_sync", "--json", "--deadline", "8s"], &variables).finish().await);
    assert!(begun.elapsed() < TIME_MAX, "{body}");
    assert!(proxy.has_struck() && body.error_of("customer").contains("deadline"), "{body}");
    assert_eq!(site.db.checksum("mctm_customer").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_mode_waits_for_ever() {
    let parent = Planted::new("Parent", &[("Id", "int"), ("Note", "nvarchar(400)")], 1);
    let rows = |count| (0..count).map(|id| vec![Value::Int(id), Value::text(&format!("{id:08}").repeat(50))]).collect();
    let mut site = Site::planted(vec![parent.rows(rows(300))], json!({})).await;
    site.set("PG_SSLMODE", "disable").sync().await;
    let modes: [&[&str]; 5] = [&["multi_test"], &["plan"], &["verify", "--full"], &["multi_sync", "--dry-run"], &["info"]];
    let mut cells = Vec::new();
    for mode in modes {
        for (server, variable) in [(site.source.port(), "SQL_SERVER_MCTM_PORT"), (site.db.cluster.port, "PG_PORT")] {
            let sound = Proxy::before(server).await;
            run(&site, mode, variable, &sound).await;
            let passed = sound.passed(Direction::ToClient);
            cells.extend([5_000, 9_400].map(|share| (mode, server, variable, passed * share / 10_000)));
        }
    }
    let site = &site;
    let silences = cells.iter().map(|(mode, server, variable, at)| async move {
        let proxy = Proxy::before(*server).await;
        proxy.plan(Some((Trouble::Stall, Place::Byte(Direction::ToClient, *at))));
        let begun = Instant::now();
        let body = run(site, mode, variable, &proxy).await;
        assert!(begun.elapsed() < TIME_MAX, "{mode:?} {variable} {at}: {:?}: {body}", begun.elapsed());
        if mode == &["info"] {
            assert_eq!(body.code, Some(0), "what cannot be asked stays unknown: {body}");
            return;
        }
        assert!(proxy.has_struck(), "{mode:?} {variable} {at}: {body}");
        assert_eq!(body.code, Some(1), "{mode:?} {variable} {at}: {body}");
        let error = body["error"].as_str().unwrap();
        let named = if *variable == "PG_PORT" { "PostgreSQL 127.0.0.1:" } else { "SQL Server 127.0.0.1:" };
        assert!(
            error.contains(named) && (error.contains("_IDLE_TIMEOUT") || error.contains("Check ")),
            "{mode:?} {variable} {at}: {error}"
        );
    });
    stream::iter(silences).buffer_unordered(8).collect::<Vec<_>>().await;
}

async fn run(site: &Site, mode: &[&str], variable: &str, proxy: &Proxy) -> Body {
    let port = proxy.port.to_string();
    let variables = [(variable, &*port), ("SOURCE_IDLE_TIMEOUT", LIMIT), ("TARGET_IDLE_TIMEOUT", LIMIT), ("MAX_RETRIES", "0")];
    Body::of(site.start_beside(&[mode, &["--json"]].concat(), &variables).finish().await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_only_reads_is_named_and_tried_again_in_a_new_session() {
    let site = site().await;
    let before = site.db.checksum("mctm_customer").await;
    let only_reads = async |on: &str| {
        site.db.execute(&format!("ALTER DATABASE {} SET default_transaction_read_only = {on}", site.db.name)).await;
    };
    only_reads("on").await;
    let error = refused(&site, "read-only", &[]).await;
    assert!(error.contains("25006") && error.contains("PG_HOST names the primary"), "{error}");
    assert_eq!(site.db.checksum("mctm_customer").await, before);

    let running = site.start(&["multi_sync", "--json"]);
    let asked = Instant::now();
    while !running.stderr_so_far().contains("attempt 1 failed") {
        assert!(asked.elapsed() < Duration::from_secs(60), "{}", running.stderr_so_far());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // The name points at the new primary by now.
    only_reads("off").await;
    let body = Body::of(running.finish().await);
    assert_eq!((body.code, &body.table("customer")["attempts"]), (Some(0), &json!(2)), "{body}");
}
