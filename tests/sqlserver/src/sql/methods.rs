//! What is asked of a value by a name after a dot: the methods of the CLR types.

use std::sync::Arc;

use super::error::SqlError;
use super::expr::{Apply, Expr, Kind, Node};
use crate::types::spatial::Spatial;
use crate::types::value::Value;
use crate::types::{Length, NVARCHAR_MAX, SqlType, collation};

/// A method's call, `[c].ToString()`. Names are case-sensitive, as the CLR's are.
pub(super) fn call(object: Expr, name: &str) -> Result<Expr, SqlError> {
    let spatial = matches!(object.kind.ty, SqlType::Geography | SqlType::Geometry);
    match name {
        "ToString" if object.kind.ty == SqlType::HierarchyId => {
            let mut text = object.into_type(NVARCHAR_MAX)?;
            text.kind = Kind { ty: SqlType::NVarChar(Length::Up(4000)), collation: collation::DEFAULT, ..text.kind };
            Ok(text)
        }
        "ToString" if spatial => Ok(of_shape(object, NVARCHAR_MAX, |shape| Value::text(&shape.text))),
        "STGeometryType" if spatial => Ok(of_shape(object, SqlType::NVarChar(Length::Up(4000)), |shape| Value::text(&shape.shape))),
        "AsBinaryZM" if spatial => Ok(of_shape(object, SqlType::VarBinary(Length::Max), |shape| Value::Binary(shape.wkb.clone()))),
        _ => Err(missing(&object, "method", name)),
    }
}

/// A property, `[c].STSrid`.
pub(super) fn property(object: Expr, name: &str) -> Result<Expr, SqlError> {
    match name {
        "STSrid" if object.kind.ty != SqlType::HierarchyId => Ok(of_shape(object, SqlType::Int, |shape| Value::Int(shape.srid.into()))),
        _ => Err(missing(&object, "property or field", name)),
    }
}

fn of_shape(object: Expr, ty: SqlType, apply: fn(&Spatial) -> Value) -> Expr {
    let apply: Apply = Arc::new(move |values| Ok(if let Value::Spatial(shape) = &values[0] { apply(shape) } else { Value::Null }));
    Expr { node: Node::Call(apply, vec![object]), kind: Kind::of(ty) }
}

fn missing(object: &Expr, what: &str, name: &str) -> SqlError {
    let class = match object.kind.ty {
        SqlType::HierarchyId => "SqlHierarchyId",
        SqlType::Geography => "SqlGeography",
        SqlType::Geometry => "SqlGeometry",
        other => return SqlError::new(258, 15, format!("Cannot call methods on {other}.")),
    };
    let message =
        format!("Could not find {what} '{name}' for type 'Microsoft.SqlServer.Types.{class}' in assembly 'Microsoft.SqlServer.Types'.");
    SqlError::new(6506, 10 + 6, message)
}
