//! Issuers of OIDC tokens: GitHub Actions under the fake's own address, and others on ports of their own.

mod actions;
mod key;
mod run;
mod standalone;
mod token;

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::request::Request;

pub use key::{KeyKind, SigningKey};
pub use run::Run;
pub use standalone::{IssuerOptions, OidcIssuer};
pub(crate) use token::Issued;
pub use token::Token;

/// The template of an issuer's discovery document, for `Fault::on`.
pub const DISCOVERY: &str = "{issuer}/.well-known/openid-configuration";
/// The template of an issuer's key set, for `Fault::on`.
pub const KEYS: &str = "{issuer}/keys";

/// Where Enterprise Server has its issuer.
const ACTIONS_PATH: &str = "/_services/token";
/// What GitHub states that its tokens may hold.
const CLAIMS_OF_ACTIONS: [&str; 36] = [
    "sub",
    "aud",
    "exp",
    "iat",
    "iss",
    "jti",
    "nbf",
    "ref",
    "sha",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "enterprise",
    "enterprise_id",
    "run_id",
    "run_number",
    "run_attempt",
    "actor",
    "actor_id",
    "workflow",
    "workflow_ref",
    "workflow_sha",
    "head_ref",
    "base_ref",
    "event_name",
    "ref_type",
    "ref_protected",
    "environment",
    "environment_node_id",
    "job_workflow_ref",
    "job_workflow_sha",
    "repository_visibility",
    "runner_environment",
    "issuer_scope",
    "check_run_id",
];

/// What an issuer has at an address.
#[derive(Clone, Copy)]
pub(crate) enum Document {
    Discovery,
    Keys,
    Missing,
}

impl Document {
    pub(crate) fn template(self) -> Option<&'static str> {
        match self {
            Self::Discovery => Some(DISCOVERY),
            Self::Keys => Some(KEYS),
            Self::Missing => None,
        }
    }
}

/// An issuer: where it is, and the keys it has published.
pub(crate) struct Issuer {
    /// What the issuer's URL has after the host; maybe with a slash at the end.
    path: String,
    keys_path: String,
    is_actions: bool,
    /// Whether there is a discovery document.
    has_discovery: bool,
    /// The token without which nothing is shown.
    bearer: Option<String>,
    kind: KeyKind,
    /// The newest first; it signs. Made when first needed, since most tests need none.
    keys: OnceLock<Mutex<Vec<SigningKey>>>,
}

impl Issuer {
    /// GitHub Actions of an Enterprise Server.
    pub(crate) fn of_actions() -> Self {
        Self {
            path: ACTIONS_PATH.to_owned(),
            keys_path: format!("{ACTIONS_PATH}/.well-known/jwks"),
            is_actions: true,
            has_discovery: true,
            bearer: None,
            kind: KeyKind::Rsa,
            keys: OnceLock::new(),
        }
    }

    fn keys(&self) -> MutexGuard<'_, Vec<SigningKey>> {
        let made = self.keys.get_or_init(|| {
            let first =
                if self.is_actions { first_key_of_actions() } else { SigningKey::generate(self.kind) };
            Mutex::new(vec![first])
        });
        made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key that signs now.
    ///
    /// # Panics
    /// Never: an issuer has a key at all times.
    #[expect(clippy::indexing_slicing, reason = "an issuer has a key at all times")]
    fn key(&self) -> SigningKey {
        self.keys()[0].clone()
    }

    /// Signs with a new key from now on; the earlier ones stay published.
    fn rotate(&self, key: SigningKey) {
        self.keys().insert(0, key);
    }

    /// Publishes nothing but the key that signs.
    fn retire(&self) {
        self.keys().truncate(1);
    }

    fn url(&self, base: &str) -> String {
        format!("{base}{}", self.path)
    }

    /// What of this issuer is at a path; `None` when the path is none of its own.
    pub(crate) fn document(&self, path: &str) -> Option<Document> {
        let own = self.path.trim_end_matches('/');
        let rest = path.strip_prefix(own).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        if path == self.keys_path {
            return Some(Document::Keys);
        }
        match rest {
            Some("/.well-known/openid-configuration") if self.has_discovery => Some(Document::Discovery),
            Some(_) => Some(Document::Missing),
            None => (!self.is_actions).then_some(Document::Missing),
        }
    }

    /// The answer to anybody who asks for a document, at the host `base`.
    pub(crate) fn answer(&self, document: Document, request: &Request, base: &str) -> Answer {
        if let Some(wanted) = &self.bearer
            && request.header("authorization") != Some(&format!("Bearer {wanted}"))
        {
            return Answer::json(401, json!({"kind": "Status", "message": "Unauthorized", "code": 401}));
        }
        match document {
            _ if request.method != "GET" => Answer::json(405, json!({"message": "Method Not Allowed"})),
            Document::Discovery => Answer::ok(self.discovery(base)),
            Document::Keys => {
                let keys: Vec<Value> = self.keys().iter().map(SigningKey::jwk).collect();
                Answer::ok(json!({"keys": keys}))
            }
            Document::Missing => Answer::json(404, json!({"message": "Not Found"})),
        }
    }

    fn discovery(&self, base: &str) -> Value {
        let algorithms: BTreeSet<String> = self.keys().iter().map(SigningKey::algorithm_name).collect();
        let mut document = json!({
            "issuer": self.url(base),
            "jwks_uri": format!("{base}{}", self.keys_path),
            "subject_types_supported": ["public"],
            "response_types_supported": ["id_token"],
            "id_token_signing_alg_values_supported": algorithms,
        });
        if self.is_actions {
            document["subject_types_supported"] = json!(["public", "pairwise"]);
            document["claims_supported"] = json!(CLAIMS_OF_ACTIONS.as_slice());
            document["scopes_supported"] = json!(["openid"]);
        }
        document
    }
}

/// One for the whole process, as making it takes a while; fakes differ in their issuer's URL.
fn first_key_of_actions() -> SigningKey {
    static FIRST: OnceLock<SigningKey> = OnceLock::new();
    FIRST.get_or_init(|| SigningKey::generate(KeyKind::Rsa)).clone()
}
