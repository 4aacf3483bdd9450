//! Objects in S3.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::client::Aws;
use super::error::{Asked, aws_error};
use crate::config::S3Url;
use crate::error::{ErrorKind, Result, SyncError};

/// What is read as a text is held whole.
const TEXT_BYTES_MAX: i64 = 16 * 1024 * 1024;

/// An object as it was read.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its contents.
    pub text: String,
    /// Which version it was, where the bucket keeps versions.
    pub version_id: Option<String>,
    /// What its contents are known by.
    pub etag: Option<String>,
}

impl Aws {
    /// Reads an object as a text.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when it does not exist, is forbidden, or is no text; [`ErrorKind::Aws`] when S3 cannot be reached, or throttles.
    pub async fn get_text(&self, url: &S3Url) -> Result<Object> {
        let (client, region) = self.s3().await?;
        let asking = client.get_object().bucket(&url.bucket).key(&url.key).set_version_id(url.version_id.clone());
        let permission = if url.version_id.is_some() { "s3:GetObjectVersion on it" } else { "s3:GetObject on it" };
        let words = [permission, "Check the key.", "Is it there? S3 refuses a missing key, too, unless s3:ListBucket is allowed."];
        let found = asking.send().await.map_err(|error| failed(format!("read {url}"), &region, words, error))?;
        if found.content_length().is_some_and(|bytes| bytes > TEXT_BYTES_MAX) {
            return Err(SyncError::new(ErrorKind::Config, format!("{url} is larger than {TEXT_BYTES_MAX} bytes")));
        }
        let (version_id, etag) = (found.version_id().map(str::to_owned), found.e_tag().map(|tag| tag.trim_matches('"').to_owned()));
        let broken = |error: String| SyncError::new(ErrorKind::Aws, format!("could not read {url} to its end: {error}"));
        let bytes = found.body.collect().await.map_err(|error| broken(error.to_string()))?.to_vec();
        let text = String::from_utf8(bytes).map_err(|_| SyncError::new(ErrorKind::Config, format!("{url} is no UTF-8 text")))?;
        Ok(Object { text, version_id, etag })
    }

    /// Writes an object.
    ///
    /// # Errors
    /// As [`Aws::get_text`].
    pub async fn put_text(&self, url: &S3Url, text: String, content_type: &str) -> Result<()> {
        let (client, region) = self.s3().await?;
        let putting = client.put_object().bucket(&url.bucket).key(&url.key).content_type(content_type).body(text.into_bytes().into());
        let sent = putting.send().await;
        let words = ["s3:PutObject on it", "Check the address.", "Is the bucket your own?"];
        sent.map(drop).map_err(|error| failed(format!("write {url}"), &region, words, error))
    }
}

/// `words`: the permission, and what to look for where the object is missing, or forbidden.
fn failed<E, R>(doing: String, region: &str, [permission, when_missing, when_denied]: [&str; 3], error: SdkError<E, R>) -> SyncError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    aws_error(&Asked { doing, service: "S3", region, permission, when_missing, when_denied }, error)
}
