//! Rows of binary COPY, written field by field into a reused buffer.

use super::{json, numeric, spatial, temporal, text};

/// What a stream begins with: the signature, no flags, no header extension.
pub const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What a stream ends with.
pub const TRAILER: &[u8] = &(-1_i16).to_be_bytes();
/// The longest field that PostgreSQL takes: one byte short of 1 GiB (`MaxAllocSize`).
const FIELD_BYTES_MAX: usize = (1 << 30) - 1;

/// Why a value cannot be written into its column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CellError {
    /// More characters than the column takes.
    #[error("the value has {chars} characters and the column takes {chars_max}")]
    TooLong {
        /// The value's characters.
        chars: usize,
        /// The column's limit.
        chars_max: u32,
    },
    /// More bytes than any field can have.
    #[error("the value has {0} bytes and PostgreSQL takes at most 1 GiB - 1 in a field")]
    TooLarge(usize),
    /// U+0000 in text.
    #[error("the text holds a NUL character (U+0000) at byte {0}, which PostgreSQL's text types cannot hold")]
    Nul(usize),
    /// U+FFFD, which may stand for something that was not decoded.
    #[error("the text holds U+FFFD at byte {0}, which may stand for characters that were not decoded")]
    Doubtful(usize),
    /// A surrogate without its other half, or half a UTF-16 unit.
    #[error("the text holds a lone surrogate as character {0}, which PostgreSQL's text types cannot hold")]
    LoneSurrogate(usize),
    /// Bytes that are no character of the column's code page.
    #[error("the text holds bytes that are no character of its code page ({encoding}), from byte {at}")]
    BrokenBytes {
        /// Where they begin.
        at: usize,
        /// The code page's encoding.
        encoding: &'static str,
    },
    /// NULL where the column takes none.
    #[error("the value is NULL and the column is NOT NULL")]
    Null,
    /// Digits after the point that the column would round away.
    #[error("the value has more than the {0} digits after the point that the column keeps")]
    Scale(u16),
    /// Digits before the point that the column has no room for.
    #[error("the value is too large for numeric({0},{1})")]
    Precision(u16, u16),
    /// A row version whose first bit is set.
    #[error("the row version is 2^63 or more, which bigint cannot hold (as_bigint)")]
    RowVersion,
    /// Fractional seconds that the column would round away.
    #[error("the value has more than the {0} fractional digits of a second that the column keeps")]
    SecondDigits(u8),
    /// A seventh fractional digit, refused by configuration.
    #[error("the value has a seventh fractional digit of a second, and on_submicrosecond is \"fail\"")]
    SubMicrosecond,
    /// A seventh fractional digit whose rounding would carry the value out of its range.
    #[error("rounding the seventh fractional digit of a second would carry the value past {0}, and on_submicrosecond is \"round\"")]
    RoundedOut(&'static str),
    /// A time that clocks never showed.
    #[error("clocks in {0} were put forward over this time, so that it never was")]
    Gap(String),
    /// Text that is no JSON, or no such as the column holds.
    #[error("the text is not JSON as the column takes it: {0}")]
    Json(String),
    /// Text that is no uuid.
    #[error("the text is not a uuid")]
    NotUuid,
    /// Text that is no day.
    #[error("the text is not a date, written YYYY-MM-DD")]
    NotDate,
    /// A shape that PostgreSQL cannot hold.
    #[error("the shape cannot be brought over: {0}")]
    Spatial(&'static str),
    /// The driver delivered something else than the catalogue announced.
    #[error("the driver delivered {delivered} where the catalogue announced a value for {expected}")]
    Unexpected {
        /// What came.
        delivered: &'static str,
        /// What was to be written.
        expected: &'static str,
    },
}

/// Writes rows into a buffer; a row that fails half-way is taken back with [`RowWriter::undo_row`].
#[derive(Debug)]
pub struct RowWriter<'b> {
    out: &'b mut Vec<u8>,
    row_start: usize,
    replacement_is_genuine: bool,
}

impl<'b> RowWriter<'b> {
    /// Begins a row of `fields` fields at the end of `out`.
    pub fn begin_row(out: &'b mut Vec<u8>, fields: i16) -> Self {
        let row_start = out.len();
        out.extend_from_slice(&fields.to_be_bytes());
        Self { out, row_start, replacement_is_genuine: false }
    }

    /// From here on U+FFFD in text is what the source holds.
    pub fn take_replacement_as_genuine(&mut self) {
        self.replacement_is_genuine = true;
    }

    /// Takes the row back.
    pub fn undo_row(self) {
        self.out.truncate(self.row_start);
    }

    /// NULL.
    pub fn null(&mut self) {
        self.out.extend_from_slice(&(-1_i32).to_be_bytes());
    }

    /// A `bool`.
    pub fn bool(&mut self, value: bool) {
        self.fixed([u8::from(value)]);
    }

    /// An `int2`.
    pub fn int2(&mut self, value: i16) {
        self.fixed(value.to_be_bytes());
    }

    /// An `int4`; also a `date` as days since 2000-01-01.
    pub fn int4(&mut self, value: i32) {
        self.fixed(value.to_be_bytes());
    }

    /// An `int8`; also a `time` or `timestamp` in microseconds since midnight or since 2000-01-01.
    pub fn int8(&mut self, value: i64) {
        self.fixed(value.to_be_bytes());
    }

    /// A `float4`, bits as they are.
    pub fn float4(&mut self, value: f32) {
        self.fixed(value.to_be_bytes());
    }

    /// A `float8`, bits as they are.
    pub fn float8(&mut self, value: f64) {
        self.fixed(value.to_be_bytes());
    }

    /// A `uuid`, its bytes in the order they are written in.
    pub fn uuid(&mut self, value: &[u8; 16]) {
        self.fixed(*value);
    }

    /// A `numeric` of `value / 10^scale`.
    ///
    /// # Errors
    /// When the column's `limits` (precision, scale) would change or refuse the value.
    pub fn numeric(&mut self, value: i128, scale: u8, limits: Option<(u16, u16)>) -> Result<(), CellError> {
        numeric::write(self.out, value, scale, limits)
    }

    /// A `bytea`.
    ///
    /// # Errors
    /// When the value is too large for any field.
    pub fn bytes(&mut self, value: &[u8]) -> Result<(), CellError> {
        let length = field_length(value.len())?;
        self.out.reserve(4 + value.len());
        self.out.extend_from_slice(&length.to_be_bytes());
        self.out.extend_from_slice(value);
        Ok(())
    }

    /// A `text` or `varchar` of at most `chars_max` characters.
    ///
    /// # Errors
    /// When the value is too long, holds U+0000, or U+FFFD that is not known to be genuine.
    pub fn text(&mut self, value: &str, chars_max: Option<u32>) -> Result<(), CellError> {
        text::check(value, chars_max, self.replacement_is_genuine)?;
        self.bytes(value.as_bytes())
    }

    /// A `char(n)`: blanks at the end are the column's own business.
    ///
    /// # Errors
    /// As [`RowWriter::text`] of the value without them.
    pub fn char(&mut self, value: &str, chars_max: u32) -> Result<(), CellError> {
        self.text(value.trim_end_matches(' '), Some(chars_max))
    }

    /// An `xml` of at most `chars_max` characters, without the encoding that its declaration names: the text has another one here.
    ///
    /// # Errors
    /// When the value is too long or holds U+0000.
    pub fn xml(&mut self, value: &str, chars_max: Option<u32>) -> Result<(), CellError> {
        match text::xml_encoding(value) {
            Some(encoding) => self.text(&[&value[..encoding.start], &value[encoding.end..]].concat(), chars_max),
            None => self.text(value, chars_max),
        }
    }

    /// A `json`.
    ///
    /// # Errors
    /// When the value is not JSON.
    pub fn json(&mut self, value: &str) -> Result<(), CellError> {
        text::check(value, None, self.replacement_is_genuine)?;
        json::check(value)?;
        self.bytes(value.as_bytes())
    }

    /// A `jsonb`: a version byte and the text.
    ///
    /// # Errors
    /// When the value is not JSON that `jsonb` holds.
    pub fn jsonb(&mut self, value: &str) -> Result<(), CellError> {
        text::check(value, None, self.replacement_is_genuine)?;
        json::check_jsonb(value)?;
        self.patched(|out| {
            out.push(1);
            out.extend_from_slice(value.as_bytes());
            Ok(())
        })
    }

    /// A `uuid` given as text, blanks at the end aside.
    ///
    /// # Errors
    /// When the text is not one.
    pub fn uuid_of_text(&mut self, value: &str) -> Result<(), CellError> {
        let uuid = uuid::Uuid::try_parse(value.trim_end_matches(' ')).map_err(|_| CellError::NotUuid)?;
        self.uuid(uuid.as_bytes());
        Ok(())
    }

    /// A `date` given as `YYYY-MM-DD`, blanks at the end aside.
    ///
    /// # Errors
    /// When the text is not one.
    pub fn date_of_text(&mut self, value: &str) -> Result<(), CellError> {
        self.int4(temporal::date_from_text(value.trim_end_matches(' '))?);
        Ok(())
    }

    /// The well-known binary of a shape, as a `bytea`.
    ///
    /// # Errors
    /// When it is the whole globe, or no shape.
    pub fn wkb(&mut self, value: &[u8]) -> Result<(), CellError> {
        spatial::check(value)?;
        self.bytes(value)
    }

    /// A PostGIS `geometry` or `geography`; `value` is an SRID in four bytes, the most significant first, and well-known binary.
    ///
    /// # Errors
    /// When it is the whole globe, or no shape.
    pub fn ewkb(&mut self, value: &[u8]) -> Result<(), CellError> {
        self.patched(|out| spatial::write_ewkb(out, value))
    }

    /// A field whose length is known once it is written.
    fn patched(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), CellError>) -> Result<(), CellError> {
        let start = self.out.len();
        self.null();
        write(self.out)?;
        let length = field_length(self.out.len() - start - 4)?;
        self.out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    fn fixed<const N: usize>(&mut self, value: [u8; N]) {
        self.out.reserve(4 + N);
        // N is at most 16.
        self.out.extend_from_slice(&[0, 0, 0, N.to_le_bytes()[0]]);
        self.out.extend_from_slice(&value);
    }
}

/// The length word of a field of `bytes` bytes.
fn field_length(bytes: usize) -> Result<i32, CellError> {
    match i32::try_from(bytes) {
        Ok(length) if bytes <= FIELD_BYTES_MAX => Ok(length),
        _ => Err(CellError::TooLarge(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_count_and_fields_with_their_lengths() {
        let mut out = Vec::new();
        let mut row = RowWriter::begin_row(&mut out, 3);
        row.int4(7);
        row.null();
        row.text("é", Some(1)).unwrap();
        assert_eq!(out, [&[0, 3, 0, 0, 0, 4, 0, 0, 0, 7, 255, 255, 255, 255, 0, 0, 0, 2][..], "é".as_bytes()].concat());
    }

    #[test]
    fn a_row_that_failed_leaves_nothing() {
        let mut out = vec![1, 2];
        let mut row = RowWriter::begin_row(&mut out, 2);
        row.int8(1);
        row.undo_row();
        assert_eq!(out, [1, 2]);
    }

    #[test]
    fn a_field_above_one_gibibyte_is_refused() {
        assert_eq!(field_length(FIELD_BYTES_MAX), Ok(1_073_741_823));
        assert_eq!(field_length(1 << 30), Err(CellError::TooLarge(1 << 30)));
    }
}
