//! Any bytes as a RADIUS packet: never a panic, and a packet written from what was read holds the
//! same attributes and proves its sender.
#![no_main]

use doorward_domain::secret::Secret;
use doorward_radius_protocol::shown;
use doorward_radius_protocol::wire::{Draft, Packet, Presence, check_message_authenticator, kind, reveal_password};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let secret = Secret::new(b"testing123".to_vec());
    let Ok(packet) = Packet::parse(bytes) else { return };
    assert!(packet.bytes().len() <= bytes.len());
    // A Vendor-Specific is told by what is inside, of which nothing is shorter than two octets.
    assert!(shown::details(&packet).len() <= packet.bytes().len() / 2);
    let _ = check_message_authenticator(&packet, &secret);
    if let Some(hidden) = packet.first(kind::USER_PASSWORD) {
        let _ = reveal_password(hidden, packet.authenticator(), &secret);
    }
    let mut draft = Draft::new(packet.code(), packet.identifier());
    let mut kept = Vec::new();
    for attribute in packet.attributes().filter(|own| own.kind != kind::MESSAGE_AUTHENTICATOR) {
        if draft.push(attribute.kind, attribute.value).is_ok() {
            kept.push(attribute);
        }
    }
    let Ok(sealed) = draft.seal_request(packet.authenticator(), &secret) else { return };
    let again = match Packet::parse(&sealed) {
        Ok(again) => again,
        // The Message-Authenticator was one attribute too many.
        Err(_) => return,
    };
    let written: Vec<_> = again.attributes().skip(1).collect();
    assert_eq!(written, kept);
    assert_eq!(check_message_authenticator(&again, &secret), Ok(Presence::Verified));
});
