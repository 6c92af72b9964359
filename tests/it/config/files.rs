//! Where the configuration is read from.

use super::*;

fn load_named(path: &Path) -> String {
    let sources =
        Sources { path: Some(path.to_owned()), environment: BTreeMap::new(), working_directory: "/".into() };
    load(&sources).map(|loaded| loaded.settings).unwrap_err().to_string()
}

#[test]
fn a_missing_named_file_is_an_error_and_a_missing_default_file_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let printed = load_named(&folder.path().join("none.yml"));
    assert!(printed.contains("none.yml: cannot be read: No such file"), "{printed}");
    let printed = load_in(folder.path(), &[("CONFIG_PATH", "gone.yml")]).map(|_| ()).unwrap_err();
    assert!(printed.starts_with("gone.yml: cannot be read"), "{printed}");
    let printed = load_in(folder.path(), &[]).map(|_| ()).unwrap_err();
    assert!(printed.starts_with("org: missing; expected"), "{printed}");
    assert!(printed.contains("\nThere is no config.yml in "), "{printed}");
}

#[test]
fn the_option_goes_before_the_variable_and_the_variable_before_the_default() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config", "variable", "option"] {
        let text = MINIMAL.replace("my-org", name);
        fs::write(folder.path().join(format!("{name}.yml")), text).unwrap();
    }
    let org = |path: Option<&str>, environment: &[(&str, &str)]| {
        let sources = Sources {
            path: path.map(Into::into),
            environment: variables(environment),
            working_directory: folder.path().to_owned(),
        };
        load(&sources).unwrap().config.org.to_string()
    };
    assert_eq!(org(None, &[]), "config");
    assert_eq!(org(None, &[("CONFIG_PATH", "variable.yml")]), "variable");
    assert_eq!(org(Some("option.yml"), &[("CONFIG_PATH", "variable.yml")]), "option");
}

#[test]
fn a_directory_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    assert!(load_named(folder.path()).contains("expected a file, found a directory"));
}

#[test]
fn a_huge_file_is_refused_before_it_is_parsed() {
    let printed = load_bytes(&vec![b'#'; 2 << 20], &[]).map(|_| ()).unwrap_err();
    assert!(printed.contains("expected at most 1048576 bytes"), "{printed}");
}

#[test]
fn text_that_is_not_utf_8_is_named_with_its_line() {
    let printed = load_bytes(b"org: a\n# \xff\xfe\n", &[]).map(|_| ()).unwrap_err();
    assert!(printed.starts_with("config.yml:2: expected UTF-8 text"), "{printed}");
}

#[test]
fn a_syntax_error_is_one_problem_with_its_line() {
    for (text, line) in [
        ("org: o\nserver: {port: 1\n", 3),
        ("org: o\n\tserver: 1\n", 2),
        ("org: *nowhere\n", 1),
        ("org: o\ntoken: !secret x\n", 2),
        ("org: o\n? [a, b]\n: c\n", 2),
        ("org: a\n---\norg: b\n", 1),
    ] {
        let printed = problems_of(text);
        assert!(
            printed.starts_with(&format!("config.yml:{line}: not usable as YAML: ")),
            "{text:?}: {printed}"
        );
        assert!(printed.ends_with("\n1 problem in the configuration"), "{printed}");
    }
}

#[test]
fn text_that_is_no_section_is_refused_without_repeating_it() {
    for text in ["just words\n", "- a\n- b\n", "42\n"] {
        let printed = problems_of(text);
        assert!(printed.contains("expected keys and values"), "{printed}");
        assert!(!printed.contains("words"), "{printed}");
    }
}

#[test]
fn aliases_work_and_cannot_blow_a_small_file_up() {
    let shared = "org: my-org\ntoken: t\nserver: {tls: {enabled: false}}\npolicy:\n  teams:\n    allow: &list \
                      [a]\nscopes: {allow: *list}\n";
    assert!(config_of(shared).scopes.permit("a"));

    let mut bomb = vec!["a0: &a0 [x, x, x, x, x, x, x, x, x]".to_owned()];
    for level in 1..30 {
        let below = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb.push(format!("a{level}: &a{level} [{below}]"));
    }
    let bomb = bomb.join("\n");
    let big = "y".repeat(900_000);
    let copies = format!("a: &a {big}\nb: [{}]\n", vec!["*a"; 9_000].join(", "));
    for text in [bomb, copies, format!("{}1{}", "[".repeat(400), "]".repeat(400))] {
        let started = Instant::now();
        let printed = problems_of(&text);
        assert!(printed.contains("not usable as YAML"), "{printed}");
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}
