//! The report of a check, as text and as JSON. The keys of the JSON are documented: new ones may be added, but none is
//! removed or changed.

use actions_runner_manager::config::{Diagnostic, Loaded, Problems, Setting, Source};
use serde::Serialize;

/// The outcome of a check.
pub(super) struct Report {
    /// The configuration, if it could be read as a whole.
    pub(super) loaded: Option<Loaded>,
    /// Everything wrong with it, or with what it names.
    pub(super) problems: Option<Problems>,
    pub(super) warnings: Vec<Diagnostic>,
    pub(super) github: GithubCheck,
}

/// Whether GitHub was asked about the credential.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum GithubCheck {
    Done,
    NotRequested,
    /// Without a usable credential nothing can be sent.
    Blocked,
}

#[derive(Serialize)]
struct Json<'a> {
    valid: bool,
    file: Option<String>,
    asked_github: bool,
    problem_count: usize,
    problems: Vec<Entry<'a>>,
    warnings: Vec<Entry<'a>>,
    settings: Vec<InForce<'a>>,
}

/// A problem or a warning.
#[derive(Serialize)]
struct Entry<'a> {
    message: &'a str,
    key: Option<&'a str>,
    #[serde(flatten)]
    place: Place<'a>,
}

/// A setting as it is in force.
#[derive(Serialize)]
struct InForce<'a> {
    key: &'a str,
    value: &'a str,
    source: &'static str,
    #[serde(flatten)]
    place: Place<'a>,
}

#[derive(Serialize, Default)]
struct Place<'a> {
    file: Option<&'a str>,
    line: Option<usize>,
    variable: Option<&'a str>,
}

impl<'a> Place<'a> {
    fn of(source: Option<&'a Source>) -> Self {
        match source {
            Some(Source::File { name, line }) => Self { file: Some(name), line: Some(*line), variable: None },
            Some(Source::Variable(name)) => Self { variable: Some(name), ..Self::default() },
            Some(Source::Default) | None => Self::default(),
        }
    }
}

impl<'a> Entry<'a> {
    fn of(diagnostic: &'a Diagnostic) -> Self {
        let place = Place::of(diagnostic.source());
        Self { message: diagnostic.message(), key: diagnostic.key(), place }
    }
}

impl<'a> InForce<'a> {
    fn of(setting: &'a Setting) -> Self {
        let source = match setting.source {
            Source::Default => "default",
            Source::File { .. } => "file",
            Source::Variable(_) => "variable",
        };
        Self { key: &setting.path, value: &setting.value, source, place: Place::of(Some(&setting.source)) }
    }
}

impl Report {
    fn file(&self) -> Option<String> {
        let loaded = self.loaded.as_ref()?;
        loaded.file.as_ref().map(|file| file.display().to_string())
    }

    fn settings(&self) -> &[Setting] {
        self.loaded.as_ref().map_or(&[], |loaded| &loaded.settings)
    }

    /// One JSON object in one line.
    pub(super) fn json(&self) -> String {
        let problems = self.problems.as_ref().map_or(&[][..], Problems::diagnostics);
        let json = Json {
            valid: self.problems.is_none(),
            file: self.file(),
            asked_github: self.github == GithubCheck::Done,
            problem_count: self.problems.as_ref().map_or(0, Problems::count),
            problems: problems.iter().map(Entry::of).collect(),
            warnings: self.warnings.iter().map(Entry::of).collect(),
            settings: self.settings().iter().map(InForce::of).collect(),
        };
        // Only text, numbers and flags: this can't fail.
        serde_json::to_string(&json).unwrap_or_default() + "\n"
    }

    /// The text for a valid configuration: warnings, and every setting with its source. Secrets are not shown.
    pub(super) fn text(&self, quiet: bool) -> String {
        let mut lines: Vec<_> = self.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
        if !quiet {
            let file = self.file().unwrap_or_else(|| "no file".to_owned());
            let asked = if self.github == GithubCheck::Done { "; GitHub accepts the credential" } else { "" };
            lines.insert(0, format!("The configuration is valid ({file}){asked}.\n"));
            let proof = self.loaded.as_ref().and_then(|loaded| loaded.config.group_proof());
            lines.extend(proof.map(|proof| format!("Groups of teams are found {}.\n", proof.about())));
            let settings = self.settings().iter();
            lines.extend(
                settings
                    .map(|setting| format!("{} = {}  ({})\n", setting.path, setting.value, setting.source)),
            );
        }
        lines.concat()
    }
}
