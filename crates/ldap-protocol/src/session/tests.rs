mod external;
mod paging;

use std::sync::Arc;

use super::*;
use crate::bind::Transport;
use crate::controls::PASSWORD_POLICY;
use crate::decode::{
    Answer, Authentication, Bind, Control, DecodeError, Deref, Extended, MessageId, Modify,
    Operation, Reason, Request, RequestKind, Scope, Search, UnparsedDn,
};
use crate::extended::{START_TLS, WHO_AM_I};
use crate::filter::Filter;
use crate::limits::Phase;
use crate::result::{Reply, Response, ResultCode};
use crate::settings::{PlaintextBind, TlsMode};
use crate::stubs::settings;
use doorward_domain::id::{AccountId, RequestId};
use doorward_domain::name::ServiceName;
use doorward_domain::resource::AccessContext;
use doorward_domain::secret::Secret;
use doorward_fixtures::proofs;
use doorward_fixtures::world::{NOON, now};
use doorward_frontend_api::{
    Attempt, Refusal, ServiceEvidence, ServiceVerdict, Undecided, Verdict,
};

const ALICE: &str = "uid=alice,ou=people,dc=example,dc=org";
const SSSD: &str = "cn=sssd,ou=services,dc=example,dc=org";

fn conversation() -> Conversation {
    conversation_over(Transport::Plain)
}

fn conversation_over(transport: Transport) -> Conversation {
    Conversation::new(
        Arc::new(settings()),
        "127.0.0.1".parse().unwrap(),
        transport,
    )
}

fn arrival() -> Arrival {
    Arrival {
        now: now(),
        request: RequestId::new(NOON),
        bytes_behind: false,
    }
}

fn id(number: i64) -> MessageId {
    MessageId::new(number).unwrap()
}

fn request(number: i64, operation: Operation) -> Request {
    Request {
        id: id(number),
        operation,
        controls: Vec::new(),
    }
}

fn bind(name: &str, password: &str) -> Operation {
    Operation::Bind(Bind {
        version: 3,
        name: UnparsedDn::new(name),
        authentication: Authentication::Simple(Secret::new(password.into())),
    })
}

fn search() -> Operation {
    Operation::Search(Search {
        base: UnparsedDn::new("dc=example,dc=org"),
        scope: Scope::Subtree,
        deref: Deref::Never,
        size_limit: None,
        time_limit: None,
        types_only: false,
        filter: Filter::present("objectClass"),
        attributes: Vec::new(),
    })
}

fn extended(oid: &str, value: Option<&[u8]>) -> Operation {
    let value = value.map(|bytes| Secret::new(bytes.to_vec()));
    Operation::Extended(Extended {
        oid: oid.to_owned(),
        value,
    })
}

fn password_policy() -> Control {
    Control {
        oid: PASSWORD_POLICY.to_owned(),
        critical: false,
        value: None,
    }
}

fn sent(step: Step) -> Reply {
    match step {
        Step::Send(reply) => reply,
        other => panic!("{other:?}"),
    }
}

fn code(step: Step) -> ResultCode {
    sent(step).response.result().code
}

fn proof() -> Authenticated {
    proofs::authenticated(AccountId::new(NOON), "alice", Some("hosts"))
}

/// Binds as a user; a service account last bound stands.
fn ask_user(talk: &mut Conversation, request: Request) -> (Attempt, UserBind) {
    ask_user_while(talk, request, true)
}

fn ask_user_while(talk: &mut Conversation, request: Request, stands: bool) -> (Attempt, UserBind) {
    let step = match talk.receive(request, arrival()) {
        Step::Confirm(Identity::Service(_), confirmation) => {
            talk.confirmed(*confirmation, Ok(stands))
        }
        step => step,
    };
    match step {
        Step::AskUser(attempt, bind) => (*attempt, bind),
        other => panic!("{other:?}"),
    }
}

fn ask_service(talk: &mut Conversation) -> ServiceBind {
    match talk.receive(request(1, bind(SSSD, "secret")), arrival()) {
        Step::AskService(attempt, bind) => {
            let ServiceEvidence::Password { name, .. } = &attempt.evidence else {
                panic!()
            };
            assert_eq!(name, "sssd");
            bind
        }
        other => panic!("{other:?}"),
    }
}

/// Binds as a user and returns the answer.
fn bind_user(talk: &mut Conversation, verdict: Result<Verdict, Undecided>) -> Step {
    let (_, bind) = ask_user(talk, request(1, bind(ALICE, "secret")));
    talk.user_decided(bind, verdict)
}

fn bind_service(talk: &mut Conversation) {
    let bind = ask_service(talk);
    let proof = proofs::service("sssd", true);
    assert_eq!(
        code(talk.service_decided(bind, Ok(ServiceVerdict::Granted(proof)))),
        ResultCode::Success
    );
}

fn bound() -> Conversation {
    let mut talk = conversation();
    assert_eq!(
        code(bind_user(&mut talk, Ok(Verdict::Granted(proof())))),
        ResultCode::Success
    );
    assert!(matches!(talk.session(), Session::Bound(_)));
    assert_eq!(talk.phase(), Phase::Bound);
    talk
}

fn last_service(talk: &mut Conversation) -> Option<String> {
    let (attempt, bind) = ask_user(talk, request(9, bind(ALICE, "secret")));
    let _ = talk.user_decided(bind, Ok(Verdict::Refused(Refusal::WrongPassword)));
    let AccessContext::Connection(circumstances) = attempt.asking else {
        panic!()
    };
    circumstances.service.map(|name| name.to_string())
}

#[test]
fn every_bind_that_fails_leaves_nobody() {
    let failures: [fn(&mut Conversation) -> Step; 8] = [
        |talk| bind_user(talk, Ok(Verdict::Refused(Refusal::WrongPassword))),
        |talk| bind_user(talk, Err(Undecided::Busy)),
        |talk| bind_user(talk, Err(Undecided::Unavailable("disk full".to_owned()))),
        |talk| talk.receive(request(1, bind(ALICE, "")), arrival()),
        |talk| talk.receive(request(1, bind("", "")), arrival()),
        |talk| talk.receive(request(1, bind("", "secret")), arrival()),
        |talk| {
            let mut critical = request(1, bind(ALICE, "secret"));
            critical.controls.push(Control {
                oid: "1.2.3".to_owned(),
                critical: true,
                value: None,
            });
            talk.receive(critical, arrival())
        },
        |talk| {
            talk.refused(&DecodeError {
                reason: Reason::Malformed,
                answer: Answer::Respond {
                    id: id(1),
                    kind: RequestKind::Bind,
                },
            })
        },
    ];
    for (position, fail) in failures.into_iter().enumerate() {
        let mut talk = bound();
        let _ = fail(&mut talk);
        assert!(
            matches!(talk.session(), Session::Anonymous),
            "failure {position}"
        );
        assert_eq!(talk.phase(), Phase::Anonymous);
    }
}

#[test]
fn a_bind_under_way_speaks_for_nobody() {
    let mut talk = bound();
    let (_, bind) = ask_user(&mut talk, request(2, bind(ALICE, "secret")));
    assert!(matches!(talk.session(), Session::Anonymous));
    let _ = talk.user_decided(bind, Ok(Verdict::Granted(proof())));
    assert!(matches!(talk.session(), Session::Bound(_)));
}

#[test]
fn refusals_are_the_same_bytes_for_whatever_reason() {
    let mut bytes = Vec::new();
    for refusal in [
        Refusal::UnknownUser,
        Refusal::WrongPassword,
        Refusal::Locked,
        Refusal::Throttled,
        Refusal::NotBound,
        Refusal::MalformedName,
    ] {
        let mut talk = conversation();
        let mut asking = request(1, bind(ALICE, "secret"));
        asking.controls.push(password_policy());
        let (attempt, bind) = ask_user(&mut talk, asking);
        assert!(attempt.asked_for_password_policy);
        let reply = sent(talk.user_decided(bind, Ok(Verdict::Refused(refusal))));
        let mut buffer = bytes::BytesMut::new();
        reply.encode_into(&mut buffer).unwrap();
        bytes.push(buffer);
    }
    bytes.dedup();
    assert_eq!(bytes.len(), 1);
    assert_eq!(
        &bytes[0][..],
        [0x30, 12, 2, 1, 1, 0x61, 7, 0x0a, 1, 49, 4, 0, 4, 0]
    );
}

#[test]
fn password_policy_is_told_after_the_right_password_and_only_when_asked() {
    let policy = |asked: bool, verdict: Verdict| {
        let mut talk = conversation();
        let mut asking = request(1, bind(ALICE, "secret"));
        if asked {
            asking.controls.push(password_policy());
        }
        let (_, bind) = ask_user(&mut talk, asking);
        let reply = sent(talk.user_decided(bind, Ok(verdict)));
        assert_eq!(reply.response.result().code, ResultCode::Success);
        reply
            .controls
            .into_iter()
            .map(|control| control.value.unwrap())
            .collect::<Vec<_>>()
    };
    let must_change = || Verdict::ChangeOnly(proofs::change_proof(AccountId::new(NOON), "alice"));
    assert_eq!(policy(true, Verdict::Granted(proof())), [vec![0x30, 0]]);
    assert_eq!(policy(true, must_change()), [vec![0x30, 3, 0x81, 1, 2]]);
    assert!(policy(false, Verdict::Granted(proof())).is_empty());
    assert!(policy(false, must_change()).is_empty());
}

#[test]
fn no_verdict_is_never_a_wrong_password() {
    let mut talk = conversation();
    assert_eq!(
        code(bind_user(&mut talk, Err(Undecided::Busy))),
        ResultCode::Busy
    );
    let broken = Err(Undecided::Unavailable("disk full".to_owned()));
    let Step::Close(closing) = bind_user(&mut talk, broken) else {
        panic!()
    };
    assert_eq!(closing.reason, CloseReason::Unavailable);
    let codes: Vec<ResultCode> = closing
        .replies
        .iter()
        .map(|reply| reply.response.result().code)
        .collect();
    assert_eq!(codes, [ResultCode::Unavailable, ResultCode::Unavailable]);
    assert_eq!(closing.replies[0].id, id(1));
    assert_eq!(closing.replies[1].id, MessageId::UNSOLICITED);
}

#[test]
fn the_service_account_last_bound_is_remembered_over_user_binds() {
    let mut talk = conversation();
    assert_eq!(last_service(&mut talk), None);
    bind_service(&mut talk);
    // Failed user binds keep it, also those that nobody is asked about.
    assert_eq!(last_service(&mut talk).as_deref(), Some("sssd"));
    let _ = talk.receive(request(2, bind(ALICE, "")), arrival());
    let _ = bind_user(&mut talk, Ok(Verdict::Granted(proof())));
    assert_eq!(last_service(&mut talk).as_deref(), Some("sssd"));
}

#[test]
fn an_anonymous_or_failed_service_bind_forgets_the_service_account() {
    let forgetting: [fn(&mut Conversation); 6] = [
        |talk| drop(talk.receive(request(2, bind("", "")), arrival())),
        |talk| {
            let bind = ask_service(talk);
            drop(talk.service_decided(bind, Ok(ServiceVerdict::Refused(Refusal::WrongPassword))));
        },
        |talk| drop(talk.receive(request(2, bind(SSSD, "")), arrival())),
        |talk| talk.protected(None),
        |talk| {
            drop(talk.refused(&DecodeError {
                reason: Reason::Malformed,
                answer: Answer::Respond {
                    id: id(1),
                    kind: RequestKind::Bind,
                },
            }));
        },
        |talk| {
            let Step::Confirm(_, confirmation) = talk.receive(request(2, search()), arrival())
            else {
                panic!()
            };
            let Step::Run(work) = talk.confirmed(*confirmation, Ok(false)) else {
                panic!()
            };
            let _ = talk.finished(work.id, RequestKind::Search, Ok(ResultCode::Success.into()));
        },
    ];
    for (position, forget) in forgetting.into_iter().enumerate() {
        let mut talk = conversation();
        bind_service(&mut talk);
        forget(&mut talk);
        assert!(matches!(talk.session(), Session::Anonymous), "{position}");
        assert_eq!(last_service(&mut talk), None, "{position}");
    }
}

fn service_of(attempt: &Attempt) -> Option<&str> {
    match &attempt.asking {
        AccessContext::Connection(circumstances) => {
            circumstances.service.as_ref().map(ServiceName::as_str)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_service_account_that_stands_no_more_chooses_no_resource() {
    let mut talk = conversation();
    bind_service(&mut talk);
    let (attempt, _) = ask_user_while(&mut talk, request(2, bind(ALICE, "secret")), true);
    assert_eq!(service_of(&attempt), Some("sssd"));
    let (attempt, bind_) = ask_user_while(&mut talk, request(3, bind(ALICE, "secret")), false);
    assert_eq!(service_of(&attempt), None);
    let _ = talk.user_decided(bind_, Ok(Verdict::Granted(proof())));
    // It is forgotten, and nobody asks about it again.
    assert!(matches!(
        talk.receive(request(4, bind(ALICE, "secret")), arrival()),
        Step::AskUser(..)
    ));
}

#[test]
fn without_a_word_on_the_service_account_nobody_binds() {
    let mut talk = conversation();
    bind_service(&mut talk);
    let step = talk.receive(request(2, bind(ALICE, "secret")), arrival());
    let Step::Confirm(_, confirmation) = step else {
        panic!("{step:?}")
    };
    assert!(matches!(talk.session(), Session::Anonymous));
    let busy = talk.confirmed(*confirmation, Err(Undecided::Busy));
    assert_eq!(code(busy), ResultCode::Busy);
    assert!(matches!(talk.session(), Session::Anonymous));
}

#[test]
fn access_is_asked_for_again_at_every_operation() {
    let mut talk = bound();
    let Step::Confirm(identity, confirmation) = talk.receive(request(2, search()), arrival())
    else {
        panic!()
    };
    assert!(matches!(identity, Identity::User(_)));
    let Step::Run(work) = talk.confirmed(*confirmation, Ok(true)) else {
        panic!()
    };
    assert!(matches!(work.identity, Identity::User(_)));

    let Step::Confirm(_, confirmation) = talk.receive(request(3, search()), arrival()) else {
        panic!()
    };
    let Step::Run(work) = talk.confirmed(*confirmation, Ok(false)) else {
        panic!()
    };
    assert!(matches!(work.identity, Identity::Anonymous));
    assert!(matches!(talk.session(), Session::Anonymous));
}

#[test]
fn who_am_i_names_who_still_stands() {
    let who = |talk: &mut Conversation, stands| {
        let step = match talk.receive(request(2, extended(WHO_AM_I, None)), arrival()) {
            Step::Confirm(_, confirmation) => talk.confirmed(*confirmation, Ok(stands)),
            step => step,
        };
        let Response::Extended {
            result,
            name: None,
            value: Some(value),
        } = sent(step).response
        else {
            panic!()
        };
        assert_eq!(result.code, ResultCode::Success);
        String::from_utf8(value).unwrap()
    };
    assert_eq!(who(&mut conversation(), true), "");
    let mut talk = bound();
    assert_eq!(who(&mut talk, true), format!("dn:{ALICE}"));
    assert_eq!(who(&mut talk, false), "");
    bind_service(&mut talk);
    assert_eq!(who(&mut talk, true), format!("dn:{SSSD}"));
    let with_value = request(3, extended(WHO_AM_I, Some(b"")));
    assert_eq!(
        code(talk.receive(with_value, arrival())),
        ResultCode::ProtocolError
    );
}

#[test]
fn a_bind_waits_for_what_is_outstanding() {
    let mut talk = conversation();
    let Step::Run(work) = talk.receive(request(1, search()), arrival()) else {
        panic!()
    };
    let Step::WaitForOperations(bind) = talk.receive(request(2, bind("", "")), arrival()) else {
        panic!()
    };
    assert_eq!(
        code(talk.finished(work.id, RequestKind::Search, Ok(ResultCode::Success.into()))),
        ResultCode::Success
    );
    assert_eq!(code(talk.receive(*bind, arrival())), ResultCode::Success);
}

#[test]
fn what_was_abandoned_is_not_answered() {
    let mut talk = conversation();
    let Step::Run(work) = talk.receive(request(1, search()), arrival()) else {
        panic!()
    };
    let abandon = |target| request(2, Operation::Abandon(id(target)));
    assert!(matches!(talk.receive(abandon(7), arrival()), Step::Nothing));
    assert!(matches!(talk.receive(abandon(1), arrival()), Step::Abandon(gone) if gone == id(1)));
    let late = talk.finished(work.id, RequestKind::Search, Ok(ResultCode::Success.into()));
    assert!(matches!(late, Step::Nothing));
}

#[test]
fn an_id_in_use_cannot_be_used_again() {
    let mut talk = conversation();
    assert!(matches!(
        talk.receive(request(1, search()), arrival()),
        Step::Run(_)
    ));
    let Step::Close(closing) = talk.receive(request(1, search()), arrival()) else {
        panic!()
    };
    assert_eq!(closing.reason, CloseReason::RepeatedId);
    assert_eq!(closing.replies.len(), 1);
}

#[test]
fn unknown_critical_controls_fail_all_but_what_has_no_answer() {
    let critical = |operation| Request {
        controls: vec![Control {
            oid: "1.2.3".to_owned(),
            critical: true,
            value: None,
        }],
        ..request(1, operation)
    };
    let refused = ResultCode::UnavailableCriticalExtension;
    let mut talk = conversation();
    for operation in [search(), bind(ALICE, "secret"), extended(WHO_AM_I, None)] {
        assert_eq!(code(talk.receive(critical(operation), arrival())), refused);
    }
    let abandon = critical(Operation::Abandon(id(7)));
    assert!(matches!(talk.receive(abandon, arrival()), Step::Nothing));
    let Step::Close(closing) = talk.receive(critical(Operation::Unbind), arrival()) else {
        panic!()
    };
    assert_eq!(closing.reason, CloseReason::Unbind);
}

#[test]
fn writes_are_refused_with_a_sentence() {
    let mut talk = bound();
    let target = UnparsedDn::new(ALICE);
    for operation in [
        Operation::Modify(Modify {
            target: target.clone(),
            changes: Vec::new(),
        }),
        Operation::Add {
            target: target.clone(),
        },
        Operation::Delete {
            target: target.clone(),
        },
        Operation::ModifyDn { target },
    ] {
        let reply = sent(talk.receive(request(2, operation), arrival()));
        let result = reply.response.result();
        assert_eq!(result.code, ResultCode::UnwillingToPerform);
        assert!(result.diagnostic.contains("administrator"));
    }
    let unknown = request(2, extended("1.2.3.4", None));
    assert_eq!(
        code(talk.receive(unknown, arrival())),
        ResultCode::ProtocolError
    );
}

#[test]
fn a_session_that_must_change_writes_nothing() {
    let mut talk = conversation();
    let proof = proofs::change_proof(AccountId::new(NOON), "alice");
    let _ = bind_user(&mut talk, Ok(Verdict::ChangeOnly(proof)));
    let delete = request(
        2,
        Operation::Delete {
            target: UnparsedDn::new(ALICE),
        },
    );
    assert_eq!(
        code(talk.receive(delete, arrival())),
        ResultCode::InsufficientAccessRights
    );
}

#[test]
fn start_tls_begins_only_where_it_can() {
    let start = || request(5, extended(START_TLS, None));
    let mut talk = bound();
    let Step::StartTls(reply) = talk.receive(start(), arrival()) else {
        panic!()
    };
    let Response::Extended {
        result,
        name: Some(name),
        ..
    } = reply.response
    else {
        panic!()
    };
    assert_eq!(
        (result.code, name.as_str()),
        (ResultCode::Success, START_TLS)
    );
    talk.protected(None);
    assert!(matches!(talk.session(), Session::Anonymous));
    assert_eq!(
        code(talk.receive(start(), arrival())),
        ResultCode::OperationsError
    );

    let mut talk = conversation();
    let valued = request(5, extended(START_TLS, Some(b"x")));
    assert_eq!(
        code(talk.receive(valued, arrival())),
        ResultCode::ProtocolError
    );
    assert!(matches!(
        talk.receive(request(1, search()), arrival()),
        Step::Run(_)
    ));
    assert_eq!(
        code(talk.receive(start(), arrival())),
        ResultCode::OperationsError
    );

    let mut without = settings();
    without.tls = TlsMode::None;
    without.plaintext_bind = PlaintextBind::Allow;
    let source = "192.0.2.1".parse().unwrap();
    let mut talk = Conversation::new(Arc::new(without), source, Transport::Plain);
    assert_eq!(
        code(talk.receive(start(), arrival())),
        ResultCode::ProtocolError
    );
}

#[test]
fn bytes_behind_start_tls_end_the_connection() {
    let mut talk = conversation();
    let behind = Arrival {
        bytes_behind: true,
        ..arrival()
    };
    let step = talk.receive(request(5, extended(START_TLS, None)), behind);
    let Step::Close(closing) = step else {
        panic!("{step:?}")
    };
    assert_eq!(closing.reason, CloseReason::BytesBehindStartTls);
    let codes: Vec<ResultCode> = closing
        .replies
        .iter()
        .map(|reply| reply.response.result().code)
        .collect();
    assert_eq!(codes, [ResultCode::ProtocolError; 2]);
}
