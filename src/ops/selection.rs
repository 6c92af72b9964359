//! Which runners of a group are selected, and why some of them are left alone.

use std::borrow::Borrow;
use std::collections::HashSet;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use super::Error;
use super::error::REASONS_OF_GITHUB;
use crate::domain::ids::RunnerId;
use crate::domain::names::{Label, SelectedRunnerName};
use crate::domain::reason::Reason;
use crate::domain::reference::RunnerReference;
use crate::domain::words::words;
use crate::github::Runner;

/// Which runners of a group are selected. A runner has to fit everything that is given.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Runners with one of these ids, or one of `names`.
    pub ids: Vec<RunnerId>,
    /// Runners that one of these names, or one of `ids`.
    pub names: Vec<RunnerReference>,
    /// Runners with all of these labels.
    pub labels: Vec<Label>,
    /// Runners that are offline.
    pub offline: bool,
}

/// Which runners are listed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this state.
    pub status: Option<StatusFilter>,
    /// With this label.
    pub label: Option<Label>,
    /// With this name or id.
    pub name: Option<RunnerReference>,
}

words! {
    /// The states that a list can be limited to.
    pub enum StatusFilter {
        /// Connected.
        Online = "online",
        /// Not connected.
        Offline = "offline",
        /// A job runs on it.
        Busy = "busy",
        /// Connected, and no job runs on it.
        Idle = "idle",
    }
}

/// A runner that was selected and left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SkippedRunner)]
pub struct Skipped {
    /// Missing if it was named by its name and is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = u64)]
    id: Option<RunnerId>,
    /// Missing if it was named by its id and is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    name: Option<String>,
    #[schema(schema_with = reasons_to_skip)]
    reason: SkipReason,
}

/// Why a runner was left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// A job runs on it.
    Busy,
    /// It was named, but doesn't fit the rest of the selection.
    NotMatching,
    /// It isn't in the group, or went away meanwhile.
    RunnerNotFound,
    /// GitHub failed.
    Failed(Reason),
}

impl SkipReason {
    fn all() -> impl Iterator<Item = Self> {
        let failures = REASONS_OF_GITHUB.into_iter().map(Self::Failed);
        [Self::Busy, Self::NotMatching, Self::RunnerNotFound].into_iter().chain(failures)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::NotMatching => "not_matching",
            Self::RunnerNotFound => "runner_not_found",
            Self::Failed(reason) => reason.as_str(),
        }
    }
}

impl Serialize for SkipReason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

fn reasons_to_skip() -> Object {
    let all = SkipReason::all().map(SkipReason::as_str);
    let about = "busy: a job runs on it; not_matching: it was named, but doesn't fit the rest; runner_not_found: it isn't \
                 in the group, or went away meanwhile; else why GitHub failed";
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(all)).description(Some(about)).build()
}

impl Skipped {
    pub(super) fn new(runner: &Runner, reason: SkipReason) -> Self {
        Self { id: Some(runner.id), name: Some(runner.name.clone()), reason }
    }
}

impl StatusFilter {
    /// Whether the runner is in this state.
    pub(super) fn fits(self, runner: &Runner) -> bool {
        match self {
            Self::Online => runner.is_online(),
            Self::Offline => !runner.is_online(),
            Self::Busy => runner.busy,
            Self::Idle => runner.is_online() && !runner.busy,
        }
    }
}

impl Filter {
    /// Tells it from other filters.
    pub(super) fn key(&self) -> String {
        format!("{self:?}")
    }

    pub(super) fn fits(&self, runner: &Runner) -> bool {
        let status = self.status.is_none_or(|status| status.fits(runner));
        let label = self.label.as_ref().is_none_or(|label| runner.has_label(label));
        let name = self.name.as_ref().is_none_or(|name| name.is(&runner.name, runner.id));
        status && label && name
    }
}

impl Selection {
    /// How many of the lists of runners are given.
    pub fn lists(&self) -> usize {
        [self.ids.is_empty(), self.names.is_empty(), self.labels.is_empty()]
            .into_iter()
            .filter(|is_empty| !is_empty)
            .count()
    }

    /// The ids that are given, wherever.
    fn all_ids(&self) -> impl Iterator<Item = RunnerId> {
        let among_names = self.names.iter().filter_map(|named| match named {
            RunnerReference::Id(id) => Some(*id),
            RunnerReference::Name(_) => None,
        });
        self.ids.iter().copied().chain(among_names)
    }

    fn all_names(&self) -> impl Iterator<Item = &SelectedRunnerName> {
        self.names.iter().filter_map(|named| match named {
            RunnerReference::Name(name) => Some(name),
            RunnerReference::Id(_) => None,
        })
    }

    /// Whether a runner fits, if it is one that was named where some were.
    pub(super) fn fits(&self, runner: &Runner) -> bool {
        self.labels.iter().all(|label| runner.has_label(label)) && !(self.offline && runner.is_online())
    }

    /// What to do with each runner that is selected: those to touch, and those to leave alone. An error when
    /// runners were named and none of them is in the group.
    pub(super) fn choose<R: Borrow<Runner>>(&self, runners: Vec<R>) -> Result<(Vec<R>, Vec<Skipped>), Error> {
        // Sets, since a thousand names may meet ten thousand runners.
        let ids: HashSet<RunnerId> = self.all_ids().collect();
        let names: HashSet<String> =
            self.all_names().map(|name| SelectedRunnerName::folded(name.as_str())).collect();
        let some_are_named = !ids.is_empty() || !names.is_empty();
        let (mut ids_left, mut names_left) = (ids.clone(), names.clone());
        let (mut chosen, mut skipped) = (Vec::new(), Vec::new());
        for listed in runners {
            let runner: &Runner = listed.borrow();
            let name = SelectedRunnerName::folded(&runner.name);
            let is_named = ids.contains(&runner.id) || names.contains(&name);
            ids_left.remove(&runner.id);
            names_left.remove(&name);
            if some_are_named && !is_named {
                continue;
            }
            if !self.fits(runner) {
                if is_named {
                    skipped.push(Skipped::new(runner, SkipReason::NotMatching));
                }
            } else if runner.busy {
                skipped.push(Skipped::new(runner, SkipReason::Busy));
            } else {
                chosen.push(listed);
            }
        }
        if some_are_named && ids_left.len() + names_left.len() == ids.len() + names.len() {
            let ids = self.ids.iter().map(ToString::to_string);
            return Err(Error::RunnerNotFound(
                ids.chain(self.names.iter().map(RunnerReference::to_string)).collect(),
            ));
        }
        let reason = SkipReason::RunnerNotFound;
        let ids = self.all_ids().filter(|id| ids_left.remove(id));
        skipped.extend(ids.map(|id| Skipped { id: Some(id), name: None, reason }));
        let names =
            self.all_names().filter(|name| names_left.remove(&SelectedRunnerName::folded(name.as_str())));
        skipped.extend(names.map(|name| Skipped { id: None, name: Some(name.to_string()), reason }));
        Ok((chosen, skipped))
    }
}
