//! `doorward explain USER --resource R`.

use std::process::ExitCode;

use doorward_directory::{Answer, Counted, Explanation, Question};
use doorward_domain::origin::Source;
use doorward_domain::time::{DayEdge, Now};

use super::context::Context;
use super::failure::NO;
use super::output::moment;
use super::table::{Table, plain};

/// What is to be explained.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The username.
    user: String,
    /// The resource.
    #[arg(long, value_name = "RESOURCE")]
    resource: String,
    /// Where the attempt would come from; local:USER on a Unix socket.
    #[arg(long, value_name = "IP")]
    from: Option<Source>,
    /// At this time instead of now; a bare date is its beginning.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

/// Runs the command; 1 where the user would not be let in.
pub(super) fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<ExitCode> {
    let opened = context.open()?;
    let now = opened.now();
    let at = match &arguments.at {
        Some(text) => Now {
            wall: opened.moment(text, DayEdge::Start)?,
            ..now
        },
        None => now,
    };
    let question = Question {
        user: arguments.user.clone(),
        resource: arguments.resource.clone(),
        from: arguments.from.clone(),
        at,
    };
    let explanation = opened.wait(opened.directory.explain(&question))?;
    context.output.value(&explanation, people)?;
    Ok(if explanation.grants() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NO)
    })
}

fn people(explanation: &Explanation) -> String {
    let mut text = format!(
        "{} at {} ({}): {}\n",
        explanation.username,
        explanation.resource,
        explanation.kind,
        match explanation.answer {
            Answer::Granted => "let in, with the right password".to_owned(),
            Answer::ChangeOnly =>
                "may change the password, if the client asks for password policy; else refused"
                    .to_owned(),
            Answer::Busy => "busy".to_owned(),
            Answer::Refused => match explanation.reason {
                Some(reason) => format!("refused ({reason})"),
                None => "refused".to_owned(),
            },
        }
    );
    let mut table = Table::facts();
    table.fact("because", Some(explanation.rule.as_str()));
    table.fact("status", Some(explanation.status.as_str()));
    for holding in &explanation.holds {
        let closes = if holding.closes {
            ""
        } else {
            " (leaves this door open)"
        };
        let when = holding
            .when
            .as_ref()
            .map(|when| format!(" {when}"))
            .unwrap_or_default();
        table.fact("holds", Some(format!("{}{when}{closes}", holding.cause)));
        table.fact("  leave it by", Some(holding.way_out.as_str()));
    }
    let binding = if explanation.binding.is_empty() {
        "none".to_owned()
    } else {
        explanation.binding.join(" > ")
    };
    table.fact("binding", Some(binding));
    for attribute in &explanation.reply {
        table.fact("reply", Some(attribute.as_str()));
    }
    table.fact("password expires", explanation.expires.map(moment));
    let counted = &explanation.counted;
    table.fact("failures", Some(failures(counted)));
    table.fact(
        "places",
        Some(format!(
            "{} taken; {}",
            counted.open_places,
            if counted.place_free {
                "one is free"
            } else {
                "none is free"
            }
        )),
    );
    for way in &explanation.ways {
        let asked = way
            .resource
            .as_ref()
            .map_or_else(|| "refused".to_owned(), ToString::to_string);
        table.fact(
            "way",
            Some(format!("{}: {asked} ({})", way.through, way.why)),
        );
    }
    table.fact("looked at", Some(moment(explanation.at)));
    for note in &explanation.notes {
        table.fact("note", Some(plain(note)));
    }
    text.push_str(&table.render());
    text
}

/// What stands against the account, and what it does here.
fn failures(counted: &Counted) -> String {
    let Counted {
        failures,
        threshold,
        window,
        counting_today,
        failures_today,
        daily_cap,
        ..
    } = counted;
    if !counted.counts_here {
        return format!(
            "{failures_today} of {daily_cap} in 24 hours, wherever; here they lock nothing and are \
             only throttled"
        );
    }
    let elsewhere = match failures_today.saturating_sub(*counting_today) {
        0 => String::new(),
        others => format!("; {others} more where they lock nothing"),
    };
    format!(
        "{failures} of {threshold} in {window}, {counting_today} of {daily_cap} in 24 hours; here \
         they count toward the lock{elsewhere}"
    )
}
