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
