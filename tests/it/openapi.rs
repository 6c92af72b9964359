//! The description of the API: complete, true, checked in, and served. That every answer is as described is checked
//! wherever a test gets one (`described`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use actions_runner_manager::http::{Operation, openapi};
use serde_json::{Value, json};

use crate::binary::run;
use crate::described::{DESCRIPTION, fits, read};
use crate::edge::METHODS;
use crate::harness::{Answer, App, send};
use crate::scene::{acme, acme_with_runners};

const ALL_METHODS: [&str; 9] =
    ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "PROPFIND"];

/// Path, method and description of everything that is described.
fn described() -> Vec<(&'static str, String, &'static Value)> {
    let paths = DESCRIPTION.as_object().unwrap().iter();
    let methods = paths.flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter().filter(|(name, _)| *name != "x-methods");
        methods.map(|(method, operation)| (path.as_str(), method.to_uppercase(), operation))
    });
    methods.collect()
}

/// The same by the documented method alone.
fn documented() -> Vec<(&'static str, String, &'static Value)> {
    described().into_iter().filter(|(path, method, _)| DESCRIPTION[path]["x-methods"][0] == *method).collect()
}

fn in_the_repository(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

#[tokio::test]
async fn the_checked_in_document_is_what_the_program_prints() {
    let folder = tempfile::tempdir().unwrap();
    let printed = run(&["openapi"], &[], folder.path()).await;
    assert_eq!((printed.code, printed.stderr.as_str()), (0, ""));
    assert_eq!(format!("{}\n", printed.stdout), openapi::pretty());
    assert!(
        in_the_repository("docs/openapi.json") == openapi::pretty(),
        "docs/openapi.json is not up to date; write it anew with: cargo run -- openapi > docs/openapi.json"
    );
}

#[tokio::test]
async fn every_route_is_described_and_everything_described_is_a_route() {
    let of_table: BTreeSet<_> = Operation::ALL
        .iter()
        .flat_map(|operation| operation.paths().into_iter().map(move |path| (path, operation.methods(true))))
        .flat_map(|(path, methods)| methods.into_iter().map(move |method| (path.clone(), method.to_string())))
        .collect();
    let of_description: BTreeSet<_> =
        described().into_iter().map(|(path, method, _)| (path.to_owned(), method)).collect();
    assert_eq!(of_description, of_table);
    for (operation, methods, has_older_form) in METHODS {
        let item = &DESCRIPTION[format!("/api/v1/{operation}")];
        // HEAD is not described: it is GET without its body.
        let mut methods: Vec<_> = methods.split(", ").filter(|method| *method != "HEAD").collect();
        if *has_older_form {
            methods.push("GET");
        }
        assert_eq!(item["x-methods"], json!(methods), "{operation}");
        for method in methods {
            let deprecated = item[method.to_lowercase()]["deprecated"] == true;
            assert_eq!(deprecated, *has_older_form && method == "GET", "{method} {operation}");
        }
    }
    let (world, _) = acme();
    let app = App::start(world).await;
    for path in DESCRIPTION.as_object().unwrap().keys() {
        for method in ALL_METHODS {
            let answer = send(app.request(method, path, "")).await;
            let of_get =
                of_table.iter().filter(|(other, _)| other == path).all(|(_, method)| method == "GET");
            let is_served =
                of_table.contains(&(path.clone(), method.to_owned())) || (method == "HEAD" && of_get);
            let expected = if is_served { 401 } else { 405 };
            assert_eq!(answer.status, expected, "{method} {path}");
        }
    }
}

/// Parameters that make a request complete, with the names of the tests' organisation.
fn complete(operation: &Value) -> BTreeMap<String, String> {
    let parameters = operation["parameters"].as_array().unwrap();
    let one_of = parameters.iter().find(|parameter| parameter["x-needed"] == "one of");
    let always = parameters.iter().filter(|parameter| parameter["x-needed"] == "always");
    let text = |example: &Value| match example {
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        one => plain(one),
    };
    let example = |parameter: &Value| {
        let value = text(&parameter["example"]).replace("my-org", "acme");
        (plain(&parameter["name"]), value)
    };
    always.chain(one_of).map(example).collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

async fn ask(
    app: &App,
    (method, path): (&str, &str),
    token: &str,
    query: &BTreeMap<String, String>,
) -> Answer {
    send(app.request(method, path, token).query(query)).await
}

/// With limits that a thorough test doesn't meet, here and at GitHub, and with administrators, who may say `team=*`.
async fn patient_app(mut world: fake_github::World) -> App {
    world.set_rate_limit(1_000_000);
    let extra = json!({
        "server": { "rateLimit": 1_000_000, "rateBurst": 1_000_000 },
        "admin": { "team": "payments" },
    });
    App::with(world, extra).await
}

#[tokio::test]
async fn an_operation_knows_the_parameters_that_are_described_and_no_others() {
    let (world, cast, _) = acme_with_runners();
    let app = patient_app(world).await;
    let names = |operation: &Value| -> BTreeMap<String, String> {
        let parameters = operation["parameters"].as_array().unwrap().iter();
        parameters.map(|parameter| (plain(&parameter["name"]), plain(&parameter["example"]))).collect()
    };
    let mut all: BTreeMap<_, _> = described().iter().flat_map(|(.., operation)| names(operation)).collect();
    all.insert("Team".to_owned(), "payments".to_owned());
    for (path, method, operation) in described() {
        let own = names(operation);
        for (name, example) in &all {
            let mut query = complete(operation);
            query.entry(name.clone()).or_insert_with(|| example.clone());
            let answer = ask(&app, (&method, path), &cast.ada, &query).await;
            let text = &answer.text;
            if own.contains_key(name) {
                assert!(!text.contains("unknown_parameter"), "{method} {path} {name}: {text}");
            } else {
                answer.is_refused(400, "unknown_parameter");
                assert!(text.contains(&format!("\\\"{name}\\\"")), "{method} {path} {name}: {text}");
            }
            if operation.get("requestBody").is_some() {
                let content = operation["requestBody"]["content"].as_object().unwrap();
                for (kind, media) in content {
                    let properties = media["schema"]["properties"].as_object().unwrap();
                    assert!(properties.keys().eq(own.keys()), "{method} {path} {kind}");
                }
            }
        }
    }
}

fn values() -> Vec<String> {
    let fixed = [
        "payments-x",
        "A",
        "a.b",
        "a_b",
        "-",
        ".",
        "..",
        "...",
        "a/b",
        "acme/web",
        "acme/..",
        "acme/a/b",
        "acme",
        "",
        " ",
        "a b",
        "ä",
        "a,b",
        "a,",
        ",a",
        "a\n",
        "a\tb",
        "a\u{7f}",
        "a\u{85}",
        "*",
        "**",
        "%2e%2e",
        "ent:a",
        "0",
        "7",
        "1,2",
        "18446744073709551615",
        "18446744073709551616",
        "-1",
        "+1",
        "1.0",
        "true",
        "false",
        "TRUE",
        "online",
        "idle",
        "Online",
    ];
    let long = [63, 64, 65, 100, 101, 255, 256, 257].map(|length| "a".repeat(length));
    let many = [100, 101, 1000, 1001]
        .map(|length| (0..length).map(|n| format!("n{n}")).collect::<Vec<_>>().join(","));
    fixed.map(str::to_owned).into_iter().chain(long).chain(many).collect()
}

/// What the description can't say: that the organisation has to be the configured one, that a second team is another
/// than the first, and that texts of lists have items.
fn is_beyond_a_schema(name: &str, value: &str) -> bool {
    let of_another_org = |value: &str| value.contains('/') && !value.starts_with("acme/");
    match name {
        "repo" | "repos" | "repository" => of_another_org(value),
        "scope" => !value.starts_with("acme"),
        // Whether a regular expression compiles, and its length in bytes.
        "matching" => value.starts_with("match:") || !value.is_ascii(),
        _ => false,
    }
}

fn refuses(answer: &Answer, name: &str) -> bool {
    answer.status == 400 && answer.text.contains(&format!("The parameter \\\"{name}\\\" is invalid"))
}

#[tokio::test]
async fn in_a_query_just_what_the_schema_says_is_taken() {
    let (world, cast, _) = acme_with_runners();
    let app = patient_app(world).await;
    for (path, method, operation) in documented() {
        for parameter in operation["parameters"].as_array().unwrap() {
            let name = plain(&parameter["name"]);
            for value in values().into_iter().filter(|value| !is_beyond_a_schema(&name, value)) {
                let mut query = complete(operation);
                query.insert(name.clone(), value.clone());
                let answer = ask(&app, (&method, path), &cast.ada, &query).await;
                let fits = fits(&parameter["schema"], &read(&parameter["schema"], &value));
                assert_eq!(!refuses(&answer, &name), fits, "{path} {name}={value:?}: {}", answer.text);
            }
        }
    }
}

#[tokio::test]
async fn in_a_json_body_just_what_the_schema_says_is_taken() {
    let (world, cast, _) = acme_with_runners();
    let app = patient_app(world).await;
    let mut sent: Vec<Value> = values().into_iter().map(Value::from).collect();
    sent.extend([json!(true), json!(null), json!({}), json!([]), json!([null]), json!([["a"]]), json!([{}])]);
    sent.extend([json!(["a"]), json!(["7"]), json!(["a", "b"]), json!(["a,b"]), json!([""])]);
    sent.extend([json!(vec!["a"; 1001])]);
    for (path, method, operation) in documented() {
        let Some(body) = operation.get("requestBody") else { continue };
        let schema = &body["content"]["application/json"]["schema"];
        for parameter in operation["parameters"].as_array().unwrap() {
            let name = plain(&parameter["name"]);
            let mut sent = sent.clone();
            // Other lists take numbers for texts, too, which nobody is told.
            if name == "ids" {
                sent.extend([json!(7), json!([7, "8"]), json!(-7), json!(1.5), json!([1.5])]);
            }
            for value in sent.iter().filter(|value| !is_beyond_a_schema(&name, &plain(value))) {
                let mut whole: Value = complete(operation).into_iter().collect();
                whole[&name] = value.clone();
                let answer = send(app.request(&method, path, &cast.ada).json(&whole)).await;
                let fits = fits(&schema["properties"][&name], value);
                // A list as text is described as any text.
                if fits || !value.is_string() {
                    let is_text_of_a_list = value.is_string() && parameter["schema"]["type"] == "array";
                    let taken = !refuses(&answer, &name);
                    assert!(taken == fits || is_text_of_a_list, "{path} {name}={value}: {}", answer.text);
                } else {
                    assert!(refuses(&answer, &name), "{path} {name}={value}: {}", answer.text);
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_given_as_an_example_is_an_example() {
    for (path, method, operation) in described() {
        for parameter in operation["parameters"].as_array().unwrap() {
            let example = &parameter["example"];
            assert!(fits(&parameter["schema"], example), "{method} {path}: {example}");
        }
        let bodies = operation.get("requestBody").map(|body| &body["content"]);
        for (kind, media) in bodies.into_iter().flat_map(|content| content.as_object().unwrap()) {
            assert!(fits(&media["schema"], &media["example"]), "{method} {path}: {kind}");
        }
        for (status, response) in operation["responses"].as_object().unwrap() {
            let media = &response["content"]["application/json"];
            let several = media["examples"].as_object().into_iter().flatten().map(|(_, one)| &one["value"]);
            let examples: Vec<_> = media.get("example").into_iter().chain(several).collect();
            assert!(!examples.is_empty(), "{method} {path} {status}");
            for example in examples {
                assert!(fits(&media["schema"], example), "{method} {path} {status}: {example}");
            }
        }
    }
    let (world, cast, _) = acme_with_runners();
    let app = App::start(world).await;
    for (path, method, operation) in documented() {
        let example = &operation["requestBody"]["content"]["application/json"]["example"];
        if !example.is_object() || example["scope"].is_string() {
            continue;
        }
        let answer = send(app.request(&method, path, &cast.ada).json(example)).await;
        assert_ne!(answer.status, 400, "{path}: {}", answer.text);
    }
}

#[test]
fn the_reasons_are_those_of_the_documentation() {
    let mut of_description: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (.., operation) in described() {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let schema = &response["content"]["application/json"]["schema"];
            for reason in schema["properties"]["Reason"]["enum"].as_array().into_iter().flatten() {
                of_description.entry(status.clone()).or_default().insert(plain(reason));
            }
        }
    }
    // Nothing is described at a path that isn't there.
    of_description.entry("404".to_owned()).or_default().insert("not_found".to_owned());
    let text = in_the_repository("docs/API.md");
    let section = text.split("\n## Reasons\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let section = section.split("**Order of checks.**").next().unwrap();
    let mut of_documentation: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut status = String::new();
    for cells in section
        .lines()
        .filter(|line| line.contains("| `") && !line.contains("| `Reason` |"))
        .map(|line| line.split('|').collect::<Vec<_>>())
    {
        if !cells[1].trim().is_empty() {
            cells[1].trim().clone_into(&mut status);
        }
        let reason = cells[2].trim().trim_matches('`').to_owned();
        of_documentation.entry(status.clone()).or_default().insert(reason);
    }
    assert_eq!(of_description, of_documentation);
}
