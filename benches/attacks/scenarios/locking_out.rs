//! Shutting others out by guessing at them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use crate::arguments::Arguments;
use crate::clock::{now, pause};
use crate::victims::{HOSTS_FROM, MAIL_FROM, NAS, STATION};
use crate::wire::{Login, RIGHT, login, made_up, radius_login, random};
use crate::world::{ACCESS_POINT, Needs, People, World};

/// Guesses under way at once.
const GUESSERS: u32 = 16;

pub(super) fn wifi(arguments: &Arguments) {
    let people = [People::plain("target", 1)];
    let world = World::begin(
        arguments,
        &Needs {
            people: &people,
            ..Needs::default()
        },
    );
    let doors = Doors::of(&world);
    // The owner has been everywhere before.
    println!("\n## wifi-lockout\nbefore: {}", doors.shown());
    let (over, guesses) = (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default());
    let begun = now();
    let strangers: Vec<_> = (0..GUESSERS)
        .map(|_| {
            let (over, guesses, to) = (Arc::clone(&over), Arc::clone(&guesses), doors.radius);
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let octets: [u8; 5] = random();
                    let station = octets.map(|octet| format!("{octet:02x}")).join("-");
                    let guess = Login {
                        user: "target0",
                        password: &made_up(),
                        station: Some(&format!("02-{station}")),
                    };
                    radius_login(ACCESS_POINT, to, &guess);
                    guesses.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let mut shut = [None; 4];
    while begun.elapsed() < arguments.attack {
        pause(Duration::from_millis(500));
        for (shut, open) in shut.iter_mut().zip(doors.open()) {
            if !open && shut.is_none() {
                *shut = Some((begun.elapsed(), guesses.load(Ordering::Relaxed)));
            }
        }
    }
    println!("at the end: {}", doors.shown());
    over.store(true, Ordering::Relaxed);
    for stranger in strangers {
        stranger.join().unwrap();
    }
    for (name, shut) in Doors::NAMES.iter().zip(shut) {
        match shut {
            Some((after, guesses)) => println!(
                "{name:<28} shut after {:.1} s and {guesses} guesses",
                after.as_secs_f64()
            ),
            None => println!("{name:<28} open throughout"),
        }
    }
    println!(
        "{} guesses; the account is {}",
        guesses.load(Ordering::Relaxed),
        world.status("target0")
    );
}

/// Where the owner comes in.
struct Doors {
    hosts: SocketAddr,
    mail: SocketAddr,
    radius: SocketAddr,
}

impl Doors {
    const NAMES: [&'static str; 4] = ["hosts", "vpn", "mail", "mail from a new address"];

    fn of(world: &World) -> Self {
        Self {
            hosts: world.gateway.hosts,
            mail: world.gateway.mail,
            radius: world.gateway.radius,
        }
    }

    fn open(&self) -> [bool; 4] {
        let over_vpn = Login {
            user: "target0",
            password: RIGHT,
            station: Some(STATION),
        };
        let [last]: [u8; 1] = random();
        let new = Ipv4Addr::new(127, 6, last, last.max(1));
        [
            login(HOSTS_FROM, self.hosts, "target0", RIGHT),
            radius_login(NAS, self.radius, &over_vpn) == Some(2),
            login(MAIL_FROM, self.mail, "target0", RIGHT),
            login(new, self.mail, "target0", RIGHT),
        ]
    }

    fn shown(&self) -> String {
        let open = self.open();
        let shown: Vec<String> = Self::NAMES
            .iter()
            .zip(open)
            .map(|(name, open)| format!("{name} {}", if open { "open" } else { "shut" }))
            .collect();
        shown.join(", ")
    }
}

pub(super) fn spray_from_one(arguments: &Arguments) {
    spray(arguments, "spray", Some("198.51.100.66"));
}

pub(super) fn spray_from_none(arguments: &Arguments) {
    spray(arguments, "spray-from-none", None);
}

fn spray(arguments: &Arguments, title: &str, station: Option<&'static str>) {
    const USERS: u32 = 30;
    const GUESSES: u32 = 12;
    let people = [People::plain("target", USERS)];
    let world = World::begin(
        arguments,
        &Needs {
            people: &people,
            ..Needs::default()
        },
    );
    println!("\n## {title}");
    let begun = now();
    let next = Arc::<AtomicU32>::default();
    let to = world.gateway.radius;
    let limit = arguments.attack * 2;
    let strangers: Vec<_> = (0..GUESSERS)
        .map(|_| {
            let next = Arc::clone(&next);
            thread::spawn(move || {
                let mut unanswered = 0_u32;
                while begun.elapsed() < limit {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    if turn >= USERS * GUESSES {
                        break;
                    }
                    let guess = Login {
                        user: &format!("target{}", turn % USERS),
                        password: &made_up(),
                        station,
                    };
                    let answer = radius_login(NAS, to, &guess);
                    unanswered += u32::from(answer.is_none());
                }
                unanswered
            })
        })
        .collect();
    let unanswered: u32 = strangers
        .into_iter()
        .map(|stranger| stranger.join().unwrap())
        .sum();
    println!(
        "{} guesses at {USERS} users in {:.1} s, {unanswered} unanswered: {} are locked",
        next.load(Ordering::Relaxed).min(USERS * GUESSES),
        begun.elapsed().as_secs_f64(),
        world.locked(&people[0])
    );
}
