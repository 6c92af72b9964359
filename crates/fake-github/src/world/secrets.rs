//! Tokens that look like GitHub's: right prefix, length and alphabet; the same ones in the same order for
//! worlds of the same name.

use std::sync::PoisonError;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A source of unique, unguessable-looking strings.
pub(crate) struct Secrets {
    seed: String,
    count: u64,
}

impl Secrets {
    pub(crate) fn new(seed: &str) -> Self {
        Self { seed: seed.to_owned(), count: 0 }
    }

    fn bytes(&mut self, wanted: usize) -> Vec<u8> {
        self.count += 1;
        let mut bytes = Vec::with_capacity(wanted + 32);
        let mut block = 0_u32;
        while bytes.len() < wanted {
            let text = format!("{}/{}/{block}", self.seed, self.count);
            bytes.extend_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
            block += 1;
        }
        bytes.truncate(wanted);
        bytes
    }

    fn letters(&mut self, wanted: usize, alphabet: &[u8]) -> String {
        let size = alphabet.len();
        self.bytes(wanted).iter().map(|byte| char::from(alphabet[usize::from(*byte) % size])).collect()
    }

    /// `prefix` and 36 characters, of which the last 6 are a checksum, as in `ghp_…`.
    pub(crate) fn checked(&mut self, prefix: &str) -> String {
        let body = self.letters(30, BASE62);
        let mut crc = flate2::Crc::new();
        crc.update(body.as_bytes());
        let mut rest = crc.sum();
        let mut tail = Vec::with_capacity(6);
        for _ in 0..6 {
            let digit = usize::try_from(rest % 62).unwrap_or(0);
            tail.push(char::from(BASE62[digit]));
            rest /= 62;
        }
        let tail: String = tail.into_iter().rev().collect();
        format!("{prefix}{body}{tail}")
    }

    /// A fine-grained token: `github_pat_`, 22 characters, `_`, 59 characters.
    pub(crate) fn fine_grained(&mut self) -> String {
        let (head, tail) = (self.letters(22, BASE62), self.letters(59, BASE62));
        format!("github_pat_{head}_{tail}")
    }

    /// An installation token of the long kind that GitHub rolls out: `ghs_<app>_<JWT>`, with dots.
    pub(crate) fn stateless(&mut self, app: u64) -> String {
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
        let claims = URL_SAFE_NO_PAD.encode(self.bytes(160));
        let signature = URL_SAFE_NO_PAD.encode(self.bytes(192));
        format!("ghs_{app}_{head}.{claims}.{signature}")
    }

    /// A registration or removal token: 29 capitals and digits.
    pub(crate) fn runner_token(&mut self) -> String {
        format!("A{}", self.letters(28, BASE32))
    }

    /// Base64 of `size` bytes without meaning, for the secret parts of a JIT configuration.
    pub(crate) fn blob(&mut self, size: usize) -> String {
        base64::engine::general_purpose::STANDARD.encode(self.bytes(size))
    }

    /// A request id like `C1F8:3A21:8D0F3A:…`.
    pub(crate) fn hex(&mut self, size: usize) -> String {
        use std::fmt::Write;
        self.bytes(size).iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02X}");
            text
        })
    }
}

impl super::World {
    /// Every secret that this GitHub handed out so far, for tests that look for leaks.
    pub fn secrets(&self) -> Vec<String> {
        let users = self.people.tokens.keys().cloned();
        let minted = self.minted_tokens().iter().map(|minted| minted.token.clone());
        let runners = self.runner_tokens().iter().map(|granted| granted.token.clone());
        let issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner).clone();
        users.chain(minted).chain(runners).chain(self.jit_configs().iter().cloned()).chain(issued).collect()
    }
}
