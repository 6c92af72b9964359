//! The name of a team's runner group.

use crate::domain::ids::TeamId;
use crate::domain::names::TeamSlug;

/// `groups.name`: text with `{team}` (the slug) and `{id}` (the team's numeric id).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupNameTemplate(String);

/// Why a template can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Without either, every team would share one group.
    #[error("expected a template with {{team}} or {{id}} in it, so that no two teams share a group")]
    NoTeam,
    /// Something in braces that is neither.
    #[error("expected {{team}} and {{id}} as the only words in braces")]
    UnknownWord,
    /// Where one team's slug and id could read as another's: `a1` and `2` as `a` and `12`.
    #[error(
        "expected something other than digits between {{team}} and {{id}}, so that no two teams share a group"
    )]
    Ambiguous,
    /// Too long, or with characters that a group name should not have.
    #[error("expected at most 200 printable characters, without white space at the ends")]
    Text,
}

impl GroupNameTemplate {
    /// Takes a template with at least one of `{team}` and `{id}`.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.chars().count() > 200 || text.trim() != text || text.chars().any(char::is_control) {
            return Err(TemplateError::Text);
        }
        if !text.contains("{team}") && !text.contains("{id}") {
            return Err(TemplateError::NoTeam);
        }
        if text.replace("{team}", "").replace("{id}", "").contains(['{', '}']) {
            return Err(TemplateError::UnknownWord);
        }
        if is_ambiguous(text) {
            return Err(TemplateError::Ambiguous);
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether the team's id is part of each name, so that a name proves whose it is.
    pub fn has_id(&self) -> bool {
        self.0.contains("{id}")
    }

    /// The name of the group of a team, from the slug and id that GitHub reported.
    pub fn group_of(&self, slug: &TeamSlug, id: TeamId) -> GroupName {
        // A slug holds no braces, so the second replacement can't meet what the first put in.
        GroupName(self.0.replace("{team}", slug.as_str()).replace("{id}", &id.to_string()))
    }
}

/// Whether only digits, or nothing, separate a slug from an id. A slug may itself begin or end with digits.
fn is_ambiguous(text: &str) -> bool {
    let meet = |one: &str, other: &str| {
        let digits = |character: char| character.is_ascii_digit();
        text.split(one).skip(1).any(|behind| behind.trim_start_matches(digits).starts_with(other))
    };
    meet("{team}", "{id}") || meet("{id}", "{team}")
}

/// The name of a managed runner group. Only a template makes one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupName(String);

/// GitHub's own group, which every organisation has.
const DEFAULT_GROUP: &str = "default";

impl GroupName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a group at GitHub has this name; case is ignored.
    pub fn is(&self, other: &str) -> bool {
        self.key() == other.to_lowercase()
    }

    /// The same for every spelling of the name.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }

    /// Whether this is the name of the organisation's Default group, which is never managed.
    pub fn is_default(&self) -> bool {
        self.0.eq_ignore_ascii_case(DEFAULT_GROUP)
    }
}

impl std::fmt::Display for GroupName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    fn group(template: &str) -> String {
        let slug = TeamSlug::parse("payments").unwrap();
        GroupNameTemplate::parse(template).unwrap().group_of(&slug, TeamId(42)).to_string()
    }

    #[test]
    fn slug_and_id_are_put_in() {
        assert_eq!(group("{team}"), "payments");
        assert_eq!(group("Team {team} ({id})"), "Team payments (42)");
        assert_eq!(group("{id}"), "42");
    }

    #[test]
    fn a_template_that_every_team_would_share_is_refused() {
        assert_eq!(GroupNameTemplate::parse("runners"), Err(TemplateError::NoTeam));
        assert_eq!(GroupNameTemplate::parse(""), Err(TemplateError::NoTeam));
        assert_eq!(GroupNameTemplate::parse("{team}-{Team}"), Err(TemplateError::UnknownWord));
        assert_eq!(GroupNameTemplate::parse("{team"), Err(TemplateError::NoTeam));
        assert_eq!(GroupNameTemplate::parse(" {team}"), Err(TemplateError::Text));
        assert_eq!(GroupNameTemplate::parse("{team}\n"), Err(TemplateError::Text));
        let longest = format!("{{team}}{}", "ä".repeat(194));
        assert!(GroupNameTemplate::parse(&longest).is_ok());
        for longer in [format!("{longest}ä"), longest.repeat(2)] {
            assert_eq!(GroupNameTemplate::parse(&longer), Err(TemplateError::Text));
        }
    }

    #[test]
    fn a_template_in_which_a_slug_and_an_id_run_into_each_other_is_refused() {
        // Team "a1" with id 2 and team "a" with id 12 would share the group "a12".
        for text in ["{team}{id}", "{id}{team}", "x-{team}0{id}", "{id}12{team}", "{team}-{id}{team}"] {
            assert_eq!(GroupNameTemplate::parse(text), Err(TemplateError::Ambiguous), "{text}");
        }
        for text in ["{team}-{id}", "{team}2-{id}", "{id}_7{team}", "{team}{team}", "{id}{id}", "{team}x{id}"]
        {
            assert!(GroupNameTemplate::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn names_compare_without_letter_case() {
        let slug = TeamSlug::parse("default").unwrap();
        let name = GroupNameTemplate::parse("{team}").unwrap().group_of(&slug, TeamId(1));
        assert!(name.is("Default") && name.is_default());
    }
}
