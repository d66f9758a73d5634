use std::future::Future;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Waker};
use std::time::Duration;

use super::*;
use crate::Deciding;
use doorward_domain::device::MacAddress;
use doorward_domain::event::AttemptEvent;
use doorward_domain::id::{AccountId, Epoch, EventId, PlaceId, RequestId, ServiceId};
use doorward_domain::name::{ListenerName, ResourceName, ServiceName};
use doorward_domain::origin::{OriginKey, Relays};
use doorward_domain::policy::asking::Resources;
use doorward_domain::policy::buckets::Rate;
use doorward_domain::policy::naming::Realms;
use doorward_domain::resource::ConnectionContext;
use doorward_domain::secret::HashText;
use doorward_domain::time::{Clock, Monotonic, Now, Timestamp};
use doorward_frontend_api::Decide as _;
use doorward_hashes::Argon2Parameters;
use doorward_hashing::{HashingPool, Lane, PoolSettings, QueueFull};
use doorward_store::Unavailable;
use doorward_store::attempts::{
    AccountKey, AttemptRead, Confirmation, Fetch, PlaceAnswer, SettleAnswer, Settlement, TakePlace,
};
use doorward_store::records::DeviceRecord;

const HERE: &str = "192.0.2.7";

/// How many jobs wait at most.
const QUEUE: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// A clock that stands until it is moved.
struct Seconds(AtomicU64);

impl Clock for Seconds {
    fn now(&self) -> Now {
        let passed = Duration::from_secs(self.0.load(Ordering::SeqCst));
        Now {
            wall: Timestamp::from_millis(1_795_000_000_000).plus(passed),
            mono: Monotonic::from_start(passed),
            clock_suspect: false,
        }
    }
}

/// A store that has one service account, `search`.
struct Services(ServiceRecord);

impl AttemptStore for Services {
    async fn read_attempt(
        &self,
        _: &AccountKey,
        _: Option<&ResourceName>,
        _: Option<&OriginKey>,
        _: Fetch,
    ) -> Result<AttemptRead, Unavailable> {
        unreachable!("no users here")
    }

    async fn read_service(&self, name: &str) -> Result<Option<ServiceRecord>, Unavailable> {
        Ok((name == "search").then(|| self.0.clone()))
    }

    async fn read_account_again(
        &self,
        _: AccountId,
        _: Option<&ResourceName>,
    ) -> Result<AttemptRead, Unavailable> {
        unreachable!("no users here")
    }

    async fn read_service_again(&self, _: &str) -> Result<Option<ServiceRecord>, Unavailable> {
        unreachable!("nobody is bound")
    }

    async fn read_services_certified(
        &self,
        _: &CertificateNames,
    ) -> Result<Vec<ServiceRecord>, Unavailable> {
        unreachable!("no certificates here")
    }

    async fn read_device(&self, _: MacAddress) -> Result<Option<DeviceRecord>, Unavailable> {
        unreachable!("no devices here")
    }

    async fn take_place(&self, _: TakePlace) -> Result<PlaceAnswer, Unavailable> {
        unreachable!("service accounts have no places")
    }

    async fn give_back(&self, _: PlaceId) -> Result<(), Unavailable> {
        unreachable!("service accounts have no places")
    }

    async fn settle(&self, _: Settlement) -> Result<SettleAnswer, Unavailable> {
        unreachable!("service accounts have no places")
    }

    async fn confirm_failure(&self, _: Confirmation) -> Result<SettleAnswer, Unavailable> {
        unreachable!("service accounts have no places")
    }

    async fn keep_pace(&self) -> Result<(), Unavailable> {
        Ok(())
    }

    async fn record_attempt(&self, at: Timestamp, _: AttemptEvent) -> Result<EventId, Unavailable> {
        Ok(EventId::new(at))
    }

    fn merge_attempt(&self, _: Timestamp, _: AttemptEvent) {}

    async fn rehash(&self, _: AccountId, _: HashText, _: HashText) -> Result<(), Unavailable> {
        unreachable!("no users here")
    }

    async fn rehash_service(
        &self,
        _: ServiceId,
        _: HashText,
        _: HashText,
    ) -> Result<(), Unavailable> {
        unreachable!("all hashes are new")
    }
}

struct World {
    authenticator: Arc<Deciding<Services>>,
    pool: Arc<HashingPool>,
    clock: Arc<Seconds>,
}

impl World {
    /// A world in which `search` has these passwords and may come from there; each source has so
    /// many tokens.
    async fn new(passwords: &[&str], from: &[&str], tokens: u32) -> Self {
        let pool = Arc::new(
            HashingPool::start(PoolSettings {
                threads: NonZeroUsize::MIN,
                queue: QUEUE,
                parameters: Argon2Parameters::new(64, 1, 1).unwrap(),
            })
            .unwrap(),
        );
        let mut hashes = Vec::new();
        for password in passwords {
            let password = Password::new(password.as_bytes()).unwrap();
            hashes.push(pool.hash(password).await.unwrap());
        }
        let rate = Rate {
            capacity: tokens,
            refill: Duration::from_hours(1),
        };
        let store = Services(ServiceRecord {
            service: ServiceId::from_uuid(uuid::Uuid::from_u128(7)),
            name: ServiceName::parse("search").unwrap(),
            passwords: hashes,
            may_search: true,
            sources: from.iter().map(|net| net.parse().unwrap()).collect(),
            epoch: Epoch(1),
        });
        let clock = Arc::new(Seconds(AtomicU64::new(60)));
        let authenticator = Deciding::new(
            Arc::new(store),
            Arc::clone(&pool),
            Arc::clone(&clock) as _,
            Settings {
                resources: Resources::new(Vec::new()),
                realms: Realms::new(["example.org"]),
                relays: Relays::default(),
                network_passwords: None,
                refusal_delay: Duration::ZERO,
                remember_for: Duration::from_mins(5),
                source_rate: rate,
                account_rate: rate,
            },
        );
        Self {
            authenticator: Arc::new(authenticator.unwrap()),
            pool,
            clock,
        }
    }

    /// What comes of a guess, once it is decided.
    fn begin(
        &self,
        name: &str,
        password: &str,
    ) -> impl Future<Output = Result<Option<Refusal>, Undecided>> + Send + use<> {
        let now = self.clock.now();
        let source: IpAddr = HERE.parse().unwrap();
        let attempt = ServiceAttempt {
            request: RequestId::new(now.wall),
            received: now,
            circumstances: ConnectionContext::new(ListenerName::parse("hosts").unwrap(), source),
            evidence: ServiceEvidence::password(name.to_owned(), password.as_bytes()),
        };
        let authenticator = Arc::clone(&self.authenticator);
        async move {
            Ok(match authenticator.decide_service(attempt).await? {
                ServiceVerdict::Granted(_) => None,
                ServiceVerdict::Refused(refusal) => Some(refusal),
            })
        }
    }

    async fn guess(&self, name: &str, password: &str) -> Option<Refusal> {
        self.begin(name, password).await.unwrap()
    }

    fn hashes(&self) -> u64 {
        self.pool.counters().verified() + self.pool.counters().dummies()
    }

    async fn until_so_many_wait(&self, jobs: u64) {
        while self.pool.counters().queue_depth() != jobs {
            tokio::task::yield_now().await;
        }
    }

    /// A guess of which one hash is computed before there is no room for what else it needs. On one
    /// thread: the guess goes on only where this awaits it.
    async fn one_hash_of(&self, name: &str, password: &str) -> Result<Option<Refusal>, Undecided> {
        let before = self.hashes();
        let first = Held::worker(&self.pool);
        first.begins();
        let guess = tokio::spawn(self.begin(name, password));
        self.until_so_many_wait(1).await;
        let second = Held::worker(&self.pool);
        drop(first);
        second.begins();
        // Who is known gives way to nobody.
        let turn = || self.pool.of(Lane::Service).known().turn();
        let full: Vec<_> = (0..QUEUE.get()).map(|_| submitted(turn())).collect();
        let told = guess.await.unwrap();
        assert_eq!(self.hashes(), before + 1);
        drop((full, second));
        self.until_so_many_wait(0).await;
        told
    }
}

type Submitted<'a, T> = Pin<Box<dyn Future<Output = Result<T, QueueFull>> + 'a>>;

/// A job that is in the queue from here on, as long as what is returned is kept.
fn submitted<'a, T>(job: impl Future<Output = Result<T, QueueFull>> + 'a) -> Submitted<'a, T> {
    let mut job: Submitted<'a, T> = Box::pin(job);
    let polled = pin!(&mut job).poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "there was no room, or it is done");
    job
}

/// A job that keeps the worker until this is dropped.
struct Held<'a> {
    _job: Submitted<'a, ()>,
    begun: Receiver<()>,
    _end: Sender<()>,
}

impl<'a> Held<'a> {
    fn worker(pool: &'a HashingPool) -> Self {
        let (at_work, begun) = channel();
        let (end, over) = channel::<()>();
        let work = move || {
            at_work.send(()).unwrap();
            // An error is the end.
            let _ = over.recv();
        };
        Self {
            _job: submitted(pool.run(work)),
            begun,
            _end: end,
        }
    }

    /// Blocks until the worker is held.
    fn begins(&self) {
        self.begun.recv_timeout(Duration::from_mins(1)).unwrap();
    }
}

#[tokio::test]
async fn contract_3_6_a_wrong_password_is_spent_though_there_is_no_room_for_its_padding() {
    let world = World::new(&["right"], &[], 1).await;
    let told = world.one_hash_of("search", "wrong").await;
    assert_eq!(told, Err(Undecided::Busy));
    let hashes = world.hashes();
    let again = world.guess("search", "wrong").await;
    assert_eq!(again, Some(Refusal::RepeatedWrongPassword));
    let next = world.guess("search", "another").await;
    assert_eq!(next, Some(Refusal::Throttled));
    assert_eq!(world.hashes(), hashes);
}

#[tokio::test]
async fn contract_3_6_a_password_held_against_one_of_two_is_spent() {
    let world = World::new(&["first", "second"], &[], 1).await;
    let told = world.one_hash_of("search", "second").await;
    assert_eq!(told, Err(Undecided::Busy));
    let next = world.guess("search", "another").await;
    assert_eq!(next, Some(Refusal::Throttled));
    // What was not held against both is not taken for wrong.
    assert_eq!(world.guess("search", "second").await, None);
}

#[tokio::test]
async fn contract_3_7_a_password_held_against_one_of_two_spends_its_pass() {
    let world = World::new(&["first", "second"], &["192.0.2.7/32"], 40).await;
    let turns = || world.pool.counters().turns();
    for guess in 0..3 {
        let told = world.one_hash_of("search", &format!("wrong {guess}")).await;
        assert_eq!(told, Err(Undecided::Busy));
    }
    let before = turns();
    assert!(world.guess("search", "wrong").await.is_some());
    assert_eq!(turns(), before, "nothing is left to go ahead by");
}

/// Who is told busy at a name that nobody has pays as at an account.
#[tokio::test]
async fn contract_5_2_a_guess_at_no_service_account_is_spent_with_its_first_hash() {
    for password in ["wrong", "\0"] {
        let world = World::new(&["right"], &[], 1).await;
        let told = world.one_hash_of("nobody", password).await;
        assert_eq!(told, Err(Undecided::Busy));
        let next = world.guess("nobody", "another").await;
        assert_eq!(next, Some(Refusal::Throttled), "{password:?}");
    }
}

#[tokio::test]
async fn contract_3_6_a_guess_without_a_hash_is_not_spent() {
    for name in ["search", "nobody"] {
        let world = World::new(&["right"], &[], 1).await;
        let held = Held::worker(&world.pool);
        held.begins();
        let turn = || world.pool.of(Lane::Service).known().turn();
        let full: Vec<_> = (0..QUEUE.get()).map(|_| submitted(turn())).collect();
        let told = world.begin(name, "wrong").await;
        assert_eq!(told, Err(Undecided::Busy));
        drop((full, held));
        world.until_so_many_wait(0).await;
        let next = world.guess(name, "another").await;
        assert!(next.is_some_and(|next| next != Refusal::Throttled));
    }
}

#[tokio::test]
async fn contract_5_2_as_many_turns_are_waited_for_as_hashes_went_ahead() {
    for passwords in [&["first"][..], &["first", "second"]] {
        let world = World::new(passwords, &["192.0.2.7/32"], 40).await;
        let wrong = world.guess("search", "wrong").await;
        assert_eq!(wrong, Some(Refusal::WrongPassword));
        assert_eq!(world.pool.counters().turns(), passwords.len() as u64);
    }
}

/// Whoever is in a network could otherwise go ahead from each of its addresses.
#[tokio::test]
async fn contract_3_7_an_address_of_a_network_is_known_once_it_was_let_in() {
    let world = World::new(&["right"], &["192.0.2.0/24"], 40).await;
    assert!(world.guess("search", "wrong").await.is_some());
    assert_eq!(world.pool.counters().turns(), 0);
    assert_eq!(world.guess("search", "right").await, None);
    assert!(world.guess("search", "wrong too").await.is_some());
    assert_eq!(world.pool.counters().turns(), 1);
}

#[tokio::test]
async fn a_guess_at_a_service_account_that_waits_too_long_is_busy_and_nothing_is_compared() {
    for name in ["search", "nobody"] {
        let world = World::new(&["right"], &[], 1).await;
        let held = Held::worker(&world.pool);
        held.begins();
        let guess = tokio::spawn(world.begin(name, "wrong"));
        world.until_so_many_wait(1).await;
        world.clock.0.fetch_add(16, Ordering::SeqCst);
        drop(held);
        assert_eq!(guess.await.unwrap(), Err(Undecided::Busy));
        assert_eq!(world.hashes(), 0, "{name}");
        assert_eq!(world.pool.counters().overdue(), 1);
        let next = world.guess(name, "another").await;
        assert!(next.is_some_and(|next| next != Refusal::Throttled));
    }
}
