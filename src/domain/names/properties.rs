//! Every kind of name against its rule as the documentation words it, and inside an address.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::string::string_regex;

use super::{Label, Login, OrgName, RepoName, RunnerName, TeamSlug};
use crate::domain::checks::{assert_is_one_query_value, assert_is_one_segment};
use crate::domain::jit::WorkFolder;
use crate::domain::scope::Scope;

/// A kind of name: its rule, its parser, and what has to hold of it in an address.
#[derive(Debug, Clone, Copy)]
struct Kind {
    /// What it may be made of, beside letters and digits.
    marks: &'static str,
    longest: usize,
    /// Names of these characters that are refused nevertheless.
    except: fn(&str) -> bool,
    parse: fn(&str) -> Option<String>,
    is_safe: fn(&str),
}

fn nothing(_: &str) -> bool {
    false
}

fn relative(text: &str) -> bool {
    text == "." || text == ".."
}

const KINDS: [Kind; 6] = [
    Kind {
        marks: "-_",
        longest: 100,
        except: nothing,
        parse: |text| OrgName::parse(text).ok().map(|name| name.to_string()),
        is_safe: assert_is_one_segment,
    },
    Kind {
        marks: "-_",
        longest: 255,
        except: nothing,
        parse: |text| TeamSlug::parse(text).ok().map(|name| name.to_string()),
        is_safe: assert_is_one_segment,
    },
    Kind {
        marks: "-_.",
        longest: 100,
        except: relative,
        parse: |text| RepoName::parse(text).ok().map(|name| name.to_string()),
        is_safe: assert_is_one_segment,
    },
    Kind {
        marks: "-_",
        longest: 100,
        except: nothing,
        parse: |text| Login::parse(text).ok().map(|name| name.to_string()),
        is_safe: assert_is_one_segment,
    },
    Kind {
        marks: "-_.",
        longest: 64,
        except: nothing,
        parse: |text| RunnerName::parse(text).ok().map(|name| name.to_string()),
        // Runners' paths are made of their ids; a name is only ever asked for.
        is_safe: assert_is_one_query_value,
    },
    Kind {
        marks: "-_.",
        longest: 64,
        except: |text| text.bytes().all(|byte| byte == b'.'),
        parse: |text| WorkFolder::parse(text).ok().map(|name| name.as_str().to_owned()),
        is_safe: assert_is_one_segment,
    },
];

impl Kind {
    fn has(self, character: char) -> bool {
        character.is_ascii_alphanumeric() || self.marks.contains(character)
    }

    fn allows(self, text: &str) -> bool {
        (1..=self.longest).contains(&text.chars().count())
            && text.chars().all(|character| self.has(character))
            && !(self.except)(text)
    }
}

/// A text of the kind's own characters, of any allowed length.
fn of_its_alphabet() -> impl Strategy<Value = (Kind, String)> {
    select(KINDS.to_vec()).prop_flat_map(|kind| {
        let characters = format!("[A-Za-z0-9{}]{{1,{}}}", kind.marks.replace('-', r"\-"), kind.longest);
        (Just(kind), string_regex(&characters).unwrap())
    })
}

/// Text that a name might be mistaken for.
fn nearly_a_name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z0-9._\\-]{0,260}", "[a-z./%?#&@:\\\\ ~]{0,12}", "\\PC{0,20}", any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_in_the_alphabet_and_not_too_long_is_a_name((kind, text) in of_its_alphabet()) {
        prop_assert_eq!((kind.parse)(&text).is_some(), !(kind.except)(&text));
    }

    #[test]
    fn a_text_is_a_name_just_when_the_rule_allows_it(kind in select(KINDS.to_vec()), text in nearly_a_name()) {
        prop_assert_eq!((kind.parse)(&text).is_some(), kind.allows(&text));
    }

    #[test]
    fn one_foreign_character_anywhere_is_refused(
        (kind, mut text) in of_its_alphabet(),
        foreign in any::<char>(),
        at in any::<Index>(),
    ) {
        prop_assume!(!kind.has(foreign));
        text.insert(at.index(text.len() + 1), foreign);
        prop_assert_eq!((kind.parse)(&text), None);
    }

    #[test]
    fn one_character_too_many_is_refused(kind in select(KINDS.to_vec()), letter in "[a-z0-9]") {
        prop_assert!((kind.parse)(&letter.repeat(kind.longest)).is_some());
        prop_assert_eq!((kind.parse)(&letter.repeat(kind.longest + 1)), None);
    }

    #[test]
    fn a_name_reads_back_as_itself_and_stays_where_it_is_put(
        kind in select(KINDS.to_vec()),
        text in prop_oneof![of_its_alphabet().prop_map(|(_, text)| text), nearly_a_name()],
    ) {
        if let Some(name) = (kind.parse)(&text) {
            prop_assert_eq!((kind.parse)(&name), Some(name.clone()));
            prop_assert!(name.eq_ignore_ascii_case(&text));
            (kind.is_safe)(&name);
        }
    }

    #[test]
    fn a_label_is_anything_of_one_line_without_a_comma(text in prop_oneof!["\\PC{0,40}", "[aä\u{130}]{120,270}", any::<String>()]) {
        let allowed = !text.contains(',') && !text.contains(char::is_control) && !text.is_empty();
        match Label::parse(&text) {
            Ok(label) => {
                prop_assert!(allowed);
                prop_assert!(label.as_str().chars().count() <= 256);
                prop_assert_eq!(Label::parse(label.as_str()), Ok(label));
            }
            // Folding can make a text longer.
            Err(_) => prop_assert!(!allowed || text.to_lowercase().chars().count() > 256),
        }
    }

    #[test]
    fn only_the_configured_organisation_may_stand_before_a_repository(
        owner in "[a-zA-Z0-9]{1,12}",
        configured in "[a-zA-Z0-9]{1,12}",
        name in nearly_a_name(),
        upper in any::<bool>(),
    ) {
        let org = OrgName::parse(&configured).unwrap();
        let same = if upper { configured.to_ascii_uppercase() } else { configured.to_ascii_lowercase() };
        let repo = RepoName::parse(&name);
        let with_owner = format!("{same}/{name}");
        prop_assert_eq!(RepoName::parse_in(&with_owner, &org).ok(), repo.clone().ok());
        prop_assert_eq!(Scope::parse(&with_owner, &org).ok(), repo.ok().map(|repo| Scope::Repo(org.clone(), repo)));
        prop_assert_eq!(Scope::parse(&same, &org), Ok(Scope::Org(org.clone())));
        if !owner.eq_ignore_ascii_case(&configured) {
            let foreign = format!("{owner}/{name}");
            prop_assert!(RepoName::parse_in(&foreign, &org).is_err(), "{}", foreign);
            prop_assert!(Scope::parse(&foreign, &org).is_err() && Scope::parse(&owner, &org).is_err());
        }
    }
}
