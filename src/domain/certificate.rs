//! From when until when a certificate is valid.

use chrono::{DateTime, Utc};

/// The time within which clients accept a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Not accepted earlier.
    pub not_before: DateTime<Utc>,
    /// Not accepted later.
    pub not_after: DateTime<Utc>,
}

impl Validity {
    /// The validity of a certificate in DER; none if it can't be decoded.
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
        let validity = parsed.validity();
        Some(Self {
            not_before: DateTime::from_timestamp(validity.not_before.timestamp(), 0)?,
            not_after: DateTime::from_timestamp(validity.not_after.timestamp(), 0)?,
        })
    }
}
