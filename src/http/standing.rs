//! Where the caller of an operation has to stand, and what proves it.

mod holders;

use self::holders::{candidates, choose};
use super::error::ApiError;
use super::field::{Field, FieldDescription, ParameterSet};
use super::parameters::{Parameters, invalid};
use super::value::TeamOrAll;
use crate::access::{
    AccessError, Authority, Caller, Candidates, Maintainer, ManagedTeam, Oversight, Reach, Requester, Right,
    Rights, ScopeAuthority, ScopeHolder,
};
use crate::domain::reference::TeamReference;
use crate::domain::scope::Scope;
use crate::ops::Work;
use crate::request;

/// Who may call an operation with the parameters `P`.
pub(super) trait Standing<P>: 'static {
    /// What is known before the other parameters are looked at.
    type Found;
    /// What the operation demands.
    type Proof: 'static;

    /// The parameter that says what the request is about.
    fn field() -> Option<FieldDescription>;

    /// The caller's standing, held against the right that the operation takes.
    async fn find(
        work: &Work<()>,
        requester: &Requester,
        right: Right,
        sent: &mut Parameters,
    ) -> Result<Self::Found, ApiError>;

    /// The proof, if the administrator's rules allow it.
    async fn prove(found: Self::Found, work: &Work<()>, parameters: &P) -> Result<Self::Proof, ApiError>;
}

/// Everybody with a valid token. No team is involved.
pub(super) struct AnyCaller;

impl<P> Standing<P> for AnyCaller {
    type Found = ();
    type Proof = ();

    fn field() -> Option<FieldDescription> {
        None
    }

    async fn find(_: &Work<()>, _: &Requester, _: Right, _: &mut Parameters) -> Result<(), ApiError> {
        Ok(())
    }

    async fn prove((): (), _: &Work<()>, _: &P) -> Result<(), ApiError> {
        Ok(())
    }
}

/// Active maintainers of the team that the request names, and whoever an access entry of the team lets do this.
pub(super) struct OfTeam;

const TEAM: Field<TeamReference> = Field::required("team", "The team whose group it is about", "payments");

/// The team that the request names.
fn named_team(work: &Work<()>, sent: &mut Parameters) -> Result<TeamReference, ApiError> {
    let team = TEAM.take(sent, &work.organisation().name)?;
    work.context().set_named_team(team.to_string());
    Ok(team)
}

/// Whoever may act for a team, before the policy is applied.
pub(super) enum Found {
    Maintainer(Maintainer),
    /// By one of these access entries.
    Holder(Box<Candidates>),
}

impl<P: ParameterSet> Standing<P> for OfTeam {
    type Found = Found;
    type Proof = Authority;

    fn field() -> Option<FieldDescription> {
        Some(TEAM.description())
    }

    async fn find(
        work: &Work<()>,
        requester: &Requester,
        right: Right,
        sent: &mut Parameters,
    ) -> Result<Found, ApiError> {
        let team = named_team(work, sent)?;
        match requester {
            Requester::User(caller) => Ok(Found::Maintainer(maintainer(work, caller, &team, right).await?)),
            requester => Ok(Found::Holder(Box::new(candidates(work, requester, &team, right).await?))),
        }
    }

    async fn prove(found: Found, work: &Work<()>, parameters: &P) -> Result<Authority, ApiError> {
        match found {
            Found::Maintainer(maintainer) => Ok(maintainer.under(&work.organisation().policy.load())?),
            Found::Holder(candidates) => choose(work, *candidates, parameters.labels()).await,
        }
    }
}

/// Active maintainers of the team that the request names, with a token that no other application holds.
pub(super) struct OfMaintainers;

impl<P> Standing<P> for OfMaintainers {
    type Found = Maintainer;
    type Proof = Authority;

    fn field() -> Option<FieldDescription> {
        Some(TEAM.description())
    }

    async fn find(
        work: &Work<()>,
        requester: &Requester,
        right: Right,
        sent: &mut Parameters,
    ) -> Result<Maintainer, ApiError> {
        let caller = requester.user()?;
        caller.require_own_token()?;
        let team = named_team(work, sent)?;
        maintainer(work, caller, &team, right).await
    }

    async fn prove(found: Maintainer, work: &Work<()>, _: &P) -> Result<Authority, ApiError> {
        Ok(found.under(&work.organisation().policy.load())?)
    }
}

/// Those of [`OfTeam`]; and administrators, for any team's group or for all of them.
pub(super) struct Everywhere;

const TEAM_OR_ALL: Field<TeamOrAll> = Field::required(
    "team",
    "The team whose group it is about; for administrators also * for all managed groups",
    "payments",
);

/// Whoever may act for a team or for all, before the policy is applied.
pub(super) enum FoundReach {
    /// What the policy says comes behind the parameters.
    Known(Result<Reach, AccessError>),
    /// By one of these access entries.
    Holder(Box<Candidates>),
}

impl<P: ParameterSet> Standing<P> for Everywhere {
    type Found = FoundReach;
    type Proof = Reach;

    fn field() -> Option<FieldDescription> {
        Some(TEAM_OR_ALL.description())
    }

    async fn find(
        work: &Work<()>,
        requester: &Requester,
        right: Right,
        sent: &mut Parameters,
    ) -> Result<Self::Found, ApiError> {
        let organisation = work.organisation();
        let administrators = &organisation.administrators;
        let named = TEAM_OR_ALL.take(sent, &organisation.name)?;
        let Requester::User(caller) = requester else {
            let TeamOrAll::Team(team) = named else { return Err(AccessError::NotTrusted.into()) };
            work.context().set_named_team(team.to_string());
            return Ok(FoundReach::Holder(Box::new(candidates(work, requester, &team, right).await?)));
        };
        let team = match named {
            TeamOrAll::All if administrators.are_named() => {
                work.context().set_named_team("*".to_owned());
                let oversight = administrators.oversight(&organisation.teams, caller).await?;
                work.context().set_as_administrator();
                permit(oversight.rights(), right)?;
                return Ok(FoundReach::Known(Ok(Reach::Everything(oversight))));
            }
            TeamOrAll::All => return Err(no_such_team()),
            TeamOrAll::Team(team) => team,
        };
        work.context().set_named_team(team.to_string());
        match with_slug(work, &team, authority(work, caller, &team).await).await {
            Ok(authority) => {
                permit(authority.rights(), right)?;
                Ok(FoundReach::Known(Ok(Reach::Team(Box::new(authority)))))
            }
            Err(AccessError::TeamDenied) => Ok(FoundReach::Known(Err(AccessError::TeamDenied))),
            Err(error) => Err(error.into()),
        }
    }

    async fn prove(found: FoundReach, work: &Work<()>, parameters: &P) -> Result<Reach, ApiError> {
        match found {
            FoundReach::Known(reach) => Ok(reach?),
            FoundReach::Holder(candidates) => {
                Ok(Reach::Team(Box::new(choose(work, *candidates, parameters.labels()).await?)))
            }
        }
    }
}

/// Administrators of the service, with a token that no other application holds.
pub(super) struct OfAdministrators;

impl<P> Standing<P> for OfAdministrators {
    type Found = Oversight;
    type Proof = Oversight;

    fn field() -> Option<FieldDescription> {
        None
    }

    async fn find(
        work: &Work<()>,
        requester: &Requester,
        right: Right,
        _: &mut Parameters,
    ) -> Result<Oversight, ApiError> {
        let caller = requester.user()?;
        caller.require_own_token()?;
        let organisation = work.organisation();
        let oversight = organisation.administrators.oversight(&organisation.teams, caller).await?;
        work.context().set_as_administrator();
        permit(oversight.rights(), right)?;
        Ok(oversight)
    }

    async fn prove(found: Oversight, _: &Work<()>, _: &P) -> Result<Oversight, ApiError> {
        Ok(found)
    }
}

/// Those who own the organisation or administer the repository that the scope is; or, with a team, maintainers of a team
/// that does.
pub(super) struct OfScope;

const TEAM_OF_SCOPE: Field<Option<TeamReference>> =
    Field::optional("team", "A team of the caller's that administers the repository", "payments");

impl<P: AsRef<Scope>> Standing<P> for OfScope {
    /// The team's maintainer, if a team is named; who asked.
    type Found = (Option<Maintainer>, Caller);
    type Proof = ScopeAuthority;

    fn field() -> Option<FieldDescription> {
        Some(TEAM_OF_SCOPE.description())
    }

    async fn find(
        work: &Work<()>,
        requester: &Requester,
        right: Right,
        sent: &mut Parameters,
    ) -> Result<Self::Found, ApiError> {
        let Requester::User(caller) = requester else { return Err(AccessError::NotTrusted.into()) };
        let team = TEAM_OF_SCOPE.take(sent, &work.organisation().name)?;
        let maintainer = match team {
            None => None,
            Some(team) => {
                work.context().set_named_team(team.to_string());
                Some(maintainer(work, caller, &team, right).await?)
            }
        };
        Ok((maintainer, caller.clone()))
    }

    async fn prove(
        (maintainer, caller): Self::Found,
        work: &Work<()>,
        parameters: &P,
    ) -> Result<ScopeAuthority, ApiError> {
        let (organisation, scope) = (work.organisation(), parameters.as_ref());
        work.line().note(|details| details.repositories = vec![scope.to_string()]);
        let github = &organisation.github;
        let holder = match &maintainer {
            None => ScopeHolder::by_own_right(github, &organisation.members, &caller, scope).await?,
            Some(maintainer) => ScopeHolder::by_team(github, maintainer, scope).await?,
        };
        if let Some(maintainer) = maintainer {
            maintainer.under(&organisation.policy.load())?;
        }
        Ok(holder.under(&organisation.scopes.load())?)
    }
}

async fn maintainer(
    work: &Work<()>,
    caller: &Caller,
    team: &TeamReference,
    right: Right,
) -> Result<Maintainer, ApiError> {
    let maintainer = work.organisation().teams.maintainer(caller, team).await;
    let maintainer = with_slug(work, team, maintainer).await?;
    set_team(work, maintainer.team());
    permit(maintainer.rights(), right)?;
    Ok(maintainer)
}

/// Has the log name by its slug a team that was named by its id, also when the caller may not act for it.
async fn with_slug<T>(
    work: &Work<()>,
    team: &TeamReference,
    outcome: Result<T, AccessError>,
) -> Result<T, AccessError> {
    if outcome.is_err()
        && let TeamReference::Id(_) = team
        && let Some(slug) = work.organisation().teams.remembered_slug(team).await
    {
        work.context().set_slug_of_named_team(slug);
    }
    outcome
}

/// The authority of a maintainer, or else of an administrator.
async fn authority(work: &Work<()>, caller: &Caller, team: &TeamReference) -> Result<Authority, AccessError> {
    let organisation = work.organisation();
    let teams = &organisation.teams;
    let own = teams.maintainer(caller, team).await.and_then(|maintainer| {
        set_team(work, maintainer.team());
        maintainer.under(&organisation.policy.load())
    });
    let administrators = &organisation.administrators;
    if !matches!(own, Err(AccessError::NotAMaintainer | AccessError::TeamDenied))
        || !administrators.are_named()
    {
        return own;
    }
    let oversight: Oversight = match administrators.oversight(teams, caller).await {
        Ok(oversight) => oversight,
        Err(AccessError::NotAMaintainer) => return own,
        Err(error) => return Err(error),
    };
    work.context().set_as_administrator();
    let authority = teams.overseen(caller, team, &oversight).await?;
    set_team(work, authority.team());
    Ok(authority)
}

/// Without administrators `*` is a slug that can't be.
fn no_such_team() -> ApiError {
    TeamReference::parse("*").map_or_else(|error| invalid("team", &error.to_string()), |_| ApiError::Internal)
}

/// The one place where rights are held against what an operation takes.
fn permit(rights: Rights, right: Right) -> Result<(), AccessError> {
    if rights.include(right) { Ok(()) } else { Err(AccessError::NotAMaintainer) }
}

fn set_team(work: &Work<()>, team: &ManagedTeam) {
    work.context().set_team(request::Team {
        slug: team.slug().clone(),
        id: team.id(),
        group: team.group().to_string(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_that_is_not_among_the_callers_is_refused() {
        let refused = permit(Rights::OF_ADMINISTRATORS, Right::ReposAdd);
        assert!(matches!(refused, Err(AccessError::NotAMaintainer)), "{refused:?}");
        assert!(permit(Rights::OF_ADMINISTRATORS, Right::RunnersRemove).is_ok());
    }
}
