//! `doorward group`.

use std::process::ExitCode;

use clap::Subcommand;

use doorward_directory::{DirectoryError, GroupView};
use doorward_domain::name::GroupName;

use super::context::Context;
use super::output::{moment, names, warn};
use super::table::Table;

/// What to do with groups.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Add a group.
    Add {
        /// Its name.
        name: String,
        /// The POSIX number; the next free one unless given.
        #[arg(long, value_name = "NUMBER")]
        gid: Option<u32>,
        /// What it is for.
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// List groups.
    List,
    /// Show a group.
    Show {
        /// Its name.
        name: String,
    },
    /// Add users and groups to a group.
    Join(Members),
    /// Take users and groups out of a group.
    Leave(Members),
    /// Remove a group and what hangs on it.
    Remove {
        /// Its name.
        name: String,
    },
}

/// A group and members of it.
#[derive(Debug, clap::Args)]
pub(super) struct Members {
    /// The group.
    group: String,
    /// Usernames.
    #[arg(value_name = "USER", required_unless_present = "groups")]
    users: Vec<String>,
    /// Groups.
    #[arg(long = "group", value_name = "GROUP", num_args = 1..)]
    groups: Vec<String>,
}

/// Runs the command.
pub(super) fn run(verb: Verb, context: &Context) -> anyhow::Result<ExitCode> {
    let output = context.output;
    let opened = context.open()?;
    let directory = &opened.directory;
    match verb {
        Verb::Add {
            name,
            gid,
            description,
        } => {
            let name = GroupName::parse(&name).map_err(DirectoryError::from)?;
            let added = opened.wait(directory.add_group(&opened.by(), name, gid, description))?;
            output.value(&added, |group| {
                format!(
                    "added group {} with number {}",
                    group.name, group.gid_number
                )
            })?;
        }
        Verb::List => {
            let groups = opened.wait(directory.list_groups())?;
            output.list(
                &groups,
                &[
                    "GROUP",
                    "NUMBER",
                    "USERS",
                    "GROUPS",
                    "RESOURCES",
                    "DESCRIPTION",
                ],
                |group| {
                    vec![
                        group.name.to_string(),
                        group.gid_number.to_string(),
                        group.users.len().to_string(),
                        names(&group.groups),
                        names(&group.resources),
                        group.description.clone().unwrap_or_default(),
                    ]
                },
            )?;
        }
        Verb::Show { name } => {
            let group = opened.wait(directory.group(&name))?;
            output.value(&group, show)?;
        }
        Verb::Join(Members {
            group,
            users,
            groups,
        }) => {
            let done = opened.wait(directory.join(&opened.by(), &group, &users, &groups))?;
            warn(&done.warnings);
            output.value(&done.value, |group| {
                format!("group {} has {} users now", group.name, group.users.len())
            })?;
        }
        Verb::Leave(Members {
            group,
            users,
            groups,
        }) => {
            let left = opened.wait(directory.leave(&opened.by(), &group, &users, &groups))?;
            output.value(&left, |group| {
                format!("group {} has {} users now", group.name, group.users.len())
            })?;
        }
        Verb::Remove { name } => {
            let removed = opened.wait(directory.remove_group(&opened.by(), &name))?;
            output.value(&removed, |name| format!("removed group {name}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(group: &GroupView) -> String {
    let mut table = Table::facts();
    table.fact("group", Some(group.name.as_str()));
    table.fact("description", group.description.clone());
    table.fact("gid number", Some(group.gid_number.to_string()));
    table.fact("members", Some(names(&group.members)));
    table.fact("groups", Some(names(&group.groups)));
    table.fact("users", Some(names(&group.users)));
    table.fact("resources", Some(names(&group.resources)));
    table.fact("created", Some(moment(group.created)));
    table.fact("modified", Some(moment(group.modified)));
    table.fact("id", Some(group.id.to_string()));
    table.render()
}
