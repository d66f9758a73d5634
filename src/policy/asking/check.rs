//! What a start refuses about resources (CONTRACT.md 4): names used and not defined, resources
//! that nothing can reach, and lenient ones that are easy to choose from outside.

use std::collections::HashSet;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::domain::name::{ClientName, ListenerName, ResourceName, ServiceName};
use crate::domain::resource::{ClientResources, Match, Resource};

use super::super::access::{expired_is_refused, locked_is_refused};
use super::{Resources, canonical_net};

/// What the choice of a resource needs to know of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerFacts {
    /// Its name.
    pub name: ListenerName,
    /// It listens on loopback addresses only.
    pub loopback_only: bool,
    /// It is a Unix socket.
    pub unix: bool,
    /// It has `sources` of its own, and they are not everyone.
    pub has_sources: bool,
}

impl ListenerFacts {
    fn is_hard_to_reach(&self) -> bool {
        self.loopback_only || self.unix || self.has_sources
    }
}

/// Why a configuration is refused, and by which resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// The resource meant; for [`ComplaintKind::UndefinedResource`] the name nobody defines.
    pub resource: ResourceName,
    /// What is wrong.
    pub kind: ComplaintKind,
}

/// What is wrong with a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComplaintKind {
    /// An earlier resource has the name already.
    DuplicateName,
    /// A `match` without any key.
    EmptyMatch,
    /// Earlier ones take every connection its `match` could.
    Shadowed {
        /// The earlier ones that do, in file order.
        by: Vec<ResourceName>,
    },
    /// No `match`, and no RADIUS client names it; or a `match`, and no listener to come in by.
    Unreachable,
    /// Its `match` names a listener nobody defines.
    UnknownListener {
        /// The listener named.
        listener: ListenerName,
    },
    /// A RADIUS client names it, and no `[[resource]]` defines it.
    UndefinedResource {
        /// The client.
        client: ClientName,
        /// Which of the client's keys names it: `resource`, `ssid` or `ssid_default`.
        key: &'static str,
    },
    /// It is lenient, and anybody could choose it.
    EasyToChoose {
        /// In what it is lenient.
        leniency: Vec<Leniency>,
    },
}

/// In what a resource is more lenient than the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Leniency {
    /// It admits locked users.
    AdmitsLocked,
    /// It admits expired users.
    AdmitsExpired,
    /// Failures there do not count toward the lock.
    CountsNoFailures,
}

impl Leniency {
    const fn as_str(self) -> &'static str {
        match self {
            Self::AdmitsLocked => "admits locked users",
            Self::AdmitsExpired => "admits expired users",
            Self::CountsNoFailures => "does not count failures toward the lock",
        }
    }

    fn all_of(resource: &Resource) -> Vec<Self> {
        [
            (Self::AdmitsLocked, !locked_is_refused(resource)),
            (Self::AdmitsExpired, !expired_is_refused(resource)),
            (Self::CountsNoFailures, !resource.counts_failures()),
        ]
        .into_iter()
        .filter_map(|(leniency, holds)| holds.then_some(leniency))
        .collect()
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.resource;
        match &self.kind {
            ComplaintKind::DuplicateName => write!(
                formatter,
                "resource '{name}' is defined twice: rename one of the two (names differ by more \
                 than case)"
            ),
            ComplaintKind::EmptyMatch => write!(
                formatter,
                "the `match` of resource '{name}' has no key and never holds: give it a \
                 `listener`, a `source` or a `service`, or remove it"
            ),
            ComplaintKind::Shadowed { by } => {
                let earlier: Vec<&str> = by.iter().map(ResourceName::as_str).collect();
                write!(
                    formatter,
                    "resource '{name}' can never be the one asking: every connection it matches \
                     is taken by {} before it; move it up, or narrow the `match` of the earlier",
                    earlier.join(", ")
                )
            }
            ComplaintKind::Unreachable => write!(
                formatter,
                "nothing can reach resource '{name}': give it a `match` that a listener can \
                 fulfil, or name it in a [[radius.client]]"
            ),
            ComplaintKind::UnknownListener { listener } => write!(
                formatter,
                "resource '{name}' matches listener '{listener}', which no [[ldap.listener]] \
                 defines: correct the name or define it"
            ),
            ComplaintKind::UndefinedResource { client, key } => write!(
                formatter,
                "RADIUS client '{client}' names resource '{name}' in `{key}`, which no \
                 [[resource]] defines: correct the name or define it"
            ),
            ComplaintKind::EasyToChoose { leniency } => {
                let how: Vec<&str> = leniency.iter().map(|one| one.as_str()).collect();
                write!(
                    formatter,
                    "resource '{name}' {}, so it must be hard to choose from outside: add to its \
                     `match` a `service`, a `source` that is not everyone, or a `listener` on \
                     loopback or with `sources` of its own",
                    how.join(" and ")
                )
            }
        }
    }
}

/// Everything a start refuses about resources, in file order, the RADIUS clients' names last.
///
/// Service accounts live in the store and come and go while the daemon runs, so a `match` that
/// names one not yet made is no complaint: it does not hold until there is one.
pub fn check(
    resources: &Resources,
    listeners: &[ListenerFacts],
    clients: &[ClientResources],
) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let named: HashSet<String> = clients
        .iter()
        .flat_map(names_in)
        .map(|(_, name)| name.folded())
        .collect();
    let mut seen = HashSet::new();
    let mut earlier: Vec<&Resource> = Vec::new();
    for resource in resources {
        let mut complain = |kind| {
            complaints.push(Complaint {
                resource: resource.name.clone(),
                kind,
            });
        };
        if !seen.insert(resource.name.folded()) {
            complain(ComplaintKind::DuplicateName);
        }
        match &resource.matched_by {
            None if named.contains(&resource.name.folded()) => {}
            None => complain(ComplaintKind::Unreachable),
            Some(matched_by) if is_keyless(matched_by) => complain(ComplaintKind::EmptyMatch),
            Some(matched_by) => {
                for kind in check_match(resource, matched_by, listeners, &earlier) {
                    complain(kind);
                }
                earlier.push(resource);
            }
        }
    }
    for client in clients {
        for (key, name) in names_in(client) {
            if resources.get(name).is_none() {
                complaints.push(Complaint {
                    resource: name.clone(),
                    kind: ComplaintKind::UndefinedResource {
                        client: client.client.clone(),
                        key,
                    },
                });
            }
        }
    }
    complaints
}

fn names_in(client: &ClientResources) -> impl Iterator<Item = (&'static str, &ResourceName)> {
    std::iter::once(("resource", &client.resource))
        .chain(client.ssid.iter().map(|(_, name)| ("ssid", name)))
        .chain(
            client
                .ssid_default
                .iter()
                .map(|name| ("ssid_default", name)),
        )
}

fn is_keyless(matched_by: &Match) -> bool {
    matched_by.listener.is_empty() && matched_by.source.is_empty() && matched_by.service.is_empty()
}

fn check_match(
    resource: &Resource,
    matched_by: &Match,
    listeners: &[ListenerFacts],
    earlier: &[&Resource],
) -> Vec<ComplaintKind> {
    let mut kinds: Vec<ComplaintKind> = matched_by
        .listener
        .iter()
        .filter(|name| !listeners.iter().any(|known| same(&known.name, name)))
        .map(|name| ComplaintKind::UnknownListener {
            listener: name.clone(),
        })
        .collect();
    let reached_by: Vec<&ListenerFacts> = listeners
        .iter()
        .filter(|known| has_listener(matched_by, &known.name))
        .collect();
    if reached_by.is_empty() {
        if kinds.is_empty() {
            kinds.push(ComplaintKind::Unreachable);
        }
        return kinds;
    }
    if let Some(by) = shadowed_by(matched_by, &reached_by, earlier) {
        kinds.push(ComplaintKind::Shadowed { by });
    }
    let leniency = Leniency::all_of(resource);
    let hard_to_choose = !matched_by.service.is_empty()
        || (!matched_by.source.is_empty() && !is_everyone(&matched_by.source))
        || reached_by
            .iter()
            .all(|listener| listener.is_hard_to_reach());
    if !leniency.is_empty() && !hard_to_choose {
        kinds.push(ComplaintKind::EasyToChoose { leniency });
    }
    kinds
}

fn same(one: &ListenerName, other: &ListenerName) -> bool {
    one.folded() == other.folded()
}

/// Whether the `match` leaves this listener open: names it, or names none.
fn has_listener(matched_by: &Match, listener: &ListenerName) -> bool {
    matched_by.listener.is_empty() || matched_by.listener.iter().any(|name| same(name, listener))
}

/// Whether the earlier `match` is content with a connection on which this service account is
/// bound; without one it must name none.
fn has_service(matched_by: &Match, service: Option<&ServiceName>) -> bool {
    matched_by.service.is_empty()
        || service.is_some_and(|service| {
            matched_by
                .service
                .iter()
                .any(|name| name.folded() == service.folded())
        })
}

fn everyone() -> [IpNet; 2] {
    [
        IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)),
        IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0)),
    ]
}

/// The addresses a `match` leaves open, as the fewest networks; neighbours are merged, so that a
/// network is covered by all of these together only if it lies in one of them.
fn open_sources<'a>(matches: impl Iterator<Item = &'a Match>) -> Vec<IpNet> {
    let nets: Vec<IpNet> = matches
        .flat_map(|matched_by| {
            if matched_by.source.is_empty() {
                everyone().to_vec()
            } else {
                matched_by
                    .source
                    .iter()
                    .copied()
                    .map(canonical_net)
                    .collect()
            }
        })
        .collect();
    IpNet::aggregate(&nets)
}

/// Whether the sources leave out nobody of IPv4, or nobody of IPv6.
fn is_everyone(sources: &[IpNet]) -> bool {
    let nets: Vec<IpNet> = sources.iter().copied().map(canonical_net).collect();
    IpNet::aggregate(&nets)
        .iter()
        .any(|net| net.prefix_len() == 0)
}

/// The earlier resources that together take every connection this `match` could, where they do:
/// for each listener and each service account it is open to, the sources it is open to must lie
/// in what is open before it.
fn shadowed_by(
    matched_by: &Match,
    reached_by: &[&ListenerFacts],
    earlier: &[&Resource],
) -> Option<Vec<ResourceName>> {
    let services: Vec<Option<&ServiceName>> = if matched_by.service.is_empty() {
        vec![None]
    } else {
        matched_by.service.iter().map(Some).collect()
    };
    let own = open_sources(std::iter::once(matched_by));
    let mut taking: HashSet<&ResourceName> = HashSet::new();
    for listener in reached_by {
        for service in &services {
            let before: Vec<(&Resource, &Match)> = earlier
                .iter()
                .filter_map(|resource| resource.matched_by.as_ref().map(|m| (*resource, m)))
                .filter(|(_, m)| has_listener(m, &listener.name) && has_service(m, *service))
                .collect();
            let open = open_sources(before.iter().map(|(_, m)| *m));
            let covered = own
                .iter()
                .all(|net| open.iter().any(|wider| wider.contains(net)));
            if !covered {
                return None;
            }
            taking.extend(before.iter().map(|(resource, _)| &resource.name));
        }
    }
    Some(
        earlier
            .iter()
            .map(|resource| &resource.name)
            .filter(|name| taking.contains(name))
            .cloned()
            .collect(),
    )
}
