//! `[throttle]`: what guessers and floods run into before any lock does (CONTRACT.md 3.6).

use std::time::Duration;

use serde::Deserialize;

use doorward_domain::origin::Relays;

/// Rates, buckets and the delay of refusals.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Throttle {
    /// Sources behind which many users stand: the bucket by source spares them. RADIUS clients are
    /// relays anyway.
    #[serde(deserialize_with = "super::value::relays")]
    pub relays: Relays,
    /// Every refusal leaves at a whole multiple of this after its request (CONTRACT.md 5.2).
    #[serde(deserialize_with = "super::value::span")]
    pub refusal_delay: Duration,
    /// Failed attempts a source may have at once.
    pub source_tokens: u32,
    /// How long until one of them comes back.
    #[serde(deserialize_with = "super::value::span")]
    pub source_refill: Duration,
    /// Failed attempts an account may have at once from one origin at one resource; never fewer
    /// than the threshold of the lock.
    pub account_tokens: u32,
    /// How long until one of them comes back.
    #[serde(deserialize_with = "super::value::span")]
    pub account_refill: Duration,
    /// New connections a second from one source.
    pub source_connections: u32,
    /// Packets a second from one RADIUS client: so many that are proven, and so many that are not.
    pub client_datagrams: u32,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            relays: Relays::default(),
            refusal_delay: Duration::from_millis(250),
            source_tokens: 60,
            source_refill: Duration::from_secs(10),
            account_tokens: 20,
            account_refill: Duration::from_mins(1),
            source_connections: 100,
            client_datagrams: 2000,
        }
    }
}
