//! The truth of a filter for an entry, in three values (RFC 4511 section 4.5.1.7).
//!
//! What is not known, not readable, or not comparable is Undefined, and stays so under a Not:
//! an attribute that a client may not read tells it nothing, however the filter is turned.

use super::{Assertion, Extensible, Filter, Substrings};
use crate::ldap::dn::{DistinguishedName, Rdn};
use crate::ldap::result::ResultCode;
use crate::ldap::schema::prepare::Part;
use crate::ldap::schema::{self, AttributeType, Key, MatchingRule, RuleKind};

/// A truth value of X.511.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// That cannot be said.
    Undefined,
}

impl Truth {
    /// Whether an entry is returned: only on True.
    pub const fn is_true(self) -> bool {
        matches!(self, Self::True)
    }

    const fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Undefined => Self::Undefined,
        }
    }

    const fn of(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }

    /// True if any is, else Undefined if any is.
    fn any(truths: impl Iterator<Item = Self>) -> Self {
        let mut sum = Self::False;
        for truth in truths {
            match truth {
                Self::True => return Self::True,
                Self::Undefined => sum = Self::Undefined,
                Self::False => {}
            }
        }
        sum
    }

    /// False if any is, else Undefined if any is.
    fn all(truths: impl Iterator<Item = Self>) -> Self {
        Self::any(truths.map(Self::not)).not()
    }
}

/// What an entry says of one attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values<'a> {
    /// Its values; none where the attribute is absent.
    Readable(&'a [Vec<u8>]),
    /// The client may not know.
    Unreadable,
}

/// An entry as filters see it.
pub trait AttributeSource {
    /// Its name.
    fn dn(&self) -> &DistinguishedName;

    /// What it says of an attribute. An attribute that is not
    /// [readable](AttributeType::is_readable) is never asked for.
    fn values(&self, attribute: &'static AttributeType) -> Values<'_>;

    /// The attributes that it holds.
    fn attributes(&self) -> Vec<&'static AttributeType>;
}

/// Evaluates a filter for one entry. For many entries make a [`Matcher`] once.
pub fn evaluate(filter: &Filter, entry: &dyn AttributeSource) -> Truth {
    Matcher::new(filter).evaluate(entry)
}

/// Answers a compare request (RFC 4511 section 4.10) on an entry that the client may read:
/// compareTrue, compareFalse, or why there is nothing to compare.
pub fn compare(entry: &dyn AttributeSource, attribute: &str, value: &[u8]) -> ResultCode {
    let Some(kind) = schema::attribute(attribute) else {
        return ResultCode::UndefinedAttributeType;
    };
    let present = |values: &[Vec<u8>]| Truth::of(!values.is_empty());
    // What is not readable is as if it were absent, so that the answer does not tell that it is
    // there.
    if !kind.is_readable() || !each(entry, kind, present).is_true() {
        return ResultCode::NoSuchAttribute;
    }
    let Some(rule) = kind.equality() else {
        return ResultCode::InappropriateMatching;
    };
    let Some(key) = rule.key(value) else {
        return ResultCode::InvalidAttributeSyntax;
    };
    let test = Test::Equal(rule, key);
    if each(entry, kind, |values| test.any(values)).is_true() {
        ResultCode::CompareTrue
    } else {
        ResultCode::CompareFalse
    }
}

/// A filter with its attributes looked up and its assertions prepared.
#[derive(Debug, Clone)]
pub struct Matcher {
    root: Node,
}

impl Matcher {
    /// Prepares a filter.
    pub fn new(filter: &Filter) -> Self {
        Self {
            root: Node::new(filter),
        }
    }

    /// Evaluates the filter for one entry.
    pub fn evaluate(&self, entry: &dyn AttributeSource) -> Truth {
        self.root.evaluate(entry)
    }
}

/// One node; as deep as the filter, which its decoder bounds.
#[derive(Debug, Clone)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Undefined,
    Present(&'static AttributeType),
    Test(&'static AttributeType, Test),
    /// A test of every attribute that its rule fits, or of one, in the name too where `dn`.
    Extensible {
        attribute: Option<&'static AttributeType>,
        rule: MatchingRule,
        test: Test,
        dn: bool,
    },
}

/// What is asked of single values.
#[derive(Debug, Clone)]
enum Test {
    Equal(MatchingRule, Key),
    AtLeast(MatchingRule, Key),
    AtMost(MatchingRule, Key),
    Before(MatchingRule, Key),
    Pieces {
        rule: MatchingRule,
        initial: String,
        any: Vec<String>,
        last: String,
    },
}

impl Node {
    fn new(filter: &Filter) -> Self {
        let prepared = match filter {
            Filter::And(filters) => Some(Self::All(filters.iter().map(Self::new).collect())),
            Filter::Or(filters) => Some(Self::Any(filters.iter().map(Self::new).collect())),
            Filter::Not(filter) => Some(Self::Not(Box::new(Self::new(filter)))),
            Filter::Present(attribute) => readable(attribute).map(Self::Present),
            Filter::Equality(assertion) | Filter::Approximate(assertion) => {
                Self::test(assertion, AttributeType::equality, Test::Equal)
            }
            Filter::GreaterOrEqual(assertion) => {
                Self::test(assertion, AttributeType::ordering, Test::AtLeast)
            }
            Filter::LessOrEqual(assertion) => {
                Self::test(assertion, AttributeType::ordering, Test::AtMost)
            }
            Filter::Substrings(substrings) => Self::substrings(substrings),
            Filter::Extensible(extensible) => Self::extensible(extensible),
        };
        prepared.unwrap_or(Self::Undefined)
    }

    fn test(
        assertion: &Assertion,
        rule: fn(&AttributeType) -> Option<MatchingRule>,
        test: fn(MatchingRule, Key) -> Test,
    ) -> Option<Self> {
        let kind = readable(&assertion.attribute)?;
        let rule = rule(kind)?;
        Some(Self::Test(kind, test(rule, rule.key(&assertion.value)?)))
    }

    fn substrings(substrings: &Substrings) -> Option<Self> {
        let kind = readable(&substrings.attribute)?;
        let rule = kind.substring()?;
        let end = |piece: &Option<Vec<u8>>, part| match piece {
            Some(piece) => rule.piece(piece, part),
            None => Some(String::new()),
        };
        let initial = end(&substrings.initial, Part::Initial)?;
        let last = end(&substrings.last, Part::Final)?;
        let any = substrings
            .any
            .iter()
            .map(|piece| rule.piece(piece, Part::Any));
        let any = any.collect::<Option<Vec<String>>>()?;
        Some(Self::Test(
            kind,
            Test::Pieces {
                rule,
                initial,
                any,
                last,
            },
        ))
    }

    fn extensible(extensible: &Extensible) -> Option<Self> {
        let attribute = match &extensible.attribute {
            Some(attribute) => Some(readable(attribute)?),
            None => None,
        };
        let rule = match &extensible.rule {
            Some(name) => MatchingRule::find(name)?,
            None => attribute?.equality()?,
        };
        if attribute.is_some_and(|kind| !rule.fits(kind.syntax())) {
            return None;
        }
        let key = rule.key(&extensible.value)?;
        let test = match rule.kind() {
            RuleKind::Equality => Test::Equal(rule, key),
            RuleKind::Ordering => Test::Before(rule, key),
            RuleKind::Substrings => return None,
        };
        Some(Self::Extensible {
            attribute,
            rule,
            test,
            dn: extensible.dn_attributes,
        })
    }

    fn evaluate(&self, entry: &dyn AttributeSource) -> Truth {
        match self {
            Self::All(nodes) => Truth::all(nodes.iter().map(|node| node.evaluate(entry))),
            Self::Any(nodes) => Truth::any(nodes.iter().map(|node| node.evaluate(entry))),
            Self::Not(node) => node.evaluate(entry).not(),
            Self::Undefined => Truth::Undefined,
            Self::Present(kind) => each(entry, kind, |values| Truth::of(!values.is_empty())),
            Self::Test(kind, test) => each(entry, kind, |values| test.any(values)),
            Self::Extensible {
                attribute,
                rule,
                test,
                dn,
            } => {
                let stored = if let Some(kind) = attribute {
                    each(entry, kind, |values| test.any(values))
                } else {
                    let kinds = entry.attributes().into_iter();
                    let kinds = kinds.filter(|kind| kind.is_readable() && rule.fits(kind.syntax()));
                    Truth::any(kinds.map(|kind| ask(entry, kind, |own| test.any(own))))
                };
                if *dn && !stored.is_true() && named(entry.dn(), *attribute, *rule, test) {
                    Truth::True
                } else {
                    stored
                }
            }
        }
    }
}

/// The attribute of a description, if it is known and may be read at all.
fn readable(description: &str) -> Option<&'static AttributeType> {
    schema::attribute(description).filter(|kind| kind.is_readable())
}

fn ask(
    entry: &dyn AttributeSource,
    kind: &'static AttributeType,
    test: impl Fn(&[Vec<u8>]) -> Truth,
) -> Truth {
    match entry.values(kind) {
        Values::Readable(values) => test(values),
        Values::Unreadable => Truth::Undefined,
    }
}

/// Asks of an attribute and of its subtypes (RFC 4512 section 2.5.1).
fn each(
    entry: &dyn AttributeSource,
    kind: &'static AttributeType,
    test: impl Fn(&[Vec<u8>]) -> Truth,
) -> Truth {
    if !kind.has_subtypes() {
        return ask(entry, kind, test);
    }
    let kinds = entry
        .attributes()
        .into_iter()
        .filter(|own| own.is_a(kind) && own.is_readable());
    Truth::any(kinds.map(|own| ask(entry, own, &test)))
}

/// Whether an attribute in the entry's name passes.
fn named(
    dn: &DistinguishedName,
    attribute: Option<&'static AttributeType>,
    rule: MatchingRule,
    test: &Test,
) -> bool {
    dn.rdns().iter().flat_map(Rdn::parts).any(|part| {
        let Some(kind) = schema::attribute(part.attribute()) else {
            return false;
        };
        let wanted = match attribute {
            Some(attribute) => kind.is_a(attribute),
            None => rule.fits(kind.syntax()),
        };
        wanted && part.text().is_some_and(|text| test.holds(text.as_bytes()))
    })
}

impl Test {
    fn any(&self, values: &[Vec<u8>]) -> Truth {
        Truth::of(values.iter().any(|value| self.holds(value)))
    }

    fn holds(&self, value: &[u8]) -> bool {
        match self {
            Self::Equal(rule, key) => rule.key(value).is_some_and(|own| own == *key),
            Self::AtLeast(rule, key) => rule.key(value).is_some_and(|own| own >= *key),
            Self::AtMost(rule, key) => rule.key(value).is_some_and(|own| own <= *key),
            Self::Before(rule, key) => rule.key(value).is_some_and(|own| own < *key),
            Self::Pieces {
                rule,
                initial,
                any,
                last,
            } => match rule.key(value) {
                Some(Key::Text(text)) => has_pieces(&text, initial, any, last),
                _ => false,
            },
        }
    }
}

/// Whether the text has the pieces in this order, none of them overlapping.
fn has_pieces(text: &str, initial: &str, any: &[String], last: &str) -> bool {
    let Some(text) = text.strip_prefix(initial) else {
        return false;
    };
    let Some(mut text) = text.strip_suffix(last) else {
        return false;
    };
    for piece in any {
        // The first place leaves the most for the pieces that follow.
        let Some((_, rest)) = text.split_once(piece.as_str()) else {
            return false;
        };
        text = rest;
    }
    true
}
