//! Holds what the service answers, and what it accepted, against its own description. Every answer that a test gets
//! through `harness::send` passes here.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use actions_runner_manager::http::openapi;
use jsonschema::Validator;
use reqwest::{Request, Url};
use serde_json::{Map, Value, json};

use crate::harness::Answer;

/// The description, with every reference put in its place.
pub static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    let document = openapi::document();
    in_place(&document, &document["paths"])
});

/// What is on the admin listener, which the description leaves out.
const OF_ADMINS: [&str; 3] = ["/livez", "/readyz", "/metrics"];
/// Headers that no operation has for itself.
const OF_HTTP: [&str; 4] = ["content-type", "content-length", "date", "connection"];

/// What was asked.
pub struct Asked {
    method: String,
    url: Url,
    content_type: String,
    body: Vec<u8>,
}

impl Asked {
    pub fn of(request: &Request) -> Self {
        let content_type = request.headers().get("content-type").and_then(|value| value.to_str().ok());
        Self {
            method: request.method().to_string(),
            url: request.url().clone(),
            content_type: content_type.unwrap_or_default().to_owned(),
            body: request.body().and_then(|body| body.as_bytes()).unwrap_or_default().to_vec(),
        }
    }
}

fn in_place(document: &Value, value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| in_place(document, item)).collect(),
        Value::Object(fields) => {
            let mut all: Map<_, _> = match fields.get("$ref").and_then(Value::as_str) {
                Some(target) => {
                    let target = document.pointer(&target[1..]).expect("the target of a $ref");
                    in_place(document, target).as_object().expect("an object").clone()
                }
                None => Map::new(),
            };
            let own = fields.iter().filter(|(name, _)| *name != "$ref");
            all.extend(own.map(|(name, value)| (name.clone(), in_place(document, value))));
            Value::Object(all)
        }
        other => other.clone(),
    }
}

/// Schemas of answers, closed: a field that isn't described is an error here, though callers should bear one.
fn closed(schema: &Value) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(closed).collect(),
        Value::Object(fields) => {
            let mut all: Map<_, _> = fields
                .iter()
                // A part of an object can't say what is in the whole.
                .map(|(name, value)| {
                    (name.clone(), if name == "allOf" { value.clone() } else { closed(value) })
                })
                .collect();
            if fields.get("properties").is_some_and(Value::is_object) {
                all.insert("unevaluatedProperties".to_owned(), json!(false));
            }
            Value::Object(all)
        }
        other => other.clone(),
    }
}

/// Compiled once each: there are many answers and few schemas.
fn problems(schema: &Value, value: &Value) -> Vec<String> {
    static COMPILED: LazyLock<Mutex<HashMap<String, &'static Validator>>> = LazyLock::new(Mutex::default);
    let mut compiled = COMPILED.lock().expect("nobody panicked");
    let validator = compiled.entry(schema.to_string()).or_insert_with(|| {
        let options = jsonschema::options().should_validate_formats(true);
        Box::leak(Box::new(options.build(schema).expect("a schema")))
    });
    // The value itself stays out of the text: it may hold a token.
    let wrong = validator.iter_errors(value);
    wrong.map(|error| format!("at {:?}: {}", error.instance_path().as_str(), error.masked())).collect()
}

/// Whether a value is what a schema of the description says.
pub fn fits(schema: &Value, value: &Value) -> bool {
    problems(schema, value).is_empty()
}

/// Panics when the description doesn't foresee an answer, or what was accepted.
#[track_caller]
pub fn check(asked: &Asked, answer: &Answer) {
    let path = asked.url.path();
    // Nor is anything of the public port on that one.
    let is_of_admins = OF_ADMINS.contains(&path) || (answer.status == 404 && answer.text.is_empty());
    if asked.url.scheme() == "http" && is_of_admins {
        return;
    }
    let is_page = ["/", "/livez", "/openapi.json", "/docs"].contains(&path) || path.starts_with("/docs/");
    let wrong = match DESCRIPTION.get(path) {
        Some(item) => match item.get(asked.method.to_lowercase()) {
            Some(operation) => of_operation(operation, asked, answer),
            None if is_head(item, asked) => of_head(&item["get"], answer),
            None => of_wrong_method(item, answer),
        },
        None if is_page && matches!(answer.status, 200 | 302) => Vec::new(),
        None if is_page && answer.status == 405 && answer.header("allow") == "GET, HEAD" => Vec::new(),
        // 500 is of a route that a test adds.
        None if matches!(answer.status, 404 | 500 | 503) => Vec::new(),
        None => vec!["nothing of this path is described".to_owned()],
    };
    let what = format!("{} {path} → {}", asked.method, answer.status);
    assert!(wrong.is_empty(), "{what} is not as the description says: {wrong:#?}");
}

/// HEAD is not described by itself: it is the GET of what only reads, without the body.
fn is_head(item: &Value, asked: &Asked) -> bool {
    asked.method == "HEAD" && item["x-methods"] == json!(["GET"])
}

fn of_head(operation: &Value, answer: &Answer) -> Vec<String> {
    match operation["responses"].get(answer.status.to_string()) {
        Some(response) if answer.text.is_empty() => wrong_headers(&response["headers"], answer),
        _ => vec![format!("neither a status of GET's nor without a body: {answer:?}")],
    }
}

fn of_wrong_method(item: &Value, answer: &Answer) -> Vec<String> {
    let mut words: Vec<_> = item["x-methods"].as_array().expect("methods").iter().map(text).collect();
    if words == ["GET"] {
        words.push("HEAD");
    }
    let without_get: Vec<_> = words.iter().copied().filter(|method| *method != "GET").collect();
    let allow = answer.header("allow");
    let is_told = answer.status == 405 && (allow == words.join(", ") || allow == without_get.join(", "));
    if is_told || answer.status == 503 {
        Vec::new()
    } else {
        vec![format!("no 405 with {words:?}: {answer:?}")]
    }
}

fn of_operation(operation: &Value, asked: &Asked, answer: &Answer) -> Vec<String> {
    let Some(response) = operation["responses"].get(answer.status.to_string()) else {
        return vec![format!("the status is not described: {}", answer.text)];
    };
    let mut wrong = Vec::new();
    let kind = answer.header("content-type");
    match (&response["content"][kind]["schema"], serde_json::from_str(&answer.text)) {
        (Value::Null, _) => wrong.push(format!("the content type {kind:?} is not described")),
        (_, Err(error)) => wrong.push(format!("the body is no JSON: {error}")),
        (schema, Ok(body)) => wrong.extend(problems(&closed(schema), &body)),
    }
    wrong.extend(wrong_headers(&response["headers"], answer));
    if answer.status == 200 {
        wrong.extend(wrong_request(operation, asked));
    }
    wrong
}

fn wrong_headers(described: &Value, answer: &Answer) -> Vec<String> {
    let described = described.as_object().expect("headers");
    let mut wrong = Vec::new();
    for (name, header) in described {
        let sent = answer.header(name);
        if sent.is_empty() {
            if header["required"] == true {
                wrong.push(format!("the header {name} is missing"));
            }
        } else {
            let found = problems(&header["schema"], &read(&header["schema"], sent));
            wrong.extend(found.into_iter().map(|problem| format!("the header {name}: {problem}")));
        }
    }
    let is_described = |name: &str| described.keys().any(|known| known.eq_ignore_ascii_case(name));
    for name in answer.headers.keys().filter(|name| !OF_HTTP.contains(&name.as_str())) {
        if !is_described(name.as_str()) {
            wrong.push(format!("the header {name} is not described"));
        }
    }
    wrong
}

/// What is wrong, by the description, with a request that the service took.
fn wrong_request(operation: &Value, asked: &Asked) -> Vec<String> {
    let known = operation["parameters"].as_array().expect("parameters");
    let mut wrong = Vec::new();
    for (name, sent) in asked.url.query_pairs() {
        match known.iter().find(|parameter| parameter["name"] == *name) {
            None => wrong.push(format!("the parameter {name} is not described")),
            Some(parameter) => {
                wrong.extend(problems(&parameter["schema"], &read(&parameter["schema"], &sent)));
            }
        }
    }
    if asked.method == "GET" || asked.body.is_empty() {
        return wrong;
    }
    let kind = asked.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    // `curl --data '{…}'` calls it a form.
    let kind = if asked.body.starts_with(b"{") { "application/json" } else { kind.as_str() };
    let schema = &operation["requestBody"]["content"][kind]["schema"];
    let body = match kind {
        "application/json" => serde_json::from_slice(&asked.body).expect("it was read"),
        _ => form_urlencoded::parse(&asked.body)
            .map(|(name, sent)| (name.to_string(), read(&schema["properties"][&*name], &sent)))
            .collect(),
    };
    wrong.extend(problems(schema, &body));
    wrong
}

/// Text from a query, a form or a header as the JSON that its schema is about.
pub fn read(schema: &Value, sent: &str) -> Value {
    match schema["type"].as_str() {
        Some("array") => sent.split(',').map(|item| read(&schema["items"], item)).collect(),
        // Digits alone: `parse` would take a sign, too.
        Some("integer") if sent.bytes().all(|byte| byte.is_ascii_digit()) => {
            sent.parse::<u64>().map_or_else(|_| json!(sent), |number| json!(number))
        }
        Some("boolean") => sent.parse::<bool>().map_or_else(|_| json!(sent), |flag| json!(flag)),
        _ => json!(sent),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}
