//! JIT configs: a runner that registers once, into the team's own group, and takes one job.

use std::time::Duration;

use secrecy::SecretString;

use super::runners::RunnerView;
use super::{Error, find_group, on_group, write};
use crate::access::{Authority, ManagedGroup};
use crate::audit::Trail;
use crate::domain::jit::{RANDOM_CHARACTERS, WorkFolder};
use crate::domain::names::{Label, RunnerName};
use crate::github::{Class, Github, JitRunner, Runner};
use crate::ops::groups::missing_group;
use crate::state::Shared;

/// GitHub may finish a request after the wait for its answer ended; waits before each look for what it left.
const LOOKED_FOR_AFTER: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3)];
/// The first Enterprise Server that registers runners for one job.
const FIRST_ENTERPRISE_SERVER: (u32, u32) = (3, 10);
/// What GitHub says of a runner that never connected.
const NEVER_CONNECTED: &str = "unknown";

/// What a caller asks for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// At least one; GitHub adds none of its own.
    pub labels: Vec<Label>,
    /// A name that begins with the prefix; one is made when left out.
    pub name: Option<RunnerName>,
    /// Where the job's files go.
    pub work_folder: WorkFolder,
}

/// A runner, and the secret that it registers with.
#[derive(Debug)]
pub struct Granted {
    /// The runner; it exists, offline, from now on.
    pub runner: RunnerView,
    /// What `run.sh --jitconfig` takes.
    pub config: SecretString,
}

/// What GitHub is asked to register.
struct Registration {
    name: RunnerName,
    labels: Vec<Label>,
    work_folder: WorkFolder,
    most_runners: u64,
}

/// Registers a runner for one job in the team's group.
pub async fn generate(
    state: &Shared,
    authority: &Authority,
    wanted: Wanted,
    trail: &Trail,
) -> Result<Granted, Error> {
    let policy = state.policy.load_full();
    policy.jit.check_labels(&wanted.labels).map_err(Error::JitDenied)?;
    let name = policy.jit.name(authority.team().slug(), wanted.name, &random()).map_err(Error::JitDenied)?;
    trail.note(|record| record.runners = vec![name.to_string()]);
    let registration = Registration {
        name,
        labels: wanted.labels,
        work_folder: wanted.work_folder,
        most_runners: policy.max_runners,
    };
    let found = find_group(state, authority, trail).await?;
    let (shared, authority, notes) = (state.clone(), authority.clone(), trail.clone());
    let work = async move {
        let registration = &registration;
        let (shared_ref, authority) = (&shared, &authority);
        let register = |group| register(shared_ref, group, registration);
        let granted = on_group(shared_ref, authority, &notes, found, register).await?;
        Ok(Granted { runner: RunnerView::of(&granted.runner, None), config: granted.encoded_jit_config })
    };
    write(state, trail, Box::pin(work)).await
}

async fn register(state: &Shared, group: ManagedGroup, wanted: &Registration) -> Result<JitRunner, Error> {
    let github = &state.github;
    // Held until the runner is registered, so that two callers at once can't both take the last place.
    let _place = if wanted.most_runners > 0 {
        let turn = state.quota_turn(group.id()).await;
        let held = github.group_runners(group.id()).await.map_err(missing_group)?.len() as u64;
        if held >= wanted.most_runners {
            return Err(Error::TooManyRunners(wanted.most_runners));
        }
        Some(turn)
    } else {
        None
    };
    let folder = wanted.work_folder.as_str();
    match github.generate_jit_config(group.id(), &wanted.name, &wanted.labels, folder).await {
        Ok(granted) => Ok(granted),
        Err(error) => {
            let answer_was_lost = matches!(error.class(), Class::Timeout | Class::Faulty | Class::Unexpected);
            if answer_was_lost {
                remove_what_was_left(github, &group, wanted).await;
            }
            Err(match error.class() {
                Class::NotFound => match error.enterprise_version() {
                    Some(version) if version < FIRST_ENTERPRISE_SERVER => Error::NoJitHere(version),
                    _ => Error::GroupNotFound,
                },
                Class::Conflict => Error::RunnerExists(wanted.name.clone()),
                Class::Rejected(message) => Error::Rejected(message.clone()),
                _ => error.into(),
            })
        }
    }
}

/// After an answer that was lost GitHub may have registered the runner, with a config that nobody holds. It is
/// removed if it is beyond doubt the one asked for: in this group, for one job, never connected.
async fn remove_what_was_left(github: &Github, group: &ManagedGroup, wanted: &Registration) {
    for wait in LOOKED_FOR_AFTER {
        tokio::time::sleep(wait).await;
        match github.runner_named(&wanted.name).await {
            Ok(Some(runner)) if is_left_behind(&runner, group, wanted) => {
                match github.delete_runner(runner.id).await {
                    Ok(()) => tracing::info!(runner = %wanted.name, "removed a runner whose config was lost"),
                    Err(error) => {
                        tracing::warn!(%error, runner = %wanted.name, "a runner may be left behind");
                    }
                }
                return;
            }
            Ok(Some(_)) => return,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, runner = %wanted.name, "a runner may be left behind"),
        }
    }
}

fn is_left_behind(runner: &Runner, group: &ManagedGroup, wanted: &Registration) -> bool {
    !runner.busy
        && !runner.is_online()
        && runner.os == NEVER_CONNECTED
        && runner.runner_group_id.is_none_or(|id| id == group.id())
        && runner.labels.len() == wanted.labels.len()
        && wanted.labels.iter().all(|label| runner.has_label(label))
}

/// Characters that make a name unique.
fn random() -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    id.chars().take(RANDOM_CHARACTERS).collect()
}
