use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::Deciding;
use doorward_domain::account::AccountFacts;
use doorward_domain::certificate::CertificateNames;
use doorward_domain::device::MacAddress;
use doorward_domain::event::AttemptEvent;
use doorward_domain::id::{AccountId, Epoch, EventId, PlaceId, RequestId, ServiceId};
use doorward_domain::name::{ListenerName, MailAddress, Username};
use doorward_domain::origin::Relays;
use doorward_domain::policy::asking::Resources;
use doorward_domain::policy::buckets::Rate;
use doorward_domain::policy::naming::Realms;
use doorward_domain::resource::{ConnectionContext, Match};
use doorward_domain::secret::HashText;
use doorward_domain::time::{Clock, Now, Timestamp};
use doorward_frontend_api::{Announcement, Decide as _, Leave, PasswordMark, Throttles as _};
use doorward_hashes::Argon2Parameters;
use doorward_hashing::{HashingPool, PoolSettings};
use doorward_store::Unavailable;
use doorward_store::attempts::{
    Confirmation, PlaceAnswer, ServiceRecord, SettleAnswer, Settlement, TakePlace,
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

/// A store in which alice's account moves three times of four that a place of hers is asked for; the
/// fourth time she is slowed.
#[derive(Default)]
struct Moving {
    /// From where she was read about.
    origins: Mutex<Vec<String>>,
    places: Mutex<u32>,
}

impl AttemptStore for Moving {
    async fn read_attempt(
        &self,
        _: &AccountKey,
        _: Option<&ResourceName>,
        origin: Option<&OriginKey>,
        _: Fetch,
    ) -> Result<AttemptRead, Unavailable> {
        if let Some(origin) = origin {
            self.origins
                .lock()
                .unwrap()
                .push(origin.as_str().to_owned());
        }
        let account = AttemptRecord {
            account: AccountId::from_uuid(uuid::Uuid::from_u128(7)),
            username: Username::parse("alice").unwrap(),
            email: MailAddress::parse("alice@mail.example").unwrap(),
            facts: AccountFacts::default(),
            password: Some(HashText::new(
                "{SSHA}/3PlN3UJp3C48c9ALKPgGvqO1T8BAgMEBQYHCA==",
            )),
            previous: None,
            network_password: None,
            former_network_password: None,
            epoch: Epoch(1),
            bound: true,
            admin: false,
            admitted_here: None,
            reply: Vec::new(),
        };
        Ok(AttemptRead {
            policy: Arc::new(PolicySettings::default()),
            account: Some(account),
        })
    }

    async fn read_service(&self, _: &str) -> Result<Option<ServiceRecord>, Unavailable> {
        unreachable!("no service account here")
    }

    async fn read_account_again(
        &self,
        _: AccountId,
        _: Option<&ResourceName>,
    ) -> Result<AttemptRead, Unavailable> {
        unreachable!("nobody is in")
    }

    async fn read_service_again(&self, _: &str) -> Result<Option<ServiceRecord>, Unavailable> {
        unreachable!("no service account here")
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
        let mut places = self.places.lock().unwrap();
        *places += 1;
        Ok(match *places % 4 {
            0 => PlaceAnswer::Slowed,
            _ => PlaceAnswer::Moved,
        })
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
        Ok(())
    }

    async fn record_attempt(&self, at: Timestamp, _: AttemptEvent) -> Result<EventId, Unavailable> {
        Ok(EventId::new(at))
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
        unreachable!("no service account here")
    }
}

fn settings() -> Settings {
    let matched_by = Match {
        listener: vec![ListenerName::parse("mail").unwrap()],
        ..Match::default()
    };
    let mail = Resource {
        matched_by: Some(matched_by),
        ..Resource::new(ResourceName::parse("mail").unwrap(), ResourceKind::Email)
    };
    let rate = Rate {
        capacity: 20,
        refill: Duration::from_mins(1),
    };
    Settings {
        resources: Resources::new(vec![mail]),
        realms: Realms::new(["example.org"]),
        relays: Relays {
            networks: vec!["127.0.0.0/8".parse().unwrap()],
            ..Relays::default()
        },
        network_passwords: None,
        refusal_delay: Duration::ZERO,
        remember_for: Duration::ZERO,
        source_rate: rate,
        account_rate: rate,
    }
}

#[tokio::test]
async fn an_attempt_that_is_decided_anew_stays_its_own_clients() {
    let pool = HashingPool::start(PoolSettings {
        threads: NonZeroUsize::MIN,
        queue: NonZeroUsize::MIN,
        parameters: Argon2Parameters::new(64, 1, 1).unwrap(),
    });
    let store = Arc::new(Moving::default());
    let pool = Arc::new(pool.unwrap());
    let clock = Arc::new(StoppedClock);
    let authenticator = Deciding::new(Arc::clone(&store), pool, clock, settings()).unwrap();
    let clients = ["203.0.113.1", "203.0.113.2", "203.0.113.3"];
    for client in clients {
        let announcement = Announcement {
            request: RequestId::new(NOW.wall),
            received: NOW,
            resource: ResourceName::parse("mail").unwrap(),
            claim: Claim::Typed("alice".to_owned()),
            client: client.parse().unwrap(),
            mark: PasswordMark::new(b"beef").unwrap(),
        };
        let leave = authenticator.announce(announcement).await.unwrap();
        assert_eq!(leave, Leave::Given);
    }
    let relay: IpAddr = "127.0.0.1".parse().unwrap();
    for (number, client) in clients.into_iter().enumerate() {
        let attempt = Attempt {
            request: RequestId::new(NOW.wall),
            received: NOW,
            protocol: Protocol::Ldap,
            asking: AccessContext::Connection(ConnectionContext::new(
                ListenerName::parse("mail").unwrap(),
                relay,
            )),
            claim: Claim::Typed("alice".to_owned()),
            evidence: Evidence::password(format!("wrong {number}").as_bytes()),
            origin: Origin::address(relay),
            asked_for_password_policy: false,
        };
        let verdict = authenticator.decide(attempt).await.unwrap();
        assert!(matches!(verdict, Verdict::Refused(Refusal::Throttled)));
        let origins = std::mem::take(&mut *store.origins.lock().unwrap());
        let mut expected = vec!["127.0.0.1".to_owned()];
        expected.extend(std::iter::repeat_n(client.to_owned(), 4));
        assert_eq!(origins, expected);
    }
}
