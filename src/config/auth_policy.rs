//! `[auth_policy]`: where mail servers ask about their clients by Dovecot's auth-policy protocol.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Deserialize;

use doorward_domain::name::ResourceName;

/// The server of auth-policy requests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthPolicy {
    /// Where it listens, in plain HTTP.
    #[serde(default = "address", deserialize_with = "super::value::address")]
    pub address: SocketAddr,
    /// Where mail servers ask from.
    #[serde(default = "this_machine", deserialize_with = "super::value::networks")]
    pub sources: Vec<IpNet>,
    /// The file with what they must send as `X-API-Key`.
    pub api_key_file: PathBuf,
    /// The resource they speak for.
    pub resource: ResourceName,
}

impl AuthPolicy {
    pub(super) fn resolve(&mut self, folder: &Path) {
        self.api_key_file = folder.join(&self.api_key_file);
    }
}

fn address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 4001))
}

fn this_machine() -> Vec<IpNet> {
    vec![
        Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8).into(),
        Ipv6Net::from(Ipv6Addr::LOCALHOST).into(),
    ]
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use crate::config::{Config, ConfigErrors, secrets};

    /// Reads a file with this section, beside a file `key`.
    fn read(section: &str, key: &str) -> Result<(Config, secrets::Secrets), ConfigErrors> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, key).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let text = format!(
            "[directory]\nbase_dn = \"dc=example,dc=org\"\n[auth_policy]\n{section}\n\
             [throttle]\nrelays = \"127.0.0.1\"\n\
             [[resource]]\nname = \"mail\"\nkind = \"email\"\n"
        );
        let config = Config::parse(&folder.path().join("door.toml"), &text)?;
        let secrets = secrets::read(&config)?;
        Ok((config, secrets))
    }

    const KEY: &str = "twenty-four random bytes\n";
    const LEAST: &str = "api_key_file = \"key\"\nresource = \"mail\"";

    #[test]
    fn it_serves_this_machine_unless_it_says_otherwise() {
        let (config, secrets) = read(LEAST, KEY).unwrap();
        let section = config.auth_policy.unwrap();
        assert!(section.address.ip().is_loopback());
        assert!(section.sources.iter().all(|net| net.addr().is_loopback()));
        let key = secrets.auth_policy().unwrap();
        assert_eq!(key.expose(), KEY.trim_end().as_bytes());
        assert!(secrets.warnings().is_empty());
    }

    #[test]
    fn the_resource_and_the_key_must_be_there() {
        let missing = read("resource = \"mail\"", KEY).unwrap_err().to_string();
        assert!(missing.contains("api_key_file"), "{missing}");
        let undefined = LEAST.replace("\"mail\"", "\"mial\"");
        let undefined = read(&undefined, KEY).unwrap_err().to_string();
        assert!(undefined.contains("did you mean 'mail'"), "{undefined}");
        assert!(read(LEAST, "\n").is_err(), "an empty key");
    }

    #[test]
    fn what_is_unwise_is_warned_of() {
        let open = format!("{LEAST}\naddress = \"0.0.0.0:4001\"\nsources = \"0.0.0.0/0\"");
        let (config, secrets) = read(&open, "short").unwrap();
        let warned: Vec<String> = config.warnings().iter().map(ToString::to_string).collect();
        for key in ["cross the network", "anyone who learns", "throttle.relays"] {
            assert!(
                warned.iter().any(|one| one.contains(key)),
                "{key}: {warned:?}"
            );
        }
        assert_eq!(secrets.warnings().len(), 1, "a short key");
    }
}
