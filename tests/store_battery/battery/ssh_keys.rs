//! SSH keys of users.

use doorward_domain::id::AccountId;
use doorward_domain::ssh_key::SshPublicKey;
use doorward_store::Store;
use doorward_store::changes::{Applied, Change, ChangeRefused};

use crate::world::*;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIh2OUnFV4SUWvRG9POqDGXlUAdv/HnLloMWorepVRc5";
const OTHER: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";

fn key(text: &str, comment: &str) -> SshPublicKey {
    SshPublicKey::parse(&format!("{text} {comment}")).unwrap()
}

async fn add(
    store: &Store,
    account: AccountId,
    keys: &[SshPublicKey],
    most: usize,
) -> Result<Applied, ChangeRefused> {
    let change = Change::AddSshKeys {
        account,
        keys: keys.to_vec(),
        most,
    };
    apply_at(store, START.plus(minutes(1)), change).await
}

async fn lines(store: &Store, account: AccountId) -> Vec<String> {
    let keys = user(store, account).await.ssh_keys;
    keys.iter().map(|record| record.key.to_string()).collect()
}

pub(crate) async fn keys_are_kept_in_order_and_leave_the_epoch_alone(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let before = epoch(&store, alice).await;
    let (laptop, token) = (key(KEY, "laptop"), key(OTHER, "token"));
    let applied = add(&store, alice, &[token.clone(), laptop.clone()], 8)
        .await
        .unwrap();
    assert_eq!(applied.event.action, "user.add_ssh_keys");
    assert_eq!(applied.event.account, Some(alice));
    assert_eq!(applied.event.before, serde_json::json!({}));
    let recorded = &applied.event.after["ssh_keys"];
    assert_eq!(recorded[0]["fingerprint"], token.fingerprint().to_string());
    assert_eq!(recorded[1]["comment"], "laptop");
    assert_eq!(
        lines(&store, alice).await,
        [token.to_string(), laptop.to_string()]
    );
    let read = user(&store, alice).await;
    assert_eq!(read.modified, START.plus(minutes(1)));
    assert_eq!(read.ssh_keys[0].added, START.plus(minutes(1)));

    let remove = Change::RemoveSshKey {
        account: alice,
        fingerprint: token.fingerprint(),
    };
    let applied = apply_at(&store, START.plus(minutes(2)), remove.clone())
        .await
        .unwrap();
    assert_eq!(applied.event.action, "user.remove_ssh_key");
    assert_eq!(applied.event.before["ssh_keys"][0]["comment"], "token");
    assert_eq!(lines(&store, alice).await, [laptop.to_string()]);
    assert_eq!(user(&store, alice).await.modified, START.plus(minutes(2)));
    assert_eq!(epoch(&store, alice).await, before);
    let again = apply(&store, remove).await;
    assert!(
        matches!(
            again,
            Err(ChangeRefused::NotFound {
                kind: "SSH key",
                ..
            })
        ),
        "{again:?}"
    );
}

pub(crate) async fn a_key_is_kept_once_a_user(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let bob = add_user(&store, "bob").await;
    add(&store, alice, &[key(KEY, "laptop")], 8).await.unwrap();
    let again = add(&store, alice, &[key(KEY, "another name")], 8).await;
    assert!(matches!(again, Err(ChangeRefused::Nothing(_))), "{again:?}");
    let applied = add(&store, alice, &[key(KEY, "x"), key(OTHER, "token")], 8)
        .await
        .unwrap();
    assert_eq!(applied.event.after["ssh_keys"].as_array().unwrap().len(), 1);
    assert_eq!(lines(&store, alice).await.len(), 2);
    add(&store, bob, &[key(KEY, "shared")], 8).await.unwrap();
}

pub(crate) async fn no_more_keys_than_may_be_are_kept(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let both = [key(KEY, "laptop"), key(OTHER, "token")];
    let refused = add(&store, alice, &both, 1).await;
    assert_eq!(refused, Err(ChangeRefused::TooManyKeys(1)));
    assert!(lines(&store, alice).await.is_empty(), "all or none");
    add(&store, alice, &both[..1], 1).await.unwrap();
    let refused = add(&store, alice, &both[1..], 1).await;
    assert_eq!(refused, Err(ChangeRefused::TooManyKeys(1)));
}

pub(crate) async fn keys_go_with_their_user(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    add(&store, alice, &[key(KEY, "laptop")], 8).await.unwrap();
    apply(&store, Change::RemoveUser { account: alice })
        .await
        .unwrap();
    let refused = add(&store, alice, &[key(KEY, "laptop")], 8).await;
    assert!(matches!(
        refused,
        Err(ChangeRefused::NotFound { kind: "user", .. })
    ));
    let again = add_user(&store, "alice").await;
    assert!(lines(&store, again).await.is_empty());
}
