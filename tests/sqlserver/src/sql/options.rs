//! SET: the options that clients send, each with the values it takes. Any other is error 195.

use super::error::SqlError;

const EITHER: &[&str] = &["ON", "OFF"];

/// On or off, each where this server behaves so.
const SWITCHES: [(&str, &[&str]); 14] = [
    ("ANSI_NULLS", &["ON"]),
    ("ANSI_NULL_DFLT_ON", EITHER),
    ("ANSI_PADDING", &["ON"]),
    ("ANSI_WARNINGS", &["ON"]),
    ("ARITHABORT", &["ON"]),
    ("ARITHIGNORE", &["OFF"]),
    ("CONCAT_NULL_YIELDS_NULL", &["ON"]),
    ("CURSOR_CLOSE_ON_COMMIT", EITHER),
    ("FMTONLY", EITHER),
    ("IMPLICIT_TRANSACTIONS", &["OFF"]),
    ("NO_BROWSETABLE", EITHER),
    ("NOCOUNT", EITHER),
    ("QUOTED_IDENTIFIER", &["ON"]),
    ("XACT_ABORT", EITHER),
];

/// A number each.
const NUMBERS: [&str; 3] = ["DATEFIRST", "LOCK_TIMEOUT", "TEXTSIZE"];

/// A word each, of these.
const WORDS: [(&str, &[&str]); 3] =
    [("DATEFORMAT", &["DMY", "MDY", "YMD"]), ("DEADLOCK_PRIORITY", &["HIGH", "LOW", "NORMAL"]), ("LANGUAGE", &["ENGLISH", "US_ENGLISH"])];

const LEVELS: [&str; 5] = ["READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SNAPSHOT", "SERIALIZABLE"];

/// What a SET changes here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// Nothing that an answer would show.
    Accepted,
    /// Whether queries answer with their columns alone.
    MetadataOnly(bool),
    /// The isolation level: whether it is SNAPSHOT. The others differ in locks alone.
    Snapshot(bool),
    /// Whether the ends of results say no counts.
    NoCount(bool),
}

/// Reads the words after SET.
pub(crate) fn read(words: &[String]) -> Result<Setting, SqlError> {
    let upper: Vec<String> = words.iter().map(|word| word.to_ascii_uppercase()).collect();
    let words: Vec<&str> = upper.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["TRANSACTION", "ISOLATION", "LEVEL", level @ ..] => {
            if LEVELS.contains(&level.join(" ").as_str()) {
                Ok(Setting::Snapshot(*level == ["SNAPSHOT"]))
            } else {
                Err(near(level))
            }
        }
        [option, ..] if option.starts_with('@') => {
            Err(SqlError::new(137, 15, format!("Must declare the scalar variable \"{}\".", option.to_ascii_lowercase())))
        }
        ["NOCOUNT", switch @ ("ON" | "OFF")] => Ok(Setting::NoCount(*switch == "ON")),
        ["FMTONLY", switch @ ("ON" | "OFF")] => Ok(Setting::MetadataOnly(*switch == "ON")),
        [option, value @ ..] if NUMBERS.contains(option) => {
            let number = value.concat();
            if number.parse::<i64>().is_ok() { Ok(Setting::Accepted) } else { Err(near(value)) }
        }
        [option, value] if takes(&WORDS, option, value) => Ok(Setting::Accepted),
        [option, value @ ..] if WORDS.iter().any(|(name, _)| name == option) => Err(near(value)),
        [options @ .., switch] => switches(options, switch),
        [] => Err(near(&[])),
    }
}

/// `ANSI_NULLS, QUOTED_IDENTIFIER ON`
fn switches(options: &[&str], switch: &str) -> Result<Setting, SqlError> {
    let named = if options.is_empty() { std::slice::from_ref(&switch) } else { options };
    if let Some(unknown) = named.iter().step_by(2).find(|option| !SWITCHES.iter().any(|(name, _)| name == *option)) {
        return Err(SqlError::new(195, 15, format!("'{unknown}' is not a recognized SET option.")));
    }
    let separated = options.len() % 2 == 1 && options.iter().skip(1).step_by(2).all(|comma| *comma == ",");
    if separated && named.iter().step_by(2).all(|option| takes(&SWITCHES, option, switch)) {
        Ok(Setting::Accepted)
    } else {
        Err(near(&[switch]))
    }
}

fn takes(options: &[(&str, &[&str])], option: &str, value: &str) -> bool {
    options.iter().any(|(name, values)| *name == option && values.contains(&value))
}

fn near(words: &[&str]) -> SqlError {
    SqlError::syntax(words.first().unwrap_or(&"SET"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Result<Setting, i32> {
        let words: Vec<String> = text.replace(',', " , ").split_whitespace().map(str::to_owned).collect();
        read(&words).map_err(|error| error.number)
    }

    #[test]
    fn what_clients_send_is_accepted() {
        for text in ["ARITHABORT ON", "ansi_nulls, quoted_identifier on", "TEXTSIZE 2147483647", "LOCK_TIMEOUT - 1", "DATEFORMAT ymd"] {
            assert_eq!(set(text), Ok(Setting::Accepted), "{text}");
        }
        assert_eq!(set("TRANSACTION ISOLATION LEVEL SNAPSHOT"), Ok(Setting::Snapshot(true)));
        assert_eq!(set("transaction isolation level read uncommitted"), Ok(Setting::Snapshot(false)));
        assert_eq!(set("FMTONLY ON"), Ok(Setting::MetadataOnly(true)));
        assert_eq!(set("NOCOUNT OFF"), Ok(Setting::NoCount(false)));
    }

    #[test]
    fn anything_else_is_an_error_with_its_number() {
        for (text, number) in [
            ("ROWCOUNT 10", 195),
            ("STATISTICS IO ON", 195),
            ("BOGUS ON", 195),
            ("BOGUS", 195),
            ("NOCOUNT", 102),
            ("NOCOUNT MAYBE", 102),
            ("NOCOUNT ON bogus", 102),
            ("ANSI_NULLS, ANSI_PADDING OFF", 102),
            ("IMPLICIT_TRANSACTIONS ON", 102),
            ("LANGUAGE Deutsch", 102),
            ("TEXTSIZE x", 102),
            ("FMTONLY", 102),
            ("TRANSACTION ISOLATION LEVEL CHAOS", 102),
            ("@x = 1", 137),
        ] {
            assert_eq!(set(text), Err(number), "{text}");
        }
    }
}
