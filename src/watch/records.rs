//! Keeps records true: settles creations whose outcome was lost, and drops records of groups and teams that are gone.
//! A record is dropped only if two complete lists, a minute apart, lack its group or its team.

use std::collections::HashSet;
use std::time::Duration;

use super::work;
use crate::access::{GroupError, Oversight};
use crate::clock::Clock;
use crate::domain::ids::{GroupId, TeamId};
use crate::domain::record::GroupRecord;
use crate::metrics;
use crate::ops::{self, records};
use crate::state::Shared;

/// The time between two looks, unless GitHub doesn't find a recorded group.
const EVERY: Duration = Duration::from_hours(1);
/// When the first look is, after the start.
const FIRST_AFTER: Duration = Duration::from_mins(30);
/// The time between the two lists that have to lack a group or team, and between two looks at least.
const BETWEEN_LISTS: Duration = Duration::from_mins(1);
/// How often creations are looked for whose process is gone, and after how many seconds they are taken for such.
const LEFT_LOOKED_FOR_EVERY: Duration = Duration::from_mins(1);
const LEFT_AFTER: u64 = 75;
/// More records at once are not dropped: GitHub rather lists too little.
const MAX_DROPPED: usize = 5;

/// The watch over records.
pub struct RecordWatch {
    state: Shared,
    clock: Clock,
}

/// What a look covers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Groups, of which GitHub didn't find one.
    Groups,
    /// Groups and teams.
    Full,
}

/// The groups and teams that there are; none where they were not looked at.
struct Listed {
    groups: HashSet<GroupId>,
    teams: Option<HashSet<TeamId>>,
}

/// Records that lack something.
#[derive(Default)]
struct Gone {
    without_group: Vec<GroupRecord>,
    without_team: Vec<GroupRecord>,
    /// Teams that are gone and have access entries.
    teams_with_entries: Vec<TeamId>,
}

impl Gone {
    fn is_empty(&self) -> bool {
        self.without_group.is_empty() && self.without_team.is_empty() && self.teams_with_entries.is_empty()
    }

    /// The records that lack the same both times, and the teams that lack both times.
    fn also_in(self, earlier: &Self) -> (Vec<GroupRecord>, Vec<TeamId>) {
        let is_gone_still = |team: &TeamId| earlier.teams_with_entries.contains(team);
        let teams = self.teams_with_entries.into_iter().filter(is_gone_still).collect();
        let lacks_still = |record: &GroupRecord| earlier.without_group.contains(record);
        let mut both: Vec<_> = self.without_group.into_iter().filter(lacks_still).collect();
        for record in self.without_team {
            if earlier.without_team.contains(&record) && !both.contains(&record) {
                both.push(record);
            }
        }
        (both, teams)
    }
}

impl RecordWatch {
    /// Has looked at nothing yet.
    pub fn new(state: Shared, clock: Clock) -> Self {
        Self { state, clock }
    }

    /// Looks again and again; ends only with the task that it runs in.
    pub async fn run(self) {
        let mut next_full_look = self.clock.now() + FIRST_AFTER;
        self.settle_creations().await;
        let mut too_many_are_gone = false;
        loop {
            let missed = async {
                self.state.organisation.groups.missed().await;
                // It was found already, and a full look will say so again.
                if too_many_are_gone {
                    std::future::pending::<()>().await;
                }
            };
            let extent = tokio::select! {
                () = self.clock.sleep_until(next_full_look) => Extent::Full,
                () = missed => Extent::Groups,
            };
            if extent == Extent::Full {
                next_full_look = self.clock.now() + EVERY;
                // Of several processes one looks again and again. Whichever misses a group looks for it.
                if !self.state.organisation.replicas.hold_lease() {
                    continue;
                }
                self.settle_creations().await;
            }
            match self.look(extent).await {
                Ok(too_many) => too_many_are_gone = too_many,
                Err(error) => {
                    tracing::warn!(%error, "the records can't be held against GitHub's lists; the next look tries again");
                }
            }
            self.clock.sleep(BETWEEN_LISTS).await;
        }
    }

    /// Goes on with creations whose process is gone: it would have looked for them a minute after they began. Of several
    /// processes one does. Ends only with the task that it runs in.
    pub async fn settle_those_left(self) {
        let organisation = &self.state.organisation;
        let Some(records) = organisation.groups.records() else { return };
        while organisation.replicas.is_shared() {
            self.clock.sleep(LEFT_LOOKED_FOR_EVERY).await;
            if !records.is_bound() || !organisation.replicas.hold_lease() {
                continue;
            }
            let left = records.store().creations().await.unwrap_or_default();
            let latest = self.clock.unix_seconds().saturating_sub(LEFT_AFTER);
            for creation in left.into_iter().filter(|creation| creation.begun_at < latest) {
                ops::settle(&work(&self.state, "group-add"), creation).await;
            }
        }
    }

    /// Goes on with creations whose outcome was unknown when a process stopped.
    async fn settle_creations(&self) {
        let Some(records) = self.state.organisation.groups.records() else { return };
        // Not before it is known to be this organisation's store.
        while let Err(error) = records.bind().await {
            tracing::debug!(%error, "lost creations wait until the store can be used");
            self.clock.sleep(BETWEEN_LISTS).await;
        }
        match records.store().creations().await {
            Ok(pending) => {
                for creation in pending {
                    let work = work(&self.state, "group-add");
                    tokio::spawn(async move { ops::settle(&work, creation).await });
                }
            }
            Err(error) => {
                tracing::warn!(%error, "creations that were under way can't be read; the next look tries again");
            }
        }
    }

    /// One look. Whether so many records lack something that none is dropped.
    async fn look(&self, extent: Extent) -> Result<bool, ops::Error> {
        let first = self.gone(extent).await?;
        if first.is_empty() {
            metrics::records_without_group(0);
            return Ok(false);
        }
        self.clock.sleep(BETWEEN_LISTS).await;
        let (gone, teams) = self.gone(extent).await?.also_in(&first);
        if gone.len().max(teams.len()) > MAX_DROPPED {
            metrics::records_without_group(gone.len());
            tracing::error!(
                records = gone.len(),
                teams_with_entries = teams.len(),
                "GitHub's lists lack the groups or teams of so many records that none is dropped. If they are gone indeed, \
                 release them with group-release"
            );
            return Ok(true);
        }
        metrics::records_without_group(0);
        if !gone.is_empty() {
            records::drop_gone(&work(&self.state, "group-release"), &gone).await?;
        }
        for team in teams {
            ops::access::drop_of_gone(&work(&self.state, "access-remove"), team).await?;
        }
        Ok(false)
    }

    /// The records whose group or team is not listed.
    async fn gone(&self, extent: Extent) -> Result<Gone, ops::Error> {
        let organisation = &self.state.organisation;
        let Some(records) = organisation.groups.records() else { return Ok(Gone::default()) };
        // Before the lists: a group that is made meanwhile is in neither.
        let (all, with_entries) = (records.all().await?, organisation.entries.teams());
        let Listed { groups, teams } = self.list(extent == Extent::Groups).await?;
        let lacks_team =
            |record: &&GroupRecord| teams.as_ref().is_some_and(|teams| !teams.contains(&record.team));
        Ok(Gone {
            without_group: all.iter().filter(|record| !groups.contains(&record.group)).cloned().collect(),
            without_team: all.iter().filter(lacks_team).cloned().collect(),
            teams_with_entries: with_entries
                .into_iter()
                .filter(|team| teams.as_ref().is_some_and(|teams| !teams.contains(team)))
                .collect(),
        })
    }

    async fn list(&self, groups_alone: bool) -> Result<Listed, ops::Error> {
        let (organisation, oversight) = (&self.state.organisation, Oversight::of_the_service());
        let groups = organisation.groups.all(&oversight).await?;
        // Every organisation has it, so a list without it is not complete.
        if !groups.iter().any(|group| group.default) {
            return Err(incomplete("the list of runner groups lacks Default"));
        }
        let teams = if groups_alone { None } else { Some(organisation.teams.ids(&oversight).await?) };
        if teams.as_ref().is_some_and(HashSet::is_empty) {
            return Err(incomplete("the list of teams is empty"));
        }
        Ok(Listed { groups: groups.iter().map(|group| group.id).collect(), teams })
    }
}

fn incomplete(what: &str) -> ops::Error {
    GroupError::from(crate::github::Error::unexpected(what)).into()
}
