//! Which rows a run has to read: from where it stands, and how far the source is. Pure.

use jiff::SignedDuration;

use crate::table::{Edge, Position, Watermark, WatermarkKind};
use crate::target::Reached;

/// Rows that are read in one go, or step by step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Where they begin; none at the first row.
    pub(super) from: Option<Edge>,
    /// The last value of the sync column that they may have.
    pub(super) to: Watermark,
    /// Whether no row is there whose key one of them could have: they go straight into the target.
    pub(super) into_empty: bool,
}

impl Stretch {
    /// The version of Change Tracking since which rows have changed, where that is what tells which.
    pub(super) fn changes_since(&self) -> Option<i64> {
        match self.from {
            Some(Edge::After(Watermark::Change(since))) => Some(since),
            Some(Edge::After(_) | Edge::Behind(_)) | None => None,
        }
    }
}

/// What a run has to read, in order.
///
/// A run that was ended within a stretch is gone on with to the end that the stretch had: its rows were read when their transactions could still be under
/// way, up to `lag` before that end, and are read again from there.
///
/// # Errors
/// The watermark that lies behind what the source has to offer.
pub(super) fn stretches(reached: Option<&Reached>, newest: Watermark, lag: SignedDuration, empty: bool) -> Result<Vec<Stretch>, Watermark> {
    let Some(reached) = reached else { return Ok(vec![Stretch { from: None, to: newest, into_empty: empty }]) };
    let again = |from: Watermark, to| Stretch { from: Some(Edge::After(from.before(lag))), to, into_empty: false };
    let Some(within) = &reached.within else {
        let stands = reached.watermark;
        if !stands.is_after(&newest) {
            let nothing = newest == stands && newest.kind() != WatermarkKind::Timestamp;
            return Ok(if nothing { Vec::new() } else { vec![again(stands, newest)] });
        }
        // A clock that was put back a little is no other source; what it will show again is read again.
        let a_little = newest.kind() == WatermarkKind::Timestamp && !stands.before(lag).is_after(&newest);
        return if a_little { Ok(vec![again(stands, stands)]) } else { Err(stands) };
    };
    let position = Position { watermark: reached.watermark, key: within.after.clone() };
    let rest = Stretch { from: Some(Edge::Behind(position)), to: within.until, into_empty: within.into_empty };
    let then = newest.is_after(&within.until).then(|| again(within.until, newest));
    Ok(std::iter::once(rest).chain(then).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Within;

    const LAG: SignedDuration = SignedDuration::from_mins(5);

    fn at(text: &str) -> Watermark {
        Watermark::parse(WatermarkKind::Timestamp, &format!("2026-02-05T{text}")).unwrap()
    }

    #[test]
    fn the_first_run_reads_everything_up_to_the_sources_clock() {
        let all = Stretch { from: None, to: at("10:00:00"), into_empty: true };
        assert_eq!(stretches(None, at("10:00:00"), LAG, true), Ok(vec![all]));
    }

    #[test]
    fn every_run_reads_again_what_may_have_been_committed_late() {
        let reached = Reached::up_to(at("10:00:00.1234567"));
        let from = Some(Edge::After(at("09:55:00.1234567")));
        let expected = Stretch { from: from.clone(), to: at("10:01:00"), into_empty: false };
        assert_eq!(stretches(Some(&reached), at("10:01:00"), LAG, true), Ok(vec![expected]));
        // The clock was put back by less than the lag: the watermark does not follow it.
        let expected = Stretch { from, to: reached.watermark, into_empty: false };
        assert_eq!(stretches(Some(&reached), at("09:56:00"), LAG, true), Ok(vec![expected]));
        assert_eq!(stretches(Some(&reached), at("09:54:00"), LAG, true), Err(reached.watermark));
    }

    #[test]
    fn what_was_broken_off_is_gone_on_with_to_the_end_that_it_had() {
        let within = Within { after: vec!["17".to_owned()], until: at("10:00:00"), into_empty: true };
        let reached = Reached { within: Some(within), ..Reached::up_to(at("08:00:00")) };
        let position = Position { watermark: at("08:00:00"), key: vec!["17".to_owned()] };
        let rest = Stretch { from: Some(Edge::Behind(position)), to: at("10:00:00"), into_empty: true };
        let then = Stretch { from: Some(Edge::After(at("09:55:00"))), to: at("10:30:00"), into_empty: false };
        assert_eq!(stretches(Some(&reached), at("10:30:00"), LAG, false), Ok(vec![rest, then]));
    }

    #[test]
    fn a_server_that_numbers_its_rows_has_nothing_new_at_the_same_number() {
        let reached = Reached::up_to(Watermark::Rowversion(7));
        assert_eq!(stretches(Some(&reached), Watermark::Rowversion(7), SignedDuration::ZERO, false), Ok(Vec::new()));
        assert_eq!(stretches(Some(&reached), Watermark::Rowversion(6), SignedDuration::ZERO, false), Err(Watermark::Rowversion(7)));
        let news = stretches(Some(&reached), Watermark::Rowversion(9), SignedDuration::ZERO, false).unwrap();
        assert_eq!(news[0].from, Some(Edge::After(Watermark::Rowversion(7))));
    }
}
