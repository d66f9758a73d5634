//! What a [`Conversation`](super::Conversation) says to whoever drives it.

use std::sync::Arc;

use crate::controls::Asked;
use crate::decode::{Compare, MessageId, Request, RequestKind, UnparsedDn};
use crate::password::PasswordAction;
use crate::result::Reply;
use crate::sasl::Mechanism;
use crate::search::Wanted;
use doorward_domain::id::{AccountId, RequestId};
use doorward_domain::resource::AccessContext;
use doorward_domain::secret::Password;
use doorward_domain::time::Now;
use doorward_frontend_api::Owner;
use doorward_frontend_api::{Attempt, Authenticated, ChangeProof, ServiceAttempt};

use super::passwords::Client;
use super::{Binding, Identity};

/// What is known of a request besides its content.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// When it arrived.
    pub now: Now,
    /// Its id in logs and events.
    pub request: RequestId,
    /// Whether bytes of a further message have been read already.
    pub bytes_behind: bool,
}

/// What to do next.
#[derive(Debug)]
#[must_use]
pub enum Step {
    /// Nothing.
    Nothing,
    /// Send this.
    Send(Reply),
    /// Let every outstanding operation end, then hand the request in again: a bind is processed
    /// alone (RFC 4511 section 4.2.1).
    WaitForOperations(Box<Request>),
    /// Ask the authenticator, then call [`super::Conversation::user_decided`].
    AskUser(Box<Attempt>, UserBind),
    /// Ask the authenticator, then call [`super::Conversation::service_decided`].
    AskService(Box<ServiceAttempt>, ServiceBind),
    /// Ask the authenticator about an old password, then call
    /// [`super::Conversation::old_password_decided`].
    AskOwner(Box<Attempt>, Box<OwnerCheck>),
    /// Change a password, then call [`super::Conversation::password_changed`].
    ChangePassword(Box<ProvenChange>),
    /// Ask whether this still stands, then call [`super::Conversation::confirmed`].
    Confirm(Identity, Box<Confirmation>),
    /// Do this beside whatever else goes on, then call [`super::Conversation::finished`].
    Run(Box<Work>),
    /// Stop doing this, and say nothing about it (RFC 4511 section 4.11).
    Abandon(MessageId),
    /// Send this, then begin a TLS handshake.
    StartTls(Reply),
    /// Send what there is to send, and end the connection.
    Close(Closing),
}

/// How a connection ends.
#[derive(Debug)]
pub struct Closing {
    /// What is sent first.
    pub replies: Vec<Reply>,
    /// Why, for the log and a metric.
    pub reason: CloseReason,
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The client asked.
    Unbind,
    /// The client went away.
    Gone,
    /// What came was no message.
    Malformed,
    /// The id of an outstanding request came again.
    RepeatedId,
    /// Something came in the clear behind StartTLS.
    BytesBehindStartTls,
    /// The store cannot answer.
    Unavailable,
    /// The TLS handshake failed.
    Handshake,
    /// Nothing came for too long.
    Idle,
    /// Nobody had bound, and another needed the place.
    Displaced,
    /// The client did not take what was sent to it.
    SlowReader,
    /// The daemon stops.
    Shutdown,
    /// A defect of ours.
    Panic,
}

impl CloseReason {
    /// The reason as the value of a metric's label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unbind => "unbind",
            Self::Gone => "gone",
            Self::Malformed => "malformed",
            Self::RepeatedId => "repeated_id",
            Self::BytesBehindStartTls => "bytes_behind_starttls",
            Self::Unavailable => "unavailable",
            Self::Handshake => "handshake",
            Self::Idle => "idle",
            Self::Displaced => "displaced",
            Self::SlowReader => "slow_reader",
            Self::Shutdown => "shutdown",
            Self::Panic => "panic",
        }
    }
}

/// A user's bind that waits for its verdict.
#[derive(Debug)]
pub struct UserBind {
    pub(super) id: MessageId,
    pub(super) binding: Binding,
    pub(super) asked: Asked,
}

/// A service account's bind that waits for its verdict.
#[derive(Debug)]
pub struct ServiceBind {
    pub(super) id: MessageId,
    pub(super) binding: Binding,
    pub(super) asked: Asked,
}

/// A change of password that waits for the verdict on the old one.
#[derive(Debug)]
pub struct OwnerCheck {
    pub(super) client: Client,
    pub(super) account: AccountId,
    pub(super) new: Password,
}

/// A change of password by its owner.
#[derive(Debug)]
pub struct ProvenChange {
    pub(super) client: Client,
    pub(super) proof: Proof,
    pub(super) new: Password,
}

impl ProvenChange {
    /// Whose password it is.
    pub fn owner(&self) -> Owner<'_> {
        match &self.proof {
            Proof::User(proof) => Owner::User(proof),
            Proof::ChangeOnly(proof) => Owner::ChangeOnly(proof),
        }
    }

    /// The password to be.
    pub const fn new_password(&self) -> &Password {
        &self.new
    }
}

/// By what a change of password is its owner's.
#[derive(Debug)]
pub(super) enum Proof {
    /// The old password came with it and was right.
    User(Box<Authenticated>),
    /// As before, or the session may do nothing else.
    ChangeOnly(Arc<ChangeProof>),
}

/// An operation that waits until it is known whether what it rests on still stands.
#[derive(Debug)]
pub struct Confirmation {
    pub(super) id: MessageId,
    pub(super) task: Task,
}

/// An operation that reads the directory.
#[derive(Debug)]
pub struct Work {
    /// The request's id.
    pub id: MessageId,
    /// Who it is done for.
    pub identity: Identity,
    /// The ground on which the resource is chosen, as for a bind.
    pub asking: AccessContext,
    /// The SASL mechanisms by which the connection could bind.
    pub mechanisms: &'static [Mechanism],
    /// What is to be done.
    pub job: Job,
}

/// What reads the directory.
#[derive(Debug)]
pub enum Job {
    /// A search, or a page of one.
    Search(Box<Wanted>),
    /// A compare.
    Compare(Compare),
}

impl Job {
    /// The name that it is about, which lies in a view or does not.
    pub fn name(&self) -> &UnparsedDn {
        match self {
            Self::Search(wanted) => &wanted.search.base,
            Self::Compare(compare) => &compare.entry,
        }
    }

    /// The kind of request it came as.
    pub const fn kind(&self) -> RequestKind {
        match self {
            Self::Search(_) => RequestKind::Search,
            Self::Compare(_) => RequestKind::Compare,
        }
    }
}

/// What needs a session that stands, or a service account that does.
#[derive(Debug)]
pub(super) enum Task {
    Job(Job),
    WhoAmI,
    Password(Box<PasswordTask>),
    /// What needs the service account last bound to stand, like the next: it chooses the resource.
    OldPassword(Box<Attempt>, Box<OwnerCheck>),
    UserBind(Box<Attempt>, UserBind),
}

/// A change of password that was asked for.
#[derive(Debug)]
pub(super) struct PasswordTask {
    pub(super) client: Client,
    pub(super) action: PasswordAction,
    pub(super) arrival: Arrival,
}

impl Task {
    pub(super) const fn kind(&self) -> RequestKind {
        match self {
            Self::Job(job) => job.kind(),
            Self::WhoAmI => RequestKind::Extended,
            Self::Password(task) => task.client.kind,
            Self::OldPassword(_, check) => check.client.kind,
            Self::UserBind(..) => RequestKind::Bind,
        }
    }

    /// The attempt whose resource is chosen by the service account last bound.
    pub(super) const fn attempt(&mut self) -> Option<&mut Attempt> {
        match self {
            Self::OldPassword(attempt, _) | Self::UserBind(attempt, _) => Some(attempt),
            Self::Job(_) | Self::WhoAmI | Self::Password(_) => None,
        }
    }
}
