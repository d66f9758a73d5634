//! How sections fit together: names used are defined, nothing is there twice, numbers are in
//! their bounds; and what works but is unwise.
//!
//! Reads no file but the one that was parsed.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::Config;
use super::auth_policy::AuthPolicy;
use super::citation::{ConfigError, ConfigWarning};
use super::eap::{Eap, EapMethod, InnerEapMethod};
use super::ldap::{ClientCertificate, ListenAddress, Listener, ListenerTls, PlaintextBind};
use super::radius::{Radius, RadiusClient, SecretSource};
use super::reader::nearest;
use doorward_domain::name::ResourceName;
use doorward_domain::time::format_span;
use doorward_domain::user_certificate::NamedBy;

/// A shorter shared secret can be found from one captured packet in an afternoon.
pub(super) const SHORT_SECRET: usize = 12;

/// Memory times passes of the weakest parameters that are still advised (OWASP Password Storage
/// The least the audit log may take, in bytes.
const SMALLEST_LOG: u64 = 64 << 20;
/// Cheat Sheet: 7 MiB and 5 passes), in KiB.
const ADVISED_WORK: u64 = 7168 * 5;

const MEBIBYTE: usize = 1024 * 1024;
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

/// Looks at everything and returns what is wrong and what is unwise.
pub(super) fn check(config: &Config) -> (Vec<ConfigError>, Vec<ConfigWarning>) {
    let mut checker = Checker {
        config,
        errors: Vec::new(),
        warnings: Vec::new(),
    };
    checker.directory();
    checker.listeners();
    if let Some(radius) = &config.radius {
        checker.radius(radius);
    }
    if let Some(auth_policy) = &config.auth_policy {
        checker.auth_policy(auth_policy);
    }
    if let Some(eap) = &config.eap {
        checker.eap(eap);
    }
    checker.sockets();
    checker.resources();
    checker.limits();
    checker.hashing();
    checker.later();
    (checker.errors, checker.warnings)
}

struct Checker<'c> {
    config: &'c Config,
    errors: Vec<ConfigError>,
    warnings: Vec<ConfigWarning>,
}

impl Checker<'_> {
    fn error(&mut self, key: &str, message: impl Into<String>) {
        let citation = self.config.source.cite_value(key, message);
        self.errors.push(ConfigError(citation));
    }

    fn warning(&mut self, key: &str, message: impl Into<String>) {
        let citation = self.config.source.cite_value(key, message);
        self.warnings.push(ConfigWarning(citation));
    }

    /// The path of one element of a list that may have been written as one text.
    fn element(&self, list: &str, index: usize) -> String {
        let path = format!("{list}[{index}]");
        if self.config.source.knows(&path) {
            path
        } else {
            list.to_owned()
        }
    }

    fn directory(&mut self) {
        for (index, realm) in self.config.directory.realms.iter().enumerate() {
            if realm.is_empty() || realm.contains(['@', '\\', ' ']) {
                let key = self.element("directory.realms", index);
                self.error(
                    &key,
                    "a realm is what stands after the @ or before the \\, without either",
                );
            }
        }
        let posix = &self.config.posix;
        self.bounded("posix.first_id", posix.first_id, 1000, 2_000_000_000);
    }

    /// Names must differ in more than case.
    fn unique<'n>(&mut self, list: &str, names: impl Iterator<Item = (&'n str, String)>) {
        let mut seen = HashMap::new();
        for (index, (name, folded)) in names.enumerate() {
            if seen.insert(folded, index).is_some() {
                let key = format!("{list}[{index}].name");
                self.error(&key, format!("there is another [[{list}]] '{name}' above"));
            }
        }
    }

    fn listeners(&mut self) {
        let config = self.config;
        let listeners = &config.ldap.listeners;
        self.unique(
            "ldap.listener",
            listeners.iter().map(|l| (l.name.as_str(), l.name.folded())),
        );
        for (index, listener) in listeners.iter().enumerate() {
            self.listener(&format!("ldap.listener[{index}]"), listener);
        }
        if listeners.is_empty() && config.radius.is_none() {
            self.warnings.push(ConfigWarning(config.source.cite_file(
                "there is no [[ldap.listener]] and no [radius]: nobody can log in",
            )));
        }
    }

    fn listener(&mut self, path: &str, listener: &Listener) {
        if listener.tls() != ListenerTls::None && self.config.tls.is_none() {
            let message = "this needs a certificate: add [tls] with certificate and private_key";
            self.error(&format!("{path}.tls"), message);
        }
        self.listener_certificates(path, listener);
        if listener.is_unix() {
            self.unix_listener(path, listener);
            return;
        }
        let mode = format!("{path}.socket_mode");
        if self.config.source.knows(&mode) {
            self.error(&mode, "this listener has no Unix socket");
        }
        for (place, network) in listener.proxy_protocol.iter().enumerate() {
            if network.prefix_len() == 0 {
                let key = self.element(&format!("{path}.proxy_protocol"), place);
                self.error(
                    &key,
                    "anybody could claim to be anybody: name the proxies alone",
                );
            }
        }
        let plaintext = format!("{path}.plaintext_bind");
        let cited = if self.config.source.knows(&plaintext) {
            plaintext
        } else {
            format!("{path}.name")
        };
        let name = &listener.name;
        match (listener.plaintext_bind, listener.tls()) {
            (PlaintextBind::Refuse, ListenerTls::None) => self.warning(
                &cited,
                format!("nobody can bind at '{name}': it has no TLS and refuses binds without"),
            ),
            (PlaintextBind::Loopback, ListenerTls::None) if !listener.is_loopback() => self
                .warning(
                    &cited,
                    format!("from other machines nobody can bind at '{name}': it has no TLS"),
                ),
            (PlaintextBind::Allow, ListenerTls::None | ListenerTls::Starttls)
                if !listener.is_loopback() =>
            {
                self.warning(
                    &cited,
                    format!("passwords may cross the network in the clear to '{name}'"),
                );
            }
            _ => {}
        }
    }

    fn listener_certificates(&mut self, path: &str, listener: &Listener) {
        if listener.client_certificate == ClientCertificate::Off {
            return;
        }
        let key = format!("{path}.client_certificate");
        if listener.tls() == ListenerTls::None {
            self.error(&key, "this listener has no TLS to show a certificate in");
        }
        let has_ca = self
            .config
            .tls
            .as_ref()
            .is_some_and(|tls| tls.client_ca.is_some());
        if !has_ca {
            self.error(
                &key,
                "this needs client_ca in [tls]: the CA whose certificates count",
            );
        }
        if listener.client_certificate == ClientCertificate::Required
            && listener.tls() == ListenerTls::Starttls
            && listener.plaintext_bind != PlaintextBind::Refuse
        {
            let message =
                "who may bind in the clear needs no certificate: leave plaintext_bind out";
            self.warning(&key, message);
        }
    }

    /// What a listener on Unix sockets cannot have.
    fn unix_listener(&mut self, path: &str, listener: &Listener) {
        let network = |address: &ListenAddress| matches!(address, ListenAddress::Network(_));
        if listener.address.iter().any(network) {
            let message = "a listener is on Unix sockets or on the network: give the socket a \
                           listener of its own";
            self.error(&format!("{path}.address"), message);
        }
        if listener.tls() != ListenerTls::None {
            let message = "a Unix socket has no TLS: nothing on it leaves the machine";
            self.error(&format!("{path}.tls"), message);
        }
        for (key, message) in [
            (
                "plaintext_bind",
                "passwords may always come over a Unix socket: leave it out",
            ),
            (
                "sources",
                "who connects to a Unix socket has no address: socket_mode says who may",
            ),
            ("proxy_protocol", "no proxy speaks on a Unix socket"),
        ] {
            let key = format!("{path}.{key}");
            if self.config.source.knows(&key) {
                self.error(&key, message);
            }
        }
    }

    fn radius(&mut self, radius: &Radius) {
        let sockets = &radius.sockets;
        self.radsec(radius);
        if sockets.authentication.is_empty()
            && sockets.accounting.is_empty()
            && sockets.radsec.is_empty()
        {
            self.warning("radius", "[radius] listens nowhere");
        }
        if radius.clients.is_empty() {
            self.warning(
                "radius",
                "there is no [[radius.client]]: every request will be dropped",
            );
        }
        let lifetime = sockets.duplicate_lifetime;
        self.between("radius.duplicate_lifetime", lifetime, SECOND, 60 * SECOND);
        self.bounded("radius.max_requests", sockets.max_requests, 16, 1_000_000);
        let clients = &radius.clients;
        self.unique(
            "radius.client",
            clients.iter().map(|c| (c.name.as_str(), c.name.folded())),
        );
        let mut networks = HashMap::new();
        for (index, client) in clients.iter().enumerate() {
            // No datagram is told by the addresses of a client without a secret.
            let told_by = client.address.iter().filter(|_| client.secret.is_some());
            for (place, network) in told_by.enumerate() {
                let key = self.element(&format!("radius.client[{index}].address"), place);
                if let Some(other) = networks.insert(*network, &client.name) {
                    let message = format!("{network} is client '{other}' already");
                    self.error(&key, message);
                }
                if network.prefix_len() == 0 {
                    self.warning(&key, "anyone who learns the secret is this client");
                }
            }
            self.client(&format!("radius.client[{index}]"), client);
        }
    }

    fn radsec(&mut self, radius: &Radius) {
        let sockets = &radius.sockets;
        let served = !sockets.radsec.is_empty();
        match &sockets.tls {
            None if served => self.error(
                "radius.radsec",
                "this needs a certificate and the CA of clients': add [radius.tls] with \
                 certificate, private_key and client_ca",
            ),
            Some(_) if !served => self.warning(
                "radius.tls",
                "no connection comes in: radius.radsec names no address",
            ),
            Some(tls) => {
                for (key, count) in [
                    ("radius.tls.max_connections", tls.max_connections),
                    (
                        "radius.tls.max_connections_per_client",
                        tls.max_connections_per_client,
                    ),
                ] {
                    self.bounded(key, count, 1, 1_000_000);
                }
                for (key, span, most) in [
                    (
                        "radius.tls.handshake_timeout",
                        tls.handshake_timeout,
                        60 * SECOND,
                    ),
                    ("radius.tls.idle_timeout", tls.idle_timeout, 7 * DAY),
                    ("radius.tls.write_timeout", tls.write_timeout, 3600 * SECOND),
                ] {
                    self.between(key, span, SECOND, most);
                }
            }
            None => {}
        }
        let mut names = HashMap::new();
        for (index, client) in radius.clients.iter().enumerate() {
            for (place, name) in client.certificate.iter().enumerate() {
                let key = self.element(&format!("radius.client[{index}].certificate"), place);
                if let Some(other) = names.insert(name.folded(), &client.name) {
                    let message = format!("'{name}' is client '{other}' already");
                    self.error(&key, message);
                }
                if !served {
                    let message = "no connection comes in: radius.radsec names no address";
                    self.warning(&key, message);
                }
            }
        }
    }

    fn client(&mut self, path: &str, client: &RadiusClient) {
        if let Some(SecretSource::Inline(secret)) = &client.secret {
            let key = format!("{path}.secret");
            self.warning(
                &key,
                "a secret in the configuration itself is for demonstrations: use secret_file",
            );
            if secret.len() < SHORT_SECRET {
                self.warning(&key, short_secret(secret.len()));
            }
        }
        if !client.require_message_authenticator {
            let message = if client.limit_proxy_state {
                "requests without a Message-Authenticator are open to forgery (CVE-2024-3596): \
                 require it as soon as the client can send it"
            } else {
                "replies to this client can be forged (CVE-2024-3596): require the \
                 Message-Authenticator, or at least limit_proxy_state"
            };
            self.warning(&format!("{path}.require_message_authenticator"), message);
        }
        self.defined(&format!("{path}.resource"), &client.resource);
        for (ssid, resource) in &client.ssid {
            self.defined(&format!("{path}.ssid.{ssid}"), resource);
        }
        if let Some(resource) = &client.ssid_default {
            self.defined(&format!("{path}.ssid_default"), resource);
        }
    }

    fn auth_policy(&mut self, section: &AuthPolicy) {
        self.defined("auth_policy.resource", &section.resource);
        if !section.address.ip().to_canonical().is_loopback() {
            self.warning(
                "auth_policy.address",
                "login names and the key cross the network in the clear: keep it on loopback, or \
                 on a network between the two that nobody else reads",
            );
        }
        if section.sources.iter().any(|net| net.prefix_len() == 0) {
            self.warning(
                "auth_policy.sources",
                "anyone who learns the key can have others throttled",
            );
        }
        let relays = &self.config.throttle.relays;
        let is_relay = |source: &IpNet| relays.networks.iter().any(|relay| relay.contains(source));
        if !section.sources.iter().any(is_relay) {
            self.warning(
                "auth_policy",
                "no source is among throttle.relays: a mail server that logs its clients in from \
                 an address that is not listed there is throttled as if it were one client",
            );
        }
    }

    /// A resource that is named must exist.
    fn defined(&mut self, key: &str, name: &ResourceName) {
        let resources = &self.config.resources;
        let folded = name.folded();
        if resources.iter().any(|one| one.name.folded() == folded) {
            return;
        }
        let known: Vec<&str> = resources.iter().map(|one| one.name.as_str()).collect();
        let message = undefined("resource", name.as_str(), &known);
        self.error(key, message);
    }

    fn resources(&mut self) {
        let config = self.config;
        let resources = &config.resources;
        self.unique(
            "resource",
            resources.iter().map(|r| (r.name.as_str(), r.name.folded())),
        );
        if resources.is_empty() {
            self.warnings.push(ConfigWarning(
                config
                    .source
                    .cite_file("there is no [[resource]]: every login will be refused"),
            ));
        }
        let listeners = &config.ldap.listeners;
        let known: Vec<&str> = listeners.iter().map(|one| one.name.as_str()).collect();
        for (index, resource) in resources.iter().enumerate() {
            if resource.name.folded() == "portal" {
                self.error(
                    &format!("resource[{index}].name"),
                    "'portal' is the portal itself, which needs no entry: choose another name",
                );
            }
            let Some(matched) = &resource.matched_by else {
                continue;
            };
            for (place, name) in matched.listener.iter().enumerate() {
                if !listeners.iter().any(|listener| listener.name == *name) {
                    let list = format!("resource[{index}].match.listener");
                    let key = self.element(&list, place);
                    self.error(&key, undefined("ldap.listener", name.as_str(), &known));
                }
            }
        }
    }

    /// No two servers on one socket.
    fn sockets(&mut self) {
        let config = self.config;
        let mut tcp = Vec::new();
        let mut unix = HashMap::new();
        let mut addresses = Vec::new();
        for (index, listener) in config.ldap.listeners.iter().enumerate() {
            for (place, address) in listener.address.iter().enumerate() {
                let key = self.element(&format!("ldap.listener[{index}].address"), place);
                addresses.push((key, address));
            }
        }
        if let Some(metrics) = &config.metrics {
            addresses.push(("metrics.address".to_owned(), &metrics.address));
        }
        for (key, address) in addresses {
            match address {
                ListenAddress::Network(address) => tcp.push((key, *address)),
                ListenAddress::Unix(path) => {
                    if let Some(other) = unix.insert(path, key.clone()) {
                        let message = format!("{address} is taken by {other} already");
                        self.error(&key, message);
                    }
                }
            }
        }
        if let Some(auth_policy) = &config.auth_policy {
            tcp.push(("auth_policy.address".to_owned(), auth_policy.address));
        }
        if let Some(web) = &config.web {
            tcp.push(("web.address".to_owned(), web.address));
        }
        let mut udp = Vec::new();
        if let Some(radius) = &config.radius {
            for (place, address) in radius.sockets.radsec.iter().enumerate() {
                tcp.push((self.element("radius.radsec", place), *address));
            }
            for (list, addresses) in [
                ("radius.authentication", &radius.sockets.authentication),
                ("radius.accounting", &radius.sockets.accounting),
            ] {
                for (place, address) in addresses.iter().enumerate() {
                    udp.push((self.element(list, place), *address));
                }
            }
        }
        for sockets in [tcp, udp] {
            for (index, (key, address)) in sockets.iter().enumerate() {
                let taken = sockets
                    .iter()
                    .take(index)
                    .find(|(_, other)| collide(*address, *other));
                if let Some((other, _)) = taken {
                    self.error(key, format!("{address} is taken by {other} already"));
                }
            }
        }
    }

    fn eap(&mut self, eap: &Eap) {
        if self.config.radius.is_none() {
            self.error("eap", "EAP is spoken with RADIUS clients: add [radius]");
        }
        if eap.min_tls > eap.max_tls {
            self.error("eap.min_tls", "it is newer than max_tls");
        }
        for (index, method) in eap.methods.iter().enumerate() {
            if eap.methods.iter().take(index).any(|one| one == method) {
                let key = self.element("eap.methods", index);
                self.error(&key, "the method is there twice");
            }
        }
        for (index, method) in eap.inner.iter().enumerate() {
            let key = self.element("eap.inner", index);
            if eap.inner.iter().take(index).any(|one| one == method) {
                self.error(&key, "the method is there twice");
            }
            if *method == InnerEapMethod::MsChapV2 && !self.has_network_passwords() {
                self.error(
                    &key,
                    "mschapv2 takes network passwords: set network_password_key_file in [radius]",
                );
            }
        }
        self.eap_certificates(eap);
        self.bounded("eap.fragment_size", eap.fragment_size, 100, 1400);
        for (key, count) in [
            ("eap.max_sessions", eap.max_sessions),
            ("eap.max_sessions_per_client", eap.max_sessions_per_client),
            ("eap.max_sessions_per_device", eap.max_sessions_per_device),
        ] {
            self.bounded(key, count, 1, 1_000_000);
        }
        let resumption = eap.resumption_lifetime;
        self.between(
            "eap.resumption_lifetime",
            resumption,
            Duration::ZERO,
            7 * DAY,
        );
        let lifetime = eap.session_lifetime;
        self.between("eap.session_lifetime", lifetime, 5 * SECOND, 600 * SECOND);
    }

    fn has_network_passwords(&self) -> bool {
        let radius = self.config.radius.as_ref();
        radius.is_some_and(|radius| radius.sockets.network_password_key_file.is_some())
    }

    /// EAP-TLS is asked for by its name and by its CA: either alone is a slip.
    fn eap_certificates(&mut self, eap: &Eap) {
        let place = eap
            .methods
            .iter()
            .position(|method| *method == EapMethod::Tls);
        let Some(place) = place else {
            for (key, given) in [
                ("eap.client_ca", eap.client_ca.is_some()),
                ("eap.client_crl", eap.client_crl.is_some()),
                ("eap.client_name", eap.client_name.is_some()),
            ] {
                if given {
                    self.error(key, "nothing uses it: add \"tls\" to methods");
                }
            }
            return;
        };
        let method = self.element("eap.methods", place);
        if eap.client_ca.is_none() {
            self.error(
                &method,
                "this needs client_ca: the CA whose certificates let users in",
            );
        }
        if eap.client_name.is_none() {
            self.error(
                &method,
                "this needs client_name: which name in a certificate says whose it is \
                 (mail, upn or common_name)",
            );
        }
        if eap.client_name == Some(NamedBy::Upn) && self.config.directory.realms.is_empty() {
            self.error(
                "eap.client_name",
                "a user principal name ends in a realm: name it in directory.realms",
            );
        }
    }

    fn limits(&mut self) {
        let config = self.config;
        let ldap = &config.ldap.limits;
        self.bounded("ldap.max_connections", ldap.max_connections, 1, 1_000_000);
        self.bounded(
            "ldap.max_connections_per_source",
            ldap.max_connections_per_source,
            1,
            1_000_000,
        );
        self.bounded("ldap.size_limit", ldap.size_limit, 1, 10_000_000);
        self.bounded("ldap.max_operations", ldap.max_operations, 1, 1000);
        let anonymous = ldap.max_anonymous_message_bytes;
        self.bounded(
            "ldap.max_anonymous_message_bytes",
            anonymous,
            1024,
            MEBIBYTE,
        );
        let bound = ldap.max_message_bytes;
        self.bounded("ldap.max_message_bytes", bound, 1024, 64 * MEBIBYTE);
        for (key, span, most) in [
            ("ldap.idle_timeout", ldap.idle_timeout, 7 * DAY),
            (
                "ldap.anonymous_idle_timeout",
                ldap.anonymous_idle_timeout,
                DAY,
            ),
            ("ldap.write_timeout", ldap.write_timeout, 3600 * SECOND),
            (
                "ldap.handshake_timeout",
                ldap.handshake_timeout,
                60 * SECOND,
            ),
            ("ldap.time_limit", ldap.time_limit, 3600 * SECOND),
        ] {
            self.between(key, span, SECOND, most);
        }

        let throttle = &config.throttle;
        let delay = throttle.refusal_delay;
        let short = Duration::from_millis(1);
        self.between("throttle.refusal_delay", delay, short, 5 * SECOND);
        for (key, count) in [
            ("throttle.source_tokens", throttle.source_tokens),
            ("throttle.account_tokens", throttle.account_tokens),
            ("throttle.source_connections", throttle.source_connections),
            ("throttle.client_datagrams", throttle.client_datagrams),
        ] {
            self.bounded(key, count, 1, 1_000_000);
        }
        for (key, span) in [
            ("throttle.source_refill", throttle.source_refill),
            ("throttle.account_refill", throttle.account_refill),
        ] {
            self.between(key, span, short, DAY);
        }

        let deadline = config.runtime.shutdown_deadline;
        self.between("runtime.shutdown_deadline", deadline, SECOND, 600 * SECOND);
        self.between("audit.retention", config.audit.retention, DAY, 36_600 * DAY);
        if config.audit.max_bytes < SMALLEST_LOG {
            self.error(
                "audit.max_bytes",
                "at least 64MiB: one busy day takes as much",
            );
        }
    }

    fn hashing(&mut self) {
        let hashing = &self.config.hashing;
        self.bounded("hashing.lanes", hashing.lanes, 1, 16);
        // Argon2 wants eight blocks of a KiB a lane (RFC 9106 3.1).
        let least = hashing.lanes.saturating_mul(8).max(64);
        self.bounded("hashing.memory_kib", hashing.memory_kib, least, 1_048_576);
        self.bounded("hashing.passes", hashing.passes, 1, 64);
        self.bounded("hashing.queue", hashing.queue.get(), 1, 65_536);
        if let Some(threads) = hashing.threads {
            self.bounded("hashing.threads", threads.get(), 1, 1024);
        }
        let remembered = hashing.remember_for;
        self.between("hashing.remember_for", remembered, Duration::ZERO, DAY);
        if u64::from(hashing.memory_kib) * u64::from(hashing.passes) < ADVISED_WORK {
            let key = if self.config.source.knows("hashing.memory_kib") {
                "hashing.memory_kib"
            } else {
                "hashing.passes"
            };
            self.warning(
                key,
                "this is less than is advised for argon2id (19456 with 2 passes): a stolen store \
                 is guessed faster",
            );
        }
    }

    /// What is read and serves nothing yet.
    fn later(&mut self) {
        if let Some(web) = &self.config.web {
            self.warn_section("web", "[web] is checked, but this version serves no portal");
            if !web.public_url.is_https() && !web.public_url.is_loopback() {
                self.warning(
                    "web.public_url",
                    "passwords and links cross the network in the clear: use https",
                );
            }
        }
        if let Some(mail) = &self.config.mail {
            self.warn_section("mail", "[mail] is checked, but this version sends no mail");
            if mail.username.is_some() != mail.password_file.is_some() {
                self.error("mail.smtp", "username and password_file go together");
            }
        }
    }

    fn warn_section(&mut self, section: &str, message: &str) {
        let citation = self.config.source.cite_key(section, message);
        self.warnings.push(ConfigWarning(citation));
    }

    fn bounded<N: Copy + PartialOrd + Display>(&mut self, key: &str, number: N, least: N, most: N) {
        if number < least || number > most {
            self.error(key, format!("{number} is out of bounds: {least} to {most}"));
        }
    }

    fn between(&mut self, key: &str, span: Duration, least: Duration, most: Duration) {
        if span < least || span > most {
            let message = format!(
                "{} is out of bounds: {} to {}",
                format_span(span),
                format_span(least),
                format_span(most)
            );
            self.error(key, message);
        }
    }
}

/// What is said of a shared secret that is too short.
pub(super) fn short_secret(length: usize) -> String {
    format!(
        "a secret of {length} bytes can be found from a captured packet: use at least \
         {SHORT_SECRET}, better 24 random ones"
    )
}

/// What is said of an API key that is too short.
pub(super) fn short_key(length: usize) -> String {
    format!(
        "a key of {length} bytes can be guessed: use at least {SHORT_SECRET}, better 24 random ones"
    )
}

fn undefined(list: &str, name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(near) => format!("there is no [[{list}]] '{name}'; did you mean '{near}'?"),
        None => format!("there is no [[{list}]] '{name}'"),
    }
}

/// Whether one of two sockets would find its address taken. IPv6 sockets are bound for IPv6 only.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port()
        && one.port() != 0
        && one.is_ipv4() == other.is_ipv4()
        && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}
