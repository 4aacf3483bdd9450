//! Results that are collected before they are sent: groups and sorted rows. All of them are small.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::bind::Aggregate;
use super::error::SqlError;
use super::expr::{Expr, Node};
use super::range::key_range;
use crate::data::{Row, Table};
use crate::types::compare::compare;
use crate::types::value::Value;

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

/// One aggregate of the rows so far.
struct Total<'a> {
    aggregate: &'a Aggregate,
    count: i64,
    value: Option<Value>,
}

impl Total<'_> {
    fn of(aggregate: &Aggregate) -> Total<'_> {
        Total { aggregate, count: 0, value: None }
    }

    fn add(&mut self, row: &[Value]) -> Result<(), SqlError> {
        let Some(argument) = &self.aggregate.argument else {
            self.count += 1;
            return Ok(());
        };
        let value = argument.eval(row)?;
        if value.is_null() {
            return Ok(());
        }
        self.count += 1;
        let order = |other: &Value| compare(&value, other, argument.kind.collation);
        self.value = Some(match (self.aggregate.name.as_str(), self.value.take()) {
            ("count" | "count_big", _) | (_, None) => value,
            ("min", Some(least)) => {
                if order(&least).is_lt() {
                    value
                } else {
                    least
                }
            }
            ("max", Some(most)) => {
                if order(&most).is_gt() {
                    value
                } else {
                    most
                }
            }
            (_, Some(sum)) => match (sum, value) {
                (Value::Int(a), Value::Int(b)) => Value::Int(a.saturating_add(b)),
                (Value::Float(a), Value::Float(b)) => Value::Float(a + b),
                (Value::Decimal(a, s), Value::Decimal(b, _)) => Value::Decimal(a + b, s),
                (Value::Money(a), Value::Money(b)) => Value::Money(a + b),
                (a, _) => a,
            },
        });
        Ok(())
    }

    fn finish(self) -> Value {
        match self.aggregate.name.as_str() {
            "count" | "count_big" => Value::Int(self.count),
            _ => self.value.unwrap_or(Value::Null),
        }
    }
}

fn fold(aggregate: &Aggregate, rows: &[Row]) -> Result<Value, SqlError> {
    let mut total = Total::of(aggregate);
    rows.iter().try_for_each(|row| total.add(row))?;
    Ok(total.finish())
}

/// Aggregates over one table, a value at a time: of its rows only what is asked for is ever in memory.
pub(super) fn totals(table: &Table, filter: Option<Expr>, aggregates: &[Aggregate]) -> Result<Row, SqlError> {
    let (range, filter) = key_range(table, filter)?;
    let mut read = Vec::new();
    filter.iter().chain(aggregates.iter().filter_map(|aggregate| aggregate.argument.as_ref())).for_each(|expr| expr.columns(&mut read));
    read.sort_unstable();
    read.dedup();
    let mut totals: Vec<Total<'_>> = aggregates.iter().map(Total::of).collect();
    if read.is_empty() && filter.is_none() && aggregates.iter().all(|aggregate| aggregate.argument.is_none()) {
        return Ok(totals.iter().map(|_| Value::Int((range.end - range.start) as i64)).collect());
    }
    let ends = filter.is_none() && aggregates.iter().all(|aggregate| is_end_of_key(aggregate, table));
    let steps = (range.end - range.start).saturating_sub(1).max(1);
    let mut row = vec![Value::Null; table.columns.len()];
    for at in range.step_by(if ends { steps as usize } else { 1 }) {
        for &column in &read {
            row[column] = table.rows.value(at, column);
        }
        if filter.as_ref().map_or(Ok(Some(true)), |filter| filter.truth(&row))? == Some(true) {
            totals.iter_mut().try_for_each(|total| total.add(&row))?;
        }
    }
    Ok(totals.into_iter().map(Total::finish).collect())
}

/// MIN and MAX of the first key column stand at the two ends of the rows.
fn is_end_of_key(aggregate: &Aggregate, table: &Table) -> bool {
    let of_key = |expr: &Expr| match (&expr.node, table.key.first()) {
        (Node::Column(at), Some(key)) => at == key && !table.columns[*key].nullable,
        _ => false,
    };
    matches!(aggregate.name.as_str(), "min" | "max") && aggregate.argument.as_ref().is_some_and(of_key)
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
