use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::decision::LoginTarget;
use crate::memory::Holder;
use crate::report::Report;
use crate::single_flight::{FlightKey, Joined};
use crate::{Deciding, Settings};
use doorward_domain::account::{AccountFacts, Conditions};
use doorward_domain::certificate::CertificateNames;
use doorward_domain::device::MacAddress;
use doorward_domain::event::{AttemptEvent, Subject};
use doorward_domain::id::{AccountId, Epoch, EventId, RequestId, ServiceId};
use doorward_domain::name::{ListenerName, MailAddress, ResourceName, Username};
use doorward_domain::origin::{Origin, OriginKey, Protocol};
use doorward_domain::policy::asking::Resources;
use doorward_domain::policy::buckets::Rate;
use doorward_domain::policy::naming::Realms;
use doorward_domain::policy::origins::identify;
use doorward_domain::resource::{AccessContext, ConnectionContext, Match, Resource, ResourceKind};
use doorward_domain::rules::PolicySettings;
use doorward_domain::secret::HashText;
use doorward_domain::time::{Clock, Monotonic, Timestamp};
use doorward_fixtures::proofs;
use doorward_frontend_api::Decide as _;
use doorward_frontend_api::attempt::Attempt;
use doorward_frontend_api::attempt::{Claim, Evidence};
use doorward_hashes::Argon2Parameters;
use doorward_hashing::{HashingPool, PoolSettings};
use doorward_store::Unavailable;
use doorward_store::attempts::{
    AccountKey, AttemptRead, AttemptRecord, Confirmation, Fetch, PlaceAnswer, ServiceRecord,
};
use doorward_store::records::DeviceRecord;

const NOW: Now = Now {
    wall: Timestamp::from_millis(1_795_000_000_000),
    mono: Monotonic::from_start(Duration::from_mins(1)),
    clock_suspect: false,
};

struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Now {
        NOW
    }
}

/// A store that counts how many places it was asked for, and gives none.
#[derive(Default)]
struct NoPlaces(AtomicUsize);

impl AttemptStore for NoPlaces {
    async fn read_attempt(
        &self,
        _: &AccountKey,
        _: Option<&ResourceName>,
        _: Option<&OriginKey>,
        _: Fetch,
    ) -> Result<AttemptRead, Unavailable> {
        unreachable!("everything was read")
    }

    async fn read_service(&self, _: &str) -> Result<Option<ServiceRecord>, Unavailable> {
        unreachable!("no service account here")
    }

    async fn read_account_again(
        &self,
        _: AccountId,
        _: Option<&ResourceName>,
    ) -> Result<AttemptRead, Unavailable> {
        Err(Unavailable::Busy)
    }

    async fn read_service_again(&self, _: &str) -> Result<Option<ServiceRecord>, Unavailable> {
        Err(Unavailable::Broken("disk full".to_owned()))
    }

    async fn read_services_certified(
        &self,
        _: &CertificateNames,
    ) -> Result<Vec<ServiceRecord>, Unavailable> {
        unreachable!("no service account here")
    }

    async fn read_device(&self, _: MacAddress) -> Result<Option<DeviceRecord>, Unavailable> {
        unreachable!("no device here")
    }

    async fn take_place(&self, _: TakePlace) -> Result<PlaceAnswer, Unavailable> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(PlaceAnswer::Slowed)
    }

    async fn give_back(&self, _: PlaceId) -> Result<(), Unavailable> {
        unreachable!("no place was given")
    }

    async fn settle(&self, _: Settlement) -> Result<SettleAnswer, Unavailable> {
        unreachable!("no place was given")
    }

    async fn confirm_failure(&self, _: Confirmation) -> Result<SettleAnswer, Unavailable> {
        unreachable!("no failure was settled")
    }

    async fn keep_pace(&self) -> Result<(), Unavailable> {
        unreachable!("nothing is refused unseen")
    }

    async fn record_attempt(&self, _: Timestamp, _: AttemptEvent) -> Result<EventId, Unavailable> {
        unreachable!("what is refused here merges")
    }

    fn merge_attempt(&self, _: Timestamp, _: AttemptEvent) {}

    async fn rehash(&self, _: AccountId, _: HashText, _: HashText) -> Result<(), Unavailable> {
        unreachable!("nothing was right")
    }

    async fn rehash_service(
        &self,
        _: ServiceId,
        _: HashText,
        _: HashText,
    ) -> Result<(), Unavailable> {
        unreachable!("nothing was right")
    }
}

fn settings() -> Settings {
    let matched_by = Match {
        listener: vec![ListenerName::parse("hosts").unwrap()],
        ..Match::default()
    };
    let hosts = Resource {
        matched_by: Some(matched_by),
        ..Resource::new(
            ResourceName::parse("hosts").unwrap(),
            ResourceKind::Endpoint,
        )
    };
    let rate = Rate {
        capacity: 20,
        refill: Duration::from_mins(1),
    };
    Settings {
        resources: Resources::new(vec![hosts]),
        realms: Realms::new(["example.org"]),
        relays: doorward_domain::origin::Relays::default(),
        network_passwords: None,
        refusal_delay: Duration::ZERO,
        remember_for: Duration::ZERO,
        source_rate: rate,
        account_rate: rate,
    }
}

fn record() -> AttemptRecord {
    AttemptRecord {
        account: AccountId::from_uuid(uuid::Uuid::from_u128(7)),
        username: Username::parse("alice").unwrap(),
        email: MailAddress::parse("alice@mail.example").unwrap(),
        facts: AccountFacts::default(),
        password: None,
        previous: None,
        network_password: None,
        former_network_password: None,
        epoch: Epoch(1),
        bound: true,
        admin: false,
        admitted_here: None,
        reply: Vec::new(),
    }
}

fn authenticator() -> Deciding<NoPlaces> {
    let pool = HashingPool::start(PoolSettings {
        threads: NonZeroUsize::MIN,
        queue: NonZeroUsize::MIN,
        parameters: Argon2Parameters::new(64, 1, 1).unwrap(),
    });
    let authenticator = Deciding::new(
        Arc::new(NoPlaces::default()),
        Arc::new(pool.unwrap()),
        Arc::new(StoppedClock),
        settings(),
    );
    authenticator.unwrap()
}

#[tokio::test]
async fn who_is_in_is_read_apart_from_attempts_and_busy_is_told_from_broken() {
    let authenticator = authenticator();
    let user = proofs::authenticated(record().account, "alice", Some("hosts"));
    let still = authenticator.still_granted(&user).await;
    assert_eq!(still, Err(Undecided::Busy));
    let service = proofs::service("sssd", true);
    let still = authenticator.still_bound(&service).await;
    assert!(matches!(still, Err(Undecided::Unavailable(_))), "{still:?}");
}

/// Has a test weigh a wrong password of an account whose hash is never looked at.
async fn weighing(test: impl AsyncFnOnce(&Core<NoPlaces>, &Guess<'_>)) {
    let core = authenticator().0;
    let settings = core.settings.load_full();
    let asking = AccessContext::Connection(ConnectionContext::new(
        ListenerName::parse("hosts").unwrap(),
        IpAddr::V4(Ipv4Addr::LOCALHOST),
    ));
    let attempt = Attempt {
        request: RequestId::new(NOW.wall),
        received: NOW,
        protocol: Protocol::Ldap,
        asking: asking.clone(),
        claim: Claim::Typed("alice".to_owned()),
        evidence: Evidence::password(b"wrong"),
        origin: Origin::address(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        asked_for_password_policy: false,
    };
    let password = Password::presented(b"wrong").unwrap();
    let record = record();
    let holder = Holder::Account(record.account.as_uuid(), record.epoch);
    let digest = core.memory.digest(holder, &password);
    let asked = LoginTarget::by(&settings, &asking).unwrap();
    let policy = Arc::new(PolicySettings::default());
    let subject = Subject::Account {
        account: record.account,
        username: record.username.clone(),
    };
    let from = identify(asked.kind(), attempt.protocol, &attempt.origin);
    let found = Found {
        asked: &asked,
        policy: Arc::clone(&policy),
        record,
        holding: Conditions::NONE,
        known_here: false,
        report: Report::of(&attempt, NOW.mono, subject),
    };
    let guess = Guess {
        settings: &settings,
        attempt: &attempt,
        asked: &asked,
        policy: &policy,
        from: &from,
        at: GuessedAt::Account(&found),
        presented: Presented::Password(&password),
        digest,
        payment: core.memory.payment(&from.key, "alice", &[b"wrong"]),
        known: None,
        known_here: false,
    };
    test(&core, &guess).await;
}

fn places_taken(core: &Core<NoPlaces>) -> usize {
    core.store.0.load(Ordering::SeqCst)
}

/// The attempt before this one completed after this one had looked into the memory and before it
/// boarded: all that this one sees of it is the memory.
#[tokio::test]
async fn contract_3_4_what_became_wrong_since_the_first_look_is_not_compared_again() {
    weighing(async |core, guess| {
        let minute = Duration::from_mins(1);
        core.memory
            .remember(guess.digest, Known::Wrong, NOW.mono, minute);
        let round = core.weigh(guess).await.ok();
        assert!(matches!(round, Some(Round::Again)), "it is looked up anew");
        assert_eq!(places_taken(core), 0);
    })
    .await;
}

/// What a guess comes to that follows another of the same, which completes so.
async fn following(core: &Core<NoPlaces>, guess: &Guess<'_>, result: FlightResult) -> Round {
    let round = following_to(core, guess, result).await;
    round.expect("a leader that completes leaves a verdict")
}

async fn following_to(
    core: &Core<NoPlaces>,
    guess: &Guess<'_>,
    result: FlightResult,
) -> Result<Round, Undecided> {
    let key = FlightKey {
        digest: guess.digest,
        counting: guess.limits(NOW).counting,
    };
    let Joined::Leader(lead) = core.flights.join(key) else {
        panic!("nobody else is aboard")
    };
    let completed = async {
        tokio::task::yield_now().await;
        lead.complete(result);
    };
    let (round, ()) = tokio::join!(core.weigh(guess), completed);
    assert_eq!(places_taken(core), 0);
    round
}

#[tokio::test]
async fn contract_3_6_what_was_compared_is_spent_though_a_follower_has_no_turn_to_say_so() {
    weighing(async |core, guess| {
        core.pool.close();
        for (result, spent) in [
            (FlightResult::Undecided(Undecided::Busy), false),
            (FlightResult::Remembered(Known::Wrong), true),
        ] {
            let told = following_to(core, guess, result).await;
            assert!(matches!(told, Err(Undecided::Busy)));
            assert_eq!(core.memory.is_paid(&guess.payment, NOW.mono), spent);
        }
    })
    .await;
}

/// The memory is bounded: what the leader of a flight put there may be gone when its followers
/// look.
#[tokio::test]
async fn contract_3_4_a_follower_believes_its_leader_and_not_the_memory() {
    weighing(async |core, guess| {
        let round = following(core, guess, FlightResult::Remembered(Known::Wrong)).await;
        let Round::Verdict(Verdict::Refused(reason)) = round else {
            panic!("it is refused")
        };
        assert_eq!(reason, Refusal::RepeatedWrongPassword);
    })
    .await;
}

#[tokio::test]
async fn contract_3_6_a_follower_is_throttled_with_its_leader_where_they_share_a_bucket() {
    weighing(async |core, guess| {
        let round = following(core, guess, FlightResult::Throttled(guess.bucket())).await;
        let Round::Verdict(Verdict::Refused(reason)) = round else {
            panic!("it is refused")
        };
        assert_eq!(reason, Refusal::Throttled);

        let (origin, resource, known) = guess.bucket();
        for elsewhere in [
            (origin.clone(), resource.clone(), !known),
            (origin, None, known),
        ] {
            let round = following(core, guess, FlightResult::Throttled(elsewhere)).await;
            assert!(matches!(round, Round::Again), "it draws from its own");
        }
    })
    .await;
}
