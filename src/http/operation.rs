//! The one table of operations: what they are called and by which methods they are reached.

use actix_web::http::Method;

/// Where the operations of the API's first version are.
const BASE_PATH: &str = "/api/v1";

/// An operation of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Creates the team's group.
    GroupAdd,
    /// Deletes it.
    GroupDelete,
    /// Lists what is in it.
    GroupList,
    /// Adds repositories to it.
    ReposAdd,
    /// Removes repositories from it.
    ReposRemove,
    /// Replaces its repositories.
    ReposSet,
    /// Hands out a registration token.
    TokenRegister,
    /// Hands out a removal token.
    TokenRemove,
    /// Hands out a registration token as the stand-alone token proxy did.
    ProxyRegister,
    /// Hands out a removal token as the stand-alone token proxy did.
    ProxyRemove,
    /// Registers a runner for one job.
    JitconfigGenerate,
    /// Lists the runners of the group.
    RunnersList,
    /// Removes runners of the group.
    RunnersRemove,
    /// Moves runners to another team's group.
    RunnersTransfer,
    /// Tells whether the caller's token works here.
    Status,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 15] = [
        Self::GroupAdd,
        Self::GroupDelete,
        Self::GroupList,
        Self::ReposAdd,
        Self::ReposRemove,
        Self::ReposSet,
        Self::TokenRegister,
        Self::TokenRemove,
        Self::ProxyRegister,
        Self::ProxyRemove,
        Self::JitconfigGenerate,
        Self::RunnersList,
        Self::RunnersRemove,
        Self::RunnersTransfer,
        Self::Status,
    ];

    /// The name in the path, in logs and in audit lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::GroupAdd => "group-add",
            Self::GroupDelete => "group-delete",
            Self::GroupList => "group-list",
            Self::ReposAdd => "repos-add",
            Self::ReposRemove => "repos-remove",
            Self::ReposSet => "repos-set",
            Self::TokenRegister => "token-register",
            Self::TokenRemove => "token-remove",
            Self::ProxyRegister => "register",
            Self::ProxyRemove => "remove",
            Self::JitconfigGenerate => "jitconfig-generate",
            Self::RunnersList => "runners-list",
            Self::RunnersRemove => "runners-remove",
            Self::RunnersTransfer => "runners-transfer",
            Self::Status => "status",
        }
    }

    /// Where it is reached: below the base path, and under a second name where the earlier service had one; the
    /// token proxy's operations at the root.
    pub fn paths(self) -> Vec<String> {
        let name = self.name();
        match self {
            Self::ProxyRegister | Self::ProxyRemove => vec![format!("/{name}")],
            Self::GroupAdd => vec![format!("{BASE_PATH}/{name}"), format!("{BASE_PATH}/group-create")],
            _ => vec![format!("{BASE_PATH}/{name}")],
        }
    }

    /// The methods, the documented one first; GET only where it is no legacy.
    fn proper_methods(self) -> &'static [Method] {
        const GET: Method = Method::GET;
        const POST: Method = Method::POST;
        const PUT: Method = Method::PUT;
        const PATCH: Method = Method::PATCH;
        const DELETE: Method = Method::DELETE;
        match self {
            Self::GroupAdd | Self::JitconfigGenerate | Self::ProxyRegister | Self::ProxyRemove => &[POST],
            Self::GroupDelete | Self::RunnersRemove => &[DELETE, POST],
            Self::GroupList | Self::RunnersList | Self::Status => &[GET],
            Self::RunnersTransfer => &[POST, PATCH],
            Self::ReposAdd => &[PATCH, POST],
            Self::ReposRemove => &[PATCH, POST, DELETE],
            Self::ReposSet => &[PATCH, PUT, POST],
            Self::TokenRegister | Self::TokenRemove => &[POST, GET],
        }
    }

    /// Whether a success is in the envelope: the stand-alone token proxy knew none.
    pub(super) fn has_envelope(self) -> bool {
        !matches!(self, Self::ProxyRegister | Self::ProxyRemove)
    }

    /// Whether this method is the older form of the operation.
    pub(super) fn is_older_form(self, method: &Method) -> bool {
        *method == Method::GET && self.has_legacy_get()
    }

    /// Whether GET is the older form of an operation that changes something.
    fn has_legacy_get(self) -> bool {
        // The operations that the earlier service had.
        matches!(
            self,
            Self::GroupAdd | Self::GroupDelete | Self::ReposAdd | Self::ReposRemove | Self::ReposSet
        )
    }

    /// Whether it only reads. HEAD is served for these alone: where GET changes something, or hands out a token, whoever
    /// sends HEAD expects that nothing happens.
    pub(super) fn has_head(self) -> bool {
        self.proper_methods() == [Method::GET]
    }

    /// The methods that are served and described; HEAD is not among them, since it is GET without its body.
    pub fn methods(self, legacy_get: bool) -> Vec<Method> {
        let mut methods = self.proper_methods().to_vec();
        if legacy_get && self.has_legacy_get() {
            methods.push(Method::GET);
        }
        methods
    }
}
