//! Verifies OIDC tokens of the issuers that the administrator configured. It knows nothing of access entries or of GitHub.
//!
//! A token's `iss` decides which configured issuer is asked for keys, and a token of any other issuer causes no network call.

mod claims;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod key_set;
mod keys;
mod object;
mod source;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::Value;
use tokio::runtime::Handle;

pub use self::error::{Refusal, SetupError};
use self::keys::Keys;
use self::source::Source;
use self::token::Unverified;
pub use self::token::looks_like_token;
use crate::clock::Clock;
use crate::domain::claims::Claims;
use crate::domain::issuer::{Issuer, Issuers};

/// Verifies tokens of the configured issuers.
pub struct Verifier {
    issuers: Issuers,
    keys: Vec<Arc<Keys>>,
    clock: Clock,
}

/// What a verified token says.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// Who signed it.
    pub issuer: Arc<Issuer>,
    /// Everything it says.
    pub claims: Claims,
    /// Of whom it says that (`sub`).
    pub subject: String,
    /// Its own id, if it has one.
    pub jti: Option<String>,
    /// When it expires, in seconds since 1970. It is accepted for 30 s more, since clocks differ.
    pub expires_at: u64,
}

impl Verifier {
    /// Reads each issuer's `caFile`; makes no network call. To be called on the runtime that lives longest: keys are fetched there,
    /// so that a caller who hangs up cancels nothing that others wait for.
    pub fn new(issuers: Issuers, clock: Clock) -> Result<Self, SetupError> {
        let runtime = Handle::try_current().map_err(|_| SetupError::NoRuntime)?;
        let keys = issuers.iter().map(|issuer| {
            let source = Source::new(issuer.clone(), clock.clone())?;
            Ok(Keys::new(issuer.clone(), source, clock.clone(), runtime.clone()))
        });
        let keys = keys.collect::<Result<_, SetupError>>()?;
        Ok(Self { issuers, keys, clock })
    }

    /// The issuers whose tokens are accepted.
    pub fn issuers(&self) -> &Issuers {
        &self.issuers
    }

    /// Asks every issuer for its keys. Those that can't be had, by the issuer's name, and why.
    pub async fn ask(&self) -> Vec<(String, String)> {
        let asked = self
            .keys
            .iter()
            .map(async |keys| keys.ask().await.err().map(|why| (keys.issuer.name.clone(), why)));
        join_all(asked).await.into_iter().flatten().collect()
    }

    /// Verifies a token. Waits only if its issuer's keys have to be fetched.
    pub async fn verify(&self, token: &str) -> Result<Verified, Refusal> {
        let token = Unverified::parse(token)?;
        let issuer = token.issuer().ok_or(Refusal::UnknownIssuer)?;
        let keys = self.keys.iter().find(|keys| keys.issuer.url == issuer).ok_or(Refusal::UnknownIssuer)?;
        let header = token.header(&keys.issuer.algorithms)?;
        let set = keys.with(&header.kid, header.algorithm).await?;
        if !set.verifies(&header.kid, header.algorithm, token.signed, &token.signature) {
            return Err(Refusal::Invalid("its signature is not of the key that it names"));
        }
        verified(token, &keys.issuer, self.clock.unix_seconds())
    }
}

/// Checks the claims of a token whose signature is good, at `now`, in seconds since 1970.
fn verified(token: Unverified<'_>, issuer: &Arc<Issuer>, now: u64) -> Result<Verified, Refusal> {
    let claims = token.claims;
    let expires_at = claims::check(&claims, issuer, now)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let subject = text("sub").ok_or(Refusal::Invalid("it has no subject (sub)"))?.to_owned();
    let jti = text("jti").map(str::to_owned);
    Ok(Verified { issuer: issuer.clone(), claims: Claims::new(claims), subject, jti, expires_at })
}
