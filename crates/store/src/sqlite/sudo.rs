//! Reads of sudo rules.

use rusqlite::{Connection, Row};
use uuid::Uuid;

use crate::changes::SudoFilter;
use crate::records::SudoRuleRecord;
use doorward_domain::id::SudoRuleId;
use doorward_domain::name::{GroupName, SudoRuleName, Username};
use doorward_domain::sudo::{SudoRule, SudoSubject};

use super::fault::Fault;
use super::rows::{Key, Page, all, instant, name};

const SELECT: &str = "SELECT id, name, everybody, terms, created, modified FROM sudo_rules";

/// The column of a rule's identifier.
pub(super) fn rule_key(rule: SudoRuleId) -> Key {
    rule.as_uuid().into_bytes()
}

/// Rules after the one named.
pub(super) fn list(
    connection: &Connection,
    filter: &SudoFilter,
    after_rule: Option<SudoRuleId>,
    most: usize,
) -> Result<Vec<SudoRuleRecord>, Fault> {
    let page = Page::new(connection, SELECT, after_rule.map(rule_key), most, rule);
    let mut rules = match filter {
        SudoFilter::Id(id) => page.read("id = ?3", rule_key(*id)),
        SudoFilter::Name(name) => page.read("name_folded = ?3", name.to_ascii_lowercase()),
        SudoFilter::All => page.read("?3", true),
    }?;
    for record in &mut rules {
        complete(connection, record)?;
    }
    Ok(rules)
}

/// Reads a rule without its users and groups.
fn rule(row: &Row<'_>) -> Result<SudoRuleRecord, Fault> {
    let terms: String = row.get(3)?;
    let everybody: bool = row.get(2)?;
    Ok(SudoRuleRecord {
        id: SudoRuleId::from_uuid(Uuid::from_bytes(row.get(0)?)),
        rule: SudoRule {
            name: name(row, 1, SudoRuleName::parse)?,
            subjects: everybody
                .then_some(SudoSubject::Everybody)
                .into_iter()
                .collect(),
            terms: serde_json::from_str(&terms)?,
        },
        created: instant(row, 4)?,
        modified: instant(row, 5)?,
    })
}

fn complete(connection: &Connection, record: &mut SudoRuleRecord) -> Result<(), Fault> {
    let key = rule_key(record.id);
    let mut users = all(
        connection,
        "SELECT accounts.username FROM sudo_rule_users
         JOIN accounts ON accounts.id = sudo_rule_users.account
         WHERE sudo_rule_users.rule = ?1",
        [key],
        |row| name(row, 0, Username::parse),
    )?;
    let mut groups = all(
        connection,
        "SELECT groups.name FROM sudo_rule_groups
         JOIN groups ON groups.id = sudo_rule_groups.member
         WHERE sudo_rule_groups.rule = ?1",
        [key],
        |row| name(row, 0, GroupName::parse),
    )?;
    users.sort();
    groups.sort();
    let subjects = &mut record.rule.subjects;
    subjects.extend(users.into_iter().map(SudoSubject::User));
    subjects.extend(groups.into_iter().map(SudoSubject::Group));
    Ok(())
}
