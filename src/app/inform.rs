//! `info`: every configured table, those of the list among them, with what the sources and the targets say of them in time.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::App;
use super::choice::Chosen;
use crate::config::{Settings, TableConfig};
use crate::engine::{Stop, TestJob, count_columns};
use crate::error::{Result, SyncError};
use crate::report::{InfoReport, LastSync, TableInfo, TableWatermark};
use crate::target::Session;

/// How long each server is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the target knows of its tables, by their names there.
#[derive(Default)]
struct Known {
    last_runs: Vec<(String, LastSync)>,
    watermarks: Vec<(String, TableWatermark)>,
}

impl App {
    /// Describes the configuration; what a database cannot be asked in time stays unknown.
    pub(super) async fn inform(&self, chosen: &mut Chosen, stop: &Stop) -> InfoReport {
        let Chosen { settings, list, notes } = chosen;
        let described = join_all([&mut *settings].into_iter().chain(list.as_mut()).map(|settings| self.describe(settings, stop))).await;
        InfoReport {
            default_sync_order: settings.tables.default_sync_order.clone(),
            tables: described.into_iter().flatten().collect(),
            warnings: std::mem::take(notes),
        }
    }

    async fn describe(&self, settings: &mut Settings, stop: &Stop) -> Vec<TableInfo> {
        let tables: Vec<TableConfig> = settings.tables.tables.values().cloned().collect();
        match timeout(PATIENCE, stop.or_done(self.add_secrets(settings, &tables))).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("what needs a secret stays unknown: {error}"),
            Err(_) => tracing::warn!("Secrets Manager did not answer within {} s", PATIENCE.as_secs()),
        }
        let asked = tables.iter().filter(|config| config.columns.is_none());
        let job = |config: &TableConfig| Some(TestJob { config: config.clone(), source: settings.source(&config.db_type).ok()? });
        let counting = count_columns(asked.filter_map(job).collect(), PATIENCE);
        let (known, counted) = tokio::join!(timeout(PATIENCE, ask_target(settings)), counting);
        let known = match known {
            Ok(Ok(known)) => known,
            Ok(Err(error)) => {
                tracing::warn!("the target could not be asked for the last runs: {error}");
                Known::default()
            }
            Err(_) => {
                tracing::warn!("the target did not answer within {} s", PATIENCE.as_secs());
                Known::default()
            }
        };
        let describe = |config: TableConfig| TableInfo {
            column_count: config.columns.as_ref().map(Vec::len).or_else(|| counted.get(&config.name).copied()),
            sql_server_db: config.sql_server_db.clone().or_else(|| settings.source(&config.db_type).ok()?.database().map(str::to_owned)),
            refresh: if config.options.incremental.is_some() { "incremental" } else { config.options.refresh.name() },
            last_sync: known.last_runs.iter().find(|(table, _)| *table == config.name).map(|(_, last)| last.clone()),
            watermark: known.watermark_of(&config),
            table_name: config.name,
            description: config.description,
            sql_table: config.sql_table_text,
            pg_table: config.pg_table_text,
            db_type: config.db_type,
            batch_size: config.batch_size,
        };
        tables.into_iter().map(describe).collect()
    }
}

impl Known {
    /// How far an incremental table is copied, by the first of its names that is known.
    fn watermark_of(&self, config: &TableConfig) -> Option<TableWatermark> {
        config.options.incremental.as_ref()?;
        let known = |name: &String| self.watermarks.iter().find(|(table, _)| table == name).map(|(_, reached)| reached.clone());
        config.names_of_progress().iter().find_map(known)
    }
}

/// The last runs of all tables, and the watermarks of those that get only what is new.
async fn ask_target(settings: &Settings) -> Result<Known> {
    let session = Session::open(&settings.target()?, "tablesync info").await?;
    let last_runs = session.last_runs().await?;
    let incremental = settings.tables.tables.values().any(|config| config.options.incremental.is_some());
    let unknown = |error: &SyncError| tracing::warn!("how far the incremental tables are copied stays unknown: {error}");
    let watermarks = if incremental { session.watermarks().await.inspect_err(unknown).unwrap_or_default() } else { Vec::new() };
    Ok(Known { last_runs, watermarks })
}
