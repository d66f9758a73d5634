//! What is known about attributes, object classes and matching rules, and how the subschema
//! entry describes it (RFC 4512 section 4).
//!
//! The table is fixed: it holds what Doorward serves and what clients of such a tree expect to
//! be described. Nothing here knows an entry.

mod attributes;
mod classes;
mod describe;
pub(crate) mod names;
pub(crate) mod prepare;
mod rules;
mod syntax;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use attributes::ALL_TYPES;
pub use attributes::*;
use classes::ALL_CLASSES;
pub use classes::{ClassKind, ObjectClass, *};
pub use describe::{attribute_types, ldap_syntaxes, matching_rules, object_classes};
pub use rules::MatchingRule;
pub(crate) use rules::{Key, LONGEST_ASSERTION, RuleKind};
pub use syntax::Syntax;

/// What an attribute is for (RFC 4512 section 4.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Whatever users put there; `*` selects it.
    User,
    /// The directory's own; `+` selects it.
    DirectoryOperation,
    /// The server's own; `+` selects it.
    ServerOperation,
}

/// An attribute type. Two are equal when their OIDs are.
pub struct AttributeType {
    oid: &'static str,
    names: &'static [&'static str],
    description: &'static str,
    syntax: Syntax,
    superior: Option<&'static AttributeType>,
    equality: Option<MatchingRule>,
    ordering: Option<MatchingRule>,
    substrings: Option<MatchingRule>,
    single_valued: bool,
    usage: Usage,
    readable: bool,
    listed: bool,
}

impl AttributeType {
    const fn new(
        oid: &'static str,
        names: &'static [&'static str],
        description: &'static str,
        syntax: Syntax,
    ) -> Self {
        Self {
            oid,
            names,
            description,
            syntax,
            superior: None,
            equality: None,
            ordering: None,
            substrings: None,
            single_valued: false,
            usage: Usage::User,
            readable: true,
            listed: true,
        }
    }

    const fn matching(mut self, rule: MatchingRule) -> Self {
        self.equality = Some(rule);
        self
    }

    const fn ordering_by(mut self, rule: MatchingRule) -> Self {
        self.ordering = Some(rule);
        self
    }

    const fn substrings(mut self, rule: MatchingRule) -> Self {
        self.substrings = Some(rule);
        self
    }

    const fn under(mut self, superior: &'static Self) -> Self {
        self.superior = Some(superior);
        self
    }

    const fn single(mut self) -> Self {
        self.single_valued = true;
        self
    }

    const fn operational(mut self) -> Self {
        self.usage = Usage::DirectoryOperation;
        self
    }

    const fn root(mut self) -> Self {
        self.usage = Usage::ServerOperation;
        self
    }

    const fn secret(mut self) -> Self {
        self.readable = false;
        self
    }

    const fn unlisted(mut self) -> Self {
        self.listed = false;
        self
    }

    /// The object identifier.
    pub const fn oid(&self) -> &'static str {
        self.oid
    }

    /// The short name that answers carry.
    pub fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or(self.oid)
    }

    /// Every short name, the first included.
    pub const fn names(&self) -> &'static [&'static str] {
        self.names
    }

    /// The syntax of its values.
    pub const fn syntax(&self) -> Syntax {
        self.syntax
    }

    /// The rule for equality filters.
    pub const fn equality(&self) -> Option<MatchingRule> {
        self.equality
    }

    /// The rule for greater-or-equal and less-or-equal filters.
    pub const fn ordering(&self) -> Option<MatchingRule> {
        self.ordering
    }

    /// The rule that sorts its values where a client names none: that of its ordering, else the
    /// one that orders as its equality compares; none for what has no order, such as names.
    pub(crate) fn sorting(&self) -> Option<MatchingRule> {
        self.ordering.or(match self.equality? {
            MatchingRule::CaseIgnore => Some(MatchingRule::CaseIgnoreOrdering),
            MatchingRule::CaseExact => Some(MatchingRule::CaseExactOrdering),
            MatchingRule::OctetString => Some(MatchingRule::OctetStringOrdering),
            // No ordering rule of ASCII strings is defined; these have its keys.
            ascii @ (MatchingRule::CaseIgnoreIa5 | MatchingRule::CaseExactIa5) => Some(ascii),
            _ => None,
        })
    }

    /// The rule for substring filters.
    pub const fn substring(&self) -> Option<MatchingRule> {
        self.substrings
    }

    /// Whether an entry may hold one value only.
    pub const fn is_single_valued(&self) -> bool {
        self.single_valued
    }

    /// What the attribute is for.
    pub const fn usage(&self) -> Usage {
        self.usage
    }

    /// Whether `+` selects it rather than `*`.
    pub const fn is_operational(&self) -> bool {
        !matches!(self.usage, Usage::User)
    }

    /// Whether anybody may read it or filter by it; the password never.
    pub const fn is_readable(&self) -> bool {
        self.readable
    }

    /// Whether it is `other` or a subtype of it (RFC 4512 section 2.5.1).
    pub fn is_a(&self, other: &Self) -> bool {
        let mut current = Some(self);
        while let Some(kind) = current {
            if kind == other {
                return true;
            }
            current = kind.superior;
        }
        false
    }

    /// Whether any attribute is a subtype of it.
    pub(crate) fn has_subtypes(&self) -> bool {
        ALL_TYPES.iter().any(|kind| kind.superior == Some(self))
    }
}

impl PartialEq for AttributeType {
    fn eq(&self, other: &Self) -> bool {
        self.oid == other.oid
    }
}

impl Eq for AttributeType {}

impl fmt::Debug for AttributeType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The attribute type of this short name or OID, without regard to case. A description with an
/// option such as `;binary` names a subtype that we do not hold (RFC 4512 section 2.5.2), so it
/// is none.
pub fn attribute(description: &str) -> Option<&'static AttributeType> {
    static BY_NAME: LazyLock<HashMap<String, &'static AttributeType>> = LazyLock::new(|| {
        let names = ALL_TYPES.iter().flat_map(|&kind| {
            let own = std::iter::once(kind.oid).chain(kind.names.iter().copied());
            own.map(move |name| (name.to_ascii_lowercase(), kind))
        });
        names.collect()
    });
    BY_NAME.get(&description.to_ascii_lowercase()).copied()
}

/// The object class of this short name or OID, without regard to case.
pub fn class(name: &str) -> Option<&'static ObjectClass> {
    ALL_CLASSES.iter().copied().find(|class| {
        class.oid() == name
            || class
                .names()
                .iter()
                .any(|own| own.eq_ignore_ascii_case(name))
    })
}
