//! Accounting with FreeRADIUS's radclient: what a NAS would report of a login, and what
//! `doorward sessions` says of it.

use std::net::SocketAddr;

use serde_json::Value;

use crate::common::{Gateway, PASSWORD, Ran, SECRET, Setting, client_with_input};

fn radclient(server: SocketAddr, what: &str, secret: &str, request: &str) -> Ran {
    let server = server.to_string();
    let arguments = ["-x", "-r", "1", "-t", "5", &server, what, secret];
    client_with_input("radclient", "freeradius-utils", &arguments, request)
}

fn report(gateway: &Gateway, more: &str) {
    let request =
        format!("Acct-Session-Id=\"0001\",NAS-Identifier=\"ap7\",User-Name=\"anonymous\",{more}\n");
    let ran = radclient(gateway.accounting, "acct", SECRET, &request);
    ran.assert_success();
    assert!(ran.stdout.contains("Accounting-Response"), "{ran:?}");
}

fn sessions(gateway: &Gateway, more: &[&str]) -> Vec<Value> {
    let arguments = [&["sessions", "-o", "json"], more].concat();
    gateway.json(&arguments).as_array().unwrap().clone()
}

/// RFC 2866; and the Class that the Access-Accept gave tells whose it is, whatever the name says.
#[test]
fn a_session_from_start_to_stop() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    let login =
        format!("User-Name=\"alice\",User-Password=\"{PASSWORD}\",Message-Authenticator=0x00\n");
    let accepted = radclient(gateway.radius, "auth", SECRET, &login);
    accepted.assert_success();
    let class = accepted
        .stdout
        .split_whitespace()
        .skip_while(|word| *word != "Class")
        .nth(2)
        .unwrap_or_else(|| panic!("no Class: {accepted:?}"));
    let class = format!("Class={class}");

    assert_eq!(sessions(&gateway, &[]), [] as [Value; 0]);
    report(&gateway, &format!("Acct-Status-Type=Start,{class}"));
    let found = sessions(&gateway, &["--user", "alice", "--resource", "vpn"]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["user"], "alice");
    assert_eq!(found[0]["user_name"], "anonymous");
    assert_eq!(found[0]["nas"], "ap7");
    assert_eq!(found[0]["stale"], false);
    assert_eq!(found[0]["ended"], Value::Null);

    let usage = "Acct-Session-Time=60,Acct-Input-Octets=7,Acct-Input-Gigawords=1";
    report(
        &gateway,
        &format!("Acct-Status-Type=Interim-Update,{usage},Message-Authenticator=0x00"),
    );
    let found = sessions(&gateway, &["--client", "vpn-gateway"]);
    assert_eq!(found[0]["sent_octets"], 4_294_967_303_u64);
    let shown = gateway.run(&["sessions"]);
    assert!(shown.stdout.contains("alice"), "{shown:?}");
    assert!(shown.stdout.contains("4.0 GiB"), "{shown:?}");

    for _ in 0..2 {
        report(
            &gateway,
            "Acct-Status-Type=Stop,Acct-Session-Time=90,Acct-Terminate-Cause=User-Request",
        );
    }
    assert_eq!(sessions(&gateway, &[]), [] as [Value; 0]);
    let found = sessions(&gateway, &["--all"]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["ending"], "stopped");
    assert_eq!(found[0]["terminate_cause"], 1);
    assert_eq!(found[0]["seconds"], 90);

    // Under another secret nothing is recorded and nothing said.
    let request = "Acct-Status-Type=Start,Acct-Session-Id=\"0002\",User-Name=\"alice\"\n";
    let wrong = radclient(gateway.accounting, "acct", "not the secret", request);
    assert_ne!(wrong.code, Some(0), "{wrong:?}");
    assert_eq!(sessions(&gateway, &["--all"]).len(), 1);

    report(&gateway, "Acct-Status-Type=Start,NAS-Port=1");
    report(&gateway, "Acct-Status-Type=Accounting-On");
    assert_eq!(sessions(&gateway, &[]), [] as [Value; 0]);
    let endings: Vec<Value> = sessions(&gateway, &["--all"])
        .iter()
        .map(|session| session["ending"].clone())
        .collect();
    assert_eq!(endings, ["stopped", "nas_restarted"]);
}
