//! A certificate for whatever stands in front of this GitHub in a test.

use chrono::{DateTime, Datelike, TimeDelta, Utc};

/// Makes a self-signed certificate for `names` that is valid for a year, and its private key, both PEM.
///
/// # Errors
/// A name can't be put into a certificate.
pub fn self_signed(names: &[&str]) -> Result<(String, String), rcgen::Error> {
    let mut params =
        rcgen::CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())?;
    let day = |date: DateTime<Utc>| {
        // Both fit: a month is 1 to 12 and a day 1 to 31.
        let (month, day) = (u8::try_from(date.month()).unwrap_or(1), u8::try_from(date.day()).unwrap_or(1));
        rcgen::date_time_ymd(date.year(), month, day)
    };
    params.not_before = day(Utc::now() - TimeDelta::days(1));
    params.not_after = day(Utc::now() + TimeDelta::days(365));
    params.distinguished_name.push(rcgen::DnType::CommonName, "self-signed, for tests");
    let key = rcgen::KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}
