use super::*;

fn read(query: &str, content_type: &str, body: &str) -> Result<Parameters, ApiError> {
    let mut headers = HeaderMap::new();
    if !content_type.is_empty() {
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
    }
    Parameters::read(query, &headers, body.as_bytes())
}

fn reason<T>(outcome: Result<T, ApiError>) -> &'static str {
    outcome.err().map_or("none", |error| error.answer().reason.as_str())
}

#[test]
fn a_list_comes_from_query_form_and_json_alike() {
    for (query, content_type, body) in [
        ("repos=a,b", "", ""),
        ("repos=a%2Cb", "", ""),
        ("", "application/x-www-form-urlencoded", "repos=a,b"),
        ("", "application/json", r#"{"repos": "a,b"}"#),
        ("", "Application/JSON; charset=utf-8", r#"{"repos": ["a", "b"]}"#),
    ] {
        let mut parameters = read(query, content_type, body).unwrap();
        assert_eq!(parameters.required_list("repos").unwrap(), ["a", "b"], "{query}{body}");
        assert!(parameters.nothing_else().is_ok());
    }
}

#[test]
fn the_same_name_twice_is_a_conflict_wherever_it_stands() {
    for (query, content_type, body) in [
        ("team=a&team=a", "", ""),
        ("team=a", "application/json", r#"{"team": "a"}"#),
        ("team=a", "application/x-www-form-urlencoded", "team=b"),
        ("", "application/json", r#"{"team": "a", "team": "b"}"#),
    ] {
        let mut parameters = read(query, content_type, body).unwrap();
        assert_eq!(reason(parameters.required_text("team")), "conflicting_parameter", "{query}{body}");
    }
}

#[test]
fn what_is_not_asked_for_is_named() {
    let mut parameters = read("team=a&taem=b", "", "").unwrap();
    parameters.required_text("team").unwrap();
    let error = parameters.nothing_else().unwrap_err();
    assert_eq!(error.answer().reason.as_str(), "unknown_parameter");
    assert!(error.answer().message.contains("\"taem\""));
}

#[test]
fn a_body_must_be_what_it_claims_to_be() {
    for body in ["{", "[]", "\"team\"", "null", "{\"team\": \"a\"} x", "{\"team\": 01}"] {
        assert_eq!(reason(read("", "application/json", body)), "invalid_body", "{body}");
    }
    for content_type in ["", "text/plain", "application/xml", "application/jsonx", "image/svg+json"] {
        assert_eq!(reason(read("", content_type, "x")), "unsupported_media_type", "{content_type}");
    }
    assert_eq!(reason(read("", "text/plain", "{}")), "unsupported_media_type");
}

#[test]
fn values_of_a_wrong_type_are_refused() {
    for body in [r#"{"team": 1.5}"#, r#"{"team": true}"#, r#"{"team": ["a"]}"#, r#"{"team": {"a": 1}}"#] {
        let mut parameters = read("", "application/json", body).unwrap();
        assert_eq!(reason(parameters.required_text("team")), "invalid_parameter", "{body}");
    }
    for body in [
        r#"{"repos": true}"#,
        r#"{"repos": {}}"#,
        r#"{"repos": [["a"]]}"#,
        r#"{"repos": [null]}"#,
        r#"{"repos": [22.10]}"#,
        r#"{"repos": 1e2}"#,
    ] {
        let mut parameters = read("", "application/json", body).unwrap();
        assert_eq!(reason(parameters.required_list("repos")), "invalid_parameter", "{body}");
    }
}

fn text(body: &str) -> Result<Option<String>, &'static str> {
    let mut parameters = read("", "application/json", body).unwrap();
    parameters.optional_text("team").map_err(|error| error.answer().reason.as_str())
}

#[test]
fn null_is_as_good_as_nothing() {
    let mut all = read("", "application/json", r#"{"a": null, "b": null, "c": null, "d": null}"#).unwrap();
    assert_eq!(all.optional_text("a").unwrap(), None);
    assert!(!all.optional_flag("b").unwrap());
    assert!(all.filled_list("c").unwrap().is_empty());
    assert!(all.ids("d").unwrap().is_empty());
    assert!(all.nothing_else().is_ok());
    let mut all = read("", "application/json", r#"{"a": null, "b": null, "c": null}"#).unwrap();
    assert_eq!(reason(all.required_text("a")), "missing_parameter");
    assert_eq!(reason(all.required_list("b")), "missing_parameter");
    assert_eq!(reason(all.nothing_else()), "unknown_parameter");
    assert_eq!(text(r#"{"team": "a"}"#), Ok(Some("a".to_owned())));
    let mut twice = read("", "application/json", r#"{"team": "a", "team": null}"#).unwrap();
    assert_eq!(reason(twice.optional_text("team")), "conflicting_parameter");
}

#[test]
fn a_whole_number_is_as_good_as_its_digits() {
    assert_eq!(text(r#"{"team": 20240712}"#), Ok(Some("20240712".to_owned())));
    assert_eq!(text(r#"{"team": 18446744073709551615}"#), Ok(Some(u64::MAX.to_string())));
    // What was written can't be told any more.
    for body in
        [r#"{"team": 5.0}"#, r#"{"team": 1e2}"#, r#"{"team": 22.10}"#, r#"{"team": 99999999999999999999}"#]
    {
        assert_eq!(text(body), Err("invalid_parameter"), "{body}");
    }
    let mut lists = read("", "application/json", r#"{"repos": ["a", 7], "labels": 22}"#).unwrap();
    assert_eq!(lists.required_list("repos").unwrap(), ["a", "7"]);
    assert_eq!(lists.required_list("labels").unwrap(), ["22"]);
    let ids = |value: &str| {
        let mut all = read("", "application/json", &format!("{{\"ids\": {value}}}")).unwrap();
        all.ids("ids").map(|ids| ids.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(
        ids(r#"[7, "8", 9.0, 1e2, 9007199254740992]"#).unwrap(),
        ["7", "8", "9", "100", "9007199254740992"]
    );
    for (value, expected) in [("7", vec!["7"]), ("7.0", vec!["7"]), ("\"7, 8\"", vec!["7", "8"])] {
        assert_eq!(ids(value).unwrap(), expected);
    }
    // Left as they are, for the check of ids to refuse.
    for value in ["[1.5]", "[-1]", "[-1.0]", "[9007199254740994.0]", "[1e300]"] {
        assert_eq!(reason(ids(value)), "invalid_parameter", "{value}");
    }
}

#[test]
fn blanks_beside_commas_are_layout_and_those_around_the_whole_are_not() {
    for (value, items) in [
        ("a, b ,\n c", vec!["a", "b", "c"]),
        (" a,b ", vec![" a", "b "]),
        ("a", vec!["a"]),
        (" ", vec![" "]),
        ("a,,b,", vec!["a", "", "b", ""]),
        ("a b, c d", vec!["a b", "c d"]),
    ] {
        assert_eq!(items_of(value), items, "{value:?}");
    }
}

#[test]
fn a_body_is_read_with_marks_and_under_every_name_of_json() {
    let object = r#"{"team": "a"}"#;
    let marked = format!("\u{feff}{object}");
    let broken = format!("\r\n{object}\r\n");
    for content_type in [
        "application/json",
        "APPLICATION/JSON ; charset=\"UTF-8\"",
        "text/json",
        "application/vnd.api+json",
        "application/x-www-form-urlencoded",
        "",
    ] {
        for body in [object, &marked, &broken] {
            let mut all = read("", content_type, body).unwrap();
            assert_eq!(all.required_text("team").unwrap(), "a", "{content_type} {body:?}");
        }
    }
    let wide: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    assert_eq!(Parameters::read("", &headers, &wide).unwrap().required_text("team").unwrap(), "a");
    assert_eq!(reason(Parameters::read("", &headers, b"{\"team\": \"\xe4\"}")), "invalid_body");
    assert!(read("", "application/json", "").unwrap().nothing_else().is_ok(), "no body is no parameter");
}

#[test]
fn a_form_may_end_with_a_line_break() {
    for body in ["team=a&repos=b,c\n", "team=a&repos=b,c\r\n", "\u{feff}team=a&repos=b%2Cc"] {
        let mut all = read("", "application/x-www-form-urlencoded", body).unwrap();
        assert_eq!(all.required_text("team").unwrap(), "a");
        assert_eq!(all.required_list("repos").unwrap(), ["b", "c"], "{body:?}");
    }
    // A line break that was encoded is a part of the value.
    let mut all = read("", "application/x-www-form-urlencoded", "team=a%0A").unwrap();
    assert_eq!(all.required_text("team").unwrap(), "a\n");
}

#[test]
fn what_nobody_sees_in_a_value_is_told() {
    for (value, told) in [
        ("a", ""),
        ("a b", ""),
        ("", ""),
        ("é", ""),
        ("a\n", "white space"),
        (" a", "white space"),
        ("\u{feff}a", "white space"),
        ("a\u{200b}b", "invisible"),
        ("a\u{202e}b", "invisible"),
    ] {
        let found = unseen(value);
        assert!(if told.is_empty() { found.is_empty() } else { found.contains(told) }, "{value:?}: {found}");
    }
}

#[test]
fn an_overlong_unknown_name_is_cut_and_cleaned_before_it_is_repeated() {
    let name = format!("a%1b[31mb{}=1", "x".repeat(1_000));
    let refusal = read(&name, "", "").unwrap().nothing_else().unwrap_err();
    let said = format!("a\u{fffd}[31mb{}", "x".repeat(MAX_REPEATED - 7));
    assert!(matches!(&refusal, ApiError::UnknownParameter(name) if *name == said), "{refusal:?}");
}
