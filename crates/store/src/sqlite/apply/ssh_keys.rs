//! Changes of users' SSH keys.

use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::changes::ChangeRefused;
use crate::records::UserRecord;
use doorward_domain::id::AccountId;
use doorward_domain::ssh_key::{SshFingerprint, SshPublicKey};
use doorward_domain::time::Timestamp;

use super::super::fault::Fault;
use super::super::rows::{account_key, run};
use super::super::users::ssh_keys;
use super::users::{find, touch};
use super::{Changed, not_found, nothing};

/// Keys as events show them: a fingerprint names one, and the key itself would say no more.
fn shown<'a>(keys: impl IntoIterator<Item = &'a SshPublicKey>) -> Value {
    let keys: Vec<Value> = keys
        .into_iter()
        .map(|key| {
            json!({
                "type": key.kind().as_str(),
                "fingerprint": key.fingerprint(),
                "comment": key.comment(),
            })
        })
        .collect();
    json!({ "ssh_keys": keys })
}

fn changed(action: &'static str, user: &UserRecord, before: Value, after: Value) -> Changed {
    Changed {
        action,
        target: user.username.to_string(),
        account: Some(user.account),
        resource: None,
        before,
        after,
    }
}

pub(super) fn add(
    connection: &Connection,
    at: Timestamp,
    account: AccountId,
    keys: &[SshPublicKey],
    most: usize,
) -> Result<Changed, Fault> {
    let user = find(connection, account)?;
    let mut added = Vec::new();
    for key in keys {
        let new = run(
            connection,
            "INSERT INTO ssh_keys (account, fingerprint, line, added) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
            params![
                account_key(account),
                key.fingerprint().as_bytes(),
                key.to_string(),
                at.as_millis()
            ],
        )?;
        if new > 0 {
            added.push(key);
        }
    }
    if added.is_empty() {
        return Err(nothing(format!(
            "'{}' has all of these keys already",
            user.username
        )));
    }
    if ssh_keys(connection, account)?.len() > most {
        return Err(ChangeRefused::TooManyKeys(most).into());
    }
    touch(connection, at, account)?;
    Ok(changed("user.add_ssh_keys", &user, json!({}), shown(added)))
}

pub(super) fn remove(
    connection: &Connection,
    at: Timestamp,
    account: AccountId,
    fingerprint: SshFingerprint,
) -> Result<Changed, Fault> {
    let user = find(connection, account)?;
    let keys = ssh_keys(connection, account)?;
    let Some(record) = keys
        .iter()
        .flatten()
        .find(|record| record.key.fingerprint() == fingerprint)
    else {
        return Err(not_found("SSH key", &fingerprint));
    };
    run(
        connection,
        "DELETE FROM ssh_keys WHERE account = ?1 AND fingerprint = ?2",
        (account_key(account), fingerprint.as_bytes()),
    )?;
    touch(connection, at, account)?;
    Ok(changed(
        "user.remove_ssh_key",
        &user,
        shown([&record.key]),
        json!({}),
    ))
}
