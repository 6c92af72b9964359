//! Names that were checked on the way in. A path of GitHub's API is built from nothing else: octocrab
//! does not percent-encode, so an unchecked `../` would reach another endpoint.

use std::fmt;

/// Why a string is not the name it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct NameError {
    expected: &'static str,
}

impl NameError {
    /// The error of a name that should have been `expected`.
    pub(super) fn new(expected: &'static str) -> Self {
        Self { expected }
    }

    /// The form that was expected, to be put behind "expected".
    pub fn expected(&self) -> &'static str {
        self.expected
    }
}

/// The characters of a name (ASCII letters, digits and some punctuation) and its length. Both the check and the pattern
/// that the API publishes come from here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    punctuation: &'static str,
    max: usize,
}

impl Form {
    /// 1 to `max` letters, digits and characters of `punctuation`.
    pub(super) const fn new(punctuation: &'static str, max: usize) -> Self {
        Self { punctuation, max }
    }

    /// Whether a value has this form.
    pub(super) fn fits(self, value: &str) -> bool {
        (1..=self.max).contains(&value.len())
            && value
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || self.punctuation.as_bytes().contains(&byte))
    }

    /// The same as a regular expression, not anchored.
    pub(super) fn pattern(self) -> String {
        // Browsers want a hyphen in a class escaped.
        let punctuation = self.punctuation.replace('-', r"\-");
        format!("[A-Za-z0-9{punctuation}]{{1,{}}}", self.max)
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

name! {
    /// The login of the organisation that this service manages.
    OrgName
}
name! {
    /// A team's slug, in lower case.
    TeamSlug
}
name! {
    /// A repository's name, without its owner.
    RepoName
}
name! {
    /// A user's login, as GitHub reported it.
    Login
}
name! {
    /// The name of a new self-hosted runner.
    RunnerName
}
name! {
    /// A name that selects runners, as it was given. Existing runners may have names that new ones can't have.
    SelectedRunnerName
}
name! {
    /// A runner label, in lower case as GitHub stores it.
    Label
}

impl OrgName {
    pub(super) const FORM: Form = Form::new("_-", 100);

    /// Takes an organisation's login: letters, digits, hyphens and (on GHES) underscores.
    pub fn parse(value: &str) -> Result<Self, NameError> {
        let valid = Self::FORM.fits(value);
        let error = NameError { expected: "an organisation's login: 1 to 100 of A-Z a-z 0-9 - _" };
        valid.then(|| Self(value.to_owned())).ok_or(error)
    }

    /// Whether `login` names this organisation; GitHub ignores case.
    pub fn is(&self, login: &str) -> bool {
        self.0.eq_ignore_ascii_case(login)
    }
}

impl TeamSlug {
    /// The form of a slug.
    pub const EXPECTED: &'static str = "a team's slug: 1 to 255 of a-z 0-9 _ -";
    const FORM: Form = Form::new("_-", 255);

    /// Takes a slug in any case. Enterprise teams (`ent:…`) are not served.
    pub fn parse(value: &str) -> Result<Self, NameError> {
        let valid = Self::FORM.fits(value);
        // ASCII only: Unicode lower-casing would turn the Kelvin sign into a plain k.
        valid.then(|| Self(value.to_ascii_lowercase())).ok_or(NameError { expected: Self::EXPECTED })
    }

    /// What [`TeamSlug::parse`] takes, as a regular expression, not anchored.
    pub fn pattern() -> String {
        Self::FORM.pattern()
    }
}

impl RepoName {
    /// The form of a name.
    pub const EXPECTED: &'static str = "a repository's name: 1 to 100 of A-Z a-z 0-9 . _ -, not . or ..";
    const FORM: Form = Form::new("._-", 100);

    /// Takes a name without owner.
    pub fn parse(value: &str) -> Result<Self, NameError> {
        let valid = Self::FORM.fits(value) && !matches!(value, "." | "..");
        valid.then(|| Self(value.to_owned())).ok_or(NameError { expected: Self::EXPECTED })
    }

    /// Takes `name` or `org/name`, where `org` must be the configured organisation.
    pub fn parse_in(value: &str, org: &OrgName) -> Result<Self, NameError> {
        match value.split_once('/') {
            None => Self::parse(value),
            Some((owner, name)) if org.is(owner) => Self::parse(name),
            Some(_) => Err(NameError { expected: "a repository of the configured organisation" }),
        }
    }

    /// What [`RepoName::parse`] takes, as a regular expression to be put at the end of one.
    pub fn pattern() -> String {
        format!(r"(?!\.{{1,2}}$){}", Self::FORM.pattern())
    }

    /// What [`RepoName::parse_in`] takes, likewise; whether it is the right organisation is not in it.
    pub fn pattern_in() -> String {
        format!("(?:{}/)?{}", OrgName::FORM.pattern(), Self::pattern())
    }

    /// Whether both name the same repository; GitHub ignores case.
    pub fn is(&self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }
}

impl Login {
    /// Takes a login. Bots' logins (`name[bot]`) don't fit: they have no team membership.
    pub fn parse(value: &str) -> Result<Self, NameError> {
        let valid = Form::new("_-", 100).fits(value);
        let error = NameError { expected: "a user's login: 1 to 100 of A-Z a-z 0-9 - _" };
        valid.then(|| Self(value.to_owned())).ok_or(error)
    }
}

impl RunnerName {
    /// The form of a name.
    pub const EXPECTED: &'static str = "a runner's name: 1 to 64 of A-Z a-z 0-9 . _ -";
    const FORM: Form = Form::new("._-", 64);

    /// Takes a runner's name (at most 64 characters on GitHub's side, actions/runner#1710).
    pub fn parse(value: &str) -> Result<Self, NameError> {
        let valid = Self::FORM.fits(value);
        valid.then(|| Self(value.to_owned())).ok_or(NameError { expected: Self::EXPECTED })
    }

    /// What [`RunnerName::parse`] takes, as a regular expression, not anchored.
    pub fn pattern() -> String {
        Self::FORM.pattern()
    }
}

impl SelectedRunnerName {
    /// The form of a name.
    pub const EXPECTED: &'static str = "a runner's name: 1 to 100 characters, no control character";
    const MAX: usize = 100;

    /// Takes a name that is only compared, and so may be anything that a line can show.
    pub fn parse(value: &str) -> Result<Self, NameError> {
        let valid = (1..=Self::MAX).contains(&value.chars().count()) && !value.chars().any(char::is_control);
        valid.then(|| Self(value.to_owned())).ok_or(NameError { expected: Self::EXPECTED })
    }

    /// The form in which names are compared: GitHub ignores case.
    pub fn folded(name: &str) -> String {
        name.to_lowercase()
    }

    /// Whether a runner has this name.
    pub fn is(&self, name: &str) -> bool {
        Self::folded(&self.0) == Self::folded(name)
    }

    /// What [`SelectedRunnerName::parse`] takes, as a regular expression, not anchored.
    pub fn pattern() -> String {
        format!(r"[^\u0000-\u001f\u007f-\u009f]{{1,{}}}", Self::MAX)
    }
}

impl Label {
    /// The form of a label.
    pub const EXPECTED: &'static str = "a label: 1 to 256 characters, no comma, no control character";
    const MOST: usize = 256;

    /// Takes a label of 1 to 256 characters without comma or control characters; GitHub folds its case.
    pub fn parse(value: &str) -> Result<Self, NameError> {
        // Folding can make it longer: a capital I with a dot becomes two characters.
        let folded = value.to_lowercase();
        let valid = (1..=Self::MOST).contains(&folded.chars().count())
            && folded.chars().all(|character| character != ',' && !character.is_control());
        valid.then_some(Self(folded)).ok_or(NameError { expected: Self::EXPECTED })
    }

    /// What [`Label::parse`] takes, as a regular expression, not anchored. The ranges are Unicode's control characters.
    pub fn pattern() -> String {
        format!(r"[^,\u0000-\u001f\u007f-\u009f]{{1,{}}}", Self::MOST)
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_lower_cased_in_ascii_only() {
        assert_eq!(TeamSlug::parse("My-Team_1").unwrap().as_str(), "my-team_1");
        assert!(TeamSlug::parse("\u{212A}ernel").is_err(), "the Kelvin sign is not a k");
    }

    #[test]
    fn names_that_could_change_a_path_are_refused() {
        let hostile =
            ["", ".", "..", "../x", "a/b", "a?b", "a#b", "a%2fb", "a b", "a\nb", "a\0b", "ent:a", "ä"];
        for value in hostile {
            assert!(TeamSlug::parse(value).is_err(), "team {value:?}");
            assert!(RepoName::parse(value).is_err(), "repository {value:?}");
            assert!(Login::parse(value).is_err(), "login {value:?}");
            assert!(OrgName::parse(value).is_err(), "organisation {value:?}");
        }
        for value in ["", "a/b", "a b", "a\nb", "a?b", "a%2fb"] {
            assert!(RunnerName::parse(value).is_err(), "runner {value:?}");
        }
    }

    #[test]
    fn a_refusal_says_what_was_expected() {
        let error = TeamSlug::parse("../x").unwrap_err();
        assert_eq!(error.expected(), TeamSlug::EXPECTED);
        assert_eq!(error.to_string(), format!("expected {}", TeamSlug::EXPECTED));
    }

    #[test]
    fn lengths_are_bounded_on_both_sides() {
        assert!(TeamSlug::parse(&"a".repeat(255)).is_ok());
        assert!(TeamSlug::parse(&"a".repeat(256)).is_err());
        assert!(RepoName::parse(&"a".repeat(100)).is_ok());
        assert!(RepoName::parse(&"a".repeat(101)).is_err());
        assert!(RunnerName::parse(&"a".repeat(64)).is_ok());
        assert!(RunnerName::parse(&"a".repeat(65)).is_err());
        assert!(Label::parse(&"ä".repeat(256)).is_ok());
        assert!(Label::parse(&"ä".repeat(257)).is_err());
        assert!(Label::parse(&"\u{130}".repeat(200)).is_err(), "400 characters when folded");
        assert!(OrgName::parse(&"a".repeat(101)).is_err());
        assert!(Login::parse(&"a".repeat(101)).is_err());
    }

    #[test]
    fn a_name_that_only_selects_is_any_line_of_text() {
        for value in
            ["runner-2@ip-10-1-2-3.internal", "it's mine", "Раннер 1", "a,b", "../x", &"ä".repeat(100)]
        {
            assert!(SelectedRunnerName::parse(value).is_ok(), "{value}");
        }
        for value in ["", "a\nb", "a\u{85}b", &"ä".repeat(101)] {
            assert!(SelectedRunnerName::parse(value).is_err(), "{value:?}");
        }
        assert!(SelectedRunnerName::parse("РАННЕР@a").unwrap().is("раннер@A"));
        assert!(!SelectedRunnerName::parse("build").unwrap().is("build-1"));
    }

    #[test]
    fn a_repository_may_be_prefixed_by_the_configured_organisation_only() {
        let org = OrgName::parse("Acme").unwrap();
        assert_eq!(RepoName::parse_in("acme/web", &org).unwrap().as_str(), "web");
        assert_eq!(RepoName::parse_in("web.js", &org).unwrap().as_str(), "web.js");
        for value in ["other/web", "acme/web/x", "acme/..", "/web", "acme/", "acme/../web"] {
            assert!(RepoName::parse_in(value, &org).is_err(), "{value}");
        }
        let web = RepoName::parse("Web").unwrap();
        assert!(web.is("wEB"));
        for other in ["", "we", "webs", "acme/web"] {
            assert!(!web.is(other), "{other}");
        }
    }

    #[test]
    fn a_label_is_folded_and_has_no_comma_or_control_character() {
        assert_eq!(Label::parse("GPU Large").unwrap().as_str(), "gpu large");
        for value in ["", "a,b", "a\tb", "a\u{7f}"] {
            assert!(Label::parse(value).is_err(), "{value:?}");
        }
    }
}
