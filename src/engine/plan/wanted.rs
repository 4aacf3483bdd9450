//! Which target columns are to be filled: one for each chosen source column, and those that hold another part of it.

use crate::config::TableConfig;
use crate::error::{ErrorKind, Result, SyncError};
use crate::table::{ColumnPart, IDENTIFIER_BYTES_MAX, PgType, SourceColumn, ValueKind};
use crate::target::TargetDescription;

/// One target column to fill.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// The source column.
    pub(super) source: &'a SourceColumn,
    /// What of it.
    pub(super) part: ColumnPart,
    /// What the values are, or why they cannot be brought over.
    pub(super) kind: Result<ValueKind, String>,
    /// The target column's name.
    pub(super) target: String,
}

/// The columns to fill, in COPY order: each chosen one under its name, and behind it what the options and its type add.
pub(super) fn wanted_columns<'a>(
    config: &TableConfig,
    chosen: &[&'a SourceColumn],
    names: Vec<String>,
    target: Option<&TargetDescription>,
    computed: &[String],
) -> Result<Vec<Wanted<'a>>> {
    let mut wanted: Vec<Wanted<'a>> = Vec::with_capacity(chosen.len());
    // What both sides compute, the target computes from what it gets; unless it is asked for by name, which fails by name.
    let generated = |name: &str| target.is_some_and(|target| target.columns.iter().any(|column| column.generated && column.name == name));
    let left_out = |source: &SourceColumn, name: &str| config.columns.is_none() && computed.contains(&source.name) && generated(name);
    for (source, name) in chosen.iter().copied().zip(names).filter(|(source, name)| !left_out(source, name)) {
        let kind = source.kind.clone().map(|kind| match kind {
            ValueKind::RowVersion { .. } => ValueKind::RowVersion { as_bigint: config.options.as_bigint },
            kind => kind,
        });
        // PostGIS's types hold the SRID themselves.
        let holds_srid = || target.is_some_and(|target| matches!(target.pg_type_of(&name), Some(PgType::Spatial(_))));
        let added = match kind {
            Ok(ValueKind::TimestampTz) if config.options.keep_offset => Some((ColumnPart::Offset, ValueKind::Int16)),
            Ok(ValueKind::Spatial) if !holds_srid() => Some((ColumnPart::Srid, ValueKind::Int32)),
            _ => None,
        };
        let added = added.map(|(part, kind)| Wanted { source, part, kind: Ok(kind), target: format!("{name}{}", part.suffix()) });
        wanted.push(Wanted { source, part: ColumnPart::Value, kind, target: name });
        wanted.extend(added);
    }
    check_names(&wanted)?;
    Ok(wanted)
}

/// Names that are made here must not be taken, and not be longer than PostgreSQL keeps.
fn check_names(wanted: &[Wanted<'_>]) -> Result<()> {
    for made in wanted.iter().filter(|column| column.part != ColumnPart::Value) {
        let taken = wanted.iter().filter(|other| other.target == made.target).count() > 1;
        let what = match made.part {
            ColumnPart::Value | ColumnPart::Offset => "offset",
            ColumnPart::Srid => "SRID",
        };
        let problem = match () {
            () if taken => "which another column has already",
            () if made.target.len() > IDENTIFIER_BYTES_MAX => "longer than the 63 bytes that PostgreSQL keeps",
            () => continue,
        };
        let sentence = format!("the {what} of column {} goes into a column {:?}, {problem}", made.source.name, made.target);
        return Err(SyncError::new(ErrorKind::Config, sentence).with_remedy("Name \"columns\" and \"pg_columns\""));
    }
    Ok(())
}
