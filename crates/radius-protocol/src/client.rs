//! RADIUS clients: who may ask, under which secret or which certificate, with which proof.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};

use super::disconnect::PORT;
use super::transport::SECRET;
use doorward_domain::certificate::{CertificateName, CertificateNames};
use doorward_domain::name::ClientName;
use doorward_domain::resource::ClientResources;
use doorward_domain::secret::Secret;

/// Secrets shorter than this, in bytes, can be guessed from one captured packet; the start warns.
pub const SHORT_SECRET: usize = 12;

/// One client entry: a NAS, or a network of them that share a secret.
#[derive(Debug)]
pub struct ClientSettings {
    networks: Vec<IpNet>,
    secret: Secret,
    /// Whether it may send datagrams, which its secret proves.
    datagrams: bool,
    certificates: Vec<CertificateName>,
    /// Whether a request without Message-Authenticator is dropped (CVE-2024-3596).
    pub require_message_authenticator: bool,
    /// Where it is not required: whether a request with Proxy-State and without
    /// Message-Authenticator is dropped. That shape is what the published attack needs.
    pub limit_proxy_state: bool,
    /// How its sessions are ended.
    pub disconnect: Disconnect,
    /// The client's name and its resources.
    pub resources: Arc<ClientResources>,
}

/// How a client is asked to end sessions (RFC 5176).
#[derive(Debug, Clone)]
pub enum Disconnect {
    /// Not at all.
    Off,
    /// By a Disconnect-Request.
    At {
        /// To where, if not to the source of its reports.
        address: Option<IpAddr>,
        /// The port.
        port: u16,
        /// Under which secret, if not the client's.
        secret: Option<Secret>,
    },
}

impl Default for Disconnect {
    /// At the source of its reports, port 3799, under the client's secret.
    fn default() -> Self {
        Self::At {
            address: None,
            port: PORT,
            secret: None,
        }
    }
}

/// Why clients cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientFault {
    /// No shared secret.
    #[error("RADIUS client '{0}' has an empty secret")]
    EmptySecret(ClientName),
    /// No network.
    #[error("RADIUS client '{0}' has no address")]
    NoAddress(ClientName),
    /// No certificate.
    #[error("RADIUS client '{0}' has neither a secret nor a certificate")]
    NoProof(ClientName),
    /// Two clients claim the same name of a certificate.
    #[error("RADIUS clients '{first}' and '{second}' both have the certificate '{name}'")]
    SameCertificate {
        /// The name.
        name: CertificateName,
        /// The client that has it first.
        first: ClientName,
        /// The client that has it again.
        second: ClientName,
    },
    /// Two clients claim the same network.
    #[error("RADIUS clients '{first}' and '{second}' both have the address {network}")]
    SameAddress {
        /// The network.
        network: IpNet,
        /// The client that has it first.
        first: ClientName,
        /// The client that has it again.
        second: ClientName,
    },
}

impl ClientSettings {
    /// Makes an entry with the strict defaults: Message-Authenticator required, Proxy-State
    /// limited. IPv4-mapped networks become IPv4.
    ///
    /// # Errors
    /// Without a secret or without a network.
    pub fn new(
        networks: &[IpNet],
        secret: Secret,
        resources: Arc<ClientResources>,
    ) -> Result<Self, ClientFault> {
        if secret.is_empty() {
            return Err(ClientFault::EmptySecret(resources.client.clone()));
        }
        if networks.is_empty() {
            return Err(ClientFault::NoAddress(resources.client.clone()));
        }
        Ok(Self {
            networks: networks.iter().copied().map(canonical).collect(),
            secret,
            datagrams: true,
            certificates: Vec::new(),
            require_message_authenticator: true,
            limit_proxy_state: true,
            disconnect: Disconnect::default(),
            resources,
        })
    }

    /// Makes the entry of a client that comes over TLS alone, with a certificate of one of these
    /// names; from anywhere where no network is named. It is asked to end no session: it has no
    /// secret that would prove who asks.
    ///
    /// # Errors
    /// Without a name.
    pub fn over_tls(
        certificates: Vec<CertificateName>,
        networks: &[IpNet],
        resources: Arc<ClientResources>,
    ) -> Result<Self, ClientFault> {
        if certificates.is_empty() {
            return Err(ClientFault::NoProof(resources.client.clone()));
        }
        Ok(Self {
            networks: networks.iter().copied().map(canonical).collect(),
            secret: Secret::new(SECRET.to_vec()),
            datagrams: false,
            certificates,
            require_message_authenticator: true,
            limit_proxy_state: true,
            disconnect: Disconnect::Off,
            resources,
        })
    }

    /// Lets a client that sends datagrams come over TLS too.
    #[must_use]
    pub fn with_certificates(mut self, certificates: Vec<CertificateName>) -> Self {
        self.certificates = certificates;
        self
    }

    /// The client's name.
    pub fn name(&self) -> &ClientName {
        &self.resources.client
    }

    /// The shared secret of its datagrams; [`SECRET`] where it sends none.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The networks it may send from.
    pub fn networks(&self) -> &[IpNet] {
        &self.networks
    }

    /// Whether its secret is so short that the start should warn.
    pub fn has_short_secret(&self) -> bool {
        self.datagrams && self.secret.len() < SHORT_SECRET
    }

    /// Whether it may connect from there.
    fn connects_from(&self, source: IpAddr) -> bool {
        let source = source.to_canonical();
        !self.certificates.is_empty()
            && (self.networks.is_empty() || self.networks.iter().any(|net| net.contains(&source)))
    }
}

/// Why the holder of a certificate is no client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stranger {
    /// No entry names the certificate.
    #[error("no [[radius.client]] has this certificate; add one if it is yours")]
    Unknown,
    /// Its names are those of several entries.
    #[error("its names belong to several [[radius.client]]; keep one of them")]
    Ambiguous,
    /// Its entry has other addresses.
    #[error("its [[radius.client]] has other addresses")]
    Elsewhere,
}

/// All clients, looked up by source address, where the most specific network wins, or by
/// certificate.
#[derive(Debug, Default)]
pub struct Clients {
    all: Vec<Arc<ClientSettings>>,
    by_network: HashMap<IpNet, Arc<ClientSettings>>,
    by_certificate: HashMap<String, Arc<ClientSettings>>,
    prefixes_v4: BTreeSet<u8>,
    prefixes_v6: BTreeSet<u8>,
}

impl Clients {
    /// Takes the clients in file order.
    ///
    /// # Errors
    /// Where two of them have the same network or the same certificate.
    pub fn new(clients: Vec<ClientSettings>) -> Result<Self, ClientFault> {
        let mut this = Self::default();
        for client in clients {
            let client = Arc::new(client);
            for name in &client.certificates {
                match this
                    .by_certificate
                    .insert(name.folded(), Arc::clone(&client))
                {
                    Some(first) if !Arc::ptr_eq(&first, &client) => {
                        return Err(ClientFault::SameCertificate {
                            name: name.clone(),
                            first: first.name().clone(),
                            second: client.name().clone(),
                        });
                    }
                    _ => {}
                }
            }
            let networks = client.networks().iter().filter(|_| client.datagrams);
            for &network in networks {
                match network {
                    IpNet::V4(_) => this.prefixes_v4.insert(network.prefix_len()),
                    IpNet::V6(_) => this.prefixes_v6.insert(network.prefix_len()),
                };
                match this.by_network.insert(network, Arc::clone(&client)) {
                    Some(first) if !Arc::ptr_eq(&first, &client) => {
                        return Err(ClientFault::SameAddress {
                            network,
                            first: first.name().clone(),
                            second: client.name().clone(),
                        });
                    }
                    _ => {}
                }
            }
            this.all.push(client);
        }
        Ok(this)
    }

    /// The client that sends from that address. IPv4-mapped IPv6 is IPv4.
    pub fn find(&self, source: IpAddr) -> Option<&Arc<ClientSettings>> {
        let source = source.to_canonical();
        let prefixes = if source.is_ipv4() {
            &self.prefixes_v4
        } else {
            &self.prefixes_v6
        };
        prefixes.iter().rev().find_map(|&prefix| {
            let network = IpNet::new(source, prefix).ok()?.trunc();
            self.by_network.get(&network)
        })
    }

    /// The client that shows a certificate of these names, from that address.
    ///
    /// # Errors
    /// Says why it is none.
    pub fn find_certificate(
        &self,
        names: &CertificateNames,
        source: IpAddr,
    ) -> Result<&Arc<ClientSettings>, Stranger> {
        let mut found = names
            .iter()
            .filter_map(|name| self.by_certificate.get(&name.folded()));
        let client = found.next().ok_or(Stranger::Unknown)?;
        if found.any(|other| !Arc::ptr_eq(client, other)) {
            return Err(Stranger::Ambiguous);
        }
        if !client.connects_from(source) {
            return Err(Stranger::Elsewhere);
        }
        Ok(client)
    }

    /// Whether any client may connect from there: whoever else does need not even be shaken hands
    /// with.
    pub fn may_connect(&self, source: IpAddr) -> bool {
        self.all.iter().any(|client| client.connects_from(source))
    }

    /// Every client, in file order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ClientSettings>> {
        self.all.iter()
    }
}

fn canonical(network: IpNet) -> IpNet {
    if let IpNet::V6(v6) = network
        && let Some(address) = v6.addr().to_ipv4_mapped()
        && let Some(prefix) = v6.prefix_len().checked_sub(96)
        && let Ok(v4) = Ipv4Net::new(address, prefix)
    {
        return IpNet::V4(v4.trunc());
    }
    network.trunc()
}

#[cfg(test)]
mod tests {
    use super::*;
    use doorward_domain::name::ResourceName;

    fn client(name: &str, networks: &[&str]) -> ClientSettings {
        let networks: Vec<IpNet> = networks.iter().map(|text| text.parse().unwrap()).collect();
        let resources = ClientResources {
            client: ClientName::parse(name).unwrap(),
            resource: ResourceName::parse("vpn").unwrap(),
            ssid: Vec::new(),
            ssid_default: None,
            mab: false,
        };
        ClientSettings::new(&networks, Secret::new(b"s".to_vec()), Arc::new(resources)).unwrap()
    }

    fn found<'a>(clients: &'a Clients, address: &str) -> Option<&'a str> {
        clients
            .find(address.parse().unwrap())
            .map(|client| client.name().as_str())
    }

    #[test]
    fn the_most_specific_network_wins_whatever_the_order() {
        let clients = Clients::new(vec![
            client("wide", &["10.0.0.0/8", "2001:db8::/32"]),
            client("site", &["10.1.0.0/16"]),
            client("host", &["10.1.2.3/32", "2001:db8::7/128"]),
        ])
        .unwrap();
        assert_eq!(found(&clients, "10.9.9.9"), Some("wide"));
        assert_eq!(found(&clients, "10.1.2.4"), Some("site"));
        assert_eq!(found(&clients, "10.1.2.3"), Some("host"));
        assert_eq!(found(&clients, "2001:db8::7"), Some("host"));
        assert_eq!(found(&clients, "2001:db8::8"), Some("wide"));
        assert_eq!(found(&clients, "192.0.2.1"), None);
        assert_eq!(found(&clients, "2001:db9::1"), None);
    }

    #[test]
    fn an_ipv4_mapped_address_or_network_is_ipv4() {
        let clients = Clients::new(vec![
            client("plain", &["192.0.2.0/24"]),
            client("mapped", &["::ffff:198.51.100.0/120"]),
        ])
        .unwrap();
        assert_eq!(found(&clients, "::ffff:192.0.2.9"), Some("plain"));
        assert_eq!(found(&clients, "198.51.100.9"), Some("mapped"));
    }

    #[test]
    fn a_default_route_for_one_family_leaves_the_other_out() {
        let clients = Clients::new(vec![client("any4", &["0.0.0.0/0"])]).unwrap();
        assert_eq!(found(&clients, "203.0.113.5"), Some("any4"));
        assert_eq!(found(&clients, "2001:db8::1"), None);
    }

    #[test]
    fn two_clients_with_one_network_are_refused() {
        let fault = Clients::new(vec![
            client("a", &["10.0.0.1/8"]),
            client("b", &["10.0.0.0/8"]),
        ]);
        assert!(matches!(fault, Err(ClientFault::SameAddress { .. })));
        assert!(Clients::new(vec![client("a", &["10.0.0.1/8", "10.0.0.0/8"])]).is_ok());
    }

    fn over_tls(name: &str, certificates: &[&str], networks: &[&str]) -> ClientSettings {
        let networks: Vec<IpNet> = networks.iter().map(|text| text.parse().unwrap()).collect();
        ClientSettings::over_tls(
            names(certificates),
            &networks,
            client(name, &["::/0"]).resources,
        )
        .unwrap()
    }

    fn names<T: FromIterator<CertificateName>>(names: &[&str]) -> T {
        let parsed = names.iter().map(|name| CertificateName::parse(name));
        parsed.map(Result::unwrap).collect()
    }

    #[test]
    fn a_certificate_is_its_client_and_nobody_else_s() {
        let clients = Clients::new(vec![
            over_tls("proxy", &["proxy.example.org", "198.51.100.1"], &[]),
            over_tls("site", &["urn:site"], &["192.0.2.0/24"]),
            client("both", &["203.0.113.0/24"]).with_certificates(names(&["both.example.org"])),
        ])
        .unwrap();
        let at = |certificate: &[&str], source: &str| {
            let found = clients.find_certificate(&names(certificate), source.parse().unwrap());
            found.map(|client| client.name().as_str())
        };
        assert_eq!(at(&["PROXY.example.org"], "10.0.0.1"), Ok("proxy"));
        assert_eq!(
            at(&["198.51.100.1", "proxy.example.org"], "::1"),
            Ok("proxy")
        );
        assert_eq!(at(&["urn:site"], "::ffff:192.0.2.9"), Ok("site"));
        assert_eq!(at(&["urn:site"], "198.51.100.9"), Err(Stranger::Elsewhere));
        assert_eq!(at(&["both.example.org"], "203.0.113.1"), Ok("both"));
        assert_eq!(
            at(&["other.example.org"], "10.0.0.1"),
            Err(Stranger::Unknown)
        );
        assert_eq!(at(&[], "10.0.0.1"), Err(Stranger::Unknown));
        assert_eq!(
            at(&["proxy.example.org", "urn:site"], "192.0.2.9"),
            Err(Stranger::Ambiguous)
        );
        assert_eq!(found(&clients, "192.0.2.9"), None, "no datagrams");
        assert_eq!(found(&clients, "203.0.113.9"), Some("both"));
        assert!(clients.may_connect("10.9.9.9".parse().unwrap()));
    }

    #[test]
    fn only_where_every_client_has_addresses_strangers_are_known_by_theirs() {
        let clients = Clients::new(vec![
            over_tls("site", &["urn:site"], &["192.0.2.0/24"]),
            client("datagrams", &["0.0.0.0/0"]),
        ])
        .unwrap();
        assert!(clients.may_connect("::ffff:192.0.2.9".parse().unwrap()));
        assert!(!clients.may_connect("198.51.100.9".parse().unwrap()));
    }

    #[test]
    fn two_clients_with_one_certificate_are_refused() {
        let fault = Clients::new(vec![
            over_tls("a", &["proxy.example.org"], &[]),
            over_tls("b", &["Proxy.example.org"], &[]),
        ]);
        assert!(matches!(fault, Err(ClientFault::SameCertificate { .. })));
        let resources = client("a", &["::/0"]).resources;
        let nameless = ClientSettings::over_tls(Vec::new(), &[], resources);
        assert!(matches!(nameless, Err(ClientFault::NoProof(_))));
    }

    #[test]
    fn an_empty_secret_or_address_list_is_refused() {
        let resources = Arc::clone(&client("a", &["10.0.0.0/8"]).resources);
        let network = ["10.0.0.0/8".parse().unwrap()];
        let empty = ClientSettings::new(&network, Secret::new(Vec::new()), Arc::clone(&resources));
        assert!(matches!(empty, Err(ClientFault::EmptySecret(_))));
        let nowhere = ClientSettings::new(&[], Secret::new(b"s".to_vec()), resources);
        assert!(matches!(nowhere, Err(ClientFault::NoAddress(_))));
    }
}
