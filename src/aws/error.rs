//! What AWS answers, in the product's terms: what is missing, forbidden, throttled and unreachable are four things, each with its own remedy.

use std::error::Error;
use std::fmt::Debug;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::error::{ErrorKind, SyncError};

/// What was asked for.
pub(super) struct Asked<'a> {
    /// `read the secret prod/pg`, for instance.
    pub(super) doing: String,
    /// `Secrets Manager` or `S3`.
    pub(super) service: &'a str,
    /// Where.
    pub(super) region: &'a str,
    /// The permission that it takes.
    pub(super) permission: &'a str,
    /// What to do where it does not exist.
    pub(super) when_missing: &'a str,
    /// What to look at, besides the permission, where it is forbidden.
    pub(super) when_denied: &'a str,
}

/// What went wrong, coarsely enough to know what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// It does not exist.
    Missing,
    /// Not even its bucket exists.
    NoBucket,
    /// Its bucket is in another region.
    Elsewhere,
    /// It is forbidden.
    Denied,
    /// The key that encrypts it may not be used.
    KeyDenied,
    /// AWS does not know who asks.
    Stranger,
    /// It is marked for deletion.
    Deleted,
    /// Asked too often.
    Throttled,
    /// Nothing answers.
    Unreachable,
    /// There is nobody to ask as.
    NoCredentials,
    /// Anything else.
    Other,
}

/// The error of a call. It quotes what AWS says, which never holds what was asked for.
pub(super) fn aws_error<E, R>(asked: &Asked<'_>, error: SdkError<E, R>) -> SyncError
where
    E: ProvideErrorMetadata + Error + 'static,
    R: Debug,
{
    let causes = causes(&error);
    let (trouble, reason) = match &error {
        SdkError::ServiceError(answer) => {
            let (code, message) = (answer.err().code().unwrap_or("no code"), answer.err().message().unwrap_or_default());
            (by_code(code, message), format!("{} says {code} {message}", asked.service))
        }
        SdkError::TimeoutError(_) => (Trouble::Unreachable, format!("{} does not answer", asked.service)),
        SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => {
            (Trouble::Unreachable, format!("{} cannot be reached", asked.service))
        }
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) if causes.contains("redential") => {
            (Trouble::NoCredentials, "there are no AWS credentials".to_owned())
        }
        _ => (Trouble::Other, causes.clone()),
    };
    let (kind, remedy) = advice(trouble, asked);
    let failed = SyncError::new(kind, format!("could not {}: {}", asked.doing, reason.trim_end_matches(['.', ' ']))).with_cause(causes);
    match remedy {
        Some(remedy) => failed.with_remedy(remedy),
        None => failed,
    }
}

/// The codes: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html#API_GetSecretValue_Errors>,
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
fn by_code(code: &str, message: &str) -> Trouble {
    match code {
        "ResourceNotFoundException" | "NoSuchKey" | "NoSuchVersion" => Trouble::Missing,
        "NoSuchBucket" => Trouble::NoBucket,
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => Trouble::Elsewhere,
        "AccessDeniedException" if message.contains("KMS") => Trouble::KeyDenied,
        "AccessDenied" | "AccessDeniedException" if message.contains("kms:") => Trouble::KeyDenied,
        "AccessDenied" | "AccessDeniedException" | "AllAccessDisabled" => Trouble::Denied,
        "DecryptionFailure" => Trouble::KeyDenied,
        "InvalidRequestException" if message.contains("deletion") => Trouble::Deleted,
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidToken"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch" => Trouble::Stranger,
        "ThrottlingException"
        | "Throttling"
        | "ThrottledException"
        | "RequestThrottled"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "LimitExceededException"
        | "SlowDown"
        | "ServiceUnavailable" => Trouble::Throttled,
        _ => Trouble::Other,
    }
}

fn advice(trouble: Trouble, asked: &Asked<'_>) -> (ErrorKind, Option<String>) {
    let Asked { service, region, permission, when_missing, when_denied, .. } = asked;
    match trouble {
        Trouble::Missing => (ErrorKind::Config, Some(format!("{when_missing} Asked in {region}"))),
        Trouble::NoBucket => (ErrorKind::Config, Some(format!("There is no such bucket: check its name. Asked in {region}"))),
        Trouble::Elsewhere => {
            (ErrorKind::Config, Some(format!("The bucket is in another region: take one in {region}, or set AWS_REGION to its own")))
        }
        Trouble::Denied => (
            ErrorKind::Config,
            Some(format!("Allow {permission} to whoever runs this (in Lambda, the function's role). {when_denied} Asked in {region}")),
        ),
        Trouble::KeyDenied => {
            (ErrorKind::Config, Some("Allow kms:Decrypt (to write, kms:GenerateDataKey) on the key that encrypts it".to_owned()))
        }
        Trouble::Stranger => (
            ErrorKind::Config,
            Some("Check the access key in AWS_ACCESS_KEY_ID and its neighbours, or the profile; a session's token runs out".to_owned()),
        ),
        Trouble::Deleted => (ErrorKind::Config, Some("It is marked for deletion: restore it, or name another one".to_owned())),
        Trouble::Throttled => (
            ErrorKind::Aws,
            Some(format!("{service} throttles this account, after retries: run again later, and look who else asks that often")),
        ),
        Trouble::Unreachable => (
            ErrorKind::Aws,
            Some(format!(
                "Is there a route to {service} in {region}? A function in a VPC has one only through a VPC endpoint or a NAT gateway, and its security \
                 group must let HTTPS out"
            )),
        ),
        Trouble::NoCredentials => {
            (ErrorKind::Config, Some("Set AWS_PROFILE or AWS_ACCESS_KEY_ID and its neighbours, or give the machine a role".to_owned()))
        }
        Trouble::Other => (ErrorKind::Aws, None),
    }
}

/// What is below an error, outermost first.
fn causes(error: &dyn Error) -> String {
    let mut causes = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_has_a_kind_and_a_remedy_of_its_own() {
        let asked = Asked {
            doing: "read the secret prod/pg".to_owned(),
            service: "Secrets Manager",
            region: "eu-central-1",
            permission: "secretsmanager:GetSecretValue on it",
            when_missing: "Check the name.",
            when_denied: "Is it of another account?",
        };
        let cases = [
            ("ResourceNotFoundException", "", ErrorKind::Config, "Check the name"),
            ("AccessDeniedException", "no identity-based policy", ErrorKind::Config, "secretsmanager:GetSecretValue"),
            ("AccessDeniedException", "Access to KMS is not allowed", ErrorKind::Config, "kms:Decrypt"),
            ("AccessDenied", "not authorized to perform: kms:GenerateDataKey", ErrorKind::Config, "kms:GenerateDataKey"),
            ("DecryptionFailure", "", ErrorKind::Config, "kms:Decrypt"),
            ("InvalidRequestException", "scheduled for deletion", ErrorKind::Config, "restore it"),
            ("ExpiredTokenException", "", ErrorKind::Config, "access key"),
            ("ThrottlingException", "Rate exceeded", ErrorKind::Aws, "run again later"),
            ("SlowDown", "", ErrorKind::Aws, "run again later"),
            ("NoSuchKey", "", ErrorKind::Config, "Check the name"),
            ("NoSuchBucket", "", ErrorKind::Config, "no such bucket"),
            ("PermanentRedirect", "", ErrorKind::Config, "another region"),
            ("AccessDenied", "", ErrorKind::Config, "of another account"),
        ];
        for (code, message, kind, remedy) in cases {
            let (got, advice) = advice(by_code(code, message), &asked);
            assert_eq!(got, kind, "{code}");
            assert!(advice.as_deref().is_some_and(|advice| advice.contains(remedy)), "{code}: {advice:?}");
        }
        assert_eq!(advice(by_code("InternalServiceError", ""), &asked), (ErrorKind::Aws, None));
        let (kind, remedy) = advice(Trouble::Unreachable, &asked);
        assert!(kind == ErrorKind::Aws && remedy.unwrap().contains("VPC endpoint"));
    }
}
