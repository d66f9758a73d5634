//! `[ldap]` and `[[ldap.listener]]`: where LDAP is served, and how much of it to whom.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use doorward_domain::name::ListenerName;

pub use super::value::ListenAddress;

/// The LDAP front end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ldap {
    /// The listeners, in the order of the file.
    pub listeners: Vec<Listener>,
    /// Bounds for all of them together.
    pub limits: LdapLimits,
}

/// Bounds on connections and searches, for all listeners together.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LdapLimits {
    /// Open connections in all; a further one takes the place of one on which nobody has bound, or is
    /// closed.
    pub max_connections: usize,
    /// Open connections from one source address.
    pub max_connections_per_source: usize,
    /// A connection on which somebody has bound and nothing happens for so long is closed.
    #[serde(deserialize_with = "super::value::span")]
    pub idle_timeout: Duration,
    /// The same where nobody has; single bytes of a request do not count.
    #[serde(deserialize_with = "super::value::span")]
    pub anonymous_idle_timeout: Duration,
    /// How long a client may take over reading what was sent to it.
    #[serde(deserialize_with = "super::value::span")]
    pub write_timeout: Duration,
    /// How long a TLS handshake may take.
    #[serde(deserialize_with = "super::value::span")]
    pub handshake_timeout: Duration,
    /// The longest message of somebody who has bound, in bytes.
    pub max_message_bytes: usize,
    /// The longest message where nobody has, in bytes.
    pub max_anonymous_message_bytes: usize,
    /// How many searches and compares of a bound connection run at once; more wait unread.
    pub max_operations: usize,
    /// The most entries one search returns, whatever it asks for.
    pub size_limit: u32,
    /// How long one search may take, whatever it asks for.
    #[serde(deserialize_with = "super::value::span")]
    pub time_limit: Duration,
}

impl Default for LdapLimits {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            max_connections_per_source: 512,
            idle_timeout: Duration::from_mins(15),
            anonymous_idle_timeout: Duration::from_mins(1),
            write_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(10),
            max_message_bytes: 256 * 1024,
            max_anonymous_message_bytes: 32 * 1024,
            max_operations: 16,
            size_limit: 10_000,
            time_limit: Duration::from_secs(30),
        }
    }
}

/// One `[[ldap.listener]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// The name a resource's `match` and events refer to.
    pub name: ListenerName,
    /// Where it listens.
    #[serde(deserialize_with = "super::value::listen")]
    pub address: Vec<ListenAddress>,
    /// The permissions of its Unix sockets.
    #[serde(default = "socket_mode", deserialize_with = "super::value::file_mode")]
    pub socket_mode: u32,
    /// How connections are protected. Left out, it is `starttls` where the file has `[tls]`, else
    /// `none`.
    #[serde(default, rename = "tls")]
    pub(super) tls_given: Option<ListenerTls>,
    /// Whether a password may come over an unprotected connection.
    #[serde(default)]
    pub plaintext_bind: PlaintextBind,
    /// Whether clients may bind by version 2 of LDAP.
    #[serde(default)]
    pub ldapv2_bind: Ldapv2Bind,
    /// Who may connect; everyone where empty.
    #[serde(default, deserialize_with = "super::value::networks")]
    pub sources: Vec<IpNet>,
    /// Whether clients show a certificate of their own.
    #[serde(default)]
    pub client_certificate: ClientCertificate,
    /// The proxies that say, before anything else, for whom they connect.
    #[serde(default, deserialize_with = "super::value::networks")]
    pub proxy_protocol: Vec<IpNet>,
    #[serde(skip)]
    pub(super) has_certificate: bool,
}

/// Everybody on the machine may connect, as to a port on loopback: who it is is known, and binds
/// need passwords. A group to admit clients by would be the service's own, which reads its secrets.
fn socket_mode() -> u32 {
    0o666
}

/// Whether clients show a certificate of their own in the TLS handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificate {
    /// They are not asked for one.
    #[default]
    Off,
    /// They are asked, and may go without.
    Optional,
    /// Without one there is no TLS.
    Required,
}

/// How a listener's connections are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListenerTls {
    /// In the clear, until the client asks for TLS (RFC 4511 4.14).
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// Never.
    None,
}

/// Whether a password may come over a connection without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlaintextBind {
    /// Never: `confidentialityRequired` (13).
    #[default]
    Refuse,
    /// From this machine only.
    Loopback,
    /// From anywhere.
    Allow,
}

/// Whether clients may bind by version 2 of LDAP (RFC 1777).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ldapv2Bind {
    /// No: `protocolError` (2).
    #[default]
    Refuse,
    /// Yes, and are spoken to in version 3 from then on.
    Allow,
}

impl Listener {
    /// How connections are protected.
    pub fn tls(&self) -> ListenerTls {
        self.tls_given
            .unwrap_or(if self.has_certificate && !self.is_unix() {
                ListenerTls::Starttls
            } else {
                ListenerTls::None
            })
    }

    /// Whether `source` may connect.
    pub fn admits(&self, source: IpAddr) -> bool {
        let source = source.to_canonical();
        self.sources.is_empty() || self.sources.iter().any(|network| network.contains(&source))
    }

    /// Whether every address of it is on loopback.
    pub fn is_loopback(&self) -> bool {
        self.address.iter().all(|address| match address {
            ListenAddress::Network(address) => address.ip().to_canonical().is_loopback(),
            ListenAddress::Unix(_) => false,
        })
    }

    /// Whether it is on Unix sockets.
    pub fn is_unix(&self) -> bool {
        self.address
            .iter()
            .any(|address| matches!(address, ListenAddress::Unix(_)))
    }
}
