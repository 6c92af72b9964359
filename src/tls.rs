//! The server's certificate: loading, checking, and replacing it while connections are served.

mod examine;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};

pub use self::examine::{Examined, examine};
use crate::domain::certificate::Validity;
use crate::domain::pem::{self, Binary, Block};
use crate::domain::text::{decoded, with_line_breaks};

/// Why a certificate can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("cannot read {file}: {reason}", file = file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The files were read, but don't make a usable pair.
    #[error("{file}: {reason}", file = file.display())]
    Unusable {
        /// The file to look at.
        file: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The TLS library refused our settings.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

impl TlsError {
    /// The file that it is about.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Unreadable { file, .. } | Self::Unusable { file, .. } => Some(file),
            Self::Setup(_) => None,
        }
    }
}

/// A certificate larger than this is the wrong file.
const MAX_BYTES: u64 = 1 << 20;

/// The certificate in force. New handshakes see a replacement at once; open connections are left alone.
pub struct CertificateStore {
    certificate_file: PathBuf,
    key_file: PathBuf,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<Current>,
}

/// What is in the files of a certificate and its key.
#[derive(PartialEq, Eq)]
pub struct Pair {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

struct Current {
    certificate_text: Vec<u8>,
    /// Enough to notice a change without keeping a second copy of the key.
    key_digest: Vec<u8>,
    certified: Arc<CertifiedKey>,
    not_after: DateTime<Utc>,
}

impl CertificateStore {
    /// Loads a certificate chain and its private key, both PEM.
    ///
    /// # Errors
    /// Names the file and what to do about it.
    pub fn load(certificate_file: &Path, key_file: &Path) -> Result<Arc<Self>, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let pair = Pair::read(certificate_file, key_file)?;
        let current = Current::parse((certificate_file, key_file), &pair, &provider)?;
        Ok(Arc::new(Self {
            certificate_file: certificate_file.to_owned(),
            key_file: key_file.to_owned(),
            provider,
            current: ArcSwap::from_pointee(current),
        }))
    }

    /// Both files as they are now.
    ///
    /// # Errors
    /// Names the file that can't be read.
    pub fn look(&self) -> Result<Pair, TlsError> {
        Pair::read(&self.certificate_file, &self.key_file)
    }

    /// Whether this pair is in force. Content is compared, not times: Kubernetes swaps a symbolic link, and times may
    /// repeat.
    pub fn serves(&self, pair: &Pair) -> bool {
        let current = self.current.load();
        pair.certificate == current.certificate_text && digest_of(&pair.key) == current.key_digest
    }

    /// Puts a pair in force.
    ///
    /// # Errors
    /// The pair isn't usable; the old one stays in force.
    pub fn serve(&self, pair: &Pair) -> Result<(), TlsError> {
        let files = (self.certificate_file.as_path(), self.key_file.as_path());
        let new = Current::parse(files, pair, &self.provider)?;
        new.warn_if_expired(&self.certificate_file);
        self.current.store(Arc::new(new));
        Ok(())
    }

    /// When the certificate in force expires.
    pub fn not_after(&self) -> DateTime<Utc> {
        self.current.load().not_after
    }

    /// Settings for a listener: TLS 1.2 and 1.3, HTTP/1.1, no client certificates.
    ///
    /// # Errors
    /// The TLS library refuses the settings.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl ResolvesServerCert for CertificateStore {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load().certified.clone())
    }
}

impl fmt::Debug for CertificateStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CertificateStore")
            .field("certificate_file", &self.certificate_file)
            .field("not_after", &self.not_after())
            .finish_non_exhaustive()
    }
}

impl Pair {
    fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        Ok(Self { certificate: read_file(certificate)?, key: read_file(key)? })
    }
}

impl Current {
    fn parse(
        (certificate_file, key_file): (&Path, &Path),
        pair: &Pair,
        provider: &CryptoProvider,
    ) -> Result<Self, TlsError> {
        let chain = certificates_in(certificate_file, &pair.certificate)?;
        let expiries: Vec<_> = chain.iter().map(|certificate| expiry_of(certificate)).collect();
        if let Some(damaged) = expiries.iter().position(Option::is_none) {
            let reason = format!("certificate {} of it is damaged: it can't be decoded", damaged + 1);
            return Err(unusable(certificate_file, &reason));
        }
        let not_after = expiries.into_iter().flatten().next().unwrap_or_default();
        let key = private_key_in(key_file, &pair.key)?;
        let key = provider
            .key_provider
            .load_private_key(key)
            .map_err(|cause| unusable(key_file, &format!("the private key can't be used: {cause}")))?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                return Err(mismatch(&certified, certificate_file, key_file));
            }
            Err(cause) => {
                return Err(unusable(certificate_file, &format!("the certificate can't be used: {cause}")));
            }
        }
        Ok(Self {
            certificate_text: pair.certificate.clone(),
            key_digest: digest_of(&pair.key),
            certified: Arc::new(certified),
            not_after,
        })
    }

    fn warn_if_expired(&self, file: &Path) {
        if self.not_after <= Utc::now() {
            let expired_at = self.not_after.to_rfc3339();
            tracing::warn!(file = %file.display(), expired_at, "the TLS certificate has expired; clients will refuse it");
        }
    }
}

/// Makes aws-lc-rs the process's one provider of cryptography; the HTTP client takes it from there.
pub fn install_provider() {
    // An error says that a provider is installed already, which is this one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

fn read_file(file: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |reason: String| TlsError::Unreadable { file: file.to_owned(), reason };
    let metadata = std::fs::metadata(file).map_err(|cause| unreadable(cause.to_string()))?;
    if !metadata.is_file() {
        return Err(unreadable("it is not a file".to_owned()));
    }
    if metadata.len() > MAX_BYTES {
        return Err(unreadable(format!("it is larger than {MAX_BYTES} bytes")));
    }
    let bytes = std::fs::read(file).map_err(|cause| unreadable(cause.to_string()))?;
    if bytes.trim_ascii().is_empty() {
        return Err(unreadable("it is empty".to_owned()));
    }
    Ok(bytes)
}

/// The text of a file that should be PEM, with the advice for what else it may be.
fn text_in(file: &Path, bytes: &[u8], advice: fn(Binary) -> &'static str) -> Result<String, TlsError> {
    if let Some(binary) = Binary::of(bytes) {
        return Err(unusable(file, advice(binary)));
    }
    let text =
        decoded(bytes.to_vec()).map_err(|reason| unusable(file, &format!("{reason}; expected PEM")))?;
    Ok(with_line_breaks(&text))
}

/// Each certificate once, in the order of the file.
fn certificates_in(file: &Path, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = text_in(file, bytes, Binary::for_certificate)?;
    let blocks = pem::blocks(&text);
    let mut chain: Vec<CertificateDer<'static>> = Vec::new();
    // One whose BEGIN line is damaged may be a certificate, too.
    for block in blocks.iter().filter(|block| block.is_certificate() || block.label.is_empty()) {
        let certificate = block.certificate().map(CertificateDer::from).ok_or_else(|| {
            unusable(file, "the PEM is damaged or cut off; write the whole certificate again")
        })?;
        if !chain.contains(&certificate) {
            chain.push(certificate);
        }
    }
    if chain.is_empty() {
        let reason = match blocks.iter().find(|block| !block.is_private_key()).map(|block| block.label) {
            Some(label) if label.ends_with("CERTIFICATE REQUEST") => {
                "there is no certificate inside, but a request for one; put in what the authority made of it"
            }
            Some("PKCS7" | "CMS") => {
                "there is no certificate inside, but PKCS #7; convert it first (openssl pkcs7 -print_certs -in FILE -out PEM)"
            }
            _ => "there is no certificate inside; expected PEM with BEGIN CERTIFICATE",
        };
        return Err(unusable(file, reason));
    }
    Ok(chain)
}

/// The first private key of the file.
fn private_key_in(file: &Path, bytes: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = text_in(file, bytes, Binary::for_key)?;
    let blocks = pem::blocks(&text);
    let Some(block) = blocks.iter().find(|block| block.is_private_key()) else {
        let is_damaged = blocks.iter().any(|block| block.label.is_empty());
        let none = "there is no private key inside; expected PEM with BEGIN PRIVATE KEY";
        return Err(unusable(file, if is_damaged { DAMAGED_KEY } else { none }));
    };
    if block.is_encrypted() {
        return Err(unusable(
            file,
            "the private key is encrypted; decrypt it first (openssl pkey -in KEY -out PLAIN)",
        ));
    }
    let key = |block: &Block<'_>| block.der().ok_or_else(|| unusable(file, DAMAGED_KEY));
    match block.label {
        "PRIVATE KEY" => Ok(PrivatePkcs8KeyDer::from(key(block)?).into()),
        "RSA PRIVATE KEY" => Ok(PrivatePkcs1KeyDer::from(key(block)?).into()),
        "EC PRIVATE KEY" => Ok(PrivateSec1KeyDer::from(key(block)?).into()),
        "OPENSSH PRIVATE KEY" => Err(unusable(
            file,
            "the private key is OpenSSH's; convert it first (ssh-keygen -p -m PEM -f KEY)",
        )),
        _ => Err(unusable(file, "expected an RSA, ECDSA or Ed25519 private key; it is another kind of key")),
    }
}

const DAMAGED_KEY: &str = "the PEM is damaged or cut off; write the whole key again";

fn mismatch(certified: &CertifiedKey, certificate_file: &Path, key_file: &Path) -> TlsError {
    let belongs_to_a_later_one = certified
        .cert
        .iter()
        .skip(1)
        .any(|other| CertifiedKey::new(vec![other.clone()], certified.key.clone()).keys_match().is_ok());
    if belongs_to_a_later_one {
        return unusable(certificate_file, "the server's own certificate must come first, then its issuers");
    }
    let reason =
        format!("the private key does not belong to the certificate in {}", certificate_file.display());
    unusable(key_file, &reason)
}

fn expiry_of(certificate: &CertificateDer<'_>) -> Option<DateTime<Utc>> {
    Validity::of(certificate).map(|validity| validity.not_after)
}

fn digest_of(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().to_vec()
}

fn unusable(file: &Path, reason: &str) -> TlsError {
    TlsError::Unusable { file: file.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests;
