//! Any bytes as an LDAP message: never a panic, always an answer, and what an independent decoder
//! reads from the same bytes is the same.
#![no_main]

use bytes::BytesMut;
use doorward_ldap_protocol::decode::{Authentication, Operation, Request, decode, frame_bytes};
use doorward_ldap_protocol::dn::DistinguishedName;
use doorward_ldap_protocol::filter::Filter;
use doorward_ldap_protocol::limits::{Limits, Phase};
use doorward_ldap_protocol::narration;
use doorward_ldap_protocol::result::Reply;
use doorward_ldap_protocol::tree::Tree;
use ldap3_proto::proto::{LdapBindCred, LdapMsg, LdapOp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    if let Ok(Some(length)) = frame_bytes(bytes, &limits, Phase::Bound) {
        assert!(length <= limits.bound_message_bytes);
    }
    match decode(bytes, &limits) {
        Ok(request) => {
            assert_eq!(frame_bytes(bytes, &limits, Phase::Bound), Ok(Some(bytes.len())));
            assert!(request.id.get() > 0);
            assert!(request.controls.len() <= limits.controls);
            if let Operation::Search(search) = &request.operation {
                assert!(search.attributes.len() <= limits.requested_attributes);
                let again = Filter::from_ber(&search.filter.to_ber(), &limits);
                assert_eq!(again.as_ref(), Ok(&search.filter));
            }
            let _ = format!("{request:?}");
            let base = DistinguishedName::parse("dc=example,dc=org").expect("a DN");
            let _ = narration::request(&request, &Tree::new(base, "Example"));
            compare(&request, bytes);
        }
        Err(error) => {
            let mut answer = BytesMut::new();
            Reply::refusal(&error).encode_into(&mut answer).expect("a buffer in memory grows");
            assert!(!answer.is_empty());
        }
    }
});

/// Holds a request against `ldap3_proto`, where it reads the message at all: it refuses text that
/// is not UTF-8, malformed values of the controls it knows, and trailing components.
fn compare(request: &Request, bytes: &[u8]) {
    let Ok((_, tree)) = ldap3_lber::Parser::new(64).parse(bytes) else { return };
    let Ok(other) = LdapMsg::try_from(tree) else { return };
    assert_eq!(other.msgid, request.id.get());
    assert_eq!(other.ctrl.len(), request.controls.len());
    match (&request.operation, other.op) {
        (Operation::Bind(bind), LdapOp::BindRequest(other)) => {
            assert_eq!(other.version, i64::from(bind.version));
            assert_eq!(other.dn.as_bytes(), bind.name.as_bytes());
            match (&bind.authentication, other.cred) {
                (Authentication::Simple(password), LdapBindCred::Simple(other)) => {
                    assert!(password.expose() == other.as_bytes());
                }
                (Authentication::Sasl { mechanism, .. }, LdapBindCred::SASL(other)) => {
                    assert_eq!(*mechanism, other.mechanism);
                }
                (Authentication::Unknown, LdapBindCred::Unsupported) => {}
                _ => panic!("another way to authenticate"),
            }
        }
        (Operation::Search(search), LdapOp::SearchRequest(other)) => {
            assert_eq!(other.base.as_bytes(), search.base.as_bytes());
            assert_eq!(other.typesonly, search.types_only);
            assert_eq!(other.attrs, search.attributes);
        }
        (Operation::Compare(compare), LdapOp::CompareRequest(other)) => {
            assert_eq!(other.dn.as_bytes(), compare.entry.as_bytes());
            assert_eq!(other.val, compare.value);
        }
        (Operation::Extended(extended), LdapOp::ExtendedRequest(other)) => {
            assert_eq!(other.name, extended.oid);
        }
        (Operation::Modify(modify), LdapOp::ModifyRequest(other)) => {
            assert_eq!(other.dn.as_bytes(), modify.target.as_bytes());
            assert_eq!(other.changes.len(), modify.changes.len());
            for (other, change) in other.changes.iter().zip(&modify.changes) {
                assert_eq!(other.modification.atype, change.attribute);
                assert_eq!(other.modification.vals.len(), change.values.len());
            }
        }
        (Operation::Abandon(id), LdapOp::AbandonRequest(other)) => assert_eq!(other, id.get()),
        (Operation::Unbind, LdapOp::UnbindRequest)
        | (Operation::Add { .. }, LdapOp::AddRequest(_))
        | (Operation::Delete { .. }, LdapOp::DelRequest(_))
        | (Operation::ModifyDn { .. }, LdapOp::ModifyDNRequest(_)) => {}
        _ => panic!("another operation"),
    }
}
