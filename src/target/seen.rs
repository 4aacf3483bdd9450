//! `source_columns` in the state schema: each source table as its last successful run saw it.
//!
//! Written only in the transaction of the data that it speaks of.

use tokio_postgres::Row;
use uuid::Uuid;

use super::error::target_error;
use super::session::{Session, Transaction};
use crate::error::Result;
use crate::table::{PgIdent, SeenColumn, SeenTable, SeenTarget};

/// Makes the table.
pub(super) fn migration(schema: &PgIdent<'_>) -> String {
    format!(
        "CREATE TABLE {schema}.source_columns (
             table_name text NOT NULL,
             source text NOT NULL,
             object_id int,
             column_id int NOT NULL,
             name text NOT NULL,
             declared text NOT NULL,
             nullable boolean NOT NULL,
             target text,
             target_type text,
             run_id uuid NOT NULL,
             PRIMARY KEY (table_name, column_id)
         );
         COMMENT ON TABLE {schema}.source_columns IS 'The columns of each source table as its last successful run saw them'"
    )
}

impl Session {
    /// The source table as the last successful run of this configuration name saw it; none where there is no record.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn seen_table(&self, table: &str) -> Result<Option<SeenTable>> {
        let seen = format!("{}.source_columns", PgIdent(&self.state_schema));
        // Modes that write nothing ask before the state schema is there, or before it is brought forward.
        if !self.exists(&seen).await? {
            return Ok(None);
        }
        let sql = format!(
            "SELECT source, object_id, column_id, name, declared, nullable, target, target_type FROM {seen} \
             WHERE table_name = $1 ORDER BY column_id"
        );
        let rows = self.query(&sql, &[&table]).await.map_err(|error| target_error("read the columns last seen", error))?;
        let Some(first) = rows.first() else { return Ok(None) };
        Ok(Some(SeenTable { source: first.get("source"), object_id: first.get("object_id"), columns: rows.iter().map(column).collect() }))
    }
}

fn column(row: &Row) -> SeenColumn {
    let target: (Option<String>, Option<String>) = (row.get("target"), row.get("target_type"));
    SeenColumn {
        column_id: row.get("column_id"),
        name: row.get("name"),
        declared: row.get("declared"),
        nullable: row.get("nullable"),
        target: target.0.zip(target.1).map(|(name, declared)| SeenTarget { name, declared }),
    }
}

/// Writes what a run saw, in the transaction of its data.
pub(super) async fn record_seen(
    transaction: &Transaction<'_>,
    state_schema: &str,
    table: &str,
    run_id: Uuid,
    seen: &SeenTable,
) -> Result<()> {
    let failed = |error| target_error("record the columns seen", error);
    let schema = PgIdent(state_schema);
    transaction.execute(&format!("DELETE FROM {schema}.source_columns WHERE table_name = $1"), &[&table]).await.map_err(failed)?;
    let columns = &seen.columns;
    let ids: Vec<i32> = columns.iter().map(|column| column.column_id).collect();
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let declared: Vec<&str> = columns.iter().map(|column| column.declared.as_str()).collect();
    let nullable: Vec<bool> = columns.iter().map(|column| column.nullable).collect();
    let targets: Vec<_> = columns.iter().map(|column| column.target.as_ref().map(|target| target.name.as_str())).collect();
    let types: Vec<_> = columns.iter().map(|column| column.target.as_ref().map(|target| target.declared.as_str())).collect();
    let sql = format!(
        "INSERT INTO {schema}.source_columns (table_name, source, object_id, run_id, column_id, name, declared, nullable, target, target_type) \
         SELECT $1, $2, $3, $4, c.* FROM unnest($5::int[], $6::text[], $7::text[], $8::boolean[], $9::text[], $10::text[]) AS c"
    );
    transaction
        .execute(&sql, &[&table, &seen.source, &seen.object_id, &run_id, &ids, &names, &declared, &nullable, &targets, &types])
        .await
        .map_err(failed)?;
    Ok(())
}
