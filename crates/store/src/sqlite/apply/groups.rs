//! Changes of groups and of who is in them.

use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::changes::{ChangeRefused, Command};
use doorward_domain::event::ChangeEvent;
use doorward_domain::id::{AccountId, GroupId};
use doorward_domain::name::{GroupName, Username};
use doorward_domain::time::Timestamp;

use super::super::events::record_change;
use super::super::fault::Fault;
use super::super::groups::{LEVELS, direct_groups, direct_users};
use super::super::numbers::{Kind, Numbering, give};
use super::super::rows::{Key, account_key, exists, first, group_key, name, number, run};
use super::{Changed, not_found, nothing, sudo, taken};

/// A group to be added.
pub(super) struct NewGroup<'change> {
    pub(super) group: GroupId,
    pub(super) name: &'change GroupName,
    pub(super) gid_number: Option<u32>,
    pub(super) description: Option<&'change str>,
    pub(super) first: u32,
}

/// A group found by its name.
struct Found {
    key: Key,
    name: GroupName,
}

fn find(connection: &Connection, wanted: &GroupName) -> Result<Found, Fault> {
    first(
        connection,
        "SELECT id, name FROM groups WHERE name_folded = ?1",
        [wanted.folded()],
        |row| {
            Ok(Found {
                key: row.get(0)?,
                name: name(row, 1, GroupName::parse)?,
            })
        },
    )?
    .ok_or_else(|| not_found("group", &wanted))
}

/// The group's column, for a binding.
pub(super) fn key_of(connection: &Connection, wanted: &GroupName) -> Result<Key, Fault> {
    find(connection, wanted).map(|found| found.key)
}

/// The user's column.
pub(super) fn user_key(connection: &Connection, username: &Username) -> Result<Key, Fault> {
    first(
        connection,
        "SELECT id FROM accounts WHERE username_folded = ?1",
        [username.folded()],
        |row| Ok(row.get(0)?),
    )?
    .ok_or_else(|| not_found("user", &username))
}

fn changed(action: &'static str, group: &GroupName, before: Value, after: Value) -> Changed {
    Changed {
        action,
        target: group.to_string(),
        account: None,
        resource: None,
        before,
        after,
    }
}

pub(super) fn add(
    connection: &Connection,
    at: Timestamp,
    new: &NewGroup<'_>,
) -> Result<Changed, Fault> {
    if exists(
        connection,
        "SELECT 1 FROM groups WHERE name_folded = ?1",
        [new.name.folded()],
    )? {
        return Err(taken("group name", &new.name));
    }
    let gid = give(connection, Kind::Gid, new.first, new.gid_number)?;
    run(
        connection,
        "INSERT INTO groups (id, name, name_folded, gid_number, description, created, modified)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
        params![
            group_key(new.group),
            new.name.as_str(),
            new.name.folded(),
            gid,
            new.description,
            at.as_millis()
        ],
    )?;
    Ok(changed(
        "group.add",
        new.name,
        Value::Null,
        json!({ "name": new.name, "gid_number": gid, "description": new.description }),
    ))
}

/// Makes the users' primary group, with an event of its own.
pub(super) fn add_primary(
    connection: &Connection,
    numbering: &Numbering,
    command: &Command,
) -> Result<(), Fault> {
    let changed = add(
        connection,
        command.at,
        &NewGroup {
            group: GroupId::new(command.at),
            name: &numbering.primary_group,
            gid_number: None,
            description: None,
            first: numbering.first,
        },
    )?;
    record_change(
        connection,
        command.at,
        &ChangeEvent {
            actor: command.actor.clone(),
            action: changed.action.to_owned(),
            target: changed.target,
            account: None,
            resource: None,
            before: changed.before,
            after: changed.after,
        },
    )?;
    Ok(())
}

pub(super) fn remove(
    connection: &Connection,
    at: Timestamp,
    group: &GroupName,
) -> Result<Changed, Fault> {
    let found = find(connection, group)?;
    let before = json!({
        "name": found.name,
        "users": direct_users(connection, found.key)?,
        "groups": direct_groups(connection, found.key)?,
    });
    touch_around(connection, at, found.key)?;
    sudo::touch_around_group(connection, at, found.key)?;
    run(connection, "DELETE FROM groups WHERE id = ?1", [found.key])?;
    Ok(changed("group.remove", &found.name, before, Value::Null))
}

pub(super) fn join(
    connection: &Connection,
    at: Timestamp,
    group: &GroupName,
    users: &[Username],
    groups: &[GroupName],
) -> Result<Changed, Fault> {
    let outer = find(connection, group)?;
    let mut joined_users = Vec::new();
    for username in users {
        let account = user_key(connection, username)?;
        if run(
            connection,
            "INSERT INTO group_users (container, account) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            (outer.key, account),
        )? > 0
        {
            joined_users.push(username);
        }
    }
    let mut joined_groups = Vec::new();
    for wanted in groups {
        let inner = find(connection, wanted)?;
        if contains(connection, inner.key, outer.key)? {
            return Err(ChangeRefused::Cycle {
                inner: inner.name,
                outer: outer.name,
            }
            .into());
        }
        if levels(connection, OUTWARDS, outer.key)? + levels(connection, INWARDS, inner.key)?
            > LEVELS
        {
            return Err(ChangeRefused::TooDeep.into());
        }
        if run(
            connection,
            "INSERT INTO group_groups (container, member) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            (outer.key, inner.key),
        )? > 0
        {
            joined_groups.push(inner.name);
        }
    }
    if joined_users.is_empty() && joined_groups.is_empty() {
        return Err(nothing(format!("all are in '{}' already", outer.name)));
    }
    touch_around(connection, at, outer.key)?;
    Ok(changed(
        "group.join",
        &outer.name,
        json!({}),
        json!({ "users": joined_users, "groups": joined_groups }),
    ))
}

pub(super) fn leave(
    connection: &Connection,
    at: Timestamp,
    group: &GroupName,
    users: &[Username],
    groups: &[GroupName],
) -> Result<Changed, Fault> {
    let outer = find(connection, group)?;
    // While they are still in it, so that they are touched too.
    touch_around(connection, at, outer.key)?;
    let mut left_users = Vec::new();
    for username in users {
        let account = user_key(connection, username)?;
        if run(
            connection,
            "DELETE FROM group_users WHERE container = ?1 AND account = ?2",
            (outer.key, account),
        )? > 0
        {
            left_users.push(username);
        }
    }
    let mut left_groups = Vec::new();
    for wanted in groups {
        let inner = find(connection, wanted)?;
        if run(
            connection,
            "DELETE FROM group_groups WHERE container = ?1 AND member = ?2",
            (outer.key, inner.key),
        )? > 0
        {
            left_groups.push(inner.name);
        }
    }
    if left_users.is_empty() && left_groups.is_empty() {
        return Err(nothing(format!("none of them is in '{}'", outer.name)));
    }
    Ok(changed(
        "group.leave",
        &outer.name,
        json!({ "users": left_users, "groups": left_groups }),
        json!({}),
    ))
}

/// The groups around a group, itself included, and how far out each is.
const OUTWARDS: &str = "WITH RECURSIVE walk (id, depth) AS (
         SELECT ?1, 1
         UNION
         SELECT group_groups.container, walk.depth + 1
         FROM group_groups JOIN walk ON group_groups.member = walk.id WHERE walk.depth < 9
     )";

/// The groups inside a group, itself included, and how far in each is.
const INWARDS: &str = "WITH RECURSIVE walk (id, depth) AS (
         SELECT ?1, 1
         UNION
         SELECT group_groups.member, walk.depth + 1
         FROM group_groups JOIN walk ON group_groups.container = walk.id WHERE walk.depth < 9
     )";

/// How many levels there are in one direction, the group's own included.
fn levels(connection: &Connection, walk: &str, group: Key) -> Result<i64, Fault> {
    number(
        connection,
        &format!("{walk} SELECT max(depth) FROM walk"),
        [group],
    )
}

/// Whether `outer` contains `inner`, or is it.
fn contains(connection: &Connection, outer: Key, inner: Key) -> Result<bool, Fault> {
    exists(
        connection,
        &format!("{INWARDS} SELECT 1 FROM walk WHERE id = ?2"),
        (outer, inner),
    )
}

/// Marks as modified a group, the groups around it, and the users whose membership goes through
/// it.
pub(super) fn touch_around(
    connection: &Connection,
    at: Timestamp,
    group: Key,
) -> Result<(), Fault> {
    run(
        connection,
        &format!("{OUTWARDS} UPDATE groups SET modified = ?2 WHERE id IN (SELECT id FROM walk)"),
        (group, at.as_millis()),
    )?;
    run(
        connection,
        &format!(
            "{INWARDS} UPDATE accounts SET modified = ?2 WHERE id IN
             (SELECT account FROM group_users WHERE container IN (SELECT id FROM walk))"
        ),
        (group, at.as_millis()),
    )?;
    Ok(())
}

/// Marks as modified the groups a user is in.
pub(super) fn touch_around_user(
    connection: &Connection,
    at: Timestamp,
    account: AccountId,
) -> Result<(), Fault> {
    run(
        connection,
        "WITH RECURSIVE walk (id, depth) AS (
             SELECT container, 1 FROM group_users WHERE account = ?1
             UNION
             SELECT group_groups.container, walk.depth + 1
             FROM group_groups JOIN walk ON group_groups.member = walk.id WHERE walk.depth < 8
         )
         UPDATE groups SET modified = ?2 WHERE id IN (SELECT id FROM walk)",
        (account_key(account), at.as_millis()),
    )?;
    Ok(())
}
