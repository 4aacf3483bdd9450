//! Bound expressions: every column found, every type known.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::error::SqlError;
use crate::types::SqlType;
use crate::types::cast::{Conversion, cast, rescale};
use crate::types::collation::{self, Collation};
use crate::types::compare::compare;
use crate::types::value::Value;

/// What is known about an expression before it is computed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) ty: SqlType,
    pub(crate) collation: &'static Collation,
    pub(crate) nullable: bool,
    pub(crate) identity: bool,
}

impl Kind {
    pub(crate) fn of(ty: SqlType) -> Kind {
        Kind { ty, collation: collation::DEFAULT, nullable: true, identity: false }
    }
}

/// A function of values already computed.
pub(crate) type Apply = Arc<dyn Fn(&[Value]) -> Result<Value, SqlError> + Send + Sync>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

/// An expression over a row.
#[derive(Clone)]
pub(crate) enum Node {
    Column(usize),
    Constant(Value),
    Cast(Box<Expr>, Conversion, bool),
    Arithmetic(Operator, Box<Expr>, Box<Expr>),
    Compare(fn(Ordering) -> bool, Box<Expr>, Box<Expr>),
    Like(Box<Expr>, Box<Expr>, Option<char>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    IsNull(Box<Expr>),
    Case(Vec<(Expr, Expr)>, Option<Box<Expr>>),
    Coalesce(Vec<Expr>),
    Call(Apply, Vec<Expr>),
}

#[derive(Clone)]
pub(crate) struct Expr {
    pub(crate) node: Node,
    pub(crate) kind: Kind,
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an expression of type {}", self.kind.ty)
    }
}

impl Expr {
    pub(crate) fn constant(value: Value, ty: SqlType) -> Expr {
        let kind = Kind { nullable: value.is_null(), ..Kind::of(ty) };
        Expr { node: Node::Constant(value), kind }
    }

    /// The same value in another type; a constant is converted at once.
    pub(crate) fn into_type(self, ty: SqlType) -> Result<Expr, SqlError> {
        if self.kind.ty == ty {
            return Ok(self);
        }
        let how =
            Conversion { from: self.kind.ty, from_collation: self.kind.collation, to: ty, to_collation: self.kind.collation, style: None };
        let kind = Kind { ty, identity: false, ..self.kind };
        if let Node::Constant(value) = &self.node {
            return Ok(Expr { node: Node::Constant(cast(value, &how)?), kind });
        }
        Ok(Expr { node: Node::Cast(Box::new(self), how, false), kind })
    }

    /// As [`Expr::into_type`]; text also in this collation's code page.
    pub(crate) fn into_collated(self, ty: SqlType, to_collation: &'static Collation) -> Result<Expr, SqlError> {
        let mut expr = if ty.is_narrow() && self.kind.ty.is_narrow() && self.kind.collation.code_page != to_collation.code_page {
            let how = Conversion { from: self.kind.ty, from_collation: self.kind.collation, to: ty, to_collation, style: None };
            let kind = Kind { ty, identity: false, ..self.kind };
            Expr { node: Node::Cast(Box::new(self), how, false), kind }
        } else {
            self.into_type(ty)?
        };
        expr.kind.collation = to_collation;
        Ok(expr)
    }

    /// Whether it depends on a row.
    pub(crate) fn reads_column(&self) -> bool {
        let mut read = Vec::new();
        self.columns(&mut read);
        !read.is_empty()
    }

    pub(crate) fn eval(&self, row: &[Value]) -> Result<Value, SqlError> {
        match &self.node {
            Node::Column(at) => Ok(row.get(*at).cloned().unwrap_or(Value::Null)),
            Node::Constant(value) => Ok(value.clone()),
            Node::Cast(inner, how, is_try) => match cast(&inner.eval(row)?, how) {
                Err(_) if *is_try => Ok(Value::Null),
                other => other,
            },
            Node::Arithmetic(operator, left, right) => arithmetic(*operator, &left.eval(row)?, &right.eval(row)?, self.kind),
            Node::Coalesce(items) => {
                for item in items {
                    let value = item.eval(row)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                Ok(Value::Null)
            }
            Node::Case(branches, otherwise) => {
                for (condition, result) in branches {
                    if condition.truth(row)? == Some(true) {
                        return result.eval(row);
                    }
                }
                otherwise.as_ref().map_or(Ok(Value::Null), |otherwise| otherwise.eval(row))
            }
            Node::Call(apply, arguments) => {
                let values = arguments.iter().map(|argument| argument.eval(row)).collect::<Result<Vec<_>, _>>()?;
                apply(&values)
            }
            _ => Ok(self.truth(row)?.map_or(Value::Null, Value::Bit)),
        }
    }

    /// Three-valued truth: `None` is unknown.
    pub(crate) fn truth(&self, row: &[Value]) -> Result<Option<bool>, SqlError> {
        Ok(match &self.node {
            Node::And(left, right) => match (left.truth(row)?, right.truth(row)?) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Node::Or(left, right) => match (left.truth(row)?, right.truth(row)?) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Node::Not(inner) => inner.truth(row)?.map(|truth| !truth),
            Node::IsNull(inner) => Some(inner.eval(row)?.is_null()),
            Node::Compare(accepts, left, right) => {
                let (a, b) = (left.eval(row)?, right.eval(row)?);
                (!a.is_null() && !b.is_null()).then(|| accepts(compare(&a, &b, left.kind.collation)))
            }
            Node::Like(text, pattern, escape) => match (text.eval(row)?, pattern.eval(row)?) {
                (Value::Wide(text), Value::Wide(pattern)) => {
                    let text: Vec<char> = String::from_utf16_lossy(&text).to_lowercase().chars().collect();
                    let pattern: Vec<char> = String::from_utf16_lossy(&pattern).to_lowercase().chars().collect();
                    Some(like(&text, &pattern, *escape))
                }
                _ => None,
            },
            _ => match self.eval(row)? {
                Value::Bit(bit) => Some(bit),
                _ => None,
            },
        })
    }

    /// The columns it reads.
    pub(crate) fn columns(&self, into: &mut Vec<usize>) {
        match &self.node {
            Node::Column(at) => into.push(*at),
            Node::Constant(_) => {}
            Node::Cast(inner, ..) | Node::Not(inner) | Node::IsNull(inner) => inner.columns(into),
            Node::Arithmetic(_, left, right)
            | Node::Compare(_, left, right)
            | Node::Like(left, right, _)
            | Node::And(left, right)
            | Node::Or(left, right) => {
                left.columns(into);
                right.columns(into);
            }
            Node::Case(branches, otherwise) => {
                branches.iter().for_each(|(condition, result)| {
                    condition.columns(into);
                    result.columns(into);
                });
                otherwise.iter().for_each(|otherwise| otherwise.columns(into));
            }
            Node::Coalesce(items) | Node::Call(_, items) => {
                items.iter().for_each(|item| item.columns(into));
            }
        }
    }
}

fn arithmetic(operator: Operator, left: &Value, right: &Value, kind: Kind) -> Result<Value, SqlError> {
    let zero = || SqlError::new(8134, 16, "Divide by zero error encountered.");
    let overflow = || SqlError::overflow(kind.ty.name());
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => {
            if *b == 0 && matches!(operator, Operator::Divide | Operator::Modulo) {
                return Err(zero());
            }
            let result = match operator {
                Operator::Add => a.checked_add(*b),
                Operator::Subtract => a.checked_sub(*b),
                Operator::Multiply => a.checked_mul(*b),
                Operator::Divide => a.checked_div(*b),
                Operator::Modulo => a.checked_rem(*b),
            };
            let fits = |n: &i64| crate::types::parse::fits((*n).into(), kind.ty);
            result.filter(fits).map(Value::Int).ok_or_else(overflow)
        }
        (Value::Float(a), Value::Float(b)) => Ok(Value::Float(match operator {
            Operator::Add => a + b,
            Operator::Subtract => a - b,
            Operator::Multiply => a * b,
            Operator::Divide if *b == 0.0 => return Err(zero()),
            Operator::Divide => a / b,
            Operator::Modulo => a % b,
        })),
        (Value::Decimal(a, s), Value::Decimal(b, t)) => {
            let (_, _, scale) = kind.ty.sizes();
            let aligned = (rescale(*a, *s, scale).ok_or_else(overflow)?, rescale(*b, *t, scale).ok_or_else(overflow)?);
            let unit = 10i128.pow(u32::from(scale));
            let result = match operator {
                Operator::Add => aligned.0.checked_add(aligned.1),
                Operator::Subtract => aligned.0.checked_sub(aligned.1),
                Operator::Multiply => aligned.0.checked_mul(aligned.1).map(|product| product / unit),
                Operator::Divide | Operator::Modulo if aligned.1 == 0 => return Err(zero()),
                Operator::Divide => aligned.0.checked_mul(unit).map(|scaled| scaled / aligned.1),
                Operator::Modulo => Some(aligned.0 % aligned.1),
            };
            result.map(|number| Value::Decimal(number, scale)).ok_or_else(overflow)
        }
        (Value::Wide(a), Value::Wide(b)) if operator == Operator::Add => Ok(Value::Wide([a.as_slice(), b].concat())),
        (Value::Narrow(a), Value::Narrow(b)) if operator == Operator::Add => Ok(Value::Narrow([a.as_slice(), b].concat())),
        (Value::Binary(a), Value::Binary(b)) if operator == Operator::Add => Ok(Value::Binary([a.as_slice(), b].concat())),
        _ => Ok(Value::Null),
    }
}

fn like(text: &[char], pattern: &[char], escape: Option<char>) -> bool {
    match pattern {
        [] => text.is_empty(),
        [first, second, rest @ ..] if Some(*first) == escape => text.first() == Some(second) && like(&text[1..], rest, escape),
        ['%', rest @ ..] => (0..=text.len()).any(|at| like(&text[at..], rest, escape)),
        ['_', rest @ ..] => !text.is_empty() && like(&text[1..], rest, escape),
        ['[', inner @ ..] if inner.contains(&']') => {
            let end = inner.iter().position(|c| *c == ']').unwrap_or(0);
            let (negated, set) = match &inner[..end] {
                ['^', set @ ..] => (true, set),
                set => (false, set),
            };
            let Some(c) = text.first() else { return false };
            let ranged = set.windows(3).any(|w| w[1] == '-' && w[0] <= *c && *c <= w[2]);
            (ranged || set.contains(c)) != negated && like(&text[1..], &inner[end + 1..], escape)
        }
        [first, rest @ ..] => text.first() == Some(first) && like(&text[1..], rest, escape),
    }
}
