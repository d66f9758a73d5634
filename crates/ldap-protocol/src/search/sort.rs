//! Entries in another order than they are found (RFC 2891).
//!
//! All that match are looked at once; of them the first so many in the order asked for are kept,
//! as keys while it is sorted and as identifiers after. How many is the size limit; the room for
//! them is part of what the operation was given before it began.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::walk::{Position, Visit, Walk};
use super::{Pace, Shown, Stop};
use crate::attribute::Entry;
use crate::controls::SortKey;
use crate::filter::{Matcher, Progress};
use crate::schema::Key;

/// A sorted list of entries, part of which may have been sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sorted {
    /// Which entries, in order.
    pub(super) list: Arc<[Position]>,
    /// The first that was not sent.
    pub(super) next: usize,
    /// Whether the size limit cut the list.
    pub(super) cut: bool,
}

impl Sorted {
    /// A list of so many entries that nobody looks up.
    #[cfg(test)]
    pub(crate) fn of_length(length: usize) -> Self {
        let position = Position::Group(doorward_domain::id::GroupId::from_uuid(uuid::Uuid::nil()));
        Self {
            list: vec![position; length].into(),
            next: 0,
            cut: false,
        }
    }

    /// Walks to the end and keeps the first `limit` entries of the order.
    pub(super) async fn gather(
        walk: &Walk<'_>,
        pace: &Pace<'_>,
        matcher: &Matcher,
        keys: &[SortKey],
        limit: usize,
    ) -> Result<Self, Stop> {
        let mut gathering = Gathering {
            pace,
            matcher,
            progress: Progress::new(),
            keys,
            limit,
            kept: BinaryHeap::new(),
            cut: false,
        };
        walk.run(&mut gathering).await?;
        let Gathering { kept, cut, .. } = gathering;
        let list = kept.into_sorted_vec().into_iter().map(|own| own.position);
        Ok(Self {
            list: list.collect(),
            next: 0,
            cut,
        })
    }
}

struct Gathering<'a> {
    pace: &'a Pace<'a>,
    matcher: &'a Matcher,
    progress: Progress,
    keys: &'a [SortKey],
    limit: usize,
    /// The last of the order on top.
    kept: BinaryHeap<Ranked>,
    cut: bool,
}

impl Visit for Gathering<'_> {
    async fn visit(&mut self, position: Position, shown: Shown) -> Result<(), Stop> {
        let entry = &shown.entry;
        let matches = self.pace.matches(self.matcher, entry, &mut self.progress);
        if !matches.await {
            return Ok(());
        }
        let mut rank = Vec::with_capacity(self.keys.len());
        for key in self.keys {
            rank.push(Rank::of(key, entry, self.pace).await);
        }
        self.kept.push(Ranked { rank, position });
        if self.kept.len() > self.limit {
            self.kept.pop();
            self.cut = true;
        }
        Ok(())
    }
}

/// An entry among the others; those of equal keys stand as they were found.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ranked {
    rank: Vec<Rank>,
    position: Position,
}

/// What one key says of an entry: its least value, none being larger than any (RFC 2891 section
/// 1.1).
#[derive(Debug, PartialEq, Eq)]
struct Rank {
    value: Option<Key>,
    reverse: bool,
}

impl Rank {
    async fn of(key: &SortKey, entry: &Entry, pace: &Pace<'_>) -> Self {
        let mut scratch = Vec::new();
        let mut value = None;
        for values in entry.values_of_kind(key.attribute) {
            let mut index = 0;
            while let Some(own) = values.get(index, &mut scratch) {
                let own = key.rule.key(own);
                pace.looked_at_value().await;
                if own.is_some() && (value.is_none() || own < value) {
                    value = own;
                }
                index += 1;
            }
        }
        Self {
            value,
            reverse: key.reverse,
        }
    }
}

impl Ord for Rank {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = match (&self.value, &other.value) {
            (Some(own), Some(other)) => own.cmp(other),
            (own, other) => other.is_some().cmp(&own.is_some()),
        };
        if self.reverse { order.reverse() } else { order }
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
