//! Functions: those that depend on the session, and those of values alone.

use std::sync::Arc;

use super::error::SqlError;
use super::expr::{Expr, Kind, Node};
use crate::account::Account;
use crate::data::World;
use crate::types::collation;
use crate::types::value::{Value, variant_base};
use crate::types::{Length, SqlType, date};

/// What functions may ask about the session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Everything as it is now.
    pub(crate) world: World,
    /// Where rows are read: the same, or what a snapshot transaction sees.
    pub(crate) rows: World,
    pub(crate) database: String,
    pub(crate) account: Account,
    pub(crate) application: String,
    pub(crate) spid: u16,
    pub(crate) transactions: i64,
    pub(crate) last_rows: i64,
}

impl Session {
    /// Whether the login is denied a permission, by its name.
    pub(crate) fn is_denied(&self, permission: &str) -> bool {
        self.world
            .denied
            .iter()
            .any(|(user, denied)| user.eq_ignore_ascii_case(&self.account.user) && denied.eq_ignore_ascii_case(permission))
    }

    /// Error 229 where the login is denied a table or view.
    pub(crate) fn may_select(&self, database: &str, schema: &str, name: &str) -> Result<(), SqlError> {
        let object = format!("{schema}.{name}");
        let is_it =
            |(user, denied): &(String, String)| user.eq_ignore_ascii_case(&self.account.user) && denied.eq_ignore_ascii_case(&object);
        if !self.world.denied.iter().any(is_it) {
            return Ok(());
        }
        let home = if schema.eq_ignore_ascii_case("sys") { "mssqlsystemresource" } else { database };
        let message = format!("The SELECT permission was denied on the object '{name}', database '{home}', schema '{schema}'.");
        Err(SqlError { state: 5, ..SqlError::new(229, 14, message) })
    }
}

pub(crate) const VERSION: &str = "Microsoft SQL Server 2016 (SP2) (KB4052908) - 13.0.5026.0 (X64) \n\tMar 18 2018 09:11:49 \n\tCopyright (c) Microsoft Corporation\n\tDeveloper Edition (64-bit) on Windows Server 2016 Standard 10.0 <X64> (Build 14393: ) (Hypervisor)\n";
pub(crate) const SERVER: &str = "STANDIN";
const NAME: SqlType = SqlType::NVarChar(Length::Up(128));

/// A global variable, `@@SPID` and the like.
pub(crate) fn global(name: &str, session: &Session) -> Option<Expr> {
    let text = |text: &str| Expr::constant(Value::text(text), SqlType::NVarChar(Length::Up(300)));
    let int = |number: i64| Expr::constant(Value::Int(number), SqlType::Int);
    Some(match name.to_ascii_lowercase().as_str() {
        "@@version" => text(VERSION),
        "@@servername" => text(SERVER),
        "@@spid" => Expr::constant(Value::Int(session.spid.into()), SqlType::SmallInt),
        "@@trancount" => int(session.transactions),
        "@@rowcount" => int(session.last_rows),
        "@@error" => int(0),
        "@@dbts" => Expr::constant(session.world.database(&session.database)?.live.last(), SqlType::VarBinary(Length::Up(8))),
        "@@language" => text("us_english"),
        "@@max_precision" => Expr::constant(Value::Int(38), SqlType::TinyInt),
        "@@microsoftversion" => int(0x0D00_13A2),
        _ => return None,
    })
}

/// A function's call; `None` when there is no such function.
pub(crate) fn call(name: &str, arguments: &[Expr], session: &Session) -> Option<Result<Expr, SqlError>> {
    let database = session.world.database(&session.database);
    let name_of = |text: &str| Expr::constant(Value::text(text), NAME);
    let (ty, apply): (SqlType, super::expr::Apply) = match (name, arguments.len()) {
        ("rowcount_big", 0) => {
            return Some(Ok(Expr::constant(Value::Int(session.last_rows), SqlType::BigInt)));
        }
        ("db_name", 0) => return Some(Ok(name_of(&session.database))),
        ("db_id", 0) => {
            return Some(Ok(Expr::constant(Value::Int(database.map_or(1, |d| d.id).into()), SqlType::SmallInt)));
        }
        ("db_id", 1) => {
            let world = session.world.clone();
            (SqlType::SmallInt, text_function(move |name| world.database(name).map_or(Value::Null, |d| Value::Int(d.id.into()))))
        }
        ("object_id", 1 | 2) => {
            let (world, current) = (session.world.clone(), session.database.clone());
            (SqlType::Int, text_function(move |name| object_id(&world, &current, name)))
        }
        ("schema_name", 0) => return Some(Ok(name_of("dbo"))),
        ("schema_name", 1) => {
            let schemas = database.map(crate::data::Database::schemas).unwrap_or_default();
            (
                NAME,
                int_function(move |id| {
                    schemas.iter().find(|(known, _)| i64::from(*known) == id).map_or(Value::Null, |(_, name)| Value::text(name))
                }),
            )
        }
        ("schema_id", 0) => return Some(Ok(Expr::constant(Value::Int(1), SqlType::Int))),
        ("schema_id", 1) => {
            let schemas = database.map(crate::data::Database::schemas).unwrap_or_default();
            (
                SqlType::Int,
                text_function(move |name| {
                    schemas
                        .iter()
                        .find(|(_, known)| known.eq_ignore_ascii_case(name))
                        .map_or(Value::Null, |(id, _)| Value::Int((*id).into()))
                }),
            )
        }
        ("object_name", 1) => {
            let tables = database.map(|d| d.tables.clone()).unwrap_or_default();
            (
                NAME,
                int_function(move |id| tables.iter().find(|t| i64::from(t.object_id) == id).map_or(Value::Null, |t| Value::text(&t.name))),
            )
        }
        ("change_tracking_min_valid_version", 1) => {
            let (session, argument) = (session.clone(), arguments[0].clone().into_type(SqlType::Int));
            let apply = int_function(move |id| super::changes::min_valid_version(&session, id));
            return Some(argument.and_then(|argument| wrap(SqlType::BigInt, apply, &[argument])));
        }
        (_, 0) => return constant(name, session).map(Ok),
        _ => return of_values(name, arguments, session),
    };
    Some(wrap(ty, apply, arguments))
}

/// Functions without arguments.
fn constant(name: &str, session: &Session) -> Option<Expr> {
    let name_of = |text: &str| Expr::constant(Value::text(text), NAME);
    let clock = &session.world.clock;
    let datetime = |(days, ticks): (i32, u64)| {
        let rounded = date::ticks_to_300ths(ticks);
        let (days, rounded) = if rounded >= date::DAY_OF_300THS { (days + 1, 0) } else { (days, rounded) };
        Expr::constant(Value::DateTime(days - date::DAYS_TO_1900, rounded), SqlType::DateTime)
    };
    Some(match name {
        "suser_sname" | "suser_name" | "original_login" | "system_user" => name_of(&session.account.user),
        "user_name" | "current_user" => name_of("dbo"),
        "app_name" => name_of(&session.application),
        "host_name" => name_of("client"),
        "getdate" | "current_timestamp" => datetime(clock.now_local()),
        "getutcdate" => datetime(clock.now()),
        "sysutcdatetime" => Expr::constant(clock.utc(), SqlType::DateTime2(7)),
        "sysdatetime" => Expr::constant(clock.local(), SqlType::DateTime2(7)),
        "sysdatetimeoffset" => {
            let (days, ticks, zone) = clock.now_offset();
            Expr::constant(Value::DateTimeOffset(days, ticks, zone), SqlType::DateTimeOffset(7))
        }
        "min_active_rowversion" => Expr::constant(session.world.database(&session.database)?.live.min_active(), SqlType::Binary(8)),
        "change_tracking_current_version" => {
            let tracking = session.rows.database(&session.database).and_then(|database| database.tracking.as_ref());
            Expr::constant(tracking.map_or(Value::Null, |tracking| Value::Int(tracking.version)), SqlType::BigInt)
        }
        _ => return None,
    })
}

/// Functions of their arguments, most of them.
fn of_values(name: &str, arguments: &[Expr], session: &Session) -> Option<Result<Expr, SqlError>> {
    let (ty, apply): (SqlType, super::expr::Apply) = match (name, arguments.len()) {
        ("serverproperty", 1) => (SqlType::Variant, text_function(server_property)),
        ("databasepropertyex", 2) => {
            let world = session.world.clone();
            (SqlType::Variant, Arc::new(move |values| Ok(database_property(&world, values))))
        }
        ("collationproperty", 2) => (SqlType::Variant, Arc::new(|values| Ok(collation_property(values)))),
        ("has_perms_by_name", 3 | 5) => {
            let (denied, user) = (session.world.denied.clone(), session.account.user.clone());
            (SqlType::Int, Arc::new(move |values| Ok(permission(&denied, &user, values))))
        }
        ("datalength", 1) => (SqlType::Int, data_length(arguments[0].kind)),
        ("len", 1) => (SqlType::Int, length(arguments[0].kind)),
        ("sql_variant_property", 2) => (SqlType::Variant, Arc::new(|values| Ok(variant_property(values)))),
        ("upper" | "lower" | "ltrim" | "rtrim", 1) => {
            let name = name.to_owned();
            (
                NAME,
                text_function(move |text| {
                    Value::text(&match name.as_str() {
                        "upper" => text.to_uppercase(),
                        "lower" => text.to_lowercase(),
                        "ltrim" => text.trim_start_matches(' ').to_owned(),
                        _ => text.trim_end_matches(' ').to_owned(),
                    })
                }),
            )
        }
        ("quotename", 1) => (NAME, text_function(|text| Value::text(&format!("[{}]", text.replace(']', "]]"))))),
        ("type_name", 1) => (NAME, int_function(|id| crate::catalog::types::name_of(id).map_or(Value::Null, Value::text))),
        ("abs", 1) => (
            arguments[0].kind.ty,
            Arc::new(|values| {
                Ok(match &values[0] {
                    Value::Int(n) => Value::Int(n.abs()),
                    Value::Float(n) => Value::Float(n.abs()),
                    Value::Decimal(n, s) => Value::Decimal(n.abs(), *s),
                    other => other.clone(),
                })
            }),
        ),
        _ => return None,
    };
    Some(wrap(ty, apply, arguments))
}

fn wrap(ty: SqlType, apply: super::expr::Apply, arguments: &[Expr]) -> Result<Expr, SqlError> {
    let texts = matches!(ty, SqlType::Int | SqlType::SmallInt | SqlType::Variant) || ty == NAME;
    let arguments: Vec<Expr> = arguments
        .iter()
        .map(|argument| {
            if texts && argument.kind.ty.is_narrow() && arguments.len() <= 2 && !is_measured(ty, arguments) {
                argument.clone().into_type(crate::types::NVARCHAR_MAX)
            } else {
                Ok(argument.clone())
            }
        })
        .collect::<Result<_, _>>()?;
    Ok(Expr { node: Node::Call(apply, arguments), kind: Kind::of(ty) })
}

/// DATALENGTH and LEN of narrow text count its own bytes.
fn is_measured(ty: SqlType, arguments: &[Expr]) -> bool {
    ty == SqlType::Int && arguments.len() == 1 && !matches!(arguments[0].node, Node::Constant(_))
}

fn text_function(apply: impl Fn(&str) -> Value + Send + Sync + 'static) -> super::expr::Apply {
    Arc::new(move |values| Ok(text(&values[0]).map_or(Value::Null, |text| apply(&text))))
}

fn int_function(apply: impl Fn(i64) -> Value + Send + Sync + 'static) -> super::expr::Apply {
    Arc::new(move |values| Ok(if let Value::Int(number) = values[0] { apply(number) } else { Value::Null }))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Narrow(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Variant(_, inner) => text(inner),
        other => other.wide_text(),
    }
}

fn variant_int(number: i64) -> Value {
    Value::Variant("int".into(), Box::new(Value::Int(number)))
}

fn variant_text(text: &str) -> Value {
    Value::Variant("nvarchar(128)".into(), Box::new(Value::text(text)))
}

fn object_id(world: &World, current: &str, name: &str) -> Value {
    let parts: Vec<String> = name.split('.').map(|part| part.trim_matches(|c| c == '[' || c == ']' || c == '"').to_owned()).collect();
    let (database, schema, table) = match parts.as_slice() {
        [table] => (current, "dbo", table),
        [schema, table] => (current, schema.as_str(), table),
        [database, schema, table] => (database.as_str(), if schema.is_empty() { "dbo" } else { schema.as_str() }, table),
        _ => return Value::Null,
    };
    let found = world.database(database).and_then(|d| d.table(schema, table));
    found.map_or(Value::Null, |table| Value::Int(table.object_id.into()))
}

fn server_property(name: &str) -> Value {
    match name.to_ascii_lowercase().as_str() {
        "productversion" => variant_text("13.0.5026.0"),
        "productlevel" => variant_text("SP2"),
        "edition" => variant_text("Developer Edition (64-bit)"),
        "servername" | "machinename" => variant_text(SERVER),
        "collation" => variant_text(collation::DEFAULT.name),
        "engineedition" => variant_int(3),
        "productmajorversion" => variant_text("13"),
        "isintegratedsecurityonly" | "isclustered" | "ishadrenabled" => variant_int(0),
        _ => Value::Null,
    }
}

/// A permission is denied under its own name. Before SQL Server 2022 only a database has UNMASK: of anything else the answer is NULL.
fn permission(denied: &[(String, String)], user: &str, values: &[Value]) -> Value {
    let (Some(class), Some(permission)) = (text(&values[1]), text(&values[2])) else { return Value::Null };
    if permission.eq_ignore_ascii_case("UNMASK") && !class.eq_ignore_ascii_case("DATABASE") {
        return Value::Null;
    }
    let is_denied = denied.iter().any(|(who, what)| who.eq_ignore_ascii_case(user) && what.eq_ignore_ascii_case(&permission));
    Value::Int(i64::from(!is_denied))
}

fn database_property(world: &World, values: &[Value]) -> Value {
    let (Some(database), Some(property)) = (text(&values[0]), text(&values[1])) else {
        return Value::Null;
    };
    let Some(database) = world.database(&database) else {
        return Value::Null;
    };
    match property.to_ascii_lowercase().as_str() {
        "collation" => variant_text(database.collation.name),
        "status" => variant_text("ONLINE"),
        "updateability" => variant_text("READ_WRITE"),
        _ => Value::Null,
    }
}

fn collation_property(values: &[Value]) -> Value {
    let (Some(name), Some(property)) = (text(&values[0]), text(&values[1])) else {
        return Value::Null;
    };
    let Some(found) = collation::find(&name) else {
        return Value::Null;
    };
    match property.to_ascii_lowercase().as_str() {
        "codepage" => variant_int(found.code_page.into()),
        "lcid" => variant_int(found.lcid.into()),
        "version" => variant_int(found.version.into()),
        "comparisonstyle" => variant_int(if found.is_binary() { 0 } else { 196_609 }),
        _ => Value::Null,
    }
}

fn variant_property(values: &[Value]) -> Value {
    let Some(property) = text(&values[1]) else {
        return Value::Null;
    };
    let Value::Variant(base, _) = &values[0] else {
        return Value::Null;
    };
    let Some((ty, collation)) = variant_base(base) else {
        return Value::Null;
    };
    let (size, precision, scale) = ty.sizes();
    match property.to_ascii_lowercase().as_str() {
        "basetype" => variant_text(ty.name()),
        "precision" => variant_int(precision.into()),
        "scale" => variant_int(scale.into()),
        "maxlength" => variant_int(size.into()),
        "collation" if ty.has_collation() => variant_text(collation.name),
        _ => Value::Null,
    }
}

fn data_length(kind: Kind) -> super::expr::Apply {
    Arc::new(move |values| {
        Ok(match &values[0] {
            Value::Null => Value::Null,
            Value::Wide(units) => Value::Int(units.len() as i64 * 2),
            Value::Narrow(bytes) | Value::Binary(bytes) => Value::Int(bytes.len() as i64),
            Value::Guid(_) => Value::Int(16),
            _ => Value::Int(kind.ty.sizes().0.into()),
        })
    })
}

fn length(kind: Kind) -> super::expr::Apply {
    Arc::new(move |values| {
        let trimmed = |units: &[u16]| units.iter().rposition(|unit| *unit != 0x20).map_or(0, |at| at as i64 + 1);
        Ok(match &values[0] {
            Value::Null => Value::Null,
            Value::Wide(units) => Value::Int(trimmed(units)),
            other => Value::Int(trimmed(&crate::types::format::text_units(other, kind.ty, kind.collation, None)?)),
        })
    })
}
