//! Reads of reply attributes.

use rusqlite::{Connection, Row, params};

use crate::records::{BoundTo, ReplyMapping};
use doorward_domain::id::AccountId;
use doorward_domain::name::{GroupName, ResourceName, Username};
use doorward_domain::reply::{ReplyAttribute, ReplyGrant, ReplySource};

use super::fault::Fault;
use super::rows::{Key, account_key, all, first, name};
use super::users::WITHIN;

fn attribute(row: &Row<'_>, column: usize) -> Result<ReplyAttribute, Fault> {
    let text: String = row.get(column)?;
    Ok(serde_json::from_str(&text)?)
}

/// The resource a row is for; none where it is for every one.
fn resource(row: &Row<'_>, column: usize) -> Result<Option<ResourceName>, Fault> {
    let text: Option<String> = row.get(column)?;
    Ok(text.map(|text| ResourceName::parse(&text)).transpose()?)
}

/// What is mapped to an account at a resource, by itself and by its groups, nested ones included.
pub(super) fn grants(
    connection: &Connection,
    account: AccountId,
    at: Option<&ResourceName>,
) -> Result<Vec<ReplyGrant>, Fault> {
    let sql = format!(
        "{WITHIN} SELECT reply.attribute, reply.resource, groups.name, groups.reply_priority
         FROM reply_attributes AS reply LEFT JOIN groups ON groups.id = reply.of_group
         WHERE (reply.account = ?1 OR reply.of_group IN (SELECT id FROM within))
           AND (reply.resource_folded IS NULL OR reply.resource_folded = ?2)
         ORDER BY reply.number"
    );
    let params = (account_key(account), at.map(ResourceName::folded));
    all(connection, &sql, params, |row| {
        let of_group: Option<String> = row.get(2)?;
        Ok(ReplyGrant {
            from: match of_group {
                None => ReplySource::User,
                Some(_) => ReplySource::Group {
                    name: name(row, 2, GroupName::parse)?,
                    priority: row.get(3)?,
                },
            },
            resource: resource(row, 1)?,
            attribute: attribute(row, 0)?,
        })
    })
}

/// The attributes of one mapping of an account or a group, in order.
pub(super) fn mapping(
    connection: &Connection,
    (account, of_group): (Option<Key>, Option<Key>),
    at: Option<&ResourceName>,
) -> Result<Vec<ReplyAttribute>, Fault> {
    all(
        connection,
        "SELECT attribute FROM reply_attributes
         WHERE account IS ?1 AND of_group IS ?2 AND resource_folded IS ?3 ORDER BY number",
        params![account, of_group, at.map(ResourceName::folded)],
        |row| attribute(row, 0),
    )
}

/// A group's priority.
pub(super) fn priority(connection: &Connection, group: Key) -> Result<i32, Fault> {
    let sql = "SELECT reply_priority FROM groups WHERE id = ?1";
    let found = first(connection, sql, [group], |row| Ok(row.get(0)?))?;
    Ok(found.unwrap_or_default())
}

/// Whether two rows are of one mapping, however its resource is spelled.
fn same(one: &ReplyMapping, other: &ReplyMapping) -> bool {
    let folded = |mapping: &ReplyMapping| mapping.resource.as_ref().map(ResourceName::folded);
    one.of == other.of && folded(one) == folded(other)
}

/// Every mapping, users' first.
pub(super) fn mappings(connection: &Connection) -> Result<Vec<ReplyMapping>, Fault> {
    let rows = all(
        connection,
        "SELECT accounts.username, groups.name, groups.reply_priority, reply.resource,
                reply.attribute
         FROM reply_attributes AS reply
         LEFT JOIN accounts ON accounts.id = reply.account
         LEFT JOIN groups ON groups.id = reply.of_group
         ORDER BY groups.name_folded, accounts.username_folded, reply.resource_folded,
                  reply.number",
        [],
        |row| {
            let user: Option<String> = row.get(0)?;
            Ok(ReplyMapping {
                of: match user {
                    Some(_) => BoundTo::User(name(row, 0, Username::parse)?),
                    None => BoundTo::Group(name(row, 1, GroupName::parse)?),
                },
                priority: row.get(2)?,
                resource: resource(row, 3)?,
                attributes: vec![attribute(row, 4)?],
            })
        },
    )?;
    let mut mappings: Vec<ReplyMapping> = Vec::new();
    for row in rows {
        match mappings.last_mut() {
            Some(last) if same(last, &row) => {
                last.attributes.extend(row.attributes);
            }
            _ => mappings.push(row),
        }
    }
    Ok(mappings)
}
