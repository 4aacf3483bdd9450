//! The points themselves: none in a build without the feature, and each of them in some test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What would bring them in.
const FEATURE: &str = "failpoints";

#[test]
fn a_build_without_the_feature_has_no_failpoints() {
    let tree = |edges: &str| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let asked = ["tree", "--offline", "--locked", "-p", "tablesync", "--edges", edges, "--prefix", "none", "--format", "{p} [{f}]"];
        let output = Command::new(cargo).args(asked).current_dir(root()).output().expect("cargo runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let has = |tree: &str| tree.lines().any(|line| line.starts_with("fail v") || line.contains(FEATURE));
    assert!(has(&tree("normal,dev")), "the suite runs with them");
    let shipped = tree("normal,build");
    assert!(shipped.contains("tokio-postgres v") && !has(&shipped), "{shipped}");
}

#[test]
fn every_failpoint_is_one_that_a_test_dies_at() {
    let tests = read_all(&root().join("tests")).join("\n");
    let placed: Vec<String> = read_all(&root().join("src")).iter().flat_map(|text| named(text)).collect();
    assert!(placed.len() > 20, "{placed:?}");
    let idle: Vec<_> = placed.iter().filter(|point| !["\"", "="].iter().any(|end| tests.contains(&format!("\"{point}{end}")))).collect();
    assert!(idle.is_empty(), "no test dies at {idle:?}");
}

/// The points that a source file has.
fn named(text: &str) -> Vec<String> {
    text.split("failpoint::reached(\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

fn read_all(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            found.extend(read_all(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(fs::read_to_string(path).unwrap());
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
