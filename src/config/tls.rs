//! `[tls]`: the server's certificate. Where the files lie; `runtime` reads them.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The certificate that every listener with TLS presents.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain in PEM, the server's own first.
    pub certificate: PathBuf,
    /// Its private key in PEM.
    pub private_key: PathBuf,
    /// The CAs in PEM whose client certificates are accepted.
    pub client_ca: Option<PathBuf>,
    /// Their revocation lists in PEM.
    pub client_crl: Option<PathBuf>,
}

impl Tls {
    pub(super) fn resolve(&mut self, folder: &Path) {
        self.certificate = folder.join(&self.certificate);
        self.private_key = folder.join(&self.private_key);
        for file in [&mut self.client_ca, &mut self.client_crl]
            .into_iter()
            .flatten()
        {
            *file = folder.join(&*file);
        }
    }
}
