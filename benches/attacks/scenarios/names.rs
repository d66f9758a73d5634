//! Names that nobody has, which cost a hash each.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;

use crate::arguments::Arguments;
use crate::clock::{Pace, now, pause_until};
use crate::crowd::{self, Talker};
use crate::measuring::{Attack, measure};
use crate::raw_ldap::bind;
use crate::victims::NAS;
use crate::wire::{Login, made_up, random, user_dn};
use crate::world::{Needs, World};

pub(super) fn forty(arguments: &Arguments) {
    radius(arguments, "made-up-names, 40/s", 40.0);
}

pub(super) fn ten_times(arguments: &Arguments) {
    let able = hashes_per_second(arguments);
    let title = format!("made-up-names, 10 x {able:.0}/s");
    radius(arguments, &title, 10.0 * able);
}

fn radius(arguments: &Arguments, title: &str, per_second: f64) {
    let world = World::begin(arguments, &Needs::default());
    let to = world.gateway.radius;
    measure(title, &world, arguments, move |attack| {
        flood(&attack, to, per_second, None);
    });
}

/// Sends made-up names at a pace through the NAS, from addresses that change or from none, and
/// counts what is answered.
pub(super) fn flood(attack: &Attack, to: SocketAddr, per_second: f64, station: Option<&str>) {
    // 256 requests may be open on one port.
    let sockets: Vec<UdpSocket> = (0..16)
        .map(|_| {
            let socket = UdpSocket::bind((NAS, 0)).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        })
        .collect();
    let mut pace = Pace::new(per_second);
    let mut identifier = 0_u8;
    let mut reply = [0; 4096];
    while attack.goes_on() {
        identifier = identifier.wrapping_add(1);
        for socket in &sockets {
            let changing = format!("198.51.{}.{}", random::<1>()[0], random::<1>()[0]);
            let login = Login {
                user: &made_up(),
                password: &made_up(),
                station: Some(station.unwrap_or(&changing)),
            };
            pause_until(pace.next());
            if !attack.goes_on() {
                return;
            }
            attack.sent();
            let _ = socket.send_to(&login.request(identifier, random()), to);
            while socket.recv(&mut reply).is_ok() {
                attack.answered();
            }
        }
    }
}

/// What all cores together can hash, with production's parameters: as was said, or by trying, which
/// takes a quiet machine and an optimised build.
pub(super) fn hashes_per_second(arguments: &Arguments) -> f64 {
    if let Some(told) = arguments.hashes {
        return f64::from(told);
    }
    let time = Duration::from_secs(1);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads: Vec<_> = (0..cores)
        .map(|_| {
            std::thread::spawn(move || {
                let argon2 = Argon2::default();
                let (begun, mut count, mut out) = (now(), 0_u32, [0; 32]);
                while begun.elapsed() < time {
                    argon2
                        .hash_password_into(b"some password", b"saltsaltsaltsalt", &mut out)
                        .unwrap();
                    count += 1;
                }
                f64::from(count) / begun.elapsed().as_secs_f64()
            })
        })
        .collect();
    threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum()
}

pub(super) fn ldap(arguments: &Arguments) {
    let world = World::begin(arguments, &Needs::default());
    let hosts = world.hosts();
    measure("made-up-names-ldap", &world, arguments, move |attack| {
        crowd::run(&attack, 400, move |number, attack| async move {
            let part = |number: usize| u8::try_from(number % 250).unwrap_or_default();
            let from = Ipv4Addr::new(127, 4, part(number / 200), 1 + part(number % 200));
            one_after_another(from, hosts, attack).await
        });
    });
}

async fn one_after_another(from: Ipv4Addr, hosts: SocketAddr, attack: Arc<Attack>) -> Option<()> {
    const BUSY: u8 = 51;
    let mut talker = Talker::open(from, hosts).await?;
    while attack.goes_on() {
        attack.sent();
        match talker.ask(&bind(&user_dn(&made_up()), &made_up())).await? {
            BUSY => attack.refused(),
            _ => attack.answered(),
        }
    }
    Some(())
}
