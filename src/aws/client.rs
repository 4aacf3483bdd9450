//! The SDK, set up when something is asked for the first time: most runs of a command ask nothing.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::Credentials;
use secrecy::ExposeSecret;
use tokio::sync::OnceCell;

use super::secrets::Cache;
use crate::config::AwsSettings;
use crate::error::{ErrorKind, Result, SyncError};

/// A service that nothing leads to is given up after three times this long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// Access to AWS, and the secrets that were fetched; the Lambda keeps one between invocations.
#[derive(Debug)]
pub struct Aws {
    settings: AwsSettings,
    sdk: OnceCell<SdkConfig>,
    pub(super) cache: Cache,
}

impl Aws {
    /// Access as the settings say; nothing is asked yet.
    pub fn new(settings: AwsSettings) -> Self {
        Self { settings, sdk: OnceCell::new(), cache: Cache::default() }
    }

    /// A client of Secrets Manager, and its region.
    pub(super) async fn secrets_manager(&self) -> Result<(aws_sdk_secretsmanager::Client, String)> {
        let (sdk, region) = self.sdk().await?;
        let mut config = aws_sdk_secretsmanager::config::Builder::from(sdk);
        config.set_endpoint_url(endpoint(self.settings.secrets_endpoint.as_deref(), sdk)?);
        Ok((aws_sdk_secretsmanager::Client::from_conf(config.build()), region))
    }

    /// A client of S3, and its region.
    pub(super) async fn s3(&self) -> Result<(aws_sdk_s3::Client, String)> {
        let (sdk, region) = self.sdk().await?;
        let endpoint = endpoint(self.settings.s3_endpoint.as_deref(), sdk)?;
        let mut config = aws_sdk_s3::config::Builder::from(sdk);
        // What stands in for S3 has no name for each bucket.
        config.set_force_path_style(endpoint.is_some().then_some(true));
        config.set_endpoint_url(endpoint);
        Ok((aws_sdk_s3::Client::from_conf(config.build()), region))
    }

    async fn sdk(&self) -> Result<(&SdkConfig, String)> {
        let sdk = self.sdk.get_or_init(|| load(&self.settings)).await;
        let region = sdk.region().map(ToString::to_string).ok_or_else(|| {
            SyncError::new(ErrorKind::Config, "no AWS region is known")
                .with_remedy("Set AWS_REGION to the region of the secrets and buckets")
        })?;
        Ok((sdk, region))
    }
}

/// Where a service is, when not at its public address. The SDK would quote what is no address, a password in it included.
fn endpoint(own: Option<&str>, sdk: &SdkConfig) -> Result<Option<String>> {
    let Some(text) = own.or_else(|| sdk.endpoint_url()) else { return Ok(None) };
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    match host.filter(|host| !host.is_empty() && !host.contains(|c: char| c == '@' || c.is_whitespace())) {
        Some(_) => Ok(Some(text.to_owned())),
        None => Err(SyncError::new(ErrorKind::Config, "the address of AWS's services that is set is none").with_remedy(
            "Expected https://host:port, without user and password, in AWS_ENDPOINT_URL and its neighbours, or in the profile",
        )),
    }
}

async fn load(settings: &AwsSettings) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts);
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(keys) = &settings.keys {
        let session = keys.session.as_ref().map(|session| session.expose_secret().to_owned());
        loader = loader.credentials_provider(Credentials::new(&keys.id, keys.secret.expose_secret(), session, None, "environment"));
    }
    loader.load().await
}
