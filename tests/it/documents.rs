//! What the pages for people say, as tables.

use std::path::Path;

/// The text of docs/operations.md.
pub fn operations() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md")).unwrap()
}

/// The rows of a table, without its head: the first that begins with `head` behind the line that begins so.
pub fn cells(text: &str, line: &str, head: &str) -> Vec<Vec<String>> {
    let after = text.split_once(&format!("\n{line}")).unwrap_or_else(|| panic!("no line \"{line}\"")).1;
    let from = after.find(head).unwrap_or_else(|| panic!("no table \"{head}\" behind \"{line}\""));
    let lines = after[from..].lines().skip(2).take_while(|line| line.starts_with('|'));
    let row = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    let rows: Vec<_> = lines.map(row).collect();
    assert!(!rows.is_empty(), "the table {head} is empty");
    rows
}

/// What a cell has between backticks.
pub fn words(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
