//! Whether the contents of a table can be swapped: what is swapped, and what stands in the way.

mod likeness;
mod remake;

pub(in crate::target) use self::likeness::{differences, likeness};
pub(in crate::target) use self::remake::Pair;
use crate::error::Result;
use crate::table::{Refresh, TargetTable};
use crate::target::error::target_error;
use crate::target::session::Session;

use super::TargetDescription;

/// What a swap takes the place of: the table itself, or the one partition that holds all its rows; and the privileges that it takes.
const SWAPPED: &str = "SELECT c.oid AS root, c.relkind = 'p' AS partitioned, count(l.oid) AS partitions, \
     min(l.relkind::text) AS leaf_kind, min(l.oid::bigint) AS leaf, min(ln.nspname::text) AS leaf_schema, min(l.relname::text) AS leaf_name, \
     pg_has_role(c.relowner, 'USAGE') AND coalesce(bool_and(pg_has_role(l.relowner, 'USAGE')), true) AS owned, \
     coalesce(bool_and(has_schema_privilege(l.relnamespace, 'CREATE')), has_schema_privilege(c.relnamespace, 'CREATE')) AS may_create \
     FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_inherits h ON h.inhparent = c.oid AND c.relkind = 'p' \
     LEFT JOIN pg_catalog.pg_class l ON l.oid = h.inhrelid LEFT JOIN pg_catalog.pg_namespace ln ON ln.oid = l.relnamespace \
     WHERE c.oid = to_regclass($1) GROUP BY c.oid";

/// What hangs on the table and would stay with the old one, go with it, or see nothing of a swap: $1 the target, $2 what is swapped.
const IN_THE_WAY: &str = "SELECT DISTINCT what FROM ( \
     SELECT CASE WHEN w.oid IS NOT NULL THEN CASE v.relkind WHEN 'm' THEN 'materialized view ' ELSE 'view ' END || v.oid::regclass \
         WHEN k.contype = 'f' THEN format('foreign key %s of %s', k.conname, k.conrelid::regclass) \
         ELSE pg_describe_object(d.classid, d.objid, d.objsubid) END AS what \
       FROM pg_catalog.pg_class t JOIN pg_catalog.pg_depend d ON d.deptype = 'n' AND (d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = t.oid \
         OR d.refclassid = 'pg_catalog.pg_type'::regclass AND d.refobjid IN (SELECT y.oid FROM pg_catalog.pg_type y WHERE y.typrelid = t.oid OR y.typelem = t.reltype)) \
       LEFT JOIN pg_catalog.pg_rewrite w ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND w.oid = d.objid LEFT JOIN pg_catalog.pg_class v ON v.oid = w.ev_class \
       LEFT JOIN pg_catalog.pg_constraint k ON d.classid = 'pg_catalog.pg_constraint'::regclass AND k.oid = d.objid \
       LEFT JOIN pg_catalog.pg_attrdef f ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND f.oid = d.objid \
       LEFT JOIN pg_catalog.pg_index i ON d.classid = 'pg_catalog.pg_class'::regclass AND i.indexrelid = d.objid \
       LEFT JOIN pg_catalog.pg_statistic_ext x ON d.classid = 'pg_catalog.pg_statistic_ext'::regclass AND x.oid = d.objid \
       WHERE t.oid = $2 AND w.ev_class IS DISTINCT FROM t.oid AND (k.conrelid IS DISTINCT FROM t.oid OR k.confrelid = t.oid) \
         AND f.adrelid IS DISTINCT FROM t.oid AND i.indrelid IS DISTINCT FROM t.oid AND x.stxrelid IS DISTINCT FROM t.oid \
         AND d.classid NOT IN ('pg_catalog.pg_trigger'::regclass, 'pg_catalog.pg_policy'::regclass) \
     UNION ALL SELECT format('foreign key %s of %s', k.conname, k.conrelid::regclass) FROM pg_catalog.pg_constraint k \
       WHERE k.confrelid = $1 AND k.contype = 'f' AND k.conparentid = 0 AND $1::oid <> $2::oid \
     UNION ALL SELECT 'trigger ' || t.tgname FROM pg_catalog.pg_trigger t WHERE t.tgrelid IN ($1, $2) AND NOT t.tgisinternal \
     UNION ALL SELECT 'rule ' || w.rulename FROM pg_catalog.pg_rewrite w WHERE w.ev_class IN ($1, $2) \
     UNION ALL SELECT 'row security' FROM pg_catalog.pg_class c WHERE c.oid = $2 AND (c.relrowsecurity OR EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid)) \
     UNION ALL SELECT 'publication ' || p.pubname FROM pg_catalog.pg_publication_tables p JOIN pg_catalog.pg_class c ON c.relname = p.tablename \
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = p.schemaname WHERE c.oid IN ($1, $2) \
     UNION ALL SELECT 'a subscription' FROM pg_catalog.pg_subscription_rel r WHERE r.srrelid IN ($1, $2) \
     UNION ALL SELECT format('%s, of which it is a child', h.inhparent::regclass) FROM pg_catalog.pg_inherits h WHERE h.inhrelid = $1 \
     UNION ALL SELECT format('%s, which is a child of it', h.inhrelid::regclass) FROM pg_catalog.pg_inherits h WHERE h.inhparent = $2 \
     UNION ALL SELECT format('its type %s', c.reloftype::regtype) FROM pg_catalog.pg_class c WHERE c.oid = $2 AND c.reloftype <> 0 \
     UNION ALL SELECT 'extension ' || e.extname FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid \
       WHERE d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.classid = 'pg_catalog.pg_class'::regclass AND d.objid IN ($1, $2) \
     UNION ALL SELECT format('index %s, which is invalid', i.indexrelid::regclass) FROM pg_catalog.pg_index i WHERE i.indrelid = $2 AND NOT i.indisvalid \
     UNION ALL SELECT format('a privilege that %s granted', a.grantor::regrole) FROM pg_catalog.pg_class c, \
       LATERAL (SELECT x.grantor FROM aclexplode(c.relacl) AS x UNION SELECT x.grantor FROM pg_catalog.pg_attribute b, aclexplode(b.attacl) AS x WHERE b.attrelid = c.oid) AS a \
       WHERE c.oid = $2 AND a.grantor <> c.relowner \
     UNION ALL SELECT 'a security label of ' || l.provider FROM pg_catalog.pg_seclabel l WHERE l.classoid = 'pg_catalog.pg_class'::regclass AND l.objoid = $2 \
     ) AS s ORDER BY what";

/// What is told of rows that are written to a table, its partitions included.
const TOLD_OF_ROWS: &str = "WITH tree AS (SELECT c.oid, c.relname, c.relnamespace FROM pg_catalog.pg_class c \
       WHERE c.oid = to_regclass($1) OR c.oid IN (SELECT p.relid FROM pg_partition_tree(to_regclass($1)) AS p)) \
     SELECT 'trigger ' || t.tgname AS what FROM pg_catalog.pg_trigger t JOIN tree ON tree.oid = t.tgrelid WHERE NOT t.tgisinternal AND t.tgparentid = 0 \
     UNION SELECT 'rule ' || w.rulename FROM pg_catalog.pg_rewrite w JOIN tree ON tree.oid = w.ev_class \
     UNION SELECT 'publication ' || p.pubname FROM pg_catalog.pg_publication_tables p JOIN pg_catalog.pg_namespace n ON n.nspname = p.schemaname \
       JOIN tree ON tree.relname = p.tablename AND tree.relnamespace = n.oid ORDER BY what";

/// What a swap would take the place of, and what stands in its way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Swappable {
    /// The partition that holds all rows; none where the table itself is swapped.
    pub partition: Option<TargetTable>,
    /// What hangs on the table and would be lost, or see nothing of the swap.
    pub in_the_way: Vec<String>,
    /// Whether the role is the owner, or of its role.
    pub owned: bool,
    /// Whether the role may make a table beside it.
    pub may_create: bool,
}

impl Session {
    /// Describes `table` as [`Session::describe`] does, with what this refresh needs to know besides.
    ///
    /// # Errors
    /// As [`Session::describe`].
    pub async fn describe_for(&self, table: &TargetTable, refresh: Refresh) -> Result<Option<TargetDescription>> {
        let mut described = self.describe(table).await?;
        if let Some(described) = &mut described {
            match refresh {
                Refresh::Swap => described.swap = self.swappable(table).await?,
                Refresh::Auto if !described.empty => described.told_of_rows = self.told_of_rows(table).await?,
                Refresh::Auto | Refresh::Merge | Refresh::Replace | Refresh::Truncate => {}
            }
        }
        Ok(described)
    }

    async fn told_of_rows(&self, table: &TargetTable) -> Result<Vec<String>> {
        let rows = self.query(TOLD_OF_ROWS, &[&table.to_string()]).await;
        let rows = rows.map_err(|error| target_error(&format!("read what is told of the rows of {table}"), error))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    async fn swappable(&self, table: &TargetTable) -> Result<Swappable> {
        let failed = |error| target_error(&format!("read what hangs on {table}"), error);
        let row = self.query_one(SWAPPED, &[&table.to_string()]).await.map_err(failed)?;
        let (root, partitions): (u32, i64) = (row.get("root"), row.get("partitions"));
        let mut swappable =
            Swappable { partition: None, in_the_way: Vec::new(), owned: row.get("owned"), may_create: row.get("may_create") };
        let mut swapped = root;
        if row.get("partitioned") {
            if partitions != 1 || row.get::<_, &str>("leaf_kind") != "r" {
                swappable.in_the_way.push(format!("its {partitions} partitions: only one that is a plain table can be swapped"));
                return Ok(swappable);
            }
            swapped = u32::try_from(row.get::<_, i64>("leaf")).unwrap_or(root);
            swappable.partition = Some(TargetTable { schema: row.get("leaf_schema"), table: row.get("leaf_name") });
        }
        let found = self.query(IN_THE_WAY, &[&root, &swapped]).await.map_err(failed)?;
        swappable.in_the_way = found.iter().map(|row| row.get(0)).collect();
        Ok(swappable)
    }
}
