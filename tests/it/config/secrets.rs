//! Nothing that is printed about a configuration holds a secret.

use super::*;

const SECRET: &str = "my-very-secret";

/// Nothing that is printed about a configuration may contain this.
fn assert_silent(text: &str, environment: &[(&str, &str)]) {
    let printed = match load_bytes(text.as_bytes(), environment) {
        Ok(loaded) => format!("{loaded:?} {:?}", loaded.warnings(None)),
        Err(problems) => problems,
    };
    assert!(!printed.contains(SECRET), "{printed}");
    assert!(!printed.contains(&STANDARD.encode(SECRET)), "{printed}");
}

#[test]
fn no_message_and_no_debug_output_repeats_a_secret() {
    let encoded = STANDARD.encode(SECRET);
    let whole = format!("-----BEGIN PRIVATE KEY-----\n{encoded}\n-----END PRIVATE KEY-----");
    for key in [
        format!("privateKey: [{SECRET}]"),
        format!("privateKey: {{{SECRET}: {SECRET}}}"),
        format!("privateKey: {SECRET}"),
        format!("privateKey: \"{}\"", STANDARD.encode(&whole)),
        format!("privateKey: !{SECRET} x"),
        format!("privateKey: {encoded}"),
        format!("privateKey: \"{}\"", whole.replace('\n', "\\n").replace("END", "EMD")),
        format!("privateKeyFile: \"{}\"", whole.replace('\n', "\\n")),
        format!("privateKeyfile: {SECRET}"),
        format!("privatekey: {SECRET}"),
    ] {
        assert_silent(&app(&key), &[]);
    }
    for token in [SECRET.to_owned(), format!("[{SECRET}]"), format!("\"{SECRET} {SECRET}\"")] {
        assert_silent(&format!("org: o\ntoken: {token}\nserver: {{tls: {{enabled: false}}}}\n"), &[]);
    }
    assert_silent(&format!("org: ghp_{SECRET}\ntokenFile: ghp_{SECRET}\nsweep: {SECRET}\n"), &[]);
    assert_silent(MINIMAL, &[("GITHUB_TOKEN", SECRET)]);
    assert_silent(MINIMAL, &[("GITHUB_TOKEN", &format!("{SECRET} x"))]);
    assert_silent(MINIMAL, &[("ARM_TOKEN", SECRET), ("GITHUB_TOKEN", "other")]);
    assert_silent(MINIMAL, &[("GITHUB_APP_ID", "1"), ("GITHUB_APP_PRIVATE_KEY", SECRET)]);
    assert_silent(MINIMAL, &[("ARM_GITHUB_TOKEN", SECRET)]);
    assert_silent(MINIMAL, &[("GITHUB_API_URL", &format!("https://user:{SECRET}@ghes.example"))]);
}

#[test]
fn a_numeric_token_is_not_repeated() {
    for number in ["12345", "-12345", "12345.5", "123456789012345678901234567890"] {
        let printed = problems_of(&format!("org: o\ntoken: {number}\nserver: {{tls: {{enabled: false}}}}\n"));
        assert_lines(
            &printed,
            &["config.yml:2: token: expected text, found a number", "1 problem in the configuration"],
        );
    }
}

#[test]
fn the_list_of_settings_names_each_once_and_hides_secrets() {
    let loaded = load_bytes(MINIMAL.as_bytes(), &[]).unwrap();
    let token = loaded.settings.iter().find(|setting| setting.path == "token").unwrap();
    assert_eq!(token.value, "<secret>");
    let compress: Vec<_> =
        loaded.settings.iter().filter(|setting| setting.path == "logging.compress").collect();
    assert_eq!((compress.len(), compress[0].value.as_str()), (1, "true"));
}

#[test]
fn what_is_wrong_with_a_private_key_is_said_plainly() {
    let encrypted =
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nYQ==\n-----END RSA PRIVATE KEY-----";
    for (key, reason) in [
        (pem("ENCRYPTED PRIVATE KEY"), "is encrypted"),
        (encrypted.to_owned(), "is encrypted"),
        (pem("PUBLIC KEY"), "it is a public key"),
        (pem("CERTIFICATE"), "it is a certificate"),
        (pem("EC PRIVATE KEY"), "another kind of key"),
        (pem("PRIVATE KEY").replace("-----END", "---"), "END line is missing"),
        (pem("PRIVATE KEY").replace("c2Vj", "!!!!"), "is damaged"),
        ("no key at all".to_owned(), "it is neither"),
        (STANDARD.encode("something"), "base64 of something else"),
    ] {
        let printed = problems_with(&[("GITHUB_APP_ID", "1"), ("GITHUB_APP_PRIVATE_KEY", &key)]);
        assert!(printed.starts_with("GITHUB_APP_PRIVATE_KEY: privateKey: "), "{printed}");
        assert!(printed.contains(reason), "{reason}: {printed}");
    }
}

#[test]
fn a_key_file_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("empty.pem"), " \n").unwrap();
    fs::write(folder.path().join("binary.pem"), b"\xff\xfe").unwrap();
    fs::write(folder.path().join("public.pem"), pem("PUBLIC KEY")).unwrap();
    for (file, reason) in [
        ("none.pem", "No such file"),
        ("empty.pem", "it is empty"),
        ("binary.pem", "it is not UTF-8 text"),
        ("public.pem", "it is a public key"),
        (".", "it is a directory"),
    ] {
        fs::write(folder.path().join("config.yml"), app(&format!("privateKeyFile: {file}"))).unwrap();
        let printed = load_in(folder.path(), &[]).map(|_| ()).unwrap_err();
        assert!(printed.starts_with("config.yml:3: privateKeyFile: "), "{printed}");
        assert!(printed.contains(reason), "{reason}: {printed}");
    }
}
