//! Whoever sends a request, by the token that they show. GitHub is asked about its own tokens; all others are checked here.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use secrecy::ExposeSecret;

use super::{AccessError, Entries, Identities, Requester, ShownToken, Workload};
use crate::github::Github;
use crate::metrics;
use crate::oidc::{Refusal, Verifier};

/// Finds out who callers are.
pub struct Authentication {
    /// Users, by GitHub's tokens.
    pub identities: Arc<Identities>,
    verifier: ArcSwap<Verifier>,
    entries: Arc<Entries>,
    github: Arc<Github>,
}

impl Authentication {
    /// Knows nobody yet.
    pub fn new(
        identities: Arc<Identities>,
        verifier: Verifier,
        entries: Arc<Entries>,
        github: Arc<Github>,
    ) -> Self {
        Self { identities, verifier: ArcSwap::from_pointee(verifier), entries, github }
    }

    /// Puts other issuers in force. Keys of those that stay as they are need not be fetched again.
    pub fn replace_issuers(&self, verifier: Verifier) {
        self.verifier.store(Arc::new(verifier));
    }

    /// Whoever shows a token.
    ///
    /// # Errors
    /// It is good for nobody, which counts against the address; or it can't be found out.
    pub async fn identify(&self, token: &ShownToken, address: IpAddr) -> Result<Requester, AccessError> {
        let found = match token {
            ShownToken::Github(token) => {
                return Ok(Requester::User(self.identities.identify(token, address).await?));
            }
            ShownToken::Team(Some(token)) => self.entries.holder_of(token).await.map(Requester::TokenHolder),
            // Its checksum is wrong.
            ShownToken::Team(None) => Err(AccessError::UnknownTeamToken),
            ShownToken::Oidc(token) => {
                Box::pin(self.workload(token.expose_secret())).await.map(Requester::Workload)
            }
        };
        match found {
            Err(error @ (AccessError::UnknownTeamToken | AccessError::InvalidOidcToken(_))) => {
                Err(self.refuse(error, address))
            }
            outcome => outcome,
        }
    }

    /// The refusal, or that the address sent too many tokens that were refused.
    fn refuse(&self, error: AccessError, address: IpAddr) -> AccessError {
        match self.identities.refuse(address) {
            Ok(()) => error,
            Err(retry_after) => {
                metrics::limited(metrics::Limiter::UnknownToken);
                AccessError::TooManyUnknownTokens { retry_after }
            }
        }
    }

    async fn workload(&self, token: &str) -> Result<Workload, AccessError> {
        let checks = self.verifier.load_full();
        let verified = checks.verify(token).await.map_err(|refusal| match refusal {
            Refusal::UnknownIssuer if checks.issuers().is_empty() => AccessError::UnsupportedToken,
            Refusal::UnknownIssuer => AccessError::UnknownIssuer,
            Refusal::IssuerUnavailable { retry_after } => AccessError::IssuerUnavailable { retry_after },
            refusal @ Refusal::Invalid(_) => AccessError::InvalidOidcToken(refusal.to_string()),
        })?;
        if !verified.issuer.is_actions {
            return Ok(Workload::of_subject(verified));
        }
        let invalid = |what: &str| AccessError::InvalidOidcToken(what.to_owned());
        // Anybody's workflow has a token of this issuer.
        if verified.claims.repository_owner_id() != Some(self.github.organisation_id().await?) {
            return Err(invalid("repository_owner_id is not the organisation's"));
        }
        let repository = verified.claims.repository_id();
        let repository = repository.ok_or_else(|| invalid("repository_id is missing, or no id"))?;
        Ok(Workload::of_actions(verified, repository))
    }
}
