//! Reads of users, and what time may have done to them.

use std::collections::BTreeSet;

use rusqlite::{Connection, Row, params};

use crate::changes::{TimeSpans, UserFilter};
use crate::records::{SshKeyRecord, UserRecord};
use doorward_domain::id::AccountId;
use doorward_domain::name::{GroupName, MailAddress, ResourceName, Username};
use doorward_domain::names::{NameList, Part, Portion};
use doorward_domain::secret::HashText;
use doorward_domain::ssh_key::SshPublicKey;
use doorward_domain::time::Timestamp;

use super::attempts::{FACTS, facts};
use super::fault::Fault;
use super::lists::{Allowance, room};
use super::rows::{
    Key, Page, account_id, account_key, after, all, epoch, first, instant, limit, maybe_instant,
    meta, name, number, posix,
};

/// Users after the one named.
pub(super) fn list(
    connection: &Connection,
    filter: &UserFilter,
    after_account: Option<AccountId>,
    most: usize,
) -> Result<Vec<UserRecord>, Fault> {
    let mut users = select(connection, filter, after_account, most)?;
    complete_all(connection, &mut users)?;
    Ok(users)
}

/// Users as entries show them, after the one named.
pub(super) fn entries(
    connection: &Connection,
    filter: &UserFilter,
    after_account: Option<AccountId>,
    portion: Portion,
) -> Result<Vec<(UserRecord, Part<NameList>)>, Fault> {
    let users = select(connection, filter, after_account, portion.records)?;
    let mut allowance = Allowance::new(portion.lists);
    let mut damaged = Damaged::default();
    let mut entries = Vec::with_capacity(users.len());
    for mut user in users {
        let key = account_key(user.account);
        user.resources = resources(connection, key)?;
        let unreadable = take_keys(connection, &mut user)?;
        damaged.note(&user.username, unreadable);
        let groups = allowance.part(
            |most| groups_within(connection, key, most),
            || {
                let sql = format!("{WITHIN} SELECT count(*) FROM within");
                Ok(room(number(connection, &sql, [key])?, GroupName::MAX))
            },
        )?;
        entries.push((user, groups));
    }
    damaged.tell();
    Ok(entries)
}

/// The groups an account is in, directly or through others.
pub(super) fn groups_of(connection: &Connection, account: AccountId) -> Result<NameList, Fault> {
    groups_within(connection, account_key(account), i64::MAX)
}

/// As many as `most` of them.
fn groups_within(connection: &Connection, key: Key, most: i64) -> Result<NameList, Fault> {
    let sql =
        format!("{WITHIN} SELECT name FROM groups WHERE id IN (SELECT id FROM within) LIMIT ?2");
    let names = all(connection, &sql, (key, most), |row| {
        name(row, 0, GroupName::parse)
    })?;
    Ok(NameList::sorted(names.iter().map(GroupName::as_str)))
}

fn select(
    connection: &Connection,
    filter: &UserFilter,
    after_account: Option<AccountId>,
    most: usize,
) -> Result<Vec<UserRecord>, Fault> {
    let select = format!("SELECT {COLUMNS}, {FACTS} FROM accounts");
    let page = Page::new(
        connection,
        &select,
        after_account.map(account_key),
        most,
        user,
    );
    match filter {
        UserFilter::Id(id) => page.read("id = ?3", account_key(*id)),
        UserFilter::Username(username) => {
            page.read("username_folded = ?3", username.to_ascii_lowercase())
        }
        UserFilter::UidNumber(uid) => page.read("uid_number = ?3", *uid),
        UserFilter::Mail(mail) => page.read("email_folded = ?3", mail.to_lowercase()),
        UserFilter::MemberOf(group) => page.read(
            "id IN (
                 WITH RECURSIVE inside (id, depth) AS (
                     SELECT id, 1 FROM groups WHERE name_folded = ?3
                     UNION
                     SELECT group_groups.member, inside.depth + 1
                     FROM group_groups JOIN inside ON group_groups.container = inside.id
                     WHERE inside.depth < 8
                 )
                 SELECT group_users.account
                 FROM group_users JOIN inside ON group_users.container = inside.id
             )",
            group.to_ascii_lowercase(),
        ),
        UserFilter::All => page.read("?3", true),
    }
}

const COLUMNS: &str = "id, username, email, recovery_email, full_name, uid_number, gid_number, \
                       home, shell, admin, epoch, created, modified, network_password_set_at";

/// Reads a user without its groups, resources and failures.
fn user(row: &Row<'_>) -> Result<UserRecord, Fault> {
    let recovery: Option<String> = row.get(3)?;
    Ok(UserRecord {
        account: account_id(row.get(0)?),
        username: name(row, 1, Username::parse)?,
        email: name(row, 2, MailAddress::parse)?,
        recovery_email: recovery
            .map(|address| MailAddress::parse(&address))
            .transpose()?,
        full_name: row.get(4)?,
        uid_number: posix(row, 5)?,
        gid_number: posix(row, 6)?,
        home: row.get(7)?,
        shell: row.get(8)?,
        admin: row.get(9)?,
        epoch: epoch(row, 10)?,
        created: instant(row, 11)?,
        modified: instant(row, 12)?,
        network_password_set_at: maybe_instant(row, 13)?,
        facts: facts(row, 14)?,
        groups: Vec::new(),
        resources: Vec::new(),
        recent_failures: 0,
        ssh_keys: Vec::new(),
    })
}

/// Reads one user without its groups, resources and failures.
pub(super) fn bare(
    connection: &Connection,
    account: AccountId,
) -> Result<Option<UserRecord>, Fault> {
    let sql = format!("SELECT {COLUMNS}, {FACTS} FROM accounts WHERE id = ?1");
    first(connection, &sql, [account_key(account)], user)
}

/// The beginning of the last 24 hours as far as the store can know without a clock: counted back
/// from the newest event, or from where lifecycle stands, which moves every minute.
fn day_start(connection: &Connection) -> Result<Timestamp, Fault> {
    let cursor = Timestamp::from_millis(meta(connection, "lifecycle_cursor")?);
    let newest = super::events::newest(connection)?.unwrap_or(Timestamp::EPOCH);
    Ok(cursor
        .max(newest)
        .minus(std::time::Duration::from_hours(24)))
}

/// The groups an account is in, directly or through others (parameter: the account).
pub(super) const WITHIN: &str = "WITH RECURSIVE within (id, depth) AS (
         SELECT container, 1 FROM group_users WHERE account = ?1
         UNION
         SELECT group_groups.container, within.depth + 1
         FROM group_groups JOIN within ON group_groups.member = within.id
         WHERE within.depth < 8
     )";

/// Reads what [`user`] leaves out, and tells once of keys that cannot be read.
fn complete_all(connection: &Connection, users: &mut [UserRecord]) -> Result<(), Fault> {
    let day = day_start(connection)?;
    let mut damaged = Damaged::default();
    for user in users {
        let unreadable = complete(connection, user, day)?;
        damaged.note(&user.username, unreadable);
    }
    damaged.tell();
    Ok(())
}

/// SSH keys that cannot be read, told of once for all users that one read returns.
#[derive(Default)]
struct Damaged {
    keys: usize,
    first: Option<Username>,
}

impl Damaged {
    fn note(&mut self, user: &Username, keys: usize) {
        if keys > 0 {
            self.keys += keys;
            self.first.get_or_insert_with(|| user.clone());
        }
    }

    fn tell(self) {
        if let Some(user) = self.first {
            tracing::warn!(
                keys = self.keys,
                %user,
                "SSH keys cannot be read and are left out, the first of this user"
            );
        }
    }
}

/// Reads what [`user`] leaves out, and says how many keys cannot be read.
fn complete(
    connection: &Connection,
    user: &mut UserRecord,
    day: Timestamp,
) -> Result<usize, Fault> {
    let key = account_key(user.account);
    let sql = format!("{WITHIN} SELECT name FROM groups WHERE id IN (SELECT id FROM within)");
    user.groups = all(connection, &sql, [key], |row| {
        name(row, 0, GroupName::parse)
    })?;
    user.groups.sort();
    user.resources = resources(connection, key)?;
    let failures = number(
        connection,
        "SELECT count(*) FROM failures WHERE account = ?1 AND at >= ?2",
        (key, day.as_millis()),
    )?;
    user.recent_failures = u32::try_from(failures).unwrap_or(u32::MAX);
    take_keys(connection, user)
}

/// The resources that an account is bound to, directly or through groups, sorted by name.
fn resources(connection: &Connection, key: Key) -> Result<Vec<ResourceName>, Fault> {
    let sql = format!(
        "{WITHIN} SELECT resource FROM bindings
         WHERE account = ?1 OR bound_group IN (SELECT id FROM within)"
    );
    let mut resources = all(connection, &sql, [key], |row| {
        name(row, 0, ResourceName::parse)
    })?;
    resources.sort();
    resources.dedup_by_key(|resource| resource.folded());
    Ok(resources)
}

/// Reads a user's SSH keys, and says how many cannot be read.
fn take_keys(connection: &Connection, user: &mut UserRecord) -> Result<usize, Fault> {
    let keys = ssh_keys(connection, user.account)?;
    let stored = keys.len();
    user.ssh_keys = keys.into_iter().flatten().collect();
    Ok(stored - user.ssh_keys.len())
}

/// An account's SSH keys, oldest first; none in the place of one that cannot be read. Such a key
/// opens no door, and must not close the user's others.
pub(super) fn ssh_keys(
    connection: &Connection,
    account: AccountId,
) -> Result<Vec<Option<SshKeyRecord>>, Fault> {
    all(
        connection,
        "SELECT line, added FROM ssh_keys WHERE account = ?1 ORDER BY number",
        [account_key(account)],
        |row| {
            let line: String = row.get(0)?;
            let added = instant(row, 1)?;
            let key = SshPublicKey::parse(&line).ok();
            Ok(key.map(|key| SshKeyRecord { key, added }))
        },
    )
}

/// The present and former hashes of an account's password, newest first.
pub(super) fn password_history(
    connection: &Connection,
    account: AccountId,
    most: u32,
) -> Result<Vec<HashText>, Fault> {
    all(
        connection,
        "SELECT password_hash, NULL AS number, 0 AS former FROM accounts
         WHERE id = ?1 AND password_hash IS NOT NULL
         UNION ALL
         SELECT hash, number, 1 FROM password_history WHERE account = ?1
         ORDER BY former, number DESC LIMIT ?2",
        (account_key(account), most),
        |row| Ok(HashText::new(row.get::<_, String>(0)?)),
    )
}

/// Users that `spans` touch, after the one named.
pub(super) fn touched_by_time(
    connection: &Connection,
    spans: &TimeSpans,
    after_account: Option<AccountId>,
    most: usize,
) -> Result<Vec<UserRecord>, Fault> {
    let begin = after(after_account.map(account_key));
    let mut keys: BTreeSet<Key> = BTreeSet::new();
    let mut collect = |column: &str, span: (Timestamp, Timestamp)| -> Result<(), Fault> {
        let sql = format!(
            "SELECT id FROM accounts WHERE {column} > ?1 AND {column} <= ?2 AND id > ?3
             ORDER BY id LIMIT ?4"
        );
        let (from, to) = (span.0.as_millis(), span.1.as_millis());
        keys.extend(all(
            connection,
            &sql,
            params![from, to, begin, limit(most)],
            |row| Ok(row.get::<_, Key>(0)?),
        )?);
        Ok(())
    };
    for column in ["start_at", "end_at", "change_by"] {
        collect(column, spans.dates)?;
    }
    for span in &spans.password_set {
        collect("password_set_at", *span)?;
    }
    if let Some(span) = spans.locked {
        collect("locked_since", span)?;
    }
    let mut users = Vec::new();
    for key in keys.into_iter().take(most) {
        users.extend(bare(connection, account_id(key))?);
    }
    complete_all(connection, &mut users)?;
    Ok(users)
}
