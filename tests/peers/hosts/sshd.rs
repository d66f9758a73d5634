//! sshd: logins with keys that come from the gateway.

use std::net::TcpStream;

use super::{Host, NEW, Pam, nslcd, run, sssd};
use crate::common::namespace::{inside, write};
use crate::common::{Gateway, PASSWORD, Ran, Setting, eventually};

/// The shipped files.
const CONFIGURATION: &str = include_str!("../../../deploy/sshd/doorward.conf");
const COMMAND: &str = include_str!("../../../deploy/sshd/doorward-authorized-keys");

/// A gateway with users who all have the key that is made for this.
fn gateway(users: &[&str]) -> Gateway {
    let gateway = super::gateway("ldap.example.org", Setting::default());
    let key = gateway.path("key");
    let key = key.to_str().unwrap();
    let made = [
        "-q",
        "-t",
        "ed25519",
        "-N",
        "",
        "-C",
        "schlüssel",
        "-f",
        key,
    ];
    run("ssh-keygen", &made).assert_success();
    for user in users {
        gateway.add_user(user);
        let public = format!("{key}.pub");
        gateway
            .run(&["user", "ssh-key", "add", user, "--file", &public])
            .assert_success();
    }
    gateway
}

/// Starts sshd as Debian configures it, and by `configuration` before that.
fn serve(host: &mut Host, module: &str, configuration: &str) {
    host.add_daemon_user("sshd", 991);
    run("install", &["-d", "/run/sshd"]).assert_success();
    run(
        "cp",
        &["/usr/share/openssh/sshd_config", "/etc/ssh/sshd_config"],
    )
    .assert_success();
    write("/etc/ssh/sshd_config.d/doorward.conf", configuration);
    run("ssh-keygen", &["-A"]).assert_success();
    let phases = ["auth", "account", "password", "session"];
    let phases = phases.map(|phase| format!("{phase} required {module}\n"));
    write("/etc/pam.d/sshd", &phases.concat());
    host.serve("/usr/sbin/sshd", &["-D", "-e"]);
    eventually(
        || host.complaints(),
        || TcpStream::connect("127.0.0.1:22").is_ok(),
    );
}

/// Logs in with the key alone and says who one is then.
fn log_in(gateway: &Gateway, user: &str) -> Ran {
    let key = gateway.path("key");
    let mut arguments = vec!["-i", key.to_str().unwrap()];
    for option in [
        "BatchMode=yes",
        "IdentitiesOnly=yes",
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
    ] {
        arguments.extend(["-o", option]);
    }
    let to = format!("{user}@127.0.0.1");
    arguments.extend([&to, "whoami"]);
    run("ssh", &arguments)
}

#[track_caller]
fn assert_let_in(host: &Host, gateway: &Gateway, user: &str) {
    let ran = log_in(gateway, user);
    assert_eq!(ran.stdout.trim(), user, "{ran:?}\n{}", host.complaints());
}

#[track_caller]
fn assert_refused(gateway: &Gateway, user: &str) {
    let ran = log_in(gateway, user);
    assert_eq!((ran.code, &*ran.stdout), (Some(255), ""), "{user}: {ran:?}");
}

#[test]
fn a_key_lets_in_whom_the_gateway_lets_in_through_sssd() {
    if !inside("hosts::sshd::a_key_lets_in_whom_the_gateway_lets_in_through_sssd") {
        return;
    }
    let gateway = gateway(&["active", "locked", "mustchange"]);
    super::lock(&gateway, "locked");
    gateway
        .run_with_input(
            &[
                "user",
                "set-password",
                "mustchange",
                "--must-change",
                "--password-stdin",
            ],
            "another horse battery",
        )
        .assert_success();
    let mut host = sssd::host(&[("ldap.example.org", &gateway)], "");
    let key = std::fs::read_to_string(gateway.path("key.pub")).unwrap();
    let printed = |user| run("sss_ssh_authorizedkeys", &[user]).stdout;
    assert_eq!(printed("active").trim(), key.trim());
    assert_eq!(printed("locked").trim(), "");
    assert_eq!(printed("mustchange").trim(), "", "change only, by password");

    serve(&mut host, "pam_sss.so", CONFIGURATION);
    assert_let_in(&host, &gateway, "active");
    for user in ["locked", "mustchange"] {
        assert_refused(&gateway, user);
    }
    gateway.run(&["user", "suspend", "active"]).assert_success();
    // SSSD still has the key; the account phase asks the gateway.
    assert_refused(&gateway, "active");
    run("sss_cache", &["--user", "active"]).assert_success();
    assert_eq!(printed("active").trim(), "");
    gateway.run(&["user", "resume", "active"]).assert_success();
    run("sss_cache", &["--user", "active"]).assert_success();
    assert_let_in(&host, &gateway, "active");
}

#[test]
fn who_must_change_the_password_is_led_through_it_at_the_login() {
    if !inside("hosts::sshd::who_must_change_the_password_is_led_through_it_at_the_login") {
        return;
    }
    let gateway = gateway(&["active"]);
    let set = ["user", "set-password", "active", "--must-change"];
    let set = [&set[..], &["--password-stdin"]].concat();
    let given = "another horse battery";
    gateway.run_with_input(&set, given).assert_success();
    let mut host = sssd::host(&[("ldap.example.org", &gateway)], "");
    serve(&mut host, "pam_sss.so", CONFIGURATION);

    // Each question that ssh asks takes the next line, and is noted.
    let (lines, asked) = (gateway.path("lines"), gateway.path("asked"));
    let typed = [given, given, NEW, NEW].map(|line| format!("{line}\n"));
    std::fs::write(&lines, typed.concat()).unwrap();
    let (lines, asked) = (lines.display(), asked.display());
    let ask = format!("#!/bin/sh\nhead -n 1 {lines}\nsed -i 1d {lines}\necho \"$1\" >>{asked}\n");
    write("/usr/local/bin/ask", &ask);
    run("chmod", &["755", "/usr/local/bin/ask"]).assert_success();
    let ran = run(
        "env",
        &[
            "SSH_ASKPASS=/usr/local/bin/ask",
            "SSH_ASKPASS_REQUIRE=force",
            "ssh",
            "-o",
            "PreferredAuthentications=keyboard-interactive",
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "active@127.0.0.1",
            "whoami",
        ],
    );
    let asked = std::fs::read_to_string(gateway.path("asked")).unwrap_or_default();
    let shown = format!("{ran:?}\n{asked}\n{}", host.complaints());
    assert_eq!(ran.stdout.trim(), "active", "{shown}");
    assert!(
        asked.contains("Password expired. Change your password now."),
        "{shown}"
    );
    assert_eq!(host.log_in("active", NEW), Pam::Success);
}

#[test]
fn a_key_lets_in_whom_the_gateway_lets_in_without_sssd() {
    if !inside("hosts::sshd::a_key_lets_in_whom_the_gateway_lets_in_without_sssd") {
        return;
    }
    let gateway = gateway(&["active", "locked"]);
    super::lock(&gateway, "locked");
    gateway.add_service("sshd");
    let mut host = nslcd::host(&[("ldap.example.org", &gateway)]);
    host.add_daemon_user("doorward-keys", 992);
    let command = "/usr/local/bin/doorward-authorized-keys";
    write(command, COMMAND);
    run("chmod", &["755", command]).assert_success();
    write("/etc/doorward-keys.secret", PASSWORD);
    run("chown", &["doorward-keys", "/etc/doorward-keys.secret"]).assert_success();
    // The lines that stand in the command's head.
    let lines: Vec<&str> = COMMAND
        .lines()
        .filter_map(|line| line.strip_prefix("#   "))
        .collect();
    let lines = lines.join("\n") + "\n";
    assert!(lines.contains("AuthorizedKeysCommand "), "{lines}");

    let printed = |user| run(command, &[user]);
    let key = std::fs::read_to_string(gateway.path("key.pub")).unwrap();
    assert_eq!(printed("active").stdout.trim(), key.trim());
    assert_eq!(printed("locked").stdout, "");
    assert_eq!(printed("*)(uid=*").code, Some(1));

    serve(&mut host, "pam_ldap.so", &lines);
    assert_let_in(&host, &gateway, "active");
    assert_refused(&gateway, "locked");
    gateway.run(&["user", "suspend", "active"]).assert_success();
    assert_refused(&gateway, "active");
}
