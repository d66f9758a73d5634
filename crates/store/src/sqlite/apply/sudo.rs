//! Changes of sudo rules.

use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::changes::{ChangeRefused, SudoFilter};
use crate::records::SudoRuleRecord;
use doorward_domain::id::{AccountId, SudoRuleId};
use doorward_domain::name::SudoRuleName;
use doorward_domain::sudo::{SudoRule, SudoSubject};
use doorward_domain::time::Timestamp;

use super::super::fault::Fault;
use super::super::rows::{Key, account_key, run};
use super::super::sudo::{list, rule_key};
use super::{Changed, differences, groups, not_found, nothing, taken};

/// A rule as its events show it.
fn shown(rule: &SudoRule) -> Value {
    let terms = &rule.terms;
    let moment = |at: Option<Timestamp>| at.map(Timestamp::rfc3339);
    json!({
        "name": rule.name,
        "for": rule.subjects,
        "hosts": terms.hosts,
        "commands": terms.commands,
        "run_as_users": terms.run_as_users,
        "run_as_groups": terms.run_as_groups,
        "options": terms.options,
        "order": terms.order,
        "not_before": moment(terms.not_before),
        "not_after": moment(terms.not_after),
        "description": terms.description,
    })
}

fn changed(action: &'static str, name: &SudoRuleName, before: Value, after: Value) -> Changed {
    Changed {
        action,
        target: name.to_string(),
        account: None,
        resource: None,
        before,
        after,
    }
}

fn named(connection: &Connection, name: &SudoRuleName) -> Result<Option<SudoRuleRecord>, Fault> {
    let filter = SudoFilter::Name(name.folded());
    Ok(list(connection, &filter, None, 1)?.into_iter().next())
}

fn find(connection: &Connection, name: &SudoRuleName) -> Result<SudoRuleRecord, Fault> {
    named(connection, name)?.ok_or_else(|| not_found("sudo rule", &name))
}

/// The rule as the store has it now, its subjects in their order.
fn stored(connection: &Connection, name: &SudoRuleName) -> Result<Value, Fault> {
    find(connection, name).map(|record| shown(&record.rule))
}

fn is_for_everybody(rule: &SudoRule) -> bool {
    rule.subjects.contains(&SudoSubject::Everybody)
}

pub(super) fn add(
    connection: &Connection,
    at: Timestamp,
    id: SudoRuleId,
    rule: &SudoRule,
) -> Result<Changed, Fault> {
    if named(connection, &rule.name)?.is_some() {
        return Err(taken("sudo rule name", &rule.name));
    }
    let key = rule_key(id);
    run(
        connection,
        "INSERT INTO sudo_rules (id, name, name_folded, everybody, terms, created, modified)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
        params![
            key,
            rule.name.as_str(),
            rule.name.folded(),
            is_for_everybody(rule),
            serde_json::to_string(&rule.terms)?,
            at.as_millis()
        ],
    )?;
    point_at(connection, key, rule)?;
    let after = stored(connection, &rule.name)?;
    Ok(changed("sudo.add", &rule.name, Value::Null, after))
}

pub(super) fn set(
    connection: &Connection,
    at: Timestamp,
    before: &SudoRule,
    after: &SudoRule,
) -> Result<Changed, Fault> {
    let found = find(connection, &before.name)?;
    if found.rule != *before {
        return Err(ChangeRefused::Moved.into());
    }
    let key = rule_key(found.id);
    run(
        connection,
        "UPDATE sudo_rules SET everybody = ?2, terms = ?3, modified = ?4 WHERE id = ?1",
        params![
            key,
            is_for_everybody(after),
            serde_json::to_string(&after.terms)?,
            at.as_millis()
        ],
    )?;
    run(
        connection,
        "DELETE FROM sudo_rule_users WHERE rule = ?1",
        [key],
    )?;
    run(
        connection,
        "DELETE FROM sudo_rule_groups WHERE rule = ?1",
        [key],
    )?;
    point_at(connection, key, after)?;
    let new = stored(connection, &before.name)?;
    let (old, new) = differences(&shown(before), &new);
    if old == new {
        return Err(nothing(format!(
            "nothing to change: '{}' is so already",
            before.name
        )));
    }
    Ok(changed("sudo.set", &before.name, old, new))
}

pub(super) fn remove(connection: &Connection, name: &SudoRuleName) -> Result<Changed, Fault> {
    let found = find(connection, name)?;
    run(
        connection,
        "DELETE FROM sudo_rules WHERE id = ?1",
        [rule_key(found.id)],
    )?;
    let before = shown(&found.rule);
    Ok(changed(
        "sudo.remove",
        &found.rule.name,
        before,
        Value::Null,
    ))
}

/// Notes for which users and groups a rule is.
fn point_at(connection: &Connection, key: Key, rule: &SudoRule) -> Result<(), Fault> {
    for subject in &rule.subjects {
        match subject {
            SudoSubject::Everybody => {}
            SudoSubject::User(username) => {
                let account = groups::user_key(connection, username)?;
                run(
                    connection,
                    "INSERT INTO sudo_rule_users (rule, account) VALUES (?1, ?2)
                     ON CONFLICT DO NOTHING",
                    (key, account),
                )?;
            }
            SudoSubject::Group(group) => {
                let member = groups::key_of(connection, group)?;
                run(
                    connection,
                    "INSERT INTO sudo_rule_groups (rule, member) VALUES (?1, ?2)
                     ON CONFLICT DO NOTHING",
                    (key, member),
                )?;
            }
        }
    }
    Ok(())
}

/// Marks as modified the rules that name a user: its name is about to change or to go.
pub(super) fn touch_around_user(
    connection: &Connection,
    at: Timestamp,
    account: AccountId,
) -> Result<(), Fault> {
    run(
        connection,
        "UPDATE sudo_rules SET modified = ?2
         WHERE id IN (SELECT rule FROM sudo_rule_users WHERE account = ?1)",
        (account_key(account), at.as_millis()),
    )?;
    Ok(())
}

/// Marks as modified the rules that name a group that is about to go.
pub(super) fn touch_around_group(
    connection: &Connection,
    at: Timestamp,
    group: Key,
) -> Result<(), Fault> {
    run(
        connection,
        "UPDATE sudo_rules SET modified = ?2
         WHERE id IN (SELECT rule FROM sudo_rule_groups WHERE member = ?1)",
        (group, at.as_millis()),
    )?;
    Ok(())
}
