//! The auth-policy server: HTTP/1.1 to [`super::Question`] and back.
//!
//! Who is not among the sources is closed before a byte is read; connections, headers, bodies and
//! times are bounded; a request without the key is refused before its body is read.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use metrics::counter;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Guess, MAX_BODY_BYTES, Question, Settings, answer, read};
use doorward_domain::id::RequestId;
use doorward_domain::origin::Source;
use doorward_domain::time::Clock;
use doorward_frontend_api::{Announcement, Claim, Leave, Throttles};
use doorward_http as http;
use doorward_http::server::{Service, response};
use doorward_http::{Bounds, Turned};

/// Open connections at once. One Dovecot opens a hundred at most.
pub const MAX_CONNECTIONS: usize = 512;
/// The bounds on them. Dovecot keeps one open for ten seconds.
const BOUNDS: Bounds = Bounds {
    connections: MAX_CONNECTIONS,
    per_source: MAX_CONNECTIONS / 2,
    headers: Duration::from_secs(30),
    idle: Duration::from_mins(1),
};
/// How long a body may take.
const BODY: Duration = Duration::from_secs(5);

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
        http::server::serve(listener, BOUNDS, self, shutdown).await;
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
            Ok(leave) => response(StatusCode::OK, "application/json", answer(leave).to_owned()),
            // Dovecot goes on by `auth_policy_reject_on_fail`, and LDAP tells it then.
            Err(undecided) => refuse(
                "unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                &undecided.to_string(),
            ),
        }
    }
}

impl Service for Server {
    fn admits(&self, source: &Source) -> bool {
        match source {
            Source::Address(address) => self.settings.load().admits(*address),
            Source::Local(_) => false,
        }
    }

    fn turned_away(&self, why: Turned) {
        count(match why {
            Turned::Source => "source",
            Turned::Connections => "connections",
        });
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
}

fn count(reason: &'static str) {
    counter!("doorward_auth_policy_refused_total", "reason" => reason).increment(1);
}

fn refuse(reason: &'static str, status: StatusCode, text: &str) -> Response<Body> {
    count(reason);
    response(status, "text/plain", format!("{text}\n"))
}

#[cfg(test)]
mod tests;
