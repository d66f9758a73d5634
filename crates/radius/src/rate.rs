//! How many packets each client may send before they are dropped (CONTRACT.md 3.6).
//!
//! What only the client can have made has an allowance of its own: whoever forges its address, or
//! sends again what it recorded, uses up another. What the log says of each client has one as well.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::Settings;
use doorward_domain::name::ClientName;
use doorward_domain::time::Clock;
use doorward_radius_protocol::exchange::Weight;

/// A limiter that reads the clock it is given.
pub(super) type Limiter = RateLimiter<NotKeyed, InMemoryState, Given, NoOpMiddleware<Duration>>;

/// The daemon's clock as `governor` sees it.
pub(super) struct Given(pub(super) Arc<dyn Clock>);

impl governor::clock::Clock for Given {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.now().mono.since_start()
    }
}

/// The allowances of each client.
pub(super) struct Gates(HashMap<ClientName, Allowances>);

struct Allowances {
    requests: Limiter,
    repetitions: Limiter,
    unproven: Limiter,
    words: Limiter,
}

/// How many lines a minute the log has about one thing: what one client brings about, or what is
/// dropped.
pub(super) const WORDS: NonZeroU32 = NonZeroU32::new(6).unwrap();

impl Allowances {
    fn of(&self, weight: Weight) -> &Limiter {
        match weight {
            Weight::Request => &self.requests,
            Weight::Repetition => &self.repetitions,
            Weight::Unproven => &self.unproven,
        }
    }
}

impl Gates {
    pub(super) fn new(settings: &Settings, clock: &Arc<dyn Clock>) -> Self {
        let quota = Quota::per_second(settings.datagrams_per_second).allow_burst(settings.burst);
        let limiter = |quota| RateLimiter::direct_with_clock(quota, Given(Arc::clone(clock)));
        let allowances = || Allowances {
            requests: limiter(quota),
            repetitions: limiter(quota),
            unproven: limiter(quota),
            words: limiter(Quota::per_minute(WORDS)),
        };
        Self(
            settings
                .clients
                .iter()
                .map(|client| (client.name().clone(), allowances()))
                .collect(),
        )
    }

    /// Whether the client may send one more of these; a client without a gate may not.
    pub(super) fn admit(&self, client: &ClientName, weight: Weight) -> bool {
        self.0
            .get(client)
            .is_some_and(|allowances| allowances.of(weight).check().is_ok())
    }

    /// Whether the log has room for one more line about what this client brought about: devices and
    /// NASes bring about as much as they like.
    pub(super) fn may_be_told_of(&self, client: &ClientName) -> bool {
        self.0
            .get(client)
            .is_some_and(|allowances| allowances.words.check().is_ok())
    }

    /// How long the client must wait to send one more over a connection, where all is proven;
    /// nothing where it may now, or has no gate.
    pub(super) fn wait(&self, client: &ClientName) -> Option<Duration> {
        let gate = &self.0.get(client)?.requests;
        let not_yet = gate.check().err()?;
        Some(not_yet.wait_time_from(governor::clock::Clock::now(gate.clock())))
    }
}
