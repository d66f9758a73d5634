//! Accounting (RFC 2866) over its own socket, with a recorder that does as it is told.

use doorward_domain::session::Happened;
use doorward_frontend_api::Undecided;
use doorward_radius_protocol::wire::{Code, Draft, Packet, Presence, check_reply, kind};

use crate::harness::{Running, secret};

fn request(identifier: u8, status: u8) -> Vec<u8> {
    let mut draft = Draft::new(Code::AccountingRequest, identifier);
    let attributes: [(u8, &[u8]); 4] = [
        (kind::ACCT_STATUS_TYPE, &[0, 0, 0, status]),
        (kind::ACCT_SESSION_ID, b"0000001A"),
        (kind::USER_NAME, b"alice"),
        (kind::PROXY_STATE, b"state"),
    ];
    for (kind, value) in attributes {
        draft.push(kind, value).unwrap();
    }
    draft.seal_signed(&secret()).unwrap()
}

fn acknowledges(reply: &[u8], request: &[u8]) {
    let (reply, request) = (
        Packet::parse(reply).unwrap(),
        Packet::parse(request).unwrap(),
    );
    assert_eq!(reply.code(), Code::AccountingResponse);
    let presence = check_reply(&reply, request.authenticator(), &secret());
    assert_eq!(presence, Ok(Presence::Absent));
    assert_eq!(reply.first(kind::PROXY_STATE), Some(&b"state"[..]));
}

/// RFC 2866 §2, §4.1: acknowledged once it is recorded, and recorded once.
#[tokio::test]
async fn three_retransmissions_are_one_record() {
    let mut running = Running::start();
    let client = running.accounting_client().await;
    let start = request(1, 1);
    for _ in 0..4 {
        client.send(&start).await;
    }
    client.fence().await;
    let reported = running.report().await;
    assert!(client.silent(), "nothing is safe yet");
    let report = reported.report.unwrap();
    assert_eq!(report.happened, Happened::Began);
    assert_eq!(report.session.shown(), "0000001A");
    reported.answer.send(Ok(())).unwrap();
    let reply = client.receive().await;
    acknowledges(&reply, &start);
    let (elsewhere, another) = (
        running.accounting_client().await,
        running.accounting_client().await,
    );
    for client in [&client, &elsewhere] {
        client.send(&start).await;
        another.fence().await;
        assert!(running.report_now().is_none());
        assert_eq!(client.receive().await, reply);
    }
    assert!(running.report_now().is_none());
}

/// RFC 2866 §2: a server that did not record stays silent, and the client tries again.
#[tokio::test]
async fn what_was_not_recorded_is_not_acknowledged() {
    let mut running = Running::start();
    let client = running.accounting_client().await;
    let stop = request(1, 2);
    client.send(&stop).await;
    let reported = running.report().await;
    let full = Undecided::Unavailable("disk full".to_owned());
    reported.answer.send(Err(full)).unwrap();
    let reported = running.report_anew(&client, &stop).await;
    reported.answer.send(Ok(())).unwrap();
    acknowledges(&client.receive().await, &stop);
}

/// RFC 2866 §5.1: Accounting-On and Accounting-Off.
#[tokio::test]
async fn a_restart_is_recorded_before_it_is_acknowledged() {
    let mut running = Running::start();
    let client = running.accounting_client().await;
    for (identifier, status) in [(1, 7), (2, 8)] {
        let request = request(identifier, status);
        client.send(&request).await;
        let reported = running.report().await;
        assert!(reported.report.is_none());
        reported.answer.send(Ok(())).unwrap();
        acknowledges(&client.receive().await, &request);
    }
}
