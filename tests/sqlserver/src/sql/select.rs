//! SELECT: from the parsed query to a stream of rows.
//!
//! One table without ORDER BY (or ordered by its clustered key) streams: rows
//! are computed as they are sent. Everything else is small and is collected.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use sqlparser::ast::{
    Distinct, Expr as Ast, GroupByExpr, JoinConstraint, JoinOperator, ObjectName, OrderByKind, Query as Parsed, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableFactor, TopQuantity,
};

use super::bind::{Aggregate, Binder, UNTYPED, Visible};
use super::error::SqlError;
use super::expr::{Expr, Kind, Node};
use super::functions::Session;
use super::refuse;
use crate::data::{Row, Table};
use crate::types::SqlType;
use crate::types::compare::compare;
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
    Ready(Vec<Row>),
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
type Join = (bool, Option<Ast>);

struct Source {
    alias: String,
    table: Arc<Table>,
}

/// Plans a query; what it names must exist.
pub(crate) fn plan(parsed: &Parsed, session: &Session, parameters: &[Parameter]) -> Result<Query, SqlError> {
    let SetExpr::Select(select) = parsed.body.as_ref() else {
        return Err(SqlError::syntax(&parsed.body.to_string()));
    };
    refuse::query(parsed, select)?;
    let (sources, joins) = sources(select, session)?;
    let mut binder = binder(session, parameters, &sources);
    let filter = select.selection.as_ref().map(|filter| binder.bind(filter)).transpose()?;
    if let GroupByExpr::Expressions(groups, _) = &select.group_by {
        for group in groups {
            let bound = binder.bind(group)?;
            binder.groups.push((group.clone(), bound));
        }
        binder.grouping = !groups.is_empty();
    }
    let (names, mut projection) = project(select, &mut binder)?;
    let order = order(parsed, &names, &projection, &mut binder)?;
    let limit = limit(select, &mut binder)?;
    let columns = names.into_iter().zip(&projection).map(|(name, expr)| described(name, expr.kind)).collect();
    let distinct = matches!(select.distinct, Some(Distinct::Distinct));
    let groups: Vec<Expr> = binder.groups.iter().map(|(_, group)| group.clone()).collect();
    let aggregates = std::mem::take(&mut binder.aggregates);
    let plain = groups.is_empty() && aggregates.is_empty() && !distinct;
    if let ([source], true) = (sources.as_slice(), plain && joins.is_empty())
        && follows_key(&order, &source.table)
    {
        let (range, filter) = key_range(&source.table, filter)?;
        let scan = Scan { table: Arc::clone(&source.table), range, filter, projection, limit };
        return Ok(Query { columns, rows: Output::Scan(scan) });
    }
    let mut rows = joined(&sources, &joins, filter.as_ref(), session, parameters)?;
    if !groups.is_empty() || !aggregates.is_empty() {
        rows = grouped(rows, &groups, &aggregates)?;
    }
    sort(&mut rows, &order)?;
    let mut output = Vec::new();
    for row in rows {
        let row: Row = projection.iter_mut().map(|expr| expr.eval(&row)).collect::<Result<_, _>>()?;
        if !distinct || !output.contains(&row) {
            output.push(row);
        }
    }
    output.truncate(limit as usize);
    Ok(Query { columns, rows: Output::Ready(output) })
}

fn binder<'a>(session: &'a Session, parameters: &'a [Parameter], sources: &[Source]) -> Binder<'a> {
    let visible = sources.iter().flat_map(|source| {
        source.table.columns.iter().map(|column| Visible {
            table: source.alias.clone(),
            name: column.name.clone(),
            kind: Kind { ty: column.ty, collation: column.collation, nullable: column.nullable, identity: column.identity },
        })
    });
    Binder { session, parameters, visible: visible.collect(), groups: Vec::new(), aggregates: Vec::new(), grouping: false }
}

fn described(name: String, kind: Kind) -> ResultColumn {
    ResultColumn { name, ty: kind.ty, collation: kind.collation, nullable: kind.nullable, identity: kind.identity }
}

/// The tables of FROM, and for each one after the first its join: whether outer, and the condition.
fn sources(select: &Select, session: &Session) -> Result<(Vec<Source>, Vec<Join>), SqlError> {
    let (mut sources, mut joins) = (Vec::new(), Vec::new());
    for from in &select.from {
        if !sources.is_empty() {
            joins.push((false, None));
        }
        sources.push(source(&from.relation, session)?);
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
            sources.push(source(&join.relation, session)?);
            joins.push((outer, on));
        }
    }
    Ok((sources, joins))
}

fn source(factor: &TableFactor, session: &Session) -> Result<Source, SqlError> {
    refuse::table(factor)?;
    let TableFactor::Table { name, alias, .. } = factor else {
        return Err(SqlError::syntax(&factor.to_string()));
    };
    let table = table(name, session)?;
    let alias = alias.as_ref().map_or_else(|| table.name.clone(), |alias| alias.name.value.clone());
    Ok(Source { alias, table })
}

/// Finds a table or a catalogue view by a name of one to three parts.
fn table(name: &ObjectName, session: &Session) -> Result<Arc<Table>, SqlError> {
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
    if let Some(view) = crate::catalog::view(&session.world, home, schema, table) {
        return Ok(Arc::new(view));
    }
    home.table(schema, table).cloned().ok_or_else(|| SqlError::unknown_object(&shown))
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
        if table.is_none_or(|table| table.eq_ignore_ascii_case(&column.table)) {
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
        bound.push((expr, item.options.asc == Some(false)));
    }
    Ok(bound)
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

/// Whether the rows come in this order as they lie.
fn follows_key(order: &[(Expr, bool)], table: &Table) -> bool {
    order.len() <= table.key.len()
        && order.iter().zip(&table.key).all(|((expr, descending), key)| matches!(expr.node, Node::Column(at) if at == *key) && !descending)
}

/// Takes comparisons of the first key column with constants out of the filter: a range of rows, found by bisection.
fn key_range(table: &Table, filter: Option<Expr>) -> Result<(Range<u64>, Option<Expr>), SqlError> {
    let mut range = 0..table.rows.len();
    let (Some(filter), Some(&key)) = (filter.clone(), table.key.first()) else {
        return Ok((range, filter));
    };
    let mut conjuncts = Vec::new();
    split(filter, &mut conjuncts);
    let mut rest = Vec::new();
    let mut probe = vec![Value::Null; table.columns.len()];
    for conjunct in conjuncts {
        match key_comparison(&conjunct, key) {
            Some(bounds) => {
                for (first_true, bound) in bounds {
                    let (mut low, mut high) = (range.start, range.end);
                    while low < high {
                        let middle = low + (high - low) / 2;
                        probe[key] = table.rows.value(middle, key);
                        if (bound.truth(&probe)? == Some(true)) == first_true {
                            high = middle;
                        } else {
                            low = middle + 1;
                        }
                    }
                    if first_true {
                        range.start = low;
                    } else {
                        range.end = low;
                    }
                }
            }
            None => rest.push(conjunct),
        }
    }
    let filter = rest.into_iter().reduce(|a, b| Expr { kind: a.kind, node: Node::And(Box::new(a), Box::new(b)) });
    Ok((range, filter))
}

fn split(expr: Expr, into: &mut Vec<Expr>) {
    match expr.node {
        Node::And(left, right) => {
            split(*left, into);
            split(*right, into);
        }
        _ => into.push(expr),
    }
}

/// A comparison of the key as one or two monotone ones: whether it becomes true along the key, and itself.
fn key_comparison(expr: &Expr, key: usize) -> Option<Vec<(bool, Expr)>> {
    let Node::Compare(accepts, left, right) = &expr.node else {
        return None;
    };
    let is_key = |side: &Expr| match &side.node {
        Node::Column(at) => *at == key,
        Node::Cast(inner, how, _) => {
            let widening = how.from.is_wide() && how.to.is_wide()
                || how.from.number_rank().is_some() && how.to.number_rank() >= how.from.number_rank();
            widening && matches!(inner.node, Node::Column(at) if at == key)
        }
        _ => false,
    };
    let constant = |side: &Expr| matches!(&side.node, Node::Constant(value) if !value.is_null());
    let on_left = is_key(left) && constant(right);
    // A constant behind a CAST is computed once here.
    let fixed = |side: &Expr| {
        let mut read = Vec::new();
        side.columns(&mut read);
        read.is_empty()
            .then(|| side.eval(&[]).ok())
            .flatten()
            .filter(|value| !value.is_null())
            .map(|value| Expr { node: Node::Constant(value), kind: side.kind })
    };
    let (column, value, on_left) = if on_left || is_key(left) {
        (left, fixed(right)?, true)
    } else if is_key(right) {
        (right, fixed(left)?, false)
    } else {
        return None;
    };
    let build = |accepts: fn(Ordering) -> bool| {
        let value = Box::new(value.clone());
        let node = if on_left { Node::Compare(accepts, column.clone(), value) } else { Node::Compare(accepts, value, column.clone()) };
        Expr { node, kind: expr.kind }
    };
    let (less, equal, greater) = (accepts(Ordering::Less), accepts(Ordering::Equal), accepts(Ordering::Greater));
    match (less, equal, greater) {
        (false, true, false) if on_left => Some(vec![(true, build(Ordering::is_ge)), (false, build(Ordering::is_le))]),
        (false, true, false) => Some(vec![(true, build(Ordering::is_le)), (false, build(Ordering::is_ge))]),
        (false, _, true) => Some(vec![(on_left, build(*accepts))]),
        (true, _, false) => Some(vec![(!on_left, build(*accepts))]),
        _ => None,
    }
}

fn joined(
    sources: &[Source],
    joins: &[Join],
    filter: Option<&Expr>,
    session: &Session,
    parameters: &[Parameter],
) -> Result<Vec<Row>, SqlError> {
    let Some(first) = sources.first() else {
        return Ok(vec![Vec::new()]);
    };
    let mut rows: Vec<Row> = (0..first.table.rows.len()).map(|at| first.table.rows.row(at)).collect();
    for (at, (outer, on)) in joins.iter().enumerate() {
        let on = on.as_ref().map(|on| binder(session, parameters, &sources[..at + 2]).bind(on)).transpose()?;
        let right = &sources[at + 1].table;
        let others: Vec<Row> = (0..right.rows.len()).map(|at| right.rows.row(at)).collect();
        let mut next = Vec::new();
        for left in rows {
            let before = next.len();
            for other in &others {
                let both: Row = left.iter().chain(other).cloned().collect();
                if on.as_ref().map_or(Ok(Some(true)), |on| on.truth(&both))? == Some(true) {
                    next.push(both);
                }
            }
            if *outer && next.len() == before {
                next.push(left.into_iter().chain(right.columns.iter().map(|_| Value::Null)).collect());
            }
        }
        rows = next;
    }
    let Some(filter) = filter else {
        return Ok(rows);
    };
    let mut kept = Vec::new();
    for row in rows {
        if filter.truth(&row)? == Some(true) {
            kept.push(row);
        }
    }
    Ok(kept)
}

fn grouped(rows: Vec<Row>, groups: &[Expr], aggregates: &[Aggregate]) -> Result<Vec<Row>, SqlError> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut collected: Vec<(Row, Vec<Row>)> = Vec::new();
    if groups.is_empty() {
        collected.push((Vec::new(), rows));
    } else {
        for row in rows {
            let key: Row = groups.iter().map(|group| group.eval(&row)).collect::<Result<_, _>>()?;
            let at = *places.entry(format!("{key:?}")).or_insert(collected.len());
            if at == collected.len() {
                collected.push((key, Vec::new()));
            }
            collected[at].1.push(row);
        }
    }
    collected
        .into_iter()
        .map(|(mut key, rows)| {
            for aggregate in aggregates {
                key.push(fold(aggregate, &rows)?);
            }
            Ok(key)
        })
        .collect()
}

fn fold(aggregate: &Aggregate, rows: &[Row]) -> Result<Value, SqlError> {
    let Some(argument) = &aggregate.argument else {
        return Ok(Value::Int(rows.len() as i64));
    };
    let mut values = Vec::new();
    for row in rows {
        let value = argument.eval(row)?;
        if !value.is_null() {
            values.push(value);
        }
    }
    let order = |a: &Value, b: &Value| compare(a, b, argument.kind.collation);
    Ok(match aggregate.name.as_str() {
        "count" | "count_big" => Value::Int(values.len() as i64),
        "min" => values.into_iter().min_by(order).unwrap_or(Value::Null),
        "max" => values.into_iter().max_by(order).unwrap_or(Value::Null),
        _ => values
            .into_iter()
            .reduce(|a, b| match (a, b) {
                (Value::Int(a), Value::Int(b)) => Value::Int(a.saturating_add(b)),
                (Value::Float(a), Value::Float(b)) => Value::Float(a + b),
                (Value::Decimal(a, s), Value::Decimal(b, _)) => Value::Decimal(a + b, s),
                (Value::Money(a), Value::Money(b)) => Value::Money(a + b),
                (a, _) => a,
            })
            .unwrap_or(Value::Null),
    })
}

fn sort(rows: &mut Vec<Row>, order: &[(Expr, bool)]) -> Result<(), SqlError> {
    if order.is_empty() {
        return Ok(());
    }
    let mut keyed: Vec<(Row, Row)> = Vec::new();
    for row in rows.drain(..) {
        let key = order.iter().map(|(expr, _)| expr.eval(&row)).collect::<Result<Row, _>>()?;
        keyed.push((key, row));
    }
    keyed.sort_by(|(a, _), (b, _)| {
        let parts = order.iter().zip(a.iter().zip(b)).map(|((expr, descending), (a, b))| {
            let order = match (a.is_null(), b.is_null()) {
                (false, false) => compare(a, b, expr.kind.collation),
                (a, b) => b.cmp(&a),
            };
            if *descending { order.reverse() } else { order }
        });
        parts.fold(Ordering::Equal, Ordering::then)
    });
    rows.extend(keyed.into_iter().map(|(_, row)| row));
    Ok(())
}
