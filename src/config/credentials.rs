//! The service's own credential at GitHub, and where it comes from.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::{ExposeSecret, SecretString};

use crate::domain::pem::{self, Binary, Block};
use crate::domain::text::{decoded, is_invisible, unwrapped, with_line_breaks};

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
    /// In a file, as PEM or base64 of it, which may be replaced while the service runs.
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
const MAX_BYTES: u64 = 64 * 1024;

impl Credentials {
    /// The key as PEM text, or the token, read now.
    ///
    /// # Errors
    /// The file can't be read, or holds none.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        match self {
            Self::App { private_key, .. } => private_key.read(),
            Self::Token(source) => source.read(),
        }
    }

    /// The file with the key or the token, unless the configuration itself has it.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::App { private_key: PrivateKeySource::File(file), .. }
            | Self::Token(TokenSource::File(file)) => Some(file),
            Self::App { .. } | Self::Token(_) => None,
        }
    }

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
            Self::File(path) => private_key(read_secret(path, Binary::for_key)?.expose_secret()),
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
            Self::File(path) => token(read_secret(path, |_| "it is not text")?.expose_secret()),
        }
    }
}

fn read_secret(path: &Path, advice: fn(Binary) -> &'static str) -> Result<SecretString, SecretError> {
    let unreadable = |reason: String| SecretError::Unreadable { file: path.to_owned(), reason };
    let metadata = std::fs::metadata(path).map_err(|cause| unreadable(cause.to_string()))?;
    if metadata.is_dir() {
        return Err(unreadable("it is a directory".to_owned()));
    }
    // One byte more than allowed tells a file that is too large, even if it says that it has none, as devices do.
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|cause| unreadable(cause.to_string()))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(unreadable(format!("it is larger than {MAX_BYTES} bytes")));
    }
    if let Some(binary) = Binary::of(&bytes) {
        return Err(unreadable(advice(binary).to_owned()));
    }
    let text = decoded(bytes).map_err(|reason| unreadable(reason.to_string()))?;
    if unwrapped(&text).is_empty() {
        return Err(unreadable("it is empty".to_owned()));
    }
    Ok(text.into())
}

fn malformed<T>(reason: &'static str) -> Result<T, SecretError> {
    Err(SecretError::Malformed(reason))
}

/// What templates and scripts write in place of a missing value.
const NOTHING: [&str; 5] = ["null", "nil", "none", "undefined", "<nil>"];

/// Checks a token: one word of printable characters.
pub(super) fn token(text: &str) -> Result<SecretString, SecretError> {
    // A line break that was spelt out is at the end, if anywhere: no token has a backslash in it.
    let lines = with_line_breaks(unwrapped(text));
    let text = unwrapped(&lines);
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return malformed("expected a token: one line without spaces");
    }
    if text.contains(['"', '\'']) {
        return malformed("expected a token without quotes");
    }
    if NOTHING.iter().any(|word| word.eq_ignore_ascii_case(text)) {
        return malformed("expected a token; this is the word that stands for none");
    }
    Ok(text.into())
}

/// Base64 in either alphabet, with or without padding.
const BASE64: GeneralPurpose = base64_in(&alphabet::STANDARD);
const BASE64_FOR_URLS: GeneralPurpose = base64_in(&alphabet::URL_SAFE);

const fn base64_in(alphabet: &alphabet::Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, config)
}

/// A secret that went through several tools was sometimes encoded by each of them.
const MAX_LAYERS: usize = 3;

/// Takes the PEM of an RSA private key, or base64 of it, and returns clean PEM.
pub(super) fn private_key(text: &str) -> Result<SecretString, SecretError> {
    let mut text = SecretString::from(with_line_breaks(unwrapped(text)));
    for layer in 0..=MAX_LAYERS {
        let plain = unwrapped(text.expose_secret());
        if plain.contains("-----BEGIN ") {
            return pem(plain);
        }
        let packed: String = plain.chars().filter(|character| !is_invisible(*character)).collect();
        let bytes = BASE64.decode(&packed).or_else(|_| BASE64_FOR_URLS.decode(&packed));
        let Ok(bytes) = bytes else {
            return malformed(match layer {
                0 => "expected a private key as PEM, or base64 of the PEM; it is neither",
                _ => NOT_THE_PEM,
            });
        };
        if Binary::of(&bytes).is_some() {
            return malformed(
                "expected base64 of the whole PEM file; it is base64 of DER, as between the BEGIN and END lines, which \
                 are missing",
            );
        }
        let Ok(inside) = decoded(bytes) else { return malformed(NOT_THE_PEM) };
        text = SecretString::from(with_line_breaks(&inside));
    }
    malformed(NOT_THE_PEM)
}

const NOT_THE_PEM: &str =
    "expected base64 of the whole PEM file, with its BEGIN and END lines; it is base64 of something else";
const ENCRYPTED: &str = "the private key is encrypted: decrypt it first (openssl rsa -in KEY -out PLAIN)";

fn pem(text: &str) -> Result<SecretString, SecretError> {
    let blocks = pem::blocks(text);
    // Certificates, parameters and other keys may stand before it.
    let usable = |block: &&Block<'_>| matches!(block.label, "RSA PRIVATE KEY" | "PRIVATE KEY");
    let key = blocks.iter().find(usable).or_else(|| blocks.iter().find(|block| block.is_private_key()));
    let key = key.or(blocks.first());
    let Some(block) = key else {
        return malformed("expected a private key as PEM; it is another kind of PEM");
    };
    if block.is_encrypted() {
        return malformed(ENCRYPTED);
    }
    match block.label {
        "RSA PRIVATE KEY" | "PRIVATE KEY" => {}
        _ if block.is_private_key() => {
            return malformed(
                "expected an RSA private key as GitHub makes it for an App; it is another kind of key",
            );
        }
        label if label.contains("PUBLIC KEY") => {
            return malformed("expected a private key; it is a public key");
        }
        label if label.contains("CERTIFICATE") => {
            return malformed("expected a private key; it is a certificate");
        }
        _ => return malformed("expected a private key as PEM; it is another kind of PEM"),
    }
    written_anew(block)
}

/// The same in lines of 64 characters, so that a key whose line ends were lost on the way still parses.
fn written_anew(block: &Block<'_>) -> Result<SecretString, SecretError> {
    if block.is_cut_off() {
        return malformed("the private key is cut off: its END line is missing");
    }
    let (Some(body), Some(_)) = (block.base64(), block.der()) else {
        return malformed("the private key is damaged: what is between BEGIN and END is not base64");
    };
    let lines: Vec<_> = body.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    let label = block.label;
    Ok(format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")).into())
}
