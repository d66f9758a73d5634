//! Certificates of users in `[eap]`: what belongs together.

use super::*;
use crate::config::eap::{Eap, EapMethod};
use doorward_domain::user_certificate::NamedBy;

const RADIUS: &str = r#"
[radius]
authentication = "127.0.0.1:1812"

[[radius.client]]
name = "ap"
address = "192.0.2.1/32"
secret = "Xbm7kfK2wq0ZrT9v"
resource = "hosts"

[eap]
certificate = "eap.pem"
private_key = "/keys/eap.key"
"#;

fn eap(lines: &str) -> Result<Eap, String> {
    let text = format!("{SOUND}{RADIUS}{lines}\n");
    let config = Config::parse(Path::new("/etc/doorward/doorward.toml"), &text);
    config
        .map(|config| config.eap.unwrap())
        .map_err(|errors| errors.to_string())
}

#[test]
fn certificates_of_users_take_a_method_a_ca_and_a_rule() {
    let found = eap("methods = [\"tls\", \"ttls\"]\nclient_ca = \"ca.pem\"\n\
                     client_crl = \"/lists/crl.pem\"\nclient_name = \"common_name\"")
    .unwrap();
    assert_eq!(found.methods, [EapMethod::Tls, EapMethod::Ttls]);
    assert_eq!(found.client_name, Some(NamedBy::CommonName));
    assert_eq!(found.client_ca, Some(PathBuf::from("/etc/doorward/ca.pem")));
    assert_eq!(found.client_crl, Some(PathBuf::from("/lists/crl.pem")));
    let found = eap("").unwrap();
    assert_eq!(found.methods, [EapMethod::Ttls, EapMethod::Peap]);
    assert_eq!((found.client_ca, found.client_name), (None, None));
}

#[test]
fn half_of_it_is_refused() {
    let ca = "client_ca = \"ca.pem\"\n";
    let tls = "methods = [\"tls\"]\n";
    for (lines, said) in [
        (tls.to_owned(), "this needs client_ca"),
        (format!("{tls}{ca}"), "this needs client_name"),
        (
            format!("{tls}client_name = \"mail\""),
            "this needs client_ca",
        ),
        (ca.to_owned(), "add \"tls\" to methods"),
        (
            "client_name = \"mail\"".to_owned(),
            "add \"tls\" to methods",
        ),
        (
            "client_crl = \"crl.pem\"".to_owned(),
            "add \"tls\" to methods",
        ),
        (
            format!("{tls}{ca}client_name = \"upn\""),
            "name it in directory.realms",
        ),
        (format!("{tls}{ca}client_name = \"cn\""), "common_name"),
    ] {
        let refused = eap(&lines).unwrap_err();
        assert!(refused.contains(said), "{lines}: {refused}");
    }
}
