//! Whose token is this? GitHub is asked once, as the caller; the outcome is kept under a keyed hash, never the token.

mod session;
mod token;
mod verdict;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::{hmac, rand};
use secrecy::ExposeSecret;
use tokio::runtime::Handle;
use tracing::Instrument;

pub(super) use self::session::Session;
pub use self::token::{CallerToken, ShownToken, TokenError};
use self::verdict::{Verdict, examine};
use super::{AccessError, Caller, TokenUse};
use crate::cache::{Cache, Era};
use crate::clock::Clock;
use crate::domain::cache_ttls::CacheTtls;
use crate::domain::ids::UserId;
use crate::domain::names::Login;
use crate::github::{Error, Github, TokenHistory};
use crate::limits::{AddressLimiter, Reservation};
use crate::metrics;
use crate::single_flight::SingleFlight;

/// Tokens whose user is remembered at once; and as many that are remembered as refused.
const MAX_KNOWN_TOKENS: u64 = 10_000;
/// Tokens that are remembered as good: all that are used in a day, and about 10 MB.
const MAX_GOOD_TOKENS: u64 = 50_000;
/// For so long after GitHub vouched for a token nobody else's bad tokens can keep it from being looked up again.
const GOOD_TOKEN_TTL: Duration = Duration::from_hours(24);

/// HMAC-SHA-256 of a token under a key of this process.
type TokenHash = [u8; 32];

/// A user as GitHub reported them.
#[derive(Debug, Clone)]
struct User {
    id: UserId,
    login: Login,
    token: TokenUse,
    /// When GitHub was asked.
    asked_at: Duration,
}

/// Whose a token is, or why it is nobody's.
type Identity = Result<User, AccessError>;

/// When a look-up began. If everything is forgotten before it ends, its outcome is, too.
struct Eras {
    known: Era<TokenHash, User>,
    refused: Era<TokenHash, AccessError>,
}

/// The users behind tokens, remembered for a while.
pub struct Identities {
    key: hmac::Key,
    known: Cache<TokenHash, User>,
    /// Refused tokens, and why. Apart from those that are known, since a flood of bad tokens would push them out.
    refused: Cache<TokenHash, AccessError>,
    /// The tokens that GitHub vouched for lately.
    good: Cache<TokenHash, ()>,
    /// Joins those who send the same unknown token at once.
    look_ups: SingleFlight<TokenHash, Identity>,
    addresses: ArcSwap<AddressLimiter>,
    ttls: CacheTtls,
    github: Arc<Github>,
    clock: Clock,
    /// Where look-ups go on when their callers are gone.
    runtime: Handle,
}

impl Identities {
    /// Remembers nobody yet. Fails when the system gives no random numbers. To be called on the runtime that lives longest.
    pub fn new(
        addresses: AddressLimiter,
        ttls: CacheTtls,
        github: Arc<Github>,
        clock: Clock,
    ) -> Result<Self, aws_lc_rs::error::Unspecified> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new())?;
        Ok(Self {
            key,
            known: Cache::new(MAX_KNOWN_TOKENS, clock.clone()),
            refused: Cache::new(MAX_KNOWN_TOKENS, clock.clone()),
            good: Cache::new(MAX_GOOD_TOKENS, clock.clone()),
            look_ups: SingleFlight::new(),
            addresses: ArcSwap::from_pointee(addresses),
            ttls,
            github,
            clock,
            runtime: Handle::current(),
        })
    }

    /// Replaces the limit on refused tokens; all addresses start anew, and nothing else is forgotten.
    pub fn limit_unknown_tokens(&self, limiter: AddressLimiter) {
        self.addresses.store(Arc::new(limiter));
    }

    /// Counts a token that was refused without GitHub. The error is how long the address has to wait.
    pub(super) fn refuse(&self, address: IpAddr) -> Result<(), Duration> {
        self.addresses.load().refuse(address)
    }

    /// Forgets whose tokens are, calls to GitHub under way included: somebody may have lost their access since. Which
    /// tokens were good is kept: that gives no access, only a look-up whatever the address's count.
    pub fn forget_all(&self) {
        // In this order: no look-up that begins after may find what was known before.
        self.known.forget_all();
        self.refused.forget_all();
        self.look_ups.forget_all();
    }

    /// The user behind a token. Only a token that GitHub is asked about and refuses counts against `address`.
    pub async fn identify(
        self: &Arc<Self>,
        token: &CallerToken,
        address: IpAddr,
    ) -> Result<Caller, AccessError> {
        let hash = self.hash(token);
        let remembered = self.recall(&hash).await;
        metrics::cache(metrics::Cache::Identity, remembered.is_some());
        let User { id, login, token: token_use, asked_at } = match remembered {
            Some(identity) => identity?,
            // Boxed, so that the future of the usual case, a known token, stays small.
            None => Box::pin(self.look_up(token, hash, address)).await?,
        };
        let session = Arc::new(Session::new(self.clone(), token.clone(), address, asked_at));
        Ok(Caller { id, login, token: token_use, session })
    }

    async fn recall(&self, hash: &TokenHash) -> Option<Identity> {
        match self.known.get(hash).await {
            Some(user) => Some(Ok(user)),
            None => self.refused.get(hash).await.map(Err),
        }
    }

    async fn look_up(self: &Arc<Self>, token: &CallerToken, hash: TokenHash, address: IpAddr) -> Identity {
        self.look_ups.run(hash, self.charge_and_ask(token, hash, address)).await
    }

    async fn charge_and_ask(
        self: &Arc<Self>,
        token: &CallerToken,
        hash: TokenHash,
        address: IpAddr,
    ) -> Identity {
        let eras = Eras { known: self.known.era(), refused: self.refused.era() };
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
        if let Some(identity) = self.recall(&hash).await {
            return identity;
        }
        // As a task of its own: were it given up with its caller, hanging up early would make bad tokens free.
        let (identities, token) = (self.clone(), token.clone());
        let look_up = async move { identities.ask_github(&token, hash, charge, &eras).await };
        let ended = self.runtime.spawn(look_up.in_current_span()).await;
        ended.unwrap_or_else(|_| Err(Error::unexpected("GET /user: the look-up was cut off").into()))
    }

    /// Asks GitHub, and remembers the outcome.
    async fn ask_github(
        &self,
        token: &CallerToken,
        hash: TokenHash,
        charge: Charge,
        eras: &Eras,
    ) -> Identity {
        let asked_at = self.clock.now();
        match examine(&self.github, token, charge.history()).await {
            Verdict::Good { id, login, token } => {
                let user = User { id, login, token, asked_at };
                self.good.insert(hash, (), GOOD_TOKEN_TTL).await;
                self.known.insert_in(&eras.known, hash, user.clone(), self.ttls.identity).await;
                Ok(user)
            }
            Verdict::Refused { error, is_dead } => {
                if is_dead {
                    self.good.forget(&hash).await;
                }
                self.refused.insert_in(&eras.refused, hash, error.clone(), self.ttls.refused_identity).await;
                charge.refused();
                Err(error)
            }
            Verdict::Unclear { error, retry_after } => {
                if let Some(retry_after) = retry_after {
                    self.refused
                        .insert_in(&eras.refused, hash, error.clone(), retry_after.min(self.ttls.identity))
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
    use crate::github::Settings;
    use crate::replicas::Replicas;

    /// Nothing is ever sent with it.
    fn nowhere() -> Arc<Github> {
        Arc::new(Github::new(Settings::of_nobody(), Arc::new(Replicas::none()), Clock::manual()).unwrap())
    }

    const TTLS: CacheTtls = CacheTtls {
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
        let identities =
            Identities::new(AddressLimiter::new(1.0, clock.clone()), TTLS, nowhere(), clock).unwrap();
        let login = Login::parse("ada").unwrap();
        let user = User { id: UserId(1), login, token: TokenUse::Own, asked_at: Duration::ZERO };
        let known = TokenHash::default();
        identities.known.insert(known, user, TTLS.identity).await;
        identities.good.insert(known, (), GOOD_TOKEN_TTL).await;
        for number in 1..=3 * MAX_KNOWN_TOKENS {
            let mut hash = known;
            hash[..8].copy_from_slice(&number.to_le_bytes());
            identities.refused.insert(hash, AccessError::InvalidToken, TTLS.refused_identity).await;
        }
        assert!(matches!(identities.recall(&known).await, Some(Ok(_))));
        assert!(identities.good.get(&known).await.is_some());
    }

    #[tokio::test]
    async fn the_limit_of_one_address_is_not_that_of_another_with_the_same_token() {
        let clock = Clock::manual();
        let second = Duration::from_secs(1);
        let limiter = AddressLimiter::new(0.1, clock.clone());
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        while let Ok(reservation) = limiter.reserve(address).await {
            reservation.use_up();
        }
        let identities = Arc::new(Identities::new(limiter, TTLS, nowhere(), clock).unwrap());
        let ShownToken::Github(token) = ShownToken::from_header("ghp_abc").unwrap() else { panic!() };
        let hash = identities.hash(&token);
        let (refuse, refused) = tokio::sync::oneshot::channel();
        let other = identities.look_ups.run(hash, async {
            let retry_after = refused.await.unwrap();
            Err(AccessError::TooManyUnknownTokens { retry_after })
        });
        // In this order: the other address asks, this one joins it, and then the other is refused.
        let (_, outcome, ()) = tokio::join!(other, identities.identify(&token, address), async {
            refuse.send(second).unwrap();
        });
        let own_limit = |retry_after: Duration| retry_after == Duration::from_secs(10);
        assert!(
            matches!(outcome, Err(AccessError::TooManyUnknownTokens { retry_after }) if own_limit(retry_after)),
            "{outcome:?}"
        );
    }
}
