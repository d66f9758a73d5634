//! The ways by which a request from a given source comes in, and the resource that is then asking
//! (CONTRACT.md 4).

use std::collections::HashSet;

use serde::Serialize;

use doorward_domain::certificate::CertificateNames;
use doorward_domain::name::ResourceName;
use doorward_domain::origin::Source;
use doorward_domain::resource::{AccessContext, ConnectionContext, Match};

use super::settings::{ClientDoor, ListenerDoor, Settings};

/// A way by which a request from the given source comes in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Way {
    /// The listener or RADIUS client, and what else it takes.
    pub through: String,
    /// The resource that is then asking; none where it is refused.
    pub resource: Option<ResourceName>,
    /// Why that one.
    pub why: String,
}

/// Every listener and client that takes requests from a source, and the resource then asking.
pub(super) fn ways(settings: &Settings, from: &Source) -> Vec<Way> {
    let mut ways = Vec::new();
    for door in &settings.doors.listeners {
        if door.admits(from) {
            ways.extend(through_listener(settings, door, from));
        } else {
            let why = match (from, door.unix) {
                (Source::Local(_), _) => "the listener is no Unix socket",
                (Source::Address(_), true) => "the listener is a Unix socket",
                (Source::Address(_), false) => "the listener does not admit this source",
            };
            ways.push(Way {
                through: format!("listener {}", door.name),
                resource: None,
                why: why.to_owned(),
            });
        }
    }
    let Some(address) = from.address() else {
        return ways;
    };
    for door in &settings.doors.clients {
        if door.addresses.iter().any(|net| net.contains(&address)) {
            ways.extend(through_client(door));
        }
    }
    ways
}

/// What a listener leads to by itself, and what else it leads to for whoever brings what some
/// resource's `match` asks for.
fn through_listener(settings: &Settings, door: &ListenerDoor, from: &Source) -> Vec<Way> {
    let plain = ConnectionContext::new(door.name.clone(), from.clone());
    let first = way(settings, plain.clone(), format!("listener {}", door.name));
    let matches = settings
        .resources
        .iter()
        .filter_map(|resource| resource.matched_by.as_ref());
    let mut ways = vec![first];
    let mut said = HashSet::new();
    for circumstances in matches
        .filter(|matched_by| door.client_certificates || matched_by.client_certificate.is_empty())
        .flat_map(|matched_by| bringing(matched_by, &plain))
    {
        let through = told(&circumstances);
        if !said.insert(through.clone()) {
            continue;
        }
        let way = way(settings, circumstances, through);
        // What changes nothing is not worth a line.
        if ways
            .first()
            .is_some_and(|first| first.resource != way.resource)
        {
            ways.push(way);
        }
    }
    ways
}

/// The connection with every combination of what the `match` asks of it besides its source.
fn bringing(matched_by: &Match, plain: &ConnectionContext) -> Vec<ConnectionContext> {
    let mut all = vec![plain.clone()];
    all = with(all, &matched_by.client_certificate, |one, name| {
        one.certificate = Some(CertificateNames::from_iter([name]).into());
    });
    all = with(all, &matched_by.service, |one, name| {
        one.service = Some(name);
    });
    with(all, &matched_by.base, |one, name| one.view = Some(name))
}

fn with<T: Clone>(
    all: Vec<ConnectionContext>,
    values: &[T],
    set: impl Fn(&mut ConnectionContext, T),
) -> Vec<ConnectionContext> {
    if values.is_empty() {
        return all;
    }
    all.iter()
        .flat_map(|one| values.iter().map(move |value| (one, value)))
        .map(|(one, value)| {
            let mut one = one.clone();
            set(&mut one, value.clone());
            one
        })
        .collect()
}

fn told(circumstances: &ConnectionContext) -> String {
    let ConnectionContext {
        listener,
        certificate,
        service,
        view,
        ..
    } = circumstances;
    let certificate = certificate
        .as_ref()
        .map(|names| format!("with the client certificate of {names}"));
    let service = service
        .as_ref()
        .map(|service| format!("after service account {service} bound"));
    let view = view.as_ref().map(|view| format!("in the view {view}"));
    let parts = [
        Some(format!("listener {listener}")),
        certificate,
        service,
        view,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn way(settings: &Settings, circumstances: ConnectionContext, through: String) -> Way {
    let asking = AccessContext::Connection(circumstances);
    let found = settings.resources.explain_asking(&asking);
    Way {
        through,
        resource: found.chosen.map(|resource| resource.name.clone()),
        why: found
            .steps
            .last()
            .map(ToString::to_string)
            .unwrap_or_default(),
    }
}

fn through_client(door: &ClientDoor) -> Vec<Way> {
    let client = &door.resources;
    let way = |through: String, resource: Option<&ResourceName>| Way {
        through,
        resource: resource.cloned(),
        why: format!("the entry of RADIUS client {}", client.client),
    };
    let mut ways = vec![way(
        format!("RADIUS client {}", client.client),
        Some(&client.resource),
    )];
    ways.extend(client.ssid.iter().map(|(ssid, resource)| {
        way(
            format!("RADIUS client {}, SSID {ssid}", client.client),
            Some(resource),
        )
    }));
    if !client.ssid.is_empty() {
        ways.push(way(
            format!("RADIUS client {}, another SSID", client.client),
            client.ssid_default.as_ref(),
        ));
    }
    ways
}
