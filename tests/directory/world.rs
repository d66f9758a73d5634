//! A store in a folder that goes away, cheap hashes, a clock that stands still unless moved, an
//! authenticator to get proofs from.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use doorward_authenticator::{Authenticator, Settings as AuthenticatorSettings};
use doorward_directory::{
    AddUser, BindsBy, By, Directory, Grantee, NewService, PosixSettings, Settings,
};
use doorward_domain::event::Actor;
use doorward_domain::id::RequestId;
use doorward_domain::name::{
    GroupName, ListenerName, MailAddress, ResourceName, ServiceName, Username,
};
use doorward_domain::origin::{Origin, Protocol, Relays};
use doorward_domain::policy::asking::Resources;
use doorward_domain::policy::buckets::Rate;
use doorward_domain::policy::naming::Realms;
use doorward_domain::resource::{AccessContext, ConnectionContext, Match, Resource, ResourceKind};
use doorward_domain::secret::Password;
use doorward_domain::time::{Clock, Monotonic, Now, Timestamp};
use doorward_frontend_api::{
    Attempt, Authenticated, AuthenticatedService, ChangeProof, Claim, Decide as _, Evidence,
    ServiceAttempt, ServiceEvidence, ServiceVerdict, Verdict,
};
use doorward_hashes::Argon2Parameters;
use doorward_hashing::{HashingPool, PoolSettings};
use doorward_store::Store;
use doorward_store::sqlite::OpenOptions;

pub(crate) const RIGHT: &str = "correct horse battery";
pub(crate) const OTHER: &str = "velvet lantern orchard";

pub(crate) struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Now {
        let passed = Duration::from_millis(self.0.load(Ordering::Relaxed).unsigned_abs());
        Now {
            wall: Timestamp::from_millis(1_795_000_000_000).plus(passed),
            mono: Monotonic::from_start(passed),
            clock_suspect: false,
        }
    }
}

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) pool: Arc<HashingPool>,
    pub(crate) directory: Directory,
    authenticator: Arc<Authenticator>,
    clock: Arc<TestClock>,
    _folder: tempfile::TempDir,
}

pub(crate) fn resource(name: &str, kind: ResourceKind) -> Resource {
    let matched_by = Match {
        listener: vec![ListenerName::parse(name).unwrap()],
        ..Match::default()
    };
    Resource {
        matched_by: Some(matched_by),
        ..Resource::new(ResourceName::parse(name).unwrap(), kind)
    }
}

fn resources() -> Resources {
    Resources::new(vec![
        resource("mail", ResourceKind::Email),
        resource("hosts", ResourceKind::Endpoint),
    ])
}

pub(crate) fn password(text: &str) -> Password {
    Password::new(text.as_bytes()).unwrap()
}

/// A connection by the listener of this name.
pub(crate) fn asking(listener: &str) -> AccessContext {
    AccessContext::Connection(circumstances(listener))
}

fn circumstances(listener: &str) -> ConnectionContext {
    ConnectionContext::new(
        ListenerName::parse(listener).unwrap(),
        IpAddr::V4(Ipv4Addr::LOCALHOST),
    )
}

impl World {
    /// Resources `mail` and `hosts`, each with a listener of its name; the group `staff`, bound to
    /// both; and nobody.
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = OpenOptions::new(GroupName::parse("users").unwrap()).creating();
        let store = Store::open(&folder.path().join("doorward.db"), &options).unwrap();
        let pool = HashingPool::start(PoolSettings {
            threads: NonZeroUsize::MIN,
            queue: NonZeroUsize::new(64).unwrap(),
            parameters: Argon2Parameters::new(64, 1, 1).unwrap(),
        });
        let pool = Arc::new(pool.unwrap());
        let clock = Arc::new(TestClock(AtomicI64::new(0)));
        let rate = Rate {
            capacity: 100,
            refill: Duration::from_mins(1),
        };
        let settings = AuthenticatorSettings {
            resources: resources(),
            realms: Realms::default(),
            relays: Relays::default(),
            network_passwords: None,
            refusal_delay: Duration::from_millis(1),
            remember_for: Duration::ZERO,
            source_rate: rate,
            account_rate: rate,
        };
        let as_clock: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let authenticator =
            Authenticator::new(store.clone(), Arc::clone(&pool), as_clock, settings).unwrap();
        let settings = Settings {
            resources: resources(),
            realms: Realms::new(["example.org"]),
            posix: PosixSettings {
                home: "/srv/home/{username}".to_owned(),
                shell: "/bin/sh".to_owned(),
            },
            ..Settings::default()
        };
        let world = Self {
            directory: Directory::new(store.clone(), Arc::clone(&pool), settings),
            store,
            pool,
            authenticator: Arc::new(authenticator),
            clock,
            _folder: folder,
        };
        let staff = GroupName::parse("staff").unwrap();
        world
            .directory
            .add_group(&world.by(), staff, None, None)
            .await
            .unwrap();
        for resource in ["mail", "hosts"] {
            let to = Grantee::Group("staff".to_owned());
            let _ = world
                .directory
                .bind(&world.by(), resource, &to)
                .await
                .unwrap();
        }
        world
    }

    /// Adds a member of `staff` whose password is [`RIGHT`].
    pub(crate) async fn add(&self, name: &str) {
        let username = Username::parse(name).unwrap();
        let email = MailAddress::parse(&format!("{name}@elsewhere.net")).unwrap();
        let user = AddUser {
            password: Some(password(RIGHT)),
            ..AddUser::new(username, email)
        };
        let _ = self.directory.add_user(&self.by(), user).await.unwrap();
        let _ = self
            .directory
            .join(&self.by(), "staff", &[name.to_owned()], &[])
            .await
            .unwrap();
    }

    pub(crate) fn now(&self) -> Now {
        self.clock.now()
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.clock
            .0
            .fetch_add(i64::try_from(span.as_millis()).unwrap(), Ordering::Relaxed);
    }

    /// An administrator, now.
    pub(crate) fn by(&self) -> By {
        By {
            actor: Actor::LocalLogin {
                login: "grace".to_owned(),
            },
            now: self.now(),
        }
    }

    /// A wrong guess at `hosts`.
    pub(crate) async fn guess(&self, user: &str, wrong: &str) {
        let verdict = self.decide_at("hosts", user, wrong, false).await;
        assert!(matches!(verdict, Verdict::Refused(_)), "{verdict:?}");
    }

    async fn decide(&self, user: &str, asked_for_password_policy: bool) -> Verdict {
        self.decide_at("hosts", user, RIGHT, asked_for_password_policy)
            .await
    }

    async fn decide_at(
        &self,
        listener: &str,
        user: &str,
        password: &str,
        asked_for_password_policy: bool,
    ) -> Verdict {
        let now = self.now();
        let attempt = Attempt {
            request: RequestId::new(now.wall),
            received: now,
            protocol: Protocol::Ldap,
            asking: asking(listener),
            claim: Claim::Typed(user.to_owned()),
            evidence: Evidence::password(password.as_bytes()),
            origin: Origin::address(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            asked_for_password_policy,
        };
        self.authenticator.decide(attempt).await.unwrap()
    }

    pub(crate) async fn signed_in(&self, user: &str) -> Authenticated {
        self.signed_in_at("hosts", user).await
    }

    pub(crate) async fn signed_in_at(&self, listener: &str, user: &str) -> Authenticated {
        match self.decide_at(listener, user, RIGHT, false).await {
            Verdict::Granted(proof) => proof,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn still_granted(&self, proof: &Authenticated) -> bool {
        self.authenticator.still_granted(proof).await.unwrap()
    }

    pub(crate) async fn may_change(&self, user: &str) -> ChangeProof {
        match self.decide(user, true).await {
            Verdict::ChangeOnly(proof) => proof,
            other => panic!("{other:?}"),
        }
    }

    /// A bound service account, added now.
    pub(crate) async fn service(&self, name: &str, may_search: bool) -> AuthenticatedService {
        let service = ServiceName::parse(name).unwrap();
        let by = self.by();
        let new = NewService {
            name: service,
            binds_by: BindsBy::Password(Some(password(RIGHT))),
            may_search,
            sources: Vec::new(),
        };
        self.directory.add_service(&by, new).await.unwrap();
        let now = self.now();
        let attempt = ServiceAttempt {
            request: RequestId::new(now.wall),
            received: now,
            circumstances: circumstances("hosts"),
            evidence: ServiceEvidence::password(name.to_owned(), RIGHT.as_bytes()),
        };
        match self.authenticator.decide_service(attempt).await.unwrap() {
            ServiceVerdict::Granted(proof) => proof,
            ServiceVerdict::Refused(refusal) => panic!("{refusal}"),
        }
    }
}
