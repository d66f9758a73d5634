//! What the time of a refusal tells: for each two kinds of refusals, how well they are told apart.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::arguments::Arguments;
use crate::clock::{Pace, milliseconds, now};
use crate::crowd::Talker;
use crate::daemon;
use crate::measuring::Attack;
use crate::raw_ldap::bind;
use crate::wire::{Connection, RIGHT, made_up, user_dn};
use crate::world::{Needs, People, World};

use super::names::hashes_per_second;

/// Who is asked about, and with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    UnknownFirst,
    ExistingFirst,
    UnknownAgain,
    ExistingAgain,
    Suspended,
    Expired,
    Unbound,
}

impl Class {
    const ALL: [Self; 7] = [
        Self::UnknownFirst,
        Self::ExistingFirst,
        Self::UnknownAgain,
        Self::ExistingAgain,
        Self::Suspended,
        Self::Expired,
        Self::Unbound,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::UnknownFirst => "unknown, first guess",
            Self::ExistingFirst => "existing, first guess",
            Self::UnknownAgain => "unknown, same guess again",
            Self::ExistingAgain => "existing, same guess again",
            Self::Suspended => "suspended, right password",
            Self::Expired => "expired, right password",
            Self::Unbound => "unbound, right password",
        }
    }

    /// Whether a sample costs a hash.
    const fn is_hashed(self) -> bool {
        matches!(self, Self::UnknownFirst | Self::ExistingFirst)
    }

    /// The name and the password that are sent.
    fn sent(self, number: u32) -> (String, String) {
        let of = |prefix: &str, count: u32| format!("{prefix}{}", number % count);
        match self {
            Self::UnknownFirst => (made_up(), made_up()),
            Self::ExistingFirst => (of("guessed", FIRST), made_up()),
            Self::UnknownAgain => (of("nobody", AGAIN), "the same again".to_owned()),
            Self::ExistingAgain => (of("repeated", AGAIN), "the same again".to_owned()),
            Self::Suspended => (of("suspended", AGAIN), RIGHT.to_owned()),
            Self::Expired => (of("expired", AGAIN), RIGHT.to_owned()),
            Self::Unbound => (of("unbound", AGAIN), RIGHT.to_owned()),
        }
    }
}

/// Accounts whose first guesses are sampled; each may have a hundred without being locked.
const FIRST: u32 = 200;
/// Accounts of each of the other classes.
const AGAIN: u32 = 20;
/// Accounts at which the load is made.
const LOADED: u32 = 1000;

/// What must not be told apart.
const PAIRS: [(Class, Class); 7] = [
    (Class::UnknownFirst, Class::ExistingFirst),
    (Class::UnknownAgain, Class::ExistingAgain),
    (Class::Suspended, Class::ExistingFirst),
    (Class::Expired, Class::ExistingFirst),
    (Class::Unbound, Class::ExistingFirst),
    (Class::Suspended, Class::UnknownFirst),
    (Class::UnknownAgain, Class::UnknownFirst),
];

pub(super) fn run(arguments: &Arguments) {
    let people = [
        People::plain("guessed", FIRST),
        People::plain("repeated", AGAIN),
        People::plain("loaded", LOADED),
        People {
            but: "suspended = 1",
            ..People::plain("suspended", AGAIN)
        },
        People {
            but: "change_by = 1000",
            ..People::plain("expired", AGAIN)
        },
        People {
            bound: false,
            ..People::plain("unbound", AGAIN)
        },
    ];
    let world = World::begin(
        arguments,
        &Needs {
            people: &people,
            policy: &["lockout.threshold=100", "lockout.daily_cap=10000"],
            throttle: "source_tokens = 1000000\naccount_tokens = 1000000\n",
            ..Needs::default()
        },
    );
    let hosts = world.hosts();
    // What is to be remembered is sent once, twice where the first was before it was known.
    for class in &Class::ALL[2..] {
        for number in 0..AGAIN {
            let (user, password) = class.sent(number);
            let from = Ipv4Addr::new(127, 6, 1, 1);
            let bound = Connection::open(from, hosts)
                .and_then(|mut connection| connection.bind(&user_dn(&user), &password));
            if bound != Some(49) {
                println!("{user} was answered {bound:?}");
            }
        }
    }
    println!("\n## auc\nload average before {}", daemon::load_average());
    let begun = now();
    let samples = sample(arguments, hosts);
    let hashed = samples
        .iter()
        .filter(|(class, _)| class.is_hashed())
        .count();
    let own = as_f64(hashed) / begun.elapsed().as_secs_f64();
    println!("the samples themselves take {own:.0} hashes a second");
    show("idle", &samples);
    let able = hashes_per_second(arguments);
    // Samples count toward the 80 %.
    let rate = (0.8 * able - own).max(1.0);
    let most = Duration::from_millis(500) * u32::try_from(arguments.samples).unwrap_or(u32::MAX);
    let attack = Attack::lasting(most + Duration::from_mins(1));
    let loading = {
        let attack = Arc::clone(&attack);
        thread::spawn(move || load(&attack, hosts, rate))
    };
    let samples = sample(arguments, hosts);
    let cpu = attack.answers();
    attack.end();
    loading.join().unwrap();
    println!("of {able:.0} hashes a second the load takes {rate:.0} ({cpu} guesses were answered)");
    show("at 80 %", &samples);
}

/// How many guesses are made from one source: fewer than its bucket has tokens, which are six times
/// the threshold however many are configured (CONTRACT.md 3.6).
const TOKENS_OF_A_SOURCE: u32 = 100;

/// An address that nothing was sent from.
fn source() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let part = |number: u32| u8::try_from(number % 250).unwrap_or_default();
    Ipv4Addr::new(127, 7, part(number / 200), 1 + part(number % 200))
}

type Samples = Vec<(Class, Duration)>;

/// All classes in random order.
fn sample(arguments: &Arguments, hosts: SocketAddr) -> Samples {
    let mut order: Vec<(u64, Class, u32)> = Vec::new();
    for class in Class::ALL {
        let count = u32::try_from(arguments.samples).unwrap_or(u32::MAX);
        order.extend(
            (0..count).map(|number| (u64::from_be_bytes(crate::wire::random()), class, number)),
        );
    }
    order.sort_unstable_by_key(|(random, ..)| *random);
    let (order, next) = (Arc::new(order), Arc::<AtomicUsize>::default());
    let samples = Arc::<Mutex<Samples>>::default();
    let clients: Vec<_> = (0..arguments.samplers)
        .map(|_| {
            let (order, next) = (Arc::clone(&order), Arc::clone(&next));
            let samples = Arc::clone(&samples);
            thread::spawn(move || {
                // What was sent before costs its source no hash again; all else is sent from
                // sources that have tokens left.
                let mut known = Connection::open(Ipv4Addr::new(127, 6, 1, 1), hosts)?;
                let mut fresh = Connection::open(source(), hosts)?;
                let mut left = TOKENS_OF_A_SOURCE;
                while let Some((_, class, number)) = order.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let (user, password) = class.sent(*number);
                    if class.is_hashed() {
                        left -= 1;
                        if left == 0 {
                            fresh = Connection::open(source(), hosts)?;
                            left = TOKENS_OF_A_SOURCE;
                        }
                    }
                    let connection = if class.is_hashed() {
                        &mut fresh
                    } else {
                        &mut known
                    };
                    let begun = now();
                    // What is told busy is no refusal.
                    if connection.bind(&user_dn(&user), &password)? == 49 {
                        let took = begun.elapsed();
                        samples.lock().unwrap().push((*class, took));
                    }
                }
                Some(())
            })
        })
        .collect();
    for client in clients {
        if client.join().unwrap().is_none() {
            println!("a sampler lost its connection");
        }
    }
    std::mem::take(&mut *samples.lock().unwrap())
}

/// Wrong guesses at a pace, whether or not the last was answered.
fn load(attack: &Arc<Attack>, hosts: SocketAddr, per_second: f64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // Those that wait for their next guess, each with what its source has left.
    let idle = Arc::<Mutex<Vec<(Talker, u32)>>>::default();
    let mut pace = Pace::new(per_second);
    runtime.block_on(async {
        let mut number = 0;
        while attack.goes_on() {
            tokio::time::sleep(pace.next().saturating_duration_since(now())).await;
            number += 1;
            let (attack, idle) = (Arc::clone(attack), Arc::clone(&idle));
            tokio::spawn(async move {
                let rested = idle.lock().unwrap().pop();
                let (mut talker, left) = match rested {
                    Some(rested) => rested,
                    None => (Talker::open(source(), hosts).await?, TOKENS_OF_A_SOURCE),
                };
                attack.sent();
                let user = user_dn(&format!("loaded{}", number % LOADED));
                talker.ask(&bind(&user, &made_up())).await?;
                attack.answered();
                if left > 1 {
                    idle.lock().unwrap().push((talker, left - 1));
                }
                Some(())
            });
        }
    });
    runtime.shutdown_background();
}

fn show(when: &str, samples: &Samples) {
    let of = |class: Class| -> Vec<Duration> {
        let mut took: Vec<Duration> = samples
            .iter()
            .filter(|(of, _)| *of == class)
            .map(|(_, took)| *took)
            .collect();
        took.sort_unstable();
        took
    };
    for class in Class::ALL {
        let took = of(class);
        let at = |of_hundred: usize| {
            let place = took.len().saturating_sub(1) * of_hundred / 100;
            took.get(place).map_or(0.0, |time| milliseconds(*time))
        };
        println!(
            "{when:<8} {:<28} {:>5} samples, p10 {:.1} ms, p50 {:.1} ms, p90 {:.1} ms",
            class.name(),
            took.len(),
            at(10),
            at(50),
            at(90)
        );
    }
    for (one, other) in PAIRS {
        println!(
            "{when:<8} {:<28} and {:<28} AUC {:.3}",
            one.name(),
            other.name(),
            area(&of(one), &of(other))
        );
    }
}

/// How often one of the first took longer than one of the second, ties by half: the area under
/// the curve of whoever tells them apart by time. Both are sorted.
fn area(first: &[Duration], second: &[Duration]) -> f64 {
    let mut sum = 0.0;
    for took in first {
        let below = second.partition_point(|other| other < took);
        let up_to = second.partition_point(|other| other <= took);
        sum += as_f64(below) + as_f64(up_to - below) / 2.0;
    }
    sum / (as_f64(first.len()) * as_f64(second.len()))
}

fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
