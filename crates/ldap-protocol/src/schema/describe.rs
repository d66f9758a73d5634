//! The table as the subschema entry holds it: the descriptions of RFC 4512 section 4.1.

use std::fmt::Write as _;

use super::attributes::ALL_TYPES;
use super::classes::ALL_CLASSES;
use super::{AttributeType, ClassKind, MatchingRule, ObjectClass, Syntax, Usage};

/// The values of `attributeTypes`.
pub fn attribute_types() -> Vec<String> {
    let listed = ALL_TYPES.iter().filter(|kind| kind.listed);
    listed.map(|kind| attribute_type(kind)).collect()
}

/// The values of `objectClasses`.
pub fn object_classes() -> Vec<String> {
    ALL_CLASSES
        .iter()
        .map(|class| object_class(class))
        .collect()
}

/// The values of `matchingRules`.
pub fn matching_rules() -> Vec<String> {
    let describe = |rule: &MatchingRule| {
        format!(
            "( {} NAME '{}' SYNTAX {} )",
            rule.oid(),
            rule.name(),
            rule.syntax().oid()
        )
    };
    MatchingRule::ALL.iter().map(describe).collect()
}

/// The values of `ldapSyntaxes`.
pub fn ldap_syntaxes() -> Vec<String> {
    let describe =
        |syntax: &Syntax| format!("( {} DESC '{}' )", syntax.oid(), syntax.description());
    Syntax::ALL.iter().map(describe).collect()
}

/// A description as it grows; writing to a string cannot fail.
struct Description(String);

impl Description {
    fn new(oid: &str, names: &[&str], description: &str) -> Self {
        let mut out = Self(format!("( {oid}"));
        match names {
            [name] => out.add("NAME", &format!("'{name}'")),
            names => {
                let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
                out.add("NAME", &format!("( {} )", quoted.join(" ")));
            }
        }
        out.add("DESC", &format!("'{description}'"));
        out
    }

    fn add(&mut self, keyword: &str, value: &str) {
        let _ = write!(self.0, " {keyword} {value}");
    }

    fn flag(&mut self, keyword: &str) {
        let _ = write!(self.0, " {keyword}");
    }

    fn attributes(&mut self, keyword: &str, list: &[&AttributeType]) {
        let names: Vec<&str> = list.iter().map(|kind| kind.name()).collect();
        match names.as_slice() {
            [] => {}
            [name] => self.add(keyword, name),
            names => self.add(keyword, &format!("( {} )", names.join(" $ "))),
        }
    }

    fn finish(mut self) -> String {
        self.0.push_str(" )");
        self.0
    }
}

fn attribute_type(kind: &AttributeType) -> String {
    let mut out = Description::new(kind.oid, kind.names, kind.description);
    if let Some(superior) = kind.superior {
        out.add("SUP", superior.name());
    }
    let rules = [
        ("EQUALITY", kind.equality),
        ("ORDERING", kind.ordering),
        ("SUBSTR", kind.substrings),
    ];
    for (keyword, rule) in rules {
        if let Some(rule) = rule {
            out.add(keyword, rule.name());
        }
    }
    out.add("SYNTAX", kind.syntax.oid());
    if kind.single_valued {
        out.flag("SINGLE-VALUE");
    }
    match kind.usage {
        Usage::User => {}
        Usage::DirectoryOperation => out.flag("NO-USER-MODIFICATION USAGE directoryOperation"),
        Usage::ServerOperation => out.flag("NO-USER-MODIFICATION USAGE dSAOperation"),
    }
    out.finish()
}

fn object_class(class: &ObjectClass) -> String {
    let mut out = Description::new(class.oid(), class.names(), class.description());
    if let Some(superior) = class.superior() {
        out.add("SUP", superior.name());
    }
    out.flag(match class.kind() {
        ClassKind::Abstract => "ABSTRACT",
        ClassKind::Structural => "STRUCTURAL",
        ClassKind::Auxiliary => "AUXILIARY",
    });
    out.attributes("MUST", class.must());
    out.attributes("MAY", class.may());
    out.finish()
}
