//! A request as the routes see it: parts decoded once, body read on demand.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::actor::Actor;
use crate::answer::Answer;

/// One request, after routing.
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path as sent, without `/api/v3`.
    pub(crate) path: String,
    /// The query as sent.
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    /// Where this API lives, as the client sees it.
    pub(crate) base: String,
    pub(crate) params: Vec<(&'static str, String)>,
    pub(crate) actor: Actor,
}

impl Request {
    /// A path parameter, decoded.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    /// A path parameter that is a number; anything else can't exist.
    pub(crate) fn number(&self, name: &str) -> Result<u64, Answer> {
        self.param(name).parse().map_err(|_| Answer::not_found())
    }

    pub(crate) fn query_pairs(&self) -> Vec<(String, String)> {
        actix_web::web::Query::<Vec<(String, String)>>::from_query(&self.query)
            .map(actix_web::web::Query::into_inner)
            .unwrap_or_default()
    }

    /// A query parameter, decoded.
    pub(crate) fn query_value(&self, name: &str) -> Option<String> {
        self.query_pairs().into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// All values of a header, in any letter case.
    pub(crate) fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.as_str())
    }

    /// The body as a JSON object; an empty body is an empty object.
    pub(crate) fn fields(&self) -> Result<Fields, Answer> {
        if self.body.is_empty() {
            return Ok(Fields(Map::new()));
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(fields)) => Ok(Fields(fields)),
            Ok(_) => Err(Answer::error(400, "Body should be a JSON object")),
            Err(_) => Err(Answer::error(400, "Problems parsing JSON")),
        }
    }
}

/// The fields of a JSON body; a wrong type is GitHub's 422.
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    fn wrong(name: &str, value: &Value, wanted: &str) -> Answer {
        Answer::invalid(&format!("Invalid request.\n\nFor 'properties/{name}', {value} is not {wanted}."))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Answer> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(Self::wrong(name, other, "a string")),
        }
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Answer> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(Self::wrong(name, other, "a boolean")),
        }
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Answer> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or_else(|| Self::wrong(name, value, "an integer")),
        }
    }

    fn list<T>(
        &self,
        name: &str,
        wanted: &str,
        item: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<Vec<T>>, Answer> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Array(items)) => {
                let each = |value| item(value).ok_or_else(|| Self::wrong(name, value, wanted));
                items.iter().map(each).collect::<Result<_, _>>().map(Some)
            }
            Some(other) => Err(Self::wrong(name, other, "an array")),
        }
    }

    pub(crate) fn numbers(&self, name: &str) -> Result<Option<Vec<u64>>, Answer> {
        self.list(name, "an integer", Value::as_u64)
    }

    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Answer> {
        self.list(name, "a string", |value| value.as_str().map(ToOwned::to_owned))
    }
}

/// The answer to a body without a field that must be there.
pub(crate) fn missing(name: &str) -> Answer {
    Answer::invalid(&format!("Invalid request.\n\n\"{name}\" wasn't supplied."))
}
