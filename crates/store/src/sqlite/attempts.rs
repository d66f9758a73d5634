//! The reads of the hot path: an account or a service account with all a verdict needs.

use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use crate::attempts::{
    AccountKey, AttemptRead, AttemptRecord, Fetch, FormerNetworkPassword, PreviousPassword,
    ServiceRecord,
};
use doorward_domain::account::AccountFacts;
use doorward_domain::certificate::CertificateNames;
use doorward_domain::id::{AccountId, ServiceId};
use doorward_domain::name::{MailAddress, ResourceName, ServiceName, Username};
use doorward_domain::origin::OriginKey;
use doorward_domain::secret::{HashText, SealedNetworkPassword};

use super::fault::Fault;
use super::known_origins;
use super::readers::View;
use super::reply;
use super::rows::{
    account_id, account_key, all, epoch, exists, first, instant, maybe_instant, name, run,
};

/// The columns of an account's facts, in the order [`facts`] reads them.
pub(super) const FACTS: &str = "suspended, start_at, end_at, password_set_at, change_by, \
                                never_expires, must_change, locked_since";

/// Reads the facts from the columns that begin at `column`.
pub(super) fn facts(row: &Row<'_>, column: usize) -> Result<AccountFacts, Fault> {
    Ok(AccountFacts {
        suspended: row.get(column)?,
        start: maybe_instant(row, column + 1)?,
        end: maybe_instant(row, column + 2)?,
        password_set_at: maybe_instant(row, column + 3)?,
        change_by: maybe_instant(row, column + 4)?,
        never_expires: row.get(column + 5)?,
        must_change: row.get(column + 6)?,
        locked_since: maybe_instant(row, column + 7)?,
    })
}

/// Whether an account is bound to a resource, directly or through a group (parameters: the
/// account, the resource's folded name). Groups nest eight levels deep.
pub(super) const BOUND: &str = "WITH RECURSIVE within (id, depth) AS (
         SELECT container, 1 FROM group_users WHERE account = ?1
         UNION
         SELECT group_groups.container, within.depth + 1
         FROM group_groups JOIN within ON group_groups.member = within.id
         WHERE within.depth < 8
     )
     SELECT 1 FROM bindings WHERE account = ?1 AND resource_folded = ?2
     UNION ALL
     SELECT 1 FROM bindings JOIN within ON bindings.bound_group = within.id
     WHERE bindings.resource_folded = ?2
     LIMIT 1";

/// Reads the policy and an account ([`AttemptRead`]).
pub(super) fn read(
    view: &mut View<'_>,
    key: &AccountKey,
    resource: Option<&ResourceName>,
    origin: Option<&OriginKey>,
    fetch: Fetch,
) -> Result<AttemptRead, Fault> {
    let policy = view.policy()?;
    let connection = view.connection;
    let account = match key {
        AccountKey::Id(account) => by(connection, "id", account_key(*account))?,
        AccountKey::Login(login) => {
            let mut found = match &login.username {
                Some(username) => by(connection, "username_folded", username)?,
                None => None,
            };
            if found.is_none()
                && let Some(mail) = &login.mail
            {
                found = by(connection, "email_folded", mail)?;
            }
            found
        }
    };
    let account = match account {
        Some(record) => {
            let mut record = complete(connection, record, resource, fetch)?;
            if let Some(origin) = origin {
                record.admitted_here = known_origins::admitted(connection, record.account, origin)?;
            }
            Some(record)
        }
        None => None,
    };
    Ok(AttemptRead { policy, account })
}

fn by(
    connection: &Connection,
    column: &'static str,
    value: impl rusqlite::ToSql,
) -> Result<Option<AttemptRecord>, Fault> {
    let sql = format!(
        "SELECT id, username, email, password_hash, epoch, admin, network_password,
                former_network_password, former_network_password_at, {FACTS} FROM accounts
         WHERE {column} = ?1"
    );
    first(connection, &sql, params![value], |row| {
        Ok(AttemptRecord {
            account: account_id(row.get(0)?),
            username: name(row, 1, Username::parse)?,
            email: name(row, 2, MailAddress::parse)?,
            facts: facts(row, 9)?,
            password: row.get::<_, Option<String>>(3)?.map(HashText::new),
            previous: None,
            network_password: sealed(row, 6)?,
            former_network_password: sealed(row, 7)?.zip(maybe_instant(row, 8)?).map(
                |(sealed, replaced_at)| FormerNetworkPassword {
                    sealed,
                    replaced_at,
                },
            ),
            epoch: epoch(row, 4)?,
            bound: false,
            admin: row.get(5)?,
            admitted_here: None,
            reply: Vec::new(),
        })
    })
}

fn sealed(row: &Row<'_>, column: usize) -> Result<Option<SealedNetworkPassword>, Fault> {
    let octets: Option<Vec<u8>> = row.get(column)?;
    Ok(octets.map(SealedNetworkPassword::new))
}

fn complete(
    connection: &Connection,
    mut record: AttemptRecord,
    resource: Option<&ResourceName>,
    fetch: Fetch,
) -> Result<AttemptRecord, Fault> {
    let key = account_key(record.account);
    record.previous = first(
        connection,
        "SELECT hash, replaced_at FROM password_history WHERE account = ?1
         ORDER BY number DESC LIMIT 1",
        [key],
        |row| {
            Ok(PreviousPassword {
                hash: HashText::new(row.get::<_, String>(0)?),
                replaced_at: instant(row, 1)?,
            })
        },
    )?;
    if let Some(resource) = resource {
        record.bound = exists(connection, BOUND, (key, resource.folded()))?;
    }
    if fetch == Fetch::Accept {
        record.reply = reply::grants(connection, record.account, resource)?;
    }
    Ok(record)
}

/// Reads a service account by its folded name.
pub(super) fn service(
    connection: &Connection,
    folded: &str,
) -> Result<Option<ServiceRecord>, Fault> {
    service_where(
        connection,
        "SELECT id, name, may_search, sources, epoch FROM services WHERE name_folded = ?1",
        folded,
    )
}

/// Reads the service accounts that one of a certificate's names binds, each once.
pub(super) fn services_certified(
    connection: &Connection,
    names: &CertificateNames,
) -> Result<Vec<ServiceRecord>, Fault> {
    let mut found: Vec<ServiceRecord> = Vec::new();
    for name in names {
        let bound = service_where(
            connection,
            "SELECT id, name, may_search, sources, epoch FROM services
             WHERE certificate_folded = ?1",
            &name.folded(),
        )?;
        found.extend(bound.filter(|new| found.iter().all(|known| known.service != new.service)));
    }
    Ok(found)
}

fn service_where(
    connection: &Connection,
    sql: &str,
    folded: &str,
) -> Result<Option<ServiceRecord>, Fault> {
    let found = first(connection, sql, [folded], |row| {
        let sources: String = row.get(3)?;
        Ok(ServiceRecord {
            service: ServiceId::from_uuid(Uuid::from_bytes(row.get(0)?)),
            name: name(row, 1, ServiceName::parse)?,
            passwords: Vec::new(),
            may_search: row.get(2)?,
            sources: serde_json::from_str(&sources)?,
            epoch: epoch(row, 4)?,
        })
    })?;
    let Some(mut record) = found else {
        return Ok(None);
    };
    record.passwords = all(
        connection,
        "SELECT hash FROM service_passwords WHERE service = ?1 ORDER BY number DESC",
        [record.service.as_uuid().into_bytes()],
        |row| Ok(HashText::new(row.get::<_, String>(0)?)),
    )?;
    Ok(Some(record))
}

/// Replaces a hash by a better one of the same password.
pub(super) fn rehash(
    connection: &Connection,
    account: AccountId,
    old: &HashText,
    new: &HashText,
) -> Result<(), Fault> {
    run(
        connection,
        "UPDATE accounts SET password_hash = ?3 WHERE id = ?1 AND password_hash = ?2",
        (account_key(account), old.expose(), new.expose()),
    )?;
    Ok(())
}

/// As [`rehash`], for a service account.
pub(super) fn rehash_service(
    connection: &Connection,
    service: ServiceId,
    old: &HashText,
    new: &HashText,
) -> Result<(), Fault> {
    run(
        connection,
        "UPDATE service_passwords SET hash = ?3 WHERE service = ?1 AND hash = ?2",
        (service.as_uuid().into_bytes(), old.expose(), new.expose()),
    )?;
    Ok(())
}
