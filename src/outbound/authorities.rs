//! Whose certificates a server, and a proxy on the way to it, may show: those of the system's authorities, those of a
//! `caFile` of the configuration, and the very certificates in that file.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::x509::X509Version;

use crate::domain::pem::{self, Binary};
use crate::domain::text::{decoded, one_line, with_line_breaks};

/// A system's whole bundle has a quarter of this.
const MAX_BYTES: u64 = 4 << 20;
/// Characters of a certificate's subject that a message repeats.
const MAX_QUOTED_CHARS: usize = 200;

/// What a `caFile` of the configuration holds.
#[derive(Debug, Default)]
pub struct Authorities {
    certificates: Vec<CertificateDer<'static>>,
    warnings: Vec<String>,
}

impl Authorities {
    /// Reads PEM certificates. One that is of no use is warned of, as long as there is another.
    ///
    /// # Errors
    /// The file can't be read, or there is no usable certificate in it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|cause| cause.to_string())?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(format!("it is larger than {MAX_BYTES} bytes"));
        }
        if let Some(binary) = Binary::of(&bytes) {
            return Err(binary.for_certificate().to_owned());
        }
        let text = decoded(bytes).map_err(|reason| reason.to_string())?;
        Self::parse(&with_line_breaks(&text), Utc::now())
    }

    fn parse(text: &str, now: DateTime<Utc>) -> Result<Self, String> {
        let blocks = pem::blocks(text);
        let mut authorities = Self::default();
        let mut useless = Vec::new();
        let certificates = blocks.iter().filter(|block| block.is_certificate() || block.label.is_empty());
        for (number, block) in (1..).zip(certificates) {
            match block.certificate().map(CertificateDer::from) {
                None => useless.push(format!("certificate {number} is damaged or cut off")),
                Some(certificate) if authorities.certificates.contains(&certificate) => {}
                Some(certificate) => match usable(&certificate, now) {
                    Err(reason) => useless.push(format!("certificate {number} can't be used: {reason}")),
                    Ok(remarks) => {
                        let remark = |remark: String| format!("certificate {number} {remark}");
                        authorities.warnings.extend(remarks.into_iter().map(remark));
                        authorities.certificates.push(certificate);
                    }
                },
            }
        }
        if blocks.iter().any(pem::Block::is_private_key) {
            authorities.warnings.push("there is a private key in it, which doesn't belong there".to_owned());
        }
        if authorities.certificates.is_empty() {
            return Err(useless.into_iter().next().unwrap_or_else(|| "no certificate in it".to_owned()));
        }
        authorities.warnings.extend(useless);
        Ok(authorities)
    }

    /// What is wrong with the file, although it can be used.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// Tries a certificate as an authority's; gives what should be known about it.
fn usable(certificate: &CertificateDer<'_>, now: DateTime<Utc>) -> Result<Vec<String>, String> {
    RootCertStore::empty().add(certificate.clone()).map_err(|cause| cause.to_string())?;
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|cause| cause.to_string())?;
    let subject = one_line(&parsed.subject().to_string(), MAX_QUOTED_CHARS);
    let mut remarks = Vec::new();
    let not_after = DateTime::from_timestamp(parsed.validity().not_after.timestamp(), 0);
    if let Some(not_after) = not_after.filter(|not_after| *not_after <= now) {
        remarks.push(format!("({subject}) expired on {}", not_after.date_naive()));
    }
    if parsed.version() != X509Version::V3 {
        remarks.push(format!("({subject}) is of an old version: no server can show it as its own"));
    }
    Ok(remarks)
}

/// Settings of a client that trusts the system's authorities and these. `setting` is the name of the setting that can name more
/// of them, such as `github.caFile`.
pub(super) fn client_config(authorities: Authorities, setting: &str) -> Result<ClientConfig, Error> {
    let provider = CryptoProvider::get_default()
        .cloned()
        .unwrap_or_else(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let verifier = Trusted {
        authorities: Verifier::new_with_extra_roots(
            authorities.certificates.iter().cloned(),
            provider.clone(),
        )?,
        named: authorities.certificates,
        setting: setting.to_owned(),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Verifies what a server shows. The library refuses an authority's own certificate as a server's, even one that the
/// administrator named; `openssl req -x509` makes just such certificates.
#[derive(Debug)]
struct Trusted {
    authorities: Verifier,
    /// Trusted byte for byte, whatever they may be used for otherwise.
    named: Vec<CertificateDer<'static>>,
    /// The setting that advice names.
    setting: String,
}

impl ServerCertVerifier for Trusted {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.named.iter().any(|named| named.as_ref() == shown.as_ref()) {
            return verify_named(shown, name, now).map(|()| ServerCertVerified::assertion());
        }
        let outcome = self.authorities.verify_server_cert(shown, intermediates, name, ocsp, now);
        outcome.map_err(|error| with_advice(error, &self.setting))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}

/// That a certificate of the file is valid now, for this name, and for servers.
fn verify_named(shown: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) -> Result<(), Error> {
    let (_, parsed) =
        x509_parser::parse_x509_certificate(shown).map_err(|_| Error::from(CertificateError::BadEncoding))?;
    let seconds =
        |time: i64| UnixTime::since_unix_epoch(std::time::Duration::from_secs(time.try_into().unwrap_or(0)));
    let not_before = seconds(parsed.validity().not_before.timestamp());
    let not_after = seconds(parsed.validity().not_after.timestamp());
    if now < not_before {
        return Err(CertificateError::NotValidYetContext { time: now, not_before }.into());
    }
    if now > not_after {
        return Err(CertificateError::ExpiredContext { time: now, not_after }.into());
    }
    let uses = parsed.extended_key_usage().map_err(|_| Error::from(CertificateError::BadEncoding))?;
    if uses.is_some_and(|uses| !uses.value.server_auth && !uses.value.any) {
        return Err(CertificateError::InvalidPurpose.into());
    }
    match verify_server_name(&ParsedCertificate::try_from(shown)?, name) {
        Err(_) if is_common_name(&parsed, name) => Ok(()),
        outcome => outcome,
    }
}

/// Whether the name is the common name of a certificate that has no other place for names, as older ones.
fn is_common_name(certificate: &X509Certificate<'_>, name: &ServerName<'_>) -> bool {
    let ServerName::DnsName(name) = name else { return false };
    let has_names = match certificate.subject_alternative_name() {
        Ok(Some(names)) => {
            let is_host =
                |name: &GeneralName<'_>| matches!(name, GeneralName::DNSName(_) | GeneralName::IPAddress(_));
            names.value.general_names.iter().any(is_host)
        }
        Ok(None) => false,
        Err(_) => true,
    };
    let mut common_names = certificate.subject().iter_common_name().filter_map(|common| common.as_str().ok());
    !has_names && common_names.any(|common| common.eq_ignore_ascii_case(name.as_ref()))
}

/// What to do about a certificate that isn't trusted.
fn with_advice(error: Error, setting: &str) -> Error {
    let advice = match &error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            format!("its issuer is unknown (UnknownIssuer): name the authority's certificate in {setting}")
        }
        Error::InvalidCertificate(CertificateError::Other(other))
            if other.to_string().contains("CaUsedAsEndEntity") =>
        {
            format!(
                "it is a certificate authority's own (CaUsedAsEndEntity), which is trusted only if {setting} holds this \
                 very certificate"
            )
        }
        _ => return error,
    };
    CertificateError::Other(OtherError(Arc::new(Advice(advice)))).into()
}

#[derive(thiserror::Error)]
#[error("{0}")]
struct Advice(String);

/// In words, too: the library repeats causes in their debug form.
impl fmt::Debug for Advice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests;
