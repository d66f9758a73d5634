//! SSSD: lookups, logins in every state, the cache, two gateways.

use super::{
    Host, NEW, Pam, STATES, add_states, change_passwords, gateway, getent, groups, lock,
    nest_groups, run,
};
use crate::common::namespace::{inside, write};
use crate::common::{Gateway, PASSWORD, Setting, eventually};
use crate::failures::Disk;

/// The shipped files.
const CONFIGURATION: &str = include_str!("../../../deploy/sssd/sssd.conf");
const SOURCES: &str = include_str!("../../../deploy/sssd/nsswitch.conf");

/// A host that runs SSSD by the shipped file. `more` are lines for the domain, as an administrator
/// writes them into a file of `/etc/sssd/conf.d`.
pub(super) fn host(gateways: &[(&str, &Gateway)], more: &str) -> Host {
    let mut host = Host::new(gateways, "pam_sss.so", SOURCES);
    host.logs = "/var/log/sssd";
    configure(more);
    start(&mut host);
    host
}

fn configure(more: &str) {
    write("/etc/sssd/sssd.conf", CONFIGURATION);
    std::fs::copy("/etc/doorward-ca.pem", "/etc/sssd/doorward-ca.pem").unwrap();
    let secret = format!("[domain/example.org]\nldap_default_authtok = {PASSWORD}\n{more}");
    write("/etc/sssd/conf.d/secret.conf", &secret);
}

fn start(host: &mut Host) {
    host.serve(
        "/usr/sbin/sssd",
        &["--interactive", "--logger=files", "-d", "6"],
    );
    host.wait_for("active");
}

/// Starts SSSD anew with other lines and an empty cache.
fn restart(host: &mut Host, more: &str) {
    host.stop();
    for folder in ["/var/lib/sss/db", "/var/lib/sss/mc"] {
        for entry in std::fs::read_dir(folder).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }
    configure(more);
    start(host);
}

/// Users and groups by name and number, groups in groups, everybody.
fn lookups(more: &str) {
    let gateway = gateway("ldap.example.org", Setting::default());
    gateway.add_user("active");
    gateway.add_user("bob");
    nest_groups(&gateway, "active");

    let more = format!("enumerate = true\n{more}\n");
    let host = host(&[("ldap.example.org", &gateway)], &more);
    let line = getent("passwd", "active").unwrap();
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, _, home, shell] = fields[..] else {
        panic!("{line}")
    };
    assert_eq!(
        (name, home, shell),
        ("active", "/home/active", "/bin/bash"),
        "{line}"
    );
    assert_eq!(getent("passwd", uid).as_deref(), Some(&*line));
    assert_eq!(getent("passwd", "nobody-at-all"), None);
    assert_eq!(getent("passwd", "29999"), None);
    let users = getent("group", gid).unwrap();
    assert!(users.starts_with("users:"), "{users}");

    let third = getent("group", "third").unwrap();
    assert!(third.ends_with(":active"), "{third}");
    let number = third.split(':').nth(2).unwrap();
    assert_eq!(getent("group", number), Some(third.clone()));
    for outer in ["second", "first"] {
        let line = getent("group", outer).unwrap();
        assert!(
            line.ends_with(":active"),
            "through {outer} in groups: {line}"
        );
    }
    assert_eq!(
        groups("active"),
        ["first", "second", "staff", "third", "users"]
    );
    assert_eq!(groups("bob"), ["staff", "users"]);

    eventually(
        || host.complaints(),
        || {
            let users = run("getent", &["-s", "sss", "passwd"]).stdout;
            let groups = run("getent", &["-s", "sss", "group"]).stdout;
            ["active:", "bob:"].iter().all(|name| users.contains(name))
                && ["first:", "second:", "third:"]
                    .iter()
                    .all(|name| groups.contains(name))
        },
    );
}

#[test]
fn looks_up_users_and_groups_over_starttls() {
    if inside("hosts::sssd::looks_up_users_and_groups_over_starttls") {
        lookups("");
    }
}

#[test]
fn looks_up_users_and_groups_over_ldaps() {
    if inside("hosts::sssd::looks_up_users_and_groups_over_ldaps") {
        lookups("ldap_uri = ldaps://ldap.example.org\nldap_schema = rfc2307");
    }
}

#[test]
fn each_state_gets_the_right_answer_at_each_phase() {
    if !inside("hosts::sssd::each_state_gets_the_right_answer_at_each_phase") {
        return;
    }
    let gateway = gateway("ldap.example.org", Setting::default());
    add_states(&gateway);
    let mut host = host(&[("ldap.example.org", &gateway)], "");
    for (user, login, account) in STATES {
        assert!(getent("passwd", user).is_some(), "{user} owns files");
        assert_eq!(host.log_in(user, PASSWORD), login, "{user}'s login");
        assert_eq!(host.account(user), account, "{user} without a password");
        assert_eq!(
            host.log_in(user, "wrong"),
            Pam::AuthenticationFailure,
            "{user} with a wrong password"
        );
    }
    assert_eq!(host.log_in("nobody-at-all", PASSWORD), Pam::UnknownUser);

    // The other ways in which SSSD can be told to look at the state.
    for (policy, refused) in [
        ("shadow", Pam::AccountExpired),
        ("rhds", Pam::PermissionDenied),
    ] {
        restart(
            &mut host,
            &format!(
                "ldap_access_order = expire\nldap_account_expire_policy = {policy}\nldap_uri = ldaps://ldap.example.org\n"
            ),
        );
        for (user, login, account) in STATES {
            let account = match account {
                Pam::PermissionDenied => refused,
                other => other,
            };
            assert_eq!(host.log_in(user, PASSWORD), login, "{policy}: {user}");
            assert_eq!(host.account(user), account, "{policy}: {user}, no password");
        }
    }
}

#[test]
fn what_is_cached_lets_nobody_in_who_may_no_longer() {
    if !inside("hosts::sssd::what_is_cached_lets_nobody_in_who_may_no_longer") {
        return;
    }
    let mut gateway = gateway("ldap.example.org", Setting::default());
    let users = ["active", "leo", "susan", "uma", "erin"];
    for user in users {
        gateway.add_user(user);
    }
    let host = host(
        &[("ldap.example.org", &gateway)],
        "cache_credentials = true\n",
    );
    for user in users {
        assert_eq!(host.log_in(user, PASSWORD), Pam::Success, "{user}");
        assert_eq!(host.account(user), Pam::Success, "{user}");
    }
    lock(&gateway, "leo");
    for arguments in [
        &["user", "suspend", "susan"][..],
        &["group", "leave", "staff", "uma"],
        &["user", "expire", "erin", "--by", "2020-01-01"],
    ] {
        gateway.run(arguments).assert_success();
    }
    for user in &users[1..] {
        let login = host.log_in(user, PASSWORD);
        assert_eq!(login, Pam::AuthenticationFailure, "{user}");
        assert_eq!(host.account(user), Pam::PermissionDenied, "{user}");
    }
    gateway.run(&["user", "unlock", "leo"]).assert_success();
    assert_eq!(host.log_in("leo", PASSWORD), Pam::Success, "at once");

    // The passwords were cached indeed: without a gateway they are all there is to ask.
    gateway.kill();
    eventually(
        || host.complaints(),
        || host.log_in("active", PASSWORD) == Pam::Success,
    );
    gateway.serve();
}

#[test]
fn goes_to_the_second_gateway_when_the_first_has_no_store() {
    if !inside("hosts::sssd::goes_to_the_second_gateway_when_the_first_has_no_store") {
        return;
    }
    let disk = Disk::mount();
    let first = gateway(
        "ldap.example.org",
        Setting {
            store: Some(disk.path().to_owned()),
            ..Setting::default()
        },
    );
    let second = gateway("ldap2.example.org", Setting::default());
    for gateway in [&first, &second] {
        gateway.add_user("active");
    }
    let host = host(
        &[("ldap.example.org", &first), ("ldap2.example.org", &second)],
        "",
    );
    assert_eq!(host.log_in("active", PASSWORD), Pam::Success);

    disk.fill();
    eventually(
        || first.metrics(),
        || first.metric("doorward_store_up", "") < 0.5,
    );
    for _ in 0..5 {
        assert_eq!(host.log_in("active", PASSWORD), Pam::Success);
    }
    assert_eq!(host.log_in("active", "wrong"), Pam::AuthenticationFailure);
    assert_eq!(host.account("active"), Pam::Success);
    assert_eq!(groups("active"), ["staff", "users"]);
    let shown = second.json(&["user", "show", "active", "-o", "json"]);
    assert_eq!(shown["recent_failures"], 1, "the second one was asked");
    disk.empty();
}

#[test]
fn the_login_that_finds_the_store_broken_is_the_last_that_suffers() {
    if !inside("hosts::sssd::the_login_that_finds_the_store_broken_is_the_last_that_suffers") {
        return;
    }
    let disk = Disk::mount();
    let first = gateway(
        "ldap.example.org",
        Setting {
            store: Some(disk.path().to_owned()),
            ..Setting::default()
        },
    );
    let second = gateway("ldap2.example.org", Setting::default());
    for gateway in [&first, &second] {
        gateway.add_user("active");
    }
    let host = host(
        &[("ldap.example.org", &first), ("ldap2.example.org", &second)],
        "",
    );
    assert_eq!(host.log_in("active", PASSWORD), Pam::Success);

    disk.fill();
    // SSSD reads every answer to a bind but success as a wrong password, so it has nothing better
    // than 52 to hear. Where the gateway notices by itself first, it is asked no more.
    let found_out = host.log_in("active", PASSWORD);
    assert!([Pam::AuthenticationFailure, Pam::Success].contains(&found_out));
    assert_eq!(host.log_in("active", PASSWORD), Pam::Success);
    disk.empty();
    let shown = first.json(&["user", "show", "active", "-o", "json"]);
    assert_eq!(shown["recent_failures"], 0, "{shown}");
}

#[test]
fn a_change_that_is_due_stops_who_types_no_password_where_sssd_is_told_to() {
    if !inside(
        "hosts::sssd::a_change_that_is_due_stops_who_types_no_password_where_sssd_is_told_to",
    ) {
        return;
    }
    let gateway = gateway("ldap.example.org", Setting::default());
    add_states(&gateway);
    let more = "ldap_access_order = filter, ppolicy, pwd_expire_policy_renew\n\
                ldap_pwd_policy = shadow\n";
    let host = host(&[("ldap.example.org", &gateway)], more);
    for (user, login, account) in STATES {
        let (login, account) = match user {
            "mustchange" => (login, Pam::NewPasswordRequired),
            // There is no day on which the password was set.
            "pending" => (Pam::SystemError, account),
            _ => (login, account),
        };
        assert_eq!(host.log_in(user, PASSWORD), login, "{user}");
        assert_eq!(host.account(user), account, "{user} without a password");
    }
    let led = ["authenticate", "chauthtok(PAM_CHANGE_EXPIRED_AUTHTOK)"];
    let typed = [PASSWORD, PASSWORD, NEW, NEW];
    assert_eq!(host.pam("mustchange", &led, &typed).0, Pam::Success);
    // SSSD looks at the user anew after `pam_id_timeout`, five seconds.
    eventually(
        || host.complaints(),
        || host.account("mustchange") == Pam::Success,
    );
    assert_eq!(host.log_in("mustchange", NEW), Pam::Success);
    let due = ["user", "set", "active", "must_change_password=true"];
    gateway.run(&due).assert_success();
    eventually(
        || host.complaints(),
        || host.account("active") == Pam::NewPasswordRequired,
    );
}

#[test]
fn passwords_are_changed() {
    if !inside("hosts::sssd::passwords_are_changed") {
        return;
    }
    let gateway = gateway("ldap.example.org", Setting::default());
    add_states(&gateway);
    let host = host(&[("ldap.example.org", &gateway)], "");
    change_passwords(&host, &gateway, &[PASSWORD, PASSWORD, NEW, NEW]);
}
