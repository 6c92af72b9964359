//! Runner groups of the organisation, and the repositories that may use them.

use std::sync::Arc;

use serde_json::json;

use super::call::Call;
use super::paging::Listed;
use super::types::{Repository, Runner, RunnerGroup};
use super::{Error, Github};
use crate::domain::ids::{GroupId, RepositoryId};
use crate::domain::template::GroupName;
use crate::metrics::CallKind;

impl Listed for RunnerGroup {
    fn id(&self) -> u64 {
        self.id.0
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.name.len()
    }
}

impl Github {
    /// All runner groups of the organisation, those of the enterprise included.
    pub async fn runner_groups(&self) -> Result<Vec<RunnerGroup>, Error> {
        self.counted_list(&Call::get(CallKind::Groups, self.groups_path())).await
    }

    /// One runner group.
    pub async fn runner_group(&self, id: GroupId) -> Result<RunnerGroup, Error> {
        self.send(Call::get(CallKind::Group, self.group_path(id)).about_group(id)).await?.parse()
    }

    /// Creates a group for selected, private repositories. A conflict means that the name is taken.
    pub async fn create_runner_group(&self, name: &GroupName) -> Result<RunnerGroup, Error> {
        let body = json!({
            "name": name.as_str(),
            "visibility": "selected",
            "allows_public_repositories": false,
        });
        let call = Call::post(CallKind::CreateGroup, self.groups_path()).with_body(body);
        let made: RunnerGroup = self.send(call).await?.parse()?;
        self.recent.made(made.id).await;
        Ok(made)
    }

    /// Deletes a group. The caller has made sure that it holds no runners.
    pub async fn delete_runner_group(&self, id: GroupId) -> Result<(), Error> {
        let call = Call::delete(CallKind::DeleteGroup, self.group_path(id)).about_group(id);
        self.generations.write(&[id], self.send(call)).await?;
        self.recent.deleted(id).await;
        Ok(())
    }

    /// The repositories that may use the group.
    pub async fn group_repositories(&self, id: GroupId) -> Result<Vec<Repository>, Error> {
        let path = format!("{}/repositories", self.group_path(id));
        self.counted_list(&Call::get(CallKind::GroupRepositories, path).about_group(id)).await
    }

    /// The same, unless GitHub's list is not whole by its own count.
    pub async fn whole_group_repositories(&self, id: GroupId) -> Result<Option<Vec<Repository>>, Error> {
        let path = format!("{}/repositories", self.group_path(id));
        self.whole_list(&Call::get(CallKind::GroupRepositories, path).about_group(id)).await
    }

    /// The same to be shown.
    pub(super) async fn read_group_repositories(&self, id: GroupId) -> Result<Vec<Arc<Repository>>, Error> {
        let path = format!("{}/repositories", self.group_path(id));
        self.shown_list(&Call::get(CallKind::GroupRepositories, path).about_group(id)).await
    }

    /// Lets exactly these repositories use the group.
    pub async fn set_group_repositories(
        &self,
        id: GroupId,
        repositories: &[RepositoryId],
    ) -> Result<(), Error> {
        let call = Call::put(CallKind::SetGroupRepositories, format!("{}/repositories", self.group_path(id)))
            .with_body(json!({ "selected_repository_ids": repositories }))
            .about_group(id);
        self.generations.write(&[id], self.send(call)).await.map(drop)
    }

    /// Lets one more repository use the group; nothing changes when it does already.
    pub async fn add_group_repository(&self, id: GroupId, repository: RepositoryId) -> Result<(), Error> {
        let path = format!("{}/repositories/{repository}", self.group_path(id));
        let call = Call::put(CallKind::AddGroupRepository, path).about_group(id);
        self.generations.write(&[id], self.send(call)).await.map(drop)
    }

    /// Lets one repository no longer use the group; nothing changes when it doesn't.
    pub async fn remove_group_repository(&self, id: GroupId, repository: RepositoryId) -> Result<(), Error> {
        let path = format!("{}/repositories/{repository}", self.group_path(id));
        let call = Call::delete(CallKind::RemoveGroupRepository, path).about_group(id);
        self.generations.write(&[id], self.send(call)).await.map(drop)
    }

    /// The self-hosted runners in the group.
    pub async fn group_runners(&self, id: GroupId) -> Result<Vec<Runner>, Error> {
        let listed = self.counted_list(&self.runners_call(id)).await?;
        Ok(self.recent.without_removed(listed, |runner: &Runner| runner.id).await)
    }

    /// The same to be shown, or where each runner is looked at again.
    pub async fn read_group_runners(&self, id: GroupId) -> Result<Vec<Arc<Runner>>, Error> {
        let listed = self.shown_list(&self.runners_call(id)).await?;
        Ok(self.recent.without_removed(listed, |runner: &Arc<Runner>| runner.id).await)
    }

    fn runners_call(&self, id: GroupId) -> Call {
        Call::get(CallKind::GroupRunners, format!("{}/runners", self.group_path(id))).about_group(id)
    }

    /// GitHub-hosted runners that an owner put into the group. GitHub Enterprise Server has none.
    pub async fn group_hosted_runners(&self, id: GroupId) -> Result<Vec<Runner>, Error> {
        let path = format!("{}/hosted-runners", self.group_path(id));
        match self.counted_list(&Call::get(CallKind::GroupHostedRunners, path)).await {
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            outcome => outcome,
        }
    }

    fn groups_path(&self) -> String {
        format!("/orgs/{}/actions/runner-groups", self.org)
    }

    fn group_path(&self, id: GroupId) -> String {
        format!("/orgs/{}/actions/runner-groups/{id}", self.org)
    }
}
