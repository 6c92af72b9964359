use std::path::PathBuf;

use chrono::TimeDelta;

use super::files::{Access, Account, readers};
use super::*;
use crate::config::fuzzing::load_text;
use crate::config::loaded::{DEFAULT_FILE, Sources};

fn loaded(text: &str, variables: &[(&str, &str)]) -> Loaded {
    let sources = Sources {
        path: Some(PathBuf::from(DEFAULT_FILE)),
        environment: variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
        working_directory: PathBuf::from("/nowhere"),
    };
    let text = format!("org: my-org\ntoken: t\n{text}");
    load_text(text.as_bytes(), &sources).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The warnings about one key.
fn about(key: &str, warnings: &[Diagnostic]) -> Vec<String> {
    let about = warnings.iter().filter(|warning| warning.key() == Some(key));
    about.map(|warning| warning.message().to_owned()).collect()
}

#[test]
fn a_certificate_is_warned_about_from_three_weeks_before_its_end_and_before_its_begin() {
    let loaded = loaded("server: {tls: {certFile: a, keyFile: b}}\n", &[]);
    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let said = |not_before: TimeDelta, not_after: TimeDelta| {
        let validity = Validity { not_before: now + not_before, not_after: now + not_after };
        about("server.tls.certFile", &loaded.warnings_at(now, Some(validity))).join("\n")
    };
    let (day, second) = (TimeDelta::days(1), TimeDelta::seconds(1));
    assert_eq!(said(-day, day * 21 + second), "");
    for (not_before, not_after, words) in [
        (-day, day * 21, "expires in 21 days (2027-02-05"),
        (-day, day - second, "expires in 0 days"),
        (-day, TimeDelta::zero(), "has expired (2027-01-15 08:00 UTC)"),
        (-day * 9, -day, "has expired"),
        (second, day * 90, "is not valid before 2027-01-15"),
    ] {
        let said = said(not_before, not_after);
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(about("server.tls.certFile", &loaded.warnings_at(now, None)), Vec::<String>::new());
}

#[test]
fn who_can_read_a_secret_is_told_unless_the_service_needs_the_group_for_it() {
    let service = Account { user: 1000, groups: vec![1000, 2000] };
    let root = Account { user: 0, groups: vec![0] };
    let file = |mode, owner, group| Access { mode, owner, group };
    let everybody = Some("every user of this host");
    for (file, us, expected) in [
        (file(0o600, 1000, 1000), &service, None),
        (file(0o644, 1000, 1000), &service, everybody),
        (file(0o604, 0, 2000), &service, everybody),
        (file(0o640, 1000, 1000), &service, Some("its group")),
        (file(0o640, 0, 3000), &service, Some("its group")),
        // As the systemd unit has it, and as Kubernetes mounts it.
        (file(0o640, 0, 2000), &service, None),
        (file(0o440, 0, 2000), &service, None),
        (file(0o640, 0, 2000), &root, None),
        (file(0o640, 0, 0), &root, Some("its group")),
        (file(0o640, 1000, 1000), &root, Some("its group")),
        (file(0o400, 0, 0), &root, None),
    ] {
        assert_eq!(readers(&file, us), expected, "{:o} {}:{}", file.mode, file.owner, file.group);
    }
}

#[test]
fn an_admin_listener_for_everybody_is_fine_in_a_container_only() {
    let text = |address: &str| {
        format!("server: {{admin: {{address: \"{address}\"}}, tls: {{certFile: a, keyFile: b}}}}\n")
    };
    let said = |address: &str, variables: &[(&str, &str)]| {
        about("server.admin.address", &loaded(&text(address), variables).warnings(None)).len()
    };
    for address in ["0.0.0.0", "::", "192.0.2.7"] {
        assert_eq!(said(address, &[]), 1, "{address}");
        assert_eq!(said(address, &[("container", "")]), 1, "an empty variable counts as not set");
        assert_eq!(said(address, &[("container", "oci")]), 0, "{address}");
        assert_eq!(said(address, &[("KUBERNETES_SERVICE_HOST", "10.0.0.1")]), 0, "{address}");
    }
    for address in ["127.0.0.1", "::1", "127.0.0.9"] {
        assert_eq!(said(address, &[]), 0, "{address}");
    }
}

#[test]
fn every_rule_names_a_setting_and_is_documented() {
    let document = include_str!("../../../docs/operations.md");
    let (_, section) = document.split_once("\n## What is legal and dangerous\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let loaded = loaded("server: {admin: {}, tls: {enabled: false}}\n", &[]);
    for (key, _) in RULES.iter().filter(|(key, _)| !key.is_empty()) {
        assert!(loaded.setting(key).is_some(), "{key} is no setting");
        assert!(section.contains(&format!("`{key}`")), "{key} is not in docs/operations.md");
    }
}
