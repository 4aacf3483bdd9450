//! The way to a SQL Server: by whichever of its addresses answers, over a connection that ends when the server is gone.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::select_ok;
use socket2::{SockRef, TcpKeepalive};
use tiberius::{Config, SqlBrowser};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::sleep;

/// A server that acknowledges nothing for so long is gone. It stands above the number of keepalives; those that come before are at 10 and 15 s.
const GONE_AFTER: Duration = Duration::from_secs(20);
/// How long an address has for itself before the next one is asked as well.
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects to the server of `config`; for how long that may take is the caller's to say.
pub(super) async fn connect(config: &mut Config, named_instance: bool) -> tiberius::Result<TcpStream> {
    let tcp = if named_instance {
        // To all addresses of the host at once.
        config.multi_subnet_failover(true);
        TcpStream::connect_named(config).await?
    } else {
        first_to_answer(lookup_host(config.get_addr()).await?).await?
    };
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(10)).with_interval(Duration::from_secs(5)).with_retries(3);
    tcp.set_nodelay(true)?;
    let socket = SockRef::from(&tcp);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(GONE_AFTER))?;
    Ok(tcp)
}

/// An availability group's listener has an address in each subnet, of which one answers and the others are silent: each is asked a moment after the one
/// before, whatever becomes of that.
async fn first_to_answer(addresses: impl Iterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    let ask = |address: SocketAddr, after| {
        Box::pin(async move {
            sleep(after).await;
            TcpStream::connect(address).await
        })
    };
    let heads = std::iter::successors(Some(Duration::ZERO), |before| Some(*before + HEAD_START));
    let asked: Vec<_> = addresses.zip(heads).map(|(address, after)| ask(address, after)).collect();
    if asked.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "its name has no address"));
    }
    select_ok(asked).await.map(|(tcp, _)| tcp)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Instant;

    use socket2::SockFilter;
    use tokio::net::TcpListener;

    use super::*;

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[tokio::test]
    async fn one_dead_address_of_two_costs_a_moment() {
        let (silent, dead) = listener().await;
        // Every packet to it is dropped, the first of a connection too.
        SockRef::from(&silent).attach_filter(&[SockFilter::new(0x06, 0, 0, 0)]).unwrap();
        let (_live, alive) = listener().await;
        let begun = Instant::now();
        let tcp = first_to_answer([dead, alive].into_iter()).await.unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), alive);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        // One that refuses does no harm either.
        drop(silent);
        assert_eq!(first_to_answer([dead, alive].into_iter()).await.unwrap().peer_addr().unwrap(), alive);
    }

    #[tokio::test]
    async fn nobody_at_all_is_an_error() {
        let (closed, address) = listener().await;
        drop(closed);
        assert_eq!(first_to_answer([address].into_iter()).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert!(first_to_answer(std::iter::empty()).await.unwrap_err().to_string().contains("no address"));
    }

    #[tokio::test]
    async fn a_connection_ends_when_the_server_is_gone() {
        let (_listener, address) = listener().await;
        let mut config = Config::new();
        config.host(address.ip());
        config.port(address.port());
        let tcp = connect(&mut config, false).await.unwrap();
        let socket = SockRef::from(&tcp);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(GONE_AFTER));
    }
}
