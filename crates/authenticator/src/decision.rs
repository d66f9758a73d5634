//! Deciding a user's attempt, in the order of CONTRACT.md 5.1: resource; one read of account,
//! bindings, epoch; then what was sent is weighed as a guess, whether or not anybody has the name.

use std::net::IpAddr;
use std::sync::Arc;

use doorward_domain::account::Conditions;
use doorward_domain::event::Subject;
use doorward_domain::login::LoginName;
use doorward_domain::name::ResourceName;
use doorward_domain::origin::{Origin, OriginKey, Protocol};
use doorward_domain::policy::access::{
    Access, Permit, access, judge, locked_is_refused, refusal_of,
};
use doorward_domain::policy::conditions::conditions;
use doorward_domain::policy::lockout::{COMPARE_WITHIN, PLACE_LAPSE, is_known};
use doorward_domain::policy::naming::interpret;
use doorward_domain::policy::origins::{Identified, identify};
use doorward_domain::refusal::Refusal;
use doorward_domain::resource::{AccessContext, Door, Resource, ResourceKind};
use doorward_domain::rules::PolicySettings;
use doorward_domain::time::Monotonic;
use doorward_hashes::MAX_MILLISECONDS;
use doorward_hashing::{Deadline, Lane, Turns};
use doorward_store::attempts::{AccountKey, AttemptRead, AttemptRecord, AttemptStore, Fetch};

use super::Core;
use super::guess::{Guess, GuessedAt, Nobody, Presented};
use super::memory::{Digest, Holder, Payment};
use super::report::Report;
use super::settings::Settings;
use super::throttle::{Names, Toll, Whom};
use doorward_frontend_api::attempt::{Attempt, Claim, Evidence};
use doorward_frontend_api::verdict::{Undecided, Verdict};

/// What is begun as late as it may be ends before its place lapses, also where it takes ten times
/// what was estimated.
const _: () = assert!(
    COMPARE_WITHIN.as_secs() * 1000 + 10 * MAX_MILLISECONDS <= PLACE_LAPSE.as_secs() * 1000,
    "a place lapses while its password is compared"
);

/// How often an attempt is decided anew because the account moved meanwhile.
const ROUNDS: usize = 8;

/// One look at an attempt: a verdict, or the account moved and it is looked at again.
pub(super) enum Round {
    Verdict(Verdict),
    Again,
}

/// The announcement that an attempt was taken for, in all its rounds: another one is another client's.
#[derive(Clone, Copy)]
enum Brought {
    /// Nobody looked for one yet.
    NotAsked,
    /// That of this client, or none.
    For(Option<IpAddr>),
}

/// What asks, and what its door is.
pub(super) struct LoginTarget {
    /// The resource's name; none is the portal.
    pub(super) name: Option<ResourceName>,
    /// Its rules. The portal counts failures and refuses locked users, as an application does.
    pub(super) rules: Resource,
    door: Door,
}

impl LoginTarget {
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
    pub(super) fn by(settings: &Settings, asking: &AccessContext) -> Option<Self> {
        match asking {
            AccessContext::Portal => Self::portal(),
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

    pub(super) fn refuses_locked(&self) -> bool {
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
                doorward_domain::policy::access::REASON_ORDER
                    .into_iter()
                    .find(|condition| holding.holds(*condition))
                    .map_or(Refusal::NotBound, refusal_of),
            ),
        }
    }
}

/// An account that was found, and all that was read with it.
pub(super) struct Found<'a> {
    pub(super) asked: &'a LoginTarget,
    pub(super) policy: Arc<PolicySettings>,
    pub(super) record: AttemptRecord,
    pub(super) holding: Conditions,
    /// Whether it was let in lately where the attempt comes from.
    pub(super) known_here: bool,
    pub(super) report: Report,
}

impl<S: AttemptStore> Core<S> {
    /// Decides; the answer is not delayed here.
    pub(super) async fn judge(&self, attempt: &Attempt) -> Result<Verdict, Undecided> {
        let begun = self.clock.now().mono;
        let mut client = Brought::NotAsked;
        for _ in 0..ROUNDS {
            let round = match &attempt.evidence {
                Evidence::Resumed(ground) => self.resume(attempt, begun, ground).await?,
                Evidence::Certificate(certificate) => {
                    self.certify(attempt, begun, certificate).await?
                }
                Evidence::Password(_) | Evidence::Unusable(_) | Evidence::Response(_) => {
                    self.round(attempt, begun, &mut client).await?
                }
            };
            match round {
                Round::Verdict(verdict) => return Ok(verdict),
                Round::Again => {}
            }
        }
        Err(Undecided::Busy)
    }

    async fn round(
        &self,
        attempt: &Attempt,
        begun: Monotonic,
        client: &mut Brought,
    ) -> Result<Round, Undecided> {
        let settings = self.settings.load();
        let (Claim::Typed(typed) | Claim::Malformed(typed)) = &attempt.claim;
        let mut report = Report::of(
            attempt,
            begun,
            Subject::Unknown {
                digest: self.memory.name_digest(typed),
                length: typed.len(),
            },
        );
        let Some(asked) = LoginTarget::by(&settings, &attempt.asking) else {
            return self
                .refuse_stranger(&settings, attempt, &report, Refusal::NoResource)
                .await;
        };
        report.asked_by(asked.name.as_ref(), asked.kind());
        let login = match &attempt.claim {
            Claim::Typed(typed) => interpret(typed, &settings.realms),
            Claim::Malformed(_) => None,
        };
        // What could be nobody's name is looked up and weighed as one that nobody has, as slowly.
        let (login, absent) = match login {
            Some(login) => (login, Refusal::UnknownUser),
            None => (LoginName::default(), Refusal::MalformedName),
        };
        let name = login.canonical(typed);
        let key = AccountKey::Login(login);
        let (from, read) = self
            .read_from(&settings, attempt, client, &asked, &key, &name)
            .await?;
        let holder = match &read.account {
            Some(record) => Holder::Account(record.account.as_uuid(), record.epoch_of_guesses()),
            None => Holder::Nobody(&name),
        };
        let sent = self.sent(&attempt.evidence, holder, (&from.key, &name));
        let Some((presented, digest, payment)) = sent else {
            let reason = Refusal::MalformedPassword;
            return self
                .refuse_stranger(&settings, attempt, &report, reason)
                .await;
        };
        let now = self.clock.now();
        let policy = read.policy;
        let guess = |at, policy, known_here| Guess {
            settings: &settings,
            attempt,
            asked: &asked,
            policy,
            from: &from,
            at,
            presented,
            digest,
            payment,
            known: self.memory.recall(&digest, now.mono),
            known_here,
        };
        let Some(record) = read.account else {
            let nobody = Nobody {
                name: self.memory.name_digest(&name),
                reason: absent,
                report,
            };
            return self
                .weigh(&guess(GuessedAt::Nobody(&nobody), &policy, false))
                .await;
        };
        report.subject = Subject::Account {
            account: record.account,
            username: record.username.clone(),
        };
        let known_here = is_known(record.admitted_here, now);
        let found = Found {
            asked: &asked,
            holding: conditions(&record.facts, &policy, now),
            policy,
            record,
            known_here,
            report,
        };
        self.weigh(&guess(
            GuessedAt::Account(&found),
            &found.policy,
            known_here,
        ))
        .await
    }

    /// Reads all that a decision rests on, and where the attempt comes from: what a relay announced
    /// comes from the relay's client.
    async fn read_from(
        &self,
        settings: &Settings,
        attempt: &Attempt,
        client: &mut Brought,
        asked: &LoginTarget,
        key: &AccountKey,
        name: &str,
    ) -> Result<(Identified, AttemptRead), Undecided> {
        let protocol = attempt.protocol;
        let of = |client| identify(asked.kind(), protocol, &Origin::address(client));
        let from = match *client {
            Brought::For(Some(client)) => of(client),
            Brought::For(None) | Brought::NotAsked => {
                identify(asked.kind(), protocol, &attempt.origin)
            }
        };
        let read = self.read(key, asked, Some(&from.key), protocol).await?;
        let relay = settings.relays.include(&attempt.origin.source);
        if !relay || matches!(client, Brought::For(_)) {
            return Ok((from, read));
        }
        let whom = match &read.account {
            Some(record) => Whom::account(record),
            None => Whom::Nobody(self.memory.name_digest(name)),
        };
        let now = self.clock.now().mono;
        let brought = self.announced.bring(&whom, asked.name.as_ref(), now);
        *client = Brought::For(brought);
        let Some(brought) = brought else {
            return Ok((from, read));
        };
        let from = of(brought);
        let read = self.read(key, asked, Some(&from.key), protocol).await?;
        Ok((from, read))
    }

    /// What was sent to be compared, and by what it is known: as a guess at somebody, and as what
    /// its source pays for. None where it cannot be compared.
    fn sent<'a>(
        &self,
        evidence: &'a Evidence,
        holder: Holder<'_>,
        (source, name): (&OriginKey, &str),
    ) -> Option<(Presented<'a>, Digest, Payment)> {
        match evidence {
            Evidence::Password(password) => {
                let sent: [&[u8]; 2] = [b"password", password.as_bytes()];
                Some((
                    Presented::Password(password),
                    self.memory.digest(holder, password),
                    self.memory.payment(source, name, &sent),
                ))
            }
            Evidence::Response(response) => Some((
                Presented::Response(response),
                self.memory.response_digest(holder, response),
                self.memory.payment(source, name, &response.parts()),
            )),
            Evidence::Unusable(_) | Evidence::Resumed(_) | Evidence::Certificate(_) => None,
        }
    }

    /// Where what this attempt needs is computed, or waits as if it were. Resources take turns, so
    /// that guesses at one do not hold up logins at another. Whatever waits too long is busy, so that
    /// nothing is compared in a place that has lapsed, and nobody learns what was in one.
    pub(super) fn turns(&self, report: &Report) -> Turns<'_> {
        self.turns_in(Lane::Attempt(report.resource().cloned()), report)
    }

    /// As [`Core::turns`], in any lane.
    pub(super) fn turns_in(&self, lane: Lane, report: &Report) -> Turns<'_> {
        let at = report.begun().plus(COMPARE_WITHIN);
        let deadline = Deadline::new(Arc::clone(&self.clock), at);
        self.pool.of(lane).until(deadline)
    }

    /// Reads all that a decision about an account rests on, at one moment.
    pub(super) async fn read(
        &self,
        key: &AccountKey,
        asked: &LoginTarget,
        origin: Option<&OriginKey>,
        protocol: Protocol,
    ) -> Result<AttemptRead, Undecided> {
        self.store
            .read_attempt(key, asked.name.as_ref(), origin, fetch(protocol))
            .await
            .map_err(Undecided::from)
    }

    /// Works as a comparison does, where there is nothing to compare with.
    pub(super) async fn compare_nothing(
        &self,
        evidence: &Evidence,
        report: &Report,
    ) -> Result<(), Undecided> {
        let turns = self.turns(report);
        if let Evidence::Response(response) = evidence {
            turns.turn().await.map_err(|_| Undecided::Busy)?;
            self.hold_against_nothing(response);
        } else {
            turns.dummy().await.map_err(|_| Undecided::Busy)?;
        }
        Ok(())
    }

    /// Refuses what could belong to nobody whoever is there: as slowly as a wrong password, and for
    /// a token of its source.
    pub(super) async fn refuse_stranger(
        &self,
        settings: &Settings,
        attempt: &Attempt,
        report: &Report,
        reason: Refusal,
    ) -> Result<Round, Undecided> {
        let kind = LoginTarget::by(settings, &attempt.asking)
            .map_or(ResourceKind::App, |asked| asked.kind());
        let from = identify(kind, attempt.protocol, &attempt.origin);
        let relay = settings.relays.include(&attempt.origin.source);
        let toll = Toll::of_source(&from, Names::Users, relay);
        let now = self.clock.now().mono;
        let Some(spent) = self.throttle.take_source(settings, &toll, now) else {
            return self.refuse_uncompared(report, Refusal::Throttled).await;
        };
        if let Err(undecided) = self.compare_nothing(&attempt.evidence, report).await {
            let now = self.clock.now().mono;
            self.throttle.give_source_back(spent, now);
            return Err(undecided);
        }
        report
            .refuse(&*self.store, reason, self.clock.now())
            .await?;
        Ok(Round::Verdict(Verdict::Refused(reason)))
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

    /// As [`Core::refuse_uncompared`], for what was refused before in the same words: however often
    /// it comes, it is one event a minute, whatever the reason.
    pub(super) async fn refuse_again(
        &self,
        report: &Report,
        reason: Refusal,
    ) -> Result<Round, Undecided> {
        let waited = self.turns(report).turn().await;
        waited.map_err(|_| Undecided::Busy)?;
        report.refuse_merged(&*self.store, reason, self.clock.now());
        Ok(Round::Verdict(Verdict::Refused(reason)))
    }
}

/// What of the account the protocol's answer carries.
fn fetch(protocol: Protocol) -> Fetch {
    match protocol {
        Protocol::Radius => Fetch::Accept,
        Protocol::Ldap | Protocol::Web | Protocol::AuthPolicy => Fetch::Verdict,
    }
}

#[cfg(test)]
mod tests;
