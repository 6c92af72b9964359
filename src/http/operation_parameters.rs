//! What each operation takes beside `team`.

use std::collections::HashSet;

use super::error::ApiError;
use super::parameters::{Parameters, invalid, malformed};
use crate::domain::ids::RunnerId;
use crate::domain::jit::WorkFolder;
use crate::domain::names::{Label, NameError, OrgName, RepoName, RunnerName, SelectedRunnerName, TeamSlug};
use crate::ops::jit::Wanted;
use crate::ops::runners::{Filter, Selection, StatusFilter};

/// GitHub's bound on the labels of one runner.
pub(super) const MOST_LABELS: usize = 100;

/// The parameters of an operation beside `team`.
pub(super) trait OperationParameters: Sized + 'static {
    /// Takes what belongs to the operation.
    fn take(parameters: &mut Parameters, org: &OrgName) -> Result<Self, ApiError>;
}

/// No parameters beside `team`.
pub(super) struct TeamOnly;

impl OperationParameters for TeamOnly {
    fn take(_: &mut Parameters, _: &OrgName) -> Result<Self, ApiError> {
        Ok(Self)
    }
}

/// A repository, or none for the whole organisation.
pub(super) struct MaybeRepo(pub(super) Option<RepoName>);

impl OperationParameters for MaybeRepo {
    fn take(parameters: &mut Parameters, org: &OrgName) -> Result<Self, ApiError> {
        Ok(Self(optional_name(parameters, "repo", |name| RepoName::parse_in(name, org))?))
    }
}

/// At least one repository.
pub(super) struct SomeRepos(pub(super) Vec<RepoName>);

impl OperationParameters for SomeRepos {
    fn take(parameters: &mut Parameters, org: &OrgName) -> Result<Self, ApiError> {
        let AnyRepos(repos) = AnyRepos::take(parameters, org)?;
        if repos.is_empty() {
            Err(invalid("repos", "expected at least one repository"))
        } else {
            Ok(Self(repos))
        }
    }
}

/// Repositories, none of them twice; a JSON `[]` is none.
pub(super) struct AnyRepos(pub(super) Vec<RepoName>);

impl OperationParameters for AnyRepos {
    fn take(parameters: &mut Parameters, org: &OrgName) -> Result<Self, ApiError> {
        let repos =
            parse_each("repos", parameters.required_list("repos")?, |item| RepoName::parse_in(item, org))?;
        Ok(Self(without_duplicates(repos, |name| name.as_str().to_ascii_lowercase())))
    }
}

/// What `group-delete` does with runners.
pub(super) struct GroupDelete {
    pub(super) transfer_to: Option<TeamSlug>,
    pub(super) remove_runners: bool,
}

impl OperationParameters for GroupDelete {
    fn take(parameters: &mut Parameters, _: &OrgName) -> Result<Self, ApiError> {
        let transfer_to = optional_name(parameters, "transfer_to", TeamSlug::parse)?;
        let remove_runners = parameters.optional_flag("remove_runners")?;
        if transfer_to.is_some() && remove_runners {
            return Err(exclude_each_other("transfer_to and remove_runners"));
        }
        Ok(Self { transfer_to, remove_runners })
    }
}

/// What a JIT config is wanted for.
pub(super) struct JitConfig(pub(super) Wanted);

impl OperationParameters for JitConfig {
    fn take(parameters: &mut Parameters, _: &OrgName) -> Result<Self, ApiError> {
        let labels = parse_each("labels", parameters.required_list("labels")?, Label::parse)?;
        let labels = without_duplicates(labels, Label::to_string);
        if labels.is_empty() || labels.len() > MOST_LABELS {
            return Err(invalid("labels", &format!("expected 1 to {MOST_LABELS} labels")));
        }
        let name = optional_name(parameters, "name", RunnerName::parse)?;
        let work_folder = optional_name(parameters, "work_folder", WorkFolder::parse)?.unwrap_or_default();
        Ok(Self(Wanted { labels, name, work_folder }))
    }
}

impl OperationParameters for Filter {
    fn take(parameters: &mut Parameters, _: &OrgName) -> Result<Self, ApiError> {
        let status = match parameters.optional_text("status")?.as_deref() {
            None => None,
            Some("online") => Some(StatusFilter::Online),
            Some("offline") => Some(StatusFilter::Offline),
            Some("busy") => Some(StatusFilter::Busy),
            Some("idle") => Some(StatusFilter::Idle),
            Some(_) => return Err(invalid("status", "expected online, offline, busy or idle")),
        };
        let label = optional_name(parameters, "label", Label::parse)?;
        let name = optional_name(parameters, "name", SelectedRunnerName::parse)?;
        Ok(Self { status, label, name })
    }
}

/// Which runners are removed.
pub(super) struct RunnersRemove {
    pub(super) selection: Selection,
    pub(super) dry_run: bool,
}

impl OperationParameters for RunnersRemove {
    fn take(parameters: &mut Parameters, _: &OrgName) -> Result<Self, ApiError> {
        let selection = Selection { offline: parameters.optional_flag("offline")?, ..named(parameters)? };
        let dry_run = parameters.optional_flag("dry_run")?;
        if selection_kinds(&selection) == 0 && !selection.offline {
            return Err(ApiError::MissingParameter("ids, names, labels or offline"));
        }
        Ok(Self { selection, dry_run })
    }
}

/// Which runners are moved, and where to.
pub(super) struct RunnersTransfer {
    pub(super) to: TeamSlug,
    pub(super) selection: Selection,
}

impl OperationParameters for RunnersTransfer {
    fn take(parameters: &mut Parameters, _: &OrgName) -> Result<Self, ApiError> {
        let to = parameters.required_text("to")?;
        let to = TeamSlug::parse(&to).map_err(|error| malformed("to", &to, &error.to_string()))?;
        let selection = named(parameters)?;
        let all = parameters.optional_flag("all")?;
        match selection_kinds(&selection) + usize::from(all) {
            0 => Err(ApiError::MissingParameter("ids, names, labels or all")),
            1 => Ok(Self { to, selection }),
            _ => Err(exclude_each_other("ids, names, labels and all")),
        }
    }
}

fn selection_kinds(selection: &Selection) -> usize {
    [selection.ids.is_empty(), selection.names.is_empty(), selection.labels.is_empty()]
        .iter()
        .filter(|empty| !**empty)
        .count()
}

/// The part of a selection that removing and moving have in common. A list that is given is not empty.
fn named(parameters: &mut Parameters) -> Result<Selection, ApiError> {
    let ids = parameters.optional_ids("ids")?.unwrap_or_default();
    let names = parameters.optional_list("names")?.unwrap_or_default();
    let labels = parameters.optional_list("labels")?.unwrap_or_default();
    Ok(Selection {
        ids: parse_each("ids", ids, |item| runner_id(item).ok_or("expected a runner's id: a whole number"))?,
        names: parse_each("names", names, SelectedRunnerName::parse)?,
        labels: parse_each("labels", labels, Label::parse)?,
        offline: false,
    })
}

/// Digits alone: `parse` would take a sign, too.
fn runner_id(item: &str) -> Option<RunnerId> {
    item.bytes().all(|byte| byte.is_ascii_digit()).then(|| item.parse().ok()).flatten()
}

fn exclude_each_other(names: &'static str) -> ApiError {
    ApiError::ConflictingParameter(format!("The parameters {names} exclude each other"))
}

fn optional_name<T>(
    parameters: &mut Parameters,
    name: &'static str,
    parse: impl Fn(&str) -> Result<T, NameError>,
) -> Result<Option<T>, ApiError> {
    let text = parameters.optional_text(name)?;
    text.map(|text| parse(&text).map_err(|error| malformed(name, &text, &error.to_string()))).transpose()
}

fn parse_each<T, E: std::fmt::Display>(
    name: &'static str,
    items: Vec<String>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, ApiError> {
    let parse = |(index, item): (usize, String)| {
        let number = index + 1;
        parse(&item).map_err(|error| {
            if item.is_empty() {
                invalid(name, &format!("item {number} is empty"))
            } else {
                malformed(name, &item, &format!("item {number} is not what it should be: {error}"))
            }
        })
    };
    items.into_iter().enumerate().map(parse).collect()
}

fn without_duplicates<T>(items: Vec<T>, key: impl Fn(&T) -> String) -> Vec<T> {
    let mut seen = HashSet::new();
    items.into_iter().filter(|item| seen.insert(key(item))).collect()
}
