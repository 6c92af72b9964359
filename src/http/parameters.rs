//! Parameters from the query string and the body, merged; each name once, and none that is unknown.

use actix_web::http::header::{self, HeaderMap};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::error::ApiError;
use crate::domain::text::one_line;

/// Items in one list.
pub(super) const MOST_ITEMS: usize = 1_000;
/// An unknown name is repeated to the caller up to this length.
const MOST_REPEATED: usize = 64;

/// What was sent, before anybody asked for it.
#[derive(Debug, Default)]
pub(super) struct Parameters(Vec<(String, Sent)>);

/// A value as it was sent.
#[derive(Debug)]
enum Sent {
    Text(String),
    Json(Value),
}

impl Parameters {
    /// Reads the query string and, if there is one, the body.
    pub(super) fn read(query: &str, headers: &HeaderMap, body: &[u8]) -> Result<Self, ApiError> {
        let mut all: Vec<_> = form(query.as_bytes()).collect();
        if !body.is_empty() {
            match media_type(headers).as_deref() {
                Some("application/json") => all.extend(json(body)?),
                // What `curl --data '{…}'` sends. No form that means something here begins like this.
                Some("application/x-www-form-urlencoded") if body.starts_with(b"{") => {
                    all.extend(json(body)?);
                }
                Some("application/x-www-form-urlencoded") => all.extend(form(body)),
                _ => return Err(ApiError::UnsupportedMediaType),
            }
        }
        Ok(Self(all))
    }

    /// A text that must be there.
    pub(super) fn required_text(&mut self, name: &'static str) -> Result<String, ApiError> {
        self.optional_text(name)?.ok_or(ApiError::MissingParameter(name))
    }

    /// A text, if it is there.
    pub(super) fn optional_text(&mut self, name: &'static str) -> Result<Option<String>, ApiError> {
        match self.take(name)? {
            None => Ok(None),
            Some(Sent::Text(text) | Sent::Json(Value::String(text))) => Ok(Some(text)),
            Some(Sent::Json(_)) => Err(invalid(name, "expected a text")),
        }
    }

    /// `true` or `false`; false when it isn't there.
    pub(super) fn optional_flag(&mut self, name: &'static str) -> Result<bool, ApiError> {
        match self.take(name)? {
            None => Ok(false),
            Some(Sent::Json(Value::Bool(flag))) => Ok(flag),
            Some(Sent::Text(text) | Sent::Json(Value::String(text))) if text == "true" => Ok(true),
            Some(Sent::Text(text) | Sent::Json(Value::String(text))) if text == "false" => Ok(false),
            Some(_) => Err(invalid(name, "expected true or false")),
        }
    }

    /// A list that must be there: `a,b,c`, or an array in JSON, which alone may be empty.
    pub(super) fn required_list(&mut self, name: &'static str) -> Result<Vec<String>, ApiError> {
        self.list(name)?.ok_or(ApiError::MissingParameter(name))
    }

    /// A list with something in it, if it is there.
    pub(super) fn optional_list(&mut self, name: &'static str) -> Result<Option<Vec<String>>, ApiError> {
        let list = self.list(name)?;
        if list.as_ref().is_some_and(Vec::is_empty) {
            return Err(invalid(name, "expected at least one item"));
        }
        Ok(list)
    }

    fn list(&mut self, name: &'static str) -> Result<Option<Vec<String>>, ApiError> {
        let wrong = || invalid(name, "expected a list, such as a,b,c");
        let items: Vec<String> = match self.take(name)? {
            None => return Ok(None),
            Some(Sent::Text(text) | Sent::Json(Value::String(text))) => {
                text.split(',').map(str::to_owned).collect()
            }
            Some(Sent::Json(Value::Array(items))) => {
                let texts = items.into_iter().map(|item| match item {
                    Value::String(text) => Some(text),
                    Value::Number(number) => Some(number.to_string()),
                    _ => None,
                });
                texts.collect::<Option<_>>().ok_or_else(wrong)?
            }
            Some(Sent::Json(Value::Number(number))) => vec![number.to_string()],
            Some(Sent::Json(_)) => return Err(wrong()),
        };
        if items.len() > MOST_ITEMS {
            return Err(invalid(name, &format!("expected at most {MOST_ITEMS} items")));
        }
        Ok(Some(items))
    }

    /// To be called when all that is known has been taken: names the first that is left.
    pub(super) fn nothing_else(&self) -> Result<(), ApiError> {
        match self.0.first() {
            Some((name, _)) => Err(ApiError::UnknownParameter(one_line(name, MOST_REPEATED))),
            None => Ok(()),
        }
    }

    fn take(&mut self, name: &str) -> Result<Option<Sent>, ApiError> {
        let mut found = self.0.extract_if(.., |(sent, _)| sent == name);
        let first = found.next().map(|(_, value)| value);
        if found.next().is_some() {
            let problem = format!("The parameter \"{name}\" was given more than once");
            return Err(ApiError::ConflictingParameter(problem));
        }
        Ok(first)
    }
}

/// An invalid parameter.
pub(super) fn invalid(name: &'static str, problem: &str) -> ApiError {
    ApiError::InvalidParameter { name, problem: problem.to_owned() }
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next()?.trim().to_ascii_lowercase())
}

fn form(text: &[u8]) -> impl Iterator<Item = (String, Sent)> {
    form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), Sent::Text(value.into_owned())))
}

fn json(body: &[u8]) -> Result<impl Iterator<Item = (String, Sent)>, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let entries = reader
        .deserialize_map(Entries)
        .and_then(|entries| reader.end().map(|()| entries))
        .map_err(|cause| {
            // serde_json quotes nothing of the body but single values of a wrong type.
            let at = format!("line {} column {}", cause.line(), cause.column());
            let problem = if cause.is_data() { "expected a JSON object" } else { "it is not valid JSON" };
            ApiError::InvalidBody(format!("{problem} ({at})"))
        })?;
    Ok(entries.into_iter().map(|(name, value)| (name, Sent::Json(value))))
}

/// Keeps names that stand twice in an object, which a map would silently merge.
struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str, content_type: &str, body: &str) -> Result<Parameters, ApiError> {
        let mut headers = HeaderMap::new();
        if !content_type.is_empty() {
            headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        }
        Parameters::read(query, &headers, body.as_bytes())
    }

    fn reason<T>(outcome: Result<T, ApiError>) -> &'static str {
        outcome.err().map_or("none", |error| error.answer().reason)
    }

    #[test]
    fn a_list_comes_from_query_form_and_json_alike() {
        for (query, content_type, body) in [
            ("repos=a,b", "", ""),
            ("repos=a%2Cb", "", ""),
            ("", "application/x-www-form-urlencoded", "repos=a,b"),
            ("", "application/json", r#"{"repos": "a,b"}"#),
            ("", "Application/JSON; charset=utf-8", r#"{"repos": ["a", "b"]}"#),
        ] {
            let mut parameters = read(query, content_type, body).unwrap();
            assert_eq!(parameters.required_list("repos").unwrap(), ["a", "b"], "{query}{body}");
            assert!(parameters.nothing_else().is_ok());
        }
    }

    #[test]
    fn the_same_name_twice_is_a_conflict_wherever_it_stands() {
        for (query, content_type, body) in [
            ("team=a&team=a", "", ""),
            ("team=a", "application/json", r#"{"team": "a"}"#),
            ("team=a", "application/x-www-form-urlencoded", "team=b"),
            ("", "application/json", r#"{"team": "a", "team": "b"}"#),
        ] {
            let mut parameters = read(query, content_type, body).unwrap();
            assert_eq!(reason(parameters.required_text("team")), "conflicting_parameter", "{query}{body}");
        }
    }

    #[test]
    fn what_is_not_asked_for_is_named() {
        let mut parameters = read("team=a&taem=b", "", "").unwrap();
        parameters.required_text("team").unwrap();
        let error = parameters.nothing_else().unwrap_err();
        assert_eq!(error.answer().reason, "unknown_parameter");
        assert!(error.answer().message.contains("\"taem\""));
    }

    #[test]
    fn a_body_must_be_what_it_claims_to_be() {
        for body in ["{", "[]", "\"team\"", "null", "{\"team\": \"a\"} x", "{\"team\": 01}"] {
            assert_eq!(reason(read("", "application/json", body)), "invalid_body", "{body}");
        }
        for content_type in ["", "text/plain", "application/xml", "application/jsonx"] {
            assert_eq!(reason(read("", content_type, "x")), "unsupported_media_type", "{content_type}");
        }
    }

    #[test]
    fn values_of_a_wrong_type_are_refused() {
        for body in [r#"{"team": 1}"#, r#"{"team": null}"#, r#"{"team": ["a"]}"#, r#"{"team": {"a": 1}}"#] {
            let mut parameters = read("", "application/json", body).unwrap();
            assert_eq!(reason(parameters.required_text("team")), "invalid_parameter", "{body}");
        }
        for body in [r#"{"repos": true}"#, r#"{"repos": {}}"#, r#"{"repos": [["a"]]}"#, r#"{"repos": null}"#]
        {
            let mut parameters = read("", "application/json", body).unwrap();
            assert_eq!(reason(parameters.required_list("repos")), "invalid_parameter", "{body}");
        }
    }

    #[test]
    fn an_overlong_unknown_name_is_cut_and_cleaned_before_it_is_repeated() {
        let name = format!("a%1b[31mb{}=1", "x".repeat(1_000));
        let refusal = read(&name, "", "").unwrap().nothing_else().unwrap_err();
        let said = format!("a\u{fffd}[31mb{}", "x".repeat(MOST_REPEATED - 7));
        assert!(matches!(&refusal, ApiError::UnknownParameter(name) if *name == said), "{refusal:?}");
    }
}
