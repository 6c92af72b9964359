//! The `oidc` section: whose tokens are accepted.

use std::time::Duration;

use crate::config::node::Node;
use crate::config::reader::{Invalid, Part, Reader, Valid};
use crate::config::values::{
    Complaint, Outcome, boolean, case_sensitive_pattern, choice, duration, expected, subject, text_or_empty,
};
use crate::config::{GithubConfig, Target, url};
use crate::domain::entry::LONGEST_VALUE;
use crate::domain::issuer::{ACTIONS, Algorithm, Issuer, Issuers, KeySource, actions_of, is_of_actions};

/// The shortest and the longest that a token may be good for.
const LIFETIMES: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(7 * 24));
/// What tokens of GitHub Actions may be good for unless it is set, and those of others: platforms renew theirs daily.
const ACTIONS_LIFETIME: Duration = Duration::from_hours(1);
const OTHER_LIFETIME: Duration = Duration::from_hours(25);

/// The keys of an issuer.
mod key {
    pub(super) const URL: &str = "url";
    pub(super) const AUDIENCE: &str = "audience";
    pub(super) const ALGORITHMS: &str = "algorithms";
    pub(super) const MAX_LIFETIME: &str = "maxLifetime";
    pub(super) const SINGLE_USE: &str = "singleUse";
    pub(super) const JWKS_URL: &str = "jwksURL";
    pub(super) const JWKS_TOKEN_FILE: &str = "jwksTokenFile";
    pub(super) const JWKS_FILE: &str = "jwksFile";
    pub(super) const CA_FILE: &str = "caFile";
    pub(super) const TEAMS: &str = "teams";
    pub(super) const SUBJECTS: &str = "subjects";
}

pub(super) fn oidc(reader: &mut Reader, github: Option<&GithubConfig>) -> Valid<Issuers> {
    let audience = reader.or_default("oidc.audience", "", audience);
    // The URLs of those before, and their names.
    let mut earlier: Vec<(String, String)> = Vec::new();
    let issuers = reader.named_parts("oidc.issuers", |part, name| {
        let issuer = issuer(part, name, audience.as_deref(), github)?;
        if let Some((other, _)) = earlier.iter().find(|(_, url)| *url == issuer.url) {
            let message =
                format!("expected another URL than that of {other}, since tokens are told apart by it");
            part.complain(key::URL, message);
        }
        earlier.push((issuer.name.clone(), issuer.url.clone()));
        Ok(issuer)
    });
    audience?;
    Ok(Issuers::new(issuers?))
}

fn issuer(
    part: &mut Part<'_>,
    name: &str,
    shared_audience: Result<&str, &Invalid>,
    github: Option<&GithubConfig>,
) -> Valid<Issuer> {
    let is_actions = name == ACTIONS;
    let name = Issuer::parse_name(name).map_err(|error| part.complain_of_all(error.to_string()));
    let url = issuer_url(part, is_actions, github);
    let teams = part.list(key::TEAMS, subject);
    let subjects = part.list(key::SUBJECTS, case_sensitive_pattern);
    if is_actions && matches!(&subjects, Ok(Some(subjects)) if !subjects.is_empty()) {
        let message = "expected none for GitHub Actions: sub is never compared, since a repository's administrators \
                       can shape it";
        part.complain(key::SUBJECTS, message.to_owned());
    }
    let audience = issuer_audience(part, shared_audience);
    let algorithms = algorithms(part);
    let max_lifetime = part.read(key::MAX_LIFETIME, duration(LIFETIMES.0, LIFETIMES.1));
    let single_use = part.read(key::SINGLE_USE, boolean);
    let keys = keys(part);
    let ca_file = part.path(key::CA_FILE);
    if let Ok(Some(file)) = &ca_file {
        part.refer(key::CA_FILE, Target::Authorities(file.clone()));
    }
    let of_github = github.filter(|github| is_actions && github.api_url.is_of_enterprise_server());
    let default_lifetime = if is_actions { ACTIONS_LIFETIME } else { OTHER_LIFETIME };
    Ok(Issuer {
        name: name.map_err(|()| Invalid)?,
        url: url?,
        is_actions,
        audience: audience?,
        algorithms: algorithms?,
        max_lifetime: max_lifetime?.unwrap_or(default_lifetime),
        single_use: single_use?.unwrap_or(is_actions),
        keys: keys?,
        ca_file: ca_file?.or_else(|| of_github?.ca_file.clone()),
        teams: teams?.unwrap_or_default(),
        subjects: subjects?.unwrap_or_default(),
    })
}

fn issuer_url(part: &mut Part<'_>, is_actions: bool, github: Option<&GithubConfig>) -> Valid<String> {
    match part.read(key::URL, url_or_none)?.flatten() {
        Some(url) if !is_actions && is_of_actions(&url) => {
            let message = format!(
                "expected another issuer than GitHub Actions, whose tokens are accepted by {ACTIONS} alone: nearly \
                 anybody can have it sign any sub"
            );
            part.complain(key::URL, message);
            Err(Invalid)
        }
        Some(url) => Ok(url),
        // Without GitHub's address a problem has been noted there.
        None if is_actions => github.map(|github| actions_of(github.api_url.as_str())).ok_or(Invalid),
        None => {
            part.complain(
                key::URL,
                "missing; expected the issuer's URL, as its tokens have it as iss".to_owned(),
            );
            Err(Invalid)
        }
    }
}

/// The issuer's own audience, or the one for all.
fn issuer_audience(part: &mut Part<'_>, shared: Result<&str, &Invalid>) -> Valid<String> {
    let own = part.read(key::AUDIENCE, audience)?.unwrap_or_default();
    match (own.as_str(), shared) {
        ("", Ok("")) => {
            let message = "missing; expected what tokens have as aud, here or as oidc.audience (or the variable \
                           ARM_OIDC_AUDIENCE)";
            part.complain(key::AUDIENCE, message.to_owned());
            Err(Invalid)
        }
        ("", shared) => shared.map(str::to_owned).map_err(|_| Invalid),
        _ => Ok(own),
    }
}

fn algorithms(part: &mut Part<'_>) -> Valid<Vec<Algorithm>> {
    let algorithms = part.list(key::ALGORITHMS, choice(ALGORITHMS))?.unwrap_or(vec![Algorithm::Rs256]);
    if algorithms.is_empty() {
        part.complain(key::ALGORITHMS, "expected at least one algorithm".to_owned());
        return Err(Invalid);
    }
    Ok(algorithms)
}

const ALGORITHMS: &[(&str, Algorithm)] = &[
    (Algorithm::Rs256.as_str(), Algorithm::Rs256),
    (Algorithm::Rs384.as_str(), Algorithm::Rs384),
    (Algorithm::Rs512.as_str(), Algorithm::Rs512),
    (Algorithm::Ps256.as_str(), Algorithm::Ps256),
    (Algorithm::Ps384.as_str(), Algorithm::Ps384),
    (Algorithm::Ps512.as_str(), Algorithm::Ps512),
    (Algorithm::Es256.as_str(), Algorithm::Es256),
    (Algorithm::Es384.as_str(), Algorithm::Es384),
];

fn keys(part: &mut Part<'_>) -> Valid<KeySource> {
    let url = part.read(key::JWKS_URL, url_or_none).map(Option::flatten);
    let token_file = part.path(key::JWKS_TOKEN_FILE);
    let file = part.path(key::JWKS_FILE);
    if let Ok(Some(file)) = &token_file {
        part.refer(key::JWKS_TOKEN_FILE, Target::IssuerToken(file.clone()));
    }
    if let Ok(Some(file)) = &file {
        part.refer(key::JWKS_FILE, Target::IssuerKeys(file.clone()));
    }
    let (url, token_file, file) = (url?, token_file?, file?);
    match (url, token_file, file) {
        (Some(_), _, Some(_)) => {
            part.complain(key::JWKS_FILE, format!("contradicts {}: set only one of them", key::JWKS_URL));
            Err(Invalid)
        }
        (None, Some(_), _) => {
            let message = format!("expected {} as well, to which the token is sent", key::JWKS_URL);
            part.complain(key::JWKS_TOKEN_FILE, message);
            Err(Invalid)
        }
        (Some(url), token_file, None) => Ok(KeySource::Url { url, token_file }),
        (None, None, Some(file)) => Ok(KeySource::File(file)),
        (None, None, None) => Ok(KeySource::Discovery),
    }
}

fn url_or_none(node: &Node) -> Outcome<Option<String>> {
    let text = text_or_empty(node)?;
    if text.is_empty() {
        return Ok(None);
    }
    url::of_issuer(&text).map(Some).map_err(|reason| Complaint::Message(reason.to_owned()))
}

/// What tokens have as `aud`, or nothing.
fn audience(node: &Node) -> Outcome<String> {
    let text = text_or_empty(node)?;
    let fits = text.chars().count() <= LONGEST_VALUE && !text.chars().any(char::is_control);
    if fits { Ok(text) } else { expected("at most 1000 characters, no control character") }
}
