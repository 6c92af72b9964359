//! The description of the API in the terms of `OpenAPI` 3.1: from the one table of operations, the types that check
//! names, the types that are answered, and the one error.

mod answers;
mod parameters;
mod reasons;

use std::sync::LazyLock;

use actix_web::http::Method;
use serde_json::{Map, Value, json};

use self::answers::Failures;
use super::Operation;
use super::endpoint::{Description, ResponseDescription, Tag};
use super::field::FieldDescription;

const ABOUT: &str = include_str!("about.md");
const ABOUT_TOKENS: &str = "A token of a GitHub *user*: a personal access token (classic or fine-grained), an OAuth token or \
                            a user token of an App. It needs no scope or permission, since it only says who is asking. \
                            `Authorization: Bearer TOKEN`, `token TOKEN` and the bare `TOKEN` are equal, the scheme in \
                            any letter case.";

/// An operation, with what its entry in the table computes.
struct Described {
    description: &'static Description,
    parameters: Vec<FieldDescription>,
    response: ResponseDescription,
}

impl Described {
    fn of(operation: Operation) -> Self {
        let description = operation.description();
        Self { description, parameters: operation.fields(), response: (description.response)() }
    }
}

/// The document.
pub fn document() -> Value {
    let mut failures = Failures::new();
    let (mut paths, mut bodies) = (Map::new(), Map::new());
    let mut schemas: Map<_, _> = [answers::failure_schema()].into_iter().collect();
    for &operation in Operation::ALL {
        let described = Described::of(operation);
        schemas.extend(parameters::schemas(&described.parameters));
        schemas.extend(
            described
                .response
                .components
                .iter()
                .map(|(name, schema)| (name.clone(), serde_json::to_value(schema).unwrap_or_default())),
        );
        if operation.methods(true).iter().any(|method| method != Method::GET) {
            bodies.insert(operation.name().to_owned(), parameters::in_body(&described.parameters));
        }
        for path in operation.paths() {
            let methods = operation.methods(true);
            let mut item: Map<_, _> = methods
                .iter()
                .map(|method| {
                    let described = one(operation, &path, method, &described, &mut failures);
                    (method.as_str().to_lowercase(), described)
                })
                .collect();
            // An object has no order.
            item.insert("x-methods".to_owned(), methods.iter().map(Method::as_str).collect());
            paths.insert(path, Value::Object(item));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Actions Runner Manager",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": env!("CARGO_PKG_DESCRIPTION"),
            "description": ABOUT,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The host that this document was read from" }],
        "security": [{ "token": [] }],
        "tags": Tag::ALL.map(|tag| json!({ "name": tag.name(), "description": tag.about() })),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": answers::headers(),
            "requestBodies": bodies,
            "responses": failures.into_components(),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer", "description": ABOUT_TOKENS } },
        },
    })
}

/// An operation on one path by one method.
fn one(
    operation: Operation,
    path: &str,
    method: &Method,
    described: &Described,
    failures: &mut Failures,
) -> Value {
    let (with_body, is_older_form) = (method != Method::GET, operation.is_older_form(method));
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_documented = operation.methods(true).first() == Some(method);
    let id = if is_documented { name.to_owned() } else { format!("{name}-{method}").to_lowercase() };
    let mut about = described.description.about.to_owned();
    if name != operation.name() {
        about = format!("{about} Another name of `{}`.", operation.name());
    }
    if is_older_form {
        about
            .push_str(" This is the older form, which the administrator can switch off: use another method.");
    }
    let mut one = json!({
        "operationId": id,
        "tags": [described.description.tag.name()],
        "summary": described.description.summary,
        "description": about,
        "parameters": parameters::in_query(&described.parameters, with_body),
        "responses": failures.responses(operation, method, described),
    });
    if with_body {
        one["requestBody"] = json!({ "$ref": format!("#/components/requestBodies/{}", operation.name()) });
    }
    if is_older_form {
        one["deprecated"] = json!(true);
    }
    one
}

/// The document as text, as it is checked in.
pub fn pretty() -> String {
    format!("{:#}\n", document())
}

/// The document as text, as it is served.
pub(super) fn compact() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| document().to_string());
    &TEXT
}
