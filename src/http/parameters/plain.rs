//! Parameters of any text, for tests of what all values have in common.

use serde_json::{Value as Json, json};

use super::Parameters;
use crate::domain::ids::RunnerId;
use crate::domain::names::OrgName;
use crate::http::ApiError;
use crate::http::field::Field;
use crate::http::value::Value;

impl Value for String {
    const SCHEMA_NAME: &'static str = "Text";

    fn parse(text: &str, _: &OrgName) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn schema() -> Json {
        json!({ "type": "string" })
    }
}

fn org() -> OrgName {
    OrgName::parse("acme").unwrap()
}

impl Parameters {
    pub(super) fn required_text(&mut self, name: &'static str) -> Result<String, ApiError> {
        Field::<String>::required(name, "", "").take(self, &org())
    }

    pub(super) fn required_list(&mut self, name: &'static str) -> Result<Vec<String>, ApiError> {
        Field::<Vec<String>>::list_or_none(name, "", "").take(self, &org())
    }

    pub(super) fn filled_list(&mut self, name: &'static str) -> Result<Vec<String>, ApiError> {
        Field::<Vec<String>>::optional_list(name, "", "").take(self, &org())
    }

    pub(super) fn ids(&mut self, name: &'static str) -> Result<Vec<RunnerId>, ApiError> {
        Field::<Vec<RunnerId>>::optional_list(name, "", "").take(self, &org())
    }
}
