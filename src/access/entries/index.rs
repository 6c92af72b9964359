//! Entries, found by whom they let act.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::access::Workload;
use crate::domain::entry::{AccessEntry, EntryId, Holder, TokenHash};
use crate::domain::ids::{RepositoryId, TeamId};

/// Entries, each found in several ways.
#[derive(Clone, Default)]
pub(super) struct Index {
    all: HashMap<EntryId, Arc<AccessEntry>>,
    of_teams: HashMap<TeamId, Vec<EntryId>>,
    of_repositories: HashMap<RepositoryId, Vec<EntryId>>,
    /// By issuer and subject.
    of_subjects: HashMap<(String, String), Vec<EntryId>>,
    /// By the first bytes of a team token's hash: the rest is compared in the same time whatever it is.
    of_tokens: HashMap<[u8; 8], Vec<EntryId>>,
}

impl Index {
    pub(super) fn of(entries: impl IntoIterator<Item = AccessEntry>) -> Self {
        let mut index = Self::default();
        for entry in entries {
            index.insert(entry);
        }
        index
    }

    pub(super) fn insert(&mut self, entry: AccessEntry) {
        let id = entry.id;
        self.of_teams.entry(entry.team).or_default().push(id);
        match &entry.holder {
            Holder::GithubActions(conditions) => {
                self.of_repositories.entry(conditions.repository).or_default().push(id);
            }
            Holder::Oidc(conditions) => {
                let key = (conditions.issuer.clone(), conditions.subject.clone());
                self.of_subjects.entry(key).or_default().push(id);
            }
            Holder::Token(hash) => self.of_tokens.entry(first_bytes(*hash)).or_default().push(id),
        }
        self.all.insert(id, Arc::new(entry));
    }

    /// Removes an entry of a team.
    pub(super) fn remove(&mut self, team: TeamId, id: EntryId) {
        if self.all.get(&id).is_some_and(|entry| entry.team == team) {
            self.remove_all(|entry| entry.id == id);
        }
    }

    /// Removes all entries of a team.
    pub(super) fn remove_team(&mut self, team: TeamId) {
        self.remove_all(|entry| entry.team == team);
    }

    fn remove_all(&mut self, is_unwanted: impl Fn(&AccessEntry) -> bool) {
        let kept: Vec<_> = self.all.values().filter(|entry| !is_unwanted(entry)).cloned().collect();
        *self = Self::of(kept.iter().map(|entry| AccessEntry::clone(entry)));
    }

    pub(super) fn get(&self, id: EntryId) -> Option<&Arc<AccessEntry>> {
        self.all.get(&id)
    }

    /// The entries of a team, oldest first.
    pub(super) fn of_team(&self, team: TeamId) -> Vec<Arc<AccessEntry>> {
        self.sorted(self.of_teams.get(&team))
    }

    /// The teams that have entries.
    pub(super) fn teams(&self) -> impl Iterator<Item = TeamId> {
        self.of_teams.keys().copied()
    }

    /// The entries whose conditions a workload fulfils, oldest first.
    pub(super) fn fitting(&self, workload: &Workload) -> Vec<Arc<AccessEntry>> {
        let ids = match workload.repository() {
            Some(repository) => self.of_repositories.get(&repository),
            None => self.of_subjects.get(&(workload.issuer().name.clone(), workload.subject().to_owned())),
        };
        let fits = |entry: &Arc<AccessEntry>| match &entry.holder {
            Holder::GithubActions(conditions) => {
                workload.issuer().is_actions && conditions.fit(workload.claims())
            }
            Holder::Oidc(conditions) => {
                !workload.issuer().is_actions && conditions.fit(&workload.issuer().name, workload.claims())
            }
            Holder::Token(_) => false,
        };
        self.sorted(ids).into_iter().filter(fits).collect()
    }

    /// The entry of a team token.
    pub(super) fn of_token(&self, hash: TokenHash) -> Option<Arc<AccessEntry>> {
        let is_its = |entry: &&Arc<AccessEntry>| matches!(&entry.holder, Holder::Token(own) if verify_slices_are_equal(&own.0, &hash.0).is_ok());
        self.of_tokens.get(&first_bytes(hash))?.iter().filter_map(|id| self.all.get(id)).find(is_its).cloned()
    }

    fn sorted(&self, ids: Option<&Vec<EntryId>>) -> Vec<Arc<AccessEntry>> {
        let found = ids.into_iter().flatten().filter_map(|id| self.all.get(id));
        let mut entries: Vec<_> = found.cloned().collect();
        entries.sort_by_key(|entry| (entry.created_at(), entry.id));
        entries
    }
}

fn first_bytes(hash: TokenHash) -> [u8; 8] {
    let mut first = [0; 8];
    first.copy_from_slice(&hash.0[..8]);
    first
}
