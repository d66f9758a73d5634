//! `doorward user ssh-key`.

use std::io::{self, IsTerminal as _, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use doorward_directory::SshKeysView;
use doorward_domain::ssh_key::{NotASshKey, SshPublicKey};

use super::context::Opened;
use super::failure::{self, Failure};
use super::output::{Output, moment};

/// The most that is read: more keys than a user may have.
const MOST: u64 = 256 * 1024;

/// What to do with a user's SSH keys.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Add public keys, one a line as in a file that ends in .pub, without options.
    Add {
        /// The username.
        name: String,
        /// Where they are; standard input unless given.
        #[arg(long, value_name = "FILE", default_value = "-")]
        file: PathBuf,
    },
    /// List a user's keys.
    List {
        /// The username.
        name: String,
    },
    /// Remove a key.
    Remove {
        /// The username.
        name: String,
        /// Its fingerprint (SHA256:…), or its comment.
        #[arg(value_name = "FINGERPRINT|COMMENT")]
        key: String,
    },
}

/// Runs the command.
pub(super) fn run(verb: Verb, opened: &Opened, output: Output) -> anyhow::Result<ExitCode> {
    let directory = &opened.directory;
    match verb {
        Verb::Add { name, file } => {
            // Who it is is looked up before anything is asked.
            opened.wait(directory.ssh_keys(&name))?;
            let keys = parse(&read(&file, output)?)?;
            let now = opened.wait(directory.add_ssh_keys(&opened.by(), &name, keys))?;
            output.value(&now, |now| {
                let count = now.ssh_keys.len();
                let noun = if count == 1 { "SSH key" } else { "SSH keys" };
                format!("user {} has {count} {noun} now", now.username)
            })?;
        }
        Verb::List { name } => {
            let SshKeysView { ssh_keys, .. } = opened.wait(directory.ssh_keys(&name))?;
            output.list(
                &ssh_keys,
                &["TYPE", "FINGERPRINT", "COMMENT", "ADDED"],
                |key| {
                    vec![
                        key.kind.to_owned(),
                        key.fingerprint.to_string(),
                        key.comment.clone(),
                        moment(key.added),
                    ]
                },
            )?;
        }
        Verb::Remove { name, key } => {
            let removed = opened.wait(directory.remove_ssh_key(&opened.by(), &name, &key))?;
            output.value(&removed, |key| {
                format!("removed SSH key {} {}", key.fingerprint, key.comment)
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(file: &PathBuf, output: Output) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    if file.as_os_str() == "-" {
        if io::stdin().is_terminal() {
            output.note("Paste the public key, then press Enter and Ctrl-D.");
        }
        io::stdin().lock().take(MOST + 1).read_to_end(&mut bytes)?;
    } else {
        let opened = std::fs::File::open(file).map_err(|fault| {
            let code = match fault.kind() {
                io::ErrorKind::NotFound => failure::NO_INPUT,
                io::ErrorKind::PermissionDenied => failure::NOT_ALLOWED,
                _ => failure::IO,
            };
            Failure::error(code, format!("{} cannot be read: {fault}", file.display()))
        })?;
        opened.take(MOST + 1).read_to_end(&mut bytes)?;
    }
    let whole = u64::try_from(bytes.len()).is_ok_and(|length| length <= MOST);
    match String::from_utf8(bytes) {
        Ok(text) if whole => Ok(text),
        _ => Err(Failure::error(
            failure::DATA,
            "this is no file of public keys: one key a line, as in authorized_keys",
        )),
    }
}

/// All keys of a file, or none: lines of `#` and empty ones are passed over.
fn parse(text: &str) -> anyhow::Result<Vec<SshPublicKey>> {
    let mut keys = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = SshPublicKey::parse(line).map_err(|refused| {
            Failure::error(failure::DATA, format!("line {}: {refused}", index + 1))
        })?;
        keys.push(key);
    }
    if keys.is_empty() {
        return Err(Failure::error(failure::DATA, NotASshKey::Empty.to_string()));
    }
    Ok(keys)
}
