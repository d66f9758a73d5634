//! `[[resource]]`: what users are bound to, and how a connection is known to ask for it
//! (CONTRACT.md 2, 4).

use ipnet::IpNet;
use serde::Deserialize;

use doorward_domain::certificate::CertificateName;
use doorward_domain::name::{ListenerName, ResourceName, ServiceName, ViewName};
use doorward_domain::origin::PeerUser;
use doorward_domain::resource::{Match, Override, Resource, ResourceKind};

/// The entry as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResourceEntry {
    name: ResourceName,
    kind: ResourceKind,
    on_locked: Option<Override>,
    on_expired: Option<Override>,
    count_failures: Option<bool>,
    #[serde(rename = "match")]
    matched_by: Option<MatchEntry>,
}

/// A `match` as it is written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MatchEntry {
    #[serde(deserialize_with = "super::value::list")]
    listener: Vec<ListenerName>,
    #[serde(deserialize_with = "super::value::networks")]
    source: Vec<IpNet>,
    #[serde(deserialize_with = "super::value::list")]
    service: Vec<ServiceName>,
    #[serde(deserialize_with = "super::value::list")]
    client_certificate: Vec<CertificateName>,
    #[serde(deserialize_with = "super::value::list")]
    peer_user: Vec<PeerUser>,
    #[serde(deserialize_with = "super::value::list")]
    base: Vec<ViewName>,
}

impl From<ResourceEntry> for Resource {
    fn from(entry: ResourceEntry) -> Self {
        Self {
            name: entry.name,
            kind: entry.kind,
            on_locked: entry.on_locked,
            on_expired: entry.on_expired,
            count_failures: entry.count_failures,
            matched_by: entry.matched_by.map(|entry| Match {
                listener: entry.listener,
                source: entry.source,
                service: entry.service,
                client_certificate: entry.client_certificate,
                peer_user: entry.peer_user,
                base: entry.base,
            }),
        }
    }
}
