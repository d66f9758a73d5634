//! Listeners on Unix sockets, behind proxies, and with clients' certificates.

use super::{DIRECTORY, SOUND};
use crate::config::ldap::{ClientCertificate, ListenAddress};
use crate::config::{Config, ConfigError};

const TLS: &str = "[tls]\ncertificate = \"a\"\nprivate_key = \"b\"\n";
const WITH_CA: &str =
    "[tls]\ncertificate = \"a\"\nprivate_key = \"b\"\nclient_ca = \"c\"\nclient_crl = \"/d\"\n";

fn listener(before: &str, lines: &str) -> Result<Config, Vec<String>> {
    let text = format!("{DIRECTORY}{before}[[ldap.listener]]\nname = \"l\"\n{lines}\n");
    super::parse(&text).map_err(|errors| {
        errors
            .iter()
            .map(|error| error.message().to_owned())
            .collect()
    })
}

#[test]
fn a_unix_socket_has_a_path_and_a_mode() {
    let config = listener(TLS, "address = \"unix:/run/doorward/ldapi\"").unwrap();
    let found = &config.ldap.listeners[0];
    assert!(found.is_unix() && !found.is_loopback());
    assert_eq!(found.socket_mode, 0o666);
    // Only that there is no resource.
    assert_eq!(config.warnings().len(), 1);
    let facts = &config.listeners()[0];
    assert!(facts.unix && !facts.loopback);
    let config = listener("", "address = \"unix:/a\"\nsocket_mode = \"0660\"").unwrap();
    assert_eq!(config.ldap.listeners[0].socket_mode, 0o660);
}

#[test]
fn what_does_not_fit_a_listener_is_told() {
    let unix = "address = \"unix:/a\"\n";
    let network = "address = \"127.0.0.1:389\"\nplaintext_bind = \"loopback\"\n";
    for (before, lines, message) in [
        (
            "",
            format!("{unix}socket_mode = \"0999\""),
            "'0999' is no mode of a socket",
        ),
        (
            "",
            format!("{unix}socket_mode = \"4755\""),
            "'4755' is no mode of a socket",
        ),
        (
            TLS,
            format!("{unix}tls = \"starttls\""),
            "a Unix socket has no TLS",
        ),
        (
            "",
            format!("{unix}sources = \"10.0.0.0/8\""),
            "has no address",
        ),
        (
            "",
            format!("{unix}proxy_protocol = \"10.0.0.1\""),
            "no proxy speaks",
        ),
        (
            "",
            format!("{unix}plaintext_bind = \"allow\""),
            "leave it out",
        ),
        (
            WITH_CA,
            format!("{unix}client_certificate = \"optional\""),
            "this listener has no TLS to show a certificate in",
        ),
        (
            "",
            "address = [\"unix:/a\", \"127.0.0.1:389\"]".to_owned(),
            "a listener of its own",
        ),
        (
            "",
            "address = [\"unix:/a\", \"unix:/a\"]".to_owned(),
            "unix:/a is taken by ldap.listener[0].address[0] already",
        ),
        (
            "",
            format!("{network}socket_mode = \"0600\""),
            "has no Unix socket",
        ),
        (
            "",
            format!("{network}proxy_protocol = [\"10.0.0.1\", \"0.0.0.0/0\"]"),
            "anybody could claim to be anybody",
        ),
        (
            TLS,
            format!("{network}client_certificate = \"required\""),
            "this needs client_ca in [tls]",
        ),
    ] {
        let said = listener(before, &lines).unwrap_err();
        assert_eq!(said.len(), 1, "{lines}: {said:?}");
        assert!(said[0].contains(message), "{lines}: {said:?}");
    }
}

#[test]
fn the_status_page_may_have_a_unix_socket_of_its_own() {
    let with = |lines: &str| listener(&format!("[metrics]\n{lines}\n"), "address = \"unix:/a\"");
    let config = with("address = \"unix:/b\"\nsocket_mode = \"0600\"").unwrap();
    let metrics = config.metrics.unwrap();
    assert_eq!(metrics.address, ListenAddress::Unix("/b".into()));
    assert_eq!(metrics.socket_mode, 0o600);
    let said = with("address = \"unix:/a\"").unwrap_err();
    assert!(said[0].contains("unix:/a is taken by"), "{said:?}");
}

#[test]
fn client_certificates_need_a_ca_and_start_from_the_files_folder() {
    let lines = "address = \"0.0.0.0:636\"\ntls = \"implicit\"\nclient_certificate = \"required\"";
    let config = listener(WITH_CA, lines).unwrap();
    let found = &config.ldap.listeners[0];
    assert_eq!(found.client_certificate, ClientCertificate::Required);
    assert!(config.listeners()[0].client_certificates);
    let tls = config.tls.unwrap();
    assert_eq!(tls.client_ca.unwrap().to_str(), Some("c"));
    assert_eq!(tls.client_crl.unwrap().to_str(), Some("/d"));
}

#[test]
fn behind_a_proxy_loopback_is_not_this_machine_alone() {
    let proxied = SOUND.replace(
        "plaintext_bind",
        "proxy_protocol = \"127.0.0.1\"\nplaintext_bind",
    );
    assert!(!super::parse(&proxied).unwrap().listeners()[0].loopback);
    assert!(super::parse(SOUND).unwrap().listeners()[0].loopback);
}

#[test]
fn a_match_names_certificates_and_unix_users() {
    let read = |key: &str| {
        let text = SOUND.replace("listener = \"hosts\"", key);
        super::parse(&text).map(|config| config.resources()[0].matched_by.clone().unwrap())
    };
    let found = read("client_certificate = [\"mx1.example.org\", \"alice@example.org\"]").unwrap();
    assert_eq!(found.client_certificate.len(), 2);
    let found = read("peer_user = \"postfix\"").unwrap();
    assert_eq!(found.peer_user[0].as_str(), "postfix");
    let found = read(
        "listener = \"hosts\"\nbase = \"ou=mail\""
            .replace('\n', ", ")
            .as_str(),
    )
    .unwrap();
    assert_eq!(found.base[0].unit(), "mail");
    let said = |key: &str| {
        let errors = read(key).unwrap_err();
        errors
            .iter()
            .map(ConfigError::message)
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert!(said("base = \"ou=people\"").contains("which the tree has already"));
    assert!(said("peer_user = \"a b\"").contains("'a b' is no Unix user"));
    assert!(said("client_certificate = \"\"").contains("is no name of a certificate"));
}
