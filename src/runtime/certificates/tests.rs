mod users;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, RootCertStore, ServerConnection,
};
use tempfile::TempDir;

use super::making::{SubjectAltName, make_private_ca_and_server_certificate};
use super::*;
use doorward_domain::time::Timestamp;
use doorward_ldap_protocol::settings::ClientCertificate;

const YEAR: Duration = Duration::from_hours(365 * 24);

fn now() -> Timestamp {
    #[expect(
        clippy::disallowed_methods,
        reason = "a handshake in a test is judged by the real clock"
    )]
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

fn names(texts: &[&str]) -> Vec<SubjectAltName> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn make(folder: &Path, texts: &[&str]) -> Result<making::MadeCertificates, CertificateError> {
    make_private_ca_and_server_certificate(folder, &names(texts), now(), YEAR)
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A handshake in memory to its end, and what either says behind it.
fn shake_hands(
    client: &mut ClientConnection,
    server: &mut ServerConnection,
) -> Result<(), rustls::Error> {
    while client.wants_write() || server.wants_write() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets()?;
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets()?;
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok(())
}

/// A whole handshake in memory, as a client that trusts `ca` alone and wants `name`.
fn handshake(
    server: &Arc<ServerConfig>,
    ca: &Path,
    name: &str,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<(ProtocolVersion, CertificateDer<'static>), rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap())?;
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name)?;
    let mut server = ServerConnection::new(Arc::clone(server))?;
    shake_hands(&mut client, &mut server)?;
    let shown = client.peer_certificates().unwrap()[0].clone();
    Ok((client.protocol_version().unwrap(), shown.into_owned()))
}

#[test]
fn a_client_that_trusts_the_ca_believes_the_server() {
    let folder = folder();
    let made = make(folder.path(), &["ldap.example.org", "127.0.0.1", "::1"]).unwrap();
    assert!(!made.ca_was_there);
    let config = Arc::new(load_server_config(&made.certificate, &made.key).unwrap());
    for name in ["ldap.example.org", "127.0.0.1", "::1"] {
        let (version, _) = handshake(&config, &made.ca, name, &[&TLS13, &TLS12]).unwrap();
        assert_eq!(version, ProtocolVersion::TLSv1_3, "{name}");
        let (version, _) = handshake(&config, &made.ca, name, &[&TLS12]).unwrap();
        assert_eq!(version, ProtocolVersion::TLSv1_2, "{name}");
    }
    let other = handshake(&config, &made.ca, "mail.example.org", &[&TLS13]);
    assert!(matches!(other, Err(rustls::Error::InvalidCertificate(_))));
}

#[test]
fn the_dates_are_read_from_the_certificate() {
    let folder = folder();
    let now = Timestamp::from_millis(1_795_348_800_000);
    let names = names(&["localhost"]);
    let made = make_private_ca_and_server_certificate(folder.path(), &names, now, YEAR).unwrap();
    let held = Certificate::open(&made.certificate, &made.key).unwrap();
    let validity = held.validity().unwrap();
    assert_eq!(validity.not_before, now.minus(Duration::from_hours(1)));
    assert_eq!(validity.not_after, now.plus(YEAR));
    assert!(validity.holds(now) && validity.holds(validity.not_after));
    assert!(!validity.holds(now.minus(Duration::from_hours(2))));
    assert!(!validity.holds(now.plus(YEAR * 2)));
}

#[test]
fn a_client_that_trusts_another_ca_does_not() {
    let (ours, theirs) = (folder(), folder());
    let made = make(ours.path(), &["localhost"]).unwrap();
    let other = make(theirs.path(), &["localhost"]).unwrap();
    let config = Arc::new(load_server_config(&made.certificate, &made.key).unwrap());
    let seen = handshake(&config, &other.ca, "localhost", &[&TLS13]);
    assert!(matches!(seen, Err(rustls::Error::InvalidCertificate(_))));
}

#[test]
fn keys_are_private_and_certificates_are_not() {
    let folder = folder();
    make(folder.path(), &["localhost"]).unwrap();
    let mode = |name: &str| {
        let metadata = fs::metadata(folder.path().join(name)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    for key in ["ca.key", "server.key", "eap.key"] {
        assert_eq!(mode(key), 0o600, "{key}");
    }
    assert_eq!(mode("ca.pem") & 0o600, 0o600);
    let mut left: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(
        left,
        [
            "ca.key",
            "ca.pem",
            "eap.key",
            "eap.pem",
            "server.key",
            "server.pem"
        ]
    );
}

#[test]
fn a_ca_is_used_again_and_never_replaced() {
    let folder = folder();
    let first = make(folder.path(), &["one.example.org"]).unwrap();
    let ca = fs::read(&first.ca).unwrap();
    let ca_key = fs::read(folder.path().join("ca.key")).unwrap();
    let second = make(folder.path(), &["two.example.org"]).unwrap();
    assert!(second.ca_was_there);
    assert_eq!(fs::read(&second.ca).unwrap(), ca);
    assert_eq!(fs::read(folder.path().join("ca.key")).unwrap(), ca_key);
    let config = Arc::new(load_server_config(&second.certificate, &second.key).unwrap());
    handshake(&config, &second.ca, "two.example.org", &[&TLS13]).unwrap();
}

#[test]
fn half_a_ca_and_foreign_certificates_are_left_alone() {
    for (gone, found) in [("ca.key", "ca.pem"), ("ca.pem", "ca.key")] {
        let folder = folder();
        make(folder.path(), &["localhost"]).unwrap();
        fs::remove_file(folder.path().join(gone)).unwrap();
        let before = fs::read(folder.path().join("server.pem")).unwrap();
        let said = make(folder.path(), &["localhost"]).unwrap_err().to_string();
        assert!(
            said.contains(&format!("holds {found} without {gone}")),
            "{said}"
        );
        assert_eq!(fs::read(folder.path().join("server.pem")).unwrap(), before);
    }
    let foreign = folder();
    fs::write(foreign.path().join("server.key"), "precious").unwrap();
    assert!(make(foreign.path(), &["localhost"]).is_err());
    let kept = fs::read_to_string(foreign.path().join("server.key")).unwrap();
    assert_eq!(kept, "precious");
}

#[test]
fn a_ca_that_was_exchanged_or_expired_vouches_for_nothing() {
    let (ours, theirs) = (folder(), folder());
    let made = make(ours.path(), &["localhost"]).unwrap();
    let other = make(theirs.path(), &["localhost"]).unwrap();
    let before = fs::read(&made.certificate).unwrap();
    let late = now().plus(YEAR * 11);
    let names = names(&["localhost"]);
    let said = make_private_ca_and_server_certificate(ours.path(), &names, late, YEAR);
    assert!(matches!(said, Err(CertificateError::CaRefused { .. })));
    fs::copy(&other.ca, &made.ca).unwrap();
    let said = make(ours.path(), &["localhost"]);
    assert!(matches!(said, Err(CertificateError::CaRefused { .. })));
    assert_eq!(fs::read(&made.certificate).unwrap(), before);
}

#[test]
fn a_certificate_needs_a_name_that_is_one() {
    assert!(make(folder().path(), &[]).is_err());
    for bad in ["", "two words", "a..b", "-", "*.*.org", "ldap://x"] {
        assert!(bad.parse::<SubjectAltName>().is_err(), "{bad}");
    }
    let folder = folder();
    let made = make(folder.path(), &["*.Example.org"]).unwrap();
    let config = Arc::new(load_server_config(&made.certificate, &made.key).unwrap());
    handshake(&config, &made.ca, "ldap.example.org", &[&TLS13]).unwrap();
}

#[test]
fn every_fault_names_its_file() {
    let (one, two) = (folder(), folder());
    let made = make(one.path(), &["localhost"]).unwrap();
    let other = make(two.path(), &["localhost"]).unwrap();
    let said = |certificate: &Path, key: &Path| {
        load_server_config(certificate, key)
            .unwrap_err()
            .to_string()
    };
    let missing = one.path().join("missing.pem");
    assert_eq!(
        said(&missing, &made.key),
        format!(
            "{} cannot be read: No such file or directory (os error 2)",
            missing.display()
        )
    );
    let no_key = said(&made.certificate, &made.certificate);
    assert!(no_key.starts_with(&format!(
        "{} holds no private key in PEM",
        made.certificate.display()
    )));
    let no_certificate = said(&made.key, &made.key);
    assert!(no_certificate.contains("server.key holds no certificate in PEM"));
    assert_eq!(
        said(&made.certificate, &other.key),
        format!(
            "the certificate in {} was not made for the key in {}: replace both, or name the two \
             files that belong together",
            made.certificate.display(),
            other.key.display()
        )
    );
    let garbage = one.path().join("garbage.pem");
    let text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    fs::write(&garbage, text).unwrap();
    let refused = said(&garbage, &made.key);
    assert!(refused.contains("garbage.pem"), "{refused}");
}

#[test]
fn a_replaced_certificate_is_shown_to_the_next_client() {
    let folder = folder();
    let made = make(folder.path(), &["localhost"]).unwrap();
    let held = Arc::new(Certificate::open(&made.certificate, &made.key).unwrap());
    let config = Arc::new(held.server_config().unwrap());
    let shown = || {
        let seen = handshake(&config, &made.ca, "localhost", &[&TLS13]);
        seen.unwrap().1
    };
    let first = shown();
    assert_eq!(held.reload_if_changed().unwrap(), Reload::Unchanged);
    make(folder.path(), &["localhost"]).unwrap();
    assert_eq!(
        shown(),
        first,
        "nothing changes before the files are looked at"
    );
    assert_eq!(held.reload_if_changed().unwrap(), Reload::Replaced);
    let second = shown();
    assert_ne!(second, first);
    assert_eq!(held.chain()[0], second);
    assert_eq!(held.reload_if_changed().unwrap(), Reload::Unchanged);
}

#[test]
fn a_broken_replacement_is_refused_once_and_the_old_one_stays() {
    let folder = folder();
    let made = make(folder.path(), &["localhost"]).unwrap();
    let held = Arc::new(Certificate::open(&made.certificate, &made.key).unwrap());
    let before = held.chain();
    let old_key = fs::read(&made.key).unwrap();
    make(folder.path(), &["localhost"]).unwrap();
    let new_key = fs::read(&made.key).unwrap();
    // The certificate is new already, the key not yet.
    fs::write(&made.key, &old_key).unwrap();
    let refused = held.reload_if_changed();
    assert!(matches!(refused, Err(CertificateError::Mismatch { .. })));
    assert_eq!(held.reload_if_changed().unwrap(), Reload::Unchanged);
    assert_eq!(held.chain(), before);
    fs::write(&made.key, &new_key).unwrap();
    assert_eq!(held.reload_if_changed().unwrap(), Reload::Replaced);
    assert_ne!(held.chain(), before);
    fs::remove_file(&made.key).unwrap();
    assert!(held.reload_if_changed().is_err());
}

#[test]
fn whoever_shows_a_certificate_shows_it_at_every_handshake() {
    let folder = folder();
    let made = make(folder.path(), &["localhost"]).unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let trust = ClientTrust {
        ca: folder.path().join("clients.pem"),
        crl: None,
    };
    fs::write(&trust.ca, params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let mut params = CertificateParams::default();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let own = params.signed_by(&key, &issuer).unwrap();

    let held = Arc::new(Certificate::open(&made.certificate, &made.key).unwrap());
    let protection = Protection::new(held, Some(trust)).unwrap();
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(&made.ca).unwrap())
        .unwrap();
    for versions in [[&TLS13], [&TLS12]] {
        for clients in [
            ClientCertificate::Off,
            ClientCertificate::Optional,
            ClientCertificate::Required,
        ] {
            let server = protection.config(clients).unwrap();
            // It keeps its sessions from one handshake to the next.
            let config = ClientConfig::builder_with_provider(provider())
                .with_protocol_versions(&versions)
                .unwrap()
                .with_root_certificates(roots.clone())
                .with_client_auth_cert(
                    vec![own.der().clone()],
                    PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
                )
                .unwrap();
            let config = Arc::new(config);
            let kinds = [(); 2].map(|()| {
                let name = ServerName::try_from("localhost").unwrap();
                let mut client = ClientConnection::new(Arc::clone(&config), name).unwrap();
                let mut server = ServerConnection::new(Arc::clone(&server)).unwrap();
                shake_hands(&mut client, &mut server).unwrap();
                assert_eq!(
                    server.peer_certificates().is_some(),
                    clients != ClientCertificate::Off
                );
                server.handshake_kind().unwrap()
            });
            // Where nobody is asked for one sessions are resumed: this client does it if it can.
            let second = match clients {
                ClientCertificate::Off => HandshakeKind::Resumed,
                _ => HandshakeKind::Full,
            };
            assert_eq!(
                kinds,
                [HandshakeKind::Full, second],
                "{clients:?} {versions:?}"
            );
        }
    }
}
