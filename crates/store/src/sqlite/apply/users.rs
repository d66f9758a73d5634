//! Changes of users.

use rusqlite::{Connection, Params, params};
use serde_json::{Value, json};

use crate::changes::{ChangeRefused, Command, NewUser, UserPatch};
use crate::records::UserRecord;
use doorward_domain::id::{AccountId, Epoch};
use doorward_domain::name::{MailAddress, Username};
use doorward_domain::secret::{HashText, SealedNetworkPassword};
use doorward_domain::time::Timestamp;

use super::super::fault::Fault;
use super::super::numbers::{Kind, Numbering, give};
use super::super::rows::{account_key, epoch_column, exists, first, millis, posix, run};
use super::super::users::bare;
use super::{Changed, differences, groups, not_found, nothing, sudo, taken};

/// A user as its events show it.
fn shown(user: &UserRecord) -> Value {
    let moment = |at: Option<Timestamp>| at.map(Timestamp::rfc3339);
    json!({
        "username": user.username,
        "email": user.email,
        "recovery_email": user.recovery_email,
        "full_name": user.full_name,
        "uid_number": user.uid_number,
        "gid_number": user.gid_number,
        "home": user.home,
        "shell": user.shell,
        "admin": user.admin,
        "suspended": user.facts.suspended,
        "start_date": moment(user.facts.start),
        "end_date": moment(user.facts.end),
        "password_set_at": moment(user.facts.password_set_at),
        "change_by": moment(user.facts.change_by),
        "password_never_expires": user.facts.never_expires,
        "must_change": user.facts.must_change,
        "network_password_set_at": moment(user.network_password_set_at),
        "locked_since": moment(user.facts.locked_since),
    })
}

pub(super) fn find(connection: &Connection, account: AccountId) -> Result<UserRecord, Fault> {
    bare(connection, account)?.ok_or_else(|| not_found("user", &account))
}

/// Tells what became of a user that was `before`.
fn changed(
    connection: &Connection,
    action: &'static str,
    before: &UserRecord,
) -> Result<Changed, Fault> {
    let after = find(connection, before.account)?;
    let (old, new) = differences(&shown(before), &shown(&after));
    Ok(Changed {
        action,
        target: after.username.to_string(),
        account: Some(before.account),
        resource: None,
        before: old,
        after: new,
    })
}

fn refuse_taken_username(connection: &Connection, username: &Username) -> Result<(), Fault> {
    if exists(
        connection,
        "SELECT 1 FROM accounts WHERE username_folded = ?1",
        [username.folded()],
    )? {
        return Err(taken("username", &username));
    }
    Ok(())
}

fn refuse_taken_mail(connection: &Connection, email: &MailAddress) -> Result<(), Fault> {
    if exists(
        connection,
        "SELECT 1 FROM accounts WHERE email_folded = ?1",
        [email.folded()],
    )? {
        return Err(taken("mail address", &email));
    }
    Ok(())
}

pub(super) fn add(
    connection: &Connection,
    numbering: &Numbering,
    command: &Command,
    user: &NewUser,
) -> Result<Changed, Fault> {
    refuse_taken_username(connection, &user.username)?;
    refuse_taken_mail(connection, &user.email)?;
    let gid = primary_gid(connection, numbering, command)?;
    let uid = give(connection, Kind::Uid, numbering.first, user.uid_number)?;
    let at = command.at.as_millis();
    run(
        connection,
        "INSERT INTO accounts
         (id, username, username_folded, email, email_folded, recovery_email, full_name,
          uid_number, gid_number, admin, suspended, start_at, end_at, password_hash,
          password_set_at, never_expires, must_change, epoch, created, modified)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, ?11, ?12, ?13, ?14, 0, ?15, 1,
                 ?16, ?16)",
        params![
            account_key(user.account),
            user.username.as_str(),
            user.username.folded(),
            user.email.as_str(),
            user.email.folded(),
            user.recovery_email.as_ref().map(MailAddress::as_str),
            user.full_name,
            uid,
            gid,
            user.admin,
            millis(user.start),
            millis(user.end),
            user.password.as_ref().map(HashText::expose),
            user.password.as_ref().map(|_| at),
            user.must_change && user.password.is_some(),
            at,
        ],
    )?;
    let added = find(connection, user.account)?;
    Ok(Changed {
        action: "user.add",
        target: added.username.to_string(),
        account: Some(added.account),
        resource: None,
        before: Value::Null,
        after: shown(&added),
    })
}

/// The number of the primary group, which is made where it is missing.
fn primary_gid(
    connection: &Connection,
    numbering: &Numbering,
    command: &Command,
) -> Result<u32, Fault> {
    let find = || {
        first(
            connection,
            "SELECT gid_number FROM groups WHERE name_folded = ?1",
            [numbering.primary_group.folded()],
            |row| posix(row, 0),
        )
    };
    if let Some(gid) = find()? {
        return Ok(gid);
    }
    groups::add_primary(connection, numbering, command)?;
    find()?.ok_or_else(|| Fault::Damaged("the primary group vanished".to_owned()))
}

pub(super) fn set(
    connection: &Connection,
    at: Timestamp,
    account: AccountId,
    patch: &UserPatch,
) -> Result<Changed, Fault> {
    let before = find(connection, account)?;
    let key = account_key(account);
    if let Some(email) = &patch.email
        && email.folded() != before.email.folded()
    {
        refuse_taken_mail(connection, email)?;
    }
    let email = patch.email.as_ref().unwrap_or(&before.email);
    let recovery = patch
        .recovery_email
        .as_ref()
        .unwrap_or(&before.recovery_email);
    run(
        connection,
        "UPDATE accounts SET email = ?2, email_folded = ?3, recovery_email = ?4, full_name = ?5,
                start_at = ?6, end_at = ?7, never_expires = ?8, must_change = ?9, home = ?10,
                shell = ?11, admin = ?12
         WHERE id = ?1",
        params![
            key,
            email.as_str(),
            email.folded(),
            recovery.as_ref().map(MailAddress::as_str),
            patch.full_name.as_ref().unwrap_or(&before.full_name),
            millis(patch.start.unwrap_or(before.facts.start)),
            millis(patch.end.unwrap_or(before.facts.end)),
            patch.never_expires.unwrap_or(before.facts.never_expires),
            patch.must_change.unwrap_or(before.facts.must_change),
            patch.home.as_ref().unwrap_or(&before.home),
            patch.shell.as_ref().unwrap_or(&before.shell),
            patch.admin.unwrap_or(before.admin),
        ],
    )?;
    let after = find(connection, account)?;
    if after == before {
        return Err(nothing(format!(
            "nothing to change: '{}' is so already",
            before.username
        )));
    }
    if after.facts != before.facts || after.admin != before.admin {
        move_epoch(connection, account)?;
    }
    touch(connection, at, account)?;
    changed(connection, "user.set", &before)
}

/// The account's credential epoch.
pub(super) fn epoch(connection: &Connection, account: AccountId) -> Result<Epoch, Fault> {
    Ok(find(connection, account)?.epoch)
}

/// A password to be set.
pub(super) struct NewPassword<'change> {
    pub(super) account: AccountId,
    pub(super) password: &'change HashText,
    pub(super) must_change: bool,
    pub(super) expected: Option<Epoch>,
    pub(super) keep_history: u32,
}

pub(super) fn set_password(
    connection: &Connection,
    at: Timestamp,
    new: &NewPassword<'_>,
) -> Result<Changed, Fault> {
    let before = find(connection, new.account)?;
    let key = account_key(new.account);
    if let Some(expected) = new.expected
        && !exists(
            connection,
            "SELECT 1 FROM accounts WHERE id = ?1 AND epoch = ?2",
            (key, epoch_column(expected)),
        )?
    {
        return Err(ChangeRefused::Moved.into());
    }
    run(
        connection,
        "INSERT INTO password_history (account, hash, replaced_at)
         SELECT id, password_hash, ?2 FROM accounts WHERE id = ?1 AND password_hash IS NOT NULL",
        (key, at.as_millis()),
    )?;
    // The last one is kept even where the history rule asks for none: it is what tells a stale
    // password from a guess (CONTRACT.md 3.5).
    run(
        connection,
        "DELETE FROM password_history WHERE account = ?1 AND number NOT IN
         (SELECT number FROM password_history WHERE account = ?1 ORDER BY number DESC LIMIT ?2)",
        (key, new.keep_history.max(1)),
    )?;
    run(
        connection,
        "UPDATE accounts SET password_hash = ?2, password_set_at = ?3, must_change = ?4,
                change_by = NULL, locked_since = NULL, epoch = epoch + 1
         WHERE id = ?1",
        params![key, new.password.expose(), at.as_millis(), new.must_change],
    )?;
    forget_attempts(connection, new.account)?;
    run(connection, "DELETE FROM links WHERE account = ?1", [key])?;
    touch(connection, at, new.account)?;
    changed(connection, "user.set_password", &before)
}

pub(super) fn set_network_password(
    connection: &Connection,
    at: Timestamp,
    account: AccountId,
    password: Option<&SealedNetworkPassword>,
) -> Result<Changed, Fault> {
    let before = find(connection, account)?;
    if password.is_none() && before.network_password_set_at.is_none() {
        return Err(nothing(format!(
            "'{}' has no network password",
            before.username
        )));
    }
    let action = match password {
        Some(_) => "user.set_network_password",
        None => "user.revoke_network_password",
    };
    // One that was revoked before this one was made stays the former one.
    alter(
        connection,
        at,
        account,
        action,
        "UPDATE accounts SET
             former_network_password = coalesce(network_password, former_network_password),
             former_network_password_at =
                 iif(network_password IS NULL, former_network_password_at, ?3),
             network_password = ?2,
             network_password_set_at = iif(?2 IS NULL, NULL, ?3),
             epoch = epoch + 1
         WHERE id = ?1",
        params![
            account_key(account),
            password.map(SealedNetworkPassword::as_bytes),
            at.as_millis()
        ],
    )
}

pub(super) fn unlock(
    connection: &Connection,
    at: Timestamp,
    account: AccountId,
) -> Result<Changed, Fault> {
    let before = find(connection, account)?;
    // Never "already so": throttles start afresh with the epoch, locked or not.
    run(
        connection,
        "UPDATE accounts SET locked_since = NULL, epoch = epoch + 1 WHERE id = ?1",
        [account_key(account)],
    )?;
    forget_attempts(connection, account)?;
    touch(connection, at, account)?;
    changed(connection, "user.unlock", &before)
}

pub(super) fn expire(
    connection: &Connection,
    at: Timestamp,
    account: AccountId,
    by: Timestamp,
) -> Result<Changed, Fault> {
    alter(
        connection,
        at,
        account,
        "user.expire",
        "UPDATE accounts SET change_by = ?2, epoch = epoch + 1 WHERE id = ?1",
        (account_key(account), by.as_millis()),
    )
}

pub(super) fn suspend(
    connection: &Connection,
    at: Timestamp,
    account: AccountId,
) -> Result<Changed, Fault> {
    let before = find(connection, account)?;
    if before.facts.suspended {
        return Err(nothing(format!(
            "'{}' is suspended already",
            before.username
        )));
    }
    alter(
        connection,
        at,
        account,
        "user.suspend",
        "UPDATE accounts SET suspended = 1, epoch = epoch + 1 WHERE id = ?1",
        [account_key(account)],
    )
}

pub(super) fn resume(
    connection: &Connection,
    at: Timestamp,
    account: AccountId,
) -> Result<Changed, Fault> {
    let before = find(connection, account)?;
    let ended = before.facts.end.is_some_and(|end| end <= at);
    if !before.facts.suspended && !ended {
        return Err(nothing(format!("'{}' is not suspended", before.username)));
    }
    let end = before.facts.end.filter(|_| !ended);
    alter(
        connection,
        at,
        account,
        "user.resume",
        "UPDATE accounts SET suspended = 0, end_at = ?2, epoch = epoch + 1 WHERE id = ?1",
        (account_key(account), millis(end)),
    )
}

pub(super) fn rename(
    connection: &Connection,
    at: Timestamp,
    account: AccountId,
    username: &Username,
) -> Result<Changed, Fault> {
    let before = find(connection, account)?;
    if before.username == *username {
        return Err(nothing(format!("'{username}' is its name already")));
    }
    if before.username.folded() != username.folded() {
        refuse_taken_username(connection, username)?;
    }
    groups::touch_around_user(connection, at, account)?;
    sudo::touch_around_user(connection, at, account)?;
    alter(
        connection,
        at,
        account,
        "user.rename",
        "UPDATE accounts SET username = ?2, username_folded = ?3 WHERE id = ?1",
        (account_key(account), username.as_str(), username.folded()),
    )
}

pub(super) fn remove(
    connection: &Connection,
    at: Timestamp,
    account: AccountId,
) -> Result<Changed, Fault> {
    let before = find(connection, account)?;
    let key = account_key(account);
    groups::touch_around_user(connection, at, account)?;
    sudo::touch_around_user(connection, at, account)?;
    run(connection, "DELETE FROM outbox WHERE account = ?1", [key])?;
    run(connection, "DELETE FROM accounts WHERE id = ?1", [key])?;
    Ok(Changed {
        action: "user.remove",
        target: before.username.to_string(),
        account: Some(account),
        resource: None,
        before: shown(&before),
        after: Value::Null,
    })
}

/// Runs one update of one user and tells what it did.
fn alter(
    connection: &Connection,
    at: Timestamp,
    account: AccountId,
    action: &'static str,
    sql: &str,
    params: impl Params,
) -> Result<Changed, Fault> {
    let before = find(connection, account)?;
    run(connection, sql, params)?;
    touch(connection, at, account)?;
    changed(connection, action, &before)
}

fn move_epoch(connection: &Connection, account: AccountId) -> Result<(), Fault> {
    run(
        connection,
        "UPDATE accounts SET epoch = epoch + 1 WHERE id = ?1",
        [account_key(account)],
    )?;
    Ok(())
}

pub(super) fn touch(
    connection: &Connection,
    at: Timestamp,
    account: AccountId,
) -> Result<(), Fault> {
    run(
        connection,
        "UPDATE accounts SET modified = ?2 WHERE id = ?1",
        (account_key(account), at.as_millis()),
    )?;
    Ok(())
}

/// Voids failures and open places: one of these settled later counts nothing.
fn forget_attempts(connection: &Connection, account: AccountId) -> Result<(), Fault> {
    let key = account_key(account);
    run(connection, "DELETE FROM failures WHERE account = ?1", [key])?;
    run(connection, "DELETE FROM places WHERE account = ?1", [key])?;
    Ok(())
}
