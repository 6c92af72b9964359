//! A text that is shown as a token, through the code that reads it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::Refusal;
use super::key_set::KeySet;
use super::token::{Unverified, looks_like_token};
use super::{Verified, verified};
use crate::domain::issuer::{Algorithm, Issuer, KeySource};

/// A key of each kind; the examples of RFC 7517.
const KEYS: &str = r#"{"keys": [
    {"kty": "RSA", "kid": "rsa", "use": "sig", "e": "AQAB", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"},
    {"kty": "EC", "kid": "ec", "use": "sig", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}
]}"#;
/// The service's time, in seconds since 1970.
const NOW: u64 = 1_700_000_000;
static ISSUER: OnceLock<Arc<Issuer>> = OnceLock::new();
static SET: OnceLock<Option<KeySet>> = OnceLock::new();

/// A reason for the log is short.
const MAX_REASON_CHARACTERS: usize = 100;

/// A token; or two lines, which become a token's header and payload.
///
/// # Panics
/// When something doesn't hold that should hold of every text.
pub fn oidc_token(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let encoded = |part: &str| URL_SAFE_NO_PAD.encode(part);
    let token = match text.split_once('\n') {
        Some((header, payload)) => format!("{}.{}.c2ln", encoded(header), encoded(payload)),
        None => text.into_owned(),
    };
    let issuer = ISSUER.get_or_init(|| Arc::new(issuer()));
    match read(&token, issuer) {
        Ok(verified) => check_verified(&verified, issuer),
        Err(Refusal::IssuerUnavailable { .. }) => unreachable!("nothing is fetched"),
        Err(refusal) => {
            let reason = refusal.to_string();
            assert!(!reason.is_empty() && reason.chars().count() <= MAX_REASON_CHARACTERS, "{reason}");
            assert!(!reason.contains(char::is_control), "{reason:?}");
        }
    }
}

/// All that is done with a token; its signature is found bad, and that is passed over.
fn read(token: &str, issuer: &Arc<Issuer>) -> Result<Verified, Refusal> {
    let set = SET.get_or_init(|| KeySet::parse(KEYS.as_bytes(), &issuer.algorithms).ok());
    let parsed = Unverified::parse(token)?;
    assert!(looks_like_token(token));
    if parsed.issuer() != Some(issuer.url.as_str()) {
        return Err(Refusal::UnknownIssuer);
    }
    let header = parsed.header(&issuer.algorithms)?;
    let set = set.as_ref().filter(|set| set.has(&header.kid, header.algorithm));
    let set = set.ok_or(Refusal::Invalid("its key (kid) is none of the issuer's"))?;
    assert!(["rsa", "ec"].contains(&header.kid.as_str()));
    assert_eq!(header.kid == "ec", header.algorithm == Algorithm::Es256, "each key is for its algorithm");
    let is_signed = set.verifies(&header.kid, header.algorithm, parsed.signed, &parsed.signature);
    assert!(!is_signed, "nobody has the key");
    verified(parsed, issuer, NOW)
}

fn check_verified(verified: &Verified, issuer: &Issuer) {
    assert!(!verified.subject.is_empty() && verified.claims.text("sub") == Some(&verified.subject));
    assert_eq!(verified.claims.text("iss"), Some(issuer.url.as_str()));
    assert!(verified.expires_at + 30 > NOW);
    assert!(verified.expires_at <= NOW + 30 + issuer.max_lifetime.as_secs() + 1, "{}", verified.expires_at);
    assert!(verified.jti.as_ref().is_none_or(|jti| !jti.is_empty()));
    let audience = verified.claims.get("aud").map(ToString::to_string);
    let text = format!("\"{}\"", issuer.audience);
    assert!(audience == Some(format!("[{text}]")) || audience == Some(text));
}

fn issuer() -> Issuer {
    Issuer {
        name: "example".to_owned(),
        url: "https://issuer.example.com".to_owned(),
        is_actions: false,
        audience: "https://arm.example.com".to_owned(),
        algorithms: vec![Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256],
        max_lifetime: Duration::from_hours(1),
        single_use: false,
        keys: KeySource::Discovery,
        ca_file: None,
        teams: Vec::new(),
        subjects: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_gets_through_to_the_end() {
        let payload = r#"{"iss": "https://issuer.example.com", "aud": ["https://arm.example.com"], "sub": "x", "iat": 1700000000, "exp": 1700000300}"#;
        for header in [r#"{"alg": "RS256", "kid": "rsa"}"#, r#"{"alg": "ES256", "kid": "ec"}"#] {
            let token =
                format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
            assert_eq!(read(&token, &Arc::new(issuer())).unwrap().expires_at, 1_700_000_300, "{header}");
        }
    }
}
