//! Makes a private CA and server certificates from it, for tests, demonstrations and sites without
//! a CA of their own.
//!
//! A folder holds `ca.pem` (what clients trust), `ca.key`, `server.pem` and `server.key`, and
//! `eap.pem` and `eap.key`, which devices pin and LDAP clients never see. A CA that is there is never replaced, so that clients who trust it trust the next certificate too; its
//! name follows from its key, which is how it can be used again without being parsed. `users` makes
//! certificates of users with it.

pub mod users;

use std::fmt;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, date_time_ymd,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, DnsName, ServerName, UnixTime};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{CertificateError, Validity, provider};
use doorward_domain::time::Timestamp;
use doorward_files as files;

/// How long a CA lasts: replacing it means visiting every client.
const CA_VALIDITY: Duration = Duration::from_hours(10 * 366 * 24);
/// How far back a certificate starts, for clients whose clock is behind.
const CLOCK_SKEW: Duration = Duration::from_hours(1);
/// The longest validity that is asked for in earnest.
const MAX_VALIDITY: Duration = Duration::from_hours(100 * 366 * 24);

/// A name by which clients reach the server (RFC 5280 4.2.1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectAltName {
    /// A host name, or `*.` and a domain.
    Dns(String),
    /// An address.
    Ip(IpAddr),
}

/// Text that is neither a host name nor an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is neither a host name nor an address")]
pub struct NotAHost(String);

impl FromStr for SubjectAltName {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, NotAHost> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        let host = text.strip_prefix("*.").unwrap_or(text);
        match DnsName::try_from(host) {
            Ok(_) => Ok(Self::Dns(text.to_ascii_lowercase())),
            Err(_) => Err(NotAHost(text.to_owned())),
        }
    }
}

impl fmt::Display for SubjectAltName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => formatter.write_str(name),
            Self::Ip(address) => address.fmt(formatter),
        }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeCertificates {
    /// The CA's certificate, which clients are to trust.
    pub ca: PathBuf,
    /// Whether the CA was there before.
    pub ca_was_there: bool,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The certificate for EAP.
    pub eap_certificate: PathBuf,
    /// Its private key.
    pub eap_key: PathBuf,
}

/// Makes a server certificate for `names` in `folder`, another one for EAP, and the CA that vouches
/// for them where there is none. Server certificates that are there are replaced. Keys are EC P-256, readable by the
/// folder's owner alone.
///
/// # Errors
/// No name is given, a file cannot be read or written, half a CA is there, or the CA that is there
/// cannot vouch for the new certificate; then nothing is replaced.
pub fn make_private_ca_and_server_certificate(
    folder: &Path,
    names: &[SubjectAltName],
    now: Timestamp,
    validity: Duration,
) -> Result<MadeCertificates, CertificateError> {
    let made = MadeCertificates {
        ca: folder.join("ca.pem"),
        ca_was_there: folder.join("ca.pem").exists(),
        certificate: folder.join("server.pem"),
        key: folder.join("server.key"),
        eap_certificate: folder.join("eap.pem"),
        eap_key: folder.join("eap.key"),
    };
    let ca_key_path = folder.join("ca.key");
    let first = names
        .first()
        .ok_or_else(|| CertificateError::NotMade("it needs at least one name".to_owned()))?;
    complete(folder, &made, &ca_key_path)?;

    make_folder(folder)?;
    let (ca_pem, ca_key) = if made.ca_was_there {
        read_ca(folder)?
    } else {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(not_made)?;
        let params = ca_params(&key, now, CA_VALIDITY.max(validity));
        let pem = params.self_signed(&key).map_err(not_made)?.pem();
        (pem, key)
    };

    let issuer = ca_params(&ca_key, now, CA_VALIDITY);
    let issuer = Issuer::from_params(&issuer, &ca_key);
    let issue = || {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(not_made)?;
        let certificate = server_params(first, names, now, validity)?
            .signed_by(&key, &issuer)
            .map_err(not_made)?;
        vouched_for(folder, &ca_pem, certificate.der(), first, now)?;
        Ok((key, certificate.pem()))
    };
    let (server, eap) = (issue()?, issue()?);

    if !made.ca_was_there {
        let key = Zeroizing::new(ca_key.serialize_pem());
        write(&ca_key_path, key.as_bytes(), 0o600)?;
        write(&made.ca, ca_pem.as_bytes(), 0o644)?;
    }
    for ((key, certificate), key_path, path) in [
        (server, &made.key, &made.certificate),
        (eap, &made.eap_key, &made.eap_certificate),
    ] {
        let key = Zeroizing::new(key.serialize_pem());
        write(key_path, key.as_bytes(), 0o600)?;
        write(path, certificate.as_bytes(), 0o644)?;
    }
    Ok(made)
}

/// The certificate of the folder's CA in PEM, and its key.
fn read_ca(folder: &Path) -> Result<(String, KeyPair), CertificateError> {
    let pem = read_text(&folder.join("ca.pem"))?;
    let path = folder.join("ca.key");
    let key = Zeroizing::new(read_text(&path)?);
    let key = KeyPair::from_pem(&key).map_err(|_| CertificateError::NoKey(path))?;
    Ok((pem, key))
}

/// Refuses folders with half a CA, and with a certificate that came from elsewhere.
fn complete(folder: &Path, made: &MadeCertificates, ca_key: &Path) -> Result<(), CertificateError> {
    let incomplete = |found, missing| {
        Err(CertificateError::Incomplete {
            folder: folder.to_owned(),
            found,
            missing,
        })
    };
    match (made.ca_was_there, ca_key.exists()) {
        (true, false) => incomplete("ca.pem", "ca.key"),
        (false, true) => incomplete("ca.key", "ca.pem"),
        (false, false) if made.certificate.exists() => {
            incomplete("server.pem", "the CA that made it")
        }
        (false, false) if made.key.exists() => incomplete("server.key", "the CA that made it"),
        _ => Ok(()),
    }
}

fn ca_params(key: &KeyPair, now: Timestamp, validity: Duration) -> CertificateParams {
    let digest = Sha256::digest(key.public_key_raw());
    let fingerprint = digest
        .iter()
        .take(4)
        .fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    let mut params = between(now, validity);
    params.distinguished_name = DistinguishedName::new();
    let name = format!("Doorward private CA {fingerprint:08x}");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn server_params(
    first: &SubjectAltName,
    names: &[SubjectAltName],
    now: Timestamp,
    validity: Duration,
) -> Result<CertificateParams, CertificateError> {
    let mut params = between(now, validity);
    params.distinguished_name = DistinguishedName::new();
    // A common name has at most 64 characters (RFC 5280 A.1); nobody should read it any more.
    let common: String = first.to_string().chars().take(64).collect();
    params.distinguished_name.push(DnType::CommonName, common);
    params.subject_alt_names = names
        .iter()
        .map(|name| match name {
            SubjectAltName::Dns(name) => {
                Ok(SanType::DnsName(name.clone().try_into().map_err(not_made)?))
            }
            SubjectAltName::Ip(address) => Ok(SanType::IpAddress(*address)),
        })
        .collect::<Result<_, CertificateError>>()?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn between(now: Timestamp, validity: Duration) -> CertificateParams {
    let epoch = date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.not_before = epoch + Duration::from_secs(seconds(now.minus(CLOCK_SKEW)));
    params.not_after = epoch + Duration::from_secs(seconds(now.plus(validity.min(MAX_VALIDITY))));
    params
}

/// Seconds since the epoch, inside the years that a certificate can name.
fn seconds(at: Timestamp) -> u64 {
    const YEAR_9000: u64 = 221_845_392_000;
    u64::try_from(at.as_seconds()).unwrap_or(0).min(YEAR_9000)
}

/// The CA, and the trust of whoever trusts it alone.
fn trusting(
    folder: &Path,
    ca_pem: &str,
) -> Result<(CertificateDer<'static>, Arc<RootCertStore>), CertificateError> {
    let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes())
        .map_err(|_| CertificateError::NoCertificate(folder.join("ca.pem")))?;
    let mut roots = RootCertStore::empty();
    roots
        .add(ca.clone())
        .map_err(|fault| refused(folder, fault.to_string()))?;
    Ok((ca, Arc::new(roots)))
}

fn refused(folder: &Path, reason: String) -> CertificateError {
    CertificateError::CaRefused {
        folder: folder.to_owned(),
        reason,
    }
}

/// Whether a client that trusts the CA believes the certificate.
fn vouched_for(
    folder: &Path,
    ca_pem: &str,
    server: &CertificateDer<'_>,
    name: &SubjectAltName,
    now: Timestamp,
) -> Result<(), CertificateError> {
    let refused = |reason: String| refused(folder, reason);
    let (ca, roots) = trusting(folder, ca_pem)?;
    // Verification takes a root as it is; clients look at its dates too.
    if !Validity::of(&ca).is_some_and(|validity| validity.holds(now)) {
        return Err(refused(
            "it has expired, or its dates cannot be read".to_owned(),
        ));
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider())
        .build()
        .map_err(|fault| CertificateError::NotMade(fault.to_string()))?;
    let host = match name {
        SubjectAltName::Ip(address) => ServerName::from(*address),
        // A wildcard stands for any label.
        SubjectAltName::Dns(name) => ServerName::try_from(name.replacen('*', "any", 1))
            .map_err(|fault| CertificateError::NotMade(fault.to_string()))?,
    };
    let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds(now)));
    verifier
        .verify_server_cert(server, &[], &host, &[], at)
        .map_err(|fault| refused(format!("it was not made here: {fault}")))?;
    Ok(())
}

/// The permissions of folders with certificates: those are for everybody to read. A key is its
/// owner's alone by its own.
const FOLDER_MODE: u32 = 0o755;

fn make_folder(folder: &Path) -> Result<(), CertificateError> {
    files::make_folder(folder, FOLDER_MODE).map_err(|source| unwritable(folder, source))
}

/// Writes a file in one step and gives it to the owner of the folder: root makes certificates for
/// a service that is not root.
fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), CertificateError> {
    files::replace(path, mode, content).map_err(|source| unwritable(path, source))
}

fn read_text(path: &Path) -> Result<String, CertificateError> {
    fs::read_to_string(path).map_err(|source| CertificateError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

fn unwritable(path: &Path, source: io::Error) -> CertificateError {
    CertificateError::Unwritable {
        path: path.to_owned(),
        source,
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn not_made(fault: rcgen::Error) -> CertificateError {
    CertificateError::NotMade(fault.to_string())
}
