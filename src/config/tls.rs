//! `[tls]`: the server's certificate. Where the files lie; `runtime` reads them.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::value::NotBuilt;

/// The certificate that every listener with TLS presents.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain in PEM, the server's own first.
    pub certificate: PathBuf,
    /// Its private key in PEM.
    pub private_key: PathBuf,
    #[serde(default, rename = "client_ca")]
    _client_ca: NotBuilt,
}

impl Tls {
    pub(super) fn resolve(&mut self, folder: &Path) {
        self.certificate = folder.join(&self.certificate);
        self.private_key = folder.join(&self.private_key);
    }
}
