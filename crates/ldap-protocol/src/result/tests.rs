//! Answers, byte for byte.

use bytes::BytesMut;
use ldap3_proto::proto::{LdapMsg, LdapOp, LdapPartialAttribute, LdapSearchResultEntry};
use proptest::prelude::*;

use super::*;
use crate::decode::{Control, MessageId, RequestKind, decode};
use crate::limits::Limits;
use crate::values::{Names, Run, ValueSet};
use doorward_domain::names::NameList;

fn bytes(reply: Reply) -> Vec<u8> {
    let mut out = BytesMut::new();
    reply.encode_into(&mut out).unwrap();
    out.to_vec()
}

fn id(number: i64) -> MessageId {
    MessageId::new(number).unwrap()
}

#[test]
fn every_code_is_written_as_its_number() {
    for &code in ResultCode::ALL {
        let response = Response::to(RequestKind::Bind, code).unwrap();
        let expected = [
            0x30,
            12,
            2,
            1,
            1,
            0x61,
            7,
            0x0a,
            1,
            code.number(),
            4,
            0,
            4,
            0,
        ];
        assert_eq!(bytes(Reply::new(id(1), response)), expected, "{code}");
    }
}

#[test]
fn every_request_is_answered_by_its_own_response() {
    for (kind, tag) in [
        (RequestKind::Bind, 0x61),
        (RequestKind::Search, 0x65),
        (RequestKind::Modify, 0x67),
        (RequestKind::Add, 0x69),
        (RequestKind::Delete, 0x6b),
        (RequestKind::ModifyDn, 0x6d),
        (RequestKind::Compare, 0x6f),
        (RequestKind::Extended, 0x78),
    ] {
        let response = Response::to(kind, ResultCode::UnwillingToPerform).unwrap();
        assert_eq!(response.result().code, ResultCode::UnwillingToPerform);
        let expected = [0x30, 12, 2, 1, 1, tag, 7, 0x0a, 1, 53, 4, 0, 4, 0];
        assert_eq!(bytes(Reply::new(id(1), response)), expected, "{kind:?}");
    }
    assert_eq!(Response::to(RequestKind::Unbind, ResultCode::Success), None);
    assert_eq!(
        Response::to(RequestKind::Abandon, ResultCode::Success),
        None
    );
}

#[test]
fn text_and_matched_dn_have_their_places() {
    let result = LdapResult::with_diagnostic(ResultCode::NoSuchObject, "no").matching("dc=a");
    let response = Response::SearchDone(result);
    assert_eq!(
        bytes(Reply::new(id(2), response)),
        b"\x30\x12\x02\x01\x02\x65\x0d\x0a\x01\x20\x04\x04dc=a\x04\x02no"
    );
}

#[test]
fn large_ids_are_written_whole() {
    let reply = Reply::new(
        id(i64::from(i32::MAX)),
        Response::SearchDone(ResultCode::Success.into()),
    );
    assert!(bytes(reply).starts_with(&[0x30, 15, 2, 4, 0x7f, 0xff, 0xff, 0xff]));
    let reply = Reply::new(id(128), Response::SearchDone(ResultCode::Success.into()));
    assert!(bytes(reply).starts_with(&[0x30, 13, 2, 2, 0, 128]));
}

/// An entry, so many bytes at a time at least.
fn entry_bytes(number: i64, entry: SearchEntry, until: usize) -> Vec<u8> {
    let mut writer = EntryWriter::new(id(number), entry);
    let mut whole = Vec::new();
    loop {
        let mut out = BytesMut::new();
        let written = writer.write(&mut out, until);
        whole.extend_from_slice(&out);
        if written == Written::Whole {
            return whole;
        }
        assert!(out.len() >= until);
    }
}

#[test]
fn entries_carry_bytes_and_types_alone() {
    let entry = SearchEntry {
        dn: "uid=a".into(),
        attributes: vec![
            PartialAttribute {
                name: "x",
                values: ValueSet::Listed(vec![vec![0xff], vec![]]),
            },
            PartialAttribute {
                name: "y",
                values: ValueSet::Listed(vec![]),
            },
        ],
    };
    assert_eq!(
        entry_bytes(1, entry, usize::MAX),
        b"\x30\x21\x02\x01\x01\x64\x1c\x04\x05uid=a\x30\x13\
          \x30\x0a\x04\x01x\x31\x05\x04\x01\xff\x04\x00\
          \x30\x05\x04\x01y\x31\x00"
    );
}

/// What the library makes of an entry that is held whole.
fn written_whole(number: i64, entry: &SearchEntry) -> Vec<u8> {
    let attributes = entry.attributes.iter().map(|own| LdapPartialAttribute {
        atype: own.name.to_owned(),
        vals: own.values.copied(0..own.values.len()),
    });
    let message = LdapMsg {
        msgid: id(number).get(),
        op: LdapOp::SearchResultEntry(LdapSearchResultEntry {
            dn: entry.dn.clone(),
            attributes: attributes.collect(),
        }),
        ctrl: Vec::new(),
    };
    let mut out = BytesMut::new();
    ldap3_lber::write::encode_into(&mut out, message.into()).unwrap();
    out.to_vec()
}

fn made(names: &[String], before: &str, after: &str) -> ValueSet {
    let names = Names::Of(NameList::sorted(names).into());
    ValueSet::Made(vec![Run::new(names, before.to_owned(), after.to_owned())])
}

proptest! {
    #[test]
    fn an_entry_in_pieces_is_the_entry_in_one(
        number in 1_i64..=i64::from(i32::MAX),
        dn in "\\PC{0,40}",
        listed in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
        names in prop::collection::vec("[a-z]{0,30}", 0..60),
        around in "[a-z=,]{0,200}",
        until in 1_usize..4000,
    ) {
        let attribute = |name, values| PartialAttribute { name, values };
        let entry = SearchEntry {
            dn,
            attributes: vec![
                attribute("listed", ValueSet::Listed(listed)),
                attribute("none", ValueSet::Listed(Vec::new())),
                attribute("member", made(&names, "uid=", &around)),
                attribute("memberUid", made(&names, "", "")),
            ],
        };
        let expected = written_whole(number, &entry);
        prop_assert_eq!(entry_bytes(number, entry, until), expected);
    }
}

#[test]
fn fifty_thousand_members_go_out_through_a_small_buffer() {
    let names: Vec<String> = (0..50_000).map(|number| format!("user{number}")).collect();
    let entry = SearchEntry {
        dn: "cn=all".to_owned(),
        attributes: vec![PartialAttribute {
            name: "member",
            values: made(&names, "uid=", ",ou=people,dc=example,dc=org"),
        }],
    };
    assert!(entry.held() < 1000, "the names are shared");
    let expected = written_whole(7, &entry);
    let mut writer = EntryWriter::new(id(7), entry);
    let (mut whole, mut out) = (Vec::new(), BytesMut::new());
    while writer.write(&mut out, 32 * 1024) == Written::Part {
        assert!(out.len() < 33 * 1024);
        whole.extend_from_slice(&out);
        out.clear();
    }
    whole.extend_from_slice(&out);
    assert!(whole == expected);
}

#[test]
fn a_response_control_keeps_its_value_as_it_is() {
    let control = Control {
        oid: "1.3.6.1.4.1.42.2.27.8.5.1".into(),
        critical: false,
        value: Some(vec![0x30, 0x03, 0x81, 0x01, 0x02]),
    };
    let reply = Reply::new(
        id(1),
        Response::to(RequestKind::Bind, ResultCode::Success).unwrap(),
    )
    .with_control(control);
    let written = bytes(reply);
    let expected = b"\xa0\x24\x30\x22\x04\x191.3.6.1.4.1.42.2.27.8.5.1\x04\x05\x30\x03\x81\x01\x02";
    assert!(written.ends_with(expected), "{written:02x?}");
}

#[test]
fn bind_credentials_and_extended_values_have_their_tags() {
    let bind = Response::Bind {
        result: ResultCode::SaslBindInProgress.into(),
        sasl_credentials: Some(b"x".to_vec()),
    };
    assert!(bytes(Reply::new(id(1), bind)).ends_with(&[0x87, 1, b'x']));
    let whoami = Response::Extended {
        result: ResultCode::Success.into(),
        name: None,
        value: Some(b"dn:".to_vec()),
    };
    assert!(bytes(Reply::new(id(1), whoami)).ends_with(b"\x8b\x03dn:"));
}

#[test]
fn the_notice_of_disconnection_is_that_of_rfc_4511() {
    let notice = Reply::notice_of_disconnection(ResultCode::Unavailable, "");
    assert_eq!(
        bytes(notice),
        b"\x30\x24\x02\x01\x00\x78\x1f\x0a\x01\x34\x04\x00\x04\x00\x8a\x161.3.6.1.4.1.1466.20036"
    );
}

#[test]
fn a_refusal_answers_in_kind_or_says_goodbye() {
    let refuse = |message: &[u8]| Reply::refusal(&decode(message, &Limits::default()).unwrap_err());
    let search = refuse(&[0x30, 5, 2, 1, 9, 0x63, 0]);
    assert_eq!(search.id.get(), 9);
    assert!(
        matches!(search.response, Response::SearchDone(result) if result.code == ResultCode::ProtocolError)
    );
    for message in [
        &[0x30, 5, 2, 1, 9, 0x7e, 0][..],
        &[0x30, 5, 2, 1, 9, 0x50, 0],
        b"GET",
    ] {
        let goodbye = refuse(message);
        assert_eq!(goodbye.id, MessageId::UNSOLICITED);
        assert!(matches!(
            goodbye.response,
            Response::Extended { name: Some(name), .. } if name == NOTICE_OF_DISCONNECTION
        ));
    }
}
