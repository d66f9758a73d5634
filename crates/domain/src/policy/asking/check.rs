//! What a start refuses about resources (CONTRACT.md 4): names used and not defined, resources
//! that nothing can reach, and lenient ones that are easy to choose from outside.

use std::collections::HashSet;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::certificate::CertificateName;
use crate::name::{ClientName, ListenerName, ResourceName, ServiceName, ViewName};
use crate::origin::PeerUser;
use crate::resource::{ClientResources, Match, Resource};

use super::super::access::{expired_is_refused, locked_is_refused};
use super::{Resources, canonical_net};

/// What the choice of a resource needs to know of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerFacts {
    /// Its name.
    pub name: ListenerName,
    /// Who can reach it.
    pub reach: Reach,
    /// It asks for client certificates.
    pub client_certificates: bool,
}

/// Who can reach a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Processes of this machine, on a Unix socket.
    Unix,
    /// Processes of this machine: it listens on loopback addresses only.
    Loopback,
    /// Hosts among `sources` of its own, which are not everyone.
    Listed,
    /// Everyone.
    Everyone,
}

impl ListenerFacts {
    fn is_hard_to_reach(&self) -> bool {
        self.reach != Reach::Everyone
    }

    /// Whether a connection by it could fulfil the `match`: it is named or none is, and it has
    /// what the `match` looks at.
    fn could_fulfil(&self, matched_by: &Match) -> bool {
        let named = matched_by.listener.is_empty()
            || matched_by
                .listener
                .iter()
                .any(|name| same(name, &self.name));
        let (source, certificate, peer) = (
            !matched_by.source.is_empty(),
            !matched_by.client_certificate.is_empty(),
            !matched_by.peer_user.is_empty(),
        );
        named
            && if self.reach == Reach::Unix {
                !source && !certificate
            } else {
                !peer && (!certificate || self.client_certificates)
            }
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
                 fulfil, or name it in a [[radius.client]]; `peer_user` needs a listener on a Unix \
                 socket, `source` one that is not, `client_certificate` one that asks for \
                 certificates"
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
                     `match` a `service`, a `client_certificate`, a `peer_user`, a `source` that \
                     is not everyone, or a `listener` on loopback, on a Unix socket or with \
                     `sources` of its own",
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
            Some(matched_by) if matched_by.is_empty() => complain(ComplaintKind::EmptyMatch),
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
        .filter(|known| known.could_fulfil(matched_by))
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
    // A view adds nothing: anybody can name it.
    let hard_to_choose = !matched_by.service.is_empty()
        || !matched_by.client_certificate.is_empty()
        || !matched_by.peer_user.is_empty()
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

/// Whether an earlier list of a `match` is content with what a later one asks for: it asks for
/// nothing, or for the same among others.
fn takes<T>(earlier: &[T], asked: Option<&T>, folded: impl Fn(&T) -> String) -> bool {
    earlier.is_empty()
        || asked.is_some_and(|asked| earlier.iter().any(|name| folded(name) == folded(asked)))
}

/// Each of a key's values; where the key is not given, that nothing is asked for.
fn each<T>(values: &[T]) -> Vec<Option<&T>> {
    if values.is_empty() {
        vec![None]
    } else {
        values.iter().map(Some).collect()
    }
}

/// One way in which a `match` can hold, its sources aside: the listener, and of each key that is
/// given one value.
#[derive(Clone, Copy)]
struct Case<'a> {
    listener: &'a ListenerFacts,
    service: Option<&'a ServiceName>,
    certificate: Option<&'a CertificateName>,
    peer: Option<&'a PeerUser>,
    view: Option<&'a ViewName>,
}

impl<'a> Case<'a> {
    fn all_of(matched_by: &'a Match, reached_by: &[&'a ListenerFacts]) -> Vec<Self> {
        let mut cases = Vec::new();
        for listener in reached_by {
            for service in each(&matched_by.service) {
                for certificate in each(&matched_by.client_certificate) {
                    for peer in each(&matched_by.peer_user) {
                        for view in each(&matched_by.base) {
                            cases.push(Self {
                                listener,
                                service,
                                certificate,
                                peer,
                                view,
                            });
                        }
                    }
                }
            }
        }
        cases
    }

    /// Whether an earlier `match` holds in this case as well, its sources aside.
    fn is_taken_by(&self, earlier: &Match) -> bool {
        self.listener.could_fulfil(earlier)
            && takes(&earlier.service, self.service, ServiceName::folded)
            && takes(
                &earlier.client_certificate,
                self.certificate,
                CertificateName::folded,
            )
            && takes(&earlier.peer_user, self.peer, PeerUser::to_string)
            && takes(&earlier.base, self.view, ViewName::folded)
    }
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
/// in each case in which it holds, the sources it is open to must lie in what is open before it.
fn shadowed_by(
    matched_by: &Match,
    reached_by: &[&ListenerFacts],
    earlier: &[&Resource],
) -> Option<Vec<ResourceName>> {
    let own = open_sources(std::iter::once(matched_by));
    let mut taking: HashSet<&ResourceName> = HashSet::new();
    for case in Case::all_of(matched_by, reached_by) {
        let before: Vec<(&Resource, &Match)> = earlier
            .iter()
            .filter_map(|resource| resource.matched_by.as_ref().map(|m| (*resource, m)))
            .filter(|(_, m)| case.is_taken_by(m))
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
    Some(
        earlier
            .iter()
            .map(|resource| &resource.name)
            .filter(|name| taking.contains(name))
            .cloned()
            .collect(),
    )
}
