//! Passwords appear nowhere, however much is logged; and none is kept in the repository.

use std::process::Command;

use crate::support::postgres::PASSWORD as TARGET;
use crate::support::site::Site;
use crate::support::source::{PASSWORD as SOURCE, Source};

#[tokio::test(flavor = "multi_thread")]
async fn no_password_is_ever_written_however_much_is_logged() {
    let mut site = Site::over(Source::sample(20).await).await;
    site.set("RUST_LOG", "trace");
    let mut runs = vec![
        site.run(&["multi_sync"]).await,
        site.run(&["multi_test", "--json"]).await,
        site.run(&["info"]).await,
        site.run(&["config", "check"]).await,
    ];
    let mut function = site.deploy().await;
    function.invoke("{}", std::time::Duration::from_secs(60)).await;
    runs.push(function.shut_down().await);
    // Refused logins are where a password is most at hand.
    site.set("SQL_SERVER_MCTM_USER", "nobody").set("PG_USER", "nobody");
    runs.push(site.run(&["multi_sync", "--json"]).await);
    assert!(runs.iter().any(|run| run.stderr.contains("TRACE")), "trace was on");
    for run in runs {
        for password in [SOURCE, TARGET] {
            assert!(!run.stdout.contains(password) && !run.stderr.contains(password), "{run:?}");
        }
    }
}

#[test]
fn no_env_file_is_tracked() {
    let root = env!("CARGO_MANIFEST_DIR");
    let ignored = std::fs::read_to_string(format!("{root}/.gitignore")).unwrap();
    assert!(ignored.lines().any(|line| line.trim_start_matches('/') == ".env"), ".gitignore holds .env");
    let tracked = Command::new("git").args(["-C", root, "ls-files", "--", ".env", "*/.env"]).output().expect("git is installed");
    assert!(tracked.stdout.is_empty(), "tracked: {}", String::from_utf8_lossy(&tracked.stdout));
}
