//! The one kind of pattern that policy and scopes use.

use std::fmt;

use regex::{Regex, RegexBuilder};

/// A literal, a glob with `*` within one path part, or `match:` and a regular expression. Always anchored
/// at both ends, and case-insensitive unless it was made otherwise; matching takes linear time.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

/// Why a pattern doesn't compile, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("pattern \"{pattern}\" does not compile: {reason} at position {position}")]
pub struct PatternError {
    pattern: String,
    reason: String,
    /// In characters, counted from 1.
    position: usize,
}

/// A compiled pattern may take this many bytes; far above any sensible one.
const MAX_COMPILED_BYTES: usize = 1 << 20;
/// A pattern is at most this many bytes long.
const MAX_BYTES: usize = 1_000;
const REGEX_PREFIX: &str = "match:";

impl Pattern {
    /// Compiles a pattern.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        Self::with_case(text, Case::Ignored)
    }

    /// Compiles a pattern that keeps case: of what a letter in another case makes something else, such as a git ref.
    pub fn parse_case_sensitive(text: &str) -> Result<Self, PatternError> {
        Self::with_case(text, Case::Kept)
    }

    fn with_case(text: &str, case: Case) -> Result<Self, PatternError> {
        let error = |reason: &str, position| PatternError {
            pattern: text.chars().take(200).collect(),
            reason: reason.to_owned(),
            position,
        };
        if text.len() > MAX_BYTES {
            let too_far = text.char_indices().position(|(at, letter)| at + letter.len_utf8() > MAX_BYTES);
            return Err(error(&format!("longer than {MAX_BYTES} bytes"), too_far.unwrap_or(0) + 1));
        }
        if let Some((at, _)) = text.chars().enumerate().find(|(_, character)| character.is_control()) {
            return Err(error("a control character", at + 1));
        }
        // Programs that read the API's description take the byte order mark for white space as well.
        let is_blank = |character: char| character.is_whitespace() || character == '\u{feff}';
        if text.trim_matches(is_blank) != text {
            let place = if text.starts_with(is_blank) { 1 } else { text.chars().count() };
            return Err(error("white space at an end", place));
        }
        let body = match text.strip_prefix(REGEX_PREFIX) {
            Some("") => return Err(error("nothing behind match:", REGEX_PREFIX.len() + 1)),
            Some(expression) => {
                // Checked alone first: `a)(b` must not close the group that anchors it.
                compile(expression, Case::Kept)
                    .map_err(|(reason, position)| error(&reason, REGEX_PREFIX.len() + position))?;
                expression.to_owned()
            }
            None if text.is_empty() => return Err(error("it is empty", 1)),
            None => text.split('*').map(regex::escape).collect::<Vec<_>>().join("[^/]*"),
        };
        let regex = compile(&format!(r"\A(?:{body})\z"), case).map_err(|(reason, _)| error(&reason, 1))?;
        Ok(Self { text: text.to_owned(), regex })
    }

    /// Whether it is a lone `*`.
    pub fn is_star(&self) -> bool {
        self.text == "*"
    }

    /// Whether it is a literal, which matches one name alone.
    pub fn is_literal(&self) -> bool {
        !self.text.contains('*') && !self.text.starts_with(REGEX_PREFIX)
    }

    /// Whether it matches the whole of `value`.
    pub fn matches(&self, value: &str) -> bool {
        self.regex.is_match(value)
    }
}

/// How an expression treats case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Kept,
    Ignored,
}

/// Compiles an expression, or gives the reason and the position of what is wrong with it.
fn compile(expression: &str, case: Case) -> Result<Regex, (String, usize)> {
    // regex only has its syntax errors as text; those of the parser below it have a position.
    if let Err(cause) = regex_syntax::parse(expression) {
        return Err(syntax_error(&cause));
    }
    RegexBuilder::new(expression)
        .case_insensitive(case == Case::Ignored)
        .size_limit(MAX_COMPILED_BYTES)
        .build()
        .map_err(|cause| (cause.to_string(), 1))
}

fn syntax_error(cause: &regex_syntax::Error) -> (String, usize) {
    let (reason, span, other) = match cause {
        regex_syntax::Error::Parse(cause) => (cause.kind().to_string(), cause.span(), cause.auxiliary_span()),
        regex_syntax::Error::Translate(cause) => (cause.kind().to_string(), cause.span(), None),
        cause => return (cause.to_string(), 1),
    };
    // Of two that contradict each other, such as groups of one name, the first.
    let position = other.map_or(span.start.column, |other| span.start.column.min(other.start.column));
    (reason, position)
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Pattern({:?})", self.text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// What is permitted: a value that a pattern allows and none denies.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {
    allow: Vec<Pattern>,
    deny: Vec<Pattern>,
}

impl Rules {
    /// Makes rules of patterns; with an empty `allow` nothing is permitted.
    pub fn new(allow: Vec<Pattern>, deny: Vec<Pattern>) -> Self {
        Self { allow, deny }
    }

    /// The patterns of what is allowed.
    pub fn allow(&self) -> &[Pattern] {
        &self.allow
    }

    /// The patterns of what is denied.
    pub fn deny(&self) -> &[Pattern] {
        &self.deny
    }

    /// Whether `value` is permitted; `deny` takes precedence.
    pub fn permit(&self, value: &str) -> bool {
        !self.deny.iter().any(|pattern| pattern.matches(value))
            && self.allow.iter().any(|pattern| pattern.matches(value))
    }
}

mod reach;

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, value: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(value)
    }

    #[test]
    fn every_kind_is_anchored_at_both_ends_and_ignores_letter_case() {
        for (pattern, yes, no) in [
            ("payments", vec!["payments", "PAYMENTS"], vec!["payments2", "xpayments", "payments\n"]),
            ("team-*", vec!["team-", "Team-a"], vec!["xteam-a", "team", "team-a/b"]),
            ("my-org/*", vec!["my-org/repo"], vec!["evil-my-org/repo", "my-org/a/b", "my-org"]),
            ("match:my-org/.*", vec!["my-org/repo", "MY-ORG/r"], vec!["evil-my-org-x/repo"]),
            ("match:a|b", vec!["a", "b"], vec!["ax", "xb", "ab"]),
            ("a.b", vec!["a.b"], vec!["axb"]),
            ("match:(?-i)a", vec!["a"], vec!["A"]),
        ] {
            for value in yes {
                assert!(matches(pattern, value), "{pattern} should match {value:?}");
            }
            for value in no {
                assert!(!matches(pattern, value), "{pattern} should not match {value:?}");
            }
        }
    }

    #[test]
    fn a_pattern_shows_and_compares_as_it_was_written() {
        let pattern = |text| Pattern::parse(text).unwrap();
        assert_eq!(pattern("match:a|b"), pattern("match:a|b"));
        assert_ne!(pattern("a*"), pattern("a"));
        assert_eq!(
            (pattern("a*").to_string(), format!("{:?}", pattern("a*"))),
            ("a*".into(), "Pattern(\"a*\")".into())
        );
    }

    /// What the stand-alone token proxy's documentation showed or its users wrote, and what it means here.
    #[test]
    fn patterns_of_the_stand_alone_proxy_match_what_they_say_and_no_more() {
        for (pattern, yes, no) in [
            ("my-org", vec!["my-org", "My-Org"], vec!["my-org/repo", "my-org2", "evil-my-org"]),
            ("my-org/my-repo", vec!["my-org/my-repo", "MY-ORG/My-Repo"], vec!["my-org", "my-org/my-repo2"]),
            (
                "my-org/*",
                vec!["my-org/repo", "my-org/.x"],
                vec!["my-org", "evil-my-org-x/repo", "my-org/a/b"],
            ),
            ("*", vec!["my-org"], vec!["my-org/repo"]),
            ("*/*", vec!["my-org/repo"], vec!["my-org"]),
            ("match:.*", vec!["my-org", "my-org/repo"], vec!["a\nb"]),
            // In a regular expression `/*` is any number of slashes, not a repository.
            ("match:my-org/*", vec!["my-org"], vec!["my-org/repo", "evil-my-org-x/repo", "my-orgs/repo"]),
            ("match:my-*", vec!["my", "my-"], vec!["my-org", "my-org/repo", "evil-my-org"]),
            ("match:my-org/.*", vec!["my-org/repo"], vec!["my-org", "evil-my-org/repo", "xmy-org/repo"]),
            ("match:my-.*/.*", vec!["my-org/repo", "my-other/x"], vec!["my-org", "evil-my-org/repo"]),
            ("match:^my-org/.+$", vec!["my-org/repo"], vec!["my-org/", "evil-my-org/repo"]),
        ] {
            for value in yes {
                assert!(matches(pattern, value), "{pattern} should match {value:?}");
            }
            for value in no {
                assert!(!matches(pattern, value), "{pattern} should not match {value:?}");
            }
        }
        let message = Pattern::parse("match:*").unwrap_err().to_string();
        assert!(message.contains("\"match:*\"") && message.contains("at position 7"), "{message}");
    }

    #[test]
    fn a_pattern_that_does_not_compile_is_named_with_its_position() {
        let message = Pattern::parse("match:ab(c").unwrap_err().to_string();
        assert!(message.contains("\"match:ab(c\""), "{message}");
        assert!(message.contains("unclosed group at position 9"), "{message}");
        let message = Pattern::parse("match:^ab(c").unwrap_err().to_string();
        assert!(message.contains("at position 10"), "not at the pattern's own caret: {message}");
        assert!(Pattern::parse("ab ").unwrap_err().to_string().ends_with("at position 3"));
        assert!(Pattern::parse(&"ä".repeat(501)).unwrap_err().to_string().ends_with("at position 501"));
        for text in ["", "match:", " a", "a ", "a\nb", "match:a)(b", "match:(a{1000}){1000}{1000}"] {
            assert!(Pattern::parse(text).is_err(), "{text:?}");
        }
        assert!(Pattern::parse(&"a".repeat(1_000)).is_ok());
        let too_long = "a".repeat(1_001);
        for (text, position) in [
            (too_long.as_str(), 1_001),
            ("a\nb", 2),
            ("match:", 7),
            ("match:^(", 8),
            (" a", 1),
            ("a ", 2),
            ("", 1),
        ] {
            let message = Pattern::parse(text).unwrap_err().to_string();
            assert!(message.ends_with(&format!(" at position {position}")), "{message}");
        }
    }

    #[test]
    fn deny_wins_and_an_empty_allow_list_lets_nothing_pass() {
        let pattern = |text| Pattern::parse(text).unwrap();
        let rules = Rules::new(vec![pattern("*")], vec![pattern("Secret-*")]);
        assert!(rules.permit("web"));
        assert!(!rules.permit("SECRET-a"));
        assert!(!Rules::default().permit("web"));
    }
}
