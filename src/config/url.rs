//! URLs that the service calls.

use crate::domain::issuer::is_of_enterprise_server;
use crate::domain::remote_url;

/// The root of GitHub's REST API: https, or http to a loopback address; never ends in a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiUrl(String);

impl ApiUrl {
    /// Takes a URL without query, fragment and user.
    ///
    /// # Errors
    /// States what was expected; never quotes the text, which may contain a password.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url = checked(text, "expected a URL, such as https://HOST/api/v3")?;
        Ok(Self(url.trim_end_matches('/').to_owned()))
    }

    /// The URL as text, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is neither github.com nor an enterprise's own part of ghe.com.
    pub fn is_of_enterprise_server(&self) -> bool {
        is_of_enterprise_server(&self.0)
    }

    /// Whether calls travel unencrypted, which only happens inside this host.
    pub fn is_plain(&self) -> bool {
        self.0.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"))
    }
}

/// Takes the URL of an issuer or of its keys, to the letter: a slash at the end of an issuer's is part of its name.
pub(super) fn of_issuer(text: &str) -> Result<String, &'static str> {
    checked(text, "expected a URL, such as https://oidc.example.com").map(str::to_owned)
}

/// Checks that the text is a URL without query, fragment and user: https, or http to a loopback address.
fn checked<'a>(text: &'a str, expected: &'static str) -> Result<&'a str, &'static str> {
    if text.parse::<http::Uri>().is_err() {
        return Err(expected);
    }
    if text.contains(['?', '#']) && !text.contains('@') {
        return Err("expected a URL without query and fragment");
    }
    remote_url::check(text).map(|()| text)
}
