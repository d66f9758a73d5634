//! HTTP/1.1 for a machine or two, in plain text: the status page and the auth-policy server. However
//! many connections are opened and however little is said on them, what they hold is bounded, and
//! who comes with a request is served. It knows no route and no meaning; [`server`] is its only IO.

mod places;
pub mod server;

use std::time::Duration;

pub use places::Turned;

/// The bounds on one listener's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Open at once.
    pub connections: usize,
    /// Of those, from one source.
    pub per_source: usize,
    /// How long a connection may take over a request's headers, waiting for the request included.
    pub headers: Duration,
    /// How long nothing may be answered on one before it is closed: this long at least, and twice
    /// at most. It ends who does not read.
    pub idle: Duration,
}
