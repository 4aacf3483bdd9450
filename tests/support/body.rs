//! The body that every mode answers with, and questions to it.

use std::fmt;
use std::ops::Index;

use serde_json::Value;

use super::lambda::Ending;
use super::process::Finished;

/// A body, and where it came from.
#[derive(Debug)]
pub(crate) struct Body {
    value: Value,
    /// The status code of the Lambda's envelope.
    pub(crate) status: Option<u64>,
    /// The exit code of the command.
    pub(crate) code: Option<i32>,
    /// The command's standard error.
    pub(crate) stderr: String,
}

impl Body {
    /// The body that the command printed with `--json`: one line, nothing else.
    pub(crate) fn of(finished: Finished) -> Self {
        let line = finished.stdout.strip_suffix('\n').unwrap_or_else(|| panic!("one line on standard output: {finished:?}"));
        assert!(!line.contains('\n'), "one line only: {line}");
        let value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self::checked(Self { value, status: None, code: finished.code, stderr: finished.stderr })
    }

    /// The body in the envelope that an invocation ended with.
    pub(crate) fn in_envelope(ending: &Ending) -> Self {
        let Ending::Result(envelope) = ending else { panic!("not an envelope: {ending:?}") };
        let fields: Vec<_> = envelope.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["statusCode", "body"]);
        let value = serde_json::from_str(envelope["body"].as_str().expect("the body is JSON text")).unwrap();
        Self::checked(Self { value, status: envelope["statusCode"].as_u64(), code: None, stderr: String::new() })
    }

    /// One table's result.
    pub(crate) fn table(&self, name: &str) -> &Value {
        let table = &self.value["table_results"][name];
        assert!(table.is_object(), "no result of {name}: {self}");
        table
    }

    /// One table's error; it must have failed.
    pub(crate) fn error_of(&self, name: &str) -> &str {
        let table = self.table(name);
        assert_eq!((&table["status"], &table["success"]), (&Value::from("failed"), &Value::from(false)), "{self}");
        table["error"].as_str().expect("a failed table has an error")
    }

    /// `[transferred_count, inserted, updated, deleted, unchanged]` of a table that is done.
    pub(crate) fn counts(&self, name: &str) -> [u64; 5] {
        let table = self.table(name);
        assert_eq!(table["status"], "ok", "{self}");
        ["transferred_count", "inserted", "updated", "deleted", "unchanged"].map(|field| table[field].as_u64().unwrap())
    }

    /// What every body has, as the contract says.
    fn checked(self) -> Self {
        assert!(self["success"].is_boolean(), "{self}");
        assert!(self["mode"].is_string() || self["mode"].is_null(), "{self}");
        assert!(self["execution_time"].as_f64().is_some_and(|seconds| seconds >= 0.0), "{self}");
        let timestamp = self["timestamp"].as_str().unwrap();
        assert!(timestamp.len() == "2026-02-05T10:30:00.123Z".len() && timestamp.ends_with('Z'), "{timestamp}");
        assert_eq!(self["version"], env!("CARGO_PKG_VERSION"), "{self}");
        assert!(self["warnings"].is_array(), "{self}");
        if self["success"] == false {
            assert!(self["error"].as_str().is_some_and(|error| !error.is_empty()), "a failed body has an error: {self}");
        }
        self
    }
}

impl Index<&str> for Body {
    type Output = Value;

    fn index(&self, field: &str) -> &Value {
        &self.value[field]
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {:?}, code {:?}: {:#}\n{}", self.status, self.code, self.value, self.stderr)
    }
}
