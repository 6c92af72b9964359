//! A team's group is created, and found again if GitHub's response was lost.

use std::time::Duration;

use super::error::Taken;
use super::{Error, Work};
use crate::access::{Begun, Creation, GroupError, ManagedGroup, Oversight, Settled};
use crate::domain::outcome::Outcome;
use crate::domain::record::PendingCreation;
use crate::github::{self, Class, RunnerGroup};
use crate::replicas::{Subject, WhenStoreFails};

/// When a creation whose response was lost is looked for, counted from its beginning: GitHub may finish it later.
const LOOKED_FOR_AFTER: [Duration; 3] =
    [Duration::from_secs(5), Duration::from_secs(15), Duration::from_mins(1)];

/// Creates the team's group; gives its name.
pub async fn add(work: &Work) -> Result<String, Error> {
    let own = work.clone();
    // As a whole, since it writes into the store before it does at GitHub.
    work.write(Box::pin(async move { create(&own).await })).await
}

async fn create(work: &Work) -> Result<String, Error> {
    let organisation = work.organisation();
    // Two requests at once would take each other for one whose response was lost.
    let subject = Subject::CreationFor(work.authority().team().id());
    let turn = organisation.turns.alone(subject, WhenStoreFails::Refuse, work.turn_deadline()).await?;
    let creation = match organisation.groups.begin(work.authority()).await.map_err(protected_name)? {
        Begun::Now(creation) => creation,
        Begun::Before(group) => {
            work.note_group(&group);
            return Ok(group.name().to_owned());
        }
    };
    if !turn.is_good() {
        organisation.groups.give_up(&creation).await;
        return Err(Error::StoreUnavailable);
    }
    match work.github().create_runner_group(creation.name()).await {
        Ok(group) => made(work, &creation, group).await,
        Err(error) => refused(work, creation, error).await,
    }
}

fn protected_name(error: GroupError) -> Error {
    match error {
        GroupError::Protected => Error::GroupProtected("The Default runner group can't be managed here"),
        error => error.into(),
    }
}

async fn made(work: &Work, creation: &Creation, group: RunnerGroup) -> Result<String, Error> {
    work.line().note(|details| details.group = Some((group.name.clone(), group.id)));
    match work.organisation().groups.made(creation, &group).await {
        Ok(()) => Ok(group.name),
        Err(error) => {
            tracing::error!(%error, group = group.name, group_id = group.id.0, "a group was created and can't be recorded");
            // It is settled once the store can be written again.
            look_for_it_later(work, creation);
            Err(error.into())
        }
    }
}

async fn refused(work: &Work, creation: Creation, error: github::Error) -> Result<String, Error> {
    let groups = &work.organisation().groups;
    match error.class() {
        Class::Conflict => {
            let group = groups.taken(&creation, work.authority()).await?;
            work.note_group(&group);
            Ok(group.name().to_owned())
        }
        // GitHub may have created it, or still do so.
        Class::Timeout | Class::Faulty { .. } | Class::NotGithub | Class::Unexpected => {
            look_for_it_later(work, &creation);
            Err(error.into())
        }
        Class::Rejected(message) => {
            groups.give_up(&creation).await;
            Err(Error::Rejected(message.clone()))
        }
        // What can't be reached, or waits, was not asked.
        _ => {
            groups.give_up(&creation).await;
            Err(error.into())
        }
    }
}

/// Not seen to its end when the service stops: it goes on after the next start.
fn look_for_it_later<P: Send + Sync + 'static>(work: &Work<P>, creation: &Creation) {
    if let Some(pending) = creation.pending().cloned() {
        let work = work.on_its_own("group-add");
        tokio::spawn(async move { settle(&work, pending).await });
    }
}

/// Looks for the group of a creation with an unknown outcome, as long as it is pending, and gives it to its team. Of the
/// times for a look that have passed, one counts.
pub async fn settle(work: &Work<Oversight>, pending: PendingCreation) {
    let (groups, clock) = (&work.organisation().groups, &work.organisation().clock);
    let age = Duration::from_secs(clock.unix_seconds().saturating_sub(pending.begun_at));
    let now = clock.now();
    let passed = LOOKED_FOR_AFTER.iter().filter(|after| **after <= age).count();
    for after in LOOKED_FOR_AFTER.into_iter().skip(passed.saturating_sub(1)) {
        clock.sleep_until(now + after.saturating_sub(age)).await;
        match groups.settle(&pending).await {
            Ok(Settled::Now(group)) => return settled(work, &pending, &group),
            Ok(Settled::Over) => return,
            Ok(Settled::NotYet) => {}
            Err(error) => {
                tracing::warn!(%error, group = pending.name, "a lost creation can't be settled yet");
            }
        }
    }
}

fn settled(work: &Work<Oversight>, pending: &PendingCreation, group: &ManagedGroup) {
    tracing::info!(
        group = group.name(),
        team_id = pending.team.0,
        "a group whose creation was lost is its team's"
    );
    if work.reserve_line(&[]).is_ok() {
        work.note_records(vec![(pending.team, group.id(), group.name().to_owned())]);
        work.line().write(Outcome::Success, None);
    }
}

impl From<Taken> for Error {
    fn from(taken: Taken) -> Self {
        Self::GroupExists(taken)
    }
}
