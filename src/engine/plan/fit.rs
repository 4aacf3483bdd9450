//! Pairs columns of the source with columns of the target, and names those that do not fit.

use super::PlannedColumn;
use super::form::{Note, encoding, hint, note};
use super::passage::{passage, said as said_of_cast};
use super::wanted::Wanted;
use crate::config::TableConfig;
use crate::error::{ErrorKind, Result, SyncError};
use crate::table::{ColumnPart, PgType, ValueKind};
use crate::target::TargetDescription;

/// Pairs each wanted column with the target's column of its name; all that do not fit are named at once. With them come the warnings about those that are
/// narrower than their source.
pub(super) fn fit_columns(
    config: &TableConfig,
    wanted: &[Wanted<'_>],
    target: &TargetDescription,
) -> Result<(Vec<PlannedColumn>, Vec<String>)> {
    let mut columns = Vec::with_capacity(wanted.len());
    let mut warnings = Vec::new();
    let mut refusals = Vec::new();
    for column in wanted {
        match fit_column(config, column, target) {
            Ok((planned, warning)) => {
                columns.push(planned);
                warnings.extend(warning);
            }
            Err(refusal) => refusals.push(refusal),
        }
    }
    refuse(config, ErrorKind::TargetSchema, refusals)?;
    Ok((columns, warnings))
}

fn fit_column(config: &TableConfig, wanted: &Wanted<'_>, target: &TargetDescription) -> Result<(PlannedColumn, Option<String>), String> {
    let (source, name) = (wanted.source, &wanted.target);
    wanted.kind.clone().map_err(|reason| format!("{} ({}): {reason}", source.name, source.declared))?;
    let Some(column) = target.columns.iter().find(|column| column.name == *name) else { return Err(missing(wanted)) };
    if column.generated {
        return Err(format!("{name}: the target computes it from other columns"));
    }
    pair(config, wanted, &column.pg_type, !column.nullable)
}

/// A target column that is not there, and what to do where it is one of our making.
fn missing(wanted: &Wanted<'_>) -> String {
    let (source, name) = (&wanted.source.name, &wanted.target);
    match wanted.part {
        ColumnPart::Value => format!("{source}: the target table has no column {name}"),
        ColumnPart::Offset => {
            format!("{source}: the target table has no column {name} for the offset (add it as smallint, or set keep_offset to false)")
        }
        ColumnPart::Srid => {
            format!("{source}: the target table has no column {name} for the SRID (add it as integer, or make the shape's a PostGIS type)")
        }
    }
}

fn pair(config: &TableConfig, wanted: &Wanted<'_>, pg_type: &PgType, not_null: bool) -> Result<(PlannedColumn, Option<String>), String> {
    let (source, name) = (wanted.source, &wanted.target);
    let kind = wanted.kind.clone()?;
    let zoned = config.options.source_time_zone.is_some();
    let Some(encoding) = encoding(&kind, pg_type, zoned) else {
        let hint = hint(&kind, pg_type);
        return Err(format!("{} ({}) does not fit the target's {name} ({pg_type}){hint}", source.name, source.declared));
    };
    let (cast, note) = match (wanted.part, &kind) {
        (ColumnPart::Value, ValueKind::Postgres(from)) => passage(from, pg_type, zoned).map(|way| (way.cast, way.note)).unwrap_or_default(),
        (ColumnPart::Value, _) => (None, note(source, &kind, encoding, config.options.on_submicrosecond)),
        (ColumnPart::Offset | ColumnPart::Srid, _) => (None, None),
    };
    let (said, warning) = match note {
        None => (None, None),
        Some(Note::Converted(sentence)) => (Some(sentence), None),
        Some(Note::Checked(sentence)) => {
            let warning = format!(
                "column {} ({}) is wider than the target's {name} ({pg_type}): every value is checked, {sentence}",
                source.name, source.declared
            );
            (Some(format!("checked: {sentence}")), Some(warning))
        }
    };
    let at_source = match wanted.part {
        ColumnPart::Value => source.converted.clone().or_else(|| cast.as_ref().map(said_of_cast)),
        ColumnPart::Offset => Some(format!("the offset of {}, in minutes", source.name)),
        ColumnPart::Srid => Some(format!("the SRID of {}", source.name)),
    };
    let conversion: Vec<_> = at_source.into_iter().chain(said).collect();
    let planned = PlannedColumn {
        source: source.name.clone(),
        part: wanted.part,
        cast,
        target: name.clone(),
        encoding,
        pg_type: pg_type.clone(),
        not_null,
        conversion: if conversion.is_empty() { None } else { Some(conversion.join("; ")) },
    };
    Ok((planned, warning))
}

/// The columns of a table that is to be made.
pub(super) fn new_columns(config: &TableConfig, wanted: &[Wanted<'_>]) -> Result<Vec<PlannedColumn>> {
    let mut columns = Vec::with_capacity(wanted.len());
    let mut refusals = Vec::new();
    for column in wanted {
        let source = column.source;
        let planned = column.kind.clone().and_then(|kind| pair(config, column, &kind.natural_type(), !source.nullable));
        match planned {
            Ok((column, _)) => columns.push(column),
            Err(reason) => refusals.push(format!("{} ({}): {reason}", source.name, source.declared)),
        }
    }
    refuse(config, ErrorKind::SourceSchema, refusals)?;
    Ok(columns)
}

fn refuse(config: &TableConfig, kind: ErrorKind, refusals: Vec<String>) -> Result<()> {
    if refusals.is_empty() {
        return Ok(());
    }
    let sentence = format!("columns of {} cannot be brought into {}: {}", config.sql_table, config.pg_table, refusals.join("; "));
    Err(SyncError::new(kind, sentence).with_remedy("Change the target's columns, or name the columns to sync in \"columns\""))
}
