//! Where the settings come from: a file or an object in S3, the environment, and the secrets that it names.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::join_all;

use super::App;
use crate::config::{ConfigPlace, ConfigVersion, Env, Fetch, LiveSecret, S3Url, SecretName, Settings, TableConfig};
use crate::error::{ErrorKind, Result, SyncError};

impl App {
    /// The table configuration; none where none is named, and none is where it is looked for. Of secrets, nothing is fetched yet.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], as [`Settings::load`] and [`crate::aws::Aws::get_text`] say why.
    pub(super) async fn table_configuration(&self) -> Result<Option<Settings>> {
        let place = ConfigPlace::find(&self.env, self.config.as_deref())?;
        match place {
            _ if !place.is_meant(&self.env, self.config.as_deref()) => Ok(None),
            ConfigPlace::File(path) => Settings::load(self.env.clone(), path).map(Some),
            ConfigPlace::S3(url) => self.read_from_s3(&url, "the table configuration", Settings::parse_any).await.map(Some),
        }
    }

    /// The list of tables of `CONFIG_PATH`; none where there is no such file.
    ///
    /// # Errors
    /// As [`App::table_configuration`].
    pub(super) async fn list(&self) -> Result<Option<Settings>> {
        match ConfigPlace::find_list(&self.env)? {
            ConfigPlace::File(path) => Settings::load_list(self.env.clone(), path),
            ConfigPlace::S3(url) => self.read_from_s3(&url, "the list of tables", Settings::parse_list).await.map(Some),
        }
    }

    async fn read_from_s3(&self, url: &S3Url, what: &str, parse: fn(Env, PathBuf, &str) -> Result<Settings>) -> Result<Settings> {
        // Whatever keeps it away: a configuration that cannot be read is its kind, as for a file.
        let unreadable = |error: SyncError| error.context(what).with_kind(ErrorKind::Config);
        let object = Box::pin(self.aws.get_text(url)).await.map_err(unreadable)?;
        let location = url.to_string();
        let mut settings = parse(self.env.clone(), PathBuf::from(&location), &object.text)?;
        settings.version = Some(ConfigVersion { location, version_id: object.version_id, etag: object.etag });
        Ok(settings)
    }

    /// Fetches the secrets that fill the target's section and those of the sources of `tables`. Those that can be had are added in any case.
    pub(super) async fn add_secrets(&self, settings: &mut Settings, tables: &[TableConfig]) -> Result<()> {
        let mut names: Vec<SecretName> = settings.target_secret().into_iter().collect();
        for name in tables.iter().filter_map(|config| settings.source_secret(&config.db_type)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let max_age = settings.run.secret_max_age;
        let fetch = async |name: &SecretName| {
            name.check()?;
            self.aws.secret(name, max_age).await
        };
        let fetched = join_all(names.iter().map(fetch)).await;
        let mut problems = Vec::new();
        for (name, fetched) in names.into_iter().zip(fetched) {
            match fetched {
                Ok(secret) => settings.add_secret(LiveSecret::new(name.clone(), secret, self.fetch_again(name))),
                Err(error) => problems.push(error),
            }
        }
        all_told(problems)
    }

    /// How a secret is fetched again when a server refuses it.
    fn fetch_again(&self, name: SecretName) -> Fetch {
        let aws = Arc::clone(&self.aws);
        Arc::new(move |version| {
            let (aws, name) = (Arc::clone(&aws), name.clone());
            Box::pin(async move { aws.fetch(&name, version).await })
        })
    }
}

/// One error that tells of all; of a kind that may pass only where all may.
fn all_told(mut problems: Vec<SyncError>) -> Result<()> {
    match problems.len() {
        0 => Ok(()),
        1 => Err(problems.remove(0)),
        _ => {
            let kind = if problems.iter().all(|problem| problem.kind() == ErrorKind::Aws) { ErrorKind::Aws } else { ErrorKind::Config };
            let sentences: Vec<_> = problems.iter().map(ToString::to_string).collect();
            Err(SyncError::new(kind, sentences.join("; ")))
        }
    }
}
