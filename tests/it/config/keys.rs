//! Keys and tokens in the forms that tools hand them over in.

use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use super::*;

/// A key whose base64 has all characters of the alphabet, so that the two alphabets differ.
fn key() -> String {
    let body = STANDARD.encode((0..=255).collect::<Vec<u8>>());
    let lines: Vec<_> = body.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n", lines.join("\n"))
}

fn folded(text: &str, with: &str) -> String {
    let lines: Vec<_> = text.as_bytes().chunks(76).map(String::from_utf8_lossy).collect();
    lines.join(with) + with
}

/// Every form that tools are known to make of a key.
fn forms(key: &str) -> Vec<String> {
    let base64 = STANDARD.encode(key);
    let wide: Vec<u8> = format!("\u{feff}{key}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let before =
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\nBag Attributes\n  localKeyID: 01\n";
    vec![
        key.to_owned(),
        key.replace('\n', "\r\n"),
        key.replace('\n', "\r"),
        key.replace('\n', "\\n"),
        key.replace('\n', "\\r\\n"),
        key.replace('\n', " "),
        key.replace('\n', "\n    "),
        format!("\"{key}\""),
        format!("'{}'", key.replace('\n', "\\n")),
        format!("\u{feff}{key}"),
        format!("{before}{key}"),
        base64.clone(),
        format!("\"{base64}\""),
        format!("'{base64}'\n"),
        folded(&base64, "\n"),
        folded(&base64, "\r\n"),
        folded(&base64, "\\n"),
        folded(&base64, "\\r\\n"),
        format!("\"{}\"", folded(&base64, "\\n")),
        format!("\u{feff}{base64}"),
        URL_SAFE.encode(key),
        URL_SAFE_NO_PAD.encode(key),
        STANDARD_NO_PAD.encode(key),
        STANDARD.encode(&base64),
        STANDARD.encode(format!("\u{feff}{}", key.replace('\n', "\r\n"))),
        STANDARD.encode(wide),
        STANDARD.encode(format!("\"{}\"", key.replace('\n', "\\n"))),
    ]
}

fn key_of(config: &Config) -> String {
    let Credentials::App { private_key, .. } = &config.credentials else { panic!() };
    private_key.read().unwrap().expose_secret().to_owned()
}

#[test]
fn every_form_of_the_key_is_taken_in_a_variable_and_in_a_file() {
    let key = key();
    assert!(key.contains('+') && key.contains('/'));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.yml"), app("privateKeyFile: key.pem")).unwrap();
    for form in forms(&key) {
        let environment = [("GITHUB_APP_ID", "1"), ("GITHUB_APP_PRIVATE_KEY", form.as_str())];
        let loaded = load_bytes(MINIMAL.as_bytes(), &environment).unwrap_or_else(|e| panic!("{form}: {e}"));
        assert_eq!(key_of(&loaded.config), key, "{form}");
        fs::write(folder.path().join("key.pem"), &form).unwrap();
        let loaded = load_in(folder.path(), &[]).unwrap_or_else(|problems| panic!("{form}: {problems}"));
        assert_eq!(key_of(&loaded.config), key, "{form}");
    }
}

#[test]
fn a_key_file_of_powershell_is_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.yml"), app("privateKeyFile: key.pem")).unwrap();
    for unit in [u16::to_le_bytes as fn(u16) -> [u8; 2], u16::to_be_bytes] {
        let wide: Vec<u8> = format!("\u{feff}{}", key()).encode_utf16().flat_map(unit).collect();
        fs::write(folder.path().join("key.pem"), wide).unwrap();
        assert_eq!(key_of(&load_in(folder.path(), &[]).unwrap().config), key());
    }
}

#[test]
fn a_key_in_another_form_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.yml"), app("privateKeyFile: key.pem")).unwrap();
    let sequence = |version: u8| {
        let mut der = vec![0x30, 0x82, 1, 0, 2, 1, version];
        der.resize(4 + 256, 7);
        der
    };
    let unmarked: Vec<u8> = key().encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, reason) in [
        (sequence(0), "it is DER; convert it to PEM first (openssl pkey -inform DER"),
        (sequence(3), "it is PKCS #12; take the key out first (openssl pkcs12"),
        (b"\xfe\xed\xfe\xed\0\0\0\x02".to_vec(), "it is a Java key store"),
        (STANDARD.encode(sequence(0)).into_bytes(), "base64 of DER, as between the BEGIN and END lines"),
        (unmarked, "looks like UTF-16"),
        (pem("OPENSSH PRIVATE KEY").into_bytes(), "another kind of key"),
        (pem("EC PARAMETERS").into_bytes(), "another kind of PEM"),
        (
            key().replace("-----BEGIN RSA PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY").into_bytes(),
            "another kind of PEM",
        ),
        (b"\xef\xbb\xbf\r\n".to_vec(), "it is empty"),
    ] {
        fs::write(folder.path().join("key.pem"), &bytes).unwrap();
        let printed = load_in(folder.path(), &[]).map(|_| ()).unwrap_err();
        assert!(
            printed.starts_with("config.yml:3: privateKeyFile: ") && printed.contains(reason),
            "{printed}"
        );
    }
}

#[test]
fn a_token_file_and_a_token_variable_are_freed_of_what_is_around_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let wide: Vec<u8> = "\u{feff}ghp_one\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let texts = ["ghp_one", "\u{feff}ghp_one\r\n", "\"ghp_one\"\n", "'ghp_one'", " ghp_one\t", "ghp_one\\n"];
    for text in texts.map(|text| text.as_bytes().to_vec()).into_iter().chain([wide]) {
        fs::write(&file, &text).unwrap();
        assert_eq!(TokenSource::File(file.clone()).read().unwrap().expose_secret(), "ghp_one", "{text:?}");
    }
    for text in texts {
        let config = load_bytes(MINIMAL.as_bytes(), &[("GITHUB_TOKEN", text)]).unwrap().config;
        let Credentials::Token(token) = &config.credentials else { panic!() };
        assert_eq!(token.read().unwrap().expose_secret(), "ghp_one", "{text:?}");
    }
    for (text, reason) in [
        ("\"ghp_one", "without quotes"),
        ("ghp_one ghp_two", "one line without spaces"),
        ("ghp\u{200b}_one", "one line without spaces"),
        ("null", "stands for none"),
        ("<nil>", "stands for none"),
        ("undefined\n", "stands for none"),
    ] {
        let printed = problems_with(&[("GITHUB_TOKEN", text)]);
        assert!(
            printed.starts_with("GITHUB_TOKEN: token: expected a token") && printed.contains(reason),
            "{printed}"
        );
    }
}
