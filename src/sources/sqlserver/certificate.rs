//! Whose certificate a server shows: asked by a handshake of our own after the driver refused it, since the driver does not say.
//!
//! No login is sent. Before TDS 8 the TLS records travel inside pre-login packets
//! (<https://learn.microsoft.com/openspecs/windows_protocols/ms-tds/60f56408-0188-4cd5-8b90-25c6f2423868>).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ClientConnection};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::{Encrypt, SqlServerSettings};
use crate::tls::{Unverified, subject};

const TIMEOUT: Duration = Duration::from_secs(3);
const PRE_LOGIN: u8 = 0x12;
const HEADER_BYTES: u16 = 8;
/// VERSION at 11 (6 bytes), ENCRYPTION at 17 (1 byte: on), the end; then their values.
const OPTIONS: [u8; 18] = [0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 0, 0, 0, 0, 0, 0, 1];

/// The subject of the server's certificate, where it can be had.
pub(super) async fn server_subject(settings: &SqlServerSettings) -> Option<String> {
    if settings.instance.is_some() {
        return None; // its port is known to the driver alone
    }
    timeout(TIMEOUT, handshake(settings)).await.ok()?.ok()
}

async fn handshake(settings: &SqlServerSettings) -> io::Result<String> {
    let mut tcp = TcpStream::connect((settings.host.as_str(), settings.port)).await?;
    let framed = settings.encrypt != Encrypt::Strict;
    if framed {
        send(&mut tcp, &OPTIONS, framed).await?;
        receive(&mut tcp, framed).await?;
    }
    let mut tls = connection(&settings.host, framed)?;
    loop {
        let mut outgoing = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut outgoing)?;
        }
        if !outgoing.is_empty() {
            send(&mut tcp, &outgoing, framed).await?;
        }
        if let Some([certificate, ..]) = tls.peer_certificates() {
            return Ok(subject(certificate));
        }
        let incoming = receive(&mut tcp, framed).await?;
        let mut unread = incoming.as_slice();
        while !unread.is_empty() {
            tls.read_tls(&mut unread)?;
            tls.process_new_packets().map_err(io::Error::other)?;
        }
    }
}

fn connection(host: &str, framed: bool) -> io::Result<ClientConnection> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Unverified(provider)))
        .with_no_client_auth();
    if !framed {
        config.alpn_protocols = vec![b"tds/8.0".to_vec()];
    }
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)
}

async fn send(tcp: &mut TcpStream, bytes: &[u8], framed: bool) -> io::Result<()> {
    if framed {
        let length = u16::try_from(bytes.len()).map_err(io::Error::other)?.saturating_add(HEADER_BYTES).to_be_bytes();
        tcp.write_all(&[PRE_LOGIN, 1, length[0], length[1], 0, 0, 1, 0]).await?;
    }
    tcp.write_all(bytes).await
}

async fn receive(tcp: &mut TcpStream, framed: bool) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 16 * 1024];
    if framed {
        let mut header = [0; HEADER_BYTES as usize];
        tcp.read_exact(&mut header).await?;
        let payload = u16::from_be_bytes([header[2], header[3]]).saturating_sub(HEADER_BYTES);
        bytes.resize(payload.into(), 0);
        tcp.read_exact(&mut bytes).await?;
    } else {
        let count = tcp.read(&mut bytes).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.truncate(count);
    }
    Ok(bytes)
}
