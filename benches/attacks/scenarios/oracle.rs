//! Whether one's own right password tells, by being refused, what the store holds of others.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;

use crate::arguments::Arguments;
use crate::wire::{Connection, RIGHT, login, made_up, service_dn, user_dn};
use crate::world::{Needs, People, World};

const TRIALS: u8 = 10;
/// Parallel connections, and the binds that each makes.
const CONNECTIONS: u8 = 10;
const BINDS: u8 = 7;

/// Whose name a trial binds by.
type Target = Box<dyn Fn(u8) -> String>;

pub(super) fn run(arguments: &Arguments) {
    let trials = u32::from(TRIALS);
    let people = [
        People::plain("insider", 7 * trials),
        People::plain("existing", trials),
        People {
            but: "locked_since = created",
            ..People::plain("locked", trials)
        },
        People {
            but: "password_hash = NULL, password_set_at = NULL",
            ..People::plain("pending", trials)
        },
        People {
            but: "suspended = 1",
            ..People::plain("suspended", trials)
        },
    ];
    let world = World::begin(
        arguments,
        &Needs {
            people: &people,
            ..Needs::default()
        },
    );
    for trial in 0..TRIALS {
        world.gateway.add_service(&format!("service{trial}"));
    }
    println!("\n## oracle\nown right bind refused after 70 binds with one wrong password as X:");
    let of_users = |prefix: &'static str| move |trial: u8| user_dn(&format!("{prefix}{trial}"));
    let classes: [(&str, Target); 7] = [
        ("unknown user", Box::new(|_| user_dn(&made_up()))),
        ("existing user", Box::new(of_users("existing"))),
        ("locked user", Box::new(of_users("locked"))),
        ("user without password", Box::new(of_users("pending"))),
        ("suspended user", Box::new(of_users("suspended"))),
        ("unknown service", Box::new(|_| service_dn(&made_up()))),
        (
            "existing service",
            Box::new(|trial| service_dn(&format!("service{trial}"))),
        ),
    ];
    for (class, (name, target)) in (0_u8..).zip(&classes) {
        let hosts = world.hosts();
        let trial = |trial: u8| {
            let (target, from) = (target(trial), Ipv4Addr::new(127, 5, class, 1 + trial));
            let own = format!("insider{}", u32::from(class) * trials + u32::from(trial));
            thread::spawn(move || is_refused(from, hosts, &target, &own))
        };
        // Few at a time, so that the tokens that come back meanwhile are few as well.
        let refused: usize = (0..TRIALS)
            .step_by(2)
            .map(|first| [trial(first), trial(first + 1)])
            .map(|two| two.map(|one| usize::from(one.join().unwrap())))
            .map(|[one, other]| one + other)
            .sum();
        println!("{name:<24} {refused:>2} of {TRIALS}");
    }
}

fn is_refused(from: Ipv4Addr, hosts: SocketAddr, target: &str, own: &str) -> bool {
    let wrong = made_up();
    let binders: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (target, wrong) = (target.to_owned(), wrong.clone());
            thread::spawn(move || {
                let mut connection = Connection::open(from, hosts)?;
                for _ in 0..BINDS {
                    connection.bind(&target, &wrong)?;
                }
                Some(())
            })
        })
        .collect();
    for binder in binders {
        binder.join().unwrap();
    }
    !login(from, hosts, own, RIGHT)
}
