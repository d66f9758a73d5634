//! `doorward sessions`: who is online where, since when, how much; and what their clients are asked
//! for by hand.

use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use serde::Serialize;
use uuid::Uuid;

use crate::config::radius::RadiusSockets;
use doorward_directory::{SessionView, WAITS};
use doorward_domain::device::MacAddress;
use doorward_domain::id::{RequestId, SessionId};
use doorward_domain::name::ClientName;
use doorward_domain::session::{Answered, Demand};
use doorward_store::sessions::{DemandState, SessionFilter};

use super::context::{Context, Opened};
use super::failure::{self, Failure};
use super::output::moment;

/// How often it is looked what came of asking.
const LOOK: Duration = Duration::from_millis(200);
/// How long a gateway may take over it: it gives up on a client after half a minute.
const PATIENCE: Duration = Duration::from_secs(40);

/// What to do with sessions: list them, unless said otherwise.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    which: Which,
}

/// What to ask the client of a session for.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Have a gateway ask the client to end a session (Disconnect-Request), and wait for the answer.
    Disconnect {
        /// The session's ID, as `doorward sessions` shows it.
        id: Uuid,
    },
    /// Have a gateway tell the client the reply attributes that hold now, such as another VLAN
    /// (CoA-Request), and wait for the answer. The session goes on.
    Reauthorize {
        /// The session's ID, as `doorward sessions` shows it.
        id: Uuid,
    },
}

/// Which sessions.
#[derive(Debug, clap::Args)]
struct Which {
    /// Of this user.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Of this device, which was let in by its address.
    #[arg(long, value_name = "ADDRESS")]
    device: Option<MacAddress>,
    /// At this resource.
    #[arg(long, value_name = "RESOURCE")]
    resource: Option<String>,
    /// Through this RADIUS client.
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,
    /// Those that are over as well.
    #[arg(long)]
    all: bool,
}

/// Runs the command.
pub(super) fn run(arguments: Arguments, context: &Context) -> anyhow::Result<ExitCode> {
    let opened = context.open()?;
    match arguments.verb {
        None => list(arguments.which, context, &opened),
        Some(Verb::Disconnect { id }) => ask(id, Demand::Disconnect, context, &opened),
        Some(Verb::Reauthorize { id }) => ask(id, Demand::Reauthorize, context, &opened),
    }
}

fn stale_after(opened: &Opened) -> Duration {
    opened.config.radius.as_ref().map_or_else(
        || RadiusSockets::default().session_stale_after,
        |section| section.sockets.session_stale_after,
    )
}

fn list(which: Which, context: &Context, opened: &Opened) -> anyhow::Result<ExitCode> {
    let filter = SessionFilter {
        user: which.user,
        device: which.device,
        resource: which.resource,
        client: which.client,
        ended: which.all,
    };
    let sessions = opened
        .directory
        .sessions(&filter, stale_after(opened), opened.now());
    let sessions = opened.wait(sessions)?;
    let headings = [
        "USER", "RESOURCE", "CLIENT", "NAS", "DEVICE", "ADDRESS", "SINCE", "SENT", "RECEIVED",
        "STATE", "ID",
    ];
    context.output.list(&sessions, &headings, row)?;
    Ok(ExitCode::SUCCESS)
}

/// What came of asking, for scripts.
#[derive(Serialize)]
struct Told {
    session: SessionId,
    client: ClientName,
    outcome: &'static str,
    error_cause: Option<u32>,
}

/// Has a gateway ask the session's client, and waits for what comes of it.
fn ask(id: Uuid, demand: Demand, context: &Context, opened: &Opened) -> anyhow::Result<ExitCode> {
    let session = SessionId::from_uuid(id);
    let view = opened
        .directory
        .open_session(session, stale_after(opened), opened.now());
    let client = opened.wait(view)?.client;
    let clients = opened
        .config
        .radius
        .iter()
        .flat_map(|radius| &radius.clients);
    match clients.clone().find(|entry| entry.name == client) {
        Some(entry) if entry.disconnect.enabled => {}
        Some(_) => {
            let text =
                format!("client '{client}' is never asked (disconnect = {{ enabled = false }})");
            return Err(Failure::error(failure::NO, text));
        }
        None => {
            let text = format!("the configuration has no RADIUS client '{client}' any more");
            return Err(Failure::error(failure::NO, text));
        }
    }
    let by = opened.by();
    let request = opened.directory.demand_of_session(&by, session, demand);
    let request = opened.wait(request)?;
    let answered = wait(request, opened)?;
    let told = Told {
        session,
        client,
        outcome: answered.as_str(),
        error_cause: answered.error_cause(),
    };
    context.output.value(&told, |told| match told.error_cause {
        Some(cause) => format!(
            "{} by {} with Error-Cause {cause}",
            told.outcome, told.client
        ),
        None => format!("{} by {}", told.outcome, told.client),
    })?;
    Ok(match answered {
        Answered::Acknowledged => ExitCode::SUCCESS,
        Answered::Refused(_) | Answered::Unanswered => ExitCode::from(failure::NO),
    })
}

fn wait(request: RequestId, opened: &Opened) -> anyhow::Result<Answered> {
    let asked = opened.now().mono;
    loop {
        let state = opened.wait(opened.directory.demand_state(request))?;
        let waited = opened.now().mono.since(asked);
        match state {
            Some(DemandState::Answered(answered)) => return Ok(answered),
            Some(DemandState::Waiting) if waited < WAITS + LOOK => {}
            Some(DemandState::Taken) if waited < WAITS + PATIENCE => {}
            Some(DemandState::Taken) | None => {
                let text = "the gateway that took it up did not say what came of it: see doorward \
                            events";
                return Err(Failure::error(failure::AGAIN, text));
            }
            Some(DemandState::Waiting) => {
                let text = "no gateway took it up: is one running, with [radius] and this client \
                            in its configuration?";
                return Err(Failure::error(failure::UNAVAILABLE, text));
            }
        }
        opened.wait(async { tokio::time::sleep(LOOK).await });
    }
}

fn row(session: &SessionView) -> Vec<String> {
    let text = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    vec![
        match (&session.user, session.device) {
            (Some(user), _) => user.to_string(),
            (None, Some(device)) => format!("device {device}"),
            (None, None) => format!("({})", session.user_name),
        },
        text(session.resource.as_ref().map(ToString::to_string)),
        session.client.to_string(),
        session.nas.clone(),
        text(session.calling_station.clone()),
        text(session.address.map(|address| address.to_string())),
        moment(session.started),
        size(session.usage.sent_octets),
        size(session.usage.received_octets),
        match (session.ending, session.ended) {
            (Some(ending), Some(at)) => format!("{} {}", ending.as_str(), moment(at)),
            _ if session.stale => format!("stale since {}", moment(session.seen)),
            _ => "online".to_owned(),
        },
        session.id.to_string(),
    ]
}

/// A number of octets for people.
fn size(octets: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut whole, mut rest, mut unit) = (octets, 0, "B");
    for larger in UNITS {
        if whole < 1024 {
            break;
        }
        (rest, whole, unit) = (whole % 1024 * 10 / 1024, whole / 1024, larger);
    }
    if unit == "B" {
        format!("{whole} B")
    } else {
        format!("{whole}.{rest} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_shown_in_the_largest_unit_that_fits() {
        for (octets, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_600_000, "1.5 MiB"),
            (5 << 32, "20.0 GiB"),
            (u64::MAX, "16383.9 PiB"),
        ] {
            assert_eq!(size(octets), shown);
        }
    }
}
