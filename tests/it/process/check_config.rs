//! `check-config` finds everything that `serve` would stumble over, in one run, and nothing else.

mod online;
mod store;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fake_github::FakeGithub;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::{Binary, Ended, run};
use crate::harness;
use crate::process::{files_in, no_secret_in};
use crate::scene::acme;

/// What is said of the fake GitHub.
const PLAIN_HTTP: &str = "github.apiURL is plain http";

/// A folder with a configuration of which nothing is wrong or dangerous, and the GitHub that it is about.
struct Site {
    folder: TempDir,
    fake: FakeGithub,
}

impl Site {
    fn new(extra: &Value) -> Self {
        let fake = harness::fake(acme().0);
        let folder = tempfile::tempdir().unwrap();
        harness::write_certificate(folder.path());
        let mut all = json!({
            "groups": { "name": "{team}-{id}" },
            "logging": { "audit": "audit.log" },
            "policy": { "registrationTokens": false, "removalTokens": false, "repositoryPermission": "write" },
        });
        harness::merge(&mut all, extra);
        let site = Self { folder, fake };
        let config = harness::configuration(site.folder.path(), &site.fake, &all);
        let text = serde_json::to_string_pretty(&config).unwrap();
        site.write("config.yml", &format!("{text}\n...\n"));
        for name in ["key.pem", "tls.key"] {
            let private = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(site.path(name), private).unwrap();
        }
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    async fn check(&self, flags: &[&str]) -> Ended {
        run(&[&["check-config"], flags].concat(), &[], self.folder.path()).await
    }

    /// The line of the configuration that sets this: each part of the key stands behind the one before it.
    fn line_of(&self, setting: &str) -> usize {
        let text = std::fs::read_to_string(self.path("config.yml")).unwrap();
        let mut lines = text.lines().enumerate();
        let found = setting.split('.').map(|part| {
            let name = format!("\"{part}\":");
            lines.find(|(_, line)| line.trim_start().starts_with(&name)).unwrap().0
        });
        1 + found.last().unwrap()
    }
}

/// Settings of which nothing is dangerous: the fake GitHub speaks plain HTTP, which is told as well.
fn silent(extra: &Value) -> Value {
    let mut all = json!({ "github": { "apiURL": "https://api.github.com" } });
    harness::merge(&mut all, extra);
    all
}

fn elliptic_key() -> String {
    rcgen::KeyPair::generate().unwrap().serialize_pem()
}

#[tokio::test]
async fn everything_wrong_is_told_in_one_run_each_with_file_line_and_setting() {
    let site = Site::new(&json!({
        "nonsense": 1,
        "github": { "caFile": "ca.pem" },
        "logging": { "ephemeral": false, "logDirectory": "key.pem", "audit": "deep/deeper/audit.log" },
        "server": { "address": "192.0.2.1", "rateLimit": 0 },
    }));
    site.write("key.pem", &elliptic_key());
    site.write("tls.key", "no key");
    std::fs::remove_file(site.path("tls.crt")).unwrap();
    let ended = site.check(&[]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""));
    let lines: Vec<_> = ended.stderr.trim_start_matches("error: ").lines().collect();
    for (setting, words) in [
        ("nonsense", "unknown key"),
        ("server.rateLimit", "expected a number above 0"),
        ("privateKeyFile", "expected an RSA private key"),
        ("github.caFile", "No such file"),
        ("server.tls.certFile", "cannot read"),
        ("server.tls.keyFile", "there is no private key inside"),
        ("logging.logDirectory", "key.pem/actions-runner-manager/server.log"),
        ("logging.audit", "deep/deeper does not exist; create it first"),
        ("server.address", "cannot listen on 192.0.2.1:0"),
    ] {
        let start = format!("config.yml:{}: {setting}: ", site.line_of(setting));
        let line = lines.iter().find(|line| line.starts_with(&start));
        assert!(line.is_some_and(|line| line.contains(words)), "{start}{words} is not in {}", ended.stderr);
    }
    assert!(ended.stderr.contains("9 problems in the configuration"), "{}", ended.stderr);
    no_secret_in(&ended.stderr, &site.fake);
}

/// What is wrong by itself: more settings, the preparation of the folder, the setting named, and words about it.
type Case = (Value, fn(&Site), &'static str, &'static str);

fn nothing(_: &Site) {}

const CASES: fn() -> Vec<Case> = || {
    vec![
        (json!({}), |site| site.write("key.pem", &elliptic_key()), "privateKeyFile", "RSA private key"),
        (
            json!({}),
            |site| {
                site.write(
                    "key.pem",
                    "-----BEGIN RSA PRIVATE KEY-----\nMAYCAQACAQA=\n-----END RSA PRIVATE KEY-----",
                );
            },
            "privateKeyFile",
            "or damaged",
        ),
        (json!({ "github": { "caFile": "none.pem" } }), nothing, "github.caFile", "none.pem"),
        (json!({ "github": { "caFile": "key.pem" } }), nothing, "github.caFile", "no certificate in it"),
        (
            json!({ "logging": { "audit": "/no-such-folder-here/audit.log" } }),
            nothing,
            "logging.audit",
            "does not exist",
        ),
        (json!({ "logging": { "audit": "." } }), nothing, "logging.audit", "it is a directory"),
        (
            json!({ "logging": { "ephemeral": false, "logDirectory": "/no-such-folder-here" } }),
            nothing,
            "logging.logDirectory",
            "does not exist",
        ),
        (json!({ "server": { "address": "192.0.2.1" } }), nothing, "server.address", "192.0.2.1"),
        (
            json!({ "server": { "admin": { "address": "192.0.2.1", "port": 0 } } }),
            nothing,
            "server.admin.address",
            "192.0.2.1",
        ),
        (json!({}), |site| site.write("tls.crt", "nothing"), "server.tls.certFile", "no certificate inside"),
        (
            json!({}),
            |site| site.write("tls.key", &elliptic_key()),
            "server.tls.keyFile",
            "does not belong to",
        ),
        (
            json!({}),
            |site| std::fs::remove_file(site.path("tls.key")).unwrap(),
            "server.tls.keyFile",
            "cannot read",
        ),
        (json!({ "privateKeyFile": "/nowhere/key.pem" }), nothing, "privateKeyFile", "cannot read"),
        (
            json!({ "store": { "url": "" }, "groups": { "name": "{team}" } }),
            nothing,
            "groups.name",
            "nothing would say which group is a team's",
        ),
        (
            json!({ "store": { "url": "sqlite:///no-such-folder-here/state.db" } }),
            nothing,
            "store.url",
            "no-such-folder-here",
        ),
    ]
};

#[tokio::test]
async fn whatever_stops_the_start_is_found_beforehand() {
    for (extra, prepare, setting, words) in CASES() {
        let site = Site::new(&extra);
        prepare(&site);
        let checked = site.check(&[]).await;
        assert_eq!((checked.code, checked.stdout.as_str()), (2, ""), "{setting}");
        let start = format!("error: config.yml:{}: {setting}: ", site.line_of(setting));
        assert!(checked.stderr.starts_with(&start), "{start} does not begin {}", checked.stderr);
        assert!(checked.stderr.contains(words), "{words}: {}", checked.stderr);
        assert!(checked.stderr.contains("\n1 problem in the configuration"), "{}", checked.stderr);
        let served = run(&["serve"], &[], site.folder.path()).await;
        assert!(matches!(served.code, 1 | 2), "{setting}: {served:?}");
        assert!(served.stderr.contains(words), "{words} is not in {}", served.stderr);
    }
}

#[tokio::test]
async fn a_key_in_a_variable_is_tried_as_well() {
    let site = Site::new(&json!({ "privateKeyFile": null }));
    let key = elliptic_key();
    let ended = run(&["check-config"], &[("GITHUB_APP_PRIVATE_KEY", &key)], site.folder.path()).await;
    assert_eq!(ended.code, 2);
    let expected = "error: GITHUB_APP_PRIVATE_KEY: privateKey: the App's private key can't be used";
    assert!(ended.stderr.starts_with(expected), "{}", ended.stderr);
}

#[tokio::test]
async fn nothing_is_left_behind_and_nothing_is_asked() {
    let site = Site::new(&json!({
        "logging": { "ephemeral": false, "logDirectory": "logs", "audit": "audit/audit.log" },
        "server": { "admin": { "port": 0 } },
    }));
    let before = files_in(site.folder.path());
    let ended = site.check(&[]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{}", ended.stdout);
    assert_eq!(files_in(site.folder.path()), before);
    assert!(!site.path("logs").exists() && !site.path("audit").exists());
    assert_eq!(site.fake.total_calls(), 0);
    let binary = Binary::start(&["serve"], &[], site.folder.path());
    crate::binary::until("the log", || site.path("logs/actions-runner-manager/server.log").exists()).await;
    binary.signal("TERM");
    assert_eq!(binary.ended().await.code, 0, "what was called valid is served");
}

#[tokio::test]
async fn a_port_in_use_is_no_problem_since_the_service_itself_may_run() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let site = Site::new(&silent(&json!({ "server": { "port": port } })));
    let ended = site.check(&["--quiet"]).await;
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (0, "", ""));
}

#[tokio::test]
async fn quiet_prints_problems_and_warnings_only() {
    let fine = Site::new(&silent(&json!({}))).check(&["--quiet"]).await;
    assert_eq!((fine.code, fine.stdout.as_str(), fine.stderr.as_str()), (0, "", ""));
    let dangerous = Site::new(&silent(&json!({ "server": { "rateLimit": 5000 } })));
    let ended = dangerous.check(&["--quiet"]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let start =
        format!("warning: config.yml:{}: server.rateLimit is 5000", dangerous.line_of("server.rateLimit"));
    assert!(ended.stdout.starts_with(&start) && ended.stdout.lines().count() == 1, "{}", ended.stdout);
    let wrong = Site::new(&json!({ "server": { "port": "x" } })).check(&["--quiet"]).await;
    assert_eq!((wrong.code, wrong.stdout.as_str()), (2, ""));
    assert!(wrong.stderr.contains("server.port: expected a whole number"), "{}", wrong.stderr);
}

fn parsed(ended: &Ended) -> Value {
    assert_eq!((ended.stderr.as_str(), ended.stdout.lines().count()), ("", 1), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

#[tokio::test]
async fn json_holds_settings_warnings_and_problems_under_keys_that_are_always_there() {
    let site = Site::new(&json!({ "server": { "rateLimit": 5000 } }));
    let variables = [("ARM_CACHE_TEAM", "1m"), ("ARM_POLCY_JIT_LABELS", "x")];
    let ended = run(&["check-config", "--json"], &variables, site.folder.path()).await;
    let report = parsed(&ended);
    assert_eq!(ended.code, 0);
    let rest = json!([report["valid"], report["file"], report["asked_github"], report["problem_count"]]);
    assert_eq!(rest, json!([true, "config.yml", false, 0]));
    assert_eq!(report["problems"], json!([]));
    let line = site.line_of("server.rateLimit");
    let warnings = report["warnings"].as_array().unwrap();
    let find = |list: &[Value], key: &Value| list.iter().find(|entry| entry["key"] == *key).cloned().unwrap();
    let rate = find(warnings, &json!("server.rateLimit"));
    assert_eq!(json!([rate["file"], rate["line"], rate["variable"]]), json!(["config.yml", line, null]));
    assert_eq!(find(warnings, &Value::Null)["variable"], "ARM_POLCY_JIT_LABELS");
    let settings = report["settings"].as_array().unwrap();
    for expected in [
        json!({ "key": "cache.team", "value": "1m", "source": "variable", "file": null, "line": null, "variable": "ARM_CACHE_TEAM" }),
        json!({ "key": "server.rateLimit", "value": "5000", "source": "file", "file": "config.yml", "line": line, "variable": null }),
        json!({ "key": "cache.identity", "value": "60s", "source": "default", "file": null, "line": null, "variable": null }),
    ] {
        assert_eq!(find(settings, &expected["key"]), expected);
    }
    no_secret_in(&ended.stdout, &site.fake);
}

#[tokio::test]
async fn json_is_printed_of_a_wrong_configuration_as_well() {
    let site = Site::new(&json!({ "server": { "port": "x" } }));
    std::fs::remove_file(site.path("tls.crt")).unwrap();
    let report = |ended: Ended| {
        assert_eq!(ended.code, 2);
        parsed(&ended)
    };
    let wrong = report(site.check(&["--json"]).await);
    assert_eq!(json!([wrong["valid"], wrong["problem_count"], wrong["settings"]]), json!([false, 2, []]));
    for (index, key) in ["server.port", "server.tls.certFile"].into_iter().enumerate() {
        let problem = &wrong["problems"][index];
        assert_eq!(json!([problem["key"], problem["file"]]), json!([key, "config.yml"]), "{wrong}");
        assert_eq!(problem["line"], site.line_of(key), "{wrong}");
        assert!(problem["message"].as_str().unwrap().starts_with(key), "{wrong}");
    }
    site.write("config.yml", "org: [\n");
    let broken = report(site.check(&["--json"]).await);
    assert_eq!(json!([broken["problem_count"], broken["problems"][0]["file"]]), json!([1, "config.yml"]));
    assert!(broken["problems"][0]["line"].is_u64(), "{broken}");
    std::fs::remove_file(site.path("config.yml")).unwrap();
    let none = report(site.check(&["--json"]).await);
    assert_eq!(none["file"], Value::Null);
    assert!(none["problem_count"].as_u64() > Some(1), "{none}");
}

#[tokio::test]
async fn the_start_logs_the_same_warnings_and_which_credential_is_in_force() {
    let site = Site::new(&json!({ "server": { "unknownTokenRate": 5000 } }));
    for name in ["tls.key", "key.pem"] {
        std::fs::set_permissions(site.path(name), std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let variables = [("ARM_POLCY_JIT_LABELS", "linux"), ("PORT", "0")];
    let checked = run(&["check-config", "--quiet"], &variables, site.folder.path()).await;
    let printed: Vec<_> =
        checked.stdout.lines().map(|line| line.trim_start_matches("warning: ").to_owned()).collect();
    assert_eq!(printed.len(), 5, "{printed:?}");
    let binary = Binary::start(&["serve"], &variables, site.folder.path());
    let serving: Value = serde_json::from_str(&binary.stdout.with("\"serving\"").await).unwrap();
    assert_eq!(serving["credential"], "GitHub App");
    let logged: Vec<_> = binary.stdout.json().into_iter().filter(|line| line["level"] == "warn").collect();
    let messages: Vec<_> = logged.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(messages, printed);
    binary.signal("TERM");
    assert_eq!(binary.ended().await.code, 0);
}

#[tokio::test]
async fn an_expired_certificate_is_told_by_both_and_stops_nothing() {
    let site = Site::new(&json!({}));
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2020, 1, 2);
    site.write("tls.crt", &params.self_signed(&key).unwrap().pem());
    site.write("tls.key", &key.serialize_pem());
    let ended = site.check(&["--quiet"]).await;
    let words = "server.tls.certFile: the certificate has expired (2020-01-02 00:00 UTC)";
    assert!(ended.code == 0 && ended.stdout.contains(words), "{ended:?}");
    let binary = Binary::start(&["serve"], &[], site.folder.path());
    binary.stdout.with("\"serving\"").await;
    assert_eq!(binary.stdout.text().matches(words).count(), 1);
}

#[tokio::test]
async fn nobody_reads_that_it_serves_just_before_they_read_that_it_cannot_work() {
    let site = Site::new(&json!({ "appID": 4711 }));
    let ended = run(&["serve"], &[], site.folder.path()).await;
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.contains("the service can't work"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("\"serving\""), "{}", ended.stdout);
}

#[test]
fn the_units_check_before_the_start_is_quiet() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/actions-runner-manager.service");
    let unit = std::fs::read_to_string(unit).unwrap();
    let before = "ExecStartPre=/usr/local/bin/actions-runner-manager check-config --quiet";
    assert!(unit.lines().any(|line| line == before), "{unit}");
}
