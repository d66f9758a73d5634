//! Work without measure: filters of many terms, groups of many members, clients that ask much and
//! leave.

use std::io::Write as _;

use super::client::{message, sorted};
use super::*;
use doorward_fixtures::world::members;

const MEMBERS: usize = 6000;

/// A world whose staff is so many that a read leaves them out at first.
pub(super) fn large() -> World {
    with_members(MEMBERS)
}

pub(super) fn with_members(count: usize) -> World {
    let mut world = World::new();
    let users: Vec<String> = (0..count).map(|number| format!("u{number:05}")).collect();
    world.groups[0].members = members(users.iter().map(String::as_str), ["interns"]);
    world
}

fn any_of(terms: usize) -> Vec<u8> {
    tlv(0xa1, &equals("description", "x").repeat(terms))
}

#[test]
fn a_strangers_filter_has_a_few_terms_and_no_more() {
    let served = Served::new();
    let mut client = served.connect();
    let mut ask = |terms| {
        let search = Search::new("cn=subschema", Scope::Base).filter(any_of(terms));
        code(&mut client, &search)
    };
    assert_eq!((ask(7), ask(8), ask(240)), (0, 2, 2));
    // Who has bound may ask for more.
    let mut bound = served.bound_as(ALICE);
    let own = Search::new(ALICE, Scope::Base);
    assert_eq!(code(&mut bound, &own.filter(any_of(240))), 0);
}

#[test]
fn members_are_read_only_where_they_are_looked_at() {
    let served = Served::with(large(), settings());
    let mut client = served.bound_as(SSSD);
    let reads = || served.world.member_reads.load(Ordering::SeqCst);
    let staff = || Search::new(STAFF, Scope::Base);
    let quiet = [
        staff().attributes(&["cn", "gidNumber"]),
        staff().attributes(&["1.1"]).filter(equals("cn", "staff")),
        Search::new(BASE, Scope::Sub)
            .attributes(&["+"])
            .filter(equals("cn", "staff")),
    ];
    for search in quiet {
        assert_eq!(found(&mut client, &search), [STAFF]);
    }
    assert_eq!(reads(), 0);
    let (entries, end) = client.search(&staff());
    assert_eq!((end.code(), reads()), (0, 1));
    let users = entries[0].values("memberUid");
    assert_eq!(
        (users.len(), users[MEMBERS - 1].as_str()),
        (MEMBERS, "u05999")
    );
    let names = entries[0].values("member");
    assert_eq!(names.len(), MEMBERS + 1);
    assert_eq!(names[0], format!("uid=u00000,{PEOPLE}"));
    assert_eq!(names[MEMBERS], "cn=interns,ou=groups,dc=example,dc=org");
}

#[test]
fn filters_and_compares_look_at_every_one_of_many_members() {
    let served = Served::with(large(), settings());
    let mut client = served.bound_as(SSSD);
    let staff = |filter| {
        Search::new(STAFF, Scope::Base)
            .attributes(&["cn"])
            .filter(filter)
    };
    let last = || equals("memberUid", "u05999");
    assert_eq!(found(&mut client, &staff(last())), [STAFF]);
    assert_eq!(found(&mut client, &staff(not(&last()))), [""; 0]);
    let member = format!("uid=U05999, ou=people,{BASE}");
    assert_eq!(
        found(&mut client, &staff(equals("member", &member))),
        [STAFF]
    );
    assert_eq!(client.ask(&compare(STAFF, "member", &member)).code(), 6);
    assert_eq!(client.ask(&compare(STAFF, "memberUid", "nobody")).code(), 5);
    assert_eq!(client.ask(&compare(STAFF, "cn", "staff")).code(), 6);
    assert_eq!(client.ask(&compare(STAFF, "pwdHistory", "x")).code(), 17);
}

#[test]
fn who_hangs_up_behind_unread_requests_ends_what_runs() {
    let served = Served::new();
    served.world.hangs.store(true, Ordering::SeqCst);
    let mut client = served.bound_as(SSSD);
    // More than run at once, so that the rest is not read.
    for number in 0..100 {
        let search = Search::new(PEOPLE, Scope::One).filter(equals("uid", &number.to_string()));
        client.send(&search.bytes());
    }
    while served.world.reads.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    assert_eq!(served.gate.open(), 1);
    drop(client);
    while served.gate.open() > 0 {
        std::thread::yield_now();
    }
    // What they had of what all share is free again.
    served.world.hangs.store(false, Ordering::SeqCst);
    let mut client = served.bound_as(SSSD);
    for _ in 0..20 {
        assert_eq!(
            found(&mut client, &Search::new(ALICE, Scope::Base)),
            [ALICE]
        );
    }
}

#[test]
fn who_does_not_read_holds_up_nobody_else_of_its_source() {
    let mut patient = settings();
    patient.search.time = Duration::from_mins(5);
    patient.timeouts.write = Duration::from_mins(5);
    let served = Served::with(large(), patient);
    let mut deaf: Vec<Client> = (0..8).map(|_| served.bound_as(SSSD)).collect();
    for client in &mut deaf {
        for _ in 0..16 {
            client.send(&Search::new(STAFF, Scope::Base).bytes());
        }
    }
    let mut client = served.bound_as(SSSD);
    for _ in 0..20 {
        let lookup = Search::new(BASE, Scope::Sub).filter(equals("uid", "alice"));
        assert_eq!(found(&mut client, &lookup), [ALICE]);
        let scan = Search::new(PEOPLE, Scope::One).attributes(&["uid"]);
        assert_eq!(found(&mut client, &scan).len(), 3);
    }
    drop(deaf);
}

/// Clients that ask so often for what is found at once that the answers fill the network, some three
/// megabytes, and read nothing.
fn deaf(
    served: &Served,
    count: usize,
    search: &Search,
    name: &str,
    own: &[Vec<u8>],
) -> Vec<Client> {
    let requests: Vec<u8> = (2..250)
        .flat_map(|id| message(id, &search.bytes(), own))
        .collect();
    let deaf = (0..count).map(|_| {
        let mut client = Client::over(with_little_room(served.address));
        assert_eq!(client.ask(&bind(name, PASSWORD)).code(), 0);
        client.stream.write_all(&requests).unwrap();
        client
    });
    deaf.collect()
}

/// A connection into which little fits.
fn with_little_room(address: SocketAddr) -> std::net::TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.into()
}

/// Never closes anybody for reading nothing.
fn patient() -> Settings {
    let mut patient = settings();
    patient.search.time = Duration::from_mins(5);
    patient.timeouts.write = Duration::from_mins(5);
    patient
}

#[test]
fn who_reads_nothing_takes_no_room_from_quick_searches_of_its_source() {
    let served = Served::with(World::new(), patient());
    let schema = Search::new("cn=subschema", Scope::Base).attributes(&["*", "+"]);
    // Six times sixteen are more than a source's quick searches have room for.
    let deaf = deaf(&served, 6, &schema, ALICE, &[]);
    let mut client = served.bound_as(SSSD);
    for _ in 0..20 {
        let lookup = Search::new(BASE, Scope::Sub).filter(equals("uid", "alice"));
        assert_eq!(found(&mut client, &lookup), [ALICE]);
    }
    drop(deaf);
}

#[test]
fn who_reads_nothing_of_what_it_wants_sorted_takes_no_room_from_others() {
    let served = Served::with(World::new(), patient());
    let schema = Search::new("cn=subschema", Scope::Base).attributes(&["*", "+"]);
    let sort = sorted(false, &[("cn", None, false)]);
    // Five at once had all of a source's room, each 2.8 MB of 16 MiB.
    let deaf = deaf(&served, 6, &schema, ALICE, &[sort]);
    let mut client = served.bound_as(SSSD);
    for _ in 0..20 {
        assert_eq!(
            found(&mut client, &Search::new(STAFF, Scope::Base)),
            [STAFF]
        );
        let scan = Search::new(PEOPLE, Scope::One).attributes(&["uid"]);
        assert_eq!(found(&mut client, &scan).len(), 3);
    }
    drop(deaf);
}

#[test]
fn who_reads_late_gets_everything_once_and_in_order() {
    let mut world = World::new();
    world.people = (0..9000)
        .map(|number| {
            let mut own = person(&format!("u{number:04}"), 30_000 + number);
            own.full_name = Some("x".repeat(600));
            own
        })
        .collect();
    let served = Served::with(world, patient());
    let mut client = Client::over(with_little_room(served.address));
    assert_eq!(client.ask(&bind(SSSD, PASSWORD)).code(), 0);
    let all = Search::new(PEOPLE, Scope::One).bytes();
    client.stream.write_all(&message(2, &all, &[])).unwrap();
    let reads = || served.world.reads.load(Ordering::SeqCst);
    // Until it stands still, the network being full, for longer than an operation has patience.
    let mut before = 0;
    while reads() == 0 || reads() != before {
        before = reads();
        std::thread::park_timeout(Duration::from_secs(1));
    }
    let mut names = Vec::new();
    loop {
        let answer = client.read().unwrap();
        if answer.tag == 0x65 {
            assert_eq!(answer.code(), 0);
            break;
        }
        names.push(answer.entry().0);
    }
    let expected: Vec<String> = (0..9000)
        .map(|number| format!("uid=u{number:04},{PEOPLE}"))
        .collect();
    assert_eq!(names, expected);
}

#[test]
fn behind_a_long_request_that_runs_nothing_is_read() {
    let mut hurried = settings();
    hurried.search.time = Duration::from_secs(2);
    let served = Served::with(World::new(), hurried);
    let first_answer = |bytes: usize| {
        let mut client = served.bound_as(ALICE);
        served.world.hangs.store(true, Ordering::SeqCst);
        let filter = equals("cn", &"a".repeat(bytes));
        client.send(&Search::new(ALICE, Scope::Base).filter(filter).bytes());
        client.send(&extended(WHO_AM_I, None));
        let tags = [client.read().unwrap().tag, client.read().unwrap().tag];
        served.world.hangs.store(false, Ordering::SeqCst);
        tags
    };
    assert_eq!(first_answer(10), [0x78, 0x65]);
    assert_eq!(first_answer(3500), [0x78, 0x65]);
    assert_eq!(first_answer(40_000), [0x65, 0x78]);
}
