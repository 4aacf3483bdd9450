//! SQL Server's values as PostgreSQL writes them, worked out here and nowhere near the product's code.

use jiff::civil::{Date, DateTime, date};
use jiff::{Span, ToSpan};

use super::source::Value;

const TICKS_PER_SECOND: i64 = 10_000_000;

/// The text that PostgreSQL gives for a value that arrived exactly; NULL is none.
///
/// # Panics
/// For values that the tests' tables do not hold.
pub(crate) fn pg_text(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bit(bit) => if *bit { "t" } else { "f" }.to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Decimal(digits, scale) => decimal(*digits, usize::from(*scale)),
        Value::Money(ten_thousandths) => decimal(i128::from(*ten_thousandths), 4),
        Value::Date(days) => (date(1, 1, 1) + days.days()).to_string(),
        Value::DateTime(days, ticks) => {
            // SQL Server shows 1/300 s as .000, .003 and .007.
            let milliseconds = (i64::from(*ticks) * 10 + 1) / 3;
            timestamp(date(1900, 1, 1) + days.days(), milliseconds.milliseconds())
        }
        Value::SmallDateTime(days, minutes) => timestamp(date(1900, 1, 1) + i64::from(*days).days(), i64::from(*minutes).minutes()),
        Value::DateTime2(days, ticks) => timestamp(date(1, 1, 1) + days.days(), microseconds(*ticks)),
        Value::Wide(units) => String::from_utf16(units).expect("planted text is well formed"),
        Value::Narrow(bytes) => {
            assert!(bytes.is_ascii(), "planted varchar text is ASCII");
            String::from_utf8_lossy(bytes).into_owned()
        }
        Value::Binary(bytes) => format!("\\x{}", hex(bytes)),
        Value::Guid(bytes) => uuid::Uuid::from_bytes(*bytes).to_string(),
        other => panic!("no planted table holds {other:?}"),
    })
}

/// `digits / 10^scale`, all digits after the point shown.
pub(crate) fn decimal(digits: i128, scale: usize) -> String {
    let text = format!("{:0width$}", digits.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = text.split_at(text.len() - scale);
    let sign = if digits < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// The seventh digit is cut.
fn microseconds(ticks: u64) -> Span {
    let ticks = i64::try_from(ticks).unwrap();
    (ticks / TICKS_PER_SECOND).seconds().microseconds(ticks % TICKS_PER_SECOND / 10)
}

/// PostgreSQL writes a timestamp's fraction without trailing zeros.
fn timestamp(day: Date, since_midnight: Span) -> String {
    let at: DateTime = day.to_datetime(jiff::civil::Time::midnight()) + since_midnight;
    at.to_string().replace('T', " ")
}

/// Two digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn planted_values_read_as_postgresql_writes_them() {
    for (value, text) in [
        (Value::Decimal(-5, 3), "-0.005"),
        (Value::Decimal(123_456, 0), "123456"),
        (Value::DateTime(0, 1), "1900-01-01 00:00:00.003"),
        (Value::DateTime(-53_690, 25_919_999), "1753-01-01 23:59:59.997"),
        (Value::DateTime(45_000, 300), "2023-03-17 00:00:01"),
        (Value::DateTime2(0, 1_230_009), "0001-01-01 00:00:00.123"),
        (Value::DateTime2(3_652_058, 863_999_999_999), "9999-12-31 23:59:59.999999"),
        (Value::Date(730_119), "2000-01-01"),
        (Value::Binary(vec![0, 255]), "\\x00ff"),
        (Value::Wide(vec![0x4f50, 0x85e4]), "佐藤"),
    ] {
        assert_eq!(pg_text(&value).as_deref(), Some(text), "{value:?}");
    }
}
