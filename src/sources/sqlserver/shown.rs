//! A row for people: values of its key in messages, and the whole of it where it is put aside.

use std::fmt::Write;

use jiff::civil::Date;
use serde_json::{Map, Number, Value};
use tiberius::ColumnData;

use super::cell::{integer, is_null};
use super::text::TextForm;
use crate::table::BadText;

/// A value that is put aside is cut at this many bytes.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// A value as a person would write it; bytes that are text by `form` as that text.
pub(super) fn display(data: &ColumnData<'_>, form: Option<TextForm>) -> String {
    match data {
        data if is_null(data) => "NULL".to_owned(),
        ColumnData::String(Some(value)) => value.to_string(),
        ColumnData::Binary(Some(bytes)) => match form {
            Some(form) => lossy(bytes, form),
            None => format!("0x{}", hex(bytes)),
        },
        ColumnData::Guid(Some(value)) => value.to_string(),
        // The driver shows a point and a zero behind whole numbers too.
        ColumnData::Numeric(Some(value)) if value.scale() == 0 => value.value().to_string(),
        ColumnData::Numeric(Some(value)) => value.to_string(),
        ColumnData::F32(Some(value)) => value.to_string(),
        ColumnData::F64(Some(value)) => value.to_string(),
        data => integer(data).map(|value| value.to_string()).or_else(|| moment(data)).unwrap_or_else(|| format!("{data:?}")),
    }
}

/// A row as a JSON object.
pub(super) fn json<'a, 'd: 'a>(cells: impl Iterator<Item = (&'a str, &'a ColumnData<'d>, Option<TextForm>)>) -> String {
    let fields: Map<_, _> = cells.map(|(name, data, form)| (name.to_owned(), json_value(data, form))).collect();
    Value::Object(fields).to_string()
}

fn json_value(data: &ColumnData<'_>, form: Option<TextForm>) -> Value {
    match data {
        data if is_null(data) => Value::Null,
        ColumnData::Bit(Some(value)) => Value::Bool(*value),
        ColumnData::F32(Some(value)) => Number::from_f64(f64::from(*value)).map_or(Value::Null, Value::Number),
        ColumnData::F64(Some(value)) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
        // Only what is kept is made hexadecimal.
        ColumnData::Binary(Some(bytes)) if form.is_none() && bytes.len() > KEPT_BYTES_MAX / 2 => {
            Value::String(format!("0x{}{}", hex(&bytes[..KEPT_BYTES_MAX / 2]), cut_mark(bytes.len())))
        }
        ColumnData::U8(_) | ColumnData::I16(_) | ColumnData::I32(_) | ColumnData::I64(_) => integer(data).map_or(Value::Null, Value::from),
        data => Value::String(cut(display(data, form))),
    }
}

fn cut(mut text: String) -> String {
    if text.len() > KEPT_BYTES_MAX {
        let mark = cut_mark(text.len());
        text.truncate(text.floor_char_boundary(KEPT_BYTES_MAX));
        text.push_str(&mark);
    }
    text
}

fn cut_mark(bytes: usize) -> String {
    format!("... (cut: {bytes} bytes)")
}

fn lossy(bytes: &[u8], form: TextForm) -> String {
    let mut text = String::new();
    // With replacing there is nothing to fail.
    let _ = form.decode(bytes, BadText::Replace, &mut text);
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

/// Days and times as SQL Server shows them.
fn moment(data: &ColumnData<'_>) -> Option<String> {
    let day = |base: Date, days: i64| base.checked_add(jiff::Span::new().try_days(days).ok()?).ok().map(|day| day.to_string());
    let (first, epoch) = (jiff::civil::date(1, 1, 1), jiff::civil::date(1900, 1, 1));
    Some(match data {
        ColumnData::Date(Some(date)) => day(first, date.days().into())?,
        ColumnData::Time(Some(time)) => time_of_day(time.increments(), time.scale()),
        ColumnData::DateTime(Some(moment)) => {
            let millis = (u64::from(moment.seconds_fragments()) * 10 + 1) / 3;
            format!("{} {}", day(epoch, moment.days().into())?, time_of_day(millis, 3))
        }
        ColumnData::SmallDateTime(Some(moment)) => {
            format!("{} {}", day(epoch, moment.days().into())?, time_of_day(u64::from(moment.seconds_fragments()) * 60, 0))
        }
        ColumnData::DateTime2(Some(moment)) => {
            format!("{} {}", day(first, moment.date().days().into())?, time_of_day(moment.time().increments(), moment.time().scale()))
        }
        ColumnData::DateTimeOffset(Some(moment)) => {
            let (date, time) = (moment.datetime2().date(), moment.datetime2().time());
            format!("{} {}+00:00", day(first, date.days().into())?, time_of_day(time.increments(), time.scale()))
        }
        _ => return None,
    })
}

/// `12:34:56.789` of so many units of 10 to the minus `scale` seconds.
fn time_of_day(units: u64, scale: u8) -> String {
    let per_second = 10_u64.pow(scale.min(7).into());
    let (seconds, fraction) = (units / per_second, units % per_second);
    let time = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if scale == 0 { time } else { format!("{time}.{fraction:0width$}", width = usize::from(scale)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    #[test]
    fn values_are_shown_as_people_write_them() {
        let shown = |data: ColumnData<'static>| display(&data, None);
        assert_eq!(shown(ColumnData::I32(Some(-7))), "-7");
        assert_eq!(shown(ColumnData::Numeric(Some(tiberius::numeric::Numeric::new_with_scale(12_345, 2)))), "123.45");
        assert_eq!(shown(ColumnData::Numeric(Some(tiberius::numeric::Numeric::new_with_scale(-5, 0)))), "-5");
        assert_eq!(shown(ColumnData::Numeric(Some(tiberius::numeric::Numeric::new_with_scale(-5, 1)))), "-0.5");
        assert_eq!(shown(ColumnData::Date(Some(tiberius::time::Date::new(738_000)))), "2021-07-30");
        let time = tiberius::time::Time::new(123_456, 3);
        assert_eq!(shown(ColumnData::Time(Some(time))), "00:02:03.456");
        let moment = tiberius::time::DateTime2::new(tiberius::time::Date::new(0), time);
        assert_eq!(shown(ColumnData::DateTime2(Some(moment))), "0001-01-01 00:02:03.456");
        assert_eq!(shown(ColumnData::DateTime(Some(tiberius::time::DateTime::new(0, 25_919_999)))), "1900-01-01 23:59:59.997");
        assert_eq!(shown(ColumnData::SmallDateTime(Some(tiberius::time::SmallDateTime::new(1, 61)))), "1900-01-02 01:01:00");
        assert_eq!(shown(ColumnData::Binary(Some(Cow::Borrowed(&[0, 0xAB])))), "0x00AB");
        assert_eq!(display(&ColumnData::Binary(Some(Cow::Borrowed(b"a\0"))), Some(TextForm::Utf16)), "a");
    }

    #[test]
    fn a_row_is_kept_as_json_and_long_values_are_cut() {
        let long = ColumnData::String(Some("é".repeat(40_000).into()));
        let cells =
            [("Id", ColumnData::I64(Some(7))), ("Ok", ColumnData::Bit(Some(true))), ("N", ColumnData::String(None)), ("Long", long)];
        let kept: Value = serde_json::from_str(&json(cells.iter().map(|(name, data)| (*name, data, None)))).unwrap();
        assert_eq!((&kept["Id"], &kept["Ok"], &kept["N"]), (&Value::from(7), &Value::from(true), &Value::Null));
        let text = kept["Long"].as_str().unwrap();
        assert!(text.starts_with('é') && text.ends_with("é... (cut: 80000 bytes)") && text.len() < 66_000);
    }
}
