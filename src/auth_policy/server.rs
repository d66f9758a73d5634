//! The auth-policy server: HTTP/1.1 to [`super::Question`] and back.
//!
//! Who is not among the sources is closed before a byte is read; connections, headers, bodies and
//! times are bounded; a request without the key is refused before its body is read.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::counter;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Guess, MAX_BODY_BYTES, Question, Settings, answer, read};
use crate::authenticator::{Announcement, Claim, Leave, Throttles};
use crate::domain::id::RequestId;
use crate::domain::time::Clock;

/// Open connections at once. One Dovecot opens a hundred at most.
pub const MAX_CONNECTIONS: usize = 512;
/// How long a connection may take over a request's headers, waiting for the request included.
/// Dovecot keeps one open for ten seconds.
const HEADERS: Duration = Duration::from_secs(30);
/// How long it may take over a body.
const BODY: Duration = Duration::from_secs(5);
/// The most headers of a request, and the most bytes that are buffered of one.
const MAX_HEADERS: usize = 64;
const MAX_BUFFER: usize = 16_384;

/// The header that the key comes in: what Dovecot calls it where its
/// `auth_policy_server_api_header` names none.
const KEY_HEADER: &str = "x-api-key";

/// Binds the address.
///
/// # Errors
/// It cannot be bound.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// The server.
pub struct Server {
    settings: ArcSwap<Settings>,
    throttles: Arc<dyn Throttles>,
    clock: Arc<dyn Clock>,
}

impl Server {
    /// A server that serves nothing yet.
    pub fn new(
        settings: Settings,
        throttles: Arc<dyn Throttles>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        Arc::new(Self {
            settings: ArcSwap::from_pointee(settings),
            throttles,
            clock,
        })
    }

    /// Puts other settings in force, from the next request on.
    pub fn set_settings(&self, settings: Settings) {
        self.settings.store(Arc::new(settings));
    }

    /// Serves until shutdown, and then ends what is under way.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, shutdown: CancellationToken) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
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
                    tracing::warn!(%error, "an auth-policy connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            if !self.settings.load().admits(source.ip()) {
                count("source");
                continue;
            }
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                count("connections");
                continue;
            };
            let (server, shutdown) = (Arc::clone(&self), shutdown.clone());
            connections.spawn(async move {
                server.connection(stream, shutdown).await;
                drop(place);
            });
        }
        connections.close();
        connections.wait().await;
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, shutdown: CancellationToken) {
        // Answers are one small write each.
        let _ = stream.set_nodelay(true);
        let service = service_fn(move |request| {
            let server = Arc::clone(&self);
            async move { Ok::<_, Infallible>(server.respond(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_BUFFER)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        tokio::select! {
            // What a client breaks is its own loss.
            _ = connection.as_mut() => return,
            () = shutdown.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<Body> {
        let settings = self.settings.load_full();
        let (parts, body) = request.into_parts();
        let key = parts.headers.get(KEY_HEADER);
        if !settings.knows(key.map(axum::http::HeaderValue::as_bytes)) {
            return refuse(
                "key",
                StatusCode::UNAUTHORIZED,
                "X-API-Key is missing or wrong",
            );
        }
        if parts.method != Method::POST {
            return refuse("malformed", StatusCode::METHOD_NOT_ALLOWED, "POST, please");
        }
        let body = timeout(BODY, to_bytes(Body::new(body), MAX_BODY_BYTES)).await;
        let Ok(Ok(body)) = body else {
            let text = "the body is too long, or too long in coming";
            return refuse("malformed", StatusCode::BAD_REQUEST, text);
        };
        let question = match read(parts.uri.query(), &body) {
            Ok(question) => question,
            Err(malformed) => {
                tracing::warn!(%malformed, "an auth-policy request was not understood");
                return refuse("malformed", StatusCode::BAD_REQUEST, &malformed.to_string());
            }
        };
        self.decide(question, &settings).await
    }

    async fn decide(&self, question: Question, settings: &Settings) -> Response<Body> {
        let announcement = |guess: Guess| {
            let received = self.clock.now();
            Announcement {
                request: RequestId::new(received.wall),
                received,
                resource: settings.resource.clone(),
                claim: Claim::Typed(guess.login),
                client: guess.client,
                mark: guess.mark,
            }
        };
        let decided = match question {
            Question::Local => Ok(Leave::Given),
            Question::Allow(guess) => self.throttles.announce(announcement(guess)).await,
            Question::Report(guess, conclusion) => self
                .throttles
                .conclude(announcement(guess), conclusion)
                .await
                .map(|()| Leave::Given),
        };
        match decided {
            Ok(leave) => respond(StatusCode::OK, "application/json", answer(leave).to_owned()),
            // Dovecot goes on by `auth_policy_reject_on_fail`, and LDAP tells it then.
            Err(undecided) => refuse(
                "unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                &undecided.to_string(),
            ),
        }
    }
}

fn count(reason: &'static str) {
    counter!("doorward_auth_policy_refused_total", "reason" => reason).increment(1);
}

fn refuse(reason: &'static str, status: StatusCode, text: &str) -> Response<Body> {
    count(reason);
    respond(status, "text/plain", format!("{text}\n"))
}

fn respond(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = axum::http::HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests;
