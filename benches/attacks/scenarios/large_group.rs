//! A large group, asked for by many who read nothing, hang up, and are still paid for.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use crate::arguments::Arguments;
use crate::clock::{milliseconds, now, pause};
use crate::common::BASE;
use crate::crowd::{self, Talker};
use crate::daemon;
use crate::measuring::measure;
use crate::raw_ldap::{Scope, Search, bind};
use crate::wire::{RIGHT, service_dn};
use crate::world::{Needs, People, World};

const CONNECTIONS: usize = 200;
const AT_ONCE: usize = 16;

pub(super) fn run(arguments: &Arguments) {
    let people = [People {
        bound: false,
        ..People::plain("member", 50_000)
    }];
    let mut world = World::begin(
        arguments,
        &Needs {
            people: &people,
            group: Some("everybody"),
            // All of them at once, and not one after the other.
            throttle: "source_connections = 1000\n",
            ..Needs::default()
        },
    );
    world.gateway.add_service("reader-of-groups");
    let group = format!("cn=everybody,ou=groups,{BASE}");
    let search = Search::new(&group, Scope::Base).filter(crate::raw_ldap::present("objectClass"));
    let request: Arc<[u8]> = search.bytes().into();
    let binding: Arc<[u8]> = bind(&service_dn("reader-of-groups"), RIGHT).into();
    let hosts = world.hosts();
    measure("large-group", &world, arguments, move |attack| {
        crowd::run(&attack, CONNECTIONS, move |_, attack| {
            let (request, binding) = (Arc::clone(&request), Arc::clone(&binding));
            async move {
                let mut talker = Talker::open(Ipv4Addr::new(127, 3, 2, 1), hosts).await?;
                if talker.ask(&binding).await? != 0 {
                    attack.refused();
                    return None;
                }
                for _ in 0..AT_ONCE {
                    attack.sent();
                    talker.send(&request).await?;
                }
                // Nothing is read; the connection stays until the attack is over.
                tokio::time::sleep(attack.left()).await;
                Some(())
            }
        });
    });
    let after: Vec<String> = (0..6)
        .map(|_| {
            pause(Duration::from_secs(5));
            format!("{}", world.resident())
        })
        .collect();
    println!("MiB every 5 s after they hung up: {}", after.join(" "));
    let (begun, process) = (now(), world.process());
    daemon::signal(process, "-TERM");
    world.gateway.wait();
    println!("SIGTERM to end: {:.0} ms", milliseconds(begun.elapsed()));
}
