//! What the authenticator answers, and the proofs that nothing else can make.

use std::time::Duration;

use doorward_domain::device::MacAddress;
use doorward_domain::id::{AccountId, DeviceId, Epoch, ServiceId};
use doorward_domain::name::{ResourceName, ServiceName, Username};
pub use doorward_domain::refusal::Refusal;
use doorward_domain::reply::ReplyAttributes;
use doorward_domain::unavailable::Unavailable;
pub use doorward_hashes::network_password::{MsChapV2Failure, MsChapV2Success};

use crate::authority::Authority;

/// The answer to an attempt.
#[must_use]
#[derive(Debug)]
pub enum Verdict {
    /// Let in.
    Granted(Authenticated),
    /// The right password, good for changing it and nothing else (CONTRACT.md 2).
    ChangeOnly(ChangeProof),
    /// Refused; the reason is for the log and never for the wire.
    Refused(Refusal),
}

/// There is no verdict. Never to be shown as a wrong password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// The store cannot answer (CONTRACT.md 5.4): LDAP 52 and a Notice of Disconnection, RADIUS
    /// silence, HTTP 503.
    #[error("{0}")]
    Unavailable(String),
    /// No free place within a second, or the hashing queue or that of the store is full
    /// (CONTRACT.md 3.3, 3.7): LDAP 51, RADIUS silence, HTTP 503.
    #[error("busy")]
    Busy,
}

impl From<Unavailable> for Undecided {
    fn from(error: Unavailable) -> Self {
        match error {
            Unavailable::Busy => Self::Busy,
            broken @ Unavailable::Broken(_) => Self::Unavailable(broken.to_string()),
        }
    }
}

/// Proof that a user got in: made by the authenticator alone, from a settled right password of an
/// account that its state and its bindings admit to the resource.
#[derive(Debug)]
pub struct Authenticated(Grant);

/// What the core grants a user.
#[derive(Debug)]
pub struct Grant {
    pub account: AccountId,
    pub username: Username,
    pub epoch: Epoch,
    pub resource: Option<ResourceName>,
    pub expires_in: Option<Duration>,
    pub reply: ReplyAttributes,
    pub ms_chap_v2: Option<MsChapV2Success>,
    pub by_network_password: bool,
}

impl Authenticated {
    /// The proof of a grant that the core has made.
    pub fn prove(grant: Grant, _: &Authority) -> Self {
        Self(grant)
    }

    /// The account.
    pub fn account(&self) -> AccountId {
        self.0.account
    }

    /// The username, in its own case.
    pub fn username(&self) -> &Username {
        &self.0.username
    }

    /// The resource it got into; none is the portal.
    pub fn resource(&self) -> Option<&ResourceName> {
        self.0.resource.as_ref()
    }

    /// The credential epoch it was made under.
    pub fn epoch(&self) -> Epoch {
        self.0.epoch
    }

    /// What a session of this can be resumed on.
    pub fn resumption_grant(&self) -> ResumptionGrant {
        ResumptionGrant {
            account: self.0.account,
            username: self.0.username.clone(),
            epoch: self.0.epoch,
            by_network_password: self.0.by_network_password,
        }
    }

    /// How long the password still lasts, where that is short enough for a warning.
    pub fn expires_in(&self) -> Option<Duration> {
        self.0.expires_in
    }

    /// What an Access-Accept tells of the user's network, as the account was read; nothing for a
    /// protocol that has no such thing.
    pub fn reply(&self) -> &ReplyAttributes {
        &self.0.reply
    }

    /// What the peer is to be shown in return, where it got in by MS-CHAPv2.
    pub fn ms_chap_v2(&self) -> Option<&MsChapV2Success> {
        self.0.ms_chap_v2.as_ref()
    }

    /// The proof that takes this one's place where the user changed the password under it, so that
    /// the session that asked for the change outlives it, and no other. `None` where the change
    /// was of another account, or did not lead from the epoch of this proof to the next.
    pub fn renewed(
        &self,
        account: AccountId,
        password_epoch: Epoch,
        authority: &Authority,
    ) -> Option<Self> {
        let next = Epoch(self.0.epoch.0.checked_add(1)?);
        (account == self.0.account && password_epoch == next).then(|| {
            let grant = Grant {
                account,
                username: self.0.username.clone(),
                epoch: next,
                resource: self.0.resource.clone(),
                expires_in: None,
                reply: self.0.reply.clone(),
                ms_chap_v2: None,
                by_network_password: self.0.by_network_password,
            };
            Self::prove(grant, authority)
        })
    }
}

/// What a TLS session of EAP can be resumed on. Made from a proof; grants nothing by itself, since
/// the authenticator reads the account anew.
#[derive(Clone, PartialEq, Eq)]
pub struct ResumptionGrant {
    account: AccountId,
    username: Username,
    epoch: Epoch,
    by_network_password: bool,
}

impl ResumptionGrant {
    /// The account.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The username, as it was then.
    pub fn username(&self) -> &Username {
        &self.username
    }

    /// The credential epoch of the proof.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether the proof came of a network password, which admits to no other resources by way of
    /// a resumed session (CONTRACT.md 6).
    pub fn by_network_password(&self) -> bool {
        self.by_network_password
    }
}

impl std::fmt::Debug for ResumptionGrant {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ResumptionGrant")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// Proof of the right password of a user who must change it. No session but one that changes the
/// password, and no Access-Accept, can be made of it.
#[derive(Debug)]
pub struct ChangeProof(ChangeGrant);

/// What the core grants a user who must change the password.
#[derive(Debug)]
pub struct ChangeGrant {
    pub account: AccountId,
    pub username: Username,
    pub epoch: Epoch,
    pub resource: Option<ResourceName>,
}

impl ChangeProof {
    /// The proof of a grant that the core has made.
    pub fn prove(grant: ChangeGrant, _: &Authority) -> Self {
        Self(grant)
    }

    /// The resource it got into; none is the portal.
    pub fn resource(&self) -> Option<&ResourceName> {
        self.0.resource.as_ref()
    }

    /// The account.
    pub fn account(&self) -> AccountId {
        self.0.account
    }

    /// The username, in its own case.
    pub fn username(&self) -> &Username {
        &self.0.username
    }

    /// The credential epoch it was made under.
    pub fn epoch(&self) -> Epoch {
        self.0.epoch
    }
}

/// The answer to a service account's attempt.
#[must_use]
#[derive(Debug)]
pub enum ServiceVerdict {
    /// Bound.
    Granted(AuthenticatedService),
    /// Refused; the reason is for the log.
    Refused(Refusal),
}

/// Proof that a service account bound.
#[derive(Debug)]
pub struct AuthenticatedService(ServiceGrant);

/// What the core grants a service account.
#[derive(Debug)]
pub struct ServiceGrant {
    pub service: ServiceId,
    pub name: ServiceName,
    pub epoch: Epoch,
    pub may_search: bool,
}

impl AuthenticatedService {
    /// The proof of a grant that the core has made.
    pub fn prove(grant: ServiceGrant, _: &Authority) -> Self {
        Self(grant)
    }

    /// The service account.
    pub fn service(&self) -> ServiceId {
        self.0.service
    }

    /// The credential epoch it was made under.
    pub fn epoch(&self) -> Epoch {
        self.0.epoch
    }

    /// The service account's name.
    pub fn name(&self) -> &ServiceName {
        &self.0.name
    }

    /// Whether it may read people and groups.
    pub fn may_search(&self) -> bool {
        self.0.may_search
    }
}

/// The answer to a device's attempt.
#[must_use]
#[derive(Debug)]
pub enum DeviceVerdict {
    /// Let in.
    Granted(AdmittedDevice),
    /// Refused; the reason is for the log.
    Refused(Refusal),
}

/// Proof that a device is let in by its address: made by the authenticator alone, and no road leads
/// from it to an account.
#[derive(Debug)]
pub struct AdmittedDevice(DeviceGrant);

/// What the core grants a device.
#[derive(Debug)]
pub struct DeviceGrant {
    pub device: DeviceId,
    pub address: MacAddress,
    pub resource: ResourceName,
    pub reply: ReplyAttributes,
}

impl AdmittedDevice {
    /// The proof of a grant that the core has made.
    pub fn prove(grant: DeviceGrant, _: &Authority) -> Self {
        Self(grant)
    }

    /// The device.
    pub fn device(&self) -> DeviceId {
        self.0.device
    }

    /// Its address.
    pub fn address(&self) -> MacAddress {
        self.0.address
    }

    /// The resource it got into.
    pub fn resource(&self) -> &ResourceName {
        &self.0.resource
    }

    /// What its network is told about it.
    pub fn reply(&self) -> &ReplyAttributes {
        &self.0.reply
    }
}
