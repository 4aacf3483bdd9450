//! What PostgreSQL's text types cannot hold.

use std::ops::Range;

use super::CellError;

/// U+FFFD, which a driver may put where it could not decode.
const REPLACEMENT: &[u8] = "\u{FFFD}".as_bytes();
const REPLACEMENT_FIRST: u8 = REPLACEMENT[0];

/// Refuses text with more than `chars_max` characters or with U+0000; also with U+FFFD, unless `replacement_is_genuine`.
pub(super) fn check(value: &str, chars_max: Option<u32>, replacement_is_genuine: bool) -> Result<(), CellError> {
    check_characters(value, replacement_is_genuine)?;
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
fn check_characters(text: &str, replacement_is_genuine: bool) -> Result<(), CellError> {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(found) = memchr::memchr2(0, REPLACEMENT_FIRST, &bytes[from..]) {
        let mut at = from + found;
        if bytes[at] == 0 {
            return Err(CellError::Nul(at));
        }
        // Where one begins so, the next ones often do (half-width kana): a run of them is stepped through here, three bytes each.
        while let [REPLACEMENT_FIRST, rest @ ..] = &bytes[at..] {
            if !replacement_is_genuine && rest.starts_with(&REPLACEMENT[1..]) {
                return Err(CellError::Doubtful(at));
            }
            at += REPLACEMENT.len();
        }
        from = at;
    }
    Ok(())
}

/// Where the declaration at the beginning of an XML document names an encoding, from the blank before it to the quote behind it.
///
/// The grammar is `'<?xml' S 'version' Eq .. (S 'encoding' Eq ("'" name "'" | '"' name '"'))? .. '?>'`:
/// <https://www.w3.org/TR/xml/#sec-prolog-dtd>.
pub(super) fn xml_encoding(value: &str) -> Option<Range<usize>> {
    let blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
    let begun = value.trim_start_matches(blank).strip_prefix("<?xml")?;
    let declaration = begun.starts_with(blank).then(|| begun.split_once("?>"))??.0;
    let at = value.len() - begun.len();
    let named = declaration.match_indices("encoding").map(|(found, _)| found).find(|found| declaration[..*found].ends_with(blank))?;
    let start = declaration[..named].trim_end_matches(blank).len();
    let quoted = declaration[named + "encoding".len()..].trim_start_matches(blank).strip_prefix('=')?.trim_start_matches(blank);
    let quote = quoted.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let behind = quoted[1..].split_once(quote)?.1;
    Some(at + start..at + declaration.len() - behind.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_of_an_xml_declaration_is_found() {
        let without = |value: &str| {
            let mut left = value.to_owned();
            if let Some(encoding) = xml_encoding(value) {
                left.replace_range(encoding, "");
            }
            left
        };
        for (value, left) in [
            ("<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>", "<?xml version=\"1.0\"?><a/>"),
            ("<?xml version='1.0' encoding = 'x' standalone='yes' ?><a/>", "<?xml version='1.0' standalone='yes' ?><a/>"),
            ("<?xml version=\"1.0\"\n\tencoding='Shift_JIS'?>", "<?xml version=\"1.0\"?>"),
            ("<?xml version=\"1.0\"?><a encoding=\"x\"/>", "<?xml version=\"1.0\"?><a encoding=\"x\"/>"),
            ("<?xml-stylesheet encoding=\"x\"?><a/>", "<?xml-stylesheet encoding=\"x\"?><a/>"),
            ("<a>日本<?xml encoding=\"x\"?></a>", "<a>日本<?xml encoding=\"x\"?></a>"),
            ("<?xml", "<?xml"),
            ("", ""),
        ] {
            assert_eq!(without(value), left);
        }
    }

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
