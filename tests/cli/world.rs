//! A folder with a configuration and a store, and the binary to be run on it.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const OTHER_PASSWORD: &str = "velvet lantern orchard";

const CONFIGURATION: &str = r#"
[directory]
base_dn = "dc=example,dc=org"
realms = ["example.org", "EXAMPLE"]
timezone = "Europe/Berlin"

[store]
url = "sqlite://doorward.db"

[hashing]
memory_kib = 64
passes = 1

[[ldap.listener]]
name = "hosts"
address = "127.0.0.1:3389"
plaintext_bind = "loopback"

[[ldap.listener]]
name = "mail"
address = "127.0.0.1:3390"
plaintext_bind = "loopback"
sources = ["10.0.5.10/32"]

[radius]
authentication = "127.0.0.1:11812"

[[radius.client]]
name = "wlc1"
address = ["10.0.9.2/32"]
secret = "not a secret, for tests"
resource = "wifi"
ssid = { guest = "guest-wifi" }

[[resource]]
name = "mail"
kind = "email"
match = { listener = ["mail"] }

[[resource]]
name = "hosts"
kind = "endpoint"
match = { listener = ["hosts"] }

[[resource]]
name = "wifi"
kind = "wifi"

[[resource]]
name = "guest-wifi"
kind = "wifi"
"#;

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The same, when it ended with `code`.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        self
    }

    /// What it printed, as JSON.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let ran = self.ended(0);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
    }

    #[track_caller]
    pub(crate) fn complains(&self, of: &str) {
        assert!(
            self.stderr.contains(of),
            "'{of}' is not in: {}",
            self.stderr
        );
    }

    #[track_caller]
    pub(crate) fn prints(&self, text: &str) {
        assert!(
            self.stdout.contains(text),
            "'{text}' is not in: {}",
            self.stdout
        );
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A folder of its own for each test.
pub(crate) struct World {
    pub(crate) folder: TempDir,
}

impl World {
    /// A configuration with four resources, and no store.
    pub(crate) fn without_store() -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        world.write(CONFIGURATION);
        world
    }

    /// The same with an empty store, made by `doorward init` in another folder.
    pub(crate) fn new() -> Self {
        let world = Self::without_store();
        let made = world.path("made");
        let init = ["init", "--dir", made.to_str().unwrap(), "--password-stdin"];
        run(Self::bare().args(init), PASSWORD).ended(0);
        fs::rename(made.join("doorward.db"), world.path("doorward.db")).unwrap();
        world.run(&["user", "remove", "admin"]).ended(0);
        world.run(&["group", "remove", "staff"]).ended(0);
        world
    }

    /// A world with `alice`, who has [`PASSWORD`].
    pub(crate) fn with_alice() -> Self {
        let world = Self::new();
        world.add("alice");
        world
    }

    pub(crate) fn write(&self, configuration: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        fs::write(self.config(), configuration).unwrap();
        fs::set_permissions(self.config(), fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn configuration() -> &'static str {
        CONFIGURATION
    }

    pub(crate) fn add(&self, name: &str) {
        let email = format!("{name}@elsewhere.net");
        self.type_in(
            &["user", "add", name, "--email", &email, "--password-stdin"],
            PASSWORD,
        )
        .ended(0);
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.type_in(arguments, "")
    }

    /// Runs a command with a line on its standard input.
    pub(crate) fn type_in(&self, arguments: &[&str], input: &str) -> Ran {
        run(self.command().args(arguments), input)
    }

    /// A command's output as JSON.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        run(self.command().args(["-o", "json"]).args(arguments), "").json()
    }

    pub(crate) fn show(&self, user: &str) -> Value {
        self.json(&["user", "show", user])
    }

    /// The binary with this world's configuration.
    pub(crate) fn command(&self) -> Command {
        let mut command = Self::bare();
        command.arg("-c").arg(self.config());
        command
    }

    /// The binary, away from whatever the machine has set.
    pub(crate) fn bare() -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command
            .env_remove("DOORWARD_CONFIG")
            .env_remove("SUDO_USER")
            .env("USER", "grace");
        command
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("doorward.toml")
    }
}

pub(crate) fn run(command: &mut Command, input: &str) -> Ran {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that reads nothing may be gone already.
    let _ = child
        .stdin
        .take()
        .unwrap()
        .write_all(format!("{input}\n").as_bytes());
    child.wait_with_output().unwrap().into()
}
