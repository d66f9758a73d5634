//! Changes of bindings.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::records::{Binding, BoundTo};
use doorward_domain::time::Timestamp;

use super::super::fault::Fault;
use super::super::rows::{Key, account_id, run};
use super::{Changed, groups, nothing};

/// To whom a resource is bound, found.
#[derive(Clone, Copy)]
pub(super) enum Holder {
    User(Key),
    Group(Key),
}

pub(super) fn holder(connection: &Connection, to: &BoundTo) -> Result<Holder, Fault> {
    match to {
        BoundTo::User(username) => groups::user_key(connection, username).map(Holder::User),
        BoundTo::Group(group) => groups::key_of(connection, group).map(Holder::Group),
    }
}

/// What kind of thing it is, and its name.
pub(super) fn words(to: &BoundTo) -> (&'static str, String) {
    match to {
        BoundTo::User(username) => ("user", username.to_string()),
        BoundTo::Group(group) => ("group", group.to_string()),
    }
}

fn changed(action: &'static str, binding: &Binding, holder: &Holder) -> Changed {
    let (_, target) = words(&binding.to);
    Changed {
        action,
        target,
        account: match holder {
            Holder::User(key) => Some(account_id(*key)),
            Holder::Group(_) => None,
        },
        resource: Some(binding.resource.clone()),
        before: Value::Null,
        after: Value::Null,
    }
}

/// Marks as modified whoever the binding reaches.
fn touch(connection: &Connection, at: Timestamp, holder: &Holder) -> Result<(), Fault> {
    match holder {
        Holder::User(key) => run(
            connection,
            "UPDATE accounts SET modified = ?2 WHERE id = ?1",
            (key, at.as_millis()),
        )
        .map(drop),
        Holder::Group(key) => groups::touch_around(connection, at, *key),
    }
}

pub(super) fn bind(
    connection: &Connection,
    at: Timestamp,
    binding: &Binding,
) -> Result<Changed, Fault> {
    let holder = holder(connection, &binding.to)?;
    let resource = &binding.resource;
    let added = match &holder {
        Holder::User(key) => run(
            connection,
            "INSERT INTO bindings (resource, resource_folded, account) VALUES (?1, ?2, ?3)
             ON CONFLICT DO NOTHING",
            (resource.as_str(), resource.folded(), key),
        ),
        Holder::Group(key) => run(
            connection,
            "INSERT INTO bindings (resource, resource_folded, bound_group) VALUES (?1, ?2, ?3)
             ON CONFLICT DO NOTHING",
            (resource.as_str(), resource.folded(), key),
        ),
    }?;
    if added == 0 {
        let (kind, name) = words(&binding.to);
        return Err(nothing(format!(
            "'{resource}' is bound to {kind} '{name}' already"
        )));
    }
    touch(connection, at, &holder)?;
    let mut changed = changed("resource.bind", binding, &holder);
    changed.after = json!(binding);
    Ok(changed)
}

pub(super) fn unbind(
    connection: &Connection,
    at: Timestamp,
    binding: &Binding,
) -> Result<Changed, Fault> {
    let holder = holder(connection, &binding.to)?;
    let resource = &binding.resource;
    let removed = match &holder {
        Holder::User(key) => run(
            connection,
            "DELETE FROM bindings WHERE account = ?1 AND resource_folded = ?2",
            (key, resource.folded()),
        ),
        Holder::Group(key) => run(
            connection,
            "DELETE FROM bindings WHERE bound_group = ?1 AND resource_folded = ?2",
            (key, resource.folded()),
        ),
    }?;
    if removed == 0 {
        let (kind, name) = words(&binding.to);
        return Err(nothing(format!(
            "'{resource}' is not bound to {kind} '{name}'"
        )));
    }
    touch(connection, at, &holder)?;
    let mut changed = changed("resource.unbind", binding, &holder);
    changed.before = json!(binding);
    Ok(changed)
}
