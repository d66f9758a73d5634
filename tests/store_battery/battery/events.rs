//! The audit log (CONTRACT.md 9).

use doorward_domain::device::MacAddress;
use doorward_domain::event::{Event, EventBody, Keeping, Outcome, Subject};
use doorward_domain::id::AccountId;
use doorward_domain::refusal::Refusal;
use doorward_domain::time::Timestamp;
use doorward_store::attempts::{Confirmation, SettleAnswer};
use doorward_store::changes::{Change, UserPatch};
use doorward_store::events::EventQuery;
use doorward_store::{AttemptStore as _, Store};

use crate::world::*;

async fn found(store: &Store, query: EventQuery) -> Vec<Event> {
    store.events(&query).await.unwrap()
}

pub(crate) async fn changes_and_attempts_are_found_by_every_key(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    add_user(&store, "bob").await;
    apply_at(
        &store,
        START.plus(minutes(1)),
        Change::Bind(to_user("bob", "vpn")),
    )
    .await
    .unwrap();
    let refused = attempt_event(alice, Some(Refusal::NotBound), HERE);
    let refused_at = START.plus(minutes(2));
    store
        .record_attempt(refused_at, refused.clone())
        .await
        .unwrap();
    let mut granted = attempt_event(alice, None, HERE);
    granted.resource = Some(resource("Mail"));
    let granted_at = START.plus(minutes(3));
    let granted_id = store.record_attempt(granted_at, granted).await.unwrap();
    let mut unknown = attempt_event(alice, Some(Refusal::UnknownUser), HERE);
    unknown.subject = Subject::Unknown {
        digest: "00ff".to_owned(),
        length: 5,
    };
    store
        .record_attempt(START.plus(minutes(4)), unknown.clone())
        .await
        .unwrap();

    // group.add, user.add twice, the binding, three attempts.
    assert_eq!(events(&store).await.len(), 7);
    let of = |query: EventQuery| EventQuery {
        limit: 100,
        ..query
    };
    let user = |name: &str| {
        of(EventQuery {
            user: Some(name.to_owned()),
            ..EventQuery::default()
        })
    };
    assert_eq!(found(&store, user("ALICE")).await.len(), 3);
    assert_eq!(found(&store, user("bob")).await.len(), 2);
    assert_eq!(found(&store, user("nobody")).await.len(), 0);
    let at_mail = of(EventQuery {
        resource: Some("mail".to_owned()),
        ..EventQuery::default()
    });
    let at_mail = found(&store, at_mail).await;
    assert_eq!(at_mail.len(), 1);
    assert_eq!(at_mail[0].id, granted_id);
    let at_vpn = of(EventQuery {
        resource: Some("VPN".to_owned()),
        ..EventQuery::default()
    });
    assert_eq!(found(&store, at_vpn).await.len(), 1);
    for (outcome, count) in [
        ("refused", 2),
        ("granted", 1),
        ("change", 4),
        ("change_only", 0),
    ] {
        let query = of(EventQuery {
            outcome: Some(outcome.to_owned()),
            ..EventQuery::default()
        });
        assert_eq!(found(&store, query).await.len(), count, "{outcome}");
    }
    let between = of(EventQuery {
        since: Some(refused_at),
        until: Some(granted_at),
        ..EventQuery::default()
    });
    let between = found(&store, between).await;
    assert_eq!(between.len(), 1);
    assert_eq!(between[0].body, EventBody::Attempt(refused));
    assert_eq!((between[0].at, between[0].count), (refused_at, 1));
    let both = of(EventQuery {
        user: Some("alice".to_owned()),
        outcome: Some("granted".to_owned()),
        ..EventQuery::default()
    });
    assert_eq!(found(&store, both).await.len(), 1);
    assert_eq!(
        store.newest_event().await.unwrap(),
        Some(START.plus(minutes(4)))
    );
}

pub(crate) async fn the_newest_are_given_in_order(fixture: &impl Fixture) {
    let store = fixture.open();
    assert_eq!(store.newest_event().await.unwrap(), None);
    let alice = AccountId::new(START);
    let mut ids = Vec::new();
    for number in 0..10 {
        let event = attempt_event(alice, None, HERE);
        ids.push(
            store
                .record_attempt(START.plus(minutes(number)), event)
                .await
                .unwrap(),
        );
    }
    let query = |newest| EventQuery {
        limit: 3,
        newest,
        ..EventQuery::default()
    };
    let listed = |events: Vec<Event>| -> Vec<_> { events.iter().map(|event| event.id).collect() };
    assert_eq!(listed(found(&store, query(false)).await), ids[..3]);
    assert_eq!(listed(found(&store, query(true)).await), ids[7..]);
    let since = EventQuery {
        since: Some(START.plus(minutes(5))),
        ..query(true)
    };
    assert_eq!(listed(found(&store, since).await), ids[7..]);
}

pub(crate) async fn following_misses_nothing_though_the_clock_goes_back(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = AccountId::new(START);
    let mut after = None;
    let mut seen = Vec::new();
    let mut recorded = Vec::new();
    for offset in [50, 10, 10, 10, 60, 0, 0] {
        // Of a kind that never merges.
        let event = attempt_event(alice, Some(Refusal::WrongPassword), HERE);
        let id = store
            .record_attempt(START.plus(minutes(offset)), event)
            .await
            .unwrap();
        recorded.push(id);
        let query = EventQuery {
            after,
            limit: 10,
            ..EventQuery::default()
        };
        for event in found(&store, query).await {
            after = Some(event.id);
            seen.push(event.id);
        }
    }
    assert_eq!(seen, recorded);
}

/// Waits for merged events to be written: each record that follows is a commit of its own, and
/// takes along what waited when it began.
async fn flush(store: &Store, account: AccountId) {
    store
        .record_attempt(START, attempt_event(account, None, HERE))
        .await
        .unwrap();
}

pub(crate) async fn equal_refusals_merge_within_their_minute(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = AccountId::new(START);
    let bob = AccountId::new(START);
    let refused = |account, reason, origin| attempt_event(account, Some(reason), origin);
    for round in 0..3 {
        for second in 0..50 {
            let at = START.plus(std::time::Duration::from_secs(second));
            store.merge_attempt(at, refused(alice, Refusal::Locked, HERE));
        }
        store.merge_attempt(START, refused(alice, Refusal::Throttled, HERE));
        store.merge_attempt(START, refused(alice, Refusal::Locked, ELSEWHERE));
        store.merge_attempt(START, refused(bob, Refusal::Locked, HERE));
        store.merge_attempt(
            START.plus(minutes(1)),
            refused(alice, Refusal::Locked, HERE),
        );
        let mut at_mail = refused(alice, Refusal::Locked, HERE);
        at_mail.resource = Some(resource("mail"));
        store.merge_attempt(START, at_mail);
        if round < 2 {
            flush(&store, alice).await;
        }
    }
    flush(&store, alice).await;
    let refused = EventQuery {
        outcome: Some("refused".to_owned()),
        limit: 100,
        ..EventQuery::default()
    };
    let mut counts: Vec<u32> = found(&store, refused)
        .await
        .iter()
        .map(|event| event.count)
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, [3, 3, 3, 3, 3, 150]);
}

async fn attempts(store: &Store) -> Vec<Event> {
    let query = EventQuery {
        limit: 10_000,
        ..EventQuery::default()
    };
    let mut found = found(store, query).await;
    found.retain(|event| matches!(event.body, EventBody::Attempt(_)));
    found
}

pub(crate) async fn equal_successes_are_one_event_with_its_count_and_times(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let mut ids = Vec::new();
    for second in [10, 30, 20] {
        let at = START.plus(std::time::Duration::from_secs(second));
        let attempt = Attempt::new(&store, alice, at).await;
        ids.push(attempt.succeed(&store).await);
    }
    let found = attempts(&store).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(ids.iter().all(|id| *id == found[0].id));
    assert_eq!(found[0].count, 3);
    let second = |second| START.plus(std::time::Duration::from_secs(second));
    assert_eq!((found[0].at, found[0].last), (second(10), Some(second(30))));
    assert_eq!(store.newest_event().await.unwrap(), Some(second(30)));
    // Another minute, another place and another account are events of their own.
    Attempt::new(&store, alice, START.plus(minutes(1)))
        .await
        .succeed(&store)
        .await;
    store
        .record_attempt(START, attempt_event(alice, None, ELSEWHERE))
        .await
        .unwrap();
    store
        .record_attempt(START, attempt_event(AccountId::new(START), None, HERE))
        .await
        .unwrap();
    assert_eq!(attempts(&store).await.len(), 4);
}

/// What is repeated without a bound by one source never takes a row each.
pub(crate) async fn no_flood_of_one_source_takes_a_row_an_attempt(fixture: &impl Fixture) {
    use Refusal as R;
    let store = fixture.open();
    let alice = AccountId::new(START);
    let bounded = [R::WrongPassword, R::StalePassword];
    let floods = [
        R::NoResource,
        R::UnknownUser,
        R::MalformedName,
        R::MalformedPassword,
        R::PasswordPending,
        R::RepeatedWrongPassword,
        R::Throttled,
        R::Locked,
        R::Staged,
        R::MustChange,
        R::Expired,
        R::Suspended,
        R::NotBound,
        R::UnknownDevice,
        R::DeviceNotBound,
        R::SessionOver,
        R::NoNetworkPassword,
        R::NetworkPasswordNotAdmitted,
        R::NetworkPasswordUnreadable,
        R::ServiceSource,
        R::UnknownCertificate,
    ];
    for reason in floods.into_iter().chain(bounded) {
        for _ in 0..3 {
            let event = attempt_event(alice, Some(reason), HERE);
            match event.keeping() {
                Keeping::Gathered => store.merge_attempt(START, event),
                Keeping::Apart | Keeping::Counted => {
                    store.record_attempt(START, event).await.unwrap();
                }
            }
        }
    }
    flush(&store, alice).await;
    let found = attempts(&store).await;
    for (reasons, rows, count) in [(&floods[..], 1, 3), (&bounded[..], 3, 1)] {
        for reason in reasons {
            let of: Vec<&Event> = found
                .iter()
                .filter(|event| match &event.body {
                    EventBody::Attempt(attempt) => attempt.reason == Some(*reason),
                    EventBody::Change(_) => false,
                })
                .collect();
            assert_eq!(of.len(), rows, "{reason}");
            assert!(of.iter().all(|event| event.count == count), "{reason}");
        }
    }
}

pub(crate) async fn names_that_nobody_has_are_one_event_a_source_and_minute(
    fixture: &impl Fixture,
) {
    let store = fixture.open();
    for number in 0..50 {
        for (reason, origin) in [
            (Refusal::UnknownUser, HERE),
            (Refusal::UnknownUser, ELSEWHERE),
            (Refusal::MalformedName, HERE),
        ] {
            let mut event = attempt_event(AccountId::new(START), Some(reason), origin);
            event.subject = Subject::Unknown {
                digest: format!("{number:016x}"),
                length: 5,
            };
            store.record_attempt(START, event).await.unwrap();
        }
    }
    let found = attempts(&store).await;
    let counts: Vec<u32> = found.iter().map(|event| event.count).collect();
    assert_eq!(counts, [50, 50, 50]);
}

/// Merged successes go first, the oldest of them at once; then other merged rows; then the oldest
/// of the rest.
pub(crate) async fn a_full_log_sheds_merged_successes_first(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = AccountId::new(START);
    assert_eq!(store.events_bytes().await.unwrap(), 0);
    for minute in 0..4 {
        for reason in [Some(Refusal::WrongPassword), Some(Refusal::NotBound), None] {
            let event = attempt_event(alice, reason, HERE);
            let at = START.plus(minutes(minute));
            store.record_attempt(at, event).await.unwrap();
        }
    }
    let left = |events: Vec<Event>| -> Vec<(u64, Option<Refusal>)> {
        let minute = |event: &Event| {
            u64::try_from((event.at.as_millis() - START.as_millis()) / 60_000).unwrap()
        };
        events
            .iter()
            .map(|event| match &event.body {
                EventBody::Attempt(attempt) => (minute(event), attempt.reason),
                EventBody::Change(_) => panic!("{event:?}"),
            })
            .collect()
    };
    let full = store.events_bytes().await.unwrap();
    assert!(full > 12 * 300, "{full}");
    assert_eq!(store.shed_events(full, 100).await.unwrap(), 0);
    let mut order = Vec::new();
    let mut before = left(attempts(&store).await);
    for _ in 0..12 {
        let most = store.events_bytes().await.unwrap() - 1;
        assert_eq!(store.shed_events(most, 1).await.unwrap(), 1);
        let after = left(attempts(&store).await);
        order.extend(before.iter().filter(|one| !after.contains(one)).copied());
        before = after;
    }
    let kinds = [None, Some(Refusal::NotBound), Some(Refusal::WrongPassword)];
    let wanted: Vec<_> = kinds
        .into_iter()
        .flat_map(|kind| (0..4).map(move |minute| (minute, kind)))
        .collect();
    assert_eq!(order, wanted);
    assert_eq!(store.events_bytes().await.unwrap(), 0);
    assert_eq!(store.shed_events(0, 100).await.unwrap(), 0);
}

pub(crate) async fn the_logs_size_follows_what_comes_and_goes(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let added = store.events_bytes().await.unwrap();
    assert!(added > 0);
    let bob = attempt_event(alice, None, HERE);
    store.record_attempt(START, bob.clone()).await.unwrap();
    let once = store.events_bytes().await.unwrap();
    assert!(once > added);
    // What is counted takes nothing more.
    for _ in 0..10 {
        store.record_attempt(START, bob.clone()).await.unwrap();
    }
    assert_eq!(store.events_bytes().await.unwrap(), once);
    let attempt = Attempt::new(&store, alice, START.plus(minutes(2))).await;
    let place = attempt.place(&store).await;
    let settled = attempt
        .settle(&store, Some(place), attempt.provisional())
        .await;
    let SettleAnswer::Done {
        failure: Some(failure),
        event,
        ..
    } = settled
    else {
        panic!("{settled:?}");
    };
    // A reason that takes another length is counted with the length it has.
    let confirmation = Confirmation {
        failure,
        event,
        account: alice,
        at: attempt.at,
        stale: true,
        limits: attempt.limits,
        mail: None,
    };
    store.confirm_failure(confirmation).await.unwrap();
    assert!(store.events_bytes().await.unwrap() > once);
    store
        .forget_events(START.plus(hours(1)), 1000)
        .await
        .unwrap();
    assert_eq!(store.events_bytes().await.unwrap(), 0);
}

pub(crate) async fn old_events_are_forgotten_in_portions(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = AccountId::new(START);
    for number in 0..10 {
        let event = attempt_event(alice, None, HERE);
        store
            .record_attempt(START.plus(minutes(number)), event)
            .await
            .unwrap();
    }
    let before = START.plus(minutes(7));
    let mut gone = Vec::new();
    for _ in 0..4 {
        gone.push(store.forget_events(before, 3).await.unwrap());
    }
    assert_eq!(gone, [3, 3, 1, 0]);
    let left = events(&store).await;
    assert_eq!(left.len(), 3);
    assert_eq!(left[0].at, before);
}

pub(crate) async fn a_renamed_user_is_found_under_both_names(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    store
        .record_attempt(START, attempt_event(alice, None, HERE))
        .await
        .unwrap();
    apply(
        &store,
        Change::Rename {
            account: alice,
            username: username("alicia"),
        },
    )
    .await
    .unwrap();
    let named = |name: &str| EventQuery {
        user: Some(name.to_owned()),
        limit: 10,
        ..EventQuery::default()
    };
    // By the account that has the name now: all of them.
    assert_eq!(found(&store, named("alicia")).await.len(), 3);
    // By the name as found then: the addition and the attempt.
    assert_eq!(found(&store, named("alice")).await.len(), 2);
}

pub(crate) async fn every_change_is_recorded_with_its_values(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    add_group(&store, "staff").await;
    join(&store, "staff", &["alice"], &[]).await.unwrap();
    let patch = UserPatch {
        full_name: Some(Some("Alice".to_owned())),
        ..UserPatch::default()
    };
    let applied = apply(
        &store,
        Change::SetUser {
            account: alice,
            patch,
        },
    )
    .await
    .unwrap();
    assert_eq!(applied.event.action, "user.set");
    assert_eq!(applied.event.actor, admin());
    assert_eq!(applied.event.target, "alice");
    assert_eq!(applied.event.account, Some(alice));
    assert_eq!(
        applied.event.before,
        serde_json::json!({ "full_name": null })
    );
    assert_eq!(
        applied.event.after,
        serde_json::json!({ "full_name": "Alice" })
    );
    set_password(&store, alice, START.plus(minutes(1)), "second").await;
    apply(&store, Change::Suspend { account: alice })
        .await
        .unwrap();
    apply(&store, Change::Bind(to_group("staff", "vpn")))
        .await
        .unwrap();
    apply(&store, Change::RemoveUser { account: alice })
        .await
        .unwrap();
    assert_eq!(
        actions(&store).await,
        [
            "group.add",
            "user.add",
            "group.add",
            "group.join",
            "user.set",
            "user.set_password",
            "user.suspend",
            "resource.bind",
            "user.remove",
        ]
    );
    let recorded = events(&store).await;
    assert_eq!(
        recorded[4].body,
        EventBody::Change(applied.event),
        "the event given back is the one recorded"
    );
    for event in &recorded {
        let shown = serde_json::to_string(event).unwrap();
        assert!(
            !shown.contains("first") && !shown.contains("second"),
            "{shown}"
        );
    }
    let EventBody::Change(removed) = &recorded[8].body else {
        panic!("no change");
    };
    assert_eq!(removed.before["username"], "alice");
    assert_eq!(removed.after, serde_json::Value::Null);
}

pub(crate) async fn a_refused_command_leaves_nothing_behind(fixture: &impl Fixture) {
    let store = fixture.open();
    add_user(&store, "alice").await;
    add_group(&store, "staff").await;
    let before = events(&store).await.len();
    // The first of the two would join; the second does not exist.
    let refused = store
        .apply(doorward_store::changes::Command {
            at: START,
            actor: admin(),
            change: Change::Join {
                group: group_name("staff"),
                users: vec![username("alice"), username("nobody")],
                groups: Vec::new(),
            },
            mails: vec![mail(
                AccountId::new(START),
                doorward_store::records::MailKind::Locked,
            )],
        })
        .await;
    assert!(refused.is_err());
    assert_eq!(events(&store).await.len(), before);
    assert!(mails(&store).await.is_empty());
    let outcome = events(&store)
        .await
        .into_iter()
        .all(|event| match event.body {
            EventBody::Attempt(attempt) => attempt.outcome == Outcome::Granted,
            EventBody::Change(_) => true,
        });
    assert!(outcome);
}

/// A row that stands for several is found by the newest of them as by the first: who looks for what
/// happened since an instant misses nothing that was counted in an older row.
pub(crate) async fn a_row_is_found_by_the_newest_that_it_stands_for(fixture: &impl Fixture) {
    let store = fixture.open();
    let refused = |at| {
        let mut event = attempt_event(AccountId::new(START), Some(Refusal::UnknownDevice), HERE);
        let device = MacAddress::from_octets([2, 0, 0, 0, 0, 1]).unwrap();
        event.subject = Subject::Device { device };
        store.record_attempt(at, event)
    };
    // On the hour, from where on a device's refusals are one row.
    let hour = Timestamp::from_millis(START.as_millis().div_euclid(3_600_000) * 3_600_000);
    let row = refused(hour.plus(minutes(1))).await.unwrap();
    for minute in 2..10 {
        let event = attempt_event(AccountId::new(START), None, HERE);
        let at = hour.plus(minutes(minute));
        store.record_attempt(at, event).await.unwrap();
    }
    let newest = hour.plus(minutes(59));
    assert_eq!(refused(newest).await.unwrap(), row);
    let since = |since| EventQuery {
        since: Some(since),
        limit: 10,
        ..EventQuery::default()
    };
    let recent = found(&store, since(newest)).await;
    assert_eq!(recent.len(), 1, "{recent:?}");
    assert_eq!((recent[0].id, recent[0].count), (row, 2));
    assert_eq!(found(&store, since(hour.plus(minutes(8)))).await.len(), 3);
    let later = newest.plus(std::time::Duration::from_millis(1));
    assert_eq!(found(&store, since(later)).await, []);
    assert_eq!(store.newest_event().await.unwrap(), Some(newest));
}
