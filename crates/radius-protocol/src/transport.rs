//! How packets come: as datagrams under a client's shared secret, or on a connection of TLS that
//! proves the client by its certificate (RFC 6614).
//!
//! Says what may come that way, by what it is proven, and what tells one request from another. No
//! socket.

use sha2::{Digest as _, Sha256};

use super::client::ClientSettings;
use super::wire::{Authenticator, Code, Keys, Packet, Presence, Token, token};
use doorward_domain::secret::Secret;

/// The shared secret of RADIUS/1.0 over TLS, the same for everybody (RFC 6614 §2.3): it proves and
/// hides nothing, TLS does.
pub const SECRET: &[u8] = b"radsec";

/// Which service a UDP socket offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Access-Request (port 1812).
    Authentication,
    /// Accounting-Request (port 1813).
    Accounting,
}

impl Service {
    /// The name in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Accounting => "accounting",
        }
    }
}

/// A version of the protocol, as both ends of a connection agree on it (RFC 9765 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// RADIUS/1.0: as over UDP, under a secret that everybody knows.
    V1_0,
    /// RADIUS/1.1: without MD5.
    V1_1,
}

impl Version {
    /// Its name in TLS (ALPN).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1_0 => "radius/1.0",
            Self::V1_1 => "radius/1.1",
        }
    }
}

/// One connection among all of the process's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub u64);

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// By UDP, to a socket of this service.
    Datagram(Service),
    /// Over TLS, from a client that its certificate names.
    Tls {
        /// The connection.
        connection: ConnectionId,
        /// What is spoken on it.
        version: Version,
    },
}

/// What a client tells its open requests apart by, for as long as its address or its connection is
/// the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestName {
    /// Of a datagram.
    Datagram(u8),
    /// Of a packet of RADIUS/1.0 on a connection.
    Identifier(ConnectionId, u8),
    /// Of a packet of RADIUS/1.1.
    Token(ConnectionId, Token),
}

/// SHA-256 over the octets of a packet.
pub type Digest = [u8; 32];

/// Who can have made a request, and who can send it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Anybody both.
    Absent,
    /// Its client alone made these octets, and whoever recorded them can send them, from any port.
    Octets(Digest),
    /// Its client alone both: nobody else sends on that connection.
    Connection,
}

impl Transport {
    /// The name in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Datagram(service) => service.as_str(),
            Self::Tls { .. } => "radsec",
        }
    }

    /// Whether packets of that code are served here. A connection carries them all (RFC 6614 §2.1).
    pub fn serves(self, code: Code) -> bool {
        match (self, code) {
            (_, Code::StatusServer)
            | (Self::Datagram(Service::Authentication), Code::AccessRequest)
            | (Self::Datagram(Service::Accounting), Code::AccountingRequest) => true,
            (Self::Tls { .. }, code) => {
                matches!(code, Code::AccessRequest | Code::AccountingRequest)
            }
            _ => false,
        }
    }

    /// Whether TLS has proven who sends.
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Tls { .. })
    }

    /// By what packets of that client are proven and their secrets hidden.
    pub fn keys(self, client: &ClientSettings) -> Keys {
        match self {
            Self::Datagram(_) => Keys::Md5(client.secret().clone()),
            Self::Tls { version, .. } => match version {
                Version::V1_0 => Keys::Md5(Secret::new(SECRET.to_vec())),
                Version::V1_1 => Keys::Tls,
            },
        }
    }

    /// What a request is called.
    pub fn name(self, packet: &Packet<'_>) -> RequestName {
        match self {
            Self::Datagram(_) => RequestName::Datagram(packet.identifier()),
            Self::Tls {
                connection,
                version,
            } => match version {
                Version::V1_0 => RequestName::Identifier(connection, packet.identifier()),
                Version::V1_1 => RequestName::Token(connection, token(packet.authenticator())),
            },
        }
    }

    /// What is the same only for the same request under the same name: the Request Authenticator.
    /// A Token says nothing of what it stands for, so there it is a digest of the packet; a client
    /// that uses one again too early must not be given another request's answer.
    pub fn fingerprint(self, packet: &Packet<'_>) -> Authenticator {
        match self {
            Self::Tls {
                version: Version::V1_1,
                ..
            } => {
                let mut short = Authenticator::default();
                short
                    .iter_mut()
                    .zip(digest(packet))
                    .for_each(|(to, from)| *to = from);
                short
            }
            _ => *packet.authenticator(),
        }
    }

    /// Who can have made a request of which this was found.
    pub fn proof(self, packet: &Packet<'_>, presence: Presence) -> Proof {
        match (presence, self) {
            (Presence::Absent, _) => Proof::Absent,
            (Presence::Verified, Self::Datagram(_)) => Proof::Octets(digest(packet)),
            (Presence::Verified, Self::Tls { .. }) => Proof::Connection,
        }
    }
}

fn digest(packet: &Packet<'_>) -> Digest {
    Sha256::digest(packet.bytes()).into()
}
