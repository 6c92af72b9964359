//! Who is asking, and with which kind of credential.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::world::{InstallationId, Level, RepoId, Subject, TokenKind, UserId, World};

/// Which credential came with a request; never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// None.
    Nothing,
    /// One that was refused.
    Bad,
    /// A JWT signed by the App.
    App,
    /// An installation token.
    Installation(InstallationId),
    /// A workflow's token.
    Actions,
    /// A user's token.
    User {
        /// The user's login.
        login: String,
        /// The kind of token.
        kind: TokenKind,
    },
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nobody"),
            Self::Bad => f.write_str("bad credential"),
            Self::App => f.write_str("app"),
            Self::Installation(id) => write!(f, "installation {id}"),
            Self::Actions => f.write_str("actions"),
            Self::User { login, kind } => write!(f, "{login} ({kind:?})"),
        }
    }
}

/// What a credential stands for.
pub(crate) enum Actor {
    Anonymous,
    App,
    Installation {
        id: InstallationId,
        account: String,
        permissions: BTreeMap<String, Level>,
        repositories: Option<BTreeSet<RepoId>>,
        actions: bool,
    },
    User {
        id: UserId,
        kind: TokenKind,
        scopes: Vec<String>,
        permissions: BTreeMap<String, Level>,
    },
}

impl Actor {
    /// Whose budget a request of this actor is taken from.
    pub(crate) fn subject(&self) -> Option<Subject> {
        match self {
            Self::Anonymous => None,
            Self::App => Some(Subject::App),
            Self::Installation { actions: true, .. } => Some(Subject::Actions),
            Self::Installation { id, .. } => Some(Subject::Installation(*id)),
            Self::User { id, .. } => Some(Subject::User(*id)),
        }
    }

    pub(crate) fn credential(&self, world: &World) -> Credential {
        match self {
            Self::Anonymous => Credential::Nothing,
            Self::App => Credential::App,
            Self::Installation { actions: true, .. } => Credential::Actions,
            Self::Installation { id, .. } => Credential::Installation(*id),
            Self::User { id, kind, .. } => {
                let login = world.user(*id).map(|user| user.login.clone()).unwrap_or_default();
                Credential::User { login, kind: *kind }
            }
        }
    }
}
