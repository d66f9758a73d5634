//! Attributes in words, for whoever watches: names and values of the registered ones, and nothing of
//! what is secret or may be.
//!
//! Shown is what this table knows and holds no secret; anything else, and every attribute of a
//! vendor, is there with its length alone.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::wire::{MICROSOFT, Packet, kind};
use doorward_domain::time::Timestamp;
use doorward_eap::seen::SeenPacket;
use doorward_observe::watch::{Detail, Name, Words, said};

/// How a value reads.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// A user's name, which may not be one.
    Name,
    /// Text.
    Text,
    /// A number of four octets.
    Number,
    /// A number of four octets with names for some.
    Named(&'static [(u32, &'static str)]),
    /// A tag, then a number of three octets with names for some (RFC 2868 §3.1).
    TaggedNumber(&'static [(u32, &'static str)]),
    /// Text, perhaps behind a tag (RFC 2868 §3.3).
    TaggedText,
    /// An IPv4 address.
    Address,
    /// An IPv6 address.
    Address6,
    /// Seconds since 1970.
    Time,
    /// Not shown.
    Hidden,
    /// Not shown, nor how long it is: over TLS that is how long the password is.
    Password,
}

use Shape::{
    Address, Address6, Hidden, Name as UserName, Named, Number, Password, TaggedNumber, TaggedText,
    Text, Time,
};

const SERVICE_TYPES: &[(u32, &str)] = &[
    (1, "Login"),
    (2, "Framed"),
    (5, "Outbound"),
    (6, "Administrative"),
    (7, "NAS-Prompt"),
    (8, "Authenticate-Only"),
    (10, "Call-Check"),
    (17, "Authorize-Only"),
];
const PORT_TYPES: &[(u32, &str)] = &[
    (0, "Async"),
    (5, "Virtual"),
    (15, "Ethernet"),
    (18, "Wireless-Other"),
    (19, "Wireless-802.11"),
];
const STATUS_TYPES: &[(u32, &str)] = &[
    (1, "Start"),
    (2, "Stop"),
    (3, "Interim-Update"),
    (7, "Accounting-On"),
    (8, "Accounting-Off"),
];
const AUTHENTIC: &[(u32, &str)] = &[(1, "RADIUS"), (2, "Local"), (3, "Remote")];
const TERMINATE_CAUSES: &[(u32, &str)] = &[
    (1, "User-Request"),
    (2, "Lost-Carrier"),
    (3, "Lost-Service"),
    (4, "Idle-Timeout"),
    (5, "Session-Timeout"),
    (6, "Admin-Reset"),
    (7, "Admin-Reboot"),
    (8, "Port-Error"),
    (9, "NAS-Error"),
    (10, "NAS-Request"),
    (11, "NAS-Reboot"),
    (19, "Supplicant-Restart"),
    (20, "Reauthentication-Failure"),
];
const TUNNEL_TYPES: &[(u32, &str)] = &[(1, "PPTP"), (3, "L2TP"), (10, "GRE"), (13, "VLAN")];
const TUNNEL_MEDIA: &[(u32, &str)] = &[(1, "IPv4"), (2, "IPv6"), (6, "IEEE-802")];
const TERMINATION_ACTIONS: &[(u32, &str)] = &[(0, "Default"), (1, "RADIUS-Request")];

/// The registered attributes (RFC 2865 to 2869, 3162, 3576, 4372, 5580, 6911, 7268), sorted by
/// number.
const ATTRIBUTES: &[(u8, &str, Shape)] = &[
    (1, "User-Name", UserName),
    (2, "User-Password", Password),
    (3, "CHAP-Password", Hidden),
    (4, "NAS-IP-Address", Address),
    (5, "NAS-Port", Number),
    (6, "Service-Type", Named(SERVICE_TYPES)),
    (7, "Framed-Protocol", Named(&[(1, "PPP"), (2, "SLIP")])),
    (8, "Framed-IP-Address", Address),
    (9, "Framed-IP-Netmask", Address),
    (10, "Framed-Routing", Number),
    (11, "Filter-Id", Text),
    (12, "Framed-MTU", Number),
    (13, "Framed-Compression", Number),
    (14, "Login-IP-Host", Address),
    (15, "Login-Service", Number),
    (16, "Login-TCP-Port", Number),
    (18, "Reply-Message", Text),
    (19, "Callback-Number", Text),
    (20, "Callback-Id", Text),
    (22, "Framed-Route", Text),
    (24, "State", Hidden),
    (25, "Class", Hidden),
    (26, "Vendor-Specific", Hidden),
    (27, "Session-Timeout", Number),
    (28, "Idle-Timeout", Number),
    (29, "Termination-Action", Named(TERMINATION_ACTIONS)),
    (30, "Called-Station-Id", Text),
    (31, "Calling-Station-Id", Text),
    (32, "NAS-Identifier", Text),
    (33, "Proxy-State", Hidden),
    (40, "Acct-Status-Type", Named(STATUS_TYPES)),
    (41, "Acct-Delay-Time", Number),
    (42, "Acct-Input-Octets", Number),
    (43, "Acct-Output-Octets", Number),
    (44, "Acct-Session-Id", Text),
    (45, "Acct-Authentic", Named(AUTHENTIC)),
    (46, "Acct-Session-Time", Number),
    (47, "Acct-Input-Packets", Number),
    (48, "Acct-Output-Packets", Number),
    (49, "Acct-Terminate-Cause", Named(TERMINATE_CAUSES)),
    (50, "Acct-Multi-Session-Id", Text),
    (51, "Acct-Link-Count", Number),
    (52, "Acct-Input-Gigawords", Number),
    (53, "Acct-Output-Gigawords", Number),
    (55, "Event-Timestamp", Time),
    (60, "CHAP-Challenge", Hidden),
    (61, "NAS-Port-Type", Named(PORT_TYPES)),
    (62, "Port-Limit", Number),
    (64, "Tunnel-Type", TaggedNumber(TUNNEL_TYPES)),
    (65, "Tunnel-Medium-Type", TaggedNumber(TUNNEL_MEDIA)),
    (66, "Tunnel-Client-Endpoint", TaggedText),
    (67, "Tunnel-Server-Endpoint", TaggedText),
    (69, "Tunnel-Password", Hidden),
    (77, "Connect-Info", Text),
    (79, "EAP-Message", Hidden),
    (80, "Message-Authenticator", Hidden),
    (81, "Tunnel-Private-Group-Id", TaggedText),
    (85, "Acct-Interim-Interval", Number),
    (87, "NAS-Port-Id", Text),
    (88, "Framed-Pool", Text),
    (89, "Chargeable-User-Identity", Hidden),
    (95, "NAS-IPv6-Address", Address6),
    (97, "Framed-IPv6-Prefix", Hidden),
    (101, "Error-Cause", Number),
    (102, "EAP-Key-Name", Hidden),
    (126, "Operator-Name", Text),
    (168, "Framed-IPv6-Address", Address6),
    (175, "Network-Id-Name", Text),
    (177, "WLAN-HESSID", Text),
    (186, "WLAN-Pairwise-Cipher", Number),
    (187, "WLAN-Group-Cipher", Number),
    (188, "WLAN-AKM-Suite", Number),
];

/// Vendors by their enterprise numbers.
const VENDORS: &[(u32, &str)] = &[
    (9, "Cisco"),
    (2636, "Juniper"),
    (11344, "FreeRADIUS"),
    (12356, "Fortinet"),
    (14122, "WISPr"),
    (14823, "Aruba"),
    (14988, "MikroTik"),
    (25053, "Ruckus"),
    (25506, "H3C"),
    (41112, "Ubiquiti"),
];

/// Microsoft's attributes (RFC 2548).
const MICROSOFTS: &[(u8, &str)] = &[
    (1, "MS-CHAP-Response"),
    (2, "MS-CHAP-Error"),
    (3, "MS-CHAP-CPW-1"),
    (4, "MS-CHAP-CPW-2"),
    (7, "MS-MPPE-Encryption-Policy"),
    (8, "MS-MPPE-Encryption-Types"),
    (11, "MS-CHAP-Challenge"),
    (16, "MS-MPPE-Send-Key"),
    (17, "MS-MPPE-Recv-Key"),
    (25, "MS-CHAP2-Response"),
    (26, "MS-CHAP2-Success"),
    (27, "MS-CHAP2-CPW"),
];

/// Every attribute of a packet, in its order; the pieces of an EAP packet are one.
pub fn details(packet: &Packet<'_>) -> Vec<Detail> {
    let mut details = Vec::new();
    let mut eap = Vec::new();
    for attribute in packet.attributes() {
        if attribute.kind == kind::EAP_MESSAGE {
            eap.extend_from_slice(attribute.value);
        }
    }
    let mut eap = Some(eap);
    for attribute in packet.attributes() {
        match attribute.kind {
            kind::EAP_MESSAGE => {
                if let Some(eap) = eap.take() {
                    details.push(Detail::new("EAP-Message", eap_message(&eap)));
                }
            }
            kind::VENDOR_SPECIFIC => vendor_specific(attribute.value, &mut details),
            number => details.push(detail(number, attribute.value)),
        }
    }
    details
}

fn eap_message(octets: &[u8]) -> Words {
    if octets.is_empty() {
        return Words::of("empty: the client lets us begin");
    }
    match SeenPacket::of(octets) {
        Some(seen) => super::narration::packet(&seen),
        None => Words::of(format!("no EAP packet, {} octets", octets.len())),
    }
}

fn detail(number: u8, value: &[u8]) -> Detail {
    let known = ATTRIBUTES
        .binary_search_by_key(&number, |(number, _, _)| *number)
        .ok()
        .and_then(|at| ATTRIBUTES.get(at));
    match known {
        Some((_, name, shape)) => Detail::new(*name, shown(*shape, value)),
        None => Detail::new(format!("Attribute-{number}"), Words::hidden(value.len())),
    }
}

fn shown(shape: Shape, value: &[u8]) -> Words {
    readable(shape, value).unwrap_or_else(|| Words::hidden(value.len()))
}

/// The value in words; nothing where it has another length than its shape, or is not to be shown.
fn readable(shape: Shape, value: &[u8]) -> Option<Words> {
    let number = || value.try_into().ok().map(u32::from_be_bytes);
    Some(match shape {
        UserName => Words::from(Name::user(value)),
        Text => Words::of(said(value)),
        Number => Words::of(number()?.to_string()),
        Named(names) => Words::of(named(number()?, names)),
        TaggedNumber(names) => {
            let [tag, rest @ ..] = <[u8; 4]>::try_from(value).ok()?;
            let [high, middle, low] = rest;
            let number = u32::from_be_bytes([0, high, middle, low]);
            Words::of(format!("{}{}", tagged(tag), named(number, names)))
        }
        TaggedText => match value {
            [tag @ 1..=0x1f, rest @ ..] => Words::of(format!("{}{}", tagged(*tag), said(rest))),
            _ => Words::of(said(value)),
        },
        Address => Words::of(Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?).to_string()),
        Address6 => Words::of(Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?).to_string()),
        Time => Words::of(Timestamp::from_millis(i64::from(number()?) * 1000).rfc3339()),
        Password => Words::of("hidden"),
        Hidden => return None,
    })
}

fn tagged(tag: u8) -> String {
    match tag {
        0 => String::new(),
        tag => format!("tag {tag}, "),
    }
}

fn named(number: u32, names: &[(u32, &str)]) -> String {
    match names.iter().find(|(known, _)| *known == number) {
        Some((_, name)) => (*name).to_owned(),
        None => number.to_string(),
    }
}

/// Adds each attribute in one of a vendor. How others than Microsoft write theirs is not known.
fn vendor_specific(value: &[u8], details: &mut Vec<Detail>) {
    if let Some(mut rest) = value.strip_prefix(&MICROSOFT) {
        while let Some((&[number, length], tail)) = rest.split_first_chunk::<2>() {
            let inside = usize::from(length).saturating_sub(2);
            let (value, tail) = tail.split_at_checked(inside).unwrap_or((tail, &[]));
            let known = MICROSOFTS.iter().find(|(known, _)| *known == number);
            let name = match known {
                Some((_, name)) => (*name).into(),
                None => format!("Vendor-Specific Microsoft {number}").into(),
            };
            details.push(Detail {
                name,
                value: Words::hidden(value.len()),
            });
            rest = tail;
        }
        return;
    }
    let Some((&[a, b, c, d, number, _], rest)) = value.split_first_chunk::<6>() else {
        return details.push(Detail::new("Vendor-Specific", Words::hidden(value.len())));
    };
    let vendor = named(u32::from_be_bytes([a, b, c, d]), VENDORS);
    let name = format!("Vendor-Specific {vendor} {number}");
    details.push(Detail::new(name, Words::hidden(rest.len())));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{Code, Draft};

    fn text(words: &Words) -> String {
        words.written(|name| format!("<{}>", name.typed))
    }

    fn seen(attributes: &[(u8, &[u8])]) -> Vec<String> {
        let mut draft = Draft::new(Code::AccessRequest, 7);
        for (kind, value) in attributes {
            draft.push(*kind, value).unwrap();
        }
        let secret = doorward_domain::secret::Secret::new(b"secret".to_vec());
        let bytes = draft.seal_signed(&secret).unwrap();
        let packet = Packet::parse(&bytes).unwrap();
        details(&packet)
            .iter()
            .map(|detail| format!("{} = {}", detail.name, text(&detail.value)))
            .filter(|line| !line.starts_with("Message-Authenticator"))
            .collect()
    }

    #[test]
    fn values_read_as_their_registry_says() {
        let shown = seen(&[
            (1, b"alice"),
            (4, &[192, 0, 2, 7]),
            (61, &[0, 0, 0, 19]),
            (6, &[0, 0, 0, 99]),
            (30, b"02-00-00-00-00-01:guest"),
            (64, &[1, 0, 0, 13]),
            (65, &[0, 0, 0, 6]),
            (81, b"\x0120"),
            (55, &[0x69, 0, 0, 0]),
            (79, &[2, 9, 0, 10, 1, b'a', b'l']),
            (79, b"ice"),
        ]);
        let expected = [
            "User-Name = <alice>",
            "NAS-IP-Address = 192.0.2.7",
            "NAS-Port-Type = Wireless-802.11",
            "Service-Type = 99",
            "Called-Station-Id = '02-00-00-00-00-01:guest'",
            "Tunnel-Type = tag 1, VLAN",
            "Tunnel-Medium-Type = IEEE-802",
            "Tunnel-Private-Group-Id = tag 1, '20'",
            "Event-Timestamp = 2025-10-27T23:28:00.000Z",
            "EAP-Message = Response 9, Identity <alice>",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_is_secret_or_unknown_has_a_length_alone() {
        let both = [&[25, 9], &b"hunter2"[..], &[11, 3], b"h", &[99, 2]].concat();
        let microsoft = [&MICROSOFT[..], &both].concat();
        let cisco = [&[0, 0, 0, 9, 1, 9][..], b"hunter2"].concat();
        for number in [3, 24, 25, 33, 60, 69, 89, 102, 200, 255] {
            let shown = seen(&[(number, b"hunter2")]);
            assert!(shown[0].ends_with("hidden, 7 octets"), "{shown:?}");
        }
        assert_eq!(
            seen(&[(26, &microsoft), (26, &cisco), (26, b"hun")]),
            [
                "MS-CHAP2-Response = hidden, 7 octets",
                "MS-CHAP-Challenge = hidden, 1 octets",
                "Vendor-Specific Microsoft 99 = hidden, 0 octets",
                "Vendor-Specific Cisco 1 = hidden, 7 octets",
                "Vendor-Specific = hidden, 3 octets",
            ]
        );
        assert_eq!(seen(&[(2, b"hunter2")]), ["User-Password = hidden"]);
        // Of another length than its kind has.
        assert_eq!(
            seen(&[(4, b"hunter2")]),
            ["NAS-IP-Address = hidden, 7 octets"]
        );
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(ATTRIBUTES.is_sorted_by(|one, next| one.0 < next.0));
    }

    proptest! {
        #[test]
        fn any_attributes_are_looked_at(
            attributes in prop::collection::vec(
                (any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 0..20,
            ),
        ) {
            let attributes: Vec<(u8, &[u8])> = attributes
                .iter()
                .map(|(kind, value)| (*kind, value.as_slice()))
                .filter(|(kind, _)| *kind != 80)
                .collect();
            let _ = seen(&attributes);
        }
    }
}
