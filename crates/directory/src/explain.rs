//! What would happen to an attempt, and why (CONTRACT.md 5.6): the deciding rule, every condition
//! that holds and how to leave it, the binding, the failures counted, the ways in.
//!
//! Whoever asks may know the exact reason; the wire never does. What a running daemon holds in
//! memory alone (throttles, remembered passwords) is not seen from here, and that is said.

use serde::Serialize;

use doorward_domain::account::{Condition, Conditions, Status};
use doorward_domain::id::AccountId;
use doorward_domain::name::{ResourceName, Username};
use doorward_domain::origin::{Origin, Protocol, Source};
use doorward_domain::policy::access;
use doorward_domain::policy::access::{Access, Cause, Closing, Permit};
use doorward_domain::policy::conditions::{conditions, expires_at, lock_lapses_at};
use doorward_domain::policy::lockout::{SLOW, is_known, place_limits};
use doorward_domain::policy::origins::identify;
use doorward_domain::policy::reply::merge;
use doorward_domain::refusal::Refusal;
use doorward_domain::resource::{Resource, ResourceKind};
use doorward_domain::rules::{PlaceLimits, PolicySettings};
use doorward_domain::time::{Now, Timestamp, format_span};
use doorward_store::AttemptStore as _;
use doorward_store::attempts::{AccountKey, Fetch};
use doorward_store::changes::Charged;
use doorward_store::records::{BoundTo, UserRecord};

use super::bindings::no_resource;
use super::settings::Settings;
use super::view::{some_time, time};
use super::ways::{Way, ways};
use super::{Directory, DirectoryError};

/// What is to be explained.
#[derive(Debug, Clone)]
pub struct Question {
    /// The user, by name.
    pub user: String,
    /// The resource, by name.
    pub resource: String,
    /// Where the attempt would come from.
    pub from: Option<Source>,
    /// Now, or the time to be looked at: its wall time is what decides.
    pub at: Now,
}

/// How an attempt with the right password would end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Let in.
    Granted,
    /// Led to a change of the password where the client asks for password policy; else refused.
    ChangeOnly,
    /// Refused.
    Refused,
    /// No place is free: it waits up to a second, and then is told to come again.
    Busy,
}

/// One thing that holds and bears on the resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holding {
    /// A condition's name, or `not_bound`.
    pub cause: String,
    /// Whether it keeps the user out of this resource.
    pub closes: bool,
    /// The rule that says so.
    pub rule: String,
    /// Since when, or until when, where that is a date.
    pub when: Option<String>,
    /// How to leave it.
    pub way_out: String,
}

/// What is counted against the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Whether failures at this resource count toward the lock.
    pub counts_here: bool,
    /// Failures that count, inside the window.
    pub failures: u32,
    /// As many lock.
    pub threshold: u32,
    /// The window.
    pub window: String,
    /// Failures in 24 hours at resources where they count toward the lock.
    pub counting_today: u32,
    /// Failures of every kind in 24 hours.
    pub failures_today: u32,
    /// So many that count lock; so many of every kind slow what does not lock.
    pub daily_cap: u32,
    /// Attempts that are being decided now.
    pub open_places: u32,
    /// Whether another attempt would get a place at once.
    pub place_free: bool,
}

/// The explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The user.
    pub username: Username,
    /// The word for how it stands.
    pub status: Status,
    /// The resource.
    pub resource: ResourceName,
    /// Its kind.
    pub kind: ResourceKind,
    /// The time looked at.
    #[serde(serialize_with = "some_time")]
    pub at: Timestamp,
    /// How an attempt with the right password would end.
    pub answer: Answer,
    /// The reason in the audit log, where it would be refused.
    pub reason: Option<Refusal>,
    /// The rule that decides.
    pub rule: String,
    /// Everything that holds and bears on the resource, the deciding first.
    pub holds: Vec<Holding>,
    /// From the group that is bound down to the user; empty where nothing is bound.
    pub binding: Vec<String>,
    /// When the password expires.
    #[serde(serialize_with = "time")]
    pub expires: Option<Timestamp>,
    /// What is counted against the account.
    pub counted: Counted,
    /// The ways in from the source given.
    pub ways: Vec<Way>,
    /// What a RADIUS client would be told besides, as `doorward reply show` says in full.
    pub reply: Vec<String>,
    /// What else is to be known.
    pub notes: Vec<String>,
}

impl Explanation {
    /// Whether the user would be let in.
    pub fn grants(&self) -> bool {
        self.answer == Answer::Granted
    }
}

impl Directory {
    /// Explains how an attempt of a user at a resource would end, the password being right.
    ///
    /// # Errors
    /// No such user or resource, the store cannot answer.
    pub async fn explain(&self, question: &Question) -> Result<Explanation, DirectoryError> {
        let settings = self.settings();
        let resource = ResourceName::parse(&question.resource)
            .ok()
            .and_then(|name| settings.resource(&name))
            .ok_or_else(|| no_resource(&settings, &question.resource))?;
        let record = self.user_named(&question.user).await?;
        let policy = self.policy_in_force().await?;
        let now = question.at;
        let conditions = conditions(&record.facts, &policy, now);
        let path = self
            .store
            .binding_path(record.account, &resource.name)
            .await?;
        let bound = path.is_some();
        let known = match &question.from {
            Some(source) => self.is_known(record.account, source, resource, now).await?,
            None => false,
        };
        let limits = place_limits(&policy, resource, known, now);
        let charged = self.store.charged(record.account, &limits).await?;
        let place = place(&charged, &limits);

        let closings = access::closed_by(conditions, bound, resource);
        let (mut answer, mut reason, mut rule) = decided(conditions, bound, resource, &closings);
        // The lock is looked at before a place is taken, everything else after (CONTRACT.md 5.1).
        let refused_before = reason == Some(Refusal::Locked);
        let mut notes = Vec::new();
        if !refused_before {
            match &place {
                Place::Free => {}
                Place::Locks => {
                    (answer, reason) = (Answer::Refused, Some(Refusal::Locked));
                    "failed attempts have reached the limit: the next attempt locks the account"
                        .clone_into(&mut rule);
                }
                Place::None => {
                    (answer, reason) = (Answer::Busy, None);
                    "failures and attempts under way together reach the threshold: an attempt \
                     waits up to a second for one of them to end, and is then told busy"
                        .clone_into(&mut rule);
                }
                Place::Slowed => {
                    (answer, reason) = (Answer::Refused, Some(Refusal::Throttled));
                    rule = format!(
                        "the daily cap is reached: one guess in {} here",
                        format_span(SLOW)
                    );
                }
            }
        }
        let reply = self
            .store
            .reply_grants(record.account, Some(&resource.name))
            .await?;
        let reply = merge(reply).attributes();
        notes.extend(source_notes(&settings, resource, question.from.as_ref()));
        Ok(Explanation {
            status: Status::of(conditions),
            resource: resource.name.clone(),
            kind: resource.kind,
            at: now.wall,
            answer,
            reason,
            rule,
            holds: closings
                .iter()
                .map(|closing| holding(closing, &record, &policy, resource))
                .collect(),
            binding: path
                .map(|path| links(&path, &record.username))
                .unwrap_or_default(),
            expires: expires_at(&record.facts, &policy),
            counted: Counted {
                counts_here: limits.counting,
                failures: charged.failures,
                threshold: limits.threshold,
                window: format_span(policy.lockout.window),
                counting_today: charged.counting_today,
                failures_today: charged.failures_today,
                daily_cap: limits.daily_cap,
                open_places: charged.open,
                place_free: place == Place::Free,
            },
            ways: question
                .from
                .as_ref()
                .map(|from| ways(&settings, from))
                .unwrap_or_default(),
            reply: reply.iter().map(ToString::to_string).collect(),
            notes,
            username: record.username,
        })
    }
}

impl Directory {
    /// Whether a user was let in from there lately, over LDAP.
    async fn is_known(
        &self,
        account: AccountId,
        source: &Source,
        resource: &Resource,
        now: Now,
    ) -> Result<bool, DirectoryError> {
        let origin = Origin::of(source.clone());
        let origin = identify(resource.kind, Protocol::Ldap, &origin).key;
        let key = AccountKey::Id(account);
        let read = self
            .store
            .read_attempt(&key, None, Some(&origin), Fetch::Verdict)
            .await?;
        let admitted = read.account.and_then(|record| record.admitted_here);
        Ok(is_known(admitted, now))
    }
}

/// What the decision would be if there were a place.
fn decided(
    conditions: Conditions,
    bound: bool,
    resource: &Resource,
    closings: &[Closing],
) -> (Answer, Option<Refusal>, String) {
    let deciding = closings.iter().find(|closing| closing.closes());
    let rule = || {
        deciding.map_or_else(
            || format!("an active user bound to '{}' is let in", resource.name),
            |closing| closing.rule.clone(),
        )
    };
    match access::judge(conditions, bound, resource, true) {
        Access::Granted => {
            let lenient = closings.first().map(|closing| closing.rule.clone());
            (Answer::Granted, None, lenient.unwrap_or_else(rule))
        }
        Access::ChangeOnly => (Answer::ChangeOnly, Some(Refusal::MustChange), rule()),
        Access::Refused(refusal) => {
            // A closing that leads to a change is not the one that refuses.
            let refusing = closings
                .iter()
                .find(|closing| closing.closes() && closing.permit != Permit::ChangeOnly)
                .or(deciding);
            let rule = refusing.map_or_else(rule, |closing| closing.rule.clone());
            (Answer::Refused, Some(refusal), rule)
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    Free,
    /// Failures alone reach the limit: the next attempt finds that and locks.
    Locks,
    None,
    Slowed,
}

/// Whether another attempt would get a place, by the rule the store grants them by.
fn place(charged: &Charged, limits: &PlaceLimits) -> Place {
    if limits.counting {
        if charged.failures >= limits.threshold || charged.counting_today >= limits.daily_cap {
            return Place::Locks;
        }
        let with_open = |failures: u32| failures.saturating_add(charged.open_counting);
        let full = with_open(charged.failures) >= limits.threshold;
        return if full || with_open(charged.counting_today) >= limits.daily_cap {
            Place::None
        } else {
            Place::Free
        };
    }
    let day_is_full = charged.failures_today.saturating_add(charged.open) >= limits.daily_cap;
    let lately = |since| charged.newest.is_some_and(|newest| newest > since);
    if day_is_full && limits.slow_since.is_some_and(lately) {
        Place::Slowed
    } else {
        Place::Free
    }
}

fn holding(
    closing: &Closing,
    record: &UserRecord,
    policy: &PolicySettings,
    resource: &Resource,
) -> Holding {
    let facts = &record.facts;
    let said = |word: &str, at: Option<Timestamp>| at.map(|at| format!("{word} {at}"));
    let when = match closing.cause {
        Cause::Condition(Condition::Staged) => said("until", facts.start),
        Cause::Condition(Condition::Expired) => said("since", expires_at(facts, policy)),
        Cause::Condition(Condition::Locked) => {
            said("until", lock_lapses_at(facts, policy)).or(said("since", facts.locked_since))
        }
        Cause::Condition(Condition::Suspended) if !facts.suspended => said("since", facts.end),
        Cause::Condition(_) | Cause::NotBound => None,
    };
    let name = &record.username;
    let command = match closing.cause {
        Cause::Condition(Condition::Staged) => format!("doorward user set {name} start_date=now"),
        Cause::Condition(Condition::PasswordPending) => {
            format!("doorward user activation-link {name}")
        }
        Cause::Condition(Condition::MustChange) => {
            format!("doorward user set {name} must_change_password=false")
        }
        Cause::Condition(Condition::Expired) => format!("doorward user reset-link {name}"),
        Cause::Condition(Condition::Locked) => format!("doorward user unlock {name}"),
        Cause::Condition(Condition::Suspended) => format!("doorward user resume {name}"),
        Cause::NotBound => format!("doorward resource bind {} --user {name}", resource.name),
    };
    Holding {
        cause: closing.cause.to_string(),
        closes: closing.closes(),
        rule: closing.rule.clone(),
        when,
        way_out: format!("{} ({command})", closing.way_out),
    }
}

/// The binding, from what is bound down to the user.
fn links(path: &[BoundTo], username: &Username) -> Vec<String> {
    let groups = path.iter().filter_map(|link| match link {
        BoundTo::User(_) => None,
        BoundTo::Group(name) => Some(format!("group {name}")),
    });
    groups.chain([format!("user {username}")]).collect()
}

fn source_notes(settings: &Settings, resource: &Resource, from: Option<&Source>) -> Vec<String> {
    let mut notes = vec![
        "throttles are kept in the daemon's memory and not looked at here: 'doorward events' \
         shows what was throttled"
            .to_owned(),
    ];
    let Some(from) = from else { return notes };
    if settings.doors.relays.include(from) {
        notes.push(format!(
            "{from} is a relay: the throttle by source spares it"
        ));
    }
    let reached = ways(settings, from)
        .iter()
        .any(|way| way.resource.as_ref() == Some(&resource.name));
    if !reached {
        notes.push(format!("nothing leads from {from} to '{}'", resource.name));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PlaceLimits = PlaceLimits {
        counting: true,
        threshold: 3,
        window_start: Timestamp::from_millis(0),
        daily_cap: 5,
        day_start: Timestamp::from_millis(0),
        slow_since: Some(Timestamp::from_millis(1000)),
        lapsed_before: Timestamp::from_millis(0),
    };

    #[test]
    fn a_place_is_free_until_failures_and_places_reach_the_threshold() {
        let charged = |failures, open| Charged {
            failures,
            failures_today: failures,
            counting_today: failures,
            open_counting: open,
            open,
            newest: None,
        };
        assert_eq!(place(&charged(1, 1), &LIMITS), Place::Free);
        assert_eq!(place(&charged(1, 2), &LIMITS), Place::None);
        assert_eq!(place(&charged(3, 0), &LIMITS), Place::Locks);
    }

    #[test]
    fn past_the_daily_cap_what_does_not_lock_is_slowed() {
        let limits = PlaceLimits {
            counting: false,
            ..LIMITS
        };
        let charged = |today, newest| Charged {
            failures_today: today,
            newest: Some(Timestamp::from_millis(newest)),
            ..Charged::default()
        };
        assert_eq!(place(&charged(4, 2000), &limits), Place::Free);
        assert_eq!(place(&charged(5, 2000), &limits), Place::Slowed);
        assert_eq!(place(&charged(5, 900), &limits), Place::Free);
        assert_eq!(place(&charged(5, 2000), &LIMITS), Place::Free);
        let counting = Charged {
            counting_today: 5,
            ..charged(5, 2000)
        };
        assert_eq!(place(&counting, &LIMITS), Place::Locks);
    }
}
