//! Which configuration a request works with: the table configuration, or the list of tables that `CONFIG_PATH` names.
//!
//! `incremental_sync` has the list where there is one, every other mode the table configuration where there is one. Each takes the other where its own is
//! not there, or where only the other knows the tables that are asked for. `info` shows both. What `--config` names is the only one.

use super::App;
use crate::config::{ConfigPlace, Settings};
use crate::error::{ErrorKind, Result, SyncError};
use crate::request::{Mode, Request, tidy_names};

/// What a request works with.
#[derive(Debug)]
pub(super) struct Chosen {
    /// The settings that it is done with.
    pub(super) settings: Settings,
    /// The list of tables beside them, where both are shown.
    pub(super) list: Option<Settings>,
    /// What the caller should know about the choice.
    pub(super) notes: Vec<String>,
}

impl Chosen {
    fn only(settings: Settings) -> Self {
        Self { settings, list: None, notes: Vec::new() }
    }

    fn noting(self, notes: impl IntoIterator<Item = String>) -> Self {
        Self { notes: notes.into_iter().collect(), ..self }
    }
}

impl App {
    /// The settings that a request needs.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], as [`Settings::load`] and [`crate::aws::Aws::get_text`] say why, and where there is no configuration at all.
    pub(super) async fn choose(&self, request: &Request) -> Result<Chosen> {
        if self.config.is_some() {
            return self.table_configuration().await?.map(Chosen::only).ok_or_else(|| self.nowhere());
        }
        match request.mode {
            Mode::Info => self.choose_all().await,
            Mode::IncrementalSync => self.choose_list_first(request).await,
            Mode::MultiSync | Mode::SingleSync | Mode::MultiTest | Mode::Verify | Mode::Plan => self.choose_tables_first(request).await,
        }
    }

    async fn choose_list_first(&self, request: &Request) -> Result<Chosen> {
        let Some(list) = self.list().await? else {
            let tables = self.table_configuration().await?.ok_or_else(|| self.nowhere())?;
            let missing = self.env.get("CONFIG_PATH").map(|path| {
                format!("CONFIG_PATH names {path}, which is not there: these are the tables with \"sync\" of {}", tables.path.display())
            });
            return Ok(Chosen::only(tables).noting(missing));
        };
        let names = named(request);
        if knows(&list, &names) {
            return Ok(Chosen::only(list));
        }
        match self.table_configuration().await {
            Ok(Some(tables)) if knows(&tables, &names) => Ok(Chosen::only(tables)),
            Ok(Some(tables)) => Ok(Chosen { notes: vec![elsewhere(&names, &list, &tables)], ..Chosen::only(list) }),
            Ok(None) | Err(_) => Ok(Chosen::only(list)),
        }
    }

    async fn choose_tables_first(&self, request: &Request) -> Result<Chosen> {
        let Some(tables) = self.table_configuration().await? else {
            return self.list().await?.map(Chosen::only).ok_or_else(|| self.nowhere());
        };
        let names = named(request);
        // A run of all tables is not about the list, and whoever only looks is told that there is one.
        if names.is_empty() && matches!(request.mode, Mode::MultiSync | Mode::SingleSync) {
            return Ok(Chosen::only(tables));
        }
        let (list, problem) = self.list_besides().await;
        let Some(list) = list else { return Ok(Chosen::only(tables).noting(problem)) };
        if names.is_empty() {
            let listed = list.tables.default_sync_order.join(",");
            let note = format!("{} lists tables of its own, which are asked for by name: --tables={listed}", list.path.display());
            return Ok(Chosen::only(tables).noting([note]));
        }
        match (knows(&tables, &names), knows(&list, &names)) {
            (false, true) => Ok(Chosen::only(list)),
            (true, _) => Ok(Chosen::only(tables)),
            (false, false) => Ok(Chosen { notes: vec![elsewhere(&names, &tables, &list)], ..Chosen::only(tables) }),
        }
    }

    async fn choose_all(&self) -> Result<Chosen> {
        match self.table_configuration().await? {
            Some(settings) => {
                let (list, problem) = self.list_besides().await;
                Ok(Chosen { settings, list, notes: problem.into_iter().collect() })
            }
            None => self.list().await?.map(Chosen::only).ok_or_else(|| self.nowhere()),
        }
    }

    /// The list beside a table configuration, or what is wrong with it; a `config.json` that nobody has named may be of something else.
    async fn list_besides(&self) -> (Option<Settings>, Option<String>) {
        match self.list().await {
            Ok(list) => (list, None),
            Err(error) if self.env.get("CONFIG_PATH").is_some() => (None, Some(format!("the list of CONFIG_PATH is left out: {error}"))),
            Err(error) => {
                tracing::debug!("config.json is left out: {error}");
                (None, None)
            }
        }
    }

    /// Every configuration that there is, good or bad: for a look at all of them.
    pub async fn all_settings(&self) -> Vec<Result<Settings>> {
        let tables = self.table_configuration().await.transpose();
        let list = match (&self.config, &tables) {
            (Some(_), _) => None,
            (None, None) => self.list().await.transpose(),
            (None, Some(_)) => match self.list_besides().await {
                (list, None) => list.map(Ok),
                (_, Some(_)) => self.list().await.transpose(),
            },
        };
        let found: Vec<_> = tables.into_iter().chain(list).collect();
        if found.is_empty() { vec![Err(self.nowhere())] } else { found }
    }

    fn nowhere(&self) -> SyncError {
        let shown = |place: Result<ConfigPlace>| place.map(|place| place.to_string()).unwrap_or_default();
        let (tables, list) = (shown(ConfigPlace::find(&self.env, self.config.as_deref())), shown(ConfigPlace::find_list(&self.env)));
        let sentence = format!("there is neither a table configuration ({tables}) nor a list of tables ({list})");
        SyncError::new(ErrorKind::Config, sentence)
            .with_remedy("Name the table configuration with --config or TABLE_CONFIGS, or the list of incremental_sync with CONFIG_PATH")
    }
}

/// The tables that a request names.
fn named(request: &Request) -> Vec<String> {
    tidy_names(request.tables.iter().chain(&request.reset).map(String::as_str))
}

fn knows(settings: &Settings, names: &[String]) -> bool {
    names.iter().all(|name| settings.tables.tables.contains_key(name))
}

/// A sentence about tables of `other`, where `own` does not know all of `names`.
fn elsewhere(names: &[String], own: &Settings, other: &Settings) -> String {
    let (here, there) = (&own.tables.tables, &other.tables.tables);
    let meant: Vec<_> = names.iter().filter(|name| !here.contains_key(*name) && there.contains_key(*name)).map(String::as_str).collect();
    let (own, other) = (own.path.display(), other.path.display());
    if meant.is_empty() {
        return format!("{other} has {}", there.keys().map(String::as_str).collect::<Vec<_>>().join(", "));
    }
    format!("{} is in {other}: a request takes tables of {own} or of {other}, not of both", meant.join(", "))
}
