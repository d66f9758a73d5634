//! The whole front end over loopback, with an authenticator that lets somebody in.

#[path = "../../../tests/rfc4511/client.rs"]
#[expect(dead_code, reason = "the tests of tests/rfc4511 use more of it")]
mod client;
mod ends;
mod loads;
mod pages;
mod passwords;
mod places;
mod slow;
mod strangers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::client::{
    Answer, Client, Scope, Search, abandon, bind, compare, control, equals, extended, not, present,
    tlv, unbind,
};
use super::*;
use doorward_domain::name::ListenerName;
use doorward_domain::resource::AccessContext;
use doorward_fixtures::listen_at_a_port;
use doorward_fixtures::world::{PASSWORD, StoppedClock, World, person};
use doorward_frontend_api::Undecided;
use doorward_ldap_protocol::controls::PASSWORD_POLICY;
use doorward_ldap_protocol::dn::DistinguishedName;
use doorward_ldap_protocol::extended::WHO_AM_I;
use doorward_ldap_protocol::settings::{PlaintextBind, TlsMode};
use doorward_ldap_protocol::tree::Tree;

const BASE: &str = "dc=example,dc=org";
const PEOPLE: &str = "ou=people,dc=example,dc=org";
const ALICE: &str = "uid=Alice,ou=people,dc=example,dc=org";
const BOB: &str = "uid=bob,ou=people,dc=example,dc=org";
const SUSAN: &str = "uid=susan,ou=people,dc=example,dc=org";
const STAFF: &str = "cn=staff,ou=groups,dc=example,dc=org";
const SSSD: &str = "cn=sssd,ou=services,dc=example,dc=org";
const DOVECOT: &str = "cn=dovecot,ou=services,dc=example,dc=org";

/// The listener's settings, on loopback.
fn settings() -> Settings {
    let base = DistinguishedName::parse(BASE).unwrap();
    let listener = ListenerName::parse("hosts").unwrap();
    let mut settings = Settings::new(listener, TlsMode::StartTls, Tree::new(base, "Example"));
    settings.plaintext_bind = PlaintextBind::Loopback;
    settings
}

struct Served {
    world: Arc<World>,
    gate: Arc<Gate>,
    address: SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
    runtime: Runtime,
}

impl Served {
    fn new() -> Self {
        Self::with(World::new(), settings())
    }

    fn with(world: World, settings: Settings) -> Self {
        Self::with_tls(world, settings, Arc::new(|_| None))
    }

    fn with_tls(world: World, settings: Settings, tls: TlsSource) -> Self {
        let world = Arc::new(world);
        let runtime = Runtime::new().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(StoppedClock);
        let gate = Gate::new(Caps::default(), Arc::clone(&clock));
        let services = Services {
            decide: Arc::clone(&world) as Arc<dyn Decide>,
            directory: Arc::clone(&world) as Arc<dyn Read>,
            searches: Searches::new(runtime.handle().clone(), 2),
            passwords: Arc::clone(&world) as Arc<dyn ChangeOwnPassword>,
            clock,
            tls,
            gate: Arc::clone(&gate),
            watch: Watch::default(),
        };
        let inside = runtime.enter();
        let socket = listen_at_a_port();
        drop(inside);
        let address = socket.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let server = Server::new(settings, services);
        let serving = runtime.spawn(server.serve(vec![socket], shutdown.clone()));
        Self {
            world,
            gate,
            address,
            shutdown,
            serving,
            runtime,
        }
    }

    fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    fn bound_as(&self, name: &str) -> Client {
        let mut client = self.connect();
        assert_eq!(client.ask(&bind(name, PASSWORD)).code(), 0);
        client
    }
}

fn who_am_i(client: &mut Client) -> String {
    let answer = client.ask(&extended(WHO_AM_I, None));
    assert_eq!(answer.code(), 0);
    String::from_utf8(answer.value().unwrap()).unwrap()
}

fn names(entries: &[Answer]) -> Vec<String> {
    entries.iter().map(|entry| entry.entry().0).collect()
}

fn found(client: &mut Client, search: &Search) -> Vec<String> {
    let (entries, end) = client.search(search);
    assert_eq!(end.code(), 0, "{end:?}");
    names(&entries)
}

fn code(client: &mut Client, search: &Search) -> u8 {
    let (entries, end) = client.search(search);
    assert!(entries.is_empty(), "{entries:?}");
    end.code()
}

#[test]
fn a_user_binds_and_is_who_it_is() {
    let served = Served::new();
    let mut client = served.bound_as("uid=ALICE, ou=People, dc=example, dc=org");
    assert_eq!(who_am_i(&mut client), format!("dn:{ALICE}"));
    let attempts = served.world.attempts.lock().unwrap();
    let AccessContext::Connection(circumstances) = &attempts[0].asking else {
        panic!()
    };
    assert_eq!(circumstances.listener.as_str(), "hosts");
    assert_eq!(circumstances.source.to_string(), "127.0.0.1");
    assert!(!attempts[0].asked_for_password_policy);
}

#[test]
fn a_failed_bind_leaves_the_connection_anonymous() {
    let served = Served::new();
    for failing in [
        bind(ALICE, "wrong"),
        bind(ALICE, ""),
        bind("", "x"),
        bind("nonsense", "x"),
    ] {
        let mut client = served.bound_as(ALICE);
        assert_ne!(client.ask(&failing).code(), 0);
        assert_eq!(who_am_i(&mut client), "");
        assert_eq!(code(&mut client, &Search::new(ALICE, Scope::Base)), 50);
    }
}

#[test]
fn every_refusal_is_the_same_answer() {
    let served = Served::new();
    let mut answers = Vec::new();
    for name in [
        ALICE,
        SUSAN,
        "uid=nobody,ou=people,dc=example,dc=org",
        "not a dn",
        BASE,
        SSSD,
    ] {
        let mut client = served.connect();
        let policy = [control(PASSWORD_POLICY, true)];
        answers.push(client.ask_with(&bind(name, "wrong"), &policy));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].code(), 49);
    assert_eq!(
        (
            answers[0].matched().as_str(),
            answers[0].diagnostic().as_str()
        ),
        ("", "")
    );
    assert!(answers[0].controls.is_empty());
}

#[test]
fn a_session_that_must_change_reads_itself_and_nothing_else() {
    let mut world = World::new();
    world.people.push(person("mona", 20_004));
    let served = Served::with(world, settings());
    let mut client = served.connect();
    let mona = "uid=mona,ou=people,dc=example,dc=org";
    let answer = client.ask_with(&bind(mona, PASSWORD), &[control(PASSWORD_POLICY, false)]);
    assert_eq!(answer.code(), 0);
    assert!(answer.controls.ends_with(&[0x30, 3, 0x81, 1, 2]));
    assert_eq!(who_am_i(&mut client), format!("dn:{mona}"));
    assert_eq!(found(&mut client, &Search::new(mona, Scope::Base)), [mona]);
    assert_eq!(code(&mut client, &Search::new(mona, Scope::Sub)), 50);
    assert_eq!(code(&mut client, &Search::new(ALICE, Scope::Base)), 50);
    assert_eq!(code(&mut client, &Search::new(BASE, Scope::Sub)), 50);
    assert_eq!(client.ask(&compare(ALICE, "uid", "alice")).code(), 50);
    assert_eq!(found(&mut client, &Search::new("", Scope::Base)), [""]);
}

#[test]
fn a_user_finds_itself_alone() {
    let served = Served::new();
    let mut client = served.bound_as(ALICE);
    assert_eq!(found(&mut client, &Search::new(BASE, Scope::Sub)), [ALICE]);
    assert_eq!(
        found(&mut client, &Search::new(PEOPLE, Scope::One)),
        [ALICE]
    );
    assert_eq!(
        found(&mut client, &Search::new(ALICE, Scope::Base)),
        [ALICE]
    );
    let bob = Search::new(BASE, Scope::Sub).filter(equals("uid", "bob"));
    assert!(found(&mut client, &bob).is_empty());
    // The base is there to search from, so an empty answer is no error.
    assert!(found(&mut client, &Search::new(BASE, Scope::Base)).is_empty());
    assert!(found(&mut client, &Search::new(BASE, Scope::One)).is_empty());
    // Nobody is asked about others, so that not even time tells.
    let queries = served.world.person_queries.lock().unwrap();
    assert!(queries.iter().all(|query| {
        *query == doorward_frontend_api::PersonQuery::Username("alice".to_owned())
    }));
}

#[test]
fn to_a_user_others_are_like_what_does_not_exist() {
    let served = Served::new();
    let mut client = served.bound_as(ALICE);
    let mut answer = |name: &str| {
        let (entries, end) = client.search(&Search::new(name, Scope::Base));
        assert!(entries.is_empty());
        let compared = client.ask(&compare(name, "uid", "bob"));
        (
            end.code(),
            end.matched(),
            end.diagnostic(),
            compared.code(),
            compared.matched(),
        )
    };
    let absent = answer("uid=nobody,ou=people,dc=example,dc=org");
    assert_eq!(
        absent,
        (32, PEOPLE.to_owned(), String::new(), 32, PEOPLE.to_owned())
    );
    assert_eq!(answer(BOB), absent);
    assert_eq!(answer("cn=x,uid=bob,ou=people,dc=example,dc=org"), absent);
    assert_eq!(
        answer(STAFF),
        answer("cn=nothing,ou=groups,dc=example,dc=org")
    );
    assert_eq!(
        answer(SSSD),
        answer("cn=nothing,ou=services,dc=example,dc=org")
    );
    assert_eq!(answer("dc=elsewhere").1, "");
}

#[test]
fn a_service_account_finds_people_and_groups() {
    let served = Served::new();
    let mut client = served.bound_as(SSSD);
    let sub = |filter| Search::new(BASE, Scope::Sub).filter(filter);
    assert_eq!(found(&mut client, &sub(equals("uid", "alice"))), [ALICE]);
    assert_eq!(
        found(&mut client, &sub(equals("uidNumber", "20003"))),
        [BOB]
    );
    assert_eq!(
        found(&mut client, &sub(equals("mail", "BOB@example.org"))),
        [BOB]
    );
    assert_eq!(found(&mut client, &sub(equals("member", ALICE))), [STAFF]);
    assert_eq!(
        found(&mut client, &sub(equals("memberUid", "bob"))),
        [STAFF]
    );
    assert_eq!(
        found(&mut client, &sub(equals("gidNumber", "30000"))),
        [STAFF]
    );
    assert_eq!(
        found(&mut client, &sub(equals("memberOf", STAFF))),
        [ALICE, SUSAN, BOB]
    );
    assert_eq!(
        found(&mut client, &Search::new(STAFF, Scope::Base)),
        [STAFF]
    );
    assert_eq!(found(&mut client, &Search::new(ALICE, Scope::Sub)), [ALICE]);
    assert!(found(&mut client, &Search::new(ALICE, Scope::One)).is_empty());
    let everything = found(&mut client, &Search::new(BASE, Scope::Sub));
    assert_eq!(everything.len(), 7 + 3 + 1);
    let (_, end) = client.search(&Search::new(
        "uid=no,ou=people,dc=example,dc=org",
        Scope::Base,
    ));
    assert_eq!((end.code(), end.matched().as_str()), (32, PEOPLE));
    let asked_by = served.world.asked_by.lock().unwrap();
    let AccessContext::Connection(circumstances) = &asked_by[0] else {
        panic!()
    };
    assert_eq!(circumstances.service.as_ref().unwrap().as_str(), "sssd");
}

#[test]
fn service_accounts_are_not_found_and_their_folder_is() {
    let served = Served::new();
    let mut client = served.bound_as(SSSD);
    assert_eq!(code(&mut client, &Search::new(SSSD, Scope::Base)), 32);
    let services = "ou=services,dc=example,dc=org";
    assert_eq!(
        found(&mut client, &Search::new(services, Scope::Sub)),
        [services]
    );
    let policy = "cn=ppolicy,ou=policies,dc=example,dc=org";
    let (entries, _) = client.search(&Search::new(policy, Scope::Base));
    assert_eq!(entries[0].values("pwdLockout"), ["TRUE"]);
}

#[test]
fn a_service_account_that_may_not_search_does_not() {
    let served = Served::new();
    let mut client = served.bound_as(DOVECOT);
    assert_eq!(who_am_i(&mut client), format!("dn:{DOVECOT}"));
    assert_eq!(code(&mut client, &Search::new(BASE, Scope::Sub)), 50);
    assert_eq!(code(&mut client, &Search::new(DOVECOT, Scope::Base)), 50);
    assert_eq!(client.ask(&compare(ALICE, "uid", "alice")).code(), 50);
    assert_eq!(
        found(&mut client, &Search::new("cn=subschema", Scope::Base)),
        ["cn=subschema"]
    );
}

#[test]
fn a_union_returns_each_entry_once() {
    let served = Served::new();
    let mut client = served.bound_as(SSSD);
    let branches = [
        equals("uid", "alice"),
        equals("mail", "alice@example.org"),
        equals("memberOf", STAFF),
    ];
    let either = tlv(0xa1, &branches.concat());
    let search = Search::new(BASE, Scope::Sub).filter(either);
    assert_eq!(found(&mut client, &search), [ALICE, SUSAN, BOB]);
}

#[test]
fn attributes_are_selected() {
    let served = Served::new();
    let mut client = served.bound_as(SSSD);
    let mut kinds = |attributes: &[&str], types_only| {
        let mut search = Search::new(SUSAN, Scope::Base).attributes(attributes);
        search.types_only = types_only;
        let (entries, _) = client.search(&search);
        entries[0].entry().1
    };
    let names = |list: Vec<(String, Vec<String>)>| {
        list.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(
        kinds(&["UID", "nonsense"], false),
        [("uid".to_owned(), vec!["susan".to_owned()])]
    );
    assert_eq!(kinds(&["uid"], true), [("uid".to_owned(), vec![])]);
    assert!(kinds(&["1.1"], false).is_empty());
    let user = names(kinds(&[], false));
    assert_eq!(names(kinds(&["*"], false)), user);
    assert!(user.contains(&"memberOf".to_owned()) && user.contains(&"shadowExpire".to_owned()));
    assert!(!user.contains(&"entryUUID".to_owned()));
    let operational = names(kinds(&["+"], false));
    assert!(operational.contains(&"pwdAccountLockedTime".to_owned()));
    assert!(!operational.contains(&"uid".to_owned()));
    assert_eq!(
        names(kinds(&["*", "+"], false)).len(),
        user.len() + operational.len()
    );
}

#[test]
fn what_nobody_may_read_is_true_of_nobody() {
    let served = Served::new();
    let mut client = served.bound_as(SSSD);
    for filter in [
        equals("userPassword", PASSWORD),
        not(&equals("userPassword", PASSWORD)),
        present("userPassword"),
        not(&present("userPassword")),
        not(&equals("uidNumber", "abc")),
    ] {
        assert!(found(&mut client, &Search::new(BASE, Scope::Sub).filter(filter)).is_empty());
    }
    assert_eq!(
        client.ask(&compare(ALICE, "userPassword", PASSWORD)).code(),
        16
    );
}

#[test]
fn compares_are_true_false_or_say_why_not() {
    let served = Served::new();
    let mut client = served.bound_as(SSSD);
    let mut code = |name, attribute, value| client.ask(&compare(name, attribute, value)).code();
    assert_eq!(code(ALICE, "uid", "aLiCe"), 6);
    assert_eq!(code(ALICE, "uid", "bob"), 5);
    assert_eq!(code(STAFF, "memberUid", "bob"), 6);
    assert_eq!(code(ALICE, "description", "x"), 16);
    assert_eq!(code(ALICE, "nonsense", "x"), 17);
    assert_eq!(code("uid=no,ou=people,dc=example,dc=org", "uid", "no"), 32);
    assert_eq!(code("nonsense", "uid", "no"), 34);
    assert_eq!(code("", "supportedLDAPVersion", "3"), 6);
}

fn crowd(count: u32) -> World {
    let mut world = World::new();
    world.people = (1..=count)
        .map(|number| person(&format!("u{number}"), number))
        .collect();
    world
}

#[test]
fn everybody_streams_in_batches_up_to_the_limits() {
    let mut limited = settings();
    limited.search.size = 600;
    let served = Served::with(crowd(700), limited);
    let mut client = served.bound_as(SSSD);
    let mut all = Search::new(PEOPLE, Scope::One);
    let (entries, end) = client.search(&all);
    assert_eq!((entries.len(), end.code()), (600, 4));
    all.size = 5;
    let (entries, end) = client.search(&all);
    assert_eq!((entries.len(), end.code()), (5, 4));
    // Exactly as many as there may be is no excess.
    all.size = 1;
    let (entries, end) = client.search(&all.filter(equals("uid", "u300")));
    assert_eq!((entries.len(), end.code()), (1, 0));
    // 601 in batches of 64.
    assert_eq!(served.world.reads.load(Ordering::SeqCst), 10 + 1 + 1);
}

#[test]
fn a_search_that_takes_too_long_ends() {
    let mut limited = settings();
    limited.search.time = Duration::from_millis(50);
    let served = Served::with(World::new(), limited);
    let mut client = served.bound_as(SSSD);
    served.world.hangs.store(true, Ordering::SeqCst);
    assert_eq!(
        code(
            &mut client,
            &Search::new(PEOPLE, Scope::Sub).filter(equals("uid", "x"))
        ),
        3
    );
}

#[test]
fn an_abandoned_search_is_not_answered_and_a_bind_waits_for_the_others() {
    let mut limited = settings();
    limited.search.time = Duration::from_millis(300);
    let served = Served::with(World::new(), limited);
    let mut client = served.bound_as(SSSD);
    served.world.hangs.store(true, Ordering::SeqCst);
    let uid = |name| {
        Search::new(PEOPLE, Scope::One)
            .filter(equals("uid", name))
            .bytes()
    };
    let gone = client.send(&uid("a"));
    let stays = client.send(&uid("b"));
    client.send(&abandon(gone));
    let bound = client.send(&bind(ALICE, PASSWORD));
    let first = client.read().unwrap();
    assert_eq!((first.id, first.code()), (i64::from(stays), 3));
    let second = client.read().unwrap();
    assert_eq!((second.id, second.code()), (i64::from(bound), 0));
}

#[test]
fn pipelined_requests_are_all_answered() {
    let mut few = settings();
    few.search.at_once = 3;
    let served = Served::with(World::new(), few);
    let mut client = served.bound_as(SSSD);
    let search = Search::new(ALICE, Scope::Base).bytes();
    let mut expected: Vec<i64> = (0..50).map(|_| i64::from(client.send(&search))).collect();
    let mut done = Vec::new();
    while done.len() < 50 {
        let answer = client.read().unwrap();
        if answer.tag == 0x65 {
            assert_eq!(answer.code(), 0);
            done.push(answer.id);
        }
    }
    done.sort_unstable();
    expected.sort_unstable();
    assert_eq!(done, expected);
}

#[test]
fn what_no_longer_stands_is_over() {
    let served = Served::new();
    let mut client = served.bound_as(ALICE);
    assert_eq!(
        found(&mut client, &Search::new(ALICE, Scope::Base)),
        [ALICE]
    );
    served.world.stands.store(false, Ordering::SeqCst);
    assert_eq!(code(&mut client, &Search::new(ALICE, Scope::Base)), 50);
    served.world.stands.store(true, Ordering::SeqCst);
    assert_eq!(who_am_i(&mut client), "");
}

#[test]
fn a_store_that_is_down_ends_the_connection_and_heals() {
    let served = Served::new();
    let break_it = |broken: Option<Undecided>| *served.world.undecided.lock().unwrap() = broken;
    let down = || Some(Undecided::Unavailable("disk full".to_owned()));
    for operation in [
        bind(ALICE, PASSWORD),
        Search::new(ALICE, Scope::Base).bytes(),
        compare(ALICE, "uid", "alice"),
        extended(WHO_AM_I, None),
    ] {
        let mut client = served.bound_as(ALICE);
        break_it(down());
        assert_eq!(client.ask(&operation).code(), 52);
        let notice = client.read().unwrap();
        assert!(notice.is_notice());
        assert_eq!(notice.code(), 52);
        assert!(!notice.diagnostic().contains("disk"));
        assert!(client.is_closed());
        break_it(None);
    }
    let mut client = served.bound_as(ALICE);
    break_it(Some(Undecided::Busy));
    assert_eq!(client.ask(&bind(ALICE, PASSWORD)).code(), 51);
    break_it(None);
    assert_eq!(client.ask(&bind(ALICE, PASSWORD)).code(), 0);
}

/// Waits until connections are refused, or no longer: the listener learns of it by itself.
fn refuses(served: &Served, refused: bool) {
    let connect = |_| std::net::TcpStream::connect(served.address);
    assert!(
        (0..100_000)
            .map(connect)
            .any(|answer| answer.is_err() == refused)
    );
}

#[test]
fn nobody_connects_while_the_store_is_known_to_be_down() {
    let served = Served::new();
    let mut inside = served.bound_as(ALICE);
    served.gate.set_available(false);
    refuses(&served, true);
    assert_eq!(inside.ask(&bind(ALICE, PASSWORD)).code(), 0);
    served.gate.set_available(true);
    refuses(&served, false);
    served.bound_as(ALICE);
}

#[test]
fn a_panic_ends_one_connection() {
    let served = Served::new();
    let mut other = served.bound_as(SSSD);
    let mut client = served.bound_as(SSSD);
    served.world.panics.store(true, Ordering::SeqCst);
    client.send(&Search::new(ALICE, Scope::Base).bytes());
    assert!(client.is_closed());
    served.world.panics.store(false, Ordering::SeqCst);
    assert_eq!(found(&mut other, &Search::new(ALICE, Scope::Base)), [ALICE]);
    served.bound_as(ALICE);
}

#[test]
fn shutting_down_ends_what_runs_and_says_so() {
    let mut limited = settings();
    limited.search.time = Duration::from_millis(200);
    let served = Served::with(World::new(), limited);
    let mut idle = served.connect();
    assert_eq!(who_am_i(&mut idle), "");
    let mut client = served.bound_as(SSSD);
    served.world.hangs.store(true, Ordering::SeqCst);
    let id = client.send(
        &Search::new(PEOPLE, Scope::One)
            .filter(equals("uid", "a"))
            .bytes(),
    );
    while served.world.reads.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    served.shutdown.cancel();
    let notice = idle.read().unwrap();
    assert!(notice.is_notice());
    assert_eq!(notice.code(), 52);
    let answer = client.read().unwrap();
    assert_eq!((answer.id, answer.code()), (i64::from(id), 3));
    assert!(client.read().unwrap().is_notice());
    assert!(client.is_closed());
    served.runtime.block_on(served.serving).unwrap();
}

#[test]
fn who_does_not_read_is_closed() {
    let mut impatient = settings();
    impatient.timeouts.write = Duration::from_millis(100);
    impatient.search.size = 100_000;
    impatient.search.time = Duration::from_mins(1);
    let served = Served::with(crowd(20_000), impatient);
    let mut client = served.bound_as(SSSD);
    for _ in 0..4 {
        client.send(
            &Search::new(PEOPLE, Scope::One)
                .attributes(&["*", "+"])
                .bytes(),
        );
    }
    // Not reading, until the server has given up; then what is left is read.
    while served.gate.open() > 0 {
        std::thread::yield_now();
    }
    let mut ends = 0;
    while let Some(answer) = read_lossy(&mut client) {
        ends += usize::from(answer.tag == 0x65);
    }
    assert_eq!(ends, 0);
}

/// Reads one message; none at the end, also in the middle of a message.
fn read_lossy(client: &mut Client) -> Option<Answer> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client.read()))
        .ok()
        .flatten()
}

#[test]
fn unbind_ends_the_connection_without_a_word() {
    let served = Served::new();
    let mut client = served.bound_as(ALICE);
    client.send(&unbind());
    assert!(client.is_closed());
}
