//! A run of datagrams at one client's exchanges: never a panic, never an answer to what does not
//! parse, every reply with its Message-Authenticator first, and a retransmission never asked twice.
#![no_main]

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use doorward_frontend_api::{DeviceVerdict, Refusal, Undecided, Verdict};
use doorward_domain::name::{ClientName, ResourceName};
use doorward_domain::resource::ClientResources;
use doorward_domain::secret::Secret;
use doorward_domain::time::{Monotonic, Now, Timestamp};
use doorward_radius_protocol::client::ClientSettings;
use doorward_radius_protocol::exchange::{Arrival, Exchanges, Step};
use doorward_radius_protocol::transport::{Service, Transport};
use doorward_radius_protocol::wire::{Code, HEADER_LENGTH, Packet, kind, response_authenticator};
use libfuzzer_sys::fuzz_target;

/// A client of the lax kind, so that datagrams without any proof reach the deepest code.
static CLIENT: LazyLock<Arc<ClientSettings>> = LazyLock::new(|| {
    let resources = ClientResources {
        client: ClientName::parse("fuzz").unwrap(),
        resource: ResourceName::parse("vpn").unwrap(),
        ssid: Vec::new(),
        ssid_default: None,
        mab: true,
    };
    let networks = ["192.0.2.0/24".parse().unwrap()];
    let secret = Secret::new(b"testing123".to_vec());
    let mut client = ClientSettings::new(&networks, secret, Arc::new(resources)).unwrap();
    client.require_message_authenticator = false;
    client.limit_proxy_state = false;
    Arc::new(client)
});

// Each datagram is two octets of choices and lengths, then its octets.
fuzz_target!(|bytes: &[u8]| {
    let mut exchanges = Exchanges::new(8, Duration::from_secs(10));
    let mut rest = bytes;
    let mut seconds = 0;
    while let Some((&[choice, length], tail)) = rest.split_first_chunk::<2>() {
        let (datagram, tail) = tail.split_at(usize::from(length).min(tail.len()));
        rest = tail;
        seconds += u64::from(choice >> 4);
        let now = Now {
            wall: Timestamp::EPOCH,
            mono: Monotonic::from_start(Duration::from_secs(seconds)),
            clock_suspect: false,
        };
        let service = if choice & 1 == 0 {
            Service::Authentication
        } else {
            Service::Accounting
        };
        let mut signed = datagram.to_vec();
        // Nobody guesses a Request Authenticator; what comes after it must be reached all the same.
        if choice & 1 == 1 && signed.first() == Some(&4) && signed.len() >= HEADER_LENGTH {
            if let Ok(packet) = Packet::parse(datagram) {
                let proof = response_authenticator(packet.bytes(), &[0; 16], CLIENT.secret());
                signed[4..HEADER_LENGTH].copy_from_slice(&proof);
            }
        }
        let datagram = signed.as_slice();
        let arrival = Arrival {
            datagram,
            client: &CLIENT,
            transport: Transport::Datagram(service),
            peer: SocketAddr::from(([192, 0, 2, 1], 40_000)),
            local: SocketAddr::from(([192, 0, 2, 2], 1812)),
            now,
            eap: None,
            challenges: choice & 16 == 0,
            available: choice & 8 == 0,
        };
        let step = exchanges.receive(&arrival);
        let step = match step {
            Step::Ask(question) => {
                assert!(matches!(exchanges.receive(&arrival), Step::Drop(_)));
                match choice & 6 {
                    0 => continue,
                    2 => exchanges.answer(question.open, Err(Undecided::Busy), now.mono),
                    _ => {
                        let verdict = Ok(Verdict::Refused(Refusal::WrongPassword));
                        let step = exchanges.answer(question.open, verdict, now.mono);
                        let Step::Reply(reply) = &step else {
                            panic!("no reply to a verdict")
                        };
                        let again = exchanges.receive(&arrival);
                        assert!(matches!(again, Step::Resend(bytes) if bytes == reply.bytes));
                        step
                    }
                }
            }
            Step::AskDevice(question) => {
                assert!(matches!(exchanges.receive(&arrival), Step::Drop(_)));
                let verdict = match choice & 6 {
                    0 => continue,
                    2 => Err(Undecided::Busy),
                    _ => Ok(DeviceVerdict::Refused(Refusal::UnknownDevice)),
                };
                let decided = verdict.is_ok();
                let step = exchanges.answer_device(question.open, verdict, now.mono);
                assert_eq!(matches!(step, Step::Reply(_)), decided);
                step
            }
            Step::Record(recording) => {
                assert!(matches!(exchanges.receive(&arrival), Step::Drop(_)));
                let outcome = if choice & 6 == 0 {
                    Err(Undecided::Busy)
                } else {
                    Ok(())
                };
                let recorded = outcome.is_ok();
                let step = exchanges.recorded(recording.open, outcome, now.mono);
                assert_eq!(matches!(step, Step::Reply(_)), recorded);
                step
            }
            step => step,
        };
        if let Step::Reply(reply) | Step::Reject(_, _, reply) = step {
            assert!(Packet::parse(datagram).is_ok());
            let reply = Packet::parse(&reply.bytes).unwrap();
            // What acknowledges a report has none.
            let report = Packet::parse(datagram).unwrap().code() == Code::AccountingRequest;
            let first = reply.attributes().next().map(|attribute| attribute.kind);
            assert!(report || first == Some(kind::MESSAGE_AUTHENTICATOR));
        }
    }
});
