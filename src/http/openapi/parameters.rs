//! The parameters of operations, as the document describes them: in a query, a form and a JSON object.

use serde_json::{Map, Value, json};

use crate::domain::jit::WorkFolder;
use crate::domain::names::{Label, RepoName, RunnerName, SelectedRunnerName, TeamSlug};
use crate::domain::scope::Scope;
use crate::http::operation_parameters::MOST_LABELS;
use crate::http::parameters::MOST_ITEMS;

/// A parameter of an operation.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) need: Need,
    pub(super) kind: Kind,
    pub(super) about: &'static str,
    /// As in a query.
    pub(super) example: &'static str,
}

/// Whether a parameter has to be given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Always,
    /// It, or another one like it.
    OneOf,
    Never,
}

/// What a parameter can be.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// One of a kind of text.
    One(Item),
    /// A list: `a,b,c` where there is only text, and also an array in JSON.
    List {
        /// Of what.
        item: Item,
        /// At most so many.
        most: usize,
        /// Whether a JSON array may be empty.
        none_too: bool,
    },
    /// `true` or `false`.
    Flag,
}

/// The kinds of text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Team,
    /// A team, or `*` for all of them.
    AnyTeam,
    Repository,
    Runner,
    /// One that only selects.
    SelectedRunner,
    RunnerId,
    Label,
    Folder,
    Status,
    Scope,
}

impl Item {
    const ALL: [Self; 10] = [
        Self::Team,
        Self::AnyTeam,
        Self::Repository,
        Self::Runner,
        Self::SelectedRunner,
        Self::RunnerId,
        Self::Label,
        Self::Folder,
        Self::Status,
        Self::Scope,
    ];

    /// What its schema is called.
    fn name(self) -> &'static str {
        match self {
            Self::Team => "TeamSlug",
            Self::AnyTeam => "TeamSlugOrAll",
            Self::Repository => "RepositoryName",
            Self::Runner => "RunnerName",
            Self::SelectedRunner => "SelectedRunnerName",
            Self::RunnerId => "RunnerId",
            Self::Label => "Label",
            Self::Folder => "WorkFolder",
            Self::Status => "StatusFilter",
            Self::Scope => "Scope",
        }
    }

    /// What it has to look like: taken from the types that check it.
    fn schema(self) -> Value {
        let text = |pattern: String, expected: &str| json!({ "type": "string", "pattern": format!("^{pattern}$"), "description": expected });
        match self {
            Self::Team => text(TeamSlug::pattern(), TeamSlug::EXPECTED),
            Self::AnyTeam => text(
                format!(r"(?:\*|{})", TeamSlug::pattern()),
                &format!("{}, or for administrators * for all teams", TeamSlug::EXPECTED),
            ),
            Self::Repository => text(
                RepoName::pattern_in(),
                &format!("{}; also with the configured organisation and / before it", RepoName::EXPECTED),
            ),
            Self::Runner => text(RunnerName::pattern(), RunnerName::EXPECTED),
            Self::SelectedRunner => text(SelectedRunnerName::pattern(), SelectedRunnerName::EXPECTED),
            Self::Label => text(Label::pattern(), Label::EXPECTED),
            Self::Folder => text(WorkFolder::pattern(), WorkFolder::EXPECTED),
            Self::Scope => text(Scope::pattern(), Scope::EXPECTED),
            Self::RunnerId => json!({
                "type": "integer", "format": "int64", "minimum": 0, "maximum": u64::MAX,
                "description": "a runner's id: a whole number",
            }),
            Self::Status => json!({
                "type": "string", "enum": ["online", "offline", "busy", "idle"],
                "description": "online, offline (not online), busy (a job runs on it) or idle (online and not busy)",
            }),
        }
    }

    fn reference(self) -> Value {
        json!({ "$ref": format!("#/components/schemas/{}", self.name()) })
    }

    /// In JSON an id may be text, too.
    fn in_json(self) -> Value {
        match self {
            Self::RunnerId => {
                json!({ "anyOf": [self.reference(), { "type": "string", "pattern": "^[0-9]{1,20}$" }] })
            }
            _ => self.reference(),
        }
    }
}

/// The schemas of all kinds of text, by name.
pub(super) fn schemas() -> impl Iterator<Item = (String, Value)> {
    Item::ALL.into_iter().map(|item| (item.name().to_owned(), item.schema()))
}

/// A list in a query as long as lists may be.
pub(super) const fn list_of(item: Item) -> Kind {
    Kind::List { item, most: MOST_ITEMS, none_too: false }
}

/// The labels of one runner.
pub(super) const LABELS: Kind = Kind::List { item: Item::Label, most: MOST_LABELS, none_too: false };

impl Kind {
    /// In a query or a form, where there is only text.
    fn in_text(self) -> Value {
        match self {
            Self::One(item) => item.reference(),
            Self::List { item, most, .. } => {
                json!({ "type": "array", "items": item.reference(), "minItems": 1, "maxItems": most })
            }
            Self::Flag => json!({ "type": "boolean" }),
        }
    }

    /// In a JSON object, where null is the same as not given.
    fn in_json(self) -> Value {
        let mut forms = match self {
            Self::One(item) => vec![item.in_json()],
            Self::List { item, most, none_too } => {
                let least = usize::from(!none_too);
                let list =
                    json!({ "type": "array", "items": item.in_json(), "minItems": least, "maxItems": most });
                let text = json!({ "type": "string", "minLength": 1, "description": "a,b,c" });
                if item == Item::RunnerId { vec![list, item.reference(), text] } else { vec![list, text] }
            }
            Self::Flag => vec![json!({ "type": "boolean" }), json!({ "enum": ["true", "false"] })],
        };
        forms.push(json!({ "type": "null" }));
        json!({ "anyOf": forms })
    }

    fn is_list(self) -> bool {
        matches!(self, Self::List { .. })
    }
}

/// The parameters in the query. With a body, one that is needed may be there instead.
pub(super) fn in_query(parameters: &[Parameter], with_body: bool) -> Vec<Value> {
    let described = parameters.iter().map(|parameter| {
        let need = match parameter.need {
            Need::Always => "always",
            Need::OneOf => "one of",
            Need::Never => "never",
        };
        let mut described = json!({
            "name": parameter.name,
            "in": "query",
            "description": parameter.about,
            "required": parameter.need == Need::Always && !with_body,
            "schema": parameter.kind.in_text(),
            "example": example_in_json(parameter),
            "x-needed": need,
        });
        if parameter.kind.is_list() {
            described["style"] = json!("form");
            described["explode"] = json!(false);
        }
        described
    });
    described.collect()
}

/// The same parameters in a body, which need not be there.
pub(super) fn in_body(parameters: &[Parameter]) -> Value {
    let properties = |schema: fn(Kind) -> Value| {
        let described = parameters.iter().map(|parameter| {
            let mut schema = schema(parameter.kind);
            schema["description"] = json!(parameter.about);
            (parameter.name.to_owned(), schema)
        });
        let properties: Map<_, _> = described.collect();
        json!({ "type": "object", "properties": properties, "additionalProperties": false })
    };
    let lists = parameters.iter().filter(|parameter| parameter.kind.is_list());
    let encoding: Map<_, _> = lists
        .map(|parameter| (parameter.name.to_owned(), json!({ "style": "form", "explode": false })))
        .collect();
    let one_of = parameters.iter().find(|parameter| parameter.need == Need::OneOf);
    let shown = parameters.iter().filter(|parameter| parameter.need == Need::Always).chain(one_of);
    let example: Map<_, _> =
        shown.map(|parameter| (parameter.name.to_owned(), example_in_json(parameter))).collect();
    let form = json!({ "schema": properties(Kind::in_text), "encoding": encoding, "example": example });
    json!({
        "description": "Parameters that are not in the query; one that is needed has to be in either. A name in both is a \
                        conflict. At most 256 KiB.",
        "required": false,
        "content": {
            "application/json": { "schema": properties(Kind::in_json), "example": example },
            "application/x-www-form-urlencoded": form,
        },
    })
}

fn example_in_json(parameter: &Parameter) -> Value {
    let one = |item, text: &str| match item {
        Item::RunnerId => json!(text.parse::<u64>().unwrap_or_default()),
        _ => json!(text),
    };
    match parameter.kind {
        Kind::One(item) => one(item, parameter.example),
        Kind::List { item, .. } => parameter.example.split(',').map(|text| one(item, text)).collect(),
        Kind::Flag => json!(parameter.example == "true"),
    }
}
