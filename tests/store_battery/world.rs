//! What the battery's tests say things with.

use std::time::Duration;

use doorward_domain::account::AccountFacts;
use doorward_domain::event::{Actor, AttemptEvent, Event, EventBody, Outcome, Subject};
use doorward_domain::id::{AccountId, Epoch, EventId, FailureId, GroupId, PlaceId, RequestId};
use doorward_domain::login::LoginName;
use doorward_domain::name::{GroupName, MailAddress, ResourceName, Username};
use doorward_domain::origin::{Origin, OriginKey, Protocol};
use doorward_domain::refusal::Refusal;
use doorward_domain::rules::PlaceLimits;
use doorward_domain::secret::HashText;
use doorward_domain::time::Timestamp;
use doorward_store::AttemptStore as _;
use doorward_store::Store;
use doorward_store::attempts::{
    AccountKey, AttemptRecord, Fetch, PlaceAnswer, SettleAnswer, Settled, Settlement, TakePlace,
};
use doorward_store::changes::{Applied, Change, ChangeRefused, Command, NewUser, UserFilter};
use doorward_store::events::EventQuery;
use doorward_store::records::{Binding, BoundTo, MailKind, NewMail, UserRecord};
use doorward_store::sqlite::OpenOptions;

/// A place where stores are opened; every store it gives is another handle on the same data, as a
/// second process would have.
pub(crate) trait Fixture {
    fn open(&self) -> Store;
}

/// How these tests open a store of SQLite.
pub(crate) fn options() -> OpenOptions {
    OpenOptions::new(group_name("users"))
}

/// When the tests begin.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

pub(crate) fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

pub(crate) fn hours(count: u64) -> Duration {
    minutes(60 * count)
}

pub(crate) fn username(text: &str) -> Username {
    Username::parse(text).unwrap()
}

pub(crate) fn group_name(text: &str) -> GroupName {
    GroupName::parse(text).unwrap()
}

pub(crate) fn resource(text: &str) -> ResourceName {
    ResourceName::parse(text).unwrap()
}

pub(crate) fn address(text: &str) -> MailAddress {
    MailAddress::parse(text).unwrap()
}

pub(crate) fn hash(text: &str) -> HashText {
    HashText::new(text)
}

pub(crate) fn admin() -> Actor {
    Actor::LocalLogin {
        login: "root".to_owned(),
    }
}

/// Applies a change at `at`.
pub(crate) async fn apply_at(
    store: &Store,
    at: Timestamp,
    change: Change,
) -> Result<Applied, ChangeRefused> {
    store
        .apply(Command {
            at,
            actor: admin(),
            change,
            mails: Vec::new(),
        })
        .await
}

/// Applies a change at the start.
pub(crate) async fn apply(store: &Store, change: Change) -> Result<Applied, ChangeRefused> {
    apply_at(store, START, change).await
}

pub(crate) fn new_user(name: &str) -> NewUser {
    NewUser {
        account: AccountId::new(START),
        username: username(name),
        email: address(&format!("{name}@example.org")),
        recovery_email: None,
        full_name: None,
        start: None,
        end: None,
        uid_number: None,
        password: Some(hash("first")),
        must_change: false,
        admin: false,
    }
}

/// Adds a user with a password.
pub(crate) async fn add_user(store: &Store, name: &str) -> AccountId {
    let user = new_user(name);
    let account = user.account;
    apply(store, Change::AddUser(user)).await.unwrap();
    account
}

pub(crate) async fn add_group(store: &Store, name: &str) -> GroupId {
    let group = GroupId::new(START);
    apply(
        store,
        Change::AddGroup {
            group,
            name: group_name(name),
            gid_number: None,
            description: None,
        },
    )
    .await
    .unwrap();
    group
}

pub(crate) async fn join(
    store: &Store,
    group: &str,
    users: &[&str],
    groups: &[&str],
) -> Result<Applied, ChangeRefused> {
    apply(
        store,
        Change::Join {
            group: group_name(group),
            users: users.iter().map(|name| username(name)).collect(),
            groups: groups.iter().map(|name| group_name(name)).collect(),
        },
    )
    .await
}

pub(crate) fn to_user(to: &str, of: &str) -> Binding {
    Binding {
        resource: resource(of),
        to: BoundTo::User(username(to)),
    }
}

pub(crate) fn to_group(to: &str, of: &str) -> Binding {
    Binding {
        resource: resource(of),
        to: BoundTo::Group(group_name(to)),
    }
}

/// Reads a user as an attempt would.
pub(crate) async fn read(store: &Store, account: AccountId) -> AttemptRecord {
    store
        .read_attempt(&AccountKey::Id(account), None, None, Fetch::Verdict)
        .await
        .unwrap()
        .account
        .expect("the account exists")
}

pub(crate) async fn read_login(
    store: &Store,
    username: Option<&str>,
    mail: Option<&str>,
) -> Option<AttemptRecord> {
    store
        .read_attempt(
            &AccountKey::Login(LoginName {
                username: username.map(str::to_owned),
                mail: mail.map(str::to_owned),
            }),
            None,
            None,
            Fetch::Verdict,
        )
        .await
        .unwrap()
        .account
}

pub(crate) async fn epoch(store: &Store, account: AccountId) -> Epoch {
    read(store, account).await.epoch
}

pub(crate) async fn facts(store: &Store, account: AccountId) -> AccountFacts {
    read(store, account).await.facts
}

pub(crate) async fn user(store: &Store, account: AccountId) -> UserRecord {
    let mut found = store
        .users(&UserFilter::Id(account), None, 2)
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0)
}

pub(crate) async fn bound(store: &Store, account: AccountId, of: &str) -> bool {
    store
        .read_attempt(
            &AccountKey::Id(account),
            Some(&resource(of)),
            None,
            Fetch::Verdict,
        )
        .await
        .unwrap()
        .account
        .expect("the account exists")
        .bound
}

/// Limits as the rules compute them from `now`: three failures in half an hour, eight a day.
pub(crate) fn limits(counting: bool, now: Timestamp) -> PlaceLimits {
    PlaceLimits {
        counting,
        threshold: 3,
        window_start: now.minus(minutes(30)),
        daily_cap: 8,
        day_start: now.minus(hours(24)),
        slow_since: Some(now.minus(minutes(15))),
        lapsed_before: now.minus(Duration::from_secs(30)),
    }
}

pub(crate) const HERE: &str = "192.0.2.1";
pub(crate) const ELSEWHERE: &str = "192.0.2.99";

/// An attempt on one account, at one moment, from one origin.
#[derive(Clone)]
pub(crate) struct Attempt {
    pub(crate) account: AccountId,
    pub(crate) epoch: Epoch,
    pub(crate) at: Timestamp,
    pub(crate) origin: &'static str,
    pub(crate) limits: PlaceLimits,
}

impl Attempt {
    pub(crate) async fn new(store: &Store, account: AccountId, at: Timestamp) -> Self {
        Self {
            account,
            epoch: epoch(store, account).await,
            at,
            origin: HERE,
            limits: limits(true, at),
        }
    }

    /// To a kind of resource that does not count failures.
    pub(crate) fn not_counting(mut self) -> Self {
        self.limits.counting = false;
        self
    }

    /// Where the account is known, so that no slow-down holds.
    pub(crate) fn known(mut self) -> Self {
        self.limits.slow_since = None;
        self
    }

    pub(crate) fn from(mut self, origin: &'static str) -> Self {
        self.origin = origin;
        self
    }

    pub(crate) fn asking(&self) -> TakePlace {
        TakePlace {
            account: self.account,
            epoch: self.epoch,
            origin: OriginKey::new(self.origin.to_owned()),
            at: self.at,
            limits: self.limits,
        }
    }

    pub(crate) async fn take(&self, store: &Store) -> PlaceAnswer {
        store.take_place(self.asking()).await.unwrap()
    }

    pub(crate) async fn place(&self, store: &Store) -> PlaceId {
        match self.take(store).await {
            PlaceAnswer::Taken(place) => place,
            other => panic!("no place: {other:?}"),
        }
    }

    pub(crate) fn wrong(&self) -> Settled {
        Settled::Wrong {
            origin: OriginKey::new(self.origin.to_owned()),
            counting: self.limits.counting,
            provisional: false,
        }
    }

    pub(crate) fn provisional(&self) -> Settled {
        Settled::Wrong {
            origin: OriginKey::new(self.origin.to_owned()),
            counting: self.limits.counting,
            provisional: true,
        }
    }

    pub(crate) fn admitted(&self) -> Settled {
        Settled::Admitted {
            origin: OriginKey::new(self.origin.to_owned()),
            clears: self.limits.counting,
        }
    }

    pub(crate) async fn settle(
        &self,
        store: &Store,
        place: Option<PlaceId>,
        settled: Settled,
    ) -> SettleAnswer {
        let refused = !matches!(settled, Settled::Admitted { .. });
        store
            .settle(Settlement {
                place,
                account: self.account,
                epoch: self.epoch,
                at: self.at,
                settled,
                limits: self.limits,
                event: attempt_event(
                    self.account,
                    refused.then_some(Refusal::WrongPassword),
                    self.origin,
                ),
                mail_if_locked: Some(mail(self.account, MailKind::Locked)),
            })
            .await
            .unwrap()
    }

    /// Takes a place and fails on it.
    pub(crate) async fn fail(&self, store: &Store) -> (Option<FailureId>, bool) {
        let place = self.place(store).await;
        counted(self.settle(store, Some(place), self.wrong()).await)
    }

    /// Takes a place and succeeds; names the event.
    pub(crate) async fn succeed(&self, store: &Store) -> EventId {
        let place = self.place(store).await;
        match self.settle(store, Some(place), self.admitted()).await {
            SettleAnswer::Done {
                failure: None,
                locked: false,
                event,
            } => event,
            other => panic!("{other:?}"),
        }
    }
}

/// The failure counted, and whether it locked.
pub(crate) fn counted(answer: SettleAnswer) -> (Option<FailureId>, bool) {
    match answer {
        SettleAnswer::Done {
            failure, locked, ..
        } => (failure, locked),
        SettleAnswer::Moved => panic!("the account moved"),
    }
}

pub(crate) fn mail(account: AccountId, kind: MailKind) -> NewMail {
    NewMail {
        account,
        kind,
        details: serde_json::json!({ "resource": "hosts" }),
    }
}

pub(crate) fn attempt_event(
    account: AccountId,
    reason: Option<Refusal>,
    origin: &'static str,
) -> AttemptEvent {
    AttemptEvent {
        request: RequestId::new(START),
        protocol: Protocol::Ldap,
        resource: Some(resource("hosts")),
        subject: Subject::Account {
            account,
            username: username("alice"),
        },
        origin: Origin::address(origin.parse().unwrap()),
        origin_key: None,
        listener: None,
        client: None,
        ssid: None,
        credential: None,
        outcome: if reason.is_some() {
            Outcome::Refused
        } else {
            Outcome::Granted
        },
        reason,
        duration_ms: 5,
    }
}

pub(crate) fn all_events() -> EventQuery {
    EventQuery {
        limit: 1000,
        ..EventQuery::default()
    }
}

pub(crate) async fn events(store: &Store) -> Vec<Event> {
    store.events(&all_events()).await.unwrap()
}

/// The actions of changes recorded, in order.
pub(crate) async fn actions(store: &Store) -> Vec<String> {
    events(store)
        .await
        .into_iter()
        .filter_map(|event| match event.body {
            EventBody::Change(change) => Some(change.action),
            EventBody::Attempt(_) => None,
        })
        .collect()
}

pub(crate) async fn mails(store: &Store) -> Vec<MailKind> {
    store
        .queued_mail(100)
        .await
        .unwrap()
        .into_iter()
        .map(|queued| queued.mail.kind)
        .collect()
}

pub(crate) async fn unlock(store: &Store, account: AccountId, at: Timestamp) {
    apply_at(store, at, Change::Unlock { account })
        .await
        .unwrap();
}

pub(crate) async fn set_password(store: &Store, account: AccountId, at: Timestamp, new: &str) {
    apply_at(
        store,
        at,
        Change::SetPassword {
            account,
            password: hash(new),
            must_change: false,
            expected: None,
            keep_history: 5,
        },
    )
    .await
    .unwrap();
}
