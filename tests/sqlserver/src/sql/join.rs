//! The rows of FROM: filtered while they are read where there is one table, else joined. An equality between both sides finds its rows by hash.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::error::SqlError;
use super::expr::{Expr, Node};
use super::functions::Session;
use super::range::{key_range, split};
use super::select::{Join, Source, binder};
use crate::data::{Row, Table, place_of};
use crate::types::SqlType;
use crate::types::value::Value;
use crate::wire::decode::Parameter;

pub(super) fn joined(
    sources: &[Source],
    joins: &[Join],
    filter: Option<&Expr>,
    session: &Session,
    parameters: &[Parameter],
) -> Result<Vec<Row>, SqlError> {
    let (Some(first), true) = (sources.first(), sources.len() > 1) else {
        return sources.first().map_or_else(|| constant(filter), |only| filtered(&only.table, filter.cloned()));
    };
    let mut rows: Vec<Row> = filtered(&first.table, None)?;
    for (at, (outer, on)) in joins.iter().enumerate() {
        let on = on.as_ref().map(|on| binder(session, parameters, &sources[..at + 2]).bind(on)).transpose()?;
        rows = join(rows, &sources[at + 1].table, *outer, on.as_ref())?;
    }
    kept(rows, filter)
}

/// The one row of a query without FROM.
fn constant(filter: Option<&Expr>) -> Result<Vec<Row>, SqlError> {
    kept(vec![Vec::new()], filter)
}

fn kept(rows: Vec<Row>, filter: Option<&Expr>) -> Result<Vec<Row>, SqlError> {
    let mut kept = Vec::new();
    for row in rows {
        if passes(filter, &row)? {
            kept.push(row);
        }
    }
    Ok(kept)
}

fn passes(filter: Option<&Expr>, row: &[Value]) -> Result<bool, SqlError> {
    filter.map_or(Ok(true), |filter| Ok(filter.truth(row)? == Some(true)))
}

/// The rows of one table that a filter lets pass. Of the others no more is computed than the filter asks for.
fn filtered(table: &Table, filter: Option<Expr>) -> Result<Vec<Row>, SqlError> {
    let (range, filter) = key_range(table, filter)?;
    let mut read = Vec::new();
    filter.iter().for_each(|filter| filter.columns(&mut read));
    read.sort_unstable();
    read.dedup();
    let mut probe = vec![Value::Null; table.columns.len()];
    let mut rows = Vec::new();
    for at in range {
        for &column in &read {
            probe[column] = table.rows.value(at, column);
        }
        if passes(filter.as_ref(), &probe)? {
            rows.push(table.rows.row(at));
        }
    }
    Ok(rows)
}

fn join(rows: Vec<Row>, right: &Table, outer: bool, on: Option<&Expr>) -> Result<Vec<Row>, SqlError> {
    let equality = on.and_then(|on| equality(on, rows.first().map_or(0, Vec::len)));
    let (others, found) = match &equality {
        Some((ours, theirs)) => partners(&rows, right, ours, theirs)?,
        None => {
            let others = filtered(right, None)?;
            let all: Vec<usize> = (0..others.len()).collect();
            (others, vec![all; rows.len()])
        }
    };
    let mut joined = Vec::new();
    for (left, found) in rows.into_iter().zip(found) {
        let before = joined.len();
        for at in found {
            let both: Row = left.iter().chain(&others[at]).cloned().collect();
            if passes(on, &both)? {
                joined.push(both);
            }
        }
        if outer && joined.len() == before {
            joined.push(left.into_iter().chain(right.columns.iter().map(|_| Value::Null)).collect());
        }
    }
    Ok(joined)
}

/// The right rows that some left row's side equals, and for each left row which of them. Of the others only what is compared is computed.
fn partners(rows: &[Row], right: &Table, ours: &Expr, theirs: &Expr) -> Result<(Vec<Row>, Vec<Vec<usize>>), SqlError> {
    let mut wanted: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, row) in rows.iter().enumerate() {
        if let Some(place) = place(ours, row)? {
            wanted.entry(place).or_default().push(at);
        }
    }
    let width = rows.first().map_or(0, Vec::len);
    let mut read = Vec::new();
    theirs.columns(&mut read);
    let mut probe = vec![Value::Null; width + right.columns.len()];
    let (mut others, mut found) = (Vec::new(), vec![Vec::new(); rows.len()]);
    for at in 0..right.rows.len() {
        for &column in &read {
            probe[column] = right.rows.value(at, column - width);
        }
        if let Some(lefts) = place(theirs, &probe)?.and_then(|place| wanted.get(&place)) {
            lefts.iter().for_each(|&left| found[left].push(others.len()));
            others.push(right.rows.row(at));
        }
    }
    Ok((others, found))
}

/// An equality that every joined pair must meet, its left side read from the left rows alone and its right side from the right ones.
fn equality(on: &Expr, width: usize) -> Option<(Expr, Expr)> {
    let mut conjuncts = Vec::new();
    split(on.clone(), &mut conjuncts);
    conjuncts.into_iter().find_map(|conjunct| {
        let Node::Compare(accepts, one, other) = conjunct.node else { return None };
        // Values of sql_variant are equal across types.
        let equal = one.kind.ty != SqlType::Variant && accepts(Ordering::Equal) && !accepts(Ordering::Less) && !accepts(Ordering::Greater);
        let reads = |side: &Expr, is_left: bool| {
            let mut read = Vec::new();
            side.columns(&mut read);
            !read.is_empty() && read.iter().all(|at| (*at < width) == is_left)
        };
        match () {
            () if equal && reads(&one, true) && reads(&other, false) => Some((*one, *other)),
            () if equal && reads(&other, true) && reads(&one, false) => Some((*other, *one)),
            () => None,
        }
    })
}

/// A side's value as text in which equal values are equal; none for NULL, which equals nothing.
fn place(side: &Expr, row: &[Value]) -> Result<Option<String>, SqlError> {
    let value = side.eval(row)?;
    Ok((!value.is_null()).then(|| place_of(&value, side.kind.collation)))
}
