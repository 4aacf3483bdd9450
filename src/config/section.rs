//! Reads one section of the environment and collects everything that is wrong with it, so that one error names it all.

use std::path::PathBuf;
use std::time::Duration;

use super::Env;
use crate::error::{ErrorKind, Result, SyncError};

/// A reader over the environment that remembers what was missing or malformed.
pub(super) struct Section<'a> {
    env: &'a Env,
    missing: Vec<String>,
    problems: Vec<String>,
}

impl<'a> Section<'a> {
    pub(super) fn new(env: &'a Env) -> Self {
        Self { env, missing: Vec::new(), problems: Vec::new() }
    }

    pub(super) fn optional(&self, name: &str) -> Option<String> {
        self.env.get(name).map(str::to_owned)
    }

    /// The variable's value, or an empty text and a note that it is missing.
    pub(super) fn required(&mut self, name: &str) -> String {
        self.env.get(name).map_or_else(
            || {
                self.missing.push(name.to_owned());
                String::new()
            },
            str::to_owned,
        )
    }

    /// The variable's value as `parse` reads it. For variables that hold no secret: a malformed value is quoted.
    pub(super) fn parsed<T>(&mut self, name: &str, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.env.get(name)?.trim();
        let value = parse(text);
        if value.is_none() {
            self.problem(format!("{name} is {text:?}, expected {expected}"));
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

    /// Refuses a variable that this version cannot honour, instead of ignoring it.
    pub(super) fn refuse(&mut self, name: &str, instead: &str) {
        if self.env.get(name).is_some() {
            self.problem(format!("{name} is not supported yet in this version; {instead}"));
        }
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
        Err(if self.missing.is_empty() {
            error
        } else {
            error.with_remedy("Set them in the environment or in .env (.env.example lists every variable)")
        })
    }
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
