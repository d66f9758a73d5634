//! `doorward device`.

use serde_json::{Value, json};

use crate::world::World;

const ADDRESS: &str = "00-11-22-AA-BB-CC";

/// The configuration with a client that lets devices in to `wifi`.
fn world() -> World {
    let world = World::new();
    let with_mab = World::configuration()
        .replace("resource = \"wifi\"\n", "resource = \"wifi\"\nmab = true\n");
    world.write(&with_mab);
    world
}

fn add(world: &World) {
    let printer = ["device", "add", "0011.22aa.bbcc", "--resource", "WIFI"];
    let more = ["--vlan", "30", "--description", "Printer"];
    let described = [&printer[..], &more].concat();
    let added = world.run(&described).ended(0);
    added.prints("added device 00-11-22-AA-BB-CC for wifi");
    assert_eq!(added.stderr, "");
}

#[test]
fn a_device_is_added_listed_changed_shown_and_removed() {
    let world = world();
    add(&world);
    let again = ["device", "add", "00:11:22:AA:BB:CC", "--resource", "wifi"];
    world.run(&again).ended(1).complains("taken");

    let listed = world.json(&["device", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let mut shown = world.json(&["device", "show", "001122aabbcc"]);
    assert_eq!(shown, listed[0]);
    let shown = shown.as_object_mut().unwrap();
    for key in ["id", "created", "modified"] {
        assert!(shown.remove(key).is_some(), "{key}");
    }
    assert_eq!(
        Value::Object(shown.clone()),
        json!({
            "address": ADDRESS,
            "resources": ["wifi"],
            "vlan": "30",
            "description": "Printer",
        })
    );
    world
        .run(&["device", "list", "--resource", "wifi"])
        .ended(0)
        .prints("Printer");
    let none = world.json(&["device", "list", "--resource", "hosts"]);
    assert_eq!(none, json!([]));

    let guests = ["--resource", "guest-wifi", "--resource", "wifi"];
    let cleared = ["device", "set", ADDRESS, "--description", "", "--vlan", ""];
    let set = [&cleared[..], &guests].concat();
    let set = world.json(&set);
    assert_eq!(set["resources"], json!(["guest-wifi", "wifi"]));
    assert_eq!(
        (&set["description"], &set["vlan"]),
        (&Value::Null, &Value::Null)
    );
    world
        .run(&["device", "set", ADDRESS])
        .ended(64)
        .complains("nothing to change");

    world
        .run(&["device", "remove", ADDRESS])
        .ended(0)
        .prints("removed device 00-11-22-AA-BB-CC");
    world
        .run(&["device", "show", ADDRESS])
        .ended(1)
        .complains("there is no device '00-11-22-AA-BB-CC'");
    let about_it = ["events", "--device", "0011.22aa.bbcc"];
    let told = world.run(&about_it).ended(0);
    for action in ["device.add", "device.set", "device.remove"] {
        told.prints(&format!("{action} {ADDRESS} by grace"));
    }
}

#[test]
fn what_is_no_device_or_opens_nothing_is_said() {
    let world = world();
    world
        .run(&["device", "add", "alice", "--resource", "wifi"])
        .ended(65)
        .complains("'alice' is not a device's address");
    world
        .run(&["device", "add", ADDRESS, "--resource", "wify"])
        .ended(1)
        .complains("did you mean 'wifi'");
    world.run(&["device", "add", ADDRESS]).ended(64);
    world
        .run(&[
            "device",
            "add",
            ADDRESS,
            "--resource",
            "wifi",
            "--vlan",
            "5000",
        ])
        .ended(65)
        .complains("'5000' is no VLAN");
    world
        .run(&["device", "add", ADDRESS, "--resource", "hosts"])
        .ended(0)
        .complains("no RADIUS client that lets devices in asks for 'hosts'");
}

/// What comes of asking is in `tests/peers`, where there is a gateway to ask.
#[test]
fn a_session_that_is_not_open_cannot_be_asked_about() {
    let world = world();
    let nobody = "019a8c1e-6f7a-7c52-b0d1-3c5f4e2a9b10";
    for verb in ["disconnect", "reauthorize"] {
        world.run(&["sessions", verb]).ended(64);
        world.run(&["sessions", verb, "0001"]).ended(64);
        let over = world.run(&["sessions", verb, nobody]).ended(1);
        over.complains("there is no open session");
    }
}
