//! What the authenticator answers, and the proofs that nothing else can make.

use std::time::Duration;

use crate::domain::device::MacAddress;
use crate::domain::id::{AccountId, DeviceId, Epoch, ServiceId};
use crate::domain::name::{ResourceName, ServiceName, Username};
pub use crate::domain::refusal::Refusal;
use crate::domain::reply::ReplyAttributes;
pub use crate::network_password::{MsChapV2Failure, MsChapV2Success};
use crate::store;
use crate::store::changes::Applied;

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

impl From<store::Unavailable> for Undecided {
    fn from(error: store::Unavailable) -> Self {
        match error {
            store::Unavailable::Busy => Self::Busy,
            broken @ store::Unavailable::Broken(_) => Self::Unavailable(broken.to_string()),
        }
    }
}

/// Proof that a user got in: made by the authenticator alone, from a settled right password of an
/// account that its state and its bindings admit to the resource.
#[derive(Debug)]
pub struct Authenticated {
    pub(super) account: AccountId,
    pub(super) username: Username,
    pub(super) epoch: Epoch,
    pub(super) resource: Option<ResourceName>,
    pub(super) expires_in: Option<Duration>,
    pub(super) reply: ReplyAttributes,
    pub(super) ms_chap_v2: Option<MsChapV2Success>,
    pub(super) by_network_password: bool,
}

impl Authenticated {
    /// The account.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The username, in its own case.
    pub fn username(&self) -> &Username {
        &self.username
    }

    /// The resource it got into; none is the portal.
    pub fn resource(&self) -> Option<&ResourceName> {
        self.resource.as_ref()
    }

    /// The credential epoch it was made under.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The ground on which this can be taken up again.
    pub fn ground(&self) -> Ground {
        Ground {
            account: self.account,
            username: self.username.clone(),
            epoch: self.epoch,
            by_network_password: self.by_network_password,
        }
    }

    /// How long the password still lasts, where that is short enough for a warning.
    pub fn expires_in(&self) -> Option<Duration> {
        self.expires_in
    }

    /// What an Access-Accept tells of the user's network, as the account was read; nothing for a
    /// protocol that has no such thing.
    pub fn reply(&self) -> &ReplyAttributes {
        &self.reply
    }

    /// What the peer is to be shown in return, where it got in by MS-CHAPv2.
    pub fn ms_chap_v2(&self) -> Option<&MsChapV2Success> {
        self.ms_chap_v2.as_ref()
    }

    /// The proof that takes this one's place where the user changed the password under it, so that
    /// the session that asked for the change outlives it, and no other. `None` where the change
    /// was of another account, or not from the epoch of this proof. Only what may name the store
    /// can call it: the word of a front end renews nothing.
    pub fn renewed(&self, changed: &Applied) -> Option<Self> {
        let next = Epoch(self.epoch.0.checked_add(1)?);
        let own = changed.event.account == Some(self.account);
        (own && changed.password_epoch == Some(next)).then(|| Self {
            account: self.account,
            username: self.username.clone(),
            epoch: next,
            resource: self.resource.clone(),
            expires_in: None,
            reply: self.reply.clone(),
            ms_chap_v2: None,
            by_network_password: self.by_network_password,
        })
    }
}

/// What a session that was granted can be taken up again on: nobody can make one but of a proof.
/// It grants nothing by itself; the authenticator looks at the account anew.
#[derive(Clone, PartialEq, Eq)]
pub struct Ground {
    pub(super) account: AccountId,
    pub(super) username: Username,
    pub(super) epoch: Epoch,
    /// A network password opens no other doors by way of a session (CONTRACT.md 6).
    pub(super) by_network_password: bool,
}

impl Ground {
    /// The username, as it was then.
    pub fn username(&self) -> &Username {
        &self.username
    }
}

impl std::fmt::Debug for Ground {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Ground")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// Proof of the right password of a user who must change it. No session but one that changes the
/// password, and no Access-Accept, can be made of it.
#[derive(Debug)]
pub struct ChangeProof {
    pub(super) account: AccountId,
    pub(super) username: Username,
    pub(super) epoch: Epoch,
    pub(super) resource: Option<ResourceName>,
}

impl ChangeProof {
    /// The account.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The username, in its own case.
    pub fn username(&self) -> &Username {
        &self.username
    }

    /// The credential epoch it was made under.
    pub fn epoch(&self) -> Epoch {
        self.epoch
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
pub struct AuthenticatedService {
    pub(super) service: ServiceId,
    pub(super) name: ServiceName,
    pub(super) epoch: Epoch,
    pub(super) may_search: bool,
}

impl AuthenticatedService {
    /// The service account's name.
    pub fn name(&self) -> &ServiceName {
        &self.name
    }

    /// Whether it may read people and groups.
    pub fn may_search(&self) -> bool {
        self.may_search
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
pub struct AdmittedDevice {
    pub(super) device: DeviceId,
    pub(super) address: MacAddress,
    pub(super) resource: ResourceName,
    pub(super) reply: ReplyAttributes,
}

impl AdmittedDevice {
    /// The device.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// Its address.
    pub fn address(&self) -> MacAddress {
        self.address
    }

    /// The resource it got into.
    pub fn resource(&self) -> &ResourceName {
        &self.resource
    }

    /// What its network is told about it.
    pub fn reply(&self) -> &ReplyAttributes {
        &self.reply
    }
}

#[cfg(test)]
impl AdmittedDevice {
    /// A proof out of nothing, for unit tests of front ends alone.
    pub(crate) fn for_tests(
        device: DeviceId,
        address: &str,
        resource: &str,
        reply: ReplyAttributes,
    ) -> Self {
        Self {
            device,
            address: MacAddress::parse(address).unwrap(),
            resource: ResourceName::parse(resource).unwrap(),
            reply,
        }
    }
}

#[cfg(test)]
impl Authenticated {
    /// A proof out of nothing, for unit tests of front ends alone.
    pub(crate) fn for_tests(account: AccountId, username: &str, resource: Option<&str>) -> Self {
        Self {
            account,
            username: Username::parse(username).unwrap(),
            epoch: Epoch(1),
            resource: resource.map(|name| ResourceName::parse(name).unwrap()),
            expires_in: None,
            reply: ReplyAttributes::default(),
            ms_chap_v2: None,
            by_network_password: false,
        }
    }

    /// The same, as if it came by MS-CHAPv2.
    pub(crate) fn by_ms_chap_v2(self) -> Self {
        Self {
            ms_chap_v2: Some(MsChapV2Success::for_tests()),
            by_network_password: true,
            ..self
        }
    }

    /// The same, with reply attributes.
    pub(crate) fn with_reply(self, reply: ReplyAttributes) -> Self {
        Self { reply, ..self }
    }
}

#[cfg(test)]
impl ChangeProof {
    /// A proof out of nothing, for unit tests of front ends alone.
    pub(crate) fn for_tests(account: AccountId, username: &str) -> Self {
        Self {
            account,
            username: Username::parse(username).unwrap(),
            epoch: Epoch(1),
            resource: None,
        }
    }
}

#[cfg(test)]
impl AuthenticatedService {
    /// A proof out of nothing, for unit tests of front ends alone.
    pub(crate) fn for_tests(name: &str, may_search: bool) -> Self {
        Self {
            service: ServiceId::new(crate::domain::time::Timestamp::EPOCH),
            name: ServiceName::parse(name).unwrap(),
            epoch: Epoch(1),
            may_search,
        }
    }
}
