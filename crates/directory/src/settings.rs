//! What the configuration says of the directory; swapped whole on reload.

use ipnet::IpNet;
use jiff::tz::TimeZone;

use doorward_domain::name::{ListenerName, MailAddress, ResourceName, Username};
use doorward_domain::origin::{Relays, Source};
use doorward_domain::policy::asking::Resources;
use doorward_domain::policy::naming::Realms;
use doorward_domain::resource::{ClientResources, Resource};

/// The directory's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The resources, in file order.
    pub resources: Resources,
    /// The realms of the site; those that are mail domains tell whose mail is served here.
    pub realms: Realms,
    /// What accounts look like to Unix hosts.
    pub posix: PosixSettings,
    /// The zone in which a bare date is a day (CONTRACT.md 10).
    pub timezone: TimeZone,
    /// Where links lead; none where no portal is configured.
    pub public_url: Option<String>,
    /// The ways in, for explanations.
    pub doors: Doors,
}

/// Homes and shells (RFC 2307).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PosixSettings {
    /// The home directory, with `{username}` in it.
    pub home: String,
    /// The login shell.
    pub shell: String,
}

impl Default for PosixSettings {
    fn default() -> Self {
        Self {
            home: "/home/{username}".to_owned(),
            shell: "/bin/bash".to_owned(),
        }
    }
}

impl PosixSettings {
    /// The home of one user.
    pub fn home_of(&self, username: &Username) -> String {
        self.home.replace("{username}", username.as_str())
    }
}

/// The ways by which a request can come in.
#[derive(Debug, Clone, Default)]
pub struct Doors {
    /// LDAP listeners, in file order.
    pub listeners: Vec<ListenerDoor>,
    /// RADIUS clients, in file order.
    pub clients: Vec<ClientDoor>,
    /// Sources behind which many users stand, spared by the throttle by source.
    pub relays: Relays,
}

/// An LDAP listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerDoor {
    /// Its name.
    pub name: ListenerName,
    /// Who may connect; everyone where empty.
    pub sources: Vec<IpNet>,
    /// Whether it is on Unix sockets.
    pub unix: bool,
    /// Whether it asks for client certificates.
    pub client_certificates: bool,
}

impl ListenerDoor {
    /// Whether a connection from this source can come in by it.
    pub(super) fn admits(&self, source: &Source) -> bool {
        match source {
            Source::Local(_) => self.unix,
            Source::Address(address) => {
                !self.unix
                    && (self.sources.is_empty()
                        || self.sources.iter().any(|net| net.contains(address)))
            }
        }
    }
}

/// A RADIUS client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientDoor {
    /// What its entry says of resources.
    pub resources: ClientResources,
    /// Where it sends from.
    pub addresses: Vec<IpNet>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            resources: Resources::default(),
            realms: Realms::default(),
            posix: PosixSettings::default(),
            timezone: TimeZone::UTC,
            public_url: None,
            doors: Doors::default(),
        }
    }
}

impl Settings {
    /// Whether mail to this address is delivered by the site itself, so that an expired user could
    /// not read it: its domain is one of the realms.
    pub(super) fn is_own_mail(&self, address: &MailAddress) -> bool {
        address
            .as_str()
            .rsplit_once('@')
            .is_some_and(|(_, domain)| self.realms.contains(domain))
    }

    /// The resource of this name, without regard to case.
    pub(super) fn resource(&self, name: &ResourceName) -> Option<&Resource> {
        self.resources.get(name)
    }
}
