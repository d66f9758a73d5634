//! A name and a value, as they are written in a command, become a reply attribute, or are refused
//! with the reason.

use super::{Definition, Dictionary, Shape, value};
use crate::attributes::tagged_integer;
use crate::wire::{MAX_VALUE, MICROSOFT, kind};
use doorward_domain::nearest::nearest;
use doorward_domain::reply::{
    FilterId, NotAReplyValue, OtherAttribute, ReplyAttribute, Resolved, SessionClass,
    SessionTimeout, Vlan,
};

/// The highest tag (RFC 2868 §3.1).
const MAX_TAG: u8 = 0x1f;

/// Why a name and a value are no reply attribute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefusedAttribute {
    /// The name is in no dictionary.
    #[error(
        "there is no attribute '{name}'{}: vlan, session_timeout, filter_id, class, or one of a \
         dictionary ([radius] dictionaries)",
        .nearest.as_ref().map(|near| format!(" (did you mean '{near}'?)")).unwrap_or_default()
    )]
    Unknown {
        /// What was written.
        name: String,
        /// A name like it.
        nearest: Option<String>,
    },
    /// The attribute is not set this way.
    #[error("'{name}' is not set by hand: {why}")]
    NotByHand {
        /// Its name.
        name: String,
        /// Why, and what to do.
        why: &'static str,
    },
    /// The value is not of the attribute's type.
    #[error("'{value}' is no {name}: write {expected}")]
    Value {
        /// The attribute.
        name: String,
        /// What was written.
        value: String,
        /// What would do.
        expected: &'static str,
    },
    /// The attribute would be longer than RADIUS allows.
    #[error("{name} would have {length} octets, and an attribute of its form has at most {most}")]
    TooLong {
        /// The attribute.
        name: String,
        /// Its value's octets.
        length: usize,
        /// The most it may have.
        most: usize,
    },
    /// A tag where none can be, or one out of range.
    #[error("'{0}' has no such tag: only attributes of tunnels have one, from 0 to 31 (RFC 2868)")]
    Tag(String),
    /// A value of one of the four that need no dictionary.
    #[error(transparent)]
    Typed(#[from] NotAReplyValue),
}

/// Why an attribute of that number, without a vendor, is not set by hand.
fn not_by_hand(number: u32, tag: u8) -> Option<&'static str> {
    let number = u8::try_from(number).ok()?;
    Some(match number {
        kind::USER_NAME => "it is the account's name, always",
        2 | 3 | 69 | 70..=76 | 84 => "it is a part of proving who somebody is",
        18 => "no reply to EAP may carry it (RFC 3579), and few clients show it",
        kind::STATE | kind::PROXY_STATE | kind::EAP_MESSAGE | kind::MESSAGE_AUTHENTICATOR => {
            "the protocol itself says it"
        }
        kind::VENDOR_SPECIFIC => "write a vendor's attribute by its name",
        4 | 5 | 30..=32 | 40..=55 | 60 | 61 | 68 | 77 | 86 | 87 | 94 | 95 | 101 | 103..=122 => {
            "a client says it, and is never told it"
        }
        kind::TUNNEL_TYPE | kind::TUNNEL_MEDIUM_TYPE | kind::TUNNEL_PRIVATE_GROUP_ID
            if tag == 0 =>
        {
            "write vlan=NUMBER, which says all three; for another tunnel write a tag behind the \
             name, as in Tunnel-Type:1"
        }
        241..=246 => "it is an extended attribute (RFC 6929)",
        _ => return None,
    })
}

/// Why a vendor's attribute is not set by hand.
fn vendors_not_by_hand(vendor: u32, number: u32) -> Option<&'static str> {
    let ours = vendor == u32::from_be_bytes(MICROSOFT)
        && matches!(number, 1..=6 | 11 | 12 | 16 | 17 | 25..=27);
    ours.then_some("it is a part of proving who somebody is, or a key of the session")
}

impl Dictionary {
    /// The reply attribute that a name and a value say. A tag stands behind the name, after a
    /// colon.
    ///
    /// # Errors
    /// Why they say none.
    pub fn reply_attribute(
        &self,
        name: &str,
        value: &str,
    ) -> Result<ReplyAttribute, RefusedAttribute> {
        match name.to_ascii_lowercase().as_str() {
            "vlan" => return Ok(ReplyAttribute::Vlan(Vlan::parse(value)?)),
            "session_timeout" => {
                return Ok(ReplyAttribute::SessionTimeout(SessionTimeout::parse(
                    value,
                )?));
            }
            "filter_id" => return Ok(ReplyAttribute::FilterId(FilterId::parse(value)?)),
            "class" => return Ok(ReplyAttribute::Class(SessionClass::parse(value)?)),
            _ => {}
        }
        let (definition, tag) = self.find(name)?;
        if tag == 0 && !definition.name.eq_ignore_ascii_case(name) {
            // Tag 0 is none: it is kept, and read again, without.
            return self.reply_attribute(&definition.name, value);
        }
        if definition.vendor.is_none() {
            let same = match definition.number {
                number if number == u32::from(kind::SESSION_TIMEOUT) => "session_timeout",
                number if number == u32::from(kind::FILTER_ID) => "filter_id",
                number if number == u32::from(kind::CLASS) => "class",
                _ => "",
            };
            if !same.is_empty() {
                return self.reply_attribute(same, value);
            }
        }
        let why = match (&definition.vendor, definition.shape) {
            (_, Shape::Unsendable(why)) => Some(why),
            (None, _) => not_by_hand(definition.number, tag),
            (Some(vendor), _) => vendors_not_by_hand(vendor.number, definition.number),
        };
        if let Some(why) = why {
            let name = definition.name.clone();
            return Err(RefusedAttribute::NotByHand { name, why });
        }
        let octets = self.octets(definition, tag, value)?;
        let (number, octets) = wrapped(definition, octets)?;
        let tagged = if tag == 0 {
            definition.name.clone()
        } else {
            format!("{}:{tag}", definition.name)
        };
        let resolved = Resolved {
            name: tagged,
            value: value.to_owned(),
            kind: number,
            octets,
        };
        Ok(ReplyAttribute::Other(OtherAttribute::new(resolved)?))
    }

    /// Whether an attribute still means what it meant when it was set.
    ///
    /// # Errors
    /// Why it means nothing any more, or something else.
    pub fn still(&self, attribute: &ReplyAttribute) -> Result<(), String> {
        let ReplyAttribute::Other(other) = attribute else {
            return Ok(());
        };
        let kept = other.resolved();
        match self.reply_attribute(&kept.name, &kept.value) {
            Ok(ReplyAttribute::Other(now))
                if (now.resolved().kind, &now.resolved().octets) == (kept.kind, &kept.octets) =>
            {
                Ok(())
            }
            Ok(_) => Err(format!(
                "{attribute} was set by another dictionary, and means something else in the ones \
                 of now"
            )),
            Err(refused) => Err(refused.to_string()),
        }
    }

    /// The attribute of that name, and its tag.
    fn find(&self, written: &str) -> Result<(&Definition, u8), RefusedAttribute> {
        let folded = written.to_ascii_lowercase();
        if let Some(definition) = self.attribute(&folded) {
            return Ok((definition, 0));
        }
        let tagged = folded
            .rsplit_once(':')
            .and_then(|(name, tag)| Some((self.attribute(name)?, tag)));
        if let Some((definition, tag)) = tagged {
            let tag = tag.parse::<u8>().ok().filter(|tag| *tag <= MAX_TAG);
            return match tag {
                Some(tag) if definition.tagged => Ok((definition, tag)),
                _ => Err(RefusedAttribute::Tag(shown(written))),
            };
        }
        Err(RefusedAttribute::Unknown {
            name: shown(written),
            nearest: nearest(written, self.names()).map(str::to_owned),
        })
    }

    fn octets(
        &self,
        definition: &Definition,
        tag: u8,
        text: &str,
    ) -> Result<Vec<u8>, RefusedAttribute> {
        let refused = || RefusedAttribute::Value {
            name: definition.name.clone(),
            value: shown(text),
            expected: value::expected(definition.shape),
        };
        let octets = value::octets(definition.shape, text, |name| self.value(definition, name))
            .ok_or_else(refused)?;
        if !definition.tagged {
            return Ok(octets);
        }
        match definition.shape {
            // Three octets are left of an integer beside its tag.
            Shape::Integer => match *octets.as_slice() {
                [0, high, middle, low] => {
                    let number = u32::from_be_bytes([0, high, middle, low]);
                    Ok(tagged_integer(tag, number).to_vec())
                }
                _ => Err(refused()),
            },
            // A text without a tag has no octet for it (RFC 2868 §3.3).
            _ if tag == 0 => Ok(octets),
            _ => Ok([&[tag], octets.as_slice()].concat()),
        }
    }
}

/// The number and the value of the attribute of a packet.
fn wrapped(definition: &Definition, octets: Vec<u8>) -> Result<(u8, Vec<u8>), RefusedAttribute> {
    let format = definition.vendor.as_ref().map(|vendor| vendor.format);
    let most = MAX_VALUE - format.map_or(0, |format| 4 + format.header());
    if octets.len() > most {
        return Err(RefusedAttribute::TooLong {
            name: definition.name.clone(),
            length: octets.len(),
            most,
        });
    }
    let Some(vendor) = &definition.vendor else {
        let number = u8::try_from(definition.number).unwrap_or_default();
        return Ok((number, octets));
    };
    let format = vendor.format;
    let mut value = vendor.number.to_be_bytes().to_vec();
    let number = definition.number.to_be_bytes();
    value.extend(number.iter().skip(4 - format.number));
    let length = u16::try_from(format.header() + octets.len()).unwrap_or(u16::MAX);
    value.extend(length.to_be_bytes().iter().skip(2 - format.length));
    if format.continued {
        value.push(0);
    }
    value.extend(octets);
    Ok((kind::VENDOR_SPECIFIC, value))
}

/// What was written, as an error shows it.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}
