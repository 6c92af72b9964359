//! What the service shows to GitHub, and where it comes from.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

/// How the service authenticates itself to GitHub.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// As an installation of a GitHub App.
    App {
        /// The App's id.
        app_id: u64,
        /// The installation in the organisation; looked up when not set.
        installation_id: Option<u64>,
        /// The App's private key.
        private_key: PrivateKeySource,
    },
    /// With a personal access token.
    Token(TokenSource),
}

/// Where the App's private key is.
#[derive(Debug, Clone)]
pub enum PrivateKeySource {
    /// In the configuration: PEM, already decoded.
    Inline(SecretString),
    /// In a PEM file, which may be replaced while the service runs.
    File(PathBuf),
}

/// Where the personal access token is.
#[derive(Debug, Clone)]
pub enum TokenSource {
    /// In the configuration.
    Inline(SecretString),
    /// In a file, which may be replaced while the service runs.
    File(PathBuf),
}

/// Why a secret can't be used. Never quotes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The file can't be read.
    #[error("cannot read {file}: {reason}", file = file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The text is not what it should be.
    #[error("{0}")]
    Malformed(&'static str),
}

/// A key or token is far smaller; a larger file is the wrong one.
const MOST_BYTES: u64 = 64 * 1024;

impl Credentials {
    /// Whether both have the same secret, as far as it stands in the configuration itself.
    pub(super) fn have_the_secret_of(&self, other: &Self) -> bool {
        match (self.inline(), other.inline()) {
            (Some(one), Some(other)) => one.expose_secret() == other.expose_secret(),
            _ => true,
        }
    }

    fn inline(&self) -> Option<&SecretString> {
        match self {
            Self::App { private_key: PrivateKeySource::Inline(secret), .. }
            | Self::Token(TokenSource::Inline(secret)) => Some(secret),
            Self::App { .. } | Self::Token(_) => None,
        }
    }
}

impl PrivateKeySource {
    /// The key as PEM text, read now.
    ///
    /// # Errors
    /// The file can't be read, or holds no unencrypted RSA private key in PEM.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        match self {
            Self::Inline(pem) => Ok(pem.clone()),
            Self::File(path) => private_key(read_secret(path)?.expose_secret()),
        }
    }
}

impl TokenSource {
    /// The token, read now.
    ///
    /// # Errors
    /// The file can't be read, or holds no token.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        match self {
            Self::Inline(token) => Ok(token.clone()),
            Self::File(path) => token(read_secret(path)?.expose_secret()),
        }
    }
}

fn read_secret(path: &Path) -> Result<SecretString, SecretError> {
    let unreadable = |reason: String| SecretError::Unreadable { file: path.to_owned(), reason };
    let metadata = std::fs::metadata(path).map_err(|cause| unreadable(cause.to_string()))?;
    if metadata.is_dir() {
        return Err(unreadable("it is a directory".to_owned()));
    }
    // One byte more than allowed tells a file that is too large, even if it says that it has none, as devices do.
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|cause| unreadable(cause.to_string()))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(unreadable(format!("it is larger than {MOST_BYTES} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8 text".to_owned()))?;
    if text.trim().is_empty() {
        return Err(unreadable("it is empty".to_owned()));
    }
    Ok(text.into())
}

/// Checks a token: one word of printable characters.
pub(super) fn token(text: &str) -> Result<SecretString, SecretError> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(SecretError::Malformed("expected a token: one line without spaces"));
    }
    Ok(text.into())
}

/// Takes the PEM of an RSA private key, or base64 of it, and gives clean PEM.
pub(super) fn private_key(text: &str) -> Result<SecretString, SecretError> {
    let text = text.trim();
    if text.contains("-----BEGIN ") {
        return pem(text);
    }
    let packed: String = text.split_whitespace().collect();
    let bytes = STANDARD.decode(packed).map_err(|_| {
        SecretError::Malformed("expected a private key as PEM, or base64 of the PEM; it is neither")
    })?;
    match std::str::from_utf8(&bytes) {
        Ok(decoded) if decoded.contains("-----BEGIN ") => pem(decoded.trim()),
        _ => Err(SecretError::Malformed(
            "expected base64 of the whole PEM file, with its BEGIN and END lines; it is base64 of something else",
        )),
    }
}

fn pem(text: &str) -> Result<SecretString, SecretError> {
    let malformed = |reason| Err(SecretError::Malformed(reason));
    // A key in one line of YAML or of an .env file often has its line ends written as \n.
    let text = text.replace("\\n", "\n");
    let label =
        text.split_once("-----BEGIN ").and_then(|(_, rest)| rest.split_once("-----")).map(|(label, _)| label);
    let label = label.unwrap_or_default();
    match label {
        "RSA PRIVATE KEY" | "PRIVATE KEY" => {}
        "ENCRYPTED PRIVATE KEY" => {
            return malformed(
                "the private key is encrypted: decrypt it first (openssl rsa -in KEY -out PLAIN)",
            );
        }
        "EC PRIVATE KEY" | "OPENSSH PRIVATE KEY" | "DSA PRIVATE KEY" => {
            return malformed(
                "expected an RSA private key as GitHub makes it for an App; it is another kind of key",
            );
        }
        other if other.contains("PUBLIC KEY") => {
            return malformed("expected a private key; it is a public key");
        }
        other if other.contains("CERTIFICATE") => {
            return malformed("expected a private key; it is a certificate");
        }
        _ => return malformed("expected a private key as PEM; it is another kind of PEM"),
    }
    let Some((body, _)) = text
        .split_once(&format!("-----BEGIN {label}-----"))
        .and_then(|(_, rest)| rest.split_once(&format!("-----END {label}-----")))
    else {
        return malformed("the private key is cut off: its END line is missing");
    };
    if body.contains("Proc-Type:") {
        return malformed("the private key is encrypted: decrypt it first (openssl rsa -in KEY -out PLAIN)");
    }
    let body: String = body.split_whitespace().collect();
    if body.is_empty() || STANDARD.decode(&body).is_err() {
        return malformed("the private key is damaged: what is between BEGIN and END is not base64");
    }
    // Written anew, so that a key whose line ends were lost on the way still parses.
    let lines: Vec<_> = body.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    Ok(format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")).into())
}
