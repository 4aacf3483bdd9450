//! `numeric`: base-10000 digits by integer division, exact for all 38 digits.
//!
//! The form is `i16` digit count, `i16` weight of the first digit, `u16` sign, `u16` display scale, then the digits, none of which is a zero at
//! either end (`numeric_send` in PostgreSQL's `src/backend/utils/adt/numeric.c`).

use super::CellError;

const NEGATIVE: u16 = 0x4000;
/// 38 decimal digits, shifted so that the point falls between two groups, fill at most 11.
const GROUPS_MAX: usize = 12;

/// Appends the field of `value / 10^scale`; see [`super::RowWriter::numeric`].
pub(super) fn write(out: &mut Vec<u8>, value: i128, scale: u8, limits: Option<(u16, u16)>) -> Result<(), CellError> {
    let scale = u16::from(scale);
    let mut magnitude = value.unsigned_abs();
    let mut digits_after_point = scale;
    if let Some((precision, scale_max)) = limits {
        if scale > scale_max {
            let dropped = power_of_ten(scale - scale_max);
            if !magnitude.is_multiple_of(dropped) {
                return Err(CellError::Scale(scale_max));
            }
            magnitude /= dropped;
            digits_after_point = scale_max;
        }
        // |value| < 10^(precision - scale_max), asked of the integer that stands for it.
        let digits = i32::from(precision) - i32::from(scale_max) + i32::from(digits_after_point);
        if magnitude >= power_of_ten(u16::try_from(digits).unwrap_or(0)) {
            return Err(CellError::Precision(precision, scale_max));
        }
    }
    write_groups(out, magnitude, value < 0, digits_after_point);
    Ok(())
}

fn write_groups(out: &mut Vec<u8>, magnitude: u128, negative: bool, scale: u16) {
    let mut groups = [0_u16; GROUPS_MAX];
    let count = split_groups(magnitude, scale, &mut groups);
    let first_kept = groups[..count].iter().take_while(|group| **group == 0).count();
    let kept = &groups[first_kept..count];
    let groups_after_point = scale.div_ceil(4);
    // At most GROUPS_MAX groups, so the casts below are exact.
    let length = u8::try_from(kept.len()).unwrap_or(0);
    let weight = if kept.is_empty() { 0 } else { i16::try_from(count).unwrap_or(0) - groups_after_point.cast_signed() - 1 };
    let sign = if negative { NEGATIVE } else { 0 };
    out.extend_from_slice(&(8 + 2 * i32::from(length)).to_be_bytes());
    out.extend_from_slice(&u16::from(length).to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(&sign.to_be_bytes());
    out.extend_from_slice(&scale.to_be_bytes());
    for group in kept.iter().rev() {
        out.extend_from_slice(&group.to_be_bytes());
    }
}

/// Splits into groups of four decimal digits, least significant first, so that the point falls between two groups. Returns how many there are.
fn split_groups(mut magnitude: u128, scale: u16, groups: &mut [u16; GROUPS_MAX]) -> usize {
    let mut count = 0;
    let partial = scale % 4;
    if partial > 0 {
        let unit = power_of_ten(partial);
        groups[0] = low_group((magnitude % unit) * power_of_ten(4 - partial));
        magnitude /= unit;
        count = 1;
    }
    while magnitude > u128::from(u64::MAX) {
        groups[count] = low_group(magnitude % 10_000);
        magnitude /= 10_000;
        count += 1;
    }
    // 64-bit division is several times faster, and nearly every value gets here at once.
    let mut rest = u64::try_from(magnitude).unwrap_or(0);
    while rest > 0 {
        groups[count] = low_group(u128::from(rest % 10_000));
        rest /= 10_000;
        count += 1;
    }
    count
}

fn low_group(below_ten_thousand: u128) -> u16 {
    u16::try_from(below_ten_thousand).unwrap_or(0)
}

/// `10^exponent`; beyond 38 digits, more than any magnitude.
fn power_of_ten(exponent: u16) -> u128 {
    10_u128.checked_pow(exponent.into()).unwrap_or(u128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (value, scale, count, weight, sign, scale written, groups)
    type Case = (i128, u8, i16, i16, u16, u16, &'static [u16]);

    #[test]
    fn digits_are_grouped_around_the_point() {
        let cases: &[Case] = &[
            (0, 0, 0, 0, 0, 0, &[]),
            (0, 4, 0, 0, 0, 4, &[]),
            (1, 0, 1, 0, 0, 0, &[1]),
            (-12_345_678, 3, 3, 1, NEGATIVE, 3, &[1, 2345, 6780]),
            (10_000, 0, 1, 1, 0, 0, &[1]),
            (1, 4, 1, -1, 0, 4, &[1]),
            (1, 5, 1, -2, 0, 5, &[1000]),
            (10, 1, 1, 0, 0, 1, &[1]),
            (1, 38, 1, -10, 0, 38, &[100]),
            (123_456_789, 9, 3, -1, 0, 9, &[1234, 5678, 9000]),
        ];
        for (value, scale, count, weight, sign, written, groups) in cases {
            let mut out = Vec::new();
            write(&mut out, *value, *scale, None).unwrap();
            let mut expected = (8 + 2 * i32::from(*count)).to_be_bytes().to_vec();
            expected.extend(count.to_be_bytes());
            expected.extend(weight.to_be_bytes());
            expected.extend(sign.to_be_bytes());
            expected.extend(written.to_be_bytes());
            groups.iter().for_each(|group| expected.extend(group.to_be_bytes()));
            assert_eq!(out, expected, "{value} / 10^{scale}");
        }
    }

    #[test]
    fn all_thirty_eight_digits_fit() {
        let largest = 10_i128.pow(38) - 1;
        for scale in 0..=38 {
            let mut out = Vec::new();
            write(&mut out, -largest, scale, Some((38, scale.into()))).unwrap();
            assert!(out.len() >= 8 + 4 + 2 * 10);
        }
    }

    #[test]
    fn what_the_column_would_round_or_refuse_is_an_error() {
        let mut out = Vec::new();
        assert_eq!(write(&mut out, 12_345, 3, Some((9, 2))), Err(CellError::Scale(2)));
        assert_eq!(write(&mut out, 12_340, 3, Some((9, 2))), Ok(()));
        assert_eq!(write(&mut out, 1_000, 0, Some((5, 2))), Err(CellError::Precision(5, 2)));
        assert_eq!(write(&mut out, 999, 0, Some((5, 2))), Ok(()));
        assert_eq!(write(&mut out, 99_999, 2, Some((5, 2))), Ok(()));
        assert_eq!(write(&mut out, 100_000, 2, Some((5, 2))), Err(CellError::Precision(5, 2)));
    }
}
