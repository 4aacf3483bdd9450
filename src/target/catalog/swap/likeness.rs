//! What makes up a table, line by line: two tables of the same lines are the same to everybody but the storage.
//!
//! Read of the old table before it goes and of the new one under its name: what a swap would change without saying so, in a server of whatever version, ends it.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::target::error::target_error;
use crate::target::foreign_key::MARK;
use crate::target::session::Transaction;

/// Catalogue rows as they are, without the numbers that only tell one table from another. Foreign keys of our own making may have given way.
const LIKENESS: &str = r#"
    WITH given AS (SELECT $1::oid AS oid, $2::text AS mark)
    SELECT line FROM (
     SELECT format('table %s', (to_jsonb(c) - ARRAY['oid','reltype','relfilenode','relpages','reltuples','relallvisible','relallfrozen','reltoastrelid','relfrozenxid','relminmxid','relnatts',
        'relhasindex','relhassubclass','relchecks','relhastriggers','relhasrules','relrewrite','relacl','relpartbound']) || jsonb_build_object('bound', pg_get_expr(c.relpartbound, c.oid),
        'acl', ARRAY(SELECT x::text FROM unnest(coalesce(c.relacl, acldefault('r', c.relowner))) x ORDER BY 1), 'toast', t.reloptions, 'comment', obj_description(c.oid, 'pg_class'))) AS line
       FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid WHERE c.oid = $1
     UNION ALL SELECT format('column %s', (to_jsonb(a) - ARRAY['attrelid','attnum','attcacheoff','attndims','atthasmissing','attmissingval','attacl']) || jsonb_build_object('default', pg_get_expr(d.adbin, d.adrelid),
        'place', row_number() OVER (ORDER BY a.attnum), 'acl', ARRAY(SELECT x::text FROM unnest(a.attacl) x ORDER BY 1), 'comment', col_description(a.attrelid, a.attnum)))
       FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
     UNION ALL SELECT format('constraint %s %s %s %s', k.conname, pg_get_constraintdef(k.oid), k.coninhcount, obj_description(k.oid, 'pg_constraint')) FROM pg_catalog.pg_constraint k WHERE k.conrelid = $1 AND NOT (k.contype = 'f' AND obj_description(k.oid, 'pg_constraint') IS NOT DISTINCT FROM $2)
     UNION ALL SELECT format('index %s %s %s %s %s', pg_get_indexdef(i.indexrelid), c.reloptions, c.reltablespace, ARRAY[i.indisclustered, i.indisreplident, i.indisvalid, c.relispartition], obj_description(c.oid, 'pg_class'))
         || ARRAY(SELECT coalesce(a.attstattarget, -1) FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indexrelid ORDER BY a.attnum)::text
       FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $1
     UNION ALL SELECT format('statistics %s %s %s %s', pg_get_statisticsobjdef(x.oid), coalesce(x.stxstattarget, -1), x.stxowner::regrole, obj_description(x.oid, 'pg_statistic_ext')) FROM pg_catalog.pg_statistic_ext x WHERE x.stxrelid = $1
     UNION ALL SELECT format('sequence %s of %s %s %s %s', d.objid::regclass, a.attname, to_jsonb(s) - 'seqrelid', ARRAY(SELECT x::text FROM unnest(coalesce(c.relacl, acldefault('s', c.relowner))) x ORDER BY 1), obj_description(d.objid, 'pg_class'))
       FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_sequence s ON s.seqrelid = d.objid JOIN pg_catalog.pg_class c ON c.oid = d.objid JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
       WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = $1 AND d.deptype = 'i'
     UNION ALL SELECT format('trigger %s %s', pg_get_triggerdef(t.oid), t.tgenabled) FROM pg_catalog.pg_trigger t WHERE t.tgrelid = $1 AND NOT t.tgisinternal
     UNION ALL SELECT format('policy %s', p.polname) FROM pg_catalog.pg_policy p WHERE p.polrelid = $1
     UNION ALL SELECT format('rule %s', w.rulename) FROM pg_catalog.pg_rewrite w WHERE w.ev_class = $1
     UNION ALL SELECT format('publication %s', p.prpubid) FROM pg_catalog.pg_publication_rel p WHERE p.prrelid = $1
     UNION ALL SELECT format('parent %s', h.inhparent::regclass) FROM pg_catalog.pg_inherits h WHERE h.inhrelid = $1
     UNION ALL SELECT format('label %s %s', l.provider, l.label) FROM pg_catalog.pg_seclabel l WHERE l.objoid = $1 AND l.classoid = 'pg_catalog.pg_class'::regclass
    ) s ORDER BY line"#;

/// The lines of the table `oid`.
pub(in crate::target) async fn likeness(transaction: &Transaction<'_>, oid: u32) -> Result<BTreeSet<String>> {
    let rows = transaction.query(LIKENESS, &[&oid, &MARK]).await.map_err(|error| target_error("read what makes up the table", error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The first lines in which two tables differ; none where they are alike.
pub(in crate::target) fn differences(old: &BTreeSet<String>, new: &BTreeSet<String>) -> Option<String> {
    let gone = old.difference(new).take(3).map(|line| format!("- {line}"));
    let come = new.difference(old).take(3).map(|line| format!("+ {line}"));
    let lines: Vec<_> = gone.chain(come).collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}
