//! CONTRACT.md 4: certificates, Unix users and views as keys of a `match`.

use std::sync::Arc;

use doorward_domain::certificate::{CertificateName, CertificateNames};
use doorward_domain::name::ViewName;
use doorward_domain::origin::{PeerUser, Source};
use doorward_domain::policy::asking::{ComplaintKind, ListenerFacts, Reach, Resources};
use doorward_domain::resource::{AccessContext, ConnectionContext, Match, Resource, ResourceKind};

use super::{complaints, facts, listener, matched, matching, too_easy};

fn certificate(text: &str) -> CertificateName {
    CertificateName::parse(text).unwrap()
}

fn user(text: &str) -> PeerUser {
    PeerUser::parse(text).unwrap()
}

fn view(text: &str) -> ViewName {
    ViewName::parse(text).unwrap()
}

fn by_certificate(names: &[&str]) -> Match {
    Match {
        client_certificate: names.iter().map(|text| certificate(text)).collect(),
        ..Match::default()
    }
}

fn by_user(names: &[&str]) -> Match {
    Match {
        peer_user: names.iter().map(|text| user(text)).collect(),
        ..Match::default()
    }
}

fn by_view(names: &[&str]) -> Match {
    Match {
        base: names.iter().map(|text| view(text)).collect(),
        ..Match::default()
    }
}

/// Whether a resource with this `match` is the one asking, and if not, why.
fn held(matched_by: Match, circumstances: ConnectionContext) -> Result<(), String> {
    let resources = Resources::new(vec![matched("r", ResourceKind::App, matched_by)]);
    let asking = AccessContext::Connection(circumstances);
    let found = resources.explain_asking(&asking);
    match found.chosen {
        Some(_) => Ok(()),
        None => Err(found.steps.first().unwrap().to_string()),
    }
}

fn from(source: &str) -> ConnectionContext {
    ConnectionContext::new(listener("l"), source.parse::<Source>().unwrap())
}

#[test]
fn contract_4_a_client_certificate_is_known_by_one_of_its_names() {
    let showing = |names: &[&str]| ConnectionContext {
        certificate: Some(Arc::new(
            names
                .iter()
                .map(|text| certificate(text))
                .collect::<CertificateNames>(),
        )),
        ..from("192.0.2.1")
    };
    let wanted = || by_certificate(&["mx1.example.org", "alice@example.org"]);
    assert_eq!(
        held(wanted(), showing(&["other", "MX1.Example.Org"])),
        Ok(())
    );
    assert_eq!(held(wanted(), showing(&["alice@EXAMPLE.org"])), Ok(()));
    assert_eq!(
        held(wanted(), showing(&["Alice@example.org", "mx2.example.org"])).unwrap_err(),
        "r: the certificate (Alice@example.org, mx2.example.org) has none of its names"
    );
    assert_eq!(
        held(wanted(), from("192.0.2.1")).unwrap_err(),
        "r: it needs a client certificate, and none was shown"
    );
}

#[test]
fn contract_4_a_unix_user_is_known_by_name_and_no_address_is_one() {
    let wanted = || by_user(&["postfix", "1000"]);
    assert_eq!(held(wanted(), from("local:postfix")), Ok(()));
    assert_eq!(held(wanted(), from("local:1000")), Ok(()));
    assert_eq!(
        held(wanted(), from("local:Postfix")).unwrap_err(),
        "r: Unix user Postfix is not among its users"
    );
    assert_eq!(
        held(wanted(), from("127.0.0.1")).unwrap_err(),
        "r: it needs a Unix user on a local socket, and this is none"
    );
}

#[test]
fn contract_4_no_network_holds_a_local_socket() {
    for everyone in ["0.0.0.0/0", "::/0", "127.0.0.0/8"] {
        assert_eq!(
            held(matching(&[], &[everyone], &[]), from("local:postfix")).unwrap_err(),
            "r: it needs a source address, and a local socket has none"
        );
    }
}

#[test]
fn contract_4_a_view_is_where_the_requests_name_lies() {
    let within = |name: &str| ConnectionContext {
        view: Some(view(name)),
        ..from("192.0.2.1")
    };
    let wanted = || by_view(&["ou=mail", "ou=web"]);
    assert_eq!(held(wanted(), within("ou=MAIL")), Ok(()));
    assert_eq!(held(wanted(), within("ou=web")), Ok(()));
    assert_eq!(
        held(wanted(), within("ou=app")).unwrap_err(),
        "r: view ou=app is not among its views"
    );
    assert_eq!(
        held(wanted(), from("192.0.2.1")).unwrap_err(),
        "r: it needs a view, and the request is in none"
    );
    // What names no view is content with any.
    assert_eq!(held(matching(&["l"], &[], &[]), within("ou=app")), Ok(()));
}

#[test]
fn contract_4_a_view_alone_is_easy_to_choose() {
    let l = || facts("l");
    assert!(too_easy(by_view(&["ou=mail"]), l()));
    let everyone = Match {
        base: vec![view("ou=mail")],
        ..matching(&["l"], &["0.0.0.0/0"], &[])
    };
    assert!(too_easy(everyone, l()));
    for further in [
        matching(&[], &[], &["dovecot"]),
        matching(&[], &["10.0.5.10/32"], &[]),
    ] {
        let both = Match {
            base: vec![view("ou=mail")],
            ..further
        };
        assert!(!too_easy(both, l()));
    }
}

#[test]
fn contract_4_certificates_and_unix_users_are_hard_to_choose() {
    let asking = ListenerFacts {
        client_certificates: true,
        ..facts("l")
    };
    let unix = ListenerFacts {
        reach: Reach::Unix,
        ..facts("l")
    };
    assert!(!too_easy(by_certificate(&["mx1.example.org"]), asking));
    assert!(!too_easy(by_user(&["dovecot"]), unix));
}

#[test]
fn contract_4_a_key_that_no_listener_can_fulfil_is_refused() {
    let unix = || ListenerFacts {
        reach: Reach::Unix,
        ..facts("unix")
    };
    let app = |matched_by| vec![matched("app", ResourceKind::App, matched_by)];
    let unreachable = [("app".to_owned(), ComplaintKind::Unreachable)];
    for (matched_by, listeners) in [
        (by_user(&["postfix"]), vec![facts("l")]),
        (by_certificate(&["mx1"]), vec![facts("l"), unix()]),
        (matching(&[], &["10.0.0.0/8"], &[]), vec![unix()]),
    ] {
        assert_eq!(complaints(app(matched_by), &listeners, &[]), unreachable);
    }
    assert_eq!(
        complaints(app(by_user(&["postfix"])), &[facts("l"), unix()], &[]),
        []
    );
}

/// The complaints about `later` behind `earlier`, on a listener that asks for certificates and one
/// on a Unix socket.
fn shadowed(earlier: &[Match], later: Match) -> bool {
    let listeners = [
        ListenerFacts {
            client_certificates: true,
            ..facts("l")
        },
        ListenerFacts {
            reach: Reach::Unix,
            ..facts("unix")
        },
    ];
    let mut resources: Vec<Resource> = earlier
        .iter()
        .enumerate()
        .map(|(place, one)| matched(&format!("e{place}"), ResourceKind::App, one.clone()))
        .collect();
    resources.push(matched("later", ResourceKind::App, later));
    match complaints(resources, &listeners, &[]).as_slice() {
        [] => false,
        [(name, ComplaintKind::Shadowed { .. })] => {
            assert_eq!(name, "later");
            true
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn contract_4_shadowing_looks_at_every_key() {
    let names = by_certificate;
    assert!(shadowed(&[names(&["MX1", "mx2"])], names(&["mx1"])));
    assert!(!shadowed(&[names(&["mx1"])], names(&["mx1", "mx2"])));
    assert!(shadowed(
        &[names(&["mx1"]), names(&["mx2"])],
        names(&["mx1", "mx2"])
    ));
    assert!(shadowed(&[by_user(&["a", "b"])], by_user(&["b"])));
    assert!(!shadowed(&[by_user(&["a"])], by_user(&["A"])));
    assert!(shadowed(&[by_view(&["ou=mail"])], by_view(&["ou=Mail"])));
    assert!(!shadowed(
        &[by_view(&["ou=mail"])],
        by_view(&["ou=mail", "ou=web"])
    ));
    // What asks for less takes what asks for more, and not the other way round.
    let everything = || matching(&["l"], &[], &[]);
    for narrower in [names(&["mx1"]), by_view(&["ou=mail"])] {
        let narrower = Match {
            listener: vec![listener("l")],
            ..narrower
        };
        assert!(shadowed(&[everything()], narrower.clone()));
        assert!(!shadowed(&[narrower], everything()));
    }
    // A network takes nobody of a Unix socket.
    let networks = matching(&[], &["0.0.0.0/0", "::/0"], &[]);
    assert!(shadowed(std::slice::from_ref(&networks), everything()));
    assert!(!shadowed(&[networks], matching(&["unix"], &[], &[])));
    // One key may not be mistaken for another.
    assert!(!shadowed(
        &[names(&["mx1"])],
        matching(&["l"], &[], &["mx1"])
    ));
}
