//! What `verify` shows a person.

use super::output::{count, duration, failure, table};
use crate::report::{Verified, VerifyReport};

/// So many differences of a table are listed; all that were named are in the JSON.
const LISTED_MAX: usize = 20;

/// The summary.
pub(super) fn verified(report: &VerifyReport) -> String {
    let mut shown = table(["table", "result", "source rows", "target rows", "compared", "differ", "missing", "extra", "time"], 2);
    for (name, table) in &report.tables {
        let (result, counts) = match &table.verified {
            Verified::Compared(found) => {
                let counts =
                    [found.source_rows, found.target_rows, found.compared_rows, found.differing, found.missing, found.extra].map(count);
                let result = match (table.agrees(), found.sampled) {
                    (true, false) => "agrees",
                    (true, true) => "agrees (sample)",
                    (false, false) => "differs",
                    (false, true) => "differs (sample)",
                };
                (result, counts)
            }
            Verified::Failed(_) => ("failed", Default::default()),
            Verified::NotStarted(_) => ("not started", Default::default()),
        };
        let [source, target, compared, differing, missing, extra] = counts;
        let time = duration(table.elapsed);
        shown.add_row([name.clone(), result.to_owned(), source, target, compared, differing, missing, extra, time]);
    }
    let agreeing = report.tables.values().filter(|table| table.agrees()).count();
    format!("{shown}\n{agreeing} of {} tables agree; nothing was written.\n", report.tables.len())
}

/// The differences and failures, for standard error.
pub(super) fn failures(report: &VerifyReport) -> String {
    let mut text = String::new();
    for (name, table) in &report.tables {
        match &table.verified {
            Verified::Compared(found) => {
                for difference in found.differences.iter().take(LISTED_MAX) {
                    text.push_str(&format!("difference in table {name}: {}\n", difference.sentence()));
                }
                let more = found.different().saturating_sub(u64::try_from(LISTED_MAX.min(found.differences.len())).unwrap_or(0));
                if found.differences.is_empty() {
                    // Without a key no row can be named, in the JSON neither.
                    found.sentence().iter().for_each(|counts| text.push_str(&format!("differences in table {name}: {counts}\n")));
                } else if more > 0 {
                    text.push_str(&format!("differences in table {name}: {} more; --json lists up to 1,000\n", count(more)));
                }
            }
            Verified::Failed(error) => text.push_str(&failure(Some(name), error)),
            Verified::NotStarted(_) => {}
        }
    }
    text
}
