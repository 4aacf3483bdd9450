//! Payload shapes to a request: test events, EventBridge's envelope, both shapes of EventBridge Scheduler. Pure; the clock is an argument.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::request::{Mode, Refusal, Request, Sampling, excerpt, split_names, tidy_names};

/// What an EventBridge envelope brings besides `detail`: <https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html>.
const ENVELOPE_FIELDS: [&str; 9] = ["version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"];
const FIELDS: [&str; 11] =
    ["mode", "tables", "table_name", "table", "dry_run", "allow_shrink", "accept_drift", "reset", "sample", "full", "trigger"];
/// So many unknown fields are named; an answer above 6 MB would not leave the function.
const UNKNOWN_NAMED_MAX: usize = 10;
/// An event older than this was held up: Lambda tries an asynchronous one again for six hours, and its ordinary two retries come sooner
/// (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>).
const STALE_AFTER: Duration = Duration::from_secs(3600);

/// An event as understood; who sent it is known even when the request is refused.
#[derive(Debug)]
pub struct Event {
    /// The mode as asked, an unknown one too.
    pub mode: String,
    /// Whether a schedule sent it.
    pub scheduled: bool,
    /// What the caller should know about the event, whether it is refused or not.
    pub warnings: Vec<String>,
    /// The request, or why it is refused.
    pub request: Result<Request, Refusal>,
}

impl Event {
    /// Reads the text of an event; what is no JSON is a request that is wrong, like any other.
    pub fn parse(text: &str, now: Timestamp) -> Self {
        match serde_json::from_str(text) {
            Ok(payload) => Self::read(&payload, now),
            Err(error) => Self {
                mode: Mode::default().to_string(),
                scheduled: false,
                warnings: Vec::new(),
                request: Err(Refusal::new(format!("the event is not JSON that can be read ({error}), expected an object"))),
            },
        }
    }

    /// Reads a payload; `now` tells how old an event with a time is.
    pub fn read(payload: &Value, now: Timestamp) -> Self {
        let mut warnings = Vec::new();
        let (fields, enveloped) = match unwrap_envelope(payload, &mut warnings) {
            Ok(found) => found,
            Err(refused) => {
                let Refused { scheduled, refusal } = refused;
                return Self { mode: Mode::default().to_string(), scheduled, warnings, request: Err(refusal) };
            }
        };
        if enveloped {
            warnings.extend(staleness(payload, now));
        }
        let scheduled = enveloped || fields.get("trigger").and_then(Value::as_str) == Some("schedule");
        warn_of_unknown(&fields, &FIELDS, &mut warnings);
        let mode = mode_as_asked(&fields);
        let request = read_request(&fields, &mut warnings).map(|request| Request { scheduled, warnings: warnings.clone(), ..request });
        Self { mode, scheduled, warnings, request }
    }
}

/// What to say of an envelope that comes long after its time; one without a time that can be read is as good as new.
fn staleness(envelope: &Value, now: Timestamp) -> Option<String> {
    let time: Timestamp = envelope.get("time")?.as_str()?.parse().ok()?;
    let age = Duration::try_from(now.duration_since(time)).ok().filter(|age| *age > STALE_AFTER)?;
    let minutes = humantime::format_duration(Duration::from_secs(age.as_secs() / 60 * 60));
    Some(format!("the event is {minutes} old (its time is {time}): it was delivered late or once more; it is run all the same"))
}

struct Refused {
    scheduled: bool,
    refusal: Refusal,
}

/// The fields of an event, and whether they came in an envelope.
fn unwrap_envelope(payload: &Value, warnings: &mut Vec<String>) -> Result<(Map<String, Value>, bool), Refused> {
    let Value::Object(fields) = payload else {
        let refusal = Refusal::new(format!("the event is {}, expected an object", kind(payload)));
        return Err(Refused { scheduled: false, refusal });
    };
    let has = |name| fields.get(name).is_some_and(|value| !value.is_null());
    if !(has("detail-type") && has("source")) {
        return Ok((fields.clone(), false));
    }
    warn_of_unknown(fields, &ENVELOPE_FIELDS, warnings);
    let wrong = |what: String| Refused {
        scheduled: true,
        refusal: Refusal::new(format!("detail is {what}, expected an object or the JSON text of one")),
    };
    match fields.get("detail") {
        None | Some(Value::Null) => Ok((Map::new(), true)),
        Some(Value::Object(detail)) => Ok((detail.clone(), true)),
        Some(Value::String(text)) if text.trim().is_empty() => Ok((Map::new(), true)),
        Some(Value::String(text)) => match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(detail)) => Ok((detail, true)),
            Ok(other) => Err(wrong(format!("the text of {}", kind(&other)))),
            Err(error) => Err(wrong(format!("a text that is not JSON ({error})"))),
        },
        Some(other) => Err(wrong(kind(other).to_owned())),
    }
}

fn warn_of_unknown(fields: &Map<String, Value>, known: &[&str], warnings: &mut Vec<String>) {
    let mut unknown = fields.keys().filter(|name| !known.contains(&name.as_str()));
    for name in unknown.by_ref().take(UNKNOWN_NAMED_MAX) {
        let name = excerpt(name);
        let hint = crate::table::did_you_mean(&name, known.iter().copied());
        warnings.push(format!("unknown field {name:?} is ignored{hint}"));
    }
    let more = unknown.count();
    if more > 0 {
        warnings.push(format!("{more} more unknown fields are ignored"));
    }
}

/// The mode for the answer: the text asked for, the default when none was, the JSON of anything else; cut where it is too long for any.
fn mode_as_asked(fields: &Map<String, Value>) -> String {
    match present(fields, "mode") {
        None => Mode::default().to_string(),
        Some(Value::String(mode)) => excerpt(mode).into_owned(),
        Some(other) => excerpt(&other.to_string()).into_owned(),
    }
}

fn read_request(fields: &Map<String, Value>, warnings: &mut Vec<String>) -> Result<Request, Refusal> {
    let mode = match text(fields, "mode")? {
        Some(mode) => mode.parse()?,
        None => Mode::default(),
    };
    let tables = names(fields, "tables")?;
    let reset = names(fields, "reset")?;
    let table_name = text(fields, "table_name")?;
    let table = text(fields, "table")?;
    let dry_run = flag(fields, "dry_run")?;
    let allow_shrink = flag(fields, "allow_shrink")?;
    let accept_drift = flag(fields, "accept_drift")?;
    let sampling = sampling(fields)?;
    text(fields, "trigger")?;
    let single = [table_name, table].into_iter().flatten().map(str::trim).find(|name| !name.is_empty());
    let tables = match (mode, single) {
        (Mode::SingleSync, single) => {
            if !tables.is_empty() {
                warnings.push("tables is ignored: single_sync takes table_name".to_owned());
            }
            single.map(|name| vec![name.to_owned()]).unwrap_or_default()
        }
        (_, Some(_)) => {
            warnings.push(format!("table_name is ignored: {mode} takes tables"));
            tables
        }
        (_, None) => tables,
    };
    Ok(Request { mode, tables, dry_run, allow_shrink, accept_drift, reset, sampling, ..Request::default() })
}

/// A field's value; null is absent.
fn present<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Refusal> {
    match present(fields, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(wrong_type(name, other, "a string")),
    }
}

fn flag(fields: &Map<String, Value>, name: &str) -> Result<bool, Refusal> {
    match present(fields, name) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(other) => Err(wrong_type(name, other, "true or false")),
    }
}

fn sampling(fields: &Map<String, Value>) -> Result<Sampling, Refusal> {
    let full = flag(fields, "full")?;
    match present(fields, "sample") {
        Some(share) => {
            const EXPECTED: &str = "a share above 0 and up to 1";
            let wrong = || match share {
                Value::Number(number) => Refusal::new(format!("field \"sample\" is {number}, expected {EXPECTED}")),
                other => wrong_type("sample", other, EXPECTED),
            };
            let sampling = share.as_f64().and_then(Sampling::share).ok_or_else(wrong)?;
            Ok(if full { Sampling::Full } else { sampling })
        }
        None if full => Ok(Sampling::Full),
        None => Ok(Sampling::Auto),
    }
}

fn names(fields: &Map<String, Value>, field: &str) -> Result<Vec<String>, Refusal> {
    const EXPECTED: &str = "an array of table names or a comma-separated string";
    match present(fields, field) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(split_names(text)),
        Some(Value::Array(items)) => {
            let texts: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
            texts.map(tidy_names).ok_or_else(|| wrong_type(field, &Value::Array(items.clone()), EXPECTED))
        }
        Some(other) => Err(wrong_type(field, other, EXPECTED)),
    }
}

fn wrong_type(name: &str, value: &Value, expected: &str) -> Refusal {
    let found = match value {
        Value::Array(_) if name == "tables" || name == "reset" => "an array that holds something else than strings",
        other => kind(other),
    };
    Refusal::new(format!("field {name:?} is {found}, expected {expected}"))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
