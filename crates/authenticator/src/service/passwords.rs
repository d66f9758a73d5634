//! Weighing a guess at a service account's password (CONTRACT.md 3.6, 3.7, 5.2): what its source pays,
//! who else makes it at this moment, and what it is held against.
//!
//! A guess is spent with the first hash that is computed for it, and names that nobody has go the way
//! of accounts.

use std::time::Duration;

use doorward_domain::origin::{OriginKey, Source};
use doorward_domain::policy::origins::Identified;
use doorward_domain::refusal::Refusal;
use doorward_domain::secret::Password;
use doorward_hashing::{Comparison, Lane, QueueFull, Turns};
use doorward_store::attempts::{AttemptStore, ServiceRecord};

use crate::Core;
use crate::ahead::{Pass, There};
use crate::memory::{Digest, Known};
use crate::payment::Paid;
use crate::report::Report;
use crate::settings::Settings;
use crate::single_flight::{FlightKey, FlightResult, Joined, Leader};
use crate::throttle::{Names, Toll, Whom};
use doorward_frontend_api::verdict::{ServiceVerdict, Undecided};

/// How long a wrong password of a service account is remembered.
const REMEMBER_WRONG: Duration = Duration::from_mins(30);

/// How many passwords of a service account are live at most (CONTRACT.md 3.8).
const SERVICE_HASHES: usize = 2;

/// Whose password it would be.
pub(super) enum GuessedAt<'a> {
    /// An account's that is looked at.
    Account(&'a ServiceRecord),
    /// One that is not looked at, and why it is refused.
    Unseen(Refusal),
}

/// Something to be weighed.
pub(super) struct ServiceGuess<'a> {
    pub(super) settings: &'a Settings,
    pub(super) source: &'a Source,
    /// Whose bucket it draws from.
    pub(super) from: &'a Identified,
    /// Whether that is spared, as a relay.
    pub(super) relay: bool,
    /// The name, in the form that is compared.
    pub(super) name: &'a str,
    pub(super) at: GuessedAt<'a>,
    pub(super) password: &'a Password,
    pub(super) digest: Digest,
    pub(super) report: &'a Report,
}

impl ServiceGuess<'_> {
    fn toll(&self) -> Toll<'_> {
        let toll = Toll::of_source(self.from, Names::Services, self.relay);
        match self.at {
            GuessedAt::Account(record) => Toll {
                whom: Whom::Service(record.service),
                ..toll
            },
            GuessedAt::Unseen(_) => toll,
        }
    }

    /// Why it is refused again, going by what is remembered of it, if it is.
    fn refused_again(&self, known: Known) -> Option<Refusal> {
        match (&self.at, known) {
            (GuessedAt::Unseen(reason), _) => Some(*reason),
            (GuessedAt::Account(_), Known::Wrong) => Some(Refusal::RepeatedWrongPassword),
            (GuessedAt::Account(_), _) => None,
        }
    }

    /// What is the same guess. What is not looked at has another key: it lands for itself.
    fn flight(&self) -> FlightKey {
        FlightKey {
            digest: self.digest,
            counting: matches!(self.at, GuessedAt::Account(_)),
        }
    }

    /// Whether it comes from an address that an administrator gave to the account. A network that
    /// was given is not known for it, in which anybody may have an address.
    fn comes_from_its_own_address(&self, record: &ServiceRecord) -> bool {
        self.source.address().is_some_and(|address| {
            let alone = |net: &&ipnet::IpNet| net.prefix_len() == net.max_prefix_len();
            let mut own = record.sources.iter().filter(alone);
            own.any(|net| net.contains(&address))
        })
    }
}

impl<S: AttemptStore> Core<S> {
    /// Weighs a guess: its source pays for it, and gets back what leads somewhere.
    pub(super) async fn weigh_service(
        &self,
        guess: &ServiceGuess<'_>,
    ) -> Result<ServiceVerdict, Undecided> {
        let known = self.recall_service(guess);
        let paid = match self.pay_for_service(guess) {
            Some(paid) => paid,
            // Nothing is taken: there is nothing to give back.
            None if self.may_enter_unpaid(guess, known) => Paid::Before,
            None => {
                return self
                    .refuse_service_again(guess.report, Refusal::Throttled)
                    .await;
            }
        };
        let (spent, verdict) = self.weigh_paid_service(guess, known, &paid).await;
        if !spent {
            self.pay_back(paid);
        }
        verdict
    }

    /// Has the source pay for a password; none where it cannot.
    fn pay_for_service(&self, guess: &ServiceGuess<'_>) -> Option<Paid> {
        let sent: [&[u8]; 2] = [b"service", guess.password.as_bytes()];
        let payment = self.memory.payment(&guess.from.key, guess.name, &sent);
        self.pay(guess.settings, &guess.toll(), payment, REMEMBER_WRONG)
    }

    /// Whether a password that its source cannot pay for lets in all the same: it is remembered as
    /// right, and not too many others were tried since. Whoever may bind from a host could shut out the
    /// service account that the host itself binds as.
    fn may_enter_unpaid(&self, guess: &ServiceGuess<'_>, known: Option<Known>) -> bool {
        if let GuessedAt::Unseen(_) = guess.at {
            return false;
        }
        let now = self.clock.now().mono;
        match known {
            Some(Known::Right) => self.throttle.may_match(guess.settings, &guess.toll(), now),
            Some(Known::Wrong) => false,
            _ => {
                self.throttle.miss(guess.settings, &guess.toll(), now);
                false
            }
        }
    }

    /// Weighs a guess, alone or together with everybody who makes the same one; and whether its price
    /// is spent, which does not follow from the answer alone: what was settled may be told busy for
    /// want of a turn.
    async fn weigh_paid_service(
        &self,
        guess: &ServiceGuess<'_>,
        mut known: Option<Known>,
        paid: &Paid,
    ) -> (bool, Result<ServiceVerdict, Undecided>) {
        loop {
            if known == Some(Known::Right)
                && let GuessedAt::Account(record) = guess.at
            {
                return (false, self.let_in(guess, record).await);
            }
            if let Some(reason) = known.and_then(|known| guess.refused_again(known)) {
                return self.refuse_known(guess.report, reason, paid).await;
            }
            let result = match self.flights.join(guess.flight()) {
                Joined::Follower(follow) => follow.result().await,
                Joined::Leader(lead) => {
                    let Some(result) = self.service_completed_before(guess, known) else {
                        return self.lead_service(guess, lead).await;
                    };
                    lead.complete(result.clone());
                    result
                }
            };
            let spent = result.is_settled();
            known = match result {
                FlightResult::Right => Some(Known::Right),
                FlightResult::Remembered(known) => match guess.refused_again(known) {
                    Some(reason) => {
                        let refused = self.refuse_service_again(guess.report, reason).await;
                        return (spent, refused);
                    }
                    None => Some(known),
                },
                FlightResult::Moved | FlightResult::Throttled(_) => self.recall_service(guess),
                FlightResult::Undecided(undecided) | FlightResult::Spent(undecided) => {
                    return (spent, Err(undecided));
                }
            };
        }
    }

    /// How a guess landed of which something else is remembered than when it was looked up: whoever led
    /// before remembers it and then completes, so both may have happened since that look.
    fn service_completed_before(
        &self,
        guess: &ServiceGuess<'_>,
        known: Option<Known>,
    ) -> Option<FlightResult> {
        let since = self.recall_service(guess);
        (since != known).then_some(match since {
            None => FlightResult::Moved,
            Some(Known::Right) => FlightResult::Right,
            Some(known) => FlightResult::Remembered(known),
        })
    }

    /// Refuses what is remembered as refused: without a hash where its source paid for it before.
    async fn refuse_known(
        &self,
        report: &Report,
        reason: Refusal,
        paid: &Paid,
    ) -> (bool, Result<ServiceVerdict, Undecided>) {
        if paid.before() {
            return (true, self.refuse_service_again(report, reason).await);
        }
        match self.work_for_nobody(report).await {
            (_, Ok(())) => (true, self.refuse_service(report, reason).await),
            (spent, Err(undecided)) => (spent, Err(undecided)),
        }
    }

    /// Decides a guess for all who make it at this moment.
    async fn lead_service(
        &self,
        guess: &ServiceGuess<'_>,
        lead: Leader,
    ) -> (bool, Result<ServiceVerdict, Undecided>) {
        let (result, owed) = match guess.at {
            GuessedAt::Account(record) => self.compare_service(guess, record).await,
            GuessedAt::Unseen(_) => match self.work_for_nobody(guess.report).await {
                (false, Err(undecided)) => {
                    (FlightResult::Undecided(undecided.clone()), Err(undecided))
                }
                (_, worked) => (FlightResult::Remembered(Known::NotLookedAt), worked),
            },
        };
        match result {
            FlightResult::Right => self.remember_service(guess, Known::Right),
            FlightResult::Remembered(known) => self.remember_service(guess, known),
            _ => {}
        }
        let spent = result.is_settled();
        lead.complete(result);
        let verdict = match (&guess.at, owed) {
            (_, Err(undecided)) => Err(undecided),
            (GuessedAt::Account(record), Ok(())) if !spent => self.let_in(guess, record).await,
            (GuessedAt::Account(_), Ok(())) => {
                self.refuse_service(guess.report, Refusal::WrongPassword)
                    .await
            }
            (GuessedAt::Unseen(reason), Ok(())) => self.refuse_service(guess.report, *reason).await,
        };
        (spent, verdict)
    }

    /// Lets an account in whose password is right.
    async fn let_in(
        &self,
        guess: &ServiceGuess<'_>,
        record: &ServiceRecord,
    ) -> Result<ServiceVerdict, Undecided> {
        self.remember_service(guess, Known::Right);
        self.throttle.matched(guess.settings, &guess.toll());
        let seen = (record.service, guess.source.aggregate());
        self.services_seen.insert(seen, ());
        self.grant_service(guess.report, record).await
    }

    fn remember_service(&self, guess: &ServiceGuess<'_>, known: Known) {
        let span = match known {
            Known::Right => guess.settings.remember_for,
            _ => REMEMBER_WRONG,
        };
        let now = self.clock.now().mono;
        self.memory.remember(guess.digest, known, now, span);
    }

    fn recall_service(&self, guess: &ServiceGuess<'_>) -> Option<Known> {
        self.memory.recall(&guess.digest, self.clock.now().mono)
    }

    /// Holds a password against the account's; and whether all was done that a refusal owes. A wrong
    /// one costs as many hashes as an account may have passwords, so that time does not tell how many
    /// there are, and as many turns among those who are not known as hashes went ahead of them.
    async fn compare_service(
        &self,
        guess: &ServiceGuess<'_>,
        record: &ServiceRecord,
    ) -> (FlightResult, Result<(), Undecided>) {
        let there = There {
            whom: Whom::Service(record.service),
            origin: OriginKey::new(guess.source.aggregate().to_string()),
        };
        let pass = self.service_pass(guess, record, &there);
        let ahead = pass.is_some();
        let (compared, right) = self.compare_hashes(guess, record, ahead).await;
        let now = self.clock.now().mono;
        match right {
            Ok(true) => {
                self.ahead.granted(&there, pass, now);
                (FlightResult::Right, Ok(()))
            }
            Ok(false) => {
                let turns = if ahead { compared } else { 0 };
                let owed = self.work_off(guess.report, compared, turns).await;
                (FlightResult::Remembered(Known::Wrong), owed)
            }
            Err(undecided) if compared == 0 => {
                self.ahead.undecided(pass, now);
                (FlightResult::Undecided(undecided.clone()), Err(undecided))
            }
            Err(undecided) => (FlightResult::Spent(undecided.clone()), Err(undecided)),
        }
    }

    /// A pass to go ahead of the strangers, where the account is known and there is one left.
    fn service_pass(
        &self,
        guess: &ServiceGuess<'_>,
        record: &ServiceRecord,
        there: &There,
    ) -> Option<Pass> {
        let seen = (record.service, guess.source.aggregate());
        let known_here =
            guess.comes_from_its_own_address(record) || self.services_seen.contains_key(&seen);
        if !known_here {
            return None;
        }
        self.ahead.pass(there, self.clock.now().mono)
    }

    /// Whether a password is one of the account's, ahead of the strangers or among them; and how many
    /// hashes it was held against.
    async fn compare_hashes(
        &self,
        guess: &ServiceGuess<'_>,
        record: &ServiceRecord,
        ahead: bool,
    ) -> (usize, Result<bool, Undecided>) {
        let mut compared = 0;
        for hash in &record.passwords {
            let turns = self.service_turns(guess.report);
            let turns = if ahead { turns.known() } else { turns };
            let password = guess.password.clone();
            match turns.verify(hash.clone(), password).await {
                Err(QueueFull) => return (compared, Err(Undecided::Busy)),
                Ok(Comparison::Wrong) => compared += 1,
                Ok(Comparison::Right { needs_rehash }) => {
                    if needs_rehash {
                        let password = guess.password.clone();
                        self.rehash_service_later(record.service, hash.clone(), password);
                    }
                    return (compared, Ok(true));
                }
            }
        }
        (compared, Ok(false))
    }

    /// Does what a wrong password owes: the hashes that it was spared, and turns.
    async fn work_off(
        &self,
        report: &Report,
        compared: usize,
        turns: usize,
    ) -> Result<(), Undecided> {
        for _ in compared..SERVICE_HASHES {
            self.service_dummy(report).await?;
        }
        for _ in 0..turns {
            self.service_turn(report).await?;
        }
        Ok(())
    }

    /// Computes what a wrong password costs, and says nothing by it; and whether any of it was
    /// computed, which spends the guess as it would at an account.
    pub(super) async fn work_for_nobody(&self, report: &Report) -> (bool, Result<(), Undecided>) {
        for hash in 0..SERVICE_HASHES {
            if let Err(undecided) = self.service_dummy(report).await {
                return (hash > 0, Err(undecided));
            }
        }
        (true, Ok(()))
    }

    async fn service_dummy(&self, report: &Report) -> Result<(), Undecided> {
        let dummy = self.service_turns(report).dummy().await;
        dummy.map_err(|QueueFull| Undecided::Busy)
    }

    /// Waits a turn among those who are not known.
    pub(super) async fn service_turn(&self, report: &Report) -> Result<(), Undecided> {
        let turn = self.service_turns(report).turn().await;
        turn.map_err(|QueueFull| Undecided::Busy)
    }

    fn service_turns(&self, report: &Report) -> Turns<'_> {
        self.turns_in(Lane::Service, report)
    }
}
