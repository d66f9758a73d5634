//! What happens between a connection and its first byte of LDAP: who is at the other end.
//!
//! A peer among the listener's proxies says first for whom it connects, and is believed; nobody
//! else is read from (`proxy-protocol.txt` section 2).

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::time::timeout;

use doorward_domain::origin::Source;
use doorward_ldap_protocol::proxy_protocol::{Behind, LONGEST, Progress, read};
use doorward_net::{LocalListener, refuse_until};

/// What is listened on.
pub enum Socket {
    /// An address.
    Network(TcpListener),
    /// A Unix socket.
    Local(LocalListener),
}

impl From<TcpListener> for Socket {
    fn from(listener: TcpListener) -> Self {
        Self::Network(listener)
    }
}

impl From<LocalListener> for Socket {
    fn from(listener: LocalListener) -> Self {
        Self::Local(listener)
    }
}

/// A connection of which nothing was read.
pub(super) enum Accepted {
    Network(TcpStream, Source),
    Local(UnixStream),
}

impl Socket {
    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Network(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok(Accepted::Network(stream, peer.ip().into()))
            }
            Self::Local(listener) => listener.accept().await.map(Accepted::Local),
        }
    }

    /// Lets nobody connect until `until` is over. A Unix socket that stops listening cannot listen
    /// again: connections there are closed.
    ///
    /// # Errors
    /// The system does not let the socket listen again.
    pub(super) async fn refuse_until(self, until: impl Future<Output = ()>) -> io::Result<Self> {
        match self {
            Self::Network(listener) => refuse_until(listener, until).await.map(Self::Network),
            Self::Local(listener) => {
                tokio::pin!(until);
                loop {
                    tokio::select! {
                        biased;
                        () = &mut until => return Ok(Self::Local(listener)),
                        closed = listener.accept() => drop(closed?),
                    }
                }
            }
        }
    }
}

/// Reads a proxy's header, and not a byte behind it.
///
/// A proxy on another machine that names a loopback address means its own machine, not this one:
/// then it is the proxy itself that is the source.
///
/// # Errors
/// No header came in time, or it is none.
pub(super) async fn behind<S: AsyncRead + Unpin>(
    stream: &mut S,
    proxy: &Source,
    within: Duration,
) -> io::Result<Source> {
    let header = timeout(within, header(stream)).await;
    let behind = header.map_err(|_| io::ErrorKind::TimedOut)??;
    Ok(match behind {
        Behind::Client(address) if !address.is_loopback() || proxy.is_this_machine() => {
            address.into()
        }
        Behind::Client(_) | Behind::Proxy => proxy.clone(),
    })
}

async fn header<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Behind> {
    let mut bytes = Vec::new();
    loop {
        let wanted = match read(&bytes).map_err(|_| io::ErrorKind::InvalidData)? {
            Progress::Whole(behind) => return Ok(behind),
            Progress::Needs(wanted) => wanted,
        };
        let known = bytes.len();
        if known + wanted > LONGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        bytes.resize(known + wanted, 0);
        if let Some(room) = bytes.get_mut(known..) {
            stream.read_exact(room).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    async fn told(proxy: &str, bytes: &[u8]) -> (Result<String, io::ErrorKind>, Vec<u8>) {
        let (mut near, mut far) = tokio::io::duplex(4096);
        far.write_all(bytes).await.unwrap();
        drop(far);
        let proxy = proxy.parse().unwrap();
        let source = behind(&mut near, &proxy, Duration::from_secs(5)).await;
        let mut rest = Vec::new();
        near.read_to_end(&mut rest).await.unwrap();
        let source = source.map(|source| source.to_string());
        (source.map_err(|fault| fault.kind()), rest)
    }

    #[tokio::test]
    async fn the_header_says_who_it_is_and_nothing_behind_it_is_taken() {
        let (source, rest) = told(
            "10.0.5.1",
            b"PROXY TCP4 192.0.2.7 10.0.5.1 50000 389\r\n0\x0c\x02",
        )
        .await;
        assert_eq!(source.unwrap(), "192.0.2.7");
        assert_eq!(rest, b"0\x0c\x02");
        let (source, _) = told("10.0.5.1", b"PROXY UNKNOWN\r\n").await;
        assert_eq!(source.unwrap(), "10.0.5.1");
    }

    #[tokio::test]
    async fn loopback_is_the_proxys_own_machine() {
        let header = b"PROXY TCP4 127.0.0.1 127.0.0.1 50000 389\r\n";
        assert_eq!(told("10.0.5.1", header).await.0.unwrap(), "10.0.5.1");
        assert_eq!(told("127.0.0.9", header).await.0.unwrap(), "127.0.0.1");
        let mapped = b"PROXY TCP6 ::ffff:127.0.0.1 ::1 50000 389\r\n";
        assert_eq!(told("10.0.5.1", mapped).await.0.unwrap(), "10.0.5.1");
    }

    #[tokio::test]
    async fn a_proxy_that_says_nothing_of_the_kind_is_not_served() {
        for bytes in [&b"0\x0c\x02\x01\x01"[..], b"PROXY TCP4 192", b""] {
            assert!(told("10.0.5.1", bytes).await.0.is_err(), "{bytes:?}");
        }
        let (mut near, _far) = tokio::io::duplex(64);
        let proxy = "10.0.5.1".parse().unwrap();
        let late = behind(&mut near, &proxy, Duration::from_millis(10)).await;
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
