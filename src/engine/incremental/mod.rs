//! One table that gets only what is new: lock, plan, and then in steps: read, stage, merge and advance.
//!
//! Crash story. What the target has and what `sync_meta` says of it change in one transaction, so the watermark is never ahead of the rows, nor the rows
//! of a step half there. A step ends at a row, known by its sync column and its key, or at the source's clock at the beginning of the run. Whoever dies
//! between two steps leaves the row of `sync_meta` at the last one: the next run goes on behind it, up to the end that the dead one had set itself, and reads
//! once more what transactions may have committed late before that end. Whoever dies within a step leaves a staging table, which the next run removes.
//! Reading twice is harmless: a row is known by its key. `sync_meta` itself is made in a transaction of its own before the first step; so is a missing target.

mod ahead;
mod changes;
mod checks;
mod foresee;
mod gone;
mod horizon;
mod outline;
mod steps;
mod stretch;

use self::ahead::Connections;
use self::changes::Changes;
use self::checks::{check_key, check_key_digits, check_place, check_tracked_key, sync_column};
pub(super) use self::foresee::Known;
pub(super) use self::gone::{INCREMENTAL, WITH_KEYS, keys_of};
pub(super) use self::horizon::Horizon;
pub(super) use self::outline::{Coming, Outline};
use self::steps::Leg;
use self::stretch::{Stretch, stretches};
use super::full_refresh::TableJob;
use super::full_refresh::so_far::SoFar;
use super::plan::SyncPlan;
use crate::error::{ErrorKind, Result, SyncError};
use crate::failpoint;
use crate::report::{IncrementalReport, Phase};
use crate::sources::{Connection, DescribedTable};
use crate::table::{Edge, Incremental, Position, SyncColumn, SyncRange, Watermark, WatermarkKind};
use crate::target::{Advance, Published, Reached, Session, SyncMeta, TargetDescription};

/// What a run knows of a table before its first row moves.
struct Course<'a> {
    sync: &'a Incremental,
    plan: SyncPlan,
    described: DescribedTable,
    column: SyncColumn,
    /// The key's columns at the source.
    key: Vec<String>,
    place: Place,
    /// Whether the target had no row.
    empty: bool,
    /// Whether the target itself keeps NULL out of its key; else staged rows are asked.
    enforced: bool,
    /// Whether an index of the source finds a range of rows.
    is_sought: bool,
}

/// What a run begins with.
struct Outset<'a> {
    sync: &'a Incremental,
    connection: Connection,
    described: DescribedTable,
    place: Place,
}

/// Where the watermark is written down.
struct Place {
    meta: SyncMeta,
    /// What stands there.
    stands: Option<Reached>,
    /// Under which other name.
    known_as: Option<String>,
    /// Whether the next step begins anew, whatever stands there.
    anew: bool,
    /// The columns by which rows have their order, once they are known.
    order: Vec<String>,
    /// The name in a row of `sync_meta` that speaks of a table which is not there any more, and will be made.
    outlived: Option<String>,
}

impl Place {
    /// What the run goes on from.
    fn begins_at(&self) -> Option<&Reached> {
        self.stands.as_ref().filter(|_| !self.anew)
    }

    /// A step forward to `to`.
    fn advance(&self, to: Reached) -> Advance {
        let to = Reached { by: Some(self.order.clone()), ..to };
        Advance { meta: self.meta.clone(), before: self.stands.clone(), known_as: self.known_as.clone(), to, anew: self.anew }
    }

    /// What was committed is the next step's beginning.
    fn moved(&mut self, to: Reached) {
        self.stands = Some(to);
        self.known_as = None;
        self.anew = false;
    }
}

impl TableJob {
    /// Brings what is new, as far as the source is when it begins.
    pub(in crate::engine) async fn catch_up(&self, session: &mut Session, so_far: &mut SoFar, sync: &Incremental) -> Result<Published> {
        self.reached(Phase::Planning, None);
        let (connection, described) = self.run.stop.or_done(self.describe_source()).await?;
        failpoint::reached("source_described");
        let mut place = self.place(session, so_far, sync).await?;
        so_far.warnings.extend(place.meta.change());
        self.run.stop.or_done(async { session.make_sync_meta(&mut place.meta).await }).await?;
        so_far.warnings.extend(self.outlived(&place));
        if let Some(name) = place.outlived.take() {
            // Before the table is made: whoever died between the two would leave one that seems to have its rows.
            self.run.stop.or_done(async { session.forget_reached(&place.meta, &name).await }).await?;
        }
        let outset = Outset { sync, connection, described, place };
        let (connection, course) = self.course(session, so_far, outset).await?;
        failpoint::reached("planned");
        Box::pin(self.copy_new(session, so_far, connection, course)).await
    }

    /// That a watermark speaks of a table which is not there any more.
    fn outlived(&self, place: &Place) -> Option<String> {
        let table = &self.config.pg_table;
        place.outlived.is_some().then(|| format!("{table} is not there any more: it is made, and all rows are brought"))
    }

    /// Whether the request says so.
    fn begins_anew(&self) -> bool {
        self.run.reset.contains(&self.config.name)
    }

    /// Where the watermark is kept, and what it is.
    async fn place(&self, session: &Session, so_far: &SoFar, sync: &Incremental) -> Result<Place> {
        let patience = session.patience();
        let looking = async {
            let meta = session.sync_meta().await?;
            let names = self.config.names_of_progress();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let known = match self.begins_anew() {
                // Whatever it says, it is not gone by; what cannot be understood is written over.
                true => session.reached(&meta, &names, sync.kind).await.unwrap_or_default(),
                false => session.reached(&meta, &names, sync.kind).await?,
            };
            let outlived = known.is_some() && self.config.options.create_tables && !session.has_table(&self.config.pg_table).await?;
            Ok((meta, known, outlived))
        };
        let (meta, known, outlived) = self.run.stop.or_done(patience.wait(looking)).await?;
        let (stands, name) = known.unzip();
        let anew = self.begins_anew() && !so_far.began_anew;
        if outlived {
            return Ok(Place { meta, stands: None, known_as: None, anew, order: Vec::new(), outlived: name });
        }
        let known_as = name.filter(|name| *name != self.config.name);
        Ok(Place { meta, stands, known_as, anew, order: Vec::new(), outlived: None })
    }

    /// Plans the run; a missing target is made first, so that steps can be committed into it.
    async fn course<'a>(&self, session: &mut Session, so_far: &mut SoFar, outset: Outset<'a>) -> Result<(Connection, Course<'a>)> {
        let Outset { sync, mut connection, mut described, mut place } = outset;
        let column = sync_column(&self.config, sync, described.description())?;
        if sync.kind == WatermarkKind::ChangeTracking {
            self.check_tracked(&mut connection, &described, &place).await?;
        }
        let mut standing = self.standing(session).await?;
        self.define(&mut connection, &mut described, standing.is_none()).await?;
        let mut plan = self.plan(session, described.description(), standing.as_ref(), so_far).await?;
        if standing.is_none() {
            let patience = session.patience();
            let made = self.run.stop.or_done(patience.wait(session.make_table(&plan.publication))).await?;
            failpoint::reached("target_made");
            so_far.warnings.extend(plan.warnings.drain(..).chain(made));
            standing = self.standing(session).await?;
            plan = self.plan(session, described.description(), standing.as_ref(), so_far).await?;
        }
        let standing = standing
            .ok_or_else(|| SyncError::new(ErrorKind::TargetSchema, format!("there is no table {} in the target", self.config.pg_table)))?;
        check_key(&self.config, &plan, &standing)?;
        so_far.refresh = Some(INCREMENTAL);
        so_far.warnings.append(&mut plan.warnings);
        let is_sought = self.look_at_column(&mut connection, so_far, &described, &column).await?;
        let key: Vec<String> = plan.key.iter().map(|&position| plan.columns[position].source.clone()).collect();
        check_key_digits(&self.config, described.description(), &key)?;
        if sync.kind == WatermarkKind::ChangeTracking {
            check_tracked_key(&self.config, described.description(), &key)?;
        }
        place.order = order(&column, &key);
        check_place(&self.config, &place)?;
        let enforced = standing.enforces_key(&plan.publication.key);
        if place.begins_at().is_some() && !plan.publication.add_columns().is_empty() {
            let name = &self.config.name;
            so_far.warnings.push(format!(
                "rows that were copied before have nothing in the new columns, unless with --reset {name} and on_conflict \"update\""
            ));
        }
        let course = Course { sync, plan, described, column, key, place, empty: standing.empty, enforced, is_sought };
        so_far.warnings.extend(self.look_for_emptied(&mut connection, &course).await?);
        Ok((connection, course))
    }

    /// What the reader should know of a target that is empty where the watermark says that it has rows.
    async fn look_for_emptied(&self, connection: &mut Connection, course: &Course<'_>) -> Result<Option<String>> {
        let Some(Reached { watermark, within: None, .. }) = course.place.begins_at().filter(|_| course.empty) else { return Ok(None) };
        if watermark.kind() == WatermarkKind::ChangeTracking {
            return Ok(None);
        }
        let before = Edge::After(watermark.before(course.sync.lag));
        let range = SyncRange { column: course.column.clone(), key: course.key.clone(), from: None, to: before };
        let looking = connection.nth_row(&self.config.sql_table, &range, &course.described, 1);
        let first = self.run.stop.or_done(looking).await?;
        Ok(first.map(|_| {
            format!(
                "{} is empty, and {} says that it is copied up to {watermark}: rows before that do not come again, unless with --reset {}",
                self.config.pg_table,
                course.place.meta.name(),
                self.config.name
            )
        }))
    }

    async fn standing(&self, session: &Session) -> Result<Option<TargetDescription>> {
        let describing = session.describe_for(&self.config.pg_table, self.config.options.refresh);
        self.run.stop.or_done(session.patience().wait(describing)).await
    }

    /// Warns of what the reader should know of the sync column; returns whether an index finds a range of it.
    async fn look_at_column(
        &self,
        connection: &mut Connection,
        so_far: &mut SoFar,
        described: &DescribedTable,
        column: &SyncColumn,
    ) -> Result<bool> {
        let (table, name) = (&self.config.sql_table, &column.name);
        if column.kind == WatermarkKind::ChangeTracking {
            // Rows are known by the primary key, which has an index.
            return Ok(true);
        }
        let looking = async {
            let nullable = described.description().columns.iter().any(|known| known.name == *name && known.nullable);
            let never = connection.count_timeless(table, name, nullable).await?;
            Ok((never, connection.leads_an_index(table, described, name).await?))
        };
        let (never, is_sought) = self.run.stop.or_done(looking).await?;
        if never > 0 {
            so_far.warnings.push(format!("{never} rows of {table} have no moment in {name}: they can never be synced until they have one"));
        }
        if !is_sought {
            so_far.warnings.push(format!("no index of the source begins with the sync column {name}, so every run scans {table}"));
        }
        Ok(is_sought)
    }

    /// Reads how far the source is, and copies up to there.
    async fn copy_new(
        &self,
        session: &mut Session,
        so_far: &mut SoFar,
        mut connection: Connection,
        mut course: Course<'_>,
    ) -> Result<Published> {
        let newest = self.newest(&mut connection, &course.column, &course.described, so_far).await?;
        let ahead = self.ahead(session, &course, newest).await?;
        let begins = course.place.begins_at().map(|reached| reached.watermark.to_string());
        let to = ahead.last().map_or(newest, |(stretch, _)| stretch.to);
        so_far.incremental = Some(IncrementalReport { from: begins, to: Some(to.to_string()), foreseen: None });
        so_far.refresh_reason = Some(reason(&course));
        self.reached(Phase::Copying, None);
        if ahead.is_empty() {
            let stands = course.place.stands.clone().unwrap_or_else(|| Reached::up_to(newest));
            return self.publish_nothing(session, so_far, &mut course, stands).await;
        }
        let (count, mut published) = (ahead.len(), Published::default());
        let mut connections = Connections::new(connection);
        for (index, (stretch, keys_due)) in ahead.into_iter().enumerate() {
            let last = index + 1 == count;
            published = match stretch.changes_since() {
                Some(since) => {
                    let changes = Changes { connections: &mut connections, since, to: stretch.to, last };
                    self.copy_changes(session, so_far, &mut course, changes).await?
                }
                None => {
                    let leg = Leg { connections: &mut connections, stretch, last, keys_due };
                    self.copy_stretch(session, so_far, &mut course, leg).await?
                }
            };
        }
        Ok(published)
    }

    async fn newest(
        &self,
        connection: &mut Connection,
        column: &SyncColumn,
        described: &DescribedTable,
        so_far: &mut SoFar,
    ) -> Result<Watermark> {
        let zone = self.config.options.source_time_zone.as_ref();
        let newest = self.run.stop.or_done(connection.newest(&self.config.sql_table, column, described, zone)).await?;
        so_far.warnings.extend(newest.note);
        Ok(newest.watermark)
    }

    /// What the run has to read, in order, each with whether keys are compared at its end.
    async fn ahead(&self, session: &Session, course: &Course<'_>, newest: Watermark) -> Result<Vec<(Stretch, bool)>> {
        let mut stretches = self.stretches(course, newest)?;
        let nothing = stretches.is_empty();
        if nothing && course.sync.kind != WatermarkKind::ChangeTracking {
            // No row is new, and some may be gone.
            stretches.push(Stretch { from: Some(Edge::After(newest)), to: newest, into_empty: false });
        }
        let count = stretches.len();
        let mut ahead = Vec::with_capacity(count);
        for (index, stretch) in stretches.into_iter().enumerate() {
            // Changes tell by themselves what is gone.
            let looks = stretch.changes_since().is_none();
            let keys_due = looks && self.keys_are_due(session, course, &stretch, index + 1 == count).await?;
            ahead.extend((keys_due || !nothing).then_some((stretch, keys_due)));
        }
        Ok(ahead)
    }

    fn stretches(&self, course: &Course<'_>, newest: Watermark) -> Result<Vec<Stretch>> {
        stretches(course.place.begins_at(), newest, course.sync.lag, course.empty && course.enforced).map_err(|stands| {
            let sentence = format!("{} is copied up to {stands}, and the source of it is only at {newest}", self.config.name);
            SyncError::new(ErrorKind::SourceRead, sentence).with_remedy(format!(
                "Was the source restored, or its clock put back? Rows may differ that no watermark tells of: begin anew with --reset {}",
                self.config.name
            ))
        })
    }
}

/// Why the table is brought in this way, in one sentence.
fn reason(course: &Course<'_>) -> String {
    let by = match course.sync.kind {
        WatermarkKind::Timestamp => format!("by {}, {} s of it read again", course.column.name, course.sync.lag.as_secs()),
        WatermarkKind::Rowversion => format!("by the rowversion {}", course.column.name),
        WatermarkKind::ChangeTracking => "by Change Tracking".to_owned(),
    };
    match course.place.begins_at() {
        None => format!("a first run brings all rows {by}"),
        Some(Reached { within: Some(_), watermark, .. }) => format!("a run before was ended at {watermark}, and is gone on with {by}"),
        Some(_) => format!("sync says so: {by}"),
    }
}

/// The columns by which rows have their order.
fn order(column: &SyncColumn, key: &[String]) -> Vec<String> {
    let range = SyncRange { column: column.clone(), key: key.to_vec(), from: None, to: Edge::After(Watermark::Change(0)) };
    range.order().cloned().collect()
}

/// The end of a step.
fn end_of(position: Option<Position>, to: Watermark) -> Edge {
    position.map_or(Edge::After(to), Edge::Behind)
}
