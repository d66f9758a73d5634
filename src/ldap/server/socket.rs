//! Listening sockets of the network.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// How many connections the system keeps that were not accepted yet.
pub(super) const BACKLOG: i32 = 1024;

/// Binds an address. An IPv6 address is IPv6 alone, so that `0.0.0.0:389` and `[::]:389` can
/// stand side by side.
///
/// Must be called inside the runtime that will accept from it.
///
/// # Errors
/// What the system says: the address is taken, is not here, or needs a privilege.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // So that a restart need not wait for connections of before.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_families_share_a_port() {
        let v6 = listen("[::]:0".parse().unwrap()).unwrap();
        let port = v6.local_addr().unwrap().port();
        let v4 = listen(SocketAddr::from(([0, 0, 0, 0], port)));
        // Somebody else may have the port by now, which is not what is asked here.
        if let Ok(v4) = v4 {
            assert_eq!(v4.local_addr().unwrap().port(), port);
        } else {
            assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        }
    }

    #[tokio::test]
    async fn an_address_in_use_is_told() {
        let first = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let taken = listen(first.local_addr().unwrap()).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
    }
}
