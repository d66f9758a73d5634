//! RADIUS/1.1: which version is agreed on, and what is spoken then.

use doorward_domain::refusal::Refusal;
use doorward_frontend_api::Evidence;
use doorward_radius::radsec::{Bounds, Versions};
use doorward_radius_protocol::wire::{Code, Draft, Packet, kind};
use rustls::version::{TLS12, TLS13};

use crate::connection::Site;

const NAME: &str = "proxy.example.org";
const OLD: &str = "radius/1.0";
const NEW: &str = "radius/1.1";

async fn site(versions: Versions) -> Site {
    Site::start(Bounds {
        versions,
        ..Bounds::default()
    })
    .await
}

fn login(token: u32) -> Vec<u8> {
    let mut draft = Draft::new(Code::AccessRequest, 0);
    draft.push(kind::USER_NAME, b"alice").unwrap();
    draft.push(kind::USER_PASSWORD, b"a password").unwrap();
    draft.push(kind::PROXY_STATE, b"state").unwrap();
    draft.seal_with_token(token.to_be_bytes()).unwrap()
}

#[tokio::test]
async fn section_3_2_both_ends_agree_on_the_newest_that_both_speak() {
    for (versions, offered, agreed) in [
        (Versions::Both, &[NEW, OLD][..], Some(NEW)),
        (Versions::Both, &[OLD, NEW], Some(NEW)),
        (Versions::Both, &[OLD], Some(OLD)),
        (Versions::Both, &[NEW], Some(NEW)),
        (Versions::Both, &[], None),
        (Versions::OneZero, &[NEW, OLD], Some(OLD)),
        (Versions::OneZero, &[], None),
        (Versions::OneOne, &[NEW, OLD], Some(NEW)),
    ] {
        let site = site(versions).await;
        let connection = site.connect_as(NAME, &[&TLS13], offered).await.unwrap();
        let agreed = agreed.map(str::as_bytes);
        assert_eq!(connection.agreed(), agreed, "{versions:?} {offered:?}");
    }
}

#[tokio::test]
async fn section_3_3_where_they_cannot_agree_nothing_is_spoken() {
    for (versions, offered) in [(Versions::OneZero, NEW), (Versions::OneOne, OLD)] {
        let site = site(versions).await;
        let refused = site.connect_as(NAME, &[&TLS13], &[offered]).await;
        assert!(refused.is_err(), "{versions:?} {offered}");
    }
    let site = site(Versions::OneOne).await;
    let mut silent = site.connect_as(NAME, &[&TLS13], &[]).await.unwrap();
    silent.closed().await;
}

/// RFC 9765 §3.6: it takes TLS 1.3.
#[tokio::test]
async fn section_3_6_not_over_tls_1_2() {
    let site = site(Versions::Both).await;
    let mut new = site.connect_as(NAME, &[&TLS12], &[NEW]).await.unwrap();
    new.closed().await;
    let old = site.connect_as(NAME, &[&TLS12], &[OLD]).await.unwrap();
    assert_eq!(old.agreed(), Some(OLD.as_bytes()));
}

#[tokio::test]
async fn section_4_requests_are_told_apart_by_token() {
    let mut site = site(Versions::OneOne).await;
    let mut connection = site.connect_as(NAME, &[&TLS13], &[NEW]).await.unwrap();
    // More of them than there are identifiers, and all of identifier 0.
    connection.send(&[login(1), login(1 << 24)].concat()).await;
    let first = site.running.question().await;
    let second = site.running.question().await;
    let Evidence::Password(password) = &first.attempt.evidence else {
        panic!("no password")
    };
    assert_eq!(password.as_bytes(), b"a password");
    for (question, token) in [(second, 1 << 24), (first, 1_u32)] {
        question.refuse(Refusal::WrongPassword);
        let reply = connection.receive().await;
        let packet = Packet::parse(&reply).unwrap();
        assert_eq!(packet.code(), Code::AccessReject);
        assert_eq!(reply[4..8], token.to_be_bytes());
        assert_eq!(reply[8..20], [0; 12]);
        let kinds: Vec<u8> = packet.attributes().map(|one| one.kind).collect();
        assert_eq!(kinds, [kind::PROXY_STATE]);
    }
    let status = Draft::new(Code::StatusServer, 0).seal_with_token([7; 4]);
    connection.send(&status.unwrap()).await;
    let alive = connection.receive().await;
    assert_eq!(alive[..8], [2, 0, 0, 20, 7, 7, 7, 7]);
}
