//! Reads of groups, bindings and service accounts.

use std::collections::HashSet;

use rusqlite::{Connection, Params, Row};
use uuid::Uuid;

use crate::changes::GroupFilter;
use crate::records::{Binding, BoundTo, GroupRecord, ServiceSummary};
use doorward_domain::certificate::CertificateName;
use doorward_domain::id::{AccountId, GroupId, ServiceId};
use doorward_domain::name::{GroupName, NotAName, ResourceName, ServiceName, Username};
use doorward_domain::names::{Members, NameList, Part, Portion};

use super::fault::Fault;
use super::lists::{Allowance, room};
use super::rows::{
    Key, Page, account_id, account_key, all, exists, first, group_id, group_key, instant, name,
    number, posix,
};

const SELECT: &str = "SELECT id, name, gid_number, description, created, modified FROM groups";

/// How deep groups nest, the outermost and the innermost included.
pub(super) const LEVELS: i64 = 8;

/// Groups after the one named.
pub(super) fn list(
    connection: &Connection,
    filter: &GroupFilter,
    after_group: Option<GroupId>,
    most: usize,
) -> Result<Vec<GroupRecord>, Fault> {
    let mut groups = select(connection, filter, after_group, most)?;
    for group in &mut groups {
        complete(connection, group)?;
    }
    Ok(groups)
}

/// Groups as entries show them, after the one named.
pub(super) fn entries(
    connection: &Connection,
    filter: &GroupFilter,
    after_group: Option<GroupId>,
    portion: Portion,
) -> Result<Vec<(GroupRecord, Part<Members>)>, Fault> {
    let groups = select(connection, filter, after_group, portion.records)?;
    let mut allowance = Allowance::new(portion.lists);
    let mut entries = Vec::with_capacity(groups.len());
    for group in groups {
        let key = group_key(group.group);
        let members = allowance.part(
            |most| members(connection, key, most),
            || {
                let users = number(connection, &format!("{INSIDE} {COUNT_USERS}"), [key])?;
                let groups = number(connection, COUNT_GROUPS, [key])?;
                let users = room(users, Username::MAX);
                Ok(users.saturating_add(room(groups, GroupName::MAX)))
            },
        )?;
        entries.push((group, members));
    }
    Ok(entries)
}

/// A group and the groups in it, directly or through others.
pub(super) fn inside(connection: &Connection, group: GroupId) -> Result<Vec<GroupId>, Fault> {
    let sql = format!("{INSIDE} SELECT DISTINCT id FROM inside");
    all(connection, &sql, [group_key(group)], |row| {
        Ok(group_id(row.get(0)?))
    })
}

/// Groups in a group directly.
pub(super) fn groups_in(connection: &Connection, group: GroupId) -> Result<NameList, Fault> {
    direct_group_names(connection, group_key(group), i64::MAX)
}

/// How many users of a group one read finds at most, where all of them are wanted.
pub(super) const PIECE: usize = 2000;

/// Some of the users that are in a group directly, and the last of them, where there may be more.
pub(super) fn some_users_in(
    connection: &Connection,
    group: GroupId,
    after: Option<AccountId>,
    most: usize,
) -> Result<(NameList, Option<AccountId>), Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT accounts.username, accounts.id FROM group_users
         JOIN accounts ON accounts.id = group_users.account
         WHERE group_users.container = ?1 AND (?2 IS NULL OR group_users.account > ?2)
         ORDER BY group_users.account LIMIT ?3",
    )?;
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let after = after.map(account_key);
    let mut rows = statement.query((group_key(group), after, limit))?;
    let mut names = NameList::default();
    let mut last = None;
    while let Some(row) = rows.next()? {
        let found = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        Username::parse(found)?;
        names.push(found);
        last = Some(row.get::<_, Key>(1)?);
    }
    let last = last.filter(|_| names.len() >= most).map(account_id);
    Ok((names, last))
}

/// The group and the groups in it, directly or through others (parameter: the group).
const INSIDE: &str = "WITH RECURSIVE inside (id, depth) AS (
         SELECT ?1, 1
         UNION
         SELECT group_groups.member, inside.depth + 1
         FROM group_groups JOIN inside ON group_groups.container = inside.id
         WHERE inside.depth < 8
     )";

/// How often users are in those: no fewer than there are users.
const COUNT_USERS: &str =
    "SELECT count(*) FROM group_users JOIN inside ON group_users.container = inside.id";

const COUNT_GROUPS: &str = "SELECT count(*) FROM group_groups WHERE container = ?1";

/// What is in a group: as many as `most` users, and as many groups.
fn members(connection: &Connection, key: Key, most: i64) -> Result<Members, Fault> {
    let nested = exists(
        connection,
        "SELECT 1 FROM group_groups WHERE container = ?1",
        [key],
    )?;
    let groups = if nested {
        direct_group_names(connection, key, most)?
    } else {
        NameList::default()
    };
    let users = if nested {
        let sql = format!(
            "{INSIDE} SELECT username FROM accounts WHERE id IN
             (SELECT group_users.account
              FROM group_users JOIN inside ON group_users.container = inside.id) LIMIT ?2"
        );
        names_of(connection, &sql, (key, most), Username::parse)?
    } else {
        names_of(
            connection,
            "SELECT accounts.username FROM group_users
             JOIN accounts ON accounts.id = group_users.account
             WHERE group_users.container = ?1 LIMIT ?2",
            (key, most),
            Username::parse,
        )?
    };
    Ok(Members { users, groups })
}

fn direct_group_names(connection: &Connection, key: Key, most: i64) -> Result<NameList, Fault> {
    names_of(
        connection,
        "SELECT groups.name FROM group_groups
         JOIN groups ON groups.id = group_groups.member
         WHERE group_groups.container = ?1 LIMIT ?2",
        (key, most),
        GroupName::parse,
    )
}

/// The names that a statement finds, held in little room from the first on.
fn names_of<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    parse: fn(&str) -> Result<T, NotAName>,
) -> Result<NameList, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut names = NameList::default();
    while let Some(row) = rows.next()? {
        let found = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        parse(found)?;
        names.push(found);
    }
    Ok(names.sort())
}

fn select(
    connection: &Connection,
    filter: &GroupFilter,
    after_group: Option<GroupId>,
    most: usize,
) -> Result<Vec<GroupRecord>, Fault> {
    let page = Page::new(connection, SELECT, after_group.map(group_key), most, group);
    match filter {
        GroupFilter::Id(id) => page.read("id = ?3", group_key(*id)),
        GroupFilter::Name(name) => page.read("name_folded = ?3", name.to_ascii_lowercase()),
        GroupFilter::GidNumber(gid) => page.read("gid_number = ?3", *gid),
        GroupFilter::HasUser(user) => page.read(
            "id IN (
                 WITH RECURSIVE within (id, depth) AS (
                     SELECT group_users.container, 1 FROM group_users
                     JOIN accounts ON accounts.id = group_users.account
                     WHERE accounts.username_folded = ?3
                     UNION
                     SELECT group_groups.container, within.depth + 1
                     FROM group_groups JOIN within ON group_groups.member = within.id
                     WHERE within.depth < 8
                 )
                 SELECT id FROM within
             )",
            user.to_ascii_lowercase(),
        ),
        GroupFilter::HasGroup(group) => page.read(
            "id IN (SELECT group_groups.container FROM group_groups
                    JOIN groups AS inner_group ON inner_group.id = group_groups.member
                    WHERE inner_group.name_folded = ?3)",
            group.to_ascii_lowercase(),
        ),
        GroupFilter::All => page.read("?3", true),
    }
}

fn group(row: &Row<'_>) -> Result<GroupRecord, Fault> {
    Ok(GroupRecord {
        group: group_id(row.get(0)?),
        name: name(row, 1, GroupName::parse)?,
        gid_number: posix(row, 2)?,
        description: row.get(3)?,
        users: Vec::new(),
        direct_users: Vec::new(),
        groups: Vec::new(),
        resources: Vec::new(),
        created: instant(row, 4)?,
        modified: instant(row, 5)?,
    })
}

fn complete(connection: &Connection, group: &mut GroupRecord) -> Result<(), Fault> {
    let key = group_key(group.group);
    group.direct_users = direct_users(connection, key)?;
    group.groups = direct_groups(connection, key)?;
    group.users = if group.groups.is_empty() {
        group.direct_users.clone()
    } else {
        let mut users = all(
            connection,
            "WITH RECURSIVE inside (id, depth) AS (
                 SELECT ?1, 1
                 UNION
                 SELECT group_groups.member, inside.depth + 1
                 FROM group_groups JOIN inside ON group_groups.container = inside.id
                 WHERE inside.depth < 8
             )
             SELECT username FROM accounts WHERE id IN
             (SELECT group_users.account
              FROM group_users JOIN inside ON group_users.container = inside.id)",
            [key],
            |row| name(row, 0, Username::parse),
        )?;
        users.sort();
        users
    };
    group.resources = all(
        connection,
        "SELECT resource FROM bindings WHERE bound_group = ?1",
        [key],
        |row| name(row, 0, ResourceName::parse),
    )?;
    group.resources.sort();
    Ok(())
}

/// Users in a group directly, sorted.
pub(super) fn direct_users(connection: &Connection, key: Key) -> Result<Vec<Username>, Fault> {
    let mut users = all(
        connection,
        "SELECT accounts.username FROM group_users
         JOIN accounts ON accounts.id = group_users.account WHERE group_users.container = ?1",
        [key],
        |row| name(row, 0, Username::parse),
    )?;
    users.sort();
    Ok(users)
}

/// Groups in a group directly, sorted.
pub(super) fn direct_groups(connection: &Connection, key: Key) -> Result<Vec<GroupName>, Fault> {
    let mut groups = all(
        connection,
        "SELECT groups.name FROM group_groups
         JOIN groups ON groups.id = group_groups.member WHERE group_groups.container = ?1",
        [key],
        |row| name(row, 0, GroupName::parse),
    )?;
    groups.sort();
    Ok(groups)
}

/// All bindings, by resource; a resource's users before its groups, each by name.
pub(super) fn bindings(connection: &Connection) -> Result<Vec<Binding>, Fault> {
    all(
        connection,
        "SELECT bindings.resource, accounts.username, groups.name FROM bindings
         LEFT JOIN accounts ON accounts.id = bindings.account
         LEFT JOIN groups ON groups.id = bindings.bound_group
         ORDER BY bindings.resource_folded, accounts.username_folded IS NULL,
                  accounts.username_folded, groups.name_folded",
        [],
        |row| {
            let user: Option<String> = row.get(1)?;
            let to = match user {
                Some(user) => BoundTo::User(Username::parse(&user)?),
                None => BoundTo::Group(name(row, 2, GroupName::parse)?),
            };
            Ok(Binding {
                resource: name(row, 0, ResourceName::parse)?,
                to,
            })
        },
    )
}

/// The shortest chain by which an account is bound to a resource.
pub(super) fn binding_path(
    connection: &Connection,
    account: AccountId,
    resource: &ResourceName,
) -> Result<Option<Vec<BoundTo>>, Fault> {
    let key = account_key(account);
    let resource = resource.folded();
    let user = first(
        connection,
        "SELECT accounts.username FROM bindings JOIN accounts ON accounts.id = bindings.account
         WHERE bindings.account = ?1 AND bindings.resource_folded = ?2",
        (key, &resource),
        |row| name(row, 0, Username::parse),
    )?;
    if let Some(user) = user {
        return Ok(Some(vec![BoundTo::User(user)]));
    }
    // Level by level outwards; a chain lists the groups from the outermost down.
    let mut level = all(
        connection,
        "SELECT groups.id, groups.name FROM group_users
         JOIN groups ON groups.id = group_users.container WHERE group_users.account = ?1
         ORDER BY groups.name_folded",
        [key],
        |row| {
            Ok((
                row.get::<_, Key>(0)?,
                vec![BoundTo::Group(name(row, 1, GroupName::parse)?)],
            ))
        },
    )?;
    let mut seen: HashSet<Key> = level.iter().map(|(key, _)| *key).collect();
    for _ in 0..LEVELS {
        for (group, path) in &level {
            if exists(
                connection,
                "SELECT 1 FROM bindings WHERE bound_group = ?1 AND resource_folded = ?2",
                (group, &resource),
            )? {
                return Ok(Some(path.clone()));
            }
        }
        let mut outer = Vec::new();
        for (group, path) in &level {
            let containers = all(
                connection,
                "SELECT groups.id, groups.name FROM group_groups
                 JOIN groups ON groups.id = group_groups.container
                 WHERE group_groups.member = ?1 ORDER BY groups.name_folded",
                [group],
                |row| Ok((row.get::<_, Key>(0)?, name(row, 1, GroupName::parse)?)),
            )?;
            for (container, container_name) in containers {
                if seen.insert(container) {
                    let mut longer = vec![BoundTo::Group(container_name)];
                    longer.extend(path.iter().cloned());
                    outer.push((container, longer));
                }
            }
        }
        level = outer;
    }
    Ok(None)
}

fn certificate_name(text: &str) -> Result<CertificateName, Fault> {
    CertificateName::parse(text).map_err(|error| Fault::Damaged(error.to_string()))
}

/// All service accounts, by name.
pub(super) fn services(connection: &Connection) -> Result<Vec<ServiceSummary>, Fault> {
    all(
        connection,
        "SELECT id, name, may_search, sources, created,
                (SELECT count(*) FROM service_passwords WHERE service = services.id), certificate
         FROM services ORDER BY name_folded",
        [],
        |row| {
            let sources: String = row.get(3)?;
            let passwords: i64 = row.get(5)?;
            let certificate: Option<String> = row.get(6)?;
            Ok(ServiceSummary {
                service: ServiceId::from_uuid(Uuid::from_bytes(row.get(0)?)),
                name: name(row, 1, ServiceName::parse)?,
                may_search: row.get(2)?,
                sources: serde_json::from_str(&sources)?,
                passwords: usize::try_from(passwords).unwrap_or(0),
                certificate: certificate
                    .map(|text| certificate_name(&text))
                    .transpose()?,
                created: instant(row, 4)?,
            })
        },
    )
}
