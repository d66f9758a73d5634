//! Places for connections: who gets one, and who loses it to a newcomer where all are taken.
//!
//! Whoever is being answered keeps its place. One that says nothing, or has said half a request, is
//! no better than the newcomer who may say more: the one that was silent for longest goes, of the
//! source that has most.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::Bounds;
use doorward_domain::origin::Source;

/// Why a connection is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    /// The source may not connect.
    Source,
    /// Every place is held by a connection that is being answered.
    Connections,
}

/// The places of one listener.
#[derive(Debug, Clone)]
pub(super) struct Places {
    bounds: Bounds,
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    /// Counts what happened, so that silence has an order without a clock.
    turn: u64,
    held: HashMap<u64, Held>,
    /// How many each source holds.
    sources: HashMap<Source, usize>,
}

#[derive(Debug)]
struct Held {
    source: Source,
    doing: Doing,
    end: CancellationToken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// Nothing was heard since this turn, or no whole request.
    Silent(u64),
    Answered,
}

impl Table {
    fn next(&mut self) -> u64 {
        self.turn = self.turn.wrapping_add(1);
        self.turn
    }

    fn of(&self, source: &Source) -> usize {
        self.sources.get(source).copied().unwrap_or(0)
    }

    /// Whose silence is longest: of this source, or of the one that holds most of the silent.
    fn most_silent(&self, of: Option<&Source>) -> Option<u64> {
        let silent = self.held.iter().filter_map(|(id, held)| match held.doing {
            Doing::Silent(since) if of.is_none_or(|source| *source == held.source) => {
                Some((std::cmp::Reverse(self.of(&held.source)), since, *id))
            }
            _ => None,
        });
        silent.min().map(|(_, _, id)| id)
    }

    fn remove(&mut self, id: u64) {
        let Some(held) = self.held.remove(&id) else {
            return;
        };
        held.end.cancel();
        if let Some(count) = self.sources.get_mut(&held.source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.sources.remove(&held.source);
            }
        }
    }
}

impl Places {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            table: Arc::default(),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a newcomer; where none is free, of one that is silent.
    pub(super) fn take(&self, source: &Source) -> Result<Place, Turned> {
        let mut table = self.table();
        if table.of(source) >= self.bounds.per_source {
            let loser = table.most_silent(Some(source)).ok_or(Turned::Connections)?;
            table.remove(loser);
        } else if table.held.len() >= self.bounds.connections {
            let loser = table.most_silent(None).ok_or(Turned::Connections)?;
            table.remove(loser);
        }
        let id = table.next();
        let end = CancellationToken::new();
        let held = Held {
            source: source.clone(),
            doing: Doing::Silent(id),
            end: end.clone(),
        };
        table.held.insert(id, held);
        *table.sources.entry(source.clone()).or_default() += 1;
        drop(table);
        Ok(Place {
            places: self.clone(),
            id,
            end,
        })
    }
}

/// A connection's place; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    id: u64,
    end: CancellationToken,
}

impl Place {
    /// Returns when another has taken the place.
    pub(super) async fn lost(&self) {
        self.end.cancelled().await;
    }

    /// Keeps the place for as long as what is given back lives.
    pub(super) fn answering(self: &Arc<Self>) -> Answering {
        self.set(|_| Doing::Answered);
        Answering(Arc::clone(self))
    }

    /// Since which turn nothing was heard; none while it is being answered.
    pub(super) fn silent_since(&self) -> Option<u64> {
        match self.places.table().held.get(&self.id)?.doing {
            Doing::Silent(since) => Some(since),
            Doing::Answered => None,
        }
    }

    fn set(&self, doing: impl FnOnce(u64) -> Doing) {
        let mut table = self.places.table();
        let turn = table.next();
        if let Some(held) = table.held.get_mut(&self.id) {
            held.doing = doing(turn);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.table().remove(self.id);
    }
}

/// A request is being answered.
#[derive(Debug)]
pub(super) struct Answering(Arc<Place>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.set(Doing::Silent);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn places(connections: usize, per_source: usize) -> Places {
        Places::new(Bounds {
            connections,
            per_source,
            headers: Duration::from_secs(10),
            idle: Duration::from_mins(1),
        })
    }

    fn source(text: &str) -> Source {
        Source::from(text.parse::<std::net::IpAddr>().unwrap())
    }

    fn taken(places: &Places, from: &str) -> Arc<Place> {
        Arc::new(places.take(&source(from)).unwrap())
    }

    fn lost(place: &Place) -> bool {
        place.end.is_cancelled()
    }

    #[test]
    fn who_was_silent_for_longest_makes_room_for_a_newcomer() {
        let places = places(3, 3);
        let held: Vec<_> = (0..3).map(|_| taken(&places, "192.0.2.1")).collect();
        drop(held[0].answering());
        let newcomer = taken(&places, "192.0.2.1");
        let losers: Vec<bool> = held.iter().map(|place| lost(place)).collect();
        assert_eq!(losers, [false, true, false]);
        assert!(!lost(&newcomer));
    }

    #[test]
    fn who_is_being_answered_keeps_its_place() {
        let places = places(2, 2);
        let held: Vec<_> = (0..2).map(|_| taken(&places, "192.0.2.1")).collect();
        let answering: Vec<_> = held.iter().map(Place::answering).collect();
        let refused = places.take(&source("192.0.2.2")).unwrap_err();
        assert_eq!(refused, Turned::Connections);
        drop(answering);
        assert!(places.take(&source("192.0.2.2")).is_ok());
    }

    #[test]
    fn a_source_takes_places_from_itself_first() {
        let places = places(8, 4);
        let quiet = taken(&places, "192.0.2.2");
        let flood: Vec<_> = (0..1000).map(|_| taken(&places, "192.0.2.1")).collect();
        assert_eq!(flood.iter().filter(|place| !lost(place)).count(), 4);
        assert!(!lost(&quiet));
    }

    #[test]
    fn the_source_that_has_most_loses_where_all_are_taken() {
        let places = places(4, 3);
        let quiet = taken(&places, "192.0.2.2");
        let loud: Vec<_> = (0..3).map(|_| taken(&places, "192.0.2.1")).collect();
        let newcomer = taken(&places, "192.0.2.3");
        assert!(!lost(&quiet) && !lost(&newcomer));
        assert!(lost(&loud[0]) && !lost(&loud[1]));
    }

    #[test]
    fn places_that_ended_are_free() {
        let places = places(1, 1);
        for _ in 0..10 {
            let place = taken(&places, "192.0.2.1");
            assert!(place.silent_since().is_some());
            let answering = place.answering();
            assert_eq!(place.silent_since(), None);
            drop(answering);
        }
        assert!(places.table().held.is_empty() && places.table().sources.is_empty());
    }
}
