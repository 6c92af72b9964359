//! The examples of `docs/access.md`, run as they stand there, with stand-ins for the platforms that give tokens.

mod machine;
mod page;
mod platform;
mod workflow;

use fake_github::{
    GroupId, IssuerOptions, OidcIssuer, Permission, Protection, RepoVisibility, TokenKind, Visibility, World,
};
use regex::Regex;
use serde_json::{Value, json};

use self::machine::Machine;
use self::page::{configured, example, script, yaml};
use self::platform::Platform;
use crate::harness::App;

const AUDIENCE: &str = "https://arm.example.com";
/// The identity of the examples for Azure.
const IDENTITY: &str = "11111111-1111-1111-1111-111111111111";
const TENANT: &str = "00000000-0000-0000-0000-000000000000";

/// The organisation of the page: ada maintains payments, which has a group with `shop` in it.
fn my_org() -> (World, String, GroupId) {
    let mut world = World::new("my-org");
    let ada = world.add_member("ada");
    let token = world.add_token(ada, TokenKind::FineGrained);
    let payments = world.add_team("payments");
    world.add_maintainer(payments, ada);
    let shop = world.add_repository("shop", RepoVisibility::Private);
    world.grant(payments, shop, Permission::Push);
    world.add_environment(shop, "runners", Protection::none().reviewed_by(ada));
    let group = world.add_group("payments", Visibility::Selected);
    world.add_repository_to_group(group, shop);
    (world, token, group)
}

/// The service as the page has it configured for an issuer; the token of ada.
async fn start(issuer: &str, url: &str) -> (App, String, GroupId) {
    let (world, ada, group) = my_org();
    let app = App::with(world, configured(issuer, url)).await.settled().await;
    (app, ada, group)
}

/// A maintainer's machine runs an example. Gives the last answer.
async fn as_maintainer(app: &App, ada: &str, name: &str) -> Value {
    let mut machine = Machine::new(app, &[]);
    machine.set("GITHUB_TOKEN", ada);
    let printed = machine.run(&script(&[name])).await;
    let answers = serde_json::Deserializer::from_str(&printed).into_iter::<Value>();
    let answers: Vec<_> = answers.map(Result::unwrap).collect();
    assert!(answers.iter().all(|answer| answer["Code"] == 200), "{printed}");
    answers.last().unwrap()["Response"].clone()
}

/// The runner that was made, with its one label, and its config.
fn made(app: &App, group: GroupId) -> (String, String) {
    app.fake.world(|world| {
        let runners: Vec<_> = world.runners().filter(|runner| runner.group == group).collect();
        assert_eq!((runners.len(), world.jit_configs().len()), (1, 1));
        let labels: Vec<_> = runners[0].labels.iter().map(|label| label.name.clone()).collect();
        assert_eq!(labels.len(), 1, "{labels:?}");
        (labels[0].clone(), world.jit_configs()[0].clone())
    })
}

/// The example gets a platform's token, and a config with it.
async fn gets_a_config(app: &App, group: GroupId, machine: &Machine, name: &str, token: &str) {
    machine.run(&script(&[name, "ask"])).await;
    let (label, config) = made(app, group);
    assert_eq!((label.as_str(), machine.text("work/jitconfig").trim()), ("linux", config.as_str()));
    machine.hides(&[token, &config], &["jitconfig"]);
}

#[tokio::test]
async fn the_examples_for_azure_work_in_container_apps_and_on_virtual_machines() {
    let container_apps = Platform {
        path: "/msi/token",
        header: ("X-IDENTITY-HEADER", "a-secret-of-the-app"),
        query: &[("resource", "api://arm"), ("api-version", "2019-08-01")],
        answer: String::new(),
    };
    let virtual_machine = Platform {
        path: "/metadata/identity/oauth2/token",
        header: ("Metadata", "true"),
        query: &[("resource", "api://arm"), ("api-version", "2018-02-01")],
        answer: String::new(),
    };
    for (name, platform) in
        [("token in Container Apps", container_apps), ("token on an Azure virtual machine", virtual_machine)]
    {
        let options = IssuerOptions { path: format!("/{TENANT}/"), ..IssuerOptions::default() };
        let issuer = OidcIssuer::start(&options).unwrap();
        let (app, ada, group) = start("entra", &issuer.url()).await;
        as_maintainer(&app, &ada, "allow a managed identity").await;
        // Good for a day and five minutes, as Entra's are.
        let token = issuer.token(IDENTITY, "api://arm").at(app.clock.unix_seconds()).lifetime(86_700);
        let token = token.claim("oid", IDENTITY).claim("tid", TENANT).sign();
        let answer = json!({ "access_token": token, "resource": "api://arm", "token_type": "Bearer" });
        let port = Platform { answer: answer.to_string(), ..platform }.start().await;
        let mut machine = Machine::new(&app, &[("169.254.169.254", port)]);
        machine.set("IDENTITY_ENDPOINT", &format!("http://127.0.0.1:{port}/msi/token"));
        machine.set("IDENTITY_HEADER", "a-secret-of-the-app");
        gets_a_config(&app, group, &machine, name, &token).await;
        machine.hides(&["a-secret-of-the-app"], &["jitconfig"]);
    }
}

#[tokio::test]
async fn the_example_for_google_cloud_works() {
    let issuer = OidcIssuer::start(&IssuerOptions::default()).unwrap();
    let (app, ada, group) = start("google", &issuer.url()).await;
    as_maintainer(&app, &ada, "allow a Google service account").await;
    let token = issuer.token("104857600000000000001", AUDIENCE).at(app.clock.unix_seconds()).lifetime(3_600);
    let token =
        token.claim("email", "runners@my-project.iam.gserviceaccount.com").claim("email_verified", true);
    let token = token.sign();
    let platform = Platform {
        path: "/computeMetadata/v1/instance/service-accounts/default/identity",
        header: ("Metadata-Flavor", "Google"),
        query: &[("audience", AUDIENCE), ("format", "full")],
        answer: token.clone(),
    };
    let machine = Machine::new(&app, &[("metadata.google.internal", platform.start().await)]);
    gets_a_config(&app, group, &machine, "token on Google Cloud", &token).await;
}

/// The script of a container, and the variables that it is given.
fn container(pod: &Value, list: &str) -> (String, Vec<(String, String)>) {
    let container = &pod["spec"][list][0];
    let command: Vec<_> =
        container["command"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
    assert_eq!(&command[..2], ["sh", "-euc"]);
    let variables = container["env"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (command[2].to_owned(), variables.map(|each| (text(&each["name"]), text(&each["value"]))).collect())
}

#[tokio::test]
async fn the_pod_of_the_example_gets_its_config_by_its_service_account() {
    let issuer = OidcIssuer::start(&IssuerOptions::default()).unwrap();
    let (app, ada, group) = start("cluster-a", &issuer.url()).await;
    as_maintainer(&app, &ada, "allow a service account").await;
    let pod = yaml("pod");
    let projected = &pod["spec"]["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"];
    let (namespace, account) =
        (pod["metadata"]["namespace"].as_str(), pod["spec"]["serviceAccountName"].as_str());
    let subject = format!("system:serviceaccount:{}:{}", namespace.unwrap(), account.unwrap());
    let token = issuer.token(&subject, projected["audience"].as_str().unwrap());
    let token =
        token.at(app.clock.unix_seconds()).lifetime(projected["expirationSeconds"].as_u64().unwrap()).sign();
    let mut machine = Machine::new(&app, &[]);
    let run = machine.at("work").display().to_string();
    machine.program("token", &token);
    let (script, variables) = container(&pod, "initContainers");
    for (name, value) in &variables {
        machine.set(name, value);
    }
    // Where the volumes are here.
    assert!(variables.contains(&("TOKEN_FILE".to_owned(), "/var/run/secrets/arm/token".to_owned())));
    assert!(variables.contains(&("CONFIG".to_owned(), "/run/jit".to_owned())));
    machine.set("TOKEN_FILE", &machine.at("token").display().to_string());
    machine.set("CONFIG", &run);
    let output = machine.shell(&["sh", "-euc", &script]).await;
    assert!(output.status.success(), "{output:?}");
    let (label, config) = made(&app, group);
    assert_eq!(label, "linux");
    // Jobs run in a container without the token.
    let runner = &pod["spec"]["containers"][0];
    assert_eq!(runner["volumeMounts"], json!([{ "name": "config", "mountPath": "/run/jit" }]));
    assert_eq!(pod["spec"]["automountServiceAccountToken"], false);
    let (script, _) = container(&pod, "containers");
    let output = machine.shell(&["sh", "-euc", &script.replace("/run/jit", &run)]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(machine.text("records/config"), config);
    machine.hides(&[&token, &config], &[]);
}

#[tokio::test]
async fn a_team_token_is_made_used_and_removed_as_printed() {
    let (mut app, ada, _) = start("github-actions", "https://token.actions.githubusercontent.com").await;
    let mut machine = Machine::new(&app, &[]);
    machine.set("GITHUB_TOKEN", &ada);
    machine.run(&script(&["make a team token"])).await;
    let token = machine.text("work/team-token").trim().to_owned();
    app.keep_secret(&token);
    machine.hides(&[&token], &["team-token"]);
    let pattern = secret_pattern();
    assert!(pattern.is_match(&format!("TOKEN={token}\n")) && pattern.is_match(&token), "{pattern}");
    assert!(!pattern.is_match(&format!("{token}0")) && !pattern.is_match(&format!("x{token}")), "{pattern}");
    let used = machine.run(&script(&["use a team token"])).await;
    assert!(used.contains(r#"{"runners":[]}"#), "{used}");
    let listed = app.call("GET", "access-list", &ada, &[("team", "payments")]).await.response();
    machine.set("ENTRY", listed["access"][0]["id"].as_str().unwrap());
    let removed = machine.run(&script(&["remove an entry"])).await;
    assert!(removed.contains("Access removed: "), "{removed}");
    let output = machine.shell(&["bash", "-c", &script(&["use a team token"])]).await;
    assert!(machine::text(&output.stdout).contains("invalid_token"), "{output:?}");
}

/// What a scanner looks for, of the page's table.
fn secret_pattern() -> Regex {
    let page = include_str!("../../docs/access.md");
    let cell = |name: &str| {
        let (_, rest) = page.split_once(&format!("| {name} | `")).unwrap();
        rest.split_once("` |").unwrap().0.replace("\\|", "|")
    };
    let (format, before, after) = (cell("secret format"), cell("before secret"), cell("after secret"));
    assert_eq!(format, actions_runner_manager::domain::entry::TeamToken::PATTERN);
    Regex::new(&format!("(?:{before}){format}(?:{after})")).unwrap()
}

#[tokio::test]
async fn a_refusal_is_shown_and_ends_the_example() {
    let issuer = OidcIssuer::start(&IssuerOptions::default()).unwrap();
    let (app, ..) = start("google", &issuer.url()).await;
    let token = issuer.token("104857600000000000001", AUDIENCE).at(app.clock.unix_seconds()).sign();
    let mut machine = Machine::new(&app, &[]);
    machine.set("token", &token);
    let ask = format!("ARM=https://arm.example.com:8443/api/v1\n{}\necho goes on", example("ask"));
    let output = machine.shell(&["bash", "-c", &ask]).await;
    let printed = machine::text(&output.stdout);
    assert!(
        !output.status.success() && printed.contains("not_trusted") && !printed.contains("goes on"),
        "{printed}"
    );
    assert!(!machine.at("work/jitconfig").exists());
}
