//! Comparing a password: throttle; place; remembered right password or hash; other conditions and
//! binding; one commit that settles it all (CONTRACT.md 3, 5.1).

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::domain::event::Outcome;
use crate::domain::id::PlaceId;
use crate::domain::refusal::Refusal;
use crate::domain::rules::PlaceLimits;
use crate::domain::secret::Password;
use crate::domain::time::Now;
use crate::hashing::Comparison;
use crate::policy::access::Access;
use crate::policy::conditions::conditions;
use crate::policy::reply::merge;
use crate::policy::time_spans::expiry_warning;
use crate::store::attempts::{
    AttemptStore, PreviousPassword, SettleAnswer, Settled, Settlement, TakePlace,
};
use crate::store::records::{MailKind, NewMail};

use super::Core;
use super::attempt::Attempt;
use super::decision::{Found, Round, guessed_at};
use super::flights::{Boarding, FlightKey, Landing, Lead};
use super::memory::{Digest, Known};
use super::places::Placed;
use super::report;
use super::settings::Settings;
use super::throttle::Whom;
use super::verdict::{Authenticated, ChangeProof, Undecided, Verdict};

/// How long a previous password is stale rather than wrong (CONTRACT.md 3.5).
const STALE_FOR: Duration = Duration::from_hours(30 * 24);

/// A password to be compared with that of an account that was found.
pub(super) struct Guess<'a> {
    pub(super) settings: &'a Settings,
    pub(super) attempt: &'a Attempt,
    pub(super) found: &'a Found<'a>,
    pub(super) password: &'a Password,
    pub(super) digest: Digest,
    /// What is remembered of it.
    pub(super) known: Option<Known>,
    pub(super) limits: PlaceLimits,
}

impl<S: AttemptStore> Core<S> {
    /// Compares the password, alone or together with everybody who sent the same one.
    pub(super) async fn compare(&self, guess: &Guess<'_>) -> Result<Round, Undecided> {
        let key = FlightKey {
            digest: guess.digest,
            counting: guess.limits.counting,
        };
        let follow = match self.flights.board(key) {
            Boarding::Lead(lead) => {
                let (landing, round) = if self.has_become_wrong(guess) {
                    let reason = Refusal::RepeatedWrongPassword;
                    let refused = self.refuse_uncompared(&guess.found.report, reason).await;
                    (Landing::Wrong, refused)
                } else {
                    self.lead(guess).await
                };
                Lead::land(lead, landing);
                return round;
            }
            Boarding::Follow(follow) => follow,
        };
        match follow.landing().await {
            Landing::Right => self.admit(guess, None).await,
            Landing::Wrong => {
                let reason = Refusal::RepeatedWrongPassword;
                let report = &guess.found.report;
                report
                    .refuse(&*self.store, reason, self.clock.now())
                    .await?;
                Ok(Round::Verdict(Verdict::Refused(reason)))
            }
            Landing::Moved => Ok(Round::Again),
            Landing::Throttled => {
                self.refuse_uncompared(&guess.found.report, Refusal::Throttled)
                    .await
            }
            Landing::Undecided(undecided) => Err(undecided),
        }
    }

    /// Whether the password is remembered as wrong by now. Whoever led before remembers it and
    /// then lands, so between the look that began this attempt and its boarding both may have
    /// happened; to lead again would count one guess twice (CONTRACT.md 3.4).
    fn has_become_wrong(&self, guess: &Guess<'_>) -> bool {
        let now = self.clock.now().mono;
        self.memory.recall(&guess.digest, now) == Some(Known::Wrong)
    }

    /// Takes the tokens of one guess, however many sent it, and compares it.
    async fn lead(&self, guess: &Guess<'_>) -> (Landing, Result<Round, Undecided>) {
        let found = guess.found;
        let (protocol, origin) = (guess.attempt.protocol, &guess.attempt.origin);
        let now = self.clock.now().mono;
        let resource = found.asked.name.as_ref();
        let whom = Whom::Account(found.record.account, found.record.epoch);
        // What a relay announced is charged to its client, and not to all its clients together.
        let announced = guess.settings.relays.include(&origin.source)
            && self.announced.is_announced(&whom, resource, now);
        let target = (!announced).then(|| guessed_at(found));
        let Some(tokens) = self
            .throttle
            .take(guess.settings, protocol, origin, target, now)
        else {
            let refused = self
                .refuse_uncompared(&found.report, Refusal::Throttled)
                .await;
            return (Landing::Throttled, refused);
        };
        let (landing, round) = self.compare_in_a_place(guess).await;
        // Only a wrong password that nobody had tried keeps the tokens.
        if landing != Landing::Wrong {
            self.throttle.give_back(tokens, self.clock.now().mono);
        }
        (landing, round)
    }

    async fn compare_in_a_place(&self, guess: &Guess<'_>) -> (Landing, Result<Round, Undecided>) {
        let record = &guess.found.record;
        let take = TakePlace {
            account: record.account,
            epoch: record.epoch,
            origin: guess.attempt.origin.key(),
            at: self.clock.now().wall,
            limits: guess.limits,
        };
        let place = match self.places.take(&*self.store, &*self.clock, take).await {
            Err(undecided) => return no_verdict(undecided),
            Ok(Placed::NoneFree) => return no_verdict(Undecided::Busy),
            Ok(Placed::Moved) => return (Landing::Moved, Ok(Round::Again)),
            Ok(Placed::Slowed) => {
                let report = &guess.found.report;
                let refused = self.refuse_uncompared(report, Refusal::Throttled).await;
                return (Landing::Throttled, refused);
            }
            Ok(Placed::Taken(place)) => place,
        };
        let compared = match (guess.known, &record.password) {
            (Some(Known::Right), _) => Ok(Comparison::Right {
                needs_rehash: false,
            }),
            (_, Some(hash)) => self.pool.verify(hash.clone(), guess.password.clone()).await,
            (_, None) => Ok(Comparison::Wrong),
        };
        let round = match compared {
            Err(_) => {
                if let Err(error) = self.store.give_back(place).await {
                    tracing::warn!(%error, "a place was not given back; it lapses by itself");
                }
                Err(Undecided::Busy)
            }
            Ok(Comparison::Wrong) => self.count_wrong(guess, place).await,
            Ok(Comparison::Right { needs_rehash }) => {
                let (now, span) = (self.clock.now().mono, guess.settings.remember_for);
                self.memory.remember(guess.digest, Known::Right, now, span);
                if let (true, Some(old)) = (needs_rehash, &record.password) {
                    self.rehash_later(record.account, old.clone(), guess.password.clone());
                }
                self.admit(guess, Some(place)).await
            }
        };
        self.places.freed(record.account);
        let landing = match &round {
            Err(undecided) => Landing::Undecided(undecided.clone()),
            Ok(Round::Again) => Landing::Moved,
            Ok(Round::Verdict(Verdict::Refused(Refusal::WrongPassword))) => Landing::Wrong,
            Ok(Round::Verdict(_)) => Landing::Right,
        };
        (landing, round)
    }

    /// Settles a wrong password; what it may have been besides wrong is asked after the answer.
    async fn count_wrong(&self, guess: &Guess<'_>, place: PlaceId) -> Result<Round, Undecided> {
        let Guess { found, limits, .. } = guess;
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
                    origin: guess.attempt.origin.key(),
                    counting: limits.counting,
                    provisional: previous.is_some(),
                },
                limits: *limits,
                event,
                mail_if_locked: Some(NewMail {
                    account: found.record.account,
                    kind: MailKind::Locked,
                    details: serde_json::json!({ "resource": found.asked.name }),
                }),
            })
            .await?;
        let window = found.policy.lockout.window;
        self.memory
            .remember(guess.digest, Known::Wrong, now.mono, window);
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
                guess.password.clone(),
                (failure, event),
                *limits,
            );
        }
        Ok(Round::Verdict(Verdict::Refused(reason)))
    }

    /// Admits, or refuses for another reason than the password, which is right.
    async fn admit(&self, guess: &Guess<'_>, place: Option<PlaceId>) -> Result<Round, Undecided> {
        let Guess {
            attempt,
            found,
            limits,
            ..
        } = guess;
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
                limits: *limits,
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
                reply: merge(record.reply.clone()).attributes(),
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

fn stale_candidate(found: &Found<'_>, now: Now) -> Option<PreviousPassword> {
    found
        .record
        .previous
        .as_ref()
        .filter(|previous| now.wall < previous.replaced_at.plus(STALE_FOR))
        .cloned()
}
