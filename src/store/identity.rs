//! Whose store it is, and which teams are the administrators.

use super::Store;
use super::database::Transaction;
use super::error::StoreError;
use super::records::{id, to_signed};
use crate::domain::ids::TeamId;
use crate::domain::names::TeamSlug;

impl Store {
    /// Remembers GitHub's address and the organisation with the first call; later ones compare.
    ///
    /// # Errors
    /// [`StoreError::OtherGithub`] if the store belongs to another organisation or GitHub; or it is unavailable.
    pub async fn bind(&self, api_url: &str, organisation: u64) -> Result<(), StoreError> {
        let url = api_url.trim_end_matches('/').to_ascii_lowercase();
        let mut transaction = self.database.write().await?;
        let insert = "INSERT INTO arm_identity (id, api_url, organisation) VALUES (1, $1, $2) ON CONFLICT (id) DO NOTHING";
        execute!(&mut transaction, insert, url.as_str(), to_signed(organisation)?)?;
        let kept = query!(
            &mut transaction,
            fetch_optional(String, i64),
            "SELECT api_url, organisation FROM arm_identity WHERE id = 1"
        )?;
        let (kept_url, kept_organisation) =
            kept.ok_or_else(|| StoreError::Unexpected("whose it is was not kept".to_owned()))?;
        let kept_organisation = id(kept_organisation)?;
        if kept_url != url || kept_organisation != organisation {
            return Err(StoreError::OtherGithub { kept_url, kept_organisation, url, organisation });
        }
        transaction.commit().await
    }

    /// The team that was the administrators' when it had this slug, if that was kept.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn administrators_of(&self, slug: &TeamSlug) -> Result<Option<TeamId>, StoreError> {
        let mut transaction = self.database.read().await?;
        let kept = kept_team(&mut transaction, slug).await?;
        transaction.commit().await?;
        Ok(kept)
    }

    /// Keeps which team the administrators are, and returns what is in force: what was kept first.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn keep_administrators(&self, slug: &TeamSlug, team: TeamId) -> Result<TeamId, StoreError> {
        let mut transaction = self.database.write().await?;
        let insert =
            "INSERT INTO arm_administrators (slug, team) VALUES ($1, $2) ON CONFLICT (slug) DO NOTHING";
        execute!(&mut transaction, insert, slug.as_str(), to_signed(team.0)?)?;
        let kept = kept_team(&mut transaction, slug).await?;
        transaction.commit().await?;
        Ok(kept.unwrap_or(team))
    }
}

async fn kept_team(transaction: &mut Transaction, slug: &TeamSlug) -> Result<Option<TeamId>, StoreError> {
    let select = "SELECT team FROM arm_administrators WHERE slug = $1";
    let row = query!(transaction, fetch_optional(i64,), select, slug.as_str())?;
    row.map(|(team,)| id(team).map(TeamId)).transpose()
}
