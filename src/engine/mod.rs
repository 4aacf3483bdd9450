//! Plans and runs refreshes: what to do with each table, in which order, and what came of it.

mod broke_down;
mod drift;
mod foreign_keys;
mod full_refresh;
mod incremental;
mod inform;
mod money;
mod parallel;
mod plan;
mod plan_tables;
mod planning;
mod pump;
mod reading;
mod retry;
mod run;
mod run_context;
mod sources;
mod stop;
mod test_connections;
mod verify;

pub use full_refresh::TableJob;
pub use inform::count_columns;
pub use plan::{PlannedColumn, SyncPlan, plan};
pub use plan_tables::plan_tables;
pub use retry::Unreachable;
pub use run::run_tables;
pub use run_context::RunContext;
pub use stop::{Stop, StopReason};
pub use test_connections::{TestJob, test_connections};
pub use verify::verify_tables;
