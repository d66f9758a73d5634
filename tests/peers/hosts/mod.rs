//! Linux hosts: Debian's SSSD, nslcd, sudo and sshd as `deploy/` configures them, each test in
//! namespaces of its own.

mod nslcd;
mod sshd;
mod sssd;
mod sudo;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::common::namespace::{lay_packages, write};
use crate::common::{Gateway, PASSWORD, Ran, Setting, client, client_with_input, eventually};

/// How long one command of a client may take, in seconds.
const LIMIT: &str = "90";

/// A password that users change to.
const NEW: &str = "New Horse 99 battery";

/// What a PAM phase answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pam {
    Success,
    AuthenticationFailure,
    NewPasswordRequired,
    PermissionDenied,
    AccountExpired,
    UnknownUser,
    PasswordNotChanged,
    SystemError,
}

/// What each state is told: a login with the right password, one with a wrong one, and account
/// management alone, as after an SSH key and for cron.
const STATES: [(&str, Pam, Pam); 10] = [
    ("active", Pam::Success, Pam::Success),
    // Led to the change where a password was typed.
    ("mustchange", Pam::NewPasswordRequired, Pam::Success),
    ("staged", Pam::AuthenticationFailure, Pam::PermissionDenied),
    ("pending", Pam::AuthenticationFailure, Pam::PermissionDenied),
    ("expired", Pam::AuthenticationFailure, Pam::PermissionDenied),
    ("locked", Pam::AuthenticationFailure, Pam::PermissionDenied),
    ("both", Pam::AuthenticationFailure, Pam::PermissionDenied),
    (
        "suspended",
        Pam::AuthenticationFailure,
        Pam::PermissionDenied,
    ),
    ("ended", Pam::AuthenticationFailure, Pam::PermissionDenied),
    ("unbound", Pam::AuthenticationFailure, Pam::PermissionDenied),
];

impl Pam {
    /// What `pamtester` prints for it, besides what it prints for a success.
    const PRINTED: [(&'static str, Self); 7] = [
        ("Authentication failure", Self::AuthenticationFailure),
        (
            "Authentication token is no longer valid",
            Self::NewPasswordRequired,
        ),
        ("Permission denied", Self::PermissionDenied),
        ("User account has expired", Self::AccountExpired),
        ("User not known", Self::UnknownUser),
        (
            "Authentication token manipulation error",
            Self::PasswordNotChanged,
        ),
        ("System error", Self::SystemError),
    ];
}

/// This machine as a host of the fleet: its own `/etc`, `/usr`, `/var` and `/run`.
pub(crate) struct Host {
    /// Holds what is written.
    scratch: TempDir,
    daemons: Vec<Child>,
    /// Where the daemons complain.
    logs: &'static str,
}

impl Host {
    /// A host with Debian's packages that knows the gateways by name. `module` answers in PAM for
    /// the service `doorward`; `sources` is its `/etc/nsswitch.conf`.
    pub(crate) fn new(gateways: &[(&str, &Gateway)], module: &str, sources: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        lay_packages(scratch.path());
        let own = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let mut names = format!("127.0.0.1 localhost {}\n", own.trim());
        let mut authorities = String::new();
        for (name, gateway) in gateways {
            writeln!(names, "{} {name}", gateway.hosts.ip()).unwrap();
            authorities += &fs::read_to_string(gateway.path("certs/ca.pem")).unwrap();
        }
        write("/etc/doorward-ca.pem", &authorities);
        public("/etc/doorward-ca.pem");
        let pam = ["auth", "account", "password", "session"];
        let pam = pam.map(|phase| format!("{phase} required {module}\n"));
        for (path, text) in [
            ("/etc/hosts", &*names),
            ("/etc/nsswitch.conf", sources),
            ("/etc/pam.d/doorward", &pam.concat()),
        ] {
            write(path, text);
            // Programs that are not root read them too.
            public(path);
        }
        Self {
            scratch,
            daemons: Vec::new(),
            logs: "/var/log",
        }
    }

    /// Makes the user that a package would make for its daemon.
    fn add_daemon_user(&self, name: &str, number: u32) {
        assert!(self.scratch.path().is_dir(), "this host's own files");
        for (path, line) in [
            (
                "/etc/passwd",
                format!("{name}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n"),
            ),
            ("/etc/group", format!("{name}:x:{number}:\n")),
        ] {
            fs::write(path, fs::read_to_string(path).unwrap() + &line).unwrap();
        }
    }

    /// Starts a daemon that stays in the foreground; its output goes to a log.
    pub(crate) fn serve(&mut self, program: &str, arguments: &[&str]) {
        let name = Path::new(program).file_name().unwrap().to_str().unwrap();
        let mut command = Command::new(program);
        command.args(arguments);
        self.serve_by(name, command);
    }

    /// As [`Host::serve`], by a command that becomes the daemon of that name.
    pub(crate) fn serve_by(&mut self, name: &str, mut command: Command) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(format!("/var/log/{name}.out"))
            .unwrap();
        let daemon = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|fault| panic!("{name}: {fault}"));
        self.daemons.push(daemon);
    }

    /// Ends the daemon that was started last, as a shutdown would.
    pub(crate) fn stop_last(&mut self) {
        let last = self.daemons.len() - 1;
        self.stop_from(last);
    }

    /// Ends all daemons, as a shutdown would.
    pub(crate) fn stop(&mut self) {
        self.stop_from(0);
    }

    fn stop_from(&mut self, first: usize) {
        for mut daemon in self.daemons.drain(first..) {
            let process = daemon.id().to_string();
            client("kill", "procps", &[&process]).assert_success();
            daemon.wait().unwrap();
        }
    }

    /// Waits until the name service knows a user.
    fn wait_for(&self, user: &str) {
        eventually(
            || format!("{user} is not found:\n{}", self.complaints()),
            || getent("passwd", user).is_some(),
        );
    }

    /// Goes through PAM phases in one transaction and says how the last one that ran ended, and
    /// what was shown. `typed` is answered to one prompt after the other.
    fn pam(&self, user: &str, phases: &[&str], typed: &[&str]) -> (Pam, String) {
        self.pam_by(&[], user, phases, typed)
    }

    /// Changes the password as the user: root would not be asked for the old one.
    fn change_password(&self, user: &str, old: &str, new: &str) -> (Pam, String) {
        let number = |kind| run("id", &[kind, user]).stdout.trim().to_owned();
        let (uid, gid) = (number("-u"), number("-g"));
        let by = [
            "setpriv",
            "--clear-groups",
            "--reuid",
            &uid,
            "--regid",
            &gid,
        ];
        self.pam_by(&by, user, &["chauthtok"], &[old, new, new])
    }

    fn pam_by(&self, by: &[&str], user: &str, phases: &[&str], typed: &[&str]) -> (Pam, String) {
        let pamtester = ["pamtester", "doorward", user];
        let arguments = [&[LIMIT], by, &pamtester, phases].concat();
        let typed = typed.join("\n") + "\n";
        let ran = client_with_input("timeout", "coreutils", &arguments, &typed);
        let shown = format!("{}{}", ran.stdout, ran.stderr);
        if ran.code == Some(0) {
            return (Pam::Success, shown);
        }
        let found = Pam::PRINTED
            .into_iter()
            .find(|(printed, _)| shown.contains(printed));
        let (_, answer) = found.unwrap_or_else(|| {
            panic!(
                "{user} {phases:?}: {:?} {shown}\n{}",
                ran.code,
                self.complaints()
            )
        });
        (answer, shown)
    }

    /// A login with a password: what `login`, `sshd` and `sudo` ask PAM for.
    fn log_in(&self, user: &str, password: &str) -> Pam {
        self.pam(user, &["authenticate", "acct_mgmt"], &[password])
            .0
    }

    /// What PAM says of an account where no password is typed: SSH keys, cron.
    fn account(&self, user: &str) -> Pam {
        self.pam(user, &["acct_mgmt"], &[]).0
    }

    /// The ends of the daemons' logs.
    pub(crate) fn complaints(&self) -> String {
        let command = format!("tail -n 60 $(find {} -type f)", self.logs);
        run("sh", &["-c", &command]).stdout
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.complaints());
        }
    }
}

/// Runs a program for at most [`LIMIT`].
pub(crate) fn run(program: &str, arguments: &[&str]) -> Ran {
    client(
        "timeout",
        "coreutils",
        &[&[LIMIT, program], arguments].concat(),
    )
}

/// A line of the name service, found or not.
fn getent(database: &str, key: &str) -> Option<String> {
    let ran = run("getent", &[database, key]);
    (ran.code == Some(0)).then(|| ran.stdout.trim_end().to_owned())
}

/// The groups of a user by `id`, sorted.
fn groups(user: &str) -> Vec<String> {
    let ran = run("id", &["-Gn", user]);
    let mut groups: Vec<String> = ran.stdout.split_whitespace().map(str::to_owned).collect();
    groups.sort();
    groups
}

/// Lets everybody read a file.
pub(crate) fn public(path: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
}

/// A gateway by a name, at LDAP's own ports, that locks after three wrong passwords.
pub(crate) fn gateway(name: &'static str, setting: Setting) -> Gateway {
    let gateway = Gateway::start(&Setting {
        known_as: Some(name),
        ..setting
    });
    gateway
        .run(&["policy", "set", "lockout.threshold=3"])
        .assert_success();
    gateway.add_service("sssd");
    gateway
}

/// A user in a group in a group in a group.
pub(crate) fn nest_groups(gateway: &Gateway, user: &str) {
    for arguments in [
        &["group", "add", "third"][..],
        &["group", "add", "second"],
        &["group", "add", "first"],
        &["group", "join", "first", "--group", "second"],
        &["group", "join", "second", "--group", "third"],
        &["group", "join", "third", user],
    ] {
        gateway.run(arguments).assert_success();
    }
}

/// Changes of password: what each state may, and what a refused one is told. `typed` answers the
/// prompts of a login that leads to a change.
fn change_passwords(host: &Host, gateway: &Gateway, typed: &[&str]) {
    let failures =
        |user| gateway.json(&["user", "show", user, "-o", "json"])["recent_failures"].clone();

    let (answer, shown) = host.change_password("active", PASSWORD, "short");
    assert_ne!(answer, Pam::Success);
    for rule in ["at least 12 characters", "easily guessed"] {
        assert!(shown.contains(rule), "{rule}: {shown}");
    }
    assert_eq!(failures("active"), 0, "a refused new password is no guess");
    assert_eq!(
        host.change_password("active", PASSWORD, NEW).0,
        Pam::Success
    );
    assert_eq!(failures("active"), 0, "nor is a change");
    assert_eq!(host.log_in("active", NEW), Pam::Success);
    assert_eq!(host.log_in("active", PASSWORD), Pam::AuthenticationFailure);
    assert_ne!(host.change_password("active", "wrong", NEW).0, Pam::Success);
    assert_eq!(failures("active"), 1, "a wrong old password is one guess");

    // Led to the change at the login, in one conversation with PAM, as `login` and sshd have it.
    let led = [
        "authenticate",
        "chauthtok(PAM_CHANGE_EXPIRED_AUTHTOK)",
        "acct_mgmt",
    ];
    let (answer, shown) = host.pam("mustchange", &led, typed);
    assert!(
        shown.contains("altered successfully"),
        "{answer:?}: {shown}"
    );
    assert_eq!(host.log_in("mustchange", NEW), Pam::Success);
    assert_eq!(
        host.log_in("mustchange", PASSWORD),
        Pam::AuthenticationFailure
    );

    for (user, login, _) in STATES {
        if login == Pam::AuthenticationFailure {
            let (answer, shown) = host.change_password(user, PASSWORD, NEW);
            assert_eq!(answer, Pam::AuthenticationFailure, "{user}: {shown}");
        }
    }
}

/// Every state of the contract's first paragraph, as a user named for it, and one that is bound to
/// nothing.
pub(crate) fn add_states(gateway: &Gateway) {
    for name in ["active", "locked", "both", "suspended", "expired"] {
        gateway.add_user(name);
    }
    let add = |name: &str, more: &[&str], password: &str| {
        let mail = format!("{name}@example.org");
        let arguments = [&["user", "add", name, "--email", &mail], more].concat();
        gateway
            .run_with_input(&arguments, password)
            .assert_success();
    };
    let typed = "--password-stdin";
    add("staged", &[typed, "--start-date", "2099-01-01"], PASSWORD);
    add("pending", &[], "");
    add("mustchange", &[typed, "--must-change"], PASSWORD);
    add("unbound", &[typed], PASSWORD);
    add("ended", &[typed], PASSWORD);
    for name in ["staged", "pending", "mustchange", "ended"] {
        gateway
            .run(&["group", "join", "staff", name])
            .assert_success();
    }
    for name in ["locked", "both"] {
        lock(gateway, name);
    }
    for arguments in [
        &["user", "suspend", "suspended"][..],
        &["user", "set", "ended", "end_date=2020-01-01"],
        &["user", "expire", "expired", "both", "--by", "2020-01-01"],
    ] {
        gateway.run(arguments).assert_success();
    }
}

/// Locks a user by three wrong passwords.
pub(crate) fn lock(gateway: &Gateway, user: &str) {
    let mut client = crate::common::ldap::LdapClient::connect(gateway.hosts).unwrap();
    for guess in ["one", "two", "three"] {
        assert_eq!(client.bind(user, guess), Some(49));
    }
    let shown = gateway.json(&["user", "show", user, "-o", "json"]);
    assert_eq!(shown["account_locked"], true, "{shown}");
}
