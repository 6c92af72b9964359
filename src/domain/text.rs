//! Others' text, in a form that a message, a log line or an answer can repeat.

/// Its first `most` characters in one line, with nothing that a terminal would act on.
pub fn one_line(text: &str, most: usize) -> String {
    let shown = |character: char| match character {
        '\t' | '\n' | '\r' => ' ',
        character if character.is_control() => char::REPLACEMENT_CHARACTER,
        character => character,
    };
    text.chars().take(most).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_short_line_without_control_characters() {
        assert_eq!(one_line("a\u{1b}[31mb\u{85}\r\n\tß", 100), "a\u{fffd}[31mb\u{fffd}   ß");
        assert_eq!(one_line(&"ß".repeat(1_000), 64), "ß".repeat(64));
    }
}
