//! Collations: name, locale, sort id, comparison rules and code page.

use encoding_rs::Encoding;

/// How a column's text is compared and, for narrow text, encoded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Collation {
    pub(crate) name: &'static str,
    pub(crate) lcid: u32,
    pub(crate) sort_id: u8,
    /// Ignore-case, accent, width, kana, binary, binary2, UTF-8: the bits of the wire.
    pub(crate) flags: u8,
    pub(crate) version: u8,
    pub(crate) code_page: u16,
}

const CI_AS: u8 = 0x0D;
const CS_AS: u8 = 0x0C;
const BIN2: u8 = 0x20;
const UTF8: u8 = 0x40;

#[expect(clippy::too_many_arguments, reason = "one line of the table below is one collation")]
const fn collation(name: &'static str, lcid: u32, sort_id: u8, flags: u8, version: u8, code_page: u16) -> Collation {
    Collation { name, lcid, sort_id, flags, version, code_page }
}

/// The collation of a server and a database that say nothing else.
pub(crate) const DEFAULT: &Collation = &ALL[0];

/// The collation of `json`.
pub(crate) const UTF8_BIN2: &Collation = &ALL[2];

/// The collation of the two sample databases.
pub(crate) const JAPANESE: &Collation = &ALL[1];

static ALL: &[Collation] = &[
    collation("SQL_Latin1_General_CP1_CI_AS", 0x0409, 52, CI_AS, 0, 1252),
    collation("Japanese_CI_AS", 0x0411, 0, CI_AS, 0, 932),
    collation("Latin1_General_100_BIN2_UTF8", 0x0409, 0, BIN2 | UTF8, 2, 65001),
    collation("SQL_Latin1_General_CP1_CS_AS", 0x0409, 51, CS_AS, 0, 1252),
    collation("Latin1_General_CI_AS", 0x0409, 0, CI_AS, 0, 1252),
    collation("Latin1_General_CS_AS", 0x0409, 0, CS_AS, 0, 1252),
    collation("Latin1_General_BIN2", 0x0409, 0, BIN2, 0, 1252),
    collation("Latin1_General_100_CI_AS", 0x0409, 0, CI_AS, 2, 1252),
    collation("Latin1_General_100_CI_AS_SC_UTF8", 0x0409, 0, CI_AS | UTF8, 2, 65001),
    collation("Japanese_CS_AS", 0x0411, 0, CS_AS, 0, 932),
    collation("Japanese_BIN2", 0x0411, 0, BIN2, 0, 932),
    collation("Japanese_XJIS_100_CI_AS", 0x0411, 0, CI_AS, 2, 932),
    collation("Japanese_XJIS_140_CI_AS_UTF8", 0x0411, 0, CI_AS | UTF8, 3, 65001),
    collation("SQL_Latin1_General_CP437_CI_AS", 0x0409, 32, CI_AS, 0, 437),
    collation("SQL_Latin1_General_CP850_CI_AS", 0x0409, 42, CI_AS, 0, 850),
    collation("Chinese_PRC_CI_AS", 0x0804, 0, CI_AS, 0, 936),
    collation("Chinese_Taiwan_Stroke_CI_AS", 0x0404, 0, CI_AS, 0, 950),
    collation("Korean_Wansung_CI_AS", 0x0412, 0, CI_AS, 0, 949),
    collation("Polish_CI_AS", 0x0415, 0, CI_AS, 0, 1250),
    collation("Cyrillic_General_CI_AS", 0x0419, 0, CI_AS, 0, 1251),
    collation("Greek_CI_AS", 0x0408, 0, CI_AS, 0, 1253),
    collation("Turkish_CI_AS", 0x041F, 0, CI_AS, 0, 1254),
    collation("Hebrew_CI_AS", 0x040D, 0, CI_AS, 0, 1255),
    collation("Arabic_CI_AS", 0x0401, 0, CI_AS, 0, 1256),
    collation("Estonian_CI_AS", 0x0425, 0, CI_AS, 0, 1257),
    collation("Vietnamese_CI_AS", 0x042A, 0, CI_AS, 0, 1258),
    collation("Thai_CI_AS", 0x041E, 0, CI_AS, 0, 874),
    collation("SQL_Latin1_General_CP437_CS_AS", 0x0409, 31, CS_AS, 0, 437),
    collation("SQL_Latin1_General_CP850_CS_AS", 0x0409, 41, CS_AS, 0, 850),
    collation("SQL_Latin1_General_CP1250_CI_AS", 0x0409, 82, CI_AS, 0, 1250),
    collation("SQL_Latin1_General_CP1251_CI_AS", 0x0409, 106, CI_AS, 0, 1251),
    collation("SQL_Latin1_General_CP1253_CI_AS", 0x0409, 114, CI_AS, 0, 1253),
    collation("SQL_Latin1_General_CP1254_CI_AS", 0x0409, 130, CI_AS, 0, 1254),
    collation("SQL_Latin1_General_CP1255_CI_AS", 0x0409, 138, CI_AS, 0, 1255),
    collation("SQL_Latin1_General_CP1256_CI_AS", 0x0409, 146, CI_AS, 0, 1256),
    collation("SQL_Latin1_General_CP1257_CI_AS", 0x0409, 154, CI_AS, 0, 1257),
    collation("Chinese_PRC_BIN2", 0x0804, 0, BIN2, 0, 936),
    collation("Chinese_Taiwan_Stroke_BIN2", 0x0404, 0, BIN2, 0, 950),
    collation("Korean_Wansung_BIN2", 0x0412, 0, BIN2, 0, 949),
    collation("Latin1_General_100_CS_AS", 0x0409, 0, CS_AS, 2, 1252),
    collation("Latin1_General_100_CS_AS_SC_UTF8", 0x0409, 0, CS_AS | UTF8, 2, 65001),
    collation("Latin1_General_100_BIN2", 0x0409, 0, BIN2, 2, 1252),
];
const HIGH_437: &str =
    "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";
const HIGH_850: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}";

/// The collation of this name, case-insensitively.
pub(crate) fn find(name: &str) -> Option<&'static Collation> {
    ALL.iter().find(|collation| collation.name.eq_ignore_ascii_case(name))
}

impl Collation {
    /// The five bytes of a type's collation on the wire.
    pub(crate) fn wire(&self) -> [u8; 5] {
        let word = self.lcid | u32::from(self.flags) << 20 | u32::from(self.version) << 28;
        let [a, b, c, d] = word.to_le_bytes();
        [a, b, c, d, self.sort_id]
    }

    /// The collation that a client's parameter names; the default where there is none such.
    pub(crate) fn from_wire(bytes: [u8; 5]) -> &'static Collation {
        ALL.iter().find(|collation| collation.wire() == bytes).unwrap_or(DEFAULT)
    }

    /// Whether upper and lower case are the same.
    pub(crate) fn ignores_case(&self) -> bool {
        self.flags & 0x01 != 0
    }

    /// Whether text is compared by its code alone.
    pub(crate) fn is_binary(&self) -> bool {
        self.flags & 0x30 != 0
    }

    fn encoding(&self) -> &'static Encoding {
        match self.code_page {
            932 => encoding_rs::SHIFT_JIS,
            936 => encoding_rs::GBK,
            949 => encoding_rs::EUC_KR,
            950 => encoding_rs::BIG5,
            874 => encoding_rs::WINDOWS_874,
            1250 => encoding_rs::WINDOWS_1250,
            1251 => encoding_rs::WINDOWS_1251,
            1253 => encoding_rs::WINDOWS_1253,
            1254 => encoding_rs::WINDOWS_1254,
            1255 => encoding_rs::WINDOWS_1255,
            1256 => encoding_rs::WINDOWS_1256,
            1257 => encoding_rs::WINDOWS_1257,
            1258 => encoding_rs::WINDOWS_1258,
            65001 => encoding_rs::UTF_8,
            _ => encoding_rs::WINDOWS_1252,
        }
    }

    fn high_half(&self) -> Option<&'static str> {
        match self.code_page {
            437 => Some(HIGH_437),
            850 => Some(HIGH_850),
            _ => None,
        }
    }

    /// Narrow bytes as UTF-16, as the server converts them: what is invalid becomes the code page's own replacement, U+FFFD in UTF-8 alone.
    pub(crate) fn decode(&self, bytes: &[u8]) -> Vec<u16> {
        let Some(high) = self.high_half() else {
            let text = self.encoding().decode_without_bom_handling(bytes).0;
            let replacement = match self.code_page {
                65001 => 0xFFFD,
                932 => 0x30FB,
                _ => 0x3F,
            };
            return text.encode_utf16().map(|unit| if unit == 0xFFFD { replacement } else { unit }).collect();
        };
        let of_high = |byte: u8| high.chars().nth(usize::from(byte) - 128).map_or(0xFFFD, |c| c as u16);
        bytes.iter().map(|&byte| if byte < 128 { u16::from(byte) } else { of_high(byte) }).collect()
    }

    /// UTF-16 as narrow bytes; what the code page lacks becomes `?`, as SQL Server has it.
    pub(crate) fn encode(&self, units: &[u16]) -> Vec<u8> {
        let mut out = Vec::with_capacity(units.len());
        let mut one = [0u8; 4];
        for decoded in char::decode_utf16(units.iter().copied()) {
            let c = decoded.unwrap_or('\u{FFFD}');
            if c.is_ascii() {
                out.push(c as u8);
            } else if let Some(high) = self.high_half() {
                out.push(high.chars().position(|h| h == c).map_or(b'?', |at| 128 + at as u8));
            } else {
                let (bytes, _, failed) = self.encoding().encode(c.encode_utf8(&mut one));
                if failed {
                    out.push(b'?');
                } else {
                    out.extend_from_slice(&bytes);
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_page_writes_and_reads_its_own_letters() {
        let cases: [(&str, &str, &[u8]); 17] = [
            ("SQL_Latin1_General_CP437_CI_AS", "é╬", &[0x82, 0xCE]),
            ("SQL_Latin1_General_CP850_CI_AS", "éÁ", &[0x82, 0xB5]),
            ("Thai_CI_AS", "ก", &[0xA1]),
            ("Japanese_CI_AS", "漢ｶ", &[0x8A, 0xBF, 0xB6]),
            ("Chinese_PRC_CI_AS", "汉€", &[0xBA, 0xBA, 0x80]),
            ("Korean_Wansung_CI_AS", "한", &[0xC7, 0xD1]),
            ("Chinese_Taiwan_Stroke_CI_AS", "漢", &[0xBA, 0x7E]),
            ("Polish_CI_AS", "ł", &[0xB3]),
            ("Cyrillic_General_CI_AS", "Ж", &[0xC6]),
            ("Latin1_General_CI_AS", "€ü", &[0x80, 0xFC]),
            ("Greek_CI_AS", "Ω", &[0xD9]),
            ("Turkish_CI_AS", "ğ", &[0xF0]),
            ("Hebrew_CI_AS", "א", &[0xE0]),
            ("Arabic_CI_AS", "ع", &[0xDA]),
            ("Estonian_CI_AS", "š", &[0xF0]),
            ("Vietnamese_CI_AS", "đ", &[0xF0]),
            ("Latin1_General_100_CI_AS_SC_UTF8", "漢😀", &[0xE6, 0xBC, 0xA2, 0xF0, 0x9F, 0x98, 0x80]),
        ];
        for (name, text, bytes) in cases {
            let collation = find(name).unwrap();
            let units: Vec<u16> = text.encode_utf16().collect();
            assert_eq!(collation.encode(&units), bytes, "{name}");
            assert_eq!(collation.decode(bytes), units, "{name}");
        }
    }

    #[test]
    fn what_is_invalid_becomes_what_windows_puts_there() {
        for (name, bytes, text) in [
            ("Japanese_CI_AS", [0x41, 0x81].as_slice(), "A\u{30FB}"),
            ("Chinese_Taiwan_Stroke_CI_AS", &[0x41, 0x81], "A?"),
            ("Latin1_General_100_BIN2_UTF8", &[0x41, 0xC3, 0x42], "A\u{FFFD}B"),
            ("Latin1_General_CI_AS", &[0x81], "\u{81}"),
        ] {
            assert_eq!(find(name).map(|found| String::from_utf16_lossy(&found.decode(bytes))).as_deref(), Some(text), "{name}");
        }
    }

    #[test]
    fn names_are_distinct() {
        for (at, one) in ALL.iter().enumerate() {
            assert!(ALL[..at].iter().all(|other| other.name != one.name), "{}", one.name);
        }
    }
}
