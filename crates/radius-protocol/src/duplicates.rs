//! Which requests were seen, so that none is decided twice (RFC 5080 §2.2.2).
//!
//! A request is entered before anything slow starts. While it is being decided a copy of it is
//! suppressed; once it is answered the same bytes go out again; where it was not decided it is
//! forgotten, so that a retransmission is decided (CONTRACT.md 3.7). A copy is what has the same
//! Request Authenticator under the same name from the same port, as the RFC has it. No proof in a
//! datagram covers the port, nor the address of ours: octets that only the client can have made are
//! one request wherever at its address they come from, and stay it when their name is given to
//! another. Whoever recorded them gains the reply that they had, and takes it from nobody.
//!
//! Bounded in entries and time; of the entries, requests without a proof have a share and no more,
//! so that whoever forges an address leaves room for who has the secret. Must not know what is
//! asked or answered.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;

use super::transport::{Digest, Proof, RequestName};
use super::wire::Authenticator;
use doorward_domain::time::Monotonic;

/// How long an answered request is remembered, counted from its answer, unless told otherwise.
pub const FINISHED_LIFETIME: Duration = Duration::from_secs(10);
/// How long a request may take to be answered before its entry lapses.
pub const IN_FLIGHT_LIFETIME: Duration = Duration::from_secs(30);
/// How many requests are remembered, unless told otherwise.
pub const CAPACITY: usize = 16_384;
/// Of the entries, one in so many may be an unproven request's...
const UNPROVEN: usize = 4;
/// ...and one in so many that of one which is being decided: with the default bounds no more than
/// a quarter of what is decided at a time.
const UNPROVEN_IN_FLIGHT: usize = 16;
/// Of all addresses the first in their order.
const FIRST_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// What a client may use for one request at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// The client's address and port.
    pub peer: SocketAddr,
    /// Our socket.
    pub local: SocketAddr,
    /// What the client calls it.
    pub request: RequestName,
}

/// By what a request is known. One whose proof is wrong must never come here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Where it came from and what it is called.
    pub key: Key,
    /// What tells it from others under that key.
    pub authenticator: Authenticator,
    /// Who can have made it.
    pub proof: Proof,
}

impl Identity {
    fn is_proven(&self) -> bool {
        self.proof != Proof::Absent
    }

    /// What is the same for all copies of octets that only the client can have made.
    fn octets(&self) -> Option<(Digest, IpAddr)> {
        match self.proof {
            Proof::Octets(digest) => Some((digest, self.key.peer.ip().to_canonical())),
            Proof::Absent | Proof::Connection => None,
        }
    }
}

/// One admission of a request; stale once it is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

/// What to do with a request.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Admission {
    /// It is new and entered: decide it, then finish or forget the ticket.
    New(Ticket),
    /// It is being decided: stay silent.
    InFlight,
    /// It was answered: send these bytes again.
    Finished(Bytes),
    /// An unproven request may not displace a proven one that is being decided: stay silent.
    Conflicting,
    /// No room, and nothing that could be let go: stay silent.
    Full,
}

/// The table.
#[derive(Debug)]
pub struct Duplicates {
    capacity: usize,
    finished_lifetime: Duration,
    next: u64,
    entries: HashMap<Ticket, Entry>,
    /// The last request under each key.
    current: HashMap<Key, Ticket>,
    /// Requests by their octets, where these are their proof.
    octets: BTreeMap<(Digest, IpAddr), Ticket>,
    proven: Queues,
    unproven: Queues,
}

/// Entries by when they lapse: numbers grow with time and each state has one lifetime, so the order
/// of numbers is the order of deadlines.
#[derive(Debug, Default)]
struct Queues {
    in_flight: BTreeMap<u64, Ticket>,
    finished: BTreeMap<u64, Ticket>,
}

impl Queues {
    fn len(&self) -> usize {
        self.in_flight.len() + self.finished.len()
    }
}

#[derive(Debug)]
struct Entry {
    identity: Identity,
    number: u64,
    lapses: Monotonic,
    reply: Option<Bytes>,
}

impl Default for Duplicates {
    fn default() -> Self {
        Self::new(CAPACITY, FINISHED_LIFETIME)
    }
}

impl Duplicates {
    /// An empty table of at most that many entries, which keeps replies for that long.
    pub fn new(capacity: usize, finished_lifetime: Duration) -> Self {
        Self {
            capacity,
            finished_lifetime,
            next: 0,
            entries: HashMap::new(),
            current: HashMap::new(),
            octets: BTreeMap::new(),
            proven: Queues::default(),
            unproven: Queues::default(),
        }
    }

    /// Whether whoever sends this request may have recorded it: it is being decided, or was
    /// answered, here or for another address.
    pub fn knows(&mut self, identity: &Identity, now: Monotonic) -> bool {
        self.expire(now);
        let elsewhere = identity.octets().is_some_and(|(digest, _)| {
            let from = (digest, FIRST_ADDRESS);
            let next = self.octets.range(from..).next();
            next.is_some_and(|((other, _), _)| *other == digest)
        });
        elsewhere || self.same(identity).is_some()
    }

    /// Enters a request, or says that it is known.
    pub fn admit(&mut self, identity: &Identity, now: Monotonic) -> Admission {
        self.expire(now);
        if let Some(entry) = self.same(identity) {
            return match &entry.reply {
                Some(reply) => Admission::Finished(reply.clone()),
                None => Admission::InFlight,
            };
        }
        if let Some(&ticket) = self.current.get(&identity.key)
            && let Some(before) = self.entries.get(&ticket)
        {
            let before_proven = before.identity.is_proven();
            if before.reply.is_none() && before_proven && !identity.is_proven() {
                return Admission::Conflicting;
            }
            if before.identity.octets().is_none() {
                self.remove(ticket);
            }
        }
        if !self.make_room(identity.is_proven()) {
            return Admission::Full;
        }
        let number = self.number();
        let ticket = Ticket(number);
        self.entries.insert(
            ticket,
            Entry {
                identity: *identity,
                number,
                lapses: now.plus(IN_FLIGHT_LIFETIME),
                reply: None,
            },
        );
        self.current.insert(identity.key, ticket);
        if let Some(octets) = identity.octets() {
            self.octets.insert(octets, ticket);
        }
        let queues = self.queues(identity.is_proven());
        queues.in_flight.insert(number, ticket);
        Admission::New(ticket)
    }

    /// Keeps the reply for copies of the request. `false` where it must not be sent: the ticket is
    /// stale, or the client has given up waiting and uses the key for another request.
    pub fn finish(&mut self, ticket: Ticket, reply: Bytes, now: Monotonic) -> bool {
        let number = self.number();
        let Some(entry) = self.entries.get_mut(&ticket) else {
            return false;
        };
        if entry.reply.is_some() {
            return false;
        }
        let before = std::mem::replace(&mut entry.number, number);
        entry.lapses = now.plus(self.finished_lifetime);
        entry.reply = Some(reply);
        let Identity { key, .. } = entry.identity;
        let proven = entry.identity.is_proven();
        let queues = self.queues(proven);
        queues.in_flight.remove(&before);
        queues.finished.insert(number, ticket);
        self.current.get(&key) == Some(&ticket)
    }

    /// Whether the request is remembered: a copy of it is suppressed, or gets its reply.
    pub fn remembers(&self, ticket: Ticket) -> bool {
        self.entries.contains_key(&ticket)
    }

    /// Forgets a request that was not decided. `false` where the ticket is stale or finished, which
    /// changes nothing.
    pub fn forget(&mut self, ticket: Ticket) -> bool {
        let entry = self.entries.get(&ticket);
        let open = entry.is_some_and(|entry| entry.reply.is_none());
        if open {
            self.remove(ticket);
        }
        open
    }

    /// How many requests are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no request is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry that a request is a copy of.
    fn same(&self, identity: &Identity) -> Option<&Entry> {
        let octets = identity.octets();
        if let Some(ticket) = octets.and_then(|octets| self.octets.get(&octets)) {
            return self.entries.get(ticket);
        }
        let entry = self.entries.get(self.current.get(&identity.key)?)?;
        // What somebody forged in its stead says nothing of a request that is proven.
        let forged = identity.is_proven() && !entry.identity.is_proven();
        (entry.identity.authenticator == identity.authenticator && !forged).then_some(entry)
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn queues(&mut self, proven: bool) -> &mut Queues {
        if proven {
            &mut self.proven
        } else {
            &mut self.unproven
        }
    }

    /// Lets the oldest answered request go where there is no room for another: among unproven ones
    /// where those have their share, else also among the proven.
    fn make_room(&mut self, proven: bool) -> bool {
        let share = (self.capacity / UNPROVEN).max(1);
        if !proven {
            let in_flight = (self.capacity / UNPROVEN_IN_FLIGHT).max(1);
            if self.unproven.in_flight.len() >= in_flight {
                return false;
            }
            if self.unproven.len() >= share {
                return self.let_oldest_go(false);
            }
        }
        self.entries.len() < self.capacity || self.let_oldest_go(false) || self.let_oldest_go(true)
    }

    fn let_oldest_go(&mut self, proven: bool) -> bool {
        let oldest = self.queues(proven).finished.first_key_value();
        let oldest = oldest.map(|(_, ticket)| *ticket);
        oldest.is_some_and(|ticket| self.remove(ticket))
    }

    fn remove(&mut self, ticket: Ticket) -> bool {
        let Some(Entry {
            identity, number, ..
        }) = self.entries.remove(&ticket)
        else {
            return false;
        };
        let queues = self.queues(identity.is_proven());
        queues.in_flight.remove(&number);
        queues.finished.remove(&number);
        if let Some(octets) = identity.octets() {
            self.octets.remove(&octets);
        }
        if self.current.get(&identity.key) == Some(&ticket) {
            self.current.remove(&identity.key);
        }
        true
    }

    fn expire(&mut self, now: Monotonic) {
        while let Some(ticket) = self.lapsed(now) {
            self.remove(ticket);
        }
    }

    fn lapsed(&self, now: Monotonic) -> Option<Ticket> {
        let queues = [&self.proven, &self.unproven].into_iter();
        let mut firsts = queues
            .flat_map(|queues| [&queues.in_flight, &queues.finished])
            .filter_map(|queue| queue.first_key_value());
        let (_, ticket) = firsts.find(|(_, ticket)| {
            let entry = self.entries.get(*ticket);
            entry.is_some_and(|entry| entry.lapses <= now)
        })?;
        Some(*ticket)
    }
}

#[cfg(test)]
mod tests;
