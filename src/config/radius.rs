//! `[radius]` and `[[radius.client]]`: where RADIUS is served, and to whom.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

use doorward_domain::certificate::CertificateName;
use doorward_domain::name::{ClientName, ResourceName};
use doorward_domain::resource::ClientResources;
use doorward_domain::secret::Secret;

/// The RADIUS front end.
#[derive(Debug, Clone)]
pub struct Radius {
    /// Where it listens, and its bounds.
    pub sockets: RadiusSockets,
    /// The clients, in the order of the file. The longest network that holds a source is its
    /// client.
    pub clients: Vec<RadiusClient>,
}

/// The section without its clients.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RadiusSockets {
    /// Where Access-Requests come in (RFC 2865; port 1812).
    #[serde(deserialize_with = "super::value::addresses_or_none")]
    pub authentication: Vec<SocketAddr>,
    /// Where Accounting-Requests come in (RFC 2866; port 1813); nowhere where empty.
    #[serde(deserialize_with = "super::value::addresses_or_none")]
    pub accounting: Vec<SocketAddr>,
    /// The file of the key that network passwords are sealed under; without it there are none, and
    /// CHAP and MS-CHAPv2 are refused.
    pub network_password_key_file: Option<PathBuf>,
    /// Dictionaries of attributes in FreeRADIUS's format, above what is built in. What they include
    /// lies in their folders.
    #[serde(deserialize_with = "super::value::list_or_empty")]
    pub dictionaries: Vec<PathBuf>,
    /// Where connections of TLS come in (RFC 6614; port 2083); nowhere where empty.
    #[serde(deserialize_with = "super::value::addresses_or_none")]
    pub radsec: Vec<SocketAddr>,
    /// Their TLS.
    pub tls: Option<RadiusTls>,
    /// How long a finished reply is kept to be sent again (RFC 5080 2.2.2).
    #[serde(deserialize_with = "super::value::span")]
    pub duplicate_lifetime: Duration,
    /// How many requests are remembered for that.
    pub max_requests: usize,
    /// How long after its last report an open session is shown as stale.
    #[serde(deserialize_with = "super::value::span")]
    pub session_stale_after: Duration,
    /// How long after its last report an open session is taken to be over.
    #[serde(deserialize_with = "super::value::span")]
    pub session_end_after: Duration,
}

impl Default for RadiusSockets {
    fn default() -> Self {
        Self {
            authentication: vec![SocketAddr::from(([127, 0, 0, 1], 1812))],
            accounting: Vec::new(),
            network_password_key_file: None,
            dictionaries: Vec::new(),
            radsec: Vec::new(),
            tls: None,
            duplicate_lifetime: Duration::from_secs(10),
            max_requests: 16_384,
            session_stale_after: Duration::from_hours(1),
            session_end_after: Duration::from_hours(7 * 24),
        }
    }
}

/// `[radius.tls]`: TLS of RADIUS connections, and their bounds. Where the files lie; `runtime` reads
/// them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RadiusTls {
    /// The certificate chain in PEM, the server's own first.
    pub certificate: PathBuf,
    /// Its private key in PEM.
    pub private_key: PathBuf,
    /// The CAs in PEM whose client certificates are accepted.
    pub client_ca: PathBuf,
    /// Their revocation lists in PEM.
    pub client_crl: Option<PathBuf>,
    /// Whether RADIUS/1.1 is spoken (RFC 9765).
    #[serde(default)]
    pub radius_1_1: RadiusOneOne,
    /// Connections open at once.
    #[serde(default = "max_connections")]
    pub max_connections: usize,
    /// Those of one client.
    #[serde(default = "max_connections_per_client")]
    pub max_connections_per_client: usize,
    /// How long a handshake may take.
    #[serde(default = "ten_seconds", deserialize_with = "super::value::span")]
    pub handshake_timeout: Duration,
    /// How long a client may be silent.
    #[serde(default = "idle_timeout", deserialize_with = "super::value::span")]
    pub idle_timeout: Duration,
    /// How long a client may take to read what it is sent.
    #[serde(default = "ten_seconds", deserialize_with = "super::value::span")]
    pub write_timeout: Duration,
}

/// Whether RADIUS/1.1 is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RadiusOneOne {
    /// Never.
    Off,
    /// Where the client offers it.
    #[default]
    Allow,
    /// Always.
    Require,
}

impl RadiusSockets {
    pub(super) fn resolve(&mut self, folder: &Path) {
        if let Some(path) = &mut self.network_password_key_file {
            *path = folder.join(&*path);
        }
        for path in &mut self.dictionaries {
            *path = folder.join(&*path);
        }
        let Some(tls) = &mut self.tls else {
            return;
        };
        for file in [
            Some(&mut tls.certificate),
            Some(&mut tls.private_key),
            Some(&mut tls.client_ca),
            tls.client_crl.as_mut(),
        ]
        .into_iter()
        .flatten()
        {
            *file = folder.join(&*file);
        }
    }
}

fn max_connections() -> usize {
    1024
}

fn max_connections_per_client() -> usize {
    64
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

fn idle_timeout() -> Duration {
    Duration::from_mins(10)
}

/// One `[[radius.client]]`: a NAS or a range of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Entry")]
pub struct RadiusClient {
    /// The name events refer to.
    pub name: ClientName,
    /// Where it sends from; anywhere where empty, which only a client with a certificate may leave
    /// it.
    pub address: Vec<IpNet>,
    /// The shared secret of its datagrams, or where it lies; it sends none where absent.
    pub secret: Option<SecretSource>,
    /// The names of the certificates that it shows over TLS; it does not connect where empty.
    pub certificate: Vec<CertificateName>,
    /// The resource that asks through it.
    pub resource: ResourceName,
    /// Requests without a valid Message-Authenticator are dropped (CVE-2024-3596).
    pub require_message_authenticator: bool,
    /// Where it is not required: requests with a Proxy-State and without it are dropped.
    pub limit_proxy_state: bool,
    /// How it is asked to end sessions.
    pub disconnect: Disconnect,
    /// Whether known devices are let in through it by their address alone.
    pub mab: bool,
    /// Other resources by SSID, the tail of `Called-Station-Id` (RFC 3580 3.20).
    pub ssid: BTreeMap<String, ResourceName>,
    /// The resource of an SSID that `ssid` does not name; refused where absent.
    pub ssid_default: Option<ResourceName>,
}

impl RadiusClient {
    /// What the entry says of resources.
    pub fn resources(&self) -> ClientResources {
        ClientResources {
            client: self.name.clone(),
            resource: self.resource.clone(),
            ssid: self
                .ssid
                .iter()
                .map(|(ssid, resource)| (ssid.clone(), resource.clone()))
                .collect(),
            ssid_default: self.ssid_default.clone(),
            mab: self.mab,
        }
    }

    pub(super) fn resolve(&mut self, folder: &Path) {
        if let Some(SecretSource::File(path)) = &mut self.secret {
            *path = folder.join(&*path);
        }
        if let Some(path) = &mut self.disconnect.secret_file {
            *path = folder.join(&*path);
        }
    }
}

/// How a client is asked to end sessions (RFC 5176).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Disconnect {
    /// Whether it is asked at all.
    pub enabled: bool,
    /// Where; the source of its reports where absent.
    pub address: Option<IpAddr>,
    /// At which port.
    pub port: u16,
    /// The file of the secret for this; the client's secret where absent.
    pub secret_file: Option<PathBuf>,
}

impl Default for Disconnect {
    fn default() -> Self {
        Self {
            enabled: true,
            address: None,
            port: 3799,
            secret_file: None,
        }
    }
}

/// Where a shared secret comes from.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// From the configuration file itself: for demonstrations.
    Inline(Secret),
    /// From a file of its own, read by [`super::secrets`].
    File(PathBuf),
}

/// The entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: ClientName,
    #[serde(default, deserialize_with = "super::value::networks")]
    address: Vec<IpNet>,
    #[serde(default, deserialize_with = "super::value::list")]
    certificate: Vec<CertificateName>,
    #[serde(default, deserialize_with = "inline")]
    secret: Option<Secret>,
    secret_file: Option<PathBuf>,
    resource: ResourceName,
    #[serde(default = "yes")]
    require_message_authenticator: bool,
    #[serde(default = "yes")]
    limit_proxy_state: bool,
    #[serde(default)]
    disconnect: Disconnect,
    #[serde(default)]
    mab: bool,
    #[serde(default)]
    ssid: BTreeMap<Ssid, ResourceName>,
    ssid_default: Option<ResourceName>,
}

fn yes() -> bool {
    true
}

impl TryFrom<Entry> for RadiusClient {
    type Error = String;

    fn try_from(entry: Entry) -> Result<Self, String> {
        let secret = match (entry.secret, entry.secret_file) {
            (Some(secret), None) => Some(SecretSource::Inline(secret)),
            (None, Some(path)) => Some(SecretSource::File(path)),
            (Some(_), Some(_)) => {
                return Err(format!(
                    "client '{}' has both `secret` and `secret_file`: keep one",
                    entry.name
                ));
            }
            (None, None) if entry.certificate.is_empty() => {
                return Err(format!(
                    "client '{}' has no `secret_file` for its datagrams, and no `certificate` for \
                     TLS",
                    entry.name
                ));
            }
            (None, None) => None,
        };
        if secret.is_some() && entry.address.is_empty() {
            return Err(format!(
                "client '{}' has no `address`: it tells whose datagrams are under the secret",
                entry.name
            ));
        }
        if entry.ssid.is_empty() && entry.ssid_default.is_some() {
            return Err(format!(
                "client '{}' has `ssid_default` and no `ssid`: `resource` alone says the same",
                entry.name
            ));
        }
        Ok(Self {
            name: entry.name,
            address: entry.address,
            secret,
            certificate: entry.certificate,
            resource: entry.resource,
            require_message_authenticator: entry.require_message_authenticator,
            limit_proxy_state: entry.limit_proxy_state,
            disconnect: entry.disconnect,
            mab: entry.mab,
            ssid: entry
                .ssid
                .into_iter()
                .map(|(ssid, resource)| (ssid.0, resource))
                .collect(),
            ssid_default: entry.ssid_default,
        })
    }
}

/// The name of a wireless network: 1 to 32 bytes (IEEE 802.11 9.4.2.2).
#[derive(PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct Ssid(String);

impl TryFrom<String> for Ssid {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() || text.len() > 32 {
            return Err(format!("'{text}' is not an SSID: 1 to 32 bytes"));
        }
        Ok(Self(text))
    }
}

/// Reads an inline secret; a value of another type is refused without being repeated.
fn inline<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    use serde::de::Error as _;

    /// Either text or anything else, whose content is dropped.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Text(String),
        Other(serde::de::IgnoredAny),
    }

    match Given::deserialize(deserializer)? {
        Given::Text(text) if text.is_empty() => Err(D::Error::custom("the secret is empty")),
        Given::Text(text) => Ok(Some(Secret::new(text.into_bytes()))),
        Given::Other(_) => Err(D::Error::custom("wrong type: expected text in quotes")),
    }
}
