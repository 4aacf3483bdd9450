//! What a DSN says is done: TLS as its `sslmode` has it, its parameters, and its password nowhere.

use serde_json::json;

use super::site::{PgSite, dsn};
use crate::support::postgres::PASSWORD;

const ONE: &str = "CREATE TABLE one (id integer PRIMARY KEY); INSERT INTO one VALUES (1)";

#[tokio::test(flavor = "multi_thread")]
async fn sslmode_verifies_as_much_as_it_says() {
    let mut site = PgSite::new(ONE, &["one"]).await;
    let ca = site.from.cluster.ca_file().display().to_string();
    // The certificate is for localhost; `tls_only` may not come in without TLS.
    let place = format!("{}/{}", site.from.cluster.port, site.from.name);
    for (host, parameters, works) in [
        ("127.0.0.1", "sslmode=disable".to_owned(), false),
        ("127.0.0.1", "sslmode=allow".to_owned(), true),
        ("127.0.0.1", "sslmode=prefer".to_owned(), true),
        ("127.0.0.1", "sslmode=require".to_owned(), true),
        ("127.0.0.1", String::new(), true),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={ca}"), true),
        ("127.0.0.1", format!("sslrootcert={ca}"), false),
        ("localhost", format!("sslrootcert={ca}"), true),
        ("localhost", "sslmode=verify-full".to_owned(), false),
    ] {
        let body = site
            .set("SOURCE_SCOUT_DSN", &format!("postgres://tls_only:{PASSWORD}@{host}:{place}?{parameters}"))
            .json(&["multi_sync"])
            .await;
        assert_eq!(body["success"], json!(works), "{host} {parameters}: {body}");
        if !works {
            assert!(body.error_of("one").contains("SOURCE_SCOUT_DSN"), "{body}");
        }
        let unverified = ["allow", "prefer", "require"].iter().any(|mode| parameters == format!("sslmode={mode}"));
        assert_eq!(body["warnings"].to_string().matches("in SOURCE_SCOUT_DSN: the certificate").count(), usize::from(unverified), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn application_name_and_options_reach_the_server() {
    let view = "CREATE VIEW session AS SELECT 1 AS id, current_setting('application_name') AS name, current_setting('search_path') AS path";
    let mut site = PgSite::new(view, &["session"]).await;
    site.sync().await;
    assert!(site.to.value("SELECT name FROM session").await.starts_with("tablesync "), "the run's own");
    let parameters = "application_name=scout%20reader&options=-c%20search_path%3Dscout,public&connect_timeout=9";
    site.set("SOURCE_SCOUT_DSN", &dsn(&site.from.name, site.from.cluster.port, parameters)).sync().await;
    assert_eq!(site.to.rows("SELECT name, path FROM session").await, [["scout reader", "scout,public"].map(|text| Some(text.to_owned()))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_target_may_be_a_dsn_too() {
    let mut site = PgSite::new(ONE, &["one"]).await;
    let target = dsn(&site.to.name, site.to.cluster.port, "sslmode=disable");
    for name in ["PG_HOST", "PG_PORT", "PG_DB", "PG_USER", "PG_PASSWORD"] {
        site.set(name, "");
    }
    let body = site.set("TARGET_DSN", &target).sync().await;
    assert!(body["warnings"].to_string().contains("sslmode=disable in TARGET_DSN"), "{body}");
    site.assert_same("one").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dsn_has_that_is_not_known_is_exit_code_2_and_no_password_is_shown() {
    let mut site = PgSite::new(ONE, &["one"]).await;
    site.set("RUST_LOG", "trace");
    let mut seen = vec![site.run(&["multi_sync"]).await, site.run(&["config", "check"]).await];
    assert!(seen[0].stderr.contains("TRACE"), "trace was on");
    let place = (site.from.name.clone(), site.from.cluster.port);
    for (parameters, expected) in [
        ("pool_max_conns=5", "a parameter \\\"pool_max_conns\\\" that is not known"),
        ("sslmode=maybe", "another sslmode than"),
        ("sslrootcert=/nonexistent", "the sslrootcert"),
    ] {
        let finished = site.set("SOURCE_SCOUT_DSN", &dsn(&place.0, place.1, parameters)).run(&["multi_sync", "--json"]).await;
        assert_eq!(finished.code, Some(2), "{finished:?}");
        assert!(finished.stdout.contains(expected) && finished.stdout.contains("SOURCE_SCOUT_DSN"), "{finished:?}");
        seen.push(finished);
    }
    site.set("SOURCE_SCOUT_DSN", &dsn(&place.0, place.1, "").replace("sync:", "nobody:"));
    let refused = site.run(&["multi_sync", "--json"]).await;
    assert!(refused.code == Some(1) && refused.stdout.contains("Check SOURCE_SCOUT_DSN"), "{refused:?}");
    seen.push(refused);
    for finished in seen {
        assert!(!finished.stdout.contains(PASSWORD) && !finished.stderr.contains(PASSWORD), "{finished:?}");
    }
}
