//! Progress while a run is under way, on standard error: bars on a terminal, plain lines elsewhere.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::output::{count, duration, rate};
use crate::report::body::status_name;
use crate::report::{Phase, Progress, ProgressEvent, Quiet, TableReport};

const SPINNER: &str = "{spinner} {prefix} {msg}";
const BAR: &str = "{prefix} {wide_bar} {human_pos}/{human_len} rows {rate} eta {eta} {msg}";
const COUNTER: &str = "{spinner} {prefix} {human_pos} rows {rate} {msg}";
const MESSAGE: &str = "{msg}";
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Progress for this process's standard error, and the bars that its log lines must not tear.
pub(super) fn on_stderr(quiet: bool) -> (Arc<dyn Progress>, MultiProgress) {
    let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8));
    let progress: Arc<dyn Progress> = if quiet {
        Arc::new(Quiet)
    } else if io::stderr().is_terminal() {
        Arc::new(Bars { all: bars.clone(), tables: Mutex::default() })
    } else {
        Arc::new(Lines { out: Mutex::new(io::stderr()), tables: Mutex::default() })
    };
    (progress, bars)
}

/// Writes log lines above the bars.
#[derive(Clone)]
pub(super) struct AboveBars(pub(super) MultiProgress);

impl Write for AboveBars {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write_all(line)).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

struct Bars {
    all: MultiProgress,
    tables: Mutex<HashMap<String, ProgressBar>>,
}

impl Bars {
    fn with(&self, table: &str, show: impl FnOnce(&ProgressBar)) {
        if let Some(bar) = self.tables.lock().unwrap_or_else(PoisonError::into_inner).get(table) {
            show(bar);
        }
    }

    fn begin(&self, table: &str, position: usize, tables: usize) {
        let bar = self.all.add(ProgressBar::new_spinner()).with_style(style(SPINNER));
        bar.set_prefix(format!("[{position}/{tables}] {table}"));
        bar.set_message(phase_name(Phase::Planning));
        bar.enable_steady_tick(Duration::from_millis(200));
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).insert(table.to_owned(), bar);
    }
}

impl Progress for Bars {
    fn on(&self, event: &ProgressEvent<'_>) {
        match *event {
            ProgressEvent::Started { table, position, tables } => self.begin(table, position, tables),
            ProgressEvent::Reached { table, phase, rows_expected } => self.with(table, |bar| {
                if let (Phase::Copying, Some(rows)) = (phase, rows_expected) {
                    bar.set_length(rows);
                    bar.set_style(style(BAR));
                    bar.reset_eta();
                } else if phase == Phase::Copying {
                    bar.set_style(style(COUNTER));
                }
                bar.set_message(phase_name(phase));
            }),
            ProgressEvent::Rows { table, rows, .. } => self.with(table, |bar| {
                // The catalogue's count is an estimate: the bar must not run over its end.
                if bar.length().is_some_and(|length| rows > length) {
                    bar.set_length(rows);
                }
                bar.set_position(rows);
            }),
            ProgressEvent::Finished(report) => {
                self.with(&report.table, |bar| {
                    bar.set_style(style(MESSAGE));
                    bar.finish_with_message(ended(report));
                });
            }
        }
    }
}

/// The templates are constants of this file; should one be wrong, a plain bar is shown.
fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
        // Whole rows a second: `{per_sec}` would show four decimals.
        let rows = format!("{:.0}", state.per_sec()).parse().unwrap_or_default();
        let _ = write!(out, "{}/s", count(rows));
    })
}

struct Lines<W> {
    out: Mutex<W>,
    tables: Mutex<HashMap<String, Line>>,
}

/// What the plain lines remember of a table.
struct Line {
    began: Instant,
    said: Instant,
    expected: Option<u64>,
}

impl<W: Write> Lines<W> {
    fn say(&self, line: fmt::Arguments<'_>) {
        // Nobody can be told that standard error is gone.
        let _ = writeln!(self.out.lock().unwrap_or_else(PoisonError::into_inner), "{line}");
    }

    fn rows(&self, table: &str, rows: u64, now: Instant) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(line) = tables.get_mut(table).filter(|line| now.duration_since(line.said) >= LINE_EVERY) else { return };
        line.said = now;
        let elapsed = now.duration_since(line.began);
        let (expected, began) = (line.expected, rate(rows, elapsed));
        drop(tables);
        let of = expected.map(|expected| format!(" of about {}", count(expected))).unwrap_or_default();
        let left = expected.and_then(|expected| time_left(rows, expected, elapsed)).map(|left| format!(", {} left", duration(left)));
        self.say(format_args!("{table}: {}{of} rows, {began}{}", count(rows), left.unwrap_or_default()));
    }
}

impl<W: Write + Send> Progress for Lines<W> {
    fn on(&self, event: &ProgressEvent<'_>) {
        let now = Instant::now();
        match *event {
            ProgressEvent::Started { table, position, tables } => {
                let line = Line { began: now, said: now, expected: None };
                self.tables.lock().unwrap_or_else(PoisonError::into_inner).insert(table.to_owned(), line);
                self.say(format_args!("{table}: started ({position} of {tables})"));
            }
            ProgressEvent::Reached { table, phase, rows_expected } => {
                if let (Phase::Copying, Some(line)) = (phase, self.tables.lock().unwrap_or_else(PoisonError::into_inner).get_mut(table)) {
                    *line = Line { began: now, said: now, expected: rows_expected };
                }
            }
            ProgressEvent::Rows { table, rows, .. } => self.rows(table, rows, now),
            ProgressEvent::Finished(report) => self.say(format_args!("{}", ended(report))),
        }
    }
}

fn time_left(rows: u64, expected: u64, elapsed: Duration) -> Option<Duration> {
    let left = expected.checked_sub(rows)?;
    let millis = elapsed.as_millis().checked_mul(u128::from(left))?.checked_div(u128::from(rows))?;
    u64::try_from(millis).ok().map(Duration::from_millis)
}

fn ended(report: &TableReport) -> String {
    if !report.begun() {
        return format!("{}: {}", report.table, status_name(&report.outcome));
    }
    if let Some((source, _)) = report.counted {
        return format!("{}: {}, counted {} rows at the source", report.table, status_name(&report.outcome), count(source));
    }
    let rate = rate(report.rows.read, report.elapsed);
    let rate = if rate.is_empty() { rate } else { format!(", {rate}") };
    let (status, rows) = (status_name(&report.outcome), count(report.rows.read));
    format!("{}: {status}, {rows} rows in {}{rate}", report.table, duration(report.elapsed))
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Planning => "planning",
        Phase::Copying => "copying",
        Phase::Comparing => "comparing",
        Phase::Publishing => "publishing",
        Phase::Waiting => "waiting to begin again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{NotStarted, Outcome, RowCounts};

    fn lines() -> Lines<Vec<u8>> {
        Lines { out: Mutex::default(), tables: Mutex::default() }
    }

    fn said(lines: &Lines<Vec<u8>>) -> String {
        String::from_utf8(lines.out.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn plain_lines_tell_start_and_end_and_hold_back_in_between() {
        let lines = lines();
        lines.on(&ProgressEvent::Started { table: "a", position: 1, tables: 4 });
        for rows in 0..1000 {
            lines.on(&ProgressEvent::Rows { table: "a", rows, bytes: 0 });
        }
        let rows = RowCounts { read: 1000, ..RowCounts::default() };
        lines.on(&ProgressEvent::Finished(&TableReport { rows, elapsed: Duration::from_secs(2), ..TableReport::new("a", Outcome::Ok) }));
        lines.on(&ProgressEvent::Finished(&TableReport::new("b", Outcome::NotStarted(NotStarted::Deadline))));
        assert_eq!(said(&lines), "a: started (1 of 4)\na: ok, 1,000 rows in 2.0 s, 500/s\nb: not_started\n");
    }

    #[test]
    fn a_plain_line_has_rate_and_time_left_once_it_is_due() {
        let lines = lines();
        lines.on(&ProgressEvent::Started { table: "a", position: 1, tables: 1 });
        lines.on(&ProgressEvent::Reached { table: "a", phase: Phase::Copying, rows_expected: Some(4000) });
        let began = lines.tables.lock().unwrap()["a"].began;
        for (rows, second) in [(100, 1), (1000, 10), (1100, 11), (2000, 20)] {
            lines.rows("a", rows, began + Duration::from_secs(second));
        }
        let expected = "a: 1,000 of about 4,000 rows, 100/s, 30.0 s left\na: 2,000 of about 4,000 rows, 100/s, 20.0 s left\n";
        assert_eq!(said(&lines).split_once('\n').unwrap().1, expected);
    }

    #[test]
    fn a_bar_follows_its_table_and_stretches_when_the_estimate_was_low() {
        let bars = Bars { all: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()), tables: Mutex::default() };
        bars.on(&ProgressEvent::Started { table: "a", position: 2, tables: 4 });
        let bar = bars.tables.lock().unwrap()["a"].clone();
        assert_eq!((bar.prefix().as_str(), bar.message().as_str()), ("[2/4] a", "planning"));
        bars.on(&ProgressEvent::Reached { table: "a", phase: Phase::Copying, rows_expected: Some(100) });
        for (rows, length) in [(50, 100), (120, 120)] {
            bars.on(&ProgressEvent::Rows { table: "a", rows, bytes: 0 });
            assert_eq!((bar.position(), bar.length()), (rows, Some(length)));
        }
        bars.on(&ProgressEvent::Reached { table: "a", phase: Phase::Publishing, rows_expected: None });
        assert_eq!(bar.message(), "publishing");
        bars.on(&ProgressEvent::Finished(&TableReport::new("a", Outcome::Ok)));
        assert!(bar.is_finished() && bar.message().starts_with("a: ok"), "{}", bar.message());
    }

    #[test]
    fn the_bars_templates_are_sound() {
        for template in [SPINNER, BAR, COUNTER, MESSAGE] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
