//! The values of an access entry's fields, which the configuration takes as well: `domain::entry::fields` checks them.

use serde_json::{Value as Json, json};

use super::value::Value;
use crate::domain::entry::fields::{self, EntryField, PER_HOUR};
use crate::domain::entry::{
    ClaimCondition, EntryId, EntryKind, EntryOperation, LONGEST_VALUE, RunnerEnvironment,
};
use crate::domain::names::OrgName;
use crate::domain::pattern::Pattern;

/// A text of 1 to `max` characters without control characters.
fn line(max: usize) -> Json {
    json!({ "type": "string", "minLength": 1, "maxLength": max, "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$" })
}

/// A text of this form.
fn form(pattern: &str) -> Json {
    json!({ "type": "string", "maxLength": LONGEST_VALUE, "pattern": pattern })
}

/// One of these words.
fn words<T: serde::Serialize>(all: &[T]) -> Json {
    json!({ "type": "string", "enum": all })
}

macro_rules! entry_values {
    ($($(#[$doc:meta])* $name:ident($inner:ty) = $field:ident, $parse:path, $schema:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub(super) struct $name(pub(super) $inner);

        impl Value for $name {
            const SCHEMA_NAME: &'static str = stringify!($name);

            fn parse(text: &str, _: &OrgName) -> Result<Self, String> {
                $parse(text).map(Self).map_err(|error| error.message)
            }

            fn schema() -> Json {
                let mut schema: Json = $schema;
                schema["description"] = json!(EntryField::$field.expected());
                schema
            }
        }
    )*};
}

entry_values! {
    /// Whom an entry lets act.
    KindOfEntry(EntryKind) = Kind, fields::parse_kind, words(EntryKind::ALL);
    /// What it lets them do.
    OperationOfEntry(EntryOperation) = Operations, fields::parse_operation, words(EntryOperation::ALL);
    /// On which refs.
    RefOfEntry(Pattern) = Ref, fields::parse_git_ref, form(
        r"^(?:refs/|match:)(?:[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f])?$"
    );
    /// With which environment.
    EnvironmentOfEntry(String) = Environment, fields::parse_environment, json!({
        "type": "string", "minLength": 1, "maxLength": 255,
        "pattern": r"^(?!\.+$)[^\u0000-\u001f\u007f-\u009f]+$",
    });
    /// Of which workflow.
    WorkflowOfEntry(String) = Workflow, fields::parse_workflow, form(
        r"^\.github/workflows/[^/\u0000-\u001f\u007f-\u009f]+\.ya?ml$"
    );
    /// In a job of which called workflow.
    JobWorkflowOfEntry(String) = JobWorkflow, fields::parse_job_workflow, form(
        r"^[A-Za-z0-9-]+/[A-Za-z0-9._-]+/\.github/workflows/[^/\u0000-\u001f\u007f-\u009f]+\.ya?ml@(?:refs/(?:heads|tags)/[^\u0000- ~^:?*\[\\\u007f-\u009f]+|[0-9a-f]{40})$"
    );
    /// Started by which event.
    EventOfEntry(String) = Events, fields::parse_event, form("^[a-z_]{1,50}$");
    /// On whose machine.
    RunnerEnvironmentOfEntry(RunnerEnvironment) = RunnerEnvironment, fields::parse_runner_environment,
        words(RunnerEnvironment::ALL);
    /// Of which issuer.
    IssuerOfEntry(String) = Issuer, fields::parse_issuer, form(r"^[A-Za-z0-9._\-]{1,64}$");
    /// Of which subject.
    SubjectOfEntry(String) = Subject, fields::parse_subject, line(LONGEST_VALUE);
    /// With which claim.
    ClaimOfEntry(ClaimCondition) = Claims, fields::parse_claim, form(
        r"^[^=\u0000-\u001f\u007f-\u009f]+=[^\u0000-\u001f\u007f-\u009f]+$"
    );
    /// What its maker writes beside it.
    NoteOfEntry(String) = Note, fields::parse_note, line(LONGEST_VALUE);
    /// For how long.
    ExpiryOfEntry(std::time::Duration) = ExpiresIn, fields::parse_expires_in, form(
        "^0*[1-9][0-9]{0,8} ?(?:ms|s|m|h|d)$"
    );
}

/// How many JIT configs in an hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PerHour(pub(super) u32);

impl Value for PerHour {
    const SCHEMA_NAME: &'static str = "PerHour";

    fn parse(text: &str, _: &OrgName) -> Result<Self, String> {
        fields::parse_per_hour(text).map(Self).map_err(|error| error.message)
    }

    fn schema() -> Json {
        json!({
            "type": "integer", "minimum": PER_HOUR.start(), "maximum": PER_HOUR.end(),
            "description": EntryField::PerHour.expected(),
        })
    }

    /// In JSON a number may be text, too.
    fn json_schema(reference: Json) -> Json {
        json!({ "anyOf": [reference, { "type": "string", "pattern": "^0*(?:[1-9][0-9]{0,3}|10000)$" }] })
    }

    fn json_example(text: &str) -> Json {
        json!(text.parse::<u32>().unwrap_or_default())
    }
}

impl Value for EntryId {
    const SCHEMA_NAME: &'static str = "AccessEntryId";

    fn parse(text: &str, _: &OrgName) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| format!("expected {}", Self::EXPECTED))
    }

    fn schema() -> Json {
        json!({ "type": "string", "pattern": format!("^{}$", Self::PATTERN), "description": Self::EXPECTED })
    }
}
