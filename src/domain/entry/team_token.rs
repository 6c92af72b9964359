//! Team tokens: `armt_`, 36 random characters, and 6 that are their checksum, so that a mistyped one is found out without
//! a look-up, and a scanner can tell one from other text.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::domain::hash::sha256;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_CHARACTERS: usize = 36;
const CHECKSUM_CHARACTERS: usize = 6;

/// A team token.
#[derive(Debug, Clone)]
pub struct TeamToken(SecretString);

/// The SHA-256 of a team token, which is all that is kept of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl TeamToken {
    /// What every one begins with. Nothing that begins so is ever sent to GitHub.
    pub const PREFIX: &'static str = "armt_";
    /// The form as a regular expression, for scanners of secrets.
    pub const PATTERN: &'static str = "armt_[0-9A-Za-z]{42}";

    /// Makes one of random numbers, each at least one byte's worth of chance.
    ///
    /// # Errors
    /// What `fill` fails with.
    pub fn generate<E>(mut fill: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut random = String::with_capacity(RANDOM_CHARACTERS);
        let mut bytes = [0; 64];
        while random.len() < RANDOM_CHARACTERS {
            fill(&mut bytes)?;
            // Numbers beyond the greatest multiple of 62 would make some characters likelier than others.
            let fair = bytes.iter().filter(|byte| **byte < 248).map(|byte| ALPHABET[usize::from(*byte) % 62]);
            let missing = RANDOM_CHARACTERS - random.len();
            random.extend(fair.take(missing).map(char::from));
        }
        let checksum = checksum(&random);
        Ok(Self(SecretString::from(format!("{}{random}{checksum}", Self::PREFIX))))
    }

    /// Takes a text of the right form with the right checksum.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(Self::PREFIX)?;
        let is_form = rest.len() == RANDOM_CHARACTERS + CHECKSUM_CHARACTERS
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_form {
            return None;
        }
        let (random, found) = rest.split_at(RANDOM_CHARACTERS);
        (checksum(random) == found).then(|| Self(SecretString::from(text)))
    }

    /// Its hash.
    pub fn hash(&self) -> TokenHash {
        TokenHash(sha256(self.0.expose_secret().as_bytes()))
    }

    /// The token as text, for the one answer that shows it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenHash")
    }
}

/// The CRC-32 of a text in base 62, padded with 0.
fn checksum(text: &str) -> String {
    let mut rest = crc_32(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM_CHARACTERS];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

/// CRC-32 as zlib and PNG have it.
fn crc_32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(seed: u8) -> TeamToken {
        let mut next = seed;
        TeamToken::generate(|bytes| {
            for byte in bytes {
                next = next.wrapping_mul(141).wrapping_add(77);
                *byte = next;
            }
            Ok::<_, ()>(())
        })
        .unwrap()
    }

    #[test]
    fn the_checksum_is_crc_32_in_base_62_padded_with_0() {
        // The check value that CRC-32 is published with.
        assert_eq!(crc_32(b"123456789"), 0xcbf4_3926);
        assert_eq!(checksum(""), "000000");
        assert_eq!(checksum("123456789").len(), 6);
    }

    #[test]
    fn a_token_is_what_was_made_and_nothing_that_differs_by_a_character() {
        let made = token(1);
        let text = made.expose().to_owned();
        assert_eq!(text.len(), 47);
        assert_eq!(TeamToken::parse(&text).unwrap().hash(), made.hash());
        assert_ne!(token(2).hash(), made.hash());
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'x' { b'y' } else { b'x' };
            assert!(TeamToken::parse(std::str::from_utf8(&other).unwrap()).is_none(), "at {at}");
        }
        for other in
            [format!("{text}0"), text[1..].to_owned(), format!(" {text}"), text.replace("armt_", "ARMT_")]
        {
            assert!(TeamToken::parse(&other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_token_is_never_shown_by_debug() {
        let made = token(1);
        assert!(!format!("{made:?}{:?}", made.hash()).contains(&made.expose()[5..]));
    }
}
