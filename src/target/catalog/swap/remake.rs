//! The statements that make a table like another one, as PostgreSQL's own catalogue functions write them: the server quotes every name.
//!
//! `LIKE` takes over the columns with their defaults, generation, identity, storage, compression and comments. The rest is said here, in the order in which it is
//! best done: what rows are held to before they come, indexes when they are there, names when the old table is gone.

use tokio_postgres::Row;

use crate::error::Result;
use crate::table::TargetTable;
use crate::target::error::target_error;
use crate::target::foreign_key::MARK;
use crate::target::session::Transaction;

/// Makes the new table: $1 the old one, $2 the quoted name.
const MAKE: &str = r#"
    SELECT format('CREATE %sTABLE %s (LIKE %s INCLUDING ALL EXCLUDING INDEXES EXCLUDING CONSTRAINTS EXCLUDING STATISTICS%s) USING %I%s',
       CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END, $2::text, c.oid::regclass, CASE WHEN c.relispartition THEN ' EXCLUDING IDENTITY' ELSE '' END, am.amname,
       coalesce(' TABLESPACE ' || quote_ident(ts.spcname), ''))
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_am am ON am.oid = c.relam LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = c.reltablespace WHERE c.oid = $1::oid"#;

/// What goes before the rows: the owner, storage parameters, statistics targets, CHECK constraints, and for a partition one more that proves its bounds, so that
/// attaching it reads no row. $1 the old table, $2 the new one, $3 what temporary names begin with; they end in the number of what they stand for.
const SHAPE: &str = r#"
    WITH given AS (SELECT $1::oid AS old, $2::oid AS new, $3::text AS prefix)
    SELECT statement FROM (
     SELECT 1 AS step, 0 AS place, format('ALTER TABLE %s OWNER TO %I', n.oid::regclass, pg_get_userbyid(c.relowner)) AS statement
       FROM pg_catalog.pg_class c, pg_catalog.pg_class n WHERE c.oid = $1 AND n.oid = $2 AND n.relowner <> c.relowner
     UNION ALL SELECT 2, 0, format('ALTER TABLE %s SET (%s)', $2::regclass, string_agg(format('%I = %L', o.option_name, o.option_value), ', '))
       FROM pg_catalog.pg_class c, pg_options_to_table(c.reloptions) o WHERE c.oid = $1 HAVING count(*) > 0
     UNION ALL SELECT 2, 1, format('ALTER TABLE %s SET (%s)', $2::regclass, string_agg(format('toast.%I = %L', o.option_name, o.option_value), ', '))
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid, pg_options_to_table(t.reloptions) o WHERE c.oid = $1 HAVING count(*) > 0
     UNION ALL SELECT 3, a.attnum, format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', $2::regclass, a.attname, a.attstattarget)
       FROM pg_catalog.pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND coalesce(a.attstattarget, -1) <> -1
     UNION ALL SELECT 4, a.attnum, format('ALTER TABLE %s ALTER COLUMN %I SET (%s)', $2::regclass, a.attname, string_agg(format('%I = %L', o.option_name, o.option_value), ', '))
       FROM pg_catalog.pg_attribute a, pg_options_to_table(a.attoptions) o WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped GROUP BY a.attnum, a.attname
     UNION ALL SELECT 5, 0, format('ALTER TABLE %s ADD CONSTRAINT %I %s', $2::regclass, k.conname, pg_get_constraintdef(k.oid))
       FROM pg_catalog.pg_constraint k WHERE k.conrelid = $1 AND k.contype = 'c'
     UNION ALL SELECT 6, 0, format('ALTER TABLE %s ADD CONSTRAINT %I CHECK (%s)', $2::regclass, $3 || 'bounds', pg_get_partition_constraintdef(c.oid))
       FROM pg_catalog.pg_class c WHERE c.oid = $1 AND c.relispartition AND pg_get_partition_constraintdef(c.oid) IS NOT NULL
    ) s ORDER BY step, place, statement"#;

/// What goes after the rows: indexes, extended statistics, foreign keys, comments.
const BUILD: &str = r#"
    WITH given AS (SELECT $1::oid AS old, $2::oid AS new, $3::text AS prefix),
    ind AS (SELECT i.*, c.relname, c.reloptions, c.reltablespace, $3 || i.indexrelid AS made, k.oid AS con, k.conname,
        format('CREATE %sINDEX %I ON %I.%I ', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, c.relname, ns.nspname, t.relname) AS head, ns.nspname
      FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_class t ON t.oid = i.indrelid JOIN pg_catalog.pg_namespace ns ON ns.oid = t.relnamespace
      LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x') WHERE i.indrelid = $1)
    SELECT about, statement FROM (
     SELECT 1 AS step, ind.indexrelid::bigint * 10 AS place, 'index ' || relname AS about,
       format('SET LOCAL default_tablespace = %L', coalesce((SELECT ts.spcname FROM pg_catalog.pg_tablespace ts WHERE ts.oid = reltablespace), '')) AS statement FROM ind
     UNION ALL SELECT 1, ind.indexrelid::bigint * 10 + 1, 'index ' || relname, CASE WHEN con IS NOT NULL THEN format('ALTER TABLE %s ADD CONSTRAINT %I %s', $2::regclass, made, pg_get_constraintdef(con))
       ELSE format('CREATE %sINDEX %I ON %s %s', CASE WHEN indisunique THEN 'UNIQUE ' ELSE '' END, made, $2::regclass, substr(pg_get_indexdef(indexrelid), length(head) + 1)) END FROM ind
     UNION ALL SELECT 1, ind.indexrelid::bigint * 10 + 2, 'index ' || relname, format('ALTER INDEX %I.%I SET (%s)', nspname, made, string_agg(format('%I = %L', o.option_name, o.option_value), ', '))
       FROM ind, pg_options_to_table(reloptions) o WHERE con IS NOT NULL GROUP BY indexrelid, relname, nspname, made
     UNION ALL SELECT 1, ind.indexrelid::bigint * 10 + 3, 'index ' || relname, format('ALTER INDEX %I.%I ALTER COLUMN %s SET STATISTICS %s', nspname, made, a.attnum, a.attstattarget)
       FROM ind JOIN pg_catalog.pg_attribute a ON a.attrelid = indexrelid WHERE coalesce(a.attstattarget, -1) <> -1
     UNION ALL SELECT 1, ind.indexrelid::bigint * 10 + 4, 'index ' || relname, format('COMMENT ON INDEX %I.%I IS %L', nspname, made, obj_description(indexrelid, 'pg_class'))
       FROM ind WHERE obj_description(indexrelid, 'pg_class') IS NOT NULL
     UNION ALL SELECT 1, ind.indexrelid::bigint * 10 + 5, 'index ' || relname, format('ALTER TABLE %s CLUSTER ON %I', $2::regclass, made) FROM ind WHERE indisclustered
     UNION ALL SELECT 1, ind.indexrelid::bigint * 10 + 6, 'index ' || ind.relname, format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %I', $2::regclass, made)
       FROM ind JOIN pg_catalog.pg_class o ON o.oid = indrelid WHERE indisreplident AND o.relreplident = 'i'
     UNION ALL SELECT 2, 0, 'replica identity', format('ALTER TABLE %s REPLICA IDENTITY %s', $2::regclass, CASE relreplident WHEN 'f' THEN 'FULL' ELSE 'NOTHING' END)
       FROM pg_catalog.pg_class WHERE oid = $1 AND relreplident IN ('f', 'n')
     UNION ALL SELECT 3, x.oid::bigint * 10, 'statistics ' || stxname, format('CREATE STATISTICS %I.%I %s%s', ns.nspname, $3 || x.oid,
         substr(def, length(head) + 1, length(def) - length(head) - length($1::regclass::text)), $2::regclass)
       FROM pg_catalog.pg_statistic_ext x JOIN pg_catalog.pg_namespace ns ON ns.oid = x.stxnamespace, format('CREATE STATISTICS %I.%I ', ns.nspname, stxname) AS head, pg_get_statisticsobjdef(x.oid) AS def WHERE stxrelid = $1
     UNION ALL SELECT 3, x.oid::bigint * 10 + 1, 'statistics ' || stxname, format('ALTER STATISTICS %I.%I SET STATISTICS %s', ns.nspname, $3 || x.oid, stxstattarget)
       FROM pg_catalog.pg_statistic_ext x JOIN pg_catalog.pg_namespace ns ON ns.oid = x.stxnamespace WHERE stxrelid = $1 AND coalesce(stxstattarget, -1) <> -1
     UNION ALL SELECT 3, x.oid::bigint * 10 + 2, 'statistics ' || stxname, format('COMMENT ON STATISTICS %I.%I IS %L', ns.nspname, $3 || x.oid, obj_description(x.oid, 'pg_statistic_ext'))
       FROM pg_catalog.pg_statistic_ext x JOIN pg_catalog.pg_namespace ns ON ns.oid = x.stxnamespace WHERE stxrelid = $1 AND obj_description(x.oid, 'pg_statistic_ext') IS NOT NULL
     UNION ALL SELECT 5, k.oid, 'comment on constraint ' || conname, format('COMMENT ON CONSTRAINT %I ON %s IS %L', CASE WHEN contype = 'c' THEN conname::text ELSE $3 || conindid END, $2::regclass, obj_description(k.oid, 'pg_constraint'))
       FROM pg_catalog.pg_constraint k WHERE conrelid = $1 AND contype IN ('c', 'p', 'u', 'x') AND obj_description(k.oid, 'pg_constraint') IS NOT NULL
     UNION ALL SELECT 5, 0, 'comment', format('COMMENT ON TABLE %s IS %L', $2::regclass, obj_description($1, 'pg_class')) WHERE obj_description($1, 'pg_class') IS NOT NULL
    ) s ORDER BY step, place"#;

/// The foreign keys of the old table, for the new one, each with its comment and whether that is our mark ($3).
const FOREIGN_KEYS: &str = r#"
    WITH given AS (SELECT $1::oid AS old, $2::oid AS new, $3::text AS mark)
    SELECT k.conname::text AS name, concat_ws('; ', format('ALTER TABLE %s ADD CONSTRAINT %I %s', $2::regclass, k.conname, pg_get_constraintdef(k.oid)),
      'COMMENT ON CONSTRAINT ' || quote_ident(k.conname) || ' ON ' || $2::regclass || ' IS ' || quote_literal(obj_description(k.oid, 'pg_constraint'))) AS statement,
      obj_description(k.oid, 'pg_constraint') IS NOT DISTINCT FROM $3 AS ours
    FROM pg_catalog.pg_constraint k WHERE k.conrelid = $1 AND k.contype = 'f' ORDER BY k.oid"#;

/// Sequences, and privileges in the order in which they were granted.
const BELONGINGS: &str = r#"
    WITH given AS (SELECT $1::oid AS old, $2::oid AS new),
    seq AS (SELECT d.deptype, o.attname, d.objid AS old, sn.objid AS new
       FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_sequence q ON q.seqrelid = d.objid JOIN pg_catalog.pg_attribute o ON o.attrelid = $1 AND o.attnum = d.refobjsubid
       JOIN pg_catalog.pg_attribute n ON n.attrelid = $2 AND n.attname = o.attname
       LEFT JOIN pg_catalog.pg_depend sn ON sn.classid = d.classid AND sn.refclassid = d.refclassid AND sn.refobjid = $2 AND sn.refobjsubid = n.attnum AND sn.deptype = 'i'
       WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = $1 AND d.deptype IN ('a', 'i')),
     pair AS (SELECT $1 AS old, $2 AS new, 'TABLE' AS kind, 'r'::"char" AS letter UNION ALL SELECT old, new, 'SEQUENCE', 's' FROM seq WHERE deptype = 'i'),
     acl AS (SELECT p.*, coalesce(o.relacl, acldefault(p.letter, o.relowner)) AS had, coalesce(n.relacl, acldefault(p.letter, n.relowner)) AS has
       FROM pair p JOIN pg_catalog.pg_class o ON o.oid = p.old JOIN pg_catalog.pg_class n ON n.oid = p.new WHERE o.relacl IS NOT NULL OR n.relacl IS NOT NULL)
    SELECT statement FROM (
     SELECT 1 AS step, 0::bigint AS place, format('ALTER SEQUENCE %s OWNED BY %s.%I', old::regclass, $2::regclass, attname) AS statement FROM seq WHERE deptype = 'a'
     UNION ALL SELECT 1, 0, format('ALTER SEQUENCE %s AS %s INCREMENT %s MINVALUE %s MAXVALUE %s START %s CACHE %s %sCYCLE', new::regclass, format_type(q.seqtypid, NULL), q.seqincrement,
         q.seqmin, q.seqmax, q.seqstart, q.seqcache, CASE WHEN q.seqcycle THEN '' ELSE 'NO ' END) FROM seq JOIN pg_catalog.pg_sequence q ON q.seqrelid = old WHERE deptype = 'i'
     UNION ALL SELECT 2, 0, format('SELECT setval(%L::regclass, s.last_value, s.is_called) FROM %s AS s', new::regclass, old::regclass) FROM seq WHERE deptype = 'i'
     UNION ALL SELECT 2, 0, format('COMMENT ON SEQUENCE %s IS %L', new::regclass, obj_description(old, 'pg_class')) FROM seq WHERE deptype = 'i' AND obj_description(old, 'pg_class') IS NOT NULL
     UNION ALL SELECT DISTINCT 3, 0, format('REVOKE ALL ON %s %s FROM %s', kind, new::regclass, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
       FROM acl, aclexplode(has) a
     UNION ALL SELECT 4, min(a.n), format('GRANT %s ON %s %s TO %s%s', string_agg(a.privilege, ', ' ORDER BY a.n), kind, new::regclass, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
         CASE WHEN a.grantable THEN ' WITH GRANT OPTION' ELSE '' END)
       FROM acl, aclexplode(had) WITH ORDINALITY AS a(grantor, grantee, privilege, grantable, n) GROUP BY kind, new, a.grantee, a.grantable
     UNION ALL SELECT 5, c.attnum * 1000 + a.n, format('GRANT %s (%I) ON TABLE %s TO %s%s', a.privilege, c.attname, $2::regclass, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
         CASE WHEN a.grantable THEN ' WITH GRANT OPTION' ELSE '' END)
       FROM pg_catalog.pg_attribute c, aclexplode(c.attacl) WITH ORDINALITY AS a(grantor, grantee, privilege, grantable, n) WHERE c.attrelid = $1 AND NOT c.attisdropped
    ) s ORDER BY step, place, statement"#;

/// The names, once the old table is gone; a partition is attached.
const NAMES: &str = r#"
    WITH given AS (SELECT $1::oid AS old, $2::oid AS new, $3::text AS prefix)
    SELECT statement FROM (
     SELECT 1 AS step, format('ALTER TABLE %s RENAME TO %I', $2::regclass, c.relname) AS statement FROM pg_catalog.pg_class c WHERE c.oid = $1
     UNION ALL SELECT 2, format('ALTER INDEX %I.%I RENAME TO %I', ns.nspname, $3 || i.indexrelid, c.relname)
       FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace ns ON ns.oid = c.relnamespace WHERE i.indrelid = $1
     UNION ALL SELECT 2, format('ALTER STATISTICS %I.%I RENAME TO %I', ns.nspname, $3 || x.oid, stxname) FROM pg_catalog.pg_statistic_ext x JOIN pg_catalog.pg_namespace ns ON ns.oid = x.stxnamespace WHERE stxrelid = $1
     UNION ALL SELECT 2, format('ALTER SEQUENCE %s RENAME TO %I', dn.objid::regclass, so.relname)
       FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class so ON so.oid = d.objid AND so.relkind = 'S' JOIN pg_catalog.pg_attribute o ON o.attrelid = $1 AND o.attnum = d.refobjsubid
         JOIN pg_catalog.pg_attribute n ON n.attrelid = $2 AND n.attname = o.attname
         JOIN pg_catalog.pg_depend dn ON dn.refobjid = $2 AND dn.refclassid = 'pg_catalog.pg_class'::regclass AND dn.refobjsubid = n.attnum AND dn.classid = 'pg_catalog.pg_class'::regclass AND dn.deptype = 'i'
       WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = $1 AND d.deptype = 'i'
     UNION ALL SELECT 3, format('ALTER TABLE %s ATTACH PARTITION %I.%I %s', h.inhparent::regclass, ns.nspname, c.relname, pg_get_expr(c.relpartbound, c.oid))
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace ns ON ns.oid = c.relnamespace JOIN pg_catalog.pg_inherits h ON h.inhrelid = c.oid WHERE c.oid = $1 AND c.relispartition
     UNION ALL SELECT 4, format('ALTER TABLE %I.%I DROP CONSTRAINT %I', ns.nspname, c.relname, $3 || 'bounds')
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace ns ON ns.oid = c.relnamespace WHERE c.oid = $1 AND c.relispartition AND pg_get_partition_constraintdef(c.oid) IS NOT NULL
    ) s ORDER BY step, statement"#;

/// Two tables by their numbers, one to be like the other.
#[derive(Debug, Clone)]
pub(in crate::target) struct Pair {
    /// The one that stands.
    pub(in crate::target) old: u32,
    /// The one that is made.
    pub(in crate::target) new: u32,
    /// What temporary names begin with.
    pub(in crate::target) prefix: String,
}

/// A statement, and what it is about, for messages.
pub(in crate::target) struct Remade {
    pub(in crate::target) about: String,
    pub(in crate::target) statement: String,
}

/// A foreign key of the old table, for the new one.
pub(in crate::target) struct RemadeForeignKey {
    pub(in crate::target) name: String,
    pub(in crate::target) statement: String,
    /// Whether it is of our own making.
    pub(in crate::target) ours: bool,
}

impl Pair {
    /// Makes an empty table `new` with the columns of `old`.
    pub(in crate::target) async fn make(transaction: &Transaction<'_>, old: &TargetTable, new: &TargetTable) -> Result<Self> {
        let failed = |error| target_error(&format!("make a table like {old}"), error);
        let number = "SELECT $1::text::regclass::oid";
        let oid: u32 = transaction.query_one(number, &[&old.to_string()]).await.map_err(failed)?.get(0);
        let make: String = transaction.query_one(MAKE, &[&oid, &new.to_string()]).await.map_err(failed)?.get(0);
        // What a role or database has set must not decide where the table lies.
        transaction.batch_execute(&format!("SET LOCAL default_tablespace = ''; {make}")).await.map_err(failed)?;
        let made: u32 = transaction.query_one(number, &[&new.to_string()]).await.map_err(failed)?.get(0);
        Ok(Self { old: oid, new: made, prefix: format!("{}_", new.table) })
    }

    /// What goes before the rows.
    pub(in crate::target) async fn shape(&self, transaction: &Transaction<'_>) -> Result<Vec<String>> {
        self.statements(transaction, SHAPE).await
    }

    /// What goes after the rows.
    pub(in crate::target) async fn build(&self, transaction: &Transaction<'_>) -> Result<Vec<Remade>> {
        let rows = transaction.query(BUILD, &[&self.old, &self.new, &self.prefix]).await;
        let rows = rows.map_err(|error| target_error("read what belongs to the table", error))?;
        Ok(rows.iter().map(|row| Remade { about: row.get("about"), statement: row.get("statement") }).collect())
    }

    /// The foreign keys of the old table.
    pub(in crate::target) async fn foreign_keys(&self, transaction: &Transaction<'_>) -> Result<Vec<RemadeForeignKey>> {
        let rows = transaction.query(FOREIGN_KEYS, &[&self.old, &self.new, &MARK]).await;
        let rows = rows.map_err(|error| target_error("read the foreign keys of the table", error))?;
        let key = |row: &Row| RemadeForeignKey { name: row.get("name"), statement: row.get("statement"), ours: row.get("ours") };
        Ok(rows.iter().map(key).collect())
    }

    /// Sequences and privileges: what may change until nobody else writes.
    pub(in crate::target) async fn belongings(&self, transaction: &Transaction<'_>) -> Result<Vec<String>> {
        let rows = transaction.query(BELONGINGS, &[&self.old, &self.new]).await;
        Ok(rows.map_err(|error| target_error("read the privileges of the table", error))?.iter().map(|row| row.get(0)).collect())
    }

    /// What gives the new table and all that is its own the old names.
    pub(in crate::target) async fn names(&self, transaction: &Transaction<'_>) -> Result<Vec<String>> {
        self.statements(transaction, NAMES).await
    }

    async fn statements(&self, transaction: &Transaction<'_>, sql: &str) -> Result<Vec<String>> {
        let rows = transaction.query(sql, &[&self.old, &self.new, &self.prefix]).await;
        let text = |row: &Row| row.get("statement");
        Ok(rows.map_err(|error| target_error("read what belongs to the table", error))?.iter().map(text).collect())
    }
}
