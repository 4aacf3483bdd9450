//! What only a table that is to be made needs of a PostgreSQL source's catalogue: identity, defaults, generated columns, comments, indexes, foreign keys.

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::client::Connection;
use crate::error::Result;
use crate::table::{ColumnDefinition, IndexForm, Quoting, SourceDefinition, SourceForeignKey, SourceIdentity, SourceIndex, SourceTable};

/// Of each column its comment, its default where that needs nothing of the database's own, and the sequence that numbers it.
const COLUMNS: &str = "SELECT a.attname::text, pg_catalog.col_description(a.attrelid, a.attnum) AS comment, a.attgenerated <> '' AS generated, \
     pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS expression, \
     NOT EXISTS (SELECT FROM pg_catalog.pg_depend n WHERE n.classid = 'pg_catalog.pg_attrdef'::regclass AND n.objid = d.oid AND n.deptype = 'n') AS portable, \
     s.seqstart, s.seqincrement, CASE WHEN pg_catalog.has_sequence_privilege(s.seqrelid, 'SELECT') \
       THEN pg_catalog.pg_sequence_last_value(s.seqrelid) END AS last \
     FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
     LEFT JOIN pg_catalog.pg_sequence s ON s.seqrelid = (SELECT o.objid FROM pg_catalog.pg_depend o \
       WHERE o.classid = 'pg_catalog.pg_class'::regclass AND o.refclassid = 'pg_catalog.pg_class'::regclass AND o.refobjid = a.attrelid \
       AND o.refobjsubid = a.attnum AND o.deptype IN ('a', 'i') AND EXISTS (SELECT FROM pg_catalog.pg_sequence q WHERE q.seqrelid = o.objid) LIMIT 1) \
     WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

const COMMENT: &str = "SELECT pg_catalog.obj_description($1, 'pg_class')";

/// Indexes whose key is columns, in the order of their making; those of expressions have an empty name in it.
const INDEXES: &str = "SELECT c.relname::text AS name, am.amname::text AS method, i.indisunique, i.indisprimary, i.indisvalid, i.indisexclusion, \
     EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype = 'u') AS is_constraint, \
     coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) AS nulls_equal, \
     pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS predicate, \
     ARRAY(SELECT coalesce(a.attname::text, '') FROM unnest(i.indkey) WITH ORDINALITY AS k(attnum, n) \
       LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0 ORDER BY k.n) AS columns, \
     ARRAY(SELECT (o.option & 1) = 1 FROM unnest(i.indoption) WITH ORDINALITY AS o(option, n) ORDER BY o.n) AS descending \
     FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_am am ON am.oid = c.relam \
     WHERE i.indrelid = $1 ORDER BY i.indexrelid";

const FOREIGN_KEYS: &str = "SELECT c.conname::text AS name, n.nspname::text AS schema, r.relname::text AS table, c.confdeltype::text AS on_delete, c.confupdtype::text AS on_update, \
     ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k(attnum, n) \
       JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum ORDER BY k.n) AS columns, \
     ARRAY(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY AS k(attnum, n) \
       JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum ORDER BY k.n) AS referenced \
     FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_class r ON r.oid = c.confrelid JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace \
     WHERE c.contype = 'f' AND c.conrelid = $1 ORDER BY c.conname";

impl Connection {
    /// Reads what a new target table takes over from `table`: everything but foreign keys.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn define(&mut self, table: &SourceTable, indexes: bool) -> Result<SourceDefinition> {
        let doing = format!("read the catalogue for {table}");
        let oid = self.relation(table).await?.oid;
        let comment = self.rows(COMMENT, &[(&oid, Type::OID)], &doing).await?;
        let columns = self.rows(COLUMNS, &[(&oid, Type::OID)], &doing).await?;
        let mut definition = SourceDefinition {
            comment: comment.first().and_then(|row| row.get(0)),
            columns: columns.iter().map(column).collect(),
            ..SourceDefinition::default()
        };
        definition.withheld.extend(columns.iter().filter_map(default_left_out));
        if indexes {
            let indexes = self.rows(INDEXES, &[(&oid, Type::OID)], &doing).await?;
            definition.indexes = indexes.iter().map(index).collect();
        }
        Ok(definition)
    }

    /// The foreign keys of `table`; nothing about them is withheld from a role that may read the catalogue.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn foreign_keys(&mut self, table: &SourceTable) -> Result<(Vec<SourceForeignKey>, Vec<String>)> {
        let oid = self.relation(table).await?.oid;
        let rows = self.rows(FOREIGN_KEYS, &[(&oid, Type::OID)], &format!("read the catalogue for {table}")).await?;
        Ok((rows.iter().map(foreign_key).collect(), Vec::new()))
    }
}

fn column(row: &Row) -> ColumnDefinition {
    let expression: Option<String> = row.get("expression");
    let identity = row.get::<_, Option<i64>>("seqstart").map(|start| SourceIdentity {
        seed: start.into(),
        increment: row.get::<_, Option<i64>>("seqincrement").unwrap_or(1).into(),
        last: row.get::<_, Option<i64>>("last").map(i128::from),
    });
    let (generated, portable): (bool, bool) = (row.get("generated"), row.get("portable"));
    ColumnDefinition {
        name: row.get("attname"),
        default: expression.clone().filter(|_| !generated && portable && identity.is_none()),
        computed: expression.filter(|_| generated),
        comment: row.get("comment"),
        identity,
    }
}

fn default_left_out(row: &Row) -> Option<String> {
    let left_out = !row.get::<_, bool>("portable") && !row.get::<_, bool>("generated") && row.get::<_, Option<i64>>("seqstart").is_none();
    let name: String = row.get("attname");
    left_out.then(|| format!("column {name}: its default is not taken over: it needs what only the source's database has"))
}

fn index(row: &Row) -> SourceIndex {
    let flag = |name: &str| row.get::<_, bool>(name);
    let columns: Vec<String> = row.get("columns");
    let descending: Vec<bool> = row.get("descending");
    let rows = row.get::<_, &str>("method") == "btree" && !flag("indisexclusion") && columns.iter().all(|column| !column.is_empty());
    // What is carried along has no order.
    let included = columns.get(descending.len()..).unwrap_or_default().to_vec();
    SourceIndex {
        name: row.get("name"),
        form: if rows { IndexForm::Rows } else { IndexForm::Other },
        unique: flag("indisunique"),
        nulls_equal: flag("nulls_equal"),
        constraint: flag("is_constraint"),
        primary: flag("indisprimary"),
        inactive: !flag("indisvalid"),
        filter: row.get("predicate"),
        key: columns.into_iter().zip(descending).collect(),
        included,
    }
}

fn foreign_key(row: &Row) -> SourceForeignKey {
    let (columns, referenced): (Vec<String>, Vec<String>) = (row.get("columns"), row.get("referenced"));
    let actions = [("on_delete", "DELETE"), ("on_update", "UPDATE")].into_iter().filter_map(|(column, event)| {
        let action = match row.get::<_, &str>(column) {
            "c" => "CASCADE",
            "n" => "SET NULL",
            "d" => "SET DEFAULT",
            _ => return None,
        };
        Some(format!("ON {event} {action}"))
    });
    SourceForeignKey {
        name: row.get("name"),
        references: SourceTable { database: None, schema: row.get("schema"), table: row.get("table"), quoting: Quoting::DoubleQuotes },
        columns: columns.into_iter().zip(referenced).collect(),
        actions: actions.collect(),
        disabled: false,
    }
}
