//! The target columns that source columns of these names would get, where the target lacks them.

use super::wanted::wanted_columns;
use super::{choose_columns, target_names};
use crate::config::TableConfig;
use crate::error::Result;
use crate::table::{SourceDescription, TargetColumn};
use crate::target::TargetDescription;

/// Nullable, of the natural type; what holds another part of a value included. A column that cannot be brought over is left to planning, which names it.
pub(in crate::engine) fn added_columns(
    config: &TableConfig,
    source: &SourceDescription,
    target: &TargetDescription,
    added: &[String],
) -> Result<Vec<TargetColumn>> {
    if added.is_empty() {
        return Ok(Vec::new());
    }
    let chosen = choose_columns(config, source)?;
    let wanted = wanted_columns(config, &chosen, target_names(config, &chosen)?, Some(target), &source.computed)?;
    let new = wanted
        .into_iter()
        .filter(|column| added.contains(&column.source.name) && target.columns.iter().all(|standing| standing.name != column.target))
        .filter_map(|column| {
            let pg_type = column.kind.ok()?.natural_type();
            Some(TargetColumn {
                name: column.target,
                pg_type,
                nullable: true,
                has_default: false,
                generated: false,
                identity_always: false,
            })
        });
    Ok(new.collect())
}
