//! Any octets as a connection of RADIUS/1.1: the packets are the same however the octets are cut,
//! each is as long as it says, and none that is answered has the answer of another Token.
#![no_main]

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::BytesMut;
use doorward_frontend_api::{Refusal, Verdict};
use doorward_domain::certificate::CertificateName;
use doorward_domain::name::{ClientName, ResourceName};
use doorward_domain::resource::ClientResources;
use doorward_domain::time::{Monotonic, Now, Timestamp};
use doorward_radius_protocol::client::ClientSettings;
use doorward_radius_protocol::exchange::{Arrival, Exchanges, Step};
use doorward_radius_protocol::transport::{ConnectionId, Transport, Version};
use doorward_radius_protocol::wire::{HEADER_LENGTH, MAX_LENGTH, Malformed, next_packet};
use libfuzzer_sys::fuzz_target;

static CLIENT: LazyLock<Arc<ClientSettings>> = LazyLock::new(|| {
    let resources = ClientResources {
        client: ClientName::parse("fuzz").unwrap(),
        resource: ResourceName::parse("vpn").unwrap(),
        ssid: Vec::new(),
        ssid_default: None,
        mab: false,
    };
    let names = vec![CertificateName::parse("fuzz.example.org").unwrap()];
    Arc::new(ClientSettings::over_tls(names, &[], Arc::new(resources)).unwrap())
});

fn cut(stream: &[u8], piece: usize) -> (Vec<BytesMut>, Option<Malformed>) {
    let mut octets = BytesMut::new();
    let mut packets = Vec::new();
    for piece in stream.chunks(piece.max(1)) {
        octets.extend_from_slice(piece);
        loop {
            match next_packet(&mut octets) {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(fault) => return (packets, Some(fault)),
            }
        }
    }
    (packets, None)
}

// The first octet says how the rest is cut.
fuzz_target!(|bytes: &[u8]| {
    let Some((&piece, stream)) = bytes.split_first() else {
        return;
    };
    let (packets, fault) = cut(stream, usize::from(piece));
    assert_eq!((packets.clone(), fault), cut(stream, stream.len()));
    let mut exchanges = Exchanges::new(8, Duration::from_secs(10));
    for packet in packets {
        assert!((HEADER_LENGTH..=MAX_LENGTH).contains(&packet.len()));
        let arrival = Arrival {
            datagram: &packet,
            client: &CLIENT,
            transport: Transport::Tls {
                connection: ConnectionId(1),
                version: Version::V1_1,
            },
            peer: SocketAddr::from(([192, 0, 2, 1], 40_000)),
            local: SocketAddr::from(([192, 0, 2, 2], 2083)),
            now: Now {
                wall: Timestamp::EPOCH,
                mono: Monotonic::from_start(Duration::ZERO),
                clock_suspect: false,
            },
            eap: None,
            challenges: true,
            available: true,
        };
        let mono = arrival.now.mono;
        let step = match exchanges.receive(&arrival) {
            Step::Ask(question) => {
                let verdict = Ok(Verdict::Refused(Refusal::WrongPassword));
                exchanges.answer(question.open, verdict, mono)
            }
            Step::Record(recording) => exchanges.recorded(recording.open, Ok(()), mono),
            step => step,
        };
        let bytes = match step {
            Step::Reply(reply) | Step::Reject(_, _, reply) => reply.bytes,
            Step::Resend(bytes) => bytes,
            _ => continue,
        };
        assert_eq!(bytes[4..8], packet[4..8]);
        assert_eq!(bytes[8..HEADER_LENGTH], [0; 12]);
    }
});
