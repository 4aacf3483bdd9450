//! The bytes of TDS 7.4 (MS-TDS): packets, tokens, types and values.

pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod login;
pub(crate) mod packet;
pub(crate) mod tokens;

/// A reader over one message, every read checked.
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
}

/// The message ended too early or held what TDS does not allow.
#[derive(Debug)]
pub(crate) struct Malformed;

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Cursor { bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.bytes.split_at_checked(count).ok_or(Malformed)?;
        self.bytes = tail;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    /// UTF-16 text of this many units.
    pub(crate) fn text(&mut self, units: usize) -> Result<String, Malformed> {
        Ok(String::from_utf16_lossy(&utf16_units(self.take(units * 2)?)))
    }
}

/// Little-endian bytes as UTF-16 units.
pub(crate) fn utf16_units(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// Appends text as UTF-16, little-endian.
pub(crate) fn put_utf16(out: &mut Vec<u8>, text: &str) -> usize {
    let start = out.len();
    out.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    (out.len() - start) / 2
}

/// Appends text with a one-byte count of its units.
pub(crate) fn put_short_text(out: &mut Vec<u8>, text: &str) {
    let at = out.len();
    out.push(0);
    out[at] = put_utf16(out, text) as u8;
}

/// Appends text with a two-byte count of its units.
pub(crate) fn put_long_text(out: &mut Vec<u8>, text: &str) {
    let at = out.len();
    out.extend([0, 0]);
    let units = put_utf16(out, text) as u16;
    out[at..at + 2].copy_from_slice(&units.to_le_bytes());
}
