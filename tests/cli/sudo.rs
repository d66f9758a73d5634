//! `doorward sudo`.

use serde_json::{Value, json};

use crate::world::World;

/// Adds a rule with a value of every kind.
const ADD: [&str; 29] = [
    "sudo",
    "add",
    "restart",
    "--user",
    "alice",
    "--group",
    "staff",
    "--host",
    "web*",
    "--host",
    "!web9",
    "--command",
    "/usr/bin/systemctl restart nginx",
    "--command",
    "!/bin/sh",
    "--run-as-user",
    "www-data",
    "--run-as-group",
    "adm",
    "--option",
    "!authenticate",
    "--order",
    "-5",
    "--not-before",
    "2099-01-01",
    "--not-after",
    "2099-12-31",
    "--description",
    "Web masters",
];

#[test]
fn a_rule_is_added_changed_shown_and_removed() {
    let world = World::with_alice();
    world.run(&["group", "add", "staff"]).ended(0);
    world.run(&ADD).ended(0).prints("added sudo rule restart");
    world.run(&ADD).ended(1).complains("taken");
    let shown = world.json(&["sudo", "show", "RESTART"]);
    let expected = json!({
        "name": "restart",
        "description": "Web masters",
        "all_users": false,
        "users": ["alice"],
        "groups": ["staff"],
        "hosts": ["web*", "!web9"],
        "commands": ["/usr/bin/systemctl restart nginx", "!/bin/sh"],
        "run_as_users": ["www-data"],
        "run_as_groups": ["adm"],
        "options": ["!authenticate"],
        "order": -5,
        "not_before": "2098-12-31T23:00:00.000Z",
        "not_after": "2099-12-31T23:00:00.000Z",
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&shown[field], value, "{field}");
    }
    world
        .run(&["sudo", "list"])
        .ended(0)
        .prints("alice, %staff");

    let set = ["sudo", "set", "restart"];
    world.run(&set).ended(64).complains("nothing to change");
    let change = [
        "--all-users",
        "--option",
        "",
        "--order",
        "",
        "--not-before",
        "",
    ];
    world.run(&[&set[..], &change].concat()).ended(0);
    let shown = world.json(&["sudo", "show", "restart"]);
    assert_eq!(shown["all_users"], true);
    assert_eq!(
        (&shown["users"], &shown["groups"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(
        (&shown["options"], &shown["order"]),
        (&json!([]), &Value::Null)
    );
    assert_eq!(shown["hosts"], json!(["web*", "!web9"]));
    world
        .run(&[&set[..], &["--host", ""]].concat())
        .ended(65)
        .complains("--host");
    world
        .run(&["sudo", "show", "restrat"])
        .ended(1)
        .complains("did you mean 'restart'");
    world.run(&["sudo", "remove", "restart"]).ended(0);
    assert_eq!(world.json(&["sudo", "list"]), json!([]));

    let log = world.run(&["-o", "json", "events", "-n", "3"]).ended(0);
    let events: Vec<Value> = log
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let actions: Vec<&str> = events
        .iter()
        .map(|event| event["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["sudo.add", "sudo.set", "sudo.remove"]);
    assert_eq!(events[1]["before"]["options"], json!(["!authenticate"]));
    assert_eq!(events[1]["login"], "grace");
}

#[test]
fn a_rule_that_sudo_could_not_use_is_refused() {
    let world = World::with_alice();
    let add = |more: &[&str]| world.run(&[&["sudo", "add", "rule"][..], more].concat());
    let who = ["--user", "alice", "--host", "ALL"];
    add(&who).ended(65).complains("--command");
    let with = |command: &str| add(&[&who[..], &["--command", command]].concat());
    with("systemctl").ended(65).complains("whole path");
    with("/usr/bin/sudoedit /etc/hosts")
        .ended(65)
        .complains("sudoedit");
    add(&["--user", "bob", "--host", "ALL", "--command", "ALL"])
        .ended(1)
        .complains("no user 'bob'");
    add(&["--host", "ALL", "--command", "ALL"])
        .ended(65)
        .complains("for nobody");
    let option = [&who[..], &["--command", "ALL", "--option", "NOPASSWD"]].concat();
    add(&option).ended(65).complains("option of sudo");
    let defaults = ["sudo", "add", "defaults"];
    world.run(&defaults).ended(65).complains("--option");
    world
        .run(&[&defaults[..], &who, &["--command", "ALL"]].concat())
        .ended(65)
        .complains("alone");
    let options = [
        "--option",
        "env_keep+=SSH_AUTH_SOCK",
        "--option",
        "!lecture",
    ];
    world.run(&[&defaults[..], &options].concat()).ended(0);
    assert_eq!(world.json(&["sudo", "list"]).as_array().unwrap().len(), 1);
}
