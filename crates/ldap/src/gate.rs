//! Who may open one more connection: bounds in all, per source, and on how fast; and whether
//! anybody may, which is not so while the store cannot answer.
//!
//! Where there is no room, connections on which nobody has bound give way (see [`places`]). A
//! quarter of the room is kept for relays and for sources where somebody has bound within a day.
//! What they may have done together is bounded as well (see [`turns`]).
//!
//! One gate serves all listeners. It is asked right after `accept`, before a byte is read. An
//! IPv6 source is its /64, since a single host has all of it; on a local socket it is the peer's
//! Unix user.

mod known;
mod places;
mod turns;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use governor::clock::Clock as RateClock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use self::known::KnownSources;
pub use self::places::MAX_LEAVING;
use self::places::{PlaceId, Places, Room, Standing};
#[cfg(test)]
pub(super) use self::turns::AT_ONCE;
use self::turns::Turns;
use doorward_domain::origin::{Relays, Source};
use doorward_domain::time::Clock;

/// One part in so many of the room is kept for relays and for sources where somebody has bound
/// lately.
const KEPT: usize = 4;

/// Bounds on connections, for all listeners together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caps {
    /// Open connections in all.
    pub connections: usize,
    /// Open connections from one source.
    pub per_source: usize,
    /// New connections a second from one source, in the long run.
    pub rate: NonZeroU32,
    /// New connections at once from one source.
    pub burst: NonZeroU32,
    /// Sources behind which many users stand.
    pub relays: Relays,
}

impl Caps {
    fn room(&self) -> Room {
        Room {
            in_all: self.connections,
            per_source: self.per_source,
            unknown: self.connections - self.connections / KEPT,
        }
    }
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
            relays: Relays::default(),
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
struct Inside {
    places: Places,
    known: KnownSources,
}

/// Counts open connections.
pub struct Gate {
    clock: Arc<dyn Clock>,
    rules: ArcSwap<Rules>,
    inside: Mutex<Inside>,
    turns: Turns,
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
            turns: Turns::new(GivenClock(Arc::clone(&clock))),
            clock,
            inside: Mutex::default(),
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

    /// Lets a connection in, at the price of a stranger's where there is no room.
    ///
    /// # Errors
    /// Why not.
    pub fn enter(self: &Arc<Self>, source: &Source) -> Result<Permit, Turned> {
        let rules = self.rules.load();
        let is_relay = rules.caps.relays.include(source);
        let source = source.aggregate();
        if rules.rates.len() > REMEMBERED_SOURCES {
            rules.rates.retain_recent();
        }
        rules.rates.check_key(&source).map_err(|_| Turned::Rate)?;
        let now = self.clock.now().mono;
        let mut inside = self.inside();
        let standing = if is_relay || inside.known.include(&source, now) {
            Standing::Known
        } else {
            Standing::Unknown
        };
        let (place, lost) = inside.places.enter(&source, standing, rules.caps.room())?;
        drop(inside);
        Ok(Permit {
            gate: Arc::clone(self),
            source,
            standing,
            place,
            lost,
            bound: AtomicBool::new(false),
        })
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.inside().places.len()
    }

    /// Who is inside survives a panic elsewhere: each step leaves it whole.
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place inside; given back when dropped.
pub struct Permit {
    gate: Arc<Gate>,
    source: Source,
    /// That of the source when the connection came.
    standing: Standing,
    place: PlaceId,
    lost: CancellationToken,
    bound: AtomicBool,
}

impl Permit {
    /// Waits until the place is another's, and the connection must end.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Waits until something may be done for a connection on which nobody is bound. Drop it to give
    /// the turn up; whoever waits must do nothing else meanwhile that takes long.
    pub async fn turn(&self) {
        self.gate.turns.take(&self.source, self.standing).await;
    }

    /// Notes whether somebody is bound now. Whoever is keeps the place, and its source is known
    /// for a day.
    pub fn note_bound(&self, bound: bool) {
        let before = self.bound.swap(bound, Ordering::Relaxed);
        if !bound && !before {
            return;
        }
        let now = self.gate.clock.now().mono;
        let mut inside = self.gate.inside();
        if bound {
            inside.known.note(&self.source, now);
            inside.places.bound(self.place);
        } else {
            inside.places.unbound(self.place);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.inside().places.leave(self.place);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use doorward_domain::time::{Monotonic, Now, Timestamp};

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
            relays: Relays::default(),
        };
        (Gate::new(caps, Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    fn at(text: &str) -> Source {
        text.parse().unwrap()
    }

    /// A place that somebody has bound at.
    fn bound(gate: &Arc<Gate>, source: &str) -> Permit {
        let permit = gate.enter(&at(source)).ok().unwrap();
        permit.note_bound(true);
        permit
    }

    #[test]
    fn places_are_counted_and_given_back() {
        let (gate, _) = gate(3, 2, 100);
        let first = bound(&gate, "192.0.2.1");
        let _second = bound(&gate, "::ffff:192.0.2.1");
        assert_eq!(gate.enter(&at("192.0.2.1")).err(), Some(Turned::PerSource));
        let _third = bound(&gate, "192.0.2.2");
        assert_eq!(gate.enter(&at("192.0.2.3")).err(), Some(Turned::Total));
        drop(first);
        assert_eq!(gate.open(), 2);
        assert!(gate.enter(&at("192.0.2.1")).is_ok());
    }

    #[test]
    fn a_v6_host_is_its_network() {
        let (gate, _) = gate(9, 1, 100);
        let _one = bound(&gate, "2001:db8::1");
        assert_eq!(
            gate.enter(&at("2001:db8::2")).err(),
            Some(Turned::PerSource)
        );
        assert!(gate.enter(&at("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn users_of_a_local_socket_are_told_apart() {
        let (gate, _) = gate(9, 1, 100);
        let _one = bound(&gate, "local:postfix");
        assert_eq!(
            gate.enter(&at("local:postfix")).err(),
            Some(Turned::PerSource)
        );
        assert!(gate.enter(&at("local:dovecot")).is_ok());
        assert!(gate.enter(&at("127.0.0.1")).is_ok());
    }

    /// Strangers from so many sources, one each.
    fn strangers(gate: &Arc<Gate>, count: u8) -> Vec<Permit> {
        (0..count)
            .map(|last| gate.enter(&at(&format!("198.51.100.{last}"))).ok().unwrap())
            .collect()
    }

    fn lost(permits: &[Permit]) -> usize {
        let lost = permits.iter().filter(|permit| permit.lost.is_cancelled());
        lost.count()
    }

    #[test]
    fn a_part_is_kept_for_relays_and_for_where_somebody_has_bound() {
        let (gate, clock) = gate(8, 8, 100);
        let mut caps = gate.rules.load().caps.clone();
        caps.relays.networks = vec!["203.0.113.0/24".parse().unwrap()];
        gate.set_caps(caps);
        drop(bound(&gate, "192.0.2.1"));
        let inside = strangers(&gate, 8);
        assert_eq!(lost(&inside), 2, "a quarter is not for strangers");
        let _here = gate.enter(&at("192.0.2.1")).ok().unwrap();
        let _relay = gate.enter(&at("203.0.113.9")).ok().unwrap();
        assert_eq!(lost(&inside), 2);
        clock.0.store(25 * 3_600_000, Ordering::Relaxed);
        let _again = gate.enter(&at("192.0.2.1")).ok().unwrap();
        assert_eq!(lost(&inside), 3, "after a day it is as any other");
    }

    #[test]
    fn whoever_gives_its_bind_up_may_lose_its_place_again() {
        let (gate, _) = gate(1, 1, 100);
        let first = bound(&gate, "192.0.2.1");
        assert!(gate.enter(&at("192.0.2.2")).is_err());
        first.note_bound(false);
        assert!(gate.enter(&at("192.0.2.1")).is_ok());
        assert!(first.lost.is_cancelled());
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
        let _one = bound(&gate, "192.0.2.1");
        assert_eq!(gate.enter(&at("192.0.2.2")).err(), Some(Turned::Total));
        gate.set_caps(Caps::default());
        assert!(gate.enter(&at("192.0.2.2")).is_ok());
    }
}
