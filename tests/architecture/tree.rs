//! Holds the tree to its architecture: who may import whom, where sockets and concrete stores may
//! stand, how long a file may be, and that the documents name what exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module of `src/` and the modules it may import; itself always.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("policy", &["domain"]),
    ("hashing", &["domain"]),
    ("network_password", &["domain"]),
    ("files", &[]),
    ("store", &["domain", "files"]),
    (
        "authenticator",
        &["domain", "policy", "hashing", "network_password", "store"],
    ),
    (
        "directory",
        &[
            "domain",
            "policy",
            "hashing",
            "network_password",
            "store",
            "authenticator",
        ],
    ),
    ("lifecycle", &["domain", "policy", "store"]),
    (
        "ldap",
        &["domain", "authenticator", "directory", "watch", "leftovers"],
    ),
    ("eap", &["domain", "authenticator", "leftovers"]),
    ("leftovers", &[]),
    (
        "radius",
        &[
            "domain",
            "authenticator",
            "directory",
            "eap",
            "watch",
            "leftovers",
        ],
    ),
    ("watch", &["domain", "authenticator"]),
    ("http", &["domain"]),
    ("auth_policy", &["domain", "authenticator", "http"]),
    ("audit", &["domain", "store"]),
    ("metrics", &["domain", "store"]),
    ("config", &["domain"]),
];

/// The modules that may import everything and name a concrete store.
const COMPOSE: &[&str] = &["runtime", "cli", "main", "lib"];

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

/// `src/ldap/search/plan.rs` is `["ldap", "search", "plan"]`; a `mod.rs` is its folder.
fn module_path(file: &Path) -> Vec<String> {
    let relative = file
        .strip_prefix(root().join("src"))
        .unwrap()
        .with_extension("");
    let mut segments: Vec<String> = relative
        .iter()
        .map(|segment| segment.to_str().unwrap().to_owned())
        .collect();
    if segments.last().is_some_and(|last| last == "mod") {
        segments.pop();
    }
    segments
}

/// The text without comments, so that prose and doc links count as no import.
fn without_comments(text: &str) -> String {
    let code = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
    text.lines().map(code).collect::<Vec<_>>().join("\n")
}

/// Every path that starts with `crate::` or `super::`, resolved from the crate's root, to two
/// segments.
fn imports(module: &[String], text: &str) -> BTreeSet<Vec<String>> {
    let text = without_comments(text);
    let mut found = BTreeSet::new();
    for (at, start) in text.match_indices("crate::") {
        collect(&text[at + start.len()..], &[], &mut found);
    }
    let mut done = 0;
    while let Some(at) = text[done..].find("super::") {
        let mut end = done + at;
        let mut climbed = 0;
        while text[end..].starts_with("super::") {
            end += "super::".len();
            climbed += 1;
        }
        collect(
            &text[end..],
            &module[..module.len().saturating_sub(climbed)],
            &mut found,
        );
        done = end;
    }
    found
}

/// Adds the path at the start of `text`, each branch of a group for itself.
fn collect(text: &str, base: &[String], found: &mut BTreeSet<Vec<String>>) {
    if let Some(group) = text.strip_prefix('{') {
        let (mut depth, mut branch) = (1, 0);
        for (at, character) in group.char_indices() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 || (depth == 1 && character == ',') {
                collect(group[branch..at].trim_start(), base, found);
                branch = at + 1;
            }
            if depth == 0 {
                return;
            }
        }
        return;
    }
    let name: String = text
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    if name.is_empty() {
        return;
    }
    let mut path = base.to_vec();
    path.push(name.clone());
    match text[name.len()..].strip_prefix("::") {
        Some(more) if path.len() < 2 => collect(more, &path, found),
        _ => {
            found.insert(path);
        }
    }
}

fn may_import(module: &str, imported: &str) -> bool {
    if module == imported || COMPOSE.contains(&module) {
        return true;
    }
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else {
        panic!("module {module} stands in no row of the import table")
    };
    allowed.contains(&imported)
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let source = root().join("src");
    let mut broken = Vec::new();
    for file in rust_files(&source) {
        let module = module_path(&file);
        let top = module[0].as_str();
        for path in imports(&module, &fs::read_to_string(&file).unwrap()) {
            let imported = path[0].as_str();
            if !source.join(imported).exists() && !source.join(format!("{imported}.rs")).exists() {
                continue;
            }
            let concrete = imported == "store" && path.get(1).is_some_and(|name| name == "sqlite");
            let may_name_it =
                COMPOSE.contains(&top) || module.get(1).is_some_and(|s| s == "sqlite");
            if !may_import(top, imported) || (concrete && !may_name_it) {
                broken.push(format!("{} imports {}", file.display(), path.join("::")));
            }
        }
    }
    assert!(
        broken.is_empty(),
        "the import table is broken:\n{}",
        broken.join("\n")
    );
}

#[test]
fn an_import_that_breaks_the_table_would_be_seen() {
    let module = ["ldap".to_owned(), "search".to_owned()];
    let text = "use crate::{domain::x, policy::{y, z}};\nuse super::super::store::Store;\n\
                // crate::config::C";
    let found = imports(&module, text);
    let tops: BTreeSet<&str> = found.iter().map(|path| path[0].as_str()).collect();
    assert_eq!(tops, BTreeSet::from(["domain", "policy", "store"]));
    assert!(!may_import("ldap", "store"));
    assert!(!may_import("policy", "store"));
    assert!(may_import("cli", "store"));
}

#[test]
fn sockets_databases_and_runtimes_stand_where_they_belong() {
    let mut broken = Vec::new();
    for file in rust_files(&root().join("src")) {
        let module = module_path(&file);
        let top = module[0].as_str();
        let text = without_comments(&fs::read_to_string(&file).unwrap());
        let may_hold_sockets =
            COMPOSE.contains(&top) || module.iter().any(|segment| segment == "server");
        for socket in [
            "tokio::net",
            "TcpListener",
            "UdpSocket",
            "UnixListener",
            "TcpStream",
        ] {
            if text.contains(socket) && !may_hold_sockets {
                broken.push(format!(
                    "{}: {socket} outside a server or runtime",
                    file.display()
                ));
            }
        }
        if text.contains("rusqlite") && module.get(1).is_none_or(|second| second != "sqlite") {
            broken.push(format!("{}: rusqlite outside store/sqlite", file.display()));
        }
        if text.contains("tokio") && ["domain", "policy", "config", "eap"].contains(&top) {
            broken.push(format!("{}: tokio in a pure module", file.display()));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut broken = Vec::new();
    for folder in ["src", "tests", "fuzz/fuzz_targets"] {
        for file in rust_files(&root().join(folder)) {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            if lines > LONGEST {
                broken.push(format!("{}: {lines} lines", file.display()));
            }
        }
    }
    for file in rust_files(&root().join("src")) {
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().count();
        if file.ends_with("src/main.rs") && lines > 40 {
            broken.push(format!("{}: more than 40 lines", file.display()));
        }
        let is_tests = module_path(&file).iter().any(|segment| segment == "tests");
        if !text.starts_with("//!") && !is_tests {
            broken.push(format!("{}: no module header", file.display()));
        }
        if text.contains("#![allow") {
            broken.push(format!(
                "{}: a lint allowed for a whole module",
                file.display()
            ));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn documents_name_only_what_exists() {
    let mut missing = Vec::new();
    let mut documents: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md", "SECURITY.md"]
        .into_iter()
        .map(|name| root().join(name))
        .collect();
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
                "tests/",
                "docs/",
                "conf/",
                "deploy/",
                "fuzz/",
                "migrations/",
            ]
            .iter()
            .any(|folder| path.starts_with(folder));
            let plain = !path.contains(['*', '{', ' ', '<', '…', '\n']);
            if names_a_file && plain && !root().join(path).exists() {
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
