//! Events of the audit log (CONTRACT.md 9): one per decision, one per change, one for what time
//! alone caused. No password, hash, secret or link ever enters one.

use serde::{Deserialize, Serialize};

use super::certificate::CertificateNames;
use super::device::MacAddress;
use super::id::{AccountId, EventId, RequestId};
use super::name::{ClientName, ListenerName, ResourceName, ServiceName, Username};
use super::origin::{Origin, OriginKey, Protocol};
use super::refusal::Refusal;
use super::time::Timestamp;
use super::user_certificate::CertificateIdentity;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its identifier; sorts by time.
    pub id: EventId,
    /// When it happened; of several, the first.
    pub at: Timestamp,
    /// When the newest of them happened, where it stands for several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// How many equal ones it stands for.
    pub count: u32,
    /// What happened.
    #[serde(flatten)]
    pub body: EventBody,
}

/// What an event tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventBody {
    /// A decision.
    Attempt(AttemptEvent),
    /// A change by somebody, or by time alone.
    Change(ChangeEvent),
}

/// Who an attempt was about, as far as the directory knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "subject", rename_all = "snake_case")]
pub enum Subject {
    /// A user found.
    Account {
        /// The account.
        account: AccountId,
        /// Its username then.
        username: Username,
    },
    /// A service account found.
    Service {
        /// Its name.
        service: ServiceName,
    },
    /// A client certificate that stands for nobody.
    Certificate {
        /// The names it is known by, as far as they fit into [`Subject::LONGEST_CERTIFICATE`].
        certificate: String,
    },
    /// A device, known or not: its address, as its client saw it.
    Device {
        /// The address.
        device: MacAddress,
    },
    /// Devices that were refused, too many to be named one by one.
    Devices,
    /// No account matched: people type passwords here, so only a keyed digest and the length
    /// are kept.
    Unknown {
        /// Keyed digest of what was typed, in hexadecimal.
        digest: String,
        /// Its length in bytes.
        length: usize,
    },
}

impl Subject {
    /// How much of a certificate's names is kept, in characters.
    pub const LONGEST_CERTIFICATE: usize = 256;

    /// The subject of a certificate known by these names. An authority signed them, so they are
    /// kept as they are: whoever wonders why it was refused must see which it was.
    pub fn certificate(names: &CertificateNames) -> Self {
        let certificate = names.to_string();
        Self::Certificate {
            certificate: certificate
                .chars()
                .take(Self::LONGEST_CERTIFICATE)
                .collect(),
        }
    }
}

/// What a user may bring instead of a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// A session of before, taken up again.
    Session,
    /// A certificate.
    Certificate(CertificateIdentity),
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Let in.
    Granted,
    /// A session that can change the password and nothing else.
    ChangeOnly,
    /// Refused.
    Refused,
}

impl Outcome {
    /// The name in queries and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::ChangeOnly => "change_only",
            Self::Refused => "refused",
        }
    }
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptEvent {
    /// The request decided.
    pub request: RequestId,
    /// By which protocol it came.
    pub protocol: Protocol,
    /// The resource that asked, where one did.
    pub resource: Option<ResourceName>,
    /// Who it was about.
    #[serde(flatten)]
    pub subject: Subject,
    /// Where it came from.
    pub origin: Origin,
    /// What of that the other end cannot choose, once it is known what asks: equal events share it.
    /// Not kept, since the origin tells it.
    #[serde(skip)]
    pub origin_key: Option<OriginKey>,
    /// The LDAP listener it came in by.
    pub listener: Option<ListenerName>,
    /// The RADIUS client it came through.
    pub client: Option<ClientName>,
    /// The SSID asked for.
    pub ssid: Option<String>,
    /// What a user brought instead of a password, where it was something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Credential>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, where it was refused.
    pub reason: Option<Refusal>,
    /// From its arrival to the decision, in milliseconds.
    pub duration_ms: u64,
}

/// How the event of an attempt is kept, so that no flood fills the disk (CONTRACT.md 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// By itself, durable before the answer. Only for what locks and throttles bound.
    Apart,
    /// Counted with its equals of the same minute, durable before the answer.
    Counted,
    /// Counted with its equals of the same minute, durable within a second: for what is to cost no
    /// commit of its own.
    Gathered,
}

impl AttemptEvent {
    /// How it is kept.
    pub const fn keeping(&self) -> Keeping {
        match (self.outcome, self.reason) {
            (Outcome::Refused, Some(reason)) => reason.keeping(),
            (Outcome::Refused, None) => Keeping::Apart,
            // The right password can be sent as often as one likes.
            (Outcome::Granted | Outcome::ChangeOnly, _) => Keeping::Counted,
        }
    }
}

/// Who made a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "actor", rename_all = "snake_case")]
pub enum Actor {
    /// Somebody at the command line: the Unix login.
    LocalLogin {
        /// The login's name.
        login: String,
    },
    /// The user itself.
    User {
        /// Its username.
        username: Username,
    },
    /// The gateway: failed attempts, or time alone.
    Gateway,
}

/// A change, before and after. The values are what `user show` prints, never a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeEvent {
    /// Who made it.
    #[serde(flatten)]
    pub actor: Actor,
    /// What was done, such as `user.suspend`.
    pub action: String,
    /// To what, such as a username or a group's name.
    pub target: String,
    /// The account concerned, where it is one.
    pub account: Option<AccountId>,
    /// The resource concerned, where it is one.
    pub resource: Option<ResourceName>,
    /// The values changed, before.
    pub before: serde_json::Value,
    /// The values changed, after.
    pub after: serde_json::Value,
}
