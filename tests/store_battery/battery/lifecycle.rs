//! What time alone causes, noticed once (CONTRACT.md 7).

use doorward_domain::event::{Actor, ChangeEvent};
use doorward_domain::time::Timestamp;
use doorward_store::changes::{Change, Noticed, TimeSpans, UserPatch};
use doorward_store::records::MailKind;

use crate::world::*;

fn noticed(from: Timestamp, to: Timestamp) -> ChangeEvent {
    ChangeEvent {
        actor: Actor::Gateway,
        action: "user.start".to_owned(),
        target: "alice".to_owned(),
        account: None,
        resource: None,
        before: from.as_millis().into(),
        after: to.as_millis().into(),
    }
}

pub(crate) async fn the_cursor_moves_for_one_only(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let from = store.lifecycle_cursor().await.unwrap();
    assert_eq!(from, Timestamp::EPOCH);
    let mut tasks = tokio::task::JoinSet::new();
    for handle in [store.clone(), fixture.open(), fixture.open()] {
        for _ in 0..3 {
            let handle = handle.clone();
            let event = noticed(from, START);
            tasks.spawn(async move {
                handle
                    .notice(Noticed {
                        from,
                        to: START,
                        events: vec![(START, event)],
                        mails: vec![mail(alice, MailKind::Expired)],
                    })
                    .await
                    .unwrap()
            });
        }
    }
    let mut moved = 0;
    while let Some(answer) = tasks.join_next().await {
        moved += usize::from(answer.unwrap());
    }
    assert_eq!(moved, 1);
    assert_eq!(store.lifecycle_cursor().await.unwrap(), START);
    assert_eq!(mails(&store).await, [MailKind::Expired]);
    let started = actions(&store).await;
    assert_eq!(
        started
            .iter()
            .filter(|action| *action == "user.start")
            .count(),
        1
    );
}

pub(crate) async fn users_touched_by_time_are_found_span_by_span(fixture: &impl Fixture) {
    let store = fixture.open();
    let at = |hour| START.plus(hours(hour));
    let mut accounts = Vec::new();
    for name in ["starts", "ends", "changes", "locks", "none"] {
        accounts.push(add_user(&store, name).await);
    }
    let set = async |account, patch| {
        apply(&store, Change::SetUser { account, patch })
            .await
            .unwrap();
    };
    set(
        accounts[0],
        UserPatch {
            start: Some(Some(at(10))),
            ..UserPatch::default()
        },
    )
    .await;
    set(
        accounts[1],
        UserPatch {
            end: Some(Some(at(20))),
            ..UserPatch::default()
        },
    )
    .await;
    apply(
        &store,
        Change::Expire {
            account: accounts[2],
            by: at(30),
        },
    )
    .await
    .unwrap();
    let attempt = Attempt::new(&store, accounts[3], at(40)).await;
    for _ in 0..3 {
        attempt.fail(&store).await;
    }
    let nothing = (at(100), at(101));
    let touched = async |dates, password_set: Vec<(Timestamp, Timestamp)>, locked| {
        let spans = TimeSpans {
            dates,
            password_set,
            locked,
        };
        let mut names: Vec<String> = store
            .users_touched_by_time(&spans, None, 10)
            .await
            .unwrap()
            .into_iter()
            .map(|user| user.username.to_string())
            .collect();
        names.sort();
        names
    };
    let none: [&str; 0] = [];
    // After the beginning, up to and including the end.
    assert_eq!(touched((at(9), at(10)), vec![], None).await, ["starts"]);
    assert_eq!(touched((at(10), at(11)), vec![], None).await, none);
    assert_eq!(touched((at(19), at(20)), vec![], None).await, ["ends"]);
    assert_eq!(touched((at(29), at(30)), vec![], None).await, ["changes"]);
    assert_eq!(
        touched((at(9), at(30)), vec![], None).await,
        ["changes", "ends", "starts"]
    );
    assert_eq!(
        touched(nothing, vec![], Some((at(39), at(40)))).await,
        ["locks"]
    );
    assert_eq!(touched(nothing, vec![], Some((at(40), at(41)))).await, none);
    let minute_before = START.minus(minutes(1));
    assert_eq!(
        touched(nothing, vec![nothing, (minute_before, START)], None)
            .await
            .len(),
        5
    );
    assert_eq!(touched(nothing, vec![(START, at(1))], None).await, none);
}

pub(crate) async fn touched_users_come_in_pages(fixture: &impl Fixture) {
    let store = fixture.open();
    let mut accounts = Vec::new();
    for number in 0..7 {
        accounts.push(add_user(&store, &format!("user{number}")).await);
    }
    accounts.sort();
    let spans = TimeSpans {
        dates: (START, START),
        password_set: vec![(START.minus(minutes(1)), START)],
        locked: None,
    };
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.users_touched_by_time(&spans, after, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.account);
        seen.extend(page.into_iter().map(|user| user.account));
    }
    assert_eq!(seen, accounts);
}

pub(crate) async fn mail_waits_in_order(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let kinds = [
        MailKind::Activation,
        MailKind::ResetLink,
        MailKind::Locked,
        MailKind::ExpiryWarning,
        MailKind::Expired,
        MailKind::PasswordChanged,
        MailKind::StalePassword,
    ];
    store
        .apply(doorward_store::changes::Command {
            at: START,
            actor: admin(),
            change: Change::Unlock { account: alice },
            mails: kinds.iter().map(|kind| mail(alice, *kind)).collect(),
        })
        .await
        .unwrap();
    assert_eq!(mails(&store).await, kinds);
    let first = store.queued_mail(1).await.unwrap();
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].queued, START);
    assert_eq!(first[0].mail, mail(alice, MailKind::Activation));
}

/// However often the cause of a mail comes again, one of each waits for an account.
pub(crate) async fn the_same_mail_waits_once(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let bob = add_user(&store, "bob").await;
    for (number, account) in [alice, bob, alice, alice].into_iter().enumerate() {
        let mut of_another_resource = mail(account, MailKind::StalePassword);
        of_another_resource.details = serde_json::json!({ "resource": "mail" });
        store
            .apply(doorward_store::changes::Command {
                at: START.plus(minutes(u64::try_from(number).unwrap())),
                actor: admin(),
                change: Change::Unlock { account },
                mails: vec![
                    mail(account, MailKind::PasswordChanged),
                    mail(account, MailKind::StalePassword),
                    of_another_resource,
                ],
            })
            .await
            .unwrap();
    }
    let waiting = store.queued_mail(100).await.unwrap();
    let of = |account| {
        let of = waiting
            .iter()
            .filter(|queued| queued.mail.account == account);
        of.map(|queued| queued.queued).collect::<Vec<_>>()
    };
    assert_eq!(of(alice), [START; 3]);
    assert_eq!(of(bob), [START.plus(minutes(1)); 3]);
}
