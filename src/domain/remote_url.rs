//! URLs of other services: https, or http to a loopback address.

use std::net::IpAddr;

/// Checks that calls to a URL are encrypted, or don't leave this host.
///
/// # Errors
/// States what was expected; never quotes the text, which may contain a password.
pub fn check(text: &str) -> Result<(), &'static str> {
    let uri: http::Uri = text.parse().map_err(|_| "expected a URL")?;
    let host = uri.host().unwrap_or_default();
    match uri.scheme_str() {
        _ if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) => {
            Err("expected a URL without user and password")
        }
        Some("https") if !host.is_empty() => Ok(()),
        Some("http") if is_loopback(host) => Ok(()),
        Some("http") => Err("expected https://; http:// is for a loopback address only"),
        _ => Err("expected a URL that starts with https://"),
    }
}

/// Whether a URL's host is this one.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_travels_unencrypted_stays_on_this_host() {
        for good in [
            "https://keys.example.com/jwks?format=jwk",
            "HTTPS://keys.example.com",
            "http://127.0.0.1:8080/jwks",
            "http://[::1]/jwks",
            "http://localhost/jwks",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "http://keys.example.com/jwks",
            "http://127.0.0.1.example.com/jwks",
            "http://localhost@keys.example.com/jwks",
            "https://user:password@keys.example.com/jwks",
            "file:///etc/passwd",
            "/jwks",
            "keys.example.com",
            "https://",
            "",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
