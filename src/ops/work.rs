//! What every operation works with: the organisation, the proof that its caller may, and its audit line.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt, stream};
use tracing::Instrument;

use super::Error;
use super::error::missing_group;
use super::runner_writes::Listed;
use crate::access::{AccessError, Authority, ManagedGroup, Oversight, Reach};
use crate::audit::{AuditLine, AuditLog};
use crate::domain::ids::{GroupId, TeamId};
use crate::domain::outcome::Outcome;
use crate::domain::reason::Cause;
use crate::domain::reference::TeamReference;
use crate::github::{Github, WriteIds};
use crate::organisation::Organisation;
use crate::replicas::{Subject, Turn, WhenStoreFails};
use crate::request::Context;
use crate::writes::Writes;

/// Groups that are read side by side.
pub(super) const GROUPS_AT_ONCE: usize = 4;
/// How long work of the service's own waits for a turn.
const SYSTEM_WAITS: Duration = Duration::from_mins(1);
/// Bytes of GitHub's request ids in an audit line: 100 of them at most.
const REQUEST_IDS: usize = 100 * 64;

/// One request, or one thing that the service does by itself, as operations see it. `P` proves that it may be done.
pub struct Work<P = Authority> {
    pub(super) organisation: Arc<Organisation>,
    proof: Arc<P>,
    context: Context,
    line: AuditLine,
    writes: Writes,
}

/// Cloning gives the same work; the proof need not be cloneable.
impl<P> Clone for Work<P> {
    fn clone(&self) -> Self {
        self.holding(self.proof.clone())
    }
}

impl Work<()> {
    /// Of a request that proved nothing yet.
    pub fn new(organisation: Arc<Organisation>, context: Context, line: AuditLine, writes: Writes) -> Self {
        Self { organisation, proof: Arc::new(()), context, line, writes }
    }
}

impl Work<Oversight> {
    /// Of the service itself, as its administrator configured.
    pub fn of_the_service(
        operation: &'static str,
        organisation: Arc<Organisation>,
        log: AuditLog,
        writes: Writes,
    ) -> Self {
        let context = Context::of_the_system(operation);
        let line = AuditLine::new(context.clone(), log);
        Work::new(organisation, context, line, writes).with(Oversight::of_the_service())
    }
}

impl<P> Work<P> {
    /// The same work, with a proof.
    pub fn with<Q>(&self, proof: Q) -> Work<Q> {
        self.holding(Arc::new(proof))
    }

    fn holding<Q>(&self, proof: Arc<Q>) -> Work<Q> {
        let Self { organisation, context, line, writes, .. } = self;
        Work {
            organisation: organisation.clone(),
            proof,
            context: context.clone(),
            line: line.clone(),
            writes: writes.clone(),
        }
    }

    /// The organisation that is worked on.
    pub fn organisation(&self) -> &Organisation {
        &self.organisation
    }

    /// What proves that it may be done.
    pub fn proof(&self) -> &P {
        &self.proof
    }

    /// The facts of the request.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Its audit line.
    pub fn line(&self) -> &AuditLine {
        &self.line
    }

    pub(super) fn github(&self) -> &Arc<Github> {
        &self.organisation.github
    }

    /// Makes sure that the audit line of a write can be written, with the names of these runners in it.
    pub(super) fn reserve_line(&self, runners: &[Listed]) -> Result<(), Error> {
        let names = runners.iter().map(|listed| listed.runner.name.as_str());
        Ok(self.line.reserve_names(names, REQUEST_IDS)?)
    }

    /// Leaves an audit line of an operation that changed nothing, if it took an administrator's rights.
    pub(super) fn audit_if_administrator(&self) {
        if self.context.is_as_administrator() {
            self.line.write(Outcome::Success, None);
        }
    }

    /// Runs a write to its end, also when the caller hangs up, and leaves its audit line. What comes before the
    /// first write is done outside, so that it ends with the caller; a refusal there is audited at the edge.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        write: BoxFuture<'static, Result<T, Error>>,
    ) -> Result<T, Error> {
        self.reserve_line(&[])?;
        self.line.leave_to_the_write();
        // Made out here: also a write that is given up before its first step leaves its line.
        let line = WriteLine { line: self.line.clone(), request_ids: WriteIds::default() };
        let audited = async move {
            let outcome = line.request_ids.noting(write).await;
            match &outcome {
                Ok(_) => line.write(Outcome::Success, None),
                Err(error) => line.write(error.outcome(), Some(error.reason().into())),
            }
            outcome
        };
        let audited = self.context.account().clone().scope(audited).in_current_span();
        let outcome = self.writes.see_to_the_end(audited).await;
        outcome.unwrap_or(Err(if self.writes.are_given_up() { Error::CutOff } else { Error::Internal }))
    }

    /// Refuses a group that every repository of the organisation may use: a runner in it takes jobs of all of them.
    pub(super) fn require_selected(&self, group: &ManagedGroup) -> Result<(), Error> {
        if group.selected_repositories_only() || self.organisation.allow_open_groups {
            return Ok(());
        }
        Err(Error::GroupProtected("An organisation owner opened this runner group to all repositories"))
    }

    /// Work of the service's own, which this one left to be done later.
    pub(super) fn on_its_own(&self, operation: &'static str) -> Work<Oversight> {
        let (organisation, writes) = (self.organisation.clone(), self.writes.clone());
        Work::of_the_service(operation, organisation, self.line.log(), writes)
    }

    /// Makes sure that the audit line can be written, with groups of these names in it, and whose they are.
    pub(super) fn reserve_records<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<(), Error> {
        // As it stands in JSON, with two ids, and what is around them.
        let length = |name| serde_json::to_string(name).map_or(0, |escaped: String| escaped.len()) + 100;
        let lengths: usize = names.map(length).sum();
        Ok(self.line.reserve(lengths)?)
    }

    /// The audit line will name these groups, and whose they are.
    pub(super) fn note_records(&self, records: Vec<(TeamId, GroupId, String)>) {
        self.line.note(|details| details.records = records);
    }

    /// The audit line will name this group.
    pub(super) fn note_group(&self, group: &ManagedGroup) {
        self.line.note(|details| details.group = Some((group.name().to_owned(), group.id())));
    }

    /// Does `step` with the group that was found for a team. When GitHub no longer finds it, it is looked up once more:
    /// somebody may have deleted it and made a new one. What was not found was not changed either.
    pub(super) async fn on_group_of<T, Step>(
        &self,
        authority: &Authority,
        found: ManagedGroup,
        step: impl Fn(ManagedGroup) -> Step,
    ) -> Result<T, Error>
    where
        Step: Future<Output = Result<T, Error>>,
    {
        let id = found.id();
        match step(found).await {
            Err(Error::GroupNotFound) => {}
            outcome => return outcome,
        }
        // Boxed, since it is rare and large.
        Box::pin(async {
            self.organisation.groups.forget(authority).await;
            let current = self.organisation.groups.find(authority).await?;
            if current.id() == id { Err(Error::GroupNotFound) } else { step(current).await }
        })
        .await
    }

    /// Waits until nobody deletes the group, counts its runners or sets its repositories.
    pub(super) async fn turn_together(&self, group: &ManagedGroup) -> Result<Turn, Error> {
        Ok(self.organisation.turns.together(Subject::Group(group.id()), self.turn_deadline()).await?)
    }

    /// Waits until nobody else changes the group, brings runners into it or deletes it.
    pub(super) async fn turn_alone(
        &self,
        group: &ManagedGroup,
        when_store_fails: WhenStoreFails,
    ) -> Result<Turn, Error> {
        let (subject, deadline) = (Subject::Group(group.id()), self.turn_deadline());
        Ok(self.organisation.turns.alone(subject, when_store_fails, deadline).await?)
    }

    /// Until when a turn is waited for.
    pub(super) fn turn_deadline(&self) -> Instant {
        let deadline = self.context.account().deadline();
        deadline.map_or_else(|| Instant::now() + SYSTEM_WAITS, tokio::time::Instant::into_std)
    }

    /// Waits for a turn to bring so many runners into the group, in which they have to find room.
    pub(super) async fn turn_for(&self, group: &ManagedGroup, coming: usize) -> Result<Turn, Error> {
        let max = self.organisation.policy.load().max_runners;
        if max == 0 {
            return self.turn_together(group).await;
        }
        // Alone, so that two callers at once can't both take the last room.
        let turn = self.turn_alone(group, WhenStoreFails::GoOn).await?;
        let held = self.github().group_runners(group.id()).await.map_err(missing_group)?.len();
        if held.saturating_add(coming) as u64 > max {
            return Err(Error::TooManyRunners(max));
        }
        still_good(&turn)?;
        Ok(turn)
    }

    /// Every managed group of the organisation.
    pub(super) async fn managed_groups(&self, oversight: &Oversight) -> Result<Vec<ManagedGroup>, Error> {
        Ok(self.organisation.groups.managed(oversight, &self.organisation.teams).await?)
    }

    /// What `read` gives of every managed group, a few at a time. Groups that were deleted since they were listed are
    /// left out.
    pub(super) async fn of_managed_groups<T, Read>(
        &self,
        oversight: &Oversight,
        read: impl Fn(ManagedGroup) -> Read,
    ) -> Result<Vec<T>, Error>
    where
        Read: Future<Output = Result<T, Error>>,
    {
        let reads = self.managed_groups(oversight).await?.into_iter().map(|group| {
            let read = read(group);
            async move {
                match read.await {
                    Err(Error::GroupNotFound) => Ok(None),
                    outcome => outcome.map(Some),
                }
            }
        });
        let all: Vec<_> = stream::iter(reads).buffered(GROUPS_AT_ONCE).try_collect().await?;
        Ok(all.into_iter().flatten().collect())
    }
}

impl Work<Authority> {
    /// Who acts for which team.
    pub fn authority(&self) -> &Authority {
        &self.proof
    }

    /// The authority of the same caller over another team, which they have to maintain, too.
    ///
    /// # Errors
    /// They don't, or the policy keeps that team out.
    pub async fn authority_over(&self, team: &TeamReference) -> Result<Authority, AccessError> {
        let note = |name: String| self.line.note(|details| details.to_team = Some(name));
        note(team.to_string());
        let teams = &self.organisation.teams;
        let maintainer = teams.maintainer(self.authority().caller()?, team).await;
        let remembered = match &maintainer {
            Ok(maintainer) => Some(maintainer.team().slug().clone()),
            Err(_) => teams.remembered_slug(team).await,
        };
        if let Some(slug) = remembered {
            note(slug.to_string());
        }
        let maintainer = maintainer?;
        maintainer.under(&self.organisation.policy.load())
    }

    /// Finds the team's group, which the audit line will name.
    pub(super) async fn find_group(&self) -> Result<ManagedGroup, Error> {
        let group = self.organisation.groups.find(self.authority()).await?;
        self.note_group(&group);
        Ok(group)
    }

    /// Finds the team's group, and does `step` with it: [`Work::on_group`].
    pub(super) async fn with_group<T, Step>(&self, step: impl Fn(ManagedGroup) -> Step) -> Result<T, Error>
    where
        Step: Future<Output = Result<T, Error>>,
    {
        let found = self.find_group().await?;
        self.on_group(found, step).await
    }

    /// [`Work::on_group_of`] the team's own group.
    pub(super) async fn on_group<T, Step>(
        &self,
        found: ManagedGroup,
        step: impl Fn(ManagedGroup) -> Step,
    ) -> Result<T, Error>
    where
        Step: Future<Output = Result<T, Error>>,
    {
        let noted = |group: ManagedGroup| {
            self.note_group(&group);
            step(group)
        };
        self.on_group_of(self.authority(), found, noted).await
    }
}

impl Work<Reach> {
    /// The same work on the group of one team.
    pub(super) fn on_team(&self, authority: &Authority) -> Work {
        self.with(authority.clone())
    }
}

/// Refuses what a turn was waited for if it may be over by now: the process stood still, or the store is gone. To be asked right
/// before a write. Whoever brings runners into a group must not overrun `policy.maxRunners`, nor do so while it is deleted:
/// GitHub may drop the runners of a deleted group into Default, where any repository could reach them.
pub(super) fn still_good(turn: &Turn) -> Result<(), Error> {
    if turn.is_good() { Ok(()) } else { Err(Error::StoreUnavailable) }
}

/// The audit line of a write.
struct WriteLine {
    line: AuditLine,
    request_ids: WriteIds,
}

impl WriteLine {
    /// Writes the line, unless it was written already.
    fn write(&self, outcome: Outcome, cause: Option<Cause>) {
        self.line.note(|details| details.github_request_ids = self.request_ids.so_far());
        self.line.write(outcome, cause);
    }
}

/// A write that panicked or was given up leaves its line, too: whether it took effect, nobody here knows.
impl Drop for WriteLine {
    fn drop(&mut self) {
        let end = if std::thread::panicking() { Error::Internal } else { Error::CutOff };
        self.write(end.outcome(), Some(end.reason().into()));
    }
}

#[cfg(test)]
mod tests;
