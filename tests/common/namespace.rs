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

/// Lays the packages that `tests/packages` unpacked over `/usr` and `/etc`, and an empty `/run` and
/// a new `/var` with what the packages keep there. From here on the test may write into all four:
/// nothing of it reaches the machine. `scratch` is an empty folder that holds what is written.
#[track_caller]
pub(crate) fn lay_packages(scratch: &Path) {
    assert!(
        std::fs::read_link("/proc/1/exe").is_ok_and(|exe| exe == std::env::current_exe().unwrap()),
        "only inside: the test's own process is the first of its namespace"
    );
    let target = Path::new(env!("CARGO_BIN_EXE_doorward")).ancestors().nth(2);
    let packages = target.unwrap().join("debian/root");
    assert!(
        packages.is_dir(),
        "{} is missing: run tests/packages",
        packages.display()
    );
    lay_empty(scratch.to_str().unwrap());
    for name in ["usr", "etc"] {
        let (upper, work) = (
            scratch.join(name),
            scratch.join(format!("{name}.overlayfs")),
        );
        std::fs::create_dir(&upper).unwrap();
        std::fs::create_dir(&work).unwrap();
        let over = format!("/{name}");
        let options = format!(
            "lowerdir={}:{over},upperdir={},workdir={}",
            packages.join(name).display(),
            upper.display(),
            work.display()
        );
        let overlay = ["-t", "overlay", "-o", &options, "doorward-test", &over];
        run("mount", &overlay);
    }
    let (from, var) = (packages.join("var"), scratch.join("var"));
    run("cp", &["-a", from.to_str().unwrap(), var.to_str().unwrap()]);
    for name in ["cache", "lib", "log", "mail", "spool", "tmp"] {
        std::fs::create_dir_all(var.join(name)).unwrap();
    }
    std::os::unix::fs::symlink("/run", var.join("run")).unwrap();
    lay("/var", &var);
    lay_empty("/run");
    // What lies over holds on to it; its name is free, so that the folder can go away.
    run("umount", &["--lazy", scratch.to_str().unwrap()]);
}

/// Writes a file, which nobody but root may read, and the folders it lies in.
#[track_caller]
pub(crate) fn write(path: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = Path::new(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
