//! Who is inside, and who has to go when there is no room for another.
//!
//! A connection on which nobody has bound is a stranger's. Where there is no room a stranger gives
//! its place up: of the network that holds most strangers, and there of the source that does, the
//! one that has been there longest, so that whoever holds many loses them to whoever needs one. A
//! network is what one subscriber may have many addresses of. What a stranger says does not make
//! it younger: it may send a byte or bind anonymously every second. Where somebody has bound,
//! nobody else's coming ends the connection.
//!
//! Must not know why a source is known. Every step costs the logarithm of what is inside.

mod strangers;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use tokio_util::sync::CancellationToken;

use self::strangers::{Network, Rank, Strangers};
use super::Turned;
use doorward_domain::origin::Source;

/// How many of those that gave their places up may still be on their way out: each has its
/// descriptor until it is gone.
pub const MAX_LEAVING: usize = 64;

/// Whether a source is one from which people log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It may be anybody: a part of the room is not for it.
    Unknown,
    /// A relay, or a source where somebody has bound lately.
    Known,
}

/// How much room there is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// For all together.
    pub(super) in_all: usize,
    /// For one source.
    pub(super) per_source: usize,
    /// For strangers from sources that are not known.
    pub(super) unknown: usize,
}

/// One connection's place: the older, the smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PlaceId(u64);

/// A source's number for as long as it has a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct SourceNumber(u64);

struct Place {
    of: SourceNumber,
    lost: CancellationToken,
}

struct Crowd {
    source: Source,
    network: Network,
    standing: Standing,
    /// Places in all.
    held: usize,
    strangers: BTreeSet<PlaceId>,
}

impl Crowd {
    fn rank(&self, number: SourceNumber) -> Option<Rank<SourceNumber>> {
        let oldest = *self.strangers.first()?;
        Some((self.strangers.len(), Reverse(oldest), number))
    }
}

/// All places that are taken.
#[derive(Default)]
pub(super) struct Places {
    next: u64,
    taken: HashMap<PlaceId, Place>,
    numbers: HashMap<Source, SourceNumber>,
    crowds: HashMap<SourceNumber, Crowd>,
    unknown: Strangers,
    known: Strangers,
    leaving: usize,
}

impl Places {
    /// Takes a place for a stranger, a token of which is cancelled when the place is lost.
    ///
    /// # Errors
    /// There is no room, and nobody who would have to make some.
    pub(super) fn enter(
        &mut self,
        source: &Source,
        standing: Standing,
        room: Room,
    ) -> Result<(PlaceId, CancellationToken), Turned> {
        let own = self
            .numbers
            .get(source)
            .and_then(|number| Some((*number, self.crowds.get(number)?.held)));
        match own {
            Some((number, held)) if held >= room.per_source => {
                self.displace_of(number).ok_or(Turned::PerSource)?;
            }
            _ if self.is_full(standing, room) => {
                self.displace(standing).ok_or(Turned::Total)?;
            }
            _ => {}
        }
        let id = PlaceId(self.number());
        // Giving way may have ended the source's last place.
        let number = match self.numbers.get(source) {
            Some(number) => *number,
            None => SourceNumber(self.number()),
        };
        self.numbers.insert(source.clone(), number);
        let crowd = self.crowds.entry(number).or_insert_with(|| Crowd {
            source: source.clone(),
            network: Network::of(source),
            standing,
            held: 0,
            strangers: BTreeSet::new(),
        });
        crowd.held += 1;
        let lost = CancellationToken::new();
        let place = Place {
            of: number,
            lost: lost.clone(),
        };
        self.taken.insert(id, place);
        self.change(number, |strangers| strangers.insert(id));
        Ok((id, lost))
    }

    /// Notes that somebody has bound there: the source is known from now on.
    pub(super) fn bound(&mut self, id: PlaceId) {
        let Some(number) = self.taken.get(&id).map(|place| place.of) else {
            return;
        };
        self.change(number, |strangers| strangers.remove(&id));
        self.make_known(number);
    }

    /// Notes that nobody is bound there any more.
    pub(super) fn unbound(&mut self, id: PlaceId) {
        if let Some(number) = self.taken.get(&id).map(|place| place.of) {
            self.change(number, |strangers| strangers.insert(id));
        }
    }

    /// Gives a place back.
    pub(super) fn leave(&mut self, id: PlaceId) {
        if !self.remove(id) {
            self.leaving = self.leaving.saturating_sub(1);
        }
    }

    /// How many are inside.
    pub(super) fn len(&self) -> usize {
        self.taken.len()
    }

    fn is_full(&self, standing: Standing, room: Room) -> bool {
        self.taken.len() >= room.in_all
            || (standing == Standing::Unknown && self.unknown.count >= room.unknown)
    }

    /// Ends the stranger that has to go for a newcomer of that standing: never one of a known
    /// source for one that is not.
    fn displace(&mut self, newcomer: Standing) -> Option<()> {
        let number = match newcomer {
            Standing::Unknown => self.unknown.heaviest(),
            Standing::Known => self.unknown.heaviest().or_else(|| self.known.heaviest()),
        };
        self.displace_of(number?)
    }

    /// Ends a source's oldest stranger.
    fn displace_of(&mut self, number: SourceNumber) -> Option<()> {
        if self.leaving >= MAX_LEAVING {
            return None;
        }
        let oldest = *self.crowds.get(&number)?.strangers.first()?;
        self.taken.get(&oldest)?.lost.cancel();
        self.leaving += 1;
        self.remove(oldest).then_some(())
    }

    fn remove(&mut self, id: PlaceId) -> bool {
        let Some(place) = self.taken.remove(&id) else {
            return false;
        };
        self.change(place.of, |strangers| strangers.remove(&id));
        if let Some(crowd) = self.crowds.get_mut(&place.of) {
            crowd.held = crowd.held.saturating_sub(1);
            if crowd.held == 0 {
                self.numbers.remove(&crowd.source);
                self.crowds.remove(&place.of);
            }
        }
        true
    }

    /// Changes a source's strangers, and its rank with them.
    fn change(
        &mut self,
        number: SourceNumber,
        change: impl FnOnce(&mut BTreeSet<PlaceId>) -> bool,
    ) {
        let Some(crowd) = self.crowds.get_mut(&number) else {
            return;
        };
        let before = crowd.rank(number);
        change(&mut crowd.strangers);
        let strangers = match crowd.standing {
            Standing::Unknown => &mut self.unknown,
            Standing::Known => &mut self.known,
        };
        strangers.rerank(&crowd.network, before, crowd.rank(number));
    }

    fn make_known(&mut self, number: SourceNumber) {
        let Some(crowd) = self.crowds.get_mut(&number) else {
            return;
        };
        if crowd.standing == Standing::Unknown {
            crowd.standing = Standing::Known;
            let rank = crowd.rank(number);
            self.unknown.rerank(&crowd.network, rank, None);
            self.known.rerank(&crowd.network, None, rank);
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}
