//! Provisional failures: the previous password is compared after the answer (CONTRACT.md 3.5).

use std::time::Duration;

use doorward_domain::event::EventBody;
use doorward_domain::id::{AccountId, EventId, FailureId};
use doorward_domain::refusal::Refusal;
use doorward_domain::time::Timestamp;
use doorward_store::attempts::{Confirmation, PlaceAnswer, SettleAnswer};
use doorward_store::records::MailKind;
use doorward_store::{AttemptStore as _, Store};

use crate::world::*;

/// Fails provisionally.
async fn fail(store: &Store, attempt: &Attempt) -> (FailureId, EventId) {
    let place = attempt.place(store).await;
    match attempt
        .settle(store, Some(place), attempt.provisional())
        .await
    {
        SettleAnswer::Done {
            failure: Some(failure),
            locked: false,
            event,
        } => (failure, event),
        other => panic!("{other:?}"),
    }
}

async fn confirm(
    store: &Store,
    account: AccountId,
    at: Timestamp,
    (failure, event): (FailureId, EventId),
    stale: bool,
) -> (Option<FailureId>, bool) {
    let kind = if stale {
        MailKind::StalePassword
    } else {
        MailKind::Locked
    };
    let answer = store
        .confirm_failure(Confirmation {
            failure,
            event,
            account,
            at,
            stale,
            limits: limits(true, at),
            mail: Some(mail(account, kind)),
        })
        .await
        .unwrap();
    counted(answer)
}

pub(crate) async fn a_provisional_failure_counts_and_does_not_lock(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    for _ in 0..3 {
        fail(&store, &attempt).await;
    }
    assert_eq!(facts(&store, alice).await.locked_since, None);
    assert_eq!(attempt.take(&store).await, PlaceAnswer::Full);
}

pub(crate) async fn confirmed_as_wrong_it_locks(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    let mut pending = Vec::new();
    for _ in 0..3 {
        pending.push(fail(&store, &attempt).await);
    }
    let mut answers = Vec::new();
    for failure in pending {
        let (counted, locked) = confirm(&store, alice, START, failure, false).await;
        assert_eq!(counted, Some(failure.0));
        answers.push(locked);
    }
    assert_eq!(answers, [false, false, true]);
    assert_eq!(facts(&store, alice).await.locked_since, Some(START));
    assert_eq!(mails(&store).await, [MailKind::Locked]);
}

pub(crate) async fn confirmed_as_stale_it_is_forgotten(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    for _ in 0..100 {
        let failure = fail(&store, &attempt).await;
        assert_eq!(
            confirm(&store, alice, START, failure, true).await,
            (None, false)
        );
    }
    assert_eq!(facts(&store, alice).await.locked_since, None);
    assert_eq!(user(&store, alice).await.recent_failures, 0);
    let reasons: Vec<_> = events(&store)
        .await
        .into_iter()
        .filter_map(|event| match event.body {
            EventBody::Attempt(attempt) => attempt.reason,
            EventBody::Change(_) => None,
        })
        .collect();
    assert_eq!(reasons, [Refusal::StalePassword; 100]);
}

pub(crate) async fn never_confirmed_it_counts_once_lapsed(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    for _ in 0..3 {
        fail(&store, &attempt).await;
    }
    // Whoever was to confirm them crashed.
    let later = Attempt::new(&store, alice, START.plus(minutes(1))).await;
    assert_eq!(later.take(&store).await, PlaceAnswer::Moved);
    assert_eq!(facts(&store, alice).await.locked_since, Some(later.at));
    assert_eq!(mails(&store).await, [MailKind::Locked]);
}

pub(crate) async fn stale_mail_is_sent_once_a_day(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    for hour in [0, 1, 23] {
        let attempt = Attempt::new(&store, alice, START.plus(hours(hour))).await;
        let failure = fail(&store, &attempt).await;
        confirm(&store, alice, attempt.at, failure, true).await;
        assert_eq!(mails(&store).await, [MailKind::StalePassword]);
    }
    let attempt = Attempt::new(&store, alice, START.plus(hours(25))).await;
    let (failure, event) = fail(&store, &attempt).await;
    // The same mail would wait once.
    let mut about_another_resource = mail(alice, MailKind::StalePassword);
    about_another_resource.details = serde_json::json!({ "resource": "mail" });
    store
        .confirm_failure(Confirmation {
            failure,
            event,
            account: alice,
            at: attempt.at,
            stale: true,
            limits: limits(true, attempt.at),
            mail: Some(about_another_resource),
        })
        .await
        .unwrap();
    assert_eq!(mails(&store).await, [MailKind::StalePassword; 2]);
}

pub(crate) async fn confirmed_after_an_unlock_it_counts_nothing(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    let failure = fail(&store, &attempt).await;
    unlock(&store, alice, START).await;
    assert_eq!(
        confirm(&store, alice, START, failure, false).await,
        (None, false)
    );
    assert_eq!(user(&store, alice).await.recent_failures, 0);
}

pub(crate) async fn confirmed_after_its_origin_succeeded_it_locks_nothing(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let owner = Attempt::new(&store, alice, START).await;
    let stranger = owner.clone().from(ELSEWHERE);
    let pending = fail(&store, &owner).await;
    owner.succeed(&store).await;
    stranger.fail(&store).await;
    stranger.fail(&store).await;
    assert_eq!(
        confirm(&store, alice, START, pending, false).await,
        (Some(pending.0), false)
    );
    assert_eq!(facts(&store, alice).await.locked_since, None);
}

pub(crate) async fn confirmed_after_the_lock_it_extends_nothing(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    for hour in (1..8).rev() {
        let earlier = START.minus(Duration::from_hours(hour));
        let mut earlier = Attempt::new(&store, alice, earlier).await;
        earlier.limits.daily_cap = 20;
        earlier.fail(&store).await;
    }
    let mut attempt = Attempt::new(&store, alice, START).await;
    attempt.limits.daily_cap = 20;
    let first = fail(&store, &attempt).await;
    let second = fail(&store, &attempt).await;
    // The eighth of the day locks; the ninth was under way.
    let later = START.plus(minutes(1));
    assert_eq!(
        confirm(&store, alice, START, first, false).await,
        (Some(first.0), true)
    );
    let locked = read(&store, alice).await;
    assert_eq!(
        confirm(&store, alice, later, second, false).await,
        (Some(second.0), false)
    );
    let after = read(&store, alice).await;
    assert_eq!(after.facts.locked_since, Some(START));
    assert_eq!(after.epoch, locked.epoch);
    assert_eq!(mails(&store).await, [MailKind::Locked]);
}
