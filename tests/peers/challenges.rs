//! CHAP and MS-CHAPv2 with FreeRADIUS's radclient: its packets, its CHAP, its reading of the keys.
//! It computes no MS-CHAPv2; the response is the tests' own.

use std::fmt::Write as _;

use crate::common::challenges::MsChapV2;
use crate::common::{Gateway, PASSWORD, Ran, SECRET, Setting, client_with_input};

fn ask(gateway: &Gateway, attributes: &str) -> Ran {
    let server = gateway.radius.to_string();
    let arguments = ["-x", "-r", "1", "-t", "5", &server, "auth", SECRET];
    let request = format!("{attributes},Message-Authenticator=0x00\n");
    client_with_input("radclient", "freeradius-utils", &arguments, &request)
}

#[track_caller]
fn assert_accepted(ran: &Ran) {
    assert!(ran.stdout.contains("Received Access-Accept"), "{ran:?}");
}

#[track_caller]
fn assert_rejected(ran: &Ran) {
    assert!(ran.stdout.contains("Received Access-Reject"), "{ran:?}");
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold("0x".to_owned(), |mut text, octet| {
        write!(text, "{octet:02x}").unwrap();
        text
    })
}

fn chap(gateway: &Gateway, name: &str, password: &str, more: &str) -> Ran {
    let attributes = format!("User-Name=\"{name}\",CHAP-Password=\"{password}\"{more}");
    ask(gateway, &attributes)
}

/// Logs in by MS-CHAPv2 under fresh challenges.
fn ms_chap(gateway: &Gateway, name: &str, password: &str) -> (Ran, MsChapV2) {
    let mut random = [0; 32];
    getrandom::fill(&mut random).unwrap();
    let (challenge, peer) = random.split_at(16);
    let typed = name.rsplit('\\').next().unwrap();
    let (challenge, peer) = (challenge.try_into().unwrap(), peer.try_into().unwrap());
    let client = MsChapV2::answer(typed, password, challenge, peer);
    let attributes = format!(
        "User-Name=\"{}\",MS-CHAP-Challenge={},MS-CHAP2-Response=0x0900{}{}{}",
        name.replace('\\', "\\\\"),
        hexadecimal(&client.challenge),
        &hexadecimal(&client.peer_challenge)[2..],
        "00".repeat(8),
        &hexadecimal(&client.response)[2..],
    );
    (ask(gateway, &attributes), client)
}

/// A gateway with a key for network passwords, and alice's.
fn gateway() -> (Gateway, String) {
    let gateway = Gateway::start(&Setting::with_network_passwords());
    gateway.add_user("alice");
    let made = gateway.json(&["-o", "json", "user", "network-password", "alice"]);
    let password = made["network_password"].as_str().unwrap().to_owned();
    (gateway, password)
}

#[test]
fn chap_with_a_challenge_of_its_own_and_with_the_request_authenticator() {
    let (gateway, password) = gateway();
    for more in ["", ",CHAP-Challenge=0x00112233445566778899"] {
        let ran = chap(&gateway, "alice", &password, more);
        assert_accepted(&ran);
        assert!(ran.stdout.contains("User-Name = \"alice\""), "{ran:?}");
        assert_rejected(&chap(&gateway, "alice", PASSWORD, more));
        assert_rejected(&chap(&gateway, "nobody", &password, more));
    }
    // Sent as a password it opens nothing, and the password goes on opening what it did.
    let pap = |password: &str| {
        let attributes = format!("User-Name=\"alice\",User-Password=\"{password}\"");
        ask(&gateway, &attributes)
    };
    assert_rejected(&pap(&password));
    assert_accepted(&pap(PASSWORD));
}

#[test]
fn ms_chap_v2_with_its_proof_and_its_keys() {
    let (gateway, password) = gateway();
    for name in ["alice", "EXAMPLE\\alice"] {
        let (ran, client) = ms_chap(&gateway, name, &password);
        assert_accepted(&ran);
        let success = format!("09{}", &hexadecimal(client.expected.as_bytes())[2..]);
        for line in [
            format!("MS-CHAP2-Success = 0x{success}"),
            format!("MS-MPPE-Recv-Key = {}", hexadecimal(&client.send_key)),
            format!("MS-MPPE-Send-Key = {}", hexadecimal(&client.receive_key)),
            "MS-MPPE-Encryption-Policy = Encryption-Allowed".to_owned(),
        ] {
            assert!(ran.stdout.contains(&line), "{line}: {ran:?}");
        }
    }
}

/// CONTRACT.md 5.3: more than 691 is told only to who knows the network password.
#[test]
fn ms_chap_errors_tell_more_only_after_the_right_response() {
    let (gateway, password) = gateway();
    let told = |name: &str, password: &str| {
        let (ran, _) = ms_chap(&gateway, name, password);
        assert_rejected(&ran);
        let (_, rest) = ran.stdout.split_once("E=").unwrap();
        rest.split(' ').next().unwrap().to_owned()
    };
    assert_eq!(told("alice", "wrong"), "691");
    assert_eq!(told("nobody", "wrong"), "691");
    for (change, code) in [("expire", "649"), ("suspend", "647")] {
        gateway.run(&["user", change, "alice"]).assert_success();
        assert_eq!(told("alice", "wrong"), "691");
        assert_eq!(told("alice", &password), code);
    }
}

#[test]
fn a_revoked_network_password_is_over_and_a_reset_leaves_it() {
    let (gateway, password) = gateway();
    let reset = ["user", "set-password", "alice", "--password-stdin"];
    gateway
        .run_with_input(&reset, "velvet lantern orchard")
        .assert_success();
    assert_accepted(&chap(&gateway, "alice", &password, ""));
    gateway
        .run(&["user", "network-password", "alice", "--revoke"])
        .assert_success();
    assert_rejected(&chap(&gateway, "alice", &password, ""));
    let (ran, _) = ms_chap(&gateway, "alice", &password);
    assert_rejected(&ran);
}

#[test]
fn wrong_responses_lock_at_the_vpn() {
    let (gateway, password) = gateway();
    for guess in 0..10 {
        let (ran, _) = ms_chap(&gateway, "alice", &format!("guess {guess}"));
        assert_rejected(&ran);
    }
    assert_eq!(
        gateway.json(&["-o", "json", "user", "show", "alice"])["status"],
        "locked"
    );
    let (ran, _) = ms_chap(&gateway, "alice", &password);
    assert_rejected(&ran);
    assert!(ran.stdout.contains("E=691"), "{ran:?}");
}

#[test]
fn without_a_key_there_is_neither() {
    let gateway = Gateway::start(&Setting::default());
    gateway.add_user("alice");
    assert_rejected(&chap(&gateway, "alice", PASSWORD, ""));
    let (ran, _) = ms_chap(&gateway, "alice", PASSWORD);
    assert_rejected(&ran);
    assert!(!ran.stdout.contains("E="), "{ran:?}");
}
