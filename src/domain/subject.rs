//! Whom a rule of the administrator's is about: a pattern of names, which those who bear them can change, or `id:123`,
//! which nobody can.

use super::pattern::{Pattern, PatternError};
use super::reference::{self, id_in};

/// An item of a list of teams or users.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject<I> {
    /// The one with this id.
    Id(I),
    /// All whose name fits.
    Name(Pattern),
}

/// Why a text is no subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// It begins as an id, and no number follows.
    #[error("expected {}", Self::ID)]
    NoId,
    /// It is no pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

impl SubjectError {
    /// The form of an id.
    pub const ID: &'static str = reference::ID;
}

impl<I: From<u64>> Subject<I> {
    /// Takes `id:` and an id, or a pattern.
    ///
    /// # Errors
    /// It is neither. `ID:123` is refused as well: no name has a colon, so as a pattern it would deny nobody.
    pub fn parse(text: &str) -> Result<Self, SubjectError> {
        if let Some(id) = id_in(text) {
            return id.map(Self::Id).map_err(|_| SubjectError::NoId);
        }
        let looks_like_an_id =
            text.trim_start().get(..3).is_some_and(|start| start.eq_ignore_ascii_case("id:"));
        if looks_like_an_id {
            return Err(SubjectError::NoId);
        }
        Ok(Self::Name(Pattern::parse(text)?))
    }
}

impl<I: Copy + PartialEq> Subject<I> {
    /// Whether it is about the one with this id and name.
    pub fn is(&self, id: I, name: &str) -> bool {
        match self {
            Self::Id(own) => *own == id,
            Self::Name(pattern) => pattern.matches(name),
        }
    }

    /// Whether it is a lone `*`.
    pub fn is_everybody(&self) -> bool {
        matches!(self, Self::Name(pattern) if pattern.is_star())
    }

    /// Whether it goes by a name, and not by an id; `*` goes by neither.
    pub fn goes_by_name(&self) -> bool {
        matches!(self, Self::Name(pattern) if !pattern.is_star())
    }

    /// Whether it goes by a name that is not settled, so that one of many names will do.
    pub fn goes_by_many_names(&self) -> bool {
        matches!(self, Self::Name(pattern) if !pattern.is_star() && !pattern.is_literal())
    }
}

/// Who is permitted: whom a subject allows and none denies.
#[derive(Debug, Clone, PartialEq)]
pub struct Subjects<I> {
    allow: Vec<Subject<I>>,
    deny: Vec<Subject<I>>,
}

impl<I: Copy + PartialEq> Subjects<I> {
    /// Makes rules of subjects; with an empty `allow` nobody is permitted.
    pub fn new(allow: Vec<Subject<I>>, deny: Vec<Subject<I>>) -> Self {
        Self { allow, deny }
    }

    /// Those who are allowed.
    pub fn allow(&self) -> &[Subject<I>] {
        &self.allow
    }

    /// Those who are denied.
    pub fn deny(&self) -> &[Subject<I>] {
        &self.deny
    }

    /// Whether the one with this id and name is permitted; `deny` takes precedence.
    pub fn permit(&self, id: I, name: &str) -> bool {
        let among = |subjects: &[Subject<I>]| subjects.iter().any(|subject| subject.is(id, name));
        !among(&self.deny) && among(&self.allow)
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::TeamId;

    fn subjects(allow: &[&str], deny: &[&str]) -> Subjects<TeamId> {
        let parse = |texts: &[&str]| texts.iter().map(|text| Subject::parse(text).unwrap()).collect();
        Subjects::new(parse(allow), parse(deny))
    }

    #[test]
    fn an_id_stays_what_it_is_whatever_the_name_and_a_pattern_goes_by_the_name() {
        let rules = subjects(&["*"], &["id:7", "contractors-*"]);
        for (id, name, expected) in [
            (7, "contractors-a", false),
            (7, "friends", false),
            (8, "contractors-a", false),
            (8, "friends", true),
            (70, "friends", true),
        ] {
            assert_eq!(rules.permit(TeamId(id), name), expected, "{id} {name}");
        }
        let rules = subjects(&["id:7"], &[]);
        assert!(rules.permit(TeamId(7), "anything"));
        assert!(!rules.permit(TeamId(8), "payments") && !rules.permit(TeamId(8), "id:7"));
    }

    #[test]
    fn deny_takes_precedence_in_every_combination_and_an_empty_allow_list_lets_nobody_in() {
        for (allow, deny) in [("id:7", "pay*"), ("pay*", "id:7"), ("id:7", "id:7"), ("*", "*")] {
            assert!(!subjects(&[allow], &[deny]).permit(TeamId(7), "payments"), "{allow} {deny}");
        }
        assert!(!subjects(&[], &[]).permit(TeamId(7), "payments"));
    }

    #[test]
    fn what_looks_like_an_id_and_is_none_is_refused_rather_than_never_fitting() {
        for text in [
            "id:",
            "id:0x1",
            "id:-1",
            "id:payments",
            "id:1 ",
            "ID:7",
            "Id:7",
            " id:7",
            "id:99999999999999999999",
        ] {
            let message = Subject::<TeamId>::parse(text).unwrap_err().to_string();
            assert_eq!(message, "expected id: and a whole number, such as id:123", "{text:?}");
        }
        let message = Subject::<TeamId>::parse("match:(").unwrap_err().to_string();
        assert!(message.contains("does not compile"), "{message}");
    }

    #[test]
    fn the_kinds_of_subjects_are_told_apart() {
        let of = |text| Subject::<TeamId>::parse(text).unwrap();
        assert!(of("*").is_everybody() && !of("a*").is_everybody() && !of("id:7").is_everybody());
        assert!(of("a*").goes_by_name() && of("a").goes_by_name());
        assert!(!of("*").goes_by_name() && !of("id:7").goes_by_name());
        assert!(of("a*").goes_by_many_names() && of("match:a|b").goes_by_many_names());
        for text in ["a", "*", "id:7"] {
            assert!(!of(text).goes_by_many_names(), "{text}");
        }
    }
}
