//! Mail servers: Debian's Dovecot and Postfix as `deploy/` configures them, each test in namespaces
//! of its own.

mod dovecot;
mod postfix;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use crate::common::namespace::{lay_packages, write};
use crate::common::{Gateway, PASSWORD, Ran, Setting, client, eventually};

/// Where mail servers find the gateway: a listener of its own for mail, at LDAP's own ports.
const LDAP: &str = "127.0.5.1";
/// The key of auth-policy requests.
const KEY: &str = "a key of twenty-four bytes";
/// What the shipped files say where the service account's password goes.
const PLACEHOLDER: &str = "what doorward service add printed";

/// Postfix's user and group.
const POSTFIX: u32 = 913;

/// How long one command of a client may take, in seconds.
const LIMIT: &str = "60";

/// A mail server: this machine with an `/etc`, `/usr`, `/var` and `/run` of its own.
struct MailServer {
    /// Holds what is written; goes away last.
    _scratch: TempDir,
    daemons: Vec<Child>,
}

impl MailServer {
    fn new(gateway: &Gateway) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        lay_packages(scratch.path());
        for (name, number, home) in [
            ("dovecot", 911, "/usr/lib/dovecot"),
            ("dovenull", 912, "/nonexistent"),
            ("postfix", POSTFIX, "/var/spool/postfix"),
            ("postdrop", 914, "/nonexistent"),
            ("vmail", 5000, "/var/vmail"),
        ] {
            let user = format!("{name}:x:{number}:{number}::{home}:/usr/sbin/nologin\n");
            append("/etc/passwd", &user);
            append("/etc/group", &format!("{name}:x:{number}:\n"));
        }
        fs::write(
            "/etc/hosts",
            format!("127.0.0.1 localhost mail.example.org\n{LDAP} ldap.example.org\n"),
        )
        .unwrap();
        for (folder, owner) in [
            ("/var/vmail", 5000),
            ("/var/lib/postfix", POSTFIX),
            ("/var/spool/postfix/private", POSTFIX),
        ] {
            fs::create_dir_all(folder).unwrap();
            std::os::unix::fs::chown(folder, Some(owner), Some(owner)).unwrap();
        }
        for (from, to) in [
            ("ca.pem", "doorward-ca.pem"),
            ("server.pem", "mail.pem"),
            ("server.key", "mail.key"),
        ] {
            for folder in ["dovecot", "postfix"] {
                fs::create_dir_all(format!("/etc/{folder}")).unwrap();
                let to = format!("/etc/{folder}/{to}");
                fs::copy(gateway.path("certs").join(from), to).unwrap();
            }
        }
        Self {
            _scratch: scratch,
            daemons: Vec::new(),
        }
    }

    /// Starts a daemon that stays in the foreground.
    fn serve(&mut self, program: &str, arguments: &[&str]) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open("/var/log/daemons.log")
            .unwrap();
        let daemon = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|fault| panic!("{program}: {fault}"));
        self.daemons.push(daemon);
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", logs());
        }
        // Whatever they started ends with the namespace.
        for daemon in &mut self.daemons {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// The ends of the daemons' logs.
fn logs() -> String {
    let command = "tail -n 60 $(find /var/log -type f -name '*.log')";
    client("sh", "dash", &["-c", command]).stdout
}

fn append(path: &str, text: &str) {
    let mut file = fs::File::options().append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// A gateway whose listeners for mail are at LDAP's own ports, and whom mail servers may ask about
/// their clients. `match_more` are further keys of the resource's `match`.
fn gateway(match_more: &str, listener_more: &str, store: Option<PathBuf>) -> Gateway {
    let more = format!(
        r#"
[[ldap.listener]]
name = "mail-starttls"
address = "{LDAP}:389"
{listener_more}

[[ldap.listener]]
name = "mail-tls"
address = "{LDAP}:636"
tls = "implicit"
{listener_more}

[auth_policy]
api_key_file = "auth-policy.key"
resource = "mail"
"#
    );
    let listeners = r#"listener = ["mail", "mail-starttls", "mail-tls"]"#;
    let mut gateway = Gateway::prepare(&Setting {
        known_as: Some("ldap.example.org"),
        mail_match: format!("{{ {listeners}{match_more} }}"),
        more,
        store,
        ..Setting::default()
    });
    let key = gateway.path("auth-policy.key");
    write(key.to_str().unwrap(), KEY);
    gateway.serve();
    gateway.add_staff();
    for service in ["dovecot", "postfix"] {
        gateway.add_service(service);
    }
    gateway
}

/// Puts a shipped file that holds a service account's password in its place.
fn place(path: &str, shipped: &str) {
    write(path, &shipped.replace(PLACEHOLDER, PASSWORD));
}

/// Starts Dovecot by the shipped configuration.
fn serve_dovecot(server: &mut MailServer, ldap: &str) {
    write(
        "/etc/dovecot/dovecot.conf",
        include_str!("../../../deploy/dovecot/dovecot.conf"),
    );
    place("/etc/dovecot/dovecot-ldap.conf.ext", ldap);
    // What an administrator keeps apart; and no delays of Dovecot's own, which would hide ours.
    let secret = format!(
        "auth_policy_server_api_header = {KEY}\nauth_policy_hash_nonce = salt\n\
         log_path = /var/log/dovecot.log\nauth_verbose = yes\nauth_failure_delay = 0\n\
         service anvil {{\n  unix_listener anvil-auth-penalty {{\n    mode = 0\n  }}\n}}\n"
    );
    write("/etc/dovecot/secret.conf", &secret);
    server.serve("/usr/sbin/dovecot", &["-F"]);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 143));
    eventually(logs, || TcpStream::connect(address).is_ok());
}

/// How a login ended, as mail clients tell the cases apart (RFC 5530).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Login {
    /// And the mailbox can be read.
    In,
    /// `[AUTHENTICATIONFAILED]`: the client asks its user for another password.
    WrongPassword,
    /// `[UNAVAILABLE]`: the client tries again later.
    Unavailable,
}

/// Logs in by IMAP from an address of loopback and looks at the mailbox. The server is reached at
/// the same address, which makes the connection one within a machine, where no TLS is asked for.
fn imap(from: &str, user: &str, password: &str) -> Login {
    let address: IpAddr = from.parse().unwrap();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(address, 0).into()).unwrap();
    let server = SocketAddr::new(address, 143).into();
    socket
        .connect_timeout(&server, Duration::from_secs(5))
        .unwrap();
    let mut stream = TcpStream::from(socket);
    stream
        .set_read_timeout(Some(Duration::from_mins(1)))
        .unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut ask = |request: &str| {
        stream.write_all(request.as_bytes()).unwrap();
        let tag = &request[..2];
        let answer = lines
            .by_ref()
            .map_while(Result::ok)
            .find(|line| line.starts_with(tag));
        answer.unwrap_or_else(|| panic!("no answer to {request}:\n{}", logs()))
    };
    let answer = ask(&format!("a LOGIN \"{user}\" \"{password}\"\r\n"));
    if answer.starts_with("a OK") {
        let opened = ask("b SELECT INBOX\r\n");
        assert!(opened.starts_with("b OK"), "{opened}\n{}", logs());
        return Login::In;
    }
    if answer.contains("[AUTHENTICATIONFAILED]") {
        return Login::WrongPassword;
    }
    assert!(answer.contains("[UNAVAILABLE]"), "{answer}\n{}", logs());
    Login::Unavailable
}

/// Runs a program for at most [`LIMIT`].
fn run(program: &str, arguments: &[&str]) -> Ran {
    let arguments = [&[LIMIT, program], arguments].concat();
    client("timeout", "coreutils", &arguments)
}
