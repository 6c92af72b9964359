//! The configuration's file, read again while the service runs.

use std::sync::Arc;

use super::watched::{KEEPS_CHANGING, Looks};
use crate::audit::{self, AuditLog};
use crate::clock::Clock;
use crate::config::{self, Change, Config, Loaded, Problems, Snapshot, Sources};
use crate::domain::text::one_line;
use crate::limits::{AddressLimiter, CallerLimiter};
use crate::metrics::{self, ReloadOutcome, Reloaded};
use crate::oidc::Verifier;
use crate::replicas::Replicas;
use crate::state::Shared;

/// Characters of a value that a log line shows. An audit line shows it as a whole.
const MAX_CHARACTERS: usize = 200;

/// The configuration as it was last read.
pub struct Configuration {
    sources: Arc<Sources>,
    /// What all settings that need a restart are in force from.
    started: Arc<Loaded>,
    /// What all others are in force from.
    in_force: Arc<Loaded>,
    /// What the file was when it was last dealt with.
    seen: Result<Option<Snapshot>, Problems>,
    /// What is wrong with it, if it could not be put in force.
    refused: Option<String>,
}

impl Configuration {
    /// To be called when `loaded` was just loaded from `sources`, and is in force.
    pub fn of(sources: Sources, loaded: Loaded) -> Self {
        // What can't be read again, such as a pipe, has not changed until somebody asks.
        let seen = config::look(&sources).map(|_| loaded.snapshot.clone());
        let started = Arc::new(loaded);
        Self { sources: Arc::new(sources), in_force: started.clone(), started, seen, refused: None }
    }

    /// Keeps in force what may change while the service runs; `apply` gets each configuration first.
    pub(super) async fn watch(
        mut self,
        state: Shared,
        clock: Clock,
        mut looks: Looks,
        apply: impl Fn(&Config) + Send,
    ) {
        loop {
            let is_asked = looks.next().await;
            let sources = self.sources.clone();
            let seen = |now: &Result<_, _>| *now == self.seen;
            let Some(now) = looks.look(seen, move || config::look(&sources)).await else {
                self.refuse(KEEPS_CHANGING.to_owned(), is_asked);
                continue;
            };
            if now == self.seen && self.refused.is_none() && !is_asked {
                continue;
            }
            self.seen.clone_from(&now);
            match self.load(now).await {
                Ok(loaded) => {
                    apply(&loaded.config);
                    put_in_force(&loaded.config, &state, &clock);
                    self.refused = None;
                    self.report(Arc::new(loaded), &state.audit_log);
                }
                Err(problems) => self.refuse(problems.to_string(), is_asked),
            }
        }
    }

    async fn load(&self, now: Result<Option<Snapshot>, Problems>) -> Result<Loaded, Problems> {
        let snapshot = now?;
        let (sources, in_force) = (self.sources.clone(), self.in_force.clone());
        // Reading what the settings name may block.
        let load = move || config::load_again(snapshot, &sources, &in_force);
        tokio::task::spawn_blocking(load)
            .await
            .unwrap_or_else(|cause| Err(Problems::one(&format!("it can't be read: {cause}"))))
    }

    /// Leaves the old one in force. Said when it first shows, and to those who ask.
    fn refuse(&mut self, problems: String, is_asked: bool) {
        if is_asked || self.refused.as_ref() != Some(&problems) {
            metrics::reload(Reloaded::Configuration, ReloadOutcome::Failure);
            tracing::error!(problems, "the old configuration stays in force");
        }
        self.refused = Some(problems);
    }

    /// Says what changed, and takes note of what is in force now.
    fn report(&mut self, loaded: Arc<Loaded>, log: &AuditLog) {
        let changes = config::changes(&self.in_force, &loaded);
        let mut waiting = config::changes(&self.started, &loaded);
        waiting.retain(Change::needs_restart);
        self.in_force = loaded;
        metrics::reload(Reloaded::Configuration, ReloadOutcome::Success);
        metrics::restart_needed(!waiting.is_empty());
        let shown = (!changes.is_empty()).then(|| line_of(&changes));
        tracing::info!(changes = shown, "the configuration was read again");
        if !waiting.is_empty() {
            let settings = line_of(&waiting);
            tracing::warn!(
                settings,
                "some settings were changed that need a restart: until then the old values are in force"
            );
        }
        if !changes.is_empty() {
            audit::write_changes(changes, log.clone());
        }
    }
}

/// The changes in one line.
fn line_of(changes: &[Change]) -> String {
    let shown = |value: &str| match one_line(value, MAX_CHARACTERS) {
        short if short.is_empty() => "(not set)".to_owned(),
        short if value.chars().count() > MAX_CHARACTERS => short + "…",
        short => short,
    };
    let line = |change: &Change| format!("{}: {} → {}", change.key, shown(&change.old), shown(&change.new));
    changes.iter().map(line).collect::<Vec<_>>().join("; ")
}

/// Puts in force what may change while the service runs: policy, scopes and limits.
fn put_in_force(config: &Config, state: &Shared, clock: &Clock) {
    let (users, unknown_tokens) = limiters(config, &state.organisation.replicas, clock);
    state.organisation.policy.store(Arc::new(config.policy.clone()));
    state.organisation.scopes.store(Arc::new(config.scopes.clone()));
    put_issuers_in_force(config, state, clock);
    state.configured_access.send_if_modified(|access| {
        let is_new = *access != config.access;
        access.clone_from(&config.access);
        is_new
    });
    state.caller_limiter.store(Arc::new(users));
    state.authentication.identities.limit_unknown_tokens(unknown_tokens);
}

/// Those that stay as they are keep the keys that were fetched.
fn put_issuers_in_force(config: &Config, state: &Shared, clock: &Clock) {
    if **state.organisation.issuers.load() == config.oidc {
        return;
    }
    match Verifier::new(config.oidc.clone(), clock.clone()) {
        Ok(verifier) => {
            state.authentication.replace_issuers(verifier);
            state.organisation.issuers.store(Arc::new(config.oidc.clone()));
        }
        Err(error) => tracing::error!(%error, "the old issuers of OIDC tokens stay in force"),
    }
}

/// The limits that a configuration sets.
pub(super) fn limiters(
    config: &Config,
    replicas: &Arc<Replicas>,
    clock: &Clock,
) -> (CallerLimiter, AddressLimiter) {
    let server = &config.server;
    (
        CallerLimiter::new(server.rate_limit, server.rate_burst, replicas.clone(), clock),
        AddressLimiter::new(server.unknown_token_rate, clock.clone()),
    )
}
