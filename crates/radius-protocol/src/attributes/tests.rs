use proptest::prelude::*;

use super::*;
use crate::wire::{Code, HEADER_LENGTH};
use doorward_domain::reply::{
    FilterId, OtherAttribute, Resolved, SessionClass, SessionTimeout, Vlan,
};

fn vlan(text: &str) -> ReplyAttribute {
    ReplyAttribute::Vlan(Vlan::parse(text).unwrap())
}

fn other(name: &str, kind: u8, octets: Vec<u8>) -> ReplyAttribute {
    let resolved = Resolved {
        name: name.to_owned(),
        value: "as written".to_owned(),
        kind,
        octets,
    };
    ReplyAttribute::Other(OtherAttribute::new(resolved).unwrap())
}

/// The octets of a packet, headers included.
fn octets(attribute: &ReplyAttribute, at_timeout: AtTimeout) -> Vec<u8> {
    encode(attribute, at_timeout)
        .into_iter()
        .flat_map(|encoded| {
            let length = u8::try_from(encoded.length()).unwrap();
            [vec![encoded.kind, length], encoded.value].concat()
        })
        .collect()
}

#[test]
fn rfc_2868_a_vlan_is_three_attributes_with_an_octet_for_the_tag_of_integers_alone() {
    assert_eq!(
        octets(&vlan("20"), AtTimeout::End),
        [
            // §3.1: Type 64, Length "always 6", Tag, three octets of value: VLAN (RFC 3580).
            0x40, 0x06, 0x00, 0x00, 0x00, 0x0d, //
            // §3.2: Type 65, Length "always 6", Tag, IEEE-802.
            0x41, 0x06, 0x00, 0x00, 0x00, 0x06, //
            // §3.6: Type 81, the text alone: its first octet is above 0x1F.
            0x51, 0x04, b'2', b'0',
        ]
    );
    assert_eq!(
        octets(&vlan("staff"), AtTimeout::End)[12..],
        *b"\x51\x07staff"
    );
}

#[test]
fn rfc_2868_a_tagged_integer_is_the_tag_and_three_octets() {
    assert_eq!(tagged_integer(0x1f, 13), [0x1f, 0, 0, 13]);
    assert_eq!(tagged_integer(1, 0x0001_0203), [1, 1, 2, 3]);
}

#[test]
fn rfc_3580_a_timeout_asks_a_port_to_authenticate_again_and_ends_anything_else() {
    let timeout = ReplyAttribute::SessionTimeout(SessionTimeout::parse("8h").unwrap());
    assert_eq!(octets(&timeout, AtTimeout::End), [27, 6, 0, 0, 0x70, 0x80]);
    assert_eq!(
        octets(&timeout, AtTimeout::Reauthenticate),
        [27, 6, 0, 0, 0x70, 0x80, 29, 6, 0, 0, 0, 1]
    );
    let said = other("Termination-Action", kind::TERMINATION_ACTION, vec![0; 4]);
    let both = ReplyAttributes::new(vec![timeout, said]);
    let fitted = fit(&both, AtTimeout::Reauthenticate, MAX_LENGTH);
    let kinds: Vec<u8> = fitted
        .carried
        .iter()
        .flat_map(|(_, encoded)| encoded.iter().map(|encoded| encoded.kind))
        .collect();
    assert_eq!(kinds, [kind::SESSION_TIMEOUT, kind::TERMINATION_ACTION]);
}

#[test]
fn rfc_2865_texts_are_the_text_alone() {
    let filter = ReplyAttribute::FilterId(FilterId::parse("guests").unwrap());
    assert_eq!(octets(&filter, AtTimeout::End), *b"\x0b\x08guests");
    let class = ReplyAttribute::Class(SessionClass::parse("gold").unwrap());
    assert_eq!(octets(&class, AtTimeout::End), *b"\x19\x06gold");
}

#[test]
fn a_vlan_goes_out_whole_or_not_at_all() {
    let attributes = ReplyAttributes::new(vec![vlan("20")]);
    assert_eq!(fit(&attributes, AtTimeout::End, 15).left_out.len(), 1);
    assert_eq!(fit(&attributes, AtTimeout::End, 16).carried.len(), 1);
}

fn any_attributes() -> impl Strategy<Value = ReplyAttributes> {
    let one = prop_oneof![
        (1_u16..=4094).prop_map(|number| vlan(&number.to_string())),
        "[a-z]{1,253}".prop_map(|text| ReplyAttribute::FilterId(FilterId::parse(&text).unwrap())),
        prop::collection::vec(any::<u8>(), 1..=253).prop_map(|octets| other("X", 26, octets)),
    ];
    prop::collection::vec(one, 0..40).prop_map(ReplyAttributes::new)
}

proptest! {
    #[test]
    fn what_is_carried_is_a_beginning_that_leaves_the_room_it_was_told_to(
        attributes in any_attributes(),
        before in 0..60_usize,
        to_come in 0..2000_usize,
    ) {
        let mut draft = Draft::new(Code::AccessAccept, 1);
        for _ in 0..before {
            draft.push(kind::CLASS, &[b'x'; 30]).unwrap();
        }
        let empty = draft.length();
        prop_assert!(empty > HEADER_LENGTH);
        let left_out =
            push_attributes(&mut draft, &attributes, AtTimeout::Reauthenticate, to_come).unwrap();
        prop_assert!(draft.length() + to_come <= MAX_LENGTH || draft.length() == empty);
        let all: Vec<&ReplyAttribute> = attributes.iter().collect();
        let carried = all.len() - left_out.len();
        prop_assert_eq!(&all[carried..], &left_out[..]);
        let length: usize = all[..carried]
            .iter()
            .map(|attribute| octets(attribute, AtTimeout::Reauthenticate).len())
            .sum();
        prop_assert_eq!(draft.length(), empty + length);
    }
}
