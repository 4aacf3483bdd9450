//! The vocabulary that sources, target and engine share: names and their quoting, columns, types. No I/O.

mod bad_row;
mod cast;
mod choice;
mod column;
mod definition;
mod fold;
mod incremental;
mod name;
mod nearest;
mod pg_type;
mod range;
mod seen;
mod watermark;
mod window;

pub use bad_row::BadRow;
pub use cast::SourceCast;
pub use choice::{BadText, Change, Isolation, OnBadRow, OnDrift, Refresh, SubMicrosecond};
pub use column::{ColumnPart, SourceColumn, SourceDescription, TargetColumn, ValueKind};
pub use definition::{ColumnDefinition, IndexForm, SourceDefinition, SourceForeignKey, SourceIdentity, SourceIndex};
pub use fold::{IDENTIFIER_BYTES_MAX, IdentifierPolicy, fold_identifiers};
pub use incremental::{Deletes, Incremental, OnConflict};
pub use name::{PgIdent, Quoting, SourceTable, TargetTable, TsqlIdent, quoted_list};
pub use nearest::{did_you_mean, nearest};
pub use pg_type::PgType;
pub use range::{KeyRanges, RangeBounds, RangeKind};
pub use seen::{SeenColumn, SeenTable, SeenTarget};
pub use watermark::{Moment, Step, Watermark, WatermarkKind};
pub use window::{Edge, Position, SyncColumn, SyncRange, Window};
