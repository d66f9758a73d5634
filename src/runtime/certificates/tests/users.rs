//! Users' certificates: what lets them in and what does not, with files that change meanwhile.

use rcgen::{DistinguishedName, DnType, KeyUsagePurpose};

use super::*;
use crate::runtime::certificates::making::users;
use crate::runtime::certificates::making::users::{UserNames, make_user_certificate};
use doorward_domain::name::Username;

/// A gateway's TLS for users, and what its clients trust.
struct Site {
    folder: TempDir,
    protection: Protection,
}

fn trust(folder: &Path, crl: bool) -> ClientTrust {
    ClientTrust {
        ca: folder.join("ca.pem"),
        crl: crl.then(|| folder.join("crl.pem")),
    }
}

impl Site {
    fn new() -> Self {
        let folder = folder();
        make(folder.path(), &["localhost"]).unwrap();
        users::revoke(folder.path(), &[], now()).unwrap();
        let certificate = Certificate::open(
            &folder.path().join("eap.pem"),
            &folder.path().join("eap.key"),
        );
        let protection = Protection::for_users(
            Arc::new(certificate.unwrap()),
            Some(trust(folder.path(), true)),
            &[&TLS13, &TLS12],
        );
        Self {
            protection: protection.unwrap(),
            folder,
        }
    }

    /// A certificate of the site's own for a user: the chain and the key, in PEM.
    fn user(&self, name: &str) -> users::MadeUserCertificate {
        self.user_at(name, now(), YEAR)
    }

    fn user_at(&self, name: &str, at: Timestamp, validity: Duration) -> users::MadeUserCertificate {
        let names = UserNames {
            username: Username::parse(name).unwrap(),
            mail: None,
            principal: None,
        };
        make_user_certificate(self.folder.path(), &names, at, validity).unwrap()
    }

    /// What the server says of a certificate on each version of TLS.
    fn judges(&self, chain: &[CertificateDer<'static>], key: &[u8]) -> [Option<String>; 2] {
        [&TLS12, &TLS13].map(|version| {
            let mut roots = RootCertStore::empty();
            let ca = CertificateDer::from_pem_file(self.folder.path().join("ca.pem")).unwrap();
            roots.add(ca).unwrap();
            let config = ClientConfig::builder_with_provider(provider())
                .with_protocol_versions(&[version])
                .unwrap()
                .with_root_certificates(roots);
            let config = if chain.is_empty() {
                config.with_no_client_auth()
            } else {
                let key = PrivatePkcs8KeyDer::from(key.to_vec()).into();
                config.with_client_auth_cert(chain.to_vec(), key).unwrap()
            };
            let name = ServerName::try_from("localhost").unwrap();
            let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
            let server = self.protection.config(ClientCertificate::Required).unwrap();
            let mut server = ServerConnection::new(server).unwrap();
            let refused = shake_hands(&mut client, &mut server).err()?;
            assert!(server.wants_write(), "an alert");
            Some(refused.to_string())
        })
    }

    fn judges_files(&self, made: &users::MadeUserCertificate) -> [Option<String>; 2] {
        let chain = CertificateDer::from_pem_file(&made.certificate).unwrap();
        let key = KeyPair::from_pem(&fs::read_to_string(&made.key).unwrap()).unwrap();
        self.judges(&[chain], &key.serialize_der())
    }
}

#[track_caller]
fn assert_refused(judged: [Option<String>; 2], why: &str) {
    for text in judged {
        let text = text.unwrap_or_default();
        assert!(text.contains(why), "{text}");
    }
}

#[test]
fn a_user_s_certificate_of_the_private_ca_is_taken_and_its_key_is_private() {
    let site = Site::new();
    let made = site.user("alice");
    assert_eq!(site.judges_files(&made), [None, None]);
    let permissions = fs::metadata(&made.key).unwrap().permissions();
    assert_eq!(permissions.mode() & 0o777, 0o600);
    // One for each device.
    let other = site.user("alice");
    assert_ne!(made.certificate, other.certificate);
    assert_eq!(site.judges_files(&made), [None, None]);
    assert_eq!(site.judges_files(&other), [None, None]);
}

#[test]
fn the_names_are_those_that_the_rules_look_for() {
    use doorward_domain::user_certificate::{NamedBy, read};

    let site = Site::new();
    let names = UserNames {
        username: Username::parse("alice").unwrap(),
        mail: Some("alice@mail.example".to_owned().try_into().unwrap()),
        principal: Some("alice@example.org".to_owned().try_into().unwrap()),
    };
    let made = make_user_certificate(site.folder.path(), &names, now(), YEAR).unwrap();
    let der = CertificateDer::from_pem_file(&made.certificate).unwrap();
    for (named_by, expected) in [
        (NamedBy::CommonName, "alice"),
        (NamedBy::Mail, "alice@mail.example"),
        (NamedBy::Upn, "alice@example.org"),
    ] {
        let certificate = read(&der, named_by).unwrap();
        assert_eq!(certificate.name.as_deref(), Some(expected));
        assert_eq!(certificate.identity.serial(), made.serial);
    }
}

#[test]
fn a_revoked_certificate_is_refused_as_soon_as_the_list_is_looked_at() {
    let site = Site::new();
    let (alice, bob, carol) = (site.user("alice"), site.user("bob"), site.user("carol"));
    assert_eq!(site.judges_files(&alice), [None, None]);
    // By its file, and by its serial number as other programs write it.
    let by_file = alice.certificate.to_str().unwrap().to_owned();
    let made = users::revoke(site.folder.path(), std::slice::from_ref(&by_file), now()).unwrap();
    assert_eq!(made.revoked, 1);
    let serial = bob.serial.to_uppercase();
    let made = users::revoke(site.folder.path(), &[serial, by_file], now()).unwrap();
    assert_eq!(made.revoked, 2, "what was on the list stays, once");
    assert_eq!(site.judges_files(&alice), [None, None]);
    let reload = site.protection.reload_trust_if_changed().unwrap();
    assert_eq!(reload, Reload::Replaced);
    assert_refused(site.judges_files(&alice), "Revoked");
    assert_refused(site.judges_files(&bob), "Revoked");
    assert_eq!(site.judges_files(&carol), [None, None]);
    for nonsense in ["", "alice", "0x1f", &"a".repeat(41)] {
        let refused = users::revoke(site.folder.path(), &[nonsense.to_owned()], now());
        assert!(matches!(refused, Err(CertificateError::NoSerial(_))));
    }
    let list = site.folder.path().join("crl.pem");
    let one = fs::read_to_string(&list).unwrap();
    fs::write(&list, one.repeat(2)).unwrap();
    let refused = users::revoke(site.folder.path(), &[], now());
    assert!(matches!(refused, Err(CertificateError::NoList(_))));
    let kept = fs::read_to_string(&list).unwrap();
    assert_eq!(kept, one.repeat(2), "no list is lost");
    let empty = folder();
    let refused = users::revoke(empty.path(), &[], now());
    assert!(matches!(refused, Err(CertificateError::NoCa(_))));
}

#[test]
fn a_certificate_outside_its_time_of_another_ca_or_none_is_refused() {
    let site = Site::new();
    let year_ago = now().minus(2 * YEAR);
    let names = UserNames {
        username: Username::parse("alice").unwrap(),
        mail: None,
        principal: None,
    };
    let over = make_user_certificate(site.folder.path(), &names, year_ago, YEAR).unwrap();
    assert_refused(site.judges_files(&over), "expired");
    let to_come = site.user_at("alice", now().plus(YEAR), YEAR);
    assert_refused(site.judges_files(&to_come), "not valid yet");
    let stranger = Site::new();
    assert_refused(site.judges_files(&stranger.user("alice")), "UnknownIssuer");
    assert_refused(site.judges(&[], &[]), "no certificates");
}

#[test]
fn a_certificate_must_say_that_it_is_for_clients() {
    let site = Site::new();
    let pem = fs::read_to_string(site.folder.path().join("ca.key")).unwrap();
    let key = KeyPair::from_pem(&pem).unwrap();
    let ca = CertificateDer::from_pem_file(site.folder.path().join("ca.pem")).unwrap();
    let (_, parsed) = x509_parser::parse_x509_certificate(&ca).unwrap();
    let name = parsed.subject().iter_common_name().next().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, name.as_str().unwrap());
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let issuer = Issuer::new(params, key);
    let judged = |purposes: &[ExtendedKeyUsagePurpose]| {
        let mut params = CertificateParams::default();
        params.extended_key_usages = purposes.to_vec();
        let key = KeyPair::generate().unwrap();
        let made = params.signed_by(&key, &issuer).unwrap();
        site.judges(&[made.der().clone()], &key.serialize_der())
    };
    let (server, client) = (
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    );
    assert_eq!(judged(&[server.clone(), client]), [None, None]);
    assert_refused(judged(&[]), "InvalidPurpose");
    assert_refused(
        judged(&[ExtendedKeyUsagePurpose::Any]),
        "extended key usage",
    );
    assert_refused(judged(&[server]), "extended key usage");
}

#[test]
fn without_an_unbroken_list_the_one_in_use_stays() {
    let site = Site::new();
    let alice = site.user("alice");
    users::revoke(
        site.folder.path(),
        std::slice::from_ref(&alice.serial),
        now(),
    )
    .unwrap();
    site.protection.reload_trust_if_changed().unwrap();
    fs::write(site.folder.path().join("crl.pem"), "no list").unwrap();
    assert!(site.protection.reload_trust_if_changed().is_err());
    assert_refused(site.judges_files(&alice), "Revoked");
    assert!(matches!(
        users::revoke(site.folder.path(), &[], now()),
        Err(CertificateError::NoList(_))
    ));
}
