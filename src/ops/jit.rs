//! JIT configs: a runner that registers once, into the team's own group, and takes one job.

use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::oneshot;

use super::runners::RunnerView;
use super::{EntryError, Error, Work};
use crate::access::ManagedGroup;
use crate::domain::jit::{RANDOM_CHARACTERS, WorkFolder};
use crate::domain::names::{Label, RunnerName};
use crate::github::{self, Class, JitRunner, Runner};
use crate::request::Caller;
use crate::store::Origin;

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
}

/// Registers a runner for one job in the team's group.
pub async fn generate(work: &Work, wanted: Wanted) -> Result<Granted, Error> {
    let policy = work.organisation().policy.load_full();
    policy.jit.check_labels(&wanted.labels).map_err(Error::JitDenied)?;
    let name =
        policy.jit.name(work.authority().team().slug(), wanted.name, &random()).map_err(Error::JitDenied)?;
    work.line().note(|details| details.runners = vec![name.to_string()]);
    let registration = Registration { name, labels: wanted.labels, work_folder: wanted.work_folder };
    let found = work.find_group().await?;
    let counted =
        work.organisation().entries.count_jit_config(work.authority(), policy.access.per_hour).await;
    counted.map_err(|retry_after| Error::Entry(EntryError::HourSpent { retry_after }))?;
    let (own, group) = (work.clone(), found.id());
    let (give, taken) = oneshot::channel();
    let write = async move {
        let register = |group| register(&own, group, &registration);
        let granted = own.on_group(found, register).await?;
        let (id, granted_in) = (granted.runner.id, granted.runner.runner_group_id.unwrap_or(group));
        keep_origin(&own, &granted.runner).await;
        // Whoever asked may be gone, or have been told that it took too long.
        if give.send(granted).is_ok() {
            return Ok(());
        }
        if let Err(error) = own.github().delete_runner(id, granted_in).await {
            tracing::warn!(%error, runner = %registration.name, "a runner may be left behind");
        }
        Err(Error::TooLate)
    };
    work.write(Box::pin(write)).await?;
    let granted: JitRunner = taken.await.map_err(|_| Error::Internal)?;
    Ok(Granted { runner: RunnerView::of(&granted.runner, None), config: granted.encoded_jit_config })
}

/// Remembers who was given the config of this runner.
async fn keep_origin(work: &Work, runner: &Runner) {
    let organisation = work.organisation();
    let entry = work.authority().entry().map(|entry| entry.id);
    organisation.handed_out.insert(runner.id, entry);
    if let Some(records) = organisation.records.as_ref().filter(|records| records.is_bound()) {
        let origin = Origin {
            runner: runner.id,
            name: runner.name.clone(),
            team: work.authority().team().id(),
            entry,
            caller: work.context().caller().map_or_else(String::new, Caller::to_json),
            at: organisation.clock.unix_seconds(),
        };
        Box::pin(records.store().keep_origin(origin)).await;
    }
}

async fn register(work: &Work, group: ManagedGroup, wanted: &Registration) -> Result<JitRunner, Error> {
    work.require_selected(&group)?;
    let github = work.github();
    let _turn = work.turn_for(&group, 1).await?;
    let folder = wanted.work_folder.as_str();
    match github.generate_jit_config(group.id(), &wanted.name, &wanted.labels, folder).await {
        Ok(granted) => Ok(granted),
        Err(error) => {
            let answer_was_lost = matches!(
                error.class(),
                Class::Timeout | Class::Faulty { .. } | Class::NotGithub | Class::Unexpected
            );
            if answer_was_lost {
                remove_what_was_left(work, &group, wanted).await;
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

/// After an answer that was lost GitHub may have registered the runner, with a config that nobody holds.
async fn remove_what_was_left(work: &Work, group: &ManagedGroup, wanted: &Registration) {
    for wait in LOOKED_FOR_AFTER {
        tokio::time::sleep(wait).await;
        match look_for_it(work, group, wanted).await {
            Ok(Look::Nothing) => {}
            Ok(Look::Settled) => return,
            Err(error) => tracing::warn!(%error, runner = %wanted.name, "a runner may be left behind"),
        }
    }
}

/// What a look for a runner that may be left behind came to.
enum Look {
    /// There is none, or not yet.
    Nothing,
    /// It is removed, or the runner of that name is another.
    Settled,
}

async fn look_for_it(
    work: &Work,
    group: &ManagedGroup,
    wanted: &Registration,
) -> Result<Look, github::Error> {
    let Some(runner) = work.github().runner_named(&wanted.name).await? else { return Ok(Look::Nothing) };
    let is_it = looks_left_behind(&runner, wanted)
        && !work.organisation().handed_out.contains(runner.id)
        && is_in(work, &runner, group).await?;
    if !is_it {
        return Ok(Look::Settled);
    }
    match work.github().delete_runner(runner.id, group.id()).await {
        Ok(()) => tracing::info!(runner = %wanted.name, "removed a runner whose config was lost"),
        // It took a job, or somebody was faster.
        Err(error) if matches!(error.class(), Class::NotFound | Class::Rejected(_)) => {}
        Err(error) => return Err(error),
    }
    Ok(Look::Settled)
}

/// As GitHub registers it and nobody has used it yet.
fn looks_left_behind(runner: &Runner, wanted: &Registration) -> bool {
    !runner.busy
        && !runner.is_online()
        && runner.os == NEVER_CONNECTED
        && runner.labels.len() == wanted.labels.len()
        && wanted.labels.iter().all(|label| runner.has_label(label))
}

/// A server that doesn't say which group a runner is in is asked for the group's own list.
async fn is_in(work: &Work, runner: &Runner, group: &ManagedGroup) -> Result<bool, github::Error> {
    match runner.runner_group_id {
        Some(id) => Ok(id == group.id()),
        None => Ok(work.github().group_runners(group.id()).await?.iter().any(|own| own.id == runner.id)),
    }
}

/// Characters that make a name unique.
fn random() -> String {
    std::iter::repeat_with(|| char::from_digit(fastrand::u32(..16), 16).unwrap_or('0'))
        .take(RANDOM_CHARACTERS)
        .collect()
}
