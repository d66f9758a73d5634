//! Applications that ask for passwords over LDAP: Debian's Apache httpd and Squid as `deploy/`
//! configures them, each test in namespaces of its own.

mod apache;
mod squid;

use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;
use std::process::Command;

use crate::common::namespace::write;
use crate::common::{Gateway, PASSWORD, Setting, eventually};
use crate::hosts::{self, Host, add_states, run};

/// Where applications find the gateway: listeners of their own, at LDAP's own ports.
const LDAP: &str = "127.0.5.2";

/// A gateway with one resource for each application, told apart by their service accounts, and
/// users in every state. `staff` is bound to both; `outsider` to `proxy` alone.
fn gateway(store: Option<PathBuf>) -> Gateway {
    let more = format!(
        r#"
[[ldap.listener]]
name = "applications"
address = "{LDAP}:389"

[[ldap.listener]]
name = "applications-tls"
address = "{LDAP}:636"
tls = "implicit"

[[resource]]
name = "intranet"
kind = "app"
match = {{ listener = ["applications", "applications-tls"], service = "apache" }}

[[resource]]
name = "proxy"
kind = "app"
match = {{ listener = ["applications", "applications-tls"], service = "squid" }}
"#
    );
    let setting = Setting {
        store,
        more,
        ..Setting::default()
    };
    let gateway = hosts::gateway("ldap.example.org", setting);
    for service in ["apache", "squid"] {
        gateway.add_service(service);
    }
    for resource in ["intranet", "proxy"] {
        gateway
            .run(&["resource", "bind", resource, "--group", "staff"])
            .assert_success();
    }
    add_states(&gateway);
    let outsider = ["user", "add", "outsider", "--email", "outsider@example.org"];
    let outsider = [&outsider[..], &["--password-stdin"]].concat();
    gateway.run_with_input(&outsider, PASSWORD).assert_success();
    gateway
        .run(&["resource", "bind", "proxy", "--user", "outsider"])
        .assert_success();
    gateway
}

/// A machine with an application on it.
fn machine(gateway: &Gateway) -> Host {
    let files = "passwd: files\ngroup: files\nhosts: files\n";
    let host = Host::new(&[("doorward.example.org", gateway)], "pam_deny.so", files);
    let names = format!("127.0.0.1 localhost\n{LDAP} ldap.example.org\n");
    std::fs::write("/etc/hosts", names).unwrap();
    host
}

/// Puts the CA and the service account's password beside an application's configuration, the
/// password for nobody but the group that reads it.
fn place_secrets(folder: &str, group: u32) {
    let authority = format!("{folder}/doorward-ca.pem");
    std::fs::copy("/etc/doorward-ca.pem", &authority).unwrap();
    hosts::public(&authority);
    let password = format!("{folder}/doorward-password");
    write(&password, &format!("{PASSWORD}\n"));
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o640)).unwrap();
    chown(&password, None, Some(group)).unwrap();
}

/// Waits until somebody listens at a port of loopback.
fn wait_for(host: &Host, port: u16) {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    eventually(|| host.complaints(), || TcpStream::connect(address).is_ok());
}

/// The status of the answer to a request.
#[track_caller]
fn status(arguments: &[&str]) -> u16 {
    let quiet = [
        "--silent",
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code}",
    ];
    let ran = run("curl", &[&quiet, arguments].concat());
    let status = ran.stdout.parse();
    status.unwrap_or_else(|_| panic!("{arguments:?}: {ran:?}"))
}

/// Runs a command of an administrator's, in a plain environment.
fn administer(program: &str, arguments: &[&str]) {
    let ran = Command::new(program).args(arguments).output().unwrap();
    assert!(ran.status.success(), "{program} {arguments:?}: {ran:?}");
}
