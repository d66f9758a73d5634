//! The root DSE (RFC 4512 section 5.1) and the subschema entry (section 4.2): what anybody may
//! read, and only what works.

use super::attribute::Entry;
use super::controls;
use super::dn::DistinguishedName;
use super::extended::{PASSWORD_MODIFY, START_TLS, WHO_AM_I};
use super::sasl::Mechanism;
use super::schema::{
    ATTRIBUTE_TYPES, COMMON_NAME, DEFAULT_NAMING_CONTEXT, ENTRY_DN, LDAP_SYNTAXES, MATCHING_RULES,
    NAMING_CONTEXTS, OBJECT_CLASS, OBJECT_CLASSES, STRUCTURAL_OBJECT_CLASS, SUBENTRY,
    SUBSCHEMA as SUBSCHEMA_CLASS, SUBSCHEMA_SUBENTRY, SUPPORTED_CONTROL, SUPPORTED_EXTENSION,
    SUPPORTED_FEATURES, SUPPORTED_LDAP_VERSION, SUPPORTED_SASL_MECHANISMS, TOP, VENDOR_NAME,
    VENDOR_VERSION, attribute_types, ldap_syntaxes, matching_rules, object_classes,
};
use super::settings::{Settings, TlsMode, VersionTwo};
use super::tree::{SUBSCHEMA, Tree};

/// All operational attributes by `+` (RFC 3673).
const ALL_OPERATIONAL_ATTRIBUTES: &str = "1.3.6.1.4.1.4203.1.5.1";
/// True and false filters: `(&)` and `(|)` (RFC 4526).
const TRUE_FALSE_FILTERS: &str = "1.3.6.1.4.1.4203.1.5.3";

/// The root DSE of a listener, on a connection that could bind by these SASL mechanisms.
pub fn root_dse(settings: &Settings, mechanisms: &[Mechanism]) -> Entry {
    let base = settings.tree.base().to_string();
    let mut entry = Entry::new(DistinguishedName::root())
        .with(&OBJECT_CLASS, TOP.name())
        .with(&NAMING_CONTEXTS, base.as_str())
        .with(&DEFAULT_NAMING_CONTEXT, base)
        .with(&SUBSCHEMA_SUBENTRY, SUBSCHEMA)
        .with(&SUPPORTED_LDAP_VERSION, "3")
        .with(&SUPPORTED_EXTENSION, WHO_AM_I)
        .with(&SUPPORTED_EXTENSION, PASSWORD_MODIFY)
        .with(&VENDOR_NAME, "Doorward")
        .with(&VENDOR_VERSION, env!("CARGO_PKG_VERSION"));
    if settings.version_two == VersionTwo::Allow {
        entry.add(&SUPPORTED_LDAP_VERSION, "2");
    }
    if settings.tls == TlsMode::StartTls {
        entry.add(&SUPPORTED_EXTENSION, START_TLS);
    }
    entry.add_all(
        &SUPPORTED_SASL_MECHANISMS,
        mechanisms.iter().map(|mechanism| mechanism.name()),
    );
    entry.add_all(&SUPPORTED_CONTROL, controls::SUPPORTED);
    entry.add_all(
        &SUPPORTED_FEATURES,
        [ALL_OPERATIONAL_ATTRIBUTES, TRUE_FALSE_FILTERS],
    );
    entry
}

/// The subschema entry.
pub fn subschema(tree: &Tree) -> Entry {
    let dn = tree.subschema().clone();
    let name = dn.to_string();
    let mut entry = Entry::new(dn)
        .with(&OBJECT_CLASS, TOP.name())
        .with(&OBJECT_CLASS, SUBENTRY.name())
        .with(&OBJECT_CLASS, SUBSCHEMA_CLASS.name())
        .with(&COMMON_NAME, "subschema")
        .with(&STRUCTURAL_OBJECT_CLASS, SUBENTRY.name())
        .with(&SUBSCHEMA_SUBENTRY, SUBSCHEMA)
        .with(&ENTRY_DN, name);
    entry.add_all(&OBJECT_CLASSES, object_classes());
    entry.add_all(&ATTRIBUTE_TYPES, attribute_types());
    entry.add_all(&MATCHING_RULES, matching_rules());
    entry.add_all(&LDAP_SYNTAXES, ldap_syntaxes());
    entry
}
