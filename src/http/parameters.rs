//! Parameters from the query string and the body, merged; each name once, and none that is unknown.

use actix_web::http::header::{self, HeaderMap};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Number, Value};

use super::error::ApiError;
use crate::domain::text::{decoded, is_invisible, one_line, trimmed};

/// Items in one list.
pub(super) const MAX_ITEMS: usize = 1_000;
/// An unknown name is repeated to the caller up to this length.
const MAX_REPEATED: usize = 64;

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
            let text = decoded(body.to_vec()).map_err(|reason| ApiError::InvalidBody(reason.to_string()));
            match Format::of(headers, body) {
                Some(Format::Json) => all.extend(json(text?.as_bytes())?),
                // A file that a form is sent from often ends with a line break, which no form has unencoded.
                Some(Format::Form) => all.extend(form(text?.trim_end_matches(['\r', '\n']).as_bytes())),
                None => return Err(ApiError::UnsupportedMediaType),
            }
        }
        Ok(Self(all))
    }

    /// A text, if it is there.
    pub(super) fn optional_text(&mut self, name: &'static str) -> Result<Option<String>, ApiError> {
        match self.take(name)? {
            None => Ok(None),
            Some(Sent::Text(text) | Sent::Json(Value::String(text))) => Ok(Some(text)),
            // A slug may well be made of digits, which some tools then send as a number.
            Some(Sent::Json(Value::Number(number))) if is_whole(&number) => Ok(Some(number.to_string())),
            Some(Sent::Json(Value::Number(_))) => Err(invalid(name, "expected a text; put it in quotes")),
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
            Some(_) => Err(invalid(name, "expected true or false, in small letters")),
        }
    }

    /// A list, if it is there: `a,b,c`, or an array in JSON, which alone may be empty. `text_of` gives the text of an item that
    /// JSON has as a number.
    pub(super) fn optional_list(
        &mut self,
        name: &'static str,
        text_of: impl Fn(&Number) -> Option<String>,
    ) -> Result<Option<Vec<String>>, ApiError> {
        let wrong = || invalid(name, "expected a list, such as a,b,c");
        let in_text = |number: &Number| {
            text_of(number).ok_or_else(|| invalid(name, "expected texts; put numbers with a point in quotes"))
        };
        let items: Vec<String> = match self.take(name)? {
            None => return Ok(None),
            Some(Sent::Text(text) | Sent::Json(Value::String(text))) => items_of(&text),
            Some(Sent::Json(Value::Array(items))) => {
                let texts = items.into_iter().map(|item| match item {
                    Value::String(text) => Ok(text),
                    Value::Number(number) => in_text(&number),
                    _ => Err(wrong()),
                });
                texts.collect::<Result<_, _>>()?
            }
            Some(Sent::Json(Value::Number(number))) => vec![in_text(&number)?],
            Some(Sent::Json(_)) => return Err(wrong()),
        };
        Ok(Some(items))
    }

    /// To be called when all that is known has been taken: names the first that is left.
    pub(super) fn nothing_else(&self) -> Result<(), ApiError> {
        match self.0.first() {
            Some((name, _)) => Err(ApiError::UnknownParameter(one_line(name, MAX_REPEATED))),
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
        // Null is how many programs write that they have nothing to say.
        Ok(first.filter(|value| !matches!(value, Sent::Json(Value::Null))))
    }
}

/// An invalid parameter.
pub(super) fn invalid(name: &'static str, problem: &str) -> ApiError {
    ApiError::InvalidParameter { name, problem: problem.to_owned() }
}

/// The same for a value that should have had some form; says what nobody sees in it.
pub(super) fn malformed(name: &'static str, value: &str, problem: &str) -> ApiError {
    invalid(name, &format!("{problem}{}", unseen(value)))
}

/// What is around or in a value without being seen.
fn unseen(value: &str) -> &'static str {
    if trimmed(value) != value && !value.is_empty() {
        "; there is white space or a line break around it"
    } else if value.chars().any(|character| is_invisible(character) && !character.is_whitespace()) {
        "; there is an invisible character in it"
    } else {
        ""
    }
}

/// The items of a list that is one text. Blanks beside the commas are layout; those around the whole are not.
fn items_of(text: &str) -> Vec<String> {
    let last = text.matches(',').count();
    let blank = |character: char| character.is_ascii_whitespace();
    let item = |(index, item): (usize, &str)| {
        let item = if index > 0 { item.trim_start_matches(blank) } else { item };
        (if index < last { item.trim_end_matches(blank) } else { item }).to_owned()
    };
    text.split(',').enumerate().map(item).collect()
}

/// The text of a number as the caller wrote it, which can be told of whole ones alone: `22.10` arrives as `22.1`.
pub(super) fn as_text(number: &Number) -> Option<String> {
    is_whole(number).then(|| number.to_string())
}

fn is_whole(number: &Number) -> bool {
    number.is_u64() || number.is_i64()
}

/// The whole number that a program wrote as `5.0` or `1e2`, as long as no digit was lost.
pub(super) fn whole(number: &Number) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let written = number.as_f64().filter(|_| number.is_f64())?;
    // Rust writes whole numbers in full.
    let fits = written.fract() == 0.0 && (0.0..=EXACT).contains(&written);
    fits.then(|| written.abs().to_string().parse().ok()).flatten()
}

/// How a body is written.
enum Format {
    Json,
    Form,
}

impl Format {
    /// As its content type says. `curl --data '{…}'` calls everything a form, and some programs say nothing at all; no
    /// form that means something here begins like an object.
    fn of(headers: &HeaderMap, body: &[u8]) -> Option<Self> {
        const MARK: &[u8] = "\u{feff}".as_bytes();
        let start = body.strip_prefix(MARK).unwrap_or(body).trim_ascii_start();
        let is_object = start.starts_with(b"{");
        let Some(value) = headers.get(header::CONTENT_TYPE) else { return is_object.then_some(Self::Json) };
        let media_type = value.to_str().ok()?.split(';').next()?.trim().to_ascii_lowercase();
        match media_type.as_str() {
            "" | "application/x-www-form-urlencoded" if is_object => Some(Self::Json),
            "application/json" | "text/json" => Some(Self::Json),
            "application/x-www-form-urlencoded" => Some(Self::Form),
            other if other.starts_with("application/") && other.ends_with("+json") => Some(Self::Json),
            _ => None,
        }
    }
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
mod plain;
#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests;
