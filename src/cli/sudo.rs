//! `doorward sudo`.

use std::process::ExitCode;

use clap::Subcommand;

use doorward_directory::{DirectoryError, SudoPatch, SudoRuleView, SudoSubjects};
use doorward_domain::name::SudoRuleName;
use doorward_domain::sudo::{
    NotASudoValue, SudoCommand, SudoHost, SudoOption, SudoRunAsGroup, SudoRunAsUser,
};
use doorward_domain::time::{DayEdge, Timestamp};

use super::context::{Context, Opened};
use super::failure::{self, Failure};
use super::output::{moment, names, yes};
use super::table::Table;

/// What to do with sudo rules.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Add a rule: who may run which commands on which hosts, as root unless said otherwise.
    Add {
        /// Its name; 'defaults' holds the options of all rules.
        name: String,
        #[command(flatten)]
        values: Values,
    },
    /// List rules.
    List,
    /// Show a rule.
    Show {
        /// Its name.
        name: String,
    },
    /// Set values of a rule: what is given replaces all of its kind, an empty value clears it.
    ///
    /// --user, --group and --all-users are of one kind: together they say whom the rule is for.
    Set {
        /// Its name.
        name: String,
        #[command(flatten)]
        values: Values,
    },
    /// Remove a rule.
    Remove {
        /// Its name.
        name: String,
    },
}

/// What a rule says. Each may be given several times, but for the order, the times and the
/// description.
#[derive(Debug, clap::Args)]
pub(super) struct Values {
    /// A user the rule is for.
    #[arg(long = "user", value_name = "USER")]
    users: Vec<String>,
    /// A group whose members it is for.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// It is for everybody on a host, local users included.
    #[arg(long)]
    all_users: bool,
    /// A host: ALL, a name, a pattern such as 'web*', an address, a network; '!' before it: not there.
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// A command: ALL, a whole path with or without arguments, 'sudoedit FILE'; '!' before it: not that.
    #[arg(long = "command", value_name = "COMMAND")]
    commands: Vec<String>,
    /// As whom commands may run: ALL, a name, #NUMBER, %GROUP; root unless given.
    #[arg(long = "run-as-user", value_name = "USER")]
    run_as_users: Vec<String>,
    /// With which group they may run: ALL, a name, #NUMBER.
    #[arg(long = "run-as-group", value_name = "GROUP")]
    run_as_groups: Vec<String>,
    /// An option of sudo, such as '!authenticate' or 'runcwd=/srv'.
    #[arg(long = "option", value_name = "OPTION")]
    options: Vec<String>,
    /// Of two rules that fit, the one with the higher number holds.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    order: Option<String>,
    /// The rule holds from the beginning of this day, or from this time on.
    #[arg(long, value_name = "DATE")]
    not_before: Option<String>,
    /// The rule holds until the end of this day, or until this time.
    #[arg(long, value_name = "DATE")]
    not_after: Option<String>,
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

impl Values {
    fn read(self, opened: &Opened) -> anyhow::Result<SudoPatch> {
        let subjects =
            (self.all_users || !self.users.is_empty() || !self.groups.is_empty()).then(|| {
                SudoSubjects {
                    everybody: self.all_users,
                    users: given(self.users),
                    groups: given(self.groups),
                }
            });
        let order = |text: String| {
            text.parse().map_err(|_| {
                Failure::error(
                    failure::DATA,
                    format!("'{text}' is no order: write a number"),
                )
            })
        };
        let time = |text: Option<String>, edge| optional(text, |text| opened.moment(&text, edge));
        Ok(SudoPatch {
            subjects,
            hosts: values(self.hosts, SudoHost::parse)?,
            commands: values(self.commands, SudoCommand::parse)?,
            run_as_users: values(self.run_as_users, SudoRunAsUser::parse)?,
            run_as_groups: values(self.run_as_groups, SudoRunAsGroup::parse)?,
            options: values(self.options, SudoOption::parse)?,
            order: optional(self.order, order)?,
            not_before: time(self.not_before, DayEdge::Start)?,
            not_after: time(self.not_after, DayEdge::End)?,
            description: optional(self.description, Ok)?,
        })
    }
}

/// What was given, without the empty text that clears.
fn given(texts: Vec<String>) -> Vec<String> {
    texts.into_iter().filter(|text| !text.is_empty()).collect()
}

/// Nothing where nothing was given, else the values; none of them where an empty one clears.
fn values<T>(
    texts: Vec<String>,
    parse: fn(&str) -> Result<T, NotASudoValue>,
) -> Result<Option<Vec<T>>, DirectoryError> {
    if texts.is_empty() {
        return Ok(None);
    }
    let parsed: Result<Vec<T>, NotASudoValue> =
        given(texts).iter().map(|text| parse(text)).collect();
    Ok(Some(parsed?))
}

/// Nothing where nothing was given, else the value; none where an empty one clears.
#[expect(
    clippy::option_option,
    reason = "the shape of a patch: to be left, cleared, or set"
)]
fn optional<T>(
    text: Option<String>,
    parse: impl FnOnce(String) -> anyhow::Result<T>,
) -> anyhow::Result<Option<Option<T>>> {
    match text {
        None => Ok(None),
        Some(text) if text.is_empty() => Ok(Some(None)),
        Some(text) => Ok(Some(Some(parse(text)?))),
    }
}

/// Runs the command.
pub(super) fn run(verb: Verb, context: &Context) -> anyhow::Result<ExitCode> {
    let output = context.output;
    let opened = context.open()?;
    let directory = &opened.directory;
    match verb {
        Verb::Add { name, values } => {
            let name = SudoRuleName::parse(&name).map_err(DirectoryError::from)?;
            let patch = values.read(&opened)?;
            let added = opened.wait(directory.add_sudo_rule(&opened.by(), name, patch))?;
            output.value(&added, |rule| format!("added sudo rule {}", rule.name))?;
        }
        Verb::List => {
            let rules = opened.wait(directory.list_sudo_rules())?;
            let headings = ["RULE", "FOR", "HOSTS", "COMMANDS", "RUN AS", "OPTIONS"];
            output.list(&rules, &headings, |rule| {
                vec![
                    rule.name.to_string(),
                    subjects(rule),
                    names(&rule.hosts),
                    names(&rule.commands),
                    names(&rule.run_as_users),
                    names(&rule.options),
                ]
            })?;
        }
        Verb::Show { name } => {
            let rule = opened.wait(directory.sudo_rule(&name))?;
            output.value(&rule, show)?;
        }
        Verb::Set { name, values } => {
            let patch = values.read(&opened)?;
            if patch == SudoPatch::default() {
                let message = "nothing to change: give what the rule shall say";
                return Err(Failure::error(failure::USAGE, message));
            }
            let set = opened.wait(directory.set_sudo_rule(&opened.by(), &name, patch))?;
            output.value(&set, |rule| format!("changed sudo rule {}", rule.name))?;
        }
        Verb::Remove { name } => {
            let removed = opened.wait(directory.remove_sudo_rule(&opened.by(), &name))?;
            output.value(&removed, |name| format!("removed sudo rule {name}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// For whom a rule is, as sudo writes it.
fn subjects(rule: &SudoRuleView) -> String {
    let everybody = rule.all_users.then(|| "ALL".to_owned());
    let users = rule.users.iter().map(ToString::to_string);
    let groups = rule.groups.iter().map(|group| format!("%{group}"));
    let all: Vec<String> = everybody.into_iter().chain(users).chain(groups).collect();
    names(&all)
}

fn show(rule: &SudoRuleView) -> String {
    let date = |at: Option<Timestamp>| at.map(moment);
    let mut table = Table::facts();
    table.fact("rule", Some(rule.name.as_str()));
    table.fact("description", rule.description.clone());
    table.fact("all users", rule.all_users.then(|| yes(true)));
    table.fact("users", Some(names(&rule.users)));
    table.fact("groups", Some(names(&rule.groups)));
    table.fact("hosts", Some(names(&rule.hosts)));
    for command in &rule.commands {
        table.fact("command", Some(command.as_str()));
    }
    table.fact("run as user", Some(names(&rule.run_as_users)));
    table.fact("run as group", Some(names(&rule.run_as_groups)));
    for option in &rule.options {
        table.fact("option", Some(option.as_str()));
    }
    table.fact("order", rule.order.map(|order| order.to_string()));
    table.fact("not before", date(rule.not_before));
    table.fact("not after", date(rule.not_after));
    table.fact("created", Some(moment(rule.created)));
    table.fact("modified", Some(moment(rule.modified)));
    table.fact("id", Some(rule.id.to_string()));
    table.render()
}
