//! SSH keys: who gets to see them, and where (CONTRACT.md 2).

use std::time::Duration;

use doorward_directory::{DirectoryError, MAX_SSH_KEYS};
use doorward_domain::names::Portion;
use doorward_domain::resource::AccessContext;
use doorward_domain::ssh_key::SshPublicKey;
use doorward_frontend_api::{PersonQuery, Read as _, Viewer};
use doorward_store::changes::{ChangeRefused, UserPatch};

use crate::world::{World, asking};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIh2OUnFV4SUWvRG9POqDGXlUAdv/HnLloMWorepVRc5";
const OTHER: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";

fn key(text: &str, comment: &str) -> SshPublicKey {
    SshPublicKey::parse(&format!("{text} {comment}")).unwrap()
}

async fn world_with_a_key() -> World {
    let world = World::new().await;
    world.add("alice").await;
    world
        .directory
        .add_ssh_keys(&world.by(), "Alice", vec![key(KEY, "laptop")])
        .await
        .unwrap();
    world
}

/// How many keys a host is given, and whether the entry carries marks.
async fn given(world: &World, asking: &AccessContext) -> (usize, bool) {
    let name = format!("sssd{}", world.now().wall.as_millis());
    let service = world.service(&name, true).await;
    let query = PersonQuery::Username("alice".to_owned());
    let viewer = Viewer::Service(&service);
    let found =
        world
            .directory
            .people(viewer, asking, &query, None, Portion::whole(2), world.now());
    let alice = found.await.unwrap().remove(0);
    world.advance(Duration::from_secs(1));
    (alice.ssh_keys.len(), alice.standing.refused.is_some())
}

#[tokio::test]
async fn contract_2_whoever_is_refused_carries_no_key() {
    let hosts = asking("hosts");
    let world = world_with_a_key().await;
    assert_eq!(given(&world, &hosts).await, (1, false));
    assert_eq!(given(&world, &asking("nowhere")).await, (0, true));
    assert_eq!(given(&world, &AccessContext::Portal).await, (0, false));
    let by = || world.by();

    world
        .directory
        .suspend_user(&by(), "alice", by().now.wall)
        .await
        .unwrap();
    assert_eq!(given(&world, &hosts).await, (0, true), "suspended");
    world.directory.resume_user(&by(), "alice").await.unwrap();
    assert_eq!(given(&world, &hosts).await, (1, false));

    let _ = world
        .directory
        .expire_user(&by(), "alice", by().now.wall)
        .await
        .unwrap();
    assert_eq!(given(&world, &hosts).await, (0, true), "expired");
    let other = crate::world::password(crate::world::OTHER);
    world
        .directory
        .set_password(&by(), "alice", other, true)
        .await
        .unwrap();
    assert_eq!(
        given(&world, &hosts).await,
        (0, false),
        "whoever must change is led there by a password, and not by a key"
    );
    let settled = UserPatch {
        must_change: Some(false),
        ..UserPatch::default()
    };
    let _ = world
        .directory
        .set_user(&by(), "alice", settled)
        .await
        .unwrap();
    assert_eq!(given(&world, &hosts).await, (1, false));

    let member = ["alice".to_owned()];
    world
        .directory
        .leave(&by(), "staff", &member, &[])
        .await
        .unwrap();
    assert_eq!(given(&world, &hosts).await, (0, true), "not bound");
    let _ = world
        .directory
        .join(&by(), "staff", &member, &[])
        .await
        .unwrap();
    let staged = UserPatch {
        start: Some(Some(by().now.wall.plus(Duration::from_hours(1)))),
        ..UserPatch::default()
    };
    let _ = world
        .directory
        .set_user(&by(), "alice", staged)
        .await
        .unwrap();
    assert_eq!(given(&world, &hosts).await, (0, true), "staged");
    world.advance(Duration::from_hours(1));
    assert_eq!(given(&world, &hosts).await, (1, false));

    for wrong in 0..20 {
        world.guess("alice", &format!("wrong {wrong}")).await;
    }
    assert_eq!(given(&world, &hosts).await, (0, true), "locked");
    assert_eq!(
        given(&world, &asking("mail")).await,
        (1, false),
        "mail admits locked users"
    );
    world.directory.unlock_user(&by(), "alice").await.unwrap();
    assert_eq!(given(&world, &hosts).await, (1, false));
}

#[tokio::test]
async fn a_user_reads_its_own_keys_and_nobody_elses() {
    let world = world_with_a_key().await;
    world.add("bob").await;
    let alice = world.signed_in("alice").await;
    let hosts = asking("hosts");
    let viewer = Viewer::User(&alice);
    let all = PersonQuery::All;
    let found = world
        .directory
        .people(viewer, &hosts, &all, None, Portion::whole(9), world.now());
    let found = found.await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].ssh_keys, [key(KEY, "laptop")]);
}

#[tokio::test]
async fn a_key_is_removed_by_fingerprint_or_by_a_comment_of_its_own() {
    let world = world_with_a_key().await;
    let (directory, by) = (&world.directory, world.by());
    let remove = |which: &'static str| directory.remove_ssh_key(&by, "alice", which);
    assert!(matches!(
        remove("laptpo").await,
        Err(DirectoryError::NotFound { kind: "SSH key", nearest: Some(near), .. }) if near == "laptop"
    ));
    directory
        .add_ssh_keys(&by, "alice", vec![key(OTHER, "laptop")])
        .await
        .unwrap();
    assert_eq!(
        remove("laptop").await,
        Err(DirectoryError::SeveralKeys("laptop".to_owned()))
    );
    let first = remove("SHA256:1RZK7looVlJRtlTHFeATnTKbdnZbmhOciVXpR7ZLP1g");
    assert_eq!(first.await.unwrap().key, key(KEY, "laptop"));
    assert_eq!(remove("laptop").await.unwrap().key, key(OTHER, "laptop"));
    assert!(
        directory
            .ssh_keys("alice")
            .await
            .unwrap()
            .ssh_keys
            .is_empty()
    );
}

#[tokio::test]
async fn a_user_has_so_many_keys_and_no_more() {
    let world = world_with_a_key().await;
    let too_many = vec![key(OTHER, "x"); MAX_SSH_KEYS + 1];
    let refused = world
        .directory
        .add_ssh_keys(&world.by(), "alice", too_many)
        .await;
    let expected = ChangeRefused::TooManyKeys(MAX_SSH_KEYS).into();
    assert_eq!(refused.unwrap_err(), expected);
}
