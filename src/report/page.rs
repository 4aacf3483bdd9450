//! A run as a page that a person reads. Whatever comes from a table, a server or a file is escaped by the template.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::body::{reason_name, status_name};
use super::sheet::Sheet;
use super::{Outcome, PastRun, TableHistory, TableReport};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:82rem;margin:2rem auto;padding:0 1rem;color:#1c2530;background:#fff}\
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}.facts,.note{color:#5a6675;margin:.2rem 0 1.2rem}.note{font-size:.85rem;margin:.5rem 0}\
.sums{display:flex;flex-wrap:wrap;gap:.6rem;margin:0 0 1.2rem}.sums div{border:1px solid #e3e7ec;border-radius:.4rem;padding:.4rem .9rem}\
.sums strong{display:block;font-size:1.15rem;font-variant-numeric:tabular-nums}.sums span{color:#5a6675;font-size:.85rem}\
table{border-collapse:collapse;width:100%}th,td{padding:.35rem .6rem;text-align:left;border-bottom:1px solid #e3e7ec;vertical-align:middle}\
th{color:#5a6675;font-weight:600;font-size:.85rem}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}.scroll{overflow-x:auto}\
.ok{color:#176b3a}.failed,.not_started{color:#b3261e}.skipped{color:#8a5a00}.badge{font-weight:600;white-space:nowrap}.zero{color:#a7b0ba}\
dt{font-weight:600;margin-top:.6rem}dd{margin:0;overflow-wrap:anywhere}.kind{color:#5a6675;font-weight:400;margin-left:.5rem}\
ul{padding-left:1.2rem}li{margin:.3rem 0;overflow-wrap:anywhere}svg{display:block}.bar-succeeded{fill:#4c956c}.bar-failed{fill:#c8553d}.bar-other{fill:#b9c0c8}\
@media(prefers-color-scheme:dark){body{color:#dfe5ec;background:#14181d}th,.facts,.note,.kind,.sums span{color:#94a1b0}th,td,.sums div{border-color:#2a323b}\
.ok{color:#6fcf97}.failed,.not_started{color:#ff8a80}.skipped{color:#e0b050}.zero{color:#56616d}}\
@media print{body{margin:0;max-width:none}.scroll{overflow:visible}}";

/// The whole page.
pub(super) fn page(sheet: &Sheet<'_>) -> Markup {
    let (verdict, class) = if sheet.answer.success() { ("succeeded", "ok") } else { ("failed", "failed") };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                // Nothing is fetched, nothing is run: even what slipped past the escaping would do nothing.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { "tablesync: " (sheet.asked.mode) " " (verdict) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (sheet.asked.mode) " " span.(class) { (verdict) } }
                (facts(sheet))
                @if let Some(run) = sheet.run() {
                    (sums(run.tables.values()))
                    div.scroll { (tables(sheet, run.tables.iter())) }
                    @if sheet.histories.is_some() {
                        p.note {
                            "Last runs: a bar for each, the oldest first, as high as the time it took; green succeeded, red failed, grey was skipped or left. "
                            "Fresh as of: when the last run that succeeded began to read."
                        }
                    }
                }
                (errors(sheet))
                (list("Warnings", sheet.answer.warnings()))
            }
        }
    }
}

fn facts(sheet: &Sheet<'_>) -> Markup {
    let body = &sheet.answer.body;
    html! {
        p.facts {
            "Ended " (body["timestamp"].as_str().unwrap_or_default()) " after " (duration(sheet.asked.elapsed.as_secs_f64()))
            ", tablesync " (env!("CARGO_PKG_VERSION"))
            @if let Some(run_id) = sheet.run_id() { br; "Run " (run_id) }
            @if let Some(request_id) = &sheet.asked.request_id { br; "Request " (request_id) }
            @if let Some(location) = body["config"]["location"].as_str() {
                br; "Configuration " (location)
                @if let Some(version) = body["config"]["version_id"].as_str() { ", version " (version) }
                @if let Some(etag) = body["config"]["etag"].as_str() { ", ETag " (etag) }
            }
        }
    }
}

/// What all tables come to, at a glance.
fn sums<'a>(tables: impl Iterator<Item = &'a TableReport>) -> Markup {
    let tables: Vec<_> = tables.collect();
    let done = tables.iter().filter(|table| matches!(table.outcome, Outcome::Ok)).count();
    let sum = |of: fn(&TableReport) -> u64| tables.iter().map(|table| of(table)).sum::<u64>();
    let sums = [
        ("tables done", format!("{done} of {}", tables.len())),
        ("rows read", grouped(sum(|table| table.rows.read))),
        ("rows written or deleted", grouped(sum(|table| table.rows.inserted + table.rows.updated + table.rows.deleted))),
        ("sent to the target", bytes(sum(|table| table.bytes))),
    ];
    html! {
        div.sums { @for (what, sum) in sums { div { strong { (sum) } span { (what) } } } }
    }
}

fn tables<'a>(sheet: &Sheet<'_>, tables: impl Iterator<Item = (&'a String, &'a TableReport)>) -> Markup {
    html! {
        table {
            thead {
                tr {
                    th { "Table" } th { "Status" } th { "Refresh" }
                    @for name in ["Rows", "Inserted", "Updated", "Deleted", "Unchanged", "Put aside", "Sent", "Time"] { th.n { (name) } }
                    th { "Last runs" } th.n { "Fresh as of" }
                }
            }
            tbody { @for (name, table) in tables { (row(name, table, sheet.histories.as_ref().and_then(|histories| histories.get(name)))) } }
        }
    }
}

fn row(name: &str, table: &TableReport, history: Option<&TableHistory>) -> Markup {
    let rows = &table.rows;
    let fresh_at = history.and_then(|history| history.fresh_at);
    html! {
        tr {
            td { (name) }
            td { span.badge.(status_name(&table.outcome)) { (status(&table.outcome)) } }
            td title=[table.refresh_reason.as_ref()] { (table.refresh.unwrap_or_default()) }
            @for count in [rows.read, rows.inserted, rows.updated, rows.deleted, rows.unchanged, rows.quarantined] {
                td.n.zero[count == 0] { (grouped(count)) }
            }
            td.n.zero[table.bytes == 0] { (bytes(table.bytes)) }
            td.n title=[(table.attempts > 1).then(|| format!("begun {} times", table.attempts))] { (duration(table.elapsed.as_secs_f64())) }
            td { (history.map(trend).unwrap_or_default()) }
            td.n { (fresh_at.map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default()) }
        }
    }
}

fn status(outcome: &Outcome) -> String {
    match outcome {
        Outcome::NotStarted(reason) => format!("not started: {}", reason_name(*reason)),
        Outcome::Ok | Outcome::Failed(_) | Outcome::Locked { .. } => status_name(outcome).to_owned(),
    }
}

/// The last runs as bars: how long each took, coloured by how it ended.
fn trend(history: &TableHistory) -> Markup {
    const HEIGHT: f64 = 28.0;
    let longest = history.runs.iter().map(|run| run.seconds).fold(0.001, f64::max);
    let height = |run: &PastRun| (run.seconds / longest * HEIGHT).clamp(2.0, HEIGHT);
    let class = |run: &PastRun| match run.outcome.as_str() {
        "succeeded" => "bar-succeeded",
        "failed" => "bar-failed",
        _ => "bar-other",
    };
    html! {
        svg width=(history.runs.len() * 6) height=(HEIGHT) role="img" aria-label={ "the last " (history.runs.len()) " runs" } {
            @for (place, run) in history.runs.iter().enumerate() {
                rect.(class(run)) x=(place * 6) y=(HEIGHT - height(run)) width="5" height=(height(run)) {
                    title { (format!("{:.0}", run.at)) ": " (run.outcome) ", " (grouped(run.rows)) " rows, " (duration(run.seconds)) }
                }
            }
        }
    }
}

/// Each table's error, with its code; without tables, the run's.
fn errors(sheet: &Sheet<'_>) -> Markup {
    let of_table = |(name, table): (&String, &TableReport)| match &table.outcome {
        Outcome::Failed(error) => Some((name.clone(), error.kind().name(), error.to_string())),
        Outcome::Locked { held_by } => Some((name.clone(), "skipped", format!("held by {held_by}"))),
        Outcome::Ok | Outcome::NotStarted(_) => None,
    };
    let mut errors: Vec<_> = sheet.run().into_iter().flat_map(|run| &run.tables).filter_map(of_table).collect();
    if errors.is_empty() && !sheet.answer.success() {
        errors.push((sheet.asked.mode.clone(), sheet.answer.error_type.unwrap_or_default(), sheet.answer.error().to_owned()));
    }
    html! {
        @if !errors.is_empty() {
            h2 { "Errors" }
            dl { @for (name, kind, sentence) in errors { dt { (name) span.kind { (kind) } } dd { (sentence) } } }
        }
    }
}

fn list<'a>(title: &str, items: impl Iterator<Item = &'a str>) -> Markup {
    let items: Vec<_> = items.collect();
    html! {
        @if !items.is_empty() {
            h2 { (title) }
            ul { @for item in items { li { (item) } } }
        }
    }
}

/// A number with a blank between its thousands.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// Bytes in the unit that leaves a short number.
fn bytes(count: u64) -> String {
    const UNITS: [(&str, f64); 3] = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    let unit = UNITS.iter().find(|(_, size)| count as f64 >= *size);
    unit.map_or_else(|| format!("{count} B"), |(unit, size)| format!("{:.1} {unit}", count as f64 / size))
}

fn duration(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let minutes = (seconds / 60.0).floor();
    format!("{minutes:.0} min {:.0} s", (seconds - minutes * 60.0).floor())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use indexmap::IndexMap;
    use uuid::Uuid;

    use super::*;
    use crate::error::{ErrorKind, SyncError};
    use crate::report::{Asked, Report, RowCounts, RunReport, body};

    const HOSTILE: &str = "<script>alert('x')</script>\"&";

    fn html(report: &Report) -> String {
        let ended = "2026-02-05T10:30:00.1239Z".parse().unwrap();
        let asked = Asked {
            mode: "multi_sync".to_owned(),
            warnings: vec![HOSTILE.to_owned()],
            elapsed: Duration::from_secs(75),
            ended,
            request_id: Some(HOSTILE.to_owned()),
        };
        let run = PastRun { at: ended, outcome: HOSTILE.to_owned(), rows: 1_234_567, seconds: 2.0 };
        let history = TableHistory { runs: vec![run; 3], fresh_at: Some(ended) };
        let histories = Some(IndexMap::from([(HOSTILE.to_owned(), history)]));
        Sheet { report, answer: &body::answer(report, &asked), asked: &asked, histories }.html()
    }

    fn run(outcome: Outcome) -> Report {
        let rows = RowCounts { read: 1_234_567, ..RowCounts::default() };
        let table = TableReport { rows, warnings: vec![HOSTILE.to_owned()], ..TableReport::new(HOSTILE, outcome) };
        let tables = [(HOSTILE.to_owned(), table)].into_iter().collect();
        Report::Run(RunReport { run_id: Uuid::nil(), dry_run: false, parallel: false, tables, warnings: Vec::new() })
    }

    #[test]
    fn everything_that_is_shown_is_escaped() {
        let error = || SyncError::new(ErrorKind::BadValue, HOSTILE);
        for report in [run(Outcome::Failed(error())), run(Outcome::Locked { held_by: HOSTILE.to_owned() }), Report::Failed(error())] {
            let html = html(&report);
            assert!(!html.contains("<script") && html.contains("&lt;script&gt;"), "{html}");
        }
    }

    #[test]
    fn what_went_wrong_is_told_with_its_table_and_code() {
        let error = SyncError::new(ErrorKind::TargetWrite, "the disk is full").with_remedy("Make room");
        let failed = html(&run(Outcome::Failed(error)));
        assert!(
            failed.contains("TargetWriteError") && failed.contains("the disk is full. Make room") && failed.contains("0 of 1"),
            "{failed}"
        );
        let left = html(&run(Outcome::NotStarted(crate::report::NotStarted::Deadline)));
        assert!(left.contains("not started: deadline"), "{left}");
    }

    #[test]
    fn bytes_and_numbers_are_short() {
        let cases = [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (12_345_678, "12.3 MB"), (9_876_543_210, "9.9 GB")];
        for (count, expected) in cases {
            assert_eq!(bytes(count), expected);
        }
    }

    #[test]
    fn the_page_has_the_tables_their_numbers_and_their_last_runs_and_fetches_nothing() {
        let html = html(&run(Outcome::Ok));
        let parts = [
            "succeeded</span>",
            "1\u{202f}234\u{202f}567",
            "1 min 15 s",
            "the last 3 runs",
            "2026-02-05T10:30:00.123Z",
            "1 of 1",
            "2026-02-05 10:30:00 UTC",
        ];
        for part in parts {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert_eq!(html.matches("<rect").count(), 3);
        for outside in ["http://", "https://", "src=", "href=", "url("] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}
