//! What a bind request asks for (RFC 4511 section 4.2, RFC 4513 section 5), before anybody is
//! asked about it.
//!
//! Pure: it looks at the request, the transport and the listener's settings, never at an account.
//! A name that is malformed or stands for nothing becomes an attempt like any other, so that its
//! refusal has the same bytes and takes the same time (CONTRACT.md 5.2).

use super::decode::{Authentication, Bind};
use super::result::{LdapResult, ResultCode};
use super::settings::{Settings, VersionTwo};
use super::tree::Place;
use crate::authenticator::{Claim, Evidence};
use crate::domain::origin::Source;

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
pub enum Wish {
    /// Answer this; nobody is asked.
    Answer(LdapResult),
    /// Be anonymous (RFC 4513 section 5.1.1).
    Anonymous,
    /// Ask whether this is that user.
    User(Claim, Evidence),
    /// Ask whether this is that service account.
    Service(String, Evidence),
}

/// Reads a bind request that came over `transport` from `source`.
pub fn read(
    bind: &Bind,
    settings: &Settings,
    transport: Transport,
    source: &Source,
) -> (Named, Wish) {
    let place = bind.name.parse().map(|dn| settings.tree.locate(&dn));
    let named = match &place {
        Ok(Place::Root) => Named::Nobody,
        Ok(Place::Service(_)) => Named::Service,
        _ => Named::User,
    };
    let answer = |code, text: &str| Wish::Answer(LdapResult::with_diagnostic(code, text));
    let simple = matches!(bind.authentication, Authentication::Simple(_));
    let version_two = bind.version == 2 && simple && settings.version_two == VersionTwo::Allow;
    if bind.version != 3 && !version_two {
        let wish = answer(
            ResultCode::ProtocolError,
            "only LDAP version 3 is spoken here",
        );
        return (named, wish);
    }
    let Authentication::Simple(password) = &bind.authentication else {
        let wish = answer(
            ResultCode::AuthMethodNotSupported,
            "only simple binds are supported",
        );
        return (named, wish);
    };
    let wish = if password.is_empty() {
        if bind.name.is_empty() {
            Wish::Anonymous
        } else {
            // RFC 4513 section 5.1.2: an application that forgot to check for an empty password
            // must not take this for a login.
            answer(
                ResultCode::UnwillingToPerform,
                "a name without a password proves nothing",
            )
        }
    } else if transport == Transport::Plain && !settings.plaintext_bind.permits(source) {
        answer(
            ResultCode::ConfidentialityRequired,
            "use TLS before sending a password",
        )
    } else {
        match place {
            // A password for nobody; RFC 4513 section 5.1 leaves no meaning for it.
            Ok(Place::Root) => Wish::Answer(ResultCode::InvalidCredentials.into()),
            Ok(Place::Person(name)) => {
                Wish::User(Claim::Typed(name), Evidence::password(password.expose()))
            }
            Ok(Place::Service(name)) => Wish::Service(name, Evidence::password(password.expose())),
            _ => {
                let text = String::from_utf8_lossy(bind.name.as_bytes()).into_owned();
                Wish::User(
                    Claim::Malformed(text),
                    Evidence::password(password.expose()),
                )
            }
        }
    };
    (named, wish)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::ListenerName;
    use crate::domain::secret::Secret;
    use crate::ldap::decode::UnparsedDn;
    use crate::ldap::dn::DistinguishedName;
    use crate::ldap::settings::{PlaintextBind, TlsMode};
    use crate::ldap::tree::Tree;

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

    fn wish(bind: &Bind, plaintext: PlaintextBind, transport: Transport, source: &str) -> Wish {
        read(
            bind,
            &settings(plaintext),
            transport,
            &source.parse().unwrap(),
        )
        .1
    }

    fn code(bind: &Bind) -> ResultCode {
        match wish(bind, PlaintextBind::Refuse, Transport::Tls, "192.0.2.1") {
            Wish::Answer(result) => result.code,
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
        assert_eq!(code(&sasl), ResultCode::AuthMethodNotSupported);
        sasl.authentication = Authentication::Unknown;
        assert_eq!(code(&sasl), ResultCode::AuthMethodNotSupported);
    }

    #[test]
    fn version_two_needs_the_listeners_leave_and_has_simple_binds_alone() {
        let mut settings = settings(PlaintextBind::Allow);
        let mut bind = simple(ALICE, b"secret");
        let read = |bind: &Bind, settings: &Settings| {
            let source: Source = "192.0.2.1".parse().unwrap();
            read(bind, settings, Transport::Tls, &source).1
        };
        bind.version = 2;
        assert!(matches!(read(&bind, &settings), Wish::Answer(_)));
        settings.version_two = VersionTwo::Allow;
        assert!(matches!(read(&bind, &settings), Wish::User(..)));
        let mut nobody = simple(b"", b"");
        nobody.version = 2;
        assert!(matches!(read(&nobody, &settings), Wish::Anonymous));
        bind.authentication = Authentication::Sasl {
            mechanism: "PLAIN".to_owned(),
            credentials: None,
        };
        for version in [1, 2, 4] {
            bind.version = version;
            let Wish::Answer(result) = read(&bind, &settings) else {
                panic!("version {version}")
            };
            assert_eq!(result.code, ResultCode::ProtocolError);
        }
    }

    #[test]
    fn nobody_and_nothing_is_anonymous() {
        let wish = wish(
            &simple(b"", b""),
            PlaintextBind::Refuse,
            Transport::Plain,
            "192.0.2.1",
        );
        assert!(matches!(wish, Wish::Anonymous));
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
            match wish(&bind, plaintext, transport, source) {
                Wish::User(..) => assert!(asked, "{plaintext:?} {source}"),
                Wish::Answer(result) => {
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
            wish(&bind, PlaintextBind::Allow, Transport::Plain, "192.0.2.1")
        };
        let Wish::User(Claim::Typed(name), _) = ask(ALICE) else {
            panic!()
        };
        assert_eq!(name, "Alice");
        let Wish::Service(name, _) = ask(b"CN=sssd, OU=services, DC=example, DC=org") else {
            panic!()
        };
        assert_eq!(name, "sssd");
        for malformed in [
            &b"alice"[..],
            b"uid=alice,ou=people,dc=elsewhere",
            b"cn=alice,ou=people,dc=example,dc=org",
            b"uid=al\xffice,ou=people,dc=example,dc=org",
            b"dc=example,dc=org",
        ] {
            let Wish::User(Claim::Malformed(_), _) = ask(malformed) else {
                panic!("{malformed:?}")
            };
        }
    }
}
