//! YAML's end mark as a file's last line.

use super::*;

const CUT: &str = "org: my-org\ntoken: t\nserver: {tls: {enabled: false}}\n";
const REQUIRED: (&str, &str) = ("CONFIG_END", "required");

#[test]
fn the_mark_may_have_white_space_behind_it_and_line_breaks_of_any_kind() {
    for end in ["...", "...\n", "... \t\n", "...\r\n", "...\n\n  \n", "...\r\n\r\n"] {
        let text = format!("{CUT}{end}");
        assert!(load_bytes(text.as_bytes(), &[REQUIRED]).unwrap().has_end_mark, "{end:?}");
        let text = text.replace('\n', "\r\n");
        assert!(load_bytes(text.as_bytes(), &[REQUIRED]).unwrap().has_end_mark, "{end:?}");
    }
}

#[test]
fn what_only_looks_like_the_mark_is_none() {
    for end in
        ["# ...\n", "#...", "scopes:\n  deny:\n  - ...\n", "groups:\n  name: |-\n    {team}\n    ...\n", ".."]
    {
        let printed = load_bytes(format!("{CUT}{end}").as_bytes(), &[REQUIRED]).map(|_| ()).unwrap_err();
        assert!(printed.contains("expected ... (YAML's end mark) as the last line"), "{end:?}: {printed}");
    }
}

#[test]
fn nothing_may_stand_behind_the_mark() {
    for (end, line) in [
        ("...\n# the end\n", 5),
        ("... # the end\n", 4),
        ("...\npolicy: {maxRunners: 1}\n", 5),
        ("...\n...\n", 5),
        ("...\n---\norg: other\n", 5),
        ("...\n\n\n---", 7),
    ] {
        for environment in [&[][..], &[REQUIRED]] {
            let printed = load_bytes(format!("{CUT}{end}").as_bytes(), environment).map(|_| ()).unwrap_err();
            let expected = format!("config.yml:{line}: expected nothing after ..., which ends the file");
            assert_eq!(printed.lines().next(), Some(expected.as_str()), "{end:?}");
        }
    }
}

#[test]
fn without_the_mark_a_file_is_refused_only_if_the_environment_asks_for_it() {
    for environment in [&[][..], &[("CONFIG_END", "")], &[("CONFIG_END", " ")]] {
        let loaded = load_bytes(CUT.as_bytes(), environment).unwrap();
        assert!(!loaded.has_end_mark);
        let warned = loaded
            .warnings(None)
            .into_iter()
            .any(|warning| warning.to_string().contains("config.yml: the last line is not ..."));
        assert!(warned, "{:?}", loaded.warnings(None));
    }
    let whole = load_bytes(format!("{CUT}...\n").as_bytes(), &[]).unwrap();
    assert!(!whole.warnings(None).iter().any(|warning| warning.to_string().contains("end mark")));
    let printed = load_bytes(CUT.as_bytes(), &[REQUIRED]).map(|_| ()).unwrap_err();
    assert_lines(
        &printed,
        &[
            "config.yml:3: expected ... (YAML's end mark) as the last line, since CONFIG_END=required: if the file was \
             cut off, write it again as a whole; if it never had the mark, add it",
            "1 problem in the configuration",
        ],
    );
    for cut in ["", "\n", "# only a comment\n"] {
        let printed = load_bytes(
            cut.as_bytes(),
            &[REQUIRED, ("ARM_ORG", "o"), ("ARM_TOKEN", "t"), ("ARM_SERVER_TLS_ENABLED", "false")],
        );
        assert!(printed.map(|_| ()).unwrap_err().starts_with("config.yml:1: expected ..."), "{cut:?}");
    }
    // What else is wrong is named as well.
    let printed = load_bytes(b"token: t\ncolour: 1\n", &[REQUIRED]).map(|_| ()).unwrap_err();
    for word in ["(YAML's end mark)", "org: missing", "colour: unknown key"] {
        assert!(printed.contains(word), "{word} is not in {printed}");
    }
}

#[test]
fn where_the_mark_is_required_so_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let enough = [("ARM_ORG", "my-org"), ("ARM_TOKEN", "t"), ("ARM_SERVER_TLS_ENABLED", "false")];
    load_in(folder.path(), &enough).unwrap();
    let printed = load_in(folder.path(), &[&enough[..], &[REQUIRED]].concat()).map(|_| ()).unwrap_err();
    assert!(printed.starts_with("config.yml: there is no such file, but CONFIG_END=required"), "{printed}");
}

#[test]
fn the_variable_has_one_value() {
    for value in ["Required", "true", "1", "...", "no"] {
        let printed =
            load_bytes(format!("{CUT}...\n").as_bytes(), &[("CONFIG_END", value)]).map(|_| ()).unwrap_err();
        assert_lines(
            &printed,
            &[
                &format!("CONFIG_END: expected `required` or nothing, found `{value}`"),
                "1 problem in the configuration",
            ],
        );
    }
}
