//! Issuers of OIDC tokens, as the administrator configured them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::ids::TeamId;
use super::names::{Form, NameError, TeamSlug};
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
    /// The form of a name.
    pub const EXPECTED_NAME: &'static str = "an issuer's name: 1 to 64 of A-Z a-z 0-9 . _ -";
    const NAME: Form = Form::new("._-", 64);

    /// Takes a name. Case counts: names are keys of the configuration.
    pub fn parse_name(text: &str) -> Result<String, NameError> {
        Self::NAME.fits(text).then(|| text.to_owned()).ok_or(NameError::new(Self::EXPECTED_NAME))
    }

    /// What [`Issuer::parse_name`] takes, as a regular expression, not anchored.
    pub fn name_pattern() -> String {
        Self::NAME.pattern()
    }

    /// Whether entries of this team may name it.
    pub fn serves_team(&self, id: TeamId, slug: &TeamSlug) -> bool {
        self.teams.is_empty() || self.teams.iter().any(|subject| subject.is(id, slug.as_str()))
    }

    /// Whether entries may name this subject.
    pub fn has_subject(&self, subject: &str) -> bool {
        self.subjects.is_empty() || self.subjects.iter().any(|pattern| pattern.matches(subject))
    }
}

/// The issuer of GitHub Actions that belongs to the GitHub whose REST API this is the root of.
pub fn actions_of(api_url: &str) -> String {
    match (Github::of(api_url), scheme_and_authority(api_url)) {
        (Github::Com, _) => ACTIONS_ON_GITHUB_COM.to_owned(),
        (Github::DataResidency { subdomain }, _) => format!("https://token.actions.{subdomain}.ghe.com"),
        (Github::EnterpriseServer, (scheme, authority)) => format!("{scheme}://{authority}/_services/token"),
    }
}

/// Whether this is the root of the REST API of an Enterprise Server.
pub fn is_of_enterprise_server(api_url: &str) -> bool {
    Github::of(api_url) == Github::EnterpriseServer
}

/// The kinds of GitHub.
#[derive(Debug, PartialEq, Eq)]
enum Github {
    /// github.com.
    Com,
    /// An enterprise's own part of ghe.com.
    DataResidency {
        /// The enterprise's part of the host.
        subdomain: String,
    },
    /// A server of somebody's own.
    EnterpriseServer,
}

impl Github {
    fn of(api_url: &str) -> Self {
        let (_, authority) = scheme_and_authority(api_url);
        let host = authority.strip_suffix(":443").unwrap_or(&authority);
        let subdomain = host.strip_prefix("api.").and_then(|rest| rest.strip_suffix(".ghe.com"));
        match subdomain {
            _ if host == "api.github.com" => Self::Com,
            Some(subdomain) if !subdomain.is_empty() => {
                Self::DataResidency { subdomain: subdomain.to_owned() }
            }
            _ => Self::EnterpriseServer,
        }
    }
}

/// Both in lower case, as issuers write them.
fn scheme_and_authority(url: &str) -> (String, String) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let authority = rest.split('/').next().unwrap_or_default();
    (scheme.to_ascii_lowercase(), authority.to_ascii_lowercase())
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
    fn each_github_has_its_own_issuer_of_actions() {
        for (api_url, issuer) in [
            ("https://api.github.com", ACTIONS_ON_GITHUB_COM),
            ("HTTPS://API.github.com:443", ACTIONS_ON_GITHUB_COM),
            ("https://api.acme.ghe.com", "https://token.actions.acme.ghe.com"),
            ("https://ghes.example.com/api/v3", "https://ghes.example.com/_services/token"),
            ("https://GHES.example.com:8443/api/v3", "https://ghes.example.com:8443/_services/token"),
            ("http://127.0.0.1:4711", "http://127.0.0.1:4711/_services/token"),
            ("http://[::1]:4711/api/v3", "http://[::1]:4711/_services/token"),
            ("https://api.ghe.com", "https://api.ghe.com/_services/token"),
        ] {
            assert_eq!(actions_of(api_url), issuer, "{api_url}");
            assert!(is_of_actions(issuer), "{issuer}");
            assert_eq!(is_of_enterprise_server(api_url), issuer.ends_with("/_services/token"), "{api_url}");
        }
    }

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
