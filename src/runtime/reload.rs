//! What a running daemon puts in the place of what it was started with: a configuration that was
//! read again, and files of certificates that changed.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use metrics::counter;

use crate::config::audit::Audit;
use crate::config::secrets;
use crate::config::{Config, ConfigErrors, ListenerFacts};
use doorward_auth_policy as auth_policy;
use doorward_authenticator::Authenticator;
use doorward_directory::Directory;
use doorward_domain::name::ListenerName;
use doorward_hashing::HashingPool;
use doorward_ldap as ldap;
use doorward_ldap::Gate;
use doorward_radius as radius;

use super::certificates::{CertificateError, Protection, Reload};
use super::daemon::DaemonError;
use super::{assemble, descriptors, dictionaries};

/// How TLS is spoken in each place, as the configuration in force has it; nothing where it is not.
#[derive(Clone)]
pub(super) struct Protections {
    /// Of LDAP's listeners.
    pub(super) listeners: Arc<ArcSwapOption<Protection>>,
    /// Of RADIUS connections.
    pub(super) radius: Arc<ArcSwapOption<Protection>>,
    /// Inside EAP.
    pub(super) eap: Arc<ArcSwapOption<Protection>>,
}

impl Protections {
    /// Those of a configuration, read from its files.
    pub(super) fn of(config: &Config) -> Result<Self, DaemonError> {
        let held = |protection| Arc::new(ArcSwapOption::new(protection));
        Ok(Self {
            listeners: held(assemble::protection(config)?),
            radius: held(assemble::radius_protection(config)?),
            eap: held(assemble::eap_protection(config)?),
        })
    }

    fn each(&self) -> [&Arc<ArcSwapOption<Protection>>; 3] {
        [&self.listeners, &self.radius, &self.eap]
    }

    /// Those of a new configuration. Where the files are the same ones, what is in use stays, so
    /// that connections which were verified by it need not end.
    fn or_held(self, held: &Self) -> Self {
        for (own, held) in self.each().into_iter().zip(held.each()) {
            let held = held.load_full();
            let same = match (own.load().as_ref(), &held) {
                (Some(own), Some(held)) => own.is_of_the_files_of(held),
                _ => false,
            };
            if same {
                own.store(held);
            }
        }
        self
    }

    /// Looks at the files of each, and takes what is new in them.
    pub(super) fn look(&self) {
        for held in self.each() {
            if let Some(protection) = held.load().as_deref() {
                reload_protection(protection);
            }
        }
    }

    /// Puts others in their place, and looks at their files.
    fn replace(&self, next: &Self) {
        for (own, next) in self.each().into_iter().zip(next.each()) {
            own.store(next.load_full());
        }
        self.look();
    }
}

fn reload_protection(protection: &Protection) {
    reloaded("certificate", protection.certificate().reload_if_changed());
    reloaded(
        "CA or revocation list for clients' certificates",
        protection.reload_trust_if_changed(),
    );
}

fn reloaded(what: &str, outcome: Result<Reload, CertificateError>) {
    match outcome {
        Ok(Reload::Replaced) => tracing::info!("a new {what} is in use"),
        Ok(Reload::Unchanged) => {}
        Err(error) => tracing::error!(%error, "the {what} was not reloaded; the old one stays"),
    }
}

/// What a reload replaces.
pub(super) struct Reloader {
    /// The listeners as they were bound.
    pub(super) bound: Vec<ListenerFacts>,
    pub(super) audit: Arc<ArcSwap<Audit>>,
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) directory: Arc<Directory>,
    pub(super) pool: Arc<HashingPool>,
    pub(super) protections: Protections,
    pub(super) ldap: Vec<(ListenerName, Arc<ldap::Server>)>,
    pub(super) gate: Arc<Gate>,
    pub(super) radius: Option<radius::Handle>,
    pub(super) auth_policy: Option<Arc<auth_policy::server::Server>>,
}

impl Reloader {
    /// Puts a new configuration in force, all of it or nothing. Listeners stay as they are.
    pub(super) async fn reload(&mut self, read_again: &impl Fn() -> Result<Config, ConfigErrors>) {
        let outcome = match read_again() {
            Ok(config) => self.put_in_force(&config).await,
            Err(errors) => Err(errors.into()),
        };
        match outcome {
            Ok(()) => {
                counter!("doorward_reloads_total", "outcome" => "done").increment(1);
                tracing::info!("the configuration was reloaded");
            }
            Err(error) => {
                counter!("doorward_reloads_total", "outcome" => "refused").increment(1);
                tracing::error!("the new configuration is refused and the old one stays:");
                // It points at places in the file, on lines below.
                for line in error.to_string().lines() {
                    tracing::error!("{line}");
                }
            }
        }
    }

    async fn put_in_force(&self, config: &Config) -> Result<(), DaemonError> {
        assemble::check_reloaded_resources(config, &self.bound)?;
        check_reply(config, &self.directory).await?;
        let secrets = secrets::read(config)?;
        let parameters = assemble::parameters(config)?;
        let protections = Protections::of(config)?.or_held(&self.protections);
        let radius = assemble::radius(config, &secrets, protections.eap.load().as_ref())?;
        let auth_policy = assemble::auth_policy(config, &secrets)?;
        let mut ldap = Vec::new();
        for listener in &config.ldap.listeners {
            ldap.push((&listener.name, assemble::ldap(config, listener)?));
        }
        let authenticator = assemble::authenticator(config, &secrets)?;
        // From here on nothing can be refused.
        self.authenticator.set_settings(authenticator);
        self.directory.set_settings(assemble::directory(config));
        self.pool.set_parameters(parameters);
        self.audit.store(Arc::new(config.audit.clone()));
        descriptors::make_room(config);
        self.gate.set_caps(assemble::ldap_caps(config));
        for (name, settings) in ldap {
            if let Some((_, server)) = self.ldap.iter().find(|(listener, _)| listener == name) {
                server.set_settings(settings);
            }
        }
        if let Some(handle) = &self.radius {
            handle.replace(radius);
        }
        if let (Some(server), Some(settings)) = (&self.auth_policy, auth_policy) {
            server.set_settings(settings);
        }
        self.protections.replace(&protections);
        Ok(())
    }
}

/// Whether the dictionaries can be read, and every reply attribute that is mapped be kept.
pub(super) async fn check_reply(config: &Config, directory: &Directory) -> Result<(), DaemonError> {
    let checked = dictionaries::check(config, directory).await;
    checked.map_err(|error| DaemonError::System(error.to_string()))??;
    Ok(())
}
