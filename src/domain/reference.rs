//! What a request or a rule names: by a name, which somebody can change, or by GitHub's id, which stays: `id:123`.

use std::fmt;

use super::ids::{RunnerId, TeamId};
use super::names::{NameError, SelectedRunnerName, TeamSlug};

/// What an id begins with where a name could stand as well.
const PREFIX: &str = "id:";
/// The form of an id in place of a name.
pub(super) const ID: &str = "id: and a whole number, such as id:123";
/// Numbers of so many digits fit into 64 bits; GitHub's ids are far shorter.
const MAX_DIGITS: usize = 19;

/// The id that a text such as `id:123` holds: nothing if the text does not begin as one, an error if no number follows.
pub(super) fn id_in<I: From<u64>>(text: &str) -> Option<Result<I, NameError>> {
    let digits = text.strip_prefix(PREFIX)?;
    // Digits alone: an integer's own `parse` would accept a sign, too.
    let are_digits = (1..=MAX_DIGITS).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let number = are_digits.then(|| digits.parse::<u64>().ok()).flatten();
    Some(number.map(I::from).ok_or(NameError::new(ID)))
}

/// What [`id_in`] accepts, as a regular expression, not anchored.
pub(super) fn id_pattern() -> String {
    format!("{PREFIX}[0-9]{{1,{MAX_DIGITS}}}")
}

/// A team, as it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TeamReference {
    /// By a slug, which the team's maintainers can change.
    Slug(TeamSlug),
    /// By its id.
    Id(TeamId),
}

impl TeamReference {
    /// The forms of a reference.
    pub const EXPECTED: &'static str = "a team's slug: 1 to 255 of a-z 0-9 _ -, or its id: id:123";

    /// Takes a slug in any case, or `id:` and an id.
    pub fn parse(value: &str) -> Result<Self, NameError> {
        match id_in(value) {
            Some(id) => id.map(Self::Id),
            None => TeamSlug::parse(value).map(Self::Slug).map_err(|_| NameError::new(Self::EXPECTED)),
        }
    }

    /// What [`TeamReference::parse`] accepts, as a regular expression, not anchored.
    pub fn pattern() -> String {
        format!("(?:{}|{})", id_pattern(), TeamSlug::pattern())
    }

    /// Whether it names the team with this slug and id.
    pub fn is(&self, slug: &TeamSlug, id: TeamId) -> bool {
        match self {
            Self::Slug(named) => named == slug,
            Self::Id(named) => *named == id,
        }
    }
}

impl fmt::Display for TeamReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slug(slug) => slug.fmt(formatter),
            Self::Id(id) => write!(formatter, "{PREFIX}{id}"),
        }
    }
}

/// A runner that exists, as it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunnerReference {
    /// By its name.
    Name(SelectedRunnerName),
    /// By its id.
    Id(RunnerId),
}

impl RunnerReference {
    /// The forms of a reference.
    pub const EXPECTED: &'static str =
        "a runner's name: 1 to 100 characters, no control character, or its id: id:42";

    /// Takes a name, or `id:` and an id. What begins with `id:` is never a name: a runner that is called so is named by
    /// its id.
    pub fn parse(value: &str) -> Result<Self, NameError> {
        match id_in(value) {
            Some(id) => id.map(Self::Id),
            None => {
                SelectedRunnerName::parse(value).map(Self::Name).map_err(|_| NameError::new(Self::EXPECTED))
            }
        }
    }

    /// What [`RunnerReference::parse`] accepts, as a regular expression, not anchored.
    pub fn pattern() -> String {
        format!("(?:{}|(?!{PREFIX}){})", id_pattern(), SelectedRunnerName::pattern())
    }

    /// Whether it names the runner with this name and id.
    pub fn is(&self, name: &str, id: RunnerId) -> bool {
        match self {
            Self::Name(named) => named.is(name),
            Self::Id(named) => *named == id,
        }
    }
}

impl fmt::Display for RunnerReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(formatter),
            Self::Id(id) => write!(formatter, "{PREFIX}{id}"),
        }
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    /// What looks like an id and is none.
    const MALFORMED: [&str; 14] = [
        "id:",
        "id:0x1",
        "id:-1",
        "id:+1",
        "id: 1",
        "id:1 ",
        "id:1.0",
        "id:1e3",
        "id:99999999999999999999",
        "id:\u{661}",
        "id:\u{ff11}",
        "id:payments",
        "id:1,2",
        "id:id:1",
    ];

    #[test]
    fn an_id_is_recognised_by_its_prefix() {
        assert_eq!(TeamReference::parse("id:123"), Ok(TeamReference::Id(TeamId(123))));
        assert_eq!(RunnerReference::parse("id:42"), Ok(RunnerReference::Id(RunnerId(42))));
        let slug = TeamSlug::parse("payments").unwrap();
        assert_eq!(TeamReference::parse("Payments"), Ok(TeamReference::Slug(slug)));
        // Digits alone are a slug or a name.
        assert!(matches!(TeamReference::parse("123"), Ok(TeamReference::Slug(_))));
        assert!(matches!(RunnerReference::parse("42"), Ok(RunnerReference::Name(_))));
    }

    #[test]
    fn what_begins_as_an_id_and_is_none_is_no_name_either() {
        for text in MALFORMED {
            let error = TeamReference::parse(text).unwrap_err();
            assert_eq!(error.expected(), ID, "{text:?}");
            assert_eq!(RunnerReference::parse(text), Err(error), "{text:?}");
        }
        for text in ["ID:1", "Id:1", " id:1", "iD:1", "id;1", "id1:"] {
            assert!(!matches!(TeamReference::parse(text), Ok(TeamReference::Id(_))), "{text:?}");
            assert!(!matches!(RunnerReference::parse(text), Ok(RunnerReference::Id(_))), "{text:?}");
        }
    }

    #[test]
    fn a_reference_fits_what_it_names_and_nothing_else() {
        let slug = |text| TeamSlug::parse(text).unwrap();
        let by_slug = TeamReference::parse("payments").unwrap();
        assert!(by_slug.is(&slug("payments"), TeamId(1)) && !by_slug.is(&slug("search"), TeamId(1)));
        let by_id = TeamReference::parse("id:7").unwrap();
        assert!(by_id.is(&slug("search"), TeamId(7)) && !by_id.is(&slug("search"), TeamId(70)));
        let by_name = RunnerReference::parse("Build-1").unwrap();
        assert!(by_name.is("build-1", RunnerId(1)) && !by_name.is("build-2", RunnerId(1)));
        let by_id = RunnerReference::parse("id:42").unwrap();
        assert!(by_id.is("anything", RunnerId(42)) && !by_id.is("id:42", RunnerId(43)));
    }
}
