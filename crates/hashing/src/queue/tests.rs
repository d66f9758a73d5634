use super::*;

use proptest::collection::vec;
use proptest::prelude::*;

fn queue(capacity: usize) -> Queue<(usize, usize)> {
    Queue::new(
        NonZeroUsize::new(capacity).unwrap(),
        Arc::new(PoolCounters::default()),
    )
}

fn lane(number: usize) -> Lane {
    Lane::Attempt(Some(ResourceName::parse(&format!("r{number}")).unwrap()))
}

#[test]
fn lanes_take_turns_and_keep_their_order() {
    let queue = queue(8);
    for (number, item) in [(1, 0), (1, 1), (1, 2), (2, 0), (3, 0), (2, 1)] {
        assert_eq!(
            queue.push(Precedence::Unknown, lane(number), (number, item)),
            Ok(())
        );
    }
    let taken: Vec<_> = (0..6).map(|_| queue.pop().unwrap()).collect();
    assert_eq!(taken, [(1, 0), (2, 0), (3, 0), (1, 1), (2, 1), (1, 2)]);
}

#[test]
fn a_full_queue_has_room_for_who_has_less_than_its_share() {
    let queue = queue(6);
    for item in 0..6 {
        assert_eq!(queue.push(Precedence::Unknown, lane(1), (1, item)), Ok(()));
    }
    assert_eq!(
        queue.push(Precedence::Unknown, lane(1), (1, 6)),
        Err(NoRoom)
    );
    for item in 0..3 {
        assert_eq!(queue.push(Precedence::Unknown, lane(2), (2, item)), Ok(()));
    }
    assert_eq!(
        queue.push(Precedence::Unknown, lane(2), (2, 3)),
        Err(NoRoom)
    );
    assert_eq!(queue.counters.queue_full(), 3, "three were displaced");
    assert_eq!(queue.counters.queue_depth(), 6);
    let taken: Vec<_> = (0..6).map(|_| queue.pop().unwrap()).collect();
    assert_eq!(taken, [(1, 0), (2, 0), (1, 1), (2, 1), (1, 2), (2, 2)]);
}

#[test]
fn contract_3_7_the_known_go_first_and_the_others_have_one_turn_in_five() {
    let queue = queue(64);
    for item in 0..20 {
        assert_eq!(queue.push(Precedence::Unknown, lane(1), (1, item)), Ok(()));
    }
    for item in 0..10 {
        assert_eq!(queue.push(Precedence::Known, lane(2), (2, item)), Ok(()));
    }
    let taken: Vec<_> = (0..15).map(|_| queue.pop().unwrap().0).collect();
    assert_eq!(taken, [2, 2, 2, 2, 1, 2, 2, 2, 2, 1, 2, 2, 1, 1, 1]);
}

#[test]
fn contract_3_7_a_queue_full_of_strangers_has_room_for_the_known_and_not_the_other_way_round() {
    let queue = queue(4);
    for item in 0..4 {
        assert_eq!(queue.push(Precedence::Unknown, lane(1), (1, item)), Ok(()));
    }
    for item in 0..4 {
        assert_eq!(queue.push(Precedence::Known, lane(1), (2, item)), Ok(()));
    }
    assert_eq!(queue.push(Precedence::Known, lane(1), (2, 4)), Err(NoRoom));
    assert_eq!(
        queue.push(Precedence::Unknown, lane(1), (1, 4)),
        Err(NoRoom)
    );
    let taken: Vec<_> = (0..4).map(|_| queue.pop().unwrap()).collect();
    assert_eq!(taken, [(2, 0), (2, 1), (2, 2), (2, 3)]);
}

proptest! {
    /// Whatever comes in whatever order: no more waits than may, each lane keeps its order, and
    /// nobody is turned away while another lane has two more.
    #[test]
    fn every_lane_has_its_share(capacity in 1..12_usize, pushes in vec(0..4_usize, 0..60)) {
        let queue = queue(capacity);
        let lengths = |queue: &Queue<(usize, usize)>| {
            let state = queue.lock();
            let length = |number: usize| {
                let found = state.unknown.lanes.iter().find(|(known, _)| *known == lane(number));
                found.map_or(0, |(_, waiting)| waiting.len())
            };
            [0, 1, 2, 3].map(length)
        };
        for (item, number) in pushes.into_iter().enumerate() {
            let before = lengths(&queue);
            let pushed = queue.push(Precedence::Unknown, lane(number), (number, item));
            let after = lengths(&queue);
            prop_assert!(after.iter().sum::<usize>() <= capacity);
            prop_assert_eq!(after.iter().sum::<usize>() as u64, queue.counters.queue_depth());
            if pushed.is_ok() {
                prop_assert_eq!(after[number], before[number] + 1);
            } else {
                prop_assert_eq!(before, after);
                prop_assert!(after.iter().all(|length| *length <= after[number] + 1));
            }
        }
        let mut last = [None; 4];
        for _ in 0..queue.counters.queue_depth() {
            let (number, item) = queue.pop().unwrap();
            prop_assert!(last[number] < Some(item));
            last[number] = Some(item);
        }
    }
}
