//! FreeRADIUS as a proxy between a switch and the gateway: each request carries its Proxy-State.

use super::{Laboratory, Machine, SECRET, filled, ip};
use crate::common::namespace::{inside, write};
use crate::common::{PASSWORD, Ran, client_with_input, eventually};

/// The shipped files.
const PROXY: &str = include_str!("../../../deploy/freeradius-proxy/radiusd.conf");
const WIFI: &str = include_str!("../../../deploy/wpa_supplicant/wifi.conf");

/// Where the switch, at the user's machine, finds the proxy.
const ADDRESS: &str = "198.51.100.1";

/// Asks the proxy as the switch does.
fn ask(port: u16, what: &str, request: &str) -> Ran {
    let network = format!("--net=/run/netns/{}", Machine::User.name());
    let server = format!("{ADDRESS}:{port}");
    let program = ["60", "nsenter", &network, "--", "radclient", "-x"];
    let arguments = [&program[..], &[&server, what, SECRET]].concat();
    client_with_input("timeout", "coreutils", &arguments, request)
}

fn log_in(user: &str, password: &str) -> Ran {
    let said = format!("User-Name=\"{user}\",User-Password=\"{password}\"");
    ask(
        1812,
        "auth",
        &format!("{said},Message-Authenticator=0x00\n"),
    )
}

#[test]
fn logins_eap_and_accounting_go_through() {
    if !inside("network::proxy::logins_eap_and_accounting_go_through") {
        return;
    }
    let mut laboratory =
        Laboratory::new("resource = \"vpn\"\ndisconnect = { enabled = false }", "");
    laboratory.gateway.add_user("alice");
    ip("-n nas addr add 198.51.100.1/24 dev eth1");
    ip("-n user addr add 198.51.100.2/24 dev eth0");
    for folder in ["/var/log/freeradius", "/run/freeradius"] {
        std::fs::create_dir_all(folder).unwrap();
    }
    write("/etc/doorward-proxy/radiusd.conf", &filled(PROXY, SECRET));
    let files = ["-f", "-d", "/etc/doorward-proxy", "-n", "radiusd"];
    laboratory.serve(Machine::Nas, "freeradius", &files);
    eventually(
        || laboratory.complaints(),
        || log_in("alice", PASSWORD).stdout.contains("Access-Accept"),
    );
    let accepted = log_in("alice", PASSWORD).stdout;
    let class = accepted
        .split_whitespace()
        .skip_while(|word| *word != "Class")
        .nth(2)
        .unwrap_or_else(|| panic!("no Class: {accepted}"));
    for (user, password) in [("alice", "not this one"), ("nobody", PASSWORD)] {
        let refused = log_in(user, password).stdout;
        assert!(refused.contains("Received Access-Reject"), "{refused}");
    }

    write("/etc/eapol_test.conf", &filled(WIFI, PASSWORD));
    let test = ["-c", "/etc/eapol_test.conf", "-a", ADDRESS, "-s", SECRET];
    let joined = Machine::User.run("eapol_test", &test);
    assert_eq!(joined.code, Some(0), "{}", joined.stdout);
    assert!(joined.stdout.contains("mismatch: 0"), "{}", joined.stdout);

    let said = "Acct-Session-Id=\"0001\",NAS-Identifier=\"switch1\",User-Name=\"anonymous\"";
    let start = format!("Acct-Status-Type=Start,{said},Class={class}\n");
    let reported = ask(1813, "acct", &start).stdout;
    assert!(reported.contains("Accounting-Response"), "{reported}");
    let open = laboratory.open("alice");
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0]["nas"], "switch1");

    let suspend = ["user", "suspend", "alice"];
    laboratory.gateway.run(&suspend).assert_success();
    let refused = log_in("alice", PASSWORD).stdout;
    assert!(refused.contains("Received Access-Reject"), "{refused}");
    let refused = Machine::User.run("eapol_test", &test);
    assert_ne!(refused.code, Some(0), "{}", refused.stdout);
}
