//! CONTRACT.md 4: which resource is asking, and what a start refuses.

#[cfg(test)]
mod keys;

use std::net::IpAddr;
use std::sync::Arc;

use doorward_domain::name::{ClientName, ListenerName, ServiceName};
use doorward_domain::origin::Source;
use doorward_domain::policy::asking::{
    Complaint, ComplaintKind, Leniency, ListenerFacts, Reach, Resources, check, ssid_of,
};
use doorward_domain::resource::{
    AccessContext, ClientResources, ConnectionContext, Match, Override, Resource, ResourceKind,
};
use proptest::prelude::*;

use crate::common::{name, resource};

fn listener(text: &str) -> ListenerName {
    ListenerName::parse(text).unwrap()
}

fn matching(listeners: &[&str], sources: &[&str], services: &[&str]) -> Match {
    Match {
        listener: listeners.iter().map(|text| listener(text)).collect(),
        source: sources.iter().map(|text| text.parse().unwrap()).collect(),
        service: services
            .iter()
            .map(|text| ServiceName::parse(text).unwrap())
            .collect(),
        ..Match::default()
    }
}

fn matched(text: &str, kind: ResourceKind, matched_by: Match) -> Resource {
    Resource {
        matched_by: Some(matched_by),
        ..resource(text, kind)
    }
}

fn connection(through: &str, source: &str, service: Option<&str>) -> AccessContext {
    AccessContext::Connection(ConnectionContext {
        service: service.map(|text| ServiceName::parse(text).unwrap()),
        ..ConnectionContext::new(listener(through), source.parse::<Source>().unwrap())
    })
}

fn client(resource: &str, ssid: &[(&str, &str)], default: Option<&str>) -> ClientResources {
    ClientResources {
        client: ClientName::parse("wlc1").unwrap(),
        resource: name(resource),
        ssid: ssid
            .iter()
            .map(|(ssid, resource)| ((*ssid).to_owned(), name(resource)))
            .collect(),
        ssid_default: default.map(name),
        mab: false,
    }
}

fn radius(client: &ClientResources, called_station: Option<&str>) -> AccessContext {
    AccessContext::Radius {
        client: Arc::new(client.clone()),
        called_station: called_station.map(str::to_owned),
    }
}

fn chosen<'a>(resources: &'a Resources, asking: &AccessContext) -> Option<&'a str> {
    let found = resources.asking(asking).map(|r| r.name.as_str());
    // What is explained is what is decided.
    let explained = resources.explain_asking(asking);
    assert_eq!(explained.chosen.map(|r| r.name.as_str()), found);
    assert!(!explained.steps.is_empty());
    assert_eq!(explained.steps.last().unwrap().held, found.is_some());
    found
}

#[test]
fn contract_4_the_first_in_file_order_is_the_one_asking() {
    let resources = Resources::new(vec![
        matched(
            "mail",
            ResourceKind::Email,
            matching(&["shared"], &[], &["dovecot"]),
        ),
        matched(
            "hosts",
            ResourceKind::Endpoint,
            matching(&["shared"], &["10.0.0.0/8"], &[]),
        ),
        matched("app", ResourceKind::App, matching(&["shared"], &[], &[])),
    ]);
    let ask = |source, service| chosen(&resources, &connection("shared", source, service));
    assert_eq!(ask("10.1.1.1", Some("dovecot")), Some("mail"));
    assert_eq!(ask("10.1.1.1", Some("sssd")), Some("hosts"));
    assert_eq!(ask("10.1.1.1", None), Some("hosts"));
    assert_eq!(ask("192.0.2.1", None), Some("app"));
    assert_eq!(
        chosen(
            &resources,
            &connection("other", "10.1.1.1", Some("dovecot"))
        ),
        None
    );
}

#[test]
fn contract_4_every_key_of_a_match_must_hold() {
    let resources = Resources::new(vec![matched(
        "mail",
        ResourceKind::Email,
        matching(
            &["mail", "shared"],
            &["10.0.5.0/24", "2001:db8::/32"],
            &["dovecot"],
        ),
    )]);
    let ask = |through, source, service| chosen(&resources, &connection(through, source, service));
    assert_eq!(ask("mail", "10.0.5.10", Some("dovecot")), Some("mail"));
    assert_eq!(ask("shared", "2001:db8::1", Some("dovecot")), Some("mail"));
    assert_eq!(ask("hosts", "10.0.5.10", Some("dovecot")), None);
    assert_eq!(ask("mail", "10.0.6.10", Some("dovecot")), None);
    assert_eq!(ask("mail", "10.0.5.10", Some("sssd")), None);
    assert_eq!(ask("mail", "10.0.5.10", None), None);
    // Names of the configuration compare without regard to case.
    assert_eq!(ask("MAIL", "10.0.5.10", Some("Dovecot")), Some("mail"));
}

#[test]
fn contract_4_an_ipv4_mapped_address_is_ipv4() {
    let by = |net| {
        Resources::new(vec![matched(
            "r",
            ResourceKind::App,
            matching(&[], &[net], &[]),
        )])
    };
    let mapped = connection("l", "::ffff:10.1.2.3", None);
    assert_eq!(chosen(&by("10.0.0.0/8"), &mapped), Some("r"));
    assert_eq!(chosen(&by("::ffff:10.0.0.0/104"), &mapped), Some("r"));
    assert_eq!(
        chosen(
            &by("::ffff:10.0.0.0/104"),
            &connection("l", "10.1.2.3", None)
        ),
        Some("r")
    );
    assert_eq!(chosen(&by("::/0"), &mapped), None);
    assert_eq!(chosen(&by("::ffff:10.2.0.0/112"), &mapped), None);
}

#[test]
fn contract_4_a_match_without_keys_never_holds() {
    let resources = Resources::new(vec![
        matched("open", ResourceKind::App, Match::default()),
        resource("vpn", ResourceKind::Vpn),
    ]);
    assert_eq!(
        chosen(&resources, &connection("l", "10.0.0.1", Some("sssd"))),
        None
    );
}

#[test]
fn contract_4_the_portal_is_no_resource() {
    let resources = Resources::new(vec![resource("vpn", ResourceKind::Vpn)]);
    assert_eq!(chosen(&resources, &AccessContext::Portal), None);
}

#[test]
fn contract_4_a_radius_client_names_its_resource() {
    let resources = Resources::new(vec![resource("VPN", ResourceKind::Vpn)]);
    let plain = client("vpn", &[], None);
    for called_station in [None, Some("00-11-22-33-44-55:guest"), Some("5551234")] {
        assert_eq!(
            chosen(&resources, &radius(&plain, called_station)),
            Some("VPN")
        );
    }
    assert_eq!(
        chosen(&resources, &radius(&client("gone", &[], None), None)),
        None
    );
}

fn wireless() -> Resources {
    Resources::new(vec![
        resource("wifi", ResourceKind::Wifi),
        resource("guest-wifi", ResourceKind::Wifi),
        resource("fallback", ResourceKind::Wifi),
    ])
}

#[test]
fn contract_4_an_ssid_map_names_others_and_refuses_what_it_does_not_know() {
    let mapping = [("guest", "guest-wifi"), ("a:b", "fallback")];
    let strict = client("wifi", &mapping, None);
    let lenient = client("wifi", &mapping, Some("fallback"));
    let resources = wireless();
    let ask = |client: &ClientResources, text| chosen(&resources, &radius(client, text));
    for (called_station, by_strict, by_lenient) in [
        // The SSID is what follows the MAC, in every form vendors write it.
        (
            Some("00-11-22-33-44-55:guest"),
            Some("guest-wifi"),
            Some("guest-wifi"),
        ),
        (
            Some("00:11:22:33:44:55:guest"),
            Some("guest-wifi"),
            Some("guest-wifi"),
        ),
        (
            Some("00.11.22.33.44.55:guest"),
            Some("guest-wifi"),
            Some("guest-wifi"),
        ),
        (
            Some("0011.2233.aabb:guest"),
            Some("guest-wifi"),
            Some("guest-wifi"),
        ),
        (
            Some("001122AABBCC:guest"),
            Some("guest-wifi"),
            Some("guest-wifi"),
        ),
        (
            Some("ap-name:guest"),
            Some("guest-wifi"),
            Some("guest-wifi"),
        ),
        // An SSID may hold colons.
        (
            Some("00-11-22-33-44-55:a:b"),
            Some("fallback"),
            Some("fallback"),
        ),
        (
            Some("00:11:22:33:44:55:a:b"),
            Some("fallback"),
            Some("fallback"),
        ),
        (Some("00-11-22-33-44-55:x:guest"), None, Some("fallback")),
        // Not in the map, case included.
        (Some("00-11-22-33-44-55:Guest"), None, Some("fallback")),
        (Some("00-11-22-33-44-55: guest"), None, Some("fallback")),
        (Some("00-11-22-33-44-55:corp"), None, Some("fallback")),
        // Neither a MAC nor a colon: what it says of the SSID cannot be told.
        (Some("guest"), None, Some("fallback")),
        (Some("00-11-22-33-44"), None, Some("fallback")),
        (Some("00-11-22-33-44-55guest"), None, Some("fallback")),
        // No SSID at all.
        (None, Some("wifi"), Some("wifi")),
        (Some(""), Some("wifi"), Some("wifi")),
        (Some("00-11-22-33-44-55"), Some("wifi"), Some("wifi")),
        (Some("00:11:22:33:44:55"), Some("wifi"), Some("wifi")),
        (Some("001122334455"), Some("wifi"), Some("wifi")),
        (Some("00-11-22-33-44-55:"), Some("wifi"), Some("wifi")),
    ] {
        assert_eq!(
            ask(&strict, called_station),
            by_strict,
            "{called_station:?}"
        );
        assert_eq!(
            ask(&lenient, called_station),
            by_lenient,
            "{called_station:?}"
        );
    }
}

#[test]
fn contract_9_the_ssid_is_known_to_the_audit_log() {
    assert_eq!(ssid_of(Some("00:11:22:33:44:55:a:b")), Some("a:b"));
    assert_eq!(ssid_of(Some("00-11-22-33-44-55")), None);
    assert_eq!(ssid_of(None), None);
}

proptest! {
    #[test]
    fn contract_4_an_ssid_is_found_behind_every_form_of_mac(
        mac in any::<[u8; 6]>(),
        ssid in "[ -~äé日]{1,32}",
    ) {
        let pairs = |separator: &str| {
            mac.iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(separator)
        };
        for written in [pairs("-"), pairs(":"), pairs("."), pairs("")] {
            let called_station = format!("{written}:{ssid}");
            prop_assert_eq!(ssid_of(Some(&called_station)), Some(ssid.as_str()));
            prop_assert_eq!(ssid_of(Some(&written)), None);
        }
    }

    #[test]
    fn contract_4_no_called_station_breaks_the_choice(text in any::<String>()) {
        let strict = client("wifi", &[("guest", "guest-wifi")], None);
        if let Some(resource) = wireless().asking(&radius(&strict, Some(&text))) {
            prop_assert!(["wifi", "guest-wifi"].contains(&resource.name.as_str()));
        }
    }

    #[test]
    fn contract_4_a_source_matches_exactly_its_network(
        net in any::<[u8; 4]>(),
        prefix in 0_u8..=32,
        address in any::<[u8; 4]>(),
    ) {
        let text = format!("{}/{prefix}", IpAddr::from(net));
        let resources =
            Resources::new(vec![matched("r", ResourceKind::App, matching(&[], &[&text], &[]))]);
        let asking = connection("l", &IpAddr::from(address).to_string(), None);
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
        let inside = u32::from_be_bytes(net) & mask == u32::from_be_bytes(address) & mask;
        prop_assert_eq!(resources.asking(&asking).is_some(), inside);
    }
}

fn facts(text: &str) -> ListenerFacts {
    ListenerFacts {
        name: listener(text),
        reach: Reach::Everyone,
        client_certificates: false,
    }
}

fn complaints(
    resources: Vec<Resource>,
    listeners: &[ListenerFacts],
    clients: &[ClientResources],
) -> Vec<(String, ComplaintKind)> {
    check(&Resources::new(resources), listeners, clients)
        .into_iter()
        .map(|complaint| {
            let shown = complaint.to_string();
            assert!(shown.contains(complaint.resource.as_str()), "{shown}");
            assert!(!shown.contains("  "), "{shown}");
            let Complaint { resource, kind } = complaint;
            (resource.to_string(), kind)
        })
        .collect()
}

#[test]
fn contract_4_a_sound_configuration_has_no_complaint() {
    let mail = ListenerFacts {
        reach: Reach::Listed,
        ..facts("mail")
    };
    let found = complaints(
        vec![
            matched("mail", ResourceKind::Email, matching(&["mail"], &[], &[])),
            matched(
                "hosts",
                ResourceKind::Endpoint,
                matching(&["hosts"], &[], &[]),
            ),
            resource("vpn", ResourceKind::Vpn),
            resource("wifi", ResourceKind::Wifi),
            resource("guest-wifi", ResourceKind::Wifi),
        ],
        &[facts("hosts"), mail],
        &[
            client("vpn", &[], None),
            client("wifi", &[("guest", "guest-wifi")], Some("wifi")),
        ],
    );
    assert_eq!(found, []);
}

#[test]
fn contract_4_names_used_and_never_defined_are_refused() {
    let found = complaints(
        vec![matched(
            "hosts",
            ResourceKind::Endpoint,
            matching(&["hsots"], &[], &[]),
        )],
        &[facts("hosts")],
        &[client("vpn", &[("guest", "guest-wifi")], Some("wifi"))],
    );
    let undefined = |text: &str, key| {
        (
            text.to_owned(),
            ComplaintKind::UndefinedResource {
                client: ClientName::parse("wlc1").unwrap(),
                key,
            },
        )
    };
    assert_eq!(
        found,
        [
            (
                "hosts".to_owned(),
                ComplaintKind::UnknownListener {
                    listener: listener("hsots")
                }
            ),
            undefined("vpn", "resource"),
            undefined("guest-wifi", "ssid"),
            undefined("wifi", "ssid_default"),
        ]
    );
}

#[test]
fn contract_4_a_resource_nothing_can_reach_is_refused() {
    let kinds = |resources| -> Vec<ComplaintKind> {
        complaints(resources, &[facts("hosts")], &[])
            .into_iter()
            .map(|(_, kind)| kind)
            .collect()
    };
    assert_eq!(
        kinds(vec![resource("vpn", ResourceKind::Vpn)]),
        [ComplaintKind::Unreachable]
    );
    assert_eq!(
        kinds(vec![matched("app", ResourceKind::App, Match::default())]),
        [ComplaintKind::EmptyMatch]
    );
    let anybody = matched("app", ResourceKind::App, matching(&[], &["0.0.0.0/0"], &[]));
    assert_eq!(
        check(&Resources::new(vec![anybody]), &[], &[])[0].kind,
        ComplaintKind::Unreachable
    );
}

#[test]
fn contract_4_two_resources_of_one_name_are_refused() {
    let found = complaints(
        vec![
            matched(
                "hosts",
                ResourceKind::Endpoint,
                matching(&["hosts"], &[], &["sssd"]),
            ),
            matched(
                "Hosts",
                ResourceKind::Endpoint,
                matching(&["hosts"], &[], &[]),
            ),
        ],
        &[facts("hosts")],
        &[],
    );
    assert_eq!(found, [("Hosts".to_owned(), ComplaintKind::DuplicateName)]);
}

fn shadow(earlier: &[Match], later: Match) -> Option<Vec<String>> {
    let mut resources: Vec<Resource> = earlier
        .iter()
        .enumerate()
        .map(|(place, m)| matched(&format!("e{place}"), ResourceKind::App, m.clone()))
        .collect();
    resources.push(matched("later", ResourceKind::App, later));
    complaints(resources, &[facts("a"), facts("b")], &[])
        .into_iter()
        .filter(|(name, _)| name == "later")
        .find_map(|(_, kind)| match kind {
            ComplaintKind::Shadowed { by } => Some(by.iter().map(ToString::to_string).collect()),
            _ => None,
        })
}

#[test]
fn contract_4_a_resource_wholly_shadowed_is_refused() {
    let by = |names: &[&str]| Some(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
    let m = matching;
    // The earlier leaves open all that the later does.
    assert_eq!(
        shadow(&[m(&["a"], &[], &[])], m(&["a"], &[], &[])),
        by(&["e0"])
    );
    assert_eq!(
        shadow(&[m(&["a"], &[], &[])], m(&["a"], &["10.0.0.0/8"], &["x"])),
        by(&["e0"])
    );
    assert_eq!(
        shadow(
            &[m(&[], &["10.0.0.0/8"], &[])],
            m(&["a"], &["10.1.0.0/16"], &[])
        ),
        by(&["e0"])
    );
    assert_eq!(
        shadow(&[m(&["a"], &[], &["x", "y"])], m(&["a"], &[], &["y"])),
        by(&["e0"])
    );
    // A list of all listeners is as good as none.
    assert_eq!(
        shadow(&[m(&["a", "b"], &[], &[])], m(&[], &["10.0.0.0/8"], &[])),
        by(&["e0"])
    );
    // Several together.
    assert_eq!(
        shadow(
            &[m(&["a"], &[], &[]), m(&["b"], &[], &[])],
            m(&[], &[], &["x"])
        ),
        by(&["e0", "e1"])
    );
    assert_eq!(
        shadow(
            &[m(&[], &["10.0.0.0/9"], &[]), m(&[], &["10.128.0.0/9"], &[])],
            m(&["a"], &["10.0.0.0/8"], &[])
        ),
        by(&["e0", "e1"])
    );
    assert_eq!(
        shadow(&[m(&[], &["0.0.0.0/0", "::/0"], &[])], m(&["a"], &[], &[])),
        by(&["e0"])
    );
    assert_eq!(
        shadow(
            &[m(&[], &["::ffff:10.0.0.0/104"], &[])],
            m(&["a"], &["10.1.0.0/16"], &[])
        ),
        by(&["e0"])
    );
}

#[test]
fn contract_4_a_resource_shadowed_in_part_is_not_refused() {
    let m = matching;
    assert_eq!(shadow(&[m(&["a"], &[], &["x"])], m(&["a"], &[], &[])), None);
    assert_eq!(
        shadow(&[m(&["a"], &[], &["x"])], m(&["a"], &[], &["x", "y"])),
        None
    );
    assert_eq!(
        shadow(&[m(&["a"], &["10.0.0.0/8"], &[])], m(&["a"], &[], &[])),
        None
    );
    assert_eq!(
        shadow(&[m(&["a"], &[], &[])], m(&["a", "b"], &[], &[])),
        None
    );
    assert_eq!(shadow(&[m(&["a"], &[], &[])], m(&[], &[], &["x"])), None);
    assert_eq!(
        shadow(&[m(&[], &["0.0.0.0/0"], &[])], m(&["a"], &[], &[])),
        None
    );
    // The listener is covered by one and the source by another, and neither takes all.
    assert_eq!(
        shadow(
            &[
                m(&["a"], &["10.0.0.0/9"], &[]),
                m(&["b"], &["10.128.0.0/9"], &[])
            ],
            m(&["a"], &["10.0.0.0/8"], &[])
        ),
        None
    );
}

/// Whether a lenient resource with this `match` is refused.
fn too_easy(matched_by: Match, listener: ListenerFacts) -> bool {
    let complaints = complaints(
        vec![matched("mail", ResourceKind::Email, matched_by)],
        &[listener],
        &[],
    );
    match complaints.as_slice() {
        [] => false,
        [(_, ComplaintKind::EasyToChoose { leniency })] => {
            assert_eq!(
                leniency,
                &[Leniency::AdmitsLocked, Leniency::CountsNoFailures]
            );
            true
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn contract_4_a_lenient_resource_must_be_hard_to_choose_from_outside() {
    let m = matching;
    assert!(too_easy(m(&["mail"], &[], &[]), facts("mail")));
    for everyone in [
        &["0.0.0.0/0"][..],
        &["::/0"],
        &["10.0.0.0/8", "0.0.0.0/0"],
        &["0.0.0.0/1", "128.0.0.0/1"],
        &["::ffff:0.0.0.0/96"],
    ] {
        assert!(
            too_easy(m(&["mail"], everyone, &[]), facts("mail")),
            "{everyone:?}"
        );
    }
    assert!(!too_easy(
        m(&["mail"], &["10.0.5.10/32"], &[]),
        facts("mail")
    ));
    assert!(!too_easy(m(&["mail"], &[], &["dovecot"]), facts("mail")));
    for hard in [
        ListenerFacts {
            reach: Reach::Loopback,
            ..facts("mail")
        },
        ListenerFacts {
            reach: Reach::Unix,
            ..facts("mail")
        },
        ListenerFacts {
            reach: Reach::Listed,
            ..facts("mail")
        },
    ] {
        assert!(!too_easy(m(&["mail"], &[], &[]), hard));
    }
}

#[test]
fn contract_4_one_easy_listener_among_several_is_too_easy() {
    let hard = ListenerFacts {
        reach: Reach::Loopback,
        ..facts("inside")
    };
    let mail = |listeners: &[&str]| {
        vec![matched(
            "mail",
            ResourceKind::Email,
            matching(listeners, &[], &[]),
        )]
    };
    let listeners = [hard, facts("outside")];
    assert_eq!(complaints(mail(&["inside"]), &listeners, &[]).len(), 0);
    assert_eq!(
        complaints(mail(&["inside", "outside"]), &listeners, &[]).len(),
        1
    );
}

#[test]
fn contract_4_each_leniency_alone_makes_a_resource_lenient() {
    let app = || matched("app", ResourceKind::App, matching(&["l"], &[], &[]));
    let leniency_of = |resource| match complaints(vec![resource], &[facts("l")], &[]).pop() {
        Some((_, ComplaintKind::EasyToChoose { leniency })) => leniency,
        None => Vec::new(),
        Some(other) => panic!("{other:?}"),
    };
    assert_eq!(leniency_of(app()), []);
    let locked = Resource {
        on_locked: Some(Override::Allow),
        ..app()
    };
    assert_eq!(leniency_of(locked), [Leniency::AdmitsLocked]);
    let expired = Resource {
        on_expired: Some(Override::Allow),
        ..app()
    };
    assert_eq!(leniency_of(expired), [Leniency::AdmitsExpired]);
    let uncounted = Resource {
        count_failures: Some(false),
        ..app()
    };
    assert_eq!(leniency_of(uncounted), [Leniency::CountsNoFailures]);
    // Mail made strict is not lenient.
    let strict = Resource {
        on_locked: Some(Override::Deny),
        count_failures: Some(true),
        ..matched("mail", ResourceKind::Email, matching(&["l"], &[], &[]))
    };
    assert_eq!(leniency_of(strict), []);
}

#[test]
fn contract_4_a_lenient_resource_of_radius_is_chosen_by_secret_and_fine() {
    let found = complaints(
        vec![resource("wifi", ResourceKind::Wifi)],
        &[facts("hosts")],
        &[client("wifi", &[], None)],
    );
    assert_eq!(found, []);
}
