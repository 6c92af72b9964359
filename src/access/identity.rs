//! Whose token is this? Asked of GitHub once, as the caller; kept under a keyed hash, never the token.

mod verdict;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::{hmac, rand};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;
use tracing::Instrument;

use self::verdict::{Verdict, verdict};
use super::{AccessError, Caller, Keep};
use crate::clock::Clock;
use crate::github::{Error, Github, TokenHistory};
use crate::limits::{AddressLimiter, Reservation};
use crate::metrics;
use crate::timed_cache::{Era, TimedCache};

/// Tokens whose user is known at once; and as many that are known to be refused.
const MAX_KNOWN_TOKENS: u64 = 10_000;
/// Tokens that are remembered as good: all that are used in a day, and about 10 MB.
const MAX_GOOD_TOKENS: u64 = 50_000;
/// For so long after GitHub vouched for a token nobody else's bad tokens can keep it from being looked up again.
const GOOD_FOR: Duration = Duration::from_hours(24);
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

/// Where the outcome of a look-up goes: into what was remembered when it began. If that was forgotten meanwhile, the
/// outcome is, too.
struct Memory {
    known: Era<TokenHash, Caller>,
    refused: Era<TokenHash, AccessError>,
}

/// What is known about tokens.
pub struct Identities {
    key: hmac::Key,
    known: TimedCache<TokenHash, Caller>,
    /// Refused tokens, and why. Apart from those that are known, since a flood of bad tokens would push them out.
    refused: TimedCache<TokenHash, AccessError>,
    /// The tokens that GitHub vouched for lately.
    good: TimedCache<TokenHash, ()>,
    /// Kept for no time: only joins those who send the same unknown token at once.
    asking: TimedCache<TokenHash, Identity>,
    addresses: ArcSwap<AddressLimiter>,
    keep: Keep,
    /// Where look-ups go on when their callers are gone.
    runtime: Handle,
}

impl Identities {
    /// Knows nobody yet. Fails when the system gives no random numbers. To be called on the runtime that lives longest.
    pub fn new(
        addresses: AddressLimiter,
        keep: Keep,
        clock: Clock,
    ) -> Result<Self, aws_lc_rs::error::Unspecified> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new())?;
        Ok(Self {
            key,
            known: TimedCache::new(MAX_KNOWN_TOKENS, clock.clone()),
            refused: TimedCache::new(MAX_KNOWN_TOKENS, clock.clone()),
            good: TimedCache::new(MAX_GOOD_TOKENS, clock.clone()),
            asking: TimedCache::new(MOST_KEPT_QUESTIONS, clock),
            addresses: ArcSwap::from_pointee(addresses),
            keep,
            runtime: Handle::current(),
        })
    }

    /// Replaces the limit on refused tokens; all addresses start anew, and nothing else is forgotten.
    pub fn limit_unknown_tokens(&self, limiter: AddressLimiter) {
        self.addresses.store(Arc::new(limiter));
    }

    /// Forgets whose tokens are, also what GitHub is being asked: somebody may have lost their access since. Which
    /// tokens were good is kept: that gives no access, only a look-up whatever the address's count.
    pub fn forget_all(&self) {
        // In this order: no question of after may find what was known before.
        self.known.forget_all();
        self.refused.forget_all();
        self.asking.forget_all();
    }

    /// The user behind a token. Only a token that GitHub is asked about and refuses counts against `address`.
    pub async fn identify(
        self: &Arc<Self>,
        github: &Arc<Github>,
        token: &CallerToken,
        address: IpAddr,
    ) -> Identity {
        let hash = self.hash(token);
        let remembered = self.remembered(&hash).await;
        metrics::cache(metrics::Cache::Identity, remembered.is_some());
        match remembered {
            Some(known) => known,
            // Boxed, so that the future of the usual case, a known token, stays small.
            None => Box::pin(self.look_up(github, token, hash, address)).await,
        }
    }

    async fn remembered(&self, hash: &TokenHash) -> Option<Identity> {
        match self.known.get(hash).await {
            Some(caller) => Some(Ok(caller)),
            None => self.refused.get(hash).await.map(Err),
        }
    }

    async fn look_up(
        self: &Arc<Self>,
        github: &Arc<Github>,
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

    async fn load(
        self: &Arc<Self>,
        github: &Arc<Github>,
        token: &CallerToken,
        hash: TokenHash,
        address: IpAddr,
    ) -> Identity {
        let memory = Memory { known: self.known.era(), refused: self.refused.era() };
        let limiter = self.addresses.load_full();
        let charge = if self.good.get(&hash).await.is_some() {
            Charge::Renewal(limiter, address)
        } else {
            match limiter.reserve(address).await {
                Ok(reservation) => Charge::Reserved(reservation),
                Err(retry_after) => {
                    metrics::limited(metrics::Limiter::UnknownToken);
                    return Err(AccessError::TooManyUnknownTokens { retry_after });
                }
            }
        };
        // Somebody else may have asked meanwhile.
        if let Some(known) = self.remembered(&hash).await {
            return known;
        }
        // As a task of its own: were it given up with its caller, hanging up early would make bad tokens free.
        let (identities, github, token) = (self.clone(), github.clone(), token.clone());
        let look_up = async move { identities.ask(&github, &token, hash, charge, &memory).await };
        let ended = self.runtime.spawn(look_up.in_current_span()).await;
        ended.unwrap_or_else(|_| Err(Error::unexpected("GET /user: the look-up was cut off").into()))
    }

    /// Asks GitHub, and remembers what it says.
    async fn ask(
        &self,
        github: &Github,
        token: &CallerToken,
        hash: TokenHash,
        charge: Charge,
        memory: &Memory,
    ) -> Identity {
        match verdict(github, token, charge.history()).await {
            Verdict::Good(caller) => {
                self.good.insert(hash, (), GOOD_FOR).await;
                self.known.insert_in(&memory.known, hash, caller.clone(), self.keep.identity).await;
                Ok(caller)
            }
            Verdict::Refused { error, is_dead } => {
                if is_dead {
                    self.good.forget(&hash).await;
                }
                self.refused
                    .insert_in(&memory.refused, hash, error.clone(), self.keep.refused_identity)
                    .await;
                charge.refused();
                Err(error)
            }
            Verdict::Unclear { error, keep } => {
                if let Some(keep) = keep {
                    self.refused
                        .insert_in(&memory.refused, hash, error.clone(), keep.min(self.keep.identity))
                        .await;
                }
                Err(error)
            }
        }
    }

    fn hash(&self, token: &CallerToken) -> TokenHash {
        let tag = hmac::sign(&self.key, token.0.expose_secret().as_bytes());
        let mut hash = TokenHash::default();
        hash.copy_from_slice(tag.as_ref());
        hash
    }
}

/// What a look-up costs the address that it came from, if GitHub refuses the token.
enum Charge {
    /// What was set aside for it; given back otherwise.
    Reserved(Reservation),
    /// GitHub vouched for the token lately, so that it is looked up whatever the address did.
    Renewal(Arc<AddressLimiter>, IpAddr),
}

impl Charge {
    fn history(&self) -> TokenHistory {
        match self {
            Self::Reserved(_) => TokenHistory::Unknown,
            Self::Renewal(..) => TokenHistory::Good,
        }
    }

    fn refused(self) {
        match self {
            Self::Reserved(reservation) => reservation.use_up(),
            Self::Renewal(limiter, address) => limiter.count(address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::names::{Login, OrgName};
    use crate::github::Settings;

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
            app: None,
            secret: SecretString::from("ghp_own"),
        };
        Github::new(settings, Clock::manual()).unwrap()
    }

    const KEEP: Keep = Keep {
        identity: Duration::from_secs(1),
        refused_identity: Duration::from_secs(1),
        team: Duration::ZERO,
        membership: Duration::ZERO,
        refused_membership: Duration::ZERO,
        group: Duration::ZERO,
    };

    #[tokio::test]
    async fn a_flood_of_refusals_pushes_out_nobody_who_is_known() {
        let clock = Clock::manual();
        let identities = Identities::new(AddressLimiter::new(1.0, clock.clone()), KEEP, clock).unwrap();
        let caller = Caller { id: crate::domain::ids::UserId(1), login: Login::parse("ada").unwrap() };
        let known = TokenHash::default();
        identities.known.insert(known, caller, KEEP.identity).await;
        identities.good.insert(known, (), GOOD_FOR).await;
        for number in 1..=3 * MAX_KNOWN_TOKENS {
            let mut hash = known;
            hash[..8].copy_from_slice(&number.to_le_bytes());
            identities.refused.insert(hash, AccessError::InvalidToken, KEEP.refused_identity).await;
        }
        assert!(matches!(identities.remembered(&known).await, Some(Ok(_))));
        assert!(identities.good.get(&known).await.is_some());
    }

    #[tokio::test]
    async fn the_limit_of_one_address_is_not_that_of_another_with_the_same_token() {
        let (github, clock) = (Arc::new(nowhere()), Clock::manual());
        let second = Duration::from_secs(1);
        let limiter = AddressLimiter::new(0.1, clock.clone());
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        while let Ok(reservation) = limiter.reserve(address).await {
            reservation.use_up();
        }
        let identities = Arc::new(Identities::new(limiter, KEEP, clock).unwrap());
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
