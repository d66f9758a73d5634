use proptest::prelude::*;

use super::*;
use doorward_domain::secret::Secret;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| u8::try_from(digit).unwrap())
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// The secret of every example in RFC 2865 §7 and RFC 5997 §6.
fn example_secret() -> Secret {
    Secret::new(b"xyzzy5461".to_vec())
}

/// Octets of a packet: header, and attributes as given, valid or not.
fn raw(code: u8, attributes: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(20 + attributes.len()).unwrap().to_be_bytes();
    let mut bytes = vec![code, 7, high, low];
    bytes.extend_from_slice(&[0x5a; 16]);
    bytes.extend_from_slice(attributes);
    bytes
}

#[test]
fn rfc_2865_section_7_1() {
    let secret = example_secret();
    let request = hex(
        "01000038 0f403f94 73978057 bd83d5cb 98f4227a 01066e65 6d6f0212 0dbe708d 93d413ce \
         3196e43f 782a0aee 0406c0a8 01100506 00000003",
    );
    let request = Packet::parse(&request).unwrap();
    assert_eq!(request.code(), Code::AccessRequest);
    assert_eq!(request.first(kind::USER_NAME), Some(&b"nemo"[..]));
    let hidden = request.first(kind::USER_PASSWORD).unwrap();
    let clear = reveal_password(hidden, request.authenticator(), &secret).unwrap();
    assert_eq!(clear.as_slice(), b"arctangent");
    assert_eq!(
        hide_password(b"arctangent", request.authenticator(), &secret).unwrap(),
        hidden
    );

    let reply = hex(
        "02000026 86fe220e 7624ba2a 1005f6bf 9b55e0b2 06060000 00010f06 00000000 0e06c0a8 0103",
    );
    let reply = Packet::parse(&reply).unwrap();
    assert_eq!(
        check_reply(&reply, request.authenticator(), &secret),
        Ok(Presence::Absent)
    );
    let other = Secret::new(b"xyzzy5462".to_vec());
    let refused = check_reply(&reply, request.authenticator(), &other);
    assert_eq!(refused, Err(IntegrityFault::Response));
}

#[test]
fn rfc_5997_section_6() {
    let secret = example_secret();
    let examples = [
        // 6.1 and its answer, 6.2 and its answer, 6.3 with a NAS-IP-Address.
        (
            "0cda0026 8a54f468 6fb394c5 2866e302 185d0623 50125a66 5e2e1e84 11f3e243 822097c8 4fa3",
            Some("02da0014 ef0d552a 4bf2d693 ec2b6fe8 b5411d66"),
        ),
        (
            "0cb30026 925f6b66 dd5fed57 1fcb1db7 ad388260 5012e8d6 eabda910 875cd91f dade2636 7858",
            Some("05b30014 0f6f9214 5f107e2f 504e860a 4860669c"),
        ),
        (
            "0c47002c bf58de56 ae408ad3 b70c8513 f9b03fbe 0406c000 02105012 852d6fec 61e7ed74 \
             b8e32dac 2f2a5fb2",
            None,
        ),
    ];
    for (request, reply) in examples {
        let request = hex(request);
        let request = Packet::parse(&request).unwrap();
        assert_eq!(request.code(), Code::StatusServer);
        assert_eq!(
            check_message_authenticator(&request, &secret),
            Ok(Presence::Verified)
        );
        if let Some(reply) = reply {
            let reply = hex(reply);
            let reply = Packet::parse(&reply).unwrap();
            assert_eq!(
                check_reply(&reply, request.authenticator(), &secret),
                Ok(Presence::Absent)
            );
        }
    }
}

#[test]
fn lengths_are_held_against_the_datagram() {
    assert_eq!(Packet::parse(&[]).unwrap_err(), Malformed::Short);
    assert_eq!(Packet::parse(&[1; 19]).unwrap_err(), Malformed::Short);
    let mut bytes = raw(1, &[1, 3, b'a']);
    assert_eq!(
        Packet::parse(&bytes[..22]).unwrap_err(),
        Malformed::Truncated
    );
    bytes[2..4].copy_from_slice(&19_u16.to_be_bytes());
    assert_eq!(Packet::parse(&bytes).unwrap_err(), Malformed::Length);
    bytes[2..4].copy_from_slice(&4097_u16.to_be_bytes());
    bytes.resize(5000, 0);
    assert_eq!(Packet::parse(&bytes).unwrap_err(), Malformed::Length);
}

#[test]
fn padding_is_ignored() {
    let mut bytes = raw(1, &[1, 3, b'a']);
    bytes.extend_from_slice(&[1, 1, 1]);
    let packet = Packet::parse(&bytes).unwrap();
    assert_eq!(packet.bytes().len(), 23);
    assert_eq!(packet.attributes().count(), 1);
}

#[test]
fn impossible_attributes_are_refused() {
    for attributes in [
        &[1][..],
        &[1, 0],
        &[1, 1],
        &[1, 4, 0],
        &[1, 2, 1],
        &[1, 255, 0],
    ] {
        assert_eq!(
            Packet::parse(&raw(1, attributes)).unwrap_err(),
            Malformed::Attribute
        );
    }
    let many = [33_u8, 2].repeat(MAX_ATTRIBUTES);
    assert!(Packet::parse(&raw(1, &many)).is_ok());
    let too_many = [33_u8, 2].repeat(MAX_ATTRIBUTES + 1);
    assert_eq!(
        Packet::parse(&raw(1, &too_many)).unwrap_err(),
        Malformed::TooMany
    );
}

#[test]
fn the_message_authenticator_may_stand_anywhere_but_once_and_whole() {
    let secret = example_secret();
    let check = |bytes: &[u8]| check_message_authenticator(&Packet::parse(bytes).unwrap(), &secret);
    assert_eq!(check(&raw(1, &[1, 3, b'a'])), Ok(Presence::Absent));

    let mut attributes = vec![1, 3, b'a', 80, 18];
    attributes.extend_from_slice(&[0; 16]);
    attributes.extend_from_slice(&[33, 4, 1, 2]);
    let mut bytes = raw(1, &attributes);
    assert_eq!(check(&bytes), Err(IntegrityFault::Wrong));
    let proof = integrity::message_authenticator(&bytes, &[0x5a; 16], 5, &secret).unwrap();
    bytes[25..41].copy_from_slice(&proof);
    assert_eq!(check(&bytes), Ok(Presence::Verified));
    // Padding is not covered.
    let mut padded = bytes.clone();
    padded.push(9);
    assert_eq!(check(&padded), Ok(Presence::Verified));
    // Every octet of the packet is.
    for position in [0, 1, 4, 19, 22, 25, 40, 44] {
        let mut changed = bytes.clone();
        changed[position] ^= 1;
        assert_eq!(
            check(&changed),
            Err(IntegrityFault::Wrong),
            "octet {position}"
        );
    }

    assert_eq!(check(&raw(1, &[80, 4, 1, 2])), Err(IntegrityFault::Size));
    assert_eq!(check(&raw(1, &[80, 2])), Err(IntegrityFault::Size));
    let mut long = vec![80, 19];
    long.extend_from_slice(&[0; 17]);
    assert_eq!(check(&raw(1, &long)), Err(IntegrityFault::Size));
    let mut twice = bytes[20..].to_vec();
    twice.extend_from_slice(&bytes[23..41]);
    assert_eq!(check(&raw(1, &twice)), Err(IntegrityFault::Repeated));
}

#[test]
fn a_hidden_password_has_16_to_128_octets_in_steps_of_16() {
    for length in [0, 1, 15, 17, 31, 127, 129, 144] {
        let revealed = reveal_password(&vec![0; length], &[0; 16], &example_secret());
        assert_eq!(revealed, Err(MalformedPassword), "{length}");
    }
    for length in [16, 32, 128] {
        assert!(reveal_password(&vec![0; length], &[0; 16], &example_secret()).is_ok());
    }
    assert_eq!(
        hide_password(&[1; 129], &[0; 16], &example_secret()),
        Err(MalformedPassword)
    );
    let empty = hide_password(b"", &[3; 16], &example_secret()).unwrap();
    assert_eq!(empty.len(), 16);
    assert!(
        reveal_password(&empty, &[3; 16], &example_secret())
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_packet_never_passes_4096_octets() {
    let mut draft = Draft::new(Code::AccessAccept, 1);
    for _ in 0..15 {
        draft.push(kind::PROXY_STATE, &[0; 253]).unwrap();
    }
    assert_eq!(draft.push(kind::PROXY_STATE, &[0; 254]), Err(Oversized));
    let room = MAX_LENGTH - draft.length() - 2;
    assert_eq!(
        draft.push(kind::PROXY_STATE, &vec![0; room + 1]),
        Err(Oversized)
    );
    draft.push(kind::PROXY_STATE, &vec![0; room]).unwrap();
    let bytes = draft.seal_reply(&[1; 16], &example_secret()).unwrap();
    assert_eq!(bytes.len(), MAX_LENGTH);
    assert!(Packet::parse(&bytes).is_ok());
    assert_eq!(draft.push(kind::PROXY_STATE, &[]), Err(Oversized));
}

#[test]
fn proxy_states_are_copied_in_order_and_not_merged() {
    let request = raw(
        1,
        &[33, 3, b'b', 1, 3, b'n', 33, 3, b'a', 33, 2, 33, 3, b'b'],
    );
    let mut draft = Draft::new(Code::AccessReject, 7);
    draft
        .push_proxy_states(&ProxyStates::of(&Packet::parse(&request).unwrap()))
        .unwrap();
    let reply = draft.seal_reply(&[0x5a; 16], &example_secret()).unwrap();
    let reply = Packet::parse(&reply).unwrap();
    let states: Vec<_> = reply.all(kind::PROXY_STATE).collect();
    assert_eq!(states, [&b"b"[..], b"a", b"", b"b"]);
}

fn attributes() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    // Without Message-Authenticator, which sealing adds.
    let kind = any::<u8>().prop_filter("sealed by itself", |kind| *kind != 80);
    prop::collection::vec((kind, prop::collection::vec(any::<u8>(), 0..=253)), 0..12)
}

proptest! {
    #[test]
    fn any_octets_parse_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(packet) = Packet::parse(&bytes) {
            let walked: usize = packet.attributes().map(|one| one.value.len() + 2).sum();
            prop_assert_eq!(walked + HEADER_LENGTH, packet.bytes().len());
        }
    }

    /// The `radius` crate reads the same attributes wherever we accept a packet.
    #[test]
    fn another_decoder_agrees(list in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 0..12), flip in any::<Option<(u8, u8)>>()) {
        let mut octets = Vec::new();
        for (kind, value) in &list {
            octets.extend_from_slice(&[*kind, u8::try_from(value.len() + 2).unwrap()]);
            octets.extend_from_slice(value);
        }
        let mut bytes = raw(1, &octets);
        if let Some((position, bits)) = flip {
            let position = usize::from(position) % bytes.len();
            bytes[position] ^= bits;
        }
        let theirs = ::radius::core::packet::Packet::decode(&bytes, b"");
        match Packet::parse(&bytes) {
            Ok(ours) => {
                let theirs = theirs.unwrap();
                prop_assert_eq!(theirs.get_code(), ours.code());
                for kind in 0..=255 {
                    let values: Vec<_> = theirs.lookup_all(kind).iter().map(|one| one.encode_bytes()).collect();
                    let mine: Vec<_> = ours.all(kind).map(<[u8]>::to_vec).collect();
                    prop_assert_eq!(values, mine);
                }
            }
            Err(_) => prop_assert!(theirs.is_err()),
        }
    }

    #[test]
    fn what_is_sealed_reads_back(
        list in attributes(),
        identifier in any::<u8>(),
        request in any::<[u8; 16]>(),
        secret in prop::collection::vec(any::<u8>(), 1..80),
    ) {
        let secret = Secret::new(secret);
        let mut draft = Draft::new(Code::AccessAccept, identifier);
        for (kind, value) in &list {
            draft.push(*kind, value).unwrap();
        }
        let bytes = draft.seal_reply(&request, &secret).unwrap();
        let reply = Packet::parse(&bytes).unwrap();
        prop_assert_eq!(check_reply(&reply, &request, &secret), Ok(Presence::Verified));
        prop_assert_eq!(reply.identifier(), identifier);
        prop_assert_eq!(draft.length(), bytes.len());
        let mut read = reply.attributes();
        prop_assert_eq!(read.next().unwrap().kind, kind::MESSAGE_AUTHENTICATOR);
        let read: Vec<_> = read.map(|one| (one.kind, one.value.to_vec())).collect();
        prop_assert_eq!(read, list.clone());

        let bytes = draft.seal_request(&request, &secret).unwrap();
        let sent = Packet::parse(&bytes).unwrap();
        prop_assert_eq!(check_message_authenticator(&sent, &secret), Ok(Presence::Verified));
        prop_assert_eq!(sent.authenticator(), &request);
    }

    #[test]
    fn passwords_survive_hiding(
        clear in prop::collection::vec(1_u8.., 0..=128),
        authenticator in any::<[u8; 16]>(),
        secret in prop::collection::vec(any::<u8>(), 1..80),
    ) {
        let secret = Secret::new(secret);
        let hidden = hide_password(&clear, &authenticator, &secret).unwrap();
        prop_assert_eq!(hidden.len() % 16, 0);
        let revealed = reveal_password(&hidden, &authenticator, &secret).unwrap();
        prop_assert_eq!(revealed.as_slice(), clear.as_slice());
    }
}
