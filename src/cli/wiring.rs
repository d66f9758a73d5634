//! From the configuration to what a command needs of it: the store, a small hashing pool, the
//! directory's settings.

use std::num::NonZeroUsize;

use crate::config::store::StoreUrl;
use crate::config::{Config, ConfigErrors, Subject};
use crate::directory::{ClientDoor, Doors, ListenerDoor, PosixSettings, Settings};
use crate::hashing::{Argon2Parameters, HashingPool, PoolSettings};
use crate::policy::asking::{ComplaintKind, ListenerFacts, Resources, check};
use crate::policy::naming::Realms;
use crate::store::sqlite::{OpenError, OpenOptions, SqliteStore};

/// The directory's settings.
pub(crate) fn directory_settings(config: &Config) -> Settings {
    let clients = config.radius.iter().flat_map(|radius| &radius.clients);
    Settings {
        resources: Resources::new(config.resources()),
        realms: Realms::new(&config.directory.realms),
        posix: PosixSettings {
            home: config.posix.home.as_str().to_owned(),
            shell: config.posix.shell.as_str().to_owned(),
        },
        timezone: config.directory.timezone.clone(),
        public_url: config
            .web
            .as_ref()
            .map(|web| web.public_url.as_str().trim_end_matches('/').to_owned()),
        doors: Doors {
            listeners: config
                .ldap
                .listeners
                .iter()
                .map(|listener| ListenerDoor {
                    name: listener.name.clone(),
                    sources: listener.sources.clone(),
                })
                .collect(),
            clients: clients
                .map(|client| ClientDoor {
                    resources: client.resources(),
                    addresses: client.address.clone(),
                })
                .collect(),
            relays: config.throttle.relays.clone(),
        },
    }
}

/// Opens the store.
pub(super) fn store(config: &Config, create: bool) -> Result<SqliteStore, OpenError> {
    let StoreUrl::Sqlite(path) = &config.store.url;
    let mut options = OpenOptions::new(config.posix.primary_group.clone());
    options.first_id = config.posix.first_id;
    options.create = create;
    options.readers = 1;
    SqliteStore::open(path, &options)
}

/// A pool of one thread: a command hashes one password after another.
pub(super) fn pool(config: &Config) -> anyhow::Result<HashingPool> {
    let hashing = &config.hashing;
    let parameters = Argon2Parameters::new(hashing.memory_kib, hashing.passes, hashing.lanes)
        .map_err(|refused| {
            ConfigErrors::from(config.cite(Subject::Key("hashing.memory_kib"), refused.to_string()))
        })?;
    Ok(HashingPool::start(PoolSettings {
        threads: NonZeroUsize::MIN,
        queue: NonZeroUsize::MIN.saturating_add(31),
        parameters,
    })?)
}

/// Whether every resource can be chosen, and only by those who should (CONTRACT.md 4).
pub(super) fn check_resources(config: &Config) -> Result<(), ConfigErrors> {
    let listeners: Vec<ListenerFacts> = config
        .listeners()
        .into_iter()
        .map(|listener| ListenerFacts {
            name: listener.name,
            loopback_only: listener.loopback,
            unix: false,
            has_sources: !listener.sources.is_empty()
                && listener
                    .sources
                    .iter()
                    .all(|network| network.prefix_len() > 0),
        })
        .collect();
    let complaints = check(
        &Resources::new(config.resources()),
        &listeners,
        &config.clients(),
    );
    let errors = complaints
        .iter()
        .map(|complaint| {
            let subject = match &complaint.kind {
                ComplaintKind::DuplicateName => Subject::Resource(&complaint.resource),
                _ => Subject::Match(&complaint.resource),
            };
            config.cite(subject, complaint.to_string())
        })
        .collect();
    ConfigErrors::from_list(errors)
}
