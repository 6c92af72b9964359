//! A token before it is signed: whatever a forger would change can be changed.

use std::fmt;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Map, Value, json};

use super::key::{SigningKey, uuid};

/// How long a token of GitHub Actions is good for, in seconds.
const LIFETIME: u64 = 300;

/// The tokens that were signed so far, shared by an issuer and the tokens it has begun.
pub(crate) type Issued = Arc<Mutex<Vec<String>>>;

/// What makes the last part of a token.
#[derive(Clone)]
enum Signature {
    Key(SigningKey, Algorithm),
    Secret(Vec<u8>),
    Nothing,
}

/// A token in the making, of `FakeGithub::token_of` or `OidcIssuer::token`. What is changed by `claim`, `without`, `header`
/// and `without_header` goes over everything else, in whatever order the calls come; `sign` ends it.
#[derive(Clone)]
pub struct Token {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    changed_header: Vec<(String, Option<Value>)>,
    changed_claims: Vec<(String, Option<Value>)>,
    at: u64,
    lifetime: u64,
    early: u64,
    signature: Signature,
    issued: Issued,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("sub", &self.claims.get("sub")).finish_non_exhaustive()
    }
}

impl Token {
    /// A token with these claims, which the key will sign, issued at `at` (seconds since 1970).
    pub(super) fn new(key: &SigningKey, claims: Map<String, Value>, at: u64, issued: Issued) -> Self {
        let header = json!({"typ": "JWT", "kid": key.kid()});
        Self {
            header: object(header),
            claims,
            changed_header: Vec::new(),
            changed_claims: Vec::new(),
            at,
            lifetime: LIFETIME,
            early: 0,
            signature: Signature::Key(key.clone(), key.algorithm()),
            issued,
        }
    }

    /// When it is issued, in seconds since 1970; `exp` and `nbf` move along.
    #[must_use]
    pub fn at(mut self, unix_seconds: u64) -> Self {
        self.at = unix_seconds;
        self
    }

    /// The seconds from `iat` to `exp`; 300 unless set.
    #[must_use]
    pub fn lifetime(mut self, seconds: u64) -> Self {
        self.lifetime = seconds;
        self
    }

    /// The seconds from `nbf` to `iat`; 600 for tokens of GitHub Actions, otherwise 0, unless set.
    #[must_use]
    pub fn early(mut self, seconds: u64) -> Self {
        self.early = seconds;
        self
    }

    /// Sets a claim, of any kind, over what it would be.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.changed_claims.push((name.to_owned(), Some(value.into())));
        self
    }

    /// Leaves a claim out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.changed_claims.push((name.to_owned(), None));
        self
    }

    /// Sets `sub`, as the administrator of a repository can by a template of their own.
    #[must_use]
    pub fn subject(self, subject: &str) -> Self {
        self.claim("sub", subject)
    }

    /// Sets a field of the header, over what it would be. `alg` set this way changes what is stated, not how the token is
    /// signed.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.changed_header.push((name.to_owned(), Some(value.into())));
        self
    }

    /// Leaves a field of the header out.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.changed_header.push((name.to_owned(), None));
        self
    }

    /// Names another key in the header; the one that signs stays.
    #[must_use]
    pub fn kid(self, kid: &str) -> Self {
        self.header("kid", kid)
    }

    /// Signs with another key; the header's `kid` stays.
    #[must_use]
    pub fn signed_by(mut self, key: &SigningKey) -> Self {
        self.signature = Signature::Key(key.clone(), key.algorithm());
        self
    }

    /// Signs with another algorithm of the same key, such as `PS256`, and states it.
    ///
    /// # Panics
    /// When there is no such algorithm.
    #[must_use]
    pub fn algorithm(mut self, name: &str) -> Self {
        #[expect(clippy::expect_used, reason = "a test that misspells an algorithm should say so")]
        let wanted = Algorithm::from_str(name).expect("the name of an algorithm");
        if let Signature::Key(_, algorithm) = &mut self.signature {
            *algorithm = wanted;
        }
        self
    }

    /// Signs with HS256 and this secret, for example the bytes of a public key.
    #[must_use]
    pub fn signed_by_secret(mut self, secret: &[u8]) -> Self {
        self.signature = Signature::Secret(secret.to_vec());
        self
    }

    /// `alg` is `none`, and nothing follows the last dot.
    #[must_use]
    pub fn unsigned(mut self) -> Self {
        self.signature = Signature::Nothing;
        self
    }

    /// The finished token. Each call gives another `jti`.
    ///
    /// # Panics
    /// When the key can't sign with the algorithm that was chosen.
    pub fn sign(&self) -> String {
        let times = json!({
            "iat": self.at,
            "nbf": self.at.saturating_sub(self.early),
            "exp": self.at.saturating_add(self.lifetime),
            "jti": random_uuid(),
        });
        let mut claims = self.claims.clone();
        claims.extend(object(times));
        change(&mut claims, &self.changed_claims);
        let mut header = self.header.clone();
        header.insert("alg".to_owned(), json!(self.stated_algorithm()));
        change(&mut header, &self.changed_header);
        let encoded = |fields: Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(fields).to_string());
        let message = format!("{}.{}", encoded(header), encoded(claims));
        let token = format!("{message}.{}", self.signature_of(&message));
        self.issued.lock().unwrap_or_else(PoisonError::into_inner).push(token.clone());
        token
    }

    fn stated_algorithm(&self) -> String {
        match &self.signature {
            Signature::Key(_, algorithm) => format!("{algorithm:?}"),
            Signature::Secret(_) => "HS256".to_owned(),
            Signature::Nothing => "none".to_owned(),
        }
    }

    #[expect(clippy::expect_used, reason = "a test that asks for an impossible signature should say so")]
    fn signature_of(&self, message: &str) -> String {
        let signed = |key: &EncodingKey, algorithm| {
            crypto::sign(message.as_bytes(), key, algorithm).expect("a signature")
        };
        match &self.signature {
            Signature::Key(key, algorithm) => signed(key.private(), *algorithm),
            Signature::Secret(secret) => signed(&EncodingKey::from_secret(secret), Algorithm::HS256),
            Signature::Nothing => String::new(),
        }
    }
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn change(fields: &mut Map<String, Value>, changes: &[(String, Option<Value>)]) {
    for (name, value) in changes {
        match value {
            Some(value) => fields.insert(name.clone(), value.clone()),
            None => fields.remove(name),
        };
    }
}

/// Another UUID each time.
///
/// # Panics
/// When the system provides no random numbers.
fn random_uuid() -> String {
    let mut bytes = [0; 16];
    #[expect(clippy::expect_used, reason = "a machine without random numbers can't run the fake at all")]
    rand::fill(&mut bytes).expect("random numbers");
    uuid(&bytes)
}
