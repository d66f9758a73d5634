//! A gateway of its own for each test: the true binary, a folder that goes away, an address of its
//! own on loopback.

pub(crate) mod challenges;
pub(crate) mod client_ca;
pub(crate) mod ldap;
pub(crate) mod namespace;
pub(crate) mod radius;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Every test user's password.
pub(crate) const PASSWORD: &str = "correct horse battery";
/// The RADIUS client's secret.
pub(crate) const SECRET: &str = "testing123";
/// The suffix.
pub(crate) const BASE: &str = "dc=example,dc=org";

/// What a gateway is started with, besides its ports.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// Lines of `[hashing]`.
    pub(crate) hashing: String,
    /// Lines of `[throttle]`.
    pub(crate) throttle: String,
    /// Lines of `[radius]`.
    pub(crate) radius: String,
    /// Lines of `[eap]`.
    pub(crate) eap: String,
    /// Lines of `[ldap]`.
    pub(crate) ldap: String,
    /// Lines of `[metrics]`; the tests look at exact reasons.
    pub(crate) metrics: String,
    /// The folder of the store, where it is not the gateway's own.
    pub(crate) store: Option<PathBuf>,
    /// The `match` of the resource `mail`.
    pub(crate) mail_match: String,
    /// Where it serves RADIUS, where that is not the loopback address of all the rest.
    pub(crate) radius_address: Option<Ipv4Addr>,
    /// Where the RADIUS client that speaks for `vpn` sends from, as a list of networks.
    pub(crate) vpn_gateway: String,
    /// Further lines at the end of the file.
    pub(crate) more: String,
    /// The name that clients know it by. It is in the certificate, and hosts are then served at
    /// LDAP's own ports, which takes a namespace.
    pub(crate) known_as: Option<&'static str>,
}

impl Default for Setting {
    /// Cheap hashes, so that tests spend their time on what they test; refusals leave quickly.
    fn default() -> Self {
        Self {
            hashing: "memory_kib = 64\npasses = 1\n".to_owned(),
            throttle: "relays = [\"127.0.0.0/8\"]\nrefusal_delay = \"10ms\"\n".to_owned(),
            radius: String::new(),
            eap: String::new(),
            ldap: String::new(),
            metrics: "detailed = true\n".to_owned(),
            store: None,
            mail_match: "{ listener = [\"mail\"] }".to_owned(),
            radius_address: None,
            vpn_gateway: "[\"127.0.0.0/8\", \"::1/128\"]".to_owned(),
            more: String::new(),
            known_as: None,
        }
    }
}

impl Setting {
    /// With network passwords, sealed under the key that every gateway's folder has.
    pub(crate) fn with_network_passwords() -> Self {
        Self {
            radius: format!("network_password_key_file = \"{KEY}\"\n"),
            ..Self::default()
        }
    }
}

/// The key of network passwords, in a gateway's folder.
const KEY: &str = "network.key";

/// A gateway on loopback.
pub(crate) struct Gateway {
    folder: TempDir,
    daemon: Option<Child>,
    /// LDAP for the resource `hosts` (an endpoint).
    pub(crate) hosts: SocketAddr,
    /// LDAP for the resource `mail` (email).
    pub(crate) mail: SocketAddr,
    /// LDAP over TLS for `hosts`.
    pub(crate) ldaps: SocketAddr,
    /// RADIUS for the resource `vpn`.
    pub(crate) radius: SocketAddr,
    /// RADIUS accounting.
    pub(crate) accounting: SocketAddr,
    /// Metrics and readiness.
    pub(crate) status: SocketAddr,
}

impl Gateway {
    /// Makes a folder with configuration, certificates and an empty store, and starts nothing.
    pub(crate) fn prepare(setting: &Setting) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = own_address();
        let at = |port| SocketAddr::from((address, port));
        let radius = setting.radius_address.unwrap_or(address);
        let (ldap, ldaps) = match setting.known_as {
            Some(_) => (389, 636),
            None => (3389, 3636),
        };
        let gateway = Self {
            folder,
            daemon: None,
            hosts: at(ldap),
            mail: at(3390),
            ldaps: at(ldaps),
            radius: SocketAddr::from((radius, 1812)),
            accounting: SocketAddr::from((radius, 1813)),
            status: at(9909),
        };
        fs::write(gateway.config(), gateway.configuration(setting)).unwrap();
        // It holds a secret.
        fs::set_permissions(gateway.config(), fs::Permissions::from_mode(0o600)).unwrap();
        let key = gateway.path(KEY);
        fs::write(&key, "5eed".repeat(16)).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let certificates = gateway.path("certs");
        let mut certs = vec!["certs", certificates.to_str().unwrap()];
        if let Some(name) = setting.known_as {
            certs.extend(["--name", name]);
        }
        gateway.run(&certs).assert_success();
        gateway
    }

    /// As [`Gateway::prepare`], started, with a group `staff` that is bound to all resources.
    pub(crate) fn start(setting: &Setting) -> Self {
        let mut gateway = Self::prepare(setting);
        gateway.serve();
        gateway.add_staff();
        gateway
    }

    /// Adds a group `staff` that is bound to all resources.
    pub(crate) fn add_staff(&self) {
        self.run(&["group", "add", "staff"]).assert_success();
        for resource in ["hosts", "mail", "vpn"] {
            self.run(&["resource", "bind", resource, "--group", "staff"])
                .assert_success();
        }
    }

    /// Starts the daemon and waits until it is ready.
    pub(crate) fn serve(&mut self) {
        self.serve_with(&[]);
    }

    /// As [`Gateway::serve`], with variables in its environment.
    pub(crate) fn serve_with(&mut self, environment: &[(&str, &str)]) {
        let mut command = doorward(&self.config());
        command.arg("serve").envs(environment.iter().copied());
        self.serve_by(command);
    }

    /// Starts the daemon by a command that becomes it, and waits until it is ready.
    pub(crate) fn serve_by(&mut self, mut command: Command) {
        let log = fs::File::create(self.path("daemon.log")).unwrap();
        let daemon = command.stderr(log).spawn().unwrap();
        self.daemon = Some(daemon);
        let daemon = self.daemon.as_mut().unwrap();
        let (status, log) = (self.status, self.folder.path().join("daemon.log"));
        let log = || fs::read_to_string(&log).unwrap_or_default();
        eventually(log, || {
            if let Some(status) = daemon.try_wait().unwrap() {
                panic!("the daemon ended ({status}):\n{}", log());
            }
            http_get(status, "/ready").is_some_and(|page| page.contains("200 OK"))
        });
    }

    /// Ends the daemon at once, as a power failure would its process.
    pub(crate) fn kill(&mut self) {
        let mut daemon = self.daemon.take().expect("a running daemon");
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }

    /// Waits until the daemon has ended by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.daemon
            .take()
            .expect("a running daemon")
            .wait()
            .unwrap()
    }

    /// The daemon's process.
    pub(crate) fn process(&self) -> u32 {
        self.daemon.as_ref().expect("a running daemon").id()
    }

    /// Adds a member of `staff` with [`PASSWORD`].
    pub(crate) fn add_user(&self, name: &str) {
        let mail = format!("{name}@example.org");
        self.run_with_input(
            &["user", "add", name, "--email", &mail, "--password-stdin"],
            PASSWORD,
        )
        .assert_success();
        self.run(&["group", "join", "staff", name]).assert_success();
    }

    /// Adds a service account with [`PASSWORD`] that may search.
    pub(crate) fn add_service(&self, name: &str) {
        self.run_with_input(
            &["service", "add", name, "--password-stdin", "--search"],
            PASSWORD,
        )
        .assert_success();
    }

    /// Runs a command of the same configuration.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with_input(arguments, "")
    }

    /// Runs a command with a line on its standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = doorward(&self.config());
        command.args(arguments);
        run_with_input(command, &format!("{input}\n"))
    }

    /// A command's output as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let ran = self.run(arguments);
        ran.assert_success();
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
    }

    /// A counter or gauge of `/metrics`, all its labels added up; zero where it was never counted.
    pub(crate) fn metric(&self, name: &str, label: &str) -> f64 {
        self.metrics()
            .lines()
            .filter(|line| line.starts_with(name) && line.contains(label))
            .filter(|line| line[name.len()..].starts_with(['{', ' ']))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// The whole page of metrics.
    pub(crate) fn metrics(&self) -> String {
        http_get(self.status, "/metrics").expect("the status page answers")
    }

    /// What the daemon logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("daemon.log")).unwrap_or_default()
    }

    /// A path in the gateway's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The configuration's path.
    pub(crate) fn config(&self) -> PathBuf {
        self.path("doorward.toml")
    }

    fn configuration(&self, setting: &Setting) -> String {
        let mut text = String::new();
        write!(
            text,
            r#"
[directory]
base_dn = "{BASE}"
organization = "Example"
realms = ["example.org", "EXAMPLE"]

[store]
url = "sqlite://{store}"

[tls]
certificate = "{folder}/certs/server.pem"
private_key = "{folder}/certs/server.key"

[ldap]
{ldap}
[[ldap.listener]]
name = "hosts"
address = "{hosts}"
tls = "starttls"
plaintext_bind = "loopback"

[[ldap.listener]]
name = "hosts-tls"
address = "{ldaps}"
tls = "implicit"

[[ldap.listener]]
name = "mail"
address = "{mail}"
tls = "starttls"
plaintext_bind = "loopback"

[radius]
authentication = "{radius}"
accounting = "{accounting}"
{more_radius}

[[radius.client]]
name = "vpn-gateway"
address = {vpn_gateway}
secret = "{SECRET}"
resource = "vpn"

[eap]
certificate = "{folder}/certs/eap.pem"
private_key = "{folder}/certs/eap.key"
{eap}
[throttle]
{throttle}
[hashing]
{hashing}
[metrics]
address = "{status}"
{metrics}
[runtime]
watch = "watch"

[[resource]]
name = "mail"
kind = "email"
match = {mail_match}

[[resource]]
name = "hosts"
kind = "endpoint"
match = {{ listener = ["hosts", "hosts-tls"] }}

[[resource]]
name = "vpn"
kind = "vpn"

{more}
"#,
            mail_match = setting.mail_match,
            vpn_gateway = setting.vpn_gateway,
            more = setting.more,
            store = setting
                .store
                .as_deref()
                .unwrap_or(self.folder.path())
                .join("doorward.db")
                .display(),
            folder = self.folder.path().display(),
            hosts = self.hosts,
            ldaps = self.ldaps,
            mail = self.mail,
            radius = self.radius,
            accounting = self.accounting,
            status = self.status,
            throttle = setting.throttle,
            more_radius = setting.radius,
            eap = setting.eap,
            ldap = setting.ldap,
            metrics = setting.metrics,
            hashing = setting.hashing,
        )
        .unwrap();
        text
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// Waits until something holds, half a minute at most; `shown` says why it may not.
#[track_caller]
pub(crate) fn eventually(shown: impl Fn() -> String, holds: impl FnMut() -> bool) {
    eventually_within(Duration::from_secs(30), shown, holds);
}

/// Waits until something holds, so long at most.
#[track_caller]
#[expect(
    clippy::disallowed_methods,
    reason = "another process is waited for, which no clock of ours drives"
)]
pub(crate) fn eventually_within(
    time: Duration,
    shown: impl Fn() -> String,
    mut holds: impl FnMut() -> bool,
) {
    let deadline = Instant::now() + time;
    while !holds() {
        assert!(Instant::now() < deadline, "{}", shown());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Its exit code.
    pub(crate) code: Option<i32>,
    /// What it printed.
    pub(crate) stdout: String,
    /// What it complained.
    pub(crate) stderr: String,
}

impl Ran {
    /// The same, when it succeeded.
    #[track_caller]
    pub(crate) fn assert_success(&self) -> &Self {
        assert_eq!(
            self.code,
            Some(0),
            "stdout: {}\nstderr: {}",
            self.stdout,
            self.stderr
        );
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The variable that names another binary to run than the one that was built with the tests, so
/// that a promise can be held against a build of before, and one build measured beside another.
pub(crate) const BINARY: &str = "DOORWARD_BINARY";

/// The binary, with a configuration.
pub(crate) fn doorward(config: &Path) -> Command {
    let built = env!("CARGO_BIN_EXE_doorward").into();
    let mut command = Command::new(std::env::var_os(BINARY).unwrap_or(built));
    command
        .arg("-c")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// Runs a real client. A missing one is a failure that names the package: `tests/run` installs it.
#[track_caller]
pub(crate) fn client(program: &str, package: &str, arguments: &[&str]) -> Ran {
    client_with_input(program, package, arguments, "")
}

/// As [`client`], with something on its standard input.
#[track_caller]
pub(crate) fn client_with_input(
    program: &str,
    package: &str,
    arguments: &[&str],
    input: &str,
) -> Ran {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output()
        .unwrap();
    assert!(
        found.status.success(),
        "{program} is missing: install Debian's {package}, or run tests/run"
    );
    let mut command = Command::new(program);
    command.args(arguments).env("LDAPTLS_REQCERT", "demand");
    run_with_input(command, input)
}

fn run_with_input(mut command: Command, input: &str) -> Ran {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that reads nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap().into()
}

/// One HTTP request; none where nobody answers.
pub(crate) fn http_get(address: SocketAddr, path: &str) -> Option<String> {
    use std::io::Read as _;
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(15)))
        .ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).ok()?;
    Some(page)
}

/// A loopback address that no other gateway of this or of another test process has, so that ports
/// need no search and never collide.
fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(
        127,
        1 + high % 250,
        low,
        NEXT.fetch_add(1, Ordering::Relaxed),
    )
}
