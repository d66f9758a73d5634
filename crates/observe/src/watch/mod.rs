//! What happens now, told to operators who watch it: lines that the front ends make, and nothing
//! at all where nobody watches.
//!
//! A front end asks [`Watch::is_on`], one load of an atomic number, before it makes anything. What
//! it tells goes into a bounded buffer of each watcher, which forgets rather than waits: whoever
//! watches slowly loses lines, is told how many, and delays nobody. A name that somebody typed
//! stays a name ([`Name`]) until it is shown, since people type passwords there. Must not know
//! sockets, clocks or stores.

mod alert;
pub mod attempt;
mod hub;
mod line;
mod refusal;
mod sieve;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use doorward_domain::name::ResourceName;
use doorward_domain::resource::{AccessContext, ResourceKind};

pub use alert::Alert;
pub use attempt::Told;
pub use hub::{MAX_WATCHERS, News, TooMany, Watch, Watching};
pub use line::{Detail, Line, Name, Who, Words, said};
pub use refusal::{way_out, words_of_refusal};
pub use sieve::{Sieve, Wanted};

/// What can be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// The RADIUS front end.
    Radius,
    /// The LDAP front end.
    Ldap,
}

impl Topic {
    /// The name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Radius => "radius",
            Self::Ldap => "ldap",
        }
    }

    /// The topic of that name.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Radius, Self::Ldap]
            .into_iter()
            .find(|topic| topic.as_str() == name)
    }
}

/// Which lines belong together: one login over RADIUS with all its packets, one request of an LDAP
/// connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Thread {
    /// The number of the login or connection, in the order they were seen.
    pub number: u64,
    /// The message of the connection; none is the connection itself.
    pub message: Option<i32>,
}

impl fmt::Display for Thread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.number)?;
        match self.message {
            Some(message) => write!(formatter, ".{message}"),
            None => Ok(()),
        }
    }
}

/// What a line tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A connection began.
    Opened,
    /// A connection ended, or was not let in.
    Closed,
    /// A request arrived.
    Request,
    /// A request gets no answer.
    Dropped,
    /// EAP outside of its tunnel.
    Eap,
    /// TLS.
    Tls,
    /// What is said inside a tunnel.
    Inside,
    /// The authenticator is asked.
    Question,
    /// What it said.
    Verdict,
    /// A reply leaves.
    Reply,
    /// A report of a session is recorded, or is not.
    Accounting,
    /// A client is asked to end a session, and what came of it.
    Disconnect,
}

impl Step {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Closed => "closed",
            Self::Request => "request",
            Self::Dropped => "dropped",
            Self::Eap => "eap",
            Self::Tls => "tls",
            Self::Inside => "inside",
            Self::Question => "question",
            Self::Verdict => "verdict",
            Self::Reply => "reply",
            Self::Accounting => "accounting",
            Self::Disconnect => "disconnect",
        }
    }
}

/// Says by which rule a resource is the one asking. Front ends do not know the rules.
pub trait Explain: Send + Sync {
    /// Which resource asks, and why that one.
    fn asking(&self, asking: &AccessContext) -> Chosen;
}

/// The resource that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Which; none where no rule names one.
    pub resource: Option<(ResourceName, ResourceKind)>,
    /// What was looked at on the way, for people; the last is what decided.
    pub because: Vec<String>,
}

/// Explains nothing, where nobody set anything else.
struct Unexplained;

impl Explain for Unexplained {
    fn asking(&self, _: &AccessContext) -> Chosen {
        Chosen {
            resource: None,
            because: Vec::new(),
        }
    }
}

fn unexplained() -> Arc<dyn Explain> {
    Arc::new(Unexplained)
}
