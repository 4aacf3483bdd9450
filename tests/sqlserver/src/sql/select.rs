//! SELECT: from the parsed query to a stream of rows.
//!
//! One table without ORDER BY (or ordered by its clustered key) streams: rows
//! are computed as they are sent. Everything else is small and is collected.

use std::ops::Range;
use std::sync::Arc;

use sqlparser::ast::{
    Distinct, Expr as Ast, GroupByExpr, JoinConstraint, JoinOperator, LimitClause, ObjectName, OrderByKind, Query as Parsed, Select,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableFactor, TopQuantity,
};

use super::bind::{Binder, Visible};
use super::changes;
use super::collect::{grouped, sort, totals};
use super::error::SqlError;
use super::expr::{Expr, Kind, Node};
use super::functions::Session;
use super::join::joined;
use super::range::{follows_key, key_range};
use super::refuse;
use super::settle::UNTYPED;
use crate::data::{Row, Table};
use crate::faults::Faults;
use crate::types::SqlType;
use crate::types::value::Value;
use crate::wire::decode::Parameter;
use crate::wire::encode::ResultColumn;

/// A query, ready to run.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) columns: Vec<ResultColumn>,
    pub(crate) rows: Output,
}

/// Where the rows of a result come from.
#[derive(Debug)]
pub(crate) enum Output {
    /// With the faults of the table they come from, where it is one.
    Ready(Vec<Row>, Option<Arc<Faults>>),
    Scan(Scan),
}

/// Rows of one table, filtered and projected while they are sent.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) table: Arc<Table>,
    pub(crate) range: Range<u64>,
    pub(crate) filter: Option<Expr>,
    pub(crate) projection: Vec<Expr>,
    pub(crate) limit: u64,
}

/// Whether a join is outer, and its condition.
pub(super) type Join = (bool, Option<Ast>);

/// A table of FROM and the name it goes by there.
pub(super) struct Source {
    alias: String,
    pub(super) table: Arc<Table>,
}

/// Plans a query; what it names must exist.
pub(crate) fn plan(parsed: &Parsed, session: &Session, parameters: &[Parameter]) -> Result<Query, SqlError> {
    let SetExpr::Select(select) = parsed.body.as_ref() else {
        return Err(SqlError::syntax(&parsed.body.to_string()));
    };
    refuse::query(parsed, select)?;
    let (sources, joins) = sources(select, session, parameters)?;
    let mut binder = binder(session, parameters, &sources);
    let filter = select.selection.as_ref().map(|filter| binder.bind(filter)).transpose()?;
    if let GroupByExpr::Expressions(groups, _) = &select.group_by {
        for group in groups {
            let bound = binder.bind(group)?;
            binder.groups.push((group.clone(), bound));
        }
        binder.grouping = !groups.is_empty();
    }
    binder.bare = None;
    let (names, mut projection) = project(select, &mut binder)?;
    let order = order(parsed, &names, &projection, &mut binder)?;
    if let Some(bare) = binder.bare.take().filter(|_| !binder.groups.is_empty() || !binder.aggregates.is_empty()) {
        let message = format!(
            "Column '{bare}' is invalid in the select list because it is not contained in either an aggregate function or the GROUP BY clause."
        );
        return Err(SqlError::new(8120, 16, message));
    }
    let (skip, limit) = page(parsed, select, &mut binder)?;
    let columns = names.into_iter().zip(&projection).map(|(name, expr)| described(name, expr.kind)).collect();
    let distinct = matches!(select.distinct, Some(Distinct::Distinct));
    let groups: Vec<Expr> = binder.groups.iter().map(|(_, group)| group.clone()).collect();
    let aggregates = std::mem::take(&mut binder.aggregates);
    let plain = groups.is_empty() && aggregates.is_empty() && !distinct;
    if let ([source], true) = (sources.as_slice(), plain && joins.is_empty() && skip == 0)
        && follows_key(&order, &source.table)
    {
        let (range, filter) = key_range(&source.table, filter)?;
        let scan = Scan { table: Arc::clone(&source.table), range, filter, projection, limit };
        return Ok(Query { columns, rows: Output::Scan(scan) });
    }
    let mut rows = match sources.as_slice() {
        [source] if groups.is_empty() && !aggregates.is_empty() => vec![totals(&source.table, filter, &aggregates)?],
        _ => {
            let rows = joined(&sources, &joins, filter.as_ref(), session, parameters)?;
            if groups.is_empty() && aggregates.is_empty() { rows } else { grouped(rows, &groups, &aggregates)? }
        }
    };
    sort(&mut rows, &order)?;
    let mut output = Vec::new();
    for row in rows {
        let row: Row = projection.iter_mut().map(|expr| expr.eval(&row)).collect::<Result<_, _>>()?;
        if !distinct || !output.contains(&row) {
            output.push(row);
        }
    }
    let mut output: Vec<Row> = output.into_iter().skip(skip as usize).collect();
    output.truncate(limit as usize);
    let faults = sources.first().filter(|_| plain).map(|source| Arc::clone(&source.table.faults));
    Ok(Query { columns, rows: Output::Ready(output, faults) })
}

pub(super) fn binder<'a>(session: &'a Session, parameters: &'a [Parameter], sources: &[Source]) -> Binder<'a> {
    let visible = sources.iter().flat_map(|source| {
        source.table.columns.iter().map(|column| Visible {
            table: source.alias.clone(),
            name: column.name.clone(),
            kind: Kind { ty: column.ty, collation: column.collation, nullable: column.nullable, identity: column.identity },
            hidden: column.hidden,
        })
    });
    Binder { session, parameters, visible: visible.collect(), groups: Vec::new(), aggregates: Vec::new(), grouping: false, bare: None }
}

fn described(name: String, kind: Kind) -> ResultColumn {
    ResultColumn { name, ty: kind.ty, collation: kind.collation, nullable: kind.nullable, identity: kind.identity }
}

/// The tables of FROM, and for each one after the first its join: whether outer, and the condition.
fn sources(select: &Select, session: &Session, parameters: &[Parameter]) -> Result<(Vec<Source>, Vec<Join>), SqlError> {
    let (mut sources, mut joins) = (Vec::new(), Vec::new());
    for from in &select.from {
        if !sources.is_empty() {
            joins.push((false, None));
        }
        sources.push(source(&from.relation, session, parameters)?);
        for join in &from.joins {
            let (outer, constraint) = match &join.join_operator {
                JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) | JoinOperator::CrossJoin(constraint) => {
                    (false, constraint)
                }
                JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => (true, constraint),
                _ => return Err(SqlError::syntax("JOIN")),
            };
            let on = match constraint {
                JoinConstraint::On(on) => Some(on.clone()),
                JoinConstraint::None if matches!(join.join_operator, JoinOperator::CrossJoin(_)) => None,
                _ => return Err(SqlError::syntax("JOIN")),
            };
            sources.push(source(&join.relation, session, parameters)?);
            joins.push((outer, on));
        }
    }
    Ok((sources, joins))
}

fn source(factor: &TableFactor, session: &Session, parameters: &[Parameter]) -> Result<Source, SqlError> {
    refuse::table(factor)?;
    let TableFactor::Table { name, alias, args, .. } = factor else {
        return Err(SqlError::syntax(&factor.to_string()));
    };
    if let Some(arguments) = args {
        let alias = alias.as_ref().map(|alias| alias.name.value.clone());
        let alias = alias.ok_or_else(|| SqlError::new(22104, 16, "A table returned by the CHANGETABLE function must be aliased."))?;
        return Ok(Source { alias, table: Arc::new(changes::rows(arguments, session, parameters)?) });
    }
    let table = table(name, session)?;
    let alias = alias.as_ref().map_or_else(|| table.name.clone(), |alias| alias.name.value.clone());
    Ok(Source { alias, table })
}

/// Finds a table or a catalogue view by a name of one to three parts.
pub(super) fn table(name: &ObjectName, session: &Session) -> Result<Arc<Table>, SqlError> {
    let parts: Vec<&str> = name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.as_str()).collect();
    let shown = parts.join(".");
    let (database, schema, table) = match parts.as_slice() {
        [table] => (session.database.as_str(), "dbo", *table),
        [schema, table] => (session.database.as_str(), *schema, *table),
        [database, schema, table] => (*database, if schema.is_empty() { "dbo" } else { *schema }, *table),
        _ => return Err(SqlError::unknown_object(&shown)),
    };
    let home = session.world.database(database).ok_or_else(|| SqlError::unknown_object(&shown))?;
    session.account.enter(&home.name)?;
    session.may_select(&home.name, schema, table)?;
    if let Some(view) = crate::catalog::view(&session.world, home, schema, table) {
        return Ok(Arc::new(view));
    }
    let live = home.table(schema, table).ok_or_else(|| SqlError::unknown_object(&shown))?;
    let seen = session.rows.database(database).and_then(|home| home.tables.iter().find(|table| table.object_id == live.object_id));
    match seen {
        Some(seen) if seen.is_like(live) => Ok(Arc::clone(seen)),
        _ => Err(SqlError::changed_under_snapshot(&home.name)),
    }
}

fn project(select: &Select, binder: &mut Binder<'_>) -> Result<(Vec<String>, Vec<Expr>), SqlError> {
    let (mut names, mut bound) = (Vec::new(), Vec::new());
    for item in &select.projection {
        let (name, ast) = match item {
            SelectItem::UnnamedExpr(Ast::BinaryOp { left, op: sqlparser::ast::BinaryOperator::Eq, right }) => match left.as_ref() {
                Ast::Identifier(alias) => (alias.value.clone(), right.as_ref()),
                _ => return Err(SqlError::syntax("=")),
            },
            SelectItem::UnnamedExpr(ast) => (plain_name(ast), ast),
            SelectItem::ExprWithAlias { expr, alias } => (alias.value.clone(), expr),
            SelectItem::Wildcard(options) => {
                refuse::star(options)?;
                star(None, binder, &mut names, &mut bound);
                continue;
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(table), options) => {
                refuse::star(options)?;
                let table = table.0.last().and_then(|part| part.as_ident()).map(|ident| ident.value.clone());
                star(table.as_deref(), binder, &mut names, &mut bound);
                continue;
            }
            other => return Err(SqlError::syntax(&other.to_string())),
        };
        names.push(name);
        let mut expr = binder.bind(ast)?;
        // A NULL that nothing gave a type is an int in a result.
        if matches!(expr.node, Node::Constant(Value::Null)) && expr.kind.ty == UNTYPED {
            expr.kind.ty = SqlType::Int;
        }
        bound.push(expr);
    }
    Ok((names, bound))
}

fn plain_name(ast: &Ast) -> String {
    match ast {
        Ast::Identifier(name) if !name.value.starts_with('@') => name.value.clone(),
        Ast::CompoundIdentifier(parts) => parts.last().map(|name| name.value.clone()).unwrap_or_default(),
        _ => String::new(),
    }
}

fn star(table: Option<&str>, binder: &Binder<'_>, names: &mut Vec<String>, bound: &mut Vec<Expr>) {
    for (at, column) in binder.visible.iter().enumerate() {
        if !column.hidden && table.is_none_or(|table| table.eq_ignore_ascii_case(&column.table)) {
            names.push(column.name.clone());
            bound.push(Expr { node: Node::Column(at), kind: column.kind });
        }
    }
}

/// The ORDER BY: expressions and whether descending.
fn order(parsed: &Parsed, names: &[String], projection: &[Expr], binder: &mut Binder<'_>) -> Result<Vec<(Expr, bool)>, SqlError> {
    let Some(OrderByKind::Expressions(items)) = parsed.order_by.as_ref().map(|order| &order.kind) else {
        return Ok(Vec::new());
    };
    let mut bound = Vec::new();
    for item in items {
        let alias = match &item.expr {
            Ast::Identifier(name) => names.iter().position(|known| known.eq_ignore_ascii_case(&name.value)),
            Ast::Value(value) => match &value.value {
                sqlparser::ast::Value::Number(text, _) => text.parse::<usize>().ok().map(|ordinal| ordinal.wrapping_sub(1)),
                _ => None,
            },
            _ => None,
        };
        let expr = match alias.and_then(|at| projection.get(at)) {
            Some(expr) => expr.clone(),
            None => binder.bind(&item.expr)?,
        };
        let column = |expr: &Expr| if let Node::Column(at) = expr.node { Some(at) } else { None };
        if column(&expr).is_some() && bound.iter().any(|(other, _)| column(other) == column(&expr)) {
            let twice = "A column has been specified more than once in the order by list. Columns in the order by list must be unique.";
            return Err(SqlError::new(169, 15, twice));
        }
        bound.push((expr, item.options.asc == Some(false)));
    }
    Ok(bound)
}

/// How many rows are left out, and how many come after them: by TOP, or by OFFSET and FETCH.
fn page(parsed: &Parsed, select: &Select, binder: &mut Binder<'_>) -> Result<(u64, u64), SqlError> {
    let limit = limit(select, binder)?;
    let Some(LimitClause::LimitOffset { limit: None, offset: Some(offset), limit_by }) = &parsed.limit_clause else {
        return Ok((0, limit));
    };
    if !limit_by.is_empty() || parsed.order_by.is_none() {
        return Err(SqlError::syntax("OFFSET"));
    }
    if select.top.is_some() {
        return Err(SqlError::new(10741, 15, "A TOP can not be used in the same query or sub-query as a OFFSET."));
    }
    let skip = count(&offset.value, binder, 10742, "The offset specified in a OFFSET clause may not be negative.")?;
    let rows = match parsed.fetch.as_ref().and_then(|fetch| fetch.quantity.as_ref()) {
        None => u64::MAX,
        Some(rows) => match count(rows, binder, 10744, "The number of rows provided for a FETCH clause must be greater then zero.")? {
            0 => return Err(SqlError::new(10744, 15, "The number of rows provided for a FETCH clause must be greater then zero.")),
            rows => rows,
        },
    };
    Ok((skip, rows))
}

fn count(rows: &Ast, binder: &mut Binder<'_>, number: i32, negative: &str) -> Result<u64, SqlError> {
    match binder.bind(rows)?.eval(&[])? {
        Value::Int(rows) => u64::try_from(rows).map_err(|_| SqlError::new(number, 15, negative)),
        _ => Err(SqlError::new(10743, 15, "The number of rows provided for a OFFSET clause must be an integer.")),
    }
}

fn limit(select: &Select, binder: &mut Binder<'_>) -> Result<u64, SqlError> {
    match select.top.as_ref().and_then(|top| top.quantity.as_ref()) {
        None => Ok(u64::MAX),
        Some(TopQuantity::Constant(rows)) => Ok(*rows),
        Some(TopQuantity::Expr(expr)) => match binder.bind(expr)?.eval(&[])? {
            Value::Int(rows) if rows >= 0 => Ok(rows as u64),
            _ => Err(SqlError::new(
                1060,
                15,
                "The number of rows provided for a TOP or FETCH clauses row count parameter must be an integer.",
            )),
        },
    }
}
