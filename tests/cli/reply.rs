//! `doorward reply`.

use std::fs;

use serde_json::{Value, json};

use crate::world::World;

/// Alice in `staff` by way of `ops`.
fn staffed() -> World {
    let world = World::with_alice();
    for group in ["staff", "ops", "guests"] {
        world.run(&["group", "add", group]).ended(0);
    }
    world
        .run(&["group", "join", "staff", "--group", "ops"])
        .ended(0);
    world.run(&["group", "join", "ops", "alice"]).ended(0);
    world
}

fn show(world: &World, resource: &str) -> Value {
    world.json(&["reply", "show", "--user", "alice", "--resource", resource])
}

/// What holds, as NAME=VALUE.
fn holding(shown: &Value) -> Vec<String> {
    let attributes = shown["attributes"].as_array().unwrap().iter();
    attributes
        .filter(|attribute| attribute["fate"] == "holds")
        .map(|attribute| {
            let text = |key: &str| attribute[key].as_str().unwrap();
            format!("{}={}", text("name"), text("value"))
        })
        .collect()
}

#[test]
fn attributes_are_set_shown_listed_and_unset() {
    let world = staffed();
    let set = ["reply", "set", "--group", "staff", "--resource", "wifi"];
    let attributes = [
        "vlan=20",
        "session_timeout=8h",
        "Cisco-AVPair=a=b",
        "cisco-avpair=c",
    ];
    world
        .run(&[&set[..], &attributes].concat())
        .ended(0)
        .prints("set group staff at wifi: vlan=20, session_timeout=8h, Cisco-AVPair=a=b");
    world
        .run(&["reply", "set", "--user", "alice", "vlan=30"])
        .ended(0);
    let shown = show(&world, "WIFI");
    assert_eq!(
        holding(&shown),
        [
            "vlan=30",
            "session_timeout=8h",
            "Cisco-AVPair=a=b",
            "Cisco-AVPair=c"
        ]
    );
    let overruled = shown["attributes"].as_array().unwrap().last().unwrap();
    let expected = json!({
        "name": "vlan", "value": "20", "group": "staff", "priority": 0, "resource": "wifi",
        "fate": "overruled",
    });
    assert_eq!(overruled, &expected);
    assert_eq!(
        shown["packet"].as_array().unwrap()[..3],
        [
            json!({ "number": 64, "value": "0x0000000d" }),
            json!({ "number": 65, "value": "0x00000006" }),
            json!({ "number": 81, "value": "0x3330" }),
        ]
    );
    assert_eq!(holding(&show(&world, "guest-wifi")), ["vlan=30"]);
    let table = world
        .run(&["reply", "show", "--user", "alice", "--resource", "wifi"])
        .ended(0);
    table.prints("group staff");
    table.prints("overruled");
    world
        .run(&["reply", "list"])
        .ended(0)
        .prints("group staff  0         wifi");
    let explained = world.run(&["-o", "json", "explain", "alice", "--resource", "wifi"]);
    explained.prints("session_timeout=8h");

    world
        .run(&["reply", "unset", "--user", "alice", "vlan"])
        .ended(0)
        .prints("left user alice at every resource: nothing");
    world
        .run(&["reply", "unset", "--user", "alice", "vlan"])
        .ended(1)
        .complains("no reply attributes");
    let unset = ["reply", "unset", "--group", "staff", "--resource", "wifi"];
    world.run(&unset).ended(64);
    world.run(&[&unset[..], &["--all"]].concat()).ended(0);
    assert!(holding(&show(&world, "wifi")).is_empty());
    let actions = world.run(&["events", "-o", "json"]).ended(0);
    actions.prints("reply.set");
    actions.prints("reply.unset");
}

#[test]
fn priority_decides_between_groups_and_a_clash_is_said() {
    let world = staffed();
    world.run(&["group", "join", "guests", "alice"]).ended(0);
    world
        .run(&["reply", "set", "--group", "staff", "vlan=20"])
        .ended(0);
    let clash = world
        .run(&["reply", "set", "--group", "guests", "vlan=99"])
        .ended(0);
    clash.complains("'alice' is in 'guests' and in 'staff'");
    let shown = show(&world, "wifi");
    assert_eq!(holding(&shown), ["vlan=99"]);
    assert_eq!(shown["attributes"][1]["fate"], "overruled_by_name");
    let ranked = world
        .run(&["reply", "set", "--group", "staff", "--priority", "10"])
        .ended(0);
    assert!(ranked.stderr.is_empty(), "{ranked:?}");
    let shown = show(&world, "wifi");
    assert_eq!(holding(&shown), ["vlan=20"]);
    assert_eq!(shown["attributes"][1]["fate"], "overruled");
}

#[test]
fn what_cannot_be_is_refused_and_says_what_would_do() {
    let world = staffed();
    for (attribute, code, said) in [
        ("vlan=5000", 65, "from 1 to 4094"),
        ("vlan", 64, "write NAME=VALUE"),
        ("Cisco-AVPear=x", 65, "did you mean 'Cisco-AVPair'?"),
        ("State=0x00", 65, "not set by hand"),
        ("MS-MPPE-Send-Key=0x00", 65, "not set by hand"),
        ("Idle-Timeout=soon", 65, "write a number"),
        ("session_timeout=0", 65, "whole seconds"),
    ] {
        let set = ["reply", "set", "--group", "staff", attribute];
        world.run(&set).ended(code).complains(said);
    }
    let twice = ["reply", "set", "--group", "staff", "vlan=1", "vlan=2"];
    world.run(&twice).ended(65).complains("given twice");
    world
        .run(&["reply", "set", "--group", "stuff", "vlan=1"])
        .ended(1)
        .complains("did you mean 'staff'?");
    let nowhere = [
        "reply",
        "set",
        "--user",
        "alice",
        "--resource",
        "wify",
        "vlan=1",
    ];
    world
        .run(&nowhere)
        .ended(1)
        .complains("did you mean 'wifi'?");
    world.run(&["reply", "set", "--user", "alice"]).ended(64);
    world
        .run(&["reply", "set", "--user", "alice", "--priority", "1"])
        .ended(64);
    let long = format!("Cisco-AVPair={}", "x".repeat(240));
    let many: Vec<String> = (10..30).map(|number| format!("{long}{number}")).collect();
    let mut set = vec!["reply", "set", "--user", "alice"];
    set.extend(many.iter().map(String::as_str));
    world.run(&set).ended(0).complains("will be left out");
    let left_out = show(&world, "wifi")["left_out"].as_array().unwrap().len();
    assert!(left_out > 0 && left_out < 20, "{left_out}");
}

#[test]
fn dictionaries_are_read_and_a_mapping_that_lost_its_own_is_refused() {
    let world = staffed();
    let with = |list: &str| {
        let section = format!("[radius]\ndictionaries = {list}");
        world.write(&World::configuration().replacen("[radius]", &section, 1));
    };
    fs::create_dir(world.path("dictionaries")).unwrap();
    let write = |name: &str, text: &str| {
        fs::write(world.path("dictionaries").join(name), text).unwrap();
    };
    write("top", "$INCLUDE acme\n");
    write(
        "acme",
        "VENDOR Acme 32473 format=2,1\nBEGIN-VENDOR Acme\nATTRIBUTE Acme-Level 300 integer\n\
         VALUE Acme-Level High 7\nEND-VENDOR Acme\n",
    );
    with("\"dictionaries/top\"");
    world.run(&["check"]).ended(0);
    let set = ["reply", "set", "--group", "staff", "acme-level=high"];
    world.run(&set).ended(0);
    assert_eq!(
        show(&world, "wifi")["packet"][0],
        json!({ "number": 26, "value": "0x00007ed9012c0700000007" })
    );
    world.run(&["check"]).ended(0);

    write(
        "acme",
        "VENDOR Acme 32473\nBEGIN-VENDOR Acme\nATTRIBUTE Acme-Level 300 intger\n",
    );
    let broken = world.run(&["check"]).ended(78);
    broken.complains("acme:3: 'intger' is no type");
    broken.complains("acme:3: BEGIN-VENDOR Acme has no END-VENDOR");
    with("[]");
    let lost = world.run(&["check"]).ended(78);
    lost.complains("there is no attribute 'Acme-Level'");
    lost.complains("doorward reply unset --group staff Acme-Level");
    world
        .run(&["serve"])
        .ended(78)
        .complains("there is no attribute 'Acme-Level'");
    world
        .run(&["reply", "unset", "--group", "staff", "Acme-Level"])
        .ended(0);
    world.run(&["check"]).ended(0);

    with("[\"dictionaries/gone\"]");
    world
        .run(&["check"])
        .ended(78)
        .complains("dictionaries/gone");
    fs::write(world.path("outside"), "ATTRIBUTE A 200 byte\n").unwrap();
    write("escape", "\n$INCLUDE ../outside\n");
    with("[\"dictionaries/escape\"]");
    world
        .run(&["check"])
        .ended(78)
        .complains("lies outside the folder");
}

#[test]
fn mappings_for_a_resource_that_is_gone_are_told_of() {
    let world = staffed();
    let set = [
        "reply",
        "set",
        "--user",
        "alice",
        "--resource",
        "guest-wifi",
        "vlan=1",
    ];
    world.run(&set).ended(0);
    let without = World::configuration()
        .replace("ssid = { guest = \"guest-wifi\" }\n", "")
        .replace("[[resource]]\nname = \"guest-wifi\"\nkind = \"wifi\"\n", "");
    world.write(&without);
    world
        .run(&["check"])
        .ended(0)
        .complains("defines no resource 'guest-wifi'");
}
