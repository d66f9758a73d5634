//! The same requests to both, and what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::{Shutdown, SocketAddr};

use crate::answers::{End, Outcome};
use crate::client::{Answer, Client, bind, message};
use crate::common::{BASE, PASSWORD};
use crate::differences::{self, Difference};
use crate::requests::{self, Asker, Case, Sent};
use crate::slapd::Slapd;
use crate::{pages, population, slapd};

/// The id of the request that tells whether a connection still works.
const PROBE: i32 = 0x7777;

#[test]
fn both_answer_alike_but_for_what_is_listed() {
    let scratch = tempfile::tempdir().unwrap();
    if !slapd::is_there(
        "comparing::both_answer_alike_but_for_what_is_listed",
        &scratch,
    ) {
        return;
    }
    let gateway = population::gateway(BASE);
    let entries = population::read(gateway.hosts, BASE);
    let mut address = gateway.hosts;
    address.set_port(10389);
    let slapd = Slapd::start(address, BASE, &population::ldif(&entries, BASE));
    let cases = requests::all(&entries);
    let mut names = BTreeSet::new();
    let twice: Vec<&str> = cases
        .iter()
        .map(|case| case.name.as_str())
        .filter(|name| !names.insert(*name))
        .collect();
    assert!(twice.is_empty(), "twice: {twice:#?}");
    assert!(cases.len() > 1000, "{} requests", cases.len());
    let found = differ(gateway.hosts, &slapd, &cases);
    differences::hold(&found);
    pages::alike(gateway.hosts, slapd.address);
}

fn differ(doorward: SocketAddr, slapd: &Slapd, cases: &[Case]) -> Vec<Difference> {
    let mut ours = Asking::of(doorward);
    let mut theirs = Asking::of(slapd.address);
    let mut found = Vec::new();
    for case in cases {
        let _named = Named(&case.name);
        let (one, two) = (ours.ask(case), theirs.ask(case));
        if one == two {
            continue;
        }
        found.push(Difference {
            request: case.name.clone(),
            doorward: one.summary(),
            slapd: two.summary(),
            details: if case.any_entries {
                String::new()
            } else {
                one.details(&two)
            },
        });
    }
    found
}

/// Names the request at which a test fails.
struct Named<'a>(&'a str);

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("at the request '{}'", self.0);
        }
    }
}

/// One server, and the connections to it that stay.
struct Asking {
    address: SocketAddr,
    kept: Vec<(Asker, Client)>,
}

impl Asking {
    fn of(address: SocketAddr) -> Self {
        Self {
            address,
            kept: Vec::new(),
        }
    }

    fn ask(&mut self, case: &Case) -> Outcome {
        let (answers, end) = match &case.sent {
            Sent::Operation(operation, controls) => {
                let mut client = self.take(case.asker);
                let (answers, end) = until_final(&mut client, operation, controls);
                if end == End::Open {
                    self.kept.push((case.asker, client));
                }
                (answers, end)
            }
            Sent::Talk(operations) => {
                let mut client = Client::connect(self.address);
                let mut answers = Vec::new();
                let mut end = End::Open;
                for (operation, controls) in operations {
                    let (more, now) = until_final(&mut client, operation, controls);
                    answers.extend(more);
                    end = now;
                    if end == End::Closed {
                        break;
                    }
                }
                (answers, end)
            }
            Sent::Raw(bytes) => self.raw(bytes, true),
            Sent::Unanswered(bytes) => self.raw(bytes, false),
            Sent::Last(bytes) => {
                let mut client = Client::connect(self.address);
                // The server may have closed before the last byte.
                let _ = client.stream.write_all(bytes);
                let _ = client.stream.shutdown(Shutdown::Write);
                let answers = std::iter::from_fn(|| client.read()).collect();
                (answers, End::Closed)
            }
        };
        let mut outcome = Outcome::of(&answers, end);
        if case.any_entries {
            // Their names are the server's choice.
            let places = 0..outcome.entries.len();
            outcome.entries = places
                .map(|place| (place.to_string(), BTreeMap::default()))
                .collect();
        }
        outcome
    }

    /// The asker's connection.
    fn take(&mut self, asker: Asker) -> Client {
        if let Some(place) = self.kept.iter().position(|(kept, _)| *kept == asker) {
            return self.kept.swap_remove(place).1;
        }
        let mut client = Client::connect(self.address);
        let name = match asker {
            Asker::Service => population::service(BASE),
            Asker::User => "uid=alice,ou=people,dc=example,dc=org".to_owned(),
            Asker::Anonymous => return client,
        };
        assert_eq!(client.ask(&bind(&name, PASSWORD)).code(), 0);
        client
    }

    fn raw(&self, bytes: &[u8], answered: bool) -> (Vec<Answer>, End) {
        let mut client = Client::connect(self.address);
        // A bind is answered when all that came before it is (RFC 4511 section 4.2.1).
        let probe = message(PROBE, &bind("", ""), &[]);
        let mut answers = Vec::new();
        // The server may close before the last byte.
        let _ = client.stream.write_all(bytes);
        if answered {
            while let Some(answer) = client.read() {
                let last = answer.tag != 0x64;
                answers.push(answer);
                if last {
                    break;
                }
            }
            if answers.last().is_none_or(Answer::is_notice) {
                return (answers, End::Closed);
            }
        }
        let _ = client.stream.write_all(&probe);
        while let Some(answer) = client.read() {
            if answer.id == i64::from(PROBE) {
                return (answers, End::Open);
            }
            answers.push(answer);
        }
        (answers, End::Closed)
    }
}

/// Sends an operation and reads what comes until its final answer, or the end of the connection.
fn until_final(client: &mut Client, operation: &[u8], controls: &[Vec<u8>]) -> (Vec<Answer>, End) {
    let id = client.send_with(operation, controls);
    let mut answers = Vec::new();
    while let Some(answer) = client.read() {
        assert!(
            answer.is_notice() || answer.id == i64::from(id),
            "{answer:?}"
        );
        let last = answer.id == i64::from(id) && !matches!(answer.tag, 0x64 | 0x73 | 0x79);
        answers.push(answer);
        if last {
            return (answers, End::Open);
        }
    }
    (answers, End::Closed)
}
