//! How far a table has been copied: a moment, a row version, or a version of Change Tracking. Pure; nothing is rounded, and no clock is read.

use std::fmt;

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// What a table's watermark is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WatermarkKind {
    /// The moment of a row's last change, in a column that whoever writes the row sets.
    #[default]
    Timestamp,
    /// SQL Server's `rowversion`, which the server sets.
    Rowversion,
    /// SQL Server's Change Tracking, which sees deletes too.
    ChangeTracking,
}

impl WatermarkKind {
    /// Its name in the configuration and in `sync_meta`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Timestamp => "timestamp",
            Self::Rowversion => "rowversion",
            Self::ChangeTracking => "change_tracking",
        }
    }
}

/// A point up to which a table has been copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watermark {
    /// Rows up to this moment.
    Timestamp(Moment),
    /// Rows up to this version.
    Rowversion(u64),
    /// Changes up to this version.
    Change(i64),
}

impl Watermark {
    /// What it is.
    pub fn kind(&self) -> WatermarkKind {
        match self {
            Self::Timestamp(_) => WatermarkKind::Timestamp,
            Self::Rowversion(_) => WatermarkKind::Rowversion,
            Self::Change(_) => WatermarkKind::ChangeTracking,
        }
    }

    /// Understands the text form of a watermark of this kind.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    pub fn parse(kind: WatermarkKind, text: &str) -> Result<Self, String> {
        let wrong = |expected: &str| format!("{text:?} is no watermark of kind {}, expected {expected}", kind.name());
        match kind {
            WatermarkKind::Timestamp => {
                Moment::parse(text).map(Self::Timestamp).ok_or_else(|| wrong("a moment such as 2026-02-05T10:30:00.1234567"))
            }
            WatermarkKind::Rowversion => {
                let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 16);
                let version = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
                version.map(Self::Rowversion).ok_or_else(|| wrong("0x and 16 hexadecimal digits"))
            }
            WatermarkKind::ChangeTracking => text.parse().map(Self::Change).map_err(|_| wrong("a whole number")),
        }
    }

    /// Whether it lies behind `other`, which is of the same kind.
    pub fn is_after(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Timestamp(one), Self::Timestamp(other)) => one.at > other.at,
            (Self::Rowversion(one), Self::Rowversion(other)) => one > other,
            (Self::Change(one), Self::Change(other)) => one > other,
            (Self::Timestamp(_) | Self::Rowversion(_) | Self::Change(_), _) => false,
        }
    }

    /// The watermark `lag` before this one; only moments have one.
    #[must_use]
    pub fn before(self, lag: SignedDuration) -> Self {
        match self {
            Self::Timestamp(moment) => Self::Timestamp(moment.before(lag)),
            Self::Rowversion(_) | Self::Change(_) => self,
        }
    }
}

/// The text form, from which [`Watermark::parse`] makes the same watermark again.
impl fmt::Display for Watermark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timestamp(moment) => moment.fmt(f),
            Self::Rowversion(version) => write!(f, "0x{version:016X}"),
            Self::Change(version) => version.fmt(f),
        }
    }
}

/// A moment as a source writes it, with all its digits: in UTC where the column knows zones, else on whatever clock its writers have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    at: DateTime,
    in_utc: bool,
}

impl Moment {
    /// The least there is, for PostgreSQL's `-infinity`.
    pub const LEAST: Self = Self { at: DateTime::MIN, in_utc: false };

    /// A moment without a zone.
    pub fn local(at: DateTime) -> Self {
        Self { at, in_utc: false }
    }

    /// An instant.
    pub fn instant(at: Timestamp) -> Self {
        Self { at: TimeZone::UTC.to_datetime(at), in_utc: true }
    }

    /// Understands ISO 8601, `T` or a blank in the middle; an offset makes it an instant. `-infinity` is the least moment, and `BC` at the end counts years as
    /// PostgreSQL does.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (bare, zone) = text.strip_suffix('Z').map_or((text, ""), |bare| (bare, "Z"));
        if bare == "-infinity" {
            return Some(Self::LEAST);
        }
        if let Some(before_christ) = bare.strip_suffix(" BC") {
            let (year, rest) = before_christ.split_once('-')?;
            let year = year.parse::<i16>().ok()?.checked_sub(1)?;
            let signed = if year == 0 { "0000".to_owned() } else { format!("-{year:06}") };
            return Self::parse(&format!("{signed}-{rest}{zone}"));
        }
        let (date, time) = text.split_once(['T', ' '])?;
        let joined = format!("{date}T{}", time.replace(' ', ""));
        let has_offset = joined.ends_with('Z') || time.contains(['+', '-']);
        if has_offset { joined.parse::<Timestamp>().ok().map(Self::instant) } else { joined.parse::<DateTime>().ok().map(Self::local) }
    }

    /// Day and time, in UTC for an instant.
    pub fn civil(self) -> DateTime {
        self.at
    }

    /// The same moment on the clocks of `zone`, without a zone; of a moment that occurs twice there, the earlier.
    #[must_use]
    pub fn on_clocks_of(self, zone: &TimeZone) -> Self {
        match self.at.to_zoned(TimeZone::UTC) {
            Ok(utc) => Self::local(zone.to_datetime(utc.timestamp())),
            Err(_) => self,
        }
    }

    /// The same day and time, on whatever clock.
    #[must_use]
    pub fn without_zone(self) -> Self {
        Self { in_utc: false, ..self }
    }

    /// The same day and time, known to be in UTC.
    #[must_use]
    pub fn in_utc(self) -> Self {
        Self { in_utc: true, ..self }
    }

    /// How much later `later` shows.
    pub fn apart_from(self, later: Self) -> SignedDuration {
        later.at.duration_since(self.at)
    }

    /// `lag` earlier.
    #[must_use]
    pub fn before(self, lag: SignedDuration) -> Self {
        Self { at: self.at.saturating_sub(lag), ..self }
    }

    /// The last moment up to this one that a column of this precision can hold.
    #[must_use]
    pub fn floor(self, step: Step) -> Self {
        let nanos = i64::from(self.at.subsec_nanosecond());
        let kept = match step {
            Step::Digits(digits) => {
                let unit = 10_i64.pow(9_u32.saturating_sub(digits.into()));
                nanos / unit * unit
            }
            // A tick is shown in milliseconds, rounded; counted by what is shown, none is taken for the next one.
            Step::ThreeHundredths => (nanos * 3 / 10_000_000 * 10 + 1) / 3 * 1_000_000,
            Step::Minutes => 0,
        };
        let time = self.at.time();
        let second = if step == Step::Minutes { 0 } else { time.second() };
        let kept = i32::try_from(kept).unwrap_or_default();
        let floored = Time::new(time.hour(), time.minute(), second, kept).unwrap_or(time);
        Self { at: self.at.date().to_datetime(floored), ..self }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.at, if self.in_utc { "Z" } else { "" })
    }
}

/// How fine the moments of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many digits of a second.
    Digits(u8),
    /// SQL Server's `datetime`.
    ThreeHundredths,
    /// SQL Server's `smalldatetime`.
    Minutes,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Moment {
        Moment::parse(text).unwrap()
    }

    #[test]
    fn a_watermark_comes_back_from_its_text_with_every_digit() {
        let cases = [
            (WatermarkKind::Timestamp, "2026-02-05T10:30:00.1234567"),
            (WatermarkKind::Timestamp, "9999-12-31T23:59:59.9999999"),
            (WatermarkKind::Timestamp, "0001-01-01T00:00:00"),
            (WatermarkKind::Timestamp, "2026-02-05T10:30:00.000001Z"),
            (WatermarkKind::Timestamp, "-000043-03-15T00:01:00.5Z"),
            (WatermarkKind::Rowversion, "0x00000000000007D1"),
            (WatermarkKind::Rowversion, "0xFFFFFFFFFFFFFFFF"),
            (WatermarkKind::ChangeTracking, "9223372036854775807"),
        ];
        for (kind, text) in cases {
            let watermark = Watermark::parse(kind, text).unwrap();
            assert_eq!((watermark.to_string().as_str(), watermark.kind()), (text, kind));
        }
        for (kind, wrong) in
            [(WatermarkKind::Timestamp, "yesterday"), (WatermarkKind::Rowversion, "2001"), (WatermarkKind::ChangeTracking, "0x1")]
        {
            assert!(Watermark::parse(kind, wrong).unwrap_err().contains(wrong));
        }
    }

    #[test]
    fn an_offset_is_an_instant_in_utc() {
        assert_eq!(moment("2026-02-05 10:30:00.1234567 +09:00").to_string(), "2026-02-05T01:30:00.1234567Z");
        assert_eq!(moment("2026-02-05 10:30:00.5+00").to_string(), "2026-02-05T10:30:00.5Z");
        assert_eq!(moment("2026-02-05 10:30:00").to_string(), "2026-02-05T10:30:00");
        assert_eq!(moment("0001-02-29 10:30:00 BC").to_string(), "0000-02-29T10:30:00");
        assert_eq!(moment("0044-03-15 00:01:00.5 BCZ").to_string(), "-000043-03-15T00:01:00.5Z");
        assert_eq!(moment("2026-02-05T01:30:00Z").on_clocks_of(&TimeZone::get("Asia/Tokyo").unwrap()).to_string(), "2026-02-05T10:30:00");
    }

    #[test]
    fn a_moment_is_never_rounded_up() {
        let floor = |text: &str, step| moment(text).floor(step).to_string();
        assert_eq!(floor("2026-02-05T10:30:59.9999999", Step::Digits(7)), "2026-02-05T10:30:59.9999999");
        assert_eq!(floor("2026-02-05T10:30:59.9999999", Step::Digits(3)), "2026-02-05T10:30:59.999");
        assert_eq!(floor("2026-02-05T10:30:59.9999999", Step::Digits(0)), "2026-02-05T10:30:59");
        assert_eq!(floor("2026-02-05T10:30:59.9999999", Step::ThreeHundredths), "2026-02-05T10:30:59.997");
        assert_eq!(floor("2026-02-05T10:30:59.0040000", Step::ThreeHundredths), "2026-02-05T10:30:59.003");
        assert_eq!(floor("2026-02-05T10:30:59.9999999", Step::Minutes), "2026-02-05T10:30:00");
    }

    #[test]
    fn watermarks_are_ordered_within_their_kind() {
        let at = |text| Watermark::Timestamp(moment(text));
        assert!(at("2026-02-05T10:30:00.1234568").is_after(&at("2026-02-05T10:30:00.1234567")));
        assert!(!at("2026-02-05T10:30:00").is_after(&at("2026-02-05T10:30:00")));
        assert!(Watermark::Rowversion(u64::MAX).is_after(&Watermark::Rowversion(1)));
        assert!(!Watermark::Change(2).is_after(&Watermark::Rowversion(1)));
        assert_eq!(at("2026-02-05T10:30:00.5").before(SignedDuration::from_mins(5)), at("2026-02-05T10:25:00.5"));
        assert_eq!(at("-infinity").before(SignedDuration::from_mins(5)), at("-infinity"));
    }
}
