//! Issuers of OIDC tokens, as the administrator configured them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::ids::TeamId;
use super::names::TeamSlug;
use super::pattern::Pattern;
use super::subject::Subject;
use super::words::words;

/// The name of the issuer that GitHub Actions is, in `oidc.issuers`.
pub const ACTIONS: &str = "github-actions";
/// The issuer of GitHub Actions on github.com.
pub const ACTIONS_ON_GITHUB_COM: &str = "https://token.actions.githubusercontent.com";

/// Whose tokens are accepted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Issuers(Vec<Arc<Issuer>>);

/// Somebody who signs tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Issuer {
    /// Its name in `oidc.issuers`.
    pub name: String,
    /// What its tokens have as `iss`, to the letter.
    pub url: String,
    /// Whether it is GitHub Actions.
    pub is_actions: bool,
    /// What its tokens must have as `aud`.
    pub audience: String,
    /// How it signs.
    pub algorithms: Vec<Algorithm>,
    /// The longest time between a token's `iat` and `exp`.
    pub max_lifetime: Duration,
    /// Whether a token makes one change only.
    pub single_use: bool,
    /// Where its keys are.
    pub keys: KeySource,
    /// PEM certificates that are trusted in addition to the system's when its keys are fetched.
    pub ca_file: Option<PathBuf>,
    /// The teams whose entries may name it; empty for all.
    pub teams: Vec<Subject<TeamId>>,
    /// The subjects that entries may name; empty for all.
    pub subjects: Vec<Pattern>,
}

/// Where an issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// Where its discovery document says.
    Discovery,
    /// At this URL.
    Url {
        /// The URL of the key set.
        url: String,
        /// A file with the token that is sent along, read anew each time.
        token_file: Option<PathBuf>,
    },
    /// In this file, which is read again when it changes.
    File(PathBuf),
}

words! {
    /// An algorithm of signatures that is accepted, by its name in tokens.
    pub enum Algorithm {
        /// RSA PKCS#1 v1.5 with SHA-256.
        Rs256 = "RS256",
        /// RSA PKCS#1 v1.5 with SHA-384.
        Rs384 = "RS384",
        /// RSA PKCS#1 v1.5 with SHA-512.
        Rs512 = "RS512",
        /// RSA PSS with SHA-256.
        Ps256 = "PS256",
        /// RSA PSS with SHA-384.
        Ps384 = "PS384",
        /// RSA PSS with SHA-512.
        Ps512 = "PS512",
        /// ECDSA on P-256 with SHA-256.
        Es256 = "ES256",
        /// ECDSA on P-384 with SHA-384.
        Es384 = "ES384",
    }
}

impl Issuers {
    /// These issuers; each name and each URL is there once.
    pub fn new(issuers: Vec<Issuer>) -> Self {
        Self(issuers.into_iter().map(Arc::new).collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Issuer>> {
        self.0.iter()
    }

    /// The one with this URL, to the letter.
    pub fn with_url(&self, url: &str) -> Option<&Arc<Issuer>> {
        self.0.iter().find(|issuer| issuer.url == url)
    }

    /// The one with this name.
    pub fn named(&self, name: &str) -> Option<&Arc<Issuer>> {
        self.0.iter().find(|issuer| issuer.name == name)
    }

    /// GitHub Actions, if it is among them.
    pub fn actions(&self) -> Option<&Arc<Issuer>> {
        self.0.iter().find(|issuer| issuer.is_actions)
    }
}

impl Issuer {
    /// Whether entries of this team may name it.
    pub fn serves_team(&self, id: TeamId, slug: &TeamSlug) -> bool {
        self.teams.is_empty() || self.teams.iter().any(|subject| subject.is(id, slug.as_str()))
    }

    /// Whether entries may name this subject.
    pub fn has_subject(&self, subject: &str) -> bool {
        self.subjects.is_empty() || self.subjects.iter().any(|pattern| pattern.matches(subject))
    }
}

/// Whether a URL is that of an issuer of Actions tokens, in any spelling: those are used by the preset alone, since anybody can
/// have GitHub sign nearly any `sub`.
pub fn is_of_actions(url: &str) -> bool {
    let url = url.trim().to_ascii_lowercase();
    let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    host.starts_with("token.actions.") || path == "_services/token" || path.ends_with("/_services/token")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_of_actions_are_recognised_in_any_spelling() {
        for url in [
            ACTIONS_ON_GITHUB_COM,
            "https://token.actions.githubusercontent.com/",
            "https://token.actions.githubusercontent.com/my-enterprise",
            "HTTPS://TOKEN.Actions.githubusercontent.com:443",
            "https://user@token.actions.githubusercontent.com",
            "https://token.actions.acme.ghe.com",
            "https://ghes.example.com/_services/token",
            "https://ghes.example.com/_services/token/",
            "https://ghes.example.com//_services/token?x#y",
        ] {
            assert!(is_of_actions(url), "{url}");
        }
        for url in [
            "https://oidc.example.com/id/1",
            "https://example.com/token.actions.x",
            "https://x/_services/tokens",
        ] {
            assert!(!is_of_actions(url), "{url}");
        }
    }
}
