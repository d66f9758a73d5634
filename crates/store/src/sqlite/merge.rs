//! Events that merge: which are equal, and those that are gathered in memory until the writer's
//! next commit, so that a flood costs one row a minute and no commit of its own (CONTRACT.md 9).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::sessions::DisconnectOutcome;
use doorward_domain::device::MacAddress;
use doorward_domain::event::{AttemptEvent, Credential, Outcome, Subject};
use doorward_domain::name::ResourceName;
use doorward_domain::refusal::Refusal;
use doorward_domain::time::Timestamp;

/// How long most equal events are one, in seconds.
const MINUTE: i64 = 60;
/// How long any are, in seconds.
pub(super) const LONGEST_SPAN: i64 = 3600;
/// The most distinct events that may wait.
const ROOM: usize = 4096;
/// How many of them may be about nobody that is known: strangers push out strangers alone.
const ROOM_FOR_STRANGERS: usize = ROOM / 2;
/// From how many on the writer is asked to hurry.
const CROWD: usize = ROOM / 4;

/// Equal events and how many there were.
#[derive(Debug, Clone)]
pub(super) struct Merged {
    /// When the first of them happened.
    pub(super) at: Timestamp,
    /// When the newest of them happened.
    pub(super) last: Timestamp,
    /// The first of them.
    pub(super) event: AttemptEvent,
    /// How many there were.
    pub(super) count: u32,
}

/// What became of an event that was to be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gathered {
    /// It waits, the first since the last commit.
    First,
    /// It waits with others.
    Joined,
    /// It waits with so many others that they should be written now.
    Crowded,
    /// There was no room.
    Dropped,
}

/// The events that wait.
#[derive(Debug, Default)]
pub(super) struct Merges(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    events: HashMap<String, Merged>,
    strangers: usize,
}

impl Waiting {
    fn has_room_for(&self, event: &AttemptEvent) -> bool {
        self.events.len() < ROOM
            && (!is_stranger(&event.subject) || self.strangers < ROOM_FOR_STRANGERS)
    }

    fn insert(&mut self, key: String, merged: Merged) {
        self.strangers += usize::from(is_stranger(&merged.event.subject));
        self.events.insert(key, merged);
    }
}

impl Merges {
    /// Adds one.
    pub(super) fn add(&self, at: Timestamp, event: AttemptEvent) -> Gathered {
        let key = merge_key(at, &event);
        let mut waiting = self.lock();
        if let Some(merged) = waiting.events.get_mut(&key) {
            merged.count = merged.count.saturating_add(1);
            merged.last = merged.last.max(at);
            return Gathered::Joined;
        }
        if !waiting.has_room_for(&event) {
            return Gathered::Dropped;
        }
        let before = waiting.events.len();
        waiting.insert(
            key,
            Merged {
                at,
                last: at,
                event,
                count: 1,
            },
        );
        match before {
            0 => Gathered::First,
            CROWD => Gathered::Crowded,
            _ => Gathered::Joined,
        }
    }

    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().events.is_empty()
    }

    /// Takes all that wait.
    pub(super) fn take(&self) -> Vec<(String, Merged)> {
        let mut taken: Vec<_> = std::mem::take(&mut *self.lock())
            .events
            .into_iter()
            .collect();
        taken.sort_by_key(|(_, merged)| merged.at);
        taken
    }

    /// Puts back what could not be committed.
    pub(super) fn put_back(&self, merged: Vec<(String, Merged)>) {
        let mut waiting = self.lock();
        for (key, older) in merged {
            if let Some(newer) = waiting.events.get_mut(&key) {
                newer.count = newer.count.saturating_add(older.count);
                newer.at = newer.at.min(older.at);
                newer.last = newer.last.max(older.last);
            } else if waiting.has_room_for(&older.event) {
                waiting.insert(key, older);
            } else {
                count_dropped(u64::from(older.count));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts events that were dropped.
pub(super) fn count_dropped(count: u64) {
    metrics::counter!("doorward_events_dropped_total").increment(count);
}

/// Whether an event is about nobody that is known, so that whoever sends it can make up as many.
fn is_stranger(subject: &Subject) -> bool {
    match subject {
        Subject::Account { .. } | Subject::Service { .. } => false,
        Subject::Certificate { .. }
        | Subject::Device { .. }
        | Subject::Devices
        | Subject::Unknown { .. } => true,
    }
}

/// Events with equal keys are one: the same account, origin, resource, reason (or outcome, where
/// there is none), protocol, credential and minute. What the other end may choose is no part of it:
/// the address within an IPv6 network, the station of a device on Wi-Fi, the name that nobody has.
/// Refused devices try again all day long, each of them: theirs merge by the hour.
///
/// A key begins with its span of time, so that the index over keys grows at its end, and has the
/// same length whatever it stands for.
pub(super) fn merge_key(at: Timestamp, event: &AttemptEvent) -> String {
    let span = match (&event.subject, event.outcome) {
        (Subject::Device { .. } | Subject::Devices, Outcome::Refused) => LONGEST_SPAN,
        _ => MINUTE,
    };
    let subject = match &event.subject {
        Subject::Account { account, .. } => format!("account:{account}"),
        Subject::Service { service } => format!("service:{}", service.folded()),
        Subject::Certificate { certificate } => format!("certificate:{certificate}"),
        Subject::Device { device } => format!("device:{device}"),
        Subject::Devices => "devices".to_owned(),
        Subject::Unknown { .. } => "unknown".to_owned(),
    };
    let resource = event
        .resource
        .as_ref()
        .map(ResourceName::folded)
        .unwrap_or_default();
    let credential = match &event.credential {
        None => String::new(),
        Some(Credential::Session) => "session".to_owned(),
        Some(Credential::Certificate(identity)) => format!("certificate:{identity}"),
    };
    let origin = match &event.origin_key {
        Some(key) => key.as_str().to_owned(),
        None => event.origin.source.aggregate().to_string(),
    };
    let reason = event.reason.map_or(event.outcome.as_str(), Refusal::as_str);
    let parts = [
        subject.as_str(),
        &origin,
        &resource,
        reason,
        event.protocol.as_str(),
        &credential,
    ];
    key_of(at, span, &parts)
}

/// As [`merge_key`], of what the gateway asked a client by itself: the same client, account (or
/// device), resource, action, answer and minute. Nothing that the client says is part of it.
pub(super) fn key_of_disconnect(outcome: &DisconnectOutcome) -> String {
    let event = &outcome.event;
    let whose = match (event.account, MacAddress::parse(&event.target)) {
        (Some(account), _) => format!("account:{account}"),
        (None, Ok(device)) => format!("device:{device}"),
        (None, Err(_)) => String::new(),
    };
    let resource = event.resource.as_ref().map(ResourceName::folded);
    let resource = resource.unwrap_or_default();
    let parts = [
        event.action.as_str(),
        outcome.client.as_str(),
        &whose,
        &resource,
        outcome.answered.as_str(),
    ];
    key_of(outcome.at, MINUTE, &parts)
}

fn key_of(at: Timestamp, span: i64, parts: &[&str]) -> String {
    let span = at.as_seconds().div_euclid(span);
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    let digest = digest.finalize();
    let short = digest.get(..16).unwrap_or(&digest);
    format!("{span:010}{}", URL_SAFE_NO_PAD.encode(short))
}

#[cfg(test)]
mod tests {
    use super::*;
    use doorward_domain::id::{AccountId, RequestId};
    use doorward_domain::name::Username;
    use doorward_domain::origin::{Origin, OriginKey, Protocol};

    const AT: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn event(subject: Subject, source: &str) -> AttemptEvent {
        AttemptEvent {
            request: RequestId::new(AT),
            protocol: Protocol::Radius,
            resource: None,
            subject,
            origin: Origin::address(source.parse().unwrap()),
            origin_key: None,
            listener: None,
            client: None,
            ssid: None,
            credential: None,
            outcome: Outcome::Refused,
            reason: Some(Refusal::Throttled),
            duration_ms: 1,
        }
    }

    fn unknown(number: u32) -> Subject {
        Subject::Unknown {
            digest: format!("{number:016x}"),
            length: 5,
        }
    }

    fn known() -> Subject {
        Subject::Account {
            account: AccountId::new(AT),
            username: Username::parse("alice").unwrap(),
        }
    }

    fn source(number: u32) -> String {
        std::net::Ipv4Addr::from_bits(number).to_string()
    }

    #[test]
    fn names_that_nobody_has_are_one_event_a_source_and_minute() {
        let merges = Merges::default();
        for number in 0..100_000 {
            let gathered = merges.add(AT, event(unknown(number), "192.0.2.1"));
            assert_ne!(gathered, Gathered::Dropped);
        }
        let taken = merges.take();
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].1.count, 100_000);
        assert!(merges.is_empty());
    }

    #[test]
    fn one_nas_is_as_many_sources_as_there_are_origins_behind_it() {
        let through = |key: Option<&str>, station: &str| {
            let mut event = event(known(), "192.0.2.1");
            event.subject = unknown(0);
            event.origin.station = Some(station.to_owned());
            event.origin_key = key.map(|key| OriginKey::new(key.to_owned()));
            event
        };
        let merges = Merges::default();
        for station in ["192.0.2.10", "192.0.2.10[4500]", "192.0.2.10[4501]"] {
            merges.add(AT, through(Some("192.0.2.1|192.0.2.10"), station));
        }
        merges.add(AT, through(Some("192.0.2.1|203.0.113.66"), "203.0.113.66"));
        // A device on Wi-Fi makes up as many as it likes.
        for number in 0..1000 {
            let station = format!("02-00-00-00-{:02x}-{:02x}", number / 256, number % 256);
            merges.add(AT, through(Some("192.0.2.1|00-10-a4-23-19-c0"), &station));
        }
        let mut counts: Vec<u32> = merges.take().iter().map(|(_, one)| one.count).collect();
        counts.sort_unstable();
        assert_eq!(counts, [1, 3, 1000]);
    }

    #[test]
    fn an_ipv6_network_is_one_source() {
        let merges = Merges::default();
        for host in 0..1000 {
            merges.add(AT, event(unknown(0), &format!("2001:db8::{host:x}")));
        }
        merges.add(AT, event(unknown(0), "2001:db8:0:1::1"));
        assert_eq!(merges.take().len(), 2);
    }

    #[test]
    fn strangers_from_everywhere_push_out_no_event_of_an_account() {
        let merges = Merges::default();
        let dropped = (0..10_000)
            .map(|number| merges.add(AT, event(unknown(number), &source(number))))
            .filter(|gathered| *gathered == Gathered::Dropped)
            .count();
        assert_eq!(dropped, 10_000 - ROOM_FOR_STRANGERS);
        assert_ne!(
            merges.add(AT, event(known(), "192.0.2.1")),
            Gathered::Dropped
        );
    }

    #[test]
    fn the_writer_is_told_of_a_crowd_once() {
        let merges = Merges::default();
        let told = (0..2000)
            .map(|number| merges.add(AT, event(known(), &source(number))))
            .filter(|gathered| matches!(gathered, Gathered::First | Gathered::Crowded))
            .count();
        assert_eq!(told, 2);
    }

    #[test]
    fn what_could_not_be_written_keeps_its_count_and_its_times() {
        let merges = Merges::default();
        let later = Timestamp::from_millis(AT.as_millis() + 10_000);
        merges.add(AT, event(unknown(0), "192.0.2.1"));
        let taken = merges.take();
        merges.add(later, event(unknown(0), "192.0.2.1"));
        merges.put_back(taken);
        let taken = merges.take();
        let one = &taken[0].1;
        assert_eq!((one.count, one.at, one.last), (2, AT, later));
    }
}
