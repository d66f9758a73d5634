//! Any bytes as a connection's whole conversation, with an authenticator that lets nobody in:
//! no step may panic, every answer can be written, and nobody is ever bound.
#![no_main]

use std::sync::Arc;

use bytes::BytesMut;
use doorward_frontend_api::{Refusal, ServiceVerdict, Undecided, Verdict};
use doorward_domain::id::RequestId;
use doorward_domain::name::ListenerName;
use doorward_domain::time::{Monotonic, Now, Timestamp};
use doorward_ldap_protocol::bind::Transport;
use doorward_ldap_protocol::decode::{Incoming, MessageDecoder, RequestKind};
use doorward_ldap_protocol::dn::DistinguishedName;
use doorward_ldap_protocol::result::{Reply, ResultCode};
use doorward_ldap_protocol::session::{Arrival, Conversation, Session, Step};
use doorward_ldap_protocol::settings::{PlaintextBind, Settings, TlsMode};
use doorward_ldap_protocol::tree::Tree;
use libfuzzer_sys::fuzz_target;

fn settings() -> Settings {
    let base = DistinguishedName::parse("dc=example,dc=org").expect("a name");
    let listener = ListenerName::parse("hosts").expect("a name");
    let mut settings = Settings::new(listener, TlsMode::StartTls, Tree::new(base, "Example"));
    settings.plaintext_bind = PlaintextBind::Allow;
    settings
}

fn write(reply: Reply) {
    let mut out = BytesMut::new();
    reply.encode_into(&mut out).expect("an answer can be written");
    assert!(!out.is_empty());
}

fn undecided<T>(choice: u8, refused: T) -> Result<T, Undecided> {
    match choice % 3 {
        0 => Ok(refused),
        1 => Err(Undecided::Busy),
        _ => Err(Undecided::Unavailable("broken".to_owned())),
    }
}

/// Goes on until the connection ends.
fn talk(conversation: &mut Conversation, mut inbox: BytesMut, choice: u8) -> Option<()> {
    let now = Now {
        wall: Timestamp::EPOCH,
        mono: Monotonic::default(),
        clock_suspect: false,
    };
    let mut decoder = MessageDecoder::new(conversation.settings().limits);
    loop {
        decoder.set_phase(conversation.phase());
        let mut step = match decoder.next_message(&mut inbox) {
            Ok(None) => return None,
            Ok(Some(Incoming::Refused(refused))) => conversation.refused(&refused),
            Ok(Some(Incoming::Request(request))) => {
                let bytes_behind = !inbox.is_empty();
                let arrival = Arrival { now, request: RequestId::new(now.wall), bytes_behind };
                match conversation.receive(*request, arrival) {
                    Step::WaitForOperations(_) => return None,
                    step => step,
                }
            }
            Err(refused) => {
                write(Reply::refusal(&refused));
                return None;
            }
        };
        loop {
            step = match step {
                Step::AskUser(_, bind) => {
                    let refused = Verdict::Refused(Refusal::WrongPassword);
                    conversation.user_decided(bind, undecided(choice, refused))
                }
                Step::AskService(_, bind) => {
                    let refused = ServiceVerdict::Refused(Refusal::WrongPassword);
                    conversation.service_decided(bind, undecided(choice, refused))
                }
                Step::AskOwner(..) | Step::ChangePassword(_) => {
                    panic!("nobody is bound, so nobody has a password to change")
                }
                Step::Run(work) if choice.is_multiple_of(2) => conversation.finished(
                    work.id,
                    RequestKind::Search,
                    Ok(ResultCode::Success.into()),
                ),
                Step::Send(reply) => {
                    write(reply);
                    break;
                }
                Step::StartTls(reply) => {
                    write(reply);
                    conversation.protected(None);
                    break;
                }
                Step::Close(closing) => {
                    closing.replies.into_iter().for_each(write);
                    return None;
                }
                _ => break,
            };
        }
        assert!(matches!(conversation.session(), Session::Anonymous));
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, rest)) = bytes.split_first() else { return };
    let source = "192.0.2.1".parse().expect("an address");
    let mut conversation = Conversation::new(Arc::new(settings()), source, Transport::Plain);
    talk(&mut conversation, BytesMut::from(rest), choice);
    assert!(matches!(conversation.session(), Session::Anonymous));
});
