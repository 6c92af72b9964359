//! Text from outside: decoded from what tools produce, and cleaned before it is repeated.

/// The first `max` characters in one line, without characters that a terminal acts on.
pub fn one_line(text: &str, max: usize) -> String {
    let shown = |character: char| match character {
        '\t' | '\n' | '\r' => ' ',
        character if character.is_control() => char::REPLACEMENT_CHARACTER,
        character => character,
    };
    text.chars().take(max).map(shown).collect()
}

/// Why bytes are not text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotText {
    /// Neither UTF-8, nor UTF-16 with a byte order mark.
    #[error("it is not UTF-8 text")]
    OtherBytes {
        /// The line that the first bad byte is in.
        line: usize,
    },
    /// Every other byte is zero.
    #[error("it is not UTF-8 text, but looks like UTF-16 or UTF-32; save it as UTF-8")]
    WideCharacters,
}

const UTF_8_MARK: char = '\u{feff}';

/// Text in UTF-8, with or without a byte order mark, or in UTF-16 with one, as Windows PowerShell writes it.
///
/// # Errors
/// Says what the bytes are instead.
pub fn decoded(bytes: Vec<u8>) -> Result<String, NotText> {
    let wide = match bytes.as_slice() {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Err(NotText::WideCharacters),
        [0xff, 0xfe, rest @ ..] if !rest.is_empty() => utf_16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] if !rest.is_empty() => utf_16(rest, u16::from_be_bytes),
        other if is_wide(other) => return Err(NotText::WideCharacters),
        _ => None,
    };
    if let Some(text) = wide {
        return Ok(text);
    }
    let mut text = String::from_utf8(bytes).map_err(|error| NotText::OtherBytes {
        line: line_at(error.as_bytes(), error.utf8_error().valid_up_to()),
    })?;
    if text.starts_with(UTF_8_MARK) {
        text.remove(0);
    }
    Ok(text)
}

fn line_at(bytes: &[u8], position: usize) -> usize {
    1 + bytes.iter().take(position).filter(|byte| **byte == b'\n').count()
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    let text: Result<String, _> = char::decode_utf16(units).collect();
    text.ok().filter(|_| rest.is_empty())
}

/// Whether this is UTF-16 without a mark: ASCII, and a zero beside each character.
fn is_wide(bytes: &[u8]) -> bool {
    const LOOKED_AT: usize = 16;
    let zero_at = |odd: usize| {
        let (pairs, _) = bytes.as_chunks::<2>();
        pairs.len() >= 2 && pairs.iter().take(LOOKED_AT).all(|pair| pair[odd] == 0 && pair[1 - odd] != 0)
    };
    zero_at(0) || zero_at(1)
}

/// Whether a character is invisible and easily copied by accident: white space of any kind, byte order marks, joiners
/// and direction marks.
pub fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            UTF_8_MARK
                | '\u{ad}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{2064}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// Removes white space, line breaks and invisible characters from both ends.
pub fn trimmed(text: &str) -> &str {
    text.trim_matches(is_invisible)
}

/// Trims the text and removes quotes around it, which `docker run --env-file` passes on. If there are quotes inside as
/// well, all of them belong to the value.
pub fn unwrapped(text: &str) -> &str {
    let text = trimmed(text);
    for quote in ['"', '\''] {
        let inside = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        if let Some(inside) = inside.filter(|inside| !inside.contains(quote)) {
            return unwrapped(inside);
        }
    }
    text
}

/// Real line breaks where `\r\n`, `\n` or `\r` are spelt out, as in a key that was put into one line.
pub fn with_line_breaks(text: &str) -> String {
    text.replace("\\r\\n", "\n").replace("\\n", "\n").replace("\\r", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_short_line_without_control_characters() {
        assert_eq!(one_line("a\u{1b}[31mb\u{85}\r\n\tß", 100), "a\u{fffd}[31mb\u{fffd}   ß");
        assert_eq!(one_line(&"ß".repeat(1_000), 64), "ß".repeat(64));
    }

    fn wide(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn utf_8_and_marked_utf_16_are_read_alike() {
        let text = "org: äçme\r\n𝓹";
        assert_eq!(decoded(text.into()).as_deref(), Ok(text));
        assert_eq!(decoded(format!("\u{feff}{text}").into()).as_deref(), Ok(text));
        let marked = format!("\u{feff}{text}");
        assert_eq!(decoded(wide(&marked, u16::to_le_bytes)).as_deref(), Ok(text));
        assert_eq!(decoded(wide(&marked, u16::to_be_bytes)).as_deref(), Ok(text));
        assert_eq!(decoded(Vec::new()).as_deref(), Ok(""));
    }

    #[test]
    fn what_is_no_text_is_told_apart() {
        for bytes in [wide("org: acme", u16::to_le_bytes), wide("org: acme", u16::to_be_bytes)] {
            assert_eq!(decoded(bytes), Err(NotText::WideCharacters));
        }
        assert_eq!(decoded(b"\xff\xfe\0\0o\0\0\0".into()), Err(NotText::WideCharacters));
        assert_eq!(decoded(b"a\nb\xffc".into()), Err(NotText::OtherBytes { line: 2 }));
        for mark in [b"\xff\xfe", b"\xfe\xff"] {
            assert_eq!(decoded(mark.into()), Err(NotText::OtherBytes { line: 1 }), "{mark:x?} alone");
        }
        // Odd, and half of a pair.
        assert_eq!(decoded(b"\xff\xfea\0b".into()), Err(NotText::OtherBytes { line: 1 }));
        assert_eq!(decoded(b"\xff\xfe\x00\xd8".into()), Err(NotText::OtherBytes { line: 1 }));
    }

    #[test]
    fn what_surrounds_a_value_is_taken_away_and_what_is_in_it_is_not() {
        for text in [
            "a b",
            " a b\r\n",
            "\u{feff}a b",
            "\u{a0}a b\u{3000}",
            "\u{200b}a b\u{202a}",
            "\"a b\"",
            "'a b'",
            " \"a b\" \n",
            "\" a b\n\"",
            "'\"a b\"'",
        ] {
            assert_eq!(unwrapped(text), "a b", "{text:?}");
        }
        for text in ["\"a\";\"b\"", "\"a", "a\"", "'a\"", "\"", "it's", "'it's'"] {
            assert_eq!(unwrapped(text), text);
        }
        assert_eq!(unwrapped("\"\""), "");
        assert_eq!(unwrapped("\"it's\""), "it's");
    }

    #[test]
    fn line_breaks_may_be_spelt_out() {
        assert_eq!(with_line_breaks("a\\r\\nb\\nc\\rd\ne"), "a\nb\nc\nd\ne");
    }
}
