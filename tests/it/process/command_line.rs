//! The command line: help, version, `check-config`, and what is refused before anything starts.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fake_github::FakeGithub;
use serde_json::json;
use tempfile::TempDir;

use crate::binary::run;
use crate::harness;
use crate::process::no_secret_in;
use crate::scene::acme;

const COMMANDS: [&str; 7] = ["serve", "demo", "check-config", "openapi", "healthcheck", "completions", "man"];
/// Those that read the configuration.
const CONFIGURED: [&str; 3] = ["serve", "check-config", "healthcheck"];

/// A folder with a configuration that is all right, and the GitHub that it is about.
fn prepared() -> (TempDir, FakeGithub) {
    let fake = harness::fake(acme().0);
    let folder = tempfile::tempdir().unwrap();
    harness::write_certificate(folder.path());
    write(folder.path(), "config.yml", &harness::configuration(folder.path(), &fake, &json!({})));
    (folder, fake)
}

fn write(folder: &Path, name: &str, config: &serde_json::Value) {
    std::fs::write(folder.join(name), serde_json::to_string_pretty(config).unwrap()).unwrap();
}

#[tokio::test]
async fn version_and_help_are_printed_without_any_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let version = run(&["--version"], &[], folder.path()).await;
    let expected = format!("actions-runner-manager {}", env!("CARGO_PKG_VERSION"));
    assert_eq!((version.code, version.stdout.as_str(), version.stderr.as_str()), (0, expected.as_str(), ""));
    let help = run(&["--help"], &[], folder.path()).await;
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    for word in COMMANDS.into_iter().chain(["--config", "--version", "Usage:"]) {
        assert!(help.stdout.contains(word), "{word} is not in {}", help.stdout);
    }
    for command in COMMANDS {
        let help = run(&[command, "--help"], &[], folder.path()).await;
        assert_eq!((help.code, help.stderr.as_str()), (0, ""), "{command}");
        assert!(help.stdout.contains(&format!("Usage: actions-runner-manager {command}")), "{}", help.stdout);
        assert_eq!(help.stdout.contains("--config"), CONFIGURED.contains(&command), "{}", help.stdout);
    }
}

#[tokio::test]
async fn what_the_command_line_does_not_know_ends_with_status_2() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["--nonsense"][..],
        &["nonsense"],
        &["serve", "--port", "1"],
        &["demo", "--port", "x"],
        &["--config"],
        &["completions"],
        &["completions", "tcsh"],
        &["openapi", "more"],
    ] {
        let ended = run(arguments, &[], folder.path()).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(ended.stderr.contains("error:") && ended.stderr.contains("--help"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn a_configuration_for_a_command_that_reads_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for command in [&["demo"][..], &["openapi"], &["man"], &["completions", "bash"]] {
        let config = &["--config", "config.yml"];
        let before = run(&[config, command].concat(), &[], folder.path()).await;
        assert_eq!((before.code, before.stdout.as_str()), (2, ""), "{command:?}");
        assert!(before.stderr.contains("reads no configuration"), "{}", before.stderr);
        let behind = run(&[command, config].concat(), &[], folder.path()).await;
        assert_eq!((behind.code, behind.stdout.as_str()), (2, ""), "{command:?}");
        assert!(behind.stderr.contains("unexpected argument '--config'"), "{}", behind.stderr);
    }
}

#[tokio::test]
async fn completions_and_the_manual_page_know_every_command_and_option() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(&["completions", shell], &[], folder.path()).await;
        assert_eq!((script.code, script.stderr.as_str()), (0, ""), "{shell}");
        for word in COMMANDS.into_iter().chain(["config", "port", "version"]) {
            assert!(script.stdout.contains(word), "{shell}: no {word} in {}", script.stdout);
        }
    }
    let page = run(&["man"], &[], folder.path()).await;
    assert_eq!((page.code, page.stderr.as_str()), (0, ""));
    assert!(page.stdout.contains(".TH actions-runner-manager 1"), "{}", page.stdout);
    // A hyphen is escaped there.
    let text = page.stdout.replace(r"\-", "-");
    for word in COMMANDS.into_iter().chain(["--config", "--version"]) {
        assert!(text.contains(word), "no {word} in {text}");
    }
    for command in COMMANDS {
        let page = run(&["man", command], &[], folder.path()).await;
        assert_eq!((page.code, page.stderr.as_str()), (0, ""));
        let head = format!(".TH actions-runner-manager-{command} 1");
        assert!(page.stdout.contains(&head), "{}", page.stdout);
        assert_eq!(page.stdout.replace(r"\-", "-").contains("--port"), command == "demo");
    }
    let none = run(&["man", "nonsense"], &[], folder.path()).await;
    assert_eq!((none.code, none.stdout.as_str()), (2, ""));
}

#[tokio::test]
async fn bash_completes_a_command_with_the_printed_script() {
    let folder = tempfile::tempdir().unwrap();
    let script = run(&["completions", "bash"], &[], folder.path()).await;
    std::fs::write(folder.path().join("script"), script.stdout).unwrap();
    let ask = "source ./script; COMP_WORDS=(actions-runner-manager che); COMP_CWORD=1; \
               with=$(complete -p actions-runner-manager); with=${with##*-F }; \
               ${with%% *} actions-runner-manager che actions-runner-manager; echo \"${COMPREPLY[@]}\"";
    let done =
        std::process::Command::new("bash").args(["-c", ask]).current_dir(folder.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&done.stdout), "check-config\n", "{done:?}");
}

#[tokio::test]
async fn check_config_shows_every_setting_with_its_source_and_no_secret() {
    let (folder, fake) = prepared();
    let mut config = harness::configuration(folder.path(), &fake, &json!({ "cache": { "team": "1m" } }));
    let key = config.as_object_mut().unwrap().remove("privateKeyFile");
    assert!(key.is_some());
    write(folder.path(), "config.yml", &config);
    let key = STANDARD.encode(harness::private_key());
    let environment = [("GITHUB_APP_PRIVATE_KEY", key.as_str()), ("ARM_SERVER_RATE_LIMIT", "7")];
    let ended = run(&["check-config"], &environment, folder.path()).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{}", ended.stdout);
    for line in [
        "The configuration is valid (config.yml).",
        "privateKey = <secret>  (variable GITHUB_APP_PRIVATE_KEY)",
        "server.rateLimit = 7  (variable ARM_SERVER_RATE_LIMIT)",
        "cache.identity = 60s  (default)",
    ] {
        assert!(ended.stdout.lines().any(|printed| printed == line), "{line} is not in {}", ended.stdout);
    }
    let from_file = ended.stdout.lines().find(|line| line.starts_with("cache.team = 1m  (config.yml:"));
    assert!(from_file.is_some(), "{}", ended.stdout);
    for setting in settings_of_the_example() {
        let shown = ended.stdout.lines().any(|line| line.starts_with(&format!("{setting} = ")));
        assert!(shown, "{setting} is not in {}", ended.stdout);
    }
    assert!(!ended.stdout.contains(&key[..60]));
    no_secret_in(&ended.stdout, &fake);
}

/// The full keys of `config.example.yml`, save those that exclude others and those of listeners that are off.
fn settings_of_the_example() -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.yml"));
    let mut sections: Vec<(usize, String)> = Vec::new();
    let mut settings = Vec::new();
    for line in text.unwrap().lines() {
        let indent = line.len() - line.trim_start().len();
        let Some((key, value)) = line.trim_start().split_once(':') else { continue };
        if key.starts_with('#') {
            continue;
        }
        sections.retain(|(depth, _)| *depth < indent);
        let mut path: Vec<_> = sections.iter().map(|(_, name)| name.as_str()).collect();
        path.push(key);
        if value.trim().is_empty() {
            sections.push((indent, key.to_owned()));
        } else {
            settings.push(path.join("."));
        }
    }
    assert!(settings.len() > 40, "{settings:?}");
    settings.retain(|key| !key.starts_with("server.admin.") && key != "privateKeyFile");
    settings
}

#[tokio::test]
async fn all_problems_of_a_configuration_are_told_at_once_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let text = "org: my org\nappID: many\nserver:\n  prot: 1\n  rateLimit: 0\nlogging: {level: loud}\n";
    std::fs::write(folder.path().join("config.yml"), text).unwrap();
    for command in [&["check-config"][..], &[], &["serve"], &["healthcheck"]] {
        let ended = run(command, &[], folder.path()).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{command:?}");
        for place in [
            "config.yml:1: org",
            "config.yml:2: appID",
            "config.yml:4: server.prot",
            "config.yml:5: server.rateLimit",
            "config.yml:6: logging.level",
            "privateKey",
            "server.tls.certFile",
            "server.tls.keyFile",
            "8 problems in the configuration",
        ] {
            assert!(ended.stderr.contains(place), "{place} is not in {}", ended.stderr);
        }
    }
}

#[tokio::test]
async fn check_config_names_files_that_are_missing_or_of_no_use() {
    for (file, text) in [
        ("tls.crt", None),
        ("tls.key", None),
        ("key.pem", None),
        ("tls.key", Some("no key")),
        ("key.pem", Some("no key")),
    ] {
        let (folder, _fake) = prepared();
        match text {
            None => std::fs::remove_file(folder.path().join(file)).unwrap(),
            Some(text) => std::fs::write(folder.path().join(file), text).unwrap(),
        }
        let ended = run(&["check-config"], &[], folder.path()).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{file}");
        let named = ended.stderr.contains(folder.path().join(file).to_str().unwrap());
        assert!(named || (text.is_some() && ended.stderr.contains("privateKeyFile")), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn a_configuration_that_is_named_must_exist() {
    let folder = tempfile::tempdir().unwrap();
    let by_flag = run(&["--config", "nowhere.yml"], &[], folder.path()).await;
    let by_variable = run(&["check-config"], &[("CONFIG_PATH", "nowhere.yml")], folder.path()).await;
    for ended in [by_flag, by_variable] {
        assert_eq!(ended.code, 2);
        assert!(ended.stderr.contains("nowhere.yml: cannot be read"), "{}", ended.stderr);
    }
    let none = run(&[], &[], folder.path()).await;
    assert_eq!(none.code, 2);
    assert!(none.stderr.contains("There is no config.yml in"), "{}", none.stderr);
}

#[tokio::test]
async fn the_flag_comes_before_the_variable_and_the_variable_before_the_working_directory() {
    let (folder, _fake) = prepared();
    for name in ["flag.yml", "variable.yml"] {
        std::fs::copy(folder.path().join("config.yml"), folder.path().join(name)).unwrap();
    }
    let variable = [("CONFIG_PATH", "variable.yml")];
    for (arguments, environment, expected) in [
        (&["check-config"][..], &[][..], "config.yml"),
        (&["check-config"], &variable, "variable.yml"),
        (&["--config", "flag.yml", "check-config"], &variable, "flag.yml"),
        (&["check-config", "--config", "flag.yml"], &variable, "flag.yml"),
        (&["--config", "other.yml", "check-config", "--config", "flag.yml"], &variable, "flag.yml"),
    ] {
        let ended = run(arguments, environment, folder.path()).await;
        let first = ended.stdout.lines().next();
        assert_eq!(first, Some(format!("The configuration is valid ({expected}).").as_str()), "{ended:?}");
    }
}
