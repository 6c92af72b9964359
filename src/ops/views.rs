//! What is shown of a group: those who ask for the same at once get one response, made once.

use bytes::Bytes;

use super::error::missing_group;
use super::{Error, Work};
use crate::access::ManagedGroup;
use crate::account::Account;
use crate::github;
use crate::organisation::ViewKey;

impl<P: Send + Sync + 'static> Work<P> {
    /// What `make` gives, or what it gives another who asked for the same a moment ago, but not before a write to the group
    /// ended. It is made to its end, also when whoever asked goes away.
    pub(super) async fn view<Made>(
        &self,
        operation: &'static str,
        group: &ManagedGroup,
        selected: String,
        make: impl FnOnce(Self) -> Made + Send + 'static,
    ) -> Result<Bytes, Error>
    where
        Made: Future<Output = Result<Bytes, github::Error>> + Send,
    {
        let (own, group) = (self.clone(), group.id());
        let view = async move {
            let generation = own.github().generation(group).await;
            let key = ViewKey { operation, group, generation, selected };
            let organisation = own.organisation.clone();
            organisation.views.run(key, Box::pin(make(own))).await
        };
        let ended = tokio::spawn(Account::carried(view)).await;
        ended.map_err(|_| Error::Internal)?.map_err(missing_group)
    }
}
