//! Every catalogue query of SQL Server. All read `sys` views that any login with SELECT on the table can see.

mod definition;
mod relations;

use tiberius::Row;

use super::client::Connection;
use super::types::{RawColumn, SqlServerTable};
use crate::error::{ErrorKind, Result, SyncError};
use crate::table::{SourceTable, TsqlIdent};

/// The queries about one table, in the database of its name: `sys` views belong to a database.
struct Queries {
    object: String,
    columns: String,
    masked: String,
    primary_key: String,
    rows: String,
}

impl Queries {
    fn new(table: &SourceTable) -> Self {
        let db = definition::database_prefix(table);
        Self {
            // https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-objects-transact-sql
            object: format!(
                "SELECT o.object_id, o.type FROM {db}sys.objects AS o JOIN {db}sys.schemas AS s ON s.schema_id = o.schema_id \
                 WHERE s.name = @P1 AND o.name = @P2 AND o.type IN ('U', 'V')"
            ),
            // https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-columns-transact-sql
            // A type of a user's own is not visible to a login without permission on it: its column must be, so both joins are outer ones.
            // A base type is the row of sys.types whose user_type_id is the column's system_type_id; CLR types have none.
            columns: format!(
                "SELECT c.name, t.name, bt.name, c.max_length, c.precision, c.scale, c.is_nullable, \
                 CAST(COLLATIONPROPERTY(c.collation_name, 'CodePage') AS int), c.encryption_type, c.column_id, c.collation_name, \
                 t.is_user_defined, c.is_masked \
                 FROM {db}sys.columns AS c LEFT JOIN {db}sys.types AS t ON t.user_type_id = c.user_type_id \
                 LEFT JOIN {db}sys.types AS bt ON bt.user_type_id = c.system_type_id \
                 WHERE c.object_id = @P1 ORDER BY c.column_id"
            ),
            // https://learn.microsoft.com/sql/t-sql/functions/has-perms-by-name-transact-sql
            // Before SQL Server 2022 only a database has UNMASK, and of a column the answer is NULL; without a name the database is the current one.
            masked: format!(
                "SELECT c.name FROM {db}sys.columns AS c WHERE c.object_id = @P1 AND c.is_masked = 1 \
                 AND COALESCE(HAS_PERMS_BY_NAME(@P2, N'OBJECT', N'UNMASK', c.name, N'COLUMN'), HAS_PERMS_BY_NAME(@P3, N'DATABASE', N'UNMASK'), 0) = 0 \
                 ORDER BY c.column_id"
            ),
            // https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-index-columns-transact-sql
            primary_key: format!(
                "SELECT c.name FROM {db}sys.indexes AS i \
                 JOIN {db}sys.index_columns AS ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id \
                 JOIN {db}sys.columns AS c ON c.object_id = ic.object_id AND c.column_id = ic.column_id \
                 WHERE i.object_id = @P1 AND i.is_primary_key = 1 AND ic.key_ordinal > 0 ORDER BY ic.key_ordinal"
            ),
            // https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-partitions-transact-sql
            rows: format!("SELECT SUM(p.rows) FROM {db}sys.partitions AS p WHERE p.object_id = @P1 AND p.index_id IN (0, 1)"),
        }
    }
}

impl Connection {
    /// Reads what the catalogue says of `table`.
    ///
    /// # Errors
    /// [`ErrorKind::SourceSchema`] when there is no such table or view, or the login cannot see it.
    pub async fn describe(&mut self, table: &SourceTable) -> Result<SqlServerTable> {
        let queries = Queries::new(table);
        let doing = format!("read the catalogue for {table}");

        let (object, is_table) = self.object(table, &queries).await?;
        let columns = self.rows(&queries.columns, &[&object], &doing).await?;
        let masked = match columns.iter().any(|row| matches!(get::<bool>(row, 12), Ok(Some(true)))) {
            true => self.masked(table, object, &queries).await?,
            false => Vec::new(),
        };
        let columns = columns.iter().map(raw_column).collect::<Result<Vec<_>>>()?;
        let key = self.rows(&queries.primary_key, &[&object], &doing).await?;
        let primary_key = key.iter().map(|row| text(row, 0)).collect::<Result<_>>()?;
        let rows = self.rows(&queries.rows, &[&object], &doing).await?;
        let rows_estimate = rows.first().map(|row| get::<i64>(row, 0)).transpose()?.flatten();
        let mut table = SqlServerTable::new(columns, primary_key, rows_estimate.and_then(|rows| u64::try_from(rows).ok()));
        table.description.object_id = Some(object).filter(|_| is_table);
        table.description.masked = masked;
        Ok(table)
    }

    /// The masked columns that the login may not see as they are.
    async fn masked(&mut self, table: &SourceTable, object: i32, queries: &Queries) -> Result<Vec<String>> {
        let (name, database) = (table.to_string(), table.database.as_deref());
        let rows = self.rows(&queries.masked, &[&object, &name.as_str(), &database], &format!("read the catalogue for {table}")).await?;
        rows.iter().map(|row| text(row, 0)).collect()
    }

    /// The number that the table or view has, and whether it is a table.
    async fn object(&mut self, table: &SourceTable, queries: &Queries) -> Result<(i32, bool)> {
        let objects = self.rows(&queries.object, &[&table.schema, &table.table], &format!("read the catalogue for {table}")).await?;
        let found = objects.first().map(|row| Ok::<_, SyncError>((get::<i32>(row, 0)?, text(row, 1)?.trim_end() == "U"))).transpose()?;
        found.and_then(|(id, is_table)| Some((id?, is_table))).ok_or_else(|| {
            SyncError::new(ErrorKind::SourceSchema, format!("there is no table or view {table} at SQL Server {}", self.server))
                .with_remedy("Check sql_table, and that the login may SELECT from it: without the permission it cannot see it")
        })
    }

    /// Counts the rows of `table`, by scanning it.
    ///
    /// # Errors
    /// As the server answers: a missing table or permission, a lost connection.
    pub async fn count(&mut self, table: &SourceTable) -> Result<u64> {
        self.count_of(&format!("SELECT COUNT_BIG(*) FROM {table}"), &format!("count {table}")).await
    }

    /// The number that a statement gives.
    pub(super) async fn count_of(&mut self, sql: &str, doing: &str) -> Result<u64> {
        let rows = self.rows(sql, &[], doing).await?;
        let count = rows.first().map(|row| get::<i64>(row, 0)).transpose()?.flatten();
        count.and_then(|count| u64::try_from(count).ok()).ok_or_else(|| unexpected("COUNT_BIG(*) returned no number"))
    }

    /// Counts the rows of `table` that have no value in `column`.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn count_nulls(&mut self, table: &SourceTable, column: &str) -> Result<u64> {
        let column = TsqlIdent(column);
        self.count_of(
            &format!("SELECT COUNT_BIG(*) FROM {table} WHERE {column} IS NULL"),
            &format!("count the rows of {table} without {column}"),
        )
        .await
    }

    /// Whether an index of all rows begins with `column`.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn leads_an_index(&mut self, table: &SourceTable, object: Option<i32>, column: &str) -> Result<bool> {
        let db = definition::database_prefix(table);
        // https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-indexes-transact-sql
        let sql = format!(
            "SELECT COUNT(*) FROM {db}sys.index_columns AS ic \
             JOIN {db}sys.indexes AS i ON i.object_id = ic.object_id AND i.index_id = ic.index_id \
             JOIN {db}sys.columns AS c ON c.object_id = ic.object_id AND c.column_id = ic.column_id \
             WHERE ic.object_id = @P1 AND c.name = @P2 AND ic.key_ordinal = 1 AND i.is_disabled = 0 AND i.has_filter = 0"
        );
        let rows = self.rows(&sql, &[&object, &column], &format!("read the catalogue for {table}")).await?;
        Ok(rows.first().map(|row| get::<i32>(row, 0)).transpose()?.flatten().is_some_and(|count| count > 0))
    }
}

fn raw_column(row: &Row) -> Result<RawColumn> {
    let (user_type, stored_as) = (get::<&str>(row, 1)?, get::<&str>(row, 2)?);
    let user_defined = get::<bool>(row, 11)?.unwrap_or(true);
    Ok(RawColumn {
        column_id: get::<i32>(row, 9)?.unwrap_or(0),
        name: text(row, 0)?,
        user_type: user_type.or(stored_as).unwrap_or("a type that the login cannot see").to_owned(),
        base_type: base_type(user_type, stored_as, user_defined),
        max_length: get::<i16>(row, 3)?.unwrap_or(0),
        precision: get::<u8>(row, 4)?.unwrap_or(0),
        scale: get::<u8>(row, 5)?.unwrap_or(0),
        nullable: get::<bool>(row, 6)?.unwrap_or(true),
        collation: get::<&str>(row, 10)?.map(str::to_owned),
        code_page: get::<i32>(row, 7)?,
        encrypted: get::<i32>(row, 8)?.is_some(),
    })
}

/// The system type behind a column's type. The newer ones are stored as older ones, whose `system_type_id` they may share; a CLR type of a user's own has
/// none, whatever its name: that is the empty text.
fn base_type(user_type: Option<&str>, stored_as: Option<&str>, user_defined: bool) -> String {
    match (user_type, stored_as) {
        (Some(newer @ ("json" | "vector")), _) if !user_defined => newer.to_owned(),
        (_, Some(stored_as)) => stored_as.to_owned(),
        (Some(system), None) if !user_defined => system.to_owned(),
        (_, None) => String::new(),
    }
}

fn text(row: &Row, index: usize) -> Result<String> {
    get::<&str>(row, index)?.map(str::to_owned).ok_or_else(|| unexpected("a name in the catalogue is NULL"))
}

pub(super) fn get<'r, T: tiberius::FromSql<'r>>(row: &'r Row, index: usize) -> Result<Option<T>> {
    row.try_get(index).map_err(|error| unexpected("a catalogue column has an unexpected type").with_cause(error))
}

pub(super) fn unexpected(what: &str) -> SyncError {
    SyncError::new(ErrorKind::Internal, format!("SQL Server's catalogue was not understood: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_type_behind_a_columns_type_is_found() {
        for (user_type, stored_as, user_defined, base) in [
            (Some("int"), Some("int"), false, "int"),
            (Some("sysname"), Some("nvarchar"), false, "nvarchar"),
            (Some("PhoneNumber"), Some("nvarchar"), true, "nvarchar"),
            (None, Some("nvarchar"), true, "nvarchar"),
            (None, None, true, ""),
            (Some("geometry"), None, false, "geometry"),
            (Some("geometry"), None, true, ""),
            (Some("vector"), Some("varbinary"), false, "vector"),
            (Some("vector"), Some("varbinary"), true, "varbinary"),
            (Some("json"), None, false, "json"),
        ] {
            assert_eq!(base_type(user_type, stored_as, user_defined), base);
        }
    }
}
