//! Commands of the directory: the change, its event with the values before and after, its mail,
//! all in the writer's transaction.

mod bindings;
mod devices;
mod groups;
mod links;
pub(super) mod policy;
mod reply;
mod services;
mod ssh_keys;
mod sudo;
mod users;

use rusqlite::Connection;
use serde_json::{Map, Value};

use crate::changes::{Applied, Change, ChangeRefused, Command};
use doorward_domain::event::ChangeEvent;
use doorward_domain::id::AccountId;
use doorward_domain::name::ResourceName;

use super::fault::Fault;
use super::numbers::Numbering;
use super::outbox::queue_mail;
use super::{events, rows};

/// What a change did, for its event.
struct Changed {
    action: &'static str,
    target: String,
    account: Option<AccountId>,
    resource: Option<ResourceName>,
    before: Value,
    after: Value,
}

/// Carries a command out.
pub(super) fn apply(
    connection: &Connection,
    numbering: &Numbering,
    command: &Command,
) -> Result<Applied, Fault> {
    let at = command.at;
    let changed = perform(connection, numbering, command)?;
    let event = ChangeEvent {
        actor: command.actor.clone(),
        action: changed.action.to_owned(),
        target: changed.target,
        account: changed.account,
        resource: changed.resource,
        before: changed.before,
        after: changed.after,
    };
    let id = events::record_change(connection, at, &event)?;
    if let Change::SetPolicy(settings) = &command.change {
        policy::remember_event(connection, settings.version, id, at, &event)?;
    }
    for mail in &command.mails {
        queue_mail(connection, at, mail)?;
    }
    rows::touch_directory(connection)?;
    let password_epoch = match command.change {
        Change::SetPassword { account, .. } => Some(users::epoch(connection, account)?),
        _ => None,
    };
    Ok(Applied {
        event,
        password_epoch,
    })
}

/// Makes the change itself.
fn perform(
    connection: &Connection,
    numbering: &Numbering,
    command: &Command,
) -> Result<Changed, Fault> {
    let at = command.at;
    match &command.change {
        Change::AddUser(user) => users::add(connection, numbering, command, user),
        Change::SetUser { account, patch } => users::set(connection, at, *account, patch),
        Change::SetPassword {
            account,
            password,
            must_change,
            expected,
            keep_history,
        } => users::set_password(
            connection,
            at,
            &users::NewPassword {
                account: *account,
                password,
                must_change: *must_change,
                expected: *expected,
                keep_history: *keep_history,
            },
        ),
        Change::SetNetworkPassword { account, password } => {
            users::set_network_password(connection, at, *account, password.as_ref())
        }
        Change::Unlock { account } => users::unlock(connection, at, *account),
        Change::Expire { account, by } => users::expire(connection, at, *account, *by),
        Change::Suspend { account } => users::suspend(connection, at, *account),
        Change::Resume { account } => users::resume(connection, at, *account),
        Change::Rename { account, username } => users::rename(connection, at, *account, username),
        Change::RemoveUser { account } => users::remove(connection, at, *account),
        Change::AddSshKeys {
            account,
            keys,
            most,
        } => ssh_keys::add(connection, at, *account, keys, *most),
        Change::RemoveSshKey {
            account,
            fingerprint,
        } => ssh_keys::remove(connection, at, *account, *fingerprint),
        Change::AddGroup {
            group,
            name,
            gid_number,
            description,
        } => groups::add(
            connection,
            at,
            &groups::NewGroup {
                group: *group,
                name,
                gid_number: *gid_number,
                description: description.as_deref(),
                first: numbering.first,
            },
        ),
        Change::RemoveGroup { name } => groups::remove(connection, at, name),
        Change::Join {
            group,
            users,
            groups,
        } => groups::join(connection, at, group, users, groups),
        Change::Leave {
            group,
            users,
            groups,
        } => groups::leave(connection, at, group, users, groups),
        Change::Bind(binding) => bindings::bind(connection, at, binding),
        Change::Unbind(binding) => bindings::unbind(connection, at, binding),
        Change::AddService(service) => services::add(connection, at, service),
        Change::SetServicePassword {
            name,
            password,
            keep_old,
        } => services::set_password(connection, name, password, *keep_old),
        Change::SetServiceCertificate { name, certificate } => {
            services::set_certificate(connection, name, certificate.as_ref())
        }
        Change::RemoveService { name } => services::remove(connection, name),
        Change::AddDevice(device) => devices::add(connection, at, device),
        Change::SetDevice { address, patch } => devices::set(connection, at, *address, patch),
        Change::RemoveDevice { address } => devices::remove(connection, *address),
        Change::AddSudoRule { id, rule } => sudo::add(connection, at, *id, rule),
        Change::SetSudoRule { before, after } => sudo::set(connection, at, before, after),
        Change::RemoveSudoRule { name } => sudo::remove(connection, name),
        Change::SetReply { mapping, most } => reply::set(connection, mapping, *most),
        Change::UnsetReply {
            of,
            resource,
            names,
        } => reply::unset(connection, of, resource.as_ref(), names),
        Change::SetPolicy(settings) => policy::set(connection, settings),
        Change::AddLink {
            account,
            purpose,
            token_digest,
            expires,
        } => links::add(connection, at, *account, *purpose, token_digest, *expires),
    }
}

fn not_found(kind: &'static str, name: &dyn std::fmt::Display) -> Fault {
    ChangeRefused::NotFound {
        kind,
        name: name.to_string(),
    }
    .into()
}

fn taken(kind: &'static str, name: &dyn std::fmt::Display) -> Fault {
    ChangeRefused::Taken {
        kind,
        name: name.to_string(),
    }
    .into()
}

fn nothing(text: impl Into<String>) -> Fault {
    ChangeRefused::Nothing(text.into()).into()
}

/// What differs between two objects, on either side.
fn differences(before: &Value, after: &Value) -> (Value, Value) {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        return (before.clone(), after.clone());
    };
    let only = |of: &Map<String, Value>, other: &Map<String, Value>| -> Value {
        of.iter()
            .filter(|(key, value)| other.get(*key) != Some(*value))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect::<Map<_, _>>()
            .into()
    };
    (only(old, new), only(new, old))
}
