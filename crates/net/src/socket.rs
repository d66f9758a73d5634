//! Listening sockets of the network.

use std::io;
use std::net::{Shutdown, SocketAddr};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::TcpListener;

/// How many connections the system keeps that were not accepted yet.
pub(crate) const BACKLOG: i32 = 1024;

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

/// Refuses every connection until `until` is over, as if nothing listened there. The socket keeps
/// its address, where it was bound to a port and not to any.
///
/// To accept and to close would be worse: `libldap` takes that for a connection that broke, and a
/// Dovecot with StartTLS then uses the broken one for ever.
///
/// # Errors
/// The system does not let the socket listen again, because another does there.
pub async fn refuse_until(
    listener: TcpListener,
    until: impl Future<Output = ()>,
) -> io::Result<TcpListener> {
    // Out of the runtime meanwhile, which would find the socket ready all the time.
    let silent = listener.into_std()?;
    SockRef::from(&silent).shutdown(Shutdown::Read)?;
    until.await;
    SockRef::from(&silent).listen(BACKLOG)?;
    TcpListener::from_std(silent)
}

#[cfg(test)]
mod tests {
    use doorward_fixtures::listen_at_a_port;

    use super::*;

    #[tokio::test]
    async fn both_families_share_a_port() {
        let v6 = listen("[::]:0".parse().unwrap()).unwrap();
        let port = v6.local_addr().unwrap().port();
        assert!(SockRef::from(&v6).only_v6().unwrap());
        let v4 = listen(SocketAddr::from(([0, 0, 0, 0], port)));
        // Somebody else may have the port by now, which is not what is asked here.
        if let Ok(v4) = v4 {
            assert_eq!(v4.local_addr().unwrap().port(), port);
        }
    }

    #[tokio::test]
    async fn connections_are_refused_for_a_while() {
        let listener = listen_at_a_port();
        let address = listener.local_addr().unwrap();
        let until = async {
            let refused = std::net::TcpStream::connect(address).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        };
        let listener = refuse_until(listener, until).await.unwrap();
        let _client = std::net::TcpStream::connect(address).unwrap();
        assert!(listener.accept().await.is_ok());
    }

    #[tokio::test]
    async fn an_address_in_use_is_told() {
        let first = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let taken = listen(first.local_addr().unwrap()).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
    }
}
