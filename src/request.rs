//! The facts of one request. Each is set once, as soon as it is known; the access line, metrics and the audit line are
//! made from them.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};

use serde::Serialize;
use serde_json::json;

use crate::account::{Account, Principal};
use crate::domain::entry::EntryId;
use crate::domain::ids::{TeamId, UserId};
use crate::domain::names::{Login, TeamSlug};
use crate::limits::Allowance;
use crate::metrics::CallerKind;

/// The facts of one request, or of something that the service does by itself. Cloning gives the same facts.
#[derive(Debug, Clone)]
pub struct Context(Arc<Facts>);

#[derive(Debug)]
struct Facts {
    id: String,
    client: Option<IpAddr>,
    operation: OnceLock<RequestedOperation>,
    caller: OnceLock<Caller>,
    allowance: OnceLock<Allowance>,
    named_team: OnceLock<String>,
    slug_of_named_team: OnceLock<TeamSlug>,
    team: OnceLock<Team>,
    as_administrator: OnceLock<()>,
    entry: OnceLock<EntryId>,
    account: Account,
}

#[derive(Debug, Clone, Copy)]
struct RequestedOperation {
    name: &'static str,
    is_older_form: bool,
}

/// Who is behind a request.
#[derive(Debug, Clone)]
pub enum Caller {
    /// A user.
    User {
        /// GitHub's id.
        id: UserId,
        /// The login.
        login: Login,
    },
    /// Somebody with a token of an issuer.
    Workload(Arc<Workload>),
    /// Somebody with a team token, by its entry.
    TokenHolder(EntryId),
    /// The service itself.
    System,
}

/// What a token of an issuer says of its holder, as far as lines of the log tell it.
#[derive(Debug, Clone, Serialize)]
pub struct Workload {
    /// As what it is counted.
    #[serde(skip)]
    pub principal: Principal,
    /// Its name: the repository, or the subject.
    #[serde(skip)]
    pub name: String,
    /// The issuer, by its name in the configuration.
    pub issuer: String,
    /// `sub`. For people: nothing goes by it where GitHub Actions issued the token.
    pub subject: String,
    /// What a run of GitHub Actions is.
    #[serde(flatten)]
    pub run: Option<Run>,
}

/// A run of GitHub Actions.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the claim of that name")]
pub struct Run {
    pub repository: String,
    pub repository_id: String,
    pub event_name: String,
    #[serde(rename = "ref", skip_serializing_if = "String::is_empty")]
    pub git_ref: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sha: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub environment: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub workflow_ref: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub job_workflow_ref: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub run_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub run_attempt: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub actor: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub actor_id: String,
}

impl Caller {
    /// The name in log lines.
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Self::User { login, .. } => login.as_str().into(),
            Self::Workload(workload) => workload.name.as_str().into(),
            Self::TokenHolder(entry) => format!("token {entry}").into(),
            Self::System => "system".into(),
        }
    }

    /// Who it is, in JSON.
    pub fn to_json(&self) -> String {
        let workload = match self {
            Self::Workload(workload) => Some(&**workload),
            Self::User { .. } | Self::TokenHolder(_) | Self::System => None,
        };
        let described = json!({
            "kind": self.kind(), "name": self.name(), "id": self.user_id(), "workload": workload,
        });
        described.to_string()
    }

    /// Its kind in a word.
    pub fn kind(&self) -> CallerKind {
        match self {
            Self::User { .. } => CallerKind::User,
            Self::Workload(_) => CallerKind::Workload,
            Self::TokenHolder(_) => CallerKind::Token,
            Self::System => CallerKind::System,
        }
    }

    /// The id of a user.
    pub fn user_id(&self) -> Option<UserId> {
        match self {
            Self::User { id, .. } => Some(*id),
            Self::Workload(_) | Self::TokenHolder(_) | Self::System => None,
        }
    }

    /// As what it is counted.
    pub fn principal(&self) -> Principal {
        match self {
            Self::User { id, .. } => Principal::User(*id),
            Self::Workload(workload) => workload.principal,
            Self::TokenHolder(entry) => Principal::Token(*entry),
            Self::System => Principal::System,
        }
    }
}

/// The team that a request is about, as GitHub has it.
#[derive(Debug, Clone)]
pub struct Team {
    /// The canonical slug.
    pub slug: TeamSlug,
    /// The id.
    pub id: TeamId,
    /// The name that its runner group has, or would have.
    pub group: String,
}

impl Context {
    /// Of a request with this id, from this address, whose calls to GitHub are made for this account.
    pub fn new(id: String, client: Option<IpAddr>, account: Account) -> Self {
        Self(Arc::new(Facts {
            id,
            client,
            operation: OnceLock::new(),
            caller: OnceLock::new(),
            allowance: OnceLock::new(),
            named_team: OnceLock::new(),
            slug_of_named_team: OnceLock::new(),
            team: OnceLock::new(),
            as_administrator: OnceLock::new(),
            entry: OnceLock::new(),
            account,
        }))
    }

    /// Of something that no request is behind.
    pub fn of_the_system(operation: &'static str) -> Self {
        let context = Self::new(uuid::Uuid::now_v7().simple().to_string(), None, Account::default());
        context.set_operation(operation, false);
        context.set_caller(Caller::System);
        context
    }

    /// The request's id.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Where it came from.
    pub fn client(&self) -> Option<IpAddr> {
        self.0.client
    }

    /// The address that limits are counted for.
    pub fn limited_address(&self) -> IpAddr {
        self.0.client.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    /// Whom its calls to GitHub are made for.
    pub fn account(&self) -> &Account {
        &self.0.account
    }

    /// The operation that was asked for; none for a path or method that doesn't exist.
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation.get().map(|operation| operation.name)
    }

    /// Whether it was asked for in its older, deprecated form.
    pub fn is_older_form(&self) -> bool {
        self.0.operation.get().is_some_and(|operation| operation.is_older_form)
    }

    /// Who asked, once their token was found valid.
    pub fn caller(&self) -> Option<&Caller> {
        self.0.caller.get()
    }

    /// What the caller has left of their limit.
    pub fn allowance(&self) -> Option<Allowance> {
        self.0.allowance.get().copied()
    }

    /// The team that the request is about, once GitHub told it.
    pub fn team(&self) -> Option<&Team> {
        self.0.team.get()
    }

    /// The team's slug, or as long as GitHub didn't tell it, what the caller named.
    pub fn team_name(&self) -> Option<&str> {
        let remembered = || self.0.slug_of_named_team.get().map(TeamSlug::as_str);
        let named = || self.0.named_team.get().map(String::as_str);
        self.team().map(|team| team.slug.as_str()).or_else(remembered).or_else(named)
    }

    /// Whether it took the rights of an administrator.
    pub fn is_as_administrator(&self) -> bool {
        self.0.as_administrator.get().is_some()
    }

    /// The access entry by which the caller acts, if they are no user.
    pub fn entry(&self) -> Option<EntryId> {
        self.0.entry.get().copied()
    }

    /// The operation was found.
    pub fn set_operation(&self, name: &'static str, is_older_form: bool) {
        let _ = self.0.operation.set(RequestedOperation { name, is_older_form });
    }

    /// The caller is known.
    pub fn set_caller(&self, caller: Caller) {
        self.0.account.set_principal(caller.principal());
        let _ = self.0.caller.set(caller);
    }

    /// The caller's limit was looked at.
    pub fn set_allowance(&self, allowance: Allowance) {
        let _ = self.0.allowance.set(allowance);
    }

    /// The caller named a team.
    pub fn set_named_team(&self, name: String) {
        let _ = self.0.named_team.set(name);
    }

    /// The caller named a team by its id, which was last known to have this slug.
    pub fn set_slug_of_named_team(&self, slug: TeamSlug) {
        let _ = self.0.slug_of_named_team.set(slug);
    }

    /// GitHub told which team it is.
    pub fn set_team(&self, team: Team) {
        self.0.account.set_team(team.id);
        let _ = self.0.team.set(team);
    }

    /// The caller acts by this access entry, which this user made, if a user did.
    pub fn set_entry(&self, entry: EntryId, creator: Option<UserId>) {
        if let Some(creator) = creator {
            self.0.account.set_creator(creator);
        }
        let _ = self.0.entry.set(entry);
    }

    /// It took the rights of an administrator.
    pub fn set_as_administrator(&self) {
        let _ = self.0.as_administrator.set(());
    }
}
