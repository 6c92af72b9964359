//! Patterns against slow, plain matchers that know nothing of regular expressions.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Pattern, Rules};

/// Whether a glob fits the whole of a value: `*` is anything but a slash, letter case is ignored.
fn glob_fits(glob: &[char], value: &[char]) -> bool {
    match glob {
        [] => value.is_empty(),
        ['*', rest @ ..] => {
            let reach = value.iter().take_while(|character| **character != '/').count();
            (0..=reach).any(|skipped| glob_fits(rest, &value[skipped..]))
        }
        [first, rest @ ..] => {
            value.first().is_some_and(|character| character.eq_ignore_ascii_case(first))
                && glob_fits(rest, &value[1..])
        }
    }
}

/// A regular expression as a tree.
#[derive(Debug, Clone)]
enum Expression {
    Letter(char),
    Any,
    Then(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Many(Box<Self>),
}

impl Expression {
    fn text(&self) -> String {
        match self {
            Self::Letter(letter) => letter.to_string(),
            Self::Any => ".".to_owned(),
            // No group around it that isn't needed: the outermost `|` must not escape the anchors.
            Self::Then(one, two) => format!("{}{}", one.grouped(), two.grouped()),
            Self::Or(one, two) => format!("{}|{}", one.text(), two.text()),
            Self::Many(inner) => format!("(?:{})*", inner.text()),
        }
    }

    fn grouped(&self) -> String {
        if matches!(self, Self::Or(..)) { format!("({})", self.text()) } else { self.text() }
    }

    /// Everywhere that a match from `start` can end.
    fn ends(&self, value: &[char], start: usize) -> BTreeSet<usize> {
        let one_more = |fits: bool| fits.then_some(start + 1).into_iter().collect();
        match self {
            Self::Letter(letter) => {
                one_more(value.get(start).is_some_and(|c| c.eq_ignore_ascii_case(letter)))
            }
            Self::Any => one_more(value.get(start).is_some_and(|character| *character != '\n')),
            Self::Then(one, two) => {
                one.ends(value, start).into_iter().flat_map(|middle| two.ends(value, middle)).collect()
            }
            Self::Or(one, two) => &one.ends(value, start) | &two.ends(value, start),
            Self::Many(inner) => {
                let (mut reached, mut new) = (BTreeSet::new(), vec![start]);
                while let Some(place) = new.pop() {
                    if reached.insert(place) {
                        new.extend(inner.ends(value, place));
                    }
                }
                reached
            }
        }
    }
}

fn expression() -> impl Strategy<Value = Expression> {
    let leaf = prop_oneof![
        4 => prop::char::range('a', 'c').prop_map(Expression::Letter),
        1 => Just(Expression::Letter('/')),
        1 => Just(Expression::Any),
    ];
    leaf.prop_recursive(4, 12, 2, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            pair.clone().prop_map(|(one, two)| Expression::Then(Box::new(one), Box::new(two))),
            pair.prop_map(|(one, two)| Expression::Or(Box::new(one), Box::new(two))),
            inner.prop_map(|inner| Expression::Many(Box::new(inner))),
        ]
    })
}

fn characters(text: &str) -> Vec<char> {
    text.chars().collect()
}

/// Names of one and of two parts, and what somebody might try to smuggle through.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[abcABC/]{0,6}", 2 => "[ab/.*+\\[(|\\\\^$ \\n-]{0,8}", 1 => any::<String>()]
}

fn rules(allow: &[String], deny: &[String]) -> Rules {
    let patterns = |texts: &[String]| texts.iter().map(|text| Pattern::parse(text).unwrap()).collect();
    Rules::new(patterns(allow), patterns(deny))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_glob_fits_what_a_plain_matcher_says(glob in "[ab/*.+(|?\\[\\\\^$-]{1,7}", value in value()) {
        // Letters of other scripts have letter case, too, but a plain matcher doesn't know it.
        prop_assume!(value.is_ascii());
        let pattern = Pattern::parse(&glob).unwrap();
        prop_assert_eq!(pattern.matches(&value), glob_fits(&characters(&glob), &characters(&value)));
    }

    #[test]
    fn a_literal_fits_itself_alone(literal in "[a-zA-Z0-9/._+()|\\[\\]{}^$?\\\\-]{1,12}", value in value()) {
        prop_assume!(value.is_ascii());
        let pattern = Pattern::parse(&literal).unwrap();
        for spelling in [literal.clone(), literal.to_ascii_lowercase(), literal.to_ascii_uppercase()] {
            prop_assert!(pattern.matches(&spelling));
            for more in [format!("{spelling}{value}"), format!("{value}{spelling}")] {
                prop_assert_eq!(pattern.matches(&more), value.is_empty());
            }
        }
        prop_assert_eq!(pattern.matches(&value), value.eq_ignore_ascii_case(&literal));
    }

    #[test]
    fn an_expression_fits_the_whole_value_or_not_at_all(
        expression in expression(),
        value in "[abcABC/]{0,6}",
        added in value(),
    ) {
        let pattern = Pattern::parse(&format!("match:{}", expression.text())).unwrap();
        for value in [value.clone(), format!("{value}{added}"), format!("{added}{value}")] {
            prop_assume!(value.is_ascii());
            let value_characters = characters(&value);
            let fits = expression.ends(&value_characters, 0).contains(&value_characters.len());
            prop_assert_eq!(pattern.matches(&value), fits, "{} and {:?}", pattern, value);
        }
    }

    #[test]
    fn any_text_is_a_pattern_or_a_problem_at_a_place_in_it(
        text in prop_oneof![
            any::<String>(),
            "\\PC{0,40}",
            "match:\\PC{0,40}",
            "match:[\\^a(){}\\[\\]|*+?\\\\.$ :<>!=P0-9,-]{1,12}",
            "(match:)?[aä€]{300,1100}",
        ],
    ) {
        match Pattern::parse(&text) {
            Ok(pattern) => {
                prop_assert_eq!(pattern.to_string(), text.clone());
                prop_assert_eq!(pattern.is_star(), text == "*");
                let _ = pattern.matches(&text);
            }
            Err(error) => {
                let length = text.chars().count();
                prop_assert!((1..=length + 1).contains(&error.position), "{} of {}", error.position, length);
                prop_assert!(!error.reason.is_empty() && !error.reason.contains('\n'), "{:?}", error.reason);
            }
        }
    }

    #[test]
    fn the_position_is_where_the_expression_breaks(before in "[ab^$.]{0,8}", behind in "[ab]{0,8}") {
        // The first `)` that closes nothing.
        let error = Pattern::parse(&format!("match:{before}){behind}")).unwrap_err();
        prop_assert_eq!(error.position, "match:".len() + before.len() + 1, "{}", error);
    }

}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn deny_wins_and_more_patterns_only_do_what_their_list_is_for(
        allow in prop::collection::vec("[ab*/]{1,4}", 0..4),
        deny in prop::collection::vec("[ab*/]{1,4}", 0..4),
        one_more in "[ab*/]{1,4}",
        value in "[ab/]{1,4}",
    ) {
        let permitted = rules(&allow, &deny).permit(&value);
        prop_assert!(!rules(&allow, &[deny.clone(), vec![value.clone()]].concat()).permit(&value));
        prop_assert!(!rules(&[], &deny).permit(&value));
        prop_assert!(permitted || !rules(&allow, &[deny.clone(), vec![one_more.clone()]].concat()).permit(&value));
        prop_assert!(!permitted || rules(&[allow.clone(), vec![one_more]].concat(), &deny).permit(&value));
    }
}
