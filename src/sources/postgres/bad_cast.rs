//! Which value could not be cast: PostgreSQL says only that one could not. Its row is the one behind the last that was delivered, so the rows are gone
//! through once more in the same order, uncast, and that row's values are tried one by one. Where rows have moved meanwhile nothing is found, and nothing
//! wrong is said.

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::client::Connection;
use super::select::rows_of;
use crate::error::{ErrorKind, Result, SyncError};
use crate::postgres::code_of;
use crate::sources::row_key::{key_text, row_name};
use crate::sources::{SelectColumn, Selection};
use crate::table::{PgIdent, SourceCast, SourceDescription};

/// A plan for all rows, as the COPY had one.
const LIKE_A_COPY: &str = "SET LOCAL cursor_tuple_fraction = 1";
const ROWS: &str = "tablesync_rows";

impl Connection {
    /// `failed` with the column and the row's key, where they are found; `delivered` rows had come before it.
    pub(super) async fn name_bad_cast(
        &mut self,
        selection: &Selection,
        described: &SourceDescription,
        (delivered, hash_keys): (u64, bool),
        failed: SyncError,
    ) -> SyncError {
        match self.find_bad_cast(selection, described, delivered).await {
            Ok(Some((row, column))) => {
                let part = |(at, position): (usize, &usize)| {
                    let name = selection.columns.get(*position)?.name.as_str();
                    Some((name, row.get::<_, Option<String>>(at).unwrap_or_else(|| "NULL".to_owned())))
                };
                let key: Vec<_> = selection.key.iter().enumerate().filter_map(part).collect();
                let row = row_name(key_text(&key, hash_keys).as_deref());
                failed.context(format!("column {}, {row}", column.name))
            }
            Ok(None) | Err(_) => failed,
        }
    }

    /// The key of the row as text, and its column.
    async fn find_bad_cast<'a>(
        &mut self,
        selection: &'a Selection,
        described: &SourceDescription,
        delivered: u64,
    ) -> Result<Option<(Row, &'a SelectColumn)>> {
        let cast = |column: &&SelectColumn| matches!(column.cast, Some(SourceCast::To(_)));
        let key = selection.key.iter().filter_map(|position| selection.columns.get(*position));
        let texts: Vec<_> =
            key.chain(selection.columns.iter().filter(cast)).map(|column| format!("{}::text", PgIdent(&column.name))).collect();
        let rows = rows_of(selection, described);
        let finding = "find the value";
        self.roll_back().await;
        for sql in [
            LIKE_A_COPY.to_owned(),
            format!("DECLARE {ROWS} NO SCROLL CURSOR FOR SELECT {} FROM {rows}", texts.join(", ")),
            format!("MOVE FORWARD {delivered} IN {ROWS}"),
        ] {
            self.rows(&sql, &[], finding).await?;
        }
        let Some(row) = self.rows(&format!("FETCH 1 FROM {ROWS}"), &[], finding).await?.pop() else { return Ok(None) };
        for (at, column) in selection.columns.iter().filter(cast).enumerate() {
            let value: Option<String> = row.get(selection.key.len() + at);
            let declared = described.columns.iter().find(|known| known.name == column.name).map(|known| &known.declared);
            let (Some(value), Some(declared), Some(SourceCast::To(to))) = (value, declared, &column.cast) else { continue };
            let sql = format!("SELECT CAST(CAST($1 AS {declared}) AS {to}) IS NULL");
            match self.rows(&sql, &[(&value, Type::TEXT)], finding).await {
                Err(error) if error.kind() == ErrorKind::BadValue && code_of(&error).is_some() => return Ok(Some((row, column))),
                Err(error) => return Err(error),
                Ok(_) => {}
            }
        }
        Ok(None)
    }
}
