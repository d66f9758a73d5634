//! nslcd: the same lookups and states as with SSSD, and nothing that is cached.

use super::{
    Host, NEW, Pam, STATES, add_states, change_passwords, gateway, getent, groups, nest_groups, run,
};
use crate::common::namespace::{inside, write};
use crate::common::{Gateway, PASSWORD, Setting};

/// The shipped files.
const CONFIGURATION: &str = include_str!("../../../deploy/nslcd/nslcd.conf");
const SOURCES: &str = include_str!("../../../deploy/nslcd/nsswitch.conf");

/// A host that runs nslcd by the shipped file, with the service account's password in it.
pub(super) fn host(gateways: &[(&str, &Gateway)]) -> Host {
    for (_, gateway) in gateways {
        gateway.add_service("nslcd");
    }
    let mut host = Host::new(gateways, "pam_ldap.so", SOURCES);
    host.add_daemon_user("nslcd", 990);
    let text = CONFIGURATION.replace("replace-me", PASSWORD);
    assert_ne!(text, CONFIGURATION);
    write("/etc/nslcd.conf", &text);
    run("chown", &["root:nslcd", "/etc/nslcd.conf"]).assert_success();
    run("chmod", &["640", "/etc/nslcd.conf"]).assert_success();
    run("install", &["-d", "-o", "nslcd", "/run/nslcd"]).assert_success();
    // Debug output, and so in the foreground.
    host.serve("/usr/sbin/nslcd", &["--debug"]);
    host.wait_for("active");
    host
}

#[test]
fn looks_up_users_and_groups() {
    if !inside("hosts::nslcd::looks_up_users_and_groups") {
        return;
    }
    let gateway = gateway("ldap.example.org", Setting::default());
    gateway.add_user("active");
    gateway.add_user("bob");
    nest_groups(&gateway, "active");
    let _host = host(&[("ldap.example.org", &gateway)]);

    let line = getent("passwd", "active").unwrap();
    assert!(line.ends_with(":/home/active:/bin/bash"), "{line}");
    let uid = line.split(':').nth(2).unwrap();
    assert_eq!(getent("passwd", uid).as_ref(), Some(&line));
    assert_eq!(getent("passwd", "nobody-at-all"), None);
    for group in ["third", "second", "first"] {
        let line = getent("group", group).unwrap();
        assert!(line.ends_with(":active"), "{line}");
        let gid = line.split(':').nth(2).unwrap();
        assert_eq!(getent("group", gid), Some(line.clone()));
    }
    assert_eq!(
        groups("active"),
        ["first", "second", "staff", "third", "users"]
    );
    assert_eq!(groups("bob"), ["staff", "users"]);
    let users = run("getent", &["passwd"]).stdout;
    assert!(
        users.contains("active:") && users.contains("bob:"),
        "{users}"
    );
    let groups = run("getent", &["group"]).stdout;
    assert!(
        groups.contains("first:") && groups.contains("third:"),
        "{groups}"
    );
}

#[test]
fn each_state_gets_the_right_answer_at_each_phase() {
    if !inside("hosts::nslcd::each_state_gets_the_right_answer_at_each_phase") {
        return;
    }
    let gateway = gateway("ldap.example.org", Setting::default());
    add_states(&gateway);
    let host = host(&[("ldap.example.org", &gateway)]);
    for (user, login, account) in STATES {
        assert!(getent("passwd", user).is_some(), "{user} owns files");
        assert_eq!(host.log_in(user, PASSWORD), login, "{user}'s login");
        assert_eq!(host.account(user), account, "{user} without a password");
        let wrong = host.log_in(user, "wrong");
        assert_eq!(wrong, Pam::AuthenticationFailure, "{user}, wrong");
    }
    assert_eq!(host.log_in("nobody-at-all", PASSWORD), Pam::UnknownUser);
    let shown = gateway.json(&["user", "show", "active", "-o", "json"]);
    assert_eq!(shown["recent_failures"], 1, "one wrong password is one");

    // Nothing is kept: whoever may not be here any more is refused at the very next login.
    for (change, left) in [
        (["user", "suspend", "active"], Pam::PermissionDenied),
        (["user", "resume", "active"], Pam::Success),
    ] {
        gateway.run(&change).assert_success();
        assert_eq!(host.account("active"), left, "{change:?}");
    }
}

#[test]
fn passwords_are_changed() {
    if !inside("hosts::nslcd::passwords_are_changed") {
        return;
    }
    let gateway = gateway("ldap.example.org", Setting::default());
    add_states(&gateway);
    let host = host(&[("ldap.example.org", &gateway)]);
    change_passwords(&host, &gateway, &[PASSWORD, NEW, NEW]);
}
