//! Remote procedure calls: the few system procedures that drivers use.

use crate::sql::error::SqlError;
use crate::types::SqlType;
use crate::types::cast::{Conversion, cast};
use crate::types::value::Value;
use crate::wire::decode::{Parameter, parameter};
use crate::wire::{Cursor, Malformed};

/// What a client asks for.
#[derive(Debug)]
pub(crate) enum Call {
    Sql { text: String, parameters: Vec<Parameter> },
    Prepare { text: String, declarations: String, parameters: Vec<Parameter>, run: bool, output: String },
    Execute { handle: i32, parameters: Vec<Parameter> },
    Unprepare { handle: i32 },
    Unknown(String),
}

/// The message without ALL_HEADERS.
pub(crate) fn after_headers(message: &[u8]) -> Result<&[u8], Malformed> {
    let length = Cursor::new(message).u32()? as usize;
    message.get(length..).ok_or(Malformed)
}

/// Reads one call of a request.
pub(crate) fn call(from: &mut Cursor<'_>) -> Result<Call, Malformed> {
    let name = match from.u16()? {
        u16::MAX => match from.u16()? {
            10 => "sp_executesql".to_owned(),
            11 => "sp_prepare".to_owned(),
            12 => "sp_execute".to_owned(),
            13 => "sp_prepexec".to_owned(),
            15 => "sp_unprepare".to_owned(),
            other => format!("procedure {other}"),
        },
        units => from.text(units.into())?.to_ascii_lowercase(),
    };
    from.u16()?;
    let mut given = Vec::new();
    while !from.is_empty() {
        given.push(parameter(from)?);
    }
    let mut given = given.into_iter();
    let mut next = || given.next().ok_or(Malformed);
    Ok(match name.as_str() {
        "sp_executesql" => {
            let text = next()?.text();
            let declarations = given.next().map(|parameter| parameter.text()).unwrap_or_default();
            Call::Sql { text, parameters: declared(&declarations, given.collect()).map_err(|_| Malformed)? }
        }
        "sp_prepexec" | "sp_prepare" => {
            let output = next()?.name;
            let (declarations, text) = (next()?.text(), next()?.text());
            let run = name == "sp_prepexec";
            let parameters = if run { declared(&declarations, given.collect()).map_err(|_| Malformed)? } else { Vec::new() };
            Call::Prepare { text, declarations, parameters, run, output }
        }
        "sp_execute" => Call::Execute { handle: next()?.int(), parameters: given.collect() },
        "sp_unprepare" => Call::Unprepare { handle: next()?.int() },
        _ => Call::Unknown(name),
    })
}

/// Gives parameters the names and types of their declaration, `@P1 nvarchar(20),@P2 decimal(9,2)`.
pub(crate) fn declared(declarations: &str, given: Vec<Parameter>) -> Result<Vec<Parameter>, SqlError> {
    let mut names = Vec::new();
    let mut depth = 0;
    for part in declarations.split_inclusive([',', '(', ')']) {
        if depth == 0 && part.trim_start().starts_with('@') {
            names.push(String::new());
        }
        depth += i32::from(part.ends_with('(')) - i32::from(part.ends_with(')'));
        if let Some(last) = names.last_mut() {
            last.push_str(part);
        }
    }
    let mut parameters = Vec::new();
    for (at, mut parameter) in given.into_iter().enumerate() {
        let named = |text: &&String| text.split_whitespace().next().is_some_and(|name| name.eq_ignore_ascii_case(&parameter.name));
        let declaration = if parameter.name.is_empty() { names.get(at) } else { names.iter().find(named).or(names.get(at)) };
        if let Some((name, ty)) = declaration.and_then(|text| text.trim().trim_end_matches(',').split_once(char::is_whitespace)) {
            let to = SqlType::parse(ty.trim()).unwrap_or(parameter.ty);
            let how =
                Conversion { from: parameter.ty, from_collation: parameter.collation, to, to_collation: parameter.collation, style: None };
            parameter.value = cast(&parameter.value, &how)?;
            parameter.ty = to;
            parameter.name = name.to_owned();
        }
        parameters.push(parameter);
    }
    Ok(parameters)
}

impl Parameter {
    fn text(&self) -> String {
        match &self.value {
            Value::Narrow(bytes) => String::from_utf16_lossy(&self.collation.decode(bytes)),
            other => other.wide_text().unwrap_or_default(),
        }
    }

    fn int(&self) -> i32 {
        if let Value::Int(number) = self.value { number as i32 } else { 0 }
    }
}
