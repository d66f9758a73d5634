//! Who may open one more connection: bounds in all, per source, and on how fast; and whether
//! anybody may, which is not so while the store cannot answer.
//!
//! One gate serves all listeners. It is asked right after `accept`, before a byte is read. An
//! IPv6 source is its /64, since a single host has all of it; on a local socket it is the peer's
//! Unix user.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use governor::clock::Clock as RateClock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use tokio::sync::{Notify, watch};

use crate::domain::origin::Source;
use crate::domain::time::Clock;

/// Bounds on connections, for all listeners together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Open connections in all.
    pub connections: usize,
    /// Open connections from one source.
    pub per_source: usize,
    /// New connections a second from one source, in the long run.
    pub rate: NonZeroU32,
    /// New connections at once from one source.
    pub burst: NonZeroU32,
}

impl Default for Caps {
    fn default() -> Self {
        const RATE: NonZeroU32 = NonZeroU32::new(200).unwrap();
        const BURST: NonZeroU32 = NonZeroU32::new(1000).unwrap();
        Self {
            connections: 4096,
            per_source: 512,
            rate: RATE,
            burst: BURST,
        }
    }
}

/// Why a connection was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    /// Too many connections in all.
    Total,
    /// Too many from this source.
    PerSource,
    /// Too fast from this source.
    Rate,
}

impl Turned {
    /// The reason as the value of a metric's label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::PerSource => "per_source",
            Self::Rate => "rate",
        }
    }
}

type Rates = RateLimiter<Source, HashMapStateStore<Source>, GivenClock, NoOpMiddleware<Duration>>;

/// The process's clock as the rate limiter reads it.
#[derive(Clone)]
struct GivenClock(Arc<dyn Clock>);

impl RateClock for GivenClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.now().mono.since_start()
    }
}

struct Rules {
    caps: Caps,
    rates: Rates,
}

impl Rules {
    fn new(caps: Caps, clock: &Arc<dyn Clock>) -> Self {
        let quota = Quota::per_second(caps.rate).allow_burst(caps.burst);
        let clock = GivenClock(Arc::clone(clock));
        Self {
            caps,
            rates: RateLimiter::hashmap_with_clock(quota, clock),
        }
    }
}

#[derive(Default)]
struct Open {
    total: usize,
    by_source: HashMap<Source, usize>,
}

/// Counts open connections.
pub struct Gate {
    clock: Arc<dyn Clock>,
    rules: ArcSwap<Rules>,
    open: Mutex<Open>,
    available: watch::Sender<bool>,
    doubt: Notify,
}

/// How many sources are remembered before those at rest are forgotten.
const REMEMBERED_SOURCES: usize = 16_384;

impl Gate {
    /// A gate with nobody inside.
    pub fn new(caps: Caps, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            rules: ArcSwap::from_pointee(Rules::new(caps, &clock)),
            clock,
            open: Mutex::default(),
            available: watch::Sender::new(true),
            doubt: Notify::new(),
        })
    }

    /// Puts other bounds in force; who is inside stays.
    pub fn set_caps(&self, caps: Caps) {
        self.rules.store(Arc::new(Rules::new(caps, &self.clock)));
    }

    /// Says whether the store answers. While it does not, connections are refused: a client that
    /// looks for its next server does so when it cannot connect, SSSD even only then
    /// (CONTRACT.md 5.4).
    pub fn set_available(&self, available: bool) {
        self.available.send_replace(available);
    }

    /// Waits until the store answers, or does not.
    pub async fn until_available(&self, available: bool) {
        let mut told = self.available.subscribe();
        // The sender lives as long as the gate.
        let _ = told.wait_for(|now| *now == available).await;
    }

    /// Asks for the store to be looked at now, since it did not answer somebody.
    pub fn doubt(&self) {
        self.doubt.notify_one();
    }

    /// Waits for the next doubt.
    pub async fn doubted(&self) {
        self.doubt.notified().await;
    }

    /// Lets a connection in.
    ///
    /// # Errors
    /// Why not.
    pub fn enter(self: &Arc<Self>, source: &Source) -> Result<Permit, Turned> {
        let source = source.aggregate();
        let rules = self.rules.load();
        if rules.rates.len() > REMEMBERED_SOURCES {
            rules.rates.retain_recent();
        }
        rules.rates.check_key(&source).map_err(|_| Turned::Rate)?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.total >= rules.caps.connections {
            return Err(Turned::Total);
        }
        let own = open.by_source.entry(source.clone()).or_default();
        if *own >= rules.caps.per_source {
            return Err(Turned::PerSource);
        }
        *own += 1;
        open.total += 1;
        Ok(Permit {
            gate: Arc::clone(self),
            source,
        })
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .total
    }
}

/// A place inside; given back when dropped.
pub struct Permit {
    gate: Arc<Gate>,
    source: Source,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self
            .gate
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        open.total = open.total.saturating_sub(1);
        if let Some(own) = open.by_source.get_mut(&self.source) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                open.by_source.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::domain::time::{Monotonic, Now, Timestamp};

    #[derive(Default)]
    struct Hand(AtomicU64);

    impl Clock for Hand {
        fn now(&self) -> Now {
            let mono = Duration::from_millis(self.0.load(Ordering::Relaxed));
            Now {
                wall: Timestamp::EPOCH,
                mono: Monotonic::from_start(mono),
                clock_suspect: false,
            }
        }
    }

    fn gate(connections: usize, per_source: usize, rate: u32) -> (Arc<Gate>, Arc<Hand>) {
        let clock = Arc::new(Hand::default());
        let rate = NonZeroU32::new(rate).unwrap();
        let caps = Caps {
            connections,
            per_source,
            rate,
            burst: rate,
        };
        (Gate::new(caps, Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    fn at(text: &str) -> Source {
        text.parse().unwrap()
    }

    #[test]
    fn places_are_counted_and_given_back() {
        let (gate, _) = gate(3, 2, 100);
        let first = gate.enter(&at("192.0.2.1")).ok().unwrap();
        let _second = gate.enter(&at("::ffff:192.0.2.1")).ok().unwrap();
        assert_eq!(gate.enter(&at("192.0.2.1")).err(), Some(Turned::PerSource));
        let _third = gate.enter(&at("192.0.2.2")).ok().unwrap();
        assert_eq!(gate.enter(&at("192.0.2.3")).err(), Some(Turned::Total));
        drop(first);
        assert_eq!(gate.open(), 2);
        assert!(gate.enter(&at("192.0.2.1")).is_ok());
    }

    #[test]
    fn a_v6_host_is_its_network() {
        let (gate, _) = gate(9, 1, 100);
        let _one = gate.enter(&at("2001:db8::1")).ok().unwrap();
        assert_eq!(
            gate.enter(&at("2001:db8::2")).err(),
            Some(Turned::PerSource)
        );
        assert!(gate.enter(&at("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn users_of_a_local_socket_are_told_apart() {
        let (gate, _) = gate(9, 1, 100);
        let _one = gate.enter(&at("local:postfix")).ok().unwrap();
        assert_eq!(
            gate.enter(&at("local:postfix")).err(),
            Some(Turned::PerSource)
        );
        assert!(gate.enter(&at("local:dovecot")).is_ok());
        assert!(gate.enter(&at("127.0.0.1")).is_ok());
    }

    #[test]
    fn a_fast_source_waits_and_another_does_not() {
        let (gate, clock) = gate(100, 100, 2);
        assert!(gate.enter(&at("192.0.2.1")).is_ok());
        assert!(gate.enter(&at("192.0.2.1")).is_ok());
        assert_eq!(gate.enter(&at("192.0.2.1")).err(), Some(Turned::Rate));
        assert!(gate.enter(&at("192.0.2.2")).is_ok());
        clock.0.store(500, Ordering::Relaxed);
        assert!(gate.enter(&at("192.0.2.1")).is_ok());
    }

    #[test]
    fn other_bounds_count_at_once() {
        let (gate, _) = gate(1, 1, 100);
        let _one = gate.enter(&at("192.0.2.1")).ok().unwrap();
        assert_eq!(gate.enter(&at("192.0.2.2")).err(), Some(Turned::Total));
        gate.set_caps(Caps::default());
        assert!(gate.enter(&at("192.0.2.2")).is_ok());
    }
}
