//! The hot path: one read that fetches what a verdict needs, places, settlements
//! (CONTRACT.md 3).

use std::future::Future;
use std::sync::Arc;

use doorward_domain::account::AccountFacts;
use doorward_domain::certificate::CertificateNames;
use doorward_domain::device::MacAddress;
use doorward_domain::event::AttemptEvent;
use doorward_domain::id::{AccountId, Epoch, EventId, FailureId, PlaceId, ServiceId};
use doorward_domain::login::LoginName;
use doorward_domain::name::{MailAddress, ResourceName, ServiceName, Username};
use doorward_domain::origin::OriginKey;
use doorward_domain::reply::ReplyGrant;
use doorward_domain::rules::{PlaceLimits, PolicySettings};
use doorward_domain::secret::{HashText, SealedNetworkPassword};
use doorward_domain::time::Timestamp;

use super::Unavailable;
use super::records::{DeviceRecord, NewMail};

/// What one read fetches of an account, consistent at one moment.
#[derive(Debug, Clone)]
pub struct AttemptRecord {
    /// The account.
    pub account: AccountId,
    /// Its username, in its own case.
    pub username: Username,
    /// Its mail address.
    pub email: MailAddress,
    /// Its facts.
    pub facts: AccountFacts,
    /// Its password's hash; none where none was ever set.
    pub password: Option<HashText>,
    /// The hash of the password before this one, and when it was replaced.
    pub previous: Option<PreviousPassword>,
    /// Its network password, where it has one.
    pub network_password: Option<SealedNetworkPassword>,
    /// The network password before this one, or before none.
    pub former_network_password: Option<FormerNetworkPassword>,
    /// Moves with every change that must void what is remembered.
    pub epoch: Epoch,
    /// Whether the account is bound to the resource asked for, directly or through a group,
    /// nested ones included. False where no resource was asked for.
    pub bound: bool,
    /// Whether the account administers the gateway.
    pub admin: bool,
    /// When it was last let in at the origin that was asked for, within a day; none where it never
    /// was, where that is forgotten, or where no origin was asked for.
    pub admitted_here: Option<Timestamp>,
    /// The reply attributes mapped to the account at the resource, by itself and by its groups;
    /// none unless [`Fetch::Accept`] was asked for.
    pub reply: Vec<ReplyGrant>,
}

impl AttemptRecord {
    /// The epoch that guesses at the account go by. A lock moves the epoch by one, and starts
    /// nothing afresh: the guesses that locked it are to weigh as much, and to be remembered as
    /// long, as guesses at a name that nobody has (CONTRACT.md 5.2).
    pub fn epoch_of_guesses(&self) -> Epoch {
        let locks = u64::from(self.facts.locked_since.is_some());
        Epoch(self.epoch.0.saturating_sub(locks))
    }
}

/// A password that was replaced.
#[derive(Debug, Clone)]
pub struct PreviousPassword {
    /// Its hash.
    pub hash: HashText,
    /// When another took its place.
    pub replaced_at: Timestamp,
}

/// A network password that was replaced or revoked.
#[derive(Debug, Clone)]
pub struct FormerNetworkPassword {
    /// The password.
    pub sealed: SealedNetworkPassword,
    /// When it was.
    pub replaced_at: Timestamp,
}

/// A service account (CONTRACT.md 3.8).
#[derive(Debug, Clone)]
pub struct ServiceRecord {
    /// The service account.
    pub service: ServiceId,
    /// Its name.
    pub name: ServiceName,
    /// Its live passwords' hashes: one, two during a rotation, none where a certificate binds it.
    pub passwords: Vec<HashText>,
    /// Whether it may read people and groups.
    pub may_search: bool,
    /// Where it may come from; anywhere when empty.
    pub sources: Vec<ipnet::IpNet>,
    /// Moves with its passwords, its certificate and its rights.
    pub epoch: Epoch,
}

/// The policy in force and the account found, read together.
#[derive(Debug, Clone)]
pub struct AttemptRead {
    /// The policy in force.
    pub policy: Arc<PolicySettings>,
    /// The account, where the name belongs to one.
    pub account: Option<AttemptRecord>,
}

/// How much a read fetches of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetch {
    /// What a verdict needs.
    Verdict,
    /// That, and what an Access-Accept carries.
    Accept,
}

/// How an account is named in a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountKey {
    /// By a login name.
    Login(LoginName),
    /// By identifier.
    Id(AccountId),
}

/// Asks for a place (CONTRACT.md 3.3).
#[derive(Debug, Clone)]
pub struct TakePlace {
    /// The account guessed at.
    pub account: AccountId,
    /// The epoch that was read.
    pub epoch: Epoch,
    /// Where the attempt comes from.
    pub origin: OriginKey,
    /// Now.
    pub at: Timestamp,
    /// What may be granted.
    pub limits: PlaceLimits,
}

/// The answer to [`TakePlace`]; durable before it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceAnswer {
    /// The attempt is charged; nothing was compared before.
    Taken(PlaceId),
    /// Failures and open places have reached the threshold: wait, for each may yet be given back.
    Full,
    /// The daily cap is reached and the resource does not lock: one guess in a quarter of an hour.
    Slowed,
    /// The account is not as it was read (or was just locked because confirmed failures had
    /// already reached the threshold): read it again.
    Moved,
}

/// What came of an attempt, to be settled in one commit.
#[derive(Debug, Clone)]
pub enum Settled {
    /// The right password, and let in (or led to a change). The account is known at the origin
    /// from now on. On a counting resource the failures of the origin are cleared, so that an
    /// owner's logins buy a stranger nothing.
    Admitted {
        /// The origin.
        origin: OriginKey,
        /// Whether its failures are cleared.
        clears: bool,
    },
    /// The right password, and refused for another reason; or nothing was compared.
    GivenBack,
    /// A wrong password. With `provisional`, it counts as every failure does but locks only once
    /// [`AttemptStore::confirm_failure`] says it was no stale password.
    Wrong {
        /// Where it came from.
        origin: OriginKey,
        /// Whether it was sent to a resource that counts failures toward the lock.
        counting: bool,
        /// Whether the previous password is still to be compared.
        provisional: bool,
    },
}

/// Settles an attempt.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The place it held; none where another's comparison served it.
    pub place: Option<PlaceId>,
    /// The account.
    pub account: AccountId,
    /// The epoch that was read.
    pub epoch: Epoch,
    /// Now.
    pub at: Timestamp,
    /// What came of it.
    pub settled: Settled,
    /// The limits that were in force when the place was taken.
    pub limits: PlaceLimits,
    /// The event to record, or to count in that of its equals, in the same commit.
    pub event: AttemptEvent,
    /// Mail to queue in the same commit if this locks the account.
    pub mail_if_locked: Option<NewMail>,
}

/// The answer to a [`Settlement`] and to a confirmation; durable before it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettleAnswer {
    /// Done. `failure` names the failure that was counted, if one was; `locked` tells whether it
    /// locked the account; `event` is the one recorded.
    Done {
        /// The failure counted.
        failure: Option<FailureId>,
        /// Whether the account is locked now because of it.
        locked: bool,
        /// The event recorded.
        event: EventId,
    },
    /// A right password, and the account is not as it was read: nothing was recorded but the
    /// place given back; decide anew.
    Moved,
}

/// Says what a provisional failure was.
#[derive(Debug, Clone)]
pub struct Confirmation {
    /// The failure.
    pub failure: FailureId,
    /// The event that recorded it.
    pub event: EventId,
    /// The account.
    pub account: AccountId,
    /// Now.
    pub at: Timestamp,
    /// It was the previous password: the failure is forgotten and the event says
    /// `stale_password`. Otherwise it counts, and locks if it must.
    pub stale: bool,
    /// The limits that were in force.
    pub limits: PlaceLimits,
    /// Mail to queue: about the lock if it locks, about the stale password otherwise (at most
    /// one a day and account of the latter).
    pub mail: Option<NewMail>,
}

/// The commands of the hot path.
pub trait AttemptStore: Send + Sync + 'static {
    /// Reads the policy and what is asked for of one account, at one moment; with an origin also
    /// whether it is known there.
    fn read_attempt(
        &self,
        key: &AccountKey,
        resource: Option<&ResourceName>,
        origin: Option<&OriginKey>,
        fetch: Fetch,
    ) -> impl Future<Output = Result<AttemptRead, Unavailable>> + Send;

    /// Reads a service account by its case-folded name.
    fn read_service(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<Option<ServiceRecord>, Unavailable>> + Send;

    /// Reads an account again for somebody who was let in, as [`AttemptStore::read_attempt`] does
    /// for a verdict. Accounts take turns, and no attempt waits for any of them.
    fn read_account_again(
        &self,
        account: AccountId,
        resource: Option<&ResourceName>,
    ) -> impl Future<Output = Result<AttemptRead, Unavailable>> + Send;

    /// Reads a service account again, as [`AttemptStore::read_account_again`] does an account.
    fn read_service_again(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<Option<ServiceRecord>, Unavailable>> + Send;

    /// Reads the service accounts that one of a certificate's names binds.
    fn read_services_certified(
        &self,
        names: &CertificateNames,
    ) -> impl Future<Output = Result<Vec<ServiceRecord>, Unavailable>> + Send;

    /// Reads the device of an address.
    fn read_device(
        &self,
        address: MacAddress,
    ) -> impl Future<Output = Result<Option<DeviceRecord>, Unavailable>> + Send;

    /// Charges an attempt, durably, before anything is compared.
    fn take_place(
        &self,
        take: TakePlace,
    ) -> impl Future<Output = Result<PlaceAnswer, Unavailable>> + Send;

    /// Gives a place back where there was no verdict; nothing is recorded.
    fn give_back(&self, place: PlaceId) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Settles an attempt in one commit.
    fn settle(
        &self,
        settlement: Settlement,
    ) -> impl Future<Output = Result<SettleAnswer, Unavailable>> + Send;

    /// Says what a provisional failure was. One that is never confirmed counts as wrong once its
    /// place would have lapsed.
    fn confirm_failure(
        &self,
        confirmation: Confirmation,
    ) -> impl Future<Output = Result<SettleAnswer, Unavailable>> + Send;

    /// Waits as a command of an attempt waits: returns once a commit that was begun after the call
    /// is durable. What is refused without a place goes by it at the pace of what has one.
    fn keep_pace(&self) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Records a decision that settles nothing; durable when this returns. It is counted in the
    /// event of its equals where it is to be kept so
    /// ([`doorward_domain::event::AttemptEvent::keeping`]); the event named then is that one.
    fn record_attempt(
        &self,
        at: Timestamp,
        event: AttemptEvent,
    ) -> impl Future<Output = Result<EventId, Unavailable>> + Send;

    /// Counts a decision in the event of its equals: those of the same account, source, resource,
    /// reason and minute, or where it is about no account, those of the same source, resource,
    /// reason and minute. Durable within a second, and dropped (and counted) rather than waited
    /// for where too many distinct ones wait.
    fn merge_attempt(&self, at: Timestamp, event: AttemptEvent);

    /// Replaces a hash by a better one of the same password; nothing happens unless the account
    /// still has `old`. The epoch does not move.
    fn rehash(
        &self,
        account: AccountId,
        old: HashText,
        new: HashText,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// As [`AttemptStore::rehash`], for a service account.
    fn rehash_service(
        &self,
        service: ServiceId,
        old: HashText,
        new: HashText,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;
}
