//! One-time links (CONTRACT.md 6): only a digest of the token is kept.

use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::changes::{ChangeRefused, LinkPurpose};
use doorward_domain::id::AccountId;
use doorward_domain::time::Timestamp;

use super::super::fault::Fault;
use super::super::rows::{account_key, number, run};
use super::super::users::bare;
use super::{Changed, not_found};

/// How many links of one user may live at once.
const LIVE: i64 = 3;

const fn text(purpose: LinkPurpose) -> &'static str {
    match purpose {
        LinkPurpose::Activation => "activation",
        LinkPurpose::Reset => "reset",
    }
}

pub(super) fn add(
    connection: &Connection,
    at: Timestamp,
    account: AccountId,
    purpose: LinkPurpose,
    token_digest: &[u8; 32],
    expires: Timestamp,
) -> Result<Changed, Fault> {
    let user = bare(connection, account)?.ok_or_else(|| not_found("user", &account))?;
    let key = account_key(account);
    run(
        connection,
        "DELETE FROM links WHERE account = ?1 AND expires <= ?2",
        (key, at.as_millis()),
    )?;
    if number(
        connection,
        "SELECT count(*) FROM links WHERE account = ?1",
        [key],
    )? >= LIVE
    {
        return Err(ChangeRefused::TooManyLinks.into());
    }
    run(
        connection,
        "INSERT INTO links (token_digest, account, purpose, created, expires)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            token_digest,
            key,
            text(purpose),
            at.as_millis(),
            expires.as_millis()
        ],
    )?;
    Ok(Changed {
        action: "user.add_link",
        target: user.username.to_string(),
        account: Some(account),
        resource: None,
        before: Value::Null,
        after: json!({ "purpose": text(purpose), "expires": expires.rfc3339() }),
    })
}
