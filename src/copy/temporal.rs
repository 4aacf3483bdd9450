//! Days and ticks to PostgreSQL's days and microseconds, by integer arithmetic alone.

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Span};

use super::CellError;
use crate::table::SubMicrosecond;

/// Days from 0001-01-01 to 2000-01-01.
const DAYS_0001_TO_2000: i64 = 730_119;
/// Days from 1900-01-01 to 2000-01-01.
const DAYS_1900_TO_2000: i64 = 36_524;
/// 9999-12-31, in days since 0001-01-01.
const LAST_DAY: u32 = 3_652_058;
const MICROS_A_DAY: i64 = 86_400_000_000;
const Y2K: Date = Date::constant(2000, 1, 1);
const POWERS_OF_TEN: [i64; 8] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// Days since 2000-01-01 of a day counted from 0001-01-01.
pub fn date_from_0001(days: u32) -> i32 {
    // SQL Server's last day is 3,652,058: far inside an i32.
    i32::try_from(i64::from(days) - DAYS_0001_TO_2000).unwrap_or(i32::MAX)
}

/// Microseconds since 2000-01-01 of a day counted from 0001-01-01 and a time of day.
pub fn timestamp_from_0001(days: u32, micros: i64) -> i64 {
    (i64::from(days) - DAYS_0001_TO_2000) * MICROS_A_DAY + micros
}

/// Microseconds since 2000-01-01 of `datetime`: days since 1900-01-01 and 1/300 s, which SQL Server shows as .000, .003 and .007.
pub fn timestamp_from_datetime(days: i32, ticks: u32) -> i64 {
    let millis = (i64::from(ticks) * 10 + 1) / 3;
    (i64::from(days) - DAYS_1900_TO_2000) * MICROS_A_DAY + millis * 1_000
}

/// Microseconds since 2000-01-01 of `smalldatetime`: days since 1900-01-01 and minutes.
pub fn timestamp_from_smalldatetime(days: u16, minutes: u16) -> i64 {
    (i64::from(days) - DAYS_1900_TO_2000) * MICROS_A_DAY + i64::from(minutes) * 60_000_000
}

/// Microseconds of a time of day given in increments of 10^-`scale` seconds (`scale` at most 7), and whether a seventh digit was lost.
///
/// # Errors
/// When there is a seventh digit and `policy` says to fail.
pub fn micros_of_day(increments: u64, scale: u8, policy: SubMicrosecond) -> Result<(i64, bool), CellError> {
    // A day has 864 * 10^9 increments of 100 ns.
    let increments = increments.cast_signed();
    if scale <= 6 {
        return Ok((increments * POWERS_OF_TEN[usize::from(6 - scale)], false));
    }
    let lost = increments % 10;
    match policy {
        _ if lost == 0 => Ok((increments / 10, false)),
        SubMicrosecond::Truncate => Ok((increments / 10, true)),
        SubMicrosecond::Round => Ok(((increments + 5) / 10, true)),
        SubMicrosecond::Fail => Err(CellError::SubMicrosecond),
    }
}

/// As [`micros_of_day`], for a value that has no next day to be rounded into: a time of day, or one of the last day.
///
/// # Errors
/// When there is a seventh digit and `policy` says to fail, or to round it into the next day.
pub fn micros_of_last_day(increments: u64, scale: u8, policy: SubMicrosecond) -> Result<(i64, bool), CellError> {
    match micros_of_day(increments, scale, policy)? {
        (MICROS_A_DAY, _) => Err(CellError::RoundedOut("23:59:59.999999")),
        within => Ok(within),
    }
}

/// Microseconds since 2000-01-01 of a day counted from 0001-01-01 and a time of day in increments, and whether a seventh digit was lost.
///
/// # Errors
/// When there is a seventh digit and `policy` says to fail, or to round it into the year 10000.
pub fn timestamp_from_increments(days: u32, increments: u64, scale: u8, policy: SubMicrosecond) -> Result<(i64, bool), CellError> {
    let (micros, changed) = micros_of_day(increments, scale, policy)?;
    if micros == MICROS_A_DAY && days == LAST_DAY {
        return Err(CellError::RoundedOut("9999-12-31 23:59:59.999999"));
    }
    Ok((timestamp_from_0001(days, micros), changed))
}

/// The instant, in microseconds since 2000-01-01 in UTC, at which clocks in `zone` showed `local`, microseconds since their 2000-01-01. Of two such
/// instants it is the later one, as with PostgreSQL's `AT TIME ZONE`.
///
/// # Errors
/// When clocks in `zone` never showed that time.
pub fn instant_of_local(local: i64, zone: &TimeZone) -> Result<i64, CellError> {
    let name = || zone.iana_name().unwrap_or("the source's time zone").to_owned();
    let shown = Y2K.to_datetime(jiff::civil::Time::midnight()).checked_add(SignedDuration::from_micros(local));
    // SQL Server's years 1 to 9999 lie well within jiff's.
    let shown = shown.map_err(|_| CellError::Gap(name()))?;
    let offset = match zone.to_ambiguous_timestamp(shown).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { after: offset, .. } => offset,
        AmbiguousOffset::Gap { .. } => return Err(CellError::Gap(name())),
    };
    Ok(local - i64::from(offset.seconds()) * 1_000_000)
}

/// Days since 2000-01-01 of a day written `YYYY-MM-DD`.
///
/// # Errors
/// When the text is anything else.
pub fn date_from_text(text: &str) -> Result<i32, CellError> {
    let number = |from: usize, to: usize| -> Option<i16> {
        let digits = text.get(from..to)?;
        if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
    };
    let day = || {
        let dashes = text.get(4..5)? == "-" && text.get(7..8)? == "-" && text.len() == 10;
        let (year, month, day) = (number(0, 4)?, i8::try_from(number(5, 7)?).ok()?, i8::try_from(number(8, 10)?).ok()?);
        let date = Date::new(year, month, day).ok().filter(|_| dashes && year > 0)?;
        Y2K.until(date).ok().map(|span: Span| span.get_days())
    };
    day().ok_or(CellError::NotDate)
}

/// Refuses microseconds that a column with `digits` fractional digits would round.
///
/// # Errors
/// When there are more digits than the column keeps.
pub fn check_digits(micros: i64, digits: u8) -> Result<i64, CellError> {
    if digits < 6 && micros % POWERS_OF_TEN[usize::from(6 - digits)] != 0 {
        return Err(CellError::SecondDigits(digits));
    }
    Ok(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_range_are_postgresqls() {
        assert_eq!(date_from_0001(0), -730_119);
        assert_eq!(date_from_0001(3_652_058), 2_921_939);
        assert_eq!(timestamp_from_0001(730_119, 1), 1);
        assert_eq!(timestamp_from_datetime(36_524, 0), 0);
        assert_eq!(timestamp_from_smalldatetime(36_524, 1), 60_000_000);
    }

    #[test]
    fn three_hundredths_are_shown_as_sql_server_shows_them() {
        let shown = [0, 3, 7, 10, 13, 17, 20].map(|millis| millis * 1_000);
        for (ticks, micros) in (0..).zip(shown) {
            assert_eq!(timestamp_from_datetime(36_524, ticks), micros);
        }
        assert_eq!(timestamp_from_datetime(36_524, 300 * 86_400 - 1), MICROS_A_DAY - 3_000);
    }

    #[test]
    fn the_seventh_digit_is_cut_rounded_or_refused_as_configured() {
        let last = 863_999_999_999;
        assert_eq!(micros_of_day(last, 7, SubMicrosecond::Truncate), Ok((86_399_999_999, true)));
        assert_eq!(micros_of_day(last, 7, SubMicrosecond::Round), Ok((MICROS_A_DAY, true)));
        assert_eq!(micros_of_day(last, 7, SubMicrosecond::Fail), Err(CellError::SubMicrosecond));
        assert_eq!(micros_of_day(10, 7, SubMicrosecond::Fail), Ok((1, false)));
        assert_eq!(micros_of_day(86_399, 0, SubMicrosecond::Fail), Ok((86_399_000_000, false)));
    }

    #[test]
    fn nothing_is_rounded_out_of_its_range() {
        let last = 863_999_999_999;
        let round = SubMicrosecond::Round;
        assert!(matches!(micros_of_last_day(last, 7, round), Err(CellError::RoundedOut(_))));
        assert_eq!(micros_of_last_day(last, 7, SubMicrosecond::Truncate), Ok((86_399_999_999, true)));
        assert_eq!(micros_of_last_day(last - 5, 7, round), Ok((86_399_999_999, true)));
        assert!(matches!(timestamp_from_increments(LAST_DAY, last, 7, round), Err(CellError::RoundedOut(_))));
        assert_eq!(timestamp_from_increments(730_118, last, 7, round), Ok((0, true)));
        assert_eq!(
            timestamp_from_increments(LAST_DAY, last, 7, SubMicrosecond::Truncate),
            Ok((timestamp_from_0001(LAST_DAY + 1, 0) - 1, true))
        );
    }

    #[test]
    fn local_times_become_the_instants_that_clocks_showed_them_at() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let at = |text: &str| {
            let shown: jiff::civil::DateTime = text.parse().unwrap();
            shown.duration_since(Y2K.to_datetime(jiff::civil::Time::midnight())).as_micros().try_into().unwrap()
        };
        let hour = 3_600_000_000;
        assert_eq!(instant_of_local(at("2024-01-01T12:00"), &zone), Ok(at("2024-01-01T12:00") + 5 * hour));
        assert_eq!(instant_of_local(at("2024-07-01T12:00"), &zone), Ok(at("2024-07-01T12:00") + 4 * hour));
        assert_eq!(instant_of_local(at("2024-11-03T01:30"), &zone), Ok(at("2024-11-03T01:30") + 5 * hour), "the later of two");
        assert_eq!(instant_of_local(at("2024-03-10T02:30"), &zone), Err(CellError::Gap("America/New_York".to_owned())));
        assert_eq!(instant_of_local(at("9999-12-31T23:59:59.999999"), &zone), Ok(at("9999-12-31T23:59:59.999999") + 5 * hour));
        assert!(instant_of_local(at("0001-01-01T00:00"), &zone).is_ok());
    }

    #[test]
    fn a_day_is_written_in_one_way() {
        for (text, days) in [("2000-01-01", 0), ("0001-01-01", -730_119), ("9999-12-31", 2_921_939), ("2000-02-29", 59)] {
            assert_eq!(date_from_text(text), Ok(days));
        }
        for text in
            ["", "2000-1-1", "2001-02-29", "0000-01-01", "20000101", "2000-01-01 ", "2000/01/01", "+200-01-01", "infinity", "２000-01"]
        {
            assert_eq!(date_from_text(text), Err(CellError::NotDate), "{text}");
        }
    }

    #[test]
    fn digits_that_the_column_would_round_are_refused() {
        assert_eq!(check_digits(1_000, 3), Ok(1_000));
        assert_eq!(check_digits(1_001, 3), Err(CellError::SecondDigits(3)));
        assert_eq!(check_digits(1, 6), Ok(1));
    }
}
