//! Comparing a password with an account's: place; remembered right password or hash; other
//! conditions and binding; one commit that settles it all (CONTRACT.md 3, 5.1).

#[cfg(test)]
mod tests;

use std::time::Duration;

use doorward_domain::challenge::ChallengeResponse;
use doorward_domain::event::Outcome;
use doorward_domain::id::PlaceId;
use doorward_domain::policy::access::Access;
use doorward_domain::policy::conditions::conditions;
use doorward_domain::policy::reply::merge;
use doorward_domain::policy::time_spans::expiry_warning;
use doorward_domain::refusal::Refusal;
use doorward_domain::rules::PlaceLimits;
use doorward_domain::secret::Password;
use doorward_domain::time::Now;
use doorward_hashing::{Comparison, QueueFull, Turns};
use doorward_store::attempts::{
    AttemptStore, PreviousPassword, SettleAnswer, Settled, Settlement, TakePlace,
};
use doorward_store::records::{MailKind, NewMail};

use super::afterwards::Suspected;
use super::ahead::{Pass, There};
use super::challenged::{Answered, verify_response};
use super::decision::{Found, Round};
use super::guess::{Guess, GuessedAt, Presented, no_verdict};
use super::memory::Known;
use super::places::Placed;
use super::report;
use super::single_flight::FlightResult;
use super::throttle::Whom;
use super::{AUTHORITY, Core};
use doorward_frontend_api::verdict::{
    Authenticated, ChangeGrant, ChangeProof, Grant, MsChapV2Success, Undecided, Verdict,
};

/// How long a previous password is stale rather than wrong (CONTRACT.md 3.5).
const STALE_FOR: Duration = Duration::from_hours(30 * 24);

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

/// A guess at an account that was found.
struct Compare<'a> {
    guess: &'a Guess<'a>,
    found: &'a Found<'a>,
    /// Those in force when its place was taken.
    limits: PlaceLimits,
}

impl Compare<'_> {
    /// The account, where the guess comes from.
    fn there(&self) -> There {
        There {
            whom: Whom::account(&self.found.record),
            origin: self.guess.from.key.clone(),
        }
    }
}

impl<S: AttemptStore> Core<S> {
    /// Compares a guess at an account that was found, in a place.
    pub(super) async fn compare_in_a_place(
        &self,
        guess: &Guess<'_>,
        found: &Found<'_>,
    ) -> (FlightResult, Result<Round, Undecided>) {
        let record = &found.record;
        let now = self.clock.now();
        let guess = &Compare {
            guess,
            found,
            limits: guess.limits(now),
        };
        let take = TakePlace {
            account: record.account,
            epoch: record.epoch,
            origin: guess.guess.from.key.clone(),
            at: now.wall,
            limits: guess.limits,
        };
        let place = match self.places.take(&*self.store, &*self.clock, take).await {
            Err(undecided) => return no_verdict(undecided),
            Ok(Placed::NoneFree) => return no_verdict(Undecided::Busy),
            Ok(Placed::Moved) => return (FlightResult::Moved, Ok(Round::Again)),
            Ok(Placed::Slowed) => {
                let (result, round) = self.refuse_unseen(guess.guess, Refusal::Throttled).await;
                return match result {
                    FlightResult::Remembered(_) => {
                        (FlightResult::Throttled(guess.guess.bucket()), round)
                    }
                    result => (result, round),
                };
            }
            Ok(Placed::Taken(place)) => place,
        };
        let pass = self.pass(guess);
        let queue = self.queue(found, pass.as_ref());
        let compared = match guess.guess.presented {
            Presented::Password(password) => self.compare_password(guess, password, queue).await,
            Presented::Response(response) => self.compare_response(guess, response, queue).await,
        };
        let refused_as = match &compared {
            Ok(Compared::Wrong(_)) => Known::Wrong,
            Ok(Compared::Right(_)) => Known::RightAndRefused,
            Ok(Compared::Unreadable) | Err(QueueFull) => Known::NotLookedAt,
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
        let result = match &round {
            Err(undecided) => FlightResult::Undecided(undecided.clone()),
            Ok(Round::Again) => FlightResult::Moved,
            Ok(Round::Verdict(Verdict::Refused(_))) => FlightResult::Remembered(refused_as),
            Ok(Round::Verdict(_)) => FlightResult::Right,
        };
        if let Err(undecided) = self.use_pass(guess, pass, &result).await {
            return (result, Err(undecided));
        }
        (result, round)
    }

    /// A pass to go ahead of the strangers, where the account is known and there is one left. What is
    /// remembered as right does not wait.
    fn pass(&self, guess: &Compare<'_>) -> Option<Pass> {
        if !guess.found.known_here || guess.guess.known == Some(Known::Right) {
            return None;
        }
        self.ahead.pass(&guess.there(), self.clock.now().mono)
    }

    /// Spends a pass or gives it back. Who went ahead, and is refused, waits behind the others after
    /// all: only what ends in a grant may skip the queue (CONTRACT.md 5.2).
    async fn use_pass(
        &self,
        guess: &Compare<'_>,
        pass: Option<Pass>,
        result: &FlightResult,
    ) -> Result<(), Undecided> {
        let now = self.clock.now().mono;
        match result {
            FlightResult::Right => self.ahead.granted(&guess.there(), pass, now),
            FlightResult::Moved | FlightResult::Throttled(_) | FlightResult::Undecided(_) => {
                self.ahead.undecided(pass, now);
            }
            FlightResult::Remembered(_) if pass.is_some() => {
                let turn = self.turns(&guess.found.report).turn().await;
                return turn.map_err(|QueueFull| Undecided::Busy);
            }
            FlightResult::Remembered(_) | FlightResult::Spent(_) => {}
        }
        Ok(())
    }

    /// Holds a password against the account's hash, or what is remembered of it.
    async fn compare_password(
        &self,
        guess: &Compare<'_>,
        password: &Password,
        queue: Turns<'_>,
    ) -> Result<Compared, QueueFull> {
        let record = &guess.found.record;
        let compared = match (guess.guess.known, &record.password) {
            (Some(Known::Right), _) => Comparison::Right {
                needs_rehash: false,
            },
            (_, Some(hash)) => queue.verify(hash.clone(), password.clone()).await?,
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
                let now = self.clock.now().mono;
                let Guess {
                    settings, digest, ..
                } = guess.guess;
                self.memory
                    .remember(*digest, Known::Right, now, settings.remember_for);
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
        guess: &Compare<'_>,
        response: &ChallengeResponse,
        queue: Turns<'_>,
    ) -> Result<Compared, QueueFull> {
        queue.turn().await?;
        let now = self.clock.now();
        Ok(
            match verify_response(guess.guess.settings, guess.found, response, now) {
                Answered::Right(success) => Compared::Right(success),
                Answered::Stale => Compared::Wrong(Suspicion::Stale),
                Answered::Wrong => Compared::Wrong(Suspicion::None),
                Answered::Unreadable => Compared::Unreadable,
            },
        )
    }

    /// The queue as this account has it, with a pass or without.
    fn queue(&self, found: &Found<'_>, pass: Option<&Pass>) -> Turns<'_> {
        let turns = self.turns(&found.report);
        match pass {
            Some(_) => turns.known(),
            None => turns,
        }
    }

    /// Admits whoever sent what another's comparison showed to be right.
    pub(super) async fn admit_after_another(&self, guess: &Guess<'_>) -> Result<Round, Undecided> {
        let GuessedAt::Account(found) = guess.at else {
            return Ok(Round::Again);
        };
        let now = self.clock.now();
        let compare = Compare {
            guess,
            found,
            limits: guess.limits(now),
        };
        let Presented::Response(response) = guess.presented else {
            return self.admit(&compare, None, None).await;
        };
        match verify_response(guess.settings, found, response, now) {
            Answered::Right(success) => self.admit(&compare, None, success).await,
            Answered::Stale | Answered::Wrong | Answered::Unreadable => {
                let reason = Refusal::NetworkPasswordUnreadable;
                self.refuse_uncompared(&found.report, reason).await
            }
        }
    }

    /// Refuses where nothing could be compared, and counts nothing. Silence would have clients
    /// take the gateway for dead because of one account.
    async fn refuse_unreadable(
        &self,
        guess: &Compare<'_>,
        place: PlaceId,
    ) -> Result<Round, Undecided> {
        if let Err(error) = self.store.give_back(place).await {
            tracing::warn!(%error, "a place was not given back; it lapses by itself");
        }
        self.remember(guess.guess, Known::NotLookedAt);
        let reason = Refusal::NetworkPasswordUnreadable;
        self.refuse_uncompared(&guess.found.report, reason).await
    }

    /// Settles a wrong password; what it may have been besides wrong is asked after the answer.
    async fn count_wrong(
        &self,
        guess: &Compare<'_>,
        place: PlaceId,
        suspicion: Suspicion,
    ) -> Result<Round, Undecided> {
        let Compare {
            guess,
            found,
            limits,
        } = guess;
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
                    origin: guess.from.key.clone(),
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
        self.remember(guess, Known::Wrong);
        if limits.counting {
            // Once it locks, guesses go on to be counted where it is not looked at.
            let name = guess.charged_name();
            self.nobodies.count(&name, guess.policy, now.mono);
        }
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
        guess: &Compare<'_>,
        place: Option<PlaceId>,
        success: Option<MsChapV2Success>,
    ) -> Result<Round, Undecided> {
        let Compare {
            guess,
            found,
            limits,
        } = guess;
        let now = self.clock.now();
        let record = &found.record;
        // Time may have passed in the queue: an end date in between still ends the account.
        let holding = conditions(&record.facts, &found.policy, now);
        let access = found.asked.judge(
            holding,
            record.bound,
            guess.attempt.asked_for_password_policy,
        );
        let admitted = Settled::Admitted {
            origin: guess.from.key.clone(),
            clears: limits.counting,
        };
        let (outcome, reason, settled) = match access {
            Access::Granted => (Outcome::Granted, None, admitted),
            Access::ChangeOnly => (Outcome::ChangeOnly, None, admitted),
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
        if let Access::Refused(_) = access {
            self.remember(guess, Known::RightAndRefused);
        }
        Ok(Round::Verdict(match access {
            Access::Granted => Verdict::Granted(Authenticated::prove(
                Grant {
                    account: record.account,
                    username: record.username.clone(),
                    epoch: record.epoch,
                    resource: found.asked.name.clone(),
                    expires_in: expiry_warning(&record.facts, &found.policy, now),
                    reply: merge(record.reply.clone()).attributes(),
                    ms_chap_v2: success,
                    by_network_password: matches!(guess.presented, Presented::Response(_)),
                },
                &AUTHORITY,
            )),
            Access::ChangeOnly => Verdict::ChangeOnly(ChangeProof::prove(
                ChangeGrant {
                    account: record.account,
                    username: record.username.clone(),
                    epoch: record.epoch,
                    resource: found.asked.name.clone(),
                },
                &AUTHORITY,
            )),
            Access::Refused(reason) => Verdict::Refused(reason),
        }))
    }

    async fn settle(&self, settlement: Settlement) -> Result<SettleAnswer, Undecided> {
        self.store.settle(settlement).await.map_err(Undecided::from)
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
