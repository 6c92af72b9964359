//! The server's certificate: loading, checking, and replacing it while connections are served.

mod examine;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use chrono::{DateTime, Datelike, TimeDelta, Utc};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};
use tokio::task::JoinHandle;

pub use self::examine::{Examined, examine};
use crate::domain::certificate::Validity;
use crate::domain::clock::Clock;
use crate::metrics;

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
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Generate(#[from] rcgen::Error),
}

impl TlsError {
    /// The file that it is about.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Unreadable { file, .. } | Self::Unusable { file, .. } => Some(file),
            Self::Setup(_) | Self::Generate(_) => None,
        }
    }
}

/// A certificate larger than this is the wrong file.
const MOST_BYTES: u64 = 1 << 20;

/// The certificate in force. New handshakes see a replacement at once; open connections are left alone.
pub struct CertificateStore {
    certificate_file: PathBuf,
    key_file: PathBuf,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<Current>,
    /// Held while reloading, so that two triggers don't interleave.
    reloading: Mutex<()>,
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
        let current = Current::read(certificate_file, key_file, &provider)?;
        Ok(Arc::new(Self {
            certificate_file: certificate_file.to_owned(),
            key_file: key_file.to_owned(),
            provider,
            current: ArcSwap::from_pointee(current),
            reloading: Mutex::new(()),
        }))
    }

    /// Reads both files again and says whether the certificate in force was replaced. Content is compared,
    /// not times: Kubernetes swaps a symbolic link, and times may repeat.
    ///
    /// # Errors
    /// The files don't make a usable pair; the old certificate stays in force.
    pub fn reload_if_changed(&self) -> Result<bool, TlsError> {
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.current.load();
        let certificate_text = read_file(&self.certificate_file)?;
        let key_text = read_file(&self.key_file)?;
        if certificate_text == old.certificate_text && digest_of(&key_text) == old.key_digest {
            return Ok(false);
        }
        let files = (self.certificate_file.as_path(), self.key_file.as_path());
        let new = Current::parse(files, certificate_text, &key_text, &self.provider)?;
        new.warn_if_expired(&self.certificate_file);
        self.current.store(Arc::new(new));
        Ok(true)
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

impl Current {
    fn read(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<Self, TlsError> {
        let certificate_text = read_file(certificate)?;
        let key_text = read_file(key)?;
        Self::parse((certificate, key), certificate_text, &key_text, provider)
    }

    fn parse(
        (certificate_file, key_file): (&Path, &Path),
        certificate_text: Vec<u8>,
        key_text: &[u8],
        provider: &CryptoProvider,
    ) -> Result<Self, TlsError> {
        let chain = certificates_in(certificate_file, &certificate_text)?;
        let not_after = chain.first().and_then(|leaf| expiry_of(leaf)).ok_or_else(|| {
            unusable(certificate_file, "the first certificate is damaged: it can't be decoded")
        })?;
        let key = private_key_in(key_file, key_text)?;
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
            certificate_text,
            key_digest: digest_of(key_text),
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

/// Checks every `every` on the clock whether the files changed, until the task is aborted. A failure is logged when it
/// first shows, not at every check.
pub fn spawn_watch(store: Arc<CertificateStore>, every: Duration, clock: Clock) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut last_failure = None;
        loop {
            clock.sleep(every).await;
            let checked = store.clone();
            let outcome = tokio::task::spawn_blocking(move || checked.reload_if_changed()).await;
            let failure = match outcome {
                Ok(Ok(replaced)) => {
                    if replaced {
                        metrics::reload("certificate", true);
                        tracing::info!(not_after = %store.not_after().to_rfc3339(), "the TLS certificate was replaced");
                    } else {
                        metrics::in_force("certificate", true);
                    }
                    None
                }
                Ok(Err(cause)) => Some(cause.to_string()),
                Err(cause) => Some(cause.to_string()),
            };
            if let Some(reason) = failure.as_ref().filter(|_| failure != last_failure) {
                metrics::reload("certificate", false);
                tracing::error!(
                    reason,
                    "the changed TLS certificate was refused; the old one stays in force"
                );
            }
            last_failure = failure;
        }
    })
}

/// Makes aws-lc-rs the process's one provider of cryptography; the HTTP client takes it from there.
pub fn install_provider() {
    // An error says that a provider is installed already, which is this one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Makes a certificate for `names` that is valid for a year, and its key, both PEM. For the demo and tests.
///
/// # Errors
/// A name can't be put into a certificate.
pub fn self_signed(names: &[&str]) -> Result<(String, String), TlsError> {
    let mut params =
        rcgen::CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())?;
    let day = |date: DateTime<Utc>| {
        // Both fit: a month is 1 to 12 and a day 1 to 31.
        let (month, day) = (u8::try_from(date.month()).unwrap_or(1), u8::try_from(date.day()).unwrap_or(1));
        rcgen::date_time_ymd(date.year(), month, day)
    };
    params.not_before = day(Utc::now() - TimeDelta::days(1));
    params.not_after = day(Utc::now() + TimeDelta::days(365));
    params.distinguished_name.push(rcgen::DnType::CommonName, "Actions Runner Manager, self-signed");
    let key = rcgen::KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

fn read_file(file: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |reason: String| TlsError::Unreadable { file: file.to_owned(), reason };
    let metadata = std::fs::metadata(file).map_err(|cause| unreadable(cause.to_string()))?;
    if !metadata.is_file() {
        return Err(unreadable("it is not a file".to_owned()));
    }
    if metadata.len() > MOST_BYTES {
        return Err(unreadable(format!("it is larger than {MOST_BYTES} bytes")));
    }
    let bytes = std::fs::read(file).map_err(|cause| unreadable(cause.to_string()))?;
    if bytes.trim_ascii().is_empty() {
        return Err(unreadable("it is empty".to_owned()));
    }
    Ok(bytes)
}

fn certificates_in(file: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(text)
        .collect::<Result<_, _>>()
        .map_err(|_| unusable(file, "the PEM is damaged or cut off; write the whole certificate again"))?;
    if chain.is_empty() {
        return Err(unusable(file, "there is no certificate inside; expected PEM with BEGIN CERTIFICATE"));
    }
    Ok(chain)
}

fn private_key_in(file: &Path, text: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    let contains = |needle: &[u8]| text.windows(needle.len()).any(|window| window == needle);
    if contains(b"BEGIN ENCRYPTED PRIVATE KEY") || contains(b"Proc-Type: 4,ENCRYPTED") {
        return Err(unusable(
            file,
            "the private key is encrypted; decrypt it first (openssl pkey -in KEY -out PLAIN)",
        ));
    }
    PrivateKeyDer::from_pem_slice(text).map_err(|cause| match cause {
        pem::Error::NoItemsFound => {
            unusable(file, "there is no private key inside; expected PEM with BEGIN PRIVATE KEY")
        }
        // The library's message may quote the line at fault.
        _ => unusable(file, "the PEM is damaged or cut off; write the whole key again"),
    })
}

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
