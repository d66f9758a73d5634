//! How much is done for all strangers together, whatever their number.
//!
//! What is done for somebody who has not bound is cheap, but strangers are many, and cost time on
//! the threads of logins. So there is so much of it a second, in turns of the sources that ask;
//! whoever is not served yet is not read. Sources that are known wait behind one another and not
//! behind the rest. Logins take no turns.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::sleep;

use super::GivenClock;
use super::places::Standing;
use doorward_domain::origin::Source;
use doorward_ldap_protocol::search::Shares;

/// How many turns there are in a second in the long run, and at once: as many for known sources as
/// for all others.
pub(crate) const RATE: NonZeroU32 = NonZeroU32::new(1000).unwrap();
pub(crate) const AT_ONCE: NonZeroU32 = NonZeroU32::new(200).unwrap();

/// The turns of all strangers.
pub(super) struct Turns {
    known: Queue,
    unknown: Queue,
}

impl Turns {
    pub(super) fn new(clock: GivenClock) -> Self {
        Self {
            known: Queue::new(clock.clone()),
            unknown: Queue::new(clock),
        }
    }

    /// Waits for a turn of the source's.
    pub(super) async fn take(&self, source: &Source, standing: Standing) {
        match standing {
            Standing::Known => self.known.take(source).await,
            Standing::Unknown => self.unknown.take(source).await,
        }
    }
}

/// One of them is first, and waits for the next turn to come; behind it the others, by source.
struct Queue {
    first: Arc<Shares>,
    pace: RateLimiter<NotKeyed, InMemoryState, GivenClock, NoOpMiddleware<Duration>>,
    clock: GivenClock,
}

impl Queue {
    fn new(clock: GivenClock) -> Self {
        let quota = Quota::per_second(RATE).allow_burst(AT_ONCE);
        Self {
            first: Shares::new(1, 1),
            pace: RateLimiter::direct_with_clock(quota, clock.clone()),
            clock,
        }
    }

    async fn take(&self, source: &Source) {
        let _first = self.first.take(source, 1).await;
        while let Err(not_yet) = self.pace.check() {
            sleep(not_yet.wait_time_from(self.clock.now())).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use doorward_domain::time::{Clock, Monotonic, Now, Timestamp};

    #[derive(Default)]
    struct Hand(Mutex<Duration>);

    impl Clock for Hand {
        fn now(&self) -> Now {
            Now {
                wall: Timestamp::EPOCH,
                mono: Monotonic::from_start(*self.0.lock().unwrap()),
                clock_suspect: false,
            }
        }
    }

    struct World {
        hand: Arc<Hand>,
        turns: Arc<Turns>,
        served: Arc<Mutex<Vec<u8>>>,
    }

    impl World {
        /// One in which all turns that there are at once are gone.
        async fn used_up() -> Self {
            let hand = Arc::<Hand>::default();
            let turns = Turns::new(GivenClock(Arc::clone(&hand) as Arc<dyn Clock>));
            for _ in 0..AT_ONCE.get() {
                turns.take(&source(1), Standing::Unknown).await;
            }
            Self {
                hand,
                turns: Arc::new(turns),
                served: Arc::default(),
            }
        }

        async fn waits(&self, last: u8, standing: Standing) {
            let (turns, served) = (Arc::clone(&self.turns), Arc::clone(&self.served));
            tokio::spawn(async move {
                turns.take(&source(last), standing).await;
                served.lock().unwrap().push(last);
            });
            // Until it is in the queue.
            tokio::task::yield_now().await;
        }

        fn go_on(&self, turns: u32) {
            *self.hand.0.lock().unwrap() += Duration::from_secs(1) * turns / RATE.get();
        }

        /// Who has been served, once so many have.
        async fn served(&self, count: usize) -> Vec<u8> {
            loop {
                let served = self.served.lock().unwrap().clone();
                if served.len() >= count {
                    return served;
                }
                sleep(Duration::from_millis(1)).await;
            }
        }
    }

    fn source(last: u8) -> Source {
        Source::Address([192, 0, 2, last].into())
    }

    #[tokio::test]
    async fn turns_come_with_time_and_go_round_by_source() {
        let world = World::used_up().await;
        for last in [1, 1, 1, 1, 1, 1, 2, 3] {
            world.waits(last, Standing::Unknown).await;
        }
        world.go_on(4);
        assert_eq!(world.served(4).await, [1, 1, 2, 3]);
        world.go_on(1);
        assert_eq!(world.served(5).await, [1, 1, 2, 3, 1]);
    }

    #[tokio::test]
    async fn known_sources_do_not_wait_behind_the_rest() {
        let world = World::used_up().await;
        for _ in 0..10 {
            world.waits(1, Standing::Unknown).await;
        }
        world.waits(7, Standing::Known).await;
        assert_eq!(world.served(1).await, [7]);
    }

    #[tokio::test]
    async fn who_leaves_the_queue_holds_up_nobody() {
        let world = World::used_up().await;
        let one = source(1);
        let mut first = Box::pin(world.turns.take(&one, Standing::Unknown));
        let polled = tokio::time::timeout(Duration::from_millis(5), &mut first);
        assert!(polled.await.is_err());
        world.waits(2, Standing::Unknown).await;
        drop(first);
        world.go_on(1);
        assert_eq!(world.served(1).await, [2]);
    }
}
