//! The table configuration in S3.

use serde_json::json;

use super::{pointed, site};
use crate::support::aws::{Aws, env};
use crate::support::aws_stub::{Answer, NoRoute, Stub};
use crate::support::site::Site;

/// Puts the site's configuration into a bucket that keeps versions; gives its address and version.
async fn moved(site: &mut Site, aws: &Aws, bucket: &str) -> String {
    let version = aws.put(bucket, "etc/t.json", &site.config.to_string()).await.unwrap();
    site.set("TABLE_CONFIGS", &format!("s3://{bucket}/etc/t.json"));
    version
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_says_which_version_of_its_configuration_it_had() {
    for aws in [Aws::ministack(), Aws::moto()] {
        let mut site = site(&aws).await;
        let bucket = aws.add_bucket().await;
        aws.keep_versions(&bucket).await;
        let first = moved(&mut site, &aws, &bucket).await;
        let body = site.sync().await;
        assert_eq!(body["successful_tables"], 4);
        let location = format!("s3://{bucket}/etc/t.json");
        assert_eq!((&body["config"]["location"], &body["config"]["version_id"]), (&json!(location), &json!(first)), "{body}");
        assert!(body["config"]["etag"].as_str().is_some_and(|tag| tag.len() == 32), "{body}");
        site.keep(&["customer"]);
        let second = moved(&mut site, &aws, &bucket).await;
        let body = site.sync().await;
        assert_eq!((&body["successful_tables"], &body["config"]["version_id"]), (&json!(1), &json!(second)), "{body}");
        let pinned = site.json(&["multi_sync", &format!("--config={location}?versionId={first}")]).await;
        assert_eq!((&pinned["successful_tables"], &pinned["config"]["version_id"]), (&json!(4), &json!(first)), "{pinned}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_cannot_be_had_or_is_wrong_is_named_by_its_address() {
    let aws = Aws::ministack();
    let mut site = site(&aws).await;
    let bucket = aws.add_bucket().await;
    aws.put(&bucket, "broken.json", "{\n  \"tables\": {\n    \"customer\": {,}\n  }\n}\n").await;
    let stub = Stub::start(Answer::Refusal(403, "AccessDenied", "Access Denied")).await;
    let no_route = NoRoute::new().await;
    let (here, denied, nowhere) = (aws.endpoint.as_str(), stub.endpoint.as_str(), "http://127.0.0.1:9");
    let cases: [(&str, String, &[&str]); 7] = [
        (here, format!("s3://{bucket}/none.json"), &["NoSuchKey", "Check the key"]),
        (here, "s3://suite-no-such-bucket/t.json".to_owned(), &["NoSuchBucket", "There is no such bucket"]),
        (here, format!("s3://{bucket}/broken.json"), &["broken.json, line 3:"]),
        (here, "s3://key:canary@bucket/t.json".to_owned(), &["s3://bucket/key"]),
        (denied, format!("s3://{bucket}/t.json"), &["AccessDenied", "Allow s3:GetObject", "s3:ListBucket"]),
        (nowhere, format!("s3://{bucket}/t.json"), &["S3 cannot be reached", "VPC endpoint"]),
        (&no_route.endpoint, format!("s3://{bucket}/t.json"), &["S3 cannot be reached", "route to S3 in ap-northeast-1", "VPC endpoint"]),
    ];
    for (endpoint, address, named) in cases {
        pointed(&mut site, &env(endpoint));
        site.set("TABLE_CONFIGS", &address);
        for command in [&["multi_sync"][..], &["config", "check"]] {
            let body = site.json(command).await;
            let error = body["error"].as_str().unwrap();
            assert!(body.code == Some(2) && body.stderr.contains("ConfigError") || command[0] == "config", "{address}: {body}");
            assert!(!error.contains("canary"), "{error}");
            for part in named {
                assert!(error.contains(part), "{part}: {error}");
            }
        }
    }
    assert_eq!(site.source.logins(), 0, "nothing is connected");
}
