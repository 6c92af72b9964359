//! The runners of a team's group: listed, removed, moved to another team's group. Only runners that the group's
//! own list holds at the time of the call are ever touched, and none on which a job runs.

use std::collections::HashSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use super::error::{REASONS_OF_GITHUB, missing_group, reason_of};
use super::{Error, Work};
use crate::access::{Authority, ManagedGroup, Reach};
use crate::domain::ids::RunnerId;
use crate::domain::names::{Label, SelectedRunnerName};
use crate::domain::reason::Reason;
use crate::domain::words::words;
use crate::github::{self, Class, Runner};

/// Writes of one request under way at once.
pub(super) const WRITES_AT_ONCE: usize = 4;
/// Groups whose runners are read side by side.
pub(super) const GROUPS_AT_ONCE: usize = 4;

/// Which runners of a group are meant. A runner has to fit everything that is given.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Runners with one of these ids, or one of `names`.
    pub ids: Vec<RunnerId>,
    /// Runners with one of these names, or one of `ids`.
    pub names: Vec<SelectedRunnerName>,
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
    /// With this name.
    pub name: Option<SelectedRunnerName>,
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

/// A runner as callers see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Runner)]
pub struct RunnerView {
    /// GitHub's id.
    #[schema(value_type = u64)]
    id: RunnerId,
    name: String,
    /// As GitHub says it; unknown until the runner connected once.
    os: String,
    /// As GitHub says it: online or offline.
    status: String,
    /// Whether a job runs on it.
    busy: bool,
    /// Whether it takes one job only.
    ephemeral: bool,
    labels: Vec<String>,
    /// Only where runners of several groups stand together.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    group: Option<String>,
}

/// A runner that something was done to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TouchedRunner)]
pub struct Touched {
    #[schema(value_type = u64)]
    id: RunnerId,
    name: String,
}

/// A runner that was meant and left alone.
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

/// What became of each runner that was meant.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Done.
    pub done: Vec<Touched>,
    /// Left alone, and why.
    pub skipped: Vec<Skipped>,
}

impl RunnerView {
    pub(super) fn of(runner: &Runner, group: Option<&ManagedGroup>) -> Self {
        Self {
            id: runner.id,
            name: runner.name.clone(),
            os: runner.os.clone(),
            status: runner.status.clone(),
            busy: runner.busy,
            ephemeral: runner.ephemeral,
            labels: runner.labels.iter().map(|label| label.name.clone()).collect(),
            group: group.map(|group| group.name().to_owned()),
        }
    }
}

impl Touched {
    /// The runner's id.
    pub fn id(&self) -> RunnerId {
        self.id
    }
}

impl Skipped {
    fn of(runner: &Runner, reason: SkipReason) -> Self {
        Self { id: Some(runner.id), name: Some(runner.name.clone()), reason }
    }
}

impl Filter {
    fn fits(&self, runner: &Runner) -> bool {
        let status = self.status.is_none_or(|status| match status {
            StatusFilter::Online => runner.is_online(),
            StatusFilter::Offline => !runner.is_online(),
            StatusFilter::Busy => runner.busy,
            StatusFilter::Idle => runner.is_online() && !runner.busy,
        });
        let label = self.label.as_ref().is_none_or(|label| runner.has_label(label));
        let name = self.name.as_ref().is_none_or(|name| name.is(&runner.name));
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

    fn fits(&self, runner: &Runner) -> bool {
        self.labels.iter().all(|label| runner.has_label(label)) && !(self.offline && runner.is_online())
    }

    /// What to do with each runner that is meant: those to touch, and those to leave alone. An error when
    /// runners were named and none of them is in the group.
    fn choose(&self, runners: Vec<Runner>) -> Result<(Vec<Runner>, Vec<Skipped>), Error> {
        // Sets, since a thousand names may meet ten thousand runners.
        let ids: HashSet<RunnerId> = self.ids.iter().copied().collect();
        let names: HashSet<String> =
            self.names.iter().map(|name| SelectedRunnerName::folded(name.as_str())).collect();
        let some_are_named = !ids.is_empty() || !names.is_empty();
        let (mut ids_left, mut names_left) = (ids.clone(), names.clone());
        let (mut chosen, mut skipped) = (Vec::new(), Vec::new());
        for runner in runners {
            let name = SelectedRunnerName::folded(&runner.name);
            let is_named = ids.contains(&runner.id) || names.contains(&name);
            ids_left.remove(&runner.id);
            names_left.remove(&name);
            if some_are_named && !is_named {
                continue;
            }
            if !self.fits(&runner) {
                if is_named {
                    skipped.push(Skipped::of(&runner, SkipReason::NotMatching));
                }
            } else if runner.busy {
                skipped.push(Skipped::of(&runner, SkipReason::Busy));
            } else {
                chosen.push(runner);
            }
        }
        if some_are_named && ids_left.len() + names_left.len() == ids.len() + names.len() {
            let ids = self.ids.iter().map(ToString::to_string);
            return Err(Error::RunnerNotFound(
                ids.chain(self.names.iter().map(SelectedRunnerName::to_string)).collect(),
            ));
        }
        let reason = SkipReason::RunnerNotFound;
        let ids = self.ids.iter().filter(|id| ids_left.remove(id));
        skipped.extend(ids.map(|id| Skipped { id: Some(*id), name: None, reason }));
        let names =
            self.names.iter().filter(|name| names_left.remove(&SelectedRunnerName::folded(name.as_str())));
        skipped.extend(names.map(|name| Skipped { id: None, name: Some(name.to_string()), reason }));
        Ok((chosen, skipped))
    }
}

/// The runners of the team's group, or of every managed one.
pub async fn list(work: &Work<Reach>, filter: &Filter) -> Result<Vec<RunnerView>, Error> {
    let everywhere = matches!(work.proof(), Reach::Everything(_));
    let groups = runners_within(work).await?;
    let views = groups.iter().flat_map(|(group, runners)| {
        let shown = everywhere.then_some(group);
        runners.iter().filter(|runner| filter.fits(runner)).map(move |runner| RunnerView::of(runner, shown))
    });
    work.audit_if_administrator();
    Ok(views.collect())
}

/// Removes runners from the organisation; with `dry_run` only says which it would be.
pub async fn remove(work: &Work<Reach>, selection: &Selection, dry_run: bool) -> Result<Outcome, Error> {
    work.line().note(|details| details.dry_run = dry_run);
    let runners = runners_within(work).await?.into_iter().flat_map(|(_, runners)| runners).collect();
    let (chosen, skipped) = selection.choose(runners)?;
    if dry_run || chosen.is_empty() {
        work.audit_if_administrator();
        return Ok(Outcome { done: chosen.iter().map(touched).collect(), skipped });
    }
    work.reserve_line(&chosen)?;
    let own = work.clone();
    let write = async move {
        let outcome = each(&own, &chosen, |id| own.github().delete_runner(id)).await?;
        Ok(Outcome { skipped: outcome.skipped.into_iter().chain(skipped).collect(), ..outcome })
    };
    work.write(Box::pin(write)).await
}

/// Moves runners into the group of another team, which the caller maintains, too.
pub async fn transfer(work: &Work, to: &Authority, selection: &Selection) -> Result<Outcome, Error> {
    let target = work.organisation().groups.find(to).await?;
    let (_, runners) = runners_of_team(work).await?;
    let (chosen, skipped) = selection.choose(runners)?;
    if chosen.is_empty() {
        return Ok(Outcome { done: Vec::new(), skipped });
    }
    work.reserve_line(&chosen)?;
    let (own, to) = (work.clone(), to.clone());
    let write = async move {
        let outcome = move_all(&own, &chosen, target, &to).await?;
        Ok(Outcome { skipped: outcome.skipped.into_iter().chain(skipped).collect(), ..outcome })
    };
    work.write(Box::pin(write)).await
}

/// Moves runners into a group that was found for `to`, if it has room for all of them. The audit line stays about the group
/// that they leave.
pub(super) async fn move_all(
    work: &Work,
    runners: &[Runner],
    target: ManagedGroup,
    to: &Authority,
) -> Result<Outcome, Error> {
    work.on_group_of(to, target, |group| async move {
        let _turn = work.turn_for(&group, runners.len()).await?;
        let github = work.github();
        // Looked at again, whatever is remembered: a 404 to a move doesn't tell whether it is the group or the
        // runner that is gone, and a group that was renamed is no longer that team's.
        let now = github.runner_group(group.id()).await.map_err(missing_group)?;
        if now.default || now.inherited || !to.team().group().is(&now.name) {
            return Err(Error::GroupNotFound);
        }
        each(work, runners, |id| github.move_runner(id, group.id())).await
    })
    .await
}

/// The runners of each group within reach.
async fn runners_within(work: &Work<Reach>) -> Result<Vec<(ManagedGroup, Vec<Runner>)>, Error> {
    let oversight = match work.proof() {
        Reach::Team(authority) => return Ok(vec![runners_of_team(&work.on_team(authority)).await?]),
        Reach::Everything(oversight) => oversight,
    };
    let organisation = work.organisation();
    let names = organisation.teams.group_names().await?;
    let groups = organisation.groups.managed(oversight, &names).await?;
    let read = groups.into_iter().map(|group| async move {
        match work.github().group_runners(group.id()).await {
            // Deleted since the groups were listed.
            Err(error) if error.is_not_found() => Ok((group, Vec::new())),
            runners => Ok((group, runners?)),
        }
    });
    stream::iter(read).buffered(GROUPS_AT_ONCE).try_collect().await
}

async fn runners_of_team(work: &Work) -> Result<(ManagedGroup, Vec<Runner>), Error> {
    let found = work.find_group().await?;
    work.on_group(found, |group| async move {
        let runners = work.github().group_runners(group.id()).await.map_err(missing_group)?;
        Ok((group, runners))
    })
    .await
}

/// Writes once for each runner, a few at a time, and notes those that were touched. An error only when nothing was done at
/// all.
pub(super) async fn each<P, Written>(
    work: &Work<P>,
    runners: &[Runner],
    write: impl Fn(RunnerId) -> Written,
) -> Result<Outcome, Error>
where
    Written: Future<Output = Result<(), github::Error>>,
{
    let write_one = |(id, name): (RunnerId, String)| {
        let written = write(id);
        async move {
            let outcome = written.await;
            // At once: should the rest be given up, this one was touched all the same.
            if outcome.is_ok() {
                work.line().note(|details| details.runners.push(name));
            }
            outcome
        }
    };
    let whom: Vec<_> = runners.iter().map(|runner| (runner.id, runner.name.clone())).collect();
    let outcomes: Vec<_> =
        stream::iter(whom.into_iter().map(write_one)).buffered(WRITES_AT_ONCE).collect().await;
    let (mut outcome, mut failure) = (Outcome::default(), None);
    for (runner, written) in runners.iter().zip(outcomes) {
        match written {
            Ok(()) => outcome.done.push(touched(runner)),
            Err(error) => match error.class() {
                // It took a job since the list was read.
                Class::Rejected(_) | Class::Conflict => {
                    outcome.skipped.push(Skipped::of(runner, SkipReason::Busy));
                }
                Class::NotFound => outcome.skipped.push(Skipped::of(runner, SkipReason::RunnerNotFound)),
                _ => {
                    outcome.skipped.push(Skipped::of(runner, SkipReason::Failed(reason_of(&error))));
                    failure.get_or_insert(error);
                }
            },
        }
    }
    match failure {
        Some(error) if outcome.done.is_empty() => Err(error.into()),
        _ => Ok(outcome),
    }
}

fn touched(runner: &Runner) -> Touched {
    Touched { id: runner.id, name: runner.name.clone() }
}
