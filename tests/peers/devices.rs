//! Devices that are let in by their address alone, asked about with FreeRADIUS's radclient as
//! switches and access points do.

use std::net::SocketAddr;

use serde_json::Value;

use crate::common::{Gateway, Ran, SECRET, Setting, client_with_input};

const DEVICE: &str = "00-80-64-AE-F1-59";

/// Every peer on loopback is a switch, more specifically than it is the VPN's gateway.
pub(crate) const SWITCH: &str = r#"
[[radius.client]]
name = "switch"
address = ["127.0.0.0/9", "127.128.0.0/9"]
secret = "testing123"
resource = "wired"
mab = true

[[resource]]
name = "wired"
kind = "wifi"
"#;

fn gateway() -> Gateway {
    Gateway::start(&Setting {
        more: SWITCH.to_owned(),
        ..Setting::default()
    })
}

fn radclient(server: SocketAddr, what: &str, request: &str) -> Ran {
    let server = server.to_string();
    let arguments = ["-x", "-r", "1", "-t", "5", &server, what, SECRET];
    client_with_input(
        "radclient",
        "freeradius-utils",
        &arguments,
        &format!("{request}\n"),
    )
}

fn accepted(gateway: &Gateway, request: &str) -> Ran {
    let ran = radclient(gateway.radius, "auth", request);
    ran.assert_success();
    assert!(ran.stdout.contains("Access-Accept"), "{ran:?}");
    ran
}

fn rejected(gateway: &Gateway, request: &str) {
    let ran = radclient(gateway.radius, "auth", request);
    assert!(ran.stdout.contains("Access-Reject"), "{ran:?}");
}

/// Cisco IOS: `mab` on a port, the address without separators and Service-Type Call-Check.
const CISCO: &str = r#"User-Name="008064aef159",User-Password="008064aef159",Service-Type=Call-Check,Cisco-AVPair="service-type=Call Check",Framed-MTU=1500,Called-Station-Id="F8-66-F2-AF-D6-87",Calling-Station-Id="00-80-64-AE-F1-59",Message-Authenticator=0x00,Cisco-AVPair="audit-session-id=AC1A3E0900000F3A2B6C1D4E",Cisco-AVPair="method=mab",NAS-IP-Address=172.26.62.9,NAS-Port-Id="GigabitEthernet5/0/7",NAS-Port-Type=Ethernet,NAS-Port=50507"#;

/// A controller of Aruba: Service-Type Login-User, and addresses with no separators at all.
const ARUBA: &str = r#"User-Name="008064aef159",User-Password="008064aef159",NAS-IP-Address=172.26.62.10,NAS-Port=0,NAS-Identifier="172.26.62.10",NAS-Port-Type=Wireless-802.11,Calling-Station-Id="008064aef159",Called-Station-Id="000b866d6128",Service-Type=Login-User,Aruba-Essid-Name="devices",Aruba-Location-Id="ap7",Aruba-AP-Group="floor2",Message-Authenticator=0x00"#;

/// A switch of Aruba: CHAP by default, and an address in pairs.
const ARUBA_SWITCH: &str = r#"User-Name="008064-aef159",CHAP-Password="008064-aef159",Service-Type=Call-Check,Framed-MTU=1480,NAS-IP-Address=172.26.62.11,NAS-Identifier="sw-2930",NAS-Port=7,NAS-Port-Type=Ethernet,NAS-Port-Id="7",Called-Station-Id="94-f1-28-aa-bb-cc",Calling-Station-Id="00-80-64-ae-f1-59",Connect-Info="CONNECT Ethernet 1000Mbps Full duplex",Message-Authenticator=0x00"#;

#[test]
fn a_known_device_is_let_in_as_switches_ask_and_put_into_its_vlan() {
    let gateway = gateway();
    for request in [CISCO, ARUBA, ARUBA_SWITCH] {
        rejected(&gateway, request);
    }
    let add = ["device", "add", "0080.64ae.f159", "--resource", "wired"];
    let added = gateway.run(&[&add[..], &["--vlan", "30"]].concat());
    added.assert_success();
    assert_eq!(added.stderr, "");
    for request in [CISCO, ARUBA, ARUBA_SWITCH] {
        let ran = accepted(&gateway, request);
        for told in ["VLAN", "IEEE-802", "\"30\""] {
            assert!(ran.stdout.contains(told), "{told}: {ran:?}");
        }
    }
    // What only resembles it: another device's port, a password that is none, EAP.
    rejected(
        &gateway,
        &CISCO.replace("00-80-64-AE-F1-59", "00-80-64-AE-F1-5A"),
    );
    rejected(
        &gateway,
        &CISCO.replace("User-Password=\"008064aef159\"", "User-Password=\"x\""),
    );
    let eap = "EAP-Message=0x02070011013030383036346165663135390a";
    rejected(
        &gateway,
        &CISCO.replace("User-Password=\"008064aef159\"", eap),
    );

    gateway.run(&["device", "remove", DEVICE]).assert_success();
    rejected(&gateway, CISCO);

    let told = gateway.run(&["events", "--device", DEVICE, "-o", "json"]);
    let events: Vec<Value> = told
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |outcome: &str| -> Vec<&Value> {
        let of_it = |event: &&Value| event["outcome"] == outcome;
        events.iter().filter(of_it).collect()
    };
    // One a minute, with how often it was let in.
    let times = of("granted")
        .iter()
        .filter_map(|event| event["count"].as_u64())
        .sum::<u64>();
    assert_eq!(times, 3, "{events:?}");
    // One an hour at each port, however often it tried.
    let refused = of("refused");
    assert!((3..=6).contains(&refused.len()), "{events:?}");
    assert_eq!(refused[0]["reason"], "unknown_device");
    assert_eq!(refused[0]["client"], "switch");
}

#[test]
fn a_session_of_a_device_is_shown_as_one() {
    let gateway = gateway();
    gateway
        .run(&["device", "add", DEVICE, "--resource", "wired"])
        .assert_success();
    let accept = accepted(&gateway, CISCO);
    let class = accept
        .stdout
        .split_whitespace()
        .skip_while(|word| *word != "Class")
        .nth(2)
        .unwrap_or_else(|| panic!("no Class: {accept:?}"));
    let start = "Acct-Status-Type=Start,NAS-Identifier=\"sw1\",User-Name=\"008064aef159\"";
    for (session, more) in [
        ("by Class", format!(",Class={class}")),
        ("by address", format!(",Calling-Station-Id=\"{DEVICE}\"")),
    ] {
        let report = format!("{start},Acct-Session-Id=\"{session}\"{more}");
        radclient(gateway.accounting, "acct", &report).assert_success();
    }
    let found = gateway.json(&["sessions", "--device", DEVICE, "-o", "json"]);
    let found = found.as_array().unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
    for session in found {
        assert_eq!(session["device"], DEVICE);
        assert_eq!(session["resource"], "wired");
        assert_eq!(
            (&session["user"], &session["account"]),
            (&Value::Null, &Value::Null)
        );
    }
    let shown = gateway.run(&["sessions"]);
    assert!(
        shown.stdout.contains("device 00-80-64-AE-F1-59"),
        "{shown:?}"
    );
}
