//! Settlements (CONTRACT.md 3.2, 3.3).

use std::time::Duration;

use doorward_domain::event::{Actor, EventBody, Outcome};
use doorward_domain::origin::OriginKey;
use doorward_domain::refusal::Refusal;
use doorward_store::AttemptStore as _;
use doorward_store::attempts::{AccountKey, Fetch, PlaceAnswer, SettleAnswer, Settled};
use doorward_store::changes::Change;
use doorward_store::records::MailKind;

use crate::world::*;

pub(crate) async fn wrong_passwords_lock_at_the_threshold(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    let mut answers = Vec::new();
    for _ in 0..3 {
        let (failure, locked) = attempt.fail(&store).await;
        assert!(failure.is_some());
        answers.push(locked);
    }
    assert_eq!(answers, [false, false, true]);
    let read = read(&store, alice).await;
    assert_eq!(read.facts.locked_since, Some(START));
    assert!(read.epoch > attempt.epoch);
    // What locked is spent: it would not lock again at once if the lock lapsed by itself.
    let again = Attempt::new(&store, alice, START.plus(minutes(5))).await;
    assert!(!again.fail(&store).await.1);
}

pub(crate) async fn the_daily_cap_locks_whatever_succeeded(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    for number in 0..8 {
        let attempt = Attempt::new(&store, alice, START.plus(minutes(number))).await;
        let (_, locked) = attempt.fail(&store).await;
        assert_eq!(locked, number == 7, "failure {number}");
        if !locked {
            attempt.succeed(&store).await;
        }
    }
    assert!(facts(&store, alice).await.locked_since.is_some());
}

pub(crate) async fn failures_outside_the_window_do_not_lock(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    for number in 0..4 {
        let attempt = Attempt::new(&store, alice, START.plus(minutes(16 * number))).await;
        assert!(!attempt.fail(&store).await.1);
    }
}

pub(crate) async fn failures_survive_a_clock_that_jumps_ahead_and_back(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    attempt.fail(&store).await;
    attempt.fail(&store).await;
    let ahead = Attempt::new(&store, alice, START.plus(hours(72))).await;
    let place = ahead.place(&store).await;
    store.give_back(place).await.unwrap();
    let back = Attempt::new(&store, alice, START.plus(minutes(1))).await;
    assert!(back.fail(&store).await.1);
}

pub(crate) async fn a_success_clears_its_own_origin_only(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let owner = Attempt::new(&store, alice, START).await;
    let stranger = owner.clone().from(ELSEWHERE);
    owner.fail(&store).await;
    stranger.fail(&store).await;
    owner.succeed(&store).await;
    // The owner's failure is cleared, the stranger's is not: one more of his and one of the
    // owner's make three.
    assert!(!stranger.fail(&store).await.1);
    assert!(owner.fail(&store).await.1);
}

pub(crate) async fn cleared_failures_count_toward_the_day(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    for number in 0..7 {
        let owner = Attempt::new(&store, alice, START.plus(minutes(number))).await;
        assert!(!owner.fail(&store).await.1);
        owner.succeed(&store).await;
    }
    let owner = Attempt::new(&store, alice, START.plus(minutes(8))).await;
    assert!(owner.fail(&store).await.1);
}

pub(crate) async fn a_success_under_another_epoch_is_decided_anew(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    let place = attempt.place(&store).await;
    apply(&store, Change::Suspend { account: alice })
        .await
        .unwrap();
    let before = events(&store).await.len();
    let answer = attempt
        .settle(&store, Some(place), attempt.admitted())
        .await;
    assert_eq!(answer, SettleAnswer::Moved);
    assert_eq!(events(&store).await.len(), before, "nothing is recorded");
    // The place was given back.
    let anew = Attempt::new(&store, alice, START).await;
    for _ in 0..3 {
        anew.place(&store).await;
    }
    assert_eq!(anew.take(&store).await, PlaceAnswer::Full);
}

pub(crate) async fn a_success_without_a_place_needs_the_epoch_too(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    let shared = attempt.settle(&store, None, attempt.admitted()).await;
    assert!(matches!(shared, SettleAnswer::Done { .. }));
    unlock(&store, alice, START).await;
    assert_eq!(
        attempt.settle(&store, None, attempt.admitted()).await,
        SettleAnswer::Moved
    );
}

pub(crate) async fn a_wrong_password_without_a_place_counts_nothing(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    for _ in 0..10 {
        let answer = attempt.settle(&store, None, attempt.wrong()).await;
        assert_eq!(counted(answer), (None, false));
    }
    assert_eq!(facts(&store, alice).await.locked_since, None);
}

pub(crate) async fn a_failure_of_a_place_voided_by_an_unlock_counts_nothing(
    fixture: &impl Fixture,
) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    attempt.fail(&store).await;
    attempt.fail(&store).await;
    let place = attempt.place(&store).await;
    unlock(&store, alice, START).await;
    let before = events(&store).await.len();
    let answer = attempt.settle(&store, Some(place), attempt.wrong()).await;
    assert_eq!(counted(answer), (None, false));
    assert_eq!(events(&store).await.len(), before + 1, "the event stays");
    let anew = Attempt::new(&store, alice, START).await;
    assert!(!anew.fail(&store).await.1);
    assert!(!anew.fail(&store).await.1);
    assert!(anew.fail(&store).await.1);
}

pub(crate) async fn a_failure_of_a_place_voided_by_a_reset_counts_nothing(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    attempt.fail(&store).await;
    let place = attempt.place(&store).await;
    set_password(&store, alice, START, "second").await;
    let answer = attempt.settle(&store, Some(place), attempt.wrong()).await;
    assert_eq!(counted(answer), (None, false));
}

pub(crate) async fn a_failure_after_a_suspension_counts(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    let place = attempt.place(&store).await;
    apply(&store, Change::Suspend { account: alice })
        .await
        .unwrap();
    let answer = attempt.settle(&store, Some(place), attempt.wrong()).await;
    assert!(counted(answer).0.is_some());
}

pub(crate) async fn what_is_given_back_counts_nothing_and_is_recorded(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    for _ in 0..10 {
        let place = attempt.place(&store).await;
        let answer = attempt
            .settle(&store, Some(place), Settled::GivenBack)
            .await;
        assert_eq!(counted(answer), (None, false));
    }
    let recorded = events(&store)
        .await
        .into_iter()
        .filter(|event| matches!(event.body, EventBody::Attempt(_)))
        .count();
    assert_eq!(recorded, 10);
}

pub(crate) async fn kinds_that_do_not_count_never_lock(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await.not_counting();
    for _ in 0..8 {
        assert!(!attempt.fail(&store).await.1);
    }
    assert_eq!(facts(&store, alice).await.locked_since, None);
}

pub(crate) async fn a_lock_queues_its_mail_and_records_its_event(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    for _ in 0..3 {
        attempt.fail(&store).await;
    }
    assert_eq!(mails(&store).await, [MailKind::Locked]);
    let recorded = events(&store).await;
    let attempts: Vec<_> = recorded
        .iter()
        .filter_map(|event| match &event.body {
            EventBody::Attempt(attempt) => Some((attempt.outcome, attempt.reason)),
            EventBody::Change(_) => None,
        })
        .collect();
    assert_eq!(
        attempts,
        [(Outcome::Refused, Some(Refusal::WrongPassword)); 3]
    );
    let Some(EventBody::Change(lock)) = recorded.last().map(|event| &event.body) else {
        panic!("the lock is not the last event");
    };
    assert_eq!(lock.action, "user.lock");
    assert_eq!(lock.actor, Actor::Gateway);
    assert_eq!(lock.account, Some(alice));
    assert_eq!(lock.target, "alice");
    assert_eq!(lock.before["locked_since"], serde_json::Value::Null);
    assert_eq!(lock.after["locked_since"], START.rfc3339());
}

pub(crate) async fn a_removed_account_settles_without_a_failure(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    let place = attempt.place(&store).await;
    apply(&store, Change::RemoveUser { account: alice })
        .await
        .unwrap();
    let answer = attempt.settle(&store, Some(place), attempt.wrong()).await;
    assert_eq!(counted(answer), (None, false));
    let answer = attempt
        .settle(&store, Some(place), attempt.admitted())
        .await;
    assert_eq!(answer, SettleAnswer::Moved);
    store.probe().await.unwrap();
}

pub(crate) async fn the_times_of_failures_are_those_that_are_counted(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let mut attempt = Attempt::new(&store, alice, START).await;
    attempt.fail(&store).await;
    attempt.at = START.plus(Duration::from_secs(1));
    attempt.fail(&store).await;
    let mut uncounted = attempt.clone().not_counting();
    uncounted.at = START.plus(Duration::from_secs(2));
    uncounted.fail(&store).await;
    let times = async |limits| store.failure_times(alice, &limits).await.unwrap();
    assert_eq!(times(attempt.limits).await, [START, attempt.at]);
    let mut later = attempt.limits;
    later.window_start = attempt.at;
    assert_eq!(times(later).await, [attempt.at]);
    attempt.succeed(&store).await;
    assert!(times(attempt.limits).await.is_empty(), "cleared");
}

pub(crate) async fn an_account_is_known_where_it_was_let_in(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let admitted = |origin: &str| {
        let (store, origin) = (&store, OriginKey::new(origin.to_owned()));
        async move {
            let key = AccountKey::Id(alice);
            let read = store.read_attempt(&key, None, Some(&origin), Fetch::Verdict);
            read.await.unwrap().account.unwrap().admitted_here
        }
    };
    let attempt = Attempt::new(&store, alice, START).await;
    attempt.fail(&store).await;
    assert_eq!(admitted(HERE).await, None);
    attempt.succeed(&store).await;
    assert_eq!(admitted(HERE).await, Some(START));
    assert_eq!(admitted(ELSEWHERE).await, None);
    // Written down once a day.
    for (hours, known_since) in [(23, START), (25, START.plus(Duration::from_hours(25)))] {
        let later = START.plus(Duration::from_hours(hours));
        let later = Attempt::new(&store, alice, later).await;
        later.succeed(&store).await;
        assert_eq!(admitted(HERE).await, Some(known_since));
    }
    // The newest of many stay.
    for number in 0..70_u64 {
        let at = START.plus(Duration::from_hours(48)).plus(minutes(number));
        let origin: &'static str = Box::leak(format!("198.51.100.{number}").into_boxed_str());
        let attempt = Attempt::new(&store, alice, at).await.from(origin);
        attempt.succeed(&store).await;
    }
    assert_eq!(admitted(HERE).await, None);
    assert_eq!(admitted("198.51.100.5").await, None);
    assert!(admitted("198.51.100.6").await.is_some());
}
