//! Searches that cost much: of the schema, of one's own entry, of everybody.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::arguments::Arguments;
use crate::common::BASE;
use crate::crowd::{self, Talker};
use crate::measuring::{Attack, measure};
use crate::raw_ldap::{Scope, Search, bind, octets, tlv};
use crate::wire::{RIGHT, Rule, any_of, service_dn, user_dn};
use crate::world::{Needs, People, World};

pub(super) fn schema_20(arguments: &Arguments) {
    schema(arguments, "schema-search-20", 20);
}

pub(super) fn schema_500(arguments: &Arguments) {
    schema(arguments, "schema-search-500", 500);
}

/// Few connections each of several addresses, so that all of them are let in.
fn stranger(number: usize) -> Ipv4Addr {
    let last = u8::try_from(number % 16).unwrap_or_default();
    Ipv4Addr::new(127, 3, 0, 1 + last)
}

fn schema(arguments: &Arguments, title: &str, connections: usize) {
    let world = World::begin(arguments, &Needs::default());
    let search = Search::new("cn=subschema", Scope::Base).filter(any_of(250, Rule::FirstComponent));
    let request: Arc<[u8]> = search.bytes().into();
    let hosts = world.hosts();
    measure(title, &world, arguments, move |attack| {
        crowd::run(&attack, connections, move |number, attack| {
            let request = Arc::clone(&request);
            async move {
                let mut talker = Talker::open(stranger(number), hosts).await?;
                while attack.goes_on() {
                    attack.sent();
                    talker.ask(&request).await?;
                    attack.answered();
                }
                Some(())
            }
        });
    });
}

pub(super) fn own_entry(arguments: &Arguments) {
    let people = [People::plain("filterer", 1)];
    let world = World::begin(
        arguments,
        &Needs {
            people: &people,
            ..Needs::default()
        },
    );
    let own = user_dn("filterer0");
    let search = Search::new(&own, Scope::Base).filter(any_of(240, Rule::CaseIgnore));
    let pipelined = Pipelined {
        hosts: world.hosts(),
        from: Ipv4Addr::new(127, 3, 1, 1),
        bind: bind(&own, RIGHT).into(),
        request: search.bytes().into(),
    };
    measure("own-entry-search", &world, arguments, move |attack| {
        pipelined.run(&attack, 32);
    });
}

pub(super) fn scan(arguments: &Arguments) {
    let people = [People {
        bound: false,
        ..People::plain("member", 50_000)
    }];
    let world = World::begin(
        arguments,
        &Needs {
            people: &people,
            ..Needs::default()
        },
    );
    world.gateway.add_service("scanner");
    // (cn=*nobody*), which no index serves.
    let anywhere = tlv(0x30, &tlv(0x81, b"nobody is called so"));
    let filter = tlv(0xa4, &[octets("cn"), anywhere].concat());
    let search = Search::new(BASE, Scope::Sub).filter(filter);
    let pipelined = Pipelined {
        hosts: world.hosts(),
        from: Ipv4Addr::new(127, 3, 1, 2),
        bind: bind(&service_dn("scanner"), RIGHT).into(),
        request: search.bytes().into(),
    };
    measure("scan", &world, arguments, move |attack| {
        pipelined.run(&attack, 16);
    });
}

/// Sixteen searches at a time on each connection, a new one as one is answered.
#[derive(Clone)]
struct Pipelined {
    hosts: SocketAddr,
    from: Ipv4Addr,
    bind: Arc<[u8]>,
    request: Arc<[u8]>,
}

impl Pipelined {
    fn run(self, attack: &Arc<Attack>, connections: usize) {
        crowd::run(attack, connections, move |_, attack| {
            let of_one = self.clone();
            async move {
                let mut talker = Talker::open(of_one.from, of_one.hosts).await?;
                if talker.ask(&of_one.bind).await? != 0 {
                    attack.refused();
                    return None;
                }
                for _ in 0..15 {
                    attack.sent();
                    talker.send(&of_one.request).await?;
                }
                while attack.goes_on() {
                    attack.sent();
                    talker.send(&of_one.request).await?;
                    talker.result().await?;
                    attack.answered();
                }
                Some(())
            }
        });
    }
}
