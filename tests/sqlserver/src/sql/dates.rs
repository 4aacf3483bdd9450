//! DATEPART, DATEADD and DATEDIFF, whose first argument is a word.

use std::sync::Arc;

use super::error::SqlError;
use super::expr::{Apply, Expr, Kind, Node};
use crate::types::cast::{Conversion, cast};
use crate::types::date::{DAYS_TO_1753, LAST_DAY, TICKS_PER_DAY, TICKS_PER_SECOND, date_from_days, days_from_date};
use crate::types::value::Value;
use crate::types::{SqlType, collation};

const DAY: i64 = TICKS_PER_DAY as i64;
const SECOND: i64 = TICKS_PER_SECOND as i64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Year,
    Quarter,
    Month,
    DayOfYear,
    Day,
    Week,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
    Offset,
}

const WORDS: [(Part, &[&str]); 13] = [
    (Part::Year, &["year", "yy", "yyyy"]),
    (Part::Quarter, &["quarter", "qq", "q"]),
    (Part::Month, &["month", "mm", "m"]),
    (Part::DayOfYear, &["dayofyear", "dy", "y"]),
    (Part::Day, &["day", "dd", "d"]),
    (Part::Week, &["week", "wk", "ww"]),
    (Part::Hour, &["hour", "hh"]),
    (Part::Minute, &["minute", "mi", "n"]),
    (Part::Second, &["second", "ss", "s"]),
    (Part::Millisecond, &["millisecond", "ms"]),
    (Part::Microsecond, &["microsecond", "mcs"]),
    (Part::Nanosecond, &["nanosecond", "ns"]),
    (Part::Offset, &["tzoffset", "tz"]),
];

/// A function of a word and values; `None` when it is none of them.
pub(super) fn call(function: &str, word: &str, values: Vec<Expr>) -> Option<Result<Expr, SqlError>> {
    let part = || {
        let lower = word.to_ascii_lowercase();
        let found = WORDS.iter().find(|(_, words)| words.contains(&lower.as_str())).map(|(part, _)| *part);
        found.ok_or_else(|| SqlError::new(155, 15, format!("'{word}' is not a recognized {function} option.")))
    };
    match (function, values.len()) {
        ("datepart", 1) => Some(part().and_then(|part| date_part(part, word, values))),
        ("dateadd", 2) => Some(part().and_then(|part| date_add(part, word, values))),
        ("datediff" | "datediff_big", 2) => Some(part().and_then(|part| date_diff(function == "datediff_big", part, word, values))),
        _ => None,
    }
}

fn unsupported(word: &str, function: &str, ty: SqlType) -> SqlError {
    let message =
        format!("The datepart {} is not supported by date function {function} for data type {}.", word.to_ascii_lowercase(), ty.name());
    SqlError::new(9810, 16, message)
}

/// A moment as 100 ns since 0001-01-01 in UTC, and its offset in minutes.
fn instant(value: &Value, from: SqlType) -> Result<Option<(i64, i16)>, SqlError> {
    let to = SqlType::DateTimeOffset(7);
    let how = Conversion { from, from_collation: collation::DEFAULT, to, to_collation: collation::DEFAULT, style: None };
    Ok(match cast(value, &how)? {
        Value::DateTimeOffset(days, ticks, minutes) => Some((i64::from(days) * DAY + ticks as i64, minutes)),
        _ => None,
    })
}

fn date_part(part: Part, word: &str, values: Vec<Expr>) -> Result<Expr, SqlError> {
    let ty = values[0].kind.ty;
    let zoned = matches!(ty, SqlType::DateTimeOffset(_) | SqlType::DateTime2(_)) || ty.has_collation();
    match part {
        Part::Offset if !zoned => return Err(unsupported("tzoffset", "datepart", ty)),
        Part::Week => return Err(SqlError::new(155, 15, format!("'{word}' is not a recognized datepart option."))),
        _ => {}
    }
    let apply: Apply = Arc::new(move |values| {
        let Some((utc, minutes)) = instant(&values[0], ty)? else { return Ok(Value::Null) };
        let local = utc + i64::from(minutes) * 60 * SECOND;
        let (days, ticks) = (local.div_euclid(DAY) as i32, local.rem_euclid(DAY));
        let (year, month, day) = date_from_days(days);
        Ok(Value::Int(match part {
            Part::Year => year.into(),
            Part::Quarter => i64::from((month - 1) / 3 + 1),
            Part::Month => month.into(),
            Part::DayOfYear => i64::from(days - days_from_date(year, 1, 1).unwrap_or(0)) + 1,
            Part::Day | Part::Week => day.into(),
            Part::Hour => ticks / SECOND / 3600,
            Part::Minute => ticks / SECOND / 60 % 60,
            Part::Second => ticks / SECOND % 60,
            Part::Millisecond => ticks % SECOND / 10_000,
            Part::Microsecond => ticks % SECOND / 10,
            Part::Nanosecond => ticks % SECOND * 100,
            Part::Offset => minutes.into(),
        }))
    });
    Ok(Expr { node: Node::Call(apply, values), kind: Kind::of(SqlType::Int) })
}

/// `DATEADD(word, number, date)`: of the date's type; of datetime where the date is text.
fn date_add(part: Part, word: &str, mut values: Vec<Expr>) -> Result<Expr, SqlError> {
    let date = values.remove(1);
    let date = if date.kind.ty.has_collation() { date.into_type(SqlType::DateTime)? } else { date };
    let ty = date.kind.ty;
    let clock = matches!(part, Part::Hour | Part::Minute | Part::Second | Part::Millisecond | Part::Microsecond | Part::Nanosecond);
    let fine = matches!(part, Part::Microsecond | Part::Nanosecond);
    let fits = match ty {
        SqlType::Date => !clock,
        SqlType::Time(_) => clock,
        SqlType::DateTime | SqlType::SmallDateTime => !fine,
        SqlType::DateTime2(_) | SqlType::DateTimeOffset(_) => true,
        other => {
            let message = format!("Argument data type {} is invalid for argument 3 of dateadd function.", other.name());
            return Err(SqlError::new(8116, 16, message));
        }
    };
    if !fits || part == Part::Offset {
        return Err(unsupported(word, "dateadd", ty));
    }
    let number = values.remove(0).into_type(SqlType::Int)?;
    let kind = Kind { identity: false, nullable: true, ..date.kind };
    let apply: Apply = Arc::new(move |values| match (&values[0], instant(&values[1], ty)?) {
        (Value::Int(number), Some((utc, minutes))) => {
            let offset = i64::from(minutes) * 60 * SECOND;
            let overflow = || SqlError::new(517, 16, format!("Adding a value to a '{}' column caused an overflow.", ty.name()));
            let local = added(part, *number, utc + offset).ok_or_else(overflow)?;
            let first = if matches!(ty, SqlType::DateTime) { i64::from(DAYS_TO_1753) } else { 0 };
            if !matches!(ty, SqlType::Time(_)) && !(first..=i64::from(LAST_DAY)).contains(&local.div_euclid(DAY)) {
                return Err(overflow());
            }
            let utc = local - offset;
            let value = Value::DateTimeOffset(utc.div_euclid(DAY) as i32, utc.rem_euclid(DAY) as u64, minutes);
            let from = SqlType::DateTimeOffset(7);
            cast(&value, &Conversion { from, from_collation: collation::DEFAULT, to: ty, to_collation: collation::DEFAULT, style: None })
        }
        _ => Ok(Value::Null),
    });
    Ok(Expr { node: Node::Call(apply, vec![number, date]), kind })
}

fn added(part: Part, number: i64, local: i64) -> Option<i64> {
    let months = match part {
        Part::Year => Some(number.checked_mul(12)?),
        Part::Quarter => Some(number.checked_mul(3)?),
        Part::Month => Some(number),
        _ => None,
    };
    if let Some(months) = months {
        let (year, month, day) = date_from_days(local.div_euclid(DAY) as i32);
        let total = i64::from(year) * 12 + i64::from(month) - 1 + months;
        let (year, month) = (i32::try_from(total.div_euclid(12)).ok()?, total.rem_euclid(12) as u32 + 1);
        // The last day of a month that has not so many.
        let days = (0..4).find_map(|less| days_from_date(year, month, day - less))?;
        return Some(i64::from(days) * DAY + local.rem_euclid(DAY));
    }
    let ticks = match part {
        Part::Week => number.checked_mul(7 * DAY)?,
        Part::DayOfYear | Part::Day => number.checked_mul(DAY)?,
        Part::Nanosecond => (number + 50).div_euclid(100),
        other => number.checked_mul(unit(other)?)?,
    };
    local.checked_add(ticks)
}

/// The length of the parts that all have the same.
fn unit(part: Part) -> Option<i64> {
    Some(match part {
        Part::DayOfYear | Part::Day => DAY,
        Part::Hour => 3600 * SECOND,
        Part::Minute => 60 * SECOND,
        Part::Second => SECOND,
        Part::Millisecond => 10_000,
        Part::Microsecond => 10,
        Part::Year | Part::Quarter | Part::Month | Part::Week | Part::Nanosecond | Part::Offset => return None,
    })
}

/// `DATEDIFF(word, from, to)`: how many boundaries of the part lie between.
fn date_diff(big: bool, part: Part, word: &str, values: Vec<Expr>) -> Result<Expr, SqlError> {
    let (name, result) = if big { ("datediff_big", SqlType::BigInt) } else { ("datediff", SqlType::Int) };
    let types = [values[0].kind.ty, values[1].kind.ty];
    if part == Part::Offset {
        return Err(unsupported(word, name, types[0]));
    }
    let count = move |ticks: i64| -> i64 {
        let (year, month, _) = date_from_days(ticks.div_euclid(DAY) as i32);
        let months = i64::from(year) * 12 + i64::from(month) - 1;
        match part {
            Part::Year => year.into(),
            Part::Quarter => months.div_euclid(3),
            Part::Month => months,
            // Weeks begin on Sunday, whatever DATEFIRST says; 0001-01-01 is a Monday.
            Part::Week => (ticks.div_euclid(DAY) + 1).div_euclid(7),
            other => unit(other).map_or(ticks, |unit| ticks.div_euclid(unit)),
        }
    };
    let apply: Apply = Arc::new(move |values| {
        let (Some((from, _)), Some((to, _))) = (instant(&values[0], types[0])?, instant(&values[1], types[1])?) else {
            return Ok(Value::Null);
        };
        let difference = i128::from(count(to)) - i128::from(count(from));
        let difference = if part == Part::Nanosecond { difference * 100 } else { difference };
        if crate::types::parse::fits(difference, result) {
            return Ok(Value::Int(difference as i64));
        }
        let message = format!(
            "The {name} function resulted in an overflow. The number of dateparts separating two date/time instances is too large. Try to use \
             {name} with a less precise datepart."
        );
        Err(SqlError::new(535, 16, message))
    });
    Ok(Expr { node: Node::Call(apply, values), kind: Kind::of(result) })
}
