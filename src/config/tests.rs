//! Broken files and what is said of them, word by word; the shipped files.

mod certificates;
mod listeners;
mod radsec;
mod secrets;
mod tunnels;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use serde::de::DeserializeOwned;

use super::ldap::{ListenAddress, ListenerTls, PlaintextBind};
use super::radius::SecretSource;
use super::*;
use doorward_domain::resource::{Override, ResourceKind};

const SOUND: &str = r#"
[directory]
base_dn = "dc=example,dc=org"

[[ldap.listener]]
name = "hosts"
address = "127.0.0.1:389"
plaintext_bind = "loopback"

[[resource]]
name = "hosts"
kind = "endpoint"
match = { listener = "hosts" }
"#;

const DIRECTORY: &str = "[directory]\nbase_dn = \"dc=example,dc=org\"\n";

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(Path::new("door.toml"), text)
}

fn refused(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

fn warned(text: &str) -> String {
    let config = parse(text).unwrap();
    let shown: Vec<String> = config.warnings().iter().map(ToString::to_string).collect();
    shown.join("\n")
}

fn listener(name: &str) -> ListenerName {
    ListenerName::parse(name).unwrap()
}

fn resource(name: &str) -> ResourceName {
    ResourceName::parse(name).unwrap()
}

#[test]
fn a_sound_file_has_what_it_says() {
    let config = parse(SOUND).unwrap();
    assert_eq!(config.directory.base_dn.as_str(), "dc=example,dc=org");
    assert_eq!(config.warnings(), &[]);
    let facts = config.listeners();
    assert_eq!(facts.len(), 1);
    assert_eq!(facts[0].name, listener("hosts"));
    assert!(facts[0].loopback);
    let resources = config.resources();
    assert_eq!(resources[0].kind, ResourceKind::Endpoint);
    let matched = resources[0].matched_by.as_ref().unwrap();
    assert_eq!(matched.listener, [listener("hosts")]);
    assert_eq!(config.clients(), []);
    assert!(config.radius.is_none() && config.web.is_none() && config.metrics.is_none());
}

#[test]
fn without_a_file_everything_is_on_loopback() {
    let config = Config::default_loopback();
    assert_eq!(config.warnings(), &[]);
    assert!(config.listeners().iter().all(|facts| facts.loopback));
    let metrics = &config.metrics.as_ref().unwrap().address;
    assert!(matches!(metrics, ListenAddress::Network(address) if address.ip().is_loopback()));
    assert!(config.radius.is_none());
}

#[test]
fn broken_syntax_is_cited() {
    assert_eq!(
        refused("[directory]\nbase_dn = dc=example\n"),
        "door.toml:2:11: string values must be quoted, expected literal string\n  \
           base_dn = dc=example\n  \
         \x20         ^~"
    );
}

#[test]
fn a_key_given_twice_is_cited() {
    assert_eq!(
        refused("[log]\nlevel = \"info\"\nlevel = \"warn\"\n"),
        "door.toml:3:1: duplicate key\n  \
           level = \"warn\"\n  \
           ^~~~~"
    );
}

#[test]
fn an_unknown_key_gets_the_nearest() {
    let text = SOUND.replace("address =", "adress =");
    assert_eq!(
        refused(&text),
        "door.toml:7:1: unknown key `adress`; did you mean `address`?\n  \
           adress = \"127.0.0.1:389\"\n  \
           ^~~~~~"
    );
}

#[test]
fn an_unknown_key_near_nothing_gets_the_list() {
    assert_eq!(
        refused(&format!("{DIRECTORY}[log]\nrotate_hourly = true\n")),
        "door.toml:4:1: unknown key `rotate_hourly`; known here: `format`, `level`\n  \
           rotate_hourly = true\n  \
           ^~~~~~~~~~~~~"
    );
}

#[test]
fn an_unknown_section_gets_the_nearest() {
    assert_eq!(
        refused(&format!("{DIRECTORY}[hashin]\npasses = 2\n")),
        "door.toml:3:2: unknown key `hashin`; did you mean `hashing`?\n  \
           [hashin]\n  \
         \x20^~~~~~"
    );
}

#[test]
fn a_single_bracket_is_not_a_double_one() {
    assert_eq!(
        refused(&format!("{DIRECTORY}[resource]\nname = \"hosts\"\n")),
        "door.toml:3:1: there may be several of these: write [[resource]]\n  \
           [resource]\n  \
           ^~~~~~~~~~"
    );
}

#[test]
fn every_wrong_key_of_a_file_is_named() {
    let text = r#"
[directory]
base_dn = "example.org"
timezone = "Mars/Olympus"

[throttle]
refusal_delay = 250
source_tokens = "many"
relais = []

[[resource]]
name = "hosts"
kind = "host"
match = { listener = [], bas = "ou=x" }
"#;
    let errors = parse(text).unwrap_err();
    let said: Vec<(usize, &str)> = errors
        .iter()
        .map(|error| (error.position().unwrap().0, error.message()))
        .collect();
    let mut sorted = said.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            (3, "'example.org' is not a base DN: write dc=example,dc=org"),
            (
                4,
                "'Mars/Olympus' is not a time zone of the tz database: write UTC or Europe/Berlin"
            ),
            (7, "wrong type: integer `250`, expected a string"),
            (8, "wrong type: string \"many\", expected u32"),
            (9, "unknown key `relais`; did you mean `relays`?"),
            (
                13,
                "`host` is not one of `endpoint`, `vpn`, `wifi`, `app`, `email`"
            ),
            (
                14,
                "the list is empty: leave the key out, or name at least one"
            ),
            (14, "unknown key `bas`; did you mean `base`?"),
        ]
    );
}

#[test]
fn a_wrong_value_gets_the_nearest() {
    assert_eq!(
        refused(&SOUND.replace("\"loopback\"", "\"loopbak\"")),
        "door.toml:8:18: `loopbak` is not one of `refuse`, `loopback`, `allow`; did you mean \
         `loopback`?\n  \
           plaintext_bind = \"loopbak\"\n  \
         \x20                ^~~~~~~~~"
    );
}

#[test]
fn a_span_a_network_and_an_address_say_how_they_are_written() {
    for (text, message) in [
        (
            "[audit]\nretention = \"1 year\"",
            "'1 year' is not a span of time: write a number and one of ms, s, m, h, d (for \
             example 30m)",
        ),
        (
            "[throttle]\nrelays = [\"10.0.0.0/8\", \"10.1.2.3/8\"]",
            "'10.1.2.3/8' has address bits beyond its prefix: write 10.0.0.0/8 for the network, \
             or 10.1.2.3 for the one address",
        ),
        (
            "[metrics]\naddress = \"localhost\"",
            "'localhost' is not an address with a port: write 127.0.0.1:389, 0.0.0.0:389 or \
             [::1]:389, or unix:/run/doorward/ldapi",
        ),
        (
            "[audit]\nmax_bytes = \"2GB\"",
            "'2GB' is not a size: write 512MiB, 2GiB or 1TiB",
        ),
        (
            "[audit]\nmax_bytes = \"1MiB\"",
            "at least 64MiB: one busy day takes as much",
        ),
        (
            "[store]\nurl = \"postgres://doorward@db/doorward\"",
            "not built yet: this version keeps its data in SQLite only",
        ),
        (
            "[store]\nurl_file = \"/etc/doorward/store\"",
            "not built yet: this key comes with a later version; leave it out",
        ),
        ("[hashing]\npasses = 0", "0 is out of bounds: 1 to 64"),
        (
            "[throttle]\nrefusal_delay = \"0\"",
            "0 is out of bounds: 1ms to 5s",
        ),
        (
            "[posix]\nhome = \"/home\"",
            "'/home' is not a home: write an absolute path with {username} in it, once",
        ),
    ] {
        let errors = parse(&format!("{DIRECTORY}{text}\n")).unwrap_err();
        let said: Vec<&str> = errors.iter().map(ConfigError::message).collect();
        assert_eq!(said, [message], "{text}");
        assert_eq!(errors.iter().next().unwrap().position().unwrap().0, 4);
    }
}

#[test]
fn relays_are_networks_and_unix_users() {
    let text = format!("{DIRECTORY}[throttle]\nrelays = [\"10.0.5.10\", \"local:dovecot\"]\n");
    let relays = parse(&text).unwrap().throttle.relays;
    for (source, is_relay) in [
        ("10.0.5.10", true),
        ("10.0.5.11", false),
        ("local:dovecot", true),
        ("local:postfix", false),
    ] {
        assert_eq!(
            relays.include(&source.parse().unwrap()),
            is_relay,
            "{source}"
        );
    }
}

#[test]
fn a_listener_of_a_match_must_exist() {
    assert_eq!(
        refused(&SOUND.replace("listener = \"hosts\"", "listener = [\"hosts\", \"host\"]")),
        "door.toml:13:32: there is no [[ldap.listener]] 'host'; did you mean 'hosts'?\n  \
           match = { listener = [\"hosts\", \"host\"] }\n  \
         \x20                              ^~~~~~"
    );
}

#[test]
fn resources_of_a_client_must_exist() {
    let client = "\n[[radius.client]]\nname = \"wlc\"\naddress = \"10.0.9.2\"\n\
                  secret_file = \"wlc\"\nresource = \"wlan\"\nssid = { guest = \"guest\" }\n";
    let errors = parse(&format!("{SOUND}{client}")).unwrap_err();
    let said: Vec<(usize, &str)> = errors
        .iter()
        .map(|error| (error.position().unwrap().0, error.message()))
        .collect();
    assert_eq!(
        said,
        [
            (19, "there is no [[resource]] 'wlan'"),
            (20, "there is no [[resource]] 'guest'"),
        ]
    );
}

#[test]
fn names_addresses_and_networks_are_there_once() {
    let twice = r#"
[[ldap.listener]]
name = "HOSTS"
address = "0.0.0.0:389"
plaintext_bind = "allow"

[metrics]
address = "127.0.0.1:389"

[[radius.client]]
name = "a"
address = "10.0.0.0/8"
secret_file = "a"
resource = "hosts"

[[radius.client]]
name = "A"
address = ["10.1.0.0/16", "10.0.0.0/8"]
secret_file = "a"
resource = "hosts"

[[resource]]
name = "Hosts"
kind = "app"

[[resource]]
name = "portal"
kind = "app"
"#;
    let errors = parse(&format!("{SOUND}{twice}")).unwrap_err();
    let mut said: Vec<&str> = errors.iter().map(ConfigError::message).collect();
    said.sort_unstable();
    assert_eq!(
        said,
        [
            "'portal' is the portal itself, which needs no entry: choose another name",
            "0.0.0.0:389 is taken by ldap.listener[0].address already",
            "10.0.0.0/8 is client 'a' already",
            "127.0.0.1:389 is taken by ldap.listener[0].address already",
            "there is another [[ldap.listener]] 'HOSTS' above",
            "there is another [[radius.client]] 'A' above",
            "there is another [[resource]] 'Hosts' above",
        ]
    );
}

#[test]
fn both_families_may_have_the_same_port() {
    let text = SOUND.replace("\"127.0.0.1:389\"", "[\"0.0.0.0:389\", \"[::]:389\"]");
    assert!(parse(&text).is_ok());
}

#[test]
fn tls_needs_a_certificate_and_is_the_default_with_one() {
    assert_eq!(
        refused(&SOUND.replace("plaintext_bind", "tls = \"implicit\"\nplaintext_bind")),
        "door.toml:8:7: this needs a certificate: add [tls] with certificate and private_key\n  \
           tls = \"implicit\"\n  \
         \x20     ^~~~~~~~~~"
    );
    let without = parse(SOUND).unwrap();
    assert_eq!(without.ldap.listeners[0].tls(), ListenerTls::None);
    let tls = "[tls]\ncertificate = \"server.pem\"\nprivate_key = \"server.key\"\n";
    let with = parse(&format!("{SOUND}{tls}")).unwrap();
    assert_eq!(with.ldap.listeners[0].tls(), ListenerTls::Starttls);
    assert_eq!(
        with.ldap.listeners[0].plaintext_bind,
        PlaintextBind::Loopback
    );
}

#[test]
fn the_directory_must_be_named() {
    assert_eq!(
        refused("[metrics]\n"),
        "door.toml: there is no [directory]: it names the suffix, as base_dn"
    );
    assert_eq!(
        refused("[directory]\nrealms = []\n"),
        "door.toml:1:1: [directory] has no `base_dn`\n  [directory]\n  ^~~~~~~~~~~"
    );
}

#[test]
fn a_client_needs_one_secret() {
    let client = |secret: &str| {
        let entry = format!(
            "{SOUND}\n[[radius.client]]\nname = \"wlc\"\naddress = \"10.0.9.2\"\n\
             resource = \"hosts\"\n{secret}\n"
        );
        parse(&entry)
    };
    assert_eq!(
        client("").unwrap_err().to_string(),
        "door.toml:15:1: client 'wlc' has no `secret_file` for its datagrams, and no \
         `certificate` for TLS\n  \
           [[radius.client]]\n  \
           ^~~~~~~~~~~~~~~~~"
    );
    let both = client("secret = \"hunter2\"\nsecret_file = \"wlc\"").unwrap_err();
    assert!(both.to_string().contains("keep one"));
    let config = client("secret_file = \"wlc\"").unwrap();
    let clients = config.clients();
    assert_eq!(clients[0].resource, resource("hosts"));
    assert!(config.radius.as_ref().unwrap().clients[0].require_message_authenticator);
}

#[test]
fn nothing_that_is_said_repeats_a_secret() {
    for secret in [
        "secret = \"hunter2\"",
        "secret = \"hunter2\"\nsecret_file = \"x\"",
        "secret = 'hunter2'\nadress = 1",
        "secret = [\"hunter2\"]",
        "secret = { a = \"hunter2\" }",
        "secret = \"hunter2",
        "secret = hunter2",
        "secret = \"hunter2\" hunter2",
        "secret = \"\"\"hunter2\nhunter2\"\"\"\nadress = \"\"\"\nx\"\"\"",
        "secret = \"hunter2\"\nsecret = \"hunter2\"",
    ] {
        let text = format!(
            "{SOUND}\n[[radius.client]]\nname = \"wlc\"\naddress = \"10.0.9.2\"\n\
             resource = \"hosts\"\n{secret}\n"
        );
        let shown = match parse(&text) {
            Ok(config) => format!("{:?}", config.warnings()),
            Err(errors) => format!("{errors} {errors:?}"),
        };
        assert!(!shown.is_empty());
        assert!(!shown.contains("hunter2"), "{secret}: {shown}");
    }
    let number = format!(
        "{SOUND}\n[[radius.client]]\nname = \"wlc\"\naddress = \"10.0.9.2\"\n\
         resource = \"hosts\"\nsecret = 4711\n"
    );
    assert_eq!(
        refused(&number),
        "door.toml:19:10: wrong type: expected text in quotes\n  secret = …\n           ^"
    );
}

#[test]
fn what_is_unwise_is_warned_of() {
    let text = SOUND.replace("127.0.0.1:389", "0.0.0.0:389")
        + "\n[[radius.client]]\nname = \"wlc\"\naddress = \"0.0.0.0/0\"\nresource = \"hosts\"\n\
           secret = \"testing123\"\nrequire_message_authenticator = false\n\
           [hashing]\nmemory_kib = 1024\n";
    assert_eq!(
        warned(&text),
        "door.toml:8:18: from other machines nobody can bind at 'hosts': it has no TLS\n  \
           plaintext_bind = \"loopback\"\n  \
         \x20                ^~~~~~~~~~\n\
         door.toml:17:11: anyone who learns the secret is this client\n  \
           address = \"0.0.0.0/0\"\n  \
         \x20         ^~~~~~~~~~~\n\
         door.toml:19:10: a secret in the configuration itself is for demonstrations: use \
         secret_file\n  \
           secret = …\n  \
         \x20        ^\n\
         door.toml:19:10: a secret of 10 bytes can be found from a captured packet: use at least \
         12, better 24 random ones\n  \
           secret = …\n  \
         \x20        ^\n\
         door.toml:20:33: requests without a Message-Authenticator are open to forgery \
         (CVE-2024-3596): require it as soon as the client can send it\n  \
           require_message_authenticator = false\n  \
         \x20                               ^~~~~\n\
         door.toml:22:14: this is less than is advised for argon2id (19456 with 2 passes): a \
         stolen store is guessed faster\n  \
           memory_kib = 1024\n  \
         \x20            ^~~~"
    );
}

#[test]
fn others_can_cite_what_they_complain_about() {
    let config = parse(SOUND).unwrap();
    let said = |subject: Subject<'_>| config.cite(subject, "is odd").to_string();
    assert_eq!(
        said(Subject::Resource(&resource("hosts"))),
        "door.toml:11:8: is odd\n  name = \"hosts\"\n         ^~~~~~~"
    );
    assert_eq!(
        said(Subject::Match(&resource("hosts"))),
        "door.toml:13:9: is odd\n  match = { listener = \"hosts\" }\n          ^~~~~~~~~~~~~~~~~~~~~~"
    );
    assert_eq!(
        said(Subject::Listener(&listener("hosts"))),
        "door.toml:6:8: is odd\n  name = \"hosts\"\n         ^~~~~~~"
    );
    assert_eq!(
        said(Subject::Key("directory.base_dn")),
        "door.toml:3:11: is odd\n  base_dn = \"dc=example,dc=org\"\n            ^~~~~~~~~~~~~~~~~~~"
    );
    assert_eq!(
        said(Subject::Resource(&resource("vpn"))),
        "door.toml: is odd"
    );
}

#[test]
fn overrides_and_lists_are_read() {
    let text = SOUND.replace(
        "match = { listener = \"hosts\" }",
        "on_locked = \"allow\"\non_expired = \"deny\"\ncount_failures = false\n\
         [resource.match]\nsource = [\"10.0.0.0/8\", \"fd00::/8\"]\nservice = \"sssd\"\n",
    );
    let resources = parse(&text).unwrap().resources();
    assert_eq!(resources[0].on_locked, Some(Override::Allow));
    assert_eq!(resources[0].on_expired, Some(Override::Deny));
    assert_eq!(resources[0].count_failures, Some(false));
    let matched = resources[0].matched_by.as_ref().unwrap();
    assert_eq!(matched.source.len(), 2);
    assert_eq!(matched.service[0].as_str(), "sssd");
    assert!(matched.listener.is_empty());
}

#[test]
fn relative_paths_start_from_the_files_folder() {
    let text = format!(
        "{SOUND}[store]\nurl = \"sqlite://doorward.db\"\n[tls]\ncertificate = \"server.pem\"\n\
         private_key = \"/keys/server.key\"\n"
    );
    let config = Config::parse(Path::new("/srv/door/door.toml"), &text).unwrap();
    let store::StoreUrl::Sqlite(path) = &config.store.url;
    assert_eq!(path, Path::new("/srv/door/doorward.db"));
    let tls = config.tls.as_ref().unwrap();
    assert_eq!(tls.certificate, Path::new("/srv/door/server.pem"));
    assert_eq!(tls.private_key, Path::new("/keys/server.key"));
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conf")
}

#[test]
fn every_shipped_file_is_sound() {
    let mut read = 0;
    for entry in fs::read_dir(shipped()).unwrap() {
        let path = entry.unwrap().path();
        let config = Config::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
        let odd: Vec<&str> = config
            .warnings()
            .iter()
            .map(ConfigWarning::message)
            .filter(|message| !message.contains("is checked, but this version"))
            .collect();
        assert!(odd.is_empty(), "{}: {odd:?}", path.display());
        read += 1;
    }
    assert!(read >= 3);
}

/// The keys that a table may have, as its reader names them.
fn known<T: DeserializeOwned>() -> Vec<String> {
    let fault = match toml::from_str::<T>("\"?\" = 0") {
        Ok(_) => panic!("unknown keys are taken"),
        Err(fault) => fault.message().to_owned(),
    };
    let expected = fault.split_once("expected").unwrap().1;
    expected
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_reference_names_every_key() {
    let text = fs::read_to_string(shipped().join("doorward.toml")).unwrap();
    let mut keys: Vec<(String, String)> = Vec::new();
    let mut section = String::new();
    for line in text.lines() {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']).to_owned();
            // A table within a section is one of its keys.
            if let Some((outer, key)) = section.split_once('.') {
                keys.push((outer.to_owned(), key.to_owned()));
            }
        }
        let bare = line.trim_start_matches(['#', ' ']);
        let word: String = bare
            .chars()
            .take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_')
            .collect();
        let rest = bare.strip_prefix(&word).unwrap();
        // `key = value`, commented out or not, and the list of the match's keys.
        if rest.starts_with(" =") || line.starts_with("#   ") {
            keys.push((section.clone(), word));
        }
    }
    let sections = [
        ("directory", known::<directory::Directory>()),
        ("posix", known::<posix::Posix>()),
        ("store", known::<store::Store>()),
        ("tls", known::<tls::Tls>()),
        ("ldap", known::<ldap::LdapLimits>()),
        ("ldap.listener", known::<ldap::Listener>()),
        ("radius", known::<radius::RadiusSockets>()),
        ("radius.tls", known::<radius::RadiusTls>()),
        ("radius.client", known::<radius::RadiusClient>()),
        ("auth_policy", known::<auth_policy::AuthPolicy>()),
        ("eap", known::<eap::Eap>()),
        ("web", known::<web::Web>()),
        ("mail", known::<mail::Mail>()),
        ("throttle", known::<throttle::Throttle>()),
        ("hashing", known::<hashing::Hashing>()),
        ("metrics", known::<metrics::Metrics>()),
        ("audit", known::<audit::Audit>()),
        ("log", known::<log::Log>()),
        ("runtime", known::<runtime::Runtime>()),
        ("resource", known::<resource::ResourceEntry>()),
        ("resource", known::<resource::MatchEntry>()),
    ];
    for name in reader::SECTIONS {
        assert!(
            sections.iter().any(|(section, _)| *section == name),
            "{name}"
        );
    }
    for (section, known) in sections {
        assert!(!known.is_empty(), "{section}");
        for key in known {
            assert!(
                keys.contains(&(section.to_owned(), key.clone())),
                "[{section}] {key} is not in conf/doorward.toml"
            );
        }
    }
}

#[test]
fn the_reference_shows_the_defaults() {
    let config = Config::load(&shipped().join("doorward.toml")).unwrap();
    assert_eq!(config.posix, posix::Posix::default());
    assert_eq!(config.store, store::Store::default());
    assert_eq!(config.ldap.limits, ldap::LdapLimits::default());
    assert_eq!(config.hashing, hashing::Hashing::default());
    assert_eq!(config.metrics, Some(metrics::Metrics::default()));
    assert_eq!(config.audit, audit::Audit::default());
    assert_eq!(config.log, log::Log::default());
    assert_eq!(config.runtime, runtime::Runtime::default());
    let throttle = throttle::Throttle {
        relays: config.throttle.relays.clone(),
        ..throttle::Throttle::default()
    };
    assert_eq!(config.throttle, throttle);
    let radius = config.radius.unwrap();
    let defaults = radius::RadiusSockets::default();
    assert_eq!(radius.sockets.max_requests, defaults.max_requests);
    assert_eq!(radius.sockets.duplicate_lifetime, Duration::from_secs(10));
    assert!(radius.clients.iter().all(|client| {
        client.require_message_authenticator
            && client.limit_proxy_state
            && matches!(client.secret, Some(SecretSource::File(_)))
    }));
}

#[test]
fn a_file_that_is_not_there_or_not_text_is_said_so() {
    let said = Config::load(Path::new("/nonexistent/door.toml")).unwrap_err();
    assert!(
        said.to_string()
            .starts_with("/nonexistent/door.toml: the configuration cannot be read: No such file")
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("door.toml");
    fs::write(&path, b"[log]\nlevel = \"\xff\"\n").unwrap();
    let said = Config::load(&path).unwrap_err();
    assert_eq!(said.iter().next().unwrap().position(), Some((2, 10)));
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in "\\PC*") {
        let _ = parse(&text);
    }

    #[test]
    fn no_change_of_a_sound_file_makes_reading_panic(at in 0_usize..4096, cut in 0_usize..40, put in "[\\[\\]{}=\"'#,.\n0-9a-z]{0,8}") {
        let mut text = fs::read_to_string(shipped().join("doorward.toml")).unwrap();
        let mut start = at * 3 % text.len();
        while !text.is_char_boundary(start) { start -= 1; }
        let mut end = (start + cut).min(text.len());
        while !text.is_char_boundary(end) { end -= 1; }
        text.replace_range(start..end.max(start), &put);
        if let Err(errors) = parse(&text) {
            prop_assert!(!errors.to_string().is_empty());
        }
    }
}
