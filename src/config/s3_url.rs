//! `s3://bucket/key`.

use std::fmt;
use std::str::FromStr;

/// An object in S3, or with a key that ends in a slash (or is empty) a place for objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Url {
    /// The bucket.
    pub bucket: String,
    /// The key, without a slash before it.
    pub key: String,
    /// The version of the object to read (`?versionId=`); none means the latest.
    pub version_id: Option<String>,
}

impl S3Url {
    /// What such an address begins with.
    pub const SCHEME: &'static str = "s3://";

    /// The object `name` in this place.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        let slash = if self.key.is_empty() || self.key.ends_with('/') { "" } else { "/" };
        Self { bucket: self.bucket.clone(), key: format!("{}{slash}{name}", self.key), version_id: None }
    }
}

impl FromStr for S3Url {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let rest = text.strip_prefix(Self::SCHEME).ok_or(())?;
        let (rest, version_id) = match rest.split_once("?versionId=") {
            Some((rest, version)) if !version.is_empty() => (rest, Some(version.to_owned())),
            Some(_) => return Err(()),
            None => (rest, None),
        };
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let of_a_bucket = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
        let plausible = (3..=63).contains(&bucket.len()) && bucket.chars().all(of_a_bucket) && key.len() <= 1024;
        plausible.then(|| Self { bucket: bucket.to_owned(), key: key.to_owned(), version_id }).ok_or(())
    }
}

impl fmt::Display for S3Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bucket, key, .. } = self;
        write!(f, "{}{bucket}/{key}", Self::SCHEME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_keys_and_versions_are_told_apart() {
        let url: S3Url = "s3://my-bucket/a b/t.json?versionId=v1".parse().unwrap();
        assert_eq!((url.bucket.as_str(), url.key.as_str(), url.version_id.as_deref()), ("my-bucket", "a b/t.json", Some("v1")));
        assert_eq!(url.to_string(), "s3://my-bucket/a b/t.json");
        for wrong in ["s3:/b/k", "http://bucket/k", "s3://B_cket/k", "s3://key:secret@bucket/k", "s3://ab/k", "s3://bucket/k?versionId="] {
            assert_eq!(wrong.parse::<S3Url>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn names_are_put_below_a_place_with_one_slash() {
        for (place, expected) in
            [("s3://bucket", "s3://bucket/x"), ("s3://bucket/a", "s3://bucket/a/x"), ("s3://bucket/a/", "s3://bucket/a/x")]
        {
            assert_eq!(place.parse::<S3Url>().unwrap().join("x").to_string(), expected);
        }
    }
}
