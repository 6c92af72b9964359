//! What GitHub's response to `GET /user` proves about a token, and what proves nothing.

use std::time::Duration;

use super::CallerToken;
use crate::access::{AccessError, TokenUse};
use crate::domain::ids::UserId;
use crate::domain::names::Login;
use crate::github::{Class, Error, Github, TokenHistory};

/// What GitHub knows of a token.
pub(super) enum Verdict {
    /// Whose it is.
    Good { id: UserId, login: Login, token: TokenUse },
    /// GitHub knows no user by it.
    Refused {
        error: AccessError,
        /// Whether it is no token, or no longer one. Other refusals may pass.
        is_dead: bool,
    },
    /// Nothing, since something else went wrong.
    Unclear {
        error: AccessError,
        /// For how long asking again would be in vain.
        retry_after: Option<Duration>,
    },
}

/// Asks GitHub whose the token is. Only what speaks against the token itself refuses it.
pub(super) async fn examine(github: &Github, token: &CallerToken, history: TokenHistory) -> Verdict {
    let refused = |error, is_dead| Verdict::Refused { error, is_dead };
    let error = match github.user_of(token.0.clone(), history).await {
        Ok(user) => match Login::parse(&user.login) {
            Ok(login) => {
                let token = if token.is_own(&user, github) { TokenUse::Own } else { TokenUse::Application };
                return Verdict::Good { id: user.id, login, token };
            }
            Err(_) => Error::unexpected("GET /user: the login has an unknown form"),
        },
        Err(error) => error,
    };
    match error.class() {
        Class::Unauthorized => refused(AccessError::InvalidToken, true),
        Class::Forbidden(message) if message.to_ascii_lowercase().contains("integration") => {
            refused(AccessError::UnsupportedToken, false)
        }
        // Only what is said of the token itself has this class, see `github::Class::ServiceRefused`.
        Class::Forbidden(_) => refused(AccessError::InvalidToken, false),
        // The limit is this token's own: only its holder has to wait.
        Class::RateLimited { retry_after, .. } => {
            let retry_after = Some(*retry_after);
            Verdict::Unclear { error: error.into(), retry_after }
        }
        _ => Verdict::Unclear { error: error.into(), retry_after: None },
    }
}
