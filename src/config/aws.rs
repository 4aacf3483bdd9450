//! Reads what the AWS SDK is told: where its services are, and who asks.

use secrecy::SecretString;

use super::Env;

/// What the environment says of AWS; what it leaves out, the SDK finds as it always does (profiles, the role of a machine).
#[derive(Debug, Clone, Default)]
pub struct AwsSettings {
    /// `AWS_REGION`, else `AWS_DEFAULT_REGION`.
    pub region: Option<String>,
    /// Where Secrets Manager is, when not at its public address.
    pub secrets_endpoint: Option<String>,
    /// Where S3 is, when not at its public address; buckets are then named in the path.
    pub s3_endpoint: Option<String>,
    /// `AWS_PROFILE`.
    pub profile: Option<String>,
    /// `AWS_ACCESS_KEY_ID` and its neighbours.
    pub keys: Option<AwsKeys>,
}

/// An access key.
#[derive(Debug, Clone)]
pub struct AwsKeys {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: SecretString,
    /// The session that it belongs to.
    pub session: Option<SecretString>,
}

impl AwsSettings {
    /// Reads the variables that the SDK would read, so that `.env` may hold them too.
    pub fn read(env: &Env) -> Self {
        let get = |name: &str| env.get(name).map(str::to_owned);
        let endpoint = |service: &str| get(&format!("AWS_ENDPOINT_URL_{service}")).or_else(|| get("AWS_ENDPOINT_URL"));
        let keys = get("AWS_ACCESS_KEY_ID").zip(get("AWS_SECRET_ACCESS_KEY"));
        Self {
            region: get("AWS_REGION").or_else(|| get("AWS_DEFAULT_REGION")),
            secrets_endpoint: endpoint("SECRETS_MANAGER"),
            s3_endpoint: endpoint("S3"),
            profile: get("AWS_PROFILE"),
            keys: keys.map(|(id, secret)| AwsKeys { id, secret: secret.into(), session: get("AWS_SESSION_TOKEN").map(Into::into) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_may_have_an_address_of_its_own_and_no_key_is_shown() {
        let env = Env::from_iter([
            ("AWS_ENDPOINT_URL", "http://all"),
            ("AWS_ENDPOINT_URL_S3", "http://s3"),
            ("AWS_DEFAULT_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AWS_SECRET_ACCESS_KEY", "canary"),
            ("AWS_SESSION_TOKEN", "canary"),
        ]);
        let settings = AwsSettings::read(&env);
        assert_eq!((settings.secrets_endpoint.as_deref(), settings.s3_endpoint.as_deref()), (Some("http://all"), Some("http://s3")));
        assert_eq!(settings.region.as_deref(), Some("eu-central-1"));
        assert!(!format!("{settings:?}").contains("canary"));
    }
}
