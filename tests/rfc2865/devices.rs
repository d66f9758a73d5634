//! MAC authentication bypass over the server's own socket: Service-Type Call-Check (RFC 2865 §5.6).

use doorward_domain::refusal::Refusal;
use doorward_frontend_api::{DeviceVerdict, Undecided};
use doorward_radius_protocol::wire::{Code, Packet, kind};

use crate::harness::{Running, check, hidden, login, seal};

fn call_check(identifier: u8) -> Vec<u8> {
    let authenticator = [identifier; 16];
    let password = hidden(b"001122aabbcc", &authenticator);
    let attributes: [(u8, &[u8]); 4] = [
        (kind::USER_NAME, b"001122aabbcc"),
        (kind::USER_PASSWORD, &password),
        (kind::SERVICE_TYPE, &[0, 0, 0, 10]),
        (kind::CALLING_STATION_ID, b"00-11-22-AA-BB-CC"),
    ];
    seal(identifier, authenticator, &attributes)
}

fn rejects(reply: &[u8], identifier: u8) {
    check(reply, &[identifier; 16]);
    assert_eq!(Packet::parse(reply).unwrap().code(), Code::AccessReject);
}

#[tokio::test]
async fn three_retransmissions_about_a_device_cause_one_decision_and_no_accounts() {
    let mut running = Running::letting_devices_in(true);
    let client = running.client().await;
    for _ in 0..4 {
        client.send(&call_check(1)).await;
    }
    client.fence().await;
    let question = running.device_question().await;
    assert_eq!(question.attempt.address.to_string(), "00-11-22-AA-BB-CC");
    let refused = DeviceVerdict::Refused(Refusal::UnknownDevice);
    question.answer.send(Ok(refused)).unwrap();
    let reply = client.receive().await;
    rejects(&reply, 1);
    client.send(&call_check(1)).await;
    assert_eq!(client.receive().await, reply);
    assert_eq!(running.asked(), 0);
}

#[tokio::test]
async fn a_store_that_is_down_is_silence_for_devices_too() {
    let mut running = Running::letting_devices_in(true);
    let client = running.client().await;
    client.send(&call_check(1)).await;
    let question = running.device_question().await;
    let down = Undecided::Unavailable("disk full".to_owned());
    question.answer.send(Err(down)).unwrap();
    client.fence().await;
    // A user is asked about all the same.
    client.send(&login(2, b"a wrong password")).await;
    running.question().await.refuse(Refusal::WrongPassword);
    rejects(&client.receive().await, 2);
}

#[tokio::test]
async fn a_client_that_lets_no_device_in_is_answered_without_asking() {
    let running = Running::start();
    let client = running.client().await;
    client.send(&call_check(1)).await;
    rejects(&client.receive().await, 1);
    assert_eq!(running.asked(), 0);
}
