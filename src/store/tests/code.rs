//! What the source of the store must not do. Behind a pooler of transactions, a statement outside of a transaction, or one
//! with a name, can get somebody else's result.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let inside = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    inside.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// The code of each file, without its tests and comments; the file's name goes from `src` on.
fn code() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let name = |path: &Path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
    let files = sources(&root).into_iter().map(|path| (name(&path), fs::read_to_string(&path).unwrap()));
    let files = files.filter(|(name, _)| !name.contains("tests"));
    files
        .map(|(name, text)| {
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            (name, lines.collect::<Vec<_>>().join("\n"))
        })
        .collect()
}

#[test]
fn nothing_but_the_helper_gets_at_a_connection() {
    let may = |name: &str, files: &[&str]| files.iter().any(|file| name == format!("store/{file}"));
    let database = ["database.rs", "postgres.rs", "sqlite.rs"];
    for (name, code) in code() {
        for pool in ["PgPool", "SqlitePool", "begin_with(", "Pool<"] {
            assert!(!code.contains(pool) || may(&name, &database), "{name} has {pool}");
        }
        for beside in ["raw_sql(", ".begin()", ".acquire(", ".detach("] {
            let allowed = may(&name, &database) || !name.starts_with("store/");
            assert!(!code.contains(beside) || allowed, "{name} has {beside}");
        }
        for statement in ["sqlx::query", ".fetch_", "fetch("] {
            let helpers = ["statements.rs", "events/write.rs", "database.rs"];
            let allowed = may(&name, &helpers) || !name.starts_with("store/");
            assert!(!code.contains(statement) || allowed, "{name} has {statement}");
        }
        // The text of all other statements is in the program.
        let made_up = code.matches("AssertSqlSafe(").count();
        assert_eq!(made_up, usize::from(name == "store/database.rs"), "{name} makes up statements");
        assert!(!code.contains("sqlx::") || name.starts_with("store/"), "{name} knows SQL");
        for session in
            ["LISTEN", "pg_advisory_lock", "pg_try_advisory_lock", "SET SESSION", "PREPARE ", "TEMP TABLE"]
        {
            assert!(!code.contains(session), "{name} has {session}, which is of a session");
        }
    }
}

#[test]
fn every_statement_on_a_server_is_unnamed() {
    let mut found = 0;
    for (name, code) in code() {
        for statement in code
            .split("sqlx::query")
            .skip(1)
            .filter(|rest| rest.contains("Postgres>(") || rest.contains("Postgres, "))
        {
            let statement = statement.split("sqlx::query").next().unwrap();
            if statement.starts_with("::<sqlx::Postgres>") || statement.starts_with("_as::<sqlx::Postgres,") {
                assert!(statement.contains(".persistent(false)"), "{name}: {statement}");
                found += 1;
            }
        }
    }
    assert_eq!(found, 3, "the two macros, and the one that writes many events");
}
