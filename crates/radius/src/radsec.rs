//! Connections of TLS (RFC 6614): who may open one, who is at its other end, and how many there may
//! be.
//!
//! A stranger is closed before the handshake where every client has addresses; after it, whoever's
//! certificate is no client's. What is said on a connection is `connection`'s.

pub(super) mod connection;
mod handshakes;
mod places;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::{counter, gauge};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{ProtocolVersion, ServerConfig};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, error, info_span, warn};

pub(super) use self::connection::TlsReplyPath;
use self::connection::{Connection, Ended};
use self::handshakes::{Handshake, Handshakes};
use self::places::{Place, Places};
use super::Shared;
use doorward_domain::certificate;
use doorward_domain::certificate::CertificateNames;
use doorward_domain::name::ClientName;
use doorward_domain::origin::Source;
use doorward_net::WipingStream;
use doorward_radius_protocol::client::Stranger;
use doorward_radius_protocol::transport::{ConnectionId, Version};

/// Gives the TLS configuration of this moment, which requires client certificates; none where there
/// is no certificate. Another one than before ends the connections made by that: their certificates
/// are verified anew.
pub type TlsSource = Arc<dyn Fn() -> Option<Arc<ServerConfig>> + Send + Sync>;

/// Where connections come in, and their TLS.
pub struct Listen {
    /// The sockets.
    pub listeners: Vec<TcpListener>,
    /// The certificate, and who is believed.
    pub tls: TlsSource,
}

/// Which versions of the protocol are spoken on connections (RFC 9765 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Versions {
    /// RADIUS/1.0 alone.
    OneZero,
    /// RADIUS/1.1 where the client offers it, else RADIUS/1.0.
    #[default]
    Both,
    /// RADIUS/1.1 alone.
    OneOne,
}

/// The bounds on connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Which versions are spoken.
    pub versions: Versions,
    /// Connections open at once.
    pub connections: usize,
    /// Those of one client's entry.
    pub per_client: usize,
    /// How long a handshake may take.
    pub handshake: Duration,
    /// How long a client may be silent.
    pub idle: Duration,
    /// How long it may take to read what it is sent.
    pub write: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            versions: Versions::default(),
            connections: 1024,
            per_client: 64,
            handshake: Duration::from_secs(10),
            idle: Duration::from_mins(10),
            write: Duration::from_secs(10),
        }
    }
}

/// How long to wait after an error that waiting can help, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Who is connected, on all listeners together.
#[derive(Default)]
pub(super) struct Connected {
    next: AtomicU64,
    all: Arc<Places<()>>,
    handshakes: Arc<Handshakes>,
    by_client: Arc<Places<ClientName>>,
}

/// Why a connection was not let in.
#[derive(Debug, thiserror::Error)]
enum Turned {
    #[error("no client has this address")]
    Source,
    #[error("too many connections")]
    Total,
    #[error("too many handshakes at once")]
    Handshakes,
    #[error("there is no certificate to show")]
    NoCertificate,
    #[error("the handshake took too long")]
    Late,
    #[error("the handshake failed: {0}")]
    Handshake(io::Error),
    #[error("the certificate cannot be read")]
    Unreadable,
    #[error("certificate '{names}': {why}")]
    Stranger {
        names: CertificateNames,
        why: Stranger,
    },
    #[error("client '{0}' has too many connections")]
    PerClient(ClientName),
    #[error("RADIUS/1.1 is required, or was agreed on without TLS 1.3")]
    Version,
}

impl Turned {
    /// The reason as the value of a metric's label.
    const fn label(&self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Total => "total",
            Self::Handshakes => "handshakes",
            Self::NoCertificate => "no_certificate",
            Self::Late => "late",
            Self::Handshake(_) => "handshake",
            Self::Unreadable => "unreadable",
            Self::Stranger { .. } => "stranger",
            Self::PerClient(_) => "per_client",
            Self::Version => "version",
        }
    }
}

/// Takes connections until shutdown, and then lets those that are open end what they are doing.
pub(super) async fn serve(
    shared: Arc<Shared>,
    listener: TcpListener,
    tls: TlsSource,
    shutdown: CancellationToken,
) {
    let mut open: JoinSet<()> = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(ended) = open.join_next(), if !open.is_empty() => {
                note_panic(&ended);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (shared, tls) = (Arc::clone(&shared), Arc::clone(&tls));
                let number = shared.connected.next.fetch_add(1, Ordering::Relaxed);
                let span = info_span!("radsec", connection.id = number, client.address = %peer);
                // Before a task is made of it: there may be many of these.
                let entering = match Entering::new(&shared, peer) {
                    Ok(entering) => entering,
                    Err(turned) => {
                        span.in_scope(|| turn_away(&shared, &turned));
                        continue;
                    }
                };
                let shutdown = shutdown.clone();
                let id = ConnectionId(number);
                let served = async move {
                    match entering.shake_hands(&shared, stream, &tls, id).await {
                        Ok((stream, connection, inside)) => {
                            let ended = connection.serve(stream, &shared, &shutdown).await;
                            inside.end(ended);
                        }
                        Err(turned) => turn_away(&shared, &turned),
                    }
                };
                open.spawn(served.instrument(span));
            }
            // One client went away, which says nothing about the next.
            Err(fault)
                if matches!(
                    fault.kind(),
                    io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
                ) => {}
            Err(fault) => {
                counter!("doorward_radius_accept_errors_total").increment(1);
                warn!(error = %fault, "cannot accept RADIUS connections; waiting");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    while let Some(ended) = open.join_next().await {
        note_panic(&ended);
    }
}

/// A connection whose other end is not known yet, and the places that it takes meanwhile.
struct Entering {
    peer: SocketAddr,
    place: Place<()>,
    handshake: Handshake,
}

impl Entering {
    fn new(shared: &Shared, peer: SocketAddr) -> Result<Self, Turned> {
        let live = shared.live.load();
        if !live.clients.may_connect(peer.ip()) {
            return Err(Turned::Source);
        }
        let connected = &shared.connected;
        let bounds = live.connections;
        let place = connected.all.enter((), bounds.connections);
        let place = place.ok_or(Turned::Total)?;
        let source = Source::from(peer.ip()).aggregate();
        Ok(Self {
            peer,
            place,
            handshake: connected.handshakes.begin(source),
        })
    }

    async fn shake_hands(
        self,
        shared: &Shared,
        stream: TcpStream,
        tls: &TlsSource,
        id: ConnectionId,
    ) -> Result<(Box<TlsStream<WipingStream<TcpStream>>>, Connection, Inside), Turned> {
        let bounds = shared.live.load().connections;
        let local = stream.local_addr().map_err(Turned::Handshake)?;
        // Replies are written whole.
        let _ = stream.set_nodelay(true);
        let trust = tls().ok_or(Turned::NoCertificate)?;
        let acceptor = TlsAcceptor::from(Arc::new(offering(&trust, bounds.versions)));
        let shaken = tokio::select! {
            shaken = timeout(bounds.handshake, acceptor.accept(WipingStream::new(stream))) => shaken,
            () = self.handshake.lost() => return Err(Turned::Handshakes),
        };
        let stream = shaken
            .map_err(|_| Turned::Late)?
            .map_err(Turned::Handshake)?;
        let names = names(&stream)?;
        let version = agreed(&stream, bounds.versions)?;
        let live = shared.live.load();
        let client = match live.clients.find_certificate(&names, self.peer.ip()) {
            Ok(client) => client.name().clone(),
            Err(why) => return Err(Turned::Stranger { names, why }),
        };
        let place = shared
            .connected
            .by_client
            .enter(client.clone(), bounds.per_client);
        let Some(of_client) = place else {
            return Err(Turned::PerClient(client));
        };
        let protocol = stream.get_ref().1.protocol_version();
        debug!(client.name = %client, certificate = %names, version = version.as_str(),
            tls = ?protocol, "connected");
        let tls = Arc::clone(tls);
        let connection = Connection {
            id,
            version,
            names,
            peer: self.peer,
            local,
            bounds,
            current: Box::new(move || tls().is_some_and(|now| Arc::ptr_eq(&now, &trust))),
        };
        let inside = Inside::new(client, version, self.place, of_client);
        Ok((Box::new(stream), connection, inside))
    }
}

/// The configuration with the versions that are offered.
fn offering(config: &ServerConfig, versions: Versions) -> ServerConfig {
    let spoken: &[Version] = match versions {
        Versions::OneZero => &[Version::V1_0],
        Versions::Both => &[Version::V1_1, Version::V1_0],
        Versions::OneOne => &[Version::V1_1],
    };
    let mut config = config.clone();
    config.alpn_protocols = spoken
        .iter()
        .map(|version| version.as_str().as_bytes().to_vec())
        .collect();
    config
}

/// The version that both ends have agreed on; a client that offers none speaks RADIUS/1.0.
fn agreed(
    stream: &TlsStream<WipingStream<TcpStream>>,
    versions: Versions,
) -> Result<Version, Turned> {
    let session = stream.get_ref().1;
    let newest = session.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    match session.alpn_protocol() {
        // RFC 9765 §3.6: not below TLS 1.3.
        Some(name) if name == Version::V1_1.as_str().as_bytes() && newest => Ok(Version::V1_1),
        Some(name) if name == Version::V1_1.as_str().as_bytes() => Err(Turned::Version),
        _ if versions == Versions::OneOne => Err(Turned::Version),
        _ => Ok(Version::V1_0),
    }
}

/// The names of the certificate that the client has shown.
fn names(stream: &TlsStream<WipingStream<TcpStream>>) -> Result<CertificateNames, Turned> {
    let shown = stream.get_ref().1.peer_certificates();
    let own = shown.and_then(<[_]>::first).ok_or(Turned::Unreadable)?;
    certificate::names(own).map_err(|_| Turned::Unreadable)
}

/// A connection of a client that is open, for the places and the gauge.
struct Inside {
    client: ClientName,
    _place: Place<()>,
    _of_client: Place<ClientName>,
}

impl Inside {
    fn new(
        client: ClientName,
        version: Version,
        place: Place<()>,
        of_client: Place<ClientName>,
    ) -> Self {
        let name = client.as_str().to_owned();
        counter!("doorward_radius_connections_total",
            "client" => name.clone(), "version" => version.as_str())
        .increment(1);
        gauge!("doorward_radius_connections_open", "client" => name).increment(1.0);
        Self {
            client,
            _place: place,
            _of_client: of_client,
        }
    }

    fn end(self, ended: Ended) {
        counter!("doorward_radius_connections_closed_total",
            "client" => self.client.as_str().to_owned(), "reason" => ended.label())
        .increment(1);
        debug!(client.name = %self.client, reason = ended.label(), "connection closed");
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        gauge!("doorward_radius_connections_open", "client" => self.client.as_str().to_owned())
            .decrement(1.0);
    }
}

fn turn_away(shared: &Shared, turned: &Turned) {
    counter!("doorward_radius_connections_refused_total", "reason" => turned.label()).increment(1);
    if shared.report.may_warn_of_strangers() {
        warn!(reason = %turned, "a RADIUS connection was refused");
    } else {
        debug!(reason = %turned, "a RADIUS connection was refused");
    }
}

fn note_panic(ended: &Result<(), tokio::task::JoinError>) {
    if ended.as_ref().is_err_and(tokio::task::JoinError::is_panic) {
        error!("a defect ended one RADIUS connection");
    }
}
