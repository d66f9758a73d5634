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

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use tokio_util::sync::CancellationToken;

use super::Turned;
use crate::domain::origin::{PeerUser, Source};

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

/// The addresses among which one subscriber may choose: an IPv6 /48, an IPv4 /24.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Network {
    V4(u32),
    V6(u128),
    Local(PeerUser),
}

impl Network {
    fn of(source: &Source) -> Self {
        match source {
            Source::Address(IpAddr::V4(address)) => Self::V4(address.to_bits() >> 8),
            Source::Address(IpAddr::V6(address)) => Self::V6(address.to_bits() >> 80),
            Source::Local(user) => Self::Local(user.clone()),
        }
    }
}

/// Where somebody stands among others: who has most strangers is the last, of several who has the
/// oldest one.
type Rank<T> = (usize, Reverse<PlaceId>, T);

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

/// The strangers of all sources of one standing.
#[derive(Default)]
struct Strangers {
    count: usize,
    networks: HashMap<Network, Neighbours>,
    ranks: BTreeSet<Rank<Network>>,
}

/// Those of one network.
#[derive(Default)]
struct Neighbours {
    count: usize,
    ranks: BTreeSet<Rank<SourceNumber>>,
}

impl Neighbours {
    fn rank(&self, network: &Network) -> Option<Rank<Network>> {
        let (_, oldest, _) = self.ranks.last()?;
        Some((self.count, *oldest, network.clone()))
    }
}

impl Strangers {
    /// Puts one rank of a source in the place of another.
    fn rerank(
        &mut self,
        network: &Network,
        before: Option<Rank<SourceNumber>>,
        after: Option<Rank<SourceNumber>>,
    ) {
        let neighbours = self.networks.entry(network.clone()).or_default();
        if let Some(rank) = neighbours.rank(network) {
            self.ranks.remove(&rank);
        }
        if let Some(before) = before {
            neighbours.ranks.remove(&before);
            neighbours.count = neighbours.count.saturating_sub(before.0);
            self.count = self.count.saturating_sub(before.0);
        }
        if let Some(after) = after {
            neighbours.count += after.0;
            self.count += after.0;
            neighbours.ranks.insert(after);
        }
        match neighbours.rank(network) {
            Some(rank) => {
                self.ranks.insert(rank);
            }
            None => {
                self.networks.remove(network);
            }
        }
    }

    /// The source whose oldest stranger is the first to go.
    fn heaviest(&self) -> Option<SourceNumber> {
        let (.., network) = self.ranks.last()?;
        let (.., number) = self.networks.get(network)?.ranks.last()?;
        Some(*number)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOM: Room = Room {
        in_all: 8,
        per_source: 4,
        unknown: 6,
    };

    /// Each in a network of its own.
    fn at(number: u8) -> Source {
        format!("192.0.{number}.1").parse().unwrap()
    }

    #[derive(Default)]
    struct Inside(Places);

    impl Inside {
        fn stranger(&mut self, last: u8) -> (PlaceId, CancellationToken) {
            self.0.enter(&at(last), Standing::Unknown, ROOM).unwrap()
        }

        fn of_known(&mut self, last: u8) -> Result<(PlaceId, CancellationToken), Turned> {
            self.0.enter(&at(last), Standing::Known, ROOM)
        }
    }

    #[test]
    fn who_holds_most_loses_the_oldest_to_whoever_needs_one() {
        let mut inside = Inside::default();
        let (_, alone) = inside.stranger(1);
        let many: Vec<_> = (0..4).map(|_| inside.stranger(2).1).collect();
        inside.stranger(3);
        let lost = |many: &[CancellationToken]| -> Vec<bool> {
            many.iter().map(CancellationToken::is_cancelled).collect()
        };
        inside.stranger(4);
        assert_eq!(lost(&many), [true, false, false, false]);
        inside.stranger(5);
        assert_eq!(lost(&many), [true, true, false, false]);
        assert!(!alone.is_cancelled());
        assert_eq!(inside.0.len(), 6);
    }

    #[test]
    fn where_none_holds_more_than_another_the_oldest_goes() {
        let mut inside = Inside::default();
        let all: Vec<_> = (1..=6).map(|last| inside.stranger(last).1).collect();
        inside.stranger(7);
        assert!(all[0].is_cancelled());
        assert!(all[1..].iter().all(|other| !other.is_cancelled()));
    }

    #[test]
    fn many_addresses_of_one_network_are_one_crowd() {
        for network in ["2001:db8:0:", "198.51.100."] {
            let mut inside = Inside::default();
            let (_, alone) = inside.stranger(1);
            let neighbour = |number: u8| -> Source {
                let suffix = if network.contains(':') { "::1" } else { "" };
                format!("{network}{number}{suffix}").parse().unwrap()
            };
            let enter = |inside: &mut Inside, number| {
                let entered = inside.0.enter(&neighbour(number), Standing::Unknown, ROOM);
                entered.unwrap().1
            };
            let twice = [enter(&mut inside, 1), enter(&mut inside, 1)];
            let others: Vec<_> = (2..5).map(|number| enter(&mut inside, number)).collect();
            inside.stranger(2);
            assert!(
                twice[0].is_cancelled(),
                "the source with most of the network"
            );
            inside.stranger(3);
            assert!(twice[1].is_cancelled(), "then the oldest of it");
            assert!(!alone.is_cancelled());
            assert!(others.iter().all(|other| !other.is_cancelled()));
        }
    }

    #[test]
    fn a_source_at_its_own_bound_loses_its_own() {
        let mut inside = Inside::default();
        let (_, other) = inside.stranger(1);
        let own: Vec<_> = (0..5).map(|_| inside.stranger(2).1).collect();
        assert!(own[0].is_cancelled() && !own[1].is_cancelled());
        assert!(!other.is_cancelled());
    }

    #[test]
    fn nobody_who_has_bound_goes_for_another() {
        let mut inside = Inside::default();
        let bound: Vec<_> = (1..=8_u8)
            .map(|last| {
                let (id, lost) = inside.stranger(last);
                inside.0.bound(id);
                (id, lost)
            })
            .collect();
        for standing in [Standing::Unknown, Standing::Known] {
            let turned = inside.0.enter(&at(9), standing, ROOM).err();
            assert_eq!(turned, Some(Turned::Total));
        }
        assert!(bound.iter().all(|(_, lost)| !lost.is_cancelled()));
        inside.0.unbound(bound[3].0);
        assert!(inside.of_known(9).is_ok());
        assert!(bound[3].1.is_cancelled());
    }

    #[test]
    fn a_part_is_kept_for_known_sources_and_no_stranger_takes_it_back() {
        let mut inside = Inside::default();
        let unknown: Vec<_> = (1..=6).map(|last| inside.stranger(last).1).collect();
        let first = inside.of_known(100).unwrap().1;
        let second = inside.of_known(101).unwrap().1;
        assert!(unknown.iter().all(|lost| !lost.is_cancelled()));
        // From here on strangers give way, to one another and to the known.
        inside.stranger(7);
        inside.of_known(102).unwrap();
        assert_eq!(unknown.iter().filter(|lost| lost.is_cancelled()).count(), 2);
        assert!(!first.is_cancelled() && !second.is_cancelled());
    }

    #[test]
    fn a_source_where_somebody_binds_is_known_with_all_it_has() {
        let mut inside = Inside::default();
        let own: Vec<_> = (0..3).map(|_| inside.stranger(1)).collect();
        inside.0.bound(own[2].0);
        assert_eq!(inside.0.unknown.count, 0);
        for last in 2..20 {
            inside.stranger(last);
        }
        assert!(own.iter().all(|(_, lost)| !lost.is_cancelled()));
    }

    #[test]
    fn no_more_are_sent_out_than_can_be_on_their_way() {
        let mut inside = Inside::default();
        let first: Vec<_> = (0..4).map(|_| inside.stranger(1)).collect();
        let mut turned = 0;
        for _ in 0..MAX_LEAVING + 3 {
            let entered = inside.0.enter(&at(1), Standing::Unknown, ROOM);
            turned += u32::from(entered.is_err());
        }
        assert_eq!(turned, 3);
        inside.0.leave(first[0].0);
        assert!(inside.0.enter(&at(1), Standing::Unknown, ROOM).is_ok());
    }

    proptest! {
        /// Whatever happens in whatever order: within bounds, the ranks agree with the strangers,
        /// and nothing is left of who has gone.
        #[test]
        fn the_places_stay_whole(steps in prop::collection::vec((0_u8..5, 1_u8..6, any::<bool>(), 0_usize..9), 1..200)) {
            let source = |last: u8| -> Source { format!("192.0.{}.{last}", last / 3).parse().unwrap() };
            let mut inside = Places::default();
            let mut held: Vec<(PlaceId, CancellationToken)> = Vec::new();
            for (action, last, known, which) in steps {
                let standing = if known { Standing::Known } else { Standing::Unknown };
                match (action, held.get(which)) {
                    (0..=1, _) => held.extend(inside.enter(&source(last), standing, ROOM).ok()),
                    (2, Some((id, _))) => inside.bound(*id),
                    (3, Some((id, _))) => inside.unbound(*id),
                    (_, Some(_)) => inside.leave(held.remove(which).0),
                    _ => {}
                }
                prop_assert!(inside.len() <= ROOM.in_all);
                for (standing, strangers) in [(Standing::Unknown, &inside.unknown), (Standing::Known, &inside.known)] {
                    let of: Vec<_> = inside.crowds.values().filter(|crowd| crowd.standing == standing && !crowd.strangers.is_empty()).collect();
                    let count: usize = of.iter().map(|crowd| crowd.strangers.len()).sum();
                    prop_assert_eq!(count, strangers.count);
                    let ranked: usize = strangers.networks.values().map(|neighbours| neighbours.ranks.len()).sum();
                    prop_assert_eq!(of.len(), ranked);
                    prop_assert_eq!(strangers.networks.len(), strangers.ranks.len());
                    let summed: usize = strangers.networks.values().map(|neighbours| neighbours.count).sum();
                    prop_assert_eq!(count, summed);
                }
                let held: usize = inside.crowds.values().map(|crowd| crowd.held).sum();
                prop_assert_eq!(held, inside.len());
                prop_assert!(inside.crowds.values().all(|crowd| crowd.held > 0));
                prop_assert_eq!(inside.numbers.len(), inside.crowds.len());
            }
            for (id, _) in held {
                inside.leave(id);
            }
            let ranks = inside.unknown.ranks.len() + inside.known.ranks.len();
            prop_assert_eq!(inside.len() + inside.leaving + ranks, 0);
        }
    }
}
