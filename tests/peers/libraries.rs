//! LDAP libraries of several languages, each with its own BER: what an application does with
//! them, and what they make of the answers. All print the same lines.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::namespace::{inside, lay_packages, write};
use crate::common::{Gateway, PASSWORD, Ran, Setting};

/// The name that the certificate is for.
const HOST: &str = "ldap.example.org";

/// What each of them prints.
const PRINTED: &str = "\
bind: 0
wrong password: 49
nobody: 49
nobody is bound: ''
who am I: dn:cn=reader,ou=services,dc=example,dc=org
found: uid=grace,ou=people,dc=example,dc=org Gräce O'Hara, \"G\"
not found: 0
no such object: 32
compare: True
pages: 3 3 2
in order: alice bob carol dave Erin frank grace heidi
backwards: heidi grace frank Erin dave carol bob alice
StartTLS: ''
behind StartTLS: dn:uid=alice,ou=people,dc=example,dc=org
unknown authority: refused
over LDAPS: dn:uid=alice,ou=people,dc=example,dc=org
policy of alice: expires in 10 days
policy of bob: nothing
policy of carol: error 2
policy beside a refusal: none
change without the old one: 53
change to a short one: 19 True
change: 0
old password: 49
new password: 0
must change: 50
changes: 0
changed: expires in 10 days
";

fn gateway() -> Gateway {
    let gateway = Gateway::start(&Setting {
        known_as: Some(HOST),
        ..Setting::default()
    });
    for name in [
        "alice", "bob", "carol", "dave", "Erin", "frank", "grace", "heidi",
    ] {
        gateway.add_user(name);
    }
    for fields in [
        ["bob", "password_never_expires=true"],
        ["carol", "must_change_password=true"],
        ["grace", "full_name=Gräce O'Hara, \"G\""],
    ] {
        let set = [&["user", "set"][..], &fields].concat();
        gateway.run(&set).assert_success();
    }
    let expiry = ["password.max_age=10d", "password.warn_before=14d"];
    let set = [&["policy", "set"][..], &expiry].concat();
    gateway.run(&set).assert_success();
    gateway.add_service("reader");
    gateway
}

/// Runs a script against a gateway of its own and holds it to what all of them print.
#[track_caller]
fn hold(test: &str, interpreter: &[&str], script: &str) {
    if !inside(test) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    lay_packages(scratch.path());
    let gateway = gateway();
    write("/etc/hosts", &format!("{} {HOST}\n", gateway.hosts.ip()));
    let other = gateway.path("other");
    gateway
        .run(&["certs", other.to_str().unwrap(), "--name", HOST])
        .assert_success();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/libraries");
    let ran: Ran = Command::new("timeout")
        .args(["--kill-after=5", "300"])
        .args(interpreter)
        .arg(folder.join(script))
        .env("DOORWARD_HOST", HOST)
        .env("DOORWARD_CA", gateway.path("certs/ca.pem"))
        .env("DOORWARD_OTHER_CA", other.join("ca.pem"))
        .env("DOORWARD_PASSWORD", PASSWORD)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONIOENCODING", "utf-8")
        // Debian's libraries, no others, and no compiler of C.
        .env("GOPATH", "/usr/share/gocode")
        .env("GOENV", "off")
        .env("GO111MODULE", "off")
        .env("CGO_ENABLED", "0")
        .env("GOCACHE", gateway.path("go"))
        .output()
        .unwrap()
        .into();
    ran.assert_success();
    assert_eq!(ran.stdout, PRINTED, "{}", ran.stderr);
    assert!(
        !fs::read_to_string(gateway.path("daemon.log"))
            .unwrap()
            .contains(PASSWORD)
    );
}

#[test]
fn python_ldap() {
    // Other Pythons may come first in the path, without Debian's modules.
    hold(
        "libraries::python_ldap",
        &["/usr/bin/python3"],
        "python_ldap.py",
    );
}

#[test]
fn ldap3_for_python() {
    hold(
        "libraries::ldap3_for_python",
        &["/usr/bin/python3"],
        "ldap3_for_python.py",
    );
}

#[test]
fn net_ldap_for_perl() {
    hold(
        "libraries::net_ldap_for_perl",
        &["/usr/bin/perl"],
        "net_ldap.pl",
    );
}

#[test]
fn go_ldap() {
    hold("libraries::go_ldap", &["/usr/bin/go", "run"], "go_ldap.go");
}

#[test]
fn openldap_on_the_command_line() {
    hold(
        "libraries::openldap_on_the_command_line",
        &["/bin/sh"],
        "ldap_utils.sh",
    );
}
