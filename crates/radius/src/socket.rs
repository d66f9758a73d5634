//! A UDP socket that answers from the address it was asked at.
//!
//! A client drops a reply that comes from elsewhere, and on a host of several addresses the kernel
//! would choose one for a socket bound to all of them. So such a socket has the destination of
//! each datagram told (`IP_PKTINFO`, RFC 3542 §6) and names it as the source of the reply.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd as _, AsRawFd as _};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType,
    SockaddrStorage, bind, recvmsg, sendmsg, setsockopt, socket, sockopt,
};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// How many octets of datagrams may wait to be taken, if the system permits: a tenth of a second of
/// 40,000 short ones, so that a flood does not push out those of others.
const RECEIVE_BUFFER: usize = 8 * 1024 * 1024;

pub(super) struct Socket {
    inner: UdpSocket,
    local: SocketAddr,
}

/// A datagram that came in.
pub(super) struct Received {
    /// Its octets in the buffer.
    pub(super) length: usize,
    /// The address and port it was sent to.
    pub(super) local: SocketAddr,
    /// The way back.
    pub(super) back: Return,
}

/// Where a reply goes, and which of our addresses it leaves from.
#[derive(Debug, Clone)]
pub(super) struct Return {
    peer: SocketAddr,
    source: Option<Source>,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    V4(libc::in_addr),
    V6(libc::in6_pktinfo),
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
        let family = if address.is_ipv4() {
            AddressFamily::Inet
        } else {
            AddressFamily::Inet6
        };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let owned = socket(family, SockType::Datagram, flags, None)?;
        if address.is_ipv6() {
            setsockopt(&owned, sockopt::Ipv6V6Only, &true)?;
        }
        if address.ip().is_unspecified() {
            if address.is_ipv4() {
                setsockopt(&owned, sockopt::Ipv4PacketInfo, &true)?;
            } else {
                setsockopt(&owned, sockopt::Ipv6RecvPacketInfo, &true)?;
            }
        }
        // Past net.core.rmem_max only with a right that the service need not have. Less is no fault.
        if setsockopt(&owned, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            let _ = setsockopt(&owned, sockopt::RcvBuf, &RECEIVE_BUFFER);
        }
        bind(owned.as_raw_fd(), &SockaddrStorage::from(address))?;
        let inner = UdpSocket::from_std(std::net::UdpSocket::from(owned))?;
        let local = inner.local_addr()?;
        Ok(Self { inner, local })
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Waits for a datagram. What does not fit into the buffer is lost.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        self.inner
            .async_io(Interest::READABLE, || self.receive_now(buffer))
            .await
    }

    /// Takes a datagram that waits; nothing where none does.
    pub(super) fn receive_waiting(&self, buffer: &mut [u8]) -> Option<io::Result<Received>> {
        let received = self
            .inner
            .try_io(Interest::READABLE, || self.receive_now(buffer));
        match received {
            Err(none) if none.kind() == io::ErrorKind::WouldBlock => None,
            received => Some(received),
        }
    }

    /// Sends a reply the way it came.
    pub(super) async fn send(&self, bytes: &[u8], back: &Return) -> io::Result<()> {
        self.inner
            .async_io(Interest::WRITABLE, || self.send_now(bytes, back))
            .await
    }

    fn receive_now(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let mut control = nix::cmsg_space!(libc::in_pktinfo, libc::in6_pktinfo);
        let mut parts = [IoSliceMut::new(buffer)];
        let message = recvmsg::<SockaddrStorage>(
            self.inner.as_fd().as_raw_fd(),
            &mut parts,
            Some(&mut control),
            MsgFlags::empty(),
        )?;
        let peer = message
            .address
            .as_ref()
            .and_then(address_of)
            .ok_or(Errno::EAFNOSUPPORT)?;
        let mut source = None;
        for information in message.cmsgs()? {
            match information {
                ControlMessageOwned::Ipv4PacketInfo(told) => {
                    source = Some(Source::V4(told.ipi_spec_dst));
                }
                ControlMessageOwned::Ipv6PacketInfo(told) => source = Some(Source::V6(told)),
                _ => {}
            }
        }
        let local = match source {
            Some(Source::V4(told)) => {
                SocketAddr::new(IpAddr::from(told.s_addr.to_ne_bytes()), self.local.port())
            }
            Some(Source::V6(told)) => {
                SocketAddr::new(IpAddr::from(told.ipi6_addr.s6_addr), self.local.port())
            }
            None => self.local,
        };
        Ok(Received {
            length: message.bytes,
            local,
            back: Return { peer, source },
        })
    }

    fn send_now(&self, bytes: &[u8], back: &Return) -> io::Result<()> {
        let descriptor = self.inner.as_fd().as_raw_fd();
        let parts = [IoSlice::new(bytes)];
        let to = SockaddrStorage::from(back.peer);
        let flags = MsgFlags::empty();
        match back.source {
            None => sendmsg(descriptor, &parts, &[], flags, Some(&to))?,
            Some(Source::V4(address)) => {
                let from = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: address,
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                sendmsg(
                    descriptor,
                    &parts,
                    &[ControlMessage::Ipv4PacketInfo(&from)],
                    flags,
                    Some(&to),
                )?
            }
            Some(Source::V6(mut from)) => {
                // Only a link-local address belongs to one interface; elsewhere the route decides.
                if !std::net::Ipv6Addr::from(from.ipi6_addr.s6_addr).is_unicast_link_local() {
                    from.ipi6_ifindex = 0;
                }
                sendmsg(
                    descriptor,
                    &parts,
                    &[ControlMessage::Ipv6PacketInfo(&from)],
                    flags,
                    Some(&to),
                )?
            }
        };
        Ok(())
    }
}

fn address_of(storage: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some(SocketAddr::V4(SocketAddrV4::from(*v4)));
    }
    storage
        .as_sockaddr_in6()
        .map(|v6| SocketAddr::V6(SocketAddrV6::from(*v6)))
}
