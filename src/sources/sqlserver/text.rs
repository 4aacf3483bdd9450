//! Text that arrives as its bytes, decoded here: what the driver would replace or give up at is found, and dealt with as configured.

use encoding_rs::{DecoderResult, Encoding};

use crate::copy::CellError;
use crate::table::BadText;

/// The code page of `_UTF8` collations.
const UTF_8: i32 = 65001;

/// What a text column's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextForm {
    /// UTF-16, the lower byte first: `nvarchar` and all that is cast to it on the server.
    Utf16,
    /// Characters of a code page.
    CodePage(&'static Encoding),
}

impl TextForm {
    /// Whether the driver decodes a `varchar` in this code page. UTF-8 comes through the server, which puts U+FFFD for broken bytes.
    pub(super) fn is_the_drivers(code_page: i32) -> bool {
        code_page != UTF_8 && Self::of_code_page(code_page).is_some()
    }

    /// Whether U+FFFD may have been put into such text before it came here; in other code pages the driver replaces nothing.
    pub(super) fn may_be_replaced(self) -> bool {
        self == TextForm::Utf16 || self == TextForm::CodePage(encoding_rs::UTF_8)
    }

    /// How a `varchar` in a Windows code page or in UTF-8 is decoded, as the driver does it; none where that cannot be done exactly.
    pub(super) fn of_code_page(code_page: i32) -> Option<Self> {
        let encoding = match code_page {
            874 => encoding_rs::WINDOWS_874,
            932 => encoding_rs::SHIFT_JIS,
            936 => encoding_rs::GB18030,
            1250 => encoding_rs::WINDOWS_1250,
            1251 => encoding_rs::WINDOWS_1251,
            1252 => encoding_rs::WINDOWS_1252,
            1253 => encoding_rs::WINDOWS_1253,
            1254 => encoding_rs::WINDOWS_1254,
            1255 => encoding_rs::WINDOWS_1255,
            1256 => encoding_rs::WINDOWS_1256,
            1257 => encoding_rs::WINDOWS_1257,
            1258 => encoding_rs::WINDOWS_1258,
            UTF_8 => encoding_rs::UTF_8,
            _ => return None,
        };
        Some(TextForm::CodePage(encoding))
    }

    /// Appends the text to `out`; true when something broken in it was left out or replaced.
    ///
    /// # Errors
    /// [`CellError::LoneSurrogate`] and [`CellError::BrokenBytes`] where `broken` is [`BadText::Fail`].
    pub(super) fn decode(self, bytes: &[u8], broken: BadText, out: &mut String) -> Result<bool, CellError> {
        match self {
            TextForm::Utf16 => decode_utf16(bytes, broken, out),
            TextForm::CodePage(encoding) => decode_code_page(encoding, bytes, broken, out),
        }
    }
}

fn decode_utf16(bytes: &[u8], broken: BadText, out: &mut String) -> Result<bool, CellError> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| u16::from_le_bytes(*pair));
    // Half a unit at the end is as good as half a pair.
    let rest = (!odd.is_empty()).then_some(Err(()));
    let mut changed = false;
    out.reserve(bytes.len());
    for (character, decoded) in char::decode_utf16(units).map(|decoded| decoded.map_err(|_| ())).chain(rest).enumerate() {
        match (decoded, broken) {
            (Ok(decoded), _) => out.push(decoded),
            (Err(()), BadText::Fail) => return Err(CellError::LoneSurrogate(character + 1)),
            (Err(()), BadText::Strip) => changed = true,
            (Err(()), BadText::Replace) => {
                changed = true;
                out.push(char::REPLACEMENT_CHARACTER);
            }
        }
    }
    Ok(changed)
}

fn decode_code_page(encoding: &'static Encoding, bytes: &[u8], broken: BadText, out: &mut String) -> Result<bool, CellError> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut read = 0;
    let mut changed = false;
    loop {
        let rest = &bytes[read..];
        out.reserve(decoder.max_utf8_buffer_length_without_replacement(rest.len()).unwrap_or(rest.len() * 4));
        let (result, taken) = decoder.decode_to_string_without_replacement(rest, out, true);
        read += taken;
        match (result, broken) {
            (DecoderResult::InputEmpty, _) => return Ok(changed),
            (DecoderResult::OutputFull, _) => {}
            (DecoderResult::Malformed(length, behind), BadText::Fail) => {
                let at = read.saturating_sub(usize::from(length) + usize::from(behind));
                return Err(CellError::BrokenBytes { at, encoding: encoding.name() });
            }
            (DecoderResult::Malformed(..), BadText::Strip) => changed = true,
            (DecoderResult::Malformed(..), BadText::Replace) => {
                changed = true;
                out.push(char::REPLACEMENT_CHARACTER);
            }
        }
    }
}

/// Takes U+0000 out of a text as configured; true when there was one.
///
/// # Errors
/// [`CellError::Nul`] where that is configured.
pub(super) fn without_nul(text: &mut String, policy: BadText) -> Result<bool, CellError> {
    let Some(at) = memchr::memchr(0, text.as_bytes()) else { return Ok(false) };
    match policy {
        BadText::Fail => return Err(CellError::Nul(at)),
        BadText::Strip => text.retain(|character| character != '\0'),
        BadText::Replace => *text = text.replace('\0', "\u{FFFD}"),
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(form: TextForm, bytes: &[u8], broken: BadText) -> Result<(String, bool), CellError> {
        let mut out = String::new();
        form.decode(bytes, broken, &mut out).map(|changed| (out, changed))
    }

    fn utf16(units: &[u16]) -> Vec<u8> {
        units.iter().flat_map(|unit| unit.to_le_bytes()).collect()
    }

    #[test]
    fn a_lone_surrogate_is_found_left_out_or_replaced() {
        let of = |units: &[u16], broken| decoded(TextForm::Utf16, &utf16(units), broken);
        assert_eq!(of(&[0x61, 0xD83D, 0xDE00], BadText::Fail), Ok(("a😀".to_owned(), false)));
        assert_eq!(of(&[0xFFFD], BadText::Fail), Ok(("\u{FFFD}".to_owned(), false)));
        for units in [[0x61, 0xD83D, 0x62], [0x61, 0xDE00, 0x62]] {
            assert_eq!(of(&units, BadText::Fail), Err(CellError::LoneSurrogate(2)));
            assert_eq!(of(&units, BadText::Strip), Ok(("ab".to_owned(), true)));
            assert_eq!(of(&units, BadText::Replace), Ok(("a\u{FFFD}b".to_owned(), true)));
        }
        assert_eq!(of(&[0x61, 0xD83D], BadText::Strip), Ok(("a".to_owned(), true)));
        assert_eq!(decoded(TextForm::Utf16, b"a\0b", BadText::Fail), Err(CellError::LoneSurrogate(2)));
    }

    #[test]
    fn bytes_that_are_no_character_are_found_left_out_or_replaced() {
        let japanese = TextForm::of_code_page(932).unwrap();
        assert_eq!(decoded(japanese, b"\x93\xfa\x96\x7b\xb6", BadText::Fail), Ok(("日本ｶ".to_owned(), false)));
        let cases: [(&[u8], usize, &str); 3] = [(b"ab\x93", 2, "ab"), (b"\xfd\x93\xfa", 0, "日"), (b"a\x81\xfdb", 1, "ab")];
        for (bytes, at, stripped) in cases {
            assert_eq!(decoded(japanese, bytes, BadText::Fail), Err(CellError::BrokenBytes { at, encoding: "Shift_JIS" }), "{bytes:?}");
            let (text, changed) = decoded(japanese, bytes, BadText::Strip).unwrap();
            assert_eq!((&*text, changed), (stripped, true), "{bytes:?}");
            assert!(decoded(japanese, bytes, BadText::Replace).unwrap().0.contains('\u{FFFD}'), "{bytes:?}");
        }
        let thai = TextForm::of_code_page(874).unwrap();
        assert!(decoded(thai, b"\xdb", BadText::Fail).is_err());
        assert_eq!(TextForm::of_code_page(850), None);
        assert!(TextForm::is_the_drivers(932) && !TextForm::is_the_drivers(65001) && !TextForm::is_the_drivers(949));
    }

    #[test]
    fn a_nul_is_refused_left_out_or_replaced() {
        let of = |policy| {
            let mut text = "a\0b\0".to_owned();
            without_nul(&mut text, policy).map(|changed| (text, changed))
        };
        assert_eq!(of(BadText::Fail), Err(CellError::Nul(1)));
        assert_eq!(of(BadText::Strip), Ok(("ab".to_owned(), true)));
        assert_eq!(of(BadText::Replace), Ok(("a\u{FFFD}b\u{FFFD}".to_owned(), true)));
        assert_eq!(without_nul(&mut "ab".to_owned(), BadText::Fail), Ok(false));
    }
}
