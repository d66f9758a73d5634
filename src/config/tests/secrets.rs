//! The secrets' files, and who may read them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::SOUND;
use crate::config::{ClientName, Config, secrets};

/// A folder with a configuration whose client's secret is `content` with `mode`.
fn folder(content: &str, mode: u32) -> (tempfile::TempDir, Config) {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "{SOUND}\n[[radius.client]]\nname = \"wlc\"\naddress = \"10.0.9.2\"\n\
         secret_file = \"wlc\"\nresource = \"hosts\"\n"
    );
    let path = folder.path().join("door.toml");
    fs::write(&path, &text).unwrap();
    let secret = folder.path().join("wlc");
    fs::write(&secret, content).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(mode)).unwrap();
    let config = Config::load(&path).unwrap();
    (folder, config)
}

#[test]
fn a_secret_is_read_without_its_line_break() {
    for content in [
        "a long enough secret",
        "a long enough secret\r\n",
        "a long enough secret\n",
    ] {
        let (_folder, config) = folder(content, 0o640);
        let secrets = secrets::read(&config).unwrap();
        let secret = secrets.client(&ClientName::parse("wlc").unwrap()).unwrap();
        assert_eq!(secret.expose(), b"a long enough secret");
        assert_eq!(secrets.warnings(), &[]);
    }
}

#[test]
fn a_secret_others_can_read_is_refused() {
    for mode in [0o644, 0o602, 0o601] {
        let (folder, config) = folder("a long enough secret", mode);
        let path = folder.path().display();
        assert_eq!(
            secrets::read(&config).unwrap_err().to_string(),
            format!(
                "{path}/door.toml:18:15: everyone on this machine can read or change {path}/wlc: \
                 chmod o= {path}/wlc\n  secret_file = \"wlc\"\n                ^~~~~"
            )
        );
    }
}

#[test]
fn a_secret_that_is_missing_empty_or_short_is_said_so() {
    let (folder_, config) = folder("\n", 0o600);
    let said = secrets::read(&config).unwrap_err().to_string();
    assert!(said.contains("wlc is empty"), "{said}");
    fs::remove_file(folder_.path().join("wlc")).unwrap();
    let said = secrets::read(&config).unwrap_err().to_string();
    assert!(said.contains("cannot be read: No such file"), "{said}");
    let (_folder, config) = folder("hunter2", 0o600);
    let secrets = secrets::read(&config).unwrap();
    let warning = secrets.warnings()[0].message();
    assert!(warning.starts_with("a secret of 7 bytes"), "{warning}");
    let (_folder, config) = folder(&"x".repeat(4097), 0o600);
    let said = secrets::read(&config).unwrap_err().to_string();
    assert!(said.contains("longer than a secret"), "{said}");
}

#[test]
fn a_private_key_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("door.toml");
    let tls = "[tls]\ncertificate = \"server.pem\"\nprivate_key = \"server.key\"\n";
    fs::write(&path, format!("{SOUND}{tls}")).unwrap();
    let key = folder.path().join("server.key");
    fs::write(&key, "key").unwrap();
    let config = Config::load(&path).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(secrets::read(&config).is_ok());
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(secrets::read(&config).is_err());
}

#[test]
fn a_file_with_an_inline_secret_must_be_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("door.toml");
    let client = "\n[[radius.client]]\nname = \"wlc\"\naddress = \"10.0.9.2\"\n\
                  secret = \"testing123\"\nresource = \"hosts\"\n";
    fs::write(&path, format!("{SOUND}{client}")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let config = Config::load(&path).unwrap();
    let said = secrets::read(&config).unwrap_err().to_string();
    assert!(said.contains("everyone on this machine"), "{said}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let secrets = secrets::read(&config).unwrap();
    let name = ClientName::parse("wlc").unwrap();
    assert_eq!(secrets.client(&name).unwrap().expose(), b"testing123");
}

/// A folder with a configuration whose key of network passwords is `content` with `mode`.
fn with_key(content: &str, mode: u32) -> (tempfile::TempDir, Config) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("door.toml");
    let radius = "\n[radius]\nnetwork_password_key_file = \"network\"\n";
    fs::write(&path, format!("{SOUND}{radius}")).unwrap();
    let key = folder.path().join("network");
    fs::write(&key, content).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
    let config = Config::load(&path).unwrap();
    (folder, config)
}

#[test]
fn the_key_of_network_passwords_is_64_hexadecimal_digits_in_a_private_file() {
    let right = format!("{}\n", "0aF1".repeat(16));
    let (_folder, config) = with_key(&right, 0o600);
    let key = secrets::network_password_key(&config).unwrap().unwrap();
    assert_eq!(key.expose(), [0x0a, 0xf1].repeat(16));
    let read = secrets::read(&config).unwrap();
    assert_eq!(read.network_password_key().unwrap().expose(), key.expose());

    let wrong = [
        ("0a".repeat(31), 0o600, "it must hold 64 hexadecimal digits"),
        ("0a".repeat(33), 0o600, "it must hold 64 hexadecimal digits"),
        ("0g".repeat(32), 0o600, "openssl rand -hex 32"),
        (right, 0o604, "everyone on this machine can read"),
        (String::new(), 0o600, "is empty"),
    ];
    for (content, mode, expected) in wrong {
        let (_folder, config) = with_key(&content, mode);
        for said in [
            secrets::network_password_key(&config)
                .unwrap_err()
                .to_string(),
            secrets::read(&config).unwrap_err().to_string(),
        ] {
            assert!(said.contains("door.toml:"), "{said}");
            assert!(said.contains("network_password_key_file = "), "{said}");
            assert!(said.contains(expected), "{said}");
        }
    }
}

#[test]
fn without_its_key_there_are_no_network_passwords() {
    let (_folder, config) = folder("a long enough secret", 0o600);
    assert!(secrets::network_password_key(&config).unwrap().is_none());
    assert!(
        secrets::read(&config)
            .unwrap()
            .network_password_key()
            .is_none()
    );
}
