//! A slapd of its own: configuration, database and process go away with it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::common::{eventually, namespace};
use crate::population::service;

/// Where Debian puts it, which is not in everybody's path.
const PROGRAM: &str = "/usr/sbin/slapd";

/// Whether slapd can be started in this run of the calling test, whose path is `test`. Where it is
/// not installed it is among the packages of `tests/packages`, laid over this machine's for an
/// inner run of the test; the outer run has nothing left to do.
#[must_use]
pub(crate) fn is_there(test: &str, scratch: &TempDir) -> bool {
    if Path::new(PROGRAM).exists() {
        return true;
    }
    if !namespace::inside(test) {
        return false;
    }
    namespace::lay_packages(scratch.path());
    true
}

/// A running slapd.
pub(crate) struct Slapd {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    folder: TempDir,
    process: Child,
}

impl Slapd {
    /// Loads a tree under a base and serves it.
    pub(crate) fn start(address: SocketAddr, base: &str, ldif: &str) -> Self {
        assert!(
            Path::new(PROGRAM).exists(),
            "{PROGRAM} is missing: install Debian's slapd, or run tests/run"
        );
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("data")).unwrap();
        fs::write(path("slapd.conf"), configuration(folder.path(), base)).unwrap();
        fs::write(path("tree.ldif"), ldif).unwrap();
        // slapd is slapadd under another name. Content rules are not looked at, since groups may
        // be empty here; syntaxes are.
        let loaded = Command::new(PROGRAM)
            .args(["-T", "add", "-s", "-f"])
            .arg(path("slapd.conf"))
            .arg("-l")
            .arg(path("tree.ldif"))
            .output()
            .unwrap();
        assert!(
            loaded.status.success(),
            "{}",
            String::from_utf8_lossy(&loaded.stderr)
        );
        // With a debug level it stays in the foreground.
        let process = Command::new(PROGRAM)
            .args(["-d", "0", "-h"])
            .arg(format!("ldap://{address}/"))
            .arg("-f")
            .arg(path("slapd.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(path("slapd.log")).unwrap())
            .spawn()
            .unwrap();
        let slapd = Self {
            address,
            folder,
            process,
        };
        eventually(
            || slapd.log(),
            || std::net::TcpStream::connect(address).is_ok(),
        );
        slapd
    }

    /// What it complained of.
    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("slapd.log")).unwrap_or_default()
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Debian's schemas, one of ours for what they lack, and who may read what as Doorward has it.
fn configuration(folder: &Path, base: &str) -> String {
    let folder = folder.display();
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/hosts.schema");
    // Both in quotes, where a backslash stands for what comes behind it.
    let quoted = |name: &str| name.replace('\\', r"\\").replace('"', r#"\""#);
    let (service, base) = (quoted(&service(base)), quoted(base));
    let folders: String = [
        "",
        "ou=people,",
        "ou=groups,",
        "ou=services,",
        "ou=policies,",
    ]
    .map(|name| {
        format!(
            r#"access to dn.base="{name}{base}"
    by dn.exact="{service}" read
    by users search
    by * disclose
"#
        )
    })
    .concat();
    format!(
        r#"
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include {schema}
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
moduleload sssvlv
schemadn "cn=subschema"
sizelimit 10000
timelimit 30

access to dn.base="" by * read
access to dn.base="cn=Subschema" by * read

database mdb
suffix "{base}"
directory {folder}/data
maxsize 16777216
# The tree is taken as it stands: no times, no names of writers.
lastmod off
overlay ppolicy
overlay sssvlv
access to dn.children="ou=people,{base}" attrs=userPassword
    by self =xw
    by anonymous auth
    by * none
access to attrs=userPassword
    by anonymous auth
    by * none
access to dn.children="ou=services,{base}"
    by anonymous auth
    by * none
{folders}access to dn.base="cn=ppolicy,ou=policies,{base}"
    by dn.exact="{service}" read
    by users search
    by * disclose
access to *
    by dn.exact="{service}" read
    by self read
    by anonymous disclose
    by * none
"#
    )
}
