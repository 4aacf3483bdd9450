//! What PostgreSQL's text types cannot hold.

use super::CellError;

/// Refuses text with more than `chars_max` characters or with U+0000.
pub(super) fn check(value: &str, chars_max: Option<u32>) -> Result<(), CellError> {
    if let Some(at) = memchr::memchr(0, value.as_bytes()) {
        return Err(CellError::Nul(at));
    }
    match chars_max {
        // No text has more characters than bytes: most values need no count.
        Some(chars_max) if value.len() > chars_max as usize => match value.chars().count() {
            chars if chars > chars_max as usize => Err(CellError::TooLong { chars, chars_max }),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(check("日本語", Some(3)), Ok(()));
        assert_eq!(check("日本語", Some(2)), Err(CellError::TooLong { chars: 3, chars_max: 2 }));
        assert_eq!(check("", Some(0)), Ok(()));
    }

    #[test]
    fn nul_is_found_wherever_it_stands() {
        assert_eq!(check("ab\0", None), Err(CellError::Nul(2)));
    }
}
