//! Which of the source's defaults the target can have: constants, the time, new uuids. A known list: what is not on it is dropped and said.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use super::tokens::{Token, tokens};
use crate::table::{PgType, SourceColumn};

/// A default as understood.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Constant {
    Null,
    /// With its sign, as written.
    Number(String),
    Text(String),
    Bytes(Vec<u8>),
    /// The time of the insert, in UTC or as the server's clock shows it.
    Now {
        utc: bool,
        part: Part,
    },
    NewId,
}

/// What of a moment is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    Day,
    Time,
}

/// The expression that `definition` becomes for a column of `pg_type`; none where it is NULL, which needs no default.
///
/// # Errors
/// Why it cannot be taken over.
pub(super) fn translate(
    definition: &str,
    column: &SourceColumn,
    pg_type: &PgType,
    zone: Option<&TimeZone>,
) -> Result<Option<String>, String> {
    let tokens = tokens(definition).ok_or("it is an expression")?;
    let mut reader = Reader { tokens: tokens.into_iter().peekable() };
    let constant = reader.expression()?;
    if reader.tokens.next().is_some() {
        return Err("it is an expression".to_owned());
    }
    if constant == Constant::Null {
        return Ok(None);
    }
    let sql = match pg_type {
        PgType::Bool => boolean(&constant),
        PgType::Int2 => integer(&constant, i16::MIN.into(), i16::MAX.into()),
        PgType::Int4 => integer(&constant, i32::MIN.into(), i32::MAX.into()),
        PgType::Int8 => integer(&constant, i64::MIN, i64::MAX),
        PgType::Float4 | PgType::Float8 => number(&constant),
        PgType::Numeric(limits) => numeric(&constant, *limits),
        PgType::Date | PgType::Time(_) | PgType::Timestamp(_) | PgType::TimestampTz(_) => moment(&constant, column, pg_type, zone),
        PgType::Varchar(chars) => text(&constant, column, *chars),
        PgType::Char(chars) => text(&constant, column, Some(*chars)),
        PgType::Text => text(&constant, column, None),
        PgType::Uuid => uuid(&constant),
        PgType::Bytea => bytea(&constant, column),
        PgType::Xml | PgType::Json | PgType::Jsonb | PgType::Spatial(_) | PgType::Other(_) => None,
    };
    sql.map(Some).ok_or_else(|| format!("{pg_type} does not hold it as {} does", column.declared))
}

struct Reader {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
}

impl Reader {
    fn expression(&mut self) -> Result<Constant, String> {
        match self.tokens.next() {
            Some(Token::Sign("(")) => {
                let inner = self.expression()?;
                self.sign(")")?;
                Ok(inner)
            }
            Some(Token::Sign(sign @ ("-" | "+"))) => match self.expression()? {
                Constant::Number(number) if sign == "+" => Ok(Constant::Number(number)),
                Constant::Number(number) => Ok(Constant::Number(match number.strip_prefix('-') {
                    Some(positive) => positive.to_owned(),
                    None => format!("-{number}"),
                })),
                _ => Err("it is an expression".to_owned()),
            },
            Some(Token::Number(number)) => Ok(Constant::Number(number)),
            Some(Token::Text(text)) => Ok(Constant::Text(text)),
            Some(Token::Bytes(bytes)) => Ok(Constant::Bytes(bytes)),
            Some(Token::Word(word)) => self.word(&word),
            Some(Token::Name(_)) => Err("it calls a function of the source".to_owned()),
            Some(Token::Sign(_)) | None => Err("it is an expression".to_owned()),
        }
    }

    fn word(&mut self, word: &str) -> Result<Constant, String> {
        let now = |utc| Constant::Now { utc, part: Part::All };
        match word {
            "null" => return Ok(Constant::Null),
            "current_timestamp" => return Ok(now(false)),
            "convert" => {
                self.sign("(")?;
                let as_type = self.type_name()?;
                self.sign(",")?;
                let inner = self.expression()?;
                if self.tokens.next_if_eq(&Token::Sign(",")).is_some() {
                    // A style says how a text is read; only texts that are read one way alone are taken.
                    self.expression()?;
                }
                self.sign(")")?;
                return converted(inner, &as_type);
            }
            "cast" => {
                self.sign("(")?;
                let inner = self.expression()?;
                self.tokens.next_if_eq(&Token::Word("as".to_owned())).ok_or("it is an expression")?;
                let as_type = self.type_name()?;
                self.sign(")")?;
                return converted(inner, &as_type);
            }
            _ => {}
        }
        let constant = match word {
            "getdate" | "sysdatetime" => now(false),
            "getutcdate" | "sysutcdatetime" | "sysdatetimeoffset" => now(true),
            "newid" | "newsequentialid" => Constant::NewId,
            other => return Err(format!("PostgreSQL has no {other} that does the same")),
        };
        self.sign("(")?;
        self.sign(")")?;
        Ok(constant)
    }

    fn sign(&mut self, sign: &'static str) -> Result<(), String> {
        self.tokens.next_if_eq(&Token::Sign(sign)).map(|_| ()).ok_or_else(|| "it is an expression".to_owned())
    }

    /// `[varchar](10)`: the name, and the numbers behind it (`max` is none).
    fn type_name(&mut self) -> Result<(String, Vec<u32>), String> {
        let Some(Token::Name(name) | Token::Word(name)) = self.tokens.next() else { return Err("it is an expression".to_owned()) };
        let mut sizes = Vec::new();
        if self.tokens.next_if_eq(&Token::Sign("(")).is_some() {
            loop {
                match self.tokens.next() {
                    Some(Token::Number(size)) => sizes.extend(size.parse::<u32>()),
                    Some(Token::Word(_)) => sizes.push(u32::MAX),
                    Some(Token::Sign(")")) => break,
                    Some(Token::Sign(",")) => {}
                    Some(Token::Sign(_) | Token::Text(_) | Token::Bytes(_) | Token::Name(_)) | None => {
                        return Err("it is an expression".to_owned());
                    }
                }
            }
        }
        Ok((name.to_lowercase(), sizes))
    }
}

/// A constant after a conversion, where that keeps it as it is.
fn converted(constant: Constant, (name, sizes): &(String, Vec<u32>)) -> Result<Constant, String> {
    let lossy = || format!("its conversion to {name} is not done here");
    let size = |otherwise: u32| sizes.first().copied().unwrap_or(otherwise) as usize;
    let part = |part| match &constant {
        Constant::Now { utc, .. } => Some(Constant::Now { utc: *utc, part }),
        Constant::Text(text) => {
            let moment = civil(text)?;
            Some(Constant::Text(match part {
                Part::All => text.clone(),
                Part::Day => moment.date().to_string(),
                Part::Time => moment.time().to_string(),
            }))
        }
        Constant::Null | Constant::Number(_) | Constant::Bytes(_) | Constant::NewId => None,
    };
    let kept = match name.as_str() {
        _ if constant == Constant::Null => Some(Constant::Null),
        "bit" => boolean(&constant).map(|truth| Constant::Number(if truth == "true" { "1" } else { "0" }.to_owned())),
        "tinyint" => integer(&constant, 0, 255).map(Constant::Number),
        "smallint" => integer(&constant, i16::MIN.into(), i16::MAX.into()).map(Constant::Number),
        "int" => integer(&constant, i32::MIN.into(), i32::MAX.into()).map(Constant::Number),
        "bigint" => integer(&constant, i64::MIN, i64::MAX).map(Constant::Number),
        "decimal" | "numeric" => exact(&constant, size(18), sizes.get(1).copied().unwrap_or(0) as usize).map(Constant::Number),
        "money" | "smallmoney" => exact(&constant, 19, 4).map(Constant::Number),
        "float" => number(&constant).map(Constant::Number),
        "varchar" | "nvarchar" | "sysname" => {
            let plain = plain_text(&constant).filter(|text| text.encode_utf16().count() <= size(if name == "sysname" { 128 } else { 30 }));
            plain.map(Constant::Text)
        }
        "char" | "nchar" => plain_text(&constant).and_then(|text| padded(text, size(30))).map(Constant::Text),
        "date" => part(Part::Day),
        "time" => part(Part::Time),
        "datetime" | "datetime2" | "smalldatetime" | "datetimeoffset" => part(Part::All),
        "uniqueidentifier" => Some(constant.clone()).filter(|constant| uuid(constant).is_some()),
        "binary" | "varbinary" => match &constant {
            Constant::Bytes(bytes) if bytes.len() <= size(30) && name == "varbinary" => Some(constant.clone()),
            _ => None,
        },
        _ => None,
    };
    kept.ok_or_else(lossy)
}

fn boolean(constant: &Constant) -> Option<String> {
    let truth = match constant {
        Constant::Number(number) => number.parse::<f64>().ok()? != 0.0,
        Constant::Text(text) => match text.to_lowercase().as_str() {
            "true" | "1" => true,
            "false" | "0" | "" => false,
            _ => return None,
        },
        Constant::Null | Constant::Bytes(_) | Constant::Now { .. } | Constant::NewId => return None,
    };
    Some(truth.to_string())
}

/// The text of a number, whichever way it is written; an empty text is 0.
fn digits(constant: &Constant) -> Option<&str> {
    match constant {
        Constant::Number(number) => Some(number),
        Constant::Text(text) if text.trim().is_empty() => Some("0"),
        Constant::Text(text) => Some(text.trim()),
        Constant::Null | Constant::Bytes(_) | Constant::Now { .. } | Constant::NewId => None,
    }
}

fn integer(constant: &Constant, min: i64, max: i64) -> Option<String> {
    let digits = digits(constant)?;
    // `0.` and `1.00` are whole too.
    let whole = digits.split_once('.').map_or(digits, |(whole, fraction)| if fraction.chars().all(|c| c == '0') { whole } else { digits });
    let number: i64 = whole.parse().ok()?;
    (min..=max).contains(&number).then(|| number.to_string())
}

fn number(constant: &Constant) -> Option<String> {
    let digits = digits(constant)?;
    let allowed = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    (digits.chars().all(allowed) && digits.parse::<f64>().is_ok_and(f64::is_finite)).then(|| digits.to_owned())
}

fn numeric(constant: &Constant, limits: Option<(u16, u16)>) -> Option<String> {
    match limits {
        Some((precision, scale)) => exact(constant, precision.into(), scale.into()),
        None => number(constant),
    }
}

/// A number that so many digits hold without rounding.
fn exact(constant: &Constant, precision: usize, scale: usize) -> Option<String> {
    let number = number(constant)?;
    let unsigned = number.trim_start_matches(['-', '+']);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all_digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    (all_digits(whole) && all_digits(fraction) && fraction.len() <= scale && whole.len() + scale <= precision).then_some(number)
}

/// Texts, and numbers that SQL Server writes as they are written.
fn plain_text(constant: &Constant) -> Option<String> {
    match constant {
        Constant::Text(text) => Some(text.clone()),
        Constant::Number(number) if number.parse::<i32>().is_ok_and(|parsed| parsed.to_string() == *number) => Some(number.clone()),
        Constant::Null | Constant::Number(_) | Constant::Bytes(_) | Constant::Now { .. } | Constant::NewId => None,
    }
}

fn padded(text: String, units: usize) -> Option<String> {
    let missing = units.checked_sub(text.encode_utf16().count())?;
    Some(text + &" ".repeat(missing))
}

fn text(constant: &Constant, column: &SourceColumn, chars_max: Option<u32>) -> Option<String> {
    if *constant == Constant::NewId {
        // SQL Server writes uuids in capitals.
        return chars_max.is_none_or(|chars| chars >= 36).then(|| "upper(gen_random_uuid()::text)".to_owned());
    }
    let text = plain_text(constant)?;
    let fixed = ["char(", "nchar("].iter().find_map(|prefix| column.declared.strip_prefix(prefix)?.strip_suffix(')')?.parse().ok());
    let text = match fixed {
        Some(units) => padded(text, units)?,
        None => text,
    };
    let fits = chars_max.is_none_or(|max| text.chars().count() <= max as usize);
    (fits && !text.contains('\0')).then(|| quoted(&text))
}

/// A literal, whatever `standard_conforming_strings` says.
fn quoted(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", doubled.replace('\\', "\\\\")) } else { format!("'{doubled}'") }
}

fn uuid(constant: &Constant) -> Option<String> {
    match constant {
        Constant::NewId => Some("gen_random_uuid()".to_owned()),
        Constant::Text(text) => uuid::Uuid::try_parse(text).ok().map(|uuid| quoted(&uuid.to_string())),
        Constant::Null | Constant::Number(_) | Constant::Bytes(_) | Constant::Now { .. } => None,
    }
}

fn bytea(constant: &Constant, column: &SourceColumn) -> Option<String> {
    let Constant::Bytes(bytes) = constant else { return None };
    let mut bytes = bytes.clone();
    if let Some(size) = column.declared.strip_prefix("binary(").and_then(|size| size.strip_suffix(')')?.parse().ok()) {
        if bytes.len() > size {
            return None;
        }
        bytes.resize(size, 0);
    }
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("decode('{hex}', 'hex')"))
}

fn moment(constant: &Constant, column: &SourceColumn, pg_type: &PgType, zone: Option<&TimeZone>) -> Option<String> {
    if let Constant::Now { utc, part } = constant {
        return now(*utc, *part, pg_type, zone);
    }
    if let (PgType::Time(_), Constant::Text(text)) = (pg_type, constant) {
        return text.parse::<Time>().ok().map(|time| quoted(&clock(time)));
    }
    let moment = match constant {
        Constant::Text(text) => civil(text)?,
        // A number of days; the newer types take none.
        Constant::Number(number) if ["datetime", "smalldatetime"].contains(&column.declared.as_str()) => {
            let days = jiff::Span::new().try_days(number.parse::<i64>().ok()?).ok()?;
            DateTime::from_parts(jiff::civil::date(1900, 1, 1).checked_add(days).ok()?, Time::midnight())
        }
        Constant::Null | Constant::Number(_) | Constant::Bytes(_) | Constant::Now { .. } | Constant::NewId => return None,
    };
    match pg_type {
        PgType::Date => Some(quoted(&moment.date().to_string())),
        PgType::Timestamp(_) => Some(quoted(&format!("{} {}", moment.date(), clock(moment.time())))),
        PgType::TimestampTz(_) => Some(quoted(&format!("{} {}+00", moment.date(), clock(moment.time())))),
        _ => None,
    }
}

/// A text that is read as one moment whatever the session's language; the empty one is SQL Server's first day.
fn civil(text: &str) -> Option<DateTime> {
    let text = text.trim();
    if text.is_empty() {
        return Some(jiff::civil::date(1900, 1, 1).at(0, 0, 0, 0));
    }
    // An offset would be read over.
    let plain = text.chars().all(|c| c.is_ascii_digit() || "-:. T".contains(c)) && text.matches('-').count() != 3;
    let parsed = plain.then(|| text.parse::<DateTime>().ok().or_else(|| Some(text.parse::<Date>().ok()?.at(0, 0, 0, 0))))?;
    parsed.filter(|moment| moment.year() >= 1)
}

/// Digits below the microsecond are cut: rounded up, the last moment of 9999 would be none.
fn clock(time: Time) -> String {
    let micros = time.subsec_nanosecond() / 1_000;
    let whole = format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second());
    if micros == 0 { whole } else { format!("{whole}.{micros:06}").trim_end_matches('0').to_owned() }
}

fn now(utc: bool, part: Part, pg_type: &PgType, zone: Option<&TimeZone>) -> Option<String> {
    let name = if utc { Some("UTC") } else { zone.and_then(TimeZone::iana_name) };
    let local =
        |plain: &str, cast: &str| name.map_or_else(|| plain.to_owned(), |zone| format!("(now() AT TIME ZONE {}){cast}", quoted(zone)));
    match (part, pg_type) {
        (Part::All, PgType::TimestampTz(_)) => Some("now()".to_owned()),
        (Part::All, PgType::Timestamp(_)) => Some(local("LOCALTIMESTAMP", "")),
        (Part::All | Part::Day, PgType::Date) | (Part::Day, PgType::Timestamp(_)) => Some(local("CURRENT_DATE", "::date")),
        (Part::All | Part::Time, PgType::Time(_)) => Some(local("LOCALTIME", "::time")),
        _ => None,
    }
}

#[cfg(test)]
#[path = "default_tests.rs"]
mod tests;
