//! Which requests were seen, so that a retransmission is never decided twice (RFC 5080 §2.2.2).
//!
//! A request is entered before anything slow starts. While it is being decided a retransmission is
//! suppressed; once it is answered the same bytes go out again; where it was not decided it is
//! forgotten, so that the retransmission is decided (CONTRACT.md 3.7). Bounded in entries and time;
//! of the entries, requests without a proof have a share and no more, so that whoever forges an
//! address leaves room for who has the secret. Must not know what is asked or answered.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::transport::RequestName;
use super::wire::Authenticator;
use crate::domain::time::Monotonic;

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

/// One admission of a request; stale once the key was given to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    key: Key,
    number: u64,
}

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
    entries: HashMap<Key, Entry>,
    proven: Queues,
    unproven: Queues,
}

/// Entries by when they lapse: numbers grow with time and each state has one lifetime, so the order
/// of numbers is the order of deadlines.
#[derive(Debug, Default)]
struct Queues {
    in_flight: BTreeMap<u64, Key>,
    finished: BTreeMap<u64, Key>,
}

impl Queues {
    fn len(&self) -> usize {
        self.in_flight.len() + self.finished.len()
    }
}

#[derive(Debug)]
struct Entry {
    authenticator: Authenticator,
    proven: bool,
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
            proven: Queues::default(),
            unproven: Queues::default(),
        }
    }

    /// Whether that very request is known: being decided, or answered.
    pub fn knows(&self, key: &Key, authenticator: &Authenticator, now: Monotonic) -> bool {
        self.entries
            .get(key)
            .is_some_and(|entry| entry.authenticator == *authenticator && entry.lapses > now)
    }

    /// Enters a request, or says that it is known. `proven` is whether its Message-Authenticator
    /// was verified; a wrong one must never come here.
    pub fn admit(
        &mut self,
        key: Key,
        authenticator: &Authenticator,
        proven: bool,
        now: Monotonic,
    ) -> Admission {
        self.expire(now);
        if let Some(entry) = self.entries.get(&key) {
            if entry.authenticator == *authenticator {
                return match &entry.reply {
                    Some(reply) => Admission::Finished(reply.clone()),
                    None => Admission::InFlight,
                };
            }
            if entry.reply.is_none() && entry.proven && !proven {
                return Admission::Conflicting;
            }
            self.remove(&key);
        }
        if !self.make_room(proven) {
            return Admission::Full;
        }
        let number = self.number();
        self.entries.insert(
            key,
            Entry {
                authenticator: *authenticator,
                proven,
                number,
                lapses: now.plus(IN_FLIGHT_LIFETIME),
                reply: None,
            },
        );
        self.queues(proven).in_flight.insert(number, key);
        Admission::New(Ticket { key, number })
    }

    /// Keeps the reply for retransmissions. `false` where the ticket is stale: the client has given
    /// up waiting, and the reply must not be sent.
    pub fn finish(&mut self, ticket: Ticket, reply: Bytes, now: Monotonic) -> bool {
        let number = self.number();
        let Some(entry) = self.entries.get_mut(&ticket.key) else {
            return false;
        };
        if entry.number != ticket.number {
            return false;
        }
        entry.number = number;
        entry.lapses = now.plus(self.finished_lifetime);
        entry.reply = Some(reply);
        let proven = entry.proven;
        let queues = self.queues(proven);
        queues.in_flight.remove(&ticket.number);
        queues.finished.insert(number, ticket.key);
        true
    }

    /// Forgets a request that was not decided. `false` where the ticket is stale or finished, which
    /// changes nothing.
    pub fn forget(&mut self, ticket: Ticket) -> bool {
        let open = self
            .entries
            .get(&ticket.key)
            .is_some_and(|entry| entry.number == ticket.number);
        if open {
            self.remove(&ticket.key);
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
        let oldest = self.queues(proven).finished.pop_first();
        oldest.is_some_and(|(_, key)| self.entries.remove(&key).is_some())
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            let queues = self.queues(entry.proven);
            queues.in_flight.remove(&entry.number);
            queues.finished.remove(&entry.number);
        }
    }

    fn expire(&mut self, now: Monotonic) {
        let Self {
            entries,
            proven,
            unproven,
            ..
        } = self;
        for queues in [proven, unproven] {
            for queue in [&mut queues.in_flight, &mut queues.finished] {
                while let Some(first) = queue.first_entry() {
                    let key = *first.get();
                    if entries.get(&key).is_some_and(|entry| entry.lapses > now) {
                        break;
                    }
                    first.remove();
                    entries.remove(&key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(identifier: u8) -> Key {
        Key {
            peer: "192.0.2.1:40000".parse().unwrap(),
            local: "192.0.2.9:1812".parse().unwrap(),
            request: RequestName::Datagram(identifier),
        }
    }

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_secs(seconds))
    }

    fn admitted(table: &mut Duplicates, identifier: u8, authenticator: u8, now: u64) -> Ticket {
        match table.admit(key(identifier), &[authenticator; 16], true, at(now)) {
            Admission::New(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_retransmission_is_silent_in_flight_and_the_same_bytes_after() {
        let mut table = Duplicates::default();
        let ticket = admitted(&mut table, 1, 7, 0);
        for _ in 0..3 {
            assert_eq!(
                table.admit(key(1), &[7; 16], true, at(1)),
                Admission::InFlight
            );
        }
        let reply = Bytes::from_static(b"reply");
        assert!(table.finish(ticket, reply.clone(), at(2)));
        for now in [2, 5, 11] {
            let again = table.admit(key(1), &[7; 16], true, at(now));
            assert_eq!(again, Admission::Finished(reply.clone()));
        }
        assert!(matches!(
            table.admit(key(1), &[7; 16], true, at(12)),
            Admission::New(_)
        ));
    }

    #[test]
    fn another_authenticator_port_socket_or_identifier_is_another_request() {
        let mut table = Duplicates::default();
        let first = admitted(&mut table, 1, 7, 0);
        admitted(&mut table, 2, 7, 0);
        let mut elsewhere = key(1);
        elsewhere.peer.set_port(40_001);
        assert!(matches!(
            table.admit(elsewhere, &[7; 16], true, at(0)),
            Admission::New(_)
        ));
        elsewhere = key(1);
        elsewhere.local.set_port(1645);
        assert!(matches!(
            table.admit(elsewhere, &[7; 16], true, at(0)),
            Admission::New(_)
        ));

        let second = admitted(&mut table, 1, 8, 0);
        assert!(!table.finish(first, Bytes::from_static(b"late"), at(1)));
        table.forget(first);
        assert!(table.finish(second, Bytes::from_static(b"answer"), at(1)));
    }

    #[test]
    fn a_forgotten_request_is_decided_anew() {
        let mut table = Duplicates::default();
        let ticket = admitted(&mut table, 1, 7, 0);
        table.forget(ticket);
        assert!(table.is_empty());
        admitted(&mut table, 1, 7, 0);
    }

    #[test]
    fn forgetting_after_the_answer_changes_nothing() {
        let mut table = Duplicates::default();
        let ticket = admitted(&mut table, 1, 7, 0);
        assert!(table.finish(ticket, Bytes::from_static(b"answer"), at(0)));
        table.forget(ticket);
        let again = table.admit(key(1), &[7; 16], true, at(1));
        assert_eq!(again, Admission::Finished(Bytes::from_static(b"answer")));
    }

    #[test]
    fn an_unproven_request_displaces_no_proven_one_in_flight() {
        let mut table = Duplicates::default();
        let ticket = admitted(&mut table, 1, 7, 0);
        assert_eq!(
            table.admit(key(1), &[9; 16], false, at(0)),
            Admission::Conflicting
        );
        assert!(table.finish(ticket, Bytes::new(), at(1)));
        assert!(matches!(
            table.admit(key(1), &[9; 16], false, at(1)),
            Admission::New(_)
        ));
    }

    #[test]
    fn an_entry_whose_answer_never_comes_lapses() {
        let mut table = Duplicates::default();
        let ticket = admitted(&mut table, 1, 7, 0);
        assert_eq!(
            table.admit(key(1), &[7; 16], true, at(29)),
            Admission::InFlight
        );
        admitted(&mut table, 1, 7, 30);
        assert!(!table.finish(ticket, Bytes::new(), at(31)));
    }

    #[test]
    fn a_full_table_lets_answered_requests_go_and_never_open_ones() {
        let mut table = Duplicates::new(2, FINISHED_LIFETIME);
        let first = admitted(&mut table, 1, 0, 0);
        admitted(&mut table, 2, 0, 0);
        assert_eq!(table.admit(key(3), &[0; 16], true, at(0)), Admission::Full);
        assert!(table.finish(first, Bytes::new(), at(0)));
        admitted(&mut table, 3, 0, 0);
        assert_eq!(table.admit(key(1), &[0; 16], true, at(0)), Admission::Full);
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn the_unproven_have_their_share_and_leave_the_rest_to_the_proven() {
        let mut table = Duplicates::new(64, FINISHED_LIFETIME);
        let admit = |table: &mut Duplicates, identifier: u8, proven| {
            table.admit(key(identifier), &[1; 16], proven, at(0))
        };
        let mut admitted = 0;
        for identifier in 0..100 {
            match admit(&mut table, identifier, false) {
                // At most four are being decided.
                Admission::New(ticket) if identifier >= 4 => {
                    assert!(table.finish(ticket, Bytes::new(), at(0)));
                    admitted += 1;
                }
                Admission::New(_) => {
                    admitted += 1;
                    if identifier == 3 {
                        assert_eq!(admit(&mut table, 200, false), Admission::Full);
                        // Three go on; one is answered, so that others may follow.
                        let ticket = Ticket {
                            key: key(3),
                            number: table.next,
                        };
                        assert!(table.finish(ticket, Bytes::new(), at(0)));
                    }
                }
                other => panic!("{identifier}: {other:?}"),
            }
        }
        assert_eq!((admitted, table.len()), (100, 16), "a quarter of the table");
        for identifier in 101..149 {
            assert!(matches!(
                admit(&mut table, identifier, true),
                Admission::New(_)
            ));
        }
        assert_eq!(table.len(), 64);
        // The unproven that were answered go first; then there is nothing to let go.
        for identifier in 149..162 {
            assert!(matches!(
                admit(&mut table, identifier, true),
                Admission::New(_)
            ));
        }
        assert_eq!(admit(&mut table, 162, true), Admission::Full);
    }

    #[test]
    fn a_request_is_known_until_it_lapses() {
        let mut table = Duplicates::default();
        admitted(&mut table, 1, 7, 0);
        assert!(table.knows(&key(1), &[7; 16], at(29)));
        assert!(!table.knows(&key(1), &[8; 16], at(29)));
        assert!(!table.knows(&key(2), &[7; 16], at(29)));
        assert!(!table.knows(&key(1), &[7; 16], at(30)));
    }

    proptest! {
        /// Whatever happens in whatever order: bounded, indexes agree, and nothing in flight is
        /// admitted twice.
        #[test]
        fn the_table_stays_whole(steps in prop::collection::vec((0_u8..6, 0_u8..3, 0_u8..4, 0_u64..20), 1..200)) {
            let mut table = Duplicates::new(4, FINISHED_LIFETIME);
            let mut tickets = Vec::new();
            let mut now = 0;
            for (identifier, authenticator, action, wait) in steps {
                now += wait / 4;
                let proven = !wait.is_multiple_of(3);
                match action {
                    0 | 1 => {
                        let admission =
                            table.admit(key(identifier), &[authenticator; 16], proven, at(now));
                        if let Admission::New(ticket) = admission {
                            let again =
                                table.admit(key(identifier), &[authenticator; 16], proven, at(now));
                            prop_assert_eq!(again, Admission::InFlight);
                            tickets.push(ticket);
                        }
                    }
                    2 => if let Some(ticket) = tickets.pop() {
                        table.finish(ticket, Bytes::new(), at(now));
                    },
                    _ => if let Some(ticket) = tickets.pop() {
                        table.forget(ticket);
                    },
                }
                prop_assert!(table.len() <= 4);
                prop_assert_eq!(table.len(), table.proven.len() + table.unproven.len());
                prop_assert!(table.unproven.len() <= 1);
            }
            table.expire(at(now + 31));
            prop_assert!(table.is_empty());
        }
    }
}
