//! Sessions that RADIUS clients report.

use std::time::Duration;

use doorward_domain::device::MacAddress;
use doorward_domain::event::{Actor, ChangeEvent, EventBody};
use doorward_domain::id::{AccountId, DeviceId, RequestId, SessionId};
use doorward_domain::login::LoginName;
use doorward_domain::name::ClientName;
use doorward_domain::session::{
    Answered, Ending, Happened, Nas, Octets, Particulars, SessionOwner, SessionReport, Usage,
};
use doorward_domain::time::Timestamp;
use doorward_store::Store;
use doorward_store::changes::{Change, NewDevice};
use doorward_store::sessions::{DisconnectOutcome, SessionFilter, SessionRecord, Standing};

use crate::world::*;

pub(super) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn octets(text: &str) -> Octets {
    Octets::from(text.as_bytes())
}

fn nas() -> Nas {
    Nas {
        client: ClientName::parse("vpn-gateway").unwrap(),
        identity: octets("nas-1"),
    }
}

/// A report of the session `1A` of alice, so long after the start.
fn report(happened: Happened, after: u64) -> SessionReport {
    let at = START.plus(seconds(after));
    SessionReport {
        nas: nas(),
        session: octets("1A"),
        happened,
        at,
        received: at,
        owner: called("alice"),
        resource: Some(resource("vpn")),
        particulars: Particulars {
            user_name: octets("alice"),
            source: "192.0.2.1".parse().unwrap(),
            server: None,
            nas_address: None,
            nas_identifier: Some(octets("nas-1")),
            nas_port: Some(7),
            calling_station: Some(octets("198.51.100.7")),
            called_station: None,
            address: None,
            usage: Usage {
                seconds: after,
                sent_octets: after * 10,
                received_octets: after * 100,
                ..Usage::default()
            },
            terminate_cause: (happened == Happened::Over).then_some(1),
        },
    }
}

/// What stands for whoever has this username.
fn called(name: &str) -> SessionOwner {
    SessionOwner::Login(LoginName {
        username: Some(name.to_owned()),
        mail: None,
    })
}

pub(super) fn began() -> SessionReport {
    report(Happened::Began, 0)
}

pub(super) async fn record(store: &Store, report: &SessionReport) {
    store.record_session(report.clone()).await.unwrap();
}

async fn every(store: &Store) -> Vec<SessionRecord> {
    let filter = SessionFilter {
        ended: true,
        ..SessionFilter::default()
    };
    store.sessions(&filter, None, 100).await.unwrap()
}

pub(super) async fn only(store: &Store) -> SessionRecord {
    let mut found = every(store).await;
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

pub(crate) async fn a_session_is_kept_from_start_to_stop(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let mut start = began();
    start.session = Octets::from(&[0xff, 0x00, 0x31][..]);
    record(&store, &start).await;
    let kept = only(&store).await;
    assert_eq!(kept.account, Some(alice));
    assert_eq!(kept.username, Some(username("alice")));
    assert_eq!(kept.nas, nas());
    assert_eq!(kept.session, start.session);
    assert_eq!((kept.started, kept.seen), (START, START));
    assert_eq!((kept.ended, kept.disconnects), (None, 0));
    assert_eq!(kept.resource, Some(resource("vpn")));
    assert_eq!(kept.particulars, start.particulars);

    let mut update = report(Happened::GoesOn, 60);
    update.session = start.session.clone();
    update.particulars.calling_station = None;
    record(&store, &update).await;
    let kept = only(&fixture.open()).await;
    assert_eq!(kept.particulars.usage.received_octets, 6000);
    assert_eq!(kept.seen, START.plus(seconds(60)));
    assert_eq!(kept.started, START);
    let station = kept.particulars.calling_station;
    assert_eq!(station, start.particulars.calling_station);

    let mut stop = report(Happened::Over, 90);
    stop.session = start.session.clone();
    record(&store, &stop).await;
    let kept = only(&store).await;
    assert_eq!(kept.ended, Some((stop.at, Ending::Stopped)));
    assert_eq!(kept.particulars.usage.received_octets, 9000);
    assert_eq!(kept.particulars.terminate_cause, Some(1));
}

pub(crate) async fn a_report_that_comes_again_changes_nothing(fixture: &impl Fixture) {
    let store = fixture.open();
    let over = report(Happened::Over, 90);
    for mut told in [began(), report(Happened::GoesOn, 60), over] {
        record(&store, &told).await;
        let kept = only(&store).await;
        // The same under another identifier, later: with Acct-Delay-Time, and without.
        told.received = told.received.plus(seconds(5));
        record(&store, &told).await;
        if told.happened != Happened::Began {
            told.at = told.received;
            record(&store, &told).await;
        }
        let again = only(&store).await;
        assert_eq!(again.particulars, kept.particulars);
        assert_eq!((again.started, again.ended), (kept.started, kept.ended));
    }
}

pub(crate) async fn reports_out_of_order_reopen_nothing(fixture: &impl Fixture) {
    let store = fixture.open();
    record(&store, &report(Happened::Over, 90)).await;
    let kept = only(&store).await;
    assert_eq!(kept.started, START);
    for mut late in [began(), report(Happened::GoesOn, 60)] {
        late.received = START.plus(seconds(100));
        record(&store, &late).await;
        assert_eq!(only(&store).await, kept);
    }
    let mut again = report(Happened::Began, 200);
    again.particulars.usage = Usage::default();
    record(&store, &again).await;
    record(&store, &report(Happened::GoesOn, 300)).await;
    let mut older = report(Happened::GoesOn, 250);
    older.received = START.plus(seconds(301));
    record(&store, &older).await;
    let kept = every(&store).await.remove(1);
    assert_eq!(kept.particulars.usage.seconds, 300);
}

pub(crate) async fn a_session_whose_start_was_lost_is_kept_all_the_same(fixture: &impl Fixture) {
    let store = fixture.open();
    record(&store, &report(Happened::GoesOn, 60)).await;
    let kept = only(&store).await;
    assert_eq!(kept.started, START);
    assert_eq!(kept.ended, None);
    // The Start that was overtaken.
    let mut start = began();
    start.received = START.plus(seconds(61));
    record(&store, &start).await;
    assert_eq!(only(&store).await.particulars.usage.seconds, 60);
}

pub(crate) async fn a_key_used_again_is_another_session(fixture: &impl Fixture) {
    let store = fixture.open();
    record(&store, &began()).await;
    record(&store, &report(Happened::Over, 90)).await;
    let mut again = report(Happened::Began, 200);
    again.particulars.usage = Usage::default();
    record(&store, &again).await;
    let kept = every(&store).await;
    assert_eq!(kept.len(), 2);
    assert_eq!((kept[1].started, kept[1].ended), (again.at, None));
    // By another user, though the first was never over.
    let mut other = report(Happened::Began, 300);
    other.particulars.user_name = octets("bob");
    other.particulars.usage = Usage::default();
    record(&store, &other).await;
    let kept = every(&store).await;
    assert_eq!(kept[1].ended, Some((other.at, Ending::Replaced)));
    assert_eq!(kept[2].particulars.user_name, octets("bob"));
    // Another client's or another NAS's session is another.
    for change in [0, 1, 2] {
        let mut told = report(Happened::GoesOn, 400);
        match change {
            0 => told.nas.client = ClientName::parse("other").unwrap(),
            1 => told.nas.identity = octets("nas-2"),
            _ => told.session = octets("1B"),
        }
        record(&store, &told).await;
    }
    assert_eq!(every(&store).await.len(), 6);
}

pub(crate) async fn the_account_is_the_one_that_class_names(fixture: &impl Fixture) {
    let store = fixture.open();
    add_user(&store, "alice").await;
    let bob = add_user(&store, "bob").await;
    let mut start = began();
    start.owner = SessionOwner::Account(bob);
    record(&store, &start).await;
    assert_eq!(only(&store).await.username, Some(username("bob")));
    // A later report without it takes nothing away.
    let mut update = report(Happened::GoesOn, 60);
    update.owner = SessionOwner::Unknown;
    record(&store, &update).await;
    assert_eq!(only(&store).await.account, Some(bob));
    apply(&store, Change::RemoveUser { account: bob })
        .await
        .unwrap();
    let kept = only(&store).await;
    assert_eq!((kept.account, kept.username), (Some(bob), None));
}

pub(crate) async fn a_name_stands_for_its_account(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let mut by_mail = began();
    by_mail.owner = SessionOwner::Login(LoginName {
        username: Some("alice.smith".to_owned()),
        mail: Some("alice@example.org".to_owned()),
    });
    record(&store, &by_mail).await;
    assert_eq!(only(&store).await.account, Some(alice));
    let mut nobody = began();
    nobody.session = octets("2");
    nobody.received = START.plus(seconds(1));
    nobody.owner = SessionOwner::Login(LoginName {
        username: Some("nobody".to_owned()),
        mail: None,
    });
    record(&store, &nobody).await;
    assert_eq!(every(&store).await[1].account, None);
}

pub(crate) async fn a_restart_ends_what_began_before_it(fixture: &impl Fixture) {
    let store = fixture.open();
    record(&store, &began()).await;
    let mut elsewhere = began();
    elsewhere.nas.identity = octets("nas-2");
    record(&store, &elsewhere).await;
    let mut after = report(Happened::Began, 20);
    after.session = octets("after");
    after.particulars.usage = Usage::default();
    record(&store, &after).await;
    let restart = START.plus(seconds(10));
    store.end_sessions_of(nas(), restart).await.unwrap();
    let ended: Vec<_> = every(&store).await.iter().map(|kept| kept.ended).collect();
    let expected = Some((restart, Ending::NasRestarted));
    assert_eq!(ended.iter().filter(|ended| **ended == expected).count(), 1);
    assert_eq!(ended.iter().filter(|ended| ended.is_none()).count(), 2);
}

pub(crate) async fn a_silent_session_ends_and_may_come_back(fixture: &impl Fixture) {
    let store = fixture.open();
    record(&store, &began()).await;
    record(&store, &report(Happened::GoesOn, 60)).await;
    let heard = START.plus(seconds(60));
    assert_eq!(store.end_silent_sessions(heard, 10).await.unwrap(), 0);
    let later = heard.plus(Duration::from_millis(1));
    assert_eq!(store.end_silent_sessions(later, 10).await.unwrap(), 1);
    assert_eq!(only(&store).await.ended, Some((heard, Ending::Silent)));
    record(&store, &report(Happened::GoesOn, 600)).await;
    assert_eq!(only(&store).await.ended, None);
}

pub(crate) async fn sessions_are_found_by_every_key_and_in_pages(fixture: &impl Fixture) {
    let store = fixture.open();
    add_user(&store, "alice").await;
    for number in 0..5_u64 {
        let mut start = began();
        start.session = octets(&format!("s{number}"));
        start.received = START.plus(seconds(number));
        if number == 4 {
            start.owner = SessionOwner::Unknown;
            start.resource = Some(resource("Wifi"));
            start.nas.client = ClientName::parse("Wlc").unwrap();
        }
        record(&store, &start).await;
    }
    let mut stop = report(Happened::Over, 90);
    stop.session = octets("s0");
    record(&store, &stop).await;
    let found = async |filter: SessionFilter| {
        let found = store.sessions(&filter, None, 100).await.unwrap();
        found.len()
    };
    let text = |text: &str| Some(text.to_owned());
    let all = SessionFilter::default;
    assert_eq!(found(all()).await, 4);
    assert_eq!(
        found(SessionFilter {
            ended: true,
            ..all()
        })
        .await,
        5
    );
    assert_eq!(
        found(SessionFilter {
            user: text("ALICE"),
            ..all()
        })
        .await,
        3
    );
    assert_eq!(
        found(SessionFilter {
            user: text("bob"),
            ..all()
        })
        .await,
        0
    );
    assert_eq!(
        found(SessionFilter {
            resource: text("wifi"),
            ..all()
        })
        .await,
        1
    );
    assert_eq!(
        found(SessionFilter {
            client: text("wlc"),
            ..all()
        })
        .await,
        1
    );
    let first = store.sessions(&all(), None, 3).await.unwrap();
    let rest = store.sessions(&all(), Some(first[2].id), 3).await.unwrap();
    assert_eq!((first.len(), rest.len()), (3, 1));
    assert!(first[2].id < rest[0].id);
}

pub(crate) async fn open_sessions_show_what_decides_about_them(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    add_group(&store, "staff").await;
    join(&store, "staff", &["alice"], &[]).await.unwrap();
    record(&store, &began()).await;
    let mut unknown = began();
    unknown.session = octets("unknown");
    unknown.owner = SessionOwner::Unknown;
    record(&store, &unknown).await;
    let look = async || store.open_sessions(START, None, 10).await.unwrap();
    let open = look().await;
    assert_eq!(open.len(), 1, "a session of nobody is left alone");
    let facts = Some(facts(&store, alice).await);
    assert_eq!(
        open[0].standing,
        Standing::Account {
            facts,
            bound: false
        }
    );
    apply(&store, Change::Bind(to_group("staff", "VPN")))
        .await
        .unwrap();
    apply(&store, Change::Suspend { account: alice })
        .await
        .unwrap();
    let open = look().await;
    assert!(matches!(
        &open[0].standing,
        Standing::Account { facts: Some(facts), bound: true } if facts.suspended
    ));
    apply(&store, Change::RemoveUser { account: alice })
        .await
        .unwrap();
    let open = look().await;
    assert_eq!(
        open[0].standing,
        Standing::Account {
            facts: None,
            bound: false
        }
    );
    record(&store, &report(Happened::Over, 90)).await;
    assert!(look().await.is_empty());
}

pub(crate) async fn a_session_of_a_device_is_no_accounts(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let address = MacAddress::parse("00-11-22-AA-BB-CC").unwrap();
    let device = DeviceId::new(START);
    let new = NewDevice {
        device,
        address,
        resources: vec![resource("vpn")],
        vlan: None,
        description: None,
    };
    apply(&store, Change::AddDevice(new)).await.unwrap();
    for (session, owner) in [
        ("by Class", SessionOwner::Device(device)),
        ("by address", SessionOwner::Address(address)),
    ] {
        let mut start = began();
        start.session = octets(session);
        start.owner = owner;
        record(&store, &start).await;
    }
    let mut stranger = began();
    stranger.session = octets("unknown");
    let other = MacAddress::parse("00-11-22-AA-BB-CD").unwrap();
    stranger.owner = SessionOwner::Address(other);
    record(&store, &stranger).await;

    // Sessions of one moment come in any order.
    let is_strange = |session: &SessionRecord| session.session == octets("unknown");
    let (strange, known): (Vec<_>, Vec<_>) = every(&store).await.into_iter().partition(is_strange);
    assert_eq!(known.len(), 2);
    for session in &known {
        assert_eq!((session.account, &session.username), (None, &None));
        assert_eq!(session.device, Some(device));
        assert_eq!(session.address, Some(address));
    }
    assert_eq!((strange[0].device, strange[0].address), (None, None));
    let mut update = report(Happened::GoesOn, 60);
    update.session = octets("by Class");
    update.owner = SessionOwner::Unknown;
    record(&store, &update).await;
    let all = every(&store).await;
    let by_class = all.iter().find(|one| one.session == octets("by Class"));
    assert_eq!(by_class.unwrap().device, Some(device), "it stays");

    let of_it = SessionFilter {
        device: Some(address),
        ..SessionFilter::default()
    };
    assert_eq!(store.sessions(&of_it, None, 10).await.unwrap().len(), 2);

    // Whoever is told last holds it, and alone: a user logs in at the device's port, and leaves.
    for (owner, holders) in [
        (SessionOwner::Account(alice), (Some(alice), None)),
        (SessionOwner::Unknown, (Some(alice), None)),
        (SessionOwner::Device(device), (None, Some(device))),
    ] {
        update.owner = owner;
        record(&store, &update).await;
        let all = every(&store).await;
        let by_class = all.iter().find(|one| one.session == octets("by Class"));
        let held = by_class.unwrap();
        assert_eq!((held.account, held.device), holders);
    }
    let standings = async || {
        let open = store.open_sessions(START, None, 10).await.unwrap();
        open.into_iter()
            .map(|open| open.standing)
            .collect::<Vec<_>>()
    };
    let known = Standing::Device {
        resources: Some(vec![resource("vpn")]),
    };
    assert_eq!(standings().await, [known.clone(), known]);
    apply(&store, Change::RemoveDevice { address })
        .await
        .unwrap();
    let gone = Standing::Device { resources: None };
    assert_eq!(standings().await, [gone.clone(), gone]);
}

pub(super) fn disconnected(
    session: SessionId,
    account: AccountId,
    at: Timestamp,
) -> DisconnectOutcome {
    DisconnectOutcome {
        session,
        client: nas().client,
        at,
        answered: Answered::Acknowledged,
        over: true,
        answers: None,
        event: ChangeEvent {
            actor: Actor::Gateway,
            action: "session.disconnect".to_owned(),
            target: "alice".to_owned(),
            account: Some(account),
            resource: Some(resource("vpn")),
            before: serde_json::json!({}),
            after: serde_json::json!({ "outcome": "acknowledged" }),
        },
    }
}

pub(crate) async fn a_disconnect_is_claimed_once_and_settled(fixture: &impl Fixture) {
    let (store, other) = (fixture.open(), fixture.open());
    let alice = add_user(&store, "alice").await;
    record(&store, &began()).await;
    let session = only(&store).await.id;
    let again = START.plus(seconds(60));
    let claim = async |at| (store.claim_disconnect(session, at, again).await).unwrap();
    assert!(claim(START).await);
    let taken = other.claim_disconnect(session, START, again).await;
    assert!(!taken.unwrap(), "another gateway has it");
    assert!(
        store
            .open_sessions(START, None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.open_sessions(again, None, 10).await.unwrap().len(), 1);
    assert!(other.claim_disconnect(session, again, again).await.unwrap());
    assert_eq!(only(&store).await.disconnects, 2);
    let mut outcome = disconnected(session, alice, again);
    outcome.over = false;
    store.settle_disconnect(outcome).await.unwrap();
    assert_eq!(only(&store).await.ended, None);
    store
        .settle_disconnect(disconnected(session, alice, again))
        .await
        .unwrap();
    let ended = Some((again, Ending::Disconnected));
    assert_eq!(only(&store).await.ended, ended);
    let told = events(&store).await;
    let told = told.iter().filter(|event| match &event.body {
        EventBody::Change(change) => change.action == "session.disconnect",
        EventBody::Attempt(_) => false,
    });
    let told: Vec<u32> = told.map(|event| event.count).collect();
    assert_eq!(told, [2]);
    assert!(!claim(again.plus(seconds(60))).await, "it is over");
}

/// What the gateway asks by itself, on the word of a client, is counted; what somebody asked for is
/// told each time. Where the log is full the former goes first.
pub(crate) async fn what_a_client_brings_about_merges_and_is_shed_before_changes_by_people(
    fixture: &impl Fixture,
) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    let bob = AccountId::new(START);
    record(&store, &began()).await;
    let session = only(&store).await.id;
    let before = actions(&store).await;
    let ways = |account, answered: Answered, number: u64| {
        let mut outcome = disconnected(session, account, START.plus(seconds(number)));
        outcome.event.before = serde_json::json!({
            "client": "vpn-gateway",
            "session": format!("{number}"),
            "reason": "suspended",
        });
        outcome.answered = answered;
        outcome
    };
    for number in 0..20 {
        for outcome in [
            ways(alice, Answered::Acknowledged, number),
            ways(alice, Answered::Refused(u32::try_from(number).ok()), number),
            ways(bob, Answered::Acknowledged, number),
        ] {
            store.settle_disconnect(outcome).await.unwrap();
        }
    }
    let disconnects = || async {
        let mut found = events(&store).await;
        found.retain(|event| match &event.body {
            EventBody::Change(change) => change.action == "session.disconnect",
            EventBody::Attempt(_) => false,
        });
        found
    };
    let counts: Vec<u32> = disconnects()
        .await
        .iter()
        .map(|event| event.count)
        .collect();
    assert_eq!(counts, [20; 3]);
    for number in 0..2 {
        let mut asked = ways(alice, Answered::Acknowledged, number);
        asked.event.actor = admin();
        asked.answers = Some(RequestId::new(START));
        store.settle_disconnect(asked).await.unwrap();
    }
    assert_eq!(disconnects().await.len(), 5);
    let full = store.events_bytes().await.unwrap();
    assert_eq!(store.shed_events(full - 1, 3).await.unwrap(), 3);
    let left: Vec<u32> = disconnects()
        .await
        .iter()
        .map(|event| event.count)
        .collect();
    assert_eq!(left, [1, 1], "what somebody asked for stays");
    let kept = actions(&store).await;
    assert_eq!(kept[..before.len()], before[..], "so do changes by people");
}

pub(crate) async fn what_was_ended_here_takes_the_last_word_of_its_client(fixture: &impl Fixture) {
    let store = fixture.open();
    let alice = add_user(&store, "alice").await;
    record(&store, &began()).await;
    let session = only(&store).await.id;
    let at = START.plus(seconds(60));
    store
        .settle_disconnect(disconnected(session, alice, at))
        .await
        .unwrap();
    for _ in 0..2 {
        record(&store, &report(Happened::Over, 61)).await;
        let kept = only(&store).await;
        assert_eq!(kept.ended, Some((at, Ending::Disconnected)));
        assert_eq!(kept.particulars.usage.seconds, 61);
        assert_eq!(kept.particulars.terminate_cause, Some(1));
    }
}

pub(crate) async fn old_sessions_are_forgotten_in_portions(fixture: &impl Fixture) {
    let store = fixture.open();
    for number in 0..4 {
        let mut told = report(Happened::Over, 10 + number);
        told.session = octets(&format!("s{number}"));
        record(&store, &told).await;
    }
    record(&store, &began()).await;
    let before = START.plus(seconds(13));
    assert_eq!(store.forget_sessions(before, 2).await.unwrap(), 2);
    assert_eq!(store.forget_sessions(before, 2).await.unwrap(), 1);
    assert_eq!(store.forget_sessions(before, 2).await.unwrap(), 0);
    assert_eq!(every(&store).await.len(), 2, "the newest and the open one");
}

pub(crate) async fn what_is_kept_of_a_client_goes_the_oldest_first(fixture: &impl Fixture) {
    let store = fixture.open();
    let other = ClientName::parse("wlc").unwrap();
    for number in 0..3 {
        let mut open = report(Happened::Began, 0);
        open.session = octets(&format!("open {number}"));
        open.received = START.plus(seconds(10 - number));
        record(&store, &open).await;
        let mut over = report(Happened::Over, 30 - number);
        over.session = octets(&format!("over {number}"));
        record(&store, &over).await;
        // Older than any, and another's.
        let mut others = report(Happened::Began, 0);
        others.nas.client = other.clone();
        others.session = octets(&format!("other {number}"));
        record(&store, &others).await;
    }
    let kept = store.kept_sessions().await.unwrap();
    assert_eq!(kept.open, [(nas().client, 3), (other.clone(), 3)]);
    assert_eq!(kept.ended, [(nas().client, 3)]);

    let ended = store.end_oldest_sessions(&nas().client, 2).await;
    assert_eq!(ended.unwrap(), 2);
    let forgotten = store.forget_oldest_sessions(&nas().client, 3).await;
    assert_eq!(forgotten.unwrap(), 3);
    let mut left: Vec<_> = every(&store)
        .await
        .into_iter()
        .map(|session| (session.session.shown(), session.ended.map(|(_, why)| why)))
        .collect();
    left.sort_by(|(one, _), (other, _)| one.cmp(other));
    let open = |name: &str| (name.to_owned(), None);
    assert_eq!(
        left,
        [
            open("open 0"),
            open("other 0"),
            open("other 1"),
            open("other 2"),
            ("over 0".to_owned(), Some(Ending::Stopped)),
            ("over 1".to_owned(), Some(Ending::Stopped)),
        ]
    );
}
