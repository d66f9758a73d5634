//! Network passwords of users, as they are kept: sealed.

use doorward_domain::id::AccountId;
use doorward_domain::secret::SealedNetworkPassword;
use doorward_store::Store;
use doorward_store::changes::{Applied, Change, ChangeRefused};
use serde_json::json;

use crate::world::*;

fn sealed(text: &str) -> SealedNetworkPassword {
    SealedNetworkPassword::new(text.as_bytes().to_vec())
}

async fn set(
    store: &Store,
    account: AccountId,
    minute: u64,
    password: Option<&str>,
) -> Result<Applied, ChangeRefused> {
    let change = Change::SetNetworkPassword {
        account,
        password: password.map(sealed),
    };
    apply_at(store, START.plus(minutes(minute)), change).await
}

pub(crate) async fn one_is_kept_with_the_one_before_it(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let bob = add_user(&store, "bob").await;
    let before = read(&store, alice).await;
    assert_eq!(before.network_password, None);
    assert!(before.former_network_password.is_none());

    let applied = set(&store, alice, 1, Some("one")).await.unwrap();
    assert_eq!(applied.event.action, "user.set_network_password");
    assert_eq!(applied.event.account, Some(alice));
    let first = read(&store, alice).await;
    assert_eq!(first.network_password, Some(sealed("one")));
    assert!(first.former_network_password.is_none());
    assert!(first.epoch > before.epoch);
    let shown = user(&store, alice).await;
    assert_eq!(shown.network_password_set_at, Some(START.plus(minutes(1))));
    assert_eq!(shown.modified, START.plus(minutes(1)));

    set(&store, alice, 2, Some("two")).await.unwrap();
    let second = read(&store, alice).await;
    assert_eq!(second.network_password, Some(sealed("two")));
    let former = second.former_network_password.unwrap();
    assert_eq!(former.sealed, sealed("one"));
    assert_eq!(former.replaced_at, START.plus(minutes(2)));
    assert!(second.epoch > first.epoch);
    assert_eq!(read(&store, bob).await.network_password, None);
    assert_eq!(user(&store, bob).await.network_password_set_at, None);
}

pub(crate) async fn one_is_revoked_once(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let refused = set(&store, alice, 1, None).await.unwrap_err();
    assert!(matches!(refused, ChangeRefused::Nothing(_)), "{refused}");
    set(&store, alice, 2, Some("one")).await.unwrap();
    let before = read(&store, alice).await;
    let applied = set(&store, alice, 3, None).await.unwrap();
    assert_eq!(applied.event.action, "user.revoke_network_password");
    let after = json!({ "network_password_set_at": null });
    assert_eq!(applied.event.after, after);
    let revoked = read(&store, alice).await;
    assert_eq!(revoked.network_password, None);
    assert!(revoked.epoch > before.epoch);
    assert_eq!(user(&store, alice).await.network_password_set_at, None);
    let refused = set(&store, alice, 4, None).await.unwrap_err();
    assert!(matches!(refused, ChangeRefused::Nothing(_)), "{refused}");
    // A device may have it still when another is made.
    set(&store, alice, 5, Some("two")).await.unwrap();
    let former = read(&store, alice).await.former_network_password.unwrap();
    assert_eq!(former.sealed, sealed("one"));
    assert_eq!(former.replaced_at, START.plus(minutes(3)));
}

pub(crate) async fn one_stands_apart_from_the_password_and_its_lock(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    set(&store, alice, 1, Some("one")).await.unwrap();
    let before = user(&store, alice).await;
    let reset = Change::SetPassword {
        account: alice,
        password: hash("another"),
        must_change: false,
        expected: None,
        keep_history: 1,
    };
    apply_at(&store, START.plus(minutes(2)), reset)
        .await
        .unwrap();
    let unlock = Change::Unlock { account: alice };
    apply_at(&store, START.plus(minutes(3)), unlock)
        .await
        .unwrap();
    let after = user(&store, alice).await;
    assert_eq!(
        after.network_password_set_at,
        before.network_password_set_at
    );
    assert_eq!(
        read(&store, alice).await.network_password,
        Some(sealed("one"))
    );
    let facts = after.facts;
    set(&store, alice, 4, Some("two")).await.unwrap();
    set(&store, alice, 5, None).await.unwrap();
    assert_eq!(user(&store, alice).await.facts, facts);
}

pub(crate) async fn one_goes_with_its_account(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    set(&store, alice, 1, Some("one")).await.unwrap();
    let remove = Change::RemoveUser { account: alice };
    apply(&store, remove).await.unwrap();
    let refused = set(&store, alice, 2, Some("two")).await.unwrap_err();
    assert!(
        matches!(refused, ChangeRefused::NotFound { .. }),
        "{refused}"
    );
    let again = add_user(&store, "alice").await;
    assert_eq!(read(&store, again).await.network_password, None);
}
