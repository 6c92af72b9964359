//! The arrows between modules: `http → ops → access → github → domain`, and leaves that know little.

use std::fs;
use std::path::{Path, PathBuf};

/// What each module may import of this crate, in addition to itself.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &[]),
    ("writes", &[]),
    ("metrics", &["domain"]),
    ("single_flight", &[]),
    ("cache", &["clock", "metrics", "single_flight"]),
    ("config", &["domain"]),
    ("store", &["clock", "config", "domain", "metrics"]),
    ("replicas", &["domain", "metrics", "store"]),
    ("limits", &["clock", "domain", "replicas", "store"]),
    ("account", &["domain"]),
    ("request", &["account", "domain", "limits", "metrics"]),
    ("tls", &["domain"]),
    ("telemetry", &["config", "domain"]),
    ("audit", &["config", "domain", "metrics", "request", "store", "telemetry"]),
    ("outbound", &["domain"]),
    ("oidc", &["clock", "domain", "metrics", "outbound"]),
    (
        "github",
        &["account", "clock", "domain", "metrics", "cache", "outbound", "replicas", "single_flight", "store"],
    ),
    (
        "access",
        &[
            "account",
            "clock",
            "domain",
            "github",
            "limits",
            "metrics",
            "cache",
            "oidc",
            "single_flight",
            "store",
        ],
    ),
    ("organisation", &["access", "clock", "domain", "github", "replicas", "single_flight", "store"]),
    (
        "ops",
        &[
            "access",
            "account",
            "audit",
            "domain",
            "github",
            "organisation",
            "replicas",
            "request",
            "store",
            "writes",
        ],
    ),
    ("state", &["access", "audit", "domain", "github", "limits", "organisation", "tls", "writes"]),
    (
        "http",
        &["access", "account", "audit", "domain", "github", "limits", "metrics", "ops", "request", "state"],
    ),
    ("watch", &["access", "clock", "config", "domain", "github", "metrics", "ops", "state"]),
    // Only compiled for tests and fuzz targets.
    ("fuzzing", &["config", "github", "http", "oidc"]),
    (
        "server",
        &[
            "ops",
            "access",
            "audit",
            "clock",
            "config",
            "domain",
            "github",
            "http",
            "limits",
            "metrics",
            "oidc",
            "organisation",
            "outbound",
            "replicas",
            "single_flight",
            "state",
            "store",
            "telemetry",
            "tls",
            "watch",
            "writes",
        ],
    ),
];

pub fn sources(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        // A module's own tests may use whatever they need.
        .filter(|path| {
            !path.ends_with("tests.rs") && !path.ends_with("properties.rs") && !path.ends_with("cut.rs")
        })
        .collect()
}

/// The module of this crate that a file belongs to, such as `github` for `src/github/teams.rs`.
fn module_of(file: &Path, root: &Path) -> String {
    let inside = file.strip_prefix(root).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The modules of this crate that a source text imports, grouped imports included.
fn imports(text: &str) -> Vec<String> {
    let single = regex::Regex::new(r"\bcrate::([a-z_]+)").unwrap();
    let group = regex::Regex::new(r"\bcrate::\{").unwrap();
    let mut found: Vec<_> = single.captures_iter(text).map(|found| found[1].to_owned()).collect();
    for start in group.find_iter(text).map(|found| found.end()) {
        found.extend(first_segments(&text[start..]));
    }
    found
}

/// The first part of each path of a group, up to its closing brace.
fn first_segments(group: &str) -> Vec<String> {
    let (mut depth, mut paths) = (0, vec![String::new()]);
    for character in group.chars() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => paths.push(String::new()),
            _ if depth == 0 => paths.last_mut().unwrap().push(character),
            _ => {}
        }
    }
    let first = |path: String| path.trim().split("::").next().unwrap_or_default().to_owned();
    paths.into_iter().map(first).filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase())).collect()
}

#[test]
fn grouped_imports_are_read_as_well() {
    let text = "use crate::{\n    access::{Caller, teams::Teams},\n    clock::Clock,\n    ops,\n};\nuse crate::domain::ids;";
    assert_eq!(imports(text), ["domain", "access", "clock", "ops"]);
}

#[test]
fn imports_point_one_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for file in sources(&root) {
        let module = module_of(&file, &root);
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else { continue };
        let text = fs::read_to_string(&file).unwrap();
        // What follows in the file are its own tests, which may use whatever they need.
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for imported in imports(text) {
            if imported != module && !allowed.contains(&imported.as_str()) {
                wrong.push(format!("{} imports {imported}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_module_imports_one_that_stands_above_it() {
    let mut allowed: Vec<&str> = Vec::new();
    for (module, imported) in MAY_IMPORT {
        let above: Vec<_> = imported.iter().filter(|name| !allowed.contains(name)).collect();
        assert!(above.is_empty(), "{module} stands before {above:?}");
        allowed.push(module);
    }
}

#[test]
fn every_module_of_the_library_has_its_arrows_written_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let library = fs::read_to_string(root.join("lib.rs")).unwrap();
    for line in library.lines() {
        let Some(module) = line.strip_prefix("pub mod ") else { continue };
        let module = module.trim_end_matches(';');
        assert!(MAY_IMPORT.iter().any(|(name, _)| *name == module), "{module} is not in MAY_IMPORT");
    }
}

#[test]
fn only_github_knows_octocrab_and_only_who_reads_files_knows_yaml() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in sources(&root) {
        let (module, text) = (module_of(&file, &root), fs::read_to_string(&file).unwrap());
        let knows = |library: &str| text.contains(library);
        assert!(!knows("octocrab::") || module == "github", "{} knows octocrab", file.display());
        assert!(
            !knows("serde_yaml::")
                || file.ends_with("config/document.rs")
                || file.ends_with("commands/records.rs"),
            "{} knows YAML",
            file.display()
        );
    }
}
