//! What a connection to GitHub is made of, looked at before there is one.

use std::path::Path;

use octocrab::auth::AppAuth;
use octocrab::jsonwebtoken::EncodingKey;
use octocrab::models::AppId;
use secrecy::{ExposeSecret, SecretString};

use super::settings::SetupError;
use crate::outbound::Authorities;

/// Checks that the App could sign with this key.
pub fn check_private_key(pem: &SecretString) -> Result<(), SetupError> {
    app_auth(AppId(1), pem).map(drop)
}

/// Reads the certificates of `github.caFile`.
///
/// # Errors
/// The file can't be read, or holds no certificate that can be trusted.
pub fn read_authorities(path: &Path) -> Result<Authorities, SetupError> {
    Authorities::read(path).map_err(|reason| SetupError::CaFile { path: path.to_owned(), reason })
}

/// The App with its key, which is tried: the text alone doesn't tell a damaged key from a good one.
pub(super) fn app_auth(app_id: AppId, pem: &SecretString) -> Result<AppAuth, SetupError> {
    let refused = |cause: String| SetupError::PrivateKey(cause);
    let key = EncodingKey::from_rsa_pem(pem.expose_secret().as_bytes())
        .map_err(|cause| refused(cause.to_string()))?;
    let auth = AppAuth { app_id, key };
    auth.generate_bearer_token().map_err(|cause| refused(cause.to_string()))?;
    Ok(auth)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(pem: &str) -> String {
        check_private_key(&pem.to_owned().into()).unwrap_err().to_string()
    }

    #[test]
    fn keys_that_are_not_rsa_or_are_damaged_are_refused_before_the_first_call() {
        for algorithm in
            [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519]
        {
            let pem = rcgen::KeyPair::generate_for(algorithm).unwrap().serialize_pem();
            assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----"), "the header doesn't tell");
            assert!(refusal(&pem).contains("expected an RSA private key"), "{algorithm:?}");
        }
        // A sequence of two numbers: sound DER, and no key.
        let damaged = "-----BEGIN RSA PRIVATE KEY-----\nMAYCAQACAQA=\n-----END RSA PRIVATE KEY-----\n";
        assert!(refusal(damaged).contains("or damaged"), "{}", refusal(damaged));
    }
}
