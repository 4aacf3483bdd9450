//! TLS as TDS has it: the handshake travels inside pre-login packets.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::wire::packet::{HEADER, PRELOGIN};

/// A certificate authority made for one server, and what the server needs of it.
pub(crate) struct Certificates {
    pub(crate) ca_pem: String,
    /// TLS 1.2 for TDS 7: TLS 1.3 sends tickets after the handshake, which a login-only client would take for an answer.
    pub(crate) inside: TlsAcceptor,
    /// For TDS 8, where TLS comes first.
    pub(crate) strict: TlsAcceptor,
}

impl Certificates {
    pub(crate) fn new() -> io::Result<Self> {
        let (ca_pem, chain, key) = issue().map_err(io::Error::other)?;
        let config = |versions: &[&'static rustls::SupportedProtocolVersion]| {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions);
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.clone()));
            builder.and_then(|builder| builder.with_no_client_auth().with_single_cert(chain.clone(), key)).map_err(io::Error::other)
        };
        let inside = config(&[&rustls::version::TLS12])?;
        let mut strict = config(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
        strict.alpn_protocols = vec![b"tds/8.0".to_vec()];
        Ok(Certificates { ca_pem, inside: Arc::new(inside).into(), strict: Arc::new(strict).into() })
    }
}

type Issued = (String, Vec<rustls::pki_types::CertificateDer<'static>>, Vec<u8>);

fn issue() -> Result<Issued, rcgen::Error> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "TDS stand-in CA");
    let authority_key = KeyPair::generate()?;
    let certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);
    let mut leaf = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    leaf.distinguished_name.push(DnType::CommonName, "localhost");
    let key = KeyPair::generate()?;
    let leaf = leaf.signed_by(&key, &issuer)?;
    Ok((certificate.pem(), vec![leaf.der().clone(), certificate.der().clone()], key.serialize_der()))
}

/// A socket that wraps what is written in pre-login packets, and unwraps what is read, until told to stop.
#[derive(Debug)]
pub(crate) struct Wrapped {
    inner: TcpStream,
    pub(crate) wrapping: bool,
    header: Vec<u8>,
    left_in_packet: usize,
    out: Vec<u8>,
}

impl Wrapped {
    pub(crate) fn new(inner: TcpStream) -> Self {
        Wrapped { inner, wrapping: true, header: Vec::new(), left_in_packet: 0, out: Vec::new() }
    }

    pub(crate) fn into_inner(self) -> TcpStream {
        self.inner
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let sent = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.out))?;
            self.out.drain(..sent);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Wrapped {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.wrapping {
            return Pin::new(&mut this.inner).poll_read(cx, buf);
        }
        while this.left_in_packet == 0 {
            let mut byte = [0u8; HEADER];
            let mut part = ReadBuf::new(&mut byte[..HEADER - this.header.len()]);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut part))?;
            if part.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.header.extend_from_slice(part.filled());
            if this.header.len() == HEADER {
                let length = usize::from(u16::from_be_bytes([this.header[2], this.header[3]]));
                this.left_in_packet = length.saturating_sub(HEADER);
                this.header.clear();
            }
        }
        let room = buf.remaining().min(this.left_in_packet);
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(room));
        ready!(Pin::new(&mut this.inner).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        this.left_in_packet -= read;
        buf.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wrapped {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        if !this.wrapping {
            return Pin::new(&mut this.inner).poll_write(cx, bytes);
        }
        let piece = &bytes[..bytes.len().min(4096 - HEADER)];
        let [high, low] = ((piece.len() + HEADER) as u16).to_be_bytes();
        this.out.extend([PRELOGIN, 1, high, low, 0, 0, 1, 0]);
        this.out.extend_from_slice(piece);
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
