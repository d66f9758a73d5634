//! One connection of a client: packets in, replies out, and every wait bounded.
//!
//! Requests are worked on side by side and answered as they are decided. A client that has as many
//! open as it may is not read from until one is answered; one that does not read is closed. What is
//! open when the connection ends is given up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroize as _;

use super::Bounds;
use crate::reply_path::ReplyPath;
use crate::{Shared, handle, report};
use doorward_domain::certificate::CertificateNames;
use doorward_leftovers::overwrite_freed;
use doorward_radius_protocol::exchange::{Arrival, examine};
use doorward_radius_protocol::reason::DropReason;
use doorward_radius_protocol::transport::{ConnectionId, Transport, Version};
use doorward_radius_protocol::wire::{MAX_LENGTH, next_packet};

/// How many requests of one connection may be open: as many as there are identifiers.
const OPEN: u32 = 256;
/// How many replies may wait to be written before requests wait.
const REPLIES_WAITING: usize = 64;

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The client has left, or the network has failed.
    Gone,
    /// Nothing came for as long as a client may be silent.
    Idle,
    /// A packet that ends a connection (RFC 6613 §2.6.4).
    Malformed,
    /// The client does not read.
    SlowReader,
    /// Its entry is gone, or has other addresses or certificates.
    ClientGone,
    /// There are other CAs or revocation lists than when its certificate was verified.
    Verify,
    /// The daemon stops.
    Shutdown,
}

impl Ended {
    /// The reason as the value of a metric's label.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Idle => "idle",
            Self::Malformed => "malformed",
            Self::SlowReader => "slow_reader",
            Self::ClientGone => "client_gone",
            Self::Verify => "verify",
            Self::Shutdown => "shutdown",
        }
    }
}

/// The way back to the other end of a connection, for one request.
#[derive(Clone)]
pub(crate) struct TlsReplyPath {
    peer: SocketAddr,
    replies: mpsc::Sender<Bytes>,
    over: CancellationToken,
    /// The request's turn among those of the connection.
    _turn: Arc<OwnedSemaphorePermit>,
}

impl TlsReplyPath {
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    pub(crate) async fn send(&self, bytes: &Bytes) {
        // Where nobody is there any more, nobody misses it.
        let _ = self.replies.send(bytes.clone()).await;
    }

    pub(crate) async fn gone(&self) {
        self.over.cancelled().await;
    }
}

/// A connection whose client is known.
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) version: Version,
    pub(crate) names: CertificateNames,
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
    pub(crate) bounds: Bounds,
    /// Whether the certificate would be verified by the same CAs and lists now.
    pub(crate) current: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Connection {
    /// Serves the connection to its end.
    pub(crate) async fn serve<S>(
        self,
        stream: S,
        shared: &Arc<Shared>,
        shutdown: &CancellationToken,
    ) -> Ended
    where
        S: AsyncRead + AsyncWrite + Send,
    {
        let (from, to) = tokio::io::split(stream);
        let over = CancellationToken::new();
        let given_up = over.clone().drop_guard();
        let (replies, waiting) = mpsc::channel(REPLIES_WAITING);
        let replying = self.write(to, waiting);
        tokio::pin!(replying);
        let ended = {
            let reading = self.read(from, replies, over, shared, shutdown);
            tokio::pin!(reading);
            tokio::select! {
                ended = &mut reading => ended,
                ended = &mut replying => return ended,
            }
        };
        drop(given_up);
        if ended != Ended::Gone {
            // What was decided goes out before the last word.
            replying.await;
        }
        ended
    }

    async fn read<R: AsyncRead + Unpin>(
        &self,
        mut from: R,
        replies: mpsc::Sender<Bytes>,
        over: CancellationToken,
        shared: &Arc<Shared>,
        shutdown: &CancellationToken,
    ) -> Ended {
        let turns = Arc::new(Semaphore::new(OPEN as usize));
        let mut octets = BytesMut::new();
        loop {
            let next = async {
                let turn = Arc::clone(&turns).acquire_owned().await;
                let turn = turn.map_err(|_| Ended::Gone)?;
                let packet = timeout(self.bounds.idle, packet(&mut from, &mut octets)).await;
                let packet = packet.map_err(|_| Ended::Idle)??;
                self.wait_for_rate(shared).await;
                Ok((turn, packet))
            };
            let next = tokio::select! {
                biased;
                () = shutdown.cancelled() => {
                    // The requests that are open have all their turns.
                    let _ = turns.acquire_many(OPEN).await;
                    return Ended::Shutdown;
                }
                next = next => next,
            };
            let (turn, mut packet) = match next {
                Ok(next) => next,
                Err(ended) => return ended,
            };
            let back = TlsReplyPath {
                peer: self.peer,
                replies: replies.clone(),
                over: over.clone(),
                _turn: Arc::new(turn),
            };
            let taken = self.take(&packet, back, shared).await;
            // A password may be in it.
            packet.as_mut().zeroize();
            if let Err(ended) = taken {
                return ended;
            }
        }
    }

    /// Waits until the client may send one more (CONTRACT.md 3.6). Nothing is lost: it is not read
    /// from meanwhile.
    async fn wait_for_rate(&self, shared: &Shared) {
        loop {
            let live = shared.live.load_full();
            let client = live.clients.find_certificate(&self.names, self.peer.ip());
            let Some(span) = client
                .ok()
                .and_then(|client| live.gates.wait(client.name()))
            else {
                return;
            };
            tokio::time::sleep(span).await;
        }
    }

    async fn take(
        &self,
        packet: &[u8],
        back: TlsReplyPath,
        shared: &Arc<Shared>,
    ) -> Result<(), Ended> {
        let transport = Transport::Tls {
            connection: self.id,
            version: self.version,
        };
        report::packet(transport);
        // What was true of the client at the handshake may not be so any more.
        if !(self.current)() {
            return Err(Ended::Verify);
        }
        let live = shared.live.load_full();
        let client = live
            .clients
            .find_certificate(&self.names, self.peer.ip())
            .map_err(|_| Ended::ClientGone)?;
        let arrival = Arrival {
            datagram: packet,
            client,
            transport,
            peer: self.peer,
            local: self.local,
            now: shared.clock.now(),
            eap: live.eap.as_ref(),
            challenges: live.challenges,
            available: shared.available.load(Ordering::Relaxed),
        };
        match handle(shared, &arrival, examine(&arrival), ReplyPath::Tls(back)).await {
            Some(reason) if ends_connection(reason) => Err(Ended::Malformed),
            _ => Ok(()),
        }
    }

    /// Writes replies until no request is open and none will come.
    async fn write<W: AsyncWrite + Unpin>(
        &self,
        mut to: W,
        mut waiting: mpsc::Receiver<Bytes>,
    ) -> Ended {
        while let Some(reply) = waiting.recv().await {
            let written = async {
                to.write_all(&reply).await?;
                if waiting.is_empty() {
                    to.flush().await?;
                }
                Ok::<_, std::io::Error>(())
            };
            match timeout(self.bounds.write, written).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Ended::Gone,
                Err(_) => return Ended::SlowReader,
            }
        }
        let _ = timeout(self.bounds.write, to.shutdown()).await;
        Ended::Gone
    }
}

/// The next packet of the connection.
async fn packet<R: AsyncRead + Unpin>(
    from: &mut R,
    octets: &mut BytesMut,
) -> Result<BytesMut, Ended> {
    loop {
        if let Some(packet) = next_packet(octets).map_err(|_| Ended::Malformed)? {
            return Ok(packet);
        }
        octets.reserve(MAX_LENGTH);
        match from.read_buf(octets).await {
            Ok(0) | Err(_) => return Err(Ended::Gone),
            Ok(read) => overwrite_freed(read),
        }
    }
}

/// Whether a packet that is dropped for this takes its connection with it (RFC 6613 §2.6.4): who
/// sends such does not speak the protocol, or not under this secret.
const fn ends_connection(reason: DropReason) -> bool {
    matches!(
        reason,
        DropReason::Short
            | DropReason::Length
            | DropReason::Truncated
            | DropReason::MalformedAttribute
            | DropReason::TooManyAttributes
            | DropReason::MessageAuthenticatorWrong
            | DropReason::MessageAuthenticatorSize
            | DropReason::MessageAuthenticatorRepeated
            | DropReason::AccountingWrong
    )
}
