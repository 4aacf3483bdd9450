//! A database's secret: the JSON form of Secrets Manager's database templates, and what a run knows of one.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::section::looks_like_an_address;
use crate::error::{ErrorKind, Result, SyncError};

/// What a database's secret says; any field may be missing. The form:
/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html>.
#[derive(Debug, Clone, Default)]
pub struct DatabaseSecret {
    /// The server.
    pub host: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// Who logs in.
    pub username: Option<String>,
    /// With what.
    pub password: Option<SecretString>,
    /// The database.
    pub dbname: Option<String>,
}

impl DatabaseSecret {
    /// Understands a secret's text. Other fields are ignored; an empty one counts as missing.
    ///
    /// # Errors
    /// What is wrong with it, without a word of it.
    pub fn parse(text: &str) -> Result<Self, String> {
        // The parser's own message may quote a value.
        let fields: Map<String, Value> = serde_json::from_str(text).map_err(|_| "is no JSON object".to_owned())?;
        let text = |name: &str| match fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            Some(_) => Err(format!("has a {name} that is no text")),
        };
        let port = match fields.get("port") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.is_empty() => None,
            Some(Value::String(text)) => Some(text.trim().parse().ok()),
            Some(value) => Some(value.as_u64().and_then(|port| port.try_into().ok())),
        };
        let port = match port {
            Some(None | Some(0)) => return Err("has a port that is no number from 1 to 65535".to_owned()),
            Some(port) => port,
            None => None,
        };
        Ok(Self {
            host: text("host")?,
            port,
            username: text("username")?,
            password: text("password")?.map(SecretString::from),
            dbname: text("dbname")?,
        })
    }

    /// Whether both log in alike.
    fn same_login(&self, other: &Self) -> bool {
        let password = |secret: &Self| secret.password.as_ref().map(|password| password.expose_secret().to_owned());
        self.username == other.username && password(self) == password(other)
    }
}

/// Which version of a secret is asked for, where the server has refused the one at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretVersion {
    /// `AWSCURRENT`, as it is now.
    Current,
    /// `AWSPREVIOUS`: a server that has not taken the new password yet.
    Previous,
}

/// Fetches a version of a secret; none where there is no such version.
pub type Fetch = Arc<dyn Fn(SecretVersion) -> BoxFuture<'static, Result<Option<DatabaseSecret>>> + Send + Sync>;

/// The name of a secret, and the variable that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretName {
    /// `PG_SECRET_ID`, for instance.
    pub variable: String,
    /// The secret's name or ARN.
    pub id: String,
}

impl SecretName {
    /// Whether this can be a secret's name or ARN. What a secret says, put where its name belongs, is not told to anybody.
    ///
    /// The characters: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html>; `!` is in the names of those that RDS manages.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming the variable.
    pub fn check(&self) -> Result<()> {
        let named = self.id.chars().all(|c| c.is_ascii_alphanumeric() || "/_+=.@-!:".contains(c)) && !looks_like_an_address(&self.id);
        if named {
            return Ok(());
        }
        Err(SyncError::new(ErrorKind::Config, format!("{} is no name of a secret", self.variable))
            .with_remedy("Expected the name or the ARN of a secret in Secrets Manager, not what it says"))
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret {} ({})", self.id, self.variable)
    }
}

/// A secret as a run has it. When the server refuses what it says it is fetched again: its current version, then its previous one, once each.
pub struct LiveSecret {
    name: SecretName,
    now: Mutex<DatabaseSecret>,
    fetch: Fetch,
    /// What is left to fetch; whoever holds it is the one that fetches.
    left: tokio::sync::Mutex<Vec<SecretVersion>>,
}

impl LiveSecret {
    /// A secret as it was fetched, and how it is fetched again.
    pub fn new(name: SecretName, fetched: DatabaseSecret, fetch: Fetch) -> Self {
        let left = tokio::sync::Mutex::new(vec![SecretVersion::Previous, SecretVersion::Current]);
        Self { name, now: Mutex::new(fetched), fetch, left }
    }

    /// A secret that was not fetched: every field is taken to be there.
    pub fn unseen(name: SecretName) -> Self {
        let text = || Some(Self::UNSEEN.to_owned());
        let fetched =
            DatabaseSecret { host: text(), port: None, username: text(), password: text().map(SecretString::from), dbname: text() };
        Self::new(name, fetched, Arc::new(|_| Box::pin(async { Ok(None) })))
    }

    /// What stands in the place of a field that was not fetched.
    pub const UNSEEN: &'static str = "(secret)";

    /// Its name.
    pub fn name(&self) -> &SecretName {
        &self.name
    }

    /// What it says, as far as the run knows.
    pub fn now(&self) -> DatabaseSecret {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What to try where the server has refused what `refused` says; none when everything was tried.
    ///
    /// # Errors
    /// The secret cannot be fetched.
    pub async fn after_refusal(&self, refused: &DatabaseSecret) -> Result<Option<DatabaseSecret>> {
        let mut left = self.left.lock().await;
        let now = self.now();
        if !now.same_login(refused) {
            return Ok(Some(now));
        }
        while let Some(version) = left.pop() {
            if let Some(fetched) = (self.fetch)(version).await?
                && !fetched.same_login(refused)
            {
                tracing::info!(secret = self.name.id, ?version, "the login was refused, so the secret was fetched again");
                *self.now.lock().unwrap_or_else(PoisonError::into_inner) = fetched.clone();
                return Ok(Some(fetched));
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for LiveSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LiveSecret").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> DatabaseSecret {
        DatabaseSecret { password: Some(text.into()), ..DatabaseSecret::default() }
    }

    fn live(versions: &[(SecretVersion, &'static str)]) -> LiveSecret {
        let versions = versions.to_vec();
        let name = SecretName { variable: "PG_SECRET_ID".to_owned(), id: "prod/pg".to_owned() };
        let fetch: Fetch = Arc::new(move |wanted| {
            let found = versions.iter().find(|(version, _)| *version == wanted).map(|(_, text)| password(text));
            Box::pin(async move { Ok(found) })
        });
        LiveSecret::new(name, password("first"), fetch)
    }

    async fn next(secret: &LiveSecret, refused: &str) -> Option<String> {
        let found = secret.after_refusal(&password(refused)).await.unwrap();
        found.and_then(|secret| secret.password).map(|password| password.expose_secret().to_owned())
    }

    #[test]
    fn every_form_of_the_templates_is_understood() {
        let full = r#"{"engine":"postgres","host":"h","port":5432,"username":"u","password":"p","dbname":"d","masterarn":"x"}"#;
        let secret = DatabaseSecret::parse(full).unwrap();
        assert_eq!((secret.host.as_deref(), secret.port, secret.dbname.as_deref()), (Some("h"), Some(5432), Some("d")));
        let managed = DatabaseSecret::parse(r#"{"username":"u","password":"p"}"#).unwrap();
        assert!(managed.host.is_none() && managed.port.is_none() && managed.dbname.is_none());
        let text_port = DatabaseSecret::parse(r#"{"port":" 1433 ","host":"","dbname":null}"#).unwrap();
        assert_eq!((text_port.port, text_port.host, text_port.dbname), (Some(1433), None, None));
    }

    #[test]
    fn what_is_wrong_is_told_without_a_word_of_the_secret() {
        let cases = [
            ("canary", "is no JSON object"),
            (r#""canary""#, "is no JSON object"),
            (r#"["canary"]"#, "is no JSON object"),
            (r#"{"password":["canary"]}"#, "has a password that is no text"),
            (r#"{"port":"canary"}"#, "has a port that is no number from 1 to 65535"),
            (r#"{"port":0}"#, "has a port that is no number from 1 to 65535"),
            (r#"{"port":70000}"#, "has a port that is no number from 1 to 65535"),
        ];
        for (text, expected) in cases {
            assert_eq!(DatabaseSecret::parse(text).unwrap_err(), expected);
        }
        assert!(!format!("{:?}", password("canary")).contains("canary"));
    }

    #[test]
    fn what_a_secret_says_is_not_its_name() {
        let name = |id: &str| SecretName { variable: "PG_SECRET_ID".to_owned(), id: id.to_owned() };
        for id in ["prod/pg", "rds!db-1a2b", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/pg-AbCdEf"] {
            assert!(name(id).check().is_ok(), "{id}");
        }
        for id in [r#"{"password":"canary"}"#, "postgres://u:canary@h/d", "Server=h;Password=canary", "password=canary"] {
            let error = name(id).check().unwrap_err();
            assert!(
                format!("{error}").starts_with("PG_SECRET_ID is no name") && !format!("{error:?} {error}").contains("canary"),
                "{error:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_refused_login_is_tried_with_the_current_version_and_then_with_the_previous_one_once_each() {
        let secret = live(&[(SecretVersion::Current, "second"), (SecretVersion::Previous, "third")]);
        assert_eq!(next(&secret, "first").await.as_deref(), Some("second"));
        assert_eq!(next(&secret, "first").await.as_deref(), Some("second"), "another session profits from the first one's fetch");
        assert_eq!(next(&secret, "second").await.as_deref(), Some("third"));
        assert_eq!(next(&secret, "third").await, None);
    }

    #[tokio::test]
    async fn a_version_that_says_the_same_is_not_tried_again() {
        let secret = live(&[(SecretVersion::Current, "first"), (SecretVersion::Previous, "zeroth")]);
        assert_eq!(next(&secret, "first").await.as_deref(), Some("zeroth"));
        assert_eq!(next(&live(&[(SecretVersion::Current, "first")]), "first").await, None);
    }

    #[tokio::test]
    async fn a_fetch_that_fails_is_an_error() {
        let failing: Fetch = Arc::new(|_| Box::pin(async { Err(SyncError::new(ErrorKind::Aws, "throttled")) }));
        let secret = LiveSecret::new(live(&[]).name, password("first"), failing);
        assert_eq!(secret.after_refusal(&password("first")).await.unwrap_err().sentence(), "throttled");
    }
}
