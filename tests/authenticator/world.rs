//! A store in a folder that goes away, a pool with cheap hashes, a clock the tests set.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use doorward_authenticator::{Authenticator, Settings};
use doorward_domain::event::{Actor, AttemptEvent, Event, EventBody};
use doorward_domain::id::{AccountId, RequestId};
use doorward_domain::name::{GroupName, ListenerName, MailAddress, ResourceName, Username};
use doorward_domain::origin::{Origin, Protocol, Relays};
use doorward_domain::policy::asking::Resources;
use doorward_domain::policy::buckets::Rate;
use doorward_domain::policy::naming::Realms;
use doorward_domain::resource::{AccessContext, ConnectionContext, Match, Resource, ResourceKind};
use doorward_domain::secret::{HashText, Password, Secret};
use doorward_domain::time::{Clock, Monotonic, Now, Timestamp};
use doorward_frontend_api::{Attempt, Claim, Decide as _, Evidence, Refusal, Undecided, Verdict};
use doorward_hashes::Argon2Parameters;
use doorward_hashes::network_password::SealingKey;
use doorward_hashing::{HashingPool, PoolSettings};
use doorward_store::Store;
use doorward_store::changes::{Change, Command, NewUser};
use doorward_store::events::EventQuery;
use doorward_store::records::{Binding, BoundTo, UserRecord};
use doorward_store::sqlite::OpenOptions;

pub(crate) const RIGHT: &str = "correct horse battery";

/// Time as it passes, until the tests stop it, plus what they add.
pub(crate) struct TestClock {
    start: Instant,
    stopped: OnceLock<Duration>,
    ahead: AtomicI64,
}

impl Clock for TestClock {
    fn now(&self) -> Now {
        let ahead = self.ahead.load(Ordering::Relaxed);
        let stopped = self.stopped.get().copied();
        let passed = stopped.unwrap_or_else(|| self.start.elapsed());
        let passed = passed + Duration::from_millis(u64::try_from(ahead).unwrap());
        Now {
            wall: Timestamp::from_millis(1_795_000_000_000).plus(passed),
            mono: Monotonic::from_start(passed),
            clock_suspect: false,
        }
    }
}

impl TestClock {
    /// Only what the tests add passes from here on.
    pub(crate) fn stop(&self) {
        self.stopped.get_or_init(|| self.start.elapsed());
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.ahead
            .fetch_add(i64::try_from(span.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) pool: Arc<HashingPool>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) authenticator: Arc<Authenticator>,
    _folder: tempfile::TempDir,
}

pub(crate) fn resource_name(name: &str) -> ResourceName {
    ResourceName::parse(name).unwrap()
}

fn resource(name: &str, kind: ResourceKind) -> Resource {
    let matched_by = Match {
        listener: vec![ListenerName::parse(name).unwrap()],
        ..Match::default()
    };
    Resource {
        matched_by: Some(matched_by),
        ..Resource::new(resource_name(name), kind)
    }
}

/// What network passwords are sealed under.
pub(crate) fn sealing_key() -> SealingKey {
    SealingKey::new(&Secret::new(vec![7; 32])).unwrap()
}

pub(crate) fn settings() -> Settings {
    Settings {
        resources: Resources::new(vec![
            resource("mail", ResourceKind::Email),
            resource("hosts", ResourceKind::Endpoint),
            resource("app", ResourceKind::App),
            resource("vpn", ResourceKind::Vpn),
            resource("wifi", ResourceKind::Wifi),
        ]),
        realms: Realms::new(["example.org", "EXAMPLE"]),
        relays: Relays {
            networks: vec!["127.0.0.0/8".parse().unwrap()],
            ..Relays::default()
        },
        network_passwords: Some(Arc::new(sealing_key())),
        refusal_delay: Duration::from_millis(5),
        remember_for: Duration::from_mins(5),
        source_rate: Rate {
            capacity: 40,
            refill: Duration::from_mins(1),
        },
        account_rate: Rate {
            capacity: 20,
            refill: Duration::from_mins(1),
        },
    }
}

impl World {
    /// Resources `hosts`, `mail`, `app`, `vpn`, `wifi`, each with a listener of its name, and no users.
    #[expect(clippy::disallowed_methods, reason = "this is the tests' clock")]
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = OpenOptions::new(GroupName::parse("users").unwrap()).creating();
        let clock = Arc::new(TestClock {
            start: Instant::now(),
            stopped: OnceLock::new(),
            ahead: AtomicI64::new(0),
        });
        let store = Store::open(&folder.path().join("doorward.db"), &options).unwrap();
        let pool = HashingPool::start(PoolSettings {
            threads: NonZeroUsize::new(2).unwrap(),
            queue: NonZeroUsize::new(2048).unwrap(),
            parameters: Argon2Parameters::new(64, 1, 1).unwrap(),
        });
        let pool = Arc::new(pool.unwrap());
        let settings = settings();
        let as_clock: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let authenticator =
            Authenticator::new(store.clone(), Arc::clone(&pool), as_clock, settings).unwrap();
        Self {
            store,
            pool,
            clock,
            authenticator: Arc::new(authenticator),
            _folder: folder,
        }
    }

    /// A world with `alice`, bound to everything, whose password is [`RIGHT`].
    pub(crate) async fn with_alice() -> Self {
        let world = Self::new();
        world.add("alice", Some(RIGHT)).await;
        for resource in ["hosts", "mail", "app"] {
            world.bind(resource, "alice").await;
        }
        world
    }

    pub(crate) async fn hash(&self, password: &str) -> HashText {
        self.pool
            .hash(Password::new(password.as_bytes()).unwrap())
            .await
            .unwrap()
    }

    pub(crate) async fn add(&self, name: &str, password: Option<&str>) -> AccountId {
        let account = AccountId::new(self.clock.now().wall);
        let password = match password {
            Some(password) => Some(self.hash(password).await),
            None => None,
        };
        self.apply(Change::AddUser(NewUser {
            account,
            username: Username::parse(name).unwrap(),
            email: MailAddress::parse(&format!("{name}@mail.example")).unwrap(),
            recovery_email: None,
            full_name: None,
            start: None,
            end: None,
            uid_number: None,
            password,
            must_change: false,
            admin: false,
        }))
        .await;
        account
    }

    pub(crate) async fn bind(&self, resource: &str, user: &str) {
        self.apply(Change::Bind(Binding {
            resource: resource_name(resource),
            to: BoundTo::User(Username::parse(user).unwrap()),
        }))
        .await;
    }

    pub(crate) async fn apply(&self, change: Change) {
        let at = self.clock.now().wall;
        let command = Command {
            at,
            actor: Actor::Gateway,
            change,
            mails: Vec::new(),
        };
        self.store.apply(command).await.unwrap();
    }

    pub(crate) async fn user(&self, name: &str) -> UserRecord {
        use doorward_store::changes::UserFilter;
        let filter = UserFilter::Username(name.to_owned());
        self.store
            .users(&filter, None, 2)
            .await
            .unwrap()
            .pop()
            .unwrap()
    }

    pub(crate) async fn set_password(&self, name: &str, password: &str) {
        let account = self.user(name).await.account;
        let password = self.hash(password).await;
        self.apply(Change::SetPassword {
            account,
            password,
            must_change: false,
            expected: None,
            keep_history: 5,
        })
        .await;
    }

    pub(crate) fn attempt(&self, resource: &str, user: &str, password: &str) -> Attempt {
        self.attempt_from(resource, user, password, IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    pub(crate) fn attempt_from(
        &self,
        resource: &str,
        user: &str,
        password: &str,
        source: IpAddr,
    ) -> Attempt {
        let now = self.clock.now();
        Attempt {
            request: RequestId::new(now.wall),
            received: now,
            protocol: Protocol::Ldap,
            asking: AccessContext::Connection(ConnectionContext::new(
                ListenerName::parse(resource).unwrap(),
                source,
            )),
            claim: Claim::Typed(user.to_owned()),
            evidence: Evidence::password(password.as_bytes()),
            origin: Origin::address(source),
            asked_for_password_policy: false,
        }
    }

    pub(crate) async fn decide(&self, attempt: Attempt) -> Result<Verdict, Undecided> {
        self.authenticator.decide(attempt).await
    }

    /// The refusal of one attempt at `hosts` from loopback; none where it was granted.
    pub(crate) async fn refusal(
        &self,
        resource: &str,
        user: &str,
        password: &str,
    ) -> Option<Refusal> {
        refusal_of(
            self.decide(self.attempt(resource, user, password))
                .await
                .unwrap(),
        )
    }

    pub(crate) async fn reasons(&self) -> Vec<&'static str> {
        self.attempts()
            .await
            .into_iter()
            .map(|attempt| attempt.reason.map_or("granted", Refusal::as_str))
            .collect()
    }

    pub(crate) async fn attempts(&self) -> Vec<AttemptEvent> {
        // What merges is written with the next commit.
        self.store.probe().await.unwrap();
        let query = EventQuery {
            limit: 1000,
            ..EventQuery::default()
        };
        let events: Vec<Event> = self.store.events(&query).await.unwrap();
        events
            .into_iter()
            .filter_map(|event| match event.body {
                EventBody::Attempt(attempt) => Some(attempt),
                EventBody::Change(_) => None,
            })
            .collect()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a verdict is used once")]
pub(crate) fn refusal_of(verdict: Verdict) -> Option<Refusal> {
    match verdict {
        Verdict::Granted(_) => None,
        Verdict::ChangeOnly(_) => panic!("a change-only session nobody asked for"),
        Verdict::Refused(refusal) => Some(refusal),
    }
}
