//! A client that takes an entry only when it is offered again.

use std::net::IpAddr;
use std::sync::Mutex;

use super::cost::{Class, Room};
use super::*;
use crate::controls::{Sort, SortKey};
use crate::schema::{MatchingRule, USER_ID};
use crate::stubs;
use doorward_domain::origin::Source;
use doorward_domain::resource::ConnectionContext;
use doorward_fixtures::proofs;
use doorward_fixtures::world::{World, person};

const PEOPLE: &str = "ou=people,dc=example,dc=org";

/// Takes nothing at first offer.
#[derive(Default)]
struct Reluctant {
    refused: Mutex<Option<String>>,
    taken: Mutex<Vec<String>>,
}

impl Found for Reluctant {
    async fn take(&self, entry: SearchEntry, _: Option<Share>, _: &Pace<'_>) -> Taken {
        let again = self.refused.lock().unwrap().take();
        if again.as_ref() != Some(&entry.dn) {
            assert_eq!(again, None, "another entry was offered");
            *self.refused.lock().unwrap() = Some(entry.dn);
            return Taken::NotYet;
        }
        self.taken.lock().unwrap().push(entry.dn);
        Taken::Yes
    }

    async fn ready(&self) -> bool {
        true
    }
}

/// What such a client gets of a search of a hundred people, and with which code.
fn taken(wanted: &Wanted) -> (Vec<String>, ResultCode) {
    let mut world = World::new();
    world.people = (0..100)
        .map(|number| person(&format!("u{number:02}"), 30_000 + number))
        .collect();
    let directory: Arc<dyn Read> = Arc::new(world);
    let settings = stubs::settings();
    let identity = Identity::Service(proofs::service("sssd", true).into());
    let source = Source::from(IpAddr::from([192, 0, 2, 1]));
    let listener = settings.listener.clone();
    let asking = AccessContext::Connection(ConnectionContext::new(listener, source.clone()));
    let capacity = Capacity::new(1, || Box::pin(async {}));
    let room = Room {
        working: 256 * 1024,
        list: 1024,
    };
    let pace = Pace::new(&capacity, &source, Class::Heavy, room);
    let view = View {
        settings: &settings,
        identity: &identity,
        asking: &asking,
        mechanisms: &[],
        directory: &directory,
        now: doorward_fixtures::world::now(),
        pace: &pace,
        needs: Needs::default(),
        plan: None,
    };
    let client = Reluctant::default();
    let ended = doorward_fixtures::block_on(run(wanted, &view, &client)).unwrap();
    (client.taken.into_inner().unwrap(), ended.result.code)
}

fn people(numbers: impl Iterator<Item = u32>) -> Vec<String> {
    numbers
        .map(|number| format!("uid=u{number:02},{PEOPLE}"))
        .collect()
}

#[test]
fn who_does_not_take_at_once_is_offered_the_same_again_and_misses_nothing() {
    let below = || stubs::search(PEOPLE, Scope::OneLevel, "(uid=*)", &["uid"]);
    let all = taken(&Wanted::all(below()));
    assert_eq!(all, (people(0..100), ResultCode::Success));
    let one = stubs::search(
        &format!("uid=u07,{PEOPLE}"),
        Scope::Base,
        "(objectClass=*)",
        &[],
    );
    let one = taken(&Wanted::all(one));
    assert_eq!(one, (people(7..8), ResultCode::Success));
}

#[test]
fn limits_and_orders_count_what_was_taken() {
    let mut few = stubs::search(PEOPLE, Scope::OneLevel, "(uid=*)", &["uid"]);
    few.size_limit = std::num::NonZeroU32::new(70);
    let key = SortKey {
        attribute: &USER_ID,
        rule: MatchingRule::CaseIgnoreOrdering,
        reverse: true,
    };
    let sorted = Wanted {
        sort: Sort::By(vec![key]),
        ..Wanted::all(few.clone())
    };
    let cut = ResultCode::SizeLimitExceeded;
    assert_eq!(taken(&Wanted::all(few)), (people(0..70), cut));
    assert_eq!(taken(&sorted), (people((30..100).rev()), cut));
}
