//! What is wrong with the file, and where: every problem has its line and its JSON path.

use std::fmt;
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::error::{ErrorKind, SyncError};
use crate::table::did_you_mean;

/// One step of a JSON path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Field(String),
    Item(usize),
}

#[derive(Debug)]
struct Problem {
    line: Option<usize>,
    path: String,
    message: String,
    steps: Vec<Step>,
}

/// Everything that was found wrong.
#[derive(Debug, Default)]
pub(in crate::config) struct Problems(Vec<Problem>);

impl Problems {
    /// serde's own complaint, with the nearest valid name where it lists the valid ones.
    pub(super) fn of_form(error: &serde_path_to_error::Error<serde_json::Error>) -> Self {
        let message = plain(error.inner());
        // Where the text ends early the path ends in a step that has no name yet.
        let path = error.path().to_string();
        let path = path.strip_suffix('?').map_or(path.as_str(), |known| known.trim_end_matches('.')).to_owned();
        Self(vec![Problem { line: Some(error.inner().line()), path, message: with_nearest(in_words(message)), steps: Vec::new() }])
    }

    /// Text after the end of the JSON value.
    pub(super) fn of_end(error: &serde_json::Error) -> Self {
        Self(vec![Problem { line: Some(error.line()), path: ".".to_owned(), message: plain(error), steps: Vec::new() }])
    }

    /// Adds a problem of meaning at a path.
    pub(super) fn add(&mut self, steps: Vec<Step>, message: impl Into<String>) {
        let mut path = String::new();
        for step in &steps {
            match step {
                Step::Field(name) if path.is_empty() => path.push_str(name),
                Step::Field(name) => path.extend([".", name]),
                Step::Item(index) => path.push_str(&format!("[{index}]")),
            }
        }
        self.0.push(Problem { line: None, path, message: message.into(), steps });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Finds the line of every problem of meaning.
    pub(super) fn located(mut self, text: &str) -> Self {
        for problem in &mut self.0 {
            problem.line = problem.line.or_else(|| line_of(text, &problem.steps));
        }
        self
    }

    /// One error over all of them, one a line.
    pub(in crate::config) fn into_error(self, path: &Path) -> SyncError {
        let lines: Vec<_> = self.0.iter().map(|problem| problem.in_file(path)).collect();
        SyncError::new(ErrorKind::Config, lines.join("\n"))
    }
}

impl Problem {
    fn in_file(&self, path: &Path) -> String {
        let line = self.line.map(|line| format!(", line {line}")).unwrap_or_default();
        let field = if matches!(self.path.as_str(), "" | ".") { String::new() } else { format!("{}: ", self.path) };
        format!("{}{line}: {field}{}", path.display(), self.message)
    }
}

/// The message without the position that serde_json appends.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).unwrap_or(&text).to_owned()
}

/// serde names the number types of Rust, which say nothing to whoever writes the file.
fn in_words(message: String) -> String {
    let words = [(", expected u64", ", expected a whole number from 0"), (", expected f64", ", expected a number")];
    let worded = words.iter().find_map(|(jargon, plain)| Some(format!("{}{plain}", message.strip_suffix(jargon)?)));
    worded.unwrap_or(message)
}

/// serde writes "unknown field `x`, expected one of `a`, `b`": the names stand between back quotes.
fn with_nearest(message: String) -> String {
    if !message.starts_with("unknown ") {
        return message;
    }
    let mut names = message.split('`').skip(1).step_by(2);
    let hint = names.next().map(|wrong| did_you_mean(wrong, names)).unwrap_or_default();
    message.replacen(", expected", &format!("{hint}, expected"), 1)
}

/// The line on which the value at `steps` begins: the text is read up to there, and the parser's position is taken.
fn line_of(text: &str, steps: &[Step]) -> Option<usize> {
    let error = Seek { steps }.deserialize(&mut serde_json::Deserializer::from_str(text)).err()?;
    (error.line() > 0).then(|| error.line())
}

/// Walks down `steps` and fails where they end, so that the parser tells where that is.
#[derive(Clone, Copy)]
struct Seek<'a> {
    steps: &'a [Step],
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.steps.is_empty() { Err(D::Error::custom("here")) } else { deserializer.deserialize_any(self) }
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a path that is there")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            match self.steps {
                [Step::Field(wanted), rest @ ..] if *wanted == name => map.next_value_seed(Seek { steps: rest })?,
                _ => map.next_value::<IgnoredAny>().map(|_| ())?,
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let (wanted, rest) = match self.steps {
            [Step::Item(wanted), rest @ ..] => (*wanted, rest),
            _ => return while_any(&mut seq),
        };
        for _ in 0..wanted {
            seq.next_element::<IgnoredAny>()?;
        }
        seq.next_element_seed(Seek { steps: rest })?;
        Ok(())
    }
}

fn while_any<'de, A: SeqAccess<'de>>(seq: &mut A) -> Result<(), A::Error> {
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}
