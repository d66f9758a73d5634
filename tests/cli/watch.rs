//! `doorward watch` where there is nothing to watch; `tests/peers` watches a daemon.

use crate::world::World;

fn with_socket(value: &str) -> World {
    let world = World::without_store();
    let configuration = World::configuration();
    world.write(&format!(
        "{configuration}\n[runtime]\nwatch = \"{value}\"\n"
    ));
    world
}

#[test]
fn without_a_daemon_it_says_what_to_look_at() {
    let world = with_socket("here/watch");
    let ran = world.run(&["watch", "radius"]).ended(69);
    ran.complains("here/watch: is it running, by this configuration");
    // A file that nobody listens on is no daemon either.
    let world = with_socket("watch");
    drop(std::os::unix::net::UnixListener::bind(world.path("watch")).unwrap());
    world
        .run(&["watch", "ldap"])
        .ended(69)
        .complains("no daemon listens on");
}

#[test]
fn where_nobody_may_watch_it_says_so() {
    let ran = with_socket("off").run(&["watch", "radius"]).ended(69);
    ran.complains("runtime.watch is \"off\"");
    let ran = with_socket("").run(&["watch", "radius"]).ended(78);
    ran.complains("names no Unix socket");
}

#[test]
fn what_cannot_be_watched_is_refused() {
    let world = World::without_store();
    world.run(&["watch"]).ended(64);
    world.run(&["watch", "smtp"]).ended(64);
    world.run(&["watch", "radius", "--count", "0"]).ended(64);
    world.run(&["watch", "radius", "--for", "soon"]).ended(65);
}
