//! The configuration file: wiring only, lockout and password rules are policy and live in the
//! store.
//!
//! One file a subject. Reading goes in three steps, each of which reports every fault it finds
//! before the next one starts: syntax, the shape of sections (`reader`), how they fit together
//! (`check`). Every fault cites file, line and column. Secrets and keys in files of their own
//! are looked at by [`secrets`], which alone reads anything but the file itself. Whether a lenient
//! resource is easy to choose from outside, or one shadows another, is for policy to say; with
//! [`Config::cite`] its words get their place too.

pub mod audit;
pub mod auth_policy;
mod check;
mod citation;
pub mod directory;
pub mod eap;
pub mod hashing;
pub mod ldap;
pub mod log;
pub mod mail;
pub mod metrics;
pub mod posix;
pub mod radius;
mod reader;
mod resource;
pub mod runtime;
pub mod secrets;
pub mod store;
pub mod throttle;
pub mod tls;
mod value;
pub mod web;

use std::fs;
use std::path::Path;

use doorward_domain::name::{ClientName, ListenerName, ResourceName};
use doorward_domain::resource::{ClientResources, Resource};

use citation::{Citation, Source};
pub use citation::{ConfigError, ConfigErrors, ConfigWarning};
use reader::Reader;

/// Where the configuration lies unless something else is said.
pub const DEFAULT_PATH: &str = "/etc/doorward/doorward.toml";

/// A configuration that fits together.
///
/// A section that serves something and is absent serves nothing; every other absent section has
/// its defaults.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[directory]`
    pub directory: directory::Directory,
    /// `[posix]`
    pub posix: posix::Posix,
    /// `[store]`
    pub store: store::Store,
    /// `[tls]`
    pub tls: Option<tls::Tls>,
    /// `[ldap]` and `[[ldap.listener]]`
    pub ldap: ldap::Ldap,
    /// `[radius]` and `[[radius.client]]`
    pub radius: Option<radius::Radius>,
    /// `[auth_policy]`
    pub auth_policy: Option<auth_policy::AuthPolicy>,
    /// `[eap]`
    pub eap: Option<eap::Eap>,
    /// `[web]`
    pub web: Option<web::Web>,
    /// `[mail]`
    pub mail: Option<mail::Mail>,
    /// `[throttle]`
    pub throttle: throttle::Throttle,
    /// `[hashing]`
    pub hashing: hashing::Hashing,
    /// `[metrics]`
    pub metrics: Option<metrics::Metrics>,
    /// `[audit]`
    pub audit: audit::Audit,
    /// `[log]`
    pub log: log::Log,
    /// `[runtime]`
    pub runtime: runtime::Runtime,
    resources: Vec<Resource>,
    warnings: Vec<ConfigWarning>,
    source: Source,
}

/// A thing of the configuration that something outside it has a complaint about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A `[[resource]]`, by its name.
    Resource(&'a ResourceName),
    /// The `match` of a `[[resource]]`, or its name where it has none.
    Match(&'a ResourceName),
    /// A `[[ldap.listener]]`, by its name.
    Listener(&'a ListenerName),
    /// A `[[radius.client]]`, by its name.
    Client(&'a ClientName),
    /// Any key by its path, such as `directory.base_dn` or `tls.certificate`.
    Key(&'a str),
}

/// What the rules on choosing a resource need to know of a listener (CONTRACT.md 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerFacts {
    /// Its name.
    pub name: ListenerName,
    /// Whether it is on loopback, and no proxy brings it others.
    pub loopback: bool,
    /// Whether it is on Unix sockets.
    pub unix: bool,
    /// Whether it asks for client certificates.
    pub client_certificates: bool,
    /// The sources it admits; everyone where empty.
    pub sources: Vec<ipnet::IpNet>,
}

impl Config {
    /// Reads the file that was asked for, else the default one where it exists, else takes
    /// [`Config::default_loopback`].
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn locate(asked: Option<&Path>) -> Result<Self, ConfigErrors> {
        match asked {
            Some(path) => Self::load(path),
            None if Path::new(DEFAULT_PATH).exists() => Self::load(Path::new(DEFAULT_PATH)),
            None => Ok(Self::default_loopback()),
        }
    }

    /// Reads a file. Relative paths in it start from its folder.
    ///
    /// # Errors
    /// The file cannot be read, or something in it is wrong; every fault that one reading can find
    /// is named, with its place.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        let bytes = fs::read(path).map_err(|fault| {
            let message = format!("the configuration cannot be read: {fault}");
            ConfigError(Source::new(path, "").cite_file(message))
        })?;
        let text = String::from_utf8(bytes).map_err(|fault| {
            let valid = fault.utf8_error().valid_up_to();
            let shown = String::from_utf8_lossy(fault.as_bytes());
            ConfigError(Source::new(path, &shown).cite(valid..valid, "this is not UTF-8"))
        })?;
        Self::parse(path, &text)
    }

    /// Reads a text as if it stood in the file `path`, which need not exist.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(Source::new(path, text), text);
        // Broken syntax loses sections; what is then missing is no fault of its own.
        reader.syntax()?;
        let directory = reader.section("directory");
        let posix = reader.section("posix");
        let store = reader.section("store");
        let tls: Option<tls::Tls> = reader.section("tls");
        let listeners: Vec<ldap::Listener> = reader.entries_of("ldap", "listener");
        let ldap_limits = reader.section("ldap");
        let clients: Vec<radius::RadiusClient> = reader.entries_of("radius", "client");
        let radius_sockets = reader.section("radius");
        let auth_policy = reader.section("auth_policy");
        let eap = reader.section("eap");
        let web = reader.section("web");
        let mail = reader.section("mail");
        let throttle = reader.section("throttle");
        let hashing = reader.section("hashing");
        let metrics = reader.section("metrics");
        let audit = reader.section("audit");
        let log = reader.section("log");
        let runtime = reader.section("runtime");
        let resources: Vec<resource::ResourceEntry> = reader.entries("resource");
        let (source, mut errors) = reader.finish();
        let Some(directory) = directory else {
            if !source.knows("directory") {
                let message = "there is no [directory]: it names the suffix, as base_dn";
                errors.push(ConfigError(source.cite_file(message)));
            }
            ConfigErrors::from_list(errors)?;
            return Err(ConfigError(source.cite_file("[directory] was refused")).into());
        };
        ConfigErrors::from_list(errors)?;

        let has_certificate = tls.is_some();
        let mut config = Self {
            directory,
            posix: posix.unwrap_or_default(),
            store: store.unwrap_or_default(),
            tls,
            ldap: ldap::Ldap {
                listeners: listeners
                    .into_iter()
                    .map(|listener| ldap::Listener {
                        has_certificate,
                        ..listener
                    })
                    .collect(),
                limits: ldap_limits.unwrap_or_default(),
            },
            radius: radius_sockets.map(|sockets| radius::Radius { sockets, clients }),
            auth_policy,
            eap,
            web,
            mail,
            throttle: throttle.unwrap_or_default(),
            hashing: hashing.unwrap_or_default(),
            metrics,
            audit: audit.unwrap_or_default(),
            log: log.unwrap_or_default(),
            runtime: runtime.unwrap_or_default(),
            resources: resources.into_iter().map(Resource::from).collect(),
            warnings: Vec::new(),
            source,
        };
        let (errors, warnings) = check::check(&config);
        ConfigErrors::from_list(errors)?;
        config.warnings = warnings;
        config.resolve(path.parent().unwrap_or(Path::new("")));
        Ok(config)
    }

    /// What runs without a file: LDAP on 127.0.0.1 port 3389 for the resource `hosts`, and
    /// metrics, both on loopback.
    ///
    /// # Panics
    /// Never: the text is part of the program, and a test reads it.
    #[expect(
        clippy::expect_used,
        reason = "the text is part of the program, and a test reads it"
    )]
    pub fn default_loopback() -> Self {
        Self::parse(
            Path::new("the built-in configuration"),
            include_str!("loopback.toml"),
        )
        .expect("the built-in configuration is sound")
    }

    /// What works and is unwise, in the order it was found.
    pub fn warnings(&self) -> &[ConfigWarning] {
        &self.warnings
    }

    /// The file this was read from.
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// The resources, in the order of the file.
    pub fn resources(&self) -> Vec<Resource> {
        self.resources.clone()
    }

    /// What each RADIUS client's entry says of resources, in the order of the file.
    pub fn clients(&self) -> Vec<ClientResources> {
        self.radius_clients()
            .iter()
            .map(radius::RadiusClient::resources)
            .collect()
    }

    /// What the rules on choosing a resource need to know of each listener.
    pub fn listeners(&self) -> Vec<ListenerFacts> {
        self.ldap
            .listeners
            .iter()
            .map(|listener| ListenerFacts {
                name: listener.name.clone(),
                loopback: listener.is_loopback() && listener.proxy_protocol.is_empty(),
                unix: listener.is_unix(),
                client_certificates: listener.client_certificate != ldap::ClientCertificate::Off,
                sources: listener.sources.clone(),
            })
            .collect()
    }

    /// Gives a complaint about `subject` its place in the file.
    pub fn cite(&self, subject: Subject<'_>, message: impl Into<String>) -> ConfigError {
        ConfigError(self.citation(subject, message.into()))
    }

    /// Gives a warning about `subject` its place in the file.
    pub fn cite_warning(&self, subject: Subject<'_>, message: impl Into<String>) -> ConfigWarning {
        ConfigWarning(self.citation(subject, message.into()))
    }

    fn citation(&self, subject: Subject<'_>, message: String) -> Citation {
        let resource = |name: &ResourceName| {
            let index = self
                .resources
                .iter()
                .position(|one| one.name.folded() == name.folded());
            index.map(|index| format!("resource[{index}]"))
        };
        let key = match subject {
            Subject::Resource(name) => resource(name).map(|entry| format!("{entry}.name")),
            Subject::Match(name) => resource(name).map(|entry| {
                let matched = format!("{entry}.match");
                if self.source.knows(&matched) {
                    matched
                } else {
                    format!("{entry}.name")
                }
            }),
            Subject::Listener(name) => {
                let listeners = &self.ldap.listeners;
                let index = listeners.iter().position(|one| one.name == *name);
                index.map(|index| format!("ldap.listener[{index}].name"))
            }
            Subject::Client(name) => {
                let clients = self.radius_clients();
                let index = clients.iter().position(|one| one.name == *name);
                index.map(|index| format!("radius.client[{index}].name"))
            }
            Subject::Key(key) => Some(key.to_owned()),
        };
        match key {
            Some(key) => self.source.cite_value(&key, message),
            None => self.source.cite_file(message),
        }
    }

    /// TLS of RADIUS connections, where there are any.
    pub fn radius_tls(&self) -> Option<&radius::RadiusTls> {
        let sockets = &self.radius.as_ref()?.sockets;
        sockets.tls.as_ref().filter(|_| !sockets.radsec.is_empty())
    }

    fn radius_clients(&self) -> &[radius::RadiusClient] {
        self.radius
            .as_ref()
            .map_or(&[], |radius| radius.clients.as_slice())
    }

    /// Lets relative paths start from the file's folder.
    fn resolve(&mut self, folder: &Path) {
        self.store.resolve(folder);
        self.runtime.resolve(folder);
        if let Some(tls) = &mut self.tls {
            tls.resolve(folder);
        }
        if let Some(eap) = &mut self.eap {
            eap.resolve(folder);
        }
        if let Some(mail) = &mut self.mail {
            mail.resolve(folder);
        }
        if let Some(auth_policy) = &mut self.auth_policy {
            auth_policy.resolve(folder);
        }
        if let Some(radius) = &mut self.radius {
            radius.sockets.resolve(folder);
            for client in &mut radius.clients {
                client.resolve(folder);
            }
        }
    }
}

#[cfg(test)]
mod tests;
