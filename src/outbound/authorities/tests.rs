use std::time::Duration;

use chrono::TimeDelta;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};

use super::*;

/// Made by `openssl x509 -req -signkey` without extensions, and the same with trust settings behind it.
const VERSION_1: &str = "-----BEGIN CERTIFICATE-----
MIIBLTCB0wIUO2r1GR0b0v/pKymbsbRyzeyUSY0wCgYIKoZIzj0EAwIwGDEWMBQG
A1UEAwwNT2xkIEF1dGhvcml0eTAgFw0yNjExMjcwMjQ4MTdaGA8yMTI2MTEwMzAy
NDgxN1owGDEWMBQGA1UEAwwNT2xkIEF1dGhvcml0eTBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABPHOgIZcd5u/12sPPyFOkkf0QadRyoc7G+aBbzyXi1abVhUMXD3k
OjWKnhIjSq32MOuFSqAsQyQIcXzAEZ9XAbYwCgYIKoZIzj0EAwIDSQAwRgIhAL6g
yejRid7+B70GXzmhCVndYzEem6CHqwq/AvV9sRYqAiEAv9Wck7RJwlYyzfrGSAqN
PU8ZjRK1uu0i52WBDX6rOL0=
-----END CERTIFICATE-----
";
const TRUSTED: &str = "-----BEGIN TRUSTED CERTIFICATE-----
MIIBLTCB0wIUO2r1GR0b0v/pKymbsbRyzeyUSY0wCgYIKoZIzj0EAwIwGDEWMBQG
A1UEAwwNT2xkIEF1dGhvcml0eTAgFw0yNjExMjcwMjQ4MTdaGA8yMTI2MTEwMzAy
NDgxN1owGDEWMBQGA1UEAwwNT2xkIEF1dGhvcml0eTBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABPHOgIZcd5u/12sPPyFOkkf0QadRyoc7G+aBbzyXi1abVhUMXD3k
OjWKnhIjSq32MOuFSqAsQyQIcXzAEZ9XAbYwCgYIKoZIzj0EAwIDSQAwRgIhAL6g
yejRid7+B70GXzmhCVndYzEem6CHqwq/AvV9sRYqAiEAv9Wck7RJwlYyzfrGSAqN
PU8ZjRK1uu0i52WBDX6rOL0wDDAKBggrBgEFBQcDAQ==
-----END TRUSTED CERTIFICATE-----
";
const DAMAGED: &str = "-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----\n";
const NO_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

/// A self-signed authority's certificate for these names.
fn self_signed(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> rcgen::Certificate {
    let mut params =
        CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "ghes.example");
    change(&mut params);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap()
}

fn authority() -> rcgen::Certificate {
    self_signed(&["ghes.example"], |_| {})
}

fn read(bytes: &[u8]) -> Result<(usize, Vec<String>), String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    Authorities::read(file.path()).map(|read| (read.certificates.len(), read.warnings))
}

#[test]
fn certificates_are_read_in_every_form_that_curl_takes_and_more() {
    let (one, two) = (authority().pem(), authority().pem());
    let wide: Vec<u8> = format!("\u{feff}{one}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, certificates) in [
        (one.clone().into_bytes(), 1),
        (format!("{one}{two}").into_bytes(), 2),
        (format!("{one}{two}{one}").into_bytes(), 2),
        (
            format!("# GitHub's\nCertificate:\n    Data:\n        Version: 3 (0x2)\n{one}and\n{two}")
                .into_bytes(),
            2,
        ),
        (format!("\u{feff}{}", one.replace('\n', "\r\n")).into_bytes(), 1),
        (one.replace('\n', "\n  ").into_bytes(), 1),
        (one.replace('\n', "\\n").into_bytes(), 1),
        (one.trim_end().as_bytes().to_vec(), 1),
        (one.replace("CERTIFICATE", "X509 CERTIFICATE").into_bytes(), 1),
        (wide, 1),
    ] {
        assert_eq!(read(&bytes), Ok((certificates, Vec::new())), "{}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn one_that_is_of_no_use_is_warned_of_and_refuses_no_other() {
    let good = authority().pem();
    let expired = self_signed(&[], |params| {
        params.not_before = date_time_ymd(2010, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 2);
    });
    let key = KeyPair::generate().unwrap().serialize_pem();
    for (other, certificates, warning) in [
        (DAMAGED, 1, "certificate 1 is damaged or cut off"),
        (NO_CERTIFICATE, 1, "certificate 1 can't be used: "),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", 1, "certificate 1 is damaged or cut off"),
        (expired.pem().as_str(), 2, "certificate 1 (CN=ghes.example) expired on 2020-01-02"),
        (VERSION_1, 2, "certificate 1 (CN=Old Authority) is of an old version"),
        (TRUSTED, 2, "certificate 1 (CN=Old Authority) is of an old version"),
        (key.as_str(), 1, "there is a private key in it"),
    ] {
        let (read, warnings) = read(format!("{other}{good}").as_bytes()).unwrap();
        assert_eq!((read, warnings.len()), (certificates, 1), "{other}: {warnings:?}");
        assert!(warnings[0].starts_with(warning), "{warnings:?}");
    }
    let parsed = |text| Authorities::parse(text, Utc::now()).unwrap().certificates;
    assert_eq!(parsed(TRUSTED), parsed(VERSION_1), "the trust settings are no part of it");
}

#[test]
fn a_file_without_a_usable_certificate_is_named_with_what_it_is() {
    let der = authority().der().to_vec();
    let unmarked: Vec<u8> = authority().pem().encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, reason) in [
        (Vec::new(), "no certificate in it"),
        (b"nothing".to_vec(), "no certificate in it"),
        (KeyPair::generate().unwrap().serialize_pem().into_bytes(), "no certificate in it"),
        (DAMAGED.into(), "certificate 1 is damaged or cut off"),
        (NO_CERTIFICATE.into(), "certificate 1 can't be used"),
        (der, "it is DER; convert it to PEM first (openssl x509 -inform DER"),
        (unmarked, "looks like UTF-16"),
        (vec![b'\n'; 5 << 20], "larger than"),
    ] {
        let found = read(&bytes).unwrap_err();
        assert!(found.contains(reason), "{reason}: {found}");
    }
    assert!(Authorities::read(Path::new("/does/not/exist")).unwrap_err().contains("No such file"));
}

/// What becomes of a server that shows `shown` as `name`, with `named` in the file, after some days from now.
fn outcome(
    named: &rcgen::Certificate,
    shown: &CertificateDer<'_>,
    name: &str,
    days: i64,
) -> Result<(), String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let named = vec![named.der().clone()];
    let authorities = Verifier::new_with_extra_roots(named.clone(), provider).unwrap();
    let now = (Utc::now() + TimeDelta::days(days)).timestamp().try_into().unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let setting = "github.caFile".to_owned();
    let verified = Trusted { authorities, named, setting }.verify_server_cert(shown, &[], &name, &[], now);
    verified.map(|_| ()).map_err(|error| error.to_string())
}

/// A server that shows the very certificate of the file.
fn itself(certificate: &rcgen::Certificate, name: &str, days: i64) -> Result<(), String> {
    outcome(certificate, certificate.der(), name, days)
}

#[test]
fn an_authoritys_own_certificate_is_accepted_if_it_is_the_very_one_in_the_file() {
    let named = authority();
    assert_eq!(itself(&named, "ghes.example", 0), Ok(()));
    assert_eq!(itself(&named, "GHES.example", 0), Ok(()));
    // Made alike, by another key.
    let found = outcome(&named, authority().der(), "ghes.example", 0).unwrap_err();
    assert!(found.contains("CaUsedAsEndEntity") || found.contains("UnknownIssuer"), "{found}");
    assert!(found.contains("github.caFile"), "{found}");
}

#[test]
fn it_has_to_be_of_this_name_valid_now_and_for_servers() {
    let spanning = |from: i32, to: i32| {
        self_signed(&["ghes.example"], |params| {
            params.not_before = date_time_ymd(from, 1, 1);
            params.not_after = date_time_ymd(to, 1, 1);
        })
    };
    for (certificate, name, reason) in [
        (authority(), "other.example", "not valid for name"),
        (authority(), "sub.ghes.example", "not valid for name"),
        (authority(), "127.0.0.1", "not valid for name"),
        (spanning(2010, 2020), "ghes.example", "expired"),
        (spanning(2900, 2950), "ghes.example", "not valid yet"),
    ] {
        let found = itself(&certificate, name, 0).unwrap_err();
        assert!(found.contains(reason), "{reason}: {found}");
    }
    let of = |use_: ExtendedKeyUsagePurpose| {
        self_signed(&["ghes.example"], |params| params.extended_key_usages = vec![use_])
    };
    assert_eq!(itself(&of(ExtendedKeyUsagePurpose::ServerAuth), "ghes.example", 0), Ok(()));
    assert_eq!(itself(&of(ExtendedKeyUsagePurpose::Any), "ghes.example", 0), Ok(()));
    assert!(itself(&of(ExtendedKeyUsagePurpose::ClientAuth), "ghes.example", 0).is_err());
}

#[test]
fn a_common_name_counts_only_where_there_are_no_other_names() {
    let without_names = self_signed(&[], |_| {});
    assert_eq!(itself(&without_names, "ghes.example", 0), Ok(()));
    assert!(itself(&without_names, "other.example", 0).is_err());
    assert!(itself(&self_signed(&["other.example"], |_| {}), "ghes.example", 0).is_err());
    assert!(itself(&self_signed(&["127.0.0.1"], |_| {}), "ghes.example", 0).is_err());
}

#[test]
fn what_an_authority_of_the_file_signed_is_accepted_as_ever() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let named = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let server = CertificateParams::new(vec!["ghes.example".to_owned()]).unwrap();
    let server = server.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
    assert_eq!(outcome(&named, server.der(), "ghes.example", 0), Ok(()));
    assert!(outcome(&named, server.der(), "other.example", 0).is_err());
    // A certificate that is not an authority's can be named by itself, too.
    assert_eq!(itself(&server, "ghes.example", 0), Ok(()));
}
