//! Every curl line of the documentation, run as it is printed.

use std::path::{Path, PathBuf};
use std::process::Command;

use fake_github::{Level, Permission, RepoVisibility, RunnerStatus, TokenKind, Visibility, World};
use serde_json::{Value, json};

use crate::harness::App;
use crate::links;

/// The pages, and how many lines of each are run at least: a page whose lines aren't found would pass.
const PAGES: [(&str, &str, usize); 6] = [
    ("README.md", include_str!("../../README.md"), 8),
    ("docs/API.md", include_str!("../../docs/API.md"), 22),
    ("docs/getting-started.md", include_str!("../../docs/getting-started.md"), 8),
    ("docs/runners.md", include_str!("../../docs/runners.md"), 15),
    ("docs/migrating.md", include_str!("../../docs/migrating.md"), 6),
    ("docs/kubernetes.md", include_str!("../../docs/kubernetes.md"), 5),
];

/// Run as a whole by `access_docs`.
const RUN_ELSEWHERE: &str = "docs/access.md";
/// An access entry of the pages.
const ENTRY: &str = "9f2c4e6a8b0d1f35";

/// The commands in the blocks for a shell, with what was set before. Parts of scripts, which keep the answer in a
/// file, are run as a whole by the tests of `docs/runners.md`.
fn commands(page: &str) -> Vec<(String, String)> {
    let (mut found, mut settings, mut inside) = (Vec::new(), String::new(), false);
    let page = page.replace("\\\n", " ");
    for line in page.lines().map(str::trim) {
        if line.starts_with("```") {
            inside = line.starts_with("```sh") && !inside;
        } else if inside && (line.starts_with("ARM=") || line.starts_with("AUTH=")) {
            settings.push_str(line);
            settings.push('\n');
        } else if inside && !line.contains(" > ") && (line.starts_with("curl ") || line.contains("| curl ")) {
            found.push((settings.clone(), line.to_owned()));
        }
    }
    found
}

/// What the pages speak of, as far as the line leaves it to others.
fn world_of(line: &str) -> (World, String) {
    let mut world = World::new("my-org");
    world.grant_app_permission("administration", Level::Write);
    let ada = world.add_owner("ada");
    let token = world.add_token(ada, TokenKind::FineGrained);
    let teams = ["payments", "billing", "platform-admins"].map(|slug| world.add_team(slug));
    for team in teams {
        world.add_maintainer(team, ada);
    }
    for name in ["shop", "billing", "my-repo"] {
        let repository = world.add_repository(name, RepoVisibility::Private);
        world.grant(teams[0], repository, Permission::Admin);
    }
    world.add_group("billing", Visibility::Selected);
    // A group whose name fits no team.
    world.add_group("Payments Linux", Visibility::Selected);
    if !line.contains("/group-add") && !line.contains("/group-adopt") {
        let group = world.add_group("payments", Visibility::Selected);
        if !line.contains("/group-delete") || line.contains("transfer_to") || line.contains("remove_runners")
        {
            for (name, status) in
                [("payments-1", RunnerStatus::Online), ("payments-2", RunnerStatus::Offline)]
            {
                world.add_runner(group, name, &["self-hosted", "linux", "gpu"], status);
            }
        }
    }
    (world, token)
}

/// Tells curl where the hosts of the pages are.
fn write_curlrc(folder: &Path, app: &App) {
    let port = app.server.address().port();
    let admin = app.server.admin_address().unwrap().port();
    let lines = [
        format!("cacert = \"{}\"", folder.join("ca.pem").display()),
        format!("connect-to = \"arm.example.com:8443:localhost:{port}\""),
        format!("connect-to = \"arm.example.com:443:localhost:{port}\""),
        format!("connect-to = \"localhost:9090:localhost:{admin}\""),
        "silent\nshow-error\n".to_owned(),
    ];
    std::fs::write(folder.join("ca.pem"), &app.certificate).unwrap();
    std::fs::write(folder.join(".curlrc"), lines.join("\n")).unwrap();
}

/// The line, with an entry that exists.
async fn with_entry(app: &App, token: &str, line: &str) -> String {
    if !line.contains(ENTRY) {
        return line.to_owned();
    }
    let added = app.call("POST", "access-add", token, &[("team", "payments"), ("kind", "token")]).await;
    line.replace(ENTRY, added.response()["access"]["id"].as_str().unwrap())
}

/// What the line prints.
async fn answer(settings: &str, line: &str) -> String {
    let (world, token) = world_of(line);
    let extra = json!({
        "admin": { "team": "platform-admins" },
        "scopes": { "allow": ["my-org/*", "my-org"] },
        "oidc": { "audience": "https://arm.example.com", "issuers": { "github-actions": {} } },
        "server": { "admin": { "address": "127.0.0.1", "port": 0 } },
    });
    let app = App::with(world, extra).await.settled().await;
    let line = with_entry(&app, &token, line).await;
    let folder = tempfile::tempdir().unwrap();
    write_curlrc(folder.path(), &app);
    let defaults = "ARM=https://arm.example.com:8443/api/v1\nAUTH=\"Authorization: Bearer $GITHUB_TOKEN\"\n";
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{defaults}{settings}{line}")])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap())
        .env("CURL_HOME", folder.path())
        .env("GITHUB_TOKEN", token);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "curl is needed for this test; {line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn every_curl_line_of_the_documentation_works_as_printed() {
    let mut failed = Vec::new();
    for (name, page, least) in PAGES {
        let commands = commands(page);
        assert!(commands.len() >= least, "{name} has only {} curl lines: {commands:#?}", commands.len());
        for (settings, line) in commands {
            let text = answer(&settings, &line).await;
            let answer: Value = serde_json::from_str(&text).unwrap_or_default();
            let fine = answer["Code"] == 200
                || answer["token"].is_string()
                || answer["ready"] == true
                || text.starts_with("# HELP");
            if !fine {
                failed.push(format!("{name}: {line}: {text}"));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn no_page_has_curl_lines_that_nothing_runs() {
    let names = PAGES.iter().map(|(name, ..)| *name).chain([RUN_ELSEWHERE]);
    let known: Vec<_> = names.map(|name| links::root().join(name)).collect();
    let mut others = links::pages();
    others.retain(|path| {
        !known.contains(path) && !commands(&std::fs::read_to_string(path).unwrap()).is_empty()
    });
    assert_eq!(others, Vec::<PathBuf>::new(), "to be added to PAGES");
}
