//! The status page: `/metrics` for Prometheus, `/ready` for load balancers and `healthcheck`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use metrics::{counter, gauge};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::domain::time::Clock;
use crate::hashing::HashingPool;
use crate::store::Store;

/// What the status page shows.
pub(super) struct Status<S> {
    pub(super) store: Arc<S>,
    pub(super) pool: Arc<HashingPool>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: PrometheusHandle,
    pub(super) shutdown: CancellationToken,
}

/// Binds the status page's address.
///
/// # Errors
/// The address cannot be bound.
pub(super) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves the status page until shutdown.
pub(super) async fn serve<S: Store>(listener: TcpListener, status: Status<S>) {
    let shutdown = status.shutdown.clone();
    let router = Router::new()
        .route("/metrics", get(metrics_page::<S>))
        .route("/ready", get(ready::<S>))
        .with_state(Arc::new(status));
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(async move { shutdown.cancelled().await })
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the status page ended");
    }
}

async fn metrics_page<S: Store>(State(status): State<Arc<Status<S>>>) -> String {
    copy_pool_counters(&status.pool);
    gauge!("doorward_clock_suspect").set(f64::from(status.clock.now().clock_suspect));
    status.metrics.render()
}

/// Ready means that a login could be decided now: the store takes a write and gives it back.
async fn ready<S: Store>(State(status): State<Arc<Status<S>>>) -> (StatusCode, &'static str) {
    if status.shutdown.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n");
    }
    match status.store.probe().await {
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
    #[expect(
        clippy::cast_precision_loss,
        reason = "a queue is far shorter than 2^52"
    )]
    gauge!("doorward_hash_queue_depth").set(counters.queue_depth() as f64);
}
