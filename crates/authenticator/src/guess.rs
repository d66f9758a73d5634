//! Weighing a guess: what is remembered of it, who else makes it at this moment, what it costs its
//! source and the account, and then whether it is looked at (CONTRACT.md 3, 5.1).
//!
//! Accounts and names that nobody has go the same way. What a guess costs, and how long it takes,
//! follows from what was sent (CONTRACT.md 5.2).

use std::sync::Arc;

use doorward_domain::account::Condition;
use doorward_domain::challenge::ChallengeResponse;
use doorward_domain::policy::access::Access;
use doorward_domain::policy::conditions::conditions;
use doorward_domain::policy::lockout::{place_limits, remember_wrong};
use doorward_domain::policy::origins::Identified;
use doorward_domain::refusal::Refusal;
use doorward_domain::rules::{PlaceLimits, PolicySettings};
use doorward_domain::secret::Password;
use doorward_domain::time::Now;
use doorward_store::attempts::AttemptStore;

use super::Core;
use super::challenged;
use super::decision::{Found, LoginTarget, Round};
use super::memory::{Digest, Known, Payment};
use super::nobody::{Guessing, Place};
use super::payment::Paid;
use super::places::{ASK_AGAIN, PATIENCE};
use super::report::{Report, keep_pace};
use super::settings::Settings;
use super::single_flight::{Bucket, FlightKey, FlightResult, Joined, Leader};
use super::throttle::{AccountTokens, Names, Toll, Whom};
use doorward_frontend_api::attempt::Attempt;
use doorward_frontend_api::verdict::{Undecided, Verdict};

/// What is compared.
#[derive(Clone, Copy)]
pub(super) enum Presented<'a> {
    /// A password, with the account's hash.
    Password(&'a Password),
    /// A response to a challenge, with the account's network password.
    Response(&'a ChallengeResponse),
}

/// Whose password it would be.
pub(super) enum GuessedAt<'a> {
    /// An account's.
    Account(&'a Found<'a>),
    /// That of a name that nobody has.
    Nobody(&'a Nobody),
}

/// A name that nobody has.
pub(super) struct Nobody {
    /// Its digest; all spellings of a name have one.
    pub(super) name: String,
    /// Why it is nobody's.
    pub(super) reason: Refusal,
    pub(super) report: Report,
}

/// Something to be weighed.
pub(super) struct Guess<'a> {
    pub(super) settings: &'a Settings,
    pub(super) attempt: &'a Attempt,
    pub(super) asked: &'a LoginTarget,
    pub(super) policy: &'a Arc<PolicySettings>,
    /// Where it comes from.
    pub(super) from: &'a Identified,
    pub(super) at: GuessedAt<'a>,
    pub(super) presented: Presented<'a>,
    pub(super) digest: Digest,
    /// What its source pays for.
    pub(super) payment: Payment,
    /// What is remembered of it.
    pub(super) known: Option<Known>,
    /// Whether the account was let in lately where this comes from.
    pub(super) known_here: bool,
}

impl Guess<'_> {
    pub(super) fn report(&self) -> &Report {
        match self.at {
            GuessedAt::Account(found) => &found.report,
            GuessedAt::Nobody(nobody) => &nobody.report,
        }
    }

    /// The limits of a place. Attempts while locked, at a resource that lets the locked in, count
    /// nothing toward the lock and extend nothing (CONTRACT.md 3.1).
    pub(super) fn limits(&self, now: Now) -> PlaceLimits {
        let limits = place_limits(self.policy, &self.asked.rules, self.known_here, now);
        let locked = match self.at {
            GuessedAt::Account(found) => found.holding.holds(Condition::Locked),
            GuessedAt::Nobody(_) => false,
        };
        PlaceLimits {
            counting: limits.counting && !locked,
            ..limits
        }
    }

    /// Whose buckets it draws from.
    fn toll(&self) -> Toll<'_> {
        Toll {
            from: self.from,
            names: Names::Users,
            relay: self.settings.relays.include(&self.attempt.origin.source),
            known: self.known_here,
            whom: match self.at {
                GuessedAt::Account(found) => Whom::account(&found.record),
                GuessedAt::Nobody(nobody) => Whom::Nobody(nobody.name.clone()),
            },
            resource: self.asked.name.as_ref(),
            threshold: self.policy.lockout.threshold,
        }
    }

    /// Which buckets of the account's it draws from.
    pub(super) fn bucket(&self) -> Bucket {
        let resource = self.asked.name.clone();
        (self.from.key.clone(), resource, self.known_here)
    }

    /// By which name guesses are counted where the store counts none.
    pub(super) fn charged_name(&self) -> String {
        match self.at {
            GuessedAt::Account(found) => found.record.account.to_string(),
            GuessedAt::Nobody(nobody) => nobody.name.clone(),
        }
    }

    /// Why it is refused without being looked at, if it is.
    fn refused_unseen(&self) -> Option<Refusal> {
        let found = match self.at {
            GuessedAt::Account(found) => found,
            GuessedAt::Nobody(nobody) => return Some(nobody.reason),
        };
        if found.holding.holds(Condition::Locked) && self.asked.refuses_locked() {
            return Some(Refusal::Locked);
        }
        let record = &found.record;
        match self.presented {
            Presented::Password(_) if record.password.is_none() => Some(Refusal::PasswordPending),
            Presented::Response(_) if !challenged::admitted(self.settings, self.asked.kind()) => {
                Some(Refusal::NetworkPasswordNotAdmitted)
            }
            Presented::Response(_) if record.network_password.is_none() => {
                Some(Refusal::NoNetworkPassword)
            }
            Presented::Password(_) | Presented::Response(_) => None,
        }
    }

    /// Why it is refused once more, by what is remembered of it. What was right is refused so only
    /// while the account's state refuses it: that may have changed since.
    fn refused_again(&self, known: Known, now: Now) -> Option<Refusal> {
        match known {
            Known::Wrong => Some(match self.at {
                GuessedAt::Account(_) => Refusal::RepeatedWrongPassword,
                GuessedAt::Nobody(nobody) => nobody.reason,
            }),
            Known::NotLookedAt => self.refused_unseen(),
            Known::Right | Known::RightAndRefused => {
                self.refused_unseen().or_else(|| self.refused_by_state(now))
            }
        }
    }

    fn refused_by_state(&self, now: Now) -> Option<Refusal> {
        let GuessedAt::Account(found) = self.at else {
            return None;
        };
        let holding = conditions(&found.record.facts, self.policy, now);
        let asked = self.attempt.asked_for_password_policy;
        match self.asked.judge(holding, found.record.bound, asked) {
            Access::Granted | Access::ChangeOnly => None,
            Access::Refused(reason) => Some(reason),
        }
    }
}

impl<S: AttemptStore> Core<S> {
    /// Weighs a guess: its source pays for it, and gets back what leads somewhere.
    pub(super) async fn weigh(&self, guess: &Guess<'_>) -> Result<Round, Undecided> {
        let toll = guess.toll();
        let span = remember_wrong(guess.policy);
        let Some(paid) = self.pay(guess.settings, &toll, guess.payment, span) else {
            return self
                .refuse_uncompared(guess.report(), Refusal::Throttled)
                .await;
        };
        let (settled, weighed) = self.weigh_paid(guess, &paid).await;
        if !settled {
            self.pay_back(paid);
        }
        weighed
    }

    /// Weighs a guess, alone or together with everybody who makes the same one; and whether its
    /// price is spent, which does not follow from the answer alone: what was settled may be told
    /// busy for want of a turn.
    async fn weigh_paid(&self, guess: &Guess<'_>, paid: &Paid) -> (bool, Result<Round, Undecided>) {
        let now = self.clock.now();
        let known = guess.known;
        if let Some(reason) = known.and_then(|known| guess.refused_again(known, now)) {
            return if paid.before() {
                // Only what ends in a grant may go without a turn (CONTRACT.md 5.2).
                refused(self.refuse_again(guess.report(), reason).await)
            } else {
                let worked = self.work_unseen(guess, reason).await;
                refused(worked.map(|()| Round::Verdict(Verdict::Refused(reason))))
            };
        }
        let key = FlightKey {
            digest: guess.digest,
            counting: guess.limits(now).counting,
        };
        let follow = match self.flights.join(key) {
            Joined::Leader(lead) => {
                let (result, round) = match self.completed_before(guess) {
                    Some(result) => (result, Ok(Round::Again)),
                    None => self.charge(guess).await,
                };
                let settled = result.is_settled();
                Leader::complete(lead, result);
                return (settled, round);
            }
            Joined::Follower(follow) => follow,
        };
        refused(match follow.result().await {
            FlightResult::Right => self.admit_after_another(guess).await,
            FlightResult::Throttled(whose) if whose == guess.bucket() => {
                self.refuse_again(guess.report(), Refusal::Throttled).await
            }
            // Not asked of the memory, which may have let it go: to lead after all would count one
            // guess twice (CONTRACT.md 3.4).
            FlightResult::Remembered(known) => match guess.refused_again(known, self.clock.now()) {
                // It was compared, whether or not there is a turn to say so.
                Some(reason) => return (true, self.refuse_again(guess.report(), reason).await),
                None => Ok(Round::Again),
            },
            // It was another's bucket that was empty.
            FlightResult::Moved | FlightResult::Throttled(_) => Ok(Round::Again),
            FlightResult::Undecided(undecided) | FlightResult::Spent(undecided) => Err(undecided),
        })
    }

    /// How the guess ended, where something else is remembered of it than when it was looked up.
    /// Whoever led before remembers it and then completes, so between that look and joining both may
    /// have happened; to lead again would count one guess twice (CONTRACT.md 3.4).
    fn completed_before(&self, guess: &Guess<'_>) -> Option<FlightResult> {
        let now = self.clock.now().mono;
        let known = self.memory.recall(&guess.digest, now);
        (known != guess.known).then(|| known.map_or(FlightResult::Moved, FlightResult::Remembered))
    }

    /// Takes the account's tokens of one guess, however many sent it, and looks at it.
    async fn charge(&self, guess: &Guess<'_>) -> (FlightResult, Result<Round, Undecided>) {
        let now = self.clock.now().mono;
        let toll = guess.toll();
        // What a relay announced is charged to its client, and not to all its clients together.
        let announced = toll.relay && self.announced.is_announced(&toll.whom, toll.resource, now);
        let account = if announced {
            Some(AccountTokens::default())
        } else {
            self.throttle.take_account(guess.settings, &toll, now)
        };
        let right = guess.known == Some(Known::Right);
        let account = match account {
            Some(account) => account,
            None if right && self.throttle.may_match(guess.settings, &toll, now) => {
                AccountTokens::default()
            }
            None => {
                if !right {
                    self.throttle.miss(guess.settings, &toll, now);
                }
                // The lock is the truer reason to log.
                let reason = guess.refused_unseen().unwrap_or(Refusal::Throttled);
                let refused = self.refuse_again(guess.report(), reason).await;
                return (FlightResult::Throttled(guess.bucket()), refused);
            }
        };
        let (result, round) = match (&guess.at, guess.refused_unseen()) {
            (_, Some(reason)) => self.guess_unseen(guess, reason).await,
            (GuessedAt::Account(found), None) => self.compare_in_a_place(guess, found).await,
            (GuessedAt::Nobody(nobody), None) => self.guess_unseen(guess, nobody.reason).await,
        };
        if result == FlightResult::Right {
            self.throttle.matched(guess.settings, &toll);
        }
        if !result.is_settled() {
            let now = self.clock.now().mono;
            self.throttle.give_account_back(account, now);
        }
        (result, round)
    }

    /// Guesses at what is not looked at, in a place as an account has that is: who is told busy
    /// tells nothing.
    async fn guess_unseen(
        &self,
        guess: &Guess<'_>,
        reason: Refusal,
    ) -> (FlightResult, Result<Round, Undecided>) {
        let place = match self.unseen_place(guess).await {
            Ok(place) => place,
            Err(undecided) => return no_verdict(undecided),
        };
        let (result, round) = self.refuse_unseen(guess, reason).await;
        if let (FlightResult::Remembered(_), Some(place)) = (&result, place) {
            place.settle(guess.policy, self.clock.now().mono);
        }
        (result, round)
    }

    async fn unseen_place(&self, guess: &Guess<'_>) -> Result<Option<Guessing>, Undecided> {
        if !guess.asked.rules.counts_failures() {
            return Ok(None);
        }
        let name = guess.charged_name();
        let take = || {
            let now = self.clock.now().mono;
            match self.nobodies.take(&name, guess.policy, now) {
                Place::Taken(place) => Some(Some(place)),
                Place::Locked => Some(None),
                Place::Full => None,
            }
        };
        if let Some(taken) = take() {
            return Ok(taken);
        }
        // As long as an account that is full has everybody wait, and after the commit that told it.
        keep_pace(&*self.store).await?;
        let ask_again = async {
            loop {
                if let Some(taken) = take() {
                    return taken;
                }
                tokio::time::sleep(ASK_AGAIN).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, ask_again).await;
        waited.map_err(|_| Undecided::Busy)
    }

    /// Refuses what is not looked at, at the pace of what is: two commits, and between them the
    /// work of a comparison.
    pub(super) async fn refuse_unseen(
        &self,
        guess: &Guess<'_>,
        reason: Refusal,
    ) -> (FlightResult, Result<Round, Undecided>) {
        match self.work_unseen(guess, reason).await {
            Ok(()) => {
                let known = Known::NotLookedAt;
                self.remember(guess, known);
                let verdict = Verdict::Refused(reason);
                (FlightResult::Remembered(known), Ok(Round::Verdict(verdict)))
            }
            Err(undecided) => no_verdict(undecided),
        }
    }

    async fn work_unseen(&self, guess: &Guess<'_>, reason: Refusal) -> Result<(), Undecided> {
        let report = guess.report();
        keep_pace(&*self.store).await?;
        let worked = self.compare_nothing(&guess.attempt.evidence, report).await;
        if let Err(undecided) = worked {
            // What had no room in the queue gives its place back in a commit.
            keep_pace(&*self.store).await?;
            return Err(undecided);
        }
        report
            .refuse_in_a_commit(&*self.store, reason, self.clock.now())
            .await
    }

    /// Remembers what became of a guess for as long as it counts.
    pub(super) fn remember(&self, guess: &Guess<'_>, known: Known) {
        let span = remember_wrong(guess.policy);
        let now = self.clock.now().mono;
        self.memory.remember(guess.digest, known, now, span);
    }
}

/// What of a guess is spent by an answer: its price, where that is a refusal.
fn refused(round: Result<Round, Undecided>) -> (bool, Result<Round, Undecided>) {
    let spent = matches!(round, Ok(Round::Verdict(Verdict::Refused(_))));
    (spent, round)
}

pub(super) fn no_verdict(undecided: Undecided) -> (FlightResult, Result<Round, Undecided>) {
    (FlightResult::Undecided(undecided.clone()), Err(undecided))
}
