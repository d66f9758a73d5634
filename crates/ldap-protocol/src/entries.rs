//! Users, groups and the fixed entries of the tree as LDAP entries.
//!
//! It renders what the directory returned. A user who would be refused at the resource that asks
//! carries the marks that clients obey (CONTRACT.md 2); nothing here decides who that is.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::attribute::Entry;
use super::schema::{
    APPLICATION_PROCESS, AttributeType, COMMON_NAME, CREATE_TIMESTAMP, DC_OBJECT, DESCRIPTION,
    DISPLAY_NAME, DOMAIN_COMPONENT, ENTRY_DN, ENTRY_UUID, EXTENSIBLE_OBJECT, GECOS, GID_NUMBER,
    GROUP_OF_NAMES, HAS_SUBORDINATES, HOME_DIRECTORY, INET_ORG_PERSON, LDAP_PUBLIC_KEY,
    LOGIN_SHELL, MAIL, MEMBER, MEMBER_OF, MEMBER_UID, MODIFY_TIMESTAMP, NS_ACCOUNT_LOCK,
    OBJECT_CLASS, ORGANIZATION, ORGANIZATION_CLASS, ORGANIZATIONAL_PERSON, ORGANIZATIONAL_UNIT,
    ORGANIZATIONAL_UNIT_CLASS, ObjectClass, PERSON, POSIX_ACCOUNT, POSIX_GROUP,
    PWD_ACCOUNT_LOCKED_TIME, PWD_ATTRIBUTE, PWD_CHANGED_TIME, PWD_FAILURE_TIME, PWD_LOCKOUT,
    PWD_POLICY, PWD_RESET, SHADOW_ACCOUNT, SHADOW_EXPIRE, SHADOW_LAST_CHANGE, SHADOW_MAX,
    SHADOW_WARNING, SSH_PUBLIC_KEY, STRUCTURAL_OBJECT_CLASS, SUBSCHEMA_SUBENTRY, SUDO_COMMAND,
    SUDO_HOST, SUDO_NOT_AFTER, SUDO_NOT_BEFORE, SUDO_OPTION, SUDO_ORDER, SUDO_ROLE,
    SUDO_RUN_AS_GROUP, SUDO_RUN_AS_USER, SUDO_USER, SURNAME, TOP, UID_NUMBER, USER_ID,
    USER_PASSWORD, attribute,
};
use super::tree::{Fixed, SUBSCHEMA, Tree, base_name};
use super::values::{Names, Run};
use doorward_domain::account::Condition;
use doorward_domain::sudo::SudoSubject;
use doorward_domain::time::Timestamp;
use doorward_frontend_api::{Group, Person, SudoRole};

/// "Locked without end" (draft-behera section 5.3.3). Never the time of the lock: of all values,
/// this is the only one at which SSSD's `lockout` rule denies as its `ppolicy` rule does.
const LOCKED_FOR_GOOD: &str = "000001010000Z";

/// The classes of a user's entry.
pub(crate) const PERSON_CLASSES: [&ObjectClass; 7] = [
    &TOP,
    &PERSON,
    &ORGANIZATIONAL_PERSON,
    &INET_ORG_PERSON,
    &POSIX_ACCOUNT,
    &SHADOW_ACCOUNT,
    &LDAP_PUBLIC_KEY,
];

/// The classes of a group's entry.
pub(crate) const GROUP_CLASSES: [&ObjectClass; 3] = [&TOP, &GROUP_OF_NAMES, &POSIX_GROUP];

/// The attributes that a user's entry can hold.
pub(crate) const PERSON_ATTRIBUTES: [&AttributeType; 29] = [
    &OBJECT_CLASS,
    &USER_ID,
    &COMMON_NAME,
    &SURNAME,
    &DISPLAY_NAME,
    &MAIL,
    &UID_NUMBER,
    &GID_NUMBER,
    &HOME_DIRECTORY,
    &LOGIN_SHELL,
    &GECOS,
    &SHADOW_LAST_CHANGE,
    &SHADOW_MAX,
    &SHADOW_WARNING,
    &SHADOW_EXPIRE,
    &MEMBER_OF,
    &SSH_PUBLIC_KEY,
    &ENTRY_UUID,
    &ENTRY_DN,
    &CREATE_TIMESTAMP,
    &MODIFY_TIMESTAMP,
    &STRUCTURAL_OBJECT_CLASS,
    &SUBSCHEMA_SUBENTRY,
    &HAS_SUBORDINATES,
    &PWD_CHANGED_TIME,
    &PWD_RESET,
    &PWD_FAILURE_TIME,
    &PWD_ACCOUNT_LOCKED_TIME,
    &NS_ACCOUNT_LOCK,
];

/// The attributes that a group's entry can hold.
pub(crate) const GROUP_ATTRIBUTES: [&AttributeType; 13] = [
    &OBJECT_CLASS,
    &COMMON_NAME,
    &GID_NUMBER,
    &DESCRIPTION,
    &MEMBER,
    &MEMBER_UID,
    &ENTRY_UUID,
    &ENTRY_DN,
    &CREATE_TIMESTAMP,
    &MODIFY_TIMESTAMP,
    &STRUCTURAL_OBJECT_CLASS,
    &SUBSCHEMA_SUBENTRY,
    &HAS_SUBORDINATES,
];

/// The classes of a sudo rule's entry.
pub(crate) const SUDO_CLASSES: [&ObjectClass; 2] = [&TOP, &SUDO_ROLE];

/// The attributes that a sudo rule's entry can hold.
pub(crate) const SUDO_ATTRIBUTES: [&AttributeType; 19] = [
    &OBJECT_CLASS,
    &COMMON_NAME,
    &DESCRIPTION,
    &SUDO_USER,
    &SUDO_HOST,
    &SUDO_COMMAND,
    &SUDO_RUN_AS_USER,
    &SUDO_RUN_AS_GROUP,
    &SUDO_OPTION,
    &SUDO_ORDER,
    &SUDO_NOT_BEFORE,
    &SUDO_NOT_AFTER,
    &ENTRY_UUID,
    &ENTRY_DN,
    &CREATE_TIMESTAMP,
    &MODIFY_TIMESTAMP,
    &STRUCTURAL_OBJECT_CLASS,
    &SUBSCHEMA_SUBENTRY,
    &HAS_SUBORDINATES,
];

/// A user's entry as it stands at `now`.
pub fn person(tree: &Tree, person: &Person, now: Timestamp) -> Entry {
    let dn = tree.person(&person.username);
    let mut entry = Entry::new(dn);
    let name = person
        .full_name
        .as_deref()
        .unwrap_or(person.username.as_str());
    add_classes(&mut entry, &PERSON_CLASSES);
    entry.add(&USER_ID, person.username.as_str());
    entry.add(&COMMON_NAME, name);
    entry.add(&SURNAME, surname(person));
    if let Some(full_name) = &person.full_name {
        entry.add(&DISPLAY_NAME, full_name.as_str());
    }
    entry.add(&MAIL, person.email.as_str());
    entry.add(&UID_NUMBER, person.uid_number.to_string());
    entry.add(&GID_NUMBER, person.gid_number.to_string());
    entry.add(&HOME_DIRECTORY, person.home.as_str());
    entry.add(&LOGIN_SHELL, person.shell.as_str());
    entry.add(&GECOS, gecos(name));
    if let Some(groups) = person.groups.here() {
        let (before, after) = tree.around_group();
        let runs = vec![Run::new(Names::Of(Arc::clone(groups)), before, after)];
        entry.set_made(&MEMBER_OF, runs);
    }
    entry.add_all(
        &SSH_PUBLIC_KEY,
        person.ssh_keys.iter().map(ToString::to_string),
    );
    entry.add(&ENTRY_UUID, person.account.to_string());
    add_common(&mut entry, &INET_ORG_PERSON, false);
    add_times(&mut entry, person.created, person.modified);
    add_standing(&mut entry, person, now);
    entry
}

/// What the entry says of the password and of whether the user gets in.
fn add_standing(entry: &mut Entry, person: &Person, now: Timestamp) {
    let standing = &person.standing;
    if let Some(set_at) = standing.password_set_at {
        entry.add(&PWD_CHANGED_TIME, set_at.generalized());
        let must_change = standing.conditions.holds(Condition::MustChange);
        // Day 0 means that it must be changed (shadow(5)).
        let day = if must_change {
            0
        } else {
            set_at.as_days().max(0)
        };
        entry.add(&SHADOW_LAST_CHANGE, day.to_string());
        if let Some(expires_at) = standing.expires_at {
            // The day of the expiry is the last good one: never before the bind says so.
            let days = expires_at.as_days().saturating_sub(set_at.as_days());
            entry.add(&SHADOW_MAX, days.max(0).to_string());
            let warning = standing.warned_before.as_secs().div_ceil(86_400);
            if warning > 0 {
                entry.add(&SHADOW_WARNING, warning.to_string());
            }
        }
    }
    if standing.conditions.holds(Condition::MustChange) {
        entry.add(&PWD_RESET, "TRUE");
    }
    let failures = standing.failures.iter();
    let mut failures: Vec<String> = failures.map(|at| at.generalized_millis()).collect();
    // Values of one attribute differ (RFC 4512 section 2.2).
    failures.dedup();
    entry.add_all(&PWD_FAILURE_TIME, failures);
    if standing.refused.is_some() {
        entry.add(&PWD_ACCOUNT_LOCKED_TIME, LOCKED_FOR_GOOD);
        entry.add(&NS_ACCOUNT_LOCK, "TRUE");
        let past = standing
            .ends_at
            .filter(|end| *end <= now)
            .map_or(1, Timestamp::as_days);
        // Day 0 would mean that it never ends.
        entry.add(&SHADOW_EXPIRE, past.max(1).to_string());
    } else if let Some(end) = standing.ends_at {
        entry.add(&SHADOW_EXPIRE, first_day_after(end).max(1).to_string());
    }
}

/// The first whole day on which an account that ends at `end` is closed; on the day itself the
/// bind and the marks above are exact.
fn first_day_after(end: Timestamp) -> i64 {
    let day = end.as_days();
    let begins = day.saturating_mul(86_400_000);
    if end.as_millis() == begins {
        day
    } else {
        day.saturating_add(1)
    }
}

/// The last word of the full name, else the username.
fn surname(person: &Person) -> &str {
    let full_name = person.full_name.as_deref().unwrap_or_default();
    full_name
        .split_whitespace()
        .next_back()
        .unwrap_or(person.username.as_str())
}

/// The name for the comment field of `passwd(5)`, where a colon or a line's end would begin
/// another field.
fn gecos(name: &str) -> String {
    let safe = |c: char| if c == ':' || c.is_control() { ' ' } else { c };
    name.chars().map(safe).collect()
}

/// A group's entry.
pub fn group(tree: &Tree, group: &Group) -> Entry {
    let mut entry = Entry::new(tree.group(&group.name));
    add_classes(&mut entry, &GROUP_CLASSES);
    entry.add(&COMMON_NAME, group.name.as_str());
    entry.add(&GID_NUMBER, group.gid_number.to_string());
    if let Some(description) = group.description.as_deref().filter(|text| !text.is_empty()) {
        entry.add(&DESCRIPTION, description);
    }
    if let Some(members) = group.members.here() {
        let users = || Names::Users(Arc::clone(members));
        let groups = Names::Groups(Arc::clone(members));
        let ((before, after), (before_group, after_group)) =
            (tree.around_person(), tree.around_group());
        let people = Run::new(users(), before, after);
        let inner = Run::new(groups, before_group, after_group);
        entry.set_made(&MEMBER, vec![people, inner]);
        let names = Run::new(users(), String::new(), String::new());
        entry.set_made(&MEMBER_UID, vec![names]);
    }
    entry.add(&ENTRY_UUID, group.group.to_string());
    add_common(&mut entry, &GROUP_OF_NAMES, false);
    add_times(&mut entry, group.created, group.modified);
    entry
}

/// A sudo rule's entry (`sudoers.ldap(5)`).
pub fn sudo_role(tree: &Tree, found: &SudoRole) -> Entry {
    let rule = &found.rule;
    let terms = &rule.terms;
    let mut entry = Entry::new(tree.sudo_role(&rule.name));
    add_classes(&mut entry, &SUDO_CLASSES);
    entry.add(&COMMON_NAME, rule.name.as_str());
    if let Some(description) = terms.description.as_deref().filter(|text| !text.is_empty()) {
        entry.add(&DESCRIPTION, description);
    }
    entry.add_all(
        &SUDO_USER,
        rule.subjects.iter().filter_map(SudoSubject::value),
    );
    entry.add_all(&SUDO_HOST, terms.hosts.iter().map(ToString::to_string));
    entry.add_all(
        &SUDO_COMMAND,
        terms.commands.iter().map(ToString::to_string),
    );
    let users = terms.run_as_users.iter().map(ToString::to_string);
    entry.add_all(&SUDO_RUN_AS_USER, users);
    let groups = terms.run_as_groups.iter().map(ToString::to_string);
    entry.add_all(&SUDO_RUN_AS_GROUP, groups);
    entry.add_all(&SUDO_OPTION, terms.options.iter().map(ToString::to_string));
    if let Some(order) = terms.order {
        entry.add(&SUDO_ORDER, order.to_string());
    }
    if let Some(from) = terms.not_before {
        entry.add(&SUDO_NOT_BEFORE, from.generalized());
    }
    if let Some(until) = terms.not_after {
        entry.add(&SUDO_NOT_AFTER, until.generalized());
    }
    entry.add(&ENTRY_UUID, found.id.to_string());
    add_common(&mut entry, &SUDO_ROLE, false);
    add_times(&mut entry, found.created, found.modified);
    entry
}

/// An entry that is always there.
pub fn fixed(tree: &Tree, which: Fixed) -> Entry {
    let mut entry = Entry::new(tree.fixed(which).clone());
    match which {
        Fixed::Base => add_base(tree, &mut entry),
        Fixed::People => add_unit(&mut entry, "people"),
        Fixed::Groups => add_unit(&mut entry, "groups"),
        Fixed::Services => add_unit(&mut entry, "services"),
        Fixed::Policies => add_unit(&mut entry, "policies"),
        Fixed::Sudoers => add_unit(&mut entry, "sudoers"),
        Fixed::PasswordPolicy => {
            add_classes(&mut entry, &[&TOP, &APPLICATION_PROCESS, &PWD_POLICY]);
            entry.add(&COMMON_NAME, "ppolicy");
            entry.add(&PWD_ATTRIBUTE, USER_PASSWORD.name());
            // SSSD's `ppolicy` access rule looks at marks only where it finds this.
            entry.add(&PWD_LOCKOUT, "TRUE");
            add_common(&mut entry, &APPLICATION_PROCESS, false);
        }
    }
    entry
}

fn add_unit(entry: &mut Entry, name: &str) {
    add_classes(entry, &[&TOP, &ORGANIZATIONAL_UNIT_CLASS]);
    entry.add(&ORGANIZATIONAL_UNIT, name);
    add_common(entry, &ORGANIZATIONAL_UNIT_CLASS, true);
}

/// The base is an organisation, named by whatever attribute the configuration gave it.
fn add_base(tree: &Tree, entry: &mut Entry) {
    let (naming, value) = base_name(tree);
    let structural = if naming == ORGANIZATIONAL_UNIT.name() {
        add_classes(entry, &[&TOP, &ORGANIZATIONAL_UNIT_CLASS]);
        &ORGANIZATIONAL_UNIT_CLASS
    } else {
        add_classes(entry, &[&TOP, &ORGANIZATION_CLASS]);
        if naming == DOMAIN_COMPONENT.name() {
            add_classes(entry, &[&DC_OBJECT]);
        } else if naming != ORGANIZATION.name() {
            add_classes(entry, &[&EXTENSIBLE_OBJECT]);
        }
        &ORGANIZATION_CLASS
    };
    if let Some(naming) = attribute(&naming) {
        entry.add(naming, value);
    }
    if *structural == ORGANIZATION_CLASS && !tree.organization().is_empty() {
        entry.add(&ORGANIZATION, tree.organization());
    }
    add_common(entry, structural, true);
}

fn add_classes(entry: &mut Entry, classes: &[&ObjectClass]) {
    for class in classes {
        entry.add(&OBJECT_CLASS, class.name());
    }
}

fn add_common(entry: &mut Entry, structural: &ObjectClass, has_subordinates: bool) {
    let dn = entry.dn().to_string();
    entry.add(&ENTRY_DN, dn);
    entry.add(&STRUCTURAL_OBJECT_CLASS, structural.name());
    entry.add(&SUBSCHEMA_SUBENTRY, SUBSCHEMA);
    entry.add(
        &HAS_SUBORDINATES,
        if has_subordinates { "TRUE" } else { "FALSE" },
    );
}

fn add_times(entry: &mut Entry, created: Timestamp, modified: Timestamp) {
    entry.add(&CREATE_TIMESTAMP, created.generalized());
    entry.add(&MODIFY_TIMESTAMP, modified.generalized());
}
