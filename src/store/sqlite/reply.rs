//! Reads of reply attributes.

use rusqlite::Connection;

use crate::domain::id::AccountId;
use crate::domain::name::{GroupName, ResourceName};
use crate::domain::reply::{ReplyGrant, ReplySource};

use super::fault::Fault;
use super::rows::{account_key, all, name};
use super::users::WITHIN;

/// What is mapped to an account at a resource, by itself and by its groups, nested ones included.
pub(super) fn grants(
    connection: &Connection,
    account: AccountId,
    resource: Option<&ResourceName>,
) -> Result<Vec<ReplyGrant>, Fault> {
    let sql = format!(
        "{WITHIN} SELECT reply.attribute, reply.resource, groups.name, groups.reply_priority
         FROM reply_attributes AS reply LEFT JOIN groups ON groups.id = reply.of_group
         WHERE (reply.account = ?1 OR reply.of_group IN (SELECT id FROM within))
           AND (reply.resource_folded IS NULL OR reply.resource_folded = ?2)
         ORDER BY reply.number"
    );
    let folded = resource.map(ResourceName::folded);
    all(connection, &sql, (account_key(account), folded), |row| {
        let attribute: String = row.get(0)?;
        let resource: Option<String> = row.get(1)?;
        let of_group: Option<String> = row.get(2)?;
        Ok(ReplyGrant {
            from: match of_group {
                None => ReplySource::User,
                Some(_) => ReplySource::Group {
                    name: name(row, 2, GroupName::parse)?,
                    priority: row.get(3)?,
                },
            },
            resource: match resource {
                None => None,
                Some(_) => Some(name(row, 1, ResourceName::parse)?),
            },
            attribute: serde_json::from_str(&attribute)?,
        })
    })
}
