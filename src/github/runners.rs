//! Self-hosted runners and the tokens that register and remove them.

use super::paging::Listed;
use super::transport::Call;
use super::types::{Runner, RunnerToken};
use super::{Error, Github};

impl Listed for Runner {
    fn id(&self) -> u64 {
        self.id
    }
}

impl Github {
    /// A token with which runners are registered, into any group of the organisation.
    pub async fn registration_token(&self) -> Result<RunnerToken, Error> {
        self.send(Call::post(format!("/orgs/{}/actions/runners/registration-token", self.org))).await?.parse()
    }

    /// A token with which runners are removed, from any group of the organisation.
    pub async fn removal_token(&self) -> Result<RunnerToken, Error> {
        self.send(Call::post(format!("/orgs/{}/actions/runners/remove-token", self.org))).await?.parse()
    }
}
