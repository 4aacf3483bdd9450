//! `hierarchyid`: its bytes as the path that `ToString()` writes, and back
//! (MS-SSCLRT, HierarchyId).

/// The lowest label of a range, and its bits: `x` is a bit of the label's offset in the range.
const RANGES: [(i64, &str); 13] = [
    (0, "01xx"),
    (4, "100xx"),
    (8, "101xxx"),
    (16, "110xx0x1xxx"),
    (80, "1110xxx0xxx0x1xxx"),
    (1104, "11110xxxxx0xxx0x1xxx"),
    (5200, "111110xxxxxxxxxxxxxxxxxxx0xxxxxx0xxx0x1xxx"),
    (4_294_972_496, "111111xxxxxxxxxxxxxx0xxxxxxxxxxxxxxxxxxxxx0xxxxxx0xxx0x1xxx"),
    (-8, "00111xxx"),
    (-72, "0010xx0x1xxx"),
    (-4168, "000110xxxxx0xxx0x1xxx"),
    (-4_294_971_464, "000101xxxxxxxxxxxxxxxxxxx0xxxxxx0xxx0x1xxx"),
    (-281_479_271_682_120, "000100xxxxxxxxxxxxxx0xxxxxxxxxxxxxxxxxxxxx0xxxxxx0xxx0x1xxx"),
];

/// `/1/2.3/` for the bytes of a `hierarchyid`; `None` where they are none.
pub(crate) fn path(bytes: &[u8]) -> Option<String> {
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    let mut rest = bits.as_slice();
    let mut path = String::from("/");
    while rest.contains(&1) {
        let (label, last, after) = RANGES.iter().find_map(|(low, pattern)| label(rest, *low, pattern))?;
        // A label that is not the last of its level stands one above itself.
        path.push_str(&(if last { label } else { label - 1 }).to_string());
        path.push(if last { '/' } else { '.' });
        rest = after;
    }
    Some(path)
}

fn label<'a>(bits: &'a [u8], low: i64, pattern: &str) -> Option<(i64, bool, &'a [u8])> {
    let (own, rest) = bits.split_at_checked(pattern.len())?;
    let (last, rest) = rest.split_first()?;
    let mut offset = 0i64;
    for (bit, expected) in own.iter().zip(pattern.bytes()) {
        match expected {
            b'x' => offset = offset << 1 | i64::from(*bit),
            fixed if fixed - b'0' == *bit => {}
            _ => return None,
        }
    }
    Some((low + offset, *last == 1, rest))
}

/// The bytes of a path; `None` where it is none.
pub(crate) fn bytes(path: &str) -> Option<Vec<u8>> {
    let inner = path.strip_prefix('/')?;
    let mut bits: Vec<u8> = Vec::new();
    if !inner.is_empty() {
        for level in inner.strip_suffix('/')?.split('/') {
            let labels: Vec<i64> = level.split('.').map(|label| label.parse().ok()).collect::<Option<_>>()?;
            for (at, label) in labels.iter().enumerate() {
                let last = at + 1 == labels.len();
                put_label(&mut bits, if last { *label } else { label + 1 })?;
                bits.push(u8::from(last));
            }
        }
    }
    bits.resize(bits.len().next_multiple_of(8), 0);
    Some(bits.chunks(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | bit)).collect())
}

fn put_label(bits: &mut Vec<u8>, label: i64) -> Option<()> {
    let (low, pattern) = RANGES.iter().filter(|(low, _)| *low <= label && (*low < 0) == (label < 0)).max_by_key(|(low, _)| *low)?;
    let mut width = pattern.bytes().filter(|bit| *bit == b'x').count();
    let offset = label - low;
    if offset >> width != 0 {
        return None;
    }
    for bit in pattern.bytes() {
        bits.push(if bit == b'x' {
            width -= 1;
            (offset >> width & 1) as u8
        } else {
            bit - b'0'
        });
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specifications_examples_read_and_write() {
        for (text, hex) in [
            ("/", ""),
            ("/1/", "58"),
            ("/1/-2.18/", "59fb0540"),
            ("/1.1/", "62c0"),
            (
                "/167515058144400.68456395185647.2799456567/221588961120181.60793214790911.3103372627/52901172697923.230105430619337.3008044937/",
                "fe61634711d0212fcf9037e3c09910fa9b70b963ffe4c2ecd40b6639f9ba4617e331321f5c7cd0405ff301c01cda1ae63fd1454c39f00ed3eb34b058d980",
            ),
        ] {
            let raw = crate::types::parse::hex(hex).unwrap();
            assert_eq!(path(&raw).as_deref(), Some(text));
            assert_eq!(bytes(text), Some(raw), "{text}");
        }
        for text in ["/-9/", "/0/3/4/7/8/15/16/79/80/1103/1104/5199/5200/", "/-72/-73/-4168/-4169/", "/0.-1.5/"] {
            assert_eq!(bytes(text).and_then(|raw| path(&raw)).as_deref(), Some(text));
        }
        assert_eq!(bytes("/1"), None);
        assert_eq!(path(&[0xFF]), None);
    }
}
