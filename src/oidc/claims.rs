//! The claims that every token has to have: for whom it is, and when it is good.

use std::time::Duration;

use serde_json::{Map, Value};

use super::error::Refusal;
use crate::domain::issuer::Issuer;

/// How far the issuer's clock may be from the service's.
const LEEWAY: Duration = Duration::from_secs(30);
/// The end of the year 9999, since 1970. Later times are mistakes, such as milliseconds.
const LATEST: Duration = Duration::from_secs(253_402_300_799);

/// Checks a token's audience and times at `now`, in seconds since 1970; returns when it expires, rounded up.
pub(super) fn check(claims: &Map<String, Value>, issuer: &Issuer, now: u64) -> Result<u64, Refusal> {
    if !is_for(claims.get("aud"), &issuer.audience) {
        return Err(Refusal::Invalid("its audience (aud) is not the configured one alone"));
    }
    let now = Duration::from_secs(now);
    let expires_at = time(claims, "exp")?.ok_or(Refusal::Invalid("it has no exp"))?;
    let issued_at = time(claims, "iat")?.ok_or(Refusal::Invalid("it has no iat"))?;
    if now >= expires_at + LEEWAY {
        return Err(Refusal::Invalid("it is expired (exp)"));
    }
    if time(claims, "nbf")?.is_some_and(|not_before| not_before > now + LEEWAY) {
        return Err(Refusal::Invalid("it is not valid yet (nbf)"));
    }
    if issued_at > now + LEEWAY {
        return Err(Refusal::Invalid("it was issued in the future (iat)"));
    }
    match expires_at.checked_sub(issued_at) {
        None => Err(Refusal::Invalid("it expires before it was issued (exp, iat)")),
        Some(lifetime) if lifetime > issuer.max_lifetime => {
            Err(Refusal::Invalid("its lifetime (exp - iat) is longer than the issuer's maxLifetime"))
        }
        Some(_) => Ok(expires_at.as_secs() + u64::from(expires_at.subsec_nanos() > 0)),
    }
}

/// Whether a token is for this audience alone: who else it is for could show it here.
fn is_for(audience: Option<&Value>, expected: &str) -> bool {
    match audience {
        Some(Value::String(only)) => only == expected,
        Some(Value::Array(all)) => matches!(all.as_slice(), [Value::String(only)] if only == expected),
        _ => false,
    }
}

/// A time since 1970; fractions of a second are allowed.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<Duration>, Refusal> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let Value::Number(number) = value else {
        return Err(Refusal::Invalid("exp, nbf or iat is not a number"));
    };
    let fraction = || Duration::try_from_secs_f64(number.as_f64()?).ok();
    let time = number.as_u64().map(Duration::from_secs).or_else(fraction);
    time.filter(|time| *time <= LATEST).map(Some).ok_or(Refusal::Invalid("exp, nbf or iat is out of range"))
}
