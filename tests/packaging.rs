//! What `make lambda` checks before a zip is taken for deployable, and how a cold start is measured.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::certificates::Authority;
use crate::support::cloud::{Cloud, pack, script};
use crate::support::process::{Finished, Running};

const ROOMY: (&str, &str) = ("SIZE_MAX", "1000000000");

async fn run(name: &str, arguments: &[&str], env: &[(&str, &str)]) -> Finished {
    let env: Vec<_> = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Running::start(script(name), arguments, &env, env!("CARGO_MANIFEST_DIR").as_ref()).finish().await
}

/// Checks a zip of this bootstrap, and of a table configuration where that is wanted.
async fn check(bootstrap: &[u8], configured: bool, env: &[(&str, &str)]) -> Finished {
    let dir = tempfile::tempdir().unwrap();
    let [zip, binary] = ["bootstrap.zip", "bootstrap"].map(|name| dir.path().join(name));
    fs::write(&binary, bootstrap).unwrap();
    let files = [binary.as_path(), Path::new("table_configs.json")];
    pack(&zip, if configured { &files } else { &files[..1] });
    run("check-package", &[zip.to_str().unwrap()], env).await
}

/// A binary with other bytes of the same number wherever these are.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let places: Vec<_> = memchr::memmem::find_iter(&bytes, from).collect();
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_is_what_lambda_can_run_for_the_architecture_of_the_template() {
    let bootstrap = fs::read(Cloud::shared().bootstrap()).unwrap();
    // The suite's own may have them.
    let bootstrap = replaced(&bootstrap, b"FAILPOINTS", b"FAILPOINT_");
    let with_failpoints = [&bootstrap[..], b"FAILPOINTS"].concat();
    let good = check(&bootstrap, true, &[ROOMY]).await;
    assert_eq!(good.code, Some(0), "{good:?}");
    assert!(good.stdout.contains(" bytes, for ") && good.stdout.contains("needs glibc 2."), "{good:?}");

    let mut other = bootstrap.clone();
    // The machine's field of an ELF header (https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html): AArch64, or x86-64 where this is one.
    other[18] = if other[18] == 0xb7 { 0x3e } else { 0xb7 };
    let mut unknown = bootstrap.clone();
    unknown[18] = 0x08;
    let newer = replaced(&bootstrap, b"GLIBC_2.34\0", b"GLIBC_2.99\0");
    assert_ne!(newer, bootstrap);
    let cases = [
        (&with_failpoints, true, ROOMY, "the bootstrap has failpoints"),
        (&bootstrap, true, ("SIZE_MAX", "1000000"), "more than 1000000"),
        (&bootstrap, false, ROOMY, "table_configs.json is not in"),
        (&other, true, ROOMY, "the template's Architecture is"),
        (&unknown, true, ROOMY, "which Lambda does not have"),
        (&newer, true, ROOMY, "needs glibc 2.99, provided.al2023 has 2.34"),
    ];
    for (bootstrap, configured, size_max, expected) in cases {
        let refused = check(bootstrap, configured, &[size_max]).await;
        assert!(refused.code == Some(1) && refused.stderr.contains(expected), "{expected}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn amazons_authorities_are_packed_and_a_package_is_made_without_them_where_they_cannot_be_had() {
    let dir = tempfile::tempdir().unwrap();
    let [zip, bundle, no_bundle] = ["bootstrap.zip", "bundle.pem", "Cargo.toml"].map(|name| dir.path().join(name));
    let authorities = ["one", "two"].map(|name| Authority::new(name).pem().to_owned()).concat();
    fs::write(&bundle, &authorities).unwrap();
    fs::write(&no_bundle, "no certificate").unwrap();
    pack(&zip, &[Path::new("table_configs.json")]);
    let path = zip.to_str().unwrap();
    let packed = run("pack-authorities", &[path], &[("RDS_CA_BUNDLE", bundle.to_str().unwrap())]).await;
    assert!(packed.code == Some(0) && packed.stdout.contains(": 2 certificate authorities"), "{packed:?}");
    let unpacked = Command::new("python3").args(["-m", "zipfile", "-e", path]).arg(dir.path().join("unpacked")).status().unwrap();
    assert!(unpacked.success());
    assert_eq!(fs::read_to_string(dir.path().join("unpacked/rds-global-bundle.pem")).unwrap(), authorities);

    let wrong = run("pack-authorities", &[path], &[("RDS_CA_BUNDLE", no_bundle.to_str().unwrap())]).await;
    assert!(wrong.code == Some(1) && wrong.stderr.contains("holds no certificate"), "{wrong:?}");
    // No way leads out, and nothing was fetched before.
    let offline = [("CARGO_TARGET_DIR", dir.path().to_str().unwrap()), ("https_proxy", "http://127.0.0.1:9")];
    let without = run("pack-authorities", &[path], &offline).await;
    assert!(without.code == Some(0) && without.stderr.contains("a target on RDS will not be trusted"), "{without:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_start_is_measured_to_the_first_poll() {
    let bootstrap = Cloud::shared().bootstrap().to_str().unwrap();
    let measured = run("cold-start", &[bootstrap, "3"], &[("COLD_START_MAX", "10000")]).await;
    assert!(measured.code == Some(0) && measured.stdout.starts_with("cold start: "), "{measured:?}");
    let slow = run("cold-start", &[bootstrap, "3"], &[("COLD_START_MAX", "0")]).await;
    assert!(slow.code == Some(1) && slow.stderr.contains("more than 0 ms"), "{slow:?}");
}
