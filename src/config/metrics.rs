//! `[metrics]`: where Prometheus and the health check ask, and how much they are told.

use std::net::SocketAddr;

use serde::Deserialize;

use super::value::ListenAddress;

/// The server of `/metrics` and `/ready`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Where it listens, in plain HTTP and without asking who comes.
    pub address: ListenAddress,
    /// Permissions of the socket, where it is a Unix socket.
    #[serde(deserialize_with = "super::value::file_mode")]
    pub socket_mode: u32,
    /// Whether it tells what no refusal tells on the wire (CONTRACT.md 5.2): exact reasons, how
    /// long decisions took, what was hashed and why. Whoever reads the page then knows who exists
    /// and who is locked.
    pub detailed: bool,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            address: ListenAddress::Network(SocketAddr::from(([127, 0, 0, 1], 9909))),
            socket_mode: 0o660,
            detailed: false,
        }
    }
}
