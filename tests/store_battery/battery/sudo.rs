//! sudo rules.

use doorward_domain::id::SudoRuleId;
use doorward_domain::name::SudoRuleName;
use doorward_domain::sudo::{SudoCommand, SudoHost, SudoRule, SudoSubject, SudoTerms};
use doorward_store::Store;
use doorward_store::changes::{Change, ChangeRefused, SudoFilter};
use doorward_store::records::SudoRuleRecord;

use crate::world::*;

fn name(text: &str) -> SudoRuleName {
    SudoRuleName::parse(text).unwrap()
}

fn user_subject(text: &str) -> SudoSubject {
    SudoSubject::User(username(text))
}

fn group_subject(text: &str) -> SudoSubject {
    SudoSubject::Group(group_name(text))
}

fn rule(text: &str, subjects: &[SudoSubject]) -> SudoRule {
    SudoRule {
        name: name(text),
        subjects: subjects.to_vec(),
        terms: SudoTerms {
            hosts: vec![SudoHost::parse("ALL").unwrap()],
            commands: vec![SudoCommand::parse("/bin/ls").unwrap()],
            order: Some(-3),
            not_after: Some(START.plus(hours(1))),
            ..SudoTerms::default()
        },
    }
}

async fn add(store: &Store, rule: SudoRule) -> SudoRuleId {
    let id = SudoRuleId::new(START);
    apply(store, Change::AddSudoRule { id, rule })
        .await
        .unwrap();
    id
}

async fn read(store: &Store, id: SudoRuleId) -> SudoRuleRecord {
    let mut found = store
        .sudo_rules(&SudoFilter::Id(id), None, 2)
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0)
}

pub(crate) async fn a_rule_is_read_back_whole(fixture: &impl Fixture) {
    let store = fixture.open();
    for user in ["bob", "Alice"] {
        add_user(&store, user).await;
    }
    add_group(&store, "staff").await;
    let subjects = [
        SudoSubject::Everybody,
        user_subject("Alice"),
        user_subject("bob"),
        group_subject("staff"),
    ];
    let whole = rule("Listing", &subjects);
    let id = SudoRuleId::new(START);
    let change = Change::AddSudoRule {
        id,
        rule: whole.clone(),
    };
    let applied = apply(&store, change).await.unwrap();
    assert_eq!(applied.event.action, "sudo.add");
    assert_eq!(applied.event.target, "Listing");
    assert_eq!(applied.event.after["commands"][0], "/bin/ls");
    assert_eq!(applied.event.after["for"][1]["user"], "Alice");
    let record = read(&store, id).await;
    assert_eq!(record.rule, whole);
    assert_eq!((record.created, record.modified), (START, START));
    let again = Change::AddSudoRule {
        id: SudoRuleId::new(START),
        rule: rule("LISTING", &[]),
    };
    let again = apply(&store, again).await;
    assert!(
        matches!(again, Err(ChangeRefused::Taken { .. })),
        "{again:?}"
    );

    let removed = Change::RemoveSudoRule {
        name: name("listing"),
    };
    let applied = apply(&store, removed.clone()).await.unwrap();
    assert_eq!(applied.event.action, "sudo.remove");
    assert_eq!(applied.event.before["order"], -3);
    let again = apply(&store, removed).await;
    assert!(
        matches!(again, Err(ChangeRefused::NotFound { .. })),
        "{again:?}"
    );
}

pub(crate) async fn a_rule_changes_only_from_what_was_read(fixture: &impl Fixture) {
    let store = fixture.open();
    add_user(&store, "alice").await;
    add_user(&store, "bob").await;
    let before = rule("listing", &[user_subject("alice")]);
    let id = add(&store, before.clone()).await;
    let mut after = rule("listing", &[user_subject("bob")]);
    after.terms.order = None;
    let change = Change::SetSudoRule {
        before: Box::new(before),
        after: Box::new(after.clone()),
    };
    let applied = apply_at(&store, START.plus(minutes(1)), change.clone())
        .await
        .unwrap();
    assert_eq!(applied.event.action, "sudo.set");
    let before_shown = serde_json::json!({ "for": [{ "user": "alice" }], "order": -3 });
    assert_eq!(applied.event.before, before_shown);
    let record = read(&store, id).await;
    assert_eq!(record.rule, after);
    assert_eq!(record.modified, START.plus(minutes(1)));
    assert_eq!(
        apply(&store, change).await,
        Err(ChangeRefused::Moved),
        "it is another by now"
    );
    let same = Change::SetSudoRule {
        before: Box::new(after.clone()),
        after: Box::new(after),
    };
    let same = apply_at(&store, START.plus(minutes(2)), same).await;
    assert!(matches!(same, Err(ChangeRefused::Nothing(_))), "{same:?}");
    assert_eq!(read(&store, id).await.modified, START.plus(minutes(1)));
}

pub(crate) async fn names_follow_users_and_nobody_inherits_a_rule(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    add_group(&store, "staff").await;
    let both = rule("listing", &[user_subject("alice"), group_subject("staff")]);
    let id = add(&store, both).await;
    let rename = Change::Rename {
        account: alice,
        username: username("alicia"),
    };
    apply_at(&store, START.plus(minutes(1)), rename)
        .await
        .unwrap();
    let record = read(&store, id).await;
    assert_eq!(
        record.rule.subjects,
        [user_subject("alicia"), group_subject("staff")]
    );
    assert_eq!(record.modified, START.plus(minutes(1)));

    let remove = Change::RemoveUser { account: alice };
    apply_at(&store, START.plus(minutes(2)), remove)
        .await
        .unwrap();
    let remove = Change::RemoveGroup {
        name: group_name("staff"),
    };
    apply_at(&store, START.plus(minutes(3)), remove)
        .await
        .unwrap();
    add_user(&store, "alicia").await;
    add_group(&store, "staff").await;
    let record = read(&store, id).await;
    assert!(record.rule.subjects.is_empty());
    assert_eq!(record.modified, START.plus(minutes(3)));
}

pub(crate) async fn what_a_rule_names_must_be_there(fixture: &impl Fixture) {
    let store = fixture.open();
    for subject in [user_subject("nobody"), group_subject("nothing")] {
        let change = Change::AddSudoRule {
            id: SudoRuleId::new(START),
            rule: rule("listing", &[subject]),
        };
        let refused = apply(&store, change).await;
        assert!(matches!(refused, Err(ChangeRefused::NotFound { .. })));
    }
    let all = store.sudo_rules(&SudoFilter::All, None, 9).await.unwrap();
    assert!(all.is_empty());
}

pub(crate) async fn rules_are_found_by_every_filter_and_in_pages(fixture: &impl Fixture) {
    let store = fixture.open();
    let mut ids = Vec::new();
    for number in 0..5 {
        let everybody = [SudoSubject::Everybody];
        ids.push(add(&store, rule(&format!("Rule{number}"), &everybody)).await);
    }
    ids.sort();
    let by_name = SudoFilter::Name("rULE3".to_owned());
    let found = store.sudo_rules(&by_name, None, 9).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].rule.name, name("Rule3"));
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.sudo_rules(&SudoFilter::All, after, 2).await.unwrap();
        after = page.last().map(|record| record.id);
        seen.extend(page.iter().map(|record| record.id));
        if page.len() < 2 {
            break;
        }
    }
    assert_eq!(seen, ids);
}
