//! What an `Authorization` header may hold: a token that GitHub could have made for a user, a team token, or one of an OIDC
//! issuer.

use secrecy::{ExposeSecret, SecretString};

use crate::domain::entry::TeamToken;
use crate::github::{Github, User};
use crate::oidc::looks_like_token;

/// GitHub's longest tokens today have about 520 characters.
const MAX_TOKEN_LENGTH: usize = 4_096;
/// A token of an issuer is checked for its length later; nothing longer fits into a request's head.
const MAX_OIDC_TOKEN_LENGTH: usize = 32 << 10;
/// Scopes with which a token may read an organisation's teams.
const TEAM_SCOPES: [&str; 3] = ["read:org", "write:org", "admin:org"];

/// A caller's token in a form that GitHub could have made.
#[derive(Debug, Clone)]
pub struct CallerToken(pub(super) SecretString);

/// A token as it was shown, by its form.
#[derive(Debug, Clone)]
pub enum ShownToken {
    /// One that GitHub could have made for a user.
    Github(CallerToken),
    /// A team token; none if it can't be one by its checksum. It never reaches GitHub.
    Team(Option<TeamToken>),
    /// One that an OIDC issuer could have made.
    Oidc(SecretString),
}

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

    /// Whether its owner made it for uses like this one. Any web site with "Sign in with GitHub" holds tokens that tell
    /// whose they are; those that may also read teams were asked for knowingly, as GitHub's command line does.
    pub(super) fn is_own(&self, user: &User, github: &Github) -> bool {
        let token = self.0.expose_secret();
        let is_old_form = token.len() == 40 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
        let reads_teams = || user.scopes.iter().any(|scope| TEAM_SCOPES.contains(&scope.as_str()));
        token.starts_with("ghp_")
            || token.starts_with("github_pat_")
            || (is_old_form && github.is_enterprise_server())
            || (token.starts_with("gho_") && reads_teams())
    }
}

impl ShownToken {
    /// Takes an `Authorization` header: the token alone, or behind `token` or `Bearer` in any case.
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
            _ => return Err(TokenError::Malformed(CallerToken::EXPECTED)),
        };
        if token.starts_with(TeamToken::PREFIX) {
            return Ok(Self::Team(TeamToken::parse(token)));
        }
        let is_oidc = looks_like_token(token);
        if let Some(message) =
            find_mistake(token, if is_oidc { MAX_OIDC_TOKEN_LENGTH } else { MAX_TOKEN_LENGTH })
        {
            return Err(TokenError::Malformed(message));
        }
        if is_oidc {
            return Ok(Self::Oidc(SecretString::from(token)));
        }
        if token.starts_with("ghs_") || token.starts_with("eyJ") {
            return Err(TokenError::Unsupported);
        }
        Ok(Self::Github(CallerToken(SecretString::from(token))))
    }
}

/// Why GitHub can't have made a token for a user's use of its API.
fn find_mistake(token: &str, most: usize) -> Option<&'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if token.starts_with(['"', '\'', '`']) || token.ends_with(['"', '\'', '`']) {
        return Some("The token has quotes around it; send it without them");
    }
    if token.starts_with('$') {
        return Some("A variable was sent in place of the token; put the header in double quotes");
    }
    if token.len() > most || !token.bytes().all(allowed) {
        return Some(CallerToken::EXPECTED);
    }
    token
        .starts_with("ghr_")
        .then_some("A refresh token is not for this; send the token that it is traded for")
}

fn is_scheme(word: &str) -> bool {
    word.eq_ignore_ascii_case("token") || word.eq_ignore_ascii_case("bearer")
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn token(header: &str) -> Result<String, TokenError> {
        ShownToken::from_header(header).map(|token| match token {
            ShownToken::Github(token) => token.0.expose_secret().to_owned(),
            ShownToken::Team(token) => format!("team token: {}", token.is_some()),
            ShownToken::Oidc(token) => format!("oidc: {}", token.expose_secret()),
        })
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
        let longest = "a".repeat(MAX_TOKEN_LENGTH);
        assert_eq!(token(&longest).as_ref(), Ok(&longest));
        let longer = "a".repeat(MAX_TOKEN_LENGTH + 1);
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
        for header in ["ghs_abc", "Bearer ghs_1_eyJhbGciOi.x.y", "eyJhbGciOi.J9"] {
            assert_eq!(token(header), Err(TokenError::Unsupported), "{header:?}");
        }
    }

    #[test]
    fn tokens_that_are_not_githubs_are_told_apart_by_their_form() {
        let made = format!("armt_{}", "a".repeat(42));
        for (header, expected) in [
            (made.as_str(), "team token: false"),
            ("armt_", "team token: false"),
            ("armt_../../user", "team token: false"),
            ("Bearer eyJhbGciOi.J9.x", "oidc: eyJhbGciOi.J9.x"),
        ] {
            assert_eq!(token(header).as_deref(), Ok(expected), "{header:?}");
        }
    }
}
