//! The server's certificate: loaded, checked against its key, and replaced while the daemon runs.
//!
//! Knows files and rustls, no listener and no protocol. `clients` verifies clients' certificates.
//! [`making`] makes a private CA and
//! certificates from it, for sites without one.

mod clients;
pub mod making;
mod purpose;
mod validity;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{InconsistentKeys, ServerConfig, SupportedProtocolVersion};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

pub use clients::{ClientTrust, Protection};
pub use validity::Validity;

/// Why a certificate cannot be used or made. Each names the file, and what to do where that is not
/// plain.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file of the chain holds none.
    #[error(
        "{} holds no certificate in PEM: put the server's own there, then those of the CAs between \
         it and the root",
        .0.display()
    )]
    NoCertificate(PathBuf),
    /// The file of the key holds none.
    #[error(
        "{} holds no private key in PEM that can be used: one with a passphrase is opened with \
         openssl pkey -in OLD -out NEW",
        .0.display()
    )]
    NoKey(PathBuf),
    /// The certificate was made for another key.
    #[error(
        "the certificate in {} was not made for the key in {}: replace both, or name the two files \
         that belong together",
        certificate.display(),
        key.display()
    )]
    Mismatch {
        /// The file of the chain.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// TLS refuses the chain or the key.
    #[error("{} cannot be used for TLS: {source}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What TLS said.
        source: rustls::Error,
    },
    /// The CAs for clients' certificates, or their revocation lists, cannot be used.
    #[error("{} cannot be used to verify clients' certificates: {reason}", path.display())]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no CA to make a user's certificate with.
    #[error("{} holds no CA: `doorward certs` makes one", .0.display())]
    NoCa(PathBuf),
    /// The file is not one list of revoked certificates of the CA beside it.
    #[error(
        "{} does not hold one list of revoked certificates, in PEM, of the CA in its folder; keep \
         the lists of other CAs elsewhere",
        .0.display()
    )]
    NoList(PathBuf),
    /// Neither a certificate's file nor a serial number.
    #[error(
        "'{0}' is neither the file of a certificate nor a serial number in hexadecimal, such as \
         `doorward events` shows"
    )]
    NoSerial(String),
    /// A certificate cannot be made.
    #[error("the certificate cannot be made: {0}")]
    NotMade(String),
    /// One half of a CA is there, or a server's certificate without one.
    #[error(
        "{} holds {found} without {missing}: choose an empty folder, or bring what is missing",
        folder.display()
    )]
    Incomplete {
        /// The folder.
        folder: PathBuf,
        /// What is there.
        found: &'static str,
        /// What is not.
        missing: &'static str,
    },
    /// The CA that is there cannot vouch for what was made.
    #[error(
        "the CA in {} cannot vouch for a new certificate ({reason}): choose an empty folder for a \
         new one, and have clients trust that",
        folder.display()
    )]
    CaRefused {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The one provider of cryptography, named so that nothing depends on which was installed first.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Loads a certificate for good: TLS 1.2 and 1.3, no client certificates.
///
/// # Errors
/// The files cannot be read, hold no certificate or key, or do not belong together.
pub fn load_server_config(
    certificate: &Path,
    key: &Path,
) -> Result<ServerConfig, CertificateError> {
    Certificate::open(certificate, key).and_then(|loaded| Arc::new(loaded).server_config())
}

/// Whether a look at the files changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// The files are as they were; the same complaint is not made twice of them either.
    Unchanged,
    /// New connections get the new certificate.
    Replaced,
}

/// A certificate that follows its files.
pub struct Certificate {
    chain_path: PathBuf,
    key_path: PathBuf,
    current: ArcSwap<CertifiedKey>,
    /// A digest of the files when they were last looked at, whether they could be used or not.
    seen: Mutex<[u8; 32]>,
}

impl Certificate {
    /// Whether both are read from the same files.
    fn is_of_the_files_of(&self, other: &Self) -> bool {
        self.chain_path == other.chain_path && self.key_path == other.key_path
    }

    /// Loads the certificate.
    ///
    /// # Errors
    /// The files cannot be read, hold no certificate or key, or do not belong together.
    pub fn open(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        let files = Files::read(certificate, key)?;
        Ok(Self {
            current: ArcSwap::from_pointee(files.certified(certificate, key)?),
            seen: Mutex::new(files.digest()),
            chain_path: certificate.to_owned(),
            key_path: key.to_owned(),
        })
    }

    /// Looks at the files and takes what is new in them. Reads both whole: they are small, and
    /// neither times nor sizes tell every replacement.
    ///
    /// # Errors
    /// As [`Certificate::open`]. The certificate in use stays in use; files that were refused once
    /// are refused again only when they changed, since a renewal writes one after the other.
    pub fn reload_if_changed(&self) -> Result<Reload, CertificateError> {
        let files = Files::read(&self.chain_path, &self.key_path)?;
        let digest = files.digest();
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen == digest {
                return Ok(Reload::Unchanged);
            }
            *seen = digest;
        }
        let certified = files.certified(&self.chain_path, &self.key_path)?;
        self.current.store(Arc::new(certified));
        Ok(Reload::Replaced)
    }

    /// TLS 1.2 and 1.3 without client certificates, always with the certificate of the moment.
    ///
    /// # Errors
    /// TLS refuses its own defaults, which does not happen.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, CertificateError> {
        self.server_config_for(&[&TLS13, &TLS12])
    }

    /// As [`Certificate::server_config`], for versions of TLS of one's choice.
    ///
    /// # Errors
    /// No version is named.
    pub fn server_config_for(
        self: &Arc<Self>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<ServerConfig, CertificateError> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .map_err(|source| CertificateError::Refused {
                path: self.chain_path.clone(),
                source,
            })?;
        Ok(builder
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Self>::clone(self)))
    }

    /// From when until when the certificate in use holds; nothing where it cannot be read.
    pub fn validity(&self) -> Option<Validity> {
        self.current.load().cert.first().and_then(Validity::of)
    }

    /// The chain in use, the server's own certificate first.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.current.load().cert.clone()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Certificate")
            .field("certificate", &self.chain_path)
            .field("key", &self.key_path)
            .finish_non_exhaustive()
    }
}

/// The content of both files at one moment.
struct Files {
    chain: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Files {
    fn read(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        Ok(Self {
            chain: read(certificate)?,
            key: Zeroizing::new(read(key)?),
        })
    }

    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update((self.chain.len() as u64).to_be_bytes());
        digest.update(&self.chain);
        digest.update(&*self.key);
        digest.finalize().into()
    }

    fn certified(&self, certificate: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&self.chain)
            .collect::<Result<_, _>>()
            .map_err(|_| CertificateError::NoCertificate(certificate.to_owned()))?;
        if chain.is_empty() {
            return Err(CertificateError::NoCertificate(certificate.to_owned()));
        }
        let private = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| CertificateError::NoKey(key.to_owned()))?;
        CertifiedKey::from_der(chain, private, &provider()).map_err(|source| match source {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                CertificateError::Mismatch {
                    certificate: certificate.to_owned(),
                    key: key.to_owned(),
                }
            }
            rustls::Error::InvalidCertificate(_) => CertificateError::Refused {
                path: certificate.to_owned(),
                source,
            },
            source => CertificateError::Refused {
                path: key.to_owned(),
                source,
            },
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    fs::read(path).map_err(|source| CertificateError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;
