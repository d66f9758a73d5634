//! `doorward policy`.

use std::process::ExitCode;

use clap::Subcommand;

use doorward_directory::{PolicyPreview, PolicyView};
use doorward_domain::event::{Actor, Event, EventBody};
use doorward_domain::time::{DayEdge, Timestamp};

use super::context::Context;
use super::output::moment;
use super::table::Table;
use super::user::pair;

/// What to do with the policy.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Show the policy in force.
    Show,
    /// Change the policy.
    Set {
        /// Keys and values; 'profile' (nist, cis, classic) sets several at once.
        #[arg(value_name = "KEY=VALUE", required_unless_present = "change_by", value_parser = pair)]
        changes: Vec<(String, String)>,
        /// Every password set before now must be changed by the end of this day, or by this time.
        #[arg(long, value_name = "DATE")]
        change_by: Option<String>,
        /// Change nothing, and show whom it would touch.
        #[arg(long)]
        preview: bool,
    },
    /// Show every change of the policy, newest first.
    History,
}

/// Runs the command.
pub(super) fn run(verb: Verb, context: &Context) -> anyhow::Result<ExitCode> {
    let output = context.output;
    let opened = context.open()?;
    let directory = &opened.directory;
    match verb {
        Verb::Show => {
            let policy = opened.wait(directory.policy())?;
            output.value(&policy, show)?;
        }
        Verb::Set {
            changes,
            change_by,
            preview,
        } => {
            let change_by = change_by
                .map(|text| opened.moment(&text, DayEdge::End))
                .transpose()?;
            if preview {
                let now = opened.now();
                let preview = opened.wait(directory.preview_policy(&changes, change_by, now))?;
                output.value(&preview, show_preview)?;
            } else {
                let by = opened.by();
                let policy = opened.wait(directory.set_policy(&by, &changes, change_by))?;
                output.value(&policy, show)?;
            }
        }
        Verb::History => {
            let history = opened.wait(directory.policy_history())?;
            output.list(&history, &["TIME", "BY", "BEFORE", "AFTER"], row)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(policy: &PolicyView) -> String {
    let mut table = Table::facts();
    for (key, value) in &policy.keys {
        table.row([(*key).to_owned(), value.clone()]);
    }
    table.fact("age counts from", policy.ageing_since.map(moment));
    for forced in &policy.forced_changes {
        table.row([
            "change forced".to_owned(),
            format!(
                "passwords set before {} by {}",
                moment(forced.set_before),
                moment(forced.by)
            ),
        ]);
    }
    table.row(["version".to_owned(), policy.version.to_string()]);
    table.render()
}

fn show_preview(preview: &PolicyPreview) -> String {
    let mut text = show(&preview.policy);
    text.push_str("nothing was changed; ");
    if preview.affected.is_empty() {
        text.push_str("nobody would be touched\n");
        return text;
    }
    text.push_str("it would touch:\n");
    let mut table = Table::new(&[
        "USERNAME",
        "STATUS",
        "AT ONCE",
        "EXPIRES",
        "WOULD EXPIRE",
        "NOTE",
    ]);
    let date = |at: Option<Timestamp>| at.map_or_else(|| "never".to_owned(), moment);
    for one in &preview.affected {
        let note = if one.locks_at_next_attempt {
            "locks at the next attempt"
        } else {
            ""
        };
        table.row([
            one.username.to_string(),
            one.status.to_string(),
            one.status_after.to_string(),
            date(one.expires),
            date(one.expires_after),
            note.to_owned(),
        ]);
    }
    text.push_str(&table.render());
    text
}

fn row(event: &Event) -> Vec<String> {
    let EventBody::Change(change) = &event.body else {
        return vec![moment(event.at)];
    };
    let compact = |value: &serde_json::Value| match value {
        serde_json::Value::Null => String::new(),
        value => value.to_string(),
    };
    vec![
        moment(event.at),
        actor(&change.actor),
        compact(&change.before),
        compact(&change.after),
    ]
}

/// An actor, for people.
pub(super) fn actor(actor: &Actor) -> String {
    match actor {
        Actor::LocalLogin { login } => format!("{login} (local login)"),
        Actor::User { username } => username.to_string(),
        Actor::Gateway => "the gateway".to_owned(),
    }
}
