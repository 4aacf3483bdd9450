//! A table's indexes and foreign keys in the catalogue.

use tiberius::Row;

use super::definition::{About, database_prefix};
use super::{Queries, get, text};
use crate::error::Result;
use crate::sources::sqlserver::client::Connection;
use crate::table::{IndexForm, Quoting, SourceForeignKey, SourceIndex, SourceTable};

impl Connection {
    /// Reads the foreign keys of `table` that point at other tables or itself, and what could not be seen.
    ///
    /// # Errors
    /// As the server answers; the refusal of the views is no error.
    pub async fn foreign_keys(&mut self, table: &SourceTable) -> Result<(Vec<SourceForeignKey>, Vec<String>)> {
        let (object, _) = self.object(table, &Queries::new(table)).await?;
        let about = About { table, object, db: database_prefix(table) };
        let db = &about.db;
        // https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-foreign-keys-transact-sql
        let sql = format!(
            "SELECT fk.name, rs.name, ro.name, pc.name, rc.name, fk.delete_referential_action, fk.update_referential_action, fk.is_disabled \
             FROM {db}sys.foreign_keys AS fk \
             JOIN {db}sys.foreign_key_columns AS fc ON fc.constraint_object_id = fk.object_id \
             JOIN {db}sys.columns AS pc ON pc.object_id = fc.parent_object_id AND pc.column_id = fc.parent_column_id \
             JOIN {db}sys.objects AS ro ON ro.object_id = fk.referenced_object_id JOIN {db}sys.schemas AS rs ON rs.schema_id = ro.schema_id \
             JOIN {db}sys.columns AS rc ON rc.object_id = fc.referenced_object_id AND rc.column_id = fc.referenced_column_id \
             WHERE fk.parent_object_id = @P1 ORDER BY fk.object_id, fc.constraint_column_id"
        );
        let mut withheld = Vec::new();
        let missing = "its foreign keys are not known";
        let rows = self.optional(&sql, &about, ("sys.foreign_keys", missing), &mut withheld).await?;
        let mut keys: Vec<SourceForeignKey> = Vec::new();
        for row in &rows {
            let name = text(row, 0)?;
            let pair = (text(row, 3)?, text(row, 4)?);
            match keys.last_mut().filter(|key| key.name == name) {
                Some(key) => key.columns.push(pair),
                None => keys.push(SourceForeignKey {
                    name,
                    references: SourceTable {
                        database: table.database.clone(),
                        schema: text(row, 1)?,
                        table: text(row, 2)?,
                        quoting: Quoting::Brackets,
                    },
                    columns: vec![pair],
                    actions: actions(row)?,
                    disabled: get::<bool>(row, 7)?.unwrap_or(false),
                }),
            }
        }
        Ok((keys, withheld))
    }

    /// All indexes of a table, in the order of their numbers.
    pub(super) async fn indexes(&mut self, about: &About<'_>) -> Result<Vec<SourceIndex>> {
        // https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-indexes-transact-sql
        let sql = format!(
            "SELECT i.index_id, i.name, i.type, i.is_unique, i.is_unique_constraint, i.is_primary_key, i.is_disabled, i.is_hypothetical, \
             i.filter_definition, c.name, ic.is_descending_key, ic.is_included_column, ic.key_ordinal, i.has_filter \
             FROM {db}sys.indexes AS i JOIN {db}sys.index_columns AS ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id \
             JOIN {db}sys.columns AS c ON c.object_id = ic.object_id AND c.column_id = ic.column_id \
             WHERE i.object_id = @P1 AND i.type > 0 ORDER BY i.index_id, ic.key_ordinal, ic.index_column_id",
            db = about.db
        );
        let rows = self.rows(&sql, &[&about.object], &format!("read the catalogue for {}", about.table)).await?;
        let mut indexes: Vec<(i32, SourceIndex)> = Vec::new();
        for row in &rows {
            let id = get::<i32>(row, 0)?.unwrap_or(0);
            if indexes.last().is_none_or(|(last, _)| *last != id) {
                indexes.push((id, index(row)?));
            }
            let Some((_, index)) = indexes.last_mut() else { continue };
            let column = text(row, 9)?;
            if get::<bool>(row, 11)?.unwrap_or(false) {
                index.included.push(column);
            } else if get::<u8>(row, 12)?.is_some_and(|ordinal| ordinal > 0) {
                // A column without an ordinal is there only because the table is partitioned by it.
                index.key.push((column, get::<bool>(row, 10)?.unwrap_or(false)));
            }
        }
        Ok(indexes.into_iter().map(|(_, index)| index).collect())
    }
}

fn index(row: &Row) -> Result<SourceIndex> {
    let flag = |index| Ok(get::<bool>(row, index)?.unwrap_or(false));
    Ok(SourceIndex {
        nulls_equal: true,
        name: get::<&str>(row, 1)?.unwrap_or_default().to_owned(),
        form: match get::<u8>(row, 2)? {
            Some(1 | 2 | 7) => IndexForm::Rows,
            Some(3) => IndexForm::Xml,
            Some(4) => IndexForm::Spatial,
            Some(5 | 6) => IndexForm::Columnstore,
            _ => IndexForm::Other,
        },
        unique: flag(3)?,
        constraint: flag(4)?,
        primary: flag(5)?,
        inactive: flag(6)? || flag(7)?,
        // NULL to a login without VIEW DEFINITION.
        filter: if flag(13)? { Some(get::<&str>(row, 8)?.unwrap_or_default().to_owned()) } else { None },
        key: Vec::new(),
        included: Vec::new(),
    })
}

/// The referential actions of a foreign key that are more than a refusal.
fn actions(row: &Row) -> Result<Vec<String>> {
    let mut actions = Vec::new();
    for (index, event) in [(5, "DELETE"), (6, "UPDATE")] {
        match get::<u8>(row, index)? {
            Some(1) => actions.push(format!("ON {event} CASCADE")),
            Some(2) => actions.push(format!("ON {event} SET NULL")),
            Some(3) => actions.push(format!("ON {event} SET DEFAULT")),
            _ => {}
        }
    }
    Ok(actions)
}
