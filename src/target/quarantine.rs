//! `quarantine` in the state schema: the rows of each table's last run that the target could not hold.
//!
//! They are written in the publish transaction, in place of those of the run before.

use futures_util::SinkExt;

use super::create::literal;
use super::error::target_error;
use super::publish::Publication;
use super::session::Transaction;
use super::state::{RunRow, helper_table};
use crate::copy::{HEADER, PooledBuffer, TRAILER};
use crate::error::Result;
use crate::table::{BadRow, PgIdent, TargetTable, quoted_list};

/// The migration that makes the table, and takes from everybody but its owner what default privileges gave. Rows are kept as `json`, not `jsonb`: that would refuse U+0000, which may be what is wrong with them.
pub(super) fn migration(schema: &PgIdent<'_>) -> String {
    let table = literal(&format!("{schema}.quarantine"));
    format!(
        "ALTER TABLE {schema}.runs ADD COLUMN quarantined bigint NOT NULL DEFAULT 0;
         CREATE TABLE {schema}.quarantine (
             id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
             run_id uuid NOT NULL,
             table_name text NOT NULL,
             at timestamptz NOT NULL DEFAULT clock_timestamp(),
             row_key text,
             column_name text NOT NULL,
             reason text NOT NULL,
             \"row\" json NOT NULL
         );
         CREATE INDEX quarantine_by_table ON {schema}.quarantine (table_name);
         REVOKE ALL ON {schema}.quarantine FROM PUBLIC;
         DO $revoke$
         DECLARE
             grantee regrole;
         BEGIN
             FOR grantee IN SELECT DISTINCT a.grantee::regrole FROM pg_class AS c, aclexplode(c.relacl) AS a
                 WHERE c.oid = {table}::regclass AND a.grantee <> c.relowner LOOP
                 EXECUTE format('REVOKE ALL ON %s FROM %s', {table}::regclass, grantee);
             END LOOP;
         END $revoke$;
         COMMENT ON TABLE {schema}.quarantine IS 'Rows of each table''s last run that the target could not hold, with the reason'"
    )
}

/// Writes the rows that a run put aside in place of those of the run before; of a table that gets only what is new, in place of those of the same keys.
pub(super) async fn record(transaction: &Transaction<'_>, state_schema: &str, run: &RunRow<'_>) -> Result<()> {
    let failed = |error| target_error("write down the rows put aside", error);
    let schema = PgIdent(state_schema);
    if run.advance.is_none() {
        transaction.execute(&format!("DELETE FROM {schema}.quarantine WHERE table_name = $1"), &[&run.table]).await.map_err(failed)?;
    } else if !run.bad_rows.is_empty() {
        // The next run will not meet them again: they are kept until it does.
        let keys: Vec<Option<&str>> = run.bad_rows.iter().map(|row| row.key.as_deref()).collect();
        let sql = format!("DELETE FROM {schema}.quarantine WHERE table_name = $1 AND row_key = ANY($2::text[])");
        transaction.execute(&sql, &[&run.table, &keys]).await.map_err(failed)?;
    }
    if run.bad_rows.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "INSERT INTO {schema}.quarantine (run_id, table_name, row_key, column_name, reason, \"row\") VALUES ($1, $2, $3, $4, $5, $6::text::json)"
    );
    for row in run.bad_rows {
        transaction.execute(&sql, &[&run.run_id, &run.table, &row.key, &row.column, &row.reason, &row.row]).await.map_err(failed)?;
    }
    Ok(())
}

/// Takes the rows that stand in the target under the keys of rows put aside out of those that vanished: their older versions stay. Returns how many.
pub(super) async fn keep_standing(
    transaction: &Transaction<'_>,
    publication: &Publication,
    state_schema: &str,
    rows: &[BadRow],
) -> Result<u64> {
    let keys: Vec<_> = rows.iter().filter_map(|row| row.key_fields.as_deref()).collect();
    if keys.is_empty() {
        return Ok(0);
    }
    let failed = |error| target_error("keep the rows that stand under the keys put aside", error);
    let target = &publication.target;
    let kept = helper_table(state_schema, "kept", target);
    let list = quoted_list("", publication.key.iter().map(String::as_str));
    let make = format!("DROP TABLE IF EXISTS {kept}; CREATE UNLOGGED TABLE {kept} AS SELECT {list} FROM {target} WITH NO DATA");
    transaction.batch_execute(&make).await.map_err(failed)?;
    let mut bytes = HEADER.to_vec();
    keys.into_iter().for_each(|key| bytes.extend_from_slice(key));
    bytes.extend_from_slice(TRAILER);
    let copy = transaction.copy_in(&format!("COPY {kept} ({list}) FROM STDIN (FORMAT binary)")).await.map_err(failed)?;
    let mut copy = Box::pin(copy);
    copy.send(PooledBuffer::detached(&bytes)).await.map_err(failed)?;
    copy.as_mut().finish().await.map_err(failed)?;
    let unmarked = transaction.execute(&unmark(target, &kept, state_schema, &publication.key), &[]).await.map_err(failed)?;
    transaction.batch_execute(&format!("DROP TABLE {kept}")).await.map_err(failed)?;
    Ok(unmarked)
}

fn unmark(target: &TargetTable, kept: &TargetTable, state_schema: &str, key: &[String]) -> String {
    let difference = helper_table(state_schema, "difference", target);
    let same_key: Vec<_> =
        key.iter().map(|column| format!("{} = {}", quoted_list("k.", [column.as_str()]), quoted_list("t.", [column.as_str()]))).collect();
    format!(
        "DELETE FROM {difference} AS d USING {target} AS t WHERE d.staged IS NULL AND t.ctid = d.present AND t.tableoid = d.partition \
         AND EXISTS (SELECT FROM {kept} AS k WHERE {})",
        same_key.join(" AND ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_row_is_found_by_its_whole_key() {
        let (target, kept) = ("s.t".parse().unwrap(), "x.k".parse().unwrap());
        let sql = unmark(&target, &kept, "x", &["a".to_owned(), "b\"c".to_owned()]);
        assert!(sql.contains(r#"EXISTS (SELECT FROM "x"."k" AS k WHERE k."a" = t."a" AND k."b""c" = t."b""c")"#), "{sql}");
    }
}
