//! Which resource is asking (CONTRACT.md 4): the first in file order whose `match` holds.
//!
//! The choice rests on the connection and the RADIUS client, never on anything the user typed.

mod check;
mod ssid;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::certificate::CertificateName;
use crate::name::{ResourceName, ServiceName, ViewName};
use crate::origin::PeerUser;
use crate::resource::{AccessContext, ClientResources, ConnectionContext, Match, Resource};

pub use self::check::{Complaint, ComplaintKind, Leniency, ListenerFacts, Reach, check};
use self::ssid::Ssid;

/// The resources of the configuration, in file order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources {
    ordered: Vec<Resource>,
    by_name: HashMap<String, usize>,
}

impl Resources {
    /// Takes the resources in file order. Where two have one name (which [`check()`] refuses), the
    /// first is found by it.
    pub fn new(ordered: Vec<Resource>) -> Self {
        let mut by_name = HashMap::new();
        for (place, resource) in ordered.iter().enumerate() {
            by_name.entry(resource.name.folded()).or_insert(place);
        }
        Self { ordered, by_name }
    }

    /// The resource of this name, compared without regard to case.
    pub fn get(&self, name: &ResourceName) -> Option<&Resource> {
        self.ordered.get(*self.by_name.get(&name.folded())?)
    }

    /// All of them, in file order.
    pub fn iter(&self) -> std::slice::Iter<'_, Resource> {
        self.ordered.iter()
    }

    /// All of them, in file order.
    pub fn as_slice(&self) -> &[Resource] {
        &self.ordered
    }

    /// The resource that is asking. None where no `match` holds, and then the attempt is refused;
    /// none for the portal either, which is no resource and needs no binding.
    pub fn asking(&self, asking: &AccessContext) -> Option<&Resource> {
        match asking {
            AccessContext::Connection(circumstances) => self.ordered.iter().find(|resource| {
                resource
                    .matched_by
                    .as_ref()
                    .is_some_and(|matched_by| holds(matched_by, circumstances))
            }),
            AccessContext::Radius {
                client,
                called_station,
            } => self.get(named_by_client(client, called_station.as_deref())?),
            AccessContext::Announced(name) => self.get(name),
            AccessContext::Portal => None,
        }
    }

    /// The steps by which the resource that is asking was found, for people. The last step is the
    /// deciding one.
    pub fn explain_asking(&self, asking: &AccessContext) -> Explanation<'_> {
        let chosen = self.asking(asking);
        let steps = match asking {
            AccessContext::Connection(circumstances) => self.connection_steps(circumstances),
            AccessContext::Radius {
                client,
                called_station,
            } => self.radius_steps(client, called_station.as_deref()),
            AccessContext::Announced(name) => vec![Step::new(
                chosen.is_some(),
                format!("[auth_policy] speaks for {name}"),
            )],
            AccessContext::Portal => vec![Step::new(
                false,
                "the portal is no resource: it needs no binding".to_owned(),
            )],
        };
        Explanation { chosen, steps }
    }

    fn connection_steps(&self, circumstances: &ConnectionContext) -> Vec<Step> {
        let mut steps = Vec::new();
        for resource in &self.ordered {
            let name = &resource.name;
            let Some(matched_by) = &resource.matched_by else {
                steps.push(Step::new(
                    false,
                    format!("{name}: has no `match`, only RADIUS clients reach it"),
                ));
                continue;
            };
            let Some(failure) = first_failure(matched_by, circumstances) else {
                let text = format!("{name}: every key of its `match` holds");
                steps.push(Step::new(true, text));
                return steps;
            };
            steps.push(Step::new(false, format!("{name}: {failure}")));
        }
        steps.push(Step::new(
            false,
            "no resource's `match` holds: refused".to_owned(),
        ));
        steps
    }

    fn radius_steps(&self, client: &ClientResources, called_station: Option<&str>) -> Vec<Step> {
        let mut steps = Vec::new();
        let entry = &client.client;
        if !client.ssid.is_empty() {
            steps.push(Step::new(
                true,
                match ssid::of(called_station) {
                    Ssid::NotSent => format!(
                        "client {entry}: no SSID in the Called-Station-Id, so its `ssid` map does \
                         not apply"
                    ),
                    Ssid::Sent(ssid) => match mapped(client, ssid) {
                        Some(name) => format!("client {entry}: SSID '{ssid}' is mapped to {name}"),
                        None => unmapped_text(client, &format!("SSID '{ssid}' is not mapped")),
                    },
                    Ssid::Unreadable => unmapped_text(
                        client,
                        "the Called-Station-Id has another form than MAC:SSID",
                    ),
                },
            ));
        }
        let last = match named_by_client(client, called_station) {
            None => Step::new(false, format!("client {entry}: no resource: refused")),
            Some(name) if self.get(name).is_none() => Step::new(
                false,
                format!("client {entry}: names '{name}', which no [[resource]] defines: refused"),
            ),
            Some(name) => Step::new(true, format!("client {entry}: the resource is {name}")),
        };
        steps.push(last);
        steps
    }
}

fn unmapped_text(client: &ClientResources, what: &str) -> String {
    let entry = &client.client;
    match &client.ssid_default {
        Some(name) => format!("client {entry}: {what}, `ssid_default` is {name}"),
        None => format!("client {entry}: {what}, and there is no `ssid_default`"),
    }
}

impl<'a> IntoIterator for &'a Resources {
    type Item = &'a Resource;
    type IntoIter = std::slice::Iter<'a, Resource>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// How a resource was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation<'a> {
    /// The resource that is asking.
    pub chosen: Option<&'a Resource>,
    /// What was looked at, in order.
    pub steps: Vec<Step>,
}

/// One look on the way to the resource that is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Whether it led onward to a resource.
    pub held: bool,
    /// What was found, for people.
    pub text: String,
}

impl Step {
    fn new(held: bool, text: String) -> Self {
        Self { held, text }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

fn holds(matched_by: &Match, circumstances: &ConnectionContext) -> bool {
    first_failure(matched_by, circumstances).is_none()
}

/// The first key of a `match` that does not hold. A `match` without any key never holds.
fn first_failure(matched_by: &Match, circumstances: &ConnectionContext) -> Option<String> {
    if matched_by.is_empty() {
        return Some("its `match` has no key, so it never holds".to_owned());
    }
    let Match {
        listener,
        source,
        service,
        client_certificate,
        peer_user,
        base,
    } = matched_by;
    let through = &circumstances.listener;
    if !listener.is_empty()
        && !listener
            .iter()
            .any(|name| name.folded() == through.folded())
    {
        return Some(format!("listener {through} is not among its listeners"));
    }
    source_failure(source, circumstances)
        .or_else(|| peer_failure(peer_user, circumstances))
        .or_else(|| certificate_failure(client_certificate, circumstances))
        .or_else(|| service_failure(service, circumstances))
        .or_else(|| base_failure(base, circumstances))
}

fn source_failure(sources: &[IpNet], circumstances: &ConnectionContext) -> Option<String> {
    if sources.is_empty() {
        return None;
    }
    match circumstances.source.address() {
        None => Some("it needs a source address, and a local socket has none".to_owned()),
        Some(address) if !sources.iter().any(|net| contains(net, address)) => {
            Some(format!("source {address} is not among its sources"))
        }
        Some(_) => None,
    }
}

fn peer_failure(users: &[PeerUser], circumstances: &ConnectionContext) -> Option<String> {
    if users.is_empty() {
        return None;
    }
    match circumstances.source.peer_user() {
        None => Some("it needs a Unix user on a local socket, and this is none".to_owned()),
        Some(user) if !users.contains(user) => {
            Some(format!("Unix user {user} is not among its users"))
        }
        Some(_) => None,
    }
}

fn certificate_failure(
    wanted: &[CertificateName],
    circumstances: &ConnectionContext,
) -> Option<String> {
    if wanted.is_empty() {
        return None;
    }
    match &circumstances.certificate {
        None => Some("it needs a client certificate, and none was shown".to_owned()),
        Some(shown) if !wanted.iter().any(|name| shown.includes(name)) => {
            Some(format!("the certificate ({shown}) has none of its names"))
        }
        Some(_) => None,
    }
}

fn service_failure(services: &[ServiceName], circumstances: &ConnectionContext) -> Option<String> {
    if services.is_empty() {
        return None;
    }
    match &circumstances.service {
        None => Some("it needs a service account, and none is bound".to_owned()),
        Some(bound) if !services.iter().any(|name| name.folded() == bound.folded()) => {
            Some(format!("service account {bound} is not among its services"))
        }
        Some(_) => None,
    }
}

fn base_failure(views: &[ViewName], circumstances: &ConnectionContext) -> Option<String> {
    if views.is_empty() {
        return None;
    }
    match &circumstances.view {
        None => Some("it needs a view, and the request is in none".to_owned()),
        Some(view) if !views.iter().any(|name| name.folded() == view.folded()) => {
            Some(format!("view {view} is not among its views"))
        }
        Some(_) => None,
    }
}

fn contains(net: &IpNet, address: IpAddr) -> bool {
    canonical_net(*net).contains(&address)
}

/// A network of IPv4-mapped addresses is the IPv4 network it stands for (CONTRACT.md 4).
fn canonical_net(net: IpNet) -> IpNet {
    let IpNet::V6(six) = net else {
        return net;
    };
    let mapped = six
        .addr()
        .to_ipv4_mapped()
        .zip(six.prefix_len().checked_sub(96))
        .and_then(|(address, prefix)| IpNet::new(IpAddr::V4(address), prefix).ok());
    mapped.unwrap_or(net)
}

/// The resource a RADIUS client's entry names for a request (CONTRACT.md 4).
///
/// With an `ssid` map an SSID that is not in it, or a `Called-Station-Id` whose SSID cannot be
/// told, gets `ssid_default` or nothing. A request that carries no SSID at all (none is sent by a
/// wired port) is the client's `resource`: the map names others for what has an SSID, and whether
/// one is sent is the NAS's word, which the secret vouches for.
fn named_by_client<'a>(
    client: &'a ClientResources,
    called_station: Option<&str>,
) -> Option<&'a ResourceName> {
    if client.ssid.is_empty() {
        return Some(&client.resource);
    }
    match ssid::of(called_station) {
        Ssid::NotSent => Some(&client.resource),
        Ssid::Sent(ssid) => mapped(client, ssid).or(client.ssid_default.as_ref()),
        Ssid::Unreadable => client.ssid_default.as_ref(),
    }
}

/// SSIDs are octets and compare as such, case included (IEEE 802.11 9.4.2.2).
fn mapped<'a>(client: &'a ClientResources, ssid: &str) -> Option<&'a ResourceName> {
    client
        .ssid
        .iter()
        .find_map(|(name, resource)| (name == ssid).then_some(resource))
}

/// The SSID in a `Called-Station-Id`, for the audit log.
pub fn ssid_of(called_station: Option<&str>) -> Option<&str> {
    match ssid::of(called_station) {
        Ssid::Sent(ssid) => Some(ssid),
        Ssid::NotSent | Ssid::Unreadable => None,
    }
}
