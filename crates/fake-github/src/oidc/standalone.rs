//! An issuer that is not GitHub's, such as a Kubernetes cluster or Microsoft Entra, on a port of its own.

use std::fmt;
use std::io;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::actions::unix_seconds;
use super::token::object;
use super::{Issued, Issuer, KeyKind, SigningKey, Token};
use crate::log::Exchange;
use crate::{FakeGithub, Fault, Options, World};

/// What an issuer is like.
#[derive(Debug, Clone)]
pub struct IssuerOptions {
    /// What its URL has after the host, such as `/id/1` or, with a slash at the end, `/tenant/`.
    pub path: String,
    /// Where its key set is on the host.
    pub keys_path: String,
    /// What its keys are made of.
    pub kind: KeyKind,
    /// Whether it has a discovery document.
    pub discovery: bool,
    /// The token that it wants before it shows anything, as the API server of a cluster does.
    pub bearer: Option<String>,
}

impl Default for IssuerOptions {
    fn default() -> Self {
        Self {
            path: String::new(),
            keys_path: "/keys".to_owned(),
            kind: KeyKind::Rsa,
            discovery: true,
            bearer: None,
        }
    }
}

/// A running issuer; dropping it stops it.
pub struct OidcIssuer {
    /// The fake's server with nothing but this issuer on it.
    server: FakeGithub,
}

impl fmt::Debug for OidcIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OidcIssuer").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl OidcIssuer {
    /// Starts an issuer with a key of its own on a free port of 127.0.0.1.
    pub fn start(options: &IssuerOptions) -> io::Result<Self> {
        let options = options.clone();
        let issuer = Issuer {
            path: options.path,
            keys_path: options.keys_path,
            is_actions: false,
            has_discovery: options.discovery,
            bearer: options.bearer,
            kind: options.kind,
            keys: OnceLock::new(),
        };
        let workers = Options { workers: 1, ..Options::default() };
        Ok(Self { server: FakeGithub::start_with(World::new("nobody"), issuer, &workers)? })
    }

    /// Its URL, as tokens have it in `iss`.
    pub fn url(&self) -> String {
        self.server.actions_issuer()
    }

    /// The URL of its key set.
    pub fn keys_url(&self) -> String {
        format!("{}{}", self.server.url(), self.server.shared.issuer.keys_path)
    }

    /// Its key set as it publishes it, for an issuer whose keys are in a file.
    pub fn key_set(&self) -> Value {
        let keys: Vec<Value> = self.server.shared.issuer.keys().iter().map(SigningKey::jwk).collect();
        json!({"keys": keys})
    }

    /// A token for somebody, to be given more claims before it is signed.
    pub fn token(&self, subject: &str, audience: &str) -> Token {
        let claims = object(json!({"iss": self.url(), "sub": subject, "aud": audience}));
        let (now, issued) = self.server.world(|world| (unix_seconds(world), Issued::clone(&world.issued)));
        Token::new(&self.key(), claims, now, issued)
    }

    /// The key that signs now.
    pub fn key(&self) -> SigningKey {
        self.server.actions_key()
    }

    /// Signs with a new key of this kind from now on. The keys before it stay published.
    pub fn rotate_key(&self, kind: KeyKind) {
        self.server.shared.issuer.rotate(SigningKey::generate(kind));
    }

    /// Takes all keys but the newest out of the published set.
    pub fn retire_keys(&self) {
        self.server.retire_actions_keys();
    }

    /// Adds a rule to the script of faults; `Fault::on` with `DISCOVERY` or `KEYS` names what it is for.
    pub fn inject(&self, fault: Fault) {
        self.server.inject(fault);
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.server.clear_faults();
    }

    /// From now on every connection is cut without an answer.
    pub fn go_down(&self) {
        self.server.go_down();
    }

    /// Ends `go_down`; port and keys are the same.
    pub fn come_back(&self) {
        self.server.come_back();
    }

    /// How often its discovery document was asked for.
    pub fn discovery_fetches(&self) -> usize {
        self.server.discovery_fetches()
    }

    /// How often its key set was asked for.
    pub fn key_fetches(&self) -> usize {
        self.server.key_fetches()
    }

    /// What it was asked so far, in order of arrival.
    pub fn calls(&self) -> Vec<Exchange> {
        self.server.issuer_calls()
    }

    /// Every token that it signed so far, for tests that look for leaks.
    pub fn secrets(&self) -> Vec<String> {
        self.server.world(|world| world.secrets())
    }
}
