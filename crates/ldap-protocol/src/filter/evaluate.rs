//! The truth of a filter for an entry, in three values (RFC 4511 section 4.5.1.7).
//!
//! What is not known, not readable, or not comparable is Undefined, and stays so under a Not:
//! an attribute that a client may not read tells it nothing, however the filter is turned.
//!
//! Many terms over an attribute of many values are much work, so that it can be done in portions:
//! [`Matcher::advance`] stops where its [`Progress`] allows no more and goes on from there.

use super::{Assertion, Extensible, Filter, Substrings};
use crate::dn::{DistinguishedName, Rdn};
use crate::result::ResultCode;
use crate::schema;
use crate::schema::prepare::Part;
use crate::schema::{AttributeType, Key, LONGEST_ASSERTION, MatchingRule, RuleKind};
use crate::values::ValueSet;

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

    /// True if any is, else Undefined if any is; none where one is not known yet and none that is
    /// known decides.
    fn any(truths: impl Iterator<Item = Option<Self>>) -> Option<Self> {
        let mut sum = Self::False;
        for truth in truths {
            match truth? {
                Self::True => return Some(Self::True),
                Self::Undefined => sum = Self::Undefined,
                Self::False => {}
            }
        }
        Some(sum)
    }

    /// False if any is, else Undefined if any is.
    fn all(truths: impl Iterator<Item = Option<Self>>) -> Option<Self> {
        Self::any(truths.map(|truth| truth.map(Self::not))).map(Self::not)
    }
}

/// What an entry says of one attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values<'a> {
    /// Its values; none where the attribute is absent.
    Readable(&'a ValueSet),
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
    let comparison = match Comparison::new(attribute, value) {
        Ok(comparison) => comparison,
        Err(code) => return code,
    };
    if !comparison.present.evaluate(entry).is_true() {
        return ResultCode::NoSuchAttribute;
    }
    match comparison.equal {
        Ok(equal) => Comparison::code(equal.evaluate(entry).is_true()),
        Err(code) => code,
    }
}

/// What a compare request asks of an entry.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Whether the attribute is there; where it is not, that is noSuchAttribute.
    pub present: Matcher,
    /// Whether it has the value, or why that cannot be asked.
    pub equal: Result<Matcher, ResultCode>,
}

impl Comparison {
    /// Prepares the question.
    ///
    /// # Errors
    /// There is nothing to ask, whatever the entry is.
    pub fn new(attribute: &str, value: &[u8]) -> Result<Self, ResultCode> {
        let kind = schema::attribute(attribute).ok_or(ResultCode::UndefinedAttributeType)?;
        // What is not readable is as if it were absent, so that the answer does not tell that it
        // is there.
        if !kind.is_readable() {
            return Err(ResultCode::NoSuchAttribute);
        }
        let equal = match kind.equality() {
            None => Err(ResultCode::InappropriateMatching),
            Some(rule) => match rule.assertion(value) {
                None => Err(ResultCode::InvalidAttributeSyntax),
                Some(key) => Ok(Matcher::of(kind, Test::Equal(rule, key))),
            },
        };
        Ok(Self {
            present: Matcher::of(kind, Test::Any),
            equal,
        })
    }

    /// The answer, once it is known.
    pub const fn code(equal: bool) -> ResultCode {
        if equal {
            ResultCode::CompareTrue
        } else {
            ResultCode::CompareFalse
        }
    }
}

/// How far the evaluation of a filter for one entry has come, and how much of it may be done now.
///
/// Work is counted in bytes of values that are looked at, and [`VALUE_WORK`] for each value.
#[derive(Debug)]
pub struct Progress {
    allowed: usize,
    /// The leaves that are decided.
    decided: Vec<(usize, Truth)>,
    /// The leaf that is not, and where it stands.
    at: Option<(usize, Place)>,
}

/// What looking at a value costs besides its bytes.
pub const VALUE_WORK: usize = 64;

impl Progress {
    /// Nothing is done yet, and nothing allowed.
    pub const fn new() -> Self {
        Self {
            allowed: 0,
            decided: Vec::new(),
            at: None,
        }
    }

    /// Nothing is done yet, and everything allowed.
    fn unbounded() -> Self {
        Self {
            allowed: usize::MAX,
            ..Self::new()
        }
    }

    /// Begins another entry.
    pub fn restart(&mut self) {
        self.decided.clear();
        self.at = None;
    }

    /// Allows so much work from now on.
    pub const fn allow(&mut self, work: usize) {
        self.allowed = work;
    }

    /// What is left of the work allowed.
    pub const fn left(&self) -> usize {
        self.allowed
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// Where in an entry a leaf stands: which of the attributes it asks, which value of that, and
/// what the attributes before said.
#[derive(Debug, Clone, Copy)]
struct Place {
    attribute: usize,
    value: usize,
    sum: Truth,
}

impl Place {
    const START: Self = Self {
        attribute: 0,
        value: 0,
        sum: Truth::False,
    };
}

/// A filter with its attributes looked up and its assertions prepared.
#[derive(Debug, Clone)]
pub struct Matcher {
    root: Node,
}

/// A filter whose assertions are being prepared, one after the other, so that others can go first
/// in between.
#[derive(Debug)]
pub struct Preparing<'a> {
    filter: &'a Filter,
    items: std::vec::IntoIter<&'a Filter>,
    done: Vec<Option<Leaf>>,
}

impl<'a> Preparing<'a> {
    /// Nothing is prepared yet.
    pub fn new(filter: &'a Filter) -> Self {
        Self {
            filter,
            items: filter.items().into_iter(),
            done: Vec::new(),
        }
    }

    /// Prepares the next item, and returns it; none where all are.
    pub fn step(&mut self) -> Option<&'a Filter> {
        let item = self.items.next()?;
        self.done.push(Leaf::new(item));
        Some(item)
    }

    /// The filter, the rest of it prepared as well.
    pub fn finish(mut self) -> Matcher {
        while self.step().is_some() {}
        Matcher {
            root: Node::new(self.filter, &mut self.done.into_iter().enumerate()),
        }
    }
}

impl Matcher {
    /// Prepares a filter.
    pub fn new(filter: &Filter) -> Self {
        Preparing::new(filter).finish()
    }

    const fn of(kind: &'static AttributeType, test: Test) -> Self {
        Self {
            root: Node::Leaf(0, Leaf::Test(kind, test)),
        }
    }

    /// Evaluates the filter for one entry.
    pub fn evaluate(&self, entry: &dyn AttributeSource) -> Truth {
        // All of it is allowed, so that there is an answer.
        self.advance(entry, &mut Progress::unbounded())
            .unwrap_or(Truth::Undefined)
    }

    /// Goes on evaluating the filter for one entry, which is the same each time until there is an
    /// answer; none where the work allowed was used up before.
    pub fn advance(&self, entry: &dyn AttributeSource, progress: &mut Progress) -> Option<Truth> {
        self.root.advance(entry, progress)
    }

    /// Whether the filter may look at the values of an attribute.
    pub fn asks(&self, kind: &AttributeType) -> bool {
        self.root.asks(kind)
    }
}

/// One node; as deep as the filter, which its decoder bounds.
#[derive(Debug, Clone)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Undefined,
    /// With its number among the leaves.
    Leaf(usize, Leaf),
}

/// What asks an entry.
#[derive(Debug, Clone)]
enum Leaf {
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
    /// Whether it is there.
    Any,
    Equal(MatchingRule, Key),
    AtLeast(MatchingRule, Key),
    AtMost(MatchingRule, Key),
    Before(MatchingRule, Key),
    Pieces {
        rule: MatchingRule,
        initial: String,
        any: Vec<String>,
        last: String,
        /// The bytes of all pieces together: no shorter text has them.
        shortest: usize,
    },
}

impl Node {
    /// The tree of a filter over its items, which come in their order.
    fn new(filter: &Filter, leaves: &mut impl Iterator<Item = (usize, Option<Leaf>)>) -> Self {
        let mut each =
            |filters: &[Filter]| filters.iter().map(|own| Self::new(own, leaves)).collect();
        match filter {
            Filter::And(filters) => Self::All(each(filters)),
            Filter::Or(filters) => Self::Any(each(filters)),
            Filter::Not(filter) => Self::Not(Box::new(Self::new(filter, leaves))),
            _ => match leaves.next() {
                Some((number, Some(leaf))) => Self::Leaf(number, leaf),
                _ => Self::Undefined,
            },
        }
    }

    fn advance(&self, entry: &dyn AttributeSource, progress: &mut Progress) -> Option<Truth> {
        match self {
            Self::All(nodes) => Truth::all(nodes.iter().map(|node| node.advance(entry, progress))),
            Self::Any(nodes) => Truth::any(nodes.iter().map(|node| node.advance(entry, progress))),
            Self::Not(node) => node.advance(entry, progress).map(Truth::not),
            Self::Undefined => Some(Truth::Undefined),
            Self::Leaf(number, leaf) => {
                let decided = progress.decided.iter().find(|(own, _)| own == number);
                if let Some((_, truth)) = decided {
                    return Some(*truth);
                }
                let mut place = match progress.at {
                    Some((own, place)) if own == *number => place,
                    _ => Place::START,
                };
                let truth = leaf.advance(entry, &mut place, progress);
                match truth {
                    // What is done in one go needs no memory.
                    Some(_) if progress.allowed == usize::MAX => {}
                    Some(truth) => progress.decided.push((*number, truth)),
                    None => progress.at = Some((*number, place)),
                }
                truth
            }
        }
    }

    fn asks(&self, kind: &AttributeType) -> bool {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().any(|node| node.asks(kind)),
            Self::Not(node) => node.asks(kind),
            Self::Undefined => false,
            Self::Leaf(_, Leaf::Test(own, _)) => kind.is_a(own),
            Self::Leaf(
                _,
                Leaf::Extensible {
                    attribute, rule, ..
                },
            ) => match attribute {
                Some(own) => kind.is_a(own),
                None => rule.fits(kind.syntax()),
            },
        }
    }
}

impl Leaf {
    /// What an item asks; none where that cannot be true of anything.
    fn new(item: &Filter) -> Option<Self> {
        match item {
            Filter::Present(attribute) => {
                readable(attribute).map(|kind| Self::Test(kind, Test::Any))
            }
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
            Filter::And(_) | Filter::Or(_) | Filter::Not(_) => None,
        }
    }

    fn test(
        assertion: &Assertion,
        rule: fn(&AttributeType) -> Option<MatchingRule>,
        test: fn(MatchingRule, Key) -> Test,
    ) -> Option<Self> {
        let kind = readable(&assertion.attribute)?;
        let rule = rule(kind)?;
        let key = rule.assertion(&assertion.value)?;
        Some(Self::Test(kind, test(rule, key)))
    }

    fn substrings(substrings: &Substrings) -> Option<Self> {
        let kind = readable(&substrings.attribute)?;
        let rule = kind.substring()?;
        // No value has more bytes than that, so that neither have its pieces together.
        let mut left = LONGEST_ASSERTION;
        let mut prepared = |piece: &[u8], part| {
            let prepared = rule.piece(piece, part, left)?;
            left = left.saturating_sub(prepared.len());
            Some(prepared)
        };
        let mut end = |piece: &Option<Vec<u8>>, part| match piece {
            Some(piece) => prepared(piece, part),
            None => Some(String::new()),
        };
        let initial = end(&substrings.initial, Part::Initial)?;
        let last = end(&substrings.last, Part::Final)?;
        let any = substrings.any.iter();
        let any = any.map(|piece| prepared(piece, Part::Any));
        let any = any.collect::<Option<Vec<String>>>()?;
        let shortest = any.iter().map(String::len).sum::<usize>() + initial.len() + last.len();
        Some(Self::Test(
            kind,
            Test::Pieces {
                rule,
                initial,
                any,
                last,
                shortest,
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
        let key = rule.assertion(&extensible.value)?;
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

    /// Goes on from `place`; none where the work allowed is used up, `place` being where it was.
    fn advance(
        &self,
        entry: &dyn AttributeSource,
        place: &mut Place,
        progress: &mut Progress,
    ) -> Option<Truth> {
        match self {
            // Asked of an attribute and of its subtypes (RFC 4512 section 2.5.1).
            Self::Test(kind, test) if kind.has_subtypes() => {
                let fits = |own: &&'static AttributeType| own.is_a(kind) && own.is_readable();
                let kinds = entry.attributes().into_iter().filter(fits);
                ask(entry, kinds, test, place, progress)
            }
            Self::Test(kind, test) => ask(entry, Some(*kind).into_iter(), test, place, progress),
            Self::Extensible {
                attribute,
                rule,
                test,
                dn,
            } => {
                let stored = if let Some(kind) = attribute {
                    Self::Test(kind, test.clone()).advance(entry, place, progress)
                } else {
                    let kinds = entry.attributes().into_iter();
                    let kinds = kinds.filter(|kind| kind.is_readable() && rule.fits(kind.syntax()));
                    ask(entry, kinds, test, place, progress)
                }?;
                if *dn && !stored.is_true() && named(entry.dn(), *attribute, *rule, test) {
                    Some(Truth::True)
                } else {
                    Some(stored)
                }
            }
        }
    }
}

/// The attribute of a description, if it is known and may be read at all.
fn readable(description: &str) -> Option<&'static AttributeType> {
    schema::attribute(description).filter(|kind| kind.is_readable())
}

/// Asks some attributes of an entry, those before `place` having been asked.
fn ask(
    entry: &dyn AttributeSource,
    kinds: impl Iterator<Item = &'static AttributeType>,
    test: &Test,
    place: &mut Place,
    progress: &mut Progress,
) -> Option<Truth> {
    let mut scratch = Vec::new();
    for kind in kinds.skip(place.attribute) {
        match entry.values(kind) {
            Values::Unreadable => place.sum = Truth::Undefined,
            Values::Readable(values) => {
                if let Test::Any = test {
                    if !values.is_empty() {
                        return Some(Truth::True);
                    }
                } else {
                    while let Some(value) = values.get(place.value, &mut scratch) {
                        if progress.allowed == 0 {
                            return None;
                        }
                        let work = value.len().saturating_add(VALUE_WORK);
                        if progress.allowed != usize::MAX {
                            progress.allowed = progress.allowed.saturating_sub(work);
                        }
                        place.value += 1;
                        if test.holds(value) {
                            return Some(Truth::True);
                        }
                    }
                }
            }
        }
        place.attribute += 1;
        place.value = 0;
    }
    Some(place.sum)
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
    fn holds(&self, value: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Equal(rule, key) => rule.key(value).is_some_and(|own| own == *key),
            Self::AtLeast(rule, key) => rule.key(value).is_some_and(|own| own >= *key),
            Self::AtMost(rule, key) => rule.key(value).is_some_and(|own| own <= *key),
            Self::Before(rule, key) => rule.key(value).is_some_and(|own| own < *key),
            Self::Pieces {
                rule,
                initial,
                any,
                last,
                shortest,
            } => match rule.key(value) {
                Some(Key::Text(text)) => {
                    text.len() >= *shortest && has_pieces(&text, initial, any, last)
                }
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
