//! Days and ticks to PostgreSQL's days and microseconds, by integer arithmetic alone.

use super::CellError;
use crate::table::SubMicrosecond;

/// Days from 0001-01-01 to 2000-01-01.
const DAYS_0001_TO_2000: i64 = 730_119;
/// Days from 1900-01-01 to 2000-01-01.
const DAYS_1900_TO_2000: i64 = 36_524;
const MICROS_A_DAY: i64 = 86_400_000_000;
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
    fn digits_that_the_column_would_round_are_refused() {
        assert_eq!(check_digits(1_000, 3), Ok(1_000));
        assert_eq!(check_digits(1_001, 3), Err(CellError::SecondDigits(3)));
        assert_eq!(check_digits(1, 6), Ok(1));
    }
}
