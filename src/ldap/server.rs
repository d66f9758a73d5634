//! Listeners: sockets in, connections out, and everything that bounds them.
//!
//! The only part of the LDAP front end that does input and output. What a connection may do is
//! decided by [`super::session`]; here is how long it may take, how many there may be, and what
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

mod connection;
mod gate;
mod socket;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use metrics::{counter, gauge};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, error, info_span, warn};

pub use gate::{Caps, Gate, Permit, Turned};
pub use socket::listen;

use super::session::CloseReason;
use super::settings::Settings;
use crate::authenticator::Decide;
use crate::directory::{ChangeOwnPassword, Read};
use crate::domain::origin::Source;
use crate::domain::time::Clock;

/// Gives the TLS configuration of this moment, so that certificates can be renewed; none where
/// there is no certificate.
pub type TlsSource = Arc<dyn Fn() -> Option<Arc<ServerConfig>> + Send + Sync>;

/// What connections are served with.
#[derive(Clone)]
pub struct Services {
    /// Decides binds.
    pub decide: Arc<dyn Decide>,
    /// Answers searches.
    pub directory: Arc<dyn Read>,
    /// Changes passwords.
    pub passwords: Arc<dyn ChangeOwnPassword>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Certificates.
    pub tls: TlsSource,
    /// Bounds on connections, shared by all listeners.
    pub gate: Arc<Gate>,
}

/// One listener of the configuration, on one socket or more.
pub struct Server {
    settings: ArcSwap<Settings>,
    services: Services,
    connections: AtomicU64,
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
        })
    }

    /// Puts other settings in force for connections that are yet to come.
    pub fn set_settings(&self, settings: Settings) {
        self.settings.store(Arc::new(settings));
    }

    /// Accepts connections from `sockets` until `shutdown`, then lets those that are open end
    /// what they are doing, tells them, and returns. Dropping the future ends them at once.
    pub async fn serve(self: Arc<Self>, sockets: Vec<TcpListener>, shutdown: CancellationToken) {
        let mut listeners = JoinSet::new();
        for socket in sockets {
            listeners.spawn(Arc::clone(&self).accept(socket, shutdown.clone()));
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

    async fn accept(self: Arc<Self>, socket: TcpListener, shutdown: CancellationToken) {
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
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    pause = FIRST_PAUSE;
                    self.admit(stream, peer, &shutdown, &mut open);
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

    fn admit(
        self: &Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        shutdown: &CancellationToken,
        open: &mut JoinSet<()>,
    ) {
        let settings = self.settings.load_full();
        let listener = settings.listener.to_string();
        let turn_away = |reason: &'static str| {
            debug!(listener, client.ip = %peer.ip(), reason, "connection refused");
            counter!("doorward_ldap_connections_refused_total",
                "listener" => listener.clone(), "reason" => reason)
            .increment(1);
        };
        let source = Source::from(peer.ip());
        if !settings.admits(&source) {
            turn_away("source");
            return;
        }
        let permit = match self.services.gate.enter(&source) {
            Ok(permit) => permit,
            Err(turned) => {
                turn_away(turned.label());
                return;
            }
        };
        counter!("doorward_ldap_connections_total", "listener" => listener.clone()).increment(1);
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let span = info_span!("ldap", listener, connection.id = number, client.ip = %peer.ip());
        let services = self.services.clone();
        let shutdown = shutdown.clone();
        let gate = Arc::clone(&services.gate);
        let serve = async move {
            let _inside = Inside::new(permit, listener);
            let reason = connection::serve(stream, peer, settings, services, shutdown).await;
            if matches!(reason, CloseReason::Unavailable) {
                gate.doubt();
            }
            debug!(reason = reason.label(), "connection closed");
            reason
        };
        let listener = self.settings.load().listener.to_string();
        let counted = async move {
            let reason = serve.await;
            counter!("doorward_ldap_connections_closed_total",
                "listener" => listener, "reason" => reason.label())
            .increment(1);
        };
        open.spawn(counted.instrument(span));
    }
}

/// A connection that is open, for the gate and the gauge.
struct Inside {
    _permit: Permit,
    listener: String,
}

impl Inside {
    fn new(permit: Permit, listener: String) -> Self {
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
