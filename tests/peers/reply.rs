//! Reply attributes as Debian's FreeRADIUS programs read them, and its dictionaries as we do.

use std::fs;
use std::path::Path;

use doorward_radius_protocol::dictionary::{Dictionary, Files, Source};

use crate::common::{Gateway, PASSWORD, Ran, SECRET, Setting, client_with_input};

/// Where Debian's `freeradius-common` has its dictionaries.
const DICTIONARIES: &str = "/usr/share/freeradius";

fn login(gateway: &Gateway, password: &str) -> Ran {
    let server = gateway.radius.to_string();
    let arguments = ["-x", "-r", "1", "-t", "5", &server, "auth", SECRET];
    let request =
        format!("User-Name=\"alice\",User-Password=\"{password}\",Message-Authenticator=0x00\n");
    client_with_input("radclient", "freeradius-utils", &arguments, &request)
}

fn set(gateway: &Gateway, more: &[&str]) {
    gateway
        .run(&[&["reply", "set"], more].concat())
        .assert_success();
}

#[track_caller]
fn assert_shown(ran: &Ran, lines: &[&str]) {
    ran.assert_success();
    for line in lines {
        assert!(ran.stdout.contains(line), "{line}: {}", ran.stdout);
    }
}

/// RFC 2868 and the vendors' own: radclient shows each by its name and value.
#[test]
fn radclient_shows_every_attribute_by_its_name() {
    let gateway = Gateway::start(&Setting {
        radius: format!("dictionaries = [\"{DICTIONARIES}/dictionary\"]\n"),
        ..Setting::default()
    });
    gateway.add_user("alice");
    set(
        &gateway,
        &[
            "--group",
            "staff",
            "vlan=20",
            "session_timeout=8h",
            "filter_id=staff-filter",
            "Cisco-AVPair=shell:priv-lvl=15",
            "Cisco-AVPair=ip:inacl#1=permit ip any any",
            "Aruba-User-Role=employee",
            "Mikrotik-Rate-Limit=10M/50M",
            "WISPr-Bandwidth-Max-Down=1000000",
            "Framed-IPv6-Prefix=2001:db8::/64",
            "Framed-Interface-Id=0:0:0:1",
            "Service-Type=Framed-User",
            "Tunnel-Type:1=L2TP",
            "Tunnel-Server-Endpoint:1=192.0.2.1",
            "Delegated-IPv6-Prefix=2001:db8:1::/48",
        ],
    );
    // By no dictionary of ours.
    set(
        &gateway,
        &[
            "--user",
            "alice",
            "--resource",
            "vpn",
            "Fortinet-Group-Name=vpn-users",
        ],
    );
    set(&gateway, &["--user", "alice", "USR-Call-Error-Code=1"]);
    let ran = login(&gateway, PASSWORD);
    assert_shown(
        &ran,
        &[
            "Received Access-Accept",
            "Tunnel-Type:0 = VLAN",
            "Tunnel-Medium-Type:0 = IEEE-802",
            "Tunnel-Private-Group-Id:0 = \"20\"",
            "Session-Timeout = 28800",
            "Filter-Id = \"staff-filter\"",
            "Cisco-AVPair = \"shell:priv-lvl=15\"",
            "Cisco-AVPair = \"ip:inacl#1=permit ip any any\"",
            "Aruba-User-Role = \"employee\"",
            "Mikrotik-Rate-Limit = \"10M/50M\"",
            "WISPr-Bandwidth-Max-Down = 1000000",
            "Framed-IPv6-Prefix = 2001:db8::/64",
            "Framed-Interface-Id = 0:0:0:1",
            "Service-Type = Framed-User",
            "Tunnel-Type:1 = L2TP",
            "Tunnel-Server-Endpoint:1 = \"192.0.2.1\"",
            "Delegated-IPv6-Prefix = 2001:db8:1::/48",
            "Fortinet-Group-Name = \"vpn-users\"",
        ],
    );
    // Nobody authenticates a VPN anew because of a limit.
    assert!(!ran.stdout.contains("Termination-Action"), "{}", ran.stdout);
    let refused = login(&gateway, "not this one");
    assert!(
        refused.stdout.contains("Received Access-Reject"),
        "{refused:?}"
    );
    assert!(!refused.stdout.contains("Tunnel"), "{refused:?}");

    // In force at the next attempt, whichever process changed it.
    set(&gateway, &["--user", "alice", "vlan=guests"]);
    assert_shown(
        &login(&gateway, PASSWORD),
        &["Tunnel-Private-Group-Id:0 = \"guests\""],
    );
}

/// Every line of FreeRADIUS's own dictionaries is understood; what is built in says nothing else
/// than they do.
#[test]
fn freeradius_dictionaries_are_read_to_the_last_line() {
    struct Folder;

    impl Files for Folder {
        fn include(&mut self, _: &str, name: &str) -> Result<Source, String> {
            let path = Path::new(DICTIONARIES).join(name);
            let octets = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            Ok(Source {
                name: path.display().to_string(),
                text: String::from_utf8_lossy(&octets).into_owned(),
            })
        }
    }

    let top = Folder
        .include("", "dictionary")
        .expect("freeradius-common is installed");
    let dictionary = match Dictionary::read(vec![top], &mut Folder) {
        Ok(dictionary) => dictionary,
        Err(faults) => panic!("{faults}"),
    };
    assert!(dictionary.len() > 7000, "{}", dictionary.len());
    assert_other_files_are_understood(&mut Folder);
    let built_in = Dictionary::built_in();
    let mut compared = 0;
    for (name, value) in built_in_samples() {
        assert_eq!(
            dictionary.reply_attribute(&name, &value),
            built_in.reply_attribute(&name, &value),
            "{name}={value}"
        );
        compared += 1;
    }
    assert!(compared > 100, "{compared}");
}

/// The files that FreeRADIUS has and does not include: each is understood above all that it does,
/// but for names that it gives to something else, or that stand in none.
fn assert_other_files_are_understood(files: &mut dyn Files) {
    let mut others = 0;
    for entry in fs::read_dir(DICTIONARIES).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.starts_with("dictionary.") {
            continue;
        }
        let top = files.include("", "dictionary").unwrap();
        if top.text.contains(&format!("{name}\n")) {
            continue;
        }
        others += 1;
        let own = files.include("", &name).unwrap();
        let Err(faults) = Dictionary::read(vec![top, own], files) else {
            continue;
        };
        for fault in faults.all() {
            let of_names = ["already, in another way", "of which"];
            let known = of_names.iter().any(|words| fault.message.contains(words));
            assert!(known, "{fault}");
        }
    }
    assert!(others > 5, "{others}");
}

/// A value for each attribute of the built-in dictionary, and each name of a value.
fn built_in_samples() -> Vec<(String, String)> {
    let text = include_str!("../../crates/radius-protocol/src/dictionary/built_in.txt");
    let mut tagged = Vec::new();
    let mut samples = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let tag = |name: &str, tagged: &[String]| {
            let has = tagged.iter().any(|known| known == name);
            if has {
                format!("{name}:1")
            } else {
                name.to_owned()
            }
        };
        match words[..] {
            ["ATTRIBUTE", name, _, shape, ref flags @ ..] => {
                if flags.iter().any(|flag| flag.contains("has_tag")) {
                    tagged.push(name.to_owned());
                }
                let value = match shape {
                    "integer" => "7",
                    "string" => "text",
                    "octets" => "0x0102",
                    "ipaddr" => "192.0.2.1",
                    "ipv6addr" => "2001:db8::1",
                    "ipv6prefix" => "2001:db8::/32",
                    "ifid" => "0:0:0:1",
                    other => panic!("{other}"),
                };
                samples.push((tag(name, &tagged), value.to_owned()));
            }
            ["VALUE", name, value, _] => samples.push((tag(name, &tagged), value.to_owned())),
            _ => {}
        }
    }
    samples
}
