//! Reply attributes: what a network is told about somebody it lets in, such as a VLAN or a limit.
//!
//! The four that everybody needs are types of their own; any other is octets that a dictionary
//! made, kept with the name and the value they were made of. Knows no packet and no dictionary.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::name::{GroupName, ResourceName};
use super::time::{format_span, parse_span};

/// The longest value of one RADIUS attribute, in octets (RFC 2865 §5).
const MAX_VALUE: usize = 253;

/// How the Class begins by which Doorward knows its own sessions again: no other may.
pub const OWN_CLASS: &str = "dw1";

/// A value that cannot be of its attribute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{value}' is no {attribute}: {rule}")]
pub struct NotAReplyValue {
    value: String,
    attribute: &'static str,
    rule: &'static str,
}

impl NotAReplyValue {
    fn new(value: &str, attribute: &'static str, rule: &'static str) -> Self {
        // A value that is far too long says nothing by its end.
        let value = value.chars().take(64).collect();
        Self {
            value,
            attribute,
            rule,
        }
    }
}

/// Text that fits one attribute, without control characters.
fn is_line(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.len() <= longest && !text.chars().any(char::is_control)
}

macro_rules! text_value {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text as it goes out.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAReplyValue;

            fn try_from(text: String) -> Result<Self, NotAReplyValue> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    };
}

text_value!(
    /// A VLAN: its number, or its name on the network's switches.
    Vlan
);

impl Vlan {
    /// Reads a number from 1 to 4094 (IEEE 802.1Q) or a name.
    ///
    /// # Errors
    /// The text is neither.
    pub fn parse(text: &str) -> Result<Self, NotAReplyValue> {
        let refused = || {
            let rule = "write a number from 1 to 4094, or a name of at most 32 printable ASCII \
                        characters without spaces at its ends";
            NotAReplyValue::new(text, "VLAN", rule)
        };
        if text.starts_with(|first: char| first.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_digit())
        {
            return match text.parse::<u16>() {
                Ok(number @ 1..=4094) => Ok(Self(number.to_string())),
                _ => Err(refused()),
            };
        }
        let named = is_line(text, 32) && text.is_ascii() && text.trim() == text;
        named.then(|| Self(text.to_owned())).ok_or_else(refused)
    }
}

text_value!(
    /// The name of a filter that the client has (RFC 2865 §5.11).
    FilterId
);

impl FilterId {
    /// Reads the name: 1 to 253 octets of text.
    ///
    /// # Errors
    /// The text is empty, too long, or has control characters.
    pub fn parse(text: &str) -> Result<Self, NotAReplyValue> {
        let rule = "write 1 to 253 octets of text without control characters";
        is_line(text, MAX_VALUE)
            .then(|| Self(text.to_owned()))
            .ok_or_else(|| NotAReplyValue::new(text, "filter", rule))
    }
}

text_value!(
    /// A Class that the client repeats in its accounting (RFC 2865 §5.25), besides Doorward's own.
    SessionClass
);

impl SessionClass {
    /// Reads the class: 1 to 253 octets of text.
    ///
    /// # Errors
    /// The text is empty, too long, has control characters, or could be taken for Doorward's own.
    pub fn parse(text: &str) -> Result<Self, NotAReplyValue> {
        let rule = "write 1 to 253 octets of text without control characters, and not with 'dw1' \
                    before it, by which Doorward knows its own";
        (is_line(text, MAX_VALUE) && !text.starts_with(OWN_CLASS))
            .then(|| Self(text.to_owned()))
            .ok_or_else(|| NotAReplyValue::new(text, "class", rule))
    }
}

/// How long a session may last, or until its user is authenticated again: whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionTimeout(NonZeroU32);

impl SessionTimeout {
    /// Reads a span such as `8h`, or a number of seconds.
    ///
    /// # Errors
    /// The text is no span, no whole number of seconds, zero, or longer than RADIUS can say.
    pub fn parse(text: &str) -> Result<Self, NotAReplyValue> {
        let span = match text.parse::<u64>() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => parse_span(text).ok(),
        };
        span.filter(|span| span.subsec_nanos() == 0)
            .and_then(|span| u32::try_from(span.as_secs()).ok())
            .and_then(NonZeroU32::new)
            .map(Self)
            .ok_or_else(|| {
                let rule = "write a span of whole seconds such as 30m or 8h, at most 136 years";
                NotAReplyValue::new(text, "session timeout", rule)
            })
    }

    /// The seconds.
    pub fn seconds(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for SessionTimeout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = Duration::from_secs(u64::from(self.seconds()));
        formatter.write_str(&format_span(span))
    }
}

impl TryFrom<String> for SessionTimeout {
    type Error = NotAReplyValue;

    fn try_from(text: String) -> Result<Self, NotAReplyValue> {
        Self::parse(&text)
    }
}

impl From<SessionTimeout> for String {
    fn from(timeout: SessionTimeout) -> Self {
        timeout.to_string()
    }
}

/// An attribute that a dictionary resolved: its name and value as they were written, and the one
/// attribute of a packet they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Resolved", into = "Resolved")]
pub struct OtherAttribute(Resolved);

/// What [`OtherAttribute`] is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// The name in the dictionary; a tag after a colon where it has one (RFC 2868).
    pub name: String,
    /// The value as it was written.
    pub value: String,
    /// The number of the attribute, 26 for a vendor's.
    pub kind: u8,
    /// The attribute's value on the wire, a vendor's header included.
    pub octets: Vec<u8>,
}

impl OtherAttribute {
    /// Keeps a resolved attribute.
    ///
    /// # Errors
    /// The name is no word, or the octets fit no attribute.
    pub fn new(resolved: Resolved) -> Result<Self, NotAReplyValue> {
        let Resolved { name, octets, .. } = &resolved;
        let named = is_line(name, 128)
            && name.starts_with(|first: char| first.is_ascii_alphanumeric())
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.:/+".contains(c));
        if !named {
            let rule = "at most 128 letters, digits and any of -_.:/+";
            return Err(NotAReplyValue::new(name, "name of an attribute", rule));
        }
        if octets.is_empty() || octets.len() > MAX_VALUE {
            let rule = "an attribute holds 1 to 253 octets, a vendor's header included";
            return Err(NotAReplyValue::new(&resolved.value, "value", rule));
        }
        Ok(Self(resolved))
    }

    /// What it is made of.
    pub fn resolved(&self) -> &Resolved {
        &self.0
    }
}

impl TryFrom<Resolved> for OtherAttribute {
    type Error = NotAReplyValue;

    fn try_from(resolved: Resolved) -> Result<Self, NotAReplyValue> {
        Self::new(resolved)
    }
}

impl From<OtherAttribute> for Resolved {
    fn from(attribute: OtherAttribute) -> Self {
        attribute.0
    }
}

/// One reply attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyAttribute {
    /// The VLAN to put the session into (RFC 3580 §3.31).
    Vlan(Vlan),
    /// How long the session may last (RFC 2865 §5.27).
    SessionTimeout(SessionTimeout),
    /// A filter for the session. There may be several.
    FilterId(FilterId),
    /// A class for accounting. There may be several.
    Class(SessionClass),
    /// Any other, by a dictionary. There may be several of one name.
    Other(OtherAttribute),
}

impl ReplyAttribute {
    /// Its name, as it is written in a command.
    pub fn name(&self) -> &str {
        match self {
            Self::Vlan(_) => "vlan",
            Self::SessionTimeout(_) => "session_timeout",
            Self::FilterId(_) => "filter_id",
            Self::Class(_) => "class",
            Self::Other(other) => &other.resolved().name,
        }
    }

    /// The form of the name by which two attributes are of one name.
    pub fn folded(&self) -> String {
        self.name().to_ascii_lowercase()
    }

    /// Its value, as it is written in a command.
    pub fn value(&self) -> String {
        match self {
            Self::Vlan(vlan) => vlan.to_string(),
            Self::SessionTimeout(timeout) => timeout.to_string(),
            Self::FilterId(filter) => filter.to_string(),
            Self::Class(class) => class.to_string(),
            Self::Other(other) => other.resolved().value.clone(),
        }
    }

    /// Whether one reply may hold several of them.
    pub fn may_repeat(&self) -> bool {
        !matches!(self, Self::Vlan(_) | Self::SessionTimeout(_))
    }

    /// What goes first where a packet has no room for all: a session must not miss its VLAN or its
    /// limit because of a long list of a vendor's.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Vlan(_) => 0,
            Self::SessionTimeout(_) => 1,
            Self::FilterId(_) => 2,
            Self::Class(_) => 3,
            Self::Other(_) => 4,
        }
    }
}

impl fmt::Display for ReplyAttribute {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}", self.name(), self.value())
    }
}

/// What an Access-Accept carries besides what the protocol itself needs: the ones that go first
/// where there is no room for all, first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplyAttributes(Vec<ReplyAttribute>);

impl ReplyAttributes {
    /// Puts attributes in order; those of one rank stay as they were given.
    pub fn new(mut attributes: Vec<ReplyAttribute>) -> Self {
        attributes.sort_by_key(ReplyAttribute::rank);
        Self(attributes)
    }

    /// Each, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, ReplyAttribute> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a ReplyAttributes {
    type Item = &'a ReplyAttribute;
    type IntoIter = std::slice::Iter<'a, ReplyAttribute>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Whose mapping an attribute comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplySource {
    /// The user's own.
    User,
    /// A group's, which the user is in, directly or through others.
    Group {
        /// The group.
        name: GroupName,
        /// Of two groups, the one with the higher number holds.
        priority: i32,
    },
}

/// An attribute that is mapped to an account, by itself or by a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyGrant {
    /// Whose mapping.
    pub from: ReplySource,
    /// The resource it is for; every one where absent.
    pub resource: Option<ResourceName>,
    /// The attribute.
    pub attribute: ReplyAttribute,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_vlan_is_a_number_of_802_1q_or_a_name() {
        for (text, kept) in [
            ("1", "1"),
            ("0020", "20"),
            ("4094", "4094"),
            ("staff", "staff"),
            ("20-guests", "20-guests"),
        ] {
            assert_eq!(Vlan::parse(text).unwrap().as_str(), kept);
        }
        let long = "x".repeat(33);
        for text in ["", "0", "4095", "70000", " staff", "a\u{1}b", "bür", &long] {
            assert!(Vlan::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_timeout_is_whole_seconds_that_radius_can_say() {
        assert_eq!(SessionTimeout::parse("8h").unwrap().seconds(), 28_800);
        assert_eq!(SessionTimeout::parse("90").unwrap().to_string(), "90s");
        for text in ["0", "0s", "1500ms", "200000d", "soon", "-1", "4294967296"] {
            assert!(SessionTimeout::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_class_is_never_taken_for_our_own() {
        assert!(SessionClass::parse("dw1staff").is_err());
        assert!(SessionClass::parse("staff").is_ok());
        assert!(SessionClass::parse(&"x".repeat(254)).is_err());
        assert!(FilterId::parse("two\nlines").is_err());
    }

    #[test]
    fn what_restricts_goes_before_what_adorns() {
        let other = OtherAttribute::new(Resolved {
            name: "Cisco-AVPair".to_owned(),
            value: "x".to_owned(),
            kind: 26,
            octets: vec![0, 0, 0, 9, 1, 3, b'x'],
        })
        .unwrap();
        let vlan = ReplyAttribute::Vlan(Vlan::parse("20").unwrap());
        let given = vec![ReplyAttribute::Other(other.clone()), vlan.clone()];
        let ordered = ReplyAttributes::new(given);
        assert_eq!(
            ordered.iter().cloned().collect::<Vec<_>>(),
            [vlan, ReplyAttribute::Other(other)]
        );
    }

    fn any_attribute() -> impl Strategy<Value = ReplyAttribute> {
        let vlan = prop_oneof![
            (1_u16..=4094).prop_map(|number| number.to_string()),
            "[a-z][a-z0-9]{0,20}"
        ]
        .prop_map(|text| ReplyAttribute::Vlan(Vlan::parse(&text).unwrap()));
        let timeout = (1..=u32::MAX).prop_map(|seconds| {
            ReplyAttribute::SessionTimeout(SessionTimeout::parse(&seconds.to_string()).unwrap())
        });
        let filter = "[ -~]{1,253}"
            .prop_map(|text| ReplyAttribute::FilterId(FilterId::parse(&text).unwrap()));
        let class = "[e-z][ -~]{0,252}"
            .prop_map(|text| ReplyAttribute::Class(SessionClass::parse(&text).unwrap()));
        let other = (
            "[A-Za-z][A-Za-z0-9-]{0,40}",
            ".{0,40}",
            any::<u8>(),
            prop::collection::vec(any::<u8>(), 1..=253),
        )
            .prop_map(|(name, value, kind, octets)| {
                let resolved = Resolved {
                    name,
                    value,
                    kind,
                    octets,
                };
                ReplyAttribute::Other(OtherAttribute::new(resolved).unwrap())
            });
        prop_oneof![vlan, timeout, filter, class, other]
    }

    proptest! {
        #[test]
        fn attributes_survive_being_stored(attribute in any_attribute()) {
            let text = serde_json::to_string(&attribute).unwrap();
            prop_assert_eq!(serde_json::from_str::<ReplyAttribute>(&text).unwrap(), attribute);
        }

        #[test]
        fn no_text_is_too_odd_to_be_refused(text in ".{0,300}") {
            let _ = (Vlan::parse(&text), SessionTimeout::parse(&text));
            let _ = (FilterId::parse(&text), SessionClass::parse(&text));
        }
    }
}
