//! Whether a pattern can match anything that begins with a given part of a path.

use regex_syntax::hir::literal::{Extractor, Literal};

use super::{Pattern, REGEX_PREFIX};

impl Pattern {
    /// Whether it can match `part` itself, or a path that begins with `part` and a slash. False only if that is certain.
    pub fn can_match_in(&self, part: &str) -> bool {
        let Some(expression) = self.text.strip_prefix(REGEX_PREFIX) else {
            let first = self.text.split('/').next().unwrap_or_default();
            return Self::parse(first).is_ok_and(|first| first.matches(part));
        };
        let Ok(parsed) = regex_syntax::parse(expression) else { return true };
        let beginnings = Extractor::new().extract(&parsed);
        let fits = |literal: &Literal| begins_in(literal, part);
        beginnings.literals().is_none_or(|literals| literals.iter().any(fits))
    }

    /// Whether it is a regular expression that looks like a glob for the repositories of an organisation, `match:org/*`, which
    /// matches the organisation itself and not one repository.
    pub fn is_glob_as_regex(&self) -> bool {
        self.text.strip_prefix(REGEX_PREFIX).is_some_and(|expression| expression.ends_with("/*"))
    }
}

/// Whether a match that begins with the literal (or that is the literal, if it is exact) can be `part` or below it.
fn begins_in(literal: &Literal, part: &str) -> bool {
    let found = literal.as_bytes().to_ascii_lowercase();
    let part = part.to_ascii_lowercase();
    let inside = format!("{part}/").into_bytes();
    if literal.is_exact() {
        return found == part.as_bytes() || found.starts_with(&inside);
    }
    inside.starts_with(&found) || found.starts_with(&inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_of_another_organisation_is_recognised() {
        let can = |pattern: &str| Pattern::parse(pattern).unwrap().can_match_in("Acme");
        for pattern in [
            "acme",
            "ACME/*",
            "*",
            "*/web",
            "a*e/x",
            "match:acme/.*",
            "match:(acme|other)/web",
            "match:(?i)ACME(/.*)?",
            "match:^acme/.*$",
            "match:.*/web",
            "match:[a-z]+/web",
            "match:ac.*",
            "match:acme?/web",
            "match:my-org/*|acme",
        ] {
            assert!(can(pattern), "{pattern}");
        }
        for pattern in [
            "other",
            "other/*",
            "acme2/*",
            "/acme",
            "a*x/y",
            "*-org/*",
            "match:other/.*",
            "match:acme-labs/.*",
            "match:(other|third)/web",
            "match:acm",
            "match:^other$",
            "match:my-org/*",
        ] {
            assert!(!can(pattern), "{pattern}");
        }
    }

    #[test]
    fn a_glob_in_the_place_of_a_regular_expression_is_recognised() {
        let is = |pattern: &str| Pattern::parse(pattern).unwrap().is_glob_as_regex();
        assert!(is("match:my-org/*"));
        assert!(!is("my-org/*") && !is("match:my-org/.*") && !is("match:my-org"));
    }
}
