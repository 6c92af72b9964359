//! Who is this, and what may they manage? Only this module makes a [`Caller`], an [`Authority`] and a
//! [`ManagedGroup`], so an operation that demands one can't be reached without the checks behind it.

mod administrators;
mod authentication;
mod entries;
mod groups;
mod identity;
mod members;
mod mirror;
mod one_use;
mod records;
mod requester;
mod rights;
mod scopes;
mod team_ids;
mod teams;

use std::sync::Arc;
use std::time::Duration;

pub use self::administrators::{Administrators, Unresolved};
pub use self::authentication::Authentication;
pub use self::entries::{Candidates, Entries, Terms, Void};
pub use self::groups::{Begun, Creation, GroupError, Groups, ManagedGroup, Ownership, Settled};
use self::identity::Session;
pub use self::identity::{CallerToken, Identities, ShownToken, TokenError};
pub use self::members::Members;
pub use self::one_use::UsedTokens;
pub use self::records::Records;
pub use self::requester::{Requester, TokenHolder, Workload};
pub use self::rights::{Right, Rights};
pub use self::scopes::{ScopeAuthority, ScopeHolder};
pub use self::teams::{Maintainer, Teams};
use crate::domain::entry::AccessEntry;
use crate::domain::ids::{TeamId, UserId};
use crate::domain::names::{Label, Login, TeamSlug};
use crate::domain::policy::Policy;
use crate::domain::scope::Scope;
use crate::domain::template::GroupName;
use crate::github;
use crate::single_flight::{Shareable, Sharing};
use crate::store::StoreError;

/// A user whom GitHub vouched for, by a token.
#[derive(Debug, Clone)]
pub struct Caller {
    id: UserId,
    login: Login,
    token: TokenUse,
    /// How to ask again whether the login is still theirs.
    session: Arc<Session>,
}

/// What a user's token was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenUse {
    /// Its owner made it, or lets it see teams: a personal access token, or that of GitHub's command line.
    Own,
    /// Any application with "Sign in with GitHub" may hold it.
    Application,
}

/// Two requests of one user have the same caller.
impl PartialEq for Caller {
    fn eq(&self, other: &Self) -> bool {
        (self.id, &self.login) == (other.id, &other.login)
    }
}

impl Eq for Caller {}

impl Caller {
    /// GitHub's id of the user; stays the same when the user is renamed.
    pub fn id(&self) -> UserId {
        self.id
    }

    /// The user's login.
    pub fn login(&self) -> &Login {
        &self.login
    }

    /// Refuses a token that other applications may hold, for what goes beyond one team.
    ///
    /// # Errors
    /// The token was not made for such use.
    pub fn require_own_token(&self) -> Result<(), AccessError> {
        match self.token {
            TokenUse::Own => Ok(()),
            TokenUse::Application => Err(AccessError::TokenOfAnApplication),
        }
    }

    /// Whether the policy lets the user use the service, whatever for.
    ///
    /// # Errors
    /// It doesn't.
    pub fn require_permitted(&self, policy: &Policy) -> Result<(), AccessError> {
        if policy.users.permit(self.id, self.login.as_str()) { Ok(()) } else { Err(AccessError::UserDenied) }
    }

    /// Whether the login is still this user's. To be asked after whatever GitHub said about the login alone, such as a
    /// membership, before it counts for the user: a login can be given up and taken by somebody else.
    async fn still_has_login(&self) -> Result<bool, AccessError> {
        self.session.still_is(self.id, &self.login).await
    }
}

/// Who acts for a team. The service itself never needs an [`Authority`]: its periodic work has an [`Oversight`].
#[derive(Debug, Clone)]
pub enum Principal {
    /// A user, by a token of their own.
    User(Caller),
    /// Somebody who is no user, by an access entry of the team's.
    Holder {
        /// Who.
        requester: Requester,
        /// The entry.
        entry: Arc<AccessEntry>,
    },
}

/// The team that somebody acts for, as GitHub reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedTeam {
    slug: TeamSlug,
    id: TeamId,
    group: GroupName,
    repositories: u64,
}

impl ManagedTeam {
    /// The canonical slug.
    pub fn slug(&self) -> &TeamSlug {
        &self.slug
    }

    /// The numeric id.
    pub fn id(&self) -> TeamId {
        self.id
    }

    /// The name that the team's runner group has, or would have.
    pub fn group(&self) -> &GroupName {
        &self.group
    }

    /// About how many repositories the team has access to.
    pub fn repositories(&self) -> u64 {
        self.repositories
    }
}

/// The proof that somebody may act for a team: an active maintainer of a team that the policy lets use the service, or
/// one of the administrators' team.
#[derive(Debug, Clone)]
pub struct Authority {
    principal: Principal,
    team: ManagedTeam,
    rights: Rights,
}

/// The proof that somebody may act on every managed group: an active maintainer of the administrators' team, or
/// the service itself.
#[derive(Debug, Clone)]
pub struct Oversight(());

impl Oversight {
    /// The service acts by itself, as its administrator configured. For periodic work only.
    pub fn of_the_service() -> Self {
        Self(())
    }

    /// What may be done with every managed group.
    pub fn rights(&self) -> Rights {
        Rights::OF_ADMINISTRATORS
    }
}

/// Which groups a request reaches.
#[derive(Debug, Clone)]
pub enum Reach {
    /// The group of one team.
    Team(Box<Authority>),
    /// Every managed group.
    Everything(Oversight),
}

impl Authority {
    /// Who acts.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The user who acts, for what only users may do.
    ///
    /// # Errors
    /// It is none.
    pub fn caller(&self) -> Result<&Caller, AccessError> {
        match &self.principal {
            Principal::User(caller) => Ok(caller),
            Principal::Holder { .. } => Err(AccessError::NotTrusted),
        }
    }

    /// The access entry by which it is acted, if it is no user who does.
    pub fn entry(&self) -> Option<&AccessEntry> {
        match &self.principal {
            Principal::User(_) => None,
            Principal::Holder { entry, .. } => Some(entry),
        }
    }

    /// For which team.
    pub fn team(&self) -> &ManagedTeam {
        &self.team
    }

    /// What may be done for the team.
    pub fn rights(&self) -> Rights {
        self.rights
    }
}

impl Maintainer {
    /// The last step to an [`Authority`]: the policy must let the team use the service.
    pub fn under(self, policy: &Policy) -> Result<Authority, AccessError> {
        if policy.teams.permit(self.team.id, self.team.slug.as_str()) {
            let principal = Principal::User(self.caller);
            Ok(Authority { principal, team: self.team, rights: Rights::OF_MAINTAINERS })
        } else {
            Err(AccessError::TeamDenied)
        }
    }
}

/// Why a request is not allowed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AccessError {
    /// GitHub refused the token, or it can't be one.
    #[error("the token was refused")]
    InvalidToken,
    /// A token without a user behind it.
    #[error("the token belongs to no user")]
    UnsupportedToken,
    /// A team token that there is not, or no more.
    #[error("there is no such team token, or no more")]
    UnknownTeamToken,
    /// A token of an OIDC issuer that is not good; says why, for the log.
    #[error("the OIDC token was refused: {0}")]
    InvalidOidcToken(String),
    /// A token of an OIDC issuer that is not configured.
    #[error("the issuer of the token is not configured")]
    UnknownIssuer,
    /// The keys of a token's issuer can't be had.
    #[error("the keys of the token's issuer can't be had")]
    IssuerUnavailable {
        /// When it is tried again.
        retry_after: Duration,
    },
    /// A token that makes one change needs an id.
    #[error("the token has no `jti`")]
    TokenWithoutId,
    /// Only users may do this.
    #[error("not a user's token")]
    NotAUser,
    /// No access entry of the team lets the caller do this.
    #[error("no access entry fits")]
    NotTrusted,
    /// None lets them ask for this label.
    #[error("no access entry lets the caller ask for the label {0}")]
    LabelNotTrusted(Label),
    /// A token that any application may hold, where one is required that its owner made.
    #[error("the token may be held by another application")]
    TokenOfAnApplication,
    /// Too many unknown tokens came from one address.
    #[error("too many unknown tokens from this address")]
    TooManyUnknownTokens {
        /// When the next one is looked up.
        retry_after: Duration,
    },
    /// A caller sent too many names that are no team's.
    #[error("too many names that are no team's")]
    TooManyUnknownTeams {
        /// When the next one is looked up.
        retry_after: Duration,
    },
    /// No active maintainer of the team; also when the team doesn't exist.
    #[error("not an active maintainer of the team")]
    NotAMaintainer,
    /// `policy.teams` keeps the team out.
    #[error("the team may not use this service")]
    TeamDenied,
    /// `policy.users` keeps the user out.
    #[error("the user may not use this service")]
    UserDenied,
    /// Neither owner of the organisation nor administrator of the repository.
    #[error("not an administrator of the scope")]
    NotAnAdministrator,
    /// `scopes` doesn't let anybody have tokens for the scope.
    #[error("the scope {0} is not served")]
    ScopeDenied(Scope),
    /// The store is needed, and fails.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The call to GitHub failed.
    #[error("GitHub: {0}")]
    Github(#[from] github::Error),
}

impl Shareable for AccessError {
    fn sharing(&self) -> Sharing {
        match self {
            Self::TooManyUnknownTokens { .. } | Self::TooManyUnknownTeams { .. } => Sharing::Owner,
            Self::Github(error) => error.sharing(),
            _ => Sharing::All,
        }
    }

    fn repeated(self) -> Self {
        match self {
            Self::Github(error) => Self::Github(error.repeated()),
            other => other,
        }
    }
}
