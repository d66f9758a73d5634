//! TLS for listeners: the server's certificate, and the CAs by which clients' are verified, both
//! followed while the daemon runs.
//!
//! Verifying is rustls's; `purpose` adds what users' certificates must be good for. A session that is resumed brings its certificate with it, unverified: one
//! that has expired or was revoked meanwhile would go on. So none is kept where certificates are
//! verified.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use sha2::{Digest as _, Sha256};

use super::purpose::StatedPurpose;
use super::{Certificate, CertificateError, Reload, provider, read};
use doorward_ldap_protocol::settings::ClientCertificate;

/// Where the CAs for clients' certificates are, and their revocation lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientTrust {
    /// The CAs in PEM.
    pub ca: PathBuf,
    /// The revocation lists in PEM: one of each CA that issues.
    pub crl: Option<PathBuf>,
}

/// How TLS is spoken.
#[derive(Debug, PartialEq)]
struct Terms {
    versions: Vec<&'static SupportedProtocolVersion>,
    /// Whether a client's certificate must say that it is for clients, rather than not say that it
    /// is for something else.
    stated_purpose: bool,
}

/// What TLS is spoken with, by whether clients show certificates.
struct Configs {
    off: Arc<ServerConfig>,
    optional: Option<Arc<ServerConfig>>,
    required: Option<Arc<ServerConfig>>,
}

/// The certificate and the CAs for clients', as they are at the moment.
pub struct Protection {
    certificate: Arc<Certificate>,
    trust: Option<ClientTrust>,
    terms: Terms,
    current: ArcSwap<Configs>,
    /// A digest of the files of trust when they were last looked at.
    seen: Mutex<[u8; 32]>,
}

impl Protection {
    /// TLS with this certificate; clients show theirs where there is a CA for them.
    ///
    /// # Errors
    /// The CAs or revocation lists cannot be read or hold none.
    pub fn new(
        certificate: Arc<Certificate>,
        trust: Option<ClientTrust>,
    ) -> Result<Self, CertificateError> {
        let terms = Terms {
            versions: vec![&TLS13, &TLS12],
            stated_purpose: false,
        };
        Self::on(terms, certificate, trust)
    }

    /// TLS of those versions with this certificate, where certificates let users in: each must say
    /// that it is for clients (RFC 5280 §4.2.1.12).
    ///
    /// # Errors
    /// As [`Protection::new`], or no version is named.
    pub fn for_users(
        certificate: Arc<Certificate>,
        trust: Option<ClientTrust>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<Self, CertificateError> {
        let terms = Terms {
            versions: versions.to_vec(),
            stated_purpose: true,
        };
        Self::on(terms, certificate, trust)
    }

    fn on(
        terms: Terms,
        certificate: Arc<Certificate>,
        trust: Option<ClientTrust>,
    ) -> Result<Self, CertificateError> {
        let files = trust.as_ref().map(TrustFiles::read).transpose()?;
        let configs = Configs::new(&terms, &certificate, trust.as_ref().zip(files.as_ref()))?;
        Ok(Self {
            certificate,
            trust,
            terms,
            current: ArcSwap::from_pointee(configs),
            seen: Mutex::new(files.map(|files| files.digest()).unwrap_or_default()),
        })
    }

    /// Whether both are made of the same files, in the same way, whatever these hold.
    pub fn is_of_the_files_of(&self, other: &Self) -> bool {
        self.certificate.is_of_the_files_of(&other.certificate)
            && self.trust == other.trust
            && self.terms == other.terms
    }

    /// The server's certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// What TLS is spoken with where clients show no certificate.
    pub fn without_clients(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.load().off)
    }

    /// What TLS is spoken with now; none where clients are to show certificates and there is no CA
    /// for them.
    pub fn config(&self, clients: ClientCertificate) -> Option<Arc<ServerConfig>> {
        let configs = self.current.load();
        match clients {
            ClientCertificate::Off => Some(self.without_clients()),
            ClientCertificate::Optional => configs.optional.clone(),
            ClientCertificate::Required => configs.required.clone(),
        }
    }

    /// Looks at the files of trust and takes what is new in them.
    ///
    /// # Errors
    /// As [`Protection::new`]; what is in use stays in use, and the same fault is told once.
    pub fn reload_trust_if_changed(&self) -> Result<Reload, CertificateError> {
        let Some(trust) = &self.trust else {
            return Ok(Reload::Unchanged);
        };
        let files = TrustFiles::read(trust)?;
        let digest = files.digest();
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen == digest {
                return Ok(Reload::Unchanged);
            }
            *seen = digest;
        }
        let configs = Configs::new(&self.terms, &self.certificate, Some((trust, &files)))?;
        self.current.store(Arc::new(configs));
        Ok(Reload::Replaced)
    }
}

impl Configs {
    fn new(
        terms: &Terms,
        certificate: &Arc<Certificate>,
        trust: Option<(&ClientTrust, &TrustFiles)>,
    ) -> Result<Self, CertificateError> {
        let verified = |required| {
            trust
                .map(|(trust, files)| {
                    let config = files.config(terms, certificate, trust, required);
                    config.map(Arc::new)
                })
                .transpose()
        };
        Ok(Self {
            off: Arc::new(certificate.server_config_for(&terms.versions)?),
            optional: verified(false)?,
            required: verified(true)?,
        })
    }
}

/// The content of the files of trust at one moment.
struct TrustFiles {
    ca: Vec<u8>,
    crl: Option<Vec<u8>>,
}

impl TrustFiles {
    fn read(trust: &ClientTrust) -> Result<Self, CertificateError> {
        Ok(Self {
            ca: read(&trust.ca)?,
            crl: trust.crl.as_deref().map(read).transpose()?,
        })
    }

    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update((self.ca.len() as u64).to_be_bytes());
        digest.update(&self.ca);
        digest.update(self.crl.as_deref().unwrap_or_default());
        digest.finalize().into()
    }

    fn config(
        &self,
        terms: &Terms,
        certificate: &Arc<Certificate>,
        trust: &ClientTrust,
        required: bool,
    ) -> Result<ServerConfig, CertificateError> {
        let unusable = |path: &Path, reason: String| CertificateError::Untrusted {
            path: path.to_owned(),
            reason,
        };
        let cas: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&self.ca)
            .collect::<Result<_, _>>()
            .map_err(|_| CertificateError::NoCertificate(trust.ca.clone()))?;
        let mut roots = RootCertStore::empty();
        for ca in cas {
            roots
                .add(ca)
                .map_err(|fault| unusable(&trust.ca, fault.to_string()))?;
        }
        if roots.is_empty() {
            return Err(CertificateError::NoCertificate(trust.ca.clone()));
        }
        let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        if let (Some(path), Some(bytes)) = (&trust.crl, &self.crl) {
            let lists: Vec<CertificateRevocationListDer<'static>> =
                CertificateRevocationListDer::pem_slice_iter(bytes)
                    .collect::<Result<_, _>>()
                    .map_err(|fault| unusable(path, fault.to_string()))?;
            if lists.is_empty() {
                return Err(unusable(
                    path,
                    "it holds no revocation list in PEM".to_owned(),
                ));
            }
            builder = builder.with_crls(lists).only_check_end_entity_revocation();
        }
        if !required {
            builder = builder.allow_unauthenticated();
        }
        let verifier = builder.build().map_err(|fault| {
            unusable(trust.crl.as_ref().unwrap_or(&trust.ca), fault.to_string())
        })?;
        let verifier = if terms.stated_purpose {
            Arc::new(StatedPurpose::new(verifier))
        } else {
            verifier
        };
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&terms.versions)
            .map_err(|source| CertificateError::Refused {
                path: trust.ca.clone(),
                source,
            })?;
        let mut config = builder
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::<Certificate>::clone(certificate));
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}
