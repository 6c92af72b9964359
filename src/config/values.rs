//! Parsers of values: one function for each kind.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::node::Node;
use crate::domain::duration;
use crate::domain::names::NameError;
use crate::domain::pattern::Pattern;
use crate::domain::subject::{Subject, SubjectError};

/// What is wrong with a value.
pub(super) enum Complaint {
    /// What was expected; the reader adds what was found.
    Expected(String),
    /// The whole message.
    Message(String),
}

/// The outcome of parsing a value.
pub(super) type Outcome<T> = Result<T, Complaint>;

pub(super) fn expected<T>(what: impl Into<String>) -> Outcome<T> {
    Err(Complaint::Expected(what.into()))
}

pub(super) fn text(node: &Node) -> Outcome<String> {
    match node {
        Node::Text(text) | Node::Variable(text) if !text.is_empty() => Ok(text.clone()),
        _ => expected("text"),
    }
}

/// Text, or `""` for nothing.
pub(super) fn text_or_empty(node: &Node) -> Outcome<String> {
    match node {
        Node::Text(text) | Node::Variable(text) => Ok(text.clone()),
        _ => expected("text"),
    }
}

/// A name of the domain.
pub(super) fn name<T>(parse: impl Fn(&str) -> Result<T, NameError>) -> impl Fn(&Node) -> Outcome<T> {
    move |node| match node {
        Node::Text(text) | Node::Variable(text) => {
            parse(text).map_err(|error| Complaint::Expected(error.expected().to_owned()))
        }
        _ => expected("text"),
    }
}

pub(super) fn boolean(node: &Node) -> Outcome<bool> {
    match node {
        Node::Bool(value) => Ok(*value),
        Node::Variable(text) => truth(text).map_or_else(|| expected("true or false"), Ok),
        _ => expected("true or false"),
    }
}

/// The meaning of a word for yes or no: those of YAML 1.1, and what scripts write into variables.
fn truth(text: &str) -> Option<bool> {
    let is_one_of = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    match text {
        _ if is_one_of(&["true", "yes", "on", "1"]) => Some(true),
        _ if is_one_of(&["false", "no", "off", "0"]) => Some(false),
        _ => None,
    }
}

/// The value that a text stands for: true, false or a number. A variable may hold it as text; the file may not.
pub(super) fn in_yaml(text: &str) -> Option<Node> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    truth(text)
        .filter(|_| !is_digits)
        .map(Node::Bool)
        .or_else(|| parse_whole(text).map(Node::Whole))
        .or_else(|| text.parse().ok().map(Node::Number))
}

/// A whole number from `min` to `max`.
pub(super) fn whole<T: TryFrom<u64>>(min: u64, max: u64) -> impl Fn(&Node) -> Outcome<T> {
    move |node| {
        let number = match node {
            Node::Whole(number) => Some(*number),
            Node::Number(number) => whole_of(*number),
            Node::Variable(text) => parse_whole(text),
            _ => None,
        };
        let fitting = number.filter(|number| (min..=max).contains(number));
        fitting.and_then(|number| T::try_from(number).ok()).ok_or_else(|| {
            Complaint::Expected(match (min, max) {
                (1, u64::MAX) => "a whole number above 0".to_owned(),
                (_, u64::MAX) => format!("a whole number, at least {min}"),
                _ => format!("a whole number from {min} to {max}"),
            })
        })
    }
}

/// Digits, optionally with underscores between them, and zeros after a decimal point.
fn parse_whole(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits =
        text.trim_end_matches('0').strip_suffix('.').filter(|_| !text.ends_with('.')).unwrap_or(text);
    let grouped =
        digits.split('_').all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()));
    digits.replace('_', "").parse().ok().filter(|_| grouped)
}

/// The whole number that a tool wrote as `5.0` or `1e2`, if it is exact.
fn whole_of(number: f64) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() != 0.0 || !(0.0..=EXACT).contains(&number) {
        return None;
    }
    // Without a conversion that could cut something off: Rust writes whole numbers in full.
    number.abs().to_string().parse().ok()
}

/// A percentage such as `20%`, as a part of 1.
pub(super) fn percentage(node: &Node) -> Outcome<f64> {
    const EXPECTED: &str = "a percentage from 0% to 100%";
    let (Node::Text(text) | Node::Variable(text)) = node else { return expected(EXPECTED) };
    let number = text.trim().strip_suffix('%').and_then(|number| number.trim_end().parse::<f64>().ok());
    match number.filter(|number| (0.0..=100.0).contains(number)) {
        Some(number) => Ok(number / 100.0),
        None => expected(EXPECTED),
    }
}

/// The minimum and the maximum rate, in requests per second.
const RATES: std::ops::RangeInclusive<f64> = 0.001..=1_000_000.0;

/// Requests per second.
pub(super) fn rate(node: &Node) -> Outcome<f64> {
    let number = match node {
        Node::Whole(number) => {
            u32::try_from(*number).map_or(Some(f64::INFINITY), |number| Some(f64::from(number)))
        }
        Node::Number(number) => Some(*number),
        Node::Variable(text) => text.trim().parse().ok(),
        _ => None,
    };
    match number {
        Some(rate) if RATES.contains(&rate) => Ok(rate),
        Some(rate) if rate > 0.0 => expected(format!("a number from {} to {}", RATES.start(), RATES.end())),
        _ => expected("a number above 0"),
    }
}

/// A span of time from `min` to `max`.
pub(super) fn duration(min: Duration, max: Duration) -> impl Fn(&Node) -> Outcome<Duration> {
    move |node| {
        let span = match node {
            Node::Whole(0) => Some(Duration::ZERO),
            Node::Text(text) | Node::Variable(text) => duration::parse(text.trim()),
            _ => None,
        };
        match span {
            None => expected("a duration such as 500ms, 10s, 5m, 1h or 90d"),
            Some(span) if span < min => expected(format!("a duration, at least {}", in_words(min))),
            Some(span) if span > max => expected(format!("a duration, at most {}", in_words(max))),
            Some(span) => Ok(span),
        }
    }
}

fn in_words(span: Duration) -> String {
    match (span.as_secs(), span.subsec_millis()) {
        (seconds, 0) if seconds > 86_400 && seconds % 86_400 == 0 => format!("{}d", seconds / 86_400),
        (seconds, 0) if seconds > 0 && seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        (seconds, 0) => format!("{seconds}s"),
        _ => format!("{}ms", span.as_millis()),
    }
}

/// A number of bytes, at least `min`: plain, or with a unit.
pub(super) fn bytes(min: u64) -> impl Fn(&Node) -> Outcome<u64> {
    move |node| {
        let number = match node {
            Node::Whole(number) => Some(*number),
            Node::Text(text) | Node::Variable(text) => parse_bytes(text.trim()),
            _ => None,
        };
        match number {
            Some(number) if number >= min => Ok(number),
            Some(_) => expected(format!("at least {min} bytes; a bare number is bytes, \"100MB\" megabytes")),
            None => expected("a number of bytes, or text such as \"100MB\" or \"10MiB\""),
        }
    }
}

fn parse_bytes(text: &str) -> Option<u64> {
    let unit_at = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let factor = match unit.trim_start() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

pub(super) fn address(node: &Node) -> Outcome<IpAddr> {
    let text = text(node).unwrap_or_default();
    let bare = text.trim().trim_start_matches('[').trim_end_matches(']');
    bare.parse().or_else(|_| expected("an IP address such as 0.0.0.0 or ::1"))
}

/// A network, or a single address.
pub(super) fn network(node: &Node) -> Outcome<IpNet> {
    let text = text(node).unwrap_or_default();
    let text = text.trim();
    let parsed = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    parsed
        .map(|network| network.trunc())
        .or_else(|_| expected("a network such as 10.0.0.0/8, or an IP address"))
}

pub(super) fn pattern(node: &Node) -> Outcome<Pattern> {
    Pattern::parse(&text_or_empty(node)?).map_err(|error| Complaint::Message(error.to_string()))
}

/// A pattern that keeps case.
pub(super) fn case_sensitive_pattern(node: &Node) -> Outcome<Pattern> {
    Pattern::parse_case_sensitive(&text_or_empty(node)?)
        .map_err(|error| Complaint::Message(error.to_string()))
}

/// A pattern of names, or `id:` and an id.
pub(super) fn subject<I: From<u64>>(node: &Node) -> Outcome<Subject<I>> {
    // In YAML `id: 123`, with a blank, is a section.
    if let Node::Section(_) = node {
        return expected("a pattern, or an id without a blank, such as id:123");
    }
    Subject::parse(&text_or_empty(node)?).map_err(|error| match error {
        SubjectError::NoId => Complaint::Expected(SubjectError::ID.to_owned()),
        SubjectError::Pattern(error) => Complaint::Message(error.to_string()),
    })
}

/// One of a few words.
pub(super) fn choice<T: Copy>(choices: &'static [(&'static str, T)]) -> impl Fn(&Node) -> Outcome<T> {
    move |node| {
        let text = text(node).unwrap_or_default();
        let chosen = choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(text.trim()));
        chosen.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            Complaint::Expected(format!("one of {}", words.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_come_as_tools_write_them() {
        let of = |node: &Node| whole::<u64>(0, u64::MAX)(node).ok();
        for (text, number) in [
            ("5", 5),
            ("05", 5),
            ("5.0", 5),
            ("5.000", 5),
            ("100", 100),
            ("100.0", 100),
            ("1_000", 1_000),
            ("18446744073709551615", u64::MAX),
            ("0", 0),
            ("0.0", 0),
        ] {
            assert_eq!(of(&Node::Variable(text.to_owned())), Some(number), "{text}");
        }
        for text in [
            "",
            "5.",
            ".0",
            "5.5",
            "+5",
            "-5",
            "_5",
            "5_",
            "1__0",
            "1e2",
            "0x1f",
            "5 5",
            "18446744073709551616",
        ] {
            assert_eq!(of(&Node::Variable(text.to_owned())), None, "{text}");
        }
        for (number, whole) in [(5.0, 5), (1e2, 100), (0.0, 0), (-0.0, 0), (9_007_199_254_740_992.0, 1 << 53)]
        {
            assert_eq!(of(&Node::Number(number)), Some(whole), "{number}");
        }
        for number in [5.5, -5.0, 1e300, f64::NAN, f64::INFINITY, 9_007_199_254_740_994.0] {
            assert_eq!(of(&Node::Number(number)), None, "{number}");
        }
        assert_eq!(of(&Node::Text("5".to_owned())), None, "in the file, text is no number");
    }

    #[test]
    fn words_for_yes_and_no_are_understood_in_variables() {
        let of = |text: &str| boolean(&Node::Variable(text.to_owned())).ok();
        for text in ["true", "True", "TRUE", "yes", "on", "On", "1"] {
            assert_eq!(of(text), Some(true), "{text}");
        }
        for text in ["false", "False", "NO", "off", "0"] {
            assert_eq!(of(text), Some(false), "{text}");
        }
        for text in ["", "y", "t", "2", "truee", "null"] {
            assert_eq!(of(text), None, "{text}");
        }
        assert!(boolean(&Node::Text("yes".to_owned())).is_err(), "in the file, text is not true or false");
    }

    #[test]
    fn bytes_tell_decimal_from_binary_units() {
        for (text, bytes) in
            [("100MB", 100_000_000), ("10MiB", 10_485_760), ("5 kB", 5_000), ("7", 7), ("1GiB", 1 << 30)]
        {
            assert_eq!(parse_bytes(text), Some(bytes), "{text}");
        }
        for text in ["", "MB", "1TB", "1.5MB", "-1", "99999999999999999999"] {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn a_bare_address_is_a_network_of_one() {
        let of = |text: &str| network(&Node::Text(text.to_owned())).ok().map(|network| network.to_string());
        assert_eq!(of("10.1.2.3").as_deref(), Some("10.1.2.3/32"));
        assert_eq!(of("::1").as_deref(), Some("::1/128"));
        assert_eq!(of("10.1.2.3/8").as_deref(), Some("10.0.0.0/8"), "host bits are dropped");
        assert_eq!(of("10.0.0.0/33"), None);
    }

    #[test]
    fn a_rate_is_a_finite_number_in_a_sensible_range() {
        let of = |text: &str| rate(&Node::Variable(text.to_owned())).ok();
        assert_eq!(of("0.5"), Some(0.5));
        for text in ["0", "-1", "NaN", "inf", "1e300", "1e-300", "many", ""] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
