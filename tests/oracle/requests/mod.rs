//! The requests, each with a name that stays the same from run to run.

mod compares;
mod filters;
mod malformed;
mod names;
mod passwords;
mod selections;
mod sessions;

use doorward_ldap_protocol::filter::Filter;

use crate::answers::Entries;
use crate::client::{Scope, Search};
use crate::common::BASE;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// The service account that reads everything, on a connection that stays.
    Service,
    /// A user, on a connection that stays.
    User,
    /// Nobody, on a connection that stays.
    Anonymous,
}

/// What is sent.
#[derive(Debug, Clone)]
pub(crate) enum Sent {
    /// An operation and its controls, on the asker's connection.
    Operation(Vec<u8>, Vec<Vec<u8>>),
    /// Operations one after the other on a new connection; each is answered before the next.
    Talk(Vec<(Vec<u8>, Vec<Vec<u8>>)>),
    /// Bytes on a new connection, and once they are answered a request that tells whether it
    /// still works.
    Raw(Vec<u8>),
    /// The same for bytes that may go unanswered: the request comes right behind them.
    Unanswered(Vec<u8>),
    /// Bytes on a new connection, and nothing behind them.
    Last(Vec<u8>),
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) asker: Asker,
    pub(crate) sent: Sent,
    /// Whether which entries come is the server's choice, so that only their number is compared.
    pub(crate) any_entries: bool,
}

impl Case {
    fn operation(name: impl Into<String>, operation: Vec<u8>) -> Self {
        Self::controlled(name, operation, vec![])
    }

    fn controlled(name: impl Into<String>, operation: Vec<u8>, controls: Vec<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            asker: Asker::Service,
            sent: Sent::Operation(operation, controls),
            any_entries: false,
        }
    }

    fn sent(name: impl Into<String>, sent: Sent) -> Self {
        Self {
            name: name.into(),
            asker: Asker::Anonymous,
            sent,
            any_entries: false,
        }
    }

    fn by(mut self, asker: Asker) -> Self {
        self.asker = asker;
        self
    }

    fn of_any_entries(mut self) -> Self {
        self.any_entries = true;
        self
    }
}

/// All of them, for the tree that both servers hold.
pub(crate) fn all(entries: &Entries) -> Vec<Case> {
    [
        filters::all(entries),
        names::all(),
        selections::all(),
        compares::all(entries),
        sessions::all(),
        malformed::all(),
        passwords::all(),
    ]
    .concat()
}

/// A search of the whole tree for names alone.
fn whole_tree(filter: Vec<u8>) -> Vec<u8> {
    Search::new(BASE, Scope::Sub)
        .filter(filter)
        .attributes(&["1.1"])
        .bytes()
}

/// The bytes of a filter (RFC 4515).
fn filter(text: &str) -> Vec<u8> {
    let filter: Filter = text
        .parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    filter.to_ber()
}

/// A value of an entry, for what differs from run to run.
fn value(entries: &Entries, rdn: &str, attribute: &str) -> String {
    let (_, attributes) = entries
        .iter()
        .find(|(name, _)| name.starts_with(&format!("{rdn},")))
        .unwrap_or_else(|| panic!("{rdn} is there"));
    attributes[attribute].first().unwrap().clone()
}
