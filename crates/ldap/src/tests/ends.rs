//! The end of the daemon: what is under way has a few seconds, whatever the connection waits for.

use std::net::TcpStream;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::client::{message, password_modify};
use super::loads::{large, with_members};
use super::slow::{Over, serve_messages};
use super::*;
use doorward_ldap_protocol::settings::TlsMode;

impl Served {
    /// Stops, and waits for the end: as long as nothing that is waited for takes.
    pub(super) fn stop(self) {
        self.shutdown.cancel();
        self.ends();
    }

    fn ends(self) {
        let end = async { tokio::time::timeout(Duration::from_mins(1), self.serving).await };
        let ended = self.runtime.block_on(end);
        ended.expect("it goes on").unwrap();
    }
}

/// Nothing but operations and decisions takes long.
fn patient() -> Settings {
    let mut patient = settings();
    patient.search.time = Duration::from_mins(5);
    patient.timeouts.write = Duration::from_mins(5);
    patient.timeouts.handshake = Duration::from_mins(5);
    patient
}

fn begins(served: &Served, reads: usize) {
    while served.world.reads.load(Ordering::SeqCst) < reads {
        std::thread::yield_now();
    }
}

fn is_told_the_end(client: &mut Client) {
    let notice = client.read().unwrap();
    assert!(notice.is_notice(), "{notice:?}");
    assert_eq!(notice.code(), 52);
    assert!(client.is_closed());
}

#[test]
fn operations_without_end_do_not_hold_up_the_end() {
    let served = Served::with(World::new(), patient());
    let mut client = served.bound_as(SSSD);
    served.world.hangs.store(true, Ordering::SeqCst);
    client.send(&Search::new(PEOPLE, Scope::One).bytes());
    begins(&served, 1);
    served.shutdown.cancel();
    is_told_the_end(&mut client);
    served.ends();
}

#[test]
fn a_bind_that_waits_for_operations_does_not_hold_up_the_end() {
    let served = Served::with(World::new(), patient());
    let mut client = served.bound_as(SSSD);
    served.world.hangs.store(true, Ordering::SeqCst);
    let search = message(2, &Search::new(PEOPLE, Scope::One).bytes(), &[]);
    let bind = message(3, &bind(ALICE, PASSWORD), &[]);
    // In one piece, so that the bind is waiting once the search is read.
    client.raw(&[search, bind].concat());
    begins(&served, 1);
    served.shutdown.cancel();
    is_told_the_end(&mut client);
    served.ends();
}

#[test]
fn a_decision_that_does_not_come_does_not_hold_up_the_end() {
    let served = Served::with(World::new(), patient());
    let mut clients: Vec<Client> = (0..5).map(|_| served.bound_as(ALICE)).collect();
    let begun = || served.world.decisions.load(Ordering::SeqCst);
    let before = begun();
    served.world.ponders.store(true, Ordering::SeqCst);
    let asked = [
        bind(ALICE, PASSWORD),
        bind(SSSD, PASSWORD),
        extended(WHO_AM_I, None),
        Search::new(ALICE, Scope::Base).bytes(),
        password_modify(None, Some(PASSWORD), Some("quite another one")),
    ];
    for (client, asked) in clients.iter_mut().zip(&asked) {
        client.send(asked);
    }
    while begun() < before + asked.len() {
        std::thread::yield_now();
    }
    served.shutdown.cancel();
    for client in &mut clients {
        is_told_the_end(client);
    }
    served.ends();
}

#[test]
fn what_is_decided_in_time_is_answered_before_the_end() {
    let served = Served::with(World::new(), patient());
    let mut client = served.connect();
    served.world.ponders.store(true, Ordering::SeqCst);
    let asked = client.send(&bind(ALICE, PASSWORD));
    while served.world.decisions.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    served.shutdown.cancel();
    served.world.ponders.store(false, Ordering::SeqCst);
    let bound = client.read().unwrap();
    assert_eq!((bound.id, bound.code()), (i64::from(asked), 0));
    is_told_the_end(&mut client);
    served.ends();
}

#[test]
fn who_says_nothing_at_first_does_not_hold_up_the_end() {
    let mut behind = patient();
    behind.tls = TlsMode::None;
    behind.proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let served = Served::with(World::new(), behind);
    let silent = TcpStream::connect(served.address).unwrap();
    // What comes later is taken later.
    let mut later = served.connect();
    later.raw(b"PROXY TCP4 192.0.2.7 192.0.2.1 50000 389\r\n");
    assert_eq!(who_am_i(&mut later), "");
    served.stop();
    drop(silent);
}

#[test]
fn a_client_that_does_not_read_does_not_hold_up_the_end() {
    let served = Served::with(large(), patient());
    let mut client = served.bound_as(SSSD);
    for _ in 0..16 {
        client.send(&Search::new(STAFF, Scope::Base).bytes());
    }
    while served.world.member_reads.load(Ordering::SeqCst) < 4 {
        std::thread::yield_now();
    }
    served.stop();
    drop(client);
}

/// There is always something to write, and soon somewhere to write it.
#[tokio::test]
async fn a_client_that_reads_steadily_does_not_hold_up_the_end() {
    const LONG: usize = 50_000;
    const ASKED: i32 = 16;
    let Over {
        mut client,
        shutdown,
        served,
        ..
    } = serve_messages(with_members(LONG), patient()).await;
    let search = Search::new(STAFF, Scope::Base).bytes();
    for id in 0..ASKED {
        let asked = message(2 + id, &search, &[]);
        client.write_all(&asked).await.unwrap();
    }
    let mut bytes = [0; 4096];
    client.read_exact(&mut bytes).await.unwrap();
    shutdown.cancel();
    let mut taken = 0;
    while let Ok(read @ 1..) = client.read(&mut bytes).await {
        taken += read;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(served.await.unwrap(), CloseReason::Shutdown);
    // Each has a name of some forty bytes for every member, and one of six.
    let whole = usize::try_from(ASKED).unwrap() * LONG * 40;
    println!("{taken} bytes until the end, of more than {whole}");
    assert!(taken < whole);
}

/// It takes a little all the time, so that no write is ever waited for long.
#[tokio::test]
async fn a_client_that_reads_byte_by_byte_does_not_hold_up_the_end() {
    let Over {
        mut client,
        shutdown,
        served,
        ..
    } = serve_messages(large(), patient()).await;
    let search = Search::new(STAFF, Scope::Base).bytes();
    client.write_all(&message(2, &search, &[])).await.unwrap();
    let mut taken = vec![0; 4096];
    client.read_exact(&mut taken).await.unwrap();
    shutdown.cancel();
    let dripping = async {
        let mut bytes = [0; 8];
        while let Ok(1..) = client.read(&mut bytes).await {
            taken.extend_from_slice(&bytes);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let dripped = tokio::time::timeout(Duration::from_mins(1), dripping).await;
    dripped.expect("it goes on");
    assert_eq!(served.await.unwrap(), CloseReason::Shutdown);
    // The entry is cut off, and nothing pretends to be a piece of it.
    let all = String::from_utf8_lossy(&taken);
    assert!(!all.contains("shutting down"));
}
