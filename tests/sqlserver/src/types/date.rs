//! Calendar arithmetic on day numbers.

/// Days from 0001-01-01 to 1753-01-01, the first day of a datetime.
pub(crate) const DAYS_TO_1753: i32 = 639_905;
/// Days from 0001-01-01 to 1900-01-01.
pub(crate) const DAYS_TO_1900: i32 = 693_595;
/// The last day, 9999-12-31.
pub(crate) const LAST_DAY: i32 = 3_652_058;
/// 100 ns in a day.
pub(crate) const TICKS_PER_DAY: u64 = 864_000_000_000;
/// 1/300 s in a day.
pub(crate) const DAY_OF_300THS: u32 = 25_920_000;
/// 100 ns in a second.
pub(crate) const TICKS_PER_SECOND: u64 = 10_000_000;

/// Days since 0001-01-01 of a date of the proleptic Gregorian calendar, if it is one.
pub(crate) fn days_from_date(year: i32, month: u32, day: u32) -> Option<i32> {
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || day < 1 || day > month_length(year, month) {
        return None;
    }
    let before = |y: i32| y * 365 + y / 4 - y / 100 + y / 400;
    let months: u32 = (1..month).map(|m| month_length(year, m)).sum();
    Some(before(year - 1) + (months + day - 1) as i32)
}

/// Year, month and day of a day number.
pub(crate) fn date_from_days(days: i32) -> (i32, u32, u32) {
    let mut year = (f64::from(days) / 365.2425) as i32 + 1;
    while days_from_date(year, 1, 1).is_none_or(|start| start > days) {
        year -= 1;
    }
    while days_from_date(year + 1, 1, 1).is_some_and(|start| start <= days) {
        year += 1;
    }
    let mut rest = days - days_from_date(year, 1, 1).unwrap_or(0);
    let mut month = 1;
    while rest >= month_length(year, month) as i32 {
        rest -= month_length(year, month) as i32;
        month += 1;
    }
    (year, month, rest as u32 + 1)
}

fn month_length(year: i32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Rounds 100 ns ticks to a number of fractional digits; may reach a whole day.
pub(crate) fn round_ticks(ticks: u64, scale: u8) -> u64 {
    let unit = 10u64.pow(u32::from(7 - scale.min(7)));
    (ticks + unit / 2) / unit * unit
}

/// 100 ns ticks as 1/300 s, rounded; may reach a whole day.
pub(crate) fn ticks_to_300ths(ticks: u64) -> u32 {
    ((ticks * 3 + 50_000) / 100_000) as u32
}

/// 1/300 s as 100 ns ticks, rounded once: what conversions to a finer type use since SQL Server 2016.
pub(crate) fn exact_ticks(ticks: u32) -> u64 {
    (u64::from(ticks) * 100_000 + 1) / 3
}

/// 1/300 s as 100 ns ticks of the millisecond that SQL Server shows (.000, .003, .007).
pub(crate) fn ticks_from_300ths(ticks: u32) -> u64 {
    (u64::from(ticks) * 10 + 1) / 3 * 10_000
}

/// Days since 0001-01-01 and 100 ns ticks of now, UTC.
pub(crate) fn now() -> (i32, u64) {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let days = (elapsed.as_secs() / 86_400) as i32 + 719_162;
    (days, elapsed.as_secs() % 86_400 * TICKS_PER_SECOND + u64::from(elapsed.subsec_nanos()) / 100)
}
