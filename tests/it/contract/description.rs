//! GitHub's `OpenAPI` 3.0 description, turned into JSON Schema and asked about one exchange at a time.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::{Map, Value, json};

/// Fields that the description demands and older Enterprise Servers don't send.
const UNKNOWN_TO_OLDER_SERVERS: [&str; 1] = ["type"];

/// Every operation of the description.
pub(super) struct Description {
    operations: Vec<Operation>,
}

/// One operation: a method on a path.
pub(super) struct Operation {
    pub(super) method: String,
    pub(super) template: String,
    params: Vec<(String, String, Value)>,
    request: Option<(bool, Value)>,
    responses: HashMap<u16, Option<Value>>,
    linked: bool,
    basic_error: Value,
    compiled: Mutex<HashMap<String, &'static Validator>>,
}

impl Description {
    /// The description in `tests/github-openapi.json`, read once.
    pub(super) fn of_github() -> &'static Self {
        static DESCRIPTION: LazyLock<Description> = LazyLock::new(|| {
            let text = include_str!("../../github-openapi.json");
            Description::read(&serde_json::from_str(text).expect("the description is JSON"))
        });
        &DESCRIPTION
    }

    fn read(document: &Value) -> Self {
        let mut operations = Vec::new();
        for (template, methods) in document["paths"].as_object().expect("paths") {
            for (method, operation) in methods.as_object().expect("methods") {
                operations.push(Operation::read(document, method, template, operation));
            }
        }
        // GitHub redirects renamed repositories to their number, under paths that the description leaves out.
        for rest in ["", "/environments/{environment_name}"] {
            let by_name = format!("/repos/{{owner}}/{{repo}}{rest}");
            let by_name = operations.iter().find(|op| op.method == "GET" && op.template == by_name);
            let by_name = by_name.expect("a GET of a repository");
            let (responses, mut params) = (by_name.responses.clone(), by_name.params.clone());
            params.retain(|(_, name, _)| name != "owner" && name != "repo");
            params.push(("path".to_owned(), "repository_id".to_owned(), json!({"type": "integer"})));
            let template = format!("/repositories/{{repository_id}}{rest}");
            let by_number = Operation::read(document, "get", &template, &json!({"responses": {}}));
            operations.push(Operation { params, responses, ..by_number });
        }
        // Here the description demands an account that is a user and an enterprise at once, which nothing can be.
        let one = schema(document, &json!({"$ref": "#/components/schemas/installation"}));
        for operation in operations.iter_mut().filter(|op| op.template == "/app/installations") {
            operation.responses.insert(200, Some(json!({"type": "array", "items": one})));
        }
        Self { operations }
    }

    /// The operation of a path as sent, with the path's parameters as sent. What has no parameter goes first.
    pub(super) fn operation<'d, 'p>(
        &'d self,
        method: &str,
        path: &'p str,
    ) -> Option<(&'d Operation, Params<'d, 'p>)> {
        self.operations
            .iter()
            .filter(|operation| operation.method == method)
            .filter_map(|operation| Some((operation, fits(&operation.template, path)?)))
            .min_by_key(|(_, params)| params.len())
    }

    pub(super) fn operations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.operations.iter().map(|operation| (operation.method.as_str(), operation.template.as_str()))
    }
}

/// Names of path parameters, and what was sent for them.
pub(super) type Params<'d, 'p> = Vec<(&'d str, &'p str)>;

fn fits<'d, 'p>(template: &'d str, path: &'p str) -> Option<Params<'d, 'p>> {
    let (wanted, sent): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    if wanted.len() != sent.len() {
        return None;
    }
    let mut params = Vec::new();
    for (wanted, sent) in wanted.into_iter().zip(sent) {
        match wanted.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) => params.push((name, sent)),
            None if wanted == sent => {}
            None => return None,
        }
    }
    Some(params)
}

/// Follows a `$ref` of the document.
fn resolve<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    match value["$ref"].as_str() {
        Some(target) => document.pointer(target.trim_start_matches('#')).expect("the target of a $ref"),
        None => value,
    }
}

/// `OpenAPI` 3.0 to JSON Schema: references put in place, `nullable` turned into a type of its own.
fn schema(document: &Value, value: &Value) -> Value {
    match resolve(document, value) {
        Value::Array(items) => items.iter().map(|item| schema(document, item)).collect(),
        Value::Object(fields) => {
            let nullable = fields.get("nullable") == Some(&Value::Bool(true));
            let kept =
                fields.iter().filter(|(name, _)| !matches!(name.as_str(), "nullable" | "discriminator"));
            let plain: Map<_, _> =
                kept.map(|(name, value)| (name.clone(), schema(document, value))).collect();
            if nullable { json!({"anyOf": [{"type": "null"}, plain]}) } else { Value::Object(plain) }
        }
        other => other.clone(),
    }
}

fn json_schema_of(document: &Value, content: &Value) -> Option<Value> {
    let media = content["content"]["application/json"].get("schema")?;
    Some(schema(document, media))
}

impl Operation {
    fn read(document: &Value, method: &str, template: &str, operation: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let params = operation["parameters"].as_array().into_iter().flatten().map(|param| {
            let param = resolve(document, param);
            (text(&param["in"]), text(&param["name"]), schema(document, &param["schema"]))
        });
        let request = operation.get("requestBody").map(|body| {
            let body = resolve(document, body);
            (body["required"] == true, json_schema_of(document, body).expect("the schema of a request body"))
        });
        let responses = operation["responses"].as_object().into_iter().flatten().map(|(status, answer)| {
            let schema = json_schema_of(document, resolve(document, answer));
            (status.parse().expect("a status"), schema)
        });
        Self {
            method: method.to_uppercase(),
            template: template.to_owned(),
            params: params.collect(),
            request,
            responses: responses.collect(),
            linked: !operation["responses"]["200"]["headers"]["Link"].is_null(),
            basic_error: schema(document, &json!({"$ref": "#/components/schemas/basic-error"})),
            compiled: Mutex::new(HashMap::new()),
        }
    }

    pub(super) fn is_linked(&self) -> bool {
        self.linked
    }

    pub(super) fn documents(&self, status: u16) -> bool {
        self.responses.contains_key(&status)
    }

    /// Compiles a schema at its first use; validators live as long as the process.
    fn validator(&self, name: &str, schema: &Value) -> &'static Validator {
        let mut compiled = self.compiled.lock().expect("nobody panicked");
        compiled.entry(name.to_owned()).or_insert_with(|| {
            let options = jsonschema::options().should_validate_formats(true);
            Box::leak(Box::new(options.build(schema).expect("a schema")))
        })
    }

    pub(super) fn wrong_params(&self, params: &[(&str, &str)]) -> Vec<String> {
        let of_path =
            |name: &str| self.params.iter().find(|(place, known, _)| place == "path" && known == name);
        let wrong =
            |(name, sent): &&(&str, &str)| of_path(name).is_some_and(|(_, _, kind)| !is_a(kind, sent));
        params.iter().filter(wrong).map(|(name, sent)| format!("{sent:?} can't be a {name}")).collect()
    }

    pub(super) fn wrong_query(&self, query: &str) -> Vec<String> {
        let address = reqwest::Url::parse(&format!("http://localhost/?{query}")).expect("a query");
        address.query_pairs().filter_map(|(name, sent)| self.wrong_query_parameter(&name, &sent)).collect()
    }

    fn wrong_query_parameter(&self, name: &str, sent: &str) -> Option<String> {
        let known = self.params.iter().find(|(place, known, _)| place == "query" && known == name);
        let Some((_, _, kind)) = known else { return Some(format!("{name} is no parameter of the query")) };
        if !is_a(kind, sent) {
            return Some(format!("{sent:?} can't be a {name}"));
        }
        let fits = match name {
            "per_page" => sent.parse().is_ok_and(|size: u32| (1..=100).contains(&size)),
            "page" => sent.parse().is_ok_and(|page: u32| page > 0),
            _ => true,
        };
        (!fits).then(|| format!("{sent} is out of bounds for {name}"))
    }

    pub(super) fn wrong_request_body(&self, body: &[u8]) -> Vec<String> {
        match (&self.request, body.is_empty()) {
            (None | Some((false, _)), true) => Vec::new(),
            (None, false) => vec!["this operation takes no body".to_owned()],
            (Some((true, _)), true) => vec!["this operation needs a body".to_owned()],
            (Some((_, schema)), false) => match serde_json::from_slice::<Value>(body) {
                Err(error) => vec![format!("the request body is not JSON: {error}")],
                Ok(sent) => {
                    let known = &schema["properties"];
                    let names = sent.as_object().into_iter().flatten().map(|(name, _)| name);
                    let unknown = names.filter(|name| known.get(name).is_none());
                    let unknown = unknown.map(|name| format!("{name} is no field of the request body"));
                    unknown.chain(wrong(self.validator("request", schema), &sent, |_| true)).collect()
                }
            },
        }
    }

    /// Checks the body of an answer; `older` for an Enterprise Server, which may lack a newer field.
    pub(super) fn wrong_response_body(&self, status: u16, body: &Value, older: bool) -> Vec<String> {
        let counts = |error: &ValidationError<'_>| {
            let missing = match error.kind() {
                ValidationErrorKind::Required { property } => property.as_str().unwrap_or_default(),
                _ => "",
            };
            !(older && UNKNOWN_TO_OLDER_SERVERS.contains(&missing))
        };
        match self.responses.get(&status) {
            Some(Some(schema)) => wrong(self.validator(&status.to_string(), schema), body, counts),
            // GitHub describes few of its errors, and not the body of all that it does.
            _ if status >= 300 => {
                let mut found = wrong(self.validator("basic-error", &self.basic_error), body, counts);
                if !body["message"].is_string() {
                    found.push(format!("the body of the {status} is no error of GitHub"));
                }
                found
            }
            _ => vec![format!("a {status} that GitHub doesn't describe")],
        }
    }
}

fn wrong(validator: &Validator, value: &Value, counts: impl Fn(&ValidationError<'_>) -> bool) -> Vec<String> {
    let problems = validator.iter_errors(value).filter(|error| counts(error));
    // The value itself stays out of the text: it may hold a token.
    problems.map(|error| format!("at {:?}: {}", error.instance_path().as_str(), error.masked())).collect()
}

/// Whether text from a path or query can be read as what a schema wants.
fn is_a(schema: &Value, sent: &str) -> bool {
    let listed = |allowed: &Vec<Value>| allowed.iter().any(|value| value == sent);
    let typed = match schema["type"].as_str() {
        Some("integer") => sent.parse::<u64>().is_ok(),
        Some("boolean") => matches!(sent, "true" | "false"),
        _ => !sent.is_empty(),
    };
    typed && schema["enum"].as_array().is_none_or(listed)
}
