//! One TLS session, fed by hand: octets in, octets out, plaintext both ways.
//!
//! Must not know EAP's packets, nor what the plaintext means.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use rustls::server::ProducesTickets;
use rustls::{HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection};
use zeroize::Zeroizing;

use super::journal::{Journal, Note};
use super::keys::MasterSessionKey;
use super::resumption::{Resumption, Stage};
use super::seen::{Record, SeenInside, Side};
use super::settings::Method;
use doorward_domain::time::Now;
use doorward_frontend_api::ResumptionGrant;
use doorward_leftovers::{NothingYet, Wiping, overwrite_freed};

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

/// A challenge that is never sent: both ends derive it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct ImpliedChallenge {
    pub(super) challenge: [u8; 16],
    pub(super) identifier: u8,
}

/// The session.
pub(super) struct Tunnel {
    connection: ServerConnection,
    stage: Arc<Stage>,
    method: Method,
    journal: Journal,
    /// Whether the end of the handshake was noted.
    noted: bool,
}

impl Tunnel {
    /// A session that waits for the peer's first message.
    pub(super) fn new(
        config: &ServerConfig,
        resumption: Option<&Arc<Resumption>>,
        method: Method,
        now: Now,
    ) -> Result<Self, TunnelFault> {
        let stage = Arc::new(Stage::new(resumption.cloned(), method, now));
        let mut own = config.clone();
        own.time_provider = Arc::clone(&stage) as _;
        own.session_storage = Arc::clone(&stage) as _;
        // Sessions are kept here, never in tickets: only so can one be published late, be
        // forgotten, and be good once.
        own.ticketer = Arc::new(NoTickets);
        own.send_tls13_tickets = usize::from(resumption.is_some());
        own.max_early_data_size = 0;
        Ok(Self {
            connection: ServerConnection::new(Arc::new(own))?,
            stage,
            method,
            journal: Journal::default(),
            noted: false,
        })
    }

    /// Notes in this journal what happens from here on.
    pub(super) fn listen(&mut self, journal: Journal) {
        self.journal = journal;
    }

    /// Takes one message of the peer's, and gives what was inside for whoever holds the tunnel.
    pub(super) fn feed(
        &mut self,
        octets: &[u8],
        now: Now,
    ) -> Result<Zeroizing<Vec<u8>>, TunnelFault> {
        self.note_message(Side::Peer, octets);
        let fed = self.take_in(octets, now);
        match &fed {
            Ok(plaintext) => {
                self.note_established();
                self.note_inside(Side::Peer, plaintext);
            }
            Err(fault) => self.journal.note(|| Note::Fault {
                said: fault.to_string(),
                received: match fault {
                    TunnelFault::Tls(rustls::Error::AlertReceived(alert)) => Some(u8::from(*alert)),
                    _ => None,
                },
            }),
        }
        fed
    }

    fn note_message(&self, from: Side, octets: &[u8]) {
        if !octets.is_empty() {
            self.journal.note(|| Note::Message {
                from,
                octets: octets.len(),
                records: Record::all_of(octets),
            });
        }
    }

    fn note_inside(&self, from: Side, plaintext: &[u8]) {
        if !plaintext.is_empty() {
            self.journal.note(|| Note::Inside {
                from,
                said: SeenInside::of(self.method, from, plaintext),
            });
        }
    }

    fn note_established(&mut self) {
        if self.noted || !self.is_established() {
            return;
        }
        self.noted = true;
        self.journal.note(|| {
            let cipher = self.connection.negotiated_cipher_suite();
            Note::Established {
                version: self
                    .version()
                    .map_or_else(String::new, |it| format!("{it:?}")),
                cipher: cipher.map_or_else(String::new, |it| format!("{:?}", it.suite())),
                resumed: self.connection.handshake_kind() == Some(HandshakeKind::Resumed),
            }
        });
    }

    fn take_in(&mut self, octets: &[u8], now: Now) -> Result<Zeroizing<Vec<u8>>, TunnelFault> {
        self.stage.set_now(now);
        let mut plaintext = Zeroizing::new(Vec::with_capacity(octets.len()));
        let mut rest = octets;
        while !rest.is_empty() {
            let taken = self.connection.read_tls(&mut Wiping::new(&mut rest));
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
            overwrite_freed(waiting);
            if state.peer_has_closed() {
                return Err(TunnelFault::Closed);
            }
        }
        // Nothing may come any more, and a password was decrypted in the library's buffer.
        let _ = self.connection.read_tls(&mut Wiping::new(NothingYet));
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
        self.note_message(Side::Server, &octets);
        octets
    }

    /// Puts plaintext into the tunnel, for [`Tunnel::output`] to send.
    pub(super) fn write(&mut self, plaintext: &[u8]) -> Result<(), TunnelFault> {
        self.note_inside(Side::Server, plaintext);
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
    pub(super) fn key(&self) -> Result<MasterSessionKey, TunnelFault> {
        Ok(MasterSessionKey::derive(&self.connection, self.method)?)
    }

    /// The challenge that a TTLS peer of MS-CHAPv2 derives too, and its identifier (RFC 5281 §11.1).
    pub(super) fn challenge(&self) -> Result<ImpliedChallenge, TunnelFault> {
        let octets = [0_u8; 17];
        // TLS 1.2 has its own derivation without context; in TLS 1.3 none is an empty one.
        let octets = self
            .connection
            .export_keying_material(octets, b"ttls challenge", None)?;
        let [challenge @ .., identifier] = octets;
        Ok(ImpliedChallenge {
            challenge,
            identifier,
        })
    }

    /// The ground of the session that this one took up, if it took one up.
    pub(super) fn resumed(&self) -> Option<ResumptionGrant> {
        if self.connection.handshake_kind() != Some(HandshakeKind::Resumed) {
            return None;
        }
        self.stage.found().map(|again| again.ground)
    }

    /// The peer's own certificate in DER, which TLS verified; none where TLS asked for none.
    pub(super) fn peer_certificate(&self) -> Option<&[u8]> {
        let chain = self.connection.peer_certificates()?;
        chain.first().map(AsRef::as_ref)
    }

    /// Lets this session be taken up again, now that its peer was let in.
    pub(super) fn publish(&self, ground: &ResumptionGrant) {
        self.stage.publish(ground, None);
    }

    /// Forgets the session that this one took up.
    pub(super) fn void(&self) {
        self.stage.void();
    }
}

/// Sessions are never sealed into tickets.
#[derive(Debug)]
struct NoTickets;

impl ProducesTickets for NoTickets {
    fn enabled(&self) -> bool {
        false
    }

    fn lifetime(&self) -> u32 {
        0
    }

    fn encrypt(&self, _plain: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn decrypt(&self, _cipher: &[u8]) -> Option<Vec<u8>> {
        None
    }
}
