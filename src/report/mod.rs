//! What happened: reports of a run, and the events of its progress.

mod progress;
mod run;

pub use progress::{Phase, Progress, ProgressEvent, Quiet};
pub use run::{InfoReport, LastSync, NotStarted, Outcome, Report, RowCounts, RunReport, TableInfo, TableReport, TableTest, TestReport};
