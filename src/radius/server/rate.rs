//! How many datagrams each client may send before they are dropped unread (CONTRACT.md 3.6).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::Settings;
use crate::domain::name::ClientName;
use crate::domain::time::Clock;

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

/// One limiter a client.
pub(super) struct Gates(HashMap<ClientName, Limiter>);

impl Gates {
    pub(super) fn new(settings: &Settings, clock: &Arc<dyn Clock>) -> Self {
        let quota = Quota::per_second(settings.datagrams_per_second).allow_burst(settings.burst);
        let gate = || RateLimiter::direct_with_clock(quota, Given(Arc::clone(clock)));
        Self(
            settings
                .clients
                .iter()
                .map(|client| (client.name().clone(), gate()))
                .collect(),
        )
    }

    /// Whether the client may send one more; a client without a gate may not.
    pub(super) fn admit(&self, client: &ClientName) -> bool {
        self.0.get(client).is_some_and(|gate| gate.check().is_ok())
    }

    /// How long the client must wait to send one more; nothing where it may now, or has no gate.
    pub(super) fn wait(&self, client: &ClientName) -> Option<Duration> {
        let gate = self.0.get(client)?;
        let not_yet = gate.check().err()?;
        Some(not_yet.wait_time_from(governor::clock::Clock::now(gate.clock())))
    }
}
