//! Squid 5: who may use the proxy.

use std::fs;
use std::os::unix::fs::chown;

use super::{gateway, machine, place_secrets, status, wait_for};
use crate::common::namespace::inside;
use crate::common::{Gateway, PASSWORD, eventually};
use crate::failures::Disk;
use crate::hosts::Host;

/// The shipped file.
const SHIPPED: &str = include_str!("../../../deploy/squid/doorward.conf");

/// Debian's user and group for Squid.
const PROXY: u32 = 13;

/// Starts Squid with Debian's own configuration and the shipped file.
fn serve(gateway: &Gateway) -> Host {
    let mut host = machine(gateway);
    fs::write("/etc/squid/conf.d/doorward.conf", SHIPPED).unwrap();
    place_secrets("/etc/squid", PROXY);
    for folder in ["/var/log/squid", "/var/spool/squid"] {
        fs::create_dir_all(folder).unwrap();
        chown(folder, Some(PROXY), Some(PROXY)).unwrap();
    }
    host.serve("/usr/sbin/squid", &["-N"]);
    wait_for(&host, 3128);
    host
}

/// Asks for a page by way of the proxy: the gateway's own metrics, which are one like any other.
#[track_caller]
fn get(gateway: &Gateway, user: &str, password: &str) -> u16 {
    let account = format!("{user}:{password}");
    let page = format!("http://{}/metrics", gateway.status);
    let proxy = ["--proxy", "http://127.0.0.1:3128", "--proxy-user"];
    status(&[&proxy[..], &[&account, &page]].concat())
}

#[test]
fn every_state_and_a_change() {
    if !inside("applications::squid::every_state_and_a_change") {
        return;
    }
    let gateway = gateway(None);
    let host = serve(&gateway);
    for (user, expected) in [
        ("active", 200),
        ("outsider", 200),
        ("mustchange", 407),
        ("staged", 407),
        ("pending", 407),
        ("expired", 407),
        ("locked", 407),
        ("both", 407),
        ("suspended", 407),
        ("ended", 407),
        ("unbound", 407),
        ("nobody", 407),
        ("*", 407),
    ] {
        assert_eq!(get(&gateway, user, PASSWORD), expected, "{user}");
    }
    for password in ["wrong", ""] {
        assert_eq!(get(&gateway, "outsider", password), 407, "{password:?}");
    }
    gateway.run(&["user", "suspend", "active"]).assert_success();
    eventually(
        || host.complaints(),
        || get(&gateway, "active", PASSWORD) == 407,
    );
}

#[test]
fn a_broken_store_lets_nobody_in_and_mends() {
    if !inside("applications::squid::a_broken_store_lets_nobody_in_and_mends") {
        return;
    }
    let disk = Disk::mount();
    let gateway = gateway(Some(disk.path().to_owned()));
    let host = serve(&gateway);
    assert_eq!(get(&gateway, "active", PASSWORD), 200);
    disk.fill();
    eventually(
        || host.complaints(),
        || get(&gateway, "active", PASSWORD) != 200,
    );
    // Squid has one answer for all that is not a yes; its log knows better.
    assert_eq!(get(&gateway, "outsider", PASSWORD), 407);
    let log = fs::read_to_string("/var/log/squid/cache.log").unwrap();
    assert!(log.contains("helper: {result=BH"), "{log}");
    disk.empty();
    eventually(
        || host.complaints(),
        || get(&gateway, "active", PASSWORD) == 200,
    );
}
