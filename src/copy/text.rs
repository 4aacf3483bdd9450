//! What PostgreSQL's text types cannot hold.

use super::CellError;

/// U+FFFD, which a driver may put where it could not decode.
const REPLACEMENT: &[u8] = "\u{FFFD}".as_bytes();

/// Refuses text with more than `chars_max` characters or with U+0000; also with U+FFFD, unless `replacement_is_genuine`.
pub(super) fn check(value: &str, chars_max: Option<u32>, replacement_is_genuine: bool) -> Result<(), CellError> {
    check_characters(value.as_bytes(), replacement_is_genuine)?;
    match chars_max {
        // No text has more characters than bytes: most values need no count.
        Some(chars_max) if value.len() > chars_max as usize => match value.chars().count() {
            chars if chars > chars_max as usize => Err(CellError::TooLong { chars, chars_max }),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// One pass finds both: the first byte of U+FFFD is rare in most languages, and a look at the next two tells it from its neighbours.
fn check_characters(bytes: &[u8], replacement_is_genuine: bool) -> Result<(), CellError> {
    let mut from = 0;
    while let Some(found) = memchr::memchr2(0, REPLACEMENT[0], &bytes[from..]) {
        let at = from + found;
        if bytes[at] == 0 {
            return Err(CellError::Nul(at));
        }
        if !replacement_is_genuine && bytes[at..].starts_with(REPLACEMENT) {
            return Err(CellError::Doubtful(at));
        }
        from = at + 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(check("日本語", Some(3), false), Ok(()));
        assert_eq!(check("日本語", Some(2), false), Err(CellError::TooLong { chars: 3, chars_max: 2 }));
        assert_eq!(check("", Some(0), false), Ok(()));
    }

    #[test]
    fn nul_is_found_wherever_it_stands() {
        assert_eq!(check("ab\0", None, false), Err(CellError::Nul(2)));
    }

    #[test]
    fn a_replacement_character_is_doubtful_until_it_is_known_to_be_genuine() {
        assert_eq!(check("ﾃｽﾄ\u{FFFD}", None, false), Err(CellError::Doubtful(9)));
        assert_eq!(check("ﾃｽﾄ\u{FFFD}", None, true), Ok(()));
        assert_eq!(check("ﾃｽﾄ\u{FFFD}\0", None, true), Err(CellError::Nul(12)));
        assert_eq!(check("Ａ～\u{FFFC}", None, false), Ok(()));
    }
}
