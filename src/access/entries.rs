//! Access entries: what a team's maintainers, or the administrator, let callers do who are no users. Matching happens here alone,
//! in memory, before GitHub is asked anything.

mod index;
mod kept;
mod void;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use self::index::Index;
use self::void::Validity;
pub use self::void::{Terms, Void};
use super::mirror::{Image, Mirror};
use super::{
    AccessError, Authority, GroupError, ManagedTeam, Principal, Records, Requester, Right, Rights, Teams,
    TokenHolder,
};
use crate::account::Account;
use crate::clock::Clock;
use crate::domain::cache_ttls::CacheTtls;
use crate::domain::entry::{AccessEntry, EntryId, Source as EntrySource, TeamToken};
use crate::domain::ids::TeamId;
use crate::domain::names::{Label, RepoName};
use crate::domain::reference::TeamReference;
use crate::github::Github;
use crate::limits::HourlyLimiter;
use crate::metrics;
use crate::store::{Health, StoreError};

/// The entries of the store at one moment.
#[derive(Clone, Default)]
struct Stored {
    revision: u64,
    entries: Index,
}

impl Image for Stored {
    fn revision(&self) -> u64 {
        self.revision
    }
}

/// In which JIT configs are counted, in seconds.
const HOUR: u64 = 3_600;
/// How long a request waits to know what other processes gave.
const STORE_LIMIT: Duration = Duration::from_secs(1);

/// Whose JIT configs are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Counted {
    Entry(EntryId),
    Team(TeamId),
}

/// All entries.
pub struct Entries {
    /// The store, if there is one; it also knows whether that is this organisation's.
    records: Option<Arc<Records>>,
    stored: Mirror<Stored>,
    configured: ArcSwap<Index>,
    validity: Validity,
    jit_configs: HourlyLimiter<Counted>,
    /// When entries were used last (seconds since 1970), as far as the store doesn't know yet.
    uses: Mutex<HashMap<EntryId, u64>>,
    /// For so long after the store began to fail, what is in memory counts.
    grace: Duration,
    clock: Clock,
}

/// The entries of one team by which somebody may do an operation, oldest first.
pub struct Candidates {
    requester: Requester,
    team: ManagedTeam,
    right: Right,
    entries: Vec<Arc<AccessEntry>>,
}

impl Candidates {
    /// For which team.
    pub fn team(&self) -> &ManagedTeam {
        &self.team
    }
}

impl Entries {
    /// Nothing is read yet.
    pub fn new(
        records: Option<Arc<Records>>,
        grace: Duration,
        ttls: CacheTtls,
        github: Arc<Github>,
        clock: Clock,
    ) -> Self {
        Self {
            records,
            stored: Mirror::default(),
            configured: ArcSwap::default(),
            validity: Validity::new(ttls, github, clock.clone()),
            jit_configs: HourlyLimiter::new(clock.clone()),
            uses: Mutex::default(),
            grace,
            clock,
        }
    }

    /// Whether there is a store to keep entries in.
    pub fn are_kept(&self) -> bool {
        self.records.is_some()
    }

    /// Puts the administrator's own entries in force.
    pub fn configure(&self, entries: Vec<AccessEntry>) {
        self.configured.store(Arc::new(Index::of(entries)));
    }

    /// Forgets what GitHub said about repositories and environments.
    pub fn forget_all(&self) {
        self.validity.forget_all();
    }

    /// Reads the entries again if they have another revision than those in memory.
    ///
    /// # Errors
    /// The store can't be read; what is in memory stays.
    pub async fn follow(&self, revision: u64) -> Result<(), StoreError> {
        match &self.records {
            Some(records) => self.stored.follow(revision, &**records).await,
            None => Ok(()),
        }
    }

    /// Whoever holds a team token.
    ///
    /// # Errors
    /// There is no such token, or it expired; or the store could not be read.
    pub(super) async fn holder_of(&self, token: &TeamToken) -> Result<TokenHolder, AccessError> {
        let stored = self.stored().await?.ok_or(AccessError::UnknownTeamToken)?;
        let entry = stored.entries.of_token(token.hash());
        let entry = entry.filter(|entry| !entry.is_over(self.clock.unix_seconds()));
        entry.map(TokenHolder).ok_or(AccessError::UnknownTeamToken)
    }

    /// The entries by which somebody who is no user may use a right for the team that is named.
    ///
    /// # Errors
    /// There is none, which costs no call; or it can't be found out.
    pub async fn candidates(
        &self,
        requester: &Requester,
        named: &TeamReference,
        right: Right,
        terms: &Terms<'_>,
    ) -> Result<Candidates, AccessError> {
        let mut entries = Vec::new();
        for entry in self.fitting(requester).await? {
            let gives = |operation| {
                terms.policy.access.operations.contains(operation) && Right::from(*operation) == right
            };
            if entry.operations.iter().any(gives) && is_of(&entry, named, terms.teams).await {
                entries.push(entry);
            }
        }
        // Whoever has an entry is known here, and may go on while few calls are left.
        let Some(first) = entries.first() else { return Err(AccessError::NotTrusted) };
        Account::current().set_has_standing();
        if let EntrySource::Store { created_by, .. } = &first.source {
            Account::current().set_creator(*created_by);
        }
        let team = self.team_of(&entries, named, terms.teams).await?;
        entries.retain(|entry| entry.team == team.id() && self.validity.known(entry, &team, terms).is_none());
        let candidates = Candidates { requester: requester.clone(), team, right, entries };
        let name = repository_name(requester);
        for entry in &candidates.entries {
            if self.validity.asked(entry, &candidates.team, name.clone(), terms).await?.is_none() {
                return Ok(candidates);
            }
        }
        Err(AccessError::NotTrusted)
    }

    /// The authority by the oldest of these entries that allows the whole request.
    ///
    /// # Errors
    /// None does, or the policy doesn't let the team use the service.
    pub async fn choose(
        &self,
        candidates: Candidates,
        labels: &[Label],
        terms: &Terms<'_>,
    ) -> Result<Authority, AccessError> {
        let Candidates { requester, team, right, entries } = candidates;
        let name = repository_name(&requester);
        let mut refused = None;
        for entry in entries {
            if right == Right::JitconfigGenerate
                && let Some(label) = entry.refused_label(labels)
            {
                refused.get_or_insert(AccessError::LabelNotTrusted(label.clone()));
                continue;
            }
            if self.validity.asked(&entry, &team, name.clone(), terms).await?.is_some() {
                continue;
            }
            if !terms.policy.teams.permit(team.id(), team.slug().as_str()) {
                return Err(AccessError::TeamDenied);
            }
            self.note_use(entry.id);
            let rights = Rights::of_entry(&entry, &terms.policy.access);
            return Ok(Authority { principal: Principal::Holder { requester, entry }, team, rights });
        }
        Err(refused.unwrap_or(AccessError::NotTrusted))
    }

    /// The first of the teams of these entries that is the one that is named.
    async fn team_of(
        &self,
        entries: &[Arc<AccessEntry>],
        named: &TeamReference,
        teams: &Teams,
    ) -> Result<ManagedTeam, AccessError> {
        let mut ids: Vec<_> = entries.iter().map(|entry| entry.team).collect();
        ids.dedup();
        for id in ids {
            if let Some(team) = teams.of_entry(id, named).await? {
                return Ok(team);
            }
        }
        Err(AccessError::NotTrusted)
    }

    /// The entries that let somebody act at all, oldest first.
    async fn fitting(&self, requester: &Requester) -> Result<Vec<Arc<AccessEntry>>, AccessError> {
        match requester {
            Requester::User(_) => Ok(Vec::new()),
            Requester::TokenHolder(holder) => {
                // It may have been removed since.
                let stored = self.stored().await?;
                Ok(stored
                    .and_then(|stored| stored.entries.get(holder.entry()).cloned())
                    .into_iter()
                    .collect())
            }
            Requester::Workload(workload) => {
                let mut entries = self.configured.load().fitting(workload);
                match self.stored().await {
                    Ok(Some(stored)) => entries.extend(stored.entries.fitting(workload)),
                    // The administrator's own go on.
                    Err(error) if entries.is_empty() => return Err(error),
                    Ok(None) | Err(_) => {}
                }
                Ok(entries)
            }
        }
    }

    /// The entries of a team, oldest first; while the store fails, those in memory: this lets nobody act.
    ///
    /// # Errors
    /// The store could not be read since the start.
    pub async fn of_team(&self, team: TeamId) -> Result<Vec<Arc<AccessEntry>>, AccessError> {
        let mut entries = self.configured.load().of_team(team);
        if let Some(stored) = self.image().await? {
            entries.extend(stored.entries.of_team(team));
        }
        Ok(entries)
    }

    /// The teams that have entries in the store, as far as it was read.
    pub fn teams(&self) -> Vec<TeamId> {
        self.stored.seen().map_or_else(Vec::new, |stored| stored.entries.teams().collect())
    }

    /// Why an entry counts for nothing, if so.
    ///
    /// # Errors
    /// It can't be found out.
    pub async fn void(
        &self,
        entry: &AccessEntry,
        team: &ManagedTeam,
        terms: &Terms<'_>,
    ) -> Result<Option<Void>, AccessError> {
        match self.validity.known(entry, team, terms) {
            Some(void) => Ok(Some(void)),
            None => self.validity.asked(entry, team, None, terms).await,
        }
    }

    /// Counts a JIT config that is about to be asked for, if it is by an entry. The error is how long to wait.
    pub async fn count_jit_config(&self, authority: &Authority, most_of_team: u32) -> Result<(), Duration> {
        let Some(entry) = authority.entry() else { return Ok(()) };
        let of_team = (Counted::Team(entry.team), most_of_team);
        let counted = match self.jit_configs.count(&[(Counted::Entry(entry.id), entry.per_hour), of_team]) {
            Ok(()) => Box::pin(self.count_in_store(entry, most_of_team)).await,
            Err(wait) => Err(wait),
        };
        counted.inspect_err(|_| metrics::limited(metrics::Limiter::JitConfigs))
    }

    /// What other processes gave as well, and this one before it was started. While the store fails each counts alone.
    async fn count_in_store(&self, entry: &AccessEntry, most_of_team: u32) -> Result<(), Duration> {
        let Some(records) = self.records.as_ref().filter(|records| records.is_usable()) else {
            return Ok(());
        };
        let now = self.clock.unix_seconds();
        let given = records.store().given_since(entry.id, entry.team, now.saturating_sub(HOUR));
        let Ok(Ok(given)) = tokio::time::timeout(STORE_LIMIT, given).await else { return Ok(()) };
        for (given, most) in given.iter().zip([entry.per_hour, most_of_team]) {
            if given.count >= u64::from(most) {
                let wait = given.first.map_or(HOUR, |first| (first + HOUR).saturating_sub(now)).max(1);
                return Err(Duration::from_secs(wait));
            }
        }
        Ok(())
    }

    fn note_use(&self, entry: EntryId) {
        let now = self.clock.unix_seconds();
        self.uses.lock().unwrap_or_else(PoisonError::into_inner).insert(entry, now);
    }

    /// The entries of the store by which somebody may act; none without a store.
    async fn stored(&self) -> Result<Option<Arc<Stored>>, AccessError> {
        if let Some(records) = &self.records
            && let Health::Failing { since } = *records.store().health().borrow()
            && self.clock.now().saturating_sub(since) > self.grace
        {
            return Err(StoreError::Unavailable("it fails for too long".to_owned()).into());
        }
        self.image().await
    }

    /// The entries of the store, however long ago they were read; none without a store.
    async fn image(&self) -> Result<Option<Arc<Stored>>, AccessError> {
        let Some(records) = &self.records else { return Ok(None) };
        if !records.is_bound() {
            // Boxed, since it happens once.
            Box::pin(records.bind()).await?;
        }
        Ok(Some(self.stored.image(&**records).await?))
    }
}

impl From<GroupError> for AccessError {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::Store(error) => error.into(),
            GroupError::Github(error) => error.into(),
            other => crate::github::Error::unexpected(other.to_string()).into(),
        }
    }
}

/// Whether the team that is named is the entry's, as far as is known without asking GitHub.
async fn is_of(entry: &AccessEntry, named: &TeamReference, teams: &Teams) -> bool {
    match named {
        TeamReference::Id(id) => *id == entry.team,
        TeamReference::Slug(slug) => {
            *slug == entry.team_slug
                || teams.remembered_slug(&TeamReference::Id(entry.team)).await.as_ref() == Some(slug)
        }
    }
}

fn repository_name(requester: &Requester) -> Option<RepoName> {
    match requester {
        Requester::Workload(workload) => workload.repository_name(),
        Requester::User(_) | Requester::TokenHolder(_) => None,
    }
}
