//! Names of runners for any prefix that the configuration takes.

use proptest::prelude::*;

use super::{LONGEST_NAME, RANDOM_CHARACTERS};
use crate::domain::names::{Label, RunnerName, TeamSlug};
use crate::domain::pattern::Pattern;
use crate::domain::policy::JitPolicy;

fn policy(name_prefix: String, labels: &[String], max_labels: usize) -> JitPolicy {
    let labels = labels.iter().map(|text| Pattern::parse(text).unwrap()).collect();
    JitPolicy { labels, max_labels, name_prefix }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_made_name_is_a_name_and_begins_as_a_chosen_one_has_to(
        prefix in "([A-Za-z0-9._-]{0,30}|\\{team\\}){0,3}",
        slug in "[a-z0-9_-]{1,255}",
        random in "[a-z0-9]{12}",
        chosen in "[A-Za-z0-9._-]{1,64}",
    ) {
        prop_assert_eq!(random.len(), RANDOM_CHARACTERS);
        let policy = policy(prefix.clone(), &[], 1);
        let team = TeamSlug::parse(&slug).unwrap();
        let made = policy.name(&team, None, &random).unwrap();
        prop_assert!(made.as_str().ends_with(&random) && made.as_str().len() <= LONGEST_NAME);
        prop_assert_eq!(policy.name(&team, Some(made.clone()), "x"), Ok(made.clone()));

        let required = &made.as_str()[..made.as_str().len() - random.len()];
        let fits = chosen.to_ascii_lowercase().starts_with(&required.to_ascii_lowercase());
        let chosen = RunnerName::parse(&chosen).unwrap();
        prop_assert_eq!(policy.name(&team, Some(chosen.clone()), &random).ok(), fits.then_some(chosen));
    }

    #[test]
    fn labels_pass_just_when_each_is_allowed_and_they_are_not_too_many(
        allowed in prop::collection::vec("[ab]{1,2}", 0..3),
        asked in prop::collection::vec("[abAB]{1,2}", 0..5),
        most in 1..4_usize,
    ) {
        let labels: Vec<_> = asked.iter().map(|text| Label::parse(text).unwrap()).collect();
        let is_allowed = |label: &String| allowed.contains(&label.to_ascii_lowercase());
        let expected = asked.len() <= most && asked.iter().all(is_allowed);
        prop_assert_eq!(policy(String::new(), &allowed, most).check_labels(&labels).is_ok(), expected);
    }
}
