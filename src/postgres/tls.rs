//! libpq's `sslmode` in terms of rustls.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::{PostgresSettings, SslMode};
use crate::error::{ErrorKind, Result, SyncError};
use crate::tls::{Unverified, subject};

/// A connector that verifies as much as the settings say, against the authorities that they name, or the system's and those packed with the
/// function.
///
/// # Errors
/// [`ErrorKind::Config`] when the authorities cannot be read.
pub(super) fn connector(settings: &PostgresSettings) -> Result<MakeRustlsConnect> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match settings.sslmode {
        SslMode::Disable | SslMode::Prefer | SslMode::Require => Arc::new(Unverified(provider.clone())),
        SslMode::VerifyCa => Arc::new(Verified { chain: chain_verifier(settings, provider.clone())?, any_host: true }),
        SslMode::VerifyFull => Arc::new(Verified { chain: chain_verifier(settings, provider.clone())?, any_host: false }),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| tls_error(settings, error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn chain_verifier(settings: &PostgresSettings, provider: Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    let names = settings.named_by.rootcert();
    match &settings.sslrootcert {
        Some(path) => {
            for certificate in certificates(settings, path)? {
                roots.add(certificate).map_err(|error| tls_error(settings, format!("{names} {}: {error}", path.display())))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            let packed = settings.packed_authorities.as_deref().map(|path| certificates(settings, path)).transpose()?;
            roots.add_parsable_certificates(packed.into_iter().flatten());
        }
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| tls_error(settings, format!("no certificate authority to verify PostgreSQL's certificate with: {error}")))
}

fn certificates(settings: &PostgresSettings, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    read.map_err(|error| tls_error(settings, format!("the certificate authorities in {} cannot be read: {error}", path.display())))
}

fn tls_error(settings: &PostgresSettings, sentence: String) -> SyncError {
    let (rootcert, sslmode) = (settings.named_by.rootcert(), settings.named_by.sslmode());
    SyncError::new(ErrorKind::Config, sentence)
        .with_remedy(format!("{rootcert} names a PEM file of authorities; {sslmode} says how much is verified"))
}

/// Verifies the chain, and where `any_host` not the host's name (`verify-ca`); a refusal says whose certificate it was.
#[derive(Debug)]
struct Verified {
    chain: Arc<WebPkiServerVerifier>,
    any_host: bool,
}

impl ServerCertVerifier for Verified {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(Error::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }))
                if self.any_host =>
            {
                Ok(ServerCertVerified::assertion())
            }
            Err(error @ Error::InvalidCertificate(_)) => {
                Err(Error::General(format!("the certificate of {} was not accepted: {error}", subject(end_entity))))
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
