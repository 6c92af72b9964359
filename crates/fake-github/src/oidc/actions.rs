//! GitHub Actions as an issuer: tokens of runs, and what becomes of its keys.

use super::{DISCOVERY, Issued, KEYS, KeyKind, Run, SigningKey, Token};
use crate::log::Exchange;
use crate::{FakeGithub, World};

/// How much earlier than `iat` the `nbf` of a token of GitHub Actions is, in seconds.
const EARLY: u64 = 600;

impl FakeGithub {
    /// The issuer of the tokens of runs, as an Enterprise Server has it; no slash at the end.
    pub fn actions_issuer(&self) -> String {
        self.shared.issuer.url(&self.shared.url)
    }

    /// The token of a job, ready to be sent.
    ///
    /// # Panics
    /// When the world doesn't have the run's repository.
    pub fn actions_token(&self, run: &Run, audience: &str) -> String {
        self.token_of(run, audience).sign()
    }

    /// The token of a job, to be changed before it is signed. An environment that is missing comes into being.
    ///
    /// # Panics
    /// When the world doesn't have the run's repository.
    pub fn token_of(&self, run: &Run, audience: &str) -> Token {
        let iss = self.actions_issuer();
        let (claims, now, issued) = self.world(|world| {
            (run.claims(world, &iss, audience), unix_seconds(world), Issued::clone(&world.issued))
        });
        let at = run.issued_at().unwrap_or(now);
        Token::new(&self.shared.issuer.key(), claims, at, issued).early(EARLY)
    }

    /// Signs tokens of runs with a new key from now on. The keys before it stay published, so that their tokens are good.
    pub fn rotate_actions_key(&self) {
        self.shared.issuer.rotate(SigningKey::generate(KeyKind::Rsa));
    }

    /// Takes all keys but the newest out of the published set.
    pub fn retire_actions_keys(&self) {
        self.shared.issuer.retire();
    }

    /// The key that signs tokens of runs now.
    pub fn actions_key(&self) -> SigningKey {
        self.shared.issuer.key()
    }

    /// How often the issuer's discovery document was asked for.
    pub fn discovery_fetches(&self) -> usize {
        self.shared.issuer_log.count("GET", DISCOVERY)
    }

    /// How often the issuer's key set was asked for.
    pub fn key_fetches(&self) -> usize {
        self.shared.issuer_log.count("GET", KEYS)
    }

    /// What was asked of the issuer so far, in order of arrival. These are no calls of the API, so `calls` and the counts
    /// leave them out.
    pub fn issuer_calls(&self) -> Vec<Exchange> {
        self.shared.issuer_log.calls()
    }
}

/// The time on the world's clock, in seconds since 1970.
pub(super) fn unix_seconds(world: &World) -> u64 {
    u64::try_from(world.now().timestamp()).unwrap_or(0)
}
