//! Lists of subjects, whatever the ids and names.

use proptest::prelude::*;

use super::{Subject, SubjectError, Subjects};
use crate::domain::ids::TeamId;
use crate::domain::pattern::Pattern;

fn subjects(allow: &[&str], deny: &[&str]) -> Subjects<TeamId> {
    let parse = |texts: &[&str]| texts.iter().map(|text| Subject::parse(text).unwrap()).collect();
    Subjects::new(parse(allow), parse(deny))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_denied_id_is_denied_under_every_name(id in 0..50_u64, other in 50..99_u64, name in "[a-z0-9_-]{1,12}") {
        let denied = format!("id:{id}");
        let rules = subjects(&["*"], &[&denied]);
        prop_assert!(!rules.permit(TeamId(id), &name));
        prop_assert!(rules.permit(TeamId(other), &name));
        let allowed = subjects(&[&denied], &[]);
        prop_assert!(allowed.permit(TeamId(id), &name) && !allowed.permit(TeamId(other), &name));
    }

    #[test]
    fn any_text_is_an_id_a_pattern_or_an_error(text in prop_oneof!["[iI][dD]:[0-9]{0,21}", "\\PC{0,20}", any::<String>()]) {
        let subject = Subject::<TeamId>::parse(&text);
        match &subject {
            Ok(Subject::Id(id)) => prop_assert_eq!(text.trim_start_matches("id:").parse::<u64>().ok(), Some(id.0)),
            Ok(Subject::Name(pattern)) => prop_assert_eq!(pattern.to_string(), text),
            Err(SubjectError::NoId) => prop_assert!(text.to_ascii_lowercase().trim_start().starts_with("id:")),
            Err(SubjectError::Pattern(_)) => prop_assert!(Pattern::parse(&text).is_err()),
        }
    }
}
