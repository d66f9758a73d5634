//! Changes of reply attributes.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::changes::ChangeRefused;
use crate::records::{BoundTo, ReplyMapping};
use doorward_domain::name::ResourceName;
use doorward_domain::reply::ReplyAttribute;

use super::super::fault::Fault;
use super::super::reply::{mapping, priority};
use super::super::rows::{Key, account_id, run};
use super::bindings::{Holder, holder, words};
use super::{Changed, differences, nothing};

/// A mapping whose user or group was found.
struct Found<'a> {
    of: &'a BoundTo,
    holder: Holder,
    resource: Option<&'a ResourceName>,
}

impl<'a> Found<'a> {
    fn find(
        connection: &Connection,
        of: &'a BoundTo,
        resource: Option<&'a ResourceName>,
    ) -> Result<Self, Fault> {
        Ok(Self {
            of,
            holder: holder(connection, of)?,
            resource,
        })
    }

    /// The account and the group; one of them.
    fn keys(&self) -> (Option<Key>, Option<Key>) {
        match self.holder {
            Holder::User(key) => (Some(key), None),
            Holder::Group(key) => (None, Some(key)),
        }
    }

    fn attributes(&self, connection: &Connection) -> Result<Vec<ReplyAttribute>, Fault> {
        mapping(connection, self.keys(), self.resource)
    }

    /// The mapping as its events show it.
    fn shown(&self, connection: &Connection) -> Result<Value, Fault> {
        let attributes = self.attributes(connection)?;
        let texts: Vec<String> = attributes.iter().map(ToString::to_string).collect();
        Ok(match self.holder {
            Holder::User(_) => json!({ "attributes": texts }),
            Holder::Group(key) => {
                json!({ "attributes": texts, "priority": priority(connection, key)? })
            }
        })
    }

    /// Removes the attributes of one name; says how many there were.
    fn remove(&self, connection: &Connection, folded: &str) -> Result<usize, Fault> {
        let (account, of_group) = self.keys();
        run(
            connection,
            "DELETE FROM reply_attributes
             WHERE account IS ?1 AND of_group IS ?2 AND resource_folded IS ?3
               AND name_folded = ?4",
            params![
                account,
                of_group,
                self.resource.map(ResourceName::folded),
                folded
            ],
        )
    }

    fn changed(
        &self,
        connection: &Connection,
        action: &'static str,
        before: &Value,
    ) -> Result<Changed, Fault> {
        let (kind, name) = words(self.of);
        let (before, after) = differences(before, &self.shown(connection)?);
        if before == after {
            return Err(nothing(format!(
                "nothing to change: {kind} '{name}' has it so already"
            )));
        }
        Ok(Changed {
            action,
            target: name,
            account: match self.holder {
                Holder::User(key) => Some(account_id(key)),
                Holder::Group(_) => None,
            },
            resource: self.resource.cloned(),
            before,
            after,
        })
    }
}

/// Gives a mapping these attributes, each in the place of all of its name.
pub(super) fn set(
    connection: &Connection,
    wanted: &ReplyMapping,
    most: usize,
) -> Result<Changed, Fault> {
    let found = Found::find(connection, &wanted.of, wanted.resource.as_ref())?;
    let before = found.shown(connection)?;
    let names: BTreeSet<String> = wanted
        .attributes
        .iter()
        .map(ReplyAttribute::folded)
        .collect();
    for name in &names {
        found.remove(connection, name)?;
    }
    let (account, of_group) = found.keys();
    for attribute in &wanted.attributes {
        run(
            connection,
            "INSERT INTO reply_attributes
                 (account, of_group, resource, resource_folded, name_folded, attribute)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                account,
                of_group,
                found.resource.map(ResourceName::as_str),
                found.resource.map(ResourceName::folded),
                attribute.folded(),
                serde_json::to_string(attribute)?
            ],
        )?;
    }
    if let (Some(group), Some(priority)) = (of_group, wanted.priority) {
        run(
            connection,
            "UPDATE groups SET reply_priority = ?2 WHERE id = ?1",
            (group, priority),
        )?;
    }
    if found.attributes(connection)?.len() > most {
        return Err(ChangeRefused::TooManyAttributes(most).into());
    }
    found.changed(connection, "reply.set", &before)
}

/// Takes the attributes of these names out of a mapping; all of them where none is named.
pub(super) fn unset(
    connection: &Connection,
    of: &BoundTo,
    resource: Option<&ResourceName>,
    names: &[String],
) -> Result<Changed, Fault> {
    let found = Found::find(connection, of, resource)?;
    let before = found.shown(connection)?;
    let standing = found.attributes(connection)?;
    let (kind, holder) = words(of);
    let place = resource.map_or_else(
        || "for every resource".to_owned(),
        |resource| format!("for '{resource}'"),
    );
    if standing.is_empty() {
        return Err(nothing(format!(
            "{kind} '{holder}' has no reply attributes {place}"
        )));
    }
    let all: BTreeSet<String> = standing.iter().map(ReplyAttribute::folded).collect();
    let wanted: BTreeSet<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    for name in if wanted.is_empty() { &all } else { &wanted } {
        if found.remove(connection, name)? == 0 {
            return Err(nothing(format!(
                "{kind} '{holder}' has no reply attribute '{name}' {place}"
            )));
        }
    }
    found.changed(connection, "reply.unset", &before)
}
