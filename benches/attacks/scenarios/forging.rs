//! Datagrams that say they come from a NAS.

use std::net::UdpSocket;

use crate::arguments::Arguments;
use crate::clock::{Pace, pause_until};
use crate::measuring::measure;
use crate::victims::NAS;
use crate::wire::{Login, made_up, random};
use crate::world::{Needs, World};

const PER_SECOND: u32 = 40_000;
/// Datagrams that go out between two looks at the clock.
const AT_ONCE: u32 = 40;

/// With a Message-Authenticator that nobody made with the secret.
pub(super) fn run(arguments: &Arguments) {
    forge(arguments, "forged-datagrams", |datagram| {
        datagram[22..38].copy_from_slice(&random::<16>());
    });
}

/// With none.
pub(super) fn without(arguments: &Arguments) {
    forge(arguments, "forged-without-mac", |datagram| {
        // It becomes a Reply-Message of sixteen octets, which says nothing in a request.
        datagram[20] = 18;
    });
}

fn forge(arguments: &Arguments, title: &str, change: fn(&mut [u8])) {
    let world = World::begin(arguments, &Needs::default());
    let to = world.gateway.radius;
    measure(title, &world, arguments, move |attack| {
        let forged: Vec<Vec<u8>> = (0..=u8::MAX)
            .map(|identifier| {
                let login = Login {
                    user: &made_up(),
                    password: &made_up(),
                    station: None,
                };
                let mut datagram = login.request(identifier, random());
                change(&mut datagram);
                datagram
            })
            .collect();
        let socket = UdpSocket::bind((NAS, 0)).unwrap();
        let mut pace = Pace::new(f64::from(PER_SECOND / AT_ONCE));
        let mut next = forged.iter().cycle();
        while attack.goes_on() {
            pause_until(pace.next());
            for datagram in next.by_ref().take(AT_ONCE as usize) {
                if socket.send_to(datagram, to).is_ok() {
                    attack.sent();
                }
            }
        }
    });
}
