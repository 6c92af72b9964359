//! A request's query string, content type and body, through the code that the extractors use.

use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use super::error::ApiError;
use super::field::{Field, ParameterSet};
use super::operations::{
    AnyRepositories, DeleteParameters, MaybeRepository, RemoveParameters, ScopeParameter, SomeRepositories,
    TransferParameters,
};
use super::parameters::Parameters;
use crate::domain::checks::{assert_is_one_query_value, assert_is_one_segment};
use crate::domain::names::{Label, OrgName, RepoName, RunnerName, SelectedRunnerName};
use crate::domain::reason::Reason;
use crate::domain::reference::{RunnerReference, TeamReference};
use crate::domain::scope::Scope;
use crate::ops::jit::Wanted;
use crate::ops::selection::{Filter, Selection};

/// What may be wrong with parameters.
const REASONS: [Reason; 6] = [
    Reason::MissingParameter,
    Reason::InvalidParameter,
    Reason::UnknownParameter,
    Reason::ConflictingParameter,
    Reason::InvalidBody,
    Reason::UnsupportedMediaType,
];
/// A message repeats little of what was sent.
const LONGEST_MESSAGE: usize = 300;

/// The first line is a query string, the second a content type (or none), the rest a body. Every operation
/// is asked what it makes of them.
///
/// # Panics
/// When something doesn't hold that should hold of every request.
pub fn request_parameters(input: &[u8]) {
    let mut parts = input.splitn(3, |byte| *byte == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let query = String::from_utf8_lossy(part()).into_owned();
    let mut headers = HeaderMap::new();
    match HeaderValue::from_bytes(part()) {
        Ok(value) if !value.is_empty() => drop(headers.insert(CONTENT_TYPE, value)),
        _ => {}
    }
    let body = part();
    let Ok(org) = OrgName::parse("my-org") else { return };
    let request = Request { query: &query, headers: &headers, body, org: &org };
    request.asks::<()>(|()| {});
    request.asks::<MaybeRepository>(|MaybeRepository(repo)| repo.iter().for_each(check_repo));
    request.asks::<SomeRepositories>(|SomeRepositories(repos)| {
        assert!(!repos.is_empty());
        check_repos(repos);
    });
    request.asks::<AnyRepositories>(|AnyRepositories(repos)| check_repos(repos));
    request.asks::<DeleteParameters>(|wanted| {
        assert!(wanted.transfer_to.is_none() || !wanted.remove_runners);
        wanted.transfer_to.iter().for_each(check_team);
    });
    request.asks::<Wanted>(|wanted| {
        assert!((1..=100).contains(&wanted.labels.len()));
        wanted.labels.iter().for_each(check_label);
        wanted.name.iter().for_each(check_runner);
        assert_is_one_segment(wanted.work_folder.as_str());
    });
    request.asks::<Filter>(|filter| {
        filter.label.iter().for_each(check_label);
        filter.name.iter().for_each(check_named);
    });
    request.asks::<RemoveParameters>(|wanted| {
        assert!(wanted.selection.lists() > 0 || wanted.selection.offline);
        check_selection(&wanted.selection);
    });
    request.asks::<TransferParameters>(|wanted| {
        assert!(wanted.selection.lists() <= 1 && !wanted.selection.offline);
        check_selection(&wanted.selection);
        check_team(&wanted.to);
    });
    request.asks_for_a_scope();
}

const TEAM: Field<TeamReference> = Field::required("team", "", "");

/// What was sent.
struct Request<'a> {
    query: &'a str,
    headers: &'a HeaderMap,
    body: &'a [u8],
    org: &'a OrgName,
}

impl Request<'_> {
    /// In the order in which an operation of a team looks at its parameters.
    fn asks<P: ParameterSet>(&self, check: impl Fn(&P)) {
        let outcome = self.read().and_then(|mut all| {
            let team = TEAM.take(&mut all, self.org)?;
            let parameters = P::take(&mut all, self.org)?;
            all.nothing_else()?;
            Ok((team, parameters))
        });
        match outcome {
            Ok((team, parameters)) => {
                check_team(&team);
                check(&parameters);
            }
            Err(error) => check_refusal(&error),
        }
    }

    /// As the token proxy's operations do.
    fn asks_for_a_scope(&self) {
        let outcome = self.read().and_then(|mut all| {
            let ScopeParameter(scope) = ScopeParameter::take(&mut all, self.org)?;
            all.nothing_else()?;
            Ok(scope)
        });
        match outcome {
            Ok(Scope::Org(org)) => assert_eq!(&org, self.org),
            Ok(Scope::Repo(org, repo)) => {
                assert_eq!(&org, self.org);
                check_repo(&repo);
            }
            Err(error) => check_refusal(&error),
        }
    }

    fn read(&self) -> Result<Parameters, ApiError> {
        Parameters::read(self.query, self.headers, self.body)
    }
}

fn check_refusal(error: &ApiError) {
    let answer = error.answer();
    assert!(REASONS.contains(&answer.reason), "{}", answer.reason);
    assert!(answer.message.chars().count() <= LONGEST_MESSAGE, "{}", answer.message);
    assert!(!answer.message.contains(char::is_control), "{:?}", answer.message);
}

fn check_team(team: &TeamReference) {
    if let TeamReference::Slug(slug) = team {
        assert_is_one_segment(slug.as_str());
    }
    assert_eq!(TeamReference::parse(&team.to_string()).as_ref(), Ok(team));
}

fn check_repo(name: &RepoName) {
    assert_is_one_segment(name.as_str());
    assert_eq!(RepoName::parse(name.as_str()).as_ref(), Ok(name));
}

fn check_repos(names: &Vec<RepoName>) {
    names.iter().for_each(check_repo);
    let once: std::collections::HashSet<_> =
        names.iter().map(|name| name.as_str().to_ascii_lowercase()).collect();
    assert_eq!(once.len(), names.len(), "a repository stands twice in {names:?}");
}

fn check_runner(name: &RunnerName) {
    assert_is_one_query_value(name.as_str());
    assert_eq!(RunnerName::parse(name.as_str()).as_ref(), Ok(name));
}

fn check_selected(name: &SelectedRunnerName) {
    assert!(!name.as_str().chars().any(char::is_control), "it stays one line: {name}");
    assert_eq!(SelectedRunnerName::parse(name.as_str()).as_ref(), Ok(name));
}

fn check_named(runner: &RunnerReference) {
    if let RunnerReference::Name(name) = runner {
        check_selected(name);
    }
    assert_eq!(RunnerReference::parse(&runner.to_string()).as_ref(), Ok(runner));
}

fn check_label(label: &Label) {
    assert_eq!(Label::parse(label.as_str()).as_ref(), Ok(label));
}

fn check_selection(selection: &Selection) {
    selection.names.iter().for_each(check_named);
    selection.labels.iter().for_each(check_label);
}
