//! The App's RSA key: the private half for the service, the public half for the fake.

use std::fmt;
use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What PKCS#8 puts before a 2048-bit RSA key: version 0, the algorithm, the header of the inner key.
const PKCS8_HEADER: usize = 26;

/// An RSA-2048 key as GitHub makes them for Apps.
pub struct AppKey {
    pkcs8: Vec<u8>,
    public: Vec<u8>,
}

impl fmt::Debug for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppKey")
    }
}

impl AppKey {
    /// A new key; takes a noticeable part of a second.
    pub fn generate() -> Result<Self, aws_lc_rs::error::Unspecified> {
        let pair = KeyPair::generate(KeySize::Rsa2048)?;
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der()?;
        Ok(Self { pkcs8: pkcs8.as_ref().to_vec(), public: pair.public_key().as_ref().to_vec() })
    }

    /// One key for the whole process, made when it is first needed.
    ///
    /// # Panics
    /// When no key can be made.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<AppKey> = OnceLock::new();
        #[expect(clippy::expect_used, reason = "a machine that can't make a key can't run the fake at all")]
        SHARED.get_or_init(|| Self::generate().expect("an RSA key"))
    }

    /// The private key as `BEGIN PRIVATE KEY` (PKCS#8).
    pub fn private_pem(&self) -> String {
        pem("PRIVATE KEY", &self.pkcs8)
    }

    /// The private key as `BEGIN RSA PRIVATE KEY` (PKCS#1), the form in which GitHub hands it out.
    pub fn private_pkcs1_pem(&self) -> String {
        pem("RSA PRIVATE KEY", self.private_der())
    }

    /// The private key, as `RSAPrivateKey` in DER.
    pub(crate) fn private_der(&self) -> &[u8] {
        self.pkcs8.get(PKCS8_HEADER..).unwrap_or_default()
    }

    /// The public key, as `RSAPublicKey` in DER.
    pub(crate) fn public_der(&self) -> &[u8] {
        &self.public
    }
}

fn pem(kind: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut out = format!("-----BEGIN {kind}-----\n");
    for (place, letter) in text.chars().enumerate() {
        if place > 0 && place % 64 == 0 {
            out.push('\n');
        }
        out.push(letter);
    }
    out + &format!("\n-----END {kind}-----\n")
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::EncodingKey;

    use crate::AppKey;

    #[test]
    fn both_forms_of_the_private_key_can_be_read() {
        let key = AppKey::shared();
        for pem in [key.private_pem(), key.private_pkcs1_pem()] {
            assert!(EncodingKey::from_rsa_pem(pem.as_bytes()).is_ok(), "{}", &pem[..40]);
        }
    }
}
