//! What a comparison of both sides has to know of a table that gets only what is new: which rows are not its target's fault.

use jiff::SignedDuration;

use super::checks::sync_column;
use crate::engine::full_refresh::TableJob;
use crate::engine::full_refresh::so_far::SoFar;
use crate::error::Result;
use crate::sources::{Connection, DescribedTable};
use crate::table::{Deletes, Edge, Incremental, OnConflict, Position, SyncColumn, SyncRange, Watermark, WatermarkKind, Window};
use crate::target::{Reached, Session};

/// Where a run was broken off, rows of the same moment may lie on both sides of its place.
const ONE_MOMENT: SignedDuration = SignedDuration::from_secs(1);

/// How far a table is copied, and what its runs do not look for.
pub(in crate::engine) struct Horizon {
    sync: Incremental,
    column: SyncColumn,
    reached: Reached,
}

impl TableJob {
    /// How far the table is copied; none where no run has brought a row yet. A snapshot of the target that is taken later has at least those rows.
    pub(in crate::engine) async fn horizon(
        &self,
        session: &Session,
        connection: &mut Connection,
        described: &DescribedTable,
        sync: &Incremental,
    ) -> Result<Option<Horizon>> {
        let place = self.place(session, &SoFar::new(), sync).await?;
        let column = sync_column(&self.config, sync, described.description())?;
        if sync.kind == WatermarkKind::ChangeTracking {
            self.check_tracked(connection, described, &place).await?;
        }
        Ok(place.stands.map(|reached| Horizon { sync: sync.clone(), column, reached }))
    }
}

impl Horizon {
    /// The rows that the next run reads, and those that it would if they had a moment; `key` are the key's columns at the source.
    pub(in crate::engine) fn ahead(&self, key: &[String]) -> Vec<Window> {
        let Reached { watermark, within, .. } = &self.reached;
        let key = key.to_vec();
        match *watermark {
            Watermark::Change(since) => {
                let changed = [Window::Changed { since, key: key.clone() }, Window::Gone { since, key: key.clone() }];
                let rest = within.as_ref().map(|within| {
                    let from = Some(Edge::Behind(Position { watermark: *watermark, key: within.after.clone() }));
                    Window::Range(SyncRange { column: self.column.clone(), key, from, to: Edge::After(within.until) })
                });
                changed.into_iter().chain(rest).collect()
            }
            Watermark::Timestamp(_) | Watermark::Rowversion(_) => {
                let lag = if within.is_some() { self.sync.lag.max(ONE_MOMENT) } else { self.sync.lag };
                vec![Window::Later { column: self.column.clone(), than: watermark.before(lag) }]
            }
        }
    }

    /// Which those are, in words.
    pub(in crate::engine) fn ahead_of(&self) -> String {
        let (Reached { watermark, .. }, name) = (&self.reached, &self.column.name);
        match self.sync.kind {
            WatermarkKind::Timestamp => {
                let (from, lag) = (watermark.before(self.sync.lag), self.sync.lag.as_secs());
                format!("{name} after {from}, which is the watermark less {lag} s, or NULL")
            }
            WatermarkKind::Rowversion => format!("{name} after {watermark}"),
            WatermarkKind::ChangeTracking => format!("changed since version {watermark}, or not copied before"),
        }
    }

    /// Whether no run deletes rows that are gone from the source.
    pub(in crate::engine) fn keeps_rows(&self) -> bool {
        self.sync.kind != WatermarkKind::ChangeTracking && self.sync.deletes == Deletes::Ignore
    }

    /// Whether no run writes a row that stands.
    pub(in crate::engine) fn leaves_rows_alone(&self) -> bool {
        self.sync.on_conflict == OnConflict::Nothing
    }

    /// Whether rows that are gone are looked for now and then.
    pub(in crate::engine) fn compares_keys(&self) -> bool {
        self.sync.kind != WatermarkKind::ChangeTracking && self.sync.deletes == Deletes::Keys
    }
}
