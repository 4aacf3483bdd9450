//! Tables of payloads and what they mean.

use serde_json::json;

use super::*;

fn envelope(detail: Value) -> Value {
    json!({
        "version": "0", "id": "6a7e8feb", "detail-type": "Scheduled Event", "source": "aws.events", "account": "123456789012",
        "time": "2026-02-05T10:30:00Z", "region": "ap-northeast-1", "resources": [], "detail": detail
    })
}

/// When the envelope above and those of `events/` are sent.
fn now() -> Timestamp {
    "2026-02-05T10:30:05Z".parse().unwrap()
}

fn read(payload: &Value) -> Event {
    Event::read(payload, now())
}

fn request(payload: &Value) -> Request {
    read(payload).request.unwrap()
}

#[test]
fn an_empty_event_is_a_multi_sync_of_everything() {
    for payload in [json!({}), json!({"mode": null, "tables": null, "dry_run": null}), json!({"tables": []}), json!({"tables": " "})] {
        assert_eq!(request(&payload), Request::default(), "{payload}");
    }
}

#[test]
fn tables_are_an_array_or_a_comma_separated_string() {
    for tables in [json!(["a", " b ", "a"]), json!("a, b,,a")] {
        assert_eq!(request(&json!({"tables": tables})).tables, ["a", "b"]);
    }
}

#[test]
fn single_sync_takes_table_name_or_table() {
    for payload in [
        json!({"table_name": "a"}),
        json!({"table": " a "}),
        json!({"table_name": "a", "table": "b"}),
        json!({"table_name": "", "table": "a"}),
    ] {
        let mut payload = payload;
        payload["mode"] = json!("single_sync");
        assert_eq!(request(&payload), Request { mode: Mode::SingleSync, tables: vec!["a".to_owned()], ..Request::default() });
    }
    assert!(request(&json!({"mode": "single_sync", "tables": ["a"]})).tables.is_empty(), "tables is not table_name");
}

#[test]
fn eventbridge_envelopes_hold_the_fields_in_detail() {
    for detail in [json!({"mode": "info"}), json!(r#"{"mode": "info"}"#)] {
        let request = request(&envelope(detail));
        assert_eq!((request.mode, request.scheduled, request.warnings.len()), (Mode::Info, true, 0));
    }
    for detail in [json!({}), json!("{}"), json!(""), Value::Null] {
        assert_eq!(request(&envelope(detail)), Request { scheduled: true, ..Request::default() });
    }
    let mut outside = envelope(json!({}));
    outside["mode"] = json!("info");
    let event = read(&outside);
    assert_eq!(event.mode, "multi_sync", "only detail holds fields");
    assert_eq!(event.warnings, ["unknown field \"mode\" is ignored"]);
}

#[test]
fn an_envelope_that_comes_long_after_its_time_is_run_with_a_warning() {
    let mut event = envelope(json!({"mode": "info"}));
    for (time, age) in [
        ("2026-02-05T04:30:00Z", Some("6h")),
        ("2026-02-05T04:24:10Z", Some("6h 5m")),
        ("2026-02-05T13:30:00+09:00", Some("6h")),
        ("2026-02-02T10:30:00Z", Some("3days")),
        ("2026-02-05T09:31:00Z", None),
        ("2026-02-05T10:30:00Z", None),
        ("2026-02-05T16:30:00Z", None),
        ("yesterday", None),
        ("", None),
    ] {
        event["time"] = json!(time);
        let Event { warnings, request, .. } = read(&event);
        assert_eq!(request.unwrap().warnings, warnings, "{time}");
        match age {
            Some(age) => {
                assert!(warnings.len() == 1 && warnings[0].starts_with(&format!("the event is {age} old (its time is")), "{warnings:?}");
            }
            None => assert!(warnings.is_empty(), "{time}: {warnings:?}"),
        }
    }
    for time in [Value::Null, json!(5), json!(["2026-02-05T04:30:00Z"])] {
        event["time"] = time;
        assert!(read(&event).warnings.is_empty());
    }
    let fields = read(&json!({"mode": "info", "time": "2026-02-05T04:30:00Z"}));
    assert_eq!(fields.warnings, ["unknown field \"time\" is ignored"], "only an envelope has a time");
}

#[test]
fn what_is_no_json_is_refused() {
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    for text in ["", "{", "{\"mode\": \"info\"} x", "\u{feff}{}", "\u{fffd}", &deep] {
        let event = Event::parse(text, now());
        assert_eq!((event.mode.as_str(), event.scheduled), ("multi_sync", false));
        assert!(event.request.unwrap_err().error.starts_with("the event is not JSON that can be read ("));
    }
    assert_eq!(Event::parse(r#"{"mode": "info"}"#, now()).mode, "info");
}

#[test]
fn however_much_is_asked_little_of_it_comes_back() {
    let long = "x".repeat(1_000_000);
    let many: Map<_, _> = (0..1_000).map(|n| (format!("{n}{}", &long[..1_000]), json!(1))).collect();
    let events = [json!({"mode": long}), json!({"mode": [long]}), json!({"sample": [long]}), Value::Object(many), envelope(json!(long))];
    for payload in events {
        let event = read(&payload);
        let error = event.request.err().map(|refusal| refusal.error).unwrap_or_default();
        let size = event.mode.len() + error.len() + event.warnings.iter().map(String::len).sum::<usize>();
        assert!(size < 4_000, "{size}");
    }
}

#[test]
fn a_trigger_marks_a_schedule_without_an_envelope() {
    assert!(request(&json!({"trigger": "schedule"})).scheduled);
    assert!(!request(&json!({"trigger": "hand"})).scheduled);
    assert!(!request(&json!({"detail-type": "x"})).scheduled, "half an envelope is none");
}

#[test]
fn unknown_fields_are_ignored_and_told() {
    let event = read(&json!({"mode": "info", "tabels": ["a"], "zzz": 1}));
    assert_eq!(event.warnings, ["unknown field \"tabels\" is ignored (did you mean \"tables\"?)", "unknown field \"zzz\" is ignored"]);
    assert_eq!(event.request.unwrap().warnings.len(), 2);
}

#[test]
fn wrong_types_are_refused_with_field_and_expectation() {
    let cases = [
        (json!([]), "the event is an array, expected an object"),
        (Value::Null, "the event is null, expected an object"),
        (json!("info"), "the event is a string, expected an object"),
        (json!({"mode": 5}), "field \"mode\" is a number, expected a string"),
        (json!({"tables": 5}), "field \"tables\" is a number, expected an array of table names or a comma-separated string"),
        (json!({"tables": ["a", 5]}), "field \"tables\" is an array that holds something else than strings, expected"),
        (json!({"table_name": ["a"]}), "field \"table_name\" is an array, expected a string"),
        (json!({"table": 1}), "field \"table\" is a number, expected a string"),
        (json!({"dry_run": "true"}), "field \"dry_run\" is a string, expected true or false"),
        (json!({"allow_shrink": 1}), "field \"allow_shrink\" is a number, expected true or false"),
        (json!({"trigger": true}), "field \"trigger\" is a boolean, expected a string"),
        (envelope(json!([])), "detail is an array, expected an object or the JSON text of one"),
        (envelope(json!("[]")), "detail is the text of an array, expected"),
        (envelope(json!("{")), "detail is a text that is not JSON"),
    ];
    for (payload, sentence) in cases {
        let refusal = read(&payload).request.unwrap_err();
        assert!(refusal.error.starts_with(sentence), "{payload}: {}", refusal.error);
    }
}

#[test]
fn a_refused_event_still_tells_its_mode_and_who_sent_it() {
    for payload in [json!({"mode": "sync_all", "trigger": "schedule"}), envelope(json!({"mode": "sync_all"}))] {
        let event = read(&payload);
        assert_eq!((event.mode.as_str(), event.scheduled), ("sync_all", true));
        assert!(event.request.unwrap_err().valid_modes.is_some());
    }
    assert!(read(&envelope(json!(5))).scheduled);
    assert_eq!(read(&json!({"mode": 5})).mode, "5");
}

#[test]
fn every_sample_event_reads_as_its_name_says() {
    let mut seen = 0;
    for entry in std::fs::read_dir("events").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let event = read(&serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap());
        // Whether a table is missing or unknown is for the configuration to say.
        let refused = name.contains("refused") && !name.contains("_table");
        assert_eq!(event.request.is_err(), refused, "{name}");
        assert_eq!(event.scheduled, name.starts_with("eventbridge") || name.starts_with("scheduler"), "{name}");
        assert_eq!(event.warnings.is_empty(), name != "unknown_field", "{name}");
        if let Ok(request) = event.request {
            assert_eq!(request.dry_run, name.ends_with("dry_run"), "{name}");
        }
        seen += 1;
    }
    assert!(seen >= 20, "{seen}");
}
