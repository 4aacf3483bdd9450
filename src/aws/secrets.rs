//! Secrets, kept between invocations for a while.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::client::Aws;
use super::error::{Asked, aws_error};
use crate::config::{DatabaseSecret, SecretName, SecretVersion};
use crate::error::{ErrorKind, Result, SyncError};

/// What was fetched, by id, and when: by the wall clock, since the other one stands still while a function is frozen.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<HashMap<String, (SystemTime, DatabaseSecret)>>);

impl Cache {
    fn get(&self, id: &str, max_age: Duration, now: SystemTime) -> Option<DatabaseSecret> {
        let cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (fetched, secret) = cached.get(id)?;
        // A clock that was set back says nothing about an age.
        now.duration_since(*fetched).is_ok_and(|age| age < max_age).then(|| secret.clone())
    }

    fn put(&self, id: &str, secret: &DatabaseSecret, now: SystemTime) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), (now, secret.clone()));
    }
}

impl Aws {
    /// A secret's current version, from the cache where it is younger than `max_age`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when it does not exist, is forbidden or is no database's secret; [`ErrorKind::Aws`] when Secrets Manager cannot be reached, or throttles.
    pub async fn secret(&self, name: &SecretName, max_age: Duration) -> Result<DatabaseSecret> {
        match self.cache.get(&name.id, max_age, SystemTime::now()) {
            Some(cached) => Ok(cached),
            None => self.fetch(name, SecretVersion::Current).await?.ok_or_else(|| malformed(name, "has no text")),
        }
    }

    /// A version of a secret as it is now, past the cache; none where there is no previous one.
    ///
    /// # Errors
    /// As [`Aws::secret`].
    pub async fn fetch(&self, name: &SecretName, version: SecretVersion) -> Result<Option<DatabaseSecret>> {
        let (client, region) = self.secrets_manager().await?;
        let stage = match version {
            SecretVersion::Current => "AWSCURRENT",
            SecretVersion::Previous => "AWSPREVIOUS",
        };
        let found = match client.get_secret_value().secret_id(&name.id).version_stage(stage).send().await {
            Ok(found) => found,
            Err(error)
                if version == SecretVersion::Previous
                    && error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(failed(name, &region, error)),
        };
        let text = found.secret_string().ok_or_else(|| malformed(name, "has no text"))?;
        let secret = DatabaseSecret::parse(text).map_err(|problem| malformed(name, &problem))?;
        if version == SecretVersion::Current {
            self.cache.put(&name.id, &secret, SystemTime::now());
        }
        Ok(Some(secret))
    }
}

fn failed(
    name: &SecretName,
    region: &str,
    error: aws_sdk_secretsmanager::error::SdkError<aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError>,
) -> SyncError {
    let advice = format!("Check the name in {}; a secret of another account needs its full ARN.", name.variable);
    let asked = Asked {
        doing: format!("read the {name}"),
        service: "Secrets Manager",
        region,
        permission: "secretsmanager:GetSecretValue on the secret",
        when_missing: &advice,
        when_denied: &advice,
    };
    aws_error(&asked, error)
}

fn malformed(name: &SecretName, problem: &str) -> SyncError {
    SyncError::new(ErrorKind::Config, format!("the {name} {problem}")).with_remedy(
        "Expected a database's secret, JSON such as {\"username\": \"...\", \"password\": \"...\", \"host\": \"...\", \"port\": 5432, \"dbname\": \"...\"}; \
         fields may be left out where variables are set",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_kept_until_it_is_too_old_or_the_clock_is_set_back() {
        let cache = Cache::default();
        let fetched = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        cache.put("prod/pg", &DatabaseSecret::default(), fetched);
        let cached = |age: u64| cache.get("prod/pg", Duration::from_secs(60), fetched + Duration::from_secs(age)).is_some();
        assert!(cached(0) && cached(59) && !cached(60));
        assert!(cache.get("prod/pg", Duration::from_secs(60), fetched - Duration::from_secs(1)).is_none());
        assert!(cache.get("prod/pg", Duration::ZERO, fetched).is_none(), "an age of zero keeps nothing");
        assert!(cache.get("other", Duration::from_secs(60), fetched).is_none());
    }
}
