//! Environments of repositories, as far as they say who may run a job with one.

use std::fmt::Write;

use super::call::Call;
use super::credential::Scope;
use super::types::Environment;
use super::{Class, Error, Github};
use crate::domain::names::RepoName;
use crate::metrics::CallKind;

impl Github {
    /// Whether a repository has an environment of this name in which not every job can run: with required reviewers, or for some
    /// branches only. A job that names an environment that isn't there makes it, without any protection.
    ///
    /// # Errors
    /// It can't be found out, among other reasons because the credential lacks the permission *Actions: read*, of which
    /// [`Error::lacks_permission`] tells.
    pub async fn has_protected_environment(&self, repository: &RepoName, name: &str) -> Result<bool, Error> {
        // Whoever reads a URL takes these for steps in its path, however they are encoded.
        if name.bytes().all(|byte| byte == b'.') {
            return Ok(false);
        }
        let path = format!("/repos/{}/{repository}/environments/{}", self.org, encoded(name));
        let call = Call::get(CallKind::Environment, path);
        match self.send_for_repository(call, Scope::Actions(repository)).await {
            Ok(reply) => {
                let found: Environment = reply.parse()?;
                Ok(found.name.to_lowercase() == name.to_lowercase() && found.is_protected())
            }
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Error {
    /// Whether the credential was not granted what the call takes.
    pub fn lacks_permission(&self) -> bool {
        // No token with a permission is minted that the App doesn't have.
        matches!(self.class(), Class::Forbidden(_) | Class::Rejected(_))
    }
}

/// A name as one part of a path: every byte that could mean something else there is encoded.
fn encoded(name: &str) -> String {
    name.bytes().fold(String::new(), |mut path, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => path.push(char::from(byte)),
            other => {
                let _ = write!(path, "%{other:02X}");
            }
        }
        path
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_part_of_the_path() {
        for (name, path) in [
            ("runners", "runners"),
            ("../../user", "%2E%2E%2F%2E%2E%2Fuser"),
            ("a b?c#d%2F", "a%20b%3Fc%23d%252F"),
            ("ä", "%C3%A4"),
        ] {
            assert_eq!(encoded(name), path, "{name}");
        }
    }
}
