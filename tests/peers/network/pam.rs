//! PAM by `pam_radius` in Debian's version, which sends no Message-Authenticator.

use super::{Laboratory, Machine, SECRET, filled};
use crate::common::namespace::{inside, write};
use crate::common::{PASSWORD, Ran, client_with_input};
use crate::hosts::add_states;

/// The shipped files.
const CONFIGURATION: &str = include_str!("../../../deploy/pam_radius/pam_radius_auth.conf");
const SERVICE: &str = include_str!("../../../deploy/pam_radius/pam");

/// A laboratory whose NAS asks by PAM.
pub(super) fn laboratory(client: &str) -> Laboratory {
    let client = format!("resource = \"vpn\"\n{client}");
    let laboratory = Laboratory::new(&client, "");
    write("/etc/pam_radius_auth.conf", &filled(CONFIGURATION, SECRET));
    write("/etc/pam.d/openvpn", SERVICE);
    laboratory
}

/// Logs in at the NAS.
fn log_in(user: &str, password: &str) -> Ran {
    let network = format!("--net=/run/netns/{}", Machine::Nas.name());
    let program = ["60", "nsenter", &network, "--", "pamtester", "openvpn"];
    let phases = ["authenticate", "acct_mgmt"];
    let arguments = [&program[..], &[user], &phases].concat();
    client_with_input("timeout", "coreutils", &arguments, &format!("{password}\n"))
}

#[test]
fn users_log_in_where_the_client_is_excepted_and_the_start_warns() {
    if !inside("network::pam::users_log_in_where_the_client_is_excepted_and_the_start_warns") {
        return;
    }
    let laboratory = laboratory("require_message_authenticator = false");
    let log = laboratory.gateway.log();
    let warned = "requests without a Message-Authenticator are open to forgery";
    assert!(log.contains(warned), "{log}");
    add_states(&laboratory.gateway);
    let right = log_in("active", PASSWORD);
    assert_eq!(
        right.code,
        Some(0),
        "{right:?}\n{}",
        laboratory.complaints()
    );
    for (user, password) in [
        ("active", "not this one"),
        ("nobody", PASSWORD),
        ("mustchange", PASSWORD),
        ("staged", PASSWORD),
        ("pending", PASSWORD),
        ("expired", PASSWORD),
        ("locked", PASSWORD),
        ("suspended", PASSWORD),
        ("ended", PASSWORD),
        ("unbound", PASSWORD),
    ] {
        let refused = log_in(user, password);
        let shown = format!("{}{}", refused.stdout, refused.stderr);
        assert!(shown.contains("Authentication failure"), "{user}: {shown}");
    }
    let suspend = ["user", "suspend", "active"];
    laboratory.gateway.run(&suspend).assert_success();
    assert_ne!(log_in("active", PASSWORD).code, Some(0));
}

#[test]
fn nobody_logs_in_where_a_message_authenticator_is_required() {
    if !inside("network::pam::nobody_logs_in_where_a_message_authenticator_is_required") {
        return;
    }
    let laboratory = laboratory("");
    laboratory.gateway.add_user("active");
    let right = log_in("active", PASSWORD);
    assert_ne!(right.code, Some(0), "{right:?}");
    let drops = "doorward_radius_drops_total";
    let dropped = laboratory
        .gateway
        .metric(drops, "message_authenticator_missing");
    assert!(dropped > 0.0, "{}", laboratory.gateway.metrics());
}
