//! The status page: `/metrics` for Prometheus, `/ready` for load balancers and `healthcheck`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use metrics::{counter, gauge};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::ldap::ListenAddress;
use crate::config::metrics::Metrics;
use doorward_domain::origin::Source;
use doorward_domain::time::Clock;
use doorward_hashing::HashingPool;
use doorward_http as http;
use doorward_http::server::{Service, response};
use doorward_http::{Bounds, Turned};
use doorward_net::{LocalListener, listen_local};
use doorward_store::Store;

/// Open connections at once.
pub(super) const MAX_CONNECTIONS: usize = 128;

/// Prometheus and a health check hold one each; the rest is for strangers, who lose theirs first.
const BOUNDS: Bounds = Bounds {
    connections: MAX_CONNECTIONS,
    per_source: MAX_CONNECTIONS / 2,
    headers: Duration::from_secs(10),
    idle: Duration::from_mins(1),
};

/// What Prometheus takes the page for.
const TEXT: &str = "text/plain; charset=utf-8";

/// What the status page shows.
pub(super) struct Status {
    pub(super) store: Store,
    pub(super) pool: Arc<HashingPool>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: PrometheusHandle,
    pub(super) shutdown: CancellationToken,
}

/// Where the status page is asked.
pub(super) enum Listener {
    /// At an address.
    Network(TcpListener),
    /// At a Unix socket.
    Local(LocalListener),
}

/// Binds the status page's address.
///
/// # Errors
/// The address cannot be bound.
pub(super) async fn bind(section: &Metrics) -> io::Result<Listener> {
    match &section.address {
        ListenAddress::Network(address) => TcpListener::bind(address).await.map(Listener::Network),
        ListenAddress::Unix(path) => listen_local(path, section.socket_mode).map(Listener::Local),
    }
}

/// Serves the status page until shutdown.
pub(super) async fn serve(listener: Listener, status: Status) {
    let shutdown = status.shutdown.clone();
    let status = Arc::new(status);
    match listener {
        Listener::Network(listener) => {
            http::server::serve(listener, BOUNDS, status, shutdown).await;
        }
        Listener::Local(listener) => {
            http::server::serve(listener, BOUNDS, status, shutdown).await;
        }
    }
}

impl Service for Status {
    /// Who reaches the address may ask.
    fn admits(&self, _: &Source) -> bool {
        true
    }

    fn turned_away(&self, _: Turned) {
        counter!("doorward_status_connections_refused_total").increment(1);
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<Body> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            return response(status, TEXT, "GET, please\n".to_owned());
        }
        let (status, text) = match request.uri().path() {
            "/metrics" => (StatusCode::OK, self.page()),
            "/ready" => {
                let (status, text) = self.ready().await;
                (status, text.to_owned())
            }
            _ => (StatusCode::NOT_FOUND, "/metrics or /ready\n".to_owned()),
        };
        response(status, TEXT, text)
    }
}

impl Status {
    fn page(&self) -> String {
        copy_pool_counters(&self.pool);
        gauge!("doorward_clock_suspect").set(f64::from(self.clock.now().clock_suspect));
        self.metrics.render()
    }

    /// Ready means that a login could be decided now: the store takes a write and gives it back.
    async fn ready(&self) -> (StatusCode, &'static str) {
        if self.shutdown.is_cancelled() {
            return (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n");
        }
        match self.store.probe().await {
            Ok(()) => {
                gauge!("doorward_store_up").set(1.0);
                (StatusCode::OK, "ready\n")
            }
            Err(error) => {
                gauge!("doorward_store_up").set(0.0);
                tracing::warn!(%error, "not ready");
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the store is unavailable\n",
                )
            }
        }
    }
}

/// The pool counts for itself; the page shows its counts.
pub(super) fn copy_pool_counters(pool: &HashingPool) {
    let counters = pool.counters();
    for (purpose, count) in [
        ("login", counters.verified()),
        ("stale", counters.stale_checked()),
        ("dummy", counters.dummies()),
        ("set", counters.set()),
        ("rehash", counters.rehashed()),
    ] {
        counter!("doorward_hashes_total", "purpose" => purpose).absolute(count);
    }
    counter!("doorward_hash_queue_full_total").absolute(counters.queue_full());
    counter!("doorward_hash_overdue_total").absolute(counters.overdue());
    #[expect(
        clippy::cast_precision_loss,
        reason = "a queue is far shorter than 2^52"
    )]
    gauge!("doorward_hash_queue_depth").set(counters.queue_depth() as f64);
}
