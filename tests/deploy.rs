//! The files of `deploy/` are what systemd takes: the unit is sound and tightly sandboxed, the
//! user and the folders are made as they say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(name)
}

/// Runs a tool of systemd and returns what it printed; nothing where it is not installed, which
/// under `CI=true` is a failure.
#[expect(clippy::print_stdout, reason = "names what was not run")]
fn run(command: &mut Command) -> Option<String> {
    match command.output() {
        Ok(output) => {
            let printed = format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            assert!(output.status.success(), "{command:?}: {printed}");
            Some(printed)
        }
        Err(fault) => {
            let tool = command.get_program().to_string_lossy().into_owned();
            assert!(
                std::env::var_os("CI").is_none_or(|ci| ci != "true"),
                "{tool}: {fault}"
            );
            println!("not run: {tool}: {fault}");
            None
        }
    }
}

/// The unit with a program that is there, since the true one is not installed where tests run.
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its file has failed"
)]
fn unit(folder: &Path) -> PathBuf {
    let text = fs::read_to_string(deploy("doorward.service")).unwrap();
    let start = "ExecStart=/usr/local/bin/doorward ";
    assert!(
        text.contains(start),
        "the unit starts the installed program"
    );
    let path = folder.join("doorward.service");
    fs::write(&path, text.replace(start, "ExecStart=/bin/true ")).unwrap();
    path
}

#[test]
fn systemd_understands_every_line_of_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let mut verify = Command::new("systemd-analyze");
    verify
        .arg("verify")
        .arg("--man=no")
        .arg(unit(folder.path()));
    if let Some(printed) = run(&mut verify) {
        assert_eq!(
            printed.trim(),
            "",
            "systemd-analyze verify has nothing to say"
        );
    }
}

#[test]
fn the_sandbox_leaves_little_open() {
    let folder = tempfile::tempdir().unwrap();
    let mut security = Command::new("systemd-analyze");
    // Twenty is an exposure of 2.0 of 10; more makes it fail.
    security
        .args(["security", "--offline=yes", "--threshold=20", "--no-pager"])
        .arg(unit(folder.path()));
    run(&mut security);
}

#[test]
fn the_unit_is_not_root_and_can_take_small_ports() {
    let text = fs::read_to_string(deploy("doorward.service")).unwrap();
    for line in [
        "Type=notify",
        "User=doorward",
        "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        // Clients reach a Unix socket in it.
        "RuntimeDirectory=doorward",
        "RuntimeDirectoryMode=0755",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}");
    }
}

#[test]
fn the_user_and_the_folders_are_made() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("etc")).unwrap();
    let option = format!("--root={}", root.path().display());
    let mut users = Command::new("systemd-sysusers");
    users.arg(&option).arg(deploy("doorward.sysusers"));
    if run(&mut users).is_none() {
        return;
    }
    let passwd = fs::read_to_string(root.path().join("etc/passwd")).unwrap();
    let user = passwd.lines().find(|line| line.starts_with("doorward:"));
    let user: Vec<&str> = user.expect("the user is made").split(':').collect();
    assert_ne!(user[2], "0", "it is not root");
    assert_eq!(user[6], "/usr/sbin/nologin");

    let mut folders = Command::new("systemd-tmpfiles");
    folders.args([&option, "--create"]);
    folders.arg(deploy("doorward.tmpfiles"));
    // Giving folders to other users takes root.
    let root_runs = fs::metadata("/proc/self").is_ok_and(|own| {
        use std::os::unix::fs::MetadataExt as _;
        own.uid() == 0
    });
    if !root_runs {
        println!("not run: systemd-tmpfiles: needs root");
        return;
    }
    run(&mut folders);
    for (folder, mode) in [
        ("etc/doorward", 0o750),
        ("etc/doorward/secrets", 0o750),
        ("etc/doorward/certs", 0o750),
        ("var/lib/doorward", 0o700),
    ] {
        use std::os::unix::fs::PermissionsExt as _;
        let metadata = fs::metadata(root.path().join(folder)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{folder}");
    }
}
