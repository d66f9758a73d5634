//! `doorward explain`: the answer is the exit code, the reason is named, the way out is a command.

use serde_json::{Value, json};

use crate::world::{World, run};

/// Explains, whatever the answer.
fn explain(world: &World, arguments: &[&str]) -> (i32, Value) {
    let ran = run(
        world
            .command()
            .args(["-o", "json", "explain"])
            .args(arguments),
        "",
    );
    (ran.code, serde_json::from_str(&ran.stdout).unwrap())
}

fn bound() -> World {
    let world = World::with_alice();
    world.run(&["group", "add", "staff"]).ended(0);
    world.run(&["group", "add", "ops"]).ended(0);
    world
        .run(&["group", "join", "staff", "--group", "ops"])
        .ended(0);
    world.run(&["group", "join", "ops", "alice"]).ended(0);
    for resource in ["hosts", "mail", "wifi"] {
        world
            .run(&["resource", "bind", resource, "--group", "staff"])
            .ended(0);
    }
    world
}

#[test]
fn an_active_user_is_let_in_by_the_binding_that_is_named() {
    let world = bound();
    let (code, told) = explain(&world, &["alice", "--resource", "hosts"]);
    assert_eq!(code, 0);
    assert_eq!(told["answer"], "granted");
    assert_eq!(told["reason"], Value::Null);
    assert_eq!(
        told["binding"],
        json!(["group staff", "group ops", "user alice"])
    );
    assert_eq!(told["counted"]["threshold"], 10);
    assert_eq!(told["counted"]["counts_here"], true);
    assert_eq!(told["counted"]["place_free"], true);
}

#[test]
fn every_condition_is_named_with_the_way_out_and_the_deciding_one_decides() {
    let world = bound();
    world.run(&["user", "expire", "alice"]).ended(0);
    world.run(&["user", "suspend", "alice"]).ended(0);
    let (code, told) = explain(&world, &["alice", "--resource", "guest-wifi"]);
    assert_eq!(code, 1);
    assert_eq!(told["answer"], "refused");
    assert_eq!(told["reason"], "suspended");
    assert!(
        told["rule"]
            .as_str()
            .unwrap()
            .contains("suspended user is refused")
    );
    let causes: Vec<&str> = told["holds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|holding| holding["cause"].as_str().unwrap())
        .collect();
    assert_eq!(causes, ["suspended", "expired", "not_bound"]);
    let ways: Vec<&str> = told["holds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|holding| holding["way_out"].as_str().unwrap())
        .collect();
    assert!(ways[0].contains("doorward user resume alice"));
    assert!(ways[1].contains("doorward user reset-link alice"));
    assert!(ways[2].contains("doorward resource bind guest-wifi --user alice"));
}

#[test]
fn another_time_is_looked_at_without_changing_anything() {
    let world = bound();
    world
        .run(&["user", "suspend", "alice", "--at", "2099-06-30"])
        .ended(0);
    let at = |time: &str| explain(&world, &["alice", "--resource", "hosts", "--at", time]);
    assert_eq!(at("2099-06-30T12:00:00Z").1["answer"], "granted");
    let (code, told) = at("2099-07-01");
    assert_eq!(code, 1);
    assert_eq!(told["reason"], "suspended");
    assert_eq!(world.show("alice")["status"], "active");
}

#[test]
fn must_change_leads_to_a_change_where_the_client_can_be_told() {
    let world = bound();
    world
        .run(&["user", "set", "alice", "must_change_password=true"])
        .ended(0);
    let (code, told) = explain(&world, &["alice", "--resource", "hosts"]);
    assert_eq!(code, 1);
    assert_eq!(told["answer"], "change_only");
    assert_eq!(told["reason"], "must_change");
    let (_, told) = explain(&world, &["alice", "--resource", "wifi"]);
    assert_eq!(told["answer"], "refused");
    assert_eq!(told["reason"], "must_change");
}

#[test]
fn the_ways_in_from_a_source_are_named() {
    let world = bound();
    let (_, told) = explain(
        &world,
        &["alice", "--resource", "mail", "--from", "10.0.9.2"],
    );
    let ways = told["ways"].as_array().unwrap();
    let through = |start: &str| {
        let way = ways
            .iter()
            .find(|way| way["through"].as_str().unwrap().starts_with(start));
        way.unwrap()["resource"].clone()
    };
    assert_eq!(through("listener hosts"), "hosts");
    assert_eq!(
        through("listener mail"),
        Value::Null,
        "it admits 10.0.5.10 alone"
    );
    assert_eq!(through("RADIUS client wlc1, SSID guest"), "guest-wifi");
    assert_eq!(through("RADIUS client wlc1, another SSID"), Value::Null);
    let notes = told["notes"].to_string();
    assert!(
        notes.contains("nothing leads from 10.0.9.2 to 'mail'"),
        "{notes}"
    );
}

#[test]
fn who_or_what_does_not_exist_is_a_no_with_the_nearest_name() {
    let world = bound();
    let explain = |user: &str, resource: &str| {
        world
            .run(&["explain", user, "--resource", resource])
            .ended(1)
    };
    explain("alise", "hosts").complains("did you mean 'alice'?");
    explain("alice", "host").complains("did you mean 'hosts'?");
    world.run(&["explain", "alice"]).ended(64);
}
