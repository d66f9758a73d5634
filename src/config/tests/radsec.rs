//! `[radius] radsec`, `[radius.tls]`, and the certificates of clients.

use super::super::ConfigError;
use super::super::radius::RadiusOneOne;
use super::{SOUND, parse};

const TLS: &str = "[radius]\nradsec = \"0.0.0.0:2083\"\n[radius.tls]\ncertificate = \"a\"\n\
                   private_key = \"b\"\nclient_ca = \"/c\"\n";

fn client(name: &str, lines: &str) -> String {
    format!("[[radius.client]]\nname = \"{name}\"\nresource = \"hosts\"\n{lines}\n")
}

fn refused(text: &str) -> Vec<String> {
    let errors = parse(&format!("{SOUND}\n{text}")).unwrap_err();
    let messages = errors.iter().map(ConfigError::message);
    messages.map(str::to_owned).collect()
}

#[test]
fn a_client_over_tls_needs_neither_secret_nor_address() {
    let text = format!(
        "{SOUND}\n{TLS}{}{}",
        client("proxy", "certificate = \"proxy.example.org\""),
        client(
            "both",
            "certificate = [\"192.0.2.1\", \"urn:both\"]\naddress = \"192.0.2.1\"\nsecret_file = \"s\""
        )
    );
    let config = parse(&text).unwrap();
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
    let tls = config.radius_tls().unwrap();
    assert_eq!(tls.client_ca.to_str(), Some("/c"));
    assert_eq!(tls.radius_1_1, RadiusOneOne::Allow);
    let clients = &config.radius.as_ref().unwrap().clients;
    assert!(clients[0].secret.is_none() && clients[0].address.is_empty());
    assert!(clients[1].secret.is_some());
    assert_eq!(clients[1].certificate.len(), 2);
}

#[test]
fn clients_over_tls_may_share_addresses_and_no_certificate() {
    let of = |name: &str, certificate: &str| {
        let lines = format!("certificate = \"{certificate}\"\naddress = \"192.0.2.0/24\"");
        client(name, &lines)
    };
    let text = format!(
        "{TLS}{}{}",
        of("a", "a.example.org"),
        of("b", "A.example.org")
    );
    assert_eq!(refused(&text), ["'A.example.org' is client 'a' already"]);
    let text = text.replace("A.example", "b.example");
    assert!(parse(&format!("{SOUND}\n{text}")).is_ok());
}

#[test]
fn half_of_it_is_refused() {
    let secret = client(
        "nas",
        "secret_file = \"s\"\ncertificate = \"nas.example.org\"",
    );
    for (text, message) in [
        (
            "[radius]\nradsec = \"0.0.0.0:2083\"".to_owned(),
            "add [radius.tls]",
        ),
        (format!("{TLS}{secret}"), "has no `address`"),
        (format!("{TLS}idle_timeout = \"0s\""), "out of bounds"),
        (
            TLS.replace("0.0.0.0:2083", "127.0.0.1:389"),
            "is taken by ldap.listener[0].address already",
        ),
    ] {
        let said = refused(&text);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains(message), "{said:?}");
    }
    let unused = client("proxy", "certificate = \"proxy.example.org\"");
    let config = parse(&format!("{SOUND}\n[radius]\n{unused}")).unwrap();
    let warned = config.warnings().iter().map(ToString::to_string);
    assert!(
        warned
            .into_iter()
            .any(|one| one.contains("no connection comes in"))
    );
}
