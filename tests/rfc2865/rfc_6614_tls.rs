//! RADIUS over TLS: connections instead of datagrams, certificates instead of secrets.

use std::time::Duration;

use doorward_domain::refusal::Refusal;
use doorward_domain::secret::Secret;
use doorward_radius::radsec::Bounds;
use doorward_radius_protocol::wire::{
    Authenticator, Code, Draft, Packet, Presence, check_reply, hide_password, kind,
};

use crate::client_ca::ClientCa;
use crate::connection::{Connection, Site, VERSIONS, settings};

/// RFC 6614 §2.3.
fn radsec() -> Secret {
    Secret::new(b"radsec".to_vec())
}

fn authenticator(identifier: u8) -> Authenticator {
    [identifier; 16]
}

fn login(identifier: u8, user: &str) -> Vec<u8> {
    let mut draft = Draft::new(Code::AccessRequest, identifier);
    let hidden = hide_password(b"a password", &authenticator(identifier), &radsec()).unwrap();
    draft.push(kind::USER_NAME, user.as_bytes()).unwrap();
    draft.push(kind::USER_PASSWORD, &hidden).unwrap();
    draft
        .seal_request(&authenticator(identifier), &radsec())
        .unwrap()
}

fn status(identifier: u8) -> Vec<u8> {
    Draft::new(Code::StatusServer, identifier)
        .seal_request(&authenticator(identifier), &radsec())
        .unwrap()
}

/// The identifier and the code of a reply, whose proofs are right.
async fn answered(connection: &mut Connection) -> (u8, Code) {
    let reply = connection.receive().await;
    let packet = Packet::parse(&reply).unwrap();
    assert_eq!(
        check_reply(&packet, &authenticator(packet.identifier()), &radsec()),
        Ok(Presence::Verified)
    );
    (packet.identifier(), packet.code())
}

async fn lives(connection: &mut Connection) {
    connection.send(&status(250)).await;
    assert_eq!(answered(connection).await, (250, Code::AccessAccept));
}

#[tokio::test]
async fn section_2_3_a_login_is_decided_over_tls_1_2_and_1_3() {
    let mut site = Site::start(Bounds::default()).await;
    for version in VERSIONS {
        let mut connection = site
            .connect_as("proxy.example.org", &[version], &[])
            .await
            .unwrap();
        connection.send(&login(1, "alice")).await;
        let question = site.running.question().await;
        assert_eq!(question.attempt.origin.source.to_string(), "127.0.0.1");
        question.refuse(Refusal::WrongPassword);
        assert_eq!(answered(&mut connection).await, (1, Code::AccessReject));
        lives(&mut connection).await;
    }
}

#[tokio::test]
async fn requests_on_one_connection_are_decided_side_by_side() {
    let mut site = Site::start(Bounds::default()).await;
    let mut connection = site.connect().await;
    connection
        .send(&[login(1, "alice"), login(2, "bob"), status(250)].concat())
        .await;
    assert_eq!(answered(&mut connection).await, (250, Code::AccessAccept));
    let first = site.running.question().await;
    let second = site.running.question().await;
    second.refuse(Refusal::WrongPassword);
    assert_eq!(answered(&mut connection).await, (2, Code::AccessReject));
    // RFC 6613 §2.6.1: what comes again is not decided again.
    connection.send(&login(1, "alice")).await;
    lives(&mut connection).await;
    first.refuse(Refusal::WrongPassword);
    assert_eq!(answered(&mut connection).await, (1, Code::AccessReject));
    assert_eq!(site.running.asked(), 2);
}

#[tokio::test]
async fn section_3_4_without_a_certificate_of_a_client_nothing_is_answered() {
    let site = Site::start(Bounds::default()).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let foreign = ClientCa::new(elsewhere.path().join("ca"));
    foreign.issue("proxy.example.org", 11);
    site.ca.issue("revoked.example.org", 99);
    site.revoke(&[99]);
    for version in VERSIONS {
        for shown in [
            None,
            Some((foreign.folder(), "proxy.example.org")),
            Some((site.ca.folder(), "revoked.example.org")),
            Some((site.ca.folder(), "stranger.example.org")),
        ] {
            // Of TLS 1.3 a client is through before the server has looked at its certificate.
            if let Ok(mut connection) = site.connect_with(shown, &[version], &[]).await {
                connection.closed().await;
            }
        }
    }
    assert_eq!(site.running.asked(), 0);
    lives(&mut site.connect().await).await;
}

#[tokio::test]
async fn a_certificate_is_verified_anew_once_there_is_another_list() {
    let site = Site::start(Bounds::default()).await;
    let mut proxy = site.connect().await;
    lives(&mut proxy).await;
    site.revoke(&[11]);
    proxy.send(&login(1, "alice")).await;
    proxy.closed().await;
    if let Ok(mut again) = site.connect_as("proxy.example.org", &VERSIONS, &[]).await {
        again.closed().await;
    }
    let other = site.connect_as("other.example.org", &VERSIONS, &[]).await;
    lives(&mut other.unwrap()).await;
    assert_eq!(site.running.asked(), 0);
}

#[tokio::test]
async fn a_client_whose_entry_is_gone_is_closed_at_its_next_packet() {
    let site = Site::start(Bounds::default()).await;
    let mut connection = site.connect().await;
    lives(&mut connection).await;
    let without = settings(&["other"], Bounds::default());
    site.running.handle.replace(without);
    connection.send(&login(1, "alice")).await;
    connection.closed().await;
    assert_eq!(site.running.asked(), 0);
}

/// RFC 6613 §2.6.4.
#[tokio::test]
async fn a_packet_that_cannot_be_one_ends_the_connection() {
    let site = Site::start(Bounds::default()).await;
    let mut short = login(1, "alice");
    short[2..4].copy_from_slice(&[0, 19]);
    let mut long = login(1, "alice");
    long[2..4].copy_from_slice(&4097_u16.to_be_bytes());
    let mut attribute = login(1, "alice");
    attribute[21] = 1;
    let mut unproven = login(1, "alice");
    unproven[25] ^= 1;
    let mut report = Draft::new(Code::AccountingRequest, 1)
        .seal_signed(&radsec())
        .unwrap();
    report[5] ^= 1;
    for packet in [short, long, attribute, unproven, report] {
        let mut connection = site.connect().await;
        connection.send(&packet).await;
        connection.closed().await;
    }
    // RFC 6614 §2.5: what is not served is refused, and nothing else happens.
    let mut connection = site.connect().await;
    let request = Draft::new(Code::CoARequest, 9)
        .seal_signed(&radsec())
        .unwrap();
    connection.send(&request).await;
    assert_eq!(connection.receive().await[0], Code::CoANAK as u8);
    lives(&mut connection).await;
    assert_eq!(site.running.asked(), 0);
}

#[tokio::test]
async fn what_is_open_when_a_connection_ends_is_decided_anew_on_another() {
    let mut site = Site::start(Bounds::default()).await;
    let mut first = site.connect().await;
    first.send(&login(1, "alice")).await;
    let unanswered = site.running.question().await;
    drop(first);
    let mut second = site.connect().await;
    second.send(&login(1, "alice")).await;
    site.running.question().await.refuse(Refusal::WrongPassword);
    assert_eq!(answered(&mut second).await, (1, Code::AccessReject));
    drop(unanswered);
}

#[tokio::test]
async fn a_client_that_is_silent_for_too_long_is_closed() {
    let site = Site::start(Bounds {
        idle: Duration::from_millis(50),
        ..Bounds::default()
    });
    let mut connection = site.await.connect().await;
    connection.send(&[1, 7]).await;
    connection.closed().await;
}

#[tokio::test]
async fn one_client_s_connections_leave_room_for_another_s() {
    let site = Site::start(Bounds {
        per_client: 1,
        ..Bounds::default()
    });
    let site = site.await;
    let mut first = site.connect().await;
    lives(&mut first).await;
    if let Ok(mut second) = site.connect_as("proxy.example.org", &VERSIONS, &[]).await {
        second.closed().await;
    }
    let other = site.connect_as("other.example.org", &VERSIONS, &[]).await;
    lives(&mut other.unwrap()).await;
    lives(&mut first).await;
}
