//! The environment and the arguments, read once: the only reader of `std::env`.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use crate::error::{ErrorKind, Result, SyncError};

/// The arguments of this process, the program's name first.
pub fn arguments() -> Vec<OsString> {
    std::env::args_os().collect()
}

/// A snapshot of environment variables; tests make their own from pairs.
#[derive(Clone, Default)]
pub struct Env {
    variables: HashMap<String, String>,
}

impl Env {
    /// The variables of this process and, outside Lambda, those of `.env` in the working directory that are not set.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when `.env` is there but cannot be read.
    pub fn from_process() -> Result<Self> {
        let set = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let env: Self = set.collect();
        if env.is_lambda() { Ok(env) } else { env.with_dotenv(Path::new(".env")) }
    }

    /// The variable's value; an empty one counts as unset.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether this process runs in AWS Lambda.
    pub fn is_lambda(&self) -> bool {
        self.get("AWS_LAMBDA_FUNCTION_NAME").is_some()
    }

    /// Adds the variables of `file` that are not set; a missing file adds none.
    fn with_dotenv(mut self, file: &Path) -> Result<Self> {
        let pairs = match dotenvy::from_path_iter(file) {
            Ok(pairs) => pairs,
            Err(error) if error.not_found() => return Ok(self),
            Err(error) => return Err(unreadable(file, "").with_cause(error)),
        };
        for (number, pair) in pairs.enumerate() {
            // The parser's own message quotes the line, and the line may hold a password: neither sentence nor cause carries it.
            let (name, value) = pair.map_err(|error| match error {
                dotenvy::Error::LineParse(..) => unreadable(file, &format!(" from its variable number {} on", number + 1)),
                other => unreadable(file, "").with_cause(other),
            })?;
            self.variables.entry(name).or_insert(value);
        }
        Ok(self)
    }
}

fn unreadable(file: &Path, place: &str) -> SyncError {
    SyncError::new(ErrorKind::Config, format!("{} cannot be read{place}", file.display()))
        .with_remedy("Expected lines of NAME=value; put a value with blanks, # or quotes in it between single quotes")
}

/// Names only: values may be secrets.
impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.variables.keys().collect();
        names.sort();
        f.debug_tuple("Env").field(&names).finish()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self { variables: pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(text: &str) -> Result<Env> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(".env");
        std::fs::write(&file, text).unwrap();
        Env::from_iter([("PG_HOST", "set"), ("PG_DB", "")]).with_dotenv(&file)
    }

    #[test]
    fn a_dotenv_file_fills_in_and_never_overrides() {
        let env = with_file("# comment\nPG_HOST=file\nPG_DB=file\nPG_USER='a b#c'\n").unwrap();
        assert_eq!((env.get("PG_HOST"), env.get("PG_USER")), (Some("set"), Some("a b#c")));
        assert_eq!(env.get("PG_DB"), None, "a variable that is set to nothing is set");
    }

    #[test]
    fn no_dotenv_file_is_no_error() {
        assert!(Env::default().with_dotenv(Path::new("/nonexistent/.env")).is_ok());
    }

    #[test]
    fn a_broken_dotenv_line_is_named_without_its_text() {
        let error = with_file("PG_HOST=a\nPG_PASSWORD=zq7 zq7\n").unwrap_err();
        assert!(error.to_string().contains(".env cannot be read from its variable number 2 on"), "{error}");
        assert!(!format!("{error:?} {}", error.chain()).contains("zq7"), "{error:?}");
    }

    #[test]
    fn debug_shows_names_and_no_values() {
        assert_eq!(format!("{:?}", Env::from_iter([("PG_PASSWORD", "canary")])), "Env([\"PG_PASSWORD\"])");
    }
}
