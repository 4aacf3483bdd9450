//! `info`: what the sources say of the tables, as far as they answer in time. One login per source.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use indexmap::IndexMap;
use tokio::time::timeout;

use super::TestJob;
use super::sources::Sources;

const APPLICATION: &str = "tablesync info";

/// How many columns the tables have at their sources, by table; those that were not told within `patience` are missing.
pub async fn count_columns(jobs: Vec<TestJob>, patience: Duration) -> HashMap<String, usize> {
    let mut by_source: IndexMap<(String, Option<String>), Vec<TestJob>> = IndexMap::new();
    for job in jobs {
        by_source.entry((job.source.db_type().to_owned(), job.config.sql_server_db.clone())).or_default().push(job);
    }
    let counted = Mutex::new(HashMap::new());
    let asking = by_source.into_values().map(|jobs| async {
        let mut sources = Sources::new(patience, APPLICATION);
        for job in jobs {
            let Ok(connection) = sources.connection(&job.source, &job.config).await else { return };
            let described = connection.describe(&job.config.sql_table).await;
            sources.asked(&job.source, &job.config, &described);
            if let Ok(described) = described {
                counted.lock().unwrap_or_else(PoisonError::into_inner).insert(job.config.name, described.description().columns.len());
            }
        }
    });
    // Whoever was slow is left out: what the others said stands.
    let _ = timeout(patience, join_all(asking)).await;
    counted.into_inner().unwrap_or_else(PoisonError::into_inner)
}
