//! What those can do to everybody else who have not bound. The clock stands still, so that what
//! they may do at once is all that they may do.

use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::AtomicUsize;
use std::thread;

use socket2::{Domain, Socket, Type};

use super::client::{delete, message};
use super::*;

const AT_ONCE: usize = gate::AT_ONCE.get() as usize;

const CONNECTIONS: usize = 4;
const EACH: usize = 100;

/// Where nobody has bound.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

impl Served {
    fn connect_from(&self, source: Ipv4Addr) -> Client {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
        socket.connect(&self.address.into()).unwrap();
        let stream: TcpStream = socket.into();
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).unwrap();
        Client::over(stream)
    }

    /// Strangers who send one thing again and again, and how many answers they have had.
    fn flood(&self, sent: &[u8]) -> Arc<AtomicUsize> {
        let answered = Arc::new(AtomicUsize::new(0));
        for _ in 0..CONNECTIONS {
            let mut client = self.connect_from(ELSEWHERE);
            let all: Vec<u8> = (1..=EACH)
                .flat_map(|id| message(i32::try_from(id).unwrap(), sent, &[]))
                .collect();
            client.raw(&all);
            let answered = Arc::clone(&answered);
            thread::spawn(move || {
                while let Some(answer) = client.read() {
                    // An entry is no answer yet.
                    if answer.tag != 0x64 {
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        answered
    }
}

/// Whether an answer comes within a moment.
fn is_answered(client: &Client) -> bool {
    let moment = Some(Duration::from_millis(300));
    client.stream.set_read_timeout(moment).unwrap();
    let peeked = client.stream.peek(&mut [0]);
    let patience = Some(Duration::from_secs(20));
    client.stream.set_read_timeout(patience).unwrap();
    peeked.is_ok()
}

fn reaches(answered: &AtomicUsize, count: usize) {
    for _ in 0..4000 {
        if answered.load(Ordering::SeqCst) >= count {
            return;
        }
        thread::park_timeout(Duration::from_millis(5));
    }
    panic!("{} of {count} answered", answered.load(Ordering::SeqCst));
}

#[test]
fn strangers_do_so_much_together_and_hold_up_nobody_who_logs_in() {
    let unreadable = tlv(0x60, &[&[2, 1, 3, 4, 0], &[2, 1, 0][..]].concat());
    for (name, sent) in [
        ("root DSE", Search::new("", Scope::Base).bytes()),
        ("schema", Search::new("cn=subschema", Scope::Base).bytes()),
        ("other entries", Search::new(ALICE, Scope::Base).bytes()),
        ("compare", compare("", "objectClass", "top")),
        ("WhoAmI", extended(WHO_AM_I, None)),
        ("unknown", extended("1.2.3", None)),
        ("delete", delete(ALICE)),
        ("anonymous bind", bind("", "")),
        ("bind without a password", bind(ALICE, "")),
        ("unreadable bind", unreadable),
    ] {
        let mut clear = settings();
        clear.tls = TlsMode::None;
        let served = Served::with(World::new(), clear);
        let mut bound = served.bound_as(SSSD);
        let answered = served.flood(&sent);
        reaches(&answered, AT_ONCE);
        // Whoever logs in meanwhile, there and elsewhere, and whoever has.
        for source in [ELSEWHERE, Ipv4Addr::LOCALHOST] {
            let mut client = served.connect_from(source);
            assert_eq!(client.ask(&bind(ALICE, PASSWORD)).code(), 0, "{name}");
            assert_eq!(who_am_i(&mut client), format!("dn:{ALICE}"));
        }
        for _ in 0..AT_ONCE {
            let lookup = Search::new(BASE, Scope::Sub).filter(equals("uid", "alice"));
            assert_eq!(found(&mut bound, &lookup), [ALICE]);
        }
        // A host that asks before it binds, where somebody has bound before.
        let mut host = served.connect_from(Ipv4Addr::LOCALHOST);
        assert_eq!(found(&mut host, &Search::new("", Scope::Base)), [""]);
        assert_eq!(host.ask(&bind(SSSD, PASSWORD)).code(), 0);
        let answered = answered.load(Ordering::SeqCst);
        // A bind is done first and paid for afterwards.
        let most = AT_ONCE + CONNECTIONS;
        assert!(answered <= most, "{name}: {answered}");
        println!("{name}: {answered} of {} answered", CONNECTIONS * EACH);
    }
}

#[test]
fn what_nobody_answers_is_paid_for_as_well() {
    let served = Served::new();
    let mut client = served.connect();
    let mut sent = message(1, &abandon(7), &[]).repeat(2 * AT_ONCE);
    sent.extend(message(2, &extended(WHO_AM_I, None), &[]));
    client.raw(&sent);
    assert_eq!(served.bound_as(ALICE).ask(&bind(SSSD, PASSWORD)).code(), 0);
    assert!(!is_answered(&client));
}

#[test]
fn a_message_in_many_pieces_is_paid_for_while_it_comes() {
    let served = Served::new();
    let answered = served.flood(&extended(WHO_AM_I, None));
    reaches(&answered, AT_ONCE);
    let mut long = served.connect_from(ELSEWHERE);
    long.send(&bind(ALICE, &"x".repeat(20_000)));
    let mut short = served.connect_from(ELSEWHERE);
    assert_eq!(short.ask(&bind(ALICE, PASSWORD)).code(), 0);
    assert!(!is_answered(&long));
}

#[test]
fn strangers_that_wait_for_a_turn_do_not_hold_up_the_end_and_leave_when_they_hang_up() {
    let served = Served::new();
    let mut gone = served.connect();
    for _ in 0..AT_ONCE {
        assert_eq!(who_am_i(&mut gone), "");
    }
    gone.send(&extended(WHO_AM_I, None));
    let mut waiting = served.connect();
    waiting.send(&extended(WHO_AM_I, None));
    assert!(!is_answered(&waiting));
    drop(gone);
    while served.gate.open() > 1 {
        thread::yield_now();
    }
    served.stop();
    assert!(waiting.read().unwrap().is_notice());
    assert!(waiting.is_closed());
}
