//! `[metrics]`: where Prometheus and the health check ask.

use std::net::SocketAddr;

use serde::Deserialize;

/// The server of `/metrics` and `/ready`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Where it listens, in plain HTTP and without asking who comes.
    #[serde(deserialize_with = "super::value::address")]
    pub address: SocketAddr,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 9909)),
        }
    }
}
