//! Self-hosted runners and the tokens that register and remove them.

use serde_json::json;

use super::call::Call;
use super::credential::Scope;
use super::paging::Listed;
use super::types::{JitRunner, Runner, RunnerLabel, RunnerToken};
use super::{Error, Github};
use crate::domain::ids::{GroupId, RunnerId};
use crate::domain::names::{Label, RepoName, RunnerName};
use crate::metrics::CallKind;

impl Listed for Runner {
    fn id(&self) -> u64 {
        self.id.0
    }

    fn bytes(&self) -> usize {
        let of_label = |label: &RunnerLabel| size_of::<RunnerLabel>() + label.name.len();
        let labels: usize = self.labels.iter().map(of_label).sum();
        size_of::<Self>() + self.name.len() + self.os.len() + self.status.len() + labels
    }
}

impl Github {
    /// A token with which runners are registered, into any group of the organisation.
    pub async fn registration_token(&self) -> Result<RunnerToken, Error> {
        self.send(Call::post(
            CallKind::RegistrationToken,
            format!("/orgs/{}/actions/runners/registration-token", self.org),
        ))
        .await?
        .parse()
    }

    /// A token with which runners are removed, from any group of the organisation.
    pub async fn removal_token(&self) -> Result<RunnerToken, Error> {
        self.send(Call::post(
            CallKind::RemovalToken,
            format!("/orgs/{}/actions/runners/remove-token", self.org),
        ))
        .await?
        .parse()
    }

    /// A token with which runners are registered at a repository.
    pub async fn repository_registration_token(&self, name: &RepoName) -> Result<RunnerToken, Error> {
        let path = format!("/repos/{}/{name}/actions/runners/registration-token", self.org);
        self.send_for_repository(
            Call::post(CallKind::RepositoryRegistrationToken, path),
            Scope::Administration(name),
        )
        .await?
        .parse()
    }

    /// A token with which a repository's runners are removed.
    pub async fn repository_removal_token(&self, name: &RepoName) -> Result<RunnerToken, Error> {
        let path = format!("/repos/{}/{name}/actions/runners/remove-token", self.org);
        self.send_for_repository(
            Call::post(CallKind::RepositoryRemovalToken, path),
            Scope::Administration(name),
        )
        .await?
        .parse()
    }

    /// Registers a runner for one job in a group, before it exists. GitHub adds no labels of its own.
    pub async fn generate_jit_config(
        &self,
        group: GroupId,
        name: &RunnerName,
        labels: &[Label],
        work_folder: &str,
    ) -> Result<JitRunner, Error> {
        let body = json!({
            "name": name.as_str(),
            "runner_group_id": group,
            "labels": labels.iter().map(Label::as_str).collect::<Vec<_>>(),
            "work_folder": work_folder,
        });
        let call =
            Call::post(CallKind::JitConfig, format!("/orgs/{}/actions/runners/generate-jitconfig", self.org))
                .with_body(body)
                .about_group(group);
        self.generations.write(&[group], self.send(call)).await?.parse()
    }

    /// The runner of this name, anywhere in the organisation.
    pub async fn runner_named(&self, name: &RunnerName) -> Result<Option<Runner>, Error> {
        // Over all pages, since GHES before 3.12 doesn't look at the name; compared here, since GitHub doesn't
        // say how it compares.
        let path = format!("/orgs/{}/actions/runners?name={name}", self.org);
        let listed = self.counted_list(&Call::get(CallKind::RunnerNamed, path)).await?;
        let found = self.recent.without_removed(listed, |runner: &Runner| runner.id).await;
        Ok(found.into_iter().find(|runner| runner.name.eq_ignore_ascii_case(name.as_str())))
    }

    /// One runner, as it is now.
    pub async fn runner(&self, id: RunnerId) -> Result<Runner, Error> {
        self.send(Call::get(CallKind::Runner, format!("/orgs/{}/actions/runners/{id}", self.org)))
            .await?
            .parse()
    }

    /// Removes a runner, which is in this group, from the organisation. GitHub refuses it while a job runs on it.
    pub async fn delete_runner(&self, id: RunnerId, group: GroupId) -> Result<(), Error> {
        let call = Call::delete(CallKind::DeleteRunner, format!("/orgs/{}/actions/runners/{id}", self.org));
        self.generations.write(&[group], self.send(call)).await?;
        self.recent.removed(id).await;
        Ok(())
    }

    /// Moves a runner from one group into another.
    pub async fn move_runner(&self, id: RunnerId, from: GroupId, to: GroupId) -> Result<(), Error> {
        let path = format!("/orgs/{}/actions/runner-groups/{to}/runners/{id}", self.org);
        let call = Call::put(CallKind::MoveRunner, path).about_group(to);
        self.generations.write(&[from, to], self.send(call)).await.map(drop)
    }
}
