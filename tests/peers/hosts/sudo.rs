//! sudo: rules that come from the gateway through SSSD, for those who may be there.

use super::{Host, gateway, run, sssd};
use crate::common::namespace::{inside, write};
use crate::common::{PASSWORD, Ran, Setting, client_with_input, eventually};

/// Runs sudo as a user who types the password where one is asked for.
fn sudo(user: &str, arguments: &[&str]) -> Ran {
    let number = |kind| run("id", &[kind, user]).stdout.trim().to_owned();
    let (uid, gid) = (number("-u"), number("-g"));
    let by = ["90", "setpriv", "--init-groups", "--reuid", &uid, "--regid"];
    let command = [&gid, "sudo", "--reset-timestamp", "--stdin"];
    let arguments = [&by[..], &command, arguments].concat();
    client_with_input("timeout", "coreutils", &arguments, &format!("{PASSWORD}\n"))
}

#[track_caller]
fn assert_runs(host: &Host, user: &str, arguments: &[&str], shown: &str) {
    let ran = sudo(user, arguments);
    assert_eq!(ran.code, Some(0), "{ran:?}\n{}", host.complaints());
    assert!(ran.stdout.contains(shown), "{ran:?}");
}

#[track_caller]
fn assert_refused(user: &str, arguments: &[&str]) {
    let ran = sudo(user, arguments);
    assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{ran:?}");
}

#[test]
fn rules_come_from_the_gateway() {
    if !inside("hosts::sudo::rules_come_from_the_gateway") {
        return;
    }
    let gateway = gateway("ldap.example.org", Setting::default());
    for user in ["active", "bob"] {
        gateway.add_user(user);
    }
    gateway.run(&["group", "add", "operators"]).assert_success();
    gateway
        .run(&["group", "join", "operators", "active"])
        .assert_success();
    let add = |name: &str, more: &[&str]| {
        let arguments = [&["sudo", "add", name], more].concat();
        gateway.run(&arguments).assert_success();
    };
    let (id, who) = ("/usr/bin/id -un", "/usr/bin/whoami");
    let everywhere = ["--host", "ALL", "--command"];
    add(
        "operators",
        &[&["--group", "operators"], &everywhere[..], &[id]].concat(),
    );
    let free = ["--option", "!authenticate"];
    add(
        "free",
        &[&["--user", "active"], &everywhere[..], &[who], &free].concat(),
    );
    let elsewhere = [
        "--user",
        "active",
        "--host",
        "another-host",
        "--command",
        "/usr/bin/cat",
    ];
    add("elsewhere", &elsewhere);

    // Minutes, as shipped, are long for a test.
    let often = "ldap_sudo_smart_refresh_interval = 1\nentry_cache_sudo_timeout = 1\n";
    let host = sssd::host(&[("ldap.example.org", &gateway)], often);
    // The session is root's, whom SSSD does not know.
    let modules = ["auth required pam_sss.so", "account required pam_sss.so"];
    let modules = [&modules[..], &["session required pam_permit.so\n"]].concat();
    write("/etc/pam.d/sudo", &modules.join("\n"));

    // Rules are fetched when SSSD starts.
    eventually(
        || host.complaints(),
        || {
            sudo("active", &["--list"])
                .stdout
                .contains("/usr/bin/id -un")
        },
    );
    let listed = sudo("active", &["--list"]).stdout;
    assert!(listed.contains("(root) /usr/bin/id -un"), "{listed}");
    assert!(
        listed.contains("(root) NOPASSWD: /usr/bin/whoami"),
        "{listed}"
    );
    assert!(!listed.contains("/usr/bin/cat"), "{listed}");
    assert_runs(&host, "active", &["/usr/bin/id", "-un"], "root");
    assert_runs(&host, "active", &["--non-interactive", who], "root");
    assert_refused("active", &["/usr/bin/cat", "/etc/shadow"]);
    assert_refused("bob", &["/usr/bin/id", "-un"]);

    // Changes arrive while SSSD runs.
    // SSSD asks for what changed after the second of the newest rule that it has.
    let second = || run("date", &["+%s"]).stdout;
    let newest = second();
    eventually(String::new, || second() != newest);
    let lists = |text: &str| sudo("active", &["--list"]).stdout.contains(text);
    add(
        "new",
        &[&["--user", "active"], &everywhere[..], &["/usr/bin/date"]].concat(),
    );
    eventually(|| host.complaints(), || lists("/usr/bin/date"));
    gateway.run(&["sudo", "remove", "new"]).assert_success();
    eventually(|| host.complaints(), || !lists("/usr/bin/date"));

    // The account phase asks the gateway, also where no password is typed.
    gateway.run(&["user", "suspend", "active"]).assert_success();
    assert_refused("active", &["/usr/bin/id", "-un"]);
    assert_refused("active", &["--non-interactive", who]);
    gateway.run(&["user", "resume", "active"]).assert_success();
    assert_runs(&host, "active", &["--non-interactive", who], "root");
}
