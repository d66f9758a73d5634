use proptest::prelude::*;

use super::*;
use crate::transport::ConnectionId;

/// A proven request; its octets follow from its identifier and its authenticator.
fn proven(identifier: u8, authenticator: u8) -> Identity {
    let mut digest = [authenticator; 32];
    digest[0] = identifier;
    Identity {
        key: Key {
            peer: "192.0.2.1:40000".parse().unwrap(),
            local: "192.0.2.9:1812".parse().unwrap(),
            request: RequestName::Datagram(identifier),
        },
        authenticator: [authenticator; 16],
        proof: Proof::Octets(digest),
    }
}

fn unproven(identifier: u8, authenticator: u8) -> Identity {
    Identity {
        proof: Proof::Absent,
        ..proven(identifier, authenticator)
    }
}

fn from_port(mut identity: Identity, port: u16) -> Identity {
    identity.key.peer.set_port(port);
    identity
}

fn from_address(mut identity: Identity, address: &str) -> Identity {
    identity.key.peer.set_ip(address.parse().unwrap());
    identity
}

fn at(seconds: u64) -> Monotonic {
    Monotonic::from_start(Duration::from_secs(seconds))
}

fn entered(table: &mut Duplicates, identity: &Identity, now: u64) -> Ticket {
    match table.admit(identity, at(now)) {
        Admission::New(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

fn admitted(table: &mut Duplicates, identifier: u8, authenticator: u8, now: u64) -> Ticket {
    entered(table, &proven(identifier, authenticator), now)
}

const REPLY: Bytes = Bytes::from_static(b"reply");

#[test]
fn a_retransmission_is_silent_in_flight_and_the_same_bytes_after() {
    for identity in [proven(1, 7), unproven(1, 7)] {
        let mut table = Duplicates::default();
        let ticket = entered(&mut table, &identity, 0);
        for _ in 0..3 {
            assert_eq!(table.admit(&identity, at(1)), Admission::InFlight);
        }
        assert!(table.finish(ticket, REPLY, at(2)));
        for now in [2, 5, 11] {
            let again = table.admit(&identity, at(now));
            assert_eq!(again, Admission::Finished(REPLY));
        }
        entered(&mut table, &identity, 12);
    }
}

#[test]
fn proven_octets_are_one_request_from_whatever_port_to_whatever_socket() {
    let mut table = Duplicates::default();
    let original = proven(1, 7);
    let mut elsewhere = from_port(original, 41_000);
    elsewhere.key.local = "198.51.100.9:1645".parse().unwrap();
    let mapped = from_address(original, "::ffff:192.0.2.1");
    let copies = [from_port(original, 40_001), elsewhere, mapped, original];
    let ticket = entered(&mut table, &original, 0);
    for copy in copies {
        assert!(table.knows(&copy, at(0)));
        assert_eq!(table.admit(&copy, at(0)), Admission::InFlight);
    }
    assert!(table.finish(ticket, REPLY, at(1)));
    for copy in copies {
        assert_eq!(table.admit(&copy, at(10)), Admission::Finished(REPLY));
    }
    assert_eq!(table.len(), 1);
    entered(&mut table, &copies[0], 11);
    assert_eq!(table.admit(&original, at(11)), Admission::InFlight);
}

#[test]
fn a_copy_from_another_address_is_another_request_and_no_new_one() {
    let mut table = Duplicates::default();
    let ticket = admitted(&mut table, 1, 7, 0);
    let copies = ["192.0.2.2", "0.0.0.0", "2001:db8::1"];
    for copy in copies.map(|address| from_address(proven(1, 7), address)) {
        assert!(table.knows(&copy, at(0)));
        entered(&mut table, &copy, 0);
    }
    assert!(table.finish(ticket, REPLY, at(0)));
    let stranger = from_address(proven(1, 8), "192.0.2.2");
    assert!(!table.knows(&stranger, at(0)));
}

#[test]
fn other_octets_under_the_same_authenticator_are_another_request_elsewhere() {
    let mut table = Duplicates::default();
    let first = admitted(&mut table, 1, 7, 0);
    let mut other = from_port(proven(1, 7), 40_001);
    other.proof = Proof::Octets([9; 32]);
    assert!(!table.knows(&other, at(0)));
    let second = entered(&mut table, &other, 0);
    assert!(table.finish(first, REPLY, at(0)));
    assert!(table.finish(second, REPLY, at(0)));
    // From the same port they are a retransmission (RFC 5080 2.2.2).
    other.key = proven(1, 7).key;
    other.proof = Proof::Octets([8; 32]);
    assert_eq!(table.admit(&other, at(0)), Admission::Finished(REPLY));
}

#[test]
fn without_a_proof_another_port_socket_or_identifier_is_another_request() {
    let mut table = Duplicates::default();
    let mut other_socket = unproven(1, 7);
    other_socket.key.local.set_port(1645);
    for identity in [
        unproven(1, 7),
        unproven(2, 7),
        from_port(unproven(1, 7), 40_001),
        from_address(unproven(1, 7), "192.0.2.2"),
        other_socket,
        proven(3, 7),
        from_port(unproven(3, 7), 40_001),
    ] {
        assert!(!table.knows(&identity, at(0)));
        entered(&mut table, &identity, 0);
    }
}

#[test]
fn a_connection_is_the_only_one_to_send_what_comes_on_it() {
    let on = |number, authenticator| {
        let mut identity = proven(1, authenticator);
        identity.key.request = RequestName::Identifier(ConnectionId(number), 1);
        identity.proof = Proof::Connection;
        identity
    };
    let mut table = Duplicates::default();
    let first = entered(&mut table, &on(1, 7), 0);
    entered(&mut table, &on(2, 7), 0);
    assert_eq!(table.admit(&on(1, 7), at(0)), Admission::InFlight);
    let second = entered(&mut table, &on(1, 8), 0);
    assert!(!table.remembers(first));
    assert!(!table.finish(first, REPLY, at(0)));
    assert!(table.finish(second, REPLY, at(0)));
    entered(&mut table, &on(1, 7), 0);
}

#[test]
fn another_authenticator_under_the_same_key_supersedes() {
    for (first, second) in [
        (proven(1, 7), proven(1, 8)),
        (unproven(1, 7), unproven(1, 8)),
        (unproven(1, 7), proven(1, 8)),
        (unproven(1, 7), proven(1, 7)),
    ] {
        let mut table = Duplicates::default();
        let late = entered(&mut table, &first, 0);
        let current = entered(&mut table, &second, 0);
        assert!(!table.finish(late, Bytes::from_static(b"late"), at(1)));
        assert!(table.finish(current, REPLY, at(1)));
        assert_eq!(table.admit(&second, at(1)), Admission::Finished(REPLY));
    }
}

#[test]
fn what_is_proven_is_known_when_its_key_was_given_to_another() {
    let mut table = Duplicates::default();
    let (genuine, recorded) = (proven(1, 7), proven(1, 8));
    let displaced = entered(&mut table, &genuine, 0);
    let displacing = entered(&mut table, &recorded, 0);
    for identity in [genuine, recorded, from_port(genuine, 40_001)] {
        assert_eq!(table.admit(&identity, at(0)), Admission::InFlight);
    }
    assert!(!table.finish(displaced, REPLY, at(1)), "not sent, but kept");
    assert!(table.remembers(displaced));
    let other = Bytes::from_static(b"other");
    assert!(table.finish(displacing, other.clone(), at(1)));
    // An unproven one under the same key takes neither's reply.
    entered(&mut table, &unproven(1, 9), 1);
    for _ in 0..3 {
        let copy = table.admit(&genuine, at(1));
        assert_eq!(copy, Admission::Finished(REPLY));
        let copy = table.admit(&recorded, at(1));
        assert_eq!(copy, Admission::Finished(other.clone()));
    }
}

#[test]
fn a_forgotten_request_is_decided_anew() {
    let mut table = Duplicates::default();
    let ticket = admitted(&mut table, 1, 7, 0);
    assert!(table.forget(ticket));
    assert!(table.is_empty());
    entered(&mut table, &from_port(proven(1, 7), 40_001), 0);
}

#[test]
fn forgetting_after_the_answer_changes_nothing() {
    let mut table = Duplicates::default();
    let ticket = admitted(&mut table, 1, 7, 0);
    assert!(table.finish(ticket, REPLY, at(0)));
    assert!(!table.forget(ticket));
    assert!(!table.finish(ticket, Bytes::new(), at(0)));
    let again = table.admit(&proven(1, 7), at(1));
    assert_eq!(again, Admission::Finished(REPLY));
}

#[test]
fn an_unproven_request_displaces_no_proven_one_in_flight() {
    let mut table = Duplicates::default();
    let ticket = admitted(&mut table, 1, 7, 0);
    assert_eq!(table.admit(&unproven(1, 9), at(0)), Admission::Conflicting);
    assert!(table.finish(ticket, Bytes::new(), at(1)));
    entered(&mut table, &unproven(1, 9), 1);
}

#[test]
fn a_proven_request_is_not_answered_with_what_was_forged_before_it() {
    let mut table = Duplicates::default();
    let forged = entered(&mut table, &unproven(1, 7), 0);
    assert!(table.finish(forged, Bytes::from_static(b"forged"), at(0)));
    assert!(!table.knows(&proven(1, 7), at(0)));
    let genuine = admitted(&mut table, 1, 7, 0);
    assert_eq!(table.admit(&unproven(1, 7), at(0)), Admission::InFlight);
    assert!(table.finish(genuine, REPLY, at(0)));
    let stripped = table.admit(&unproven(1, 7), at(0));
    assert_eq!(stripped, Admission::Finished(REPLY));
}

#[test]
fn an_entry_whose_answer_never_comes_lapses() {
    let mut table = Duplicates::default();
    let ticket = admitted(&mut table, 1, 7, 0);
    assert_eq!(table.admit(&proven(1, 7), at(29)), Admission::InFlight);
    admitted(&mut table, 1, 7, 30);
    assert!(!table.finish(ticket, Bytes::new(), at(31)));
}

#[test]
fn a_full_table_lets_answered_requests_go_and_never_open_ones() {
    let mut table = Duplicates::new(2, FINISHED_LIFETIME);
    let first = admitted(&mut table, 1, 0, 0);
    admitted(&mut table, 2, 0, 0);
    assert_eq!(table.admit(&proven(3, 0), at(0)), Admission::Full);
    assert!(table.finish(first, Bytes::new(), at(0)));
    admitted(&mut table, 3, 0, 0);
    assert_eq!(table.admit(&proven(1, 0), at(0)), Admission::Full);
    assert_eq!(table.len(), 2);
}

#[test]
fn the_unproven_have_their_share_and_leave_the_rest_to_the_proven() {
    let mut table = Duplicates::new(64, FINISHED_LIFETIME);
    let open: Vec<Ticket> = (0..4)
        .map(|identifier| entered(&mut table, &unproven(identifier, 1), 0))
        .collect();
    assert_eq!(table.admit(&unproven(200, 1), at(0)), Admission::Full);
    // Three go on; one is answered, so that others may follow.
    assert!(table.finish(open[3], Bytes::new(), at(0)));
    for identifier in 4..100 {
        let ticket = entered(&mut table, &unproven(identifier, 1), 0);
        assert!(table.finish(ticket, Bytes::new(), at(0)));
    }
    assert_eq!(table.len(), 16, "a quarter of the table");
    for identifier in 101..149 {
        admitted(&mut table, identifier, 1, 0);
    }
    assert_eq!(table.len(), 64);
    // The unproven that were answered go first; then there is nothing to let go.
    for identifier in 149..162 {
        admitted(&mut table, identifier, 1, 0);
    }
    assert_eq!(table.admit(&proven(162, 1), at(0)), Admission::Full);
}

#[test]
fn a_request_is_known_until_it_lapses() {
    let mut table = Duplicates::default();
    admitted(&mut table, 1, 7, 0);
    assert!(table.knows(&proven(1, 7), at(29)));
    assert!(!table.knows(&proven(1, 8), at(29)));
    assert!(!table.knows(&proven(2, 7), at(29)));
    assert!(!table.knows(&proven(1, 7), at(30)));
}

/// Every index holds the same entries, and none more than are allowed.
fn whole(table: &Duplicates) {
    let unproven = table.unproven.len();
    assert!(table.len() <= table.capacity);
    assert!(unproven <= (table.capacity / UNPROVEN).max(1));
    assert_eq!(table.len(), table.proven.len() + unproven);
    for (key, ticket) in &table.current {
        assert_eq!(table.entries[ticket].identity.key, *key);
    }
    for (octets, ticket) in &table.octets {
        let identity = table.entries[ticket].identity;
        assert_eq!(identity.octets(), Some(*octets));
    }
    let octets = table
        .entries
        .values()
        .filter_map(|entry| entry.identity.octets());
    assert_eq!(octets.count(), table.octets.len());
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
            let port = 40_000 + u16::from(action);
            let identity = if wait.is_multiple_of(3) {
                unproven(identifier, authenticator)
            } else {
                from_port(proven(identifier, authenticator), port)
            };
            match action {
                0 | 1 => {
                    if let Admission::New(ticket) = table.admit(&identity, at(now)) {
                        let again = table.admit(&identity, at(now));
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
            whole(&table);
        }
        table.expire(at(now + 31));
        prop_assert!(table.is_empty());
        whole(&table);
    }

    /// Where there is room, proven octets are decided once while they are remembered and every copy
    /// gets the one reply, from whatever port it comes and whatever else is sent meanwhile.
    #[test]
    fn proven_octets_are_decided_once(steps in prop::collection::vec((0_u8..3, 0_u8..3, 0_u8..4, 0_u16..3, 0_u64..8), 1..200)) {
        let mut table = Duplicates::new(2048, FINISHED_LIFETIME);
        let mut model: HashMap<(u8, u8), (Ticket, Option<Bytes>, u64)> = HashMap::new();
        let mut now = 0;
        for (identifier, authenticator, action, port, wait) in steps {
            now += wait / 3;
            model.retain(|_, (_, _, lapses)| *lapses > now);
            let name = (identifier, authenticator);
            let port = 40_000 + port;
            match (action, model.get_mut(&name)) {
                (0, _) => {
                    let forged = from_port(unproven(identifier, authenticator), port);
                    let _ = table.admit(&forged, at(now));
                }
                (1, Some(known)) if known.1.is_none() => {
                    let reply = Bytes::from(now.to_be_bytes().to_vec());
                    table.finish(known.0, reply.clone(), at(now));
                    (known.1, known.2) = (Some(reply), now + 10);
                }
                (2, Some(known)) if known.1.is_none() => {
                    prop_assert!(table.forget(known.0));
                    model.remove(&name);
                }
                (_, known) => {
                    let copy = from_port(proven(identifier, authenticator), port);
                    prop_assert_eq!(table.knows(&copy, at(now)), known.is_some());
                    match (table.admit(&copy, at(now)), known) {
                        (Admission::New(ticket), None) => {
                            model.insert(name, (ticket, None, now + 30));
                        }
                        (Admission::InFlight, Some((_, None, _))) => {}
                        (Admission::Finished(bytes), Some((_, Some(reply), _))) => {
                            prop_assert_eq!(&bytes, &*reply);
                        }
                        (other, known) => prop_assert!(false, "{:?} where {:?}", other, known),
                    }
                }
            }
            whole(&table);
        }
    }
}
