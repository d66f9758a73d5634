//! The attribute types we serve, and those that their rules refer to.

use super::AttributeType;
use super::rules::MatchingRule as Rule;
use super::syntax::Syntax;

macro_rules! attribute_types {
    ($($ident:ident: $preset:ident($oid:literal, [$($name:literal),+], $description:literal)
        $(.$modifier:ident($($argument:expr)?))*;)+) => {
        $(
            #[doc = concat!($description, ".")]
            pub static $ident: AttributeType =
                AttributeType::$preset($oid, &[$($name),+], $description)
                    $(.$modifier($($argument)?))*;
        )+

        /// Every attribute type, in the order of the table.
        pub(super) static ALL_TYPES: &[&AttributeType] = &[$(&$ident),+];
    };
}

impl AttributeType {
    const fn text(oid: &'static str, names: Names, description: &'static str) -> Self {
        Self::new(oid, names, description, Syntax::DirectoryString)
            .matching(Rule::CaseIgnore)
            .substrings(Rule::CaseIgnoreSubstrings)
    }

    const fn ia5_ignoring_case(oid: &'static str, names: Names, description: &'static str) -> Self {
        Self::new(oid, names, description, Syntax::Ia5String)
            .matching(Rule::CaseIgnoreIa5)
            .substrings(Rule::CaseIgnoreIa5Substrings)
    }

    const fn ia5_exact(oid: &'static str, names: Names, description: &'static str) -> Self {
        Self::new(oid, names, description, Syntax::Ia5String).matching(Rule::CaseExactIa5)
    }

    const fn text_exact(oid: &'static str, names: Names, description: &'static str) -> Self {
        Self::new(oid, names, description, Syntax::DirectoryString).matching(Rule::CaseExact)
    }

    const fn ia5_unmatched(oid: &'static str, names: Names, description: &'static str) -> Self {
        Self::new(oid, names, description, Syntax::Ia5String)
    }

    const fn dn(oid: &'static str, names: Names, description: &'static str) -> Self {
        Self::new(oid, names, description, Syntax::DistinguishedName)
            .matching(Rule::DistinguishedName)
    }

    const fn integer(oid: &'static str, names: Names, description: &'static str) -> Self {
        Self::new(oid, names, description, Syntax::Integer)
            .matching(Rule::Integer)
            .ordering_by(Rule::IntegerOrdering)
    }

    const fn boolean(oid: &'static str, names: Names, description: &'static str) -> Self {
        Self::new(oid, names, description, Syntax::Boolean).matching(Rule::Boolean)
    }

    const fn time(oid: &'static str, names: Names, description: &'static str) -> Self {
        Self::new(oid, names, description, Syntax::GeneralizedTime)
            .matching(Rule::GeneralizedTime)
            .ordering_by(Rule::GeneralizedTimeOrdering)
    }

    const fn uuid(oid: &'static str, names: Names, description: &'static str) -> Self {
        Self::new(oid, names, description, Syntax::Uuid)
            .matching(Rule::Uuid)
            .ordering_by(Rule::UuidOrdering)
    }

    const fn object_identifier(oid: &'static str, names: Names, description: &'static str) -> Self {
        Self::new(oid, names, description, Syntax::Oid).matching(Rule::ObjectIdentifier)
    }

    const fn octets(oid: &'static str, names: Names, description: &'static str) -> Self {
        Self::new(oid, names, description, Syntax::OctetString).matching(Rule::OctetString)
    }

    const fn specification(oid: &'static str, names: Names, description: &'static str) -> Self {
        Self::new(oid, names, description, Syntax::SubtreeSpecification)
    }

    const fn classes(oid: &'static str, names: Names, description: &'static str) -> Self {
        Self::new(oid, names, description, Syntax::ObjectClassDescription)
            .matching(Rule::ObjectIdentifierFirstComponent)
    }

    const fn types(oid: &'static str, names: Names, description: &'static str) -> Self {
        Self::new(oid, names, description, Syntax::AttributeTypeDescription)
            .matching(Rule::ObjectIdentifierFirstComponent)
    }

    const fn rules(oid: &'static str, names: Names, description: &'static str) -> Self {
        Self::new(oid, names, description, Syntax::MatchingRuleDescription)
            .matching(Rule::ObjectIdentifierFirstComponent)
    }

    const fn syntaxes(oid: &'static str, names: Names, description: &'static str) -> Self {
        Self::new(oid, names, description, Syntax::LdapSyntaxDescription)
            .matching(Rule::ObjectIdentifierFirstComponent)
    }
}

type Names = &'static [&'static str];

attribute_types! {
    OBJECT_CLASS: object_identifier("2.5.4.0", ["objectClass"], "Kinds of object the entry is (RFC 4512)");
    NAME: text("2.5.4.41", ["name"], "Supertype of names (RFC 4519)");
    DISTINGUISHED_NAME: dn("2.5.4.49", ["distinguishedName"], "Supertype of references by name (RFC 4519)");
    COMMON_NAME: text("2.5.4.3", ["cn", "commonName"], "Name the object is known by (RFC 4519)").under(&NAME);
    SURNAME: text("2.5.4.4", ["sn", "surname"], "Family name (RFC 4519)").under(&NAME);
    GIVEN_NAME: text("2.5.4.42", ["givenName", "gn"], "Given name (RFC 4519)").under(&NAME);
    ORGANIZATION: text("2.5.4.10", ["o", "organizationName"], "Organization (RFC 4519)").under(&NAME);
    ORGANIZATIONAL_UNIT: text("2.5.4.11", ["ou", "organizationalUnitName"], "Organizational unit (RFC 4519)").under(&NAME);
    DOMAIN_COMPONENT: ia5_ignoring_case("0.9.2342.19200300.100.1.25", ["dc", "domainComponent"], "Label of a domain name (RFC 4519)").single();
    USER_ID: text("0.9.2342.19200300.100.1.1", ["uid", "userid"], "Login name (RFC 4519)");
    MAIL: ia5_ignoring_case("0.9.2342.19200300.100.1.3", ["mail", "rfc822Mailbox"], "Mail address (RFC 4524)");
    DISPLAY_NAME: text("2.16.840.1.113730.3.1.241", ["displayName"], "Name to show (RFC 2798)").single();
    DESCRIPTION: text("2.5.4.13", ["description"], "Description (RFC 4519)");
    USER_PASSWORD: octets("2.5.4.35", ["userPassword"], "Password, never readable (RFC 4519)").secret();
    MEMBER: dn("2.5.4.31", ["member"], "Member by name (RFC 4519)").under(&DISTINGUISHED_NAME);
    MEMBER_OF: dn("1.2.840.113556.1.2.102", ["memberOf"], "Group that the entry belongs to");
    UID_NUMBER: integer("1.3.6.1.1.1.1.0", ["uidNumber"], "Number of the user on a host (RFC 2307)").single();
    GID_NUMBER: integer("1.3.6.1.1.1.1.1", ["gidNumber"], "Number of the group on a host (RFC 2307)").single();
    GECOS: text("1.3.6.1.1.1.1.2", ["gecos"], "Comment field of a host account (RFC 2307)").single();
    HOME_DIRECTORY: ia5_exact("1.3.6.1.1.1.1.3", ["homeDirectory"], "Home directory (RFC 2307)").single();
    LOGIN_SHELL: ia5_exact("1.3.6.1.1.1.1.4", ["loginShell"], "Login shell (RFC 2307)").single();
    SHADOW_LAST_CHANGE: integer("1.3.6.1.1.1.1.5", ["shadowLastChange"], "Day the password was set, counted from 1970 (RFC 2307)").single();
    SHADOW_MIN: integer("1.3.6.1.1.1.1.6", ["shadowMin"], "Days before the password may change (RFC 2307)").single();
    SHADOW_MAX: integer("1.3.6.1.1.1.1.7", ["shadowMax"], "Days after which the password must change (RFC 2307)").single();
    SHADOW_WARNING: integer("1.3.6.1.1.1.1.8", ["shadowWarning"], "Days of warning before that (RFC 2307)").single();
    SHADOW_INACTIVE: integer("1.3.6.1.1.1.1.9", ["shadowInactive"], "Days an expired password still works (RFC 2307)").single();
    SHADOW_EXPIRE: integer("1.3.6.1.1.1.1.10", ["shadowExpire"], "Day the account ends, counted from 1970 (RFC 2307)").single();
    SHADOW_FLAG: integer("1.3.6.1.1.1.1.11", ["shadowFlag"], "Reserved (RFC 2307)").single();
    MEMBER_UID: ia5_exact("1.3.6.1.1.1.1.12", ["memberUid"], "Member by login name (RFC 2307)");
    SSH_PUBLIC_KEY: octets("1.3.6.1.4.1.24552.500.1.1.1.13", ["sshPublicKey"], "OpenSSH public key");
    SUDO_USER: text_exact("1.3.6.1.4.1.15953.9.1.1", ["sudoUser"], "Who may run sudo").substrings(Rule::CaseExactSubstrings);
    SUDO_HOST: ia5_exact("1.3.6.1.4.1.15953.9.1.2", ["sudoHost"], "Where sudo may be run").substrings(Rule::CaseExactIa5Substrings);
    SUDO_COMMAND: ia5_exact("1.3.6.1.4.1.15953.9.1.3", ["sudoCommand"], "What sudo may run");
    SUDO_RUN_AS: ia5_exact("1.3.6.1.4.1.15953.9.1.4", ["sudoRunAs"], "As whom sudo may run it (deprecated)");
    SUDO_OPTION: ia5_exact("1.3.6.1.4.1.15953.9.1.5", ["sudoOption"], "Option of sudo");
    SUDO_RUN_AS_USER: text_exact("1.3.6.1.4.1.15953.9.1.6", ["sudoRunAsUser"], "As whom sudo may run it");
    SUDO_RUN_AS_GROUP: text_exact("1.3.6.1.4.1.15953.9.1.7", ["sudoRunAsGroup"], "With which group sudo may run it");
    SUDO_NOT_BEFORE: time("1.3.6.1.4.1.15953.9.1.8", ["sudoNotBefore"], "When the rule begins to hold");
    SUDO_NOT_AFTER: time("1.3.6.1.4.1.15953.9.1.9", ["sudoNotAfter"], "Until when the rule holds");
    SUDO_ORDER: integer("1.3.6.1.4.1.15953.9.1.10", ["sudoOrder"], "Place of the rule among those that fit");
    PWD_ATTRIBUTE: object_identifier("1.3.6.1.4.1.42.2.27.8.1.1", ["pwdAttribute"], "Attribute the policy is for");
    PWD_MIN_AGE: integer("1.3.6.1.4.1.42.2.27.8.1.2", ["pwdMinAge"], "Seconds before a password may change").single();
    PWD_MAX_AGE: integer("1.3.6.1.4.1.42.2.27.8.1.3", ["pwdMaxAge"], "Seconds after which a password expires").single();
    PWD_IN_HISTORY: integer("1.3.6.1.4.1.42.2.27.8.1.4", ["pwdInHistory"], "Number of former passwords refused").single();
    PWD_CHECK_QUALITY: integer("1.3.6.1.4.1.42.2.27.8.1.5", ["pwdCheckQuality"], "Whether new passwords are checked").single();
    PWD_MIN_LENGTH: integer("1.3.6.1.4.1.42.2.27.8.1.6", ["pwdMinLength"], "Shortest password").single();
    PWD_EXPIRE_WARNING: integer("1.3.6.1.4.1.42.2.27.8.1.7", ["pwdExpireWarning"], "Seconds of warning before a password expires").single();
    PWD_GRACE_AUTHN_LIMIT: integer("1.3.6.1.4.1.42.2.27.8.1.8", ["pwdGraceAuthNLimit"], "Binds allowed after a password expired").single();
    PWD_LOCKOUT: boolean("1.3.6.1.4.1.42.2.27.8.1.9", ["pwdLockout"], "Whether failures lock an account").single();
    PWD_LOCKOUT_DURATION: integer("1.3.6.1.4.1.42.2.27.8.1.10", ["pwdLockoutDuration"], "Seconds a lock lasts").single();
    PWD_MAX_FAILURE: integer("1.3.6.1.4.1.42.2.27.8.1.11", ["pwdMaxFailure"], "Failures that lock an account").single();
    PWD_FAILURE_COUNT_INTERVAL: integer("1.3.6.1.4.1.42.2.27.8.1.12", ["pwdFailureCountInterval"], "Seconds a failure counts").single();
    PWD_MUST_CHANGE: boolean("1.3.6.1.4.1.42.2.27.8.1.13", ["pwdMustChange"], "Whether a reset password must change").single();
    PWD_ALLOW_USER_CHANGE: boolean("1.3.6.1.4.1.42.2.27.8.1.14", ["pwdAllowUserChange"], "Whether users may change their password").single();
    PWD_SAFE_MODIFY: boolean("1.3.6.1.4.1.42.2.27.8.1.15", ["pwdSafeModify"], "Whether a change needs the old password").single();
    PWD_CHANGED_TIME: time("1.3.6.1.4.1.42.2.27.8.1.16", ["pwdChangedTime"], "When the password was set").single().operational();
    PWD_ACCOUNT_LOCKED_TIME: time("1.3.6.1.4.1.42.2.27.8.1.17", ["pwdAccountLockedTime"], "When the account was locked; 000001010000Z without end").single().operational();
    PWD_FAILURE_TIME: time("1.3.6.1.4.1.42.2.27.8.1.19", ["pwdFailureTime"], "When binds failed").operational();
    PWD_RESET: boolean("1.3.6.1.4.1.42.2.27.8.1.22", ["pwdReset"], "Whether the password must change").single().operational();
    PWD_POLICY_SUBENTRY: dn("1.3.6.1.4.1.42.2.27.8.1.23", ["pwdPolicySubentry"], "Password policy of the entry").single().operational();
    NS_ACCOUNT_LOCK: text("2.16.840.1.113730.3.1.610", ["nsAccountLock"], "Whether the account may not log in").single().operational();
    CREATE_TIMESTAMP: time("2.5.18.1", ["createTimestamp"], "When the entry was made (RFC 4512)").single().operational();
    MODIFY_TIMESTAMP: time("2.5.18.2", ["modifyTimestamp"], "When the entry last changed (RFC 4512)").single().operational();
    CREATORS_NAME: dn("2.5.18.3", ["creatorsName"], "Who made the entry (RFC 4512)").single().operational();
    MODIFIERS_NAME: dn("2.5.18.4", ["modifiersName"], "Who last changed the entry (RFC 4512)").single().operational();
    SUBTREE_SPECIFICATION: specification("2.5.18.6", ["subtreeSpecification"], "Part of the tree a subentry is for (RFC 3672)").single().operational();
    HAS_SUBORDINATES: boolean("2.5.18.9", ["hasSubordinates"], "Whether entries stand below (X.501)").single().operational();
    SUBSCHEMA_SUBENTRY: dn("2.5.18.10", ["subschemaSubentry"], "Where the schema is (RFC 4512)").single().operational();
    STRUCTURAL_OBJECT_CLASS: object_identifier("2.5.21.9", ["structuralObjectClass"], "Structural class of the entry (RFC 4512)").single().operational();
    ENTRY_UUID: uuid("1.3.6.1.1.16.4", ["entryUUID"], "Identifier that outlives renaming (RFC 4530)").single().operational();
    ENTRY_DN: dn("1.3.6.1.1.20", ["entryDN"], "Name of the entry (RFC 5020)").single().operational();
    NAMING_CONTEXTS: dn("1.3.6.1.4.1.1466.101.120.5", ["namingContexts"], "Trees served here (RFC 4512)").root();
    ALT_SERVER: ia5_unmatched("1.3.6.1.4.1.1466.101.120.6", ["altServer"], "Other servers (RFC 4512)").root();
    SUPPORTED_EXTENSION: object_identifier("1.3.6.1.4.1.1466.101.120.7", ["supportedExtension"], "Extended operations served (RFC 4512)").root();
    SUPPORTED_CONTROL: object_identifier("1.3.6.1.4.1.1466.101.120.13", ["supportedControl"], "Controls served (RFC 4512)").root();
    SUPPORTED_SASL_MECHANISMS: text("1.3.6.1.4.1.1466.101.120.14", ["supportedSASLMechanisms"], "SASL mechanisms served (RFC 4512)").root();
    SUPPORTED_LDAP_VERSION: integer("1.3.6.1.4.1.1466.101.120.15", ["supportedLDAPVersion"], "Protocol versions served (RFC 4512)").root();
    SUPPORTED_FEATURES: object_identifier("1.3.6.1.4.1.4203.1.3.5", ["supportedFeatures"], "Features served (RFC 4512)").root();
    VENDOR_NAME: text("1.3.6.1.1.4", ["vendorName"], "Maker of the server (RFC 3045)").single().root();
    VENDOR_VERSION: text("1.3.6.1.1.5", ["vendorVersion"], "Version of the server (RFC 3045)").single().root();
    DEFAULT_NAMING_CONTEXT: dn("2.25.230790437195660190623428363211845552657", ["defaultNamingContext"], "Tree to search where none is configured").single().root().unlisted();
    OBJECT_CLASSES: classes("2.5.21.6", ["objectClasses"], "Object classes (RFC 4512)").operational();
    ATTRIBUTE_TYPES: types("2.5.21.5", ["attributeTypes"], "Attribute types (RFC 4512)").operational();
    MATCHING_RULES: rules("2.5.21.4", ["matchingRules"], "Matching rules (RFC 4512)").operational();
    LDAP_SYNTAXES: syntaxes("1.3.6.1.4.1.1466.101.120.16", ["ldapSyntaxes"], "Syntaxes (RFC 4512)").operational();
}
