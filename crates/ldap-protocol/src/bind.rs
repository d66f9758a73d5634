//! What a bind request asks for (RFC 4511 section 4.2, RFC 4513 section 5), before anybody is
//! asked about it.
//!
//! Pure: it looks at the request, the transport and the listener's settings, never at an account.
//! A name that is malformed or stands for nothing becomes an attempt like any other, so that its
//! refusal has the same bytes and takes the same time (CONTRACT.md 5.2).

use std::sync::Arc;

use super::decode::{Authentication, Bind, UnparsedDn};
use super::result::{LdapResult, ResultCode};
use super::sasl::{self, Mechanism, Plain};
use super::settings::{Settings, VersionTwo};
use super::tree::{Place, Tree};
use doorward_domain::certificate::CertificateNames;
use doorward_domain::name::ViewName;
use doorward_domain::origin::Source;
use doorward_domain::resource::ConnectionContext;
use doorward_domain::secret::Secret;
use doorward_frontend_api::{Claim, Evidence, ServiceEvidence};

/// How a connection is protected right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Not at all.
    Plain,
    /// By TLS.
    Tls,
}

/// Who a bind names, as far as that can matter to what the connection remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// Nobody.
    Nobody,
    /// A service account.
    Service,
    /// A user, or nothing that exists.
    User,
}

/// What to do about a bind.
#[derive(Debug)]
pub enum BindAction {
    /// Answer this; nobody is asked.
    Answer(LdapResult),
    /// Be anonymous (RFC 4513 section 5.1.1).
    Anonymous,
    /// Ask whether this is that user.
    User(Claim, Evidence),
    /// Ask which service account this is, if any.
    Service(ServiceEvidence),
}

/// A bind request as it was read.
#[derive(Debug)]
pub struct ParsedBind {
    /// Who it names.
    pub named: Named,
    /// The view in which that name lies.
    pub view: Option<ViewName>,
    /// What to do about it.
    pub action: BindAction,
}

/// What a bind names: what stands at a name in the tree, or a username without one.
#[derive(Debug, PartialEq, Eq)]
enum Subject {
    Nobody,
    User(String),
    Service(String),
    /// Nothing that could be there, as it was written.
    Nothing(String),
}

impl Subject {
    /// What a name stands for, and the view in which it lies.
    fn of(name: &UnparsedDn, tree: &Tree) -> (Self, Option<ViewName>) {
        let Ok(dn) = name.parse() else {
            return (Self::nothing(name), None);
        };
        let tree = tree.around(&dn);
        let subject = match tree.locate(&dn) {
            Place::Root => Self::Nobody,
            Place::Person(name) => Self::User(name),
            Place::Service(name) => Self::Service(name),
            _ => Self::nothing(name),
        };
        (subject, tree.view().cloned())
    }

    fn nothing(name: &UnparsedDn) -> Self {
        Self::Nothing(String::from_utf8_lossy(name.as_bytes()).into_owned())
    }

    /// What a SASL identity stands for: the name of an entry of a user or a service account, or
    /// else a username as people type it.
    fn authenticating(identity: &str, tree: &Tree) -> (Self, Option<ViewName>) {
        match Self::of(&UnparsedDn::new(identity.as_bytes()), tree) {
            found @ (Self::User(_) | Self::Service(_), _) => found,
            _ => (Self::User(identity.to_owned()), None),
        }
    }

    const fn named(&self) -> Named {
        match self {
            Self::Nobody => Named::Nobody,
            Self::Service(_) => Named::Service,
            Self::User(_) | Self::Nothing(_) => Named::User,
        }
    }

    /// What to do about a password for it.
    fn with(self, password: &Secret) -> BindAction {
        let password = password.expose();
        match self {
            // A password for nobody; RFC 4513 section 5.1 leaves no meaning for it.
            Self::Nobody => BindAction::Answer(ResultCode::InvalidCredentials.into()),
            Self::User(name) => BindAction::User(Claim::Typed(name), Evidence::password(password)),
            Self::Service(name) => BindAction::Service(ServiceEvidence::password(name, password)),
            Self::Nothing(name) => {
                BindAction::User(Claim::Malformed(name), Evidence::password(password))
            }
        }
    }
}

/// Whether a password may come from `source` over `transport`.
pub fn takes_passwords(settings: &Settings, transport: Transport, source: &Source) -> bool {
    transport == Transport::Tls || settings.plaintext_bind.permits(source)
}

/// Reads a bind request that came over `transport` on a connection of which `known` is known.
pub fn read(
    bind: &Bind,
    settings: &Settings,
    transport: Transport,
    known: &ConnectionContext,
) -> ParsedBind {
    let protected = takes_passwords(settings, transport, &known.source);
    let (subject, view) = Subject::of(&bind.name, &settings.tree);
    let simple = matches!(bind.authentication, Authentication::Simple(_));
    let version_two = bind.version == 2 && simple && settings.version_two == VersionTwo::Allow;
    let (named, action) = if bind.version != 3 && !version_two {
        let text = "only LDAP version 3 is spoken here";
        (subject.named(), answer(ResultCode::ProtocolError, text))
    } else {
        match &bind.authentication {
            Authentication::Simple(password) => (
                subject.named(),
                simple_action(bind, subject, password, protected),
            ),
            // The name beside a SASL bind says nothing (RFC 4511 section 4.2).
            Authentication::Sasl {
                mechanism,
                credentials,
            } => match (Mechanism::named(mechanism), &known.certificate) {
                (Some(Mechanism::Plain), _) => {
                    return plain(credentials.as_ref(), settings, protected);
                }
                (Some(Mechanism::External), Some(names)) => {
                    return external(credentials.as_ref(), names, &settings.tree);
                }
                (Some(Mechanism::External), None) => {
                    let text = "SASL EXTERNAL needs a client certificate on this connection";
                    (Named::Service, unsupported(text))
                }
                (None, _) => (subject.named(), unsupported(KNOWN)),
            },
            Authentication::Unknown => (subject.named(), unsupported(KNOWN)),
        }
    };
    ParsedBind {
        named,
        view,
        action,
    }
}

fn answer(code: ResultCode, text: &str) -> BindAction {
    BindAction::Answer(LdapResult::with_diagnostic(code, text))
}

const KNOWN: &str = "only simple binds, SASL PLAIN and SASL EXTERNAL are supported";

fn unsupported(text: &str) -> BindAction {
    answer(ResultCode::AuthMethodNotSupported, text)
}

fn use_tls() -> BindAction {
    let text = "use TLS before sending a password";
    answer(ResultCode::ConfidentialityRequired, text)
}

fn simple_action(bind: &Bind, subject: Subject, password: &Secret, protected: bool) -> BindAction {
    match (password.is_empty(), bind.name.is_empty()) {
        (true, true) => BindAction::Anonymous,
        // RFC 4513 section 5.1.2: an application that forgot to check for an empty password must
        // not take this for a login.
        (true, false) => answer(
            ResultCode::UnwillingToPerform,
            "a name without a password proves nothing",
        ),
        (false, _) if !protected => use_tls(),
        (false, _) => subject.with(password),
    }
}

/// SASL PLAIN (RFC 4616): a name and a password, as in a simple bind, so under its rules.
fn plain(credentials: Option<&Secret>, settings: &Settings, protected: bool) -> ParsedBind {
    let nobody = |action| ParsedBind {
        named: Named::User,
        view: None,
        action,
    };
    if !protected {
        return nobody(use_tls());
    }
    let message = credentials.and_then(|bytes| Plain::read(bytes.expose()).ok());
    let Some(message) = message else {
        let text = "this is no message of PLAIN: a name and a password with NULs before them";
        return nobody(answer(ResultCode::ProtocolError, text));
    };
    let tree = &settings.tree;
    let (subject, view) = Subject::authenticating(&message.authentication, tree);
    let action = if is_oneself(&message, &subject, tree) {
        None
    } else {
        // Nobody acts as another.
        Some(BindAction::Answer(ResultCode::InvalidCredentials.into()))
    };
    ParsedBind {
        named: subject.named(),
        view,
        action: action.unwrap_or_else(|| subject.with(&message.password)),
    }
}

/// SASL EXTERNAL (RFC 4422 appendix A): the client certificate binds the service account that it
/// stands for, and that one alone may be named. No message at all counts as an empty one: there
/// is nothing else that the client could be asked for.
fn external(
    credentials: Option<&Secret>,
    names: &Arc<CertificateNames>,
    tree: &Tree,
) -> ParsedBind {
    let reading = |view, action| ParsedBind {
        named: Named::Service,
        view,
        action,
    };
    let message = credentials.map_or(&[][..], Secret::expose);
    let Ok(wanted) = sasl::external(message) else {
        let text = "this is no message of EXTERNAL: an authorization identity or nothing";
        return reading(None, answer(ResultCode::ProtocolError, text));
    };
    let (acting_as, view) = if wanted.is_empty() {
        (None, None)
    } else if let Some(name) = wanted.strip_prefix("u:") {
        (Some(name.to_owned()), None)
    } else if let Some(dn) = wanted.strip_prefix("dn:")
        && let (Subject::Service(name), view) = Subject::of(&UnparsedDn::new(dn.as_bytes()), tree)
    {
        (Some(name), view)
    } else {
        // No certificate stands for anything but a service account.
        return reading(
            None,
            BindAction::Answer(ResultCode::InvalidCredentials.into()),
        );
    };
    let names = Arc::clone(names);
    let evidence = ServiceEvidence::Certificate { names, acting_as };
    reading(view, BindAction::Service(evidence))
}

/// Whether the identity to act as is none, or whoever authenticates (RFC 4513 section 5.2.1.8).
fn is_oneself(message: &Plain, subject: &Subject, tree: &Tree) -> bool {
    let wanted = message.authorization.as_str();
    if wanted.is_empty() || wanted == message.authentication {
        return true;
    }
    if let Some(user) = wanted.strip_prefix("u:") {
        return user == message.authentication;
    }
    wanted
        .strip_prefix("dn:")
        .is_some_and(|dn| Subject::of(&UnparsedDn::new(dn.as_bytes()), tree).0 == *subject)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dn::DistinguishedName;
    use crate::settings::{PlaintextBind, TlsMode};
    use doorward_domain::name::ListenerName;

    fn settings(plaintext: PlaintextBind) -> Settings {
        let base = DistinguishedName::parse("dc=example,dc=org").unwrap();
        let listener = ListenerName::parse("hosts").unwrap();
        let mut settings = Settings::new(listener, TlsMode::StartTls, Tree::new(base, "Example"));
        settings.plaintext_bind = plaintext;
        settings
    }

    fn simple(name: &[u8], password: &[u8]) -> Bind {
        Bind {
            version: 3,
            name: UnparsedDn::new(name),
            authentication: Authentication::Simple(Secret::new(password.to_vec())),
        }
    }

    fn action(
        bind: &Bind,
        plaintext: PlaintextBind,
        transport: Transport,
        source: &str,
    ) -> BindAction {
        read(bind, &settings(plaintext), transport, &from(source)).action
    }

    fn from(source: &str) -> ConnectionContext {
        let source: Source = source.parse().unwrap();
        ConnectionContext::new(ListenerName::parse("hosts").unwrap(), source)
    }

    fn code(bind: &Bind) -> ResultCode {
        match action(bind, PlaintextBind::Refuse, Transport::Tls, "192.0.2.1") {
            BindAction::Answer(result) => result.code,
            other => panic!("{other:?}"),
        }
    }

    const ALICE: &[u8] = b"uid=Alice,ou=people,dc=example,dc=org";

    #[test]
    fn what_needs_no_attempt_is_answered_at_once() {
        let mut old = simple(b"", b"");
        old.version = 2;
        assert_eq!(code(&old), ResultCode::ProtocolError);
        assert_eq!(code(&simple(ALICE, b"")), ResultCode::UnwillingToPerform);
        assert_eq!(code(&simple(b"no dn", b"")), ResultCode::UnwillingToPerform);
        assert_eq!(
            code(&simple(b"", b"secret")),
            ResultCode::InvalidCredentials
        );
        let mut sasl = simple(ALICE, b"");
        sasl.authentication = Authentication::Sasl {
            mechanism: "PLAIN".to_owned(),
            credentials: None,
        };
        assert_eq!(code(&sasl), ResultCode::ProtocolError);
        sasl.authentication = Authentication::Sasl {
            mechanism: "GSSAPI".to_owned(),
            credentials: None,
        };
        assert_eq!(code(&sasl), ResultCode::AuthMethodNotSupported);
        sasl.authentication = Authentication::Unknown;
        assert_eq!(code(&sasl), ResultCode::AuthMethodNotSupported);
    }

    #[test]
    fn version_two_needs_the_listeners_leave_and_has_simple_binds_alone() {
        let mut settings = settings(PlaintextBind::Allow);
        let mut bind = simple(ALICE, b"secret");
        let read = |bind: &Bind, settings: &Settings| {
            read(bind, settings, Transport::Tls, &from("192.0.2.1")).action
        };
        bind.version = 2;
        assert!(matches!(read(&bind, &settings), BindAction::Answer(_)));
        settings.version_two = VersionTwo::Allow;
        assert!(matches!(read(&bind, &settings), BindAction::User(..)));
        let mut nobody = simple(b"", b"");
        nobody.version = 2;
        assert!(matches!(read(&nobody, &settings), BindAction::Anonymous));
        bind.authentication = Authentication::Sasl {
            mechanism: "PLAIN".to_owned(),
            credentials: None,
        };
        for version in [1, 2, 4] {
            bind.version = version;
            let BindAction::Answer(result) = read(&bind, &settings) else {
                panic!("version {version}")
            };
            assert_eq!(result.code, ResultCode::ProtocolError);
        }
    }

    #[test]
    fn nobody_and_nothing_is_anonymous() {
        let action = action(
            &simple(b"", b""),
            PlaintextBind::Refuse,
            Transport::Plain,
            "192.0.2.1",
        );
        assert!(matches!(action, BindAction::Anonymous));
    }

    #[test]
    fn passwords_in_the_clear_need_the_listeners_leave() {
        let bind = simple(ALICE, b"secret");
        let cases = [
            (PlaintextBind::Refuse, Transport::Plain, "127.0.0.1", false),
            (PlaintextBind::Refuse, Transport::Tls, "192.0.2.1", true),
            (PlaintextBind::Loopback, Transport::Plain, "127.0.0.1", true),
            (
                PlaintextBind::Loopback,
                Transport::Plain,
                "::ffff:127.0.0.1",
                true,
            ),
            (
                PlaintextBind::Loopback,
                Transport::Plain,
                "192.0.2.1",
                false,
            ),
            (PlaintextBind::Allow, Transport::Plain, "192.0.2.1", true),
            (
                PlaintextBind::Refuse,
                Transport::Plain,
                "local:postfix",
                true,
            ),
        ];
        for (plaintext, transport, source, asked) in cases {
            match action(&bind, plaintext, transport, source) {
                BindAction::User(..) => assert!(asked, "{plaintext:?} {source}"),
                BindAction::Answer(result) => {
                    assert!(!asked, "{plaintext:?} {source}");
                    assert_eq!(result.code, ResultCode::ConfidentialityRequired);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn names_become_claims() {
        let ask = |name: &[u8]| {
            let bind = simple(name, b"secret");
            action(&bind, PlaintextBind::Allow, Transport::Plain, "192.0.2.1")
        };
        let BindAction::User(Claim::Typed(name), _) = ask(ALICE) else {
            panic!()
        };
        assert_eq!(name, "Alice");
        let asked = ask(b"CN=sssd, OU=services, DC=example, DC=org");
        let BindAction::Service(ServiceEvidence::Password { name, password }) = asked else {
            panic!()
        };
        assert_eq!(name, "sssd");
        assert_eq!(password.unwrap().as_bytes(), b"secret");
        for malformed in [
            &b"alice"[..],
            b"uid=alice,ou=people,dc=elsewhere",
            b"cn=alice,ou=people,dc=example,dc=org",
            b"uid=al\xffice,ou=people,dc=example,dc=org",
            b"dc=example,dc=org",
        ] {
            let BindAction::User(Claim::Malformed(_), _) = ask(malformed) else {
                panic!("{malformed:?}")
            };
        }
    }

    fn plain(message: &[u8], plaintext: PlaintextBind) -> ParsedBind {
        let bind = Bind {
            version: 3,
            name: UnparsedDn::new(b"cn=ignored"),
            authentication: Authentication::Sasl {
                mechanism: "PLAIN".to_owned(),
                credentials: Some(Secret::new(message.to_vec())),
            },
        };
        read(
            &bind,
            &settings(plaintext),
            Transport::Plain,
            &from("192.0.2.1"),
        )
    }

    /// What a message of EXTERNAL asks for, where the client showed this certificate.
    fn external(message: Option<&[u8]>, certificate: Option<&str>) -> BindAction {
        let mut settings = settings(PlaintextBind::Refuse);
        settings.tree = settings
            .tree
            .with_views([ViewName::parse("ou=mail").unwrap()]);
        let mut bind = simple(ALICE, b"");
        bind.authentication = Authentication::Sasl {
            mechanism: "EXTERNAL".to_owned(),
            credentials: message.map(|bytes| Secret::new(bytes.to_vec())),
        };
        let mut known = from("192.0.2.1");
        known.certificate =
            certificate.map(|name| Arc::new(CertificateNames::from_iter([name.parse().unwrap()])));
        let reading = read(&bind, &settings, Transport::Tls, &known);
        assert_eq!(reading.named, Named::Service);
        reading.action
    }

    #[test]
    fn sasl_external_asks_for_whom_the_certificate_stands() {
        for (message, expected) in [
            (None, None),
            (Some(&b""[..]), None),
            (Some(b"u:Dovecot"), Some("Dovecot")),
            (
                Some(b"dn:CN=dovecot,ou=Services,dc=example,dc=org"),
                Some("dovecot"),
            ),
            (
                Some(b"dn:cn=dovecot,ou=services,ou=mail,dc=example,dc=org"),
                Some("dovecot"),
            ),
        ] {
            let asked = external(message, Some("mx1.example.org"));
            let BindAction::Service(ServiceEvidence::Certificate { names, acting_as }) = asked
            else {
                panic!("{message:?}: {asked:?}")
            };
            assert_eq!(names.to_string(), "mx1.example.org");
            assert_eq!(acting_as.as_deref(), expected);
        }
    }

    #[test]
    fn sasl_external_makes_nobody_another() {
        for (message, code) in [
            (&b"dovecot"[..], ResultCode::InvalidCredentials),
            (b"dn:", ResultCode::InvalidCredentials),
            (
                b"dn:uid=alice,ou=people,dc=example,dc=org",
                ResultCode::InvalidCredentials,
            ),
            (b"dn:dc=example,dc=org", ResultCode::InvalidCredentials),
            (b"U:dovecot", ResultCode::InvalidCredentials),
            (b"u:dovecot\0", ResultCode::ProtocolError),
            (b"u:\xff", ResultCode::ProtocolError),
        ] {
            let BindAction::Answer(result) = external(Some(message), Some("mx1.example.org"))
            else {
                panic!("{message:?}")
            };
            assert_eq!(result.code, code, "{message:?}");
        }
        let BindAction::Answer(result) = external(Some(b""), None) else {
            panic!()
        };
        assert_eq!(result.code, ResultCode::AuthMethodNotSupported);
    }

    #[test]
    fn sasl_plain_is_a_bind_like_any_other() {
        for (message, name) in [
            (&b"\0alice\0secret"[..], "alice"),
            (b"alice\0alice\0secret", "alice"),
            (
                b"u:EXAMPLE\\alice\0EXAMPLE\\alice\0secret",
                "EXAMPLE\\alice",
            ),
            (b"\0a=b@example.org\0secret", "a=b@example.org"),
            (b"\0uid=Alice,ou=people,dc=example,dc=org\0secret", "Alice"),
            (
                b"dn:UID=alice,ou=People,dc=example,dc=org\0alice\0secret",
                "alice",
            ),
        ] {
            let reading = plain(message, PlaintextBind::Allow);
            assert_eq!(reading.named, Named::User);
            let BindAction::User(Claim::Typed(found), Evidence::Password(password)) =
                reading.action
            else {
                panic!("{message:?}")
            };
            assert_eq!(
                (found.as_str(), password.as_bytes()),
                (name, &b"secret"[..])
            );
        }
        let service = plain(
            b"\0cn=dovecot,ou=services,dc=example,dc=org\0secret",
            PlaintextBind::Allow,
        );
        assert_eq!(service.named, Named::Service);
        let BindAction::Service(ServiceEvidence::Password { name, .. }) = service.action else {
            panic!()
        };
        assert_eq!(name, "dovecot");
    }

    #[test]
    fn sasl_plain_makes_nobody_another() {
        for message in [
            &b"bob\0alice\0secret"[..],
            b"u:bob\0alice\0secret",
            b"dn:uid=bob,ou=people,dc=example,dc=org\0alice\0secret",
            b"dn:\0alice\0secret",
        ] {
            let BindAction::Answer(result) = plain(message, PlaintextBind::Allow).action else {
                panic!("{message:?}")
            };
            assert_eq!(result.code, ResultCode::InvalidCredentials);
            assert_eq!(result.diagnostic, "");
        }
        let BindAction::Answer(result) = plain(b"\0alice\0secret", PlaintextBind::Loopback).action
        else {
            panic!()
        };
        assert_eq!(result.code, ResultCode::ConfidentialityRequired);
        let BindAction::Answer(result) = plain(b"\0alice\0", PlaintextBind::Allow).action else {
            panic!()
        };
        assert_eq!(result.code, ResultCode::ProtocolError);
    }

    #[test]
    fn a_name_in_a_view_says_so() {
        let mut settings = settings(PlaintextBind::Allow);
        let mail = ViewName::parse("ou=mail").unwrap();
        settings.tree = settings.tree.with_views([mail.clone()]);
        let ask = |name: &[u8]| {
            let bind = simple(name, b"secret");
            read(&bind, &settings, Transport::Plain, &from("192.0.2.1"))
        };
        let inside = ask(b"uid=alice,ou=people,OU=Mail,dc=example,dc=org");
        assert_eq!(inside.view, Some(mail));
        assert!(
            matches!(inside.action, BindAction::User(Claim::Typed(name), _) if name == "alice")
        );
        assert_eq!(ask(ALICE).view, None);
    }
}
