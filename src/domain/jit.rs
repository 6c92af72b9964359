//! What a JIT config may ask for: labels, name, work folder.

use crate::domain::names::{Form, Label, NameError, RunnerName, TeamSlug};
use crate::domain::policy::JitPolicy;

/// GitHub's bound on a runner's name.
const LONGEST_NAME: usize = 64;
/// Random characters of a name that is made here: enough that two never meet.
pub const RANDOM_CHARACTERS: usize = 12;

/// What the policy doesn't allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JitRefusal {
    /// More labels than `policy.jit.maxLabels`.
    #[error("at most {0} labels are allowed")]
    TooManyLabels(usize),
    /// A label that no pattern of `policy.jit.labels` allows.
    #[error("the label \"{0}\" is not allowed")]
    Label(Label),
    /// A name that doesn't begin as `policy.jit.namePrefix` demands.
    #[error("the name has to begin with \"{0}\"")]
    NamePrefix(String),
}

/// Where a job's files go: a plain folder name, relative to the runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkFolder(String);

impl WorkFolder {
    /// What a folder's name has to look like.
    pub const EXPECTED: &'static str = "a folder's name: 1 to 64 of A-Z a-z 0-9 . _ -, not only dots";
    const FORM: Form = Form::new("._-", 64);

    /// Takes a folder name: no path, nothing hidden behind dots.
    pub fn parse(value: &str) -> Result<Self, NameError> {
        let valid = Self::FORM.fits(value) && value.bytes().any(|byte| byte != b'.');
        valid.then(|| Self(value.to_owned())).ok_or(NameError::new(Self::EXPECTED))
    }

    /// What [`WorkFolder::parse`] takes, as a regular expression to be put at the end of one.
    pub fn pattern() -> String {
        format!(r"(?!\.+$){}", Self::FORM.pattern())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for WorkFolder {
    /// GitHub's own default.
    fn default() -> Self {
        Self("_work".to_owned())
    }
}

impl JitPolicy {
    /// Checks labels, which are compared without letter case.
    pub fn check_labels(&self, labels: &[Label]) -> Result<(), JitRefusal> {
        if labels.len() > self.max_labels {
            return Err(JitRefusal::TooManyLabels(self.max_labels));
        }
        // A label is no path: a lone `*` means all of them, also those with a slash.
        let allowed = |label: &&Label| {
            self.labels.iter().any(|pattern| pattern.is_star() || pattern.matches(label.as_str()))
        };
        match labels.iter().find(|label| !allowed(label)) {
            None => Ok(()),
            Some(label) => Err(JitRefusal::Label(label.clone())),
        }
    }

    /// Checks a name that the caller chose, or makes one of the prefix and `random` characters.
    pub fn name(
        &self,
        team: &TeamSlug,
        chosen: Option<RunnerName>,
        random: &str,
    ) -> Result<RunnerName, JitRefusal> {
        let prefix = self.prefix(team);
        match chosen {
            Some(name) if name.as_str().to_ascii_lowercase().starts_with(&prefix.to_ascii_lowercase()) => {
                Ok(name)
            }
            Some(_) => Err(JitRefusal::NamePrefix(prefix)),
            None => {
                RunnerName::parse(&format!("{prefix}{random}")).map_err(|_| JitRefusal::NamePrefix(prefix))
            }
        }
    }

    /// The prefix for a team, cut so that a name still fits behind it: a slug can be longer than a name.
    fn prefix(&self, team: &TeamSlug) -> String {
        let most = LONGEST_NAME - RANDOM_CHARACTERS;
        self.name_prefix.replace("{team}", team.as_str()).chars().take(most).collect()
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::pattern::Pattern;

    fn policy(labels: &[&str], prefix: &str) -> JitPolicy {
        let labels = labels.iter().map(|text| Pattern::parse(text).unwrap()).collect();
        JitPolicy { labels, max_labels: 3, name_prefix: prefix.to_owned() }
    }

    fn labels(texts: &[&str]) -> Vec<Label> {
        texts.iter().map(|text| Label::parse(text).unwrap()).collect()
    }

    #[test]
    fn labels_are_bounded_in_kind_and_number() {
        let policy = policy(&["linux", "gpu-*"], "");
        assert_eq!(policy.check_labels(&labels(&["Linux", "GPU-a100"])), Ok(()));
        let windows = labels(&["linux", "windows"]);
        assert_eq!(policy.check_labels(&windows), Err(JitRefusal::Label(windows[1].clone())));
        assert_eq!(self::policy(&["*"], "").check_labels(&labels(&["team/gpu"])), Ok(()));
        let many = labels(&["linux", "gpu-1", "gpu-2", "gpu-3"]);
        assert_eq!(policy.check_labels(&many), Err(JitRefusal::TooManyLabels(3)));
    }

    #[test]
    fn a_name_begins_with_the_teams_prefix() {
        let policy = policy(&["*"], "{team}-");
        let team = TeamSlug::parse("pay").unwrap();
        let chosen = |text| policy.name(&team, Some(RunnerName::parse(text).unwrap()), "xyz");
        assert_eq!(chosen("Pay-1").unwrap().as_str(), "Pay-1");
        assert_eq!(chosen("search-1"), Err(JitRefusal::NamePrefix("pay-".to_owned())));
        assert_eq!(policy.name(&team, None, "xyz").unwrap().as_str(), "pay-xyz");
    }

    #[test]
    fn a_long_slug_leaves_room_for_the_random_part() {
        let policy = policy(&["*"], "{team}-");
        let team = TeamSlug::parse(&"a".repeat(255)).unwrap();
        let name = policy.name(&team, None, &"x".repeat(RANDOM_CHARACTERS)).unwrap();
        assert_eq!(name.as_str().len(), LONGEST_NAME);
        assert!(name.as_str().ends_with('x'));
    }

    #[test]
    fn a_work_folder_is_a_plain_name() {
        for value in ["_work", "build-1", ".cache", "a.b"] {
            assert!(WorkFolder::parse(value).is_ok(), "{value}");
        }
        for value in
            ["", ".", "..", "...", "/tmp", "a/b", "../x", "a\\b", "a b", "~", "$HOME", &"a".repeat(65)]
        {
            assert!(WorkFolder::parse(value).is_err(), "{value}");
        }
    }
}
