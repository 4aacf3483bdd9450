//! Results that are collected before they are sent: joins, groups, sorted rows. All of them are small.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::bind::Aggregate;
use super::error::SqlError;
use super::expr::Expr;
use super::functions::Session;
use super::select::{Join, Source, binder};
use crate::data::Row;
use crate::types::compare::compare;
use crate::types::value::Value;
use crate::wire::decode::Parameter;

pub(super) fn joined(
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

pub(super) fn grouped(rows: Vec<Row>, groups: &[Expr], aggregates: &[Aggregate]) -> Result<Vec<Row>, SqlError> {
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

pub(super) fn sort(rows: &mut Vec<Row>, order: &[(Expr, bool)]) -> Result<(), SqlError> {
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
