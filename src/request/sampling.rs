//! How much of a table `verify` compares.

const MILLION: u32 = 1_000_000;

/// How much of a table is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sampling {
    /// Everything, of a large table a share.
    #[default]
    Auto,
    /// Everything.
    Full,
    /// A share, in millionths.
    Share(u32),
}

impl Sampling {
    /// A share above 0 and up to 1.
    pub fn share(share: f64) -> Option<Self> {
        let millionths = (share * f64::from(MILLION)).round();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and a million")]
        (share <= 1.0 && millionths >= 1.0).then_some(Self::Share(millionths as u32))
    }

    /// A share as written: `0.05` or `5%`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse::<f64>().ok().and_then(|percent| Self::share(percent / 100.0)),
            None => text.parse().ok().and_then(Self::share),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_number_or_a_percentage() {
        for (text, share) in [("0.05", 50_000), ("5%", 50_000), ("1", MILLION), ("100 %", MILLION), ("0.000001", 1)] {
            assert_eq!(Sampling::parse(text), Some(Sampling::Share(share)), "{text}");
        }
        for text in ["0", "-1", "1.1", "101%", "half", "", "NaN", "inf"] {
            assert_eq!(Sampling::parse(text), None, "{text}");
        }
    }
}
