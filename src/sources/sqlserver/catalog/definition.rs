//! What only a table that is to be made needs of the catalogue: identity, defaults, computed columns, comments.
//!
//! `sys.columns` answers every login that may SELECT. The other views are asked only where it says that there is something to ask for, and may refuse: what is then missing is said in [`SourceDefinition::withheld`]. Definitions are NULL to a login without VIEW DEFINITION.

use tiberius::Row;
use tiberius::numeric::Numeric;

use super::{Queries, get, text};
use crate::error::{ErrorKind, Result};
use crate::sources::sqlserver::client::Connection;
use crate::table::{ColumnDefinition, SourceDefinition, SourceIdentity, SourceTable, TsqlIdent};

/// A column, and what `sys.columns` says that there is to ask for.
struct Listed {
    id: i32,
    is_identity: bool,
    is_computed: bool,
    has_default: bool,
    column: ColumnDefinition,
}

/// What the queries of one table's definition are about.
pub(super) struct About<'a> {
    pub(super) table: &'a SourceTable,
    pub(super) object: i32,
    /// The quoted database and a dot, where the table's name has one: `sys` views belong to a database.
    pub(super) db: String,
}

impl Connection {
    /// Reads what a new target table takes over from `table`: everything but foreign keys.
    ///
    /// # Errors
    /// As the server answers; the refusal of an optional view is no error.
    pub async fn define(&mut self, table: &SourceTable, indexes: bool) -> Result<SourceDefinition> {
        let (object, _) = self.object(table, &Queries::new(table)).await?;
        let about = About { table, object, db: database_prefix(table) };
        let mut definition = SourceDefinition::default();
        let mut columns = self.list_columns(&about).await?;
        if columns.iter().any(|listed| listed.is_identity) {
            self.add_identities(&about, &mut columns, &mut definition.withheld).await?;
        }
        if columns.iter().any(|listed| listed.has_default) {
            self.add_defaults(&about, &mut columns, &mut definition.withheld).await?;
        }
        if columns.iter().any(|listed| listed.is_computed) {
            self.add_computed(&about, &mut columns, &mut definition.withheld).await?;
        }
        definition.comment = self.add_comments(&about, &mut columns, &mut definition.withheld).await?;
        definition.columns = columns.into_iter().map(|listed| listed.column).collect();
        if indexes {
            definition.indexes = self.indexes(&about).await?;
        }
        Ok(definition)
    }

    async fn list_columns(&mut self, about: &About<'_>) -> Result<Vec<Listed>> {
        let sql = format!(
            "SELECT c.column_id, c.name, c.is_identity, c.is_computed, c.default_object_id FROM {}sys.columns AS c \
             WHERE c.object_id = @P1 ORDER BY c.column_id",
            about.db
        );
        let rows = self.rows(&sql, &[&about.object], &format!("read the catalogue for {}", about.table)).await?;
        let listed = |row: &Row| {
            Ok(Listed {
                id: get::<i32>(row, 0)?.unwrap_or(0),
                is_identity: get::<bool>(row, 2)?.unwrap_or(false),
                is_computed: get::<bool>(row, 3)?.unwrap_or(false),
                has_default: get::<i32>(row, 4)?.unwrap_or(0) != 0,
                column: ColumnDefinition { name: text(row, 1)?, ..ColumnDefinition::default() },
            })
        };
        rows.iter().map(listed).collect()
    }

    async fn add_identities(&mut self, about: &About<'_>, columns: &mut [Listed], withheld: &mut Vec<String>) -> Result<()> {
        // https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-identity-columns-transact-sql
        let sql = format!(
            "SELECT ic.column_id, CAST(ic.seed_value AS decimal(38,0)), CAST(ic.increment_value AS decimal(38,0)), CAST(ic.last_value AS decimal(38,0)) \
             FROM {}sys.identity_columns AS ic WHERE ic.object_id = @P1",
            about.db
        );
        let missing = "the identity is taken to begin at 1 in steps of 1";
        let rows = self.optional(&sql, about, ("sys.identity_columns", missing), withheld).await?;
        for Listed { id, column, .. } in columns.iter_mut().filter(|listed| listed.is_identity) {
            let number = |row: &Row, index| Ok(get::<Numeric>(row, index)?.map(|number| number.value()));
            let mut identity = SourceIdentity { seed: 1, increment: 1, last: None };
            for row in &rows {
                if get::<i32>(row, 0)? == Some(*id) {
                    identity.seed = number(row, 1)?.unwrap_or(1);
                    identity.increment = number(row, 2)?.unwrap_or(1);
                    identity.last = number(row, 3)?;
                }
            }
            column.identity = Some(identity);
        }
        Ok(())
    }

    async fn add_defaults(&mut self, about: &About<'_>, columns: &mut [Listed], withheld: &mut Vec<String>) -> Result<()> {
        // https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-default-constraints-transact-sql
        let sql =
            format!("SELECT d.parent_column_id, d.definition FROM {}sys.default_constraints AS d WHERE d.parent_object_id = @P1", about.db);
        let refused = withheld.len();
        let rows = self.optional(&sql, about, ("sys.default_constraints", "the columns get no defaults"), withheld).await?;
        if withheld.len() > refused {
            return Ok(());
        }
        for Listed { id, column, .. } in columns.iter_mut().filter(|listed| listed.has_default) {
            for row in &rows {
                if get::<i32>(row, 0)? == Some(*id) {
                    column.default = get::<&str>(row, 1)?.map(str::to_owned);
                }
            }
            if column.default.is_none() {
                withheld.push(format!(
                    "column {}: the source does not show its default (grant the login VIEW DEFINITION on the table), so it gets none",
                    column.name
                ));
            }
        }
        Ok(())
    }

    async fn add_computed(&mut self, about: &About<'_>, columns: &mut [Listed], withheld: &mut Vec<String>) -> Result<()> {
        // https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-computed-columns-transact-sql
        let sql = format!("SELECT cc.column_id, cc.definition FROM {}sys.computed_columns AS cc WHERE cc.object_id = @P1", about.db);
        let missing = "the expressions of its computed columns are not known";
        let rows = self.optional(&sql, about, ("sys.computed_columns", missing), withheld).await?;
        for Listed { id, column, .. } in columns.iter_mut().filter(|listed| listed.is_computed) {
            column.computed = Some(String::new());
            for row in &rows {
                if get::<i32>(row, 0)? == Some(*id) {
                    column.computed = Some(get::<&str>(row, 1)?.unwrap_or_default().to_owned());
                }
            }
        }
        Ok(())
    }

    /// Adds the columns' comments; returns the table's.
    async fn add_comments(&mut self, about: &About<'_>, columns: &mut [Listed], withheld: &mut Vec<String>) -> Result<Option<String>> {
        // https://learn.microsoft.com/sql/relational-databases/system-catalog-views/extended-properties-catalog-views-sys-extended-properties
        let sql = format!(
            "SELECT ep.minor_id, CAST(ep.value AS nvarchar(3750)) FROM {}sys.extended_properties AS ep \
             WHERE ep.class = 1 AND ep.major_id = @P1 AND ep.name = N'MS_Description'",
            about.db
        );
        let rows = self.optional(&sql, about, ("sys.extended_properties", "comments are not taken over"), withheld).await?;
        let mut of_table = None;
        for row in &rows {
            let comment = get::<&str>(row, 1)?.filter(|comment| !comment.is_empty()).map(str::to_owned);
            match get::<i32>(row, 0)?.unwrap_or(0) {
                0 => of_table = comment,
                id => columns.iter_mut().filter(|listed| listed.id == id).for_each(|listed| listed.column.comment.clone_from(&comment)),
            }
        }
        Ok(of_table)
    }

    /// Rows of a view that need not answer; its refusal becomes a sentence: `view` and what is then missing.
    pub(super) async fn optional(
        &mut self,
        sql: &str,
        about: &About<'_>,
        (view, missing): (&str, &str),
        withheld: &mut Vec<String>,
    ) -> Result<Vec<Row>> {
        match self.rows(sql, &[&about.object], &format!("read {view} for {}", about.table)).await {
            Err(error) if error.kind() == ErrorKind::SourceSchema => {
                tracing::debug!(%error, "an optional view of the catalogue was refused");
                withheld.push(format!("{view} cannot be read by the login: {missing}"));
                Ok(Vec::new())
            }
            rows => rows,
        }
    }
}

/// The quoted database of `table` and a dot; empty where its name has none.
pub(super) fn database_prefix(table: &SourceTable) -> String {
    table.database.as_deref().map(|name| format!("{}.", TsqlIdent(name))).unwrap_or_default()
}
