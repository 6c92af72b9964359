//! Parameters however they are sent: the same values mean the same, and nothing is guessed.

use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

use super::{MAX_ITEMS, MAX_REPEATED, Parameters};
use crate::http::error::ApiError;
use crate::http::fuzzing::request_parameters;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// Where a value stands in a request.
#[derive(Debug, Clone, Copy)]
enum Place {
    Query,
    Form,
    Json,
}

/// What is sent: a text, a list and a flag.
#[derive(Debug, Clone)]
struct Sent {
    text: String,
    list: Vec<String>,
    flag: bool,
}

fn sent() -> impl Strategy<Value = Sent> {
    // A comma separates items in a query, so that no item holds one, and blanks beside it are layout.
    let item = "[^,]{0,8}".prop_map(|item: String| item.trim_ascii().to_owned());
    let list = prop::collection::vec(item, 1..6);
    (any::<String>(), list, any::<bool>()).prop_map(|(text, list, flag)| Sent { text, list, flag })
}

impl Sent {
    fn pairs(&self) -> [(&'static str, String); 3] {
        [("text", self.text.clone()), ("list", self.list.join(",")), ("flag", self.flag.to_string())]
    }
}

fn read(query: &str, content_type: Option<&str>, body: &[u8]) -> Result<Parameters, ApiError> {
    let mut headers = HeaderMap::new();
    if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
    }
    Parameters::read(query, &headers, body)
}

fn encoded<N: AsRef<str>, V: AsRef<str>>(pairs: &[(N, V)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Sends each pair where its place says.
fn sent_to(pairs: &[(String, String)], places: &[Place]) -> Result<Parameters, ApiError> {
    let of = |wanted: fn(Place) -> bool| -> Vec<(String, String)> {
        pairs.iter().zip(places).filter(|(_, place)| wanted(**place)).map(|(pair, _)| pair.clone()).collect()
    };
    let query = encoded(&of(|place| matches!(place, Place::Query)));
    let form = of(|place| matches!(place, Place::Form));
    let json = of(|place| matches!(place, Place::Json));
    if form.is_empty() {
        // By hand, since a map would merge names that stand twice.
        let entries: Vec<_> =
            json.iter().map(|(name, value)| format!("{}:{}", json!(name), json!(value))).collect();
        read(&query, Some(JSON), format!("{{{}}}", entries.join(",")).as_bytes())
    } else {
        read(&query, Some(FORM), encoded(&form).as_bytes())
    }
}

/// What an operation gets to see: text, list, flag.
fn taken(parameters: Result<Parameters, ApiError>) -> Result<(String, Vec<String>, bool), &'static str> {
    let take = |mut all: Parameters| {
        let values = (all.required_text("text")?, all.required_list("list")?, all.optional_flag("flag")?);
        all.nothing_else()?;
        Ok(values)
    };
    parameters.and_then(take).map_err(|error: ApiError| error.answer().reason.as_str())
}

/// Places of `pairs` that one request can have: a body is a form or JSON.
fn places(pairs: usize) -> impl Strategy<Value = Vec<Place>> {
    prop_oneof![Just([Place::Query, Place::Form]), Just([Place::Query, Place::Json])]
        .prop_flat_map(move |two| prop::collection::vec(select(two.to_vec()), pairs))
}

fn owned(pairs: &[(&'static str, String)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_values_mean_the_same_by_query_form_and_json(sent in sent(), places in places(3)) {
        let expected = Ok((sent.text.clone(), sent.list.clone(), sent.flag));
        prop_assert_eq!(taken(sent_to(&owned(&sent.pairs()), &places)), expected.clone());
        // JSON has types of its own for the same.
        let typed = json!({ "flag": sent.flag, "list": sent.list, "text": sent.text });
        prop_assert_eq!(taken(read("", Some(JSON), typed.to_string().as_bytes())), expected.clone());
        // What `curl --data` says of any body.
        prop_assert_eq!(taken(read("", Some(FORM), typed.to_string().as_bytes())), expected);
    }

    #[test]
    fn a_name_in_two_places_is_always_a_conflict(
        sent in sent(),
        places in places(4),
        again in 0..3_usize,
        at in any::<Index>(),
        is_same in any::<bool>(),
    ) {
        let mut pairs = owned(&sent.pairs());
        let (name, value) = pairs[again].clone();
        let value = if is_same { value } else { "another".to_owned() };
        pairs.insert(at.index(4), (name, value));
        prop_assert_eq!(taken(sent_to(&pairs, &places)), Err("conflicting_parameter"));
    }

    #[test]
    fn an_unknown_name_is_refused_and_said_back(
        sent in sent(),
        places in places(4),
        unknown in any::<String>(),
        at in any::<Index>(),
    ) {
        prop_assume!(!["text", "list", "flag"].contains(&unknown.as_str()));
        let mut pairs = owned(&sent.pairs());
        pairs.insert(at.index(4), (unknown.clone(), String::new()));
        let mut all = sent_to(&pairs, &places).unwrap();
        all.required_text("text").unwrap();
        all.required_list("list").unwrap();
        all.optional_flag("flag").unwrap();
        let error = all.nothing_else().unwrap_err();
        prop_assert_eq!(error.answer().reason.as_str(), "unknown_parameter");
        let message = error.answer().message;
        prop_assert!(!message.contains(char::is_control));
        let blank = |character: char| if "\t\r\n".contains(character) { ' ' } else { '\u{fffd}' };
        let shown = |character: char| if character.is_control() { blank(character) } else { character };
        let said: String = unknown.chars().take(MAX_REPEATED).map(shown).collect();
        prop_assert!(message.contains(&said), "{} in {}", said, message);
    }

    #[test]
    fn a_list_has_as_many_items_as_were_sent_up_to_a_bound(items in 1..3_000_usize) {
        let array: Map<String, Value> = [("list".to_owned(), json!(vec!["x"; items]))].into_iter().collect();
        let by_array = read("", Some(JSON), json!(array).to_string().as_bytes()).unwrap().required_list("list");
        let by_query = read(&format!("list={}", vec!["x"; items].join(",")), None, b"").unwrap().required_list("list");
        for outcome in [by_array, by_query] {
            prop_assert_eq!(outcome.map(|list| list.len()).ok(), (items <= MAX_ITEMS).then_some(items));
        }
    }

    #[test]
    fn whatever_is_sent_is_taken_or_refused_for_a_documented_reason(
        query in prop_oneof![any::<String>(), "[a-z_=&%0-9,+/-]{0,60}", "team=a(&[a-z_]{2,11}=[a-z,/0-9%-]{0,9}){0,3}"],
        content_type in select(vec!["", JSON, FORM, "application/json; charset=utf-8", "text/plain", "\u{7f}"]),
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "\\{(\"(team|repos|labels|ids|name|to|all)\":(\"[a-z,]{0,5}\"|true|\\[(1|\"x\")?\\]|null|1e9),?){0,4}\\}?"
                .prop_map(String::into_bytes),
        ],
    ) {
        request_parameters(&[query.replace('\n', "").as_bytes(), b"\n", content_type.as_bytes(), b"\n", &body].concat());
    }
}
