//! Places (CONTRACT.md 3.3).

use std::time::Duration;

use doorward_domain::id::{AccountId, PlaceId};
use doorward_store::AttemptStore as _;
use doorward_store::attempts::{PlaceAnswer, SettleAnswer};
use doorward_store::changes::Change;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};

use crate::world::*;

pub(crate) async fn a_place_is_granted_until_the_threshold(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    let first = attempt.place(&store).await;
    let second = attempt.place(&store).await;
    assert_ne!(first, second);
    attempt.settle(&store, Some(first), attempt.wrong()).await;
    attempt.place(&store).await;
    // One failure and two places: the threshold of three.
    assert_eq!(attempt.take(&store).await, PlaceAnswer::Full);
}

pub(crate) async fn a_place_given_back_is_free_again(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    for _ in 0..20 {
        let place = attempt.place(&store).await;
        store.give_back(place).await.unwrap();
    }
    assert!(events(&store).await.iter().all(|event| event.at == START));
    for _ in 0..20 {
        attempt.succeed(&store).await;
    }
    let newest = events(&store).await.pop().unwrap();
    assert_eq!(newest.count, 20);
}

pub(crate) async fn another_epoch_is_told(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    apply(&store, Change::Suspend { account: alice })
        .await
        .unwrap();
    assert_eq!(attempt.take(&store).await, PlaceAnswer::Moved);
}

pub(crate) async fn an_account_that_is_gone_is_told(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    apply(&store, Change::RemoveUser { account: alice })
        .await
        .unwrap();
    assert_eq!(attempt.take(&store).await, PlaceAnswer::Moved);
}

pub(crate) async fn a_lapsed_place_is_free_and_still_counts_when_settled_late(
    fixture: &impl Fixture,
) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let early = Attempt::new(&store, alice, START).await;
    let mut left = Vec::new();
    for _ in 0..3 {
        left.push(early.place(&store).await);
    }
    assert_eq!(early.take(&store).await, PlaceAnswer::Full);
    let later = Attempt::new(&store, alice, START.plus(Duration::from_secs(31))).await;
    let fresh = later.place(&store).await;
    later.settle(&store, Some(fresh), later.admitted()).await;
    // The three whose owner seemed dead come in after all, within the hour.
    let late = Attempt::new(&store, alice, START.plus(minutes(25))).await;
    late.succeed(&store).await;
    let mut locks = Vec::new();
    for place in left {
        let (failure, locked) = counted(late.settle(&store, Some(place), late.wrong()).await);
        assert!(failure.is_some());
        locks.push(locked);
    }
    assert_eq!(locks, [false, false, true]);
}

pub(crate) async fn parallel_takers_share_the_threshold(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let (store, attempt) = (store.clone(), attempt.clone());
        tasks.spawn(async move {
            match attempt.take(&store).await {
                PlaceAnswer::Taken(place) => {
                    attempt.settle(&store, Some(place), attempt.wrong()).await;
                    true
                }
                PlaceAnswer::Full | PlaceAnswer::Moved => false,
                PlaceAnswer::Slowed => panic!("a counting kind is never slowed"),
            }
        });
    }
    let mut compared = 0;
    while let Some(taken) = tasks.join_next().await {
        compared += usize::from(taken.unwrap());
    }
    assert_eq!(compared, 3);
    assert_eq!(facts(&store, alice).await.locked_since, Some(START));
}

pub(crate) async fn places_of_kinds_that_do_not_count_are_not_limited_by_the_threshold(
    fixture: &impl Fixture,
) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let counting = Attempt::new(&store, alice, START).await;
    let other = counting.clone().not_counting();
    for _ in 0..5 {
        other.place(&store).await;
    }
    // And they take none of the counting kinds' room.
    for _ in 0..3 {
        counting.place(&store).await;
    }
    assert_eq!(counting.take(&store).await, PlaceAnswer::Full);
}

pub(crate) async fn the_daily_cap_limits_places_of_counting_kinds(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    // Seven failures spread over the day, never three in a window.
    for number in 0..7 {
        let attempt = Attempt::new(&store, alice, START.plus(hours(number))).await;
        assert!(!attempt.fail(&store).await.1);
    }
    let now = START.plus(hours(8));
    let attempt = Attempt::new(&store, alice, now).await;
    attempt.place(&store).await;
    assert_eq!(attempt.take(&store).await, PlaceAnswer::Full);
    // A day after the first of them there is room again.
    let next_day = Attempt::new(&store, alice, START.plus(hours(24) + minutes(1))).await;
    next_day.place(&store).await;
    next_day.place(&store).await;
    assert_eq!(next_day.take(&store).await, PlaceAnswer::Full);
}

pub(crate) async fn the_daily_cap_slows_kinds_that_do_not_count(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await.not_counting();
    for _ in 0..8 {
        attempt.fail(&store).await;
    }
    assert_eq!(attempt.take(&store).await, PlaceAnswer::Slowed);
    let soon = Attempt::new(&store, alice, START.plus(minutes(14)))
        .await
        .not_counting();
    assert_eq!(soon.take(&store).await, PlaceAnswer::Slowed);
    let later = Attempt::new(&store, alice, START.plus(minutes(16)))
        .await
        .not_counting();
    let place = later.place(&store).await;
    assert_eq!(later.take(&store).await, PlaceAnswer::Slowed);
    later.settle(&store, Some(place), later.wrong()).await;
    assert_eq!(later.take(&store).await, PlaceAnswer::Slowed);
    // Where the account is known it has what it has for itself.
    later.clone().known().place(&store).await;
}

pub(crate) async fn failures_of_kinds_that_do_not_count_lock_nothing_elsewhere(
    fixture: &impl Fixture,
) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let elsewhere = Attempt::new(&store, alice, START).await.not_counting();
    for _ in 0..20 {
        elsewhere.clone().known().fail(&store).await;
    }
    let counting = Attempt::new(&store, alice, START.plus(minutes(1))).await;
    for _ in 0..2 {
        assert!(!counting.fail(&store).await.1);
    }
    counting.succeed(&store).await;
    assert_eq!(facts(&store, alice).await.locked_since, None);
}

pub(crate) async fn confirmed_failures_lock_at_the_next_place(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    attempt.fail(&store).await;
    attempt.fail(&store).await;
    // The threshold was lowered since.
    let mut stricter = Attempt::new(&store, alice, START.plus(minutes(1))).await;
    stricter.limits.threshold = 2;
    let before = stricter.epoch;
    assert_eq!(stricter.take(&store).await, PlaceAnswer::Moved);
    let read = read(&store, alice).await;
    assert_eq!(read.facts.locked_since, Some(stricter.at));
    assert!(read.epoch > before);
    assert_eq!(actions(&store).await.last().unwrap(), "user.lock");
}

/// What one step of a random interleaving does.
#[derive(Debug, Clone)]
enum Step {
    Take { counting: bool },
    Settle { which: prop::sample::Index, how: u8 },
    Unlock,
    Reset,
    Suspend,
    Pass { seconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any::<bool>().prop_map(|counting| Step::Take { counting }),
        6 => (any::<prop::sample::Index>(), 0_u8..6)
            .prop_map(|(which, how)| Step::Settle { which, how }),
        1 => Just(Step::Unlock),
        1 => Just(Step::Reset),
        1 => Just(Step::Suspend),
        1 => (0_u64..20).prop_map(|seconds| Step::Pass { seconds }),
    ]
}

/// The model: what was charged to one account, as the contract counts it.
#[derive(Default)]
struct Model {
    open: Vec<(PlaceId, Attempt)>,
    failures: Vec<(bool, &'static str)>,
}

impl Model {
    fn counted(&self) -> usize {
        let open = self
            .open
            .iter()
            .filter(|(_, attempt)| attempt.limits.counting)
            .count();
        open + self.failures.iter().filter(|(counts, _)| *counts).count()
    }
}

async fn interleave(fixture: &impl Fixture, name: &str, steps: Vec<Step>) {
    let store = fixture.open();
    let alice: AccountId = add_user(&store, name).await;
    let mut now = START;
    let mut model = Model::default();
    // Places whose ground went away; they settle late and must count nothing.
    let mut void: Vec<(PlaceId, Attempt)> = Vec::new();
    for step in steps {
        let locked = facts(&store, alice).await.locked_since.is_some();
        match step {
            Step::Take { counting } => {
                let mut attempt = Attempt::new(&store, alice, now).await;
                // Nothing lapses here: that late settlements still count is another test's.
                attempt.limits.lapsed_before = START;
                attempt.limits.counting = counting;
                attempt.limits.daily_cap = 1000;
                if counting && locked {
                    continue;
                }
                match attempt.take(&store).await {
                    PlaceAnswer::Taken(place) => {
                        assert!(!counting || model.counted() < 3, "a place too many");
                        model.open.push((place, attempt));
                        assert!(model.counted() <= 3);
                    }
                    PlaceAnswer::Full => assert!(counting && model.counted() >= 3),
                    other => panic!("{other:?}"),
                }
            }
            Step::Settle { which, how } => {
                let from_void = how == 5 && !void.is_empty();
                let pool = if from_void {
                    &mut void
                } else {
                    &mut model.open
                };
                if pool.is_empty() {
                    continue;
                }
                let (place, mut attempt) = pool.swap_remove(which.index(pool.len()));
                attempt.at = now;
                let moved = epoch(&store, alice).await != attempt.epoch;
                match how {
                    0 => {
                        let answer = attempt
                            .settle(&store, Some(place), attempt.admitted())
                            .await;
                        assert_eq!(answer == SettleAnswer::Moved, moved);
                        if !moved && attempt.limits.counting {
                            for failure in &mut model.failures {
                                failure.0 = false;
                            }
                        }
                    }
                    1 => {
                        store.give_back(place).await.unwrap();
                    }
                    _ => {
                        let answer = attempt.settle(&store, Some(place), attempt.wrong()).await;
                        let (failure, locks) = counted(answer);
                        assert_eq!(failure.is_some(), !from_void);
                        if from_void {
                            assert!(!locks);
                            continue;
                        }
                        let counting = attempt.limits.counting;
                        model.failures.push((counting && !(moved && locked), HERE));
                        let counts = model.failures.iter().filter(|(counts, _)| *counts).count();
                        assert_eq!(locks, counting && counts >= 3, "{counts} failures");
                        if locks {
                            for failure in &mut model.failures {
                                failure.0 = false;
                            }
                        }
                    }
                }
            }
            Step::Unlock => {
                unlock(&store, alice, now).await;
                void.append(&mut model.open);
                model.failures.clear();
            }
            Step::Reset => {
                set_password(&store, alice, now, "another").await;
                void.append(&mut model.open);
                model.failures.clear();
            }
            Step::Suspend => {
                // The epoch moves and nothing is voided.
                let change = if facts(&store, alice).await.suspended {
                    Change::Resume { account: alice }
                } else {
                    Change::Suspend { account: alice }
                };
                apply_at(&store, now, change).await.unwrap();
            }
            Step::Pass { seconds } => now = now.plus(Duration::from_secs(seconds)),
        }
    }
}

pub(crate) async fn random_interleavings_never_exceed_the_threshold(fixture: &impl Fixture) {
    let mut runner = TestRunner::new(Config::default());
    let steps = prop::collection::vec(step(), 1..60);
    for number in 0..24 {
        let case = steps.new_tree(&mut runner).unwrap().current();
        let shown = format!("{case:?}");
        println!("case {number}: {shown}");
        interleave(fixture, &format!("user{number}"), case).await;
    }
}
