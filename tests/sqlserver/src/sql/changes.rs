//! CHANGETABLE(CHANGES table, version): the net changes of a table as a table of FROM.

use sqlparser::ast::{Expr as Ast, FunctionArg, FunctionArgExpr, Ident, ObjectName, ObjectNamePart, TableFunctionArgs, UnaryOperator};

use super::error::SqlError;
use super::functions::Session;
use super::select::{binder, table};
use crate::data::tracking::{Change, Operation};
use crate::data::{Column, Row, Table};
use crate::types::value::Value;
use crate::types::{Length, SqlType, collation};
use crate::wire::decode::Parameter;

const PERMISSION: &str = "VIEW CHANGE TRACKING";

/// Whether a table of FROM is this function.
pub(super) fn is_changes(name: &ObjectName) -> bool {
    matches!(name.0.as_slice(), [ObjectNamePart::Identifier(Ident { value, quote_style: None, .. })] if value.eq_ignore_ascii_case("CHANGETABLE"))
}

/// The function's rows. The version is a number, NULL or a parameter: an expression is a syntax error, as on the server.
pub(super) fn rows(arguments: &TableFunctionArgs, session: &Session, parameters: &[Parameter]) -> Result<Table, SqlError> {
    let invalid = || SqlError::new(22102, 16, "The arguments supplied are not valid for the CHANGES option of the CHANGETABLE function.");
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(of)), FunctionArg::Unnamed(FunctionArgExpr::Expr(since))] = arguments.args.as_slice()
    else {
        return Err(invalid());
    };
    let parts = match of {
        Ast::Identifier(part) => vec![part.clone()],
        Ast::CompoundIdentifier(parts) => parts.clone(),
        other => return Err(SqlError::syntax(&other.to_string())),
    };
    match since {
        Ast::Value(_) => {}
        Ast::Identifier(name) if name.value.starts_with('@') => {}
        Ast::UnaryOp { op: UnaryOperator::Minus, expr } if matches!(expr.as_ref(), Ast::Value(_)) => {}
        other => return Err(SqlError::syntax(&other.to_string())),
    }
    let name = ObjectName(parts.into_iter().map(ObjectNamePart::Identifier).collect());
    let table = table(&name, session)?;
    if table.object_id < 0 || table.is_view {
        let message = format!(
            "Object '{name}' is of a data type that is not supported by the CHANGETABLE function. The object must be a user-defined table."
        );
        return Err(SqlError::new(22107, 16, message));
    }
    let tracking = table.tracking.as_ref();
    let tracking = tracking.ok_or_else(|| SqlError::new(22105, 16, format!("Change tracking is not enabled on table '{name}'.")))?;
    if session.is_denied(PERMISSION) {
        let database = &session.database;
        let (object, schema) = (&table.name, &table.schema);
        let message = format!("The {PERMISSION} permission was denied on the object '{object}', database '{database}', schema '{schema}'.");
        return Err(SqlError { state: 5, ..SqlError::new(229, 14, message) });
    }
    let since = match binder(session, parameters, &[]).bind(since)?.into_type(SqlType::BigInt)?.eval(&[])? {
        Value::Int(version) => Some(version),
        _ => None,
    };
    let rows = tracking.since(since).into_iter().map(row).collect();
    let mut changes = Table::computed(&table.schema, "CHANGETABLE", columns(&table), rows);
    changes.faults = std::sync::Arc::clone(&table.faults);
    Ok(changes)
}

/// The oldest version that CHANGETABLE can be asked from; NULL for a table that is not tracked or may not be looked at.
pub(super) fn min_valid_version(session: &Session, object_id: i64) -> Value {
    let database = session.rows.database(&session.database);
    let found = database.and_then(|database| database.tables.iter().find(|table| i64::from(table.object_id) == object_id));
    let allowed =
        found.filter(|table| !session.is_denied(PERMISSION) && session.may_select(&session.database, &table.schema, &table.name).is_ok());
    let tracking = allowed.and_then(|table| table.tracking.as_ref());
    tracking.map_or(Value::Null, |tracking| Value::Int(tracking.min_valid_version()))
}

fn columns(table: &Table) -> Vec<Column> {
    let column = |name: &str, ty, nullable| Column::new(name, ty, collation::DEFAULT, nullable);
    let mut columns = vec![
        column("SYS_CHANGE_VERSION", SqlType::BigInt, true),
        column("SYS_CHANGE_CREATION_VERSION", SqlType::BigInt, true),
        column("SYS_CHANGE_OPERATION", SqlType::NChar(1), true),
        column("SYS_CHANGE_COLUMNS", SqlType::VarBinary(Length::Up(4100)), true),
        column("SYS_CHANGE_CONTEXT", SqlType::VarBinary(Length::Up(128)), true),
    ];
    columns.extend(table.key.iter().map(|&at| {
        let of = &table.columns[at];
        Column::new(&of.name, of.ty, of.collation, false)
    }));
    columns
}

fn row(change: Change) -> Row {
    let operation = match change.operation {
        Operation::Insert => "I",
        Operation::Update => "U",
        Operation::Delete => "D",
    };
    let head = [Value::Int(change.version), change.creation_version.into(), Value::text(operation), Value::Null, Value::Null];
    head.into_iter().chain(change.key).collect()
}
