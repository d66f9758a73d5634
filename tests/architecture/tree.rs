//! Holds the tree to its architecture where Cargo cannot: what a pure crate may depend on, who may
//! make proofs, where sockets and SQL may stand, how long a file may be, and that the documents
//! name what exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Crates without IO. They depend on each other alone, and on no crate that does IO but below
/// `ldap3_proto` and `radius`.
const PURE: &[&str] = &[
    "domain",
    "eap",
    "frontend-api",
    "hashes",
    "ldap-protocol",
    "leftovers",
    "observe",
    "radius-protocol",
];

/// What no pure crate's manifest may name, not even for its tests.
const IO: &[&str] = &[
    "tokio",
    "tokio-util",
    "tokio-rustls",
    "mio",
    "socket2",
    "nix",
    "rustix",
    "rusqlite",
    "hyper",
    "tempfile",
];

/// Where sockets may stand; `.` is the root package.
const MAY_HOLD_SOCKETS: &[&str] = &[
    ".",
    "auth-policy",
    "fixtures",
    "http",
    "ldap",
    "net",
    "radius",
];

/// Who may take the authority to make proofs.
const MAKERS_OF_PROOFS: &[&str] = &[
    "crates/authenticator/src/lib.rs",
    "crates/directory/src/lib.rs",
    "crates/fixtures/src/proofs.rs",
];

/// The longest a source file may be, in lines.
const LONGEST: usize = 800;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Each package by its name without the prefix, with its folder; the root package is `.`.
fn packages() -> BTreeMap<String, PathBuf> {
    let mut packages = BTreeMap::from([(".".to_owned(), root())]);
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            packages.insert(name, path);
        }
    }
    packages
}

fn manifest(folder: &Path) -> toml::Table {
    let text = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    text.parse().unwrap()
}

/// The names in one table of a manifest.
fn named(manifest: &toml::Table, table: &str) -> BTreeSet<String> {
    let table = manifest.get(table).and_then(toml::Value::as_table);
    table
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .collect()
}

/// The crates of ours that a package depends on, without the prefix.
fn own_dependencies(folder: &Path) -> BTreeSet<String> {
    named(&manifest(folder), "dependencies")
        .iter()
        .filter_map(|name| name.strip_prefix("doorward-"))
        .map(str::to_owned)
        .collect()
}

/// The text without comments, so that prose and doc links count as no use.
fn without_comments(text: &str) -> String {
    let code = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
    text.lines().map(code).collect::<Vec<_>>().join("\n")
}

/// A source file from the root, as documents name it.
fn shown(file: &Path) -> String {
    file.strip_prefix(root()).unwrap().display().to_string()
}

#[test]
fn pure_crates_depend_on_nothing_that_does_io() {
    let packages = packages();
    let mut broken = Vec::new();
    for name in PURE {
        let folder = &packages[*name];
        let own = own_dependencies(folder);
        for other in own.iter().filter(|other| !PURE.contains(&other.as_str())) {
            broken.push(format!("{name} depends on {other}, which is not pure"));
        }
        let manifest = manifest(folder);
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for one in named(&manifest, table)
                .iter()
                .filter(|one| IO.contains(&one.as_str()))
            {
                broken.push(format!("{name} names {one} in its {table}"));
            }
        }
        let lints = fs::canonicalize(folder.join("clippy.toml"));
        if !lints.is_ok_and(|path| path == root().join("crates/pure.clippy.toml")) {
            broken.push(format!("{name}: clippy.toml is not that of pure crates"));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// The table of `docs/ARCHITECTURE.md` is what the manifests say.
#[test]
fn the_table_of_dependencies_is_true() {
    let text = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let (_, table) = text.split_once("| crate | depends on |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let mut told = BTreeMap::new();
    for row in table.lines().skip(2) {
        let words: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        let (name, on) = words.split_first().unwrap();
        let on: BTreeSet<String> = on.iter().map(|&one| one.to_owned()).collect();
        told.insert((*name).to_owned(), on);
    }
    let true_ones: BTreeMap<String, BTreeSet<String>> = packages()
        .iter()
        .filter(|(name, _)| *name != ".")
        .map(|(name, folder)| (name.clone(), own_dependencies(folder)))
        .collect();
    assert_eq!(told, true_ones);
    // They make proofs out of nothing.
    for (name, folder) in packages() {
        assert!(!own_dependencies(&folder).contains("fixtures"), "{name}");
    }
}

#[test]
fn proofs_are_made_by_the_core_alone() {
    let mut makers = BTreeSet::new();
    for folder in ["src", "crates", "tests", "benches", "fuzz/fuzz_targets"] {
        for file in rust_files(&root().join(folder)) {
            let text = without_comments(&fs::read_to_string(&file).unwrap());
            // In two pieces, so that this line does not count.
            if text.contains(concat!("of_the", "_core")) {
                makers.insert(shown(&file));
            }
        }
    }
    makers.remove("crates/frontend-api/src/authority.rs");
    let expected: BTreeSet<String> = MAKERS_OF_PROOFS.iter().map(ToString::to_string).collect();
    assert_eq!(makers, expected);
}

#[test]
fn sockets_and_sql_stand_where_they_belong() {
    let mut broken = Vec::new();
    for (name, folder) in packages() {
        for file in rust_files(&folder.join("src")) {
            let text = without_comments(&fs::read_to_string(&file).unwrap());
            for socket in [
                "tokio::net",
                "TcpListener",
                "UdpSocket",
                "UnixListener",
                "TcpStream",
            ] {
                if text.contains(socket) && !MAY_HOLD_SOCKETS.contains(&name.as_str()) {
                    broken.push(format!("{}: {socket} in {name}", shown(&file)));
                }
            }
            let sqlite = root().join("crates/store/src/sqlite");
            let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
            if shipped.contains("rusqlite") && !file.starts_with(sqlite) {
                broken.push(format!("{}: rusqlite outside of its engine", shown(&file)));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut broken = Vec::new();
    for folder in ["src", "crates", "tests", "fuzz/fuzz_targets"] {
        for file in rust_files(&root().join(folder)) {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            if lines > LONGEST {
                broken.push(format!("{}: {lines} lines", shown(&file)));
            }
        }
    }
    for (name, folder) in packages() {
        for file in rust_files(&folder.join("src")) {
            let text = fs::read_to_string(&file).unwrap();
            if file.ends_with("src/main.rs") && text.lines().count() > 40 {
                broken.push(format!("{}: more than 40 lines", shown(&file)));
            }
            let is_tests = file
                .with_extension("")
                .iter()
                .any(|segment| segment == "tests");
            if !text.starts_with("//!") && !is_tests {
                broken.push(format!("{}: no module header", shown(&file)));
            }
            if text.contains("#![allow") {
                broken.push(format!(
                    "{}: a lint allowed for a whole module",
                    shown(&file)
                ));
            }
        }
        let readme = fs::read_to_string(folder.join("README.md")).unwrap_or_default();
        if readme.is_empty() || (name != "." && readme.lines().count() > 12) {
            broken.push(format!("{name}: README.md is missing or too long"));
        }
        if manifest(&folder).get("lints").is_none() {
            broken.push(format!("{name}: the workspace's lints are not in force"));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn documents_name_only_what_exists() {
    let mut missing = Vec::new();
    let mut documents: Vec<PathBuf> = ["CONTRIBUTING.md", "SECURITY.md"]
        .into_iter()
        .map(|name| root().join(name))
        .collect();
    for folder in packages().values() {
        documents.push(folder.join("README.md"));
    }
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            documents.push(path);
        }
    }
    for document in documents {
        let text = fs::read_to_string(&document)
            .unwrap_or_else(|error| panic!("{}: {error}", document.display()));
        for quoted in text.split('`').skip(1).step_by(2) {
            let path = quoted.split("::").next().unwrap_or(quoted);
            let names_a_file = [
                "src/",
                "crates/",
                "tests/",
                "docs/",
                "conf/",
                "deploy/",
                "fuzz/",
                "benches/",
                "migrations/",
            ]
            .iter()
            .any(|folder| path.starts_with(folder));
            let plain = !path.contains(['*', '{', ' ', '<', '…', '\n']);
            let base = document.parent().unwrap();
            if names_a_file && plain && !root().join(path).exists() && !base.join(path).exists() {
                missing.push(format!("{}: {path}", document.display()));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "named and not there:\n{}",
        missing.join("\n")
    );
}
