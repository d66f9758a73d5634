//! Events that merge, gathered in memory until the writer's next commit, so that a flood costs
//! one row a minute and no commit of its own (CONTRACT.md 9).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::event::{AttemptEvent, Subject};
use crate::domain::time::Timestamp;

/// The most distinct events that may wait.
const ROOM: usize = 4096;

/// Equal events and how many there were.
#[derive(Debug, Clone)]
pub(super) struct Merged {
    /// When the first of them happened.
    pub(super) at: Timestamp,
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
    /// There was no room.
    Dropped,
}

/// The events that wait.
#[derive(Debug, Default)]
pub(super) struct Merges(Mutex<HashMap<String, Merged>>);

impl Merges {
    /// Adds one.
    pub(super) fn add(&self, at: Timestamp, event: AttemptEvent) -> Gathered {
        let mut waiting = self.lock();
        let first = waiting.is_empty();
        let full = waiting.len() >= ROOM;
        let key = merge_key(at, &event);
        if let Some(merged) = waiting.get_mut(&key) {
            merged.count = merged.count.saturating_add(1);
            return Gathered::Joined;
        }
        if full {
            return Gathered::Dropped;
        }
        waiting.insert(
            key,
            Merged {
                at,
                event,
                count: 1,
            },
        );
        if first {
            Gathered::First
        } else {
            Gathered::Joined
        }
    }

    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Takes all that wait.
    pub(super) fn take(&self) -> Vec<(String, Merged)> {
        let mut taken: Vec<_> = self.lock().drain().collect();
        taken.sort_by_key(|(_, merged)| merged.at);
        taken
    }

    /// Puts back what could not be committed.
    pub(super) fn put_back(&self, merged: Vec<(String, Merged)>) {
        let mut waiting = self.lock();
        for (key, older) in merged {
            if let Some(newer) = waiting.get_mut(&key) {
                newer.count = newer.count.saturating_add(older.count);
                newer.at = newer.at.min(older.at);
            } else if waiting.len() < ROOM {
                waiting.insert(key, older);
            } else {
                count_dropped(u64::from(older.count));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Merged>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts events that were dropped.
pub(super) fn count_dropped(count: u64) {
    metrics::counter!("doorward_events_dropped_total").increment(count);
}

/// Events with equal keys are one: the same account, source, resource, reason and minute. Devices
/// try again all day long, each of them: theirs merge by the hour.
fn merge_key(at: Timestamp, event: &AttemptEvent) -> String {
    let span = match &event.subject {
        Subject::Device { .. } | Subject::Devices => 3600,
        _ => 60,
    };
    let span = at.as_seconds().div_euclid(span);
    let subject = match &event.subject {
        Subject::Account { account, .. } => format!("account:{account}"),
        Subject::Service { service } => format!("service:{}", service.folded()),
        Subject::Certificate { certificate } => format!("certificate:{certificate}"),
        Subject::Device { device } => format!("device:{device}"),
        Subject::Devices => "devices".to_owned(),
        Subject::Unknown { digest, .. } => format!("unknown:{digest}"),
    };
    let resource = event
        .resource
        .as_ref()
        .map(crate::domain::name::ResourceName::folded)
        .unwrap_or_default();
    let reason = event.reason.map_or(
        event.outcome.as_str(),
        crate::domain::refusal::Refusal::as_str,
    );
    format!(
        "{span}|{subject}|{}|{resource}|{reason}",
        event.origin.source
    )
}
