//! One TLS session, fed by hand: octets in, octets out, plaintext both ways.
//!
//! Must not know EAP's packets, nor what the plaintext means.

use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use rustls::{ProtocolVersion, ServerConfig, ServerConnection};
use zeroize::Zeroizing;

use super::keys::MasterSessionKey;
use super::settings::Method;
use crate::domain::time::Now;

/// The most plaintext taken from one message, in octets.
const MAX_PLAINTEXT: usize = 16_384;

/// Why a session is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum TunnelFault {
    /// TLS refused what came, or what was asked of it.
    #[error("{0}")]
    Tls(#[from] rustls::Error),
    /// More plaintext than any honest peer sends.
    #[error("too much inside the tunnel")]
    TooMuch,
    /// The peer closed the session.
    #[error("the peer closed the tunnel")]
    Closed,
}

/// The session.
pub(super) struct Tunnel {
    connection: ServerConnection,
    clock: Arc<Given>,
}

impl Tunnel {
    /// A session that waits for the peer's first message.
    pub(super) fn new(config: &ServerConfig, now: Now) -> Result<Self, TunnelFault> {
        let clock = Arc::new(Given(Mutex::new(now)));
        let mut own = config.clone();
        own.time_provider = Arc::clone(&clock) as _;
        Ok(Self {
            connection: ServerConnection::new(Arc::new(own))?,
            clock,
        })
    }

    /// Takes one message of the peer's, and gives what was inside for whoever holds the tunnel.
    pub(super) fn feed(
        &mut self,
        octets: &[u8],
        now: Now,
    ) -> Result<Zeroizing<Vec<u8>>, TunnelFault> {
        self.clock.set(now);
        let mut plaintext = Zeroizing::new(Vec::with_capacity(octets.len()));
        let mut rest = octets;
        while !rest.is_empty() {
            let taken = self.connection.read_tls(&mut rest);
            if !matches!(taken, Ok(1..)) {
                return Err(TunnelFault::TooMuch);
            }
            let state = self.connection.process_new_packets()?;
            let waiting = state.plaintext_bytes_to_read();
            if plaintext.len() + waiting > MAX_PLAINTEXT {
                return Err(TunnelFault::TooMuch);
            }
            let start = plaintext.len();
            plaintext.resize(start + waiting, 0);
            let room = plaintext.get_mut(start..).unwrap_or_default();
            if self.connection.reader().read_exact(room).is_err() {
                return Err(TunnelFault::TooMuch);
            }
            if state.peer_has_closed() {
                return Err(TunnelFault::Closed);
            }
        }
        Ok(plaintext)
    }

    /// What TLS wants sent: of a handshake, an alert, or what was written.
    pub(super) fn output(&mut self) -> Vec<u8> {
        let mut octets = Vec::new();
        while self.connection.wants_write() {
            // Writing to memory does not fail.
            if !matches!(self.connection.write_tls(&mut octets), Ok(1..)) {
                break;
            }
        }
        octets
    }

    /// Puts plaintext into the tunnel, for [`Tunnel::output`] to send.
    pub(super) fn write(&mut self, plaintext: &[u8]) -> Result<(), TunnelFault> {
        self.connection
            .writer()
            .write_all(plaintext)
            .map_err(|_| TunnelFault::TooMuch)
    }

    /// Whether the handshake is over and the peer proved that it was part of it.
    pub(super) fn is_established(&self) -> bool {
        !self.connection.is_handshaking()
    }

    /// Whether it is TLS 1.3.
    pub(super) fn is_v13(&self) -> bool {
        self.version() == Some(ProtocolVersion::TLSv1_3)
    }

    /// Its version, for the log.
    pub(super) fn version(&self) -> Option<ProtocolVersion> {
        self.connection.protocol_version()
    }

    /// The key that the peer derives too.
    pub(super) fn key(&self, method: Method) -> Result<MasterSessionKey, TunnelFault> {
        Ok(MasterSessionKey::derive(&self.connection, method)?)
    }
}

/// The time TLS goes by: that of the packet it is fed.
#[derive(Debug)]
struct Given(Mutex<Now>);

impl Given {
    fn set(&self, now: Now) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

impl TimeProvider for Given {
    fn current_time(&self) -> Option<UnixTime> {
        let now = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let millis = u64::try_from(now.wall.as_millis()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(millis)))
    }
}
