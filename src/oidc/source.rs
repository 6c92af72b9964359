//! Where an issuer's keys come from: its discovery document, a URL, or a file.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::error::SetupError;
use super::key_set::KeySet;
use crate::clock::Clock;
use crate::domain::issuer::{Issuer, KeySource};
use crate::domain::remote_url;
use crate::outbound::{self, Authorities, ClientError};

/// How long one fetch may take, from the first byte sent to the last byte received, discovery included.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a discovery document, a key set or a token, after decompression. GitHub's key set has about 5,000.
const MAX_BYTES: usize = 100 << 10;

/// Where one issuer's keys come from.
pub(super) struct Source {
    issuer: Arc<Issuer>,
    http: reqwest::Client,
    clock: Clock,
}

/// What is used of a discovery document.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

impl Source {
    pub(super) fn new(issuer: Arc<Issuer>, clock: Clock) -> Result<Self, SetupError> {
        let authorities = match &issuer.ca_file {
            None => Authorities::default(),
            Some(path) => Authorities::read(path).map_err(|reason| SetupError::CaFile {
                issuer: issuer.name.clone(),
                path: path.clone(),
                reason,
            })?,
        };
        let setting = format!("oidc.issuers.{}.caFile", issuer.name);
        let http = outbound::client(authorities, &setting).map_err(|error| match error {
            ClientError::Proxy(problem) => SetupError::Proxy(problem),
            ClientError::Other(cause) => SetupError::Client { issuer: issuer.name.clone(), cause },
        })?;
        Ok(Self { issuer, http, clock })
    }

    /// Fetches the keys, once.
    ///
    /// # Errors
    /// Says for the log why there are none.
    pub(super) async fn fetch(&self) -> Result<KeySet, String> {
        let json = tokio::select! {
            json = self.key_set() => json?,
            () = self.clock.sleep(TIMEOUT) => return Err(format!("not there after {} s", TIMEOUT.as_secs())),
        };
        KeySet::parse(&json, &self.issuer.algorithms).map_err(str::to_owned)
    }

    async fn key_set(&self) -> Result<Vec<u8>, String> {
        match &self.issuer.keys {
            KeySource::Discovery => self.get(&self.discover().await?, None).await,
            KeySource::Url { url, token_file: None } => self.get(url, None).await,
            KeySource::Url { url, token_file: Some(file) } => {
                let token = read(file).await?;
                let token = String::from_utf8(token).map_err(|_| "the token's file is not text")?;
                self.get(url, Some(SecretString::from(token.trim()))).await
            }
            KeySource::File(path) => read(path).await,
        }
    }

    /// The URL of the key set, from the issuer's metadata.
    async fn discover(&self) -> Result<String, String> {
        let base = &self.issuer.url;
        let base = base.strip_suffix('/').unwrap_or(base);
        let json = self.get(&format!("{base}/.well-known/openid-configuration"), None).await?;
        let metadata: Metadata = serde_json::from_slice(&json)
            .map_err(|_| "the discovery document is not a JSON object with issuer and jwks_uri")?;
        if metadata.issuer != self.issuer.url {
            return Err("the discovery document's issuer is not the configured URL, to the letter".to_owned());
        }
        remote_url::check(&metadata.jwks_uri)
            .map_err(|problem| format!("the discovery document's jwks_uri: {problem}"))?;
        Ok(metadata.jwks_uri)
    }

    async fn get(&self, url: &str, token: Option<SecretString>) -> Result<Vec<u8>, String> {
        let mut request = self.http.get(url);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, bearer(&token)?);
        }
        // Without the URL: its query may be secret.
        let failed = |error: reqwest::Error| outbound::chain(&error.without_url());
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        if status != http::StatusCode::OK {
            return Err(format!(
                "expected status 200 from {}; it is {}",
                without_query(url),
                status.as_u16()
            ));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BYTES {
                return Err(format!("{} sends more than {MAX_BYTES} bytes", without_query(url)));
            }
        }
        Ok(body)
    }
}

fn without_query(url: &str) -> &str {
    url.split_once('?').map_or(url, |(url, _)| url)
}

/// A header that is never printed.
fn bearer(token: &SecretString) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
        .map_err(|_| "the token's file has characters that no token has")?;
    value.set_sensitive(true);
    Ok(value)
}

/// Reads a file, on a thread that may block.
async fn read(path: &Path) -> Result<Vec<u8>, String> {
    let file = path.to_owned();
    let content = tokio::task::spawn_blocking(move || read_file(&file)).await;
    let content = content.unwrap_or_else(|_| Err("reading it was given up".to_owned()));
    content.map_err(|problem| format!("{}: {problem}", path.display()))
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    // What is no file, such as a pipe, could be read for ever.
    let metadata = std::fs::metadata(path).map_err(|cause| cause.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a file".to_owned());
    }
    let mut content = Vec::new();
    let limit = MAX_BYTES as u64 + 1;
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut content))
        .map_err(|cause| cause.to_string())?;
    if content.len() > MAX_BYTES {
        return Err(format!("it is larger than {MAX_BYTES} bytes"));
    }
    Ok(content)
}
