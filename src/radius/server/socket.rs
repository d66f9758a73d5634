//! One UDP socket, and the way back of each datagram.
//!
//! A client drops a reply that comes from another address than it asked. A socket bound to one
//! address always answers from it; one bound to all of them answers from the address the kernel
//! routes by, so a host of several addresses should list them one by one.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Type};
use tokio::net::UdpSocket;

pub(super) struct Socket {
    inner: UdpSocket,
    local: SocketAddr,
}

/// A datagram that came in.
pub(super) struct Received {
    /// Its octets in the buffer.
    pub(super) length: usize,
    /// The address and port it was sent to, as far as the socket knows.
    pub(super) local: SocketAddr,
    /// The way back.
    pub(super) back: Return,
}

/// Where a reply goes.
#[derive(Debug, Clone)]
pub(super) struct Return {
    peer: SocketAddr,
}

impl Return {
    /// The client's address, IPv4 where it is IPv4-mapped.
    pub(super) fn peer(&self) -> SocketAddr {
        SocketAddr::new(self.peer.ip().to_canonical(), self.peer.port())
    }
}

impl Socket {
    /// Binds; an IPv6 address is IPv6 alone, so that both families can listen on all addresses.
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = socket2::Socket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let inner = UdpSocket::from_std(socket.into())?;
        let local = inner.local_addr()?;
        Ok(Self { inner, local })
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Waits for a datagram. What does not fit into the buffer is lost.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let (length, peer) = self.inner.recv_from(buffer).await?;
        Ok(Received {
            length,
            local: self.local,
            back: Return { peer },
        })
    }

    /// Sends a reply the way it came.
    pub(super) async fn send(&self, bytes: &[u8], back: &Return) -> io::Result<()> {
        self.inner.send_to(bytes, back.peer).await.map(drop)
    }
}
