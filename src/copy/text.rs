//! What PostgreSQL's text types cannot hold.

use std::ops::Range;

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
        assert_eq!(check("日本語", Some(3)), Ok(()));
        assert_eq!(check("日本語", Some(2)), Err(CellError::TooLong { chars: 3, chars_max: 2 }));
        assert_eq!(check("", Some(0)), Ok(()));
    }

    #[test]
    fn nul_is_found_wherever_it_stands() {
        assert_eq!(check("ab\0", None), Err(CellError::Nul(2)));
    }
}
