//! RADIUS clients: who may ask, under which secret, with which proof.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};

use super::disconnect::PORT;
use crate::domain::name::ClientName;
use crate::domain::resource::ClientResources;
use crate::domain::secret::Secret;

/// Secrets shorter than this, in bytes, can be guessed from one captured packet; the start warns.
pub const SHORT_SECRET: usize = 12;

/// One client entry: a NAS, or a network of them that share a secret.
#[derive(Debug)]
pub struct ClientSettings {
    networks: Vec<IpNet>,
    secret: Secret,
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
            require_message_authenticator: true,
            limit_proxy_state: true,
            disconnect: Disconnect::default(),
            resources,
        })
    }

    /// The client's name.
    pub fn name(&self) -> &ClientName {
        &self.resources.client
    }

    /// The shared secret.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The networks it may send from.
    pub fn networks(&self) -> &[IpNet] {
        &self.networks
    }

    /// Whether its secret is so short that the start should warn.
    pub fn has_short_secret(&self) -> bool {
        self.secret.len() < SHORT_SECRET
    }
}

/// All clients, looked up by source address: the most specific network wins.
#[derive(Debug, Default)]
pub struct Clients {
    all: Vec<Arc<ClientSettings>>,
    by_network: HashMap<IpNet, Arc<ClientSettings>>,
    prefixes_v4: BTreeSet<u8>,
    prefixes_v6: BTreeSet<u8>,
}

impl Clients {
    /// Takes the clients in file order.
    ///
    /// # Errors
    /// Where two of them have the same network.
    pub fn new(clients: Vec<ClientSettings>) -> Result<Self, ClientFault> {
        let mut this = Self::default();
        for client in clients {
            let client = Arc::new(client);
            for &network in client.networks() {
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
    use crate::domain::name::ResourceName;

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
