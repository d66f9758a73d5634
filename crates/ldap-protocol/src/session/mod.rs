//! Who a connection speaks as (RFC 4513 section 4), and the state machine around it.
//!
//! A [`Session`] that knows somebody holds the authenticator's proof of it and cannot be made
//! without one. A bind consumes the session it came on: what is left is a [`Binding`], which
//! remembers nobody, so that whatever fails leaves the connection anonymous. The
//! [`Conversation`] takes requests and says what to do, without a socket or a clock.

mod binds;
mod conversation;
mod operations;
mod paging;
mod passwords;
mod step;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use conversation::Conversation;
pub use step::{
    Arrival, CloseReason, Closing, Confirmation, Job, OwnerCheck, ProvenChange, ServiceBind, Step,
    UserBind, Work,
};

use super::tree::Tree;
use doorward_frontend_api::Viewer;
use doorward_frontend_api::{Authenticated, AuthenticatedService, ChangeProof};

/// Who a connection speaks as.
#[derive(Debug, Default)]
pub enum Session {
    /// Nobody.
    #[default]
    Anonymous,
    /// A user who got in.
    Bound(Bound),
    /// A user who may only change the password, read its own entry and ask who it is.
    ChangeOnly(Restricted),
    /// A service account.
    Service(Serving),
}

/// A user's session, made of the authenticator's proof alone.
#[derive(Debug)]
pub struct Bound {
    proof: Arc<Authenticated>,
}

/// The session of a user who must change the password first.
#[derive(Debug)]
pub struct Restricted {
    proof: Arc<ChangeProof>,
}

/// A service account's session.
#[derive(Debug)]
pub struct Serving {
    proof: Arc<AuthenticatedService>,
}

impl Session {
    /// Begins a bind: the session is over, whatever comes of it.
    pub fn bind(self) -> Binding {
        Binding(())
    }

    /// Who an operation that starts now is done for.
    pub fn identity(&self) -> Identity {
        match self {
            Self::Anonymous => Identity::Anonymous,
            Self::Bound(bound) => Identity::User(Arc::clone(&bound.proof)),
            Self::ChangeOnly(restricted) => Identity::ChangeOnly(Arc::clone(&restricted.proof)),
            Self::Service(serving) => Identity::Service(Arc::clone(&serving.proof)),
        }
    }

    /// Whether somebody is bound.
    pub const fn is_bound(&self) -> bool {
        !matches!(self, Self::Anonymous)
    }
}

/// A bind under way, on a connection that speaks as nobody until it ends.
#[derive(Debug)]
#[must_use]
pub struct Binding(());

impl Binding {
    /// The user got in.
    #[must_use]
    pub fn granted(self, proof: Authenticated) -> Session {
        Session::Bound(Bound {
            proof: Arc::new(proof),
        })
    }

    /// The user must change the password first.
    #[must_use]
    pub fn change_only(self, proof: ChangeProof) -> Session {
        Session::ChangeOnly(Restricted {
            proof: Arc::new(proof),
        })
    }

    /// The service account is bound.
    #[must_use]
    pub fn service(self, proof: Arc<AuthenticatedService>) -> Session {
        Session::Service(Serving { proof })
    }

    /// Nobody is bound: what fails, and an anonymous bind.
    #[must_use]
    pub fn nobody(self) -> Session {
        Session::Anonymous
    }
}

/// Who one operation is done for.
#[derive(Debug, Clone)]
pub enum Identity {
    /// Nobody.
    Anonymous,
    /// A user.
    User(Arc<Authenticated>),
    /// A user who must change the password first.
    ChangeOnly(Arc<ChangeProof>),
    /// A service account.
    Service(Arc<AuthenticatedService>),
}

impl Identity {
    /// With whose rights the directory is read; nobody has none.
    pub fn viewer(&self) -> Option<Viewer<'_>> {
        match self {
            Self::Anonymous => None,
            Self::User(proof) => Some(Viewer::User(proof)),
            Self::ChangeOnly(proof) => Some(Viewer::ChangeOnly(proof)),
            Self::Service(proof) => Some(Viewer::Service(proof)),
        }
    }

    /// The name of its entry; nobody has none.
    pub fn dn(&self, tree: &Tree) -> Option<String> {
        match self {
            Self::Anonymous => None,
            Self::User(proof) => Some(tree.person(proof.username()).to_string()),
            Self::ChangeOnly(proof) => Some(tree.person(proof.username()).to_string()),
            Self::Service(proof) => Some(tree.service(proof.name()).to_string()),
        }
    }

    /// The kind, for logs and metrics.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User(_) => "user",
            Self::ChangeOnly(_) => "change_only",
            Self::Service(_) => "service",
        }
    }
}
