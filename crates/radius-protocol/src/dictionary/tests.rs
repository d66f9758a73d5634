use std::collections::HashMap;

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::wire::kind;
use doorward_domain::reply::{ReplyAttribute, Resolved};

/// Files that stand in memory.
struct Shelf(HashMap<&'static str, &'static str>);

impl Files for Shelf {
    fn include(&mut self, _: &str, name: &str) -> Result<Source, String> {
        let text = self.0.get(name).ok_or_else(|| format!("no {name}"))?;
        Ok(source(name, text))
    }
}

fn source(name: &str, text: &str) -> Source {
    Source {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

fn read(text: &str) -> Result<Dictionary, Faults> {
    Dictionary::read(vec![source("d", text)], &mut NoFiles)
}

/// The only fault of a text, as it is shown.
fn fault(text: &str) -> String {
    let faults = read(text).unwrap_err();
    assert_eq!(faults.all().len(), 1, "{faults}");
    faults.to_string()
}

fn resolved(dictionary: &Dictionary, text: &str) -> Resolved {
    let (name, value) = text.split_once('=').unwrap();
    match dictionary.reply_attribute(name, value) {
        Ok(ReplyAttribute::Other(other)) => other.resolved().clone(),
        other => panic!("{text}: {other:?}"),
    }
}

fn refused(dictionary: &Dictionary, text: &str) -> String {
    let (name, value) = text.split_once('=').unwrap();
    match dictionary.reply_attribute(name, value) {
        Err(refused) => refused.to_string(),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn the_built_in_dictionary_is_read() {
    let dictionary = Dictionary::built_in();
    assert!(dictionary.attribute("cisco-avpair").is_some());
    assert!(dictionary.is_empty());
}

#[test]
fn the_four_need_no_dictionary_and_are_found_by_their_names_in_one() {
    let none = Dictionary::default();
    for (text, shown) in [
        ("vlan=20", "vlan=20"),
        ("VLAN=staff", "vlan=staff"),
        ("session_timeout=8h", "session_timeout=8h"),
        ("filter_id=guests", "filter_id=guests"),
        ("class=gold", "class=gold"),
    ] {
        let (name, value) = text.split_once('=').unwrap();
        let attribute = none.reply_attribute(name, value).unwrap();
        assert_eq!(attribute.to_string(), shown);
    }
    let built_in = Dictionary::built_in();
    for (name, value, shown) in [
        ("Session-Timeout", "3600", "session_timeout=1h"),
        ("filter-id", "guests", "filter_id=guests"),
        ("Class", "gold", "class=gold"),
    ] {
        let attribute = built_in.reply_attribute(name, value).unwrap();
        assert_eq!(attribute.to_string(), shown);
    }
    assert!(refused(&built_in, "class=dw1forged").contains("dw1"));
}

#[test]
fn rfc_2865_section_5_26_a_vendor_s_attribute_stands_in_its_envelope() {
    let dictionary = Dictionary::built_in();
    let pair = resolved(&dictionary, "cisco-avpair=shell:priv-lvl=15");
    assert_eq!(pair.name, "Cisco-AVPair");
    assert_eq!(pair.kind, kind::VENDOR_SPECIFIC);
    assert_eq!(pair.octets, *b"\x00\x00\x00\x09\x01\x13shell:priv-lvl=15");
    let vlan = resolved(&dictionary, "Aruba-User-Vlan=20");
    assert_eq!(vlan.octets, *b"\x00\x00\x39\xe7\x02\x06\x00\x00\x00\x14");
    let limit = resolved(&dictionary, "Mikrotik-Rate-Limit=10M/50M");
    assert_eq!(limit.octets, *b"\x00\x00\x3a\x8c\x08\x0910M/50M");
    let most = "x".repeat(247);
    resolved(&dictionary, &format!("Cisco-AVPair={most}"));
    let long = refused(&dictionary, &format!("Cisco-AVPair={most}x"));
    assert!(long.contains("248") && long.contains("247"), "{long}");
}

#[test]
fn vendors_write_numbers_and_lengths_as_their_format_says() {
    let text = "VENDOR Wide 1 format=2,2\nVENDOR Bare 2 format=4,0\nVENDOR Mixed 3 format=2,1\n\
                VENDOR More 4 format=1,1,c\n\
                BEGIN-VENDOR Wide\nATTRIBUTE Wide-A 258 byte\nEND-VENDOR Wide\n\
                BEGIN-VENDOR Bare\nATTRIBUTE Bare-A 0x01020304 byte\nEND-VENDOR Bare\n\
                BEGIN-VENDOR Mixed\nATTRIBUTE Mixed-A 5 byte\nEND-VENDOR Mixed\n\
                BEGIN-VENDOR More\nATTRIBUTE More-A 5 byte\nEND-VENDOR More\n";
    let dictionary = read(text).unwrap();
    for (text, octets) in [
        ("Wide-A=7", &[0, 0, 0, 1, 1, 2, 0, 5, 7][..]),
        ("Bare-A=7", &[0, 0, 0, 2, 1, 2, 3, 4, 7]),
        ("Mixed-A=7", &[0, 0, 0, 3, 0, 5, 4, 7]),
        ("More-A=7", &[0, 0, 0, 4, 5, 4, 0, 7]),
    ] {
        assert_eq!(resolved(&dictionary, text).octets, octets, "{text}");
    }
}

#[test]
fn every_type_is_written_as_rfc_8044_says() {
    let text = "ATTRIBUTE T-String 200 string\nATTRIBUTE T-Octets 201 octets\n\
                ATTRIBUTE T-Two 202 octets[2]\nATTRIBUTE T-Ip 203 ipaddr\n\
                ATTRIBUTE T-Ip6 204 ipv6addr\nATTRIBUTE T-Any 205 combo-ip\n\
                ATTRIBUTE T-Net 206 ipv4prefix\nATTRIBUTE T-Net6 207 ipv6prefix\n\
                ATTRIBUTE T-Byte 208 byte\nATTRIBUTE T-Short 209 short\n\
                ATTRIBUTE T-Integer 210 integer\nATTRIBUTE T-Long 211 integer64\n\
                ATTRIBUTE T-Signed 212 signed\nATTRIBUTE T-Date 213 date\n\
                ATTRIBUTE T-Ifid 214 ifid\nATTRIBUTE T-Ether 215 ether\n\
                VALUE T-Byte Seven 7\nVALUE T-Long Much 0x0102030405060708\n";
    let dictionary = read(text).unwrap();
    for (text, octets) in [
        ("T-String=bür", "bür".as_bytes()),
        ("T-Octets=0x00ff", &[0, 255]),
        ("T-Two=0xABcd", &[0xab, 0xcd]),
        ("T-Ip=192.0.2.1", &[192, 0, 2, 1]),
        (
            "T-Ip6=::1",
            &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        ),
        ("T-Any=192.0.2.1", &[192, 0, 2, 1]),
        ("T-Net=192.0.2.9/24", &[0, 24, 192, 0, 2, 0]),
        (
            "T-Net6=2001:db8::/32",
            &[
                0, 32, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            ],
        ),
        ("T-Byte=seven", &[7]),
        ("T-Short=258", &[1, 2]),
        ("T-Integer=4294967295", &[255; 4]),
        ("T-Long=Much", &[1, 2, 3, 4, 5, 6, 7, 8]),
        ("T-Signed=-1", &[255; 4]),
        ("T-Date=1970-01-01T00:01:40Z", &[0, 0, 0, 100]),
        ("T-Date=100", &[0, 0, 0, 100]),
        ("T-Ifid=1:20:300:4000", &[0, 1, 0, 0x20, 3, 0, 0x40, 0]),
        ("T-Ether=00:00:5e:00:53:fF", &[0, 0, 0x5e, 0, 0x53, 0xff]),
    ] {
        assert_eq!(resolved(&dictionary, text).octets, octets, "{text}");
    }
    for text in [
        "T-String=",
        "T-String=a\nb",
        "T-Octets=00ff",
        "T-Octets=0xf",
        "T-Octets=0xgg",
        "T-Two=0x01",
        "T-Ip=::1",
        "T-Ip6=192.0.2.1",
        "T-Net=192.0.2.0/33",
        "T-Byte=256",
        "T-Byte=eight",
        "T-Short=65536",
        "T-Integer=4294967296",
        "T-Integer=-1",
        "T-Signed=2147483648",
        "T-Date=1960-01-01T00:00:00Z",
        "T-Ifid=1:2:3",
        "T-Ifid=1:2:3:45678",
        "T-Ether=00:00:5e:00:53",
    ] {
        assert!(refused(&dictionary, text).contains("write"), "{text}");
    }
}

#[test]
fn rfc_2868_a_tag_stands_in_the_first_octet_of_an_integer_and_before_a_text() {
    let dictionary = Dictionary::built_in();
    for (text, name, octets) in [
        ("Tunnel-Type:1=L2TP", "Tunnel-Type:1", &[1, 0, 0, 3][..]),
        ("Tunnel-Preference=5", "Tunnel-Preference", &[0, 0, 0, 5]),
        (
            "tunnel-server-endpoint:31=gw",
            "Tunnel-Server-Endpoint:31",
            b"\x1fgw",
        ),
        ("Tunnel-Assignment-Id:0=gw", "Tunnel-Assignment-Id", b"gw"),
    ] {
        let attribute = resolved(&dictionary, text);
        assert_eq!(
            (attribute.name.as_str(), attribute.octets.as_slice()),
            (name, octets)
        );
    }
    assert!(refused(&dictionary, "Tunnel-Preference=16777216").contains("write"));
    for text in [
        "Tunnel-Type:32=L2TP",
        "Tunnel-Type:x=L2TP",
        "Service-Type:1=Login-User",
    ] {
        assert!(refused(&dictionary, text).contains("no such tag"), "{text}");
    }
}

#[test]
fn a_tag_of_0_is_none_whatever_a_dictionary_calls_its_attribute() {
    let dictionary = read("ATTRIBUTE vlan 200 string has_tag\n").unwrap();
    for name in ["vlan", "VLAN:0", "vlan:00"] {
        let attribute = dictionary.reply_attribute(name, "20").unwrap();
        assert_eq!(attribute.to_string(), "vlan=20");
        assert_eq!(dictionary.still(&attribute), Ok(()));
    }
    assert_eq!(resolved(&dictionary, "vlan:1=20").octets, *b"\x0120");
}

#[test]
fn what_is_the_protocols_own_is_not_set_by_hand() {
    let dictionary = Dictionary::built_in();
    for (text, why) in [
        ("User-Name=root", "account's name"),
        ("User-Password=x", "secret"),
        ("CHAP-Password=0x00", "proving"),
        ("State=0x00", "protocol itself"),
        ("Proxy-State=0x00", "protocol itself"),
        ("EAP-Message=0x03000004", "protocol itself"),
        ("Message-Authenticator=0x00", "protocol itself"),
        ("NAS-IP-Address=192.0.2.1", "client says it"),
        ("Reply-Message=hello", "EAP"),
        ("Tunnel-Password=x", "secret"),
        ("MS-MPPE-Send-Key=0x00", "secret"),
        ("MS-MPPE-Recv-Key=0x00", "secret"),
        ("MS-CHAP2-Success=0x00", "proving"),
        ("Tunnel-Private-Group-Id=20", "vlan="),
        ("Tunnel-Type=VLAN", "vlan="),
    ] {
        let refused = refused(&dictionary, text);
        assert!(
            refused.contains("by hand") && refused.contains(why),
            "{refused}"
        );
    }
    // Whatever else a dictionary calls them.
    let renamed = "VENDOR M 311\nATTRIBUTE Mine 80 octets\nBEGIN-VENDOR M\n\
                   ATTRIBUTE Key 16 octets\nEND-VENDOR M\n";
    let renamed = read(renamed).unwrap();
    for text in ["Mine=0x00", "Key=0x00"] {
        assert!(refused(&renamed, text).contains("by hand"), "{text}");
    }
}

#[test]
fn an_unknown_name_is_told_what_it_is_like() {
    let refused = refused(&Dictionary::built_in(), "Cisco-AVPear=x");
    assert!(
        refused.contains("did you mean 'Cisco-AVPair'?"),
        "{refused}"
    );
}

#[test]
fn what_cannot_be_sent_is_known_and_refused_by_name() {
    let text = "VENDOR V 7 format=1,1\nATTRIBUTE Big 300 integer\nATTRIBUTE Filter 242 abinary\n\
                ATTRIBUTE Inner 26.7.1 integer\nATTRIBUTE Mine 90 string virtual\n\
                BEGIN-VENDOR V\nATTRIBUTE Parts 1 tlv\nBEGIN-TLV Parts\nATTRIBUTE Part 1 byte\n\
                END-TLV Parts\nATTRIBUTE Far 300 byte\nEND-VENDOR V\n";
    let dictionary = read(text).unwrap();
    for name in ["Big", "Filter", "Inner", "Mine", "Parts", "Part", "Far"] {
        let refused = refused(&dictionary, &format!("{name}=1"));
        assert!(refused.contains("by hand"), "{refused}");
    }
}

#[test]
fn a_fault_is_told_with_its_file_and_line() {
    for (text, shown) in [
        ("\nATRIBUTE A 1 string", "d:2: 'ATRIBUTE' begins no line"),
        ("ATTRIBUTE A 1", "d:1: it is written: ATTRIBUTE NAME"),
        ("ATTRIBUTE A x string", "d:1: 'x' is no number"),
        ("ATTRIBUTE A +1 string", "d:1: '+1' is no number"),
        ("ATTRIBUTE A 1 strin", "d:1: 'strin' is no type"),
        (
            "ATTRIBUTE A 1 string has_tug",
            "d:1: 'has_tug' says nothing",
        ),
        (
            "ATTRIBUTE A 1 date has_tag",
            "d:1: only a string and an integer",
        ),
        ("ATTRIBUTE A 1 octets[0]", "d:1: 'octets[0]' is no width"),
        (
            "ATTRIBUTE A 1 string\nATTRIBUTE a 2 string",
            "d:2: A is 1 already",
        ),
        ("VALUE A B 1", "d:1: there is no attribute 'A'"),
        (
            "ATTRIBUTE A 1 byte\nVALUE A B 1\nVALUE A b 2",
            "d:3: b of A is 1 already",
        ),
        ("BEGIN-VENDOR V", "d:1: there is no VENDOR 'V' above"),
        (
            "VENDOR V 1\n\nBEGIN-VENDOR V\n",
            "d:3: BEGIN-VENDOR V has no END-VENDOR",
        ),
        ("END-VENDOR V", "d:1: END-VENDOR V ends nothing"),
        ("END-TLV V", "d:1: END-TLV V ends nothing"),
        ("BEGIN-TLV V", "d:1: BEGIN-TLV V has no END-TLV"),
        ("VENDOR V 1 format=3,1", "d:1: 'format=3,1' is no format"),
        (
            "VENDOR V 4294967296",
            "d:1: 4294967296 is no enterprise number",
        ),
        ("VENDOR V 1\nVENDOR V 2", "d:2: the vendor V is 1 already"),
        ("$INCLUDE other", "d:1: it cannot include files"),
    ] {
        let fault = fault(text);
        assert!(fault.starts_with(shown), "{fault}");
    }
    let long = fault(&format!("# {}", "x".repeat(2000)));
    assert!(long.contains("at most 1024"), "{long}");
    let many = read(&"x\n".repeat(1000)).unwrap_err();
    assert_eq!(many.all().len(), 20);
}

#[test]
fn files_include_files_and_never_without_end() {
    let mut shelf = Shelf(HashMap::from([
        ("a", "$INCLUDE b\nATTRIBUTE A 200 byte"),
        ("b", "ATTRIBUTE B 201 byte\nVALUE B One 1"),
        ("loop", "$INCLUDE loop"),
        ("broken", "\nATTRIBUTE"),
    ]));
    let dictionary = Dictionary::read(vec![source("top", "$INCLUDE a")], &mut shelf).unwrap();
    assert_eq!(dictionary.len(), 2);
    let endless = Dictionary::read(vec![source("top", "$INCLUDE loop")], &mut shelf);
    let endless = endless.unwrap_err().to_string();
    assert!(
        endless.starts_with("loop:1: files include files at most 8 deep"),
        "{endless}"
    );
    let broken = Dictionary::read(vec![source("top", "$INCLUDE broken")], &mut shelf);
    assert!(broken.unwrap_err().to_string().starts_with("broken:2: "));
    let gone = Dictionary::read(vec![source("top", "$INCLUDE gone")], &mut shelf);
    assert!(gone.unwrap_err().to_string().starts_with("top:1: no gone"));
}

#[test]
fn a_file_goes_before_what_is_built_in() {
    let dictionary = read("ATTRIBUTE Framed-Pool 88 octets\n").unwrap();
    assert_eq!(resolved(&dictionary, "Framed-Pool=0x01").octets, [1]);
    assert_eq!(resolved(&dictionary, "Idle-Timeout=1").octets, [0, 0, 0, 1]);
}

#[test]
fn what_was_set_by_a_dictionary_that_is_gone_is_not_kept() {
    let with = read("ATTRIBUTE Own-Thing 200 integer\n").unwrap();
    let attribute = with.reply_attribute("own-thing", "7").unwrap();
    assert_eq!(with.still(&attribute), Ok(()));
    let gone = Dictionary::built_in().still(&attribute).unwrap_err();
    assert!(gone.contains("there is no attribute 'Own-Thing'"), "{gone}");
    let moved = read("ATTRIBUTE Own-Thing 201 integer\n").unwrap();
    assert!(
        moved
            .still(&attribute)
            .unwrap_err()
            .contains("something else")
    );
    let vlan = with.reply_attribute("vlan", "20").unwrap();
    assert_eq!(Dictionary::default().still(&vlan), Ok(()));
}

fn hexadecimal(octets: &[u8]) -> String {
    let mut text = "0x".to_owned();
    for octet in octets {
        write!(text, "{octet:02x}").unwrap();
    }
    text
}

/// Reads a value back as a client does.
fn shown(shape: Shape, octets: &[u8]) -> String {
    match (shape, octets) {
        (Shape::Text, text) => String::from_utf8(text.to_vec()).unwrap(),
        (Shape::Byte, [one]) => one.to_string(),
        (Shape::Short, &[high, low]) => u16::from_be_bytes([high, low]).to_string(),
        (Shape::Integer | Shape::Date, octets) => {
            u32::from_be_bytes(octets.try_into().unwrap()).to_string()
        }
        (Shape::Integer64, octets) => u64::from_be_bytes(octets.try_into().unwrap()).to_string(),
        (Shape::Signed, octets) => i32::from_be_bytes(octets.try_into().unwrap()).to_string(),
        (Shape::Ipv4, octets) => {
            let octets: [u8; 4] = octets.try_into().unwrap();
            std::net::Ipv4Addr::from(octets).to_string()
        }
        (Shape::Ipv6, octets) => {
            let octets: [u8; 16] = octets.try_into().unwrap();
            std::net::Ipv6Addr::from(octets).to_string()
        }
        (Shape::Octets(_), octets) => hexadecimal(octets),
        other => panic!("{other:?}"),
    }
}

fn written() -> impl Strategy<Value = (Shape, String)> {
    prop_oneof![
        "[ -~]{1,100}".prop_map(|text| (Shape::Text, text)),
        any::<u8>().prop_map(|number| (Shape::Byte, number.to_string())),
        any::<u16>().prop_map(|number| (Shape::Short, number.to_string())),
        any::<u32>().prop_map(|number| (Shape::Integer, number.to_string())),
        any::<u32>().prop_map(|number| (Shape::Date, number.to_string())),
        any::<u64>().prop_map(|number| (Shape::Integer64, number.to_string())),
        any::<i32>().prop_map(|number| (Shape::Signed, number.to_string())),
        any::<u32>().prop_map(|number| (Shape::Ipv4, std::net::Ipv4Addr::from(number).to_string())),
        any::<u128>()
            .prop_map(|number| (Shape::Ipv6, std::net::Ipv6Addr::from(number).to_string())),
        "0x([0-9a-f]{2}){1,100}".prop_map(|text| (Shape::Octets(None), text)),
    ]
}

proptest! {
    #[test]
    fn values_survive_being_written((shape, text) in written()) {
        let octets = value::octets(shape, &text, |_| None).unwrap();
        prop_assert_eq!(shown(shape, &octets), text);
    }

    #[test]
    fn a_vendors_attribute_survives_its_envelope(
        vendor in any::<u32>(),
        (number, width) in prop_oneof![
            (0..=0xff_u32, Just(1_usize)), (0..=0xffff_u32, Just(2)), (any::<u32>(), Just(4)),
        ],
        length in 0..=2_usize,
        octets in prop::collection::vec(any::<u8>(), 1..=240),
    ) {
        let text = format!(
            "VENDOR V {vendor} format={width},{length}\nBEGIN-VENDOR V\nATTRIBUTE A {number} octets\n\
             END-VENDOR V\n"
        );
        let dictionary = read(&text).unwrap();
        let attribute = dictionary.reply_attribute("A", &hexadecimal(&octets));
        if vendor == 311 && attribute.is_err() {
            return Ok(());
        }
        let Ok(ReplyAttribute::Other(other)) = attribute else { panic!("{attribute:?}") };
        let resolved = other.resolved();
        prop_assert_eq!(resolved.kind, 26);
        let (head, rest) = resolved.octets.split_at(4);
        prop_assert_eq!(head, vendor.to_be_bytes());
        let (head, rest) = rest.split_at(width);
        prop_assert_eq!(head, &number.to_be_bytes()[4 - width..]);
        let (head, rest) = rest.split_at(length);
        let whole = u16::try_from(width + length + octets.len()).unwrap();
        prop_assert_eq!(head, &whole.to_be_bytes()[2 - length..]);
        prop_assert_eq!(rest, &octets[..]);
    }

    #[test]
    fn no_text_is_too_odd_to_be_read_or_refused(text in any::<String>()) {
        let _ = read(&text);
    }

    #[test]
    fn no_line_is_too_odd_either(
        lines in prop::collection::vec(
            "(ATTRIBUTE|VALUE|VENDOR|BEGIN-VENDOR|END-VENDOR|BEGIN-TLV|END-TLV|\\$INCLUDE) [A-C]? ?[0-9x.]{0,4} (string|byte|tlv|format=1,1|format=4,0)?",
            0..20,
        ),
    ) {
        if let Ok(dictionary) = read(&lines.join("\n")) {
            for name in ["A", "B", "C"] {
                let _ = dictionary.reply_attribute(name, "1");
            }
        }
    }

    #[test]
    fn any_name_and_value_are_an_attribute_that_fits_or_are_refused(
        name in "[A-Za-z0-9:-]{0,20}|Cisco-AVPair|Tunnel-Type:[0-9]{1,3}|Framed-IPv6-Prefix|Class",
        value in ".{0,300}",
    ) {
        let dictionary = Dictionary::built_in();
        if let Ok(ReplyAttribute::Other(other)) = dictionary.reply_attribute(&name, &value) {
            prop_assert!(other.resolved().octets.len() <= 253);
            prop_assert_eq!(dictionary.still(&ReplyAttribute::Other(other)), Ok(()));
        }
    }
}
