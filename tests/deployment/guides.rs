//! The commands in the guides, typed as they stand there.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::cloud::{Cloud, pack};
use crate::support::site::Site;
use crate::support::source::Source;

/// The commands of a guide, in order.
fn commands(guide: &str) -> Vec<String> {
    let text = fs::read_to_string(guide).unwrap();
    let typed = text.lines().filter_map(|line| line.trim_start().strip_prefix("$ "));
    typed.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_deploy_try_operate_and_remove_a_stack_as_they_say() {
    let cloud = Cloud::shared();
    let site = Site::over(Source::nowhere().await).await;
    site.write_config();
    let (zip, secret) = (site.dir().join("bootstrap.zip"), site.dir().join("mctm.json"));
    pack(&zip, &[cloud.bootstrap(), &site.dir().join("table_configs.json")]);
    fs::write(&secret, json!({"host": "127.0.0.1", "username": "sync", "password": "x", "dbname": "McTM"}).to_string()).unwrap();
    let mut deploying = commands("infra/README.md");
    let operating = commands("docs/OPERATIONS.md");
    assert!(deploying.len() >= 7 && operating.len() >= 4, "{deploying:?} {operating:?}");
    // A release build takes minutes; what it makes is at hand.
    deploying.retain(|command| command != "make lambda");
    let removing = deploying.pop().unwrap();
    assert!(removing.contains("delete-stack"), "{removing}");
    let lines = [&deploying[..], &operating, &[removing]].concat().join("\n").replace("mctm.json", secret.to_str().unwrap());
    let typed = cloud.shell(&lines, Path::new(&zip)).await;
    assert_eq!(typed.code, Some(0), "{typed:?}");
    // Both invocations were answered, with what is missing: two of the secrets are as the stack made them.
    assert_eq!(typed.stdout.matches("statusCode").count(), 2, "{typed:?}");
    assert!(typed.stdout.contains("SQL_SERVER_VOIPDB_HOST"), "{typed:?}");
}
