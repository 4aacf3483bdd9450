//! What happened: reports of a run, and the events of its progress.

pub mod body;
pub mod metrics;
mod page;
mod plan;
mod progress;
mod run;
pub mod sheet;
pub mod telemetry;
mod verify;

pub use body::{Answer, Asked};
pub use plan::{
    Basis, Expected, Foreseen, ForeseenColumn, ForeseenDependent, ForeseenIncremental, ForeseenLock, LastSuccess, PlanReport, TablePlan,
};
pub use progress::{Phase, Progress, ProgressEvent, Quiet};
pub use run::{
    ForeseenRows, IncrementalReport, InfoReport, LastSync, Left, NotStarted, Outcome, PastRun, Report, RowCounts, RunReport, TableHistory,
    TableInfo, TableReport, TableTest, TableWatermark, TestReport,
};
pub use verify::{Comparison, Difference, DifferenceKind, OnlyNew, TableVerification, Verified, VerifyReport};
