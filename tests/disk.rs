//! A target whose disk is full: the table's error says so, the target is as it was, smaller tables are done.
//!
//! As root the disk is a small tmpfs under a tablespace. Others may not mount: there the server's files are bounded, which fails in the same place.

use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use crate::support::postgres::{Cluster, Database};
use crate::support::site::Site;
use crate::support::source::Source;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_target_disk_fails_the_table_that_does_not_fit_and_leaves_its_target_as_it_was() {
    let (cluster, complaint) = small_cluster();
    let db = Database::create_on(cluster).await;
    if complaint == FULL {
        db.execute(&format!("GRANT CREATE ON TABLESPACE small TO sync; ALTER DATABASE {} SET default_tablespace = small", db.name)).await;
    }
    let mut site = Site::between(Source::sample_of(200, &[("mctm_module", 60_000)]).await, db);
    site.keep(&["customer", "mctm_module", "voipdb_customer"]);
    site.db.execute("CREATE TABLE before (x int); INSERT INTO before VALUES (1)").await;
    let body = site.json(&["multi_sync"]).await;
    assert_eq!(body.code, Some(1), "{body}");
    let error = body.error_of("mctm_module");
    assert!(error.contains(complaint), "{error}");
    for table in ["customer", "voipdb_customer"] {
        assert_eq!(body.counts(table), [200, 200, 0, 0, 0]);
    }
    assert_eq!(site.db.value("SELECT to_regclass('mctm_module') IS NULL").await, "t");
    // With room again (fewer rows at the source), the next run needs no help.
    site.source.resize("mctm_module", 200);
    site.sync().await;
}

const FULL: &str = "No space left on device";
const BOUNDED: &str = "File too large";

/// A server with room for some megabytes, and what it says when they are used up.
fn small_cluster() -> (&'static Cluster, &'static str) {
    static SMALL: OnceLock<Cluster> = OnceLock::new();
    if !rustix::process::geteuid().is_root() {
        return (SMALL.get_or_init(|| Cluster::start(&[("FILE_SIZE_MAX", "17000")])), BOUNDED);
    }
    let cluster = SMALL.get_or_init(|| Cluster::start(&[]));
    let disk = cluster.dir.join("disk"); // unmounted with the server
    fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(&disk).status();
    assert!(mounted.is_ok_and(|status| status.success()), "root mounts a tmpfs at {}", disk.display());
    cluster.give(&disk);
    let sql = format!("CREATE TABLESPACE small LOCATION '{}'", disk.display());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { cluster.connect("postgres").await.batch_execute(&sql).await.unwrap() });
        });
    });
    (cluster, FULL)
}
