//! What refuses a publish, or warns of it, by how many rows come and go.

use crate::error::{ErrorKind, Result, SyncError};

/// Losses below this many rows in the target are nobody's worry.
const LOSS_ROWS_MIN: u64 = 1_000;

/// What keeps a publish from happening.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Guards {
    /// Fewer rows than this.
    pub min_rows: Option<u64>,
    /// A larger share of the target's rows vanishing.
    pub max_shrink: Option<f64>,
    /// Publish all the same.
    pub allow_shrink: bool,
}

impl Guards {
    /// Refuses a publish, or says what is worth a warning.
    pub(super) fn check(&self, staged: u64, before: u64, vanishing: u64) -> Result<Vec<String>> {
        let force = "If that is right, allow it once with --allow-shrink or the event field allow_shrink";
        if let Some(min_rows) = self.min_rows.filter(|min_rows| staged < *min_rows && !self.allow_shrink) {
            let sentence = format!("the source delivers {staged} rows and min_rows is {min_rows}");
            return Err(SyncError::new(ErrorKind::Refused, sentence).with_remedy(force));
        }
        if before == 0 {
            return Ok(Vec::new());
        }
        #[expect(clippy::cast_precision_loss, reason = "a share of rows needs no more than 52 bits")]
        let share = vanishing as f64 / before as f64;
        match self.max_shrink {
            Some(max_shrink) if share > max_shrink && !self.allow_shrink => {
                let sentence = format!("{vanishing} of {before} rows would vanish from the target and max_shrink is {max_shrink}");
                Err(SyncError::new(ErrorKind::Refused, sentence).with_remedy(force))
            }
            None if before >= LOSS_ROWS_MIN && share > 0.5 => {
                Ok(vec![format!("{vanishing} of {before} rows vanished from the target; min_rows and max_shrink would guard against it")])
            }
            _ => Ok(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guards_refuse_a_shrink_and_can_be_overruled() {
        let guards = Guards { min_rows: Some(10), max_shrink: Some(0.2), allow_shrink: false };
        assert!(guards.check(9, 100, 0).is_err());
        assert!(guards.check(79, 100, 21).is_err());
        assert_eq!(guards.check(80, 100, 20).unwrap(), Vec::<String>::new());
        assert!(Guards { allow_shrink: true, ..guards }.check(1, 100, 99).is_ok());
    }

    #[test]
    fn without_guards_a_great_loss_is_a_warning() {
        let none = Guards::default();
        assert_eq!(none.check(499, 1_000, 501).unwrap().len(), 1);
        assert!(none.check(500, 1_000, 500).unwrap().is_empty());
        assert!(none.check(1, 999, 998).unwrap().is_empty());
    }
}
