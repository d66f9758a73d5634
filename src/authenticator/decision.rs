//! Deciding a user's attempt, in the order of CONTRACT.md 5.1: resource; one read of account,
//! bindings, epoch; remembered wrong passwords; lock; then the comparison.

use std::sync::Arc;

use crate::domain::account::{Condition, Conditions};
use crate::domain::event::Subject;
use crate::domain::name::ResourceName;
use crate::domain::origin::Protocol;
use crate::domain::refusal::Refusal;
use crate::domain::resource::{Asking, Door, Resource, ResourceKind};
use crate::domain::rules::{PlaceLimits, PolicySettings};
use crate::domain::time::Now;
use crate::hashing::{Lane, Turns};
use crate::policy::access::{Access, Permit, access, judge, locked_is_refused, refusal_of};
use crate::policy::conditions::conditions;
use crate::policy::lockout::place_limits;
use crate::policy::naming::interpret;
use crate::store::attempts::{AccountKey, AttemptRead, AttemptRecord, AttemptStore, Fetch};

use super::Core;
use super::attempt::{Attempt, Claim, Evidence};
use super::challenged;
use super::comparison::{Guess, Presented};
use super::memory::Known;
use super::report::Report;
use super::settings::Settings;
use super::throttle::{Target, Whom};
use super::verdict::{Undecided, Verdict};

/// How often an attempt is decided anew because the account moved meanwhile.
const ROUNDS: usize = 8;

/// One look at an attempt: a verdict, or the account moved and it is looked at again.
pub(super) enum Round {
    Verdict(Verdict),
    Again,
}

/// What asks, and what its door is.
pub(super) struct Asked {
    /// The resource's name; none is the portal.
    pub(super) name: Option<ResourceName>,
    /// Its rules. The portal counts failures and refuses locked users, as an application does.
    rules: Resource,
    door: Door,
}

impl Asked {
    fn portal() -> Option<Self> {
        let name = ResourceName::parse("portal").ok()?;
        let rules = Resource::new(name, ResourceKind::App);
        Some(Self {
            name: None,
            rules,
            door: Door::PortalSignIn,
        })
    }

    fn resource(resource: &Resource) -> Self {
        Self {
            name: Some(resource.name.clone()),
            rules: resource.clone(),
            door: Door::Resource(resource.kind),
        }
    }

    /// What asks, by the rules of the settings in force.
    pub(super) fn by(settings: &Settings, asking: &Asking) -> Option<Self> {
        match asking {
            Asking::Portal => Self::portal(),
            _ => settings.resources.asking(asking).map(Self::resource),
        }
    }

    /// What a resource of this name would ask; the portal where there is none.
    pub(super) fn named(settings: &Settings, name: Option<&ResourceName>) -> Option<Self> {
        match name {
            None => Self::portal(),
            Some(name) => settings.resources.get(name).map(Self::resource),
        }
    }

    /// The kind of what asks.
    pub(super) fn kind(&self) -> ResourceKind {
        self.rules.kind
    }

    fn refuses_locked(&self) -> bool {
        self.name.is_none() || locked_is_refused(&self.rules)
    }

    /// What the right password leads to.
    pub(super) fn judge(&self, holding: Conditions, bound: bool, asked: bool) -> Access {
        if self.name.is_some() {
            return judge(holding, bound, &self.rules, asked);
        }
        match access(holding, self.door, None, None) {
            Permit::Yes => Access::Granted,
            Permit::ChangeOnly => Access::ChangeOnly,
            Permit::Activation | Permit::No => Access::Refused(
                crate::policy::access::REASON_ORDER
                    .into_iter()
                    .find(|condition| holding.holds(*condition))
                    .map_or(Refusal::NotBound, refusal_of),
            ),
        }
    }
}

/// An account that was found, and all that was read with it.
pub(super) struct Found<'a> {
    pub(super) asked: &'a Asked,
    pub(super) policy: Arc<PolicySettings>,
    pub(super) record: AttemptRecord,
    pub(super) holding: Conditions,
    pub(super) report: Report,
}

impl<S: AttemptStore> Core<S> {
    /// Decides; the answer is not delayed here.
    pub(super) async fn judge(&self, attempt: &Attempt) -> Result<Verdict, Undecided> {
        for _ in 0..ROUNDS {
            let round = match &attempt.evidence {
                Evidence::Resumed(ground) => self.resume(attempt, ground).await?,
                Evidence::Certificate(certificate) => self.certify(attempt, certificate).await?,
                Evidence::Password(_) | Evidence::Unusable(_) | Evidence::Response(_) => {
                    self.round(attempt).await?
                }
            };
            match round {
                Round::Verdict(verdict) => return Ok(verdict),
                Round::Again => {}
            }
        }
        Err(Undecided::Busy)
    }

    async fn round(&self, attempt: &Attempt) -> Result<Round, Undecided> {
        let settings = self.settings.load();
        let (Claim::Typed(typed) | Claim::Malformed(typed)) = &attempt.claim;
        let mut report = Report::of(
            attempt,
            Subject::Unknown {
                digest: self.memory.name_digest(typed),
                length: typed.len(),
            },
        );
        let Some(asked) = Asked::by(&settings, &attempt.asking) else {
            return self
                .refuse_stranger(&settings, attempt, &report, Refusal::NoResource)
                .await;
        };
        report.resource.clone_from(&asked.name);
        let login = match &attempt.claim {
            Claim::Typed(typed) => interpret(typed, &settings.realms),
            Claim::Malformed(_) => None,
        };
        let Some(login) = login else {
            return self
                .refuse_stranger(&settings, attempt, &report, Refusal::MalformedName)
                .await;
        };
        let key = AccountKey::Login(login);
        let read = self.read(&key, &asked, attempt.protocol).await?;
        let Some(record) = read.account else {
            return self
                .refuse_stranger(&settings, attempt, &report, Refusal::UnknownUser)
                .await;
        };
        report.subject = Subject::Account {
            account: record.account,
            username: record.username.clone(),
        };
        let holding = conditions(&record.facts, &read.policy, self.clock.now());
        let found = Found {
            asked: &asked,
            policy: read.policy,
            record,
            holding,
            report,
        };
        self.decide_found(&settings, attempt, &found).await
    }

    /// Where what this attempt needs is computed, or waits as if it were. Resources take turns, so
    /// that guesses at one do not hold up logins at another.
    pub(super) fn turns(&self, report: &Report) -> Turns<'_> {
        self.pool.of(Lane::Attempt(report.resource.clone()))
    }

    /// Reads all that a decision about an account rests on, at one moment.
    pub(super) async fn read(
        &self,
        key: &AccountKey,
        asked: &Asked,
        protocol: Protocol,
    ) -> Result<AttemptRead, Undecided> {
        self.store
            .read_attempt(key, asked.name.as_ref(), fetch(protocol))
            .await
            .map_err(|error| Undecided::Unavailable(error.to_string()))
    }

    /// Refuses without a comparison, and takes as long as one.
    async fn refuse_unseen(
        &self,
        evidence: &Evidence,
        report: &Report,
        reason: Refusal,
    ) -> Result<Round, Undecided> {
        let turns = self.turns(report);
        if let Evidence::Response(response) = evidence {
            turns.turn().await.map_err(|_| Undecided::Busy)?;
            self.hold_against_nothing(response);
        } else {
            turns.dummy().await.map_err(|_| Undecided::Busy)?;
        }
        report
            .refuse(&*self.store, reason, self.clock.now())
            .await?;
        Ok(Round::Verdict(Verdict::Refused(reason)))
    }

    /// Refuses what could belong to nobody: as a wrong password is, the source's token included.
    pub(super) async fn refuse_stranger(
        &self,
        settings: &Settings,
        attempt: &Attempt,
        report: &Report,
        reason: Refusal,
    ) -> Result<Round, Undecided> {
        let now = self.clock.now().mono;
        let tokens = self
            .throttle
            .take(settings, attempt.protocol, &attempt.origin, None, now);
        if tokens.is_none() {
            return self.refuse_uncompared(report, Refusal::Throttled).await;
        }
        self.refuse_unseen(&attempt.evidence, report, reason).await
    }

    /// Refuses what needs no hash and is not to cost one: it waits its turn all the same.
    pub(super) async fn refuse_uncompared(
        &self,
        report: &Report,
        reason: Refusal,
    ) -> Result<Round, Undecided> {
        let waited = self.turns(report).turn().await;
        waited.map_err(|_| Undecided::Busy)?;
        report
            .refuse(&*self.store, reason, self.clock.now())
            .await?;
        Ok(Round::Verdict(Verdict::Refused(reason)))
    }

    async fn decide_found(
        &self,
        settings: &Settings,
        attempt: &Attempt,
        found: &Found<'_>,
    ) -> Result<Round, Undecided> {
        let record = &found.record;
        let (account, epoch) = (record.account.as_uuid(), record.epoch);
        let (presented, digest) = match &attempt.evidence {
            Evidence::Password(password) => (
                Presented::Password(password),
                self.memory.digest(account, epoch, password),
            ),
            Evidence::Response(response) => (
                Presented::Response(response),
                self.memory.response_digest(account, epoch, response),
            ),
            Evidence::Unusable(_) | Evidence::Resumed(_) | Evidence::Certificate(_) => {
                return self
                    .refuse_stranger(settings, attempt, &found.report, Refusal::MalformedPassword)
                    .await;
            }
        };
        let known = self.memory.recall(&digest, self.clock.now().mono);
        if known == Some(Known::Wrong) {
            return self
                .refuse_uncompared(&found.report, Refusal::RepeatedWrongPassword)
                .await;
        }
        // Looking at the lock before the throttle changes nothing but the reason that is logged,
        // and that is the truer one.
        if let Some(reason) = refused_before_comparing(settings, found, presented) {
            // As many hashes as guesses at an account that can be compared with, and no more: so
            // the queue cannot be filled with them from one origin, and both are as slow.
            let now = self.clock.now().mono;
            let pays = self
                .throttle
                .spend(settings, &attempt.origin, guessed_at(found), now);
            return if pays {
                self.refuse_unseen(&attempt.evidence, &found.report, reason)
                    .await
            } else {
                self.refuse_uncompared(&found.report, reason).await
            };
        }
        let limits = limits(found, self.clock.now());
        let guess = Guess {
            settings,
            attempt,
            found,
            presented,
            digest,
            known,
            limits,
        };
        self.compare(&guess).await
    }
}

/// What of the account the protocol's answer carries.
fn fetch(protocol: Protocol) -> Fetch {
    match protocol {
        Protocol::Radius => Fetch::Accept,
        Protocol::Ldap | Protocol::Web | Protocol::AuthPolicy => Fetch::Verdict,
    }
}

/// Whose bucket guesses at this account draw from.
pub(super) fn guessed_at<'a>(found: &'a Found<'_>) -> Target<'a> {
    Target {
        whom: Whom::Account(found.record.account, found.record.epoch),
        resource: found.asked.name.as_ref(),
        threshold: found.policy.lockout.threshold,
    }
}

/// Why an attempt is refused before anything is compared, if it is.
fn refused_before_comparing(
    settings: &Settings,
    found: &Found<'_>,
    presented: Presented<'_>,
) -> Option<Refusal> {
    if found.holding.holds(Condition::Locked) && found.asked.refuses_locked() {
        return Some(Refusal::Locked);
    }
    match presented {
        Presented::Password(_) if found.record.password.is_none() => Some(Refusal::PasswordPending),
        Presented::Response(_) if !challenged::admitted(settings, found.asked.kind()) => {
            Some(Refusal::NetworkPasswordNotAdmitted)
        }
        Presented::Response(_) if found.record.network_password.is_none() => {
            Some(Refusal::NoNetworkPassword)
        }
        Presented::Password(_) | Presented::Response(_) => None,
    }
}

/// The limits of a place. Attempts while locked, at a resource that lets the locked in, count
/// nothing toward the lock and extend nothing (CONTRACT.md 3.1).
fn limits(found: &Found<'_>, now: Now) -> PlaceLimits {
    let limits = place_limits(&found.policy, &found.asked.rules, now);
    let locked = found.holding.holds(Condition::Locked);
    PlaceLimits {
        counting: limits.counting && !locked,
        ..limits
    }
}
