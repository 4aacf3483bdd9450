//! What one attempt at a table reads, and what it has to say about what was read.

use crate::config::{QUARANTINE_LIMIT, TableConfig};
use crate::error::Result;
use crate::sources::{Connection, DescribedTable, ReadOptions, ReadSummary, SelectColumn, Selection};
use crate::table::{BadRow, BadText, Change};
use crate::target::{PublishWay, Published};

use super::plan::{PlannedColumn, SyncPlan};
use crate::copy::BatchSink;

/// So many rows put aside are named in a warning.
const NAMED_MAX: usize = 5;

/// What is read, once the plan is made.
pub(super) struct Reading {
    pub(super) connection: Connection,
    pub(super) described: DescribedTable,
    pub(super) selection: Selection,
    pub(super) options: ReadOptions,
}

impl Reading {
    /// Reads to the end, and gives the connection back.
    pub(super) async fn run(self, sink: BatchSink) -> Result<(ReadSummary, Connection)> {
        self.connection.read(&self.selection, &self.described, &self.options, sink).await
    }
}

/// How a table's values are read; `text_as_bytes` where a first read could not rely on the driver's text.
pub(super) fn read_options(config: &TableConfig, text_as_bytes: bool) -> ReadOptions {
    let options = &config.options;
    ReadOptions {
        on_submicrosecond: options.on_submicrosecond,
        on_nul: options.on_nul,
        on_bad_unicode: options.on_bad_unicode,
        on_bad_row: options.on_bad_row,
        quarantine_limit: options.quarantine_limit.unwrap_or(QUARANTINE_LIMIT),
        hash_keys: options.hash_keys,
        text_as_bytes,
    }
}

/// What the plan reads.
pub(super) fn selection(config: &TableConfig, plan: &SyncPlan) -> Selection {
    // Keys that are NULL are named together, from what was loaded.
    let required = |column: &PlannedColumn| column.not_null && !plan.publication.key.contains(&column.target);
    let select = |column: &PlannedColumn| SelectColumn {
        name: column.source.clone(),
        part: column.part,
        cast: column.cast.clone(),
        encoding: column.encoding,
        required: required(column),
    };
    Selection {
        table: config.sql_table.clone(),
        columns: plan.columns.iter().map(select).collect(),
        key: plan.key.clone(),
        isolation: config.options.isolation,
        time_zone: config.options.source_time_zone.clone(),
        ranges: None,
        window: None,
    }
}

/// What was changed on the way, a sentence for each column and reason.
pub(super) fn change_warnings<'a>(config: &'a TableConfig, summary: &'a ReadSummary) -> impl Iterator<Item = String> + 'a {
    summary.changed.iter().map(|(column, change, values)| {
        let values = if *values == 1 { "1 value".to_owned() } else { format!("{values} values") };
        let became = |policy: BadText| match policy {
            BadText::Strip => "removed from",
            BadText::Fail | BadText::Replace => "replaced by U+FFFD in",
        };
        match change {
            Change::SubMicrosecond => {
                format!("column {column}: the seventh fractional digit of {values} was not kept (on_submicrosecond)")
            }
            Change::Nul => format!("column {column}: NUL characters {} {values} (on_nul)", became(config.options.on_nul)),
            Change::BadUnicode => {
                format!("column {column}: broken characters {} {values} (on_bad_unicode)", became(config.options.on_bad_unicode))
            }
        }
    })
}

/// What became of the rows put aside; none where there are none.
pub(super) fn quarantine_warning(rows: &[BadRow], state_schema: &str, way: &PublishWay, published: &Published) -> Option<String> {
    if rows.is_empty() {
        return None;
    }
    let named: Vec<_> = rows.iter().take(NAMED_MAX).map(BadRow::named).collect();
    let more = if rows.len() > NAMED_MAX { "; and others" } else { "" };
    let one = rows.len() == 1;
    let stands = match way {
        PublishWay::Merge { .. } if published.kept > 0 && one => "it stands in the target as it was before".to_owned(),
        PublishWay::Merge { .. } if published.kept > 0 => {
            format!("{} of them stand in the target as they were before, the others are not there", published.kept)
        }
        PublishWay::Merge { .. } | PublishWay::Straight { .. } | PublishWay::Replace | PublishWay::Truncate | PublishWay::Swap { .. } => {
            format!("{} not in the target", if one { "it is" } else { "they are" })
        }
    };
    let rows = if one { "1 row, which was".to_owned() } else { format!("{} rows, which were", rows.len()) };
    Some(format!("the target cannot hold {rows} put aside in {state_schema}.quarantine (on_bad_row); {stands}: {}{more}", named.join("; ")))
}
