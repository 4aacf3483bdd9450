//! Reads one section of the environment and collects everything that is wrong with it, so that one error names it all.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use super::Env;
use super::secret::LiveSecret;
use crate::error::{ErrorKind, Result, SyncError};

/// A reader over the environment that remembers what was missing or malformed; a secret may fill what the environment leaves out.
pub(super) struct Section<'a> {
    env: &'a Env,
    secret: Option<&'a LiveSecret>,
    /// What the secret says, by variable.
    filled: HashMap<String, String>,
    missing: Vec<String>,
    problems: Vec<String>,
}

impl<'a> Section<'a> {
    pub(super) fn new(env: &'a Env) -> Self {
        Self { env, secret: None, filled: HashMap::new(), missing: Vec::new(), problems: Vec::new() }
    }

    /// Lets what a secret says about the address stand in for these variables, where they are not set.
    pub(super) fn fill(&mut self, secret: &'a LiveSecret, host: &str, port: &str, database: &str) {
        let says = secret.now();
        let pairs = [(host, says.host), (port, says.port.map(|port| port.to_string())), (database, says.dbname)];
        let unset = pairs.into_iter().filter(|(name, _)| self.env.get(name).is_none());
        self.filled = unset.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        self.secret = Some(secret);
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.env.get(name).or_else(|| self.filled.get(name).map(String::as_str))
    }

    /// Whether the variable's value is the secret's.
    pub(super) fn is_filled(&self, name: &str) -> bool {
        self.filled.contains_key(name)
    }

    pub(super) fn optional(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// The variable's value, which is a name that will be shown: a whole connection string in its place is refused, its password unseen.
    pub(super) fn plain(&mut self, name: &str) -> Option<String> {
        let value = self.optional(name)?;
        if looks_like_an_address(&value) {
            self.problem(format!("{name} is a connection string, expected a name"));
            return None;
        }
        Some(value)
    }

    /// The variable's value, or an empty text and a note that it is missing.
    pub(super) fn required(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.missing(name);
            String::new()
        })
    }

    /// Notes that a variable is missing.
    pub(super) fn missing(&mut self, name: &str) {
        self.missing.push(name.to_owned());
    }

    /// The variable's value as `parse` reads it. For variables that hold no secret: a malformed value is quoted, unless it looks as if it held one.
    pub(super) fn parsed<T>(&mut self, name: &str, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.get(name)?.trim();
        let value = parse(text);
        if value.is_none() {
            let problem = match self.secret {
                Some(secret) if self.is_filled(name) => format!("the {} fills {name} with something else than {expected}", secret.name()),
                // A whole address with its password, put where a part of it belongs.
                _ if text.contains(['@', '=', ';']) || text.contains("://") => format!("{name} is something else than {expected}"),
                _ => format!("{name} is {text:?}, expected {expected}"),
            };
            self.problem(problem);
        }
        value
    }

    pub(super) fn port(&mut self, name: &str) -> Option<u16> {
        self.parsed(name, "a port from 1 to 65535", |text| text.parse().ok().filter(|port| *port != 0))
    }

    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        self.parsed(name, "true or false", parse_flag)
    }

    pub(super) fn duration(&mut self, name: &str) -> Option<Duration> {
        self.parsed(name, "a duration such as 10s, 2m or a number of seconds", parse_duration)
    }

    pub(super) fn file(&mut self, name: &str) -> Option<PathBuf> {
        self.parsed(name, "the path of a readable file", |text| std::fs::File::open(text).is_ok().then(|| PathBuf::from(text)))
    }

    pub(super) fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// Ends the section: `Ok` when nothing was missing or wrong.
    pub(super) fn finish(mut self, what: &str) -> Result<()> {
        if !self.missing.is_empty() {
            let be = if self.missing.len() == 1 { "is" } else { "are" };
            self.problems.insert(0, format!("{} {be} not set", self.missing.join(", ")));
        }
        if self.problems.is_empty() {
            return Ok(());
        }
        let error = SyncError::new(ErrorKind::Config, format!("{what}: {}", self.problems.join("; ")));
        Err(match self.secret {
            _ if self.missing.is_empty() => error,
            Some(secret) => {
                let lacks: Vec<_> = self.missing.iter().filter_map(|name| field(name)).collect();
                error.with_remedy(format!("The {} has no {}: add that to it, or set the variable", secret.name(), lacks.join(", ")))
            }
            None => error.with_remedy("Set them in the environment or in .env (.env.example lists every variable)"),
        })
    }
}

/// Whether a text is a whole connection string, put where one part of it belongs.
pub(super) fn looks_like_an_address(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let assigns = |word: &str| text.split(word).skip(1).any(|rest| rest.trim_start().starts_with('='));
    text.contains("://") || assigns("password") || assigns("pwd")
}

/// A secret's field that fills a variable.
fn field(variable: &str) -> Option<&'static str> {
    let fields = [("_HOST", "host"), ("_DB", "dbname"), ("_USER", "username"), ("_PASSWORD", "password")];
    fields.iter().find(|(ending, _)| variable.ends_with(ending)).map(|(_, field)| *field)
}

fn parse_flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// A duration as people write it (`10s`, `15m`, `1h 30m`); a plain number is seconds.
pub fn parse_duration(text: &str) -> Option<Duration> {
    match text.trim().parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => humantime::parse_duration(text.trim()).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_strings_are_told_from_names() {
        for text in ["postgres://u:p@h/d", "host=h PASSWORD = p", "Server=h;Pwd=p;"] {
            assert!(looks_like_an_address(text), "{text}");
        }
        for text in ["McTM", "passwords", "DOMAIN\\user", "user@server", "a=b"] {
            assert!(!looks_like_an_address(text), "{text}");
        }
    }

    #[test]
    fn durations_have_units_or_are_seconds() {
        let cases = [("10s", Some(10.0)), ("2m", Some(120.0)), ("1h 30m", Some(5400.0)), ("7", Some(7.0)), ("0.5", Some(0.5))];
        for (text, seconds) in cases {
            assert_eq!(parse_duration(text).map(|d| d.as_secs_f64()), seconds, "{text}");
        }
        for wrong in ["", "soon", "-1", "NaN", "1e400", "10 parsecs"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }
}
