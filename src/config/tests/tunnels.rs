//! What is spoken inside EAP's tunnels, and what it takes.

use std::path::Path;

use super::SOUND;
use crate::config::Config;
use crate::config::eap::InnerEapMethod;

fn parse(radius: &str, eap: &str) -> Result<Config, String> {
    let text = format!(
        "{SOUND}\n[radius]\n{radius}\n[eap]\ncertificate = \"eap.pem\"\nprivate_key = \"eap.key\"\n{eap}\n"
    );
    Config::parse(Path::new("door.toml"), &text).map_err(|errors| errors.to_string())
}

#[test]
fn the_password_alone_is_asked_for_unless_said_otherwise() {
    let config = parse("", "").unwrap();
    assert_eq!(config.eap.unwrap().inner, [InnerEapMethod::Gtc]);
    let key = "network_password_key_file = \"network\"";
    let config = parse(key, "inner = [\"mschapv2\", \"gtc\"]").unwrap();
    let expected = [InnerEapMethod::MsChapV2, InnerEapMethod::Gtc];
    assert_eq!(config.eap.unwrap().inner, expected);
}

#[test]
fn mschapv2_without_network_passwords_is_refused_where_it_stands() {
    let said = parse("", "inner = [\"gtc\", \"mschapv2\"]").unwrap_err();
    assert!(said.contains("network_password_key_file"), "{said}");
    assert!(said.contains("inner = [\"gtc\", \"mschapv2\"]"), "{said}");
    let said = parse("", "inner = [\"gtc\", \"gtc\"]").unwrap_err();
    assert!(said.contains("there twice"), "{said}");
    assert!(parse("", "inner = [\"chap\"]").is_err());
}
