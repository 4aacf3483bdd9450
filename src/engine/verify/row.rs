//! What a row is compared by: two hashes, of its key and of all it holds, worked out alike for both sides.

use sha2::{Digest, Sha256};
use twox_hash::{XxHash3_64, XxHash3_128};

use crate::copy::{Canonical, CopyRow, shown};
use crate::engine::plan::PlannedColumn;
use crate::table::PgType;

/// Independent hashes of key and row: what collides in one does not in the other.
const KEY_SEED: u64 = 0x006b_6579;
const ROW_SEED: u64 = 0x0072_6f77;
/// So many bytes of a key's hash are shown in its place, where keys are not to be.
const HASH_BYTES: usize = 6;
/// A row key in a report is cut at this many characters.
const KEY_CHARS_MAX: usize = 200;

/// A row's hashes. A table without a key is a multiset of rows: there the row is its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hashes {
    pub(super) key: u128,
    pub(super) row: u128,
}

/// How rows of a table are hashed; the buffers are reused.
#[derive(Debug, Clone)]
pub(super) struct RowHasher {
    canonical: Vec<Canonical>,
    as_is: bool,
    key: Vec<usize>,
    row: Vec<u8>,
    starts: Vec<usize>,
    key_bytes: Vec<u8>,
}

impl RowHasher {
    pub(super) fn new(columns: &[PlannedColumn], key: &[usize]) -> Self {
        let canonical: Vec<_> = columns.iter().map(|column| Canonical::of(column.encoding, column.pg_type == PgType::Xml)).collect();
        let as_is = canonical.iter().all(|how| *how == Canonical::AsIs);
        Self { canonical, as_is, key: key.to_vec(), row: Vec::new(), starts: Vec::new(), key_bytes: Vec::new() }
    }

    pub(super) fn hashes(&mut self, row: &CopyRow<'_>) -> Hashes {
        let hash = if self.as_is {
            XxHash3_128::oneshot_with_seed(ROW_SEED, row.bytes())
        } else {
            self.write_canonical(row);
            XxHash3_128::oneshot_with_seed(ROW_SEED, &self.row)
        };
        let key = match self.key.as_slice() {
            [] => hash,
            [column] if self.as_is => XxHash3_128::oneshot_with_seed(KEY_SEED, row.with_length(*column)),
            columns => {
                self.key_bytes.clear();
                for column in columns {
                    let field = if self.as_is { row.with_length(*column) } else { field(&self.row, &self.starts, *column) };
                    self.key_bytes.extend_from_slice(field);
                }
                XxHash3_128::oneshot_with_seed(KEY_SEED, &self.key_bytes)
            }
        };
        Hashes { key, row: hash }
    }

    /// A hash of each field.
    pub(super) fn fields(&mut self, row: &CopyRow<'_>) -> impl Iterator<Item = u64> {
        self.write_canonical(row);
        (0..self.canonical.len()).map(|column| XxHash3_64::oneshot(field(&self.row, &self.starts, column)))
    }

    /// All fields in their one form, each with its length before it.
    fn write_canonical(&mut self, row: &CopyRow<'_>) {
        self.row.clear();
        self.starts.clear();
        for (column, how) in self.canonical.iter().enumerate() {
            let start = self.row.len();
            self.starts.push(start);
            self.row.extend_from_slice(&(-1_i32).to_be_bytes());
            if let Some(field) = row.field(column) {
                how.write(field, &mut self.row);
                // Only here is the length below that of NULL, which is all that it has to tell apart.
                let length = u32::try_from(self.row.len() - start - 4).unwrap_or(u32::MAX - 1);
                self.row[start..start + 4].copy_from_slice(&length.to_be_bytes());
            }
        }
    }
}

fn field<'r>(row: &'r [u8], starts: &[usize], column: usize) -> &'r [u8] {
    let end = starts.get(column + 1).copied().unwrap_or(row.len());
    starts.get(column).map_or(&[], |start| &row[*start..end])
}

/// The key as a person would write it: `Id=7, Name=x`, cut at 200 characters; with `hashed`, the beginning of a SHA-256 of its values.
pub(super) fn key_text(columns: &[PlannedColumn], key: &[usize], row: &CopyRow<'_>, hashed: bool) -> String {
    let part = |position: &usize| {
        let column = columns.get(*position)?;
        Some((column.source.as_str(), shown(column.encoding, row.field(*position))))
    };
    let parts: Vec<_> = key.iter().filter_map(part).collect();
    if hashed {
        let values: Vec<_> = parts.into_iter().map(|(_, value)| value).collect();
        let digest = Sha256::digest(values.join(", "));
        let digits = digest.iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}"));
        return format!("#{}", digits.collect::<String>());
    }
    let named: Vec<_> = parts.iter().map(|(name, value)| format!("{name}={}", value.escape_debug())).collect();
    named.join(", ").chars().take(KEY_CHARS_MAX).collect()
}
