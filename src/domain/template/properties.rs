//! Names of groups for any template: never two teams' the same, never what GitHub or a log line can't take.

use proptest::prelude::*;
use proptest::sample::select;

use super::{GroupNameTemplate, TemplateError};
use crate::domain::ids::TeamId;
use crate::domain::names::TeamSlug;

/// Templates of few pieces, so that many of them are valid, and many ambiguous.
fn template() -> impl Strategy<Value = String> {
    let piece = select(vec!["{team}", "{team}", "{id}", "{id}", "-", "1", "a", "_1"]);
    prop::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat())
}

/// Templates with what shouldn't be in them.
fn odd_template() -> impl Strategy<Value = String> {
    let piece =
        select(vec!["{team}", "{id}", " ", "(", "}", "{", "{Team}", "ä", "Σ", "\n", "\u{7f}", "default"]);
    prop_oneof![prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat()), any::<String>()]
}

/// Slugs and ids that are easily mistaken for each other.
fn team() -> impl Strategy<Value = (TeamSlug, TeamId)> {
    ("[1a]{1,3}|[1a-]{1,4}", select(vec![1, 11, 111, u64::MAX]))
        .prop_map(|(slug, id)| (TeamSlug::parse(&slug).unwrap(), TeamId(id)))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn no_two_teams_share_a_group(text in template(), one in team(), other in team()) {
        prop_assume!(one.0 != other.0 && one.1 != other.1);
        if let Ok(template) = GroupNameTemplate::parse(&text) {
            let (first, second) = (template.group_of(&one.0, one.1), template.group_of(&other.0, other.1));
            prop_assert!(!first.is(second.as_str()), "{} is the group of {:?} and of {:?}", first, one, other);
        }
    }

    #[test]
    fn a_name_holds_the_team_and_nothing_in_braces(text in prop_oneof![template(), odd_template()], (slug, id) in team()) {
        let (has_team, has_id) = (text.contains("{team}"), text.contains("{id}"));
        match GroupNameTemplate::parse(&text) {
            Ok(template) => {
                let group = template.group_of(&slug, id);
                let name = group.as_str();
                prop_assert!(has_team || has_id);
                prop_assert!(!has_team || name.contains(slug.as_str()));
                prop_assert!(!has_id || name.contains(&id.to_string()));
                prop_assert!(!name.contains(['{', '}']), "{}", name);
                prop_assert!(!name.contains(char::is_control) && name.trim() == name);
                prop_assert!(group.is(name) && group.is(&name.to_ascii_uppercase()));
                prop_assert_eq!(group.is_default(), name.eq_ignore_ascii_case("default"));
            }
            Err(TemplateError::NoTeam) => prop_assert!(!has_team && !has_id),
            Err(TemplateError::UnknownWord) => prop_assert!(text.contains('{') || text.contains('}'), "{}", text),
            Err(TemplateError::Ambiguous) => prop_assert!(has_team && has_id),
            Err(TemplateError::Text) => prop_assert!(
                text.chars().count() > 200 || text.trim() != text || text.contains(char::is_control)
            ),
        }
    }
}
