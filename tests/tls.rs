//! Encrypted connections: verified where asked for, refused by name where they do not hold.

use std::time::Duration;

use serde_json::json;

use crate::support::body::Body;
use crate::support::certificates::Authority;
use crate::support::site::Site;
use crate::support::source::{Source, Tls};

#[tokio::test(flavor = "multi_thread")]
async fn the_target_is_verified_in_full_against_the_given_authority() {
    let mut site = one_table(Tls::Off).await;
    let ca = site.db.cluster.ca_file();
    // `tls_only` may not come in without TLS.
    site.set("PG_USER", "tls_only")
        .set("PG_HOST", "localhost")
        .set("PG_SSLMODE", "verify-full")
        .set("PG_SSLROOTCERT", ca.to_str().unwrap());
    site.sync().await;
    site.set("PG_SSLMODE", "disable");
    let body = site.json(&["multi_sync"]).await;
    assert_eq!(body.code, Some(1), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_is_refused_and_the_variables_named() {
    let mut site = one_table(Tls::Off).await;
    let other = site.dir().join("other-ca.pem");
    std::fs::write(&other, Authority::new("somebody else").pem()).unwrap();
    site.set("PG_HOST", "localhost").set("PG_SSLROOTCERT", other.to_str().unwrap());
    for mode in ["verify-ca", "verify-full"] {
        let body = site.set("PG_SSLMODE", mode).json(&["multi_sync"]).await;
        assert_eq!(body.code, Some(1), "{body}");
        let error = body.error_of("customer");
        assert!(error.contains("PG_SSLROOTCERT") && error.contains("PG_SSLMODE"), "{error}");
        assert!(error.contains("the certificate of CN="), "the subject is named: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_full_minds_the_host_name_and_verify_ca_does_not() {
    let mut site = one_table(Tls::Off).await;
    let ca = site.db.cluster.ca_file();
    site.set("PG_SSLROOTCERT", ca.to_str().unwrap()).set("PG_HOST", "127.0.0.1"); // the certificate is for localhost
    site.set("PG_SSLMODE", "verify-ca").sync().await;
    let body = site.set("PG_SSLMODE", "verify-full").json(&["multi_sync"]).await;
    assert!(body.error_of("customer").contains("localhost"), "the certificate's subject is named: {body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_function_trusts_the_authorities_packed_with_it_unless_others_are_named() {
    let mut site = one_table(Tls::Off).await;
    site.set("PG_HOST", "localhost").set("PG_SSLMODE", "verify-full");
    let invoked = async |site: &Site| Body::in_envelope(&site.deploy().await.invoke("{}", Duration::from_secs(60)).await);
    let packed = site.dir().join("rds-global-bundle.pem");
    let untrusted = invoked(&site).await;
    assert!(untrusted["success"] == false && untrusted.error_of("customer").contains("PG_SSLROOTCERT"), "{untrusted}");
    let ca = std::fs::read_to_string(site.db.cluster.ca_file()).unwrap();
    std::fs::write(&packed, format!("{}{ca}", Authority::new("another region's").pem())).unwrap();
    let trusted = invoked(&site).await;
    assert_eq!(trusted["success"], true, "{trusted}");
    let other = site.dir().join("other-ca.pem");
    std::fs::write(&other, Authority::new("somebody else").pem()).unwrap();
    site.set("PG_SSLROOTCERT", other.to_str().unwrap());
    assert_eq!(invoked(&site).await["success"], false, "what is named stands alone");
    // A command beside the file is no function.
    site.unset("PG_SSLROOTCERT");
    assert_eq!(site.json(&["multi_sync"]).await["success"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_source_is_read_with_every_encryption_that_it_offers() {
    for (offered, asked, works) in [
        (Tls::Full, "mandatory", true),
        (Tls::Full, "login", true),
        (Tls::LoginOnly, "login", true),
        (Tls::Strict, "strict", true),
        (Tls::Off, "off", true),
        (Tls::Off, "mandatory", false),
    ] {
        let mut site = one_table(offered).await;
        let ca = site.source.ca_file(site.dir());
        site.set("SQL_SERVER_MCTM_ENCRYPT", asked).set("SQL_SERVER_MCTM_HOST", "localhost");
        site.set("SQL_SERVER_MCTM_CA_FILE", ca.to_str().unwrap()).set("SQL_SERVER_MCTM_TRUST_CERT", "false");
        let body = site.json(&["multi_sync"]).await;
        assert_eq!(body["success"], json!(works), "{offered:?} {asked}: {body}");
        if works {
            assert_eq!(body.counts("customer"), [100, 100, 0, 0, 0]);
        } else {
            assert!(body.error_of("customer").contains("SQL_SERVER_MCTM_ENCRYPT"), "{body}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_of_another_authority_is_refused_and_the_variables_named() {
    let mut site = one_table(Tls::Full).await;
    let other = site.dir().join("other-ca.pem");
    std::fs::write(&other, Authority::new("somebody else").pem()).unwrap();
    site.set("SQL_SERVER_MCTM_ENCRYPT", "mandatory").set("SQL_SERVER_MCTM_HOST", "localhost");
    site.set("SQL_SERVER_MCTM_CA_FILE", other.to_str().unwrap()).set("SQL_SERVER_MCTM_TRUST_CERT", "false");
    let body = site.json(&["multi_sync"]).await;
    let error = body.error_of("customer");
    assert!(error.contains("SQL_SERVER_MCTM_CA_FILE") && error.contains("SQL_SERVER_MCTM_TRUST_CERT"), "{error}");
    assert!(error.contains("the certificate of CN="), "the subject is named: {error}");
    assert!(!error.contains("Config::") && !body.stderr.contains("tiberius"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn verification_turned_off_is_warned_about_once_a_run() {
    let mut site = Site::over(Source::sample_with(50, Tls::Full).await).await;
    site.set("SQL_SERVER_MCTM_TRUST_CERT", "true");
    let body = site.sync().await;
    let named = |warning: &&serde_json::Value| warning.as_str().unwrap().contains("SQL_SERVER_MCTM_TRUST_CERT");
    assert_eq!(body["warnings"].as_array().unwrap().iter().filter(named).count(), 1, "{body}");
}

async fn one_table(tls: Tls) -> Site {
    let mut site = Site::over(Source::sample_with(100, tls).await).await;
    site.keep(&["customer"]);
    site
}
