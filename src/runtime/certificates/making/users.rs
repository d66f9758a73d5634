//! Certificates of users, for EAP-TLS at sites without a CA of their own, and the list of those that
//! were revoked. Both are the private CA's.
//!
//! A certificate is written under a name that its serial number makes its own, so that a user may
//! have one for each device and none replaces another.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, X509Certificate};
use zeroize::Zeroizing;

use super::{
    CA_VALIDITY, CertificateError, between, ca_params, not_made, provider, read_ca, read_text,
    refused, seconds, trusting, write,
};
use doorward_domain::name::{MailAddress, Username};
use doorward_domain::time::Timestamp;
use doorward_domain::user_certificate::CertificateIdentity;

/// The type of a user principal name.
const USER_PRINCIPAL_NAME: [u64; 10] = [1, 3, 6, 1, 4, 1, 311, 20, 2, 3];
/// Octets of a serial number: as random as the key, and at most 20 (RFC 5280 §4.1.2.2).
const SERIAL: usize = 16;

/// The names that a user's certificate is to carry.
#[derive(Debug, Clone)]
pub struct UserNames {
    /// Its common name.
    pub username: Username,
    /// A mail address (`rfc822Name`).
    pub mail: Option<MailAddress>,
    /// A user principal name, username and realm.
    pub principal: Option<MailAddress>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeUserCertificate {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Its serial number in hexadecimal.
    pub serial: String,
}

/// The list of what was revoked, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocations {
    /// The list in PEM.
    pub list: PathBuf,
    /// How many certificates are on it.
    pub revoked: usize,
}

/// Makes a user's certificate by the CA in `folder`, in `folder/users`. The key is readable by the
/// folder's owner alone.
///
/// # Errors
/// There is no CA, it cannot vouch for the certificate, or a file cannot be written.
pub fn make_user_certificate(
    folder: &Path,
    names: &UserNames,
    now: Timestamp,
    validity: Duration,
) -> Result<MadeUserCertificate, CertificateError> {
    let (ca_pem, ca_key) = ca_of(folder)?;
    let params = ca_params(&ca_key, now, CA_VALIDITY);
    let issuer = Issuer::from_params(&params, &ca_key);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(not_made)?;
    let mut serial: Vec<u8> = Sha256::digest(key.public_key_raw())
        .into_iter()
        .take(SERIAL)
        .collect();
    // Positive, and always as long.
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    let certificate = user_params(names, &serial, now, validity)?
        .signed_by(&key, &issuer)
        .map_err(not_made)?;
    vouched_for(folder, &ca_pem, certificate.der(), now)?;

    let common = names.username.as_str();
    let users = folder.join("users");
    super::make_folder(&users)?;
    let serial = CertificateIdentity::new(&serial, common)
        .serial()
        .to_owned();
    let name = format!("{common}-{}", serial.get(..8).unwrap_or(&serial));
    let made = MadeUserCertificate {
        certificate: users.join(format!("{name}.pem")),
        key: users.join(format!("{name}.key")),
        serial,
    };
    let key = Zeroizing::new(key.serialize_pem());
    write(&made.key, key.as_bytes(), 0o600)?;
    write(&made.certificate, certificate.pem().as_bytes(), 0o644)?;
    Ok(made)
}

/// Puts certificates on the CA's list of revoked ones, `folder/crl.pem`, beside those that are on
/// it already; without any it makes the list where there is none. Each is named by its serial
/// number in hexadecimal, or by its file.
///
/// # Errors
/// There is no CA, a serial number or file is none, or the list cannot be read or written; then
/// nothing is revoked.
pub fn revoke(
    folder: &Path,
    certificates: &[String],
    now: Timestamp,
) -> Result<Revocations, CertificateError> {
    let (ca_pem, ca_key) = ca_of(folder)?;
    let list = folder.join("crl.pem");
    let mut revoked = if list.exists() {
        on_list(&list, &ca_pem)?
    } else {
        Vec::new()
    };
    for certificate in certificates {
        let serial = serial_of(certificate)?;
        if !revoked.iter().any(|(other, _)| *other == serial) {
            revoked.push((serial, seconds(now)));
        }
    }
    let epoch = date_time_ymd(1970, 1, 1);
    let at = |seconds: u64| epoch + Duration::from_secs(seconds);
    let params = CertificateRevocationListParams {
        this_update: at(seconds(now)),
        // Nothing renews it by itself, and it is not looked at.
        next_update: at(seconds(now.plus(CA_VALIDITY))),
        crl_number: SerialNumber::from_slice(&seconds(now).to_be_bytes()),
        issuing_distribution_point: None,
        revoked_certs: revoked
            .iter()
            .map(|(serial, since)| RevokedCertParams {
                serial_number: SerialNumber::from_slice(serial),
                revocation_time: at(*since),
                reason_code: None,
                invalidity_date: None,
            })
            .collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let issuer = ca_params(&ca_key, now, CA_VALIDITY);
    let issuer = Issuer::from_params(&issuer, &ca_key);
    let pem = params
        .signed_by(&issuer)
        .and_then(|signed| signed.pem())
        .map_err(not_made)?;
    write(&list, pem.as_bytes(), 0o644)?;
    Ok(Revocations {
        list,
        revoked: revoked.len(),
    })
}

fn ca_of(folder: &Path) -> Result<(String, KeyPair), CertificateError> {
    if folder.join("ca.pem").exists() {
        read_ca(folder)
    } else {
        Err(CertificateError::NoCa(folder.to_owned()))
    }
}

fn user_params(
    names: &UserNames,
    serial: &[u8],
    now: Timestamp,
    validity: Duration,
) -> Result<CertificateParams, CertificateError> {
    let mut params = between(now, validity);
    params.distinguished_name = DistinguishedName::new();
    let common = names.username.as_str();
    params.distinguished_name.push(DnType::CommonName, common);
    params.serial_number = Some(SerialNumber::from_slice(serial));
    if let Some(mail) = &names.mail {
        let text = Ia5String::try_from(mail.as_str()).map_err(not_made)?;
        params.subject_alt_names.push(SanType::Rfc822Name(text));
    }
    if let Some(principal) = &names.principal {
        let kind = USER_PRINCIPAL_NAME.to_vec();
        let name = SanType::OtherName((kind, principal.as_str().into()));
        params.subject_alt_names.push(name);
    }
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// Whether a server that trusts the CA believes the certificate.
fn vouched_for(
    folder: &Path,
    ca_pem: &str,
    certificate: &CertificateDer<'_>,
    now: Timestamp,
) -> Result<(), CertificateError> {
    let (_, roots) = trusting(folder, ca_pem)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
        .build()
        .map_err(|fault| CertificateError::NotMade(fault.to_string()))?;
    let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds(now)));
    verifier
        .verify_client_cert(certificate, &[], at)
        .map_err(|fault| refused(folder, format!("it was not made here: {fault}")))?;
    Ok(())
}

/// The serial numbers on the CA's list, and since when they are, in seconds since the epoch. A
/// file with more lists is refused, since all but one would be lost.
fn on_list(path: &Path, ca_pem: &str) -> Result<Vec<(Vec<u8>, u64)>, CertificateError> {
    let unusable = || CertificateError::NoList(path.to_owned());
    let pem = read_text(path)?;
    let lists: Result<Vec<_>, _> =
        CertificateRevocationListDer::pem_slice_iter(pem.as_bytes()).collect();
    let lists = lists.map_err(|_| unusable())?;
    let [der] = lists.as_slice() else {
        return Err(unusable());
    };
    let (_, list) = CertificateRevocationList::from_der(der).map_err(|_| unusable())?;
    let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).map_err(|_| unusable())?;
    let (_, ca) = X509Certificate::from_der(&ca).map_err(|_| unusable())?;
    if list.issuer().as_raw() != ca.subject().as_raw() {
        return Err(unusable());
    }
    list.iter_revoked_certificates()
        .map(|entry| {
            let since = u64::try_from(entry.revocation_date.timestamp()).map_err(|_| unusable())?;
            Ok((positive(entry.raw_serial()).to_vec(), since))
        })
        .collect()
}

/// The serial number that is meant: of that file, or as it is written.
fn serial_of(text: &str) -> Result<Vec<u8>, CertificateError> {
    let path = Path::new(text);
    if path.exists() {
        let none = || CertificateError::NoCertificate(path.to_owned());
        let der = CertificateDer::from_pem_file(path).map_err(|_| none())?;
        let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| none())?;
        return Ok(positive(certificate.raw_serial()).to_vec());
    }
    let none = || CertificateError::NoSerial(text.to_owned());
    let digits: String = text.chars().filter(|digit| *digit != ':').collect();
    if digits.is_empty() || digits.len() > 40 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(none());
    }
    let digits = if digits.len().is_multiple_of(2) {
        digits
    } else {
        format!("0{digits}")
    };
    let octets: Result<Vec<u8>, _> = (0..digits.len())
        .step_by(2)
        .map(|place| u8::from_str_radix(digits.get(place..place + 2).unwrap_or_default(), 16))
        .collect();
    Ok(positive(&octets.map_err(|_| none())?).to_vec())
}

/// A serial number without the octets in front that only say that it is positive.
fn positive(serial: &[u8]) -> &[u8] {
    let zeros = serial.iter().take_while(|octet| **octet == 0).count();
    serial
        .get(zeros.min(serial.len().saturating_sub(1))..)
        .unwrap_or_default()
}
