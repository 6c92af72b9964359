//! The parts that requests share, made of a configuration.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwap;
use secrecy::SecretString;
use tokio::sync::{Notify, watch};

use super::{CALLS_IN_A_ROW, DRAIN, StartError, reload};
use crate::access::{
    Administrators, Authentication, Entries, Groups, Identities, Members, Ownership, Records, Teams,
    UsedTokens,
};
use crate::audit::{AuditLog, LimitedCallers};
use crate::clock::Clock;
use crate::config::{Config, Credentials, GroupProof};
use crate::github::{App, Github, Settings};
use crate::oidc::Verifier;
use crate::organisation::{HandedOut, Organisation, RunnerTurns};
use crate::replicas::{Replicas, Turns};
use crate::single_flight::SingleFlight;
use crate::state::{Check, State};
use crate::store::Store;
use crate::telemetry;
use crate::tls::CertificateStore;
use crate::writes::Writes;

/// All of them.
pub(super) fn build(
    config: &Config,
    clock: &Clock,
    (secret, certificates): (SecretString, Option<Arc<CertificateStore>>),
    store: Option<&Arc<Store>>,
    check: watch::Receiver<Check>,
) -> Result<State, StartError> {
    let replicas = Arc::new(Replicas::on(store));
    let (callers, unknown_tokens) = reload::limiters(config, &replicas, clock);
    let github = Arc::new(Github::new(settings_of(config, secret), replicas.clone(), clock.clone())?);
    let identities = Identities::new(unknown_tokens, config.cache, github.clone(), clock.clone());
    let identities = Arc::new(identities.map_err(|_| StartError::Random)?);
    let organisation = Arc::new(organisation(config, clock, github.clone(), replicas, store));
    let verifier = Verifier::new(config.oidc.clone(), clock.clone())?;
    let authentication = Authentication::new(identities, verifier, organisation.entries.clone(), github);
    let used_tokens = UsedTokens::new(organisation.records.clone(), clock.clone());
    Ok(State {
        organisation,
        authentication,
        used_tokens: Arc::new(used_tokens),
        configured_access: watch::Sender::new(config.access.clone()),
        caller_limiter: ArcSwap::from_pointee(callers),
        audit_log: AuditLog::new(telemetry::audit_room(), store.cloned()),
        limited_callers: LimitedCallers::here(),
        writes: Writes::here(),
        legacy_get: config.server.legacy_get,
        docs: config.server.docs,
        trusted_proxies: config.server.trusted_proxies.clone(),
        request_deadline: (config.github.timeout * CALLS_IN_A_ROW).min(DRAIN.max(config.github.timeout)),
        certificates,
        check,
        was_accepted: AtomicBool::new(false),
        check_now: Notify::new(),
        draining: AtomicBool::new(false),
    })
}

fn organisation(
    config: &Config,
    clock: &Clock,
    github: Arc<Github>,
    replicas: Arc<Replicas>,
    store: Option<&Arc<Store>>,
) -> Organisation {
    let members = Arc::new(Members::new(github.clone(), clock.clone()));
    let records = store.map(|store| {
        let api_url = config.github.api_url.as_str().to_owned();
        Arc::new(Records::new(store.clone(), github.clone(), api_url))
    });
    let entries =
        Entries::new(records.clone(), config.store.grace, config.cache, github.clone(), clock.clone());
    Organisation {
        name: config.org.clone(),
        teams: Teams::new(config.groups.name.clone(), config.cache, members.clone(), github.clone(), clock),
        members,
        groups: Groups::new(ownership(config, records.as_ref()), config.cache, github.clone(), clock.clone()),
        administrators: Administrators::new(
            config.administrators.clone(),
            records.clone(),
            github.clone(),
            clock.clone(),
        ),
        allow_open_groups: config.groups.allow_open,
        clock: clock.clone(),
        github,
        store: store.cloned(),
        records,
        entries: Arc::new(entries),
        issuers: ArcSwap::from_pointee(config.oidc.clone()),
        policy: ArcSwap::from_pointee(config.policy.clone()),
        scopes: ArcSwap::from_pointee(config.scopes.clone()),
        views: SingleFlight::new(),
        turns: Turns::new(replicas.clone()),
        replicas,
        runner_turns: RunnerTurns::default(),
        handed_out: HandedOut::default(),
    }
}

/// What says which group is a team's.
fn ownership(config: &Config, records: Option<&Arc<Records>>) -> Ownership {
    match (config.group_proof(), records) {
        (Some(GroupProof::Records), Some(records)) => Ownership::Recorded(records.clone()),
        (Some(GroupProof::NamesWithIds), _) => Ownership::Named,
        (Some(GroupProof::TrustedNames), _) => Ownership::TrustedNames,
        (Some(GroupProof::Records | GroupProof::Disabled) | None, _) => Ownership::Disabled,
    }
}

pub(super) fn settings_of(config: &Config, secret: SecretString) -> Settings {
    let app = match config.credentials {
        Credentials::App { app_id, installation_id, .. } => Some(App { id: app_id, installation_id }),
        Credentials::Token(_) => None,
    };
    Settings {
        org: config.org.clone(),
        api_url: config.github.api_url.as_str().to_owned(),
        ca_file: config.github.ca_file.clone(),
        timeout: config.github.timeout,
        concurrency: config.github.concurrency,
        shares: config.github.shares,
        app,
        secret,
    }
}
