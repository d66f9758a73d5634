//! RADIUS over TLS with Debian's radsecproxy between clients that know only UDP and the gateway, by
//! the file that `deploy/` ships.

use std::fs;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::common::client_ca::ClientCa;
use crate::common::namespace::{inside, lay_packages, write};
use crate::common::{Gateway, PASSWORD, Ran, Setting, client, client_with_input, eventually};

/// The gateway's name, as the shipped file has it.
const NAME: &str = "doorward.example.org";
/// The proxy's name, in its certificate.
const PROXY: &str = "proxy.example.org";
/// Where the shipped file lets the proxy listen.
const ADDRESS: &str = "127.0.0.1";
/// What the shipped file has for a secret.
const SECRET: &str = "replace this by 24 random characters";

/// A gateway that knows the proxy by its certificate, the proxy, and alice.
struct Site {
    gateway: Gateway,
    ca: ClientCa,
    proxy: Child,
    _scratch: TempDir,
}

impl Site {
    fn new(change: impl FnOnce(String) -> String) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let mut gateway = Gateway::prepare(&Setting {
            known_as: Some(NAME),
            more: format!(
                "[[radius.client]]\nname = \"proxy\"\ncertificate = \"{PROXY}\"\nresource = \"vpn\"\n\
                 [log]\nlevel = \"debug\"\n"
            ),
            ..Setting::default()
        });
        let ca = ClientCa::new(gateway.path("clients"));
        ca.issue(PROXY, 7);
        let text = fs::read_to_string(gateway.config()).unwrap();
        let tls = format!(
            "radsec = \"{}:2083\"\n[radius.tls]\ncertificate = \"certs/server.pem\"\n\
             private_key = \"certs/server.key\"\nclient_ca = \"clients/ca.pem\"\n\
             client_crl = \"clients/crl.pem\"\n\n[[radius.client]]",
            gateway.radius.ip()
        );
        fs::write(
            gateway.config(),
            text.replacen("[[radius.client]]", &tls, 1),
        )
        .unwrap();
        gateway.serve();
        gateway.add_staff();
        gateway.add_user("alice");

        lay_packages(scratch.path());
        let hosts = format!("127.0.0.1 localhost\n{} {NAME}\n", gateway.radius.ip());
        fs::write("/etc/hosts", hosts).unwrap();
        let copy = |from: &str, to: &str| {
            let text = fs::read_to_string(gateway.path(from)).unwrap();
            write(&format!("/etc/radsecproxy/{to}"), &text);
        };
        copy("certs/ca.pem", "doorward-ca.pem");
        copy(&format!("clients/{PROXY}.pem"), "proxy.pem");
        copy(&format!("clients/{PROXY}.key"), "proxy.key");
        let shipped = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/deploy/radsecproxy/radsecproxy.conf"
        );
        let shipped = change(fs::read_to_string(shipped).unwrap());
        write("/etc/radsecproxy.conf", &shipped);
        let mut proxy = Command::new("radsecproxy");
        proxy.args(["-f", "-c", "/etc/radsecproxy.conf"]);
        let proxy = proxy.stdin(Stdio::null()).spawn().unwrap();
        let site = Self {
            gateway,
            ca,
            proxy,
            _scratch: scratch,
        };
        eventually(
            || format!("{}\n{}", Self::proxy_log(), site.gateway.log()),
            || site.open() >= 1.0,
        );
        site
    }

    fn proxy_log() -> String {
        fs::read_to_string("/var/log/radsecproxy.log").unwrap_or_default()
    }

    /// How many connections of the proxy are open.
    fn open(&self) -> f64 {
        self.gateway
            .metric("doorward_radius_connections_open", "client=\"proxy\"")
    }

    /// One request by way of the proxy.
    fn radclient(service: &str, port: u16, request: &str) -> Ran {
        let to = format!("{ADDRESS}:{port}");
        let arguments = ["-x", "-r", "1", "-t", "10", &to, service, SECRET];
        client_with_input("radclient", "freeradius-utils", &arguments, request)
    }

    /// EAP-TTLS with PAP by way of the proxy; the exit code is 0 where the user was let in and the
    /// keys are the gateway's.
    fn join(&self, tls: &str, password: &str) -> Ran {
        let file = tempfile::NamedTempFile::new().unwrap();
        let network = format!(
            "network={{\nkey_mgmt=WPA-EAP\neap=TTLS\nphase2=\"auth=PAP\"\nidentity=\"alice\"\n\
             anonymous_identity=\"anonymous@example.org\"\npassword=\"{password}\"\n\
             ca_cert=\"{}\"\ndomain_match=\"{NAME}\"\nphase1=\"{tls}\"\n}}\n",
            self.gateway.path("certs/ca.pem").display()
        );
        fs::write(file.path(), network).unwrap();
        let file = file.path().to_str().unwrap();
        let arguments = ["-c", file, "-a", ADDRESS, "-s", SECRET, "-t", "20"];
        client("eapol_test", "eapoltest", &arguments)
    }

    fn login(password: &str) -> Ran {
        let request =
            format!("User-Name = alice, User-Password = \"{password}\", Proxy-State = 0x6f6e65\n");
        Self::radclient("auth", 1812, &request)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.proxy.kill();
        let _ = self.proxy.wait();
    }
}

#[track_caller]
fn assert_answered(ran: &Ran, code: &str) {
    let answer = format!("Received {code} ");
    assert!(
        ran.stdout.contains(&answer),
        "{}\n{}\n{}",
        ran.stdout,
        ran.stderr,
        Site::proxy_log()
    );
}

#[test]
fn a_proxy_brings_logins_and_reports_until_its_certificate_is_revoked() {
    if !inside("radsec::a_proxy_brings_logins_and_reports_until_its_certificate_is_revoked") {
        return;
    }
    let site = Site::new(|shipped| shipped);
    assert!(site.gateway.log().contains("TLSv1_3"));
    let right = Site::login(PASSWORD);
    assert_answered(&right, "Access-Accept");
    assert!(
        right.stdout.contains("Proxy-State = 0x6f6e65"),
        "{}",
        right.stdout
    );
    assert_answered(&Site::login("wrong"), "Access-Reject");
    let start = "User-Name = alice, Acct-Status-Type = Start, Acct-Session-Id = 1A, \
                 NAS-Identifier = switch1, Calling-Station-Id = \"02-00-00-00-00-01\"\n";
    let reported = Site::radclient("acct", 1813, start);
    assert_answered(&reported, "Accounting-Response");
    let sessions = site.gateway.run(&["sessions"]);
    sessions.assert_success();
    assert!(sessions.stdout.contains("alice"), "{}", sessions.stdout);

    site.ca.revoke(&[7]);
    Command::new("kill")
        .args(["-HUP", &site.gateway.process().to_string()])
        .status()
        .unwrap();
    eventually(
        || site.gateway.log(),
        || {
            let refused = Site::login(PASSWORD);
            !refused.stdout.contains("Received") && site.open() == 0.0
        },
    );
    let closed = "doorward_radius_connections_closed_total";
    assert!(site.gateway.metric(closed, "reason=\"verify\"") >= 1.0);
}

#[test]
fn a_proxy_brings_eap_over_tls_1_2_and_1_3() {
    if !inside("radsec::a_proxy_brings_eap_over_tls_1_2_and_1_3") {
        return;
    }
    for (versions, shown) in [("TLS1_2:", "TLSv1_3"), ("TLS1_2", "TLSv1_2")] {
        let told = format!("TlsVersion {versions}\n");
        let site = Site::new(|shipped| shipped.replace("TlsVersion TLS1_2:\n", &told));
        assert!(site.gateway.log().contains(shown), "{}", site.gateway.log());
        for tls in ["tls_disable_tlsv1_3=1", "tls_disable_tlsv1_3=0"] {
            let joined = site.join(tls, PASSWORD);
            joined.assert_success();
            assert!(joined.stdout.contains("mismatch: 0"), "{}", joined.stdout);
            let refused = site.join(tls, "not this one");
            assert_ne!(refused.code, Some(0), "{}", refused.stdout);
            let failure = "CTRL-EVENT-EAP-FAILURE";
            assert!(refused.stdout.contains(failure), "{}", refused.stdout);
        }
    }
}
