//! PostgreSQL as the judge of what our own checks accept and compute.

use fastrand::Rng;
use jiff::civil::{DateTime, date};
use jiff::tz::TimeZone;
use tablesync::copy::{RowWriter, temporal};

use crate::support::postgres::Database;

/// Pieces that JSON, and what is nearly JSON, is made of.
const PIECES: [&str; 44] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\"a\"",
    "\"\"",
    "\\",
    "\\\"",
    "\\\\",
    "\\/",
    "\\n",
    "\\x",
    "\\u0041",
    "\\u0000",
    "\\ud83d",
    "\\ude00",
    "\\ud83d\\ude00",
    "\\uDBFF",
    "\\u12",
    "true",
    "false",
    "null",
    "nul",
    "0",
    "-0",
    "-",
    "1",
    "01",
    "1.5",
    "1.",
    ".5",
    "1e5",
    "1E+5",
    "1e131071",
    "1e131072",
    "1e-16383",
    "1e-16384",
    " ",
    "\t",
    "\n",
    "日",
];

#[tokio::test(flavor = "multi_thread")]
async fn json_is_accepted_exactly_where_postgresql_accepts_it() {
    let db = Database::create().await;
    for (pg_type, seed) in [("jsonb", 7), ("json", 8)] {
        let accepts = format!(
            "CREATE FUNCTION accepts_{pg_type}(value text) RETURNS boolean LANGUAGE plpgsql AS \
             'BEGIN PERFORM value::{pg_type}; RETURN true; EXCEPTION WHEN others THEN RETURN false; END'"
        );
        db.execute(&accepts).await;
        let mut random = Rng::with_seed(seed);
        let texts: Vec<String> = (0..20_000).map(|_| document(&mut random)).collect();
        let (mut accepted, mut wrong) = (0, Vec::new());
        for texts in texts.chunks(2_000) {
            let values: Vec<_> = texts.iter().map(|text| format!("('{}')", text.replace('\'', "''"))).collect();
            let rows = db.rows(&format!("SELECT accepts_{pg_type}(t) FROM (VALUES {}) AS v(t)", values.join(", "))).await;
            for (text, row) in texts.iter().zip(rows) {
                let mut out = Vec::new();
                let mut writer = RowWriter::begin_row(&mut out, 1);
                let ours = if pg_type == "jsonb" { writer.jsonb(text) } else { writer.json(text) };
                let theirs = row[0].as_deref() == Some("t");
                accepted += usize::from(theirs);
                if ours.is_ok() != theirs {
                    wrong.push(format!("{pg_type} {text:?}: PostgreSQL says {theirs}, and the check {ours:?}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!((1_000..19_000).contains(&accepted), "of both kinds: {accepted}");
    }
}

/// A document, well formed or with a piece in the wrong place.
fn document(random: &mut Rng) -> String {
    let mut text = value(random, 3);
    if random.u8(..3) == 0 {
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        text.insert_str(*random.choice(&ends).unwrap_or(&0), random.choice(PIECES).unwrap_or(""));
    }
    text
}

fn value(random: &mut Rng, depth: u8) -> String {
    let items = |random: &mut Rng| usize::from(random.u8(..4));
    match random.u8(if depth == 0 { 2 } else { 0 }..8) {
        0 => {
            let items: Vec<_> = (0..items(random)).map(|_| value(random, depth - 1)).collect();
            format!("[{}]", items.join(","))
        }
        1 => {
            let items: Vec<_> = (0..items(random)).map(|_| format!("{}:{}", string(random), value(random, depth - 1))).collect();
            format!("{{{}}}", items.join(", "))
        }
        2 | 3 => string(random),
        4 => format!("{}e{}", random.i32(-9_999..9_999), random.i32(-131_100..131_100)),
        5 => format!("{}.{}E-{}", random.u32(..), random.u32(..), random.u32(..16_400)),
        6 => random.i64(..).to_string(),
        _ => (*random.choice(&["true", "false", "null", "0", "-0.0", "0e99999"]).unwrap_or(&"0")).to_owned(),
    }
}

fn string(random: &mut Rng) -> String {
    let pieces = ["a", "日", " ", "\\\"", "\\\\", "\\u0041", "\\uD83D\\uDE00", "\\u0001", "\\t", "\\\\u0000", "\\ud800", "\\u0000"];
    // The last two are what jsonb refuses: seldom.
    let among = if random.u8(..10) == 0 { &pieces[..] } else { &pieces[..10] };
    let inside: String = (0..random.u8(..5)).filter_map(|_| random.choice(among).copied()).collect();
    format!("\"{inside}\"")
}

#[tokio::test(flavor = "multi_thread")]
async fn local_times_are_the_instants_that_postgresql_says() {
    let db = Database::create().await;
    db.execute("SET TimeZone = 'UTC'").await;
    let zones =
        ["Asia/Tokyo", "America/New_York", "Europe/Berlin", "Europe/Dublin", "Australia/Lord_Howe", "Europe/Moscow", "Asia/Kolkata", "UTC"];
    let mut random = Rng::with_seed(3);
    for name in zones {
        let zone = TimeZone::get(name).unwrap();
        let mut times = vec![date(1753, 1, 1).at(0, 0, 0, 0), date(9999, 12, 31).at(23, 59, 59, 999_999_000), date(1, 1, 1).at(0, 0, 0, 0)];
        times.extend((0..500).map(|_| at_any_time(&mut random)));
        times.extend(around_changes(&zone));
        let values: Vec<_> = times.iter().map(|time| format!("(timestamp '{time}')")).collect();
        // A time that clocks never showed comes back as another one.
        let rows = db
            .rows(&format!(
                "SELECT (extract(epoch FROM t AT TIME ZONE '{name}' - timestamptz '2000-01-01 00:00:00+00') * 1000000)::bigint, \
                 (t AT TIME ZONE '{name}') AT TIME ZONE '{name}' <> t FROM (VALUES {}) AS v(t)",
                values.join(", ")
            ))
            .await;
        let mut gaps = 0;
        for (time, row) in times.iter().zip(rows) {
            let local = i64::try_from(time.duration_since(date(2000, 1, 1).at(0, 0, 0, 0)).as_micros()).unwrap();
            let ours = temporal::instant_of_local(local, &zone);
            if row[1].as_deref() == Some("t") {
                gaps += 1;
                assert!(ours.is_err(), "{time} never was in {name}");
            } else {
                assert_eq!(ours.ok().map(|micros| micros.to_string()), row[0], "{time} in {name}");
            }
        }
        assert!(gaps > 0 || ["Asia/Kolkata", "UTC"].contains(&name), "{name} has gaps");
    }
}

fn at_any_time(random: &mut Rng) -> DateTime {
    let day = date(1, 1, 1) + jiff::Span::new().days(random.i64(0..3_652_058));
    day.at(0, 0, 0, 0) + jiff::SignedDuration::from_micros(random.i64(0..86_400_000_000))
}

/// Times on both sides of each change of the clocks, and within it.
fn around_changes(zone: &TimeZone) -> Vec<DateTime> {
    let from = date(1900, 1, 1).to_zoned(TimeZone::UTC).unwrap().timestamp();
    let changes = zone.following(from).take(200);
    let minutes = [-121, -61, -31, -1, 0, 1, 29, 31, 59, 61, 121];
    changes
        .flat_map(|change| {
            let before = change.offset().to_datetime(change.timestamp());
            minutes.map(|minutes| before + jiff::SignedDuration::from_mins(minutes))
        })
        .collect()
}
