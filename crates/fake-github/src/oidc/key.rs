//! Keys that sign tokens: RSA as GitHub's are, and elliptic curves as other issuers have them.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    KeyPair as _,
};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use crate::key::AppKey;

/// What a key is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA with 2048 bits, which signs with RS256 unless a token says otherwise.
    Rsa,
    /// The curve P-256, which signs with ES256.
    P256,
    /// The curve P-384, which signs with ES384.
    P384,
}

/// A key pair that signs tokens. Cloning gives the same key.
#[derive(Clone)]
pub struct SigningKey(Arc<Parts>);

struct Parts {
    kid: String,
    algorithm: Algorithm,
    private: EncodingKey,
    public: Vec<u8>,
}

impl SigningKey {
    /// A new key; an RSA key takes a noticeable part of a second.
    ///
    /// # Panics
    /// When no key can be made.
    #[expect(clippy::expect_used, reason = "a machine that can't make a key can't run the fake at all")]
    pub fn generate(kind: KeyKind) -> Self {
        match kind {
            KeyKind::Rsa => {
                let pair = AppKey::generate().expect("an RSA key");
                let private = EncodingKey::from_rsa_der(pair.private_der());
                Self::new(Algorithm::RS256, private, pair.public_der().to_vec())
            }
            KeyKind::P256 => Self::on_curve(&ECDSA_P256_SHA256_FIXED_SIGNING, Algorithm::ES256),
            KeyKind::P384 => Self::on_curve(&ECDSA_P384_SHA384_FIXED_SIGNING, Algorithm::ES384),
        }
    }

    #[expect(clippy::expect_used, reason = "a machine that can't make a key can't run the fake at all")]
    fn on_curve(curve: &'static EcdsaSigningAlgorithm, algorithm: Algorithm) -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(curve, &SystemRandom::new()).expect("a key on the curve");
        let pair = EcdsaKeyPair::from_pkcs8(curve, pkcs8.as_ref()).expect("the key just made");
        Self::new(algorithm, EncodingKey::from_ec_der(pkcs8.as_ref()), pair.public_key().as_ref().to_vec())
    }

    fn new(algorithm: Algorithm, private: EncodingKey, public: Vec<u8>) -> Self {
        let kid = uuid(digest(&SHA256, &public).as_ref());
        Self(Arc::new(Parts { kid, algorithm, private, public }))
    }

    /// The key's name in the headers of tokens and in the key set.
    pub fn kid(&self) -> &str {
        &self.0.kid
    }

    /// The public half as bytes, which a forger may take for the secret of an HMAC: `RSAPublicKey` in DER, or the point
    /// on the curve.
    pub fn public_bytes(&self) -> &[u8] {
        &self.0.public
    }

    /// The name of the algorithm that the key signs with, such as `RS256`.
    pub fn algorithm_name(&self) -> String {
        format!("{:?}", self.0.algorithm)
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    pub(super) fn private(&self) -> &EncodingKey {
        &self.0.private
    }

    /// The public half as a member of a key set.
    ///
    /// # Panics
    /// Never: only kinds of keys that have such a form are made.
    pub fn jwk(&self) -> Value {
        #[expect(clippy::expect_used, reason = "only RSA and EC keys are made, and both have this form")]
        let jwk = Jwk::from_encoding_key(&self.0.private, self.0.algorithm).expect("a public key");
        let mut jwk = json!(jwk);
        jwk["kid"] = json!(self.0.kid);
        jwk["use"] = json!("sig");
        jwk
    }
}

/// The first 16 bytes in the form of a UUID of version 4.
pub(super) fn uuid(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().take(16).enumerate() {
        let byte = match place {
            6 => (byte & 0x0f) | 0x40,
            8 => (byte & 0x3f) | 0x80,
            _ => *byte,
        };
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 0x0f] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    text
}
