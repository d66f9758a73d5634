use super::*;
use crate::accounting::read_class;
use crate::wire::MAX_LENGTH;
use doorward_domain::reply::{
    FilterId, ReplyAttribute, ReplyAttributes, SessionClass, SessionTimeout, Vlan,
};
use doorward_fixtures::proofs;
use doorward_frontend_api::verdict::Grant;

/// The verdict on a user to whom these are mapped.
pub(super) fn granted_with(attributes: &[&str]) -> Verdict {
    let attributes = attributes
        .iter()
        .map(|text| match text.split_once('=').unwrap() {
            ("vlan", value) => ReplyAttribute::Vlan(Vlan::parse(value).unwrap()),
            ("session_timeout", value) => {
                ReplyAttribute::SessionTimeout(SessionTimeout::parse(value).unwrap())
            }
            ("filter_id", value) => ReplyAttribute::FilterId(FilterId::parse(value).unwrap()),
            ("class", value) => ReplyAttribute::Class(SessionClass::parse(value).unwrap()),
            other => panic!("{other:?}"),
        })
        .collect();
    let account = AccountId::new(Timestamp::EPOCH);
    Verdict::Granted(proofs::prove(Grant {
        reply: ReplyAttributes::new(attributes),
        ..proofs::grant(account, "Alice", Some("wifi"))
    }))
}

#[test]
fn they_stand_after_our_class_and_before_proxy_states() {
    let mut fixture = Fixture::new();
    let question = fixture.asked(&sealed(&[
        (kind::USER_NAME, b"alice"),
        (kind::USER_PASSWORD, &hidden(b"pa55 word")),
        (kind::PROXY_STATE, b"one"),
    ]));
    let verdict = granted_with(&[
        "class=gold",
        "session_timeout=90s",
        "filter_id=guests",
        "vlan=staff",
    ]);
    let reply = fixture.replied(question.open, verdict);
    let packet = Packet::parse(&reply.bytes).unwrap();
    assert_eq!(kinds(&packet), [80, 1, 25, 64, 65, 81, 27, 11, 25, 33]);
    assert_eq!(packet.first(81), Some(&b"staff"[..]));
    assert_eq!(packet.first(27), Some(&[0, 0, 0, 90][..]));
    assert_eq!(packet.all(kind::CLASS).nth(1), Some(&b"gold"[..]));
    let ours = packet.all(kind::CLASS).next().unwrap();
    assert!(read_class(&fixture.client, ours).is_some());
    assert_eq!(
        check_reply(&packet, &AUTHENTICATOR, &secret()),
        Ok(Presence::Verified)
    );
}

#[test]
fn what_does_not_fit_stays_away_and_name_class_and_proxy_states_never_do() {
    let state = [b'p'; 253];
    let password = hidden(b"pa55 word");
    let mut attributes: Vec<(u8, &[u8])> = vec![
        (kind::USER_NAME, b"alice"),
        (kind::USER_PASSWORD, &password),
    ];
    attributes.extend([(kind::PROXY_STATE, &state[..]); 15]);
    let mut fixture = Fixture::new();
    let question = fixture.asked(&sealed(&attributes));
    let filters = vec![format!("filter_id={}", "f".repeat(200)); 3];
    let mut mapped = vec!["vlan=20"];
    mapped.extend(filters.iter().map(String::as_str));
    let reply = fixture.replied(question.open, granted_with(&mapped));
    assert!(reply.bytes.len() <= MAX_LENGTH);
    let packet = Packet::parse(&reply.bytes).unwrap();
    assert!(packet.has(kind::USER_NAME) && packet.has(kind::CLASS) && packet.has(81));
    assert_eq!(packet.all(kind::PROXY_STATE).count(), 15);
    assert!(packet.all(kind::FILTER_ID).count() < 3);
}
