//! `doorward user`.

use std::process::ExitCode;

use clap::Subcommand;
use serde::Serialize;

use doorward_directory::{AddUser, DirectoryError, Suspended, UserView, parse_fields};
use doorward_domain::account::Status;
use doorward_domain::name::{MailAddress, Username};
use doorward_domain::time::{DayEdge, Timestamp};
use doorward_store::changes::LinkPurpose;

use super::context::{Context, Opened};
use super::failure::{self, Failure};
use super::network_password;
use super::output::{Output, moment, names, warn, yes};
use super::prompt;
use super::ssh_key;
use super::table::Table;

/// What to do with users.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Add a user; without --password-stdin the account waits for its activation link.
    Add(Add),
    /// List users.
    List {
        /// Those alone who stand so: active, inactive, expired, locked, "expired, locked", suspended.
        #[arg(long, value_name = "STATUS", value_parser = status)]
        status: Option<Status>,
    },
    /// Show a user.
    Show {
        /// The username.
        name: String,
    },
    /// Set fields of a user.
    Set {
        /// The username.
        name: String,
        /// Fields and values; an empty value or 'none' clears a field.
        #[arg(value_name = "FIELD=VALUE", required = true, value_parser = pair)]
        fields: Vec<(String, String)>,
    },
    /// Set a user's password; clears a lock and an expiry.
    SetPassword {
        /// The username.
        name: String,
        /// Read the password from standard input.
        #[arg(long)]
        password_stdin: bool,
        /// It must be changed at the first login.
        #[arg(long)]
        must_change: bool,
    },
    /// Clear locks and failed attempts; leaves an expired password expired.
    Unlock {
        /// Usernames.
        #[arg(
            value_name = "NAME",
            required_unless_present = "all",
            conflicts_with = "all"
        )]
        names: Vec<String>,
        /// Everybody who is locked.
        #[arg(long)]
        all: bool,
        /// Those alone locked since a time, or within a span such as 1h.
        #[arg(long, value_name = "TIME", requires = "all")]
        since: Option<String>,
    },
    /// Force a change of password; past the date the password is expired.
    Expire {
        /// Usernames.
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
        /// Until the end of this day, or until this time; now unless given.
        #[arg(long, value_name = "DATE")]
        by: Option<String>,
    },
    /// Suspend users.
    Suspend {
        /// Usernames.
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
        /// At the end of this day, or at this time, as the account's end date; now unless given.
        #[arg(long, value_name = "DATE")]
        at: Option<String>,
    },
    /// Resume suspended users; moves an end date that has passed.
    Resume {
        /// Usernames.
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
    /// Make and show a one-time link by which a user sets another password.
    ResetLink {
        /// The username.
        name: String,
    },
    /// Make and show a one-time link by which a user sets the first password.
    ActivationLink {
        /// The username.
        name: String,
    },
    /// Make and show a network password, for Wi-Fi and VPN by CHAP or MS-CHAPv2; the one before ends.
    NetworkPassword {
        /// The username.
        name: String,
        /// Take the network password away instead.
        #[arg(long)]
        revoke: bool,
    },
    /// SSH keys, which hosts get where the user may log in.
    #[command(subcommand)]
    SshKey(ssh_key::Verb),
    /// Give a user another username.
    Rename {
        /// The username.
        name: String,
        /// The new one.
        new: String,
    },
    /// Remove users; their numbers are never used again.
    Remove {
        /// Usernames.
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
}

/// A user to be added.
#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// The username: a letter, then letters, digits, '.', '_' or '-'; at most 30.
    name: String,
    /// The mail address.
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// The full name.
    #[arg(long, value_name = "NAME")]
    full_name: Option<String>,
    /// Where links go instead of the mail address.
    #[arg(long, value_name = "ADDRESS")]
    recovery_email: Option<String>,
    /// The account takes effect at the beginning of this day, or at this time.
    #[arg(long, value_name = "DATE")]
    start_date: Option<String>,
    /// The account ends at the end of this day, or at this time.
    #[arg(long, value_name = "DATE")]
    end_date: Option<String>,
    /// The POSIX number; the next free one unless given.
    #[arg(long, value_name = "NUMBER")]
    uid: Option<u32>,
    /// Read a password from standard input.
    #[arg(long)]
    password_stdin: bool,
    /// The password must be changed at the first login.
    #[arg(long, requires = "password_stdin")]
    must_change: bool,
    /// The user administers the gateway.
    #[arg(long)]
    admin: bool,
}

fn status(text: &str) -> Result<Status, String> {
    let known = [
        Status::Active,
        Status::Inactive,
        Status::Expired,
        Status::Locked,
        Status::ExpiredLocked,
        Status::Suspended,
    ];
    let wanted = text.to_lowercase().replace(", ", ",");
    known
        .into_iter()
        .find(|status| status.as_str().replace(", ", ",") == wanted)
        .ok_or_else(|| {
            "write active, inactive, expired, locked, 'expired, locked' or suspended".to_owned()
        })
}

pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((field, value)) if !field.is_empty() => Ok((field.to_owned(), value.to_owned())),
        _ => Err("write FIELD=VALUE".to_owned()),
    }
}

/// Runs the command.
pub(super) fn run(verb: Verb, context: &Context) -> anyhow::Result<ExitCode> {
    let output = context.output;
    let opened = context.open()?;
    match verb {
        Verb::Add(add) => add_user(add, &opened, output)?,
        Verb::List { status } => {
            let users = opened.wait(opened.directory.list_users(status, opened.now()))?;
            output.list(
                &users,
                &[
                    "USERNAME",
                    "STATUS",
                    "NAME",
                    "EMAIL",
                    "PASSWORD EXPIRES",
                    "GROUPS",
                ],
                |user| {
                    vec![
                        user.username.to_string(),
                        user.status.to_string(),
                        user.full_name.clone().unwrap_or_default(),
                        user.email.to_string(),
                        user.password_expiration_date
                            .map_or_else(String::new, moment),
                        names(&user.groups),
                    ]
                },
            )?;
        }
        Verb::Show { name } => {
            let user = opened.wait(opened.directory.user(&name, opened.now()))?;
            output.value(&user, show)?;
        }
        Verb::Set { name, fields } => {
            let by = opened.by();
            let patch = parse_fields(&fields, opened.zone(), by.now.wall)?;
            let done = opened.wait(opened.directory.set_user(&by, &name, patch))?;
            warn(&done.warnings);
            output.value(&done.value, |user| {
                format!("changed user {}", user.username)
            })?;
        }
        Verb::SetPassword {
            name,
            password_stdin,
            must_change,
        } => {
            // Who it is is looked up before anything is asked.
            opened.wait(opened.directory.user(&name, opened.now()))?;
            let password = prompt::new_password(password_stdin, &name)?;
            let by = opened.by();
            let set = opened
                .directory
                .set_password(&by, &name, password, must_change);
            let user = opened.wait(set)?;
            output.value(&user, |user| {
                format!(
                    "set the password of user {} (now {})",
                    user.username, user.status
                )
            })?;
        }
        Verb::Unlock { names, all, since } => return unlock(names, all, since, &opened, output),
        Verb::Expire { names, by } => return expire(&names, by, &opened, output),
        Verb::Suspend { names, at } => return suspend(&names, at, &opened, output),
        Verb::Resume { names } => {
            return each(
                &names,
                output,
                |name| opened.wait(opened.directory.resume_user(&opened.by(), name)),
                |user| format!("resumed user {} (now {})", user.username, user.status),
            );
        }
        Verb::ResetLink { name } => link(&name, LinkPurpose::Reset, &opened, output)?,
        Verb::ActivationLink { name } => link(&name, LinkPurpose::Activation, &opened, output)?,
        Verb::NetworkPassword { name, revoke } => {
            return network_password::run(&name, revoke, &opened, output);
        }
        Verb::SshKey(verb) => return ssh_key::run(verb, &opened, output),
        Verb::Rename { name, new } => {
            let new = Username::parse(&new).map_err(DirectoryError::from)?;
            let done = opened.wait(opened.directory.rename_user(&opened.by(), &name, new))?;
            warn(&done.warnings);
            output.value(&done.value, |user| {
                format!("renamed user {name} to {}", user.username)
            })?;
        }
        Verb::Remove { names } => {
            return each(
                &names,
                output,
                |name| opened.wait(opened.directory.remove_user(&opened.by(), name)),
                |name| format!("removed user {name}"),
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn add_user(add: Add, opened: &Opened, output: Output) -> anyhow::Result<()> {
    let mail = |text: &str| MailAddress::parse(text).map_err(DirectoryError::from);
    let start = add
        .start_date
        .map(|text| opened.moment(&text, DayEdge::Start))
        .transpose()?;
    let end = add
        .end_date
        .map(|text| opened.moment(&text, DayEdge::End))
        .transpose()?;
    let password = add
        .password_stdin
        .then(prompt::from_standard_input)
        .transpose()?;
    let waits = password.is_none();
    let user = AddUser {
        username: Username::parse(&add.name).map_err(DirectoryError::from)?,
        email: mail(&add.email)?,
        recovery_email: add.recovery_email.as_deref().map(mail).transpose()?,
        full_name: add.full_name,
        start,
        end,
        uid_number: add.uid,
        password,
        must_change: add.must_change,
        admin: add.admin,
    };
    let done = opened.wait(opened.directory.add_user(&opened.by(), user))?;
    warn(&done.warnings);
    output.value(&done.value, |user| {
        let name = &user.username;
        let mut text = format!("added user {name} with number {}", user.uid_number);
        if waits {
            text.extend([format!(
                "; it has no password yet: doorward user activation-link {name}, or \
                 doorward user set-password {name}"
            )]);
        }
        text
    })?;
    Ok(())
}

/// Does something to several users, one after another; what fails is told and the rest is done.
fn each<T: Serialize>(
    names: &[String],
    output: Output,
    act: impl Fn(&str) -> Result<T, DirectoryError>,
    people: impl Fn(&T) -> String,
) -> anyhow::Result<ExitCode> {
    let mut done = Vec::with_capacity(names.len());
    let mut code = None;
    for name in names {
        match act(name) {
            Ok(value) => done.push(value),
            Err(error) => {
                let error = anyhow::Error::new(error);
                failure::complain(&error);
                code.get_or_insert(failure::code_of(&error));
            }
        }
    }
    if output.is_json() || !done.is_empty() {
        output.value(&done, |done| {
            done.iter().map(|value| people(value) + "\n").collect()
        })?;
    }
    Ok(code.map_or(ExitCode::SUCCESS, ExitCode::from))
}

fn unlock(
    names: Vec<String>,
    all: bool,
    since: Option<String>,
    opened: &Opened,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let names = if all {
        let since = since.map(|text| opened.span_since(&text)).transpose()?;
        let locked = opened.wait(opened.directory.locked_users(since, opened.now()))?;
        if locked.is_empty() {
            output.note("nobody is locked");
        }
        locked.iter().map(ToString::to_string).collect()
    } else {
        names
    };
    each(
        &names,
        output,
        |name| opened.wait(opened.directory.unlock_user(&opened.by(), name)),
        |user| format!("unlocked user {} (now {})", user.username, user.status),
    )
}

fn expire(
    names: &[String],
    until: Option<String>,
    opened: &Opened,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let until = match until {
        Some(text) => opened.moment(&text, DayEdge::End)?,
        None => opened.now().wall,
    };
    each(
        names,
        output,
        |name| {
            let done = opened.wait(opened.directory.expire_user(&opened.by(), name, until))?;
            warn(&done.warnings);
            Ok(done.value)
        },
        |user| {
            format!(
                "user {} must change the password by {}",
                user.username,
                moment(until)
            )
        },
    )
}

fn suspend(
    names: &[String],
    at: Option<String>,
    opened: &Opened,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let at: Option<Timestamp> = at
        .map(|text| opened.moment(&text, DayEdge::End))
        .transpose()?;
    if at.is_some_and(|at| at <= opened.now().wall) {
        let message = "--at lies in the past: leave it out to suspend at once";
        return Err(Failure::error(failure::DATA, message));
    }
    each(
        names,
        output,
        |name| {
            let by = opened.by();
            let at = at.unwrap_or(by.now.wall);
            opened
                .wait(opened.directory.suspend_user(&by, name, at))
                .map(|(user, how)| {
                    if let Suspended::At(at) = how {
                        output.note(&format!("user {} ends at {}", user.username, moment(at)));
                    }
                    user
                })
        },
        |user| {
            let done = if user.suspended {
                "suspended"
            } else {
                "set the end date of"
            };
            format!("{done} user {}", user.username)
        },
    )
}

#[derive(Serialize)]
struct LinkShown<'a> {
    username: &'a str,
    link: &'a str,
    expires: String,
}

fn link(name: &str, purpose: LinkPurpose, opened: &Opened, output: Output) -> anyhow::Result<()> {
    let done = opened.wait(opened.directory.make_link(&opened.by(), name, purpose))?;
    warn(&done.warnings);
    let shown = LinkShown {
        username: name,
        link: done.value.expose(),
        expires: done.value.expires().rfc3339(),
    };
    output.value(&shown, |shown| shown.link.to_owned())?;
    output.note(&format!(
        "works once, until {}; it is not shown again",
        moment(done.value.expires())
    ));
    Ok(())
}

fn show(user: &UserView) -> String {
    let mut table = Table::facts();
    let date = |at: Option<Timestamp>| at.map(moment);
    let said = |holds: bool| holds.then(|| yes(true));
    table.fact("username", Some(user.username.as_str()));
    table.fact("status", Some(user.status.as_str()));
    table.fact("conditions", Some(names(&user.conditions)));
    table.fact("full name", user.full_name.clone());
    table.fact("email", Some(user.email.as_str()));
    table.fact(
        "recovery email",
        user.recovery_email.as_ref().map(MailAddress::as_str),
    );
    table.fact("administrator", said(user.admin));
    table.fact("locked since", date(user.locked_since));
    table.fact("lock lapses", date(user.lock_lapses));
    table.fact("password set", date(user.password_set_date));
    table.fact("password expires", date(user.password_expiration_date));
    table.fact("password change by", date(user.password_change_by));
    table.fact("password never expires", said(user.password_never_expires));
    table.fact("must change password", said(user.must_change_password));
    table.fact("network password set", date(user.network_password_set_date));
    table.fact("start date", date(user.start_date));
    table.fact("end date", date(user.end_date));
    table.fact(
        "failures in 24 hours",
        Some(user.recent_failures.to_string()),
    );
    table.fact("uid number", Some(user.uid_number.to_string()));
    table.fact("gid number", Some(user.gid_number.to_string()));
    table.fact("home", Some(user.home.as_str()));
    table.fact("shell", Some(user.shell.as_str()));
    table.fact("groups", Some(names(&user.groups)));
    table.fact("resources", Some(names(&user.resources)));
    for key in &user.ssh_keys {
        table.fact(
            "ssh key",
            Some(format!("{} {}", key.fingerprint, key.comment)),
        );
    }
    table.fact("created", Some(moment(user.created)));
    table.fact("modified", Some(moment(user.modified)));
    table.fact("id", Some(user.id.to_string()));
    table.render()
}
