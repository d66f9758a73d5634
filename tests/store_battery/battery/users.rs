//! Users and their facts (CONTRACT.md 1).

use doorward_domain::id::AccountId;
use doorward_store::attempts::{AccountKey, Fetch};
use doorward_store::changes::{Change, ChangeRefused, GroupFilter, UserFilter, UserPatch};
use doorward_store::records::UserRecord;
use doorward_store::{AttemptStore as _, Store};

use crate::world::*;

pub(crate) async fn an_added_user_is_read_back_whole(fixture: &impl Fixture) {
    let store = fixture.open();
    let mut new = new_user("Ada.L");
    new.recovery_email = Some(address("ada@home.example"));
    new.full_name = Some("Ada Lovelace".to_owned());
    new.start = Some(START.plus(hours(1)));
    new.end = Some(START.plus(hours(2)));
    new.must_change = true;
    new.admin = true;
    let account = new.account;
    apply(&store, Change::AddUser(new)).await.unwrap();

    let read = user(&store, account).await;
    assert_eq!(read.username, username("Ada.L"));
    assert_eq!(read.email, address("Ada.L@example.org"));
    assert_eq!(read.recovery_email, Some(address("ada@home.example")));
    assert_eq!(read.full_name.as_deref(), Some("Ada Lovelace"));
    assert_eq!((read.home.clone(), read.shell.clone()), (None, None));
    assert!(read.admin);
    assert_eq!(read.facts.start, Some(START.plus(hours(1))));
    assert_eq!(read.facts.end, Some(START.plus(hours(2))));
    assert_eq!(read.facts.password_set_at, Some(START));
    assert!(read.facts.must_change);
    assert!(!read.facts.suspended && !read.facts.never_expires);
    assert_eq!(read.facts.locked_since, None);
    assert_eq!(read.facts.change_by, None);
    assert_eq!((read.created, read.modified), (START, START));
    assert!(read.groups.is_empty() && read.resources.is_empty());

    let attempt = crate::world::read(&store, account).await;
    assert_eq!(attempt.password, Some(hash("first")));
    assert!(attempt.previous.is_none());
    assert!(attempt.admin);
    assert!(!attempt.bound);
    assert_eq!(attempt.facts, read.facts);
    assert_eq!(attempt.epoch, read.epoch);

    let mut pending = new_user("pending");
    pending.password = None;
    pending.must_change = true;
    let account = pending.account;
    apply(&store, Change::AddUser(pending)).await.unwrap();
    let attempt = crate::world::read(&store, account).await;
    assert_eq!(attempt.password, None);
    assert_eq!(attempt.facts.password_set_at, None);
}

fn taken(answer: Result<impl std::fmt::Debug, ChangeRefused>) -> &'static str {
    match answer {
        Err(ChangeRefused::Taken { kind, .. }) => kind,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn names_and_addresses_are_unique_without_regard_to_case(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let bob = add_user(&store, "bob").await;
    let mut same_name = new_user("ALICE");
    same_name.email = address("other@example.org");
    assert_eq!(
        taken(apply(&store, Change::AddUser(same_name)).await),
        "username"
    );
    let mut same_mail = new_user("carol");
    same_mail.email = address("Alice@EXAMPLE.org");
    assert_eq!(
        taken(apply(&store, Change::AddUser(same_mail)).await),
        "mail address"
    );
    assert_eq!(
        taken(
            apply(
                &store,
                Change::Rename {
                    account: bob,
                    username: username("Alice"),
                }
            )
            .await
        ),
        "username"
    );
    assert_eq!(
        taken(
            apply(
                &store,
                Change::SetUser {
                    account: bob,
                    patch: UserPatch {
                        email: Some(address("ALICE@example.org")),
                        ..UserPatch::default()
                    },
                }
            )
            .await
        ),
        "mail address"
    );
    // One's own name in another case is free.
    apply(
        &store,
        Change::Rename {
            account: alice,
            username: username("Alice"),
        },
    )
    .await
    .unwrap();
    assert_eq!(user(&store, alice).await.username, username("Alice"));
}

pub(crate) async fn a_login_is_looked_up_by_username_then_mail(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "Alice").await;
    let bob = add_user(&store, "bob").await;
    let found = |read: Option<doorward_store::attempts::AttemptRecord>| read.map(|r| r.account);
    assert_eq!(
        found(read_login(&store, Some("alice"), None).await),
        Some(alice)
    );
    assert_eq!(
        found(read_login(&store, None, Some("bob@example.org")).await),
        Some(bob)
    );
    assert_eq!(
        found(read_login(&store, Some("alice"), Some("bob@example.org")).await),
        Some(alice)
    );
    assert_eq!(
        found(read_login(&store, Some("nobody"), Some("bob@example.org")).await),
        Some(bob)
    );
    assert_eq!(found(read_login(&store, Some("nobody"), None).await), None);
    assert_eq!(found(read_login(&store, None, None).await), None);
}

pub(crate) async fn numbers_are_never_used_again(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let bob = add_user(&store, "bob").await;
    let first = user(&store, alice).await.uid_number;
    let second = user(&store, bob).await.uid_number;
    assert_eq!((first, second), (20_000, 20_001));
    apply(&store, Change::RemoveUser { account: bob })
        .await
        .unwrap();
    let carol = add_user(&store, "carol").await;
    assert_eq!(user(&store, carol).await.uid_number, 20_002);
    let asking = |name: &str, number| {
        let mut new = new_user(name);
        new.uid_number = Some(number);
        Change::AddUser(new)
    };
    assert_eq!(
        apply(&store, asking("dave", 20_001)).await.unwrap_err(),
        ChangeRefused::NumberUsed(20_001)
    );
    assert_eq!(
        taken(apply(&store, asking("dave", 20_000)).await),
        "uid number"
    );
    // One asked for ahead is skipped when its turn comes.
    apply(&store, asking("dave", 20_003)).await.unwrap();
    let erin = add_user(&store, "erin").await;
    assert_eq!(user(&store, erin).await.uid_number, 20_004);
    // A refused command uses none up.
    assert!(
        apply(&store, Change::AddUser(new_user("erin")))
            .await
            .is_err()
    );
    let frank = add_user(&store, "frank").await;
    assert_eq!(user(&store, frank).await.uid_number, 20_005);

    let staff = add_group(&store, "staff").await;
    let gid = store
        .groups(&GroupFilter::Id(staff), None, 1)
        .await
        .unwrap()[0]
        .gid_number;
    apply(
        &store,
        Change::RemoveGroup {
            name: group_name("staff"),
        },
    )
    .await
    .unwrap();
    let again = add_group(&store, "staff").await;
    let groups = store.groups(&GroupFilter::Id(again), None, 1).await;
    assert_eq!(groups.unwrap()[0].gid_number, gid + 1);
}

async fn set(store: &Store, account: AccountId, patch: UserPatch) -> UserRecord {
    apply_at(
        store,
        START.plus(minutes(1)),
        Change::SetUser { account, patch },
    )
    .await
    .unwrap();
    user(store, account).await
}

pub(crate) async fn fields_are_set_and_the_epoch_moves_with_standing_alone(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let begin = epoch(&store, alice).await;
    let read = set(
        &store,
        alice,
        UserPatch {
            email: Some(address("a@example.org")),
            recovery_email: Some(Some(address("r@example.org"))),
            full_name: Some(Some("Alice A".to_owned())),
            home: Some(Some("/srv/alice".to_owned())),
            shell: Some(Some("/bin/zsh".to_owned())),
            ..UserPatch::default()
        },
    )
    .await;
    assert_eq!(read.email, address("a@example.org"));
    assert_eq!(read.recovery_email, Some(address("r@example.org")));
    assert_eq!(read.full_name.as_deref(), Some("Alice A"));
    assert_eq!(read.home.as_deref(), Some("/srv/alice"));
    assert_eq!(read.shell.as_deref(), Some("/bin/zsh"));
    assert_eq!(read.modified, START.plus(minutes(1)));
    assert_eq!(read.epoch, begin);
    let read = set(
        &store,
        alice,
        UserPatch {
            recovery_email: Some(None),
            full_name: Some(None),
            ..UserPatch::default()
        },
    )
    .await;
    assert_eq!((read.recovery_email, read.full_name), (None, None));
    assert_eq!(read.home.as_deref(), Some("/srv/alice"));

    let moving = [
        UserPatch {
            start: Some(Some(START)),
            ..UserPatch::default()
        },
        UserPatch {
            end: Some(Some(START.plus(hours(9)))),
            ..UserPatch::default()
        },
        UserPatch {
            never_expires: Some(true),
            ..UserPatch::default()
        },
        UserPatch {
            must_change: Some(true),
            ..UserPatch::default()
        },
        UserPatch {
            admin: Some(true),
            ..UserPatch::default()
        },
        UserPatch {
            end: Some(None),
            ..UserPatch::default()
        },
    ];
    let mut last = begin;
    for patch in moving {
        let read = set(&store, alice, patch.clone()).await;
        assert!(read.epoch > last, "{patch:?}");
        last = read.epoch;
        let again = apply(
            &store,
            Change::SetUser {
                account: alice,
                patch,
            },
        )
        .await;
        assert!(matches!(again, Err(ChangeRefused::Nothing(_))));
    }
    let read = user(&store, alice).await;
    assert!(read.facts.never_expires && read.facts.must_change && read.admin);
    assert_eq!((read.facts.start, read.facts.end), (Some(START), None));
}

pub(crate) async fn a_password_is_set_and_voids_what_it_must(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    for _ in 0..3 {
        attempt.fail(&store).await;
    }
    apply(
        &store,
        Change::Expire {
            account: alice,
            by: START,
        },
    )
    .await
    .unwrap();
    let before = epoch(&store, alice).await;
    let at = START.plus(minutes(7));
    apply_at(
        &store,
        at,
        Change::SetPassword {
            account: alice,
            password: hash("second"),
            must_change: true,
            expected: Some(before),
            keep_history: 5,
        },
    )
    .await
    .unwrap();
    let read = read(&store, alice).await;
    assert_eq!(read.password, Some(hash("second")));
    assert_eq!(read.facts.password_set_at, Some(at));
    assert_eq!(read.facts.locked_since, None);
    assert_eq!(read.facts.change_by, None);
    assert!(read.facts.must_change);
    assert!(read.epoch > before);
    let previous = read.previous.expect("the one before is kept");
    assert_eq!(previous.hash, hash("first"));
    assert_eq!(previous.replaced_at, at);
    assert_eq!(user(&store, alice).await.recent_failures, 0);
    set_password(&store, alice, at, "third").await;
    assert!(!facts(&store, alice).await.must_change);
}

pub(crate) async fn a_password_expected_at_another_epoch_is_refused(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let before = epoch(&store, alice).await;
    unlock(&store, alice, START).await;
    let refused = apply(
        &store,
        Change::SetPassword {
            account: alice,
            password: hash("second"),
            must_change: false,
            expected: Some(before),
            keep_history: 5,
        },
    )
    .await;
    assert_eq!(refused.unwrap_err(), ChangeRefused::Moved);
    assert_eq!(read(&store, alice).await.password, Some(hash("first")));
}

pub(crate) async fn password_history_keeps_what_it_is_told(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let set = async |new: &str, keep| {
        apply(
            &store,
            Change::SetPassword {
                account: alice,
                password: hash(new),
                must_change: false,
                expected: None,
                keep_history: keep,
            },
        )
        .await
        .unwrap();
    };
    for new in ["second", "third", "fourth", "fifth"] {
        set(new, 3).await;
    }
    let kept = store.password_history(alice, 10).await.unwrap();
    assert_eq!(kept, ["fifth", "fourth", "third", "second"].map(hash));
    let kept = store.password_history(alice, 2).await.unwrap();
    assert_eq!(kept, ["fifth", "fourth"].map(hash));
    // The last one stays even without a history: a stale password is told by it.
    set("sixth", 0).await;
    let kept = store.password_history(alice, 10).await.unwrap();
    assert_eq!(kept, ["sixth", "fifth"].map(hash));
    let mut pending = new_user("pending");
    pending.password = None;
    let account = pending.account;
    apply(&store, Change::AddUser(pending)).await.unwrap();
    assert!(
        store
            .password_history(account, 10)
            .await
            .unwrap()
            .is_empty()
    );
}

pub(crate) async fn unlocking_leaves_expiry_alone(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    apply(
        &store,
        Change::Expire {
            account: alice,
            by: START,
        },
    )
    .await
    .unwrap();
    let attempt = Attempt::new(&store, alice, START).await;
    for _ in 0..3 {
        attempt.fail(&store).await;
    }
    let locked = epoch(&store, alice).await;
    unlock(&store, alice, START.plus(minutes(1))).await;
    let read = read(&store, alice).await;
    assert_eq!(read.facts.locked_since, None);
    assert_eq!(read.facts.change_by, Some(START));
    assert!(read.epoch > locked);
    assert_eq!(user(&store, alice).await.recent_failures, 0);
    // Unlocking one who is not locked starts its throttles afresh: the epoch moves.
    unlock(&store, alice, START.plus(minutes(1))).await;
    assert!(epoch(&store, alice).await > read.epoch);
}

pub(crate) async fn suspending_and_resuming_move_the_epoch(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let first = epoch(&store, alice).await;
    apply(&store, Change::Suspend { account: alice })
        .await
        .unwrap();
    let second = epoch(&store, alice).await;
    assert!(facts(&store, alice).await.suspended && second > first);
    let again = apply(&store, Change::Suspend { account: alice }).await;
    assert!(matches!(again, Err(ChangeRefused::Nothing(_))));
    // Neither an unlock nor a reset resumes.
    unlock(&store, alice, START).await;
    set_password(&store, alice, START, "second").await;
    assert!(facts(&store, alice).await.suspended);
    let third = epoch(&store, alice).await;
    apply(&store, Change::Resume { account: alice })
        .await
        .unwrap();
    assert!(!facts(&store, alice).await.suspended);
    assert!(epoch(&store, alice).await > third);
    let again = apply(&store, Change::Resume { account: alice }).await;
    assert!(matches!(again, Err(ChangeRefused::Nothing(_))));
}

pub(crate) async fn resuming_moves_a_past_end_away_and_keeps_a_later_one(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let end = START.plus(hours(1));
    let patch = UserPatch {
        end: Some(Some(end)),
        ..UserPatch::default()
    };
    apply(
        &store,
        Change::SetUser {
            account: alice,
            patch,
        },
    )
    .await
    .unwrap();
    apply(&store, Change::Suspend { account: alice })
        .await
        .unwrap();
    apply(&store, Change::Resume { account: alice })
        .await
        .unwrap();
    assert_eq!(facts(&store, alice).await.end, Some(end));
    apply_at(&store, end, Change::Resume { account: alice })
        .await
        .unwrap();
    assert_eq!(facts(&store, alice).await.end, None);
}

pub(crate) async fn expiring_sets_the_date(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let before = epoch(&store, alice).await;
    let by = START.plus(hours(3));
    apply(&store, Change::Expire { account: alice, by })
        .await
        .unwrap();
    assert_eq!(facts(&store, alice).await.change_by, Some(by));
    assert!(epoch(&store, alice).await > before);
}

pub(crate) async fn renaming_keeps_the_account(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    add_group(&store, "staff").await;
    join(&store, "staff", &["alice"], &[]).await.unwrap();
    let change = |name: &str| Change::Rename {
        account: alice,
        username: username(name),
    };
    apply(&store, change("alicia")).await.unwrap();
    assert!(read_login(&store, Some("alice"), None).await.is_none());
    let found = read_login(&store, Some("alicia"), None).await.unwrap();
    assert_eq!(found.account, alice);
    assert_eq!(user(&store, alice).await.groups, [group_name("staff")]);
    let again = apply(&store, change("alicia")).await;
    assert!(matches!(again, Err(ChangeRefused::Nothing(_))));
    // The old name is free for somebody else, whose account is another.
    let mut other = new_user("alice");
    other.email = address("another@example.org");
    apply(&store, Change::AddUser(other)).await.unwrap();
}

pub(crate) async fn removing_takes_all_that_hangs_on_it(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let staff = add_group(&store, "staff").await;
    join(&store, "staff", &["alice"], &[]).await.unwrap();
    apply(&store, Change::Bind(to_user("alice", "vpn")))
        .await
        .unwrap();
    let attempt = Attempt::new(&store, alice, START).await;
    attempt.fail(&store).await;
    attempt.place(&store).await;
    set_password(&store, alice, START, "second").await;
    apply(&store, Change::RemoveUser { account: alice })
        .await
        .unwrap();
    assert!(
        store
            .users(&UserFilter::All, None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(store.bindings().await.unwrap().is_empty());
    assert!(store.password_history(alice, 5).await.unwrap().is_empty());
    let group = store.groups(&GroupFilter::Id(staff), None, 1).await;
    assert!(group.unwrap()[0].users.is_empty());
    // Somebody new of the same name inherits nothing.
    let again = add_user(&store, "alice").await;
    assert_ne!(again, alice);
    let read = user(&store, again).await;
    assert!(read.groups.is_empty() && read.resources.is_empty());
    assert!(!bound(&store, again, "vpn").await);
}

pub(crate) async fn rehashing_replaces_the_same_hash_only(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let before = read(&store, alice).await;
    store
        .rehash(alice, hash("another"), hash("better"))
        .await
        .unwrap();
    assert_eq!(read(&store, alice).await.password, Some(hash("first")));
    store
        .rehash(alice, hash("first"), hash("better"))
        .await
        .unwrap();
    let after = read(&store, alice).await;
    assert_eq!(after.password, Some(hash("better")));
    assert_eq!(after.epoch, before.epoch);
    assert_eq!(after.facts, before.facts);
    assert!(after.previous.is_none());
}

pub(crate) async fn users_are_listed_by_every_filter_and_in_pages(fixture: &impl Fixture) {
    let store = fixture.open();
    let mut accounts = Vec::new();
    for name in ["Alice", "bob", "carol", "dave"] {
        accounts.push(add_user(&store, name).await);
    }
    add_group(&store, "outer").await;
    add_group(&store, "inner").await;
    join(&store, "outer", &["alice"], &["inner"]).await.unwrap();
    join(&store, "inner", &["bob"], &[]).await.unwrap();
    let names = async |filter: UserFilter| {
        let mut names: Vec<String> = store
            .users(&filter, None, 10)
            .await
            .unwrap()
            .into_iter()
            .map(|user| user.username.to_string())
            .collect();
        names.sort();
        names
    };
    let none: [&str; 0] = [];
    assert_eq!(
        names(UserFilter::Username("ALICE".to_owned())).await,
        ["Alice"]
    );
    assert_eq!(names(UserFilter::Username("ali".to_owned())).await, none);
    assert_eq!(
        names(UserFilter::Mail("BOB@Example.ORG".to_owned())).await,
        ["bob"]
    );
    assert_eq!(names(UserFilter::UidNumber(20_002)).await, ["carol"]);
    assert_eq!(names(UserFilter::UidNumber(1)).await, none);
    assert_eq!(names(UserFilter::Id(accounts[3])).await, ["dave"]);
    assert_eq!(
        names(UserFilter::MemberOf("OUTER".to_owned())).await,
        ["Alice", "bob"]
    );
    assert_eq!(
        names(UserFilter::MemberOf("inner".to_owned())).await,
        ["bob"]
    );
    assert_eq!(
        names(UserFilter::All).await,
        ["Alice", "bob", "carol", "dave"]
    );

    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.users(&UserFilter::All, after, 3).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.account);
        seen.extend(page.into_iter().map(|user| user.account));
    }
    accounts.sort();
    assert_eq!(seen, accounts);
}

pub(crate) async fn what_is_missing_is_not_found(fixture: &impl Fixture) {
    let store = fixture.open();
    add_user(&store, "alice").await;
    let account = AccountId::new(START);
    let changes = [
        Change::SetUser {
            account,
            patch: UserPatch::default(),
        },
        Change::SetPassword {
            account,
            password: hash("x"),
            must_change: false,
            expected: None,
            keep_history: 1,
        },
        Change::Unlock { account },
        Change::Expire { account, by: START },
        Change::Suspend { account },
        Change::Resume { account },
        Change::Rename {
            account,
            username: username("bob"),
        },
        Change::RemoveUser { account },
        Change::RemoveGroup {
            name: group_name("staff"),
        },
        Change::Join {
            group: group_name("staff"),
            users: vec![username("alice")],
            groups: Vec::new(),
        },
        Change::Leave {
            group: group_name("staff"),
            users: vec![username("alice")],
            groups: Vec::new(),
        },
        Change::Bind(to_user("bob", "vpn")),
        Change::Bind(to_group("staff", "vpn")),
        Change::Unbind(to_user("bob", "vpn")),
        Change::SetServicePassword {
            name: doorward_domain::name::ServiceName::parse("dovecot").unwrap(),
            password: hash("x"),
            keep_old: false,
        },
        Change::RemoveService {
            name: doorward_domain::name::ServiceName::parse("dovecot").unwrap(),
        },
    ];
    let before = events(&store).await.len();
    for change in changes {
        let shown = format!("{change:?}");
        let refused = apply(&store, change).await.unwrap_err();
        assert!(
            matches!(refused, ChangeRefused::NotFound { .. }),
            "{shown}: {refused}"
        );
    }
    assert_eq!(events(&store).await.len(), before);
    assert!(
        store
            .read_attempt(
                &AccountKey::Id(account),
                Some(&resource("vpn")),
                None,
                Fetch::Verdict,
            )
            .await
            .unwrap()
            .account
            .is_none()
    );
}

pub(crate) async fn recent_failures_are_counted(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let attempt = Attempt::new(&store, alice, START).await;
    attempt.fail(&store).await;
    attempt.clone().not_counting().fail(&store).await;
    assert_eq!(user(&store, alice).await.recent_failures, 2);
    // A day later they are forgotten, as soon as anything at all happened.
    let bob = new_user("bob");
    apply_at(
        &store,
        START.plus(hours(24) + minutes(1)),
        Change::AddUser(bob),
    )
    .await
    .unwrap();
    assert_eq!(user(&store, alice).await.recent_failures, 0);
}
