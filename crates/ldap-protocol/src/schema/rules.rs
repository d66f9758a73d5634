//! Matching rules (RFC 4517 section 4.2): what an assertion says of a value.
//!
//! A rule turns values and assertions into keys; equal keys are equal values, and ordered keys
//! ordered ones. Bytes that do not fit the rule have no key, which makes a filter Undefined.

use super::prepare::{self, Case, Part};
use super::syntax::{self, Moment, Syntax};
use super::{class, names};
use crate::dn::DistinguishedName;

macro_rules! matching_rules {
    ($($variant:ident = $oid:literal, $name:literal, $syntax:ident;)+) => {
        /// The matching rules we evaluate.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum MatchingRule {
            $(#[doc = concat!("`", $name, "`")] $variant,)+
        }

        impl MatchingRule {
            /// Every rule, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The object identifier.
            pub const fn oid(self) -> &'static str {
                match self {
                    $(Self::$variant => $oid,)+
                }
            }

            /// The short name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The syntax of its assertions.
            pub const fn syntax(self) -> Syntax {
                match self {
                    $(Self::$variant => Syntax::$syntax,)+
                }
            }
        }
    };
}

matching_rules! {
    ObjectIdentifier = "2.5.13.0", "objectIdentifierMatch", Oid;
    DistinguishedName = "2.5.13.1", "distinguishedNameMatch", DistinguishedName;
    CaseIgnore = "2.5.13.2", "caseIgnoreMatch", DirectoryString;
    CaseIgnoreOrdering = "2.5.13.3", "caseIgnoreOrderingMatch", DirectoryString;
    CaseIgnoreSubstrings = "2.5.13.4", "caseIgnoreSubstringsMatch", SubstringAssertion;
    CaseExact = "2.5.13.5", "caseExactMatch", DirectoryString;
    CaseExactOrdering = "2.5.13.6", "caseExactOrderingMatch", DirectoryString;
    CaseExactSubstrings = "2.5.13.7", "caseExactSubstringsMatch", SubstringAssertion;
    Boolean = "2.5.13.13", "booleanMatch", Boolean;
    Integer = "2.5.13.14", "integerMatch", Integer;
    IntegerOrdering = "2.5.13.15", "integerOrderingMatch", Integer;
    OctetString = "2.5.13.17", "octetStringMatch", OctetString;
    OctetStringOrdering = "2.5.13.18", "octetStringOrderingMatch", OctetString;
    GeneralizedTime = "2.5.13.27", "generalizedTimeMatch", GeneralizedTime;
    GeneralizedTimeOrdering = "2.5.13.28", "generalizedTimeOrderingMatch", GeneralizedTime;
    ObjectIdentifierFirstComponent = "2.5.13.30", "objectIdentifierFirstComponentMatch", Oid;
    CaseExactIa5 = "1.3.6.1.4.1.1466.109.114.1", "caseExactIA5Match", Ia5String;
    CaseIgnoreIa5 = "1.3.6.1.4.1.1466.109.114.2", "caseIgnoreIA5Match", Ia5String;
    CaseIgnoreIa5Substrings =
        "1.3.6.1.4.1.1466.109.114.3", "caseIgnoreIA5SubstringsMatch", SubstringAssertion;
    CaseExactIa5Substrings =
        "1.3.6.1.4.1.4203.1.2.1", "caseExactIA5SubstringsMatch", SubstringAssertion;
    Uuid = "1.3.6.1.1.16.2", "uuidMatch", Uuid;
    UuidOrdering = "1.3.6.1.1.16.3", "uuidOrderingMatch", Uuid;
}

/// What a rule does with an assertion that stands alone, as in an extensible filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleKind {
    /// True of equal values.
    Equality,
    /// True of values that come before the assertion.
    Ordering,
    /// Needs pieces, which an extensible filter here cannot bring.
    Substrings,
}

/// The longest assertion value that is looked at, in bytes: as it comes, and as it is prepared. No
/// value here is as long.
pub(crate) const LONGEST_ASSERTION: usize = 4 * 1024;

/// A value as a rule sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Text(String),
    Bytes(Vec<u8>),
    Integer(i128),
    Moment(Moment),
    Boolean(bool),
    /// A name's normal form.
    Name(String),
    /// A numeric object identifier.
    Oid(String),
}

impl MatchingRule {
    /// The rule of this short name or OID.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|rule| rule.name().eq_ignore_ascii_case(name) || rule.oid() == name)
    }

    pub(crate) const fn kind(self) -> RuleKind {
        match self {
            Self::CaseIgnoreOrdering
            | Self::CaseExactOrdering
            | Self::IntegerOrdering
            | Self::OctetStringOrdering
            | Self::GeneralizedTimeOrdering
            | Self::UuidOrdering => RuleKind::Ordering,
            Self::CaseIgnoreSubstrings
            | Self::CaseExactSubstrings
            | Self::CaseIgnoreIa5Substrings
            | Self::CaseExactIa5Substrings => RuleKind::Substrings,
            _ => RuleKind::Equality,
        }
    }

    /// Whether the rule can be applied to values of a syntax (RFC 4517 section 4.2): what is no
    /// directory string has no rule of directory strings.
    pub(crate) fn fits(self, syntax: Syntax) -> bool {
        match self {
            Self::CaseIgnoreSubstrings | Self::CaseExactSubstrings => {
                syntax == Syntax::DirectoryString
            }
            Self::CaseIgnoreIa5Substrings | Self::CaseExactIa5Substrings => {
                syntax == Syntax::Ia5String
            }
            Self::ObjectIdentifierFirstComponent => matches!(
                syntax,
                Syntax::AttributeTypeDescription
                    | Syntax::ObjectClassDescription
                    | Syntax::MatchingRuleDescription
                    | Syntax::LdapSyntaxDescription
            ),
            _ => self.syntax() == syntax,
        }
    }

    fn case(self) -> Case {
        match self {
            Self::CaseExact
            | Self::CaseExactOrdering
            | Self::CaseExactSubstrings
            | Self::CaseExactIa5
            | Self::CaseExactIa5Substrings => Case::Keep,
            _ => Case::Fold,
        }
    }

    fn is_ascii_only(self) -> bool {
        matches!(
            self,
            Self::CaseExactIa5
                | Self::CaseExactIa5Substrings
                | Self::CaseIgnoreIa5
                | Self::CaseIgnoreIa5Substrings
        )
    }

    fn text(self, bytes: &[u8], part: Part, most: usize) -> Option<String> {
        let text = std::str::from_utf8(bytes).ok()?;
        if self.is_ascii_only() && !text.is_ascii() {
            return None;
        }
        // RFC 4517 section 3.3.6: a directory string has a character or more.
        if self.syntax() == Syntax::DirectoryString && text.is_empty() {
            return None;
        }
        prepare::part_within(text, self.case(), part, most)
    }

    /// The key of a value; `None` where the bytes do not fit the rule.
    pub(crate) fn key(self, bytes: &[u8]) -> Option<Key> {
        self.key_within(bytes, usize::MAX)
    }

    /// The key of an assertion about a whole value; `None` where the bytes do not fit the rule, or
    /// are more than [`LONGEST_ASSERTION`].
    pub(crate) fn assertion(self, bytes: &[u8]) -> Option<Key> {
        if bytes.len() > LONGEST_ASSERTION {
            return None;
        }
        self.key_within(bytes, LONGEST_ASSERTION)
    }

    fn key_within(self, bytes: &[u8], most: usize) -> Option<Key> {
        match self {
            Self::CaseIgnore
            | Self::CaseIgnoreOrdering
            | Self::CaseIgnoreSubstrings
            | Self::CaseExact
            | Self::CaseExactOrdering
            | Self::CaseExactSubstrings
            | Self::CaseExactIa5
            | Self::CaseIgnoreIa5
            | Self::CaseIgnoreIa5Substrings
            | Self::CaseExactIa5Substrings => self.text(bytes, Part::Whole, most).map(Key::Text),
            Self::Boolean => syntax::boolean(bytes).map(Key::Boolean),
            Self::Integer | Self::IntegerOrdering => syntax::integer(bytes).map(Key::Integer),
            Self::OctetString | Self::OctetStringOrdering => Some(Key::Bytes(bytes.to_vec())),
            Self::GeneralizedTime | Self::GeneralizedTimeOrdering => {
                syntax::generalized_time(bytes).map(Key::Moment)
            }
            Self::Uuid | Self::UuidOrdering => {
                syntax::uuid(bytes).map(|uuid| Key::Bytes(uuid.to_vec()))
            }
            Self::DistinguishedName => DistinguishedName::parse_bytes(bytes)
                .ok()
                .map(|dn| Key::Name(dn.normalised())),
            Self::ObjectIdentifier => oid_key(std::str::from_utf8(bytes).ok()?.trim()),
            Self::ObjectIdentifierFirstComponent => {
                let text = std::str::from_utf8(bytes).ok()?.trim();
                match text.strip_prefix('(') {
                    Some(description) => description
                        .split_whitespace()
                        .next()
                        .map(|oid| Key::Oid(oid.to_owned())),
                    None => oid_key(text),
                }
            }
        }
    }

    /// The text of a piece of a value, for a rule of substrings; `None` also where it is more than
    /// `most` bytes.
    pub(crate) fn piece(self, bytes: &[u8], part: Part, most: usize) -> Option<String> {
        match self.kind() {
            RuleKind::Substrings if (1..=most).contains(&bytes.len()) => {
                self.text(bytes, part, most)
            }
            _ => None,
        }
    }
}

/// The numeric form; a short name that nothing here has is no OID (RFC 4517 section 4.2.26).
fn oid_key(text: &str) -> Option<Key> {
    if names::is_numeric_oid(text) {
        return Some(Key::Oid(text.to_owned()));
    }
    let oid = class(text)
        .map(super::ObjectClass::oid)
        .or_else(|| super::attribute(text).map(super::AttributeType::oid))
        .or_else(|| MatchingRule::find(text).map(MatchingRule::oid))?;
    Some(Key::Oid(oid.to_owned()))
}
