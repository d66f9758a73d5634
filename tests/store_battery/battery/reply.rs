//! Reply attributes.

use doorward_domain::name::ResourceName;
use doorward_domain::reply::{
    FilterId, OtherAttribute, ReplyAttribute, ReplyGrant, ReplySource, Resolved, SessionTimeout,
    Vlan,
};
use doorward_store::AttemptStore as _;
use doorward_store::Store;
use doorward_store::attempts::{AccountKey, Fetch};
use doorward_store::changes::{Applied, Change, ChangeRefused};
use doorward_store::records::{BoundTo, ReplyMapping};
use serde_json::json;

use crate::world::*;

fn vlan(text: &str) -> ReplyAttribute {
    ReplyAttribute::Vlan(Vlan::parse(text).unwrap())
}

fn filter(text: &str) -> ReplyAttribute {
    ReplyAttribute::FilterId(FilterId::parse(text).unwrap())
}

fn timeout(text: &str) -> ReplyAttribute {
    ReplyAttribute::SessionTimeout(SessionTimeout::parse(text).unwrap())
}

fn pair(value: &str) -> ReplyAttribute {
    let resolved = Resolved {
        name: "Cisco-AVPair".to_owned(),
        value: value.to_owned(),
        kind: 26,
        octets: vec![0, 0, 0, 9, 1, 3, 255],
    };
    ReplyAttribute::Other(OtherAttribute::new(resolved).unwrap())
}

fn of_user(name: &str) -> BoundTo {
    BoundTo::User(username(name))
}

fn of_group(name: &str) -> BoundTo {
    BoundTo::Group(group_name(name))
}

async fn set(
    store: &Store,
    of: BoundTo,
    at: Option<&str>,
    attributes: &[ReplyAttribute],
    priority: Option<i32>,
) -> Result<Applied, ChangeRefused> {
    let mapping = ReplyMapping {
        of,
        priority,
        resource: at.map(resource),
        attributes: attributes.to_vec(),
    };
    apply(store, Change::SetReply { mapping, most: 4 }).await
}

async fn unset(
    store: &Store,
    of: BoundTo,
    at: Option<&str>,
    names: &[&str],
) -> Result<Applied, ChangeRefused> {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    let resource = at.map(resource);
    apply(
        store,
        Change::UnsetReply {
            of,
            resource,
            names,
        },
    )
    .await
}

fn source(name: &str, priority: i32) -> ReplySource {
    let name = group_name(name);
    ReplySource::Group { name, priority }
}

/// What an attempt of `alice` at a resource reads, without the resources of the mappings.
async fn read_at(store: &Store, at: &str) -> Vec<(ReplySource, ReplyAttribute)> {
    let account = read_login(store, Some("alice"), None)
        .await
        .unwrap()
        .account;
    let at: ResourceName = resource(at);
    let key = AccountKey::Id(account);
    let read = store
        .read_attempt(&key, Some(&at), None, Fetch::Accept)
        .await;
    let grants = read.unwrap().account.unwrap().reply;
    let again: Vec<ReplyGrant> = store.reply_grants(account, Some(&at)).await.unwrap();
    assert_eq!(grants, again, "both reads say the same");
    let none = store
        .read_attempt(&key, Some(&at), None, Fetch::Verdict)
        .await;
    assert!(none.unwrap().account.unwrap().reply.is_empty());
    grants
        .into_iter()
        .map(|grant| (grant.from, grant.attribute))
        .collect()
}

pub(crate) async fn attributes_reach_users_by_themselves_and_by_nested_groups(
    fixture: &impl Fixture,
) {
    let store = fixture.open();
    add_user(&store, "alice").await;
    for group in ["inner", "outer", "strangers"] {
        add_group(&store, group).await;
    }
    join(&store, "inner", &["alice"], &[]).await.unwrap();
    join(&store, "outer", &[], &["inner"]).await.unwrap();
    let outer = [vlan("20"), pair("a"), pair("b")];
    set(&store, of_group("OUTER"), None, &outer, Some(-7))
        .await
        .unwrap();
    set(
        &store,
        of_group("inner"),
        Some("WiFi"),
        &[filter("f")],
        None,
    )
    .await
    .unwrap();
    set(&store, of_user("alice"), None, &[timeout("8h")], None)
        .await
        .unwrap();
    set(&store, of_group("strangers"), None, &[vlan("9")], None)
        .await
        .unwrap();
    let everywhere = [
        (source("outer", -7), vlan("20")),
        (source("outer", -7), pair("a")),
        (source("outer", -7), pair("b")),
    ];
    let at_wifi = [(source("inner", 0), filter("f"))];
    let own = [(ReplySource::User, timeout("8h"))];
    let wifi: Vec<_> = everywhere
        .iter()
        .chain(&at_wifi)
        .chain(&own)
        .cloned()
        .collect();
    assert_eq!(read_at(&store, "wifi").await, wifi);
    let vpn: Vec<_> = everywhere.iter().chain(&own).cloned().collect();
    assert_eq!(read_at(&store, "vpn").await, vpn);
}

pub(crate) async fn what_is_set_takes_the_place_of_its_name_alone(fixture: &impl Fixture) {
    let store = fixture.open();
    add_user(&store, "alice").await;
    let epoch_before = read_login(&store, Some("alice"), None).await.unwrap().epoch;
    let first = [vlan("20"), filter("a"), filter("b")];
    let applied = set(&store, of_user("alice"), Some("wifi"), &first, None)
        .await
        .unwrap();
    assert_eq!(applied.event.action, "reply.set");
    assert_eq!(applied.event.target, "alice");
    assert_eq!(applied.event.resource, Some(resource("wifi")));
    assert_eq!(applied.event.before, json!({ "attributes": [] }));
    let shown = json!({ "attributes": ["vlan=20", "filter_id=a", "filter_id=b"] });
    assert_eq!(applied.event.after, shown);
    set(&store, of_user("Alice"), Some("WIFI"), &[filter("c")], None)
        .await
        .unwrap();
    set(&store, of_user("alice"), None, &[vlan("30")], None)
        .await
        .unwrap();
    let expected = [
        ReplyMapping {
            of: of_user("alice"),
            priority: None,
            resource: None,
            attributes: vec![vlan("30")],
        },
        ReplyMapping {
            of: of_user("alice"),
            priority: None,
            resource: Some(resource("wifi")),
            attributes: vec![vlan("20"), filter("c")],
        },
    ];
    let mappings = store.reply_mappings().await.unwrap();
    assert_eq!(mappings[0], expected[0]);
    assert_eq!(mappings[1].attributes, expected[1].attributes);
    let again = set(&store, of_user("alice"), None, &[vlan("30")], None).await;
    assert!(matches!(again, Err(ChangeRefused::Nothing(_))), "{again:?}");
    let epoch = read_login(&store, Some("alice"), None).await.unwrap().epoch;
    assert_eq!(epoch, epoch_before);
}

pub(crate) async fn what_is_unset_is_named_or_is_all(fixture: &impl Fixture) {
    let store = fixture.open();
    add_group(&store, "staff").await;
    let all = [vlan("20"), filter("a"), filter("b"), timeout("1h")];
    set(&store, of_group("staff"), None, &all, Some(3))
        .await
        .unwrap();
    let wrong = unset(&store, of_group("staff"), None, &["vlan", "class"]).await;
    assert!(matches!(wrong, Err(ChangeRefused::Nothing(_))), "{wrong:?}");
    let standing = store.reply_mappings().await.unwrap();
    assert_eq!(
        standing[0].attributes, all,
        "a refused command leaves all as it was"
    );
    let applied = unset(&store, of_group("staff"), None, &["FILTER_ID"])
        .await
        .unwrap();
    assert_eq!(applied.event.action, "reply.unset");
    assert_eq!(
        applied.event.after,
        json!({ "attributes": ["vlan=20", "session_timeout=1h"] })
    );
    unset(&store, of_group("staff"), None, &[]).await.unwrap();
    assert!(store.reply_mappings().await.unwrap().is_empty());
    let gone = unset(&store, of_group("staff"), None, &[]).await;
    assert!(matches!(gone, Err(ChangeRefused::Nothing(_))), "{gone:?}");
}

pub(crate) async fn a_groups_priority_stays_unless_it_is_given(fixture: &impl Fixture) {
    let store = fixture.open();
    add_group(&store, "staff").await;
    set(&store, of_group("staff"), None, &[vlan("20")], Some(3))
        .await
        .unwrap();
    set(&store, of_group("staff"), Some("wifi"), &[vlan("21")], None)
        .await
        .unwrap();
    let mappings = store.reply_mappings().await.unwrap();
    assert!(mappings.iter().all(|mapping| mapping.priority == Some(3)));
    let applied = set(&store, of_group("staff"), None, &[], Some(4))
        .await
        .unwrap();
    assert_eq!(applied.event.before, json!({ "priority": 3 }));
    assert_eq!(applied.event.after, json!({ "priority": 4 }));
    let same = set(&store, of_group("staff"), None, &[], Some(4)).await;
    assert!(matches!(same, Err(ChangeRefused::Nothing(_))), "{same:?}");
}

pub(crate) async fn no_more_attributes_than_may_be_are_kept(fixture: &impl Fixture) {
    let store = fixture.open();
    add_user(&store, "alice").await;
    let four = ["a", "b", "c", "d"].map(filter);
    set(&store, of_user("alice"), None, &four, None)
        .await
        .unwrap();
    let fifth = set(&store, of_user("alice"), None, &[vlan("1")], None).await;
    assert!(
        matches!(fifth, Err(ChangeRefused::TooManyAttributes(4))),
        "{fifth:?}"
    );
    assert_eq!(store.reply_mappings().await.unwrap()[0].attributes, four);
    set(&store, of_user("alice"), Some("wifi"), &[vlan("1")], None)
        .await
        .unwrap();
}

pub(crate) async fn attributes_go_with_whom_they_are_mapped_to(fixture: &impl Fixture) {
    let store = fixture.open();
    let account = add_user(&store, "alice").await;
    add_group(&store, "staff").await;
    set(&store, of_user("alice"), None, &[vlan("1")], None)
        .await
        .unwrap();
    set(&store, of_group("staff"), None, &[vlan("2")], None)
        .await
        .unwrap();
    let missing = set(&store, of_user("bob"), None, &[vlan("1")], None).await;
    assert!(
        matches!(missing, Err(ChangeRefused::NotFound { .. })),
        "{missing:?}"
    );
    apply(&store, Change::RemoveUser { account }).await.unwrap();
    let name = group_name("staff");
    apply(&store, Change::RemoveGroup { name }).await.unwrap();
    assert!(store.reply_mappings().await.unwrap().is_empty());
}
