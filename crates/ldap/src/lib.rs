//! Listeners: sockets in, connections out, and everything that bounds them.
//!
//! The only part of the LDAP front end that does input and output. What a connection may do is
//! decided by [`doorward_ldap_protocol::session`]; here is how long it may take, how many there may be, and what
//! happens when the network misbehaves. A panic on one connection ends that connection.
//!
//! Metrics: `doorward_ldap_connections_total{listener}`,
//! `doorward_ldap_connections_open{listener}`,
//! `doorward_ldap_connections_refused_total{listener,reason}`,
//! `doorward_ldap_connections_closed_total{listener,reason}`,
//! `doorward_ldap_requests_total{operation}`,
//! `doorward_ldap_results_total{operation,result}`,
//! `doorward_ldap_request_seconds{operation}`,
//! `doorward_ldap_malformed_total{reason}`, `doorward_ldap_accept_errors_total{listener}`,
//! `doorward_ldap_panics_total`.

mod arrival;
mod connection;
mod gate;
mod outside;
mod story;
mod stream;
#[cfg(test)]
mod tests;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use metrics::{counter, gauge};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, error, info_span, warn};

pub use arrival::Socket;
pub use gate::{Caps, Gate, MAX_LEAVING, Permit, Turned};
pub use outside::MAX_OUTSIDE;

use self::arrival::Accepted;
use self::outside::{Outside, Turn};
use self::stream::Stream;
use doorward_domain::origin::{PeerUser, Source};
use doorward_domain::time::Clock;
use doorward_frontend_api::Decide;
use doorward_frontend_api::{ChangeOwnPassword, Read};
use doorward_ldap_protocol::search::Capacity;
use doorward_ldap_protocol::session::CloseReason;
use doorward_ldap_protocol::settings::{ClientCertificate, Settings};
use doorward_observe::watch::Watch;

/// Gives the TLS configuration of this moment, so that certificates can be renewed, for clients
/// that show a certificate or do not; none where there is no certificate, or no CA to verify
/// clients' by.
pub type TlsSource = Arc<dyn Fn(ClientCertificate) -> Option<Arc<ServerConfig>> + Send + Sync>;

/// What connections are served with.
#[derive(Clone)]
pub struct Services {
    /// Decides binds.
    pub decide: Arc<dyn Decide>,
    /// Answers searches.
    pub directory: Arc<dyn Read>,
    /// Where they run, and what they share.
    pub searches: Searches,
    /// Changes passwords.
    pub passwords: Arc<dyn ChangeOwnPassword>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Certificates.
    pub tls: TlsSource,
    /// Bounds on connections, shared by all listeners.
    pub gate: Arc<Gate>,
    /// Where it is told what happens.
    pub watch: Watch,
}

/// Where searches run that are more than a look-up, and what all searches share.
#[derive(Debug, Clone)]
pub struct Searches {
    /// The threads; logins have others, before which these go back.
    pub threads: Handle,
    /// What is shared.
    pub capacity: Arc<Capacity>,
}

impl Searches {
    /// Searches on these threads, so many slices of the heavy ones at once.
    pub fn new(threads: Handle, turns: usize) -> Self {
        Self {
            threads,
            capacity: Arc::new(Capacity::new(turns, || Box::pin(tokio::task::yield_now()))),
        }
    }
}

/// One listener of the configuration, on one socket or more.
pub struct Server {
    settings: ArcSwap<Settings>,
    services: Services,
    connections: AtomicU64,
    /// Turns of connections whose other end is not known yet.
    outside: Arc<Outside>,
}

/// How long to wait after an error that waiting can help, such as too many open files.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl Server {
    /// A listener that accepts nothing yet.
    pub fn new(settings: Settings, services: Services) -> Arc<Self> {
        Arc::new(Self {
            settings: ArcSwap::from_pointee(settings),
            services,
            connections: AtomicU64::new(0),
            outside: Arc::default(),
        })
    }

    /// Puts other settings in force for connections that are yet to come.
    pub fn set_settings(&self, settings: Settings) {
        self.settings.store(Arc::new(settings));
    }

    /// Accepts connections from `sockets` until `shutdown`, then lets those that are open end
    /// what they are doing, tells them, and returns. Dropping the future ends them at once.
    pub async fn serve(
        self: Arc<Self>,
        sockets: Vec<impl Into<Socket>>,
        shutdown: CancellationToken,
    ) {
        let mut listeners = JoinSet::new();
        for socket in sockets {
            listeners.spawn(Arc::clone(&self).accept(socket.into(), shutdown.clone()));
        }
        while let Some(ended) = listeners.join_next().await {
            if let Err(failure) = ended
                && failure.is_panic()
            {
                counter!("doorward_ldap_panics_total").increment(1);
                error!("an LDAP listener failed; the daemon should be restarted");
            }
        }
    }

    async fn accept(self: Arc<Self>, mut socket: Socket, shutdown: CancellationToken) {
        let mut open: JoinSet<()> = JoinSet::new();
        let mut pause = FIRST_PAUSE;
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(ended) = open.join_next(), if !open.is_empty() => {
                    note_panic(&ended);
                    continue;
                }
                () = self.services.gate.until_available(false) => {
                    let until = async {
                        tokio::select! {
                            () = shutdown.cancelled() => {}
                            () = self.services.gate.until_available(true) => {}
                        }
                    };
                    match socket.refuse_until(until).await {
                        Ok(again) => socket = again,
                        Err(failure) => {
                            error!(error = %failure, "an LDAP listener cannot listen again");
                            return;
                        }
                    }
                    continue;
                }
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok(accepted) => {
                    pause = FIRST_PAUSE;
                    self.take(accepted, &shutdown, &mut open);
                }
                Err(failure) if concerns_one_connection(&failure) => {}
                Err(failure) => {
                    let listener = self.settings.load().listener.to_string();
                    counter!("doorward_ldap_accept_errors_total", "listener" => listener.clone())
                        .increment(1);
                    warn!(listener, error = %failure, "cannot accept connections; waiting");
                    tokio::select! {
                        () = shutdown.cancelled() => break,
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        // Nobody is let in while those inside end.
        drop(socket);
        while let Some(ended) = open.join_next().await {
            note_panic(&ended);
        }
    }

    /// Takes a connection: at once where its peer is who it is, else when that is known.
    fn take(
        self: &Arc<Self>,
        accepted: Accepted,
        shutdown: &CancellationToken,
        open: &mut JoinSet<()>,
    ) {
        let settings = self.settings.load_full();
        let arrived = Arrived {
            server: Arc::clone(self),
            settings,
            shutdown: shutdown.clone(),
        };
        match accepted {
            Accepted::Network(stream, source) => {
                // Answers are small and written whole.
                let _ = stream.set_nodelay(true);
                if !arrived.settings.is_proxy(&source) {
                    if let Some(served) = arrived.admit(stream, source) {
                        open.spawn(served);
                    }
                    return;
                }
                let Some(turn) = arrived.wait_outside(&source) else {
                    return;
                };
                let mut stream = stream;
                open.spawn(async move {
                    let within = arrived.settings.timeouts.handshake;
                    let known = tokio::select! {
                        known = arrival::behind(&mut stream, &source, within) => known,
                        () = turn.lost() => return arrived.turn_away(&source, "displaced"),
                        () = arrived.shutdown.cancelled() => {
                            return arrived.turn_away(&source, "shutdown");
                        }
                    };
                    drop(turn);
                    match known {
                        Err(_) => arrived.turn_away(&source, "proxy_header"),
                        Ok(client) => {
                            if let Some(served) = arrived.admit(stream, client) {
                                served.await;
                            }
                        }
                    }
                });
            }
            Accepted::Local(stream) => {
                let nobody = Source::Local(PeerUser::new(u32::MAX, None));
                let Some(turn) = arrived.wait_outside(&nobody) else {
                    return;
                };
                open.spawn(async move {
                    let known = tokio::select! {
                        known = doorward_net::peer(&stream) => known,
                        () = turn.lost() => return arrived.turn_away(&nobody, "displaced"),
                        () = arrived.shutdown.cancelled() => {
                            return arrived.turn_away(&nobody, "shutdown");
                        }
                    };
                    drop(turn);
                    match known {
                        Err(_) => arrived.turn_away(&nobody, "peer"),
                        Ok(source) => {
                            if let Some(served) = arrived.admit(stream, source) {
                                served.await;
                            }
                        }
                    }
                });
            }
        }
    }
}

/// A connection that came in by a server, before it is served.
struct Arrived {
    server: Arc<Server>,
    settings: Arc<Settings>,
    shutdown: CancellationToken,
}

impl Arrived {
    fn turn_away(&self, source: &Source, reason: &'static str) {
        story::turned_away(&self.server.services, &self.settings, source, reason);
        let listener = self.settings.listener.to_string();
        debug!(listener, client.ip = %source, reason, "connection refused");
        counter!("doorward_ldap_connections_refused_total",
            "listener" => listener, "reason" => reason)
        .increment(1);
    }

    /// A turn to be outside, with the other end unknown.
    fn wait_outside(&self, source: &Source) -> Option<Turn> {
        let turn = self.server.outside.wait();
        if turn.is_none() {
            self.turn_away(source, "total");
        }
        turn
    }

    /// Lets the connection in, where the listener admits its source and the gate has room; what
    /// is returned serves it.
    fn admit<S>(self, stream: S, source: Source) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>>
    where
        S: Stream + 'static,
    {
        if !self.settings.admits(&source) {
            self.turn_away(&source, "source");
            return None;
        }
        let permit = match self.server.services.gate.enter(&source) {
            Ok(permit) => Arc::new(permit),
            Err(turned) => {
                self.turn_away(&source, turned.label());
                return None;
            }
        };
        let Self {
            server,
            settings,
            shutdown,
        } = self;
        let listener = settings.listener.to_string();
        counter!("doorward_ldap_connections_total", "listener" => listener.clone()).increment(1);
        let number = server.connections.fetch_add(1, Ordering::Relaxed);
        let span = info_span!("ldap", listener, connection.id = number, client.ip = %source);
        let services = server.services.clone();
        let gate = Arc::clone(&services.gate);
        let served = async move {
            let inside = Inside::new(Arc::clone(&permit), listener.clone());
            let serve = connection::serve(stream, source, settings, services, shutdown, permit);
            let reason = serve.await;
            if matches!(reason, CloseReason::Unavailable) {
                gate.doubt();
            }
            debug!(reason = reason.label(), "connection closed");
            drop(inside);
            counter!("doorward_ldap_connections_closed_total",
                "listener" => listener, "reason" => reason.label())
            .increment(1);
        };
        Some(Box::pin(served.instrument(span)))
    }
}

/// A connection that is open, for the gate and the gauge.
struct Inside {
    _permit: Arc<Permit>,
    listener: String,
}

impl Inside {
    fn new(permit: Arc<Permit>, listener: String) -> Self {
        gauge!("doorward_ldap_connections_open", "listener" => listener.clone()).increment(1.0);
        Self {
            _permit: permit,
            listener,
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        gauge!("doorward_ldap_connections_open", "listener" => self.listener.clone())
            .decrement(1.0);
        if std::thread::panicking() {
            counter!("doorward_ldap_connections_closed_total",
                "listener" => self.listener.clone(), "reason" => CloseReason::Panic.label())
            .increment(1);
        }
    }
}

fn note_panic(ended: &Result<(), tokio::task::JoinError>) {
    if ended.as_ref().is_err_and(tokio::task::JoinError::is_panic) {
        counter!("doorward_ldap_panics_total").increment(1);
        error!("a defect ended one LDAP connection");
    }
}

/// Whether `accept` failed because one client went away, which says nothing about the next.
fn concerns_one_connection(failure: &io::Error) -> bool {
    matches!(
        failure.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
