//! The object classes of the entries we serve.

use std::fmt;

use super::AttributeType;
use super::attributes::{
    ATTRIBUTE_TYPES, COMMON_NAME, DESCRIPTION, DISPLAY_NAME, DOMAIN_COMPONENT, GECOS, GID_NUMBER,
    GIVEN_NAME, HOME_DIRECTORY, LDAP_SYNTAXES, LOGIN_SHELL, MAIL, MATCHING_RULES, MEMBER,
    MEMBER_UID, OBJECT_CLASS, OBJECT_CLASSES, ORGANIZATION, ORGANIZATIONAL_UNIT,
    PWD_ALLOW_USER_CHANGE, PWD_ATTRIBUTE, PWD_CHECK_QUALITY, PWD_EXPIRE_WARNING,
    PWD_FAILURE_COUNT_INTERVAL, PWD_GRACE_AUTHN_LIMIT, PWD_IN_HISTORY, PWD_LOCKOUT,
    PWD_LOCKOUT_DURATION, PWD_MAX_AGE, PWD_MAX_FAILURE, PWD_MIN_AGE, PWD_MIN_LENGTH,
    PWD_MUST_CHANGE, PWD_SAFE_MODIFY, SHADOW_EXPIRE, SHADOW_FLAG, SHADOW_INACTIVE,
    SHADOW_LAST_CHANGE, SHADOW_MAX, SHADOW_MIN, SHADOW_WARNING, SSH_PUBLIC_KEY,
    SUBTREE_SPECIFICATION, SUDO_COMMAND, SUDO_HOST, SUDO_NOT_AFTER, SUDO_NOT_BEFORE, SUDO_OPTION,
    SUDO_ORDER, SUDO_RUN_AS, SUDO_RUN_AS_GROUP, SUDO_RUN_AS_USER, SUDO_USER, SURNAME, UID_NUMBER,
    USER_ID, USER_PASSWORD,
};

/// What a class gives an entry (RFC 4512 section 2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassKind {
    /// A base for other classes.
    Abstract,
    /// What the entry is.
    Structural,
    /// What it is besides.
    Auxiliary,
}

/// An object class. Two are equal when their OIDs are.
pub struct ObjectClass {
    oid: &'static str,
    names: &'static [&'static str],
    description: &'static str,
    superior: Option<&'static ObjectClass>,
    kind: ClassKind,
    must: &'static [&'static AttributeType],
    may: &'static [&'static AttributeType],
}

impl ObjectClass {
    /// The object identifier.
    pub const fn oid(&self) -> &'static str {
        self.oid
    }

    /// The short name that answers carry.
    pub fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or(self.oid)
    }

    /// Every short name.
    pub const fn names(&self) -> &'static [&'static str] {
        self.names
    }

    /// What it is, in a few words.
    pub const fn description(&self) -> &'static str {
        self.description
    }

    /// The class it extends; `None` of `top`.
    pub const fn superior(&self) -> Option<&'static Self> {
        self.superior
    }

    /// What it gives an entry.
    pub const fn kind(&self) -> ClassKind {
        self.kind
    }

    /// The attributes an entry of the class has.
    pub const fn must(&self) -> &'static [&'static AttributeType] {
        self.must
    }

    /// The attributes it may have besides, of those we serve.
    pub const fn may(&self) -> &'static [&'static AttributeType] {
        self.may
    }
}

impl PartialEq for ObjectClass {
    fn eq(&self, other: &Self) -> bool {
        self.oid == other.oid
    }
}

impl Eq for ObjectClass {}

impl fmt::Debug for ObjectClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

macro_rules! object_classes {
    ($($ident:ident: $kind:ident $oid:literal, $name:literal, $description:literal,
        $superior:expr, must [$($must:ident),*], may [$($may:ident),*];)+) => {
        $(
            #[doc = concat!($description, ".")]
            pub static $ident: ObjectClass = ObjectClass {
                oid: $oid,
                names: &[$name],
                description: $description,
                superior: $superior,
                kind: ClassKind::$kind,
                must: &[$(&$must),*],
                may: &[$(&$may),*],
            };
        )+

        /// Every class, in the order of the table.
        pub(super) static ALL_CLASSES: &[&ObjectClass] = &[$(&$ident),+];
    };
}

object_classes! {
    TOP: Abstract "2.5.6.0", "top", "Base of every class (RFC 4512)", None,
        must [OBJECT_CLASS], may [];
    DOMAIN: Structural "0.9.2342.19200300.100.4.13", "domain", "DNS domain (RFC 4524)",
        Some(&TOP), must [DOMAIN_COMPONENT], may [ORGANIZATION, DESCRIPTION, USER_PASSWORD];
    ORGANIZATION_CLASS: Structural "2.5.6.4", "organization", "Organization (RFC 4519)",
        Some(&TOP), must [ORGANIZATION], may [DESCRIPTION, USER_PASSWORD];
    DC_OBJECT: Auxiliary "1.3.6.1.4.1.1466.344", "dcObject", "Label of a domain name (RFC 4519)",
        Some(&TOP), must [DOMAIN_COMPONENT], may [];
    ORGANIZATIONAL_UNIT_CLASS: Structural "2.5.6.5", "organizationalUnit",
        "Organizational unit (RFC 4519)",
        Some(&TOP), must [ORGANIZATIONAL_UNIT], may [DESCRIPTION, USER_PASSWORD];
    PERSON: Structural "2.5.6.6", "person", "Person (RFC 4519)",
        Some(&TOP), must [SURNAME, COMMON_NAME], may [DESCRIPTION, USER_PASSWORD];
    ORGANIZATIONAL_PERSON: Structural "2.5.6.7", "organizationalPerson",
        "Person of an organization (RFC 4519)",
        Some(&PERSON), must [], may [ORGANIZATIONAL_UNIT];
    INET_ORG_PERSON: Structural "2.16.840.1.113730.3.2.2", "inetOrgPerson",
        "Person with an account (RFC 2798)",
        Some(&ORGANIZATIONAL_PERSON), must [],
        may [DISPLAY_NAME, GIVEN_NAME, MAIL, ORGANIZATION, USER_ID];
    POSIX_ACCOUNT: Auxiliary "1.3.6.1.1.1.2.0", "posixAccount", "Account on a host (RFC 2307)",
        Some(&TOP), must [COMMON_NAME, USER_ID, UID_NUMBER, GID_NUMBER, HOME_DIRECTORY],
        may [USER_PASSWORD, LOGIN_SHELL, GECOS, DESCRIPTION];
    SHADOW_ACCOUNT: Auxiliary "1.3.6.1.1.1.2.1", "shadowAccount",
        "Ages of a password on a host (RFC 2307)",
        Some(&TOP), must [USER_ID],
        may [USER_PASSWORD, DESCRIPTION, SHADOW_LAST_CHANGE, SHADOW_MIN, SHADOW_MAX,
            SHADOW_WARNING, SHADOW_INACTIVE, SHADOW_EXPIRE, SHADOW_FLAG];
    POSIX_GROUP: Auxiliary "1.3.6.1.1.1.2.2", "posixGroup", "Group on a host (RFC 2307)",
        Some(&TOP), must [GID_NUMBER], may [USER_PASSWORD, MEMBER_UID, DESCRIPTION];
    LDAP_PUBLIC_KEY: Auxiliary "1.3.6.1.4.1.24552.500.1.1.2.0", "ldapPublicKey",
        "Holder of OpenSSH public keys",
        Some(&TOP), must [], may [SSH_PUBLIC_KEY, USER_ID];
    SUDO_ROLE: Structural "1.3.6.1.4.1.15953.9.2.1", "sudoRole", "Rule of sudo",
        Some(&TOP), must [COMMON_NAME],
        may [SUDO_USER, SUDO_HOST, SUDO_COMMAND, SUDO_RUN_AS, SUDO_RUN_AS_USER,
            SUDO_RUN_AS_GROUP, SUDO_OPTION, SUDO_ORDER, SUDO_NOT_BEFORE, SUDO_NOT_AFTER,
            DESCRIPTION];
    GROUP_OF_NAMES: Structural "2.5.6.9", "groupOfNames",
        "Group of entries, which may be empty (RFC 4519)",
        Some(&TOP), must [COMMON_NAME],
        may [MEMBER, ORGANIZATIONAL_UNIT, ORGANIZATION, DESCRIPTION];
    APPLICATION_PROCESS: Structural "2.5.6.11", "applicationProcess",
        "Program that runs somewhere (RFC 4519)",
        Some(&TOP), must [COMMON_NAME], may [ORGANIZATIONAL_UNIT, DESCRIPTION];
    SIMPLE_SECURITY_OBJECT: Auxiliary "0.9.2342.19200300.100.4.19", "simpleSecurityObject",
        "Something with a password (RFC 4524)",
        Some(&TOP), must [USER_PASSWORD], may [];
    EXTENSIBLE_OBJECT: Auxiliary "1.3.6.1.4.1.1466.101.120.111", "extensibleObject",
        "Entry that may hold any attribute (RFC 4512)",
        Some(&TOP), must [], may [];
    SUBENTRY: Structural "2.5.17.0", "subentry", "Entry about part of the tree (RFC 3672)",
        Some(&TOP), must [COMMON_NAME], may [SUBTREE_SPECIFICATION];
    SUBSCHEMA: Auxiliary "2.5.20.1", "subschema", "Entry that holds the schema (RFC 4512)",
        Some(&TOP), must [],
        may [OBJECT_CLASSES, ATTRIBUTE_TYPES, MATCHING_RULES, LDAP_SYNTAXES];
    PWD_POLICY: Auxiliary "1.3.6.1.4.1.42.2.27.8.2.1", "pwdPolicy", "Password policy",
        Some(&TOP), must [PWD_ATTRIBUTE],
        may [PWD_MIN_AGE, PWD_MAX_AGE, PWD_IN_HISTORY, PWD_CHECK_QUALITY, PWD_MIN_LENGTH,
            PWD_EXPIRE_WARNING, PWD_GRACE_AUTHN_LIMIT, PWD_LOCKOUT, PWD_LOCKOUT_DURATION,
            PWD_MAX_FAILURE, PWD_FAILURE_COUNT_INTERVAL, PWD_MUST_CHANGE, PWD_ALLOW_USER_CHANGE,
            PWD_SAFE_MODIFY];
}
