//! Groups are given to teams, and taken from them, by administrators; and records of what is gone are dropped.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use utoipa::ToSchema;

use super::error::Taken;
use super::{Error, Work};
use crate::access::{ManagedTeam, Oversight, Records};
use crate::domain::group_reference::GroupReference;
use crate::domain::ids::{GroupId, TeamId};
use crate::domain::outcome::Outcome;
use crate::domain::pattern::Pattern;
use crate::domain::record::{GroupRecord, RecordOrigin};
use crate::domain::reference::TeamReference;
use crate::github::RunnerGroup;
use crate::store::Added;

/// Which groups are given to which teams.
#[derive(Debug, Clone)]
pub enum Adoption {
    /// One group to one team.
    One {
        /// The team.
        team: TeamReference,
        /// The group.
        group: GroupReference,
    },
    /// Each group with a matching name to the current team for which the template gives that name.
    Matching(Pattern),
}

/// A group, and the team that it was given to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Adopted {
    group: AdoptedGroup,
    team: AdoptingTeam,
}

/// A group that was given to a team.
#[derive(Debug, Serialize, ToSchema)]
struct AdoptedGroup {
    #[schema(value_type = u64)]
    id: GroupId,
    name: String,
}

/// The team that a group was given to.
#[derive(Debug, Serialize, ToSchema)]
struct AdoptingTeam {
    #[schema(value_type = u64)]
    id: TeamId,
    slug: String,
}

impl Adopted {
    fn new(group: &RunnerGroup, team: &ManagedTeam) -> Self {
        Self {
            group: AdoptedGroup { id: group.id, name: group.name.clone() },
            team: AdoptingTeam { id: team.id(), slug: team.slug().to_string() },
        }
    }

    fn noted(&self) -> (TeamId, GroupId, String) {
        (self.team.id, self.group.id, self.group.name.clone())
    }
}

/// What is said where there are no records.
const NO_STORE: &str = "Groups are not recorded here: the administrator has to set store.url";

/// The records, which must be writable.
fn records<P>(work: &Work<P>) -> Result<&Records, Error> {
    let groups = &work.organisation().groups;
    let records = groups.records().ok_or(Error::NotConfigured(NO_STORE))?;
    groups.require_records_writable()?;
    Ok(records)
}

/// Gives groups that exist to teams; with `dry_run` only says which it would be.
pub async fn adopt(work: &Work<Oversight>, plan: Adoption, dry_run: bool) -> Result<Vec<Adopted>, Error> {
    work.line().note(|details| details.dry_run = dry_run);
    let records = records(work)?;
    let (chosen, at_most_one) = match plan {
        Adoption::One { team, group } => {
            work.context().set_named_team(team.to_string());
            work.line().note(|details| details.named_group = Some(group.to_string()));
            (vec![one(work, records, &team, &group).await?], true)
        }
        Adoption::Matching(pattern) => {
            work.line().note(|details| details.named_group = Some(pattern.to_string()));
            (matching(work, records, &pattern).await?, false)
        }
    };
    work.reserve_records(chosen.iter().map(|adopted| adopted.group.name.as_str()))?;
    if dry_run || chosen.is_empty() {
        work.note_records(chosen.iter().map(Adopted::noted).collect());
        work.audit_if_administrator();
        return Ok(chosen);
    }
    let own = work.clone();
    let write = async move { give_all(&own, chosen, at_most_one).await };
    work.write(Box::pin(write)).await
}

/// Gives one group after the other. Of several, those that got a team or a group meanwhile are left out.
async fn give_all(
    work: &Work<Oversight>,
    chosen: Vec<Adopted>,
    at_most_one: bool,
) -> Result<Vec<Adopted>, Error> {
    let mut adopted: Vec<Adopted> = Vec::new();
    for candidate in chosen {
        match give(work, &candidate).await {
            Ok(()) => adopted.push(candidate),
            Err(Error::GroupExists(_)) if !at_most_one => {}
            Err(error) => {
                if !adopted.is_empty() {
                    work.line().write(Outcome::Partial, Some(error.reason().into()));
                }
                return Err(error);
            }
        }
        // At once: should the rest fail, these are the teams' all the same.
        work.note_records(adopted.iter().map(Adopted::noted).collect());
    }
    Ok(adopted)
}

async fn give(work: &Work<Oversight>, adopted: &Adopted) -> Result<(), Error> {
    let record = GroupRecord {
        team: adopted.team.id,
        group: adopted.group.id,
        name: adopted.group.name.clone(),
        origin: RecordOrigin::Adopted,
        at: work.organisation().clock.unix_seconds(),
    };
    match records(work)?.add(&record).await? {
        Added::Yes => Ok(()),
        Added::TeamHas(_) => Err(Taken::TeamHasOne.into()),
        Added::GroupIsOf(_) => Err(Taken::OfAnotherTeam.into()),
    }
}

/// The team that is named.
async fn team_named(work: &Work<Oversight>, team: &TeamReference) -> Result<ManagedTeam, Error> {
    let found = work.organisation().teams.named(team, work.proof()).await?;
    found.ok_or_else(|| Error::Unknown(format!("The organisation has no team {team}")))
}

async fn one(
    work: &Work<Oversight>,
    records: &Records,
    team: &TeamReference,
    group: &GroupReference,
) -> Result<Adopted, Error> {
    let groups = async { Ok(work.organisation().groups.all(work.proof()).await?) };
    let (found, groups) = futures_util::future::try_join(team_named(work, team), groups).await?;
    let mut named = groups.iter().filter(|candidate| group.is(&candidate.name, candidate.id));
    let group = match (named.next(), named.next()) {
        (Some(group), None) => group,
        (Some(_), Some(_)) => {
            let message =
                format!("Several runner groups are called {group}; name one by its id, such as id:123");
            return Err(Error::Unknown(message));
        }
        (None, _) => return Err(Error::NoSuchGroup(group.to_string())),
    };
    if !may_be_given(group) {
        return Err(Error::GroupProtected("The Default and inherited runner groups are nobody's"));
    }
    match records.team_of(group.id).await? {
        Some(owner) if owner != found.id() => return Err(Taken::OfAnotherTeam.into()),
        Some(_) => return Err(Taken::TeamHasOne.into()),
        None if records.of_team(found.id()).await?.is_some() => return Err(Taken::TeamHasOne.into()),
        None => {}
    }
    Ok(Adopted::new(group, &found))
}

fn may_be_given(group: &RunnerGroup) -> bool {
    !group.default && !group.inherited
}

/// What is left out has a team already, fits no team's name, or can be nobody's.
async fn matching(
    work: &Work<Oversight>,
    records: &Records,
    pattern: &Pattern,
) -> Result<Vec<Adopted>, Error> {
    let (organisation, oversight) = (work.organisation(), work.proof());
    let (teams, groups) =
        futures_util::future::try_join(organisation.teams.all(oversight), organisation.groups.all(oversight))
            .await?;
    let recorded = records.all().await?;
    let owned: HashSet<_> = recorded.iter().map(|record| record.group).collect();
    let owners: HashSet<_> = recorded.iter().map(|record| record.team).collect();
    let free_teams = teams.iter().filter(|team| !owners.contains(&team.id()));
    let by_group: HashMap<_, _> = free_teams.map(|team| (team.group().key(), team)).collect();
    let mut namesakes: HashMap<String, usize> = HashMap::new();
    for group in &groups {
        *namesakes.entry(group.name.to_lowercase()).or_default() += 1;
    }
    let fits = |group: &&RunnerGroup| {
        may_be_given(group)
            && !owned.contains(&group.id)
            && pattern.matches(&group.name)
            // Which of several is meant can't be told from the name.
            && namesakes.get(&group.name.to_lowercase()) == Some(&1)
    };
    let adopted = |group: &RunnerGroup| Some(Adopted::new(group, by_group.get(&group.name.to_lowercase())?));
    Ok(groups.iter().filter(fits).filter_map(adopted).collect())
}

/// Whose group is released.
#[derive(Debug, Clone)]
pub enum Released {
    /// This team's.
    Team(TeamReference),
    /// This group is, whoever's it was.
    Group(GroupReference),
}

/// Takes a group from its team; gives the group's name. Nothing changes at GitHub.
pub async fn release(work: &Work<Oversight>, which: &Released) -> Result<String, Error> {
    match which {
        Released::Team(team) => work.context().set_named_team(team.to_string()),
        Released::Group(group) => work.line().note(|details| details.named_group = Some(group.to_string())),
    }
    let record = recorded(work, which).await?;
    let own = work.clone();
    let write = async move {
        own.note_records(vec![(record.team, record.group, record.name.clone())]);
        if records(&own)?.remove(record.team, record.group).await? {
            Ok(record.name)
        } else {
            Err(Error::GroupNotFound)
        }
    };
    work.write(Box::pin(write)).await
}

async fn recorded(work: &Work<Oversight>, which: &Released) -> Result<GroupRecord, Error> {
    let records = records(work)?;
    match which {
        Released::Team(TeamReference::Id(id)) => records.of_team(*id).await?.ok_or(Error::GroupNotFound),
        Released::Team(team) => {
            let team = team_named(work, team).await?;
            records.of_team(team.id()).await?.ok_or(Error::GroupNotFound)
        }
        Released::Group(group) => {
            let found = of_group(work, records, group).await?;
            found.ok_or_else(|| Error::NoSuchGroup(group.to_string()))
        }
    }
}

/// The record of a group. A name is what GitHub calls it now; or what it was called, if GitHub has none of that name.
async fn of_group(
    work: &Work<Oversight>,
    records: &Records,
    group: &GroupReference,
) -> Result<Option<GroupRecord>, Error> {
    let all = records.all().await?;
    if let GroupReference::Id(id) = group {
        return Ok(all.into_iter().find(|record| record.group == *id));
    }
    let groups = work.organisation().groups.all(work.proof()).await?;
    match groups.iter().find(|now| group.is(&now.name, now.id)) {
        Some(now) => {
            let found = all.into_iter().find(|record| record.group == now.id);
            Ok(found.map(|record| GroupRecord { name: now.name.clone(), ..record }))
        }
        None => Ok(all.into_iter().find(|record| group.is(&record.name, record.group))),
    }
}

/// Drops records that two looks found without a group or team.
pub async fn drop_gone(work: &Work<Oversight>, gone: &[GroupRecord]) -> Result<(), Error> {
    work.reserve_records(gone.iter().map(|record| record.name.as_str()))?;
    let mut dropped = Vec::new();
    let mut outcome = Ok(());
    for record in gone {
        outcome = drop_one(work, record, &mut dropped).await;
        if outcome.is_err() {
            break;
        }
    }
    // Another process may have been faster.
    if !dropped.is_empty() {
        work.note_records(dropped);
        match &outcome {
            Ok(()) => work.line().write(Outcome::Success, None),
            Err(error) => work.line().write(Outcome::Partial, Some(error.reason().into())),
        }
    }
    outcome
}

async fn drop_one(
    work: &Work<Oversight>,
    record: &GroupRecord,
    dropped: &mut Vec<(TeamId, GroupId, String)>,
) -> Result<(), Error> {
    if records(work)?.remove(record.team, record.group).await? {
        dropped.push((record.team, record.group, record.name.clone()));
    }
    Ok(())
}
