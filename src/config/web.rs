//! `[web]`: the portal and its API. Read and checked by this version, served by a later one.

use std::net::SocketAddr;

use ipnet::IpNet;
use serde::Deserialize;

/// The web front end.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Web {
    /// Where it listens, in plain HTTP: a proxy in front of it speaks TLS.
    #[serde(default = "loopback", deserialize_with = "super::value::address")]
    pub address: SocketAddr,
    /// What people type, and what links in mail begin with.
    pub public_url: PublicUrl,
    /// Proxies whose `X-Forwarded-For` is believed.
    #[serde(default, deserialize_with = "super::value::networks_or_none")]
    pub trusted_proxies: Vec<IpNet>,
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8080))
}

/// An address such as `https://id.example.org`, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PublicUrl(String);

impl PublicUrl {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is reached over TLS.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Whether it can be reached from this machine only.
    pub fn is_loopback(&self) -> bool {
        let host = self
            .0
            .split_once("://")
            .map_or("", |(_, rest)| rest)
            .split('/')
            .next()
            .unwrap_or_default();
        let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
        matches!(host, "localhost" | "127.0.0.1" | "[::1]")
    }
}

impl TryFrom<String> for PublicUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let shaped = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
            .is_some_and(|rest| {
                !rest.is_empty()
                    && !rest.starts_with(['/', ':'])
                    && !rest.contains(['?', '#', '@', '"', '<', '>', '\\'])
                    && !rest.chars().any(|c| c.is_whitespace() || c.is_control())
            });
        if shaped {
            Ok(Self(text.trim_end_matches('/').to_owned()))
        } else {
            Err(format!(
                "'{text}' is not the address of a site: write https://id.example.org"
            ))
        }
    }
}
