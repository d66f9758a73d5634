//! What floods of logins write.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::arguments::Arguments;
use crate::crowd::{self, Talker};
use crate::measuring::{Attack, measure};
use crate::raw_ldap::bind;
use crate::wire::{RIGHT, user_dn};
use crate::world::{Needs, People, World};

use super::names;

pub(super) fn valid(arguments: &Arguments) {
    let people = [People::plain("rebinder", 1)];
    let world = World::begin(
        arguments,
        &Needs {
            people: &people,
            ..Needs::default()
        },
    );
    let hosts = world.hosts();
    let request: Arc<[u8]> = bind(&user_dn("rebinder0"), RIGHT).into();
    grown("rebind-flood", &world, arguments, move |attack| {
        crowd::run(&attack, 16, move |_, attack| {
            let request = Arc::clone(&request);
            async move {
                let mut talker = Talker::open(Ipv4Addr::new(127, 3, 3, 1), hosts).await?;
                while attack.goes_on() {
                    attack.sent();
                    match talker.ask(&request).await? {
                        0 => attack.answered(),
                        _ => attack.refused(),
                    }
                }
                Some(())
            }
        });
    });
}

pub(super) fn unknown(arguments: &Arguments) {
    let world = World::begin(arguments, &Needs::default());
    let to = world.gateway.radius;
    grown("unknown-flood", &world, arguments, move |attack| {
        names::flood(&attack, to, 40.0, Some("198.51.100.66"));
    });
}

/// Measures, and says what the store grew by, the victims' part included.
fn grown(
    title: &str,
    world: &World,
    arguments: &Arguments,
    attack: impl FnOnce(Arc<Attack>) + Send + 'static,
) {
    let before = world.store_bytes();
    let answers = Arc::<std::sync::Mutex<u64>>::default();
    let counted = Arc::clone(&answers);
    measure(title, world, arguments, move |under_way| {
        attack(Arc::clone(&under_way));
        *counted.lock().unwrap() = under_way.answers();
    });
    let grown = world.store_bytes().saturating_sub(before);
    let answers = *answers.lock().unwrap();
    let a_day = grown / arguments.attack.as_secs().max(1) * 86_400;
    println!(
        "the store grew by {grown} bytes in {} s: {} for each of {answers} answers, {} MB a day",
        arguments.attack.as_secs(),
        grown / answers.max(1),
        a_day / 1_000_000
    );
}
