//! The store: what is read, refused and warned of, and that no password is shown.

use std::os::unix::fs::PermissionsExt;

use actions_runner_manager::domain::store_url::StoreUrl;

use super::*;

fn store(settings: &str) -> String {
    with_minimal(&format!("store: {{{settings}}}"))
}

/// The warnings about the store, without its other settings' place.
fn warned(settings: &str) -> Vec<(String, String)> {
    let warnings = warnings_of(&store(settings), &[]);
    warnings.into_iter().filter(|(key, _)| key.starts_with("store.")).collect()
}

fn shown(loaded: &Loaded) -> &str {
    &loaded.settings.iter().find(|setting| setting.path == "store.url").unwrap().value
}

#[test]
fn there_is_no_store_unless_it_is_set() {
    for text in [MINIMAL.to_owned(), store("url: \"\""), store("url: null"), store("keep: 90d")] {
        let config = config_of(&text).store;
        assert_eq!((config.url, config.grace), (None, Duration::from_mins(10)), "{text}");
        assert_eq!((config.keep, config.most_events), (Duration::from_hours(90 * 24), 5_000_000));
    }
}

#[test]
fn every_setting_is_taken_from_file_and_variables() {
    let text = store(
        "url: \"postgres://arm@db/arm\", passwordFile: pw, caFile: /ca.pem, grace: 1m, keep: 7d, mostEvents: 1000",
    );
    let config = config_of(&text).store;
    assert_eq!(config.url, StoreUrl::parse("postgres://arm@db/arm").ok());
    assert!(config.password_file.unwrap().ends_with("pw"), "from the folder of the file");
    assert_eq!(config.ca_file.as_deref(), Some(Path::new("/ca.pem")));
    assert_eq!((config.grace, config.keep), (Duration::from_mins(1), Duration::from_hours(7 * 24)));
    assert_eq!(config.most_events, 1_000);
    let variables = [
        ("ARM_STORE_URL", "sqlite:///var/lib/arm/state.db"),
        ("ARM_STORE_KEEP", "48h"),
        ("ARM_STORE_MOST_EVENTS", "2000"),
        ("ARM_STORE_GRACE", "0"),
    ];
    let config = load_bytes(text.as_bytes(), &variables).unwrap().config.store;
    assert_eq!(config.url, Some(StoreUrl::Sqlite("/var/lib/arm/state.db".into())));
    let spans = (config.keep, config.grace);
    assert_eq!((spans, config.most_events), ((Duration::from_hours(48), Duration::ZERO), 2_000));
}

#[test]
fn what_is_out_of_bounds_or_no_store_is_refused_with_what_is_expected() {
    for (settings, expected) in [
        ("url: \"mysql://a@b/c\"", "store.url: expected the URL of a store: sqlite:///PATH, postgres://"),
        ("url: \"sqlite://state.db\"", "store.url: expected sqlite:///PATH with three slashes"),
        ("url: \"postgres://a@db.example/b?sslmode=require\"", "store.url: expected sslmode=verify-full"),
        ("url: [a]", "store.url: expected text, found a list"),
        ("keep: 23h", "store.keep: expected a duration, at least 24h"),
        ("keep: 4000d", "store.keep: expected a duration, at most 3653d"),
        ("keep: 90", "store.keep: expected a duration such as 500ms, 10s, 5m, 1h or 90d"),
        ("grace: 25h", "store.grace: expected a duration, at most 24h"),
        ("mostEvents: 999", "store.mostEvents: expected a whole number from 1000 to 1000000000"),
        ("password: x", "store.password: unknown key"),
    ] {
        let printed = problems_of(&store(settings));
        assert!(printed.starts_with(&format!("config.yml:4: {expected}")), "{printed}");
        assert!(printed.ends_with("1 problem in the configuration"), "{printed}");
    }
}

#[test]
fn a_password_in_the_url_is_shown_nowhere() {
    let text = store("url: \"postgres://arm:hunter2@localhost/arm\"");
    let loaded = load_bytes(text.as_bytes(), &[]).unwrap();
    assert_eq!(shown(&loaded), "postgres://arm:***@localhost:5432/arm?sslmode=prefer");
    assert!(!format!("{loaded:?} {:?}", loaded.warnings(None)).contains("hunter2"));
    let with_variable =
        load_bytes(MINIMAL.as_bytes(), &[("ARM_STORE_URL", "postgres://arm:hunter2@db/arm")]).unwrap();
    assert_eq!(shown(&with_variable), "postgres://arm:***@db:5432/arm?sslmode=verify-full");
    for wrong in
        ["postgres://arm:hunter2@db:x/arm", "arm:hunter2@db", "postgres://arm:hunter2@db/arm?sslmode=prefer"]
    {
        let printed = problems_of(&store(&format!("url: \"{wrong}\"")));
        assert!(!printed.contains("hunter"), "{printed}");
    }
}

#[test]
fn what_weakens_a_store_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    fs::write(&password, "hunter2").unwrap();
    let url = "url: \"postgres://arm@db/arm\"";
    let with_file = format!("{url}, passwordFile: {}", password.display());
    for (mode, expected) in
        [(0o600, None), (0o644, Some("can be read by every user of this host (mode 0644)"))]
    {
        fs::set_permissions(&password, fs::Permissions::from_mode(mode)).unwrap();
        let found = warned(&with_file);
        assert_eq!(found.len(), usize::from(expected.is_some()), "{found:?}");
        assert!(
            found.iter().all(|(key, line)| key == "store.passwordFile" && line.contains(expected.unwrap()))
        );
    }
    let inline = store("url: \"postgres://arm:hunter2@db/arm\", passwordFile: pw");
    fs::write(folder.path().join("config.yml"), inline).unwrap();
    fs::set_permissions(folder.path().join("config.yml"), fs::Permissions::from_mode(0o644)).unwrap();
    let inline = keyed(&load_in(folder.path(), &[]).unwrap());
    let lines: Vec<_> = inline.iter().filter(|(key, _)| key == "store.url").map(|(_, line)| line).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    for words in [
        "use store.passwordFile",
        "store.passwordFile is not read",
        "holds the password of store.url, can be read by every user",
    ] {
        assert!(lines.iter().any(|line| line.contains(words)), "{words}: {lines:?}");
    }
    let memory = warned("url: \"sqlite::memory:\"");
    assert!(memory.len() == 1 && memory[0].1.contains("forgotten when the service ends"), "{memory:?}");
    assert_eq!(warned(url), []);
    assert_eq!(warned("url: \"sqlite:///tmp/arm/state.db\""), []);
}

#[test]
fn what_has_no_effect_is_told() {
    for (settings, keys) in [
        ("grace: 1m, keep: 7d, mostEvents: 1000", vec!["store.grace", "store.keep", "store.mostEvents"]),
        ("passwordFile: a, caFile: b", vec!["store.passwordFile", "store.caFile"]),
        (
            "url: \"sqlite:///tmp/arm.db\", passwordFile: a, caFile: b",
            vec!["store.passwordFile", "store.caFile"],
        ),
        ("url: \"sqlite:///tmp/arm.db\", grace: 1m", vec![]),
        // As the example has it.
        ("url: \"\", grace: 10m, keep: 90d, mostEvents: 5000000", vec![]),
    ] {
        let found = warned(settings);
        assert!(found.iter().all(|(_, line)| line.contains("has no effect")), "{found:?}");
        assert_eq!(found.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), keys, "{settings}");
    }
}
