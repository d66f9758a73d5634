//! `doorward events`: the audit log, as it was and as it happens.

use std::collections::{HashMap, VecDeque};
use std::process::ExitCode;
use std::time::Duration;

use doorward_domain::device::MacAddress;
use doorward_domain::event::{AttemptEvent, ChangeEvent, Credential, Event, EventBody, Subject};
use doorward_domain::id::EventId;
use doorward_domain::time::{DayEdge, Timestamp};
use doorward_store::events::EventQuery;

use super::context::{Context, Opened};
use super::output::{Output, moment};
use super::policy::actor;
use super::table::plain;

/// How many events one read fetches.
const PAGE: usize = 1000;
/// How often new events are looked for.
const LOOK: Duration = Duration::from_millis(500);
/// How far back a look reaches: an event is committed up to a second after its time, and one that
/// merges gets its count later still.
const OVERLAP: Duration = Duration::from_secs(90);
/// How many events are remembered as shown; past that the oldest are forgotten.
const REMEMBERED: usize = 50_000;

/// Which events.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// About this user.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// About this device, which is known by its address.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "user")]
    device: Option<MacAddress>,
    /// At this resource.
    #[arg(long, value_name = "RESOURCE")]
    resource: Option<String>,
    /// At or after a time, or within a span such as 1h.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before a time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// With this outcome.
    #[arg(long, value_name = "OUTCOME", value_parser = ["granted", "change_only", "refused", "change"])]
    outcome: Option<String>,
    /// At most so many, the newest; 100 unless --since is given.
    #[arg(short = 'n', long, value_name = "NUMBER")]
    limit: Option<usize>,
    /// Go on showing events as they happen.
    #[arg(short = 'f', long, conflicts_with = "until")]
    follow: bool,
}

/// Runs the command. With `-o json` every event is one line of JSON.
pub(super) fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<ExitCode> {
    let output = context.output;
    let opened = context.open()?;
    let since = arguments
        .since
        .as_deref()
        .map(|text| opened.since(text))
        .transpose()?;
    let until = arguments
        .until
        .as_deref()
        .map(|text| opened.moment(text, DayEdge::End))
        .transpose()?;
    let query = EventQuery {
        // A device stands where a username would.
        user: match arguments.device {
            Some(device) => Some(device.to_string()),
            None => arguments.user.clone(),
        },
        resource: arguments.resource.clone(),
        since,
        until,
        outcome: arguments.outcome.clone(),
        ..EventQuery::default()
    };
    let started = opened.now().wall;
    let mut shown = Shown::default();
    match (arguments.limit, since) {
        (None, Some(_)) => all(&query, &opened, output, &mut shown)?,
        (limit, _) => {
            let newest = EventQuery {
                limit: limit.unwrap_or(100),
                newest: true,
                ..query.clone()
            };
            for event in opened.wait(opened.directory.events(&newest))? {
                shown.show(&event, output)?;
            }
        }
    }
    if arguments.follow {
        follow(&query, started, &opened, output, &mut shown)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows everything that matches, page by page.
fn all(
    query: &EventQuery,
    opened: &Opened,
    output: Output,
    shown: &mut Shown,
) -> anyhow::Result<()> {
    let mut after = None;
    loop {
        let page = EventQuery {
            after,
            limit: PAGE,
            ..query.clone()
        };
        let events = opened.wait(opened.directory.events(&page))?;
        for event in &events {
            shown.show(event, output)?;
        }
        after = events.last().map(|event| event.id);
        if events.len() < PAGE {
            return Ok(());
        }
    }
}

/// Shows events as they happen, until stopped or nobody reads. Each look reaches back a little
/// and leaves out what was shown: another process may commit an older event after a newer one.
fn follow(
    query: &EventQuery,
    started: Timestamp,
    opened: &Opened,
    output: Output,
    shown: &mut Shown,
) -> anyhow::Result<()> {
    let from = query.since.unwrap_or(started);
    loop {
        opened.wait(async { tokio::time::sleep(LOOK).await });
        let back = opened.now().wall.minus(OVERLAP).max(from);
        let recent = EventQuery {
            since: Some(back),
            ..query.clone()
        };
        all(&recent, opened, output, shown)?;
    }
}

/// The events shown so far, each with the count it was shown with.
#[derive(Default)]
struct Shown {
    counts: HashMap<EventId, u32>,
    order: VecDeque<EventId>,
}

impl Shown {
    /// Shows an event unless it was shown so; one that merged more since is shown again.
    fn show(&mut self, event: &Event, output: Output) -> std::io::Result<()> {
        let before = self.counts.insert(event.id, event.count);
        if before == Some(event.count) {
            return Ok(());
        }
        if before.is_none() {
            self.order.push_back(event.id);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.counts.remove(&oldest);
        }
        // For scripts as for people a time is a date, not a number.
        let mut record = serde_json::to_value(event)?;
        if let Some(at) = record.get_mut("at") {
            *at = event.at.rfc3339().into();
        }
        if let (Some(last), Some(at)) = (record.get_mut("last"), event.last) {
            *last = at.rfc3339().into();
        }
        output.line(&record, |_| line(event))
    }
}

/// One event on one line, for people.
pub(super) fn line(event: &Event) -> String {
    let text = match &event.body {
        EventBody::Attempt(attempt) => attempt_line(attempt),
        EventBody::Change(change) => change_line(change),
    };
    let times = match (event.count, event.last) {
        (..=1, _) => String::new(),
        (count, None) => format!(" ({count} times)"),
        (count, Some(last)) => format!(" ({count} times, last {})", moment(last)),
    };
    plain(&format!("{}  {text}{times}", moment(event.at)))
}

fn attempt_line(attempt: &AttemptEvent) -> String {
    let who = match &attempt.subject {
        Subject::Account { username, .. } => username.to_string(),
        Subject::Service { service } => format!("service {service}"),
        Subject::Certificate { certificate } => format!("certificate of {certificate}"),
        Subject::Device { device } => format!("device {device}"),
        Subject::Devices => "more devices".to_owned(),
        Subject::Unknown { digest, length } => {
            let digest = digest.get(..8).unwrap_or(digest);
            format!("unknown name ({length} bytes, {digest})")
        }
    };
    let mut text = format!("{:<11}  {who}", attempt.outcome.as_str());
    let mut add = |word: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(word);
            text.push_str(&value);
        }
    };
    add(" at ", attempt.resource.as_ref().map(ToString::to_string));
    add(" by ", Some(attempt.protocol.to_string()));
    add(" from ", Some(attempt.origin.source.to_string()));
    add(" station ", attempt.origin.station.clone());
    add(" ssid ", attempt.ssid.clone());
    add(
        " with ",
        attempt
            .credential
            .as_ref()
            .map(|credential| match credential {
                Credential::Session => "its session of before".to_owned(),
                Credential::Certificate(identity) => format!("certificate {identity}"),
            }),
    );
    add(": ", attempt.reason.map(|reason| reason.to_string()));
    text
}

fn change_line(change: &ChangeEvent) -> String {
    let mut text = format!("{:<11}  {} {}", "change", change.action, change.target);
    if let Some(resource) = change
        .resource
        .as_ref()
        .filter(|name| name.as_str() != change.target)
    {
        text.extend([format!(" ({resource})")]);
    }
    text.extend([format!(" by {}", actor(&change.actor))]);
    if let serde_json::Value::Object(after) = &change.after
        && !after.is_empty()
        && after.len() <= 4
    {
        text.extend([format!(": {}", change.after)]);
    }
    text
}
