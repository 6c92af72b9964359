//! A token's form, and what it says of itself before anything of it is verified.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::error::Refusal;
use super::object::Object;
use crate::domain::issuer::Algorithm;

/// Bytes of a token. Those of Actions have about 2,000.
const MAX_BYTES: usize = 16 << 10;
/// How installation tokens of GitHub begin, of which some have three parts, too.
const INSTALLATION_TOKEN: &str = "ghs_";

/// Whether a text could be an OIDC token at all: three parts separated by dots, in the alphabet of base64url.
pub fn looks_like_token(text: &str) -> bool {
    parts(text).is_some()
}

/// Header, payload and signature. An unsigned token has an empty signature.
fn parts(text: &str) -> Option<[&str; 3]> {
    let is_base64 =
        |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let mut parts = text.split('.');
    let [header, payload, signature] = [parts.next()?, parts.next()?, parts.next()?];
    let is_token = parts.next().is_none()
        && !text.starts_with(INSTALLATION_TOKEN)
        && !header.is_empty()
        && !payload.is_empty()
        && [header, payload, signature].into_iter().all(is_base64);
    is_token.then_some([header, payload, signature])
}

/// A token of which nothing is verified yet.
pub(super) struct Unverified<'a> {
    header: &'a str,
    /// What the signature is of.
    pub(super) signed: &'a [u8],
    pub(super) signature: Vec<u8>,
    pub(super) claims: Map<String, Value>,
}

/// What a token's header says about its signature. Keys in it, or addresses of keys, are ignored: whoever makes up a token can
/// put their own there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kid: String,
    pub(super) algorithm: Algorithm,
}

impl<'a> Unverified<'a> {
    pub(super) fn parse(token: &'a str) -> Result<Self, Refusal> {
        if token.len() > MAX_BYTES {
            return Err(Refusal::Invalid("it is larger than 16 KiB"));
        }
        let [header, payload, signature] =
            parts(token).ok_or(Refusal::Invalid("it is not three parts of base64url"))?;
        let Object(claims) = decode(payload)
            .and_then(|json| Object::parse(&json))
            .ok_or(Refusal::Invalid("its payload is not a JSON object with distinct names"))?;
        let signature = decode(signature).ok_or(Refusal::Invalid("its signature is not base64url"))?;
        let signed = &token.as_bytes()[..header.len() + 1 + payload.len()];
        Ok(Self { header, signed, signature, claims })
    }

    /// Who it says has signed it.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }

    /// Its header, if it names a key, and one of these algorithms.
    pub(super) fn header(&self, algorithms: &[Algorithm]) -> Result<Header, Refusal> {
        let Object(header) = decode(self.header)
            .and_then(|json| Object::parse(&json))
            .ok_or(Refusal::Invalid("its header is not a JSON object with distinct names"))?;
        if header.contains_key("crit") {
            return Err(Refusal::Invalid("its header has crit, which is not supported"));
        }
        let text = |name: &str| header.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let kid = text("kid").ok_or(Refusal::Invalid("its header names no key (kid)"))?;
        let name = text("alg").ok_or(Refusal::Invalid("its header names no algorithm (alg)"))?;
        let algorithm = algorithms.iter().find(|algorithm| algorithm.as_str() == name);
        let algorithm = *algorithm
            .ok_or(Refusal::Invalid("its algorithm (alg) is none that is configured for the issuer"))?;
        Ok(Header { kid: kid.to_owned(), algorithm })
    }
}

/// Padding and bits that stand for nothing are refused: a token can be written in one way only.
fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_an_oidc_token_is_told_from_other_tokens() {
        for token in ["eyJh.eyJi.c2ln", "a.b.", "a-_.b.c"] {
            assert!(looks_like_token(token), "{token}");
        }
        for other in [
            "",
            ".",
            "..",
            ".b.c",
            "a..c",
            "a.b",
            "a.b.c.d",
            "a.b.c=",
            "a.b.c+",
            "a. b.c",
            "a.b.c\n",
            "a.b.\u{fc}",
            "ghs_12_eyJh.eyJi.c2ln",
            "ghp_0123456789",
            "armt_0123456789",
        ] {
            assert!(!looks_like_token(other), "{other}");
        }
    }
}
