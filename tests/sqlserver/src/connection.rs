//! A connection from its first byte to a logged-in session.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::account::Account;
use crate::faults::LoginFault;
use crate::server::{Shared, TlsMode};
use crate::session::Client;
use crate::sql::error::SqlError;
use crate::sql::functions::{SERVER, Session};
use crate::tls::Wrapped;
use crate::types::collation;
use crate::wire::login::{self, ENCRYPT_NOT_SUPPORTED, ENCRYPT_OFF, ENCRYPT_ON, ENCRYPT_REQUIRED, Login};
use crate::wire::packet::{LOGIN7, PRELOGIN, Packets, RESPONSE, read_message};
use crate::wire::tokens;

const TLS_RECORD: u8 = 0x16;

/// Serves one connection until it ends.
pub(crate) async fn serve(mut socket: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut first = [0u8];
    socket.peek(&mut first).await?;
    if first[0] == TLS_RECORD && shared.tls != TlsMode::Off {
        let mut stream = shared.certificates.strict.accept(socket).await?;
        expect(&mut stream, PRELOGIN).await?;
        answer(&mut stream, &login::prelogin_answer(ENCRYPT_ON)).await?;
        let message = expect(&mut stream, LOGIN7).await?;
        return log_in(stream, &message, shared).await;
    }
    if shared.tls == TlsMode::Strict {
        return Ok(());
    }
    let prelogin = expect(&mut socket, PRELOGIN).await?;
    let wanted = login::wanted_encryption(&prelogin).map_err(|_| malformed())?;
    let (offered, tls, full) = match (shared.tls, wanted) {
        (TlsMode::Off, _) => (ENCRYPT_NOT_SUPPORTED, false, false),
        (TlsMode::LoginOnly, ENCRYPT_NOT_SUPPORTED) => (ENCRYPT_NOT_SUPPORTED, false, false),
        (TlsMode::LoginOnly, ENCRYPT_OFF) => (ENCRYPT_OFF, true, false),
        (TlsMode::LoginOnly, _) => (ENCRYPT_ON, true, true),
        // The server forces encryption: a client that cannot is refused after its pre-login.
        (_, ENCRYPT_NOT_SUPPORTED) => (ENCRYPT_REQUIRED, false, false),
        (_, ENCRYPT_OFF) => (ENCRYPT_REQUIRED, true, true),
        _ => (ENCRYPT_ON, true, true),
    };
    answer(&mut socket, &login::prelogin_answer(offered)).await?;
    if offered == ENCRYPT_REQUIRED && !tls {
        return Ok(());
    }
    if !tls {
        let message = expect(&mut socket, LOGIN7).await?;
        return log_in(socket, &message, shared).await;
    }
    let mut stream = shared.certificates.inside.accept(Wrapped::new(socket)).await?;
    stream.get_mut().0.wrapping = false;
    let message = expect(&mut stream, LOGIN7).await?;
    if full { log_in(stream, &message, shared).await } else { log_in(stream.into_inner().0.into_inner(), &message, shared).await }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "malformed message")
}

async fn expect<S: AsyncRead + Unpin>(stream: &mut S, kind: u8) -> io::Result<Vec<u8>> {
    let (found, body) = read_message(stream).await?;
    if found == kind { Ok(body) } else { Err(malformed()) }
}

async fn answer<S: AsyncWrite + Unpin>(stream: &mut S, body: &[u8]) -> io::Result<()> {
    let mut packets = Packets::new(4096, 0);
    packets.cut(RESPONSE, &mut body.to_vec(), true);
    stream.write_all(&packets.ready).await?;
    stream.flush().await
}

async fn log_in<S>(mut stream: S, message: &[u8], shared: Arc<Shared>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let login = login::parse(message).map_err(|_| malformed())?;
    let size = if login.packet_size == 0 { 4096 } else { login.packet_size.clamp(512, 32_767) } as usize;
    let mut body = Vec::new();
    let fault = match shared.login_faults.strike() {
        Some(LoginFault::Close) => return Ok(()),
        // A client that gives up closes its side.
        Some(LoginFault::Hang) => {
            shared.hanging.fetch_add(1, Ordering::Relaxed);
            let gave_up = read_message(&mut stream).await.map(drop);
            shared.hanging.fetch_sub(1, Ordering::Relaxed);
            return gave_up;
        }
        Some(LoginFault::Error(error)) => Some(error),
        None => None,
    };
    let (account, database) = match fault.map_or_else(|| admit(&login, &shared), |error| Err(vec![error])) {
        Ok(admitted) => admitted,
        Err(errors) => {
            for error in errors {
                tokens::put_error(&mut body, SERVER, &error);
            }
            tokens::put_done(&mut body, tokens::DONE, tokens::FAILED, 0, 0);
            return answer(&mut stream, &body).await;
        }
    };
    let spid = shared.next_spid();
    let world = shared.world();
    let found = world.database(&database).map_or(collation::DEFAULT, |database| database.collation);
    tokens::put_change(&mut body, 1, &database, "master");
    tokens::put_info(&mut body, SERVER, 5701, &format!("Changed database context to '{database}'."));
    tokens::put_change_bytes(&mut body, 7, &found.wire(), &[]);
    tokens::put_change(&mut body, 2, "us_english", "");
    tokens::put_info(&mut body, SERVER, 5703, "Changed language setting to us_english.");
    tokens::put_login_ack(&mut body, login.tds_version);
    tokens::put_change(&mut body, 4, &size.to_string(), "4096");
    tokens::put_done(&mut body, tokens::DONE, 0, 0, 0);
    answer(&mut stream, &body).await?;
    let rows = world.clone();
    let session = Session { world, rows, database, account, application: login.application, spid, transactions: 0, last_rows: 0 };
    Client::new(stream, session, size, shared).run().await
}

/// The account and its initial database, or why the login is refused.
fn admit(login: &Login, shared: &Shared) -> Result<(Account, String), Vec<SqlError>> {
    let failed = || SqlError::new(18456, 14, format!("Login failed for user '{}'.", login.user));
    let account = shared.account(&login.user, &login.password).ok_or_else(|| vec![failed()])?;
    shared.count_login();
    let wanted = if login.database.is_empty() { "master" } else { &login.database };
    let world = shared.world();
    let database = world.database(wanted).filter(|database| account.may_use(&database.name));
    database.map(|database| (account.clone(), database.name.clone())).ok_or_else(|| {
        let message = format!("Cannot open database \"{wanted}\" requested by the login. The login failed.");
        vec![SqlError::new(4060, 11, message), failed()]
    })
}
