//! Why somebody may not do what they ask for.

use super::{Answer, from_github, internal, store_unavailable, too_many};
use crate::access::AccessError;
use crate::domain::reason::Reason;

/// Reason and public sentence.
pub(super) fn access(error: &AccessError) -> Answer {
    if let Some(answer) = of_token(error) {
        return answer;
    }
    let (reason, message) = match error {
        AccessError::NotTrusted => (Reason::NotTrusted, "No access entry of this team lets you do this"),
        AccessError::LabelNotTrusted(label) => {
            let message = format!("No access entry of this team lets you ask for the label \"{label}\"");
            return Answer::new(Reason::NotTrusted, message);
        }
        AccessError::NotAMaintainer => {
            (Reason::NotAMaintainer, "You are not an active maintainer of this team")
        }
        AccessError::NotAnAdministrator => (
            Reason::NotAMaintainer,
            "You neither own the organisation nor administer this repository, by yourself or through the team",
        ),
        AccessError::ScopeDenied(scope) => {
            let message = format!("The administrator's `scopes` do not allow {scope}");
            return Answer::new(Reason::DeniedByPolicy, message);
        }
        AccessError::TeamDenied => {
            (Reason::DeniedByPolicy, "The administrator doesn't let this team use the service")
        }
        AccessError::UserDenied => {
            (Reason::DeniedByPolicy, "The administrator doesn't let you use the service")
        }
        AccessError::Store(_) => return store_unavailable(),
        AccessError::TooManyUnknownTeams { retry_after } => {
            return too_many(
                *retry_after,
                "You named too many teams that do not exist; wait before you name another",
            );
        }
        AccessError::Github(error) => return from_github(error),
        _ => return internal(),
    };
    Answer::new(reason, message)
}

/// What is wrong with the token, if it is that.
fn of_token(error: &AccessError) -> Option<Answer> {
    let (reason, message) = match error {
        AccessError::InvalidToken => (Reason::InvalidToken, "GitHub doesn't accept this token"),
        AccessError::UnsupportedToken => (
            Reason::UnsupportedToken,
            "Tokens of GitHub Apps and of GitHub Actions belong to no user; send a user's token",
        ),
        AccessError::UnknownTeamToken => {
            (Reason::InvalidToken, "There is no such team token: it is mistyped, expired or was removed")
        }
        AccessError::InvalidOidcToken(_) => (
            Reason::InvalidToken,
            "This OIDC token is not accepted: expired, for another audience, or not signed by its issuer for this organisation",
        ),
        AccessError::UnknownIssuer => (
            Reason::UnsupportedToken,
            "The administrator did not configure the issuer of this token, or it is the token of a GitHub App",
        ),
        AccessError::IssuerUnavailable { retry_after } => {
            let message = "The keys of this token's issuer can't be fetched at the moment";
            return Some(Answer::new(Reason::IssuerUnavailable, message).after(*retry_after));
        }
        AccessError::TokenWithoutId => {
            (Reason::InvalidToken, "This token has no `jti`, so it makes no change")
        }
        AccessError::NotAUser => (Reason::UnsupportedToken, "Only a user may do this; send a user's token"),
        AccessError::TokenOfAnApplication => (
            Reason::UnsupportedToken,
            "Use a personal access token, or the one of GitHub's command line (gh auth token): any application with \"Sign in \
             with GitHub\" may hold a token like this one",
        ),
        AccessError::TooManyUnknownTokens { retry_after } => {
            return Some(too_many(
                *retry_after,
                "Too many tokens from this address were refused; wait before you send another",
            ));
        }
        _ => return None,
    };
    Some(Answer::new(reason, message))
}
