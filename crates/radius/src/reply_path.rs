//! The way back to whoever sent a request: a datagram from the address it came to, or the
//! connection it came on.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use tracing::debug;

use super::socket::{Return, Socket};
use super::{radsec, report};
use doorward_radius_protocol::transport::Service;

/// Where a reply goes.
#[derive(Clone)]
pub(super) enum ReplyPath {
    /// To the sender of a datagram.
    Datagram {
        socket: Arc<Socket>,
        service: Service,
        to: Return,
    },
    /// To the other end of a connection.
    Tls(radsec::TlsReplyPath),
}

impl ReplyPath {
    /// Who sent the request.
    pub(super) fn peer(&self) -> SocketAddr {
        match self {
            Self::Datagram { to, .. } => to.peer(),
            Self::Tls(back) => back.peer(),
        }
    }

    pub(super) async fn send(&self, bytes: &Bytes) {
        match self {
            Self::Datagram {
                socket,
                service,
                to,
            } => {
                if let Err(fault) = socket.send(bytes, to).await {
                    report::send_error(*service);
                    debug!(client.address = %to.peer(), error = %fault, "cannot send a RADIUS reply");
                }
            }
            Self::Tls(back) => back.send(bytes).await,
        }
    }

    /// Comes to its end once nobody is there any more to be answered. Of datagrams nobody knows.
    pub(super) async fn gone(&self) {
        match self {
            Self::Datagram { .. } => std::future::pending().await,
            Self::Tls(back) => back.gone().await,
        }
    }
}
