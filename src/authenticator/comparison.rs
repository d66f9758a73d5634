//! Comparing a password: throttle; place; remembered right password or hash; other conditions and
//! binding; one commit that settles it all (CONTRACT.md 3, 5.1).

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::domain::challenge::ChallengeResponse;
use crate::domain::event::Outcome;
use crate::domain::id::PlaceId;
use crate::domain::refusal::Refusal;
use crate::domain::rules::PlaceLimits;
use crate::domain::secret::Password;
use crate::domain::time::Now;
use crate::hashing::{Comparison, QueueFull};
use crate::policy::access::Access;
use crate::policy::conditions::conditions;
use crate::policy::reply::merge;
use crate::policy::time_spans::expiry_warning;
use crate::store::attempts::{
    AttemptStore, PreviousPassword, SettleAnswer, Settled, Settlement, TakePlace,
};
use crate::store::records::{MailKind, NewMail};

use super::Core;
use super::afterwards::Suspected;
use super::attempt::Attempt;
use super::challenged::{Answered, hold_against};
use super::decision::{Found, Round, guessed_at};
use super::flights::{Boarding, FlightKey, Landing, Lead};
use super::memory::{Digest, Known};
use super::places::Placed;
use super::report;
use super::settings::Settings;
use super::throttle::Whom;
use super::verdict::{Authenticated, ChangeProof, MsChapV2Success, Undecided, Verdict};

/// How long a previous password is stale rather than wrong (CONTRACT.md 3.5).
const STALE_FOR: Duration = Duration::from_hours(30 * 24);

/// What is compared.
#[derive(Clone, Copy)]
pub(super) enum Presented<'a> {
    /// A password, with the account's hash.
    Password(&'a Password),
    /// A response to a challenge, with the account's network password.
    Response(&'a ChallengeResponse),
}

/// What comparing showed.
enum Compared {
    /// Right; for MS-CHAPv2 what the peer is to be shown in return.
    Right(Option<MsChapV2Success>),
    /// Wrong, or stale: for a password that is asked after the answer.
    Wrong(Suspicion),
    /// There is no saying.
    Unreadable,
}

/// What a wrong guess may be besides wrong (CONTRACT.md 3.5).
enum Suspicion {
    /// Nothing.
    None,
    /// The previous password, whose hash is to be compared after the answer.
    Previous(PreviousPassword, Password),
    /// The former network password, as is known already.
    Stale,
}

/// Something to be compared with what an account that was found has.
pub(super) struct Guess<'a> {
    pub(super) settings: &'a Settings,
    pub(super) attempt: &'a Attempt,
    pub(super) found: &'a Found<'a>,
    pub(super) presented: Presented<'a>,
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
            Landing::Right => self.admit_after_another(guess).await,
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
        let compared = match guess.presented {
            Presented::Password(password) => self.compare_password(guess, password).await,
            Presented::Response(response) => self.compare_response(guess, response).await,
        };
        let round = match compared {
            Err(QueueFull) => {
                if let Err(error) = self.store.give_back(place).await {
                    tracing::warn!(%error, "a place was not given back; it lapses by itself");
                }
                Err(Undecided::Busy)
            }
            Ok(Compared::Wrong(suspicion)) => self.count_wrong(guess, place, suspicion).await,
            Ok(Compared::Right(success)) => self.admit(guess, Some(place), success).await,
            Ok(Compared::Unreadable) => self.refuse_unreadable(guess, place).await,
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

    /// Holds a password against the account's hash, or what is remembered of it.
    async fn compare_password(
        &self,
        guess: &Guess<'_>,
        password: &Password,
    ) -> Result<Compared, QueueFull> {
        let record = &guess.found.record;
        let compared = match (guess.known, &record.password) {
            (Some(Known::Right), _) => Comparison::Right {
                needs_rehash: false,
            },
            (_, Some(hash)) => {
                let turns = self.turns(&guess.found.report);
                turns.verify(hash.clone(), password.clone()).await?
            }
            (_, None) => Comparison::Wrong,
        };
        Ok(match compared {
            Comparison::Wrong => {
                let previous = stale_candidate(guess.found, self.clock.now());
                Compared::Wrong(previous.map_or(Suspicion::None, |previous| {
                    Suspicion::Previous(previous, password.clone())
                }))
            }
            Comparison::Right { needs_rehash } => {
                let (now, span) = (self.clock.now().mono, guess.settings.remember_for);
                self.memory.remember(guess.digest, Known::Right, now, span);
                if let (true, Some(old)) = (needs_rehash, &record.password) {
                    self.rehash_later(record.account, old.clone(), password.clone());
                }
                Compared::Right(None)
            }
        })
    }

    /// Holds a response against the account's network password. It takes its turn in the queue as
    /// every comparison does; a right one is not remembered, since computing it again costs less.
    async fn compare_response(
        &self,
        guess: &Guess<'_>,
        response: &ChallengeResponse,
    ) -> Result<Compared, QueueFull> {
        self.turns(&guess.found.report).turn().await?;
        let now = self.clock.now();
        Ok(
            match hold_against(guess.settings, guess.found, response, now) {
                Answered::Right(success) => Compared::Right(success),
                Answered::Stale => Compared::Wrong(Suspicion::Stale),
                Answered::Wrong => Compared::Wrong(Suspicion::None),
                Answered::Unreadable => Compared::Unreadable,
            },
        )
    }

    /// Admits whoever sent what another's comparison showed to be right.
    async fn admit_after_another(&self, guess: &Guess<'_>) -> Result<Round, Undecided> {
        let Presented::Response(response) = guess.presented else {
            return self.admit(guess, None, None).await;
        };
        let now = self.clock.now();
        match hold_against(guess.settings, guess.found, response, now) {
            Answered::Right(success) => self.admit(guess, None, success).await,
            Answered::Stale | Answered::Wrong | Answered::Unreadable => {
                let reason = Refusal::NetworkPasswordUnreadable;
                self.refuse_uncompared(&guess.found.report, reason).await
            }
        }
    }

    /// Refuses where nothing could be compared, and counts nothing. Silence would have clients
    /// take the gateway for dead because of one account.
    async fn refuse_unreadable(
        &self,
        guess: &Guess<'_>,
        place: PlaceId,
    ) -> Result<Round, Undecided> {
        if let Err(error) = self.store.give_back(place).await {
            tracing::warn!(%error, "a place was not given back; it lapses by itself");
        }
        let reason = Refusal::NetworkPasswordUnreadable;
        self.refuse_uncompared(&guess.found.report, reason).await
    }

    /// Settles a wrong password; what it may have been besides wrong is asked after the answer.
    async fn count_wrong(
        &self,
        guess: &Guess<'_>,
        place: PlaceId,
        suspicion: Suspicion,
    ) -> Result<Round, Undecided> {
        let Guess { found, limits, .. } = guess;
        let now = self.clock.now();
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
                    provisional: !matches!(suspicion, Suspicion::None),
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
        if let SettleAnswer::Done {
            failure: Some(failure),
            event,
            ..
        } = answer
        {
            let suspected = Suspected {
                account: found.record.account,
                resource: found.asked.name.clone(),
                failure,
                event,
                limits: *limits,
            };
            match suspicion {
                Suspicion::None => {}
                Suspicion::Previous(previous, password) => {
                    self.check_stale_later(suspected, previous, password);
                }
                Suspicion::Stale => self.confirm_stale_later(suspected),
            }
        }
        Ok(Round::Verdict(Verdict::Refused(reason)))
    }

    /// Admits, or refuses for another reason than the password, which is right.
    async fn admit(
        &self,
        guess: &Guess<'_>,
        place: Option<PlaceId>,
        success: Option<MsChapV2Success>,
    ) -> Result<Round, Undecided> {
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
                ms_chap_v2: success,
                by_network_password: matches!(guess.presented, Presented::Response(_)),
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
