//! Whose token is this? Asked of GitHub once, as the caller; kept under a keyed hash, never the token.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::{hmac, rand};
use secrecy::{ExposeSecret, SecretString};

use super::{AccessError, Caller, Keep};
use crate::domain::clock::Clock;
use crate::domain::names::Login;
use crate::github::{Class, Error, Github};
use crate::limits::AddressLimiter;
use crate::metrics;
use crate::timed_cache::TimedCache;

/// Tokens that are known at once.
const MOST_KNOWN_TOKENS: u64 = 10_000;
/// Answers that wait to be overwritten: they are of no use after the moment that they are for.
const MOST_KEPT_QUESTIONS: u64 = 100;
/// GitHub's longest tokens today have about 520 characters.
const LONGEST_TOKEN: usize = 4_096;

/// A caller's token in a form that GitHub could have made.
#[derive(Debug, Clone)]
pub struct CallerToken(SecretString);

/// Why an `Authorization` header holds no token to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenError {
    /// Nothing there.
    Missing,
    /// Nothing that GitHub could have made for a user's use of its API; says to the caller what is wrong.
    Malformed(&'static str),
    /// A token of an App's installation, of Actions, or an App's JWT: none has a user.
    Unsupported,
}

impl CallerToken {
    /// How a token is sent.
    pub const EXPECTED: &'static str = "Send the token alone, as \"Authorization: Bearer TOKEN\"";

    /// Takes an `Authorization` header: the token alone, or behind `token` or `Bearer` in any letter case.
    pub fn from_header(header: &str) -> Result<Self, TokenError> {
        let mut words = header.split_ascii_whitespace();
        let token = match (words.next(), words.next(), words.next()) {
            (None, ..) => return Err(TokenError::Missing),
            (Some(scheme), None, _) if is_scheme(scheme) => return Err(TokenError::Missing),
            (Some(scheme), ..) if scheme.eq_ignore_ascii_case("basic") => {
                return Err(TokenError::Malformed("Basic authentication isn't supported; use Bearer"));
            }
            (Some(token), None, _) => token,
            (Some(scheme), Some(token), None) if is_scheme(scheme) => token,
            _ => return Err(TokenError::Malformed(Self::EXPECTED)),
        };
        if let Some(message) = what_is_wrong_with(token) {
            return Err(TokenError::Malformed(message));
        }
        if token.starts_with("ghs_") || token.starts_with("eyJ") {
            return Err(TokenError::Unsupported);
        }
        Ok(Self(SecretString::from(token)))
    }
}

/// Why GitHub can't have made a token for a user's use of its API.
fn what_is_wrong_with(token: &str) -> Option<&'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if token.starts_with(['"', '\'', '`']) || token.ends_with(['"', '\'', '`']) {
        return Some("The token has quotes around it; send it without them");
    }
    if token.starts_with('$') {
        return Some("A variable was sent in place of the token; put the header in double quotes");
    }
    if token.len() > LONGEST_TOKEN || !token.bytes().all(allowed) {
        return Some(CallerToken::EXPECTED);
    }
    token
        .starts_with("ghr_")
        .then_some("A refresh token is not for this; send the token that it is traded for")
}

fn is_scheme(word: &str) -> bool {
    word.eq_ignore_ascii_case("token") || word.eq_ignore_ascii_case("bearer")
}

/// HMAC-SHA-256 of a token under a key of this process.
type TokenHash = [u8; 32];

/// Whose a token is, or why it is nobody's.
type Identity = Result<Caller, AccessError>;

/// What is known about tokens.
pub struct Identities {
    key: hmac::Key,
    known: TimedCache<TokenHash, Identity>,
    /// Kept for no time: only joins those who send the same unknown token at once. Apart from what is known,
    /// since a flood of tokens that nobody has would push that out.
    asking: TimedCache<TokenHash, Identity>,
    unknown_tokens: ArcSwap<AddressLimiter>,
    keep: Keep,
}

impl Identities {
    /// Knows nobody yet. Fails when the system gives no random numbers.
    pub fn new(
        unknown_tokens: AddressLimiter,
        keep: Keep,
        clock: Clock,
    ) -> Result<Self, aws_lc_rs::error::Unspecified> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new())?;
        Ok(Self {
            key,
            known: TimedCache::counted("identity", MOST_KNOWN_TOKENS, clock.clone()),
            asking: TimedCache::new(MOST_KEPT_QUESTIONS, clock),
            unknown_tokens: ArcSwap::from_pointee(unknown_tokens),
            keep,
        })
    }

    /// Replaces the limit on unknown tokens; all addresses start anew.
    pub fn limit_unknown_tokens(&self, limiter: AddressLimiter) {
        self.unknown_tokens.store(Arc::new(limiter));
    }

    /// The user behind a token. Only a token that GitHub has to be asked about counts against `address`.
    pub async fn identify(
        &self,
        github: &Github,
        token: &CallerToken,
        address: IpAddr,
    ) -> Result<Caller, AccessError> {
        let hash = self.hash(token);
        match self.known.get(&hash).await {
            Some(known) => known,
            // Boxed, so that the future of the usual case, a known token, stays small.
            None => Box::pin(self.look_up(github, token, hash, address)).await,
        }
    }

    async fn look_up(
        &self,
        github: &Github,
        token: &CallerToken,
        hash: TokenHash,
        address: IpAddr,
    ) -> Identity {
        loop {
            let mut asked = false;
            let load = async {
                asked = true;
                (self.load(github, token, hash, address).await, Duration::ZERO)
            };
            match self.asking.get_or_load(hash, load).await {
                // Another address with the same token ran into its limit; this one has its own.
                Err(AccessError::TooManyUnknownTokens { .. }) if !asked => {}
                outcome => return outcome,
            }
        }
    }

    async fn load(&self, github: &Github, token: &CallerToken, hash: TokenHash, address: IpAddr) -> Identity {
        // Somebody else may just have asked.
        if let Some(known) = self.known.get(&hash).await {
            return known;
        }
        if let Err(retry_after) = self.unknown_tokens.load().check(address) {
            metrics::limited("unknown_token");
            return Err(AccessError::TooManyUnknownTokens { retry_after });
        }
        let (identity, keep) = self.ask(github, token).await;
        if !keep.is_zero() {
            self.known.insert(hash, identity.clone(), keep).await;
        }
        identity
    }

    async fn ask(&self, github: &Github, token: &CallerToken) -> (Identity, Duration) {
        let refused = |error| (Err(error), self.keep.refused_identity);
        let user = match github.user_of(token.0.clone()).await {
            Ok(user) => user,
            Err(error) => match error.class() {
                Class::Forbidden(message) if message.contains("integration") => {
                    return refused(AccessError::UnsupportedToken);
                }
                Class::Unauthorized | Class::NotFound | Class::Forbidden(_) => {
                    return refused(AccessError::InvalidToken);
                }
                // The limit is this token's own: only its holder has to wait.
                Class::RateLimited { retry_after } => {
                    let retry_after = *retry_after;
                    return (Err(error.into()), retry_after.min(self.keep.identity));
                }
                _ => return (Err(error.into()), Duration::ZERO),
            },
        };
        match Login::parse(&user.login) {
            Ok(login) => (Ok(Caller { id: user.id, login }), self.keep.identity),
            Err(_) => (Err(Error::odd("GET /user: the login has an unknown form").into()), Duration::ZERO),
        }
    }

    fn hash(&self, token: &CallerToken) -> TokenHash {
        let tag = hmac::sign(&self.key, token.0.expose_secret().as_bytes());
        let mut hash = TokenHash::default();
        hash.copy_from_slice(tag.as_ref());
        hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::names::OrgName;
    use crate::github::{Credential, Settings};

    fn token(header: &str) -> Result<String, TokenError> {
        CallerToken::from_header(header).map(|token| token.0.expose_secret().to_owned())
    }

    #[test]
    fn a_token_comes_alone_or_behind_a_scheme_in_any_letter_case() {
        for header in
            ["ghp_abc", "token ghp_abc", "Bearer ghp_abc", "bEARER  ghp_abc", "TOKEN ghp_abc ", "\tghp_abc\r"]
        {
            assert_eq!(token(header).as_deref(), Ok("ghp_abc"), "{header:?}");
        }
    }

    #[test]
    fn what_can_be_no_users_token_is_refused_without_asking_github() {
        for header in ["", " ", "Bearer", "token "] {
            assert_eq!(token(header), Err(TokenError::Missing), "{header:?}");
        }
        let longest = "a".repeat(LONGEST_TOKEN);
        assert_eq!(token(&longest).as_ref(), Ok(&longest));
        let longer = "a".repeat(LONGEST_TOKEN + 1);
        for (header, message) in [
            ("Bearer a b", "alone"),
            ("a b c", "alone"),
            ("gh=p", "alone"),
            ("tök", "alone"),
            (longer.as_str(), "alone"),
            ("ghr_abc", "refresh token"),
            ("Basic dXNlcjpwYXNz", "Basic authentication isn't supported; use Bearer"),
            ("basic", "Basic authentication isn't supported"),
            ("\"ghp_abc\"", "quotes"),
            ("Bearer 'ghp_abc'", "quotes"),
            ("token \"ghp_abc", "quotes"),
            ("Bearer $GITHUB_TOKEN", "variable"),
            ("Bearer ${GITHUB_TOKEN}", "variable"),
        ] {
            let Err(TokenError::Malformed(found)) = token(header) else { panic!("{header:?}") };
            assert!(found.contains(message), "{header:?}: {found}");
        }
        for header in ["ghs_abc", "Bearer ghs_1_eyJhbGciOi.x.y", "eyJhbGciOi.J9.x"] {
            assert_eq!(token(header), Err(TokenError::Unsupported), "{header:?}");
        }
    }

    /// Nothing is ever sent with it.
    fn nowhere() -> Github {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let settings = Settings {
            org: OrgName::parse("acme").unwrap(),
            api_url: "http://127.0.0.1:1".to_owned(),
            ca_file: None,
            timeout: Duration::from_secs(1),
            concurrency: 1,
            credential: Credential::Token(SecretString::from("ghp_own")),
        };
        Github::new(settings, Clock::manual()).unwrap()
    }

    #[tokio::test]
    async fn the_limit_of_one_address_is_not_that_of_another_with_the_same_token() {
        let (github, clock) = (nowhere(), Clock::manual());
        let second = Duration::from_secs(1);
        let keep = Keep {
            identity: second,
            refused_identity: second,
            team: second,
            membership: second,
            refused_membership: second,
            group: second,
        };
        let identities = Identities::new(AddressLimiter::new(0.1, clock.clone()), keep, clock).unwrap();
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        while identities.unknown_tokens.load().check(address).is_ok() {}
        let token = CallerToken::from_header("ghp_abc").unwrap();
        let hash = identities.hash(&token);
        let (refuse, refused) = tokio::sync::oneshot::channel();
        let other = identities.asking.get_or_load(hash, async {
            let retry_after = refused.await.unwrap();
            (Err(AccessError::TooManyUnknownTokens { retry_after }), Duration::ZERO)
        });
        // In this order: the other address asks, this one joins it, and then the other is refused.
        let (_, outcome, ()) = tokio::join!(other, identities.identify(&github, &token, address), async {
            refuse.send(second).unwrap();
        });
        let own_limit = |retry_after: Duration| retry_after == Duration::from_secs(10);
        assert!(
            matches!(outcome, Err(AccessError::TooManyUnknownTokens { retry_after }) if own_limit(retry_after)),
            "{outcome:?}"
        );
    }
}
