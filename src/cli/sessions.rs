//! `doorward sessions`: who is online where, since when, how much.

use std::process::ExitCode;

use crate::config::radius::RadiusSockets;
use crate::directory::SessionView;
use crate::domain::device::MacAddress;
use crate::store::sessions::SessionFilter;

use super::context::Context;
use super::output::moment;

/// Which sessions.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
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
    let filter = SessionFilter {
        user: arguments.user,
        device: arguments.device,
        resource: arguments.resource,
        client: arguments.client,
        ended: arguments.all,
    };
    let stale_after = opened.config.radius.as_ref().map_or_else(
        || RadiusSockets::default().session_stale_after,
        |section| section.sockets.session_stale_after,
    );
    let sessions = opened
        .directory
        .sessions(&filter, stale_after, opened.now());
    let sessions = opened.wait(sessions)?;
    let headings = [
        "USER", "RESOURCE", "CLIENT", "NAS", "DEVICE", "ADDRESS", "SINCE", "SENT", "RECEIVED",
        "STATE",
    ];
    context.output.list(&sessions, &headings, row)?;
    Ok(ExitCode::SUCCESS)
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
