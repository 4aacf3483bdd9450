//! From the parser's expressions to bound ones: names looked up, types settled.

use std::cmp::Ordering;

use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr as Ast, Function, FunctionArg, FunctionArgExpr, FunctionArguments, UnaryOperator,
};

use super::dates;
use super::error::SqlError;
use super::expr::{Expr, Kind, Node, Operator};
use super::functions::{self, Session};
use super::methods;
use super::refuse;
use super::settle::{UNTYPED, combine, common_type, comparable_type, literal};
use crate::types::cast::Conversion;
use crate::types::collation::Collation;
use crate::types::value::Value;
use crate::types::{NVARCHAR_MAX, SqlType, collation};
use crate::wire::decode::Parameter;

/// A column that an expression may name.
#[derive(Clone, Debug)]
pub(crate) struct Visible {
    pub(crate) table: String,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Whether `*` leaves it out.
    pub(crate) hidden: bool,
}

/// An aggregate found while binding the select list.
#[derive(Clone, Debug)]
pub(crate) struct Aggregate {
    pub(crate) name: String,
    pub(crate) argument: Option<Expr>,
}

/// Binds expressions over a set of visible columns.
pub(crate) struct Binder<'a> {
    pub(crate) session: &'a Session,
    pub(crate) parameters: &'a [Parameter],
    pub(crate) visible: Vec<Visible>,
    /// The GROUP BY expressions, when the query groups.
    pub(crate) groups: Vec<(Ast, Expr)>,
    pub(crate) aggregates: Vec<Aggregate>,
    pub(crate) grouping: bool,
    /// The last column named outside of groups and aggregates: an error in a query that has either.
    pub(crate) bare: Option<String>,
}

impl Binder<'_> {
    pub(crate) fn bind(&mut self, ast: &Ast) -> Result<Expr, SqlError> {
        if self.grouping
            && let Some(at) = self.groups.iter().position(|(group, _)| group == ast)
        {
            return Ok(Expr { node: Node::Column(at), kind: self.groups[at].1.kind });
        }
        match ast {
            Ast::Nested(inner) => self.bind(inner),
            Ast::Identifier(name) => self.name(None, &name.value),
            Ast::CompoundIdentifier(parts) => self.path(&parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>()),
            Ast::Value(value) => literal(&value.value, self.collation()),
            Ast::UnaryOp { op, expr } => self.unary(*op, expr),
            Ast::BinaryOp { left, op, right } => self.binary(left, op, right),
            Ast::IsNull(inner) => Ok(truth(Node::IsNull(Box::new(self.bind(inner)?)))),
            Ast::IsNotNull(inner) => Ok(negate(truth(Node::IsNull(Box::new(self.bind(inner)?))))),
            Ast::InList { expr, list, negated } => {
                let mut any = Expr::constant(Value::Bit(false), SqlType::Bit);
                for item in list {
                    let equal = self.compare(expr, Ordering::is_eq, item)?;
                    any = truth(Node::Or(Box::new(any), Box::new(equal)));
                }
                Ok(if *negated { negate(any) } else { any })
            }
            other => self.bind_wordy(other),
        }
    }

    /// The expressions that are spelled with words.
    fn bind_wordy(&mut self, ast: &Ast) -> Result<Expr, SqlError> {
        match ast {
            Ast::Between { expr, negated, low, high } => {
                let low = self.compare(expr, Ordering::is_ge, low)?;
                let high = self.compare(expr, Ordering::is_le, high)?;
                let both = truth(Node::And(Box::new(low), Box::new(high)));
                Ok(if *negated { negate(both) } else { both })
            }
            Ast::Like { negated, expr, pattern, escape_char, .. } => {
                let (text, pattern) = (self.bind(expr)?.into_type(NVARCHAR_MAX)?, self.bind(pattern)?.into_type(NVARCHAR_MAX)?);
                let escape = escape_char.as_ref().and_then(|value| value.value.clone().into_string()).and_then(|text| text.chars().next());
                let like = truth(Node::Like(Box::new(text), Box::new(pattern), escape));
                Ok(if *negated { negate(like) } else { like })
            }
            Ast::Cast { kind, expr, data_type, .. } => self.cast(expr, data_type, None, *kind == CastKind::TryCast),
            Ast::Convert { is_try, expr, data_type: Some(data_type), styles, .. } => {
                let style = styles.first().map(|style| self.bind(style)).transpose()?;
                let style = match style.map(|style| style.eval(&[])).transpose()? {
                    Some(Value::Int(style)) => Some(style as i32),
                    _ => None,
                };
                self.cast(expr, data_type, style, *is_try)
            }
            Ast::Case { operand, conditions, else_result, .. } => self.case(operand.as_deref(), conditions, else_result.as_deref()),
            Ast::Collate { expr, collation: name } => {
                let mut expr = self.bind(expr)?;
                let name = name.to_string();
                let unknown = || SqlError::new(448, 16, format!("Invalid collation '{name}'."));
                let found = collation::find(&name).ok_or_else(unknown)?;
                if found.code_page != expr.kind.collation.code_page && expr.kind.ty.is_narrow() {
                    let how = Conversion {
                        from: expr.kind.ty,
                        from_collation: expr.kind.collation,
                        to: expr.kind.ty,
                        to_collation: found,
                        style: None,
                    };
                    let kind = Kind { collation: found, ..expr.kind };
                    return Ok(Expr { node: Node::Cast(Box::new(expr), how, false), kind });
                }
                expr.kind.collation = found;
                Ok(expr)
            }
            Ast::Function(function) => self.function(function),
            other => Err(SqlError::syntax(&other.to_string())),
        }
    }

    /// The collation of literals and parameters: the database's.
    fn collation(&self) -> &'static Collation {
        self.session.world.database(&self.session.database).map_or(collation::DEFAULT, |database| database.collation)
    }

    /// A name of several parts: a column, or a property of one.
    fn path(&mut self, parts: &[&str]) -> Result<Expr, SqlError> {
        match parts {
            [] => Err(SqlError::syntax(".")),
            [name] => self.name(None, name),
            [owner @ .., table, column] => match self.name(Some(table), column) {
                Err(unbound) if unbound.number == 4104 => match self.path(&[owner, &[*table]].concat()) {
                    Ok(object) if object.kind.ty.is_clr() => methods::property(object, column),
                    _ => Err(unbound),
                },
                found => found,
            },
        }
    }

    fn name(&mut self, table: Option<&str>, column: &str) -> Result<Expr, SqlError> {
        if column.starts_with("@@") {
            return functions::global(column, self.session).ok_or_else(|| undeclared(column));
        }
        if column.starts_with('@') {
            let found = self.parameters.iter().find(|parameter| parameter.name.eq_ignore_ascii_case(column));
            let parameter = found.ok_or_else(|| undeclared(column))?;
            let mut expr = Expr::constant(parameter.value.clone(), parameter.ty);
            expr.kind.collation = if parameter.ty.is_wide() { self.collation() } else { parameter.collation };
            return Ok(expr);
        }
        let matches = |seen: &&(usize, &Visible)| {
            seen.1.name.eq_ignore_ascii_case(column) && table.is_none_or(|table| seen.1.table.eq_ignore_ascii_case(table))
        };
        let all: Vec<(usize, &Visible)> = self.visible.iter().enumerate().collect();
        let mut found = all.iter().filter(matches);
        match (found.next(), found.next(), table) {
            (Some((at, visible)), None, _) => {
                let expr = Expr { node: Node::Column(*at), kind: visible.kind };
                self.bare = Some(format!("{}.{}", visible.table, visible.name));
                Ok(expr)
            }
            (Some(_), Some(_), _) => Err(SqlError::new(209, 16, format!("Ambiguous column name '{column}'."))),
            (None, _, Some(table)) if !self.visible.iter().any(|v| v.table.eq_ignore_ascii_case(table)) => {
                Err(SqlError::new(4104, 16, format!("The multi-part identifier \"{table}.{column}\" could not be bound.")))
            }
            _ => match functions::call(&column.to_ascii_lowercase(), &[], self.session) {
                Some(call) if ["current_timestamp", "system_user", "current_user"].contains(&column.to_ascii_lowercase().as_str()) => call,
                _ => Err(SqlError::unknown_column(column)),
            },
        }
    }

    fn unary(&mut self, op: UnaryOperator, inner: &Ast) -> Result<Expr, SqlError> {
        let expr = self.bind(inner)?;
        match op {
            UnaryOperator::Not => Ok(negate(expr)),
            UnaryOperator::Plus => Ok(expr),
            UnaryOperator::Minus => {
                if let Node::Constant(value) = &expr.node {
                    let negative = match value {
                        Value::Int(n) => Value::Int(-n),
                        Value::Float(n) => Value::Float(-n),
                        Value::Decimal(n, s) => Value::Decimal(-n, *s),
                        Value::Money(n) => Value::Money(-n),
                        other => other.clone(),
                    };
                    return Ok(Expr::constant(negative, expr.kind.ty));
                }
                let zero = Expr::constant(Value::Int(0), SqlType::Int);
                combine(Operator::Subtract, zero, expr)
            }
            other => Err(SqlError::syntax(&other.to_string())),
        }
    }

    fn binary(&mut self, left: &Ast, op: &BinaryOperator, right: &Ast) -> Result<Expr, SqlError> {
        let operator = match op {
            BinaryOperator::And => {
                return Ok(truth(Node::And(Box::new(self.bind(left)?), Box::new(self.bind(right)?))));
            }
            BinaryOperator::Or => {
                return Ok(truth(Node::Or(Box::new(self.bind(left)?), Box::new(self.bind(right)?))));
            }
            BinaryOperator::Eq => return self.compare(left, Ordering::is_eq, right),
            BinaryOperator::NotEq => return self.compare(left, Ordering::is_ne, right),
            BinaryOperator::Lt => return self.compare(left, Ordering::is_lt, right),
            BinaryOperator::LtEq => return self.compare(left, Ordering::is_le, right),
            BinaryOperator::Gt => return self.compare(left, Ordering::is_gt, right),
            BinaryOperator::GtEq => return self.compare(left, Ordering::is_ge, right),
            BinaryOperator::Plus => Operator::Add,
            BinaryOperator::Minus => Operator::Subtract,
            BinaryOperator::Multiply => Operator::Multiply,
            BinaryOperator::Divide => Operator::Divide,
            BinaryOperator::Modulo => Operator::Modulo,
            other => return Err(SqlError::syntax(&other.to_string())),
        };
        let (left, right) = (self.bind(left)?, self.bind(right)?);
        combine(operator, left, right)
    }

    fn compare(&mut self, left: &Ast, accepts: fn(Ordering) -> bool, right: &Ast) -> Result<Expr, SqlError> {
        let named = [is_collated(left), is_collated(right)];
        let (left, right) = (self.bind(left)?, self.bind(right)?);
        // A COLLATE decides, then a column, then what is left.
        let collation = match named {
            [true, _] => left.kind.collation,
            [false, true] => right.kind.collation,
            _ if !left.reads_column() && right.reads_column() => right.kind.collation,
            _ => left.kind.collation,
        };
        let ty = comparable_type(left.kind.ty, right.kind.ty);
        for side in [left.kind.ty, right.kind.ty] {
            if ty == SqlType::RowVersion && matches!(side, SqlType::NVarChar(_) | SqlType::NChar(_) | SqlType::SysName) {
                let message = format!(
                    "Implicit conversion from data type {} to timestamp is not allowed. Use the CONVERT function to run this query.",
                    side.name()
                );
                return Err(SqlError::new(257, 16, message));
            }
        }
        let (left, right) = (left.into_collated(ty, collation)?, right.into_collated(ty, collation)?);
        Ok(truth(Node::Compare(accepts, Box::new(left), Box::new(right))))
    }

    fn cast(&mut self, inner: &Ast, data_type: &DataType, style: Option<i32>, is_try: bool) -> Result<Expr, SqlError> {
        let name = data_type.to_string();
        let to =
            SqlType::parse_for_cast(&name).ok_or_else(|| SqlError::new(243, 16, format!("Type {name} is not a defined system type.")))?;
        let expr = self.bind(inner)?;
        let to_collation = if expr.kind.ty.has_collation() { expr.kind.collation } else { self.collation() };
        let how = Conversion { from: expr.kind.ty, from_collation: expr.kind.collation, to, to_collation, style };
        let kind = Kind { ty: to, collation: to_collation, nullable: expr.kind.nullable || is_try, identity: false };
        Ok(Expr { node: Node::Cast(Box::new(expr), how, is_try), kind })
    }

    fn case(&mut self, operand: Option<&Ast>, branches: &[sqlparser::ast::CaseWhen], otherwise: Option<&Ast>) -> Result<Expr, SqlError> {
        let mut bound = Vec::new();
        for branch in branches {
            let condition = match operand {
                Some(operand) => self.compare(operand, Ordering::is_eq, &branch.condition)?,
                None => self.bind(&branch.condition)?,
            };
            bound.push((condition, self.bind(&branch.result)?));
        }
        let otherwise = otherwise.map(|otherwise| self.bind(otherwise)).transpose()?;
        let kinds: Vec<Kind> = bound.iter().map(|(_, result)| result.kind).chain(otherwise.iter().map(|o| o.kind)).collect();
        let ty = kinds.iter().map(|kind| kind.ty).reduce(common_type).unwrap_or(SqlType::Int);
        let branches =
            bound.into_iter().map(|(condition, result)| Ok((condition, result.into_type(ty)?))).collect::<Result<_, SqlError>>()?;
        let otherwise = otherwise.map(|otherwise| otherwise.into_type(ty)).transpose()?.map(Box::new);
        Ok(Expr { node: Node::Case(branches, otherwise), kind: Kind { collation: kinds[0].collation, ..Kind::of(ty) } })
    }

    fn function(&mut self, function: &Function) -> Result<Expr, SqlError> {
        refuse::call(function)?;
        let name = function.name.to_string().to_ascii_lowercase();
        let list = match &function.args {
            FunctionArguments::List(list) => list.args.as_slice(),
            _ => &[],
        };
        if let [.., owner, method] = function.name.0.iter().filter_map(|part| part.as_ident()).collect::<Vec<_>>().as_slice() {
            let owners: Vec<&str> = function.name.0.iter().filter_map(|part| part.as_ident()).map(|part| part.value.as_str()).collect();
            return match self.path(&owners[..owners.len() - 1]) {
                Ok(object) if list.is_empty() => methods::call(object, &method.value),
                Ok(_) => Err(SqlError::syntax(&method.value)),
                Err(_) => Err(SqlError::new(
                    4121,
                    16,
                    format!(
                        "Cannot find either column \"{owner}\" or the user-defined function or aggregate \"{name}\", or the name is ambiguous."
                    ),
                )),
            };
        }
        if let (
            "datepart" | "dateadd" | "datediff" | "datediff_big",
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(Ast::Identifier(word))), rest @ ..],
        ) = (name.as_str(), list)
        {
            let values = self.values(rest)?;
            let wrong =
                || SqlError::new(174, 15, format!("The {name} function requires {} argument(s).", if name == "datepart" { 2 } else { 3 }));
            return dates::call(&name, &word.value, values).unwrap_or_else(|| Err(wrong()));
        }
        if matches!(name.as_str(), "count" | "count_big" | "sum" | "min" | "max") {
            return self.aggregate(name, list);
        }
        let arguments = self.values(list)?;
        if matches!(name.as_str(), "coalesce" | "isnull") && !arguments.is_empty() {
            let ty = if name == "isnull" && arguments[0].kind.ty != UNTYPED {
                arguments[0].kind.ty
            } else {
                arguments.iter().map(|a| a.kind.ty).reduce(common_type).unwrap_or(SqlType::Int)
            };
            let kind =
                Kind { ty, identity: false, nullable: arguments.iter().all(|a| a.kind.nullable), collation: arguments[0].kind.collation };
            let items = arguments.into_iter().map(|argument| argument.into_type(ty)).collect::<Result<_, _>>()?;
            return Ok(Expr { node: Node::Coalesce(items), kind });
        }
        functions::call(&name, &arguments, self.session)
            .unwrap_or_else(|| Err(SqlError::new(195, 15, format!("'{}' is not a recognized built-in function name.", function.name))))
    }

    /// Plain arguments.
    fn values(&mut self, list: &[FunctionArg]) -> Result<Vec<Expr>, SqlError> {
        let bound = list.iter().map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => self.bind(expr),
            other => Err(SqlError::syntax(&other.to_string())),
        });
        bound.collect()
    }

    fn aggregate(&mut self, name: String, list: &[FunctionArg]) -> Result<Expr, SqlError> {
        let argument = match list {
            [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] => None,
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))] => {
                let outer = (std::mem::replace(&mut self.grouping, false), self.bare.take());
                let argument = self.bind(expr);
                (self.grouping, self.bare) = outer;
                Some(argument?)
            }
            _ => return Err(SqlError::syntax(")")),
        };
        let inner = argument.as_ref().map_or(Kind::of(SqlType::Int), |argument| argument.kind);
        let ty = match (name.as_str(), inner.ty) {
            ("count", _) => SqlType::Int,
            ("count_big", _) => SqlType::BigInt,
            ("sum", SqlType::TinyInt | SqlType::SmallInt) => SqlType::Int,
            ("sum", SqlType::Decimal(_, s) | SqlType::Numeric(_, s)) => SqlType::Decimal(38, s),
            (_, ty) => ty,
        };
        self.aggregates.push(Aggregate { name, argument });
        let at = self.groups.len() + self.aggregates.len() - 1;
        Ok(Expr { node: Node::Column(at), kind: Kind { ty, nullable: true, identity: false, ..inner } })
    }
}

/// Whether a COLLATE stands at the outside.
fn is_collated(ast: &Ast) -> bool {
    match ast {
        Ast::Nested(inner) => is_collated(inner),
        other => matches!(other, Ast::Collate { .. }),
    }
}

fn undeclared(name: &str) -> SqlError {
    SqlError::new(137, 15, format!("Must declare the scalar variable \"{name}\"."))
}

fn truth(node: Node) -> Expr {
    Expr { node, kind: Kind::of(SqlType::Bit) }
}

fn negate(expr: Expr) -> Expr {
    truth(Node::Not(Box::new(expr)))
}
