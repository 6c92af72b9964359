//! A runner group as an administrator names it.

use std::fmt;

use super::ids::GroupId;
use super::names::NameError;
use super::reference::{id_in, id_pattern};

/// A group's name is at most this many characters, as those that a template gives.
const MAX: usize = 200;

/// A runner group, as it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupReference {
    /// By its name, in any case.
    Name(String),
    /// By its id.
    Id(GroupId),
}

impl GroupReference {
    /// The forms of a reference.
    pub const EXPECTED: &'static str =
        "a runner group's name: 1 to 200 characters, no control character, or its id: id:123";

    /// Takes a name that is only compared, and so may be anything that a line can show; or `id:` and an id.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(value: &str) -> Result<Self, NameError> {
        if let Some(id) = id_in(value) {
            return id.map(Self::Id);
        }
        let valid = (1..=MAX).contains(&value.chars().count()) && !value.chars().any(char::is_control);
        valid.then(|| Self::Name(value.to_owned())).ok_or(NameError::new(Self::EXPECTED))
    }

    /// What [`GroupReference::parse`] accepts, as a regular expression, not anchored.
    pub fn pattern() -> String {
        format!(r"(?:{}|(?!id:)[^\u0000-\u001f\u007f-\u009f]{{1,{MAX}}})", id_pattern())
    }

    /// Whether it names the group with this name and id.
    pub fn is(&self, name: &str, id: GroupId) -> bool {
        match self {
            Self::Name(named) => named.to_lowercase() == name.to_lowercase(),
            Self::Id(named) => *named == id,
        }
    }
}

impl fmt::Display for GroupReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::Id(id) => write!(formatter, "id:{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_named_by_its_name_in_any_case_or_by_its_id() {
        let by_name = GroupReference::parse("Linux Large").unwrap();
        assert!(by_name.is("linux large", GroupId(1)) && !by_name.is("linux", GroupId(1)));
        let by_id = GroupReference::parse("id:7").unwrap();
        assert!(by_id.is("anything", GroupId(7)) && !by_id.is("id:7", GroupId(70)));
        for text in ["", "id:", "id:x", "id:-1", "a\nb", &"a".repeat(201)] {
            assert!(GroupReference::parse(text).is_err(), "{text:?}");
        }
    }
}
