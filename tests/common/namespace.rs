//! Real programs with their real ports, names and folders, and nothing of this machine touched.
//!
//! A test that begins with [`inside`] runs itself once more, alone, in new mount, network and
//! process namespaces: loopback is its own, so that every port is free; what it mounts is seen by
//! itself alone; and whatever it started ends with it, also where it fails.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

/// Set in the inner run.
const MARK: &str = "DOORWARD_TEST_NAMESPACE";

/// How long the inner run may take, in seconds.
const LIMIT: &str = "600";

/// Runs the calling test, whose path within its binary is `test`, in namespaces of its own: true
/// there, false in the outer run, which has nothing left to do.
#[track_caller]
#[must_use]
pub(crate) fn inside(test: &str) -> bool {
    if std::env::var_os(MARK).is_some() {
        run("ip", &["link", "set", "lo", "up"]);
        return true;
    }
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        assert!(std::env::var_os("CI").is_none(), "CI must run this as root");
        eprintln!("not run: namespaces need root");
        return false;
    }
    let ran = Command::new("timeout")
        .args(["--kill-after=10", LIMIT, "unshare", "--mount", "--net"])
        .args(["--pid", "--fork", "--kill-child", "--mount-proc", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        .output()
        .unwrap();
    let shown = format!(
        "{}{}",
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
    assert!(ran.status.success(), "in its namespaces:\n{shown}");
    assert!(
        shown.contains("1 passed"),
        "no test is called {test}:\n{shown}"
    );
    false
}

/// Lays a folder or file over another, for this test alone.
#[track_caller]
pub(crate) fn lay(over: &str, what: &Path) {
    run("mount", &["--bind", what.to_str().unwrap(), over]);
}

/// Lays an empty folder over another, for this test alone; everybody may read it.
#[track_caller]
pub(crate) fn lay_empty(over: &str) {
    let options = ["-t", "tmpfs", "-o", "size=256m,mode=0755"];
    run("mount", &[&options[..], &["doorward-test", over]].concat());
}

#[track_caller]
fn run(program: &str, arguments: &[&str]) {
    let ran = Command::new(program).args(arguments).output().unwrap();
    let shown = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{program} {arguments:?}: {shown}");
}
