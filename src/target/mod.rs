//! PostgreSQL as the target: sessions, what stands there, staging, and how a change becomes visible.

mod add_columns;
mod blockers;
mod catalog;
mod create;
mod error;
mod foreign_key;
mod history;
mod lease;
mod lock;
mod offenders;
mod patience;
mod publish;
mod quarantine;
mod read_out;
mod remains;
mod seen;
mod sequence;
mod session;
mod staging;
mod state;
mod sync_meta;

pub use blockers::{Blocker, BlockerWatch};
pub use catalog::{Dependent, DependentKind, OnDelete, Swappable, TargetDescription};
pub use create::{NewColumn, NewIdentity, NewIndex, NewTable};
pub use error::{breaks_constraint, breaks_key, lacks_lock};
pub use foreign_key::NewForeignKey;
pub use lease::Lease;
pub use lock::{Lock, LockOutcome};
pub use patience::Patience;
pub use publish::{Foreseen, Foresight, Gone, Guards, NewRows, Publication, PublishWay, Published, StepLoad, StraightLoad, SwapLoad};
pub use session::{Login, Session};
pub use staging::{Load, Loaded};
pub use state::{RunRow, Started};
pub use sync_meta::{Advance, Reached, SyncMeta, Within};
