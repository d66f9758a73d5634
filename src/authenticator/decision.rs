//! Deciding a user's attempt, in the order of CONTRACT.md 5.1: resource; one read of account,
//! bindings, epoch; remembered wrong passwords; throttle; lock; place; remembered right password
//! or hash; other conditions and binding.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::account::{Condition, Conditions};
use crate::domain::event::{Outcome, Subject};
use crate::domain::id::PlaceId;
use crate::domain::name::ResourceName;
use crate::domain::refusal::Refusal;
use crate::domain::resource::{Asking, Door, Resource};
use crate::domain::rules::{PlaceLimits, PolicySettings};
use crate::domain::secret::Password;
use crate::domain::time::Now;
use crate::hashing::Comparison;
use crate::policy::access::{Access, Permit, access, judge, locked_is_refused, refusal_of};
use crate::policy::conditions::conditions;
use crate::policy::lockout::place_limits;
use crate::policy::naming::interpret;
use crate::policy::time_spans::expiry_warning;
use crate::store::attempts::{
    AccountKey, AttemptRecord, AttemptStore, PreviousPassword, SettleAnswer, Settled, Settlement,
    TakePlace,
};
use crate::store::records::{MailKind, NewMail};

use super::Core;
use super::attempt::{Attempt, Claim, Evidence};
use super::flights::{Boarding, FlightKey, Landing, Lead};
use super::memory::{Digest, Known};
use super::places::Placed;
use super::report::{self, Report};
use super::settings::Settings;
use super::throttle::{Target, Tokens};
use super::verdict::{Authenticated, ChangeProof, Undecided, Verdict};

/// How often an attempt is decided anew because the account moved meanwhile.
const ROUNDS: usize = 8;
/// How long a previous password is stale rather than wrong (CONTRACT.md 3.5).
const STALE_FOR: Duration = Duration::from_secs(30 * 86_400);

/// One look at an attempt: a verdict, or the account moved and it is looked at again.
enum Round {
    Verdict(Verdict),
    Again,
}

/// What asks, and what its door is.
pub(super) struct Asked {
    /// The resource's name; none is the portal.
    name: Option<ResourceName>,
    /// Its rules. The portal counts failures and refuses locked users, as an application does.
    rules: Resource,
    door: Door,
}

impl Asked {
    fn portal() -> Option<Self> {
        let name = ResourceName::parse("portal").ok()?;
        let rules = Resource::new(name, crate::domain::resource::ResourceKind::App);
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
struct Found<'a> {
    asked: &'a Asked,
    policy: Arc<PolicySettings>,
    record: AttemptRecord,
    holding: Conditions,
    report: Report,
}

impl<S: AttemptStore> Core<S> {
    /// Decides; the answer is not delayed here.
    pub(super) async fn judge(&self, attempt: &Attempt) -> Result<Verdict, Undecided> {
        for _ in 0..ROUNDS {
            match self.round(attempt).await? {
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
            return self.refuse_unseen(&report, Refusal::NoResource).await;
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
        let read = self
            .store
            .read_attempt(&AccountKey::Login(login), asked.name.as_ref())
            .await
            .map_err(|error| Undecided::Unavailable(error.to_string()))?;
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

    /// Refuses where no account was looked for.
    async fn refuse_unseen(&self, report: &Report, reason: Refusal) -> Result<Round, Undecided> {
        self.pool.dummy().await.map_err(|_| Undecided::Busy)?;
        report
            .refuse(&*self.store, reason, self.clock.now())
            .await?;
        Ok(Round::Verdict(Verdict::Refused(reason)))
    }

    /// Refuses a name that belongs to nobody: as a wrong password is, the source's token included.
    async fn refuse_stranger(
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
        self.refuse_unseen(report, reason).await
    }

    /// Refuses what needs no hash and is not to cost one: it waits its turn all the same.
    async fn refuse_uncompared(
        &self,
        report: &Report,
        reason: Refusal,
    ) -> Result<Round, Undecided> {
        self.pool.turn().await.map_err(|_| Undecided::Busy)?;
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
        let Evidence::Password(password) = &attempt.evidence else {
            return self
                .refuse_unseen(&found.report, Refusal::MalformedPassword)
                .await;
        };
        let digest = self
            .memory
            .digest(record.account.as_uuid(), record.epoch, password);
        let known = self.memory.recall(&digest, self.clock.now().mono);
        if known == Some(Known::Wrong) {
            return self
                .refuse_uncompared(&found.report, Refusal::RepeatedWrongPassword)
                .await;
        }
        let target = Target {
            account: record.account,
            epoch: record.epoch,
            resource: found.asked.name.as_ref(),
            threshold: found.policy.lockout.threshold,
        };
        let now = self.clock.now().mono;
        let Some(tokens) = self.throttle.take(
            settings,
            attempt.protocol,
            &attempt.origin,
            Some(target),
            now,
        ) else {
            return self
                .refuse_uncompared(&found.report, Refusal::Throttled)
                .await;
        };
        if let Some(reason) = refused_before_comparing(found) {
            self.give_tokens_back(tokens);
            return self.refuse_unseen(&found.report, reason).await;
        }
        let round = self
            .compare(settings, attempt, found, password, digest, known)
            .await;
        // Only a wrong password that nobody had tried keeps the tokens.
        if !matches!(
            round,
            Ok(Round::Verdict(Verdict::Refused(Refusal::WrongPassword)))
        ) {
            self.give_tokens_back(tokens);
        }
        round
    }

    fn give_tokens_back(&self, tokens: Tokens) {
        self.throttle.give_back(tokens, self.clock.now().mono);
    }

    /// Compares the password, alone or together with everybody who sent the same one.
    async fn compare(
        &self,
        settings: &Settings,
        attempt: &Attempt,
        found: &Found<'_>,
        password: &Password,
        digest: Digest,
        known: Option<Known>,
    ) -> Result<Round, Undecided> {
        let limits = limits(found, self.clock.now());
        match self.flights.board(FlightKey {
            digest,
            counting: limits.counting,
        }) {
            Boarding::Follow(follow) => match follow.landing().await {
                Landing::Right => self.admit(attempt, found, limits, None).await,
                Landing::Wrong => {
                    let now = self.clock.now();
                    found
                        .report
                        .refuse(&*self.store, Refusal::RepeatedWrongPassword, now)
                        .await?;
                    Ok(Round::Verdict(Verdict::Refused(
                        Refusal::RepeatedWrongPassword,
                    )))
                }
                Landing::Moved => Ok(Round::Again),
                Landing::Slowed => {
                    self.refuse_uncompared(&found.report, Refusal::Throttled)
                        .await
                }
                Landing::Undecided(undecided) => Err(undecided),
            },
            Boarding::Lead(lead) => {
                let (landing, round) = self
                    .lead(settings, attempt, found, password, digest, known, limits)
                    .await;
                Lead::land(lead, landing);
                round
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one attempt's state, read once and shared"
    )]
    async fn lead(
        &self,
        settings: &Settings,
        attempt: &Attempt,
        found: &Found<'_>,
        password: &Password,
        digest: Digest,
        known: Option<Known>,
        limits: PlaceLimits,
    ) -> (Landing, Result<Round, Undecided>) {
        let take = TakePlace {
            account: found.record.account,
            epoch: found.record.epoch,
            origin: attempt.origin.key(),
            at: self.clock.now().wall,
            limits,
        };
        let place = match self.places.take(&*self.store, &*self.clock, take).await {
            Err(undecided) => return no_verdict(undecided),
            Ok(Placed::NoneFree) => return no_verdict(Undecided::Busy),
            Ok(Placed::Moved) => return (Landing::Moved, Ok(Round::Again)),
            Ok(Placed::Slowed) => {
                let refused = self
                    .refuse_uncompared(&found.report, Refusal::Throttled)
                    .await;
                return (Landing::Slowed, refused);
            }
            Ok(Placed::Taken(place)) => place,
        };
        let compared = match known {
            Some(_) => Ok(Comparison::Right {
                needs_rehash: false,
            }),
            None => match &found.record.password {
                Some(hash) => self.pool.verify(hash.clone(), password.clone()).await,
                None => Ok(Comparison::Wrong),
            },
        };
        let round = match compared {
            Err(_) => {
                if let Err(error) = self.store.give_back(place).await {
                    tracing::warn!(%error, "a place was not given back; it lapses by itself");
                }
                self.places.freed(found.record.account);
                return no_verdict(Undecided::Busy);
            }
            Ok(Comparison::Wrong) => {
                self.count_wrong(attempt, found, password, digest, limits, place)
                    .await
            }
            Ok(Comparison::Right { needs_rehash }) => {
                let now = self.clock.now().mono;
                self.memory
                    .remember(digest, Known::Right, now, settings.remember_for);
                if let (true, Some(old)) = (needs_rehash, &found.record.password) {
                    self.rehash_later(found.record.account, old.clone(), password.clone());
                }
                self.admit(attempt, found, limits, Some(place)).await
            }
        };
        self.places.freed(found.record.account);
        let landing = match &round {
            Err(undecided) => Landing::Undecided(undecided.clone()),
            Ok(Round::Again) => Landing::Moved,
            Ok(Round::Verdict(Verdict::Refused(Refusal::WrongPassword))) => Landing::Wrong,
            Ok(Round::Verdict(_)) => Landing::Right,
        };
        (landing, round)
    }

    /// Settles a wrong password; what it may have been besides wrong is asked after the answer.
    async fn count_wrong(
        &self,
        attempt: &Attempt,
        found: &Found<'_>,
        password: &Password,
        digest: Digest,
        limits: PlaceLimits,
        place: PlaceId,
    ) -> Result<Round, Undecided> {
        let now = self.clock.now();
        let previous = stale_candidate(found, now);
        let reason = Refusal::WrongPassword;
        let event = found.report.event(Outcome::Refused, Some(reason), now);
        report::count(&event);
        let answer = self
            .settle(Settlement {
                place: Some(place),
                account: found.record.account,
                epoch: found.record.epoch,
                at: now.wall,
                settled: Settled::Wrong {
                    origin: attempt.origin.key(),
                    counting: limits.counting,
                    provisional: previous.is_some(),
                },
                limits,
                event,
                mail_if_locked: Some(NewMail {
                    account: found.record.account,
                    kind: MailKind::Locked,
                    details: serde_json::json!({ "resource": found.asked.name }),
                }),
            })
            .await?;
        self.memory
            .remember(digest, Known::Wrong, now.mono, found.policy.lockout.window);
        if let (
            Some(previous),
            SettleAnswer::Done {
                failure: Some(failure),
                event,
                ..
            },
        ) = (previous, answer)
        {
            self.check_stale_later(
                found.record.account,
                found.asked.name.clone(),
                previous,
                password.clone(),
                (failure, event),
                limits,
            );
        }
        Ok(Round::Verdict(Verdict::Refused(reason)))
    }

    /// Admits, or refuses for another reason than the password, which is right.
    async fn admit(
        &self,
        attempt: &Attempt,
        found: &Found<'_>,
        limits: PlaceLimits,
        place: Option<PlaceId>,
    ) -> Result<Round, Undecided> {
        let now = self.clock.now();
        let record = &found.record;
        // Time may have passed in the queue: an end date in between still ends the account.
        let holding = conditions(&record.facts, &found.policy, now);
        let access = found
            .asked
            .judge(holding, record.bound, attempt.asked_for_password_policy);
        let clears = limits.counting.then(|| attempt.origin.key());
        let (outcome, reason, settled) = match access {
            Access::Granted => (Outcome::Granted, None, Settled::Admitted { clears }),
            Access::ChangeOnly => (Outcome::ChangeOnly, None, Settled::Admitted { clears }),
            Access::Refused(reason) => (Outcome::Refused, Some(reason), Settled::GivenBack),
        };
        let event = found.report.event(outcome, reason, now);
        let answer = self
            .settle(Settlement {
                place,
                account: record.account,
                epoch: record.epoch,
                at: now.wall,
                settled,
                limits,
                event: event.clone(),
                mail_if_locked: None,
            })
            .await?;
        if answer == SettleAnswer::Moved {
            return Ok(Round::Again);
        }
        report::count(&event);
        Ok(Round::Verdict(match access {
            Access::Granted => Verdict::Granted(Authenticated {
                account: record.account,
                username: record.username.clone(),
                epoch: record.epoch,
                resource: found.asked.name.clone(),
                expires_in: expiry_warning(&record.facts, &found.policy, now),
            }),
            Access::ChangeOnly => Verdict::ChangeOnly(ChangeProof {
                account: record.account,
                username: record.username.clone(),
                epoch: record.epoch,
                resource: found.asked.name.clone(),
            }),
            Access::Refused(reason) => Verdict::Refused(reason),
        }))
    }

    async fn settle(&self, settlement: Settlement) -> Result<SettleAnswer, Undecided> {
        self.store
            .settle(settlement)
            .await
            .map_err(|error| Undecided::Unavailable(error.to_string()))
    }
}

fn no_verdict(undecided: Undecided) -> (Landing, Result<Round, Undecided>) {
    (Landing::Undecided(undecided.clone()), Err(undecided))
}

/// Why an attempt is refused before its password is compared, if it is.
fn refused_before_comparing(found: &Found<'_>) -> Option<Refusal> {
    if found.holding.holds(Condition::Locked) && found.asked.refuses_locked() {
        Some(Refusal::Locked)
    } else if found.record.password.is_none() {
        Some(Refusal::PasswordPending)
    } else {
        None
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

fn stale_candidate(found: &Found<'_>, now: Now) -> Option<PreviousPassword> {
    found
        .record
        .previous
        .as_ref()
        .filter(|previous| now.wall < previous.replaced_at.plus(STALE_FOR))
        .cloned()
}
