//! sudo rules: who reads them, and what the directory refuses.

use doorward_directory::{By, DirectoryError, SudoPatch, SudoSubjects};
use doorward_domain::event::Actor;
use doorward_domain::name::{SudoRuleName, Username};
use doorward_domain::sudo::{NotASudoRule, SudoCommand, SudoHost, SudoOption};
use doorward_frontend_api::{Read as _, SudoQuery, Viewer};

use crate::world::World;

fn name(text: &str) -> SudoRuleName {
    SudoRuleName::parse(text).unwrap()
}

fn for_users(users: &[&str], groups: &[&str]) -> SudoPatch {
    let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    SudoPatch {
        subjects: Some(SudoSubjects {
            everybody: false,
            users: own(users),
            groups: own(groups),
        }),
        hosts: Some(vec![SudoHost::parse("ALL").unwrap()]),
        commands: Some(vec![SudoCommand::parse("/bin/ls").unwrap()]),
        ..SudoPatch::default()
    }
}

async fn world_with_a_rule() -> World {
    let world = World::new().await;
    world.add("alice").await;
    let (rule, by) = (for_users(&["ALICE"], &["Staff"]), world.by());
    let added = world.directory.add_sudo_rule(&by, name("listing"), rule);
    let added = added.await.unwrap();
    assert_eq!(added.users[0].as_str(), "alice", "as the user is called");
    world
}

#[tokio::test]
async fn a_searching_service_reads_rules_and_nobody_else_does() {
    let world = world_with_a_rule().await;
    let searches = world.service("sssd", true).await;
    let binds = world.service("printer", false).await;
    let alice = world.signed_in("alice").await;
    let read = async |viewer: Viewer<'_>, query: SudoQuery| {
        let found = world.directory.sudo_roles(viewer, &query, None, 9).await;
        found.unwrap().len()
    };
    let by_name = || SudoQuery::Name("LISTING".to_owned());
    assert_eq!(read(Viewer::Service(&searches), SudoQuery::All).await, 1);
    assert_eq!(read(Viewer::Service(&searches), by_name()).await, 1);
    assert_eq!(read(Viewer::Service(&binds), SudoQuery::All).await, 0);
    assert_eq!(read(Viewer::User(&alice), SudoQuery::All).await, 0);
    assert_eq!(read(Viewer::User(&alice), by_name()).await, 0);
}

#[tokio::test]
async fn a_rule_names_who_is_there_and_nobody_called_as_everybody() {
    let world = world_with_a_rule().await;
    world.add("ALL").await;
    let (directory, by) = (&world.directory, world.by());
    let add = |rule| directory.add_sudo_rule(&by, name("other"), rule);
    let refused = add(for_users(&["alcie"], &[])).await.unwrap_err();
    assert!(refused.to_string().contains("did you mean 'alice'"));
    let refused = add(for_users(&[], &["staf"])).await.unwrap_err();
    assert!(refused.to_string().contains("did you mean 'staff'"));
    assert_eq!(
        add(for_users(&["all"], &[])).await.unwrap_err(),
        DirectoryError::StandsForEverybody("all".to_owned())
    );
    assert_eq!(
        add(for_users(&[], &[])).await.unwrap_err(),
        NotASudoRule::NoSubject.into()
    );
}

#[tokio::test]
async fn what_is_given_replaces_its_kind_and_the_rest_stays() {
    let world = world_with_a_rule().await;
    let (directory, by) = (&world.directory, world.by());
    let option = SudoOption::parse("!authenticate").unwrap();
    let patch = SudoPatch {
        options: Some(vec![option.clone(), option.clone()]),
        ..SudoPatch::default()
    };
    let set = directory.set_sudo_rule(&by, "Listing", patch.clone());
    let rule = set.await.unwrap();
    assert_eq!(rule.options, [option], "each value once");
    assert_eq!(rule.commands[0].as_str(), "/bin/ls");
    assert_eq!((rule.users.len(), rule.groups.len()), (1, 1));
    let again = directory.set_sudo_rule(&by, "listing", patch).await;
    assert!(matches!(again, Err(DirectoryError::Refused(_))));
    let nobody = SudoPatch {
        subjects: Some(SudoSubjects::default()),
        ..SudoPatch::default()
    };
    let refused = directory.set_sudo_rule(&by, "listing", nobody).await;
    assert_eq!(refused.unwrap_err(), NotASudoRule::NoSubject.into());
    assert!(directory.sudo_rule("listnig").await.is_err());
    directory.remove_sudo_rule(&by, "listing").await.unwrap();
    assert!(directory.list_sudo_rules().await.unwrap().is_empty());
}

#[tokio::test]
async fn only_administrators_change_rules_and_keys() {
    let world = world_with_a_rule().await;
    let by = By {
        actor: Actor::User {
            username: Username::parse("alice").unwrap(),
        },
        now: world.now(),
    };
    let directory = &world.directory;
    let refused = DirectoryError::NotAllowed;
    let add = directory.add_sudo_rule(&by, name("mine"), for_users(&["alice"], &[]));
    assert_eq!(add.await.unwrap_err(), refused);
    let set = directory.set_sudo_rule(&by, "listing", SudoPatch::default());
    assert_eq!(set.await.unwrap_err(), refused);
    let remove = directory.remove_sudo_rule(&by, "listing");
    assert_eq!(remove.await.unwrap_err(), refused);
    let keys = directory.add_ssh_keys(&by, "alice", Vec::new());
    assert_eq!(keys.await.unwrap_err(), refused);
    let key = directory.remove_ssh_key(&by, "alice", "laptop");
    assert_eq!(key.await.unwrap_err(), refused);
}
