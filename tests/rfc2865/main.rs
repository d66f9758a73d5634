//! The RADIUS server over loopback, with an authenticator that does as it is told.
//!
//! No test waits for time to pass: each socket's loop takes datagrams in turn, so the answer to a
//! Status-Server proves that everything sent before it was taken.

#[cfg(test)]
#[path = "../common/client_ca.rs"]
mod client_ca;
#[cfg(test)]
mod connection;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod rfc_2548_ms_chap;
#[cfg(test)]
mod rfc_2866_accounting;
#[cfg(test)]
mod rfc_6614_tls;
#[cfg(test)]
mod rfc_9765_without_md5;

use doorward_domain::refusal::Refusal;
use doorward_domain::resource::AccessContext;
use doorward_frontend_api::{Claim, Undecided};
use doorward_radius_protocol::wire::{Code, Draft, Packet, kind};
use harness::{Running, check, hidden, login, seal};

/// RFC 5080 §2.2.2: one request, however often it comes, is decided once.
#[tokio::test]
async fn three_retransmissions_cause_one_decision() {
    let mut running = Running::start();
    let client = running.client().await;
    let request = login(1, b"a wrong password");
    for _ in 0..4 {
        client.send(&request).await;
    }
    client.fence().await;
    let question = running.question().await;
    question.refuse(Refusal::WrongPassword);
    let reply = client.receive().await;
    assert_eq!(Packet::parse(&reply).unwrap().code(), Code::AccessReject);
    assert_eq!(running.asked(), 1);
}

/// RFC 5080 §2.2.2: an answered request is answered with the same octets.
#[tokio::test]
async fn a_replayed_request_gets_the_same_bytes_again() {
    let mut running = Running::start();
    let client = running.client().await;
    let request = login(1, b"a wrong password");
    client.send(&request).await;
    running.question().await.refuse(Refusal::WrongPassword);
    let reply = client.receive().await;
    for _ in 0..3 {
        client.send(&request).await;
        assert_eq!(client.receive().await, reply);
    }
    assert_eq!(running.asked(), 1);
}

/// RFC 3579 §3.2: what proves a request says nothing of the port that it comes from.
#[tokio::test]
async fn a_recorded_request_is_not_decided_again_from_other_ports() {
    let mut running = Running::start();
    let nas = running.client().await;
    let request = login(1, b"a wrong password");
    let mut others = Vec::new();
    for _ in 0..50 {
        others.push(running.client().await);
    }
    nas.send(&request).await;
    for other in &others {
        other.send(&request).await;
        other.fence().await;
    }
    assert_eq!(running.asked(), 1);
    running.question().await.refuse(Refusal::WrongPassword);
    let reply = nas.receive().await;
    for other in &others {
        other.send(&request).await;
        assert_eq!(other.receive().await, reply);
    }
    assert_eq!(running.asked(), 1);
}

/// Whoever sends a request that it saw before the NAS's own arrives keeps no answer from the NAS.
#[tokio::test]
async fn a_nas_gets_its_answer_after_a_copy_that_came_first() {
    let mut running = Running::start();
    let (nas, other) = (running.client().await, running.client().await);
    let request = login(1, b"a wrong password");
    other.send(&request).await;
    other.fence().await;
    nas.send(&request).await;
    nas.fence().await;
    assert_eq!(running.asked(), 1);
    running.question().await.refuse(Refusal::WrongPassword);
    let reply = other.receive().await;
    nas.send(&request).await;
    assert_eq!(nas.receive().await, reply);
    assert_eq!(running.asked(), 1);
}

/// Two recorded requests under one identifier, by turns.
#[tokio::test]
async fn recorded_requests_that_supersede_each_other_are_decided_once_each() {
    let mut running = Running::start();
    let client = running.client().await;
    let attributes: [(u8, &[u8]); 2] = [(kind::USER_NAME, b"bob"), (kind::USER_PASSWORD, &[0; 16])];
    let requests = [login(1, b"one"), seal(1, [9; 16], &attributes)];
    for _ in 0..20 {
        for request in &requests {
            client.send(request).await;
        }
    }
    client.fence().await;
    assert_eq!(running.asked(), 2);
    for _ in 0..2 {
        running.question().await.refuse(Refusal::WrongPassword);
    }
    assert_eq!(client.receive().await[1], 1, "the later one's");
    for request in &requests {
        client.send(request).await;
        let authenticator = *Packet::parse(request).unwrap().authenticator();
        check(&client.receive().await, &authenticator);
    }
    assert_eq!(running.asked(), 2);
}

/// RFC 2865 §3: the identifier with another authenticator is another request.
#[tokio::test]
async fn a_reused_identifier_is_a_new_request() {
    let mut running = Running::start();
    let client = running.client().await;
    client.send(&login(1, b"one")).await;
    let first = running.question().await;
    let second = seal(
        1,
        [9; 16],
        &[(kind::USER_NAME, b"bob"), (kind::USER_PASSWORD, &[0; 16])],
    );
    client.send(&second).await;
    let question = running.question().await;
    assert_eq!(question.attempt.claim, Claim::Typed("bob".to_owned()));
    // The late answer to what the client has given up must not be taken for the new one's.
    first.refuse(Refusal::WrongPassword);
    question.refuse(Refusal::UnknownUser);
    let reply = client.receive().await;
    check(&reply, &[9; 16]);
    client.fence().await;
}

/// CONTRACT 3.7, 5.4: no verdict is silence, and the retransmission is decided.
#[tokio::test]
async fn an_undecided_request_is_silent_and_its_retransmission_is_decided() {
    for undecided in [
        Undecided::Busy,
        Undecided::Unavailable("disk full".to_owned()),
    ] {
        let mut running = Running::start();
        let client = running.client().await;
        let request = login(1, b"a password");
        client.send(&request).await;
        running.question().await.undecided(undecided);
        let question = running.question_anew(&client, &request).await;
        question.refuse(Refusal::Locked);
        let reply = client.receive().await;
        check(&reply, &[1; 16]);
        assert_eq!(Packet::parse(&reply).unwrap().code(), Code::AccessReject);
        assert_eq!(running.asked(), 2);
    }
}

/// An authenticator that panics takes one request with it and nothing else.
#[tokio::test]
async fn a_panic_blackholes_no_identifier() {
    let mut running = Running::start();
    let client = running.client().await;
    let request = login(1, b"a password");
    client.send(&request).await;
    drop(running.question().await);
    let question = running.question_anew(&client, &request).await;
    question.refuse(Refusal::Locked);
    check(&client.receive().await, &[1; 16]);
}

/// CONTRACT 5.2: every refusal is the same octets; what differs is the audit log's.
#[tokio::test]
async fn every_refusal_is_the_same_bytes() {
    let mut replies = Vec::new();
    for refusal in [
        Refusal::UnknownUser,
        Refusal::WrongPassword,
        Refusal::NotBound,
        Refusal::Locked,
        Refusal::Expired,
        Refusal::Suspended,
        Refusal::Throttled,
        Refusal::MustChange,
        Refusal::NoResource,
    ] {
        let mut running = Running::start();
        let client = running.client().await;
        client.send(&login(1, b"a password")).await;
        running.question().await.refuse(refusal);
        replies.push(client.receive().await);
    }
    replies.dedup();
    assert_eq!(replies.len(), 1);
    assert_eq!(replies[0].len(), 38, "a header and a Message-Authenticator");
}

/// RFC 2865 §5.33, CVE-2024-3596.
#[tokio::test]
async fn proxy_states_come_back_in_order_after_the_message_authenticator() {
    let mut running = Running::start();
    let client = running.client().await;
    let password = hidden(b"pw", &[3; 16]);
    let request = seal(
        3,
        [3; 16],
        &[
            (kind::PROXY_STATE, b"zwei"),
            (kind::USER_NAME, b"alice"),
            (kind::USER_PASSWORD, &password),
            (kind::PROXY_STATE, b"eins"),
            (kind::PROXY_STATE, b"zwei"),
        ],
    );
    client.send(&request).await;
    running.question().await.refuse(Refusal::WrongPassword);
    let reply = client.receive().await;
    let packet = Packet::parse(&reply).unwrap();
    let kinds: Vec<_> = packet
        .attributes()
        .map(|attribute| attribute.kind)
        .collect();
    assert_eq!(kinds, [80, 33, 33, 33]);
    let states: Vec<_> = packet.all(kind::PROXY_STATE).collect();
    assert_eq!(states, [b"zwei", b"eins", b"zwei"]);
}

/// RFC 2865 §3, RFC 3579 §3.2: silence, and the socket lives on.
#[tokio::test]
async fn bad_datagrams_get_silence() {
    let running = Running::start();
    let client = running.client().await;
    let good = login(1, b"a password");
    let mut forged = good.clone();
    forged[25] ^= 1;
    let mut without = good.clone();
    without.drain(20..38);
    without[3] = u8::try_from(without.len()).unwrap();
    let mut long = good.clone();
    long[2..4].copy_from_slice(&5000_u16.to_be_bytes());
    let mut accept = good.clone();
    accept[0] = 2;
    for datagram in [
        &b""[..],
        b"x",
        &[0xff; 3000],
        &good[..30],
        &forged,
        &without,
        &long,
        &accept,
    ] {
        client.send(datagram).await;
    }
    client.fence().await;
    assert_eq!(running.asked(), 0);
}

/// RFC 2865 §3: padding past the Length field is ignored.
#[tokio::test]
async fn padding_is_ignored() {
    let mut running = Running::start();
    let client = running.client().await;
    let mut request = login(1, b"a password");
    request.extend_from_slice(&[0xee; 100]);
    client.send(&request).await;
    running.question().await.refuse(Refusal::WrongPassword);
    check(&client.receive().await, &[1; 16]);
}

/// RFC 2865 §3: a stranger gets silence.
#[tokio::test]
async fn an_unknown_client_gets_silence() {
    let running = Running::start();
    let stranger = running.client_from("127.0.0.77:0").await;
    stranger.send(&login(1, b"a password")).await;
    stranger.send(&harness::status(2)).await;
    // The same socket serves a known client afterwards, so the stranger's datagrams were taken.
    running.client().await.fence().await;
    assert!(stranger.silent());
    assert_eq!(running.asked(), 0);
}

/// RFC 5997 §4.2; and what an Access-Request's authenticator proves is no report (RFC 2866 §3).
#[tokio::test]
async fn the_accounting_port_answers_status_server_alone() {
    let running = Running::start();
    let client = running.accounting_client().await;
    let accounting = Draft::new(Code::AccountingRequest, 1);
    let accounting = accounting
        .seal_request(&[0; 16], &harness::secret())
        .unwrap();
    client.send(&accounting).await;
    client.send(&login(1, b"a password")).await;
    let reply = client.fence().await;
    assert_eq!(
        Packet::parse(&reply).unwrap().code(),
        Code::AccountingResponse
    );
    assert_eq!(running.asked(), 0);
}

/// RFC 5997 §4.2: a server that cannot decide need not claim to be alive.
#[tokio::test]
async fn status_server_is_silent_while_nothing_can_be_decided() {
    let running = Running::start();
    let client = running.client().await;
    client.fence().await;
    running.handle.set_available(false);
    client.send(&harness::status(7)).await;
    // EAP is rejected without asking: proof that the Status-Server before it was taken.
    let eap = seal(
        8,
        [8; 16],
        &[
            (kind::USER_NAME, b"alice"),
            (kind::EAP_MESSAGE, &[2, 5, 0, 4]),
        ],
    );
    client.send(&eap).await;
    let reply = client.receive().await;
    let packet = Packet::parse(&reply).unwrap();
    assert_eq!(
        (packet.code(), packet.identifier()),
        (Code::AccessReject, 8)
    );
    assert_eq!(packet.first(kind::EAP_MESSAGE), Some(&[4, 5, 0, 4][..]));
}

/// CONTRACT 4: the ground of the resource is the client's entry and what the NAS says, and the
/// origin is the NAS with the user's device.
#[tokio::test]
async fn an_attempt_carries_client_station_and_origin() {
    let mut running = Running::start();
    let client = running.client().await;
    let password = hidden("pässwörd".as_bytes(), &[3; 16]);
    let request = seal(
        3,
        [3; 16],
        &[
            (kind::USER_NAME, b"alice@example.org"),
            (kind::USER_PASSWORD, &password),
            (kind::CALLED_STATION_ID, b"00-10-A4-23-19-C0:guest"),
            (kind::CALLING_STATION_ID, b"00-10-A4-23-19-C1"),
        ],
    );
    client.send(&request).await;
    let question = running.question().await;
    let attempt = &question.attempt;
    let AccessContext::Radius {
        client: entry,
        called_station,
    } = &attempt.asking
    else {
        panic!("not asked as RADIUS")
    };
    assert_eq!(entry.client.as_str(), "loopback");
    assert_eq!(called_station.as_deref(), Some("00-10-A4-23-19-C0:guest"));
    assert_eq!(attempt.claim, Claim::Typed("alice@example.org".to_owned()));
    assert_eq!(attempt.origin.source.to_string(), "127.0.0.1");
    assert_eq!(attempt.origin.station.as_deref(), Some("00-10-A4-23-19-C1"));
    question.refuse(Refusal::WrongPassword);
    check(&client.receive().await, &[3; 16]);
}
