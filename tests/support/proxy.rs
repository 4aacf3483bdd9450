//! A network that goes wrong on demand: a TCP proxy in front of a server that at a chosen byte cuts, resets, stalls, drops, slices, trickles or delays.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use socket2::{SockFilter, SockRef};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// How long a delay lasts.
pub(crate) const DELAY: Duration = Duration::from_millis(400);
/// For how long the system of a proxy whose packets are lost still sends what nobody has acknowledged.
const RESENT_FOR: Duration = Duration::from_secs(1);
/// How many bytes are sliced.
const SLICED_BYTES: usize = 2_000;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Both sides are told that the other has closed (FIN).
    Cut,
    /// Both sides are told that the connection is broken (RST).
    Reset,
    /// Nothing passes any more, and nobody is told; both systems still acknowledge what is sent.
    Stall,
    /// Every packet is lost from now on, of all connections and of those that are yet to be made: nobody acknowledges anything.
    Drop,
    /// The next bytes come one at a time.
    Slice,
    /// All further bytes come one a second.
    Trickle,
    /// Nothing passes for [`DELAY`].
    Delay,
}

/// Which bytes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// What the product says.
    ToServer,
    /// What the server answers.
    ToClient,
}

/// Where trouble strikes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    /// Before this byte of those that pass one way, over all connections.
    Byte(Direction, u64),
    /// Before this text.
    Text(Direction, &'static str),
    /// Before the first of the second text that comes after the first has passed to the server.
    After(&'static str, Direction, &'static str),
}

/// A proxy on 127.0.0.1.
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) port: u16,
    shared: Arc<Mutex<Shared>>,
    _listening: AbortOnDropHandle<()>,
}

impl Drop for Proxy {
    /// Both servers hear at last of what stands still.
    fn drop(&mut self) {
        self.plan(None);
    }
}

/// What is to happen, and what has.
#[derive(Default)]
struct Shared {
    planned: Option<(Trouble, Place)>,
    struck: Option<Instant>,
    /// Whether the first text of [`Place::After`] has passed.
    reached: bool,
    /// Bytes that have passed [to the server, to the client], over all connections.
    passed: [u64; 2],
    /// Connections that stand still, both their ends.
    stalled: Vec<(TcpStream, TcpStream)>,
    answers: Vec<u8>,
    /// Says that packets are lost.
    dark: CancellationToken,
    /// Whether nobody can connect any more.
    deaf: bool,
}

impl Proxy {
    /// A proxy, sound for now, in front of the server at a port of this machine.
    pub(crate) async fn before(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let of_connections = Arc::clone(&shared);
        let listening = AbortOnDropHandle::new(tokio::spawn(async move {
            let dark = of_connections.lock().unwrap().dark.clone();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let Ok((client, _)) = accepted else { return };
                        tokio::spawn(carry(client, server, Arc::clone(&of_connections)));
                    }
                    () = dark.cancelled() => break,
                }
            }
            lose_packets(&listener);
            of_connections.lock().unwrap().deaf = true;
            std::future::pending::<()>().await;
        }));
        Self { port, shared, _listening: listening }
    }

    /// A port that takes no connection and refuses none.
    pub(crate) async fn unreachable() -> Self {
        let proxy = Self::before(0).await;
        let dark = proxy.shared.lock().unwrap().dark.clone();
        dark.cancel();
        while !proxy.shared.lock().unwrap().deaf {
            tokio::task::yield_now().await;
        }
        proxy
    }

    /// Every byte that has passed to the client.
    pub(crate) fn answers(&self) -> Vec<u8> {
        self.shared.lock().unwrap().answers.clone()
    }

    /// Counts from zero again; what stood still is closed. Trouble comes once, to the connection that reaches the place: later ones
    /// are sound.
    pub(crate) fn plan(&self, trouble: Option<(Trouble, Place)>) {
        let mut shared = self.shared.lock().unwrap();
        for (client, server) in &shared.stalled {
            // Said at once: a farewell would wait behind what nobody acknowledges.
            for end in [client, server] {
                close_by_reset(end);
            }
        }
        *shared = Shared { planned: trouble, dark: shared.dark.clone(), ..Shared::default() };
    }

    /// How many bytes have passed.
    pub(crate) fn passed(&self, direction: Direction) -> u64 {
        self.shared.lock().unwrap().passed[direction as usize]
    }

    /// Whether the trouble has come.
    pub(crate) fn has_struck(&self) -> bool {
        self.struck().is_some()
    }

    /// When the trouble came.
    pub(crate) fn struck(&self) -> Option<Instant> {
        self.shared.lock().unwrap().struck
    }
}

/// Has the kernel lose every packet that comes to a socket, before anything is acknowledged or refused.
fn lose_packets<'s>(socket: impl Into<SockRef<'s>>) {
    /// `BPF_RET | BPF_K`: so many bytes of a packet are kept.
    const RETURN: u16 = 0x06;
    socket.into().attach_filter(&[SockFilter::new(RETURN, 0, 0, 0)]).unwrap();
}

/// When it is closed the other side hears RST.
fn close_by_reset(socket: &TcpStream) {
    SockRef::from(socket).set_linger(Some(Duration::ZERO)).unwrap();
}

/// One connection, from its beginning to its end.
async fn carry(mut client: TcpStream, server: u16, shared: Arc<Mutex<Shared>>) {
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await else { return };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let dark = shared.lock().unwrap().dark.clone();
    let struck = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let asking = pass(from_client, to_server, Direction::ToServer, &shared);
        let answering = pass(from_server, to_client, Direction::ToClient, &shared);
        tokio::pin!(asking, answering);
        tokio::select! {
            struck = &mut asking => match struck { None => answering.await, struck => struck },
            struck = &mut answering => match struck { None => asking.await, struck => struck },
            () = dark.cancelled() => Some(Trouble::Drop),
        }
    };
    match struck {
        Some(Trouble::Cut) => {
            // A socket closed with bytes unread would say RST.
            for mut end in [client, server] {
                let _ = end.shutdown().await;
                tokio::spawn(async move { while let Ok(1..) = end.read(&mut [0; 8192]).await {} });
            }
        }
        Some(Trouble::Reset) => {
            for end in [&client, &server] {
                close_by_reset(end);
            }
        }
        Some(Trouble::Drop) => {
            dark.cancel();
            // What was sent is acknowledged by then, or nearly: a system that is gone sends nothing again.
            tokio::time::sleep(Duration::from_millis(100)).await;
            SockRef::from(&client).set_tcp_user_timeout(Some(RESENT_FOR)).unwrap();
            lose_packets(&client);
            lose_packets(&server);
            shared.lock().unwrap_or_else(PoisonError::into_inner).stalled.push((client, server));
        }
        Some(Trouble::Stall) => shared.lock().unwrap_or_else(PoisonError::into_inner).stalled.push((client, server)),
        Some(Trouble::Slice | Trouble::Trickle | Trouble::Delay) | None => {}
    }
}

/// Passes bytes one way until they end, or until trouble ends the connection.
async fn pass(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, direction: Direction, shared: &Mutex<Shared>) -> Option<Trouble> {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let (before, struck) = shared.lock().unwrap().count(direction, &buffer[..length]);
        let (sound, rest) = buffer[..length].split_at(before);
        to.write_all(sound).await.ok()?;
        match struck {
            Some(trouble @ (Trouble::Cut | Trouble::Reset | Trouble::Stall | Trouble::Drop)) => return Some(trouble),
            Some(Trouble::Slice) => {
                let (sliced, rest) = rest.split_at(rest.len().min(SLICED_BYTES));
                for byte in sliced {
                    to.write_all(std::slice::from_ref(byte)).await.ok()?;
                }
                to.write_all(rest).await.ok()?;
            }
            Some(Trouble::Trickle) => {
                trickle(rest, &mut to).await?;
                while let Ok(length @ 1..) = from.read(&mut buffer).await {
                    trickle(&buffer[..length], &mut to).await?;
                }
            }
            Some(Trouble::Delay) => {
                tokio::time::sleep(DELAY).await;
                to.write_all(rest).await.ok()?;
            }
            None => to.write_all(rest).await.ok()?,
        }
    }
    let _ = to.shutdown().await;
    None
}

async fn trickle(bytes: &[u8], to: &mut WriteHalf<'_>) -> Option<()> {
    for byte in bytes {
        to.write_all(std::slice::from_ref(byte)).await.ok()?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Some(())
}

impl Shared {
    /// Notes that bytes have come: how many of them pass before trouble strikes, if it does.
    fn count(&mut self, direction: Direction, bytes: &[u8]) -> (usize, Option<Trouble>) {
        let passed = &mut self.passed[direction as usize];
        let before = *passed;
        *passed += bytes.len() as u64;
        if direction == Direction::ToClient {
            self.answers.extend_from_slice(bytes);
        }
        let Some((trouble, place)) = self.planned else { return (bytes.len(), None) };
        let sound = match place {
            Place::Byte(of, at) if of == direction && at < *passed => usize::try_from(at.saturating_sub(before)).ok(),
            Place::Text(of, text) if of == direction => memchr::memmem::find(bytes, text.as_bytes()),
            Place::After(_, of, text) if self.reached && of == direction => memchr::memmem::find(bytes, text.as_bytes()),
            Place::After(first, ..) if direction == Direction::ToServer => {
                self.reached |= memchr::memmem::find(bytes, first.as_bytes()).is_some();
                None
            }
            Place::Byte(..) | Place::Text(..) | Place::After(..) => None,
        };
        let Some(sound) = sound else { return (bytes.len(), None) };
        self.planned = None;
        self.struck = Some(Instant::now());
        (sound, Some(trouble))
    }
}
