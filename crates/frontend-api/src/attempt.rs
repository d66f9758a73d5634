//! What a front end brings: who claims to be whom, with what evidence, from where.

use std::sync::Arc;

use doorward_domain::certificate::CertificateNames;
use doorward_domain::challenge::ChallengeResponse;
use doorward_domain::device::MacAddress;
use doorward_domain::id::RequestId;
use doorward_domain::origin::{Origin, Protocol};
use doorward_domain::resource::{AccessContext, ClientResources, ConnectionContext};
use doorward_domain::secret::{Password, PasswordShape};
use doorward_domain::time::Now;
use doorward_domain::user_certificate::UserCertificate;

use super::verdict::ResumptionGrant;

/// Who somebody claims to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// A name as it was typed: a username, `REALM\name`, `name@realm` or a mail address
    /// (CONTRACT.md 8). A bind DN's `uid` value counts as typed.
    Typed(String),
    /// A name of a shape no account's name has, such as a malformed DN. Refused like an unknown
    /// one, and as slowly.
    Malformed(String),
}

impl Claim {
    /// Takes a name from the wire. No account has an empty name, nor one that is not UTF-8.
    pub fn of(name: &[u8]) -> Self {
        match std::str::from_utf8(name) {
            Ok(name) if !name.is_empty() => Self::Typed(name.to_owned()),
            _ => Self::Malformed(String::from_utf8_lossy(name).into_owned()),
        }
    }
}

/// What an attempt brings as proof. Nothing in it is ever logged.
#[derive(Debug, Clone)]
pub enum Evidence {
    /// A password.
    Password(Password),
    /// A response to a challenge, computed from the network password.
    Response(ChallengeResponse),
    /// Bytes that cannot be a password; refused like a wrong one, and counted for nothing.
    Unusable(PasswordShape),
    /// A session of before, taken up again: what its protocol proved is who held it.
    Resumed(ResumptionGrant),
    /// A certificate that TLS verified. Whom it stands for is said by the certificate alone,
    /// whatever the claim.
    Certificate(Arc<UserCertificate>),
}

impl Evidence {
    /// Takes a password from the wire.
    pub fn password(bytes: &[u8]) -> Self {
        match Password::presented(bytes) {
            Ok(password) => Self::Password(password),
            Err(shape) => Self::Unusable(shape),
        }
    }
}

/// One attempt of a user to get in somewhere.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The request, for the log.
    pub request: RequestId,
    /// When it arrived: refusals leave at whole multiples of `refusal_delay` after it.
    pub received: Now,
    /// By which protocol it came.
    pub protocol: Protocol,
    /// The ground on which the resource is chosen.
    pub asking: AccessContext,
    /// Who it claims to be.
    pub claim: Claim,
    /// The proof.
    pub evidence: Evidence,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether the client asked for password policy, so that "must change" can be told.
    pub asked_for_password_policy: bool,
}

/// One attempt of a device to get in somewhere by its address alone. RADIUS only: the client says
/// whose port or association it is, and the device itself says nothing else.
#[derive(Debug, Clone)]
pub struct DeviceAttempt {
    /// The request, for the log.
    pub request: RequestId,
    /// When it arrived: refusals leave at whole multiples of `refusal_delay` after it.
    pub received: Now,
    /// The client that it came through.
    pub client: Arc<ClientResources>,
    /// `Called-Station-Id`, by which the client's entry may choose the resource.
    pub called_station: Option<String>,
    /// The device's address, as the client saw it.
    pub address: MacAddress,
    /// Where it comes from.
    pub origin: Origin,
}

/// What a service account's attempt brings as proof. A password comes for the name that was
/// claimed; a certificate claims nobody: whom it binds is the directory's to say.
#[derive(Debug, Clone)]
pub enum ServiceEvidence {
    /// A name and a password.
    Password {
        /// The name claimed.
        name: String,
        /// The password, or bytes that cannot be one, which are refused like a wrong one.
        password: Result<Password, PasswordShape>,
    },
    /// A client certificate that TLS verified on this connection.
    Certificate {
        /// The names it is known by.
        names: Arc<CertificateNames>,
        /// The service account to act as, where the client named one; no other is bound then.
        acting_as: Option<String>,
    },
}

impl ServiceEvidence {
    /// Takes a password from the wire.
    pub fn password(name: String, bytes: &[u8]) -> Self {
        Self::Password {
            name,
            password: Password::presented(bytes),
        }
    }
}

/// One attempt of a service account to bind (CONTRACT.md 3.8). LDAP only.
#[derive(Debug, Clone)]
pub struct ServiceAttempt {
    /// The request, for the log.
    pub request: RequestId,
    /// When it arrived.
    pub received: Now,
    /// The connection it came on.
    pub circumstances: ConnectionContext,
    /// Who it claims to be, and the proof.
    pub evidence: ServiceEvidence,
}
