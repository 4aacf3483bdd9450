//! Who logs in, and with what: as the environment says, else as a secret says, which may have been rotated since.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::secret::{DatabaseSecret, LiveSecret};
use crate::error::{Result, SyncError};

/// A user and a password, to be tried.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password, where there is one.
    pub password: Option<SecretString>,
    /// Where what is missing above came from.
    from: Option<DatabaseSecret>,
}

impl Credentials {
    /// Whether there is a password to log in with.
    pub fn has_password(&self) -> bool {
        self.password.as_ref().is_some_and(|password| !password.expose_secret().is_empty())
    }
}

/// How one section logs in.
#[derive(Debug, Clone)]
pub struct Login {
    user: Option<String>,
    password: Option<SecretString>,
    secret: Option<Arc<LiveSecret>>,
}

impl Login {
    /// What the environment says, and the secret that says the rest.
    pub fn new(user: Option<String>, password: Option<SecretString>, secret: Option<Arc<LiveSecret>>) -> Self {
        Self { user, password, secret }
    }

    /// What to log in with now.
    pub fn credentials(&self) -> Credentials {
        self.filled(self.secret.as_ref().map(|secret| secret.now()))
    }

    /// What to log in with where the server has `refused` these credentials.
    ///
    /// # Errors
    /// `error`, when there is nothing else to try; it then names the secret.
    pub async fn after_refusal(&self, refused: &Credentials, error: SyncError) -> Result<Credentials> {
        let (Some(secret), Some(from)) = (&self.secret, &refused.from) else { return Err(error) };
        // A secret that supplies only the address has nothing to try.
        if self.user.is_some() && self.password.is_some() {
            return Err(error);
        }
        let name = secret.name();
        match secret.after_refusal(from).await {
            Ok(Some(next)) => Ok(self.filled(Some(next))),
            Ok(None) => Err(error.with_remedy(format!("It was tried with what the {name} says now and what it said before: correct it"))),
            Err(again) => Err(error.with_remedy(format!("The {name} could not be fetched again: {again}"))),
        }
    }

    fn filled(&self, from: Option<DatabaseSecret>) -> Credentials {
        let user = self.user.clone().or_else(|| from.as_ref()?.username.clone()).unwrap_or_default();
        let password = self.password.clone().or_else(|| from.as_ref()?.password.clone());
        Credentials { user, password, from }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secret::SecretName;
    use crate::error::ErrorKind;

    fn refused() -> SyncError {
        SyncError::new(ErrorKind::TargetLogin, "refused").with_remedy("Check PG_USER and PG_PASSWORD")
    }

    fn rotating() -> Arc<LiveSecret> {
        let secret = |user: &str, password: &str| DatabaseSecret {
            username: Some(user.to_owned()),
            password: Some(password.into()),
            ..DatabaseSecret::default()
        };
        let name = SecretName { variable: "PG_SECRET_ID".to_owned(), id: "prod/pg".to_owned() };
        let next = secret("sync_clone", "two");
        Arc::new(LiveSecret::new(name, secret("sync", "one"), Arc::new(move |_| Box::pin(std::future::ready(Ok(Some(next.clone())))))))
    }

    fn shown(credentials: &Credentials) -> (String, Option<String>) {
        (credentials.user.clone(), credentials.password.as_ref().map(|password| password.expose_secret().to_owned()))
    }

    #[tokio::test]
    async fn the_secret_fills_what_the_environment_leaves_out_and_rotates_with_its_user() {
        let login = Login::new(None, None, Some(rotating()));
        let first = login.credentials();
        assert_eq!(shown(&first), ("sync".to_owned(), Some("one".to_owned())));
        let second = login.after_refusal(&first, refused()).await.unwrap();
        assert_eq!(shown(&second), ("sync_clone".to_owned(), Some("two".to_owned())));
        assert_eq!(shown(&login.credentials()), shown(&second), "whoever logs in next begins with it");
        let fixed = Login::new(Some("own".to_owned()), None, Some(rotating()));
        assert_eq!(fixed.credentials().user, "own");
    }

    #[tokio::test]
    async fn a_login_that_no_secret_supplies_fails_as_it_did() {
        for secret in [None, Some(rotating())] {
            let login = Login::new(Some("own".to_owned()), Some("own".into()), secret);
            let error = login.after_refusal(&login.credentials(), refused()).await.unwrap_err().to_string();
            assert_eq!(error, "refused. Check PG_USER and PG_PASSWORD");
        }
    }

    #[tokio::test]
    async fn when_everything_was_tried_the_error_names_the_secret() {
        let login = Login::new(None, None, Some(rotating()));
        let second = login.after_refusal(&login.credentials(), refused()).await.unwrap();
        let error = login.after_refusal(&second, refused()).await.unwrap_err().to_string();
        assert!(error.contains("the secret prod/pg (PG_SECRET_ID)"), "{error}");
    }
}
