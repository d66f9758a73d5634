//! `OpenVPN` at both ends; the server asks by PAM and `pam_radius`.

use super::{Laboratory, Machine, pam};
use crate::common::namespace::{inside, write};
use crate::common::{PASSWORD, eventually};

/// The shipped files.
const SERVER: &str = include_str!("../../../deploy/openvpn/server.conf");
const CLIENT: &str = include_str!("../../../deploy/openvpn/client.conf");

/// Starts a client that types a name and a password.
fn connect(laboratory: &mut Laboratory, user: &str, password: &str) {
    write(
        "/etc/openvpn/client/login",
        &format!("{user}\n{password}\n"),
    );
    let typed = ["--auth-user-pass", "/etc/openvpn/client/login"];
    let file = ["--config", "/etc/openvpn/client/doorward.conf"];
    // The way to the gateway is through the tunnel.
    let way = ["--route", "192.0.2.0", "255.255.255.0"];
    let arguments = [&file[..], &typed, &way].concat();
    let command = Machine::User.command("openvpn", &arguments);
    laboratory
        .host
        .serve_by(&client_of(user, password), command);
}

/// The name of a client's log.
fn client_of(user: &str, password: &str) -> String {
    format!("openvpn-{user}-{}", password == PASSWORD)
}

#[test]
fn users_are_let_in_until_the_next_key_after_they_are_suspended() {
    if !inside("network::openvpn::users_are_let_in_until_the_next_key_after_they_are_suspended") {
        return;
    }
    let mut laboratory = pam::laboratory("require_message_authenticator = false");
    for user in ["alice", "susan"] {
        laboratory.gateway.add_user(user);
    }
    let suspend = |laboratory: &Laboratory, user| {
        let suspend = ["user", "suspend", user];
        laboratory.gateway.run(&suspend).assert_success();
    };
    suspend(&laboratory, "susan");
    let certificates = laboratory.open_way("10.9.0.0/24");
    // A quarter of an hour, as shipped, is long for a test.
    let server = SERVER.replace("reneg-sec 900", "reneg-sec 5");
    assert_ne!(server, SERVER);
    write("/etc/openvpn/server/doorward.conf", &server);
    write("/etc/openvpn/client/doorward.conf", CLIENT);
    for (from, to) in [
        ("ca.pem", "server/ca.pem"),
        ("server.pem", "server/vpn.pem"),
        ("server.key", "server/vpn.key"),
        ("ca.pem", "client/ca.pem"),
    ] {
        std::fs::copy(certificates.join(from), format!("/etc/openvpn/{to}")).unwrap();
    }
    let file = ["--config", "/etc/openvpn/server/doorward.conf"];
    laboratory.serve(Machine::Nas, "openvpn", &file);
    eventually(
        || laboratory.complaints(),
        || Laboratory::printed("openvpn").contains("Initialization Sequence Completed"),
    );

    for (user, password) in [
        ("alice", "not this one"),
        ("nobody", PASSWORD),
        ("susan", PASSWORD),
    ] {
        connect(&mut laboratory, user, password);
        eventually(
            || format!("{user}\n{}", laboratory.complaints()),
            || Laboratory::printed(&client_of(user, password)).contains("AUTH_FAILED"),
        );
        assert!(!laboratory.passes(), "{user}");
        laboratory.host.stop_last();
    }

    connect(&mut laboratory, "alice", PASSWORD);
    eventually(|| laboratory.complaints(), || laboratory.passes());
    suspend(&laboratory, "alice");
    eventually(|| laboratory.complaints(), || !laboratory.passes());
    let client = Laboratory::printed(&client_of("alice", PASSWORD));
    assert!(client.contains("AUTH_FAILED"), "{client}");
}
