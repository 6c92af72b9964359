//! References against the regular expressions that the API publishes, and read back from their own text.

use proptest::prelude::*;

use super::{RunnerReference, TeamReference};
use crate::domain::checks::assert_is_one_segment;

/// The plain rule of an id, told without the parser's own code.
fn is_id(text: &str) -> bool {
    let Some(digits) = text.strip_prefix("id:") else { return false };
    (1..=19).contains(&digits.chars().count()) && digits.chars().all(|digit| "0123456789".contains(digit))
}

fn nearly_a_reference() -> impl Strategy<Value = String> {
    prop_oneof![
        "id:[0-9]{0,22}",
        "[iI][dD]:?[0-9a-z+. -]{0,6}",
        "id:\\PC{0,6}",
        "[a-zA-Z0-9_\\-]{0,260}",
        "\\PC{0,120}",
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_number_of_up_to_nineteen_digits_is_an_id(number in 0..=9_999_999_999_999_999_999_u64, zeros in 0..3_usize) {
        let text = format!("id:{}{number}", "0".repeat(zeros));
        prop_assert_eq!(TeamReference::parse(&text).is_ok(), is_id(&text));
        if let Ok(TeamReference::Id(id)) = TeamReference::parse(&text) {
            prop_assert_eq!(id.0, number);
        }
    }

    #[test]
    fn a_text_is_an_id_just_when_the_rule_says_so(text in nearly_a_reference()) {
        let (team, runner) = (TeamReference::parse(&text), RunnerReference::parse(&text));
        prop_assert_eq!(matches!(team, Ok(TeamReference::Id(_))), is_id(&text));
        prop_assert_eq!(matches!(runner, Ok(RunnerReference::Id(_))), is_id(&text));
        if text.starts_with("id:") {
            prop_assert_eq!((team.is_ok(), runner.is_ok()), (is_id(&text), is_id(&text)));
        }
    }

    #[test]
    fn a_reference_reads_back_as_itself(text in nearly_a_reference()) {
        if let Ok(team) = TeamReference::parse(&text) {
            prop_assert_eq!(TeamReference::parse(&team.to_string()), Ok(team.clone()));
            if let TeamReference::Slug(slug) = &team {
                assert_is_one_segment(slug.as_str());
            }
        }
        if let Ok(runner) = RunnerReference::parse(&text) {
            prop_assert_eq!(RunnerReference::parse(&runner.to_string()), Ok(runner));
        }
    }

    #[test]
    fn the_published_pattern_fits_just_what_a_team_can_be(text in nearly_a_reference()) {
        let published = regex::Regex::new(&format!("^{}$", TeamReference::pattern())).unwrap();
        prop_assert_eq!(published.is_match(&text), TeamReference::parse(&text).is_ok());
    }
}
