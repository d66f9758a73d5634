//! Resources, the doors into them, and how a request says which one is asking (CONTRACT.md 2, 4).

use std::fmt;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::certificate::{CertificateName, CertificateNames};
use super::name::{ClientName, ListenerName, ResourceName, ServiceName, ViewName};
use super::origin::{PeerUser, Source};

/// What sort of thing a resource is; decides what each condition closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResourceKind {
    /// A fleet of hosts.
    Endpoint,
    /// Remote access.
    Vpn,
    /// A wireless or wired network.
    Wifi,
    /// An application.
    App,
    /// A mail system.
    Email,
}

impl ResourceKind {
    /// Every kind, in the order of the contract's table.
    pub const ALL: [Self; 5] = [
        Self::Endpoint,
        Self::Vpn,
        Self::Wifi,
        Self::App,
        Self::Email,
    ];

    /// The name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Vpn => "vpn",
            Self::Wifi => "wifi",
            Self::App => "app",
            Self::Email => "email",
        }
    }

    /// Whether failures at this kind count toward the lock by default (CONTRACT.md 3.1).
    pub const fn counts_failures(self) -> bool {
        !matches!(self, Self::Email | Self::Wifi)
    }
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A column of the contract's access table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Door {
    /// A resource of this kind.
    Resource(ResourceKind),
    /// Signing in at the portal.
    PortalSignIn,
    /// Using a reset or activation link at the portal.
    PortalLink,
}

/// A resource's own word on a row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Override {
    /// The row permits.
    Allow,
    /// The row refuses.
    Deny,
}

/// A resource as the configuration defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// The name bindings refer to.
    pub name: ResourceName,
    /// Its kind.
    pub kind: ResourceKind,
    /// Replaces the row "locked" for this resource.
    pub on_locked: Option<Override>,
    /// Replaces the row "expired" for this resource.
    pub on_expired: Option<Override>,
    /// Replaces the kind's rule on counting failures.
    pub count_failures: Option<bool>,
    /// When it is the one asking on a connection; a resource without is reached through RADIUS
    /// clients only.
    pub matched_by: Option<Match>,
}

impl Resource {
    /// A resource of `kind` with the table's defaults and no `match`.
    pub fn new(name: ResourceName, kind: ResourceKind) -> Self {
        Self {
            name,
            kind,
            on_locked: None,
            on_expired: None,
            count_failures: None,
            matched_by: None,
        }
    }

    /// Whether failures here count toward the lock.
    pub fn counts_failures(&self) -> bool {
        self.count_failures
            .unwrap_or_else(|| self.kind.counts_failures())
    }
}

/// The `match` of a resource: within one, every key given must hold (CONTRACT.md 4). An empty
/// list is a key not given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Match {
    /// Names of listeners.
    pub listener: Vec<ListenerName>,
    /// Where the connection may come from.
    pub source: Vec<IpNet>,
    /// The service account last bound on the connection.
    pub service: Vec<ServiceName>,
    /// Names of which the client's certificate has one.
    pub client_certificate: Vec<CertificateName>,
    /// The Unix user at the other end of a local socket.
    pub peer_user: Vec<PeerUser>,
    /// The view in which the request's base or target lies.
    pub base: Vec<ViewName>,
}

impl Match {
    /// Whether no key is given. Such a `match` never holds: it would open the resource to everyone
    /// by an omission.
    pub fn is_empty(&self) -> bool {
        let Self {
            listener,
            source,
            service,
            client_certificate,
            peer_user,
            base,
        } = self;
        listener.is_empty()
            && source.is_empty()
            && service.is_empty()
            && client_certificate.is_empty()
            && peer_user.is_empty()
            && base.is_empty()
    }
}

/// What is known of a connection that asks, and of the request that it asks with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionContext {
    /// The listener it came in by.
    pub listener: ListenerName,
    /// The other end.
    pub source: Source,
    /// The service account last bound on it.
    pub service: Option<ServiceName>,
    /// The names of the client's certificate, where it showed one and it was good.
    pub certificate: Option<Arc<CertificateNames>>,
    /// The view in which the request's base or target lies.
    pub view: Option<ViewName>,
}

impl ConnectionContext {
    /// A connection of which nothing else is known.
    pub fn new(listener: ListenerName, source: impl Into<Source>) -> Self {
        Self {
            listener,
            source: source.into(),
            service: None,
            certificate: None,
            view: None,
        }
    }
}

/// What a RADIUS client entry says of resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientResources {
    /// The client's name.
    pub client: ClientName,
    /// The resource it names.
    pub resource: ResourceName,
    /// Resources by SSID; once there is one, an unmapped SSID is refused.
    pub ssid: Vec<(String, ResourceName)>,
    /// The resource of an unmapped SSID.
    pub ssid_default: Option<ResourceName>,
    /// Whether known devices are let in by their address alone (MAC authentication bypass).
    pub mab: bool,
}

/// Who asks: the ground on which the resource is chosen, never anything the user typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessContext {
    /// An LDAP connection.
    Connection(ConnectionContext),
    /// A RADIUS client, with the `Called-Station-Id` it sent.
    Radius {
        /// The client's entry.
        client: Arc<ClientResources>,
        /// `Called-Station-Id`, whose tail after the last colon is the SSID (RFC 3580 3.20).
        called_station: Option<String>,
    },
    /// The portal, which needs no binding.
    Portal,
    /// A mail server that announces its clients' attempts; the configuration names the resource it
    /// speaks for.
    Announced(ResourceName),
}
