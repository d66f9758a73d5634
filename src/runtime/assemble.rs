//! From the configuration to each part's own settings; the one place that knows both.

use std::io;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use ipnet::IpNet;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

use crate::config;
use crate::config::eap::{EapMethod, EapTls, InnerEapMethod};
use crate::config::ldap::{ClientCertificate, Ldapv2Bind, Listener, ListenerTls, PlaintextBind};
use crate::config::radius::{RadiusOneOne, RadiusTls};
use crate::config::secrets::Secrets;
use crate::config::store::StoreUrl;
use crate::config::{Config, ConfigError, ConfigErrors, Subject};
use doorward_auth_policy as auth_policy;
use doorward_authenticator as authenticator;
use doorward_directory as directory;
use doorward_domain::policy::asking::{ComplaintKind, ListenerFacts, Reach, Resources, check};
use doorward_domain::policy::buckets::Rate;
use doorward_domain::policy::naming::Realms;
use doorward_domain::secret::Secret;
use doorward_eap as eap;
use doorward_hashes::Argon2Parameters;
use doorward_hashes::network_password::SealingKey;
use doorward_hashing::{HashingPool, PoolSettings};
use doorward_ldap as ldap;
use doorward_ldap_protocol as ldap_protocol;
use doorward_ldap_protocol::dn::DistinguishedName;
use doorward_radius as radius;
use doorward_radius::radsec::Versions;
use doorward_radius_protocol as radius_protocol;
use doorward_radius_protocol::client::ClientSettings;
use doorward_store::Store;
use doorward_store::sqlite::{OpenError, OpenOptions};

use super::certificates::{Certificate, ClientTrust, Protection};

/// How many seconds' worth of connections one source may open at once.
const BURST: NonZeroU32 = const { NonZeroU32::new(5).unwrap() };

/// Why a configuration cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    /// Something in it is refused; every fault is named with its place.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The system refuses what it was asked.
    #[error("{what}: {source}")]
    System {
        /// What was asked.
        what: String,
        /// What it said.
        source: io::Error,
    },
}

/// Whether every resource can be chosen, and only by those who should (CONTRACT.md 4).
///
/// # Errors
/// Each complaint cites the place in the file it is about.
pub fn check_resources(config: &Config) -> Result<(), ConfigErrors> {
    check_resources_on(config, config.listeners())
}

/// [`check_resources`] for a configuration that is to be reloaded: listeners stay on the addresses
/// they were bound to, wherever the file moves them, and so a resource is as easy to choose as
/// those are.
///
/// # Errors
/// As [`check_resources`].
pub fn check_reloaded_resources(
    config: &Config,
    bound: &[config::ListenerFacts],
) -> Result<(), ConfigErrors> {
    let mut listeners = config.listeners();
    for listener in &mut listeners {
        if let Some(bound) = bound.iter().find(|bound| bound.name == listener.name) {
            listener.loopback &= bound.loopback;
            listener.unix &= bound.unix;
        }
    }
    check_resources_on(config, listeners)
}

fn check_resources_on(
    config: &Config,
    listeners: Vec<config::ListenerFacts>,
) -> Result<(), ConfigErrors> {
    let listeners: Vec<ListenerFacts> = listeners
        .into_iter()
        .map(|listener| ListenerFacts {
            reach: reach(&listener),
            client_certificates: listener.client_certificates,
            name: listener.name,
        })
        .collect();
    let complaints = check(&resources(config), &listeners, &config.clients());
    let errors: Vec<ConfigError> = complaints
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

fn reach(listener: &config::ListenerFacts) -> Reach {
    let everyone = |network: &IpNet| network.prefix_len() == 0;
    if listener.unix {
        Reach::Unix
    } else if listener.loopback {
        Reach::Loopback
    } else if listener.sources.is_empty() || listener.sources.iter().any(everyone) {
        Reach::Everyone
    } else {
        Reach::Listed
    }
}

/// The resources with the order of the file.
pub fn resources(config: &Config) -> Resources {
    Resources::new(config.resources())
}

/// What network passwords are sealed under, where they are made.
///
/// # Errors
/// The key has another length; the error cites the key of the file.
pub fn sealing_key(
    config: &Config,
    key: Option<&Secret>,
) -> Result<Option<SealingKey>, ConfigErrors> {
    let key = key.map(SealingKey::new).transpose();
    key.map_err(|refused| {
        let subject = Subject::Key("radius.network_password_key_file");
        config.cite(subject, refused.to_string()).into()
    })
}

/// The authenticator's settings.
///
/// # Errors
/// As [`sealing_key`].
pub fn authenticator(
    config: &Config,
    secrets: &Secrets,
) -> Result<authenticator::Settings, ConfigErrors> {
    let throttle = &config.throttle;
    let key = sealing_key(config, secrets.network_password_key())?;
    Ok(authenticator::Settings {
        resources: resources(config),
        realms: Realms::new(&config.directory.realms),
        relays: throttle.relays.clone(),
        network_passwords: key.map(Arc::new),
        refusal_delay: throttle.refusal_delay,
        remember_for: config.hashing.remember_for,
        source_rate: Rate {
            capacity: throttle.source_tokens,
            refill: throttle.source_refill,
        },
        account_rate: Rate {
            capacity: throttle.account_tokens,
            refill: throttle.account_refill,
        },
    })
}

/// The parameters of new hashes.
///
/// # Errors
/// They are out of bounds; the error cites the key.
pub fn parameters(config: &Config) -> Result<Argon2Parameters, ConfigErrors> {
    let hashing = &config.hashing;
    Argon2Parameters::new(hashing.memory_kib, hashing.passes, hashing.lanes).map_err(|error| {
        config
            .cite(Subject::Key("hashing"), error.to_string())
            .into()
    })
}

/// Starts the hashing pool.
///
/// # Errors
/// The parameters are out of bounds, or no thread can be started.
pub fn pool(config: &Config) -> Result<HashingPool, AssemblyError> {
    let cores = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    HashingPool::start(PoolSettings {
        threads: config.hashing.threads.unwrap_or_else(cores),
        queue: config.hashing.queue,
        parameters: parameters(config)?,
    })
    .map_err(|source| AssemblyError::System {
        what: "the hashing threads cannot be started".to_owned(),
        source,
    })
}

/// Opens the store.
///
/// # Errors
/// As [`Store::open`].
pub fn store(config: &Config, create: bool) -> Result<Store, OpenError> {
    let StoreUrl::Sqlite(path) = &config.store.url;
    let mut options = OpenOptions::new(config.posix.primary_group.clone());
    options.first_id = config.posix.first_id;
    options.create = create;
    Store::open(path, &options)
}

/// Where RADIUS listens; none where nothing is configured.
pub fn radius_listen(config: &Config) -> Option<radius::Listen> {
    config.radius.as_ref().map(|section| radius::Listen {
        authentication: section.sockets.authentication.clone(),
        accounting: section.sockets.accounting.clone(),
        max_requests: section.sockets.max_requests,
        duplicate_lifetime: section.sockets.duplicate_lifetime,
        ..radius::Listen::nowhere()
    })
}

/// RADIUS's settings.
///
/// # Errors
/// Two clients claim one network, or a client has no secret; the error cites the client.
pub fn radius(
    config: &Config,
    secrets: &Secrets,
    eap_protection: Option<&Arc<Protection>>,
) -> Result<radius::Settings, ConfigErrors> {
    let entries = config
        .radius
        .as_ref()
        .map_or(&[][..], |radius| &radius.clients);
    let mut clients = Vec::with_capacity(entries.len());
    for entry in entries {
        let subject = Subject::Client(&entry.name);
        let resources = Arc::new(entry.resources());
        let certificates = entry.certificate.clone();
        let client = match &entry.secret {
            Some(_) => {
                let secret = secrets
                    .client(&entry.name)
                    .ok_or_else(|| config.cite(subject, "its secret was not read"))?;
                ClientSettings::new(&entry.address, secret.clone(), resources)
                    .map(|client| client.with_certificates(certificates))
            }
            None => ClientSettings::over_tls(certificates, &entry.address, resources),
        };
        let mut client = client.map_err(|fault| config.cite(subject, fault.to_string()))?;
        // Without a secret nobody could tell who asks.
        let disconnect_secret = secrets.disconnect(&entry.name);
        let can_be_asked = entry.secret.is_some() || disconnect_secret.is_some();
        client.require_message_authenticator = entry.require_message_authenticator;
        client.limit_proxy_state = entry.limit_proxy_state;
        client.disconnect = if entry.disconnect.enabled && can_be_asked {
            radius_protocol::client::Disconnect::At {
                address: entry.disconnect.address,
                port: entry.disconnect.port,
                secret: disconnect_secret.cloned(),
            }
        } else {
            radius_protocol::client::Disconnect::Off
        };
        clients.push(client);
    }
    let clients = radius_protocol::client::Clients::new(clients)
        .map_err(|fault| config.cite(Subject::Key("radius"), fault.to_string()))?;
    let mut settings = radius::Settings::new(clients);
    settings.eap = eap(config, eap_protection);
    settings.challenges = secrets.network_password_key().is_some();
    if let Some(tls) = config.radius_tls() {
        settings.connections = radsec_bounds(tls);
    }
    if let Some(rate) = NonZeroU32::new(config.throttle.client_datagrams) {
        settings.datagrams_per_second = rate;
        settings.burst = rate.saturating_add(rate.get());
    }
    Ok(settings)
}

fn radsec_bounds(tls: &RadiusTls) -> radius::radsec::Bounds {
    radius::radsec::Bounds {
        versions: match tls.radius_1_1 {
            RadiusOneOne::Off => Versions::OneZero,
            RadiusOneOne::Allow => Versions::Both,
            RadiusOneOne::Require => Versions::OneOne,
        },
        connections: tls.max_connections,
        per_client: tls.max_connections_per_client,
        handshake: tls.handshake_timeout,
        idle: tls.idle_timeout,
        write: tls.write_timeout,
    }
}

/// The auth-policy server's settings; none where nothing is configured.
///
/// # Errors
/// Its key was not read; the error cites the section.
pub fn auth_policy(
    config: &Config,
    secrets: &Secrets,
) -> Result<Option<auth_policy::Settings>, ConfigErrors> {
    let Some(section) = &config.auth_policy else {
        return Ok(None);
    };
    let key = secrets
        .auth_policy()
        .ok_or_else(|| config.cite(Subject::Key("auth_policy"), "its key was not read"))?;
    Ok(Some(auth_policy::Settings {
        key: key.clone(),
        sources: section.sources.clone(),
        resource: section.resource.clone(),
    }))
}

/// How EAP conversations are held; nothing where they are not.
pub fn eap(config: &Config, protection: Option<&Arc<Protection>>) -> Option<Arc<eap::Settings>> {
    let (section, protection) = config.eap.as_ref().zip(protection)?;
    let lifetime = section.resumption_lifetime;
    let certificates = section
        .client_ca
        .as_ref()
        .and(section.client_name)
        .map(|named_by| {
            let protection = Arc::clone(protection);
            let required = ldap_protocol::settings::ClientCertificate::Required;
            eap::UserCertificates::new(named_by, move || protection.config(required))
        });
    Some(Arc::new(eap::Settings {
        methods: section
            .methods
            .iter()
            .map(|method| match method {
                EapMethod::Ttls => eap::Method::Ttls,
                EapMethod::Peap => eap::Method::Peap,
                EapMethod::Tls => eap::Method::Tls,
            })
            .collect(),
        inner: section
            .inner
            .iter()
            .map(|method| match method {
                InnerEapMethod::Gtc => eap::InnerMethod::Gtc,
                InnerEapMethod::MsChapV2 => eap::InnerMethod::MsChapV2,
            })
            .collect(),
        tls: protection.without_clients(),
        certificates,
        fragment_size: section.fragment_size,
        resumption: (!lifetime.is_zero()).then(|| Arc::new(eap::Resumption::new(lifetime))),
        bounds: eap::settings::Bounds {
            sessions: section.max_sessions,
            sessions_per_client: section.max_sessions_per_client,
            sessions_per_device: section.max_sessions_per_device,
            lifetime: section.session_lifetime,
        },
    }))
}

/// One LDAP listener's settings.
///
/// # Errors
/// The suffix is no DN; the error cites the key.
pub fn ldap(
    config: &Config,
    listener: &Listener,
) -> Result<ldap_protocol::settings::Settings, ConfigErrors> {
    let directory = &config.directory;
    let base = DistinguishedName::parse(directory.base_dn.as_str()).map_err(|error| {
        ConfigErrors::from(config.cite(Subject::Key("directory.base_dn"), error.to_string()))
    })?;
    let tls = match listener.tls() {
        ListenerTls::Starttls => ldap_protocol::settings::TlsMode::StartTls,
        ListenerTls::Implicit => ldap_protocol::settings::TlsMode::Implicit,
        ListenerTls::None => ldap_protocol::settings::TlsMode::None,
    };
    let views = config
        .resources()
        .into_iter()
        .filter_map(|resource| resource.matched_by)
        .flat_map(|matched_by| matched_by.base);
    let tree =
        ldap_protocol::tree::Tree::new(base, directory.organization.clone()).with_views(views);
    let mut settings = ldap_protocol::settings::Settings::new(listener.name.clone(), tls, tree);
    settings.plaintext_bind = match listener.plaintext_bind {
        PlaintextBind::Refuse => ldap_protocol::settings::PlaintextBind::Refuse,
        PlaintextBind::Loopback => ldap_protocol::settings::PlaintextBind::Loopback,
        PlaintextBind::Allow => ldap_protocol::settings::PlaintextBind::Allow,
    };
    settings.version_two = match listener.ldapv2_bind {
        Ldapv2Bind::Refuse => ldap_protocol::settings::VersionTwo::Refuse,
        Ldapv2Bind::Allow => ldap_protocol::settings::VersionTwo::Allow,
    };
    settings.client_certificate = match listener.client_certificate {
        ClientCertificate::Off => ldap_protocol::settings::ClientCertificate::Off,
        ClientCertificate::Optional => ldap_protocol::settings::ClientCertificate::Optional,
        ClientCertificate::Required => ldap_protocol::settings::ClientCertificate::Required,
    };
    settings.sources.clone_from(&listener.sources);
    settings.proxies.clone_from(&listener.proxy_protocol);
    let limits = &config.ldap.limits;
    settings.timeouts.handshake = limits.handshake_timeout;
    settings.timeouts.bound_idle = limits.idle_timeout;
    settings.timeouts.anonymous_idle = limits.anonymous_idle_timeout;
    settings.timeouts.write = limits.write_timeout;
    settings.limits.bound_message_bytes = limits.max_message_bytes;
    settings.limits.anonymous_message_bytes = limits.max_anonymous_message_bytes;
    settings.search.at_once = limits.max_operations;
    settings.search.size = limits.size_limit;
    settings.search.time = limits.time_limit;
    Ok(settings)
}

/// The bounds on LDAP connections.
pub fn ldap_caps(config: &Config) -> ldap::Caps {
    let mut caps = ldap::Caps {
        connections: config.ldap.limits.max_connections,
        per_source: config.ldap.limits.max_connections_per_source,
        relays: config.throttle.relays.clone(),
        ..ldap::Caps::default()
    };
    if let Some(rate) = NonZeroU32::new(config.throttle.source_connections) {
        caps.rate = rate;
        caps.burst = rate.saturating_mul(BURST);
    }
    caps
}

/// The directory's settings.
pub fn directory(config: &Config) -> directory::Settings {
    let clients = config
        .radius
        .as_ref()
        .map_or(&[][..], |radius| &radius.clients);
    directory::Settings {
        resources: resources(config),
        realms: Realms::new(&config.directory.realms),
        posix: directory::PosixSettings {
            home: config.posix.home.as_str().to_owned(),
            shell: config.posix.shell.as_str().to_owned(),
        },
        timezone: config.directory.timezone.clone(),
        public_url: config
            .web
            .as_ref()
            .map(|web| web.public_url.as_str().to_owned()),
        doors: directory::Doors {
            listeners: config
                .ldap
                .listeners
                .iter()
                .map(|listener| directory::ListenerDoor {
                    name: listener.name.clone(),
                    sources: listener.sources.clone(),
                    unix: listener.is_unix(),
                    client_certificates: listener.client_certificate != ClientCertificate::Off,
                })
                .collect(),
            clients: clients
                .iter()
                .map(|client| directory::ClientDoor {
                    resources: client.resources(),
                    addresses: client.address.clone(),
                })
                .collect(),
            relays: config.throttle.relays.clone(),
        },
    }
}

/// TLS for listeners: the certificate of `[tls]`, and the CAs for clients' certificates.
///
/// # Errors
/// The certificate cannot be read or does not fit its key; the CAs cannot be read.
pub fn protection(config: &Config) -> Result<Option<Arc<Protection>>, ConfigErrors> {
    let Some(tls) = &config.tls else {
        return Ok(None);
    };
    let key = "tls.certificate";
    let certificate = open_certificate(config, key, &tls.certificate, &tls.private_key)?;
    let trust = tls.client_ca.clone().map(|ca| ClientTrust {
        ca,
        crl: tls.client_crl.clone(),
    });
    Protection::new(certificate, trust)
        .map(|protection| Some(Arc::new(protection)))
        .map_err(|error| {
            config
                .cite(Subject::Key("tls.client_ca"), error.to_string())
                .into()
        })
}

/// TLS of RADIUS connections, where there are any.
///
/// # Errors
/// The certificate cannot be read or does not fit its key; the CAs cannot be read.
pub fn radius_protection(config: &Config) -> Result<Option<Arc<Protection>>, ConfigErrors> {
    let Some(tls) = config.radius_tls() else {
        return Ok(None);
    };
    let key = "radius.tls.certificate";
    let certificate = open_certificate(config, key, &tls.certificate, &tls.private_key)?;
    let trust = ClientTrust {
        ca: tls.client_ca.clone(),
        crl: tls.client_crl.clone(),
    };
    Protection::new(certificate, Some(trust))
        .map(|protection| Some(Arc::new(protection)))
        .map_err(|error| {
            config
                .cite(Subject::Key("radius.tls.client_ca"), error.to_string())
                .into()
        })
}

/// TLS for EAP, where it is spoken: the certificate of `[eap]`, and the CAs for users'.
///
/// # Errors
/// The certificate cannot be read or does not fit its key; the CAs cannot be read.
pub fn eap_protection(config: &Config) -> Result<Option<Arc<Protection>>, ConfigErrors> {
    let Some(eap) = &config.eap else {
        return Ok(None);
    };
    let key = "eap.certificate";
    let certificate = open_certificate(config, key, &eap.certificate, &eap.private_key)?;
    let trust = eap.client_ca.clone().map(|ca| ClientTrust {
        ca,
        crl: eap.client_crl.clone(),
    });
    let versions: &[&'static SupportedProtocolVersion] = match (eap.min_tls, eap.max_tls) {
        (EapTls::V12, EapTls::V13) => &[&TLS13, &TLS12],
        (EapTls::V12, EapTls::V12) => &[&TLS12],
        (EapTls::V13, _) => &[&TLS13],
    };
    Protection::for_users(certificate, trust, versions)
        .map(|protection| Some(Arc::new(protection)))
        .map_err(|error| {
            config
                .cite(Subject::Key("eap.client_ca"), error.to_string())
                .into()
        })
}

fn open_certificate(
    config: &Config,
    key: &str,
    certificate: &Path,
    private_key: &Path,
) -> Result<Arc<Certificate>, ConfigErrors> {
    Certificate::open(certificate, private_key)
        .map(Arc::new)
        .map_err(|error| config.cite(Subject::Key(key), error.to_string()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail_on(address: &str) -> Config {
        let text = format!(
            r#"
            [directory]
            base_dn = "dc=example,dc=org"
            [[ldap.listener]]
            name = "mail"
            address = ["{address}"]
            [[resource]]
            name = "mail"
            kind = "email"
            match = {{ listener = ["mail"] }}
            "#
        );
        Config::parse(Path::new("doorward.toml"), &text).unwrap()
    }

    #[test]
    fn contract_4_a_reload_is_judged_by_the_addresses_that_are_bound() {
        let open = mail_on("0.0.0.0:390");
        let closed = mail_on("127.0.0.1:390");
        assert!(check_resources(&closed).is_ok());
        assert!(check_resources(&open).is_err());
        assert!(check_reloaded_resources(&closed, &closed.listeners()).is_ok());
        assert!(check_reloaded_resources(&closed, &open.listeners()).is_err());
        assert!(check_reloaded_resources(&open, &closed.listeners()).is_err());
    }
}
