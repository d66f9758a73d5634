//! Messages good and bad, against the bytes of RFC 4511 and an encoder that is not ours.

use bytes::BytesMut;
use ldap3_lber::write::encode_into;
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto as wire;
use proptest::prelude::*;

use super::*;
use crate::limits::{Limits, Phase};

fn read(bytes: &[u8]) -> Result<Request, DecodeError> {
    decode(bytes, &Limits::default())
}

fn element(identifier: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    ber::write(&mut out, identifier, &parts.concat());
    out
}

fn octets(content: &[u8]) -> Vec<u8> {
    element(0x04, &[content])
}

fn message(id: u8, operation: &[u8], rest: &[&[u8]]) -> Vec<u8> {
    element(0x30, &[&[2, 1, id], operation, &rest.concat()])
}

fn simple_bind(password: &[u8]) -> Vec<u8> {
    element(
        0x60,
        &[
            &[2, 1, 3],
            &octets(b"uid=alice"),
            &element(0x80, &[password]),
        ],
    )
}

fn search_with(filter: &[u8], attributes: &[u8]) -> Vec<u8> {
    element(
        0x63,
        &[
            &octets(b"dc=example"),
            &[0x0a, 1, 2, 0x0a, 1, 0, 2, 1, 10, 2, 1, 0, 1, 1, 0],
            filter,
            &element(0x30, &[attributes]),
        ],
    )
}

const PRESENT: &[u8] = b"\x87\x0bobjectClass";

fn foreign(op: wire::LdapOp, controls: Vec<LdapControl>) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode_into(
        &mut out,
        wire::LdapMsg {
            msgid: 7,
            op,
            ctrl: controls,
        }
        .into(),
    )
    .unwrap();
    out.to_vec()
}

fn refused(bytes: &[u8]) -> (Reason, Option<RequestKind>) {
    let error = read(bytes).unwrap_err();
    let kind = match error.answer {
        Answer::Respond { kind, .. } => Some(kind),
        Answer::Disconnect { .. } => None,
    };
    (error.reason, kind)
}

#[test]
fn simple_bind_with_a_password_in_latin1() {
    let request = read(&message(1, &simple_bind(b"caf\xe9\0"), &[])).unwrap();
    let Operation::Bind(bind) = request.operation else {
        panic!("not a bind")
    };
    assert_eq!(request.id.get(), 1);
    assert_eq!(bind.version, 3);
    assert_eq!(bind.name.as_bytes(), b"uid=alice");
    let Authentication::Simple(password) = bind.authentication else {
        panic!("not simple")
    };
    assert_eq!(password.expose(), b"caf\xe9\0");
}

#[test]
fn no_debug_text_holds_a_password() {
    let bind = read(&message(1, &simple_bind(b"hunter2"), &[])).unwrap();
    let compare = element(
        0x6e,
        &[
            &octets(b"uid=a"),
            &element(0x30, &[&octets(b"userPassword"), &octets(b"hunter2")]),
        ],
    );
    let compare = read(&message(1, &compare, &[])).unwrap();
    let filter = element(0xa3, &[&octets(b"2.5.4.35"), &octets(b"hunter2")]);
    let search = read(&message(1, &search_with(&filter, &[]), &[])).unwrap();
    let change = element(
        0x77,
        &[&element(0x80, &[b"1.3"]), &element(0x81, &[b"hunter2"])],
    );
    let change = read(&message(1, &change, &[])).unwrap();
    let shown = format!("{bind:?} {compare:?} {search:?} {change:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn windows_lengths_of_four_octets_are_read() {
    let bytes = [&[
        0x30, 0x84, 0, 0, 0, 16, 2, 1, 1, 0x60, 0x84, 0, 0, 0, 7, 2, 1, 3, 4, 0, 0x80, 0,
    ][..]]
    .concat();
    let request = read(&bytes).unwrap();
    assert_eq!(request.operation.kind(), RequestKind::Bind);
    assert_eq!(
        frame_bytes(&bytes, &Limits::default(), Phase::Anonymous),
        Ok(Some(bytes.len()))
    );
}

#[test]
fn sasl_and_unknown_choices() {
    let bind = |choice: &[u8]| element(0x60, &[&[2, 1, 3], &octets(b""), choice]);
    let authentication = |choice: &[u8]| match read(&message(1, &bind(choice), &[])) {
        Ok(Request {
            operation: Operation::Bind(bind),
            ..
        }) => bind.authentication,
        other => panic!("{other:?}"),
    };
    let plain = element(0xa3, &[&octets(b"PLAIN"), &octets(b"\0a\0b")]);
    assert!(matches!(
        authentication(&plain),
        Authentication::Sasl { mechanism, credentials: Some(credentials) }
            if mechanism == "PLAIN" && credentials.expose() == b"\0a\0b"
    ));
    let external = element(0xa3, &[&octets(b"EXTERNAL")]);
    assert!(matches!(
        authentication(&external),
        Authentication::Sasl {
            credentials: None,
            ..
        }
    ));
    // Kerberos of LDAPv2, and one nobody has defined.
    for choice in [0x81, 0x82, 0x89, 0xa9] {
        assert!(matches!(
            authentication(&element(choice, &[])),
            Authentication::Unknown
        ));
    }
    let wrong = message(1, &bind(&octets(b"secret")), &[]);
    assert_eq!(
        refused(&wrong),
        (Reason::Malformed, Some(RequestKind::Bind))
    );
}

#[test]
fn a_version_other_than_3_is_for_the_session_to_answer() {
    let version = |bytes: &[u8]| {
        let bind = element(0x60, &[bytes, &octets(b""), &element(0x80, &[])]);
        read(&message(1, &bind, &[]))
    };
    let Operation::Bind(bind) = version(&[2, 1, 2]).unwrap().operation else {
        panic!()
    };
    assert_eq!(bind.version, 2);
    assert_eq!(version(&[2, 1, 0]).unwrap_err().reason, Reason::Malformed);
    assert_eq!(
        version(&[2, 2, 0, 128]).unwrap_err().reason,
        Reason::Malformed
    );
}

#[test]
fn search_keeps_everything_that_was_asked() {
    let attributes = [octets(b"cn"), octets(b"+"), octets(b"x;binary")].concat();
    let request = read(&message(9, &search_with(PRESENT, &attributes), &[])).unwrap();
    let Operation::Search(search) = request.operation else {
        panic!("not a search")
    };
    assert_eq!(search.base.as_bytes(), b"dc=example");
    assert_eq!(search.scope, Scope::Subtree);
    assert_eq!(search.deref, Deref::Never);
    assert_eq!(search.size_limit, NonZeroU32::new(10));
    assert_eq!(search.time_limit, None);
    assert!(!search.types_only);
    assert_eq!(search.filter, Filter::present("objectClass"));
    assert_eq!(search.attributes, ["cn", "+", "x;binary"]);
}

#[test]
fn what_another_encoder_writes_is_read() {
    let search = wire::LdapOp::SearchRequest(wire::LdapSearchRequest {
        base: "ou=people,dc=example,dc=org".into(),
        scope: wire::LdapSearchScope::OneLevel,
        aliases: wire::LdapDerefAliases::Always,
        sizelimit: 0,
        timelimit: 30,
        typesonly: true,
        filter: ldap3_proto::parse_ldap_filter_str(
            "(&(uid=a*b*c)(|(uidNumber>=1)(!(cn~=x)))(cn:dn:caseExactMatch:=y))",
        )
        .unwrap(),
        attrs: vec!["uid".into()],
    });
    let controls = vec![
        LdapControl::Unknown {
            oid: "1.2.3".into(),
            criticality: true,
            value: Some(vec![0xff]),
        },
        LdapControl::Unknown {
            oid: "1.2.4".into(),
            criticality: false,
            value: None,
        },
    ];
    let request = read(&foreign(search, controls)).unwrap();
    assert_eq!(
        request.controls,
        [
            Control {
                oid: "1.2.3".into(),
                critical: true,
                value: Some(vec![0xff])
            },
            Control {
                oid: "1.2.4".into(),
                critical: false,
                value: None
            },
        ]
    );
    let Operation::Search(search) = request.operation else {
        panic!("not a search")
    };
    assert_eq!(search.scope, Scope::OneLevel);
    assert_eq!(search.deref, Deref::Always);
    assert_eq!(search.time_limit, NonZeroU32::new(30));
    assert!(search.types_only);
    assert_eq!(
        search.filter.to_string(),
        "(&(uid=a*b*c)(|(uidNumber>=1)(!(cn~=x)))(cn:dn:caseExactMatch:=y))"
    );

    let compare = wire::LdapOp::CompareRequest(wire::LdapCompareRequest {
        dn: "uid=a".into(),
        atype: "cn".into(),
        val: b"\xff".to_vec(),
    });
    let Operation::Compare(compare) = read(&foreign(compare, vec![])).unwrap().operation else {
        panic!("not a compare")
    };
    assert_eq!(
        (compare.attribute.as_str(), compare.value.as_slice()),
        ("cn", &b"\xff"[..])
    );

    let whoami = wire::LdapOp::ExtendedRequest(wire::LdapExtendedRequest {
        name: "1.3.6.1.4.1.4203.1.11.3".into(),
        value: None,
    });
    let Operation::Extended(whoami) = read(&foreign(whoami, vec![])).unwrap().operation else {
        panic!("not extended")
    };
    assert_eq!(whoami.oid, "1.3.6.1.4.1.4203.1.11.3");
    assert!(whoami.value.is_none());

    let unbind = read(&foreign(wire::LdapOp::UnbindRequest, vec![])).unwrap();
    assert_eq!(unbind.operation.kind(), RequestKind::Unbind);
    let abandon = read(&foreign(wire::LdapOp::AbandonRequest(5), vec![])).unwrap();
    assert!(matches!(abandon.operation, Operation::Abandon(id) if id.get() == 5));
}

#[test]
fn a_modify_is_read_change_by_change() {
    let change = |operation, name: &str, values: &[&[u8]]| wire::LdapModify {
        operation,
        modification: wire::LdapPartialAttribute {
            atype: name.to_owned(),
            vals: values.iter().map(|value| value.to_vec()).collect(),
        },
    };
    let foreign = foreign(
        wire::LdapOp::ModifyRequest(wire::LdapModifyRequest {
            dn: "uid=alice,dc=example,dc=org".to_owned(),
            changes: vec![
                change(wire::LdapModifyType::Delete, "userPassword", &[b"old"]),
                change(wire::LdapModifyType::Add, "userPassword", &[b"n\xffw"]),
                change(wire::LdapModifyType::Replace, "mail", &[b"a", b"b"]),
                change(wire::LdapModifyType::Delete, "title", &[]),
            ],
        }),
        vec![],
    );
    let Operation::Modify(modify) = read(&foreign).unwrap().operation else {
        panic!("a modify")
    };
    assert_eq!(modify.target.as_bytes(), b"uid=alice,dc=example,dc=org");
    let shown: Vec<(ChangeKind, &str, Vec<&[u8]>)> = modify
        .changes
        .iter()
        .map(|change| {
            let values = change.values.iter().map(Secret::expose).collect();
            (change.kind, change.attribute.as_str(), values)
        })
        .collect();
    assert_eq!(
        shown,
        [
            (ChangeKind::Delete, "userPassword", vec![&b"old"[..]]),
            (ChangeKind::Add, "userPassword", vec![b"n\xffw"]),
            (ChangeKind::Replace, "mail", vec![b"a", b"b"]),
            (ChangeKind::Delete, "title", vec![]),
        ]
    );
}

#[test]
fn writes_are_recognised_by_their_target() {
    let target = |operation: &[u8]| match read(&message(1, operation, &[])).unwrap().operation {
        Operation::Modify(Modify { target, .. })
        | Operation::Add { target }
        | Operation::Delete { target }
        | Operation::ModifyDn { target } => target.as_bytes().to_vec(),
        other => panic!("{other:?}"),
    };
    let list = element(0x30, &[]);
    for operation in [
        element(0x66, &[&octets(b"uid=a"), &list]),
        element(0x68, &[&octets(b"uid=a"), &list]),
        element(0x6c, &[&octets(b"uid=a"), &octets(b"uid=b"), &[1, 1, 0xff]]),
        element(0x4a, &[b"uid=a"]),
    ] {
        assert_eq!(target(&operation), b"uid=a");
    }
}

#[test]
fn a_message_is_refused_by_its_length_before_its_body() {
    let limits = Limits {
        anonymous_message_bytes: 100,
        bound_message_bytes: 1000,
        ..Limits::default()
    };
    let frame = |bytes: &[u8], phase| frame_bytes(bytes, &limits, phase);
    let oversized = Err(DecodeError::disconnect(Reason::Oversized, None));
    assert_eq!(frame(&[0x30, 0x62], Phase::Anonymous), Ok(Some(100)));
    assert_eq!(frame(&[0x30, 0x63], Phase::Anonymous), oversized);
    assert_eq!(frame(&[0x30, 0x63], Phase::Bound), Ok(Some(101)));
    assert_eq!(
        frame(
            &[0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            Phase::Bound
        ),
        oversized
    );
    assert_eq!(frame(&[0x30, 0x82, 0x01], Phase::Anonymous), Ok(None));
    assert_eq!(frame(&[], Phase::Anonymous), Ok(None));
    // TLS and HTTP on the plain port.
    for stranger in [
        &b"\x16\x03\x01"[..],
        b"GET / HTTP/1.1",
        &[0x30, 0x80],
        &[0x30, 0x8f],
    ] {
        let refused = frame(stranger, Phase::Anonymous).unwrap_err();
        assert_eq!(refused.reason, Reason::Malformed);
    }
}

#[test]
fn broken_nesting_disconnects() {
    let good = message(1, &search_with(PRESENT, &octets(b"cn")), &[]);
    assert!(read(&good).is_ok());
    for at in 0..good.len() - 1 {
        assert!(read(&good[..at]).is_err(), "cut at {at}");
    }
    // A child that claims more than its parent has: here the last requested attribute.
    let mut short = good.clone();
    let last = short.len() - 3;
    assert_eq!(short[last], 2);
    short[last] = 3;
    assert_eq!(refused(&short), (Reason::Malformed, None));
    // The same inside a control list, where a lenient reader would drop the control.
    let control = element(0x30, &[&octets(b"1.2.3"), &[1, 1, 0xff]]);
    let mut controls = element(0xa0, &[&control]);
    let inner = 3;
    controls[inner] += 1;
    assert_eq!(
        refused(&message(1, &[0x42, 0], &[&controls])),
        (Reason::Malformed, None)
    );
    // Bytes after the message.
    let trailing = [good, vec![0]].concat();
    assert_eq!(refused(&trailing), (Reason::Malformed, None));
}

#[test]
fn ids_are_1_to_2_31_minus_1() {
    let with = |id: &[u8]| element(0x30, &[id, &[0x42, 0]]);
    assert_eq!(
        read(&with(&[2, 4, 0x7f, 0xff, 0xff, 0xff]))
            .unwrap()
            .id
            .get(),
        i32::MAX
    );
    for bad in [
        &[2, 1, 0][..],
        &[2, 1, 0xff],
        &[2, 5, 0, 0x80, 0, 0, 0],
        &[2, 0],
        &[2, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        &[4, 1, 1],
    ] {
        assert_eq!(refused(&with(bad)), (Reason::MessageId, None), "{bad:?}");
    }
}

#[test]
fn unknown_operations_disconnect_and_keep_their_id() {
    // A bind response, an intermediate response, an undefined one, and a primitive search.
    for tag in [0x61, 0x79, 0x7e, 0x43, 0x30, 0x62] {
        let error = read(&message(5, &[tag, 0], &[])).unwrap_err();
        assert_eq!(error.reason, Reason::UnknownOperation);
        assert_eq!(
            error.answer,
            Answer::Disconnect {
                id: MessageId::new(5)
            }
        );
    }
}

#[test]
fn malformed_requests_are_answered_in_kind() {
    let kind_of = |operation: &[u8]| refused(&message(1, operation, &[]));
    assert_eq!(
        kind_of(&[0x60, 0]),
        (Reason::Malformed, Some(RequestKind::Bind))
    );
    assert_eq!(
        kind_of(&[0x63, 0]),
        (Reason::Malformed, Some(RequestKind::Search))
    );
    assert_eq!(
        kind_of(&[0x6e, 0]),
        (Reason::Malformed, Some(RequestKind::Compare))
    );
    assert_eq!(
        kind_of(&[0x77, 0]),
        (Reason::Malformed, Some(RequestKind::Extended))
    );
    assert_eq!(
        kind_of(&[0x66, 0]),
        (Reason::Malformed, Some(RequestKind::Modify))
    );
    // Without a response of its own a request ends the connection.
    assert_eq!(kind_of(&[0x50, 0]), (Reason::Malformed, None));
    // A scope of 3, and a negative size limit.
    let search = search_with(PRESENT, &[]);
    for (at, value) in [(16, 3), (19, 4), (22, 0xff)] {
        let mut broken = search.clone();
        assert!(broken[at] < 20);
        broken[at] = value;
        assert_eq!(
            kind_of(&broken),
            (Reason::Malformed, Some(RequestKind::Search)),
            "{at}"
        );
    }
    let substring = element(0xa4, &[&octets(b"cn"), &element(0x30, &[])]);
    assert_eq!(
        kind_of(&search_with(&substring, &[])),
        (Reason::Malformed, Some(RequestKind::Search))
    );
}

#[test]
fn each_limit_has_its_own_reason() {
    let search = |filter: &[u8], attributes: &[u8], rest: &[&[u8]]| {
        let error = read(&message(1, &search_with(filter, attributes), rest)).unwrap_err();
        assert!(matches!(
            error.answer,
            Answer::Respond {
                kind: RequestKind::Search,
                ..
            }
        ));
        error.reason
    };
    let limits = Limits::default();

    let many = octets(b"cn").repeat(limits.requested_attributes + 1);
    assert_eq!(search(PRESENT, &many, &[]), Reason::TooManyAttributes);

    let wide = element(0xa0, &[&PRESENT.repeat(limits.filter_nodes)]);
    assert_eq!(search(&wide, &[], &[]), Reason::FilterTooLarge);
    let pieces = element(0x30, &[&[0x81, 1, b'a'].repeat(limits.filter_nodes)]);
    let pieces = element(0xa4, &[&octets(b"cn"), &pieces]);
    assert_eq!(search(&pieces, &[], &[]), Reason::FilterTooLarge);

    let nested =
        |levels: usize| (0..levels).fold(PRESENT.to_vec(), |inner, _| element(0xa2, &[&inner]));
    assert!(
        read(&message(
            1,
            &search_with(&nested(limits.filter_depth - 1), &[]),
            &[]
        ))
        .is_ok()
    );
    assert_eq!(
        search(&nested(limits.filter_depth), &[], &[]),
        Reason::FilterTooDeep
    );
    assert_eq!(search(&nested(5000), &[], &[]), Reason::TooDeep);

    let flood = element(0xa0, &[&[0x87, 0].repeat(limits.nodes)]);
    assert_eq!(search(&flood, &[], &[]), Reason::TooManyNodes);

    let control = element(0x30, &[&octets(b"1.2.3")]);
    let controls = element(0xa0, &[&control.repeat(limits.controls + 1)]);
    assert_eq!(search(PRESENT, &[], &[&controls]), Reason::TooManyControls);
}

#[test]
fn controls_cannot_hide() {
    let control = |parts: &[&[u8]]| element(0x30, &[&octets(b"1.2.3"), &parts.concat()]);
    let read_controls =
        |rest: &[&[u8]]| read(&message(1, &[0x77, 5, 0x80, 3, b'1', b'.', b'2'], rest));
    let list = |controls: &[u8]| element(0xa0, &[controls]);

    // Criticality of 1, as sloppy encoders write it, is critical.
    let sloppy = read_controls(&[&list(&control(&[&[1, 1, 1]]))]).unwrap();
    assert!(sloppy.controls[0].critical);
    // Defaults, and an empty value that is not an absent one.
    let plain = read_controls(&[&list(&control(&[&[4, 0]]))]).unwrap();
    assert_eq!(plain.controls[0].value, Some(vec![]));
    assert!(!plain.controls[0].critical);
    // Trailing components that nobody has defined are ignored (RFC 4511 section 4).
    let extended = read_controls(&[&list(&control(&[])), &[0x8a, 1, 0]]).unwrap();
    assert_eq!(extended.controls.len(), 1);

    for bad in [
        vec![list(&control(&[])), list(&control(&[]))],
        vec![element(0x80, &[&control(&[])])],
        vec![list(&control(&[&[4, 0], &[1, 1, 0xff]]))],
        vec![list(&octets(b"1.2.3"))],
    ] {
        let bad: Vec<&[u8]> = bad.iter().map(Vec::as_slice).collect();
        assert_eq!(
            read_controls(&bad).unwrap_err().reason,
            Reason::Malformed,
            "{bad:?}"
        );
    }
}

#[test]
fn the_decoder_frames_pipelined_messages_and_wipes_them() {
    let mut decoder = MessageDecoder::new(Limits::default());
    let bind = message(1, &simple_bind(b"hunter2"), &[]);
    let broken = message(2, &[0x63, 0], &[]);
    let unbind = message(3, &[0x42, 0], &[]);
    let mut buffer = BytesMut::from(&[bind.clone(), broken, unbind[..4].to_vec()].concat()[..]);
    let start = buffer.clone();

    let Ok(Some(Incoming::Request(first))) = decoder.next_message(&mut buffer) else {
        panic!()
    };
    assert_eq!(first.id.get(), 1);
    let Ok(Some(Incoming::Refused(second))) = decoder.next_message(&mut buffer) else {
        panic!()
    };
    assert!(matches!(
        second.answer,
        Answer::Respond {
            kind: RequestKind::Search,
            ..
        }
    ));
    assert!(matches!(decoder.next_message(&mut buffer), Ok(None)));
    buffer.extend_from_slice(&unbind[4..]);
    let Ok(Some(Incoming::Request(third))) = decoder.next_message(&mut buffer) else {
        panic!()
    };
    assert_eq!(third.operation.kind(), RequestKind::Unbind);
    assert!(buffer.is_empty());
    drop(start);

    buffer.extend_from_slice(b"GET / HTTP/1.1\r\n");
    assert!(decoder.next_message(&mut buffer).is_err());
}

#[test]
fn binding_raises_the_allowance() {
    let limits = Limits {
        anonymous_message_bytes: 64,
        ..Limits::default()
    };
    let long = message(1, &simple_bind(&[b'x'; 100]), &[]);
    let mut decoder = MessageDecoder::new(limits);
    assert!(
        decoder
            .next_message(&mut BytesMut::from(&long[..]))
            .is_err()
    );
    decoder.set_phase(Phase::Bound);
    assert!(matches!(
        decoder.next_message(&mut BytesMut::from(&long[..])),
        Ok(Some(_))
    ));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
        let wrapped = message(1, &bytes, &[]);
        let _ = read(&wrapped);
        for tag in [0x60, 0x63, 0x66, 0x6e, 0x77] {
            let _ = read(&message(1, &element(tag, &[&bytes]), &[]));
        }
    }

    #[test]
    fn no_change_of_a_good_message_makes_it_panic(at in 0usize..200, value: u8, cut in 0usize..200) {
        let attributes = [octets(b"cn"), octets(b"sn")].concat();
        let filter = element(0xa4, &[&octets(b"cn"), &element(0x30, &[&[0x80, 1, b'a', 0x82, 1, b'b']])]);
        let control = element(0xa0, &[&element(0x30, &[&octets(b"1.2.3"), &[1, 1, 0xff], &octets(b"x")])]);
        let mut bytes = message(1, &search_with(&filter, &attributes), &[&control]);
        let length = bytes.len();
        bytes[at % length] = value;
        let _ = read(&bytes);
        let _ = read(&bytes[..cut % length]);
    }

    #[test]
    fn a_control_is_read_as_another_encoder_wrote_it(
        oid in "[0-9.]{1,20}",
        critical: bool,
        value in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300)),
    ) {
        // Not an OID that the other encoder knows and rewrites.
        let oid = format!("9.{oid}");
        let control = LdapControl::Unknown { oid: oid.clone(), criticality: critical, value: value.clone() };
        let request = read(&foreign(wire::LdapOp::UnbindRequest, vec![control])).unwrap();
        prop_assert_eq!(request.controls, vec![Control { oid, critical, value }]);
    }
}
