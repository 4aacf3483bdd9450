//! A row's key in messages.

use sha2::{Digest, Sha256};

/// A row key in a message is cut at this many characters.
const KEY_CHARS_MAX: usize = 200;
/// So many bytes of a key's hash tell rows apart, in hexadecimal.
const HASH_BYTES: usize = 6;

/// `Id=7, Name=x`, cut at 200 characters; with `hashed`, the beginning of a SHA-256 of the values, joined with a comma and a blank. None without a key.
pub(super) fn key_text(parts: &[(&str, String)], hashed: bool) -> Option<String> {
    if parts.is_empty() {
        return None;
    }
    if hashed {
        let values: Vec<_> = parts.iter().map(|(_, value)| value.as_str()).collect();
        let digest = Sha256::digest(values.join(", "));
        let digits = digest.iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}"));
        return Some(format!("#{}", digits.collect::<String>()));
    }
    let named: Vec<_> = parts.iter().map(|(name, value)| format!("{name}={}", value.escape_debug())).collect();
    Some(named.join(", ").chars().take(KEY_CHARS_MAX).collect())
}

/// The row as sentences name it.
pub(super) fn row_name(key: Option<&str>) -> String {
    key.map_or_else(|| "a row of a table without a key".to_owned(), |key| format!("row {key}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hashed_key_shows_nothing_of_the_key() {
        let parts = [("Id", "7".to_owned()), ("Name", "a\nb".to_owned())];
        assert_eq!(key_text(&parts, false).unwrap(), "Id=7, Name=a\\nb");

        assert_eq!(key_text(&parts, true).unwrap(), "#84b4181f7523");
        assert_eq!(key_text(&[], true), None);
    }
}
