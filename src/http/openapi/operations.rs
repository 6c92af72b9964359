//! What each operation is for, takes, and answers.

use serde_json::{Value, json};
use utoipa::ToSchema;

use super::parameters::{Item, Kind, LABELS, Need, Parameter, list_of};
use crate::http::parameters::MOST_ITEMS;
use crate::http::runners::{JitAnswer, ListAnswer, RemoveAnswer, TransferAnswer};
use crate::http::tokens::TokenAnswer;
use crate::http::{Operation, SERVER_READY, groups, repos};
use crate::ops::groups::GroupContents;

/// An operation, as the document describes it.
pub(super) struct Described {
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) about: &'static str,
    pub(super) parameters: Vec<Parameter>,
    /// Beside those that every operation has.
    pub(super) reasons: &'static [&'static str],
    /// The schema of what it answers, within the envelope if it has one.
    pub(super) answer: Value,
    /// An example of it.
    pub(super) example: Value,
}

/// The tags, and what is under them.
pub(super) const TAGS: [(&str, &str); 5] = [
    ("Groups", "The runner group of a team."),
    ("Repositories", "The repositories that may use the group."),
    ("Runners", "The self-hosted runners in the group."),
    ("Tokens", "Tokens with which runners are registered and removed."),
    ("Service", "The service itself."),
];

/// Refusals of operations that need the team's group to be there.
const OF_A_GROUP: [&str; 2] = ["group_protected", "group_not_found"];
const OF_REPOS: &[&str] = &[OF_A_GROUP[0], OF_A_GROUP[1], "repo_not_found"];
const OF_NAMED_RUNNERS: &[&str] = &[OF_A_GROUP[0], OF_A_GROUP[1], "runner_not_found"];

/// All there is to say about an operation.
pub(super) fn described(operation: Operation) -> Described {
    match operation {
        Operation::GroupAdd => group_add(),
        Operation::GroupDelete => group_delete(),
        Operation::GroupList => group_list(),
        Operation::ReposAdd => repos_add(),
        Operation::ReposRemove => repos_remove(),
        Operation::ReposSet => repos_set(),
        Operation::TokenRegister => token("Get a registration token", REGISTERS),
        Operation::TokenRemove => token("Get a removal token", REMOVES),
        Operation::ProxyRegister => proxy("Get a registration token of a scope"),
        Operation::ProxyRemove => proxy("Get a removal token of a scope"),
        Operation::JitconfigGenerate => jitconfig_generate(),
        Operation::RunnersList => runners_list(),
        Operation::RunnersRemove => runners_remove(),
        Operation::RunnersTransfer => runners_transfer(),
        Operation::Status => status(),
    }
}

fn a(name: &'static str, need: Need, kind: Kind, about: &'static str, example: &'static str) -> Parameter {
    Parameter { name, need, kind, about, example }
}

fn team() -> Parameter {
    a("team", Need::Always, Kind::One(Item::Team), "The team whose group it is about", "payments")
}

/// On operations that administrators may use for every team.
fn any_team() -> Parameter {
    let about = "The team whose group it is about; for administrators also * for all managed groups";
    a("team", Need::Always, Kind::One(Item::AnyTeam), about, "payments")
}

fn labels(about: &'static str, need: Need) -> Parameter {
    a("labels", need, list_of(Item::Label), about, "linux,gpu")
}

fn answer<T: ToSchema>() -> Value {
    json!({ "$ref": format!("#/components/schemas/{}", T::name()) })
}

/// A sentence that begins like this and ends with the group's name.
fn about_a_group(begins: &str) -> (Value, Value) {
    (json!({ "type": "string", "pattern": format!("^{begins}.+") }), json!(format!("{begins}payments")))
}

fn sentence(text: &str) -> (Value, Value) {
    (json!({ "type": "string", "const": text }), json!(text))
}

fn group_add() -> Described {
    let (answer, example) = about_a_group(groups::CREATED);
    Described {
        tag: "Groups",
        summary: "Create the team's group",
        about: "For selected repositories, not for public ones. Its name is made of the team's slug as GitHub has it.",
        parameters: vec![team()],
        reasons: &["group_protected", "group_exists"],
        answer,
        example,
    }
}

fn group_delete() -> Described {
    let (answer, example) = about_a_group(groups::DELETED);
    Described {
        tag: "Groups",
        summary: "Delete the team's group",
        about: "Only if it holds no runners: GitHub might move them to Default, where any repository could reach them. \
                With `transfer_to` its self-hosted runners are moved to another team's group before, with \
                `remove_runners` they are removed; not both. Never while a job runs on one of them. Repeating the \
                request after a failure finishes the job.",
        parameters: vec![
            team(),
            a(
                "transfer_to",
                Need::Never,
                Kind::One(Item::Team),
                "Another team of the caller's, whose group gets the runners",
                "billing",
            ),
            a("remove_runners", Need::Never, Kind::Flag, "Remove the runners from the organisation", "false"),
        ],
        reasons: &[OF_A_GROUP[0], OF_A_GROUP[1], "group_not_empty"],
        answer,
        example,
    }
}

fn group_list() -> Described {
    Described {
        tag: "Groups",
        summary: "List what is in the team's group",
        about: "The names of the repositories that may use it, and of the self-hosted runners in it.",
        parameters: vec![any_team()],
        reasons: &OF_A_GROUP,
        answer: answer::<GroupContents>(),
        example: json!({ "repos": ["shop", "billing"], "runners": ["payments-1"] }),
    }
}

const REPOS: &str = "Repositories that the team has access to: name, or org/name with the configured organisation. The \
                     same one twice counts once";

fn some_repos() -> Parameter {
    a("repos", Need::Always, list_of(Item::Repository), REPOS, "shop,billing")
}

fn repos_add() -> Described {
    let (answer, example) = sentence(repos::ADDED);
    Described {
        tag: "Repositories",
        summary: "Let more repositories use the group",
        about: "One that may already stays as it is. Each repository is a write of its own: when some fail, the answer \
                has the status and reason of the first failure, and names in `Done` and `Failed`. Repeating the request \
                is safe and finishes the job.",
        parameters: vec![team(), some_repos()],
        reasons: OF_REPOS,
        answer,
        example,
    }
}

fn repos_remove() -> Described {
    let (answer, example) = sentence(repos::REMOVED);
    Described {
        tag: "Repositories",
        summary: "Let repositories no longer use the group",
        about: "A repository that the team has lost its access to can be removed as long as it is in the group; one \
                that isn't in the group but is the team's counts as done. Failures of some are told as by `repos-add`.",
        parameters: vec![team(), some_repos()],
        reasons: OF_REPOS,
        answer,
        example,
    }
}

fn repos_set() -> Described {
    let (answer, example) = sentence(repos::ADDED);
    let any = Kind::List { item: Item::Repository, most: MOST_ITEMS, none_too: true };
    Described {
        tag: "Repositories",
        summary: "Let exactly these repositories use the group",
        about: "In one write: all or nothing, and safe to repeat. An empty JSON list empties the group; an empty text is \
                refused, since it is more likely a mistake.",
        parameters: vec![team(), a("repos", Need::Always, any, REPOS, "shop,billing")],
        reasons: OF_REPOS,
        answer,
        example,
    }
}

fn a_token() -> Value {
    json!({ "token": "AABBCC", "expires_at": "2026-11-21T13:00:00Z" })
}

const REGISTERS: &str = "A token with which config.sh registers runners, for an hour. The group need not exist. Without \
                         `repo` it is good for the whole organisation: keep it out of logs, and prefer \
                         `jitconfig-generate`. With `repo` it reaches that repository alone; the team has to have admin \
                         permission on it, and `scopes` have to allow it.";
const REMOVES: &str = "A token with which config.sh removes runners, for an hour. The group need not exist. Without `repo` \
                       it is good for the whole organisation: keep it out of logs, and prefer `runners-remove`. With \
                       `repo` it reaches that repository alone; the team has to have admin permission on it, and \
                       `scopes` have to allow it.";

fn token(summary: &'static str, about: &'static str) -> Described {
    Described {
        tag: "Tokens",
        summary,
        about,
        parameters: vec![
            team(),
            a(
                "repo",
                Need::Never,
                Kind::One(Item::Repository),
                "A repository that the team administers; without it, the whole organisation",
                "shop",
            ),
        ],
        reasons: &["repo_not_found"],
        answer: answer::<TokenAnswer>(),
        example: a_token(),
    }
}

fn proxy(summary: &'static str) -> Described {
    Described {
        tag: "Tokens",
        summary,
        about: "As of the stand-alone token proxy: a success has no envelope, a failure has. An organisation's scope \
                takes an owner of it; a repository's somebody with admin permission on it, or, with `team`, a maintainer \
                of a team that has. The administrator has to allow the scope, which nothing is by default.",
        parameters: vec![
            a(
                "scope",
                Need::Always,
                Kind::One(Item::Scope),
                "The configured organisation, or one of its repositories",
                "my-org/shop",
            ),
            a(
                "team",
                Need::Never,
                Kind::One(Item::Team),
                "A team of the caller's that administers the repository",
                "payments",
            ),
        ],
        reasons: &["repo_not_found"],
        answer: answer::<TokenAnswer>(),
        example: a_token(),
    }
}

fn a_runner() -> Value {
    json!({
        "id": 42, "name": "payments-1", "os": "linux", "status": "offline", "busy": false, "ephemeral": false,
        "labels": ["self-hosted", "linux", "x64"],
    })
}

fn jitconfig_generate() -> Described {
    let mut runner = a_runner();
    runner["os"] = json!("unknown");
    runner["ephemeral"] = json!(true);
    Described {
        tag: "Runners",
        summary: "Register a runner for one job",
        about: "In the team's group and no other. The answer has the secret that it starts with: `./run.sh --jitconfig`. \
                After `github_timeout` and `github_error` what GitHub may have registered is removed.",
        parameters: vec![
            team(),
            a(
                "labels",
                Need::Always,
                LABELS,
                "The runner's labels; GitHub adds none of its own. The administrator may allow fewer",
                "self-hosted,linux,x64",
            ),
            a(
                "name",
                Need::Never,
                Kind::One(Item::Runner),
                "The runner's name, with the prefix that the administrator set, usually the team and a hyphen; one is \
                 made when left out",
                "payments-1",
            ),
            a(
                "work_folder",
                Need::Never,
                Kind::One(Item::Folder),
                "Where the job's files go; _work when left out",
                "_work",
            ),
        ],
        reasons: &[OF_A_GROUP[0], OF_A_GROUP[1], "runner_exists"],
        answer: answer::<JitAnswer>(),
        example: json!({ "runner": runner, "encoded_jit_config": "eyIucnVubmVyIjoi" }),
    }
}

fn runners_list() -> Described {
    let name = "Only the runner of this name, in any letter case";
    Described {
        tag: "Runners",
        summary: "List the runners in the team's group",
        about: "What is given of `status`, `label` and `name` has to fit together.",
        parameters: vec![
            any_team(),
            a("status", Need::Never, Kind::One(Item::Status), "Only runners in this state", "offline"),
            a("label", Need::Never, Kind::One(Item::Label), "Only runners with this label", "linux"),
            a("name", Need::Never, Kind::One(Item::SelectedRunner), name, "payments-1"),
        ],
        reasons: &OF_A_GROUP,
        answer: answer::<ListAnswer>(),
        example: json!({ "runners": [a_runner()] }),
    }
}

fn ids_and_names() -> [Parameter; 2] {
    [
        a(
            "ids",
            Need::OneOf,
            list_of(Item::RunnerId),
            "Runners with one of these ids, or one of names",
            "42,43",
        ),
        a(
            "names",
            Need::OneOf,
            list_of(Item::SelectedRunner),
            "Runners with one of these names, or one of ids",
            "payments-1,payments-2",
        ),
    ]
}

fn runners_remove() -> Described {
    let [ids, names] = ids_and_names();
    Described {
        tag: "Runners",
        summary: "Remove runners of the team's group from the organisation",
        about: "Those that fit everything that is given, at least one of `ids`, `names`, `labels` and `offline`. One on \
                which a job runs is skipped. Nothing but what the group's own list holds is ever touched.",
        parameters: vec![
            any_team(),
            ids,
            names,
            labels("Runners with all of these labels", Need::OneOf),
            a("offline", Need::OneOf, Kind::Flag, "Only runners that are not connected", "true"),
            a("dry_run", Need::Never, Kind::Flag, "Only say which it would be", "true"),
        ],
        reasons: OF_NAMED_RUNNERS,
        answer: answer::<RemoveAnswer>(),
        example: json!({
            "removed": [{ "id": 42, "name": "payments-1" }],
            "skipped": [{ "id": 43, "name": "payments-2", "reason": "busy" }],
        }),
    }
}

fn runners_transfer() -> Described {
    let [ids, names] = ids_and_names();
    let to = "Another team of the caller's, whose group gets the runners";
    Described {
        tag: "Runners",
        summary: "Move runners into another team's group",
        about: "The caller has to maintain both teams. One of `ids`, `names`, `labels` and `all` says which; one on which \
                a job runs is skipped.",
        parameters: vec![
            team(),
            a("to", Need::Always, Kind::One(Item::Team), to, "billing"),
            ids,
            names,
            labels("Runners with all of these labels", Need::OneOf),
            a("all", Need::OneOf, Kind::Flag, "All of them", "true"),
        ],
        reasons: OF_NAMED_RUNNERS,
        answer: answer::<TransferAnswer>(),
        example: json!({ "transferred": [{ "id": 42, "name": "payments-1" }], "skipped": [] }),
    }
}

fn status() -> Described {
    let (answer, example) = sentence(SERVER_READY);
    Described {
        tag: "Service",
        summary: "Ask whether the service answers and knows the token",
        about: "No team is involved.",
        parameters: Vec::new(),
        reasons: &[],
        answer,
        example,
    }
}
