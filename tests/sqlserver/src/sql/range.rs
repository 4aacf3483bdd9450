//! Ranges of the clustered key: which rows a filter leaves, found by bisection instead of a scan.

use std::cmp::Ordering;
use std::ops::Range;

use super::error::SqlError;
use super::expr::{Expr, Node};
use crate::data::Table;
use crate::types::SqlType;
use crate::types::value::Value;

/// Whether the rows come in this order as they lie.
pub(super) fn follows_key(order: &[(Expr, bool)], table: &Table) -> bool {
    order.len() <= table.key.len()
        && order.iter().zip(&table.key).all(|((expr, descending), key)| {
            matches!(expr.node, Node::Column(at) if at == *key) && !descending && expr.kind.collation == table.columns[*key].collation
        })
}

/// Takes comparisons of the first key column with constants out of the filter: a range of rows, found by bisection.
pub(super) fn key_range(table: &Table, filter: Option<Expr>) -> Result<(Range<u64>, Option<Expr>), SqlError> {
    let mut range = 0..table.rows.len();
    let (Some(filter), Some(&key)) = (filter.clone(), table.key.first()) else {
        return Ok((range, filter));
    };
    let mut conjuncts = Vec::new();
    split(filter, &mut conjuncts);
    let mut rest = Vec::new();
    let mut probe = vec![Value::Null; table.columns.len()];
    for conjunct in conjuncts {
        match key_comparison(&conjunct, key).filter(|_| in_key_order(&conjunct, table, key)) {
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

/// Whether a comparison sees the key in the order in which the rows lie.
fn in_key_order(comparison: &Expr, table: &Table, key: usize) -> bool {
    let column = &table.columns[key];
    !column.ty.has_collation() || matches!(&comparison.node, Node::Compare(_, left, _) if left.kind.collation == column.collation)
}

pub(super) fn split(expr: Expr, into: &mut Vec<Expr>) {
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
            // Conversions that keep the order of the values.
            let moment = |ty: SqlType| matches!(ty, SqlType::Date | SqlType::DateTime2(_) | SqlType::DateTime | SqlType::SmallDateTime);
            let widening = how.from.has_collation() && how.to.has_collation() && how.from_collation == how.to_collation
                || how.from.number_rank().is_some() && how.to.number_rank() >= how.from.number_rank()
                || moment(how.from) && matches!(how.to, SqlType::DateTime2(7))
                || matches!(
                    (how.from, how.to),
                    (SqlType::DateTimeOffset(_), SqlType::DateTimeOffset(7)) | (SqlType::Time(_), SqlType::Time(7))
                )
                || how.from.is_binary() && how.to.is_binary();
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
