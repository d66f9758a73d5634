//! A hashing queue that guesses at names that nobody has fill, and that is long in coming down.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use doorward_domain::id::RequestId;
use doorward_domain::name::ListenerName;
use doorward_domain::resource::ConnectionContext;
use doorward_domain::time::Clock as _;
use doorward_frontend_api::{Decide as _, ServiceAttempt, ServiceEvidence, ServiceVerdict};
use doorward_hashes::Argon2Parameters;
use tokio::task::JoinHandle;

use crate::world::{World, refusal_of};

/// Guesses under way, each from an address of its own, none of which lets anybody in.
pub(crate) struct Flood {
    world: Arc<World>,
    guesses: Vec<JoinHandle<()>>,
}

impl Flood {
    /// Guesses at users of a resource.
    pub(crate) async fn at(world: &Arc<World>, resource: &'static str, waiting: u64) -> Self {
        Self::of(world, waiting, move |world, name, source| async move {
            let attempt = world.attempt_from(resource, &name, "a guess", source);
            // So many at once may find the queue full, or the store busy.
            if let Ok(verdict) = world.decide(attempt).await {
                assert!(refusal_of(verdict).is_some());
            }
        })
        .await
    }

    /// Guesses at service accounts.
    pub(crate) async fn at_services(world: &Arc<World>, waiting: u64) -> Self {
        Self::of(world, waiting, |world, name, source| async move {
            let now = world.clock.now();
            let attempt = ServiceAttempt {
                request: RequestId::new(now.wall),
                received: now,
                circumstances: ConnectionContext::new(
                    ListenerName::parse("hosts").unwrap(),
                    source,
                ),
                evidence: ServiceEvidence::password(name, b"a guess"),
            };
            if let Ok(verdict) = world.authenticator.decide_service(attempt).await {
                assert!(matches!(verdict, ServiceVerdict::Refused(_)));
            }
        })
        .await
    }

    /// Stops the clock, so that nothing waits too long; makes hashes costly, and twice as many guesses
    /// as are to wait; comes back once these wait.
    async fn of<F: Future<Output = ()> + Send + 'static>(
        world: &Arc<World>,
        waiting: u64,
        guess: impl Fn(Arc<World>, String, IpAddr) -> F,
    ) -> Self {
        world.clock.stop();
        let costly = Argon2Parameters::new(65_536, 4, 1).unwrap();
        world.pool.set_parameters(costly);
        let guesses = (0..2 * u32::try_from(waiting).unwrap()).map(|number| {
            let source = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 | number));
            tokio::spawn(guess(Arc::clone(world), format!("nobody{number}"), source))
        });
        let flood = Self {
            guesses: guesses.collect(),
            world: Arc::clone(world),
        };
        let full = flood.until(|flood| flood.waiting() >= waiting).await;
        assert!(full, "{} wait to be hashed", flood.waiting());
        flood
    }

    /// How many jobs wait to be hashed.
    pub(crate) fn waiting(&self) -> u64 {
        self.world.pool.counters().queue_depth()
    }

    /// Waits for something to hold; false where it did not come to that.
    pub(crate) async fn until(&self, holds: impl Fn(&Self) -> bool) -> bool {
        let held = async {
            while !holds(self) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), held)
            .await
            .is_ok()
    }

    /// Waits until so many more of the guesses were hashed, while others still wait behind them.
    pub(crate) async fn goes_on_for(&self, guesses: u64) {
        let dummies = || self.world.pool.counters().dummies();
        let last = dummies() + guesses;
        assert!(self.until(|_| dummies() >= last).await, "{}", dummies());
        assert!(self.waiting() > guesses, "{} still wait", self.waiting());
    }

    /// Ends it, and the pool with it.
    pub(crate) async fn end(self) {
        self.world.pool.close();
        for guess in self.guesses {
            guess.await.unwrap();
        }
    }
}
