//! Changes of service accounts (CONTRACT.md 3.8).

use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::changes::NewService;
use doorward_domain::certificate::CertificateName;
use doorward_domain::name::ServiceName;
use doorward_domain::secret::HashText;
use doorward_domain::time::Timestamp;

use super::super::fault::Fault;
use super::super::rows::{Key, exists, first, number, run};
use super::{Changed, not_found, taken};

fn find(connection: &Connection, name: &ServiceName) -> Result<Key, Fault> {
    first(
        connection,
        "SELECT id FROM services WHERE name_folded = ?1",
        [name.folded()],
        |row| Ok(row.get(0)?),
    )?
    .ok_or_else(|| not_found("service account", &name))
}

fn changed(action: &'static str, name: &ServiceName, before: Value, after: Value) -> Changed {
    Changed {
        action,
        target: name.to_string(),
        account: None,
        resource: None,
        before,
        after,
    }
}

fn keep(connection: &Connection, service: Key, password: &HashText) -> Result<(), Fault> {
    run(
        connection,
        "INSERT INTO service_passwords (service, hash) VALUES (?1, ?2)",
        (service, password.expose()),
    )?;
    Ok(())
}

fn live(connection: &Connection, service: Key) -> Result<i64, Fault> {
    number(
        connection,
        "SELECT count(*) FROM service_passwords WHERE service = ?1",
        [service],
    )
}

pub(super) fn add(
    connection: &Connection,
    at: Timestamp,
    new: &NewService,
) -> Result<Changed, Fault> {
    if exists(
        connection,
        "SELECT 1 FROM services WHERE name_folded = ?1",
        [new.name.folded()],
    )? {
        return Err(taken("service account name", &new.name));
    }
    if let Some(certificate) = &new.certificate {
        not_another(connection, certificate, None)?;
    }
    let key = new.service.as_uuid().into_bytes();
    run(
        connection,
        "INSERT INTO services (id, name, name_folded, may_search, sources, epoch, created,
                               certificate, certificate_folded)
         VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8)",
        params![
            key,
            new.name.as_str(),
            new.name.folded(),
            new.may_search,
            serde_json::to_string(&new.sources)?,
            at.as_millis(),
            new.certificate.as_ref().map(CertificateName::as_str),
            new.certificate.as_ref().map(CertificateName::folded),
        ],
    )?;
    if let Some(password) = &new.password {
        keep(connection, key, password)?;
    }
    Ok(changed(
        "service.add",
        &new.name,
        Value::Null,
        json!({
            "name": new.name,
            "may_search": new.may_search,
            "sources": new.sources,
            "certificate": new.certificate,
        }),
    ))
}

pub(super) fn set_password(
    connection: &Connection,
    name: &ServiceName,
    password: &HashText,
    keep_old: bool,
) -> Result<Changed, Fault> {
    let key = find(connection, name)?;
    let before = live(connection, key)?;
    run(
        connection,
        "DELETE FROM service_passwords WHERE service = ?1 AND number NOT IN
         (SELECT number FROM service_passwords WHERE service = ?1
          ORDER BY number DESC LIMIT ?2)",
        (key, i64::from(keep_old)),
    )?;
    keep(connection, key, password)?;
    run(
        connection,
        "UPDATE services SET epoch = epoch + 1 WHERE id = ?1",
        [key],
    )?;
    let after = live(connection, key)?;
    Ok(changed(
        "service.set_password",
        name,
        json!({ "passwords": before }),
        json!({ "passwords": after }),
    ))
}

pub(super) fn set_certificate(
    connection: &Connection,
    name: &ServiceName,
    certificate: Option<&CertificateName>,
) -> Result<Changed, Fault> {
    let key = find(connection, name)?;
    if let Some(certificate) = certificate {
        not_another(connection, certificate, Some(key))?;
    }
    let before = first(
        connection,
        "SELECT certificate FROM services WHERE id = ?1",
        [key],
        |row| Ok(row.get::<_, Option<String>>(0)?),
    )?
    .flatten();
    run(
        connection,
        "UPDATE services SET certificate = ?2, certificate_folded = ?3, epoch = epoch + 1
         WHERE id = ?1",
        (
            key,
            certificate.map(CertificateName::as_str),
            certificate.map(CertificateName::folded),
        ),
    )?;
    Ok(changed(
        "service.set_certificate",
        name,
        json!({ "certificate": before }),
        json!({ "certificate": certificate }),
    ))
}

/// Refuses a certificate that binds a service account other than this.
fn not_another(
    connection: &Connection,
    certificate: &CertificateName,
    own: Option<Key>,
) -> Result<(), Fault> {
    let holder: Option<Key> = first(
        connection,
        "SELECT id FROM services WHERE certificate_folded = ?1",
        [certificate.folded()],
        |row| Ok(row.get(0)?),
    )?;
    match holder {
        Some(holder) if own != Some(holder) => Err(taken("certificate name", certificate)),
        _ => Ok(()),
    }
}

pub(super) fn remove(connection: &Connection, name: &ServiceName) -> Result<Changed, Fault> {
    let key = find(connection, name)?;
    run(connection, "DELETE FROM services WHERE id = ?1", [key])?;
    Ok(changed(
        "service.remove",
        name,
        json!({ "name": name }),
        Value::Null,
    ))
}
