//! What the pages refer to: links, and the crates of the project.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use regex::Regex;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page for readers of the repository.
pub fn pages() -> Vec<PathBuf> {
    ["", "docs", "charts/actions-runner-manager"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root().join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

/// The page without its blocks of code, where `#` and brackets mean other things.
fn prose(page: &str) -> String {
    page.split("```").step_by(2).collect()
}

/// What a heading is called in an address, as GitHub and mdBook do it.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let kept = |character: char| character.is_alphanumeric() || "-_ ".contains(character);
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        text.chars().filter(|character| kept(*character)).collect::<String>().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_between_pages_leads_to_a_file_and_to_a_heading_in_it() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let (mut checked, mut broken) = (0, Vec::new());
    for path in pages() {
        let page = prose(&std::fs::read_to_string(&path).unwrap());
        for target in link.captures_iter(&page).map(|found| found[1].to_owned()) {
            if target.starts_with("https://") {
                continue;
            }
            checked += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let file = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let leads = match std::fs::read_to_string(&file) {
                Ok(text) => anchor.is_empty() || anchors(&prose(&text)).contains(anchor),
                Err(_) => file.is_dir() && anchor.is_empty(),
            };
            if !leads {
                broken.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(checked > 40, "only {checked} links were found");
}

#[test]
fn every_page_of_the_folder_is_in_the_sites_table_of_contents() {
    let contents = std::fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    for path in pages().iter().filter(|path| path.parent() == Some(&root().join("docs"))) {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name == "SUMMARY.md" || contents.contains(&format!("({name})")), "{name}");
    }
}

/// The names in the first column of the tables between two headings.
fn first_column(page: &str, heading: &str) -> BTreeSet<String> {
    let section = page.split_once(heading).unwrap().1;
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let names = rows.flat_map(|row| row.split('|').nth(1).unwrap().split(','));
    names.map(|name| name.trim().trim_matches('`').to_owned()).collect()
}

#[test]
fn the_page_of_dependencies_names_exactly_those_of_the_project() {
    let page = std::fs::read_to_string(root().join("docs/dependencies.md")).unwrap();
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for (table, heading) in
        [("[dependencies]\n", "## In the program"), ("[dev-dependencies]\n", "## In tests and the benchmark")]
    {
        let section = manifest.split_once(table).unwrap().1.split("\n[").next().unwrap();
        let names = section.lines().filter_map(|line| Some(line.split_once(" = ")?.0.to_owned()));
        assert_eq!(first_column(&page, heading), names.collect(), "{table}");
    }
}
