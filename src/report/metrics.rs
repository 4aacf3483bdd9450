//! CloudWatch's embedded metric format: lines of the log from which CloudWatch takes metrics. One for the run, one for each of its tables.
//!
//! The format: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::sheet::Sheet;
use super::{Outcome, Report, TableReport};

const NAMESPACE: &str = "tablesync";

/// The lines of a run, of `function`; none for what was no run, or a dry one.
pub fn lines(sheet: &Sheet<'_>, function: &str) -> Vec<String> {
    if !sheet.is_of_a_run() {
        return Vec::new();
    }
    let function = dimension(function);
    let (succeeded, failed) = if sheet.answer.success() { (1, 0) } else { (0, 1) };
    let about_the_run = [
        ("succeeded_runs", "Count", json!(succeeded)),
        ("failed_runs", "Count", json!(failed)),
        ("run_seconds", "Seconds", json!(sheet.asked.elapsed.as_secs_f64())),
    ];
    let mut lines = vec![line(sheet, &[("function", &function)], &about_the_run)];
    if let Report::Run(run) = sheet.report {
        for (name, table) in &run.tables {
            lines.push(line(sheet, &[("function", &function), ("table", &dimension(name))], &about_a_table(sheet, name, table)));
        }
    }
    lines
}

fn about_a_table(sheet: &Sheet<'_>, name: &str, table: &TableReport) -> Vec<(&'static str, &'static str, Value)> {
    let failures = match table.outcome {
        Outcome::Failed(_) | Outcome::NotStarted(_) => 1,
        Outcome::Ok | Outcome::Locked { .. } => 0,
    };
    let mut metrics = vec![("failures", "Count", json!(failures))];
    if table.begun() {
        metrics.push(("rows", "Count", json!(table.rows.read)));
        metrics.push(("bytes", "Bytes", json!(table.bytes)));
        metrics.push(("seconds", "Seconds", json!(table.elapsed.as_secs_f64())));
    }
    metrics.extend(lag(sheet, name, table).map(|lag| ("lag", "Seconds", json!(lag))));
    metrics
}

/// By how many seconds the target is behind its source: since the last run that succeeded began to read; none where that is not known.
fn lag(sheet: &Sheet<'_>, name: &str, table: &TableReport) -> Option<f64> {
    if matches!(table.outcome, Outcome::Ok) {
        return Some(table.elapsed.as_secs_f64());
    }
    let fresh_at: Timestamp = sheet.histories.as_ref()?.get(name)?.fresh_at?;
    Some(sheet.asked.ended.duration_since(fresh_at).as_secs_f64().max(0.0))
}

fn line(sheet: &Sheet<'_>, dimensions: &[(&str, &str)], metrics: &[(&str, &str, Value)]) -> String {
    let names: Vec<_> = dimensions.iter().map(|(name, _)| name).collect();
    let definitions: Vec<_> = metrics.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
    let mut fields = Map::new();
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [names], "Metrics": definitions});
    fields.insert("_aws".to_owned(), json!({"Timestamp": sheet.asked.ended.as_millisecond(), "CloudWatchMetrics": [directive]}));
    fields.extend(dimensions.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    fields.insert("mode".to_owned(), json!(sheet.asked.mode));
    fields.extend(sheet.run_id().map(|run_id| ("run_id".to_owned(), json!(run_id))));
    fields.extend(sheet.asked.request_id.iter().map(|id| ("request_id".to_owned(), json!(id))));
    fields.extend(metrics.iter().map(|(name, _, value)| ((*name).to_owned(), value.clone())));
    Value::Object(fields).to_string()
}

/// A name as a dimension's value: CloudWatch takes printable ASCII only, no colon at the beginning, and not blanks alone
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html>), so that everything else is written as its bytes, as in an address.
fn dimension(name: &str) -> String {
    let mut value = String::with_capacity(name.len());
    for byte in name.bytes() {
        let begins = value.is_empty() && matches!(byte, b':' | b' ');
        if (byte == b' ' || byte.is_ascii_graphic()) && byte != b'%' && !begins {
            value.push(char::from(byte));
        } else {
            value.push_str(&format!("%{byte:02X}"));
        }
    }
    value.truncate(1024);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dimension_is_printable_ascii() {
        for (name, expected) in
            [("customer", "customer"), ("a b", "a b"), ("顧", "%E9%A1%A7"), (":a:b", "%3Aa:b"), (" ", "%20"), ("5%\n", "5%25%0A")]
        {
            assert_eq!(dimension(name), expected);
        }
        assert_eq!(dimension(&"x".repeat(2000)).len(), 1024);
    }
}
