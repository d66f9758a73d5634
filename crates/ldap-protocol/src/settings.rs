//! What one listener is told: how connections are protected, what they may ask, and for how long.
//!
//! Built by the runtime from the configuration and swapped whole on reload; a connection keeps
//! the settings it began with. Nothing here opens a socket.

use std::sync::OnceLock;
use std::time::Duration;

use ipnet::IpNet;

use super::attribute::Entry;
use super::limits::Limits;
use super::root_dse;
use super::sasl::Mechanism;
use super::tree::Tree;
use doorward_domain::name::ListenerName;
use doorward_domain::origin::Source;

/// How a listener's connections are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// In the clear until the client asks for TLS (RFC 4511 section 4.14).
    StartTls,
    /// TLS from the first byte.
    Implicit,
    /// Never.
    None,
}

/// Whether a password may come over a connection without TLS (RFC 4513 section 6.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaintextBind {
    /// Never.
    Refuse,
    /// From a loopback address only.
    Loopback,
    /// From anywhere.
    Allow,
}

impl PlaintextBind {
    /// Whether a client at `source` may send one. What goes over a local socket never leaves the
    /// machine, and nobody but its two ends can read it.
    pub fn permits(self, source: &Source) -> bool {
        match (self, source) {
            (Self::Allow, _) | (_, Source::Local(_)) => true,
            (Self::Loopback, Source::Address(_)) => source.is_this_machine(),
            (Self::Refuse, Source::Address(_)) => false,
        }
    }
}

/// Whether clients may bind by version 2 (RFC 1777) as well, as Postfix does unless told otherwise.
/// What follows is read and answered as version 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionTwo {
    /// `protocolError` (2).
    Refuse,
    /// By name and password, or anonymously.
    Allow,
}

/// Whether clients show a certificate of their own in the TLS handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientCertificate {
    /// They are not asked for one.
    Off,
    /// They are asked, and may go without.
    Optional,
    /// Without one there is no TLS.
    Required,
}

/// How long a connection may take over what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// A TLS handshake.
    pub handshake: Duration,
    /// From one request to the next while nobody has bound; single bytes do not count.
    pub anonymous_idle: Duration,
    /// From one request to the next once somebody has bound.
    pub bound_idle: Duration,
    /// Until a client has taken what was sent to it.
    pub write: Duration,
    /// Until it is looked again whether who is bound still may be, whether or not something is
    /// asked meanwhile.
    pub look_again: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            anonymous_idle: Duration::from_mins(1),
            bound_idle: Duration::from_mins(15),
            write: Duration::from_secs(30),
            look_again: Duration::from_mins(1),
        }
    }
}

/// How much one search may do, whatever it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchLimits {
    /// The most entries it returns.
    pub size: u32,
    /// The longest it runs.
    pub time: Duration,
    /// How many operations of one connection run at once; further requests wait unread.
    pub at_once: usize,
}

impl Default for SearchLimits {
    fn default() -> Self {
        Self {
            size: 10_000,
            time: Duration::from_secs(30),
            at_once: 16,
        }
    }
}

/// One listener.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name, on which a resource's `match` may rest.
    pub listener: ListenerName,
    /// How its connections are protected.
    pub tls: TlsMode,
    /// Whether passwords may come in the clear.
    pub plaintext_bind: PlaintextBind,
    /// Whether clients may bind by version 2 of LDAP.
    pub version_two: VersionTwo,
    /// Whether clients show certificates.
    pub client_certificate: ClientCertificate,
    /// Who may connect; everyone where empty.
    pub sources: Vec<IpNet>,
    /// The proxies that say first for whom they connect.
    pub proxies: Vec<IpNet>,
    /// The tree served.
    pub tree: Tree,
    /// Bounds on one message.
    pub limits: Limits,
    /// Bounds on waiting.
    pub timeouts: Timeouts,
    /// Bounds on searches.
    pub search: SearchLimits,
    made: Made,
}

/// What anybody may read, made once: the schema, and the root DSE for each set of mechanisms.
#[derive(Debug, Default)]
struct Made {
    subschema: OnceLock<Entry>,
    root_dse: [OnceLock<Entry>; 3],
}

impl Clone for Made {
    /// Nothing: what is cloned may be given other settings.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Settings {
    /// A listener with the default bounds, of version 3 alone, that nobody may send a password to
    /// in the clear.
    pub fn new(listener: ListenerName, tls: TlsMode, tree: Tree) -> Self {
        Self {
            listener,
            tls,
            plaintext_bind: PlaintextBind::Refuse,
            version_two: VersionTwo::Refuse,
            client_certificate: ClientCertificate::Off,
            sources: Vec::new(),
            proxies: Vec::new(),
            tree,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            search: SearchLimits::default(),
            made: Made::default(),
        }
    }

    /// The subschema entry.
    pub fn subschema(&self) -> &Entry {
        self.made
            .subschema
            .get_or_init(|| root_dse::subschema(&self.tree))
    }

    /// The root DSE on a connection that could bind by these mechanisms.
    pub fn root_dse(&self, mechanisms: &'static [Mechanism]) -> &Entry {
        let [none, one, more] = &self.made.root_dse;
        // A connection has none, PLAIN, or EXTERNAL as well.
        let made = match mechanisms.len() {
            0 => none,
            1 => one,
            _ => more,
        };
        made.get_or_init(|| root_dse::root_dse(self, mechanisms))
    }

    /// Whether what connects from there is a proxy, which says first for whom.
    pub fn is_proxy(&self, source: &Source) -> bool {
        source
            .address()
            .is_some_and(|address| self.proxies.iter().any(|net| net.contains(&address)))
    }

    /// Whether `source` may connect. Who reaches a local socket may, as far as this goes: its
    /// file says who does.
    pub fn admits(&self, source: &Source) -> bool {
        match source {
            Source::Local(_) => true,
            Source::Address(address) => {
                self.sources.is_empty()
                    || self.sources.iter().any(|network| network.contains(address))
            }
        }
    }
}
