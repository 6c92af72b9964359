//! Where a runner is registered by token: the whole organisation, or one repository of it.

use std::fmt;

use crate::domain::names::{NameError, OrgName, RepoName};

/// A scope of the configured organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The organisation.
    Org(OrgName),
    /// One of its repositories.
    Repo(OrgName, RepoName),
}

impl Scope {
    /// What a scope has to look like.
    pub const EXPECTED: &'static str = "the configured organisation, or it and a repository: org or org/repo";

    /// Takes `org` or `org/repo`, where `org` must be the configured organisation.
    pub fn parse(value: &str, org: &OrgName) -> Result<Self, NameError> {
        let other = || NameError::new(Self::EXPECTED);
        match value.split_once('/') {
            None if org.is(value) => Ok(Self::Org(org.clone())),
            Some((owner, name)) if org.is(owner) => Ok(Self::Repo(org.clone(), RepoName::parse(name)?)),
            _ => Err(other()),
        }
    }

    /// What [`Scope::parse`] takes, as a regular expression to be put at the end of one; whether it is the right
    /// organisation is not in it.
    pub fn pattern() -> String {
        format!("{}(?:/{})?", OrgName::FORM.pattern(), RepoName::pattern())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Org(org) => org.fmt(formatter),
            Self::Repo(org, name) => write!(formatter, "{org}/{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_of_the_configured_organisation() {
        let org = OrgName::parse("Acme").unwrap();
        assert_eq!(Scope::parse("acme", &org).unwrap().to_string(), "Acme");
        assert_eq!(Scope::parse("ACME/web.js", &org).unwrap().to_string(), "Acme/web.js");
        let long = "a".repeat(10_000);
        for value in
            ["", "/", "org/", "acme/", "/acme", "other", "other/web", "acme/a/b", "acme/../x", "../x", &long]
        {
            assert!(Scope::parse(value, &org).is_err(), "{value:.20}");
        }
    }
}
