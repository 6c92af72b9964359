//! What a parameter's value can be: each type reads itself from text, and describes itself to programs.

use serde_json::{Number, Value as Json, json};

use super::parameters::{as_text, whole};
use crate::domain::group_reference::GroupReference;
use crate::domain::ids::RunnerId;
use crate::domain::jit::WorkFolder;
use crate::domain::names::{Label, OrgName, RepoName, RunnerName};
use crate::domain::pattern::Pattern;
use crate::domain::reference::{RunnerReference, TeamReference};
use crate::domain::scope::Scope;
use crate::ops::selection::StatusFilter;

/// A value that a parameter can have.
pub(super) trait Value: Sized + 'static {
    /// The name of its schema in the description of the API.
    const SCHEMA_NAME: &'static str;

    /// Reads it. The error says what was expected.
    fn parse(text: &str, org: &OrgName) -> Result<Self, String>;

    /// What its text has to look like.
    fn schema() -> Json;

    /// What it may be in a JSON body, where `reference` points to the schema.
    fn json_schema(reference: Json) -> Json {
        reference
    }

    /// The text of an item of a list that JSON has as a number.
    fn text_of(number: &Number) -> Option<String> {
        as_text(number)
    }

    /// An example as JSON, from its text.
    fn json_example(text: &str) -> Json {
        json!(text)
    }
}

/// A text of this form.
fn text(pattern: &str, expected: &str) -> Json {
    json!({ "type": "string", "pattern": format!("^{pattern}$"), "description": expected })
}

/// For types whose text alone says whether it is well-formed, by a pattern that they know.
macro_rules! values_of_a_pattern {
    ($($name:ident),*) => {$(
        impl Value for $name {
            const SCHEMA_NAME: &'static str = stringify!($name);

            fn parse(text: &str, _: &OrgName) -> Result<Self, String> {
                Self::parse(text).map_err(|error| error.to_string())
            }

            fn schema() -> Json {
                text(&Self::pattern(), Self::EXPECTED)
            }
        }
    )*};
}

values_of_a_pattern! { TeamReference, GroupReference, RunnerName, RunnerReference, Label, WorkFolder }

/// A team, or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TeamOrAll {
    /// One team.
    Team(TeamReference),
    /// All managed groups, for administrators.
    All,
}

impl Value for TeamOrAll {
    const SCHEMA_NAME: &'static str = "TeamReferenceOrAll";

    fn parse(text: &str, org: &OrgName) -> Result<Self, String> {
        match text {
            "*" => Ok(Self::All),
            _ => <TeamReference as Value>::parse(text, org).map(Self::Team),
        }
    }

    fn schema() -> Json {
        let expected = format!("{}, or for administrators * for all teams", TeamReference::EXPECTED);
        text(&format!(r"(?:\*|{})", TeamReference::pattern()), &expected)
    }
}

impl Value for RepoName {
    const SCHEMA_NAME: &'static str = "RepositoryName";

    fn parse(text: &str, org: &OrgName) -> Result<Self, String> {
        Self::parse_in(text, org).map_err(|error| error.to_string())
    }

    fn schema() -> Json {
        let expected = format!("{}; also with the configured organisation and / before it", Self::EXPECTED);
        text(&Self::pattern_in(), &expected)
    }
}

impl Value for Pattern {
    const SCHEMA_NAME: &'static str = "Pattern";

    fn parse(text: &str, _: &OrgName) -> Result<Self, String> {
        Self::parse(text).map_err(|error| error.to_string())
    }

    fn schema() -> Json {
        json!({
            "type": "string", "maxLength": 1_000,
            "pattern": r"^[^\s\u0000-\u001f\u007f-\u009f](?:[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f])?$",
            "description": "a literal, a glob with *, or match: and a regular expression; in any case",
        })
    }
}

impl Value for RunnerId {
    const SCHEMA_NAME: &'static str = "RunnerId";

    /// Digits alone: an integer's own `parse` would take a sign, too.
    fn parse(text: &str, _: &OrgName) -> Result<Self, String> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let id = digits.then(|| text.parse().ok()).flatten();
        id.ok_or_else(|| "expected a runner's id: a whole number".to_owned())
    }

    fn schema() -> Json {
        json!({
            "type": "integer", "format": "int64", "minimum": 0, "maximum": u64::MAX,
            "description": "a runner's id: a whole number",
        })
    }

    /// What is no whole number stays as it is, and is reported with its place in the list.
    fn text_of(number: &Number) -> Option<String> {
        Some(whole(number).map_or_else(|| number.to_string(), |whole| whole.to_string()))
    }

    /// In JSON an id may be text, too.
    fn json_schema(reference: Json) -> Json {
        json!({ "anyOf": [reference, { "type": "string", "pattern": "^[0-9]{1,20}$" }] })
    }

    fn json_example(text: &str) -> Json {
        json!(text.parse::<u64>().unwrap_or_default())
    }
}

impl Value for StatusFilter {
    const SCHEMA_NAME: &'static str = "StatusFilter";

    fn parse(text: &str, _: &OrgName) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|status| status.as_str() == text);
        found.copied().ok_or_else(|| "expected online, offline, busy or idle".to_owned())
    }

    fn schema() -> Json {
        json!({
            "type": "string", "enum": Self::ALL,
            "description": "online, offline (not online), busy (a job runs on it) or idle (online and not busy)",
        })
    }
}

impl Value for Scope {
    const SCHEMA_NAME: &'static str = "Scope";

    fn parse(text: &str, org: &OrgName) -> Result<Self, String> {
        Self::parse(text, org).map_err(|error| error.to_string())
    }

    fn schema() -> Json {
        text(&Self::pattern(), Self::EXPECTED)
    }
}
