//! `[runtime]`: how the process ends, and who may watch it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

/// The process.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Runtime {
    /// How long connections and attempts under way may take to end after the signal to stop.
    #[serde(deserialize_with = "super::value::span")]
    pub shutdown_deadline: Duration,
    /// The Unix socket by which operators watch what happens (`doorward watch`).
    pub watch: WatchSocket,
}

impl Default for Runtime {
    fn default() -> Self {
        Self {
            shutdown_deadline: Duration::from_secs(10),
            watch: WatchSocket::Default,
        }
    }
}

impl Runtime {
    pub(super) fn resolve(&mut self, folder: &Path) {
        if let WatchSocket::At(path) = &mut self.watch {
            *path = folder.join(&*path);
        }
    }
}

/// Where operators connect to watch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum WatchSocket {
    /// At [`WatchSocket::DEFAULT`], if that can be.
    #[default]
    Default,
    /// There, or the daemon does not start.
    At(PathBuf),
    /// Nowhere.
    Off,
}

impl WatchSocket {
    /// Where it is unless the configuration says something else: in the folder that systemd makes.
    pub const DEFAULT: &str = "/run/doorward/watch";

    /// Where it is; nowhere where nobody may watch.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Default => Some(Path::new(Self::DEFAULT)),
            Self::At(path) => Some(path),
            Self::Off => None,
        }
    }
}

impl TryFrom<String> for WatchSocket {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() || text.ends_with('/') || text.contains('\0') {
            return Err(format!(
                "'{text}' names no Unix socket: write its path, as in {}, or off",
                Self::DEFAULT
            ));
        }
        Ok(match text.as_str() {
            "off" => Self::Off,
            Self::DEFAULT => Self::Default,
            path => Self::At(PathBuf::from(path)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_a_path_or_off() {
        let read = |text: &str| WatchSocket::try_from(text.to_owned());
        assert_eq!(read("off").unwrap().path(), None);
        let there = read("/run/doorward/watch").unwrap();
        assert_eq!(there, WatchSocket::default());
        assert_eq!(there.path(), Some(Path::new(WatchSocket::DEFAULT)));
        assert_eq!(read("watch").unwrap(), WatchSocket::At("watch".into()));
        assert!(read("").is_err() && read("/run/doorward/").is_err());
    }
}
