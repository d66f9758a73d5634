//! LDAP requests and results in words, for whoever watches: names stay names, and no password, no
//! value that nobody may read, is in them.
//!
//! Must not know who watches, sockets or clocks.

use super::decode::{
    Authentication, ChangeKind, Compare, Control, Operation, Request, Scope, Search, UnparsedDn,
};
use super::extended;
use super::filter::{Assertion, Filter};
use super::result::LdapResult;
use super::sasl::{Mechanism, Plain};
use super::session::{CloseReason, Identity};
use super::tree::{Place, Tree};
use doorward_observe::watch::{Detail, Name, Words, said};

/// How many of a request's attributes or controls are shown.
const SHOWN: usize = 32;
/// How deep a filter is shown.
const DEPTH: usize = 16;

/// Attributes whose values people type where they log in, so that a password may be among them.
const TYPED: [&str; 12] = [
    "uid",
    "mail",
    "cn",
    "sn",
    "givenname",
    "displayname",
    "gecos",
    "memberuid",
    "userid",
    "samaccountname",
    "userprincipalname",
    "krbprincipalname",
];

/// A request, and what it consists of.
pub fn request(request: &Request, tree: &Tree) -> (Words, Vec<Detail>) {
    let mut details = Vec::new();
    let words = match &request.operation {
        Operation::Bind(bind) => {
            let words = Words::of("bind as ").then(bind_name(bind, tree));
            let words = words.and(match &bind.authentication {
                Authentication::Simple(password) if password.is_empty() => {
                    " without a password".to_owned()
                }
                Authentication::Simple(_) => " with a password".to_owned(),
                Authentication::Sasl { mechanism, .. } => {
                    format!(" by SASL {}", said(mechanism))
                }
                Authentication::Unknown => " by a method that LDAP does not define".to_owned(),
            });
            match bind.version {
                3 => words,
                version => words.and(format!(", version {version}")),
            }
        }
        Operation::Unbind => Words::of("unbind"),
        Operation::Search(wanted) => search(wanted, tree, &mut details),
        Operation::Compare(wanted) => compare(wanted, tree),
        Operation::Modify(modify) => {
            for change in modify.changes.iter().take(SHOWN) {
                let how = match change.kind {
                    ChangeKind::Add => "add",
                    ChangeKind::Delete => "delete",
                    ChangeKind::Replace => "replace",
                    ChangeKind::Other => "unknown",
                };
                let value = format!(
                    "{}, {} values hidden",
                    said(&change.attribute),
                    change.values.len()
                );
                details.push(Detail::new(how, value));
            }
            Words::of("modify ").then(dn(&modify.target, tree))
        }
        Operation::Add { target } => Words::of("add ").then(dn(target, tree)),
        Operation::Delete { target } => Words::of("delete ").then(dn(target, tree)),
        Operation::ModifyDn { target } => Words::of("rename ").then(dn(target, tree)),
        Operation::Abandon(id) => Words::of(format!("abandon message {id}")),
        Operation::Extended(wanted) => match extended::Operation::named(&wanted.oid) {
            extended::Operation::StartTls => Words::of("StartTLS"),
            extended::Operation::WhoAmI => Words::of("WhoAmI"),
            extended::Operation::PasswordModify => Words::of("Password Modify, hidden"),
            extended::Operation::Unknown => {
                Words::of(format!("extended operation {}", said(&wanted.oid)))
            }
        },
    };
    details.extend(request.controls.iter().take(SHOWN).map(control));
    (words, details)
}

fn bind_name(bind: &super::decode::Bind, tree: &Tree) -> Words {
    match &bind.authentication {
        Authentication::Sasl {
            mechanism,
            credentials: Some(credentials),
        } if Mechanism::named(mechanism) == Some(Mechanism::Plain) => {
            match Plain::read(credentials.expose()) {
                Ok(message) => {
                    let name = UnparsedDn::new(message.authentication.as_bytes());
                    match name.parse() {
                        Ok(_) => dn(&name, tree),
                        Err(_) => Words::from(Name::user(&message.authentication)),
                    }
                }
                Err(_) => Words::of("nobody: the message is malformed"),
            }
        }
        _ if bind.name.is_empty() => Words::of("nobody"),
        _ => dn(&bind.name, tree),
    }
}

/// A name in the tree. Its first value may have been typed, and so may be a password.
fn dn(name: &UnparsedDn, tree: &Tree) -> Words {
    if name.is_empty() {
        return Words::of("the root DSE");
    }
    let unknown = || Words::from(Name::entry(name.as_bytes()));
    let Ok(parsed) = name.parse() else {
        return unknown();
    };
    let text = String::from_utf8_lossy(name.as_bytes());
    match tree.around(&parsed).locate(&parsed) {
        Place::Subschema | Place::Fixed(_) | Place::Root => return Words::of(said(&*text)),
        Place::Person(name) => first_value(&text, Name::user(name)),
        Place::Service(name) => first_value(&text, Name::service(name)),
        Place::Group(name) | Place::SudoRole(name) => first_value(&text, Name::entry(name)),
        Place::Nowhere(_) => {
            let value = text.split_once(',').map_or(&*text, |(first, _)| first);
            let value = value.split_once('=').map_or(value, |(_, value)| value);
            first_value(&text, Name::entry(value))
        }
    }
    .unwrap_or_else(unknown)
}

/// A DN with its first value as a name; nothing where the rest does not look like a DN of a
/// directory, since all of it may have been typed.
fn first_value(text: &str, name: Name) -> Option<Words> {
    let (first, rest) = text.split_once(',')?;
    let (kind, _) = first.split_once('=')?;
    let is_known = |rdn: &str| {
        let kind = rdn.trim().split('=').next().unwrap_or_default();
        ["dc", "ou", "o", "cn", "c", "l", "st"]
            .iter()
            .any(|known| kind.trim().eq_ignore_ascii_case(known))
    };
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    (rest.split(',').all(is_known) && plain(kind) && plain(rest) && rest.len() <= 512).then(|| {
        Words::of(format!("{}=", kind.trim()))
            .name(name)
            .and(format!(",{}", rest.trim()))
    })
}

fn search(wanted: &Search, tree: &Tree, details: &mut Vec<Detail>) -> Words {
    let scope = match wanted.scope {
        Scope::Base => "base",
        Scope::OneLevel => "one level below",
        Scope::Subtree => "subtree of",
    };
    details.push(Detail::new("filter", filter(&wanted.filter, DEPTH)));
    if !wanted.attributes.is_empty() {
        let mut names: Vec<String> = wanted.attributes.iter().take(SHOWN).map(said).collect();
        if wanted.attributes.len() > SHOWN {
            names.push(format!("and {} more", wanted.attributes.len() - SHOWN));
        }
        details.push(Detail::new("attributes", names.join(" ")));
    }
    if let Some(limit) = wanted.size_limit {
        details.push(Detail::new("size limit", limit.to_string()));
    }
    if let Some(limit) = wanted.time_limit {
        details.push(Detail::new("time limit", format!("{limit} s")));
    }
    Words::of(format!("search, {scope} ")).then(dn(&wanted.base, tree))
}

fn compare(wanted: &Compare, tree: &Tree) -> Words {
    let assertion = Filter::equality(wanted.attribute.clone(), wanted.value.clone());
    Words::of("compare ")
        .then(dn(&wanted.entry, tree))
        .and(" with ")
        .then(filter(&assertion, 1))
}

/// A filter (RFC 4515). What is compared with what people type stays a name; what nobody may read is
/// left out.
fn filter(wanted: &Filter, depth: usize) -> Words {
    if depth == 0 {
        return Words::of("(…)");
    }
    let set = |operator: &'static str, filters: &[Filter]| {
        let begun = Words::of("(").and(operator);
        let inside = filters.iter().take(SHOWN);
        let mut words = inside.fold(begun, |words, one| words.then(filter(one, depth - 1)));
        if filters.len() > SHOWN {
            words = words.and("…");
        }
        words.and(")")
    };
    match wanted {
        Filter::And(filters) => set("&", filters),
        Filter::Or(filters) => set("|", filters),
        Filter::Not(one) => Words::of("(!").then(filter(one, depth - 1)).and(")"),
        Filter::Equality(assertion) if is_typed(&assertion.attribute) => typed(assertion, "="),
        Filter::Approximate(assertion) if is_typed(&assertion.attribute) => typed(assertion, "~="),
        Filter::GreaterOrEqual(assertion) if is_typed(&assertion.attribute) => {
            typed(assertion, ">=")
        }
        Filter::LessOrEqual(assertion) if is_typed(&assertion.attribute) => typed(assertion, "<="),
        Filter::Substrings(substrings) if is_typed(&substrings.attribute) => {
            let mut pieces = Vec::new();
            let all = substrings.initial.iter().chain(&substrings.any);
            for piece in all.chain(&substrings.last) {
                pieces.extend_from_slice(piece);
            }
            Words::of(format!("({}=*", attribute(&substrings.attribute)))
                .name(Name::entry(pieces))
                .and("*)")
        }
        // Any attribute, or one that is not known here: names as well as anything else.
        Filter::Extensible(_) => Words::of("(an extensible match, hidden)"),
        other => Words::of(cut(&other.for_log().to_string())),
    }
}

fn is_typed(attribute: &str) -> bool {
    let base = attribute.split(';').next().unwrap_or_default();
    TYPED.iter().any(|typed| base.eq_ignore_ascii_case(typed))
        || super::schema::attribute(base).is_none()
}

fn typed(assertion: &Assertion, operator: &str) -> Words {
    Words::of(format!("({}{operator}", attribute(&assertion.attribute)))
        .name(Name::entry(&assertion.value))
        .and(")")
}

/// A description as filters write it.
fn attribute(name: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || "-.;_".contains(*c);
    name.chars().filter(is_plain).take(64).collect()
}

fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(512).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

fn control(control: &Control) -> Detail {
    let name = match control.oid.as_str() {
        "1.2.840.113556.1.4.319" => "paged results".to_owned(),
        "1.2.840.113556.1.4.473" => "server-side sorting".to_owned(),
        "1.3.6.1.4.1.42.2.27.8.5.1" => "password policy".to_owned(),
        "2.16.840.1.113730.3.4.2" => "ManageDsaIT".to_owned(),
        "1.3.6.1.4.1.4203.1.9.1.1" => "content synchronization".to_owned(),
        other => said(other),
    };
    let critical = if control.critical { ", critical" } else { "" };
    Detail::new("control", format!("{name}{critical}"))
}

/// How an operation ended. Where it names an entry the name is not shown: the client knows it.
pub fn result(result: &LdapResult) -> String {
    let mut text = result.code.to_string();
    if !result.diagnostic.is_empty() {
        text.extend([", ", &cut(&result.diagnostic)]);
    }
    text
}

/// Who the connection speaks as.
pub fn identity(identity: &Identity) -> Option<Name> {
    match identity {
        Identity::Anonymous => None,
        Identity::User(proof) => Some(Name::user(proof.username().as_str())),
        Identity::ChangeOnly(proof) => Some(Name::user(proof.username().as_str())),
        Identity::Service(proof) => Some(Name::service(proof.name().as_str())),
    }
}

/// What can be done where a connection is not let in.
pub fn cure_of_turning_away(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "source" => "the listener's `sources` do not have the address",
        "total" => "as many connections are open as ldap.max_connections allows",
        "per_source" => {
            "as many connections of this address are open as ldap.max_connections_per_source \
             allows"
        }
        "rate" => "the address opens more connections a second than throttle.source_connections",
        "proxy_header" => {
            "the address is among the listener's proxy_protocol, and sent no header: switch the \
             PROXY protocol on there, or take it out here"
        }
        "peer" => "the system does not say who is on the Unix socket",
        _ => return None,
    })
}

/// What can be done where a connection ended.
pub fn cure_of_close(reason: CloseReason) -> Option<&'static str> {
    Some(match reason {
        CloseReason::Malformed => {
            "what came is no LDAP: a client that speaks TLS to a port without, or the other way \
             round, looks like this"
        }
        CloseReason::RepeatedId => "the client uses the id of a request that is not answered yet",
        CloseReason::BytesBehindStartTls => "the client did not wait for the answer to StartTLS",
        CloseReason::Unavailable => "the store takes no writes: see the daemon's log",
        CloseReason::Idle => "nothing came for ldap.idle_timeout, or ldap.anonymous_idle_timeout",
        CloseReason::Displaced => {
            "nobody had bound here, and another connection needed the place: bind at once, or raise \
             ldap.max_connections or ldap.max_connections_per_source"
        }
        CloseReason::SlowReader => {
            "the client was ldap.write_timeout behind with what was sent to it"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::{Bind, Deref, MessageId};
    use crate::dn::DistinguishedName;
    use doorward_domain::secret::Secret;

    fn tree() -> Tree {
        Tree::new(
            DistinguishedName::parse("dc=example,dc=org").unwrap(),
            "Example",
        )
    }

    fn text(words: &Words) -> String {
        words.written(|name| format!("<{}>", name.typed))
    }

    fn told(operation: Operation) -> String {
        let request = Request {
            id: MessageId::new(1).unwrap(),
            operation,
            controls: Vec::new(),
        };
        let (words, details) = super::request(&request, &tree());
        let details = details.iter();
        let details = details.map(|one| format!("; {} {}", one.name, text(&one.value)));
        text(&words) + &details.collect::<String>()
    }

    fn bind(name: &str, password: &str) -> String {
        told(Operation::Bind(Bind {
            version: 3,
            name: UnparsedDn::new(name.as_bytes()),
            authentication: Authentication::Simple(Secret::new(password.as_bytes().to_vec())),
        }))
    }

    #[test]
    fn a_bind_shows_its_name_and_no_password() {
        assert_eq!(
            bind("uid=alice,ou=people,dc=example,dc=org", "hunter2"),
            "bind as uid=<alice>,ou=people,dc=example,dc=org with a password"
        );
        assert_eq!(
            bind("cn=sssd,ou=services,dc=example,dc=org", "hunter2"),
            "bind as cn=<sssd>,ou=services,dc=example,dc=org with a password"
        );
        assert_eq!(bind("", ""), "bind as nobody without a password");
        // A wrong branch is seen; what may all have been typed is a name.
        assert_eq!(
            bind("uid=alice,ou=users,dc=example,dc=net", "hunter2"),
            "bind as uid=<alice>,ou=users,dc=example,dc=net with a password"
        );
        assert_eq!(
            bind("pass=a,b=c", "x"),
            "bind as <pass=a,b=c> with a password"
        );
        assert_eq!(bind("hunter2", "x"), "bind as <hunter2> with a password");
        let plain = Operation::Bind(Bind {
            version: 3,
            name: UnparsedDn::new(Vec::new()),
            authentication: Authentication::Sasl {
                mechanism: "PLAIN".to_owned(),
                credentials: Some(Secret::new(b"\0alice\0hunter2".to_vec())),
            },
        });
        assert_eq!(told(plain), "bind as <alice> by SASL 'PLAIN'");
    }

    fn find(filter: &str) -> String {
        told(Operation::Search(Search {
            base: UnparsedDn::new(&b"dc=example,dc=org"[..]),
            scope: Scope::Subtree,
            deref: Deref::Never,
            size_limit: None,
            time_limit: None,
            types_only: false,
            filter: filter.parse().unwrap(),
            attributes: vec!["uid".to_owned(), "+".to_owned()],
        }))
    }

    #[test]
    fn what_is_typed_is_a_name_and_what_is_secret_is_left_out() {
        assert_eq!(
            find("(&(objectClass=posixAccount)(uid=alice))"),
            "search, subtree of 'dc=example,dc=org'; filter (&(objectClass=posixAccount)\
             (uid=<alice>)); attributes 'uid' '+'"
        );
        for filter in [
            "(userPassword=hunter2)",
            "(userPassword=*hunter2*)",
            "(userPassword>=hunter2)",
            "(!(userPassword=hunter2))",
            "(cn:caseExactMatch:=hunter2)",
            "(:caseExactMatch:=hunter2)",
        ] {
            assert!(!find(filter).contains("hunter2"), "{}", find(filter));
        }
        for filter in ["(password=hunter2)", "(mail=hunt*er2)", "(login~=hunter2)"] {
            assert!(find(filter).contains("<hunter2>"), "{}", find(filter));
        }
        let compare = Operation::Compare(Compare {
            entry: UnparsedDn::new(&b"uid=alice,ou=people,dc=example,dc=org"[..]),
            attribute: "userPassword".to_owned(),
            value: b"hunter2".to_vec(),
        });
        assert_eq!(
            told(compare),
            "compare uid=<alice>,ou=people,dc=example,dc=org with (userPassword=…)"
        );
    }

    proptest! {
        #[test]
        fn any_name_is_told(name in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = told(Operation::Delete { target: UnparsedDn::new(name) });
        }
    }
}
