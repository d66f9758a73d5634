//! `[eap]`: how users on Wi-Fi and wired ports authenticate over RADIUS. Where the files lie;
//! `runtime` reads them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use doorward_domain::user_certificate::NamedBy;

/// EAP as it is spoken with every RADIUS client.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Eap {
    /// The certificate chain in PEM, the server's own first. Devices pin its CA and its name, so it
    /// is one of its own, of a private CA.
    pub certificate: PathBuf,
    /// Its private key in PEM.
    pub private_key: PathBuf,
    /// The CAs in PEM whose certificates let users in by EAP-TLS.
    pub client_ca: Option<PathBuf>,
    /// Their revocation lists in PEM.
    pub client_crl: Option<PathBuf>,
    /// Which name in a user's certificate says whose it is.
    pub client_name: Option<NamedBy>,
    /// The methods offered, the preferred one first.
    #[serde(default = "methods", deserialize_with = "super::value::list")]
    pub methods: Vec<EapMethod>,
    /// What is spoken inside a tunnel beside PAP, the preferred one first.
    #[serde(default = "inner", deserialize_with = "super::value::list")]
    pub inner: Vec<InnerEapMethod>,
    /// The oldest TLS spoken.
    #[serde(default = "oldest")]
    pub min_tls: EapTls,
    /// The newest TLS spoken.
    #[serde(default = "newest")]
    pub max_tls: EapTls,
    /// The longest EAP packet sent, in octets, where Framed-MTU does not say less.
    #[serde(default = "fragment_size")]
    pub fragment_size: usize,
    /// How long after a login the device may take its TLS session up again; zero for never.
    #[serde(
        default = "resumption_lifetime",
        deserialize_with = "super::value::span"
    )]
    pub resumption_lifetime: Duration,
    /// Conversations open at once, over all clients.
    #[serde(default = "max_sessions")]
    pub max_sessions: usize,
    /// Those of one client.
    #[serde(default = "max_sessions_per_client")]
    pub max_sessions_per_client: usize,
    /// Those of one device of a client.
    #[serde(default = "max_sessions_per_device")]
    pub max_sessions_per_device: usize,
    /// How long one may last.
    #[serde(default = "session_lifetime", deserialize_with = "super::value::span")]
    pub session_lifetime: Duration,
}

/// A method of `eap.methods`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EapMethod {
    /// EAP-TTLS with a password inside.
    Ttls,
    /// PEAP, version 0, with GTC inside.
    Peap,
    /// EAP-TLS with a certificate of the user's.
    Tls,
}

/// A method of `eap.inner`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InnerEapMethod {
    /// Generic Token Card: the password, in EAP.
    Gtc,
    /// MS-CHAPv2, in EAP or in TTLS's attributes: the network password.
    MsChapV2,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum EapTls {
    /// TLS 1.2 (RFC 5246).
    #[serde(rename = "1.2")]
    V12,
    /// TLS 1.3 (RFC 8446).
    #[serde(rename = "1.3")]
    V13,
}

impl Eap {
    pub(super) fn resolve(&mut self, folder: &Path) {
        self.certificate = folder.join(&self.certificate);
        self.private_key = folder.join(&self.private_key);
        for file in [&mut self.client_ca, &mut self.client_crl]
            .into_iter()
            .flatten()
        {
            *file = folder.join(&*file);
        }
    }
}

fn methods() -> Vec<EapMethod> {
    vec![EapMethod::Ttls, EapMethod::Peap]
}

fn inner() -> Vec<InnerEapMethod> {
    vec![InnerEapMethod::Gtc]
}

fn oldest() -> EapTls {
    EapTls::V12
}

fn newest() -> EapTls {
    EapTls::V13
}

fn fragment_size() -> usize {
    1024
}

fn max_sessions() -> usize {
    16_384
}

fn max_sessions_per_client() -> usize {
    4096
}

fn max_sessions_per_device() -> usize {
    8
}

fn session_lifetime() -> Duration {
    Duration::from_mins(1)
}

fn resumption_lifetime() -> Duration {
    Duration::from_hours(8)
}
