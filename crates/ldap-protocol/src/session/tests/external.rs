//! SASL EXTERNAL (RFC 4422 appendix A): sessions by a client certificate.

use super::*;
use doorward_domain::certificate::CertificateNames;
use doorward_fixtures::proofs;

fn external(identity: &str) -> Operation {
    Operation::Bind(Bind {
        version: 3,
        name: UnparsedDn::new(""),
        authentication: Authentication::Sasl {
            mechanism: "EXTERNAL".to_owned(),
            credentials: Some(Secret::new(identity.into())),
        },
    })
}

fn over_tls(certificate: Option<&str>) -> Conversation {
    let mut talk = conversation();
    talk.protected(
        certificate.map(|name| Arc::new(CertificateNames::from_iter([name.parse().unwrap()]))),
    );
    talk
}

fn ask(talk: &mut Conversation, identity: &str) -> ServiceBind {
    match talk.receive(request(1, external(identity)), arrival()) {
        Step::AskService(attempt, bind) => {
            let ServiceEvidence::Certificate { names, .. } = attempt.evidence else {
                panic!()
            };
            assert_eq!(names.to_string(), "mx1.example.org");
            assert_eq!(attempt.circumstances.certificate, Some(names));
            bind
        }
        other => panic!("{other:?}"),
    }
}

fn offered(talk: &mut Conversation) -> Vec<&'static str> {
    let Step::Run(work) = talk.receive(request(7, search()), arrival()) else {
        panic!()
    };
    let _ = talk.finished(work.id, RequestKind::Search, Ok(ResultCode::Success.into()));
    work.mechanisms.iter().map(|one| one.name()).collect()
}

#[test]
fn a_certificate_binds_as_a_password_does() {
    let mut talk = over_tls(Some("mx1.example.org"));
    let bind = ask(&mut talk, "");
    let proof = proofs::service("sssd", true);
    let answer = talk.service_decided(bind, Ok(ServiceVerdict::Granted(proof)));
    assert_eq!(code(answer), ResultCode::Success);
    assert!(matches!(talk.session(), Session::Service(_)));
    assert_eq!(last_service(&mut talk).as_deref(), Some("sssd"));
}

#[test]
fn a_certificate_that_is_refused_leaves_nobody() {
    let mut talk = over_tls(Some("mx1.example.org"));
    bind_service(&mut talk);
    let bind = ask(&mut talk, "u:dovecot");
    assert!(matches!(talk.session(), Session::Anonymous));
    let refused = Ok(ServiceVerdict::Refused(Refusal::UnknownCertificate));
    let answer = talk.service_decided(bind, refused);
    assert_eq!(code(answer), ResultCode::InvalidCredentials);
    assert!(matches!(talk.session(), Session::Anonymous));
    assert_eq!(last_service(&mut talk), None);
}

#[test]
fn without_a_certificate_it_is_neither_offered_nor_taken() {
    for mut talk in [over_tls(None), conversation()] {
        assert_eq!(offered(&mut talk), ["PLAIN"]);
        bind_service(&mut talk);
        let answer = talk.receive(request(2, external("")), arrival());
        assert_eq!(code(answer), ResultCode::AuthMethodNotSupported);
        assert!(matches!(talk.session(), Session::Anonymous));
    }
    let mut talk = over_tls(Some("mx1.example.org"));
    assert_eq!(offered(&mut talk), ["EXTERNAL", "PLAIN"]);
}

#[test]
fn a_certificate_whose_mapping_is_gone_speaks_for_nobody() {
    let mut talk = over_tls(Some("mx1.example.org"));
    let bind = ask(&mut talk, "");
    let proof = proofs::service("sssd", true);
    let _ = talk.service_decided(bind, Ok(ServiceVerdict::Granted(proof)));
    let Step::Confirm(_, confirmation) = talk.receive(request(2, search()), arrival()) else {
        panic!()
    };
    let Step::Run(work) = talk.confirmed(*confirmation, Ok(false)) else {
        panic!()
    };
    assert!(matches!(work.identity, Identity::Anonymous));
    assert!(matches!(talk.session(), Session::Anonymous));
}
