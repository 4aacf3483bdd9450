//! A run as a page that a person reads. Whatever comes from a table, a server or a file is escaped by the template.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::body::status_name;
use super::sheet::Sheet;
use super::{Outcome, PastRun, TableHistory, TableReport};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem;color:#1c2530;background:#fff}\
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}.facts{color:#5a6675;margin:.2rem 0 1.5rem}\
table{border-collapse:collapse;width:100%}th,td{padding:.35rem .6rem;text-align:left;border-bottom:1px solid #e3e7ec;vertical-align:top}\
th{color:#5a6675;font-weight:600}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.scroll{overflow-x:auto}\
.ok{color:#176b3a}.failed,.not_started{color:#b3261e}.skipped{color:#8a5a00}.badge{font-weight:600}\
ul{padding-left:1.2rem}li{margin:.3rem 0;overflow-wrap:anywhere}.bar-succeeded{fill:#4c956c}.bar-failed{fill:#c8553d}.bar-other{fill:#b9c0c8}\
@media(prefers-color-scheme:dark){body{color:#dfe5ec;background:#14181d}th,.facts{color:#94a1b0}th,td{border-color:#2a323b}\
.ok{color:#6fcf97}.failed,.not_started{color:#ff8a80}.skipped{color:#e0b050}}";

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
                    div.scroll { (tables(sheet, run.tables.iter())) }
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

fn tables<'a>(sheet: &Sheet<'_>, tables: impl Iterator<Item = (&'a String, &'a TableReport)>) -> Markup {
    html! {
        table {
            thead {
                tr {
                    th { "Table" } th { "Status" } th { "Refresh" }
                    @for name in ["Rows", "Inserted", "Updated", "Deleted", "Unchanged", "Bytes", "Time"] { th.n { (name) } }
                    th { "Last runs" }
                }
            }
            tbody {
                @for (name, table) in tables {
                    tr {
                        td { (name) }
                        td { span.badge.(status_name(&table.outcome)) { (status_name(&table.outcome)) } }
                        td { (table.refresh.unwrap_or_default()) }
                        @for count in [table.rows.read, table.rows.inserted, table.rows.updated, table.rows.deleted, table.rows.unchanged, table.bytes] {
                            td.n { (grouped(count)) }
                        }
                        td.n { (duration(table.elapsed.as_secs_f64())) }
                        td { (sheet.histories.as_ref().and_then(|histories| histories.get(name)).map(trend).unwrap_or_default()) }
                    }
                }
            }
        }
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

fn errors(sheet: &Sheet<'_>) -> Markup {
    let of_tables = sheet.run().into_iter().flat_map(|run| &run.tables).filter_map(|(name, table)| match &table.outcome {
        Outcome::Failed(error) => Some(format!("{name}: {error}")),
        Outcome::Locked { held_by } => Some(format!("{name}: skipped, held by {held_by}")),
        Outcome::Ok | Outcome::NotStarted(_) => None,
    });
    let mut errors: Vec<String> = of_tables.collect();
    if errors.is_empty() && !sheet.answer.success() {
        errors.push(sheet.answer.error().to_owned());
    }
    list("Errors", errors.iter().map(String::as_str))
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
        let history = TableHistory { runs: vec![run; 3], fresh_at: None };
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
    fn the_page_has_the_tables_their_numbers_and_their_last_runs_and_fetches_nothing() {
        let html = html(&run(Outcome::Ok));
        for part in ["succeeded</span>", "1\u{202f}234\u{202f}567", "1 min 15 s", "the last 3 runs", "2026-02-05T10:30:00.123Z"] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert_eq!(html.matches("<rect").count(), 3);
        for outside in ["http://", "https://", "src=", "href=", "url("] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}
