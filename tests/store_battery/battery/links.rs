//! One-time links (CONTRACT.md 6).

use doorward_domain::event::EventBody;
use doorward_domain::id::AccountId;
use doorward_domain::time::Timestamp;
use doorward_store::Store;
use doorward_store::changes::{Applied, Change, ChangeRefused, LinkPurpose};

use crate::world::*;

async fn add(
    store: &Store,
    account: AccountId,
    at: Timestamp,
    digest: u8,
) -> Result<Applied, ChangeRefused> {
    apply_at(
        store,
        at,
        Change::AddLink {
            account,
            purpose: LinkPurpose::Reset,
            token_digest: [digest; 32],
            expires: at.plus(hours(1)),
        },
    )
    .await
}

pub(crate) async fn three_links_live_at_once(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let bob = add_user(&store, "bob").await;
    for digest in 1..=3 {
        add(&store, alice, START, digest).await.unwrap();
    }
    assert_eq!(
        add(&store, alice, START, 4).await.unwrap_err(),
        ChangeRefused::TooManyLinks
    );
    add(&store, bob, START, 5).await.unwrap();
    // Once they have lapsed there is room.
    add(&store, alice, START.plus(hours(1)), 6).await.unwrap();
    let shown: Vec<String> = events(&store)
        .await
        .iter()
        .map(|event| serde_json::to_string(event).unwrap())
        .collect();
    assert!(shown.iter().any(|event| event.contains("reset")));
    assert!(!shown.iter().any(|event| event.contains("digest")));
    let missing = add(&store, AccountId::new(START), START, 9).await;
    assert!(matches!(missing, Err(ChangeRefused::NotFound { .. })));
}

pub(crate) async fn a_new_password_voids_links(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    for digest in 1..=3 {
        add(&store, alice, START, digest).await.unwrap();
    }
    set_password(&store, alice, START, "second").await;
    for digest in 1..=3 {
        add(&store, alice, START, digest).await.unwrap();
    }
    let changes = events(&store)
        .await
        .into_iter()
        .filter(|event| matches!(event.body, EventBody::Change(_)))
        .count();
    assert_eq!(changes, 9);
}
