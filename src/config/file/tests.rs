//! Tests of the table configuration's form, defaults and errors.

use std::path::Path;

use super::*;
use jiff::SignedDuration;

use crate::table::{
    BadText, Deletes, IdentifierPolicy, Incremental, Isolation, OnBadRow, OnConflict, OnDrift, Refresh, SubMicrosecond, WatermarkKind,
};

const PLAIN: &str = r#"{"tables": {"customer": {"db_type": "mctm", "sql_table": "[McTM].[dbo].[Customer]", "pg_table": "mctm_customer"}}}"#;

fn error(text: &str) -> String {
    parse(text).unwrap_err().into_error(Path::new("t.json")).to_string()
}

/// A file with one table, on lines of their own: `fields` begins on line 6.
fn one_table(fields: &str) -> String {
    format!(
        "{{\n\"tables\": {{\n\"customer\": {{\n\"db_type\": \"mctm\",\n\"sql_table\": \"Customer\", \"pg_table\": \"customer\",\n{fields}\n}}\n}}\n}}"
    )
}

#[test]
fn what_is_left_out_has_its_default() {
    let configs = parse(PLAIN).unwrap();
    assert_eq!(configs.default_sync_order, ["customer"]);
    let table = &configs.tables["customer"];
    assert_eq!((table.batch_size, table.description.as_str(), table.sql_server_db.as_deref()), (10_000, "", Some("McTM")));
    assert!(table.columns.is_none() && table.pg_columns.is_none() && table.primary_key.is_none() && table.order_by.is_none());
    assert_eq!(table.options, Default::default());
}

#[test]
fn target_columns_are_kept_where_the_catalogue_names_the_sources() {
    let configs = parse(&one_table(r#""pg_columns": ["a", "b"]"#)).unwrap();
    let table = &configs.tables["customer"];
    assert_eq!((&table.columns, table.pg_columns.as_deref()), (&None, Some(&["a".to_owned(), "b".to_owned()][..])));
}

#[test]
fn the_tables_own_option_wins_over_the_defaults() {
    let text = r#"{
        "defaults": {"refresh": "truncate", "create_tables": true, "isolation": "nolock", "min_rows": 5, "max_shrink": 0.5,
                     "identifiers": "snake", "on_submicrosecond": "fail", "batch_size": 7},
        "tables": {
            "a": {"db_type": "x", "sql_table": "A", "pg_table": "a", "columns": ["UnitPrice"]},
            "b": {"db_type": "x", "sql_table": "B", "pg_table": "b", "refresh": "merge", "create_tables": false, "batch_size": 9,
                  "columns": ["Id", "Cd"], "primary_key": ["Id", "cd"]}
        }
    }"#;
    let configs = parse(text).unwrap();
    let (a, b) = (&configs.tables["a"], &configs.tables["b"]);
    assert_eq!((a.options.refresh, b.options.refresh), (Refresh::Truncate, Refresh::Merge));
    assert_eq!((a.options.create_tables, b.options.create_tables), (true, false));
    assert_eq!((a.batch_size, b.batch_size), (7, 9));
    assert_eq!((a.options.isolation, a.options.identifiers), (Isolation::NoLock, IdentifierPolicy::Snake));
    assert_eq!((b.options.min_rows, b.options.max_shrink, b.options.on_submicrosecond), (Some(5), Some(0.5), SubMicrosecond::Fail));
    assert_eq!(a.pg_columns.as_deref(), Some(&["unit_price".to_owned()][..]));
    assert_eq!(b.order_by, b.primary_key, "the key orders where nothing else is said");
}

#[test]
fn what_to_do_with_bad_values_is_chosen_per_table() {
    let fields = r#""on_nul": "strip", "on_bad_unicode": "replace", "keep_offset": true, "as_bigint": true, "source_time_zone": "Asia/Tokyo",
        "on_drift": "add_columns", "on_bad_row": "quarantine", "quarantine_limit": 3, "log_keys": false"#;
    let options = parse(&one_table(fields)).unwrap().tables["customer"].options.clone();
    assert_eq!((options.on_nul, options.on_bad_unicode), (BadText::Strip, BadText::Replace));
    assert_eq!((options.on_drift, options.on_bad_row, options.quarantine_limit), (OnDrift::AddColumns, OnBadRow::Quarantine, Some(3)));
    assert!(options.keep_offset && options.as_bigint && options.hash_keys);
    assert_eq!(options.source_time_zone.unwrap().iana_name(), Some("Asia/Tokyo"));
    let error = error(&one_table(r#""source_time_zone": "Tokyo Standard Time""#));
    assert!(error.contains("line 6") && error.contains("unknown time zone \"Tokyo Standard Time\""), "{error}");
}

#[test]
fn a_key_is_one_name_or_an_array() {
    for (text, expected) in [(r#""CD""#, Some(vec!["CD"])), (r#"["A", "B"]"#, Some(vec!["A", "B"])), ("null", None)] {
        let configs = parse(&one_table(&format!("\"primary_key\": {text}, \"order_by\": {text}"))).unwrap();
        let expected = expected.map(|names| names.into_iter().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(configs.tables["customer"].primary_key, expected);
        assert_eq!(configs.tables["customer"].order_by, expected);
    }
}

#[test]
fn errors_of_form_name_file_line_path_and_what_was_expected() {
    let cases = [
        (r#""colums": ["A"]"#, "t.json, line 6: tables.customer.colums: unknown field `colums`", "(did you mean \"columns\"?)"),
        (r#""refresh": "merg""#, "t.json, line 6: tables.customer.refresh: unknown variant `merg`", "(did you mean \"merge\"?)"),
        (r#""refresh": "swop""#, "t.json, line 6: tables.customer.refresh: unknown variant `swop`", "(did you mean \"swap\"?)"),
        (r#""isolation": "snapshots""#, "t.json, line 6: tables.customer.isolation: unknown variant", "(did you mean \"snapshot\"?)"),
        (
            r#""batch_size": "many""#,
            "t.json, line 6: tables.customer.batch_size: invalid type: string \"many\"",
            "expected a whole number from 0",
        ),
        (r#""min_rows": -1"#, "t.json, line 6: tables.customer.min_rows: invalid value: integer `-1`", "expected a whole number from 0"),
        (r#""max_shrink": "half""#, "t.json, line 6: tables.customer.max_shrink: invalid type: string \"half\"", "expected a number"),
        (r#""columns": [1]"#, "t.json, line 6: tables.customer.columns[0]: invalid type: integer `1`", "expected a string"),
        (r#""primary_key": 1"#, "t.json, line 6: tables.customer.primary_key: invalid type", "a column name or an array of column names"),
        (r#""db_type": "x""#, "t.json, line 6: tables.customer", "duplicate field `db_type`"),
        (r#""on_nul": "drop""#, "t.json, line 6: tables.customer.on_nul: unknown variant", "expected one of"),
        ("\"columns\"", "t.json, line 7: ", "expected `:`"),
    ];
    for (fields, start, part) in cases {
        let error = error(&one_table(fields));
        assert!(error.starts_with(start) && error.contains(part), "{error}");
    }
}

#[test]
fn other_errors_of_form_are_named_too() {
    let cases = [
        ("{", "t.json, line 1: EOF"),
        ("[]", "t.json, line 1: invalid type: sequence, expected an object"),
        (r#"{"tables": {"a": ["x", null, "A", "a"]}}"#, "t.json, line 1: tables.a: invalid type: sequence, expected an object"),
        (r#"{"tables": {}, "defaults": []}"#, "t.json, line 1: defaults: invalid type: sequence, expected an object"),
        ("{}", "t.json, line 1: missing field `tables`"),
        (r#"{"tables": {"a": {}}}"#, "tables.a: missing field `db_type`"),
        ("{\"tables\": {},\n\"tabels\": 1}", "t.json, line 2: tabels: unknown field `tabels`"),
        (r#"{"tables": {}, "defaults": {"colums": 1}}"#, "defaults.colums: unknown field"),
    ];
    for (text, part) in cases {
        let error = error(text);
        assert!(error.contains(part), "{error}");
    }
    assert!(error(&format!("{PLAIN} x")).contains("trailing characters"));
    let doubled =
        PLAIN.replace("{\"customer\":", "{\"customer\": {\"db_type\": \"a\", \"sql_table\": \"a\", \"pg_table\": \"a\"},\n\"customer\":");
    assert!(error(&doubled).contains("duplicate table `customer`"), "{}", error(&doubled));
}

#[test]
fn errors_of_meaning_name_their_line_too() {
    let cases = [
        (r#""columns": ["A", "B"], "pg_columns": ["a"]"#, "tables.customer.pg_columns: has 1 names and columns has 2"),
        (r#""columns": ["Cd", "Name"], "primary_key": "CDX""#, "tables.customer.primary_key: \"CDX\" is not in columns"),
        (r#""columns": ["Cd", "Name"], "order_by": "CDX""#, "tables.customer.order_by: \"CDX\" is not in columns"),
        (r#""columns": ["A", "A"]"#, "tables.customer.columns[1]: \"A\" stands there twice"),
        (r#""columns": ["A", "a"]"#, "tables.customer.columns: columns \"A\" and \"a\" both become \"a\""),
        (r#""columns": []"#, "tables.customer.columns: is empty"),
        (r#""columns": ["A", ""]"#, "tables.customer.columns[1]: is \"\""),
        (r#""batch_size": 0"#, "tables.customer.batch_size: is 0, expected a number of rows from 1"),
        (r#""max_shrink": 1.5"#, "tables.customer.max_shrink: is 1.5, expected a share from 0 to 1"),
    ];
    for (fields, expected) in cases {
        let error = error(&one_table(fields));
        assert!(error.starts_with(&format!("t.json, line 6: {expected}")), "{error}");
    }
}

#[test]
fn all_errors_of_meaning_are_told_at_once() {
    let text = "{\n\"tables\": {\n\"a\": {\"db_type\": \"1x\", \"sql_table\": \"a.b.c.d\", \"pg_table\": \"p\"},\n\
                \"b\": {\"db_type\": \"x\", \"sql_table\": \"B\", \"pg_table\": \"public.c\"},\n\
                \"c\": {\"db_type\": \"x\", \"sql_table\": \"C\", \"pg_table\": \"c\"}\n}}";
    let error = error(text);
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines.len(), 3, "{error}");
    assert!(lines[0].starts_with("t.json, line 3: tables.a.db_type: is \"1x\""), "{error}");
    assert!(lines[1].starts_with("t.json, line 3: tables.a.sql_table: \"a.b.c.d\" has more than three parts"), "{error}");
    assert!(lines[2].starts_with("t.json, line 5: tables.c.pg_table: \"c\" is the target of \"b\" already"), "{error}");
}

#[test]
fn the_order_names_tables_that_are_there_once() {
    let with_order = |order: &str| format!("{{\"default_sync_order\": {order},{}", &PLAIN[1..]);
    assert!(parse(&with_order(r#"["customer"]"#)).is_ok());
    let cases = [
        (r#"["custmer"]"#, "default_sync_order[0]: \"custmer\" is not in tables (did you mean \"customer\"?)"),
        (r#"["customer", "customer"]"#, "default_sync_order[1]: \"customer\" stands there twice"),
        ("[]", "default_sync_order: is empty"),
    ];
    for (order, expected) in cases {
        let error = error(&with_order(order));
        assert!(error.contains(expected), "{error}");
    }
}

fn with_sync(sync: &str) -> Result<Option<Incremental>, String> {
    let table = format!(r#"{{"db_type": "a", "sql_table": "T", "pg_table": "t", "sync": {sync}}}"#);
    let parsed = parse(&format!(r#"{{"tables": {{"t": {table}}}}}"#));
    parsed
        .map(|configs| configs.tables["t"].options.incremental.clone())
        .map_err(|problems| problems.into_error(Path::new("t.json")).to_string())
}

#[test]
fn an_incremental_table_has_the_contracts_defaults() {
    let expected = Incremental {
        kind: WatermarkKind::Timestamp,
        column: Some("ModifiedTime".to_owned()),
        on_conflict: OnConflict::Nothing,
        lag: SignedDuration::from_secs(300),
        deletes: Deletes::Ignore,
        deletes_every: 1,
    };
    assert_eq!(with_sync(r#"{"mode": "incremental", "column": "ModifiedTime"}"#).unwrap().as_ref(), Some(&expected));
    let all = r#"{"mode": "incremental", "column": "c", "on_conflict": "update", "lag": "5m", "deletes": "keys", "deletes_every": 10}"#;
    let all = with_sync(all).unwrap().unwrap();
    assert_eq!((all.on_conflict, all.lag, all.deletes, all.deletes_every), (OnConflict::Update, Incremental::LAG, Deletes::Keys, 10));
    for (lag, seconds) in [(r#""300""#, 300), ("0", 0), (r#""2h""#, 7_200)] {
        let sync = with_sync(&format!(r#"{{"mode": "incremental", "column": "c", "lag": {lag}}}"#)).unwrap().unwrap();
        assert_eq!(sync.lag.as_secs(), seconds);
    }
    let by_server = with_sync(r#"{"mode": "incremental", "kind": "change_tracking"}"#).unwrap().unwrap();
    assert_eq!((by_server.on_conflict, by_server.lag.as_secs()), (OnConflict::Update, 0));
    assert_eq!(with_sync(r#"{"mode": "full"}"#).unwrap(), None);
}

#[test]
fn what_makes_no_sense_in_sync_is_refused_by_its_path() {
    let cases = [
        (r#"{"mode": "incremental"}"#, "tables.t.sync.mode: \"incremental\" needs \"column\""),
        (r#"{"mode": "incremental", "column": "c", "lagg": "5m"}"#, "tables.t.sync.lagg: unknown field `lagg` (did you mean \"lag\"?)"),
        (r#"{"mode": "incremental", "column": "c", "lag": "soon"}"#, "tables.t.sync.lag: \"soon\" is no duration"),
        (r#"{"mode": "incremental", "column": "c", "deletes_every": 2}"#, "tables.t.sync.deletes_every: is only for"),
        (r#"{"mode": "incremental", "column": "c", "deletes": "keys", "deletes_every": 0}"#, "tables.t.sync.deletes_every: is 0"),
        (r#"{"mode": "incremental", "kind": "rowversion", "lag": "5m"}"#, "tables.t.sync.lag: is only for timestamps"),
        (r#"{"mode": "incremental", "kind": "change_tracking", "column": "c"}"#, "tables.t.sync.column: is not for Change Tracking"),
        (r#"{"mode": "incremental", "kind": "change_tracking", "on_conflict": "nothing"}"#, "tables.t.sync.on_conflict: is \"nothing\""),
        (r#"{"mode": "full", "column": "c"}"#, "tables.t.sync.column: is only for mode \"incremental\""),
        (r#"{"mode": "sometimes"}"#, "tables.t.sync.mode: unknown variant `sometimes`"),
        (r#"["incremental"]"#, "tables.t.sync: invalid type: sequence, expected an object"),
    ];
    for (sync, expected) in cases {
        let error = with_sync(sync).unwrap_err();
        assert!(error.contains(expected), "{sync}: {error}");
    }
}
