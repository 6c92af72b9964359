//! The arrows between modules: `http → ops → access → github → domain`, and leaves that know little.

use std::fs;
use std::path::{Path, PathBuf};

/// What each module may import of this crate, beside itself.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &[]),
    ("timed_cache", &["clock", "domain", "metrics"]),
    ("metrics", &["domain"]),
    ("limits", &["config", "clock", "domain"]),
    ("audit", &["config", "clock", "domain", "telemetry"]),
    ("tls", &["clock", "domain"]),
    ("telemetry", &["config", "clock", "domain"]),
    ("config", &["clock", "domain"]),
    ("github", &["clock", "domain", "metrics", "timed_cache"]),
    ("access", &["github", "clock", "domain", "limits", "metrics", "timed_cache"]),
    ("state", &["access", "audit", "clock", "domain", "github", "limits", "tls"]),
    ("ops", &["state", "access", "github", "clock", "domain", "audit"]),
    ("http", &["state", "ops", "access", "limits", "clock", "domain", "audit", "github", "metrics"]),
    // Only compiled for tests and fuzz targets.
    ("fuzzing", &["config", "github", "http"]),
    (
        "server",
        &[
            "access",
            "audit",
            "config",
            "clock",
            "domain",
            "github",
            "http",
            "limits",
            "metrics",
            "ops",
            "state",
            "sweep",
            "telemetry",
            "tls",
        ],
    ),
    ("sweep", &["state", "ops", "access", "limits", "config", "clock", "domain", "github", "metrics"]),
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

#[test]
fn imports_point_one_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let import = regex::Regex::new(r"\bcrate::([a-z_]+)").unwrap();
    let mut wrong = Vec::new();
    for file in sources(&root) {
        let module = module_of(&file, &root);
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else { continue };
        let text = fs::read_to_string(&file).unwrap();
        for found in import.captures_iter(&text) {
            let imported = &found[1];
            if imported != module && !allowed.contains(&imported) {
                wrong.push(format!("{} imports {imported}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
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
fn only_github_knows_octocrab_and_only_one_file_knows_yaml() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in sources(&root) {
        let (module, text) = (module_of(&file, &root), fs::read_to_string(&file).unwrap());
        let knows = |library: &str| text.contains(library);
        assert!(!knows("octocrab::") || module == "github", "{} knows octocrab", file.display());
        assert!(
            !knows("serde_yaml::") || file.ends_with("config/document.rs"),
            "{} knows YAML",
            file.display()
        );
    }
}
