//! `[store]`: where accounts, bindings and events are kept.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::value::NotBuilt;

/// The store.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// Which store, and where.
    pub url: StoreUrl,
    #[serde(rename = "url_file")]
    _url_file: NotBuilt,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            url: StoreUrl::Sqlite(PathBuf::from("/var/lib/doorward/doorward.db")),
            _url_file: NotBuilt,
        }
    }
}

/// An address of a store.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum StoreUrl {
    /// `sqlite:///absolute/path` or `sqlite://path/beside/the/configuration`.
    Sqlite(PathBuf),
}

impl TryFrom<String> for StoreUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Err("not built yet: this version keeps its data in SQLite only".to_owned());
        }
        match text.strip_prefix("sqlite://") {
            Some(path) if !path.is_empty() && !path.contains(['?', '#', '\0']) => {
                Ok(Self::Sqlite(PathBuf::from(path)))
            }
            // The address may hold a password, so it is not repeated.
            _ => Err(
                "this is not an address of a store: write sqlite:///var/lib/doorward/doorward.db"
                    .to_owned(),
            ),
        }
    }
}

impl Store {
    pub(super) fn resolve(&mut self, folder: &Path) {
        let StoreUrl::Sqlite(path) = &mut self.url;
        *path = folder.join(&*path);
    }
}
