//! What the configuration says about EAP; swapped whole on reload.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;

use super::packet::kind;
use super::resumption::Resumption;
use doorward_domain::user_certificate::NamedBy;

/// A method that a peer may authenticate by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// EAP-TTLS: a password inside a TLS tunnel (RFC 5281).
    Ttls,
    /// PEAP, version 0: EAP inside a TLS tunnel (MS-PEAP).
    Peap,
    /// EAP-TLS: a certificate of the user's (RFC 5216, RFC 9190).
    Tls,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 3] = [Self::Ttls, Self::Peap, Self::Tls];

    /// Its number on the wire.
    pub const fn number(self) -> u8 {
        match self {
            Self::Ttls => kind::TTLS,
            Self::Peap => kind::PEAP,
            Self::Tls => kind::TLS,
        }
    }

    /// The method with that number.
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|method| method.number() == number)
    }

    /// Its name in the configuration, in metrics and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ttls => "ttls",
            Self::Peap => "peap",
            Self::Tls => "tls",
        }
    }

    /// The label of its key in TLS 1.2.
    pub(super) const fn label(self) -> &'static [u8] {
        match self {
            Self::Ttls => b"ttls keying material",
            Self::Peap | Self::Tls => b"client EAP encryption",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A method of EAP inside a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InnerMethod {
    /// Generic Token Card: the password itself.
    Gtc,
    /// MS-CHAPv2, by the network password.
    MsChapV2,
}

impl InnerMethod {
    /// Every method.
    pub const ALL: [Self; 2] = [Self::Gtc, Self::MsChapV2];

    /// Its number on the wire.
    pub const fn number(self) -> u8 {
        match self {
            Self::Gtc => kind::GTC,
            Self::MsChapV2 => kind::MSCHAPV2,
        }
    }

    /// The method with that number.
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|method| method.number() == number)
    }
}

/// How much of the gateway conversations may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Conversations open at once, over all clients.
    pub sessions: usize,
    /// Those of one client.
    pub sessions_per_client: usize,
    /// Those of one device of a client.
    pub sessions_per_device: usize,
    /// How long one may last.
    pub lifetime: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            sessions: 16_384,
            sessions_per_client: 4096,
            sessions_per_device: 8,
            lifetime: Duration::from_mins(1),
        }
    }
}

/// What users' certificates are verified by, and which of their names counts.
pub struct UserCertificates {
    tls: Box<dyn Fn() -> Option<Arc<ServerConfig>> + Send + Sync>,
    named_by: NamedBy,
}

impl UserCertificates {
    /// Takes a source of TLS that lets nobody in without a certificate that it verified. It is
    /// asked at each conversation, since CAs and revocation lists change.
    pub fn new(
        named_by: NamedBy,
        tls: impl Fn() -> Option<Arc<ServerConfig>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            tls: Box::new(tls),
            named_by,
        }
    }

    /// TLS as it is spoken at the moment.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        (self.tls)()
    }

    /// Which name says whose a certificate is.
    pub(super) fn named_by(&self) -> NamedBy {
        self.named_by
    }
}

impl fmt::Debug for UserCertificates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("UserCertificates")
            .field("named_by", &self.named_by)
            .finish_non_exhaustive()
    }
}

/// How conversations are held.
#[derive(Debug)]
pub struct Settings {
    /// The methods offered, the preferred one first.
    pub methods: Vec<Method>,
    /// The methods of EAP inside a tunnel, the preferred one first. MS-CHAPv2 among them is taken
    /// in TTLS without EAP too.
    pub inner: Vec<InnerMethod>,
    /// TLS as the tunnelled methods speak it: certificate and versions.
    pub tls: Arc<ServerConfig>,
    /// The longest EAP packet sent, in octets, where the NAS's Framed-MTU does not say less.
    pub fragment_size: usize,
    /// What EAP-TLS takes certificates by; nothing where it is not spoken.
    pub certificates: Option<UserCertificates>,
    /// The sessions that may be taken up again; nothing where none may.
    pub resumption: Option<Arc<Resumption>>,
    /// The bounds on conversations.
    pub bounds: Bounds,
}

impl Settings {
    /// The shortest [`Settings::fragment_size`] that makes sense.
    pub const MIN_FRAGMENT_SIZE: usize = 100;
    /// The longest: what still fits a NAS's Ethernet frame.
    pub const MAX_FRAGMENT_SIZE: usize = 1400;
    /// What it is unless configured.
    pub const DEFAULT_FRAGMENT_SIZE: usize = 1024;

    /// The methods that can be offered, the preferred one first: EAP-TLS only where certificates
    /// are taken.
    pub(super) fn offers(&self) -> impl Iterator<Item = Method> {
        self.methods
            .iter()
            .copied()
            .filter(|method| *method != Method::Tls || self.certificates.is_some())
    }

    /// The longest EAP packet to send to a NAS with that Framed-MTU (RFC 3579 §2.4: four octets of
    /// EAPOL come before it).
    pub fn packet_length(&self, framed_mtu: Option<u32>) -> usize {
        let cap = self
            .fragment_size
            .clamp(Self::MIN_FRAGMENT_SIZE, Self::MAX_FRAGMENT_SIZE);
        framed_mtu
            .and_then(|mtu| usize::try_from(mtu).ok())
            .map_or(cap, |mtu| cap.min(mtu.saturating_sub(4)))
            .max(Self::MIN_FRAGMENT_SIZE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_found_by_its_number() {
        for method in Method::ALL {
            assert_eq!(Method::of(method.number()), Some(method));
        }
        assert_eq!(Method::of(kind::IDENTITY), None);
        for method in InnerMethod::ALL {
            assert_eq!(InnerMethod::of(method.number()), Some(method));
        }
        assert_eq!(InnerMethod::of(kind::NAK), None);
    }
}
