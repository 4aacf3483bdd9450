//! Dates and times as text, by the styles of CONVERT.

use super::SqlType;
use super::date::{DAYS_TO_1900, TICKS_PER_DAY, TICKS_PER_SECOND, date_from_days, ticks_from_300ths};
use super::value::Value;
use crate::sql::error::SqlError;

/// The parts that a type has.
struct Parts {
    days: Option<i32>,
    ticks: Option<u64>,
    /// Fractional digits to show.
    digits: u8,
    /// datetime and smalldatetime: a colon before the milliseconds, and none of them in style 126 where they are zero.
    old: bool,
    offset: Option<i16>,
}

/// The text of a date or time; `None` for any other value, error 281 for a style that its type does not have.
pub(super) fn text(value: &Value, ty: SqlType, style: Option<i32>) -> Option<Result<String, SqlError>> {
    let (_, _, digits) = ty.sizes();
    let parts = match value {
        Value::Date(days) => Parts { days: Some(*days), ticks: None, digits: 0, old: false, offset: None },
        Value::Time(ticks) => Parts { days: None, ticks: Some(*ticks), digits, old: false, offset: None },
        Value::DateTime(days, ticks) => old(days + DAYS_TO_1900, ticks_from_300ths(*ticks)),
        Value::SmallDateTime(days, minutes) => old(i32::from(*days) + DAYS_TO_1900, u64::from(*minutes) * 60 * TICKS_PER_SECOND),
        Value::DateTime2(days, ticks) => Parts { days: Some(*days), ticks: Some(*ticks), digits, old: false, offset: None },
        Value::DateTimeOffset(days, ticks, minutes) => {
            let local = i64::from(*days) * TICKS_PER_DAY as i64 + *ticks as i64 + i64::from(*minutes) * 600_000_000;
            Parts {
                days: Some(local.div_euclid(TICKS_PER_DAY as i64) as i32),
                ticks: Some(local.rem_euclid(TICKS_PER_DAY as i64) as u64),
                digits,
                old: false,
                offset: Some(*minutes),
            }
        }
        _ => return None,
    };
    let style = style.unwrap_or(if parts.old { 0 } else { 121 });
    let unknown =
        || SqlError::new(281, 16, format!("{style} is not a valid style number when converting from {} to a character string.", ty.name()));
    Some(parts.text(style).ok_or_else(unknown))
}

fn old(days: i32, ticks: u64) -> Parts {
    Parts { days: Some(days), ticks: Some(ticks), digits: 3, old: true, offset: None }
}

impl Parts {
    fn text(&self, style: i32) -> Option<String> {
        let date = self.days.and_then(|days| date(days, style));
        let clock = self.ticks.and_then(|ticks| self.clock(ticks, style));
        let offset = |blank: &str| {
            let minutes = self.offset.unwrap_or(0);
            let sign = if minutes < 0 { '-' } else { '+' };
            format!("{blank}{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
        };
        let offset = match (self.offset, &clock, style) {
            (Some(_), Some(_), 126 | 127) => offset(""),
            (Some(_), Some(_), _) => offset(" "),
            _ => String::new(),
        };
        Some(match (date, clock) {
            (Some(date), Some(clock)) => format!("{date}{}{clock}{offset}", if matches!(style, 126 | 127) { 'T' } else { ' ' }),
            (Some(date), None) => date,
            (None, Some(clock)) => clock + &offset,
            (None, None) => return None,
        })
    }

    fn clock(&self, ticks: u64, style: i32) -> Option<String> {
        let seconds = ticks / TICKS_PER_SECOND;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let half = if hour < 12 { "AM" } else { "PM" };
        let twelve = (hour + 11) % 12 + 1;
        let fraction = |mark: char| {
            let all = format!("{:07}", ticks % TICKS_PER_SECOND);
            if self.digits == 0 { String::new() } else { format!("{mark}{}", &all[..usize::from(self.digits)]) }
        };
        let mark = if self.old { ':' } else { '.' };
        Some(match style {
            0 | 100 => format!("{twelve:2}:{minute:02}{half}"),
            8 | 24 | 108 | 20 | 120 => format!("{hour:02}:{minute:02}:{second:02}"),
            9 | 109 => format!("{twelve:2}:{minute:02}:{second:02}{}{half}", fraction(mark)),
            13 | 113 | 14 | 114 => format!("{hour:02}:{minute:02}:{second:02}{}", fraction(mark)),
            22 => format!("{twelve:2}:{minute:02}:{second:02} {half}"),
            126 | 127 if self.old && ticks.is_multiple_of(TICKS_PER_SECOND) => format!("{hour:02}:{minute:02}:{second:02}"),
            21 | 25 | 121 | 126 | 127 => format!("{hour:02}:{minute:02}:{second:02}{}", fraction('.')),
            _ => return None,
        })
    }
}

fn date(days: i32, style: i32) -> Option<String> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day) = date_from_days(days);
    let name = MONTHS[month as usize - 1];
    let short = year % 100;
    Some(match style {
        0 | 100 | 9 | 109 => format!("{name} {day:2} {year:04}"),
        1 | 22 => format!("{month:02}/{day:02}/{short:02}"),
        101 => format!("{month:02}/{day:02}/{year:04}"),
        2 => format!("{short:02}.{month:02}.{day:02}"),
        102 => format!("{year:04}.{month:02}.{day:02}"),
        3 => format!("{day:02}/{month:02}/{short:02}"),
        103 => format!("{day:02}/{month:02}/{year:04}"),
        4 => format!("{day:02}.{month:02}.{short:02}"),
        104 => format!("{day:02}.{month:02}.{year:04}"),
        5 => format!("{day:02}-{month:02}-{short:02}"),
        105 => format!("{day:02}-{month:02}-{year:04}"),
        6 => format!("{day:02} {name} {short:02}"),
        106 | 13 | 113 => format!("{day:02} {name} {year:04}"),
        7 => format!("{name} {day:02}, {short:02}"),
        107 => format!("{name} {day:02}, {year:04}"),
        10 => format!("{month:02}-{day:02}-{short:02}"),
        110 => format!("{month:02}-{day:02}-{year:04}"),
        11 => format!("{short:02}/{month:02}/{day:02}"),
        111 => format!("{year:04}/{month:02}/{day:02}"),
        12 => format!("{short:02}{month:02}{day:02}"),
        112 => format!("{year:04}{month:02}{day:02}"),
        20 | 21 | 23 | 25 | 120 | 121 | 126 | 127 => format!("{year:04}-{month:02}-{day:02}"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_are_those_of_the_server() {
        let day = 737_060; // 2019-01-02
        let two = Value::DateTime2(day, 3 * 36_000_000_000 + 1_234_567);
        let cases = [
            (Value::Date(day), "date", Some(121), "2019-01-02"),
            (Value::Date(day), "date", Some(3), "02/01/19"),
            (Value::Date(day), "date", Some(0), "Jan  2 2019"),
            (Value::Time(1_234_500), "time(5)", Some(121), "00:00:00.12345"),
            (Value::DateTime(day - DAYS_TO_1900, 1), "datetime", Some(121), "2019-01-02 00:00:00.003"),
            (Value::DateTime(day - DAYS_TO_1900, 0), "datetime", Some(126), "2019-01-02T00:00:00"),
            (Value::DateTime(day - DAYS_TO_1900, 0), "datetime", None, "Jan  2 2019 12:00AM"),
            (Value::SmallDateTime((day - DAYS_TO_1900) as u16, 61), "smalldatetime", Some(121), "2019-01-02 01:01:00.000"),
            (two.clone(), "datetime2(7)", Some(121), "2019-01-02 03:00:00.1234567"),
            (two, "datetime2(7)", None, "2019-01-02 03:00:00.1234567"),
            (Value::DateTimeOffset(day, 0, -90), "datetimeoffset(0)", Some(121), "2019-01-01 22:30:00 -01:30"),
            (Value::DateTimeOffset(day, 0, 60), "datetimeoffset(2)", Some(126), "2019-01-02T01:00:00.00+01:00"),
        ];
        for (value, ty, style, expected) in cases {
            let found = text(&value, SqlType::parse(ty).unwrap(), style).unwrap();
            assert_eq!(found.as_deref(), Ok(expected), "{ty} {style:?}");
        }
        let refused = text(&Value::Date(day), SqlType::Date, Some(99)).unwrap();
        assert_eq!(refused.map_err(|error| error.number), Err(281));
    }
}
