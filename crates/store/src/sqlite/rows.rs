//! Statements and rows: the few shapes every query has, and values as columns hold them.

use rusqlite::{Connection, Params, Row, ToSql, params};
use uuid::Uuid;

use doorward_domain::id::{AccountId, Epoch, GroupId};
use doorward_domain::name::NotAName;
use doorward_domain::time::Timestamp;

use super::fault::Fault;

/// An identifier as its column holds it.
pub(super) type Key = [u8; 16];

/// Runs a statement that gives no rows back; says how many rows it changed.
pub(super) fn run(connection: &Connection, sql: &str, params: impl Params) -> Result<usize, Fault> {
    Ok(connection.prepare_cached(sql)?.execute(params)?)
}

/// The first row, where there is one.
pub(super) fn first<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    match rows.next()? {
        Some(row) => read(row).map(Some),
        None => Ok(None),
    }
}

/// Every row.
pub(super) fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// A page of a table by identifier: what its rows behind one are read as, at most so many.
pub(super) struct Page<'a, T> {
    connection: &'a Connection,
    /// Columns and table.
    select: &'a str,
    behind: Vec<u8>,
    most: i64,
    row: fn(&Row<'_>) -> Result<T, Fault>,
}

impl<'a, T> Page<'a, T> {
    /// The page behind `behind`, or the first one.
    pub(super) fn new(
        connection: &'a Connection,
        select: &'a str,
        behind: Option<Key>,
        most: usize,
        row: fn(&Row<'_>) -> Result<T, Fault>,
    ) -> Self {
        Self {
            connection,
            select,
            behind: after(behind),
            most: limit(most),
            row,
        }
    }

    /// Reads the rows that a condition on `?3`, which is `value`, holds of.
    pub(super) fn read(&self, condition: &str, value: impl ToSql) -> Result<Vec<T>, Fault> {
        let sql = format!(
            "{} WHERE id > ?1 AND {condition} ORDER BY id LIMIT ?2",
            self.select
        );
        let params = params![self.behind, self.most, value];
        all(self.connection, &sql, params, self.row)
    }
}

/// Whether there is a row.
pub(super) fn exists(
    connection: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<bool, Fault> {
    Ok(connection.prepare_cached(sql)?.exists(params)?)
}

/// The first column of the first row, which is a number; zero where there is none.
pub(super) fn number(
    connection: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<i64, Fault> {
    Ok(first(connection, sql, params, |row| {
        Ok(row.get::<_, Option<i64>>(0)?)
    })?
    .flatten()
    .unwrap_or(0))
}

/// Reads a counter of the whole store.
pub(super) fn meta(connection: &Connection, key: &str) -> Result<i64, Fault> {
    first(
        connection,
        "SELECT value FROM meta WHERE key = ?1",
        [key],
        |row| Ok(row.get(0)?),
    )?
    .ok_or_else(|| Fault::Damaged(format!("the counter '{key}' is missing")))
}

/// The text of the policy in force.
pub(super) fn policy_text(connection: &Connection) -> Result<String, Fault> {
    first(
        connection,
        "SELECT settings FROM policies ORDER BY version DESC LIMIT 1",
        [],
        |row| Ok(row.get(0)?),
    )?
    .ok_or_else(|| Fault::Damaged("there is no policy".to_owned()))
}

/// Writes what changes nothing and takes a commit all the same; gives back what was written.
pub(super) fn touch_probe(connection: &Connection) -> Result<i64, Fault> {
    let next = meta(connection, "probe")?.wrapping_add(1).max(0);
    set_meta(connection, "probe", next)?;
    Ok(next)
}

/// Writes a counter of the whole store.
pub(super) fn set_meta(connection: &Connection, key: &str, value: i64) -> Result<(), Fault> {
    run(
        connection,
        "UPDATE meta SET value = ?2 WHERE key = ?1",
        (key, value),
    )?;
    Ok(())
}

/// Moves the number that tells snapshots the directory is another.
pub(super) fn touch_directory(connection: &Connection) -> Result<(), Fault> {
    run(
        connection,
        "UPDATE meta SET value = value + 1 WHERE key = 'directory_version'",
        [],
    )?;
    Ok(())
}

/// The column of an account's identifier.
pub(super) fn account_key(account: AccountId) -> Key {
    account.as_uuid().into_bytes()
}

/// The column of a group's identifier.
pub(super) fn group_key(group: GroupId) -> Key {
    group.as_uuid().into_bytes()
}

/// An account's identifier out of its column.
pub(super) fn account_id(key: Key) -> AccountId {
    AccountId::from_uuid(Uuid::from_bytes(key))
}

/// A group's identifier out of its column.
pub(super) fn group_id(key: Key) -> GroupId {
    GroupId::from_uuid(Uuid::from_bytes(key))
}

/// An instant's column.
pub(super) fn millis(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_millis)
}

/// An instant out of its column.
pub(super) fn instant(row: &Row<'_>, column: usize) -> Result<Timestamp, Fault> {
    Ok(Timestamp::from_millis(row.get(column)?))
}

/// An instant, if any, out of its column.
pub(super) fn maybe_instant(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, Fault> {
    Ok(row
        .get::<_, Option<i64>>(column)?
        .map(Timestamp::from_millis))
}

/// A name out of its column.
pub(super) fn name<T>(
    row: &Row<'_>,
    column: usize,
    parse: fn(&str) -> Result<T, NotAName>,
) -> Result<T, Fault> {
    let text: String = row.get(column)?;
    Ok(parse(&text)?)
}

/// A POSIX number out of its column.
pub(super) fn posix(row: &Row<'_>, column: usize) -> Result<u32, Fault> {
    Ok(row.get(column)?)
}

/// An epoch's column.
pub(super) fn epoch_column(epoch: Epoch) -> i64 {
    i64::try_from(epoch.0).unwrap_or(i64::MAX)
}

/// An epoch out of its column.
pub(super) fn epoch(row: &Row<'_>, column: usize) -> Result<Epoch, Fault> {
    let value: i64 = row.get(column)?;
    u64::try_from(value)
        .map(Epoch)
        .map_err(|_| Fault::Damaged("an epoch is negative".to_owned()))
}

/// A count as SQLite takes one.
pub(super) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The least key a page may begin after: an empty blob sorts before every identifier.
pub(super) fn after(key: Option<Key>) -> Vec<u8> {
    key.map(|key| key.to_vec()).unwrap_or_default()
}
