//! Tables that do not exist yet: what they are to be, the statements that make them, and what is added once their rows are there.
//!
//! All of it runs in the transaction of the first load: a kill leaves no table. Indexes are built after the load, which is cheaper, and sequences are
//! set after it, from what stands in the table.

use super::catalog::relation_exists;
use super::error::target_error;
use super::sequence::advance_sequences;
use super::session::Transaction;
use crate::error::{ErrorKind, Result, SyncError};
use crate::table::{IDENTIFIER_BYTES_MAX, PgIdent, PgType, TargetTable, quoted_list};

/// `NULLS NOT DISTINCT` came with PostgreSQL 15.
const NULLS_NOT_DISTINCT: i32 = 150_000;

/// A table that is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewTable {
    /// Its columns, in order.
    pub columns: Vec<NewColumn>,
    /// Its comment.
    pub comment: Option<String>,
    /// Its indexes beside the primary key, built after the load.
    pub indexes: Vec<NewIndex>,
}

/// A column that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub pg_type: PgType,
    /// Whether it takes no NULL from the beginning.
    pub not_null: bool,
    /// PostgreSQL's expression for rows that do not name it.
    pub default: Option<String>,
    /// How it numbers rows that do not name it.
    pub identity: Option<NewIdentity>,
    /// Its comment.
    pub comment: Option<String>,
}

/// How a column will number rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewIdentity {
    /// The first number.
    pub start: i64,
    /// The step, never 0.
    pub increment: i64,
    /// The number that the source gave last, where it lies at or beyond the first.
    pub last: Option<i64>,
}

/// An index that is to be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIndex {
    /// Its name.
    pub name: String,
    /// The name for when the first one is taken.
    pub other_name: String,
    /// Whether no two rows have the same key.
    pub unique: bool,
    /// Whether it stands behind a UNIQUE constraint.
    pub constraint: bool,
    /// The key's columns, and whether each descends.
    pub key: Vec<(String, bool)>,
    /// Whether the key may hold NULL, which the source takes for a value like others.
    pub nullable: bool,
    /// Columns carried along.
    pub included: Vec<String>,
    /// The condition of the rows that it holds, where not all.
    pub predicate: Option<String>,
}

impl NewTable {
    /// The statements in the order in which they will run, the load between the first and the others; what sequences are set to is known only then.
    pub fn statements(&self, target: &TargetTable, key: &[String]) -> Vec<String> {
        let mut statements = self.create(target);
        statements.extend(self.comments(target));
        if !key.is_empty() {
            statements.push(add_primary_key(target, key));
        }
        statements.extend(self.indexes.iter().map(|index| index.statement(target, &index.name, true)));
        statements
    }

    /// CREATE TABLE, without the primary key; before and behind it what numbers columns that are no integers.
    pub(super) fn create(&self, target: &TargetTable) -> Vec<String> {
        let numbered = |column: &&NewColumn| column.identity.is_some() && !is_integer(&column.pg_type);
        let numbered: Vec<_> = self.columns.iter().filter(numbered).map(|column| (column, column.sequence(target))).collect();
        let make = numbered
            .iter()
            .filter_map(|(column, name)| Some(format!("CREATE SEQUENCE {name} {}", column.identity?.options(&column.pg_type))));
        let own = numbered.iter().map(|(column, name)| format!("ALTER SEQUENCE {name} OWNED BY {target}.{}", PgIdent(&column.name)));
        let columns: Vec<_> = self.columns.iter().map(|column| column.definition(target)).collect();
        make.chain([format!("CREATE TABLE {target} ({})", columns.join(", "))]).chain(own).collect()
    }

    /// COMMENT ON, for the table and its columns.
    pub(super) fn comments(&self, target: &TargetTable) -> Vec<String> {
        let of_table = self.comment.iter().map(|comment| format!("COMMENT ON TABLE {target} IS {}", literal(comment)));
        let of_columns = self.columns.iter().filter_map(|column| {
            let comment = column.comment.as_ref()?;
            Some(format!("COMMENT ON COLUMN {target}.{} IS {}", PgIdent(&column.name), literal(comment)))
        });
        of_table.chain(of_columns).collect()
    }

    /// What comes after the load and the primary key: indexes, and sequences that go on after the highest number. Returns what to tell about it.
    pub(super) async fn finish(&self, transaction: &mut Transaction<'_>, target: &TargetTable) -> Result<Vec<String>> {
        let failed = |error| target_error(&format!("finish {target}"), error);
        let mut warnings = Vec::new();
        let version = transaction.query_one("SELECT current_setting('server_version_num')::int", &[]).await.map_err(failed)?;
        let nulls_not_distinct = version.get::<_, i32>(0) >= NULLS_NOT_DISTINCT;
        for index in &self.indexes {
            if index.unique && index.nullable && !nulls_not_distinct {
                warnings.push(format!(
                    "index {}: this PostgreSQL takes several NULLs where the source takes one (15 and later can do as the source does)",
                    index.name
                ));
            }
            index.build(transaction, target, nulls_not_distinct).await?;
        }
        let last: Vec<_> = self.columns.iter().filter_map(|column| Some((column.name.as_str(), column.identity?.last?))).collect();
        if !last.is_empty() {
            let names: Vec<_> = last.iter().map(|(column, _)| *column).collect();
            advance_sequences(transaction, target, target, &names, &last).await?;
        }
        Ok(warnings)
    }
}

impl NewColumn {
    fn definition(&self, target: &TargetTable) -> String {
        let name = PgIdent(&self.name);
        let not_null = if self.not_null { " NOT NULL" } else { "" };
        let more = match (&self.identity, &self.default) {
            (Some(identity), _) if is_integer(&self.pg_type) => {
                format!(" GENERATED BY DEFAULT AS IDENTITY ({})", identity.options(&self.pg_type))
            }
            (Some(_), _) => format!(" DEFAULT nextval({}::regclass)", literal(&self.sequence(target).to_string())),
            (None, Some(default)) => format!(" DEFAULT {default}"),
            (None, None) => String::new(),
        };
        format!("{name} {}{more}{not_null}", self.pg_type)
    }

    /// The sequence of a column that is no integer: PostgreSQL's identities are integers.
    fn sequence(&self, target: &TargetTable) -> TargetTable {
        TargetTable { schema: target.schema.clone(), table: sequence_name(&target.table, &self.name) }
    }
}

impl NewIdentity {
    /// A sequence ends by itself at 1 or -1: bounds are named where the first number lies beyond.
    fn options(&self, pg_type: &PgType) -> String {
        let (min, max) = match pg_type {
            PgType::Int2 => (i16::MIN.into(), i16::MAX.into()),
            PgType::Int4 => (i32::MIN.into(), i32::MAX.into()),
            _ => (i64::MIN, i64::MAX),
        };
        let bounds = if self.increment > 0 && self.start < 1 {
            format!(" MINVALUE {min}")
        } else if self.increment < 0 && self.start > -1 {
            format!(" MAXVALUE {max}")
        } else {
            String::new()
        };
        format!("START WITH {} INCREMENT BY {}{bounds}", self.start, self.increment)
    }
}

impl NewIndex {
    fn statement(&self, target: &TargetTable, name: &str, nulls_not_distinct: bool) -> String {
        let name = PgIdent(name);
        let nulls = if self.unique && self.nullable && nulls_not_distinct { " NULLS NOT DISTINCT" } else { "" };
        let included = match self.included.as_slice() {
            [] => String::new(),
            included => format!(" INCLUDE ({})", quoted_list("", included.iter().map(String::as_str))),
        };
        if self.constraint {
            let key = quoted_list("", self.key.iter().map(|(column, _)| column.as_str()));
            return format!("ALTER TABLE {target} ADD CONSTRAINT {name} UNIQUE{nulls} ({key}){included}");
        }
        let key: Vec<_> =
            self.key.iter().map(|(column, descends)| format!("{}{}", PgIdent(column), if *descends { " DESC" } else { "" })).collect();
        let unique = if self.unique { "UNIQUE " } else { "" };
        let predicate = self.predicate.as_ref().map(|predicate| format!(" WHERE {predicate}")).unwrap_or_default();
        format!("CREATE {unique}INDEX {name} ON {target} ({}){included}{nulls}{predicate}", key.join(", "))
    }

    async fn build(&self, transaction: &Transaction<'_>, target: &TargetTable, nulls_not_distinct: bool) -> Result<()> {
        let taken = relation_exists(transaction, &target.schema, &self.name).await?;
        let name = if taken { &self.other_name } else { &self.name };
        let sql = self.statement(target, name, nulls_not_distinct);
        transaction.batch_execute(&sql).await.map_err(|error| {
            let columns: Vec<_> = self.key.iter().map(|(column, _)| column.as_str()).collect();
            let failed = target_error(&format!("build the index {name} ({}) of {target}", columns.join(", ")), error);
            let kind = match failed.kind() {
                ErrorKind::TargetWrite => ErrorKind::TargetSchema,
                kind => kind,
            };
            SyncError::new(kind, failed.sentence().to_owned())
                .with_remedy("Set \"create_indexes\": false for the table, and build the indexes that it needs by hand")
                .with_cause(failed)
        })
    }
}

fn is_integer(pg_type: &PgType) -> bool {
    matches!(pg_type, PgType::Int2 | PgType::Int4 | PgType::Int8)
}

/// As PostgreSQL would name it; each part is cut where all of it is too long.
fn sequence_name(table: &str, column: &str) -> String {
    let cut = |part: &str| {
        part.chars()
            .scan(0, |bytes, c| {
                *bytes += c.len_utf8();
                (*bytes <= 29).then_some(c)
            })
            .collect::<String>()
    };
    let whole = format!("{table}_{column}_seq");
    if whole.len() <= IDENTIFIER_BYTES_MAX { whole } else { format!("{}_{}_seq", cut(table), cut(column)) }
}

/// The primary key of a table that was just filled.
pub(super) fn add_primary_key(target: &TargetTable, key: &[String]) -> String {
    format!("ALTER TABLE {target} ADD PRIMARY KEY ({})", quoted_list("", key.iter().map(String::as_str)))
}

/// A text as a literal, whatever `standard_conforming_strings` says.
pub(super) fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''").replace('\0', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, pg_type: PgType, not_null: bool) -> NewColumn {
        NewColumn { name: name.to_owned(), pg_type, not_null, default: None, identity: None, comment: None }
    }

    fn identity(pg_type: PgType, start: i64, increment: i64) -> String {
        let identity = Some(NewIdentity { start, increment, last: None });
        NewColumn { identity, ..column("id", pg_type, true) }.definition(&"t".parse().unwrap())
    }

    #[test]
    fn a_table_is_made_with_its_types_constraints_and_defaults() {
        let table = NewTable {
            columns: vec![
                column("a", PgType::Int4, true),
                NewColumn {
                    default: Some("'x'".to_owned()),
                    comment: Some("it's \\ so".to_owned()),
                    ..column("b", PgType::Varchar(Some(20)), false)
                },
            ],
            comment: Some("all".to_owned()),
            indexes: Vec::new(),
        };
        assert_eq!(
            table.statements(&"s.t".parse().unwrap(), &["a".to_owned()]),
            [
                r#"CREATE TABLE "s"."t" ("a" integer NOT NULL, "b" varchar(20) DEFAULT 'x')"#,
                r#"COMMENT ON TABLE "s"."t" IS E'all'"#,
                r#"COMMENT ON COLUMN "s"."t"."b" IS E'it''s \\ so'"#,
                r#"ALTER TABLE "s"."t" ADD PRIMARY KEY ("a")"#,
            ]
        );
    }

    #[test]
    fn an_identity_begins_where_the_source_began_and_has_room_there() {
        let cases = [
            (PgType::Int4, 1, 1, "(START WITH 1 INCREMENT BY 1)"),
            (PgType::Int8, 1000, 10, "(START WITH 1000 INCREMENT BY 10)"),
            (PgType::Int2, 0, 1, "(START WITH 0 INCREMENT BY 1 MINVALUE -32768)"),
            (PgType::Int4, -1, -1, "(START WITH -1 INCREMENT BY -1)"),
            (PgType::Int4, 100, -1, "(START WITH 100 INCREMENT BY -1 MAXVALUE 2147483647)"),
        ];
        for (pg_type, start, increment, clause) in cases {
            assert_eq!(
                identity(pg_type.clone(), start, increment),
                format!("\"id\" {pg_type} GENERATED BY DEFAULT AS IDENTITY {clause} NOT NULL")
            );
        }
    }

    #[test]
    fn an_index_keeps_its_order_and_what_it_carries() {
        let index = NewIndex {
            name: "t_ix".to_owned(),
            other_name: String::new(),
            unique: true,
            constraint: false,
            key: vec![("a".to_owned(), false), ("b".to_owned(), true)],
            nullable: true,
            included: vec!["c".to_owned()],
            predicate: Some("\"a\" IS NOT NULL".to_owned()),
        };
        let target = "t".parse().unwrap();
        assert_eq!(
            index.statement(&target, "t_ix", true),
            r#"CREATE UNIQUE INDEX "t_ix" ON "public"."t" ("a", "b" DESC) INCLUDE ("c") NULLS NOT DISTINCT WHERE "a" IS NOT NULL"#
        );
        let constraint = NewIndex { constraint: true, predicate: None, included: Vec::new(), ..index };
        assert_eq!(constraint.statement(&target, "t_ix", false), r#"ALTER TABLE "public"."t" ADD CONSTRAINT "t_ix" UNIQUE ("a", "b")"#);
    }
}
