//! The server: accepts connections, gives each a place, and has its requests answered.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Bounds;
use super::places::{Place, Places, Turned};
use doorward_domain::origin::{PeerUser, Source};
use doorward_net::LocalListener;

/// The most headers of a request.
pub const MAX_HEADERS: usize = 64;
/// The most bytes of a request that are buffered.
const MAX_BUFFER: usize = 16_384;
/// How long nothing is accepted after the system gave no connection.
const PAUSE: Duration = Duration::from_millis(50);

/// Where connections come in.
pub trait Listen: Send + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Takes the next connection, and says who is at its other end.
    ///
    /// # Errors
    /// What the system says.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Source)>> + Send;
}

impl Listen for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, Source)> {
        let (stream, peer) = Self::accept(self).await?;
        // Answers are one small write each.
        let _ = stream.set_nodelay(true);
        Ok((stream, Source::from(peer.ip())))
    }
}

impl Listen for LocalListener {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<(UnixStream, Source)> {
        let stream = Self::accept(self).await?;
        let user = PeerUser::new(stream.peer_cred()?.uid(), None);
        Ok((stream, Source::Local(user)))
    }
}

/// What requests mean.
pub trait Service: Send + Sync + 'static {
    /// Whether `source` may connect; nothing is read of one that may not.
    fn admits(&self, source: &Source) -> bool;

    /// Told of every connection that was turned away.
    fn turned_away(&self, why: Turned);

    /// Answers a request. Its body is read here, and bounded here.
    fn respond(&self, request: Request<Incoming>) -> impl Future<Output = Response<Body>> + Send;
}

/// Serves until shutdown, and then ends what is under way.
pub async fn serve<L: Listen, S: Service>(
    listener: L,
    bounds: Bounds,
    service: Arc<S>,
    shutdown: CancellationToken,
) {
    let places = Places::new(bounds);
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, source) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // No descriptors, or a connection that ended while it waited.
                tracing::warn!(%error, "an HTTP connection was not accepted");
                sleep(PAUSE).await;
                continue;
            }
        };
        if !service.admits(&source) {
            service.turned_away(Turned::Source);
            continue;
        }
        match places.take(&source.aggregate()) {
            Ok(place) => {
                let (service, shutdown) = (Arc::clone(&service), shutdown.clone());
                connections.spawn(connection(stream, bounds, service, place, shutdown));
            }
            Err(turned) => service.turned_away(turned),
        }
    }
    connections.close();
    connections.wait().await;
}

async fn connection<T, S>(
    stream: T,
    bounds: Bounds,
    service: Arc<S>,
    place: Place,
    shutdown: CancellationToken,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service,
{
    let place = Arc::new(place);
    let answer = {
        let place = Arc::clone(&place);
        service_fn(move |request| {
            let service = Arc::clone(&service);
            let answering = place.answering();
            async move {
                let response = service.respond(request).await;
                drop(answering);
                Ok::<_, Infallible>(response)
            }
        })
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.headers)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_BUFFER)
        .serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(connection);
    let mut stopping = false;
    loop {
        let since = place.silent_since();
        tokio::select! {
            // What a client breaks is its own loss.
            _ = connection.as_mut() => return,
            () = place.lost() => return,
            () = sleep(bounds.idle) => {
                if since.is_some() && since == place.silent_since() {
                    return;
                }
            }
            () = shutdown.cancelled(), if !stopping => {
                connection.as_mut().graceful_shutdown();
                stopping = true;
            }
        }
    }
}

/// An answer of this type and text.
pub fn response(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests;
