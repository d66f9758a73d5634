//! `doorward init`: a configuration, a private CA with a server certificate, a store, the first
//! group and the first administrator. Overwrites nothing.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use nix::unistd::geteuid;
use serde::Serialize;

use crate::config::store::StoreUrl;
use crate::config::{Config, DEFAULT_PATH};
use crate::runtime::assemble;
use crate::runtime::clock::SystemClock;
use doorward_directory::{AddUser, DirectoryError, Grantee, generate_password};
use doorward_domain::name::{GroupName, MailAddress, Username};
use doorward_domain::secret::Password;
use doorward_files as files;
use doorward_files::Folder;
use doorward_ldap_protocol::dn::DistinguishedName;

use super::context::{Context, Opened};
use super::failure::{self, Failure};
use super::{certs, prompt};

/// The group that is made, bound to every resource.
const GROUP: &str = "staff";
/// The Unix user the daemon runs as, where the machine has it.
const DAEMON: &str = "doorward";

/// What is to be made.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The suffix of every entry.
    #[arg(long, value_name = "DN", default_value = "dc=example,dc=org")]
    base_dn: String,
    /// Everything in this folder; else /etc/doorward and /var/lib/doorward.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The first administrator.
    #[arg(long, value_name = "NAME", default_value = "admin")]
    admin: String,
    /// The administrator's mail address; NAME at the domain of the suffix unless given.
    #[arg(long, value_name = "ADDRESS")]
    admin_email: Option<String>,
    /// Read the administrator's password from standard input; else it is asked for, or made and
    /// shown once where nobody can be asked.
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Serialize)]
struct Made {
    configuration: PathBuf,
    certificates: PathBuf,
    store: PathBuf,
    group: String,
    admin: String,
    /// Only where it was made here.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

/// Where everything goes.
struct Places {
    file: PathBuf,
    certificates: PathBuf,
    store: PathBuf,
}

impl Places {
    fn of(arguments: &Arguments, context: &Context) -> anyhow::Result<Self> {
        let (folder, data) = if let Some(dir) = &arguments.dir {
            make_folder(dir)?;
            let dir = dir
                .canonicalize()
                .with_context(|| dir.display().to_string())?;
            (dir.clone(), dir)
        } else {
            let file = context.file().unwrap_or(Path::new(DEFAULT_PATH));
            let folder = file.parent().unwrap_or(Path::new("."));
            (folder.to_owned(), PathBuf::from("/var/lib/doorward"))
        };
        let file = match (&arguments.dir, context.file()) {
            (None, Some(file)) => file.to_owned(),
            _ => folder.join("doorward.toml"),
        };
        Ok(Self {
            file,
            certificates: folder.join("certs"),
            store: data.join("doorward.db"),
        })
    }

    fn refuse_existing(&self) -> anyhow::Result<()> {
        for path in [&self.file, &self.certificates, &self.store] {
            if fs::symlink_metadata(path).is_ok() {
                let message = format!(
                    "{} exists: 'init' overwrites nothing; name another folder with --dir",
                    path.display()
                );
                return Err(Failure::error(failure::NO, message));
            }
        }
        Ok(())
    }
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<ExitCode> {
    // Everything that can be refused is looked at before anything is made.
    DistinguishedName::parse(&arguments.base_dn).map_err(|refused| {
        Failure::error(failure::DATA, format!("'{}': {refused}", arguments.base_dn))
    })?;
    let domain = domain_of(&arguments.base_dn);
    let username = Username::parse(&arguments.admin).map_err(DirectoryError::from)?;
    let email = match &arguments.admin_email {
        Some(address) => MailAddress::parse(address),
        None => MailAddress::parse(&format!("{username}@{domain}")),
    };
    let email = email.map_err(DirectoryError::from)?;
    let places = Places::of(arguments, context)?;
    places.refuse_existing()?;
    let text = configuration(arguments, &domain, &places);
    let config = Config::parse(&places.file, &text)?;
    let (password, made) = admin_password(arguments, &username)?;

    for folder in [places.file.parent(), places.store.parent()]
        .into_iter()
        .flatten()
    {
        make_folder(folder)?;
    }
    certs::make_for_this_host(&places.certificates)?;
    write_new(&places.file, &text)?;
    let clock = SystemClock::start();
    let store = assemble::store(&config, true)?;
    let opened = Opened::new(config, store, clock)?;
    populate(&opened, username.clone(), email, password)?;
    let StoreUrl::Sqlite(store) = opened.config.store.url.clone();
    drop(opened);
    give_to_daemon(&places)?;

    let made = Made {
        configuration: places.file,
        certificates: places.certificates,
        store,
        group: GROUP.to_owned(),
        admin: username.to_string(),
        password: made,
    };
    context.output.value(&made, people)?;
    Ok(ExitCode::SUCCESS)
}

fn people(made: &Made) -> String {
    let mut text = format!(
        "made {}\nmade {}\nmade {}\nmade group {}, bound to every resource\n\
         made administrator {}, a member of it\n",
        made.configuration.display(),
        made.certificates.display(),
        made.store.display(),
        made.group,
        made.admin
    );
    if let Some(password) = &made.password {
        text.extend([format!("its password, not shown again: {password}\n")]);
    }
    text.extend([format!(
        "next: doorward -c {file} check; doorward -c {file} serve\n",
        file = made.configuration.display()
    )]);
    text
}

fn admin_password(
    arguments: &Arguments,
    username: &Username,
) -> anyhow::Result<(Password, Option<String>)> {
    if arguments.password_stdin {
        return Ok((prompt::from_standard_input()?, None));
    }
    if prompt::somebody_is_there() {
        return Ok((prompt::new_password(false, username.as_str())?, None));
    }
    let password = generate_password()?;
    let shown = password.as_str().map(str::to_owned);
    Ok((password, shown))
}

fn populate(
    opened: &Opened,
    username: Username,
    email: MailAddress,
    password: Password,
) -> anyhow::Result<()> {
    let directory = &opened.directory;
    let by = opened.by();
    let group = GroupName::parse(GROUP).map_err(DirectoryError::from)?;
    let description = "People who reach every resource".to_owned();
    opened.wait(directory.add_group(&by, group, None, Some(description)))?;
    for resource in opened.config.resources() {
        let to = Grantee::Group(GROUP.to_owned());
        let _ = opened.wait(directory.bind(&by, resource.name.as_str(), &to))?;
    }
    let member = [username.to_string()];
    let admin = AddUser {
        password: Some(password),
        admin: true,
        ..AddUser::new(username, email)
    };
    let _ = opened.wait(directory.add_user(&by, admin))?;
    let _ = opened.wait(directory.join(&by, GROUP, &member, &[]))?;
    Ok(())
}

/// The mail domain a suffix stands for: `dc=example,dc=org` is `example.org` (RFC 2247).
fn domain_of(base_dn: &str) -> String {
    let labels: Vec<&str> = base_dn
        .split(',')
        .filter_map(|part| part.split_once('='))
        .filter(|(attribute, _)| attribute.trim().eq_ignore_ascii_case("dc"))
        .map(|(_, value)| value.trim())
        .collect();
    if labels.is_empty() {
        "example.org".to_owned()
    } else {
        labels.join(".")
    }
}

fn configuration(arguments: &Arguments, domain: &str, places: &Places) -> String {
    // A TOML basic string escapes as JSON does.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let path = |path: &Path| quoted(&path.display().to_string());
    format!(
        r#"# Doorward's configuration: wiring only. Lockout and password rules are policy, kept in the
# store: see 'doorward policy show'. After a change: 'doorward check', then reload the service.
# Everything listens on loopback until an address here says otherwise.

[directory]
base_dn = {base}
organization = {domain}
realms = [{domain}]
timezone = "UTC"

[store]
url = {store}

[tls]
certificate = {certificate}
private_key = {key}

[[ldap.listener]]
name = "hosts"
address = ["127.0.0.1:3389"]
tls = "starttls"                  # starttls | implicit | none
plaintext_bind = "refuse"         # refuse | loopback | allow

[[ldap.listener]]
name = "hosts-tls"
address = ["127.0.0.1:3636"]
tls = "implicit"

[metrics]
address = "127.0.0.1:9909"        # /metrics, /ready

# A fleet of hosts that binds over LDAP. Users reach it through the group '{GROUP}'.
[[resource]]
name = "hosts"
kind = "endpoint"                 # endpoint | vpn | wifi | app | email
match = {{ listener = ["hosts", "hosts-tls"] }}
"#,
        base = quoted(&arguments.base_dn),
        domain = quoted(domain),
        store = quoted(&format!("sqlite://{}", places.store.display())),
        certificate = path(&places.certificates.join("server.pem")),
        key = path(&places.certificates.join("server.key")),
    )
}

/// For the daemon's group to enter, and nobody else.
fn make_folder(folder: &Path) -> anyhow::Result<()> {
    files::make_folder(folder, 0o750).with_context(|| folder.display().to_string())
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = files::create(path, 0o640).with_context(|| path.display().to_string())?;
    file.write_all(text.as_bytes())?;
    Ok(file.sync_all()?)
}

/// Where root makes all this and the machine has the daemon's user, it is the daemon's: a daemon
/// that is not root could not read its key or write its store otherwise.
fn give_to_daemon(places: &Places) -> anyhow::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let Some((user, group)) = accounts.lines().find_map(numbers_of_daemon) else {
        return Ok(());
    };
    let shown = |path: &Path| path.display().to_string();
    // The configuration is for the daemon to read and not to write.
    let (folder, name) = Folder::of(&places.file).with_context(|| shown(&places.file))?;
    folder
        .hand_over(&name, None, Some(group))
        .with_context(|| shown(&places.file))?;
    let certificates =
        Folder::open(&places.certificates).with_context(|| shown(&places.certificates))?;
    hand_over(&certificates, user, group, |_| true).with_context(|| shown(&places.certificates))?;
    let (data, store) = Folder::of(&places.store).with_context(|| shown(&places.store))?;
    let ours = |name: &OsStr| name.as_bytes().starts_with(store.as_bytes());
    hand_over(&data, user, group, ours).with_context(|| shown(&places.store))
}

/// Gives a folder, and what is in it under the names that are meant, to the daemon: never what a
/// link leads to, since the folder may have been the daemon's before.
fn hand_over(
    folder: &Folder,
    user: u32,
    group: u32,
    meant: impl Fn(&OsStr) -> bool,
) -> io::Result<()> {
    for name in folder.names()? {
        if meant(&name) {
            folder.hand_over(&name, Some(user), Some(group))?;
        }
    }
    folder.hand_over_itself(user, group)
}

/// The numbers in the daemon's line of `passwd(5)`.
fn numbers_of_daemon(line: &str) -> Option<(u32, u32)> {
    let mut fields = line.split(':');
    if fields.next() != Some(DAEMON) {
        return None;
    }
    let user = fields.nth(1)?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    Some((user, group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemon_is_found_by_name_and_field() {
        let line = "doorward:x:997:996:Doorward:/var/lib/doorward:/usr/sbin/nologin";
        assert_eq!(numbers_of_daemon(line), Some((997, 996)));
        assert_eq!(numbers_of_daemon("doorwarden:x:1:1::/:/bin/sh"), None);
        assert_eq!(numbers_of_daemon("doorward:x:nobody"), None);
    }

    #[test]
    fn a_suffix_stands_for_a_mail_domain() {
        assert_eq!(domain_of("dc=example,dc=org"), "example.org");
        assert_eq!(domain_of("o=Example, DC=example , dc=org"), "example.org");
        assert_eq!(domain_of("o=Example"), "example.org");
    }
}
