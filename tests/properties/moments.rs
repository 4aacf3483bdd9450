//! Dates and times: ends of the ranges, ends of days and years, leap days, any tick.

use fastrand::Rng;
use tds_stand_in::Value;

use super::{Column, Drawn, family, one_of, prove};

/// Days since 0001-01-01.
pub(super) const LAST_DAY: i64 = 3_652_058;
pub(super) const DAY_1753: i64 = 639_905;
pub(super) const DAY_1900: i64 = 693_595;
pub(super) const DAY_2079: i64 = DAY_1900 + 65_535;
/// 100 ns.
const TICKS_A_DAY: i64 = 864_000_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn moments_of_any_age_arrive_exactly() {
    let scales = 0..=7_u8;
    prove(vec![
        family("date", [Column::new("date", "date", date)]),
        family("datetime", [Column::new("datetime", "timestamp(3) without time zone", datetime)]),
        family("smalldatetime", [Column::new("smalldatetime", "timestamp(0) without time zone", smalldatetime)]),
        family(
            "time",
            scales.clone().map(|scale| Column::new(format!("time({scale})"), "time without time zone", move |rng| time(rng, scale))),
        ),
        family(
            "datetime2",
            scales
                .clone()
                .map(|scale| Column::new(format!("datetime2({scale})"), "timestamp without time zone", move |rng| datetime2(rng, scale))),
        ),
        family(
            "datetimeoffset",
            scales.map(|scale| {
                Column::new(format!("datetimeoffset({scale})"), "timestamp with time zone", move |rng| datetimeoffset(rng, scale))
                    .with_part("offset")
            }),
        ),
    ])
    .await;
}

fn date(rng: &mut Rng) -> Drawn {
    let day = day(rng, 0, LAST_DAY);
    (Value::Date(day as i32), day_text(day))
}

fn datetime(rng: &mut Rng) -> Drawn {
    const TICKS: i64 = 300 * 86_400;
    let day = day(rng, DAY_1753, LAST_DAY);
    let tick = match rng.u8(..4) {
        0 => one_of(rng, &[0, 1, 2, 299, TICKS / 2, TICKS - 2, TICKS - 1]),
        _ => rng.i64(0..TICKS),
    };
    // 1/300 s, shown to the nearest millisecond.
    let milliseconds = (tick * 1_000 + 150) / 300;
    (Value::DateTime((day - DAY_1900) as i32, tick as u32), format!("{} {}", day_text(day), time_text(milliseconds * 10_000)))
}

fn smalldatetime(rng: &mut Rng) -> Drawn {
    let day = day(rng, DAY_1900, DAY_2079);
    let minute = rng.i64(0..1_440);
    (Value::SmallDateTime((day - DAY_1900) as u16, minute as u16), format!("{} {}", day_text(day), time_text(minute * 600_000_000)))
}

fn time(rng: &mut Rng, scale: u8) -> Drawn {
    let ticks = ticks(rng, scale);
    (Value::Time(ticks as u64), time_text(ticks))
}

fn datetime2(rng: &mut Rng, scale: u8) -> Drawn {
    let (day, ticks) = (day(rng, 0, LAST_DAY), ticks(rng, scale));
    (Value::DateTime2(day as i32, ticks as u64), format!("{} {}", day_text(day), time_text(ticks)))
}

/// The instant, in UTC, and the offset in minutes; the local time must be in the range too.
fn datetimeoffset(rng: &mut Rng, scale: u8) -> Drawn {
    let (day, ticks) = (day(rng, 0, LAST_DAY), ticks(rng, scale));
    let offset = one_of(rng, &[0, 540, -300, 840, -840, 345, -1, 1, 839]);
    let local = day * 1_440 + ticks / 600_000_000 + i64::from(offset);
    let offset = if (0..(LAST_DAY + 1) * 1_440).contains(&local) { offset } else { 0 };
    (Value::DateTimeOffset(day as i32, ticks as u64, offset), format!("{} {}+00;{offset}", day_text(day), time_text(ticks)))
}

pub(super) fn day(rng: &mut Rng, first: i64, last: i64) -> i64 {
    let day = match rng.u8(..6) {
        0 => one_of(rng, &[first, last, first + 1, last - 1]),
        // The ends of a year, of a century, and leap days.
        1 => day_of(rng.i64(1..=9_999), 1, 1) - rng.i64(0..2),
        2 => day_of(rng.i64(1..=99) * 100, 2, 28) + rng.i64(0..3),
        3 => day_of(rng.i64(1..=9_999), 2, 28) + rng.i64(0..2),
        4 => day_of(rng.i64(1_970..=2_040), rng.i64(1..=12), 1),
        _ => rng.i64(first..=last),
    };
    if (first..=last).contains(&day) { day } else { rng.i64(first..=last) }
}

/// Ticks of 100 ns in a day, a multiple of what `scale` digits can say.
pub(super) fn ticks(rng: &mut Rng, scale: u8) -> i64 {
    let unit = 10_i64.pow((7 - scale).into());
    let units = TICKS_A_DAY / unit;
    let count = match rng.u8(..5) {
        0 => one_of(rng, &[0, 1, units / 2, units - 1]),
        1 => rng.i64(0..86_400) * (units / 86_400),
        _ => rng.i64(0..units),
    };
    count * unit
}

/// Days since 0001-01-01 of a day of the calendar.
fn day_of(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    let months = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap = i64::from(is_leap(year) && month > 2);
    before * 365 + before / 4 - before / 100 + before / 400 + months[(month - 1) as usize] + leap + day - 1
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// As PostgreSQL writes a date: found by trying, so that it needs no formula of its own.
pub(super) fn day_text(day: i64) -> String {
    let mut year = day / 366 + 1;
    while day_of(year + 1, 1, 1) <= day {
        year += 1;
    }
    let month = (1..=12).rev().find(|month| day_of(year, *month, 1) <= day).unwrap();
    format!("{year:04}-{month:02}-{:02}", day - day_of(year, month, 1) + 1)
}

/// As PostgreSQL writes a time: the seventh digit is cut, zeros at the end are not shown.
fn time_text(ticks: i64) -> String {
    let seconds = ticks / 10_000_000;
    let mut text = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let micros = ticks % 10_000_000 / 10;
    if micros > 0 {
        text += format!(".{micros:06}").trim_end_matches('0');
    }
    text
}

/// As SQL Server writes a time: with every digit of its scale.
pub(super) fn clock(ticks: i64, scale: u8) -> String {
    let seconds = ticks / 10_000_000;
    let text = format!("{:02}:{:02}:{:02}.{:07}", seconds / 3_600, seconds / 60 % 60, seconds % 60, ticks % 10_000_000);
    let length = if scale == 0 { 8 } else { 9 + usize::from(scale) };
    text[..length].to_owned()
}
