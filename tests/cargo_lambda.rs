//! Every event in `events/` through cargo-lambda's own emulator and its own client, as a developer invokes them.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::envelopes::{EVENTS, assert_answered, event};
use crate::support::lambda::Ending;
use crate::support::process::Running;
use crate::support::site::Site;
use crate::support::source::Source;

#[tokio::test(flavor = "multi_thread")]
async fn every_event_gives_its_envelope_through_cargo_lambda() {
    let site = Site::over(Source::to_read().await).await;
    let port = free_port();
    let address = ["--invoke-address", "127.0.0.1", "--invoke-port", &port];
    let toolchain: Vec<_> = ["HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
        .collect();
    // The emulator alone: the function is the binary under test, not one that cargo-lambda would build.
    let watch = ["lambda", "watch", "--only-lambda-apis", "--ignore-changes"];
    let mut emulator = Running::start(cargo_lambda(), &[&watch, &address[..]].concat(), &toolchain, Path::new(env!("CARGO_MANIFEST_DIR")));
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port.parse().unwrap())).is_err() {
        assert!(!emulator.has_ended(), "{}", emulator.stderr_so_far());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut env = site.env().to_vec();
    env.extend([
        ("AWS_LAMBDA_RUNTIME_API".to_owned(), format!("http://127.0.0.1:{port}/.rt/tablesync-lambda")),
        ("AWS_LAMBDA_FUNCTION_NAME".to_owned(), "tablesync-lambda".to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION".to_owned(), "1".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE".to_owned(), "128".to_owned()),
    ]);
    site.write_config();
    let _function = Running::start(env!("CARGO_BIN_EXE_tablesync-lambda"), &[], &env, site.dir());
    for (name, expected) in EVENTS {
        std::fs::write(site.dir().join("event.json"), event(name)).unwrap();
        let invoke = ["lambda", "invoke", "tablesync-lambda", "--data-file", "event.json"];
        let finished = Running::start(cargo_lambda(), &[&invoke, &address[..]].concat(), &toolchain, site.dir()).finish().await;
        let ending = match finished.code {
            Some(0) => {
                Ending::Result(serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{name}: {error}: {finished:?}")))
            }
            _ => function_error(&finished.stderr),
        };
        assert_answered(name, *expected, &ending);
    }
}

/// What the client shows of a function error: `Error: <type>`, and the message below it.
fn function_error(stderr: &str) -> Ending {
    let (_, shown) = stderr.split_once("Error: ").unwrap_or_else(|| panic!("no function error: {stderr}"));
    let (error_type, message) = shown.split_once('\n').unwrap();
    Ending::Error { error_type: error_type.to_owned(), message: message.to_owned() }
}

fn cargo_lambda() -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_tablesync")).ancestors().nth(2).unwrap();
    let own = target.join("venv/bin/cargo-lambda");
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).map(|folder| folder.join("cargo-lambda")).find(|file| file.is_file());
    if own.is_file() { own } else { found.expect("cargo-lambda is installed; run 'make setup'") }
}

fn free_port() -> String {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port().to_string()
}
