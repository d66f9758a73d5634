//! `doorward check`, `init`, `certs`, `healthcheck`, and where the configuration is looked for.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::thread;

use serde_json::json;

use crate::world::{PASSWORD, World, run};

#[test]
fn a_broken_file_is_cited_at_the_key() {
    let world = World::without_store();
    world.write(&World::configuration().replace("base_dn =", "bsae_dn ="));
    let ran = world.run(&["check"]).ended(78);
    let place = format!("{}:3:1", world.config().display());
    ran.complains(&place);
    ran.complains("base_dn");
    ran.complains("^~~");
    // Every other command says the same.
    world.run(&["user", "list"]).ended(78).complains(&place);
}

#[test]
fn a_lenient_resource_that_anybody_could_choose_is_refused_with_its_place() {
    let world = World::without_store();
    let open = World::configuration()
        .replace("address = \"127.0.0.1:3390\"", "address = \"0.0.0.0:3390\"")
        .replace("sources = [\"10.0.5.10/32\"]\n", "");
    world.write(&open);
    let ran = world.run(&["check"]).ended(78);
    ran.complains("doorward.toml:");
    ran.complains("mail");
    let told = run(world.command().args(["-o", "json", "check"]), "").ended(78);
    let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(told["ok"], false);
    assert_eq!(told["errors"].as_array().unwrap().len(), 1);
}

#[test]
fn a_sound_file_is_sound_and_a_forgotten_binding_is_a_warning() {
    let world = World::with_alice();
    world
        .run(&["resource", "bind", "guest-wifi", "--user", "alice"])
        .ended(0);
    world.run(&["check"]).ended(0).prints("sound");
    let without = World::configuration()
        .replace("ssid = { guest = \"guest-wifi\" }\n", "")
        .replace("[[resource]]\nname = \"guest-wifi\"\nkind = \"wifi\"\n", "");
    world.write(&without);
    world
        .run(&["check"])
        .ended(0)
        .complains("no resource 'guest-wifi'");
    world
        .run(&["resource", "list"])
        .ended(0)
        .prints("guest-wifi");
    world
        .run(&["resource", "unbind", "guest-wifi", "--user", "alice"])
        .ended(0);
    let told = world.json(&["check"]);
    assert!(!told["warnings"].to_string().contains("guest-wifi"));
}

#[test]
fn what_is_missing_is_said_by_its_path() {
    let world = World::without_store();
    let ran = world.run(&["user", "list"]).ended(69);
    ran.complains("doorward.db");
    ran.complains("doorward init");
    let missing = world.path("none.toml");
    let list = ["-c", missing.to_str().unwrap(), "user", "list"];
    run(World::bare().args(list), "")
        .ended(66)
        .complains("none.toml");
    let named = world.path("named.toml");
    let by_environment = run(
        World::bare().arg("check").env("DOORWARD_CONFIG", &named),
        "",
    );
    by_environment.ended(66).complains("named.toml");
}

/// Another user of the machine is told so, and by which file.
#[test]
fn what_may_not_be_read_is_77() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::os::unix::process::CommandExt as _;
    let world = World::with_alice();
    if fs::metadata(world.config()).unwrap().uid() != 0 {
        // Only root can become somebody else.
        return;
    }
    let binary = world.path("doorward");
    fs::copy(env!("CARGO_BIN_EXE_doorward"), &binary).unwrap();
    fs::set_permissions(world.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let as_nobody = || {
        let mut command = std::process::Command::new(&binary);
        command.arg("-c").arg(world.config()).args(["user", "list"]);
        command.uid(65_534).gid(65_534).current_dir("/");
        run(&mut command, "").ended(77)
    };
    as_nobody().complains("doorward.toml cannot be read");
    fs::set_permissions(world.config(), fs::Permissions::from_mode(0o644)).unwrap();
    as_nobody().complains("doorward.db cannot be written");
}

#[test]
fn usage_is_64_and_help_is_no_failure() {
    run(World::bare().args(["user", "frob"]), "").ended(64);
    run(&mut World::bare(), "").ended(64);
    run(World::bare().arg("--help"), "")
        .ended(0)
        .prints("explain");
    run(World::bare().arg("--version"), "")
        .ended(0)
        .prints("doorward");
    run(World::bare().args(["-o", "xml", "check"]), "").ended(64);
}

#[test]
fn init_makes_everything_once_and_overwrites_nothing() {
    let world = World::without_store();
    let dir = world.path("site");
    let dir_text = dir.to_str().unwrap();
    let init = [
        "init",
        "--dir",
        dir_text,
        "--base-dn",
        "dc=corp,dc=example",
        "--admin",
        "ada",
    ];
    let made = run(World::bare().args(["-o", "json"]).args(init), "").json();
    assert_eq!(made["admin"], "ada");
    assert_eq!(
        made["password"].as_str().unwrap().len(),
        32,
        "made, since nobody could be asked"
    );
    let config = dir.join("doorward.toml");
    let site = |arguments: &[&str]| {
        run(
            World::bare()
                .args(["-o", "json", "-c"])
                .arg(&config)
                .args(arguments),
            "",
        )
    };
    site(&["check"]).json();
    let ada = site(&["user", "show", "ada"]).json();
    assert_eq!(ada["email"], "ada@corp.example");
    assert_eq!(ada["admin"], true);
    assert_eq!(ada["groups"], json!(["staff"]));
    assert_eq!(ada["resources"], json!(["hosts"]));
    for file in ["certs/ca.pem", "certs/server.pem", "certs/server.key"] {
        assert!(dir.join(file).is_file(), "{file}");
    }
    let before = fs::read(&config).unwrap();
    run(World::bare().args(init), "")
        .ended(1)
        .complains("overwrites nothing");
    assert_eq!(fs::read(&config).unwrap(), before);

    let bad = world.path("bad");
    let bad_text = bad.to_str().unwrap();
    let init = [
        "init",
        "--dir",
        bad_text,
        "--base-dn",
        "example.org",
        "--password-stdin",
    ];
    run(World::bare().args(init), PASSWORD).ended(65);
    assert!(!bad.exists(), "what is refused leaves nothing behind");
}

#[test]
fn certificates_are_made_and_the_ca_is_kept() {
    let world = World::without_store();
    let dir = world.path("certs");
    let dir_text = dir.to_str().unwrap();
    let made = world.json(&["certs", dir_text, "--name", "ldap.example.org"]);
    assert_eq!(made["ca_was_there"], false);
    let ca = fs::read(dir.join("ca.pem")).unwrap();
    assert_eq!(world.json(&["certs", dir_text])["ca_was_there"], true);
    assert_eq!(fs::read(dir.join("ca.pem")).unwrap(), ca);
    world
        .run(&["certs", dir_text, "--name", "not a host"])
        .ended(64);
}

#[test]
fn health_is_asked_at_a_unix_socket_too() {
    let world = World::with_alice();
    let path = world.path("status");
    let server = UnixListener::bind(&path).unwrap();
    let metrics = format!(
        "{}\n[metrics]\naddress = \"unix:{}\"\n",
        World::configuration(),
        path.display()
    );
    world.write(&metrics);
    let answers = thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        let mut request = [0; 512];
        let read = stream.read(&mut request).unwrap();
        assert!(request[..read].starts_with(b"GET /ready HTTP/1.1\r\n"));
        write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").unwrap();
    });
    world.run(&["healthcheck"]).ended(0);
    answers.join().unwrap();
    world.run(&["healthcheck"]).ended(1).prints("refused");
}

#[test]
fn health_is_the_store_and_the_daemon() {
    let world = World::with_alice();
    world.run(&["healthcheck"]).ended(0);
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let metrics = format!(
        "{}\n[metrics]\naddress = \"{address}\"\n",
        World::configuration()
    );
    world.write(&metrics);
    let answers = thread::spawn(move || {
        for status in ["200 OK", "503 Service Unavailable"] {
            let (mut stream, _) = server.accept().unwrap();
            let mut request = [0; 512];
            let read = stream.read(&mut request).unwrap();
            assert!(request[..read].starts_with(b"GET /ready HTTP/1.1\r\n"));
            write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\n\r\n").unwrap();
        }
    });
    world.run(&["healthcheck"]).ended(0);
    world.run(&["healthcheck"]).ended(1).prints("503");
    answers.join().unwrap();
    world.run(&["healthcheck"]).ended(1).prints("refused");
}
